//! `/crm/v3/properties/{type}`: properties and their groups; `/crm/v3/schemas`: object types.

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::finish;
use super::catalog::{Flag, Group, ObjectType, Property, PropertyOption, PropertySpec, instant};
use super::error::ApiError;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::Portal;

/// The field types that each type allows (HubSpot's properties docs).
const FIELD_TYPES: &[(&str, &[&str])] = &[
    ("string", &["text", "textarea", "file", "html", "phonenumber", "calculation_equation"]),
    ("number", &["number", "calculation_equation"]),
    ("bool", &["booleancheckbox", "calculation_equation"]),
    ("enumeration", &["booleancheckbox", "checkbox", "radio", "select", "calculation_equation"]),
    ("date", &["date"]),
    ("datetime", &["date"]),
    ("phone_number", &["phonenumber"]),
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    field_type: String,
    group_name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    options: Option<Vec<PropertyOption>>,
    #[serde(default)]
    has_unique_value: Option<bool>,
    #[serde(default)]
    hidden: Option<bool>,
    #[serde(default)]
    form_field: Option<bool>,
    #[serde(default)]
    external_options: Option<bool>,
    #[serde(default)]
    display_order: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patch {
    #[serde(default)]
    label: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    field_type: Option<String>,
    #[serde(default)]
    group_name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    options: Option<Vec<PropertyOption>>,
    #[serde(default)]
    hidden: Option<bool>,
    #[serde(default)]
    form_field: Option<bool>,
    #[serde(default)]
    display_order: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inputs<T> {
    inputs: Vec<T>,
    #[serde(default)]
    archived: bool,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

/// `/crm/v3/properties/{type}/…`
pub(super) fn route(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [kind, rest @ ..] = rest else { return Err(ApiError::no_route(&call.path)) };
    let object = portal.catalog.resolve(kind)?;
    match (rest, &call.method) {
        ([], &Method::GET) => {
            let archived = call.query.flag("archived")?;
            let shown =
                object.properties.values().filter(|property| property.archived_at.is_some() == archived);
            ok(json!({"results": shown.map(Property::body).collect::<Vec<_>>()}))
        }
        ([], &Method::POST) => {
            let new: New = call.json()?;
            answer(201, create(portal, &object, new)?)
        }
        (["groups", rest @ ..], _) => groups(portal, call, &object, rest),
        (["batch", "read"], &Method::POST) => batch_read(portal, call, &object),
        (["batch", "create"], &Method::POST) => {
            let request: Inputs<New> = call.json()?;
            let made = request.inputs.into_iter().map(|new| {
                let object = portal.catalog.resolve(&object.id)?;
                create(portal, &object, new)
            });
            let results = made.collect::<Result<Vec<_>, _>>()?;
            finish(portal, 201, results, Vec::new())
        }
        (["batch", "archive"], &Method::POST) => {
            let request: Inputs<Name> = call.json()?;
            for Name { name } in request.inputs {
                archive(portal, &object, &name)?;
            }
            no_content()
        }
        ([name], &Method::GET) => {
            let archived = call.query.flag("archived")?;
            let known =
                object.properties.get(*name).filter(|property| property.archived_at.is_some() == archived);
            ok(known.ok_or_else(|| unknown(name))?.body())
        }
        ([name], &Method::PATCH) => update(portal, call, &object, name),
        ([name], &Method::DELETE) => {
            archive(portal, &object, name)?;
            no_content()
        }
        ([] | [_] | ["batch", _], _) => Err(ApiError::method()),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::new(404, "OBJECT_NOT_FOUND", format!("Property {name} does not exist"))
}

fn create(portal: &mut Portal, object: &ObjectType, new: New) -> Result<Value, ApiError> {
    let name = new.name.clone();
    let lead = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !lead || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        let message = "Property names must start with a letter and hold only lower-case letters, numbers and underscores";
        return Err(ApiError::invalid(message));
    }
    if object.properties.contains_key(&name) {
        let message = format!("A property named '{name}' already exists.");
        return Err(ApiError::new(409, "OBJECT_ALREADY_EXISTS", message));
    }
    allowed(&new.kind, &new.field_type)?;
    if !object.groups.contains_key(&new.group_name) {
        return Err(ApiError::invalid(format!("Property group {} does not exist", new.group_name)));
    }
    let options = new.options.unwrap_or_default();
    let external = new.external_options.unwrap_or(false);
    if new.kind == "enumeration" && options.is_empty() && !external && new.field_type != "booleancheckbox" {
        return Err(ApiError::invalid("Enumeration properties must have at least one option"));
    }
    let now = portal.clock.now();
    let spec = PropertySpec {
        kind: format!("{}/{}", new.kind, new.field_type),
        label: Some(new.label),
        description: new.description.unwrap_or_default(),
        group: Some(new.group_name),
        flags: vec![Flag::Custom],
        options: Vec::new(),
    };
    let edited = portal.edit_object(&object.id, |object| {
        object.add(name.clone(), spec, now);
        if let Some(property) = object.properties.get_mut(&name) {
            property.options = options;
            property.external = external;
            property.unique = new.has_unique_value.unwrap_or(false);
            property.hidden = new.hidden.unwrap_or(false);
            property.form_field = new.form_field.unwrap_or(false);
            property.display_order = new.display_order.unwrap_or(-1);
        }
    });
    let made = edited.as_ref().and_then(|object| object.properties.get(&name)).map(Property::body);
    made.ok_or_else(ApiError::not_found)
}

fn allowed(kind: &str, field_type: &str) -> Result<(), ApiError> {
    let Some((_, fields)) = FIELD_TYPES.iter().find(|(known, _)| *known == kind) else {
        return Err(ApiError::invalid(format!("{kind} is not a valid property type")));
    };
    if !fields.contains(&field_type) {
        return Err(ApiError::invalid(format!(
            "fieldType {field_type} is not valid for properties of type {kind}"
        )));
    }
    Ok(())
}

fn update(portal: &mut Portal, call: &Call, object: &ObjectType, name: &str) -> Outcome {
    let patch: Patch = call.json()?;
    let property = object.property(name).ok_or_else(|| unknown(name))?;
    if property.hubspot_defined && (patch.kind.is_some() || patch.field_type.is_some()) {
        return Err(ApiError::invalid(format!("The definition of {name} is read only")));
    }
    let kind = patch.kind.as_deref().unwrap_or(&property.kind);
    let field_type = patch.field_type.as_deref().unwrap_or(&property.field_type);
    if patch.kind.is_some() || patch.field_type.is_some() {
        allowed(kind, field_type)?;
    }
    let (kind, field_type) = (kind.to_owned(), field_type.to_owned());
    let now = portal.clock.now();
    let edited = portal.edit_object(&object.id, |object| {
        let Some(property) = object.properties.get_mut(name) else { return };
        (property.kind, property.field_type, property.updated_at) = (kind, field_type, now);
        let old = property.clone();
        property.label = patch.label.unwrap_or(old.label);
        property.group = patch.group_name.unwrap_or(old.group);
        property.description = patch.description.unwrap_or(old.description);
        property.options = patch.options.unwrap_or(old.options);
        property.hidden = patch.hidden.unwrap_or(old.hidden);
        property.form_field = patch.form_field.unwrap_or(old.form_field);
        property.display_order = patch.display_order.unwrap_or(old.display_order);
    });
    let body = edited.as_ref().and_then(|object| object.properties.get(name)).map(Property::body);
    ok(body.ok_or_else(|| unknown(name))?)
}

fn archive(portal: &mut Portal, object: &ObjectType, name: &str) -> Result<(), ApiError> {
    let Some(property) = object.property(name) else { return Ok(()) };
    if property.hubspot_defined {
        return Err(ApiError::invalid(format!(
            "Property {name} is defined by HubSpot and cannot be archived"
        )));
    }
    let now = portal.clock.now();
    portal.edit_object(&object.id, |object| {
        if let Some(property) = object.properties.get_mut(name) {
            property.archived_at = Some(now);
        }
    });
    Ok(())
}

fn batch_read(portal: &Portal, call: &Call, object: &ObjectType) -> Outcome {
    let request: Inputs<Name> = call.json()?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for Name { name } in request.inputs {
        let known = object.properties.get(&name);
        match known.filter(|property| property.archived_at.is_some() == request.archived) {
            Some(property) => results.push(property.body()),
            None => errors.push(unknown(&name).context("name", &[name]).entry(None)),
        }
    }
    finish(portal, 200, results, errors)
}

fn groups(portal: &mut Portal, call: &Call, object: &ObjectType, rest: &[&str]) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct NewGroup {
        #[serde(default)]
        name: Option<String>,
        label: String,
        #[serde(default)]
        display_order: Option<i64>,
    }
    let show = |group: Option<&Group>| ok(json!(group.ok_or_else(ApiError::not_found)?));
    match (rest, &call.method) {
        ([], &Method::GET) => ok(json!({"results": object.groups.values().collect::<Vec<_>>()})),
        ([], &Method::POST) => {
            let new: NewGroup = call.json()?;
            let name =
                new.name.ok_or_else(|| ApiError::invalid("Some required fields were not set: [name]"))?;
            if object.groups.contains_key(&name) {
                let message = format!("A property group named '{name}' already exists.");
                return Err(ApiError::new(409, "OBJECT_ALREADY_EXISTS", message));
            }
            let display_order = new.display_order.unwrap_or(-1);
            let group = Group { name: name.clone(), label: new.label, display_order, archived: false };
            let body = json!(group);
            portal.edit_object(&object.id, |object| {
                object.groups.insert(name, group);
            });
            answer(201, body)
        }
        ([name], &Method::GET) => show(object.groups.get(*name)),
        ([name], &Method::PATCH) => {
            let new: NewGroup = call.json()?;
            let edited = portal.edit_object(&object.id, |object| {
                if let Some(group) = object.groups.get_mut(*name) {
                    group.label = new.label;
                    group.display_order = new.display_order.unwrap_or(group.display_order);
                }
            });
            show(edited.as_ref().and_then(|object| object.groups.get(*name)))
        }
        ([name], &Method::DELETE) => {
            portal.edit_object(&object.id, |object| {
                object.groups.shift_remove(*name);
            });
            no_content()
        }
        _ => Err(ApiError::method()),
    }
}

/// `/crm/v3/schemas…`
pub(super) fn schemas(portal: &Portal, call: &Call, rest: &[&str]) -> Outcome {
    match (rest, &call.method) {
        // HubSpot lists only the types that the portal defined itself.
        ([], &Method::GET) => {
            let own = portal.catalog.objects().filter(|object| object.id.starts_with("2-"));
            ok(json!({"results": own.map(|object| schema(portal, object)).collect::<Vec<_>>()}))
        }
        ([kind], &Method::GET) => ok(schema(portal, &*portal.catalog.resolve(kind)?)),
        ([] | [_], _) => Err(ApiError::method()),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn schema(portal: &Portal, object: &ObjectType) -> Value {
    let live = object.properties.values().filter(|property| property.archived_at.is_none());
    let types = portal.catalog.objects().flat_map(|to| portal.links.types(&object.id, &to.id));
    let associations = types.map(|known| {
        json!({
            "id": known.type_id.to_string(), "name": known.name, "fromObjectTypeId": known.from,
            "toObjectTypeId": known.to, "createdAt": null, "updatedAt": null,
        })
    });
    let full = match object.id.strip_prefix("2-") {
        Some(_) => format!("p{}_{}", portal.id, object.name),
        None => object.upper(),
    };
    let created = instant(chrono::DateTime::UNIX_EPOCH);
    json!({
        "id": object.id.split('-').next_back(),
        "objectTypeId": object.id,
        "name": object.name,
        "fullyQualifiedName": full,
        "labels": {"singular": object.labels.0, "plural": object.labels.1},
        "primaryDisplayProperty": object.display,
        "secondaryDisplayProperties": [],
        "searchableProperties": object.searchable,
        "requiredProperties": [],
        "properties": live.map(Property::body).collect::<Vec<_>>(),
        "associations": associations.collect::<Vec<_>>(),
        "archived": false,
        "createdAt": created,
        "updatedAt": created,
    })
}
