//! `init`, and `check` in a project as it stands and with findings.

use serde_json::Value as Json;

use crate::world::World;

/// A project with an error in each of two `.map` files, two in one of them, and a warning.
fn three_errors_and_a_warning() -> World {
    let world = World::project();
    world.replace("company_to_account.map", "phone | e164(country)", "fone | e164(country)");
    world.replace("mql_to_lead.map", "Title     <- jobtitle", "Title     <- jobtitel");
    world.replace("mql_to_lead.map", "Contract_Date__c      <- contract_date", "CreatedDate <- createdate");
    world.write("nothing.map", "# to be written\n");
    world
}

#[test]
fn init_writes_a_project_that_checks() {
    let world = World::empty();
    let ran = world.run(&["init"]).fine();
    assert_eq!(ran.out, "");
    insta::assert_snapshot!(ran.err, @r#"
    wrote ./account_company.map
    wrote ./account_company_tests.map
    wrote ./company_to_account.map
    wrote ./company_to_account_tests.map
    wrote ./contact_from_mql.map
    wrote ./contact_from_mql_tests.map
    wrote ./mapwright.yaml
    wrote ./mql_to_lead.map
    wrote ./mql_to_lead_tests.map
    wrote ./opportunity_to_deal.map
    wrote ./opportunity_to_deal_tests.map
    wrote ./picklists.map
    wrote ./picklists_tests.map
    wrote ./sales_activity.map
    wrote ./sales_activity_tests.map
    wrote ./sandbox.yaml
    wrote ./sql_converts_lead.map
    wrote ./sql_converts_lead_tests.map
    wrote ./tests.map
    wrote ./schema/hubspot.yaml
    wrote ./schema/salesforce.yaml
    next: `mapwright check`, then `mapwright demo` to see it run
    "#);
    let ran = world.run(&["check"]).fine();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "8 mappings checked: no findings\n"));
    world.run(&["check", "--deny-warnings", "--quiet"]).fine();
}

#[test]
fn two_files_at_odds_are_a_finding_of_both() {
    let world = World::project();
    let other = "\
mapping title {
  from hubspot.contact
  to   salesforce.Lead
  when jobtitle changes
  match { key HubSpot_Contact_ID__c = id }
  on none      skip
  on converted skip
  on rejected  park
  fields { Title <- jobtitle | trim | truncate(128) }
}
";
    for name in ["a_title.map", "z_title.map"] {
        world.write(name, other);
        for file in [name, "mql_to_lead.map"] {
            let ran = world.run(&["check", file]).exits(1);
            assert!(ran.err.contains("E1001") && ran.err.contains("1 error\n"), "{file}: {}", ran.err);
        }
        world.run(&["check", "company_to_account.map"]).fine();
        world.write(name, "# to be written\n");
    }
}

#[test]
fn init_makes_the_folder_that_is_named() {
    let world = World::empty();
    world.run(&["init", "deep/er", "--quiet"]).fine();
    let ran = world.run(&["--project", "deep/er", "check"]).fine();
    assert_eq!(ran.err, "8 mappings checked: no findings\n");
}

#[test]
fn init_never_overwrites() {
    let world = World::empty();
    world.write("picklists.map", "# mine\n");
    let ran = world.run(&["init"]).exits(2);
    assert_eq!(ran.err, "error: `./picklists.map` is already there; nothing was written\n");
    assert_eq!(world.read("picklists.map"), "# mine\n");
    assert_eq!(std::fs::read_dir(world.work()).expect("a folder").count(), 1, "nothing else was written");
}

#[test]
fn init_says_why_it_cannot_write() {
    let world = World::empty();
    world.write("taken", "a file where a folder would be");
    let ran = world.run(&["init", "taken"]).exits(2);
    assert!(ran.err.starts_with("error: `taken/"), "{}", ran.err);
    assert!(ran.err.contains("cannot be written"), "{}", ran.err);
}

#[test]
fn findings_of_all_files_come_in_one_run_in_source_order() {
    let world = three_errors_and_a_warning();
    let ran = world.run(&["check", "--format", "json"]).exits(1);
    let findings = ran.json();
    let places: Vec<String> = findings.as_array().expect("an array").iter().map(place).collect();
    assert_eq!(
        places,
        [
            "E0202 company_to_account.map:23",
            "E0301 mql_to_lead.map:39",
            "E0202 mql_to_lead.map:58",
            "W0006 nothing.map:1",
        ],
        "{}",
        ran.out
    );
    assert!(ran.err.ends_with("3 errors and 1 warning\n"), "{}", ran.err);
}

fn place(finding: &Json) -> String {
    let text = |pointer: &str| finding.pointer(pointer).and_then(Json::as_str).unwrap_or("?").to_owned();
    let line = finding.pointer("/labels/0/line").and_then(Json::as_u64).unwrap_or(0);
    format!("{} {}:{line}", text("/code"), text("/labels/0/file"))
}

#[test]
fn findings_of_one_file_can_be_asked_for() {
    let world = three_errors_and_a_warning();
    let ran = world.run(&["check", "company_to_account.map", "--format", "json"]).exits(1);
    assert_eq!(ran.json().as_array().map(Vec::len), Some(1));
    world.run(&["check", "picklists.map"]).fine();
    // From another folder the name is also looked for in the project's.
    let mut elsewhere = world.command(&["check", "--project", "../work", "company_to_account.map"]);
    let output = elsewhere.current_dir(world.home()).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("company_to_account.map:"), "{output:?}");
    let ran = world.run(&["check", "missing.map"]).exits(2);
    assert!(ran.err.starts_with("error: `missing.map`: "), "{}", ran.err);
    std::fs::write(world.home().join("other.map"), "").expect("a file");
    let ran = world.run(&["check", "../home/other.map"]).exits(2);
    assert_eq!(ran.err, "error: `../home/other.map` is not a file of the project\n");
}

#[test]
fn a_warning_fails_only_when_it_is_denied() {
    let world = World::project();
    world.write("nothing.map", "");
    let ran = world.run(&["check"]).fine();
    assert!(ran.err.ends_with("8 mappings checked: 1 warning\n"), "{}", ran.err);
    world.run(&["check", "--deny-warnings"]).exits(1);
}

#[test]
fn sarif_is_what_code_scanning_reads() {
    let world = three_errors_and_a_warning();
    let sarif = world.run(&["check", "--format", "sarif"]).exits(1).json();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["name"], "mapwright");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let levels: Vec<_> = results.iter().map(|result| result["level"].as_str().unwrap_or("?")).collect();
    assert_eq!(levels, ["error", "error", "error", "warning"]);
    let first = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(first["artifactLocation"]["uri"], "company_to_account.map");
    assert_eq!(first["region"]["startLine"], 23);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]), "{result}");
    }
    let none = World::project().run(&["check", "--format", "sarif"]).fine().json();
    assert_eq!(none["runs"][0]["results"].as_array().map(Vec::len), Some(0));
}

#[test]
fn github_annotations_stand_at_the_line() {
    let world = three_errors_and_a_warning();
    let ran = world.run(&["check", "--format", "github"]).exits(1);
    insta::assert_snapshot!(ran.out, @r#"
    ::error file=company_to_account.map,line=23,endLine=23,col=26,endColumn=30,title=E0202::`hubspot.company` has no property `fone`%0Aunknown property%0Aschema/hubspot.yaml:555: its fields are here%0Ahelp: did you mean `founded_year`?
    ::error file=mql_to_lead.map,line=39,endLine=39,col=5,endColumn=16,title=E0301::`CreatedDate` of `salesforce.Lead` is read-only and cannot be written%0Aschema/salesforce.yaml:129: is read-only%0Ahelp: remove the rule, or write another field
    ::error file=mql_to_lead.map,line=58,endLine=58,col=16,endColumn=24,title=E0202::`hubspot.contact` has no property `jobtitel`%0Aunknown property%0Aschema/hubspot.yaml:14: its fields are here%0Ahelp: did you mean `jobtitle`?
    ::warning file=nothing.map,line=1,endLine=1,col=1,endColumn=1,title=W0006::the file has no item%0Ahelp: write a `mapping`, or remove the file
    "#);
    let ran = World::project().run(&["check", "--format", "github"]).fine();
    assert_eq!(ran.out.trim(), "");
}

#[test]
fn a_project_is_found_from_below_and_by_name() {
    let world = World::project();
    let mut command = world.command(&["check"]);
    command.current_dir(world.path("schema"));
    assert_eq!(world.finish(command, &[]).fine().err, "8 mappings checked: no findings\n");
    let mut command = world.command(&["--project", "../work", "check"]);
    command.current_dir(world.home());
    world.finish(command, &[]).fine();
    let mut command = world.command(&["check", "mql_to_lead.map"]);
    command.current_dir(world.path("schema"));
    let ran = world.finish(command, &[]).exits(2);
    assert!(ran.err.contains("mql_to_lead.map"), "a file is named from where one stands: {}", ran.err);
}

#[test]
fn an_order_of_files_never_matters() {
    let world = World::project();
    std::fs::create_dir(world.path("sales")).expect("a folder");
    std::fs::rename(world.path("mql_to_lead.map"), world.path("sales/zzz.map")).expect("moved");
    std::fs::rename(world.path("picklists.map"), world.path("sales/000.map")).expect("moved");
    assert_eq!(world.run(&["check"]).fine().err, "8 mappings checked: no findings\n");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    let world = World::project();
    for name in ["mql_to_lead.map", "picklists.map", "contact_from_mql.map"] {
        world.write(name, format!("\u{feff}{}", world.read(name).replace('\n', "\r\n")));
    }
    assert_eq!(world.run(&["check"]).fine().err, "8 mappings checked: no findings\n");
    world.replace("mql_to_lead.map", "Title     <- jobtitle", "Title     <- jobtitel");
    let finding = &world.run(&["check", "--format", "json"]).exits(1).json()[0];
    assert_eq!(place(finding), "E0202 mql_to_lead.map:58");
}

#[test]
fn a_key_whose_permission_was_lost_is_found_where_it_is_written() {
    let world = World::project();
    world.replace(
        "schema/salesforce.yaml",
        "HubSpot_Company_ID__c: {",
        "HubSpot_Company_ID__c: { read_only: true,",
    );
    world.replace(
        "schema/hubspot.yaml",
        "salesforce_account_id: {",
        "salesforce_account_id: { read_only: true,",
    );
    let ran = world.run(&["check", "--format", "json"]).exits(1);
    let found: Vec<_> = ran
        .json()
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| {
            (finding["code"].as_str().map(str::to_owned), finding["message"].as_str().map(str::to_owned))
        })
        .collect();
    let read_only =
        |field: &str| (Some("E0301".to_owned()), Some(format!("{field} is read-only and cannot be written")));
    assert_eq!(
        found,
        [
            read_only("`salesforce_account_id` of `hubspot.company`"),
            read_only("`HubSpot_Company_ID__c` of `salesforce.Account`")
        ]
    );
}
