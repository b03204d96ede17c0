//! A Salesforce organisation as a local server.
//!
//! It speaks the REST API (and of the SOAP API what has no REST form) closely enough that clients of the real
//! thing work against it when their login and instance URL are changed. It judges writes by its own validation,
//! keeps everything in memory, and binds 127.0.0.1 only.
//!
//! A seed describes what differs from a new organisation:
//!
//! ```yaml
//! users:                      # people besides those of the settings
//!   - {username: rep@acme.test, password: secret, first_name: Rita, last_name: Rep}
//! objects:                    # records by object, or the facts of a new object
//!   Account:
//!     - {_ref: acme, Name: Acme Corp}
//!   Contact:
//!     - {LastName: Doe, Email: jane@acme.test, AccountId: "@acme"}
//!   Invoice__c: {label: Invoice, labelPlural: Invoices, keyPrefix: a00, records: []}
//! fields:                     # new fields, or changes to present ones
//!   Lead:
//!     - {name: Region__c, type: picklist, restricted: true, values: [EMEA, AMER]}
//!     - {name: LeadSource, addValues: [Webinar]}
//!     - {name: Phone, required: true}
//! record_types:
//!   Lead:
//!     - {name: Inbound, developerName: Inbound, picklists: {Status: [MQL - Pending Review]}}
//! duplicate_rules:
//!   - name: Leads_DR
//!     object: Lead
//!     action: block           # or `alert`
//!     matches: [{object: Contact, rule: Contact_MR, fields: [Email]}]
//! ```
//!
//! Under `/_sandbox` stand resources that the real API does not have: records edited as a person, the schema, the
//! clock, calls, faults, limits.

mod admin;
mod auth;
mod bulk;
mod clock;
mod collections;
mod composite;
mod config;
mod convert;
mod derived;
mod describe;
mod duplicates;
mod error;
mod faults;
mod http;
mod ids;
mod merge;
mod operations;
mod org;
mod query;
mod records;
mod route;
mod schema;
mod search;
mod server;
mod soap;
mod sobjects;
mod soql;
mod store;
mod tree;
mod ui_api;
mod validate;
mod xml;

#[cfg(test)]
mod tests;

pub use config::{ConnectedApp, SalesforceConfig, SandboxUser};
pub use convert::ConvertedLead;
pub use duplicates::{DuplicateAction, DuplicateMatch, DuplicateRule, MatchFields};
pub use server::{Call, SalesforceHandle, SalesforceServer, SandboxError};

pub use crate::sandbox::core::{Fault, FaultMoment, RecordFault};

/// The answers that a fault can name here, beside those of the line.
pub const ANSWERS: &[&str] = faults::ANSWERS;
/// The operations that faults are aimed at and calls are counted by, without `salesforce.`.
pub const OPERATIONS: &[&str] = operations::NAMES;

/// Whether Salesforce has all that a fault names; the key at fault, and what to write. `custom` are an organisation's
/// own objects.
pub(in crate::sandbox) fn check_fault(
    fault: &Fault,
    custom: &[String],
) -> Result<(), (&'static str, String)> {
    faults::check(fault, custom)
}
