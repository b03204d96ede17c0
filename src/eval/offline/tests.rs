//! Lines against the same records read by `serde_json` and evaluated one by one.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value as Json, json};

use super::{Line, Lines, Offline, fields};
use crate::plan::testing::{LEAD, Lead};
use crate::plan::{Mapping, Plan};
use crate::types::{Raw, to_json};

const MOST: Lead = Lead {
    head: "let mail = email | trim | lowercase\n only if nickname != \"refuse\" otherwise skip",
    fields: "FirstName <- firstname | trim | truncate(40)\n Email <- mail | fits(80) otherwise keep\n \
             Title <- if hubscore > 50 then \"{firstname} {nickname}\" | truncate(128) else source\n \
             LeadSource <- source | sources\n Score__c <- hubscore otherwise 1\n Phone <- phone | digits | truncate(40)\n \
             HasOptedOutOfEmail <- opted_out otherwise keep once true stays true",
    beside: "picklist sources {\n from hubspot.contact.source\n to salesforce.Lead.LeadSource\n \"SEARCH\" -> \"Web\"\n \
             \"OFFLINE\" -> nothing\n otherwise -> \"Other\"\n}",
    ..LEAD
};

/// What a line gives when it is read by `serde_json` and nothing is skipped.
fn slowly(plan: &Plan, mapping: &Mapping, line: &str) -> Result<Option<Json>, ()> {
    let Ok(Json::Object(object)) = serde_json::from_str::<Json>(line) else { return Err(()) };
    let Some(Json::Object(properties)) = object.get("properties") else { return Err(()) };
    let id = object.get("id").or_else(|| object.get("Id")).filter(|id| id.is_string() || id.is_number());
    let number = id.ok_or(())?.as_number().map(ToString::to_string);
    let slots: Vec<Raw<'_>> = mapping
        .slots
        .iter()
        .map(|slot| match (slot.field.as_str(), &number) {
            ("id", Some(number)) => Raw::Text(number.as_str().into()),
            ("id", None) => Raw::from(id),
            (field, _) => Raw::from(properties.get(field)),
        })
        .collect();
    match fields(plan, mapping, &slots) {
        Offline::Fields(fields) => {
            let fields: Map<String, Json> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), to_json(value))).collect();
            Ok(Some(Json::Object(fields)))
        }
        Offline::Refused { .. } => Ok(None),
        Offline::Failed { .. } => Err(()),
    }
}

/// Property values of all kinds, right and wrong.
fn value() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        Just(json!("")),
        Just(json!("  ")),
        "(?s) ?[a-zA-Z\"\\\\漢é\u{1F680}\u{301}/]{0,60} ?".prop_map(Json::from),
        prop::sample::select(vec![
            "SEARCH",
            "OFFLINE",
            "true",
            "false",
            "refuse",
            "+1 (415) 555",
            "87",
            "50.50",
            "1e2"
        ])
        .prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        Just(json!([1, {"a": null}])),
    ]
}

/// Lines of records: members in any order, some twice, some unknown, spaces and escapes as they come.
fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "email",
        "firstname",
        "lastname",
        "nickname",
        "hubscore",
        "source",
        "phone",
        "opted_out",
        "other",
        "id",
        "x\\y",
    ]);
    let member = (name, value(), any::<bool>()).prop_map(|(name, value, escaped)| {
        let key = if escaped {
            name.chars().map(|letter| format!("\\u{:04x}", letter as u32)).collect::<Vec<_>>().concat()
        } else {
            name.replace('\\', "\\\\")
        };
        format!("\"{key}\": {value}")
    });
    let properties = prop::collection::vec(member, 0..12).prop_map(|members| members.join(", ")).boxed();
    let id = prop_oneof![
        4 => Just("\"id\":\"7\""), 1 => Just("\"id\":7"), 1 => Just("\"Id\":\"8\""), 1 => Just("\"id\":null"),
        1 => Just("\"id\":\"7\",\"Id\":\"8\""), 1 => Just("\"archived\":false"),
    ];
    let tail = prop_oneof![8 => Just(""), 1 => Just("\r\n"), 1 => Just(","), 1 => Just("}")];
    (id, properties.clone(), properties, 0..10_u8, tail).prop_map(
        |(id, first, second, kind, tail)| match kind {
            0 => format!("{{{id},\"properties\":{{{first}}},\"properties\":{{{second}}}}}{tail}"),
            1 => {
                format!("{{\"properties\":{{{first}}},\"other\":{{\"properties\":{{{second}}}}},{id}}}{tail}")
            }
            2 => format!("{{{id},\"properties\":null}}{tail}"),
            3 => format!("{{{id},\"properties\":[]}}{tail}"),
            _ => format!("{{{id},\"properties\":{{{first}}}}}{tail}"),
        },
    )
}

#[test]
fn lines_give_what_single_records_give() {
    let plan = MOST.plan();
    let mapping = &plan.mappings[0];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) };
    let mut runner = TestRunner::new(config);
    let lines = prop::collection::vec(line(), 1..12);
    runner.run(&lines, |lines| compare(&plan, mapping, &lines)).unwrap();
}

fn compare(plan: &Plan, mapping: &Mapping, lines: &[String]) -> Result<(), TestCaseError> {
    // One reader for all of them: what it remembers of a line must not change the next.
    let mut ready = Lines::new(plan, mapping, false);
    let mut with_provenance = Lines::new(plan, mapping, true);
    for line in lines {
        let mut out = Vec::new();
        let got = ready.line(line.as_bytes(), &mut out);
        let out = String::from_utf8(out).unwrap();
        match slowly(plan, mapping, line) {
            Ok(Some(fields)) => {
                prop_assert_eq!(&got, &Line::Written, "{}", line);
                prop_assert_eq!(&out, &format!("{fields}\n"), "{}", line);
                let mut long = Vec::new();
                with_provenance.line(line.as_bytes(), &mut long);
                let long: Json = serde_json::from_slice(&long).unwrap();
                prop_assert_eq!(&long["fields"], &fields);
                let names = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
                prop_assert_eq!(names(&long["provenance"]), names(&fields));
            }
            Ok(None) => {
                prop_assert!(matches!(got, Line::Refused { .. }) && out.is_empty(), "{line}: {got:?}");
            }
            Err(()) => {
                prop_assert!(
                    matches!(got, Line::Bad(_) | Line::Parked(_)) && out.is_empty(),
                    "{line}: {got:?}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn provenance_is_the_line_of_the_rule() {
    let plan = LEAD.plan();
    let mut out = Vec::new();
    let line = Lines::new(&plan, &plan.mappings[0], true).line(b"{\"id\":\"1\",\"properties\":{}}", &mut out);
    assert_eq!(line, Line::Written);
    let json: Json = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["fields"]["LastName"], "Unknown");
    let at = plan.mappings[0].rules[0].at.to_string();
    assert_eq!(json["provenance"]["LastName"], at);
    assert!(at.starts_with("test.map:"), "{at}");
}
