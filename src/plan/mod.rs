//! The plan: a flat, serialisable program for each mapping, built only from a checked project.

use serde::{Deserialize, Serialize};

use crate::types::ChangeEvent;

/// The executable form of a whole project.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {}

impl Plan {
    /// The mappings that these pending events of one record start, in source order.
    pub fn triggered(&self, _events: &[ChangeEvent]) -> Vec<&str> {
        Vec::new()
    }
}
