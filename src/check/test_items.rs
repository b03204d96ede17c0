//! `test` items: what they name exists, what they give and expect fits its fields, and nothing that a run needs is missing.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::FieldType;
use crate::source::{ObjectName, Side, Span, Spanned};
use crate::syntax::ast::{self, EntryValue, ExpectKind};
use crate::types::{AssociationKind, Value, display};

use super::associate;
use super::convert;
use super::handover;
use super::mend;
use super::scope::Scope;
use super::test_refusals;
use super::test_values;
use super::typed::{
    Expectation, ExpectationKind, ExpectedField, ExpectedValue, GivenAssociation, GivenEnd, GivenLink,
    GivenRecord, Mapping, Sync, Test,
};
use super::world::{Obj, World};

/// The property that repeats a HubSpot record's id (HubSpot's CRM guide: "Record ID").
const HUBSPOT_ID_PROPERTY: &str = "hs_object_id";

/// Checks every test. A test of something that does not exist is reported and left out.
pub(super) fn check_all<'a>(
    world: &'a World<'a>,
    tests: &[&ast::Test],
    mappings: &[Mapping],
    syncs: &[Sync],
) -> Vec<Test> {
    let by_name: HashMap<_, _> = mappings.iter().map(|mapping| (mapping.name.as_str(), mapping)).collect();
    let syncs: HashMap<_, _> = syncs.iter().map(|sync| (sync.name.as_str(), sync)).collect();
    tests.iter().filter_map(|test| check(world, test, &by_name, &syncs)).collect()
}

/// What a test is about.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Mapping(&'a ast::Mapping),
    Sync(&'a ast::Sync),
}

impl<'a> Subject<'a> {
    fn name(self) -> &'a ast::Name {
        match self {
            Subject::Mapping(mapping) => &mapping.name,
            Subject::Sync(sync) => &sync.name,
        }
    }

    /// The objects whose records can be the one that runs.
    fn sources(self) -> Vec<&'a ast::ObjectRef> {
        match self {
            Subject::Mapping(mapping) => mapping.from.first().into_iter().collect(),
            Subject::Sync(sync) => {
                sync.between.first().map_or_else(Vec::new, |(left, right)| vec![left, right])
            }
        }
    }
}

fn check<'a>(
    world: &'a World<'a>,
    test: &ast::Test,
    mappings: &HashMap<&str, &Mapping>,
    syncs: &HashMap<&str, &Sync>,
) -> Option<Test> {
    let subject = subject(world, test);
    let given: Vec<_> = test.given.iter().filter_map(|given| self::given(world, given)).collect();
    let ends: Vec<_> = test.ends.iter().filter_map(|end| ended(world, end)).collect();
    let expect: Vec<_> = test.expect.iter().filter_map(|expect| self::expect(world, expect)).collect();
    let refusals = test.refusals.iter().filter_map(|refusal| test_refusals::check(world, refusal)).collect();
    check_ends(world, test, matches!(subject, Some(Subject::Sync(_))));
    let subject = subject?;
    check_source(world, test, subject);
    check_associations(world, test, subject);
    let source = source_of(test, subject).and_then(|from| world.object(from));
    let whens = Scope::new(world, source).triggers(&test.whens);
    check_ids(world, &given, subject);
    let name = subject.name().value.as_str();
    if let Some(mapping) = mappings.get(name) {
        warn_unreachable(world, mapping, mappings, &expect);
    } else if let Some(sync) = syncs.get(name) {
        warn_foreign(world, sync, &expect);
    }
    Some(Test {
        name: test.name.value.clone(),
        mapping: subject.name().value.clone(),
        given: source_first(given, subject),
        links: test.links.iter().filter_map(|link| self::link(world, link)).collect(),
        associations: test
            .associations
            .iter()
            .filter_map(|one| associated(world, test, subject, one))
            .collect(),
        refusals,
        whens,
        ends,
        expect,
        span: test.name.span,
    })
}

/// The mapping or sync that a test is about; `None` where it is unknown or missing, each of which was reported.
fn subject<'a>(world: &World<'a>, test: &ast::Test) -> Option<Subject<'a>> {
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
    match (world.mappings.get(name), world.syncs.get(name)) {
        (Some(mapping), _) => Some(Subject::Mapping(mapping)),
        (None, Some(sync)) => Some(Subject::Sync(sync)),
        (None, None) => {
            report_unknown_subject(world, subject);
            None
        }
    }
}

fn report_unknown_subject(world: &World<'_>, subject: &ast::Name) {
    let name = subject.value.as_str();
    let names = || world.mappings.keys().chain(world.syncs.keys()).copied();
    let message = format!("there is no mapping or sync `{name}`");
    let finding = Diagnostic::error(Code::UNKNOWN_MAPPING, subject.span, message).label("unknown name");
    world.report(match world.guesses.did_you_mean(name, names()) {
        Some(help) => mend::rename(&world.guesses, finding.help(help), name, subject.span, names()),
        None => finding
            .help(format!("write `mapping {name} {{ … }}` or `sync {name} {{ … }}` in any `.map` file")),
    });
}

fn report_incomplete(world: &World<'_>, test: &ast::Test, missing: &str, help: &str) {
    let message = format!("the test `{}` has no {missing}", test.name.value);
    world.report(Diagnostic::error(Code::INCOMPLETE, test.name.span, message).help(help));
}

/// A run needs its source record, and only one; a sync runs the first record given of either end.
fn check_source(world: &World<'_>, test: &ast::Test, subject: Subject<'_>) {
    let ends = subject.sources();
    let Some(from) = ends.first() else { return };
    let mut sources = test.given.iter().filter(|given| ends.iter().any(|end| is_of(&given.object, end)));
    match (sources.next(), sources.next()) {
        (None, _) if starts_by_an_end(test, from) => {}
        (None, _) => {
            let object = format!("{}.{}", from.side, from.name.value);
            if !world.is_written(test.span, &["given", &object]) {
                let message = format!(
                    "the test `{}` gives no `{object}`, which `{}` reads",
                    test.name.value,
                    subject.name().value
                );
                let finding = Diagnostic::error(Code::INCOMPLETE, test.name.span, message);
                let help = format!("write `given {object} {{ … }}`");
                world.report(finding.and(from.span, "it reads this").help(help));
            }
        }
        (Some(first), Some(second)) if matches!(subject, Subject::Mapping(_)) => {
            let message = "a test runs one source record, and this is the second";
            let finding = Diagnostic::error(Code::REPEATED, second.object.span, message);
            world.report(finding.and(first.object.span, "the first is here").help("write a second test"));
        }
        (Some(_), _) => {}
    }
}

/// Only another record of the source's CRM is associated with the source record.
fn check_associations(world: &World<'_>, test: &ast::Test, subject: Subject<'_>) {
    let Some(from) = source_of(test, subject) else { return };
    for given in &test.given {
        let Some(mark) = &given.association else { continue };
        let message = if is_of(&given.object, from) {
            "the source record is not associated with itself".to_owned()
        } else if given.object.side == Side::Hubspot && from.side == Side::Hubspot {
            continue;
        } else {
            let object = format!("{}.{}", given.object.side, given.object.name.value);
            format!("no association leads to a `{object}`; only HubSpot's records have them")
        };
        let finding = Diagnostic::error(Code::BAD_PATH, mark.span, message);
        world.report(finding.help("leave it out"));
    }
}

/// The object of the record that runs: the source, or the end of a sync whose record is given first.
fn source_of<'t>(test: &'t ast::Test, subject: Subject<'t>) -> Option<&'t ast::ObjectRef> {
    let ends = subject.sources();
    let given = test.given.iter().find_map(|given| ends.iter().find(|end| is_of(&given.object, end)));
    given.or(ends.first()).copied()
}

fn is_of(object: &ast::ObjectRef, other: &ast::ObjectRef) -> bool {
    object.side == other.side && object.name.value == other.name.value
}

/// Puts the record that runs before all others, whose order stays.
fn source_first(mut given: Vec<GivenRecord>, subject: Subject<'_>) -> Vec<GivenRecord> {
    if let Some(place) = given.iter().position(|given| is_source(given, subject)) {
        given[..=place].rotate_right(1);
    }
    given
}

fn is_source(given: &GivenRecord, subject: Subject<'_>) -> bool {
    let of = |end: &&ast::ObjectRef| given.object.side == end.side && given.object.name == end.name.value;
    subject.sources().iter().any(of)
}

/// A run ends once, so one end can be expected; before it, any number of hand-overs. A sync may write both its records.
fn check_ends(world: &World<'_>, test: &ast::Test, is_sync: bool) {
    if test.expect.is_empty() && !world.is_written(test.span, &["expect"]) {
        let help = "write `expect create OBJECT { FIELD: VALUE }`, `update`, `nothing`, `skip`, `wait`, `park` or \
                    `then MAPPING`";
        report_incomplete(world, test, "`expect`", help);
    }
    let not_triggered = test.expect.iter().find(|expect| expect.kind == ExpectKind::NotTriggered);
    if let (Some(expect), []) = (not_triggered, test.whens.as_slice())
        && !world.is_written(test.span, &["when"])
    {
        let message = "without a `when`, a test runs its mapping as if it had been triggered";
        let finding = Diagnostic::error(Code::INCOMPLETE, expect.span, message);
        world.report(finding.help("write what happened, such as `when created` or `when FIELD changes`"));
    }
    let written = |expect: &ast::Expect| match &expect.kind {
        ExpectKind::Create(object, _) | ExpectKind::Update(object, _) => Some(object.side),
        _ => None,
    };
    let first = test.expect.first().and_then(written);
    let second_side =
        |expect: &ast::Expect| is_sync && first.zip(written(expect)).is_some_and(|(a, b)| a != b);
    let is_end = |expect: &&ast::Expect| {
        !matches!(
            expect.kind,
            ExpectKind::Then(_)
                | ExpectKind::Associated(..)
                | ExpectKind::NotAssociated(..)
                | ExpectKind::Converted(_)
        )
    };
    let ends = test.expect.iter().filter(is_end);
    let mut ends = ends.filter(|expect| !second_side(expect));
    if let (Some(first), Some(second)) = (ends.next(), ends.next()) {
        let message = "a run ends once, and this is the second end that the test expects";
        let finding = Diagnostic::error(Code::REPEATED, second.span, message);
        world.report(finding.and(first.span, "the first is here").help("write a second test"));
    }
}

/// Two records of one object have two ids. A second source record is wrong whatever its id.
fn check_ids(world: &World<'_>, given: &[GivenRecord], subject: Subject<'_>) {
    let mut seen: HashMap<(&ObjectName, &str), Span> = HashMap::new();
    let counted = |record: &&GivenRecord| matches!(subject, Subject::Sync(_)) || !is_source(record, subject);
    for record in given.iter().filter(counted) {
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
        association: given.association.as_ref().map(|mark| match &mark.value {
            ast::AssociationMark::Primary => AssociationKind::Primary,
            ast::AssociationMark::Labelled(label) => AssociationKind::Labelled(label.clone()),
        }),
        span: given.object.span,
    })
}

/// An association of the record of HubSpot given above it.
fn associated(
    world: &World<'_>,
    test: &ast::Test,
    subject: Subject<'_>,
    written: &ast::GivenAssociation,
) -> Option<GivenAssociation> {
    let object = world.object(&written.object);
    let report = |code, message: &str, help: &str| {
        world.report(Diagnostic::error(code, written.span, message).help(help));
    };
    if object.as_ref().is_some_and(|object| object.name.side == Side::Salesforce) {
        report(
            Code::BAD_PATH,
            "associations are HubSpot's, and this is a record of Salesforce",
            "name an object of HubSpot",
        );
        return None;
    }
    let is_sync = matches!(subject, Subject::Sync(_));
    if !is_sync && subject.sources().iter().any(|from| from.side == Side::Hubspot) {
        let message =
            "`given associated` is about the record that is written, and this mapping writes Salesforce";
        report(
            Code::BAD_PATH,
            message,
            "for the record that runs write `given primary OBJECT { … }`, or `given \"Label\" OBJECT { … }`",
        );
        return None;
    }
    let above = test.given.iter().rfind(|given| {
        given.object.side == Side::Hubspot
            && given.association.is_none()
            && given.span.start < written.span.start
    });
    let Some(above) = above else {
        let message = "no record of HubSpot is given above it that could be associated";
        report(
            Code::INCOMPLETE,
            message,
            "give the record that is written above it: `given hubspot.OBJECT { … }`",
        );
        return None;
    };
    Some(GivenAssociation {
        of: above.object.span,
        kind: associate::kind(&written.kind),
        to: object?.name,
        id: written.id.value.clone(),
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

fn ended(world: &World<'_>, end: &ast::GivenEnd) -> Option<GivenEnd> {
    let object = world.object(&end.object)?;
    if let Some(into) = end.into.as_ref().filter(|into| into.value == end.id.value) {
        let finding = Diagnostic::error(Code::SYNTAX, into.span, "a record cannot be merged into itself");
        world.report(finding.help("write the id of the record that survived"));
    }
    Some(GivenEnd {
        object: object.name,
        id: end.id.value.clone(),
        into: end.into.as_ref().map(|into| into.value.clone()),
        span: end.span,
    })
}

/// The end of a record starts the run where the source record itself is not given: its own, or that of the record
/// with which it is paired.
fn starts_by_an_end(test: &ast::Test, from: &ast::ObjectRef) -> bool {
    let paired = |end: &ast::GivenEnd| {
        test.links.iter().any(|link| {
            let ended = |(object, id): &(ast::ObjectRef, Spanned<String>)| {
                is_of(object, &end.object) && id.value == end.id.value
            };
            link.ends.iter().any(ended) && link.ends.iter().any(|(object, _)| is_of(object, from))
        })
    };
    test.ends.iter().any(|end| is_of(&end.object, from) || paired(end))
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
        ExpectKind::Unlink => ExpectationKind::Unlink,
        ExpectKind::Follow => ExpectationKind::Follow,
        ExpectKind::Then(name) => {
            if !world.mappings.contains_key(name.value.as_str()) {
                world.mapping(name);
            }
            ExpectationKind::Then(name.value.clone())
        }
        ExpectKind::Wait => ExpectationKind::Wait,
        ExpectKind::Nothing => ExpectationKind::Nothing,
        ExpectKind::NotTriggered => ExpectationKind::NotTriggered,
        ExpectKind::Converted(entries) => ExpectationKind::Converted(convert::expected(world, entries)),
        ExpectKind::Associated(kind, object, id) => {
            let object = world.object(object)?;
            ExpectationKind::Associated(associate::kind(kind), object.name, id.value.clone())
        }
        ExpectKind::NotAssociated(kind, object, id) => {
            let object = world.object(object)?;
            ExpectationKind::NotAssociated(associate::kind(kind), object.name, id.value.clone())
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

pub(super) fn check_repeated(world: &World<'_>, entries: &[ast::Entry]) {
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
            ExpectationKind::Converted(_) if !reached.iter().any(|name| mappings[name].convert.is_some()) => {
                format!("neither `{subject}` nor a mapping that takes over from it converts a Lead")
            }
            ExpectationKind::Associated(_, object, _) | ExpectationKind::NotAssociated(_, object, _)
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

/// Warns about an end that no run of a sync comes to.
fn warn_foreign(world: &World<'_>, sync: &Sync, expect: &[Expectation]) {
    let ends = [&sync.to_hubspot.target, &sync.to_salesforce.target];
    for expect in expect {
        let message = match &expect.kind {
            ExpectationKind::Then(_) => format!("`{}` hands nothing over", sync.name),
            ExpectationKind::Converted(_) => format!("`{}` converts nothing", sync.name),
            ExpectationKind::Create(object, _) | ExpectationKind::Update(object, _)
                if !ends.contains(&object) =>
            {
                format!("`{}` never writes `{object}`", sync.name)
            }
            _ => continue,
        };
        let finding = Diagnostic::warning(Code::UNREACHABLE, expect.span, message);
        world.report(finding.help("the test can never pass; expect what the sync does"));
    }
}
