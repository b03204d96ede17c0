//! From the ends of a lane's runs to its settlement.

use chrono::{DateTime, Utc};

use crate::eval::{FieldChange, Finished, Park, Synced, SyncedWrite, Verdict};
use crate::store::{
    FieldWritten, LeasedLane, MappingResult, Next, Outcome, ParkReason, RecordWritten, Settlement,
};
use crate::types::CrmError;

use super::driver::End;
use super::engine::Task;
use super::policy::{self, Policy};
use super::{Clock, Settings};

/// How long a record waits for a store that failed.
const STORE_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// What the ends of a lane's runs come to.
pub(super) struct Decision {
    /// For the store.
    pub(super) settlement: Settlement,
    /// The failure that pauses a CRM, if one does.
    pub(super) pause: Option<(CrmError, Policy)>,
    /// For the counters, one word for each mapping that ran.
    pub(super) verdicts: Vec<&'static str>,
}

/// Decides about a lane from the mappings that ran, in order, and how each ended.
pub(super) fn decide(
    lane: &LeasedLane,
    ends: Vec<(Task, End)>,
    clock: &dyn Clock,
    settings: &Settings,
) -> Decision {
    let now = clock.now();
    let mut decision = Decision {
        settlement: Settlement { next: Next::Done, results: Vec::new() },
        pause: None,
        verdicts: Vec::new(),
    };
    for (task, end) in ends {
        let Task { mapping, cause, .. } = task;
        match end {
            End::Finished(finished) => decision.finished(mapping, finished, cause.is_some()),
            End::Unremembered(text) => decision.unremembered(lane, &mapping, text, now),
            End::Failed(error) => decision.failed(lane, mapping, error, now, clock.jitter(), settings),
            End::Broken(text) => decision.broken(lane, mapping, &text, now, clock.jitter(), settings),
        }
    }
    decision
}

impl Decision {
    fn finished(&mut self, mapping: String, finished: Finished, caused: bool) {
        let (word, results) = results(mapping, finished, caused);
        self.verdicts.push(word);
        self.settlement.results.extend(results);
    }

    /// The store could not say what it remembers: the record waits for it, and it is not the record's fault.
    fn unremembered(&mut self, lane: &LeasedLane, mapping: &str, text: String, now: DateTime<Utc>) {
        tracing::error!(lane = %lane.lane.id, mapping, error = text, "the links could not be read");
        self.verdicts.push("retried");
        self.retry(now + STORE_PAUSE, text, false);
    }

    fn failed(
        &mut self,
        lane: &LeasedLane,
        mapping: String,
        error: CrmError,
        now: DateTime<Utc>,
        jitter: f64,
        settings: &Settings,
    ) {
        // The vendor's words may quote a person's data; they are stored and not logged.
        tracing::warn!(
            lane = %lane.lane.id, mapping, crm = %error.side, kind = ?error.kind, status = error.status,
            code = error.code, "a call failed"
        );
        let policy = policy::decide(&error, lane.attempts, jitter, settings);
        match policy {
            Policy::Retry { after } => {
                self.verdicts.push("retried");
                self.retry(now + after, error.to_string(), true);
            }
            Policy::Pause { time, .. } => {
                self.verdicts.push("paused");
                self.retry(now + time, error.to_string(), false);
                self.pause = Some((error, policy));
            }
            Policy::Park => {
                self.verdicts.push("parked");
                self.park(mapping, failure_reason(lane, &error));
            }
        }
    }

    fn broken(
        &mut self,
        lane: &LeasedLane,
        mapping: String,
        text: &str,
        now: DateTime<Utc>,
        jitter: f64,
        settings: &Settings,
    ) {
        tracing::error!(lane = %lane.lane.id, mapping, error = text, "the interpreter failed on a record");
        if lane.attempts + 1 < settings.max_attempts {
            self.verdicts.push("retried");
            self.retry(
                now + policy::backoff(lane.attempts, jitter, settings),
                "an internal error".to_owned(),
                true,
            );
        } else {
            self.verdicts.push("parked");
            self.park(mapping, internal_reason());
        }
    }

    fn park(&mut self, mapping: String, reason: ParkReason) {
        self.settlement.results.push(MappingResult {
            ended_by: mapping.clone(),
            mapping,
            outcome: Outcome::Parked(reason),
        });
    }

    /// The latest of several retries holds; it counts if one of them does.
    fn retry(&mut self, at: DateTime<Utc>, error: String, counted: bool) {
        let (at, counted) = match &self.settlement.next {
            Next::RetryAt { at: other, counted: also, .. } => (at.max(*other), counted || *also),
            _ => (at, counted),
        };
        self.settlement.next = Next::RetryAt { at, error, counted };
    }
}

/// Parks a lane that lost its worker too often, without running it again.
pub(super) fn give_up(lane: &LeasedLane, mappings: impl Iterator<Item = String>) -> Settlement {
    let reason = ParkReason { answer: lane.last_error.clone(), ..internal_reason() };
    let results = mappings
        .map(|mapping| MappingResult {
            ended_by: mapping.clone(),
            mapping,
            outcome: Outcome::Parked(reason.clone()),
        })
        .collect();
    Settlement { next: Next::Done, results }
}

fn internal_reason() -> ParkReason {
    ParkReason {
        reason: "the engine failed on this record every time".to_owned(),
        field: None,
        answer: None,
        help: Some(
            "this is a fault of the engine: report it, with the log's lines about this lane".to_owned(),
        ),
        at: None,
    }
}

fn failure_reason(lane: &LeasedLane, error: &CrmError) -> ParkReason {
    let reason = match lane.attempts {
        0 => format!("{} refused the call", error.side.label()),
        n => format!("{} failed {} times", error.side.label(), n + 1),
    };
    let help = match error.status {
        Some(status) => format!("{} answered {status}; retry once its cause is gone", error.side.label()),
        None => "retry once its cause is gone".to_owned(),
    };
    ParkReason { reason, field: None, answer: Some(error.to_string()), help: Some(help), at: None }
}

/// What a run comes to for the store, with its word for the counters. A run that the end of a paired record caused says
/// nothing about other work of its mapping, unless it parks.
pub(super) fn results(
    mapping: String,
    finished: Finished,
    caused: bool,
) -> (&'static str, Vec<MappingResult>) {
    let Finished { mapping: ended_by, verdict, links, .. } = finished;
    let changes = links.into_iter().map(|change| MappingResult {
        mapping: mapping.clone(),
        ended_by: change.by.clone(),
        outcome: Outcome::Link(change),
    });
    let mut results: Vec<MappingResult> = changes.collect();
    let (word, outcome) = outcome(verdict);
    let outcome = if caused && outcome == Outcome::Skipped { Outcome::Ended } else { outcome };
    results.push(MappingResult { mapping, ended_by, outcome });
    (word, results)
}

fn outcome(verdict: Verdict) -> (&'static str, Outcome) {
    match verdict {
        Verdict::Written { object, id, created, changes } => {
            let fields = changes.into_iter().filter_map(written).collect();
            (if created { "created" } else { "updated" }, Outcome::Written { object, id, created, fields })
        }
        Verdict::Unchanged { object, id } => ("unchanged", Outcome::Unchanged { object, id }),
        Verdict::Synced(synced) => ("synced", self::synced(synced)),
        Verdict::Relinked { .. } => ("relinked", Outcome::Ended),
        Verdict::Skipped { .. } => ("skipped", Outcome::Skipped),
        Verdict::SourceGone => ("source_gone", Outcome::Skipped),
        Verdict::Waiting { reason, fields, .. } => ("waiting", Outcome::Waiting { reason, fields }),
        Verdict::Parked(Park { reason, field, answer, help, at }) => {
            ("parked", Outcome::Parked(ParkReason { reason, field, answer, help, at }))
        }
    }
}

fn synced(synced: Synced) -> Outcome {
    let Synced { hubspot, salesforce, writes, synced } = synced;
    let written = |write: SyncedWrite| RecordWritten {
        object: write.object,
        id: write.id,
        created: write.created,
        fields: write.changes.into_iter().filter_map(written).collect(),
    };
    Outcome::Synced { hubspot, salesforce, writes: writes.into_iter().map(written).collect(), synced }
}

fn written(change: FieldChange) -> Option<FieldWritten> {
    let FieldChange { field, old, new, at, .. } = change;
    new.map(|new| FieldWritten { field, old, new, at })
}
