//! Sessions, and the OAuth endpoints that open them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use super::config::ConnectedApp;
use super::error::ApiError;
use super::http::{Answer, Request, method_not_allowed};
use super::org::Org;
use super::{ids, route as routes};
use crate::sandbox::core::proves;

/// How far ahead an assertion may expire (Salesforce's documentation of the JWT bearer flow: three minutes).
const MAX_ASSERTION_SECONDS: i64 = 180;

/// From here on an `exp` is milliseconds: the Salesforce CLI sends those, and the real endpoint takes them.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long a code may be redeemed (Salesforce's docs of the web server flow: 15 minutes).
const CODE_LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// Access and refresh tokens, and codes.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: HashMap<String, Session>,
    refresh: HashMap<String, Refresh>,
    codes: HashMap<String, Code>,
    pub(super) settings: OAuthSettings,
}

/// What the side door sets: what the person at the page does, and how refresh tokens live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct OAuthSettings {
    /// Whether the person refuses.
    deny: bool,
    /// Scopes that are not granted although they are asked for.
    withhold: Vec<String>,
    /// Whether a refresh token is replaced whenever it is used; the old one is dead then.
    rotate: bool,
}

/// A code that was given out and not redeemed.
#[derive(Debug)]
struct Code {
    client_id: String,
    redirect_uri: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    user_id: String,
    expires: DateTime<Utc>,
}

/// Whose a refresh token is, and what was granted with it.
#[derive(Debug, Clone)]
struct Refresh {
    user_id: String,
    scopes: Vec<String>,
}

#[derive(Debug)]
struct Session {
    user_id: String,
    expired: bool,
}

impl Sessions {
    /// Opens a session; its token has the real form, which is not that of a JWT.
    pub(super) fn open(&mut self, organization_id: &str, user_id: &str) -> String {
        let token = format!("{}!AQ{}", ids::short(organization_id), random_text(96));
        self.open.insert(token.clone(), Session { user_id: user_id.to_owned(), expired: false });
        token
    }

    pub(super) fn expire_all(&mut self) {
        self.open.values_mut().for_each(|session| session.expired = true);
    }

    /// The user of a session that is still open.
    pub(super) fn user_of(&self, token: &str) -> Option<&str> {
        self.open.get(token).filter(|session| !session.expired).map(|session| session.user_id.as_str())
    }

    fn open_refresh(&mut self, user_id: &str, scopes: &[String]) -> String {
        let token = format!("5Aep861{}", random_text(80));
        let refresh = Refresh { user_id: user_id.to_owned(), scopes: scopes.to_vec() };
        self.refresh.insert(token.clone(), refresh);
        token
    }

    /// Takes every refresh token back, and the sessions with them.
    pub(super) fn revoke_all(&mut self) {
        self.refresh.clear();
        self.open.clear();
    }

    fn revoke(&mut self, token: &str) -> bool {
        self.open.remove(token).is_some() | self.refresh.remove(token).is_some()
    }
}

/// A refusal of an OAuth endpoint: `{error, error_description}`.
struct Refusal(&'static str, &'static str);

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Answer::json(400, json!({"error": refusal.0, "error_description": refusal.1}))
    }
}

/// The user behind an `Authorization` header.
pub(super) fn authenticate(org: &Org, header: Option<&str>) -> Result<String, ApiError> {
    let expired = || ApiError::new("INVALID_SESSION_ID", "Session expired or invalid");
    let (scheme, token) = header.and_then(|header| header.split_once(' ')).ok_or_else(expired)?;
    if !scheme.eq_ignore_ascii_case("Bearer") && !scheme.eq_ignore_ascii_case("OAuth") {
        return Err(ApiError::new("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"));
    }
    org.sessions.user_of(token.trim()).map(str::to_owned).ok_or_else(expired)
}

/// Answers `/services/oauth2/…`.
pub(super) fn route(org: &mut Org, request: &Request, path: &[&str]) -> Answer {
    let form = form(request);
    match (request.method.as_str(), path) {
        ("GET", ["authorize"]) => authorize(org, request),
        ("POST", ["token"]) => token(org, request, &form).unwrap_or_else(Answer::from),
        ("GET" | "POST", ["userinfo"]) => userinfo(org, request),
        ("GET" | "POST", ["revoke"]) => {
            let revoked = form.get("token").is_some_and(|token| org.sessions.revoke(token));
            if revoked {
                Answer::empty(200)
            } else {
                Refusal("unsupported_token_type", "this token type is not supported").into()
            }
        }
        ("POST", ["introspect"]) => introspect(org, &form),
        (method, ["token" | "introspect"]) => method_not_allowed(method, "POST"),
        _ => Answer::from(ApiError::no_resource()),
    }
}

/// Answers the identity URL that comes with every token.
pub(super) fn identity(org: &Org, request: &Request, organization: &str, user: &str) -> Answer {
    let Some(caller) = session_user(org, request) else {
        return Answer::text(403, "text/html; charset=UTF-8", "Bad_OAuth_Token".to_owned());
    };
    let known = ids::normalize(organization).as_deref() == Some(org.organization_id.as_str())
        && ids::normalize(user).as_deref() == Some(caller.as_str());
    if known {
        Answer::json(200, identity_body(org, &caller))
    } else {
        Answer::text(404, "text/html; charset=UTF-8", "Bad_Id".to_owned())
    }
}

/// The user that may sign in with this name and password; a security token may follow the password.
pub(super) fn sign_in(org: &Org, username: &str, password: &str) -> Option<String> {
    let user = org.users.iter().find(|user| user.username.eq_ignore_ascii_case(username))?;
    let known = !user.password.is_empty() && password.starts_with(&user.password);
    known.then(|| user_id(org, username)).flatten()
}

fn token(org: &mut Org, request: &Request, form: &HashMap<String, String>) -> Result<Answer, Refusal> {
    let get = |name: &str| form.get(name).map(String::as_str);
    let Some(grant) = get("grant_type") else {
        return Err(Refusal("unsupported_grant_type", "grant type not supported"));
    };
    let mut granted = vec!["api".to_owned(), "refresh_token".to_owned()];
    let (user_id, app, with_refresh) = match grant {
        JWT_BEARER => {
            let (user_id, app) = jwt_bearer(org, get("assertion").unwrap_or_default())?;
            (user_id, app, false)
        }
        "client_credentials" => {
            let app = client(org, request, form)?;
            let name = app.run_as.clone().or_else(|| org.users.first().map(|user| user.username.clone()));
            let user_id = name
                .and_then(|name| user_id(org, &name))
                .ok_or(Refusal("invalid_grant", "no client credentials user enabled"))?;
            (user_id, app, false)
        }
        "refresh_token" => {
            let app = client(org, request, form)?;
            let used = get("refresh_token").unwrap_or_default();
            let refresh = org.sessions.refresh.get(used).cloned();
            let refresh = refresh.ok_or(Refusal("invalid_grant", "expired access/refresh token"))?;
            let rotate = org.sessions.settings.rotate;
            if rotate {
                org.sessions.refresh.remove(used);
            }
            granted = refresh.scopes;
            (refresh.user_id, app, rotate)
        }
        "authorization_code" => {
            let app = client(org, request, form)?;
            let code = redeem(org, form, &app)?;
            let with_refresh =
                code.scopes.iter().any(|scope| scope == "refresh_token" || scope == "offline_access");
            granted = code.scopes;
            (code.user_id, app, with_refresh)
        }
        "password" => {
            let app = client(org, request, form)?;
            let user_id =
                sign_in(org, get("username").unwrap_or_default(), get("password").unwrap_or_default())
                    .ok_or(Refusal("invalid_grant", "authentication failure"))?;
            (user_id, app, true)
        }
        _ => return Err(Refusal("unsupported_grant_type", "grant type not supported")),
    };
    Ok(opened(org, &user_id, &app, &granted, with_refresh))
}

/// A session, as the token endpoint answers it.
fn opened(org: &mut Org, user_id: &str, app: &ConnectedApp, scopes: &[String], with_refresh: bool) -> Answer {
    let organization = org.organization_id.clone();
    let access_token = org.sessions.open(&organization, user_id);
    let id = identity_url(org, user_id);
    let issued_at = org.now().timestamp_millis().to_string();
    let signature = sign(app.client_secret.as_deref().unwrap_or_default(), &format!("{id}{issued_at}"));
    let mut body = json!({
        "access_token": access_token,
        "signature": signature,
        "scope": scopes.join(" "),
        "instance_url": org.base_url,
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if with_refresh {
        body["refresh_token"] = org.sessions.open_refresh(user_id, scopes).into();
    }
    Answer::json(200, body).with_header("cache-control", "no-cache, no-store".to_owned())
}

/// Spends a code; every attempt does.
fn redeem(org: &mut Org, form: &HashMap<String, String>, app: &ConnectedApp) -> Result<Code, Refusal> {
    let get = |name: &str| form.get(name).map(String::as_str);
    let code = org.sessions.codes.remove(get("code").unwrap_or_default());
    let code = code.ok_or(Refusal("invalid_grant", "invalid authorization code"))?;
    if code.expires <= org.now() {
        return Err(Refusal("invalid_grant", "expired authorization code"));
    }
    if code.client_id != app.client_id {
        return Err(Refusal("invalid_client", "invalid client credentials"));
    }
    if get("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(Refusal("redirect_uri_mismatch", "redirect_uri must match configuration"));
    }
    let Some(challenge) = &code.challenge else { return Ok(code) };
    let verifier =
        get("code_verifier").ok_or(Refusal("invalid_request", "missing required code verifier"))?;
    if !proves(verifier, challenge) {
        return Err(Refusal("invalid_grant", "invalid code verifier"));
    }
    Ok(code)
}

/// `GET /services/oauth2/authorize`: the page on which people consent. Nobody sits there, so it consents by itself, or does
/// what the side door says. Before app and address are verified nobody is sent anywhere.
fn authorize(org: &mut Org, request: &Request) -> Answer {
    let get = |name: &str| request.parameter(name);
    let page = |error: &str, words: &str| {
        Answer::text(400, "text/html; charset=UTF-8", format!("error={error}&error_description={words}"))
    };
    let client_id = get("client_id").unwrap_or_default().to_owned();
    if !org.config.connected_apps.iter().any(|app| app.client_id == client_id) {
        return page("invalid_client_id", "client identifier invalid");
    }
    let redirect_uri = get("redirect_uri").unwrap_or_default().to_owned();
    let address = url::Url::parse(&redirect_uri).ok();
    let Some(mut to) = address.filter(|url| url.scheme() == "https" || url.host_str() == Some("localhost"))
    else {
        return page("redirect_uri_mismatch", "redirect_uri must match configuration");
    };
    let answer = consented(org, request, client_id, redirect_uri);
    let mut query = to.query_pairs_mut();
    match answer {
        Ok(code) => query.append_pair("code", &code),
        Err(Refusal(error, words)) => {
            query.append_pair("error", error).append_pair("error_description", words)
        }
    };
    if let Some(state) = get("state") {
        query.append_pair("state", state);
    }
    drop(query);
    Answer::empty(302).with_header("location", to.into())
}

fn consented(
    org: &mut Org,
    request: &Request,
    client_id: String,
    redirect_uri: String,
) -> Result<String, Refusal> {
    let get = |name: &str| request.parameter(name);
    if get("response_type") != Some("code") {
        return Err(Refusal("unsupported_response_type", "response type not supported"));
    }
    let challenge = get("code_challenge").map(str::to_owned);
    if challenge.is_some() && get("code_challenge_method").is_some_and(|method| method != "S256") {
        return Err(Refusal("invalid_request", "code challenge method not supported"));
    }
    if org.sessions.settings.deny {
        return Err(Refusal("access_denied", "end-user denied authorization"));
    }
    let first = org.users.first().map(|user| user.username.clone()).unwrap_or_default();
    let user_id = user_id(org, &first).ok_or(Refusal("invalid_grant", "no user is there"))?;
    let withheld = &org.sessions.settings.withhold;
    let asked = get("scope").unwrap_or("api refresh_token").split_whitespace();
    let scopes = asked.filter(|scope| !withheld.iter().any(|withheld| withheld == scope));
    let scopes = scopes.map(str::to_owned).collect();
    let code = format!("aPrx{}", random_text(60));
    let expires = org.now() + CODE_LIFETIME;
    let kept = Code { client_id, redirect_uri, challenge, scopes, user_id, expires };
    org.sessions.codes.insert(code.clone(), kept);
    Ok(code)
}

/// The connected app that the form or a Basic header names, with its secret checked.
fn client(org: &Org, request: &Request, form: &HashMap<String, String>) -> Result<ConnectedApp, Refusal> {
    let basic = request
        .header("authorization")
        .and_then(|header| header.strip_prefix("Basic "))
        .and_then(|encoded| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| pair.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned())));
    let (id, secret) = match basic {
        Some(pair) => pair,
        None => (
            form.get("client_id").cloned().unwrap_or_default(),
            form.get("client_secret").cloned().unwrap_or_default(),
        ),
    };
    let app = org.config.connected_apps.iter().find(|app| app.client_id == id);
    let app = app.ok_or(Refusal("invalid_client_id", "client identifier invalid"))?;
    match &app.client_secret {
        Some(known) if *known != secret => Err(Refusal("invalid_client", "invalid client credentials")),
        _ => Ok(app.clone()),
    }
}

/// Judges an assertion in the order of the real endpoint: form, client, signature, audience, time, user.
fn jwt_bearer(org: &Org, assertion: &str) -> Result<(String, ConnectedApp), Refusal> {
    let invalid = || Refusal("invalid_grant", "invalid assertion");
    let mut parts = assertion.split('.');
    let (Some(head), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(invalid());
    };
    let head = json_part(head).ok_or_else(invalid)?;
    let claims = json_part(claims).ok_or_else(invalid)?;
    if head.get("alg").and_then(Value::as_str) != Some("RS256") {
        return Err(Refusal("invalid_grant", "algorithm not supported"));
    }
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let app = org.config.connected_apps.iter().find(|app| app.client_id == issuer);
    let app = app.ok_or(Refusal("invalid_client_id", "client identifier invalid"))?;
    if let Some(pem) = &app.public_key_pem
        && !signature_holds(assertion, pem)
    {
        return Err(invalid());
    }
    if !audience_fits(org, claims.get("aud")) {
        return Err(Refusal("invalid_grant", "audience is invalid"));
    }
    let expires = claims.get("exp").and_then(number).ok_or_else(invalid)?;
    let now = org.now().timestamp();
    let ahead =
        if expires >= FIRST_MILLISECONDS { expires / 1000 - now } else { expires.saturating_sub(now) };
    if ahead < 0 || (ahead > MAX_ASSERTION_SECONDS && expires < FIRST_MILLISECONDS) {
        return Err(Refusal("invalid_grant", "expired authorization code"));
    }
    let subject = claims.get("sub").or_else(|| claims.get("prn")).and_then(Value::as_str).unwrap_or_default();
    let user_id =
        user_id(org, subject).ok_or(Refusal("invalid_grant", "user hasn't approved this consumer"))?;
    Ok((user_id, app.clone()))
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        #[expect(clippy::cast_possible_truncation, reason = "an expiry with a fraction of a second is cut")]
        other => other.as_i64().or_else(|| other.as_f64().map(|seconds| seconds as i64)),
    }
}

fn json_part(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn signature_holds(assertion: &str, pem: &str) -> bool {
    let Ok(key) = jsonwebtoken::DecodingKey::from_rsa_pem(pem.as_bytes()) else { return false };
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    // Only the signature is asked here; the claims are judged one by one, each with its own refusal.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(assertion, &key, &validation).is_ok()
}

fn audience_fits(org: &Org, audience: Option<&Value>) -> bool {
    let fits = |audience: &str| {
        let audience = audience.trim_end_matches('/');
        let audience = audience.strip_suffix("/services/oauth2/token").unwrap_or(audience);
        let local = org.base_url.replace("127.0.0.1", "localhost");
        ["https://login.salesforce.com", "https://test.salesforce.com", &org.base_url, &local]
            .contains(&audience)
    };
    match audience {
        Some(Value::String(audience)) => fits(audience),
        Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).any(fits),
        _ => false,
    }
}

/// The id of an active user.
fn user_id(org: &Org, username: &str) -> Option<String> {
    let id = org.store.find_by_key("User", "Username", &username.into()).into_iter().next()?;
    let active = org.store.live("User", &id).is_some_and(|user| user.get("IsActive") == &Value::Bool(true));
    active.then_some(id)
}

fn identity_url(org: &Org, user_id: &str) -> String {
    format!("{}/id/{}/{user_id}", org.base_url, org.organization_id)
}

fn session_user(org: &Org, request: &Request) -> Option<String> {
    let given = request.parameter("access_token").or_else(|| request.parameter("oauth_token"));
    match given {
        Some(token) => org.sessions.user_of(token).map(str::to_owned),
        None => authenticate(org, request.header("authorization")).ok(),
    }
}

fn userinfo(org: &Org, request: &Request) -> Answer {
    match session_user(org, request) {
        Some(user_id) => {
            let mut body = identity_body(org, &user_id);
            body["sub"] = identity_url(org, &user_id).into();
            body["preferred_username"] = body["username"].clone();
            body["name"] = body["display_name"].clone();
            Answer::json(200, body)
        }
        None => Answer::text(403, "text/html; charset=UTF-8", "Bad_OAuth_Token".to_owned()),
    }
}

fn identity_body(org: &Org, user_id: &str) -> Value {
    let field =
        |name: &str| org.store.live("User", user_id).map_or(Value::Null, |user| user.get(name).clone());
    let base = &org.base_url;
    let organization = &org.organization_id;
    json!({
        "id": identity_url(org, user_id),
        "asserted_user": true,
        "user_id": user_id,
        "organization_id": organization,
        "username": field("Username"),
        "nick_name": field("Alias"),
        "display_name": field("Name"),
        "email": field("Email"),
        "email_verified": true,
        "first_name": field("FirstName"),
        "last_name": field("LastName"),
        "timezone": field("TimeZoneSidKey"),
        "active": true,
        "user_type": "STANDARD",
        "language": field("LanguageLocaleKey"),
        "locale": field("LocaleSidKey"),
        "utcOffset": -28_800_000,
        "urls": {
            "enterprise": format!("{base}/services/Soap/c/{{version}}/{organization}"),
            "partner": format!("{base}/services/Soap/u/{{version}}/{organization}"),
            "rest": format!("{base}/services/data/v{{version}}/"),
            "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
            "query": format!("{base}/services/data/v{{version}}/query/"),
            "recent": format!("{base}/services/data/v{{version}}/recent/"),
            "profile": format!("{base}/{user_id}"),
        },
        "is_app_installed": true,
        "api_version": format!("{}.0", routes::NEWEST_VERSION),
    })
}

fn introspect(org: &Org, form: &HashMap<String, String>) -> Answer {
    let token = form.get("token").map(String::as_str).unwrap_or_default();
    match org.sessions.user_of(token) {
        Some(user_id) => Answer::json(
            200,
            json!({
                "active": true, "scope": "api refresh_token", "token_type": "access_token",
                "sub": identity_url(org, user_id),
            }),
        ),
        None => Answer::json(200, json!({"active": false})),
    }
}

/// The parameters of the form, and those of the query, which the token endpoint takes as well.
fn form(request: &Request) -> HashMap<String, String> {
    url::form_urlencoded::parse(request.body.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .chain(request.query.iter().cloned())
        .collect()
}

fn sign(secret: &str, text: &str) -> String {
    // INVARIANT: HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is taken");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn random_text(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes()));
    }
    text.truncate(length);
    // Real tokens have points and underscores, and no hyphens.
    text.replace('-', ".")
}
