//! Where changes of a CRM's records come from, where nobody sends them.
//!
//! A source is read page by page, from a position to the next. It never hands out less than what happened after the
//! position, and may hand out the same twice: whoever reads compares with what it knows. A position is the vendor's own
//! (a time stamp and an id for a poll, a replay id for a stream), and is kept with the events of its page.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::source::{ObjectName, Side};
use crate::types::{ChangeKind, CrmError, CrmErrorKind};

use super::http::error;

/// A source of changes.
///
/// Cancellation: it only reads, so a future may be dropped at any time.
#[async_trait]
pub trait Changes: Send + Sync {
    /// Which CRM.
    fn side(&self) -> Side;

    /// The changes of an object since a position, up to so many, and the position after them.
    async fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, CrmError>;
}

/// Asks for a page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesRequest {
    /// The object.
    pub object: ObjectName,
    /// The fields whose values are wanted.
    pub fields: Vec<String>,
    /// Whether only the ends of records are wanted, and no other change.
    pub ends_only: bool,
    /// Where the page before ended; `None` begins now, by the CRM's clock.
    pub since: Option<Position>,
    /// At most so many.
    pub limit: u32,
    /// How far a poll reads back behind what it has read: a transaction that began earlier may commit later.
    pub overlap: Duration,
}

impl ChangesRequest {
    /// The overlap as a span of time; one beyond reason is a year.
    pub(super) fn overlap(&self) -> TimeDelta {
        let year = TimeDelta::days(365);
        TimeDelta::from_std(self.overlap).map_or(year, |overlap| overlap.min(year))
    }
}

/// How far a source has been read, in the vendor's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(pub String);

impl Position {
    /// Keeps a vendor's own form.
    pub(super) fn of(place: &impl Serialize) -> Self {
        // INVARIANT: a place is a struct of texts and times, which JSON can hold.
        Self(serde_json::to_string(place).unwrap_or_default())
    }

    /// Reads it again. A position that cannot be read was kept by a newer program: going on from anywhere else would
    /// miss changes.
    pub(super) fn read<T: DeserializeOwned>(&self, side: Side) -> Result<T, CrmError> {
        serde_json::from_str(&self.0).map_err(|_| {
            error(
                side,
                CrmErrorKind::Garbled,
                "the stored position of the feed is not one that this program writes",
            )
        })
    }
}

/// Some changes, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangesPage {
    /// What was found, in the order in which it happened as far as that is known.
    pub changes: Vec<Change>,
    /// Where the next page begins.
    pub next: Position,
    /// Whether the next page has something already.
    pub more: bool,
    /// Whether all this was so before the feed began: it is only to be remembered.
    pub baseline: bool,
    /// A record made since then and not known yet is a new one; an older one existed before the feed began.
    pub new_since: DateTime<Utc>,
    /// Everything up to here was handed out, but for what commits late; by the CRM's clock.
    pub read_to: DateTime<Utc>,
    /// The CRM's clock.
    pub now: DateTime<Utc>,
    /// How long to leave the source alone before the next page.
    pub pause: Duration,
}

/// What was found about one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The record's id.
    pub record: String,
    /// When, by the CRM's clock.
    pub at: DateTime<Utc>,
    /// Whether the last write to the record was our own, where that is known.
    pub own: bool,
    /// What.
    pub what: Found,
    /// The wanted fields of a record that has ended, where the CRM still shows them.
    pub last: Map<String, Json>,
}

/// What a source knows of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The record as it is now; what has changed is for whoever knows how it was.
    State {
        /// When it was made.
        created_at: Option<DateTime<Utc>>,
        /// The values of the fields that were asked for; one that is absent is blank.
        values: Map<String, Json>,
    },
    /// What happened.
    Event(ChangeKind),
}
