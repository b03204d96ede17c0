//! Salesforce's sessions: fetched when first needed, shared by all callers, renewed once when one has ended.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::crm::http::{Body, Call, Http, HttpOptions, SetupError, join};
use crate::crm::login::{Authorization, LoggedIn, Verifier};
use crate::crm::shared::{Shared, ask_for_token};
use crate::crm::tokens::{Asked, Granted, TokenKeeper, Unkept, refresh};
use crate::types::{CrmError, CrmErrorKind};

use super::answers;

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
    /// A person signed in once, and the refresh token is kept.
    RefreshToken {
        /// The consumer key.
        client_id: String,
        /// The consumer secret, where the app demands one.
        client_secret: Option<SecretString>,
        /// Where the refresh token is.
        keeper: Arc<dyn TokenKeeper>,
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
    /// What it may do, as the token answer says it.
    pub(super) scopes: Option<Vec<String>>,
}

/// The sessions of one client.
pub(super) struct Sessions {
    endpoint: Url,
    proof: Arc<Proof>,
    shared: Shared<Session>,
}

/// What is checked once and used for every token.
enum Proof {
    Jwt { client_id: String, username: String, audience: String, key: EncodingKey },
    Credentials { client_id: String, client_secret: SecretString },
    Refresh { client_id: String, client_secret: Option<SecretString>, keeper: Arc<dyn TokenKeeper> },
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
    #[serde(default)]
    scope: Option<String>,
}

impl Sessions {
    /// Checks the key and keeps what later tokens need.
    pub(super) fn new(login: &Url, auth: SalesforceAuth) -> Result<Self, SetupError> {
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
            SalesforceAuth::RefreshToken { client_id, client_secret, keeper } => {
                Proof::Refresh { client_id, client_secret, keeper }
            }
        };
        let endpoint = join(login, &["services", "oauth2", "token"]);
        Ok(Self { endpoint, proof: Arc::new(proof), shared: Shared::new(|_, _| true) })
    }

    /// Where the refresh token is, if there is one.
    fn keeper(&self) -> Option<&Arc<dyn TokenKeeper>> {
        match self.proof.as_ref() {
            Proof::Refresh { keeper, .. } => Some(keeper),
            _ => None,
        }
    }

    /// Whether somebody has logged in since a login was refused.
    pub(super) async fn logged_in_anew(&self) -> bool {
        match self.keeper() {
            Some(keeper) => self.shared.logged_in_anew(keeper.as_ref()).await,
            None => false,
        }
    }

    /// The session; fetches one where there is none. Callers that come meanwhile wait for the same one.
    pub(super) async fn current(&self, http: &Arc<Http>) -> Result<Arc<Session>, CrmError> {
        match self.shared.held(http.now(), self.keeper().map(Arc::as_ref)).await {
            Some(session) => Ok(session),
            None => self.fetch(http, None).await,
        }
    }

    /// A session other than the one that was just refused; fetches only if nobody else has.
    pub(super) async fn renew(
        &self,
        http: &Arc<Http>,
        refused: &Arc<Session>,
    ) -> Result<Arc<Session>, CrmError> {
        self.fetch(http, Some(Arc::clone(refused))).await
    }

    async fn fetch(&self, http: &Arc<Http>, refused: Option<Arc<Session>>) -> Result<Arc<Session>, CrmError> {
        let (proof, endpoint) = (Arc::clone(&self.proof), self.endpoint.clone());
        let fetch = self.shared.fetch(http, refused, self.keeper().cloned(), |http, unkept| {
            Box::pin(async move { proof.session(&http, &endpoint, unkept).await })
        });
        fetch.await
    }
}

impl Proof {
    /// Opens a session; answers it with the login that it belongs to.
    async fn session(
        &self,
        http: &Http,
        endpoint: &Url,
        unkept: &mut Unkept,
    ) -> Result<(Session, i64), CrmError> {
        let Proof::Refresh { client_id, client_secret, keeper } = self else {
            let granted = ask_for_token(http, endpoint, self.form(http)?).await?;
            return Ok((session(http, &granted)?, 0));
        };
        let error = |kind, message: String| http.error(kind, message);
        let ask = |token: SecretString| -> Asked<'_, Result<Session, CrmError>> {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token");
            form.append_pair("client_id", client_id);
            if let Some(secret) = client_secret {
                form.append_pair("client_secret", secret.expose_secret());
            }
            form.append_pair("refresh_token", token.expose_secret());
            let form: SecretString = form.finish().into();
            Box::pin(async move {
                let answer: TokenAnswer = ask_for_token(http, endpoint, form).await?;
                // Judged after the new token is kept: an answer with a strange host is no reason to lose it.
                let access = session(http, &answer);
                Ok(Granted { access, refresh_token: answer.refresh_token.map(SecretString::from) })
            })
        };
        let (session, login) = refresh(keeper.as_ref(), unkept, &error, &ask).await?;
        Ok((session?, login))
    }

    fn form(&self, http: &Http) -> Result<SecretString, CrmError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        match self {
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
            // INVARIANT: `session` makes the form of a refresh itself, since it needs the token.
            Proof::Refresh { .. } => {}
        }
        Ok(form.finish().into())
    }
}

fn session(http: &Http, answer: &TokenAnswer) -> Result<Session, CrmError> {
    let instance = Url::parse(&answer.instance_url).map_err(|error| error.to_string());
    let instance = instance.and_then(|url| http.admit(&url).map(|()| url)).map_err(|why| {
        http.error(CrmErrorKind::Refused, format!("the token answer's instance_url: {why}"))
    })?;
    let identity = answer.id.as_deref().and_then(|text| Url::parse(text).ok());
    let scopes = answer.scope.as_deref().map(|scopes| scopes.split_whitespace().map(str::to_owned).collect());
    Ok(Session { token: answer.access_token.clone().into(), instance, identity, scopes })
}

/// Logs a person in: the authorization request, and the redemption of the code that answers it.
pub struct SalesforceLogin {
    http: Http,
    login: Url,
    client_id: String,
    client_secret: Option<SecretString>,
}

impl SalesforceLogin {
    /// Prepares a login at an address where people log in.
    pub fn new(
        login: Url,
        client_id: String,
        client_secret: Option<SecretString>,
        options: HttpOptions,
    ) -> Result<Self, SetupError> {
        let http = Http::new(&answers::VENDOR, &login, options)?;
        Ok(Self { http, login, client_id, client_secret })
    }

    /// Where the person is sent.
    pub fn authorize(&self, request: &Authorization) -> Url {
        let mut url = join(&self.login, &["services", "oauth2", "authorize"]);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &request.redirect_uri)
            .append_pair("scope", &request.scopes.join(" "))
            .append_pair("state", &request.state)
            .append_pair("code_challenge", &request.challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// Redeems a code.
    pub async fn redeem(
        &self,
        code: &SecretString,
        verifier: &Verifier,
        redirect_uri: &str,
    ) -> Result<LoggedIn, CrmError> {
        let mut form = self.form("authorization_code");
        form.append_pair("redirect_uri", redirect_uri);
        form.append_pair("code", code.expose_secret());
        form.append_pair("code_verifier", verifier.secret().expose_secret());
        let url = join(&self.login, &["services", "oauth2", "token"]);
        let answer: TokenAnswer = ask_for_token(&self.http, &url, form.finish().into()).await?;
        let scopes = answer.scope.map(|scope| scope.split(' ').map(str::to_owned).collect());
        let Some(refresh_token) = answer.refresh_token else {
            let message =
                "the token answer holds no refresh token: the app must be allowed the scope `refresh_token`";
            return Err(self.http.error(CrmErrorKind::Forbidden, message));
        };
        // `…/id/ORGANISATION/USER`
        let id = answer.id.as_deref().and_then(|text| Url::parse(text).ok());
        let mut ids = id.as_ref().and_then(Url::path_segments).into_iter().flatten().rev();
        let (user, account) = (ids.next().map(str::to_owned), ids.next().map(str::to_owned));
        let account = account.ok_or_else(|| {
            self.http.error(CrmErrorKind::Garbled, "the token answer names no organisation")
        })?;
        Ok(LoggedIn { refresh_token: refresh_token.into(), account, user, scopes })
    }

    /// Tells Salesforce to forget a refresh token.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), CrmError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token.expose_secret());
        let mut call = Call::get(join(&self.login, &["services", "oauth2", "revoke"]));
        call.method = reqwest::Method::POST;
        call.body = Body::Form(form.finish().into());
        let answer = self.http.send(&call, None).await?;
        if answer.success() { Ok(()) } else { Err(self.http.explain(&answer, true)) }
    }

    fn form(&self, grant: &str) -> form_urlencoded::Serializer<'static, String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", grant);
        form.append_pair("client_id", &self.client_id);
        if let Some(secret) = &self.client_secret {
            form.append_pair("client_secret", secret.expose_secret());
        }
        form
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
