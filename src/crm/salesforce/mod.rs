//! The client of Salesforce's REST API.
//!
//! Reads and look-ups are SOQL; writes go to sObject collections, and to one record's own address where there is
//! only one, because only there does Salesforce tell which records a duplicate rule found. Leads are converted by SOAP,
//! which alone can.

mod answers;
mod auth;
mod bulk;
mod changes;
mod convert;
mod cost;
mod describe;
mod history;
pub mod permission_set;
mod records;
mod soap;
mod soql;
#[cfg(test)]
mod tests;
mod tools;
mod values;
mod walk;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use tokio::sync::Mutex;
use url::Url;

pub use auth::{SalesforceAuth, SalesforceLogin};
pub(super) use cost::{LIMITS, calls};

use super::answers::NOT_OFFERED;
use super::http::{Answer, Call, Http, HttpOptions, SetupError, join};
use super::{Crm, Limits, share};
use crate::schema::Schema;
use crate::source::{ObjectName, Side};
use crate::types::{
    AssociateRequest, AssociatedRequest, ChangedRequest, ConvertAnswer, ConvertRequest, CrmError,
    CrmErrorKind, FindRequest, ReadRequest, Record, WriteAnswer, WriteRequest, is_record_id as is_id,
};

/// One organisation.
#[derive(Debug, Clone)]
pub struct SalesforceConfig {
    /// Where tokens come from: `https://login.salesforce.com`, a sandbox's, or the organisation's own domain.
    pub login_url: Url,
    /// The API version: `58.0`; a `v` before it is accepted.
    pub api_version: String,
    /// How the integration proves who it is.
    pub auth: SalesforceAuth,
    /// API names of objects that the project knows under another name.
    pub aliases: HashMap<String, String>,
}

impl SalesforceConfig {
    /// The aliases of a snapshot.
    pub fn aliases_of(schema: &Schema) -> HashMap<String, String> {
        let renamed = schema.objects.values().filter(|object| object.name != object.api_name);
        renamed.map(|object| (object.name.clone(), object.api_name.clone())).collect()
    }
}

/// Salesforce as a [`Crm`].
pub struct SalesforceClient {
    http: Arc<Http>,
    sessions: auth::Sessions,
    version: String,
    aliases: HashMap<String, String>,
    /// When Salesforce last said that it offers the version.
    offered_at: Mutex<Option<DateTime<Utc>>>,
}

impl SalesforceClient {
    /// Makes a client; nothing is sent before the first call.
    pub fn new(config: SalesforceConfig, http: HttpOptions) -> Result<Self, SetupError> {
        let version = config.api_version.trim_start_matches('v').to_owned();
        if version.is_empty() || !version.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(SetupError::Setting(format!(
                "`{}` is not an API version such as `58.0`",
                config.api_version
            )));
        }
        let http = Arc::new(Http::new(&answers::VENDOR, &config.login_url, http)?);
        let sessions = auth::Sessions::new(&config.login_url, config.auth)?;
        Ok(Self { http, sessions, version, aliases: config.aliases, offered_at: Mutex::default() })
    }

    /// The allowances as the latest answer told them.
    pub fn limits(&self) -> Limits {
        self.http.limits()
    }

    /// How far Salesforce's clock is ahead of this machine's, by its latest answer; to about a second.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.http.skew()
    }

    fn api_name<'a>(&'a self, object: &'a str) -> &'a str {
        self.aliases.get(object).map_or(object, String::as_str)
    }

    /// Makes the call that `build` describes for a session; once more with a new session if that one has ended.
    async fn send(&self, build: impl Fn(&Url) -> Result<Call, CrmError> + Send) -> Result<Answer, CrmError> {
        let session = self.sessions.current(&self.http).await?;
        match self.attempt(build(&session.instance)?, &session).await {
            // Nothing was applied, so writes go again too.
            Err(error) if error.kind == CrmErrorKind::Unauthorised => {}
            other => return other,
        }
        let session = self.sessions.renew(&self.http, &session).await?;
        self.attempt(build(&session.instance)?, &session).await
    }

    async fn attempt(&self, call: Call, session: &auth::Session) -> Result<Answer, CrmError> {
        let call = named(call);
        match self.http.send(&call, Some(&session.token)).await {
            Ok(answer) if answer.status == 404 && self.is_versioned(&call.url) => {
                self.known_version(&answer, session).await?;
                Ok(answer)
            }
            Err(error) if error.kind == CrmErrorKind::Version => Err(CrmError {
                message: format!(
                    "version {} is not offered any more: {}; {HELP}",
                    self.version, error.message
                ),
                ..error
            }),
            other => other,
        }
    }

    fn is_versioned(&self, url: &Url) -> bool {
        url.path().contains(&format!("/services/data/v{}/", self.version))
    }

    /// Salesforce answers a version that it does not offer as it answers a record that is gone. So its list of versions is
    /// asked, and not again for a while where it has ours.
    async fn known_version(&self, answer: &Answer, session: &auth::Session) -> Result<(), CrmError> {
        if !answers::problems(answer.json().as_ref()).iter().any(answers::Problem::is_nowhere) {
            return Ok(());
        }
        let mut offered_at = self.offered_at.lock().await;
        let now = self.http.now();
        if offered_at.is_some_and(|at| now - at < OFFERED && at <= now) {
            return Ok(());
        }
        let versions = match self.versions_at(&session.instance).await {
            Ok(versions) => versions,
            // Whoever answers so has no list; the answer stands for itself.
            Err(error) if matches!(error.kind, CrmErrorKind::Refused | CrmErrorKind::Garbled) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if versions.contains(&self.version) {
            *offered_at = Some(now);
            return Ok(());
        }
        let range = versions.first().zip(versions.last());
        let range = range.map_or_else(String::new, |(first, last)| format!(" (it offers {first} to {last})"));
        let message = format!("the org does not offer version {}{range}; {HELP}", self.version);
        let error = self.http.error(NOT_OFFERED.meaning.kind().0, message);
        Err(CrmError { status: Some(answer.status), ..error })
    }

    /// The address of a resource of the configured version.
    fn resource(&self, instance: &Url, segments: &[&str]) -> Url {
        let version = format!("v{}", self.version);
        let mut all = vec!["services", "data", version.as_str()];
        all.extend_from_slice(segments);
        join(instance, &all)
    }

    /// Reads a resource.
    async fn get(&self, segments: &[&str]) -> Result<Json, CrmError> {
        let answer = self.send(|instance| Ok(Call::get(self.resource(instance, segments)))).await?;
        self.http.read(&answer, true)
    }

    fn refused(&self, message: impl Into<String>) -> CrmError {
        self.http.error(CrmErrorKind::Refused, message)
    }
}

/// What to do about a version that is not offered.
const HELP: &str = "set `api_version:` to one that it offers";

/// That Salesforce offers the version holds for so long: versions are retired by its releases.
const OFFERED: TimeDelta = TimeDelta::minutes(10);

/// Changes then carry the client's name in their origin, so that our own are recognised.
fn named(mut call: Call) -> Call {
    call.headers.push(("Sforce-Call-Options", "client=mapwright".to_owned()));
    call
}

#[async_trait]
impl Crm for SalesforceClient {
    fn side(&self) -> Side {
        Side::Salesforce
    }

    async fn read(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        self.read_records(request).await
    }

    async fn find(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        share::look_up_all(self, requests).await
    }

    async fn write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        self.write_records(requests).await
    }

    async fn convert(&self, requests: &[ConvertRequest]) -> Vec<ConvertAnswer> {
        self.convert_leads(requests).await
    }

    async fn associated(&self, _: &AssociatedRequest) -> Result<HashMap<String, Vec<String>>, CrmError> {
        Err(self.refused("Salesforce has no associations; read the look-up field instead"))
    }

    async fn associate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        let refuse = |_| Err(self.refused("Salesforce has no associations; write the look-up field instead"));
        requests.iter().map(refuse).collect()
    }

    async fn changed(&self, request: &ChangedRequest) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        self.changed_at(request).await
    }

    async fn survivor(&self, object: &ObjectName, gone: &str) -> Result<Option<String>, CrmError> {
        self.merged_into(object, gone).await
    }

    async fn dissociate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        let refuse = |_| Err(self.refused("Salesforce has no associations; clear the look-up field instead"));
        requests.iter().map(refuse).collect()
    }

    async fn logged_in_anew(&self) -> bool {
        self.sessions.logged_in_anew().await
    }

    fn calls(&self) -> u64 {
        self.http.calls()
    }
}
