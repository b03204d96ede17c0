//! The server on loopback, and the handle by which tests and the command line steer it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::config::SalesforceConfig;
use super::convert::{self, Conversion, ConvertedLead};
use super::duplicates::DuplicateRule;
use super::error::ApiError;
use super::http::Request;
use super::org::{Caller, Org, all_fields, show as show_record};
use super::{admin, clock, faults, merge, operations, query, records, route};
use crate::sandbox::core::{ClockSetting, Fault, FaultUse, Line, Reply, Running, Strike, Target, listen};

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
    /// What it asked for, with the server's name (`salesforce.collections_upsert`).
    pub operation: String,
    /// The object that it was about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The status of the answer; 0 where the line was cut before it.
    pub status: u16,
    /// The fault that struck it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
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
        let (listener, address) =
            listen(port).await.map_err(|source| SandboxError::Listen { port, source })?;
        let base_url = format!("http://{address}");
        let org = Org::new(config, base_url.clone()).map_err(SandboxError::Seed)?;
        let org = Arc::new(Mutex::new(org));
        let app = axum::Router::new().fallback(serve).with_state(Arc::clone(&org));
        let running = Running::spawn(listener, app);
        Ok(SalesforceHandle { base_url, org, running: Some(running) })
    }
}

/// A running sandbox; dropping it stops the server.
pub struct SalesforceHandle {
    base_url: String,
    org: Arc<Mutex<Org>>,
    running: Option<Running>,
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
        self.lock().clear_calls();
    }

    /// How many requests of each operation it answered (`salesforce.query`).
    pub fn calls_by_operation(&self) -> BTreeMap<String, u64> {
        self.lock().counts.clone()
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
        let done = convert::whole(&mut org, &caller, &conversion);
        org.store.commit();
        done.map_err(told)
    }

    /// Merges a record into another one, its master, as a person would.
    pub fn merge(&self, object: &str, master: &str, lost: &str) -> Result<(), SandboxError> {
        let mut org = self.lock();
        let user_id = org.default_user_id();
        merge::merge(&mut org, &user_id, object, master, lost)
            .map_err(|error| SandboxError::Seed(error.message))
    }

    /// Changes a record past all validation but that of types, as this user; `None` where there is no such user.
    pub fn change_as(
        &self,
        username: &str,
        object: &str,
        id: &str,
        fields: &Value,
    ) -> Result<(), SandboxError> {
        let mut org = self.lock();
        let user = org.store.find_by_key("User", "Username", &username.into()).first().cloned();
        let user = user.ok_or_else(|| SandboxError::Seed(format!("there is no user `{username}`")))?;
        let empty = Map::new();
        org.change_as(&user, object, id, fields.as_object().unwrap_or(&empty)).map_err(SandboxError::Seed)
    }

    /// Takes a record out of the recycle bin.
    pub fn undelete(&self, object: &str, id: &str) -> Result<(), SandboxError> {
        let mut org = self.lock();
        let caller = admin_caller(&org);
        let done = records::undelete(&mut org, &caller, object, id);
        org.store.commit();
        done.map_err(told)
    }

    /// Deletes a record for good, as when the recycle bin is emptied.
    pub fn purge(&self, object: &str, id: &str) -> Result<(), SandboxError> {
        records::purge(&mut self.lock(), object, id).map_err(told)
    }

    /// Changes a field's facts, or adds a field, as an administrator would while clients are at work.
    pub fn define_field(&self, object: &str, facts: &Value) -> Result<(), SandboxError> {
        self.lock().define_field(object, facts).map_err(SandboxError::Seed)
    }

    /// Deletes a field.
    pub fn drop_field(&self, object: &str, field: &str) -> Result<(), SandboxError> {
        self.lock().drop_field(object, field).map_err(SandboxError::Seed)
    }

    /// Sends a record to the recycle bin, as a person would.
    pub fn delete(&self, object: &str, id: &str) -> Result<(), SandboxError> {
        let mut org = self.lock();
        let caller = admin_caller(&org);
        let done = records::delete(&mut org, &caller, object, id);
        org.store.commit();
        done.map_err(told)
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
        self.lock().add_rule(rule);
    }

    /// Adds a fault and gives its name.
    pub fn add_fault(&self, fault: Fault) -> String {
        self.lock().arm(fault)
    }

    /// The faults, with how often each was used.
    pub fn faults(&self) -> Vec<FaultUse> {
        self.lock().faults.list()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Sets, shifts or stops the organisation's clock.
    pub fn set_clock(&self, setting: ClockSetting) {
        self.lock().config.clock.set(setting);
    }

    /// Sets how many API requests the organisation has used of its daily limit.
    pub fn set_api_requests(&self, used: u64) {
        self.lock().api_requests = used;
    }

    /// Stops the server once the requests in flight are answered.
    pub async fn shutdown(mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Org> {
        lock(&self.org)
    }
}

fn told(errors: Vec<ApiError>) -> SandboxError {
    SandboxError::Seed(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; "))
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
    let line = Line::of(&request);
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
    let (mut reply, strike) = answer(&mut lock(&org), &request, &target);
    if head {
        reply.body = bytes::Bytes::new();
    }
    match strike {
        None => reply.into_response(),
        Some(strike) => strike.send(reply, &line, request.header("host").unwrap_or_default(), &target).await,
    }
}

fn answer(org: &mut Org, request: &Request, target: &str) -> (Reply, Option<Strike>) {
    let date = ("date".to_owned(), clock::http_date(org.now()));
    if request.segments.first().is_some_and(|first| first == "_sandbox") {
        return (faults::reply_of(admin::route(org, request)), None);
    }
    let (name, object) = operations::of(org, request);
    let operation = format!("salesforce.{name}");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let facts = Target {
        method: &request.method,
        path,
        query,
        operation: &operation,
        object: object.as_deref(),
        body: request.body.as_bytes(),
    };
    let allow_save = request.header_flag("sforce-duplicate-rule-header", "allowSave");
    let strike = org.faults.strike(&facts, |fault| faults::allows(fault, allow_save));
    let carried_out = strike.as_ref().is_none_or(|strike| strike.fault.carries_out());
    let real = carried_out.then(|| faults::reply_of(route::route(org, request)));
    org.store.commit();
    let mut reply = match &strike {
        Some(strike) if !strike.fault.spoils() => faults::answer(org, &strike.fault, &facts, request),
        _ => real.unwrap_or_else(|| Reply::explicit(&Fault::default(), faults::JSON)),
    };
    if !reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
        reply.headers.push(date);
    }
    org.record(Call {
        method: request.method.clone(),
        path: target.to_owned(),
        status: strike.as_ref().map_or(reply.status, |strike| strike.fault.logged(reply.status)),
        fault: strike.as_ref().map(|strike| strike.name.clone()),
        client: request.header_option("sforce-call-options", "client").map(str::to_owned),
        operation,
        object,
    });
    (reply, strike)
}

impl Org {
    /// Logs and counts a request that was answered.
    fn record(&mut self, call: Call) {
        if self.calls.len() >= MAX_CALLS {
            self.calls.drain(..MAX_CALLS / 2);
        }
        *self.counts.entry(call.operation.clone()).or_default() += 1;
        self.calls.push(call);
    }

    /// Forgets the requests answered so far.
    pub(super) fn clear_calls(&mut self) {
        self.calls.clear();
        self.counts.clear();
    }
}
