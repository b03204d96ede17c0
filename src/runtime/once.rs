//! One record, here and now: what `mapwright plan` and `mapwright run` do. The run is the one of production.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::eval::{Answer, Effect, Finished, PlannedConversion, PlannedWrite, Run, SyncRun, would_become};
use crate::plan::Plan;
use crate::source::{ObjectName, Side};
use crate::store::{IntentId, Origin, RecordKey};
use crate::types::{ConvertAnswer, CrmError, CrmErrorKind, WriteAnswer, WriteTarget};

use super::engine::Job;
use super::intents::{Announcer, Known, Why};
use super::{Clock, Crms, Memory, settle};

/// Effects after which a run is stopped; see the driver.
const MAX_EFFECTS: usize = 200;

/// What a mapping would do with a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Preview {
    /// It would write, and then end so.
    WouldWrite(Vec<PlannedWrite>, Box<Finished>),
    /// It would end without a write.
    WouldFinish(Box<Finished>),
}

/// Why a single run did not come to an end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OnceError {
    /// There is no such mapping.
    #[error("there is no mapping `{0}`")]
    NoSuchMapping(String),
    /// Somebody else works on the record.
    #[error("{0} is being worked on, by `serve`, a load or another run; try again when that is done")]
    Busy(String),
    /// A call failed.
    #[error(transparent)]
    Crm(#[from] CrmError),
    /// The store could not be asked for the links.
    #[error("{0}")]
    Store(String),
    /// The interpreter does not come to an end.
    #[error("the run does not come to an end; this is a fault of the engine")]
    Endless,
}

/// Shows what a mapping would do with a record: its write (of a sync: one for each side), and the associations behind it.
/// Nothing is written.
/// Without a memory no record has a counterpart yet.
pub async fn preview(
    plan: Arc<Plan>,
    mapping: &str,
    record: &str,
    crms: &Crms,
    memory: Option<Memory<'_>>,
) -> Result<Preview, OnceError> {
    let mut run = start(plan, mapping, record)?;
    let mut effect = run.next(None);
    let mut planned: Vec<PlannedWrite> = Vec::new();
    for _ in 0..MAX_EFFECTS {
        effect = match effect {
            Effect::Write(write) => {
                let answer = would_be_written(&write);
                planned.push(write);
                run.next(Some(Answer::Written(answer)))
            }
            Effect::Finish(finished) if planned.is_empty() => {
                return Ok(Preview::WouldFinish(Box::new(finished)));
            }
            Effect::Finish(finished) => return Ok(Preview::WouldWrite(planned, Box::new(finished))),
            Effect::Convert(planned) => {
                let into = would_become(&planned.request, NEW);
                run.next(Some(Answer::Converted(ConvertAnswer::Converted(into))))
            }
            Effect::Associate { add, remove } => {
                run.next(Some(Answer::Associations(vec![None; add.len() + remove.len()])))
            }
            // A record that is not there yet is associated with nothing.
            Effect::Associated(request) if request.ids.iter().all(|id| id == NEW) => {
                run.next(Some(Answer::Associated(HashMap::new())))
            }
            other => run.next(Some(perform(other, crms, memory).await?)),
        };
    }
    Err(OnceError::Endless)
}

/// Stands for the id of a record that is not there yet; no CRM has such an id.
const NEW: &str = "(new)";

fn would_be_written(write: &PlannedWrite) -> WriteAnswer {
    match &write.request.target {
        WriteTarget::Update { id } => WriteAnswer::Written { id: id.clone(), created: false },
        WriteTarget::Create | WriteTarget::Upsert { .. } => {
            WriteAnswer::Written { id: NEW.to_owned(), created: true }
        }
    }
}

/// Runs a mapping on a record. The store is only asked for links: what fails is reported and not retried, and to keep
/// what the run came to is the caller's affair ([`record_once`]).
pub async fn run_once(
    plan: Arc<Plan>,
    mapping: &str,
    record: &str,
    crms: &Crms,
    memory: Option<Memory<'_>>,
) -> Result<Finished, OnceError> {
    announced(start(plan, mapping, record)?, crms, memory, None).await
}

/// The same, and what it is about to write is kept before it is sent, so that a process which dies leaves no value of which
/// nobody knows where it comes from.
pub async fn run_by_hand(
    plan: Arc<Plan>,
    mapping: &str,
    record: &str,
    crms: &Crms,
    memory: Memory<'_>,
    (origin, clock): (Origin, &dyn Clock),
) -> Result<Finished, OnceError> {
    let object = object(&plan, mapping, record);
    let run = start(plan, mapping, record)?;
    let object = object.ok_or_else(|| OnceError::NoSuchMapping(mapping.to_owned()))?;
    let why = Why::by_hand(RecordKey::new(memory.pair, object, record), mapping, origin);
    let announcer = Announcer::new(memory.store, clock, vec![why]);
    announced(run, crms, Some(memory), Some(&announcer)).await
}

async fn announced(
    mut run: Box<dyn Job>,
    crms: &Crms,
    memory: Option<Memory<'_>>,
    announcer: Option<&Announcer<'_>>,
) -> Result<Finished, OnceError> {
    let mut effect = run.next(None);
    for _ in 0..MAX_EFFECTS {
        if let (Effect::Write(planned), Some(announcer)) = (&effect, announcer) {
            let kept = announcer.announce(&[(0, planned)]).await;
            kept.map_err(|error| OnceError::Store(error.to_string()))?;
        }
        effect = match effect {
            Effect::Finish(finished) => return Ok(finished),
            other => run.next(Some(perform(other, crms, memory).await?)),
        };
    }
    Err(OnceError::Endless)
}

fn start(plan: Arc<Plan>, mapping: &str, record: &str) -> Result<Box<dyn Job>, OnceError> {
    if let Some(object) = object(&plan, mapping, record)
        && let Some(run) = SyncRun::start(Arc::clone(&plan), mapping, &object, record)
    {
        return Ok(Box::new(run));
    }
    match Run::start(plan, mapping, record) {
        Some(run) => Ok(Box::new(run)),
        None => Err(OnceError::NoSuchMapping(mapping.to_owned())),
    }
}

/// The object of a record that a mapping or a sync is run for. A sync takes records of both sides: HubSpot's ids are whole
/// numbers (HubSpot's CRM guide: "Record ID"), Salesforce's begin with an object's prefix and have 15 or 18 characters.
pub fn object(plan: &Plan, mapping: &str, record: &str) -> Option<ObjectName> {
    let Some(sync) = plan.sync(mapping) else { return Some(plan.mapping(mapping)?.source.clone()) };
    let number = record.len() < 15 && record.bytes().all(|byte| byte.is_ascii_digit());
    let leg = sync.leg(if number { Side::Salesforce } else { Side::Hubspot });
    Some(plan.mappings[leg].source.clone())
}

/// Keeps what a run came to in the store, as a worker does: provenance, links, and the record if it is parked.
pub async fn record_once(
    memory: Memory<'_>,
    object: ObjectName,
    record: &str,
    mapping: &str,
    finished: Finished,
    (origin, now): (Origin, DateTime<Utc>),
) -> Result<(), OnceError> {
    let key = RecordKey::new(memory.pair, object, record);
    let kept = memory.store.intents(&key).await.map_err(|error| OnceError::Store(error.to_string()))?;
    // This run knows what became of its own.
    let (own, open): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|kept| kept.intent.correlation == origin.correlation);
    let own: Vec<IntentId> = own.iter().map(|kept| kept.id).collect();
    let (_, results) = settle::results(mapping, finished, false, Known { open: &open, own: &own });
    memory.store.record(&key, results, origin, now).await.map_err(|error| OnceError::Store(error.to_string()))
}

async fn perform(effect: Effect, crms: &Crms, memory: Option<Memory<'_>>) -> Result<Answer, OnceError> {
    match effect {
        Effect::Read(request) => Ok(Answer::Records(crms.get(request.object.side).read(&request).await?)),
        Effect::Associated(request) => {
            Ok(Answer::Associated(crms.get(request.from.side).associated(&request).await?))
        }
        Effect::Find(requests) => {
            let mut found = Vec::with_capacity(requests.len());
            for request in &requests {
                let answer = crms.get(request.object.side).find(std::slice::from_ref(request)).await.pop();
                found.push(answer.unwrap_or_else(|| Err(no_answer(request.object.side, false)))?);
            }
            Ok(Answer::Found(found))
        }
        Effect::Write(planned) => write(planned, crms).await,
        Effect::Convert(planned) => convert(planned, crms).await,
        Effect::Links(request) => match memory {
            None => Ok(Answer::Links(Vec::new())),
            Some(memory) => memory.links(&request).await.map_err(|error| OnceError::Store(error.to_string())),
        },
        Effect::Changed(request) => {
            Ok(Answer::Changed(crms.get(request.object.side).changed(&request).await?))
        }
        Effect::Survivor { object, id } => {
            Ok(Answer::Survivor(crms.get(object.side).survivor(&object, &id).await?))
        }
        Effect::Associate { add, remove } => {
            let mut said = Vec::with_capacity(add.len() + remove.len());
            for (requests, removes) in [(&add, false), (&remove, true)] {
                for request in requests {
                    let crm = crms.get(request.from.side);
                    let one = std::slice::from_ref(request);
                    let mut answers =
                        if removes { crm.dissociate(one).await } else { crm.associate(one).await };
                    let answer = answers.pop().unwrap_or_else(|| Err(no_answer(request.from.side, true)));
                    said.push(refusal(answer)?);
                }
            }
            Ok(Answer::Associations(said))
        }
        // INVARIANT: both callers end at a finish and never perform it.
        Effect::Finish(_) => Ok(Answer::Found(Vec::new())),
    }
}

async fn write(planned: PlannedWrite, crms: &Crms) -> Result<Answer, OnceError> {
    let side = planned.request.object.side;
    match crms.get(side).write(&[planned.request]).await.pop() {
        Some(WriteAnswer::Failed(error)) => Err(error.into()),
        Some(answer) => Ok(Answer::Written(answer)),
        None => Err(no_answer(side, true).into()),
    }
}

async fn convert(planned: PlannedConversion, crms: &Crms) -> Result<Answer, OnceError> {
    let side = planned.request.object.side;
    match crms.get(side).convert(&[planned.request]).await.pop() {
        Some(ConvertAnswer::Failed(error)) => Err(error.into()),
        Some(answer) => Ok(Answer::Converted(answer)),
        None => Err(no_answer(side, true).into()),
    }
}

/// What a CRM refused for good; another failure is the caller's business.
pub(super) fn refusal(answer: Result<(), CrmError>) -> Result<Option<String>, CrmError> {
    match answer {
        Ok(()) => Ok(None),
        Err(error) if error.kind == CrmErrorKind::Refused => Ok(Some(error.message)),
        Err(error) => Err(error),
    }
}

fn no_answer(side: Side, maybe_applied: bool) -> CrmError {
    CrmError {
        side,
        kind: CrmErrorKind::Garbled,
        status: None,
        code: None,
        message: "no answer to a call".to_owned(),
        retry_after: None,
        maybe_applied,
    }
}
