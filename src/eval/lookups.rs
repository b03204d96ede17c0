//! Look-ups: fields of other records, counterparts by the pairs settled before, and record types.

use crate::plan::{Lookup, Mapping, Rule, Sought};
use crate::source::ObjectName;
use crate::types::{
    AwaitedPair, Failure, FindRequest, LinkRequest, LinkedPair, Record, Value, display, quoted, read,
};

use super::effect::{Effect, Verdict};
use super::ladder::{Tests, filters};
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
                    match self.with_frame(mapping, |frame| frame.value(id)) {
                        Ok(Value::Blank) => self.lookups[index] = Some(Ok(Value::Blank)),
                        Ok(id) => link = link.or_else(|| Some((index, display(&id)))),
                        Err(failure) => self.lookups[index] = Some(Err(failure)),
                    }
                    continue;
                }
            };
            match self.with_frame(mapping, |frame| filters(frame, tests)) {
                Ok(Tests::Filters(filters)) => {
                    asked.push(index);
                    requests.push(FindRequest {
                        object: lookup.object.clone(),
                        filters,
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

    /// What a look-up gives: the field of the one record that matches.
    pub(super) fn looked_up(
        &self,
        mapping: &Mapping,
        lookup: &Lookup,
        records: &[Record],
    ) -> Result<Value, Failure> {
        match (&lookup.what, records) {
            (Sought::Field { field, ty, .. }, [one]) => read(&raw(one, field), ty),
            (Sought::Field { field, .. }, [_, ..]) => {
                Err(Failure::new(format!("`lookup {}.{field}` finds several records", lookup.object))
                    .mend(lookup.at.clone(), "add a test to its `where`, so that only one record matches"))
            }
            (Sought::RecordType { .. }, [one, ..]) => Ok(Value::text(&one.id)),
            (Sought::RecordType { name, .. }, []) => {
                let name = self.with_frame(mapping, |frame| frame.value(name))?;
                let message =
                    format!("the org has no active record type {} of {}", quoted(&display(&name)), mapping.target);
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
                let message = format!("{} is paired with several {}: {}", id, lookup.object, found.join(", "));
                Err(Failure::new(message).mend(lookup.at.clone(), "merge them, or correct the mapping that pairs them"))
            }
        };
        self.lookups[index] = Some(result);
        self.look_up(mapping, wanted, then)
    }

    /// Goes on with the pairs of one object.
    pub(super) fn linked(&mut self, mapping: &Mapping, mut linking: Linking, pairs: Vec<LinkedPair>) -> Effect {
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
