//! From an HTTP request to its answer: authorisation, limits, faults, routing, headers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::auth::Grant;
use super::deliver::{Courier, Parcel};
use super::error::ApiError;
use super::limits::Limiter;
use super::request::{Answer, Call, Outcome};
use super::store::Portal;
use super::{
    Actor, HubspotConfig, admin, associations, auth, objects, owners, pipelines, properties, webhooks,
};
use crate::sandbox::core::{CallLog, CallRecord, Fault, FaultMoment, Faults};

/// What the handlers and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: HubspotConfig,
    pub(super) calls: CallLog,
    pub(super) faults: Faults,
    pub(super) courier: Arc<Courier>,
    pub(super) queue: mpsc::UnboundedSender<Parcel>,
    pub(super) limiter: Mutex<Limiter>,
    portal: Mutex<Portal>,
}

impl Shared {
    pub(super) fn new(
        config: HubspotConfig,
        portal: Portal,
        courier: Arc<Courier>,
        queue: mpsc::UnboundedSender<Parcel>,
    ) -> Self {
        Self {
            calls: CallLog::default(),
            faults: Faults::default(),
            limiter: Mutex::new(Limiter::new(config.limits)),
            portal: Mutex::new(portal),
            config,
            courier,
            queue,
        }
    }

    /// Works on the portal, then sends the events that the work created.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Portal) -> T) -> T {
        let mut portal = self.portal.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut portal);
        let target = portal.webhooks.target_url.clone();
        let payloads = portal.payloads();
        if let Some(target) = target {
            self.courier.expect(payloads.len());
            for payload in payloads {
                // The queue is closed only when the server stops, and then nobody waits for the event.
                let _ = self.queue.send((target.clone(), payload));
            }
        }
        result
    }

    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Portal {
    /// The app, as the one who makes the changes of API calls.
    pub(super) fn app_actor(&self) -> Actor {
        Actor::app(self.app)
    }
}

/// The server's routes: all in one place, so that slashes, escapes and methods are treated alike.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let Ok(body) = to_bytes(body, shared.config.max_body).await else {
        let message = format!("The request body is larger than {} bytes", shared.config.max_body);
        return respond(Err(ApiError::new(413, "VALIDATION_ERROR", message)), Vec::new());
    };
    let call = Call::new(parts.method, &path, &query, parts.headers, body);
    if call.segments.first().is_some_and(|segment| segment == "_sandbox") {
        return respond(admin::route(&shared, &call).await, Vec::new());
    }
    let fault = shared.faults.strike(call.method.as_str(), &path);
    if let Some(fault) = &fault {
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    }
    let real = fault.as_ref().is_none_or(|fault| fault.moment == FaultMoment::After);
    let answer = if real { answer(&shared, &call) } else { (Err(ApiError::not_found()), Vec::new()) };
    let response = match fault {
        Some(fault) => faulty(&fault),
        None => respond(answer.0, answer.1),
    };
    shared.calls.record(CallRecord {
        at: shared.config.clock.now(),
        method: call.method.to_string(),
        path,
        query,
        status: response.status().as_u16(),
        body_bytes: call.body.len(),
    });
    response
}

type Headers = Vec<(&'static str, String)>;

fn answer(shared: &Shared, call: &Call) -> (Outcome, Headers) {
    let now = shared.config.clock.now();
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    if let ["oauth", "v1", rest @ ..] = segments.as_slice() {
        return (shared.with(|portal| auth::route(portal, call, rest)), Vec::new());
    }
    let grant = match shared.with(|portal| portal.tokens.check(&call.headers, &call.query, now)) {
        Ok(grant) => grant,
        Err(error) => return (Err(error), Vec::new()),
    };
    let search = call.method == Method::POST && segments.last() == Some(&"search");
    let counted = shared.limiter().count(search, now);
    let headers = shared.limiter().headers(grant, search);
    let outcome = counted.and_then(|()| {
        media_type(call)?;
        let webhooks = segments.first() == Some(&"webhooks");
        if grant == Grant::Developer && !webhooks {
            return Err(ApiError::new(
                401,
                "INVALID_AUTHENTICATION",
                "This API does not support hapikey authentication",
            ));
        }
        shared.with(|portal| route(portal, call, &segments))
    });
    (outcome, headers)
}

fn route(portal: &mut Portal, call: &Call, segments: &[&str]) -> Outcome {
    match segments {
        ["crm", "v3", "objects", rest @ ..] => objects::route(portal, call, rest),
        ["crm", "v3", "properties", rest @ ..] => properties::route(portal, call, rest),
        ["crm" | "crm-object-schemas", "v3", "schemas", rest @ ..] => properties::schemas(portal, call, rest),
        ["crm", "v3", "owners", rest @ ..] => owners::route(portal, call, rest),
        ["crm", "v3", "pipelines", rest @ ..] => pipelines::route(portal, call, rest),
        ["crm", "v3", "associations", rest @ ..] => associations::v3(portal, call, rest),
        ["crm", "v4", "objects", rest @ ..] => associations::v4_of_record(portal, call, rest),
        ["crm", "v4", "associations", rest @ ..] => associations::v4(portal, call, rest),
        ["webhooks", "v3", rest @ ..] => webhooks::route(portal, call, rest),
        ["account-info", "v3", "details"] if call.method == Method::GET => auth::account(portal),
        ["integrations", "v1", "me"] if call.method == Method::GET => auth::me(portal),
        ["account-info", "v3", "details"] | ["integrations", "v1", "me"] => Err(ApiError::method()),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

/// HubSpot reads JSON only.
fn media_type(call: &Call) -> Result<(), ApiError> {
    if call.body.is_empty() || call.method == Method::GET {
        return Ok(());
    }
    let media =
        call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == "application/json" || media == "*/*" || media.ends_with("+json") {
        return Ok(());
    }
    Err(ApiError::plain(415, "HTTP 415 Unsupported Media Type"))
}

fn respond(outcome: Outcome, headers: Headers) -> Response {
    let (status, body) = match outcome {
        Ok(Answer { status, body }) => (status, body),
        Err(error) => (error.status, Some(error.body())),
    };
    let correlation = body.as_ref().and_then(|body| body["correlationId"].as_str()).map(str::to_owned);
    let correlation = correlation.unwrap_or_else(|| Uuid::new_v4().to_string());
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
    build(status, body.as_ref(), headers.chain([("X-HubSpot-Correlation-Id".to_owned(), correlation)]))
}

fn faulty(fault: &Fault) -> Response {
    let message = format!("Injected answer {}", fault.status);
    let body =
        fault.body.clone().unwrap_or_else(|| ApiError::new(fault.status, "INTERNAL_ERROR", message).body());
    build(fault.status, Some(&body), fault.headers.clone().into_iter())
}

fn build(status: u16, body: Option<&Value>, headers: impl Iterator<Item = (String, String)>) -> Response {
    let mut response = Response::builder().status(status);
    if body.is_some() {
        response =
            response.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
    }
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = body.map(|body| Body::from(body.to_string())).unwrap_or_default();
    response.body(body).unwrap_or_else(|_| {
        // A fault with a status or header that HTTP does not have.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
