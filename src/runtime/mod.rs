//! The asynchronous half of the engine: workers that lease lanes, advance runs and perform their effects.
//!
//! **Lease.** A worker serves one pair. It leases up to [`Settings::lanes`] lanes, renews the leases while it works and
//! settles each lane once all mappings that its events trigger have ended. Mappings of one lane run one after another,
//! in source order; lanes run side by side, and what they ask for at the same time is asked of the CRM in one call.
//!
//! **Delivery.** At least once, with effects that are idempotent: a run that is dropped anywhere is started again from
//! the beginning, where it looks up what is there before it writes. A write whose answer was lost
//! ([`crate::types::CrmError::maybe_applied`]) is therefore never simply sent again.
//!
//! **Failure.** A call that failed has a policy (`policy.rs`): back off and retry the record; pause the CRM until its
//! window opens or its credentials work again, which costs no record an attempt; or park the record with the CRM's
//! words. A record is never given up silently, and one record's failure touches no other's.
//!
//! **Crash.** A worker that dies leaves leases, which run out or are released when a worker of that name starts. A run
//! that panics costs its own lane an attempt. A batch that panics costs its lanes an attempt, and the worker lives on.
//!
//! **Shutdown.** [`Handle::shutdown`] stops leasing, lets the batch under way finish within a bounded time, and then
//! drops it: nothing is lost, since unsettled lanes are still pending.

mod alone;
#[cfg(test)]
mod associations;
mod backfill;
mod clock;
mod driver;
mod echo;
mod engine;
mod feed;
mod gather;
mod health;
mod intents;
mod memory;
mod metrics;
mod once;
mod pauses;
mod policy;
mod prune;
mod settle;
mod signal;
#[cfg(test)]
mod syncs;
mod traced;
mod worker;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::alert::Alerts;
use crate::crm::Crm;
use crate::plan::Plan;
use crate::source::Side;
use crate::store::{ProjectId, Store, StoreError};

pub use alone::alone;
pub use backfill::{
    Backfill, BulkWrites, Calls, Counts, DryRun, JobMark, Load, LoadError, Progress, RefusedRow, Stop,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use feed::{Feed, FeedParts, PollSettings};
pub use health::{FeedHealth, Health, Pause, WorkerHealth};
pub use memory::Memory;
pub use metrics::Metrics;
pub use once::{OnceError, Preview, object, preview, record_once, run_by_hand, run_once};
pub use prune::Pruner;
pub use signal::shutdown_signal;

use engine::{Engine, PlanEngine};

/// Both CRMs of one pair.
#[derive(Clone)]
pub struct Crms {
    /// The portal.
    pub hubspot: Arc<dyn Crm>,
    /// The org.
    pub salesforce: Arc<dyn Crm>,
}

impl Crms {
    /// The one of a side.
    pub fn get(&self, side: Side) -> &dyn Crm {
        match side {
            Side::Hubspot => self.hubspot.as_ref(),
            Side::Salesforce => self.salesforce.as_ref(),
        }
    }
}

impl std::fmt::Debug for Crms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crms").finish_non_exhaustive()
    }
}

/// What a worker is made of.
#[derive(Clone)]
pub struct Parts {
    /// The pair that it serves.
    pub pair: String,
    /// What to do with its records.
    pub plan: Arc<Plan>,
    /// Its CRMs.
    pub crms: Crms,
    /// Where its work comes from.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
    /// Where it reports how it is.
    pub health: Arc<Health>,
    /// How it works.
    pub settings: Settings,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("pair", &self.pair)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How a worker works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name: leases of this name are given back when it starts.
    pub worker: String,
    /// Lanes in one batch; what they ask for at the same time is asked for in as few calls as the vendors permit.
    pub lanes: u32,
    /// How long a batch may wait for more records while more keep coming; zero never waits.
    pub gather: Duration,
    /// Rows of one write that is handed to a client, which splits it into its vendor's batches.
    pub write_rows: usize,
    /// For how long lanes are leased; renewed at a third of it.
    pub lease: Duration,
    /// How often it looks for work that nothing woke it for.
    pub poll: Duration,
    /// Failed attempts after which a record is parked.
    pub max_attempts: u32,
    /// The first pause before a retry; it doubles with every attempt.
    pub first_backoff: Duration,
    /// The longest pause before a retry.
    pub max_backoff: Duration,
    /// How long to leave a CRM alone whose limit is used up, where it does not say.
    pub window: Duration,
    /// How long to leave a CRM alone that refuses our credentials.
    pub credentials: Duration,
    /// How long a shutdown waits for the batch under way.
    pub drain: Duration,
    /// The version of the project that it works with, for the question where values come from.
    pub project: Option<ProjectId>,
    /// Who is told of pauses and parked records.
    pub alerts: Alerts,
}

impl Default for Settings {
    /// Twelve attempts from one second up to ten minutes: about 40 minutes of trouble before a person is asked.
    fn default() -> Self {
        Self {
            worker: "worker".to_owned(),
            lanes: 1_000,
            gather: Duration::ZERO,
            write_rows: driver::WRITE_ROWS,
            lease: Duration::from_mins(1),
            poll: Duration::from_secs(1),
            max_attempts: 12,
            first_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_mins(10),
            window: Duration::from_mins(15),
            credentials: Duration::from_mins(1),
            drain: Duration::from_secs(20),
            project: None,
            alerts: Alerts::default(),
        }
    }
}

/// Starts workers.
#[derive(Debug)]
pub struct Runtime;

impl Runtime {
    /// Gives back the leases of an earlier worker of this name and starts working.
    pub async fn start(parts: Parts) -> Result<Handle, StoreError> {
        let engine = Arc::new(PlanEngine(Arc::clone(&parts.plan)));
        start_with(parts, engine).await
    }
}

async fn start_with(mut parts: Parts, engine: Arc<dyn Engine>) -> Result<Handle, StoreError> {
    // Workers of several pairs may share a name and a store; each gives back its own leases alone.
    parts.settings.worker = format!("{}@{}", parts.settings.worker, parts.pair);
    let released = parts.store.release(&parts.settings.worker, parts.clock.now()).await?;
    if released > 0 {
        tracing::warn!(lanes = released, "an earlier worker left work unfinished; it is taken up again");
    }
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(worker::work(parts.clone(), engine, stopped));
    Ok(Handle { stop, task, parts })
}

/// A running worker.
#[derive(Debug)]
pub struct Handle {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    parts: Parts,
}

impl Handle {
    /// Waits until no lane of its pair has work, also none that waits for a retry; `false` when the time is up first.
    pub async fn idle(&self, at_most: Duration) -> Result<bool, StoreError> {
        let mut settled = self.parts.health.watch();
        let wait = async {
            loop {
                settled.mark_unchanged();
                if self.parts.store.pending_of(&self.parts.pair).await?.lanes == 0 {
                    return Ok(());
                }
                // The worker reports after each batch; the sender lives as long as `parts`.
                let _ = settled.changed().await;
            }
        };
        match tokio::time::timeout(at_most, wait).await {
            Ok(result) => result.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Stops leasing and lets the batch under way finish; answers whether it did in time.
    ///
    /// Cancellation: dropping the future leaves the worker stopping by itself.
    pub async fn shutdown(mut self) -> bool {
        let _ = self.stop.send(true);
        let drained = tokio::time::timeout(self.parts.settings.drain, &mut self.task).await.is_ok();
        if !drained {
            tracing::warn!("work under way did not finish in time and is dropped; its records stay pending");
            self.task.abort();
        }
        drained
    }
}
