//! The listener: HubSpot's webhooks in, `/healthz` and `/metrics` out.
//!
//! **Guarantee.** 200 means that every event of the request is committed to the journal, or was there before. Anything
//! else means that nothing of the request was journaled, and HubSpot sends it again (up to ten times over 24 hours).
//!
//! **Order of checks.** Size, then signature, then shape, then portal: nothing is parsed that was not signed. Bodies
//! and the number of requests under way are capped; no CRM is called between request and answer.
//!
//! **Whose an event is** is told by its `portalId`, and only the secrets of that portal's pair vouch for it: an event of one
//! portal under the signature of another's app is refused. Requests under way are counted for each pair, so that a flood of
//! one leaves room for the others.
//!
//! **What an outsider sees** is a short JSON error that names the kind of mistake. The log says more, but neither
//! bodies nor secrets.
//!
//! **Cancellation.** When the sender hangs up or the time is over, a handler is dropped. Before the journal is written
//! nothing has happened. Afterwards the events may be committed although no 200 was sent; they come again and are
//! recognised by their dedupe key.

mod hubspot;
mod server;
mod signature;
mod webhook;

#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::alert::Alerts;
use crate::runtime::{Clock, Health, Metrics};
use crate::store::Store;

pub use server::{Ingress, router};
pub use signature::{Mismatch, Scheme, SignedRequest, sign_v3, verify};

/// What the listener is made of.
#[derive(Clone)]
pub struct IngressParts {
    /// Where events go.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Where it counts; rendered at `/metrics`.
    pub metrics: Arc<Metrics>,
    /// How the workers are; shown at `/healthz`.
    pub health: Arc<Health>,
    /// How it listens.
    pub settings: IngressSettings,
}

impl fmt::Debug for IngressParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngressParts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How the listener listens.
#[derive(Debug, Clone)]
pub struct IngressSettings {
    /// The address; loopback unless told otherwise.
    pub bind: SocketAddr,
    /// The portals that may send.
    pub portals: Vec<Portal>,
    /// How old or how far in the future a v3 signature may be.
    pub skew: Duration,
    /// The largest body in bytes.
    pub max_body: usize,
    /// Requests under way for each portal; more are answered 503 at once.
    pub max_requests: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// Who is told when the journal cannot be written.
    pub alerts: Alerts,
}

impl IngressSettings {
    /// Settings with the defaults: 127.0.0.1:8080, HubSpot's own five minutes of skew, 4 MiB, 64 requests a portal, and 4 seconds
    /// (HubSpot waits for five).
    pub fn new(portals: Vec<Portal>) -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            portals,
            skew: signature::MAX_SKEW,
            max_body: 4 * 1024 * 1024,
            max_requests: 64,
            timeout: Duration::from_secs(4),
            alerts: Alerts::default(),
        }
    }
}

/// A HubSpot portal that may send.
#[derive(Debug, Clone)]
pub struct Portal {
    /// The pair that its events are for.
    pub pair: String,
    /// The portal's id (`portalId`).
    pub portal_id: u64,
    /// The address that HubSpot calls, whatever path a proxy makes of it. Signatures cover it, and it is never taken
    /// from a header; only the query is the request's own.
    pub public_url: Url,
    /// Our app's id, by which our own writes are recognised.
    pub app_id: Option<u64>,
    /// The app's client secrets: the one in use, and the other one while it is being rotated.
    pub secrets: Vec<SecretString>,
    /// Whether v1 and v2 signatures, which have no timestamp and can be replayed, are refused.
    pub require_v3: bool,
}
