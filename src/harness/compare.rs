//! What a run came to, beside what its test expects.

use std::collections::HashMap;

use crate::check::typed::{ExpectationKind, ExpectedField, ExpectedValue, Test};
use crate::eval::{
    Association, Conversion, ConversionEnd, FieldChange, Finished, Made, Park, Synced, Verdict,
};
use crate::plan::{Mapping, Plan};
use crate::source::{Location, ObjectName, Sources, Span};
use crate::types::{AssociationKind, Value, display, same};

use super::Difference;
use super::world::{Stored, World};

/// The end of a run.
pub(super) struct End<'e> {
    pub(super) plan: &'e Plan,
    pub(super) world: &'e World,
    /// How the run ended; `None` where nothing triggered it.
    pub(super) finished: Option<&'e Finished>,
    /// The mapping that the test is about.
    pub(super) mapping: &'e str,
    /// The mappings gone through, the first one included.
    pub(super) mappings: Vec<String>,
}

/// Where the run is not as the test expects, in the order of the expectations.
pub(super) fn differences(end: &End<'_>, test: &Test, sources: &Sources) -> Vec<Difference> {
    let at = |span: Span| sources.locate(span);
    let mut differences = Vec::new();
    for expectation in &test.expect {
        let place = at(expectation.span);
        match &expectation.kind {
            ExpectationKind::Create(object, fields) | ExpectationKind::Update(object, fields) => {
                let creates = matches!(expectation.kind, ExpectationKind::Create(..));
                match end.record(object, creates) {
                    Some(record) => {
                        let unlike = |field| end.field(&record, field, at);
                        differences.extend(fields.iter().filter_map(unlike));
                    }
                    None => differences.push(end.other(end_words(object, creates), place)),
                }
            }
            ExpectationKind::Skip | ExpectationKind::Wait | ExpectationKind::Nothing => {
                differences.extend(end.verdict(&expectation.kind, place));
            }
            ExpectationKind::NotTriggered => {
                let words = || format!("`{}` is not triggered", end.mapping);
                differences.extend(end.finished.is_some().then(|| end.other(words(), place)));
            }
            ExpectationKind::Unlink | ExpectationKind::Follow => {
                let unlinks = matches!(expectation.kind, ExpectationKind::Unlink);
                let found = matches!(
                    end.finished.map(|finished| &finished.verdict),
                    Some(Verdict::Relinked { forgotten, .. }) if *forgotten == unlinks
                );
                let words = if unlinks { "the pair is forgotten" } else { "the pair follows the merge" };
                differences.extend((!found).then(|| end.other(words.to_owned(), place)));
            }
            ExpectationKind::Converted(fields) => differences.extend(end.converted(fields, place, at)),
            ExpectationKind::Park(reason) => differences.extend(end.park(reason.as_deref(), place)),
            ExpectationKind::Then(name) => {
                if !end.mappings.iter().skip(1).any(|gone| gone == name) {
                    differences.push(end.other(format!("`{name}` takes over"), place));
                }
            }
            ExpectationKind::Associated(kind, object, id) => {
                differences.extend(end.associated(kind, object, id, place));
            }
            ExpectationKind::NotAssociated(kind, object, id) => {
                differences.extend(end.not_associated(kind, object, id, place));
            }
        }
    }
    differences.extend(end.unexpected_conversion(test, at(test.span)));
    differences
}

/// An association's kind, as it is written before an object.
fn label(kind: &AssociationKind) -> String {
    match kind {
        AssociationKind::Plain => String::new(),
        AssociationKind::Primary => "primary ".to_owned(),
        AssociationKind::Labelled(label) => format!("\"{label}\" "),
    }
}

fn end_words(object: &ObjectName, creates: bool) -> String {
    if creates { format!("a new {object}") } else { format!("an update of a {object}") }
}

/// A record after the run.
struct After<'e> {
    /// The record; a new one holds what was written and nothing else.
    record: &'e Stored,
    /// The record before; `None` when it is new.
    before: Option<&'e Stored>,
    /// What the rules said about its fields.
    changes: &'e [FieldChange],
    /// The fields sent; `None` when nothing was written.
    fields: Option<&'e HashMap<String, Value>>,
}

impl End<'_> {
    /// How a run differs that should end without a write.
    fn verdict(&self, expected: &ExpectationKind, at: Location) -> Option<Difference> {
        let verdict = self.finished.map(|finished| &finished.verdict);
        let (as_expected, words) = match expected {
            ExpectationKind::Wait => (matches!(verdict, Some(Verdict::Waiting { .. })), "the record waits"),
            ExpectationKind::Nothing => (
                match verdict {
                    Some(Verdict::Unchanged { .. }) => true,
                    Some(Verdict::Synced(synced)) => synced.writes.is_empty(),
                    _ => false,
                },
                "a record that is already as it should be",
            ),
            _ => (matches!(verdict, Some(Verdict::Skipped { .. })), "the record is skipped"),
        };
        (!as_expected).then(|| self.other(words.to_owned(), at))
    }

    /// The record of the run's end, where it is of this object and new or not, as expected.
    fn record(&self, wanted: &ObjectName, creates: bool) -> Option<After<'_>> {
        match &self.finished?.verdict {
            Verdict::Written { object, id, created, changes } if object == wanted && *created == creates => {
                let written = self.world.written(object, id)?;
                Some(After {
                    record: self.world.record(object, id)?,
                    before: written.before.as_ref(),
                    changes,
                    fields: Some(&written.fields),
                })
            }
            Verdict::Synced(synced) => self.synced(synced, wanted, creates),
            Verdict::Unchanged { object, id, .. } if object == wanted && !creates => {
                let record = self.world.record(object, id)?;
                Some(After { record, before: Some(record), changes: &[], fields: None })
            }
            _ => None,
        }
    }

    /// The record of one side of a sync.
    fn synced<'v>(&'v self, synced: &'v Synced, wanted: &ObjectName, creates: bool) -> Option<After<'v>> {
        if let Some(write) = synced.writes.iter().find(|write| write.object == *wanted) {
            let written = self.world.written(&write.object, &write.id)?;
            return (write.created == creates).then_some(After {
                record: self.world.record(&write.object, &write.id)?,
                before: written.before.as_ref(),
                changes: &write.changes,
                fields: Some(&written.fields),
            });
        }
        let ends = [&synced.hubspot, &synced.salesforce];
        let (object, id) = ends.into_iter().find(|(object, _)| object == wanted).filter(|_| !creates)?;
        let record = self.world.record(object, id)?;
        Some(After { record, before: Some(record), changes: &[], fields: None })
    }

    /// How a field differs from what is expected of it.
    fn field(
        &self,
        after: &After<'_>,
        expected: &ExpectedField,
        at: impl Fn(Span) -> Location,
    ) -> Option<Difference> {
        let field = expected.field.as_str();
        let written = after.fields.and_then(|fields| fields.get(field));
        let now = after.record.value(field).unwrap_or(Value::Blank);
        let was = after.before.and_then(|record| record.value(field)).unwrap_or(Value::Blank);
        let nobody_set =
            after.before.is_none_or(|record| record.values.get(field).is_none_or(Value::is_blank));
        let as_expected = match &expected.value {
            ExpectedValue::Value(Value::Blank) => now.is_blank(),
            ExpectedValue::Value(wanted) => same(&now, wanted),
            ExpectedValue::Absent => written.is_none_or(Value::is_blank) && nobody_set,
            ExpectedValue::Kept => written.is_none() && !was.is_blank(),
        };
        if as_expected {
            return None;
        }
        let found = match (written, &now) {
            (None, Value::Blank) => "nothing".to_owned(),
            (None, now) => format!("{} (was there)", shown(now)),
            (Some(Value::Blank), _) => "nothing (cleared)".to_owned(),
            (Some(now), _) => shown(now),
        };
        let (rule, why) = self.explained(after, field, written.is_some());
        Some(Difference {
            field: Some(field.to_owned()),
            expected: match &expected.value {
                ExpectedValue::Value(Value::Blank) => "nothing".to_owned(),
                ExpectedValue::Value(value) => shown(value),
                ExpectedValue::Absent => "absent".to_owned(),
                ExpectedValue::Kept if was.is_blank() => "kept".to_owned(),
                ExpectedValue::Kept => format!("{} (kept)", shown(&was)),
            },
            found,
            why,
            rule,
            source: None,
            at: at(expected.span),
        })
    }

    /// The rule that speaks about a field, and why it wrote nothing.
    fn explained(&self, after: &After<'_>, field: &str, written: bool) -> (Option<Location>, Option<String>) {
        if let Some(change) = after.changes.iter().find(|change| change.field == field) {
            return (Some(change.at.clone()), change.kept.clone());
        }
        let name = self.finished.map_or(self.mapping, |finished| &finished.mapping);
        let of_object = |mapping: &&Mapping| mapping.name == *name && mapping.target == after.record.object;
        let mapping = self.plan.mappings.iter().find(of_object);
        match mapping.and_then(|mapping| rule_at(mapping, field)) {
            Some(at) if after.fields.is_none() => (Some(at), Some("everything was already so".to_owned())),
            Some(at) => (Some(at), (!written).then(|| "its value is blank".to_owned())),
            None => (None, Some(format!("no rule of `{name}` writes it"))),
        }
    }

    fn park(&self, reason: Option<&str>, at: Location) -> Option<Difference> {
        match (self.parked(), reason) {
            (Some(_), None) => None,
            // A failed rule puts the author's words before what went wrong.
            (Some(park), Some(said))
                if park
                    .reason
                    .strip_prefix(said)
                    .is_some_and(|more| more.is_empty() || more.starts_with(": ")) =>
            {
                None
            }
            (_, Some(said)) => Some(self.other(format!("the record is parked: {said}"), at)),
            (_, None) => Some(self.other("the record is parked".to_owned(), at)),
        }
    }

    /// How a conversion differs from what is expected of it.
    fn converted(
        &self,
        fields: &[ExpectedField],
        place: Location,
        at: impl Fn(Span) -> Location,
    ) -> Vec<Difference> {
        let Some((conversion, _)) = self.finished.and_then(Finished::converted) else {
            return vec![self.other("the Lead is converted".to_owned(), place)];
        };
        let request = &conversion.request;
        let differ = fields.iter().filter_map(|field| {
            let found = match field.field.as_str() {
                "status" => Some(&request.status),
                "account" => request.account.as_ref(),
                "opportunity" => request.opportunity.as_ref(),
                _ => request.owner.as_ref(),
            };
            let wanted = match &field.value {
                ExpectedValue::Value(value) => Some(display(value)),
                _ => None,
            };
            let words =
                |text: Option<&String>| text.map_or_else(|| "absent".to_owned(), |text| format!("{text:?}"));
            (found != wanted.as_ref()).then(|| Difference {
                field: Some(field.field.clone()),
                expected: words(wanted.as_ref()),
                found: words(found),
                why: None,
                rule: Some(conversion.at.clone()),
                source: None,
                at: at(field.span),
            })
        });
        differ.collect()
    }

    /// A conversion cannot be undone, so a test that comes to one says so; one that is refused is a park.
    fn unexpected_conversion(&self, test: &Test, at: Location) -> Option<Difference> {
        let conversion = self.finished?.conversion.as_ref()?;
        let expected = |wanted: fn(&ExpectationKind) -> bool| test.expect.iter().any(|one| wanted(&one.kind));
        let (as_expected, found, why) = match &conversion.end {
            ConversionEnd::Converted(_) => (
                expected(|kind| matches!(kind, ExpectationKind::Converted(_))),
                format!(
                    "`{}` converts {} {}",
                    self.mapping, conversion.request.object, conversion.request.id
                ),
                "add `expect converted { … }` beside the end".to_owned(),
            ),
            ConversionEnd::Refused(park) => (
                expected(|kind| matches!(kind, ExpectationKind::Park(_) | ExpectationKind::Converted(_))),
                park.reason.clone(),
                park.answer.clone().unwrap_or_default(),
            ),
        };
        (!as_expected).then(|| Difference {
            field: None,
            expected: "no conversion".to_owned(),
            found,
            why: Some(why),
            rule: Some(conversion.at.clone()),
            source: None,
            at,
        })
    }

    /// Why a person must look: the end of the run itself, or its conversion, which was refused.
    fn parked(&self) -> Option<Park> {
        let finished = self.finished?;
        match (&finished.verdict, finished.conversion.as_deref()) {
            (Verdict::Parked(park), _) | (_, Some(Conversion { end: ConversionEnd::Refused(park), .. })) => {
                Some(park.clone())
            }
            _ => None,
        }
    }

    /// Whether the record written is associated with this one. Without a kind, any association will do.
    fn associated(
        &self,
        kind: &AssociationKind,
        object: &ObjectName,
        id: &str,
        at: Location,
    ) -> Option<Difference> {
        let Some(finished) = self.finished else {
            return Some(self.other(format!("an association with {object} {id}"), at));
        };
        let (made, end) = (&finished.associations, &finished.verdict);
        let is_kind =
            |one: &&Association| one.to == *object && (*kind == AssociationKind::Plain || one.kind == *kind);
        let there =
            |one: &Association| one.id.as_deref() == Some(id) && matches!(one.made, Made::Added | Made::Kept);
        if made.iter().filter(is_kind).any(there) || self.world.is_associated(kind, object, id) {
            return None;
        }
        let label = label(kind);
        let expected = format!("an association with {label}{object} {id}");
        if !matches!(end, Verdict::Written { .. } | Verdict::Unchanged { .. } | Verdict::Synced(_)) {
            return Some(self.other(expected, at));
        }
        let others: Vec<String> = made
            .iter()
            .filter(is_kind)
            .filter_map(|one| Some(format!("{object} {}", one.id.as_ref()?)))
            .collect();
        let found = match others.as_slice() {
            [] => format!("none with a {label}{object}"),
            others => format!("one with {}", others.join(" and ")),
        };
        let missing = made.iter().filter(is_kind).find_map(|one| match &one.made {
            Made::Unpaired { pair, .. } => {
                Some(format!("{pair} is not there: `given link` pairs two records"))
            }
            Made::Refused(why) => Some(why.clone()),
            _ => None,
        });
        let rule = made.iter().find(|one| is_kind(one)).map(|one| one.at.clone());
        Some(Difference { field: None, expected, found, why: missing, rule, source: None, at })
    }

    /// Whether the record written is not associated with this one.
    fn not_associated(
        &self,
        kind: &AssociationKind,
        object: &ObjectName,
        id: &str,
        at: Location,
    ) -> Option<Difference> {
        if !self.world.is_associated(kind, object, id) {
            return None;
        }
        let made = self.finished.map_or(&[][..], |finished| &finished.associations);
        let rule = made.iter().find(|one| one.to == *object).map(|one| one.at.clone());
        let label = label(kind);
        let (expected, found) =
            (format!("no association with {label}{object} {id}"), format!("one with {label}{object} {id}"));
        Some(Difference { field: None, expected, found, why: None, rule, source: None, at })
    }

    /// The difference of a run that ended in another way.
    fn other(&self, expected: String, at: Location) -> Difference {
        let Some(finished) = self.finished else {
            let found = format!("what happened does not trigger `{}`", self.mapping);
            let rule = self.plan.mapping(self.mapping).map(|mapping| mapping.at.clone());
            return Difference { field: None, expected, found, why: None, rule, source: None, at };
        };
        let mapping = &finished.mapping;
        let (found, why, rule) = match &finished.verdict {
            Verdict::Written { object, created, changes, .. } => {
                let what = if *created { "created a new" } else { "updated a" };
                (format!("`{mapping}` {what} {object}"), Some(written(changes)), None)
            }
            Verdict::Unchanged { object, id, .. } => {
                (format!("`{mapping}` found {object} {id}, which is already as it should be"), None, None)
            }
            Verdict::Synced(synced) => {
                let done = synced.writes.iter().map(|write| {
                    format!("{} a {}", if write.created { "creates" } else { "updates" }, write.object)
                });
                let done: Vec<String> = done.collect();
                let done =
                    if done.is_empty() { "finds both sides the same".to_owned() } else { done.join(" and ") };
                let changes: Vec<_> = synced.writes.iter().map(|write| written(&write.changes)).collect();
                (format!("`{mapping}` {done}"), (!changes.is_empty()).then(|| changes.join("\n")), None)
            }
            Verdict::Skipped { reason, at } => {
                (format!("`{mapping}` skips the record: {reason}"), None, at.clone())
            }
            Verdict::Waiting { reason, fields, pairs, at } => {
                let pairs = pairs.iter().map(ToString::to_string);
                let awaited: Vec<String> = (!fields.is_empty())
                    .then(|| format!("a change of {}", fields.join(", ")))
                    .into_iter()
                    .chain(pairs)
                    .collect();
                (format!("`{mapping}` waits for {}: {reason}", awaited.join(", or ")), None, at.clone())
            }
            Verdict::Parked(park) => {
                let field = park.field.as_ref().map_or_else(String::new, |field| format!(" for `{field}`"));
                let found = format!("`{mapping}` parks the record{field}: {}", park.reason);
                (found, park.help.clone(), park.at.clone())
            }
            Verdict::Relinked { reason, at, .. } => {
                (format!("`{mapping}` writes nothing: {reason}"), None, at.clone())
            }
            Verdict::SourceGone => (format!("`{mapping}` finds no source record"), None, None),
        };
        Difference { field: None, expected, found, why, rule, source: None, at }
    }
}

/// What a run wrote, a line for each field, with the rule that says so.
fn written(changes: &[FieldChange]) -> String {
    let line = |change: &FieldChange| {
        let new = change.new.as_ref()?;
        let old = change.old.as_ref().filter(|old| !old.is_blank());
        let old = old.map_or_else(String::new, |old| format!(" instead of {}", shown(old)));
        Some(format!("{} {}{old} ({})", change.field, shown(new), change.at))
    };
    let lines: Vec<String> = changes.iter().filter_map(line).collect();
    if lines.is_empty() { "it writes no field".to_owned() } else { lines.join("\n") }
}

/// Where a mapping says what a field holds.
fn rule_at(mapping: &Mapping, field: &str) -> Option<Location> {
    let key = mapping.key.as_ref().filter(|key| key.field == field).map(|key| &key.at);
    key.or_else(|| mapping.rules.iter().find(|rule| rule.field == field).map(|rule| &rule.at)).cloned()
}

/// A value as an author writes it.
fn shown(value: &Value) -> String {
    match value {
        Value::Blank => "nothing".to_owned(),
        Value::Number(_) | Value::Boolean(_) => display(value),
        other => format!("{:?}", display(other)),
    }
}
