//! Which scope a call needs, and the refusal of a token that lacks it.

use super::error::ApiError;
use super::faults::missing_scopes;

/// The scopes that the portal's tokens have unless told otherwise.
pub(super) const ALL: &[&str] = &[
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
    "crm.schemas.contacts.read",
    "crm.schemas.companies.read",
    "crm.schemas.deals.read",
    "timeline",
];

/// Refuses a call whose scope was not granted.
pub(super) fn check(granted: &[String], operation: &str, object: Option<&str>) -> Result<(), ApiError> {
    match needed(operation, object) {
        Some(scope) if !granted.contains(&scope) => Err(missing_scopes(vec![scope], true)),
        _ => Ok(()),
    }
}

fn needed(operation: &str, object: Option<&str>) -> Option<String> {
    let plural = match object {
        Some("contact") => "contacts",
        Some("company") => "companies",
        Some("deal") => "deals",
        _ => "",
    };
    let access = match operation {
        "owners" => return Some("crm.objects.owners.read".to_owned()),
        "timeline_create" | "timeline_batch_create" | "timeline_read" => return Some("timeline".to_owned()),
        _ if plural.is_empty() => return None,
        "properties_read" => return Some(format!("crm.schemas.{plural}.read")),
        "read" | "list" | "search" | "batch_read" | "associations_read" => "read",
        "create" | "update" | "archive" | "merge" | "gdpr_delete" | "batch_create" | "batch_update"
        | "batch_upsert" | "batch_archive" | "associations_write" => "write",
        _ => return None,
    };
    Some(format!("crm.objects.{plural}.{access}"))
}
