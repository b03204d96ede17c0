//! The sandbox's own resources under `/_sandbox`, which the real API does not have and which need no token.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Request, method_not_allowed, settle};
use super::org::{Org, all_fields, show as show_record};
use super::server::admin_caller;
use super::{ids, merge, query};

/// Answers `/_sandbox/{reset,calls,faults,rules,limits,tokens/expire,query,records/OBJECT[/ID],merge/OBJECT}`.
pub(super) fn route(org: &mut Org, request: &Request) -> Answer {
    let rest: Vec<&str> = request.segments.iter().skip(1).map(String::as_str).collect();
    match (request.method.as_str(), rest.as_slice()) {
        ("POST", ["reset"]) => reset(org),
        ("GET", ["calls"]) => Answer::json(200, json!({"calls": org.calls, "apiRequests": org.api_requests})),
        ("DELETE", ["calls"]) => {
            org.calls.clear();
            Answer::empty(204)
        }
        ("GET", ["faults"]) => Answer::json(200, json!(org.faults.list())),
        ("DELETE", ["faults"]) => {
            org.faults.clear();
            Answer::empty(204)
        }
        ("POST", ["faults"]) => settle(add(request, |fault| org.faults.add(fault))),
        ("POST", ["rules"]) => settle(add(request, |rule| org.rules.push(rule))),
        ("DELETE", ["rules"]) => {
            org.rules.clear();
            Answer::empty(204)
        }
        ("POST", ["tokens", "expire"]) => {
            org.sessions.expire_all();
            Answer::empty(204)
        }
        ("POST", ["limits"]) => settle(set_limits(org, request)),
        ("GET", ["query"]) => settle(run_query(org, request)),
        ("GET", ["records", object]) => settle(list(org, object)),
        ("GET", ["records", object, id]) => settle(show(org, object, id)),
        ("POST", ["records", object]) => settle(create(org, object, request)),
        ("POST", ["merge", object]) => settle(merge_two(org, object, request)),
        (_, [_, ..]) => method_not_allowed(&request.method, "GET,POST,DELETE"),
        _ => Answer::from(ApiError::no_resource()),
    }
}

fn reset(org: &mut Org) -> Answer {
    match Org::new(org.config.clone(), org.base_url.clone()) {
        Ok(fresh) => {
            // Sessions outlive a reset, so that a client under test need not sign in again; user ids are the same.
            let sessions = std::mem::take(&mut org.sessions);
            *org = fresh;
            org.sessions = sessions;
            Answer::empty(204)
        }
        Err(message) => refuse(message),
    }
}

fn add<T: serde::de::DeserializeOwned>(
    request: &Request,
    mut store: impl FnMut(T),
) -> Result<Answer, Answer> {
    let items = match request.json()? {
        Value::Array(items) => items,
        item => vec![item],
    };
    for item in items {
        store(serde_json::from_value(item).map_err(|error| refuse(error.to_string()))?);
    }
    Ok(Answer::empty(204))
}

fn set_limits(org: &mut Org, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    if let Some(used) = body.get("used").and_then(Value::as_u64) {
        org.api_requests = used;
    }
    if let Some(max) = body.get("max").and_then(Value::as_u64) {
        org.config.daily_api_requests = max;
    }
    Ok(Answer::json(200, json!({"used": org.api_requests, "max": org.config.daily_api_requests})))
}

fn run_query(org: &Org, request: &Request) -> Result<Answer, Answer> {
    let soql = request.parameter("q").unwrap_or_default();
    let result = query::run(org, &admin_caller(org), soql, true)?;
    Ok(Answer::json(200, json!({"totalSize": result.total, "records": result.records})))
}

fn list(org: &Org, object: &str) -> Result<Answer, Answer> {
    let facts = org.schema.object(object).ok_or_else(ApiError::no_resource)?;
    let caller = admin_caller(org);
    let fields = all_fields(facts);
    let records: Vec<Value> =
        org.store.records(&facts.name).map(|record| show_record(&caller, record, &fields)).collect();
    Ok(Answer::json(200, json!({"records": records})))
}

fn show(org: &Org, object: &str, id: &str) -> Result<Answer, Answer> {
    let facts = org.schema.object(object).ok_or_else(ApiError::no_resource)?;
    let record = ids::normalize(id)
        .and_then(|id| org.store.get(&facts.name, &id))
        .ok_or_else(ApiError::no_resource)?;
    Ok(Answer::json(200, show_record(&admin_caller(org), record, &all_fields(facts))))
}

fn create(org: &mut Org, object: &str, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let empty = Map::new();
    let id = org.import(object, body.as_object().unwrap_or(&empty)).map_err(refuse)?;
    Ok(Answer::json(201, json!({"id": id})))
}

/// `{"master": ID, "lost": ID}`
fn merge_two(org: &mut Org, object: &str, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let id = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    merge::merge(org, object, id("master"), id("lost")).map_err(|error| refuse(error.message))?;
    Ok(Answer::empty(204))
}

fn refuse(message: impl Into<String>) -> Answer {
    Answer::json(400, json!({"message": message.into()}))
}
