//! Records that are to be forgotten: what is kept of them goes, and so does that of every record merged into them.
//!
//! Of an erased record its ids stay, so that what comes later finds out: a notice that is told again is kept without its
//! values, and a load that read the record before does not write it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use super::super::{RecordKey, StoreError};
use super::convert;

/// What is told of a record, under its id.
const STATEMENTS: [&str; 26] = [
    // What a run of either record of a pair wrote may be the other's.
    "DELETE FROM history WHERE run IN (SELECT id FROM runs
         WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4)",
    "DELETE FROM history WHERE run IN (SELECT id FROM runs
         WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4)",
    "DELETE FROM runs WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    "DELETE FROM runs WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4",
    "DELETE FROM kept WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    "DELETE FROM kept WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4",
    "DELETE FROM events WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    // What the listener could not read as a change may be about the record that it names.
    "DELETE FROM events WHERE pair = ?1 AND ?2 = 'hubspot' AND ?3 <> '' AND state = 'ignored' AND record IS NULL
         AND json_valid(raw) AND CAST(raw ->> '$.objectId' AS TEXT) = ?4",
    "DELETE FROM parked WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    // What a write of the other record of a pair was refused for may quote this one's values.
    "DELETE FROM parked WHERE pair = ?1 AND (side, object, record) IN (SELECT side, object, record FROM links
         WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4)",
    "DELETE FROM parked WHERE pair = ?1 AND (side, object, record) IN (SELECT target_side, target_object, target
         FROM links WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4)",
    "DELETE FROM waiting WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    // A load is of one object; another's record of this id loses its row too, which is the lesser harm.
    "DELETE FROM backfill_refused WHERE pair = ?1 AND side = ?2 AND ?3 <> '' AND json_valid(row) AND row ->> 'record' = ?4",
    "DELETE FROM backfill_refused WHERE pair = ?1 AND json_valid(row) AND row ->> 'record' IN (SELECT record FROM links
         WHERE links.pair = ?1 AND links.side = backfill_refused.side AND target_side = ?2 AND target_object = ?3
             AND target = ?4)",
    // The link of a sync leads from HubSpot to Salesforce, whichever side a load is from.
    "DELETE FROM backfill_refused WHERE pair = ?1 AND json_valid(row) AND row ->> 'record' IN (SELECT target FROM links
         WHERE links.pair = ?1 AND links.target_side = backfill_refused.side AND links.side = ?2 AND object = ?3
             AND record = ?4)",
    "DELETE FROM intents WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    // One that was to make a record may have made this one; losing it is the lesser harm.
    "DELETE FROM intents WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3
         AND (target = ?4 OR target IS NULL)",
    "DELETE FROM awaited WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    "DELETE FROM awaited WHERE pair = ?1 AND of_side = ?2 AND of_object = ?3 AND of_record = ?4",
    "DELETE FROM history WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    "DELETE FROM history WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4",
    "DELETE FROM links WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    "DELETE FROM links WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4",
    "DELETE FROM seen WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    "DELETE FROM lanes WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    "DELETE FROM merged WHERE pair = ?1 AND side = ?2 AND object = ?3 AND (record = ?4 OR survivor = ?4)",
];

/// The records that were merged into one, those that were merged into these, and itself.
const FORMER: &str = "
    WITH RECURSIVE former (record) AS (
        SELECT ?4
        UNION
        SELECT merged.record FROM former JOIN merged
            ON pair = ?1 AND side = ?2 AND object = ?3 AND survivor = former.record)
    SELECT record FROM former";

/// Erases a record.
pub(super) async fn erase(
    c: &mut SqliteConnection,
    key: &RecordKey,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let former: Vec<String> = sqlx::query_scalar(FORMER)
        .bind(&key.pair)
        .bind(key.object.side.word())
        .bind(&key.object.name)
        .bind(&key.record)
        .fetch_all(&mut *c)
        .await?;
    for record in &former {
        for statement in STATEMENTS {
            sqlx::query(statement)
                .bind(&key.pair)
                .bind(key.object.side.word())
                .bind(&key.object.name)
                .bind(record)
                .execute(&mut *c)
                .await?;
        }
        sqlx::query(
            "INSERT INTO erased (pair, side, object, record, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (pair, side, object, record) DO UPDATE SET at = excluded.at",
        )
        .bind(&key.pair)
        .bind(key.object.side.word())
        .bind(&key.object.name)
        .bind(record)
        .bind(convert::micros(now))
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// Those of these rows of events that tell of a record that was erased.
pub(super) async fn told_of(c: &mut SqliteConnection, rows: &str) -> Result<HashSet<RecordKey>, StoreError> {
    let found = sqlx::query(
        "SELECT DISTINCT erased.pair, erased.side, erased.object, erased.record
         FROM json_each(iif(EXISTS (SELECT 1 FROM erased), ?1, '[]')) AS given CROSS JOIN erased
             ON erased.pair = given.value ->> 'pair' AND erased.side = given.value ->> 'side'
             AND erased.object = given.value ->> 'object' AND erased.record = given.value ->> 'record'",
    )
    .bind(rows)
    .fetch_all(c)
    .await?;
    found.iter().map(convert::key).collect()
}

/// Remembers which records events say were merged into which; one that is back was not.
pub(super) async fn remember_merges(c: &mut SqliteConnection, rows: &str) -> Result<(), StoreError> {
    for statement in [
        "INSERT INTO merged (pair, side, object, record, survivor, at)
         SELECT value ->> 'pair', value ->> 'side', value ->> 'object', value ->> 'record', value ->> 'merged_into',
                value ->> 'received_at'
         FROM json_each(?1) WHERE value ->> 'merged_into' IS NOT NULL ORDER BY value ->> 'occurred_at', key
         ON CONFLICT (pair, side, object, record) DO UPDATE SET survivor = excluded.survivor, at = excluded.at",
        "DELETE FROM merged WHERE (pair, side, object, record) IN (
             SELECT value ->> 'pair', value ->> 'side', value ->> 'object', value ->> 'record' FROM json_each(?1)
             WHERE value ->> 'change' ->> '$.kind' = 'Restored')",
    ] {
        sqlx::query(statement).bind(rows).execute(&mut *c).await?;
    }
    Ok(())
}

/// Makes lanes due that these new events ask to erase, whatever they wait for: an erasure needs no CRM.
pub(super) async fn hasten(c: &mut SqliteConnection, ids: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE lanes SET not_before = min(not_before, erasing.received_at) FROM (
             SELECT lane, min(received_at) AS received_at FROM events
             WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'pending'
                 AND change ->> '$.kind' = 'PrivacyDeletion' GROUP BY lane) AS erasing
         WHERE lanes.id = erasing.lane",
    )
    .bind(ids)
    .execute(c)
    .await?;
    Ok(())
}
