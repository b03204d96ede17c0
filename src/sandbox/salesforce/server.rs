//! The server on loopback, and the handle by which tests and the command line steer it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::config::SalesforceConfig;
use super::convert::{self, Conversion, ConvertedLead};
use super::duplicates::DuplicateRule;
use super::faults::Fault;
use super::http::{Answer, Body, Request};
use super::org::{Caller, Org, all_fields, show as show_record};
use super::{admin, merge, query, records, route};

/// The largest body that is read; the real API stops at 50 MB for most resources.
const MAX_BODY: usize = 50 * 1024 * 1024;

/// Answered requests that are remembered; the older half goes when there are more.
const MAX_CALLS: usize = 100_000;

/// One request that the server has answered.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// The method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// `client` of `Sforce-Call-Options`, which shows up as the origin of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// Why a sandbox did not start, or refused what its handle was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The seed does not describe an organisation, or a record does not fit it.
    #[error("the Salesforce sandbox: {0}")]
    Seed(String),
    /// The port cannot be had.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port.
        port: u16,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
}

/// A sandbox organisation behind a real HTTP server.
#[derive(Debug)]
pub struct SalesforceServer;

impl SalesforceServer {
    /// Starts a server on 127.0.0.1 and answers its handle once it listens.
    pub async fn start(config: SalesforceConfig) -> Result<SalesforceHandle, SandboxError> {
        let port = config.port;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = |source| SandboxError::Listen { port, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let base_url = format!("http://{}", listener.local_addr().map_err(listen)?);
        let org = Org::new(config, base_url.clone()).map_err(SandboxError::Seed)?;
        let org = Arc::new(Mutex::new(org));
        let app = axum::Router::new().fallback(serve).with_state(Arc::clone(&org));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(until).await {
                tracing::error!(%error, "the Salesforce sandbox stopped");
            }
        });
        Ok(SalesforceHandle { base_url, org, stop: Some(stop), task: Some(task) })
    }
}

/// A running sandbox; dropping it stops the server.
pub struct SalesforceHandle {
    base_url: String,
    org: Arc<Mutex<Org>>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for SalesforceHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SalesforceHandle").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl SalesforceHandle {
    /// The server's address (`http://127.0.0.1:8080`): login URL and instance URL at once.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The requests answered so far, those to `/_sandbox` left out.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Forgets the requests answered so far.
    pub fn clear_calls(&self) {
        self.lock().calls.clear();
    }

    /// Puts a record in place past all validation but that of types; `Id` and system fields may be given.
    pub fn create(&self, object: &str, fields: &Value) -> Result<String, SandboxError> {
        let empty = Map::new();
        let fields = fields.as_object().unwrap_or(&empty);
        self.lock().import(object, fields).map_err(SandboxError::Seed)
    }

    /// Changes a record as `create` makes one: past all validation but that of types.
    pub fn change(&self, object: &str, id: &str, fields: &Value) -> Result<(), SandboxError> {
        let empty = Map::new();
        self.lock().change(object, id, fields.as_object().unwrap_or(&empty)).map_err(SandboxError::Seed)
    }

    /// Converts a Lead as a person would with one click, with an Opportunity.
    pub fn convert_lead(&self, id: &str) -> Result<ConvertedLead, SandboxError> {
        let mut org = self.lock();
        let caller = admin_caller(&org);
        let conversion = Conversion::of(id);
        let mark = org.store.mark();
        let done = convert::convert(&mut org, &caller, &conversion);
        if done.is_err() {
            org.store.rollback(mark);
        }
        org.store.commit();
        done.map_err(|errors| {
            SandboxError::Seed(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; "))
        })
    }

    /// Merges a record into another one, its master, as a person would.
    pub fn merge(&self, object: &str, master: &str, lost: &str) -> Result<(), SandboxError> {
        merge::merge(&mut self.lock(), object, master, lost)
            .map_err(|error| SandboxError::Seed(error.message))
    }

    /// Sends a record to the recycle bin, as a person would.
    pub fn delete(&self, object: &str, id: &str) -> Result<(), SandboxError> {
        let mut org = self.lock();
        let caller = admin_caller(&org);
        let done = records::delete(&mut org, &caller, object, id);
        org.store.commit();
        done.map_err(|errors| {
            SandboxError::Seed(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; "))
        })
    }

    /// All records of an object with all of their fields, in the order of their creation; deleted ones too.
    pub fn records(&self, object: &str) -> Vec<Value> {
        let org = self.lock();
        let Some(facts) = org.schema.object(object) else { return Vec::new() };
        let (caller, fields) = (admin_caller(&org), all_fields(facts));
        org.store.records(&facts.name).map(|record| show_record(&caller, record, &fields)).collect()
    }

    /// A record with all of its fields, as a read through the API shows it; deleted ones too.
    pub fn get(&self, object: &str, id: &str) -> Option<Value> {
        let org = self.lock();
        let id = super::ids::normalize(id)?;
        let facts = org.schema.object(object)?;
        let record = org.store.get(&facts.name, &id)?;
        Some(show_record(&admin_caller(&org), record, &all_fields(facts)))
    }

    /// The records that a SOQL query finds, all on one page.
    pub fn query(&self, soql: &str) -> Result<Vec<Value>, SandboxError> {
        let org = self.lock();
        query::run(&org, &admin_caller(&org), soql, false)
            .map(|result| result.records)
            .map_err(|error| SandboxError::Seed(error.message))
    }

    /// Hands out a session of this user without a sign-in; `None` where there is no such user.
    pub fn issue_token(&self, username: &str) -> Option<String> {
        let mut org = self.lock();
        let user = org.store.find_by_key("User", "Username", &username.into()).first().cloned()?;
        let organization = org.organization_id.clone();
        Some(org.sessions.open(&organization, &user))
    }

    /// Ends every session, as a time-out would; refresh tokens stay good.
    pub fn expire_tokens(&self) {
        self.lock().sessions.expire_all();
    }

    /// Adds a duplicate rule.
    pub fn add_duplicate_rule(&self, rule: DuplicateRule) {
        self.lock().rules.push(rule);
    }

    /// Prepares a failure.
    pub fn add_fault(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    /// Sets how many API requests the organisation has used of its daily limit.
    pub fn set_api_requests(&self, used: u64) {
        self.lock().api_requests = used;
    }

    /// Stops the server once the requests in flight are answered.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            // A connection that a client keeps open must not keep the server: five seconds are enough for any answer.
            if tokio::time::timeout(Duration::from_secs(5), task).await.is_err() {
                tracing::debug!("the Salesforce sandbox was left with an open connection");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Org> {
        lock(&self.org)
    }
}

impl Drop for SalesforceHandle {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// The caller that the handle and the admin resources read as.
pub(super) fn admin_caller(org: &Org) -> Caller {
    Caller::new(org.default_user_id(), route::NEWEST_VERSION)
}

fn lock(org: &Mutex<Org>) -> MutexGuard<'_, Org> {
    // A panic in one request must not take the others down: every write is whole before it is placed.
    org.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(State(org): State<Arc<Mutex<Org>>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let head = parts.method == axum::http::Method::HEAD;
    let method = if head { "GET" } else { parts.method.as_str() };
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut request = Request::new(method, &target);
    request.body = String::from_utf8_lossy(&body).into_owned();
    request.headers = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let (answer, delay) = answer(&mut lock(&org), &request, &target);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let mut response = into_response(answer);
    if head {
        *response.body_mut() = axum::body::Body::empty();
    }
    response
}

fn answer(org: &mut Org, request: &Request, target: &str) -> (Answer, u64) {
    if request.segments.first().is_some_and(|first| first == "_sandbox") {
        return (admin::route(org, request), 0);
    }
    let fault = org.faults.for_request(&request.method, target);
    let answer = match &fault {
        Some(fault) if fault.strikes_after() => {
            route::route(org, request);
            fault.answer()
        }
        Some(fault) => fault.answer(),
        None => route::route(org, request),
    };
    org.store.commit();
    if org.calls.len() >= MAX_CALLS {
        org.calls.drain(..MAX_CALLS / 2);
    }
    org.calls.push(Call {
        method: request.method.clone(),
        path: target.to_owned(),
        status: answer.status,
        client: request.header_option("sforce-call-options", "client").map(str::to_owned),
    });
    (answer, fault.map_or(0, |fault| fault.delay_ms))
}

fn into_response(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (kind, bytes) = match answer.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(value) => (Some("application/json;charset=UTF-8"), Bytes::from(value.to_string())),
        Body::Text(kind, text) => (Some(kind), Bytes::from(text)),
    };
    let mut response = (status, bytes).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_ref()), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
