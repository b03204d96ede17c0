//! A record that was merged away and the one that survived are not worked on side by side, whoever leases them.

use crate::source::{ObjectName, Side};
use crate::store::{Incoming, LeaseRequest, LeasedLane, NewEvent, Next, Settled, Settlement, Store};
use crate::types::{ChangeEvent, ChangeKind};

use super::{at, lease_at, settle};

/// The objects whose merges HubSpot tells of, and Salesforce.
fn objects() -> [ObjectName; 2] {
    [ObjectName::new(Side::Hubspot, "contact"), ObjectName::new(Side::Salesforce, "Account")]
}

/// Some records of one object, which events tell of.
struct Records<'s> {
    store: &'s dyn Store,
    object: ObjectName,
}

impl Records<'_> {
    /// An event that came at once.
    async fn told(&self, record: &str, kind: ChangeKind, seconds: i64) {
        let change = ChangeEvent {
            object: self.object.clone(),
            record: record.to_owned(),
            kind,
            occurred_at: at(seconds),
        };
        let event = NewEvent {
            pair: "main".to_owned(),
            dedupe: format!("{}/{record}/{:?}/{seconds}", self.object, change.kind),
            raw: "{}".to_owned(),
            received_at: at(seconds),
            incoming: Incoming::Change(change),
        };
        self.store.append(vec![event]).await.expect("append");
    }

    async fn merged(&self, record: &str, into: &str, seconds: i64) {
        self.told(record, ChangeKind::Merged { into: into.to_owned() }, seconds).await;
    }

    async fn changed(&self, record: &str, seconds: i64) {
        let kind = ChangeKind::FieldChanged { field: "name".to_owned(), value: None };
        self.told(record, kind, seconds).await;
    }

    async fn lease_as(&self, worker: &str, seconds: i64) -> Vec<LeasedLane> {
        let request = LeaseRequest { worker: worker.to_owned(), ..lease_at(seconds) };
        self.store.lease(request).await.expect("lease")
    }

    /// Leases all that is free, and tells of which records that is.
    async fn lease(&self, seconds: i64) -> Taken {
        let lanes = self.lease_as("w", seconds).await;
        assert!(lanes.iter().all(|lane| lane.attempts == 0), "to wait is no failure: {lanes:?}");
        Taken(lanes)
    }

    async fn done(&self, taken: &Taken, seconds: i64) {
        for lane in &taken.0 {
            let done = Settlement { next: Next::Done, results: Vec::new() };
            settle(self.store, &lane.lane, done, seconds).await;
        }
    }

    /// Works everything off, a lease at a time; answers which records each of them had.
    async fn worked_off(&self, from: i64) -> Vec<Vec<String>> {
        let mut rounds = Vec::new();
        for seconds in from..from + 9 {
            let taken = self.lease(seconds).await;
            if !taken.0.is_empty() {
                rounds.push(taken.records());
            }
            self.done(&taken, seconds).await;
        }
        assert_eq!(self.store.pending().await.expect("pending").lanes, 0, "{rounds:?}");
        rounds
    }
}

struct Taken(Vec<LeasedLane>);

impl Taken {
    fn records(&self) -> Vec<String> {
        self.0.iter().map(|lane| lane.lane.key.record.clone()).collect()
    }
}

pub(super) async fn apart(store: &dyn Store) {
    for object in objects() {
        let records = Records { store, object };
        records.merged("1", "9", 1).await;
        let first = records.lease(2).await;
        assert_eq!(first.records(), ["1"]);
        // Another worker asks while the merge is in hand.
        records.changed("9", 3).await;
        records.changed("5", 3).await;
        let other = records.lease(4).await;
        assert_eq!(other.records(), ["5"], "only who has a part in it waits");
        assert!(records.lease(5).await.0.is_empty());
        records.done(&first, 6).await;
        records.done(&other, 6).await;
        assert_eq!(records.worked_off(7).await, [["9"]]);
    }
}

pub(super) async fn later(store: &dyn Store) {
    for object in objects() {
        let records = Records { store, object };
        records.merged("1", "9", 1).await;
        let first = records.lease(2).await;
        let retry = Next::RetryAt { at: at(30), error: "busy".to_owned(), counted: false };
        settle(store, &first.0[0].lane, Settlement { next: retry, results: Vec::new() }, 3).await;
        // The merge is in nobody's hands, and still to be settled.
        records.changed("9", 4).await;
        for seconds in [5, 10, 29] {
            assert!(records.lease(seconds).await.0.is_empty(), "at {seconds}");
        }
        assert_eq!(records.worked_off(30).await, [["1"], ["9"]]);
    }
}

pub(super) async fn survivor_in_hand(store: &dyn Store) {
    for object in objects() {
        let records = Records { store, object };
        records.changed("9", 1).await;
        let survivor = records.lease(2).await;
        records.merged("1", "9", 3).await;
        assert!(records.lease(4).await.0.is_empty(), "what it takes over must not move while it runs");
        // It changes again meanwhile, and comes behind the merge then.
        records.changed("9", 5).await;
        records.done(&survivor, 6).await;
        assert_eq!(records.worked_off(7).await, [["1"], ["9"]]);
    }
}

pub(super) async fn lost(store: &dyn Store) {
    for object in objects() {
        let records = Records { store, object };
        records.changed("9", 1).await;
        let survivor = records.lease(2).await;
        records.merged("1", "9", 3).await;
        // Whoever had it is believed dead, and is only slow.
        let merge = records.lease(70).await;
        assert_eq!(merge.records(), ["1"]);
        let done = Settlement { next: Next::Done, results: Vec::new() };
        let settled = store.settle(&survivor.0[0].lane, done, at(71)).await.expect("settle");
        assert_eq!(settled, Settled::Stale);
        records.done(&merge, 72).await;
        let again = records.lease_as("w", 73).await;
        assert_eq!((again.len(), again[0].attempts), (1, 1), "a lost lease is an attempt");
        records.done(&Taken(again), 74).await;
    }
}

pub(super) async fn chained(store: &dyn Store) {
    for object in objects() {
        let records = Records { store, object };
        // They happened in this order, and come in the other one.
        records.changed("3", 6).await;
        records.merged("2", "3", 5).await;
        records.merged("1", "2", 4).await;
        assert_eq!(records.worked_off(7).await, [["1"], ["2"], ["3"]]);
        // Two were merged into a new record, as HubSpot may do.
        records.merged("4", "6", 20).await;
        records.merged("5", "6", 20).await;
        records.changed("6", 20).await;
        assert_eq!(records.worked_off(21).await, [vec!["4", "5"], vec!["6"]]);
    }
}

pub(super) async fn circles(store: &dyn Store) {
    for object in objects() {
        let records = Records { store, object };
        for (one, other) in [("1", "2"), ("2", "1")] {
            records.merged(one, other, 4).await;
        }
        assert_eq!(records.worked_off(7).await, [["1"], ["2"]]);
        for (one, other, seconds) in [("1", "2", 22), ("2", "3", 21), ("3", "1", 20)] {
            records.merged(one, other, seconds).await;
        }
        assert_eq!(records.worked_off(23).await, [["3"], ["2"], ["1"]]);
    }
}

pub(super) async fn undone(store: &dyn Store) {
    for object in objects() {
        let records = Records { store, object };
        // The first was taken out of the bin, and the other one was merged into it then.
        records.merged("1", "2", 4).await;
        records.told("1", ChangeKind::Restored, 5).await;
        records.merged("2", "1", 6).await;
        assert_eq!(records.worked_off(7).await, [["2"], ["1"]]);
    }
}
