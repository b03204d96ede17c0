use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::Method;
use chrono::DateTime;
use serde_json::json;

use super::{Client, error, got, http};
use crate::sandbox::core::Clock;
use crate::sandbox::hubspot::{HubspotConfig, Limits};

const LIST: &str = "/crm/v3/objects/contacts";

/// A clock that stands still until it is set, in seconds.
fn clock() -> (Clock, Arc<AtomicI64>) {
    let seconds = Arc::new(AtomicI64::new(1_700_000_000));
    let shared = Arc::clone(&seconds);
    let now = move || DateTime::from_timestamp(shared.load(Ordering::SeqCst), 0).expect("a valid instant");
    (Clock::new(now), seconds)
}

#[tokio::test]
async fn only_the_right_token_is_let_in() {
    let mut client = Client::new().await;
    assert_eq!(client.get(LIST).await.status, 200);
    for header in ["", "Bearer ", "Bearer wrong", "Basic cGF0", "pat-na1-sandbox"] {
        let request =
            http().get(format!("{}{LIST}", client.server.base_url())).header("Authorization", header);
        let refused = got(request).await;
        let (status, category, message) = error(&refused);
        assert_eq!((status, category), (401, "INVALID_AUTHENTICATION"), "{header}");
        assert!(message.starts_with("Authentication credentials not found."));
    }
    client.server.rotate_token("pat-na1-new");
    assert_eq!(client.get(LIST).await.status, 401);
    client.use_token("pat-na1-new");
    assert_eq!(client.get(LIST).await.status, 200);
}

#[tokio::test]
async fn oauth_tokens_are_issued_and_expire() {
    let (clock, seconds) = clock();
    let mut client = Client::with(HubspotConfig { clock, ..HubspotConfig::default() }).await;
    let url = format!("{}/oauth/v1/token", client.server.base_url());
    let form = |fields: &[(&str, &str)]| {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        got(http().post(&url).form(&fields))
    };
    let app = [("client_id", "sandbox-client-id"), ("client_secret", "sandbox-client-secret")];
    let grant = [("grant_type", "refresh_token"), ("refresh_token", "sandbox-refresh-token")];
    let issued = form(&[app, grant].concat()).await;
    assert_eq!((issued.status, &issued.body["expires_in"]), (200, &json!(1800)));
    assert_eq!(
        (&issued.body["token_type"], &issued.body["refresh_token"]),
        (&json!("bearer"), &json!("sandbox-refresh-token"))
    );
    let token = issued.body["access_token"].as_str().expect("a token").to_owned();
    client.use_token(&token);
    let listed = client.get(LIST).await;
    assert_eq!(listed.status, 200);
    assert!(listed.headers.contains_key("x-hubspot-ratelimit-max"));
    assert!(!listed.headers.contains_key("x-hubspot-ratelimit-daily"));
    let info = client.get(&format!("/oauth/v1/access-tokens/{token}")).await;
    assert_eq!((&info.body["hub_id"], &info.body["app_id"]), (&json!(4_556_789), &json!(1_234_567)));
    seconds.fetch_add(1801, Ordering::SeqCst);
    assert_eq!(error(&client.get(LIST).await).1, "EXPIRED_AUTHENTICATION");

    let code = [("grant_type", "authorization_code"), ("code", "sandbox-authorization-code")];
    assert_eq!(form(&[app, code].concat()).await.status, 200);
    let again = form(&[app, code].concat()).await;
    assert_eq!((again.status, &again.body["status"]), (400, &json!("BAD_AUTH_CODE")));
    let wrong = form(&[app, [("grant_type", "refresh_token"), ("refresh_token", "x")]].concat()).await;
    assert_eq!((wrong.status, &wrong.body["status"]), (400, &json!("BAD_REFRESH_TOKEN")));
    let nobody = form(&[("grant_type", "refresh_token")]).await;
    assert_eq!((nobody.status, &nobody.body["status"]), (400, &json!("BAD_CLIENT_ID")));
}

#[tokio::test]
async fn a_scope_that_is_taken_away_is_named() {
    let client = Client::new().await;
    let scopes = client.get("/_sandbox/scopes").await.body["scopes"].clone();
    let scopes: Vec<&serde_json::Value> = scopes
        .as_array()
        .expect("a list")
        .iter()
        .filter(|scope| *scope != "crm.objects.contacts.write")
        .collect();
    assert_eq!(client.put("/_sandbox/scopes", json!({"scopes": scopes})).await.status, 200);
    assert_eq!(client.get(LIST).await.status, 200);
    let refused = client.post(LIST, json!({"properties": {"email": "a@acme.example"}})).await;
    assert_eq!((error(&refused).0, error(&refused).1), (403, "MISSING_SCOPES"));
    let needed = &refused.body["errors"][0]["context"]["requiredGranularScopes"];
    assert_eq!(*needed, json!(["crm.objects.contacts.write"]));
    assert!(client.server.records("contact").is_empty());
}

#[tokio::test]
async fn a_scope_that_a_person_withholds_is_missing_from_the_token_alone() {
    let mut client = Client::new().await;
    let private = client.token.clone();
    client.put("/_sandbox/oauth", json!({"withhold": ["crm.objects.contacts.write"]})).await;
    let asked = "crm.objects.contacts.read crm.objects.contacts.write";
    let redirect_uri = "http://localhost:4000/callback";
    let app = [("client_id", "sandbox-client-id"), ("redirect_uri", redirect_uri)];
    let no_redirect =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let page = format!("{}/oauth/authorize", client.server.base_url());
    let page = url::Url::parse_with_params(&page, app.iter().chain(&[("scope", asked)])).expect("an address");
    let sent = got(no_redirect.expect("a client").get(page)).await;
    assert_eq!(sent.status, 302, "{}", sent.body);
    let back: url::Url = sent.headers["location"].to_str().expect("text").parse().expect("an address");
    let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let mut form = app.to_vec();
    form.extend([("grant_type", "authorization_code"), ("client_secret", "sandbox-client-secret")]);
    form.push(("code", &code));
    let issued = got(http().post(format!("{}/oauth/v1/token", client.server.base_url())).form(&form)).await;
    let token = issued.body["access_token"].as_str().expect("a token").to_owned();
    let shown = client.get(&format!("/oauth/v1/access-tokens/{token}")).await;
    assert_eq!(shown.body["scopes"], json!(["crm.objects.contacts.read"]));

    client.use_token(&token);
    assert_eq!(client.get(LIST).await.status, 200);
    let contact = json!({"properties": {"email": "a@acme.example"}});
    let refused = client.post(LIST, contact.clone()).await;
    assert_eq!((error(&refused).0, error(&refused).1), (403, "MISSING_SCOPES"));
    let needed = &refused.body["errors"][0]["context"]["requiredGranularScopes"];
    assert_eq!(*needed, json!(["crm.objects.contacts.write"]));
    assert!(client.server.records("contact").is_empty());
    // The app itself has the scope; what it loses, its tokens lose.
    client.use_token(&private);
    assert_eq!(client.post(LIST, contact).await.status, 201);
    client.put("/_sandbox/scopes", json!({"scopes": ["crm.objects.contacts.write"]})).await;
    client.use_token(&token);
    assert_eq!((client.get(LIST).await.status, client.server.records("contact").len()), (403, 1));
}

#[tokio::test]
async fn limits_change_at_run_time() {
    let client = Client::new().await;
    let limits = json!({"ten_secondly": 100, "daily": 100, "search_secondly": 5});
    assert_eq!(client.put("/_sandbox/limits", limits.clone()).await.body, limits);
    let search = "/crm/v3/objects/contacts/search";
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(client.post(search, json!({})).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    assert_eq!(client.put("/_sandbox/limits", json!({"daily": 1})).await.status, 400);
}

#[tokio::test]
async fn the_account_is_described() {
    let client = Client::new().await;
    assert_eq!(client.get("/account-info/v3/details").await.body["portalId"], 4_556_789);
    assert_eq!(client.get("/integrations/v1/me").await.body["portalId"], 4_556_789);
    assert_eq!(client.send(Method::POST, "/integrations/v1/me", None).await.status, 405);
}

#[tokio::test]
async fn limits_are_counted_told_and_kept() {
    let (clock, seconds) = clock();
    let limits = Limits { ten_secondly: 4, daily: 6, search_secondly: 1 };
    let client = Client::with(HubspotConfig { limits, clock, ..HubspotConfig::default() }).await;
    let first = client.get(LIST).await;
    let header = |name: &str| first.headers[name].to_str().expect("text").to_owned();
    assert_eq!(header("x-hubspot-ratelimit-max"), "4");
    assert_eq!(header("x-hubspot-ratelimit-remaining"), "3");
    assert_eq!(header("x-hubspot-ratelimit-interval-milliseconds"), "10000");
    assert_eq!(header("x-hubspot-ratelimit-daily-remaining"), "5");
    let search = client.post("/crm/v3/objects/contacts/search", json!({})).await;
    assert_eq!(search.status, 200);
    assert!(!search.headers.contains_key("x-hubspot-ratelimit-max"));
    let policy = async |path: &str, wanted: &str| {
        let refused = if path.ends_with("search") {
            client.post(path, json!({})).await
        } else {
            client.get(path).await
        };
        assert_eq!(error(&refused).0, 429);
        assert_eq!(
            (&refused.body["errorType"], &refused.body["policyName"]),
            (&json!("RATE_LIMIT"), &json!(wanted))
        );
    };
    policy("/crm/v3/objects/contacts/search", "SECONDLY").await;
    client.get(LIST).await;
    client.get(LIST).await;
    policy(LIST, "TEN_SECONDLY_ROLLING").await;
    seconds.fetch_add(11, Ordering::SeqCst);
    client.get(LIST).await;
    client.get(LIST).await;
    policy(LIST, "DAILY").await;
}
