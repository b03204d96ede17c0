//! What runs exercise, for the coverage of tests.
//!
//! A run without a trace records nothing and pays nothing. A point is a place in the source and what took place there, so
//! that a shared rule is one point however many mappings use it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::source::{Location, Side};

/// Something that can take place at a line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    /// The trigger with this index fired for a record of this side: what a sync says can fire on either. The place is the
    /// mapping's.
    Trigger(Side, usize),
    /// The guard let a record through.
    Passed,
    /// The guard refused one.
    Refused,
    /// The key or the rung found something.
    Found,
    /// The outcome decided.
    Outcome,
    /// The Lead was converted.
    Converted,
    /// The rule gave a value.
    Value,
    /// The policy let the rule write.
    Written,
    /// The policy kept what was there.
    Kept,
    /// A two-way rule wrote this side.
    To(Side),
    /// A two-way rule decided between two changes.
    Conflict,
    /// A blank cleared the field.
    Cleared,
    /// The value failed, and `otherwise` decided.
    Otherwise,
    /// The picklist translated this option by its line. The place is the picklist's.
    Line(String),
    /// The picklist had no line for an option, and `otherwise` decided. The place is the picklist's.
    Untranslated,
    /// The condition of an `if` held.
    Then,
    /// The condition of an `if` did not hold.
    Else,
}

/// What runs exercised.
#[derive(Debug, Default)]
pub struct Trace {
    hits: Mutex<HashSet<(Location, Point)>>,
}

impl Trace {
    /// Records a point.
    pub fn hit(&self, at: &Location, point: Point) {
        // The set is whole whoever held the lock: an insertion does not stop half-way.
        self.hits.lock().unwrap_or_else(PoisonError::into_inner).insert((at.clone(), point));
    }

    /// Whether a point was exercised.
    pub fn holds(&self, at: &Location, point: &Point) -> bool {
        let hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        hits.contains(&(at.clone(), point.clone()))
    }
}
