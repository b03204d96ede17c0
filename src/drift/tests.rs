//! Two snapshots, and what is said about them.

use super::*;
use crate::schema::load;
use crate::source::Sources;

/// The code, the place and the message of each finding.
fn found(old: &str, now: &str) -> Vec<(Code, String, String)> {
    let mut sources = Sources::new();
    let mut read = |fields: &str| {
        let text = format!("crm: salesforce\napi_version: \"58.0\"\nobjects:\n{fields}");
        let (schema, findings) = load(&mut sources, "schema/salesforce.yaml", &text);
        assert_eq!(findings, [], "{text}");
        schema.expect("a schema")
    };
    let (old, now) = (read(old), read(now));
    let drift = drift(&old, &now, None);
    let text = |finding: &Diagnostic| sources.slice(finding.span()).to_owned();
    drift.findings.iter().map(|finding| (finding.code, text(finding), finding.message.clone())).collect()
}

fn lead(fields: &str) -> String {
    format!("  Lead:\n    fields:\n      Id: {{ type: id }}\n{fields}")
}

/// What is said of one field of a Lead.
fn said(old: &str, now: &str) -> Vec<(Code, String)> {
    let of = |facts: &str| {
        lead(&if facts.is_empty() { String::new() } else { format!("      X: {{ {facts} }}\n") })
    };
    found(&of(old), &of(now)).into_iter().map(|(code, _, message)| (code, message)).collect()
}

#[test]
fn every_change_of_a_field_is_named() {
    let (removed, narrowed, added, changed) =
        (Code::DRIFT_REMOVED, Code::DRIFT_NARROWED, Code::DRIFT_ADDED, Code::DRIFT_CHANGED);
    let cases = [
        ("type: date", "", removed, "is not there any more, or not visible"),
        ("", "type: date", added, "is new"),
        (
            "type: string, length: 80",
            "type: string, length: 40",
            narrowed,
            "holds less: was text of 80 characters, is text of 40 characters",
        ),
        (
            "type: string, length: 40",
            "type: string, length: 80",
            changed,
            "holds more: was text of 40 characters, is text of 80 characters",
        ),
        (
            "type: string, length: 40",
            "type: email, length: 40",
            narrowed,
            "was text of 40 characters and is an e-mail address of 40 characters",
        ),
        (
            "type: double, precision: 18, scale: 2",
            "type: double, precision: 16, scale: 2",
            narrowed,
            "holds less: was a number of 18 digits, 2 after the point, is a number of 16 digits, 2 after the point",
        ),
        (
            "type: double, precision: 16, scale: 2",
            "type: double, precision: 18, scale: 4",
            changed,
            "holds more: was a number of 16 digits, 2 after the point, is a number of 18 digits, 4 after the point",
        ),
        (
            "type: double, precision: 18, scale: 2",
            "type: double, precision: 18, scale: 4",
            narrowed,
            "holds less: was a number of 18 digits, 2 after the point, is a number of 18 digits, 4 after the point",
        ),
        (
            "type: int",
            "type: int, digits: 5",
            narrowed,
            "holds less: was a whole number of 8 digits, is a whole number of 5 digits",
        ),
        ("type: date", "type: datetime", narrowed, "was a date and is a date and time"),
        ("type: date", "type: date, required: true", narrowed, "is required now"),
        ("type: date, required: true", "type: date", changed, "is not required any more"),
        ("type: date", "type: date, read_only: true", narrowed, "cannot be written any more"),
        ("type: date", "type: date, create_only: true", narrowed, "cannot be updated any more"),
        ("type: date", "type: date, update_only: true", narrowed, "cannot be set on create any more"),
        ("type: date, create_only: true", "type: date", changed, "can be written now"),
        (
            "type: string, length: 9, unique: true",
            "type: string, length: 9",
            narrowed,
            "is not unique any more",
        ),
        (
            "type: string, length: 9, external_id: true",
            "type: string, length: 9",
            narrowed,
            "is not an external ID any more",
        ),
        ("type: string, length: 9", "type: string, length: 9, unique: true", changed, "is unique now"),
        (
            "type: picklist, options: [a]",
            "type: picklist, options: [a], restricted: true",
            narrowed,
            "refuses values that are not in its list now",
        ),
        (
            "type: multipicklist, restricted: true, options: [a]",
            "type: multipicklist, options: [a]",
            changed,
            "takes values that are not in its list now",
        ),
        (
            "type: picklist, options: [a, b]",
            "type: picklist, options: [a]",
            removed,
            "has no option `b` any more",
        ),
        (
            "type: picklist, options: [a, b]",
            "type: picklist, options: [a, { value: b, active: false }]",
            narrowed,
            "has deactivated its option `b`",
        ),
        (
            "type: picklist, options: [{ value: b, active: false }]",
            "type: picklist, options: [b]",
            changed,
            "has activated its option `b` again",
        ),
        (
            "type: picklist, options: [{ value: b, converted: true }]",
            "type: picklist, options: [b]",
            narrowed,
            "has an option `b` that does not stand for converted Leads any more",
        ),
        (
            "type: picklist, options: [a]",
            "type: picklist, options: [a, b, c]",
            added,
            "has new options `b`, `c`",
        ),
        (
            "type: reference, references: [User]",
            "type: reference, references: [Group]",
            narrowed,
            "was a reference to User and is a reference to Group",
        ),
        (
            "type: reference, references: [User], relationship: A",
            "type: reference, references: [User], relationship: B",
            changed,
            "is called otherwise in paths",
        ),
        (
            "type: date",
            "type: date, required: true, defaulted_on_create: true",
            changed,
            "is filled by the CRM, or can be blank, in another way",
        ),
    ];
    for (old, now, code, words) in cases {
        assert_eq!(said(old, now), [(code, format!("`salesforce.Lead.X` {words}"))], "{old} -> {now}");
    }
}

#[test]
fn what_no_mapping_depends_on_is_no_finding() {
    let same = [
        ("type: date, label: A", "type: date, label: B"),
        ("type: picklist, options: [a, b]", "type: picklist, options: [b, a]"),
        ("type: picklist, options: [a]", "type: picklist, options: [{ value: a, label: A }]"),
        ("type: reference, references: [User, Group]", "type: reference, references: [Group, User]"),
    ];
    for (old, now) in same {
        assert_eq!(said(old, now), [], "{old} -> {now}");
    }
}

#[test]
fn a_new_field_that_is_required_is_more_than_new() {
    let codes: Vec<Code> = said("", "type: date, required: true").into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::DRIFT_NARROWED, Code::DRIFT_ADDED]);
}

#[test]
fn a_finding_stands_where_the_snapshot_says_it() {
    let old = lead("      X: { type: picklist, options: [Hot, Cold] }\n      Y: { type: date }\n");
    let now = lead("      X: { type: picklist, options: [Hot] }\n      Z: { type: date }\n");
    let places: Vec<String> = found(&old, &now).into_iter().map(|(_, place, _)| place).collect();
    assert_eq!(places, ["Lead", "Cold", "Y"]);
}

#[test]
fn objects_and_record_types_come_and_go() {
    let types = |list: &str| {
        format!(
            "  Lead:\n    record_types:\n{list}    fields:\n      X: {{ type: picklist, options: [a, b] }}\n"
        )
    };
    let one = "      - { name: One, developer_name: One, picklists: { X: [a] } }\n";
    let other = "      - { name: Other, developer_name: Other }\n";
    let messages = |old: &str, now: &str| -> Vec<String> {
        found(old, now).into_iter().map(|(_, _, message)| message).collect()
    };
    assert_eq!(
        messages(&types(one), &types(other)),
        [
            "`salesforce.Lead` has a new record type `Other`",
            "`salesforce.Lead` has no record type `One` for new records any more"
        ]
    );
    let inactive = one.replace("developer_name: One", "developer_name: One, active: false");
    assert_eq!(
        messages(&types(one), &types(&inactive)),
        ["`salesforce.Lead` has no record type `One` for new records any more"]
    );
    let swapped = one.replace("[a]", "[b]");
    assert_eq!(
        messages(&types(one), &types(&swapped)),
        ["`salesforce.Lead.X` has other options under the record type `One`: without `a`, with `b`"]
    );
    let case = "  Case:\n    fields:\n      Id: { type: id }\n";
    assert_eq!(
        messages(&lead(""), case),
        ["`salesforce.Case` is new", "`salesforce.Lead` is not there any more, or not visible"]
    );
}

#[test]
fn owners_who_come_and_go_are_counted_and_are_no_drift() {
    let mut sources = Sources::new();
    let mut read = |owners: &str| {
        let text = format!("crm: hubspot\napi_version: v3\nobjects: {{}}\n{owners}");
        let (schema, findings) = load(&mut sources, "schema/hubspot.yaml", &text);
        assert_eq!(findings, [], "{text}");
        schema.expect("a schema")
    };
    let old = read("owners:\n  - { id: \"1\", email: a@x.example }\n  - { id: \"2\" }\n");
    let now = read("owners:\n  - { id: \"1\", email: b@x.example }\n  - { id: \"3\" }\n");
    assert_eq!(drift(&old, &now, None), Drift { owners: 3, ..Drift::default() });
    assert_eq!(drift(&old, &read(""), None).findings, []);
}
