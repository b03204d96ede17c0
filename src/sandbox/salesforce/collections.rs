//! `composite/sobjects`: up to 200 records in one request, each with its own result.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Request, method_not_allowed, settle};
use super::ids;
use super::org::{Caller, Org, show as show_record};
use super::records::{self, UpsertError, Upserted};
use super::schema::ObjectFacts;
use super::sobjects::selection;

/// Records in one request (Salesforce's REST guide: sObject Collections).
const MAX_RECORDS: usize = 200;

/// Records in one read.
const MAX_READ: usize = 2_000;

/// One record's outcome: its id, and whether it is new where the request cannot tell.
type Outcome = Result<(String, Option<bool>), Vec<ApiError>>;

/// Answers `composite/sobjects…`.
pub(super) fn route(org: &mut Org, caller: &Caller, request: &Request, path: &[&str]) -> Answer {
    match (path, request.method.as_str()) {
        ([], "POST") => settle(write(org, caller, request, create_one)),
        ([], "PATCH") => settle(write(org, caller, request, update_one)),
        ([], "DELETE") => settle(delete(org, caller, request)),
        ([], method) => method_not_allowed(method, "POST,PATCH,DELETE"),
        ([object], "POST" | "GET") => settle(read(org, caller, request, object)),
        ([object, key], "PATCH") => settle(upsert(org, caller, request, object, key)),
        ([_, _], method) => method_not_allowed(method, "PATCH"),
        _ => Answer::from(ApiError::no_resource()),
    }
}

fn write(
    org: &mut Org,
    caller: &Caller,
    request: &Request,
    one: fn(&mut Org, &Caller, &Map<String, Value>, &str) -> Outcome,
) -> Result<Answer, Answer> {
    let (all_or_none, records) = body(request)?;
    Ok(each(org, all_or_none, &records, |org, record| one(org, caller, record, &request.body)))
}

fn create_one(org: &mut Org, caller: &Caller, record: &Map<String, Value>, raw: &str) -> Outcome {
    let object = type_of(org, record)?;
    records::create(org, caller, &object, record, raw).map(|id| (id, None))
}

fn update_one(org: &mut Org, caller: &Caller, record: &Map<String, Value>, raw: &str) -> Outcome {
    let object = type_of(org, record)?;
    let mut fields = record.clone();
    let key = fields.keys().find(|key| key.eq_ignore_ascii_case("id")).cloned();
    let id = key.and_then(|key| fields.shift_remove(&key));
    let Some(id) = id.as_ref().and_then(Value::as_str) else {
        let message = "Id not specified in an update call";
        return Err(vec![ApiError::on_fields("MISSING_ARGUMENT", message, &["Id"])]);
    };
    let id = long_id(org, &object, id)?;
    records::update(org, caller, &object, &id, &fields, raw).map(|()| (id, None))
}

fn delete(org: &mut Org, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let wanted: Vec<String> = request
        .parameter("ids")
        .unwrap_or_default()
        .split(',')
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .collect();
    if wanted.is_empty() {
        return Err(ApiError::new("MISSING_ARGUMENT", "The ids parameter is required").into());
    }
    limit(wanted.len(), MAX_RECORDS)?;
    let all_or_none = request.parameter("allOrNone").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Ok(each(org, all_or_none, &wanted, |org, id| {
        let object = ids::normalize(id)
            .and_then(|long| org.schema.object_of_id(&long).map(|object| object.name.clone()))
            .ok_or_else(|| vec![malformed(id)])?;
        let long = long_id(org, &object, id)?;
        records::delete(org, caller, &object, &long).map(|()| (long, None))
    }))
}

fn upsert(
    org: &mut Org,
    caller: &Caller,
    request: &Request,
    object: &str,
    key: &str,
) -> Result<Answer, Answer> {
    let facts: ObjectFacts = org.schema.object(object).ok_or_else(ApiError::no_resource)?.clone();
    let field = facts.field(key).filter(|field| field.is_key()).ok_or_else(|| records::no_key(key))?;
    let key = field.name.clone();
    let (all_or_none, items) = body(request)?;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in &items {
        if let Some(value) = key_value(item, &key) {
            *seen.entry(value.to_lowercase()).or_default() += 1;
        }
    }
    Ok(each(org, all_or_none, &items, |org, item| {
        let object = type_of(org, item).unwrap_or_else(|_| facts.name.clone());
        if object != facts.name {
            let message = format!("Record is of type {object}, not {}", facts.name);
            return Err(vec![ApiError::on_fields("INVALID_TYPE", message, &[])]);
        }
        let Some(value) = key_value(item, &key) else {
            let message = format!("{key} not specified");
            return Err(vec![ApiError::on_fields("MISSING_ARGUMENT", message, &[])]);
        };
        if seen.get(&value.to_lowercase()).is_some_and(|count| *count > 1) {
            let message = format!("Duplicate external id specified: {value}");
            return Err(vec![ApiError::on_fields("DUPLICATE_VALUE", message, &[&key])]);
        }
        let mut fields = item.clone();
        fields.retain(|name, _| !name.eq_ignore_ascii_case(&key));
        match records::upsert(org, caller, &facts.name, &key, &value, &fields, &request.body) {
            Ok(Upserted { id, created }) => Ok((id, Some(created))),
            Err(UpsertError::Errors(errors)) => Err(errors),
            Err(UpsertError::Many(found)) => {
                let message = format!(
                    "{key}: more than one record found for external id field: [{}]",
                    found.join(", ")
                );
                Err(vec![ApiError::on_fields("DUPLICATE_EXTERNAL_ID", message, &[&key])])
            }
        }
    }))
}

fn read(org: &Org, caller: &Caller, request: &Request, object: &str) -> Result<Answer, Answer> {
    let facts = org.schema.object(object).ok_or_else(ApiError::no_resource)?;
    let texts = |value: Option<&Value>| -> Vec<String> {
        let list = value.and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (wanted, names) = if request.method == "POST" {
        let body = request.json()?;
        (texts(body.get("ids")), texts(body.get("fields")).join(","))
    } else {
        let ids = request.parameter("ids").unwrap_or_default().split(',').map(str::to_owned).collect();
        (ids, request.parameter("fields").unwrap_or_default().to_owned())
    };
    if wanted.is_empty() || names.is_empty() {
        return Err(ApiError::new("MISSING_ARGUMENT", "The ids and fields parameters are required").into());
    }
    limit(wanted.len(), MAX_READ)?;
    let fields = selection(facts, Some(&names))?;
    let records: Vec<Value> = wanted
        .iter()
        .map(|id| {
            ids::normalize(id)
                .and_then(|id| org.store.live(&facts.name, &id))
                .map_or(Value::Null, |record| show_record(caller, record, &fields))
        })
        .collect();
    Ok(Answer::json(200, records))
}

/// Does each of them; with all-or-none, one failure takes all back.
fn each<T>(
    org: &mut Org,
    all_or_none: bool,
    items: &[T],
    mut one: impl FnMut(&mut Org, &T) -> Outcome,
) -> Answer {
    let mark = org.store.mark();
    let outcomes: Vec<Outcome> = items.iter().map(|item| one(org, item)).collect();
    let failed = outcomes.iter().any(Result::is_err);
    if all_or_none && failed {
        org.store.rollback(mark);
    }
    let results: Vec<Value> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(_) if all_or_none && failed => failure(&[rolled_back()]),
            Ok((id, created)) => {
                let mut result = json!({"id": id, "success": true, "errors": []});
                if let Some(created) = created {
                    result["created"] = created.into();
                }
                result
            }
            Err(errors) => failure(&errors),
        })
        .collect();
    Answer::json(200, results)
}

fn failure(errors: &[ApiError]) -> Value {
    json!({"success": false, "errors": errors.iter().map(ApiError::to_result).collect::<Vec<_>>()})
}

fn rolled_back() -> ApiError {
    let message =
        "Record rolled back because not all records were valid and the request was using AllOrNone header";
    ApiError::on_fields("ALL_OR_NONE_OPERATION_ROLLED_BACK", message, &[])
}

fn body(request: &Request) -> Result<(bool, Vec<Map<String, Value>>), ApiError> {
    let body = request.json()?;
    let Some(records) = body.get("records").and_then(Value::as_array) else {
        return Err(ApiError::new("MISSING_ARGUMENT", "The request must contain a list of records"));
    };
    limit(records.len(), MAX_RECORDS)?;
    let all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
    let records = records
        .iter()
        .map(|record| {
            record.as_object().cloned().ok_or_else(|| {
                let message = format!("Json Deserialization failed on token '{record}'");
                ApiError::new("JSON_PARSER_ERROR", message)
            })
        })
        .collect::<Result<_, _>>()?;
    Ok((all_or_none, records))
}

fn limit(count: usize, max: usize) -> Result<(), ApiError> {
    if count <= max {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {max} records into this call");
    Err(ApiError::new("EXCEEDED_ID_LIMIT", message))
}

fn type_of(org: &Org, record: &Map<String, Value>) -> Result<String, Vec<ApiError>> {
    let name = record.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Value::as_str);
    let Some(name) = name else {
        let message = "The attributes.type of the record is not specified";
        return Err(vec![ApiError::on_fields("INVALID_TYPE", message, &[])]);
    };
    org.schema.object(name).map(|object| object.name.clone()).ok_or_else(|| {
        let message = format!("sObject type '{name}' is not supported.");
        vec![ApiError::on_fields("INVALID_TYPE", message, &[])]
    })
}

/// An id of a record in a list: what is none of this object is a broken reference, not a missing resource.
fn long_id(org: &Org, object: &str, id: &str) -> Result<String, Vec<ApiError>> {
    let Some(long) = ids::normalize(id) else { return Err(vec![malformed(id)]) };
    match org.store.get(object, &long) {
        Some(record) if record.deleted => {
            Err(vec![ApiError::on_fields("ENTITY_IS_DELETED", "entity is deleted", &[])])
        }
        Some(_) => Ok(long),
        None => {
            let message = "invalid cross reference id";
            Err(vec![ApiError::on_fields("INVALID_CROSS_REFERENCE_KEY", message, &[])])
        }
    }
}

fn malformed(id: &str) -> ApiError {
    ApiError::on_fields("MALFORMED_ID", format!("malformed id {id}"), &[])
}

fn key_value(record: &Map<String, Value>, key: &str) -> Option<String> {
    let (_, value) = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
