//! The conversion of the Lead written: what it takes is evaluated with the rules, and it follows the write.
//!
//! A Lead that is converted is over: what is remembered of its pair goes over to the Contact that it became, whoever
//! converted it. A later run is handed that Contact by the mapping's `on converted`.

use crate::plan::{AccountElse, Mapping, OutcomeAction, Rule, RuleElse, Situation};
use crate::types::{
    ConvertAnswer, ConvertRequest, ConvertedInto, Failure, FieldError, LinkChange, LinkFate, Value, display,
};

use super::effect::{Conversion, ConversionEnd, Effect, Park, PlannedConversion, Verdict};
use super::ladder::target_read;
use super::rules::Instead;
use super::run::{Run, State};
use super::trace::Point;
use crate::source::{Location, ObjectName};

/// The object that a Lead's life goes on as (Salesforce's object reference: `ConvertedContactId`).
const CONTACT: &str = "Contact";

/// What a mapping says of a conversion, for one record.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    account: Option<String>,
    opportunity: Option<String>,
    owner: Option<String>,
}

/// A conversion under way, and how the write before it ended.
#[derive(Debug)]
pub(super) struct Converting {
    verdict: Verdict,
    request: ConvertRequest,
}

impl Run {
    /// Evaluates what the conversion takes; nothing where the mapping converts nothing.
    pub(super) fn conversion_parts(&mut self, mapping: &Mapping) -> Result<Option<Parts>, Box<Effect>> {
        let Some(convert) = &mapping.convert else { return Ok(None) };
        let account = match &convert.account {
            None => None,
            Some((rule, otherwise)) => self.account(mapping, rule, otherwise.as_ref())?,
        };
        let opportunity = match &convert.opportunity {
            None => None,
            Some(rule) => match self.part(mapping, rule)? {
                Value::Blank => {
                    let failure = Failure::new("the name of the opportunity is blank");
                    return Err(Box::new(self.park_failure(failure, None, rule.at.clone())));
                }
                name => Some(display(&name)),
            },
        };
        let owner = match &convert.owner {
            None => None,
            Some(rule) => self.owner(mapping, rule)?,
        };
        Ok(Some(Parts { account, opportunity, owner }))
    }

    /// A value of the conversion; one that fails parks the record, since a conversion cannot be undone.
    fn part(&mut self, mapping: &Mapping, rule: &Rule) -> Result<Value, Box<Effect>> {
        match self.with_frame(mapping, |frame| frame.value(&rule.value)) {
            Ok(value) => {
                if !value.is_blank() {
                    self.hit(&rule.at, Point::Value);
                }
                Ok(value)
            }
            Err(failure) => Err(Box::new(self.park_failure(failure, None, rule.at.clone()))),
        }
    }

    fn account(
        &mut self,
        mapping: &Mapping,
        rule: &Rule,
        otherwise: Option<&AccountElse>,
    ) -> Result<Option<String>, Box<Effect>> {
        let value = self.part(mapping, rule)?;
        if !value.is_blank() {
            return Ok(Some(display(&value)));
        }
        self.hit(&rule.at, Point::Otherwise);
        let reason = "there is no account for the Lead to go to";
        Err(Box::new(match otherwise {
            Some(AccountElse::Create) => return Ok(None),
            Some(AccountElse::Wait) => match self.waits_for_pair(mapping, rule) {
                Some(verdict) => self.finish(verdict),
                None => self.wait(mapping, rule, reason.to_owned()),
            },
            Some(AccountElse::Park(_)) | None => {
                let said = match otherwise {
                    Some(AccountElse::Park(said)) => said.clone(),
                    _ => None,
                };
                let reason = said.unwrap_or_else(|| reason.to_owned());
                self.park(Park { at: Some(rule.at.clone()), ..Park::because(reason) })
            }
        }))
    }

    /// A blank, and a failure that is to keep it, leave the Lead's own owner.
    fn owner(&mut self, mapping: &Mapping, rule: &Rule) -> Result<Option<String>, Box<Effect>> {
        let value = match self.given(mapping, rule)? {
            Instead::Value(value) => value,
            Instead::Keep(_) => return Ok(None),
        };
        if value.is_blank()
            && rule.otherwise == Some(RuleElse::Wait)
            && let Some(verdict) = self.waits_for_pair(mapping, rule)
        {
            return Err(Box::new(self.finish(verdict)));
        }
        Ok((!value.is_blank()).then(|| display(&value)))
    }

    /// Goes on after the record was written or needed no write: to its conversion, or to its associations.
    pub(super) fn after_write(
        &mut self,
        mapping: &Mapping,
        verdict: Verdict,
        id: String,
        created: bool,
    ) -> Effect {
        let (Some(convert), Some(parts)) = (&mapping.convert, self.parts.take()) else {
            return self.settled(mapping, verdict, id, created);
        };
        let Parts { account, opportunity, owner } = parts;
        let (object, status) = (mapping.target.clone(), convert.status.clone());
        let request = ConvertRequest { object, id, status, account, opportunity, owner };
        self.state = State::Convert(Box::new(Converting { verdict, request: request.clone() }));
        Effect::Convert(PlannedConversion { mapping: mapping.name.clone(), request, at: convert.at.clone() })
    }

    /// Goes on after the conversion was answered.
    pub(super) fn conversion_answered(
        &mut self,
        mapping: &Mapping,
        work: Converting,
        answer: ConvertAnswer,
    ) -> Effect {
        match answer {
            ConvertAnswer::Converted(into) => {
                if let Some(convert) = &mapping.convert {
                    self.hit(&convert.at, Point::Converted);
                }
                self.follows(mapping, &work.request.id, &into.contact);
                self.end_conversion(mapping, work, ConversionEnd::Converted(into))
            }
            ConvertAnswer::Already { message } => {
                if self.look_again() {
                    // Read again: only the Lead itself names its Contact.
                    self.state = State::Adopt;
                    return Effect::Read(target_read(mapping, work.request.id));
                }
                let reason = format!("the {} is converted", mapping.target.name);
                self.park(Park { answer: Some(message), ..Park::because(reason) })
            }
            ConvertAnswer::Gone { message } => {
                self.again(mapping, format!("the {} is gone", mapping.target.name), message)
            }
            ConvertAnswer::Rejected { errors } => {
                let park = self.conversion_refused(mapping, &errors);
                self.end_conversion(mapping, work, ConversionEnd::Refused(park))
            }
            ConvertAnswer::Failed(error) => self.park(Park {
                answer: Some(error.to_string()),
                ..Park::because(format!("{} could not be converted", mapping.target))
            }),
        }
    }

    fn end_conversion(&mut self, mapping: &Mapping, work: Converting, end: ConversionEnd) -> Effect {
        let at = mapping.convert.as_ref().map_or_else(|| mapping.at.clone(), |convert| convert.at.clone());
        let effect = self.finish(work.verdict);
        match effect {
            Effect::Finish(mut finished) => {
                finished.conversion = Some(Box::new(Conversion { request: work.request, end, at }));
                Effect::Finish(finished)
            }
            other => other,
        }
    }

    fn conversion_refused(&self, mapping: &Mapping, errors: &[FieldError]) -> Park {
        let outcome = self.outcome(mapping, Situation::Rejected);
        let reason = match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Park(Some(said))) => said.clone(),
            _ => format!("{} refused to convert the {}", mapping.target.side.label(), mapping.target.name),
        };
        let answer: Vec<String> =
            errors.iter().map(|error| format!("{}: {}", error.code, error.message)).collect();
        let at = mapping.convert.as_ref().map(|convert| convert.at.clone());
        let help = "the record itself is written; mend what it says, then retry";
        Park {
            answer: Some(answer.join("; ")),
            help: Some(help.to_owned()),
            at,
            code: super::outcome::codes(errors),
            ..Park::because(reason)
        }
    }

    /// Lets the pairs with a Lead go over to the Contact that it became: those of every mapping that pairs these objects.
    pub(super) fn follows(&mut self, mapping: &Mapping, lead: &str, contact: &str) {
        let same = |other: &&Mapping| {
            !other.is_leg && other.source == mapping.source && other.target == mapping.target
        };
        let changes = self.plan.mappings.iter().filter(same).map(|other| LinkChange {
            by: other.name.clone(),
            fate: LinkFate::Became {
                from: lead.to_owned(),
                object: ObjectName::new(mapping.target.side, CONTACT),
                id: contact.to_owned(),
            },
        });
        let changes: Vec<LinkChange> = changes.collect();
        self.links.extend(changes);
    }

    /// The Lead of a pair was converted by somebody: its pair follows, and the next change of the source record goes by the
    /// mapping's `on converted`.
    pub(super) fn target_converted(&mut self, mapping: &Mapping, lead: &str, contact: &str) -> Effect {
        self.follows(mapping, lead, contact);
        let at: Option<Location> = mapping.outcome(Situation::Converted).map(|outcome| outcome.at.clone());
        let reason = format!(
            "{} {lead} was converted into {CONTACT} {contact}, to which {} {} belongs from now on",
            mapping.target, mapping.source, self.record
        );
        self.finish(Verdict::Relinked { reason, forgotten: false, at })
    }
}

/// Stands in for the records that a Lead becomes in a preview.
pub fn would_become(request: &ConvertRequest, new: &str) -> ConvertedInto {
    ConvertedInto {
        account: request.account.clone().unwrap_or_else(|| new.to_owned()),
        contact: new.to_owned(),
        opportunity: request.opportunity.as_ref().map(|_| new.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::eval::testing::{World, name, parked, record};
    use crate::eval::{ConversionEnd, Finished, Verdict};
    use crate::plan::Plan;
    use crate::plan::testing::plan;
    use crate::types::{
        Cause, ConvertAnswer, FieldError, LinkChange, LinkFate, LinkedPair, Record, WriteAnswer,
    };

    /// A mapping that converts its Lead with these lines; an older one pairs contacts with Leads too.
    fn converting(rungs: &str, lines: &str) -> Plan {
        let many = if rungs.contains(" or ") || !rungs.contains("key") { "on many park" } else { "" };
        let taken = if rungs.contains("key") && rungs.contains(" or ") { "on taken park" } else { "" };
        plan(&format!(
            "mapping lead {{\n from hubspot.contact\n to salesforce.Lead\n with employer = primary hubspot.company\n \
             when lifecyclestage becomes \"customer\"\n match {{\n {rungs}\n }}\n on none skip\n {many}\n {taken}\n \
             on converted then known\n on rejected park\n convert to \"Qualified\" {{\n {lines}\n }}\n \
             fields {{ Title <- jobtitle | truncate(128) }}\n}}\n\
             mapping older {{\n from hubspot.contact\n to salesforce.Lead\n match {{ Email = email }}\n on none skip\n \
             on many park\n on converted skip\n on rejected park\n fields {{ FirstName <- firstname | truncate(40) }}\n}}\n\
             mapping known {{\n from hubspot.contact\n to salesforce.Contact\n match {{ key HubSpot_Contact_ID__c = id }}\n \
             on none skip\n on taken park\n on rejected park\n fields {{ FirstName <- firstname | truncate(40) }}\n}}\n\
             mapping account {{\n from hubspot.company\n to salesforce.Account\n when created\n \
             match {{ key HubSpot_Company_ID__c = id }}\n on none skip\n on rejected park\n \
             fields {{ Website <- domain | truncate(255) }}\n}}\n"
        ))
    }

    const KEY: &str = "key HubSpot_Contact_ID__c = id";
    const PLAIN: &str = "account create\n opportunity none";
    const ALL: &str = "account linked salesforce.Account of employer otherwise wait\n \
                       opportunity first_present(employer.name, \"Unknown\") | truncate(120)\n \
                       owner lookup salesforce.User.Id where Email = owner.email otherwise keep";

    fn contact() -> Record {
        record(
            "hubspot.contact",
            "1",
            json!({"email": "a@b.example", "firstname": "Jane", "jobtitle": "VP", "hubspot_owner_id": "11"}),
        )
    }

    fn lead(more: &serde_json::Value) -> Record {
        let mut lead = record(
            "salesforce.Lead",
            "L1",
            json!({"HubSpot_Contact_ID__c": "1", "Email": "a@b.example", "IsConverted": false, "Title": "VP"}),
        );
        lead.values.extend(more.as_object().expect("an object").clone());
        lead
    }

    fn world(more: Vec<Record>) -> World {
        World::of([vec![contact()], more].concat())
    }

    fn employed(more: Vec<Record>) -> World {
        let company = record("hubspot.company", "9", json!({"name": "Acme"}));
        let owner = record("hubspot.owner", "11", json!({"email": "r@s.example"}));
        let mut world = world([vec![company, owner, lead(&json!({}))], more].concat());
        world.associated.insert("company".to_owned(), "9".to_owned());
        world
    }

    fn account() -> LinkedPair {
        LinkedPair { id: "9".to_owned(), to: "001".to_owned(), ..LinkedPair::default() }
    }

    fn followed(lead: &str, contact: &str) -> Vec<LinkChange> {
        let fate = |by: &str| LinkChange {
            by: by.to_owned(),
            fate: LinkFate::Became {
                from: lead.to_owned(),
                object: name("salesforce.Contact"),
                id: contact.to_owned(),
            },
        };
        vec![fate("lead"), fate("older")]
    }

    fn refusal(end: &Finished) -> &crate::eval::Park {
        match end.conversion.as_ref().map(|conversion| &conversion.end) {
            Some(ConversionEnd::Refused(park)) => park,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_lead_is_converted_behind_its_write_and_its_pairs_follow() {
        let mut world = world(vec![lead(&json!({"Title": "?"}))]);
        let end = world.run(&converting(KEY, PLAIN), "lead");
        assert!(matches!(&end.verdict, Verdict::Written { .. }), "{end:?}");
        assert_eq!(world.log[world.log.len() - 2..], ["write Lead", "convert new"]);
        let request = &world.conversions[0];
        assert_eq!((request.status.as_str(), &request.account, &request.owner), ("Qualified", &None, &None));
        assert_eq!(request.opportunity, None);
        let (_, into) = end.converted().expect("a conversion");
        assert_eq!((into.contact.as_str(), &into.opportunity), ("003", &None));
        assert_eq!(end.links, followed("new", "003"));
    }

    #[test]
    fn a_lead_that_needs_no_write_is_converted_all_the_same() {
        let mut world = world(vec![lead(&json!({}))]);
        let end = world.run(&converting(KEY, PLAIN), "lead");
        assert!(matches!(&end.verdict, Verdict::Unchanged { id, .. } if id == "L1"), "{end:?}");
        assert_eq!((world.writes.len(), world.conversions[0].id.as_str()), (0, "L1"));
        assert!(end.converted().is_some_and(|(conversion, _)| conversion.at.line > 0));
    }

    #[test]
    fn it_goes_to_the_account_of_its_company_with_the_owner_of_the_contact() {
        let user = record("salesforce.User", "U1", json!({"Email": "r@s.example"}));
        let mut world = employed(vec![user.clone()]);
        world.links = vec![account()];
        let end = world.run(&converting(KEY, ALL), "lead");
        assert!(end.converted().is_some(), "{end:?}");
        let request = &world.conversions[0];
        let said = (request.account.as_deref(), request.opportunity.as_deref(), request.owner.as_deref());
        assert_eq!(said, (Some("001"), Some("Acme"), Some("U1")));

        // Two users: the failure keeps the Lead's owner.
        let mut world =
            employed(vec![user, record("salesforce.User", "U2", json!({"Email": "r@s.example"}))]);
        world.links = vec![account()];
        world.run(&converting(KEY, ALL), "lead");
        assert_eq!(world.conversions[0].owner, None);
    }

    #[test]
    fn without_an_account_it_waits_parks_or_lets_salesforce_make_one_and_nothing_is_written() {
        let mut waits = employed(vec![]);
        waits.records[3].values.insert("Title".to_owned(), json!("?"));
        let end = waits.run(&converting(KEY, ALL), "lead");
        let Verdict::Waiting { pairs, .. } = &end.verdict else { panic!("{end:?}") };
        assert_eq!(pairs[0].to_string(), "the salesforce.Account of hubspot.company 9");
        assert_eq!((waits.writes.len(), waits.conversions.len()), (0, 0));
        // Without an employer there is no pair to wait for, only a change of the contact.
        let end = world(vec![lead(&json!({}))]).run(&converting(KEY, ALL), "lead");
        assert!(
            matches!(&end.verdict, Verdict::Waiting { pairs, fields, .. } if pairs.is_empty() && !fields.is_empty())
        );

        let park = ALL.replace("otherwise wait", "otherwise park \"whose?\"");
        let mut parks = employed(vec![]);
        assert_eq!(parked(&parks.run(&converting(KEY, &park), "lead")).reason, "whose?");
        assert!(parks.conversions.is_empty());

        let create = ALL.replace("otherwise wait", "otherwise create");
        let mut creates = employed(vec![]);
        assert!(creates.run(&converting(KEY, &create), "lead").converted().is_some());
        assert_eq!(creates.conversions[0].account, None);
    }

    #[test]
    fn several_accounts_are_for_a_person() {
        let mut world = employed(vec![]);
        world.links = vec![account(), LinkedPair { to: "002".to_owned(), ..account() }];
        let create = ALL.replace("otherwise wait", "otherwise create");
        let end = world.run(&converting(KEY, &create), "lead");
        assert!(parked(&end).at.is_some() && world.conversions.is_empty(), "{end:?}");
    }

    #[test]
    fn a_refusal_is_a_result_of_its_own_and_the_write_stays() {
        let error = FieldError { code: "BAD".to_owned(), message: "no".to_owned(), fields: Vec::new() };
        let mut world = world(vec![lead(&json!({"Title": "?"}))]);
        world.converted.push_back(ConvertAnswer::Rejected { errors: vec![error] });
        let end = world.run(&converting(KEY, PLAIN), "lead");
        assert!(matches!(&end.verdict, Verdict::Written { .. }), "{end:?}");
        let park = refusal(&end);
        assert_eq!(park.reason, "Salesforce refused to convert the Lead");
        assert_eq!(park.answer.as_deref(), Some("BAD: no"));
        assert_eq!(end.troubled().map(|park| park.reason), Some(park.reason.clone()));
        assert!(end.links.is_empty() && end.converted().is_none());
    }

    #[test]
    fn somebody_who_was_quicker_is_found_by_reading_the_lead_again() {
        let already = ConvertAnswer::Already { message: "converted".to_owned() };
        let mut quick = world(vec![
            lead(&json!({"IsConverted": true, "ConvertedContactId": "C1"})),
            record("salesforce.Contact", "C1", json!({})),
        ]);
        // The ladder still sees the Lead as it was.
        let mut run = crate::eval::Run::start(converting(KEY, PLAIN).into(), "lead", "1").expect("a run");
        let mut effect = run.next(None);
        let end = loop {
            effect = match effect {
                crate::eval::Effect::Finish(end) => break end,
                crate::eval::Effect::Find(_) if quick.conversions.is_empty() => {
                    run.next(Some(crate::eval::Answer::Found(vec![vec![lead(&json!({}))]])))
                }
                crate::eval::Effect::Convert(planned) => {
                    quick.conversions.push(planned.request);
                    run.next(Some(crate::eval::Answer::Converted(already.clone())))
                }
                effect => {
                    let answer = quick.perform(effect);
                    run.next(Some(answer))
                }
            };
        };
        assert_eq!(end.mapping, "known");
        assert!(end.conversion.is_none(), "it was not this run's: {end:?}");
        assert_eq!(end.links, followed("L1", "C1"));

        let mut stubborn = world(vec![lead(&json!({}))]);
        stubborn.converted.extend((0..9).map(|_| already.clone()));
        let end = stubborn.run(&converting(KEY, PLAIN), "lead");
        assert_eq!((parked(&end).reason.as_str(), stubborn.conversions.len()), ("the Lead is converted", 3));
        let mut gone = world(vec![lead(&json!({}))]);
        gone.converted.extend((0..9).map(|_| ConvertAnswer::Gone { message: "gone".to_owned() }));
        let end = gone.run(&converting(KEY, PLAIN), "lead");
        assert_eq!((parked(&end).reason.as_str(), gone.conversions.len()), ("the Lead is gone", 3));
    }

    #[test]
    fn a_lead_that_a_rep_has_converted_hands_its_contact_over_and_its_pairs_follow() {
        let converted = lead(&json!({"IsConverted": true, "ConvertedContactId": "C1"}));
        let known = record("salesforce.Contact", "C1", json!({}));
        let mut world = world(vec![converted, known]);
        let end = world.run(&converting(KEY, PLAIN), "lead");
        assert_eq!((end.mapping.as_str(), world.conversions.len()), ("known", 0));
        assert!(matches!(end.verdict, Verdict::Written { .. }), "{end:?}");
        assert_eq!(end.links, followed("L1", "C1"));
    }

    #[test]
    fn without_a_key_the_pair_says_that_there_is_no_lead_any_more() {
        let plan = converting("Email = email where IsConverted = false", PLAIN);
        let became = LinkedPair {
            id: "1".to_owned(),
            to: "L1".to_owned(),
            gone: true,
            became: Some("C1".to_owned()),
            ..LinkedPair::default()
        };
        let mut world = world(vec![record("salesforce.Contact", "C1", json!({}))]);
        world.links = vec![became];
        let end = world.run(&plan, "lead");
        assert_eq!(end.mapping, "known", "{end:?}");
        assert_eq!(world.writes[0].target, crate::types::WriteTarget::Update { id: "C1".to_owned() });
    }

    #[test]
    fn an_event_alone_turns_the_pair() {
        let pair = LinkedPair { id: "1".to_owned(), to: "L1".to_owned(), ..LinkedPair::default() };
        let cause = Cause::TargetConverted { target: "L1".to_owned(), into: Some("C1".to_owned()) };
        let start = |links: Vec<LinkedPair>| {
            let run = crate::eval::Run::start(converting(KEY, PLAIN).into(), "lead", "1").expect("a run");
            let mut world = World { links, ..World::default() };
            (world.go(run.because(Some(cause.clone()))), world.log)
        };
        let (end, log) = start(vec![pair.clone()]);
        assert!(matches!(&end.verdict, Verdict::Relinked { forgotten: false, reason, .. }
            if reason == "salesforce.Lead L1 was converted into Contact C1, to which hubspot.contact 1 belongs from now on"));
        assert_eq!((end.links, log), (followed("L1", "C1"), vec!["links Lead".to_owned()]));
        let turned = LinkedPair { gone: true, became: Some("C1".to_owned()), ..pair };
        let (end, _) = start(vec![turned]);
        assert!(matches!(end.verdict, Verdict::Skipped { .. }) && end.links.is_empty());
    }

    #[test]
    fn a_new_lead_can_be_converted_at_once() {
        let text = "mapping lead {\n from hubspot.contact\n to salesforce.Lead\n when created\n \
                    match { key HubSpot_Contact_ID__c = id }\n on none create\n on converted skip\n on duplicate park\n \
                    on rejected drop field\n convert to \"Qualified\" {\n account create\n opportunity none\n }\n fields {\n \
                    LastName <- \"Doe\"\n Company <- \"Acme\"\n Title <- jobtitle | truncate(128) }\n}\n";
        let refused = WriteAnswer::Rejected {
            errors: vec![FieldError {
                code: "BAD".to_owned(),
                message: "no".to_owned(),
                fields: vec!["Title".to_owned()],
            }],
        };
        let mut world = world(vec![]).answering([refused]);
        let end = world.run(&plan(text), "lead");
        assert!(matches!(end.verdict, Verdict::Written { created: true, .. }), "{end:?}");
        assert_eq!((world.writes.len(), world.conversions.len()), (2, 1), "also behind a second write");
    }
}
