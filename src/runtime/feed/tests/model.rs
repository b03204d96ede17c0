//! Writes, polls and crashes in any order, against a model of an org: every change is seen, and polls end.
//!
//! The model speaks HTTP to the real client. It knows what the sandbox does not: transactions that commit long after they
//! touched a row, with the time of the touch, and a clock that a test moves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use url::Url;

use crate::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use crate::crm::{Changes, ChangesPage, ChangesRequest};
use crate::source::Side;
use crate::types::CrmError;

use super::{Polled, options, watched};

const OVERLAP: i64 = 600;

/// Leads that are there before the feed begins.
const OLD: i64 = 10;

/// A Lead.
#[derive(Debug, Clone)]
struct Row {
    created: DateTime<Utc>,
    stamp: DateTime<Utc>,
    email: String,
    deleted: bool,
    master: Option<String>,
    /// Whether it changed after the feed began.
    touched: bool,
}

/// An org with one object.
#[derive(Debug, Default)]
struct Org {
    now: DateTime<Utc>,
    base: String,
    rows: BTreeMap<String, Row>,
    /// What is not committed: when it will be, and the row as it will be.
    open: BTreeMap<String, (DateTime<Utc>, Row)>,
    purged: BTreeMap<String, DateTime<Utc>>,
    /// How many were made since.
    made: i64,
}

impl Org {
    fn tick(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
        let due: Vec<String> =
            self.open.iter().filter(|(_, (at, _))| *at <= self.now).map(|(id, _)| id.clone()).collect();
        for id in due {
            if let Some((_, row)) = self.open.remove(&id) {
                self.rows.insert(id, row);
            }
        }
    }

    /// Writes a row in a transaction that takes so long.
    fn write(&mut self, id: String, mut row: Row, takes: i64) {
        row.stamp = self.now;
        row.touched = true;
        if takes == 0 {
            self.rows.insert(id, row);
        } else {
            self.open.insert(id, (self.now + TimeDelta::seconds(takes), row));
        }
    }

    /// The nth of the rows that no transaction holds and that are as wanted.
    fn pick(&self, nth: usize, deleted: bool) -> Option<(String, Row)> {
        let free =
            self.rows.iter().filter(|(id, row)| !self.open.contains_key(*id) && row.deleted == deleted);
        let free: Vec<_> = free.collect();
        let (id, row) = free.get(nth.checked_rem(free.len())?)?;
        Some(((*id).clone(), (*row).clone()))
    }

    fn act(&mut self, write: &Write) {
        match *write {
            Write::Create(takes) => {
                let id = format!("00Q{:015}", OLD + self.made);
                self.made += 1;
                let created = self.now;
                let row = Row {
                    created,
                    stamp: created,
                    email: String::new(),
                    deleted: false,
                    master: None,
                    touched: true,
                };
                self.write(id, row, takes);
            }
            Write::Change(nth, value, takes) => {
                if let Some((id, row)) = self.pick(nth, false) {
                    self.write(id, Row { email: format!("{value}@x.test"), ..row }, takes);
                }
            }
            Write::Delete(nth, takes) => {
                if let Some((id, row)) = self.pick(nth, false) {
                    self.write(id, Row { deleted: true, ..row }, takes);
                }
            }
            Write::Undelete(nth) => {
                if let Some((id, row)) = self.pick(nth, true).filter(|(_, row)| row.master.is_none()) {
                    self.write(id, Row { deleted: false, ..row }, 0);
                }
            }
            Write::Merge(nth, takes) => {
                let (Some((lost, row)), Some((master, _))) =
                    (self.pick(nth, false), self.pick(nth + 1, false))
                else {
                    return;
                };
                if lost != master {
                    self.write(lost, Row { deleted: true, master: Some(master), ..row }, takes);
                }
            }
            Write::Purge(nth) => {
                if let Some((id, _)) = self.pick(nth, false) {
                    self.rows.remove(&id);
                    self.purged.insert(id, self.now);
                }
            }
        }
    }
}

/// What happens in the org.
#[derive(Debug, Clone, Copy)]
enum Write {
    Create(i64),
    Change(usize, u8, i64),
    Delete(usize, i64),
    Undelete(usize),
    Merge(usize, i64),
    Purge(usize),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Write(Write),
    /// Time passes.
    Tick(i64),
    /// The feed reads a page.
    Page,
    /// It reads all that there is.
    Poll,
    /// It begins to read a page and dies after so many microseconds.
    Crash(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let takes = || prop_oneof![4 => Just(0), 1 => 1..OVERLAP - 60];
    let nth = || 0..40_usize;
    let write = prop_oneof![
        4 => takes().prop_map(Write::Create),
        6 => (nth(), 0..3_u8, takes()).prop_map(|(nth, value, takes)| Write::Change(nth, value, takes)),
        2 => (nth(), takes()).prop_map(|(nth, takes)| Write::Delete(nth, takes)),
        1 => nth().prop_map(Write::Undelete),
        1 => (nth(), takes()).prop_map(|(nth, takes)| Write::Merge(nth, takes)),
        1 => nth().prop_map(Write::Purge),
    ];
    let step = prop_oneof![
        12 => write.prop_map(Step::Write),
        // Mostly none at all, so that many rows share an instant.
        2 => prop_oneof![1..5_i64, 60..900_i64].prop_map(Step::Tick),
        2 => Just(Step::Page),
        1 => Just(Step::Poll),
        1 => (0..4_000_u64).prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..80)
}

type Shared = Arc<Mutex<Org>>;

async fn answer(State(org): State<Shared>, uri: Uri, RawQuery(query): RawQuery) -> Response {
    let org = org.lock().unwrap();
    let parameters: BTreeMap<String, String> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let body = match uri.path() {
        "/services/oauth2/token" => json!({
            "access_token": "t", "instance_url": org.base, "token_type": "Bearer",
            "id": format!("{}/id/00D000000000001AAA/005000000000001AAA", org.base),
        }),
        "/services/data" => json!([]),
        path if path.ends_with("/queryAll") => query_all(&org, &parameters["q"]),
        path if path.ends_with("/sobjects/Lead/deleted/") => deleted(&org, &parameters),
        path => panic!("{path}"),
    };
    let date = org.now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    ([("date", date), ("content-type", "application/json".to_owned())], body.to_string()).into_response()
}

/// The text between the first of these and the next space, bracket or quote.
fn after<'q>(soql: &'q str, mark: &str) -> Option<&'q str> {
    let rest = soql.split_once(mark)?.1;
    rest.split([' ', ')', '\'']).next()
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

fn query_all(org: &Org, soql: &str) -> Json {
    let instant = |mark: &str| after(soql, mark).map(|text| text.parse::<DateTime<Utc>>().unwrap());
    let from = instant("SystemModstamp >= ").expect("a lower bound");
    let until = instant("SystemModstamp <= ").unwrap_or(DateTime::<Utc>::MAX_UTC);
    let behind = after(soql, "Id > '");
    assert!(soql.contains(" ORDER BY SystemModstamp, Id LIMIT "), "{soql}");
    let limit: usize = after(soql, " LIMIT ").unwrap().parse().unwrap();
    let fits = |id: &str, row: &Row| {
        let later = behind.is_none_or(|behind| row.stamp > from || id > behind);
        row.stamp >= from && row.stamp <= until && later
    };
    let mut rows: Vec<_> = org.rows.iter().filter(|(id, row)| fits(id, row)).collect();
    rows.sort_by_key(|(id, row)| (row.stamp, (*id).clone()));
    let records = rows.into_iter().take(limit).map(|(id, row)| {
        json!({
            "Id": id, "SystemModstamp": stamp(row.stamp), "CreatedDate": stamp(row.created), "IsDeleted": row.deleted,
            "MasterRecordId": row.master, "LastModifiedById": "005000000000009AAA", "Email": row.email,
        })
    });
    json!({"done": true, "records": records.collect::<Vec<_>>()})
}

fn deleted(org: &Org, parameters: &BTreeMap<String, String>) -> Json {
    let bound = |name: &str| parameters[name].parse::<DateTime<Utc>>().unwrap();
    let (start, end) = (bound("start"), bound("end"));
    let binned = org.rows.iter().filter(|(_, row)| row.deleted).map(|(id, row)| (id, row.stamp));
    let gone = binned.chain(org.purged.iter().map(|(id, at)| (id, *at)));
    let within = gone.filter(|(_, at)| *at >= start && *at <= end);
    let records: Vec<Json> = within.map(|(id, at)| json!({"id": id, "deletedDate": stamp(at)})).collect();
    json!({"deletedRecords": records, "earliestDateAvailable": stamp(start), "latestDateCovered": stamp(end)})
}

/// Pages of a few rows, so that they end everywhere.
struct Small(SalesforceClient);

#[async_trait]
impl Changes for Small {
    fn side(&self) -> Side {
        Side::Salesforce
    }

    async fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, CrmError> {
        self.0.changes(&ChangesRequest { limit: 3, ..request.clone() }).await
    }
}

/// What whoever reads the events believes of a record.
#[derive(Debug, Clone, Default, PartialEq)]
struct Belief {
    gone: bool,
    email: Option<String>,
}

struct World {
    org: Shared,
    feed: Polled,
    beliefs: BTreeMap<String, Belief>,
}

impl World {
    /// An org that is some minutes ahead of our machine or behind, with some Leads in it, and a feed.
    async fn new(skew: i64) -> Self {
        let now = super::machine_now() + TimeDelta::seconds(skew);
        let now = DateTime::from_timestamp(now.timestamp(), 0).expect("a time");
        let mut org = Org { now, ..Org::default() };
        // What was so before is known to whoever loads it.
        let known = Belief { gone: false, email: Some("old@x.test".to_owned()) };
        let mut beliefs = BTreeMap::new();
        for n in 0..OLD {
            let made = now - TimeDelta::seconds(100 * n);
            let row = Row {
                created: made,
                stamp: made,
                email: "old@x.test".to_owned(),
                deleted: false,
                master: None,
                touched: false,
            };
            org.rows.insert(format!("00Q{n:015}"), row);
            beliefs.insert(format!("00Q{n:015}"), known.clone());
        }
        let org: Shared = Arc::new(Mutex::new(org));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        org.lock().unwrap().base.clone_from(&base);
        let app = Router::new().fallback(answer).with_state(Arc::clone(&org));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (client_id, client_secret) = ("c".to_owned(), "s".into());
        let config = SalesforceConfig {
            login_url: Url::parse(&base).expect("a URL"),
            api_version: "58.0".to_owned(),
            auth: SalesforceAuth::ClientCredentials { client_id, client_secret },
            aliases: std::collections::HashMap::new(),
        };
        let source = Arc::new(Small(SalesforceClient::new(config, options()).expect("a client")));
        let overlap = Duration::from_secs(OVERLAP.unsigned_abs());
        let feed = Polled::new(source, watched(Side::Salesforce, "Lead", &["Email"]), overlap).await;
        Self { org, feed, beliefs }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Write(write) => self.org.lock().unwrap().act(&write),
            Step::Tick(seconds) => self.org.lock().unwrap().tick(seconds),
            Step::Page => {
                self.feed.page().await.expect("a page");
            }
            Step::Poll => {
                // The first sweep may have begun long ago.
                self.feed.poll().await;
                self.feed.poll().await;
                self.believe().await;
                self.nothing_is_missed(false);
            }
            Step::Crash(micros) => {
                let _ = tokio::time::timeout(Duration::from_micros(micros), self.feed.page()).await;
            }
        }
    }

    async fn believe(&mut self) {
        for (record, words) in self.feed.events().await {
            let belief = self.beliefs.entry(record.clone()).or_default();
            for word in words {
                match word.as_str() {
                    "created" | "restored" => belief.gone = false,
                    // The event says that it changed; what to is read then.
                    "Email changed" => {
                        belief.email =
                            self.org.lock().unwrap().rows.get(&record).map(|row| row.email.clone());
                    }
                    _ => belief.gone = true,
                }
            }
        }
    }

    /// Every record that was changed and committed is believed to be as it is.
    fn nothing_is_missed(&self, purged_too: bool) {
        let org = self.org.lock().unwrap();
        for (id, row) in org.rows.iter().filter(|(_, row)| row.touched) {
            let belief = self.beliefs.get(id).unwrap_or_else(|| panic!("nothing is known of {id} {row:?}"));
            assert_eq!(belief.gone, row.deleted, "{id} {row:?}");
            if !row.deleted && !row.email.is_empty() {
                assert_eq!(belief.email.as_ref(), Some(&row.email), "{id} {row:?}");
            }
        }
        if purged_too {
            for id in org.purged.keys() {
                assert!(self.beliefs.get(id).is_some_and(|belief| belief.gone), "{id} was purged");
            }
        }
    }
}

/// A few cases, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    // Without the variable it says 256, and each case takes a tenth of a second.
    let cases = if asked.cases == 256 { 40 } else { asked.cases };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_change_is_seen_and_polls_end(skew in -600..600_i64, steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new(skew).await;
            world.feed.poll().await;
            for step in steps {
                world.step(step).await;
            }
            // All that is under way commits, and purged rows are asked for.
            world.step(Step::Tick(1_000)).await;
            world.step(Step::Poll).await;
            world.nothing_is_missed(true);
            world.feed.poll().await;
            assert!(world.feed.events().await.is_empty(), "when nothing changes, nothing is told");
        });
    }
}
