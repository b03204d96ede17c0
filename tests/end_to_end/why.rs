//! `why`: where a value comes from, by the store alone; and the one id from the webhook to the write.

use serde_json::{Value as Json, json};

use crate::stage::{Serve, Stage};

/// The log's lines, which are JSON where no terminal is.
fn lines(serve: &Serve) -> Vec<Json> {
    serve.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_value_leads_back_to_its_event_its_rule_and_its_commit() {
    let stage = Stage::set();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    std::fs::create_dir_all(stage.world.path(".git/refs/heads")).expect("a folder");
    stage.world.write(".git/HEAD", "ref: refs/heads/main\n");
    stage.world.write(".git/refs/heads/main", format!("{commit}\n"));
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    let lead = stage.leads_of("101")[0]["Id"].as_str().expect("an id").to_owned();

    // While `serve` runs, and without any secret.
    let told = stage.world.run(&["why", "Lead", &lead, "LastName"]).fine();
    for fact in [
        format!("salesforce.Lead {lead} LastName = \"Doe\""),
        "source   hubspot.contact 101".to_owned(),
        "rule     `mql_to_lead`, mql_to_lead.map:".to_owned(),
        "LastName".to_owned(),
        format!("commit {commit}, files "),
        "contact.propertyChange lifecyclestage".to_owned(),
        "(webhook)".to_owned(),
        "before   (the record is new)".to_owned(),
    ] {
        assert!(told.out.contains(&fact), "{fact}: {}", told.out);
    }
    let document = stage.world.run(&["why", "lead", &lead[..15], "lastname", "--json"]).fine().json();
    let write = &document["writes"][0];
    assert_eq!((&write["new"], &write["mapping"]), (&json!("Doe"), &json!("mql_to_lead")));
    assert_eq!((&write["project"]["revision"], &write["created"]), (&json!(commit), &json!(true)));
    assert_eq!(write["rule"]["text"], write["rule"]["text_now"]);
    let id = write["correlation_id"].as_str().expect("an id").to_owned();

    // One id from the webhook to the write.
    let log = lines(&serve);
    let with_id = |message: &str| {
        log.iter().any(|line| line["message"] == message && line["correlation_id"] == id.as_str())
    };
    for message in ["received", "a CRM answered a write", "settled: written"] {
        assert!(with_id(message), "{message}: {}", serve.log());
    }
    for line in log.iter().filter(|line| line["record"] == "main:hubspot.contact:101") {
        assert_eq!(line["correlation_id"], id.as_str(), "{line}");
    }

    // A second value, and a person in between.
    stage.edit_contact("101", &json!({"lifecyclestage": "lead", "lastname": "Roe"}));
    stage.qualify("101");
    serve.until("the Lead is brought up to date", || stage.leads_of("101")[0]["LastName"] == "Roe");
    serve.idle();
    stage.world.replace("mql_to_lead.map", "LastName ", "LastName  ");
    let told = stage.world.run(&["why", "Lead", &lead, "LastName"]).fine();
    for fact in ["LastName = \"Roe\"", "before   \"Doe\"", "Before that:", "that line reads now:"] {
        assert!(told.out.contains(fact), "{fact}: {}", told.out);
    }
    let told = stage.world.run(&["why", "Lead", &lead]).fine();
    for fact in
        ["paired with hubspot.contact 101 by `mql_to_lead`", "\"Doe\" → \"Roe\"", "updated by `mql_to_lead`"]
    {
        assert!(told.out.contains(fact), "{fact}: {}", told.out);
    }
    let told = stage.world.run(&["why", "contact", "101"]).fine();
    assert!(told.out.contains(&format!("created by `mql_to_lead` salesforce.Lead {lead}")), "{}", told.out);
}

#[test]
fn somebody_else_is_told_of() {
    let stage = Stage::set();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    let lead = stage.leads_of("101")[0]["Id"].as_str().expect("an id").to_owned();
    stage.org("PATCH", &format!("records/Lead/{lead}"), &json!({"LastName": "Person"})).fine();
    stage.edit_contact("101", &json!({"lifecyclestage": "lead"}));
    stage.qualify("101");
    serve.until("it is put right", || stage.leads_of("101")[0]["LastName"] == "Doe");
    serve.idle();
    let told = stage.world.run(&["why", "Lead", &lead, "LastName"]).fine();
    let fact = "somebody else changed it from \"Doe\" to \"Person\" before this";
    assert!(told.out.contains(fact), "{}", told.out);
    let document = stage.world.run(&["why", "Lead", &lead, "LastName", "--json"]).fine().json();
    assert_eq!(document["changed_by_others"][0]["after_the_last_write"], false);
}

#[test]
fn a_run_by_hand_and_a_policy_that_keeps() {
    let stage = Stage::set();
    stage.run(&["run", "mql_to_lead", "--record", "101"]).fine();
    let lead = stage.leads_of("101")[0]["Id"].as_str().expect("an id").to_owned();
    let told = stage.run(&["why", "Lead", &lead, "LastName"]).fine();
    assert!(told.out.contains("because  `mapwright run`, by hand"), "{}", told.out);
    assert!(told.out.contains("no repository, files "), "{}", told.out);
    // What a rule leaves as it is, is told with its reason.
    stage.run(&["run", "mql_to_lead", "--record", "101"]).fine();
    let document = stage.run(&["why", "Lead", &lead, "--json"]).fine().json();
    let kept = document["kept"].as_array().expect("a list");
    assert!(!kept.is_empty(), "{document}");
    let field = kept[0]["field"].as_str().expect("a field");
    let told = stage.run(&["why", "Lead", &lead, field]);
    assert!(told.out.contains(kept[0]["why"].as_str().expect("words")), "{}", told.out);
}

#[test]
fn a_parked_record_has_the_id_of_its_log() {
    let stage = Stage::set();
    let serve = stage.serve();
    stage.qualify("103");
    serve.until("it is parked", || serve.metric("mapwright_parked") == 1);
    serve.idle();
    let list = stage.run(&["parked", "list", "--json"]).fine().json();
    let (number, id) = (list[0]["id"].to_string(), list[0]["correlation_id"].as_str().expect("an id"));
    let show = stage.run(&["parked", "show", &number]).fine();
    for fact in
        [&format!("id in the log: {id}"), "project: files ", "because of: event 1: contact.propertyChange"]
    {
        assert!(show.out.contains(fact), "{fact}: {}", show.out);
    }
    let shown = stage.run(&["parked", "show", &number, "--json"]).fine().json();
    assert_eq!(
        (&shown["events"][0]["kind"], &shown["state"]),
        (&json!("contact.propertyChange"), &json!("open"))
    );
    let log = lines(&serve);
    let parked = log.iter().find(|line| line["message"] == "settled: parked").expect("it is logged");
    assert_eq!((&parked["correlation_id"], &parked["at"]), (&json!(id), &json!("mql_to_lead.map:22")));
    assert_eq!(parked["reason"], "more than one open Lead has this e-mail");
    let told = stage.run(&["why", "contact", "103"]).fine();
    assert!(told.out.contains(&format!("Parked as number {number} by `mql_to_lead`")), "{}", told.out);
    assert!(told.out.contains(id), "{}", told.out);
}

#[test]
fn a_person_who_is_forgotten_leaves_nothing_to_tell() {
    let stage = Stage::set();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    let lead = stage.leads_of("101")[0]["Id"].as_str().expect("an id").to_owned();
    let event = json!([{
        "eventId": 7, "portalId": 4_556_789, "appId": 1_234_567, "occurredAt": 1_727_654_400_000_u64,
        "subscriptionType": "contact.privacyDeletion", "objectId": 101,
    }]);
    assert_eq!(stage.deliver(&event.to_string()).status, 200);
    serve.until("it is forgotten", || stage.run(&["why", "contact", "101"]).code == 1);
    let told = stage.run(&["why", "Lead", &lead]).exits(1);
    assert!(told.err.contains(&format!("the store knows nothing of salesforce.Lead {lead}")), "{}", told.err);
}
