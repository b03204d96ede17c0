//! `serve` against a Salesforce that tells of nothing: a rep's edit reaches HubSpot.

use serde_json::{Value as Json, json};

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
