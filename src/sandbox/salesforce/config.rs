//! What a Salesforce sandbox is started with.

use serde::Deserialize;
use serde_json::Value;

use crate::sandbox::core::{Clock, Fault};

/// The settings of one sandbox organisation.
#[derive(Debug, Clone)]
pub struct SalesforceConfig {
    /// The TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The connected apps that may ask for tokens.
    pub connected_apps: Vec<ConnectedApp>,
    /// The people of the organisation; the first one is the integration user.
    pub users: Vec<SandboxUser>,
    /// `users`, `objects`, `fields`, `record_types` and `duplicate_rules`, as the module's documentation describes.
    pub seed: Value,
    /// API requests in 24 hours before `REQUEST_LIMIT_EXCEEDED`.
    pub daily_api_requests: u64,
    /// Records on a page of a query that asks for no other size.
    pub query_page_size: usize,
    /// The faults that it starts with.
    pub faults: Vec<Fault>,
    /// Tells the time.
    pub clock: Clock,
}

impl Default for SalesforceConfig {
    fn default() -> Self {
        Self {
            port: 0,
            connected_apps: vec![ConnectedApp {
                client_id: "sandbox-client".to_owned(),
                client_secret: Some("sandbox-secret".to_owned()),
                public_key_pem: None,
                run_as: None,
            }],
            users: vec![SandboxUser {
                username: "integration@sandbox.example".to_owned(),
                password: "sandbox-password".to_owned(),
                first_name: "Integration".to_owned(),
                last_name: "User".to_owned(),
            }],
            seed: Value::Null,
            daily_api_requests: 15_000,
            query_page_size: 2_000,
            faults: Vec::new(),
            clock: Clock::system(),
        }
    }
}

/// A connected app.
#[derive(Debug, Clone)]
pub struct ConnectedApp {
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret; where there is none, it is not checked.
    pub client_secret: Option<String>,
    /// The certificate or public key (PEM) that signs JWT assertions; where there is none, no signature is checked.
    pub public_key_pem: Option<String>,
    /// The user of the client-credentials flow; the first user where it is not given.
    pub run_as: Option<String>,
}

/// A user who can sign in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxUser {
    /// The user name, in the form of an e-mail address; also the user's e-mail.
    #[serde(alias = "Username", alias = "email")]
    pub username: String,
    /// The password; a security token behind it is accepted and ignored. Blank: the user cannot sign in by it.
    #[serde(default)]
    pub password: String,
    /// First name.
    #[serde(default, alias = "FirstName")]
    pub first_name: String,
    /// Last name.
    #[serde(alias = "LastName")]
    pub last_name: String,
}
