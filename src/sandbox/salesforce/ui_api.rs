//! The options of picklists by record type, which describe does not tell.

use serde_json::{Map, Value, json};

use super::describe::MASTER_RECORD_TYPE;
use super::error::ApiError;
use super::http::Answer;
use super::ids;
use super::org::{Caller, Org};
use super::schema::{FieldFacts, FieldType, ObjectFacts, RecordTypeFacts};

/// Answers `ui-api/object-info/X/picklist-values/RECORDTYPE[/FIELD]`.
pub(super) fn picklist_values(
    org: &Org,
    caller: &Caller,
    object: &str,
    record_type: &str,
    field: Option<&str>,
) -> Result<Answer, Answer> {
    let object = org.schema.object(object).ok_or_else(ApiError::no_resource)?;
    let id = ids::normalize(record_type).ok_or_else(ApiError::no_resource)?;
    let known = object.record_types.iter().find(|known| known.id == id);
    if known.is_none() && id != MASTER_RECORD_TYPE {
        return Err(ApiError::no_resource().into());
    }
    let is_picklist =
        |field: &&FieldFacts| matches!(field.kind, FieldType::Picklist | FieldType::Multipicklist);
    let root = format!("{}/ui-api/object-info/{}/picklist-values/{id}", caller.root(), object.name);
    if let Some(name) = field {
        let field = object.field(name).filter(is_picklist).ok_or_else(ApiError::no_resource)?;
        return Ok(Answer::json(200, values(&root, object, field, known)));
    }
    let fields: Map<String, Value> = object
        .fields
        .iter()
        .filter(is_picklist)
        .map(|field| (field.name.clone(), values(&root, object, field, known)))
        .collect();
    Ok(Answer::json(200, json!({"eTag": etag(object), "picklistFieldValues": fields})))
}

fn values(
    root: &str,
    object: &ObjectFacts,
    field: &FieldFacts,
    record_type: Option<&RecordTypeFacts>,
) -> Value {
    let allowed = record_type.and_then(|record_type| record_type.picklists.get(&field.name));
    let default = field.default.as_ref().and_then(Value::as_str);
    let values: Vec<Value> = field
        .values
        .iter()
        .filter(|option| option.active)
        .filter(|option| allowed.is_none_or(|allowed| allowed.contains(&option.value)))
        .map(|option| json!({"attributes": null, "label": option.label, "validFor": [], "value": option.value}))
        .collect();
    let default = values.iter().find(|value| value["value"].as_str() == default).cloned();
    json!({
        "controllerValues": {},
        "defaultValue": default,
        "eTag": etag(object),
        "url": format!("{root}/{}", field.name),
        "values": values,
    })
}

/// The schema does not change while the server runs, so neither does its tag.
fn etag(object: &ObjectFacts) -> String {
    hex::encode(object.name.as_bytes())
}
