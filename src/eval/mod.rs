//! The interpreter: a plan and records in, effects out. Pure: no I/O, no clock, no randomness.
//!
//! A [`Run`] carries one record through one mapping (and those it hands over to). It never performs anything: it says
//! what it needs as an [`Effect`], is told the [`Answer`], and goes on. So a preview, a test and production run the
//! same code, and a driver may advance many runs side by side and perform effects of one kind in one call.

mod effect;

pub use effect::{Answer, Effect, FieldChange, Finished, Park, PlannedWrite, Verdict};

use std::sync::Arc;

use crate::plan::Plan;

/// One record on its way through one mapping.
#[derive(Debug)]
pub struct Run {
    _plan: Arc<Plan>,
}

impl Run {
    /// Starts a run of a mapping (by name) for a source record (by id).
    pub fn start(plan: Arc<Plan>, _mapping: &str, _record: &str) -> Option<Self> {
        Some(Self { _plan: plan })
    }

    /// Goes on with what was asked for (`None` at first) to the next effect.
    pub fn next(&mut self, _answer: Option<Answer>) -> Effect {
        Effect::Find(Vec::new())
    }
}
