//! The client of HubSpot's CRM API.
//!
//! Reads and writes go in batches of up to 100. HubSpot refuses a batch whole for one bad row; such a batch is halved
//! until the row stands alone, so that its neighbours are written.

mod answers;
mod associations;
mod changes;
mod history;
mod records;
#[cfg(test)]
mod tests;
mod tools;
mod values;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value as Json;
use url::Url;

use associations::Change;

use super::http::{Call, Http, HttpOptions, SetupError, join};
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
    /// The private app's token.
    pub token: SecretString,
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

/// HubSpot as a [`Crm`].
pub struct HubspotClient {
    http: Http,
    base: Url,
    token: SecretString,
    version: String,
    objects: HashMap<String, String>,
    /// Association types by their two objects; labels change rarely, and a restart reads them anew.
    labels: Mutex<HashMap<(String, String), Vec<associations::Label>>>,
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
        let http = Http::new(&answers::VENDOR, &config.base_url, http)?;
        Ok(Self {
            http,
            base: config.base_url,
            token: config.token,
            version,
            objects: config.objects,
            labels: Mutex::default(),
        })
    }

    /// The allowances as the latest answers told them.
    pub fn limits(&self) -> Limits {
        self.http.limits()
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

    /// Makes a call whose success is JSON. The token does not expire, so a 401 is final at once: it was rotated.
    async fn json(&self, call: &Call) -> Result<Json, CrmError> {
        self.http.json(call, Some(&self.token)).await
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
        } else {
            self.read_records(request).await
        }
    }

    async fn find(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        share::look_up_all(self, requests).await
    }

    async fn write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        self.write_records(requests).await
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
        self.changed_at(request).await
    }

    async fn survivor(&self, object: &ObjectName, gone: &str) -> Result<Option<String>, CrmError> {
        self.merged_into(object, gone).await
    }

    fn calls(&self) -> u64 {
        self.http.calls()
    }
}
