//! Mapwright: a declarative mapping language between HubSpot and Salesforce, its checker and its rule engine.
//!
//! The folders are the pipeline:
//!
//! ```text
//!            .map files          schema/*.yaml
//!                |                     |
//!  author      syntax ---> check <--- schema           pure: no clock, no I/O
//!                            |
//!                          plan
//!                            |
//!                          eval  (plan, records) -> effects    <--- harness (mapping tests)
//!  --------------------------|------------------------------------------------
//!  run       ingress -> store -> runtime -> crm::{hubspot, salesforce}        async, durable
//!                            |
//!                       sandbox: both CRMs as local servers
//! ```
//!
//! Imports run downward only; `docs/architecture.md` has the table and `tests/tidy.rs` holds it.

pub mod alert;
pub mod check;
pub mod cli;
pub mod config;
pub mod crm;
pub mod diagnostic;
pub mod drift;
pub mod eval;
pub mod format;
pub mod functions;
pub mod harness;
pub mod ingress;
pub mod plan;
pub mod runtime;
pub mod sandbox;
pub mod schema;
pub mod source;
pub mod store;
pub mod syntax;
pub mod types;
mod yaml;
