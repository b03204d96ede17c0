//! Reading and searching records.

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Map, Value as Json, json};

use crate::crm::http::Call;
use crate::crm::share::{LookUp, Room};
use crate::source::ObjectName;
use crate::types::{CrmError, Filter, FilterOp, FindRequest, ReadRequest, Record, Value};

use super::answers::Problem;
use super::{HubspotClient, values};

/// Inputs in one batch (HubSpot's batch pages).
pub(super) const BATCH: usize = 100;
/// Batches that are read side by side: a burst's take about as long as one, and leave the ten-second window to others.
const AT_ONCE: usize = 5;
/// Rows on one page of a search, and rows that a search gives at all (HubSpot's search page).
pub(super) const PAGE: u32 = 200;
const SEARCH_ROWS: u32 = 10_000;
/// Values in one `IN`, tests in one group, groups in one search (the same page).
pub(super) const SEARCH_VALUES: usize = 100;
const SEARCH_FILTERS: usize = 6;
const SEARCH_FILTERS_IN_ALL: usize = 18;
const SEARCH_GROUPS: usize = 5;

/// The record's id where a mapping names it as a field; HubSpot has no such property.
pub(super) const ID: &str = "id";

impl HubspotClient {
    /// Reads records by id. A record that is archived or never existed is absent.
    pub(super) async fn read_records(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        let mut ids: Vec<&String> = request.ids.iter().filter(|id| !id.is_empty()).collect();
        ids.sort_unstable();
        ids.dedup();
        // `collect` first: the compiler does not see that a stream over borrowed chunks is `Send`.
        let batches: Vec<_> = ids.chunks(BATCH).map(|ids| self.read_batch(request, ids)).collect();
        let batches: Vec<Vec<Record>> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
        Ok(batches.into_iter().flatten().collect())
    }

    async fn read_batch(&self, request: &ReadRequest, ids: &[&String]) -> Result<Vec<Record>, CrmError> {
        let inputs: Vec<Json> = ids.iter().map(|id| json!({"id": id})).collect();
        let body = json!({"properties": properties(&request.fields), "inputs": inputs});
        let url = self.objects_address(&request.object.name, &["batch", "read"]);
        let answer = self.json(&Call::ask(url, body)).await?;
        self.only_missing(&answer)?;
        self.records(&request.object, &answer, &request.fields)
    }

    /// A partial answer to a read is fine as long as records are merely missing.
    fn only_missing(&self, answer: &Json) -> Result<(), CrmError> {
        let errors = answer.get("errors").and_then(Json::as_array).cloned().unwrap_or_default();
        match errors.iter().filter_map(Problem::read).find(|problem| !problem.is_not_found()) {
            None => Ok(()),
            Some(problem) => Err(self.refused(problem.words())),
        }
    }

    pub(super) fn records(
        &self,
        object: &ObjectName,
        answer: &Json,
        fields: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        let Some(results) = answer.get("results").and_then(Json::as_array) else {
            return Err(self.garbled("it has no `results`", true));
        };
        let live = results.iter().filter(|row| row.get("archived").and_then(Json::as_bool) != Some(true));
        live.map(|row| record(object, row, fields).ok_or_else(|| self.garbled("a record has no `id`", true)))
            .collect()
    }

    async fn search(&self, request: &FindRequest) -> Result<Vec<Record>, CrmError> {
        let groups = groups(&request.filters).map_err(|why| self.refused(why))?;
        let created = created_property(self.path_name(&request.object.name));
        let limit = request.limit.min(SEARCH_ROWS);
        let mut rows: Vec<Json> = Vec::new();
        let mut after: Option<Json> = None;
        while rows.len() < limit as usize {
            let left = limit - u32::try_from(rows.len()).unwrap_or(limit);
            let mut body = json!({
                "filterGroups": groups,
                "properties": properties(&request.fields),
                // One rule is all that a search takes.
                "sorts": [{"propertyName": created, "direction": "ASCENDING"}],
                "limit": left.min(PAGE),
            });
            if let Some(after) = after {
                body["after"] = after;
            }
            let url = self.objects_address(&request.object.name, &["search"]);
            let mut answer = self.json(&Call::ask(url, body)).await?;
            let Some(Json::Array(page)) = answer.get_mut("results").map(Json::take) else {
                return Err(self.garbled("it has no `results`", true));
            };
            let empty = page.is_empty();
            rows.extend(page);
            after = answer.pointer("/paging/next/after").cloned();
            if after.is_none() || empty {
                break;
            }
        }
        rows.truncate(limit as usize);
        rows.sort_by_key(age);
        self.records(&request.object, &json!({"results": rows}), &request.fields)
    }
}

/// A search; HubSpot allows five a second, and its index lags: a record made seconds ago can be missing.
#[async_trait]
impl LookUp for HubspotClient {
    fn room(&self) -> Room {
        Room { texts: SEARCH_VALUES, total: usize::MAX, cost: |_| 0 }
    }

    async fn look_up(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.search(request).await);
        }
        answers
    }
}

/// By creation, then by id as the number that it is. The instants are all written in one form, so text order is theirs.
fn age(row: &Json) -> (String, usize, String) {
    let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let id = text("id");
    (text("createdAt"), id.len(), id)
}

/// The older objects keep the creation date under a name of their own.
fn created_property(path_name: &str) -> &'static str {
    match path_name {
        "contacts" | "companies" | "deals" | "tickets" | "0-1" | "0-2" | "0-3" | "0-5" => "createdate",
        _ => "hs_createdate",
    }
}

pub(super) fn properties(fields: &[String]) -> Vec<&String> {
    fields.iter().filter(|field| *field != ID).collect()
}

/// A record with the asked properties only; HubSpot adds some of its own.
pub(super) fn record(object: &ObjectName, row: &Json, fields: &[String]) -> Option<Record> {
    let id = row.get("id")?.as_str()?.to_owned();
    let properties = row.get("properties").and_then(Json::as_object);
    let mut values = Map::new();
    for field in fields {
        if field == ID {
            values.insert(field.clone(), Json::String(id.clone()));
        } else if let Some(value) = properties.and_then(|all| all.get(field)) {
            values.insert(field.clone(), value.clone());
        }
    }
    Some(Record { object: object.clone(), id, values })
}

/// The filters as groups: all of one group must hold, and one group must.
///
/// "Not equal" also holds of a blank, which HubSpot tests apart; each one doubles the groups.
pub(super) fn groups(filters: &[Filter]) -> Result<Json, String> {
    let mut groups: Vec<Vec<Json>> = vec![Vec::new()];
    for filter in filters {
        let alternatives = tests(filter)?;
        groups = groups
            .iter()
            .flat_map(|group| {
                alternatives
                    .iter()
                    .map(|test| group.iter().cloned().chain([test.clone()]).collect::<Vec<_>>())
            })
            .collect();
    }
    let in_all: usize = groups.iter().map(Vec::len).sum();
    if groups.len() > SEARCH_GROUPS
        || groups.iter().any(|group| group.len() > SEARCH_FILTERS)
        || in_all > SEARCH_FILTERS_IN_ALL
    {
        return Err(format!("a search with {} tests is more than HubSpot takes", filters.len()));
    }
    Ok(groups.into_iter().map(|filters| json!({"filters": filters})).collect())
}

fn tests(filter: &Filter) -> Result<Vec<Json>, String> {
    let property = if filter.field == ID { "hs_object_id" } else { filter.field.as_str() };
    if property.contains('.') {
        return Err(format!("`{property}` is a path, and a HubSpot search has none"));
    }
    let test = |operator: &str, value: &Value| {
        if value.is_blank() {
            return Err("a blank cannot be looked up".to_owned());
        }
        Ok(json!({"propertyName": property, "operator": operator, "value": search_text(value)}))
    };
    let bare = |operator: &str| json!({"propertyName": property, "operator": operator});
    Ok(match &filter.op {
        FilterOp::Eq(value) => vec![test("EQ", value)?],
        FilterOp::Ne(value) => vec![test("NEQ", value)?, bare("NOT_HAS_PROPERTY")],
        FilterOp::Lt(value) => vec![test("LT", value)?],
        FilterOp::Le(value) => vec![test("LTE", value)?],
        FilterOp::Gt(value) => vec![test("GT", value)?],
        FilterOp::Ge(value) => vec![test("GTE", value)?],
        FilterOp::Present => vec![bare("HAS_PROPERTY")],
        FilterOp::Blank => vec![bare("NOT_HAS_PROPERTY")],
        FilterOp::In(values) if values.is_empty() || values.len() > SEARCH_VALUES => {
            return Err(format!(
                "a list of {} values cannot be looked up: 1 to {SEARCH_VALUES} can",
                values.len()
            ));
        }
        FilterOp::In(values) => {
            // HubSpot compares lists with values that it has put in lower case.
            let values: Vec<String> = values.iter().map(|value| search_text(value).to_lowercase()).collect();
            vec![json!({"propertyName": property, "operator": "IN", "values": values})]
        }
    })
}

/// Searches compare instants in milliseconds, as all examples of HubSpot's search page do.
fn search_text(value: &Value) -> String {
    match value {
        Value::DateTime(instant) => instant.timestamp_millis().to_string(),
        other => values::to_text(other),
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn filter(field: &str, op: FilterOp) -> Filter {
        Filter { field: field.into(), op }
    }

    #[test]
    fn filters_become_groups() {
        let found = groups(&[
            filter("email", FilterOp::Eq(Value::text("a\"b\\@x.test"))),
            filter("lifecyclestage", FilterOp::Ne(Value::text("customer"))),
            filter("id", FilterOp::In(vec![Value::text("A"), Value::text("b")])),
        ])
        .unwrap();
        let shared = json!({"propertyName": "email", "operator": "EQ", "value": "a\"b\\@x.test"});
        let ids = json!({"propertyName": "hs_object_id", "operator": "IN", "values": ["a", "b"]});
        let expected = json!([
            {"filters": [shared, {"propertyName": "lifecyclestage", "operator": "NEQ", "value": "customer"}, ids]},
            {"filters": [shared, {"propertyName": "lifecyclestage", "operator": "NOT_HAS_PROPERTY"}, ids]},
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_no_search_takes_is_refused() {
        let present = || filter("a", FilterOp::Present);
        assert!(groups(&(0..7).map(|_| present()).collect::<Vec<_>>()).is_err());
        let ne = || filter("a", FilterOp::Ne(Value::text("b")));
        assert!(groups(&[ne(), ne()]).is_ok() && groups(&[ne(), ne(), ne()]).is_err());
        let many = |tests: usize| (0..tests).map(|_| present()).chain([ne(), ne()]).collect::<Vec<_>>();
        assert!(groups(&many(2)).is_ok() && groups(&many(3)).is_err(), "18 tests in all groups");
        assert!(groups(&[filter("a", FilterOp::In(vec![]))]).is_err());
        assert!(groups(&[filter("owner.email", FilterOp::Present)]).is_err());
        assert!(groups(&[filter("a", FilterOp::Eq(Value::Blank))]).is_err());
    }

    #[test]
    fn the_oldest_comes_first_and_ids_are_numbers() {
        let row = |id: &str, at: &str| json!({"id": id, "createdAt": at});
        let mut rows = [
            row("100", "2024-01-01"),
            row("20", "2024-01-01"),
            row("3", "2024-01-02"),
            row("9", "2023-01-01"),
        ];
        rows.sort_by_key(age);
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["9", "20", "100", "3"]);
    }
}
