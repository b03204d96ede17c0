//! `test` items: what they name exists, what they give and expect fits its fields, and nothing that a run needs is missing.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::FieldType;
use crate::source::{ObjectName, Side, Span, Spanned};
use crate::syntax::ast::{self, EntryValue, ExpectKind};
use crate::types::{Value, display};

use super::associate;
use super::handover;
use super::test_values;
use super::typed::{
    Expectation, ExpectationKind, ExpectedField, ExpectedValue, GivenLink, GivenRecord, Mapping, Test,
};
use super::world::{Obj, World};

/// The property that repeats a HubSpot record's id (HubSpot's CRM guide: "Record ID").
const HUBSPOT_ID_PROPERTY: &str = "hs_object_id";

/// Checks every test. A test of something that does not exist is reported and left out.
pub(super) fn check_all<'a>(world: &'a World<'a>, tests: &[&ast::Test], mappings: &[Mapping]) -> Vec<Test> {
    let by_name: HashMap<_, _> = mappings.iter().map(|mapping| (mapping.name.as_str(), mapping)).collect();
    tests.iter().filter_map(|test| check(world, test, &by_name)).collect()
}

fn check<'a>(world: &'a World<'a>, test: &ast::Test, mappings: &HashMap<&str, &Mapping>) -> Option<Test> {
    let subject = subject(world, test);
    let given: Vec<_> = test.given.iter().filter_map(|given| self::given(world, given)).collect();
    let expect: Vec<_> = test.expect.iter().filter_map(|expect| self::expect(world, expect)).collect();
    check_ends(world, test);
    let subject = subject?;
    check_source(world, test, subject);
    check_ids(world, &given, subject);
    if let Some(mapping) = mappings.get(subject.name.value.as_str()) {
        warn_unreachable(world, mapping, mappings, &expect);
    }
    Some(Test {
        name: test.name.value.clone(),
        mapping: subject.name.value.clone(),
        given: source_first(given, subject),
        links: test.links.iter().filter_map(|link| self::link(world, link)).collect(),
        expect,
        span: test.name.span,
    })
}

/// The mapping that a test is about; `None` where it is unknown, missing or a `sync`, each of which was reported.
fn subject<'a>(world: &World<'a>, test: &ast::Test) -> Option<&'a ast::Mapping> {
    if let [first, second, ..] = test.subjects.as_slice() {
        let finding = Diagnostic::error(Code::REPEATED, second.span, "a test is about one mapping");
        world.report(finding.and(first.span, "the first is here").help("write a second test"));
    }
    let Some(subject) = test.subjects.first() else {
        if !world.is_written(test.span, &["mapping"]) && !world.is_written(test.span, &["sync"]) {
            report_incomplete(world, test, "`mapping`", "write `mapping NAME`: the mapping that runs");
        }
        return None;
    };
    let name = subject.value.as_str();
    match world.mappings.get(name) {
        Some(mapping) => Some(mapping),
        None if world.syncs.contains_key(name) => None,
        // Not found, so that this only reports.
        None => world.mapping(subject),
    }
}

fn report_incomplete(world: &World<'_>, test: &ast::Test, missing: &str, help: &str) {
    let message = format!("the test `{}` has no {missing}", test.name.value);
    world.report(Diagnostic::error(Code::INCOMPLETE, test.name.span, message).help(help));
}

/// A run needs its source record, and only one.
fn check_source(world: &World<'_>, test: &ast::Test, subject: &ast::Mapping) {
    let Some(from) = subject.from.first() else { return };
    let mut sources = test.given.iter().filter(|given| is_of(&given.object, from));
    match (sources.next(), sources.next()) {
        (None, _) => {
            let object = format!("{}.{}", from.side, from.name.value);
            if !world.is_written(test.span, &["given", &object]) {
                let message = format!(
                    "the test `{}` gives no `{object}`, which `{}` reads",
                    test.name.value, subject.name.value
                );
                let finding = Diagnostic::error(Code::INCOMPLETE, test.name.span, message);
                let help = format!("write `given {object} {{ … }}`");
                world.report(finding.and(from.span, "it reads this").help(help));
            }
        }
        (Some(first), Some(second)) => {
            let message = "a test runs one source record, and this is the second";
            let finding = Diagnostic::error(Code::REPEATED, second.object.span, message);
            world.report(finding.and(first.object.span, "the first is here").help("write a second test"));
        }
        (Some(_), None) => {}
    }
}

fn is_of(object: &ast::ObjectRef, other: &ast::ObjectRef) -> bool {
    object.side == other.side && object.name.value == other.name.value
}

/// Puts the record that runs before all others, whose order stays.
fn source_first(mut given: Vec<GivenRecord>, subject: &ast::Mapping) -> Vec<GivenRecord> {
    given.sort_by_key(|given| !is_source(given, subject));
    given
}

fn is_source(given: &GivenRecord, subject: &ast::Mapping) -> bool {
    let from = subject.from.first();
    from.is_some_and(|from| given.object.side == from.side && given.object.name == from.name.value)
}

/// A run ends once, so one end can be expected; before it, any number of hand-overs.
fn check_ends(world: &World<'_>, test: &ast::Test) {
    if test.expect.is_empty() && !world.is_written(test.span, &["expect"]) {
        let help =
            "write `expect create OBJECT { FIELD: VALUE }`, `update`, `skip`, `park` or `then MAPPING`";
        report_incomplete(world, test, "`expect`", help);
    }
    let is_end =
        |expect: &&ast::Expect| !matches!(expect.kind, ExpectKind::Then(_) | ExpectKind::Associated(..));
    let mut ends = test.expect.iter().filter(is_end);
    if let (Some(first), Some(second)) = (ends.next(), ends.next()) {
        let message = "a run ends once, and this is the second end that the test expects";
        let finding = Diagnostic::error(Code::REPEATED, second.span, message);
        world.report(finding.and(first.span, "the first is here").help("write a second test"));
    }
}

/// Two records of one object have two ids. A second source record is wrong whatever its id.
fn check_ids(world: &World<'_>, given: &[GivenRecord], subject: &ast::Mapping) {
    let mut seen: HashMap<(&ObjectName, &str), Span> = HashMap::new();
    for record in given.iter().filter(|record| !is_source(record, subject)) {
        let Some(id) = record.id.as_deref() else { continue };
        let first = *seen.entry((&record.object, id)).or_insert(record.span);
        if first != record.span {
            let message = format!("two records of `{}` have the id `{id}`", record.object);
            let finding = Diagnostic::error(Code::DUPLICATE_NAME, record.span, message);
            world.report(finding.and(first, "the first is here").help("give one of them another id"));
        }
    }
}

fn given<'a>(world: &'a World<'a>, given: &ast::Given) -> Option<GivenRecord> {
    let object = world.object(&given.object)?;
    check_repeated(world, &given.entries);
    let (mut id, mut values) = (None, IndexMap::new());
    for entry in &given.entries {
        let EntryValue::Literal(literal) = &entry.value.value else {
            let written = world.sources.slice(entry.value.span);
            let message = format!("expected a value: `{written}` says what a run leaves behind");
            let finding = Diagnostic::error(Code::SYNTAX, entry.value.span, message);
            world.report(finding.help("write `nothing`, or leave the field out"));
            continue;
        };
        if is_id(&object, &entry.name.value) {
            id = test_values::id(world, literal, entry.value.span);
        } else if let Some(field) = world.field(&object, &entry.name) {
            let value = test_values::given(world, &object, field, literal, entry.value.span);
            values.extend(value.map(|value| (field.name.clone(), value)));
        }
    }
    let repeated = values.get(HUBSPOT_ID_PROPERTY).filter(|_| object.name.side == Side::Hubspot);
    let id = id.or_else(|| repeated.map(display));
    Some(GivenRecord {
        unset: unset(&object, &values, id.as_deref()),
        relationships: relationships(&object),
        object: object.name,
        id,
        values,
        changed_at: given.at.as_ref().and_then(|at| instant(world, at)),
        span: given.object.span,
    })
}

fn instant(world: &World<'_>, written: &Spanned<String>) -> Option<DateTime<Utc>> {
    let read = DateTime::parse_from_rfc3339(&written.value).ok();
    if read.is_none() {
        let message = format!("`{}` is no point in time", written.value);
        let finding = Diagnostic::error(Code::TYPE_MISMATCH, written.span, message);
        world.report(finding.help("write it with its zone, such as `at \"2026-03-01T09:30:00Z\"`"));
    }
    read.map(|at| at.to_utc())
}

fn link(world: &World<'_>, link: &ast::GivenLink) -> Option<GivenLink> {
    let [first, second] = &link.ends;
    let ((hubspot, hubspot_id), (salesforce, salesforce_id)) = match (first.0.side, second.0.side) {
        (Side::Hubspot, Side::Salesforce) => (first, second),
        (Side::Salesforce, Side::Hubspot) => (second, first),
        _ => {
            let message = "a link pairs a record of HubSpot with one of Salesforce";
            let finding = Diagnostic::error(Code::BAD_PATH, second.0.span, message);
            world.report(finding.help("write an object of the other CRM here"));
            return None;
        }
    };
    let (hubspot, salesforce) = (world.object(hubspot)?, world.object(salesforce)?);
    check_repeated(world, &link.entries);
    let mut synced = IndexMap::new();
    for entry in &link.entries {
        let Some(field) = world.field(&salesforce, &entry.name) else { continue };
        if let EntryValue::Literal(literal) = &entry.value.value {
            let value = test_values::given(world, &salesforce, field, literal, entry.value.span);
            synced.extend(value.map(|value| (field.name.clone(), value)));
        }
    }
    Some(GivenLink {
        hubspot: (hubspot.name, hubspot_id.value.clone()),
        salesforce: (salesforce.name, salesforce_id.value.clone()),
        synced,
        span: link.span,
    })
}

/// Whether a name is a record's id: HubSpot's `id`, which is no property, and Salesforce's `Id`.
fn is_id(object: &Obj<'_>, name: &str) -> bool {
    object.is_record_id(name)
        || object.field(name).is_some_and(|field| field.kind == FieldType::Id)
        || object.name == ObjectName::new(Side::Hubspot, "owner") && name == "id"
}

/// A Salesforce checkbox is never null: what nobody ticked is `false` (Object Reference, primitive data types).
fn unset(object: &Obj<'_>, values: &IndexMap<String, Value>, id: Option<&str>) -> IndexMap<String, Value> {
    let open = object.object.fields.values().filter(|field| !values.contains_key(&field.name));
    match object.name.side {
        Side::Salesforce => open
            .filter(|field| field.kind == FieldType::Boolean)
            .map(|field| (field.name.clone(), Value::Boolean(false)))
            .collect(),
        Side::Hubspot => open
            .filter(|field| field.name == HUBSPOT_ID_PROPERTY)
            .filter_map(|field| Some((field.name.clone(), Value::Number(id?.parse().ok()?))))
            .collect(),
    }
}

fn relationships(object: &Obj<'_>) -> IndexMap<String, String> {
    let fields = object.object.fields.values();
    fields.filter_map(|field| Some((field.relationship.clone()?, field.name.clone()))).collect()
}

fn expect<'a>(world: &'a World<'a>, expect: &ast::Expect) -> Option<Expectation> {
    let kind = match &expect.kind {
        ExpectKind::Create(object, entries) => {
            let object = world.object(object)?;
            let fields = expected_fields(world, &object, entries, true);
            ExpectationKind::Create(object.name, fields)
        }
        ExpectKind::Update(object, entries) => {
            let object = world.object(object)?;
            let fields = expected_fields(world, &object, entries, false);
            ExpectationKind::Update(object.name, fields)
        }
        ExpectKind::Skip => ExpectationKind::Skip,
        ExpectKind::Park(reason) => ExpectationKind::Park(reason.clone()),
        ExpectKind::Then(name) => {
            if !world.mappings.contains_key(name.value.as_str()) {
                world.mapping(name);
            }
            ExpectationKind::Then(name.value.clone())
        }
        ExpectKind::Associated(kind, object, id) => {
            let object = world.object(object)?;
            ExpectationKind::Associated(associate::kind(kind), object.name, id.value.clone())
        }
    };
    Some(Expectation { kind, span: expect.span })
}

fn expected_fields<'a>(
    world: &'a World<'a>,
    object: &Obj<'a>,
    entries: &[ast::Entry],
    creates: bool,
) -> Vec<ExpectedField> {
    check_repeated(world, entries);
    let mut fields = Vec::with_capacity(entries.len());
    for entry in entries {
        let span = entry.value.span;
        let name = &entry.name.value;
        let value = match &entry.value.value {
            EntryValue::Kept if creates => {
                let message = "a new record holds nothing that could be kept";
                let finding = Diagnostic::error(Code::SYNTAX, span, message);
                world.report(finding.help("write the value, or `absent`"));
                continue;
            }
            EntryValue::Literal(literal) if is_id(object, name) => {
                test_values::id(world, literal, span).map(|id| ExpectedValue::Value(Value::text(id)))
            }
            _ if is_id(object, name) => None,
            written => world.field(object, &entry.name).and_then(|field| match written {
                EntryValue::Literal(literal) => {
                    test_values::expected(world, object, field, literal, span, creates)
                        .map(ExpectedValue::Value)
                }
                EntryValue::Absent => Some(ExpectedValue::Absent),
                EntryValue::Kept => Some(ExpectedValue::Kept),
            }),
        };
        fields.extend(value.map(|value| ExpectedField {
            field: name.clone(),
            value,
            span: entry.name.span.to(span),
        }));
    }
    fields
}

fn check_repeated(world: &World<'_>, entries: &[ast::Entry]) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for entry in entries {
        let first = *seen.entry(&entry.name.value).or_insert(entry.name.span);
        if first != entry.name.span {
            let message = format!("`{}` is written twice", entry.name.value);
            let finding = Diagnostic::error(Code::REPEATED, entry.name.span, message);
            world.report(finding.and(first, "first here").help("keep one of them"));
        }
    }
}

/// Warns about what no run of the mapping can come to: a hand-over that nothing makes, a write of another object.
fn warn_unreachable(
    world: &World<'_>,
    subject: &Mapping,
    mappings: &HashMap<&str, &Mapping>,
    expect: &[Expectation],
) {
    let (mut reached, mut open) = (HashSet::from([subject.name.as_str()]), vec![subject]);
    while let Some(mapping) = open.pop() {
        for (name, _) in handover::edges(mapping) {
            // A mapping that could not be typed may go anywhere.
            let Some(next) = mappings.get(name) else { return };
            if reached.insert(name) {
                open.push(next);
            }
        }
    }
    let subject = &subject.name;
    for expect in expect {
        let message = match &expect.kind {
            ExpectationKind::Then(name) if name == subject => {
                format!("`{subject}` is where the run begins, so it is never handed over to it")
            }
            ExpectationKind::Then(name)
                if mappings.contains_key(name.as_str()) && !reached.contains(name.as_str()) =>
            {
                format!("`{subject}` never hands over to `{name}`")
            }
            ExpectationKind::Create(object, _) | ExpectationKind::Update(object, _)
                if !reached.iter().any(|name| mappings[name].target == *object) =>
            {
                format!("neither `{subject}` nor a mapping that takes over from it writes `{object}`")
            }
            ExpectationKind::Associated(_, object, _)
                if !reached
                    .iter()
                    .any(|name| mappings[name].associates.iter().any(|one| one.to == *object)) =>
            {
                format!(
                    "neither `{subject}` nor a mapping that takes over from it associates anything with `{object}`"
                )
            }
            _ => continue,
        };
        let finding = Diagnostic::warning(Code::UNREACHABLE, expect.span, message);
        world.report(finding.help("the test can never pass; expect what the mapping does"));
    }
}
