//! All records of an object: the plain list where nothing is asked of them, else searches that each begin behind the last
//! id, since one search reaches 10,000 results (HubSpot's search docs).

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::crm::http::Call;
use crate::crm::{Position, Walk, WalkPage, WalkRequest};
use crate::source::{ObjectName, Side};
use crate::types::{CrmError, Filter, FilterOp, Value};

use super::records::{ID, PAGE, groups, properties};
use super::{Apart, HubspotClient};

/// Records on one page of a list (HubSpot's objects docs).
const LISTED: u32 = 100;

/// What the names of properties may take in an address: web servers refuse longer ones than 8,192 bytes, and the page's
/// mark and the host need room.
const NAMES_BYTES: usize = 6_000;

/// HubSpot's own name of a record's id, by which a search can sort.
const OBJECT_ID: &str = "hs_object_id";

#[async_trait]
impl Walk for HubspotClient {
    fn side(&self) -> Side {
        Side::Hubspot
    }

    async fn walk(&self, request: &WalkRequest) -> Result<WalkPage, CrmError> {
        if self.apart(&request.object) != Apart::Record {
            return Err(self.refused(format!("the records of `{}` cannot be listed", request.object)));
        }
        let names: usize = request.fields.iter().map(|field| field.len() + 1).sum();
        if request.filters.is_empty() && names <= NAMES_BYTES {
            self.listed(request).await
        } else {
            self.searched(request).await
        }
    }

    async fn count(&self, object: &ObjectName, filters: &[Filter]) -> Result<u64, CrmError> {
        let groups = groups(filters).map_err(|why| self.refused(why))?;
        let body = json!({"filterGroups": groups, "properties": [OBJECT_ID], "limit": 1});
        let answer = self.json(&Call::ask(self.objects_address(&object.name, &["search"]), body)).await?;
        let total = answer.get("total").and_then(Json::as_u64);
        total.ok_or_else(|| self.garbled("it has no `total`", true))
    }
}

impl HubspotClient {
    async fn listed(&self, request: &WalkRequest) -> Result<WalkPage, CrmError> {
        let limit = request.limit.clamp(1, LISTED);
        let mut url = self.objects_address(&request.object.name, &[]);
        let names: Vec<&str> = properties(&request.fields).into_iter().map(String::as_str).collect();
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        if !names.is_empty() {
            url.query_pairs_mut().append_pair("properties", &names.join(","));
        }
        if let Some(after) = &request.after {
            url.query_pairs_mut().append_pair("after", &after.read::<String>(Side::Hubspot)?);
        }
        let answer = self.json(&Call::get(url)).await?;
        let after = answer.pointer("/paging/next/after").and_then(Json::as_str).map(str::to_owned);
        let records = self.records(&request.object, &answer, &request.fields)?;
        Ok(WalkPage { records, next: after.map(|after| Position::of(&after)) })
    }

    async fn searched(&self, request: &WalkRequest) -> Result<WalkPage, CrmError> {
        let limit = request.limit.clamp(1, PAGE);
        let mut filters = request.filters.clone();
        if let Some(after) = &request.after {
            let last = Value::text(&after.read::<String>(Side::Hubspot)?);
            filters.push(Filter { field: ID.to_owned(), op: FilterOp::Gt(last) });
        }
        let groups = groups(&filters).map_err(|why| self.refused(why))?;
        let body = json!({
            "filterGroups": groups,
            "properties": properties(&request.fields),
            "sorts": [{"propertyName": OBJECT_ID, "direction": "ASCENDING"}],
            "limit": limit,
        });
        let url = self.objects_address(&request.object.name, &["search"]);
        let answer = self.json(&Call::ask(url, body)).await?;
        let rows = answer.get("results").and_then(Json::as_array).map_or(0, Vec::len);
        let last = answer.pointer("/results").and_then(Json::as_array).and_then(|rows| rows.last());
        let last = last.and_then(|row| row.get("id")).and_then(Json::as_str).map(str::to_owned);
        let full = rows >= usize::try_from(limit).unwrap_or(usize::MAX);
        let records = self.records(&request.object, &answer, &request.fields)?;
        Ok(WalkPage { records, next: last.filter(|_| full).map(|last| Position::of(&last)) })
    }
}
