//! How far changes were read, and how records were.

use std::collections::BTreeMap;

use crate::source::{ObjectName, Side};
use crate::store::{Advance, Ended, NewEvent, Next, Seen, Settlement, Store, Watermark};
use crate::types::ChangeKind;

use super::{at, contact, event, lanes, lease_at};

fn object() -> ObjectName {
    ObjectName::new(Side::Hubspot, "contact")
}

fn seen(record: &str, revision: i64, ended: Option<Ended>) -> Seen {
    let fields = BTreeMap::from([("email".to_owned(), format!("digest {revision}"))]);
    let parents = BTreeMap::from([("company".to_owned(), format!("of {revision}"))]);
    Seen { record: record.to_owned(), at: at(revision), fields, parents, ended, revision, met: Vec::new() }
}

fn advance(from: Option<&str>, to: &str, events: Vec<NewEvent>, seen: Vec<Seen>) -> Advance {
    let to = Watermark { position: to.to_owned(), read_to: at(7) };
    Advance { pair: "main".to_owned(), object: object(), from: from.map(ToOwned::to_owned), to, events, seen }
}

async fn position(store: &dyn Store) -> Option<String> {
    store.watermark("main", &object()).await.expect("watermark").map(|mark| mark.position)
}

async fn known(store: &dyn Store, records: &[&str]) -> Vec<Seen> {
    let records: Vec<String> = records.iter().map(|record| (*record).to_owned()).collect();
    let mut known = store.seen("main", &object(), &records).await.expect("seen");
    known.sort_by(|one, two| one.record.cmp(&two.record));
    known
}

pub(super) async fn advanced(store: &dyn Store) {
    assert_eq!(position(store).await, None);
    let merged = Ended::Merged { into: "9".to_owned() };
    let first = advance(
        None,
        "a",
        vec![event("1", "x", 0)],
        vec![seen("1", 1, None), seen("2", 0, Some(merged.clone()))],
    );
    let appended = store.advance(first, at(0)).await.expect("advance").expect("accepted");
    assert_eq!(appended.len(), 1);
    assert!(appended[0].new);
    assert_eq!(position(store).await.as_deref(), Some("a"));
    assert_eq!(store.watermark("main", &object()).await.expect("watermark").expect("one").read_to, at(7));
    assert_eq!(known(store, &["1", "2", "3"]).await, [seen("1", 1, None), seen("2", 0, Some(merged))]);
    assert_eq!(lanes(store).await, 1);

    let second = advance(Some("a"), "b", Vec::new(), vec![seen("1", 2, Some(Ended::Deleted))]);
    assert_eq!(store.advance(second, at(1)).await.expect("advance"), Some(Vec::new()));
    assert_eq!(known(store, &["1"]).await, [seen("1", 2, Some(Ended::Deleted))]);
    assert!(store.seen("other", &object(), &["1".to_owned()]).await.expect("seen").is_empty());
    let other = ObjectName::new(Side::Hubspot, "company");
    assert_eq!(store.watermark("main", &other).await.expect("watermark"), None);
}

pub(super) async fn stale(store: &dyn Store) {
    store.advance(advance(None, "a", Vec::new(), Vec::new()), at(0)).await.expect("advance");
    for from in [None, Some("b")] {
        let late = advance(from, "c", vec![event("1", "x", 0)], vec![seen("1", 1, None)]);
        assert_eq!(store.advance(late, at(1)).await.expect("advance"), None);
    }
    assert_eq!(
        position(store).await.as_deref(),
        Some("a"),
        "the watermark moves from where the page was read"
    );
    assert_eq!((lanes(store).await, known(store, &["1"]).await.len()), (0, 0), "and nothing else happens");
}

/// A commit whose answer was lost is tried again from the same place, or the page is read again.
pub(super) async fn again(store: &dyn Store) {
    let page = |from, to| advance(from, to, vec![event("1", "x", 0)], vec![seen("1", 1, None)]);
    store.advance(page(None, "a"), at(0)).await.expect("advance");
    let appended = store.advance(page(Some("a"), "b"), at(0)).await.expect("advance").expect("accepted");
    assert!(!appended[0].new, "an event is stored once");
    assert_eq!(store.pending().await.expect("pending").events, 1);
}

pub(super) async fn forgotten(store: &dyn Store) {
    let change = event("1", "x", 0);
    store.advance(advance(None, "a", vec![change], vec![seen("1", 1, None)]), at(0)).await.expect("advance");
    let lane = store.lease(lease_at(0)).await.expect("lease").remove(0);
    assert_eq!(lane.lane.key, contact("1"));
    assert!(matches!(lane.events[0].change.kind, ChangeKind::FieldChanged { .. }));
    let settlement = Settlement { next: Next::Erase, results: Vec::new() };
    store.settle(&lane.lane, settlement, at(1)).await.expect("settle");
    assert!(known(store, &["1"]).await.is_empty());
}

/// A record is read for the first time; beside it two rows that belong to another record, of which the last has ended.
pub(super) async fn known_since(store: &dyn Store, record: &str, rows: [&str; 2]) {
    let alone = Seen { parents: BTreeMap::new(), ..seen(record, 1, None) };
    let seen = vec![alone, seen(rows[0], 1, None), seen(rows[1], 1, Some(Ended::Deleted))];
    store.advance(advance(None, "a", Vec::new(), seen), at(0)).await.expect("advance");
}

/// Whether it is known how a record was when it was last read.
pub(super) async fn is_known(store: &dyn Store, record: &str) -> bool {
    !known(store, &[record]).await.is_empty()
}
