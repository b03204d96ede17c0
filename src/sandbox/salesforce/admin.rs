//! The sandbox's own resources under `/_sandbox`, which the real API does not have and which need no token.
//!
//! | call | what it does |
//! | --- | --- |
//! | `POST reset` | the organisation as it was at the start |
//! | `GET`, `DELETE calls` | the log of requests, and how many of each operation |
//! | `POST`, `GET`, `DELETE faults`, `DELETE faults/{name}` | puts faults, lists them with their use, removes all or one |
//! | `PUT`, `GET`, `DELETE clock` | sets, shifts or stops the clock, shows it, lets it run with the machine's |
//! | `POST`, `DELETE rules` | adds duplicate rules, removes all |
//! | `POST tokens/expire`, `POST tokens/revoke` | ends every session; takes the refresh tokens back too |
//! | `PUT`, `GET oauth` | `{deny, withhold: [scope], rotate}`: what people at the page and refresh tokens do |
//! | `POST limits` | `{used, max}` of the day's requests |
//! | `GET query?q=` | the rows of a SOQL query, deleted ones too |
//! | `GET`, `POST records/{object}` | lists records, deleted ones too; creates one past all validation but that of types |
//! | `GET`, `PATCH`, `DELETE records/{object}/{id}` | reads, changes, sends to the recycle bin |
//! | `POST records/{object}/{id}/undelete` | takes it out of the recycle bin |
//! | `POST records/{object}/{id}/purge` | deletes it for good; only `deleted/` tells of it |
//! | `POST records/Lead/{id}/convert` | converts a Lead as a rep does |
//! | `POST merge/{object}` | merges `lost` into `master` |
//! | `PATCH`, `DELETE schema/{object}/{field}` | changes or adds a field, deletes it |
//!
//! `?user=NAME` makes a change that person's; without it the integration user makes it.

use serde_json::{Map, Value, json};

use super::convert::{self, Conversion};
use super::error::ApiError;
use super::faults::check;
use super::http::{Answer, Request, method_not_allowed, settle};
use super::org::{Caller, Org, all_fields, show as show_record};
use super::route::NEWEST_VERSION;
use super::server::admin_caller;
use super::{ids, merge, query, records};
use crate::sandbox::core::{ClockSetting, Fault};

/// Answers `/_sandbox/…`.
pub(super) fn route(org: &mut Org, request: &Request) -> Answer {
    let rest: Vec<&str> = request.segments.iter().skip(1).map(String::as_str).collect();
    match (request.method.as_str(), rest.as_slice()) {
        ("POST", ["reset"]) => reset(org),
        ("GET", ["calls"]) => Answer::json(
            200,
            json!({
                "count": org.counts.values().sum::<u64>(), "operations": org.counts, "calls": org.calls,
                "apiRequests": org.api_requests,
            }),
        ),
        ("DELETE", ["calls"]) => {
            org.clear_calls();
            Answer::empty(204)
        }
        ("GET", ["faults"]) => Answer::json(200, json!({"faults": org.faults.list()})),
        ("DELETE", ["faults"]) => {
            org.faults.clear();
            Answer::empty(204)
        }
        ("POST", ["faults"]) => settle(put_faults(org, request)),
        ("DELETE", ["faults", name]) if org.faults.remove(name) => Answer::empty(204),
        ("GET", ["clock"]) => clock_answer(org),
        ("PUT", ["clock"]) => settle(set_clock(org, request)),
        ("DELETE", ["clock"]) => {
            org.config.clock.set(ClockSetting::default());
            clock_answer(org)
        }
        ("POST", ["rules"]) => settle(add(request, |rule| org.add_rule(rule))),
        ("DELETE", ["rules"]) => {
            org.clear_rules();
            Answer::empty(204)
        }
        (_, ["tokens" | "oauth", ..]) => settle(sessions(org, request, &rest)),
        ("POST", ["limits"]) => settle(set_limits(org, request)),
        ("GET", ["query"]) => settle(run_query(org, request)),
        (_, ["records", rest @ ..]) => records_route(org, request, rest),
        ("POST", ["merge", object]) => settle(merge_two(org, object, request)),
        (_, ["schema", rest @ ..]) => settle(schema(org, request, rest)),
        (_, [_, ..]) => method_not_allowed(&request.method, "GET,POST,DELETE"),
        _ => Answer::from(ApiError::no_resource()),
    }
}

fn records_route(org: &mut Org, request: &Request, rest: &[&str]) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET", [object]) => settle(list(org, object)),
        ("GET", [object, id]) => settle(show(org, object, id)),
        ("POST", [object]) => settle(create(org, object, request)),
        ("PATCH", [object, id]) => settle(change(org, object, id, request)),
        ("DELETE", [object, id]) => settle(as_person(org, request, |org, caller| {
            records::delete(org, caller, object, id).map(|()| Answer::empty(204))
        })),
        ("POST", [object, id, "undelete"]) => settle(as_person(org, request, |org, caller| {
            records::undelete(org, caller, object, id).map(|()| Answer::empty(204))
        })),
        ("POST", [object, id, "purge"]) => {
            settle(records::purge(org, object, id).map(|()| Answer::empty(204)).map_err(Answer::from))
        }
        ("POST", ["Lead", id, "convert"]) => settle(convert_one(org, id, request)),
        (method, [_, ..]) => method_not_allowed(method, "GET,POST,PATCH,DELETE"),
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

fn put_faults(org: &Org, request: &Request) -> Result<Answer, Answer> {
    let mut faults: Vec<Fault> = Vec::new();
    add(request, |fault| faults.push(fault))?;
    let custom: Vec<String> = org.schema.objects().map(|object| object.name.clone()).collect();
    for fault in &faults {
        check(fault, &custom).map_err(|(key, message)| refuse(format!("`{key}`: {message}")))?;
    }
    for fault in faults {
        org.arm(fault);
    }
    Ok(Answer::empty(204))
}

fn set_clock(org: &Org, request: &Request) -> Result<Answer, Answer> {
    let setting = serde_json::from_value(request.json()?).map_err(|error| refuse(error.to_string()))?;
    org.config.clock.set(setting);
    Ok(clock_answer(org))
}

fn clock_answer(org: &Org) -> Answer {
    Answer::json(200, json!({"now": org.config.clock.now().to_rfc3339()}))
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
    let user_id = person(org, request)?;
    merge::merge(org, &user_id, object, id("master"), id("lost")).map_err(|error| refuse(error.message))?;
    Ok(Answer::empty(204))
}

/// Whom `?user=NAME` makes the one who does it; the integration user without it.
fn person(org: &Org, request: &Request) -> Result<String, Answer> {
    let Some(name) = request.parameter("user") else { return Ok(org.default_user_id()) };
    let found = org.store.find_by_key("User", "Username", &name.into());
    found.first().cloned().ok_or_else(|| refuse(format!("there is no user `{name}`")))
}

fn as_person(
    org: &mut Org,
    request: &Request,
    work: impl FnOnce(&mut Org, &Caller) -> Result<Answer, Vec<ApiError>>,
) -> Result<Answer, Answer> {
    let caller = Caller::new(person(org, request)?, NEWEST_VERSION);
    let done = work(org, &caller);
    org.store.commit();
    done.map_err(Answer::from)
}

fn change(org: &mut Org, object: &str, id: &str, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let user_id = person(org, request)?;
    let empty = Map::new();
    org.change_as(&user_id, object, id, body.as_object().unwrap_or(&empty)).map_err(refuse)?;
    show(org, object, id)
}

/// What a rep does with one click; the body is the form, under the names of the SOAP element.
fn convert_one(org: &mut Org, id: &str, request: &Request) -> Result<Answer, Answer> {
    let form = if request.body.trim().is_empty() { Value::Null } else { request.json()? };
    as_person(org, request, |org, caller| {
        let done = convert::whole(org, caller, &Conversion::form(id, &form))?;
        let body =
            json!({"accountId": done.account, "contactId": done.contact, "opportunityId": done.opportunity});
        Ok(Answer::json(200, body))
    })
}

/// An administrator's changes to the schema: a field is changed, added or deleted.
fn schema(org: &mut Org, request: &Request, rest: &[&str]) -> Result<Answer, Answer> {
    match (request.method.as_str(), rest) {
        ("PATCH", [object, field]) => {
            let mut facts = request.json()?;
            let map = facts.as_object_mut().ok_or_else(|| refuse("the facts of a field are a map"))?;
            map.insert("name".to_owned(), (*field).into());
            org.define_field(object, &facts).map_err(refuse)?;
            let field = org.schema.object(object).and_then(|object| object.field(field));
            Ok(Answer::json(200, json!(field)))
        }
        ("DELETE", [object, field]) => {
            org.drop_field(object, field).map_err(refuse)?;
            Ok(Answer::empty(204))
        }
        (method, [_, _]) => Err(method_not_allowed(method, "PATCH,DELETE")),
        _ => Err(Answer::from(ApiError::no_resource())),
    }
}

/// Sessions and refresh tokens: how they end, and what the person at the page does.
fn sessions(org: &mut Org, request: &Request, rest: &[&str]) -> Result<Answer, Answer> {
    match (request.method.as_str(), rest) {
        ("POST", ["tokens", "expire"]) => org.sessions.expire_all(),
        ("POST", ["tokens", "revoke"]) => org.sessions.revoke_all(),
        ("GET", ["oauth"]) => return Ok(Answer::json(200, json!(org.sessions.settings))),
        ("PUT", ["oauth"]) => {
            let given = request.json()?;
            org.sessions.settings =
                serde_json::from_value(given).map_err(|error| refuse(error.to_string()))?;
            return Ok(Answer::json(200, json!(org.sessions.settings)));
        }
        (method, _) => return Err(method_not_allowed(method, "GET,POST,PUT")),
    }
    Ok(Answer::empty(204))
}

fn refuse(message: impl Into<String>) -> Answer {
    Answer::json(400, json!({"message": message.into()}))
}
