use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::super::{ConnectedApp, SalesforceConfig};
use super::{Lab, code};

const PRIVATE_KEY: &str = include_str!("jwt_key.pem");
const PUBLIC_KEY: &str = include_str!("jwt_key.pub.pem");

async fn token(lab: &Lab, form: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/services/oauth2/token", lab.server.base_url());
    lab.send(lab.http.post(url).form(form)).await
}

fn with_key() -> SalesforceConfig {
    SalesforceConfig {
        connected_apps: vec![ConnectedApp {
            client_id: "app".to_owned(),
            client_secret: Some("secret".to_owned()),
            public_key_pem: Some(PUBLIC_KEY.to_owned()),
            run_as: None,
        }],
        ..SalesforceConfig::default()
    }
}

fn assertion(claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

async fn bearer(lab: &Lab, assertion: &str) -> (u16, Value) {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    token(lab, &[("grant_type", grant), ("assertion", assertion)]).await
}

fn claims(ahead: i64) -> Value {
    json!({
        "iss": "app", "sub": "integration@sandbox.example", "aud": "https://login.salesforce.com",
        "exp": super::now().timestamp() + ahead,
    })
}

#[tokio::test]
async fn a_signed_assertion_opens_a_session() {
    let lab = Lab::with(with_key()).await;
    let (status, body) = bearer(&lab, &assertion(&claims(180))).await;
    assert_eq!(status, 200, "{body}");
    let access = body["access_token"].as_str().unwrap();
    assert!(access.starts_with("00D") && access.contains("!AQ") && !access.starts_with("eyJ"), "{access}");
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["instance_url"], lab.server.base_url());
    for key in ["id", "issued_at", "signature"] {
        assert!(body[key].is_string(), "{key}");
    }
    let url = format!("{}/services/data/v58.0/limits", lab.server.base_url());
    let (status, limits) =
        lab.send(lab.http.get(url).header("Authorization", format!("OAuth {access}"))).await;
    assert_eq!((status, &limits["DailyApiRequests"]["Max"]), (200, &json!(15_000)));
    let (status, identity) = lab.send(lab.http.get(body["id"].as_str().unwrap()).bearer_auth(access)).await;
    assert_eq!((status, &identity["username"]), (200, &json!("integration@sandbox.example")));
}

#[tokio::test]
async fn each_flaw_of_an_assertion_has_its_refusal() {
    let lab = Lab::with(with_key()).await;
    let changed = |key: &str, value: Value| {
        let mut claims = claims(60);
        claims[key] = value;
        assertion(&claims)
    };
    let milliseconds = json!((super::now().timestamp() + 300) * 1000);
    assert_eq!(bearer(&lab, &changed("exp", milliseconds)).await.0, 200);
    let forged = {
        let good = assertion(&claims(60));
        let (body, _) = good.rsplit_once('.').unwrap();
        format!("{body}.c2lnbmF0dXJl")
    };
    for (assertion, error, description) in [
        (changed("iss", json!("nobody")), "invalid_client_id", "client identifier invalid"),
        (changed("sub", json!("nobody@x.test")), "invalid_grant", "user hasn't approved this consumer"),
        (changed("aud", json!("https://example.test")), "invalid_grant", "audience is invalid"),
        (assertion(&claims(-10)), "invalid_grant", "expired authorization code"),
        (assertion(&claims(3_600)), "invalid_grant", "expired authorization code"),
        (forged, "invalid_grant", "invalid assertion"),
        ("nonsense".to_owned(), "invalid_grant", "invalid assertion"),
    ] {
        let (status, body) = bearer(&lab, &assertion).await;
        assert_eq!(status, 400);
        assert_eq!((&body["error"], &body["error_description"]), (&json!(error), &json!(description)));
    }
}

#[tokio::test]
async fn the_other_grants_work_and_refuse() {
    let lab = Lab::start().await;
    let app = [("client_id", "sandbox-client"), ("client_secret", "sandbox-secret")];
    let with = |more: &[(&'static str, &'static str)]| [app.as_slice(), more].concat();
    let (status, _) = token(&lab, &with(&[("grant_type", "client_credentials")])).await;
    assert_eq!(status, 200);
    let password = [
        ("grant_type", "password"),
        ("username", "integration@sandbox.example"),
        ("password", "sandbox-passwordTOKEN"),
    ];
    let (status, body) = token(&lab, &with(&password)).await;
    assert_eq!(status, 200);
    let refresh = body["refresh_token"].as_str().unwrap().to_owned();
    let form = [app.as_slice(), &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]].concat();
    assert_eq!(token(&lab, &form).await.0, 200);

    let refused = |reply: (u16, Value)| (reply.0, reply.1["error"].as_str().unwrap().to_owned());
    let wrong =
        [("grant_type", "client_credentials"), ("client_id", "sandbox-client"), ("client_secret", "x")];
    assert_eq!(refused(token(&lab, &wrong).await), (400, "invalid_client".to_owned()));
    let stale = with(&[("grant_type", "refresh_token"), ("refresh_token", "old")]);
    assert_eq!(refused(token(&lab, &stale).await), (400, "invalid_grant".to_owned()));
    let wrong = with(&[("grant_type", "password"), ("username", "a@b.test"), ("password", "x")]);
    assert_eq!(refused(token(&lab, &wrong).await), (400, "invalid_grant".to_owned()));
    assert_eq!(refused(token(&lab, &[]).await), (400, "unsupported_grant_type".to_owned()));
}

#[tokio::test]
async fn a_refreshed_session_has_the_scopes_that_were_granted() {
    let lab = Lab::start().await;
    let (redirect_uri, asked) = ("http://localhost:4000/callback", "api id refresh_token");
    let door = format!("{}/_sandbox/oauth", lab.server.base_url());
    lab.send(lab.http.put(door).json(&json!({"withhold": ["id"], "rotate": true}))).await;
    let no_redirect =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let page = format!("{}/services/oauth2/authorize", lab.server.base_url());
    let parameters = [
        ("response_type", "code"),
        ("client_id", "sandbox-client"),
        ("redirect_uri", redirect_uri),
        ("scope", asked),
    ];
    let page = url::Url::parse_with_params(&page, parameters).unwrap();
    let sent = no_redirect.unwrap().get(page).send().await.unwrap();
    let back: url::Url = sent.headers()["location"].to_str().unwrap().parse().unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let app = [("client_id", "sandbox-client"), ("client_secret", "sandbox-secret")];
    let grant =
        [("grant_type", "authorization_code"), ("redirect_uri", redirect_uri), ("code", code.as_str())];
    let (status, mut body) = token(&lab, &[app.as_slice(), &grant].concat()).await;
    assert_eq!((status, &body["scope"]), (200, &json!("api refresh_token")));
    // Each use replaces the token, and the scopes go along.
    for _ in 0..2 {
        let refresh = body["refresh_token"].as_str().unwrap().to_owned();
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let (status, refreshed) = token(&lab, &[app.as_slice(), &grant].concat()).await;
        assert_eq!((status, &refreshed["scope"]), (200, &json!("api refresh_token")));
        body = refreshed;
    }
}

#[tokio::test]
async fn a_seeded_user_signs_in_and_a_blank_password_never_does() {
    let users = json!([
        {"username": "rep@acme.test", "password": "pw", "first_name": "Rita", "last_name": "Rep"},
        {"username": "ghost@acme.test", "last_name": "Ghost"},
    ]);
    let lab = Lab::seeded(json!({"users": users})).await;
    let sign_in = |username: &'static str, password: &'static str| {
        [
            ("grant_type", "password"),
            ("client_id", "sandbox-client"),
            ("client_secret", "sandbox-secret"),
            ("username", username),
            ("password", password),
        ]
    };
    assert_eq!(token(&lab, &sign_in("rep@acme.test", "pw")).await.0, 200);
    assert_eq!(token(&lab, &sign_in("rep@acme.test", "")).await.0, 400);
    assert_eq!(token(&lab, &sign_in("ghost@acme.test", "")).await.0, 400);
    assert_eq!(lab.column("SELECT Name FROM User WHERE LastName = 'Rep'", "Name").await, [json!("Rita Rep")]);
}

#[tokio::test]
async fn an_expired_session_is_refused() {
    let lab = Lab::start().await;
    assert_eq!(lab.get("sobjects").await.0, 200);
    lab.server.expire_tokens();
    let reply = lab.get("sobjects").await;
    assert_eq!(code(&reply), (401, "INVALID_SESSION_ID"));
    assert_eq!(reply.1[0]["message"], "Session expired or invalid");
    let url = format!("{}/services/data/v58.0/", lab.server.base_url());
    assert_eq!(lab.send(lab.http.get(url)).await.0, 401);
}

#[tokio::test]
async fn the_daily_limit_is_counted_and_kept() {
    let lab = Lab::with(SalesforceConfig { daily_api_requests: 2, ..SalesforceConfig::default() }).await;
    let response = lab.request("GET", "limits").send().await.unwrap();
    assert_eq!(response.headers()["sforce-limit-info"], "api-usage=1/2");
    lab.get("limits/").await;
    let reply = lab.get("limits").await;
    assert_eq!(code(&reply), (403, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(reply.1[0]["message"], "TotalRequests Limit exceeded.");
}
