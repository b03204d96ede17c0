//! A whole object is loaded by the real binary, killed in the middle, and gone on with.

use serde_json::{Value as Json, json};

use crate::stage::Stage;

/// The Leads that carry keys of the contacts from 1000 on, and how many different keys these are.
fn loaded(stage: &Stage) -> (usize, usize) {
    let leads = stage.query("SELECT HubSpot_Contact_ID__c FROM Lead WHERE HubSpot_Contact_ID__c >= '1000'");
    let mut keys: Vec<String> = leads.iter().map(|lead| lead["HubSpot_Contact_ID__c"].to_string()).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    (count, keys.len())
}

/// `why` tells where the values of a contact's Lead come from.
fn assert_told(stage: &Stage, contact: &str) {
    let lead = stage.leads_of(contact)[0]["Id"].as_str().expect("an id").to_owned();
    let told = stage.world.run(&["why", "Lead", &lead, "LastName", "--json"]).fine().json();
    let write = &told["writes"][0];
    assert_eq!(told["writes"].as_array().expect("a list").len(), 1, "{told}");
    assert_eq!((&write["new"], &write["created"]), (&json!(format!("N{contact}")), &json!(true)), "{told}");
    assert_eq!(
        (&write["mapping"], &write["rule"]["file"]),
        (&json!("mql_to_lead"), &json!("mql_to_lead.map"))
    );
    assert!(write["rule"]["line"].is_number() && write["project"]["fingerprint"].is_string(), "{told}");
    assert_eq!(write["because"], json!({"kind": "backfill", "mapping": "mql_to_lead"}), "{told}");
    let told = stage.world.run(&["why", "Lead", &lead, "LastName"]).fine();
    assert!(told.out.contains("because  `mapwright backfill mql_to_lead`"), "{}", told.out);
}

/// Nobody but its owner may read a file.
fn assert_private(stage: &Stage, name: &str) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(stage.world.path(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

fn count(document: &Json, name: &str) -> u64 {
    document["counts"][name].as_u64().unwrap_or_else(|| panic!("{name}: {document}"))
}

#[test]
fn a_dry_run_writes_nothing_and_a_run_writes_what_it_said() {
    let stage = Stage::with_qualified(230);
    // One without an address waits, one that matches two Leads is parked; those that are not qualified are left out.
    stage.portal("PATCH", "records/contact/1000", &json!({"properties": {"email": ""}})).fine();
    stage.qualify("103");
    let before = stage.org_state();
    let dry = stage.run(&["backfill", "mql_to_lead", "--dry-run", "--json"]).exits(1).json();
    assert_eq!(stage.org_state(), before);
    assert!(!stage.world.path(".mapwright").exists(), "a dry run makes no store");
    let told = ["records", "created", "updated", "unchanged", "skipped", "waiting", "parked"];
    let told: Vec<u64> = told.iter().map(|name| count(&dry, name)).collect();
    assert_eq!(told, [234, 229, 0, 0, 3, 1, 1], "{dry}");
    assert_eq!(dry["refused"][0]["record"], "103");
    assert_eq!(dry["refused"][0]["line"]["file"], "mql_to_lead.map");
    assert_eq!((&dry["dry_run"], &dry["calls"]["salesforce"]["writes"]), (&json!(true), &json!(2)), "{dry}");

    let ran = stage.run(&["backfill", "mql_to_lead", "--json", "--refused", "refused.csv"]).exits(1);
    let run = ran.json();
    assert_eq!(run["counts"], dry["counts"], "{run}");
    assert_eq!(loaded(&stage), (229, 229));
    let csv = stage.world.read("refused.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "record,field,value,code,answer,reason,line,help");
    assert!(
        lines[1].starts_with("103,,,,,more than one open Lead has this e-mail,mql_to_lead.map:"),
        "{csv}"
    );
    assert_eq!(lines.len(), 2);
    let parked = stage.run(&["parked", "list", "--json"]).fine().json();
    assert_eq!(parked[0]["record"], "main:hubspot.contact:103");

    // What was loaded is known, and another load finds nothing to do.
    let again = stage.run(&["backfill", "mql_to_lead"]).exits(1);
    assert!(
        again.out.contains("234 records: 229 unchanged, 3 skipped, 1 waiting, 1 parked"),
        "{}",
        again.out
    );
    let said = stage.run(&["backfill", "mql_to_lead", "--resume"]).exits(2).err;
    assert!(said.contains("there is nothing to go on with"), "{said}");
}

#[test]
fn many_rows_go_in_a_job_by_themselves() {
    let stage = Stage::with_qualified(2_000);
    let ran = stage.run(&["backfill", "mql_to_lead", "--json"]).fine();
    assert_eq!(count(&ran.json(), "created"), 2_000, "{}", ran.out);
    assert_eq!(loaded(&stage), (2_000, 2_000));
    let org = stage.operations();
    assert_eq!(org["salesforce.bulk_create"], 1, "{org}");
    assert_eq!(org["salesforce.collections_upsert"], Json::Null, "{org}");
}

#[test]
fn conditions_and_limits_choose_the_records() {
    let stage = Stage::with_qualified(30);
    let of = |condition: &str, more: &[&str]| {
        let mut args = vec!["backfill", "mql_to_lead", "--json", "--where", condition];
        args.extend(more);
        count(&stage.run(&args).fine().json(), "records")
    };
    assert_eq!(of("lifecyclestage = \"marketingqualifiedlead\" and lastname = \"N1007\"", &[]), 1);
    assert_eq!(of("lastname in [\"N1001\", \"N1002\"]", &[]), 2);
    assert_eq!(of("lifecyclestage = \"marketingqualifiedlead\"", &["--limit", "7"]), 7);
    assert_eq!(of("createdate > datetime(\"2199-01-01T00:00:00Z\")", &["--dry-run"]), 0);
    assert_eq!(loaded(&stage).0, 8, "the first seven, two of which are named above, and another one");
}

#[test]
fn killed_in_the_middle_of_a_chunk_it_goes_on_where_it_was() {
    let stage = Stage::with_qualified(1_500);
    // The answer to the third collection never comes: it is written, and nobody hears of it.
    let slow = json!({
        "operation": "salesforce.collections_upsert", "nth": 3, "moment": "after", "status": 200, "delay_ms": 600_000,
    });
    stage.org("POST", "faults", &slow).fine();
    let running = stage.start(&["backfill", "mql_to_lead", "--api", "rest"]);
    running.until("three batches are written", || loaded(&stage).0 >= 600);
    running.kill();
    let other = stage.run(&["backfill", "mql_to_lead", "--api", "rest", "--limit", "5"]).exits(2);
    assert!(other.err.contains("an earlier backfill is not finished"), "{}", other.err);
    let ran = stage.run(&["backfill", "mql_to_lead", "--api", "rest", "--json"]).fine();
    assert!(ran.err.contains("going on where an earlier backfill stopped"), "{}", ran.err);
    assert_eq!(loaded(&stage), (1_500, 1_500), "each has one Lead");
    let run = ran.json();
    assert_eq!(count(&run, "records"), 1_504, "each is counted once: {run}");
    assert_eq!(count(&run, "created"), 1_500, "also what was written and not settled: {run}");
    assert_eq!(run["finished"], true);
    for contact in ["1000", "1399", "1599", "2499"] {
        assert_told(&stage, contact);
    }
    let serve = stage.serve();
    assert_eq!(serve.metric("mapwright_parked"), 0);
    serve.until("no lane is left", || serve.metric("mapwright_events_pending") == 0);
}

#[test]
fn a_limit_that_is_used_up_stops_it_and_the_rest_comes_later() {
    let stage = Stage::with_qualified(300);
    let used = json!({"operation": "salesforce.collections_upsert", "after": 1, "times": "always", "answer": "request_limit"});
    stage.org("POST", "faults", &used).fine();
    let stopped = stage.run(&["backfill", "mql_to_lead", "--api", "rest"]).exits(3);
    assert!(stopped.err.contains("the same command goes on from here after "), "{}", stopped.err);
    assert_eq!(loaded(&stage).0, 200);
    stage.org("DELETE", "faults", &json!(null)).fine();
    let run = stage.run(&["backfill", "mql_to_lead", "--api", "rest", "--resume", "--json"]).fine().json();
    assert_eq!(loaded(&stage), (300, 300));
    assert_eq!((count(&run, "records"), count(&run, "parked")), (304, 0), "{run}");
}

#[test]
fn it_runs_beside_serve_and_one_at_a_time() {
    let stage = Stage::with_qualified(400);
    let serve = stage.serve();
    let slow = json!({
        "operation": "salesforce.collections_upsert", "nth": 1, "moment": "after", "status": 503, "delay_ms": 8_000,
    });
    stage.org("POST", "faults", &slow).fine();
    let running = stage.start(&["backfill", "mql_to_lead", "--api", "rest"]);
    running.until("a batch is written, and its answer is on the way", || loaded(&stage).0 == 200);
    let second = stage.run(&["backfill", "mql_to_lead"]).exits(2);
    assert!(second.err.contains("another `mapwright backfill` is at work"), "{}", second.err);
    // A change of a record that is being loaded waits for it, and is not lost.
    stage.edit_contact("1001", &json!({"lastname": "Changed", "lifecyclestage": "lead"}));
    stage.qualify("1001");
    serve.until("the change is journaled", || serve.metric("mapwright_events_pending") == 2);
    let other = json!({"id": "100", "properties": {"lastname": "Other", "email": "n100@acme.example"}});
    stage.portal("POST", "records/contact", &other).fine();
    stage.qualify("100");
    serve.until("a record that is not loaded is done meanwhile", || !stage.leads_of("100").is_empty());
    serve.until("only the change is left", || serve.metric("mapwright_events_pending") == 2);
    let name = || stage.leads_of("1001")[0]["LastName"].clone();
    assert_eq!((loaded(&stage).0, name()), (200, json!("N1001")), "it waits");
    let (code, said) = running.end();
    assert_eq!((code, loaded(&stage)), (Some(0), (400, 400)), "{said}");
    serve.until("the change is written by `serve`", || name() == "Changed");
    serve.idle();
    let again = stage.run(&["backfill", "mql_to_lead", "--json"]).fine().json();
    assert_eq!((loaded(&stage), count(&again, "unchanged")), ((400, 400), 401), "{again}");
}

#[test]
fn a_stop_by_signal_keeps_what_is_done() {
    let stage = Stage::with_qualified(300);
    let slow = json!({
        "operation": "salesforce.collections_upsert", "nth": 2, "moment": "after", "status": 200, "delay_ms": 600_000,
    });
    stage.org("POST", "faults", &slow).fine();
    let running = stage.start(&["backfill", "mql_to_lead", "--api", "rest"]);
    running.until("both batches are written", || loaded(&stage).0 == 300);
    let (code, said) = running.terminate();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("stopped; the same command goes on from here"), "{said}");
    stage.run(&["backfill", "mql_to_lead", "--api", "rest"]).fine();
    assert_eq!(loaded(&stage), (300, 300));
}

#[test]
fn records_of_salesforce_are_loaded_into_hubspot() {
    let stage = Stage::shipped();
    for (name, website) in [("Acme", "https://www.acme.example/about"), ("Initech", "initech.example")] {
        stage.org("POST", "records/Account", &json!({"Name": name, "Website": website})).fine();
    }
    let run = stage.run(&["backfill", "account_company", "--from", "salesforce", "--json"]).fine().json();
    assert!(count(&run, "records") > 0, "{run}");
    assert_eq!(
        count(&run, "records"),
        count(&run, "created") + count(&run, "updated") + count(&run, "unchanged"),
        "{run}"
    );
    let again = stage.run(&["backfill", "account_company", "--from", "salesforce", "--json"]).fine().json();
    assert_eq!(count(&again, "unchanged"), count(&again, "records"), "{again}");
}

/// All that one load of 400 contacts in jobs takes.
const IN_JOBS: [&str; 5] = ["backfill", "mql_to_lead", "--api", "bulk", "--json"];

#[test]
fn a_row_that_is_refused_in_a_job_is_parked_and_told() {
    let stage = Stage::with_qualified(400);
    let refused = json!({
        "record": {"object": "Lead", "contains": "n1005@acme.example"}, "times": "always", "answer": "validation_rule",
        "with": {"field": "LastName", "message": "=HYPERLINK(\"x\")"},
    });
    stage.org("POST", "faults", &refused).fine();
    let mut args = IN_JOBS.to_vec();
    args.extend(["--refused", "refused.csv"]);
    let run = stage.run(&args).exits(1).json();
    assert_eq!((count(&run, "created"), count(&run, "parked")), (399, 1), "{run}");
    assert_eq!(loaded(&stage), (399, 399));
    assert_eq!(
        (&run["refused"][0]["record"], &run["refused"][0]["field"]),
        (&json!("1005"), &json!("LastName"))
    );
    let csv = stage.world.read("refused.csv");
    let sent = "1005,LastName,N1005,FIELD_CUSTOM_VALIDATION_EXCEPTION,";
    assert!(csv.contains(sent) && csv.contains(",mql_to_lead.map:") && !csv.contains(",=HYPERLINK"), "{csv}");
    assert_eq!(run["refused"][0]["value"], "N1005");
    assert_private(&stage, "refused.csv");
    // One that was there for everybody to read is not filled as it is.
    stage.world.write("open.csv", "");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(stage.world.path("open.csv"), open).expect("set");
    }
    stage.run(&["backfill", "mql_to_lead", "--dry-run", "--refused", "open.csv"]);
    assert_private(&stage, "open.csv");
    // A pipe takes them too.
    let ran = stage.run(&["backfill", "mql_to_lead", "--dry-run", "--refused", "/dev/stderr"]);
    assert!(ran.err.contains("record,field,value,code,answer,reason,line,help"), "{}", ran.err);
    // A lock that opens again is waited for.
    stage.org("DELETE", "faults", &json!(null)).fine();
    stage
        .org("POST", "faults", &json!({"record": {"object": "Lead", "contains": "n1007@"}, "times": 1}))
        .fine();
    stage.edit_contact("1007", &json!({"jobtitle": "Boss"}));
    stage.edit_contact("1008", &json!({"jobtitle": "Boss"}));
    let again = stage.run(&IN_JOBS).fine().json();
    assert_eq!((count(&again, "updated"), count(&again, "created")), (2, 1), "{again}");
    let leads = stage.query("SELECT Id FROM Lead WHERE Title = 'Boss'");
    assert_eq!(leads.len(), 2);
}

#[test]
fn killed_while_a_job_is_under_way_it_finds_the_job_again() {
    let stage = Stage::with_qualified(400);
    let slow = json!({"operation": "salesforce.bulk_read", "nth": 2, "moment": "after", "status": 200, "delay_ms": 600_000});
    stage.org("POST", "faults", &slow).fine();
    let running = stage.start(&IN_JOBS);
    running.until("the job is asked for again", || stage.operations()["salesforce.bulk_read"] == 2);
    running.kill();
    let run = stage.run(&IN_JOBS).fine();
    assert!(run.err.contains("going on where an earlier backfill stopped"), "{}", run.err);
    assert_eq!(loaded(&stage), (400, 400));
    let run = run.json();
    assert_eq!(
        (count(&run, "records"), count(&run, "created"), count(&run, "skipped")),
        (404, 400, 4),
        "{run}"
    );
    assert_eq!(stage.operations()["salesforce.bulk_create"], 1, "it is not sent twice");
    assert_told(&stage, "1399");
}

#[test]
fn killed_before_a_job_has_begun_it_gives_the_job_up() {
    let stage = Stage::with_qualified(400);
    let slow =
        json!({"operation": "salesforce.bulk_upload", "moment": "after", "status": 201, "delay_ms": 600_000});
    stage.org("POST", "faults", &slow).fine();
    let running = stage.start(&IN_JOBS);
    running.until("the rows are there", || stage.operations()["salesforce.bulk_upload"] == 1);
    running.kill();
    assert_eq!(loaded(&stage).0, 0, "it was never started");
    let run = stage.run(&IN_JOBS).fine().json();
    assert_eq!(loaded(&stage), (400, 400));
    assert_eq!((count(&run, "records"), count(&run, "created")), (404, 400), "{run}");
    let jobs = stage.rest("GET", "jobs/ingest").json();
    let states: Vec<&str> = jobs["records"]
        .as_array()
        .expect("jobs")
        .iter()
        .map(|job| job["state"].as_str().expect("a state"))
        .collect();
    assert_eq!(states, ["Aborted", "JobComplete"]);
}

#[test]
fn a_job_whose_start_was_not_answered_is_looked_at_and_not_sent_again() {
    let stage = Stage::with_qualified(400);
    let lost = json!({"operation": "salesforce.bulk_close", "moment": "after", "status": 502});
    stage.org("POST", "faults", &lost).fine();
    let run = stage.run(&IN_JOBS).fine().json();
    assert_eq!((count(&run, "created"), loaded(&stage)), (400, (400, 400)), "{run}");
    assert_eq!(stage.operations()["salesforce.bulk_create"], 1);
}
