//! `plan` and `run` for one record against the sandbox.

use serde_json::json;

use crate::stage::Stage;

#[test]
fn plan_shows_run_does_and_then_nothing_is_left() {
    let stage = Stage::set();
    let before = stage.org_state();
    let plan = stage.run(&["plan", "mql_to_lead", "--record", "101"]).fine();
    let rules: Vec<String> =
        plan.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(rules[0], "`mql_to_lead` would create a salesforce.Lead with HubSpot_Contact_ID__c = 101:");
    for rule in [
        "FirstName \"Jane\" mql_to_lead.map:56",
        "Email \"jane@acme.example\" mql_to_lead.map:31",
        "HubSpot_Lead_Score__c 87 mql_to_lead.map:38",
        "Status \"MQL - Pending Review\" mql_to_lead.map:44",
    ] {
        assert!(rules.iter().any(|line| line == rule), "{rule}: {}", plan.out);
    }
    assert_eq!(stage.org_state(), before, "a plan writes nothing");
    assert_eq!(stage.writes(), [""; 0]);
    assert!(!stage.world.path(".mapwright").exists(), "a plan makes no store");

    let run = stage.run(&["run", "mql_to_lead", "--record", "101"]).fine();
    assert!(run.out.starts_with("`mql_to_lead` created salesforce.Lead 00Q"), "{}", run.out);
    let leads = stage.leads_of("101");
    assert_eq!(leads.len(), 1);
    assert_eq!((&leads[0]["Email"], &leads[0]["FirstName"]), (&json!("jane@acme.example"), &json!("Jane")));

    for command in ["plan", "run"] {
        let again = stage.run(&[command, "mql_to_lead", "--record", "101"]).fine();
        let id = leads[0]["Id"].as_str().expect("an id");
        assert_eq!(again.out, format!("`mql_to_lead`: salesforce.Lead {id} is already as it should be\n"));
    }
    assert_eq!(stage.writes().len(), 1);
}

#[test]
fn what_a_run_by_hand_parks_waits_with_the_rest() {
    let stage = Stage::set();
    let run = stage.run(&["run", "mql_to_lead", "--record", "103"]).exits(1);
    assert!(run.out.contains("more than one open Lead has this e-mail"), "{}", run.out);
    assert!(run.err.contains("`mapwright parked list` shows it"), "{}", run.err);
    let document = stage.run(&["parked", "list", "--json"]).fine().json();
    assert_eq!(
        (&document[0]["mapping"], &document[0]["record"]),
        (&json!("mql_to_lead"), &json!("main:hubspot.contact:103"))
    );
    let id = document[0]["id"].to_string();
    // Neither a secret nor a sound mapping is needed to see what waits.
    stage.world.write("broken.map", "mapping {");
    let mut bare = stage.world.command(&["parked", "show", &id]);
    for name in ["HUBSPOT_TOKEN", "HUBSPOT_CLIENT_SECRET", "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"]
    {
        bare.env_remove(name);
    }
    let show = stage.world.finish(bare, &[]).fine();
    assert!(show.out.contains("reason: more than one open Lead"), "{}", show.out);
}

#[test]
fn a_crm_that_cannot_be_reached_is_named_with_its_key() {
    let mut stage = Stage::set();
    stage.stop_sandbox();
    let run = stage.run(&["run", "mql_to_lead", "--record", "101"]).exits(3);
    for fact in ["no connection to `http://127.0.0.1:", "`pairs: main: hubspot: base_url`"] {
        assert!(run.err.contains(fact), "{fact}: {}", run.err);
    }
}

#[test]
fn a_plan_for_a_known_record_shows_old_and_new() {
    let stage = Stage::set();
    let before = stage.org_state();
    let plan = stage.run(&["plan", "mql_to_lead", "--record", "102"]).fine();
    let lines: Vec<String> =
        plan.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(lines[0].starts_with("`mql_to_lead` would update salesforce.Lead 00Q"), "{}", plan.out);
    for line in [
        "HubSpot_Contact_ID__c (blank) → \"102\" mql_to_lead.map:17",
        "LastName \"Old\" → \"O'Brien\" mql_to_lead.map:57",
        "Email \"o'brien@acme.example\" (kept: already so) mql_to_lead.map:31",
        "Status \"Open - Not Contacted\" (kept: written on create only) mql_to_lead.map:44",
    ] {
        assert!(lines.iter().any(|known| known == line), "{line}: {}", plan.out);
    }
    assert_eq!(stage.org_state(), before);
    let document = stage.run(&["plan", "mql_to_lead", "--record", "102", "--json"]).fine().json();
    assert_eq!(document["would"], "write");
    assert_eq!(document["write"]["request"]["fields"]["LastName"], "O'Brien");
    let changes = document["write"]["changes"].as_array().expect("the changes");
    let name = changes.iter().find(|change| change["field"] == "LastName").expect("it changes");
    assert_eq!((&name["old"], &name["new"]), (&json!("Old"), &json!("O'Brien")));

    stage.run(&["run", "mql_to_lead", "--record", "102"]).fine();
    let leads = stage.leads_of("102");
    // The rep's Lead is adopted: the apostrophe in the address found it.
    assert_eq!(leads.len(), 1);
    assert_eq!((&leads[0]["LastName"], &leads[0]["FirstName"]), (&json!("O'Brien"), &json!("Pat")));
}

#[test]
fn a_quote_and_a_backslash_find_the_right_record() {
    let stage = Stage::set();
    stage.run(&["run", "company_to_account", "--record", "9001"]).fine();
    let found = stage.query("SELECT Name, Website FROM Account WHERE HubSpot_Company_ID__c = '9001'");
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["Name"], &found[0]["Website"]), (&json!("Quote"), &json!("o'b\\k.example")));
    assert_eq!(stage.query("SELECT Id FROM Account WHERE Name = 'Decoy'").len(), 1, "the other is as it was");
    // A value that tries to be a query is a value.
    stage
        .portal(
            "PATCH",
            "records/company/9001",
            &json!({"properties": {"domain": "x' OR Name != '' OR Name = '", "name": "Injected"}}),
        )
        .fine();
    stage
        .portal(
            "POST",
            "records/company",
            &json!({"id": "9002", "properties": {
                "domain": "x' OR Name != '' OR Name = '", "name": "Second",
            }}),
        )
        .fine();
    stage.run(&["run", "company_to_account", "--record", "9002"]).fine();
    assert_eq!(stage.query("SELECT Id FROM Account").len(), 3, "nothing matched, so one was created");
}

#[test]
fn what_needs_a_person_is_exit_1() {
    let stage = Stage::set();
    let before = stage.org_state();
    for command in ["plan", "run"] {
        let ran = stage.run(&[command, "mql_to_lead", "--record", "103"]).exits(1);
        let said: Vec<&str> = ran.out.lines().collect();
        assert_eq!(said[0], "`mql_to_lead` parks it: more than one open Lead has this e-mail");
        assert_eq!(said[1], "  line: mql_to_lead.map:22");
        assert!(said[2].starts_with("  what to do: merge or correct them in the CRM"), "{}", ran.out);
    }
    assert_eq!(stage.org_state(), before);
}

#[test]
fn a_record_that_does_not_exist_is_exit_1() {
    let stage = Stage::set();
    for command in ["plan", "run"] {
        let ran = stage.run(&[command, "mql_to_lead", "--record", "999"]).exits(1);
        assert_eq!(
            ran.out,
            "`mql_to_lead`: there is no source record with the id `999`; `--record` takes the id that the CRM shows\n"
        );
    }
    for id in ["", "abc", "../../x", "1 OR 1", "999999999999999999999999"] {
        let ran = stage.run(&["plan", "mql_to_lead", "--record", id]);
        assert!((1..=3).contains(&ran.code), "{id}: {ran:?}");
    }
}

#[test]
fn a_wrong_token_is_exit_3_in_the_vendors_words() {
    let mut stage = Stage::set();
    stage.variable("HUBSPOT_TOKEN", "pat-wrong-secret");
    let ran = stage.run(&["plan", "mql_to_lead", "--record", "101"]).exits(3);
    assert!(ran.err.starts_with("error: HubSpot INVALID_AUTHENTICATION: "), "{}", ran.err);
    assert!(!ran.err.contains("pat-wrong-secret"), "a token is never shown");

    let mut stage = Stage::set();
    stage.variable("SALESFORCE_CLIENT_SECRET", "wrong-secret");
    let ran = stage.run(&["run", "mql_to_lead", "--record", "101"]).exits(3);
    assert_eq!(ran.err, "error: Salesforce invalid_client: invalid client credentials\n");
}

#[test]
fn an_expired_session_is_renewed() {
    let stage = Stage::set();
    stage
        .org(
            "POST",
            "faults",
            &json!({
                "method": "GET", "path": "/query", "status": 401,
                "body": [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
            }),
        )
        .fine();
    stage.run(&["run", "mql_to_lead", "--record", "101"]).fine();
    assert_eq!(stage.leads_of("101").len(), 1);
}

#[test]
fn a_crm_that_is_down_is_exit_3() {
    let mut stage = Stage::set();
    stage.org("POST", "faults", &json!({
        "path": "/services/data", "status": 503, "times": 1000,
        "body": [{"message": "The server is down for maintenance", "errorCode": "SERVER_UNAVAILABLE"}],
    })).fine();
    let ran = stage.run(&["run", "mql_to_lead", "--record", "101"]).exits(3);
    assert!(
        ran.err.contains("SERVER_UNAVAILABLE") && ran.err.contains("down for maintenance"),
        "{}",
        ran.err
    );
    stage.stop_sandbox();
    let ran = stage.run(&["run", "mql_to_lead", "--record", "101"]).exits(3);
    assert!(ran.err.starts_with("error: HubSpot: no connection to "), "{}", ran.err);
    assert!(ran.err.contains("refused"), "{}", ran.err);
}
