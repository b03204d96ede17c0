//! Calls that tools make: properties, owners, pipelines, who we are.

use std::collections::HashSet;

use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

use crate::crm::http::{Call, join};
use crate::source::ObjectName;
use crate::types::{
    CrmError, CrmErrorKind, Filter, FilterOp, FindRequest, ReadRequest, Record, Value, display,
};

use super::HubspotClient;
use super::auth::Access;

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
                    found.extend(owner_record(&request.object, &owner, &request.fields));
                }
            }
        }
        Ok(found)
    }

    /// Looks owners up; one answer for each request, in order. No search knows them, so all are listed, and once for all
    /// requests. Owners who left are archived; they are found where no active owner is, since their records are still
    /// theirs and a person who came back has a second entry.
    pub(super) async fn find_owners(&self, requests: &[&FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        let mut answers: Vec<Result<Vec<Record>, CrmError>> =
            requests.iter().map(|_| Ok(Vec::new())).collect();
        for archived in [false, true] {
            if answers.iter().all(|answer| answer.as_ref().map_or(true, |found| !found.is_empty())) {
                break;
            }
            let owners = self.all_owners(archived).await;
            for (request, answer) in requests.iter().zip(&mut answers) {
                if answer.as_ref().is_ok_and(Vec::is_empty) {
                    *answer = owners.clone().and_then(|owners| self.fitting(request, &owners));
                }
            }
        }
        answers
    }

    /// The owners that a look-up asks for.
    fn fitting(&self, request: &FindRequest, owners: &[Json]) -> Result<Vec<Record>, CrmError> {
        let mut found = Vec::new();
        for owner in owners {
            let mut fits = true;
            for filter in &request.filters {
                fits &= holds(filter, owner).map_err(|why| self.refused(why))?;
            }
            if fits {
                found.extend(owner_record(&request.object, owner, &request.fields));
            }
        }
        found.truncate(request.limit as usize);
        Ok(found)
    }

    /// Whose token it is and what it may do, whatever portal that is.
    pub async fn token_info(&self) -> Result<TokenInfo, CrmError> {
        let access = self.sessions.current(&self.http).await?;
        match self.token_info_of(&access).await {
            Err(error) if error.kind == CrmErrorKind::Unauthorised => {
                let Some(renewed) = self.sessions.renew(&self.http, &access).await else { return Err(error) };
                self.token_info_of(renewed?.as_ref()).await
            }
            other => other,
        }
    }

    /// The same of this token.
    pub(super) async fn token_info_of(&self, access: &Access) -> Result<TokenInfo, CrmError> {
        let token = access.token.expose_secret();
        let call = if self.sessions.is_oauth() {
            Call::get(join(&self.base, &["oauth", "v1", "access-tokens", token]))
        } else {
            let url = join(&self.base, &["oauth", "v2", "private-apps", "get", "access-token-info"]);
            Call::ask(url, json!({"tokenKey": token}))
        };
        let info = self.http.json(&call, Some(&access.token)).await?;
        TokenInfo::of(&info).ok_or_else(|| self.garbled("it has no `scopes`", true))
    }

    pub(super) async fn results(&self, call: &Call) -> Result<Vec<Json>, CrmError> {
        match self.json(call).await?.get_mut("results").map(Json::take) {
            Some(Json::Array(rows)) => Ok(rows),
            _ => Err(self.garbled("it has no `results`", true)),
        }
    }
}

/// Whose a token is, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The portal.
    pub hub: Option<u64>,
    /// The app.
    pub app: Option<u64>,
    /// Who installed it.
    pub user: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
}

impl TokenInfo {
    /// A private app's answer writes its names in one way, an OAuth app's in the other.
    fn of(info: &Json) -> Option<Self> {
        let number = |one: &str, other: &str| info[one].as_u64().or(info[other].as_u64());
        let scopes = info["scopes"].as_array()?;
        Some(Self {
            hub: number("hubId", "hub_id"),
            app: number("appId", "app_id"),
            user: info["user"].as_str().map(str::to_owned),
            scopes: scopes.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        })
    }
}

/// An owner as a record.
fn owner_record(object: &ObjectName, owner: &Json, fields: &[String]) -> Option<Record> {
    let id = owner.get("id")?.as_str()?.to_owned();
    let values = fields.iter().filter_map(|field| Some((field.clone(), owner.get(field)?.clone())));
    Some(Record { object: object.clone(), id, values: values.collect() })
}

/// Whether a test of a look-up holds for an owner. Text is compared as a HubSpot search does, without regard to case.
fn holds(filter: &Filter, owner: &Json) -> Result<bool, String> {
    let held = match owner.get(&filter.field) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.to_lowercase(),
        Some(other) => other.to_string(),
    };
    let same = |value: &Value| display(value).to_lowercase() == held;
    Ok(match &filter.op {
        FilterOp::Eq(value) => same(value),
        FilterOp::Ne(value) => !same(value),
        FilterOp::In(values) => values.iter().any(same),
        FilterOp::Present => !held.is_empty(),
        FilterOp::Blank => held.is_empty(),
        FilterOp::Lt(_) | FilterOp::Le(_) | FilterOp::Gt(_) | FilterOp::Ge(_) => {
            return Err("owners have no order, so none is before or after another".to_owned());
        }
    })
}
