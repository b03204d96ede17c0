//! Tokens: the private app's, and OAuth's access and refresh tokens (`/oauth/authorize`, `/oauth/v1/…`,
//! `/oauth/2026-03/token`).
//!
//! Nobody sits at the page on which people consent, so it consents by itself, or does what the side door says.

use std::collections::HashMap;

use axum::http::{HeaderMap, Method};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::HubspotConfig;
use super::catalog::instant;
use super::error::ApiError;
use super::http::Headers;
use super::request::{Call, Outcome, Query, answer, no_content, ok};
use super::store::Portal;
use crate::sandbox::core::proves;

/// How long an access token is good for, in seconds (HubSpot's OAuth docs: 30 minutes).
const LIFETIME: i64 = 1_800;

/// How long a code may be redeemed. HubSpot's docs say "short"; a minute is what a person notices.
const CODE_LIFETIME: TimeDelta = TimeDelta::minutes(1);

/// What the side door sets: what the person at the page does, and how tokens live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct OAuthSettings {
    /// What the person at the page does.
    pub(super) consent: Consent,
    /// Scopes that are not granted although they are asked for.
    pub(super) withhold: Vec<String>,
    /// Whether a refresh token is replaced whenever it is used; the old one is dead then.
    pub(super) rotate: bool,
    /// How long access tokens are good for.
    pub(super) lifetime_seconds: i64,
}

impl Default for OAuthSettings {
    fn default() -> Self {
        Self { consent: Consent::Grant, withhold: Vec::new(), rotate: false, lifetime_seconds: LIFETIME }
    }
}

/// What a person does with a request for consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Consent {
    Grant,
    Deny,
}

/// A code that was given out and not redeemed.
#[derive(Debug)]
struct Code {
    redirect_uri: Option<String>,
    challenge: Option<String>,
    scopes: Vec<String>,
    expires: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Access {
    expires: DateTime<Utc>,
    scopes: Vec<String>,
}

/// The tokens that the portal knows.
#[derive(Debug)]
pub(super) struct Tokens {
    private: Vec<String>,
    developer_key: String,
    client_id: String,
    client_secret: String,
    /// The scopes of each refresh token.
    refresh: HashMap<String, Vec<String>>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Access>,
    pub(super) settings: OAuthSettings,
}

/// How a call was authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grant {
    /// A private app's token; it may do what the portal's app may.
    Private,
    /// An OAuth access token, with the scopes that were granted to it.
    OAuth(Vec<String>),
    /// The developer account's key.
    Developer,
}

impl Tokens {
    pub(super) fn new(config: &HubspotConfig) -> Self {
        Self {
            private: config.tokens.clone(),
            developer_key: config.developer_key.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.app_secret.clone(),
            refresh: HashMap::from([(config.refresh_token.clone(), config.scopes.clone())]),
            codes: HashMap::from([(
                config.authorization_code.clone(),
                Code { redirect_uri: None, challenge: None, scopes: config.scopes.clone(), expires: None },
            )]),
            access: HashMap::new(),
            settings: OAuthSettings::default(),
        }
    }

    /// Ends every access token.
    pub(super) fn expire_all(&mut self, now: DateTime<Utc>) {
        self.access.values_mut().for_each(|access| access.expires = now);
    }

    /// Takes every refresh token back, and the access tokens with them: the app was uninstalled.
    pub(super) fn revoke_all(&mut self) {
        self.refresh.clear();
        self.access.clear();
    }

    /// Replaces the private app's tokens; the old ones are dead at once.
    pub(super) fn rotate(&mut self, token: &str) {
        self.private = vec![token.to_owned()];
    }

    /// Whether a call is authorised.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        query: &Query,
        now: DateTime<Utc>,
    ) -> Result<Grant, ApiError> {
        if query.one("hapikey").is_some_and(|key| key == self.developer_key) {
            return Ok(Grant::Developer);
        }
        let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, token) = header.split_once(' ').unwrap_or_default();
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(unauthenticated());
        }
        if self.private.iter().any(|known| known == token) {
            return Ok(Grant::Private);
        }
        match self.access.get(token) {
            Some(access) if access.expires > now => Ok(Grant::OAuth(access.scopes.clone())),
            Some(access) => Err(expired(access.expires, now)),
            None => Err(unauthenticated()),
        }
    }

    fn issue(&mut self, refresh: &str, now: DateTime<Utc>) -> Value {
        let access = format!("CI{}", Uuid::new_v4().simple());
        let scopes = self.refresh.get(refresh).cloned().unwrap_or_default();
        let lifetime = self.settings.lifetime_seconds;
        self.access.insert(access.clone(), Access { expires: now + TimeDelta::seconds(lifetime), scopes });
        json!({
            "token_type": "bearer",
            "refresh_token": refresh,
            "access_token": access,
            "expires_in": lifetime,
        })
    }

    /// A fresh refresh token with these scopes.
    fn mint(&mut self, scopes: Vec<String>) -> String {
        let refresh = Uuid::new_v4().to_string();
        self.refresh.insert(refresh.clone(), scopes);
        refresh
    }
}

/// 401 for a token whose time is over.
pub(super) fn expired(at: DateTime<Utc>, now: DateTime<Utc>) -> ApiError {
    let ago = (now - at).num_seconds();
    let message = format!("The OAuth token used to make this call expired {ago} second(s) ago.");
    ApiError::new(401, "EXPIRED_AUTHENTICATION", message).context("expire time", &[instant(at)])
}

/// 401 for a token that nobody knows: a private app's is dead at once when it is rotated.
pub(super) fn unauthenticated() -> ApiError {
    ApiError::new(
        401,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details \
         at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
    )
}

/// `/oauth/v1/…`; needs no token itself.
pub(super) fn route(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    match rest {
        ["token"] => match call.method {
            Method::POST => token(portal, call),
            _ => Err(ApiError::method()),
        },
        ["access-tokens", token] if call.method == Method::GET => describe(portal, token),
        ["refresh-tokens", token] => {
            let known = portal.tokens.refresh.get(*token).cloned();
            let scopes = known
                .ok_or_else(|| oauth_error(404, "BAD_REFRESH_TOKEN", "missing or unknown refresh token"))?;
            match call.method {
                Method::GET => ok(json!({
                    "token": token, "client_id": portal.tokens.client_id, "user": "sandbox@example.com",
                    "hub_domain": "sandbox.example.com", "scopes": scopes, "hub_id": portal.id, "user_id": 1,
                    "token_type": "refresh",
                })),
                Method::DELETE => {
                    portal.tokens.refresh.remove(*token);
                    no_content()
                }
                _ => Err(ApiError::method()),
            }
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn token(portal: &mut Portal, call: &Call) -> Outcome {
    let form = call.form();
    let now = portal.clock.now();
    let tokens = &mut portal.tokens;
    if form.one("client_id") != Some(tokens.client_id.as_str()) {
        return Err(oauth_error(400, "BAD_CLIENT_ID", "missing or unknown client id"));
    }
    if form.one("client_secret") != Some(tokens.client_secret.as_str()) {
        return Err(oauth_error(400, "BAD_CLIENT_SECRET", "missing or invalid client secret"));
    }
    match form.one("grant_type") {
        Some("refresh_token") => {
            let mut given = form.one("refresh_token").unwrap_or_default().to_owned();
            let Some(scopes) = tokens.refresh.get(&given).cloned() else {
                return Err(oauth_error(400, "BAD_REFRESH_TOKEN", "missing or invalid refresh token"));
            };
            if tokens.settings.rotate {
                tokens.refresh.remove(&given);
                given = tokens.mint(scopes);
            }
            ok(tokens.issue(&given, now))
        }
        Some("authorization_code") => {
            // A code is spent by the attempt, whether or not it is redeemed.
            let code = tokens.codes.remove(form.one("code").unwrap_or_default());
            let code =
                code.ok_or_else(|| oauth_error(400, "BAD_AUTH_CODE", "missing or unknown auth code"))?;
            if code.expires.is_some_and(|expires| expires <= now) {
                return Err(oauth_error(400, "EXPIRED_AUTH_CODE", "auth code is expired"));
            }
            if code.redirect_uri.is_some() && code.redirect_uri.as_deref() != form.one("redirect_uri") {
                let message = "redirect URI does not match initial auth code URI";
                return Err(oauth_error(400, "MISMATCH_REDIRECT_URI_AUTH_CODE", message));
            }
            if !proved(code.challenge.as_deref(), form.one("code_verifier")) {
                return Err(oauth_error(400, "BAD_CODE_VERIFIER", "missing or invalid code verifier"));
            }
            let refresh = tokens.mint(code.scopes);
            ok(tokens.issue(&refresh, now))
        }
        _ => Err(oauth_error(400, "BAD_GRANT_TYPE", "missing or unknown grant type")),
    }
}

/// Whether a verifier belongs to a challenge; where there was none, none is needed.
fn proved(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    challenge.is_none_or(|challenge| verifier.is_some_and(|verifier| proves(verifier, challenge)))
}

/// `GET /oauth/authorize`: the page, and where it sends the browser.
pub(super) fn authorize(portal: &mut Portal, call: &Call) -> (Outcome, Headers) {
    match redirect(portal, call) {
        Ok(to) => (answer(302, Value::Null), vec![("location", to)]),
        // On the real page a person reads this; nobody is sent back to an address that was not verified.
        Err(error) => (Err(error), Vec::new()),
    }
}

/// The address to send the browser back to, and the scopes that are asked for.
fn verified(portal: &Portal, call: &Call) -> Result<(url::Url, Vec<String>), ApiError> {
    let get = |name: &str| call.query.one(name);
    if get("client_id") != Some(portal.tokens.client_id.as_str()) {
        return Err(oauth_error(400, "BAD_CLIENT_ID", "missing or unknown client id"));
    }
    let to = url::Url::parse(get("redirect_uri").unwrap_or_default()).ok();
    let to = to.filter(|url| url.scheme() == "https" || url.host_str() == Some("localhost"));
    let to = to.ok_or_else(|| {
        let message = "redirect_uri must be one of the app's: https, or http://localhost for testing";
        oauth_error(400, "BAD_REDIRECT_URI", message)
    })?;
    let asked: Vec<String> = get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    if asked.is_empty() || asked.iter().any(|scope| !portal.scopes.contains(scope)) {
        let message = "the app is not configured for a scope that was asked for";
        return Err(oauth_error(400, "MISSING_SCOPES", message));
    }
    Ok((to, asked))
}

fn redirect(portal: &mut Portal, call: &Call) -> Result<String, ApiError> {
    let get = |name: &str| call.query.one(name);
    if call.method != Method::GET {
        return Err(ApiError::method());
    }
    let (mut to, asked) = verified(portal, call)?;
    let given = get("redirect_uri").unwrap_or_default();
    let challenge = get("code_challenge").map(str::to_owned);
    if challenge.is_some() && get("code_challenge_method") != Some("S256") {
        return Err(oauth_error(400, "BAD_CODE_CHALLENGE", "only S256 is supported"));
    }
    let tokens = &mut portal.tokens;
    let pairs = match tokens.settings.consent {
        Consent::Deny => vec![
            ("error", "access_denied".to_owned()),
            ("error_description", "the user denied access".to_owned()),
        ],
        Consent::Grant => {
            let code = Uuid::new_v4().to_string();
            let scopes =
                asked.into_iter().filter(|scope| !tokens.settings.withhold.contains(scope)).collect();
            let expires = Some(portal.clock.now() + CODE_LIFETIME);
            let kept = Code { redirect_uri: Some(given.to_owned()), challenge, scopes, expires };
            tokens.codes.insert(code.clone(), kept);
            vec![("code", code)]
        }
    };
    let mut query = to.query_pairs_mut();
    for (name, value) in pairs {
        query.append_pair(name, &value);
    }
    if let Some(state) = get("state") {
        query.append_pair("state", state);
    }
    drop(query);
    Ok(to.into())
}

/// OAuth's error bodies carry their code in `status`, and the standard names beside it.
fn oauth_error(status: u16, code: &'static str, message: &str) -> ApiError {
    let standard = if code.starts_with("BAD_CLIENT") { "invalid_client" } else { "invalid_grant" };
    let error = ApiError::plain(status, message);
    error.extra("status", code).extra("error", standard).extra("error_description", message)
}

fn describe(portal: &Portal, token: &str) -> Outcome {
    let Some(access) = portal.tokens.access.get(token) else {
        return Err(oauth_error(404, "BAD_ACCESS_TOKEN", "missing or unknown access token"));
    };
    let left = (access.expires - portal.clock.now()).num_seconds();
    ok(json!({
        "token": token, "user": "sandbox@example.com", "hub_domain": "sandbox.example.com", "scopes": access.scopes,
        "hub_id": portal.id, "app_id": portal.app, "expires_in": left, "user_id": 1, "token_type": "access",
    }))
}

/// `/oauth/v2/private-apps/get/access-token-info`: whose token it is and what it may do. How HubSpot answers for a token
/// that it does not know is not documented.
pub(super) fn private_app(portal: &Portal, call: &Call) -> Outcome {
    if call.method != Method::POST {
        return Err(ApiError::method());
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let token = body["tokenKey"].as_str().unwrap_or_default();
    if !portal.tokens.private.iter().any(|known| known == token) {
        return Err(ApiError::new(401, "INVALID_AUTHENTICATION", "missing or unknown private app token"));
    }
    ok(json!({"userId": 1, "hubId": portal.id, "appId": portal.app, "scopes": portal.scopes}))
}

/// `/account-info/v3/details`
pub(super) fn account(portal: &Portal) -> Outcome {
    ok(json!({
        "portalId": portal.id, "accountType": "DEVELOPER_TEST", "timeZone": "UTC", "companyCurrency": "USD",
        "additionalCurrencies": [], "utcOffset": "+00:00", "utcOffsetMilliseconds": 0, "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }))
}

/// `/integrations/v1/me`
pub(super) fn me(portal: &Portal) -> Outcome {
    ok(json!({
        "portalId": portal.id, "timeZone": "UTC", "accountType": "DEVELOPER_TEST", "currency": "USD",
        "utcOffset": "+00:00", "utcOffsetMilliseconds": 0, "appId": portal.app,
    }))
}
