//! Writing very many records in jobs that the vendor works off by itself.

use async_trait::async_trait;

use crate::types::{CrmError, WriteAnswer, WriteRequest};

/// A CRM that takes jobs.
///
/// A job is opened, filled once, and started; whoever keeps its id between the first and the last of these finds it again
/// after a crash, and knows that it did nothing before it was started.
///
/// Cancellation: dropping a future may leave a job open or started; [`Bulk::state`] tells.
#[async_trait]
pub trait Bulk: Send + Sync {
    /// The job that a write can be a row of: what its rows have in common, and the record that it is about, which stands
    /// in a job once. `None` where the write cannot go in a job.
    fn row_of(&self, request: &WriteRequest) -> Option<(String, String)>;

    /// How many of these rows, which share a job, fit into one.
    fn fitting(&self, rows: &[WriteRequest]) -> usize;

    /// Opens a job for rows like this one, and gives its id.
    async fn open(&self, like: &WriteRequest) -> Result<String, CrmError>;

    /// Fills a job.
    async fn fill(&self, job: &str, rows: &[WriteRequest]) -> Result<(), CrmError>;

    /// Lets it begin.
    async fn start(&self, job: &str) -> Result<(), CrmError>;

    /// Gives up a job that has not begun.
    async fn abort(&self, job: &str) -> Result<(), CrmError>;

    /// How it is.
    async fn state(&self, job: &str) -> Result<JobState, CrmError>;

    /// What became of the rows of a job that has ended, in order; none where it did nothing about a row.
    async fn answers(&self, job: &str, rows: &[WriteRequest]) -> Result<Vec<Option<WriteAnswer>>, CrmError>;
}

/// How a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It has not been started.
    Open,
    /// It is under way.
    Working,
    /// All its rows were dealt with.
    Complete,
    /// It ended before its end; rows that were not dealt with did nothing.
    Failed(String),
    /// It is not known (any more).
    Unknown,
}
