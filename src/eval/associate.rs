//! What the record written is associated with.
//!
//! It follows the write, so that a record is never kept back for an association: one whose counterpart is not there yet
//! is skipped, waited for or parked by itself, and the record's own result stands. Only differences are sent.

use std::collections::HashMap;

use crate::plan::{Associate, Ids, Mapping};
use crate::source::ObjectName;
use crate::types::{
    AssociateRequest, AssociatedRequest, AssociationKind, AwaitedPair, FindRequest, LinkRequest, LinkedPair, Raw,
    Record, Type, Value, display, read,
};

use super::effect::{Answer, Association, Effect, Made, Park, Verdict};
use super::ladder::{Tests, filters};
use super::run::{Run, State, raw};

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
    /// Associates the record written or found with what its mapping says, then ends the run with the record's own
    /// verdict.
    pub(super) fn associate(&mut self, mapping: &Mapping, verdict: Verdict, id: String, created: bool) -> Effect {
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
            match self.with_frame(mapping, |frame| filters(frame, &each.tests)) {
                Ok(Tests::Filters(filters)) => {
                    asked.push(index);
                    requests.push(FindRequest {
                        object: each.object.clone(),
                        filters,
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
                self.ask_link(mapping, work, index + 1)
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
        self.ask_link(mapping, work, 0)
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
                vec![self.with_frame(mapping, |frame| frame.value(value)).map_err(|failure| failure.message)?]
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

    fn ask_link(&mut self, mapping: &Mapping, mut work: Associating, index: usize) -> Effect {
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
        let those = |made: &Made| work.made.iter().filter(|one| one.made == *made).filter_map(request).collect();
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
                        && (&one.kind, &one.to, &one.id) == (&association.kind, &association.to, &association.id)
                };
                if !self.made.iter().any(same) {
                    self.made.push(association);
                }
            }
        }
        let removed: Vec<Association> = mapping.associates.iter().enumerate().fold(
            Vec::new(),
            |mut removed, (index, associate)| {
                if associate.exactly && self.ids[index].is_ok() {
                    let others = self.others(associate, &removed);
                    removed.extend(others);
                }
                removed
            },
        );
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
            removed.iter().any(|one| one.to == associate.to && one.kind == associate.kind && one.id.as_ref() == Some(id))
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
