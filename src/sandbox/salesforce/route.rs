//! From a path to the resource behind it.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Request, method_not_allowed, settle};
use super::org::{Caller, Org};
use super::{auth, bulk, collections, composite, describe, query, search, soap, sobjects, tree, ui_api};

/// The oldest version that answers. The real API has retired those below 31, which popular clients still ask for
/// when nothing else is set.
const OLDEST_VERSION: u32 = 20;

/// The newest version that answers.
pub(super) const NEWEST_VERSION: u32 = 66;

/// Answers any request from outside.
pub(super) fn route(org: &mut Org, request: &Request) -> Answer {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["services", "oauth2", rest @ ..] => auth::route(org, request, rest),
        ["services", "Soap", "u" | "c", rest @ ..] => soap::route(org, request, rest),
        ["id", organization, user] => auth::identity(org, request, organization, user),
        ["services", "data"] if request.method == "GET" => Answer::json(200, versions()),
        ["services", "data", version, rest @ ..] => match version_number(version) {
            Some(version) => data(org, request, version, rest),
            None => Answer::from(ApiError::no_resource()),
        },
        _ => Answer::from(ApiError::no_resource()),
    }
}

/// Answers what stands behind `/services/data/vNN.0/`, for this caller; subrequests come here too.
pub(super) fn resource(org: &mut Org, caller: &Caller, request: &Request, path: &[&str]) -> Answer {
    match path {
        [] => only_get(request, || Answer::json(200, resources(caller))),
        ["limits"] => only_get(request, || Answer::json(200, limits(org))),
        ["limits", "recordCount"] => only_get(request, || record_count(org, request)),
        ["query"] => only_get(request, || query::start(org, caller, request, false)),
        ["queryAll"] => only_get(request, || query::start(org, caller, request, true)),
        ["query" | "queryAll", locator] => only_get(request, || query::next(org, caller, locator)),
        ["search"] => search::sosl(org, caller, request),
        ["parameterizedSearch"] => search::parameterized(org, caller, request),
        ["ui-api", "object-info", object, "picklist-values", record_type] => {
            only_get(request, || settle(ui_api::picklist_values(org, caller, object, record_type, None)))
        }
        ["ui-api", "object-info", object, "picklist-values", record_type, field] => only_get(request, || {
            settle(ui_api::picklist_values(org, caller, object, record_type, Some(field)))
        }),
        ["recent"] => only_get(request, || Answer::json(200, json!([]))),
        ["sobjects"] => only_get(request, || describe::global(org, caller)),
        ["sobjects", rest @ ..] => sobjects::route(org, caller, request, rest),
        ["composite"] => composite::run(org, caller, request),
        ["composite", "batch"] => composite::batch(org, caller, request),
        ["composite", "tree", object] => tree::create(org, caller, request, object),
        ["composite", "sobjects", rest @ ..] => collections::route(org, caller, request, rest),
        ["jobs", "ingest", rest @ ..] => bulk::route(org, caller, request, rest),
        _ => Answer::from(ApiError::no_resource()),
    }
}

/// Reads the parts of a `/services/data/vNN.0/…` path; `None` where it is none.
pub(super) fn data_path(request: &Request) -> Option<(u32, Vec<&str>)> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["services", "data", version, rest @ ..] => Some((version_number(version)?, trimmed(rest))),
        _ => None,
    }
}

/// `v58.0` to 58.
pub(super) fn version_number(text: &str) -> Option<u32> {
    let number = text.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()?;
    (OLDEST_VERSION..=NEWEST_VERSION).contains(&number).then_some(number)
}

fn data(org: &mut Org, request: &Request, version: u32, path: &[&str]) -> Answer {
    let user_id = match auth::authenticate(org, request.header("authorization")) {
        Ok(user_id) => user_id,
        Err(error) => return Answer::from(error).with_header("www-authenticate", "Token".to_owned()),
    };
    if org.api_requests >= org.config.daily_api_requests {
        let error = ApiError::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        return Answer::from(error).with_header("sforce-limit-info", usage(org));
    }
    org.api_requests += 1;
    let caller = Caller::new(user_id, version).with_headers(request);
    let answer = resource(org, &caller, request, &trimmed(path));
    let usage = usage(org);
    answer.with_header("sforce-limit-info", usage)
}

/// Takes a `.json` off the last segment, where that is not the value of an external ID.
fn trimmed<'a>(path: &[&'a str]) -> Vec<&'a str> {
    let mut path = path.to_vec();
    let is_key = path.first() == Some(&"sobjects") && path.len() == 4;
    if let (false, Some(last)) = (is_key, path.last_mut()) {
        *last = last.strip_suffix(".json").unwrap_or(last);
    }
    path
}

fn usage(org: &Org) -> String {
    format!("api-usage={}/{}", org.api_requests, org.config.daily_api_requests)
}

fn only_get(request: &Request, answer: impl FnOnce() -> Answer) -> Answer {
    if request.method == "GET" { answer() } else { method_not_allowed(&request.method, "GET,HEAD") }
}

fn versions() -> Value {
    // Version 20 was Winter '11, and three come a year.
    (OLDEST_VERSION..=NEWEST_VERSION)
        .map(|version| {
            let since = version - OLDEST_VERSION;
            let season = ["Winter", "Spring", "Summer"][(since % 3) as usize];
            let year = 11 + since / 3;
            json!({
                "label": format!("{season} '{year}"),
                "url": format!("/services/data/v{version}.0"),
                "version": format!("{version}.0"),
            })
        })
        .collect()
}

fn resources(caller: &Caller) -> Value {
    let names = [
        "composite",
        "jobs",
        "limits",
        "parameterizedSearch",
        "query",
        "queryAll",
        "recent",
        "search",
        "sobjects",
    ];
    let root = caller.root();
    Value::Object(names.iter().map(|name| ((*name).to_owned(), format!("{root}/{name}").into())).collect())
}

fn limits(org: &Org) -> Value {
    let max = org.config.daily_api_requests;
    let remaining = max.saturating_sub(org.api_requests);
    let mut limits = Map::new();
    limits.insert("DailyApiRequests".into(), json!({"Max": max, "Remaining": remaining}));
    for (name, max) in [
        ("DailyBulkApiBatches", 15_000),
        ("DailyBulkV2QueryJobs", 10_000),
        ("DailyStreamingApiEvents", 10_000),
        ("DataStorageMB", 1_024),
        ("FileStorageMB", 1_024),
        ("HourlyPublishedPlatformEvents", 50_000),
        ("SingleEmail", 5_000),
    ] {
        limits.insert(name.into(), json!({"Max": max, "Remaining": max}));
    }
    Value::Object(limits)
}

fn record_count(org: &Org, request: &Request) -> Answer {
    let wanted: Vec<&str> = request
        .parameter("sObjects")
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .collect();
    let counts: Vec<Value> = org
        .schema
        .objects()
        .filter(|object| {
            wanted.is_empty() || wanted.iter().any(|name| name.eq_ignore_ascii_case(&object.name))
        })
        .map(|object| {
            let count = org.store.records(&object.name).filter(|record| !record.deleted).count();
            json!({"count": count, "name": object.name})
        })
        .collect();
    Answer::json(200, json!({"sObjects": counts}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_carry_their_season() {
        let versions = versions();
        let label = |number: usize| versions[number - 20]["label"].as_str().unwrap_or_default().to_owned();
        assert_eq!(label(31), "Summer '14");
        assert_eq!(label(58), "Summer '23");
        assert_eq!(label(60), "Spring '24");
        assert_eq!(version_number("v58.0"), Some(58));
        for bad in ["58.0", "v58", "v12.0", "v99.0", "vx.0"] {
            assert_eq!(version_number(bad), None, "{bad}");
        }
    }
}
