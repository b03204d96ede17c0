//! All records of an object: queries ordered by id, each behind the last id of the one before.

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::crm::http::Call;
use crate::crm::{Position, Walk, WalkPage, WalkRequest};
use crate::source::{ObjectName, Side};
use crate::types::{CrmError, CrmErrorKind, Filter};

use super::records::Scope;
use super::soql::{SelectBuilder, SoqlError};
use super::{SalesforceClient, values};

/// Rows that a query gives in one answer at most (Salesforce's REST guide: Query).
const PAGE: u32 = 2_000;

#[async_trait]
impl Walk for SalesforceClient {
    fn side(&self) -> Side {
        Side::Salesforce
    }

    async fn walk(&self, request: &WalkRequest) -> Result<WalkPage, CrmError> {
        let limit = request.limit.clamp(1, PAGE);
        let after = request.after.as_ref().map(|after| after.read::<String>(Side::Salesforce)).transpose()?;
        let soql =
            self.page(request, after.as_deref(), limit).map_err(|error| self.refused(error.to_string()))?;
        let rows = self.query_dated(&soql, Scope::Live).await?.rows;
        let record = |row| values::record(&request.object, row, &request.fields);
        let records = rows.iter().map(record).collect::<Option<Vec<_>>>().ok_or_else(|| {
            self.http.error(CrmErrorKind::Garbled, "the answer is not understood: a row has no id")
        })?;
        let full = records.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = records.last().filter(|_| full).map(|last| Position::of(&last.id));
        Ok(WalkPage { records, next })
    }

    async fn count(&self, object: &ObjectName, filters: &[Filter]) -> Result<u64, CrmError> {
        let build = || {
            let mut select = SelectBuilder::from(self.api_name(&object.name))?;
            for filter in filters {
                select = select.filter(filter)?;
            }
            select.count()
        };
        let soql = build().map_err(|error: SoqlError| self.refused(error.to_string()))?;
        let answer = self
            .send(|instance| {
                let mut url = self.resource(instance, &["query"]);
                url.query_pairs_mut().append_pair("q", &soql);
                Ok(Call::get(url))
            })
            .await?;
        let total = self.http.read(&answer, true)?.get("totalSize").and_then(Json::as_u64);
        total.ok_or_else(|| self.http.garbled(&answer, true))
    }
}

impl SalesforceClient {
    fn page(&self, request: &WalkRequest, after: Option<&str>, limit: u32) -> Result<String, SoqlError> {
        let mut select = SelectBuilder::from(self.api_name(&request.object.name))?.by_id(after)?;
        for field in &request.fields {
            select = select.field(field)?;
        }
        for filter in &request.filters {
            select = select.filter(filter)?;
        }
        select.limit(limit).build()
    }
}
