//! When values were set, and what became of records that were merged.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::source::ObjectName;
use crate::types::{ChangedRequest, CrmError, Filter, FilterOp, ReadRequest, Value};

use super::records::Scope;
use super::soql::COMMITTED;
use super::{SalesforceClient, is_id};

/// The survivor of a merge, on the records that it left in the recycle bin.
pub(super) const MASTER: &str = "MasterRecordId";

/// The objects whose records can be merged (Salesforce's SOAP guide: `merge()`).
pub(super) const MERGED: [&str; 4] = ["Account", "Case", "Contact", "Lead"];

impl SalesforceClient {
    /// Reads when a record was last committed, and says so of every field asked for.
    ///
    /// Salesforce keeps a time for a field only where somebody has turned field history on, for twenty fields of an object
    /// and 18 months; the time of the commit is always there. It is never older than the value, so that of two sides the
    /// one that really is newer can only look newer still, or Salesforce newer than it is.
    pub(super) async fn changed_at(
        &self,
        request: &ChangedRequest,
    ) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        let read = ReadRequest {
            object: request.object.clone(),
            ids: vec![request.id.clone()],
            fields: vec![COMMITTED.to_owned()],
        };
        let found = self.read_records(&read).await?;
        let at = found.first().and_then(|record| record.values.get(COMMITTED)).and_then(instant);
        let fields = request.fields.iter();
        Ok(at.map_or_else(BTreeMap::new, |at| fields.map(|field| (field.clone(), at)).collect()))
    }

    /// Reads the survivor of a merge from the recycle bin; a record that has left it names none.
    pub(super) async fn merged_into(
        &self,
        object: &ObjectName,
        gone: &str,
    ) -> Result<Option<String>, CrmError> {
        if !is_id(gone) || !MERGED.contains(&self.api_name(&object.name)) {
            return Ok(None);
        }
        let filters = [Filter { field: "Id".to_owned(), op: FilterOp::Eq(Value::Text(gone.to_owned())) }];
        let fields = [MASTER.to_owned()];
        let found = self.select(object, &filters, &fields, None, Scope::WithDeleted).await?;
        let master = found.first().and_then(|record| record.values.get(MASTER)).and_then(Json::as_str);
        Ok(master.map(ToOwned::to_owned))
    }
}

/// Salesforce writes `2024-01-01T00:00:00.000+0000`, without the colon of RFC 3339.
pub(super) fn instant(value: &Json) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let at = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
        .or_else(|_| DateTime::parse_from_rfc3339(text));
    at.ok().map(|at| at.to_utc())
}
