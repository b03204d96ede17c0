//! HubSpot's bad days: the answers that a fault can name, and faults of single inputs of a batch.

use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::auth::{expired, unauthenticated};
use super::batch::finish;
use super::catalog::Catalog;
use super::error::ApiError;
use super::http::{Headers, JSON, Shared, reply_of};
use super::limits::refused as limited;
use super::operations;
use super::request::{Answer, Call, Outcome};
use super::store::Portal;
use super::validate::{Problem, refused};
use crate::sandbox::core::{Fault, Parameters, Reply, Side, Spoiler, Target, stem, unknown};

/// The answers that a fault can name, beside those of the line.
pub(super) const ANSWERS: &[&str] = &[
    "bad_gateway",
    "contact_exists",
    "daily_limit",
    "expired_token",
    "gateway_timeout",
    "invalid_date",
    "invalid_email",
    "invalid_option",
    "limit_reached",
    "locked",
    "migrating",
    "missing_scopes",
    "not_found",
    "origin_down",
    "origin_slow",
    "origin_timeout",
    "origin_unreachable",
    "partial",
    "property_doesnt_exist",
    "rotated_token",
    "search_limit",
    "server_error",
    "ten_secondly_limit",
    "unavailable",
];

/// A named answer.
enum Named {
    /// An error in HubSpot's shape, and headers.
    Error(ApiError, Vec<(String, String)>),
    /// What stands before HubSpot answers in a text of its own.
    Text(u16, String),
}

impl From<ApiError> for Named {
    fn from(error: ApiError) -> Self {
        Self::Error(error, Vec::new())
    }
}

/// Whether HubSpot has all that a fault names; the key at fault, and what to write. `custom` are a portal's own objects.
pub(super) fn check(fault: &Fault, custom: &[String]) -> Result<(), (&'static str, String)> {
    fault.check(Side::Hubspot)?;
    if let Some(operation) = &fault.operation {
        let name = stem(operation);
        if operation.split('.').next() != Some("hubspot") && !operation.starts_with('*') {
            return Err(("operation", format!("write the server's name before it: `hubspot.{operation}`")));
        }
        if !operation.contains('*') && !operations::NAMES.contains(&name) {
            return Err(("operation", unknown("operation", name, operations::NAMES.iter().copied())));
        }
    }
    let objects = [fault.object.as_deref(), fault.record.as_ref().map(|record| record.object.as_str())];
    for object in objects.into_iter().flatten().filter(|object| !object.is_empty()) {
        let catalog = Catalog::standard();
        let own = custom.iter().any(|known| known.eq_ignore_ascii_case(object));
        if !own && catalog.resolve(object).is_err() {
            let known = catalog.objects().map(|known| known.name.as_str());
            let key = if fault.object.is_some() { "object" } else { "record" };
            return Err((key, unknown("object", object, known.chain(custom.iter().map(String::as_str)))));
        }
    }
    let Some(answer) = &fault.answer else { return Ok(()) };
    let name = stem(answer);
    if let Some(spoiler) = Spoiler::named(name) {
        if fault.record.is_some() {
            return Err(("record", format!("`{name}` is the line's affair and strikes whole requests")));
        }
        return spoiler.check(fault, name);
    }
    if !ANSWERS.contains(&name) {
        let line = Spoiler::NAMES.iter().map(|(name, _)| *name);
        return Err(("answer", unknown("answer", name, ANSWERS.iter().copied().chain(line))));
    }
    let mut parameters = Parameters::new(&fault.with);
    named(name, &mut parameters, &Context::default());
    parameters.finish(name).map_err(|message| ("with", message))
}

/// What a named answer takes from the request and the portal.
#[derive(Debug, Default)]
struct Context {
    batch: bool,
    /// The contact that has the e-mail that the request writes, or else any.
    contact: Option<String>,
    now: chrono::DateTime<chrono::Utc>,
    portal: u64,
}

impl Context {
    fn of(portal: &Portal, operation: &str, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let contact = portal.catalog.resolve("contact").ok().and_then(|object| {
            let email = body["properties"]["email"].as_str().unwrap_or_default();
            let first = || portal.tables.get(&object.id)?.records.keys().next().copied();
            portal.holder(&object, "email", email).or_else(first)
        });
        Self {
            batch: stem(operation).starts_with("batch_"),
            contact: contact.map(|id| id.to_string()),
            now: portal.clock.now(),
            portal: portal.id,
        }
    }
}

/// The answer that a fault names; `None` where it is the line's or has no name.
pub(super) fn answer(portal: &Portal, fault: &Fault, target: &Target<'_>) -> Reply {
    let Some(name) = &fault.answer else {
        let mut fault = fault.clone();
        if fault.body.is_none() {
            let status = fault.status.unwrap_or(503);
            let error = ApiError::new(status, "INTERNAL_ERROR", format!("Injected answer {status}"));
            fault.body = Some(error.body());
        }
        return Reply::explicit(&fault, JSON).adjusted(&fault);
    };
    let context = Context::of(portal, target.operation, target.body);
    let reply = match named(stem(name), &mut Parameters::new(&fault.with), &context) {
        Named::Error(error, headers) => {
            let mut reply = reply_of(Err(error), Vec::new());
            reply.headers.extend(headers);
            reply
        }
        Named::Text(status, text) => Reply {
            status,
            headers: Vec::new(),
            content_type: Some("text/plain; charset=UTF-8".to_owned()),
            body: Bytes::from(text),
        },
    };
    reply.adjusted(fault)
}

fn named(name: &str, with: &mut Parameters<'_>, context: &Context) -> Named {
    match name {
        "expired_token" => {
            let ago = i64::try_from(with.number("seconds_ago", 5)).ok().and_then(TimeDelta::try_seconds);
            expired(context.now - ago.unwrap_or_default(), context.now).into()
        }
        "rotated_token" => unauthenticated().into(),
        "missing_scopes" => missing_scopes(with.texts("scopes"), with.flag("granular", true)).into(),
        "limit_reached" => {
            let message = with.text("message", "You have reached the limit of records of this account.");
            ApiError::new(403, "FORBIDDEN", message).into()
        }
        "not_found" => ApiError::not_found().into(),
        "contact_exists" => {
            let id = with.text("id", context.contact.as_deref().unwrap_or("123"));
            contact_exists(&id, context.batch).into()
        }
        "property_doesnt_exist" | "invalid_option" | "invalid_email" | "invalid_date" => {
            property_error(name, with, context.portal).into()
        }
        "partial" => {
            let category = with.text("category", "VALIDATION_ERROR");
            ApiError::new(400, category, with.text("message", "The input could not be processed")).into()
        }
        "locked" => {
            let message = "This resource is locked. Wait at least 2 seconds before you try again.";
            ApiError::new(423, "LOCKED", message).into()
        }
        "ten_secondly_limit" => {
            let error = limited("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.");
            Named::Error(error, used_up(&["Max", "Remaining", "Interval-Milliseconds"]))
        }
        "daily_limit" => {
            let error = limited("DAILY", "You have reached your daily limit.");
            Named::Error(error, used_up(&["Daily", "Daily-Remaining"]))
        }
        "search_limit" => limited("SECONDLY", "You have reached your secondly limit.").into(),
        "migrating" => {
            let after = with.number("retry_after", 1).to_string();
            let message = "This account is being migrated to another data centre.";
            Named::Error(ApiError::plain(477, message), vec![("Retry-After".to_owned(), after)])
        }
        _ => outage(name),
    }
}

/// The headers of a limit that is used up.
fn used_up(names: &[&str]) -> Vec<(String, String)> {
    let value = |name: &str| match name {
        "Max" => "100",
        "Interval-Milliseconds" => "10000",
        "Daily" => "250000",
        _ => "0",
    };
    names.iter().map(|name| (format!("X-HubSpot-RateLimit-{name}"), value(name).to_owned())).collect()
}

fn outage(name: &str) -> Named {
    let (status, message) = match name {
        "server_error" => (500, "internal error"),
        "bad_gateway" => (502, "Bad gateway"),
        "unavailable" => (503, "Service unavailable"),
        "gateway_timeout" => (504, "There was a timeout"),
        "origin_down" => return Named::Text(521, "error code: 521".to_owned()),
        "origin_timeout" => return Named::Text(522, "error code: 522".to_owned()),
        "origin_unreachable" => return Named::Text(523, "error code: 523".to_owned()),
        _ => return Named::Text(524, "error code: 524".to_owned()),
    };
    ApiError::new(status, "INTERNAL_ERROR", message).into()
}

/// 403 for a token without these scopes.
pub(super) fn missing_scopes(mut scopes: Vec<String>, granular: bool) -> ApiError {
    if scopes.is_empty() {
        scopes.push("crm.objects.contacts.write".to_owned());
    }
    let message = "This app hasn't been granted all required scopes to make this call. Read more about required scopes \
                   here: https://developers.hubspot.com/scopes.";
    let key = if granular { "requiredGranularScopes" } else { "requiredScopes" };
    ApiError::new(403, "MISSING_SCOPES", message)
        .errors(vec![json!({
            "message": "One or more of the following scopes are required.",
            "context": {key: scopes},
        })])
        .extra("links", json!({"scopes": "https://developers.hubspot.com/scopes"}))
}

/// One contact's conflict tells the id; a whole batch's does not.
fn contact_exists(id: &str, batch: bool) -> ApiError {
    if batch {
        return ApiError::new(409, "CONFLICT", "Contact already exists");
    }
    ApiError::new(409, "CONFLICT", format!("Contact already exists. Existing ID: {id}"))
}

fn property_error(name: &str, with: &mut Parameters<'_>, portal: u64) -> ApiError {
    let (code, property, value) = match name {
        "invalid_option" => ("INVALID_OPTION", "lifecyclestage", Some("no-such-stage")),
        "invalid_email" => ("INVALID_EMAIL", "email", Some("not an address")),
        "invalid_date" => ("INVALID_DATE", "closedate", Some("yesterday")),
        _ => ("PROPERTY_DOESNT_EXIST", "no_such_property", None),
    };
    let property = with.text("property", property);
    let value = value.map(|value| with.text("value", value));
    let shown = value.as_deref().unwrap_or_default();
    let message = match code {
        "INVALID_OPTION" => format!("{shown} was not one of the allowed options: []"),
        "INVALID_EMAIL" => format!("Email address {shown} is invalid"),
        "INVALID_DATE" => format!("{shown} was not a valid long."),
        _ => format!("Property \"{property}\" does not exist"),
    };
    let in_message = with.flag("in_message", true);
    let in_errors = with.flag("in_errors", true);
    let error = refused(&[Problem { name: property, code, message, value }], portal);
    let error = if in_errors { error } else { error.errors(Vec::new()) };
    if in_message {
        return error;
    }
    let mut error = error;
    "Property values were not valid".clone_into(&mut error.message);
    error
}

/// Carries a request out, except for the single inputs that faults strike.
pub(super) fn with_records(
    shared: &Shared,
    call: &Call,
    target: &Target<'_>,
    carry_out: impl FnOnce(&Call) -> (Outcome, Headers),
) -> (Outcome, Headers) {
    let operation = stem(target.operation);
    let one = matches!(operation, "create" | "update" | "upsert");
    let many = matches!(operation, "batch_create" | "batch_update" | "batch_upsert" | "batch_read");
    let Some(object) = target.object.filter(|_| one || many) else { return carry_out(call) };
    let Ok(mut body) = serde_json::from_slice::<Value>(&call.body) else { return carry_out(call) };
    let strike = |input: &Value| {
        let strike = shared.faults.strike_record(object, || input.to_string(), |_| true)?;
        Some(record_error(shared, &strike.fault, target))
    };
    if one {
        return match strike(&body) {
            Some(error) => (Err(error), Vec::new()),
            None => carry_out(call),
        };
    }
    let Some(inputs) = body["inputs"].as_array_mut() else { return carry_out(call) };
    let given = std::mem::take(inputs);
    let mut failed = Vec::new();
    for input in given {
        match strike(&input) {
            Some(error) => failed.push((input, error)),
            None => inputs.push(input),
        }
    }
    if failed.is_empty() {
        return carry_out(call);
    }
    let trace = |input: &Value| input["objectWriteTraceId"].as_str().map(str::to_owned);
    let traced = operation == "batch_read"
        || (failed.iter().map(|(input, _)| input).chain(inputs.iter()).all(|input| trace(input).is_some()));
    if let (false, Some((_, error))) = (traced, failed.first()) {
        return (Err(error.clone()), Vec::new());
    }
    let entries: Vec<Value> =
        failed.iter().map(|(input, error)| error.entry(trace(input).as_deref())).collect();
    let rest = Call { body: Bytes::from(body.to_string()), ..call.clone() };
    if body["inputs"].as_array().is_none_or(Vec::is_empty) {
        return (shared.with(|portal| finish(portal, 200, Vec::new(), entries)), Vec::new());
    }
    let (outcome, headers) = carry_out(&rest);
    (outcome.map(|answer| with_errors(answer, entries)), headers)
}

/// The error of one record.
fn record_error(shared: &Shared, fault: &Fault, target: &Target<'_>) -> ApiError {
    let record = fault.record.clone().unwrap_or_default();
    let mut context = shared.with(|portal| Context::of(portal, target.operation, target.body));
    context.batch = false;
    if let Some(name) = &fault.answer
        && let Named::Error(error, _) = named(stem(name), &mut Parameters::new(&fault.with), &context)
    {
        let existing = stem(name) == "contact_exists";
        let id = Parameters::new(&fault.with).text("id", context.contact.as_deref().unwrap_or("123"));
        return if existing { error.context("existingId", &[id]) } else { error };
    }
    let code = record.code.unwrap_or_else(|| "VALIDATION_ERROR".to_owned());
    let message = record.message.unwrap_or_else(|| "The input could not be processed".to_owned());
    ApiError::new(fault.status.unwrap_or(400), code, message)
}

/// A batch answer with more errors in it: 207.
fn with_errors(mut answer: Answer, entries: Vec<Value>) -> Answer {
    let Some(body) = &mut answer.body else { return answer };
    let mut errors = body["errors"].as_array().cloned().unwrap_or_default();
    errors.extend(entries);
    body["numErrors"] = errors.len().into();
    body["errors"] = errors.into();
    answer.status = 207;
    answer
}

/// A fault in the portal's own spelling of its object; `partial` without a record fails the first input.
pub(super) fn in_spelling(portal: &Portal, mut fault: Fault) -> Fault {
    let spell =
        |name: &String| portal.catalog.resolve(name).map_or(name.clone(), |object| object.name.clone());
    fault.object = fault.object.as_ref().map(spell);
    if fault.answer.as_deref().map(stem) == Some("partial") && fault.record.is_none() {
        fault.record = Some(crate::sandbox::core::RecordFault::default());
    }
    if let Some(record) = fault.record.as_mut().filter(|record| !record.object.is_empty()) {
        record.object = spell(&record.object);
    }
    fault
}

/// The names of the portal's own objects.
pub(super) fn custom(portal: &Portal) -> Vec<String> {
    let own = portal.catalog.objects().filter(|object| object.id.starts_with("2-"));
    own.flat_map(|object| [object.name.clone(), object.plural.clone(), object.id.clone()]).collect()
}
