//! Both sandboxes with the shipped seed, the listener, the feed, a worker and the shipped project.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mapwright::check::check;
use mapwright::crm::Changes;
use mapwright::crm::http::HttpOptions;
use mapwright::crm::hubspot::{HubspotClient, HubspotConfig};
use mapwright::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use mapwright::ingress::Ingress;
use mapwright::plan::{Plan, compile};
use mapwright::runtime::{
    Clock, Crms, Feed, FeedParts, Handle, Health, Metrics, Parts, PollSettings, Runtime, Settings,
    SystemClock,
};
use mapwright::sandbox::core::ClockSetting;
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::sandbox::seed::Seed;
use mapwright::schema::{Schemas, load};
use mapwright::source::{ObjectName, Side, Sources};
use mapwright::store::{SqliteStore, Store};
use mapwright::syntax;
use mapwright::types::LinkRequest;
use serde_json::Value as Json;

use super::listener::{PUBLIC, listener};

const PATIENCE: Duration = Duration::from_mins(1);

/// What a private app subscribes to for the shipped mappings.
const SUBSCRIPTIONS: &[&str] = &[
    "contact.creation",
    "contact.deletion",
    "contact.merge",
    "contact.associationChange",
    "contact.restore",
    "contact.privacyDeletion",
    "company.creation",
    "company.deletion",
    "company.merge",
    "company.restore",
    "deal.deletion",
    "deal.merge",
    "deal.restore",
];
const PROPERTIES: &[(&str, &str)] = &[
    ("contact", "email"),
    ("company", "name"),
    ("company", "domain"),
    ("company", "phone"),
    ("company", "city"),
    ("company", "industry"),
    ("company", "numberofemployees"),
    ("company", "lifecyclestage"),
];

/// The project that ships, as one text for each file, as somebody has edited it.
fn project(edit: impl Fn(String) -> String) -> (Arc<Plan>, Schemas) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut sources = Sources::new();
    let mut read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("a snapshot");
        load(&mut sources, name, &text).0.expect("a schema")
    };
    let schemas =
        Schemas { hubspot: read("schema/hubspot.yaml"), salesforce: read("schema/salesforce.yaml") };
    let files = std::fs::read_dir(&folder).expect("the project").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "map")).collect();
    files.sort();
    let trees: Vec<_> = files
        .iter()
        .map(|path| {
            let text = edit(std::fs::read_to_string(path).expect("a file"));
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            syntax::parse(sources.add(name, text.clone()), &text).0
        })
        .collect();
    let (project, findings) = check(&trees, &schemas, &sources);
    let plan = compile(&project.unwrap_or_else(|| panic!("{findings:#?}")), &schemas, &sources);
    (Arc::new(plan), schemas)
}

pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

pub(crate) fn hubspot(object: &str) -> ObjectName {
    ObjectName::new(Side::Hubspot, object)
}

pub(crate) fn salesforce(object: &str) -> ObjectName {
    ObjectName::new(Side::Salesforce, object)
}

pub(crate) struct Stage {
    pub(crate) portal: portal::HubspotHandle,
    pub(crate) org: org::SalesforceHandle,
    pub(crate) store: Arc<SqliteStore>,
    worker: Handle,
    feed: Feed,
    metrics: Arc<Metrics>,
    /// How many objects the feed asks for.
    watched: usize,
    ingress: Ingress,
}

impl Stage {
    /// The stage with every event of contacts told by `contact.propertyChange`.
    pub(crate) async fn new() -> Self {
        Self::told_by(portal::Subscription::to_property("contact", "lifecyclestage")).await
    }

    /// The stage with a contact's lifecycle stage told by this subscription.
    pub(crate) async fn told_by(lifecycle: portal::Subscription) -> Self {
        Self::with(lifecycle, project(|text| text)).await
    }

    /// The stage with the shipped project in which one line is another.
    pub(crate) async fn edited_project(line: &str, by: &str) -> Self {
        let edited = std::cell::Cell::new(0);
        let project = project(|text| {
            edited.set(edited.get() + text.matches(line).count());
            text.replace(line, by)
        });
        assert_eq!(edited.get(), 1, "the project has `{line}` once");
        Self::with(portal::Subscription::to_property("contact", "lifecyclestage"), project).await
    }

    async fn with(lifecycle: portal::Subscription, (plan, schemas): (Arc<Plan>, Schemas)) -> Self {
        let seed = Seed::parse(include_str!("../../mappings/sandbox.yaml"), "sandbox.yaml").expect("a seed");
        let mut config = portal::HubspotConfig::default().seeded(seed.hubspot);
        config.webhooks.signed_uri = Some(PUBLIC.to_owned());
        let subscriptions = SUBSCRIPTIONS.iter().map(|event| portal::Subscription::to(event));
        let properties =
            PROPERTIES.iter().map(|(object, name)| portal::Subscription::to_property(object, name));
        config.webhooks.subscriptions = subscriptions.chain(properties).chain([lifecycle]).collect();
        let listens = (config.portal_id, config.app_id, config.app_secret.clone());
        let portal = portal::HubspotServer::start(config).await.expect("a portal");
        let config = org::SalesforceConfig { seed: seed.salesforce.to_value(), ..Default::default() };
        let app = config.connected_apps[0].clone();
        let org = org::SalesforceServer::start(config).await.expect("an org");

        let http = HttpOptions { allow_private: true, ..HttpOptions::new(now, || 0.5) };
        let hubspot = HubspotConfig {
            base_url: portal.base_url().parse().expect("a URL"),
            auth: mapwright::crm::hubspot::HubspotAuth::Token(portal.config().tokens[0].clone().into()),
            path_version: "v3".to_owned(),
            objects: HubspotConfig::objects_of(&schemas.hubspot),
        };
        let salesforce = SalesforceConfig {
            login_url: org.base_url().parse().expect("a URL"),
            api_version: "58.0".to_owned(),
            auth: SalesforceAuth::ClientCredentials {
                client_id: app.client_id,
                client_secret: app.client_secret.expect("a secret").into(),
            },
            aliases: HashMap::new(),
        };
        let client = HubspotClient::new(hubspot, http).expect("a client").with_timelines(&schemas.hubspot);
        let salesforce = Arc::new(SalesforceClient::new(salesforce, http).expect("a client"));
        let source: Arc<dyn Changes> = salesforce.clone();
        let crms = Crms { hubspot: Arc::new(client), salesforce };
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let (clock, metrics, health) =
            (Arc::new(SystemClock), Arc::new(Metrics::default()), Arc::new(Health::default()));
        let ingress = listener(listens, &store, &clock, &metrics, &health).await;
        portal.set_target(Some(&format!("http://{}/webhooks/hubspot/main", ingress.address())));
        let parts = Parts {
            pair: "main".to_owned(),
            plan,
            crms,
            store: store.clone(),
            clock,
            metrics: metrics.clone(),
            health,
            settings: Settings::default(),
        };
        let on_salesforce = |watched: &mapwright::plan::Watched| watched.object.side == Side::Salesforce;
        let watched = parts.plan.watched().iter().filter(|watched| on_salesforce(watched)).count();
        let settings = PollSettings {
            salesforce: Some(Duration::from_millis(100)),
            hubspot: None,
            mappings: BTreeMap::new(),
            overlap: Duration::from_mins(10),
        };
        let feed = Feed::start(FeedParts { parts: parts.clone(), sources: vec![source], settings });
        let worker = Runtime::start(parts).await.expect("a worker");
        let stage = Self { portal, org, store, worker, feed, metrics, watched, ingress };
        // What is there when the feed begins is no change.
        stage.polled().await;
        stage
    }

    /// Waits until every webhook is delivered, Salesforce was polled, and every record is settled; writes come back as
    /// changes of their own.
    pub(crate) async fn settle(&self) {
        for _ in 0..3 {
            self.portal.settled().await;
            self.polled().await;
            assert!(self.worker.idle(PATIENCE).await.expect("the store"), "{:?}", self.store.pending().await);
        }
    }

    /// Waits until every object was polled; the poll that is under way may have begun too early.
    async fn polled(&self) {
        let begun = self.polls();
        let twice = async {
            while self.polls() < begun + 2 * self.watched {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let rendered = || self.metrics.render();
        tokio::time::timeout(PATIENCE, twice)
            .await
            .unwrap_or_else(|_| panic!("nothing is polled: {}", rendered()));
    }

    fn polls(&self) -> usize {
        let text = self.metrics.render();
        let line = "mapwright_feed_pages_total{pair=\"main\",crm=\"salesforce\",result=\"read\"} ";
        let value = text.lines().find_map(|found| found.strip_prefix(line));
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    /// Lets the org's clock go ahead.
    pub(crate) fn org_later(&self, by: chrono::Duration) {
        let offset_seconds = Some(by.num_seconds());
        self.org.set_clock(ClockSetting { offset_seconds, ..ClockSetting::default() });
    }

    /// A record that somebody makes in Salesforce.
    pub(crate) async fn made(&self, object: &str, fields: &Json) -> String {
        let id = self.org.create(object, fields).expect("a record");
        self.settle().await;
        id
    }

    /// A record that was in Salesforce long before the feed began, so that nothing was told of it.
    pub(crate) fn long_there(&self, object: &str, mut fields: Json) -> String {
        for stamp in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
            fields[stamp] = Json::from("2020-01-01T00:00:00.000+0000");
        }
        self.org.create(object, &fields).expect("a record")
    }

    /// A record that somebody edits in Salesforce.
    pub(crate) async fn edited(&self, object: &str, id: &str, fields: &Json) {
        self.org.change(object, id, fields).expect("edited");
        self.settle().await;
    }

    /// A contact that marketing qualifies, and the Lead that comes of it.
    pub(crate) async fn qualified(&self, id: &str, email: &str) -> String {
        let properties =
            [("email", email), ("lastname", "Doe"), ("lifecyclestage", "marketingqualifiedlead")];
        self.portal.create("contact", Some(id), &properties, &portal::Actor::person()).expect("a contact");
        self.settle().await;
        self.counterpart(hubspot("contact"), id).await.expect("a Lead")
    }

    /// The record with which a record is paired, if that one is not known to be gone.
    pub(crate) async fn counterpart(&self, of: ObjectName, id: &str) -> Option<String> {
        let objects: &[ObjectName] = match of.name.as_str() {
            "contact" => &[salesforce("Lead"), salesforce("Contact")],
            "company" => &[salesforce("Account")],
            "Account" => &[hubspot("company")],
            "Opportunity" => &[hubspot("deal")],
            other => panic!("no pairs of {other}"),
        };
        for to in objects {
            let ids = vec![id.to_owned()];
            let request = LinkRequest { by: None, of: of.clone(), ids, to: to.clone() };
            let pairs = self.store.counterparts("main", &request).await.expect("links");
            if let Some(pair) = pairs.into_iter().find(|pair| !pair.gone) {
                return Some(pair.to);
            }
        }
        None
    }

    /// The only row of a query.
    pub(crate) fn row(&self, soql: &str) -> Json {
        let mut rows = self.org.query(soql).expect("SOQL");
        assert_eq!(rows.len(), 1, "{soql}: {rows:#?}");
        rows.remove(0)
    }

    /// A property of a HubSpot record.
    pub(crate) fn property(&self, kind: &str, id: &str, name: &str) -> Json {
        let record = self.portal.record(kind, id).unwrap_or_else(|| panic!("no {kind} {id}"));
        record["properties"][name].clone()
    }

    /// The ids with which a HubSpot record is associated, with the labels.
    pub(crate) async fn associated(&self, from: (&str, &str), to: &str) -> Vec<(String, Vec<String>)> {
        let url =
            format!("{}/crm/v4/objects/{}/{}/associations/{to}", self.portal.base_url(), from.0, from.1);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(url).bearer_auth(&self.portal.config().tokens[0]).send().await;
        let body: Json = answer.expect("an answer").json().await.expect("JSON");
        let rows = body["results"].as_array().unwrap_or_else(|| panic!("{body}"));
        let label = |kind: &Json| kind["label"].as_str().map(str::to_owned);
        let mut found: Vec<_> = rows
            .iter()
            .map(|row| {
                let kinds = row["associationTypes"].as_array().expect("types");
                let id = row["toObjectId"].as_u64().map_or_else(
                    || row["toObjectId"].as_str().unwrap_or_default().to_owned(),
                    |id| id.to_string(),
                );
                (id, kinds.iter().filter_map(label).collect())
            })
            .collect();
        found.sort();
        found
    }

    /// A person asks to be forgotten.
    pub(crate) async fn erase(&self, contact: &str) {
        let url = format!("{}/crm/v3/objects/contacts/gdpr-delete", self.portal.base_url());
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let call = client.post(url).bearer_auth(&self.portal.config().tokens[0]);
        let answer = call.json(&serde_json::json!({"objectId": contact})).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 204);
    }

    /// The reasons of what is parked, with the record.
    pub(crate) async fn parked(&self) -> Vec<(String, String)> {
        let parked = self.store.parked().await.expect("parked").into_iter();
        parked.map(|parked| (parked.key.to_string(), parked.reason.reason)).collect()
    }

    pub(crate) async fn end(self) {
        self.ingress.shutdown().await.expect("a clean end");
        assert!(self.feed.shutdown().await);
        assert!(self.worker.shutdown().await);
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }
}
