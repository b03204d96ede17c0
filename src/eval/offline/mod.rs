//! The target fields of records without any CRM: no match, no related records, no look-ups.
//!
//! [`fields`] is for one record that was read already. [`Lines`] is for many records as NDJSON: it takes the values in use
//! out of each line without building the rest, and writes the result without building it either. Both evaluate the same
//! rules with the same interpreter.

mod record;
mod scan;

use crate::plan::{Guard, Mapping, Plan, RuleElse, WhenWritten};
use crate::source::{Location, Side};
use crate::types::{Borrowed, Failure, Raw, Value, write_json, write_text};

use super::expression::{Frame, Kept};
use record::{NoRecord, Reader};

/// What a mapping makes of a record when it is looked at alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Offline<'p> {
    /// The fields of a new target record, in rule order, the key first. Blank values are left out.
    Fields(Vec<(&'p str, Value)>),
    /// A guard does not let it through.
    Refused {
        /// The guard as written.
        guard: &'p str,
        /// Its line.
        at: &'p Location,
    },
    /// A step failed and the mapping parks the record.
    Failed {
        /// The field, where a rule failed.
        field: Option<&'p str>,
        /// Why.
        failure: Failure,
        /// The line to mend.
        at: Location,
    },
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'p> {
    /// The fields were written.
    Written,
    /// A guard does not let the record through.
    Refused {
        /// The guard as written.
        guard: &'p str,
        /// Its line.
        at: &'p Location,
    },
    /// It is no record: why.
    Bad(String),
    /// A step failed, so a run would park the record: why, in the words for the author.
    Parked(String),
}

/// Evaluates a mapping for a new target record. `slots` holds the raw values by slot; look-ups and records that are not
/// there are blank.
pub fn fields<'p>(plan: &'p Plan, mapping: &'p Mapping, slots: &[Raw<'_>]) -> Offline<'p> {
    let mut fields = Vec::with_capacity(mapping.rules.len() + 1);
    let frame = Frame { plan, mapping, slots, lookups: &[], trace: None, kept: Kept::default() };
    let stopped = evaluate(&frame, mapping, |_, field, value| fields.push((field, value.into_owned())));
    match stopped {
        None => Offline::Fields(fields),
        Some(Stop::Refused(guard)) => Offline::Refused { guard: &guard.text, at: &guard.at },
        Some(Stop::Failed { field, failure, at }) => {
            let at = failure.at.clone().unwrap_or_else(|| at.clone());
            Offline::Failed { field, failure, at }
        }
    }
}

/// Evaluates one mapping for many lines.
#[derive(Debug, Clone)]
pub struct Lines<'p> {
    plan: &'p Plan,
    mapping: &'p Mapping,
    reader: Reader,
    /// The members that the result is made of, the key's first, ready to be written: `,"Email":`.
    names: Vec<Vec<u8>>,
    /// The same with the line of the rule: `"Email":"lead.map:12"`; empty when provenance is not asked for.
    provenance: Vec<Vec<u8>>,
}

impl<'p> Lines<'p> {
    /// Gets ready. With `provenance` a result is `{"fields":{…},"provenance":{"FIELD":"FILE:LINE"}}`.
    pub fn new(plan: &'p Plan, mapping: &'p Mapping, provenance: bool) -> Self {
        let key = mapping.key.iter().map(|key| (&key.field, &key.at));
        let targets: Vec<_> = key.chain(mapping.rules.iter().map(|rule| (&rule.field, &rule.at))).collect();
        let name = |field: &str| {
            let mut name = Vec::new();
            write_text(field, &mut name);
            name.push(b':');
            name
        };
        let line = |(field, at): &(&String, &Location)| {
            let mut member = name(field);
            write_text(&at.to_string(), &mut member);
            member
        };
        let names = targets.iter().map(|(field, _)| [b",", name(field).as_slice()].concat()).collect();
        let provenance = if provenance { targets.iter().map(line).collect() } else { Vec::new() };
        Self { plan, mapping, reader: Reader::new(mapping), names, provenance }
    }

    /// Evaluates one line, and writes the target fields as a line of JSON.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Line<'p> {
        let Ok(text) = std::str::from_utf8(line) else { return Line::Bad(explain(line)) };
        match self.reader.slots(text) {
            Ok(slots) => self.record(&slots, out),
            Err(NoRecord::Json) => Line::Bad(explain(line)),
            Err(NoRecord::Properties) => Line::Bad("`properties` is not an object".to_owned()),
            Err(NoRecord::NoProperties) => Line::Bad(format!(
                "no `properties`: a line is a {} as `GET /crm/v3/objects/…/{{id}}` answers it",
                self.mapping.source.name
            )),
            Err(NoRecord::NoId) => {
                let name = if self.mapping.source.side == Side::Hubspot { "id" } else { "Id" };
                Line::Bad(format!("no `{name}`: a record without one is none that a CRM has"))
            }
        }
    }

    /// Evaluates the raw values of one record, by slot, and writes the target fields as a line of JSON.
    pub fn record(&self, slots: &[Raw<'_>], out: &mut Vec<u8>) -> Line<'p> {
        let (start, with_provenance) = (out.len(), !self.provenance.is_empty());
        let frame = Frame {
            plan: self.plan,
            mapping: self.mapping,
            slots,
            lookups: &[],
            trace: None,
            kept: Kept::default(),
        };
        let mut written = Vec::new();
        out.extend_from_slice(if with_provenance { b"{\"fields\":{" } else { b"{" });
        let mut first = true;
        let stopped = evaluate(&frame, self.mapping, |index, _, value| {
            // The first without its comma.
            out.extend_from_slice(&self.names[index][usize::from(first)..]);
            first = false;
            write_json(&value, out);
            if with_provenance {
                written.push(index);
            }
        });
        if let Some(stop) = stopped {
            out.truncate(start);
            return stop.line();
        }
        if with_provenance {
            out.extend_from_slice(b"},\"provenance\":{");
            for (place, index) in written.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(&self.provenance[*index]);
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"}\n");
        Line::Written
    }
}

/// Why a record has no target fields.
enum Stop<'p> {
    Refused(&'p Guard),
    Failed { field: Option<&'p str>, failure: Failure, at: &'p Location },
}

impl<'p> Stop<'p> {
    fn line(self) -> Line<'p> {
        match self {
            Stop::Refused(guard) => Line::Refused { guard: &guard.text, at: &guard.at },
            Stop::Failed { field, failure, at } => {
                let at = failure.at.as_ref().unwrap_or(at);
                let field = field.map_or_else(String::new, |field| format!("`{field}`: "));
                let help = failure.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
                Line::Parked(format!("{field}{} ({at}){help}", failure.message))
            }
        }
    }
}

/// Evaluates guards, key and rules, and gives each value that is not blank to `write`, with its field and that field's
/// place among the key and the rules.
fn evaluate<'p>(
    frame: &Frame<'_>,
    mapping: &'p Mapping,
    mut write: impl FnMut(usize, &'p str, Borrowed<'_>),
) -> Option<Stop<'p>> {
    for guard in &mapping.guards {
        match frame.holds(&guard.condition) {
            Ok(true) => {}
            Ok(false) => return Some(Stop::Refused(guard)),
            Err(failure) => return Some(Stop::Failed { field: None, failure, at: &guard.at }),
        }
    }
    let mut give = |place: usize, field: &'p str, value: Borrowed<'_>| {
        if !value.is_blank() {
            write(place, field, value);
        }
    };
    if let Some(key) = &mapping.key {
        match frame.borrowed(&key.value) {
            Ok(value) => give(0, &key.field, value),
            Err(failure) => {
                return Some(Stop::Failed { field: Some(&key.field), failure, at: &key.at });
            }
        }
    }
    let after = usize::from(mapping.key.is_some());
    for (index, rule) in mapping.rules.iter().enumerate() {
        if rule.when == WhenWritten::OnUpdate {
            continue;
        }
        let failure = match frame.borrowed(&rule.value) {
            Ok(value) => {
                give(after + index, &rule.field, value);
                continue;
            }
            Err(failure) => failure,
        };
        match &rule.otherwise {
            Some(RuleElse::Keep) => {}
            Some(RuleElse::Literal(value)) => give(after + index, &rule.field, value.borrowed()),
            _ => return Some(Stop::Failed { field: Some(&rule.field), failure, at: &rule.at }),
        }
    }
    None
}

/// Why a line is no JSON object, in the words of `serde_json`.
fn explain(line: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Value>(line) {
        Ok(_) => "not a JSON object".to_owned(),
        Err(error) => {
            let error = error.to_string().replace(" at line 1 column ", " at column ");
            format!("not a JSON object on one line: {error}")
        }
    }
}

#[cfg(test)]
mod tests;
