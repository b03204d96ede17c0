//! When values were set, and what became of records that were merged.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use crate::crm::http::Call;
use crate::source::ObjectName;
use crate::types::{ChangedRequest, CrmError, ReadRequest};

use super::HubspotClient;

impl HubspotClient {
    /// Reads when properties were last set: the newest version in each property's history.
    ///
    /// One record is one call of the batch read, which gives histories for up to 50 records (HubSpot's objects docs).
    pub(super) async fn changed_at(
        &self,
        request: &ChangedRequest,
    ) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        if request.fields.is_empty() {
            return Ok(BTreeMap::new());
        }
        let body = json!({
            "properties": [],
            "propertiesWithHistory": request.fields,
            "inputs": [{"id": request.id}],
        });
        let url = self.objects_address(&request.object.name, &["batch", "read"]);
        let answer = self.json(&Call::ask(url, body)).await?;
        let history = answer.pointer("/results/0/propertiesWithHistory");
        let set_at = |field: &String| {
            let versions = history?.get(field)?.as_array()?;
            let newest = versions.iter().filter_map(timestamp).max()?;
            Some((field.clone(), newest))
        };
        Ok(request.fields.iter().filter_map(set_at).collect())
    }

    /// Reads what stands under the id of a record that is gone: HubSpot answers with the survivor of a merge, whose id is
    /// another one (captured; HubSpot's page on merging records says that old ids go on working).
    pub(super) async fn merged_into(
        &self,
        object: &ObjectName,
        gone: &str,
    ) -> Result<Option<String>, CrmError> {
        let ids = vec![gone.to_owned()];
        let request = ReadRequest { object: object.clone(), ids, fields: Vec::new() };
        let found = self.read_records(&request).await?;
        Ok(found.into_iter().map(|record| record.id).find(|id| id != gone))
    }
}

fn timestamp(version: &Json) -> Option<DateTime<Utc>> {
    instant(version.get("timestamp")?)
}

/// An instant as HubSpot writes it.
pub(super) fn instant(value: &Json) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|at| at.to_utc())
}
