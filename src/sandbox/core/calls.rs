//! The log of calls that a server answered, so that tests and the demo can count them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The log keeps this many calls; the counts go on.
const KEPT: usize = 100_000;

/// One answered call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// `GET`, `POST` …
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query as sent; empty where there is none.
    pub query: String,
    /// What it asked for, with the server's name (`hubspot.batch_read`).
    pub operation: String,
    /// The type of object that it was about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The status of the answer; 0 where the line was cut before it.
    pub status: u16,
    /// How long the request's body was, in bytes.
    pub body_bytes: usize,
    /// The fault that struck it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// `client` of Salesforce's `Sforce-Call-Options`, which shows up as the origin of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// Counts calls and keeps the latest.
#[derive(Debug, Default)]
pub struct CallLog(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: u64,
    by_operation: BTreeMap<String, u64>,
    latest: VecDeque<CallRecord>,
}

impl CallLog {
    /// Adds a call.
    pub fn record(&self, call: CallRecord) {
        let mut inner = self.lock();
        inner.count += 1;
        *inner.by_operation.entry(call.operation.clone()).or_default() += 1;
        if inner.latest.len() == KEPT {
            inner.latest.pop_front();
        }
        inner.latest.push_back(call);
    }

    /// How many calls were answered.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// How many calls of each operation were answered.
    pub fn by_operation(&self) -> BTreeMap<String, u64> {
        self.lock().by_operation.clone()
    }

    /// The latest calls, oldest first.
    pub fn latest(&self) -> Vec<CallRecord> {
        self.lock().latest.iter().cloned().collect()
    }

    /// Forgets all calls and starts to count again.
    pub fn clear(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
