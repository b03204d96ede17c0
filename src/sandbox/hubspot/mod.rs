//! HubSpot as a local server.
//!
//! Faithful to what HubSpot's public API documentation and recorded answers show, for all that an integration calls:
//! objects with batches and search, properties, owners, pipelines, schemas, associations, OAuth and private-app tokens,
//! rate limits, and webhooks with signatures, batches and retries. A client works against it by changing its base URL.
//!
//! Beside HubSpot's own paths there is `/_sandbox/…` for tests and scripts: reset, edit a record as a person, list calls
//! and deliveries, inject faults. [`HubspotHandle`] offers the same to Rust.
//!
//! Differences that are known: a search finds a record at once unless a lag is configured; properties that HubSpot computes in the background
//! are not computed, apart from the handful that answers always carry.

mod admin;
mod associations;
mod auth;
mod batch;
mod catalog;
mod config;
mod deliver;
mod error;
mod faults;
mod handle;
mod http;
mod limits;
mod links;
mod load;
mod objects;
mod operations;
mod owners;
mod pipelines;
mod properties;
mod request;
mod scopes;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod timeline;
mod validate;
mod webhooks;

pub(crate) use catalog::{CustomSpec, PropertySpec};
pub use config::{Actor, HubspotConfig, Limits, Subscription, WebhookConfig};
pub use deliver::{Delivery, WebhookMode};
pub use handle::{HubspotHandle, HubspotServer, StartError};

use crate::sandbox::core::Fault;

/// The answers that a fault can name here, beside those of the line.
pub const ANSWERS: &[&str] = faults::ANSWERS;
/// The operations that faults are aimed at and calls are counted by, without `hubspot.`.
pub const OPERATIONS: &[&str] = operations::NAMES;

/// Whether HubSpot has all that a fault names; the key at fault, and what to write. `custom` are a portal's own objects.
pub(in crate::sandbox) fn check_fault(
    fault: &Fault,
    custom: &[String],
) -> Result<(), (&'static str, String)> {
    faults::check(fault, custom)
}
