//! What sales does stands on the contact's HubSpot timeline.

use serde_json::{Value as Json, json};

use super::stage::Stage;

/// The app's event template, as the shipped snapshot describes it.
async fn template(stage: &Stage) {
    let config = stage.portal.config();
    let token = |name: &str| json!({"name": name, "label": name, "type": "string"});
    let kinds = ["Call", "Email", "Meeting", "Task"].map(|kind| json!({"label": kind, "value": kind}));
    let template = json!({
        "name": "Sales activity", "objectType": "contacts", "headerTemplate": "{{subject}}",
        "tokens": [
            {"name": "kind", "label": "Kind", "type": "enumeration", "options": kinds},
            token("subject"), token("notes"), token("rep"),
        ],
    });
    let url =
        format!("{}/integrators/timeline/v3/{}/event-templates", stage.portal.base_url(), config.app_id);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer =
        client.post(url).bearer_auth(&config.tokens[0]).json(&template).send().await.expect("an answer");
    let made: Json = answer.json().await.expect("JSON");
    assert_eq!(made["id"], json!("1000001"), "the id that the shipped snapshot names: {made}");
}

fn events(stage: &Stage, contact: &str) -> Vec<Json> {
    stage.portal.timeline_events(Some(contact))
}

#[tokio::test]
async fn completed_tasks_and_held_meetings_stand_on_the_timeline_once() {
    let stage = Stage::new().await;
    template(&stage).await;
    let lead = stage.qualified("6001", "kim@acme.example").await;

    let call = json!({
        "WhoId": lead, "Subject": "Call about the offer", "Type": "Call", "Status": "Not Started",
        "Description": "Wants 100 seats",
    });
    let call = stage.made("Task", &call).await;
    assert_eq!(events(&stage, "6001"), Vec::<Json>::new(), "it is still to be done");
    stage.org.change("Task", &call, &json!({"Status": "Completed"})).expect("completed");
    stage.settle().await;
    let found = events(&stage, "6001");
    assert_eq!(found.len(), 1, "{:?}", stage.parked().await);
    assert_eq!((&found[0]["id"], &found[0]["objectId"]), (&json!(call), &json!("6001")));
    let tokens = json!({
        "kind": "Call", "subject": "Call about the offer", "notes": "Wants 100 seats", "rep": "Integration User",
    });
    assert_eq!(found[0]["tokens"], tokens);
    let completed = stage.row(&format!("SELECT CompletedDateTime FROM Task WHERE Id = '{call}'"));
    let at = |json: &Json| {
        let text = json.as_str().expect("a time").replace("+0000", "Z");
        text.parse::<chrono::DateTime<chrono::Utc>>().expect("an instant")
    };
    assert_eq!(at(&found[0]["timestamp"]), at(&completed["CompletedDateTime"]));

    // Opened again, changed and completed again: an event stays as it is, and there is one.
    for change in [json!({"Status": "Not Started"}), json!({"Subject": "Else", "Status": "Completed"})] {
        stage.edited("Task", &call, &change).await;
    }
    assert_eq!(events(&stage, "6001"), found);

    let meeting = json!({
        "WhoId": lead, "Subject": "Demo", "StartDateTime": "2026-03-02T15:00:00Z", "Outcome__c": "Held",
    });
    let meeting = stage.made("Event", &meeting).await;
    let found = events(&stage, "6001");
    assert_eq!(
        (found.len(), &found[1]["id"], &found[1]["tokens"]["kind"]),
        (2, &json!(meeting), &json!("Meeting"))
    );
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn an_activity_waits_for_its_contact() {
    let stage = Stage::new().await;
    template(&stage).await;
    let contact = json!({"LastName": "Lee", "Email": "kim@acme.example"});
    let contact = stage.org.create("Contact", &contact).expect("a Contact");
    let task = json!({"WhoId": contact, "Subject": "Called in", "Type": "Call", "Status": "Completed"});
    let task = stage.made("Task", &task).await;
    assert_eq!(stage.portal.timeline_events(None), Vec::<Json>::new());
    // Marketing qualifies her, and finds the Contact of sales.
    assert_eq!(stage.qualified("6001", "kim@acme.example").await, contact);
    let found = events(&stage, "6001");
    assert_eq!((found.len(), &found[0]["id"]), (1, &json!(task)), "{:?}", stage.parked().await);
    stage.end().await;
}
