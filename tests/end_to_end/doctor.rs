//! `doctor` against the sandbox.

use serde_json::{Value as Json, json};

use crate::stage::Stage;

/// The checks of a level, as `check: message`.
fn of_level(document: &Json, level: &str) -> Vec<String> {
    let checks = document["checks"].as_array().expect("checks").iter();
    let text = |check: &Json, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    checks
        .filter(|check| check["level"] == level)
        .map(|check| format!("{}: {}", text(check, "check"), text(check, "message")))
        .collect()
}

fn has(found: &[String], beginning: &str, part: &str) -> bool {
    found.iter().any(|line| line.starts_with(beginning) && line.contains(part))
}

#[test]
fn a_project_in_order_has_no_problem() {
    let stage = Stage::shipped();
    let ran = stage.run(&["doctor", "--json"]).fine();
    let document = ran.json();
    assert_eq!(document["problems"], 0, "{document:#}");
    let fine = of_level(&document, "ok");
    for (check, part) in [
        ("HubSpot token", "works for portal 4556789"),
        ("HubSpot scopes", "that the mappings need"),
        ("Salesforce token", "in org"),
        ("Salesforce keys", "`Lead.HubSpot_Contact_ID__c` is an external ID and unique"),
        ("clock (HubSpot)", "within"),
        ("clock (Salesforce)", "within"),
        ("store", "is not there yet"),
        ("HubSpot keys", "`salesforce_account_id` of company is unique"),
        ("HubSpot fields", "that the mappings use are there"),
        ("Salesforce fields", "are granted as the mappings need them"),
        ("disk", "are free under"),
    ] {
        assert!(has(&fine, check, part), "{check}: {fine:#?}");
    }
    let warnings = of_level(&document, "warning");
    assert!(has(&warnings, "serve", "nothing answers"), "{warnings:#?}");
    assert!(
        has(&warnings, "duplicate rules", "`Leads_by_phone` watches Lead, which `mql_to_lead` makes"),
        "{warnings:#?}"
    );
    assert!(!has(&warnings, "Salesforce keys", "IsConverted"), "{warnings:#?}");
    assert!(has(&warnings, "webhooks", "cannot be read with a private app's token"), "{warnings:#?}");
    let webhooks = document["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|check| check["check"] == "webhooks" && check["level"] == "warning");
    let help = webhooks.expect("webhooks")["help"].as_str().expect("help").to_owned();
    for needed in ["contact.propertyChange lifecyclestage", "contact.privacyDeletion"] {
        assert!(help.contains(needed), "{needed}: {help}");
    }
    assert!(!stage.world.path(".mapwright").exists(), "it makes no store");

    // With `serve` at work and an event that came, more is known.
    let serve = stage.serve();
    stage.edit_contact("5502", &json!({"lifecyclestage": "lead"}));
    stage.qualify("5502");
    serve.until("there is a Lead", || !stage.leads_of("5502").is_empty());
    serve.idle();
    let document = stage.run(&["doctor", "--json"]).fine().json();
    let fine = of_level(&document, "ok");
    assert!(has(&fine, "serve", "runs at http://127.0.0.1:"), "{fine:#?}");
    assert!(has(&fine, "webhooks", "contact.propertyChange lifecyclestage: last came"), "{fine:#?}");
    assert!(has(&fine, "store", "can be written"), "{fine:#?}");
    assert!(has(&fine, "parked", "no record waits for a person"), "{fine:#?}");
    assert!(has(&fine, "queue", "0 records have work"), "{fine:#?}");
    assert!(has(&fine, "polls", "the changes of salesforce.Lead are read to"), "{fine:#?}");
    let told = stage.run(&["doctor"]).fine();
    assert!(told.out.contains("pair `main`:"), "{}", told.out);
    assert!(told.out.trim_end().ends_with("0 problems"), "{}", told.out);
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let stage = Stage::set();
    let scopes = json!(["crm.objects.contacts.read", "crm.schemas.contacts.read", "crm.schemas.deals.read"]);
    stage.portal("PUT", "scopes", &json!({"scopes": scopes})).fine();
    let serve = stage.serve();
    stage.qualify("103");
    serve.until("it is held up or parked", || {
        serve.metric("mapwright_parked") == 1 || serve.get("/healthz").json()["status"] == "degraded"
    });
    let document = stage.run(&["doctor", "--json"]).exits(1).json();
    let problems = of_level(&document, "problem");
    for (check, part) in [
        // The snapshot promises properties that this portal does not have.
        ("HubSpot keys", "`salesforce_opportunity_id` of deal does not exist in the portal"),
        ("HubSpot keys", "the properties of company cannot be read"),
        ("HubSpot scopes", "`crm.objects.companies.read` is missing, which `account_company`"),
    ] {
        assert!(has(&problems, check, part), "{check}: {problems:#?}");
    }
    let paused = has(&problems, "pauses", "hubspot is left alone until");
    let parked =
        has(&of_level(&document, "warning"), "parked", "1 records wait for a person: 1 of `mql_to_lead`");
    assert!(paused || parked, "{document:#}");

    stage.world.replace("mapwright.yaml", "portal: 4556789", "portal: 4556780");
    let document = stage.run(&["doctor", "--json"]).exits(1).json();
    assert!(has(&of_level(&document, "problem"), "HubSpot token", "is of portal 4556789"), "{document:#}");
}

#[test]
fn a_token_that_is_refused() {
    let mut stage = Stage::set();
    stage.variable("HUBSPOT_TOKEN", "pat-wrong");
    stage.variable("SALESFORCE_CLIENT_SECRET", "wrong");
    let ran = stage.run(&["doctor", "--json"]).exits(1);
    let problems = of_level(&ran.json(), "problem");
    assert!(has(&problems, "HubSpot token", ""), "{problems:#?}");
    assert!(has(&problems, "Salesforce token", "lets nobody in"), "{problems:#?}");
    for secret in ["pat-wrong", "sandbox-client-secret"] {
        assert!(!ran.out.contains(secret), "{secret}: {}", ran.out);
    }
}

#[test]
fn crms_that_are_down_and_a_configuration_that_is_wrong() {
    let mut stage = Stage::set();
    stage.stop_sandbox();
    stage.run(&["doctor"]).exits(3);
    stage.run(&["doctor", "--pair", "mian"]).exits(2);
    stage.world.replace("mapwright.yaml", "language: 1", "language: 9");
    stage.run(&["doctor"]).exits(2);
}

#[test]
fn fields_that_are_withheld_are_named_with_their_lines() {
    let stage = Stage::shipped();
    stage.org("PATCH", "schema/Lead/Title", &json!({"access": "read"})).fine();
    stage.org("DELETE", "schema/Lead/HubSpot_Lead_Score__c", &json!(null)).fine();
    stage.org("DELETE", "schema/Opportunity/NextStep", &json!(null)).fine();
    let document = stage.run(&["doctor", "--json"]).exits(1).json();
    let problems = of_level(&document, "problem");
    let line = |file: &str, rule: &str| {
        let text = stage.world.read(file);
        let at = text.lines().position(|line| line.trim_start().starts_with(rule)).expect("a rule");
        format!("{file}:{}", at + 1)
    };
    for (field, right, place) in [
        ("`Lead.Title`", "may not edit", line("mql_to_lead.map", "Title ")),
        (
            "`Lead.HubSpot_Lead_Score__c`",
            "may not read and edit",
            line("mql_to_lead.map", "HubSpot_Lead_Score__c"),
        ),
        (
            "`Opportunity.NextStep`",
            "may not read",
            line("opportunity_to_deal.map", "mapping opportunity_to_deal"),
        ),
    ] {
        let named = problems.iter().any(|problem| {
            problem.starts_with("Salesforce fields")
                && [field, right, &place].iter().all(|part| problem.contains(part))
        });
        assert!(named, "{field} {place}: {problems:#?}");
    }
    let of_fields = problems.iter().filter(|problem| problem.starts_with("Salesforce fields")).count();
    assert_eq!(of_fields, 3, "{problems:#?}");
}
