//! The server over real HTTP, as a client that knows only Salesforce's documentation would use it.

mod auth;
mod bulk;
mod changes;
mod collections;
mod composite;
mod describe;
mod faults;
mod queries;
mod rules;
mod soap;
mod sobjects;

use serde_json::{Value, json};

use super::{SalesforceConfig, SalesforceHandle, SalesforceServer};

/// A server with a client that is signed in.
struct Lab {
    server: SalesforceHandle,
    http: reqwest::Client,
    token: String,
}

/// A status and a body; `Null` where there is none.
type Reply = (u16, Value);

impl Lab {
    async fn start() -> Self {
        Self::with(SalesforceConfig::default()).await
    }

    async fn seeded(seed: Value) -> Self {
        Self::with(SalesforceConfig { seed, ..SalesforceConfig::default() }).await
    }

    async fn with(config: SalesforceConfig) -> Self {
        let server = SalesforceServer::start(config).await.unwrap();
        let token = server.issue_token("integration@sandbox.example").unwrap();
        Self { server, http: reqwest::Client::new(), token }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let path =
            if path.starts_with('/') { path.to_owned() } else { format!("/services/data/v58.0/{path}") };
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.server.base_url())).bearer_auth(&self.token)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (
            status,
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(text.into()) },
        )
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(self.request("GET", path)).await
    }

    async fn delete(&self, path: &str) -> Reply {
        self.send(self.request("DELETE", path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request("POST", path).json(&body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(self.request("PATCH", path).json(&body)).await
    }

    async fn query(&self, soql: &str) -> Reply {
        self.send(self.request("GET", "query/").query(&[("q", soql)])).await
    }

    /// The values of one field that a query finds.
    async fn column(&self, soql: &str, field: &str) -> Vec<Value> {
        let (status, body) = self.query(soql).await;
        assert_eq!(status, 200, "{soql}: {body}");
        body["records"].as_array().unwrap().iter().map(|record| record[field].clone()).collect()
    }

    /// Creates a record through the API and answers its id.
    async fn create(&self, object: &str, body: Value) -> String {
        let (status, body) = self.post(&format!("sobjects/{object}"), body).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }
}

/// The present instant, to the second.
fn now() -> chrono::DateTime<chrono::Utc> {
    super::clock::now(&crate::sandbox::core::Clock::system())
}

/// The code of the first error of a whole answer.
fn code(reply: &Reply) -> (u16, &str) {
    (reply.0, reply.1[0]["errorCode"].as_str().unwrap_or("no code"))
}

fn doe() -> Value {
    json!({"FirstName": "Jane", "LastName": "Doe", "Company": "Acme Corp", "Email": "jane@acme.test"})
}
