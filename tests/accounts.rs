//! Access tokens that end, over the sandbox: many calls share one refresh, and what replaces a refresh token is kept.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use mapwright::crm::Crm;
use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::crm::hubspot::{HubspotAuth, HubspotClient, HubspotConfig};
use mapwright::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use mapwright::crm::tokens::{InMemory, TokenKeeper};
use mapwright::runtime::{Clock, SystemClock};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::source::{ObjectName, Side};
use mapwright::types::{CrmError, CrmErrorKind, ReadRequest};
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

fn options() -> HttpOptions {
    let retry = RetryPolicy { max_attempts: 1, ..RetryPolicy::default() };
    HttpOptions { allow_private: true, retry, ..HttpOptions::new(now, || 0.5) }
}

async fn side_door(base: &str, method: &str, path: &str, body: &Json) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.request(method.parse().expect("a method"), format!("{base}/_sandbox/{path}"));
    let request = request.header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
}

fn read(side: Side, object: &str, id: &str, field: &str) -> ReadRequest {
    let (ids, fields) = (vec![id.to_owned()], vec![field.to_owned()]);
    ReadRequest { object: ObjectName::new(side, object), ids, fields }
}

struct Portal {
    server: portal::HubspotHandle,
    client: HubspotClient,
    keeper: Arc<InMemory>,
}

impl Portal {
    async fn start() -> Self {
        let server = portal::HubspotServer::start(portal::HubspotConfig::default()).await.expect("a portal");
        let facts = server.config();
        let keeper = InMemory::new(facts.refresh_token.clone().into());
        let config = HubspotConfig {
            base_url: server.base_url().parse().expect("a URL"),
            auth: HubspotAuth::OAuth {
                client_id: facts.client_id.clone(),
                client_secret: facts.app_secret.clone().into(),
                keeper: keeper.clone(),
            },
            path_version: "2026-03".to_owned(),
            objects: std::collections::HashMap::new(),
        };
        let client = HubspotClient::new(config, options()).expect("a client");
        Self { server, client, keeper }
    }

    async fn door(&self, method: &str, path: &str, body: &Json) {
        side_door(&self.server.base_url(), method, path, body).await;
    }

    /// So many reads at the same time.
    async fn reads(&self, count: usize) -> Vec<Result<usize, CrmError>> {
        let one = async || {
            let request = read(Side::Hubspot, "contact", "101", "email");
            self.client.read(&request).await.map(|records| records.len())
        };
        join_all((0..count).map(|_| one())).await
    }

    fn refreshes(&self) -> u64 {
        self.server.calls_by_operation().get("hubspot.oauth").copied().unwrap_or_default()
    }

    async fn token(&self) -> String {
        let kept = self.keeper.load().await.expect("a keeper").expect("a token");
        kept.token.expose_secret().to_owned()
    }
}

#[tokio::test]
async fn many_calls_share_one_refresh() {
    let portal = Portal::start().await;
    assert!(portal.reads(50).await.iter().all(Result::is_ok));
    assert_eq!(portal.refreshes(), 1);
    // All of them meet a token that has ended at the same time; the second refresh is for all, too.
    portal.door("POST", "oauth/expire", &Json::Null).await;
    assert!(portal.reads(50).await.iter().all(Result::is_ok));
    assert_eq!(portal.refreshes(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_no_call_is_refused() {
    let portal = Portal::start().await;
    // Nine tenths of its life later it is renewed; a token of no life is renewed by each call.
    portal.door("PUT", "oauth", &json!({"lifetimeSeconds": 0})).await;
    let refused = portal.reads(1).await;
    assert_eq!(refused[0].as_ref().map_err(|error| error.kind), Err(CrmErrorKind::Unauthorised));
    portal.door("PUT", "oauth", &json!({"lifetimeSeconds": 600})).await;
    portal.server.clear_calls();
    for _ in 0..3 {
        assert!(portal.reads(1).await[0].is_ok());
    }
    let refusals = portal.server.call_log().iter().filter(|call| call.status == 401).count();
    assert_eq!((portal.refreshes(), refusals), (1, 0));
}

#[tokio::test]
async fn a_replaced_token_is_the_one_that_is_used() {
    let portal = Portal::start().await;
    portal.door("PUT", "oauth", &json!({"rotate": true})).await;
    let mut seen = vec![portal.token().await];
    for _ in 0..3 {
        assert!(portal.reads(5).await.iter().all(Result::is_ok));
        seen.push(portal.token().await);
        portal.door("POST", "oauth/expire", &Json::Null).await;
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "each refresh replaces it");
    portal.door("POST", "oauth/revoke", &Json::Null).await;
    let errors = portal.reads(3).await;
    for error in errors {
        let error = error.expect_err("revoked");
        assert_eq!(error.kind, CrmErrorKind::Unauthorised, "{error:?}");
        assert!(error.message.contains("configure another one"), "{error:?}");
    }
}

#[tokio::test]
async fn sessions_of_salesforce_are_renewed_with_a_token_that_is_replaced() {
    let config = org::SalesforceConfig::default();
    let (app, user) = (config.connected_apps[0].clone(), config.users[0].clone());
    let server = org::SalesforceServer::start(config).await.expect("an org");
    // The refresh token of a person who signed in with a password.
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let secret = app.client_secret.clone().expect("a secret");
    let form = [
        ("grant_type", "password"),
        ("client_id", app.client_id.as_str()),
        ("client_secret", secret.as_str()),
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let url = format!("{}/services/oauth2/token", server.base_url());
    let answer: Json =
        client.post(url).form(&form).send().await.expect("an answer").json().await.expect("JSON");
    let first = answer["refresh_token"].as_str().expect("a token").to_owned();
    let keeper = InMemory::new(first.clone().into());
    let config = SalesforceConfig {
        login_url: server.base_url().parse().expect("a URL"),
        api_version: "58.0".to_owned(),
        auth: SalesforceAuth::RefreshToken {
            client_id: app.client_id,
            client_secret: app.client_secret.map(Into::into),
            keeper: keeper.clone(),
        },
        aliases: std::collections::HashMap::new(),
    };
    let client = SalesforceClient::new(config, options()).expect("a client");
    side_door(server.base_url(), "PUT", "oauth", &json!({"rotate": true})).await;
    for round in 1..=3 {
        let all = join_all((0..20).map(|_| async {
            let request = read(Side::Salesforce, "Lead", "00Q000000000001AAA", "Email");
            client.read(&request).await
        }))
        .await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        let tokens = server.calls_by_operation()["salesforce.token"];
        assert_eq!(tokens, 1 + round, "the password's, and one for each round");
        side_door(server.base_url(), "POST", "tokens/expire", &Json::Null).await;
    }
    let kept = keeper.load().await.expect("a keeper").expect("a token");
    assert_ne!(kept.token.expose_secret(), first);
}

/// What the page of an authorisation server gives: the parameters with which it sends the browser back.
async fn consent(page: &str, challenge: &str) -> std::collections::HashMap<String, String> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    let query = [
        ("redirect_uri", "http://localhost:1/callback"),
        ("state", "s1"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let answer = client.get(page).query(&query).send().await.expect("an answer");
    assert_eq!(answer.status(), 302, "{:?}", answer.text().await);
    let to: url::Url = answer.headers()["location"].to_str().expect("text").parse().expect("a URL");
    assert_eq!(to.port(), Some(1));
    to.query_pairs().into_owned().collect()
}

/// The status of a redemption, and the body.
async fn redeem(url: &str, client: (&str, &str), code: &str, verifier: Option<&str>) -> (u16, Json) {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", client.0),
        ("client_secret", client.1),
        ("redirect_uri", "http://localhost:1/callback"),
        ("code", code),
    ];
    form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = http.post(url).form(&form).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn the_sandbox_verifies_the_proof_and_spends_a_code_by_the_first_attempt() {
    // RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let portal = portal::HubspotServer::start(portal::HubspotConfig::default()).await.expect("a portal");
    let org = org::SalesforceServer::start(org::SalesforceConfig::default()).await.expect("an org");
    let (base, login) = (portal.base_url(), org.base_url());
    let hubspot = portal.config();
    let servers = [
        (
            format!("{base}/oauth/authorize?client_id={}&scope=oauth", hubspot.client_id),
            format!("{base}/oauth/2026-03/token"),
            (hubspot.client_id.as_str(), hubspot.app_secret.as_str()),
        ),
        (
            format!(
                "{login}/services/oauth2/authorize?response_type=code&client_id=sandbox-client&scope=api%20refresh_token"
            ),
            format!("{login}/services/oauth2/token"),
            ("sandbox-client", "sandbox-secret"),
        ),
    ];
    for (page, url, client) in servers {
        for wrong in [None, Some("short"), Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")] {
            let back = consent(&page, challenge).await;
            assert_eq!(back["state"], "s1");
            let (status, body) = redeem(&url, client, &back["code"], wrong).await;
            assert_eq!(status, 400, "{wrong:?}: {body}");
            let (status, body) = redeem(&url, client, &back["code"], Some(verifier)).await;
            assert_eq!(status, 400, "spent: {body}");
        }
        let back = consent(&page, challenge).await;
        let (status, body) = redeem(&url, client, &back["code"], Some(verifier)).await;
        assert_eq!(status, 200, "{body}");
        assert!(body["refresh_token"].is_string() && body["access_token"].is_string(), "{body}");
    }
}
