//! The durable half of the engine: journal, lanes, parked records, links and provenance.
//!
//! **Journal.** [`Store::append`] returns only after the events are on disk; whoever answers a webhook may say 200
//! then. An event that is already in the journal (same pair, same dedupe key) is stored once and reported as old.
//!
//! **Lanes.** All pending events of one record are one *lane*: one job, taken whole and in order (by the CRM's clock,
//! then by arrival). A lane exists as long as it has work and is deleted when it has none. Two events of one record
//! are therefore never worked on at the same time, and a burst of changes costs one run.
//!
//! **Lease.** A worker takes a lane for a limited time and gets a *fence*, a number that grows with every lease of that
//! lane. It renews while it works. Settling is accepted only while the fence is the lane's newest: a worker that was
//! too slow, or believed dead, can finish its calls but no longer changes the store, and learns so from
//! [`Settled::Stale`]. Events that arrive during a lease are not part of it and keep the lane alive after it.
//!
//! **Delivery.** At least once: a write to a CRM and its settlement cannot be one transaction, so a crash between the
//! two runs the lane again. Whoever performs writes makes them idempotent. Nothing is lost: an acknowledged event
//! stays pending until a settlement says that it is done or parked.
//!
//! **Intents** ([`Intent`]). What a write is about to do is kept before it is sent, with where its values come from. So also a
//! write whose run was never settled is traced to its rule, its events and its version of the project.
//!
//! A record and the one that a sync pairs it with are not leased at the same time: a run reads and writes both. Nor are a
//! record that was merged away and its survivor, which is leased only once the merge is settled.
//!
//! **Links.** What a mapping or a sync settled about two records is one link, with the name of the mapping. The end of a
//! record leaves a tombstone in its links; a record that comes back loses it. One that was merged away also says into
//! which record. A settlement can forget a link, give it to another source record or point it at another target.
//!
//! **Crash.** A lane whose worker died is leased again when its lease runs out, or at once when a worker of the same
//! name starts ([`Store::release`]). Every lost lease counts as an attempt, so that a record which kills its worker is
//! parked in the end and does not kill it for ever.
//!
//! **Feed.** Where changes are polled for, the page's events, what its records were like and the new watermark are one
//! transaction ([`Store::advance`]). So a watermark never passes a change that is not in the journal, and a page that is
//! read again after a crash adds nothing twice. Values are remembered as digests, which tell that a field changed.
//!
//! **Retention.** Old events, superseded history, closed parked records and digests of records that have not changed for
//! long are removed in small steps ([`Store::prune`]). A record whose digests are gone counts as changed everywhere at its
//! next change.
//!
//! **Pairs** share a store and nothing in it: every row names its pair, a lease takes the lanes of one, and operations of
//! several pairs take turns, so that a flood of one holds up no other.
//!
//! **Logins** ([`Accounts`]) are kept sealed ([`Keys`]): the database never holds a token in the clear. Whoever refreshes one
//! takes a turn, and a new token takes the place of the one that was read or of none.
//!
//! **Time** comes in as an argument; the store never reads a clock. No reader moves a cursor by `id > last`, since
//! sequences may commit out of order.

mod accounts;
mod backfills;
mod claim;
mod intents;
mod model;
mod origin;
mod sqlite;
mod trail;
mod vault;

#[cfg(test)]
pub(crate) mod conformance;

use std::path::PathBuf;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::source::ObjectName;
use crate::types::{LinkRequest, LinkedPair};

pub use accounts::{Account, AccountKey, Accounts, Purpose};
pub use backfills::{BackfillKey, Backfills, Held, HoldRequest, Step};
pub use claim::Claim;
pub use intents::{Intent, IntentId, IntentTarget, IntentsEnd, OpenIntent};
pub use model::{
    Advance, Appended, Ended, EventId, FieldWritten, HistoryEntry, Incoming, Lane, LaneId, LeaseRequest,
    LeasedEvent, LeasedLane, Link, MappingResult, Met, NewEvent, Next, Outcome, ParkReason, ParkState,
    ParkedId, ParkedRecord, Pending, RecordKey, RecordWritten, Seen, Settled, Settlement, Waiting, Watermark,
};
pub use origin::{CorrelationId, Origin, Project, ProjectId, ProjectVersion};
pub use sqlite::SqliteStore;
pub use trail::{Begun, EventBrief, FieldKept, HeardEvent, KeptEntry, Notes, RunEntry, Trail};
pub use vault::{Entropy, KeyError, Keys, Sealed};

/// How a store is, for one pair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// The version of its schema.
    pub version: i64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Records whose work failed and is tried again, and the latest error.
    pub retrying: (u64, Option<String>),
    /// When the oldest pending event came in.
    pub oldest: Option<DateTime<Utc>>,
    /// Lanes with work.
    pub lanes: u64,
    /// Open parked records by mapping.
    pub parked: Vec<(String, u64)>,
    /// How far each object's changes have been read.
    pub watermarks: Vec<(ObjectName, DateTime<Utc>)>,
    /// When an event of each kind last came by webhook: object, kind (`propertyChange`, …), property, time.
    pub heard: Vec<Heard>,
}

/// When an event of one kind last came by webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The kind as the vendor calls it (`contact.propertyChange`).
    pub kind: String,
    /// The property, where it is about one.
    pub property: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What every store does, whatever database it stands on.
///
/// Cancellation: a method that changes something has either happened as a whole or not at all; dropping its future
/// only loses the answer.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes events to the journal and their records' lanes; one answer for each event, in order, after the commit.
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, StoreError>;

    /// How far the changes of an object have been read; `None` before the first page.
    async fn watermark(&self, pair: &str, object: &ObjectName) -> Result<Option<Watermark>, StoreError>;

    /// How records were when they were last read; those never read are absent.
    async fn seen(
        &self,
        pair: &str,
        object: &ObjectName,
        records: &[String],
    ) -> Result<Vec<Seen>, StoreError>;

    /// Appends what a page of changes holds, remembers its records and moves the watermark: all of it, or nothing where
    /// the watermark is not where the page was read from (`None`).
    async fn advance(
        &self,
        advance: Advance,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Appended>>, StoreError>;

    /// Asks for one mapping to run on a record, with or without events.
    async fn request(&self, key: &RecordKey, mapping: &str, now: DateTime<Utc>) -> Result<(), StoreError>;

    /// How many lanes are due and not leased, counted up to a bound.
    async fn due(&self, pair: &str, now: DateTime<Utc>, at_most: u32) -> Result<u32, StoreError>;

    /// Takes lanes that are due and not leased, the longest waiting first, with all their pending events.
    async fn lease(&self, request: LeaseRequest) -> Result<Vec<LeasedLane>, StoreError>;

    /// Extends leases; answers which of them are still held, in order.
    async fn renew(&self, lanes: &[Lane], until: DateTime<Utc>) -> Result<Vec<bool>, StoreError>;

    /// Makes lanes due at once that were put off and that nobody has leased since.
    async fn hasten(&self, lanes: &[Lane], now: DateTime<Utc>) -> Result<(), StoreError>;

    /// Ends a lease and records what became of the lane's events, if the fence is still the newest.
    async fn settle(
        &self,
        lane: &Lane,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError>;

    /// Keeps what is about to be written to a CRM, on disk when it answers, and says under which ids, in order. Settling the
    /// run takes it away.
    async fn intend(&self, intents: Vec<Intent>) -> Result<Vec<IntentId>, StoreError>;

    /// The intents of a source record whose runs are not settled, the oldest first.
    async fn intents(&self, key: &RecordKey) -> Result<Vec<OpenIntent>, StoreError>;

    /// Records what mappings came to for a record outside of any lease, as when a person runs one by hand.
    async fn record(
        &self,
        key: &RecordKey,
        results: Vec<MappingResult>,
        origin: Origin,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Remembers a version of the project, so that what it writes can be traced to it. Equal versions are one.
    async fn remember_project(&self, project: Project, now: DateTime<Utc>) -> Result<ProjectId, StoreError>;

    /// A version of the project.
    async fn project(&self, id: ProjectId) -> Result<Option<ProjectVersion>, StoreError>;

    /// A line of a file as it was in a version of the project, from 1.
    async fn project_line(
        &self,
        id: ProjectId,
        file: &str,
        line: usize,
    ) -> Result<Option<String>, StoreError>;

    /// Everything that is known of a record.
    async fn trail(&self, key: &RecordKey) -> Result<Trail, StoreError>;

    /// The records of this id that anything is known of, whatever their object.
    async fn known_as(&self, record: &str) -> Result<Vec<RecordKey>, StoreError>;

    /// How the queue, the watermarks and the file are.
    async fn condition(&self, pair: &str) -> Result<Condition, StoreError>;

    /// Gives back every lease of a worker, as when one of that name starts anew; answers how many there were.
    async fn release(&self, worker: &str, now: DateTime<Utc>) -> Result<u64, StoreError>;

    /// What is still to be done.
    async fn pending(&self) -> Result<Pending, StoreError>;

    /// What is still to be done for a pair.
    async fn pending_of(&self, pair: &str) -> Result<Pending, StoreError>;

    /// Parked records that are open, the oldest first.
    async fn parked(&self) -> Result<Vec<ParkedRecord>, StoreError>;

    /// One parked record, open or not.
    async fn parked_record(&self, id: ParkedId) -> Result<Option<ParkedRecord>, StoreError>;

    /// Opens a parked record's lane again; `false` when there is no such open record.
    async fn retry_parked(&self, id: ParkedId, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Gives a parked record up; `false` when there is no such open record.
    async fn drop_parked(&self, id: ParkedId, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Every field ever written for a source record or to a target record, the newest first.
    async fn history(&self, key: &RecordKey) -> Result<Vec<HistoryEntry>, StoreError>;

    /// The links of a source record.
    async fn links(&self, key: &RecordKey) -> Result<Vec<Link>, StoreError>;

    /// The counterparts of records, whichever side of a link they stand on; those known to be gone come last.
    async fn counterparts(&self, pair: &str, request: &LinkRequest) -> Result<Vec<LinkedPair>, StoreError>;

    /// Marks a record as gone in its links, on either side of them, or removes the mark. A settlement does so by itself
    /// where the lane's events say that its record was deleted, merged or restored.
    async fn set_tombstone(
        &self,
        record: &RecordKey,
        gone: bool,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// Removes what is older than an instant and needed for nothing any more, at most so many rows of each kind; answers how
    /// many there were. What is pending, parked or waited for stays, and so do links and what tells where a field's present
    /// value came from.
    async fn prune(&self, before: DateTime<Utc>, at_most: u32) -> Result<u64, StoreError>;

    /// Answers when the store can be read and written.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Changes whenever work of a pair may have been added. It only wakes: a worker also looks by itself from time to time.
    fn wakes(&self, pair: &str) -> watch::Receiver<u64>;
}

/// Why the store could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("`{}` is not a SQLite database; choose another path or move the file away", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is a SQLite database of another program.
    #[error("`{}` is a SQLite database of another program; choose another path for the store", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A newer Mapwright made it.
    #[error(
        "`{}` has schema version {found} and this program knows versions up to {known}; use the newer program, or \
         another path",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest known version.
        known: i64,
    },
    /// The file could not be opened.
    #[error("`{}` cannot be opened: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// Another process serves the store.
    #[error(
        "another `mapwright serve` is at work on the store `{}`; stop it first, or give this one a store of its own \
         (`store: sqlite:` in `mapwright.yaml`)",
        path.display()
    )]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The database refused a statement: disk full, locked for too long, damaged.
    #[error("the store failed: {0}")]
    Database(String),
    /// Stored data does not have the shape that this program writes.
    #[error("the store holds data that cannot be read: {0}")]
    Damaged(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Database(error.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Damaged(error.to_string())
    }
}
