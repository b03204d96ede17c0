//! A run whose writes are logged under the id of its work. Values are never logged: they are people's.

use crate::eval::{Answer, Effect};
use crate::store::{CorrelationId, LeasedLane};
use crate::types::{ConvertAnswer, WriteAnswer};

use super::engine::Job;

/// A run and the id that its log carries.
pub(super) struct Traced {
    job: Box<dyn Job>,
    correlation_id: CorrelationId,
    record: String,
    mapping: String,
    /// What it asked for last, where that changes a CRM.
    asked: Option<String>,
}

impl Traced {
    /// Wraps a run of a lane.
    pub(super) fn around(job: Box<dyn Job>, lane: &LeasedLane, mapping: &str) -> Box<dyn Job> {
        let (correlation_id, record) = (lane.correlation, lane.lane.key.to_string());
        tracing::debug!(%correlation_id, record, mapping, attempts = lane.attempts, "evaluation begins");
        Box::new(Self { job, correlation_id, record, mapping: mapping.to_owned(), asked: None })
    }

    fn answered(&self, answer: &Answer) {
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
            self.answered(answer);
        }
        let effect = self.job.next(answer);
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
