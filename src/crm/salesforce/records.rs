//! Reading and looking up records.
//!
//! Several queries go in one `composite` request, which counts as one call (Salesforce's REST API guide, "Composite").

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};

use crate::crm::http::{Answer, Call, date};
use crate::crm::share::{LookUp, Room};
use crate::source::ObjectName;
use crate::types::{CrmError, CrmErrorKind, Filter, FilterOp, FindRequest, ReadRequest, Record, Value};

use super::soql::{SelectBuilder, SoqlError};
use super::{SalesforceClient, is_id, values};

/// Ids in one query: with 27 bytes for each in the URL, well below its limit.
pub(super) const IDS: usize = 200;
/// Texts in one query, so that its rows, a few for each, seldom need a second page of 2,000.
pub(super) const TEXTS: usize = 500;
/// What the texts of one query may take in its address, beside the names and other tests in it.
pub(super) const TEXT_BYTES: usize = 11_000;
/// Queries in one composite request (the same guide: of its 25 subrequests five may be queries or collections).
pub(super) const QUERIES: usize = 5;

/// The filters without text that is no id, by the fields that hold ids; `None` where no record can match. Salesforce refuses
/// a query with such text.
fn with_ids(filters: &[Filter], ids: &[String]) -> Option<Vec<Filter>> {
    let is_none = |value: &Value| !matches!(value, Value::Text(text) if is_id(text));
    let mut kept = Vec::with_capacity(filters.len());
    for filter in filters {
        let mut filter = filter.clone();
        if ids.contains(&filter.field) {
            match &mut filter.op {
                // No record has it, so every one has another.
                FilterOp::Ne(value) if is_none(value) => continue,
                FilterOp::Eq(value)
                | FilterOp::Lt(value)
                | FilterOp::Le(value)
                | FilterOp::Gt(value)
                | FilterOp::Ge(value)
                    if is_none(value) =>
                {
                    return None;
                }
                FilterOp::In(values) => values.retain(|value| !is_none(value)),
                _ => {}
            }
            if filter.op == FilterOp::In(Vec::new()) {
                return None;
            }
        }
        kept.push(filter);
    }
    Some(kept)
}

/// Which records a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those that are there.
    Live,
    /// Those in the recycle bin too.
    WithDeleted,
}

/// The rows of a query.
pub(super) struct Rows {
    /// All of them.
    pub(super) rows: Vec<Json>,
    /// When the first page was answered, by Salesforce's clock.
    pub(super) asked_at: Option<DateTime<Utc>>,
}

impl SalesforceClient {
    /// Reads records by id. What cannot be an id names no record.
    pub(super) async fn read_records(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        let mut ids: Vec<&String> = request.ids.iter().filter(|id| is_id(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        let by_ids = |ids: &[&String]| {
            let values = ids.iter().map(|id| Value::Text((*id).clone())).collect();
            vec![Filter { field: "Id".to_owned(), op: FilterOp::In(values) }]
        };
        let wanted: Vec<Selection> = ids
            .chunks(IDS)
            .map(|ids| Selection {
                object: &request.object,
                filters: by_ids(ids),
                fields: &request.fields,
                limit: None,
            })
            .collect();
        let mut records = Vec::with_capacity(ids.len());
        for found in self.select_all(&wanted, Scope::Live).await {
            records.extend(found?);
        }
        Ok(records)
    }

    /// Selects records by filters.
    pub(super) async fn select(
        &self,
        object: &ObjectName,
        filters: &[Filter],
        fields: &[String],
        limit: Option<u32>,
        scope: Scope,
    ) -> Result<Vec<Record>, CrmError> {
        let wanted = Selection { object, filters: filters.to_vec(), fields, limit };
        // INVARIANT: one selection has one answer.
        self.select_all(&[wanted], scope).await.pop().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Makes several selections in as few calls as possible; one answer for each, in order.
    async fn select_all(&self, wanted: &[Selection<'_>], scope: Scope) -> Vec<Result<Vec<Record>, CrmError>> {
        let mut answers: Vec<Option<Result<Vec<Record>, CrmError>>> = wanted.iter().map(|_| None).collect();
        let mut asked: Vec<(usize, String)> = Vec::new();
        for (index, one) in wanted.iter().enumerate() {
            if one.limit == Some(0) {
                answers[index] = Some(Ok(Vec::new()));
                continue;
            }
            match self.statement(one.object, &one.filters, one.fields, one.limit) {
                Ok(soql) => asked.push((index, soql)),
                Err(error) => answers[index] = Some(Err(self.refused(error.to_string()))),
            }
        }
        for group in asked.chunks(QUERIES) {
            let soql: Vec<&str> = group.iter().map(|(_, soql)| soql.as_str()).collect();
            for ((index, _), rows) in group.iter().zip(self.queries(&soql, scope).await) {
                answers[*index] = Some(rows.and_then(|rows| self.rows(&wanted[*index], &rows)));
            }
        }
        let unasked = || Err(self.refused("the query was not made"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unasked)).collect()
    }

    fn rows(&self, selection: &Selection<'_>, rows: &[Json]) -> Result<Vec<Record>, CrmError> {
        let record = |row| {
            values::record(selection.object, row, selection.fields)
                .ok_or_else(|| self.refused("a row of the answer has no id"))
        };
        rows.iter().map(record).collect()
    }

    fn statement(
        &self,
        object: &ObjectName,
        filters: &[Filter],
        fields: &[String],
        limit: Option<u32>,
    ) -> Result<String, SoqlError> {
        let mut select = SelectBuilder::from(self.api_name(&object.name))?;
        for field in fields {
            select = select.field(field)?;
        }
        for filter in filters {
            select = select.filter(filter)?;
        }
        if let Some(rows) = limit {
            select = select.limit(rows);
        }
        select.build()
    }

    /// All rows of each query, over all pages; up to five queries are one call.
    async fn queries(&self, soql: &[&str], scope: Scope) -> Vec<Result<Vec<Json>, CrmError>> {
        match soql {
            [] => Vec::new(),
            [one] => vec![self.query(one, scope).await],
            several => self.composite(several, scope).await,
        }
    }

    /// All rows of a query, over all pages.
    async fn query(&self, soql: &str, scope: Scope) -> Result<Vec<Json>, CrmError> {
        Ok(self.query_dated(soql, scope).await?.rows)
    }

    /// The same, with the time.
    pub(super) async fn query_dated(&self, soql: &str, scope: Scope) -> Result<Rows, CrmError> {
        let answer = self
            .send(|instance| {
                let mut url = self.resource(instance, &[scope.verb()]);
                url.query_pairs_mut().append_pair("q", soql);
                Ok(Call::get(url))
            })
            .await?;
        let asked_at = date(&answer.headers);
        Ok(Rows { rows: self.pages(self.http.read(&answer, true)?).await?, asked_at })
    }

    /// The rows of a page and of those behind it.
    async fn pages(&self, mut page: Json) -> Result<Vec<Json>, CrmError> {
        let mut rows = Vec::new();
        loop {
            let Some(Json::Array(records)) = page.get_mut("records").map(Json::take) else {
                let error = "the answer is not understood: it has no `records`";
                return Err(self.http.error(CrmErrorKind::Garbled, error));
            };
            rows.extend(records);
            let done = page.get("done").and_then(Json::as_bool).unwrap_or(true);
            let next = page.get("nextRecordsUrl").and_then(Json::as_str).map(str::to_owned);
            let Some(next) = next.filter(|_| !done) else { return Ok(rows) };
            let answer = self
                .send(|instance| {
                    let url =
                        instance.join(&next).map_err(|_| self.refused("`nextRecordsUrl` is not a URL"))?;
                    Ok(Call::get(url))
                })
                .await?;
            page = self.http.read(&answer, true)?;
        }
    }

    /// Several queries in one call. One that is refused leaves the others alone.
    async fn composite(&self, soql: &[&str], scope: Scope) -> Vec<Result<Vec<Json>, CrmError>> {
        let subrequest = |(index, soql): (usize, &&str)| {
            let query: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
            let url = format!("/services/data/v{}/{}?q={query}", self.version, scope.verb());
            json!({"method": "GET", "url": url, "referenceId": reference(index)})
        };
        let subrequests: Vec<Json> = soql.iter().enumerate().map(subrequest).collect();
        let body = json!({"allOrNone": false, "compositeRequest": subrequests});
        let sent = self
            .send(|instance| Ok(Call::ask(self.resource(instance, &["composite"]), body.clone())))
            .await
            .and_then(|answer| Ok((self.http.read(&answer, true)?, answer)));
        let (said, answer) = match sent {
            Ok(sent) => sent,
            // What Salesforce has against the whole says nothing about a query.
            Err(error) if error.kind == CrmErrorKind::Refused => return self.one_by_one(soql, scope).await,
            Err(error) => return soql.iter().map(|_| Err(error.clone())).collect(),
        };
        let parts = said.get("compositeResponse").and_then(Json::as_array).cloned().unwrap_or_default();
        let mut answers = Vec::with_capacity(soql.len());
        for index in 0..soql.len() {
            let named = |part: &&Json| {
                part.get("referenceId").and_then(Json::as_str) == Some(reference(index).as_str())
            };
            answers.push(match parts.iter().find(named) {
                Some(part) => self.part(part).await,
                None => Err(self.http.garbled(&answer, true)),
            });
        }
        answers
    }

    async fn one_by_one(&self, soql: &[&str], scope: Scope) -> Vec<Result<Vec<Json>, CrmError>> {
        let mut answers = Vec::with_capacity(soql.len());
        for soql in soql {
            answers.push(self.query(soql, scope).await);
        }
        answers
    }

    /// The rows that one subrequest of a composite request gave.
    async fn part(&self, part: &Json) -> Result<Vec<Json>, CrmError> {
        let body = part.get("body").cloned().unwrap_or(Json::Null);
        let status =
            part.get("httpStatusCode").and_then(Json::as_u64).and_then(|code| u16::try_from(code).ok());
        let answer = Answer {
            status: status.unwrap_or_default(),
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        };
        self.http.read(&answer, true)?;
        self.pages(body).await
    }
}

/// The name of a subrequest.
fn reference(index: usize) -> String {
    format!("query_{index}")
}

impl Scope {
    /// The resource that answers.
    fn verb(self) -> &'static str {
        match self {
            Scope::Live => "query",
            Scope::WithDeleted => "queryAll",
        }
    }
}

/// Records to select.
struct Selection<'a> {
    object: &'a ObjectName,
    filters: Vec<Filter>,
    fields: &'a [String],
    limit: Option<u32>,
}

/// What a text takes in an address: its own bytes as they are encoded, and the quotes, comma and blank around it.
fn encoded(text: &str) -> usize {
    let escapes = text.chars().filter(|c| matches!(c, '\'' | '"' | '\\')).count();
    let own: usize = url::form_urlencoded::byte_serialize(text.as_bytes()).map(str::len).sum();
    own + 3 * escapes + 10
}

#[async_trait]
impl LookUp for SalesforceClient {
    fn room(&self) -> Room {
        Room { texts: TEXTS, total: TEXT_BYTES, cost: encoded }
    }

    async fn look_up(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        let wanted: Vec<Selection<'_>> = requests
            .iter()
            .map(|request| {
                let filters = with_ids(&request.filters, &request.ids);
                // Nothing is selected where no record can match.
                let limit = Some(if filters.is_some() { request.limit } else { 0 });
                let filters = filters.unwrap_or_default();
                Selection { object: &request.object, filters, fields: &request.fields, limit }
            })
            .collect();
        self.select_all(&wanted, Scope::Live).await
    }
}
