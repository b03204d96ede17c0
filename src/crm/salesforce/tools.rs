//! Calls that tools make: descriptions, limits, who we are.

use serde_json::Value as Json;
use url::Url;

use crate::crm::http::{Answer, Call, join};
use crate::types::CrmError;

use super::SalesforceClient;

impl SalesforceClient {
    /// The description of one object, as Salesforce sends it.
    pub async fn describe(&self, object: &str) -> Result<Json, CrmError> {
        self.get(&["sobjects", self.api_name(object), "describe"]).await
    }

    /// The list of all objects, as Salesforce sends it.
    pub async fn describe_global(&self) -> Result<Json, CrmError> {
        self.get(&["sobjects"]).await
    }

    /// The organisation's limits, as Salesforce sends them.
    pub async fn org_limits(&self) -> Result<Json, CrmError> {
        self.get(&["limits"]).await
    }

    /// The duplicate rules of the organisation (`DeveloperName`, `MasterLabel`, `SobjectType`, `IsActive`), as Salesforce
    /// sends them (its object reference: `DuplicateRule`).
    pub async fn duplicate_rules(&self) -> Result<Vec<Json>, CrmError> {
        const QUERY: &str = "SELECT DeveloperName, MasterLabel, SobjectType, IsActive FROM DuplicateRule";
        let call = |instance: &url::Url| {
            let mut url = self.resource(instance, &["query"]);
            url.query_pairs_mut().append_pair("q", QUERY);
            Ok(Call::get(url))
        };
        let answer = self.send(call).await?;
        let mut page = self.http.read(&answer, true)?;
        match page.get_mut("records").map(Json::take) {
            Some(Json::Array(rules)) => Ok(rules),
            _ => Err(self.http.garbled(&answer, true)),
        }
    }

    /// The API versions that the organisation offers, oldest first (`58.0`).
    pub async fn versions(&self) -> Result<Vec<String>, CrmError> {
        let answer = self.send(|instance| Ok(Call::get(join(instance, &["services", "data"])))).await?;
        self.list_of_versions(&answer)
    }

    /// The same for whoever has a session at hand; the list needs none.
    pub(super) async fn versions_at(&self, instance: &Url) -> Result<Vec<String>, CrmError> {
        let call = Call::get(join(instance, &["services", "data"]));
        self.list_of_versions(&self.http.send(&call, None).await?)
    }

    fn list_of_versions(&self, answer: &Answer) -> Result<Vec<String>, CrmError> {
        let list = self.http.read(answer, true)?;
        let versions = list.as_array().ok_or_else(|| self.http.garbled(answer, true))?;
        Ok(versions.iter().filter_map(|v| v.get("version")?.as_str()).map(str::to_owned).collect())
    }

    /// Who the integration user is (`sub` or `user_id`, `organization_id`, `preferred_username`), as Salesforce sends it.
    pub async fn user_info(&self) -> Result<Json, CrmError> {
        let answer =
            self.send(|instance| Ok(Call::get(join(instance, &["services", "oauth2", "userinfo"])))).await?;
        self.http.read(&answer, true)
    }

    /// What the session may do, read off the token answer without a further call; `None` where that does not say it.
    pub async fn granted_scopes(&self) -> Result<Option<Vec<String>>, CrmError> {
        Ok(self.sessions.current(&self.http).await?.scopes.clone())
    }

    /// The ids of the organisation and the integration user, read off the token answer without a further call.
    pub async fn identity(&self) -> Result<Option<(String, String)>, CrmError> {
        let session = self.sessions.current(&self.http).await?;
        let Some(segments) = session.identity.as_ref().and_then(url::Url::path_segments) else {
            return Ok(None);
        };
        let parts: Vec<&str> = segments.filter(|part| !part.is_empty()).collect();
        Ok(match parts[..] {
            [.., organisation, user] => Some((organisation.to_owned(), user.to_owned())),
            _ => None,
        })
    }
}
