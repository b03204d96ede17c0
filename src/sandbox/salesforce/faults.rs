//! Salesforce's bad days: the answers that a fault can name, and errors for single records of a request.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Body, Request};
use super::org::{Caller, Org};
use super::schema::Schema;
use super::{ids, operations, soap};
use crate::sandbox::core::{Fault, Parameters, RecordFault, Reply, Side, Spoiler, Target, stem, unknown};

/// The media type of the REST API's answers.
pub(super) const JSON: &str = "application/json;charset=UTF-8";

/// The answers that a fault can name, beside those of the line.
pub(super) const ANSWERS: &[&str] = &[
    "api_disabled",
    "converted_lead",
    "duplicate_value",
    "duplicates_alert",
    "duplicates_converted_lead",
    "duplicates_detected",
    "duplicates_other_object",
    "duplicates_several",
    "entity_is_deleted",
    "error",
    "field_not_writable",
    "insufficient_access",
    "invalid_field",
    "not_found",
    "request_limit",
    "required_field_missing",
    "restricted_picklist",
    "server_error",
    "server_unavailable",
    "session_expired",
    "several_records",
    "string_too_long",
    "unable_to_lock_row",
    "validation_rule",
];

const LOCKED: &str = "unable to obtain exclusive access to this record or 1 records";

/// Whether Salesforce has all that a fault names; the key at fault, and what to write. `custom` are an organisation's
/// own objects.
pub(super) fn check(fault: &Fault, custom: &[String]) -> Result<(), (&'static str, String)> {
    fault.check(Side::Salesforce)?;
    if let Some(operation) = &fault.operation {
        let name = stem(operation);
        if operation.split('.').next() != Some("salesforce") && !operation.starts_with('*') {
            return Err((
                "operation",
                format!("write the server's name before it: `salesforce.{operation}`"),
            ));
        }
        if !operation.contains('*') && !operations::NAMES.contains(&name) {
            return Err(("operation", unknown("operation", name, operations::NAMES.iter().copied())));
        }
    }
    let objects = [fault.object.as_deref(), fault.record.as_ref().map(|record| record.object.as_str())];
    for object in objects.into_iter().flatten().filter(|object| !object.is_empty()) {
        let schema = Schema::built_in();
        if schema.object(object).is_none() && !custom.iter().any(|known| known.eq_ignore_ascii_case(object)) {
            let known = schema.objects().map(|known| known.name.as_str());
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
    parameters.text("spelling", "");
    parameters.finish(name).map_err(|message| ("with", message))
}

/// What a named answer takes from the request and the organisation.
#[derive(Default)]
struct Context<'a> {
    org: Option<&'a Org>,
    object: &'a str,
    root: String,
}

impl Context<'_> {
    /// Live records of an object, as an answer that names records has them.
    fn records(&self, object: &str, converted: bool, count: usize) -> Vec<String> {
        let records = self.org.into_iter().flat_map(|org| org.store.records(object));
        let live = records.filter(|record| !record.deleted);
        let fits = live.filter(|record| (record.get("IsConverted") == &Value::Bool(true)) == converted);
        let found: Vec<String> = fits.take(count).map(|record| record.id.clone()).collect();
        if !found.is_empty() {
            return found;
        }
        let prefix = self.org.and_then(|org| org.schema.object(object)?.key_prefix.clone());
        let prefix = prefix.unwrap_or_else(|| "000".to_owned());
        (1..=count as u64).map(|number| ids::mint(&prefix, 900_000 + number)).collect()
    }
}

/// Whether a fault strikes this caller: an alert is no obstacle to one who saves in spite of it.
pub(super) fn allows(fault: &Fault, allow_save: bool) -> bool {
    !(allow_save && fault.answer.as_deref().map(stem) == Some("duplicates_alert"))
}

/// The answer that a fault gives to a whole request.
pub(super) fn answer(org: &Org, fault: &Fault, target: &Target<'_>, request: &Request) -> Reply {
    let Some(name) = &fault.answer else { return Reply::explicit(fault, JSON).adjusted(fault) };
    let name = stem(name);
    let root = request.segments.get(2).filter(|version| version.starts_with('v'));
    let root = format!("/services/data/{}", root.map_or("v58.0", String::as_str));
    let context = Context { org: Some(org), object: target.object.unwrap_or("Lead"), root };
    let mut with = Parameters::new(&fault.with);
    if target.operation.contains(".soap_") {
        let error = named(name, &mut with, &context);
        return reply_of(soap::refused(&error.code, &error.message)).adjusted(fault);
    }
    if name == "several_records" {
        let found = several(&mut with, &context);
        let object = context.object;
        let urls: Vec<Value> =
            found.iter().map(|id| format!("{}/sobjects/{object}/{id}", context.root).into()).collect();
        return reply_of(Answer::json(300, urls)).adjusted(fault);
    }
    let error = named(name, &mut with, &context);
    let spelling = Parameters::new(&fault.with).text("spelling", "duplicateResut");
    let mut answer = Answer::from(error);
    if let Body::Json(Value::Array(errors)) = &mut answer.body
        && let Some(Value::Object(error)) = errors.first_mut()
        && let Some(found) = error.shift_remove("duplicateResut")
    {
        error.insert(spelling, found);
    }
    reply_of(answer).adjusted(fault)
}

/// An answer as it goes on the line.
pub(super) fn reply_of(answer: Answer) -> Reply {
    let (content_type, body) = match answer.body {
        Body::Empty => (None, String::new()),
        Body::Json(value) => (Some(JSON), value.to_string()),
        Body::Text(kind, text) => (Some(kind), text),
    };
    Reply {
        status: answer.status,
        headers: answer.headers.into_iter().map(|(name, value)| (name.into_owned(), value)).collect(),
        content_type: content_type.map(str::to_owned),
        body: body.into(),
    }
}

/// The error for one record about to be written.
pub(super) fn for_record(
    org: &Org,
    caller: &Caller,
    object: &str,
    body: &Map<String, Value>,
) -> Option<ApiError> {
    let text = || serde_json::to_string(body).unwrap_or_default();
    let strike = org.faults.strike_record(object, text, |fault| allows(fault, caller.allow_save))?;
    let record = strike.fault.record.unwrap_or_default();
    let context = Context { org: Some(org), object, root: caller.root() };
    Some(match &strike.fault.answer {
        Some(name) => {
            let error = named(stem(name), &mut Parameters::new(&strike.fault.with), &context);
            let status = strike.fault.status.unwrap_or(error.status);
            error.with_status(status)
        }
        None => plain_record(&record).with_status(strike.fault.status.unwrap_or(400)),
    })
}

fn plain_record(record: &RecordFault) -> ApiError {
    let code = record.code.clone().unwrap_or_else(|| "UNABLE_TO_LOCK_ROW".to_owned());
    coded(code, record.message.clone().unwrap_or_else(|| LOCKED.to_owned()), &[])
}

/// An error of any code.
fn coded(code: String, message: impl Into<String>, fields: &[&str]) -> ApiError {
    ApiError { code: Cow::Owned(code), ..ApiError::on_fields("", message, fields) }
}

fn several(with: &mut Parameters<'_>, context: &Context<'_>) -> Vec<String> {
    let given = with.texts("ids");
    if given.is_empty() { context.records(context.object, false, 2) } else { given }
}

fn named(name: &str, with: &mut Parameters<'_>, context: &Context<'_>) -> ApiError {
    match name {
        "session_expired" => ApiError::new("INVALID_SESSION_ID", "Session expired or invalid"),
        "request_limit" => ApiError::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        "api_disabled" => {
            ApiError::new("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
        }
        "insufficient_access" => {
            let message = "insufficient access rights on object id";
            ApiError::on_fields("INSUFFICIENT_ACCESS_OR_READONLY", message, &[]).with_status(403)
        }
        "not_found" => ApiError::no_resource(),
        "entity_is_deleted" => ApiError::on_fields("ENTITY_IS_DELETED", "entity is deleted", &[]),
        "server_error" => ApiError::new(
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support",
        ),
        "server_unavailable" => {
            ApiError::new("SERVER_UNAVAILABLE", "The server is unavailable. Please try again later.")
                .with_status(503)
        }
        "unable_to_lock_row" => ApiError::on_fields("UNABLE_TO_LOCK_ROW", LOCKED, &[]),
        "several_records" => {
            let found = several(with, context).join(", ");
            let message = format!("more than one record found for external id field: [{found}]");
            ApiError::on_fields("DUPLICATE_EXTERNAL_ID", message, &[])
        }
        "duplicate_value" => {
            let field = with.text("field", "HubSpot_Contact_ID__c");
            let first = context.records(context.object, false, 1).pop().unwrap_or_default();
            let id = with.text("id", ids::short(&first));
            let message = format!("duplicate value found: {field} duplicates value on record with id: {id}");
            ApiError::on_fields("DUPLICATE_VALUE", message, &[])
        }
        "error" => {
            let fields = with.texts("fields");
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            coded(with.text("code", "UNKNOWN_EXCEPTION"), with.text("message", "Something failed"), &fields)
        }
        name if name.starts_with("duplicates") => duplicates(name, with, context),
        name => field_error(name, with),
    }
}

fn field_error(name: &str, with: &mut Parameters<'_>) -> ApiError {
    let (code, field) = match name {
        "string_too_long" => ("STRING_TOO_LONG", "Title"),
        "restricted_picklist" => ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Status"),
        "required_field_missing" => ("REQUIRED_FIELD_MISSING", "LastName"),
        "invalid_field" => ("INVALID_FIELD", "Nope__c"),
        "field_not_writable" => ("INVALID_FIELD_FOR_INSERT_UPDATE", "IsConverted"),
        "validation_rule" => ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Phone"),
        _ => ("CANNOT_UPDATE_CONVERTED_LEAD", ""),
    };
    let field = if field.is_empty() { String::new() } else { with.text("field", field) };
    let message = match name {
        "string_too_long" => {
            let max = with.number("max", 128);
            format!("{field}: data value too large: (max length={max})")
        }
        "restricted_picklist" => {
            let value = with.text("value", "Unknown");
            format!("{field}: bad value for restricted picklist field: {value}")
        }
        "required_field_missing" => format!("Required fields are missing: [{field}]"),
        "invalid_field" => {
            let object = with.text("object", "Lead");
            format!("No such column '{field}' on sobject of type {object}")
        }
        "field_not_writable" => format!(
            "Unable to create/update fields: {field}. Please check the security settings of this field and verify that it \
             is read/write for your profile or permission set."
        ),
        "validation_rule" => with.text("message", "The phone number must have ten digits."),
        _ => "cannot reference converted lead".to_owned(),
    };
    let fields = [field.as_str()];
    let error = ApiError::on_fields(code, message, if field.is_empty() { &[] } else { &fields });
    if name == "invalid_field" { ApiError { fields: None, ..error } } else { error }
}

/// A finding of a duplicate rule: of the same object, of another, of a converted Lead, of several, or only an alert.
fn duplicates(name: &str, with: &mut Parameters<'_>, context: &Context<'_>) -> ApiError {
    let own = if context.object.is_empty() { "Lead" } else { context.object };
    let (default, converted, count) = match name {
        "duplicates_other_object" => (if own == "Contact" { "Lead" } else { "Contact" }, false, 1),
        "duplicates_converted_lead" => ("Lead", true, 1),
        "duplicates_several" => (own, false, 2),
        _ => (own, false, 1),
    };
    let object = with.text("object", default);
    let mut found = with.texts("ids");
    if found.is_empty() {
        found = context.records(&object, converted, count);
    }
    let records: Vec<Value> = found
        .iter()
        .map(|id| {
            let url = format!("{}/sobjects/{object}/{id}", context.root);
            json!({
                "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100,
                "record": {"attributes": {"type": object, "url": url}, "Id": id},
            })
        })
        .collect();
    let message = with.text(
        "message",
        "You're creating a duplicate record. We recommend you use an existing record instead.",
    );
    let result = json!({
        "allowSave": with.flag("allow_save", name == "duplicates_alert"),
        "duplicateRule": with.text("rule", &format!("{own}s_DR")),
        "duplicateRuleEntityType": own,
        "errorMessage": message,
        "matchResults": [{
            "entityType": object, "errors": [], "matchEngine": "ExactMatchEngine", "matchRecords": records,
            "rule": format!("{object}_MR"), "size": found.len(), "success": true,
        }],
    });
    let mut error = ApiError::on_fields("DUPLICATES_DETECTED", message, &[]);
    error.duplicate = Some(Box::new(result));
    error
}

/// A fault in the schema's own spelling of its object.
pub(super) fn in_spelling(schema: &Schema, mut fault: Fault) -> Fault {
    if let Some(object) = fault.object.as_ref().and_then(|object| schema.object(object)) {
        fault.object = Some(object.name.clone());
    }
    fault
}
