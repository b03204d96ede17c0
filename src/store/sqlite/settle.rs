//! The end of a lease.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::types::{Cause, ChangeEvent, ChangeKind};

use super::super::{
    EventId, FieldWritten, Lane, MappingResult, Next, Outcome, ParkReason, RecordKey, RecordWritten, Settled,
    Settlement, StoreError,
};
use super::links::Left;
use super::runs::{self, Context};
use super::{awaited, convert, erasures, intents, journal, links};

pub(super) async fn settle(
    c: &mut SqliteConnection,
    lane: &Lane,
    settlement: &Settlement,
    loaded: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    let held = sqlx::query(
        "SELECT correlation, project FROM lanes WHERE id = ?1 AND fence = ?2 AND owner IS NOT NULL",
    )
    .bind(lane.id.0)
    .bind(lane.fence)
    .fetch_optional(&mut *c)
    .await?;
    let Some(held) = held else { return Ok(Settled::Stale) };
    if settlement.next == Next::Erase {
        erasures::erase(c, &lane.key, now).await?;
        return Ok(Settled::Accepted);
    }
    for result in &settlement.results {
        let Outcome::Link(change) = &result.outcome else { continue };
        if links::inherits_twice(c, &lane.key, change).await? {
            // Another record was merged into the same one meanwhile; the run sees it when it looks again.
            let error = "another merge was quicker".to_owned();
            retry(c, lane, &Next::RetryAt { at: now, error, counted: false }).await?;
            return Ok(Settled::Accepted);
        }
    }
    let events = held_events(c, lane).await?;
    if settlement.next == Next::Done {
        mark_end(c, &lane.key, &events, now).await?;
    }
    let context = Context {
        events: events.iter().map(|(id, _)| *id).collect(),
        begun: runs::begun(c, lane, loaded).await?,
        correlation: convert::correlation_of(&held)?,
        project: convert::project_of(&held)?,
        now,
    };
    record_all(c, &lane.key, &settlement.results, &context).await?;
    match &settlement.next {
        Next::Done => {
            let parked = settlement.results.iter().any(|result| matches!(result.outcome, Outcome::Parked(_)));
            finish(c, lane, if parked { "parked" } else { "done" }, now).await?;
        }
        next => retry(c, lane, next).await?,
    }
    Ok(Settled::Accepted)
}

/// The events of this lease, in order of arrival.
async fn held_events(
    c: &mut SqliteConnection,
    lane: &Lane,
) -> Result<Vec<(EventId, ChangeEvent)>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, change FROM events WHERE lane = ?1 AND state = 'pending' AND fence = ?2 ORDER BY id",
    )
    .bind(lane.id.0)
    .bind(lane.fence)
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| Ok((EventId(row.try_get("id")?), serde_json::from_str(row.try_get("change")?)?)))
        .collect()
}

/// Leaves a tombstone in the links of a record that ended, and takes it out of those of one that is back.
async fn mark_end(
    c: &mut SqliteConnection,
    key: &RecordKey,
    events: &[(EventId, ChangeEvent)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut changes: Vec<ChangeEvent> = events.iter().map(|(_, change)| change.clone()).collect();
    changes.sort_by_key(|change| change.occurred_at);
    let back = changes.iter().any(|change| change.kind == ChangeKind::Restored);
    match Cause::of_source(&changes) {
        Some(Cause::SourceMerged { into }) => links::set_tombstone(c, key, true, Some(&into), now).await?,
        Some(_) => links::set_tombstone(c, key, true, None, now).await?,
        None if back => links::set_tombstone(c, key, false, None, now).await?,
        None => 0,
    };
    Ok(())
}

/// Leaves the lane's work pending until later.
async fn retry(c: &mut SqliteConnection, lane: &Lane, next: &Next) -> Result<(), StoreError> {
    // INVARIANT: what is done or erased does not come here.
    let Next::RetryAt { at, error, counted } = next else { return Ok(()) };
    sqlx::query(
        "UPDATE lanes SET owner = NULL, lease_until = NULL, not_before = ?1, last_error = ?2,
                          attempts = attempts + ?3
         WHERE id = ?4",
    )
    .bind(convert::micros(*at))
    .bind(error)
    .bind(*counted)
    .bind(lane.id.0)
    .execute(c)
    .await?;
    Ok(())
}

/// Closes the events and requests of this lease, and the lane if nothing came in meanwhile.
async fn finish(
    c: &mut SqliteConnection,
    lane: &Lane,
    state: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE events SET state = ?1, settled_at = ?2 WHERE lane = ?3 AND state = 'pending' AND fence = ?4",
    )
    .bind(state)
    .bind(convert::micros(now))
    .bind(lane.id.0)
    .bind(lane.fence)
    .execute(&mut *c)
    .await?;
    sqlx::query("DELETE FROM requests WHERE lane = ?1 AND fence = ?2")
        .bind(lane.id.0)
        .bind(lane.fence)
        .execute(&mut *c)
        .await?;
    let deleted = sqlx::query(
        "DELETE FROM lanes WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM events WHERE lane = ?1 AND state = 'pending')
             AND NOT EXISTS (SELECT 1 FROM requests WHERE lane = ?1)",
    )
    .bind(lane.id.0)
    .execute(&mut *c)
    .await?;
    if deleted.rows_affected() == 0 {
        sqlx::query(
            "UPDATE lanes SET owner = NULL, lease_until = NULL, not_before = ?1, attempts = 0, last_error = NULL
             WHERE id = ?2",
        )
        .bind(convert::micros(now))
        .bind(lane.id.0)
        .execute(c)
        .await?;
    }
    Ok(())
}

/// Records what mappings came to for a record.
pub(super) async fn record_all(
    c: &mut SqliteConnection,
    key: &RecordKey,
    results: &[MappingResult],
    context: &Context,
) -> Result<(), StoreError> {
    for result in results {
        if let Some(end) = &result.notes.intents {
            intents::end(c, end).await?;
        }
        record(c, key, result, context).await?;
    }
    journal::correlate(c, context.correlation).await
}

async fn record(
    c: &mut SqliteConnection,
    key: &RecordKey,
    result: &MappingResult,
    context: &Context,
) -> Result<(), StoreError> {
    let now = context.now;
    let (mapping, ended_by) = (result.mapping.as_str(), result.ended_by.as_str());
    match &result.outcome {
        Outcome::Ended => return runs::remember(c, key, result, context).await.map(|_| ()),
        Outcome::Link(change) => return links::change(c, key, change, now).await,
        Outcome::Relay(cause) => return links::relay(c, key, mapping, cause, now).await,
        _ => {}
    }
    supersede(c, key, result, now).await?;
    let none = Left::default();
    let run = runs::remember(c, key, result, context).await?;
    match &result.outcome {
        Outcome::Written { object, id, created, fields } => {
            links::remember(c, key, ended_by, (object, id), &none, now).await?;
            let target = RecordKey::new(&key.pair, object.clone(), id);
            for field in fields {
                remember(c, key, ended_by, &target, *created, field, (context, run)).await?;
            }
        }
        Outcome::Unchanged { object, id } => {
            links::remember(c, key, ended_by, (object, id), &none, now).await?;
        }
        Outcome::Synced { hubspot, salesforce, writes, synced, met } => {
            let one = RecordKey::new(&key.pair, hubspot.0.clone(), &hubspot.1);
            let left = Left { synced: synced.clone(), met: Some(met) };
            links::remember_sync(c, &one, ended_by, (&salesforce.0, &salesforce.1), &left, now).await?;
            for RecordWritten { object, id, created, fields } in writes {
                let target = RecordKey::new(&key.pair, object.clone(), id);
                for field in fields {
                    remember(c, key, ended_by, &target, *created, field, (context, run)).await?;
                }
            }
        }
        Outcome::Waiting { reason, fields, pairs } => {
            wait(c, key, mapping, reason, fields, now).await?;
            awaited::wait(c, key, mapping, pairs, now).await?;
        }
        Outcome::Parked(reason) => park(c, key, mapping, reason, context).await?,
        Outcome::Skipped | Outcome::Ended | Outcome::Link(_) | Outcome::Relay(_) => {}
    }
    Ok(())
}

/// Ends what an earlier run of the mapping left.
async fn supersede(
    c: &mut SqliteConnection,
    key: &RecordKey,
    MappingResult { mapping, outcome, .. }: &MappingResult,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if matches!(outcome, Outcome::Skipped | Outcome::Waiting { .. } | Outcome::Parked(_)) {
        links::doubt(c, key, mapping).await?;
    }
    if !matches!(outcome, Outcome::Waiting { .. }) {
        stop_waiting(c, key, mapping).await?;
    }
    if !matches!(outcome, Outcome::Parked(_)) {
        resolve_parked(c, key, mapping, now).await?;
    }
    Ok(())
}

/// Keeps where a field's value comes from.
pub(super) async fn remember(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    target: &RecordKey,
    created: bool,
    field: &FieldWritten,
    (context, run): (&Context, Option<i64>),
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO history (pair, at, mapping, side, object, record, target_side, target_object, target, created,
                              field, old, new, file, line, events, run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )
    .bind(&key.pair)
    .bind(convert::micros(context.now))
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(target.object.side.word())
    .bind(&target.object.name)
    .bind(&target.record)
    .bind(created)
    .bind(&field.field)
    .bind(field.old.as_ref().map(serde_json::to_string).transpose()?)
    .bind(serde_json::to_string(&field.new)?)
    .bind(&field.at.file)
    .bind(i64::try_from(field.at.line).unwrap_or(i64::MAX))
    .bind(serde_json::to_string(&context.events)?)
    .bind(run)
    .execute(c)
    .await?;
    Ok(())
}

async fn wait(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    reason: &str,
    fields: &[String],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO waiting (pair, mapping, side, object, record, reason, fields, since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (pair, mapping, side, object, record) DO UPDATE SET
             reason = excluded.reason, fields = excluded.fields",
    )
    .bind(&key.pair)
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(reason)
    .bind(serde_json::to_string(fields)?)
    .bind(convert::micros(now))
    .execute(c)
    .await?;
    Ok(())
}

async fn stop_waiting(c: &mut SqliteConnection, key: &RecordKey, mapping: &str) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM waiting WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 AND mapping = ?5",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(mapping)
    .execute(&mut *c)
    .await?;
    awaited::stop(c, key, mapping).await
}

async fn resolve_parked(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let resolved: Vec<String> = sqlx::query_scalar(
        "UPDATE parked SET state = 'resolved', closed_at = ?6
         WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 AND mapping = ?5 AND state = 'open'
         RETURNING events",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(mapping)
    .bind(convert::micros(now))
    .fetch_all(&mut *c)
    .await?;
    for events in resolved {
        sqlx::query(
            "UPDATE events SET state = 'done', settled_at = ?2
             WHERE state = 'parked' AND id IN (SELECT value FROM json_each(?1))",
        )
        .bind(events)
        .bind(convert::micros(now))
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// Parks a record; one that is already parked for this mapping gets the newer reason and the events of both.
async fn park(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    reason: &ParkReason,
    context: &Context,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO parked (pair, side, object, record, mapping, events, reason, created_at, state, correlation,
                             project)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open', ?9, ?10)
         ON CONFLICT (pair, side, object, record, mapping) WHERE state = 'open' DO UPDATE SET
             reason = excluded.reason, correlation = excluded.correlation, project = excluded.project,
             events = (SELECT json_group_array(value) FROM
                          (SELECT value FROM json_each(parked.events)
                           UNION SELECT value FROM json_each(excluded.events) ORDER BY 1))",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(mapping)
    .bind(serde_json::to_string(&context.events)?)
    .bind(serde_json::to_string(reason)?)
    .bind(convert::micros(context.now))
    .bind(convert::correlation(context.correlation))
    .bind(context.project.map(|project| project.0))
    .execute(c)
    .await?;
    Ok(())
}
