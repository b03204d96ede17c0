//! Writes that go in jobs, and jobs that are found again after a crash.
//!
//! A job's id is in the store before the job can begin. Whoever goes on with the load lets a job that has begun come to
//! its end before any record of it runs again, and gives up one that has not.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crm::{Bulk, JobState};
use crate::source::Side;
use crate::store::{BackfillKey, Backfills, Step, StoreError};
use crate::types::{CrmError, CrmErrorKind, WriteAnswer, WriteRequest};

use super::super::Clock;
use super::progress::Progress;

/// The pauses between looks at a job: the first, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// A job of the chunk under way. Stored, so fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMark {
    /// Its id.
    pub id: String,
}

/// When writes go in jobs.
#[derive(Clone)]
pub struct BulkWrites {
    /// Who takes them.
    pub bulk: Arc<dyn Bulk>,
    /// From so many rows of one kind on.
    pub from_rows: usize,
}

impl std::fmt::Debug for BulkWrites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BulkWrites").field("from_rows", &self.from_rows).finish_non_exhaustive()
    }
}

/// The jobs of a load.
pub(super) struct Jobs {
    pub(super) writes: BulkWrites,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) loads: Arc<dyn Backfills>,
    pub(super) key: BackfillKey,
    /// How far the load is, with the jobs under way.
    progress: Mutex<Progress>,
    /// Jobs of which it is known that they have ended.
    known: Mutex<HashSet<String>>,
}

impl Jobs {
    pub(super) fn new(
        writes: BulkWrites,
        clock: Arc<dyn Clock>,
        loads: Arc<dyn Backfills>,
        key: BackfillKey,
        progress: &Progress,
    ) -> Self {
        let progress = Mutex::new(progress.clone());
        Self { writes, clock, loads, key, progress, known: Mutex::default() }
    }

    /// Takes over how far the load is, but for the jobs.
    pub(super) fn at(&self, progress: &mut Progress) {
        let mut own = locked(&self.progress);
        progress.jobs.clone_from(&own.jobs);
        *own = progress.clone();
    }

    /// Waits for the jobs that are known: none of their records may run before. What they wrote the runs find themselves.
    pub(super) async fn recover(&self) -> Result<(), CrmError> {
        let jobs = locked(&self.progress).jobs.clone();
        for JobMark { id } in jobs {
            if locked(&self.known).contains(&id) {
                continue;
            }
            if self.end_of(&id).await? == JobState::Open {
                self.writes.bulk.abort(&id).await?;
            }
            locked(&self.known).insert(id);
        }
        Ok(())
    }

    /// Writes: rows of one kind in a job where there are many, the others by `rest`, and with them those that their job did
    /// not deal with: a job says only what is wrong with all of it.
    pub(super) async fn write<F>(
        &self,
        requests: &[WriteRequest],
        rest: impl FnOnce(Vec<WriteRequest>) -> F + Send,
    ) -> Vec<WriteAnswer>
    where
        F: Future<Output = Vec<WriteAnswer>> + Send,
    {
        let mut kinds: Vec<(String, Vec<usize>, HashSet<String>)> = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            let Some((kind, record)) = self.writes.bulk.row_of(request) else { continue };
            let place = kinds.iter().position(|(known, ..)| *known == kind).unwrap_or_else(|| {
                kinds.push((kind, Vec::new(), HashSet::new()));
                kinds.len() - 1
            });
            let (_, members, records) = &mut kinds[place];
            if records.insert(record) {
                members.push(index);
            }
        }
        let mut answers: Vec<Option<WriteAnswer>> = vec![None; requests.len()];
        for (_, members, _) in kinds.into_iter().filter(|(_, rows, _)| rows.len() >= self.writes.from_rows) {
            let rows: Vec<WriteRequest> = members.iter().map(|index| requests[*index].clone()).collect();
            for (index, answer) in members.into_iter().zip(self.in_jobs(&rows).await) {
                answers[index] = answer;
            }
        }
        let left: Vec<usize> = (0..requests.len()).filter(|index| answers[*index].is_none()).collect();
        if !left.is_empty() {
            let rows = left.iter().map(|index| requests[*index].clone()).collect();
            for (index, answer) in left.into_iter().zip(rest(rows).await) {
                answers[index] = Some(answer);
            }
        }
        // INVARIANT: every row went in a job or with the rest, and each of them answers all its rows.
        let unsent = || WriteAnswer::Failed(lost("the write was not sent"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unsent)).collect()
    }

    /// The answers of jobs; none where a job ended before it dealt with a row.
    async fn in_jobs(&self, rows: &[WriteRequest]) -> Vec<Option<WriteAnswer>> {
        let (mut answers, mut left) = (Vec::with_capacity(rows.len()), rows);
        while !left.is_empty() {
            let (job, others) = left.split_at(self.writes.bulk.fitting(left).clamp(1, left.len()));
            match self.in_job(job).await {
                Ok(said) => answers.extend(said),
                Err(error) => answers.extend(job.iter().map(|_| Some(WriteAnswer::Failed(error.clone())))),
            }
            left = others;
        }
        answers
    }

    async fn in_job(&self, rows: &[WriteRequest]) -> Result<Vec<Option<WriteAnswer>>, CrmError> {
        let bulk = &self.writes.bulk;
        let id = bulk.open(&rows[0]).await.map_err(unapplied)?;
        self.keep(&id).await.map_err(|error| lost(&error.to_string()))?;
        bulk.fill(&id, rows).await.map_err(unapplied)?;
        if let Err(error) = bulk.start(&id).await {
            // Nobody knows whether it has begun, unless it says so itself.
            if bulk.state(&id).await? == JobState::Open {
                bulk.abort(&id).await?;
                return Err(unapplied(error));
            }
        }
        match self.end_of(&id).await? {
            JobState::Open | JobState::Unknown => Err(lost("the job is gone")),
            JobState::Failed(why) => {
                tracing::warn!(
                    job = id,
                    why,
                    "a job failed; rows that it did not deal with are written one by one"
                );
                self.answers(&id, rows).await
            }
            JobState::Complete | JobState::Working => self.answers(&id, rows).await,
        }
    }

    async fn answers(&self, id: &str, rows: &[WriteRequest]) -> Result<Vec<Option<WriteAnswer>>, CrmError> {
        let answers = self.writes.bulk.answers(id, rows).await?;
        // Its mark stays until its records are settled.
        locked(&self.known).insert(id.to_owned());
        Ok(answers)
    }

    /// Waits until a job that has begun has ended.
    async fn end_of(&self, id: &str) -> Result<JobState, CrmError> {
        let mut pause = FIRST_LOOK;
        loop {
            match self.writes.bulk.state(id).await? {
                JobState::Working => self.clock.sleep(pause).await,
                other => return Ok(other),
            }
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// Keeps a job's id, so that it is found again.
    async fn keep(&self, id: &str) -> Result<(), StoreError> {
        let kept = {
            let mut progress = locked(&self.progress);
            progress.jobs.push(JobMark { id: id.to_owned() });
            serde_json::to_string(&*progress)?
        };
        let step = Step { progress: kept, ..Step::default() };
        self.loads.step(&self.key, step, self.clock.now()).await.map(drop)
    }
}

/// An error before a job began: nothing was written.
fn unapplied(error: CrmError) -> CrmError {
    CrmError { maybe_applied: false, ..error }
}

fn lost(message: &str) -> CrmError {
    CrmError {
        side: Side::Salesforce,
        kind: CrmErrorKind::Retry,
        status: None,
        code: None,
        message: message.to_owned(),
        retry_after: None,
        maybe_applied: false,
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
