use axum::http::Method;
use serde_json::json;

use super::{Client, error};
use crate::sandbox::core::Fault;
use crate::sandbox::hubspot::Actor;

#[tokio::test]
async fn scripts_edit_as_a_person_and_count_calls() {
    let client = Client::new().await;
    let new =
        json!({"id": "5501", "properties": {"email": "jane@acme.example", "lifecyclestage": "customer"}});
    assert_eq!(client.post("/_sandbox/records/contact", new).await.status, 201);
    let edit = json!({"properties": {"lifecyclestage": "lead", "num_notes": 3}});
    let edited = client.patch("/_sandbox/records/contact/5501", edit).await;
    assert_eq!(edited.body["properties"]["lifecyclestage"], "lead");
    assert_eq!(edited.body["properties"]["num_notes"], "3");
    let read = client.get("/crm/v3/objects/contacts/5501?propertiesWithHistory=lifecyclestage").await;
    assert_eq!(read.body["propertiesWithHistory"]["lifecyclestage"][0]["sourceType"], "CRM_UI");
    let calls = client.get("/_sandbox/calls").await;
    assert_eq!((&calls.body["count"], &calls.body["calls"][0]["method"]), (&json!(1), &json!("GET")));
    assert_eq!((client.server.calls(), client.server.call_log().len()), (1, 1));
    assert_eq!(client.delete("/_sandbox/records/contact/5501").await.status, 204);
    assert_eq!(client.get("/_sandbox/records/contact/5501").await.status, 404);
    assert_eq!(client.post("/_sandbox/records/contact/5501/restore", json!({})).await.status, 204);
    assert_eq!(client.get("/crm/v3/objects/contacts/jane@acme.example?idProperty=email").await.status, 200);
    assert_eq!(error(&client.patch("/_sandbox/records/contact/5501", json!({"propertys": {}})).await).0, 400);
    assert_eq!(client.post("/_sandbox/reset", json!({})).await.status, 204);
    assert!(client.server.records("contact").is_empty());
    assert_eq!(client.server.calls(), 0);
    assert_eq!(client.send(Method::PUT, "/_sandbox/reset", None).await.status, 405);
}

#[tokio::test]
async fn a_fault_can_lose_the_answer_after_the_work() {
    let client = Client::new().await;
    let fault = json!({"method": "POST", "path": "/objects/contacts", "status": 502, "moment": "after",
        "headers": {"Retry-After": "1"}});
    assert_eq!(client.post("/_sandbox/faults", fault).await.status, 204);
    let lost =
        client.post("/crm/v3/objects/contacts", json!({"properties": {"email": "a@acme.example"}})).await;
    assert_eq!((error(&lost).0, lost.headers["retry-after"].to_str().ok()), (502, Some("1")));
    assert_eq!(client.server.records("contact").len(), 1);
    let body = json!({"status": "error", "message": "locked"});
    client
        .server
        .inject(serde_json::from_value::<Fault>(json!({"status": 423, "body": body})).expect("a fault"));
    let locked = client.get("/crm/v3/objects/contacts").await;
    assert_eq!((locked.status, &locked.body["message"]), (423, &json!("locked")));
    assert_eq!(client.get("/crm/v3/objects/contacts").await.status, 200);
    assert_eq!(error(&client.post("/_sandbox/faults", json!({"stats": 1})).await).0, 400);
}

#[tokio::test]
async fn the_schema_changes_under_a_client() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "a@acme.example", "city": "Rome"})).await;
    let path = format!("/crm/v3/objects/contacts/{id}");
    let write = async |name: &str, value: &str| {
        let refused = client.patch(&path, json!({"properties": {name: value}})).await;
        refused.body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    };
    let change = async |name: &str, body: serde_json::Value| {
        assert_eq!(client.patch(&format!("/_sandbox/schema/contacts/{name}"), body).await.status, 204);
    };
    change("city", json!({"type": "number", "fieldType": "number"})).await;
    assert_eq!(write("city", "Oslo").await, "INVALID_INTEGER");
    change("lifecyclestage", json!({"deactivate": ["customer"]})).await;
    assert_eq!(write("lifecyclestage", "customer").await, "INVALID_OPTION");
    change("zip", json!({"readOnly": true})).await;
    assert_eq!(write("zip", "1").await, "READ_ONLY_VALUE");
    assert_eq!(client.delete("/_sandbox/schema/contacts/jobtitle").await.status, 204);
    assert_eq!(write("jobtitle", "CEO").await, "PROPERTY_DOESNT_EXIST");
    assert_eq!(client.get("/crm/v3/properties/contacts/jobtitle").await.status, 404);
    assert_eq!(client.delete("/_sandbox/schema/contacts/jobtitle").await.status, 400);
    client.post("/_sandbox/reset", json!({})).await;
    assert_eq!(client.get("/crm/v3/properties/contacts/jobtitle").await.status, 200);
}

#[tokio::test]
async fn the_handle_does_what_the_side_door_does() {
    let client = Client::new().await;
    let server = &client.server;
    let person = Actor::person();
    let properties = [("email", "a@acme.example"), ("hs_analytics_source", "ORGANIC_SEARCH")];
    assert_eq!(server.create("contact", Some("5501"), &properties, &person).as_deref(), Ok("5501"));
    assert!(server.create("contact", Some("5501"), &[], &person).is_err());
    assert!(server.create("contact", None, &[("email", "a@acme.example")], &person).is_err());
    assert_eq!(server.edit("contact", "5501", &[("city", "Rome")], &person), Ok(vec!["city".to_owned()]));
    let company = server.create("company", None, &[("name", "Acme")], &person).expect("a company");
    server.associate(("contact", "5501"), ("company", &company), &person).expect("associated");
    let record = server.record("contact", "5501").expect("a record");
    assert_eq!(record["properties"]["associatedcompanyid"], json!(company));
    server.archive("contact", "5501", &person).expect("archived");
    assert!(server.record("contact", "5501").is_none());
    let url = server.base_url();
    client.server.shutdown().await;
    assert!(super::http().get(url).send().await.is_err());
}
