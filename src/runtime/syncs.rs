//! A sync from end to end: the checker's plan, the interpreter, the driver, both clients against both sandboxes over HTTP,
//! and the pairs in the store.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::crm::http::HttpOptions;
use crate::crm::hubspot::{HubspotClient, HubspotConfig};
use crate::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use crate::eval::{Finished, SyncRun, Synced, Verdict};
use crate::plan::{Plan, testing::plan};
use crate::sandbox::hubspot as portal;
use crate::sandbox::salesforce as org;
use crate::sandbox::seed::Seed;
use crate::source::{ObjectName, Side};
use crate::store::{Origin, SqliteStore};
use crate::types::{ReadRequest, Value, WriteRequest, WriteTarget};

use super::driver::{End, drive};
use super::engine::Job;
use super::{Clock, Crms, Memory, Preview, SystemClock, preview, record_once};

const PROJECT: &str = r"
sync accounts {
  between hubspot.company and salesforce.Account
  match { hubspot.company where domain = Website | registrable_domain }
  on none in hubspot     create
  on none in salesforce  skip
  on many                park
  on rejected            park
  fields {
    name   <-> Name                       on conflict latest otherwise salesforce
    phone  <-> Phone via truncate(40)     on conflict salesforce
    domain <-  Website | registrable_domain
  }
}
";

const SEED: &str = r"
salesforce:
  records:
    Account:
      - { Name: Acme, Website: 'https://www.acme.example', Phone: '555' }
";

struct World {
    plan: Arc<Plan>,
    _portal: portal::HubspotHandle,
    _org: org::SalesforceHandle,
    crms: Crms,
    store: SqliteStore,
    account: String,
}

impl World {
    async fn new() -> Self {
        let seed = Seed::parse(SEED, "seed.yaml").expect("a seed");
        let portal = portal::HubspotConfig::default().seeded(seed.hubspot);
        let portal = portal::HubspotServer::start(portal).await.expect("a portal");
        let config = org::SalesforceConfig { seed: seed.salesforce.to_value(), ..Default::default() };
        let app = config.connected_apps[0].clone();
        let org = org::SalesforceServer::start(config).await.expect("an org");
        let http = HttpOptions { allow_private: true, ..HttpOptions::new(|| SystemClock.now(), || 0.5) };
        let hubspot = HubspotConfig {
            base_url: portal.base_url().parse().expect("a URL"),
            auth: crate::crm::hubspot::HubspotAuth::Token(portal.config().tokens[0].clone().into()),
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
        let found = org.query("SELECT Id FROM Account").expect("rows");
        let account = found[0]["Id"].as_str().expect("an id").to_owned();
        let store = SqliteStore::in_memory().await.expect("a store");
        Self { plan: Arc::new(plan(PROJECT)), _portal: portal, _org: org, crms, store, account }
    }

    fn memory(&self) -> Memory<'_> {
        Memory { store: &self.store, pair: "main" }
    }

    /// Runs the sync for a record, and keeps what it came to.
    async fn run(&self, object: &ObjectName, record: &str) -> Synced {
        let run = SyncRun::start(Arc::clone(&self.plan), "accounts", object, record).expect("the sync");
        let ends = drive(vec![Box::new(run) as Box<dyn Job>], &self.crms, self.memory()).await;
        let Some(End::Finished(end)) = ends.into_iter().next() else { panic!("no end") };
        let end: Finished = end;
        let now = SystemClock.now();
        let kept = record_once(
            self.memory(),
            object.clone(),
            record,
            "accounts",
            end.clone(),
            (Origin::default(), now),
        );
        kept.await.expect("the store keeps it");
        match end.verdict {
            Verdict::Synced(synced) => synced,
            other => panic!("{other:?}"),
        }
    }

    async fn edit(&self, object: &ObjectName, id: &str, field: &str, value: &str) {
        let request = WriteRequest {
            object: object.clone(),
            target: WriteTarget::Update { id: id.to_owned() },
            fields: vec![(field.to_owned(), Value::text(value))],
            allow_duplicates: false,
            assignment_rule: None,
        };
        let answers = self.crms.get(object.side).write(&[request]).await;
        assert!(matches!(answers[0], crate::types::WriteAnswer::Written { .. }), "{answers:?}");
    }

    async fn field(&self, object: &ObjectName, id: &str, field: &str) -> Json {
        let (ids, fields) = (vec![id.to_owned()], vec![field.to_owned()]);
        let request = ReadRequest { object: object.clone(), ids, fields };
        let records = self.crms.get(object.side).read(&request).await.expect("an answer");
        records[0].values[field].clone()
    }
}

#[tokio::test]
async fn a_pair_is_made_and_a_change_on_either_side_settles_in_one_write() {
    let (account, company) =
        (ObjectName::new(Side::Salesforce, "Account"), ObjectName::new(Side::Hubspot, "company"));
    let world = World::new().await;
    let shown =
        preview(Arc::clone(&world.plan), "accounts", &world.account, &world.crms, Some(world.memory()));
    let Preview::WouldWrite(writes, _) = shown.await.expect("a preview") else { panic!("it would write") };
    assert_eq!(writes.len(), 1, "{writes:?}");

    let made = world.run(&account, &world.account).await;
    assert_eq!((made.writes.len(), made.writes[0].created), (1, true), "{made:?}");
    let id = made.hubspot.1.clone();
    assert_eq!(world.field(&company, &id, "domain").await, json!("acme.example"));

    // Its own echo, from the other side.
    assert!(world.run(&company, &id).await.writes.is_empty());

    world.edit(&company, &id, "phone", "556").await;
    let carried = world.run(&company, &id).await;
    assert_eq!(carried.writes.len(), 1, "{carried:?}");
    assert_eq!(world.field(&account, &world.account, "Phone").await, json!("556"));
    assert!(world.run(&account, &world.account).await.writes.is_empty());

    world.edit(&account, &world.account, "Name", "Acme Inc").await;
    let carried = world.run(&account, &world.account).await;
    assert_eq!(carried.writes.len(), 1, "{carried:?}");
    assert_eq!(world.field(&company, &id, "name").await, json!("Acme Inc"));
    assert!(world.run(&company, &id).await.writes.is_empty());

    // Both at once: Salesforce decides about phones, and its value goes over.
    world.edit(&company, &id, "phone", "557").await;
    world.edit(&account, &world.account, "Phone", "558").await;
    assert_eq!(world.run(&company, &id).await.writes.len(), 1);
    assert_eq!(world.field(&company, &id, "phone").await, json!("558"));
    assert!(world.run(&account, &world.account).await.writes.is_empty());
}
