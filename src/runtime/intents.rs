//! What is kept of a write before it is sent, and what a later run makes of it ([`crate::store::Intent`]).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::eval::{FieldChange, Finished, PlannedWrite, SyncedWrite, Verdict};
use crate::source::ObjectName;
use crate::store::{
    Begun, EventId, FieldWritten, Intent, IntentId, IntentTarget, IntentsEnd, LeasedLane, OpenIntent, Origin,
    RecordKey, Store, StoreError,
};
use crate::types::{Value, WriteTarget, same};

use super::{Clock, Parts, settle};

/// Intents in one transaction: more than a batch of either vendor, and short enough that a server beside hardly waits.
const SLICE: usize = 1_000;

/// Why a run writes.
pub(super) struct Why {
    source: RecordKey,
    mapping: String,
    events: Vec<EventId>,
    /// What made it run, where no event did.
    begun: Option<Begun>,
    origin: Origin,
}

impl Why {
    /// Of a lane's run.
    pub(super) fn of_lane(lane: &LeasedLane, mapping: &str, parts: &Parts) -> Self {
        let causes = || lane.caused.iter().map(|(_, cause)| cause.clone()).collect::<Vec<_>>();
        Self {
            source: lane.lane.key.clone(),
            mapping: mapping.to_owned(),
            events: lane.events.iter().map(|event| event.id).collect(),
            begun: match (lane.events.is_empty(), lane.caused.is_empty()) {
                (false, _) => None,
                // A load asks for it, and nothing in the lane does.
                (true, true) if lane.requested.is_empty() => {
                    Some(Begun::Backfill { mapping: mapping.to_owned() })
                }
                (true, true) => Some(Begun::Request),
                (true, false) => Some(Begun::Causes(causes())),
            },
            origin: Origin { correlation: lane.correlation, project: parts.settings.project },
        }
    }

    /// Of a run by hand.
    pub(super) fn by_hand(source: RecordKey, mapping: &str, origin: Origin) -> Self {
        let (mapping, begun) = (mapping.to_owned(), Some(Begun::Command));
        Self { source, mapping, events: Vec::new(), begun, origin }
    }

    fn intent(&self, planned: &PlannedWrite, at: DateTime<Utc>) -> Intent {
        Intent {
            source: self.source.clone(),
            mapping: self.mapping.clone(),
            ended_by: planned.mapping.clone(),
            object: planned.request.object.clone(),
            target: match &planned.request.target {
                WriteTarget::Update { id } => IntentTarget::Record(id.clone()),
                WriteTarget::Upsert { key, .. } => IntentTarget::Keyed(key.clone()),
                WriteTarget::Create => IntentTarget::New,
            },
            fields: planned.changes.iter().cloned().filter_map(settle::written).collect(),
            events: self.events.clone(),
            begun: self.begun.clone(),
            correlation: self.origin.correlation,
            project: self.origin.project,
            at,
        }
    }
}

/// Keeps what runs are about to write.
pub(super) struct Announcer<'a> {
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    /// Why each run writes, in order of the runs.
    runs: Vec<Why>,
    /// What is kept of each of them, in the same order.
    kept: Mutex<Vec<Vec<IntentId>>>,
}

impl<'a> Announcer<'a> {
    pub(super) fn new(store: &'a dyn Store, clock: &'a dyn Clock, runs: Vec<Why>) -> Self {
        let kept = Mutex::new(vec![Vec::new(); runs.len()]);
        Self { store, clock, runs, kept }
    }

    /// Keeps what these runs, named by their places, are about to write; nothing of it may be sent before.
    pub(super) async fn announce(&self, writes: &[(usize, &PlannedWrite)]) -> Result<(), StoreError> {
        let now = self.clock.now();
        for slice in writes.chunks(SLICE) {
            let intents = slice.iter().map(|(run, planned)| self.runs[*run].intent(planned, now));
            let ids = self.store.intend(intents.collect()).await?;
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            for ((run, _), id) in slice.iter().zip(ids) {
                kept[*run].push(id);
            }
        }
        Ok(())
    }

    /// What was kept of each run, in order of the runs.
    pub(super) fn kept(self) -> Vec<Vec<IntentId>> {
        self.kept.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The intents that a run's end speaks of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// Those of its record that were open when it began.
    pub(super) open: &'a [OpenIntent],
    /// Its own.
    pub(super) own: &'a [IntentId],
}

/// What a run that came to its end says of its mapping's intents. It was told what became of its own writes, which the
/// store knows from its results.
pub(super) fn ended(known: Known<'_>, mapping: &str, finished: &Finished) -> IntentsEnd {
    let Known { open, own } = known;
    let mut end = IntentsEnd { done: Vec::new(), over: own.to_vec() };
    let mut met = Met::of(&finished.verdict);
    // The newest first: what a field held before it is what an older one may have written.
    for OpenIntent { id, intent } in open.iter().rev().filter(|open| open.intent.mapping == mapping) {
        let Some(record) = met.record(&intent.object, &intent.target) else { continue };
        if record.holds(intent) {
            end.done.push((*id, record.id.clone()));
            record.before(intent);
        } else {
            end.over.push(*id);
        }
    }
    end.done.reverse();
    end
}

/// The records that a run has met, as they were before it wrote.
struct Met(Vec<MetRecord>);

struct MetRecord {
    object: ObjectName,
    id: String,
    /// What it held, as far as that was known.
    fields: HashMap<String, Value>,
}

impl Met {
    fn of(verdict: &Verdict) -> Self {
        let of_write = |write: &SyncedWrite| MetRecord::of(&write.object, &write.id, &write.changes);
        Self(match verdict {
            Verdict::Unchanged { object, id, kept } => vec![MetRecord::of(object, id, kept)],
            // Of a record that it made itself the run knows that there was none.
            Verdict::Written { created: true, object, id, .. } => vec![MetRecord::of(object, id, &[])],
            Verdict::Written { object, id, changes, .. } => vec![MetRecord::of(object, id, changes)],
            Verdict::Synced(synced) => synced.writes.iter().chain(&synced.kept).map(of_write).collect(),
            _ => Vec::new(),
        })
    }

    fn record(&mut self, object: &ObjectName, target: &IntentTarget) -> Option<&mut MetRecord> {
        self.0.iter_mut().find(|record| match target {
            IntentTarget::Record(id) => record.object == *object && record.id == *id,
            IntentTarget::Keyed(_) | IntentTarget::New => record.object == *object,
        })
    }
}

impl MetRecord {
    fn of(object: &ObjectName, id: &str, changes: &[FieldChange]) -> Self {
        let held = |change: &FieldChange| Some((change.field.clone(), change.old.clone()?));
        Self { object: object.clone(), id: id.to_owned(), fields: changes.iter().filter_map(held).collect() }
    }

    /// Whether an intent was carried out on it: a CRM takes all fields of a write or none. So one that still holds what was
    /// there before speaks against it, and one that holds what was meant speaks for it; what holds anything else was written
    /// by somebody afterwards. That a record is the one which was to be made shows by its key; where it has none, by
    /// everything that is known of it.
    fn holds(&self, intent: &Intent) -> bool {
        let mut carried_out = false;
        for FieldWritten { field, old, new, .. } in &intent.fields {
            let Some(held) = self.fields.get(field) else { continue };
            let as_meant = equal(held, new);
            let as_before = !as_meant && old.as_ref().is_some_and(|old| equal(held, old));
            let decides = match &intent.target {
                IntentTarget::Record(_) => as_before,
                IntentTarget::Keyed(key) => key == field && !as_meant,
                IntentTarget::New => !as_meant,
            };
            if decides {
                return false;
            }
            carried_out |= as_meant;
        }
        carried_out
    }

    /// Goes back to how the record was before an intent was carried out.
    fn before(&mut self, intent: &Intent) {
        for FieldWritten { field, old, .. } in &intent.fields {
            match old {
                Some(old) => self.fields.insert(field.clone(), old.clone()),
                None => self.fields.remove(field),
            };
        }
    }
}

/// Whether two values are one, two blanks included.
fn equal(a: &Value, b: &Value) -> bool {
    same(a, b) || a.is_blank() && b.is_blank()
}

/// Whether a run found that one before it had carried out a write: whether that had made the record.
pub(super) fn carried_out(open: &[OpenIntent], end: &IntentsEnd) -> Option<bool> {
    let of = |id: &IntentId| open.iter().find(|open| open.id == *id);
    let done: Vec<&OpenIntent> = end.done.iter().filter_map(|(id, _)| of(id)).collect();
    (!done.is_empty()).then(|| done.iter().any(|open| open.intent.target.is_new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Location, Side};
    use crate::store::CorrelationId;

    fn at(line: usize) -> Location {
        Location { file: "m.map".to_owned(), line, column: 1 }
    }

    fn lead() -> ObjectName {
        ObjectName::new(Side::Salesforce, "Lead")
    }

    fn value(text: &str) -> Value {
        if text.is_empty() { Value::Blank } else { Value::text(text) }
    }

    fn intent(id: i64, target: IntentTarget, fields: &[(&str, Option<&str>, &str)]) -> OpenIntent {
        let written = |(line, (field, old, new)): (usize, &(&str, Option<&str>, &str))| FieldWritten {
            field: (*field).to_owned(),
            old: old.map(value),
            new: value(new),
            at: at(line),
        };
        let intent = Intent {
            source: RecordKey::new("main", ObjectName::new(Side::Hubspot, "contact"), "1"),
            mapping: "lead".to_owned(),
            ended_by: "lead".to_owned(),
            object: lead(),
            target,
            fields: fields.iter().enumerate().map(written).collect(),
            events: Vec::new(),
            begun: None,
            correlation: CorrelationId(1),
            project: None,
            at: DateTime::UNIX_EPOCH,
        };
        OpenIntent { id: IntentId(id), intent }
    }

    /// A run that found this in the record `L1` and wrote nothing.
    fn found(fields: &[(&str, &str)]) -> Verdict {
        let kept = |(field, old): &(&str, &str)| FieldChange {
            field: (*field).to_owned(),
            old: Some(value(old)),
            new: None,
            kept: Some("already so".to_owned()),
            at: at(1),
        };
        Verdict::Unchanged { object: lead(), id: "L1".to_owned(), kept: fields.iter().map(kept).collect() }
    }

    /// Those that it finds carried out, and those that stay open.
    fn end(open: &[OpenIntent], verdict: Verdict) -> (Vec<i64>, Vec<i64>) {
        let finished = Finished {
            mapping: "lead".to_owned(),
            verdict,
            associations: Vec::new(),
            conversion: None,
            path: Vec::new(),
            links: Vec::new(),
            dropped: Vec::new(),
        };
        let own = [IntentId(9)];
        let end = ended(Known { open, own: &own }, "lead", &finished);
        assert!(end.done.iter().all(|(_, record)| record == "L1"));
        assert!(end.over.contains(&own[0]), "of its own a run knows everything");
        let named = |id: &IntentId| end.over.contains(id) || end.done.iter().any(|(done, _)| done == id);
        let left = open.iter().map(|open| open.id).filter(|id| !named(id));
        (end.done.iter().map(|(id, _)| id.0).collect(), left.map(|id| id.0).collect())
    }

    fn record(id: &str) -> IntentTarget {
        IntentTarget::Record(id.to_owned())
    }

    fn keyed() -> IntentTarget {
        IntentTarget::Keyed("Key__c".to_owned())
    }

    #[test]
    fn an_update_is_carried_out_where_a_field_is_as_meant_and_none_as_before() {
        let one = || [intent(1, record("L1"), &[("City", Some("Tempe"), "Mesa"), ("Title", Some(""), "VP")])];
        assert_eq!(end(&one(), found(&[("City", "Mesa"), ("Title", "VP")])), (vec![1], vec![]));
        assert_eq!(
            end(&one(), found(&[("City", "Mesa"), ("Title", "CEO")])),
            (vec![1], vec![]),
            "changed since"
        );
        assert_eq!(end(&one(), found(&[("City", "Mesa"), ("Title", "")])), (vec![], vec![]), "a coincidence");
        assert_eq!(end(&one(), found(&[("City", "Tempe"), ("Title", "")])), (vec![], vec![]));
        assert_eq!(end(&one(), found(&[("City", "Gilbert")])), (vec![], vec![]), "nothing speaks for it");
        let other = [intent(1, record("L2"), &[("City", Some("Tempe"), "Mesa")])];
        assert_eq!(end(&other, found(&[("City", "Mesa")])), (vec![], vec![1]), "another record");
    }

    #[test]
    fn a_new_record_shows_by_its_key_or_by_everything() {
        let one = |target| [intent(1, target, &[("Key__c", None, "1"), ("City", None, "Mesa")])];
        assert_eq!(end(&one(keyed()), found(&[("Key__c", "1"), ("City", "Tempe")])), (vec![1], vec![]));
        assert_eq!(end(&one(keyed()), found(&[("Key__c", ""), ("City", "Mesa")])), (vec![], vec![]));
        let new = IntentTarget::New;
        assert_eq!(end(&one(new.clone()), found(&[("City", "Mesa")])), (vec![1], vec![]));
        assert_eq!(end(&one(new.clone()), found(&[("Key__c", "1"), ("City", "Tempe")])), (vec![], vec![]));
        let made =
            Verdict::Written { object: lead(), id: "L1".to_owned(), created: true, changes: Vec::new() };
        assert_eq!(end(&one(new), made), (vec![], vec![]), "it was made only now");
    }

    #[test]
    fn what_the_run_did_not_meet_stays_open() {
        let one = [intent(1, keyed(), &[("Key__c", None, "1")])];
        let skipped = Verdict::Skipped { reason: "no".to_owned(), at: None };
        assert_eq!(end(&one, skipped), (vec![], vec![1]));
        let other = OpenIntent {
            intent: Intent { mapping: "deal".to_owned(), ..one[0].intent.clone() },
            ..one[0].clone()
        };
        assert_eq!(end(&[other], found(&[("Key__c", "1")])), (vec![], vec![1]), "it is another mapping's");
    }

    #[test]
    fn several_are_followed_back() {
        let first = intent(1, keyed(), &[("Key__c", None, "1"), ("City", None, "Mesa")]);
        let never_sent = intent(2, record("L1"), &[("City", Some("Mesa"), "Gilbert")]);
        let newest = intent(3, record("L1"), &[("City", Some("Mesa"), "Tempe")]);
        let held = || found(&[("Key__c", "1"), ("City", "Tempe")]);
        assert_eq!(end(&[first.clone(), newest.clone()], held()), (vec![1, 3], vec![]));
        // The second one was never carried out: before the third the city was as it was before both.
        assert_eq!(end(&[first, never_sent, newest], held()), (vec![1, 3], vec![]));
    }
}
