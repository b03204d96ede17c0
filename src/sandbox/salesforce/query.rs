//! `query` and `queryAll`: results in pages, with locators for the next one.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::error::ApiError;
use super::http::{Answer, Request};
use super::ids;
use super::org::{Caller, Org};
use super::soql::{self, check, eval};

/// The smallest page that a client may ask for (Salesforce's REST guide: Query Options Header).
const MIN_PAGE: usize = 200;

/// Open results; the oldest one goes when there are more.
const MAX_CURSORS: usize = 100;

/// Results that have pages left.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    open: IndexMap<String, Vec<Value>>,
    opened: u64,
}

/// The rows of a query, all at once.
pub(super) struct QueryResult {
    pub(super) total: usize,
    pub(super) records: Vec<Value>,
}

/// Runs a query.
pub(super) fn run(
    org: &Org,
    caller: &Caller,
    soql: &str,
    deleted_too: bool,
) -> Result<QueryResult, ApiError> {
    let query = soql::read(soql)?;
    let plan = check::check(org, soql, &query)?;
    let (total, records) = eval::run(org, caller, &plan, deleted_too);
    Ok(QueryResult { total, records })
}

/// Answers `query?q=…`.
pub(super) fn start(org: &mut Org, caller: &Caller, request: &Request, deleted_too: bool) -> Answer {
    match request.parameter("q") {
        Some(soql) => answer(org, caller, soql, deleted_too),
        None => Answer::from(ApiError::new("MALFORMED_QUERY", "SOQL statements cannot be empty or null")),
    }
}

/// Runs a query and answers its first page.
pub(super) fn answer(org: &mut Org, caller: &Caller, soql: &str, deleted_too: bool) -> Answer {
    let result = match run(org, caller, soql, deleted_too) {
        Ok(result) => result,
        Err(error) => return Answer::from(error),
    };
    let size = page_size(org, caller);
    if result.records.len() <= size {
        return Answer::json(
            200,
            json!({"totalSize": result.total, "done": true, "records": result.records}),
        );
    }
    org.cursors.opened += 1;
    let id = ids::mint("01g", org.cursors.opened);
    org.cursors.open.insert(id.clone(), result.records);
    if org.cursors.open.len() > MAX_CURSORS {
        org.cursors.open.shift_remove_index(0);
    }
    page(org, caller, &id, 0)
}

/// Answers `query/01g…-2000`.
pub(super) fn next(org: &Org, caller: &Caller, locator: &str) -> Answer {
    let found = locator
        .rsplit_once('-')
        .and_then(|(id, offset)| Some((ids::normalize(id)?, offset.parse::<usize>().ok()?)))
        .filter(|(id, offset)| org.cursors.open.get(id).is_some_and(|records| *offset < records.len()));
    match found {
        Some((id, offset)) => page(org, caller, &id, offset),
        None => Answer::from(ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator")),
    }
}

fn page(org: &Org, caller: &Caller, id: &str, offset: usize) -> Answer {
    let records = org.cursors.open.get(id).map(Vec::as_slice).unwrap_or_default();
    let end = records.len().min(offset + page_size(org, caller));
    let mut body = json!({"totalSize": records.len(), "done": end == records.len()});
    if end < records.len() {
        body["nextRecordsUrl"] = format!("{}/query/{id}-{end}", caller.root()).into();
    }
    body["records"] = records[offset..end].into();
    Answer::json(200, body)
}

fn page_size(org: &Org, caller: &Caller) -> usize {
    let configured = org.config.query_page_size.max(1);
    caller.batch_size.map_or(configured, |size| size.max(MIN_PAGE).min(configured))
}
