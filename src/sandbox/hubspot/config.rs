//! How a server is set up. The defaults are a portal of the implementation guide's id with generous limits.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::scopes;
use crate::sandbox::core::{Clock, Fault};
use crate::sandbox::seed::HubspotSeed;

/// The set-up of a server.
#[derive(Debug, Clone)]
pub struct HubspotConfig {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The account's id.
    pub portal_id: u64,
    /// The app whose token writes and whose webhooks are delivered.
    pub app_id: u64,
    /// The app's client secret, which signs webhooks.
    pub app_secret: String,
    /// The app's client id, for OAuth.
    pub client_id: String,
    /// The private app's tokens.
    pub tokens: Vec<String>,
    /// The developer account's key, which HubSpot's clients send as `hapikey` to the webhook settings.
    pub developer_key: String,
    /// A refresh token that works from the start.
    pub refresh_token: String,
    /// An authorisation code that works once.
    pub authorization_code: String,
    /// What the app's tokens may do.
    pub scopes: Vec<String>,
    /// Rate limits.
    pub limits: Limits,
    /// Webhooks.
    pub webhooks: WebhookConfig,
    /// Whether a merge gives the surviving record a new id.
    pub merge_mints_id: bool,
    /// How long a new record stays hidden from searches, which HubSpot keeps eventually consistent.
    pub search_lag: TimeDelta,
    /// The largest body that is read, in bytes.
    pub max_body: usize,
    /// What the portal starts with.
    pub seed: HubspotSeed,
    /// The faults that it starts with.
    pub faults: Vec<Fault>,
    /// Tells the time.
    pub clock: Clock,
}

/// How many calls are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls in ten seconds.
    pub ten_secondly: u32,
    /// Calls in a day.
    pub daily: u32,
    /// Searches in a second.
    pub search_secondly: u32,
}

/// Where webhooks go and how they are tried.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// The target; without one nothing is sent until it is set over the API.
    pub target_url: Option<String>,
    /// What is subscribed to.
    pub subscriptions: Vec<Subscription>,
    /// The URI that is signed, where it is not the target's (a public address in front of a proxy).
    pub signed_uri: Option<String>,
    /// The pauses before each retry; as many retries as pauses.
    pub retries: Vec<Duration>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long events are collected into a batch.
    pub batch_window: Duration,
}

/// A webhook subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// `contact.propertyChange`, `company.creation`, `object.merge` …
    pub event: String,
    /// The property, for a property change.
    #[serde(default)]
    pub property: Option<String>,
    /// The object type, for `object.…`.
    #[serde(default)]
    pub object_type_id: Option<String>,
}

/// Who makes a change, as histories and webhooks tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `INTEGRATION`, `CRM_UI`, `WORKFLOWS` …
    pub change_source: String,
    /// `userId:7`, or an app's id.
    pub source_id: Option<String>,
}

impl Default for HubspotConfig {
    fn default() -> Self {
        Self {
            port: 0,
            portal_id: 4_556_789,
            app_id: 1_234_567,
            app_secret: "sandbox-client-secret".to_owned(),
            client_id: "sandbox-client-id".to_owned(),
            tokens: vec!["pat-na1-sandbox".to_owned()],
            developer_key: "sandbox-developer-key".to_owned(),
            refresh_token: "sandbox-refresh-token".to_owned(),
            authorization_code: "sandbox-authorization-code".to_owned(),
            scopes: scopes::ALL.iter().map(|scope| (*scope).to_owned()).collect(),
            limits: Limits { ten_secondly: 10_000, daily: 1_000_000, search_secondly: 1_000 },
            webhooks: WebhookConfig::default(),
            merge_mints_id: true,
            search_lag: TimeDelta::zero(),
            max_body: 10 * 1024 * 1024,
            seed: HubspotSeed::default(),
            faults: Vec::new(),
            clock: Clock::system(),
        }
    }
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            target_url: None,
            subscriptions: Vec::new(),
            signed_uri: None,
            // HubSpot tries ten times over a day; a sandbox that nobody waits a day for tries ten times in minutes.
            retries: [1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map(Duration::from_secs).to_vec(),
            timeout: Duration::from_secs(5),
            batch_window: Duration::from_millis(20),
        }
    }
}

impl HubspotConfig {
    /// Takes a seed, and from it the portal, token, app and webhooks where it has them.
    #[must_use]
    pub fn seeded(mut self, seed: HubspotSeed) -> Self {
        self.portal_id = seed.portal.unwrap_or(self.portal_id);
        self.tokens = seed.token.clone().map_or(self.tokens, |token| vec![token]);
        if let Some(app) = seed.app.clone() {
            self.app_id = app.id.unwrap_or(self.app_id);
            self.app_secret = app.secret.unwrap_or(self.app_secret);
            self.client_id = app.client_id.unwrap_or(self.client_id);
            self.refresh_token = app.refresh_token.unwrap_or(self.refresh_token);
        }
        if let Some(webhooks) = seed.webhooks.clone() {
            self.webhooks.target_url = webhooks.target_url.or(self.webhooks.target_url);
            self.webhooks.subscriptions.extend(webhooks.subscriptions);
        }
        self.seed = seed;
        self
    }
}

impl Subscription {
    /// A subscription to an event of a type (`contact.creation`).
    pub fn to(event: &str) -> Self {
        Self { event: event.to_owned(), property: None, object_type_id: None }
    }

    /// A subscription to a property's changes.
    pub fn to_property(object: &str, property: &str) -> Self {
        Self { property: Some(property.to_owned()), ..Self::to(&format!("{object}.propertyChange")) }
    }
}

impl Actor {
    /// The app with its token.
    pub fn app(id: u64) -> Self {
        Self { change_source: "INTEGRATION".to_owned(), source_id: Some(id.to_string()) }
    }

    /// A person in HubSpot's own pages.
    pub fn person() -> Self {
        Self { change_source: "CRM_UI".to_owned(), source_id: Some("userId:1".to_owned()) }
    }

    /// A workflow.
    pub fn workflow() -> Self {
        Self { change_source: "WORKFLOWS".to_owned(), source_id: None }
    }

    /// Whether a person makes the change.
    pub(super) fn is_person(&self) -> bool {
        self.change_source == "CRM_UI"
    }
}
