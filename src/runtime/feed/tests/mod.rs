//! The feed over the real clients and stores, against both sandboxes over HTTP.

mod compared;
mod hubspot;
mod model;
mod portal;
mod rows;
mod salesforce;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::alert::{Alerts, Notice};
use crate::crm::http::HttpOptions;
use crate::crm::{Changes, ChangesPage, ChangesRequest};
use crate::plan::{Plan, Watched};
use crate::runtime::testing::crms;
use crate::runtime::{Clock, Health, ManualClock, Metrics, Parts, Settings};
use crate::source::{ObjectName, Side};
use crate::store::{LeaseRequest, Next, Settlement, SqliteStore, Store};
use crate::types::{CrmError, CrmErrorKind};

use super::settings::Watch;
use super::{Done, FeedParts, PollSettings, Trouble, Turn, next, page, take};

/// More pages than any test needs: whoever reaches it reads for ever.
const FOR_EVER: usize = 500;

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

fn options() -> HttpOptions {
    let mut options = HttpOptions::new(machine_now, || 0.5);
    options.allow_private = true;
    options
}

/// What is watched of an object.
fn watched(side: Side, object: &str, fields: &[&str]) -> Watched {
    Watched {
        object: ObjectName::new(side, object),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        becomes: BTreeMap::new(),
        ends_only: false,
        mappings: BTreeSet::from(["m".to_owned()]),
        starts: true,
        parents: BTreeSet::new(),
    }
}

/// A feed of one object that is polled by hand, and its store.
struct Polled {
    parts: FeedParts,
    watch: Watch,
    store: Arc<SqliteStore>,
    clock: Arc<ManualClock>,
}

impl Polled {
    async fn new(source: Arc<dyn Changes>, watched: Watched, overlap: Duration) -> Self {
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        // Years behind: nothing may depend on our clock.
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_000_000_000, 0).expect("a time")));
        let (_, _, crms) = crms();
        let parts = Parts {
            pair: "main".to_owned(),
            plan: Arc::new(Plan::default()),
            crms,
            store: store.clone(),
            clock: clock.clone(),
            metrics: Arc::new(Metrics::default()),
            health: Arc::new(Health::default()),
            settings: Settings::default(),
        };
        let every = Duration::from_mins(1);
        let settings = PollSettings {
            salesforce: Some(every),
            hubspot: Some(every),
            mappings: BTreeMap::new(),
            overlap,
        };
        let parts = FeedParts { parts, sources: vec![source], settings };
        Self { parts, watch: Watch { watched, every }, store, clock }
    }

    /// Reads one page.
    async fn page(&self) -> Result<Done, Trouble> {
        page(&self.parts, &self.watch, self.parts.sources[0].as_ref()).await
    }

    /// Reads pages until there is no more; answers how many there were.
    async fn poll(&self) -> usize {
        for count in 1..=FOR_EVER {
            if !self.page().await.expect("a page").more {
                return count;
            }
        }
        panic!("the feed reads for ever");
    }

    /// All that is pending, by record, in order; and deals with it.
    async fn events(&self) -> BTreeMap<String, Vec<String>> {
        let mut request = LeaseRequest {
            pair: "main".to_owned(),
            worker: "w".to_owned(),
            limit: 1_000_000,
            now: self.clock.now(),
            ttl: Duration::from_mins(1),
            project: None,
            erasures: false,
        };
        let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
        loop {
            // The survivor of a merge is leased a little later, once what was merged into it is settled.
            request.now += chrono::TimeDelta::seconds(1);
            let lanes = self.store.lease(request.clone()).await.expect("lanes");
            if lanes.is_empty() {
                return events;
            }
            for lane in lanes {
                let words = lane.events.iter().map(|event| event.change.kind.told());
                events.entry(lane.lane.key.record.clone()).or_default().extend(words);
                let settlement = Settlement { next: Next::Done, results: Vec::new() };
                self.store.settle(&lane.lane, settlement, self.clock.now()).await.expect("settled");
            }
        }
    }

    /// How many records have something pending.
    async fn lanes(&self) -> u64 {
        self.store.pending().await.expect("the store").lanes
    }

    /// Polls, and gives what came of it.
    async fn news(&self) -> BTreeMap<String, Vec<String>> {
        self.poll().await;
        self.events().await
    }
}

/// The same as [`Polled::events`] gives.
fn said(expected: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    expected.iter().map(|(record, kinds)| ((*record).to_owned(), words(kinds))).collect()
}

/// A CRM that lets nobody read this object.
struct Closed(&'static str);

#[async_trait]
impl Changes for Closed {
    fn side(&self) -> Side {
        Side::Hubspot
    }

    async fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, CrmError> {
        assert_eq!(request.object.name, self.0);
        Err(CrmError {
            side: Side::Hubspot,
            kind: CrmErrorKind::Forbidden,
            status: Some(403),
            code: Some("MISSING_SCOPES".to_owned()),
            message: "no".to_owned(),
            retry_after: None,
            maybe_applied: false,
        })
    }
}

#[tokio::test]
async fn an_object_that_may_not_be_read_holds_up_itself_alone() {
    let watched = watched(Side::Hubspot, "company", &[]);
    let mut polled = Polled::new(Arc::new(Closed("company")), watched.clone(), Duration::ZERO).await;
    let (alerts, mut told) = Alerts::watched();
    polled.parts.parts.settings.alerts = alerts;
    let now = polled.clock.now();
    let watch = Watch { watched, every: Duration::from_mins(1) };
    let mut turn = Turn { watch, source: Arc::new(Closed("company")), due: now, attempts: 0 };
    for _ in 0..2 {
        take(&polled.parts, &mut turn).await;
        assert_eq!(turn.due, now + polled.parts.parts.settings.credentials);
    }
    let health = polled.parts.parts.health.workers().remove("main").expect("a board");
    assert!(health.paused.is_empty(), "the others and the writes go on");
    assert_eq!(health.feeds["hubspot.company"].error.as_deref(), Some("MISSING_SCOPES"));
    let Ok(Notice::UnreadChanges { object, code, .. }) = told.try_recv() else { panic!("nobody was told") };
    assert_eq!((object.as_str(), code.as_deref()), ("hubspot.company", Some("MISSING_SCOPES")));
    assert!(told.try_recv().is_err(), "once");
}

/// A CRM that nobody asks.
struct Unasked;

#[async_trait]
impl Changes for Unasked {
    fn side(&self) -> Side {
        Side::Hubspot
    }

    async fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, CrmError> {
        panic!("{request:?}")
    }
}

#[test]
fn after_a_pause_the_object_goes_first_that_has_waited_the_longest() {
    let at = |seconds: i64| DateTime::from_timestamp(1_000_000_000 + seconds, 0).expect("a time");
    let turn = |object: &str, due: i64| Turn {
        watch: Watch { watched: watched(Side::Hubspot, object, &[]), every: Duration::from_mins(1) },
        source: Arc::new(Unasked),
        due: at(due),
        attempts: 0,
    };
    let mut turns = [turn("contact", 0), turn("company", 10), turn("deal", 20)];
    let (mut paused, mut now, mut asked) = (at(0), at(0), Vec::new());
    for _ in 0..6 {
        let due = |turn: &Turn| turn.due.max(paused);
        let turn = next(&mut turns, due).expect("a turn");
        now = now.max(due(turn));
        let object = turn.watch.watched.object.name.clone();
        if object == "contact" {
            // Each try that fails pauses the CRM, and is due again at once.
            (turn.due, paused) = (now, now + chrono::TimeDelta::seconds(60));
        } else {
            turn.due = now + chrono::TimeDelta::seconds(30);
        }
        asked.push(object);
    }
    assert_eq!(asked, ["contact", "contact", "company", "deal", "contact", "contact"]);
}
