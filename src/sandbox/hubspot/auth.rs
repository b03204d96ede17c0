//! Tokens: the private app's, and OAuth's access and refresh tokens (`/oauth/v1/…`, `/oauth/2026-03/token`).

use std::collections::HashMap;

use axum::http::{HeaderMap, Method};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::HubspotConfig;
use super::catalog::instant;
use super::error::ApiError;
use super::request::{Call, Outcome, Query, no_content, ok};
use super::store::Portal;

/// How long an access token is good for (HubSpot's OAuth docs).
const LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// The tokens that the portal knows.
#[derive(Debug)]
pub(super) struct Tokens {
    private: Vec<String>,
    developer_key: String,
    client_id: String,
    client_secret: String,
    refresh: Vec<String>,
    codes: Vec<String>,
    access: HashMap<String, DateTime<Utc>>,
}

/// How a call was authorised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    /// A private app's token.
    Private,
    /// An OAuth access token.
    OAuth,
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
            refresh: vec![config.refresh_token.clone()],
            codes: vec![config.authorization_code.clone()],
            access: HashMap::new(),
        }
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
            Some(expires) if *expires > now => Ok(Grant::OAuth),
            Some(expires) => Err(expired(*expires, now)),
            None => Err(unauthenticated()),
        }
    }

    fn issue(&mut self, refresh: &str, now: DateTime<Utc>) -> Value {
        let access = format!("CI{}", Uuid::new_v4().simple());
        self.access.insert(access.clone(), now + LIFETIME);
        json!({
            "token_type": "bearer",
            "refresh_token": refresh,
            "access_token": access,
            "expires_in": LIFETIME.num_seconds(),
        })
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
            let known = portal.tokens.refresh.iter().position(|known| known == token);
            let at = known
                .ok_or_else(|| oauth_error(404, "BAD_REFRESH_TOKEN", "missing or unknown refresh token"))?;
            match call.method {
                Method::GET => ok(json!({
                    "token": token, "client_id": portal.tokens.client_id, "user": "sandbox@example.com",
                    "hub_domain": "sandbox.example.com", "scopes": portal.scopes, "hub_id": portal.id, "user_id": 1,
                    "token_type": "refresh",
                })),
                Method::DELETE => {
                    portal.tokens.refresh.remove(at);
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
            let given = form.one("refresh_token").unwrap_or_default().to_owned();
            if !tokens.refresh.contains(&given) {
                return Err(oauth_error(400, "BAD_REFRESH_TOKEN", "missing or invalid refresh token"));
            }
            ok(tokens.issue(&given, now))
        }
        Some("authorization_code") => {
            let given = form.one("code").unwrap_or_default();
            let at = tokens.codes.iter().position(|code| code == given);
            let at = at.ok_or_else(|| oauth_error(400, "BAD_AUTH_CODE", "missing or unknown auth code"))?;
            tokens.codes.remove(at);
            let refresh = Uuid::new_v4().to_string();
            tokens.refresh.push(refresh.clone());
            ok(tokens.issue(&refresh, now))
        }
        _ => Err(oauth_error(400, "BAD_GRANT_TYPE", "missing or unknown grant type")),
    }
}

/// OAuth's error bodies carry their code in `status`, and the standard names beside it.
fn oauth_error(status: u16, code: &'static str, message: &str) -> ApiError {
    let standard = if code.starts_with("BAD_CLIENT") { "invalid_client" } else { "invalid_grant" };
    let error = ApiError::plain(status, message);
    error.extra("status", code).extra("error", standard).extra("error_description", message)
}

fn describe(portal: &Portal, token: &str) -> Outcome {
    let Some(expires) = portal.tokens.access.get(token) else {
        return Err(oauth_error(404, "BAD_ACCESS_TOKEN", "missing or unknown access token"));
    };
    let left = (*expires - portal.clock.now()).num_seconds();
    ok(json!({
        "token": token, "user": "sandbox@example.com", "hub_domain": "sandbox.example.com", "scopes": portal.scopes,
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
