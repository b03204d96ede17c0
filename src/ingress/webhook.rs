//! One webhook request: verify, read, journal, answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::alert::Notice;
use crate::store::{Appended, Incoming, NewEvent};

use super::hubspot::{self, BodyError};
use super::signature::{Mismatch, SignedRequest, verify};
use super::{IngressParts, Portal};

/// What became of a request that was not accepted.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Not signed by a portal that may send.
    Signature(Mismatch),
    /// Not an event.
    Body(BodyError),
    /// No such pair.
    UnknownPair,
    /// The journal could not be written.
    Store,
}

impl Refusal {
    /// The answer's status, the counter's label and the words for an outsider.
    fn facts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Refusal::Signature(mismatch) => (StatusCode::UNAUTHORIZED, "bad_signature", mismatch.to_string()),
            Refusal::Body(error @ BodyError::UnknownPortal) => {
                (StatusCode::NOT_FOUND, "unknown_portal", error.to_string())
            }
            Refusal::Body(error) => (StatusCode::BAD_REQUEST, "not_an_event", error.to_string()),
            Refusal::UnknownPair => {
                (StatusCode::NOT_FOUND, "unknown_pair", "there is no such pair".to_owned())
            }
            Refusal::Store => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store_failed",
                "the event could not be kept; send it again".to_owned(),
            ),
        }
    }
}

/// `POST /webhooks/hubspot`: from any portal.
pub(super) async fn any_pair(
    State(parts): State<Arc<IngressParts>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let portals: Vec<&Portal> = parts.settings.portals.iter().collect();
    respond(&parts, receive(&parts, &portals, &method, &uri, &headers, &body).await)
}

/// `POST /webhooks/hubspot/{pair}`: from the portal of one pair.
pub(super) async fn one_pair(
    State(parts): State<Arc<IngressParts>>,
    Path(pair): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let portals: Vec<&Portal> = parts.settings.portals.iter().filter(|portal| portal.pair == pair).collect();
    if portals.is_empty() {
        return respond(&parts, Err(Refusal::UnknownPair));
    }
    respond(&parts, receive(&parts, &portals, &method, &uri, &headers, &body).await)
}

async fn receive(
    parts: &IngressParts,
    portals: &[&Portal],
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<usize, Refusal> {
    let signers = signers(parts, portals, method, uri, headers, body).map_err(Refusal::Signature)?;
    let events = hubspot::read(body, &signers, parts.clock.now()).map_err(Refusal::Body)?;
    let ignored = ignored(&events);
    let count = events.len();
    let told: Vec<String> = events.iter().map(|event| event.incoming.told()).collect();
    let appended = parts.store.append(events).await.map_err(|error| {
        tracing::error!(%error, events = count, "the journal could not be written");
        parts.settings.alerts.raise(Notice::StoreFailed { error: error.to_string() });
        Refusal::Store
    })?;
    for (event, told) in appended.iter().zip(&told).filter(|(event, _)| event.new) {
        tracing::info!(correlation_id = %event.correlation, event = event.id.0, told, "received");
    }
    note(parts, &appended, ignored);
    Ok(count)
}

/// The portals under whose secrets the signature holds; several portals of one app share a secret.
fn signers<'a>(
    parts: &IngressParts,
    portals: &[&'a Portal],
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Vec<&'a Portal>, Mismatch> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let unaddressed = SignedRequest {
        method: method.as_str(),
        uri: "",
        body,
        v3: header("x-hubspot-signature-v3"),
        timestamp: header("x-hubspot-request-timestamp"),
        older: header("x-hubspot-signature"),
        version: header("x-hubspot-signature-version"),
    };
    let (now, skew) = (parts.clock.now(), parts.settings.skew);
    let (mut signers, mut mismatch) = (Vec::new(), Mismatch::Missing);
    for portal in portals {
        let address = public_uri(portal, uri.query());
        let request = SignedRequest { uri: &address, ..unaddressed };
        match verify(&request, &portal.secrets, portal.require_v3, now, skew) {
            Ok(_) => signers.push(*portal),
            Err(why) => mismatch = why,
        }
    }
    if signers.is_empty() { Err(mismatch) } else { Ok(signers) }
}

/// The address that was signed: the configured one, with the request's query.
fn public_uri(portal: &Portal, query: Option<&str>) -> String {
    let mut address = portal.public_url.clone();
    address.set_query(None);
    address.set_fragment(None);
    query.map_or_else(|| address.to_string(), |query| format!("{address}?{query}"))
}

fn ignored(events: &[NewEvent]) -> u64 {
    events.iter().filter(|event| matches!(event.incoming, Incoming::Ignored { .. })).count() as u64
}

fn note(parts: &IngressParts, appended: &[Appended], ignored: u64) {
    let new = appended.iter().filter(|event| event.new).count() as u64;
    parts.metrics.events("new", new);
    parts.metrics.events("known", appended.len() as u64 - new);
    parts.metrics.events("ignored", ignored);
    tracing::debug!(received = appended.len(), new, ignored, "journaled");
}

fn respond(parts: &IngressParts, result: Result<usize, Refusal>) -> Response {
    match result {
        Ok(events) => {
            parts.metrics.webhook("accepted");
            axum::Json(json!({"status": "journaled", "events": events})).into_response()
        }
        Err(refusal) => {
            let (status, label, message) = refusal.facts();
            parts.metrics.webhook(label);
            tracing::warn!(status = status.as_u16(), reason = label, message, "a webhook request is refused");
            error_response(status, label, &message)
        }
    }
}

/// A JSON error for an outsider.
pub(super) fn error_response(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, axum::Json(json!({"status": "error", "kind": kind, "message": message}))).into_response()
}
