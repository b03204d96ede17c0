//! Changes of pairs that are held from their other end: a sync's pair stands under HubSpot's record, also when the run of
//! Salesforce's record says what becomes of it.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use crate::types::{LinkChange, LinkFate};

use super::super::{RecordKey, StoreError};
use super::{convert, journal};

/// Changes the pairs of a mapping in which the lane's record is the target; whether there were any.
pub(super) async fn change(
    c: &mut SqliteConnection,
    key: &RecordKey,
    change: &LinkChange,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let held = "SELECT 1 FROM links
                WHERE pair = ?1 AND mapping = ?2 AND target_side = ?3 AND target_object = ?4 AND target = ?5";
    let found = sqlx::query(held)
        .bind(&key.pair)
        .bind(&change.by)
        .bind(key.object.side.word())
        .bind(&key.object.name)
        .bind(&key.record)
        .fetch_optional(&mut *c)
        .await?;
    if found.is_none() {
        return Ok(false);
    }
    match &change.fate {
        LinkFate::Forgotten => forget(c, key, &change.by, &key.record).await?,
        // Only a mapping converts, and its pairs stand under its source.
        LinkFate::Became { .. } => return Ok(false),
        LinkFate::TargetGone => set(c, key, &change.by, ("source_gone = ?6", "1"), now).await?,
        LinkFate::PointsAt { target } => {
            // The pair that the survivor had of its own makes way.
            set(c, key, &change.by, ("record = ?6, source_gone = 0", target), now).await?;
        }
        LinkFate::Inherited { by, .. } => {
            forget(c, key, &change.by, by).await?;
            set(
                c,
                key,
                &change.by,
                ("target = ?6, tombstone = 0, merged_into = NULL, inherited = 1", by),
                now,
            )
            .await?;
            let heir = RecordKey { record: by.clone(), ..key.clone() };
            journal::request(c, &heir, &change.by, now).await?;
        }
    }
    Ok(true)
}

/// Removes the pairs with a target.
async fn forget(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    target: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM links
         WHERE pair = ?1 AND mapping = ?2 AND target_side = ?3 AND target_object = ?4 AND target = ?5",
    )
    .bind(&key.pair)
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(target)
    .execute(c)
    .await?;
    Ok(())
}

/// Sets columns of the pairs with the lane's record, where `?6` stands for the value.
async fn set(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    (columns, value): (&'static str, &str),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let statement = format!(
        "UPDATE OR REPLACE links SET {columns}, updated_at = ?7
         WHERE pair = ?1 AND mapping = ?2 AND target_side = ?3 AND target_object = ?4 AND target = ?5"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(&key.pair)
        .bind(mapping)
        .bind(key.object.side.word())
        .bind(&key.object.name)
        .bind(&key.record)
        .bind(value)
        .bind(convert::micros(now))
        .execute(c)
        .await?;
    Ok(())
}
