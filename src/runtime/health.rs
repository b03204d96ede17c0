//! How the workers are, for `/healthz` and for whoever waits for them.

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
}

/// Why and until when a CRM is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// When it is tried again.
    pub until: DateTime<Utc>,
    /// Why: `limit`, `unauthorised` or `forbidden`.
    pub reason: &'static str,
    /// What to do about it.
    pub help: &'static str,
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
