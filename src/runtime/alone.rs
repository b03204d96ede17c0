//! A record that is run by hand is leased meanwhile, as a worker leases it: two runs side by side would each look for a
//! counterpart, find none, and make one.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::{Backfills, HoldRequest, Lane, Origin, ProjectId, RecordKey, Store};

use super::{Clock, OnceError, Settings};

/// How often is looked whether the record is free.
const AGAIN: Duration = Duration::from_millis(250);

/// Does some work while nobody else works on a record. Whoever does is waited for, no longer than a lease that nobody
/// renews would last; `waits` is called when that begins.
pub async fn alone<T>(
    store: &(impl Store + Backfills),
    key: &RecordKey,
    origin: Origin,
    clock: &dyn Clock,
    waits: impl Fn() + Send,
    work: impl Future<Output = Result<T, OnceError>> + Send,
) -> Result<T, OnceError> {
    let ttl = Settings::default().lease;
    let worker = format!("by hand {}", origin.correlation);
    let until = clock.now() + ttl + AGAIN;
    let mut told = false;
    let lanes = loop {
        let lanes = take(store, key, (&worker, origin.project), clock.now(), ttl).await?;
        if !lanes.is_empty() {
            break lanes;
        }
        if clock.now() >= until {
            return Err(OnceError::Busy(format!("{} {}", key.object, key.record)));
        }
        if !std::mem::replace(&mut told, true) {
            waits();
        }
        clock.sleep(AGAIN).await;
    };
    let mut work = std::pin::pin!(work);
    let end = loop {
        tokio::select! {
            end = &mut work => break end,
            () = clock.sleep(ttl / 3) => {
                if let Err(error) = store.renew(&lanes, clock.now() + ttl).await {
                    tracing::error!(%error, "a lease could not be renewed");
                }
            }
        }
    };
    if let Err(error) = store.let_go(&key.pair, &worker).await {
        tracing::error!(%error, "the record's lease is left to run out");
    }
    end
}

/// The record's lease, where nobody has it.
async fn take(
    store: &impl Backfills,
    key: &RecordKey,
    (worker, project): (&str, Option<ProjectId>),
    now: DateTime<Utc>,
    ttl: Duration,
) -> Result<Vec<Lane>, OnceError> {
    let request = HoldRequest {
        pair: key.pair.clone(),
        object: key.object.clone(),
        records: vec![key.record.clone()],
        worker: worker.to_owned(),
        read_at: now,
        now,
        ttl,
        project,
    };
    let held = store.hold(request).await.map_err(|error| OnceError::Store(error.to_string()))?;
    Ok(held.lanes.into_iter().map(|leased| leased.lane).collect())
}
