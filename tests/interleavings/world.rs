//! Both sandboxes with webhooks, a feed and a worker that can be stopped and started.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mapwright::crm::http::HttpOptions;
use mapwright::ingress::Ingress;
use mapwright::runtime::{
    Crms, Feed, FeedParts, Handle, Health, Metrics, Parts, PollSettings, Runtime, Settings, SystemClock,
};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::source::Side;
use mapwright::store::{SqliteStore, Store};
use serde_json::Value as Json;

use super::counting::{Counting, Writes};
use super::listener::{PUBLIC, listener};
use super::sandboxes::{self, now, plan_of};

const PATIENCE: Duration = Duration::from_mins(2);

/// A person of the org; records that the sandbox itself makes are the integration user's.
const REP: &str = "rep@sandbox.example";
const INTEGRATION: &str = "integration@sandbox.example";

/// Who edits a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A person.
    Person,
    /// Somebody with our own token, so that only values tell the edit from an echo.
    OurToken,
}

pub(crate) struct World {
    pub(crate) portal: portal::HubspotHandle,
    pub(crate) org: org::SalesforceHandle,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) writes: Writes,
    ingress: Ingress,
    feed: FeedParts,
    at_work: Option<(Handle, Feed)>,
}

impl World {
    /// A world with these files, whose portal tells of its companies.
    pub(crate) async fn new(files: &[(&str, &str)], told: &[&str]) -> Self {
        let plan = plan_of(files);
        let properties = told.iter().map(|name| portal::Subscription::to_property("company", name));
        let creations = ["company.creation"].map(portal::Subscription::to);
        let webhooks = portal::WebhookConfig {
            signed_uri: Some(PUBLIC.to_owned()),
            subscriptions: properties.chain(creations).collect(),
            ..Default::default()
        };
        let http = HttpOptions { allow_private: true, ..HttpOptions::new(now, || 0.5) };
        let (portal, org, crms, source) = sandboxes::start(webhooks, http).await;
        let rep = serde_json::json!({"Username": REP, "FirstName": "Robin", "LastName": "Rep"});
        org.create("User", &rep).expect("a user");
        let writes = Writes::default();
        let counting = |client| Arc::new(Counting { client, writes: Arc::clone(&writes) });
        let crms = Crms { hubspot: counting(crms.hubspot), salesforce: counting(crms.salesforce) };
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let (clock, metrics, health) =
            (Arc::new(SystemClock), Arc::new(Metrics::default()), Arc::new(Health::default()));
        let config = portal.config();
        let listens = (config.portal_id, config.app_id, config.app_secret.clone());
        let ingress = listener(listens, &store, &clock, &metrics, &health).await;
        portal.set_target(Some(&format!("http://{}/webhooks/hubspot/main", ingress.address())));
        let settings = Settings { gather: Duration::ZERO, ..Settings::default() };
        let parts = sandboxes::parts(plan, crms, store.clone(), settings);
        let parts = Parts { metrics: metrics.clone(), health, ..parts };
        let settings = PollSettings {
            salesforce: Some(Duration::from_millis(200)),
            hubspot: None,
            mappings: std::collections::BTreeMap::new(),
            overlap: Duration::from_mins(10),
        };
        let feed = FeedParts { parts, sources: vec![source], settings };
        let mut world = Self { portal, org, store, metrics, writes, ingress, feed, at_work: None };
        world.start().await;
        world.settle().await;
        world
    }

    pub(crate) async fn start(&mut self) {
        let worker = Runtime::start(self.feed.parts.clone()).await.expect("a worker");
        self.at_work = Some((worker, Feed::start(self.feed.clone())));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some((worker, feed)) = self.at_work.take() {
            assert!(feed.shutdown().await);
            assert!(worker.shutdown().await);
        }
    }

    /// Waits until webhooks, polls and runs find nothing more to do.
    pub(crate) async fn settle(&self) {
        let (worker, _) = self.at_work.as_ref().expect("a worker");
        let mut before = String::new();
        for _ in 0..60 {
            let polls = self.polls();
            self.portal.settled().await;
            assert!(worker.idle(PATIENCE).await.expect("the store"), "{:?}", self.store.pending().await);
            // The poll that was under way may have begun too early.
            let twice = async {
                while self.polls() < polls + 2 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let over = tokio::time::timeout(PATIENCE, twice).await;
            over.unwrap_or_else(|_| panic!("nothing is polled: {}", self.metrics.render()));
            let counts = self.counts("mapwright_records_total") + &self.counts("mapwright_events_total");
            let idle = self.store.pending().await.expect("pending").lanes == 0;
            if idle && counts == before {
                return;
            }
            before = counts;
        }
        panic!("it does not come to rest: {}", self.metrics.render());
    }

    fn polls(&self) -> usize {
        self.count("mapwright_feed_pages_total{pair=\"main\",crm=\"salesforce\",result=\"read\"}")
    }

    /// The lines of a counter.
    fn counts(&self, name: &str) -> String {
        let text = self.metrics.render();
        let mut lines: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// A counter, by its name with labels.
    pub(crate) fn count(&self, name: &str) -> usize {
        let text = self.metrics.render();
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.map_or(0, |value| value.trim().parse().expect("a number"))
    }

    /// The writes to each record since the last time.
    pub(crate) fn written(&self) -> HashMap<String, usize> {
        std::mem::take(&mut *self.writes.lock().expect("no panic while it is held"))
    }

    /// Somebody edits a field; an empty value clears it.
    pub(crate) fn edit(&self, side: Side, id: &str, field: &str, value: &str, who: Who) {
        match side {
            Side::Hubspot => {
                let actor = match who {
                    Who::Person => portal::Actor::person(),
                    Who::OurToken => portal::Actor::app(self.portal.config().app_id),
                };
                self.portal.edit("company", id, &[(field, value)], &actor).expect("edited");
            }
            Side::Salesforce => {
                let user = if who == Who::Person { REP } else { INTEGRATION };
                let value = if value.is_empty() { Json::Null } else { Json::from(value) };
                let fields = serde_json::json!({ field: value });
                self.org.change_as(user, "Account", id, &fields).expect("edited");
            }
        }
    }

    /// A field as text; blank where it is null.
    pub(crate) fn field(&self, side: Side, id: &str, field: &str) -> String {
        let value = match side {
            Side::Hubspot => {
                self.portal.record("company", id).expect("a company")["properties"][field].clone()
            }
            Side::Salesforce => self.org.get("Account", id).expect("an Account")[field].clone(),
        };
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a field has a value, however far the rest is.
    pub(crate) async fn until(&self, side: Side, id: &str, field: &str, value: &str) {
        let has = async {
            while self.field(side, id, field) != value {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let over = tokio::time::timeout(PATIENCE, has).await;
        over.unwrap_or_else(|_| {
            let is = self.field(side, id, field);
            panic!("`{field}` of {id} is {is:?} and not {value:?}: {}", self.metrics.render())
        });
    }

    pub(crate) async fn end(mut self) {
        self.stop().await;
        self.ingress.shutdown().await.expect("a clean end");
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }
}
