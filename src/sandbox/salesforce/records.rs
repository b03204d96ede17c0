//! Creating, changing and deleting records: the data layer behind every endpoint that writes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::org::{Caller, Org};
use super::schema::{FieldFacts, FieldType, ObjectFacts, Schema};
use super::store::Record;
use super::{clock, derived, duplicates, faults, ids, validate};

/// What an upsert did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Upserted {
    pub(super) id: String,
    pub(super) created: bool,
}

/// Why an upsert did nothing.
#[derive(Debug)]
pub(super) enum UpsertError {
    /// Several records hold the key.
    Many(Vec<String>),
    Errors(Vec<ApiError>),
}

impl From<ApiError> for UpsertError {
    fn from(error: ApiError) -> Self {
        Self::Errors(vec![error])
    }
}

/// Creates a record and answers its id.
pub(super) fn create(
    org: &mut Org,
    caller: &Caller,
    object: &str,
    body: &Map<String, Value>,
    raw: &str,
) -> Result<String, Vec<ApiError>> {
    let schema = Arc::clone(&org.schema);
    let facts = known_object(&schema, object)?;
    if body.keys().any(|key| key.eq_ignore_ascii_case("Id")) {
        let message = "cannot specify Id in an insert call";
        return Err(vec![ApiError::on_fields("INVALID_FIELD_FOR_INSERT_UPDATE", message, &["Id"])]);
    }
    if let Some(error) = faults::for_record(org, caller, &facts.name, body) {
        return Err(vec![error]);
    }
    let values = read_body(org, facts, body, raw)?;
    refuse_read_only(&values, FieldFacts::createable)?;
    let filled: HashSet<&str> =
        values.iter().filter(|(_, value)| !value.is_null()).map(|(field, _)| field.name.as_str()).collect();
    let missing: Vec<&str> = facts
        .fields
        .iter()
        .filter(|field| field.createable() && !field.nillable)
        .filter(|field| !filled.contains(field.name.as_str()))
        .filter(|field| !field.defaulted || values.iter().any(|(given, _)| given.name == field.name))
        .map(|field| field.name.as_str())
        .collect();
    refuse_missing(&missing)?;
    let id = org.store.mint_id(facts);
    let mut record =
        Record { id: id.clone(), object: facts.name.clone(), deleted: false, fields: HashMap::new() };
    for (field, value) in &values {
        record.set(&field.name, value.clone());
    }
    check_values(org, facts, &values, &record)?;
    derived::fill_defaults(facts, &mut record, &caller.user_id, org.now());
    finish(org, caller, facts, record, &values, None)?;
    Ok(id)
}

/// Changes a record.
pub(super) fn update(
    org: &mut Org,
    caller: &Caller,
    object: &str,
    id: &str,
    body: &Map<String, Value>,
    raw: &str,
) -> Result<(), Vec<ApiError>> {
    let schema = Arc::clone(&org.schema);
    let facts = known_object(&schema, object)?;
    let id = find(org, facts, id)?;
    if body.keys().any(|key| key.eq_ignore_ascii_case("Id")) {
        return Err(vec![key_in_body("Id")]);
    }
    if let Some(error) = faults::for_record(org, caller, &facts.name, body) {
        return Err(vec![error]);
    }
    let values = read_body(org, facts, body, raw)?;
    refuse_read_only(&values, FieldFacts::updateable)?;
    let missing: Vec<&str> = values
        .iter()
        .filter(|(field, value)| value.is_null() && !field.nillable && field.kind != FieldType::Boolean)
        .map(|(field, _)| field.name.as_str())
        .collect();
    refuse_missing(&missing)?;
    // INVARIANT: `find` has just seen the record, and the organisation is locked.
    let before = org.store.live(&facts.name, &id).cloned().expect("the record was found");
    if facts.name == "Lead" && before.get("IsConverted") == &Value::Bool(true) {
        let message = "cannot reference converted lead";
        return Err(vec![ApiError::on_fields("CANNOT_UPDATE_CONVERTED_LEAD", message, &[])]);
    }
    let mut record = before.clone();
    for (field, value) in &values {
        record.set(&field.name, value.clone());
    }
    check_values(org, facts, &values, &record)?;
    touch(facts, &mut record, &caller.user_id, org.now());
    finish(org, caller, facts, record, &values, Some(&before))
}

/// Sends a record to the recycle bin, and with it what cannot exist without it.
pub(super) fn delete(org: &mut Org, caller: &Caller, object: &str, id: &str) -> Result<(), Vec<ApiError>> {
    let schema = Arc::clone(&org.schema);
    let facts = known_object(&schema, object)?;
    let id = find(org, facts, id)?;
    remove(org, &schema, caller, facts, &id);
    Ok(())
}

/// Creates the record that holds this key, or changes it.
pub(super) fn upsert(
    org: &mut Org,
    caller: &Caller,
    object: &str,
    key: &str,
    value: &str,
    body: &Map<String, Value>,
    raw: &str,
) -> Result<Upserted, UpsertError> {
    let schema = Arc::clone(&org.schema);
    let facts = known_object(&schema, object).map_err(UpsertError::Errors)?;
    let field = facts.field(key).filter(|field| field.is_key()).ok_or_else(|| no_key(key))?;
    for name in body.keys() {
        if name.eq_ignore_ascii_case("Id") || name.eq_ignore_ascii_case(&field.name) {
            return Err(key_in_body(facts.field(name).map_or("Id", |field| field.name.as_str())).into());
        }
    }
    if field.kind == FieldType::Id {
        update(org, caller, object, value, body, raw).map_err(UpsertError::Errors)?;
        return Ok(Upserted { id: find(org, facts, value)?, created: false });
    }
    let key_value = validate::read(field, &key_from_text(field, value), raw)?;
    let found = org.store.find_by_key(&facts.name, &field.name, &key_value);
    match found.as_slice() {
        [] => {
            let mut whole = body.clone();
            whole.insert(field.name.clone(), key_value);
            let id = create(org, caller, object, &whole, raw).map_err(UpsertError::Errors)?;
            Ok(Upserted { id, created: true })
        }
        [id] => {
            update(org, caller, object, id, body, raw).map_err(UpsertError::Errors)?;
            Ok(Upserted { id: id.clone(), created: false })
        }
        _ => Err(UpsertError::Many(found)),
    }
}

/// The id of the record that holds this key; several are answered as a list.
pub(super) fn find_by_key(
    org: &Org,
    facts: &ObjectFacts,
    key: &str,
    value: &str,
) -> Result<String, UpsertError> {
    let field = facts.field(key).filter(|field| field.is_key()).ok_or_else(|| no_key(key))?;
    if field.kind == FieldType::Id {
        return Ok(find(org, facts, value)?);
    }
    let key_value = validate::read(field, &key_from_text(field, value), "")?;
    let mut found = org.store.find_by_key(&facts.name, &field.name, &key_value);
    match found.len() {
        0 => Err(ApiError::no_resource().into()),
        1 => Ok(found.remove(0)),
        _ => Err(UpsertError::Many(found)),
    }
}

/// The 18-character id of a live record, or why there is none.
pub(super) fn find(org: &Org, facts: &ObjectFacts, id: &str) -> Result<String, ApiError> {
    let Some(long) = ids::normalize(id) else {
        let message = format!("Provided external ID field does not exist or is not accessible: {id}");
        return Err(ApiError::new("NOT_FOUND", message));
    };
    match org.store.get(&facts.name, &long) {
        Some(record) if record.deleted => {
            Err(ApiError::on_fields("ENTITY_IS_DELETED", "entity is deleted", &[]))
        }
        Some(_) => Ok(long),
        None => Err(ApiError::no_resource()),
    }
}

/// Deletes a record for good, whether it is in the recycle bin or not; what cannot exist without it goes with it.
pub(super) fn purge(org: &mut Org, object: &str, id: &str) -> Result<(), Vec<ApiError>> {
    let schema = Arc::clone(&org.schema);
    let facts = known_object(&schema, object)?;
    let id = ids::normalize(id).filter(|id| org.store.get(&facts.name, id).is_some());
    erase(org, &schema, facts, &id.ok_or_else(ApiError::no_resource)?);
    Ok(())
}

fn erase(org: &mut Org, schema: &Schema, facts: &ObjectFacts, id: &str) {
    let at = clock::stamp(org.now());
    org.store.purge(&facts.name, id, at);
    for (child, field) in schema.children_of(facts).filter(|(_, field)| field.cascade) {
        let orphans = org.store.records(&child.name).filter(|record| record.text(&field.name) == Some(id));
        for orphan in orphans.map(|record| record.id.clone()).collect::<Vec<_>>() {
            erase(org, schema, child, &orphan);
        }
    }
}

/// Stamps a record as changed now by the system, not by a user.
pub(super) fn stamp(facts: &ObjectFacts, record: &mut Record, now: DateTime<Utc>) {
    if facts.field("SystemModstamp").is_some() {
        record.set("SystemModstamp", clock::stamp(now).into());
    }
}

/// Takes a record out of the recycle bin, and with it what went there at the same time because of it.
pub(super) fn undelete(org: &mut Org, caller: &Caller, object: &str, id: &str) -> Result<(), Vec<ApiError>> {
    let schema = Arc::clone(&org.schema);
    let facts = known_object(&schema, object)?;
    let found = ids::normalize(id).and_then(|id| org.store.get(&facts.name, &id).cloned());
    let Some(record) = found.filter(|record| record.deleted) else {
        let message = "entity is not in the recycle bin";
        return Err(vec![ApiError::on_fields("UNDELETE_FAILED", message, &[])]);
    };
    take_back(org, &schema, caller, facts, record);
    Ok(())
}

fn take_back(org: &mut Org, schema: &Schema, caller: &Caller, facts: &ObjectFacts, mut record: Record) {
    let (id, gone_at) = (record.id.clone(), record.get("SystemModstamp").clone());
    record.deleted = false;
    record.set("MasterRecordId", Value::Null);
    touch(facts, &mut record, &caller.user_id, org.now());
    org.store.put(record);
    for (child, field) in schema.children_of(facts).filter(|(_, field)| field.cascade) {
        let children = org.store.records(&child.name).filter(|record| {
            record.deleted
                && record.text(&field.name) == Some(&id)
                && *record.get("SystemModstamp") == gone_at
        });
        for orphan in children.cloned().collect::<Vec<_>>() {
            take_back(org, schema, caller, child, orphan);
        }
    }
}

/// Stamps a record as changed now by this user.
pub(super) fn touch(facts: &ObjectFacts, record: &mut Record, user_id: &str, now: DateTime<Utc>) {
    let now = clock::stamp(now);
    for (field, value) in
        [("LastModifiedDate", now.as_str()), ("LastModifiedById", user_id), ("SystemModstamp", now.as_str())]
    {
        if facts.field(field).is_some() {
            record.set(field, value.into());
        }
    }
}

pub(super) fn no_key(key: &str) -> ApiError {
    let message = format!("Provided external ID field does not exist or is not accessible: {key}");
    ApiError::new("NOT_FOUND", message)
}

fn key_in_body(field: &str) -> ApiError {
    ApiError::new("INVALID_FIELD", format!("The {field} field should not be specified in the sobject data."))
}

fn key_from_text(field: &FieldFacts, value: &str) -> Value {
    if field.kind == FieldType::Reference || field.kind == FieldType::Id {
        return ids::normalize(value).map_or_else(|| value.into(), Value::String);
    }
    value.into()
}

fn known_object<'a>(schema: &'a Schema, object: &str) -> Result<&'a ObjectFacts, Vec<ApiError>> {
    schema.object(object).ok_or_else(|| vec![ApiError::no_resource()])
}

impl From<ApiError> for Vec<ApiError> {
    fn from(error: ApiError) -> Self {
        vec![error]
    }
}

/// Reads a body into values by field; the first thing that cannot be read ends it, as in the real deserializer.
fn read_body<'a>(
    org: &Org,
    facts: &'a ObjectFacts,
    body: &Map<String, Value>,
    raw: &str,
) -> Result<Vec<(&'a FieldFacts, Value)>, ApiError> {
    let mut values: Vec<(&FieldFacts, Value)> = Vec::with_capacity(body.len());
    for (name, value) in body {
        if name == "attributes" {
            continue;
        }
        let read = if let Some(field) = facts.field(name) {
            (field, read_value(field, value, raw)?)
        } else if let (Some(field), Value::Object(key)) = (facts.relationship(name), value) {
            (field, foreign_id(org, field, key)?)
        } else {
            let message = format!("No such column '{name}' on sobject of type {}", facts.name);
            return Err(ApiError::new("INVALID_FIELD", message));
        };
        values.retain(|(field, _)| field.name != read.0.name);
        values.push(read);
    }
    Ok(values)
}

fn read_value(field: &FieldFacts, value: &Value, raw: &str) -> Result<Value, ApiError> {
    if field.kind == FieldType::Boolean && value.is_null() {
        let message = format!("{}: value not of required type: ", field.label);
        return Err(ApiError::on_fields("INVALID_TYPE_ON_FIELD_IN_RECORD", message, &[&field.name]));
    }
    if field.kind == FieldType::Address {
        return Ok(Value::Null);
    }
    let value = validate::read(field, value, raw)?;
    if let (true, Some(text)) = (field.kind.is_id(), value.as_str()) {
        // A well-formed id takes its long form; anything else is judged with the other values.
        return Ok(ids::normalize(text).map_or(value.clone(), Value::String));
    }
    Ok(value)
}

/// A reference given by the other record's key: `"Account": {"HubSpot_Company_ID__c": "77"}`.
fn foreign_id(org: &Org, field: &FieldFacts, key: &Map<String, Value>) -> Result<Value, ApiError> {
    let wanted = key.iter().find(|(name, _)| *name != "attributes");
    let Some((name, value)) = wanted else {
        let message = format!("Foreign key reference {} has no external ID", field.name);
        return Err(ApiError::on_fields("INVALID_FIELD", message, &[]));
    };
    for target in &field.reference_to {
        let Some(object) = org.schema.object(target) else { continue };
        let Some(key_field) = object.field(name).filter(|key_field| key_field.is_key()) else { continue };
        if key_field.kind == FieldType::Id {
            return Ok(value.clone());
        }
        let found = org.store.find_by_key(&object.name, &key_field.name, value);
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return match found.as_slice() {
            [id] => Ok(id.clone().into()),
            [] => {
                let message = format!(
                    "Foreign key external ID: {shown} not found for field {} in entity {}",
                    key_field.name, object.name
                );
                Err(ApiError::on_fields("INVALID_FIELD", message, &[]))
            }
            _ => {
                let message =
                    format!("more than one record found for external id field: [{}]", found.join(", "));
                Err(ApiError::on_fields("DUPLICATE_EXTERNAL_ID", message, &[]))
            }
        };
    }
    let message = format!("No such column '{name}' on sobject of type {}", field.reference_to.join(", "));
    Err(ApiError::new("INVALID_FIELD", message))
}

fn refuse_read_only(
    values: &[(&FieldFacts, Value)],
    writable: fn(&FieldFacts) -> bool,
) -> Result<(), ApiError> {
    let refused: Vec<&str> =
        values.iter().filter(|(field, _)| !writable(field)).map(|(field, _)| field.name.as_str()).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
         read/write for your profile or permission set.",
        refused.join(", ")
    );
    Err(ApiError::on_fields("INVALID_FIELD_FOR_INSERT_UPDATE", message, &refused))
}

fn refuse_missing(missing: &[&str]) -> Result<(), ApiError> {
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(ApiError::on_fields("REQUIRED_FIELD_MISSING", message, missing))
}

fn check_values(
    org: &Org,
    facts: &ObjectFacts,
    values: &[(&FieldFacts, Value)],
    record: &Record,
) -> Result<(), Vec<ApiError>> {
    let record_type = record
        .text("RecordTypeId")
        .and_then(|id| facts.record_types.iter().find(|record_type| record_type.id == id));
    let mut errors = Vec::new();
    for (field, value) in values {
        let allowed = record_type.and_then(|record_type| record_type.picklists.get(&field.name));
        if let Err(error) = validate::check(field, value, allowed.map(Vec::as_slice)) {
            errors.push(error);
        } else if let (FieldType::Reference, Some(id)) = (field.kind, value.as_str())
            && let Err(error) = check_reference(org, facts, field, id)
        {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn check_reference(org: &Org, facts: &ObjectFacts, field: &FieldFacts, id: &str) -> Result<(), ApiError> {
    let known = field.reference_to.iter().any(|target| org.schema.object(target).is_some());
    if !known {
        return Ok(());
    }
    let target = org
        .schema
        .object_of_id(id)
        .filter(|object| field.reference_to.iter().any(|target| target == &object.name));
    let Some(target) = target else {
        let message = format!("{}: id value of incorrect type: {id}", field.label);
        return Err(ApiError::on_fields("FIELD_INTEGRITY_EXCEPTION", message, &[&field.name]));
    };
    match org.store.get(&target.name, id) {
        Some(found) if found.deleted => {
            Err(ApiError::on_fields("ENTITY_IS_DELETED", "entity is deleted", &[]).with_status(400))
        }
        Some(_) if field.name == "RecordTypeId" => check_record_type(facts, field, id),
        Some(found) if field.name == "OwnerId" && found.get("IsActive") == &Value::Bool(false) => {
            let message = "operation performed with inactive user [".to_owned() + id + "]";
            Err(ApiError::on_fields("INACTIVE_OWNER_OR_USER", message, &["OwnerId"]))
        }
        Some(_) => Ok(()),
        None => Err(ApiError::on_fields("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])),
    }
}

fn check_record_type(facts: &ObjectFacts, field: &FieldFacts, id: &str) -> Result<(), ApiError> {
    if facts.record_types.iter().any(|record_type| record_type.active && record_type.id == id) {
        return Ok(());
    }
    let message = format!("{}: this ID value isn't valid for the user: {id}", field.label);
    Err(ApiError::on_fields("INVALID_CROSS_REFERENCE_KEY", message, &[&field.name]))
}

/// The last steps of a write: what follows from the values, duplicate rules, unique keys, and the record itself.
fn finish(
    org: &mut Org,
    caller: &Caller,
    facts: &ObjectFacts,
    mut record: Record,
    values: &[(&FieldFacts, Value)],
    before: Option<&Record>,
) -> Result<(), Vec<ApiError>> {
    let given = |name: &str| values.iter().any(|(field, value)| field.name == name && !value.is_null());
    derived::stage_defaults(facts, &mut record, &given);
    derived::refresh(facts, &org.store, &mut record);
    duplicates::check(&org.rules, &org.schema, &org.store, caller, &record, before)?;
    for field in facts.fields.iter().filter(|field| field.unique) {
        let holders = org.store.find_by_key(&facts.name, &field.name, record.get(&field.name));
        if let Some(holder) = holders.iter().find(|holder| **holder != record.id) {
            let message = format!(
                "duplicate value found: {} duplicates value on record with id: {}",
                field.name,
                ids::short(holder)
            );
            return Err(vec![ApiError::on_fields("DUPLICATE_VALUE", message, &[])]);
        }
    }
    org.store.put(record);
    Ok(())
}

fn remove(org: &mut Org, schema: &Schema, caller: &Caller, facts: &ObjectFacts, id: &str) {
    let Some(mut record) = org.store.live(&facts.name, id).cloned() else { return };
    record.deleted = true;
    touch(facts, &mut record, &caller.user_id, org.now());
    org.store.put(record);
    for (child, field) in schema.children_of(facts).filter(|(_, field)| field.cascade) {
        let orphans: Vec<String> = org
            .store
            .records(&child.name)
            .filter(|record| !record.deleted && record.text(&field.name) == Some(id))
            .map(|record| record.id.clone())
            .collect();
        for orphan in orphans {
            remove(org, schema, caller, child, &orphan);
        }
    }
}
