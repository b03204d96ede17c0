//! The scenarios.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Value as Json, json};

use super::stage::{Stage, guide_lead};
use crate::store::Store;

/// What was played and how it went.
pub(super) struct Scenario {
    /// What it shows.
    pub(super) name: &'static str,
    /// What happened, a word and a text each.
    pub(super) steps: Vec<(&'static str, String)>,
    /// What had to be true at its end.
    pub(super) checks: Vec<Check>,
    /// The record at the end, where there is one.
    pub(super) record: Option<Json>,
    /// What it cost: calls to HubSpot and to Salesforce.
    pub(super) calls: (u64, u64),
}

/// One thing that had to be true.
pub(super) struct Check {
    /// What.
    pub(super) what: String,
    /// Whether it was.
    pub(super) ok: bool,
}

impl Scenario {
    fn new(name: &'static str) -> Self {
        Self { name, steps: Vec::new(), checks: Vec::new(), record: None, calls: (0, 0) }
    }

    /// Whether everything was as it had to be; a scenario that checks nothing has not shown anything.
    pub(super) fn ok(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.ok)
    }

    /// For programs.
    pub(super) fn as_json(&self) -> Json {
        let steps: Vec<Json> =
            self.steps.iter().map(|(step, text)| json!({"step": step, "text": text})).collect();
        let checks: Vec<Json> =
            self.checks.iter().map(|check| json!({"what": check.what, "ok": check.ok})).collect();
        let calls = json!({"hubspot": self.calls.0, "salesforce": self.calls.1});
        json!({
            "name": self.name, "ok": self.ok(), "steps": steps, "checks": checks, "record": self.record, "calls": calls
        })
    }

    fn step(&mut self, step: &'static str, text: impl Into<String>) {
        self.steps.push((step, text.into()));
    }

    fn check(&mut self, what: impl Into<String>, ok: bool) {
        self.checks.push(Check { what: what.into(), ok });
    }

    fn equal(&mut self, what: &str, found: &Json, wanted: &Json) {
        self.check(format!("{what} is {wanted}, and it is {found}"), same(found, wanted));
    }
}

type Played<'s> = Pin<Box<dyn Future<Output = Result<Scenario, String>> + Send + 's>>;

/// All of them, in the order in which they are played.
pub(super) const ALL: &[for<'s> fn(&'s Stage) -> Played<'s>] = &[
    |stage| Box::pin(becomes_a_lead(stage)),
    |stage| Box::pin(the_same_event_again(stage)),
    |stage| Box::pin(typed_in_by_a_rep(stage)),
    |stage| Box::pin(converted(stage)),
    |stage| Box::pin(duplicate_rule(stage)),
    |stage| Box::pin(untranslated_option(stage)),
    |stage| Box::pin(two_at_once(stage)),
    |stage| Box::pin(burst(stage)),
];

/// The guide's own webhook.
fn guide_event() -> Json {
    json!({
        "eventId": 100_034,
        "subscriptionId": 882_341,
        "portalId": 4_556_789,
        "occurredAt": 1_700_123_456_789_u64,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": 5501,
        "propertyName": "lifecyclestage",
        "propertyValue": "marketingqualifiedlead",
        "changeSource": "WORKFLOWS"
    })
}

/// The same about another contact, later.
fn event(contact: u64, later_ms: u64) -> Json {
    let mut event = guide_event();
    event["eventId"] = json!(100_034 + contact + later_ms);
    event["objectId"] = json!(contact);
    event["occurredAt"] = json!(1_700_123_456_789_u64 + later_ms);
    event
}

fn same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < f64::EPSILON,
        _ => a == b,
    }
}

/// Delivers an event, waits for the work to be done, and tells the steps.
async fn carry(stage: &Stage, scenario: &mut Scenario, body: &Json) -> Result<(), String> {
    let (hubspot, salesforce) = stage.calls();
    let event = body.get(0).unwrap_or(body);
    scenario.step(
        "received",
        format!(
            "event {} of contact {}: {} becomes {}",
            event["eventId"], event["objectId"], event["propertyName"], event["propertyValue"]
        ),
    );
    let status = stage.deliver(body).await?;
    scenario.check(format!("the listener answers 200, and it answered {status}"), status == 200);
    if status != 200 {
        return Ok(());
    }
    // The listener answers 200 only after both.
    scenario.step("verified", "the v3 signature is HubSpot's, and fresh");
    scenario.step("journaled", "committed to SQLite, then answered 200");
    let done = stage.idle().await?;
    scenario.check("the work is done in time", done);
    let pending = stage.pending().await?;
    scenario.check(format!("no event is left over ({pending})"), pending == 0);
    let reads: Vec<String> = stage.hubspot_calls(hubspot).into_iter().map(|call| call.line).collect();
    if !reads.is_empty() {
        scenario.step("enriched", reads.join("\n"));
    }
    let calls = stage.salesforce_calls(salesforce);
    let told = |writes: bool| {
        let lines = calls.iter().filter(|call| call.writes == writes && !call.line.contains("/oauth2/"));
        lines.map(|call| call.line.as_str()).collect::<Vec<_>>().join("\n")
    };
    for (step, text) in [("matched", told(false)), ("written", told(true))] {
        if !text.is_empty() {
            scenario.step(step, text);
        }
    }
    Ok(())
}

async fn becomes_a_lead(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario = Scenario::new("an MQL becomes a Lead");
    carry(stage, &mut scenario, &guide_event()).await?;
    let found = stage.query("SELECT Id FROM Lead WHERE HubSpot_Contact_ID__c = '5501'")?;
    scenario.equal("the number of Leads", &json!(found.len()), &json!(1));
    let lead = stage.guide_lead();
    let mut told = Vec::new();
    for (field, wanted) in guide_lead() {
        scenario.equal(&field, &lead[&field], &wanted);
        told.push(format!("{field:<22} {}", lead[&field]));
    }
    let id = found.first().map_or(Json::Null, |lead| lead["Id"].clone());
    let record = stage.servers.salesforce.get("Lead", id.as_str().unwrap_or_default());
    let date = record.as_ref().map_or(Json::Null, |record| record["Contract_Date__c"].clone());
    scenario.equal("Contract_Date__c, from 1727654400000,", &date, &json!("2024-09-30"));
    told.push(format!("{:<22} {date}   (HubSpot: 1727654400000, midnight UTC)", "Contract_Date__c"));
    scenario.step("the Lead", told.join("\n"));
    scenario.record = record;
    Ok(scenario)
}

async fn the_same_event_again(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario = Scenario::new("the same event again: one Lead, nothing written");
    let (_, before) = stage.calls();
    carry(stage, &mut scenario, &json!([guide_event()])).await?;
    let writes = stage.salesforce_calls(before).iter().filter(|call| call.writes).count();
    scenario.equal("the number of writes", &json!(writes), &json!(0));
    // A later event of the same kind is a new one; what it finds is already as it should be.
    let (_, before) = stage.calls();
    carry(stage, &mut scenario, &json!([event(5501, 60_000)])).await?;
    let writes = stage.salesforce_calls(before).iter().filter(|call| call.writes).count();
    scenario.equal("the number of writes after a later event", &json!(writes), &json!(0));
    let found = stage.query("SELECT Id FROM Lead WHERE Email = 'jane.doe@acme.example'")?;
    scenario.equal("the number of Leads", &json!(found.len()), &json!(1));
    Ok(scenario)
}

async fn typed_in_by_a_rep(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario = Scenario::new("a Lead typed in by a rep is adopted, and the key stamped on it");
    let typed = json!({
        "LastName": "Okafor", "Company": "Globex Corporation", "Email": "mina@globex.example",
        "Status": "Working - Contacted"
    });
    let id = stage.servers.salesforce.create("Lead", &typed).map_err(|error| error.to_string())?;
    carry(stage, &mut scenario, &json!([event(5502, 0)])).await?;
    let found = stage.query("SELECT Id FROM Lead WHERE Email = 'mina@globex.example'")?;
    scenario.equal("the number of Leads", &json!(found.len()), &json!(1));
    let lead = stage.servers.salesforce.get("Lead", &id).unwrap_or_default();
    scenario.equal("HubSpot_Contact_ID__c", &lead["HubSpot_Contact_ID__c"], &json!("5502"));
    scenario.equal("Status", &lead["Status"], &json!("Working - Contacted"));
    scenario.equal("Title", &lead["Title"], &json!("Head of Operations"));
    scenario.step("adopted", format!("Lead {id}: key 5502 stamped, the rep's status kept"));
    scenario.record = Some(lead);
    Ok(scenario)
}

async fn converted(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario = Scenario::new("a converted Lead: its Contact is brought up to date");
    let lead = json!({
        "LastName": "Berg", "Company": "Initech", "Email": "tomas@initech.example", "HubSpot_Contact_ID__c": "5503"
    });
    let id = stage.servers.salesforce.create("Lead", &lead).map_err(|error| error.to_string())?;
    stage.servers.salesforce.convert_lead(&id).map_err(|error| error.to_string())?;
    carry(stage, &mut scenario, &json!([event(5503, 0)])).await?;
    let leads = stage.query("SELECT Id FROM Lead WHERE Email = 'tomas@initech.example'")?;
    scenario.equal("the number of Leads", &json!(leads.len()), &json!(1));
    let contacts = stage.query("SELECT Id FROM Contact WHERE Email = 'tomas@initech.example'")?;
    scenario.equal("the number of Contacts", &json!(contacts.len()), &json!(1));
    let contact = contacts
        .first()
        .and_then(|contact| contact["Id"].as_str().map(ToOwned::to_owned))
        .unwrap_or_default();
    let contact = stage.servers.salesforce.get("Contact", &contact).unwrap_or_default();
    scenario.equal("the Contact's Title", &contact["Title"], &json!("Chief Financial Officer"));
    scenario.equal("the Contact's HubSpot_Contact_ID__c", &contact["HubSpot_Contact_ID__c"], &json!("5503"));
    scenario.step("updated", format!("Contact {} instead of Lead {id}, which is read-only", contact["Id"]));
    scenario.record = Some(contact);
    Ok(scenario)
}

async fn duplicate_rule(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario =
        Scenario::new("a duplicate rule blocks the new Lead, and the Lead that it names is adopted");
    let typed = json!({
        "LastName": "Quist", "Company": "Umbrella", "Email": "a.quist@private.example", "Phone": "+14155550104"
    });
    let id = stage.servers.salesforce.create("Lead", &typed).map_err(|error| error.to_string())?;
    let (_, before) = stage.calls();
    carry(stage, &mut scenario, &json!([event(5504, 0)])).await?;
    let blocked = stage.salesforce_calls(before).iter().any(|call| call.writes && call.line.ends_with("400"));
    scenario.check("Salesforce refused the first write", blocked);
    let found = stage.query("SELECT Id FROM Lead WHERE Phone = '+14155550104'")?;
    scenario.equal("the number of Leads with this phone", &json!(found.len()), &json!(1));
    let lead = stage.servers.salesforce.get("Lead", &id).unwrap_or_default();
    scenario.equal("HubSpot_Contact_ID__c", &lead["HubSpot_Contact_ID__c"], &json!("5504"));
    scenario.equal("Email", &lead["Email"], &json!("ada.quist@umbrella.example"));
    scenario.step("resolved", format!("the rule named Lead {id}; it now belongs to contact 5504"));
    scenario.record = Some(lead);
    Ok(scenario)
}

async fn untranslated_option(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario = Scenario::new("an option that nobody translated: parked, with the line to mend");
    carry(stage, &mut scenario, &json!([event(5505, 0)])).await?;
    let leads = stage.query("SELECT Id FROM Lead WHERE Email = 'lee@hooli.example'")?;
    scenario.equal("the number of Leads", &json!(leads.len()), &json!(0));
    let parked = stage.store.parked().await.map_err(|error| error.to_string())?;
    scenario.equal("the number of parked records", &json!(parked.len()), &json!(1));
    let Some(parked) = parked.first() else { return Ok(scenario) };
    let at = parked.reason.at.as_ref().map(ToString::to_string).unwrap_or_default();
    scenario.check(
        format!("the reason names the option (`{}`)", parked.reason.reason),
        parked.reason.reason.contains("AI_REFERRALS"),
    );
    scenario.check(format!("the line is in picklists.map ({at})"), at.starts_with("picklists.map:"));
    scenario.step("parked", format!("{} ({at})", parked.reason.reason));
    if let Some(help) = &parked.reason.help {
        scenario.step("to do", help.clone());
    }
    Ok(scenario)
}

async fn two_at_once(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario = Scenario::new("two deliveries at once about a new contact: one Lead");
    let (one, two) = (json!([event(5506, 0)]), json!([event(5506, 1)]));
    let (first, second) = tokio::join!(stage.deliver(&one), stage.deliver(&two));
    let (first, second) = (first?, second?);
    scenario.check(format!("both are answered 200 ({first}, {second})"), first == 200 && second == 200);
    scenario.check("the work is done in time", stage.idle().await?);
    let found = stage.query("SELECT Id FROM Lead WHERE Email = 'nora@soylent.example'")?;
    scenario.equal("the number of Leads", &json!(found.len()), &json!(1));
    scenario.step("received", "two events of contact 5506 in two requests at the same time");
    scenario.step(
        "written",
        "one Lead: a record's events wait in one line, and the write is an upsert by the key",
    );
    Ok(scenario)
}

/// The first contact of the burst; its others follow.
const FIRST_OF_BURST: u64 = 20_001;
const BURST: u64 = 1_000;
/// The contact of the burst whose source nobody translated.
const AT_FAULT: u64 = FIRST_OF_BURST + 499;

/// A workflow makes a thousand contacts marketing qualified; HubSpot sends up to a hundred events in a request.
async fn burst(stage: &Stage) -> Result<Scenario, String> {
    let mut scenario = Scenario::new("burst of 1,000");
    let contacts: Vec<u64> = (FIRST_OF_BURST..FIRST_OF_BURST + BURST).collect();
    for contact in &contacts {
        let email = format!("person{contact}@burst.example");
        let source = if *contact == AT_FAULT { "AI_REFERRALS" } else { "PAID_SEARCH" };
        let lastname = format!("Person {contact}");
        let properties = [
            ("email", email.as_str()),
            ("lastname", lastname.as_str()),
            ("company", "Burst Ltd"),
            ("hs_analytics_source", source),
            ("lifecyclestage", "marketingqualifiedlead"),
        ];
        stage.contact(&contact.to_string(), &properties)?;
    }
    let parked = stage.store.parked().await.map_err(|error| error.to_string())?.len();
    let (hubspot, salesforce) = stage.calls();
    for group in contacts.chunks(100) {
        let events: Vec<Json> = group.iter().map(|contact| event(*contact, 0)).collect();
        let status = stage.deliver(&json!(events)).await?;
        scenario.check(format!("the listener answers 200, and it answered {status}"), status == 200);
    }
    scenario.step("received", format!("{BURST} events in {} requests", contacts.len().div_ceil(100)));
    scenario.check("the work is done in time", stage.idle().await?);
    let (after_hubspot, after_salesforce) = stage.calls();
    let (hubspot, salesforce) = (after_hubspot - hubspot, after_salesforce - salesforce);
    let leads = stage.query("SELECT Id FROM Lead WHERE Company = 'Burst Ltd'")?;
    scenario.equal("the number of Leads", &json!(leads.len()), &json!(BURST - 1));
    let parked_now = stage.store.parked().await.map_err(|error| error.to_string())?;
    scenario.equal("the number of records parked", &json!(parked_now.len() - parked), &json!(1));
    let at_fault = AT_FAULT.to_string();
    scenario.check(
        "the one with an untranslated option is parked, and none of its neighbours",
        parked_now.iter().any(|parked| parked.key.record == at_fault),
    );
    scenario.check(format!("at most 10 calls to HubSpot ({hubspot})"), hubspot <= 10);
    scenario.check(format!("about 10 calls to Salesforce ({salesforce})"), salesforce <= 12);
    scenario.step("enriched", format!("{hubspot} calls to HubSpot, a hundred contacts each"));
    scenario.step(
        "written",
        format!("{} Leads with {salesforce} calls to Salesforce; one contact is parked", leads.len()),
    );
    Ok(scenario)
}
