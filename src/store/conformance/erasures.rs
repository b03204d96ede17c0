//! Records that are to be forgotten.

use crate::store::{
    Incoming, LeaseRequest, LeasedLane, NewEvent, Next, Outcome, RecordKey, Settlement, Store,
};
use crate::types::ChangeKind;

use super::{at, contact, done, event, lease_at, reason, settle, written};

/// An event of a contact that came at a time.
fn told(record: &str, kind: ChangeKind, seconds: i64) -> NewEvent {
    let Incoming::Change(mut change) = event(record, "x", seconds).incoming else { unreachable!("a change") };
    let dedupe = format!("{record}/{kind:?}/{seconds}");
    change.kind = kind;
    NewEvent {
        dedupe,
        received_at: at(seconds),
        incoming: Incoming::Change(change),
        ..event(record, "x", seconds)
    }
}

fn merged(record: &str, into: &str, seconds: i64) -> NewEvent {
    told(record, ChangeKind::Merged { into: into.to_owned() }, seconds)
}

async fn append(store: &dyn Store, events: Vec<NewEvent>) {
    assert!(store.append(events).await.expect("append").iter().all(|event| event.new));
}

/// Works all lanes off, with a result where a record is written.
async fn work(store: &dyn Store, seconds: i64, outcome: Option<&Outcome>) {
    for seconds in seconds..seconds + 4 {
        for lane in store.lease(lease_at(seconds)).await.expect("lease") {
            let settlement =
                if lane.events.iter().any(|event| event.change.kind == ChangeKind::PrivacyDeletion) {
                    Settlement { next: Next::Erase, results: Vec::new() }
                } else {
                    done(outcome.cloned())
                };
            settle(store, &lane.lane, settlement, seconds).await;
        }
    }
}

/// What is kept of a record in the past and the open.
async fn kept(store: &dyn Store, record: &str) -> (usize, usize, usize) {
    let key: RecordKey = contact(record);
    let trail = store.trail(&key).await.expect("trail");
    (trail.events.len(), store.history(&key).await.expect("history").len(), trail.parked.len())
}

/// Who is forgotten has had other ids, which were merged one into the next.
pub(super) async fn former_ids(store: &dyn Store) {
    append(store, vec![event("1", "a", 0), event("2", "a", 0), event("3", "a", 0), event("8", "a", 0)]).await;
    work(store, 0, Some(&written())).await;
    append(store, vec![event("2", "b", 10)]).await;
    work(store, 10, Some(&Outcome::Parked(reason("no")))).await;
    append(store, vec![merged("1", "2", 20), merged("2", "9", 21), merged("3", "9", 21)]).await;
    work(store, 22, None).await;
    // One of them was not merged after all.
    append(store, vec![told("3", ChangeKind::Restored, 30)]).await;
    work(store, 31, None).await;
    for record in ["1", "2", "3"] {
        assert_ne!(kept(store, record).await.0, 0, "{record}");
    }
    append(store, vec![told("9", ChangeKind::PrivacyDeletion, 40)]).await;
    work(store, 41, None).await;
    for record in ["1", "2", "9"] {
        assert_eq!(kept(store, record).await, (0, 0, 0), "{record}");
    }
    assert!(store.parked().await.expect("parked").is_empty());
    assert_ne!(kept(store, "3").await, (0, 0, 0));
    assert_ne!(kept(store, "8").await, (0, 0, 0));
}

/// What is told again of a record that was erased is kept without its values.
pub(super) async fn told_again(store: &dyn Store) {
    append(store, vec![merged("1", "9", 0), told("9", ChangeKind::PrivacyDeletion, 1)]).await;
    work(store, 2, None).await;
    let own = |record: &str| {
        let Incoming::Change(change) = event(record, "own", 10).incoming else { unreachable!("a change") };
        let state = std::collections::BTreeMap::from([("email".to_owned(), "digest".to_owned())]);
        NewEvent { incoming: Incoming::Own { change, state }, ..event(record, "own", 10) }
    };
    append(store, vec![event("1", "late", 10), own("9"), event("7", "other", 10)]).await;
    let lanes = store.lease(lease_at(11)).await.expect("lease");
    let value = |record: &str| {
        let of = |lane: &&LeasedLane| lane.lane.key.record == record;
        let lane = lanes.iter().find(of).expect("it is pending");
        let [event] = lane.events.as_slice() else { panic!("{:?}", lane.events) };
        let ChangeKind::FieldChanged { value, .. } = &event.change.kind else { panic!("{event:?}") };
        (value.clone(), event.own.is_some())
    };
    assert_eq!(value("1"), (None, false));
    assert_eq!(value("9"), (None, false));
    assert_eq!(value("7"), (Some("other".to_owned()), false));
}

/// An erasure waits for no CRM: neither for the back-off of its lane, nor for what pauses the others.
pub(super) async fn at_once(store: &dyn Store) {
    append(store, vec![event("1", "a", 0), event("2", "a", 0)]).await;
    for lane in store.lease(lease_at(1)).await.expect("lease") {
        let next = Next::RetryAt { at: at(1_000), error: "403".to_owned(), counted: false };
        settle(store, &lane.lane, Settlement { next, results: Vec::new() }, 2).await;
    }
    append(store, vec![event("3", "a", 3), told("1", ChangeKind::PrivacyDeletion, 3)]).await;
    let only = LeaseRequest { erasures: true, ..lease_at(4) };
    let lanes = store.lease(only.clone()).await.expect("lease");
    assert_eq!(lanes.iter().map(|lane| lane.lane.key.record.as_str()).collect::<Vec<_>>(), ["1"]);
    settle(store, &lanes[0].lane, Settlement { next: Next::Erase, results: Vec::new() }, 5).await;
    assert!(store.lease(LeaseRequest { now: at(6), ..only }).await.expect("lease").is_empty());
    let lanes = store.lease(lease_at(7)).await.expect("lease");
    assert_eq!(lanes.iter().map(|lane| lane.lane.key.record.as_str()).collect::<Vec<_>>(), ["3"]);
}
