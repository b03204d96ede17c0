//! Writes that are about to be sent.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::source::ObjectName;

use super::super::{
    Begun, Intent, IntentId, IntentTarget, IntentsEnd, MappingResult, Notes, OpenIntent, Outcome, RecordKey,
    StoreError,
};
use super::runs::{self, Context};
use super::{convert, settle};

/// Why a run is in the history that was never settled, in the author's words.
const FOUND: &str = "its answer was lost, and a later run found it carried out";

/// Keeps intents.
pub(super) async fn keep(c: &mut SqliteConnection, intents: &[Intent]) -> Result<Vec<IntentId>, StoreError> {
    let mut ids = Vec::with_capacity(intents.len());
    for intent in intents {
        let (target, key) = match &intent.target {
            IntentTarget::Record(id) => (Some(id), None),
            IntentTarget::Keyed(key) => (None, Some(key)),
            IntentTarget::New => (None, None),
        };
        let kept = sqlx::query(
            "INSERT INTO intents (pair, at, mapping, ended_by, side, object, record, target_side, target_object, target,
                                  key, fields, events, begun, correlation, project)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )
        .bind(&intent.source.pair)
        .bind(convert::micros(intent.at))
        .bind(&intent.mapping)
        .bind(&intent.ended_by)
        .bind(intent.source.object.side.word())
        .bind(&intent.source.object.name)
        .bind(&intent.source.record)
        .bind(intent.object.side.word())
        .bind(&intent.object.name)
        .bind(target)
        .bind(key)
        .bind(serde_json::to_string(&intent.fields)?)
        .bind(serde_json::to_string(&intent.events)?)
        .bind(intent.begun.as_ref().map(serde_json::to_string).transpose()?)
        .bind(convert::correlation(intent.correlation))
        .bind(intent.project.map(|project| project.0))
        .execute(&mut *c)
        .await?;
        ids.push(IntentId(kept.last_insert_rowid()));
    }
    Ok(ids)
}

/// The open intents of the records of these lanes, each with its lane.
pub(super) async fn of_lanes(
    c: &mut SqliteConnection,
    lanes: &[i64],
) -> Result<Vec<(i64, OpenIntent)>, StoreError> {
    let rows = sqlx::query(
        "SELECT intents.*, lanes.id AS lane FROM json_each(?1) AS given JOIN lanes ON lanes.id = given.value
         JOIN intents ON intents.pair = lanes.pair AND intents.side = lanes.side AND intents.object = lanes.object
             AND intents.record = lanes.record
         ORDER BY intents.id",
    )
    .bind(serde_json::to_string(lanes)?)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("lane")?, intent(row)?))).collect()
}

/// The open intents about a record, as the source or as what is to be written.
pub(super) async fn about(c: &mut SqliteConnection, key: &RecordKey) -> Result<Vec<OpenIntent>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM intents
         WHERE (pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4)
            OR (pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4)
         ORDER BY id",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .fetch_all(c)
    .await?;
    rows.iter().map(intent).collect()
}

/// Settles intents: what was carried out becomes history, and is over like the rest.
pub(super) async fn end(c: &mut SqliteConnection, end: &IntentsEnd) -> Result<(), StoreError> {
    for (id, target) in &end.done {
        let row =
            sqlx::query("SELECT * FROM intents WHERE id = ?1").bind(id.0).fetch_optional(&mut *c).await?;
        if let Some(row) = row {
            remember(c, intent(&row)?.intent, target).await?;
        }
    }
    let over: Vec<i64> = end.done.iter().map(|(id, _)| id).chain(&end.over).map(|id| id.0).collect();
    if !over.is_empty() {
        sqlx::query("DELETE FROM intents WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(serde_json::to_string(&over)?)
            .execute(c)
            .await?;
    }
    Ok(())
}

/// Makes an intent the history that its settlement would have been.
async fn remember(c: &mut SqliteConnection, intent: Intent, target: &str) -> Result<(), StoreError> {
    let begun = match intent.begun {
        Some(begun) => begun,
        None => Begun::Events(runs::briefs(c, &intent.events).await?),
    };
    let Intent {
        source,
        mapping,
        ended_by,
        object,
        target: kind,
        fields,
        events,
        correlation,
        project,
        at,
        ..
    } = intent;
    let context = Context { events, begun, correlation, project, now: at };
    let (id, created) = (target.to_owned(), kind.is_new());
    let result = MappingResult {
        mapping,
        ended_by,
        outcome: Outcome::Written { object: object.clone(), id, created, fields: Vec::new() },
        notes: Notes { reason: Some(FOUND.to_owned()), ..Notes::default() },
    };
    let run = runs::remember(c, &source, &result, &context).await?;
    let written = RecordKey::new(&source.pair, object, target);
    for field in &fields {
        settle::remember(c, &source, &result.ended_by, &written, created, field, (&context, run)).await?;
    }
    Ok(())
}

fn intent(row: &SqliteRow) -> Result<OpenIntent, StoreError> {
    let side = convert::side(row.try_get("target_side")?)?;
    let target = match (row.try_get::<Option<String>, _>("target")?, row.try_get::<Option<String>, _>("key")?)
    {
        (Some(id), _) => IntentTarget::Record(id),
        (None, Some(key)) => IntentTarget::Keyed(key),
        (None, None) => IntentTarget::New,
    };
    let begun: Option<&str> = row.try_get("begun")?;
    let at: DateTime<Utc> = convert::time(row.try_get("at")?)?;
    let intent = Intent {
        source: convert::key(row)?,
        mapping: row.try_get("mapping")?,
        ended_by: row.try_get("ended_by")?,
        object: ObjectName::new(side, row.try_get::<String, _>("target_object")?),
        target,
        fields: serde_json::from_str(row.try_get("fields")?)?,
        events: convert::events(row.try_get("events")?)?,
        begun: begun.map(serde_json::from_str).transpose()?,
        correlation: convert::correlation_of(row)?,
        project: convert::project_of(row)?,
        at,
    };
    Ok(OpenIntent { id: IntentId(row.try_get("id")?), intent })
}
