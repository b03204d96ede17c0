//! A run whose writes are logged under the id of its work. Values are never logged: they are people's.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::eval::{Answer, Effect};
use crate::source::Side;
use crate::store::{CorrelationId, LeasedLane};
use crate::types::{ConvertAnswer, WriteAnswer};

use super::engine::Job;

/// The CRMs that answered runs, whatever they said.
#[derive(Debug, Clone, Default)]
pub(super) struct Answered(Arc<Mutex<BTreeSet<Side>>>);

impl Answered {
    /// Which.
    pub(super) fn sides(&self) -> BTreeSet<Side> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The CRMs that are asked.
fn asked(effect: &Effect) -> BTreeSet<Side> {
    match effect {
        Effect::Read(request) => BTreeSet::from([request.object.side]),
        Effect::Associated(request) => BTreeSet::from([request.from.side]),
        Effect::Find(requests) => requests.iter().map(|request| request.object.side).collect(),
        Effect::Write(planned) => BTreeSet::from([planned.request.object.side]),
        Effect::Convert(planned) => BTreeSet::from([planned.request.object.side]),
        Effect::Changed(request) => BTreeSet::from([request.object.side]),
        Effect::Survivor { object, .. } => BTreeSet::from([object.side]),
        Effect::Associate { add, remove } => add.iter().chain(remove).map(|one| one.from.side).collect(),
        Effect::Links(_) | Effect::Finish(_) => BTreeSet::new(),
    }
}

/// A run and the id that its log carries.
pub(super) struct Traced {
    job: Box<dyn Job>,
    correlation_id: CorrelationId,
    record: String,
    mapping: String,
    /// What it asked for last, where that changes a CRM.
    asked: Option<String>,
    /// The CRMs that it asked last.
    sides: BTreeSet<Side>,
    answered: Answered,
}

impl Traced {
    /// Wraps a run of a lane.
    pub(super) fn around(
        job: Box<dyn Job>,
        lane: &LeasedLane,
        mapping: &str,
        answered: &Answered,
    ) -> Box<dyn Job> {
        let (correlation_id, record) = (lane.correlation, lane.lane.key.to_string());
        tracing::debug!(%correlation_id, record, mapping, attempts = lane.attempts, "evaluation begins");
        let (mapping, answered) = (mapping.to_owned(), answered.clone());
        Box::new(Self { job, correlation_id, record, mapping, asked: None, sides: BTreeSet::new(), answered })
    }

    fn note(&self, answer: &Answer) {
        let Self { correlation_id, record, mapping, .. } = self;
        let object = self.asked.as_deref();
        let (done, id) = match answer {
            Answer::Written(WriteAnswer::Written { id, created }) => {
                (if *created { "created" } else { "updated" }, Some(id.as_str()))
            }
            Answer::Written(WriteAnswer::Duplicate { .. }) => ("refused: a duplicate rule", None),
            Answer::Written(WriteAnswer::Taken { .. }) => ("refused: a unique value is taken", None),
            Answer::Written(WriteAnswer::Converted { .. }) => ("refused: the record was converted", None),
            Answer::Written(WriteAnswer::Gone { .. }) => ("refused: the record is gone", None),
            Answer::Written(WriteAnswer::Rejected { errors }) => {
                let codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
                tracing::warn!(%correlation_id, record, mapping, object, ?codes, "a write is rejected");
                return;
            }
            Answer::Converted(ConvertAnswer::Converted(into)) => ("converted", Some(into.contact.as_str())),
            Answer::Associations(said) => {
                let refused = said.iter().flatten().count();
                tracing::info!(%correlation_id, record, mapping, of = said.len(), refused, "associations changed");
                return;
            }
            _ => return,
        };
        tracing::info!(%correlation_id, record, mapping, object, id, done, "a CRM answered a write");
    }
}

impl Job for Traced {
    fn next(&mut self, answer: Option<Answer>) -> Effect {
        if let Some(answer) = &answer {
            self.note(answer);
            self.answered.0.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.sides);
        }
        let effect = self.job.next(answer);
        self.sides = asked(&effect);
        let Self { correlation_id, record, mapping, .. } = self;
        self.asked = match &effect {
            Effect::Write(planned) => {
                let object = planned.request.object.to_string();
                let fields = planned.request.fields.len();
                tracing::debug!(%correlation_id, record, mapping, object, fields, "a CRM is asked to write");
                Some(object)
            }
            Effect::Convert(planned) => Some(planned.request.object.to_string()),
            Effect::Finish(finished) => {
                tracing::debug!(%correlation_id, record, mapping, ended_by = finished.mapping, "evaluation ends");
                None
            }
            _ => None,
        };
        effect
    }
}
