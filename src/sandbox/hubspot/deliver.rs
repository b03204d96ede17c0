//! Delivers webhooks: batches of up to 100 events, signed, ten in flight, retried by a schedule.
//!
//! A delivery that fails for good is given up and stays in the log. A stop drops what waits, as nothing here is durable.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::WebhookConfig;
use crate::sandbox::core::Clock;

/// Events in one delivery at most (HubSpot's webhook docs).
const BATCH: usize = 100;

/// Deliveries in flight at most (HubSpot's webhook docs: ten for an account).
const IN_FLIGHT: usize = 10;

/// The log keeps this many deliveries.
const KEPT: usize = 10_000;

/// One attempt to deliver.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// Where to.
    pub url: String,
    /// The attempt, from 0.
    pub attempt: usize,
    /// The status of the answer; none where there was no answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The events.
    pub events: Value,
}

/// What becomes of webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookMode {
    /// They are delivered.
    #[default]
    Deliver,
    /// They are held back, as in an outage that ends.
    Hold,
    /// They are lost, as in an outage longer than HubSpot tries.
    Drop,
}

/// What the side door sees of webhooks.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outage {
    pub(super) mode: WebhookMode,
    /// Events that are held back.
    pub(super) held: usize,
    /// Events that were lost.
    pub(super) lost: usize,
}

#[derive(Debug, Default)]
struct Gate {
    mode: WebhookMode,
    held: Vec<Parcel>,
    lost: usize,
}

/// Sends webhooks to the app's target.
#[derive(Debug)]
pub(super) struct Courier {
    gate: Mutex<Gate>,
    client: reqwest::Client,
    secret: String,
    signed_uri: Option<String>,
    retries: Mutex<Vec<Duration>>,
    timeout: Duration,
    window: Duration,
    clock: Clock,
    in_flight: Semaphore,
    log: Mutex<Vec<Delivery>>,
    waiting: watch::Sender<usize>,
}

impl Courier {
    pub(super) fn new(config: &WebhookConfig, secret: &str, clock: Clock) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("HubSpot Webhooks (sandbox)")
            .build()?;
        Ok(Self {
            gate: Mutex::default(),
            client,
            secret: secret.to_owned(),
            signed_uri: config.signed_uri.clone(),
            retries: Mutex::new(config.retries.clone()),
            timeout: config.timeout,
            window: config.batch_window,
            clock,
            in_flight: Semaphore::new(IN_FLIGHT),
            log: Mutex::default(),
            waiting: watch::Sender::new(0),
        })
    }

    /// The events that may go out now; the others are held back or lost.
    pub(super) fn admit(&self, parcels: Vec<Parcel>) -> Vec<Parcel> {
        let mut gate = self.gate();
        match gate.mode {
            WebhookMode::Deliver => return parcels,
            WebhookMode::Hold => gate.held.extend(parcels),
            WebhookMode::Drop => gate.lost += parcels.len(),
        }
        Vec::new()
    }

    /// Opens or closes the gate, and gives the events that were held back where it opens.
    pub(super) fn set_mode(&self, mode: WebhookMode) -> Vec<Parcel> {
        let mut gate = self.gate();
        gate.mode = mode;
        match mode {
            WebhookMode::Deliver => std::mem::take(&mut gate.held),
            WebhookMode::Hold => Vec::new(),
            WebhookMode::Drop => {
                gate.lost += gate.held.len();
                gate.held.clear();
                Vec::new()
            }
        }
    }

    /// What becomes of webhooks, and what became of some.
    pub(super) fn outage(&self) -> Outage {
        let gate = self.gate();
        Outage { mode: gate.mode, held: gate.held.len(), lost: gate.lost }
    }

    /// Replaces the pauses before each retry.
    pub(super) fn set_retries(&self, pauses: Vec<Duration>) {
        *self.retries.lock().unwrap_or_else(PoisonError::into_inner) = pauses;
    }

    fn pause_before(&self, retry: usize) -> Option<Duration> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner).get(retry).copied()
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest deliveries, oldest first.
    pub(super) fn log(&self) -> Vec<Delivery> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the log, and lets webhooks be delivered.
    pub(super) fn reset(&self) {
        *self.gate() = Gate::default();
        self.clear();
    }

    pub(super) fn clear(&self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits until nothing is left to deliver or to retry.
    pub(super) async fn settled(&self) {
        // INVARIANT: the sender lives as long as `self`.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting == 0).await;
    }

    /// Counts events that were queued, so that [`Courier::settled`] waits for them.
    pub(super) fn expect(&self, events: usize) {
        self.waiting.send_modify(|waiting| *waiting += events);
    }

    fn done(&self, events: usize) {
        self.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(events));
    }

    /// Sends one body, signed, and gives the status of the answer.
    pub(super) async fn post(&self, url: &str, events: &Value, attempt: usize) -> Result<u16, String> {
        let _permit = self.in_flight.acquire().await.map_err(|error| error.to_string())?;
        let body = events.to_string();
        let at = self.clock.now();
        let timestamp = at.timestamp_millis().to_string();
        let uri = self.signed_uri.as_deref().unwrap_or(url);
        let request = self
            .client
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-HubSpot-Signature", signature_v1(&self.secret, &body))
            .header("X-HubSpot-Signature-Version", "v1")
            .header("X-HubSpot-Signature-v3", signature_v3(&self.secret, "POST", uri, &body, &timestamp))
            .header("X-HubSpot-Request-Timestamp", timestamp)
            .header("X-HubSpot-Timeout-Millis", self.timeout.as_millis().to_string())
            .body(body);
        let answer =
            request.send().await.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string());
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == KEPT {
            log.remove(0);
        }
        log.push(Delivery {
            at,
            url: url.to_owned(),
            attempt,
            status: answer.as_ref().ok().copied(),
            error: answer.as_ref().err().cloned(),
            events: events.clone(),
        });
        answer
    }

    async fn deliver(self: Arc<Self>, url: String, events: Vec<Value>) {
        let count = events.len();
        let mut events = Value::Array(events);
        for attempt in 0.. {
            for event in events.as_array_mut().into_iter().flatten() {
                event["attemptNumber"] = attempt.into();
            }
            let answer = self.post(&url, &events, attempt).await;
            if answer.is_ok_and(|status| (200..300).contains(&status)) {
                break;
            }
            let Some(pause) = self.pause_before(attempt) else { break };
            tokio::time::sleep(pause).await;
            // A retry that falls into an outage waits for the next attempt, or is lost with the others.
            if self.outage().mode == WebhookMode::Drop {
                break;
            }
        }
        self.done(count);
    }
}

/// An event on its way, and where to.
pub(super) type Parcel = (String, Value);

/// Collects events into batches and delivers them, until the queue is closed.
pub(super) async fn run(courier: Arc<Courier>, mut queue: mpsc::UnboundedReceiver<Parcel>) {
    let mut under_way = JoinSet::new();
    while let Some((url, first)) = queue.recv().await {
        let mut batch = vec![first];
        let mut other = None;
        let window = tokio::time::sleep(courier.window);
        tokio::pin!(window);
        while batch.len() < BATCH {
            tokio::select! {
                () = &mut window => break,
                next = queue.recv() => match next {
                    Some((to, event)) if to == url => batch.push(event),
                    Some(parcel) => {
                        other = Some(parcel);
                        break;
                    }
                    None => break,
                },
            }
        }
        under_way.spawn(Arc::clone(&courier).deliver(url, batch));
        if let Some((url, event)) = other {
            under_way.spawn(Arc::clone(&courier).deliver(url, vec![event]));
        }
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

/// v1: hexadecimal SHA-256 of secret and body.
fn signature_v1(secret: &str, body: &str) -> String {
    hex::encode(Sha256::new().chain_update(secret).chain_update(body).finalize())
}

/// v3: base64 HMAC-SHA256 over method, URI, body and timestamp.
fn signature_v3(secret: &str, method: &str, uri: &str, body: &str, timestamp: &str) -> String {
    // INVARIANT: HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    for part in [method, &decoded(uri), body, timestamp] {
        mac.update(part.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// HubSpot decodes these escapes, and no other, before it signs (its request validation docs).
fn decoded(uri: &str) -> String {
    const ESCAPES: &[(&str, &str)] = &[
        ("%3A", ":"),
        ("%2F", "/"),
        ("%3F", "?"),
        ("%40", "@"),
        ("%21", "!"),
        ("%24", "$"),
        ("%27", "'"),
        ("%28", "("),
        ("%29", ")"),
        ("%2A", "*"),
        ("%2C", ","),
        ("%3B", ";"),
    ];
    let mut out = uri.to_owned();
    for (escape, plain) in ESCAPES {
        out = out.replace(escape, plain).replace(&escape.to_lowercase(), plain);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";

    #[test]
    fn signatures_are_those_of_the_official_clients_tests() {
        let body = "{'example_field':'example_value'}";
        assert_eq!(
            signature_v1(SECRET, body),
            "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"
        );
        let uri = "https://www.example.com/webhook_uri";
        assert_eq!(
            signature_v3(SECRET, "POST", uri, body, "1693657560000"),
            "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="
        );
        let escaped = "https%3A%2F%2Fwww.example.com/webhook_uri";
        assert_eq!(
            signature_v3(SECRET, "POST", escaped, body, "1"),
            signature_v3(SECRET, "POST", uri, body, "1")
        );
    }
}
