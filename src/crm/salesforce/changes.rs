//! Changes by polling: what was committed since, in sweeps over (`SystemModstamp`, `Id`).
//!
//! **A sweep** reads every record committed from one instant to another, page by page, each page behind the last row of
//! the one before. The upper bound is Salesforce's own clock when the sweep began, so that a sweep ends however fast
//! records change; what is committed meanwhile belongs to the next one. Our clock is never asked.
//!
//! **The next sweep** begins an overlap before the upper bound of the one before. A row carries the time at which its
//! transaction touched it and can be seen only once that transaction commits, which is up to ten minutes later
//! (Salesforce's Apex governor limits: execution time of a transaction).
//!
//! **The ends of records** are rows in the recycle bin: `queryAll` gives them with `IsDeleted`, and those merged away
//! with `MasterRecordId`. Rows that were purged from the bin are asked for by `getDeleted`, which remembers 15 days, from
//! time to time only: the bin keeps what is deleted in the usual way for 15 days.
//!
//! **The first sweep** reads the overlap before the present, only to be remembered: whatever commits late is then told
//! from what was there.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::crm::changes::{Change, Changes, ChangesPage, ChangesRequest, Found, Position};
use crate::crm::http::{Call, date, join};
use crate::source::Side;
use crate::types::{ChangeKind, CrmError, CrmErrorKind, Filter, FilterOp, Value};

use super::history::{MASTER, MERGED, instant};
use super::records::{Rows, Scope};
use super::soql::{COMMITTED, SelectBuilder, SoqlError};
use super::{SalesforceClient, values};

const CREATED: &str = "CreatedDate";
const MODIFIED_BY: &str = "LastModifiedById";
const DELETED: &str = "IsDeleted";

/// Objects without a recycle bin, whose records have no `IsDeleted` (Salesforce's object reference).
const NEVER_DELETED: [&str; 6] = ["Group", "Organization", "Profile", "RecordType", "User", "UserRole"];

/// Rows that a query gives in one answer at most (Salesforce's REST guide: Query).
const PAGE: u32 = 2_000;

/// How often rows that were purged from the recycle bin are asked for. It is one call for each object, and rare that one
/// is needed.
const PURGED_EVERY: TimeDelta = TimeDelta::minutes(15);

/// `getDeleted` refuses a start more than 15 days back (Salesforce's SOAP guide: `getDeleted()`); an hour is left for the
/// two clocks and the call.
const PURGED_REACH: TimeDelta = TimeDelta::hours(15 * 24 - 1);

/// How far an object has been read. Stored, so fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Records made since then are new; before, there was no feed.
    new_since: DateTime<Utc>,
    /// The sweep's lower bound.
    from: DateTime<Utc>,
    /// The last row read in the sweep.
    after: Option<(DateTime<Utc>, String)>,
    /// The sweep's upper bound; absent before its first answer.
    until: Option<DateTime<Utc>>,
    /// Whether it is the first sweep.
    baseline: bool,
    /// Up to where purged rows were asked for.
    purged_to: DateTime<Utc>,
}

impl Place {
    /// Where a feed begins.
    fn begin(now: DateTime<Utc>, overlap: TimeDelta) -> Self {
        let from = now - overlap;
        Self { new_since: from, from, after: None, until: Some(now), baseline: true, purged_to: now }
    }

    /// The place after a page whose last row is given, where the page was full; else the beginning of the next sweep.
    fn next(&self, last: Option<(DateTime<Utc>, String)>, until: DateTime<Utc>, overlap: TimeDelta) -> Self {
        match last {
            Some(last) => Self { after: Some(last), until: Some(until), ..self.clone() },
            None => Self { from: until - overlap, after: None, until: None, baseline: false, ..self.clone() },
        }
    }
}

#[async_trait]
impl Changes for SalesforceClient {
    fn side(&self) -> Side {
        Side::Salesforce
    }

    async fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, CrmError> {
        let overlap = request.overlap();
        let place = match &request.since {
            Some(position) => position.read(Side::Salesforce)?,
            None => Place::begin(self.clock().await?, overlap),
        };
        let limit = request.limit.clamp(1, PAGE);
        let soql = self.question(&place, request, limit).map_err(|error| self.refused(error.to_string()))?;
        let Rows { rows, asked_at } = self.query_dated(&soql, Scope::WithDeleted).await?;
        let now = asked_at.ok_or_else(|| self.no_clock())?;
        let until = place.until.unwrap_or(now);
        let own = self.identity().await?.map(|(_, user)| user);
        let changes = rows.iter().map(|row| change(row, &request.fields, own.as_deref()));
        let mut changes = changes.collect::<Option<Vec<_>>>().ok_or_else(|| {
            self.http.error(CrmErrorKind::Garbled, "a row of the answer has no id or no time")
        })?;
        let full = changes.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let last = changes.last().filter(|_| full).map(|last| (last.at, last.record.clone()));
        let read_to = last.as_ref().map_or(until, |(at, _)| *at).min(until);
        let more = last.is_some();
        let mut next = place.next(last, until, overlap);
        if !more && until - place.purged_to >= PURGED_EVERY {
            let (purged, covered) = self.purged(request, place.purged_to - overlap, until).await?;
            changes.extend(purged);
            next.purged_to = covered;
        }
        Ok(ChangesPage {
            changes,
            next: Position::of(&next),
            // The first sweep is followed by one that finds what changed meanwhile.
            more: more || place.baseline,
            baseline: place.baseline,
            new_since: place.new_since,
            read_to,
            now,
            pause: Duration::ZERO,
        })
    }
}

impl SalesforceClient {
    fn question(&self, place: &Place, request: &ChangesRequest, limit: u32) -> Result<String, SoqlError> {
        let object = self.api_name(&request.object.name);
        let mut select =
            SelectBuilder::from(object)?.field(COMMITTED)?.field(CREATED)?.field(MODIFIED_BY)?.limit(limit);
        let has_bin = !NEVER_DELETED.contains(&object);
        if has_bin {
            select = select.field(DELETED)?;
        }
        if MERGED.contains(&object) {
            select = select.field(MASTER)?;
        }
        for field in &request.fields {
            select = select.field(field)?;
        }
        select = match &place.after {
            Some((at, id)) => select.committed_since(*at, Some(id))?,
            None => select.committed_since(place.from, None)?,
        };
        if let Some(until) = place.until {
            let op = FilterOp::Le(Value::DateTime(until));
            select = select.filter(&Filter { field: COMMITTED.to_owned(), op })?;
        }
        if request.ends_only && has_bin {
            let op = FilterOp::Eq(Value::Boolean(true));
            select = select.filter(&Filter { field: DELETED.to_owned(), op })?;
        }
        select.build()
    }

    /// Salesforce's clock, from a call that counts against no limit and needs no permission.
    async fn clock(&self) -> Result<DateTime<Utc>, CrmError> {
        let answer = self.send(|instance| Ok(Call::get(join(instance, &["services", "data"])))).await?;
        self.http.read(&answer, true)?;
        date(&answer.headers).ok_or_else(|| self.no_clock())
    }

    fn no_clock(&self) -> CrmError {
        self.http.error(
            CrmErrorKind::Garbled,
            "the answer has no `Date`, and changes are read by Salesforce's clock",
        )
    }

    /// The rows that were deleted, those purged from the recycle bin among them, and up to where the answer reaches.
    async fn purged(
        &self,
        request: &ChangesRequest,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(Vec<Change>, DateTime<Utc>), CrmError> {
        let object = self.api_name(&request.object.name);
        let start = from.max(until - PURGED_REACH);
        if start > from {
            tracing::warn!(object, %from, %start, "records purged from the recycle bin before this are not heard of");
        }
        let answer = self
            .send(|instance| {
                // With the slash at the end, as Salesforce's guide writes it.
                let mut url = self.resource(instance, &["sobjects", object, "deleted", ""]);
                let form = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
                url.query_pairs_mut().append_pair("start", &form(start)).append_pair("end", &form(until));
                Ok(Call::get(url))
            })
            .await?;
        let answer = match self.http.read(&answer, true) {
            // Not every object is replicated. The recycle bin was read all the same.
            Err(error) if error.kind == CrmErrorKind::Refused => {
                tracing::warn!(
                    object,
                    code = error.code,
                    "Salesforce does not say which records were purged"
                );
                return Ok((Vec::new(), until));
            }
            other => other?,
        };
        let rows = answer.get("deletedRecords").and_then(Json::as_array);
        let changes = rows.into_iter().flatten().filter_map(|row| {
            let record = row.get("id")?.as_str()?.to_owned();
            let at = row.get("deletedDate").and_then(instant)?;
            let what = Found::Event(ChangeKind::Deleted);
            Some(Change { record, at, own: false, what, last: Map::new() })
        });
        let covered = answer.get("latestDateCovered").and_then(instant).unwrap_or(until);
        Ok((changes.collect(), covered.min(until)))
    }
}

fn change(row: &Json, fields: &[String], own: Option<&str>) -> Option<Change> {
    let text = |name: &str| row.get(name).and_then(Json::as_str);
    let record = text("Id")?.to_owned();
    let at = row.get(COMMITTED).and_then(instant)?;
    let own = own.is_some() && text(MODIFIED_BY) == own;
    let gone = row.get(DELETED).and_then(Json::as_bool) == Some(true);
    let what = match (gone, text(MASTER)) {
        (true, Some(master)) => Found::Event(ChangeKind::Merged { into: master.to_owned() }),
        (true, None) => Found::Event(ChangeKind::Deleted),
        _ => Found::State { created_at: row.get(CREATED).and_then(instant), values: values::of(row, fields) },
    };
    let last = if gone { values::of(row, fields) } else { Map::new() };
    Some(Change { record, at, own, what, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_sweep_goes_on_behind_its_last_row_and_the_next_begins_before_its_end() {
        let overlap = TimeDelta::seconds(60);
        let begun = Place::begin(at(0), overlap);
        assert_eq!((begun.from, begun.until, begun.new_since), (at(-60), Some(at(0)), at(-60)));
        let on = begun.next(Some((at(-3), "00Q1".to_owned())), at(0), overlap);
        assert_eq!((on.from, on.until, on.baseline), (at(-60), Some(at(0)), true));
        assert_eq!(on.after, Some((at(-3), "00Q1".to_owned())));
        let second = on.next(None, at(0), overlap);
        assert_eq!((second.from, second.until, second.baseline), (at(-60), None, false));
        assert_eq!((second.after, second.new_since), (None, at(-60)), "it knows when the feed began");
    }

    #[test]
    fn a_position_survives_being_stored() {
        let place =
            Place { after: Some((at(5), "00Q2".to_owned())), ..Place::begin(at(0), TimeDelta::seconds(9)) };
        assert_eq!(Position::of(&place).read::<Place>(Side::Salesforce), Ok(place));
        let error = Position("{}".to_owned()).read::<Place>(Side::Salesforce).unwrap_err();
        assert_eq!(error.kind, CrmErrorKind::Garbled);
    }
}
