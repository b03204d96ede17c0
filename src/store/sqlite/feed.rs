//! How far changes were read, and how each record was when it was last read.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::source::ObjectName;

use super::super::{Advance, Appended, Seen, StoreError, Watermark};
use super::{convert, journal, links};

pub(super) async fn watermark(
    c: &mut SqliteConnection,
    pair: &str,
    object: &ObjectName,
) -> Result<Option<Watermark>, StoreError> {
    let row =
        sqlx::query("SELECT position, read_to FROM watermarks WHERE pair = ?1 AND side = ?2 AND object = ?3")
            .bind(pair)
            .bind(object.side.word())
            .bind(&object.name)
            .fetch_optional(c)
            .await?;
    row.map(|row| {
        Ok(Watermark { position: row.try_get("position")?, read_to: convert::time(row.try_get("read_to")?)? })
    })
    .transpose()
}

pub(super) async fn seen(
    c: &mut SqliteConnection,
    pair: &str,
    object: &ObjectName,
    records: &[String],
) -> Result<Vec<Seen>, StoreError> {
    let rows = sqlx::query(
        "SELECT seen.* FROM json_each(?4) AS given
         JOIN seen ON seen.pair = ?1 AND seen.side = ?2 AND seen.object = ?3 AND seen.record = given.value",
    )
    .bind(pair)
    .bind(object.side.word())
    .bind(&object.name)
    .bind(serde_json::to_string(records)?)
    .fetch_all(&mut *c)
    .await?;
    let mut seen = rows.iter().map(seen_row).collect::<Result<Vec<_>, _>>()?;
    let mut met = links::met(c, pair, object, records).await?;
    for seen in &mut seen {
        seen.met = met.remove(&seen.record).unwrap_or_default();
    }
    Ok(seen)
}

fn seen_row(row: &SqliteRow) -> Result<Seen, StoreError> {
    let ended: Option<&str> = row.try_get("ended")?;
    Ok(Seen {
        record: row.try_get("record")?,
        at: convert::time(row.try_get("at")?)?,
        fields: serde_json::from_str(row.try_get("fields")?)?,
        parents: serde_json::from_str(row.try_get("parents")?)?,
        ended: ended.map(serde_json::from_str).transpose()?,
        revision: row.try_get("revision")?,
        met: Vec::new(),
    })
}

/// Appends the events, remembers the records and moves the watermark, unless somebody else has moved it.
pub(super) async fn advance(
    c: &mut SqliteConnection,
    advance: &Advance,
    now: DateTime<Utc>,
) -> Result<Option<Vec<Appended>>, StoreError> {
    let known = watermark(c, &advance.pair, &advance.object).await?;
    if known.map(|known| known.position) != advance.from {
        return Ok(None);
    }
    let appended =
        if advance.events.is_empty() { Vec::new() } else { journal::append(c, &advance.events).await? };
    remember(c, advance).await?;
    sqlx::query(
        "INSERT INTO watermarks (pair, side, object, position, read_to, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (pair, side, object) DO UPDATE
         SET position = excluded.position, read_to = excluded.read_to, updated_at = excluded.updated_at",
    )
    .bind(&advance.pair)
    .bind(advance.object.side.word())
    .bind(&advance.object.name)
    .bind(&advance.to.position)
    .bind(convert::micros(advance.to.read_to))
    .bind(convert::micros(now))
    .execute(c)
    .await?;
    Ok(Some(appended))
}

/// One statement, however many records a page has: each costs a trip to SQLite's thread.
async fn remember(c: &mut SqliteConnection, advance: &Advance) -> Result<(), StoreError> {
    if advance.seen.is_empty() {
        return Ok(());
    }
    let row = |seen: &Seen| {
        Ok(serde_json::json!({
            "record": seen.record,
            "at": convert::micros(seen.at),
            "fields": serde_json::to_string(&seen.fields)?,
            "parents": serde_json::to_string(&seen.parents)?,
            "ended": seen.ended.as_ref().map(serde_json::to_string).transpose()?,
            "revision": seen.revision,
        }))
    };
    let rows = advance.seen.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
    sqlx::query(
        "INSERT INTO seen (pair, side, object, record, at, fields, parents, ended, revision)
         SELECT ?1, ?2, ?3, value ->> 'record', value ->> 'at', value ->> 'fields', value ->> 'parents',
                value ->> 'ended', value ->> 'revision'
         FROM json_each(?4) WHERE true
         ON CONFLICT (pair, side, object, record) DO UPDATE
         SET at = excluded.at, fields = excluded.fields, parents = excluded.parents, ended = excluded.ended,
             revision = excluded.revision",
    )
    .bind(&advance.pair)
    .bind(advance.object.side.word())
    .bind(&advance.object.name)
    .bind(serde_json::to_string(&rows)?)
    .execute(c)
    .await?;
    Ok(())
}
