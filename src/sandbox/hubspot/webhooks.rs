//! Webhook settings and subscriptions (`/webhooks/v3/{appId}/…`), and the events that changes create.

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::catalog::{ObjectType, instant};
use super::error::ApiError;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::Portal;
use super::{Actor, HubspotConfig, Subscription};

const SUFFIXES: &[&str] =
    &["creation", "deletion", "merge", "restore", "propertyChange", "associationChange", "privacyDeletion"];

/// The app that receives the webhooks.
#[derive(Debug)]
pub(super) struct WebhookApp {
    pub(super) target_url: Option<String>,
    max_concurrent: u64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    subscriptions: Vec<Held>,
    next_subscription: u64,
    next_event: u64,
}

#[derive(Debug)]
struct Held {
    id: u64,
    what: Subscription,
    active: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Something that happened to a record.
#[derive(Debug, Clone)]
pub(super) struct Event {
    object: String,
    type_id: String,
    what: &'static str,
    at: DateTime<Utc>,
    actor: Actor,
    property: Option<String>,
    fields: Map<String, Value>,
}

impl Event {
    /// An event of a record.
    pub(super) fn record(
        object: &ObjectType,
        what: &'static str,
        id: u64,
        at: DateTime<Utc>,
        actor: &Actor,
    ) -> Self {
        Self::bare(object, what, at, actor).field("objectId", id)
    }

    /// A property's new value.
    pub(super) fn property(
        object: &ObjectType,
        id: u64,
        name: &str,
        value: &str,
        at: DateTime<Utc>,
        actor: &Actor,
    ) -> Self {
        let event = Self::record(object, "propertyChange", id, at, actor);
        let event = event.field("propertyName", name).field("propertyValue", value);
        Self { property: Some(name.to_owned()), ..event }
    }

    /// An event without a record of its own (an association).
    pub(super) fn bare(object: &ObjectType, what: &'static str, at: DateTime<Utc>, actor: &Actor) -> Self {
        Self {
            object: object.name.clone(),
            type_id: object.id.clone(),
            what,
            at,
            actor: actor.clone(),
            property: None,
            fields: Map::new(),
        }
    }

    pub(super) fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn flag(self, flag: &str) -> Self {
        self.field("changeFlag", flag)
    }

    fn wanted_by(&self, held: &Held) -> bool {
        let (object, what) = held.what.event.split_once('.').unwrap_or_default();
        let of_type = object == self.object
            || (object == "object" && held.what.object_type_id.as_ref().is_none_or(|id| *id == self.type_id));
        held.active
            && of_type
            && what == self.what
            && (self.property.is_none() || held.what.property == self.property)
    }

    fn payload(&self, portal: u64, app: u64, event_id: u64, held: &Held) -> Value {
        let mut payload = Map::new();
        payload.insert("eventId".into(), event_id.into());
        payload.insert("subscriptionId".into(), held.id.into());
        payload.insert("portalId".into(), portal.into());
        payload.insert("appId".into(), app.into());
        payload.insert("occurredAt".into(), self.at.timestamp_millis().into());
        payload.insert("subscriptionType".into(), held.what.event.clone().into());
        payload.insert("attemptNumber".into(), 0.into());
        if held.what.event.starts_with("object.") {
            payload.insert("objectTypeId".into(), self.type_id.clone().into());
        }
        payload.extend(self.fields.clone());
        payload.insert("changeSource".into(), self.actor.change_source.clone().into());
        if let Some(source) = &self.actor.source_id {
            payload.insert("sourceId".into(), source.clone().into());
        }
        Value::Object(payload)
    }
}

impl WebhookApp {
    pub(super) fn new(config: &HubspotConfig) -> Self {
        let now = config.clock.now();
        let mut app = Self {
            target_url: config.webhooks.target_url.clone(),
            max_concurrent: 10,
            created_at: now,
            updated_at: now,
            subscriptions: Vec::new(),
            next_subscription: 882_341,
            next_event: 100_034,
        };
        for what in &config.webhooks.subscriptions {
            app.subscribe(what.clone(), true, now);
        }
        app
    }

    fn subscribe(&mut self, what: Subscription, active: bool, now: DateTime<Utc>) -> &Held {
        let id = self.next_subscription;
        self.next_subscription += 1;
        self.subscriptions.push(Held { id, what, active, created_at: now, updated_at: now });
        &self.subscriptions[self.subscriptions.len() - 1]
    }

    fn settings(&self) -> Outcome {
        let Some(target) = &self.target_url else { return Err(ApiError::not_found()) };
        ok(json!({
            "targetUrl": target,
            "throttling": {"maxConcurrentRequests": self.max_concurrent, "period": "SECONDLY"},
            "createdAt": instant(self.created_at),
            "updatedAt": instant(self.updated_at),
        }))
    }
}

impl Held {
    fn body(&self) -> Value {
        let mut body = json!({
            "id": self.id.to_string(),
            "eventType": self.what.event,
            "active": self.active,
            "createdAt": instant(self.created_at),
            "updatedAt": instant(self.updated_at),
        });
        if let Some(property) = &self.what.property {
            body["propertyName"] = property.clone().into();
        }
        if let Some(type_id) = &self.what.object_type_id {
            body["objectTypeId"] = type_id.clone().into();
        }
        body
    }
}

impl Portal {
    /// Takes the events that wait and gives one payload for each subscription that wants it.
    pub(super) fn payloads(&mut self) -> Vec<Value> {
        let events = std::mem::take(&mut self.outbox);
        let app = &mut self.webhooks;
        if app.target_url.is_none() {
            return Vec::new();
        }
        let mut payloads = Vec::new();
        for event in events {
            for held in app.subscriptions.iter().filter(|held| event.wanted_by(held)) {
                payloads.push(event.payload(self.id, self.app, app.next_event, held));
                app.next_event += 1;
            }
        }
        payloads
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewSubscription {
    event_type: String,
    #[serde(default)]
    property_name: Option<String>,
    #[serde(default)]
    object_type_id: Option<String>,
    #[serde(default)]
    active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewSettings {
    target_url: String,
    throttling: Throttling,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    max_concurrent_requests: u64,
}

#[derive(Deserialize)]
struct Patch {
    #[serde(default)]
    active: Option<bool>,
}

/// `/webhooks/v3/{appId}/…`
pub(super) fn route(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [app, rest @ ..] = rest else { return Err(ApiError::no_route(&call.path)) };
    if *app != portal.app.to_string() {
        return Err(ApiError::new(404, "OBJECT_NOT_FOUND", format!("App {app} does not exist")));
    }
    match rest {
        ["settings"] => match call.method {
            Method::GET => portal.webhooks.settings(),
            Method::PUT => configure(portal, call),
            Method::DELETE => {
                portal.webhooks.target_url = None;
                no_content()
            }
            _ => Err(ApiError::method()),
        },
        ["subscriptions"] => match call.method {
            Method::GET => {
                let results: Vec<Value> = portal.webhooks.subscriptions.iter().map(Held::body).collect();
                ok(json!({"results": results}))
            }
            Method::POST => create(portal, call),
            _ => Err(ApiError::method()),
        },
        ["subscriptions", "batch", "update"] if call.method == Method::POST => batch(portal, call),
        ["subscriptions", id] => one(portal, call, id),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn configure(portal: &mut Portal, call: &Call) -> Outcome {
    let new: NewSettings = call.json()?;
    let url =
        url::Url::parse(&new.target_url).map_err(|_| ApiError::invalid("targetUrl must be a valid URL"))?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(ApiError::invalid("targetUrl must be a secure (https) URL"));
    }
    if !(1..=10).contains(&new.throttling.max_concurrent_requests) {
        return Err(ApiError::invalid("maxConcurrentRequests must be between 1 and 10"));
    }
    let now = portal.clock.now();
    let app = &mut portal.webhooks;
    (app.target_url, app.max_concurrent) = (Some(new.target_url), new.throttling.max_concurrent_requests);
    app.updated_at = now;
    app.settings()
}

fn create(portal: &mut Portal, call: &Call) -> Outcome {
    let new: NewSubscription = call.json()?;
    let (object, what) = new.event_type.split_once('.').unwrap_or_default();
    let of_object = object == "object" || portal.catalog.objects().any(|known| known.name == object);
    if !of_object || !SUFFIXES.contains(&what) || (what == "privacyDeletion" && object != "contact") {
        return Err(ApiError::invalid(format!("{} is not a valid eventType", new.event_type)));
    }
    if what == "propertyChange" && new.property_name.is_none() {
        return Err(ApiError::invalid("propertyName is required for propertyChange subscriptions"));
    }
    if object == "object" && new.object_type_id.is_none() {
        return Err(ApiError::invalid("objectTypeId is required for object subscriptions"));
    }
    let what = Subscription {
        event: new.event_type,
        property: new.property_name,
        object_type_id: new.object_type_id,
    };
    if portal.webhooks.subscriptions.iter().any(|held| held.what == what) {
        return Err(ApiError::new(409, "CONFLICT", "A subscription for this event already exists"));
    }
    let now = portal.clock.now();
    answer(201, portal.webhooks.subscribe(what, new.active, now).body())
}

fn one(portal: &mut Portal, call: &Call, id: &str) -> Outcome {
    let now = portal.clock.now();
    let held = &mut portal.webhooks.subscriptions;
    let at = held.iter().position(|held| held.id.to_string() == id).ok_or_else(ApiError::not_found)?;
    match call.method {
        Method::GET => ok(held[at].body()),
        Method::PATCH => {
            let patch: Patch = call.json()?;
            held[at].active = patch.active.unwrap_or(held[at].active);
            held[at].updated_at = now;
            ok(held[at].body())
        }
        Method::DELETE => {
            held.remove(at);
            no_content()
        }
        _ => Err(ApiError::method()),
    }
}

fn batch(portal: &mut Portal, call: &Call) -> Outcome {
    #[derive(Deserialize)]
    struct Inputs {
        inputs: Vec<Input>,
    }
    #[derive(Deserialize)]
    struct Input {
        id: u64,
        active: bool,
    }
    let now = portal.clock.now();
    let inputs: Inputs = call.json()?;
    let mut results = Vec::new();
    for input in inputs.inputs {
        let held = portal.webhooks.subscriptions.iter_mut().find(|held| held.id == input.id);
        let held = held.ok_or_else(ApiError::not_found)?;
        (held.active, held.updated_at) = (input.active, now);
        results.push(held.body());
    }
    let now = instant(now);
    ok(json!({"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}))
}
