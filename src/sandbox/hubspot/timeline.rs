//! Timeline events of an app (`/integrators/timeline/v3/…`, in older clients `/crm/v3/timeline/…`): templates with their
//! tokens, and events on records.
//!
//! An event is written with the `timeline` scope and never changes; templates are kept with the developer's key or a token.
//! What HubSpot says of a template or an id that it does not know, or knows already, is not documented; here it is a 400
//! that names it, and a 409.

use axum::http::Method;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::batch::finish;
use super::catalog::{ObjectType, instant};
use super::error::ApiError;
use super::objects::Id;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::{Portal, Values};
use super::validate::parse_instant;

/// Templates of one app at most (HubSpot's timeline docs).
const TEMPLATES: usize = 750;

/// The objects whose records have a timeline for apps (the same page).
const OBJECTS: &[&str] = &["contact", "company", "deal", "ticket"];

/// Names that a token may not have (the same page).
const RESERVED: &[&str] = &["log", "lookup"];

/// Events in one batch at most, as in the objects' batches.
const MOST: usize = 100;

/// The templates and events of the portal.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    templates: IndexMap<String, Template>,
    events: Vec<Value>,
    next_template: u64,
}

/// What events of one kind look like, and which tokens they carry.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Template {
    id: String,
    #[serde(flatten)]
    given: Given,
    created_at: String,
    updated_at: String,
}

/// A template as the app writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    name: String,
    object_type: String,
    #[serde(default)]
    header_template: Option<String>,
    #[serde(default)]
    detail_template: Option<String>,
    #[serde(default)]
    tokens: Vec<Token>,
}

/// A value that each event of a template may carry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: TokenKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<TokenOption>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object_property_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TokenKind {
    Date,
    Enumeration,
    Number,
    String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TokenOption {
    label: String,
    value: String,
}

/// An event as the app writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewEvent {
    event_template_id: Id,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    object_id: Option<Id>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    tokens: Map<String, Value>,
    #[serde(default)]
    timestamp: Option<Value>,
    #[serde(default)]
    extra_data: Option<Value>,
}

/// `/integrators/timeline/v3/…`
pub(super) fn route(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    match (rest, &call.method) {
        (["events"], &Method::POST) => {
            let event = call.json()?;
            answer(201, create_event(portal, &event)?)
        }
        (["events", "batch", "create"], &Method::POST) => batch(portal, call),
        (["events", template, id], &Method::GET) => {
            let found = portal.timeline.find(template, id).ok_or_else(ApiError::not_found)?;
            ok(found.clone())
        }
        (["events"] | ["events", _, _], _) => Err(ApiError::method()),
        ([app, "event-templates", rest @ ..], _) => {
            if *app != portal.app.to_string() {
                return Err(ApiError::new(404, "OBJECT_NOT_FOUND", format!("App {app} does not exist")));
            }
            templates(portal, call, rest)
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn templates(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let now = instant(portal.clock.now());
    match (rest, &call.method) {
        ([], &Method::GET) => {
            let all: Vec<Value> = portal.timeline.templates.values().map(|known| json!(known)).collect();
            ok(json!({"results": all}))
        }
        ([], &Method::POST) => {
            let given: Given = call.json()?;
            check_template(portal, &given)?;
            if portal.timeline.templates.len() >= TEMPLATES {
                return Err(ApiError::invalid(format!("An app has at most {TEMPLATES} event templates")));
            }
            portal.timeline.next_template += 1;
            let id = (1_000_000 + portal.timeline.next_template).to_string();
            let template = Template { id: id.clone(), given, created_at: now.clone(), updated_at: now };
            let body = json!(template);
            portal.timeline.templates.insert(id, template);
            answer(201, body)
        }
        ([id], &Method::GET) => ok(json!(portal.timeline.template(id)?)),
        ([id], &Method::PUT) => {
            let given: Given = call.json()?;
            check_template(portal, &given)?;
            let template = portal.timeline.templates.get_mut(*id).ok_or_else(ApiError::not_found)?;
            (template.given, template.updated_at) = (given, now);
            ok(json!(template))
        }
        ([id], &Method::DELETE) => {
            portal.timeline.templates.shift_remove(*id);
            no_content()
        }
        ([id, "tokens"], &Method::POST) => {
            let token: Token = call.json()?;
            let mut given = portal.timeline.template(id)?.given.clone();
            given.tokens.push(token.clone());
            check_template(portal, &given)?;
            let template = portal.timeline.templates.get_mut(*id).ok_or_else(ApiError::not_found)?;
            (template.given, template.updated_at) = (given, now);
            ok(json!(token))
        }
        ([id, "tokens", name], &Method::DELETE) => {
            let template = portal.timeline.templates.get_mut(*id).ok_or_else(ApiError::not_found)?;
            template.given.tokens.retain(|token| token.name != *name);
            no_content()
        }
        ([] | [_] | [_, "tokens"] | [_, "tokens", _], _) => Err(ApiError::method()),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn check_template(portal: &Portal, given: &Given) -> Result<(), ApiError> {
    let object = portal.catalog.resolve(&given.object_type)?;
    if !OBJECTS.contains(&object.name.as_str()) {
        return Err(ApiError::invalid(format!("{} is not a valid objectType", given.object_type)));
    }
    for (at, token) in given.tokens.iter().enumerate() {
        let name = &token.name;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) || RESERVED.contains(&name.as_str()) {
            return Err(ApiError::invalid(format!("{name} is not a valid token name")));
        }
        if given.tokens[..at].iter().any(|other| other.name == *name) {
            return Err(ApiError::invalid(format!("Token {name} already exists")));
        }
        if token.kind == TokenKind::Enumeration && token.options.is_empty() {
            return Err(ApiError::invalid(format!("Token {name} is an enumeration and needs options")));
        }
        let property = token.object_property_name.as_ref();
        if let Some(property) = property.filter(|property| object.property(property).is_none()) {
            return Err(ApiError::invalid(format!("Property \"{property}\" does not exist")));
        }
    }
    Ok(())
}

fn batch(portal: &mut Portal, call: &Call) -> Outcome {
    #[derive(Deserialize)]
    struct Inputs {
        inputs: Vec<NewEvent>,
    }
    let inputs: Inputs = call.json()?;
    if inputs.inputs.len() > MOST {
        let count = inputs.inputs.len();
        let message = format!("The number of inputs in the batch ({count}) exceeds the limit of {MOST}");
        return Err(ApiError::invalid(message));
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs.inputs {
        match create_event(portal, &input) {
            Ok(event) => results.push(event),
            Err(error) => {
                let mut entry = error.entry(None);
                entry["id"] = json!(input.id);
                errors.push(entry);
            }
        }
    }
    finish(portal, 201, results, errors)
}

fn create_event(portal: &mut Portal, event: &NewEvent) -> Result<Value, ApiError> {
    let template = portal.timeline.templates.get(&event.event_template_id.0).cloned().ok_or_else(|| {
        ApiError::invalid(format!("Event template {} does not exist", event.event_template_id.0))
    })?;
    let mut tokens = Map::new();
    for (name, value) in &event.tokens {
        let known = template.given.tokens.iter().find(|token| token.name == *name);
        let known = known.ok_or_else(|| {
            ApiError::invalid(format!("Token {name} does not exist on event template {}", template.id))
        })?;
        tokens.insert(name.clone(), token_value(known, value)?.into());
    }
    let now = portal.clock.now();
    let at = match &event.timestamp {
        None | Some(Value::Null) => now,
        Some(value) => time_of(value)
            .ok_or_else(|| ApiError::invalid(format!("{value} is not a valid value for timestamp")))?,
    };
    if event.extra_data.as_ref().is_some_and(|data| !data.is_object() && !data.is_null()) {
        return Err(ApiError::invalid("extraData must be an object"));
    }
    let id = event.id.clone().map(|id| id.replace("{{uuid}}", &Uuid::new_v4().to_string()));
    let id = id.unwrap_or_else(|| Uuid::new_v4().to_string());
    if portal.timeline.find(&template.id, &id).is_some() {
        return Err(ApiError::new(409, "CONFLICT", format!("Event {id} already exists")).context("id", &[id]));
    }
    let object = portal.catalog.resolve(&template.given.object_type)?;
    let record = whose(portal, &object, event)?;
    let written: Values = template
        .given
        .tokens
        .iter()
        .filter_map(|token| {
            Some((token.object_property_name.clone()?, tokens.get(&token.name)?.as_str()?.to_owned()))
        })
        .collect();
    if !written.is_empty() {
        let actor = portal.app_actor();
        portal.update(&object, record, &written, &actor);
    }
    let body = json!({
        "id": id, "eventTemplateId": template.id, "objectType": template.given.object_type,
        "objectId": record.to_string(), "email": event.email, "tokens": tokens,
        "extraData": event.extra_data, "timestamp": instant(at), "createdAt": instant(now),
    });
    portal.timeline.events.push(body.clone());
    Ok(body)
}

/// The record that an event is for; a contact's may be named by its e-mail address, and a new address makes a new contact.
fn whose(portal: &mut Portal, object: &ObjectType, event: &NewEvent) -> Result<u64, ApiError> {
    let actor = portal.app_actor();
    let email = event.email.as_ref().filter(|_| object.name == "contact");
    if let Some(id) = &event.object_id {
        let record = portal.find(object, &id.0, None).ok_or_else(ApiError::not_found)?.id;
        if let Some(email) = email {
            let values = Values::from_iter([("email".to_owned(), email.to_lowercase())]);
            portal.update(object, record, &values, &actor);
        }
        return Ok(record);
    }
    let Some(email) = email else {
        let what = if object.name == "contact" { "objectId, email or utk" } else { "objectId" };
        return Err(ApiError::invalid(format!("Some required fields were not set: [{what}]")));
    };
    if let Some(known) = portal.holder(object, "email", email) {
        return Ok(known);
    }
    let properties = IndexMap::from_iter([("email".to_owned(), Value::from(email.as_str()))]);
    portal.create_as(object, None, &properties, &actor).map_err(ApiError::invalid)
}

fn token_value(token: &Token, value: &Value) -> Result<String, ApiError> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let good = match token.kind {
        TokenKind::String => true,
        TokenKind::Number => text.trim().parse::<f64>().is_ok_and(f64::is_finite),
        TokenKind::Date => time_of(value).is_some(),
        TokenKind::Enumeration => token.options.iter().any(|option| option.value == text),
    };
    if good && !value.is_object() && !value.is_array() {
        return Ok(text);
    }
    Err(ApiError::invalid(format!("{text} is not a valid value for token {}", token.name)))
}

/// An instant in milliseconds or as ISO 8601 has it.
fn time_of(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => parse_instant(text),
        Value::Number(number) => DateTime::from_timestamp_millis(number.as_i64()?),
        _ => None,
    }
}

impl Timeline {
    fn template(&self, id: &str) -> Result<&Template, ApiError> {
        self.templates.get(id).ok_or_else(ApiError::not_found)
    }

    fn find(&self, template: &str, id: &str) -> Option<&Value> {
        self.events.iter().find(|event| event["eventTemplateId"] == template && event["id"] == id)
    }

    /// The events of a record, or all, in the order of their creation.
    pub(super) fn events(&self, record: Option<&str>) -> Vec<Value> {
        let wanted = |event: &&Value| record.is_none_or(|id| event["objectId"] == id);
        self.events.iter().filter(wanted).cloned().collect()
    }

    /// All templates.
    pub(super) fn templates(&self) -> Vec<Value> {
        self.templates.values().map(|template| json!(template)).collect()
    }
}
