//! The worker over both sandboxes with the shipped mappings: many records at once, two for one Lead, lost answers.

mod costs;
mod sandboxes;

use std::sync::Arc;
use std::time::Duration;

use mapwright::crm::calls_of;
use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::plan::{Plan, costs};
use mapwright::runtime::{Handle, Parts, Runtime, Settings};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::source::{ObjectName, Side};
use mapwright::store::{Incoming, NewEvent, SqliteStore, Store};
use mapwright::types::{ChangeEvent, ChangeKind};
use serde_json::{Value as Json, json};

use sandboxes::{now, plan_of};

const BY_EMAIL: &str = "or  Email = mail where IsConverted = false";
const BY_TITLE: &str = "or  Title = jobtitle where IsConverted = false";
const PATIENCE: Duration = Duration::from_mins(1);

/// The shipped mappings; `rung` takes the place of the look-up by e-mail, which HubSpot keeps unique by itself.
fn plan(rung: &str) -> Arc<Plan> {
    let lead = include_str!("../mappings/mql_to_lead.map").replace(BY_EMAIL, rung);
    assert!(lead.contains(rung));
    let files = [
        ("mql_to_lead.map", lead.as_str()),
        ("contact_from_mql.map", include_str!("../mappings/contact_from_mql.map")),
        ("company_to_account.map", include_str!("../mappings/company_to_account.map")),
        ("picklists.map", include_str!("../mappings/picklists.map")),
    ];
    plan_of(&files)
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
        let retry = RetryPolicy { base_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        let http = HttpOptions { allow_private: true, retry, ..HttpOptions::new(now, || 0.5) };
        let (portal, org, crms, _) = sandboxes::start(portal::WebhookConfig::default(), http).await;
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let settings = Settings { first_backoff: Duration::from_millis(10), ..Settings::default() };
        let parts = sandboxes::parts(plan(rung), crms, store.clone(), settings);
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
    // A hundred contacts are one read. The token; key, e-mail and Contact look-ups; two hundred Leads are one write.
    assert_eq!(hubspot, 10);
    assert_eq!(salesforce, 1 + 3 + 5);
    assert_eq!(world.calls("PATCH", "/composite/sobjects/"), 5);
    println!("1,000 contacts: {hubspot} calls to HubSpot, {salesforce} to Salesforce");
    world.end(worker).await;
}

/// `mapwright cost` says what a mapping costs at most: what is made is that, but for what these records do not need.
#[tokio::test]
async fn what_a_mapping_costs_is_counted_right() {
    for together in [1_usize, 100, 300] {
        let world = World::new().await;
        let actor = portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None };
        world.portal.create("company", Some("9001"), &[("name", "Acme")], &actor).expect("a company");
        let ids: Vec<String> = (1..=together).map(|n| n.to_string()).collect();
        for id in &ids {
            world.contact(id, &format!("p{id}@acme.example"), &[]);
            world.portal.associate(("contact", id), ("company", "9001"), &actor).expect("an association");
        }
        let before = world.portal.calls();
        world.became(ids).await;
        let worker = world.work().await;
        assert_eq!(world.leads("Email != null").len(), together);
        let costs = costs(&world.parts.plan, &|_| false);
        let cost = costs.iter().find(|cost| cost.name == "mql_to_lead").expect("the mapping");
        let at_most = Side::ALL.map(|side| calls_of(&cost.work, side, together));
        let token = 1;
        let made =
            [usize::try_from(world.portal.calls() - before).expect("few"), world.org.calls().len() - token];
        println!("{together} together: {made:?} of at most {at_most:?}");
        // One company for all is one read. Nobody owns these contacts: two lists of owners and one look-up are
        // spared, and so is the read of a Lead that a pair would remember.
        let spared = [together.div_ceil(100) - 1 + 2, 2];
        for side in 0..2 {
            assert_eq!(made[side] + spared[side], at_most[side], "{together}: {made:?} {at_most:?}");
        }
        world.end(worker).await;
    }
}

#[tokio::test]
async fn contacts_that_come_one_after_another_share_calls_too() {
    let mut world = World::new().await;
    world.parts.settings.gather = Duration::from_secs(30);
    let ids: Vec<String> = (1..=300).map(|n| n.to_string()).collect();
    for id in &ids {
        world.contact(id, &format!("p{id}@acme.example"), &[]);
    }
    let worker = Runtime::start(world.parts.clone()).await.expect("a worker");
    for id in ids {
        world.became([id]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(worker.idle(PATIENCE).await.expect("the store"));
    assert_eq!(world.leads("Email != null").len(), 300);
    let (hubspot, salesforce) = (world.portal.calls(), world.org.calls().len());
    // However slow the machine, a batch takes all that has come before it; alone, each would cost one and four.
    assert!(hubspot <= 10, "{hubspot} calls to HubSpot");
    assert!(salesforce <= 30, "{salesforce} calls to Salesforce");
    world.end(worker).await;
}

#[tokio::test]
async fn a_bad_row_fails_alone_among_a_thousand() {
    let world = World::new().await;
    let ids: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
    for id in &ids {
        // HubSpot takes addresses that Salesforce refuses.
        let email =
            if id == "500" { "p500€@acme.example".to_owned() } else { format!("p{id}@acme.example") };
        world.contact(id, &email, &[]);
    }
    world.became(ids).await;
    let worker = world.work().await;
    let parked = world.store.parked().await.expect("parked");
    let parked: Vec<&str> = parked.iter().map(|parked| parked.key.record.as_str()).collect();
    assert_eq!((world.leads("Email != null").len(), parked), (999, vec!["500"]));
    world.end(worker).await;
}

#[tokio::test]
async fn a_burst_with_companies_reads_each_company_once() {
    let world = World::new().await;
    let actor = portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None };
    for company in 1..=20 {
        let (id, name) = ((9_000 + company).to_string(), format!("Company {company}"));
        world.portal.create("company", Some(&id), &[("name", &name)], &actor).expect("a company");
    }
    let ids: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
    for (n, id) in (0_u32..).zip(&ids) {
        world.contact(id, &format!("p{id}@acme.example"), &[]);
        let company = (9_001 + n % 20).to_string();
        world.portal.associate(("contact", id), ("company", &company), &actor).expect("an association");
    }
    let before = world.portal.calls();
    world.became(ids).await;
    let worker = world.work().await;
    assert_eq!(world.leads("Company = 'Company 7'").len(), 50);
    assert_eq!(world.portal.calls() - before, 10 + 1);
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
