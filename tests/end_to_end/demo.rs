//! `demo`: the guide's hand-off, in a story and as JSON.

use serde_json::{Value as Json, json};

use crate::world::World;

fn entries(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

/// In an empty folder, of which nothing is left behind.
fn run(args: &[&str]) -> crate::world::Ran {
    let world = World::empty();
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let mut command = world.command(args);
    command.env("TMPDIR", temporary.path());
    let ran = world.finish(command, &[]).fine();
    for folder in [world.work(), world.home(), temporary.path().to_owned()] {
        assert_eq!(entries(&folder), 0, "something was left in {}", folder.display());
    }
    ran
}

#[test]
fn the_document_has_every_scenario_and_the_guides_lead() {
    let ran = run(&["demo", "--json"]);
    assert_eq!(ran.out.lines().count(), 1, "one document");
    let document = ran.json();
    let scenarios = document["scenarios"].as_array().expect("scenarios");
    assert!(scenarios.len() >= 6, "{}", scenarios.len());
    for scenario in scenarios {
        assert_eq!(scenario["ok"], true, "{scenario:#}");
        assert!(scenario["name"].as_str().is_some_and(|name| !name.is_empty()));
        let checks = scenario["checks"].as_array().expect("checks");
        assert!(!checks.is_empty() && checks.iter().all(|check| check["ok"] == true), "{scenario:#}");
    }
    let guide = json!({
        "FirstName": "Jane",
        "LastName": "Doe",
        "Email": "jane.doe@acme.example",
        "Company": "Acme Corp",
        "Title": "VP Engineering",
        "Phone": "+14155550100",
        "LeadSource": "Inbound - Organic Search",
        "Lead_Source_Detail__c": "hs_organic_search",
        "HubSpot_Contact_ID__c": "5501",
        "HubSpot_Lead_Score__c": 87,
        "Status": "MQL - Pending Review",
    });
    assert_eq!(document["lead"], guide);
    for side in ["hubspot", "salesforce"] {
        assert!(document["calls"][side].as_u64().is_some_and(|calls| calls > 0), "{}", document["calls"]);
    }
}

#[test]
fn the_story_tells_each_step() {
    let ran = run(&["demo"]);
    for step in ["received", "verified", "journaled", "enriched", "matched", "written"] {
        assert!(ran.out.contains(step), "{step}: {}", ran.out);
    }
    for fact in ["100034", "5501", "+14155550100", "MQL - Pending Review", "2024-09-30"] {
        assert!(ran.out.contains(fact), "{fact}: {}", ran.out);
    }
    assert!(!ran.out.contains("localhost"), "no account is named");
}

#[test]
fn a_parked_record_names_the_line_to_fix() {
    let document = run(&["demo", "--json"]).json();
    let text = document["scenarios"].to_string();
    assert!(text.contains("picklists.map") && text.contains("AI_REFERRALS"), "{text}");
}

#[test]
fn it_runs_inside_a_broken_project_and_below_an_unreadable_home() {
    let world = World::empty();
    world.write("mapwright.yaml", "not: a project");
    world.write("broken.map", "mapping {");
    let mut command = world.command(&["demo", "--json"]);
    command
        .env("HOME", "/nonexistent")
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("HTTPS_PROXY", "http://127.0.0.1:1");
    let document: Json = world.finish(command, &[]).fine().json();
    assert_eq!(document["scenarios"][0]["ok"], true);
    assert_eq!(entries(&world.work()), 2);
}

#[test]
fn two_at_a_time_do_not_meet() {
    let both = [0, 1].map(|_| std::thread::spawn(|| run(&["demo", "--json"]).json()["lead"].clone()));
    let [one, two] = both.map(|thread| thread.join().expect("fine"));
    assert_eq!(one, two);
}
