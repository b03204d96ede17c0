//! Associations, counterparts and record types from end to end: the checker's plan, the interpreter, the driver and both
//! clients against both sandboxes over HTTP. The pairs are those that earlier runs of the same test settled.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::crm::http::HttpOptions;
use crate::crm::hubspot::{HubspotClient, HubspotConfig};
use crate::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use crate::eval::{Finished, Made, Run, Verdict};
use crate::plan::{Plan, testing::plan};
use crate::sandbox::hubspot as portal;
use crate::sandbox::salesforce as org;
use crate::sandbox::seed::Seed;
use crate::source::{ObjectName, Side};
use crate::store::{Origin, SqliteStore, Store};
use crate::types::{AssociateRequest, AssociatedRequest, AssociationKind, LinkRequest};

use super::driver::{End, drive};
use super::engine::Job;
use super::{Clock, Crms, Memory, Preview, SystemClock, preview, record_once};

const PROJECT: &str = r#"
mapping opportunity {
  from salesforce.Opportunity
  to   hubspot.deal
  with each role = salesforce.OpportunityContactRole where OpportunityId = Id
  when created
  match { key salesforce_opportunity_id = Id }
  on none      create
  on rejected  park
  associate primary     linked hubspot.company of AccountId  otherwise wait
  associate "Billed to" linked hubspot.company of AccountId  otherwise wait
  associate exactly linked hubspot.contact of role.ContactId  otherwise wait
  fields { dealname <- Name }
}
mapping account {
  from salesforce.Account
  to   hubspot.company
  when created
  match { name = Name }
  on none      create
  on many      park
  on rejected  park
  fields { name <- Name }
}
mapping contact {
  from salesforce.Contact
  to   hubspot.contact
  when created
  match { email = Email }
  on none      create
  on many      park
  on rejected  park
  fields {
    email    <- Email
    lastname <- LastName
  }
}
mapping deal {
  from hubspot.deal
  to   salesforce.Opportunity
  with company = "Billed to" hubspot.company
  match { key HubSpot_Deal_ID__c = id }
  on none       create
  on duplicate  park
  on rejected   park
  record type if description is present then "Existing Business" else "New Business"
  fields {
    Name      <- first_present(dealname, "Deal") | truncate(120)  on create
    AccountId <- linked salesforce.Account of company             otherwise wait
    StageName <- "Prospecting"                                    on create
    CloseDate <- "2030-01-31" | date                              otherwise park
  }
}
"#;

const SEED: &str = r#"
hubspot:
  properties:
    deal:
      salesforce_opportunity_id: { type: string/text, flags: [unique] }
      salesforce_account_id: { type: string/text }
salesforce:
  objects:
    Account:
      - { _ref: acme, Name: Acme }
    Contact:
      - { _ref: jane, LastName: Doe, Email: jane@acme.test, AccountId: "@acme" }
      - { _ref: john, LastName: Roe, Email: john@acme.test, AccountId: "@acme" }
      - { _ref: mary, LastName: Poe, Email: mary@acme.test, AccountId: "@acme" }
    Opportunity:
      - { _ref: big, Name: Big, AccountId: "@acme", StageName: Prospecting, CloseDate: "2030-01-31" }
      - { _ref: small, Name: Small, AccountId: "@acme", StageName: Prospecting, CloseDate: "2030-01-31" }
    OpportunityContactRole:
      - { OpportunityId: "@big", ContactId: "@jane" }
      - { OpportunityId: "@big", ContactId: "@john" }
      - { OpportunityId: "@small", ContactId: "@jane" }
  record_types:
    Opportunity:
      - { name: New Business }
      - { name: Existing Business }
"#;

struct World {
    plan: Arc<Plan>,
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    crms: Crms,
    store: SqliteStore,
}

impl World {
    async fn new() -> Self {
        let seed = Seed::parse(SEED, "seed.yaml").expect("a seed");
        let portal = portal::HubspotConfig::default().seeded(seed.hubspot);
        let portal = portal::HubspotServer::start(portal).await.expect("a portal");
        define_label(&portal).await;
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
        let store = SqliteStore::in_memory().await.expect("a store");
        Self { plan: Arc::new(plan(PROJECT)), portal, org, crms, store }
    }

    fn memory(&self) -> Memory<'_> {
        Memory { store: &self.store, pair: "main" }
    }

    /// Runs a mapping for all these records at once, and remembers the pairs.
    async fn run(&self, mapping: &str, records: &[String]) -> Vec<Finished> {
        let job = |record: &String| {
            let run = Run::start(Arc::clone(&self.plan), mapping, record).expect("the mapping");
            Box::new(run) as Box<dyn Job>
        };
        let ends = drive(records.iter().map(job).collect(), &self.crms, self.memory()).await;
        let source = self.plan.mapping(mapping).expect("the mapping").source.clone();
        let mut finished = Vec::new();
        for (record, end) in records.iter().zip(ends) {
            let End::Finished(end) = end else { panic!("{record}: {end:?}") };
            let now = SystemClock.now();
            let kept = record_once(
                self.memory(),
                source.clone(),
                record,
                mapping,
                end.clone(),
                (Origin::default(), now),
            );
            kept.await.expect("the store keeps it");
            finished.push(end);
        }
        finished
    }

    fn ids(&self, object: &str, name: &str) -> Vec<String> {
        let found = self.org.query(&format!("SELECT Id FROM {object} WHERE Name IN ({name})")).expect("rows");
        found.iter().map(|row| row["Id"].as_str().expect("an id").to_owned()).collect()
    }

    async fn associated(&self, deal: &str, to: &str, kind: AssociationKind) -> Vec<String> {
        let from = ObjectName::new(Side::Hubspot, "deal");
        let request = AssociatedRequest { from, ids: vec![deal.to_owned()], to: to.to_owned(), kind };
        let mut found = self.crms.hubspot.associated(&request).await.expect("an answer");
        let mut found = found.remove(deal).unwrap_or_default();
        found.sort();
        found
    }

    /// The HubSpot id of a record of Salesforce.
    async fn counterpart(&self, of: &str, salesforce: &str, to: &str) -> String {
        let request = LinkRequest {
            by: None,
            of: ObjectName::new(Side::Salesforce, of),
            ids: vec![salesforce.to_owned()],
            to: ObjectName::new(Side::Hubspot, to),
        };
        let pairs = self.store.counterparts("main", &request).await.expect("an answer");
        pairs.first().expect("a pair").to.clone()
    }

    fn association_calls(&self) -> Vec<String> {
        let log = self.portal.call_log();
        let calls =
            log.iter().filter(|call| call.path.contains("/associations/") && !call.path.ends_with("/read"));
        calls.map(|call| call.path.clone()).filter(|path| !path.ends_with("/labels")).collect()
    }
}

fn billed() -> AssociationKind {
    AssociationKind::Labelled("Billed to".to_owned())
}

/// Makes a label between deals and companies, as a person does in HubSpot's settings.
async fn define_label(portal: &portal::HubspotHandle) {
    let url = format!("{}/crm/v4/associations/deals/companies/labels", portal.base_url());
    let call = reqwest::Client::builder().no_proxy().build().expect("a client").post(url);
    let call = call
        .bearer_auth(&portal.config().tokens[0])
        .json(&json!({"label": "Billed to", "name": "billed_to"}));
    assert!(call.send().await.expect("an answer").status().is_success());
}

fn id_of(end: &Finished) -> String {
    match &end.verdict {
        Verdict::Written { id, .. } | Verdict::Unchanged { id, .. } => id.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_opportunity_becomes_a_deal_of_its_company_and_contacts_whatever_comes_first() {
    let world = World::new().await;
    let opportunities = world.ids("Opportunity", "'Big', 'Small'");
    let accounts = world.ids("Account", "'Acme'");
    let contacts = world.ids("Contact", "'Doe', 'Roe', 'Poe'");
    assert_eq!((opportunities.len(), accounts.len(), contacts.len()), (2, 1, 3));

    // The Opportunities come first: their deals are there, and what they belong to is waited for.
    let first = world.run("opportunity", &opportunities).await;
    for end in &first {
        assert!(matches!(end.verdict, Verdict::Written { created: true, .. }), "{end:?}");
    }
    assert_eq!(first.iter().map(|end| end.awaits().len()).collect::<Vec<_>>(), [4, 3]);
    assert!(world.association_calls().is_empty());

    world.run("account", &accounts).await;
    world.run("contact", &contacts).await;
    let Preview::WouldFinish(shown) =
        preview(Arc::clone(&world.plan), "opportunity", &opportunities[0], &world.crms, Some(world.memory()))
            .await
            .expect("a preview")
    else {
        panic!("the deal is already as it should be")
    };
    assert!(matches!(shown.verdict, Verdict::Unchanged { .. }), "{shown:?}");

    let second = world.run("opportunity", &opportunities).await;
    assert!(second.iter().all(|end| end.awaits().is_empty() && end.troubled().is_none()), "{second:?}");
    let [big, small] = [id_of(&second[0]), id_of(&second[1])];
    let company = vec![world.counterpart("Account", &accounts[0], "company").await];
    for deal in [&big, &small] {
        assert_eq!(world.associated(deal, "company", AssociationKind::Primary).await, company);
        assert_eq!(world.associated(deal, "company", billed()).await, company);
    }
    let mut known = Vec::new();
    for contact in &contacts {
        known.push(world.counterpart("Contact", contact, "contact").await);
    }
    let people = |ids: &[usize]| {
        let mut people: Vec<String> = ids.iter().map(|index| known[*index].clone()).collect();
        people.sort();
        people
    };
    assert_eq!(world.associated(&big, "contact", AssociationKind::Plain).await, people(&[0, 1]));
    assert_eq!(world.associated(&small, "contact", AssociationKind::Plain).await, people(&[0]));
    let calls = world.association_calls();
    assert_eq!(calls.len(), 3, "one call for each kind of association of both deals: {calls:?}");

    // Nothing changed: nothing is sent.
    let third = world.run("opportunity", &opportunities).await;
    assert!(third.iter().flat_map(|end| &end.associations).all(|one| one.made == Made::Kept), "{third:?}");
    assert_eq!(world.association_calls().len(), 3);

    // Another person takes a role: `exactly` takes the first one away.
    let soql = format!("SELECT Id FROM OpportunityContactRole WHERE ContactId = '{}'", contacts[1]);
    let role = world.org.query(&soql).expect("a role")[0]["Id"].as_str().expect("an id").to_owned();
    world.org.change("OpportunityContactRole", &role, &json!({"ContactId": contacts[2]})).expect("a change");
    world.run("opportunity", &opportunities).await;
    assert_eq!(world.associated(&big, "contact", AssociationKind::Plain).await, people(&[0, 2]));
    world.org.shutdown().await;
    world.portal.shutdown().await;
}

#[tokio::test]
async fn a_deal_becomes_an_opportunity_of_its_record_type_and_its_companys_account() {
    let world = World::new().await;
    let accounts = world.ids("Account", "'Acme'");
    world.run("account", &accounts).await;
    let actor = portal::Actor::person();
    let company = world.counterpart("Account", &accounts[0], "company").await;
    let other = world.portal.create("company", None, &[("name", "Other")], &actor).expect("a company");
    for (id, more) in [("901", [].as_slice()), ("902", [("description", "a renewal")].as_slice())] {
        let values: Vec<_> = [("dealname", "From HubSpot")].iter().chain(more).copied().collect();
        world.portal.create("deal", Some(id), &values, &actor).expect("a deal");
        // The label tells the company that is meant from the one that HubSpot shows first.
        world.portal.associate(("deal", id), ("company", &other), &actor).expect("an association");
        let request = AssociateRequest {
            from: ObjectName::new(Side::Hubspot, "deal"),
            from_id: id.to_owned(),
            to: "company".to_owned(),
            to_id: company.clone(),
            kind: billed(),
        };
        assert_eq!(world.crms.hubspot.associate(&[request]).await, [Ok(())]);
    }
    let ends = world.run("deal", &["901".to_owned(), "902".to_owned()]).await;
    for (end, developer_name) in ends.iter().zip(["New_Business", "Existing_Business"]) {
        let made = world.org.get("Opportunity", &id_of(end)).expect("an Opportunity");
        assert_eq!(made["AccountId"], Json::from(accounts[0].clone()));
        let soql = format!("SELECT Id FROM RecordType WHERE DeveloperName = '{developer_name}'");
        assert_eq!(
            made["RecordTypeId"],
            world.org.query(&soql).expect("a type")[0]["Id"],
            "{developer_name}"
        );
    }
    let asked = world.org.calls().iter().filter(|call| call.path.contains("RecordType")).count();
    assert!(asked <= 2, "the look-ups of all records share their calls: {asked}");
    world.org.shutdown().await;
    world.portal.shutdown().await;
}
