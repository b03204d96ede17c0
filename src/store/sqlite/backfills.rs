//! Loads of whole objects.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::super::backfills::{BackfillKey, Backfills, Held, HoldRequest, Step};
use super::super::{CorrelationId, Next, RecordKey, Settled, StoreError};
use super::{SqliteStore, convert, journal, settle};

#[async_trait]
impl Backfills for SqliteStore {
    async fn backfill(&self, key: &BackfillKey) -> Result<Option<String>, StoreError> {
        let of = key.clone();
        self.read(&key.pair, move |c| Box::pin(async move { progress(c, &of).await })).await
    }

    async fn forget_backfill(&self, key: &BackfillKey) -> Result<(), StoreError> {
        let of = key.clone();
        self.writer.run_for(&key.pair, move |c| Box::pin(async move { forget(c, &of).await })).await
    }

    async fn hold(&self, request: HoldRequest) -> Result<Held, StoreError> {
        let pair = request.pair.clone();
        self.writer.run_for(&pair, move |c| Box::pin(async move { hold(c, &request).await })).await
    }

    async fn step(
        &self,
        key: &BackfillKey,
        step: Step,
        now: DateTime<Utc>,
    ) -> Result<Vec<Settled>, StoreError> {
        let of = key.clone();
        let erases = step.settlements.iter().any(|(_, settlement)| settlement.next == Next::Erase);
        let settled = self
            .writer
            .run_for(&key.pair, move |c| Box::pin(async move { self::step(c, &of, &step, now).await }))
            .await?;
        if erases {
            // Erased pages must not live on in the write-ahead log.
            self.writer.checkpoint_soon().await;
        }
        // Records may have waited for these.
        self.wake(&key.pair);
        Ok(settled)
    }

    async fn let_go(&self, pair: &str, worker: &str) -> Result<(), StoreError> {
        let worker = worker.to_owned();
        self.writer.run_for(pair, move |c| Box::pin(async move { let_go(c, &worker).await })).await?;
        self.wake(pair);
        Ok(())
    }

    async fn refused(&self, key: &BackfillKey) -> Result<Vec<String>, StoreError> {
        let of = key.clone();
        self.read(&key.pair, move |c| Box::pin(async move { refused(c, &of).await })).await
    }
}

async fn progress(c: &mut SqliteConnection, key: &BackfillKey) -> Result<Option<String>, StoreError> {
    let found =
        sqlx::query_scalar("SELECT progress FROM backfills WHERE pair = ?1 AND mapping = ?2 AND side = ?3")
            .bind(&key.pair)
            .bind(&key.mapping)
            .bind(key.side.word())
            .fetch_optional(c)
            .await?;
    Ok(found)
}

async fn forget(c: &mut SqliteConnection, key: &BackfillKey) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM backfills WHERE pair = ?1 AND mapping = ?2 AND side = ?3",
        "DELETE FROM backfill_refused WHERE pair = ?1 AND mapping = ?2 AND side = ?3",
    ] {
        sqlx::query(statement)
            .bind(&key.pair)
            .bind(&key.mapping)
            .bind(key.side.word())
            .execute(&mut *c)
            .await?;
    }
    Ok(())
}

async fn let_go(c: &mut SqliteConnection, worker: &str) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM lanes WHERE owner = ?1
             AND NOT EXISTS (SELECT 1 FROM events WHERE events.lane = lanes.id AND state = 'pending')
             AND NOT EXISTS (SELECT 1 FROM requests WHERE requests.lane = lanes.id)",
        // The fence moves on too, so that a settlement of the old lease, still on its way, is stale.
        "UPDATE lanes SET owner = NULL, lease_until = NULL, fence = fence + 1 WHERE owner = ?1",
    ] {
        sqlx::query(statement).bind(worker).execute(&mut *c).await?;
    }
    Ok(())
}

async fn refused(c: &mut SqliteConnection, key: &BackfillKey) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_scalar(
        "SELECT row FROM backfill_refused WHERE pair = ?1 AND mapping = ?2 AND side = ?3 ORDER BY id",
    )
    .bind(&key.pair)
    .bind(&key.mapping)
    .bind(key.side.word())
    .fetch_all(c)
    .await?;
    Ok(rows)
}

/// Records of these of which something became known since they were read. Of one that is gone nothing else may be left.
const SETTLED_SINCE: &str = "
    SELECT record FROM links
        WHERE pair = ?1 AND side = ?2 AND object = ?3 AND updated_at >= ?4
        AND record IN (SELECT value FROM json_each(?5))
    UNION
    SELECT target AS record FROM links
        WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND updated_at >= ?4
        AND target IN (SELECT value FROM json_each(?5))
    UNION
    SELECT record FROM runs
        WHERE pair = ?1 AND side = ?2 AND object = ?3 AND at >= ?4
        AND record IN (SELECT value FROM json_each(?5))
    UNION
    SELECT target AS record FROM runs
        WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND at >= ?4
        AND target IN (SELECT value FROM json_each(?5))
    UNION
    SELECT record FROM events
        WHERE pair = ?1 AND side = ?2 AND object = ?3 AND received_at >= ?4
        AND record IN (SELECT value FROM json_each(?5))
    UNION
    SELECT record FROM erased
        WHERE pair = ?1 AND side = ?2 AND object = ?3 AND at >= ?4
        AND record IN (SELECT value FROM json_each(?5))
    UNION
    SELECT record FROM merged
        WHERE pair = ?1 AND side = ?2 AND object = ?3 AND at >= ?4
        AND record IN (SELECT value FROM json_each(?5))";

async fn hold(c: &mut SqliteConnection, request: &HoldRequest) -> Result<Held, StoreError> {
    let records = serde_json::to_string(&request.records)?;
    open_lanes(c, request, &records).await?;
    let rows = sqlx::query(
        "UPDATE lanes SET owner = ?1, fence = fence + 1, lease_until = ?2, attempts = attempts + (owner IS NOT NULL),
                          project = ?8
         WHERE pair = ?3 AND side = ?4 AND object = ?5 AND record IN (SELECT value FROM json_each(?6))
             AND (owner IS NULL OR lease_until <= ?7)
         RETURNING id, pair, side, object, record, fence, attempts, last_error, not_before, correlation",
    )
    .bind(&request.worker)
    .bind(convert::micros(request.now + request.ttl))
    .bind(&request.pair)
    .bind(request.object.side.word())
    .bind(&request.object.name)
    .bind(&records)
    .bind(convert::micros(request.now))
    .bind(request.project.map(|project| project.0))
    .fetch_all(&mut *c)
    .await?;
    let lanes = journal::taken(c, rows, request.now).await?;
    let settled = sqlx::query(SETTLED_SINCE)
        .bind(&request.pair)
        .bind(request.object.side.word())
        .bind(&request.object.name)
        .bind(convert::micros(request.read_at))
        .bind(&records)
        .fetch_all(c)
        .await?;
    let settled_since = settled.iter().map(|row| row.try_get("record")).collect::<Result<Vec<_>, _>>()?;
    Ok(Held { lanes, settled_since })
}

/// Makes the lanes that are not there yet.
async fn open_lanes(
    c: &mut SqliteConnection,
    request: &HoldRequest,
    records: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO lanes (pair, side, object, record, not_before)
         SELECT ?1, ?2, ?3, value, ?4 FROM json_each(?5) WHERE true
         ON CONFLICT (pair, side, object, record) DO NOTHING",
    )
    .bind(&request.pair)
    .bind(request.object.side.word())
    .bind(&request.object.name)
    .bind(convert::micros(request.now))
    .bind(records)
    .execute(&mut *c)
    .await?;
    if let Some(first) = request.records.first() {
        let key = RecordKey::new(&request.pair, request.object.clone(), first);
        journal::correlate(c, CorrelationId::of_request(&key, &request.worker, request.now)).await?;
    }
    Ok(())
}

async fn step(
    c: &mut SqliteConnection,
    key: &BackfillKey,
    step: &Step,
    now: DateTime<Utc>,
) -> Result<Vec<Settled>, StoreError> {
    let lost = lost(c, step).await?;
    if !lost.is_empty() {
        let of = |id: &i64| if lost.contains(id) { Settled::Stale } else { Settled::Accepted };
        return Ok(step.settlements.iter().map(|(lane, _)| of(&lane.id.0)).collect());
    }
    let mut settled = Vec::with_capacity(step.settlements.len());
    for (lane, settlement) in &step.settlements {
        settled.push(settle::settle(c, lane, settlement, Some(&key.mapping), now).await?);
    }
    for row in &step.refused {
        sqlx::query("INSERT INTO backfill_refused (pair, mapping, side, row) VALUES (?1, ?2, ?3, ?4)")
            .bind(&key.pair)
            .bind(&key.mapping)
            .bind(key.side.word())
            .bind(row)
            .execute(&mut *c)
            .await?;
    }
    sqlx::query(
        "INSERT INTO backfills (pair, mapping, side, progress, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (pair, mapping, side) DO UPDATE
         SET progress = excluded.progress, updated_at = excluded.updated_at",
    )
    .bind(&key.pair)
    .bind(&key.mapping)
    .bind(key.side.word())
    .bind(&step.progress)
    .bind(convert::micros(now))
    .execute(c)
    .await?;
    Ok(settled)
}

/// The lanes whose lease was lost.
async fn lost(c: &mut SqliteConnection, step: &Step) -> Result<HashSet<i64>, StoreError> {
    let lanes: Vec<_> = step.settlements.iter().map(|(lane, _)| (lane.id.0, lane.fence)).collect();
    let held = sqlx::query_scalar(
        "SELECT lanes.id FROM json_each(?1) AS given
         JOIN lanes ON lanes.id = given.value ->> 0 AND lanes.fence = given.value ->> 1
         WHERE lanes.owner IS NOT NULL",
    )
    .bind(serde_json::to_string(&lanes)?)
    .fetch_all(c)
    .await?;
    let held: HashSet<i64> = held.into_iter().collect();
    Ok(lanes.into_iter().map(|(id, _)| id).filter(|id| !held.contains(id)).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::{ObjectName, Side};
    use crate::store::conformance::{at, lease_at};
    use crate::store::{Incoming, MappingResult, NewEvent, Notes, Origin, Outcome, Settlement, Store};
    use crate::types::{ChangeEvent, ChangeKind};

    fn key() -> BackfillKey {
        BackfillKey { pair: "main".to_owned(), mapping: "lead".to_owned(), side: Side::Hubspot }
    }

    fn contact() -> ObjectName {
        ObjectName::new(Side::Hubspot, "contact")
    }

    fn wanted(records: &[&str], now: i64) -> HoldRequest {
        HoldRequest {
            pair: "main".to_owned(),
            object: contact(),
            records: records.iter().map(|record| (*record).to_owned()).collect(),
            worker: "backfill@main".to_owned(),
            read_at: at(0),
            now: at(now),
            ttl: Duration::from_mins(1),
            project: None,
        }
    }

    fn done(held: &Held, progress: &str, refused: &[&str]) -> Step {
        let done = || Settlement { next: Next::Done, results: Vec::new() };
        Step {
            settlements: held.lanes.iter().map(|lane| (lane.lane.clone(), done())).collect(),
            progress: progress.to_owned(),
            refused: refused.iter().map(|row| (*row).to_owned()).collect(),
        }
    }

    #[tokio::test]
    async fn lanes_are_held_and_settled_with_how_far_the_load_is() {
        let store = SqliteStore::in_memory().await.expect("a store");
        assert_eq!(store.backfill(&key()).await.expect("none"), None);
        let held = store.hold(wanted(&["1", "2"], 0)).await.expect("held");
        assert_eq!(held.lanes.len(), 2);
        assert!(store.lease(lease_at(1)).await.expect("lease").is_empty(), "nobody else gets them");
        assert!(store.hold(wanted(&["1"], 1)).await.expect("held").lanes.is_empty());
        let settled =
            store.step(&key(), done(&held, "{\"taken\":2}", &["a", "b"]), at(2)).await.expect("settled");
        assert_eq!(settled, [Settled::Accepted, Settled::Accepted]);
        assert_eq!(store.pending().await.expect("pending").lanes, 0, "lanes without work are gone");
        assert_eq!(store.backfill(&key()).await.expect("kept").as_deref(), Some("{\"taken\":2}"));
        assert_eq!(store.refused(&key()).await.expect("rows"), ["a", "b"]);
        store.forget_backfill(&key()).await.expect("forgotten");
        assert_eq!(store.backfill(&key()).await.expect("none"), None);
        assert!(store.refused(&key()).await.expect("rows").is_empty());
    }

    #[tokio::test]
    async fn a_lost_lease_leaves_everything_as_it_was() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let held = store.hold(wanted(&["1", "2"], 0)).await.expect("held");
        let taken = store.hold(wanted(&["2"], 3_600)).await.expect("held");
        assert_eq!(taken.lanes.len(), 1, "a lease runs out");
        let settled = store.step(&key(), done(&held, "{}", &["a"]), at(3_601)).await.expect("an answer");
        assert_eq!(settled, [Settled::Accepted, Settled::Stale]);
        assert_eq!(store.backfill(&key()).await.expect("none"), None);
        assert_eq!(store.pending().await.expect("pending").lanes, 2);
    }

    #[tokio::test]
    async fn what_is_let_go_is_free_and_has_lost_no_attempt() {
        let store = SqliteStore::in_memory().await.expect("a store");
        store.request(&RecordKey::new("main", contact(), "2"), "other", at(0)).await.expect("asked for");
        let held = store.hold(wanted(&["1", "2"], 0)).await.expect("held");
        assert_eq!(held.lanes.len(), 2);
        store.let_go("main", "backfill@main").await.expect("let go");
        let settled = store.step(&key(), done(&held, "{}", &[]), at(1)).await.expect("an answer");
        assert_eq!(settled, [Settled::Stale, Settled::Stale]);
        let left = store.lease(lease_at(1)).await.expect("lease");
        let left: Vec<_> = left.iter().map(|lane| (lane.lane.key.record.as_str(), lane.attempts)).collect();
        assert_eq!(left, [("2", 0)], "only what has work of its own is left");
    }

    #[tokio::test]
    async fn what_was_settled_since_it_was_read_is_named() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let written = |id: &str| MappingResult {
            mapping: "lead".to_owned(),
            ended_by: "lead".to_owned(),
            outcome: Outcome::Unchanged {
                object: ObjectName::new(Side::Salesforce, "Lead"),
                id: id.to_owned(),
            },
            notes: Notes::default(),
        };
        for (record, time) in [("1", 5), ("2", 50)] {
            let key = RecordKey::new("main", contact(), record);
            store.record(&key, vec![written(record)], Origin::default(), at(time)).await.expect("recorded");
        }
        // A run that settles no pair, such as one that a guard ends.
        let skipped = MappingResult { outcome: Outcome::Skipped, ..written("") };
        let key = RecordKey::new("main", contact(), "3");
        store.record(&key, vec![skipped], Origin::default(), at(50)).await.expect("recorded");
        let request = HoldRequest { read_at: at(20), ..wanted(&["1", "2", "3", "4"], 60) };
        let held = store.hold(request).await.expect("held");
        assert_eq!((held.lanes.len(), held.settled_since), (4, vec!["2".to_owned(), "3".to_owned()]));
    }

    /// Of a record that is gone nothing may be left to say that it was settled.
    #[tokio::test]
    async fn what_was_erased_deleted_or_merged_since_it_was_read_is_named() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let told = |record: &str, kind: ChangeKind, seconds: i64| NewEvent {
            pair: "main".to_owned(),
            dedupe: format!("{record}/{kind:?}"),
            raw: "{}".to_owned(),
            received_at: at(seconds),
            incoming: Incoming::Change(ChangeEvent {
                object: contact(),
                record: record.to_owned(),
                kind,
                occurred_at: at(seconds),
            }),
        };
        let merged = || ChangeKind::Merged { into: "9".to_owned() };
        let events = vec![
            told("1", ChangeKind::Deleted, 5),
            told("2", ChangeKind::Deleted, 50),
            told("3", ChangeKind::PrivacyDeletion, 50),
            told("4", merged(), 50),
            told("5", merged(), 5),
        ];
        store.append(events).await.expect("append");
        for lane in store.hold(wanted(&["1", "2", "3", "4", "5"], 51)).await.expect("held").lanes {
            let erase = lane.lane.key.record == "3";
            let next = if erase { Next::Erase } else { Next::Done };
            let settlement = Settlement { next, results: Vec::new() };
            store.settle(&lane.lane, settlement, at(52)).await.expect("settled");
        }
        let request = HoldRequest { read_at: at(20), ..wanted(&["1", "2", "3", "4", "5", "6"], 60) };
        let held = store.hold(request).await.expect("held");
        assert_eq!((held.lanes.len(), held.settled_since), (6, ["2", "3", "4"].map(str::to_owned).to_vec()));
    }

    #[tokio::test]
    async fn who_asks_to_be_forgotten_is_no_refused_row_either() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let held = store.hold(wanted(&["1", "2"], 0)).await.expect("held");
        let rows = [r#"{"record":"1","reason":"no"}"#, r#"{"record":"2","reason":"no"}"#];
        store.step(&key(), done(&held, "{}", &rows), at(1)).await.expect("settled");
        let held = store.hold(wanted(&["1"], 2)).await.expect("held");
        let erase = Settlement { next: Next::Erase, results: Vec::new() };
        let step = Step {
            settlements: vec![(held.lanes[0].lane.clone(), erase)],
            progress: "{}".to_owned(),
            refused: Vec::new(),
        };
        store.step(&key(), step, at(3)).await.expect("settled");
        assert_eq!(store.refused(&key()).await.expect("rows"), rows[1..]);
    }

    #[tokio::test]
    async fn who_asks_to_be_forgotten_is_no_refused_row_of_the_other_side() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let object = ObjectName::new(Side::Salesforce, "Lead");
        // A sync's link leads from HubSpot to Salesforce; the load is from Salesforce.
        let met = MappingResult {
            mapping: "both".to_owned(),
            ended_by: "both".to_owned(),
            outcome: Outcome::Unchanged { object, id: "00Q1".to_owned() },
            notes: Notes::default(),
        };
        let contact = RecordKey::new("main", contact(), "1");
        store.record(&contact, vec![met], Origin::default(), at(0)).await.expect("recorded");
        let load =
            BackfillKey { pair: "main".to_owned(), mapping: "both".to_owned(), side: Side::Salesforce };
        let rows = [r#"{"record":"00Q1","reason":"no"}"#, r#"{"record":"00Q2","reason":"no"}"#];
        let step = |settlements, refused: &[&str]| Step {
            settlements,
            progress: "{}".to_owned(),
            refused: refused.iter().map(|row| (*row).to_owned()).collect(),
        };
        store.step(&load, step(Vec::new(), &rows), at(1)).await.expect("settled");
        let held = store.hold(wanted(&["1"], 2)).await.expect("held");
        let erase = Settlement { next: Next::Erase, results: Vec::new() };
        let erased = step(vec![(held.lanes[0].lane.clone(), erase)], &[]);
        store.step(&key(), erased, at(3)).await.expect("settled");
        assert_eq!(store.refused(&load).await.expect("rows"), rows[1..]);
    }
}
