//! What people are told of at once: that a CRM is left alone and that it is not any more, that records are parked, that
//! the store cannot be written.
//!
//! **Never in the way.** [`Alerts::raise`] neither waits nor fails. What cannot be queued is counted and logged, and so is
//! what cannot be delivered; the work goes on either way, and `/healthz` and `parked list` say the same.
//!
//! **Grouped.** The first of its kind (pair, mapping, reason, line) goes at once. Those that follow within a minute go
//! together at its end, with their number.
//!
//! **Personal data** stays in the store: an alert names records by id, the mapping, the line and the CRM's codes. Quoted
//! values in reasons are left out, unless the configuration permits them.
//!
//! **Delivery** is tried several times with growing pauses, each alert after the one before. A process that ends delivers
//! what it can within a bounded time; the rest is lost, which is why parked records are in the store.

mod command;
mod deliver;
mod group;
mod redact;
#[cfg(test)]
mod tests;
mod webhook;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use url::Url;

use crate::crm::http::{HttpOptions, SetupError};
use crate::source::Side;

pub use group::Alert;
pub use redact::redacted;

/// Notices that may wait for the task that groups them; a burst of a thousand parked records fits.
const QUEUE: usize = 4_096;

/// Something that people are to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A CRM is left alone.
    PauseBegan {
        /// The pair.
        pair: String,
        /// The CRM.
        crm: Side,
        /// Why: `limit`, `unauthorised`, `forbidden` or `version`.
        reason: &'static str,
        /// What to do about it.
        help: Cow<'static, str>,
        /// When it is tried again.
        until: DateTime<Utc>,
        /// The CRM's code.
        code: Option<String>,
    },
    /// A CRM is worked with again.
    PauseEnded {
        /// The pair.
        pair: String,
        /// The CRM.
        crm: Side,
        /// Why it was left alone.
        reason: &'static str,
    },
    /// The changes of an object may not be read.
    UnreadChanges {
        /// The pair.
        pair: String,
        /// The CRM.
        crm: Side,
        /// The object.
        object: String,
        /// What to do about it.
        help: Cow<'static, str>,
        /// The CRM's code.
        code: Option<String>,
    },
    /// A record waits for a person.
    Parked {
        /// The pair.
        pair: String,
        /// The mapping.
        mapping: String,
        /// The source record: its object and id.
        record: String,
        /// The id that the log carries.
        correlation: String,
        /// Why, in the author's words.
        reason: String,
        /// The field to blame.
        field: Option<String>,
        /// What the CRM said.
        answer: Option<String>,
        /// The CRM's codes.
        code: Option<String>,
        /// The file and line that says so.
        line: Option<String>,
        /// What to do about it.
        help: Option<String>,
    },
    /// The store cannot be written.
    StoreFailed {
        /// Why.
        error: String,
    },
}

/// Where alerts go.
#[derive(Debug, Clone)]
pub struct AlertSettings {
    /// A web address.
    pub webhook: Option<Webhook>,
    /// A program.
    pub command: Option<Command>,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// Whether reasons and answers may quote values.
    pub personal_data: bool,
    /// The pause before a delivery is tried again; it doubles each time.
    pub first_pause: Duration,
}

/// A web address that takes alerts by POST.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The address.
    pub url: Url,
    /// Signs the body, where it is given.
    pub secret: Option<SecretString>,
    /// Headers to send along.
    pub headers: Vec<(String, SecretString)>,
}

/// A program that takes alerts on standard input.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments; no shell reads them.
    pub argv: Vec<String>,
    /// The folder that it runs in.
    pub folder: PathBuf,
}

/// What became of an alert, for whoever counts.
pub type Count = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Where notices are handed in. Without a target it does nothing.
#[derive(Clone, Default)]
pub struct Alerts(Option<Open>);

#[derive(Clone)]
struct Open {
    queue: mpsc::Sender<Notice>,
    count: Count,
}

impl std::fmt::Debug for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerts").field("on", &self.0.is_some()).finish()
    }
}

impl Alerts {
    /// Starts to deliver; says in words why the settings cannot be used.
    pub fn start(
        settings: AlertSettings,
        http: HttpOptions,
        count: Count,
    ) -> Result<(Self, Deliveries), SetupError> {
        let target = deliver::Target::new(settings, http, Arc::clone(&count))?;
        let (queue, notices) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(deliver::work(target, notices, stopped));
        Ok((Self(Some(Open { queue, count })), Deliveries { stop, task }))
    }

    /// Hands over what is handed in, undelivered.
    #[cfg(test)]
    pub(crate) fn watched() -> (Self, mpsc::Receiver<Notice>) {
        let (queue, notices) = mpsc::channel(QUEUE);
        (Self(Some(Open { queue, count: Arc::new(|_| {}) })), notices)
    }

    /// Hands a notice in; never waits, never fails.
    pub fn raise(&self, notice: Notice) {
        let Some(Open { queue, count }) = &self.0 else { return };
        if queue.try_send(notice).is_err() {
            count("overflowed");
            tracing::error!("an alert is left out: too many are waiting");
        }
    }
}

/// The running deliveries.
#[derive(Debug)]
pub struct Deliveries {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Deliveries {
    /// Delivers what was handed in, and ends; answers whether it did in time.
    pub async fn shutdown(mut self, at_most: Duration) -> bool {
        let _ = self.stop.send(true);
        let ended = tokio::time::timeout(at_most, &mut self.task).await.is_ok();
        if !ended {
            self.task.abort();
        }
        ended
    }
}
