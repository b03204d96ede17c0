//! What mappings came to, and what made them run.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::source::ObjectName;
use crate::types::{ChangeEvent, ChangeKind};

use super::super::{
    Begun, CorrelationId, EventBrief, EventId, FieldKept, Lane, MappingResult, Origin, Outcome, ProjectId,
    RecordKey, StoreError,
};
use super::convert;

/// So many events of a burst are told; the rest is in the journal.
const EVENTS: i64 = 20;

/// What results are recorded with.
pub(super) struct Context {
    /// The events of the lease.
    pub(super) events: Vec<EventId>,
    /// What made the mappings run.
    pub(super) begun: Begun,
    /// The id that everything about them carries.
    pub(super) correlation: CorrelationId,
    /// The version of the project.
    pub(super) project: Option<ProjectId>,
    /// The present.
    pub(super) now: DateTime<Utc>,
}

impl Context {
    /// Of a run by hand.
    pub(super) fn by_hand(origin: Origin, now: DateTime<Utc>) -> Self {
        let Origin { correlation, project } = origin;
        Self { events: Vec::new(), begun: Begun::Command, correlation, project, now }
    }
}

/// What made the mappings of a lease run; `loaded` is the mapping of the load that settles it, if one does.
pub(super) async fn begun(
    c: &mut SqliteConnection,
    lane: &Lane,
    loaded: Option<&str>,
) -> Result<Begun, StoreError> {
    let rows = sqlx::query(
        "SELECT id, change, raw, received_at FROM events WHERE lane = ?1 AND state = 'pending' AND fence = ?2
         ORDER BY occurred_at DESC, id DESC LIMIT ?3",
    )
    .bind(lane.id.0)
    .bind(lane.fence)
    .bind(EVENTS)
    .fetch_all(&mut *c)
    .await?;
    if !rows.is_empty() {
        let briefs = rows.iter().rev().map(|row| Ok(brief(row)?.0)).collect::<Result<_, StoreError>>()?;
        return Ok(Begun::Events(briefs));
    }
    let requests: Vec<String> =
        sqlx::query_scalar("SELECT cause FROM requests WHERE lane = ?1 AND fence = ?2")
            .bind(lane.id.0)
            .bind(lane.fence)
            .fetch_all(c)
            .await?;
    let causes = requests.iter().filter(|cause| !cause.is_empty());
    let causes: Vec<_> = causes.map(|cause| serde_json::from_str(cause)).collect::<Result<_, _>>()?;
    Ok(match loaded {
        _ if !causes.is_empty() => Begun::Causes(causes),
        Some(mapping) if requests.is_empty() => Begun::Backfill { mapping: mapping.to_owned() },
        _ => Begun::Request,
    })
}

/// What is told of these events, as far as the journal still holds them.
pub(super) async fn briefs(
    c: &mut SqliteConnection,
    events: &[EventId],
) -> Result<Vec<EventBrief>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, change, raw, received_at FROM events
         WHERE id IN (SELECT value FROM json_each(?1)) AND change IS NOT NULL
         ORDER BY occurred_at DESC, id DESC LIMIT ?2",
    )
    .bind(serde_json::to_string(events)?)
    .bind(EVENTS)
    .fetch_all(c)
    .await?;
    rows.iter().rev().map(|row| Ok(brief(row)?.0)).collect()
}

/// An event from the columns `id`, `change`, `raw` and `received_at`.
pub(super) fn brief(row: &SqliteRow) -> Result<(EventBrief, ChangeEvent), StoreError> {
    let change: ChangeEvent = serde_json::from_str(row.try_get("change")?)?;
    let raw: serde_json::Value = serde_json::from_str(row.try_get("raw")?).unwrap_or_default();
    let said = ["subscriptionType", "eventType"].iter().find_map(|key| raw[*key].as_str());
    let brief = EventBrief {
        id: EventId(row.try_get("id")?),
        kind: said.map_or_else(|| change.kind.told(), str::to_owned),
        field: match &change.kind {
            ChangeKind::FieldChanged { field, .. } => Some(field.clone()),
            _ => None,
        },
        occurred_at: change.occurred_at,
        received_at: convert::time(row.try_get("received_at")?)?,
        polled: raw["source"] == "poll",
    };
    Ok((brief, change))
}

/// A result as a row says it.
struct Facts<'r> {
    result: &'static str,
    target: Option<(&'r ObjectName, &'r str)>,
    reason: Option<&'r str>,
    place: Option<(&'r str, usize)>,
    /// Whether only the latest of its kind is kept: nothing was written, and it may come every minute.
    latest_only: bool,
}

/// Remembers what a mapping came to; answers the row that its fields belong to.
pub(super) async fn remember(
    c: &mut SqliteConnection,
    key: &RecordKey,
    result: &MappingResult,
    context: &Context,
) -> Result<Option<i64>, StoreError> {
    let Some(row) = row(key, result) else { return Ok(None) };
    if row.latest_only {
        sqlx::query(
            "DELETE FROM runs
             WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 AND mapping = ?5 AND result = ?6",
        )
        .bind(&key.pair)
        .bind(key.object.side.word())
        .bind(&key.object.name)
        .bind(&key.record)
        .bind(&result.ended_by)
        .bind(row.result)
        .execute(&mut *c)
        .await?;
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO runs (pair, at, mapping, side, object, record, target_side, target_object, target, result, reason,
                           file, line, begun, correlation, project)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) RETURNING id",
    )
    .bind(&key.pair)
    .bind(convert::micros(context.now))
    .bind(&result.ended_by)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(row.target.map(|(object, _)| object.side.word()))
    .bind(row.target.map(|(object, _)| object.name.as_str()))
    .bind(row.target.map(|(_, id)| id))
    .bind(row.result)
    .bind(row.reason)
    .bind(row.place.map(|(file, _)| file))
    .bind(row.place.map(|(_, line)| i64::try_from(line).unwrap_or(i64::MAX)))
    .bind(serde_json::to_string(&context.begun)?)
    .bind(convert::correlation(context.correlation))
    .bind(context.project.map(|project| project.0))
    .fetch_one(&mut *c)
    .await?;
    for kept in &result.notes.kept {
        keep(c, key, &result.ended_by, kept, id, context.now).await?;
    }
    Ok(Some(id))
}

fn row<'r>(key: &RecordKey, result: &'r MappingResult) -> Option<Facts<'r>> {
    let notes = &result.notes;
    let said = notes.reason.as_deref();
    let place = |at: &'r Option<crate::source::Location>| at.as_ref().map(|at| (at.file.as_str(), at.line));
    let plain = Facts { result: "", target: None, reason: said, place: place(&notes.at), latest_only: false };
    Some(match &result.outcome {
        Outcome::Written { object, id, created, .. } => {
            let result = if *created { "created" } else { "updated" };
            Facts { result, target: Some((object, id)), ..plain }
        }
        Outcome::Unchanged { object, id } => {
            Facts { result: "unchanged", target: Some((object, id)), latest_only: true, ..plain }
        }
        Outcome::Synced { hubspot, salesforce, writes, .. } => {
            let other = if hubspot.0 == key.object { salesforce } else { hubspot };
            let target = Some((&other.0, other.1.as_str()));
            Facts { result: "synced", target, latest_only: writes.is_empty(), ..plain }
        }
        Outcome::Waiting { reason, .. } => {
            Facts { result: "waiting", reason: Some(reason), latest_only: true, ..plain }
        }
        Outcome::Parked(park) => {
            Facts { result: "parked", reason: Some(&park.reason), place: place(&park.at), ..plain }
        }
        Outcome::Skipped => Facts { result: "skipped", latest_only: true, ..plain },
        // It leaves what else the mapping has to do as it is, and still came to something.
        Outcome::Ended if said.is_some() => Facts { result: "skipped", latest_only: true, ..plain },
        Outcome::Ended | Outcome::Link(_) | Outcome::Relay(_) => return None,
    })
}

async fn keep(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    kept: &FieldKept,
    run: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO kept (pair, at, mapping, side, object, record, target_side, target_object, target, field, value, why,
                           file, line, run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT (pair, target_side, target_object, target, field, mapping) DO UPDATE SET
             at = excluded.at, side = excluded.side, object = excluded.object, record = excluded.record,
             value = excluded.value, why = excluded.why, file = excluded.file, line = excluded.line, run = excluded.run",
    )
    .bind(&key.pair)
    .bind(convert::micros(now))
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(kept.object.side.word())
    .bind(&kept.object.name)
    .bind(&kept.id)
    .bind(&kept.field)
    .bind(kept.value.as_ref().map(serde_json::to_string).transpose()?)
    .bind(&kept.why)
    .bind(&kept.at.file)
    .bind(i64::try_from(kept.at.line).unwrap_or(i64::MAX))
    .bind(run)
    .execute(c)
    .await?;
    Ok(())
}
