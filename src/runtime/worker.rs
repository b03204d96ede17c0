//! The loop of one worker: lease, drive, settle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::alert::{Notice, redacted};
use crate::eval::Dropped;
use crate::source::Side;
use crate::store::{
    Lane, LeaseRequest, LeasedLane, MappingResult, Next, Notes, Outcome, Settled, Settlement, StoreError,
};
use crate::types::{Cause, ChangeEvent, ChangeKind, CrmError, CrmErrorKind, LinkRequest};

use super::driver::{self, End};
use super::echo;
use super::engine::{Engine, Task};
use super::gather::gather;
use super::intents::{Announcer, Why};
use super::policy::{self, Policy};
use super::settle::{self, Decision, Ran};
use super::traced::{Answered, Traced};
use super::{Memory, Parts, Pause, pauses};

/// How long to leave the store alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How often a settlement is tried before the lease is left to run out.
const SETTLE_TRIES: u32 = 3;

/// Works until told to stop; a batch under way is finished first.
pub(super) async fn work(parts: Parts, engine: Arc<dyn Engine>, mut stop: watch::Receiver<bool>) {
    let _alive = Alive::report(&parts);
    let mut wakes = parts.store.wakes(&parts.pair);
    let put_off = PutOff::default();
    // Lanes that are tried after a pause, for as long as nobody knows whether it is over.
    let mut probes = 1;
    while !*stop.borrow() {
        wakes.mark_unchanged();
        let now = parts.clock.now();
        parts.health.report(&parts.pair, |health| health.last_poll = Some(now));
        let allowance = allowance(&parts, now, probes);
        if let Some(limit) = allowance {
            gather(&parts, limit, &mut wakes, &mut stop).await;
        }
        match lease(&parts, allowance, parts.clock.now()).await {
            Ok(lanes) if lanes.is_empty() && allowance.is_none() => {
                rest(&parts, &mut stop).await;
                try_logins(&parts, &put_off).await;
            }
            Ok(lanes) if lanes.is_empty() => {
                tokio::select! {
                    _ = wakes.changed() => {}
                    () = rest(&parts, &mut stop) => {}
                }
            }
            Ok(lanes) => {
                batch(&parts, &engine, lanes, &put_off).await;
                let works = paused(&parts).values().all(|pause| pause.until <= now);
                probes = if works { probes.saturating_mul(2) } else { 1 };
            }
            Err(error) => {
                tracing::error!(%error, "no work can be taken from the store");
                parts.settings.alerts.raise(Notice::StoreFailed { error: error.to_string() });
                parts.clock.sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// Says on the health board that the worker runs, for as long as it does.
struct Alive<'a>(&'a Parts);

impl<'a> Alive<'a> {
    fn report(parts: &'a Parts) -> Self {
        parts.health.report(&parts.pair, |health| health.alive = true);
        Self(parts)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.health.report(&self.0.pair, |health| health.alive = false);
    }
}

async fn rest(parts: &Parts, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = parts.clock.sleep(parts.settings.poll) => {}
        // An error means that the handle is gone; the loop ends by its own condition or works on without it.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// How many lanes may be taken: none while a CRM is left alone; then one to see whether it works again, and more with each
/// time that it was not asked.
fn allowance(parts: &Parts, now: DateTime<Utc>, probes: u32) -> Option<u32> {
    let paused = paused(parts);
    if paused.values().any(|pause| pause.until > now) {
        None
    } else if paused.is_empty() {
        Some(parts.settings.lanes)
    } else {
        Some(probes.min(parts.settings.lanes))
    }
}

fn paused(parts: &Parts) -> BTreeMap<Side, Pause> {
    parts.health.workers().get(&parts.pair).map(|worker| worker.paused.clone()).unwrap_or_default()
}

/// The lanes that wait because a CRM refused a login, by that CRM.
type PutOff = Arc<Mutex<BTreeMap<Side, Vec<Lane>>>>;

fn put_off_by(put_off: &PutOff) -> MutexGuard<'_, BTreeMap<Side, Vec<Lane>>> {
    put_off.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where somebody has logged in anew, the pause of that CRM is over, and what it has put off is due.
async fn try_logins(parts: &Parts, put_off: &PutOff) {
    for side in Side::ALL {
        if !pauses::by_login(parts, side) || !parts.crms.get(side).logged_in_anew().await {
            continue;
        }
        tracing::info!(pair = parts.pair, crm = %side, "somebody has logged in anew; it is tried at once");
        let lanes = put_off_by(put_off).remove(&side).unwrap_or_default();
        if let Err(error) = parts.store.hasten(&lanes, parts.clock.now()).await {
            tracing::warn!(%error, "records wait until the end of the pause, since the store failed");
        }
        pauses::cut_short(parts, side);
    }
}

/// Takes lanes, as many as are allowed. While a CRM is left alone these are the ones that need none.
async fn lease(
    parts: &Parts,
    allowance: Option<u32>,
    now: DateTime<Utc>,
) -> Result<Vec<LeasedLane>, StoreError> {
    let request = LeaseRequest {
        pair: parts.pair.clone(),
        worker: parts.settings.worker.clone(),
        limit: allowance.unwrap_or(parts.settings.lanes),
        now,
        ttl: parts.settings.lease,
        project: parts.settings.project,
        erasures: allowance.is_none(),
    };
    parts.store.lease(request).await
}

/// Works a batch of lanes off. It runs as a task of its own, so that a panic in it costs the lanes an attempt and not
/// the worker its life.
async fn batch(parts: &Parts, engine: &Arc<dyn Engine>, lanes: Vec<LeasedLane>, put_off: &PutOff) {
    let held: Vec<_> = lanes.iter().map(|lane| lane.lane.clone()).collect();
    let attempts: Vec<_> = lanes.iter().map(|lane| lane.attempts).collect();
    let task = {
        let (parts, engine, put_off) = (parts.clone(), Arc::clone(engine), Arc::clone(put_off));
        tokio::spawn(async move { work_off(&parts, engine.as_ref(), lanes, &put_off).await })
    };
    // Dropping this future (the drain's time is up) ends the task too.
    let mut task = AbortOnDrop(task);
    loop {
        tokio::select! {
            ended = &mut task.0 => {
                if let Err(error) = ended {
                    tracing::error!(%error, lanes = held.len(), "a batch failed; its records are tried again");
                    for (lane, attempts) in held.iter().zip(attempts) {
                        let after = policy::backoff(attempts, parts.clock.jitter(), &parts.settings);
                        let next = Next::RetryAt {
                            at: parts.clock.now() + after,
                            error: "an internal error".to_owned(),
                            counted: true,
                        };
                        let settlement = Settlement { next, results: Vec::new() };
                        // What was settled before the panic is stale by now and stays as it is.
                        if let Err(error) = parts.store.settle(lane, settlement, parts.clock.now()).await {
                            tracing::error!(%error, lane = %lane.id, "a record's lease is left to run out");
                        }
                    }
                }
                break;
            }
            () = parts.clock.sleep(parts.settings.lease / 3) => {
                let until = parts.clock.now() + parts.settings.lease;
                if let Err(error) = parts.store.renew(&held, until).await {
                    tracing::error!(%error, "leases could not be renewed");
                }
            }
        }
    }
    for side in Side::ALL {
        parts.metrics.crm_calls(&parts.pair, side, parts.crms.get(side).calls());
    }
    parts.health.report(&parts.pair, |_| {});
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A lane, the mappings still to run, and how the others ended.
struct LaneWork {
    lane: LeasedLane,
    todo: VecDeque<Task>,
    ends: Vec<Ran>,
    /// What records paired with this one must hear about.
    relays: Vec<(String, Cause)>,
    /// How many syncs the events would have started, were they not the echoes of what these wrote.
    echoes: usize,
    /// The CRMs that answered its runs.
    answered: Answered,
}

async fn work_off(parts: &Parts, engine: &dyn Engine, lanes: Vec<LeasedLane>, put_off: &PutOff) {
    let (mut failures, mut refused) = (Vec::new(), BTreeMap::<Side, Vec<Lane>>::new());
    let mut answered = BTreeSet::new();
    let settlements = decided(parts, engine, lanes, None).await.into_iter().map(|decided| {
        answered.extend(decided.answered);
        if let Some((error, _)) = &decided.pause
            && error.kind == CrmErrorKind::Unauthorised
        {
            refused.entry(error.side).or_default().push(decided.lane.lane.clone());
        }
        failures.extend(decided.pause);
        let (lane, settlement, verdicts) = (decided.lane, decided.settlement, decided.verdicts);
        async move { settle(parts, &lane, settlement, &verdicts).await }
    });
    join_all(settlements.collect::<Vec<_>>()).await;
    if failures.is_empty() {
        // They are due by now, or done.
        put_off_by(put_off).clear();
    }
    for (side, lanes) in refused {
        put_off_by(put_off).entry(side).or_default().extend(lanes);
    }
    note_pauses(parts, failures, &answered);
}

/// What a lane's runs came to, before it is settled.
pub(super) struct Decided {
    /// The lane.
    pub(super) lane: LeasedLane,
    /// For the store.
    pub(super) settlement: Settlement,
    /// The failure that pauses a CRM, if one does.
    pub(super) pause: Option<(CrmError, Policy)>,
    /// The CRMs that answered its runs.
    pub(super) answered: BTreeSet<Side>,
    /// For the counters.
    pub(super) verdicts: Vec<&'static str>,
    /// How the run ended that was asked for with the lanes.
    pub(super) end: Option<End>,
}

impl Decided {
    fn at_once(lane: LeasedLane, settlement: Settlement, verdict: &'static str) -> Self {
        let answered = BTreeSet::new();
        Self { lane, settlement, pause: None, answered, verdicts: vec![verdict], end: None }
    }
}

/// Runs what the lanes ask for, and for each record of them `also`; in order of the lanes, but that lanes which need no
/// run come first.
pub(super) async fn decided(
    parts: &Parts,
    engine: &dyn Engine,
    lanes: Vec<LeasedLane>,
    also: Option<&Task>,
) -> Vec<Decided> {
    let (mut works, mut all) = (Vec::with_capacity(lanes.len()), Vec::new());
    for lane in lanes {
        let (tasks, echoes) = tasks(engine, &lane);
        let tasks = with(for_pairs(parts, engine, &lane, tasks).await, also);
        if forgotten(&lane) {
            let settlement = Settlement { next: Next::Erase, results: Vec::new() };
            all.push(Decided::at_once(lane, settlement, "erased"));
        } else if lane.attempts >= parts.settings.max_attempts {
            let settlement = settle::give_up(&lane, tasks.into_iter().map(|task| task.mapping));
            all.push(Decided::at_once(lane, settlement, "parked"));
        } else {
            let relays = engine.relays(&changes(&lane));
            works.push(LaneWork {
                lane,
                todo: tasks.into(),
                ends: Vec::new(),
                relays,
                echoes,
                answered: Answered::default(),
            });
        }
    }
    // One mapping of each lane at a time: two mappings may write the same record.
    while works.iter().any(|work| !work.todo.is_empty()) {
        advance(parts, engine, &mut works).await;
    }
    all.extend(works.into_iter().map(|work| {
        let own = |ran: &&Ran| also.is_some_and(|also| also.mapping == ran.task.mapping);
        let end = work.ends.iter().find(own).map(|ran| ran.end.clone());
        let decision = settle::decide(&work.lane, work.ends, parts.clock.as_ref(), &parts.settings);
        let Decision { mut settlement, pause, mut verdicts, dropped } = decision;
        report_dropped(parts, &work.lane, &dropped);
        // Only once: a lane that is tried again tells them when it is done.
        if settlement.next == Next::Done {
            verdicts.extend(work.relays.iter().map(|_| "relayed"));
            verdicts.extend(std::iter::repeat_n("echo", work.echoes));
            settlement.results.extend(work.relays.into_iter().map(relay));
        }
        Decided { lane: work.lane, settlement, pause, answered: work.answered.sides(), verdicts, end }
    }));
    all
}

/// What a lane asks for, and one task more where it does not ask for that mapping already.
fn with(mut tasks: Vec<Task>, also: Option<&Task>) -> Vec<Task> {
    let Some(also) = also else { return tasks };
    match tasks.iter_mut().find(|task| task.mapping == also.mapping) {
        Some(task) => task.if_became &= also.if_became,
        None => tasks.push(also.clone()),
    }
    tasks
}

/// Runs the next mapping of every lane that has one.
async fn advance(parts: &Parts, engine: &dyn Engine, works: &mut [LaneWork]) {
    let (mut jobs, mut places) = (Vec::new(), Vec::new());
    for (place, work) in works.iter_mut().enumerate() {
        while let Some(task) = work.todo.pop_front() {
            let key = &work.lane.lane.key;
            if let Some(job) = engine.start(&task, &key.object, &key.record) {
                jobs.push(Traced::around(job, &work.lane, &task.mapping, &work.answered));
                places.push((place, task));
                break;
            }
            tracing::warn!(
                correlation_id = %work.lane.correlation, record = %key, mapping = task.mapping,
                "this mapping is asked for and does not exist any more"
            );
        }
    }
    let memory = Memory { store: parts.store.as_ref(), pair: &parts.pair };
    let why = |(place, task): &(usize, Task)| Why::of_lane(&works[*place].lane, &task.mapping, parts);
    let runs = places.iter().map(why).collect();
    let announcer = Announcer::new(parts.store.as_ref(), parts.clock.as_ref(), runs);
    let rows = parts.settings.write_rows;
    let ends = driver::drive_by(jobs, &parts.crms, memory, rows, Some(&announcer)).await;
    for (((place, task), end), own) in places.into_iter().zip(ends).zip(announcer.kept()) {
        works[place].ends.push(Ran { task, end, own });
    }
}

/// What a lane's events say, in order.
fn changes(lane: &LeasedLane) -> Vec<ChangeEvent> {
    lane.events.iter().map(|event| event.change.clone()).collect()
}

/// What tells a mapping's linked records of the end of this one.
fn relay((mapping, cause): (String, Cause)) -> MappingResult {
    let notes = Notes::default();
    MappingResult { ended_by: mapping.clone(), mapping, outcome: Outcome::Relay(cause), notes }
}

/// The mappings to run: those that the end of a paired record asks for; then those asked for by name, those that waited
/// for a field which changed, and those that the events trigger, each of these once, and unconditionally if one of these
/// reasons is. Where the events end the record's life, a mapping that says what follows runs for that alone. A sync that
/// only the echoes of its own writes start does not run; the second answer is how many there are.
fn tasks(engine: &dyn Engine, lane: &LeasedLane) -> (Vec<Task>, usize) {
    let changes = changes(lane);
    let waited = lane.waiting.iter().filter(|waiting| {
        changes.iter().any(|change| match &change.kind {
            ChangeKind::FieldChanged { field, .. } => waiting.fields.contains(field),
            _ => false,
        })
    });
    let named = lane.requested.iter().chain(waited.map(|waiting| &waiting.mapping));
    let named = named.map(|mapping| Task {
        mapping: mapping.clone(),
        if_became: false,
        if_paired: false,
        cause: engine.cause(mapping, &changes),
    });
    let triggered = engine.triggered(&changes);
    let started = triggered.len();
    let triggered = past_echoes(engine, lane, triggered);
    let echoes = started - triggered.len();
    let mut tasks: Vec<Task> = Vec::new();
    for task in named.chain(triggered) {
        if !tasks.iter().any(|other| other.mapping == task.mapping) {
            tasks.push(task);
        }
    }
    let caused = lane.caused.iter().map(|(mapping, cause)| Task {
        mapping: mapping.clone(),
        if_became: false,
        if_paired: false,
        cause: Some(cause.clone()),
    });
    (caused.chain(tasks).collect(), echoes)
}

/// Leaves out what only a record that is paired would start. Where the store does not say, the run looks.
async fn for_pairs(parts: &Parts, engine: &dyn Engine, lane: &LeasedLane, tasks: Vec<Task>) -> Vec<Task> {
    let mut started = Vec::with_capacity(tasks.len());
    for task in tasks {
        let key = &lane.lane.key;
        let to = if task.if_paired { engine.paired_with(&task.mapping, &key.object) } else { None };
        let Some(to) = to else {
            started.push(task);
            continue;
        };
        let request = LinkRequest { by: None, of: key.object.clone(), ids: vec![key.record.clone()], to };
        let paired = match parts.store.counterparts(&parts.pair, &request).await {
            Ok(pairs) => !pairs.is_empty(),
            Err(_) => true,
        };
        if paired || task.if_became {
            started.push(Task { if_became: task.if_became && !paired, ..task });
        }
    }
    started
}

/// What the events start without the echoes of each sync.
fn past_echoes(engine: &dyn Engine, lane: &LeasedLane, triggered: Vec<Task>) -> Vec<Task> {
    let past = |task: Task| {
        let met = lane.met.iter().find(|met| met.mapping == task.mapping);
        match met.and_then(|met| echo::without_echoes(lane, met)) {
            None => Some(task),
            Some(others) => engine.triggered(&others).into_iter().find(|other| other.mapping == task.mapping),
        }
    };
    triggered.into_iter().filter_map(past).collect()
}

fn forgotten(lane: &LeasedLane) -> bool {
    lane.events.iter().any(|event| event.change.kind == ChangeKind::PrivacyDeletion)
}

async fn settle(parts: &Parts, lane: &LeasedLane, settlement: Settlement, verdicts: &[&'static str]) {
    report(lane, &settlement, verdicts);
    for attempt in 1..=SETTLE_TRIES {
        match parts.store.settle(&lane.lane, settlement.clone(), parts.clock.now()).await {
            Ok(Settled::Accepted) => {
                for verdict in verdicts {
                    parts.metrics.record(&parts.pair, verdict);
                }
                raise_parked(parts, lane, &settlement);
                return;
            }
            Ok(Settled::Stale) => {
                parts.metrics.record(&parts.pair, "stale");
                tracing::warn!(
                    correlation_id = %lane.correlation, record = %lane.lane.key,
                    "the lease was lost; another worker has the record"
                );
                return;
            }
            Err(error) => {
                tracing::error!(
                    %error, correlation_id = %lane.correlation, record = %lane.lane.key, attempt,
                    "a record could not be settled"
                );
                parts.settings.alerts.raise(Notice::StoreFailed { error: error.to_string() });
                parts.clock.sleep(STORE_PAUSE).await;
            }
        }
    }
    // The lease runs out, and the record runs again.
}

/// Tells whoever is to be told of parked records.
fn raise_parked(parts: &Parts, lane: &LeasedLane, settlement: &Settlement) {
    for result in &settlement.results {
        let Outcome::Parked(reason) = &result.outcome else { continue };
        parts.settings.alerts.raise(Notice::Parked {
            pair: parts.pair.clone(),
            mapping: result.mapping.clone(),
            record: format!("{} {}", lane.lane.key.object, lane.lane.key.record),
            correlation: lane.correlation.to_string(),
            reason: reason.reason.clone(),
            field: reason.field.clone(),
            answer: reason.answer.clone(),
            code: reason.code.clone(),
            line: reason.at.as_ref().map(ToString::to_string),
            help: reason.help.clone(),
        });
    }
}

/// Says which fields were left out of a write: the record is fine, and somebody should mend the rule or the CRM. What the
/// CRM said may quote a person's data, and is not logged.
fn report_dropped(parts: &Parts, lane: &LeasedLane, dropped: &[(String, Dropped)]) {
    for (mapping, Dropped { field, at, .. }) in dropped {
        parts.metrics.dropped(&parts.pair, mapping, field);
        tracing::warn!(
            correlation_id = %lane.correlation, record = %lane.lane.key, mapping, field, %at,
            "a field was refused, and dropped"
        );
    }
}

/// Logs what a lane came to: a line for each result, each with the id that its work carries.
fn report(lane: &LeasedLane, settlement: &Settlement, verdicts: &[&'static str]) {
    let (correlation_id, record) = (lane.correlation, &lane.lane.key);
    for result in &settlement.results {
        report_result(lane, result);
    }
    if let Next::RetryAt { at, counted, .. } = &settlement.next {
        tracing::warn!(%correlation_id, %record, %at, counted, attempts = lane.attempts, "tried again later");
    }
    if verdicts.is_empty() {
        tracing::info!(%correlation_id, %record, "no mapping is triggered");
    }
}

fn report_result(lane: &LeasedLane, MappingResult { mapping, ended_by, outcome, notes }: &MappingResult) {
    let (correlation_id, record) = (lane.correlation, &lane.lane.key);
    let at = notes.at.as_ref().map(ToString::to_string);
    match outcome {
        Outcome::Written { object, id, created, fields } => tracing::info!(
            %correlation_id, %record, mapping, ended_by, %object, id, created, fields = fields.len(),
            "settled: written"
        ),
        Outcome::Unchanged { object, id } => {
            tracing::info!(%correlation_id, %record, mapping, ended_by, %object, id, "settled: unchanged");
        }
        Outcome::Synced { hubspot, salesforce, writes, .. } => tracing::info!(
            %correlation_id, %record, mapping, hubspot = hubspot.1, salesforce = salesforce.1,
            writes = writes.len(), "settled: synced"
        ),
        Outcome::Link(change) => {
            tracing::info!(%correlation_id, %record, mapping, fate = change.fate.told(), "a link changes");
        }
        Outcome::Relay(cause) => {
            tracing::info!(%correlation_id, %record, mapping, cause = cause.told(), "linked records are told");
        }
        Outcome::Skipped | Outcome::Ended => {
            tracing::info!(%correlation_id, %record, mapping, at, "settled: skipped");
        }
        Outcome::Waiting { fields, .. } => {
            tracing::info!(%correlation_id, %record, mapping, at, ?fields, "settled: waiting");
        }
        Outcome::Parked(reason) => tracing::warn!(
            %correlation_id, %record, mapping, field = reason.field,
            at = reason.at.as_ref().map(ToString::to_string),
            // The words may quote a person's data, which stays in the store.
            reason = redacted(&reason.reason),
            code = reason.code,
            "settled: parked"
        ),
    }
}

/// Puts pauses on the board, and takes those off that are over: of a CRM that answered, in a batch without such a failure.
fn note_pauses(parts: &Parts, failures: Vec<(CrmError, Policy)>, answered: &BTreeSet<Side>) {
    let now = parts.clock.now();
    if failures.is_empty() {
        pauses::end(parts, |side, pause| pause.until <= now && answered.contains(&side));
    }
    for (error, policy) in failures {
        let Policy::Pause { time, reason, help } = policy else { continue };
        pauses::begin(parts, error.side, Pause { until: now + time, reason, help }, error.code.as_deref());
    }
}
