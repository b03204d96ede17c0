//! The log of calls that a server answered, so that tests and the demo can count them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The log keeps this many calls; the count goes on.
const KEPT: usize = 10_000;

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
    /// The status of the answer.
    pub status: u16,
    /// How long the request's body was, in bytes.
    pub body_bytes: usize,
}

/// Counts calls and keeps the latest.
#[derive(Debug, Default)]
pub struct CallLog(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: u64,
    latest: VecDeque<CallRecord>,
}

impl CallLog {
    /// Adds a call.
    pub fn record(&self, call: CallRecord) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.count += 1;
        if inner.latest.len() == KEPT {
            inner.latest.pop_front();
        }
        inner.latest.push_back(call);
    }

    /// How many calls were answered.
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// The latest calls, oldest first.
    pub fn latest(&self) -> Vec<CallRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).latest.iter().cloned().collect()
    }

    /// Forgets all calls and starts to count again.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Inner::default();
    }
}
