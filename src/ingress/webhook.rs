//! One webhook request: verify, read, journal, answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::SemaphorePermit;

use crate::alert::Notice;
use crate::store::{Appended, Incoming, NewEvent};

use super::hubspot::{self, BodyError};
use super::server::Listener;
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
    /// Too many requests with events of this pair are under way.
    Busy,
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
            Refusal::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy", "too many requests are under way".to_owned())
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
    State(listener): State<Arc<Listener>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let portals: Vec<&Portal> = listener.parts.settings.portals.iter().collect();
    respond(&listener.parts, receive(&listener, &portals, &method, &uri, &headers, &body).await)
}

/// `POST /webhooks/hubspot/{pair}`: from the portal of one pair.
pub(super) async fn one_pair(
    State(listener): State<Arc<Listener>>,
    Path(pair): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parts = &listener.parts;
    let portals: Vec<&Portal> = parts.settings.portals.iter().filter(|portal| portal.pair == pair).collect();
    if portals.is_empty() {
        return respond(parts, Err(Refusal::UnknownPair));
    }
    respond(parts, receive(&listener, &portals, &method, &uri, &headers, &body).await)
}

/// Takes a request's events; answers how many there were of each pair.
async fn receive(
    listener: &Listener,
    portals: &[&Portal],
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<BTreeMap<String, Counts>, Refusal> {
    let parts = &listener.parts;
    let signers = signers(parts, portals, method, uri, headers, body).map_err(Refusal::Signature)?;
    let events = hubspot::read(body, &signers, parts.clock.now()).map_err(Refusal::Body)?;
    let told: Vec<String> = events.iter().map(|event| event.incoming.told()).collect();
    let mut facts: Vec<(String, bool)> = Vec::with_capacity(events.len());
    let is_ignored = |event: &NewEvent| matches!(event.incoming, Incoming::Ignored { .. });
    facts.extend(events.iter().map(|event| (event.pair.clone(), is_ignored(event))));
    let _rooms = rooms(listener, &facts)?;
    let appended = parts.store.append(events).await.map_err(|error| {
        tracing::error!(%error, events = facts.len(), "the journal could not be written");
        parts.settings.alerts.raise(Notice::StoreFailed { error: error.to_string() });
        Refusal::Store
    })?;
    for (event, told) in appended.iter().zip(&told).filter(|(event, _)| event.new) {
        tracing::info!(correlation_id = %event.correlation, event = event.id.0, told, "received");
    }
    let counts = counts(&facts, &appended);
    note(parts, &counts);
    Ok(counts)
}

/// Takes a place for each pair that a request has events of, so that a flood of one leaves room for the others.
fn rooms<'l>(listener: &'l Listener, facts: &[(String, bool)]) -> Result<Vec<SemaphorePermit<'l>>, Refusal> {
    let pairs: BTreeSet<&str> = facts.iter().map(|(pair, _)| pair.as_str()).collect();
    let place = |pair: &str| {
        // INVARIANT: events are of portals that are configured, and each has a room.
        let room = listener.rooms.get(pair).ok_or(Refusal::UnknownPair)?;
        room.try_acquire().map_err(|_| Refusal::Busy)
    };
    pairs.into_iter().map(place).collect()
}

/// What a request held of one pair.
#[derive(Debug, Default)]
struct Counts {
    new: u64,
    known: u64,
    ignored: u64,
}

fn counts(facts: &[(String, bool)], appended: &[Appended]) -> BTreeMap<String, Counts> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for ((pair, ignored), appended) in facts.iter().zip(appended) {
        let counts = counts.entry(pair.clone()).or_default();
        counts.new += u64::from(appended.new);
        counts.known += u64::from(!appended.new);
        counts.ignored += u64::from(*ignored);
    }
    counts
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

fn note(parts: &IngressParts, counts: &BTreeMap<String, Counts>) {
    for (pair, Counts { new, known, ignored }) in counts {
        parts.metrics.events(pair, "new", *new);
        parts.metrics.events(pair, "known", *known);
        parts.metrics.events(pair, "ignored", *ignored);
        tracing::debug!(pair, received = new + known, new, ignored, "journaled");
    }
}

fn respond(parts: &IngressParts, result: Result<BTreeMap<String, Counts>, Refusal>) -> Response {
    match result {
        Ok(counts) => {
            for pair in counts.keys() {
                parts.metrics.webhook(Some(pair), "accepted");
            }
            let events: u64 = counts.values().map(|counts| counts.new + counts.known).sum();
            axum::Json(json!({"status": "journaled", "events": events})).into_response()
        }
        Err(refusal) => {
            let (status, label, message) = refusal.facts();
            parts.metrics.webhook(None, label);
            tracing::warn!(status = status.as_u16(), reason = label, message, "a webhook request is refused");
            error_response(status, label, &message)
        }
    }
}

/// A JSON error for an outsider.
pub(super) fn error_response(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, axum::Json(json!({"status": "error", "kind": kind, "message": message}))).into_response()
}
