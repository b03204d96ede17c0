//! Leads that are converted, over both sandboxes with the shipped mappings: by the engine, 250 in two calls; by a rep,
//! whom the pairs follow; and what can go wrong on the way.

mod sandboxes;

use std::sync::Arc;
use std::time::Duration;

use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::plan::Plan;
use mapwright::runtime::{Handle, Memory, Parts, Preview, Runtime, Settings, preview};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::source::{ObjectName, Side};
use mapwright::store::{Incoming, Link, NewEvent, RecordKey, SqliteStore, Store};
use mapwright::types::{ChangeEvent, ChangeKind, LinkRequest};
use serde_json::{Value as Json, json};

use sandboxes::{now, plan_of};

const PATIENCE: Duration = Duration::from_mins(2);

/// The line of the shipped mapping that says to which account a Lead goes.
const ACCOUNT: &str = "linked salesforce.Account of employer  otherwise wait";

/// The shipped mappings; `account` takes the place of the account that the conversion is given.
fn plan(account: &str) -> Arc<Plan> {
    let shipped = include_str!("../mappings/sql_converts_lead.map");
    assert!(shipped.contains(ACCOUNT));
    let converts = shipped.replace(ACCOUNT, account);
    let files = [
        ("mql_to_lead.map", include_str!("../mappings/mql_to_lead.map")),
        ("contact_from_mql.map", include_str!("../mappings/contact_from_mql.map")),
        ("company_to_account.map", include_str!("../mappings/company_to_account.map")),
        ("sql_converts_lead.map", converts.as_str()),
        ("picklists.map", include_str!("../mappings/picklists.map")),
    ];
    plan_of(&files)
}

fn contact() -> ObjectName {
    ObjectName::new(Side::Hubspot, "contact")
}

fn salesforce(name: &str) -> ObjectName {
    ObjectName::new(Side::Salesforce, name)
}

fn person() -> portal::Actor {
    portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None }
}

/// Both sandboxes, a store and a worker.
struct World {
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    store: Arc<SqliteStore>,
    parts: Parts,
    worker: Handle,
}

impl World {
    async fn new() -> Self {
        Self::with_account(ACCOUNT).await
    }

    async fn with_account(account: &str) -> Self {
        let retry = RetryPolicy { base_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        let http = HttpOptions { allow_private: true, retry, ..HttpOptions::new(now, || 0.5) };
        let (portal, org, crms, _) = sandboxes::start(portal::WebhookConfig::default(), http).await;
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let settings = Settings { first_backoff: Duration::from_millis(10), ..Settings::default() };
        let parts = sandboxes::parts(plan(account), crms, store.clone(), settings);
        let worker = Runtime::start(parts.clone()).await.expect("a worker");
        Self { portal, org, store, parts, worker }
    }

    /// A company with its Account, paired by `company_to_account`; the Account's id.
    async fn company(&self, id: &str) -> String {
        let properties = [("name", "Acme"), ("domain", "acme.example"), ("lifecyclestage", "customer")];
        self.portal.create("company", Some(id), &properties, &person()).expect("a company");
        let told = event("company", id, became("customer"));
        self.work(vec![told]).await;
        self.org.records("Account").into_iter().find_map(|account| id_of(&account)).expect("an Account")
    }

    /// A contact of a company, with the Lead that `mql_to_lead` makes of it.
    fn contact(&self, id: &str, company: Option<&str>) {
        let email = format!("p{id}@acme.example");
        let properties = [("email", email.as_str()), ("lastname", "Doe"), ("company", "Acme")];
        self.portal.create("contact", Some(id), &properties, &person()).expect("a contact");
        if let Some(company) = company {
            self.portal.associate(("contact", id), ("company", company), &person()).expect("associated");
        }
    }

    /// Events arrive and are worked off.
    async fn work(&self, events: Vec<NewEvent>) {
        self.store.append(events).await.expect("append");
        assert!(self.worker.idle(PATIENCE).await.expect("the store"), "{:?}", self.store.pending().await);
    }

    /// These contacts take a lifecycle stage.
    async fn stage(&self, ids: &[String], stage: &str) {
        for id in ids {
            self.portal.edit("contact", id, &[("lifecyclestage", stage)], &person()).expect("edited");
        }
        let events = ids.iter().map(|id| event("contact", id, became(stage)));
        self.work(events.collect()).await;
    }

    fn leads(&self) -> Vec<Json> {
        let soql = "SELECT Id, IsConverted, Status, ConvertedAccountId, ConvertedContactId, ConvertedOpportunityId \
                    FROM Lead ORDER BY CreatedDate";
        self.org.query(soql).expect("SOQL")
    }

    fn soap_calls(&self) -> usize {
        self.org.calls().iter().filter(|call| call.path.contains("/services/Soap/u/58.0")).count()
    }

    /// What is remembered of a contact, by mapping.
    async fn links(&self, id: &str) -> Vec<Link> {
        self.store.links(&RecordKey::new("main", contact(), id)).await.expect("links")
    }

    /// The counterparts of a contact in an object, as `linked` sees them: the living ones.
    async fn counterparts(&self, id: &str, object: &str) -> Vec<String> {
        let request =
            LinkRequest { by: None, of: contact(), ids: vec![id.to_owned()], to: salesforce(object) };
        let pairs = self.store.counterparts("main", &request).await.expect("links");
        pairs.into_iter().filter(|pair| !pair.gone).map(|pair| pair.to).collect()
    }

    async fn parked(&self) -> Vec<(String, String)> {
        let parked = self.store.parked().await.expect("parked").into_iter();
        parked.map(|parked| (parked.reason.reason, parked.reason.answer.unwrap_or_default())).collect()
    }

    async fn end(self) {
        assert!(self.worker.shutdown().await);
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }
}

fn event(object: &str, id: &str, kind: ChangeKind) -> NewEvent {
    let side = if object == "Lead" { Side::Salesforce } else { Side::Hubspot };
    NewEvent {
        pair: "main".to_owned(),
        dedupe: format!("{object}/{id}/{kind:?}/{}", now()),
        raw: "{}".to_owned(),
        received_at: now(),
        incoming: Incoming::Change(ChangeEvent {
            object: ObjectName::new(side, object),
            record: id.to_owned(),
            kind,
            occurred_at: now(),
        }),
    }
}

fn became(stage: &str) -> ChangeKind {
    ChangeKind::FieldChanged { field: "lifecyclestage".to_owned(), value: Some(stage.to_owned()) }
}

fn id_of(record: &Json) -> Option<String> {
    text(record, "Id")
}

fn text(record: &Json, field: &str) -> Option<String> {
    record.get(field).and_then(Json::as_str).map(str::to_owned)
}

#[tokio::test]
async fn two_hundred_and_fifty_leads_are_converted_in_two_calls() {
    let world = World::new().await;
    let account = world.company("9001").await;
    let ids: Vec<String> = (1..=250).map(|n| n.to_string()).collect();
    for id in &ids {
        world.contact(id, Some("9001"));
    }
    world.stage(&ids, "marketingqualifiedlead").await;
    assert_eq!((world.leads().len(), world.soap_calls()), (250, 0));

    world.stage(&ids, "salesqualifiedlead").await;
    assert_eq!(world.parked().await, []);
    assert_eq!(world.soap_calls(), 2);
    let leads = world.leads();
    for lead in &leads {
        assert_eq!(lead["IsConverted"], json!(true), "{lead}");
        assert_eq!(lead["Status"], json!("Closed - Converted"));
        assert_eq!(lead["ConvertedAccountId"], json!(account));
    }
    let opportunities = world.org.records("Opportunity");
    assert_eq!(opportunities.len(), 250);
    assert!(opportunities.iter().all(|one| one["Name"] == json!("Acme")), "{opportunities:?}");
    assert_eq!(world.org.records("Contact").len(), 250);

    // The pairs of both mappings go on with the Contact, and the Lead is nobody's counterpart any more.
    for id in ["1", "125", "250"] {
        let contacts = world.counterparts(id, "Contact").await;
        let lead = leads.iter().find(|lead| text(lead, "ConvertedContactId").as_ref() == contacts.first());
        let lead = lead.and_then(id_of).expect("the Contact of a Lead");
        assert_eq!((contacts.len(), world.counterparts(id, "Lead").await.len()), (1, 0));
        let links = world.links(id).await;
        let former: Vec<_> =
            links.iter().map(|link| (link.mapping.as_str(), link.former.as_deref())).collect();
        assert_eq!(
            former,
            [("mql_to_lead", Some(lead.as_str())), ("sql_converts_lead", Some(lead.as_str()))]
        );
    }

    // Where the values of the Lead come from is remembered, with the line that says so.
    let lead = id_of(&leads[0]).expect("an id");
    let history = world.store.history(&RecordKey::new("main", salesforce("Lead"), &lead)).await;
    let history = history.expect("the history");
    let status = history.iter().find(|entry| entry.field.field == "ConvertedContactId").expect("an entry");
    assert_eq!(
        (status.mapping.as_str(), status.field.at.file.as_str()),
        ("sql_converts_lead", "sql_converts_lead.map")
    );

    // The next run is handed the Contact, and converts nothing.
    let id = world.links("1").await[0].target.record.clone();
    world.portal.edit("contact", "1", &[("jobtitle", "CEO")], &person()).expect("edited");
    world.stage(&["1".to_owned()], "salesqualifiedlead").await;
    let known = world.org.get("Contact", &id).expect("the Contact");
    assert_eq!((&known["Title"], &known["HubSpot_Contact_ID__c"]), (&json!("CEO"), &json!("1")));
    assert_eq!((world.soap_calls(), world.parked().await), (2, vec![]));
    world.end().await;
}

#[tokio::test]
async fn a_rep_converts_a_lead_and_the_pairs_follow_at_the_next_run() {
    let world = World::new().await;
    world.contact("1", None);
    let ids = ["1".to_owned()];
    world.stage(&ids, "marketingqualifiedlead").await;
    let lead = id_of(&world.leads()[0]).expect("a Lead");
    assert_eq!(world.counterparts("1", "Lead").await, std::slice::from_ref(&lead));
    let made = world.org.convert_lead(&lead).expect("converted");

    world.portal.edit("contact", "1", &[("jobtitle", "CEO")], &person()).expect("edited");
    world.stage(&ids, "marketingqualifiedlead").await;
    assert_eq!(world.counterparts("1", "Contact").await, std::slice::from_ref(&made.contact));
    assert_eq!(world.counterparts("1", "Lead").await, Vec::<String>::new());
    let links = world.links("1").await;
    let targets: Vec<_> =
        links.iter().map(|link| (link.mapping.as_str(), link.target.record.as_str())).collect();
    assert_eq!(
        targets,
        [("contact_from_mql", made.contact.as_str()), ("mql_to_lead", made.contact.as_str())]
    );
    let known = world.org.get("Contact", &made.contact).expect("the Contact");
    assert_eq!((&known["Title"], world.parked().await), (&json!("CEO"), vec![]));
    assert_eq!((world.leads().len(), world.soap_calls()), (1, 0));
    world.end().await;
}

#[tokio::test]
async fn a_rep_converts_a_lead_and_its_event_lets_the_pair_follow_at_once() {
    let world = World::new().await;
    world.contact("1", None);
    world.stage(&["1".to_owned()], "marketingqualifiedlead").await;
    let lead = id_of(&world.leads()[0]).expect("a Lead");
    let made = world.org.convert_lead(&lead).expect("converted");
    let writes = world.org.calls().len();

    let kind = ChangeKind::Converted { into: made.contact.clone() };
    let events = vec![event("Lead", &lead, kind.clone()), event("Lead", &lead, kind)];
    world.work(events).await;
    assert_eq!(world.counterparts("1", "Contact").await, std::slice::from_ref(&made.contact));
    assert_eq!((world.links("1").await[0].former.clone(), world.parked().await), (Some(lead), vec![]));
    assert_eq!(world.org.calls().len(), writes, "only the pair turns; nothing is read or written");

    // A notice that names the field alone: the Lead is read, and the pair turns.
    world.contact("2", None);
    world.stage(&["2".to_owned()], "marketingqualifiedlead").await;
    let lead = world.counterparts("2", "Lead").await.remove(0);
    let made = world.org.convert_lead(&lead).expect("converted");
    let kind = ChangeKind::FieldChanged { field: "ConvertedContactId".to_owned(), value: None };
    let told = event("Lead", &lead, kind);
    world.work(vec![told]).await;
    assert_eq!(world.counterparts("2", "Contact").await, [made.contact]);
    world.end().await;
}

#[tokio::test]
async fn a_lost_answer_converts_nothing_twice() {
    let world = World::new().await;
    world.company("9001").await;
    let ids: Vec<String> = (1..=3).map(|n| n.to_string()).collect();
    for id in &ids {
        world.contact(id, Some("9001"));
    }
    world.stage(&ids, "marketingqualifiedlead").await;
    world.org.add_fault(org::Fault {
        method: Some("POST".to_owned()),
        path: "/services/Soap/u/".to_owned(),
        moment: Some(org::FaultMoment::After),
        ..org::Fault::default()
    });
    world.stage(&ids, "salesqualifiedlead").await;
    assert_eq!((world.soap_calls(), world.parked().await), (1, vec![]), "it was looked for, not sent again");
    assert!(world.leads().iter().all(|lead| lead["IsConverted"] == json!(true)));
    assert_eq!((world.org.records("Contact").len(), world.org.records("Opportunity").len()), (3, 3));
    let links = world.links("2").await;
    assert!(
        links.iter().any(|link| link.mapping == "sql_converts_lead" && link.former.is_some()),
        "{links:?}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_session_that_has_ended_is_renewed_and_the_call_made_once_more() {
    let world = World::new().await;
    world.company("9001").await;
    world.contact("1", Some("9001"));
    world.stage(&["1".to_owned()], "marketingqualifiedlead").await;
    // All that the conversion needs is read with the session that then ends.
    world.org.add_fault(org::Fault {
        method: Some("POST".to_owned()),
        path: "/services/Soap/u/".to_owned(),
        status: Some(500),
        body: Some(Json::String(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><e:Fault>\
             <faultcode>sf:INVALID_SESSION_ID</faultcode><faultstring>INVALID_SESSION_ID: ended</faultstring>\
             </e:Fault></e:Body></e:Envelope>"
                .to_owned(),
        )),
        ..org::Fault::default()
    });
    world.stage(&["1".to_owned()], "salesqualifiedlead").await;
    assert_eq!((world.leads()[0]["IsConverted"].clone(), world.parked().await), (json!(true), vec![]));
    assert_eq!(world.soap_calls(), 2);

    // And a session that really has ended: the envelope carries the token of the new one.
    world.contact("2", Some("9001"));
    world.stage(&["2".to_owned()], "marketingqualifiedlead").await;
    world.org.expire_tokens();
    world.stage(&["2".to_owned()], "salesqualifiedlead").await;
    assert!(world.leads().iter().all(|lead| lead["IsConverted"] == json!(true)));
    world.end().await;
}

#[tokio::test]
async fn a_refused_conversion_is_parked_with_what_salesforce_said() {
    let world = World::with_account("\"001000000000009AAA\"").await;
    world.company("9001").await;
    world.contact("1", Some("9001"));
    world.stage(&["1".to_owned()], "marketingqualifiedlead").await;
    world.stage(&["1".to_owned()], "salesqualifiedlead").await;
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(parked[0].0, "Salesforce refused to convert the Lead");
    assert!(parked[0].1.starts_with("INVALID_CROSS_REFERENCE_KEY"), "{parked:?}");
    assert_eq!(world.leads()[0]["IsConverted"], json!(false));
    assert_eq!(world.counterparts("1", "Lead").await.len(), 1, "the pair stays");
    world.end().await;
}

#[tokio::test]
async fn a_lead_waits_for_its_account_and_is_converted_once_that_is_there() {
    let world = World::new().await;
    let company = [("name", "Acme"), ("domain", "acme.example")];
    world.portal.create("company", Some("9001"), &company, &person()).expect("a company");
    world.contact("1", Some("9001"));
    let ids = ["1".to_owned()];
    world.stage(&ids, "marketingqualifiedlead").await;
    world.stage(&ids, "salesqualifiedlead").await;
    assert_eq!((world.leads()[0]["IsConverted"].clone(), world.parked().await), (json!(false), vec![]));

    world.portal.edit("company", "9001", &[("lifecyclestage", "customer")], &person()).expect("edited");
    let told = event("company", "9001", became("customer"));
    world.work(vec![told]).await;
    let lead = &world.leads()[0];
    let account = id_of(&world.org.records("Account")[0]).expect("an Account");
    assert_eq!((&lead["IsConverted"], &lead["ConvertedAccountId"]), (&json!(true), &json!(account)));
    world.end().await;
}

#[tokio::test]
async fn a_preview_shows_the_conversion_and_makes_none() {
    let world = World::new().await;
    world.company("9001").await;
    world.contact("1", Some("9001"));
    world.stage(&["1".to_owned()], "marketingqualifiedlead").await;
    let memory = Memory { store: world.store.as_ref(), pair: "main" };
    let (plan, crms) = (world.parts.plan.clone(), &world.parts.crms);
    let shown = preview(plan, "sql_converts_lead", "1", crms, Some(memory)).await.expect("a preview");
    let Preview::WouldFinish(finished) = shown else { panic!("{shown:?}") };
    let (conversion, _) = finished.converted().expect("a conversion");
    assert_eq!(conversion.request.opportunity.as_deref(), Some("Acme"));
    assert_eq!((world.soap_calls(), world.leads()[0]["IsConverted"].clone()), (0, json!(false)));
    world.end().await;
}
