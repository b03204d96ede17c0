use serde_json::{Value, json};

use super::{Client, error};

const EVENTS: &str = "/integrators/timeline/v3/events";

/// The id of a template for calls that reps log in Salesforce.
async fn template(client: &Client) -> String {
    let template = json!({
        "name": "Salesforce activity", "objectType": "contacts",
        "headerTemplate": "{{subject}}", "detailTemplate": "{{extraData.notes}}",
        "tokens": [
            {"name": "subject", "label": "Subject", "type": "string"},
            {"name": "minutes", "label": "Minutes", "type": "number"},
            {"name": "due", "label": "Due", "type": "date"},
            {"name": "kind", "label": "Kind", "type": "enumeration", "options": [{"label": "Call", "value": "call"}]},
            {"name": "town", "label": "Town", "type": "string", "objectPropertyName": "city"},
        ],
    });
    let made = client.post("/integrators/timeline/v3/1234567/event-templates", template).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn an_event_stands_on_the_contacts_timeline() {
    let client = Client::new().await;
    let template = template(&client).await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let event = json!({
        "eventTemplateId": template, "id": "sf-00T1", "objectId": id, "timestamp": "2026-03-01T12:00:00Z",
        "tokens": {"subject": "Call", "minutes": 15, "due": "1772366400000", "kind": "call", "town": "Rome"},
        "extraData": {"notes": "Talked"},
    });
    let made = client.post(EVENTS, event.clone()).await;
    assert_eq!((made.status, &made.body["id"], &made.body["objectId"]), (201, &json!("sf-00T1"), &json!(id)));
    assert_eq!(made.body["timestamp"], "2026-03-01T12:00:00.000Z");
    assert_eq!(error(&client.post(EVENTS, event).await).0, 409, "an event is written once");
    let read = client.get(&format!("{EVENTS}/{template}/sf-00T1")).await;
    assert_eq!(
        (&read.body["extraData"]["notes"], &read.body["tokens"]["minutes"]),
        (&json!("Talked"), &json!("15"))
    );
    let contact = client.server.record("contact", &id).expect("the contact");
    assert_eq!(contact["properties"]["city"], "Rome");
    let seen = client.get(&format!("/_sandbox/timeline?objectId={id}")).await.body;
    assert_eq!(
        (seen["events"].as_array().map(Vec::len), &seen["templates"][0]["id"]),
        (Some(1), &json!(template))
    );
    assert_eq!(client.server.timeline_events(Some("1")), Vec::<Value>::new());
}

#[tokio::test]
async fn an_email_finds_or_makes_the_contact() {
    let client = Client::new().await;
    let template = template(&client).await;
    let known = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let event = |email: &str| json!({"eventTemplateId": template, "email": email, "tokens": {}});
    assert_eq!(client.post(EVENTS, event("A@acme.example")).await.body["objectId"], json!(known));
    let new = client.post(EVENTS, event("new@acme.example")).await.body["objectId"].clone();
    let made = client.server.record("contact", new.as_str().expect("an id")).expect("a new contact");
    assert_eq!(made["properties"]["email"], "new@acme.example");
}

#[tokio::test]
async fn what_an_event_may_not_be_is_refused() {
    let client = Client::new().await;
    let template = template(&client).await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    for (event, status, words) in [
        (json!({"objectId": id, "tokens": {}}), 400, "eventTemplateId"),
        (json!({"eventTemplateId": "7", "objectId": id}), 400, "Event template 7 does not exist"),
        (json!({"eventTemplateId": template, "objectId": id, "tokens": {"nope": "x"}}), 400, "Token nope"),
        (
            json!({"eventTemplateId": template, "objectId": id, "tokens": {"minutes": "few"}}),
            400,
            "token minutes",
        ),
        (json!({"eventTemplateId": template, "objectId": id, "tokens": {"due": "soon"}}), 400, "token due"),
        (
            json!({"eventTemplateId": template, "objectId": id, "tokens": {"kind": "visit"}}),
            400,
            "token kind",
        ),
        (json!({"eventTemplateId": template, "objectId": id, "timestamp": "soon"}), 400, "timestamp"),
        (json!({"eventTemplateId": template, "objectId": id, "extraData": 7}), 400, "extraData"),
        (json!({"eventTemplateId": template}), 400, "objectId, email or utk"),
        (json!({"eventTemplateId": template, "objectId": "999"}), 404, "resource not found"),
    ] {
        let refused = client.post(EVENTS, event.clone()).await;
        assert_eq!(error(&refused).0, status, "{event}");
        assert!(error(&refused).2.contains(words), "{event}: {}", refused.body);
    }
    assert!(client.server.timeline_events(None).is_empty());
    client.put("/_sandbox/scopes", json!({"scopes": ["oauth", "crm.objects.contacts.read"]})).await;
    let refused = client.post(EVENTS, json!({"eventTemplateId": template, "objectId": id})).await;
    assert_eq!((error(&refused).0, error(&refused).1), (403, "MISSING_SCOPES"));
    assert_eq!(refused.body["errors"][0]["context"]["requiredGranularScopes"], json!(["timeline"]));
}

#[tokio::test]
async fn a_batch_of_events_fails_in_part() {
    let client = Client::new().await;
    let template = template(&client).await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let event = |tokens: Value| json!({"eventTemplateId": template, "objectId": id, "tokens": tokens});
    let batch = |inputs: Vec<Value>| {
        client.post("/integrators/timeline/v3/events/batch/create", json!({"inputs": inputs}))
    };
    let whole = batch(vec![event(json!({"subject": "a"})), event(json!({"subject": "b"}))]).await;
    assert_eq!((whole.status, whole.body["results"].as_array().map(Vec::len)), (201, Some(2)));
    let part = batch(vec![event(json!({"subject": "c"})), event(json!({"nope": "d"}))]).await;
    assert_eq!((part.status, &part.body["numErrors"]), (207, &json!(1)));
    assert_eq!(error(&batch(vec![event(json!({})); 101]).await).0, 400);
    assert_eq!(client.server.timeline_events(Some(&id)).len(), 3);
    let counts = client.server.calls_by_operation();
    assert_eq!(counts["hubspot.timeline_batch_create"], 3);
}

#[tokio::test]
async fn templates_are_kept_by_the_app() {
    let client = Client::new().await;
    let base = "/integrators/timeline/v3/1234567/event-templates";
    let id = template(&client).await;
    for (template, words) in [
        (json!({"name": "x", "objectType": "products"}), "products"),
        (
            json!({"name": "x", "objectType": "contacts", "tokens": [{"name": "log", "label": "l", "type": "string"}]}),
            "log",
        ),
        (
            json!({"name": "x", "objectType": "contacts", "tokens": [{"name": "a b", "label": "l", "type": "string"}]}),
            "a b",
        ),
        (
            json!({"name": "x", "objectType": "contacts", "tokens": [{"name": "e", "label": "l", "type": "enumeration"}]}),
            "options",
        ),
        (json!({"objectType": "contacts"}), "name"),
    ] {
        let refused = client.post(base, template.clone()).await;
        assert!(
            error(&refused).0 == 400 && error(&refused).2.contains(words),
            "{template}: {}",
            refused.body
        );
    }
    let token = json!({"name": "result", "label": "Result", "type": "string"});
    assert_eq!(client.post(&format!("{base}/{id}/tokens"), token.clone()).await.status, 200);
    assert_eq!(error(&client.post(&format!("{base}/{id}/tokens"), token).await).0, 400);
    assert_eq!(client.delete(&format!("{base}/{id}/tokens/result")).await.status, 204);
    let changed = json!({"name": "Calls", "objectType": "contacts", "tokens": []});
    assert_eq!(client.put(&format!("{base}/{id}"), changed).await.body["name"], "Calls");
    assert_eq!(client.get(base).await.body["results"][0]["name"], "Calls");
    assert_eq!(client.get(&format!("{base}/{id}?hapikey=sandbox-developer-key")).await.status, 200);
    assert_eq!(error(&client.get("/integrators/timeline/v3/7/event-templates").await).0, 404);
    assert_eq!(client.delete(&format!("{base}/{id}")).await.status, 204);
    assert_eq!(error(&client.get(&format!("{base}/{id}")).await).0, 404);
}
