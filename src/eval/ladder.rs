//! The match ladder: the key, the rungs, and what becomes of the record found.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::plan::{
    CONVERTED_CONTACT, Convert, Key, Mapping, Need, OutcomeAction, Rule, Rung, Situation, Test, TestOp,
};
use crate::source::{Location, Side};
use crate::syntax::ast::{CompareOp, Presence};
use crate::types::{
    Failure, Filter, FilterOp, FindRequest, Raw, ReadRequest, Record, Value, as_held, beyond_years, display,
    quoted, read, text_length,
};

use super::effect::{Effect, Park, Verdict};
use super::expression::Frame;
use super::run::{Leg, Next, Run, State, raw};
use super::trace::Point;

/// How many records a rung reads where the newest of several is wanted. More than this share one value only by mistake.
const SEVERAL: u32 = 200;

/// Text that is longer than this matches nothing: both CRMs compare only fields that hold less (Salesforce's long text
/// areas cannot be filtered by), and refuse a call that tries.
const LONGEST: usize = 4_000;

/// The tests of a look-up with their values.
pub(super) enum Tests {
    /// What must hold.
    Filters(Vec<Filter>),
    /// A value is blank, or one that no field holds, so nothing can match.
    Nothing,
}

/// The field that every record of Salesforce's has.
const ID: &str = "Id";

/// Gives the tests of a look-up in this CRM their values. One that no field of it can hold is asked for in no call, since
/// the CRM would refuse it.
pub(super) fn filters(frame: &Frame<'_>, side: Side, tests: &[Test]) -> Result<Tests, Failure> {
    let mut filters = Vec::with_capacity(tests.len());
    for test in tests {
        let field = test.field.clone();
        let filter = match &test.op {
            TestOp::Presence(Presence::Present) => Filter { field, op: FilterOp::Present },
            TestOp::Presence(Presence::Blank) => Filter { field, op: FilterOp::Blank },
            TestOp::Compare(op, value) => match compared(side, &field, *op, frame.value(value)?) {
                Some(filter) => filter,
                None => return Ok(Tests::Nothing),
            },
            TestOp::In(values) => {
                let values = values.iter().map(|value| frame.value(value)).collect::<Result<Vec<_>, _>>()?;
                let can_be = |value: &Value| !value.is_blank() && is_held(side, value);
                let values: Vec<Value> = values.into_iter().filter(can_be).collect();
                if values.is_empty() {
                    return Ok(Tests::Nothing);
                }
                Filter { field, op: FilterOp::In(values) }
            }
        };
        filters.push(filter);
    }
    Ok(Tests::Filters(filters))
}

/// The fields that hold ids, where they are compared with text that may be none.
pub(super) fn ids(tests: &[Test]) -> Vec<String> {
    tests.iter().filter(|test| test.needs_id).map(|test| test.field.clone()).collect()
}

/// A comparison as it is asked; `None` where it holds for no record.
fn compared(side: Side, field: &str, op: CompareOp, value: Value) -> Option<Filter> {
    if value.is_blank() {
        return None;
    }
    let filter = |op: FilterOp| Some(Filter { field: field.to_owned(), op });
    if is_held(side, &value) {
        return filter(comparison(op, value));
    }
    let beyond = beyond_years(side, &value);
    match op {
        // It is the value of no record.
        CompareOp::Eq => None,
        CompareOp::Ne if side == Side::Salesforce => {
            Some(Filter { field: ID.to_owned(), op: FilterOp::Present })
        }
        // All dates that are there lie on one side of it.
        CompareOp::Lt | CompareOp::Le if beyond == Some(Ordering::Greater) => filter(FilterOp::Present),
        CompareOp::Gt | CompareOp::Ge if beyond == Some(Ordering::Less) => filter(FilterOp::Present),
        _ if beyond.is_some() => None,
        _ => filter(comparison(op, value)),
    }
}

/// Whether a field can hold a value.
fn is_held(side: Side, value: &Value) -> bool {
    match value {
        Value::Text(text) => text.len() <= LONGEST || text_length(text) <= LONGEST,
        value => beyond_years(side, value).is_none(),
    }
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

/// Reads a target record by id, with everything that rules and policies need.
pub(super) fn target_read(mapping: &Mapping, id: String) -> ReadRequest {
    ReadRequest { object: mapping.target.clone(), ids: vec![id], fields: target_fields(mapping) }
}

fn target_fields(mapping: &Mapping) -> Vec<String> {
    mapping.target_fields.iter().map(|field| field.name.clone()).collect()
}

impl Run {
    /// Starts the ladder from its top: the key, then the pair that is remembered, then the rungs.
    pub(super) fn ladder(&mut self, mapping: &Mapping) -> Effect {
        if !self.link_asked && mapping.asks_for_its_pair() {
            return self.ask_link(mapping);
        }
        let Some(key) = &mapping.key else { return self.linked(mapping) };
        match self.key_value(mapping, key) {
            Ok(value) => {
                self.state = State::Key;
                let filters = vec![Filter { field: key.field.clone(), op: FilterOp::Eq(value) }];
                Effect::Find(vec![FindRequest {
                    object: mapping.target.clone(),
                    filters,
                    ids: Vec::new(),
                    fields: target_fields(mapping),
                    limit: 2,
                }])
            }
            Err(failure) => self.park_failure(failure, Some(&key.field), key.at.clone()),
        }
    }

    /// The key's value as the CRM holds it, which the checker proves to be there; a record whose raw value cannot be read
    /// still fails.
    pub(super) fn key_value(&self, mapping: &Mapping, key: &Key) -> Result<Value, Failure> {
        let value = self.with_frame(mapping, |frame| frame.value(&key.value))?;
        match as_held(&mapping.target, &key.field, value) {
            Value::Blank => Err(Failure::new(format!("the key `{}` is blank", key.field))),
            value => Ok(value),
        }
    }

    pub(super) fn key_found(&mut self, mapping: &Mapping, mut records: Vec<Record>) -> Effect {
        if let (Some(key), false) = (&mapping.key, records.is_empty()) {
            self.hit(&key.at, Point::Found);
        }
        match records.len() {
            0 => self.linked(mapping),
            // It holds the key by the CRM's own comparison, which may ignore case, so it is nobody else's.
            1 if !is_converted(mapping, &records[0]) => self.key_and_inherited(mapping, records.remove(0)),
            1 => self.converted_found(mapping, &records[0]),
            _ => self.many(mapping, records, None),
        }
    }

    pub(super) fn rung(&mut self, mapping: &Mapping, from: usize) -> Effect {
        let newest =
            mapping.outcome(Situation::Many).is_some_and(|outcome| outcome.action == OutcomeAction::Newest);
        for (index, rung) in mapping.rungs.iter().enumerate().skip(from) {
            match self.with_frame(mapping, |frame| filters(frame, rung.object.side, &rung.tests)) {
                Ok(Tests::Nothing) => {}
                Ok(Tests::Filters(filters)) => {
                    self.state = State::Rung(index);
                    let fields =
                        if rung.object == mapping.target { target_fields(mapping) } else { Vec::new() };
                    let limit = if newest { SEVERAL } else { 2 };
                    return Effect::Find(vec![FindRequest {
                        object: rung.object.clone(),
                        filters,
                        ids: ids(&rung.tests),
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
        if !records.is_empty() {
            self.hit(&rung.at, Point::Found);
        }
        match records.len() {
            0 => self.rung(mapping, index + 1),
            1 => self.rung_decides(mapping, records.remove(0), Some(rung)),
            _ => self.many(mapping, records, Some(rung)),
        }
    }

    fn none(&mut self, mapping: &Mapping) -> Effect {
        let outcome = self.outcome(mapping, Situation::None);
        let at = outcome.map(|outcome| outcome.at.clone());
        let reason = format!("no {} matches", mapping.target.name);
        match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Create) | None => self.read_related(mapping, 0, Need::Rules),
            Some(OutcomeAction::Park(said)) => {
                self.park(Park { at, ..Park::because(said.clone().unwrap_or(reason)) })
            }
            Some(_) => self.finish(Verdict::Skipped { reason, at }),
        }
    }

    /// Several records match the key (`None`) or a rung.
    fn many(&mut self, mapping: &Mapping, mut records: Vec<Record>, rung: Option<&Rung>) -> Effect {
        let outcome = self.outcome(mapping, Situation::Many);
        let pick = match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Oldest) => Some(0),
            Some(OutcomeAction::Newest) => Some(records.len() - 1),
            _ => None,
        };
        if let Some(pick) = pick {
            let record = records.swap_remove(pick);
            return self.rung_decides(mapping, record, rung);
        }
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let reason = match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Park(Some(said))) => said.clone(),
            _ => format!("several {} records match", rung.map_or(&mapping.target, |rung| &rung.object).name),
        };
        let help = format!("merge or correct them in the CRM, then retry: {}", ids.join(", "));
        self.park(Park {
            at: outcome.map(|outcome| outcome.at.clone()),
            help: Some(help),
            ..Park::because(reason)
        })
    }

    /// One record is the one: this mapping's, or that of the mapping to which its rung hands over.
    fn rung_decides(&mut self, mapping: &Mapping, record: Record, rung: Option<&Rung>) -> Effect {
        match rung.and_then(|rung| Some((rung, rung.then.as_ref()?))) {
            Some((rung, then)) => {
                let why = format!("a {} matches ({})", rung.object.name, rung.at);
                self.hand_over(then, Some(record.id), &why)
            }
            None => self.found(mapping, record, rung.map(|rung| &rung.at)),
        }
    }

    /// Takes the record that a look-up found, unless it is converted or belongs to another source record.
    pub(super) fn found(
        &mut self,
        mapping: &Mapping,
        record: Record,
        adopted_at: Option<&Location>,
    ) -> Effect {
        if is_converted(mapping, &record) {
            return self.converted_found(mapping, &record);
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
        self.take(mapping, record)
    }

    /// The record found holds another key. `None` means: take it all the same.
    fn taken(
        &mut self,
        mapping: &Mapping,
        record: &Record,
        holder: &Value,
        found_at: Option<&Location>,
    ) -> Option<Effect> {
        let outcome = self.outcome(mapping, Situation::Taken);
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

    /// The Lead found was converted, and names its Contact itself.
    pub(super) fn converted_found(&mut self, mapping: &Mapping, record: &Record) -> Effect {
        self.converted(mapping, &record.id, contact_of(record))
    }

    /// The Lead was converted; its pair follows to the Contact, which goes along to the mapping that takes over.
    pub(super) fn converted(&mut self, mapping: &Mapping, lead: &str, contact: Option<String>) -> Effect {
        if let (Some(contact), Leg::No) = (&contact, self.leg) {
            self.follows(mapping, lead, contact);
        }
        let outcome = self.outcome(mapping, Situation::Converted);
        let at = outcome.map(|outcome| outcome.at.clone());
        let reason = format!("{} {lead} is converted", mapping.target.name);
        match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Then(name)) => self.hand_over(name, contact, &reason),
            Some(OutcomeAction::Skip) => self.finish(Verdict::Skipped { reason, at }),
            Some(OutcomeAction::Park(Some(said))) => self.park(Park { at, ..Park::because(said.clone()) }),
            _ => self.park(Park { at, ..Park::because(reason) }),
        }
    }

    /// Takes a record that holds the key of a source record which is no more.
    pub(super) fn take_inherited(&mut self, mapping: &Mapping, record: Record) -> Effect {
        if is_converted(mapping, &record) {
            return self.converted_found(mapping, &record);
        }
        self.take(mapping, record)
    }

    /// Goes on to the rules with a record to update; what was read of related records and look-ups stays.
    pub(super) fn take(&mut self, mapping: &Mapping, record: Record) -> Effect {
        self.target = Some(record);
        self.read_related(mapping, 0, Need::Rules)
    }

    /// The rules that are not left out whatever their value would be.
    pub(super) fn applying<'m>(&self, mapping: &'m Mapping) -> impl Iterator<Item = &'m Rule> {
        let existing = self.target.as_ref();
        let converts = mapping.convert.iter().flat_map(Convert::rules);
        let rules = mapping.rules.iter().chain(converts);
        rules.filter(move |rule| super::rules::kept(mapping, rule, existing).is_none())
    }

    /// Makes the look-ups of the rules that apply, then writes.
    pub(super) fn look_up_for_write(&mut self, mapping: &Mapping) -> Effect {
        let eaches = mapping.eaches.iter().flat_map(|each| &each.lookups);
        let associations = eaches.chain(mapping.associates.iter().flat_map(|associate| &associate.lookups));
        let rules = self.applying(mapping).flat_map(|rule| &rule.lookups);
        let wanted: BTreeSet<usize> = rules.chain(associations).copied().collect();
        self.look_up(mapping, wanted.into_iter().collect(), Next::Write)
    }

    /// The look-ups of the target that found nothing, on which a new record relies.
    pub(super) fn relied_on(&self, mapping: &Mapping) -> Vec<FindRequest> {
        let own = mapping.rungs.iter().filter(|rung| rung.object == mapping.target);
        own.filter_map(|rung| {
            match self.with_frame(mapping, |frame| filters(frame, rung.object.side, &rung.tests)) {
                Ok(Tests::Filters(filters)) => Some(FindRequest {
                    object: rung.object.clone(),
                    filters,
                    ids: ids(&rung.tests),
                    fields: Vec::new(),
                    limit: 1,
                }),
                Ok(Tests::Nothing) | Err(_) => None,
            }
        })
        .collect()
    }
}

/// The Contact that a converted Lead names.
pub(super) fn contact_of(record: &Record) -> Option<String> {
    let contact = read(&raw(record, CONVERTED_CONTACT), &crate::types::Type::Text(Some(18)));
    contact.ok().filter(|id| !id.is_blank()).map(|id| display(&id))
}

pub(super) fn is_converted(mapping: &Mapping, record: &Record) -> bool {
    mapping.convertible && matches!(raw(record, "IsConverted"), Raw::Boolean(true))
}

/// A target field's value as it was read.
pub(super) fn old_value(mapping: &Mapping, record: &Record, field: &str) -> Result<Value, Failure> {
    let text = crate::types::Type::Text(None);
    read(&raw(record, field), mapping.target_type(field).unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::eval::Verdict;
    use crate::eval::testing::{World, parked, record, sent};
    use crate::plan::testing::{LEAD, Lead};
    use crate::types::{Record, Value, WriteTarget};

    const ALL: &str = "on none create\n on many park \"several\"\n on taken park \"belongs to another\"\n \
                       on converted then known\n on duplicate park\n on rejected park";
    const KNOWN: &str = "mapping known {\n from hubspot.contact\n to salesforce.Contact\n match { key HubSpot_Contact_ID__c = id }\n \
                         on none park \"the Contact is gone\"\n on taken park\n on rejected park\n fields { FirstName <- firstname | truncate(40) } }";
    const LADDER: Lead = Lead {
        rungs: "key HubSpot_Contact_ID__c = id\n or Email = email where IsConverted = false\n \
                or salesforce.Contact where Email = email then known",
        outcomes: ALL,
        beside: KNOWN,
        ..LEAD
    };

    fn contact() -> Record {
        record(
            "hubspot.contact",
            "1",
            json!({"email": "a@b.example", "firstname": "Jane", "lastname": "Doe"}),
        )
    }

    fn lead(id: &str, values: Json) -> Record {
        record("salesforce.Lead", id, values)
    }

    fn open(id: &str) -> Record {
        lead(id, json!({"Email": "a@b.example", "IsConverted": false, "LastName": "Doe", "Company": "Acme"}))
    }

    #[test]
    fn no_record_goes_down_the_ladder_to_a_new_one() {
        let mut world = World::of(vec![contact()]);
        let end = world.run(&LADDER.plan(), "lead");
        assert!(matches!(end.verdict, Verdict::Written { created: true, .. }), "{end:?}");
        assert_eq!(world.log, ["read contact", "find Lead", "find Lead", "find Contact", "write Lead"]);
        let key = "HubSpot_Contact_ID__c".to_owned();
        assert_eq!(world.writes[0].target, WriteTarget::Upsert { key, value: "1".to_owned() });
        assert_eq!(sent(&world.writes[0], "HubSpot_Contact_ID__c"), None, "the key stands in the address");
    }

    #[test]
    fn a_blank_value_finds_nothing_and_asks_nothing() {
        let mut world = World::of(vec![record("hubspot.contact", "1", json!({"email": null}))]);
        world.run(&LADDER.plan(), "lead");
        assert_eq!(world.log, ["read contact", "find Lead", "write Lead"]);
    }

    #[test]
    fn a_value_that_no_field_can_hold_finds_nothing() {
        let email = format!("{}@b.example", "x".repeat(5_000));
        let mut world = World::of(vec![record("hubspot.contact", "1", json!({ "email": email }))]);
        world.run(&LADDER.plan(), "lead");
        assert_eq!(world.log, ["read contact", "find Lead", "write Lead"]);
    }

    /// The look-ups that a Lead's title makes for a contact.
    fn looked_up(rule: &'static str, contact: Json) -> Vec<String> {
        let fields = Lead { fields: rule, ..crate::plan::testing::LEAD };
        let mut world = World::of(vec![record("hubspot.contact", "1", contact)]);
        world.run(&fields.plan(), "lead");
        world.log.into_iter().filter(|word| word.starts_with("find")).skip(1).collect()
    }

    #[test]
    fn a_look_up_says_which_fields_hold_ids() {
        let ids = |rule: &'static str| {
            let plan = Lead { fields: rule, ..crate::plan::testing::LEAD }.plan();
            let crate::plan::Sought::Field { tests, .. } =
                &plan.mappings[0].lookups.last().expect("a look-up").what
            else {
                panic!("a field is looked up")
            };
            super::ids(tests)
        };
        let text = "Title <- lookup salesforce.Contact.LastName where Email = email and AccountId = nickname otherwise keep";
        assert_eq!(ids(text), ["AccountId"]);
        // An id is one, whatever it looks like in a test.
        let id = "Title <- lookup salesforce.Contact.LastName where AccountId = lookup salesforce.Account.Id where Name = company otherwise keep";
        assert!(ids(id).is_empty());
    }

    #[test]
    fn a_date_that_salesforce_does_not_know_is_looked_for_in_no_call() {
        let rule =
            "Title <- lookup salesforce.Opportunity.Name where CloseDate = contract_date otherwise keep";
        assert!(looked_up(rule, json!({"contract_date": "0001-01-01"})).is_empty());
        let later =
            "Title <- lookup salesforce.Opportunity.Name where CloseDate > contract_date otherwise keep";
        assert!(looked_up(later, json!({"contract_date": "9999-01-01"})).is_empty());
        assert_eq!(looked_up(later, json!({"contract_date": "0001-01-01"})), ["find Opportunity"]);
    }

    #[test]
    fn the_key_decides_before_the_rungs() {
        let own = lead("L1", json!({"HubSpot_Contact_ID__c": "1", "LastName": "Doe", "Company": "Acme"}));
        let mut world = World::of(vec![contact(), open("L2"), own]);
        let end = world.run(&LADDER.plan(), "lead");
        assert!(matches!(&end.verdict, Verdict::Unchanged { id, .. } if id == "L1"), "{end:?}");
    }

    #[test]
    fn a_record_found_by_its_key_is_its_own_even_in_another_case() {
        let plan = Lead {
            rungs: "key HubSpot_Contact_ID__c = customer_code",
            head: "only if customer_code is present otherwise skip",
            ..LEAD
        }
        .plan();
        let own = lead("L1", json!({"HubSpot_Contact_ID__c": "ABC", "LastName": "Doe", "Company": "Acme"}));
        let mut world = World::of(vec![
            record("hubspot.contact", "1", json!({"customer_code": "abc", "lastname": "Doe"})),
            own,
        ]);
        let end = world.run(&plan, "lead");
        assert!(matches!(end.verdict, Verdict::Written { .. }), "{end:?}");
    }

    #[test]
    fn one_record_at_a_rung_is_adopted_and_stamped() {
        let mut world = World::of(vec![contact(), open("L1")]);
        world.run(&LADDER.plan(), "lead");
        assert_eq!(world.writes[0].target, WriteTarget::Update { id: "L1".to_owned() });
        assert_eq!(world.writes[0].fields, [("HubSpot_Contact_ID__c".to_owned(), Value::text("1"))]);
    }

    #[test]
    fn several_stop_the_ladder() {
        let mut world = World::of(vec![contact(), open("L1"), open("L2")]);
        let end = world.run(&LADDER.plan(), "lead");
        assert_eq!(parked(&end).reason, "several");
        assert!(parked(&end).help.as_deref().unwrap_or_default().ends_with("L1, L2"));
        assert!(world.writes.is_empty());
    }

    #[test]
    fn the_newest_or_the_oldest_of_several() {
        for (word, id) in [("newest", "L3"), ("oldest", "L1")] {
            let outcomes = if word == "newest" {
                "on none create\n on many newest\n on taken park\n on converted park\n on duplicate park\n on rejected park"
            } else {
                "on none create\n on many oldest\n on taken park\n on converted park\n on duplicate park\n on rejected park"
            };
            let mut world = World::of(vec![contact(), open("L1"), open("L2"), open("L3")]);
            world.run(&Lead { outcomes, ..LADDER }.plan(), "lead");
            assert_eq!(world.writes[0].target, WriteTarget::Update { id: id.to_owned() }, "{word}");
        }
    }

    #[test]
    fn several_at_a_rung_hand_over_to_that_rungs_mapping() {
        let plan = Lead {
            rungs: "key HubSpot_Contact_ID__c = id\n or salesforce.Contact where Email = nickname then known\n \
                    or salesforce.Contact where Email = email then other",
            outcomes: "on none create\n on many newest\n on converted park\n on duplicate park\n on rejected park",
            beside: "mapping known {\n from hubspot.contact\n to salesforce.Contact\n match { key HubSpot_Contact_ID__c = id }\n \
                     on none skip\n on taken park\n on rejected park\n fields { use both } }\n\
                     mapping other {\n from hubspot.contact\n to salesforce.Contact\n match { key HubSpot_Contact_ID__c = id }\n \
                     on none skip\n on taken park\n on rejected park\n fields { use both } }\n\
                     fields both from hubspot.contact { FirstName <- firstname | truncate(40) }",
            ..LEAD
        }
        .plan();
        let known = |id: &str| record("salesforce.Contact", id, json!({"Email": "a@b.example"}));
        let mut world = World::of(vec![contact(), known("C1"), known("C2")]);
        let end = world.run(&plan, "lead");
        assert_eq!(end.mapping, "other");
        assert_eq!(world.writes[0].target, WriteTarget::Update { id: "C2".to_owned() });
    }

    #[test]
    fn a_record_of_somebody_else_is_taken() {
        let mut theirs = open("L1");
        theirs.values.insert("HubSpot_Contact_ID__c".to_owned(), json!("2"));
        let end = World::of(vec![contact(), theirs.clone()]).run(&LADDER.plan(), "lead");
        assert_eq!(parked(&end).reason, "belongs to another");
        assert_eq!(parked(&end).help.as_deref(), Some("Lead L1 already belongs to hubspot.contact `2`"));

        let outcomes = "on none create\n on many park\n on taken adopt\n on converted park\n on duplicate park\n on rejected park";
        let mut world = World::of(vec![contact(), theirs]);
        world.run(&Lead { outcomes, ..LADDER }.plan(), "lead");
        assert_eq!(sent(&world.writes[0], "HubSpot_Contact_ID__c"), Some(&Value::text("1")));
    }

    #[test]
    fn a_converted_lead_hands_its_contact_over() {
        let old = lead(
            "L1",
            json!({"HubSpot_Contact_ID__c": "1", "IsConverted": true, "ConvertedContactId": "C1"}),
        );
        let mut world = World::of(vec![
            contact(),
            old.clone(),
            record("salesforce.Contact", "C1", json!({"FirstName": null})),
        ]);
        let end = world.run(&LADDER.plan(), "lead");
        assert_eq!(end.mapping, "known");
        assert_eq!(end.path, ["`lead`: Lead L1 is converted, so `known` takes over"]);
        assert_eq!(
            world.log,
            ["read contact", "find Lead", "read Contact", "write Contact"],
            "nothing is read again"
        );

        // Its Contact is gone: the ladder of the mapping that takes over runs.
        let end = World::of(vec![contact(), old]).run(&LADDER.plan(), "lead");
        assert_eq!((end.mapping.as_str(), parked(&end).reason.as_str()), ("known", "the Contact is gone"));
    }
}
