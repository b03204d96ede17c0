use axum::http::Method;
use serde_json::json;

use super::{Client, error, got, http};

const CONTACTS: &str = "/crm/v3/objects/contacts";

#[tokio::test]
async fn a_contact_is_created_read_changed_and_archived() {
    let client = Client::new().await;
    let sent = json!({"properties": {"email": "Jane@Acme.Example", "firstname": "Jane", "hubscore": 87}});
    let made = client.post(CONTACTS, sent).await;
    assert_eq!(made.status, 201);
    let properties = &made.body["properties"];
    assert_eq!(properties["email"], "jane@acme.example");
    assert_eq!(properties["hubscore"], "87");
    assert_eq!(properties["lifecyclestage"], "lead");
    assert_eq!(properties["hs_object_source_id"], "1234567");
    assert_eq!(properties["hs_object_id"], made.body["id"]);
    assert_eq!(properties["createdate"], made.body["createdAt"]);
    assert_eq!(made.body["archived"], false);
    let id = made.body["id"].as_str().expect("text");

    let read = client
        .get(&format!("{CONTACTS}/{id}?properties=hubscore,city&properties=email&properties=nope"))
        .await;
    assert_eq!(read.status, 200);
    let names: Vec<&String> = read.body["properties"].as_object().expect("an object").keys().collect();
    assert_eq!(names, ["city", "createdate", "email", "hs_object_id", "hubscore", "lastmodifieddate"]);
    assert_eq!(read.body["properties"]["city"], json!(null));

    let by_email = format!("{CONTACTS}/jane%40acme.example?idProperty=email");
    let changed = client.patch(&by_email, json!({"properties": {"city": "Rome"}})).await;
    assert_eq!((changed.status, &changed.body["properties"]["city"]), (200, &json!("Rome")));
    let cleared = client.patch(&format!("{CONTACTS}/{id}"), json!({"properties": {"city": ""}})).await;
    assert_eq!((cleared.status, &cleared.body["properties"]["city"]), (200, &json!(null)));

    let history = client.get(&format!("{CONTACTS}/{id}/?propertiesWithHistory=city")).await;
    let versions = &history.body["propertiesWithHistory"]["city"];
    assert_eq!((&versions[0]["value"], &versions[1]["value"]), (&json!(""), &json!("Rome")));
    assert_eq!(
        (&versions[1]["sourceType"], &versions[1]["sourceId"]),
        (&json!("INTEGRATION"), &json!("1234567"))
    );

    assert_eq!(client.delete(&format!("{CONTACTS}/{id}")).await.status, 204);
    assert_eq!(client.delete(&format!("{CONTACTS}/{id}")).await.status, 204);
    assert_eq!(
        error(&client.get(&format!("{CONTACTS}/{id}")).await),
        (404, "OBJECT_NOT_FOUND", "resource not found")
    );
    let archived = client.get(&format!("{CONTACTS}/{id}?archived=True")).await;
    assert_eq!((archived.status, &archived.body["archived"]), (200, &json!(true)));
    assert!(archived.body["archivedAt"].as_str().is_some_and(|at| at.ends_with('Z')));
}

#[tokio::test]
async fn every_name_and_path_of_a_type_works() {
    let client = Client::new().await;
    let id = client.create("0-1", json!({"email": "a@acme.example"})).await;
    for path in [
        "/crm/v3/objects/contact",
        "/crm/v3/objects/CONTACTS/",
        "/crm/objects/2026-03/0-1",
        "/crm/objects/2026-03/contacts/",
    ] {
        let listed = client.get(path).await;
        assert_eq!((listed.status, &listed.body["results"][0]["id"]), (200, &json!(id)), "{path}");
    }
    let unknown = client.get("/crm/v3/objects/contracts").await;
    assert_eq!(error(&unknown), (400, "VALIDATION_ERROR", "Unable to infer object type from: contracts"));
}

#[tokio::test]
async fn lists_are_paged_to_the_end() {
    let client = Client::new().await;
    for at in 0..5 {
        client.create("companies", json!({"name": format!("Company {at}")})).await;
    }
    let (mut after, mut seen) = (String::new(), Vec::new());
    for _ in 0..3 {
        let page =
            client.get(&format!("/crm/v3/objects/companies?limit=2&after={after}&properties=name")).await;
        seen.extend(
            page.body["results"]
                .as_array()
                .expect("results")
                .iter()
                .map(|one| one["properties"]["name"].clone()),
        );
        after = page.body["paging"]["next"]["after"].as_str().unwrap_or("end").to_owned();
    }
    assert_eq!((seen.len(), after.as_str()), (5, "end"));
    let page = client.get("/crm/v3/objects/companies?limit=1").await;
    let link = page.body["paging"]["next"]["link"].as_str().expect("a link");
    let next = link.strip_prefix(&client.server.base_url()).expect("a link to this server");
    assert_eq!(client.get(next).await.body["results"][0]["id"], page.body["paging"]["next"]["after"]);
    let limit = client.get("/crm/v3/objects/companies?limit=101").await;
    assert_eq!(error(&limit).0, 400);
}

#[tokio::test]
async fn refused_values_are_reported_in_hubspots_form() {
    let client = Client::new().await;
    let properties = json!({
        "first000name": "x", "email": "jane", "hubscore": "1e-3", "contract_date": "1700123456789",
        "hs_lead_status": "Open", "hs_object_id": "7", "hubspot_owner_id": "404",
    });
    let refused = client.post(CONTACTS, json!({"properties": properties})).await;
    let (status, category, message) = error(&refused);
    assert_eq!((status, category), (400, "VALIDATION_ERROR"));
    let listed = message.strip_prefix("Property values were not valid: ").expect("the usual beginning");
    let listed: Vec<serde_json::Value> = serde_json::from_str(listed).expect("JSON inside the message");
    let codes: Vec<&str> = listed.iter().filter_map(|problem| problem["error"].as_str()).collect();
    let wanted = [
        "PROPERTY_DOESNT_EXIST",
        "INVALID_EMAIL",
        "INVALID_INTEGER",
        "INVALID_DATE",
        "INVALID_OPTION",
        "READ_ONLY_VALUE",
        "INVALID_OWNER_ID",
    ];
    assert_eq!(codes, wanted);
    assert_eq!(refused.body["errors"][2]["code"], "INVALID_INTEGER");
    assert_eq!(refused.body["errors"][2]["context"]["propertyName"], json!(["hubscore"]));
    assert!(client.server.records("contacts").is_empty());
}

#[tokio::test]
async fn an_e_mail_address_belongs_to_one_contact() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "jane@acme.example"})).await;
    let again = client.post(CONTACTS, json!({"properties": {"email": "JANE@acme.example"}})).await;
    let message = format!("Contact already exists. Existing ID: {id}");
    assert_eq!(error(&again), (409, "CONFLICT", message.as_str()));
    assert!(again.body.get("context").is_none());
    let other = client.create("contacts", json!({"email": "john@acme.example"})).await;
    let taken = client
        .patch(&format!("{CONTACTS}/{other}"), json!({"properties": {"email": "jane@acme.example"}}))
        .await;
    assert_eq!(error(&taken).0, 409);
    client
        .patch(&format!("{CONTACTS}/{id}"), json!({"properties": {"email": "jane.doe@acme.example"}}))
        .await;
    let freed = client
        .patch(&format!("{CONTACTS}/{other}"), json!({"properties": {"email": "jane@acme.example"}}))
        .await;
    assert_eq!(freed.status, 200);
}

#[tokio::test]
async fn the_lifecycle_moves_forward_only() {
    let client = Client::new().await;
    let id =
        client.create("contacts", json!({"email": "a@acme.example", "lifecyclestage": "opportunity"})).await;
    let path = format!("{CONTACTS}/{id}");
    let stage = async |value: &str| {
        let answer = client.patch(&path, json!({"properties": {"lifecyclestage": value}})).await;
        assert_eq!(answer.status, 200);
        answer.body["properties"]["lifecyclestage"].clone()
    };
    assert_eq!(stage("lead").await, "opportunity");
    assert_eq!(stage("customer").await, "customer");
    assert_eq!(stage("").await, json!(null));
    assert_eq!(stage("lead").await, "lead");
}

#[tokio::test]
async fn a_merge_moves_what_is_missing_and_retires_the_old_ids() {
    let client = Client::new().await;
    let kept = client.create("contacts", json!({"email": "a@acme.example", "city": "Rome"})).await;
    let gone = client
        .create("contacts", json!({"email": "b@acme.example", "city": "Oslo", "jobtitle": "CEO"}))
        .await;
    let merge = json!({"primaryObjectId": kept, "objectIdToMerge": gone});
    let merged = client.post(&format!("{CONTACTS}/merge"), merge).await;
    assert_eq!(merged.status, 200);
    assert_ne!(merged.body["id"], json!(kept));
    assert_eq!(merged.body["properties"]["city"], "Rome");
    assert_eq!(merged.body["properties"]["jobtitle"], "CEO");
    for old in [kept, gone] {
        let read = client.get(&format!("{CONTACTS}/{old}")).await;
        assert_eq!((read.status, &read.body["id"]), (200, &merged.body["id"]));
    }
    assert_eq!(client.server.records("contacts").len(), 1);
    let second = client.get(&format!("{CONTACTS}/b@acme.example?idProperty=email")).await;
    assert_eq!((second.status, &second.body["id"]), (200, &merged.body["id"]));
}

#[tokio::test]
async fn erased_contacts_are_gone_for_good() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let erase = json!({"objectId": "a@acme.example", "idProperty": "email"});
    assert_eq!(client.post(&format!("{CONTACTS}/gdpr-delete"), erase).await.status, 204);
    assert_eq!(client.get(&format!("{CONTACTS}/{id}?archived=true")).await.status, 404);
}

#[tokio::test]
async fn broken_requests_get_json_errors() {
    let client = Client::new().await;
    let url = format!("{}{CONTACTS}", client.server.base_url());
    let token = "pat-na1-sandbox";
    let raw = |body: &'static str, media: &'static str| {
        got(http().post(&url).bearer_auth(token).header("content-type", media).body(body))
    };
    let broken = raw("{\"properties\": ", "application/json").await;
    let (status, category, message) = error(&broken);
    assert_eq!((status, category), (400, "VALIDATION_ERROR"));
    assert!(message.starts_with("Invalid input JSON on line 1, column 15: "), "{message}");
    assert_eq!(error(&raw("", "application/json").await).0, 400);
    assert_eq!(error(&raw("{}", "text/plain").await).0, 415);
    assert_eq!(error(&raw("{\"properties\": {\"city\": [1]}}", "application/json").await).0, 400);
    assert_eq!(error(&client.send(Method::PUT, CONTACTS, None).await).0, 405);
    assert_eq!(error(&client.get("/crm/v3/nothing").await).0, 404);
    assert_eq!(error(&client.get("/crm/v3/objects/contacts/abc").await).0, 404);
    let large = "x".repeat(11 * 1024 * 1024);
    let large = got(http().post(&url).bearer_auth(token).body(large)).await;
    assert_eq!(error(&large).0, 413);
}

#[tokio::test]
async fn a_deal_follows_its_pipeline() {
    let client = Client::new().await;
    let deal = json!({"properties": {"dealname": "Big", "dealstage": "closedwon", "amount": "12.50", "closedate": "2024-09-30"}});
    let made = client.post("/crm/v3/objects/deals", deal).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["properties"]["hs_is_closed_won"], "true");
    assert_eq!(made.body["properties"]["pipeline"], "default");
    assert_eq!(made.body["properties"]["closedate"], "2024-09-30T00:00:00.000Z");
    let wrong = client.post("/crm/v3/objects/deals", json!({"properties": {"dealstage": "won"}})).await;
    assert!(error(&wrong).2.contains("won was not one of the allowed options: [appointmentscheduled, "));
}
