//! Runs against a CRM that is a list of records and a queue of answers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::plan::Plan;
use crate::source::{ObjectName, Side};
use crate::types::{
    AssociateRequest, ConvertAnswer, ConvertRequest, Filter, FilterOp, FindRequest, LinkedPair, Record,
    Value, WriteAnswer, WriteRequest,
};

use super::{Answer, Effect, Finished, Run, Verdict};

/// A record of an object such as `salesforce.Lead`.
pub(crate) fn record(object: &str, id: &str, values: Json) -> Record {
    let Json::Object(values) = values else { panic!("an object") };
    Record { object: name(object), id: id.to_owned(), values }
}

/// An object's name.
pub(crate) fn name(object: &str) -> ObjectName {
    let (side, name) = object.split_once('.').expect("a side");
    let side = if side == "hubspot" { Side::Hubspot } else { Side::Salesforce };
    ObjectName::new(side, name)
}

/// Both CRMs.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// All records.
    pub(crate) records: Vec<Record>,
    /// Associated ids, by object asked for.
    pub(crate) associated: HashMap<String, String>,
    /// Answers to the next writes; without one, a write takes place.
    pub(crate) answers: VecDeque<WriteAnswer>,
    /// Every effect, as a word and what it is about.
    pub(crate) log: Vec<String>,
    /// Every write.
    pub(crate) writes: Vec<WriteRequest>,
    /// The pairs settled before.
    pub(crate) links: Vec<LinkedPair>,
    /// When fields took their values, by side.
    pub(crate) changed: HashMap<Side, BTreeMap<String, DateTime<Utc>>>,
    /// Into which record others were merged, by id.
    pub(crate) survivors: HashMap<String, String>,
    /// Every conversion asked for, and what to say of them.
    pub(crate) conversions: Vec<ConvertRequest>,
    pub(crate) converted: VecDeque<ConvertAnswer>,
    /// Every association asked for.
    pub(crate) added: Vec<AssociateRequest>,
    /// Every association removed.
    pub(crate) removed: Vec<AssociateRequest>,
}

impl World {
    pub(crate) fn of(records: Vec<Record>) -> Self {
        Self { records, ..Self::default() }
    }

    pub(crate) fn answering(mut self, answers: impl IntoIterator<Item = WriteAnswer>) -> Self {
        self.answers.extend(answers);
        self
    }

    /// Runs a mapping for contact 1.
    pub(crate) fn run(&mut self, plan: &Plan, mapping: &str) -> Finished {
        self.go(Run::start(Arc::new(plan.clone()), mapping, "1").expect("the mapping"))
    }

    pub(crate) fn go(&mut self, mut run: Run) -> Finished {
        let mut answer = None;
        for _ in 0..100 {
            answer = Some(match run.next(answer.take()) {
                Effect::Finish(finished) => return finished,
                effect => self.perform(effect),
            });
        }
        panic!("no end: {:?}", self.log)
    }

    pub(crate) fn perform(&mut self, effect: Effect) -> Answer {
        match effect {
            Effect::Read(request) => {
                self.log.push(format!("read {}", request.object.name));
                let own =
                    |record: &&Record| record.object == request.object && request.ids.contains(&record.id);
                Answer::Records(self.records.iter().filter(own).cloned().collect())
            }
            Effect::Associated(request) => {
                self.log.push(format!("associated {}", request.to));
                let found = self.associated.get(&request.to);
                Answer::Associated(
                    found.map(|id| (request.ids[0].clone(), vec![id.clone()])).into_iter().collect(),
                )
            }
            Effect::Find(requests) => {
                let objects: Vec<&str> = requests.iter().map(|find| find.object.name.as_str()).collect();
                self.log.push(format!("find {}", objects.join("+")));
                Answer::Found(requests.iter().map(|find| self.find(find)).collect())
            }
            Effect::Write(planned) => {
                self.log.push(format!("write {}", planned.request.object.name));
                self.writes.push(planned.request);
                let id = "new".to_owned();
                Answer::Written(
                    self.answers.pop_front().unwrap_or(WriteAnswer::Written { id, created: true }),
                )
            }
            Effect::Convert(planned) => {
                self.log.push(format!("convert {}", planned.request.id));
                self.conversions.push(planned.request.clone());
                let made = ConvertAnswer::Converted(crate::eval::would_become(&planned.request, "003"));
                Answer::Converted(self.converted.pop_front().unwrap_or(made))
            }
            Effect::Links(request) => {
                self.log.push(format!("links {}", request.to.name));
                let own = |pair: &&LinkedPair| request.ids.contains(&pair.id);
                Answer::Links(self.links.iter().filter(own).cloned().collect())
            }
            Effect::Survivor { object, id } => {
                self.log.push(format!("survivor {}", object.name));
                Answer::Survivor(self.survivors.get(&id).cloned())
            }
            Effect::Changed(request) => {
                self.log.push(format!("changed {}", request.object.name));
                let own = self.changed.get(&request.object.side).cloned();
                Answer::Changed(own.unwrap_or_default())
            }
            Effect::Associate { add, remove } => {
                self.log.push(format!("associate {}", add.len() + remove.len()));
                let answer = Answer::Associations(vec![None; add.len() + remove.len()]);
                self.added.extend(add);
                self.removed.extend(remove);
                answer
            }
            Effect::Finish(_) => panic!("over"),
        }
    }

    fn find(&self, find: &FindRequest) -> Vec<Record> {
        let holds = |record: &&Record| {
            record.object == find.object && find.filters.iter().all(|filter| matches(filter, record))
        };
        self.records.iter().filter(holds).take(find.limit as usize).cloned().collect()
    }
}

fn matches(filter: &Filter, record: &Record) -> bool {
    let value = record.values.get(&filter.field).cloned().unwrap_or_default();
    let text =
        |value: &Json| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned).to_lowercase();
    match &filter.op {
        FilterOp::Eq(wanted) => text(&value) == crate::types::display(wanted).to_lowercase(),
        FilterOp::Present => !value.is_null(),
        FilterOp::Blank => value.is_null(),
        other => panic!("{other:?}"),
    }
}

/// The reason of a parked record.
pub(crate) fn parked(finished: &Finished) -> &super::Park {
    match &finished.verdict {
        Verdict::Parked(park) => park,
        other => panic!("not parked: {other:?}"),
    }
}

/// The value that a write sends for a field.
pub(crate) fn sent<'w>(write: &'w WriteRequest, field: &str) -> Option<&'w Value> {
    write.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
}
