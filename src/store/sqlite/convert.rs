//! Rows to values and back. Times are microseconds since 1970 UTC.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::source::{ObjectName, Side};

use super::super::{CorrelationId, EventId, ProjectId, RecordKey, StoreError};

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

/// SQLite's integers have a sign; the bits are the same.
pub(super) fn correlation(id: CorrelationId) -> i64 {
    id.0.cast_signed()
}

/// Reads the column `correlation`.
pub(super) fn correlation_of(row: &SqliteRow) -> Result<CorrelationId, StoreError> {
    Ok(CorrelationId(row.try_get::<i64, _>("correlation")?.cast_unsigned()))
}

/// Reads the column `project`.
pub(super) fn project_of(row: &SqliteRow) -> Result<Option<ProjectId>, StoreError> {
    Ok(row.try_get::<Option<i64>, _>("project")?.map(ProjectId))
}

/// Reads a place from the columns `file` and `line`, where they are filled.
pub(super) fn place(row: &SqliteRow) -> Result<Option<(String, usize)>, StoreError> {
    let (file, line): (Option<String>, Option<i64>) = (row.try_get("file")?, row.try_get("line")?);
    Ok(file.zip(line.and_then(|line| usize::try_from(line).ok())))
}
