//! The worker over both sandboxes with the shipped mappings: many records at once, two for one Lead, lost answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mapwright::check::check;
use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::crm::hubspot::{HubspotClient, HubspotConfig};
use mapwright::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use mapwright::plan::{Plan, compile};
use mapwright::runtime::{Clock, Crms, Handle, Health, Metrics, Parts, Runtime, Settings, SystemClock};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::schema::{Schemas, load};
use mapwright::source::{ObjectName, Side, Sources};
use mapwright::store::{Incoming, NewEvent, SqliteStore, Store};
use mapwright::syntax;
use mapwright::types::{ChangeEvent, ChangeKind};
use serde_json::{Value as Json, json};

const BY_EMAIL: &str = "or  Email = mail where IsConverted = false";
const BY_TITLE: &str = "or  Title = jobtitle where IsConverted = false";
const PATIENCE: Duration = Duration::from_mins(1);

/// The shipped mappings; `rung` takes the place of the look-up by e-mail, which HubSpot keeps unique by itself.
fn plan(rung: &str) -> Arc<Plan> {
    let mut sources = Sources::new();
    let mut read = |name: &str, text: &str| load(&mut sources, name, text).0.expect("a schema");
    let schemas = Schemas {
        hubspot: read("schema/hubspot.yaml", include_str!("../mappings/schema/hubspot.yaml")),
        salesforce: read("schema/salesforce.yaml", include_str!("../mappings/schema/salesforce.yaml")),
    };
    let lead = include_str!("../mappings/mql_to_lead.map").replace(BY_EMAIL, rung);
    assert!(lead.contains(rung));
    let files = [
        ("mql_to_lead.map", lead.as_str()),
        ("contact_from_mql.map", include_str!("../mappings/contact_from_mql.map")),
        ("company_to_account.map", include_str!("../mappings/company_to_account.map")),
        ("picklists.map", include_str!("../mappings/picklists.map")),
    ];
    let trees = files.map(|(name, text)| syntax::parse(sources.add(name, text.to_owned()), text).0);
    let (project, findings) = check(&trees, &schemas, &sources);
    Arc::new(compile(&project.unwrap_or_else(|| panic!("{findings:?}")), &schemas, &sources))
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

struct World {
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    store: Arc<SqliteStore>,
    parts: Parts,
}

impl World {
    async fn new() -> Self {
        Self::matching(BY_EMAIL).await
    }

    async fn matching(rung: &str) -> Self {
        let portal = portal::HubspotServer::start(portal::HubspotConfig::default()).await.expect("a portal");
        let config = org::SalesforceConfig::default();
        let app = config.connected_apps[0].clone();
        let org = org::SalesforceServer::start(config).await.expect("an org");
        let retry = RetryPolicy { base_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        let http = HttpOptions { allow_private: true, retry, ..HttpOptions::new(now, || 0.5) };
        let hubspot = HubspotConfig {
            base_url: portal.base_url().parse().expect("a URL"),
            token: portal.config().tokens[0].clone().into(),
            path_version: "v3".to_owned(),
            objects: HashMap::new(),
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
        let crms = Crms {
            hubspot: Arc::new(HubspotClient::new(hubspot, http).expect("a client")),
            salesforce: Arc::new(SalesforceClient::new(salesforce, http).expect("a client")),
        };
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let parts = Parts {
            pair: "main".to_owned(),
            plan: plan(rung),
            crms,
            store: store.clone(),
            clock: Arc::new(SystemClock),
            metrics: Arc::new(Metrics::default()),
            health: Arc::new(Health::default()),
            settings: Settings { first_backoff: Duration::from_millis(10), ..Settings::default() },
        };
        Self { portal, org, store, parts }
    }

    fn contact(&self, id: &str, email: &str, more: &[(&str, &str)]) {
        let actor = portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None };
        let mut properties = vec![
            ("email", email),
            ("lastname", "Doe"),
            ("company", "Acme"),
            ("lifecyclestage", "marketingqualifiedlead"),
        ];
        properties.extend(more);
        self.portal.create("contact", Some(id), &properties, &actor).expect("a contact");
    }

    async fn became(&self, ids: impl IntoIterator<Item = String>) {
        let event = |id: String| NewEvent {
            pair: "main".to_owned(),
            dedupe: id.clone(),
            raw: "{}".to_owned(),
            received_at: now(),
            incoming: Incoming::Change(ChangeEvent {
                object: ObjectName::new(Side::Hubspot, "contact"),
                record: id,
                kind: ChangeKind::FieldChanged {
                    field: "lifecyclestage".to_owned(),
                    value: Some("marketingqualifiedlead".to_owned()),
                },
                occurred_at: now(),
            }),
        };
        self.store.append(ids.into_iter().map(event).collect()).await.expect("append");
    }

    async fn work(&self) -> Handle {
        let worker = Runtime::start(self.parts.clone()).await.expect("a worker");
        assert!(worker.idle(PATIENCE).await.expect("the store"), "{:?}", self.store.pending().await);
        worker
    }

    fn leads(&self, wher: &str) -> Vec<Json> {
        let soql = format!("SELECT Id, Email, Title, LastName, HubSpot_Contact_ID__c FROM Lead WHERE {wher}");
        self.org.query(&soql).expect("SOQL")
    }

    fn calls(&self, method: &str, path: &str) -> usize {
        let calls = self.org.calls();
        calls.iter().filter(|call| call.method == method && call.path.contains(path)).count()
    }

    async fn end(self, worker: Handle) {
        assert!(worker.shutdown().await);
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }
}

#[tokio::test]
async fn two_new_contacts_that_match_one_another_make_one_lead() {
    let world = World::matching(BY_TITLE).await;
    for id in ["1", "2"] {
        world.contact(id, &format!("p{id}@acme.example"), &[("jobtitle", "CEO of Acme")]);
    }
    world.became(["1", "2"].map(str::to_owned)).await;
    let worker = world.work().await;
    let leads = world.leads("Title = 'CEO of Acme'");
    assert_eq!(leads.len(), 1, "{leads:?}");
    let parked = world.store.parked().await.expect("parked");
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].reason.reason, "that Lead belongs to another HubSpot contact");
    assert_ne!(leads[0]["HubSpot_Contact_ID__c"], json!(parked[0].key.record));
    world.end(worker).await;
}

#[tokio::test]
async fn two_contacts_for_one_lead_of_the_sales_team_do_not_share_it() {
    let world = World::matching(BY_TITLE).await;
    for (id, last) in [("1", "Doe"), ("2", "Roe")] {
        world.contact(id, &format!("p{id}@acme.example"), &[("jobtitle", "CEO of Acme"), ("lastname", last)]);
    }
    let typed = json!({"LastName": "?", "Company": "Acme", "Title": "CEO of Acme"});
    world.org.create("Lead", &typed).expect("a Lead");
    world.became(["1", "2"].map(str::to_owned)).await;
    let worker = world.work().await;
    let leads = world.leads("Title = 'CEO of Acme'");
    assert_eq!(leads.len(), 1, "{leads:?}");
    // The one that is written is written as a whole, and the other one waits for a person.
    let (last, email) = if leads[0]["HubSpot_Contact_ID__c"] == json!("1") {
        ("Doe", "p1@acme.example")
    } else {
        ("Roe", "p2@acme.example")
    };
    assert_eq!((&leads[0]["LastName"], &leads[0]["Email"]), (&json!(last), &json!(email)));
    assert_eq!(world.store.parked().await.expect("parked").len(), 1);
    world.end(worker).await;
}

#[tokio::test]
async fn a_hand_over_inside_a_batch_updates_the_contact_and_makes_no_lead() {
    let world = World::new().await;
    for id in ["1", "2", "3"] {
        world.contact(id, &format!("p{id}@acme.example"), &[("jobtitle", "VP")]);
    }
    world.org.create("Contact", &json!({"LastName": "Doe", "Email": "p2@acme.example"})).expect("a Contact");
    world.became(["1", "2", "3"].map(str::to_owned)).await;
    let worker = world.work().await;
    assert_eq!(world.leads("Email != null").len(), 2);
    let contacts = world.org.query("SELECT Title, HubSpot_Contact_ID__c FROM Contact").expect("SOQL");
    assert_eq!((&contacts[0]["Title"], &contacts[0]["HubSpot_Contact_ID__c"]), (&json!("VP"), &json!("2")));
    world.end(worker).await;
}

#[tokio::test]
async fn a_burst_of_a_thousand_contacts_shares_its_calls() {
    let world = World::new().await;
    let ids: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
    for id in &ids {
        world.contact(id, &format!("p{id}@acme.example"), &[]);
    }
    world.became(ids).await;
    let worker = world.work().await;
    assert_eq!(world.leads("Email != null").len(), 1000);
    assert_eq!(world.store.parked().await.expect("parked"), []);
    let (hubspot, salesforce) = (world.portal.calls(), world.org.calls().len());
    // Ten batches of a hundred: contacts and their companies are two calls each; key, e-mail and Contact look-ups and
    // the write are calls that a hundred records share, as far as the length of a query allows.
    assert!(hubspot <= 30, "{hubspot} calls to HubSpot");
    assert!(salesforce <= 120, "{salesforce} calls to Salesforce");
    assert_eq!(world.calls("PATCH", "/composite/sobjects/"), 10);
    println!("1,000 contacts: {hubspot} calls to HubSpot, {salesforce} to Salesforce");
    world.end(worker).await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_makes_no_second_lead() {
    let world = World::new().await;
    for id in ["1", "2", "3"] {
        world.contact(id, &format!("p{id}@acme.example"), &[]);
    }
    world.org.add_fault(org::Fault {
        method: Some("PATCH".to_owned()),
        path: "/composite/sobjects/".to_owned(),
        moment: Some(org::FaultMoment::After),
        ..org::Fault::default()
    });
    world.became(["1", "2", "3"].map(str::to_owned)).await;
    let worker = world.work().await;
    let leads = world.leads("Email != null");
    assert_eq!(leads.len(), 3, "{leads:?}");
    let keys = leads.iter().all(|lead| lead["HubSpot_Contact_ID__c"] != json!(null));
    assert!(keys && world.store.parked().await.expect("parked").is_empty());
    println!("lost answer: {} writes", world.calls("PATCH", "/composite/sobjects/"));
    world.end(worker).await;
}
