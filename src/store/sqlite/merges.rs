//! Which lanes wait because a record was merged into another.
//!
//! The record that was merged away hands over what it is paired with, and the survivor must not look for a counterpart
//! before; so the two are never worked on side by side, whoever leases them. Of a merge that is pending
//!
//! - the survivor's lane waits until the lane of the other record is dealt with, whether that one is leased, due or to be
//!   tried later;
//! - the other record's lane waits only while the survivor's is leased.
//!
//! Where merges are pending in a chain, they are settled in the order in which they happened, by the CRM's clock. A lane
//! that waits for one that is not leased always waits for an earlier merge, so lanes never wait for one another in a
//! circle. A merge that its own lane's events undo (the record is back) holds up nobody.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::super::StoreError;
use super::convert;
use super::journal::Waits;

/// The pending merges in which lanes that were just leased have a part, on either side. The joins are crossed so that
/// SQLite begins with the lanes, however many merges are pending.
const MERGES: &str = "
    WITH mine AS (
        SELECT lanes.id, pair, side, object, record FROM json_each(?1) CROSS JOIN lanes ON lanes.id = value),
    merges AS (
        SELECT merge.id, merge.lane AS gone, mine.id AS heir
        FROM mine CROSS JOIN events AS merge ON merge.pair = mine.pair AND merge.side = mine.side
            AND merge.object = mine.object AND merge.merged_into = mine.record
        WHERE merge.state = 'pending' AND merge.merged_into IS NOT NULL
        UNION
        SELECT merge.id, mine.id, heir.id
        FROM mine CROSS JOIN events AS merge ON merge.lane = mine.id
        LEFT JOIN lanes AS heir ON heir.pair = mine.pair AND heir.side = mine.side AND heir.object = mine.object
            AND heir.record = merge.merged_into
        WHERE merge.state = 'pending' AND merge.merged_into IS NOT NULL)
    SELECT merges.gone, merges.heir, gone.not_before,
        gone.lease_until AS gone_until, heir.lease_until AS heir_until,
        (SELECT max(other.occurred_at) FROM events AS other
         WHERE other.lane = merges.gone AND other.state = 'pending' AND other.merged_into IS NOT NULL) AS at
    FROM merges CROSS JOIN events AS merge ON merge.id = merges.id CROSS JOIN lanes AS gone ON gone.id = merges.gone
    LEFT JOIN lanes AS heir ON heir.id = merges.heir
    WHERE NOT EXISTS (
        SELECT 1 FROM events AS back
        WHERE back.lane = merges.gone AND back.state = 'pending'
            AND back.occurred_at >= merge.occurred_at
            AND (back.occurred_at > merge.occurred_at OR back.id > merge.id)
            AND back.change ->> '$.kind' IN ('Created', 'Restored'))";

/// One pending merge.
struct Merge {
    /// The lane of the record that was merged away.
    gone: i64,
    /// The survivor's, where there is one.
    heir: Option<i64>,
    /// When that record was merged, for the last time.
    at: i64,
    /// Before when the first lane is not leased.
    not_before: i64,
    /// Until when each of them is leased, where it is.
    gone_until: Option<i64>,
    heir_until: Option<i64>,
}

impl Merge {
    fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            gone: row.try_get("gone")?,
            heir: row.try_get("heir")?,
            at: row.try_get("at")?,
            not_before: row.try_get("not_before")?,
            gone_until: row.try_get("gone_until")?,
            heir_until: row.try_get("heir_until")?,
        })
    }
}

/// The lanes of those just leased that must wait for the merge of a record. A lease of another lane that they go before and
/// that has run out is ended, so that whoever had it settles nothing any more.
pub(super) async fn waiting(
    c: &mut SqliteConnection,
    ids: &[i64],
    now: DateTime<Utc>,
) -> Result<Waits, StoreError> {
    let rows = sqlx::query(MERGES).bind(serde_json::to_string(ids)?).fetch_all(&mut *c).await?;
    if rows.is_empty() {
        return Ok(Waits::new());
    }
    let merges = rows.iter().map(Merge::read).collect::<Result<Vec<_>, _>>()?;
    let mine: HashSet<i64> = ids.iter().copied().collect();
    let (waits, lost) = judge(&merges, &mine, convert::micros(now));
    if !lost.is_empty() {
        sqlx::query(
            "UPDATE lanes SET owner = NULL, lease_until = NULL, fence = fence + 1, attempts = attempts + 1
             WHERE id IN (SELECT value FROM json_each(?1))",
        )
        .bind(serde_json::to_string(&lost)?)
        .execute(c)
        .await?;
    }
    Ok(waits)
}

/// Which lanes wait, and which leases of others have run out and must end.
fn judge(merges: &[Merge], mine: &HashSet<i64>, now: i64) -> (Waits, Vec<i64>) {
    // When each record was merged away; one that was not comes last.
    let order: HashMap<i64, (i64, i64)> =
        merges.iter().map(|merge| (merge.gone, (merge.at, merge.gone))).collect();
    let earlier = |gone: i64, heir: i64| order.get(&heir).is_none_or(|heir| order.get(&gone) < Some(heir));
    let held = |until: Option<i64>| until.is_some_and(|until| until > now);
    let mut waits = Waits::new();
    for merge in merges {
        let (gone, Some(heir)) = (merge.gone, merge.heir) else { continue };
        let wait = match (mine.contains(&gone), mine.contains(&heir)) {
            _ if gone == heir => None,
            (true, true) => Some(if earlier(gone, heir) { (heir, 0) } else { (gone, 0) }),
            (true, false) => held(merge.heir_until).then_some((gone, 0)),
            (false, _) if held(merge.gone_until) => Some((heir, 0)),
            (false, _) => earlier(gone, heir).then_some((heir, merge.not_before)),
        };
        if let Some((lane, until)) = wait {
            let known = waits.entry(lane).or_insert(until);
            *known = until.max(*known);
        }
    }
    let lost = merges.iter().flat_map(|merge| {
        let of = |lane: Option<i64>, other: Option<i64>, until: Option<i64>| {
            let lane = lane.filter(|lane| !mine.contains(lane) && until.is_some() && !held(until));
            lane.filter(|_| other.is_some_and(|other| mine.contains(&other) && !waits.contains_key(&other)))
        };
        [
            of(Some(merge.gone), merge.heir, merge.gone_until),
            of(merge.heir, Some(merge.gone), merge.heir_until),
        ]
    });
    let lost = lost.flatten().collect();
    (waits, lost)
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;
    use crate::store::sqlite::MIGRATIONS;

    /// However many events and lanes there are, a lease looks at its own and at their merges.
    #[tokio::test]
    async fn merges_are_found_by_an_index() {
        let mut c = SqliteConnection::connect("sqlite::memory:").await.expect("a database");
        for script in MIGRATIONS {
            sqlx::raw_sql(script).execute(&mut c).await.expect("the schema");
        }
        let explained = format!("EXPLAIN QUERY PLAN {MERGES}");
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(explained)).bind("[1]").fetch_all(&mut c).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        for index in ["events_merging", "events_merged", "events_of_lane"] {
            assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:#?}");
        }
        // What is scanned is what was asked for and what was found.
        let scanned: Vec<_> = plan.iter().filter_map(|step| step.strip_prefix("SCAN ")).collect();
        let small = ["json_each", "mine", "merges"];
        assert!(scanned.iter().all(|scan| small.iter().any(|name| scan.starts_with(name))), "{plan:#?}");
    }

    fn merge(gone: i64, heir: i64, at: i64) -> Merge {
        Merge { gone, heir: Some(heir), at, not_before: 50, gone_until: None, heir_until: None }
    }

    fn waits(merges: &[Merge], mine: &[i64]) -> Vec<(i64, i64)> {
        let mut waits: Vec<_> = judge(merges, &mine.iter().copied().collect(), 100).0.into_iter().collect();
        waits.sort_unstable();
        waits
    }

    #[test]
    fn of_two_the_survivor_waits_while_the_other_has_work() {
        assert_eq!(waits(&[merge(1, 2, 5)], &[1, 2]), [(2, 0)]);
        assert_eq!(waits(&[merge(1, 2, 5)], &[2]), [(2, 50)], "as long as the other is left alone");
        assert_eq!(waits(&[merge(1, 2, 5)], &[1]), []);
        let held = |gone, heir| Merge { gone_until: gone, heir_until: heir, ..merge(1, 2, 5) };
        assert_eq!(waits(&[held(Some(101), None)], &[2]), [(2, 0)]);
        assert_eq!(waits(&[held(None, Some(101))], &[1]), [(1, 0)]);
        assert_eq!(waits(&[held(None, Some(99))], &[1]), [], "a lease that has run out");
        let lost = |merge: Merge, mine: i64| judge(&[merge], &HashSet::from([mine]), 100).1;
        assert_eq!(lost(held(None, Some(99)), 1), [2]);
        assert!(lost(held(Some(99), None), 2).is_empty(), "nothing goes before it");
        assert_eq!(waits(&[merge(1, 1, 5)], &[1]), []);
    }

    #[test]
    fn chains_go_in_order_and_circles_end() {
        let chain = [merge(1, 2, 5), merge(2, 3, 6)];
        assert_eq!(waits(&chain, &[1, 2, 3]), [(2, 0), (3, 0)]);
        // Each of two is said to be merged into the other: the earlier goes first, wherever they are.
        let circle = [merge(1, 2, 6), merge(2, 1, 5)];
        assert_eq!(waits(&circle, &[1, 2]), [(1, 0)]);
        assert_eq!(waits(&circle, &[2]), []);
        assert_eq!(waits(&circle, &[1]), [(1, 50)]);
        let same = [merge(1, 2, 5), merge(2, 1, 5)];
        assert_eq!(waits(&same, &[1, 2]), [(2, 0)]);
    }
}
