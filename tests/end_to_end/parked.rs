//! What waits for a person, and what the person does about it.

use serde_json::json;

use crate::stage::Stage;

#[test]
fn list_show_retry_and_drop() {
    let stage = Stage::set();
    let ran = stage.run(&["parked", "list"]).fine();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "nothing is parked\n"));
    let serve = stage.serve();
    stage.qualify("103");
    serve.until("it is parked", || serve.metric("mapwright_parked") == 1);
    serve.idle();

    let list = stage.run(&["parked", "list"]).fine();
    assert_eq!(list.out.lines().count(), 1);
    for fact in ["103", "mql_to_lead", "more than one open Lead has this e-mail", "(mql_to_lead.map:22)"] {
        assert!(list.out.contains(fact), "{fact}: {}", list.out);
    }
    let document = stage.run(&["parked", "list", "--json"]).fine().json();
    let number = document[0]["id"].as_i64().expect("a number");
    let id = number.to_string();
    assert_eq!(document[0]["mapping"], "mql_to_lead");
    let show = stage.run(&["parked", "show", &id]).fine();
    for fact in [
        "reason: more than one open Lead",
        "line: mql_to_lead.map:22",
        "state: waits for a person",
        "what to do: ",
    ] {
        assert!(show.out.contains(fact), "{fact}: {}", show.out);
    }

    // A retry without a correction parks it again; with one, it is carried.
    stage.run(&["parked", "retry", &id]).fine();
    serve.until("it is parked again", || {
        let parked = stage.run(&["parked", "list", "--json"]).fine().json();
        parked.as_array().is_some_and(|parked| parked.len() == 1 && parked[0]["id"] != number)
    });
    let again = stage.run(&["parked", "list", "--json"]).fine().json()[0]["id"].to_string();
    let twins = stage.query("SELECT Id FROM Lead WHERE Email = 'twice@acme.example'");
    stage.rest("DELETE", &format!("sobjects/Lead/{}", twins[0]["Id"].as_str().expect("an id")));
    stage.run(&["parked", "retry", &again]).fine();
    serve.until("the Lead has its key", || stage.leads_of("103").len() == 1);
    serve.idle();
    assert_eq!(stage.run(&["parked", "list"]).fine().out, "");
    assert_eq!(stage.leads_of("103")[0]["Id"], twins[1]["Id"]);
}

#[test]
fn what_is_dropped_is_gone() {
    let stage = Stage::set();
    let serve = stage.serve();
    stage.qualify("103");
    serve.until("it is parked", || serve.metric("mapwright_parked") == 1);
    serve.idle();
    let id = stage.run(&["parked", "list", "--json"]).fine().json()[0]["id"].to_string();
    stage.run(&["parked", "drop", &id]).fine();
    assert_eq!(stage.run(&["parked", "list", "--json"]).fine().json(), json!([]));
    for action in ["retry", "drop"] {
        let ran = stage.run(&["parked", action, &id]).exits(2);
        let fact = format!("number {id} is not parked any more: it was given up");
        assert!(ran.err.contains(&fact), "{}", ran.err);
    }
    stage.run(&["parked", "show", "9999"]).exits(2);
    stage.run(&["parked", "show", "first"]).exits(2);
    assert_eq!(serve.metric("mapwright_parked"), 0);
    assert_eq!(stage.leads_of("103").len(), 0);
}

#[test]
fn an_option_without_a_translation_names_the_line_to_add() {
    let stage = Stage::set();
    let source = json!({"properties": {"hs_analytics_source": "AI_REFERRALS"}});
    stage.portal("PATCH", "records/contact/101", &source).fine();
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("it is parked", || serve.metric("mapwright_parked") == 1);
    let id = stage.run(&["parked", "list", "--json"]).fine().json()[0]["id"].to_string();
    let show = stage.run(&["parked", "show", &id]).fine();
    assert!(show.out.contains("picklists.map:2"), "{}", show.out);
    assert!(show.out.contains("add the line `\"AI_REFERRALS\" -> \"…\"`"), "{}", show.out);
    assert_eq!(stage.leads_of("101").len(), 0, "no half-written records");
}

#[test]
fn a_deleted_contact_is_parked_with_the_lead_that_it_leaves() {
    let stage = Stage::set();
    stage.world.replace("mql_to_lead.map", "on source deleted  skip", "on source deleted  park");
    let serve = stage.serve();
    stage.qualify("101");
    serve.until("there is a Lead", || !stage.leads_of("101").is_empty());
    serve.idle();
    stage.portal("DELETE", "records/contact/101", &json!(null)).fine();
    serve.until("it is parked", || serve.metric("mapwright_parked") == 1);
    serve.idle();
    let id = stage.run(&["parked", "list", "--json"]).fine().json()[0]["id"].to_string();
    let show = stage.run(&["parked", "show", &id]).fine();
    let lead = stage.leads_of("101")[0]["Id"].as_str().expect("an id").to_owned();
    for fact in
        ["reason: hubspot.contact 101 was deleted", &format!("it is linked to salesforce.Lead {lead}")]
    {
        assert!(show.out.contains(fact), "{fact}: {}", show.out);
    }
}

#[test]
fn two_servers_of_one_store_are_refused() {
    let stage = Stage::set();
    let _serve = stage.serve();
    let second = stage.run(&["serve", "--listen", "127.0.0.1:0"]).exits(2);
    assert!(second.err.contains("another `mapwright serve` is at work on the store"), "{}", second.err);
    stage.run(&["parked", "list"]).fine();
}
