//! What is told of a record, by how it was.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};

use crate::crm::{Change, Found};
use crate::plan::{Parent, Watched};
use crate::source::{ObjectName, Side};
use crate::store::{Ended, Seen};
use crate::types::ChangeKind;

use super::super::compare::Reading;
use super::watched;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
}

fn stages() -> Watched {
    let mut watched = watched(Side::Salesforce, "Opportunity", &["Amount", "StageName"]);
    watched.becomes.insert("StageName".to_owned(), BTreeSet::from(["Closed;Won".to_owned()]));
    watched
}

fn state(created: i64, values: &Json) -> Found {
    let values: Map<String, Json> = values.as_object().expect("a map").clone();
    Found::State { created_at: Some(at(created)), values }
}

fn compare(baseline: bool, what: Found, seen: Option<&Seen>) -> (Vec<ChangeKind>, Option<Seen>) {
    let watched = stages();
    let reading = Reading { watched: &watched, baseline, new_since: at(0) };
    reading.compare(&Change { record: "006".to_owned(), at: at(9), own: false, what, last: Map::new() }, seen)
}

fn changed(field: &str, value: Option<&str>) -> ChangeKind {
    ChangeKind::FieldChanged { field: field.to_owned(), value: value.map(ToOwned::to_owned) }
}

fn kinds(what: Found, seen: Option<&Seen>) -> Vec<ChangeKind> {
    compare(false, what, seen).0
}

/// A record as it was read, with a stage and no amount.
fn known() -> Seen {
    compare(true, state(-5, &json!({"StageName": "Open", "Amount": null})), None).1.expect("it is remembered")
}

#[test]
fn a_baseline_is_remembered_and_not_told() {
    let (kinds, seen) = compare(true, state(5, &json!({"StageName": "Open"})), None);
    assert_eq!((kinds.len(), seen.map(|seen| seen.revision)), (0, Some(0)));
    let (kinds, seen) = compare(true, Found::Event(ChangeKind::Deleted), None);
    assert_eq!((kinds.len(), seen.and_then(|seen| seen.ended)), (0, Some(Ended::Deleted)));
}

#[test]
fn differences_are_told_once() {
    let was = known();
    let (kinds, now) = compare(false, state(-5, &json!({"StageName": "Lost", "Amount": ""})), Some(&was));
    assert_eq!(kinds, [changed("StageName", Some("Lost"))], "blank is blank");
    let now = now.expect("it is remembered");
    assert_eq!(now.revision, 1);
    assert_eq!(compare(false, state(-5, &json!({"StageName": "Lost"})), Some(&now)), (Vec::new(), None));
}

#[test]
fn a_field_that_was_not_watched_before_may_have_changed() {
    let mut was = known();
    was.fields.remove("Amount");
    let found = kinds(state(-5, &json!({"StageName": "Open", "Amount": null})), Some(&was));
    assert_eq!(found, [changed("Amount", Some(""))]);
}

#[test]
fn no_value_is_kept() {
    let seen = compare(true, state(-5, &json!({"StageName": "Secret", "Amount": 5})), None).1.expect("it");
    assert!(!format!("{seen:?}").contains("Secret"), "{seen:?}");
}

#[test]
fn values_are_told_only_where_the_trigger_compares_the_same_text() {
    let told = |value: Json| match kinds(state(-5, &json!({"StageName": value})), Some(&known())).remove(0) {
        ChangeKind::FieldChanged { value, .. } => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(json!("Lost")).as_deref(), Some("Lost"));
    assert_eq!(told(json!(true)).as_deref(), Some("true"));
    assert_eq!(told(json!("Closed;Won")).as_deref(), Some("Closed;Won"), "a trigger waits for it as it is");
    for ambiguous in
        [json!(5.0), json!("5.0"), json!("-5"), json!("A;B"), json!("2024-01-01T00:00:00.000+0000")]
    {
        assert_eq!(told(ambiguous.clone()), None, "{ambiguous}");
    }
}

#[test]
fn ends_are_told_once_and_a_merge_tells_more() {
    let merged = |into: &str| Found::Event(ChangeKind::Merged { into: into.to_owned() });
    let deleted = || Found::Event(ChangeKind::Deleted);
    let gone = compare(false, deleted(), Some(&known())).1.expect("it is remembered");
    assert!(kinds(deleted(), Some(&gone)).is_empty());
    let (told, lost) = compare(false, merged("1"), Some(&gone));
    assert_eq!(told, [ChangeKind::Merged { into: "1".to_owned() }]);
    let lost = lost.expect("it is remembered");
    assert!(kinds(merged("1"), Some(&lost)).is_empty() && kinds(deleted(), Some(&lost)).is_empty());
    assert_eq!(kinds(merged("2"), Some(&lost)).len(), 1, "the survivor was merged in its turn");
    let back = kinds(state(-5, &json!({"StageName": "Open"})), Some(&gone));
    assert_eq!(back, [ChangeKind::Restored]);
}

#[test]
fn a_source_that_tells_what_happened_is_passed_on() {
    let event = changed("StageName", Some("Lost"));
    assert_eq!(compare(false, Found::Event(event.clone()), Some(&known())), (vec![event], None));
}

#[test]
fn whose_a_row_is_is_remembered_and_kept_when_it_ends() {
    let mut watched = stages();
    let account = ObjectName::new(Side::Salesforce, "Account");
    watched.parents.insert(Parent { object: account, field: "AccountId".to_owned() });
    watched.fields.insert("AccountId".to_owned());
    let reading = Reading { watched: &watched, baseline: false, new_since: at(0) };
    let compare = |what: Found, last: Json, seen: Option<&Seen>| {
        let last = last.as_object().expect("a map").clone();
        reading.compare(&Change { record: "006".to_owned(), at: at(9), own: false, what, last }, seen)
    };
    let whose = |seen: &Seen| seen.parents.get("AccountId").cloned();
    let read = compare(state(-5, &json!({"AccountId": "001"})), json!({}), None).1.expect("it is remembered");
    assert_eq!(whose(&read).as_deref(), Some("001"));
    let purged = compare(Found::Event(ChangeKind::Deleted), json!({}), Some(&read)).1.expect("it ended");
    assert_eq!(whose(&purged).as_deref(), Some("001"), "nothing is shown of it");
    let binned = json!({"AccountId": "002"});
    let binned = compare(Found::Event(ChangeKind::Deleted), binned, Some(&read)).1.expect("it ended");
    assert_eq!(whose(&binned).as_deref(), Some("002"));
    let nobodys = compare(state(-5, &json!({"AccountId": null})), json!({}), Some(&read)).1.expect("changed");
    assert_eq!(whose(&nobodys), None);
    // One that was read before anybody asked whose it is.
    let before = Seen { parents: std::collections::BTreeMap::new(), ..read.clone() };
    let (kinds, now) = compare(state(-5, &json!({"AccountId": "001"})), json!({}), Some(&before));
    assert!(kinds.is_empty());
    assert_eq!(now.as_ref().and_then(whose).as_deref(), Some("001"));
}
