//! From the ends of a lane's runs to its settlement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::eval::{
    ALREADY_SO, Conversion, Dropped, FieldChange, Finished, Park, Synced, SyncedWrite, Verdict,
};
use crate::source::{ObjectName, Side};
use crate::store::{
    FieldKept, FieldWritten, IntentId, LeasedLane, MappingResult, Next, Notes, Outcome, ParkReason,
    RecordWritten, Settlement,
};
use crate::types::{ConvertedInto, CrmError, LinkChange, LinkFate, Value, as_sent};

use super::driver::End;
use super::echo;
use super::engine::Task;
use super::intents::Known;
use super::policy::{self, Policy};
use super::{Clock, Settings, intents};

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
    /// The fields that were left out because a CRM refused them, with their mapping.
    pub(super) dropped: Vec<(String, Dropped)>,
}

/// A mapping's run that is over.
pub(super) struct Ran {
    pub(super) task: Task,
    pub(super) end: End,
    /// What was kept of its writes before they were sent.
    pub(super) own: Vec<IntentId>,
}

/// Decides about a lane from the mappings that ran, in order, and how each ended.
pub(super) fn decide(lane: &LeasedLane, ends: Vec<Ran>, clock: &dyn Clock, settings: &Settings) -> Decision {
    let now = clock.now();
    let mut decision = Decision {
        settlement: Settlement { next: Next::Done, results: Vec::new() },
        pause: None,
        verdicts: Vec::new(),
        dropped: Vec::new(),
    };
    for Ran { task, end, own } in ends {
        let Task { mapping, cause, .. } = task;
        let known = Known { open: &lane.intents, own: &own };
        match end {
            End::Finished(finished) => decision.finished(&mapping, finished, cause.is_some(), known),
            End::Unremembered(text) => decision.unremembered(lane, &mapping, text, now),
            End::Failed(error) => decision.failed(lane, mapping, error, now, clock.jitter(), settings),
            End::Broken(text) => decision.broken(lane, mapping, &text, now, clock.jitter(), settings),
        }
    }
    decision
}

impl Decision {
    fn finished(&mut self, mapping: &str, finished: Finished, caused: bool, known: Known<'_>) {
        let by = &finished.mapping;
        self.dropped.extend(finished.dropped.iter().map(|dropped| (by.clone(), dropped.clone())));
        let (words, results) = results(mapping, finished, caused, known);
        self.verdicts.extend(words);
        self.settlement.results.extend(results);
    }

    /// The store could not say what it remembers: the record waits for it, and it is not the record's fault.
    fn unremembered(&mut self, lane: &LeasedLane, mapping: &str, text: String, now: DateTime<Utc>) {
        tracing::error!(
            correlation_id = %lane.correlation, record = %lane.lane.key, mapping, error = text,
            "the store could not be asked, or not told of a write"
        );
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
            correlation_id = %lane.correlation, record = %lane.lane.key, mapping, crm = %error.side, kind = ?error.kind, status = error.status,
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
        // The words of a panic may quote a value; the place of it is logged where it happens.
        tracing::error!(
            correlation_id = %lane.correlation, record = %lane.lane.key, mapping, words = text.len(),
            "the interpreter failed on a record"
        );
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
            notes: Notes::default(),
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
            notes: Notes::default(),
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
        code: None,
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
    let code = error.code.clone();
    ParkReason { reason, field: None, answer: Some(error.to_string()), help: Some(help), at: None, code }
}

/// What a run comes to for the store, with its words for the counters. A run that the end of a paired record caused says
/// nothing about other work of its mapping, unless it parks.
pub(super) fn results(
    mapping: &str,
    finished: Finished,
    caused: bool,
    known: Known<'_>,
) -> (Vec<&'static str>, Vec<MappingResult>) {
    let (trouble, awaits) = (finished.troubled(), finished.awaits());
    let ended = intents::ended(known, mapping, &finished);
    let converted = finished.converted().map(|(conversion, into)| set_by(conversion, into));
    let Finished { mapping: ended_by, verdict, links, .. } = finished;
    let change = |change: LinkChange| MappingResult {
        mapping: mapping.to_owned(),
        ended_by: change.by.clone(),
        outcome: Outcome::Link(change),
        notes: Notes::default(),
    };
    // What a written record became is said after it was written.
    let (after, before): (Vec<_>, Vec<_>) =
        links.into_iter().partition(|change| matches!(change.fate, LinkFate::Became { .. }));
    let mut results: Vec<MappingResult> = before.into_iter().map(change).collect();
    let notes = Notes { intents: Some(ended), ..notes(&verdict) };
    let (word, outcome) = match converted {
        Some(fields) => ("converted", with_fields(outcome(verdict).1, fields)),
        None => outcome(verdict),
    };
    let outcome = if caused && outcome == Outcome::Skipped { Outcome::Ended } else { outcome };
    let result = |outcome, notes| MappingResult {
        mapping: mapping.to_owned(),
        ended_by: ended_by.clone(),
        outcome,
        notes,
    };
    results.push(result(outcome, notes));
    results.extend(after.into_iter().map(change));
    let mut words = vec![word];
    // The record itself is settled; its associations are a second result, which holds for what happens next.
    if let Some(park) = trouble {
        results.push(result(Outcome::Parked(park_reason(park)), Notes::default()));
        words.push("parked");
    } else if let Some(first) = awaits.first() {
        let reason = format!("{first} is not there yet");
        results
            .push(result(Outcome::Waiting { reason, fields: Vec::new(), pairs: awaits }, Notes::default()));
        words.push("waiting");
    }
    (words, results)
}

/// What a verdict says beside its outcome: why nothing was done, and which fields were left as they are.
fn notes(verdict: &Verdict) -> Notes {
    let left = |object: &ObjectName, id: &str, changes: &[FieldChange]| {
        let of = |change: &FieldChange| {
            // A field that held the value already was left alone by nobody's policy.
            let why = change.kept.clone().filter(|why| why != ALREADY_SO)?;
            Some(FieldKept {
                object: object.clone(),
                id: id.to_owned(),
                field: change.field.clone(),
                value: change.old.clone(),
                why,
                at: change.at.clone(),
            })
        };
        changes.iter().filter_map(of).collect::<Vec<_>>()
    };
    let kept = match verdict {
        Verdict::Written { object, id, changes, .. } => left(object, id, changes),
        Verdict::Unchanged { object, id, kept } => left(object, id, kept),
        Verdict::Synced(Synced { writes, kept, .. }) => {
            let all = writes.iter().chain(kept);
            all.flat_map(|write| left(&write.object, &write.id, &write.changes)).collect()
        }
        _ => Vec::new(),
    };
    let (reason, at) = match verdict {
        Verdict::Skipped { reason, at } | Verdict::Waiting { reason, at, .. } => {
            (Some(reason.clone()), at.clone())
        }
        Verdict::SourceGone => (Some("the source record does not exist (any more)".to_owned()), None),
        _ => (None, None),
    };
    Notes { reason, at, kept, intents: None }
}

/// The fields of the Lead that its conversion set, for the question where their values come from.
fn set_by(conversion: &Conversion, into: &ConvertedInto) -> Vec<FieldWritten> {
    let field = |field: &str, new: Value| FieldWritten {
        field: field.to_owned(),
        old: None,
        new,
        at: conversion.at.clone(),
    };
    let mut fields = vec![
        field("IsConverted", Value::Boolean(true)),
        field("Status", Value::text(&conversion.request.status)),
        field("ConvertedAccountId", Value::text(&into.account)),
        field("ConvertedContactId", Value::text(&into.contact)),
    ];
    fields.extend(into.opportunity.as_ref().map(|id| field("ConvertedOpportunityId", Value::text(id))));
    fields
}

/// A write with what followed it; a record that needed no write is one that was written all the same.
fn with_fields(outcome: Outcome, more: Vec<FieldWritten>) -> Outcome {
    match outcome {
        Outcome::Written { object, id, created, mut fields } => {
            fields.extend(more);
            Outcome::Written { object, id, created, fields }
        }
        Outcome::Unchanged { object, id } => Outcome::Written { object, id, created: false, fields: more },
        other => other,
    }
}

fn outcome(verdict: Verdict) -> (&'static str, Outcome) {
    match verdict {
        Verdict::Written { object, id, created, changes } => {
            let fields = changes.into_iter().filter_map(written).collect();
            (if created { "created" } else { "updated" }, Outcome::Written { object, id, created, fields })
        }
        Verdict::Unchanged { object, id, .. } => ("unchanged", Outcome::Unchanged { object, id }),
        Verdict::Synced(synced) => ("synced", self::synced(synced)),
        Verdict::Relinked { .. } => ("relinked", Outcome::Ended),
        Verdict::Skipped { .. } => ("skipped", Outcome::Skipped),
        Verdict::SourceGone => ("source_gone", Outcome::Skipped),
        Verdict::Waiting { reason, fields, pairs, .. } => {
            ("waiting", Outcome::Waiting { reason, fields, pairs })
        }
        Verdict::Parked(park) => ("parked", Outcome::Parked(park_reason(park))),
    }
}

fn synced(synced: Synced) -> Outcome {
    let met = Side::ALL.into_iter().filter_map(|side| Some((side, met(&synced, side)?))).collect();
    let Synced { hubspot, salesforce, writes, synced, .. } = synced;
    let written = |write: SyncedWrite| RecordWritten {
        object: write.object,
        id: write.id,
        created: write.created,
        fields: write.changes.into_iter().filter_map(written).collect(),
    };
    Outcome::Synced { hubspot, salesforce, writes: writes.into_iter().map(written).collect(), synced, met }
}

/// How a sync's run left the record of a side: as it was read, with what was written since. Of a record that it made, nobody
/// has seen yet what the CRM added by itself, so its first event is no echo.
fn met(synced: &Synced, side: Side) -> Option<BTreeMap<String, String>> {
    let read = synced.read.get(&side).into_iter().flatten();
    let mut met: BTreeMap<String, String> =
        read.map(|(field, value)| (field.clone(), echo::digest(Some(value)))).collect();
    for write in synced.writes.iter().skip(synced.written_before).filter(|write| write.object.side == side) {
        if write.created {
            return None;
        }
        for change in &write.changes {
            if let Some(new) = &change.new {
                met.insert(change.field.clone(), echo::digest(Some(&as_sent(side, new))));
            }
        }
    }
    Some(met)
}

fn park_reason(park: Park) -> ParkReason {
    let Park { reason, field, answer, help, at, code, .. } = park;
    ParkReason { reason, field, answer, help, at, code }
}

pub(super) fn written(change: FieldChange) -> Option<FieldWritten> {
    let FieldChange { field, old, new, at, .. } = change;
    new.map(|new| FieldWritten { field, old, new, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Association, Made};
    use crate::plan::LinkElse;
    use crate::runtime::ManualClock;
    use crate::source::Location;
    use crate::store::{CorrelationId, IntentsEnd, Lane, LaneId, RecordKey};
    use crate::types::{AssociationKind, AwaitedPair, CrmErrorKind};

    fn finished(made: Vec<Made>) -> Finished {
        let at = Location { file: "m.map".to_owned(), line: 9, column: 3 };
        let company = ObjectName::new(Side::Hubspot, "company");
        let associations = made.into_iter().map(|made| Association {
            kind: AssociationKind::Plain,
            to: company.clone(),
            id: None,
            made,
            at: at.clone(),
        });
        Finished {
            mapping: "opportunity".to_owned(),
            verdict: Verdict::Unchanged {
                object: ObjectName::new(Side::Hubspot, "deal"),
                id: "1".to_owned(),
                kept: Vec::new(),
            },
            associations: associations.collect(),
            conversion: None,
            path: Vec::new(),
            links: Vec::new(),
            dropped: Vec::new(),
        }
    }

    fn settled(made: Vec<Made>) -> Decision {
        let settlement = Settlement { next: Next::Done, results: Vec::new() };
        let mut decision = Decision { settlement, pause: None, verdicts: Vec::new(), dropped: Vec::new() };
        decision.finished("opportunity", finished(made), false, Known::default());
        decision
    }

    #[test]
    fn what_a_run_that_failed_was_about_to_write_outlives_another_of_its_mapping() {
        let key = RecordKey::new("main", ObjectName::new(Side::Salesforce, "Opportunity"), "006");
        let lane = LeasedLane {
            lane: Lane { id: LaneId(1), key, fence: 1 },
            correlation: CorrelationId(1),
            attempts: 0,
            last_error: None,
            events: Vec::new(),
            requested: Vec::new(),
            caused: Vec::new(),
            waiting: Vec::new(),
            met: Vec::new(),
            intents: Vec::new(),
        };
        let ran = |end, own| {
            let task =
                Task { mapping: "opportunity".to_owned(), if_became: false, if_paired: false, cause: None };
            Ran { task, end, own: vec![IntentId(own)] }
        };
        let lost = CrmError {
            side: Side::Hubspot,
            kind: CrmErrorKind::Retry,
            status: None,
            code: None,
            message: "the answer was lost".to_owned(),
            retry_after: None,
            maybe_applied: true,
        };
        let ends = vec![ran(End::Failed(lost), 1), ran(End::Finished(finished(Vec::new())), 2)];
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let decision = decide(&lane, ends, &clock, &Settings::default());
        assert!(matches!(decision.settlement.next, Next::RetryAt { .. }));
        let end = decision.settlement.results.iter().find_map(|result| result.notes.intents.clone());
        assert_eq!(end, Some(IntentsEnd { done: Vec::new(), over: vec![IntentId(2)] }));
    }

    fn unpaired(otherwise: LinkElse) -> Made {
        let of = ObjectName::new(Side::Salesforce, "Account");
        let to = ObjectName::new(Side::Hubspot, "company");
        Made::Unpaired { pair: AwaitedPair { of, id: "001".to_owned(), to }, otherwise }
    }

    #[test]
    fn a_record_keeps_its_own_result_while_its_associations_wait_or_are_parked() {
        let words = |made| settled(made).verdicts;
        assert_eq!(words(vec![Made::Added, Made::Kept, unpaired(LinkElse::Skip)]), ["unchanged"]);
        assert_eq!(words(vec![unpaired(LinkElse::Wait)]), ["unchanged", "waiting"]);
        assert_eq!(
            words(vec![unpaired(LinkElse::Wait), Made::Refused("no".to_owned())]),
            ["unchanged", "parked"]
        );

        let results = settled(vec![unpaired(LinkElse::Wait)]).settlement.results;
        assert!(matches!(results[0].outcome, Outcome::Unchanged { .. }), "the link is kept");
        assert!(matches!(&results[1].outcome, Outcome::Waiting { reason, pairs, .. }
            if pairs[0].id == "001" && reason == "the hubspot.company of salesforce.Account 001 is not there yet"));

        let results =
            settled(vec![unpaired(LinkElse::Park(Some("no company".to_owned())))]).settlement.results;
        assert!(matches!(&results[1].outcome, Outcome::Parked(park)
            if park.reason == "no company" && park.at.as_ref().is_some_and(|at| at.line == 9)));
    }
}
