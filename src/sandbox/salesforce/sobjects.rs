//! `sobjects/X`: single records by id and by external ID, describe, and the lists of what changed.

use std::sync::Arc;

use chrono::{Duration, Timelike};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Request, method_not_allowed, settle};
use super::org::{Caller, Org, all_fields, show as show_record};
use super::records::{self, UpsertError};
use super::schema::{FieldFacts, ObjectFacts};
use super::{clock, describe, query};

/// The first version whose upsert of an existing record answers 200 with a body, not 204.
const UPSERT_BODY_VERSION: u32 = 46;

/// Answers `sobjects/…`.
pub(super) fn route(org: &mut Org, caller: &Caller, request: &Request, path: &[&str]) -> Answer {
    let schema = Arc::clone(&org.schema);
    let Some((name, rest)) = path.split_first() else { return Answer::from(ApiError::no_resource()) };
    let Some(object) = schema.object(name) else { return Answer::from(ApiError::no_resource()) };
    match (rest, request.method.as_str()) {
        ([], "GET") => describe::basic(caller, object),
        ([] | ["Id"], "POST") => settle(create(org, caller, object, request)),
        ([], method) => method_not_allowed(method, "GET,HEAD,POST"),
        (["describe"], "GET") => describe::full(org, caller, object),
        (["describe"], method) => method_not_allowed(method, "GET,HEAD"),
        (["updated" | "deleted"], "GET") => settle(changes(org, object, request, rest == ["deleted"])),
        ([id], _) => settle(by_id(org, caller, object, request, id)),
        ([key, value], _) if object.field(key).is_some_and(FieldFacts::is_key) => {
            settle(by_key(org, caller, object, request, key, value))
        }
        ([id, relationship], "GET") if records::find(org, object, id).is_ok() => {
            settle(related(org, caller, object, request, id, relationship))
        }
        ([key, _], _) => Answer::from(records::no_key(key)),
        _ => Answer::from(ApiError::no_resource()),
    }
}

/// The body as a map of fields; anything else is told in the words of the real deserializer.
pub(super) fn fields_of(request: &Request) -> Result<Map<String, Value>, ApiError> {
    match request.json()? {
        Value::Object(map) => Ok(map),
        other => {
            let token = match other {
                Value::Array(_) => "[",
                Value::Null => "null",
                _ => "value",
            };
            let message = format!(
                "Json Deserialization failed on token '{token}' and has left off in the middle of parsing a row. Will go \
                 to end of row to begin parsing the next row"
            );
            Err(ApiError::new("INVALID_FIELD", message))
        }
    }
}

/// Several records hold the key: 300 with their addresses.
pub(super) fn choices(caller: &Caller, object: &ObjectFacts, ids: &[String]) -> Answer {
    let urls: Vec<Value> =
        ids.iter().map(|id| format!("{}/sobjects/{}/{id}", caller.root(), object.name).into()).collect();
    Answer::json(300, urls)
}

/// The fields that `?fields=A,B` selects; all without it.
pub(super) fn selection<'a>(
    object: &'a ObjectFacts,
    names: Option<&str>,
) -> Result<Vec<&'a FieldFacts>, ApiError> {
    let Some(names) = names else { return Ok(all_fields(object)) };
    let mut fields: Vec<&FieldFacts> = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let field = object.field(name).ok_or_else(|| {
            let message = format!("No such column '{name}' on sobject of type {}", object.name);
            ApiError::new("INVALID_FIELD", message)
        })?;
        if !fields.iter().any(|known| known.name == field.name) {
            fields.push(field);
        }
    }
    if !fields.iter().any(|field| field.name == "Id") {
        fields.extend(object.field("Id"));
    }
    Ok(fields)
}

fn create(org: &mut Org, caller: &Caller, object: &ObjectFacts, request: &Request) -> Result<Answer, Answer> {
    let body = fields_of(request)?;
    let id = records::create(org, caller, &object.name, &body, &request.body)?;
    let location = format!("{}/sobjects/{}/{id}", caller.root(), object.name);
    Ok(Answer::json(201, json!({"id": id, "success": true, "errors": []})).with_header("location", location))
}

fn by_id(
    org: &mut Org,
    caller: &Caller,
    object: &ObjectFacts,
    request: &Request,
    id: &str,
) -> Result<Answer, Answer> {
    match request.method.as_str() {
        "GET" => read(org, caller, object, request, id),
        "PATCH" => {
            let body = fields_of(request)?;
            records::update(org, caller, &object.name, id, &body, &request.body)?;
            Ok(Answer::empty(204))
        }
        "DELETE" => {
            records::delete(org, caller, &object.name, id)?;
            Ok(Answer::empty(204))
        }
        method => Err(method_not_allowed(method, "HEAD,GET,PATCH,DELETE")),
    }
}

fn read(
    org: &Org,
    caller: &Caller,
    object: &ObjectFacts,
    request: &Request,
    id: &str,
) -> Result<Answer, Answer> {
    let id = records::find(org, object, id)?;
    let fields = selection(object, request.parameter("fields"))?;
    let record = org.store.live(&object.name, &id).ok_or_else(ApiError::no_resource)?;
    Ok(Answer::json(200, show_record(caller, record, &fields)))
}

fn by_key(
    org: &mut Org,
    caller: &Caller,
    object: &ObjectFacts,
    request: &Request,
    key: &str,
    value: &str,
) -> Result<Answer, Answer> {
    let refuse = |error: UpsertError| match error {
        UpsertError::Many(ids) => choices(caller, object, &ids),
        UpsertError::Errors(errors) => Answer::from(errors),
    };
    match request.method.as_str() {
        "GET" => {
            let id = records::find_by_key(org, object, key, value).map_err(refuse)?;
            read(org, caller, object, request, &id)
        }
        "DELETE" => {
            let id = records::find_by_key(org, object, key, value).map_err(refuse)?;
            records::delete(org, caller, &object.name, &id)?;
            Ok(Answer::empty(204))
        }
        "PATCH" => {
            let body = fields_of(request)?;
            if request.parameter("updateOnly") == Some("true") {
                records::find_by_key(org, object, key, value).map_err(refuse)?;
            }
            let done = records::upsert(org, caller, &object.name, key, value, &body, &request.body)
                .map_err(refuse)?;
            Ok(upserted(caller, object, &done))
        }
        method => Err(method_not_allowed(method, "HEAD,GET,PATCH,DELETE")),
    }
}

fn upserted(caller: &Caller, object: &ObjectFacts, done: &records::Upserted) -> Answer {
    let mut body = json!({"id": done.id, "success": true, "errors": []});
    if caller.version >= UPSERT_BODY_VERSION {
        body["created"] = done.created.into();
    } else if !done.created {
        return Answer::empty(204);
    }
    let location = format!("{}/sobjects/{}/{}", caller.root(), object.name, done.id);
    Answer::json(if done.created { 201 } else { 200 }, body).with_header("location", location)
}

/// `sobjects/X/id/RELATIONSHIP`: the parent, or the children as a query answers them.
fn related(
    org: &mut Org,
    caller: &Caller,
    object: &ObjectFacts,
    request: &Request,
    id: &str,
    relationship: &str,
) -> Result<Answer, Answer> {
    let schema = Arc::clone(&org.schema);
    let id = records::find(org, object, id)?;
    if let Some(field) = object.relationship(relationship) {
        let parent = org
            .store
            .live(&object.name, &id)
            .and_then(|record| record.text(&field.name))
            .map(str::to_owned)
            .ok_or_else(ApiError::no_resource)?;
        let target = schema.object_of_id(&parent).ok_or_else(ApiError::no_resource)?;
        return read(org, caller, target, request, &parent);
    }
    let child = schema.children_of(object).find(|(_, field)| {
        field.children.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship))
    });
    let (child, field) = child.ok_or_else(ApiError::no_resource)?;
    let fields = selection(child, request.parameter("fields"))?;
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let soql = format!("SELECT {} FROM {} WHERE {} = '{id}'", names.join(", "), child.name, field.name);
    Ok(query::answer(org, caller, &soql, false))
}

/// `updated/` and `deleted/`: what changed between two instants.
fn changes(org: &Org, object: &ObjectFacts, request: &Request, deleted: bool) -> Result<Answer, Answer> {
    let instant = |name: &str| {
        let text = request.parameter(name).unwrap_or_default();
        // A plus sign that nobody encoded arrives as a blank.
        // Seconds are ignored (Salesforce's REST guide: sObject Get Updated).
        clock::parse_instant(&text.replace(' ', "+")).and_then(|at| at.with_second(0)).ok_or_else(|| {
            ApiError::new("INVALID_REPLICATION_DATE", format!("{name} is not a valid date and time: {text}"))
        })
    };
    let (start, end) = (instant("start")?, instant("end")?);
    if end <= start {
        let message = "startDate has to be before endDate";
        return Err(ApiError::new("INVALID_REPLICATION_DATE", message).into());
    }
    if start < org.now() - Duration::days(30) {
        let message = "startDate cannot be more than 30 days ago";
        return Err(ApiError::new("INVALID_REPLICATION_DATE", message).into());
    }
    let earliest = org.now() - Duration::days(15);
    // A deletion can be asked for as long as it is in the recycle bin.
    let (from, to) = (clock::stamp(if deleted { start.max(earliest) } else { start }), clock::stamp(end));
    let within = |at: &str| at >= from.as_str() && at < to.as_str();
    let changed = org
        .store
        .records(&object.name)
        .filter(|record| record.deleted == deleted && record.text("SystemModstamp").is_some_and(within));
    let covered = clock::stamp(end.min(org.now()));
    Ok(if deleted {
        let in_the_bin =
            changed.map(|record| json!({"id": record.id, "deletedDate": record.get("SystemModstamp")}));
        let purged = org.store.purged(&object.name).filter(|purged| within(&purged.at));
        let purged = purged.map(|purged| json!({"id": purged.id, "deletedDate": purged.at}));
        let records: Vec<Value> = in_the_bin.chain(purged).collect();
        Answer::json(
            200,
            json!({
                "deletedRecords": records,
                "earliestDateAvailable": clock::stamp(earliest),
                "latestDateCovered": covered,
            }),
        )
    } else {
        let ids: Vec<Value> = changed.map(|record| record.id.clone().into()).collect();
        Answer::json(200, json!({"ids": ids, "latestDateCovered": covered}))
    })
}
