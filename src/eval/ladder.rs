//! The match ladder: the key, the rungs, and what becomes of the record found.

use crate::plan::{Key, Lookup, Mapping, OutcomeAction, Situation, Test, TestOp};
use crate::source::Location;
use crate::syntax::ast::{CompareOp, Presence};
use crate::types::{
    Failure, Filter, FilterOp, FindRequest, Raw, ReadRequest, Record, Value, display, quoted, read,
};

use super::effect::{Effect, Park, Verdict};
use super::expression::Frame;
use super::run::{Next, Run, State, raw};

/// How many records a rung reads where the newest of several is wanted. More than this share one value only by mistake.
const SEVERAL: u32 = 200;

/// The tests of a look-up with their values.
pub(super) enum Tests {
    /// What must hold.
    Filters(Vec<Filter>),
    /// A value is blank, so nothing can match.
    Blank,
}

/// Gives the tests of a look-up their values.
pub(super) fn filters(frame: &Frame<'_>, tests: &[Test]) -> Result<Tests, Failure> {
    let mut filters = Vec::with_capacity(tests.len());
    for test in tests {
        let op = match &test.op {
            TestOp::Presence(Presence::Present) => FilterOp::Present,
            TestOp::Presence(Presence::Blank) => FilterOp::Blank,
            TestOp::Compare(op, value) => match frame.value(value)? {
                Value::Blank => return Ok(Tests::Blank),
                value => comparison(*op, value),
            },
            TestOp::In(values) => {
                let values = values.iter().map(|value| frame.value(value)).collect::<Result<Vec<_>, _>>()?;
                let values: Vec<Value> = values.into_iter().filter(|value| !value.is_blank()).collect();
                if values.is_empty() {
                    return Ok(Tests::Blank);
                }
                FilterOp::In(values)
            }
        };
        filters.push(Filter { field: test.field.clone(), op });
    }
    Ok(Tests::Filters(filters))
}

fn comparison(op: CompareOp, value: Value) -> FilterOp {
    match op {
        CompareOp::Eq => FilterOp::Eq(value),
        CompareOp::Ne => FilterOp::Ne(value),
        CompareOp::Lt => FilterOp::Lt(value),
        CompareOp::Le => FilterOp::Le(value),
        CompareOp::Gt => FilterOp::Gt(value),
        CompareOp::Ge => FilterOp::Ge(value),
    }
}

/// What a look-up gives: the field of the one record that matches.
pub(super) fn looked_up(lookup: &Lookup, records: &[Record]) -> Result<Value, Failure> {
    match records {
        [] => Ok(Value::Blank),
        [one] => read(&raw(one, &lookup.field), &lookup.ty),
        _ => Err(Failure::new(format!("`lookup {}.{}` finds several records", lookup.object, lookup.field))
            .mend(lookup.at.clone(), "add a test to its `where`, so that only one record matches")),
    }
}

/// Reads a target record by id, with everything that rules and policies need.
pub(super) fn target_read(mapping: &Mapping, id: String) -> ReadRequest {
    ReadRequest { object: mapping.target.clone(), ids: vec![id], fields: target_fields(mapping) }
}

fn target_fields(mapping: &Mapping) -> Vec<String> {
    mapping.target_fields.iter().map(|field| field.name.clone()).collect()
}

impl Run {
    /// Starts the ladder from its top.
    pub(super) fn ladder(&mut self, mapping: &Mapping) -> Effect {
        let Some(key) = &mapping.key else { return self.rung(mapping, 0) };
        match self.key_value(mapping, key) {
            Ok(value) => {
                self.state = State::Key;
                let filters = vec![Filter { field: key.field.clone(), op: FilterOp::Eq(value) }];
                Effect::Find(vec![FindRequest {
                    object: mapping.target.clone(),
                    filters,
                    fields: target_fields(mapping),
                    limit: 2,
                }])
            }
            Err(failure) => self.park_failure(failure, Some(&key.field), key.at.clone()),
        }
    }

    /// The key's value, which the checker proves to be there; a record whose raw value cannot be read still fails.
    pub(super) fn key_value(&self, mapping: &Mapping, key: &Key) -> Result<Value, Failure> {
        match self.with_frame(mapping, |frame| frame.value(&key.value))? {
            Value::Blank => Err(Failure::new(format!("the key `{}` is blank", key.field))),
            value => Ok(value),
        }
    }

    pub(super) fn key_found(&mut self, mapping: &Mapping, mut records: Vec<Record>) -> Effect {
        match records.len() {
            0 => self.rung(mapping, 0),
            1 => self.found(mapping, records.remove(0), None),
            _ => self.many(mapping, records, mapping.key.as_ref().map(|key| key.at.clone())),
        }
    }

    fn rung(&mut self, mapping: &Mapping, from: usize) -> Effect {
        let newest =
            mapping.outcome(Situation::Many).is_some_and(|outcome| outcome.action == OutcomeAction::Newest);
        for (index, rung) in mapping.rungs.iter().enumerate().skip(from) {
            match self.with_frame(mapping, |frame| filters(frame, &rung.tests)) {
                Ok(Tests::Blank) => {}
                Ok(Tests::Filters(filters)) => {
                    self.state = State::Rung(index);
                    let fields =
                        if rung.object == mapping.target { target_fields(mapping) } else { Vec::new() };
                    let limit = if newest { SEVERAL } else { 2 };
                    return Effect::Find(vec![FindRequest {
                        object: rung.object.clone(),
                        filters,
                        fields,
                        limit,
                    }]);
                }
                Err(failure) => return self.park_failure(failure, None, rung.at.clone()),
            }
        }
        self.none(mapping)
    }

    pub(super) fn rung_found(&mut self, mapping: &Mapping, index: usize, mut records: Vec<Record>) -> Effect {
        let rung = &mapping.rungs[index];
        match (records.len(), &rung.then) {
            (0, _) => self.rung(mapping, index + 1),
            (1, Some(then)) => {
                let record = records.remove(0);
                self.hand_over(
                    then,
                    Some(record.id),
                    &format!("a {} matches ({})", rung.object.name, rung.at),
                )
            }
            (1, None) => self.found(mapping, records.remove(0), Some(&rung.at)),
            _ => self.many(mapping, records, Some(rung.at.clone())),
        }
    }

    fn none(&mut self, mapping: &Mapping) -> Effect {
        let outcome = mapping.outcome(Situation::None(None));
        let at = outcome.map(|outcome| outcome.at.clone());
        let reason = format!("no {} matches", mapping.target.name);
        match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Create) | None => self.look_up_for_write(mapping),
            Some(OutcomeAction::Park(said)) => {
                self.park(Park { at, ..Park::because(said.clone().unwrap_or(reason)) })
            }
            Some(_) => self.finish(Verdict::Skipped { reason, at }),
        }
    }

    pub(super) fn many(
        &mut self,
        mapping: &Mapping,
        mut records: Vec<Record>,
        found_at: Option<Location>,
    ) -> Effect {
        let outcome = mapping.outcome(Situation::Many);
        let pick = match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Oldest) => Some(0),
            Some(OutcomeAction::Newest) => Some(records.len() - 1),
            _ => None,
        };
        if let Some(pick) = pick {
            let record = records.swap_remove(pick);
            return if record.object == mapping.target {
                self.found(mapping, record, found_at.as_ref())
            } else {
                self.hand_over_object(mapping, record)
            };
        }
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let reason = match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Park(Some(said))) => said.clone(),
            _ => format!("several {} records match", mapping.target.name),
        };
        let help = format!("merge or correct them in the CRM, then retry: {}", ids.join(", "));
        self.park(Park {
            at: outcome.map(|outcome| outcome.at.clone()),
            help: Some(help),
            ..Park::because(reason)
        })
    }

    /// Takes the record that a look-up found, unless it is converted or belongs to another source record.
    pub(super) fn found(
        &mut self,
        mapping: &Mapping,
        record: Record,
        adopted_at: Option<&Location>,
    ) -> Effect {
        if mapping.convertible && matches!(raw(&record, "IsConverted"), Raw::Boolean(true)) {
            return self.converted(mapping, &record);
        }
        if let Some(key) = &mapping.key {
            match (old_value(mapping, &record, &key.field), self.key_value(mapping, key)) {
                (Ok(Value::Blank), Ok(_)) => {}
                (Ok(old), Ok(new)) if display(&old) == display(&new) => {}
                (Ok(old), Ok(_)) => {
                    if let Some(effect) = self.taken(mapping, &record, &old, adopted_at) {
                        return effect;
                    }
                }
                (Err(failure), _) | (_, Err(failure)) => {
                    return self.park_failure(failure, Some(&key.field), key.at.clone());
                }
            }
        }
        self.target = Some(record);
        self.look_up_for_write(mapping)
    }

    /// The record found holds another key. `None` means: take it all the same.
    fn taken(
        &mut self,
        mapping: &Mapping,
        record: &Record,
        holder: &Value,
        found_at: Option<&Location>,
    ) -> Option<Effect> {
        let outcome = mapping.outcome(Situation::Taken);
        let at = outcome.map(|outcome| outcome.at.clone()).or_else(|| found_at.cloned());
        let reason = format!(
            "{} {} already belongs to {} {}",
            mapping.target.name,
            record.id,
            mapping.source,
            quoted(&display(holder))
        );
        match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Adopt) => None,
            Some(OutcomeAction::Skip) => Some(self.finish(Verdict::Skipped { reason, at })),
            Some(OutcomeAction::Park(Some(said))) => {
                Some(self.park(Park { at, help: Some(reason), ..Park::because(said.clone()) }))
            }
            _ => Some(self.park(Park { at, ..Park::because(reason) })),
        }
    }

    /// The Lead found was converted; its Contact goes along to the mapping that takes over.
    pub(super) fn converted(&mut self, mapping: &Mapping, record: &Record) -> Effect {
        let outcome = mapping.outcome(Situation::Converted);
        let at = outcome.map(|outcome| outcome.at.clone());
        let reason = format!("{} {} is converted", mapping.target.name, record.id);
        let contact = read(&raw(record, "ConvertedContactId"), &crate::types::Type::Text(Some(18)));
        match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Then(name)) => {
                let contact = contact.ok().filter(|id| !id.is_blank()).map(|id| display(&id));
                self.hand_over(name, contact, &reason)
            }
            Some(OutcomeAction::Skip) => self.finish(Verdict::Skipped { reason, at }),
            Some(OutcomeAction::Park(Some(said))) => self.park(Park { at, ..Park::because(said.clone()) }),
            _ => self.park(Park { at, ..Park::because(reason) }),
        }
    }

    /// Makes the look-ups of the rules that apply, then writes.
    fn look_up_for_write(&mut self, mapping: &Mapping) -> Effect {
        let existing = self.target.as_ref();
        let mut wanted: Vec<usize> = Vec::new();
        for rule in mapping.rules.iter().filter(|rule| super::rules::kept(mapping, rule, existing).is_none())
        {
            wanted.extend(
                rule.lookups.iter().filter(|index| !wanted.contains(index)).copied().collect::<Vec<_>>(),
            );
        }
        wanted.sort_unstable();
        self.look_up(mapping, wanted, Next::Write)
    }
}

/// A target field's value as it was read.
pub(super) fn old_value(mapping: &Mapping, record: &Record, field: &str) -> Result<Value, Failure> {
    let text = crate::types::Type::Text(None);
    read(&raw(record, field), mapping.target_type(field).unwrap_or(&text))
}
