//! The laws of `check --fix`, over every section of the language's suite that offers a correction.

use std::collections::BTreeSet;

use crate::fix::small;
use crate::frames::{FIELDS, MAPPING, WHOLE, check_file, suite};
use crate::sections::{BESIDE, EXPECT, SECTION};

/// A section of the suite as a file, without its expectations.
struct Case {
    name: String,
    text: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut folders = vec![suite()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the suite") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "map") {
                let text = std::fs::read_to_string(&path).expect("a suite file");
                let name = path.strip_prefix(suite()).expect("it is in the suite").display().to_string();
                cases.extend(text.split(SECTION).skip(1).map(|section| case(&name, section)));
            }
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn case(file: &str, section: &str) -> Case {
    let (name, body) = section.split_once('\n').expect("a section has a line");
    let frame = match name {
        name if name.ends_with("(fields)") => FIELDS,
        name if name.ends_with("(mapping)") => MAPPING,
        _ => WHOLE,
    };
    let lines: Vec<&str> = body.lines().filter(|line| !line.starts_with(EXPECT)).collect();
    let beside = lines.iter().position(|line| line.starts_with(BESIDE)).unwrap_or(lines.len());
    let outside = lines.get(beside + 1..).unwrap_or_default().join("\n");
    let text = format!("{}{}\n{}{outside}\n", frame.before, lines[..beside].join("\n"), frame.after);
    Case { name: format!("{file}: {name}"), text }
}

/// What `check --format json` says: code and message of each finding.
type Findings = Vec<(String, String)>;

fn findings(json: &serde_json::Value) -> Findings {
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().expect("a text").to_owned();
    let all = json.as_array().expect("an array").iter();
    all.map(|finding| (text(finding, "code"), text(finding, "message"))).collect()
}

fn count(findings: &Findings, family: &str) -> usize {
    findings.iter().filter(|(code, _)| code.starts_with(family)).count()
}

#[test]
fn what_is_mended_is_gone_and_nothing_comes_in_its_place() {
    let (mut offering, mut mended) = (0, 0);
    for case in cases() {
        let (_, offered) = check_file(case.text.clone());
        if offered.iter().all(|finding| finding.fix.is_none()) {
            continue;
        }
        offering += 1;
        let before: Findings =
            offered.iter().map(|finding| (finding.code.0.to_owned(), finding.message.clone())).collect();
        let world = small(&[("case.map", &case.text)]);
        let ran = world.run(&["check", "--fix", "--format", "json"]);
        let (after, text) = (findings(&ran.json()), world.read("case.map"));
        let shown = || format!("{}\n{before:#?}\n{after:#?}\n{text}", case.name);
        mended += ran.err.lines().filter(|line| line.starts_with("fixed ")).count();

        let again = world.run(&["check", "--fix", "--format", "json"]);
        assert!(again.err.starts_with("0 fixed; ") && world.read("case.map") == text, "{}", shown());
        assert_eq!(findings(&again.json()), after, "{}", shown());
        assert!(count(&after, "E01") <= count(&before, "E01") || is_uncovered(&before), "{}", shown());

        // What a wrong word or name hides is found once that is mended; nothing else brings anything about.
        let hides =
            before.iter().any(|(code, _)| ["E01", "E02"].iter().any(|family| code.starts_with(family)));
        let codes = |findings: &Findings| -> BTreeSet<String> {
            findings.iter().filter(|(code, _)| code.starts_with('E')).map(|(code, _)| code.clone()).collect()
        };
        let new: Vec<_> = codes(&after).difference(&codes(&before)).cloned().collect();
        assert!(hides || new.is_empty(), "{new:?} {}", shown());
    }
    assert!(offering > 50 && mended > 80, "{offering} sections, {mended} corrections");
}

/// Whether an item could not be read at all, so that what is wrong in it is said only once its first word is mended.
fn is_uncovered(before: &Findings) -> bool {
    before.iter().any(|(code, _)| code == "E0106")
}

#[test]
fn a_line_that_cannot_be_read_holds_up_only_the_names_of_its_own_item() {
    let world = small(&[(
        "one.map",
        r#"mapping one {
  from hubspot.contct
  to   salesforce.Contact
  let nick = nickname | | trim
  when emial changes
  match { key HubSpot_Contact_ID__c = id }
  on none      skip
  on rejected  park
  fields {
    FirstName  <- nick
    LeadSource <- "Othr"
    LastName   <- first_present(lastname | trm, "Unknown") | truncate(80)
  }
}

test "one" {
  mapping onne
  given hubspot.contact { id: "1", lastnam: "Doe" }
  expect skip
}
"#,
    )]);
    let ran = world.run(&["check", "--fix"]).exits(1);
    insta::assert_snapshot!(ran.out, @r"
    fixed one.map:2: E0201 HubSpot has no object `contct` in `schema/hubspot.yaml`
    fixed one.map:11: E0602 `LeadSource` of `salesforce.Contact` has no option `Othr`
    fixed one.map:12: E0203 there is no function or picklist `trm`
    fixed one.map:17: E0204 there is no mapping or sync `onne`
    fixed one.map:18: E0202 `hubspot.contact` has no property `lastnam`
    ");
    // `nick` is what the broken line gives, and no misspelt property; `emial` could have been one more of those.
    let text = world.read("one.map");
    assert!(text.contains("  FirstName  <- nick\n") && text.contains("when emial changes"), "{text}");
    assert!(!ran.err.contains("`nick`"), "{}", ran.err);
    world.replace("one.map", "nickname | | trim", "nickname | trim | truncate(40)");
    world.run(&["check", "--fix"]).fine();
    assert!(world.read("one.map").contains("when email changes"));
}

#[test]
fn a_name_waits_while_its_item_may_be_one_that_cannot_be_read() {
    let world = small(&[
        (
            "one.map",
            r#"mapping one {
  from hubspot.contact
  to   salesforce.Contact
  when created
  match { key HubSpot_Contact_ID__c = id }
  on none      skip
  on rejected  park
  fields { LeadSource <- rating | lead_sorce }
}

picklist lead_source {
  from hubspot.contact.rating
  to   salesforce.Contact.LeadSource
  otherwise -> "Web"
}
"#,
        ),
        (
            "two.map",
            r#"picklist, lead_sorce {
  from hubspot.contact.rating
  to   salesforce.Contact.LeadSource
  otherwise -> "Other"
}
"#,
        ),
    ]);
    world.run(&["check", "--fix"]).exits(1);
    assert!(world.read("one.map").contains("| lead_sorce }"));
}

#[test]
fn words_of_the_language_are_mended_where_names_could_not_stand() {
    let world = small(&[(
        "one.map",
        r#"mapping one {
  from hubspot.contact
  to   salesforce.Contact
  with employer = primery hubspot.company
  when created
  match { key HubSpot_Contact_ID__c = id }
  on none      skip
  on rejected  park
  fields {
    FirstName  <- if employer.name is present then "A" else nothng
    LeadSource <- source | lead_source
    LastName   <- phone | e164(country) otherwise kep
  }
}

picklist lead_source {
  from hubspot.contact.source
  to   salesforce.Contact.LeadSource
  "SEARCH" -> nothng
  othrwise -> prak
}
"#,
    )]);
    world.run(&["check", "--fix"]).fine();
    let text = world.read("one.map");
    for written in
        ["= primary hubspot", "else nothing\n", "otherwise keep\n", "-> nothing\n", "  otherwise -> park\n"]
    {
        assert!(text.contains(written), "{written}: {text}");
    }
}
