//! How far a load is, and what became of its records.

use serde::{Deserialize, Serialize};

use crate::eval::{Finished, Park, Verdict};
use crate::source::Location;
use crate::store::{Next, Outcome, ParkReason};

use super::super::driver::End;
use super::super::intents;
use super::super::worker::Decided;
use super::jobs::JobMark;

/// How far a load is. Stored, so fields are only ever added, with a default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What was asked for, as a person writes it.
    pub options: String,
    /// Where the walk goes on, in the vendor's own terms.
    pub place: Option<String>,
    /// Whether the walk has come to its end.
    pub walked: bool,
    /// Records that the walk has handed out so far.
    pub taken: u64,
    /// Those that are not settled yet.
    pub pending: Vec<String>,
    /// What became of the others.
    pub counts: Counts,
    /// Jobs that may have written some of them.
    pub jobs: Vec<JobMark>,
}

impl Progress {
    /// Whether nothing is left to do.
    pub fn finished(&self) -> bool {
        self.walked && self.pending.is_empty()
    }
}

/// What became of records. Each is counted once, but a record that was written and whose associations a person must look
/// at is counted as parked too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// All that were dealt with.
    pub records: u64,
    /// A target record is new.
    pub created: u64,
    /// A target record was changed.
    pub updated: u64,
    /// Everything was as it should be.
    pub unchanged: u64,
    /// A guard, an outcome or a trigger leaves it out, or it is gone.
    pub skipped: u64,
    /// It waits for a field to change or for another pair.
    pub waiting: u64,
    /// A person must look.
    pub parked: u64,
}

impl Counts {
    /// Counts a record that is settled; a row for it, where a person must look.
    pub(super) fn add(&mut self, mapping: &str, decided: &Decided) -> Option<RefusedRow> {
        let record = &decided.lane.lane.key.record;
        let parked = decided.settlement.results.iter().find_map(|result| match &result.outcome {
            Outcome::Parked(reason) if result.mapping == mapping => Some(reason.clone()),
            _ => None,
        });
        match &decided.end {
            Some(End::Finished(finished)) => {
                return self.end(record, finished, carried_out(mapping, decided));
            }
            _ if parked.is_some() => self.parked += 1,
            // Erased, or its life has ended: nothing is left to load.
            _ => self.skipped += 1,
        }
        self.records += 1;
        debug_assert!(!matches!(decided.settlement.next, Next::RetryAt { .. }), "it is settled");
        parked.map(|reason| RefusedRow::of_reason(record, reason))
    }

    /// Counts how a run ended. A record that is as it should be because a run before a crash wrote it was written; `before`
    /// says whether that made it.
    pub(super) fn end(
        &mut self,
        record: &str,
        finished: &Finished,
        before: Option<bool>,
    ) -> Option<RefusedRow> {
        self.records += 1;
        let count = match &finished.verdict {
            Verdict::Written { created: true, .. } => &mut self.created,
            Verdict::Written { .. } => &mut self.updated,
            Verdict::Synced(synced) if synced.writes.iter().any(|write| write.created) => &mut self.created,
            Verdict::Synced(synced) if !synced.writes.is_empty() => &mut self.updated,
            _ if finished.converted().is_some() => &mut self.updated,
            Verdict::Unchanged { .. } | Verdict::Synced(_) if before == Some(true) => &mut self.created,
            Verdict::Unchanged { .. } | Verdict::Synced(_) if before == Some(false) => &mut self.updated,
            Verdict::Unchanged { .. } | Verdict::Synced(_) => &mut self.unchanged,
            Verdict::Skipped { .. } | Verdict::SourceGone | Verdict::Relinked { .. } => &mut self.skipped,
            Verdict::Waiting { .. } => &mut self.waiting,
            Verdict::Parked(_) => &mut self.parked,
        };
        *count += 1;
        if let Verdict::Parked(park) = &finished.verdict {
            return Some(RefusedRow::of_park(record, park.clone()));
        }
        let trouble = finished.troubled()?;
        self.parked += 1;
        Some(RefusedRow::of_park(record, trouble))
    }
}

/// Whether a run before this one had carried out a write of the mapping, and then whether it had made the record.
fn carried_out(mapping: &str, decided: &Decided) -> Option<bool> {
    let own = decided.settlement.results.iter().filter(|result| result.mapping == mapping);
    own.filter_map(|result| result.notes.intents.as_ref())
        .find_map(|end| intents::carried_out(&decided.lane.intents, end))
}

/// A record that a person must look at. It holds a value, which may be a person's: it is erased with the record, and goes
/// with what is old once its load is finished. Stored, so fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// The source record's id.
    pub record: String,
    /// The target field, where one is to blame.
    pub field: Option<String>,
    /// Why.
    pub reason: String,
    /// The line to mend.
    pub line: Option<Location>,
    /// What the CRM said.
    pub answer: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// What was sent for the field, as the CRM got it.
    #[serde(default)]
    pub value: Option<String>,
    /// The CRM's codes.
    #[serde(default)]
    pub code: Option<String>,
}

impl RefusedRow {
    pub(super) fn of(record: &str, reason: String) -> Self {
        let record = record.to_owned();
        Self { record, field: None, reason, line: None, answer: None, help: None, value: None, code: None }
    }

    fn of_park(record: &str, park: Park) -> Self {
        let Park { reason, field, answer, help, at, code, sent } = park;
        Self { record: record.to_owned(), field, reason, line: at, answer, help, value: sent, code }
    }

    fn of_reason(record: &str, parked: ParkReason) -> Self {
        let ParkReason { reason, field, answer, help, at, code } = parked;
        Self { record: record.to_owned(), field, reason, line: at, answer, help, value: None, code }
    }

    pub(super) fn stored(&self) -> String {
        // INVARIANT: a row is a struct of texts and a place, which JSON can hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}
