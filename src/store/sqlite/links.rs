//! What is remembered about pairs of records.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::source::{ObjectName, Side};
use crate::types::{Cause, LinkChange, LinkFate, LinkRequest, LinkedPair, Value};

use super::super::{Link, Met, RecordKey, StoreError};
use super::{awaited, convert, journal, turned};

pub(super) async fn of_source(c: &mut SqliteConnection, key: &RecordKey) -> Result<Vec<Link>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM links WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4 ORDER BY mapping",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .fetch_all(c)
    .await?;
    rows.iter().map(link).collect()
}

/// The links of a record, whichever side of them it stands on.
pub(super) async fn of_either(c: &mut SqliteConnection, key: &RecordKey) -> Result<Vec<Link>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM links
         WHERE pair = ?1 AND ((side = ?2 AND object = ?3 AND record = ?4)
                           OR (target_side = ?2 AND target_object = ?3 AND target = ?4)) ORDER BY mapping",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .fetch_all(c)
    .await?;
    rows.iter().map(link).collect()
}

fn link(row: &SqliteRow) -> Result<Link, StoreError> {
    Ok(Link {
        mapping: row.try_get("mapping")?,
        source: convert::key(row)?,
        target: convert::target(row)?,
        tombstone: row.try_get("tombstone")?,
        source_gone: row.try_get("source_gone")?,
        merged_into: row.try_get("merged_into")?,
        former: row.try_get("former")?,
        inherited: row.try_get("inherited")?,
        synced: serde_json::from_str(row.try_get("synced")?)?,
        updated_at: convert::time(row.try_get("updated_at")?)?,
    })
}

/// The counterparts of records, the living ones first, then the latest. A counterpart that several mappings name is
/// answered once.
pub(super) async fn counterparts(
    c: &mut SqliteConnection,
    pair: &str,
    request: &LinkRequest,
) -> Result<Vec<LinkedPair>, StoreError> {
    let rows = sqlx::query(
        "SELECT record AS id, target AS counterpart, tombstone AS gone, merged_into, NULL AS became, inherited, synced,
             updated_at
         FROM links WHERE pair = ?1 AND (?2 IS NULL OR mapping = ?2) AND side = ?3 AND object = ?4
             AND target_side = ?5 AND target_object = ?6 AND record IN (SELECT value FROM json_each(?7))
         UNION ALL
         SELECT record, former, 1, NULL, target, inherited, synced, updated_at
         FROM links WHERE pair = ?1 AND (?2 IS NULL OR mapping = ?2) AND side = ?3 AND object = ?4
             AND target_side = ?5 AND former_object = ?6 AND record IN (SELECT value FROM json_each(?7))
         UNION ALL
         SELECT target, record, source_gone, NULL, NULL, inherited, synced, updated_at
         FROM links WHERE pair = ?1 AND (?2 IS NULL OR mapping = ?2) AND target_side = ?3 AND target_object = ?4
             AND side = ?5 AND object = ?6 AND target IN (SELECT value FROM json_each(?7))
         ORDER BY gone, updated_at DESC, id, counterpart",
    )
    .bind(pair)
    .bind(&request.by)
    .bind(request.of.side.word())
    .bind(&request.of.name)
    .bind(request.to.side.word())
    .bind(&request.to.name)
    .bind(serde_json::to_string(&request.ids)?)
    .fetch_all(c)
    .await?;
    let mut pairs: Vec<LinkedPair> = Vec::with_capacity(rows.len());
    for row in &rows {
        let found = LinkedPair {
            id: row.try_get("id")?,
            to: row.try_get("counterpart")?,
            gone: row.try_get("gone")?,
            merged_into: row.try_get("merged_into")?,
            became: row.try_get("became")?,
            inherited: row.try_get("inherited")?,
            synced: serde_json::from_str(row.try_get("synced")?)?,
        };
        if !pairs.iter().any(|known| known.id == found.id && known.to == found.to) {
            pairs.push(found);
        }
    }
    Ok(pairs)
}

/// What a sync's run leaves with its pair.
#[derive(Default)]
pub(super) struct Left<'l> {
    /// The values that both sides hold.
    pub(super) synced: BTreeMap<String, Value>,
    /// Digests of each side's fields; `None` where a mapping has left it, and no sync.
    pub(super) met: Option<&'l BTreeMap<Side, BTreeMap<String, String>>>,
}

impl Left<'_> {
    fn met(&self, side: Side) -> Result<Option<String>, StoreError> {
        Ok(self.met.and_then(|met| met.get(&side)).map(serde_json::to_string).transpose()?)
    }
}

/// How the syncs' last runs left records of an object, by record.
pub(super) async fn met(
    c: &mut SqliteConnection,
    pair: &str,
    object: &ObjectName,
    records: &[String],
) -> Result<HashMap<String, Vec<Met>>, StoreError> {
    let rows = sqlx::query(
        "SELECT record, mapping, met FROM links
         WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record IN (SELECT value FROM json_each(?4))
             AND met IS NOT NULL
         UNION ALL
         SELECT target, mapping, target_met FROM links
         WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3
             AND target IN (SELECT value FROM json_each(?4)) AND target_met IS NOT NULL",
    )
    .bind(pair)
    .bind(object.side.word())
    .bind(&object.name)
    .bind(serde_json::to_string(records)?)
    .fetch_all(c)
    .await?;
    let mut met: HashMap<String, Vec<Met>> = HashMap::new();
    for row in &rows {
        let fields = serde_json::from_str(row.try_get("met")?)?;
        let known = Met { mapping: row.try_get("mapping")?, fields };
        met.entry(row.try_get("record")?).or_default().push(known);
    }
    Ok(met)
}

/// The same for the records of lanes, by lane.
pub(super) async fn met_by_lane(
    c: &mut SqliteConnection,
    lanes: &[i64],
) -> Result<Vec<(i64, Met)>, StoreError> {
    let rows = sqlx::query(
        "WITH mine AS (
             SELECT lanes.id, pair, side, object, record FROM json_each(?1) CROSS JOIN lanes ON lanes.id = value)
         SELECT mine.id AS lane, mapping, met FROM mine
         CROSS JOIN links USING (pair, side, object, record) WHERE met IS NOT NULL
         UNION ALL
         SELECT mine.id, mapping, target_met FROM mine
         CROSS JOIN links ON links.pair = mine.pair AND target_side = mine.side AND target_object = mine.object
             AND target = mine.record
         WHERE target_met IS NOT NULL",
    )
    .bind(serde_json::to_string(lanes)?)
    .fetch_all(c)
    .await?;
    let met = |row: &SqliteRow| {
        let fields = serde_json::from_str(row.try_get("met")?)?;
        Ok((row.try_get("lane")?, Met { mapping: row.try_get("mapping")?, fields }))
    };
    rows.iter().map(met).collect()
}

/// A run of a sync has ended otherwise than by settling its pair: what its last one knew does not count any more.
pub(super) async fn doubt(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE links SET met = NULL, target_met = NULL
         WHERE (met IS NOT NULL OR target_met IS NOT NULL) AND mapping = ?5 AND (
             (pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4)
             OR (pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4))",
    )
    .bind(&key.pair)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(mapping)
    .execute(c)
    .await?;
    Ok(())
}

/// Remembers what a run has settled. Everything that was known of an earlier counterpart is void.
pub(super) async fn remember(
    c: &mut SqliteConnection,
    source: &RecordKey,
    mapping: &str,
    target: (&ObjectName, &str),
    left: &Left<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO links (pair, mapping, side, object, record, target_side, target_object, target, updated_at, synced,
                            met, target_met, sync)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (pair, mapping, side, object, record) DO UPDATE SET
             target_side = excluded.target_side, target_object = excluded.target_object, target = excluded.target,
             updated_at = excluded.updated_at, synced = excluded.synced,
             met = excluded.met, target_met = excluded.target_met, sync = excluded.sync,
             tombstone = 0, source_gone = 0, merged_into = NULL, inherited = 0, former_object = NULL, former = NULL",
    )
    .bind(&source.pair)
    .bind(mapping)
    .bind(source.object.side.word())
    .bind(&source.object.name)
    .bind(&source.record)
    .bind(target.0.side.word())
    .bind(&target.0.name)
    .bind(target.1)
    .bind(convert::micros(now))
    .bind(serde_json::to_string(&left.synced)?)
    .bind(left.met(source.object.side)?)
    .bind(left.met(target.0.side)?)
    .bind(left.met.is_some())
    .execute(&mut *c)
    .await?;
    awaited::wake(c, source, &RecordKey::new(&source.pair, target.0.clone(), target.1), now).await
}

/// A sync pairs one record with one: what it said before of another record with the same counterpart is void.
pub(super) async fn remember_sync(
    c: &mut SqliteConnection,
    hubspot: &RecordKey,
    sync: &str,
    salesforce: (&ObjectName, &str),
    left: &Left<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM links WHERE pair = ?1 AND mapping = ?2 AND target_side = ?3 AND target_object = ?4 AND target = ?5
             AND NOT (side = ?6 AND object = ?7 AND record = ?8)",
    )
    .bind(&hubspot.pair)
    .bind(sync)
    .bind(salesforce.0.side.word())
    .bind(&salesforce.0.name)
    .bind(salesforce.1)
    .bind(hubspot.object.side.word())
    .bind(&hubspot.object.name)
    .bind(&hubspot.record)
    .execute(&mut *c)
    .await?;
    remember(c, hubspot, sync, salesforce, left, now).await
}

/// Marks a record as gone in its links, on either side of them, or removes the mark.
pub(super) async fn set_tombstone(
    c: &mut SqliteConnection,
    record: &RecordKey,
    gone: bool,
    merged_into: Option<&str>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut marked = 0;
    for statement in [
        "UPDATE links SET tombstone = ?5, merged_into = ?6, updated_at = ?7, met = NULL, target_met = NULL
         WHERE pair = ?1 AND target_side = ?2 AND target_object = ?3 AND target = ?4",
        "UPDATE links SET source_gone = ?5, updated_at = ?7, met = NULL, target_met = NULL
         WHERE pair = ?1 AND side = ?2 AND object = ?3 AND record = ?4",
    ] {
        let done = sqlx::query(statement)
            .bind(&record.pair)
            .bind(record.object.side.word())
            .bind(&record.object.name)
            .bind(&record.record)
            .bind(gone)
            .bind(merged_into)
            .bind(convert::micros(now))
            .execute(&mut *c)
            .await?;
        marked += done.rows_affected();
    }
    Ok(marked)
}

/// Whether a record would inherit a second living counterpart for the same mapping, which only a run can decide about.
pub(super) async fn inherits_twice(
    c: &mut SqliteConnection,
    key: &RecordKey,
    change: &LinkChange,
) -> Result<bool, StoreError> {
    let LinkFate::Inherited { by, over } = &change.fate else { return Ok(false) };
    let found = sqlx::query(
        "SELECT 1 FROM links AS own JOIN links AS other USING (pair, mapping, side, object)
         WHERE pair = ?1 AND mapping = ?2 AND side = ?3 AND object = ?4 AND own.record = ?5 AND other.record = ?6
             AND other.tombstone = 0 AND other.target <> own.target AND other.target IS NOT ?7",
    )
    .bind(&key.pair)
    .bind(&change.by)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(by)
    .bind(over)
    .fetch_optional(c)
    .await?;
    Ok(found.is_some())
}

/// Changes what is remembered about a pair of a lane's record.
pub(super) async fn change(
    c: &mut SqliteConnection,
    key: &RecordKey,
    change: &LinkChange,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if turned::change(c, key, change, now).await? {
        return Ok(());
    }
    match &change.fate {
        LinkFate::Forgotten => {
            forget(c, key, &change.by).await?;
        }
        LinkFate::TargetGone => {
            update(c, key, &change.by, &Update { gone: Some(true), ..Update::default() }, now).await?;
        }
        LinkFate::PointsAt { target } => {
            let update_to = Update { target: Some(target), gone: Some(false), ..Update::default() };
            update(c, key, &change.by, &update_to, now).await?;
        }
        LinkFate::Became { from, object, id } => became(c, key, &change.by, from, (object, id), now).await?,
        LinkFate::Inherited { by, .. } => {
            let heir = RecordKey { record: by.clone(), ..key.clone() };
            if of_source(c, key).await?.iter().any(|link| link.mapping == change.by) {
                forget(c, &heir, &change.by).await?;
                update(c, key, &change.by, &Update { heir: Some(by), ..Update::default() }, now).await?;
            }
            journal::request(c, &heir, &change.by, now).await?;
        }
    }
    Ok(())
}

/// The target record of a pair became one of another object; the pair points at that from now on and knows where it came
/// from. One that points elsewhere by now stays as it is.
async fn became(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    from: &str,
    into: (&ObjectName, &str),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "UPDATE links SET former_object = target_object, former = target, target_object = ?7, target = ?8,
             tombstone = 0, merged_into = NULL, updated_at = ?9, met = NULL, target_met = NULL
         WHERE pair = ?1 AND mapping = ?2 AND side = ?3 AND object = ?4 AND record = ?5 AND target = ?6
             AND target_side = ?10",
    )
    .bind(&key.pair)
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(from)
    .bind(&into.0.name)
    .bind(into.1)
    .bind(convert::micros(now))
    .bind(into.0.side.word())
    .execute(&mut *c)
    .await?;
    if moved.rows_affected() > 0 {
        awaited::wake(c, key, &RecordKey::new(&key.pair, into.0.clone(), into.1), now).await?;
    }
    Ok(())
}

async fn forget(c: &mut SqliteConnection, key: &RecordKey, mapping: &str) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM links WHERE pair = ?1 AND mapping = ?2 AND side = ?3 AND object = ?4 AND record = ?5",
    )
    .bind(&key.pair)
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .execute(c)
    .await?;
    Ok(())
}

/// What is new about a link.
#[derive(Default)]
struct Update<'u> {
    /// The source record that has it now.
    heir: Option<&'u str>,
    /// The target record that it points at now.
    target: Option<&'u str>,
    /// Whether the target record is gone.
    gone: Option<bool>,
}

async fn update(
    c: &mut SqliteConnection,
    key: &RecordKey,
    mapping: &str,
    update: &Update<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE links SET updated_at = ?6, record = coalesce(?7, record), inherited = inherited OR ?7 IS NOT NULL,
             source_gone = 0, target = coalesce(?8, target), tombstone = coalesce(?9, tombstone),
             merged_into = iif(?9 = 0, NULL, merged_into), met = NULL, target_met = NULL
         WHERE pair = ?1 AND mapping = ?2 AND side = ?3 AND object = ?4 AND record = ?5",
    )
    .bind(&key.pair)
    .bind(mapping)
    .bind(key.object.side.word())
    .bind(&key.object.name)
    .bind(&key.record)
    .bind(convert::micros(now))
    .bind(update.heir)
    .bind(update.target)
    .bind(update.gone)
    .execute(c)
    .await?;
    Ok(())
}

/// Asks for a mapping for every record whose pair points at this one.
pub(super) async fn relay(
    c: &mut SqliteConnection,
    target: &RecordKey,
    mapping: &str,
    cause: &Cause,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM links
         WHERE pair = ?1 AND mapping = ?2 AND target_side = ?3 AND target_object = ?4 AND target = ?5
         ORDER BY record",
    )
    .bind(&target.pair)
    .bind(mapping)
    .bind(target.object.side.word())
    .bind(&target.object.name)
    .bind(&target.record)
    .fetch_all(&mut *c)
    .await?;
    for row in &rows {
        journal::request_because(c, &convert::key(row)?, mapping, Some(cause), now).await?;
    }
    Ok(())
}
