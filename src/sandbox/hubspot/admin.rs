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
//! | `POST`, `DELETE faults` | injects a fault, removes all |
//! | `PUT token` | rotates the private app's token |
//! | `POST records/{type}` | creates a record `{id, properties}` as a person |
//! | `GET`, `PATCH`, `DELETE records/{type}/{id}` | reads, edits `{properties}`, archives |
//! | `POST records/{type}/{id}/{restore,erase}` | takes it out of the recycle bin, erases it |
//! | `POST records/{type}/{id}/merge/{other}` | merges the other into it |
//! | `PUT`, `DELETE records/{type}/{id}/associations/{to}/{toId}` | associates, dissociates |
//!
//! Changes are a person's (`CRM_UI`, `userId:1`); `?source=WORKFLOWS&sourceId=…` makes them another's.

use axum::http::Method;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Actor;
use super::error::ApiError;
use super::handle::{fresh, kind_of, record_of, show};
use super::http::Shared;
use super::objects::Id;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::Portal;
use crate::sandbox::core::Fault;

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
        (["calls"], &Method::GET) => {
            ok(json!({"count": shared.calls.count(), "calls": shared.calls.latest()}))
        }
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
        (["faults"], &Method::POST) => {
            shared.faults.add(call.json::<Fault>()?);
            no_content()
        }
        (["faults"], &Method::DELETE) => {
            shared.faults.clear();
            no_content()
        }
        (["token"], &Method::PUT) => {
            let token: Token = call.json()?;
            shared.with(|portal| portal.tokens.rotate(&token.token));
            no_content()
        }
        (["records", rest @ ..], _) => shared.with(|portal| records(portal, call, rest)),
        ([] | ["reset" | "calls" | "deliveries" | "settle" | "deliver" | "faults" | "token"], _) => {
            Err(ApiError::method())
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn reset(shared: &Shared) -> Outcome {
    let portal = fresh(&shared.config).map_err(|error| ApiError::invalid(error.to_string()))?;
    shared.with(|old| *old = portal);
    shared.calls.clear();
    shared.faults.clear();
    shared.courier.clear();
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
