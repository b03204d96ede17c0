//! The seam between the driver and the interpreter, so that the driver is tested with scripted runs.

use std::sync::Arc;

use crate::eval::{Answer, Effect, Run};
use crate::plan::Plan;
use crate::types::ChangeEvent;

/// Says which mappings events start, and starts them.
pub(super) trait Engine: Send + Sync {
    /// The mappings that these events of one record start, in source order.
    fn triggered(&self, events: &[ChangeEvent]) -> Vec<String>;

    /// A run of a mapping for a record; `None` when there is no such mapping.
    fn start(&self, mapping: &str, record: &str) -> Option<Box<dyn Job>>;
}

/// One record on its way through one mapping.
pub(super) trait Job: Send {
    /// Goes on with what was asked for to what is needed next.
    fn next(&mut self, answer: Option<Answer>) -> Effect;
}

/// The interpreter over a plan.
pub(super) struct PlanEngine(pub(super) Arc<Plan>);

impl Engine for PlanEngine {
    fn triggered(&self, events: &[ChangeEvent]) -> Vec<String> {
        self.0.triggered(events).into_iter().map(str::to_owned).collect()
    }

    fn start(&self, mapping: &str, record: &str) -> Option<Box<dyn Job>> {
        Run::start(Arc::clone(&self.0), mapping, record).map(|run| Box::new(run) as Box<dyn Job>)
    }
}

impl Job for Run {
    fn next(&mut self, answer: Option<Answer>) -> Effect {
        Run::next(self, answer)
    }
}
