//! The seam between the driver and the interpreter, so that the driver is tested with scripted runs.

use std::sync::Arc;

use crate::eval::{Answer, Effect, Run, SyncRun};
use crate::plan::Plan;
use crate::source::ObjectName;
use crate::types::{Cause, ChangeEvent};

/// Says which mappings events start, and starts them.
pub(super) trait Engine: Send + Sync {
    /// The mappings that these events of one record start, in source order.
    fn triggered(&self, events: &[ChangeEvent]) -> Vec<Task>;

    /// The mappings that these events of one record start for the records paired with it, each with the cause.
    fn relays(&self, events: &[ChangeEvent]) -> Vec<(String, Cause)>;

    /// Why a mapping that is asked for by name runs, where these events of its source record end its life.
    fn cause(&self, mapping: &str, events: &[ChangeEvent]) -> Option<Cause>;

    /// The object with whose records a mapping pairs those of this one.
    fn paired_with(&self, mapping: &str, object: &ObjectName) -> Option<ObjectName>;

    /// A run for a record of an object; `None` when there is no such mapping or sync.
    fn start(&self, task: &Task, object: &ObjectName, record: &str) -> Option<Box<dyn Job>>;
}

/// A mapping to run for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    /// The mapping.
    pub(super) mapping: String,
    /// Whether it goes on only if the record holds the value that the mapping's trigger waits for.
    pub(super) if_became: bool,
    /// Whether it goes on for a record that is paired, whatever its values; and for another only by `if_became`.
    pub(super) if_paired: bool,
    /// The end of a record of the pair, where that is why it runs.
    pub(super) cause: Option<Cause>,
}

/// One record on its way through one mapping.
pub(super) trait Job: Send {
    /// Goes on with what was asked for to what is needed next.
    fn next(&mut self, answer: Option<Answer>) -> Effect;
}

/// The interpreter over a plan.
pub(super) struct PlanEngine(pub(super) Arc<Plan>);

impl Engine for PlanEngine {
    fn triggered(&self, events: &[ChangeEvent]) -> Vec<Task> {
        let starts = self.0.triggered(events).into_iter();
        let task = |start: crate::plan::Start<'_>| Task {
            mapping: start.mapping.to_owned(),
            if_became: start.if_became,
            if_paired: start.if_paired,
            cause: start.cause,
        };
        starts.map(task).collect()
    }

    fn relays(&self, events: &[ChangeEvent]) -> Vec<(String, Cause)> {
        self.0.relays(events).into_iter().map(|(mapping, cause)| (mapping.to_owned(), cause)).collect()
    }

    fn cause(&self, mapping: &str, events: &[ChangeEvent]) -> Option<Cause> {
        let source = &events.first()?.object;
        let of = |known: &&crate::plan::Mapping| known.name == mapping && known.source == *source;
        self.0.mappings.iter().find(of)?.ended(events)
    }

    fn paired_with(&self, mapping: &str, object: &ObjectName) -> Option<ObjectName> {
        let of = |known: &&crate::plan::Mapping| known.name == mapping && known.source == *object;
        Some(self.0.mappings.iter().find(of)?.target.clone())
    }

    fn start(&self, task: &Task, object: &ObjectName, record: &str) -> Option<Box<dyn Job>> {
        if let Some(run) = SyncRun::start(Arc::clone(&self.0), &task.mapping, object, record) {
            return Some(Box::new(run.if_became(task.if_became).because(task.cause.clone())));
        }
        let run = Run::start(Arc::clone(&self.0), &task.mapping, record)?;
        Some(Box::new(run.if_became(task.if_became).because(task.cause.clone())))
    }
}

impl Job for SyncRun {
    fn next(&mut self, answer: Option<Answer>) -> Effect {
        SyncRun::next(self, answer)
    }
}

impl Job for Run {
    fn next(&mut self, answer: Option<Answer>) -> Effect {
        Run::next(self, answer)
    }
}
