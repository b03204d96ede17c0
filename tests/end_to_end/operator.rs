//! What an operator has got wrong, or asks about: it is told by its name, and nothing is lost meanwhile.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};

use serde_json::{Value as Json, json};

use crate::stage::{Serve, Stage};

/// The lines of a log, each of which must be one JSON object with no key twice.
fn lines(serve: &Serve) -> Vec<Json> {
    let of = |line: &str| {
        let json: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["message", "level", "error", "pair"] {
            assert!(line.matches(&format!("\"{key}\":")).count() <= 1, "{key} stands once: {line}");
        }
        json
    };
    serve.log().lines().map(of).collect()
}

#[test]
fn a_token_of_another_portal_is_refused_before_anything_is_read_or_written() {
    let stage = Stage::set();
    stage.qualify("101");
    stage.world.replace("mapwright.yaml", "portal: 4556789", "portal: 4556790");
    let before = stage.org_state();
    for args in [
        &["run", "mql_to_lead", "--record", "101"][..],
        &["plan", "mql_to_lead", "--record", "101"],
        &["backfill", "mql_to_lead"],
        &["schema", "pull", "hubspot"],
        &["drift"],
        &["serve"],
    ] {
        let ran = stage.run(args).exits(2);
        let fact = "the token is of portal 4556789, and `portal:` says 4556790";
        assert!(ran.err.contains(fact), "{args:?}: {}", ran.err);
    }
    assert_eq!(stage.org_state(), before);
    let document = stage.run(&["doctor", "--json"]).exits(1).json();
    let problems = problems(&document);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("the token is of portal 4556789"), "{problems:?}");
    // Salesforce alone can be asked all the same.
    stage.run(&["schema", "pull", "salesforce"]).fine();
}

fn problems(document: &Json) -> Vec<String> {
    let checks = document["checks"].as_array().expect("checks").iter();
    let of = checks.filter(|check| check["level"] == "problem");
    of.map(|check| format!("{}: {}", check["check"], check["message"])).collect()
}

#[test]
fn a_version_that_salesforce_does_not_offer_parks_nothing() {
    let stage = Stage::with_qualified(3);
    stage.world.replace("mapwright.yaml", "api_version: \"58.0\"", "api_version: \"99.0\"");
    let ran = stage.run(&["backfill", "mql_to_lead"]).exits(3);
    assert!(ran.err.contains("the org does not offer version 99.0 (it offers 20.0 to 66.0)"), "{}", ran.err);
    assert!(ran.err.contains("set `api_version:`"), "{}", ran.err);
    let serve = stage.serve();
    stage.qualify("101");
    let paused = || serve.get("/healthz").json()["workers"]["main"]["paused"]["salesforce"].clone();
    serve.until("Salesforce is left alone", || paused()["reason"] == "version");
    assert!(paused()["help"].as_str().is_some_and(|help| help.contains("`api_version:`")), "{}", paused());
    assert_eq!(serve.metric("mapwright_parked"), 0);
    let document = stage.run(&["doctor", "--json"]).exits(1).json();
    let told: Vec<String> =
        problems(&document).into_iter().filter(|told| told.starts_with("\"Salesforce")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("does not offer version 99.0"), "{told:?}");
    stage.run(&["parked", "list"]).fine();
}

#[test]
fn a_path_that_hubspot_does_not_know_parks_nothing() {
    let stage = Stage::with_qualified(3);
    stage.world.replace("mapwright.yaml", "api_path: v3", "api_path: v9");
    let ran = stage.run(&["backfill", "mql_to_lead"]).exits(3);
    assert!(ran.err.contains("the API path `v9`; see `api_path:`"), "{}", ran.err);
    assert!(stage.run(&["parked", "list"]).fine().err.contains("nothing is parked"));
}

#[test]
fn a_log_of_json_holds_nothing_else() {
    let stage = Stage::set();
    stage.world.replace("mapwright.yaml", "every: 1m", "every: 1s");
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.until("the feed has begun", || serve.log().contains("the feed begins now"));
    serve.idle();
    stage
        .org(
            "POST",
            "faults",
            &json!({
                "path": "/services/data", "status": 400, "times": 1000,
                "body": [{"message": "no", "errorCode": "MALFORMED_QUERY"}],
            }),
        )
        .fine();
    serve.until("the feed fails", || serve.log().contains("changes cannot be read"));
    let all = lines(&serve);
    let with = |message: &str| -> Vec<&Json> {
        let is = |line: &&Json| line["message"].as_str().is_some_and(|text| text.starts_with(message));
        let found: Vec<&Json> = all.iter().filter(is).collect();
        assert!(!found.is_empty(), "{message}: {}", serve.log());
        found
    };
    with("listening on http://127.0.0.1:");
    for message in ["the feed begins now", "changes cannot be read"] {
        assert!(with(message).iter().all(|line| line["pair"] == "main"), "{message}: {}", serve.log());
    }
    assert!(with("changes cannot be read")[0]["error"].is_string());
    let (code, log) = serve.terminate();
    assert_eq!(code, Some(0), "{log}");
    let last = log.lines().find(|line| line.contains("stopping")).expect("it says so");
    assert_eq!(serde_json::from_str::<Json>(last).expect("JSON")["level"], "INFO", "{last}");
}

#[test]
fn the_end_of_a_record_is_told_in_words() {
    let stage = Stage::set();
    stage.world.replace("mapwright.yaml", "every: 1m", "every: 1s");
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    let lead = stage.leads_of("101")[0]["Id"].as_str().expect("an id").to_owned();
    serve.until("the feed has seen the Lead", || {
        serve.get("/healthz").json()["workers"]["main"]["feeds"]["salesforce.Lead"]["read_to"].is_string()
    });
    stage.org("DELETE", &format!("records/Lead/{lead}"), &Json::Null).fine();
    let why = || stage.world.run(&["why", "contact", "101"]).fine().out;
    serve.until("the deletion is heard of", || why().contains("was deleted"));
    serve.idle();
    let told = why();
    for fact in [
        format!("because of the end of its pair: the target record {lead} was deleted"),
        format!("salesforce.Lead {lead} is gone"),
        "skipped by `mql_to_lead`".to_owned(),
    ] {
        assert!(told.contains(&fact), "{fact}: {told}");
    }
    assert!(!told.contains("TargetDeleted") && !told.contains("one of them"), "{told}");
    assert!(!serve.log().contains("TargetDeleted"), "{}", serve.log());
}

#[test]
fn doctor_goes_on_where_a_mapping_has_an_error() {
    let stage = Stage::set();
    stage.world.write("broken.map", "mapping broken {\n");
    let document = stage.run(&["doctor", "--json"]).exits(1).json();
    let told = problems(&document);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the first in broken.map:"), "{told:?}");
    let checks = document["checks"].as_array().expect("checks");
    let names: BTreeSet<&str> = checks.iter().filter_map(|check| check["check"].as_str()).collect();
    for check in ["HubSpot token", "Salesforce token", "Salesforce limits", "store", "disk", "serve"] {
        assert!(names.contains(check), "{check}: {names:?}");
    }
    for check in ["HubSpot scopes", "Salesforce keys", "webhooks"] {
        assert!(!names.contains(check), "{check} needs the plan: {names:?}");
    }
    let ran = stage.run(&["why", "contact", "999"]).exits(1);
    assert!(ran.err.contains("the project has errors, so what writes or reads"), "{}", ran.err);
}

#[test]
fn what_the_sandbox_prints_can_be_pasted() {
    let stage = Stage::set();
    let mut sandbox = stage.command(&["sandbox"]).spawn().expect("it starts");
    let mut out = BufReader::new(sandbox.stdout.take().expect("piped"));
    let mut block = String::from("language: 1\npairs:\n");
    while block.matches("oauth: {").count() < 2 {
        let mut line = String::new();
        assert_ne!(out.read_line(&mut line).expect("readable"), 0, "{block}");
        if line.starts_with('#') || line.starts_with(' ') {
            block.push_str(&line);
        }
    }
    stage.world.write("mapwright.yaml", block);
    let ran = [stage.run(&["check"]), stage.run(&["schema", "pull", "hubspot"])];
    sandbox.kill().expect("killed");
    sandbox.wait().expect("ended");
    for ran in ran {
        ran.fine();
    }
}
