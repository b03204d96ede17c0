//! The resolved configuration.

use std::net::SocketAddr;
use std::time::Duration;

use indexmap::IndexMap;
use secrecy::SecretString;
use url::Url;

/// `mapwright.yaml` with every `${NAME}` replaced. Secrets show as `[REDACTED]` in `Debug`.
#[derive(Debug, Clone)]
pub struct ResolvedConfig {
    /// The language edition.
    pub language: u32,
    /// The pairs by name, in file order.
    pub pairs: IndexMap<String, Pair>,
    /// Where events and links are kept.
    pub store: Store,
    /// For how long what is dealt with is kept; `None` for ever.
    pub keep: Option<Duration>,
    /// The keys that seal the tokens of logins there; none where nobody logs in.
    pub keys: Option<KeySource>,
    /// The listener.
    pub serve: Serve,
    /// How often changes are asked for, where a pair does not say otherwise.
    pub poll: Poll,
    /// Bounds on what the runtime does, where a pair does not say otherwise.
    pub limits: Limits,
    /// Who is told of pauses and parked records; nobody where absent.
    pub alerts: Option<Alerts>,
    /// Whether the HTTP clients may connect to private addresses.
    pub allow_private_addresses: bool,
}

/// One HubSpot portal and the Salesforce org that it is paired with.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The pair's name.
    pub name: String,
    /// Bounds on what is done for it.
    pub limits: Limits,
    /// How often changes are asked for, for it.
    pub poll: Poll,
    /// The portal.
    pub hubspot: Hubspot,
    /// The org.
    pub salesforce: Salesforce,
}

/// A HubSpot portal.
#[derive(Debug, Clone)]
pub struct Hubspot {
    /// The portal's id, as `portalId` in its events.
    pub portal: u64,
    /// Where its API is.
    pub base_url: Url,
    /// The part of the paths that names the version (`v3`).
    pub api_path: String,
    /// How the integration proves who it is.
    pub auth: HubspotAuth,
    /// Where people consent to an OAuth app.
    pub login_url: Url,
    /// The app's id: its own writes come back as events with this `sourceId`.
    pub app_id: Option<u64>,
    /// Its webhooks; without them, `serve` accepts none.
    pub webhook: Option<Webhook>,
    /// How often it is asked for changes beside its webhooks; not at all where absent.
    pub poll: Option<Duration>,
}

/// How the integration proves to HubSpot who it is.
#[derive(Debug, Clone)]
pub enum HubspotAuth {
    /// A private app's token.
    Token(SecretString),
    /// An OAuth app, into which a person logs in with `mapwright auth login`.
    OAuth {
        /// The app's client id.
        client_id: String,
        /// The app's client secret.
        client_secret: SecretString,
        /// What the app asks to be allowed.
        scopes: Vec<String>,
    },
}

/// How HubSpot's deliveries are verified.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The app's client secret, and for a rotation the one before it.
    pub secrets: Vec<SecretString>,
    /// The address that HubSpot signs, also behind a proxy.
    pub public_url: Url,
}

/// A Salesforce org.
#[derive(Debug, Clone)]
pub struct Salesforce {
    /// Where tokens are asked for.
    pub login_url: Url,
    /// The API version, as in its URLs (`58.0`).
    pub api_version: String,
    /// How tokens are asked for.
    pub auth: SalesforceAuth,
}

/// An OAuth 2.0 flow of a connected app.
#[derive(Debug, Clone)]
pub enum SalesforceAuth {
    /// Client credentials.
    ClientCredentials {
        /// The consumer key.
        client_id: String,
        /// The consumer secret.
        client_secret: SecretString,
    },
    /// A JWT signed with the app's private key.
    JwtBearer {
        /// The consumer key.
        client_id: String,
        /// The user that the app acts for.
        username: String,
        /// The key that signs.
        private_key: PrivateKey,
        /// The `aud` claim; the login URL where absent.
        audience: Option<String>,
    },
    /// A person logs in with `mapwright auth login`.
    OAuth {
        /// The consumer key.
        client_id: String,
        /// The consumer secret, where the app demands one.
        client_secret: Option<SecretString>,
        /// What the app asks to be allowed.
        scopes: Vec<String>,
    },
    /// A configured refresh token.
    RefreshToken {
        /// The consumer key.
        client_id: String,
        /// The consumer secret, where the app demands one.
        client_secret: Option<SecretString>,
        /// The token.
        refresh_token: SecretString,
    },
}

/// A private key in PEM.
#[derive(Debug, Clone)]
pub enum PrivateKey {
    /// The key itself.
    Pem(SecretString),
    /// A file with the key, relative to the project; the caller reads it.
    File(String),
}

/// Where events and links are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A SQLite file, relative to the project.
    Sqlite(String),
}

/// Where the keys come from that seal tokens.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The keys themselves in base64, the newest first.
    Given(Vec<SecretString>),
    /// A file with one on each line, relative to the project; the caller reads it.
    File(String),
}

/// The webhook listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// The address and port.
    pub listen: SocketAddr,
    /// The longest body accepted.
    pub max_body_bytes: usize,
    /// How far a delivery's time stamp may be from now, in either direction.
    pub clock_skew_seconds: u64,
    /// Whether it may listen on more than loopback.
    pub allow_remote: bool,
}

/// How often changes are asked for where nobody sends them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// Salesforce's objects, where no mapping says otherwise; not at all where absent.
    pub every: Option<Duration>,
    /// How far each poll reads back.
    pub overlap: Duration,
    /// Other intervals, by mapping or sync.
    pub mappings: IndexMap<String, Duration>,
}

/// Who is told of pauses, parked records and a store that fails.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// A web address that takes them by POST.
    pub webhook: Option<AlertWebhook>,
    /// A program and its arguments, which takes them on standard input.
    pub command: Option<Vec<String>>,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// Whether they may quote values.
    pub personal_data: bool,
}

/// A web address that takes alerts.
#[derive(Debug, Clone)]
pub struct AlertWebhook {
    /// The address; its path may be a secret.
    pub url: Url,
    /// Signs the body.
    pub secret: Option<SecretString>,
    /// Headers to send along.
    pub headers: Vec<(String, SecretString)>,
}

/// Bounds on what the runtime does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many records are worked on together, sharing their calls.
    pub records_at_a_time: u32,
    /// How long, in a burst, records may wait for one another.
    pub gather_seconds: u64,
    /// How often a job is tried before it is parked.
    pub max_attempts: u32,
    /// How long one HTTP call may take.
    pub http_timeout_seconds: u64,
    /// From so many rows of one kind on, a backfill writes to Salesforce in jobs.
    pub bulk_from_rows: u32,
}

/// Ten of the batches that HubSpot reads, and five of those that Salesforce writes.
const RECORDS_AT_A_TIME: u32 = 1_000;
/// A batch of a minute would share more calls; half of one is still soon enough for a person who waits.
const GATHER_SECONDS: u64 = 30;
const MAX_ATTEMPTS: u32 = 10;
const HTTP_TIMEOUT_SECONDS: u64 = 30;
/// Ten collections' worth: a job costs about eight calls, however many rows it has.
const BULK_FROM_ROWS: u32 = 2_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            records_at_a_time: RECORDS_AT_A_TIME,
            gather_seconds: GATHER_SECONDS,
            max_attempts: MAX_ATTEMPTS,
            http_timeout_seconds: HTTP_TIMEOUT_SECONDS,
            bulk_from_rows: BULK_FROM_ROWS,
        }
    }
}
