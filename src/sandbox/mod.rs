//! HubSpot and Salesforce as local servers: for the demo, for tests, and for trying a mapping without an account.
//!
//! The sandbox knows no mapping and is reached over HTTP alone, like the real thing. It judges what it is sent by its
//! own validation and shares no code with the checker or the clients, so that a mistake in either shows. Servers
//! listen on 127.0.0.1 only.
//!
//! - [`core`]: what both servers share: the clock, the log of calls, injected faults, listening and stopping.
//! - [`hubspot`]: the HubSpot server.
//! - [`salesforce`]: the Salesforce server.
//! - [`faults`]: the file of faults for both.
//! - [`seed`]: the YAML file that fills both.

pub mod core;
pub mod faults;
pub mod hubspot;
pub mod salesforce;
pub mod seed;
