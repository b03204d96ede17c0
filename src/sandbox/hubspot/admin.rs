//! `/_sandbox/…`: what tests and scripts do to the portal beside its API. Needs no token; the server is on loopback.
//!
//! | call | what it does |
//! | --- | --- |
//! | `GET /_sandbox` | portal, app, and what was counted |
//! | `POST reset` | the portal as it was at the start |
//! | `GET`, `DELETE calls` | the log of API calls |
//! | `GET`, `DELETE deliveries` | the log of webhook deliveries |
//! | `POST settle` | answers once no webhook waits |
//! | `POST deliver` | sends the body's `payload` as a webhook, signed, to `targetUrl` or the app's target |
//! | `POST`, `GET`, `DELETE faults`, `DELETE faults/{name}` | puts faults, lists them with their use, removes all or one |
//! | `PUT`, `GET`, `DELETE clock` | sets, shifts or stops the clock, shows it, lets it run with the machine's |
//! | `PUT`, `GET webhooks` | `{mode: deliver, hold or drop, retriesMs}`: an outage of webhooks, and the pauses before retries |
//! | `PUT`, `GET limits` | `{ten_secondly, daily, search_secondly}` |
//! | `PUT`, `GET scopes` | what the app's tokens may do |
//! | `PUT`, `DELETE labels/{from}/{to}/{label}` | a label of associations is defined, or gone |
//! | `PATCH`, `DELETE owners/{id}` | `{email, archived}`: an owner joins, is changed or archived; is gone |
//! | `PATCH`, `DELETE schema/{type}/{property}` | `{type, fieldType, readOnly, deactivate}` changes a property; deletes it |
//! | `GET timeline` | the app's event templates and events, `?objectId=` those of a record |
//! | `PUT`, `GET oauth` | `{consent: grant or deny, withhold: [scope], rotate, lifetimeSeconds}`: what people at the page and tokens do |
//! | `POST oauth/expire`, `POST oauth/revoke` | ends all access tokens; takes all refresh tokens back, as uninstalling the app does |
//! | `PUT token` | rotates the private app's token |
//! | `POST records/{type}` | creates a record `{id, properties}` as a person |
//! | `GET`, `PATCH`, `DELETE records/{type}/{id}` | reads, edits `{properties}`, archives |
//! | `POST records/{type}/{id}/{restore,erase}` | takes it out of the recycle bin, erases it |
//! | `POST records/{type}/{id}/merge/{other}` | merges the other into it |
//! | `PUT`, `DELETE records/{type}/{id}/associations/{to}/{toId}` | associates, dissociates |
//!
//! Changes are a person's (`CRM_UI`, `userId:1`); `?source=WORKFLOWS&sourceId=…` makes them another's.

use std::time::Duration;

use axum::http::Method;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Actor;
use super::associations;
use super::catalog::instant;
use super::deliver::WebhookMode;
use super::error::ApiError;
use super::faults::{check, custom};
use super::handle::{fresh, kind_of, record_of, show};
use super::http::Shared;
use super::objects::Id;
use super::owners;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::Portal;
use crate::sandbox::core::{ClockSetting, Fault};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    #[serde(default)]
    id: Option<Id>,
    #[serde(default)]
    properties: IndexMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Deliver {
    payload: Value,
    #[serde(default)]
    target_url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: String,
}

/// Answers an admin call.
pub(super) async fn route(shared: &Shared, call: &Call) -> Outcome {
    let segments: Vec<&str> = call.segments.iter().skip(1).map(String::as_str).collect();
    match (segments.as_slice(), &call.method) {
        ([], &Method::GET) => ok(json!({
            "portalId": shared.config.portal_id, "appId": shared.config.app_id, "calls": shared.calls.count(),
            "deliveries": shared.courier.log().len(),
        })),
        (["reset"], &Method::POST) => reset(shared),
        (["calls"], &Method::GET) => ok(json!({
            "count": shared.calls.count(), "operations": shared.calls.by_operation(), "calls": shared.calls.latest(),
        })),
        (["calls"], &Method::DELETE) => {
            shared.calls.clear();
            no_content()
        }
        (["deliveries"], &Method::GET) => ok(json!({"deliveries": shared.courier.log()})),
        (["deliveries"], &Method::DELETE) => {
            shared.courier.clear();
            no_content()
        }
        (["settle"], &Method::POST) => {
            shared.courier.settled().await;
            no_content()
        }
        (["deliver"], &Method::POST) => deliver(shared, call).await,
        (["faults", rest @ ..], _) => faults(shared, call, rest),
        (["clock"], _) => clock(shared, call),
        (["webhooks"], _) => webhooks(shared, call),
        (["limits"], _) => limits(shared, call),
        (["scopes"], _) => scopes(shared, call),
        (["labels" | "owners", ..], _) => shared.with(|portal| settings(portal, call, &segments)),
        (["schema", rest @ ..], _) => shared.with(|portal| schema(portal, call, rest)),
        (["timeline"], &Method::GET) => shared.with(|portal| {
            let events = portal.timeline.events(call.query.one("objectId"));
            ok(json!({"templates": portal.timeline.templates(), "events": events}))
        }),
        (["oauth", rest @ ..], _) => oauth(shared, call, rest),
        (["token"], &Method::PUT) => {
            let token: Token = call.json()?;
            shared.with(|portal| portal.tokens.rotate(&token.token));
            no_content()
        }
        (["records", rest @ ..], _) => shared.with(|portal| records(portal, call, rest)),
        ([] | ["reset" | "calls" | "deliveries" | "settle" | "deliver" | "token"], _) => {
            Err(ApiError::method())
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}

/// What an administrator sets up beside the schema.
fn settings(portal: &mut Portal, call: &Call, segments: &[&str]) -> Outcome {
    match segments {
        ["labels", from, to, label] => associations::change_label(portal, call, (from, to), label),
        ["owners", id] => owners::change(portal, call, id),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

/// Faults are put (one, or a list), listed with how often each was used, and cleared.
fn faults(shared: &Shared, call: &Call, rest: &[&str]) -> Outcome {
    match (rest, &call.method) {
        ([], &Method::GET) => ok(json!({"faults": shared.faults.list()})),
        ([], &Method::POST) => {
            let given: Value = call.json()?;
            let given = if given.is_array() { given } else { json!([given]) };
            let wrong = |error: serde_json::Error| ApiError::invalid(format!("not a fault: {error}"));
            let given: Vec<Fault> = serde_json::from_value(given).map_err(wrong)?;
            let custom = shared.with(|portal| custom(portal));
            for fault in &given {
                check(fault, &custom)
                    .map_err(|(key, message)| ApiError::invalid(format!("`{key}`: {message}")))?;
            }
            for fault in given {
                shared.arm(fault);
            }
            no_content()
        }
        ([], &Method::DELETE) => {
            shared.faults.clear();
            no_content()
        }
        ([name], &Method::DELETE) if shared.faults.remove(name) => no_content(),
        ([_], &Method::DELETE) => Err(ApiError::not_found()),
        _ => Err(ApiError::method()),
    }
}

fn clock(shared: &Shared, call: &Call) -> Outcome {
    let clock = &shared.config.clock;
    match call.method {
        Method::GET => {}
        Method::PUT => clock.set(call.json()?),
        Method::DELETE => clock.set(ClockSetting::default()),
        _ => return Err(ApiError::method()),
    }
    ok(json!({"now": instant(clock.now())}))
}

/// `{mode: deliver | hold | drop, retriesMs: […]}`
fn webhooks(shared: &Shared, call: &Call) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Setting {
        mode: Option<WebhookMode>,
        retries_ms: Option<Vec<u64>>,
    }
    match call.method {
        Method::GET => {}
        Method::PUT => {
            let setting: Setting = call.json()?;
            if let Some(pauses) = setting.retries_ms {
                shared.courier.set_retries(pauses.into_iter().map(Duration::from_millis).collect());
            }
            if let Some(mode) = setting.mode {
                shared.set_webhook_mode(mode);
            }
        }
        _ => return Err(ApiError::method()),
    }
    ok(json!(shared.courier.outage()))
}

fn limits(shared: &Shared, call: &Call) -> Outcome {
    match call.method {
        Method::GET => {}
        Method::PUT => *shared.limiter().limits() = call.json()?,
        _ => return Err(ApiError::method()),
    }
    ok(json!(*shared.limiter().limits()))
}

/// What the person at the page of consent does, and how tokens live and end.
fn oauth(shared: &Shared, call: &Call, rest: &[&str]) -> Outcome {
    let now = shared.config.clock.now();
    shared.with(|portal| {
        match (rest, &call.method) {
            ([], &Method::GET) => {}
            ([], &Method::PUT) => portal.tokens.settings = call.json()?,
            (["expire"], &Method::POST) => portal.tokens.expire_all(now),
            (["revoke"], &Method::POST) => portal.tokens.revoke_all(),
            _ => return Err(ApiError::method()),
        }
        ok(json!(portal.tokens.settings))
    })
}

/// What the app's tokens may do from now on.
fn scopes(shared: &Shared, call: &Call) -> Outcome {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Scopes {
        scopes: Vec<String>,
    }
    shared.with(|portal| {
        match call.method {
            Method::GET => {}
            Method::PUT => portal.scopes = call.json::<Scopes>()?.scopes,
            _ => return Err(ApiError::method()),
        }
        ok(json!({"scopes": portal.scopes}))
    })
}

/// An administrator's changes to the schema: a property is retyped, loses options, can't be written any more, or is gone.
fn schema(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [kind, name] = rest else { return Err(ApiError::no_route(&call.path)) };
    let object = kind_of(portal, kind).map_err(ApiError::invalid)?;
    let known = object.property(name).is_some();
    if !known {
        return Err(ApiError::invalid(format!("{} has no property `{name}`", object.name)));
    }
    let now = portal.clock.now();
    let change: SchemaChange = match call.method {
        Method::PATCH => call.json()?,
        Method::DELETE => SchemaChange { gone: true, ..SchemaChange::default() },
        _ => return Err(ApiError::method()),
    };
    portal.edit_object(&object.id, |object| {
        let Some(property) = object.properties.get_mut(*name) else { return };
        property.updated_at = now;
        property.archived_at = change.gone.then_some(now);
        if let Some(kind) = change.kind {
            property.kind = kind;
        }
        if let Some(field_type) = change.field_type {
            property.field_type = field_type;
        }
        property.read_only = change.read_only.unwrap_or(property.read_only);
        property.options.retain(|option| !change.deactivate.contains(&option.value));
    });
    no_content()
}

/// What a schema change may say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct SchemaChange {
    #[serde(rename = "type")]
    kind: Option<String>,
    field_type: Option<String>,
    read_only: Option<bool>,
    /// Options that are taken away.
    deactivate: Vec<String>,
    #[serde(skip)]
    gone: bool,
}

fn reset(shared: &Shared) -> Outcome {
    let portal = fresh(&shared.config).map_err(|error| ApiError::invalid(error.to_string()))?;
    shared.with(|old| *old = portal);
    shared.calls.clear();
    shared.faults.clear();
    shared.arm_configured();
    shared.courier.reset();
    no_content()
}

async fn deliver(shared: &Shared, call: &Call) -> Outcome {
    let request: Deliver = call.json()?;
    let target = request.target_url.or_else(|| shared.with(|portal| portal.webhooks.target_url.clone()));
    let target = target.ok_or_else(|| ApiError::invalid("there is no webhook target"))?;
    match shared.courier.post(&target, &request.payload, 0).await {
        Ok(status) => ok(json!({"status": status})),
        Err(error) => Err(ApiError::new(502, "INTERNAL_ERROR", error)),
    }
}

fn records(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let wrong = ApiError::invalid;
    let actor = match call.query.one("source") {
        Some(source) => Actor {
            change_source: source.to_owned(),
            source_id: call.query.one("sourceId").map(str::to_owned),
        },
        None => Actor::person(),
    };
    match (rest, &call.method) {
        ([kind], &Method::POST) => {
            let edit: Edit = call.json()?;
            let object = kind_of(portal, kind).map_err(wrong)?;
            let id = edit.id.as_ref().map(|id| id.0.as_str());
            let id = portal.create_as(&object, id, &edit.properties, &actor).map_err(wrong)?;
            answer(201, show(portal, kind, &id.to_string()).unwrap_or_default())
        }
        ([kind, id], &Method::GET) => ok(show(portal, kind, id).ok_or_else(ApiError::not_found)?),
        ([kind, id], &Method::PATCH) => {
            let edit: Edit = call.json()?;
            let (object, id) = record_of(portal, kind, id).map_err(wrong)?;
            portal.edit_as(&object, id, &edit.properties, &actor).map_err(wrong)?;
            ok(show(portal, kind, &id.to_string()).unwrap_or_default())
        }
        ([kind, id], &Method::DELETE) => {
            let (object, id) = record_of(portal, kind, id).map_err(wrong)?;
            portal.archive(&object, id, &actor);
            no_content()
        }
        ([kind, id, "restore"], &Method::POST) => {
            let object = kind_of(portal, kind).map_err(wrong)?;
            let restored = id.parse().is_ok_and(|id| portal.restore(&object, id, &actor));
            if restored { no_content() } else { Err(ApiError::not_found()) }
        }
        ([kind, id, "erase"], &Method::POST) => {
            let (object, id) = record_of(portal, kind, id).map_err(wrong)?;
            portal.purge(&object, id, &actor);
            no_content()
        }
        ([kind, id, "merge", other], &Method::POST) => {
            let (object, id) = record_of(portal, kind, id).map_err(wrong)?;
            let (_, other) = record_of(portal, kind, other).map_err(wrong)?;
            let survivor = portal.merge(&object, id, other, &actor).ok_or_else(ApiError::not_found)?;
            ok(show(portal, kind, &survivor.to_string()).unwrap_or_default())
        }
        ([kind, id, "associations", to, to_id], method) => {
            let (object, id) = record_of(portal, kind, id).map_err(wrong)?;
            let (to, to_id) = record_of(portal, to, to_id).map_err(wrong)?;
            match *method {
                Method::PUT => {
                    portal.associate((&object, id), (&to, to_id), &[], &actor)?;
                    no_content()
                }
                Method::DELETE => {
                    portal.dissociate((&object, id), (&to, to_id), &actor);
                    no_content()
                }
                _ => Err(ApiError::method()),
            }
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}
