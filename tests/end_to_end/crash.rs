//! `serve` is killed with work in hand and started again on the same store: nothing is lost, nothing is done twice.

use std::time::Duration;

use serde_json::json;

use crate::stage::Stage;

#[test]
fn killed_before_salesforce_was_reached() {
    let stage = Stage::set();
    stage.org("POST", "faults", &json!({"path": "/services/data", "status": 503, "times": 1000})).fine();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("it is journaled", || serve.metric("mapwright_events_pending") == 1);
    serve.kill();
    stage.org("DELETE", "faults", &json!(null)).fine();
    let serve = stage.serve();
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    assert_eq!(stage.leads_of("101").len(), 1);
}

#[test]
fn killed_after_the_write_and_before_its_answer() {
    let stage = Stage::set();
    let slow = json!({
        "method": "PATCH", "path": "/sobjects/Lead", "status": 201, "moment": "after", "delay_ms": 60_000, "times": 1,
    });
    stage.org("POST", "faults", &slow).fine();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("the Lead is written", || !stage.leads_of("101").is_empty());
    assert_eq!(serve.metric("mapwright_events_pending"), 1, "no answer came, so it is not settled");
    serve.kill();
    let serve = stage.serve();
    serve.idle();
    assert_eq!(stage.leads_of("101").len(), 1);
    assert_eq!(serve.metric("mapwright_parked"), 0);
}

#[test]
fn killed_again_and_again_under_load() {
    const CONTACTS: u32 = 40;
    let stage = Stage::with_contacts(CONTACTS);
    for round in 0..4_u32 {
        let serve = stage.serve();
        for id in (1000..1000 + CONTACTS).filter(|id| id % 4 == round) {
            stage.qualify(&id.to_string());
        }
        let part = u64::from(CONTACTS / 4);
        serve.until("all of the round is journaled", || {
            serve.metric("mapwright_events_total{result=\"new\"}") >= part
        });
        std::thread::sleep(Duration::from_millis(u64::from(round) * 40));
        serve.kill();
    }
    let serve = stage.serve();
    serve.idle();
    let leads = stage.query("SELECT HubSpot_Contact_ID__c FROM Lead WHERE HubSpot_Contact_ID__c >= '1000'");
    let mut keys: Vec<_> = leads.iter().map(|lead| lead["HubSpot_Contact_ID__c"].to_string()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!((leads.len(), keys.len()), (40, 40), "each has one Lead");
    assert_eq!(serve.metric("mapwright_parked"), 0);
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent_again_and_keeps_its_rule() {
    let stage = Stage::set();
    let lost =
        json!({"method": "PATCH", "path": "/sobjects/Lead", "status": 503, "moment": "after", "times": 1});
    stage.org("POST", "faults", &lost).fine();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("the Lead is written", || !stage.leads_of("101").is_empty());
    serve.idle();
    assert_eq!(stage.leads_of("101").len(), 1);
    assert_eq!(why(&stage, "101", "LastName")["writes"][0]["rule"]["file"], "mql_to_lead.map");
}

#[test]
fn a_stop_finishes_the_work_in_hand() {
    let stage = Stage::set();
    let slow = json!({
        "method": "GET", "path": "/query", "status": 503, "delay_ms": 700, "times": 1,
        "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": "slow"}],
    });
    stage.org("POST", "faults", &slow).fine();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("it is journaled", || serve.metric("mapwright_events_pending") == 1);
    let (code, log) = serve.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopping: the work in hand is finished first"), "{log}");
    // What was not finished is there at the next start.
    let serve = stage.serve();
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    assert_eq!(stage.leads_of("101").len(), 1);
}

#[test]
fn a_stop_waits_for_a_slow_write() {
    let stage = Stage::set();
    let slow = json!({
        "method": "PATCH", "path": "/sobjects/Lead", "status": 204, "moment": "after", "delay_ms": 1500, "times": 1,
    });
    stage.org("POST", "faults", &slow).fine();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("the Lead is written", || !stage.leads_of("101").is_empty());
    let (code, log) = serve.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("left unfinished"), "{log}");
    let calls = stage.writes().len();
    let serve = stage.serve();
    serve.idle();
    assert_eq!(stage.writes().len(), calls, "nothing was left to do");
}

/// What `why` says of a field of the Lead of a contact.
fn why(stage: &Stage, contact: &str, field: &str) -> serde_json::Value {
    let lead = stage.leads_of(contact)[0]["Id"].as_str().expect("an id").to_owned();
    stage.world.run(&["why", "Lead", &lead, field, "--json"]).fine().json()
}

#[test]
fn what_was_written_before_a_kill_is_told_where_it_came_from() {
    let stage = Stage::set();
    std::fs::create_dir_all(stage.world.path(".git")).expect("a folder");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    stage.world.write(".git/HEAD", format!("{commit}\n"));
    let slow = json!({
        "method": "PATCH", "path": "/sobjects/Lead", "status": 201, "moment": "after", "delay_ms": 60_000, "times": 1,
    });
    stage.org("POST", "faults", &slow).fine();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("the Lead is written", || !stage.leads_of("101").is_empty());
    serve.kill();

    // Nobody has looked yet: it is not known whether the CRM took it, but it is known what was meant.
    let told = stage.run(&["why", "contact", "101"]).fine();
    assert!(told.out.contains("Perhaps written"), "{}", told.out);
    assert!(told.out.contains("LastName"), "{}", told.out);

    // The program that goes on is of another commit; the rule that wrote the values is not.
    stage.world.write(".git/HEAD", "ffffffffffffffffffffffffffffffffffffffff\n");
    let serve = stage.serve();
    serve.idle();
    let told = why(&stage, "101", "LastName");
    let write = &told["writes"][0];
    assert_eq!(
        (&write["new"], &write["mapping"], &write["created"]),
        (&json!("Doe"), &json!("mql_to_lead"), &json!(true))
    );
    assert_eq!(
        (&write["rule"]["file"], &write["project"]["revision"]),
        (&json!("mql_to_lead.map"), &json!(commit))
    );
    assert!(write["rule"]["text"].as_str().expect("a line").contains("LastName"), "{write}");
    let because = &write["because"];
    assert_eq!(
        (&because["kind"], &because["events"][0]["field"]),
        (&json!("events"), &json!("lifecyclestage")),
        "{write}"
    );
    assert_eq!(told["writes"].as_array().expect("a list").len(), 1);
    // What is written on create alone is told as well, and nothing is left open.
    assert_eq!(why(&stage, "101", "Status")["writes"][0]["new"], "MQL - Pending Review");
    let told = stage.run(&["why", "contact", "101"]).fine();
    assert!(!told.out.contains("Perhaps written"), "{}", told.out);
}

#[test]
fn a_write_that_never_arrived_is_not_told_as_one() {
    let stage = Stage::set();
    // The call is held up before it is carried out, and then the process is gone.
    let slow =
        json!({"method": "PATCH", "path": "/sobjects/Lead", "status": 503, "delay_ms": 60_000, "times": 1});
    stage.org("POST", "faults", &slow).fine();
    let serve = stage.serve();
    stage.qualify("101");
    let tried = || stage.run(&["why", "contact", "101"]).out.contains("Perhaps written");
    serve.until("it is about to be written", tried);
    serve.kill();
    assert!(stage.leads_of("101").is_empty());
    stage.edit_contact("101", &json!({"lastname": "Roe"}));
    let serve = stage.serve();
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    let told = why(&stage, "101", "LastName");
    let values: Vec<_> =
        told["writes"].as_array().expect("a list").iter().map(|write| &write["new"]).collect();
    assert_eq!(values, [&json!("Roe")], "{told}");
    assert!(!tried());
}
