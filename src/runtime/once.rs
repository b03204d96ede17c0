//! One record, here and now: what `mapwright plan` and `mapwright run` do. The run is the one of production.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::eval::{Answer, Effect, Finished, PlannedWrite, Run};
use crate::plan::Plan;
use crate::source::{ObjectName, Side};
use crate::store::RecordKey;
use crate::types::{CrmError, CrmErrorKind, WriteAnswer};

use super::{Crms, Memory, settle};

/// Effects after which a run is stopped; see the driver.
const MAX_EFFECTS: usize = 200;

/// What a mapping would do with a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Preview {
    /// It would write.
    WouldWrite(PlannedWrite),
    /// It would end without a write.
    WouldFinish(Finished),
}

/// Why a single run did not come to an end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OnceError {
    /// There is no such mapping.
    #[error("there is no mapping `{0}`")]
    NoSuchMapping(String),
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

/// Shows what a mapping would do with a record, up to its first write. Nothing is written. Without a memory no record has
/// a counterpart yet.
pub async fn preview(
    plan: Arc<Plan>,
    mapping: &str,
    record: &str,
    crms: &Crms,
    memory: Option<Memory<'_>>,
) -> Result<Preview, OnceError> {
    let mut run = start(plan, mapping, record)?;
    let mut effect = run.next(None);
    for _ in 0..MAX_EFFECTS {
        effect = match effect {
            Effect::Write(write) => return Ok(Preview::WouldWrite(write)),
            Effect::Finish(finished) => return Ok(Preview::WouldFinish(finished)),
            other => run.next(Some(perform(other, crms, memory).await?)),
        };
    }
    Err(OnceError::Endless)
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
    let mut run = start(plan, mapping, record)?;
    let mut effect = run.next(None);
    for _ in 0..MAX_EFFECTS {
        effect = match effect {
            Effect::Finish(finished) => return Ok(finished),
            other => run.next(Some(perform(other, crms, memory).await?)),
        };
    }
    Err(OnceError::Endless)
}

fn start(plan: Arc<Plan>, mapping: &str, record: &str) -> Result<Run, OnceError> {
    Run::start(plan, mapping, record).ok_or_else(|| OnceError::NoSuchMapping(mapping.to_owned()))
}

/// Keeps what a run came to in the store, as a worker does: provenance, links, and the record if it is parked.
pub async fn record_once(
    memory: Memory<'_>,
    object: ObjectName,
    record: &str,
    mapping: &str,
    finished: Finished,
    now: DateTime<Utc>,
) -> Result<(), OnceError> {
    let key = RecordKey::new(memory.pair, object, record);
    let (_, results) = settle::results(mapping.to_owned(), finished, false);
    memory.store.record(&key, results, now).await.map_err(|error| OnceError::Store(error.to_string()))
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
        Effect::Write(write) => {
            let side = write.request.object.side;
            match crms.get(side).write(&[write.request]).await.pop() {
                Some(WriteAnswer::Failed(error)) => Err(error.into()),
                Some(answer) => Ok(Answer::Written(answer)),
                None => Err(no_answer(side, true).into()),
            }
        }
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
        Effect::Associate { add, remove } => Ok(Answer::Associations(vec![None; add.len() + remove.len()])),
        // INVARIANT: both callers end at a finish and never perform it.
        Effect::Finish(_) => Ok(Answer::Found(Vec::new())),
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
