//! Keeps the store small: what is older than its retention goes, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::{Store, StoreError};

use super::Clock;

/// Rows of each kind in one transaction, which the worker's own have to wait for.
const STEP: u32 = 500;

/// The pause between two of them.
const BREATH: Duration = Duration::from_millis(200);

/// How often it is looked whether something has become too old.
const EVERY: Duration = Duration::from_hours(1);

/// Prunes a store until it is dropped or shut down.
#[derive(Debug)]
pub struct Pruner {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Pruner {
    /// Starts to remove what is older than this.
    pub fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, keep: Duration) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(run(store, clock, keep, stopped)) }
    }

    /// Lets the step under way finish.
    ///
    /// Cancellation: dropping the future leaves the pruner stopping by itself.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>, keep: Duration, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let wait = match step(store.as_ref(), clock.now(), keep).await {
            Ok(0) => EVERY,
            Ok(_) => BREATH,
            Err(error) => {
                tracing::error!(%error, "what is old could not be removed from the store");
                EVERY
            }
        };
        tokio::select! {
            () = clock.sleep(wait) => {}
            // An error means that the handle is gone: nobody waits, and it works on.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// One small step; answers how many rows it removed.
async fn step(store: &dyn Store, now: DateTime<Utc>, keep: Duration) -> Result<u64, StoreError> {
    let Some(before) = TimeDelta::from_std(keep).ok().and_then(|keep| now.checked_sub_signed(keep)) else {
        // Longer than there is a calendar.
        return Ok(0);
    };
    let removed = store.prune(before, STEP).await?;
    if removed > 0 {
        tracing::debug!(removed, %before, "what is old was removed from the store");
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use crate::runtime::ManualClock;
    use crate::store::{Incoming, NewEvent, SqliteStore};

    use super::*;

    #[tokio::test]
    async fn in_steps_until_nothing_is_left() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let event = |n: u32| NewEvent {
            pair: "main".to_owned(),
            dedupe: n.to_string(),
            raw: "{}".to_owned(),
            received_at: now - TimeDelta::days(if n < 1_200 { 91 } else { 89 }),
            incoming: Incoming::Ignored { reason: "a test".to_owned(), change: None },
        };
        store.append((0..1_300).map(event).collect()).await.expect("append");
        let keep = Duration::from_hours(90 * 24);
        let mut steps = Vec::new();
        while steps.last() != Some(&0) {
            steps.push(step(store.as_ref(), now, keep).await.expect("a step"));
        }
        assert_eq!(steps, [500, 500, 200, 0]);
        assert_eq!(step(store.as_ref(), now, Duration::MAX).await.expect("a step"), 0);
        let clock = Arc::new(ManualClock::at(now));
        let pruner = Pruner::start(store.clone(), clock, Duration::from_hours(24));
        while store.prune(now, 1).await.expect("a look") > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        pruner.shutdown().await;
    }
}
