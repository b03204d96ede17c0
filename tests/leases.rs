//! What a lease costs, by how many records it takes: `cargo test --test leases -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use mapwright::source::{ObjectName, Side};
use mapwright::store::{Incoming, LeaseRequest, NewEvent, Next, Settlement, SqliteStore, Store};
use mapwright::types::{ChangeEvent, ChangeKind};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

/// Two events of a contact.
fn events(record: usize, round: usize) -> [NewEvent; 2] {
    [0, 1].map(|n| NewEvent {
        pair: "main".to_owned(),
        dedupe: format!("{round}/{record}/{n}"),
        raw: "{}".to_owned(),
        received_at: now(),
        incoming: Incoming::Change(ChangeEvent {
            object: ObjectName::new(Side::Hubspot, "contact"),
            record: record.to_string(),
            kind: ChangeKind::FieldChanged { field: "email".to_owned(), value: None },
            occurred_at: now(),
        }),
    })
}

#[tokio::test]
#[ignore = "it measures"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn what_a_lease_costs() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("store.db")).await.expect("a store");
    for limit in [1, 10, 100, 1_000] {
        let mut best = Duration::MAX;
        for round in 0..10 {
            let all = (0..limit).flat_map(|record| events(record, limit * 100 + round)).collect();
            store.append(all).await.expect("append");
            let request = LeaseRequest {
                pair: "main".to_owned(),
                worker: "w".to_owned(),
                limit: u32::try_from(limit).expect("small"),
                now: now(),
                ttl: Duration::from_mins(1),
                project: None,
                erasures: false,
            };
            let begun = Instant::now();
            let lanes = store.lease(request).await.expect("lease");
            best = best.min(begun.elapsed());
            assert_eq!(lanes.len(), limit);
            assert!(lanes.iter().all(|lane| lane.events.len() == 2));
            for lane in &lanes {
                let done = Settlement { next: Next::Done, results: Vec::new() };
                store.settle(&lane.lane, done, now()).await.expect("settle");
            }
        }
        println!("{limit:>5} records: {best:?}, {:?} each", best / u32::try_from(limit).expect("small"));
    }
    store.close().await;
}
