//! What a write's answer leads to.

use crate::plan::{Mapping, OutcomeAction, Situation};
use crate::types::{FieldError, MatchedRecord, Record, WriteAnswer, WriteTarget, as_sent};

use super::effect::{Effect, Park, PlannedWrite, Verdict};
use super::ladder::target_read;
use super::run::{Run, State, text_of};

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
            WriteAnswer::Written { id, created } => {
                let (object, changes) = (planned.request.object, planned.changes);
                let verdict = Verdict::Written { object, id: id.clone(), created, changes };
                self.after_write(mapping, verdict, id, created)
            }
            WriteAnswer::Duplicate { rule, message, matches, allow_save } => {
                self.duplicate(mapping, planned, &rule, message, &matches, allow_save)
            }
            WriteAnswer::Taken { field, existing, message } => {
                self.lost_race(mapping, &planned, field, existing.as_deref(), message)
            }
            WriteAnswer::Converted { message } => self.turned_converted(mapping, message),
            WriteAnswer::Gone { message } => {
                let reason = format!("the {} is gone", mapping.target.name);
                self.again(mapping, reason, message)
            }
            WriteAnswer::Rejected { errors } => self.rejected(mapping, &planned, &errors),
            WriteAnswer::Failed(error) => self.park(Park {
                answer: Some(error.to_string()),
                code: error.code.clone(),
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
        let outcome = self.outcome(mapping, Situation::Duplicate);
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
            Some(OutcomeAction::Park(Some(said))) => reason.clone_from(said),
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
        planned: &PlannedWrite,
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
        let sent = field.as_ref().and_then(|field| sent(planned, field));
        self.park(Park { field, answer: Some(message), at, sent, ..Park::because(reason) })
    }

    fn turned_converted(&mut self, mapping: &Mapping, message: String) -> Effect {
        match self.target.take() {
            // Read again: only the record itself names its Contact.
            Some(record) if self.look_again() => {
                self.state = State::Adopt;
                Effect::Read(target_read(mapping, record.id))
            }
            // The upsert met a record that the look-up had not found yet.
            _ => self.again(mapping, format!("the {} is converted", mapping.target.name), message),
        }
    }

    /// Whether the run may look once more at a record that has changed under it.
    pub(super) fn look_again(&mut self) -> bool {
        let may = self.restarts < RESTARTS;
        self.restarts += u32::from(may);
        may
    }

    pub(super) fn again(&mut self, mapping: &Mapping, reason: String, message: String) -> Effect {
        if self.look_again() {
            self.target = None;
            return self.ladder(mapping);
        }
        self.park(Park { answer: Some(message), ..Park::because(reason) })
    }

    fn rejected(&mut self, mapping: &Mapping, planned: &PlannedWrite, errors: &[FieldError]) -> Effect {
        let outcome = self.outcome(mapping, Situation::Rejected);
        let blamed = blamed(planned, errors);
        let dropping = outcome.is_some_and(|outcome| outcome.action == OutcomeAction::DropField);
        let vital = blamed.iter().find(|(field, _)| vital(mapping, planned, field));
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
        let sent = field.as_ref().and_then(|field| sent(planned, field));
        self.park(Park {
            reason,
            field,
            answer: Some(answer.join("; ")),
            help,
            at,
            code: codes(errors),
            sent,
        })
    }
}

/// The codes of a refusal, which quote nobody's data.
pub(super) fn codes(errors: &[FieldError]) -> Option<String> {
    let mut codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
    codes.dedup();
    (!codes.is_empty()).then(|| codes.join(", "))
}

/// What a write sends for a field, as the CRM gets it; blank where it clears the field.
fn sent(planned: &PlannedWrite, field: &str) -> Option<String> {
    let (_, value) = planned.request.fields.iter().find(|(sent, _)| sent == field)?;
    Some(text_of(&as_sent(planned.request.object.side, value)))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::eval::testing::{World, name, parked, record, sent};
    use crate::eval::{Finished, Verdict};
    use crate::plan::testing::{LEAD, Lead};
    use crate::types::{FieldError, MatchedRecord, Record, Value, WriteAnswer, WriteTarget};

    const KNOWN: &str = "mapping known {\n from hubspot.contact\n to salesforce.Contact\n match { key HubSpot_Contact_ID__c = id }\n \
                         on none skip\n on taken park\n on rejected park\n fields { FirstName <- firstname | truncate(40) } }";

    /// A mapping whose duplicate and rejected outcomes are these.
    fn lead(outcomes: &'static str) -> Lead {
        let fields = "Title <- jobtitle | truncate(128)\n Email <- email | fits(80) otherwise park";
        Lead { outcomes, beside: KNOWN, fields, ..LEAD }
    }

    const ADOPT: &str =
        "on none create\n on taken park\n on converted then known\n on duplicate adopt\n on rejected park";
    const DROP: &str =
        "on none create\n on converted then known\n on duplicate park \"a double\"\n on rejected drop field";
    const ALLOW: &str = "on none create\n on converted then known\n on duplicate allow\n on rejected park";

    fn contact() -> Record {
        record("hubspot.contact", "1", json!({"email": "a@b.example", "firstname": "Jane", "jobtitle": "VP"}))
    }

    fn duplicate(matches: &[(&str, &str)], allow_save: bool) -> WriteAnswer {
        let matches =
            matches.iter().map(|(object, id)| MatchedRecord { object: name(object), id: (*id).to_owned() });
        WriteAnswer::Duplicate {
            rule: "Standard".to_owned(),
            message: "use one of these".to_owned(),
            matches: matches.collect(),
            allow_save,
        }
    }

    fn rejected(fields: &[&str]) -> WriteAnswer {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        WriteAnswer::Rejected {
            errors: vec![FieldError { code: "BAD".to_owned(), message: "no".to_owned(), fields }],
        }
    }

    fn run(outcomes: &'static str, more: Vec<Record>, answers: Vec<WriteAnswer>) -> (Finished, World) {
        let mut world = World::of([vec![contact()], more].concat()).answering(answers);
        let end = world.run(&lead(outcomes).plan(), "lead");
        (end, world)
    }

    #[test]
    fn a_duplicate_of_the_same_object_is_adopted() {
        let there = record("salesforce.Lead", "L1", json!({"LastName": "Doe"}));
        let (end, world) = run(
            ADOPT,
            vec![there],
            vec![duplicate(&[("salesforce.Lead", "L1"), ("salesforce.Contact", "C1")], true)],
        );
        assert!(matches!(end.verdict, Verdict::Written { .. }), "{end:?}");
        assert_eq!(world.writes[1].target, WriteTarget::Update { id: "L1".to_owned() });
        assert_eq!(sent(&world.writes[1], "HubSpot_Contact_ID__c"), Some(&Value::text("1")));
        assert_eq!(end.path, ["the duplicate rule `Standard` blocked the write; it names Lead L1"]);
    }

    #[test]
    fn a_duplicate_of_another_object_is_handed_over() {
        let there = record("salesforce.Contact", "C1", json!({}));
        let (end, world) = run(ADOPT, vec![there], vec![duplicate(&[("salesforce.Contact", "C1")], true)]);
        assert_eq!(end.mapping, "known");
        assert_eq!(world.writes[1].target, WriteTarget::Update { id: "C1".to_owned() });
    }

    #[test]
    fn several_duplicates_or_none_are_for_a_person() {
        let two = duplicate(&[("salesforce.Lead", "L1"), ("salesforce.Lead", "L2")], true);
        let (end, _) = run(ADOPT, vec![], vec![two]);
        assert_eq!(
            parked(&end).reason,
            "the duplicate rule `Standard` blocked the write and names several records"
        );
        assert_eq!(parked(&end).help.as_deref(), Some("it names Lead L1, Lead L2"));
        let (end, _) = run(ADOPT, vec![], vec![duplicate(&[], true)]);
        assert!(parked(&end).reason.ends_with("and names no record"), "{end:?}");
        let (end, _) = run(ADOPT, vec![], vec![duplicate(&[("salesforce.User", "U1")], true)]);
        assert!(parked(&end).reason.ends_with("no mapping takes it over"), "{end:?}");
        let (end, _) = run(DROP, vec![], vec![duplicate(&[], true)]);
        assert_eq!(
            (parked(&end).reason.as_str(), parked(&end).answer.as_deref()),
            ("a double", Some("use one of these"))
        );
    }

    #[test]
    fn allow_saves_once_in_spite_of_an_alert() {
        let (end, world) = run(ALLOW, vec![], vec![duplicate(&[], true)]);
        assert!(matches!(end.verdict, Verdict::Written { .. }), "{end:?}");
        assert_eq!(
            world.writes.iter().map(|write| write.allow_duplicates).collect::<Vec<_>>(),
            [false, true]
        );
        assert_eq!(world.writes[0].fields, world.writes[1].fields);
        let (end, world) = run(ALLOW, vec![], vec![duplicate(&[], false)]);
        assert!(parked(&end).reason.contains("lets nobody save"), "{end:?}");
        assert_eq!(world.writes.len(), 1);
        let (_, world) = run(ALLOW, vec![], vec![duplicate(&[], true), duplicate(&[], true)]);
        assert_eq!(world.writes.len(), 2, "not for ever");
    }

    #[test]
    fn a_lost_race_for_the_key_looks_again() {
        let taken = |field: Option<&str>| WriteAnswer::Taken {
            field: field.map(ToOwned::to_owned),
            existing: Some("L9".to_owned()),
            message: "taken".to_owned(),
        };
        let (end, world) = run(ADOPT, vec![], vec![taken(Some("HubSpot_Contact_ID__c"))]);
        assert!(matches!(end.verdict, Verdict::Written { .. }), "{end:?}");
        assert_eq!(world.log, ["read contact", "find Lead", "write Lead", "find Lead", "write Lead"]);
        let (end, world) = run(ADOPT, vec![], (0..9).map(|_| taken(None)).collect());
        assert_eq!(parked(&end).reason, "the key is already taken by L9");
        assert_eq!(world.writes.len(), 3, "bounded");
        let (end, world) = run(ADOPT, vec![], vec![taken(Some("Email"))]);
        assert_eq!((parked(&end).field.as_deref(), world.writes.len()), (Some("Email"), 1));
        assert!(parked(&end).at.is_some());
    }

    #[test]
    fn a_lead_that_turns_out_converted_or_gone() {
        let own = record("salesforce.Lead", "L1", json!({"HubSpot_Contact_ID__c": "1"}));
        let converted = || WriteAnswer::Converted { message: "converted".to_owned() };
        let (end, world) = run(ADOPT, vec![own.clone()], vec![converted()]);
        assert!(
            matches!(end.verdict, Verdict::Written { .. }),
            "read again, and it is not converted: {end:?}"
        );
        assert_eq!(world.log, ["read contact", "find Lead", "write Lead", "read Lead", "write Lead"]);
        let (end, world) = run(ADOPT, vec![own.clone()], (0..9).map(|_| converted()).collect());
        assert_eq!((parked(&end).reason.as_str(), world.writes.len()), ("the Lead is converted", 3));
        let gone = || WriteAnswer::Gone { message: "gone".to_owned() };
        let (end, world) = run(ADOPT, vec![own], (0..9).map(|_| gone()).collect());
        assert_eq!((parked(&end).reason.as_str(), world.writes.len()), ("the Lead is gone", 3));
    }

    #[test]
    fn a_refused_field_parks_with_its_value_or_is_dropped() {
        let (end, _) = run(ADOPT, vec![], vec![rejected(&["Title"])]);
        assert_eq!(parked(&end).reason, "Salesforce refused `Title`");
        assert_eq!(parked(&end).help.as_deref(), Some("the value was `VP` (2 characters)"));
        assert_eq!(parked(&end).answer.as_deref(), Some("BAD: no"));

        let (end, world) = run(DROP, vec![], vec![rejected(&["Title", "Title"])]);
        let Verdict::Written { changes, .. } = &end.verdict else { panic!("{end:?}") };
        assert_eq!(sent(&world.writes[1], "Title"), None);
        assert_eq!(sent(&world.writes[1], "LastName"), Some(&Value::text("Unknown")));
        let title = changes.iter().find(|change| change.field == "Title").expect("the change");
        assert_eq!((title.new.as_ref(), title.kept.as_deref()), (None, Some("dropped: no")));
    }

    #[test]
    fn what_a_record_needs_is_never_dropped() {
        for field in ["LastName", "Company"] {
            let (end, world) = run(DROP, vec![], vec![rejected(&[field])]);
            assert_eq!((parked(&end).field.as_deref(), world.writes.len()), (Some(field), 1));
        }
        // The key of an adopted record.
        let lead = Lead {
            rungs: "key HubSpot_Contact_ID__c = id\n or Email = email",
            ..lead(
                "on none create\n on many park\n on taken park\n on converted park\n on duplicate park\n on rejected drop field",
            )
        };
        let there = record("salesforce.Lead", "L1", json!({"Email": "a@b.example"}));
        let mut world = World::of(vec![contact(), there]).answering([rejected(&["HubSpot_Contact_ID__c"])]);
        let end = world.run(&Lead { beside: "", ..lead }.plan(), "lead");
        assert_eq!((parked(&end).field.as_deref(), world.writes.len()), (Some("HubSpot_Contact_ID__c"), 1));
        // A refusal that names nothing, or nothing that was sent.
        for fields in [&[][..], &["Phone"]] {
            let (end, world) = run(DROP, vec![], vec![rejected(fields)]);
            assert_eq!(
                (parked(&end).reason.as_str(), world.writes.len()),
                ("Salesforce refused the write", 1)
            );
        }
    }
}
