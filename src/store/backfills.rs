//! How far loads of whole objects have come.
//!
//! A backfill leases the lanes of its records as a worker does, so that it and a running `serve` never work on one record
//! at the same time. What became of records, how far the load has come and which of them were refused are one
//! transaction: a load that is killed goes on where it was, and counts nothing twice.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Lane, LeasedLane, ProjectId, Settled, Settlement, StoreError};
use crate::source::{ObjectName, Side};

/// Which load.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackfillKey {
    /// The pair.
    pub pair: String,
    /// The mapping or sync.
    pub mapping: String,
    /// The side of the records that are loaded.
    pub side: Side,
}

/// Asks for the lanes of certain records.
#[derive(Debug, Clone)]
pub struct HoldRequest {
    /// The pair.
    pub pair: String,
    /// The records' object.
    pub object: ObjectName,
    /// The records.
    pub records: Vec<String>,
    /// Who asks.
    pub worker: String,
    /// When the records were read.
    pub read_at: DateTime<Utc>,
    /// The present.
    pub now: DateTime<Utc>,
    /// For how long.
    pub ttl: Duration,
    /// The version of the project that works on them.
    pub project: Option<ProjectId>,
}

/// The lanes that could be leased; those of other records are somebody else's at the moment.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The leases.
    pub lanes: Vec<LeasedLane>,
    /// Records of these that somebody has settled since they were read.
    pub settled_since: Vec<String>,
}

/// What became of some records of a load.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// The lanes, each with what becomes of it.
    pub settlements: Vec<(Lane, Settlement)>,
    /// How far the load is afterwards, in the loader's own form.
    pub progress: String,
    /// The rows of records that a person must look at.
    pub refused: Vec<String>,
}

/// Keeps how far loads have come.
#[async_trait]
pub trait Backfills: Send + Sync {
    /// How far a load is; `None` where there is none.
    async fn backfill(&self, key: &BackfillKey) -> Result<Option<String>, StoreError>;

    /// Forgets a load and its refused rows.
    async fn forget_backfill(&self, key: &BackfillKey) -> Result<(), StoreError>;

    /// Leases the lanes of records, and makes those that are not there. A lane without work is deleted when it is settled.
    async fn hold(&self, request: HoldRequest) -> Result<Held, StoreError>;

    /// Settles lanes and moves the load on, all of it or nothing; one answer for each lane, in order. Where a lease was
    /// lost nothing happens at all, and every answer says which.
    async fn step(
        &self,
        key: &BackfillKey,
        step: Step,
        now: DateTime<Utc>,
    ) -> Result<Vec<Settled>, StoreError>;

    /// Gives back the leases of a load that has stopped; no record loses an attempt, and a lane without work is deleted.
    async fn let_go(&self, pair: &str, worker: &str) -> Result<(), StoreError>;

    /// The refused rows of a load, in the order in which they came.
    async fn refused(&self, key: &BackfillKey) -> Result<Vec<String>, StoreError>;
}
