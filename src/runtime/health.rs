//! How the workers are, for `/healthz` and for whoever waits for them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;

use crate::source::Side;

/// A board on which workers report.
#[derive(Debug, Default)]
pub struct Health {
    workers: Mutex<BTreeMap<String, WorkerHealth>>,
    reports: watch::Sender<u64>,
}

/// How one worker is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WorkerHealth {
    /// Whether it runs.
    pub alive: bool,
    /// When it last looked for work.
    pub last_poll: Option<DateTime<Utc>>,
    /// The CRMs that it leaves alone.
    pub paused: BTreeMap<Side, Pause>,
    /// How the objects are whose changes are asked for.
    pub feeds: BTreeMap<String, FeedHealth>,
    /// Whether whoever asks for them has ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub feed_stopped: bool,
}

/// How one object is whose changes are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FeedHealth {
    /// When a page of its changes was last read.
    pub last_poll: Option<DateTime<Utc>>,
    /// Everything up to here was read, by the CRM's clock.
    pub read_to: Option<DateTime<Utc>>,
    /// Why none could be read the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Why and until when a CRM is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// When it is tried again.
    pub until: DateTime<Utc>,
    /// Why: `limit`, `unauthorised`, `forbidden` or `version`.
    pub reason: &'static str,
    /// What to do about it.
    pub help: Cow<'static, str>,
}

impl Health {
    /// All workers by pair.
    pub fn workers(&self) -> BTreeMap<String, WorkerHealth> {
        self.lock().clone()
    }

    /// Changes with every report.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.reports.subscribe()
    }

    pub(super) fn report(&self, pair: &str, change: impl FnOnce(&mut WorkerHealth)) {
        change(self.lock().entry(pair.to_owned()).or_default());
        self.reports.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, WorkerHealth>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
