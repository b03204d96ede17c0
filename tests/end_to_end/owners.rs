//! The owners in the snapshots: `schema pull`, `check` and `drift`, and who may not see them.

use serde_json::{Value as Json, json};

use crate::stage::Stage;

const SNAPSHOTS: [&str; 2] = ["schema/hubspot.yaml", "schema/salesforce.yaml"];
const UNCHANGED: &str = "schema/hubspot.yaml: no change\nschema/salesforce.yaml: no change\n";

/// The section of owners of a snapshot.
fn section(stage: &Stage, name: &str) -> String {
    let text = stage.world.read(name);
    text.find("\nowners:").map_or_else(String::new, |at| text[at + 1..].to_owned())
}

/// A project that is as the sandbox is, and whose mapping names an owner where nobody is found.
fn named(owner: &str) -> Stage {
    let stage = Stage::shipped();
    stage.world.replace(
        "picklists.map",
        "  \"PAID_SOCIAL\"",
        "  \"AI_REFERRALS\"     -> \"Inbound - Other\"\n  \"PAID_SOCIAL\"",
    );
    let rule = "lookup hubspot.owner.id where email = Owner.Email  otherwise ";
    stage.world.replace("opportunity_to_deal.map", &format!("{rule}keep"), &format!("{rule}\"{owner}\""));
    stage.run(&["schema", "pull"]).fine();
    stage
}

/// The findings of `drift`: code, file, text of the line.
#[track_caller]
fn drifted(stage: &Stage) -> Vec<(String, String, String)> {
    let ran = stage.run(&["drift", "--format", "json"]).exits(1).json();
    let findings = ran.as_array().expect("a list").clone();
    let at = |finding: &Json| {
        let text =
            |pointer: &str| finding.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        let (file, line) = (text("/labels/0/file"), finding["labels"][0]["line"].as_u64().expect("a line"));
        let read = stage.world.read(&file);
        let line = read.lines().nth(usize::try_from(line).expect("small") - 1).expect("it is there");
        (text("/code"), file, line.trim().to_owned())
    };
    findings.iter().map(at).collect()
}

#[test]
fn both_snapshots_list_owners_and_a_second_pull_changes_nothing() {
    let stage = named("11");
    assert_eq!(
        section(&stage, SNAPSHOTS[0]),
        "owners:\n  - { id: \"11\", email: robin@sales.example }\n  - { id: \"12\", email: lena@sales.example, archived: true }\n"
    );
    let salesforce = section(&stage, SNAPSHOTS[1]);
    let lines: Vec<&str> = salesforce.lines().collect();
    assert_eq!(lines.len(), 4, "{salesforce}");
    assert!(lines[1].contains("username: integration@sandbox.example }"), "{salesforce}");
    assert!(
        lines[2].starts_with("  - { id: \"005") && lines[2].ends_with(", username: robin@sales.example }")
    );
    let before = SNAPSHOTS.map(|name| stage.world.read(name));
    assert_eq!(stage.run(&["schema", "pull"]).fine().out, UNCHANGED);
    assert_eq!(SNAPSHOTS.map(|name| stage.world.read(name)), before);
    stage.run(&["check"]).fine();
    stage.run(&["drift"]).fine();
}

#[test]
fn an_owner_whom_a_mapping_names_and_who_leaves_is_drift() {
    let stage = named("11");
    // Somebody joins, and somebody else whom no mapping names is gone: that is no drift.
    stage.portal("PATCH", "owners/9", &json!({"email": "mina@sales.example"})).fine();
    stage.portal("DELETE", "owners/12", &Json::Null).fine();
    let ran = stage.run(&["drift"]).fine();
    assert!(
        ran.err.contains("2 owners came, left or changed, which is drift only where a mapping names one"),
        "{ran:?}"
    );

    stage.portal("PATCH", "owners/11", &json!({"archived": true})).fine();
    let rule =
        "hubspot_owner_id       <- lookup hubspot.owner.id where email = Owner.Email  otherwise \"11\"";
    assert_eq!(
        drifted(&stage),
        [("E0610".to_owned(), "opportunity_to_deal.map".to_owned(), rule.to_owned())]
    );
    let human = stage.run(&["drift"]).exits(1);
    assert!(
        human.err.contains("the owner `11 (robin@sales.example)` has left and can own no new record"),
        "{human:?}"
    );
    assert!(human.err.contains("the owners are `9 (mina@sales.example)`"), "{human:?}");
    assert!(human.err.contains("1 finding in the mappings that the snapshots do not give"), "{human:?}");

    stage.portal("DELETE", "owners/11", &Json::Null).fine();
    assert_eq!(
        drifted(&stage),
        [("E0609".to_owned(), "opportunity_to_deal.map".to_owned(), rule.to_owned())]
    );

    let pulled = stage.run(&["schema", "pull"]).fine();
    for line in [
        "  + owners  have a new one: 9 (mina@sales.example)",
        "  - owners  have one less: 11 (robin@sales.example)",
        "  - owners  have one less: 12 (lena@sales.example)",
    ] {
        assert!(pulled.out.lines().any(|known| known == line), "{line}\n{}", pulled.out);
    }
    assert_eq!(section(&stage, SNAPSHOTS[0]), "owners:\n  - { id: \"9\", email: mina@sales.example }\n");
    stage.run(&["check"]).exits(1);
    stage.run(&["drift"]).fine();
}

#[test]
fn a_user_of_salesforce_who_is_deactivated_is_drift_where_a_mapping_looks_for_them() {
    let stage = named("11");
    let rule = "lookup salesforce.User.Id where Email = owner.email and IsActive = true";
    stage.world.replace(
        "mql_to_lead.map",
        rule,
        "lookup salesforce.User.Id where Username = \"robin@sales.example\"",
    );
    stage.run(&["drift"]).fine();
    let id = section(&stage, SNAPSHOTS[1]);
    let id = id.lines().nth(2).and_then(|line| line.split('"').nth(1)).expect("an id").to_owned();
    stage.org("PATCH", &format!("records/User/{id}"), &json!({"IsActive": false})).fine();
    let found = drifted(&stage);
    assert!(
        found.iter().any(|(code, file, at)| {
            code == "E0610" && file == "mql_to_lead.map" && at.contains("robin@sales.example")
        }),
        "{found:?}"
    );
}

#[test]
fn owners_are_left_out_where_the_project_says_so() {
    let stage = named("11");
    let with = stage.world.read("mapwright.yaml");
    stage.world.write("mapwright.yaml", format!("{with}\nsnapshots:\n  owners: false\n"));
    stage.portal("PATCH", "owners/11", &json!({"archived": true})).fine();
    stage.run(&["drift"]).fine();
    let pulled = stage.run(&["schema", "pull"]).fine();
    assert_eq!(
        pulled.out.matches("  - owners  are left out of the snapshot now\n").count(),
        2,
        "{}",
        pulled.out
    );
    assert_eq!(SNAPSHOTS.map(|name| section(&stage, name)), ["", ""]);
    assert_eq!(stage.run(&["schema", "pull"]).fine().out, UNCHANGED);
    stage.run(&["check"]).fine();
    stage.run(&["drift"]).fine();
    let scopes = stage.run(&["permissions"]).fine().out;
    assert!(!scopes.contains("`schema pull` of the owners"), "{scopes}");
}

#[test]
fn without_the_scope_the_section_stays_as_it_is() {
    let stage = named("11");
    let before = SNAPSHOTS.map(|name| stage.world.read(name));
    let scopes = ["contacts", "companies", "deals"].map(|name| format!("crm.schemas.{name}.read"));
    stage.portal("PUT", "scopes", &json!({"scopes": scopes})).fine();
    stage.portal("PATCH", "owners/11", &json!({"archived": true})).fine();
    for command in [["schema", "pull"].as_slice(), &["drift"]] {
        let ran = stage.run(command).fine();
        assert!(ran.err.contains("grant the scope `crm.objects.owners.read` to HubSpot's app"), "{ran:?}");
    }
    assert_eq!(SNAPSHOTS.map(|name| stage.world.read(name)), before);
    let ran = stage.run(&["permissions"]).exits(1);
    let line = ran.out.lines().find(|line| line.contains("crm.objects.owners.read")).expect("the scope");
    assert!(line.contains("MISSING") && line.ends_with("`schema pull` of the owners"), "{line}");
}
