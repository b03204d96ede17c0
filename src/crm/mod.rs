//! What a CRM is to the engine, and the clients of both vendors.
//!
//! The trait speaks only of requests and answers as data ([`crate::types`]). Everything that one vendor does in its
//! own way (an error code, a date format, a batch size, a limit) is known in that vendor's folder and nowhere else.

pub mod answers;
mod bulk;
mod changes;
mod cost;
mod describe;
pub mod http;
pub mod hubspot;
mod limits;
pub mod login;
pub mod salesforce;
mod share;
mod shared;
#[cfg(test)]
mod testing;
pub mod tokens;
mod walk;
mod waves;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};

use crate::source::{ObjectName, Side};
use crate::types::{
    AssociateRequest, AssociatedRequest, ChangedRequest, ConvertAnswer, ConvertRequest, CrmError, FieldError,
    FindRequest, ReadRequest, Record, WriteAnswer, WriteRequest,
};

pub use bulk::{Bulk, JobState};
pub use changes::{Change, Changes, ChangesPage, ChangesRequest, Found, Position};
pub use cost::{calls, calls_of, limits_in_words, once};
pub use describe::Describe;
pub use limits::{Allowance, Limits};
pub use walk::{Walk, WalkPage, WalkRequest};

/// A CRM that the engine can read and write.
///
/// Cancellation: dropping a future may leave a write applied and unreported; every write is therefore idempotent or is
/// looked up before it is sent again.
#[async_trait]
pub trait Crm: Send + Sync {
    /// Which CRM.
    fn side(&self) -> Side;

    /// Reads records by id, in the vendor's batches. A record that does not exist is absent from the answer.
    async fn read(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError>;

    /// Looks records up; one answer for each request, in order. Requests that can share a call do.
    async fn find(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>>;

    /// Writes records; one answer for each request, in order. One bad row never fails its neighbours.
    async fn write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer>;

    /// Converts Leads; one answer for each request, in order. One that is refused never fails its neighbours. A conversion
    /// whose answer was lost is looked for before it counts as failed.
    async fn convert(&self, requests: &[ConvertRequest]) -> Vec<ConvertAnswer> {
        let message = format!("{} converts no records", self.side().label());
        let error = FieldError { code: "NOT_CONVERTIBLE".to_owned(), message, fields: Vec::new() };
        requests.iter().map(|_| ConvertAnswer::Rejected { errors: vec![error.clone()] }).collect()
    }

    /// The ids associated with each given id (absent where there is none).
    async fn associated(&self, request: &AssociatedRequest)
    -> Result<HashMap<String, Vec<String>>, CrmError>;

    /// Adds associations; one answer for each request, in order.
    async fn associate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>>;

    /// When fields of a record took their present values, by the CRM's clock. A field whose time is not known is absent,
    /// and so are all fields of a record that does not exist.
    async fn changed(&self, request: &ChangedRequest) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError>;

    /// The record into which another one was merged, which is gone since; `None` where it was not, or nobody knows.
    async fn survivor(&self, object: &ObjectName, gone: &str) -> Result<Option<String>, CrmError>;
    /// Removes associations; one answer for each request, in order. To remove one that is not there is no failure.
    async fn dissociate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>>;

    /// Whether somebody has logged in since a login was refused, so that it may be tried again at once. Nobody is asked but
    /// the place where the login is kept.
    async fn logged_in_anew(&self) -> bool {
        false
    }

    /// How many HTTP calls were made so far.
    fn calls(&self) -> u64;
}
