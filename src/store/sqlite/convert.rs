//! Rows to values and back. Times are microseconds since 1970 UTC.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::source::{ObjectName, Side};

use super::super::{EventId, RecordKey, StoreError};

pub(super) fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

pub(super) fn time(micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| StoreError::Damaged(format!("{micros} is no time")))
}

pub(super) fn side(word: &str) -> Result<Side, StoreError> {
    Side::ALL
        .into_iter()
        .find(|side| side.word() == word)
        .ok_or_else(|| StoreError::Damaged(format!("`{word}` is no CRM")))
}

/// Reads a source record from the columns `pair`, `side`, `object` and `record`.
pub(super) fn key(row: &SqliteRow) -> Result<RecordKey, StoreError> {
    let object = ObjectName::new(side(row.try_get("side")?)?, row.try_get::<String, _>("object")?);
    Ok(RecordKey::new(row.try_get::<String, _>("pair")?, object, row.try_get::<String, _>("record")?))
}

/// Reads a target record from the columns `pair`, `target_side`, `target_object` and `target`.
pub(super) fn target(row: &SqliteRow) -> Result<RecordKey, StoreError> {
    let object =
        ObjectName::new(side(row.try_get("target_side")?)?, row.try_get::<String, _>("target_object")?);
    Ok(RecordKey::new(row.try_get::<String, _>("pair")?, object, row.try_get::<String, _>("target")?))
}

pub(super) fn events(json: &str) -> Result<Vec<EventId>, StoreError> {
    Ok(serde_json::from_str(json)?)
}
