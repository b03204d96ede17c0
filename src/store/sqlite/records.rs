//! What people ask about and decide: parked records, provenance.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::source::Location;

use super::super::{FieldWritten, HistoryEntry, ParkState, ParkedId, ParkedRecord, RecordKey, StoreError};
use super::{convert, journal};

pub(super) async fn parked(c: &mut SqliteConnection) -> Result<Vec<ParkedRecord>, StoreError> {
    let rows =
        sqlx::query("SELECT * FROM parked WHERE state = 'open' ORDER BY created_at, id").fetch_all(c).await?;
    rows.iter().map(parked_row).collect()
}

pub(super) async fn parked_record(
    c: &mut SqliteConnection,
    id: ParkedId,
) -> Result<Option<ParkedRecord>, StoreError> {
    let row = sqlx::query("SELECT * FROM parked WHERE id = ?1").bind(id.0).fetch_optional(c).await?;
    row.as_ref().map(parked_row).transpose()
}

pub(super) fn parked_row(row: &SqliteRow) -> Result<ParkedRecord, StoreError> {
    let state = match row.try_get("state")? {
        "open" => ParkState::Open,
        "retried" => ParkState::Retried,
        "resolved" => ParkState::Resolved,
        "dropped" => ParkState::Dropped,
        other => return Err(StoreError::Damaged(format!("`{other}` is no state of a parked record"))),
    };
    Ok(ParkedRecord {
        id: ParkedId(row.try_get("id")?),
        key: convert::key(row)?,
        mapping: row.try_get("mapping")?,
        events: convert::events(row.try_get("events")?)?,
        reason: serde_json::from_str(row.try_get("reason")?)?,
        created_at: convert::time(row.try_get("created_at")?)?,
        state,
        correlation: convert::correlation_of(row)?,
        project: convert::project_of(row)?,
    })
}

/// Opens the lane again with the events that led to the parking, and asks for the mapping by name.
pub(super) async fn retry_parked(
    c: &mut SqliteConnection,
    id: ParkedId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(record) = close(c, id, "retried", now).await? else {
        return Ok(false);
    };
    let lane = journal::request(c, &record.key, &record.mapping, now).await?;
    journal::correlate(c, record.correlation.or_of(&record.key, &record.mapping, now)).await?;
    sqlx::query(
        "UPDATE events SET state = 'pending', lane = ?2, fence = NULL, settled_at = NULL
         WHERE state = 'parked' AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(serde_json::to_string(&record.events)?)
    .bind(lane.0)
    .execute(c)
    .await?;
    Ok(true)
}

pub(super) async fn drop_parked(
    c: &mut SqliteConnection,
    id: ParkedId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(record) = close(c, id, "dropped", now).await? else {
        return Ok(false);
    };
    sqlx::query(
        "UPDATE events SET state = 'done', note = 'dropped by a person', settled_at = ?2
         WHERE state = 'parked' AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(serde_json::to_string(&record.events)?)
    .bind(convert::micros(now))
    .execute(c)
    .await?;
    Ok(true)
}

async fn close(
    c: &mut SqliteConnection,
    id: ParkedId,
    state: &str,
    now: DateTime<Utc>,
) -> Result<Option<ParkedRecord>, StoreError> {
    let row = sqlx::query(
        "UPDATE parked SET state = ?1, closed_at = ?2 WHERE id = ?3 AND state = 'open' RETURNING *",
    )
    .bind(state)
    .bind(convert::micros(now))
    .bind(id.0)
    .fetch_optional(c)
    .await?;
    row.as_ref().map(parked_row).transpose()
}

pub(super) async fn history(
    c: &mut SqliteConnection,
    key: &RecordKey,
) -> Result<Vec<HistoryEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM history
         WHERE pair = ?1 AND ((side = ?2 AND object = ?3 AND record = ?4)
                           OR (target_side = ?2 AND target_object = ?3 AND target = ?4))
         ORDER BY at DESC, id DESC",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .fetch_all(c)
    .await?;
    rows.iter().map(history_row).collect()
}

fn history_row(row: &SqliteRow) -> Result<HistoryEntry, StoreError> {
    let line: i64 = row.try_get("line")?;
    let old: Option<&str> = row.try_get("old")?;
    Ok(HistoryEntry {
        at: convert::time(row.try_get("at")?)?,
        mapping: row.try_get("mapping")?,
        source: convert::key(row)?,
        target: convert::target(row)?,
        created: row.try_get("created")?,
        field: FieldWritten {
            field: row.try_get("field")?,
            old: old.map(serde_json::from_str).transpose()?,
            new: serde_json::from_str(row.try_get("new")?)?,
            // The column is not kept: a person looks for the line.
            at: Location { file: row.try_get("file")?, line: usize::try_from(line).unwrap_or(1), column: 1 },
        },
        events: convert::events(row.try_get("events")?)?,
        run: row.try_get("run")?,
    })
}
