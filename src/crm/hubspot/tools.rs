//! Calls that tools make: properties, owners, pipelines, who we are.

use std::collections::HashSet;

use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

use crate::crm::http::{Call, join};
use crate::types::{CrmError, ReadRequest, Record};

use super::HubspotClient;

/// Owners on one page (HubSpot's owners page).
const PAGE: &str = "500";

impl HubspotClient {
    /// The properties of an object, as HubSpot sends them.
    pub async fn properties(&self, object: &str) -> Result<Vec<Json>, CrmError> {
        let url = self.address("properties", &self.version, &[self.path_name(object)]);
        self.results(&Call::get(url)).await
    }

    /// The pipelines of an object with their stages, as HubSpot sends them.
    pub async fn pipelines(&self, object: &str) -> Result<Vec<Json>, CrmError> {
        let url = self.address("pipelines", &self.version, &[self.path_name(object)]);
        self.results(&Call::get(url)).await
    }

    /// All owners, or all archived ones, as HubSpot sends them.
    pub async fn all_owners(&self, archived: bool) -> Result<Vec<Json>, CrmError> {
        let mut owners = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut url = self.address("owners", &self.version, &[]);
            url.query_pairs_mut()
                .append_pair("limit", PAGE)
                .append_pair("archived", if archived { "true" } else { "false" });
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let mut page = self.json(&Call::get(url)).await?;
            match page.get_mut("results").map(Json::take) {
                Some(Json::Array(rows)) => owners.extend(rows),
                _ => return Err(self.garbled("it has no `results`", true)),
            }
            after = page.pointer("/paging/next/after").and_then(Json::as_str).map(str::to_owned);
            if after.is_none() {
                return Ok(owners);
            }
        }
    }

    /// Owners as records, by owner id (`hubspot_owner_id`). Owners who left are archived and still count; an id without
    /// an owner is absent. Owners are not CRM objects, so they have an address of their own and no batches.
    pub(super) async fn read_owners(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        let mut wanted: HashSet<&str> = request.ids.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        for archived in [false, true] {
            if wanted.is_empty() {
                break;
            }
            for owner in self.all_owners(archived).await? {
                let Some(id) = owner.get("id").and_then(Json::as_str) else { continue };
                if wanted.remove(id) {
                    let values = request
                        .fields
                        .iter()
                        .filter_map(|field| Some((field.clone(), owner.get(field)?.clone())));
                    found.push(Record {
                        object: request.object.clone(),
                        id: id.to_owned(),
                        values: values.collect(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// Whose token it is and what it may do (`hubId`, `appId`, `scopes`), as HubSpot sends it.
    pub async fn token_info(&self) -> Result<Json, CrmError> {
        let url = join(&self.base, &["oauth", "v2", "private-apps", "get", "access-token-info"]);
        self.json(&Call::ask(url, json!({"tokenKey": self.token.expose_secret()}))).await
    }

    async fn results(&self, call: &Call) -> Result<Vec<Json>, CrmError> {
        match self.json(call).await?.get_mut("results").map(Json::take) {
            Some(Json::Array(rows)) => Ok(rows),
            _ => Err(self.garbled("it has no `results`", true)),
        }
    }
}
