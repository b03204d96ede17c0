//! What a write's answer leads to.

use crate::plan::{Mapping, OutcomeAction, Situation};
use crate::types::{FieldError, MatchedRecord, Record, WriteAnswer, WriteTarget};

use super::effect::{Effect, Park, PlannedWrite, Verdict};
use super::ladder::target_read;
use super::run::{Run, State};

/// How often a lost race sends a run back to the top of its ladder. The second look finds what the winner wrote, so more
/// than one return means that something else is wrong.
const RESTARTS: u32 = 2;

impl Run {
    /// Goes on after the write was answered.
    pub(super) fn written(
        &mut self,
        mapping: &Mapping,
        planned: PlannedWrite,
        answer: WriteAnswer,
    ) -> Effect {
        match answer {
            WriteAnswer::Written { id, created } => self.finish(Verdict::Written {
                object: planned.request.object,
                id,
                created,
                changes: planned.changes,
            }),
            WriteAnswer::Duplicate { rule, message, matches, allow_save } => {
                self.duplicate(mapping, planned, &rule, message, &matches, allow_save)
            }
            WriteAnswer::Taken { field, existing, message } => {
                self.lost_race(mapping, field, existing.as_deref(), message)
            }
            WriteAnswer::Converted { message } => self.turned_converted(mapping, message),
            WriteAnswer::Gone { message } => {
                let reason = format!("the {} is gone", mapping.target.name);
                self.again(mapping, reason, message)
            }
            WriteAnswer::Rejected { errors } => self.rejected(mapping, planned, errors),
            WriteAnswer::Failed(error) => self.park(Park {
                answer: Some(error.to_string()),
                ..Park::because(format!("{} could not be written", mapping.target))
            }),
        }
    }

    fn duplicate(
        &mut self,
        mapping: &Mapping,
        planned: PlannedWrite,
        rule: &str,
        message: String,
        matches: &[MatchedRecord],
        allow_save: bool,
    ) -> Effect {
        let outcome = mapping.outcome(Situation::Duplicate);
        let at = outcome.map(|outcome| outcome.at.clone());
        let mut reason = format!("the duplicate rule `{rule}` blocked the write");
        match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Allow) if allow_save && !self.allow_duplicates => {
                self.allow_duplicates = true;
                return self.send(mapping, self.target.clone().as_ref(), planned.changes);
            }
            Some(OutcomeAction::Allow) => reason.push_str(", and it lets nobody save in spite of it"),
            Some(OutcomeAction::Adopt) if self.restarts < RESTARTS => {
                self.restarts += 1;
                let own: Vec<&MatchedRecord> =
                    matches.iter().filter(|found| found.object == mapping.target).collect();
                match (own.as_slice(), matches) {
                    ([one], _) => {
                        self.path.push(format!("{reason}; it names {} {}", one.object.name, one.id));
                        self.state = State::Adopt;
                        return Effect::Read(target_read(mapping, one.id.clone()));
                    }
                    ([], [one]) => {
                        let (object, id) = (one.object.clone(), one.id.clone());
                        return self.hand_over_object(
                            mapping,
                            Record { object, id, values: serde_json::Map::new() },
                        );
                    }
                    ([], []) => reason.push_str(" and names no record"),
                    _ => reason.push_str(" and names several records"),
                }
            }
            Some(OutcomeAction::Park(Some(said))) => reason = said.clone(),
            _ => {}
        }
        let named: Vec<String> =
            matches.iter().map(|found| format!("{} {}", found.object.name, found.id)).collect();
        let help = (!named.is_empty()).then(|| format!("it names {}", named.join(", ")));
        self.park(Park { answer: Some(message), help, at, ..Park::because(reason) })
    }

    /// A unique value is on another record. Where it is the key, somebody else created the record meanwhile: look again.
    fn lost_race(
        &mut self,
        mapping: &Mapping,
        field: Option<String>,
        existing: Option<&str>,
        message: String,
    ) -> Effect {
        let is_key = match (&field, &mapping.key) {
            (Some(field), Some(key)) => *field == key.field,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let holder = existing.map_or_else(String::new, |id| format!(" by {id}"));
        if is_key {
            return self.again(mapping, format!("the key is already taken{holder}"), message);
        }
        let reason = format!("a unique value is already taken{holder}");
        let at = field.as_ref().and_then(|field| mapping.rules.iter().find(|rule| rule.field == *field));
        let at = at.map(|rule| rule.at.clone());
        self.park(Park { field, answer: Some(message), at, ..Park::because(reason) })
    }

    fn turned_converted(&mut self, mapping: &Mapping, message: String) -> Effect {
        match self.target.take() {
            // Read again: only the record itself names its Contact.
            Some(record) if self.restarts < RESTARTS => {
                self.restarts += 1;
                self.state = State::Adopt;
                Effect::Read(target_read(mapping, record.id))
            }
            // The upsert met a record that the look-up had not found yet.
            _ => self.again(mapping, format!("the {} is converted", mapping.target.name), message),
        }
    }

    fn again(&mut self, mapping: &Mapping, reason: String, message: String) -> Effect {
        if self.restarts < RESTARTS {
            self.restarts += 1;
            self.target = None;
            return self.ladder(mapping);
        }
        self.park(Park { answer: Some(message), ..Park::because(reason) })
    }

    fn rejected(&mut self, mapping: &Mapping, planned: PlannedWrite, errors: Vec<FieldError>) -> Effect {
        let outcome = mapping.outcome(Situation::Rejected);
        let blamed = blamed(&planned, &errors);
        let dropping = outcome.is_some_and(|outcome| outcome.action == OutcomeAction::DropField);
        let vital = blamed.iter().find(|(field, _)| vital(mapping, &planned, field));
        if dropping && vital.is_none() && !blamed.is_empty() && blamed.len() < planned.request.fields.len() {
            self.dropped.extend(blamed);
            return self.write(mapping);
        }
        let field = vital.or(blamed.first()).map(|(field, _)| field.clone());
        let rule =
            field.as_ref().and_then(|field| planned.changes.iter().find(|change| change.field == *field));
        let reason = match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Park(Some(said))) => said.clone(),
            _ => match &field {
                Some(field) => format!("{} refused `{field}`", mapping.target.side.label()),
                None => format!("{} refused the write", mapping.target.side.label()),
            },
        };
        let answer: Vec<String> =
            errors.iter().map(|error| format!("{}: {}", error.code, error.message)).collect();
        let help = rule.and_then(|change| change.new.as_ref()).map(|value| {
            let text = crate::types::display(value);
            let length = crate::types::text_length(&text);
            format!("the value was {} ({length} characters)", crate::types::quoted(&text))
        });
        let at = rule.map(|change| change.at.clone()).or_else(|| outcome.map(|outcome| outcome.at.clone()));
        self.park(Park { reason, field, answer: Some(answer.join("; ")), help, at })
    }
}

/// The fields sent that a refusal names, each once, with what was said.
fn blamed(planned: &PlannedWrite, errors: &[FieldError]) -> Vec<(String, String)> {
    let named = errors.iter().flat_map(|error| error.fields.iter().map(move |field| (field, &error.message)));
    let mut blamed: Vec<(String, String)> = Vec::new();
    for (field, message) in named {
        let sent = planned.request.fields.iter().any(|(sent, _)| sent == field);
        if sent && blamed.iter().all(|(known, _)| known != field) {
            blamed.push((field.clone(), message.clone()));
        }
    }
    blamed
}

/// Whether a write without a field would be another write: without its key, or a new record without what it needs.
fn vital(mapping: &Mapping, planned: &PlannedWrite, field: &str) -> bool {
    let creates = !matches!(planned.request.target, WriteTarget::Update { .. });
    mapping.key.as_ref().is_some_and(|key| key.field == field)
        || creates && mapping.rules.iter().any(|rule| rule.field == field && rule.required)
}
