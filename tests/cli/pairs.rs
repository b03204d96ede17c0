//! Several pairs in one project: each has its own mappings and snapshots.

use serde_json::Value as Json;

use crate::world::World;

const LEAD: &str = r#"mapping lead_of_contact {
  from hubspot.contact
  to   salesforce.Lead
  when created
  only if email is present and lastname is present otherwise skip
  match { key HubSpot_Contact_ID__c = id }
  on none      create
  on converted skip
  on duplicate park
  on rejected  park
  fields {
    LastName <- lastname | truncate(80)
    Company  <- "Unknown"
    Email    <- email | lowercase | fits(80) otherwise park
    Title    <- jobtitle | truncate(128)
  }
}

test "a contact makes a Lead" {
  mapping lead_of_contact
  given hubspot.contact { lastname: "Doe", email: "a@x.example", jobtitle: "Boss" }
  when created
  expect create salesforce.Lead { LastName: "Doe", Title: "Boss" }
}
"#;

const OWN: &str = r"mapping own {
  from hubspot.company
  to   salesforce.Account
  when created
  only if name is present and domain is present otherwise skip
  match { key HubSpot_Company_ID__c = id }
  on none      create
  on duplicate park
  on rejected  park
  fields {
    Name    <- name | truncate(255)
    Website <- domain | lowercase | fits(255) otherwise park
  }
}

";

const TEST_OF_OWN: &str = r#"test "a company makes an Account" {
  mapping own
  given hubspot.company { name: "Acme", domain: "acme.example" }
  when created
  expect create salesforce.Account { Name: "Acme" }
}
"#;

const PAIRS: &str = r#"language: 1
pairs:
  amer:
    mappings: [shared/lead.map, amer]
    hubspot: { portal: 1, token: "${AMER}" }
    salesforce:
      login_url: https://amer.my.salesforce.com
      auth: { client_credentials: { client_id: a, client_secret: "${AMER}" } }
  emea:
    mappings: [shared]
    schema: schema/emea
    hubspot: { portal: 2, token: "${EMEA}" }
    salesforce:
      login_url: https://emea.my.salesforce.com
      auth: { client_credentials: { client_id: e, client_secret: "${EMEA}" } }
"#;

/// Two pairs that share a file; the snapshots of `emea` are the same at first.
fn world() -> World {
    let world = World::project();
    for file in std::fs::read_dir(world.work()).expect("a folder").flatten() {
        if file.path().extension().is_some_and(|ending| ending == "map") {
            std::fs::remove_file(file.path()).expect("removed");
        }
    }
    for folder in ["shared", "amer", "schema/emea"] {
        std::fs::create_dir_all(world.path(folder)).expect("a folder");
    }
    for file in ["hubspot.yaml", "salesforce.yaml"] {
        let text = world.read(&format!("schema/{file}"));
        world.write(&format!("schema/emea/{file}"), text);
    }
    world.write("mapwright.yaml", PAIRS);
    world.write("shared/lead.map", LEAD);
    world.write("amer/own.map", format!("{OWN}{TEST_OF_OWN}"));
    world.run(&["fmt", "--quiet"]).fine();
    world
}

/// Titles are shorter in the org of `emea`.
fn shorten(world: &World) {
    let text = world.read("schema/emea/salesforce.yaml");
    let shorter =
        text.replace("label: Title, type: string, length: 128", "label: Title, type: string, length: 40");
    assert_ne!(text, shorter);
    world.write("schema/emea/salesforce.yaml", shorter);
}

fn findings(world: &World, args: &[&str]) -> Vec<(String, String)> {
    let ran = world.run(&[args, &["--format", "json"]].concat());
    let found: Json = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let text = |finding: &Json, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    found.as_array().expect("a list").iter().map(|one| (text(one, "code"), text(one, "message"))).collect()
}

#[test]
fn each_pair_is_checked_against_its_own_snapshots() {
    let world = world();
    let ran = world.run(&["check"]).fine();
    assert!(ran.err.contains("3 mappings checked for 2 pairs: no findings"), "{}", ran.err);
    shorten(&world);
    let found = findings(&world, &["check"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.ends_with("(for `emea`)"), "{found:?}");
    assert_eq!(findings(&world, &["check", "--pair", "amer"]), []);
    let alone = findings(&world, &["check", "--pair", "emea"]);
    assert!(alone.len() == 1 && !alone[0].1.contains("for `emea`"), "{alone:?}");
    // The correction suits both.
    world.run(&["check", "--fix"]).fine();
    assert!(world.read("shared/lead.map").contains("truncate(40)"), "{}", world.read("shared/lead.map"));
    let ran = world.run(&["check", "--pair", "apac"]).exits(2);
    assert!(ran.err.contains("there is no pair `apac`; there is `amer`, `emea`"), "{}", ran.err);
}

#[test]
fn what_is_wrong_for_two_pairs_is_said_once() {
    let world = world();
    world.replace("shared/lead.map", "jobtitle | truncate(128)", "jobtitel | truncate(128)");
    let found = findings(&world, &["check"]);
    assert_eq!(found.len(), 1, "{found:?}");
    // Also where the snapshots differ, and the mistake is one for both.
    let text = world.read("schema/emea/salesforce.yaml");
    world.write("schema/emea/salesforce.yaml", format!("{text}\n# another\n"));
    let again = findings(&world, &["check"]);
    assert_eq!(again, found);
    assert!(!found[0].1.contains("emea"), "{found:?}");
}

#[test]
fn a_name_of_another_pair_is_unknown() {
    let world = world();
    let text = world.read("shared/lead.map");
    world.write("shared/lead.map", format!("{text}\n{TEST_OF_OWN}"));
    let found = findings(&world, &["check"]);
    assert!(
        found.iter().any(|(code, message)| code == "E0204" && message.contains("(for `emea`)")),
        "{found:?}"
    );
}

#[test]
fn files_that_no_pair_takes_and_places_without_a_file_are_told() {
    let world = world();
    world.write("left.map", OWN);
    let ran = world.run(&["check"]).fine();
    assert!(ran.err.contains("no pair takes `left.map`"), "{}", ran.err);
    world.replace("mapwright.yaml", "mappings: [shared]", "mappings: [shard]");
    let found = findings(&world, &["check"]);
    assert_eq!(found, [("E0006".to_owned(), "`shard` is no `.map` file and no folder with one".to_owned())]);
}

#[test]
fn a_missing_snapshot_is_one_of_its_folder() {
    let world = world();
    world.remove("schema/emea/hubspot.yaml");
    let found = findings(&world, &["check"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].1, "`schema/emea/hubspot.yaml` is missing");
}

#[test]
fn tests_run_for_each_pair_and_eval_asks_which() {
    let world = world();
    let ran = world.run(&["test"]).fine();
    assert!(ran.out.contains("3 tests passed"), "{}", ran.out);
    let ran = world.run(&["test", "--pair", "emea", "--coverage"]).fine();
    assert!(ran.out.contains("1 test passed"), "{}", ran.out);
    let ran = world.run(&["test", "--coverage"]).exits(2);
    assert!(ran.err.contains("which pair? `--pair` names one of `amer`, `emea`"), "{}", ran.err);
    let ran = world.run(&["eval", "lead_of_contact"]).exits(2);
    assert!(ran.err.contains("which pair?"), "{}", ran.err);
    let record = br#"{"id": "1", "properties": {"name": "Acme", "domain": "ACME.example"}}"#;
    let ran = world.finish(world.command(&["eval", "own", "--pair", "amer"]), record).fine();
    assert!(ran.out.contains("acme.example"), "{}", ran.out);
    let ran = world.run(&["eval", "own", "--pair", "emea"]).exits(2);
    assert!(ran.err.contains("there is no mapping `own`"), "{}", ran.err);
}
