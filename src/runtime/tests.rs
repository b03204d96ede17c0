//! The worker over a real store, with scripted mappings, CRMs and time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::{Alerts, Notice};
use crate::eval::{Answer, Effect, Finished, Verdict};
use crate::plan::Plan;
use crate::source::{ObjectName, Side};
use crate::store::{Next, Origin, RecordKey, Settlement, SqliteStore, Store};
use crate::types::{AssociateRequest, AssociationKind, ChangeKind, CrmError, CrmErrorKind, Value};

use super::driver::{End, drive, drive_by};
use super::engine::Job;
use super::intents::{Announcer, Why};
use super::testing::{FakeCrm, ScriptedEngine, ScriptedJob, change, crms, event};
use super::{
    Clock, Handle, Health, ManualClock, Memory, Metrics, OnceError, Parts, Settings, alone, start_with,
};

const SOON: Duration = Duration::from_secs(20);

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

fn contact(record: &str) -> RecordKey {
    RecordKey::new("main", ObjectName::new(Side::Hubspot, "contact"), record)
}

/// A worker that runs, and everything around it.
struct World {
    store: Arc<SqliteStore>,
    hubspot: Arc<FakeCrm>,
    salesforce: Arc<FakeCrm>,
    clock: Arc<ManualClock>,
    parts: Parts,
    handle: Handle,
}

impl World {
    async fn new(mappings: &[&'static str]) -> Self {
        Self::with(SqliteStore::in_memory().await.expect("a store"), mappings, Settings::default()).await
    }

    async fn with(store: SqliteStore, mappings: &[&'static str], settings: Settings) -> Self {
        let store = Arc::new(store);
        let (hubspot, salesforce, crms) = crms();
        let clock = Arc::new(ManualClock::at(start()));
        let parts = Parts {
            pair: "main".to_owned(),
            plan: Arc::new(Plan::default()),
            crms,
            store: store.clone(),
            clock: clock.clone(),
            metrics: Arc::new(Metrics::default()),
            health: Arc::new(Health::default()),
            settings,
        };
        let engine = Arc::new(ScriptedEngine(mappings.to_vec()));
        let handle = start_with(parts.clone(), engine).await.expect("a worker");
        Self { store, hubspot, salesforce, clock, parts, handle }
    }

    async fn send(&self, records: &[&str]) {
        let events = records.iter().map(|record| event(record, 0, self.clock.now())).collect();
        self.store.append(events).await.expect("append");
    }

    async fn idle(&self) {
        assert!(self.handle.idle(SOON).await.expect("the store"), "{:?}", self.store.pending().await);
    }

    /// Waits until something holds, without moving the time.
    async fn until(&self, what: impl AsyncFn(&Self) -> bool) {
        let wait = async {
            while !what(self).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("it holds in time");
    }

    /// Moves the time on, step by step, until no lane has work.
    async fn idle_after(&self, step: Duration, most: Duration) {
        let mut passed = Duration::ZERO;
        while !self.handle.idle(Duration::from_millis(50)).await.expect("the store") {
            assert!(passed < most, "not idle after {passed:?}: {:?}", self.store.pending().await);
            self.clock.advance(step);
            passed += step;
        }
    }

    fn written(&self) -> usize {
        self.salesforce.records.lock().unwrap().len()
    }

    fn counted(&self, line: &str) {
        let text = self.parts.metrics.render();
        assert!(text.lines().any(|have| have == line), "no `{line}` in\n{text}");
    }
}

#[tokio::test]
async fn from_the_journal_to_a_settled_record() {
    let world = World::new(&["copy"]).await;
    world.send(&["5501"]).await;
    world.idle().await;
    assert_eq!(world.salesforce.records.lock().unwrap()["5501"][0].1, Value::Text("5501".to_owned()));
    let entry = world.store.history(&contact("5501")).await.expect("history").remove(0);
    assert_eq!((entry.target.record.as_str(), entry.field.field.as_str()), ("id-5501", "City"));
    assert_eq!(world.store.links(&contact("5501")).await.expect("links").len(), 1);
    world.counted("mapwright_records_total{pair=\"main\",verdict=\"created\"} 1");
    world.counted("mapwright_crm_calls_total{pair=\"main\",crm=\"salesforce\"} 2");
    assert!(world.handle.shutdown().await);
}

#[tokio::test]
async fn a_hundred_records_share_their_calls() {
    let store = SqliteStore::in_memory().await.expect("a store");
    let records: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    store.append(records.iter().map(|record| event(record, 0, start())).collect()).await.expect("append");
    let world = World::with(store, &["copy"], Settings::default()).await;
    world.idle().await;
    assert_eq!(world.written(), 100);
    assert_eq!(world.hubspot.rows("read"), [100]);
    assert_eq!(world.hubspot.rows("find"), [100]);
    assert_eq!(world.salesforce.rows("find"), [100]);
    assert_eq!(world.salesforce.rows("write"), [100]);
}

#[tokio::test]
async fn one_record_is_never_twice_in_a_call() {
    let (_, salesforce, crms) = crms();
    let job = |n: usize| Box::new(ScriptedJob { mapping: "shared", record: n.to_string() }) as Box<dyn Job>;
    let store = SqliteStore::in_memory().await.expect("a store");
    let memory = Memory { store: &store, pair: "main" };
    let ends = drive((0..3).map(job).collect(), &crms, memory).await;
    assert!(ends.iter().all(|end| matches!(end, End::Finished(_))), "{ends:?}");
    assert_eq!(salesforce.rows("write"), [1, 1, 1]);
}

#[tokio::test]
async fn more_than_a_call_takes_is_split() {
    let (hubspot, salesforce, crms) = crms();
    let job = |n: usize| Box::new(ScriptedJob { mapping: "copy", record: n.to_string() }) as Box<dyn Job>;
    let store = SqliteStore::in_memory().await.expect("a store");
    let memory = Memory { store: &store, pair: "main" };
    let ends = drive((0..2_300).map(job).collect(), &crms, memory).await;
    assert!(ends.iter().all(|end| matches!(end, End::Finished(_))));
    // The clients make their vendor's batches of these.
    assert_eq!(hubspot.rows("read"), [1_000, 1_000, 300]);
    assert_eq!(salesforce.rows("write"), [1_000, 1_000, 300]);
}

#[tokio::test]
async fn what_cannot_be_announced_is_not_written() {
    let (_, salesforce, crms) = crms();
    let store = SqliteStore::in_memory().await.expect("a store");
    store.close().await;
    let clock = ManualClock::at(start());
    let job = |n: usize| Box::new(ScriptedJob { mapping: "copy", record: n.to_string() }) as Box<dyn Job>;
    let why = |n: usize| Why::by_hand(contact(&n.to_string()), "copy", Origin::default());
    let announcer = Announcer::new(&store, &clock, (0..3).map(why).collect());
    let memory = Memory { store: &store, pair: "main" };
    let ends = drive_by((0..3).map(job).collect(), &crms, memory, 1_000, Some(&announcer)).await;
    assert!(ends.iter().all(|end| matches!(end, End::Unremembered(_))), "{ends:?}");
    assert!(salesforce.rows("write").is_empty());
}

#[tokio::test]
async fn what_is_announced_stays_until_a_run_comes_to_its_end() {
    let world = World::new(&["copy"]).await;
    let lost = CrmError { maybe_applied: true, ..world.salesforce.error(CrmErrorKind::Retry) };
    world.salesforce.bad.lock().unwrap().insert("1".to_owned(), lost);
    let announced = async |world: &World| world.store.intents(&contact("1")).await.expect("the store").len();
    world.send(&["1"]).await;
    world.until(async |world| announced(world).await == 1).await;
    world.until(async |world| world.salesforce.rows("write").len() == 1).await;
    assert!(world.store.history(&contact("1")).await.expect("history").is_empty());
    world.salesforce.bad.lock().unwrap().clear();
    world.idle_after(Duration::from_secs(1), Duration::from_mins(1)).await;
    assert_eq!(announced(&world).await, 0);
    assert_eq!(world.store.history(&contact("1")).await.expect("history").len(), 1);
}

#[tokio::test]
async fn a_new_login_ends_the_pause_and_what_it_put_off() {
    let world = World::new(&["copy"]).await;
    world.hubspot.fail_next(CrmErrorKind::Unauthorised);
    world.send(&["1", "2"]).await;
    let paused = |world: &World| world.parts.health.workers()["main"].paused.contains_key(&Side::Hubspot);
    world.until(async |world| paused(world)).await;
    world.clock.advance(Duration::from_secs(5));
    assert!(
        !world.handle.idle(Duration::from_millis(50)).await.expect("the store"),
        "a pause lasts a minute"
    );
    world.hubspot.anew.store(true, std::sync::atomic::Ordering::Relaxed);
    world.idle_after(Duration::from_secs(1), Duration::from_secs(10)).await;
    assert_eq!(world.written(), 2);
    world.until(async |world| !paused(world)).await;
}

/// Adds an association and removes another, then ends with what it was told.
struct Associates(String);

impl Job for Associates {
    fn next(&mut self, answer: Option<Answer>) -> Effect {
        let association = |to_id: &str| AssociateRequest {
            from: ObjectName::new(Side::Hubspot, "deal"),
            from_id: self.0.clone(),
            to: "contact".to_owned(),
            to_id: to_id.to_owned(),
            kind: AssociationKind::Plain,
        };
        match answer {
            None => Effect::Associate {
                add: vec![association(&self.0), association("7")],
                remove: vec![association("8")],
            },
            Some(Answer::Associations(said)) => {
                let told = |said: &Option<String>| said.clone().unwrap_or_else(|| "done".to_owned());
                let reason = said.iter().map(told).collect::<Vec<_>>().join(", ");
                let (mapping, verdict) = ("associates".to_owned(), Verdict::Skipped { reason, at: None });
                Effect::Finish(Finished {
                    conversion: None,
                    mapping,
                    verdict,
                    associations: Vec::new(),
                    path: Vec::new(),
                    links: Vec::new(),
                    dropped: Vec::new(),
                })
            }
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn associations_of_many_runs_share_a_call_and_are_refused_alone() {
    let (hubspot, _, crms) = crms();
    let jobs = ["1", "bad", "3"].map(|id| Box::new(Associates(id.to_owned())) as Box<dyn Job>);
    let store = SqliteStore::in_memory().await.expect("a store");
    let memory = Memory { store: &store, pair: "main" };
    let ends = drive(jobs.into(), &crms, memory).await;
    let told: Vec<_> = ends
        .iter()
        .map(|end| match end {
            End::Finished(Finished { verdict: Verdict::Skipped { reason, .. }, .. }) => reason.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["done, done, done", "as scripted, done, done", "done, done, done"]);
    assert_eq!((hubspot.rows("associate"), hubspot.rows("dissociate")), (vec![6], vec![3]));

    hubspot.fail_next(CrmErrorKind::Retry);
    let ends = drive(vec![Box::new(Associates("1".to_owned()))], &crms, memory).await;
    assert!(matches!(&ends[0], End::Failed(error) if error.kind == CrmErrorKind::Retry), "{ends:?}");
}

#[tokio::test]
async fn the_same_event_again_writes_once_and_a_burst_runs_once() {
    let store = SqliteStore::in_memory().await.expect("a store");
    let burst = (0..5).map(|n| event("1", n, start())).collect::<Vec<_>>();
    store.append(burst.clone()).await.expect("append");
    let world = World::with(store, &["copy"], Settings::default()).await;
    world.idle().await;
    world.store.append(burst).await.expect("append");
    world.idle().await;
    assert_eq!(world.salesforce.rows("write"), [1]);
}

#[tokio::test]
async fn a_retry_waits_and_then_succeeds() {
    let world = World::new(&["copy"]).await;
    for _ in 0..3 {
        world.hubspot.fail_next(CrmErrorKind::Retry);
    }
    world.send(&["1"]).await;
    world.until(async |world| world.hubspot.calls.lock().unwrap().len() == 1).await;
    assert!(!world.handle.idle(Duration::from_millis(50)).await.expect("the store"));
    assert_eq!(world.hubspot.rows("read").len(), 1, "not before its time");
    world.idle_after(Duration::from_secs(1), Duration::from_mins(1)).await;
    assert_eq!(world.hubspot.rows("read").len(), 4);
    assert_eq!(world.written(), 1);
}

#[tokio::test]
async fn attempts_end_with_a_person() {
    let settings = Settings { max_attempts: 3, ..Settings::default() };
    let world = World::with(SqliteStore::in_memory().await.expect("a store"), &["copy"], settings).await;
    let error = world.salesforce.error(CrmErrorKind::Retry);
    world.salesforce.bad.lock().unwrap().insert("1".to_owned(), error);
    world.send(&["1", "2"]).await;
    world.idle_after(Duration::from_secs(5), Duration::from_mins(5)).await;
    let parked = world.store.parked().await.expect("parked");
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].key, contact("1"));
    assert_eq!(parked[0].reason.reason, "Salesforce failed 3 times");
    assert!(parked[0].reason.answer.as_deref().unwrap_or_default().contains("as scripted"));
    assert!(world.salesforce.records.lock().unwrap().contains_key("2"), "its neighbour is untouched");

    world.salesforce.bad.lock().unwrap().clear();
    assert!(world.store.retry_parked(parked[0].id, world.clock.now()).await.expect("retry"));
    world.idle_after(Duration::from_secs(1), Duration::from_mins(1)).await;
    assert_eq!(world.written(), 2);
}

#[tokio::test]
async fn a_refused_call_parks_at_once() {
    let world = World::new(&["copy"]).await;
    world.hubspot.fail_next(CrmErrorKind::Refused);
    world.send(&["1"]).await;
    world.idle().await;
    let parked = world.store.parked().await.expect("parked").remove(0);
    assert_eq!(
        (parked.mapping.as_str(), parked.reason.reason.as_str()),
        ("copy", "HubSpot refused the call")
    );
    world.counted("mapwright_records_total{pair=\"main\",verdict=\"parked\"} 1");
}

#[tokio::test]
async fn refused_credentials_pause_the_crm_and_cost_nothing() {
    let world = World::new(&["copy"]).await;
    world.salesforce.fail_next(CrmErrorKind::Unauthorised);
    world.send(&["1"]).await;
    let paused = async |world: &World| !world.parts.health.workers()["main"].paused.is_empty();
    world.until(paused).await;
    let health = world.parts.health.workers().remove("main").expect("a worker");
    assert_eq!(health.paused[&Side::Salesforce].reason, "unauthorised");
    assert!(health.alive);

    // More work comes in, and is kept; nothing is tried while the pause lasts.
    world.send(&["2", "3"]).await;
    let calls = world.hubspot.calls.lock().unwrap().len();
    world.clock.advance(Duration::from_secs(30));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.hubspot.calls.lock().unwrap().len(), calls);
    assert_eq!(world.store.pending().await.expect("pending").lanes, 3);

    world.idle_after(Duration::from_secs(10), Duration::from_mins(2)).await;
    assert_eq!(world.written(), 3);
    assert!(world.parts.health.workers()["main"].paused.is_empty());
    assert!(world.store.parked().await.expect("parked").is_empty());
}

#[tokio::test]
async fn a_pause_ends_when_its_crm_answers_and_holds_up_no_erasure() {
    let (alerts, mut told) = Alerts::watched();
    let settings = Settings { alerts, ..Settings::default() };
    let world = World::with(SqliteStore::in_memory().await.expect("a store"), &["copy"], settings).await;
    let forbidden = world.salesforce.error(CrmErrorKind::Forbidden);
    world.salesforce.bad.lock().unwrap().insert("1".to_owned(), forbidden);
    let paused = async |world: &World| !world.parts.health.workers()["main"].paused.is_empty();
    world.send(&["1"]).await;
    world.until(paused).await;

    // While it lasts, who asks to be forgotten is.
    world.send(&["2", "gone"]).await;
    let forget = change("2", 1, world.clock.now(), ChangeKind::PrivacyDeletion);
    world.store.append(vec![forget]).await.expect("append");
    let lanes = async |world: &World| world.store.pending().await.expect("pending").lanes;
    world.clock.advance(Duration::from_secs(1));
    world.until(async |world| lanes(world).await == 2).await;
    assert!(world.written() == 0 && paused(&world).await);

    // What HubSpot alone answers says nothing about Salesforce.
    world.clock.advance(Duration::from_secs(59));
    world.until(async |world| world.hubspot.rows("read").len() >= 2).await;
    world.until(async |world| lanes(world).await == 1).await;
    assert!(paused(&world).await);
    world.salesforce.bad.lock().unwrap().clear();
    world.idle_after(Duration::from_secs(10), Duration::from_mins(2)).await;
    assert!(!paused(&world).await);
    assert_eq!(world.written(), 1);
    assert!(matches!(told.try_recv(), Ok(Notice::PauseBegan { .. })));
    assert!(matches!(told.try_recv(), Ok(Notice::PauseEnded { .. })), "it went on");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_run_by_hand_and_a_worker_do_not_work_on_one_record_side_by_side() {
    let store = SqliteStore::in_memory().await.expect("a store");
    let clock = ManualClock::at(start());
    let request = |worker: &str, now| crate::store::LeaseRequest {
        pair: "main".to_owned(),
        worker: worker.to_owned(),
        limit: 10,
        now,
        ttl: SOON,
        project: None,
        erasures: false,
    };
    // While it runs by hand, a worker gets nothing, however long that takes.
    let run = async {
        store.append(vec![event("1", 0, clock.now())]).await.expect("append");
        for _ in 0..9 {
            clock.advance(Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(store.lease(request("w", clock.now())).await.expect("lease").is_empty());
        }
        Ok(7)
    };
    let none = || panic!("nobody works on it");
    let done = alone(&store, &contact("1"), Origin::default(), &clock, none, run).await;
    assert_eq!(done, Ok(7));
    // Then the worker has it, which the next run by hand waits for, and says so once.
    let lanes = store.lease(request("w", clock.now())).await.expect("lease");
    assert_eq!(lanes.len(), 1);
    let told = std::sync::atomic::AtomicU32::new(0);
    let waits = || {
        told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    let key = contact("1");
    let ended = async {
        while told.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let settlement = Settlement { next: Next::Done, results: Vec::new() };
        store.settle(&lanes[0].lane, settlement, clock.now()).await.expect("settled");
        clock.advance(Duration::from_secs(1));
    };
    let (done, ()) =
        tokio::join!(alone(&store, &key, Origin::default(), &clock, waits, async { Ok(8) }), ended);
    assert_eq!((done, told.into_inner()), (Ok(8), 1));
    // Who goes on for longer than a lease is not waited for.
    store.append(vec![event("1", 1, clock.now())]).await.expect("append");
    let long = crate::store::LeaseRequest { ttl: Duration::from_hours(1), ..request("w", clock.now()) };
    assert_eq!(store.lease(long).await.expect("lease").len(), 1);
    let passes = async {
        for _ in 0..70 {
            clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let busy = alone(&store, &key, Origin::default(), &clock, || (), async { Ok(9) });
    let (done, ()) = tokio::join!(busy, passes);
    assert_eq!(done, Err(OnceError::Busy("hubspot.contact 1".to_owned())));
}

#[tokio::test]
async fn a_panic_costs_its_own_record_alone() {
    let settings = Settings { max_attempts: 2, ..Settings::default() };
    let world = World::with(SqliteStore::in_memory().await.expect("a store"), &["panics"], settings).await;
    world.send(&["12", "13", "14"]).await;
    world.idle_after(Duration::from_secs(1), Duration::from_mins(1)).await;
    assert_eq!(world.written(), 2);
    let parked = world.store.parked().await.expect("parked");
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].key, contact("13"));
    assert!(!parked[0].reason.reason.contains("panic"), "no author knows what a panic is");
    world.send(&["15"]).await;
    world.idle().await;
    assert_eq!(world.written(), 3, "the worker lives on");
}

#[tokio::test]
async fn several_mappings_of_a_record_all_run() {
    let world = World::new(&["copy", "shared"]).await;
    world.send(&["1"]).await;
    world.idle().await;
    assert_eq!(world.written(), 2);
    assert_eq!(world.store.links(&contact("1")).await.expect("links").len(), 2);
}

#[tokio::test]
async fn a_waiting_mapping_runs_when_its_field_changes() {
    let world = World::new(&["waits"]).await;
    world.send(&["1"]).await;
    world.idle().await;
    let of = |field: &str| ChangeKind::FieldChanged { field: field.to_owned(), value: None };
    world.store.append(vec![change("1", 0, world.clock.now(), of("city"))]).await.expect("append");
    world.idle().await;
    assert_eq!(world.hubspot.rows("read").len(), 1, "another field");
    world.store.append(vec![change("1", 0, world.clock.now(), of("email"))]).await.expect("append");
    world.idle().await;
    assert_eq!(world.hubspot.rows("read").len(), 2);
}

#[tokio::test]
async fn a_record_that_is_gone_is_settled() {
    let world = World::new(&["copy"]).await;
    world.send(&["gone", "1"]).await;
    world.idle().await;
    assert_eq!(world.written(), 1);
    world.counted("mapwright_records_total{pair=\"main\",verdict=\"source_gone\"} 1");
}

#[tokio::test]
async fn a_deleted_record_is_settled_and_a_forgotten_one_erased() {
    let world = World::new(&["copy"]).await;
    world.send(&["1", "2"]).await;
    world.idle().await;
    let now = world.clock.now();
    let events = vec![
        change("1", 0, now, ChangeKind::Deleted),
        change("2", 0, now, ChangeKind::PrivacyDeletion),
        event("2", 9, now),
    ];
    world.store.append(events).await.expect("append");
    world.idle().await;
    assert_eq!(world.store.history(&contact("1")).await.expect("history").len(), 1);
    assert!(world.store.history(&contact("2")).await.expect("history").is_empty());
    assert!(world.store.links(&contact("2")).await.expect("links").is_empty());
    assert_eq!(
        world.salesforce.rows("write").iter().sum::<usize>(),
        2,
        "a forgotten record is not written again"
    );
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).await.expect("a store")
}

#[tokio::test]
async fn work_pending_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let settings = Settings { drain: Duration::from_millis(50), ..Settings::default() };
    let world = World::with(open(&path).await, &["copy"], settings.clone()).await;
    // The CRM hangs with the batch under way; the process ends.
    world.hubspot.gate.forget_permits(1000);
    world.send(&["1", "2"]).await;
    world.until(async |world| world.parts.health.workers()["main"].last_poll.is_some()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!world.handle.shutdown().await, "it does not drain in time");
    drop((world.store, world.parts));

    let world = World::with(open(&path).await, &["copy"], settings).await;
    world.idle().await;
    assert_eq!(world.written(), 2);
}

#[tokio::test]
async fn shutdown_lets_the_batch_under_way_finish() {
    let world = World::new(&["copy"]).await;
    world.hubspot.gate.forget_permits(1000);
    world.send(&["1"]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (store, hubspot, salesforce) = (world.store.clone(), world.hubspot.clone(), world.salesforce.clone());
    let shutdown = tokio::spawn(world.handle.shutdown());
    tokio::time::sleep(Duration::from_millis(50)).await;
    hubspot.gate.add_permits(1);
    assert!(shutdown.await.expect("no panic"));
    assert_eq!(salesforce.records.lock().unwrap().len(), 1);
    assert_eq!(store.pending().await.expect("pending").lanes, 0);
    assert!(!world.parts.health.workers()["main"].alive);
}

#[tokio::test]
async fn leases_are_renewed_while_a_crm_is_slow() {
    let world = World::new(&["copy"]).await;
    world.hubspot.gate.forget_permits(1000);
    world.send(&["1"]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Past the first lease's end, in steps in which it is renewed.
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let request = crate::store::LeaseRequest {
        pair: "main".to_owned(),
        worker: "another".to_owned(),
        limit: 10,
        now: world.clock.now(),
        ttl: SOON,
        project: None,
        erasures: false,
    };
    assert!(world.store.lease(request).await.expect("lease").is_empty());
    world.hubspot.gate.add_permits(10);
    world.idle().await;
    assert_eq!(world.salesforce.rows("write"), [1]);
}

/// Two workers of one pair: the survivor of a merge changes while the other one has the merge in hand, and both would write
/// the same record.
#[tokio::test]
async fn a_survivor_waits_for_the_merge_that_another_worker_has_in_hand() {
    let world = World::new(&["shared"]).await;
    let settings = Settings { worker: "another".to_owned(), ..Settings::default() };
    let another = Parts { settings, ..world.parts.clone() };
    let another = start_with(another, Arc::new(ScriptedEngine(vec!["shared"]))).await.expect("a worker");
    let free = async |world: &World| {
        let later = world.clock.now() + Duration::from_secs(5);
        world.store.due("main", later, 9).await.expect("the store")
    };

    world.hubspot.gate.forget_permits(1000);
    let merged = ChangeKind::Merged { into: "9".to_owned() };
    let now = world.clock.now();
    world.store.append(vec![event("1", 0, now), change("1", 1, now, merged)]).await.expect("append");
    world.until(async |world| free(world).await == 0).await;
    world.send(&["9"]).await;
    for _ in 0..20 {
        world.clock.advance(Duration::from_millis(500));
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(free(&world).await, 1, "nobody has the survivor");
    }
    // A third record has nothing to do with it.
    let deleted = change("5", 0, world.clock.now(), ChangeKind::Deleted);
    world.store.append(vec![deleted]).await.expect("append");
    world.until(async |world| world.store.pending().await.expect("pending").lanes == 2).await;

    world.hubspot.gate.add_permits(1000);
    world.idle_after(Duration::from_millis(200), Duration::from_mins(1)).await;
    let shared = world.salesforce.records.lock().unwrap()["shared"][0].1.clone();
    assert_eq!(shared, Value::Text("9".to_owned()), "the survivor's values are the last");
    assert_eq!(world.salesforce.rows("write"), [1, 1]);
    assert!(another.shutdown().await && world.handle.shutdown().await);
}

/// What people are told next.
async fn next(told: &mut tokio::sync::mpsc::Receiver<Notice>, of: &str) -> Notice {
    let notice = tokio::time::timeout(SOON, told.recv()).await;
    notice.unwrap_or_else(|_| panic!("nobody is told of {of}")).expect("somebody tells")
}

#[tokio::test]
async fn people_are_told_of_a_pause_its_end_and_parked_records() {
    let (alerts, mut told) = Alerts::watched();
    let settings = Settings { alerts, max_attempts: 1, ..Settings::default() };
    let world = World::with(SqliteStore::in_memory().await.expect("a store"), &["copy"], settings).await;
    // The token is refused twice: one pause, told once.
    world.salesforce.fail_next(CrmErrorKind::Unauthorised);
    world.salesforce.fail_next(CrmErrorKind::Unauthorised);
    world.send(&["1"]).await;
    let paused = async |world: &World| !world.parts.health.workers()["main"].paused.is_empty();
    world.until(paused).await;
    world.idle_after(Duration::from_secs(30), Duration::from_mins(30)).await;
    let began = next(&mut told, "a pause").await;
    assert!(
        matches!(&began, Notice::PauseBegan { crm: Side::Salesforce, reason: "unauthorised", pair, .. } if pair == "main"),
        "{began:?}"
    );
    let ended = next(&mut told, "the end of the pause").await;
    assert!(
        matches!(ended, Notice::PauseEnded { crm: Side::Salesforce, reason: "unauthorised", .. }),
        "{ended:?}"
    );

    world.salesforce.fail_next(CrmErrorKind::Retry);
    world.send(&["2"]).await;
    world.idle().await;
    let parked = world.store.parked().await.expect("parked").remove(0);
    let notice = next(&mut told, "the parked record").await;
    let Notice::Parked { mapping, record, correlation, .. } = notice else { panic!("{notice:?}") };
    assert_eq!((mapping.as_str(), record.as_str()), ("copy", "hubspot.contact 2"));
    assert_eq!(correlation, parked.correlation.to_string());
    assert!(told.try_recv().is_err(), "nothing else is told");
}
