//! `mapwright.yaml`: the language edition, the pairs of portal and org, the store and the listener.
//!
//! Any text of the file may hold `${NAME}`, which stands for an environment variable, and a secret must. Reading has
//! two steps, so that `check` and `eval` need no variable: [`parse`] proves the file's structure, and
//! [`Config::resolve`] reads it again with an environment that the caller hands in. Both are pure.

mod alerts;
mod auth;
mod expand;
mod load;
mod model;
mod pairs;
mod poll;
mod reading;
#[cfg(test)]
mod tests;

pub use load::{Config, parse};
pub use model::{
    AlertWebhook, Alerts, Hubspot, HubspotAuth, KeySource, Limits, Pair, Poll, PrivateKey, ResolvedConfig,
    Salesforce, SalesforceAuth, Serve, Store, Webhook,
};
pub use pairs::{PairFiles, SCHEMA, holds};
