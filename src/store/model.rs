//! What goes into a store and comes out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::source::{Location, ObjectName, Side};
use crate::types::{AwaitedPair, Cause, ChangeEvent, LinkChange, Value};

use super::intents::OpenIntent;
use super::origin::{CorrelationId, ProjectId};
use super::trail::Notes;

/// Identifies an event of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventId(pub i64);

/// Identifies a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LaneId(pub i64);

/// Identifies a parked record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ParkedId(pub i64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ParkedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record of one pair of portal and org.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordKey {
    /// The pair, as the configuration names it.
    pub pair: String,
    /// The object.
    pub object: ObjectName,
    /// The record's id in its CRM.
    pub record: String,
}

impl RecordKey {
    /// Names a record.
    pub fn new(pair: impl Into<String>, object: ObjectName, record: impl Into<String>) -> Self {
        Self { pair: pair.into(), object, record: record.into() }
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.pair, self.object, self.record)
    }
}

/// An event on its way into the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The pair that it is for.
    pub pair: String,
    /// Equal for two deliveries of one event, and only then.
    pub dedupe: String,
    /// The notice as it came.
    pub raw: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// What it says.
    pub incoming: Incoming,
}

/// What an event asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// Work.
    Change(ChangeEvent),
    /// A change that was made with our own token, mostly by ourselves: work for whoever did not make it.
    Own {
        /// What happened.
        change: ChangeEvent,
        /// Digests of the record's fields, as far as the event shows them beside the changed one.
        state: BTreeMap<String, String>,
    },
    /// Nothing; it is kept to answer questions.
    Ignored {
        /// Why.
        reason: String,
        /// The change, as far as it was understood.
        change: Option<ChangeEvent>,
    },
}

impl Incoming {
    /// The record and what happened to it, without the value, which may be a person's.
    pub fn told(&self) -> String {
        let (change, ignored) = match self {
            Incoming::Change(change) => (Some(change), ""),
            Incoming::Own { change, .. } => (Some(change), " (our own)"),
            Incoming::Ignored { change, .. } => (change.as_ref(), " (ignored)"),
        };
        let Some(ChangeEvent { object, record, kind, .. }) = change else {
            return format!("a notice{ignored}");
        };
        format!("{object} {record} {}{ignored}", kind.told())
    }
}

/// What became of an appended event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its id, or the id of the one that was there before.
    pub id: EventId,
    /// Whether it was new.
    pub new: bool,
    /// The id that everything about it carries: its own, or that of the work of its record that it joins.
    pub correlation: CorrelationId,
}

/// How far the changes of an object have been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// Where to go on, in the vendor's own terms.
    pub position: String,
    /// Everything up to here was read, by the CRM's clock.
    pub read_to: DateTime<Utc>,
}

/// A page of changes on its way into the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Advance {
    /// The pair.
    pub pair: String,
    /// The object.
    pub object: ObjectName,
    /// The position that the page was read from; `None` for the first.
    pub from: Option<String>,
    /// The watermark after it.
    pub to: Watermark,
    /// What happened.
    pub events: Vec<NewEvent>,
    /// How its records are now, as far as they are not known so already.
    pub seen: Vec<Seen>,
}

/// How a record was when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub record: String,
    /// When it was changed last, by the CRM's clock.
    pub at: DateTime<Utc>,
    /// A digest of each field's value.
    pub fields: BTreeMap<String, String>,
    /// The records to which it belongs, where others are read with it: their ids, by the field that holds them.
    pub parents: BTreeMap<String, String>,
    /// How it ended; `None` while it lives.
    pub ended: Option<Ended>,
    /// Grows with every change that is told, so that each of them has a name of its own.
    pub revision: i64,
    /// How the syncs' last runs left it, if any; answered by the store, and not taken by it.
    pub met: Vec<Met>,
}

/// How a sync's last run left a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The sync.
    pub mapping: String,
    /// A digest of each field that it read or wrote.
    pub fields: BTreeMap<String, String>,
}

/// How a record ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// It was deleted.
    Deleted,
    /// It was merged into another one.
    Merged {
        /// The surviving record.
        into: String,
    },
}

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// The pair that it works for.
    pub pair: String,
    /// Its name.
    pub worker: String,
    /// At most so many lanes.
    pub limit: u32,
    /// The present.
    pub now: DateTime<Utc>,
    /// For how long.
    pub ttl: Duration,
    /// The version of the project that it works with.
    pub project: Option<ProjectId>,
    /// Only lanes of records that are to be erased, for which no CRM is needed.
    pub erasures: bool,
}

/// A lease: a lane and its fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The lane.
    pub id: LaneId,
    /// The record.
    pub key: RecordKey,
    /// The lease's fence.
    pub fence: i64,
}

/// A lane as it was leased.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedLane {
    /// The lease.
    pub lane: Lane,
    /// The id that everything about this work carries.
    pub correlation: CorrelationId,
    /// Attempts that failed so far, lost leases included.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// Its pending events: by the CRM's clock, then by arrival.
    pub events: Vec<LeasedEvent>,
    /// Mappings asked for by name.
    pub requested: Vec<String>,
    /// Mappings that the end of a record paired with this one asks for.
    pub caused: Vec<(String, Cause)>,
    /// Mappings that wait for a field of this record.
    pub waiting: Vec<Waiting>,
    /// How the syncs' last runs left the record, where one of the events is our own.
    pub met: Vec<Met>,
    /// What earlier runs for the record were about to write and that is not settled, the oldest first.
    pub intents: Vec<OpenIntent>,
}

/// A pending event.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedEvent {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub change: ChangeEvent,
    /// Where our own token made the change: digests of the record's fields, as far as the event shows them.
    pub own: Option<BTreeMap<String, String>>,
}

/// A mapping that waits for a field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The mapping.
    pub mapping: String,
    /// The source fields that it waits for.
    pub fields: Vec<String>,
}

/// What became of a lease.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// What happens to the lane.
    pub next: Next,
    /// What each mapping that ran to its end came to.
    pub results: Vec<MappingResult>,
}

/// What happens to a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Its events are dealt with.
    Done,
    /// They stay pending until a later time.
    RetryAt {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        error: String,
        /// Whether it counts as a failed attempt of this record.
        counted: bool,
    },
    /// All that is stored about the record is removed: a person asked to be forgotten.
    Erase,
}

/// What one mapping came to.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingResult {
    /// The mapping that was started, and that a retry starts again.
    pub mapping: String,
    /// The mapping that ended it: another one where it handed over. Links and provenance carry its name.
    pub ended_by: String,
    /// What it came to.
    pub outcome: Outcome,
    /// What it says beside that, for the question why.
    pub notes: Notes,
}

/// What one mapping came to, as far as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A record was written.
    Written {
        /// Its object.
        object: ObjectName,
        /// Its id.
        id: String,
        /// Whether it is new.
        created: bool,
        /// The fields that were written.
        fields: Vec<FieldWritten>,
    },
    /// A record was already as it should be.
    Unchanged {
        /// Its object.
        object: ObjectName,
        /// Its id.
        id: String,
    },
    /// A sync has settled a pair. The link is HubSpot's record to Salesforce's, whichever of them ran.
    Synced {
        /// HubSpot's record: its object and id.
        hubspot: (ObjectName, String),
        /// Salesforce's.
        salesforce: (ObjectName, String),
        /// What was written, none to two records.
        writes: Vec<RecordWritten>,
        /// The values that both sides hold now.
        synced: BTreeMap<String, Value>,
        /// Digests of the fields that the run read or wrote, by side.
        met: BTreeMap<Side, BTreeMap<String, String>>,
    },
    /// The run was about a pair of records; its waiting and parked work stays as it is.
    Ended,
    /// What is remembered about a pair changes.
    Link(LinkChange),
    /// The mapping is asked for by the records whose pairs point at this one.
    Relay(Cause),
    /// Nothing was to be done.
    Skipped,
    /// It waits for a source field to change, or for a pair to be settled.
    Waiting {
        /// Why.
        reason: String,
        /// The fields.
        fields: Vec<String>,
        /// The pairs; it is asked for again once one of them is settled.
        pairs: Vec<AwaitedPair>,
    },
    /// A person must look.
    Parked(ParkReason),
}

/// A record that a sync has written.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordWritten {
    /// Its object.
    pub object: ObjectName,
    /// Its id.
    pub id: String,
    /// Whether it is new.
    pub created: bool,
    /// The fields that were written.
    pub fields: Vec<FieldWritten>,
}

/// A field that was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldWritten {
    /// The field.
    pub field: String,
    /// Its value before, where it was known.
    pub old: Option<Value>,
    /// Its value after.
    pub new: Value,
    /// The rule's place.
    pub at: Location,
}

/// Why a record is parked, in the author's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkReason {
    /// Why.
    pub reason: String,
    /// The target field, where one is to blame.
    pub field: Option<String>,
    /// What the CRM said, where it said something.
    pub answer: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// The line that says so.
    pub at: Option<Location>,
    /// The CRM's codes of what it said, which quote nobody's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A parked record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRecord {
    /// Its id.
    pub id: ParkedId,
    /// The source record.
    pub key: RecordKey,
    /// The mapping.
    pub mapping: String,
    /// The events that led to it.
    pub events: Vec<EventId>,
    /// Why.
    pub reason: ParkReason,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Whether it is still open.
    pub state: ParkState,
    /// The id that everything about it carries.
    pub correlation: CorrelationId,
    /// The version of the project that parked it.
    pub project: Option<ProjectId>,
}

/// Whether a parked record is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkState {
    /// It waits for a person.
    Open,
    /// A person sent it round again.
    Retried,
    /// A later run of its mapping dealt with it.
    Resolved,
    /// A person gave it up.
    Dropped,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was recorded.
    Accepted,
    /// The lease had been lost; nothing was recorded.
    Stale,
}

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Lanes with work.
    pub lanes: u64,
    /// Events not yet done, parked or ignored.
    pub events: u64,
    /// When the oldest of them came in.
    pub oldest: Option<DateTime<Utc>>,
    /// Parked records that are open.
    pub parked: u64,
}

/// One field that was written once, and where its value came from.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// The mapping.
    pub mapping: String,
    /// The source record.
    pub source: RecordKey,
    /// The target record.
    pub target: RecordKey,
    /// Whether the write made the target record.
    pub created: bool,
    /// The field and its values.
    pub field: FieldWritten,
    /// The events that led to the write.
    pub events: Vec<EventId>,
    /// The run that made it.
    pub run: Option<i64>,
}

/// Which record a mapping wrote for a source record.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The mapping.
    pub mapping: String,
    /// The source record.
    pub source: RecordKey,
    /// The target record.
    pub target: RecordKey,
    /// Whether the target record is known to be gone.
    pub tombstone: bool,
    /// Whether the source record is known to be gone.
    pub source_gone: bool,
    /// The record into which the target record was merged, where that is known.
    pub merged_into: Option<String>,
    /// The id of the record of another object that the target record was before: a Lead that was converted.
    pub former: Option<String>,
    /// Whether the pair came over from a record that was merged into the source record, and no run has settled it since.
    pub inherited: bool,
    /// A sync's values when both sides were last the same.
    pub synced: BTreeMap<String, Value>,
    /// When the link was last confirmed.
    pub updated_at: DateTime<Utc>,
}
