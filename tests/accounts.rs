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
