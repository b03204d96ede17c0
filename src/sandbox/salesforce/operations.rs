//! What a request asks for, by name: faults are aimed at operations, and calls are counted by them.

use super::http::Request;
use super::ids;
use super::org::Org;
use super::schema::Schema;
use super::{soql, xml};

/// All operations.
pub(super) const NAMES: &[&str] = &[
    "bulk_close",
    "bulk_create",
    "bulk_delete",
    "bulk_read",
    "bulk_results",
    "bulk_upload",
    "collections_create",
    "collections_delete",
    "collections_read",
    "collections_update",
    "collections_upsert",
    "composite",
    "composite_batch",
    "composite_tree",
    "create",
    "delete",
    "deleted",
    "describe",
    "describe_global",
    "identity",
    "limits",
    "other",
    "query",
    "query_all",
    "query_more",
    "read",
    "read_by_key",
    "search",
    "soap_convert_lead",
    "soap_login",
    "soap_other",
    "token",
    "update",
    "updated",
    "upsert",
];

/// The name of what a request asks for, and the object that it is about, in the schema's spelling.
pub(super) fn of(org: &Org, request: &Request) -> (&'static str, Option<String>) {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let (name, object) = match segments.as_slice() {
        ["services", "oauth2", ..] => ("token", None),
        ["id", ..] => ("identity", None),
        ["services", "Soap", ..] => soap(request),
        ["services", "data", _, rest @ ..] => data(&org.schema, request, rest),
        _ => ("other", None),
    };
    let spelled = object.and_then(|object| org.schema.object(&object).map(|facts| facts.name.clone()));
    (name, spelled)
}

fn soap(request: &Request) -> (&'static str, Option<String>) {
    let document = xml::parse(&request.body).ok();
    let body = document.as_ref().and_then(|document| document.child("Envelope")?.child("Body"));
    match body.and_then(|body| body.children.first()).map(|operation| operation.name.as_str()) {
        Some("convertLead") => ("soap_convert_lead", Some("Lead".to_owned())),
        Some("login") => ("soap_login", None),
        _ => ("soap_other", None),
    }
}

fn data(schema: &Schema, request: &Request, rest: &[&str]) -> (&'static str, Option<String>) {
    let method = request.method.as_str();
    match rest {
        ["limits", ..] => ("limits", None),
        ["query" | "queryAll", _] => ("query_more", None),
        ["query"] => ("query", queried(request)),
        ["queryAll"] => ("query_all", queried(request)),
        ["search" | "parameterizedSearch", ..] => ("search", None),
        ["sobjects"] => ("describe_global", None),
        ["sobjects", object, rest @ ..] => (sobject(method, rest), Some((*object).to_owned())),
        ["jobs", "ingest", rest @ ..] => (ingest(method, rest), None),
        ["composite"] => ("composite", None),
        ["composite", "batch"] => ("composite_batch", None),
        ["composite", "tree", object] => ("composite_tree", Some((*object).to_owned())),
        ["composite", "sobjects"] => {
            let name = match method {
                "POST" => "collections_create",
                "PATCH" => "collections_update",
                _ => "collections_delete",
            };
            (name, written(schema, request))
        }
        ["composite", "sobjects", object] => ("collections_read", Some((*object).to_owned())),
        ["composite", "sobjects", object, _] => ("collections_upsert", Some((*object).to_owned())),
        _ => ("other", None),
    }
}

fn ingest(method: &str, rest: &[&str]) -> &'static str {
    match (rest, method) {
        ([], "POST") => "bulk_create",
        ([_], "PATCH") => "bulk_close",
        ([_], "DELETE") => "bulk_delete",
        ([_, "batches"], "PUT") => "bulk_upload",
        ([_, _], "GET") => "bulk_results",
        _ => "bulk_read",
    }
}

fn sobject(method: &str, rest: &[&str]) -> &'static str {
    match (rest, method) {
        ([] | ["Id"], "POST") => "create",
        ([] | ["describe"], _) => "describe",
        (["updated"], _) => "updated",
        (["deleted"], _) => "deleted",
        ([_], "GET") => "read",
        ([_], "PATCH") => "update",
        ([_, _], "GET") => "read_by_key",
        ([_, _], "PATCH") => "upsert",
        ([_] | [_, _], "DELETE") => "delete",
        _ => "other",
    }
}

/// The object that a query reads.
fn queried(request: &Request) -> Option<String> {
    let query = soql::read(request.parameter("q")?).ok()?;
    Some(query.object().to_owned())
}

/// The object of the first record of a collection.
fn written(schema: &Schema, request: &Request) -> Option<String> {
    if let Some(ids) = request.parameter("ids") {
        let first = ids::normalize(ids.split(',').next()?.trim())?;
        return schema.object_of_id(&first).map(|object| object.name.clone());
    }
    let body = request.json().ok()?;
    body["records"][0]["attributes"]["type"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::SalesforceConfig;
    use super::*;

    #[test]
    fn requests_have_names() {
        let org = Org::new(SalesforceConfig::default(), "http://127.0.0.1".to_owned()).unwrap();
        for (method, target, body, name, object) in [
            ("GET", "query/?q=SELECT+Id+FROM+lead", "", "query", Some("Lead")),
            ("GET", "queryAll?q=SELECT+Id+FROM+Contact", "", "query_all", Some("Contact")),
            ("GET", "query/01g000-2000", "", "query_more", None),
            ("PATCH", "sobjects/Lead/Ext__c/7", "", "upsert", Some("Lead")),
            ("PATCH", "sobjects/Lead/00Q000000000001", "", "update", Some("Lead")),
            ("GET", "sobjects/Lead/describe/", "", "describe", Some("Lead")),
            ("GET", "sobjects/Lead/deleted/", "", "deleted", Some("Lead")),
            ("PATCH", "composite/sobjects/Lead/Ext__c", "", "collections_upsert", Some("Lead")),
            (
                "POST",
                "composite/sobjects",
                r#"{"records": [{"attributes": {"type": "Task"}}]}"#,
                "collections_create",
                Some("Task"),
            ),
            ("POST", "composite", "", "composite", None),
            ("POST", "/services/oauth2/token", "", "token", None),
            (
                "POST",
                "/services/Soap/u/58.0",
                "<e:Envelope xmlns:e='e'><e:Body><convertLead/></e:Body></e:Envelope>",
                "soap_convert_lead",
                Some("Lead"),
            ),
        ] {
            let target = if target.starts_with('/') {
                target.to_owned()
            } else {
                format!("/services/data/v58.0/{target}")
            };
            let mut request = Request::new(method, &target);
            request.body = body.to_owned();
            assert_eq!(of(&org, &request), (name, object.map(str::to_owned)), "{target}");
            assert!(NAMES.contains(&name));
        }
    }
}
