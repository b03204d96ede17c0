//! The formats for programs: SARIF against its schema, GitHub's annotations, and what a comment keeps quiet.

use serde_json::{Value as Json, json};

use crate::schema::violations;
use crate::world::World;

/// A project with findings of all sorts: with corrections, with places in the snapshots, in files of odd names, in YAML,
/// at the end of a file, over several lines, with wide characters, and some that are allowed.
fn many_findings() -> World {
    let world = World::project();
    world.replace("mql_to_lead.map", "Title     <- jobtitle", "Title     <- jobtitel");
    world.replace("mql_to_lead.map", "  on rejected   park\n", "");
    world.replace("mql_to_lead.map", "email | trim | lowercase", "email\n    | trimm\n    | lowercase");
    world.replace("company_to_account.map", "phone | e164(country)", "fone | e164(country)");
    world.replace(
        "mql_to_lead.map",
        "    HubSpot_Lead_Score__c <- hubscore
",
        "    HubSpot_Lead_Score__c <- hubscore otherwise keep # allow W0003: the score will be divided
",
    );
    world.write("nothing.map", "");
    world.write("allowed.map", "# allow W0006: \"quoted\", and ünïcödé 日本 😀\n");
    world.write("odd #1 [näme].map", "picklist “x” {\n  from hubspot.contact.日本\n");
    world.replace("schema/hubspot.yaml", "    label: Contact\n", "    label: Contact\n    lable: Contact\n");
    world
}

#[test]
fn sarif_is_valid_against_its_schema() {
    let schema: Json = serde_json::from_str(include_str!("../data/sarif-schema-2.1.0.json")).expect("JSON");
    let world = many_findings();
    let log = world.run(&["check", "--format", "sarif"]).exits(1).json();
    assert_eq!(violations(&schema, &log), Vec::<String>::new());
    world.replace("schema/hubspot.yaml", "    lable: Contact\n", "");
    let log = world.run(&["check", "--format", "sarif"]).exits(1).json();
    assert_eq!(violations(&schema, &log), Vec::<String>::new());
    let results = log["runs"][0]["results"].as_array().expect("results");
    let with = |member: &str| {
        results.iter().filter(|result| result[member].as_array().is_some_and(|list| !list.is_empty())).count()
    };
    assert!(with("fixes") >= 3 && with("relatedLocations") >= 2, "{results:#?}");
    assert_eq!(with("suppressions"), 2, "{results:#?}");
    let fine = World::project().run(&["check", "--format", "sarif"]).fine().json();
    assert_eq!(violations(&schema, &fine), Vec::<String>::new());
}

#[test]
fn the_schema_test_finds_what_is_wrong() {
    let schema: Json = serde_json::from_str(include_str!("../data/sarif-schema-2.1.0.json")).expect("JSON");
    let good = many_findings().run(&["check", "--format", "sarif"]).exits(1).json();
    let spoiled: [(&str, Json); 9] = [
        ("/version", json!("2.1")),
        ("/runs/0/tool/driver/name", json!(7)),
        ("/runs/0/columnKind", json!("bytes")),
        ("/runs/0/results/0/level", json!("fatal")),
        ("/runs/0/results/0/message", json!({})),
        ("/runs/0/results/0/ruleIndex", json!(-2)),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", json!(0)),
        ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri", json!("odd name.map")),
        ("/runs/0/results/0/locations/0", json!({ "place": "here" })),
    ];
    for (pointer, value) in spoiled {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        assert!(!violations(&schema, &bad).is_empty(), "{pointer}");
    }
    let mut bad = good.clone();
    bad["runs"][0].as_object_mut().expect("a run").remove("tool");
    assert!(!violations(&schema, &bad).is_empty(), "a run without its tool");
}

#[test]
fn annotations_are_escaped_and_keep_to_one_line() {
    let world = many_findings();
    world.replace("schema/hubspot.yaml", "    lable: Contact\n", "");
    let ran = world.run(&["check", "--format", "github"]).exits(1);
    for line in ran.out.lines() {
        let (head, message) = line.split_once("::").and_then(|(_, rest)| rest.split_once("::")).expect(line);
        assert!(!message.is_empty() && !line.contains('\r'), "{line}");
        let (kind, properties) = head.split_once(' ').expect("properties");
        assert!(matches!(kind, "error" | "warning"), "{line}");
        for property in properties.split(',') {
            let (name, value) = property.split_once('=').unwrap_or_else(|| panic!("{line}"));
            assert!(["file", "line", "endLine", "col", "endColumn", "title"].contains(&name), "{line}");
            assert!(!value.is_empty() && !value.contains(':'), "{line}");
        }
    }
    assert!(ran.out.contains("file=odd #1 [näme].map,line=1"), "{}", ran.out);
    assert!(!ran.out.contains("W0003"), "what is allowed is not shown: {}", ran.out);
    world.write("comma, colon: 100%.map", "");
    let ran = world.run(&["check", "--format", "github"]).exits(1);
    assert!(ran.out.contains("file=comma%2C colon%3A 100%25.map,"), "{}", ran.out);
}

#[test]
fn annotations_say_where_github_stops() {
    let world = World::project();
    for number in 0..10 {
        world.write(&format!("empty{number:02}.map"), "");
    }
    let ran = world.run(&["check", "--format", "github"]).fine();
    assert_eq!(ran.out.lines().count(), 10);
    world.write("empty10.map", "");
    let ran = world.run(&["check", "--format", "github"]).fine();
    let last = ran.out.lines().last().unwrap_or_default();
    assert!(last.starts_with("::notice title=mapwright::") && last.contains("0 and 11"), "{last}");
}

#[test]
fn files_are_named_from_the_repository() {
    let world = World::empty();
    world.run(&["init", "crm/maps", "--quiet"]).fine();
    world.write("crm/maps/nothing.map", "");
    let uri = |workspace: Option<&str>, format: &str| {
        let mut command = world.command(&["--project", "crm/maps", "check", "--format", format]);
        if let Some(workspace) = workspace {
            command.env("GITHUB_WORKSPACE", world.path(workspace));
        }
        world.finish(command, &[]).fine()
    };
    assert!(uri(Some(""), "github").out.starts_with("::warning file=crm/maps/nothing.map,"));
    assert!(uri(Some("crm"), "github").out.starts_with("::warning file=maps/nothing.map,"));
    assert!(uri(Some("../home"), "github").out.starts_with("::warning file=nothing.map,"));
    assert!(uri(None, "github").out.starts_with("::warning file=nothing.map,"));
    let log = uri(Some(""), "sarif").json();
    let place = "/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri";
    assert_eq!(log.pointer(place), Some(&json!("crm/maps/nothing.map")));
}

#[test]
fn warnings_can_be_denied_in_every_format() {
    let world = World::project();
    world.write("nothing.map", "");
    for format in ["human", "json", "sarif", "github"] {
        world.run(&["check", "--format", format]).fine();
        world.run(&["check", "--format", format, "--deny-warnings"]).exits(1);
    }
    world.write("nothing.map", "# allow W0006: to be written in May\n");
    for format in ["human", "json", "sarif", "github"] {
        world.run(&["check", "--format", format, "--deny-warnings"]).fine();
    }
}

#[test]
fn the_formatter_keeps_a_comment_that_allows_with_its_statement() {
    let world = World::project();
    world.replace(
        "mql_to_lead.map",
        "    HubSpot_Lead_Score__c <- hubscore\n",
        "       # allow W0003: the score will be divided\n  HubSpot_Lead_Score__c   <- hubscore otherwise keep\n\n\n\
         Contract_Date__c <-   contract_date otherwise   nothing # allow W0003: and so will that\n",
    );
    world.replace("mql_to_lead.map", "    Contract_Date__c      <- contract_date\n", "");
    world.run(&["check", "--deny-warnings"]).fine();
    world.run(&["fmt"]).fine();
    let text = world.read("mql_to_lead.map");
    assert!(
        text.contains("    # allow W0003: the score will be divided\n    HubSpot_Lead_Score__c "),
        "{text}"
    );
    assert!(text.contains("otherwise nothing  # allow W0003: and so will that\n"), "{text}");
    world.run(&["check", "--deny-warnings"]).fine();
    // What is allowed is not mended away.
    world.run(&["check", "--fix", "--deny-warnings"]).fine();
    assert_eq!(world.read("mql_to_lead.map"), text);
}
