//! Events in, lanes out.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::types::{Cause, ChangeEvent, ChangeKind};

use super::super::{
    Appended, CorrelationId, EventId, Incoming, Lane, LaneId, LeaseRequest, LeasedEvent, LeasedLane,
    NewEvent, Pending, RecordKey, StoreError, Waiting,
};
use super::{convert, erasures, intents, links, merges};

/// Writes all events with a handful of statements, however many they are: each statement costs a trip to SQLite's
/// thread, and ten thousand events come in one body.
pub(super) async fn append(
    c: &mut SqliteConnection,
    events: &[NewEvent],
) -> Result<Vec<Appended>, StoreError> {
    let rows = events.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let rows = serde_json::to_string(&rows)?;
    let erased = erasures::told_of(c, &rows).await?;
    let rows = if erased.is_empty() { rows } else { without_values(events, &erased)? };
    let inserted = sqlx::query(
        "INSERT INTO events (pair, dedupe, side, object, record, change, raw, occurred_at, received_at, state, note,
                             correlation, own, merged_into)
         SELECT value ->> 'pair', value ->> 'dedupe', value ->> 'side', value ->> 'object', value ->> 'record',
                value ->> 'change', value ->> 'raw', value ->> 'occurred_at', value ->> 'received_at',
                iif(value ->> 'note' IS NULL, 'pending', 'ignored'), value ->> 'note', value ->> 'correlation',
                value ->> 'own', value ->> 'merged_into'
         FROM json_each(?1) WHERE true ORDER BY key
         ON CONFLICT (pair, dedupe) DO NOTHING RETURNING id, pair, dedupe",
    )
    .bind(&rows)
    .fetch_all(&mut *c)
    .await?;
    let mut new = by_key(&inserted)?;
    let joined = if new.is_empty() {
        HashMap::new()
    } else {
        open_lanes(c, &serde_json::to_string(&new.values().collect::<Vec<_>>())?).await?
    };
    erasures::remember_merges(c, &rows).await?;
    let known = if new.len() == events.len() { HashMap::new() } else { known(c, &rows).await? };
    events
        .iter()
        .map(|event| {
            let key = (event.pair.clone(), event.dedupe.clone());
            // The first of several equal events in one batch is the new one.
            let (id, new) = match new.remove(&key) {
                Some(id) => (Some(id), true),
                None => (known.get(&key).copied(), false),
            };
            let id = id.ok_or_else(|| StoreError::Damaged("an event is neither new nor known".to_owned()))?;
            let own = || CorrelationId::of_event(&event.pair, &event.dedupe);
            Ok(Appended { id: EventId(id), new, correlation: joined.get(&id).copied().unwrap_or_else(own) })
        })
        .collect()
}

/// Rows of which those that tell of a record that was erased hold no values.
fn without_values(events: &[NewEvent], erased: &HashSet<RecordKey>) -> Result<String, StoreError> {
    let is_erased = |pair: &str, change: &ChangeEvent| {
        erased.contains(&RecordKey::new(pair, change.object.clone(), &change.record))
    };
    let of = |event: &NewEvent| {
        let mut event = event.clone();
        let change = match &mut event.incoming {
            Incoming::Change(change) | Incoming::Own { change, .. } => Some(change),
            Incoming::Ignored { change, .. } => change.as_mut(),
        };
        if let Some(change) = change.filter(|change| is_erased(&event.pair, change)) {
            if let ChangeKind::FieldChanged { value, .. } = &mut change.kind {
                *value = None;
            }
            if let Incoming::Own { change, .. } = event.incoming {
                event.incoming = Incoming::Change(change);
            }
            "{}".clone_into(&mut event.raw);
        }
        row(&event)
    };
    Ok(serde_json::to_string(&events.iter().map(of).collect::<Result<Vec<_>, _>>()?)?)
}

fn row(event: &NewEvent) -> Result<serde_json::Value, StoreError> {
    let (change, note, own) = match &event.incoming {
        Incoming::Change(change) => (Some(change), None, None),
        Incoming::Own { change, state } => (Some(change), None, Some(serde_json::to_string(state)?)),
        Incoming::Ignored { reason, change } => (change.as_ref(), Some(reason), None),
    };
    Ok(serde_json::json!({
        "pair": event.pair,
        "dedupe": event.dedupe,
        "side": change.map(|change| change.object.side.word()),
        "object": change.map(|change| &change.object.name),
        "record": change.map(|change| &change.record),
        "change": change.map(serde_json::to_string).transpose()?,
        "raw": event.raw,
        "occurred_at": change.map(|change| convert::micros(change.occurred_at)),
        "received_at": convert::micros(event.received_at),
        "note": note,
        "correlation": convert::correlation(CorrelationId::of_event(&event.pair, &event.dedupe)),
        "own": own,
        "merged_into": change.and_then(merged_into),
    }))
}

fn merged_into(change: &ChangeEvent) -> Option<&str> {
    match &change.kind {
        ChangeKind::Merged { into } => Some(into),
        _ => None,
    }
}

/// Ids by pair and dedupe key.
fn by_key(rows: &[SqliteRow]) -> Result<HashMap<(String, String), i64>, StoreError> {
    rows.iter().map(|row| Ok(((row.try_get("pair")?, row.try_get("dedupe")?), row.try_get("id")?))).collect()
}

async fn known(c: &mut SqliteConnection, rows: &str) -> Result<HashMap<(String, String), i64>, StoreError> {
    let rows = sqlx::query(
        "SELECT events.id, events.pair, events.dedupe FROM json_each(?1) AS given
         JOIN events ON events.pair = given.value ->> 'pair' AND events.dedupe = given.value ->> 'dedupe'",
    )
    .bind(rows)
    .fetch_all(c)
    .await?;
    by_key(&rows)
}

/// Puts new events into their records' lanes. A lane that is there keeps its lease and its back-off, and its id: an event
/// that joins work under way carries the id of that work. Answers the id of each event.
async fn open_lanes(c: &mut SqliteConnection, ids: &str) -> Result<HashMap<i64, CorrelationId>, StoreError> {
    sqlx::query(
        "INSERT INTO lanes (pair, side, object, record, not_before)
         SELECT pair, side, object, record, min(received_at) FROM events
         WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'pending'
         GROUP BY pair, side, object, record ORDER BY min(id)
         ON CONFLICT (pair, side, object, record) DO NOTHING",
    )
    .bind(ids)
    .execute(&mut *c)
    .await?;
    sqlx::query(
        "UPDATE events SET lane = (
             SELECT lanes.id FROM lanes
             WHERE lanes.pair = events.pair AND lanes.side = events.side
               AND lanes.object = events.object AND lanes.record = events.record)
         WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'pending'",
    )
    .bind(ids)
    .execute(&mut *c)
    .await?;
    erasures::hasten(c, ids).await?;
    sqlx::query(
        "UPDATE lanes SET correlation = (
             SELECT events.correlation FROM events
             WHERE events.lane = lanes.id AND events.state = 'pending' ORDER BY occurred_at, id LIMIT 1)
         WHERE correlation = 0",
    )
    .execute(&mut *c)
    .await?;
    let rows = sqlx::query(
        "UPDATE events SET correlation = (SELECT correlation FROM lanes WHERE lanes.id = events.lane)
         WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'pending' RETURNING id, correlation",
    )
    .bind(ids)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, convert::correlation_of(row)?))).collect()
}

/// Gives the lanes that this transaction opened the id of what opened them.
pub(super) async fn correlate(c: &mut SqliteConnection, id: CorrelationId) -> Result<(), StoreError> {
    sqlx::query("UPDATE lanes SET correlation = ?1 WHERE correlation = 0")
        .bind(convert::correlation(id))
        .execute(c)
        .await?;
    Ok(())
}

/// Finds a record's lane or makes it; whoever made one ends with [`correlate`]. A lane that is there keeps its lease, its
/// back-off and its id.
pub(super) async fn open_lane(
    c: &mut SqliteConnection,
    key: &RecordKey,
    now: DateTime<Utc>,
) -> Result<LaneId, StoreError> {
    // The no-op update makes RETURNING answer for a lane that is there.
    let id = sqlx::query_scalar(
        "INSERT INTO lanes (pair, side, object, record, not_before) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (pair, side, object, record) DO UPDATE SET fence = fence RETURNING id",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(convert::micros(now))
    .fetch_one(c)
    .await?;
    Ok(LaneId(id))
}

/// Asks for a mapping; one that is already under way is asked for anew.
pub(super) async fn request(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    now: DateTime<Utc>,
) -> Result<LaneId, StoreError> {
    request_because(c, key, mapping, None, now).await
}

/// The same, because a paired record ended.
pub(super) async fn request_because(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    cause: Option<&Cause>,
    now: DateTime<Utc>,
) -> Result<LaneId, StoreError> {
    let lane = open_lane(c, key, now).await?;
    sqlx::query(
        "INSERT INTO requests (lane, mapping, cause) VALUES (?1, ?2, ?3)
         ON CONFLICT (lane, mapping, cause) DO UPDATE SET fence = NULL",
    )
    .bind(lane.0)
    .bind(mapping)
    .bind(cause.map(serde_json::to_string).transpose()?.unwrap_or_default())
    .execute(c)
    .await?;
    Ok(lane)
}

pub(super) async fn due(
    c: &mut SqliteConnection,
    pair: &str,
    now: DateTime<Utc>,
    at_most: u32,
) -> Result<u32, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT 1 FROM lanes
             WHERE pair = ?1 AND not_before <= ?2 AND (owner IS NULL OR lease_until <= ?2)
             LIMIT ?3)",
    )
    .bind(pair)
    .bind(convert::micros(now))
    .bind(at_most)
    .fetch_one(c)
    .await?;
    Ok(u32::try_from(count).unwrap_or(at_most))
}

pub(super) async fn lease(
    c: &mut SqliteConnection,
    request: &LeaseRequest,
) -> Result<Vec<LeasedLane>, StoreError> {
    let until = request.now + request.ttl;
    let rows = sqlx::query(
        "UPDATE lanes SET owner = ?1, fence = fence + 1, lease_until = ?2, attempts = attempts + (owner IS NOT NULL),
                          project = ?6
         WHERE id IN (
             SELECT id FROM lanes
             WHERE pair = ?3 AND not_before <= ?4 AND (owner IS NULL OR lease_until <= ?4)
                 AND (NOT ?7 OR id IN (SELECT lane FROM events
                          WHERE state = 'pending' AND change ->> '$.kind' = 'PrivacyDeletion'))
             ORDER BY not_before, id LIMIT ?5)
         RETURNING id, pair, side, object, record, fence, attempts, last_error, not_before, correlation",
    )
    .bind(&request.worker)
    .bind(convert::micros(until))
    .bind(&request.pair)
    .bind(convert::micros(request.now))
    .bind(request.limit)
    .bind(request.project.map(|project| project.0))
    .bind(request.erasures)
    .fetch_all(&mut *c)
    .await?;
    taken(c, rows, request.now).await
}

/// Reads the work of lanes that were just leased, and gives back those that must wait for others.
pub(super) async fn taken(
    c: &mut SqliteConnection,
    mut rows: Vec<SqliteRow>,
    now: DateTime<Utc>,
) -> Result<Vec<LeasedLane>, StoreError> {
    // RETURNING has no order of its own.
    rows.sort_by_key(|row| (row.get::<i64, _>("not_before"), row.get::<i64, _>("id")));
    let merging = merges::waiting(c, &ids(&rows), now).await?;
    keep(c, &mut rows, &merging, now).await?;
    let contended = contended(c, &ids(&rows), now).await?;
    keep(c, &mut rows, &contended, now).await?;
    leased(c, &rows).await
}

fn ids(rows: &[SqliteRow]) -> Vec<i64> {
    rows.iter().map(|row| row.get("id")).collect()
}

/// How long a lane that was given back waits at least before it is looked at again.
const BEHIND: TimeDelta = TimeDelta::milliseconds(100);

/// Lanes that must wait, each with the time before which there is no use in looking again, in microseconds.
pub(super) type Waits = HashMap<i64, i64>;

/// Keeps the lanes that need not wait and gives the others back, behind those that are due: what must wait is not to keep
/// others from being leased.
async fn keep(
    c: &mut SqliteConnection,
    rows: &mut Vec<SqliteRow>,
    waits: &Waits,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if waits.is_empty() {
        return Ok(());
    }
    rows.retain(|row| !waits.contains_key(&row.get::<i64, _>("id")));
    let behind = convert::micros(now + BEHIND);
    let waits: Vec<(i64, i64)> = waits.iter().map(|(lane, at)| (*lane, behind.max(*at))).collect();
    sqlx::query(
        "UPDATE lanes SET owner = NULL, lease_until = NULL, not_before = max(not_before, given.value ->> 1)
         FROM json_each(?1) AS given WHERE lanes.id = given.value ->> 0",
    )
    .bind(serde_json::to_string(&waits)?)
    .execute(c)
    .await?;
    Ok(())
}

/// The lanes whose record a sync pairs with one that is being worked on; of two in one lease, the later.
async fn contended(c: &mut SqliteConnection, ids: &[i64], now: DateTime<Utc>) -> Result<Waits, StoreError> {
    let pairs = sqlx::query(
        "WITH held AS NOT MATERIALIZED (SELECT * FROM lanes WHERE owner IS NOT NULL AND lease_until > ?2),
              mine AS (SELECT value AS id FROM json_each(?1))
         SELECT mine.id AS mine, other.id AS other FROM mine JOIN lanes USING (id)
         JOIN links ON links.pair = lanes.pair AND links.side = lanes.side AND links.object = lanes.object
             AND links.record = lanes.record AND links.sync
         JOIN held AS other ON other.pair = links.pair AND other.side = links.target_side
             AND other.object = links.target_object AND other.record = links.target
         UNION
         SELECT mine.id, other.id FROM mine JOIN lanes USING (id)
         JOIN links ON links.pair = lanes.pair AND links.target_side = lanes.side
             AND links.target_object = lanes.object AND links.target = lanes.record AND links.sync
         JOIN held AS other ON other.pair = links.pair AND other.side = links.side
             AND other.object = links.object AND other.record = links.record",
    )
    .bind(serde_json::to_string(ids)?)
    .bind(convert::micros(now))
    .fetch_all(c)
    .await?;
    let places: HashMap<i64, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let mut pairs = pairs
        .iter()
        .map(|row| Ok((row.try_get("mine")?, row.try_get("other")?)))
        .collect::<Result<Vec<(i64, i64)>, StoreError>>()?;
    pairs.sort_by_key(|(mine, _)| places.get(mine));
    let mut waits = Waits::new();
    for (mine, other) in pairs {
        let goes_first = match places.get(&other) {
            Some(place) => Some(place) < places.get(&mine) && !waits.contains_key(&other),
            None => true,
        };
        if goes_first {
            waits.insert(mine, 0);
        }
    }
    Ok(waits)
}

/// Stamps the lanes' pending events and requests with their fences, and reads them: as many statements for a thousand lanes
/// as for one.
async fn leased(c: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Vec<LeasedLane>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut lanes = rows.iter().map(lane).collect::<Result<Vec<_>, _>>()?;
    let fences: Vec<(i64, i64)> = lanes.iter().map(|lane| (lane.lane.id.0, lane.lane.fence)).collect();
    let fences = serde_json::to_string(&fences)?;
    let places: HashMap<i64, usize> =
        lanes.iter().enumerate().map(|(place, lane)| (lane.lane.id.0, place)).collect();
    // INVARIANT: every statement below answers about these lanes alone.
    let place = |row: &SqliteRow| places.get(&row.get::<i64, _>("lane")).copied();
    for row in stamped_events(c, &fences).await? {
        let Some(place) = place(&row) else { continue };
        lanes[place].events.push(event(&row)?);
    }
    for row in stamped_requests(c, &fences).await? {
        let Some(place) = place(&row) else { continue };
        match row.try_get("cause")? {
            "" => lanes[place].requested.push(row.try_get("mapping")?),
            cause => lanes[place].caused.push((row.try_get("mapping")?, serde_json::from_str(cause)?)),
        }
    }
    for row in waiting(c, &fences).await? {
        let Some(place) = place(&row) else { continue };
        let fields = serde_json::from_str(row.try_get("fields")?)?;
        lanes[place].waiting.push(Waiting { mapping: row.try_get("mapping")?, fields });
    }
    let is_own = |lane: &&LeasedLane| lane.events.iter().any(|event| event.own.is_some());
    let own: Vec<i64> = lanes.iter().filter(is_own).map(|lane| lane.lane.id.0).collect();
    if !own.is_empty() {
        for (lane, met) in links::met_by_lane(c, &own).await? {
            let Some(place) = places.get(&lane) else { continue };
            lanes[*place].met.push(met);
        }
    }
    for (lane, open) in intents::of_lanes(c, &ids(rows)).await? {
        let Some(place) = places.get(&lane) else { continue };
        lanes[*place].intents.push(open);
    }
    Ok(lanes)
}

/// A lane without its work.
fn lane(row: &SqliteRow) -> Result<LeasedLane, StoreError> {
    Ok(LeasedLane {
        lane: Lane { id: LaneId(row.try_get("id")?), key: convert::key(row)?, fence: row.try_get("fence")? },
        correlation: convert::correlation_of(row)?,
        attempts: row.try_get("attempts")?,
        last_error: row.try_get("last_error")?,
        events: Vec::new(),
        requested: Vec::new(),
        caused: Vec::new(),
        waiting: Vec::new(),
        met: Vec::new(),
        intents: Vec::new(),
    })
}

/// The pending events of lanes, by the CRM's clock, then by arrival.
async fn stamped_events(c: &mut SqliteConnection, fences: &str) -> Result<Vec<SqliteRow>, StoreError> {
    let mut rows = sqlx::query(
        "UPDATE events SET fence = given.value ->> 1 FROM json_each(?1) AS given
         WHERE events.lane = given.value ->> 0 AND events.state = 'pending'
         RETURNING id, lane, occurred_at, change, own",
    )
    .bind(fences)
    .fetch_all(c)
    .await?;
    rows.sort_by_key(|row| (row.get::<i64, _>("occurred_at"), row.get::<i64, _>("id")));
    Ok(rows)
}

async fn stamped_requests(c: &mut SqliteConnection, fences: &str) -> Result<Vec<SqliteRow>, StoreError> {
    let mut rows = sqlx::query(
        "UPDATE requests SET fence = given.value ->> 1 FROM json_each(?1) AS given
         WHERE requests.lane = given.value ->> 0
         RETURNING lane, mapping, cause",
    )
    .bind(fences)
    .fetch_all(c)
    .await?;
    rows.sort_by_cached_key(|row| (row.get::<String, _>("mapping"), row.get::<String, _>("cause")));
    Ok(rows)
}

/// What waits for fields of the lanes' records.
async fn waiting(c: &mut SqliteConnection, fences: &str) -> Result<Vec<SqliteRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT lanes.id AS lane, waiting.mapping, waiting.fields
         FROM json_each(?1) AS given CROSS JOIN lanes ON lanes.id = given.value ->> 0
         CROSS JOIN waiting USING (pair, side, object, record)
         ORDER BY waiting.mapping",
    )
    .bind(fences)
    .fetch_all(c)
    .await?;
    Ok(rows)
}

fn event(row: &SqliteRow) -> Result<LeasedEvent, StoreError> {
    let change: ChangeEvent = serde_json::from_str(row.try_get("change")?)?;
    let own: Option<&str> = row.try_get("own")?;
    let own = own.map(serde_json::from_str).transpose()?;
    Ok(LeasedEvent { id: EventId(row.try_get("id")?), change, own })
}

pub(super) async fn renew(
    c: &mut SqliteConnection,
    lanes: &[Lane],
    until: DateTime<Utc>,
) -> Result<Vec<bool>, StoreError> {
    let mut held = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let done = sqlx::query(
            "UPDATE lanes SET lease_until = ?1 WHERE id = ?2 AND fence = ?3 AND owner IS NOT NULL",
        )
        .bind(convert::micros(until))
        .bind(lane.id.0)
        .bind(lane.fence)
        .execute(&mut *c)
        .await?;
        held.push(done.rows_affected() == 1);
    }
    Ok(held)
}

/// Makes lanes due that were put off; what was leased since is somebody else's.
pub(super) async fn hasten(
    c: &mut SqliteConnection,
    lanes: &[Lane],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let lanes: Vec<_> = lanes.iter().map(|lane| (lane.id.0, lane.fence)).collect();
    sqlx::query(
        "UPDATE lanes SET not_before = min(not_before, ?2) WHERE owner IS NULL
             AND (id, fence) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    )
    .bind(serde_json::to_string(&lanes)?)
    .bind(convert::micros(now))
    .execute(c)
    .await?;
    Ok(())
}

pub(super) async fn release(
    c: &mut SqliteConnection,
    worker: &str,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    // The fence moves on too, so that a settlement of the old lease, still on its way, is stale.
    let done = sqlx::query(
        "UPDATE lanes SET owner = NULL, lease_until = NULL, fence = fence + 1, attempts = attempts + 1,
                          not_before = max(not_before, ?2)
         WHERE owner = ?1",
    )
    .bind(worker)
    .bind(convert::micros(now))
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}

/// What is still to be done, for all pairs or for one.
pub(super) async fn pending(c: &mut SqliteConnection, pair: Option<String>) -> Result<Pending, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM lanes WHERE ?1 IS NULL OR pair = ?1) AS lanes,
                (SELECT count(*) FROM events WHERE state = 'pending' AND (?1 IS NULL OR pair = ?1)) AS events,
                (SELECT min(received_at) FROM events WHERE state = 'pending' AND (?1 IS NULL OR pair = ?1)) AS oldest,
                (SELECT count(*) FROM parked WHERE state = 'open' AND (?1 IS NULL OR pair = ?1)) AS parked",
    )
    .bind(pair)
    .fetch_one(c)
    .await?;
    let count = |column: &str| row.try_get::<i64, _>(column).map(|n| u64::try_from(n).unwrap_or_default());
    Ok(Pending {
        lanes: count("lanes")?,
        events: count("events")?,
        oldest: row.try_get::<Option<i64>, _>("oldest")?.map(convert::time).transpose()?,
        parked: count("parked")?,
    })
}
