//! An administrator changes the schema of a CRM while `serve` is at work: what the operator sees, and that nothing is lost.

use serde_json::{Value as Json, json};

use crate::stage::{Serve, Stage};

fn parked(stage: &Stage) -> Json {
    stage.run(&["parked", "list", "--json"]).fine().json()
}

#[test]
fn a_field_that_is_deleted_parks_its_records_until_it_is_back() {
    let stage = Stage::set();
    let serve = stage.serve();
    stage.org("DELETE", "schema/Lead/HubSpot_Lead_Score__c", &Json::Null).fine();
    stage.qualify("101");
    serve.until("it is parked", || serve.metric("mapwright_parked") == 1);
    serve.idle();
    let shown = parked(&stage).to_string();
    for word in ["INVALID_FIELD", "HubSpot_Lead_Score__c", "mql_to_lead"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert_eq!(serve.get("/healthz").json()["status"], "ok", "no other record is held up");
    let score = json!({"type": "double", "precision": 18, "scale": 0, "label": "Score"});
    stage.org("PATCH", "schema/Lead/HubSpot_Lead_Score__c", &score).fine();
    let id = parked(&stage)[0]["id"].clone();
    stage.run(&["parked", "retry", &id.to_string()]).fine();
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    assert_eq!(serve.metric("mapwright_parked"), 0);
    assert_eq!(serve.terminate().0, Some(0));
}

#[test]
fn an_option_that_is_deactivated_parks_with_its_line() {
    let stage = Stage::set();
    let serve = stage.serve();
    let gone = json!({"restricted": true, "deactivate": ["MQL - Pending Review"]});
    stage.org("PATCH", "schema/Lead/Status", &gone).fine();
    stage.qualify("101");
    serve.until("it is parked", || serve.metric("mapwright_parked") == 1);
    let shown = parked(&stage).to_string();
    for word in ["INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Status", "mql_to_lead.map"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    stage.org("PATCH", "schema/Lead/Status", &json!({"addValues": ["MQL - Pending Review"]})).fine();
    let id = parked(&stage)[0]["id"].clone();
    stage.run(&["parked", "retry", &id.to_string()]).fine();
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    assert_eq!(serve.terminate().0, Some(0));
}

fn feed(serve: &Serve, object: &str) -> Json {
    serve.get("/healthz").json()["workers"]["main"]["feeds"][object].clone()
}

#[test]
fn a_property_that_is_deleted_is_dropped_where_the_mapping_says_so_and_shown() {
    let stage = Stage::shipped();
    stage.world.replace("mapwright.yaml", "every: 1m", "every: 1s");
    let serve = stage.serve();
    serve.until("the feed has begun", || feed(&serve, "salesforce.Opportunity")["read_to"].is_string());
    stage.portal("DELETE", "schema/deal/hs_next_step", &Json::Null).fine();
    let opportunity = json!({
        "Name": "Hooli", "StageName": "Prospecting", "CloseDate": "2026-12-31", "NextStep": "Call them",
    });
    stage.org("POST", "records/Opportunity", &opportunity).fine();
    serve.until("there is a deal", || !stage.deals().is_empty());
    serve.idle();
    let dropped = "mapwright_fields_dropped_total{pair=\"main\",mapping=\"opportunity_to_deal\",field=\"hs_next_step\"}";
    assert_eq!(serve.metric(dropped), 1, "{}", serve.get("/metrics").text);
    assert_eq!(serve.metric("mapwright_parked"), 0);
    let (code, log) = serve.terminate();
    assert_eq!(code, Some(0));
    let line = log.lines().find(|line| line.contains("a field was refused, and dropped"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    for word in ["opportunity_to_deal.map:", "hs_next_step", "salesforce.Opportunity:006"] {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[test]
fn a_field_that_the_feed_asks_for_holds_up_its_object_and_loses_nothing() {
    let stage = Stage::shipped();
    stage.world.replace("mapwright.yaml", "every: 1m", "every: 1s");
    let serve = stage.serve();
    let account = "salesforce.Account";
    serve.until("the feed has begun", || feed(&serve, account)["read_to"].is_string());
    stage.org("DELETE", "schema/Account/Phone", &Json::Null).fine();
    serve.until("it is shown", || feed(&serve, account)["error"] == "INVALID_FIELD");
    let made = json!({"Name": "Hooli", "Website": "https://hooli.example"});
    stage.org("POST", "records/Account", &made).fine();
    stage
        .org("PATCH", "schema/Account/Phone", &json!({"type": "phone", "length": 40, "label": "Phone"}))
        .fine();
    // It is asked for again after ten minutes, or at the next start.
    assert_eq!(serve.terminate().0, Some(0));
    let serve = stage.serve();
    let is_there = || stage.companies().iter().any(|company| company["properties"]["name"] == "Hooli");
    serve.until("the Account that was made meanwhile has its company", is_there);
    serve.until("nothing is wrong any more", || feed(&serve, account)["error"].is_null());
    serve.idle();
    assert_eq!(serve.metric("mapwright_parked"), 0);
    assert_eq!(serve.terminate().0, Some(0));
}
