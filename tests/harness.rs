//! `mapwright test`, through the real binary: the shipped tests, and tests that fail.

use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

/// A folder with the project that `init` writes.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (code, _, err) = mapwright(dir.path(), &["init", "--quiet"]);
    assert_eq!(code, Some(0), "{err}");
    dir
}

/// Runs the binary in a folder, with nothing of the surroundings: exit code, standard output, standard error.
fn mapwright(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mapwright"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Replaces a text that stands in a file exactly once.
fn replace(dir: &Path, name: &str, from: &str, to: &str) {
    let path = dir.join(name);
    let text = std::fs::read_to_string(&path).expect("the file is readable");
    assert_eq!(text.matches(from).count(), 1, "{name} holds `{from}` once");
    std::fs::write(path, text.replace(from, to)).expect("the file is writable");
}

/// The line on which a text stands in a file.
fn line(dir: &Path, name: &str, part: &str) -> usize {
    let text = std::fs::read_to_string(dir.join(name)).expect("the file is readable");
    text.lines().position(|line| line.contains(part)).expect("the line is there") + 1
}

#[test]
fn the_shipped_tests_pass_and_their_files_are_as_they_should_be() {
    let dir = project();
    let (code, out, err) = mapwright(dir.path(), &["test"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.ends_with(" tests passed\n") && out.lines().count() == 1, "{out}");
    let (code, _, err) = mapwright(dir.path(), &["check", "--deny-warnings"]);
    assert_eq!((code, err.as_str()), (Some(0), "8 mappings checked: no findings\n"));
    let (code, out, err) = mapwright(dir.path(), &["fmt", "--check"]);
    assert_eq!(code, Some(0), "{out}{err}");
}

#[test]
fn every_shipped_mapping_has_tests() {
    let dir = project();
    let (_, out, _) = mapwright(dir.path(), &["test", "--json"]);
    let json: Json = serde_json::from_str(&out).expect("one JSON document");
    let tests = json["tests"].as_array().expect("the tests");
    for mapping in [
        "mql_to_lead",
        "contact_from_mql",
        "company_to_account",
        "account_company",
        "opportunity_to_deal",
        "task_to_timeline",
        "meeting_to_timeline",
    ] {
        let count = tests.iter().filter(|test| test["mapping"] == mapping).count();
        assert!(count >= 3, "{mapping} has {count}");
        let (code, out, _) = mapwright(dir.path(), &["test", mapping]);
        assert_eq!((code, out), (Some(0), format!("{count} tests passed\n")));
    }
    assert_eq!(json["failed"], 0);
    assert_eq!(json["passed"], tests.len());
    assert!(tests.iter().all(|test| test["passed"] == true));
}

#[test]
fn a_changed_rule_fails_its_tests_with_the_difference_and_its_line() {
    let dir = project();
    replace(
        dir.path(),
        "mql_to_lead.map",
        "<- \"MQL - Pending Review\"  on create",
        "<- \"Working - Contacted\"",
    );
    replace(
        dir.path(),
        "mql_to_lead.map",
        "<- jobtitle | trim | truncate(128)",
        "<- jobtitle | trim | lowercase | truncate(128)",
    );
    let (code, out, err) = mapwright(dir.path(), &["test", "a new marketing qualified contact"]);
    assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
    let test = line(dir.path(), "tests.map", "a new marketing qualified contact");
    let title = line(dir.path(), "mql_to_lead.map", "jobtitle");
    let status = line(dir.path(), "mql_to_lead.map", "Working - Contacted");
    let expected = format!(
        "failed: a new marketing qualified contact becomes a Lead (tests.map:{test})
  field   expected                found                  rule
  Title   \"VP Engineering\"        \"vp engineering\"       mql_to_lead.map:{title}
    Title <- jobtitle | trim | lowercase | truncate(128)
  Status  \"MQL - Pending Review\"  \"Working - Contacted\"  mql_to_lead.map:{status}
    Status <- \"Working - Contacted\"

1 test failed
"
    );
    assert_eq!(out, expected);
}

#[test]
fn a_run_that_ends_otherwise_is_said_in_words() {
    let dir = project();
    replace(
        dir.path(),
        "mql_to_lead.map",
        "on many       park \"more than one open Lead has this e-mail\"",
        "on many newest",
    );
    let (code, out, _) = mapwright(dir.path(), &["test", "open leads"]);
    assert_eq!(code, Some(1), "{out}");
    let expect = line(dir.path(), "tests.map", "expect park \"more than one open Lead");
    assert!(
        out.contains(&format!(
            "  expected  the record is parked: more than one open Lead has this e-mail (tests.map:{expect})
  found     `mql_to_lead` updated a salesforce.Lead\n"
        )),
        "{out}"
    );
    let (code, out, _) = mapwright(dir.path(), &["test"]);
    assert_eq!(code, Some(1));
    assert!(out.ends_with(" tests passed, 1 failed\n"), "{out}");
    let (code, out, _) = mapwright(dir.path(), &["test", "--json"]);
    let json: Json = serde_json::from_str(&out).expect("one JSON document");
    assert_eq!((code, &json["failed"]), (Some(1), &Json::from(1)));
    let failed: Vec<_> =
        json["tests"].as_array().expect("the tests").iter().filter(|test| test["passed"] == false).collect();
    assert_eq!(failed[0]["differences"][0]["at"]["line"], expect);
}

#[test]
fn a_write_that_nobody_expected_is_shown_field_by_field() {
    let dir = project();
    let test = r#"test "all is well" {
  mapping mql_to_lead
  given hubspot.contact { id: "5501", email: "jane@acme.test", lastname: "Doe" }
  given salesforce.Lead { HubSpot_Contact_ID__c: "5501", LastName: "Dow", Company: "acme.test" }
  expect nothing
}
"#;
    std::fs::write(dir.path().join("extra_tests.map"), test).expect("writable");
    // The filter is a file.
    let (code, out, _) = mapwright(dir.path(), &["test", "extra_tests.map"]);
    let (name, mail) = (
        line(dir.path(), "mql_to_lead.map", "LastName  <-"),
        line(dir.path(), "mql_to_lead.map", "Email   "),
    );
    assert_eq!(code, Some(1));
    assert_eq!(
        out,
        format!(
            "failed: all is well (extra_tests.map:1)
  expected  a record that is already as it should be (extra_tests.map:5)
  found     `mql_to_lead` updated a salesforce.Lead
            LastName \"Doe\" instead of \"Dow\" (mql_to_lead.map:{name})
            Email \"jane@acme.test\" (mql_to_lead.map:{mail})

1 test failed
"
        )
    );
}

#[test]
fn what_cannot_be_run_is_said() {
    let dir = project();
    let (code, out, err) = mapwright(dir.path(), &["test", "nothing of this name"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("no test is about a mapping `nothing of this name`"), "{err}");
    // A mistake in a test is found before anything runs.
    replace(
        dir.path(),
        "tests.map",
        "company: \"ACME!!\" }\n  given hubspot.company",
        "compani: \"ACME!!\" }\n  given hubspot.company",
    );
    let (code, out, err) = mapwright(dir.path(), &["test"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("E0202") && err.contains("did you mean `company`"), "{err}");
    let of_tests = [
        "account_company_tests",
        "company_to_account_tests",
        "contact_from_mql_tests",
        "mql_to_lead_tests",
        "opportunity_to_deal_tests",
        "picklists_tests",
        "sales_activity_tests",
        "sql_converts_lead_tests",
        "tests",
    ];
    for name in of_tests {
        std::fs::remove_file(dir.path().join(format!("{name}.map"))).expect("removable");
    }
    let (code, out, _) = mapwright(dir.path(), &["test"]);
    assert_eq!((code, out.as_str()), (Some(0), "the project has no tests\n"));
}

#[test]
fn the_shipped_mappings_are_covered_whole() {
    let dir = project();
    let (code, out, err) = mapwright(dir.path(), &["test", "--json", "--coverage-min", "100"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let json: Json = serde_json::from_str(&out).expect("one JSON document");
    let coverage = &json["coverage"];
    assert_eq!(coverage["percent"], 100.0);
    assert_eq!((&coverage["exercised"], &coverage["missed"]), (&coverage["total"], &serde_json::json!([])));
    for kind in ["trigger", "guard", "rung", "outcome", "rule", "policy", "picklist_line"] {
        assert!(coverage["kinds"][kind]["total"].as_u64() > Some(1), "{kind}: {coverage}");
    }
}

#[test]
fn what_no_test_exercises_is_listed_and_can_fail() {
    let dir = project();
    replace(dir.path(), "picklists.map", "  \"RETAIL\" ", "  \"AUTOMOTIVE\" -> \"Machinery\"\n  \"RETAIL\" ");
    let (code, out, err) = mapwright(dir.path(), &["test", "--coverage"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let at = line(dir.path(), "picklists.map", "AUTOMOTIVE");
    let missed = format!(
        "no test exercises:\n  picklists.map:{at}: `\"AUTOMOTIVE\" -> \"Machinery\"` is not reached; give a record whose industry holds it\n\n"
    );
    assert!(out.contains(&missed) && out.starts_with("coverage: 99.6 % (291 of 292)\n"), "{out}");
    let (code, _, err) = mapwright(dir.path(), &["test", "--coverage-min", "99.9"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(1), "error: the coverage is 99.6 %, and at least 99.9 % are wanted\n")
    );
    let (code, _, _) = mapwright(dir.path(), &["test", "--coverage-min", "99"]);
    assert_eq!(code, Some(0));
    let (code, _, err) = mapwright(dir.path(), &["test", "--coverage-min", "much"]);
    assert!(code == Some(2) && err.contains("a number from 0 to 100"), "{err}");
}
