//! `serve` against a Salesforce that tells of nothing: a rep's edit reaches HubSpot.

use mapwright::source::{ObjectName, Side};
use mapwright::store::{RecordKey, SqliteStore, Store};
use mapwright::types::Value;
use serde_json::{Value as Json, json};
use sqlx::Connection;

use crate::stage::{Serve, Stage};

const MAPPING: &str = "mapping city_of_lead {
  from salesforce.Lead
  to   hubspot.contact
  when created
  when City changes
  only if Email is present otherwise skip
  match { email = Email | lowercase }
  on none      skip
  on many      oldest
  on rejected  park
  fields { city <- City | trim }
}
";

fn stage() -> Stage {
    let stage = Stage::set();
    stage.world.write("city_of_lead.map", MAPPING);
    stage.world.replace("mapwright.yaml", "every: 1m", "every: 1s");
    stage
}

fn feed(serve: &Serve) -> Json {
    serve.get("/healthz").json()["workers"]["main"]["feeds"]["salesforce.Lead"].clone()
}

fn city(stage: &Stage) -> Json {
    stage.portal("GET", "records/contact/102", &Json::Null).json()["properties"]["city"].clone()
}

#[test]
fn a_change_in_salesforce_starts_a_run() {
    let stage = stage();
    let serve = stage.serve();
    serve.until("the feed has begun", || feed(&serve)["read_to"].is_string());
    let lead =
        json!({"LastName": "O'Brien", "Company": "Acme", "Email": "o'brien@acme.example", "City": "Tempe"});
    stage.org("POST", "records/Lead", &lead).fine();
    serve.until("the contact has the city", || city(&stage) == "Tempe");
    assert!(serve.log().contains("the feed begins now"), "{}", serve.log());
    assert!(serve.metric("mapwright_feed_pages_total{crm=\"salesforce\",result=\"read\"}") >= 2);
    assert_eq!(serve.terminate().0, Some(0));

    // What happens while nobody listens is found afterwards, and only that.
    let lead =
        json!({"LastName": "O'Brien", "Company": "Acme", "Email": "o'brien@acme.example", "City": "Mesa"});
    stage.org("POST", "records/Lead", &lead).fine();
    let serve = stage.serve();
    serve.until("the contact has the other city", || city(&stage) == "Mesa");
    serve.idle();
    assert!(!serve.log().contains("the feed begins now"), "{}", serve.log());
    assert_eq!(serve.metric("mapwright_parked"), 0);
    assert_eq!(serve.get("/healthz").json()["status"], "ok");
    assert_eq!(serve.terminate().0, Some(0));
}

#[test]
fn an_opportunity_that_sales_wins_reaches_its_deal() {
    let stage = Stage::shipped();
    stage.world.replace("mapwright.yaml", "every: 1m", "every: 1s");
    let serve = stage.serve();
    let feeds = || serve.get("/healthz").json()["workers"]["main"]["feeds"].clone();
    for object in ["salesforce.Account", "salesforce.Opportunity"] {
        serve.until("the feeds have begun", || feeds()[object]["read_to"].is_string());
    }
    let made = |object: &str, fields: &Json| {
        let path = format!("records/{object}");
        let made = stage.org("POST", &path, fields).fine().json();
        made["id"].as_str().expect("an id").to_owned()
    };
    let account = made("Account", &json!({"Name": "Hooli", "Website": "https://www.hooli.example"}));
    let opportunity = made(
        "Opportunity",
        &json!({
            "Name": "Hooli, first order", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": 1200,
            "AccountId": account,
        }),
    );
    let deal = |stage: &Stage| stage.deals().first().cloned().unwrap_or_default();
    let stage_of = |stage: &Stage| deal(stage)["properties"]["dealstage"].clone();
    serve.until("there is a deal", || stage_of(&stage) == "appointmentscheduled");
    let company = |stage: &Stage| deal(stage)["associations"]["companies"]["results"][0]["id"].clone();
    serve.until("the deal has its company", || company(&stage).is_string());
    let won = json!({"StageName": "Closed Won"});
    stage.org("PATCH", &format!("records/Opportunity/{opportunity}"), &won).fine();
    serve.until("the deal is won", || stage_of(&stage) == "closedwon");
    serve.idle();
    let only = stage.deals();
    assert_eq!(only.len(), 1, "{only:?}");
    assert_eq!(only[0]["properties"]["salesforce_opportunity_id"], json!(opportunity));
    assert_eq!(serve.metric("mapwright_parked"), 0, "{}", serve.log());
    assert_eq!(serve.terminate().0, Some(0));
}

/// Its snapshot has a field that the org no longer has.
#[test]
fn an_object_that_cannot_be_read_is_shown_and_holds_up_nothing_else() {
    let stage = stage();
    let account = "  Account:\n    label: Account\n    key_prefix: \"001\"\n    fields:\n";
    for file in ["account_company.map", "account_company_tests.map", "picklists_tests.map"] {
        stage.world.remove(file);
    }
    let with_ghost = format!("{account}      Ghost__c: {{ label: Ghost, type: string, length: 80 }}\n");
    stage.world.replace("schema/salesforce.yaml", account, &with_ghost);
    let ghost = MAPPING.replace("city_of_lead", "ghost").replace("salesforce.Lead", "salesforce.Account");
    let ghost = ghost.replace("hubspot.contact", "hubspot.company").replace("when City", "when Ghost__c");
    let ghost = ghost.replace("Email is", "Website is").replace("email = Email", "domain = Website");
    stage.world.write("ghost.map", ghost.replace("<- City", "<- BillingCity"));
    let serve = stage.serve();
    let health = || serve.get("/healthz").fine().json();
    serve.until("it is degraded", || health()["status"] == "degraded");
    let error = health()["workers"]["main"]["feeds"]["salesforce.Account"]["error"].clone();
    assert_eq!(error, "INVALID_FIELD", "{}", serve.log());
    serve.until("Leads are read", || feed(&serve)["read_to"].is_string());
    stage.qualify("101");
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    assert_eq!(serve.terminate().0, Some(0));
}

#[test]
fn a_mistake_in_the_intervals_is_found() {
    let stage = stage();
    stage.world.replace("mapwright.yaml", "every: 1s", "every: 60");
    let ran = stage.run(&["check"]).exits(1);
    assert!(
        ran.out.contains("`60` is no length of time") || ran.err.contains("`60` is no length of time"),
        "{ran:?}"
    );
    stage.world.replace("mapwright.yaml", "every: 60", "every: off\n  mappings: { city_of_led: 30s }");
    let ran = stage.run(&["check"]).exits(1);
    let text = format!("{}{}", ran.out, ran.err);
    assert!(text.contains("no mapping or sync is called `city_of_led`"), "{text}");
    assert!(text.contains("did you mean `city_of_lead`?"), "{text}");
}

fn lead(city: &str) -> Json {
    json!({"LastName": "O'Brien", "Company": "Acme", "Email": "o'brien@acme.example", "City": city})
}

fn store(stage: &Stage) -> std::path::PathBuf {
    stage.world.path(".mapwright/mapwright.db")
}

/// The cities that the mapping wrote to the contact, the first one first.
fn cities_written(stage: &Stage) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(&store(stage)).await.expect("the store");
        let contact = RecordKey::new("main", ObjectName::new(Side::Hubspot, "contact"), "102");
        let written = store.history(&contact).await.expect("history");
        store.close().await;
        let cities = written.into_iter().filter(|entry| entry.field.field == "city");
        let text = |value| match value {
            Value::Text(city) => city,
            other => panic!("{other:?} is no city"),
        };
        // The history has the latest first.
        cities.map(|entry| text(entry.field.new)).rev().collect()
    })
}

/// Pages of changed Leads that Salesforce has answered.
fn pages(stage: &Stage) -> usize {
    let calls = stage.org("GET", "calls", &Json::Null).fine().json();
    let calls = calls["calls"].as_array().expect("calls").iter();
    calls.filter(|call| call["operation"] == "salesforce.query_all" && call["object"] == "Lead").count()
}

/// Another process finds the Lead whose page or run was cut off, and writes its city once.
fn goes_on(stage: &Stage) {
    assert_ne!(city(stage), "Tempe");
    let serve = stage.serve();
    serve.until("the contact has the city", || city(stage) == "Tempe");
    serve.idle();
    assert_eq!(serve.terminate().0, Some(0));
    assert_eq!(cities_written(stage), ["Tempe"]);
}

/// The store is locked, so that a page that was read cannot be kept; the process dies meanwhile.
#[test]
fn killed_after_a_page_was_read_and_before_it_was_kept() {
    let stage = stage();
    // Only Leads are asked for: no page of another object stands before theirs at the lock.
    stage.world.replace("mapwright.yaml", "every: 1s", "every: off\n  mappings: { city_of_lead: 1s }");
    let serve = stage.serve();
    serve.until("the feed has begun", || feed(&serve)["read_to"].is_string());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let lock = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store(&stage));
        let mut lock = sqlx::SqliteConnection::connect_with(&options).await.expect("a connection");
        sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.expect("a lock");
        lock
    });
    stage.org("POST", "records/Lead", &lead("Tempe")).fine();
    // A page without the Lead may wait for the lock already; then it is another one that reads it.
    let before = pages(&stage);
    serve.until("a page is read", || pages(&stage) > before);
    serve.kill();
    runtime.block_on(async { lock.close().await.expect("unlocked") });
    goes_on(&stage);
}

/// The page is kept, and HubSpot cannot be reached.
#[test]
fn killed_after_a_page_was_kept_and_before_it_was_worked_on() {
    let stage = stage();
    let serve = stage.serve();
    serve.until("the feed has begun", || feed(&serve)["read_to"].is_string());
    stage.portal("POST", "faults", &json!({"path": "/crm/", "status": 503, "times": 1000})).fine();
    stage.org("POST", "records/Lead", &lead("Tempe")).fine();
    serve.until("it is journaled", || serve.metric("mapwright_events_pending") > 0);
    serve.kill();
    stage.portal("DELETE", "faults", &Json::Null).fine();
    goes_on(&stage);
}

#[test]
fn killed_again_and_again_while_it_polls() {
    let stage = stage();
    let serve = stage.serve();
    serve.until("the feed has begun", || feed(&serve)["read_to"].is_string());
    let made = stage.org("POST", "records/Lead", &lead("City 0")).fine().json();
    let id = made["Id"].as_str().or(made["id"].as_str()).expect("an id").to_owned();
    serve.until("the contact has the first city", || city(&stage) == "City 0");
    serve.kill();
    for round in 1..6_u64 {
        stage.org("PATCH", &format!("records/Lead/{id}"), &json!({"City": format!("City {round}")})).fine();
        let serve = stage.serve();
        std::thread::sleep(std::time::Duration::from_millis(round * 150));
        serve.kill();
    }
    let serve = stage.serve();
    serve.until("the contact has the last city", || city(&stage) == "City 5");
    serve.idle();
    assert_eq!(serve.metric("mapwright_parked"), 0);
    assert_eq!(serve.terminate().0, Some(0));
    let written = cities_written(&stage);
    assert!(written.is_sorted_by(|a, b| a < b), "each city at most once, in their order: {written:?}");
    let ends = (written.first().map(String::as_str), written.last().map(String::as_str));
    assert_eq!(ends, (Some("City 0"), Some("City 5")), "{written:?}");
}
