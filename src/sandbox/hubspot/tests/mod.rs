//! The server over real HTTP, endpoint group by endpoint group.

mod access;
mod associations;
mod batch;
mod faults;
mod objects;
mod schema;
mod search;
mod sidedoor;
mod timeline;
mod webhooks;

use axum::http::Method;
use serde_json::{Value, json};

use super::{HubspotConfig, HubspotHandle, HubspotServer};

/// A running server and a client with its token.
pub(super) struct Client {
    pub(super) server: HubspotHandle,
    http: reqwest::Client,
    token: String,
}

/// An answer: its status, its body (null where empty), its headers.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: reqwest::header::HeaderMap,
}

impl Client {
    pub(super) async fn new() -> Self {
        Self::with(HubspotConfig::default()).await
    }

    pub(super) async fn with(config: HubspotConfig) -> Self {
        let token = config.tokens[0].clone();
        let server = HubspotServer::start(config).await.expect("the server starts");
        Self { server, http: http(), token }
    }

    pub(super) fn use_token(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Got {
        let request =
            self.http.request(method, format!("{}{path}", self.server.base_url())).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        got(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Got {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Got {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Got {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Got {
        self.send(Method::DELETE, path, None).await
    }

    /// Creates a record over the API and gives its id.
    pub(super) async fn create(&self, kind: &str, properties: Value) -> String {
        let made = self.post(&format!("/crm/v3/objects/{kind}"), json!({"properties": properties})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body["id"].as_str().expect("ids are text").to_owned()
    }
}

pub(super) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

pub(super) async fn got(request: reqwest::RequestBuilder) -> Got {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = answer.bytes().await.expect("a body");
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Got { status, body, headers }
}

/// The category and message of an error body, which also must have `status` and `correlationId`.
pub(super) fn error(got: &Got) -> (u16, &str, &str) {
    assert_eq!(got.body["status"], "error", "{}", got.body);
    assert_eq!(got.body["correlationId"].as_str().map(str::len), Some(36), "{}", got.body);
    assert!(got.headers["content-type"].to_str().is_ok_and(|media| media.starts_with("application/json")));
    let text = |name: &str| got.body[name].as_str().unwrap_or_default();
    (got.status, text("category"), text("message"))
}
