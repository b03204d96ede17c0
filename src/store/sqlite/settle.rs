//! The end of a lease.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use crate::source::ObjectName;

use super::super::{
    EventId, FieldWritten, Lane, MappingResult, Next, Outcome, ParkReason, RecordKey, Settled, Settlement,
    StoreError,
};
use super::{awaited, convert};

pub(super) async fn settle(
    c: &mut SqliteConnection,
    lane: &Lane,
    settlement: &Settlement,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    let held = sqlx::query("SELECT 1 FROM lanes WHERE id = ?1 AND fence = ?2 AND owner IS NOT NULL")
        .bind(lane.id.0)
        .bind(lane.fence)
        .fetch_optional(&mut *c)
        .await?;
    if held.is_none() {
        return Ok(Settled::Stale);
    }
    if settlement.next == Next::Erase {
        erase(c, &lane.key).await?;
        return Ok(Settled::Accepted);
    }
    let events: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM events WHERE lane = ?1 AND state = 'pending' AND fence = ?2 ORDER BY id",
    )
    .bind(lane.id.0)
    .bind(lane.fence)
    .fetch_all(&mut *c)
    .await?;
    let events: Vec<EventId> = events.into_iter().map(EventId).collect();
    for result in &settlement.results {
        record(c, &lane.key, result, &events, now).await?;
    }
    match &settlement.next {
        Next::Done => {
            let parked = settlement.results.iter().any(|result| matches!(result.outcome, Outcome::Parked(_)));
            finish(c, lane, if parked { "parked" } else { "done" }, now).await?;
        }
        Next::RetryAt { at, error, counted } => {
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
        }
        // INVARIANT: erasure returned above.
        Next::Erase => {}
    }
    Ok(Settled::Accepted)
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

async fn record(
    c: &mut SqliteConnection,
    key: &RecordKey,
    result: &MappingResult,
    events: &[EventId],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (mapping, ended_by) = (result.mapping.as_str(), result.ended_by.as_str());
    match &result.outcome {
        Outcome::Waiting { .. } => {}
        _ => stop_waiting(c, key, mapping).await?,
    }
    match &result.outcome {
        Outcome::Parked(_) => {}
        _ => resolve_parked(c, key, mapping, now).await?,
    }
    match &result.outcome {
        Outcome::Written { object, id, created, fields } => {
            link(c, key, ended_by, object, id, now).await?;
            let target = RecordKey::new(&key.pair, object.clone(), id);
            for field in fields {
                remember(c, key, ended_by, &target, *created, field, events, now).await?;
            }
            Ok(())
        }
        Outcome::Unchanged { object, id } => link(c, key, ended_by, object, id, now).await,
        Outcome::Skipped => Ok(()),
        Outcome::Waiting { reason, fields, pairs } => {
            wait(c, key, mapping, reason, fields, now).await?;
            awaited::wait(c, key, mapping, pairs, now).await
        }
        Outcome::Parked(reason) => park(c, key, mapping, reason, events, now).await,
    }
}

async fn link(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    object: &ObjectName,
    id: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO links (pair, mapping, side, object, record, target_side, target_object, target, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (pair, mapping, side, object, record) DO UPDATE SET
             target_side = excluded.target_side, target_object = excluded.target_object, target = excluded.target,
             updated_at = excluded.updated_at, tombstone = 0",
    )
    .bind(&key.pair)
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(object.side.word())
    .bind(&object.name)
    .bind(id)
    .bind(convert::micros(now))
    .execute(&mut *c)
    .await?;
    awaited::wake(c, key, &RecordKey::new(&key.pair, object.clone(), id), now).await
}

#[expect(clippy::too_many_arguments, reason = "one row's columns, used in one place")]
async fn remember(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    target: &RecordKey,
    created: bool,
    field: &FieldWritten,
    events: &[EventId],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO history (pair, at, mapping, side, object, record, target_side, target_object, target, created,
                              field, old, new, file, line, events)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )
    .bind(&key.pair)
    .bind(convert::micros(now))
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
    .bind(serde_json::to_string(events)?)
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
    events: &[EventId],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO parked (pair, side, object, record, mapping, events, reason, created_at, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open')
         ON CONFLICT (pair, side, object, record, mapping) WHERE state = 'open' DO UPDATE SET
             reason = excluded.reason,
             events = (SELECT json_group_array(value) FROM
                          (SELECT value FROM json_each(parked.events)
                           UNION SELECT value FROM json_each(excluded.events) ORDER BY 1))",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(mapping)
    .bind(serde_json::to_string(events)?)
    .bind(serde_json::to_string(reason)?)
    .bind(convert::micros(now))
    .execute(c)
    .await?;
    Ok(())
}

async fn erase(c: &mut SqliteConnection, key: &RecordKey) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM events WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
        "DELETE FROM parked WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
        "DELETE FROM waiting WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
        "DELETE FROM awaited WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
        "DELETE FROM awaited WHERE pair = ?1 AND of_side = ?2 AND of_object = ?3 AND of_record = ?4",
        "DELETE FROM history WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
        "DELETE FROM history WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4",
        "DELETE FROM links WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
        "DELETE FROM links WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4",
        "DELETE FROM lanes WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    ] {
        sqlx::query(statement)
            .bind(&key.pair)
            .bind(key.object.side.word())
            .bind(&key.object.name)
            .bind(&key.record)
            .execute(&mut *c)
            .await?;
    }
    Ok(())
}
