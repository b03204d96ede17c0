use serde_json::{Value, json};

use super::{Client, error};

const BATCH: &str = "/crm/v3/objects/contacts/batch";

fn emails(emails: &[&str]) -> Value {
    let inputs: Vec<Value> = emails.iter().map(|email| json!({"properties": {"email": email}})).collect();
    json!({"inputs": inputs})
}

#[tokio::test]
async fn a_batch_is_created_whole_or_not_at_all() {
    let client = Client::new().await;
    let made = client.post(&format!("{BATCH}/create"), emails(&["a@acme.example", "b@acme.example"])).await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!("COMPLETE")));
    assert_eq!(made.body["results"].as_array().map(Vec::len), Some(2));
    assert!(made.body["startedAt"].is_string() && made.body["completedAt"].is_string());
    assert!(made.body.get("errors").is_none());

    let taken = client.post(&format!("{BATCH}/create"), emails(&["c@acme.example", "a@acme.example"])).await;
    assert_eq!(error(&taken), (409, "CONFLICT", "Contact already exists"));
    let twice = client.post(&format!("{BATCH}/create"), emails(&["d@acme.example", "D@acme.example"])).await;
    assert_eq!(error(&twice).0, 409);
    let invalid =
        client.post(&format!("{BATCH}/create"), emails(&["e@acme.example", "nobody", "none"])).await;
    assert_eq!(error(&invalid).0, 400);
    assert_eq!(invalid.body["errors"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.server.records("contacts").len(), 2);
}

#[tokio::test]
async fn trace_ids_allow_partial_failure() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let inputs = json!([
        {"objectWriteTraceId": "0", "properties": {"email": "a@acme.example"}},
        {"objectWriteTraceId": "1", "properties": {"email": "b@acme.example"}},
        {"objectWriteTraceId": "2", "properties": {"email": "c@acme.example", "nope": "x"}},
    ]);
    let made = client.post(&format!("{BATCH}/create"), json!({"inputs": inputs})).await;
    assert_eq!((made.status, &made.body["numErrors"]), (207, &json!(2)));
    assert_eq!(made.body["results"].as_array().map(Vec::len), Some(1));
    let conflict = &made.body["errors"][0];
    assert_eq!((&conflict["status"], &conflict["category"]), (&json!("error"), &json!("CONFLICT")));
    assert_eq!(conflict["message"], format!("Contact already exists. Existing ID: {id}"));
    assert_eq!(conflict["context"], json!({"existingId": [id], "objectWriteTraceId": ["0"]}));
    assert_eq!(made.body["errors"][1]["category"], "VALIDATION_ERROR");
    assert_eq!(made.body["errors"][1]["context"]["objectWriteTraceId"], json!(["2"]));
    let same = json!({"inputs": [{"objectWriteTraceId": "0"}, {"objectWriteTraceId": "0"}]});
    assert_eq!(error(&client.post(&format!("{BATCH}/create"), same).await).0, 400);
}

#[tokio::test]
async fn a_batch_read_tells_which_ids_are_missing() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "a@acme.example", "city": "Rome"})).await;
    let read = json!({"properties": ["city"], "inputs": [{"id": id}, {"id": "404"}, {"id": "unknown"}]});
    let read = client.post(&format!("{BATCH}/read"), read).await;
    assert_eq!((read.status, &read.body["numErrors"]), (207, &json!(1)));
    assert_eq!(read.body["results"][0]["properties"]["city"], "Rome");
    assert!(read.body["results"][0].get("associations").is_none());
    let error = &read.body["errors"][0];
    let message =
        "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.";
    assert_eq!((&error["category"], &error["message"]), (&json!("OBJECT_NOT_FOUND"), &json!(message)));
    assert_eq!(error["context"]["ids"], json!(["404", "unknown"]));
    let by_email = json!({"idProperty": "email", "properties": [], "inputs": [{"id": "A@acme.example"}]});
    let by_email = client.post(&format!("{BATCH}/read"), by_email).await;
    assert_eq!((by_email.status, &by_email.body["results"][0]["id"]), (200, &json!(id)));
}

#[tokio::test]
async fn a_batch_update_refuses_repeated_ids_and_reports_missing_ones() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let one = |id: &str, city: &str| json!({"id": id, "properties": {"city": city}});
    let repeated = client
        .post(&format!("{BATCH}/update"), json!({"inputs": [one("123456", "x"), one("123456", "y")]}))
        .await;
    let message = "Duplicate IDs found in batch input: [123456]. IDs must be unique";
    assert_eq!(error(&repeated), (400, "VALIDATION_ERROR", message));
    assert_eq!(repeated.body["context"]["ids"], json!(["123456"]));
    let partial =
        client.post(&format!("{BATCH}/update"), json!({"inputs": [one(&id, "Rome"), one("888", "x")]})).await;
    assert_eq!((partial.status, &partial.body["numErrors"]), (207, &json!(1)));
    assert_eq!(partial.body["results"][0]["properties"]["city"], "Rome");
    assert_eq!(partial.body["errors"][0]["context"]["ids"], json!(["888"]));
    let by_email =
        json!({"inputs": [{"id": "a@acme.example", "idProperty": "email", "properties": {"city": "Oslo"}}]});
    assert_eq!(client.post(&format!("{BATCH}/update"), by_email).await.status, 200);
    let invalid =
        json!({"inputs": [one(&id, "Bern"), {"id": id.clone() + "0", "properties": {"nope": "x"}}]});
    let invalid = client.post(&format!("{BATCH}/update"), invalid).await;
    assert_eq!(error(&invalid).0, 400);
    let other = client.create("contacts", json!({"email": "b@acme.example"})).await;
    let same = |id: &str| json!({"id": id, "properties": {"email": "same@acme.example"}});
    let clash = client.post(&format!("{BATCH}/update"), json!({"inputs": [same(&id), same(&other)]})).await;
    assert_eq!(error(&clash), (409, "CONFLICT", "Contact already exists"));
}

#[tokio::test]
async fn an_upsert_says_which_records_are_new() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let one = |email: &str| json!({"id": email, "idProperty": "email", "properties": {"jobtitle": "CEO"}});
    let done = client
        .post(&format!("{BATCH}/upsert"), json!({"inputs": [one("A@acme.example"), one("b@acme.example")]}))
        .await;
    assert_eq!(done.status, 200);
    let results = &done.body["results"];
    assert_eq!((&results[0]["id"], &results[0]["new"]), (&json!(id), &json!(false)));
    assert_eq!(
        (&results[1]["properties"]["email"], &results[1]["new"]),
        (&json!("b@acme.example"), &json!(true))
    );
    let wrong = json!({"inputs": [{"id": "x", "idProperty": "city", "properties": {}}]});
    assert_eq!(error(&client.post(&format!("{BATCH}/upsert"), wrong).await).0, 400);
}

#[tokio::test]
async fn batches_hold_a_hundred_inputs() {
    let client = Client::new().await;
    let many: Vec<Value> = (0..101).map(|id| json!({"id": id.to_string()})).collect();
    for what in ["read", "create", "update", "upsert", "archive"] {
        let refused = client.post(&format!("{BATCH}/{what}"), json!({"inputs": many})).await;
        assert_eq!(error(&refused).0, 400, "{what}");
        let missing = client.post(&format!("{BATCH}/{what}"), json!({})).await;
        assert_eq!(error(&missing).2, "Some required fields were not set: [inputs]");
    }
    let id = client.create("contacts", json!({})).await;
    let gone = client.post(&format!("{BATCH}/archive"), json!({"inputs": [{"id": id}, {"id": "404"}]})).await;
    assert_eq!(gone.status, 204);
    assert!(client.server.record("contact", &id).is_none());
}
