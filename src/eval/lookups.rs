//! Look-ups: fields of other records, counterparts by the pairs settled before, and record types.

use crate::plan::{Expr, Lookup, Mapping, Rule, Sought};
use crate::source::ObjectName;
use crate::types::{
    AwaitedPair, Failure, FindRequest, LinkRequest, LinkedPair, Record, Value, display, quoted, read,
};

use super::effect::{Effect, Verdict};
use super::ladder::{Tests, filters, ids};
use super::run::{Next, Run, State, raw};

/// A `linked` under way: asked once for each object that its id may be of.
#[derive(Debug)]
pub(super) struct Linking {
    /// The look-up.
    index: usize,
    /// The record whose counterpart is asked for.
    id: String,
    /// The objects not asked for yet, the next one last.
    open: Vec<ObjectName>,
    /// The counterparts so far.
    found: Vec<String>,
    /// What follows.
    wanted: Vec<usize>,
    then: Next,
}

impl Run {
    /// Makes the look-ups wanted that are not made yet, those inside others first.
    pub(super) fn look_up(&mut self, mapping: &Mapping, wanted: Vec<usize>, then: Next) -> Effect {
        let mut asked = Vec::new();
        let mut requests: Vec<FindRequest> = Vec::new();
        let mut link: Option<(usize, String)> = None;
        for &index in &wanted {
            let lookup = &mapping.lookups[index];
            let ready = lookup.needs.iter().all(|needed| self.lookups[*needed].is_some());
            if self.lookups[index].is_some() || !ready {
                continue;
            }
            let (tests, field) = match &lookup.what {
                Sought::Field { tests, field, .. } => (tests, Some(field)),
                Sought::RecordType { tests, .. } => (tests, None),
                Sought::Linked { id, .. } => {
                    link = link.or(self.linked_id(mapping, index, id));
                    continue;
                }
            };
            match self.with_frame(mapping, |frame| filters(frame, lookup.object.side, tests)) {
                Ok(Tests::Filters(filters)) => {
                    asked.push(index);
                    requests.push(FindRequest {
                        object: lookup.object.clone(),
                        filters,
                        ids: ids(tests),
                        fields: field.into_iter().cloned().collect(),
                        limit: 2,
                    });
                }
                Ok(Tests::Nothing) => self.lookups[index] = Some(Ok(Value::Blank)),
                Err(failure) => self.lookups[index] = Some(Err(failure)),
            }
        }
        if !requests.is_empty() {
            self.state = State::Lookups { asked, wanted, then };
            return Effect::Find(requests);
        }
        if let Some((index, id)) = link {
            return self.ask_linked(mapping, index, id, wanted, then);
        }
        if wanted.iter().any(|index| self.lookups[*index].is_none()) {
            // Those inside others were settled without a request; now the outer ones are ready.
            return self.look_up(mapping, wanted, then);
        }
        match then {
            Next::Guards => self.guards(mapping),
            Next::Ladder => self.enter_ladder(mapping),
            Next::Write => self.write(mapping),
        }
    }

    /// The id whose counterpart a look-up asks for; a blank or a failure settles it.
    fn linked_id(&mut self, mapping: &Mapping, index: usize, id: &Expr) -> Option<(usize, String)> {
        match self.with_frame(mapping, |frame| frame.value(id)) {
            Ok(Value::Blank) => self.lookups[index] = Some(Ok(Value::Blank)),
            Ok(id) => return Some((index, display(&id))),
            Err(failure) => self.lookups[index] = Some(Err(failure)),
        }
        None
    }

    /// Goes on with the records that look-ups found.
    pub(super) fn look_ups_found(
        &mut self,
        mapping: &Mapping,
        asked: Vec<usize>,
        found: Vec<Vec<Record>>,
        wanted: Vec<usize>,
        then: Next,
    ) -> Effect {
        for (index, records) in asked.into_iter().zip(found) {
            let found = self.looked_up(mapping, &mapping.lookups[index], &records);
            self.lookups[index] = Some(found);
        }
        self.look_up(mapping, wanted, then)
    }

    /// Ends the run until something that a rule reads has changed.
    pub(super) fn wait(&mut self, mapping: &Mapping, rule: &Rule, reason: String) -> Effect {
        let (fields, at) = (mapping.reads.clone(), Some(rule.at.clone()));
        self.finish(Verdict::Waiting { reason, fields, pairs: Vec::new(), at })
    }

    /// What a look-up gives: the field of the one record that matches.
    fn looked_up(&self, mapping: &Mapping, lookup: &Lookup, records: &[Record]) -> Result<Value, Failure> {
        match (&lookup.what, records) {
            (Sought::Field { field, ty, .. }, [one]) => read(&raw(one, field), ty),
            (Sought::Field { field, .. }, [_, ..]) => {
                Err(Failure::new(format!("`lookup {}.{field}` finds several records", lookup.object))
                    .mend(lookup.at.clone(), "add a test to its `where`, so that only one record matches"))
            }
            (Sought::RecordType { .. }, [one, ..]) => Ok(Value::text(&one.id)),
            (Sought::RecordType { name, .. }, []) => {
                let name = self.with_frame(mapping, |frame| frame.value(name))?;
                let message = format!(
                    "the org has no active record type {} of {}",
                    quoted(&display(&name)),
                    mapping.target
                );
                let help = "make it in the org, or take the snapshot again and name another";
                Err(Failure::new(message).mend(lookup.at.clone(), help))
            }
            (_, _) => Ok(Value::Blank),
        }
    }

    fn ask_linked(
        &mut self,
        mapping: &Mapping,
        index: usize,
        id: String,
        wanted: Vec<usize>,
        then: Next,
    ) -> Effect {
        let open = match &mapping.lookups[index].what {
            Sought::Linked { of, .. } => of.iter().rev().cloned().collect(),
            _ => Vec::new(),
        };
        self.link(mapping, Linking { index, id, open, found: Vec::new(), wanted, then })
    }

    /// Asks for the next object's pairs, or settles the look-up.
    fn link(&mut self, mapping: &Mapping, mut linking: Linking) -> Effect {
        let lookup = &mapping.lookups[linking.index];
        if let Some(of) = linking.open.pop() {
            let request =
                LinkRequest { by: None, of, ids: vec![linking.id.clone()], to: lookup.object.clone() };
            self.state = State::Linked(Box::new(linking));
            return Effect::Links(request);
        }
        let Linking { index, id, found, wanted, then, .. } = linking;
        let result = match found.as_slice() {
            [] => {
                if let Sought::Linked { of, .. } = &lookup.what {
                    let pair = |of: &ObjectName| AwaitedPair {
                        of: of.clone(),
                        id: id.clone(),
                        to: lookup.object.clone(),
                    };
                    self.unpaired.extend(of.iter().map(|of| (index, pair(of))));
                }
                Ok(Value::Blank)
            }
            [one] => Ok(Value::text(one)),
            _ => {
                let message =
                    format!("{} is paired with several {}: {}", id, lookup.object, found.join(", "));
                Err(Failure::new(message)
                    .mend(lookup.at.clone(), "merge them, or correct the mapping that pairs them"))
            }
        };
        self.lookups[index] = Some(result);
        self.look_up(mapping, wanted, then)
    }

    /// Goes on with the pairs of one object.
    pub(super) fn counterparts(
        &mut self,
        mapping: &Mapping,
        mut linking: Linking,
        pairs: Vec<LinkedPair>,
    ) -> Effect {
        for pair in pairs {
            if pair.id == linking.id && !pair.gone && !linking.found.contains(&pair.to) {
                linking.found.push(pair.to);
            }
        }
        self.link(mapping, linking)
    }

    /// The pairs that some look-ups did not find yet.
    pub(super) fn unpaired_in(&self, lookups: &[usize]) -> Vec<AwaitedPair> {
        let those = self.unpaired.iter().filter(|(index, _)| lookups.contains(index));
        those.map(|(_, pair)| pair.clone()).collect()
    }

    /// Whether a rule's blank comes of a pair that is not there yet: then the record waits for it, and not where its value
    /// would be blank all the same.
    pub(super) fn waits_for_pair(&mut self, mapping: &Mapping, rule: &Rule) -> Option<Verdict> {
        let pairs = self.unpaired_in(&rule.lookups);
        let first = pairs.first()?;
        let reason = format!("{first} is not there yet");
        let mut supposed = self.lookups.clone();
        for (index, pair) in &self.unpaired {
            supposed[*index] = Some(Ok(Value::text(&pair.id)));
        }
        let known = std::mem::replace(&mut self.lookups, supposed);
        let value = self.with_frame(mapping, |frame| frame.value(&rule.value));
        self.lookups = known;
        let blank_all_the_same = value.is_ok_and(|value| value.is_blank());
        let (fields, at) = (mapping.reads.clone(), Some(rule.at.clone()));
        (!blank_all_the_same).then_some(Verdict::Waiting { reason, fields, pairs, at })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::eval::testing::{World, parked, record, sent};
    use crate::eval::{Finished, Verdict};
    use crate::plan::{Plan, testing::plan};
    use crate::types::{LinkedPair, Value};

    /// Companies become Opportunities of their parent's Account.
    fn opportunity(rule: &str, record_type: &str) -> Plan {
        plan(&format!(
            "mapping opportunity {{\n from hubspot.contact\n to salesforce.Opportunity\n \
             with employer = primary hubspot.company\n when created\n match {{ key HubSpot_Deal_ID__c = id }}\n \
             on none create\n on duplicate park\n on rejected park\n {record_type}\n \
             fields {{ Name <- first_present(company, \"Deal\") | truncate(120)\n {rule} }}\n}}\n\
             mapping account {{\n from salesforce.Account\n to hubspot.company\n when created\n match {{ name = Name }}\n \
             on none create\n on many park\n on rejected park\n fields {{ name <- Name }}\n}}\n"
        ))
    }

    const RULE: &str = "AccountId <- linked salesforce.Account of employer";

    fn world(pairs: &[&str]) -> World {
        let contact = record("hubspot.contact", "1", json!({"company": "Acme"}));
        let mut world = World::of(vec![contact, record("hubspot.company", "9", json!({}))]);
        world.associated.insert("company".to_owned(), "9".to_owned());
        let pair = |to: &&str| LinkedPair {
            id: "9".to_owned(),
            to: (*to).to_owned(),
            gone: false,
            became: None,
            merged_into: None,
            inherited: false,
            synced: BTreeMap::default(),
        };
        world.links = pairs.iter().map(pair).collect();
        world
    }

    fn end(rule: &str, pairs: &[&str]) -> (Finished, World) {
        let mut world = world(pairs);
        let end = world.run(&opportunity(rule, ""), "opportunity");
        (end, world)
    }

    #[test]
    fn a_counterpart_is_its_id() {
        let (_, world) = end(&format!("{RULE} otherwise wait"), &["001A"]);
        assert_eq!(sent(&world.writes[0], "AccountId"), Some(&Value::text("001A")));
        assert_eq!(world.log.iter().filter(|word| *word == "links Account").count(), 1);
    }

    #[test]
    fn no_counterpart_is_blank_or_waited_for() {
        let (end_, world) = end(&format!("{RULE} otherwise keep"), &[]);
        assert!(matches!(end_.verdict, Verdict::Written { .. }), "{end_:?}");
        assert_eq!(sent(&world.writes[0], "AccountId"), None);

        let (end_, world) = end(&format!("{RULE} otherwise wait"), &[]);
        let Verdict::Waiting { pairs, reason, .. } = &end_.verdict else { panic!("{end_:?}") };
        assert_eq!(reason, "the salesforce.Account of hubspot.company 9 is not there yet");
        assert_eq!(pairs.len(), 1);
        assert!(world.writes.is_empty());
    }

    #[test]
    fn a_blank_that_does_not_come_of_the_pair_is_not_waited_for() {
        let rule = "AccountId <- if country is present then linked salesforce.Account of employer else nothing otherwise wait";
        let (end_, _) = end(rule, &[]);
        assert!(matches!(end_.verdict, Verdict::Written { .. }), "{end_:?}");
        let rule = "AccountId <- first_present(linked salesforce.Account of employer, \"001000000000001\") otherwise wait";
        let (_, world) = end(rule, &[]);
        assert_eq!(sent(&world.writes[0], "AccountId"), Some(&Value::text("001000000000001")));
    }

    #[test]
    fn several_counterparts_are_a_failure() {
        let (end_, _) = end(&format!("{RULE} otherwise park"), &["001A", "001B"]);
        assert_eq!(parked(&end_).reason, "9 is paired with several salesforce.Account: 001A, 001B");
        let (end_, _) = end(&format!("{RULE} otherwise park"), &["001A", "001A"]);
        assert!(matches!(end_.verdict, Verdict::Written { .. }), "twice the same is one: {end_:?}");
    }

    #[test]
    fn a_record_type_is_looked_up_by_its_developer_name_for_a_new_record_only() {
        let types = "record type if country is present then \"Existing Business\" else \"New Business\"";
        let plan = opportunity("", types);
        let record_type = |id: &str, name: &str| {
            let values = json!({"SobjectType": "Opportunity", "DeveloperName": name, "IsActive": true});
            record("salesforce.RecordType", id, values)
        };
        let mut world = world(&[]);
        world.records.extend([record_type("012A", "Existing_Business"), record_type("012B", "New_Business")]);
        world.run(&plan, "opportunity");
        assert_eq!(sent(&world.writes[0], "RecordTypeId"), Some(&Value::text("012B")));

        let held = json!({"HubSpot_Deal_ID__c": "1", "Name": "Old"});
        world.records.push(record("salesforce.Opportunity", "006", held));
        world.log.clear();
        world.run(&plan, "opportunity");
        assert_eq!(sent(&world.writes[1], "RecordTypeId"), None);
        assert!(!world.log.iter().any(|word| word == "find RecordType"), "{:?}", world.log);
    }

    #[test]
    fn a_record_type_that_the_org_lacks_parks() {
        let plan = opportunity("", "record type \"New Business\"");
        let end_ = world(&[]).run(&plan, "opportunity");
        assert_eq!(
            parked(&end_).reason,
            "the org has no active record type `New_Business` of salesforce.Opportunity"
        );
        assert_eq!(parked(&end_).field.as_deref(), Some("RecordTypeId"));
    }
}
