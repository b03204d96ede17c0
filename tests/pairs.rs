//! Pairs of records over both sandboxes: what is remembered, and what becomes of it when one of the two is deleted or
//! merged.

mod sandboxes;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use mapwright::crm::http::HttpOptions;
use mapwright::plan::Plan;
use mapwright::runtime::{Crms, Handle, Runtime, Settings};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::source::{ObjectName, Side};
use mapwright::store::{Incoming, NewEvent, RecordKey, SqliteStore, Store};
use mapwright::types::{ChangeEvent, ChangeKind, ChangedRequest};
use serde_json::{Value as Json, json};

use sandboxes::{now, plan_of};

const PATIENCE: Duration = Duration::from_mins(1);

/// A mapping with a key and a look-up by e-mail.
const KEYED: &str = "key HubSpot_Contact_ID__c = id\n or Email = email where IsConverted = false";

/// The plan of one mapping from contacts to Leads.
fn plan(rungs: &str, outcomes: &str) -> Arc<Plan> {
    let taken = if rungs.contains("key") { "on taken park" } else { "" };
    let text = format!(
        "mapping lead {{\n from hubspot.contact\n to salesforce.Lead\n when created\n when any of (email, lastname) changes\n \
         match {{\n {rungs}\n }}\n on none create\n on many park\n {taken}\n on converted skip\n on duplicate park\n \
         on rejected park\n {outcomes}\n fields {{\n LastName <- first_present(lastname, \"Unknown\") | truncate(80)\n \
         Company <- \"Acme\"\n Email <- email | fits(80) otherwise park\n }}\n}}\n"
    );
    plan_of(&[("lead.map", &text)])
}

fn contact() -> ObjectName {
    ObjectName::new(Side::Hubspot, "contact")
}

fn lead() -> ObjectName {
    ObjectName::new(Side::Salesforce, "Lead")
}

/// Both sandboxes, a store and a worker.
struct World {
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    store: Arc<SqliteStore>,
    crms: Crms,
    worker: Handle,
}

impl World {
    async fn new(rungs: &str, outcomes: &str) -> Self {
        let http = HttpOptions { allow_private: true, ..HttpOptions::new(now, || 0.5) };
        let (portal, org, crms, _) = sandboxes::start(portal::WebhookConfig::default(), http).await;
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let plan = plan(rungs, outcomes);
        let parts = sandboxes::parts(plan, crms.clone(), store.clone(), Settings::default());
        let worker = Runtime::start(parts).await.expect("a worker");
        Self { portal, org, store, crms, worker }
    }

    fn person() -> portal::Actor {
        portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None }
    }

    /// A new contact, and the Lead that comes of it.
    async fn paired(&self, id: &str, email: &str) -> String {
        let properties = [("email", email), ("lastname", "Doe")];
        self.portal.create("contact", Some(id), &properties, &Self::person()).expect("a contact");
        self.happens(&contact(), id, ChangeKind::Created).await;
        self.lead_of(id).await.expect("a Lead")
    }

    /// A person edits a contact.
    async fn edited(&self, id: &str, field: &str, value: &str) {
        self.portal.edit("contact", id, &[(field, value)], &Self::person()).expect("edited");
        let kind = ChangeKind::FieldChanged { field: field.to_owned(), value: Some(value.to_owned()) };
        self.happens(&contact(), id, kind).await;
    }

    /// An event arrives and is worked off.
    async fn happens(&self, object: &ObjectName, record: &str, kind: ChangeKind) {
        let event = NewEvent {
            pair: "main".to_owned(),
            dedupe: format!("{object}/{record}/{kind:?}/{}", now()),
            raw: "{}".to_owned(),
            received_at: now(),
            incoming: Incoming::Change(ChangeEvent {
                object: object.clone(),
                record: record.to_owned(),
                kind,
                occurred_at: now(),
            }),
        };
        self.store.append(vec![event]).await.expect("append");
        self.idle().await;
    }

    async fn idle(&self) {
        assert!(self.worker.idle(PATIENCE).await.expect("the store"), "{:?}", self.store.pending().await);
    }

    /// The Lead with which a contact is paired.
    async fn lead_of(&self, id: &str) -> Option<String> {
        let links = self.store.links(&RecordKey::new("main", contact(), id)).await.expect("links");
        links.into_iter().next().map(|link| link.target.record)
    }

    fn leads(&self) -> Vec<Json> {
        let soql = "SELECT Id, LastName, Email, HubSpot_Contact_ID__c FROM Lead WHERE IsDeleted = false";
        self.org.query(soql).expect("SOQL")
    }

    /// The reasons of what is parked, with what to do.
    async fn parked(&self) -> Vec<(String, String)> {
        let parked = self.store.parked().await.expect("parked").into_iter();
        parked.map(|parked| (parked.reason.reason, parked.reason.help.unwrap_or_default())).collect()
    }

    async fn end(self) {
        assert!(self.worker.shutdown().await);
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }
}

#[tokio::test]
async fn without_a_key_a_changed_address_makes_no_second_lead() {
    let world = World::new("Email = email where IsConverted = false", "").await;
    let first = world.paired("1", "old@acme.example").await;
    world.edited("1", "email", "new@acme.example").await;
    assert_eq!(world.lead_of("1").await.as_deref(), Some(first.as_str()));
    let leads = world.leads();
    assert_eq!((leads.len(), &leads[0]["Email"]), (1, &json!("new@acme.example")));
    world.end().await;
}

#[tokio::test]
async fn a_deleted_contact_is_parked_with_its_lead_or_forgotten() {
    let world = World::new(KEYED, "on source deleted park").await;
    let lead = world.paired("1", "a@acme.example").await;
    world.portal.archive("contact", "1", &World::person()).expect("archived");
    world.happens(&contact(), "1", ChangeKind::Deleted).await;
    let parked = world.parked().await;
    assert_eq!(parked[0].0, "hubspot.contact 1 was deleted");
    assert!(parked[0].1.contains(&lead), "{parked:?}");
    world.end().await;

    let world = World::new(KEYED, "on source deleted unlink").await;
    world.paired("1", "a@acme.example").await;
    world.portal.archive("contact", "1", &World::person()).expect("archived");
    world.happens(&contact(), "1", ChangeKind::Deleted).await;
    assert_eq!((world.lead_of("1").await, world.parked().await, world.leads().len()), (None, vec![], 1));
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_was_deleted_stays_deleted_or_is_made_anew() {
    let world = World::new(KEYED, "on target deleted skip").await;
    let gone = world.paired("1", "a@acme.example").await;
    world.org.delete("Lead", &gone).expect("deleted");
    world.edited("1", "lastname", "Roe").await;
    assert_eq!((world.leads().len(), world.parked().await), (0, vec![]));
    let links = world.store.links(&RecordKey::new("main", contact(), "1")).await.expect("links");
    assert!(links[0].tombstone, "the run found out");
    world.end().await;

    let world = World::new(KEYED, "on target deleted unlink").await;
    let gone = world.paired("1", "a@acme.example").await;
    world.org.delete("Lead", &gone).expect("deleted");
    // Told of it, the pair is forgotten and nothing is made; the next change makes a new one.
    world.happens(&lead(), &gone, ChangeKind::Deleted).await;
    assert_eq!((world.leads().len(), world.lead_of("1").await), (0, None));
    world.edited("1", "lastname", "Roe").await;
    assert_eq!(world.leads().len(), 1);
    assert_ne!(world.lead_of("1").await, Some(gone));
    world.end().await;

    let world = World::new(KEYED, "on target deleted park \"sales deleted it\"").await;
    let gone = world.paired("1", "a@acme.example").await;
    world.org.delete("Lead", &gone).expect("deleted");
    world.happens(&lead(), &gone, ChangeKind::Deleted).await;
    let parked = world.store.parked().await.expect("parked");
    assert_eq!(parked[0].key, RecordKey::new("main", contact(), "1"));
    assert_eq!(parked[0].reason.reason, "sales deleted it");
    world.end().await;
}

#[tokio::test]
async fn a_lead_that_was_merged_is_followed_by_word_or_by_finding_out() {
    for told in [true, false] {
        let world = World::new(KEYED, "on target merged follow").await;
        let lost = world.paired("1", "a@acme.example").await;
        let kept = json!({"LastName": "Kept", "Company": "Acme", "Email": "kept@acme.example"});
        let kept = world.org.create("Lead", &kept).expect("a Lead");
        world.org.merge("Lead", &kept, &lost).expect("merged");
        if told {
            world.happens(&lead(), &lost, ChangeKind::Merged { into: kept.clone() }).await;
            assert_eq!(world.lead_of("1").await.as_deref(), Some(kept.as_str()));
            assert_eq!(world.leads()[0]["LastName"], json!("Kept"), "the merge alone writes nothing");
        }
        world.edited("1", "lastname", "Roe").await;
        let leads = world.leads();
        assert_eq!(leads.len(), 1, "{leads:?}");
        let facts = (&leads[0]["Id"], &leads[0]["LastName"], &leads[0]["HubSpot_Contact_ID__c"]);
        assert_eq!(facts, (&json!(kept), &json!("Roe"), &json!("1")));
        assert_eq!(
            (world.lead_of("1").await.as_deref(), world.parked().await),
            (Some(kept.as_str()), vec![])
        );
        world.end().await;
    }
}

#[tokio::test]
async fn a_merged_contact_gives_its_lead_to_the_survivor_under_its_new_id() {
    let world = World::new(KEYED, "on source merged follow").await;
    let lead = world.paired("1", "a@acme.example").await;
    world.portal.create("contact", Some("2"), &[("email", "b@acme.example")], &World::person()).expect("one");
    let survivor = world.portal.merge("contact", "1", "2", &World::person()).expect("merged");
    assert_ne!(survivor, "1", "HubSpot mints an id");
    // As the listener reads the notice: both records are gone.
    for gone in ["2", "1"] {
        world.happens(&contact(), gone, ChangeKind::Merged { into: survivor.clone() }).await;
    }
    let leads = world.leads();
    assert_eq!((leads.len(), &leads[0]["HubSpot_Contact_ID__c"]), (1, &json!(survivor)));
    assert_eq!((world.lead_of(&survivor).await, world.lead_of("1").await), (Some(lead), None));
    assert_eq!(world.parked().await, []);
    world.end().await;
}

#[tokio::test]
async fn two_leads_of_merged_contacts_wait_for_a_person() {
    let world = World::new(KEYED, "on source merged follow\n on target merged follow").await;
    let (first, second) =
        (world.paired("1", "a@acme.example").await, world.paired("2", "b@acme.example").await);
    let survivor = world.portal.merge("contact", "1", "2", &World::person()).expect("merged");
    for gone in ["1", "2"] {
        world.happens(&contact(), gone, ChangeKind::Merged { into: survivor.clone() }).await;
    }
    let parked = world.store.parked().await.expect("parked");
    assert_eq!(parked.len(), 1);
    for id in [&first, &second] {
        assert!(parked[0].reason.reason.contains(id.as_str()), "{parked:?}");
    }
    // The person merges the two Leads; whichever survives, the contact has it after the retry.
    world.org.merge("Lead", &second, &first).expect("merged");
    assert!(world.store.retry_parked(parked[0].id, now()).await.expect("retried"));
    world.idle().await;
    let leads = world.leads();
    assert_eq!((leads.len(), &leads[0]["Id"]), (1, &json!(second)));
    assert_eq!(leads[0]["HubSpot_Contact_ID__c"], json!(survivor));
    assert_eq!((world.lead_of(&survivor).await, world.parked().await), (Some(second), vec![]));
    world.end().await;
}

#[tokio::test]
async fn both_clients_tell_when_values_changed_and_what_a_record_became() {
    let world = World::new(KEYED, "").await;
    let before = now() - TimeDelta::seconds(2);
    let lead = world.paired("1", "a@acme.example").await;
    let asked = |object: ObjectName, id: &str, fields: &[&str]| ChangedRequest {
        object,
        id: id.to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    let ask = asked(contact(), "1", &["email", "lastname", "phone"]);
    let first = world.crms.hubspot.changed(&ask).await.expect("times");
    assert_eq!(first.keys().collect::<Vec<_>>(), ["email", "lastname"], "what was never set has no time");
    assert!(first.values().all(|at| *at >= before && *at <= now() + TimeDelta::seconds(2)), "{first:?}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.edited("1", "lastname", "Roe").await;
    let second = world.crms.hubspot.changed(&ask).await.expect("times");
    assert!(second["lastname"] > first["lastname"] && second["email"] == first["email"], "{second:?}");
    let ask = asked(self::lead(), &lead, &["LastName", "Email"]);
    let times = world.crms.salesforce.changed(&ask).await.expect("times");
    assert_eq!((times.len(), times["LastName"]), (2, times["Email"]), "one commit, one time");
    assert!(times["Email"] >= before && times["Email"] <= now() + TimeDelta::seconds(2), "{times:?}");
    for (side, object, id) in
        [(Side::Hubspot, contact(), "404"), (Side::Salesforce, self::lead(), "00Q000000000404AAA")]
    {
        let none = world.crms.get(side).changed(&asked(object.clone(), id, &["email"])).await.expect("times");
        assert!(none.is_empty());
        assert_eq!(world.crms.get(side).survivor(&object, id).await.expect("an answer"), None);
    }

    let other = world.paired("2", "b@acme.example").await;
    world.org.merge("Lead", &other, &lead).expect("merged");
    let survivor = world.crms.salesforce.survivor(&self::lead(), &lead).await.expect("an answer");
    assert_eq!(survivor, Some(other.clone()));
    world.org.delete("Lead", &other).expect("deleted");
    assert_eq!(world.crms.salesforce.survivor(&self::lead(), &other).await.expect("an answer"), None);
    let minted = world.portal.merge("contact", "1", "2", &World::person()).expect("merged");
    assert_eq!(world.crms.hubspot.survivor(&contact(), "2").await.expect("an answer"), Some(minted));
    world.end().await;
}
