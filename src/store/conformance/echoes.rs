//! What a store remembers of how a sync left its pair, and which records it does not lease at the same time.

use std::collections::BTreeMap;

use crate::source::{ObjectName, Side};
use crate::store::{
    Incoming, LeasedLane, MappingResult, Met, NewEvent, Next, Notes, Outcome, RecordKey, Settlement, Store,
};
use crate::types::{ChangeEvent, ChangeKind};

use super::{at, lease_at, settle};

fn company() -> RecordKey {
    RecordKey::new("main", ObjectName::new(Side::Hubspot, "company"), "77")
}

fn account() -> RecordKey {
    RecordKey::new("main", ObjectName::new(Side::Salesforce, "Account"), "001")
}

fn digests(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("Name".to_owned(), name.to_owned())])
}

fn event(key: &RecordKey, n: i64, kind: ChangeKind, own: bool) -> NewEvent {
    let (object, record) = (key.object.clone(), key.record.clone());
    let change = ChangeEvent { object, record, kind, occurred_at: at(n) };
    NewEvent {
        pair: "main".to_owned(),
        dedupe: format!("{key}/{n}"),
        raw: "{}".to_owned(),
        received_at: at(n),
        incoming: if own {
            Incoming::Own { change, state: digests("shown") }
        } else {
            Incoming::Change(change)
        },
    }
}

fn renamed() -> ChangeKind {
    ChangeKind::FieldChanged { field: "Name".to_owned(), value: None }
}

fn ended(outcome: Outcome) -> Settlement {
    let (mapping, ended_by) = ("accounts".to_owned(), "accounts".to_owned());
    Settlement {
        next: Next::Done,
        results: vec![MappingResult { mapping, ended_by, outcome, notes: Notes::default() }],
    }
}

async fn lane(store: &dyn Store, key: &RecordKey, n: i64, own: bool) -> LeasedLane {
    store.append(vec![event(key, n, renamed(), own)]).await.expect("append");
    let leased = store.lease(lease_at(n)).await.expect("lease");
    assert_eq!(leased.len(), 1, "{leased:?}");
    leased.into_iter().next().expect("one")
}

async fn synced(store: &dyn Store, n: i64) {
    let outcome = Outcome::Synced {
        hubspot: (company().object, company().record),
        salesforce: (account().object, account().record),
        writes: Vec::new(),
        synced: BTreeMap::new(),
        met: BTreeMap::from([(Side::Hubspot, digests("left")), (Side::Salesforce, digests("right"))]),
    };
    let leased = lane(store, &company(), n, false).await;
    settle(store, &leased.lane, ended(outcome), n).await;
}

pub(super) async fn met(store: &dyn Store) {
    synced(store, 1).await;
    let met = |name: &str| vec![Met { mapping: "accounts".to_owned(), fields: digests(name) }];
    let told = lane(store, &account(), 2, false).await;
    assert_eq!((told.met, told.events[0].own.clone()), (Vec::new(), None), "it is nobody's echo");
    let done = || Settlement { next: Next::Done, results: Vec::new() };
    settle(store, &told.lane, done(), 3).await;
    for (key, left, n) in [(account(), "right", 4), (company(), "left", 5)] {
        let own = lane(store, &key, n, true).await;
        assert_eq!((own.met, own.events[0].own.clone()), (met(left), Some(digests("shown"))));
        settle(store, &own.lane, done(), n).await;
    }
    // A run that ends otherwise knows more than the last one.
    let other = lane(store, &account(), 6, false).await;
    settle(store, &other.lane, ended(Outcome::Skipped), 7).await;
    let own = lane(store, &company(), 8, true).await;
    assert_eq!(own.met, Vec::new());
}

pub(super) async fn apart(store: &dyn Store) {
    synced(store, 1).await;
    let both = vec![event(&account(), 2, renamed(), false), event(&company(), 3, renamed(), false)];
    store.append(both).await.expect("append");
    let first = store.lease(lease_at(4)).await.expect("lease");
    assert_eq!(first.iter().map(|lane| &lane.lane.key).collect::<Vec<_>>(), [&account()]);
    assert!(store.lease(lease_at(5)).await.expect("lease").is_empty(), "its pair is being worked on");
    settle(store, &first[0].lane, Settlement { next: Next::Done, results: Vec::new() }, 6).await;
    let second = store.lease(lease_at(7)).await.expect("lease");
    assert_eq!(second.iter().map(|lane| &lane.lane.key).collect::<Vec<_>>(), [&company()]);
    assert_eq!(second[0].attempts, 0, "to wait for its pair is no failure");
}

/// What must wait for its pair does not keep others from being leased.
pub(super) async fn behind(store: &dyn Store) {
    synced(store, 1).await;
    let free = RecordKey { record: "78".to_owned(), ..company() };
    store.append(vec![event(&account(), 2, renamed(), false)]).await.expect("append");
    let held = store.lease(lease_at(3)).await.expect("lease");
    let events = vec![event(&company(), 4, renamed(), false), event(&free, 5, renamed(), false)];
    store.append(events).await.expect("append");
    let one = || crate::store::LeaseRequest { limit: 1, ..lease_at(6) };
    assert!(store.lease(one()).await.expect("lease").is_empty(), "the first in line must wait");
    let next = store.lease(one()).await.expect("lease");
    assert_eq!(next.iter().map(|lane| &lane.lane.key).collect::<Vec<_>>(), [&free]);
    for lane in held.iter().chain(&next) {
        settle(store, &lane.lane, Settlement { next: Next::Done, results: Vec::new() }, 7).await;
    }
    let last = store.lease(lease_at(8)).await.expect("lease");
    assert_eq!(last.iter().map(|lane| &lane.lane.key).collect::<Vec<_>>(), [&company()]);
}

pub(super) async fn heirs(store: &dyn Store) {
    let survivor = RecordKey { record: "002".to_owned(), ..account() };
    let merged = ChangeKind::Merged { into: survivor.record.clone() };
    let events = vec![event(&survivor, 1, ChangeKind::Created, false), event(&account(), 2, merged, false)];
    store.append(events).await.expect("append");
    let first = store.lease(lease_at(3)).await.expect("lease");
    assert_eq!(first.iter().map(|lane| &lane.lane.key).collect::<Vec<_>>(), [&account()]);
    settle(store, &first[0].lane, Settlement { next: Next::Done, results: Vec::new() }, 4).await;
    let second = store.lease(lease_at(5)).await.expect("lease");
    assert_eq!(second.iter().map(|lane| &lane.lane.key).collect::<Vec<_>>(), [&survivor]);
}

/// Records that are leased together have each its own work, and no other's.
pub(super) async fn together(store: &dyn Store) {
    synced(store, 1).await;
    let [waits, asked, told] = ["81", "82", "83"].map(|id| RecordKey { record: id.to_owned(), ..company() });
    let leased = lane(store, &waits, 2, false).await;
    let fields = vec!["Name".to_owned()];
    let waiting =
        Outcome::Waiting { reason: "no name".to_owned(), fields: fields.clone(), pairs: Vec::new() };
    settle(store, &leased.lane, ended(waiting), 2).await;
    for mapping in ["b", "a"] {
        store.request(&asked, mapping, at(3)).await.expect("asked for");
    }
    let earlier = NewEvent { received_at: at(6), ..event(&told, 4, renamed(), false) };
    let events = vec![
        event(&account(), 5, renamed(), true),
        event(&waits, 5, renamed(), false),
        event(&told, 6, ChangeKind::Restored, false),
        earlier,
    ];
    store.append(events).await.expect("append");
    let leased = store.lease(lease_at(9)).await.expect("lease");
    let of = |key: &RecordKey| leased.iter().find(|lane| lane.lane.key == *key).expect("its lane");
    let work = |key: &RecordKey| {
        let lane = of(key);
        let kinds: Vec<_> = lane.events.iter().map(|event| event.change.kind.clone()).collect();
        let waiting: Vec<_> = lane.waiting.iter().map(|waiting| waiting.fields.clone()).collect();
        (kinds, lane.requested.clone(), waiting, lane.met.len())
    };
    assert_eq!(leased.len(), 4);
    assert_eq!(work(&account()), (vec![renamed()], vec![], vec![], 1));
    assert_eq!(work(&waits), (vec![renamed()], vec![], vec![fields], 0));
    assert_eq!(work(&asked), (vec![], vec!["a".to_owned(), "b".to_owned()], vec![], 0));
    assert_eq!(work(&told), (vec![renamed(), ChangeKind::Restored], vec![], vec![], 0), "in order");
    for lane in &leased {
        settle(store, &lane.lane, Settlement { next: Next::Done, results: Vec::new() }, 10).await;
    }
    assert_eq!(store.pending().await.expect("pending").lanes, 0, "all of it was leased");
}
