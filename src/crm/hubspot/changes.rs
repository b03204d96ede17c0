//! Changes by polling, for what webhooks did not bring: searches by the date of the last change.
//!
//! **A sweep** reads every record changed from one instant to another. A search has one sort, gives at most 10,000
//! results, and its pages move when a record changes between two of them. So no page is ever turned: each search begins
//! at the last instant read, and where more records than a page share that instant, they are read by id. Rows that were
//! read already come again and are known.
//!
//! **The next sweep** begins an overlap before the end of the one before, since the index of searches lags behind.
//!
//! **Archived records** are listed from time to time: the list knows no date to begin at, so it is read whole, and those
//! archived since are told. **Merged records** stand on the record that survived them.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::crm::changes::{Change, Changes, ChangesPage, ChangesRequest, Found, Position};
use crate::crm::http::{Answer, Call, date};
use crate::source::Side;
use crate::types::{ChangeKind, CrmError};

use super::HubspotClient;
use super::history::instant;
use super::records::{PAGE, properties, record};

/// The ids of the records that were merged into one, on the standard objects.
const MERGED: &str = "hs_merged_object_ids";
const ID: &str = "hs_object_id";

/// Records on one page of a list (HubSpot's objects docs).
const LISTED: &str = "100";

/// How often the archived records are listed: with a hundred on a page, that is many calls in a large portal.
const ARCHIVED_EVERY: TimeDelta = TimeDelta::hours(1);

/// Five searches a second are allowed (HubSpot's search docs); one of five is left for look-ups.
const PAUSE: Duration = Duration::from_millis(250);

/// How far an object has been read. Stored, so fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Records made since then are new; before, there was no feed.
    new_since: DateTime<Utc>,
    /// The next search's lower bound.
    from: Begin,
    /// The sweep's upper bound; absent before its first answer.
    until: Option<DateTime<Utc>>,
    /// Whether it is the first sweep.
    baseline: bool,
    /// Up to where archived records were told.
    archived_to: DateTime<Utc>,
    /// The list of archived records, while it is being read.
    archive: Option<Archive>,
}

/// Where a search begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Begin {
    /// At an instant.
    At(DateTime<Utc>),
    /// Behind an instant.
    Behind(DateTime<Utc>),
    /// At an instant that more records than a page share, behind one of them.
    Among(DateTime<Utc>, String),
}

/// A list of archived records that is being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Archive {
    /// The next page.
    after: Option<String>,
    /// Those archived since then are told.
    since: DateTime<Utc>,
    /// When the list was begun.
    until: DateTime<Utc>,
}

impl Place {
    fn begin(now: DateTime<Utc>, overlap: TimeDelta) -> Self {
        let from = now - overlap;
        let (from_at, until) = (Begin::At(from), Some(now));
        Self { new_since: from, from: from_at, until, baseline: true, archived_to: now, archive: None }
    }

    /// The place after a search that gave these rows, in its order; `None` where the sweep is over.
    fn on(&self, rows: &[Change], full: bool, until: DateTime<Utc>) -> Option<Self> {
        let last = rows.last();
        let from = match (&self.from, last) {
            (Begin::Among(at, _), Some(last)) if full => Begin::Among(*at, last.record.clone()),
            (Begin::Among(at, _), _) => Begin::Behind(*at),
            (Begin::At(at), Some(last)) if full && last.at <= *at => Begin::Among(*at, "0".to_owned()),
            (_, Some(last)) if full => Begin::At(last.at),
            _ => return None,
        };
        Some(Self { from, until: Some(until), ..self.clone() })
    }

    /// The place after a whole sweep: the archived records, where it is time for them, or the next sweep.
    fn after_sweep(&self, until: DateTime<Utc>, overlap: TimeDelta) -> Self {
        let due = until - self.archived_to >= ARCHIVED_EVERY;
        let archive = due.then(|| Archive { after: None, since: self.archived_to - overlap, until });
        Self { from: Begin::At(until - overlap), until: None, baseline: false, archive, ..self.clone() }
    }

    fn after_list(&self, archive: &Archive, after: Option<String>) -> Self {
        match after {
            Some(after) => {
                Self { archive: Some(Archive { after: Some(after), ..archive.clone() }), ..self.clone() }
            }
            None => Self { archive: None, archived_to: archive.until, ..self.clone() },
        }
    }
}

#[async_trait]
impl Changes for HubspotClient {
    fn side(&self) -> Side {
        Side::Hubspot
    }

    async fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, CrmError> {
        let place = match &request.since {
            Some(position) => position.read(Side::Hubspot)?,
            None => Place::begin(self.clock(request).await?, request.overlap()),
        };
        match place.archive.clone() {
            Some(archive) => self.archived(&place, &archive, request).await,
            None => self.swept(&place, request).await,
        }
    }
}

impl HubspotClient {
    async fn swept(&self, place: &Place, request: &ChangesRequest) -> Result<ChangesPage, CrmError> {
        let overlap = request.overlap();
        let object = self.path_name(&request.object.name);
        let modified = modified_property(object);
        let limit = request.limit.clamp(1, PAGE);
        let mut wanted: Vec<&str> = properties(&request.fields).into_iter().map(String::as_str).collect();
        wanted.extend([modified, MERGED]);
        let sorted = if matches!(place.from, Begin::Among(..)) { ID } else { modified };
        let body = json!({
            "filterGroups": [{"filters": filters(place, modified, request.ends_only && merges(object))}],
            "properties": wanted,
            "sorts": [{"propertyName": sorted, "direction": "ASCENDING"}],
            "limit": limit,
        });
        let url = self.objects_address(&request.object.name, &["search"]);
        let (rows, _, now) = self.rows(&Call::ask(url, body)).await?;
        let until = place.until.unwrap_or(now);
        let states = rows.iter().map(|row| state(row, modified, request)).collect::<Option<Vec<_>>>();
        let states = states.ok_or_else(|| self.garbled("a record has no `id` or no time", true))?;
        let full = states.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = place.on(&states, full, until);
        let read_to = match (&next, states.last()) {
            (Some(_), Some(last)) => last.at.min(until),
            _ => until,
        };
        let over = next.is_none();
        let next = next.unwrap_or_else(|| place.after_sweep(until, overlap));
        let changes =
            rows.iter().zip(states).flat_map(|(row, state)| merged(row, &state).into_iter().chain([state]));
        Ok(ChangesPage {
            changes: changes.collect(),
            more: !over || next.archive.is_some() || place.baseline,
            next: Position::of(&next),
            baseline: place.baseline,
            new_since: place.new_since,
            read_to,
            now,
            pause: PAUSE,
        })
    }

    /// A page of the archived records.
    async fn archived(
        &self,
        place: &Place,
        archive: &Archive,
        request: &ChangesRequest,
    ) -> Result<ChangesPage, CrmError> {
        let mut url = self.objects_address(&request.object.name, &[]);
        url.query_pairs_mut().append_pair("archived", "true").append_pair("limit", LISTED);
        if let Some(after) = &archive.after {
            url.query_pairs_mut().append_pair("after", after);
        }
        let (rows, after, now) = self.rows(&Call::get(url)).await?;
        let changes = rows.iter().filter_map(|row| {
            let record = row.get("id")?.as_str()?.to_owned();
            let at = instant(row.get("archivedAt")?)?;
            let what = Found::Event(ChangeKind::Deleted);
            (at >= archive.since).then_some(Change { record, at, own: false, what, last: Map::new() })
        });
        let changes = changes.collect();
        let more = after.is_some();
        Ok(ChangesPage {
            changes,
            more,
            next: Position::of(&place.after_list(archive, after)),
            baseline: false,
            new_since: place.new_since,
            read_to: archive.until,
            now,
            pause: PAUSE,
        })
    }

    /// HubSpot's clock, from the smallest list.
    async fn clock(&self, request: &ChangesRequest) -> Result<DateTime<Utc>, CrmError> {
        let mut url = self.objects_address(&request.object.name, &[]);
        url.query_pairs_mut().append_pair("limit", "1");
        Ok(self.rows(&Call::get(url)).await?.2)
    }

    /// The rows of an answer, the mark of its next page, and HubSpot's clock.
    async fn rows(&self, call: &Call) -> Result<(Vec<Json>, Option<String>, DateTime<Utc>), CrmError> {
        let answer: Answer = self.send(call).await?;
        let mut page = self.http.read(&answer, true)?;
        let now = date(&answer.headers).ok_or_else(|| self.garbled("it has no `Date`", true))?;
        let after = page.pointer("/paging/next/after").and_then(Json::as_str).map(str::to_owned);
        match page.get_mut("results").map(Json::take) {
            Some(Json::Array(rows)) => Ok((rows, after, now)),
            _ => Err(self.garbled("it has no `results`", true)),
        }
    }
}

fn filters(place: &Place, modified: &str, merges_only: bool) -> Vec<Json> {
    let test = |property: &str, operator: &str, value: String| json!({"propertyName": property, "operator": operator, "value": value});
    let time =
        |operator: &str, at: &DateTime<Utc>| test(modified, operator, at.timestamp_millis().to_string());
    let mut filters = match &place.from {
        Begin::At(at) => vec![time("GTE", at)],
        Begin::Behind(at) => vec![time("GT", at)],
        Begin::Among(at, id) => vec![time("EQ", at), test(ID, "GT", id.clone())],
    };
    if let (Some(until), false) = (&place.until, matches!(place.from, Begin::Among(..))) {
        // HubSpot's clock comes in whole seconds, and the dates of changes in milliseconds.
        filters.push(time("LTE", &(*until + TimeDelta::seconds(1))));
    }
    if merges_only {
        filters.push(json!({"propertyName": MERGED, "operator": "HAS_PROPERTY"}));
    }
    filters
}

fn state(row: &Json, modified: &str, request: &ChangesRequest) -> Option<Change> {
    let found = record(&request.object, row, &request.fields)?;
    let at = property(row, modified).and_then(instant).or_else(|| row.get("updatedAt").and_then(instant))?;
    let created_at = row.get("createdAt").and_then(instant);
    let what = Found::State { created_at, values: found.values };
    Some(Change { record: found.id, at, own: false, what, last: Map::new() })
}

/// The records that were merged into one.
fn merged(row: &Json, survivor: &Change) -> Vec<Change> {
    let ids = property(row, MERGED).and_then(Json::as_str).unwrap_or_default().split(';').map(str::trim);
    let gone = ids.filter(|id| !id.is_empty() && *id != survivor.record).map(|id| Change {
        record: id.to_owned(),
        at: survivor.at,
        own: false,
        what: Found::Event(ChangeKind::Merged { into: survivor.record.clone() }),
        last: Map::new(),
    });
    gone.collect()
}

fn property<'r>(row: &'r Json, name: &str) -> Option<&'r Json> {
    row.get("properties")?.get(name)
}

/// Contacts keep the date of their last change under a name of their own (HubSpot's search docs).
fn modified_property(path_name: &str) -> &'static str {
    match path_name {
        "contacts" | "0-1" => "lastmodifieddate",
        _ => "hs_lastmodifieddate",
    }
}

/// Whether the object has [`MERGED`].
fn merges(path_name: &str) -> bool {
    let standard = ["contacts", "companies", "deals", "tickets", "0-1", "0-2", "0-3", "0-5"];
    standard.contains(&path_name)
}

#[cfg(test)]
mod unit {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn row(id: &str, seconds: i64) -> Change {
        let what = Found::State { created_at: None, values: Map::new() };
        Change { record: id.to_owned(), at: at(seconds), own: false, what, last: Map::new() }
    }

    #[test]
    fn each_search_begins_where_the_last_one_ended() {
        let place = Place { baseline: false, ..Place::begin(at(100), TimeDelta::seconds(60)) };
        let on = |place: &Place, rows: &[Change], full| place.on(rows, full, at(100)).map(|next| next.from);
        assert_eq!(on(&place, &[row("1", 50), row("2", 60)], true), Some(Begin::At(at(60))));
        assert_eq!(on(&place, &[row("1", 50), row("2", 60)], false), None);
        assert_eq!(on(&place, &[], false), None);
        let stuck = Place { from: Begin::At(at(60)), ..place.clone() };
        assert_eq!(
            on(&stuck, &[row("9", 60), row("2", 60)], true),
            Some(Begin::Among(at(60), "0".to_owned()))
        );
        let among = Place { from: Begin::Among(at(60), "0".to_owned()), ..place.clone() };
        assert_eq!(
            on(&among, &[row("2", 60), row("9", 60)], true),
            Some(Begin::Among(at(60), "9".to_owned()))
        );
        assert_eq!(on(&among, &[row("2", 60)], false), Some(Begin::Behind(at(60))));
        assert_eq!(on(&among, &[], false), Some(Begin::Behind(at(60))), "exactly a page was there");
        let behind = Place { from: Begin::Behind(at(60)), ..place };
        assert_eq!(on(&behind, &[row("3", 61), row("4", 61)], true), Some(Begin::At(at(61))));
        assert_eq!(on(&behind, &[], false), None);
    }

    #[test]
    fn the_archive_is_listed_from_time_to_time() {
        let overlap = TimeDelta::seconds(60);
        let place = Place::begin(at(0), overlap);
        assert_eq!(place.after_sweep(at(0), overlap).archive, None);
        let due = place.after_sweep(at(3600), overlap);
        let archive = due.archive.clone().unwrap();
        assert_eq!((archive.since, archive.until), (at(-60), at(3600)));
        let on = due.after_list(&archive, Some("7".to_owned()));
        assert_eq!((on.archive.unwrap().after, on.archived_to), (Some("7".to_owned()), at(0)));
        let over = due.after_list(&archive, None);
        assert_eq!((over.archive, over.archived_to), (None, at(3600)));
    }

    #[test]
    fn merged_records_stand_on_their_survivor() {
        let found = merged(&json!({"properties": {"hs_merged_object_ids": "7;9; 8"}}), &row("9", 5));
        let ids: Vec<_> = found.iter().map(|change| change.record.as_str()).collect();
        assert_eq!(ids, ["7", "8"]);
        assert!(merged(&json!({"properties": {"hs_merged_object_ids": null}}), &row("9", 5)).is_empty());
    }
}
