//! All records of an object, page by page in the order of their ids.
//!
//! A walk that is interrupted goes on behind the last record of a page that was handed out. Records made meanwhile may or
//! may not be part of it, and none that was there at its beginning is left out.

use async_trait::async_trait;

use crate::source::{ObjectName, Side};
use crate::types::{CrmError, Filter, Record};

use super::Position;

/// A CRM whose records can be walked.
///
/// Cancellation: it only reads, so a future may be dropped at any time.
#[async_trait]
pub trait Walk: Send + Sync {
    /// Which CRM.
    fn side(&self) -> Side;

    /// A page of the records that pass all filters, and where the next page begins.
    async fn walk(&self, request: &WalkRequest) -> Result<WalkPage, CrmError>;

    /// How many records pass all filters, by one call.
    async fn count(&self, object: &ObjectName, filters: &[Filter]) -> Result<u64, CrmError>;
}

/// Asks for a page of records.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkRequest {
    /// The object.
    pub object: ObjectName,
    /// The fields whose values are wanted.
    pub fields: Vec<String>,
    /// What must hold of each record, as the CRM compares.
    pub filters: Vec<Filter>,
    /// Where the page before ended; `None` begins.
    pub after: Option<Position>,
    /// At most so many; a vendor's page may be smaller.
    pub limit: u32,
}

/// Some records, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkPage {
    /// The records, with the fields that were asked for.
    pub records: Vec<Record>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Position>,
}
