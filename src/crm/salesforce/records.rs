//! Reading and looking up records.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::crm::http::{Call, date};
use crate::crm::share::LookUp;
use crate::source::ObjectName;
use crate::types::{CrmError, Filter, FilterOp, FindRequest, ReadRequest, Record, Value};

use super::soql::{SelectBuilder, SoqlError};
use super::{SalesforceClient, is_id, values};

/// Ids in one query: with 27 bytes for each in the URL, well below its limit.
const IDS: usize = 200;
/// Look-ups in one query; an e-mail address has at most 80 characters in Salesforce.
pub(super) const LOOKUPS: usize = 100;

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
        let mut records = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(IDS) {
            let values = chunk.iter().map(|id| Value::Text((*id).clone())).collect();
            let filters = vec![Filter { field: "Id".to_owned(), op: FilterOp::In(values) }];
            records.extend(self.select(&request.object, &filters, &request.fields, None, Scope::Live).await?);
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
        if limit == Some(0) {
            return Ok(Vec::new());
        }
        let soql = self
            .statement(object, filters, fields, limit)
            .map_err(|error| self.refused(error.to_string()))?;
        let rows = self.query(&soql, scope).await?.rows;
        rows.iter()
            .map(|row| {
                values::record(object, row, fields)
                    .ok_or_else(|| self.refused("a row of the answer has no id"))
            })
            .collect()
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

    /// All rows of a query, over all pages.
    pub(super) async fn query(&self, soql: &str, scope: Scope) -> Result<Rows, CrmError> {
        let mut rows = Vec::new();
        let mut asked_at = None;
        let mut next: Option<String> = None;
        let verb = if scope == Scope::Live { "query" } else { "queryAll" };
        loop {
            let answer = self
                .send(|instance| {
                    let mut url = self.resource(instance, &[verb]);
                    match &next {
                        None => {
                            url.query_pairs_mut().append_pair("q", soql);
                        }
                        Some(page) => {
                            url = instance
                                .join(page)
                                .map_err(|_| self.refused("`nextRecordsUrl` is not a URL"))?;
                        }
                    }
                    Ok(Call::get(url))
                })
                .await?;
            let mut page = self.http.read(&answer, true)?;
            asked_at = asked_at.or_else(|| date(&answer.headers));
            let Some(Json::Array(records)) = page.get_mut("records").map(Json::take) else {
                return Err(self.http.garbled(&answer, true));
            };
            rows.extend(records);
            let done = page.get("done").and_then(Json::as_bool).unwrap_or(true);
            next = page.get("nextRecordsUrl").and_then(Json::as_str).map(str::to_owned);
            if done || next.is_none() {
                return Ok(Rows { rows, asked_at });
            }
        }
    }
}

#[async_trait]
impl LookUp for SalesforceClient {
    async fn look_up(&self, request: &FindRequest) -> Result<Vec<Record>, CrmError> {
        let (object, limit) = (&request.object, Some(request.limit));
        self.select(object, &request.filters, &request.fields, limit, Scope::Live).await
    }
}
