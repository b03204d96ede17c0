//! Reads what is known of a record, and how the store is.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::source::ObjectName;

use super::super::{Condition, Heard, HeardEvent, KeptEntry, RecordKey, RunEntry, StoreError, Trail};
use super::{convert, intents, links, records, runs};

/// So many events and runs of one record are told; a record with more is a busy one, and the newest tell most.
const TOLD: i64 = 200;

const RUNS: &str = "SELECT * FROM runs
     WHERE pair = ?1 AND ((side = ?2 AND object = ?3 AND record = ?4)
                       OR (target_side = ?2 AND target_object = ?3 AND target = ?4))
     ORDER BY at DESC, id DESC LIMIT ?5";

const KEPT: &str = "SELECT * FROM kept
     WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4 ORDER BY at DESC LIMIT ?5";

const PARKED: &str = "SELECT * FROM parked WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4
     ORDER BY created_at DESC, id DESC LIMIT ?5";

const WAITING: &str = "SELECT mapping, reason FROM waiting
     WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 ORDER BY mapping LIMIT ?5";

const EVENTS: &str = "SELECT * FROM events
     WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 AND change IS NOT NULL
     ORDER BY occurred_at DESC, id DESC LIMIT ?5";

const LANES: &str =
    "SELECT 1 FROM lanes WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 LIMIT ?5";

pub(super) async fn of(c: &mut SqliteConnection, key: &RecordKey) -> Result<Trail, StoreError> {
    Ok(Trail {
        runs: about(c, key, RUNS).await?.iter().map(run).collect::<Result<_, _>>()?,
        kept: about(c, key, KEPT).await?.iter().map(kept).collect::<Result<_, _>>()?,
        parked: about(c, key, PARKED).await?.iter().map(records::parked_row).collect::<Result<_, _>>()?,
        waiting: about(c, key, WAITING).await?.iter().map(waits).collect::<Result<_, _>>()?,
        events: about(c, key, EVENTS).await?.iter().map(heard).collect::<Result<_, _>>()?,
        pending: !about(c, key, LANES).await?.is_empty(),
        history: records::history(c, key).await?,
        links: links::of_either(c, key).await?,
        intents: intents::about(c, key).await?,
    })
}

fn waits(row: &SqliteRow) -> Result<(String, String), StoreError> {
    Ok((row.try_get("mapping")?, row.try_get("reason")?))
}

/// Rows about a record; the statement has its four parts and a bound.
async fn about(
    c: &mut SqliteConnection,
    key: &RecordKey,
    statement: &'static str,
) -> Result<Vec<SqliteRow>, StoreError> {
    Ok(sqlx::query(statement)
        .bind(&key.pair)
        .bind(key.object.side.word())
        .bind(&key.object.name)
        .bind(&key.record)
        .bind(TOLD)
        .fetch_all(c)
        .await?)
}

fn run(row: &SqliteRow) -> Result<RunEntry, StoreError> {
    let target: Option<String> = row.try_get("target")?;
    Ok(RunEntry {
        id: row.try_get("id")?,
        at: convert::time(row.try_get("at")?)?,
        mapping: row.try_get("mapping")?,
        source: convert::key(row)?,
        target: target.map(|_| convert::target(row)).transpose()?,
        result: row.try_get("result")?,
        reason: row.try_get("reason")?,
        place: convert::place(row)?,
        begun: serde_json::from_str(row.try_get("begun")?)?,
        correlation: convert::correlation_of(row)?,
        project: convert::project_of(row)?,
    })
}

fn kept(row: &SqliteRow) -> Result<KeptEntry, StoreError> {
    let value: Option<&str> = row.try_get("value")?;
    Ok(KeptEntry {
        at: convert::time(row.try_get("at")?)?,
        mapping: row.try_get("mapping")?,
        source: convert::key(row)?,
        target: convert::target(row)?,
        field: row.try_get("field")?,
        value: value.map(serde_json::from_str).transpose()?,
        why: row.try_get("why")?,
        place: convert::place(row)?.unwrap_or_default(),
        run: row.try_get("run")?,
    })
}

fn heard(row: &SqliteRow) -> Result<HeardEvent, StoreError> {
    let (brief, change) = runs::brief(row)?;
    Ok(HeardEvent {
        brief,
        change,
        state: row.try_get("state")?,
        note: row.try_get("note")?,
        correlation: convert::correlation_of(row)?,
    })
}

pub(super) async fn known_as(c: &mut SqliteConnection, record: &str) -> Result<Vec<RecordKey>, StoreError> {
    let rows = sqlx::query(
        "SELECT pair, side, object, record FROM runs WHERE record = ?1
         UNION SELECT pair, target_side, target_object, target FROM runs WHERE target = ?1
         UNION SELECT pair, side, object, record FROM history WHERE record = ?1
         UNION SELECT pair, target_side, target_object, target FROM history WHERE target = ?1
         UNION SELECT pair, side, object, record FROM links WHERE record = ?1
         UNION SELECT pair, target_side, target_object, target FROM links WHERE target = ?1
         UNION SELECT pair, side, object, record FROM parked WHERE record = ?1
         UNION SELECT pair, side, object, record FROM intents WHERE record = ?1
         UNION SELECT pair, target_side, target_object, target FROM intents WHERE target = ?1
         UNION SELECT pair, side, object, record FROM events WHERE record = ?1 AND side IS NOT NULL
         ORDER BY 1, 2, 3 LIMIT 50",
    )
    .bind(record)
    .fetch_all(c)
    .await?;
    rows.iter().map(convert::key).collect()
}

pub(super) async fn condition(c: &mut SqliteConnection, pair: &str) -> Result<Condition, StoreError> {
    let number = |row: &SqliteRow, column: &str| {
        row.try_get::<i64, _>(column).map(|number| u64::try_from(number).unwrap_or_default())
    };
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *c).await?;
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *c).await?;
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *c).await?;
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM lanes WHERE pair = ?1) AS lanes,
                (SELECT count(*) FROM lanes WHERE pair = ?1 AND last_error IS NOT NULL) AS retrying,
                (SELECT last_error FROM lanes WHERE pair = ?1 AND last_error IS NOT NULL
                 ORDER BY not_before DESC LIMIT 1) AS error,
                (SELECT min(received_at) FROM events WHERE pair = ?1 AND state = 'pending') AS oldest",
    )
    .bind(pair)
    .fetch_one(&mut *c)
    .await?;
    let parked = sqlx::query(
        "SELECT mapping, count(*) AS n FROM parked WHERE pair = ?1 AND state = 'open' GROUP BY mapping ORDER BY mapping",
    )
    .bind(pair)
    .fetch_all(&mut *c)
    .await?;
    Ok(Condition {
        version,
        bytes: u64::try_from(pages.saturating_mul(page)).unwrap_or_default(),
        retrying: (number(&row, "retrying")?, row.try_get("error")?),
        oldest: row.try_get::<Option<i64>, _>("oldest")?.map(convert::time).transpose()?,
        lanes: number(&row, "lanes")?,
        parked: parked
            .iter()
            .map(|row| Ok((row.try_get("mapping")?, number(row, "n")?)))
            .collect::<Result<_, StoreError>>()?,
        watermarks: watermarks(c, pair).await?,
        heard: heard_kinds(c, pair).await?,
    })
}

/// How far each object's changes have been read.
async fn watermarks(
    c: &mut SqliteConnection,
    pair: &str,
) -> Result<Vec<(ObjectName, DateTime<Utc>)>, StoreError> {
    let rows =
        sqlx::query("SELECT side, object, read_to FROM watermarks WHERE pair = ?1 ORDER BY side, object")
            .bind(pair)
            .fetch_all(c)
            .await?;
    rows.iter()
        .map(|row| {
            let side = convert::side(row.try_get("side")?)?;
            let object = ObjectName::new(side, row.try_get::<String, _>("object")?);
            Ok((object, convert::time(row.try_get("read_to")?)?))
        })
        .collect()
}

/// When an event of each kind last came by webhook, among those that the journal still holds.
async fn heard_kinds(c: &mut SqliteConnection, pair: &str) -> Result<Vec<Heard>, StoreError> {
    let rows = sqlx::query(
        "SELECT iif(json_valid(raw), raw ->> 'subscriptionType', NULL) AS kind,
                iif(json_valid(raw), raw ->> 'propertyName', NULL) AS property, max(received_at) AS at
         FROM events WHERE pair = ?1 GROUP BY kind, property HAVING kind IS NOT NULL ORDER BY kind, property",
    )
    .bind(pair)
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Heard {
                kind: row.try_get("kind")?,
                property: row.try_get("property")?,
                at: convert::time(row.try_get("at")?)?,
            })
        })
        .collect()
}
