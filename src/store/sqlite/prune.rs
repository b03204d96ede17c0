//! What is old goes.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use super::super::StoreError;
use super::convert;

/// An entry of the history goes only when a newer one tells where the field's value came from. Events go by the time at
/// which they were settled, which is that of the entries to which they led.
const HISTORY: &str = "SELECT old.id FROM history AS old WHERE old.at < ?1 AND EXISTS (
         SELECT 1 FROM history AS newer
         WHERE newer.pair = old.pair AND newer.target_side = old.target_side
             AND newer.target_object = old.target_object AND newer.target = old.target
             AND newer.field = old.field AND newer.id > old.id)
     ORDER BY old.at LIMIT ?2";

/// A run stays while it tells why a present value is there.
const RUNS: &str = "SELECT id FROM runs WHERE at < ?1 AND NOT EXISTS (
         SELECT 1 FROM history WHERE history.run = runs.id AND history.id NOT IN (SELECT value FROM json_each(?3)))
     ORDER BY at LIMIT ?2";

/// What is found by its age alone, so that no more rows are looked at than go. A row that belongs to another record stays
/// for as long as it lives: nothing else tells, once it is moved or purged, whose it was.
const STATEMENTS: [&str; 11] = [
    "DELETE FROM kept WHERE rowid IN (SELECT rowid FROM kept WHERE at < ?1 ORDER BY at LIMIT ?2)",
    // Nobody came back to say whether these were carried out.
    "DELETE FROM intents WHERE id IN (SELECT id FROM intents WHERE at < ?1 ORDER BY at LIMIT ?2)",
    "DELETE FROM parked WHERE id IN (
         SELECT id FROM parked WHERE closed_at < ?1 AND state <> 'open' ORDER BY closed_at LIMIT ?2)",
    "DELETE FROM events WHERE id IN (
         SELECT id FROM events WHERE settled_at < ?1 AND state = 'done' ORDER BY settled_at LIMIT ?2)",
    "DELETE FROM events WHERE id IN (
         SELECT id FROM events WHERE received_at < ?1 AND state = 'ignored' ORDER BY received_at LIMIT ?2)",
    "DELETE FROM seen WHERE (pair, side, object, record) IN (
         SELECT pair, side, object, record FROM seen
         WHERE at < ?1 AND (parents = '{}' OR ended IS NOT NULL) ORDER BY at LIMIT ?2)",
    // Nobody tells of these any more.
    "DELETE FROM erased WHERE (pair, side, object, record) IN (
         SELECT pair, side, object, record FROM erased WHERE at < ?1 ORDER BY at LIMIT ?2)",
    // Another configured token has taken its place since.
    "DELETE FROM accounts WHERE (pair, side, purpose, seed) IN (
         SELECT pair, side, purpose, seed FROM accounts AS old
         WHERE purpose = 'replacement' AND updated_at < ?1 AND EXISTS (
             SELECT 1 FROM accounts AS newer WHERE newer.pair = old.pair AND newer.side = old.side
                 AND newer.purpose = old.purpose AND newer.updated_at > old.updated_at)
         LIMIT ?2)",
    // A version of the project goes when it was replaced so long ago and nothing names it any more.
    "DELETE FROM projects WHERE id IN (
         SELECT id FROM projects AS old
         WHERE EXISTS (SELECT 1 FROM projects AS newer WHERE newer.id > old.id AND newer.since < ?1)
             AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.project = old.id)
             AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.project = old.id)
             AND NOT EXISTS (SELECT 1 FROM lanes WHERE lanes.project = old.id)
             AND NOT EXISTS (SELECT 1 FROM intents WHERE intents.project = old.id)
         ORDER BY id LIMIT ?2)",
    // Of loads that are finished.
    "DELETE FROM backfill_refused WHERE id IN (
         SELECT refused.id FROM backfill_refused AS refused JOIN backfills USING (pair, mapping, side)
         WHERE backfills.updated_at < ?1 AND backfills.progress ->> 'walked'
             AND json_array_length(backfills.progress, '$.pending') = 0
         ORDER BY refused.id LIMIT ?2)",
    "DELETE FROM project_texts WHERE digest IN (
         SELECT digest FROM project_texts WHERE digest NOT IN (SELECT digest FROM project_files) LIMIT ?2)",
];

/// Entries of the history and runs that may go, as lists of ids.
pub(super) struct Superseded {
    history: String,
    runs: String,
}

/// Finds them among all that are old, of which most stay: so that is done apart, and keeps no writer waiting.
pub(super) async fn superseded(
    c: &mut SqliteConnection,
    before: DateTime<Utc>,
    at_most: u32,
) -> Result<Superseded, StoreError> {
    let before = convert::micros(before);
    let history: Vec<i64> = sqlx::query_scalar(HISTORY).bind(before).bind(at_most).fetch_all(&mut *c).await?;
    let history = serde_json::to_string(&history)?;
    let runs: Vec<i64> =
        sqlx::query_scalar(RUNS).bind(before).bind(at_most).bind(&history).fetch_all(c).await?;
    Ok(Superseded { history, runs: serde_json::to_string(&runs)? })
}

/// Removes them, and at most so many rows of each other kind.
pub(super) async fn prune(
    c: &mut SqliteConnection,
    old: Superseded,
    before: DateTime<Utc>,
    at_most: u32,
) -> Result<u64, StoreError> {
    let mut removed = 0;
    for (statement, ids) in [
        ("DELETE FROM history WHERE id IN (SELECT value FROM json_each(?1))", old.history),
        (
            "DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?1))
                 AND NOT EXISTS (SELECT 1 FROM history WHERE history.run = runs.id)",
            old.runs,
        ),
    ] {
        removed += sqlx::query(statement).bind(ids).execute(&mut *c).await?.rows_affected();
    }
    for statement in STATEMENTS {
        let done =
            sqlx::query(statement).bind(convert::micros(before)).bind(at_most).execute(&mut *c).await?;
        removed += done.rows_affected();
    }
    Ok(removed)
}
