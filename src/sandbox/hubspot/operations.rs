//! What a request asks for, by name: faults are aimed at operations, and calls are counted by them.

use axum::http::Method;

use super::request::Call;

/// All operations.
pub(super) const NAMES: &[&str] = &[
    "account",
    "archive",
    "associations_read",
    "associations_write",
    "batch_archive",
    "batch_create",
    "batch_read",
    "batch_update",
    "batch_upsert",
    "create",
    "gdpr_delete",
    "list",
    "merge",
    "oauth",
    "other",
    "owners",
    "pipelines_read",
    "pipelines_write",
    "properties_read",
    "properties_write",
    "read",
    "schemas",
    "search",
    "timeline_batch_create",
    "timeline_create",
    "timeline_read",
    "timeline_templates",
    "update",
    "webhook_settings",
];

/// The name of what a request asks for, and the type of object as the path has it.
pub(super) fn of(call: &Call) -> (&'static str, Option<&str>) {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let reads = call.method == Method::GET;
    let either = |read, write| if reads { read } else { write };
    match segments.as_slice() {
        ["oauth", ..] => ("oauth", None),
        ["crm", "v3", "objects", kind, _, "associations", ..] | ["crm", "v4", "objects", kind, ..] => {
            (either("associations_read", "associations_write"), Some(kind))
        }
        ["crm", "v3", "objects", kind, rest @ ..] => (object(&call.method, rest), Some(kind)),
        ["crm", "v3" | "v4", "associations", kind, .., last] => {
            let reads = reads || *last == "read";
            (if reads { "associations_read" } else { "associations_write" }, Some(kind))
        }
        ["crm", "v3", "properties", kind, .., "read"] => ("properties_read", Some(kind)),
        ["crm", "v3", "properties", kind, ..] => (either("properties_read", "properties_write"), Some(kind)),
        ["crm" | "crm-object-schemas", "v3", "schemas", ..] => ("schemas", None),
        ["crm", "v3", "owners", ..] => ("owners", None),
        ["crm", "v3", "pipelines", kind, ..] => (either("pipelines_read", "pipelines_write"), Some(kind)),
        ["crm", "v3", "timeline", "events", "batch", ..]
        | ["integrators", "timeline", "v3", "events", "batch", ..] => ("timeline_batch_create", None),
        ["crm", "v3", "timeline", "events", ..] | ["integrators", "timeline", "v3", "events", ..] => {
            (either("timeline_read", "timeline_create"), None)
        }
        ["crm", "v3", "timeline", ..] | ["integrators", "timeline", "v3", ..] => ("timeline_templates", None),
        ["webhooks", ..] => ("webhook_settings", None),
        ["account-info" | "integrations", ..] => ("account", None),
        _ => ("other", None),
    }
}

fn object(method: &Method, rest: &[&str]) -> &'static str {
    match (rest, method.as_str()) {
        ([], "GET") => "list",
        ([], "POST") => "create",
        (["search"], _) => "search",
        (["merge"], _) => "merge",
        (["gdpr-delete"], _) => "gdpr_delete",
        (["batch", "read"], _) => "batch_read",
        (["batch", "create"], _) => "batch_create",
        (["batch", "update"], _) => "batch_update",
        (["batch", "upsert"], _) => "batch_upsert",
        (["batch", "archive"], _) => "batch_archive",
        ([_], "GET") => "read",
        ([_], "PATCH") => "update",
        ([_], "DELETE") => "archive",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use bytes::Bytes;

    use super::*;

    #[test]
    fn requests_have_names() {
        for (method, path, name, kind) in [
            ("GET", "/crm/v3/objects/contacts", "list", Some("contacts")),
            ("POST", "/crm/objects/2026-03/contacts/batch/read", "batch_read", Some("contacts")),
            ("PATCH", "/crm/v3/objects/0-1/7/", "update", Some("0-1")),
            ("POST", "/crm/v3/objects/deals/search", "search", Some("deals")),
            ("GET", "/crm/v3/objects/contacts/7/associations/deals", "associations_read", Some("contacts")),
            (
                "POST",
                "/crm/v4/associations/contacts/companies/batch/read",
                "associations_read",
                Some("contacts"),
            ),
            (
                "POST",
                "/crm/v4/associations/contacts/companies/batch/create",
                "associations_write",
                Some("contacts"),
            ),
            ("GET", "/crm/v3/properties/contacts", "properties_read", Some("contacts")),
            ("PATCH", "/crm/v3/properties/contacts/plan", "properties_write", Some("contacts")),
            ("GET", "/crm/v3/owners", "owners", None),
            ("POST", "/oauth/v1/token", "oauth", None),
            ("POST", "/crm/v3/timeline/events/batch/create", "timeline_batch_create", None),
            ("POST", "/crm/v3/timeline/events", "timeline_create", None),
            ("POST", "/integrators/timeline/v3/events/batch/create", "timeline_batch_create", None),
            ("GET", "/integrators/timeline/v3/events/1001/a", "timeline_read", None),
            ("GET", "/integrators/timeline/v3/7/event-templates", "timeline_templates", None),
            ("GET", "/nothing", "other", None),
        ] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let call = Call::new(method, path, "", HeaderMap::new(), Bytes::new());
            assert_eq!(of(&call), (name, kind), "{path}");
            assert!(NAMES.contains(&name));
        }
    }
}
