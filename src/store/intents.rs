//! What is about to be written to a CRM, and why.
//!
//! A write and its settlement cannot be one transaction, so a process that dies between them leaves values in a CRM of which
//! nothing would say where they come from. So what a write is going to do is kept before it is sent. A run that comes to its
//! end was told what became of its writes, and its settlement takes the intents away. One of a run that did not is *open*:
//! the next run of its mapping looks at the record, and where that holds what was meant to be written, the settlement makes
//! the intent the history that it would have become, with the rules, the events and the version of the project of then.

use chrono::{DateTime, Utc};

use crate::source::ObjectName;

use super::{Begun, CorrelationId, EventId, FieldWritten, ProjectId, RecordKey};

/// Identifies an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntentId(pub i64);

/// A write that is about to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The source record.
    pub source: RecordKey,
    /// The mapping that was started.
    pub mapping: String,
    /// The mapping that writes: another one where it was handed over.
    pub ended_by: String,
    /// The object of the record to be written.
    pub object: ObjectName,
    /// Which one.
    pub target: IntentTarget,
    /// The fields that are going to be written.
    pub fields: Vec<FieldWritten>,
    /// The events that led to it.
    pub events: Vec<EventId>,
    /// What made the run, where no event did.
    pub begun: Option<Begun>,
    /// The id that its log carries.
    pub correlation: CorrelationId,
    /// The version of the project.
    pub project: Option<ProjectId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// The record that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntentTarget {
    /// This one.
    Record(String),
    /// A new one, under the value of this field.
    Keyed(String),
    /// A new one.
    New,
}

impl IntentTarget {
    /// Whether it is a new record.
    pub fn is_new(&self) -> bool {
        !matches!(self, IntentTarget::Record(_))
    }
}

/// An intent whose run is not settled.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenIntent {
    /// Its id.
    pub id: IntentId,
    /// What it says.
    pub intent: Intent,
}

/// What becomes of the intents of a mapping's runs for a record, when one of these runs is settled. What it does not name
/// stays open: the run saw nothing of it, or it is of a run that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntentsEnd {
    /// Those that were carried out, each with the record that it wrote; they become history.
    pub done: Vec<(IntentId, String)>,
    /// Those that are over without that: they were not carried out, or are the run's own, of which its result tells.
    pub over: Vec<IntentId>,
}
