//! `/crm/v3/objects/{type}`: list, read, create, update, archive, merge, erase.

use std::sync::Arc;

use axum::http::Method;
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::catalog::{ObjectType, instant};
use super::error::ApiError;
use super::links::Spec;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::{Portal, Record, Values};
use super::validate::{Problem, check, refused};
use super::{associations, batch, search};

/// What of a record an answer shows.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The properties asked for; the type's defaults where none is.
    pub(super) properties: Vec<String>,
    /// Whether all properties that hold something are shown.
    pub(super) everything: bool,
    pub(super) history: Vec<String>,
    pub(super) associations: Vec<Arc<ObjectType>>,
}

/// An id as clients send it: text, or a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Id(pub(super) String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            _ => Err(serde::de::Error::custom("Cannot deserialize value of type `java.lang.String`")),
        }
    }
}

/// A record as a create or update sends it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    #[serde(default)]
    pub(super) id: Option<Id>,
    #[serde(default)]
    pub(super) id_property: Option<String>,
    #[serde(default)]
    pub(super) object_write_trace_id: Option<String>,
    #[serde(default)]
    pub(super) properties: IndexMap<String, Value>,
    #[serde(default)]
    pub(super) associations: Option<Vec<ToAssociate>>,
}

/// An association that a create makes.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ToAssociate {
    to: To,
    #[serde(default)]
    types: Vec<Spec>,
}

#[derive(Debug, Clone, Deserialize)]
struct To {
    id: Id,
}

/// An association to make: the other record and the types.
type Link = (Arc<ObjectType>, u64, Vec<Spec>);

/// `/crm/v3/objects/{type}/…`
pub(super) fn route(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [kind, rest @ ..] = rest else { return Err(ApiError::no_route(&call.path)) };
    let object = portal.catalog.resolve(kind)?;
    match (rest, &call.method) {
        ([], &Method::GET) => list(portal, call, &object),
        ([], &Method::POST) => create(portal, call, &object),
        (["search"], &Method::POST) => search::search(portal, call, &object),
        (["batch", what], &Method::POST) => batch::route(portal, call, &object, what),
        (["merge"], &Method::POST) => merge(portal, call, &object),
        (["gdpr-delete"], &Method::POST) => erase(portal, call, &object),
        ([] | ["search" | "merge" | "gdpr-delete"] | ["batch", _], _) => Err(ApiError::method()),
        ([id], &Method::GET) => read(portal, call, &object, id),
        ([id], &Method::PATCH) => update(portal, call, &object, id),
        ([id], &Method::DELETE) => archive(portal, call, &object, id),
        ([_], _) => Err(ApiError::method()),
        ([id, "associations", rest @ ..], _) => associations::v3_of_record(portal, call, &object, id, rest),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn list(portal: &Portal, call: &Call, object: &ObjectType) -> Outcome {
    let shape = shape(portal, call)?;
    let most = if shape.history.is_empty() { 100 } else { 50 };
    let limit = call.query.limit(10, most)?;
    let archived = call.query.flag("archived")?;
    let after: u64 = match call.query.one("after") {
        Some(text) => {
            text.parse().map_err(|_| ApiError::invalid(format!("{text} is not a valid value for after")))?
        }
        None => 0,
    };
    let records = portal.tables.get(&object.id).map(|table| &table.records);
    let wanted = records.into_iter().flat_map(|records| records.range(after..));
    let mut wanted =
        wanted.map(|(_, record)| record).filter(|record| record.archived_at.is_some() == archived);
    let page: Vec<&Record> = wanted.by_ref().take(limit).collect();
    let results: Vec<Value> = page.iter().map(|record| body(portal, object, record, &shape)).collect();
    let mut answer = json!({"results": results});
    if let (Some(last), Some(_)) = (page.last(), wanted.next()) {
        let after = (last.id + 1).to_string();
        let link = format!("{}{}?limit={limit}&after={after}", portal.base_url, call.path);
        answer["paging"] = json!({"next": {"after": after, "link": link}});
    }
    ok(answer)
}

fn read(portal: &Portal, call: &Call, object: &ObjectType, id: &str) -> Outcome {
    let shape = shape(portal, call)?;
    if call.query.flag("archived")? {
        let found = id.parse().ok().and_then(|id: u64| portal.tables.get(&object.id)?.records.get(&id));
        let found = found.filter(|record| record.archived_at.is_some()).ok_or_else(ApiError::not_found)?;
        return ok(body(portal, object, found, &shape));
    }
    let found = find(portal, object, id, call.query.one("idProperty"))?;
    ok(body(portal, object, found, &shape))
}

fn create(portal: &mut Portal, call: &Call, object: &ObjectType) -> Outcome {
    let input: Input = call.json()?;
    let values = prepare(portal, object, &input.properties, None).map_err(ApiError::without_context)?;
    let links = to_associate(portal, object, input.associations.as_deref().unwrap_or_default())?;
    let id = insert(portal, object, values, links)?;
    let record = portal.live(&object.id, id).ok_or_else(ApiError::not_found)?;
    answer(201, body(portal, object, record, &Shape { everything: true, ..Shape::default() }))
}

fn update(portal: &mut Portal, call: &Call, object: &ObjectType, id: &str) -> Outcome {
    let input: Input = call.json()?;
    let found = find(portal, object, id, call.query.one("idProperty"))?;
    let values =
        prepare(portal, object, &input.properties, Some(found)).map_err(ApiError::without_context)?;
    let id = found.id;
    if values.is_empty() {
        return Err(ApiError::invalid("No properties found to update, please provide at least one."));
    }
    let actor = portal.app_actor();
    portal.update(object, id, &values, &actor);
    ok(updated(portal, object, id, &values))
}

fn archive(portal: &mut Portal, call: &Call, object: &ObjectType, id: &str) -> Outcome {
    let found = portal.find(object, id, call.query.one("idProperty")).map(|record| record.id);
    if let Some(id) = found {
        let actor = portal.app_actor();
        portal.archive(object, id, &actor);
    }
    no_content()
}

fn merge(portal: &mut Portal, call: &Call, object: &ObjectType) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Merge {
        primary_object_id: Id,
        object_id_to_merge: Id,
    }
    let merge: Merge = call.json()?;
    let primary = find(portal, object, &merge.primary_object_id.0, None)?.id;
    let other = find(portal, object, &merge.object_id_to_merge.0, None)?.id;
    if primary == other {
        return Err(ApiError::invalid("A record cannot be merged with itself"));
    }
    let actor = portal.app_actor();
    let survivor = portal.merge(object, primary, other, &actor).ok_or_else(ApiError::not_found)?;
    let record = portal.live(&object.id, survivor).ok_or_else(ApiError::not_found)?;
    ok(body(portal, object, record, &Shape { everything: true, ..Shape::default() }))
}

fn erase(portal: &mut Portal, call: &Call, object: &ObjectType) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Erase {
        object_id: Id,
        #[serde(default)]
        id_property: Option<String>,
    }
    if object.name != "contact" {
        return Err(ApiError::no_route(&call.path));
    }
    let erase: Erase = call.json()?;
    let found = portal.find(object, &erase.object_id.0, erase.id_property.as_deref()).map(|record| record.id);
    if let Some(id) = found {
        let actor = portal.app_actor();
        portal.purge(object, id, &actor);
    }
    no_content()
}

/// A record, or 404; an id property that does not identify records is a 400.
pub(super) fn find<'a>(
    portal: &'a Portal,
    object: &ObjectType,
    id: &str,
    id_property: Option<&str>,
) -> Result<&'a Record, ApiError> {
    identifying(object, id_property)?;
    portal.find(object, id, id_property).ok_or_else(ApiError::not_found)
}

/// Refuses an id property that no unique value is kept for.
pub(super) fn identifying(object: &ObjectType, id_property: Option<&str>) -> Result<(), ApiError> {
    match id_property {
        None | Some("hs_object_id") => Ok(()),
        Some(name) if object.identifies(name) => Ok(()),
        Some(name) => Err(ApiError::invalid(format!(
            "{name} is not a unique identifier property on {}",
            object.upper()
        ))),
    }
}

/// Creates a record and its associations.
pub(super) fn insert(
    portal: &mut Portal,
    object: &ObjectType,
    values: Values,
    links: Vec<Link>,
) -> Result<u64, ApiError> {
    let actor = portal.app_actor();
    let id = portal.insert(object, None, values, &actor);
    for (to, to_id, specs) in links {
        portal.associate((object, id), (&to, to_id), &specs, &actor)?;
    }
    Ok(id)
}

/// Checks the associations that a create makes before anything is written.
pub(super) fn to_associate(
    portal: &Portal,
    object: &ObjectType,
    wanted: &[ToAssociate],
) -> Result<Vec<Link>, ApiError> {
    let mut links = Vec::new();
    for link in wanted {
        let Some(first) = link.types.first() else {
            return Err(ApiError::invalid("Some required fields were not set: [types]"));
        };
        let target =
            portal.catalog.objects().find(|to| portal.links.link_type(&object.id, &to.id, first).is_some());
        let Some(target) = target.cloned() else {
            let id = first.type_id;
            let message = format!("Association type {id} does not exist from object type {}", object.upper());
            return Err(ApiError::invalid(message));
        };
        let Some(record) = portal.find(&target, &link.to.id.0, None) else {
            let message = format!("{} {} does not exist", target.labels.0, link.to.id.0);
            return Err(ApiError::new(404, "OBJECT_NOT_FOUND", message));
        };
        links.push((target, record.id, link.types.clone()));
    }
    Ok(links)
}

/// Checks the properties of a create or update; all that is wrong is reported at once.
pub(super) fn prepare(
    portal: &Portal,
    object: &ObjectType,
    given: &IndexMap<String, Value>,
    existing: Option<&Record>,
) -> Result<Values, ApiError> {
    let (values, problems) = judge(portal, object, given, existing)?;
    if !problems.is_empty() {
        return Err(refused(&problems, portal.id));
    }
    unique(portal, object, &values, existing)?;
    Ok(values)
}

/// The values that are good, and what is wrong with the others.
pub(super) fn judge(
    portal: &Portal,
    object: &ObjectType,
    given: &IndexMap<String, Value>,
    existing: Option<&Record>,
) -> Result<(Values, Vec<Problem>), ApiError> {
    let mut values = Values::new();
    let mut problems = Vec::new();
    for (name, value) in given {
        let raw = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                let what = if value.is_array() { "Array" } else { "Object" };
                let cause = format!("Cannot deserialize value of type `java.lang.String` from {what} value");
                return Err(ApiError::invalid(format!("Invalid input JSON on line 1, column 1: {cause}")));
            }
        };
        let current = existing.and_then(|record| record.get(name));
        match portal.with_outside(object, |outside| check(object, name, &raw, current, outside)) {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    Ok((values, problems))
}

fn unique(
    portal: &Portal,
    object: &ObjectType,
    values: &Values,
    existing: Option<&Record>,
) -> Result<(), ApiError> {
    let mine = existing.map(|record| record.id);
    for (name, value) in values.iter().filter(|(name, value)| object.identifies(name) && !value.is_empty()) {
        let Some(holder) = portal.holder(object, name, value).filter(|holder| Some(*holder) != mine) else {
            continue;
        };
        if name == "email" && object.name == "contact" {
            let message = format!("Contact already exists. Existing ID: {holder}");
            return Err(ApiError::new(409, "CONFLICT", message).context("existingId", &[holder.to_string()]));
        }
        let (portal, kind) = (portal.id, object.upper());
        let on = mine.map_or("a new record".to_owned(), |id| id.to_string());
        let problem = Problem {
            name: name.clone(),
            code: "CONFLICTING_UNIQUE_VALUE",
            message: format!(
                "Cannot set PropertyValueCoordinates{{portalId={portal}, objectTypeId=ObjectTypeId{{legacyObjectType={kind}}}, \
                 propertyName={name}, value={value}}} on {on}. {holder} already has that value."
            ),
            value: Some(value.clone()),
        };
        return Err(refused(&[problem], portal));
    }
    Ok(())
}

/// What the query of a read asks to see.
pub(super) fn shape(portal: &Portal, call: &Call) -> Result<Shape, ApiError> {
    let associations = call.query.list("associations");
    let associations =
        associations.iter().map(|name| portal.catalog.resolve(name)).collect::<Result<_, _>>()?;
    Ok(Shape {
        properties: call.query.list("properties"),
        everything: false,
        history: call.query.list("propertiesWithHistory"),
        associations,
    })
}

/// A record as an answer shows it.
pub(super) fn body(portal: &Portal, object: &ObjectType, record: &Record, shape: &Shape) -> Value {
    let names = if shape.properties.is_empty() { &object.defaults } else { &shape.properties };
    let always = ["createdate", "hs_object_id", object.modified.as_str()];
    let mut names: Vec<&str> = names.iter().map(String::as_str).chain(always).collect();
    if shape.everything {
        names = record.properties.keys().map(String::as_str).collect();
    }
    names.extend(shape.history.iter().map(String::as_str));
    names.retain(|name| object.property(name).is_some());
    names.sort_unstable();
    names.dedup();
    let mut body = Map::new();
    body.insert("id".into(), record.id.to_string().into());
    let values =
        names.iter().map(|name| ((*name).to_owned(), record.get(name).map_or(Value::Null, Value::from)));
    body.insert("properties".into(), Value::Object(values.collect()));
    if !shape.history.is_empty() {
        let versions = |name: &String| -> Vec<Value> {
            record
                .history
                .get(name)
                .map(|all| all.iter().map(super::store::Version::body).collect())
                .unwrap_or_default()
        };
        let known = shape.history.iter().filter(|name| object.property(name).is_some());
        let history: Map<String, Value> = known.map(|name| (name.clone(), versions(name).into())).collect();
        body.insert("propertiesWithHistory".into(), history.into());
    }
    body.insert("createdAt".into(), instant(record.created_at).into());
    body.insert("updatedAt".into(), instant(record.updated_at).into());
    body.insert("archived".into(), record.archived_at.is_some().into());
    if let Some(at) = record.archived_at {
        body.insert("archivedAt".into(), instant(at).into());
    }
    let listed = associations::v3_lists(portal, object, record.id, &shape.associations);
    if !listed.is_empty() {
        body.insert("associations".into(), Value::Object(listed));
    }
    let url = format!("https://app.hubspot.com/contacts/{}/record/{}/{}", portal.id, object.id, record.id);
    body.insert("url".into(), url.into());
    Value::Object(body)
}

/// A record as an update answers it: what was written, and what HubSpot keeps itself.
pub(super) fn updated(portal: &Portal, object: &ObjectType, id: u64, values: &Values) -> Value {
    let mut properties: Vec<String> = values.keys().cloned().collect();
    let own = ["hs_object_source", "hs_object_source_id", "hs_object_source_label", "lifecyclestage"];
    let own = own.into_iter().filter(|name| object.property(name).is_some());
    properties.extend(own.map(str::to_owned));
    let shape = Shape { properties, ..Shape::default() };
    portal.live(&object.id, id).map(|record| body(portal, object, record, &shape)).unwrap_or_default()
}
