//! From an HTTP request to its answer: authorisation, limits, faults, routing, headers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::Response;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::auth::Grant;
use super::deliver::{Courier, Parcel, WebhookMode};
use super::error::ApiError;
use super::limits::Limiter;
use super::request::{Answer, Call, Outcome};
use super::store::Portal;
use super::{
    Actor, HubspotConfig, admin, associations, auth, faults, objects, operations, owners, pipelines,
    properties, scopes, timeline, webhooks,
};
use crate::sandbox::core::{CallLog, CallRecord, Fault, Faults, Line, Reply, Strike, Target};

/// The media type of HubSpot's answers.
pub(super) const JSON: &str = "application/json;charset=utf-8";

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
        let shared = Self {
            calls: CallLog::default(),
            faults: Faults::default(),
            limiter: Mutex::new(Limiter::new(config.limits)),
            portal: Mutex::new(portal),
            config,
            courier,
            queue,
        };
        shared.arm_configured();
        shared
    }

    /// Adds a fault, in the portal's own spelling of its object.
    pub(super) fn arm(&self, fault: Fault) -> String {
        let fault = self.with(|portal| faults::in_spelling(portal, fault));
        self.faults.add(fault)
    }

    /// Adds the faults that the server is started with.
    pub(super) fn arm_configured(&self) {
        for fault in &self.config.faults {
            self.arm(fault.clone());
        }
    }

    /// Works on the portal, then sends the events that the work created.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Portal) -> T) -> T {
        let mut portal = self.portal.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut portal);
        let target = portal.webhooks.target_url.clone();
        let payloads = portal.payloads();
        if let Some(target) = target {
            let parcels = payloads.into_iter().map(|payload| (target.clone(), payload)).collect();
            self.send(self.courier.admit(parcels));
        }
        result
    }

    fn send(&self, parcels: Vec<Parcel>) {
        self.courier.expect(parcels.len());
        for parcel in parcels {
            // The queue is closed only when the server stops, and then nobody waits for the event.
            let _ = self.queue.send(parcel);
        }
    }

    /// Lets webhooks be delivered, held back or lost; what was held back goes out once they are delivered again.
    pub(super) fn set_webhook_mode(&self, mode: WebhookMode) {
        let released = self.courier.set_mode(mode);
        self.send(released);
    }

    pub(super) fn limiter(&self) -> MutexGuard<'_, Limiter> {
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
    let line = Line::of(&request);
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let Ok(body) = to_bytes(body, shared.config.max_body).await else {
        let message = format!("The request body is larger than {} bytes", shared.config.max_body);
        return reply_of(Err(ApiError::new(413, "VALIDATION_ERROR", message)), Vec::new()).into_response();
    };
    let call = Call::new(parts.method, &path, &query, parts.headers, body);
    if call.segments.first().is_some_and(|segment| segment == "_sandbox") {
        return reply_of(admin::route(&shared, &call).await, Vec::new()).into_response();
    }
    let (name, kind) = operations::of(&call);
    let object = kind.and_then(|kind| shared.with(|portal| portal.catalog.resolve(kind).ok()));
    let operation = format!("hubspot.{name}");
    let target = Target {
        method: call.method.as_str(),
        path: &path,
        query: &query,
        operation: &operation,
        object: object.as_ref().map(|object| object.name.as_str()),
        body: &call.body,
    };
    let (reply, strike) = answered(&shared, &call, &target);
    shared.calls.record(CallRecord {
        at: shared.config.clock.now(),
        method: call.method.to_string(),
        path: path.clone(),
        query: query.clone(),
        operation: operation.clone(),
        object: target.object.map(str::to_owned),
        status: strike.as_ref().map_or(reply.status, |strike| strike.fault.logged(reply.status)),
        body_bytes: call.body.len(),
        fault: strike.as_ref().map(|strike| strike.name.clone()),
        client: None,
    });
    match strike {
        None => reply.into_response(),
        Some(strike) => {
            let host = call.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            strike.send(reply, &line, host, &path_and_query(&path, &query)).await
        }
    }
}

/// The answer to a call, and the fault that has its say in how it goes on the line.
fn answered(shared: &Shared, call: &Call, target: &Target<'_>) -> (Reply, Option<Strike>) {
    let strike = shared.faults.strike(target, |_| true);
    let carried_out = strike.as_ref().is_none_or(|strike| strike.fault.carries_out());
    let reply = carried_out.then(|| {
        let (outcome, headers) = faults::with_records(shared, call, target, |call| answer(shared, call));
        reply_of(outcome, headers)
    });
    let mut reply = match (&strike, reply) {
        (Some(strike), reply) if !strike.fault.spoils() => {
            // The real answer, if there was one, is lost.
            drop(reply);
            shared.with(|portal| faults::answer(portal, &strike.fault, target))
        }
        (_, reply) => reply.unwrap_or_else(|| Reply::explicit(&Fault::default(), JSON)),
    };
    if !reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
        reply.headers.push(("date".to_owned(), shared.config.clock.http_date()));
    }
    (reply, strike)
}

fn path_and_query(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

pub(super) type Headers = Vec<(&'static str, String)>;

fn answer(shared: &Shared, call: &Call) -> (Outcome, Headers) {
    let now = shared.config.clock.now();
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    if let ["oauth", "authorize"] = segments.as_slice() {
        return shared.with(|portal| auth::authorize(portal, call));
    }
    if let ["oauth", "v1", rest @ ..] = segments.as_slice() {
        return (shared.with(|portal| auth::route(portal, call, rest)), Vec::new());
    }
    // It says what the token in its body may do, and needs none of its own.
    if segments == ["oauth", "v2", "private-apps", "get", "access-token-info"] {
        return (shared.with(|portal| auth::private_app(portal, call)), Vec::new());
    }
    let grant = match shared.with(|portal| portal.tokens.check(&call.headers, &call.query, now)) {
        Ok(grant) => grant,
        Err(error) => return (Err(error), Vec::new()),
    };
    let search = call.method == Method::POST && segments.last() == Some(&"search");
    let counted = shared.limiter().count(search, now);
    let headers = shared.limiter().headers(&grant, search);
    let outcome = counted.and_then(|()| {
        media_type(call)?;
        let developers = segments.first() == Some(&"webhooks") || segments.contains(&"event-templates");
        if grant == Grant::Developer && !developers {
            return Err(ApiError::new(
                401,
                "INVALID_AUTHENTICATION",
                "This API does not support hapikey authentication",
            ));
        }
        shared.with(|portal| {
            permitted(portal, call, &grant)?;
            route(portal, call, &segments)
        })
    });
    (outcome, headers)
}

/// Refuses a call whose scope the app does not have, or the token that it is made with.
fn permitted(portal: &Portal, call: &Call, grant: &Grant) -> Result<(), ApiError> {
    let of_token = match grant {
        Grant::Developer => return Ok(()),
        Grant::Private => None,
        Grant::OAuth(scopes) => Some(scopes),
    };
    let (operation, kind) = operations::of(call);
    let object = kind.and_then(|kind| portal.catalog.resolve(kind).ok());
    let object = object.as_ref().map(|object| object.name.as_str());
    std::iter::once(&portal.scopes)
        .chain(of_token)
        .try_for_each(|granted| scopes::check(granted, operation, object))
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
        ["crm", "v3", "timeline", rest @ ..] | ["integrators", "timeline", "v3", rest @ ..] => {
            timeline::route(portal, call, rest)
        }
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

/// An outcome as an answer.
pub(super) fn reply_of(outcome: Outcome, headers: Headers) -> Reply {
    let (status, body) = match outcome {
        Ok(Answer { status, body }) => (status, body),
        Err(error) => (error.status, Some(error.body())),
    };
    let correlation = body.as_ref().and_then(|body| body["correlationId"].as_str()).map(str::to_owned);
    let correlation = correlation.unwrap_or_else(|| Uuid::new_v4().to_string());
    let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    headers.push(("X-HubSpot-Correlation-Id".to_owned(), correlation));
    Reply {
        status,
        headers,
        content_type: body.is_some().then(|| JSON.to_owned()),
        body: body.map(|body| body.to_string().into()).unwrap_or_default(),
    }
}
