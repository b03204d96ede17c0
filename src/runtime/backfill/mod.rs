//! Loads a whole object through a mapping or a sync: what `mapwright backfill` does.
//!
//! **Walk.** The records of the source are walked page by page in the order of their ids. Some pages at a time are one
//! *chunk*, whose records run side by side and share their calls as those of a burst do.
//!
//! **Exactly once.** The ids of a chunk, and where the next one begins, are in the store before anything is written. What
//! became of its records is settled some hundred at a time, in one transaction with the counts and the refused rows. A load
//! that is killed does the rest of its chunk first. A record whose write had taken place and was not settled runs again,
//! looks first, and finds it done; what it was about to write is in the store, so that it counts as written and `why` knows it.
//!
//! **Beside `serve`.** Each record's lane is leased as a worker leases it, so that no record is worked on twice at a time.
//! What somebody else has settled since the page was read is read again. Events that wait for a record are worked off with
//! it, by the mappings that they trigger.
//!
//! **Jobs.** Many rows of one kind for Salesforce go in a job of its own, whose id is in the store before it begins. A load
//! that is killed meanwhile waits for the job, and then runs its records, which find themselves written.
//!
//! **Stop.** A limit that is used up, a token that is refused, or a CRM that does not answer end the load; what is done is
//! settled, and the same load goes on later.

mod jobs;
mod lens;
mod progress;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::crm::{Position, Walk, WalkRequest};
use crate::eval::Finished;
use crate::plan::{Mapping, Plan, Trigger};
use crate::source::{ObjectName, Side};
use crate::store::{
    BackfillKey, Backfills, HoldRequest, LeasedLane, Next, Settled, Settlement, Step, StoreError,
};
use crate::types::{CrmError, CrmErrorKind, Filter, Record};

use super::driver::{self, End};
use super::engine::{Engine, PlanEngine, Task};
use super::policy::Policy;
use super::worker::{self, Decided};
use super::{Memory, Parts};

use jobs::Jobs;
pub use jobs::{BulkWrites, JobMark};
pub use lens::Calls;
use lens::{Imagined, Lens};
pub use progress::{Counts, Progress, RefusedRow};

/// Lanes that are leased or settled in one transaction: short enough that a server beside it hardly waits.
const SLICE: usize = 250;

/// Rounds in which every record of a chunk failed, after which the CRM is left alone.
const FRUITLESS: u32 = 3;

/// Records that are named of those that are held up.
const SHOWN: usize = 10;

/// How long to wait for lanes that somebody else holds before they are asked for again, and how often.
const BUSY_PAUSE: Duration = Duration::from_millis(500);
const BUSY_TRIES: u32 = 600;

/// Who leases lanes, with the pair's name behind it.
const WORKER: &str = "backfill";

/// What is loaded.
#[derive(Debug, Clone)]
pub struct Load {
    /// The mapping or sync.
    pub mapping: String,
    /// The records.
    pub object: ObjectName,
    /// Their fields in use.
    pub fields: Vec<String>,
    /// Whether a record goes on only if it holds the value that a `becomes` waits for.
    pub if_became: bool,
    /// What must hold of each record.
    pub filters: Vec<Filter>,
    /// At most so many records.
    pub limit: Option<u64>,
    /// What was asked for, as a person writes it; a load goes on only with the same.
    pub options: String,
    /// Records of one chunk.
    pub chunk: usize,
}

/// Why there is nothing to load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is no such mapping or sync.
    #[error("there is no mapping `{0}`")]
    NoSuchMapping(String),
    /// A sync is loaded from one of its sides.
    #[error("`{0}` is a sync: say whose records are loaded, `--from hubspot` or `--from salesforce`")]
    NoSide(String),
    /// A mapping has one source.
    #[error("`{mapping}` is a mapping from `{object}`, so its records are {}'s", object.side.label())]
    OtherSide {
        /// The mapping.
        mapping: String,
        /// Its source.
        object: ObjectName,
    },
}

impl Load {
    /// The whole object of a mapping, or of a side of a sync.
    pub fn of(plan: &Plan, mapping: &str, from: Option<Side>) -> Result<Self, LoadError> {
        let program = match (plan.sync(mapping), from) {
            (Some(sync), Some(from)) => &plan.mappings[sync.leg(from.other())],
            (Some(_), None) => return Err(LoadError::NoSide(mapping.to_owned())),
            (None, _) => plan.mapping(mapping).ok_or_else(|| LoadError::NoSuchMapping(mapping.to_owned()))?,
        };
        if from.is_some_and(|from| from != program.source.side) {
            let object = program.source.clone();
            return Err(LoadError::OtherSide { mapping: mapping.to_owned(), object });
        }
        Ok(Self {
            mapping: mapping.to_owned(),
            object: program.source.clone(),
            fields: program.reads.clone(),
            if_became: only_becomes(program),
            filters: Vec::new(),
            limit: None,
            options: String::new(),
            chunk: 1_000,
        })
    }

    fn task(&self) -> Task {
        Task { mapping: self.mapping.clone(), if_became: self.if_became, if_paired: false, cause: None }
    }
}

/// Whether every trigger waits for a value. Of another trigger (`created`, `changes`) no record can tell any more that it
/// did not fire, so it holds for all.
fn only_becomes(mapping: &Mapping) -> bool {
    let becomes = |trigger: &Trigger| matches!(trigger, Trigger::Becomes(..));
    !mapping.triggers.is_empty() && mapping.triggers.iter().all(becomes)
}

/// A load, and what it takes.
pub struct Backfill {
    /// The pair's plan, CRMs, store, clock and settings.
    pub parts: Parts,
    /// Where it keeps how far it is.
    pub loads: Arc<dyn Backfills>,
    /// Where its records come from.
    pub walk: Arc<dyn Walk>,
    /// What is loaded.
    pub load: Load,
    /// When writes to Salesforce go in jobs, if ever.
    pub bulk: Option<BulkWrites>,
}

impl std::fmt::Debug for Backfill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backfill").field("load", &self.load).finish_non_exhaustive()
    }
}

/// Why a load stopped before its end. What is done is settled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Stop {
    /// A CRM.
    #[error("{error}")]
    Crm {
        /// What it said.
        error: CrmError,
        /// When to go on, where that is known.
        again: Option<DateTime<Utc>>,
    },
    /// Records that a CRM keeps from being read or written, and no others.
    #[error("{} {named}: {error}", if *count == 1 { "this record is held up:" } else { "these records are held up:" })]
    HeldUp {
        /// How many.
        count: usize,
        /// The first of them, as a person reads it.
        named: String,
        /// What the CRM said of one.
        error: CrmError,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody holds records for too long.
    #[error("{0} records are being worked on by somebody else and do not become free")]
    Busy(usize),
    /// What the store holds was kept by another program.
    #[error("what the store holds of this load cannot be read: {0}")]
    Unreadable(String),
}

/// What a load would do.
#[derive(Debug, Clone, Default)]
pub struct DryRun {
    /// What became of the records.
    pub counts: Counts,
    /// The first records that a person would have to look at.
    pub refused: Vec<RefusedRow>,
    /// The calls that were made, and those that the writes would take.
    pub calls: Calls,
}

impl Backfill {
    /// How far an earlier load of this mapping is that has not come to its end.
    pub async fn unfinished(&self) -> Result<Option<Progress>, Stop> {
        let Some(kept) = self.loads.backfill(&self.key()).await? else { return Ok(None) };
        let progress: Progress =
            serde_json::from_str(&kept).map_err(|error| Stop::Unreadable(error.to_string()))?;
        Ok(Some(progress).filter(|progress| !progress.finished()))
    }

    /// Begins anew and forgets what was kept of an earlier load.
    pub async fn begin(&self) -> Result<Progress, Stop> {
        self.loads.forget_backfill(&self.key()).await?;
        Ok(Progress { options: self.load.options.clone(), ..Progress::default() })
    }

    /// The records so far that a person must look at.
    pub async fn refused(&self) -> Result<Vec<RefusedRow>, Stop> {
        let rows = self.loads.refused(&self.key()).await?;
        let read = |row: &String| serde_json::from_str(row);
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| Stop::Unreadable(error.to_string()))
    }

    /// Loads from where the progress says to the end; `watch` is told how far it is, each time that this is in the store.
    ///
    /// Cancellation: dropping the future loses no more than a kill does; the same load goes on later.
    pub async fn run(
        &self,
        progress: &mut Progress,
        watch: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<(), Stop> {
        // What a load that was killed has left leased is leased again at once.
        self.let_go().await?;
        let done = self.run_on(progress, watch).await;
        if done.is_err() {
            self.let_go().await?;
        }
        done
    }

    /// Frees the records that are not done, for `serve`: after a load was dropped.
    pub async fn let_go(&self) -> Result<(), Stop> {
        Ok(self.loads.let_go(&self.parts.pair, &self.worker()).await?)
    }

    async fn run_on(
        &self,
        progress: &mut Progress,
        watch: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<(), Stop> {
        let read_at = self.now();
        self.chunk(progress, Vec::new(), read_at, watch).await?;
        while !progress.walked {
            let read_at = self.now();
            let records = self.gather(progress).await?;
            self.keep(progress, Step::default()).await?;
            self.chunk(progress, records, read_at, watch).await?;
        }
        Ok(())
    }

    /// Runs all records and writes nothing, neither to a CRM nor to the store.
    pub async fn dry_run(
        &self,
        examples: usize,
        watch: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<DryRun, Stop> {
        let engine = PlanEngine(Arc::clone(&self.parts.plan));
        let (mut progress, mut found) = (Progress::default(), DryRun::default());
        let before = Calls::made(&self.parts.crms);
        let bulk_from = self.bulk.as_ref().map(|bulk| bulk.from_rows);
        let imagined = Arc::new(Imagined { bulk_from, calls: std::sync::Mutex::default() });
        while !progress.walked {
            let records = self.gather(&mut progress).await?;
            let crms = Lens::imagining(&self.parts.crms, &self.load, records, &imagined);
            let memory = Memory { store: self.parts.store.as_ref(), pair: &self.parts.pair };
            let ids = std::mem::take(&mut progress.pending);
            let task = self.load.task();
            let jobs = ids.iter().filter_map(|id| engine.start(&task, &self.load.object, id)).collect();
            let ends = driver::drive_by(jobs, &crms, memory, self.parts.settings.write_rows, None).await;
            for (id, end) in ids.iter().zip(ends) {
                let row = imagined_end(&mut progress.counts, id, end)?;
                found.refused.extend(row.filter(|_| found.refused.len() < examples));
            }
            watch(&progress);
        }
        found.counts = progress.counts;
        found.calls = Calls::made(&self.parts.crms).since(before).with_writes(&imagined);
        Ok(found)
    }

    /// Walks on until a chunk is full; its ids are pending then.
    async fn gather(&self, progress: &mut Progress) -> Result<Vec<Record>, Stop> {
        let mut records: Vec<Record> = Vec::new();
        while !progress.walked && records.len() < self.load.chunk {
            let left = self.load.limit.map_or(u64::MAX, |limit| limit.saturating_sub(progress.taken));
            let room = u64::try_from(self.load.chunk - records.len()).unwrap_or(u64::MAX).min(left);
            let Some(room) = u32::try_from(room).ok().filter(|room| *room > 0) else {
                progress.walked = true;
                break;
            };
            let request = WalkRequest {
                object: self.load.object.clone(),
                fields: self.load.fields.clone(),
                filters: self.load.filters.clone(),
                after: progress.place.clone().map(Position),
                limit: room,
            };
            let page = self.walk.walk(&request).await.map_err(|error| self.stopped(error))?;
            progress.walked = page.next.is_none();
            progress.place = page.next.map(|place| place.0).or(progress.place.take());
            let taken = page.records.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            progress.taken += u64::try_from(taken).unwrap_or(u64::MAX);
            records.extend(page.records.into_iter().take(taken));
        }
        if self.load.limit.is_some_and(|limit| progress.taken >= limit) {
            progress.walked = true;
        }
        progress.pending = records.iter().map(|record| record.id.clone()).collect();
        Ok(records)
    }

    /// Runs the pending records until none is left.
    async fn chunk(
        &self,
        progress: &mut Progress,
        records: Vec<Record>,
        read_at: DateTime<Utc>,
        watch: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<(), Stop> {
        let jobs = self.bulk.clone().map(|writes| {
            let (clock, loads) = (Arc::clone(&self.parts.clock), Arc::clone(&self.loads));
            Arc::new(Jobs::new(writes, clock, loads, self.key(), progress))
        });
        let lens = Lens::walked(&self.parts.crms, &self.load, records, jobs.as_ref());
        let parts = Parts { crms: lens.crms(), ..self.parts.clone() };
        let (mut busy, mut fruitless) = (0, 0);
        while !progress.pending.is_empty() {
            if let Some(jobs) = &jobs {
                jobs.at(progress);
                jobs.recover().await.map_err(|error| self.stopped(error))?;
            }
            let lanes = self.hold(&progress.pending, read_at, &lens).await?;
            if lanes.is_empty() {
                busy += 1;
                if busy > BUSY_TRIES {
                    return Err(Stop::Busy(progress.pending.len()));
                }
                self.parts.clock.sleep(BUSY_PAUSE).await;
                continue;
            }
            busy = 0;
            let decided = self.work(&parts, lanes).await;
            let ends = Ends::of(&decided);
            let before = progress.pending.len();
            if let Some(jobs) = &jobs {
                jobs.at(progress);
            }
            self.settle(progress, decided, watch).await?;
            fruitless = if progress.pending.len() < before { 0 } else { fruitless + 1 };
            self.go_on(ends, fruitless).await?;
        }
        Ok(())
    }

    /// Waits until records that failed are due again; or stops, where a CRM is to be left alone.
    async fn go_on(&self, ends: Ends, fruitless: u32) -> Result<(), Stop> {
        if let Some((error, policy)) = ends.pause {
            // A token does not become good by waiting.
            let time = match policy {
                Policy::Pause { time, .. } if error.kind == CrmErrorKind::Window => Some(time),
                _ => None,
            };
            return Err(Stop::Crm { error, again: time.map(|time| self.now() + time) });
        }
        if let Some(error) = ends.failed.filter(|_| fruitless >= FRUITLESS) {
            return Err(if error.code.is_some() {
                self.held_up(&ends.left, error)
            } else {
                // It does not answer, whichever record it is asked for.
                Stop::Crm { error, again: None }
            });
        }
        if let Some(wait) = ends.again.and_then(|again| (again - self.now()).to_std().ok()) {
            self.parts.clock.sleep(wait).await;
        }
        Ok(())
    }

    fn held_up(&self, records: &[String], error: CrmError) -> Stop {
        let mut records: Vec<&String> = records.iter().collect();
        // By length first, so that numbers stand in their order.
        records.sort_by_key(|id| (id.len(), *id));
        let object = &self.load.object;
        let shown: Vec<&str> = records.iter().take(SHOWN).map(|id| id.as_str()).collect();
        let more = records.len().saturating_sub(SHOWN);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        Stop::HeldUp { count: records.len(), named: format!("{object} {}{more}", shown.join(", ")), error }
    }

    /// Leases the lanes of records. What somebody has worked on since these were read is read again, and what has events or
    /// requests of its own: those are settled with the load's, and may tell of something newer.
    async fn hold(
        &self,
        records: &[String],
        read_at: DateTime<Utc>,
        lens: &Lens,
    ) -> Result<Vec<LeasedLane>, StoreError> {
        let mut lanes = Vec::with_capacity(records.len());
        for slice in records.chunks(SLICE) {
            let request = HoldRequest {
                pair: self.parts.pair.clone(),
                object: self.load.object.clone(),
                records: slice.to_vec(),
                worker: self.worker(),
                read_at,
                now: self.now(),
                ttl: self.parts.settings.lease,
                project: self.parts.settings.project,
            };
            let held = self.loads.hold(request).await?;
            lens.forget(&held.settled_since);
            let has_own = |lane: &&LeasedLane| {
                !(lane.events.is_empty() && lane.requested.is_empty() && lane.caused.is_empty())
            };
            let own: Vec<String> =
                held.lanes.iter().filter(has_own).map(|lane| lane.lane.key.record.clone()).collect();
            lens.forget(&own);
            lanes.extend(held.lanes);
        }
        Ok(lanes)
    }

    /// Runs lanes, and renews their leases meanwhile.
    async fn work(&self, parts: &Parts, lanes: Vec<LeasedLane>) -> Vec<Decided> {
        let held: Vec<_> = lanes.iter().map(|lane| lane.lane.clone()).collect();
        let engine = PlanEngine(Arc::clone(&self.parts.plan));
        let task = self.load.task();
        let running = worker::decided(parts, &engine, lanes, Some(&task));
        tokio::pin!(running);
        loop {
            tokio::select! {
                decided = &mut running => return decided,
                () = self.parts.clock.sleep(self.parts.settings.lease / 3) => {
                    let until = self.now() + self.parts.settings.lease;
                    if let Err(error) = self.parts.store.renew(&held, until).await {
                        tracing::error!(%error, "leases could not be renewed");
                    }
                }
            }
        }
    }

    /// Settles lanes some at a time, each time with how far the load is then. A lane whose lease was lost stays pending.
    async fn settle(
        &self,
        progress: &mut Progress,
        decided: Vec<Decided>,
        watch: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<(), Stop> {
        let mut left: Vec<Decided> = decided;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(SLICE));
            let (mut after, mut step) = (progress.clone(), Step::default());
            let done: HashSet<&str> = left.iter().filter(|one| is_done(one)).map(record_of).collect();
            after.pending.retain(|id| !done.contains(id.as_str()));
            if after.pending.is_empty() {
                after.jobs.clear();
            }
            for one in &left {
                if is_done(one) {
                    let row = after.counts.add(&self.load.mapping, one);
                    step.refused.extend(row.iter().map(RefusedRow::stored));
                }
                step.settlements.push((one.lane.lane.clone(), one.settlement.clone()));
            }
            let settled = self.keep(&after, step).await?;
            if settled.contains(&Settled::Stale) {
                let mut held = settled.iter().map(|settled| *settled == Settled::Accepted);
                left.retain(|_| held.next().unwrap_or(false));
                left.extend(rest);
                continue;
            }
            *progress = after;
            watch(progress);
            left = rest;
        }
        Ok(())
    }

    async fn keep(&self, progress: &Progress, step: Step) -> Result<Vec<Settled>, StoreError> {
        let step = Step { progress: serde_json::to_string(progress)?, ..step };
        self.loads.step(&self.key(), step, self.now()).await
    }

    fn stopped(&self, error: CrmError) -> Stop {
        let again = (error.kind == CrmErrorKind::Window)
            .then(|| self.now() + error.retry_after.unwrap_or(self.parts.settings.window));
        Stop::Crm { error, again }
    }

    fn key(&self) -> BackfillKey {
        BackfillKey {
            pair: self.parts.pair.clone(),
            mapping: self.load.mapping.clone(),
            side: self.load.object.side,
        }
    }

    fn worker(&self) -> String {
        format!("{WORKER}@{}", self.parts.pair)
    }

    fn now(&self) -> DateTime<Utc> {
        self.parts.clock.now()
    }
}

/// What the ends of a round mean for the load.
struct Ends {
    /// The failure that pauses a CRM.
    pause: Option<(CrmError, Policy)>,
    /// A failure of a record.
    failed: Option<CrmError>,
    /// The records of such failures.
    left: Vec<String>,
    /// When the first record is due again.
    again: Option<DateTime<Utc>>,
}

impl Ends {
    fn of(decided: &[Decided]) -> Self {
        Self {
            pause: decided.iter().find_map(|one| one.pause.clone()),
            failed: decided.iter().find_map(failure),
            left: decided
                .iter()
                .filter(|one| failure(one).is_some() && !is_done(one))
                .map(|one| record_of(one).to_owned())
                .collect(),
            again: decided.iter().filter_map(retry_at).min(),
        }
    }
}

fn is_done(decided: &Decided) -> bool {
    !matches!(decided.settlement.next, Next::RetryAt { .. })
}

fn record_of(decided: &Decided) -> &str {
    &decided.lane.lane.key.record
}

fn retry_at(decided: &Decided) -> Option<DateTime<Utc>> {
    match &decided.settlement {
        Settlement { next: Next::RetryAt { at, .. }, .. } => Some(*at),
        _ => None,
    }
}

fn failure(decided: &Decided) -> Option<CrmError> {
    match &decided.end {
        Some(End::Failed(error)) => Some(error.clone()),
        _ => None,
    }
}

/// Counts how a record's run would end; a failure that is not the record's ends the whole.
fn imagined_end(counts: &mut Counts, record: &str, end: End) -> Result<Option<RefusedRow>, Stop> {
    let finished: Finished = match end {
        End::Finished(finished) => finished,
        End::Failed(error) if error.kind == CrmErrorKind::Refused => {
            counts.records += 1;
            counts.parked += 1;
            let reason = format!("{} refused a call", error.side.label());
            return Ok(Some(RefusedRow {
                answer: Some(error.to_string()),
                code: error.code,
                ..RefusedRow::of(record, reason)
            }));
        }
        End::Failed(error) => return Err(Stop::Crm { error, again: None }),
        End::Unremembered(text) => return Err(StoreError::Database(text).into()),
        End::Broken(text) => {
            counts.records += 1;
            counts.parked += 1;
            return Ok(Some(RefusedRow::of(record, format!("the engine failed on this record: {text}"))));
        }
    };
    Ok(counts.end(record, &finished, None))
}
