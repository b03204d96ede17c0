//! What the record written is associated with.
//!
//! It follows the write, so that a record is never kept back for an association: one whose counterpart is not there yet
//! is skipped, waited for or parked by itself, and the record's own result stands. Only differences are sent.

use std::collections::HashMap;

use crate::plan::{Associate, Ids, Mapping};
use crate::source::ObjectName;
use crate::types::{
    AssociateRequest, AssociatedRequest, AssociationKind, AwaitedPair, FindRequest, LinkRequest, LinkedPair,
    Record, Type, display, read,
};

use super::effect::{Answer, Association, Effect, Made, Park, Verdict};
use super::ladder::{Tests, filters, ids};
use super::run::{Leg, Run, State, raw};

/// Rows of one `with each`. More are a mistake in its `where`, and none of them is associated.
const MAX_ROWS: u32 = 200;

/// How far the associations of one record have come.
#[derive(Debug)]
pub(super) struct Associating {
    /// How the record itself ended.
    verdict: Verdict,
    /// The record written.
    id: String,
    created: bool,
    /// The rows of each `with each`, or why they are not known.
    rows: Vec<Result<Vec<Record>, String>>,
    /// The ids of each statement.
    ids: Vec<Result<Vec<String>, String>>,
    /// The pairs asked for, in order, and those found.
    links: Vec<LinkRequest>,
    pairs: HashMap<(ObjectName, String, ObjectName), Vec<String>>,
    /// What the record may already be associated with, asked for in order, and what was found.
    present: Vec<((AssociationKind, ObjectName), Vec<String>)>,
    /// What became of each; those added and removed are asked for last.
    made: Vec<Association>,
    step: Step,
}

/// What is waited for.
#[derive(Debug)]
enum Step {
    /// The rows of these `with each`.
    Rows(Vec<usize>),
    /// The pairs of the request of this index.
    Links(usize),
    /// The present associations of this index.
    Present(usize),
    /// The associations.
    Made,
}

impl Run {
    /// Goes on with a record that is as it should be: a mapping associates it now, a sync when both sides are written.
    pub(super) fn settled(
        &mut self,
        mapping: &Mapping,
        verdict: Verdict,
        id: String,
        created: bool,
    ) -> Effect {
        if self.leg == Leg::No { self.associate(mapping, verdict, id, created) } else { self.finish(verdict) }
    }

    /// Associates the record written or found with what its mapping says, then ends the run with the record's own
    /// verdict.
    pub(super) fn associate(
        &mut self,
        mapping: &Mapping,
        verdict: Verdict,
        id: String,
        created: bool,
    ) -> Effect {
        if mapping.associates.is_empty() {
            return self.finish(verdict);
        }
        let mut work = Associating {
            verdict,
            id,
            created,
            rows: mapping.eaches.iter().map(|_| Ok(Vec::new())).collect(),
            ids: Vec::new(),
            links: Vec::new(),
            pairs: HashMap::new(),
            present: Vec::new(),
            made: Vec::new(),
            step: Step::Rows(Vec::new()),
        };
        let (mut asked, mut requests) = (Vec::new(), Vec::new());
        for (index, each) in mapping.eaches.iter().enumerate() {
            match self.with_frame(mapping, |frame| filters(frame, each.object.side, &each.tests)) {
                Ok(Tests::Filters(filters)) => {
                    asked.push(index);
                    requests.push(FindRequest {
                        object: each.object.clone(),
                        filters,
                        ids: ids(&each.tests),
                        fields: each.reads.clone(),
                        limit: MAX_ROWS + 1,
                    });
                }
                Ok(Tests::Nothing) => {}
                Err(failure) => work.rows[index] = Err(failure.message),
            }
        }
        if requests.is_empty() {
            return self.ask_links(mapping, work);
        }
        work.step = Step::Rows(asked);
        self.state = State::Associate(Box::new(work));
        Effect::Find(requests)
    }

    /// Goes on with what was asked for.
    pub(super) fn associated(&mut self, mapping: &Mapping, mut work: Associating, answer: Answer) -> Effect {
        match (std::mem::replace(&mut work.step, Step::Made), answer) {
            (Step::Rows(asked), Answer::Found(found)) if found.len() == asked.len() => {
                for (index, rows) in asked.into_iter().zip(found) {
                    let many = rows.len() > MAX_ROWS as usize;
                    let name = &mapping.eaches[index].name;
                    work.rows[index] =
                        if many { Err(format!("`{name}` is more than {MAX_ROWS} rows")) } else { Ok(rows) };
                }
                self.ask_links(mapping, work)
            }
            (Step::Links(index), Answer::Links(pairs)) => {
                work.paired(index, pairs);
                self.ask_pair(mapping, work, index + 1)
            }
            (Step::Present(index), Answer::Associated(mut found)) => {
                work.present[index].1 = found.remove(&work.id).unwrap_or_default();
                self.ask_present(mapping, work, index + 1)
            }
            (Step::Made, Answer::Associations(said)) => {
                let sent = work.made.iter_mut().filter(|one| matches!(one.made, Made::Added | Made::Removed));
                for (association, said) in sent.zip(said) {
                    if let Some(said) = said {
                        association.made = Made::Refused(said);
                    }
                }
                self.finish_with(work.verdict, work.made)
            }
            (step, _) => self.park(Park::because(format!(
                "the run was told something that it had not asked for ({step:?})"
            ))),
        }
    }

    /// Asks for the counterparts of all records that the statements name.
    fn ask_links(&mut self, mapping: &Mapping, mut work: Associating) -> Effect {
        for associate in &mapping.associates {
            let ids = self.ids(mapping, associate, &work.rows);
            for of in &associate.of {
                for id in ids.iter().flatten() {
                    work.want_pair(of, id, &associate.to);
                }
            }
            work.ids.push(ids);
        }
        self.ask_pair(mapping, work, 0)
    }

    /// The ids that a statement names, each once; blanks are nobody's.
    fn ids(
        &self,
        mapping: &Mapping,
        associate: &Associate,
        rows: &[Result<Vec<Record>, String>],
    ) -> Result<Vec<String>, String> {
        let values = match &associate.ids {
            Ids::Value(value) => {
                vec![
                    self.with_frame(mapping, |frame| frame.value(value))
                        .map_err(|failure| failure.message)?,
                ]
            }
            Ids::Each { each, field } => {
                let rows = rows[*each].as_ref().map_err(Clone::clone)?;
                let read = |row: &Record| read(&raw(row, field), &Type::Text(None));
                rows.iter().map(read).collect::<Result<_, _>>().map_err(|failure| failure.message)?
            }
        };
        let mut ids: Vec<String> = Vec::new();
        for id in values.iter().filter(|value| !value.is_blank()).map(display) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    fn ask_pair(&mut self, mapping: &Mapping, mut work: Associating, index: usize) -> Effect {
        if let Some(request) = work.links.get(index).cloned() {
            work.step = Step::Links(index);
            self.state = State::Associate(Box::new(work));
            return Effect::Links(request);
        }
        for associate in &mapping.associates {
            // A new record has no associations yet, but HubSpot makes some by itself (by an e-mail's domain).
            let group = (associate.kind.clone(), associate.to.clone());
            let needed = associate.exactly || !work.created;
            if needed && !work.present.iter().any(|(known, _)| *known == group) {
                work.present.push((group, Vec::new()));
            }
        }
        self.ask_present(mapping, work, 0)
    }

    fn ask_present(&mut self, mapping: &Mapping, mut work: Associating, index: usize) -> Effect {
        if let Some(((kind, to), _)) = work.present.get(index) {
            let request = AssociatedRequest {
                from: mapping.target.clone(),
                ids: vec![work.id.clone()],
                to: to.name.clone(),
                kind: kind.clone(),
            };
            work.step = Step::Present(index);
            self.state = State::Associate(Box::new(work));
            return Effect::Associated(request);
        }
        work.decide(mapping);
        let request = |one: &Association| {
            Some(AssociateRequest {
                from: mapping.target.clone(),
                from_id: work.id.clone(),
                to: one.to.name.clone(),
                to_id: one.id.clone()?,
                kind: one.kind.clone(),
            })
        };
        let those =
            |made: &Made| work.made.iter().filter(|one| one.made == *made).filter_map(request).collect();
        let (add, remove): (Vec<_>, Vec<_>) = (those(&Made::Added), those(&Made::Removed));
        if add.is_empty() && remove.is_empty() {
            return self.finish_with(work.verdict, work.made);
        }
        work.step = Step::Made;
        self.state = State::Associate(Box::new(work));
        Effect::Associate { add, remove }
    }
}

impl Associating {
    fn want_pair(&mut self, of: &ObjectName, id: &str, to: &ObjectName) {
        match self.links.iter_mut().find(|request| request.of == *of && request.to == *to) {
            Some(request) if request.ids.iter().any(|known| known == id) => {}
            Some(request) => request.ids.push(id.to_owned()),
            None => self.links.push(LinkRequest {
                by: None,
                of: of.clone(),
                ids: vec![id.to_owned()],
                to: to.clone(),
            }),
        }
    }

    fn paired(&mut self, index: usize, pairs: Vec<LinkedPair>) {
        let LinkRequest { of, to, .. } = &self.links[index];
        for pair in pairs.into_iter().filter(|pair| !pair.gone) {
            let found = self.pairs.entry((of.clone(), pair.id, to.clone())).or_default();
            if !found.contains(&pair.to) {
                found.push(pair.to);
            }
        }
    }

    /// Decides what becomes of each association: first what the statements ask for, then what `exactly` removes.
    fn decide(&mut self, mapping: &Mapping) {
        for (index, associate) in mapping.associates.iter().enumerate() {
            for (id, made) in self.asked_for(index, associate) {
                let association = Association {
                    kind: associate.kind.clone(),
                    to: associate.to.clone(),
                    id,
                    made,
                    at: associate.at.clone(),
                };
                let same = |one: &Association| {
                    one.id.is_some()
                        && (&one.kind, &one.to, &one.id)
                            == (&association.kind, &association.to, &association.id)
                };
                if !self.made.iter().any(same) {
                    self.made.push(association);
                }
            }
        }
        let removed: Vec<Association> =
            mapping.associates.iter().enumerate().fold(Vec::new(), |mut removed, (index, associate)| {
                if associate.exactly && self.ids[index].is_ok() {
                    let others = self.others(associate, &removed);
                    removed.extend(others);
                }
                removed
            });
        self.made.extend(removed);
    }

    fn asked_for(&self, index: usize, associate: &Associate) -> Vec<(Option<String>, Made)> {
        let ids = match &self.ids[index] {
            Ok(ids) => ids,
            Err(why) => return vec![(None, Made::Refused(why.clone()))],
        };
        let present = self.present_of(&associate.kind, &associate.to);
        let mut asked = Vec::new();
        for id in ids {
            let key = |of: &ObjectName| (of.clone(), id.clone(), associate.to.clone());
            let found: Vec<&String> =
                associate.of.iter().filter_map(|of| self.pairs.get(&key(of))).flatten().collect();
            if found.is_empty() {
                // Where a field takes several objects, the first that it names stands for all in what is said; the
                // store is told of each.
                for of in &associate.of {
                    let pair = AwaitedPair { of: of.clone(), id: id.clone(), to: associate.to.clone() };
                    let otherwise = associate.otherwise.clone();
                    asked.push((None, Made::Unpaired { pair, otherwise }));
                }
            }
            for to in found {
                let made = if present.contains(to) { Made::Kept } else { Made::Added };
                asked.push((Some(to.clone()), made));
            }
        }
        asked
    }

    fn present_of(&self, kind: &AssociationKind, to: &ObjectName) -> &[String] {
        let group = self.present.iter().find(|((known, object), _)| known == kind && object == to);
        group.map_or(&[], |(_, ids)| ids)
    }

    /// What is associated and not asked for. An association without a label is any: one that a labelled statement asks for
    /// stays. A new primary takes the place of the old one by itself.
    fn others(&self, associate: &Associate, removed: &[Association]) -> Vec<Association> {
        let asked = |one: &&Association| {
            one.to == associate.to && (associate.kind == AssociationKind::Plain || one.kind == associate.kind)
        };
        let wanted: Vec<&String> = self.made.iter().filter(asked).filter_map(|one| one.id.as_ref()).collect();
        if associate.kind == AssociationKind::Primary && !wanted.is_empty() {
            return Vec::new();
        }
        let known = |id: &String| {
            removed.iter().any(|one| {
                one.to == associate.to && one.kind == associate.kind && one.id.as_ref() == Some(id)
            })
        };
        let others = self.present_of(&associate.kind, &associate.to).iter();
        others
            .filter(|id| !wanted.contains(id) && !known(id))
            .map(|id| Association {
                kind: associate.kind.clone(),
                to: associate.to.clone(),
                id: Some(id.clone()),
                made: Made::Removed,
                at: associate.at.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::eval::testing::{World, name, record};
    use crate::eval::{Finished, Made, Verdict};
    use crate::plan::{LinkElse, Plan, testing::plan};
    use crate::types::{AssociationKind, LinkedPair, Record};

    /// A deal with these associations; contacts and companies are paired by mappings of their own.
    fn opportunity(associates: &str) -> Plan {
        let mapping = |name: &str, from: &str, to: &str, rules: &str| {
            format!(
                "mapping {name} {{\n from salesforce.{from}\n to hubspot.{to}\n when created\n match {{ {rules} = Name }}\n \
                 on none create\n on many park\n on rejected park\n fields {{ {rules} <- Name }}\n}}\n"
            )
        };
        plan(&format!(
            "mapping deal {{\n from salesforce.Opportunity\n to hubspot.deal\n \
             with each role = salesforce.OpportunityContactRole where OpportunityId = Id\n when created\n \
             match {{ key salesforce_opportunity_id = Id }}\n on none create\n on rejected park\n {associates}\n \
             fields {{ dealname <- Name }}\n}}\n{}\
             mapping contact {{\n from salesforce.Contact\n to hubspot.contact\n when created\n match {{ email = Email }}\n \
             on none create\n on many park\n on rejected park\n fields {{ lastname <- LastName }}\n}}\n",
            mapping("account", "Account", "company", "name")
        ))
    }

    const BOTH: &str = "associate primary linked hubspot.company of AccountId otherwise wait\n \
                        associate \"Buyer\" linked hubspot.contact of role.ContactId otherwise skip";
    const EXACT: &str = "associate linked hubspot.company of AccountId otherwise wait\n \
                         associate exactly linked hubspot.contact of role.ContactId otherwise wait";

    fn source(account: Option<&str>) -> Record {
        record("salesforce.Opportunity", "1", json!({"Name": "Big", "AccountId": account}))
    }

    fn role(id: &str, contact: Option<&str>) -> Record {
        record("salesforce.OpportunityContactRole", id, json!({"OpportunityId": "1", "ContactId": contact}))
    }

    fn deal() -> Record {
        let values = json!({"salesforce_opportunity_id": "1", "dealname": "Big"});
        record("hubspot.deal", "d", values)
    }

    fn pair(id: &str, to: &str) -> LinkedPair {
        LinkedPair {
            id: id.to_owned(),
            to: to.to_owned(),
            gone: false,
            became: None,
            merged_into: None,
            inherited: false,
            synced: BTreeMap::default(),
        }
    }

    fn world(records: Vec<Record>, pairs: &[(&str, &str)]) -> World {
        let links = pairs.iter().map(|(id, to)| pair(id, to)).collect();
        World { links, ..World::of(records) }
    }

    fn ids(requests: &[crate::types::AssociateRequest]) -> Vec<(&str, &str, &str)> {
        requests.iter().map(|one| (one.from_id.as_str(), one.to.as_str(), one.to_id.as_str())).collect()
    }

    fn made(end: &Finished) -> Vec<(Option<&str>, &Made)> {
        end.associations.iter().map(|one| (one.id.as_deref(), &one.made)).collect()
    }

    #[test]
    fn a_new_record_is_associated_by_field_and_for_each_row() {
        let rows =
            vec![source(Some("A")), role("r1", Some("C1")), role("r2", Some("C2")), role("r3", Some("C1"))];
        let mut world = world(rows, &[("A", "77"), ("C1", "81"), ("C2", "82")]);
        let end = world.run(&opportunity(BOTH), "deal");
        assert!(matches!(end.verdict, Verdict::Written { created: true, .. }), "{end:?}");
        assert_eq!(
            ids(&world.added),
            [("new", "company", "77"), ("new", "contact", "81"), ("new", "contact", "82")]
        );
        assert_eq!(world.added[0].kind, AssociationKind::Primary);
        assert_eq!(world.added[1].kind, AssociationKind::Labelled("Buyer".to_owned()));
        let after = world.log.iter().position(|word| word == "write deal").expect("a write");
        let rest = ["find OpportunityContactRole", "links company", "links contact", "associate 3"];
        assert_eq!(
            world.log[after + 1..],
            rest,
            "all links of one kind are one request, and a new record has none"
        );
        assert!(end.associations.iter().all(|one| one.made == Made::Added && one.at.line > 0));
        assert!(end.awaits().is_empty() && end.troubled().is_none());
    }

    #[test]
    fn only_what_is_missing_is_sent() {
        let rows = vec![source(Some("A")), role("r1", Some("C1")), deal()];
        let mut world = world(rows, &[("A", "77"), ("C1", "81")]);
        world.associated.insert("company".to_owned(), "77".to_owned());
        let end = world.run(&opportunity(BOTH), "deal");
        assert!(matches!(end.verdict, Verdict::Unchanged { .. }), "{end:?}");
        assert_eq!(ids(&world.added), [("d", "contact", "81")]);
        assert_eq!(made(&end), [(Some("77"), &Made::Kept), (Some("81"), &Made::Added)]);

        world.associated.insert("contact".to_owned(), "81".to_owned());
        world.added.clear();
        world.run(&opportunity(BOTH), "deal");
        assert!(world.added.is_empty() && !world.log.iter().any(|word| word == "associate 0"));
    }

    #[test]
    fn a_pair_that_is_not_there_waits_is_skipped_or_parks_and_the_record_is_written_all_the_same() {
        let rows = || vec![source(Some("A")), role("r1", Some("C1"))];
        let mut world = world(rows(), &[]);
        let end = world.run(&opportunity(BOTH), "deal");
        assert!(matches!(end.verdict, Verdict::Written { .. }), "{end:?}");
        assert!(world.added.is_empty());
        let awaited: Vec<String> = end.awaits().iter().map(ToString::to_string).collect();
        assert_eq!(awaited, ["the hubspot.company of salesforce.Account A"], "the other is skipped");

        let parks = "associate linked hubspot.company of AccountId otherwise park \"no company\"";
        let end = World::of(vec![source(Some("A"))]).run(
            &opportunity(&format!(
                "{parks}\n associate linked hubspot.contact of role.ContactId otherwise skip"
            )),
            "deal",
        );
        assert_eq!(end.troubled().map(|park| park.reason).as_deref(), Some("no company"));

        let mut gone = world_with_gone();
        let end = gone.run(&opportunity(BOTH), "deal");
        assert_eq!(end.awaits().len(), 1, "a counterpart that was deleted is none");
    }

    fn world_with_gone() -> World {
        let mut gone = world(vec![source(Some("A"))], &[("A", "77")]);
        gone.links[0].gone = true;
        gone
    }

    #[test]
    fn a_blank_is_nobody_and_several_counterparts_are_all_meant() {
        let mut world = world(vec![source(None), role("r1", None)], &[("A", "77")]);
        let end = world.run(&opportunity(BOTH), "deal");
        assert!(end.associations.is_empty() && world.added.is_empty(), "{end:?}");
        assert!(!world.log.iter().any(|word| word.starts_with("links")), "{:?}", world.log);

        let mut world = super::tests::world(vec![source(Some("A"))], &[("A", "77"), ("A", "78")]);
        world.run(&opportunity(BOTH), "deal");
        assert_eq!(ids(&world.added), [("new", "company", "77"), ("new", "company", "78")]);
    }

    #[test]
    fn exactly_removes_what_no_row_asks_for() {
        let rows = vec![source(None), role("r1", Some("C1")), deal()];
        let mut world = world(rows, &[("C1", "81")]);
        world.associated.insert("contact".to_owned(), "90".to_owned());
        world.associated.insert("company".to_owned(), "50".to_owned());
        let end = world.run(&opportunity(EXACT), "deal");
        assert_eq!(ids(&world.added), [("d", "contact", "81")]);
        assert_eq!(ids(&world.removed), [("d", "contact", "90")], "the company is left alone");
        assert_eq!(made(&end), [(Some("81"), &Made::Added), (Some("90"), &Made::Removed)]);
    }

    #[test]
    fn too_many_rows_associate_nothing_and_remove_nothing() {
        let mut rows = vec![source(None), deal()];
        rows.extend((0..201).map(|n| role(&format!("r{n}"), Some(&format!("C{n}")))));
        let mut world = world(rows, &[("C1", "81")]);
        world.associated.insert("contact".to_owned(), "90".to_owned());
        let end = world.run(&opportunity(EXACT), "deal");
        assert!(world.added.is_empty() && world.removed.is_empty());
        let park = end.troubled().expect("a person must look");
        assert_eq!(park.answer.as_deref(), Some("`role` is more than 200 rows"));
    }

    #[test]
    fn what_the_crm_refuses_is_told_and_the_rest_stands() {
        let mut run = crate::eval::Run::start(opportunity(BOTH).into(), "deal", "1").expect("the mapping");
        let mut world = world(vec![source(Some("A")), role("r1", Some("C1"))], &[("A", "77"), ("C1", "81")]);
        let mut effect = run.next(None);
        let end = loop {
            effect = match effect {
                crate::eval::Effect::Finish(end) => break end,
                crate::eval::Effect::Associate { .. } => {
                    let said = vec![None, Some("no label `Buyer`".to_owned())];
                    run.next(Some(crate::eval::Answer::Associations(said)))
                }
                effect => {
                    let answer = world.perform(effect);
                    run.next(Some(answer))
                }
            };
        };
        assert!(matches!(end.verdict, Verdict::Written { .. }), "{end:?}");
        let refused = Made::Refused("no label `Buyer`".to_owned());
        assert_eq!(made(&end), [(Some("77"), &Made::Added), (Some("81"), &refused)]);
        let park = end.troubled().expect("a person must look");
        assert_eq!(park.reason, "the association with hubspot.contact 81 could not be changed");
    }

    #[test]
    fn the_ends_of_an_association_are_in_the_plan() {
        let plan = opportunity(BOTH);
        let associates = &plan.mapping("deal").expect("the mapping").associates;
        assert_eq!(
            (&associates[0].of[0], &associates[0].to),
            (&name("salesforce.Account"), &name("hubspot.company"))
        );
        assert_eq!(associates[1].otherwise, LinkElse::Skip);
        let text = serde_json::to_string(&plan).expect("JSON");
        let again: Plan = serde_json::from_str(&text).expect("a plan");
        assert_eq!(format!("{again:?}"), format!("{plan:?}"));
    }
}
