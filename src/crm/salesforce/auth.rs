//! Salesforce's sessions: fetched when first needed, shared by all callers, renewed once when one has ended.
//!
//! Cancellation: a caller that is dropped while it fetches releases the others, and the next of them fetches.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use crate::crm::http::{Body, Call, Http, SetupError, join};
use crate::types::{CrmError, CrmErrorKind};

/// How the integration proves who it is.
#[derive(Debug, Clone)]
pub enum SalesforceAuth {
    /// A certificate's key signs for a user (OAuth 2.0 JWT bearer flow).
    JwtBearer {
        /// The connected app's consumer key.
        client_id: String,
        /// The integration user.
        username: String,
        /// The RSA private key in PEM form.
        private_key_pem: SecretString,
        /// The audience; the login URL where it is not given.
        audience: Option<String>,
    },
    /// The connected app acts as its own run-as user.
    ClientCredentials {
        /// The consumer key.
        client_id: String,
        /// The consumer secret.
        client_secret: SecretString,
    },
    /// A person signed in once and the app keeps the refresh token.
    RefreshToken {
        /// The consumer key.
        client_id: String,
        /// The consumer secret, where the app demands one.
        client_secret: Option<SecretString>,
        /// The refresh token.
        refresh_token: SecretString,
    },
}

/// A token and the host that it is good for.
#[derive(Debug)]
pub(super) struct Session {
    /// The access token.
    pub(super) token: SecretString,
    /// The organisation's own host.
    pub(super) instance: Url,
    /// The address that tells who the integration user is.
    pub(super) identity: Option<Url>,
}

/// The sessions of one client.
pub(super) struct Sessions {
    endpoint: Url,
    proof: Proof,
    state: Mutex<State>,
}

/// What is checked once and used for every token.
enum Proof {
    Jwt { client_id: String, username: String, audience: String, key: EncodingKey },
    Credentials { client_id: String, client_secret: SecretString },
    Refresh { client_id: String, client_secret: Option<SecretString> },
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    /// The latest refresh token: an answer may replace it.
    refresh_token: Option<SecretString>,
}

/// A token lives for minutes in the assertion: Salesforce refuses an expiry of more than five (its JWT bearer page).
const ASSERTION_SECONDS: i64 = 180;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    instance_url: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    refresh_token: Option<String>,
}

impl Sessions {
    /// Checks the key and keeps what later tokens need.
    pub(super) fn new(login: &Url, auth: SalesforceAuth) -> Result<Self, SetupError> {
        let mut state = State::default();
        let proof = match auth {
            SalesforceAuth::JwtBearer { client_id, username, private_key_pem, audience } => {
                let key =
                    EncodingKey::from_rsa_pem(private_key_pem.expose_secret().as_bytes()).map_err(|_| {
                        SetupError::Setting("the private key is not an RSA key in PEM form".to_owned())
                    })?;
                let audience = audience.unwrap_or_else(|| login.origin().ascii_serialization());
                Proof::Jwt { client_id, username, audience, key }
            }
            SalesforceAuth::ClientCredentials { client_id, client_secret } => {
                Proof::Credentials { client_id, client_secret }
            }
            SalesforceAuth::RefreshToken { client_id, client_secret, refresh_token } => {
                state.refresh_token = Some(refresh_token);
                Proof::Refresh { client_id, client_secret }
            }
        };
        let endpoint = join(login, &["services", "oauth2", "token"]);
        Ok(Self { endpoint, proof, state: Mutex::new(state) })
    }

    /// The session; fetches one where there is none. Callers that come meanwhile wait for the same one.
    pub(super) async fn current(&self, http: &Http) -> Result<Arc<Session>, CrmError> {
        let mut state = self.state.lock().await;
        match &state.session {
            Some(session) => Ok(Arc::clone(session)),
            None => self.fetch(http, &mut state).await,
        }
    }

    /// A session other than the one that was just refused; fetches only if nobody else has.
    pub(super) async fn renew(&self, http: &Http, refused: &Arc<Session>) -> Result<Arc<Session>, CrmError> {
        let mut state = self.state.lock().await;
        match &state.session {
            Some(session) if !Arc::ptr_eq(session, refused) => Ok(Arc::clone(session)),
            _ => self.fetch(http, &mut state).await,
        }
    }

    async fn fetch(&self, http: &Http, state: &mut State) -> Result<Arc<Session>, CrmError> {
        state.session = None;
        let form = self.form(http, state.refresh_token.as_ref())?;
        let mut call = Call::get(self.endpoint.clone());
        call.method = reqwest::Method::POST;
        call.body = Body::Form(form);
        let answer = http.send(&call, None).await?;
        if !answer.success() {
            // Whatever the endpoint refuses, calls cannot go on without a person.
            let mut error = http.explain(&answer, true);
            if error.kind == CrmErrorKind::Refused {
                error.kind = CrmErrorKind::Unauthorised;
            }
            return Err(error);
        }
        // The body holds a token, so no part of it may go into an error.
        let token: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| http.error(CrmErrorKind::Garbled, "the token answer is not understood"))?;
        let instance = Url::parse(&token.instance_url).map_err(|error| error.to_string());
        let instance = instance.and_then(|url| http.admit(&url).map(|()| url)).map_err(|why| {
            http.error(CrmErrorKind::Refused, format!("the token answer's instance_url: {why}"))
        })?;
        if let Some(replacement) = token.refresh_token {
            state.refresh_token = Some(replacement.into());
        }
        let identity = token.id.and_then(|text| Url::parse(&text).ok());
        let session = Arc::new(Session { token: token.access_token.into(), instance, identity });
        state.session = Some(Arc::clone(&session));
        Ok(session)
    }

    fn form(&self, http: &Http, refresh_token: Option<&SecretString>) -> Result<SecretString, CrmError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        match &self.proof {
            Proof::Jwt { client_id, username, audience, key } => {
                let assertion =
                    assertion(client_id, username, audience, key, http.now()).map_err(|error| {
                        http.error(
                            CrmErrorKind::Unauthorised,
                            format!("the assertion cannot be signed: {error}"),
                        )
                    })?;
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.append_pair("assertion", &assertion);
            }
            Proof::Credentials { client_id, client_secret } => {
                form.append_pair("grant_type", "client_credentials");
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", client_secret.expose_secret());
            }
            Proof::Refresh { client_id, client_secret } => {
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("client_id", client_id);
                if let Some(secret) = client_secret {
                    form.append_pair("client_secret", secret.expose_secret());
                }
                form.append_pair("refresh_token", refresh_token.map_or("", |token| token.expose_secret()));
            }
        }
        Ok(form.finish().into())
    }
}

fn assertion(
    client_id: &str,
    username: &str,
    audience: &str,
    key: &EncodingKey,
    now: DateTime<Utc>,
) -> Result<String, jsonwebtoken::errors::Error> {
    let exp = now.timestamp() + ASSERTION_SECONDS;
    let claims = Claims { iss: client_id, sub: username, aud: audience, exp };
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key)
}
