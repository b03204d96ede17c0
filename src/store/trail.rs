//! What is known of a record, for whoever asks why it is as it is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::source::{Location, ObjectName};
use crate::types::{Cause, ChangeEvent, Value};

use super::{
    CorrelationId, EventId, HistoryEntry, IntentsEnd, Link, OpenIntent, ParkedRecord, ProjectId, RecordKey,
};

/// What a mapping says beside its outcome, for the question why.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notes {
    /// Why nothing was done, in the author's words.
    pub reason: Option<String>,
    /// The line that says so.
    pub at: Option<Location>,
    /// Fields that a rule spoke about and left as they are.
    pub kept: Vec<FieldKept>,
    /// What becomes of the mapping's intents; `None` where the run did not come to its end.
    pub intents: Option<IntentsEnd>,
}

/// A field that a rule left as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldKept {
    /// The record's object.
    pub object: ObjectName,
    /// Its id.
    pub id: String,
    /// The field.
    pub field: String,
    /// What it held, where that was known.
    pub value: Option<Value>,
    /// Why it was left, in the author's words.
    pub why: String,
    /// The rule's place.
    pub at: Location,
}

/// Everything that the store knows of a record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trail {
    /// Fields written for it or to it, the newest first.
    pub history: Vec<HistoryEntry>,
    /// What mappings came to for it or with it, the newest first.
    pub runs: Vec<RunEntry>,
    /// Its fields that a rule left as they are, the newest first.
    pub kept: Vec<KeptEntry>,
    /// Where it was or is parked, the newest first.
    pub parked: Vec<ParkedRecord>,
    /// What waits for it to change, or for a pair: the mapping and the reason.
    pub waiting: Vec<(String, String)>,
    /// Its pairs, whichever side it stands on.
    pub links: Vec<Link>,
    /// What was heard of it, the newest first.
    pub events: Vec<HeardEvent>,
    /// Whether it has work that is not done yet.
    pub pending: bool,
    /// Writes for it or to it that were about to be sent and of which no answer is known, the oldest first.
    pub intents: Vec<OpenIntent>,
}

/// What a mapping came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEntry {
    /// Identifies it.
    pub id: i64,
    /// When it was settled.
    pub at: DateTime<Utc>,
    /// The mapping that ended it.
    pub mapping: String,
    /// The source record.
    pub source: RecordKey,
    /// The record that it wrote or found.
    pub target: Option<RecordKey>,
    /// A word: `created`, `updated`, `unchanged`, `synced`, `skipped`, `waiting` or `parked`.
    pub result: String,
    /// Why, in the author's words.
    pub reason: Option<String>,
    /// The line that says so.
    pub place: Option<(String, usize)>,
    /// What made it run.
    pub begun: Begun,
    /// The id that its log carries.
    pub correlation: CorrelationId,
    /// The version of the project.
    pub project: Option<ProjectId>,
}

/// What made a mapping run. It is kept with the run, since the journal is pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// Events, the newest last.
    Events(Vec<EventBrief>),
    /// The end of a record paired with this one.
    Causes(Vec<Cause>),
    /// It was asked for by name: a retry, or a pair that was waited for.
    Request,
    /// A person loads the whole object through this mapping.
    Backfill {
        /// The mapping or sync.
        mapping: String,
    },
    /// A person ran it by hand.
    Command,
}

/// An event without the value that it told, which may be a person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBrief {
    /// Its id.
    pub id: EventId,
    /// What the vendor calls it, or what a poll found.
    pub kind: String,
    /// The field that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// When it happened, by the CRM's clock.
    pub occurred_at: DateTime<Utc>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Whether it was found by asking, and not told by a webhook.
    pub polled: bool,
}

/// An event of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardEvent {
    /// What it is.
    pub brief: EventBrief,
    /// What it says.
    pub change: ChangeEvent,
    /// Whether it is `pending`, `done`, `parked` or `ignored`.
    pub state: String,
    /// Why it was ignored.
    pub note: Option<String>,
    /// The id that its log carries.
    pub correlation: CorrelationId,
}

/// A field that a rule left as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// The mapping.
    pub mapping: String,
    /// The source record.
    pub source: RecordKey,
    /// The record that holds it.
    pub target: RecordKey,
    /// The field.
    pub field: String,
    /// What it held.
    pub value: Option<Value>,
    /// Why it was left.
    pub why: String,
    /// The rule's file and line.
    pub place: (String, usize),
    /// What it was part of.
    pub run: Option<i64>,
}
