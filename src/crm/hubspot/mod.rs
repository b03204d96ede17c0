//! The client of HubSpot's CRM API.
//!
//! Reads and writes go in batches of up to 100. HubSpot refuses a batch whole for one bad row; such a batch is halved
//! until the row stands alone, so that its neighbours are written.

mod answers;
mod associations;
mod auth;
mod changes;
mod cost;
mod describe;
mod history;
mod records;
pub mod scopes;
#[cfg(test)]
mod tests;
mod timeline;
mod tools;
mod values;
mod walk;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use url::Url;

use associations::Change;
pub use auth::{HubspotAuth, HubspotLogin};
pub(super) use cost::{LIMITS, calls};
pub use tools::TokenInfo;

use super::http::{Answer, Call, Http, HttpOptions, SetupError, join};
use super::{Crm, Limits, share};
use crate::schema::Schema;
use crate::source::{ObjectName, Side};
use crate::types::{
    AssociateRequest, AssociatedRequest, ChangedRequest, CrmError, CrmErrorKind, FindRequest, ReadRequest,
    Record, WriteAnswer, WriteRequest,
};

/// One portal.
#[derive(Debug, Clone)]
pub struct HubspotConfig {
    /// `https://api.hubapi.com`, or the EU host.
    pub base_url: Url,
    /// How the integration proves who it is.
    pub auth: HubspotAuth,
    /// `v3`, or a date such as `2026-03`: both forms of address work.
    pub path_version: String,
    /// What stands in addresses for an object of the project: its plural or type id. What is not listed is written in
    /// the standard plural (`contacts`) or as it is (`2-345`).
    pub objects: HashMap<String, String>,
}

impl HubspotConfig {
    /// The address names of a snapshot.
    pub fn objects_of(schema: &Schema) -> HashMap<String, String> {
        let named = |object: &crate::schema::Object| {
            object
                .plural
                .clone()
                .or_else(|| object.type_id.clone())
                .unwrap_or_else(|| object.api_name.clone())
        };
        schema.objects.values().map(|object| (object.name.clone(), named(object))).collect()
    }
}

/// The object under which the language knows HubSpot's owners.
const OWNER: &str = "owner";

/// What has an API of its own, and what searches know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    Owner,
    Event,
    Record,
}

/// HubSpot as a [`Crm`].
pub struct HubspotClient {
    http: Arc<Http>,
    base: Url,
    sessions: auth::Sessions,
    version: String,
    objects: HashMap<String, String>,
    /// The event templates of the objects whose records are events of a timeline.
    timelines: HashMap<String, String>,
    /// Association types by their two objects; labels change rarely, and a restart reads them anew.
    labels: Mutex<HashMap<(String, String), Vec<associations::Label>>>,
    /// The portal whose tokens alone are used.
    portal: Option<u64>,
    /// The token that is known to be that portal's.
    proven: tokio::sync::Mutex<Option<SecretString>>,
}

impl HubspotClient {
    /// Makes a client; nothing is sent before the first call.
    pub fn new(config: HubspotConfig, http: HttpOptions) -> Result<Self, SetupError> {
        let version = config.path_version;
        if version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(SetupError::Setting(format!(
                "`{version}` is not an API version such as `v3` or `2026-03`"
            )));
        }
        let http = Arc::new(Http::new(&answers::VENDOR, &config.base_url, http)?);
        let sessions = auth::Sessions::new(&config.base_url, &version, config.auth);
        Ok(Self {
            http,
            base: config.base_url,
            sessions,
            version,
            objects: config.objects,
            timelines: HashMap::new(),
            labels: Mutex::default(),
            portal: None,
            proven: tokio::sync::Mutex::default(),
        })
    }

    /// Takes the objects whose records are events of a timeline, with their event templates.
    #[must_use]
    pub fn with_timelines(self, schema: &Schema) -> Self {
        let events = schema.objects.values();
        let timelines = events.filter_map(|object| Some((object.name.clone(), object.timeline.clone()?)));
        Self { timelines: timelines.collect(), ..self }
    }

    /// Works with this portal alone: a token of another one is refused before it is used.
    #[must_use]
    pub fn for_portal(self, portal: u64) -> Self {
        Self { portal: Some(portal), ..self }
    }

    /// The allowances as the latest answers told them.
    pub fn limits(&self) -> Limits {
        self.http.limits()
    }

    /// How far HubSpot's clock is ahead of this machine's, by its latest answer; to about a second.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.http.skew()
    }

    /// An object as it stands in addresses.
    fn path_name<'a>(&'a self, object: &'a str) -> &'a str {
        match (self.objects.get(object), object) {
            (Some(name), _) => name,
            (None, "contact") => "contacts",
            (None, "company") => "companies",
            (None, "deal") => "deals",
            (None, "ticket") => "tickets",
            (None, other) => other,
        }
    }

    /// The address of a part of the CRM API: `/crm/v3/objects/…`, or `/crm/objects/2026-03/…`.
    fn address(&self, part: &str, v3: &str, rest: &[&str]) -> Url {
        let version = if self.version.starts_with('v') { v3 } else { &self.version };
        let mut segments = vec!["crm"];
        if self.version.starts_with('v') {
            segments.extend([version, part]);
        } else {
            segments.extend([part, version]);
        }
        segments.extend_from_slice(rest);
        join(&self.base, &segments)
    }

    fn objects_address(&self, object: &str, rest: &[&str]) -> Url {
        let mut segments = vec![self.path_name(object)];
        segments.extend_from_slice(rest);
        self.address("objects", &self.version, &segments)
    }

    /// Makes a call; once more with a new token if that one has ended and there can be another.
    async fn send(&self, call: &Call) -> Result<Answer, CrmError> {
        let access = self.sessions.current(&self.http).await?;
        let refused = match self.attempt(call, &access).await {
            // Nothing was applied, so writes go again too.
            Err(error) if error.kind == CrmErrorKind::Unauthorised && !error.without_login() => error,
            other => return other,
        };
        let Some(renewed) = self.sessions.renew(&self.http, &access).await else { return Err(refused) };
        self.attempt(call, renewed?.as_ref()).await
    }

    async fn attempt(&self, call: &Call, access: &auth::Access) -> Result<Answer, CrmError> {
        self.of_the_portal(access).await?;
        self.http.send(call, Some(&access.token)).await.map_err(|error| match error.kind {
            CrmErrorKind::Version => CrmError {
                message: format!(
                    "it has no such address as those of the API path `{}`; see `api_path:`",
                    self.version
                ),
                ..error
            },
            _ => error,
        })
    }

    /// Asks whose a token is before anything else is asked or written with it, once for each.
    async fn of_the_portal(&self, access: &auth::Access) -> Result<(), CrmError> {
        let Some(portal) = self.portal else { return Ok(()) };
        let mut proven = self.proven.lock().await;
        let same = |known: &SecretString| known.expose_secret() == access.token.expose_secret();
        if proven.as_ref().is_some_and(same) {
            return Ok(());
        }
        let info = self.token_info_of(access).await.map_err(|error| match error.kind {
            // HubSpot answers about a token that it does not know as about any other thing that is not there.
            CrmErrorKind::Refused => CrmError { kind: CrmErrorKind::Unauthorised, ..error },
            _ => error,
        })?;
        match info.hub {
            Some(hub) if hub == portal => *proven = Some(access.token.clone()),
            Some(hub) => {
                let message = format!(
                    "the token is of portal {hub}, and `portal:` says {portal}; take the token of that portal, or correct \
                     `portal:`"
                );
                return Err(self.http.error(CrmErrorKind::Unauthorised, message));
            }
            None => return Err(self.garbled("it does not say of which portal the token is", true)),
        }
        Ok(())
    }

    /// Why the token that is at hand cannot be used with the configured portal, if that is known: it is another one's.
    pub async fn of_another_portal(&self) -> Option<CrmError> {
        let access = self.sessions.current(&self.http).await.ok()?;
        self.of_the_portal(&access).await.err().filter(CrmError::without_login)
    }

    /// Makes sure that the token is the configured portal's; asks only where that is not known.
    pub async fn prove_portal(&self) -> Result<(), CrmError> {
        let access = self.sessions.current(&self.http).await?;
        self.of_the_portal(&access).await
    }

    /// Makes a call whose success is JSON.
    async fn json(&self, call: &Call) -> Result<Json, CrmError> {
        let answer = self.send(call).await?;
        self.http.read(&answer, call.safe)
    }

    /// In which way a look-up of an object is made.
    fn apart(&self, object: &ObjectName) -> Apart {
        match self.template(&object.name) {
            Some(_) => Apart::Event,
            None if object.name == OWNER => Apart::Owner,
            None => Apart::Record,
        }
    }

    fn refused(&self, message: impl Into<String>) -> CrmError {
        self.http.error(CrmErrorKind::Refused, message)
    }

    fn garbled(&self, what: &str, safe: bool) -> CrmError {
        let error = self.http.error(CrmErrorKind::Garbled, format!("the answer is not understood: {what}"));
        CrmError { maybe_applied: !safe, ..error }
    }
}

#[async_trait]
impl Crm for HubspotClient {
    fn side(&self) -> Side {
        Side::Hubspot
    }

    async fn read(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        if request.object.name == OWNER {
            self.read_owners(request).await
        } else if let Some(template) = self.template(&request.object.name) {
            self.read_events(template, request).await
        } else {
            self.read_records(request).await
        }
    }

    async fn find(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        let of = |apart: Apart| {
            let indices =
                (0..requests.len()).filter(move |index| self.apart(&requests[*index].object) == apart);
            indices.collect::<Vec<usize>>()
        };
        let (owners, events, records) = (of(Apart::Owner), of(Apart::Event), of(Apart::Record));
        let mut answers: Vec<Option<Result<Vec<Record>, CrmError>>> = requests.iter().map(|_| None).collect();
        let asked: Vec<FindRequest> = records.iter().map(|index| requests[*index].clone()).collect();
        let found = share::look_up_all(self, &asked).await;
        let asked: Vec<&FindRequest> = owners.iter().map(|index| &requests[*index]).collect();
        let listed = self.find_owners(&asked).await;
        for (index, answer) in records.into_iter().zip(found).chain(owners.into_iter().zip(listed)) {
            answers[index] = Some(answer);
        }
        for index in events {
            let template = self.template(&requests[index].object.name).unwrap_or_default();
            answers[index] = Some(self.find_event(template, &requests[index]).await);
        }
        // INVARIANT: every request is of one kind, and each kind answers all its requests.
        let unsent = || Err(self.refused("the look-up was not sent"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unsent)).collect()
    }

    async fn write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        let is_event = |request: &WriteRequest| self.template(&request.object.name).is_some();
        let events: Vec<&WriteRequest> = requests.iter().filter(|request| is_event(request)).collect();
        if events.is_empty() {
            return self.write_records(requests).await;
        }
        let records: Vec<WriteRequest> =
            requests.iter().filter(|request| !is_event(request)).cloned().collect();
        let mut events = self.write_events(&events).await.into_iter();
        let mut records = self.write_records(&records).await.into_iter();
        // INVARIANT: each kind answers all its requests, in order.
        let unsent = || WriteAnswer::Failed(self.refused("the write was not sent"));
        let next = |request: &WriteRequest| {
            let answers = if is_event(request) { &mut events } else { &mut records };
            answers.next().unwrap_or_else(unsent)
        };
        requests.iter().map(next).collect()
    }

    async fn associated(
        &self,
        request: &AssociatedRequest,
    ) -> Result<HashMap<String, Vec<String>>, CrmError> {
        self.read_associations(request).await
    }

    async fn associate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        self.change_associations(requests, Change::Add).await
    }

    async fn dissociate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        self.change_associations(requests, Change::Remove).await
    }

    async fn changed(&self, request: &ChangedRequest) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        if self.template(&request.object.name).is_some() {
            return Ok(BTreeMap::new());
        }
        self.changed_at(request).await
    }

    async fn survivor(&self, object: &ObjectName, gone: &str) -> Result<Option<String>, CrmError> {
        if self.template(&object.name).is_some() {
            return Ok(None);
        }
        self.merged_into(object, gone).await
    }

    async fn logged_in_anew(&self) -> bool {
        self.sessions.logged_in_anew().await
    }

    fn calls(&self) -> u64 {
        self.http.calls()
    }
}
