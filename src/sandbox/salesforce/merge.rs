//! Merging two records as a person does it: the other goes to the recycle bin and names its master.
//!
//! Salesforce's SOAP guide, `merge()`: accounts, cases, contacts and leads; what points at the record that is lost points
//! at its master afterwards, and has a new system modstamp, as the master has. The fields of the master are chosen by whoever merges; here they stay as they are.

use std::sync::Arc;

use serde_json::Value;

use super::error::ApiError;
use super::ids;
use super::org::Org;
use super::records::{stamp, touch};

/// On a record that was merged, the one that survived.
const MASTER: &str = "MasterRecordId";

/// Merges a record into its master; both by id.
pub(super) fn merge(
    org: &mut Org,
    user_id: &str,
    object: &str,
    master: &str,
    lost: &str,
) -> Result<(), ApiError> {
    let schema = Arc::clone(&org.schema);
    let facts = schema.object(object).ok_or_else(ApiError::no_resource)?;
    let refuse = |message: String| ApiError::on_fields("INVALID_OPERATION", message, &[]);
    if facts.field(MASTER).is_none() {
        return Err(refuse(format!("{} records are not merged", facts.name)));
    }
    let live = |org: &Org, id: &str| {
        let found = ids::normalize(id).and_then(|id| org.store.live(&facts.name, &id).cloned());
        found.ok_or_else(|| refuse(format!("there is no {} `{id}`", facts.name)))
    };
    let (master, mut lost) = (live(org, master)?.id, live(org, lost)?);
    if master == lost.id {
        return Err(refuse("a record is not merged with itself".to_owned()));
    }
    for (child, field) in schema.children_of(facts).filter(|(_, field)| field.name != MASTER) {
        let pointing =
            org.store.records(&child.name).filter(|record| record.text(&field.name) == Some(&lost.id));
        for mut record in pointing.cloned().collect::<Vec<_>>() {
            record.set(&field.name, Value::from(master.clone()));
            stamp(child, &mut record, org.now());
            org.store.put(record);
        }
    }
    // INVARIANT: `live` has just found it, and the organisation is locked.
    let mut kept = org.store.live(&facts.name, &master).cloned().expect("the master exists");
    touch(facts, &mut kept, user_id, org.now());
    org.store.put(kept);
    lost.deleted = true;
    lost.set(MASTER, Value::from(master));
    touch(facts, &mut lost, user_id, org.now());
    org.store.put(lost);
    org.store.commit();
    Ok(())
}
