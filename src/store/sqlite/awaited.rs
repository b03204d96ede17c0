//! Pairs that records wait for.
//!
//! A pair is found from either end, since a mapping of either direction may settle it. Between the run that did not find
//! it and the settlement that says so the pair may have been settled; that settlement would wake nobody, so whoever begins
//! to wait looks again, in the same transaction.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::types::AwaitedPair;

use super::super::{RecordKey, StoreError};
use super::{convert, journal};

/// Lets a mapping of a record wait for pairs, and for no others.
pub(super) async fn wait(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    pairs: &[AwaitedPair],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    stop(c, key, mapping).await?;
    let mut is_there = false;
    for pair in pairs {
        sqlx::query(
            "INSERT INTO awaited (pair, mapping, side, object, record, of_side, of_object, of_record, to_object)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )
        .bind(&key.pair)
        .bind(mapping)
        .bind(key.object.side.word())
        .bind(&key.object.name)
        .bind(&key.record)
        .bind(pair.of.side.word())
        .bind(&pair.of.name)
        .bind(&pair.id)
        .bind(&pair.to.name)
        .execute(&mut *c)
        .await?;
        is_there |= is_settled(c, &key.pair, pair).await?;
    }
    if is_there {
        journal::request(c, key, mapping, now).await?;
    }
    Ok(())
}

/// Lets a mapping of a record wait for no pair any more.
pub(super) async fn stop(c: &mut SqliteConnection, key: &RecordKey, mapping: &str) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM awaited WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 AND mapping = ?5",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(mapping)
    .execute(c)
    .await?;
    Ok(())
}

/// Asks for every mapping that waits for this pair.
pub(super) async fn wake(
    c: &mut SqliteConnection,
    one: &RecordKey,
    other: &RecordKey,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for (of, to) in [(one, other), (other, one)] {
        let rows = sqlx::query(
            "DELETE FROM awaited
             WHERE pair = ?1 AND of_side = ?2 AND of_object = ?3 AND of_record = ?4 AND to_object = ?5
             RETURNING pair, mapping, side, object, record",
        )
        .bind(&of.pair)
        .bind(of.object.side.word())
        .bind(&of.object.name)
        .bind(&of.record)
        .bind(&to.object.name)
        .fetch_all(&mut *c)
        .await?;
        for row in &rows {
            journal::request(c, &convert::key(row)?, row.try_get("mapping")?, now).await?;
        }
    }
    Ok(())
}

async fn is_settled(c: &mut SqliteConnection, pair: &str, awaited: &AwaitedPair) -> Result<bool, StoreError> {
    let found = sqlx::query(
        "SELECT 1 FROM links WHERE pair = ?1 AND tombstone = 0
             AND ((side = ?2 AND object = ?3 AND record = ?4 AND target_object = ?5)
               OR (target_side = ?2 AND target_object = ?3 AND target = ?4 AND object = ?5))
         LIMIT 1",
    )
    .bind(pair)
    .bind(awaited.of.side.word())
    .bind(&awaited.of.name)
    .bind(&awaited.id)
    .bind(&awaited.to.name)
    .fetch_optional(c)
    .await?;
    Ok(found.is_some())
}
