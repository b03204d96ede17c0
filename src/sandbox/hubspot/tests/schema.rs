use serde_json::json;

use super::{Client, error};
use crate::sandbox::hubspot::HubspotConfig;
use crate::sandbox::seed::Seed;

const SEED: &str = "
hubspot:
  portal: 77
  token: pat-seeded
  app: {id: 42, secret: s}
  properties:
    contact:
      plan: {type: enumeration/select, options: [free, [pro, Professional]]}
      crm_key: {type: string, flags: [unique]}
  schemas: {project: {id: 2-345, labels: [Project, Projects], properties: {title: {type: string}}}}
  owners:
    - {id: '11', email: rep@example.com, first_name: Robin, last_name: Rep, user_id: 501}
    - {id: '12', email: gone@example.com, archived: true}
  pipelines:
    deal:
      - id: default
        label: Sales
        stages: [{id: open, label: Open, probability: '0.2'}, {id: won, label: Won, probability: '1.0', closed: true}]
  objects:
    company: [{id: '9001', properties: {name: Acme Corp}}]
    contact:
      - id: 5501
        properties: {email: Jane@Acme.example, hubscore: 87, createdate: '2023-01-02T03:04:05Z', lastmodifieddate: '2024-01-02', hubspot_owner_id: 11}
        associations: {company: [9001]}
";

fn seeded() -> HubspotConfig {
    HubspotConfig::default().seeded(Seed::parse(SEED, "seed.yaml").expect("a seed").hubspot)
}

#[tokio::test]
async fn a_seed_fills_the_portal() {
    let client = Client::with(seeded()).await;
    let read =
        client.get("/crm/v3/objects/contacts/5501?properties=hubscore,plan&associations=company").await;
    assert_eq!(read.body["properties"]["hubscore"], "87");
    assert_eq!(read.body["createdAt"], "2023-01-02T03:04:05.000Z");
    assert_eq!(read.body["updatedAt"], "2024-01-02T00:00:00.000Z");
    assert_eq!(read.body["properties"]["lastmodifieddate"], "2024-01-02T00:00:00.000Z");
    assert_eq!(read.body["associations"]["companies"]["results"][0]["id"], "9001");
    assert_eq!(read.body["url"], "https://app.hubspot.com/contacts/77/record/0-1/5501");
    let keyed = json!({"properties": {"plan": "pro", "crm_key": "K-1"}});
    assert_eq!(client.patch("/crm/v3/objects/contacts/5501", keyed).await.status, 200);
    assert_eq!(client.get("/crm/v3/objects/contacts/k-1?idProperty=crm_key").await.body["id"], "5501");
    let taken = client.post("/crm/v3/objects/contacts", json!({"properties": {"crm_key": "K-1"}})).await;
    assert!(error(&taken).2.contains("CONFLICTING_UNIQUE_VALUE"));
    let deal = json!({"properties": {"dealname": "D", "dealstage": "won"}});
    let deal = client.post("/crm/v3/objects/deals", deal).await;
    assert_eq!(deal.body["properties"]["hs_is_closed_won"], "true");
}

#[tokio::test]
async fn a_seed_that_hubspot_would_refuse_does_not_start() {
    let cases = [
        ("hubspot: {schemas: {a: {id: 0-9, properties: {b: {type: string}}}}}", "hubspot.schemas.a"),
        ("hubspot: {objects: {contract: []}}", "hubspot.objects.contract"),
        ("hubspot: {objects: {contact: [{properties: {nope: 1}}]}}", "hubspot.objects.contact[0]"),
        ("hubspot: {objects: {contact: [{id: a}]}}", "hubspot.objects.contact[0]"),
        ("hubspot: {objects: {contact: [{id: 18446744073709551615}]}}", "hubspot.objects.contact[0]"),
        ("hubspot: {objects: {contact: [{id: 1}, {id: 1}]}}", "hubspot.objects.contact[1]"),
        (
            "hubspot: {objects: {contact: [{associations: {company: [1]}}]}}",
            "contact[0].associations.company",
        ),
    ];
    for (text, place) in cases {
        let seed = Seed::parse(text, "seed.yaml").expect(text).hubspot;
        let started =
            crate::sandbox::hubspot::HubspotServer::start(HubspotConfig::default().seeded(seed)).await;
        let message = started.expect_err(text).to_string();
        assert!(message.contains(place), "{message}");
    }
}

#[tokio::test]
async fn properties_are_listed_made_changed_and_archived() {
    let client = Client::new().await;
    let base = "/crm/v3/properties/contacts";
    let listed = client.get(base).await;
    let listed = listed.body["results"].as_array().expect("results");
    let named = |name: &str| listed.iter().find(|property| property["name"] == name).expect(name);
    assert_eq!(named("email")["type"], "string");
    assert_eq!(named("hs_analytics_source")["options"][0]["value"], "ORGANIC_SEARCH");
    assert_eq!(named("hubspot_owner_id")["externalOptions"], true);
    assert_eq!(named("createdate")["modificationMetadata"]["readOnlyValue"], true);
    assert_eq!(
        (&named("contract_date")["type"], &named("hubscore")["type"]),
        (&json!("date"), &json!("number"))
    );

    let new = json!({
        "name": "plan", "label": "Plan", "type": "enumeration", "fieldType": "checkbox",
        "groupName": "contactinformation", "options": [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}],
    });
    let made = client.post(base, new.clone()).await;
    assert_eq!((made.status, &made.body["hubspotDefined"]), (201, &json!(false)));
    assert_eq!(
        error(&client.post(base, new).await),
        (409, "OBJECT_ALREADY_EXISTS", "A property named 'plan' already exists.")
    );
    let id = client.create("contacts", json!({"plan": "a;b"})).await;
    let refused =
        client.patch(&format!("/crm/v3/objects/contacts/{id}"), json!({"properties": {"plan": "c"}})).await;
    assert_eq!(error(&refused).0, 400);
    let patched = client.patch(&format!("{base}/plan"), json!({"label": "The plan"})).await;
    assert_eq!((patched.status, &patched.body["label"]), (200, &json!("The plan")));
    assert_eq!(client.delete(&format!("{base}/plan")).await.status, 204);
    assert_eq!(error(&client.get(&format!("{base}/plan")).await).0, 404);
    assert_eq!(client.get(&format!("{base}/plan?archived=true")).await.status, 200);
    assert_eq!(error(&client.delete(&format!("{base}/email")).await).0, 400);

    let read = json!({"inputs": [{"name": "email"}, {"name": "nope"}]});
    let read = client.post(&format!("{base}/batch/read"), read).await;
    assert_eq!((read.status, &read.body["results"][0]["name"]), (207, &json!("email")));
    for wrong in [
        json!({"name": "Bad", "label": "x", "type": "string", "fieldType": "text", "groupName": "contactinformation"}),
        json!({"name": "a", "label": "x", "type": "string", "fieldType": "number", "groupName": "contactinformation"}),
        json!({"name": "a", "label": "x", "type": "text", "fieldType": "text", "groupName": "contactinformation"}),
        json!({"name": "a", "label": "x", "type": "string", "fieldType": "text", "groupName": "nope"}),
        json!({"name": "a", "label": "x", "type": "enumeration", "fieldType": "select", "groupName": "contactinformation"}),
        json!({"label": "x"}),
    ] {
        assert_eq!(error(&client.post(base, wrong.clone()).await).0, 400, "{wrong}");
    }
    assert_eq!(client.post(&format!("{base}/groups"), json!({"name": "g", "label": "G"})).await.status, 201);
    assert_eq!(client.get(&format!("{base}/groups/g")).await.body["label"], "G");
}

#[tokio::test]
async fn owners_are_listed_by_state_and_email() {
    let client = Client::with(seeded()).await;
    let live = client.get("/crm/v3/owners/?limit=100&archived=False").await;
    assert_eq!(live.body["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&live.body["results"][0]["id"], &live.body["results"][0]["userId"]),
        (&json!("11"), &json!(501))
    );
    let gone = client.get("/crm/v3/owners?archived=true").await;
    assert_eq!(
        (&gone.body["results"][0]["id"], &gone.body["results"][0]["userId"]),
        (&json!("12"), &json!(null))
    );
    assert_eq!(client.get("/crm/v3/owners?email=REP@example.com").await.body["results"][0]["id"], "11");
    assert_eq!(client.get("/crm/v3/owners?email=x@example.com").await.body["results"], json!([]));
    assert_eq!(client.get("/crm/v3/owners/501?idProperty=userId").await.body["id"], "11");
    assert_eq!(error(&client.get("/crm/v3/owners/12").await).0, 404);
    let archived_owner =
        client.post("/crm/v3/objects/contacts", json!({"properties": {"hubspot_owner_id": "12"}})).await;
    assert_eq!(archived_owner.body["errors"][0]["code"], "INVALID_OWNER_ID");
}

#[tokio::test]
async fn pipelines_and_stages_have_ids_that_are_numbers() {
    let client = Client::new().await;
    let base = "/crm/v3/pipelines/deals";
    let listed = client.get(base).await;
    assert_eq!(listed.body["results"][0]["id"], "default");
    assert_eq!(
        listed.body["results"][0]["stages"][5]["metadata"],
        json!({"isClosed": "true", "probability": "1.0"})
    );
    let new = json!({"label": "New", "displayOrder": 1, "stages": [{"label": "S", "displayOrder": 0, "metadata": {"probability": "0.5"}}]});
    let made = client.post(base, new).await;
    assert_eq!(made.status, 201);
    let (pipeline, stage) =
        (made.body["id"].as_str().expect("text"), made.body["stages"][0]["id"].as_str().expect("text"));
    assert!(pipeline.parse::<u64>().is_ok() && stage.parse::<u64>().is_ok() && pipeline != stage);
    client.create("deals", json!({"dealname": "D", "pipeline": pipeline, "dealstage": stage})).await;
    let path = format!("{base}/{pipeline}/stages/{stage}");
    assert_eq!(client.patch(&path, json!({"label": "T", "metadata": {}})).await.body["label"], "T");
    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(error(&client.get(&path).await).0, 404);
    assert_eq!(client.get(&format!("{base}/{pipeline}/stages")).await.body["results"], json!([]));
}

#[tokio::test]
async fn schemas_describe_any_type_and_list_only_own_ones() {
    let client = Client::new().await;
    assert_eq!(client.get("/crm/v3/schemas").await.body["results"], json!([]));
    let schema = client.get("/crm-object-schemas/v3/schemas/contacts").await;
    assert_eq!((&schema.body["objectTypeId"], &schema.body["name"]), (&json!("0-1"), &json!("contact")));
    assert!(schema.body["properties"].as_array().is_some_and(|all| all.len() > 300));

    let client = Client::with(seeded()).await;
    let own = client.get("/crm/v3/schemas").await;
    assert_eq!(
        (&own.body["results"][0]["objectTypeId"], &own.body["results"][0]["name"]),
        (&json!("2-345"), &json!("project"))
    );
    assert_eq!(own.body["results"][0]["fullyQualifiedName"], "p77_project");
    let id = client.create("projects", json!({"title": "Move"})).await;
    for alias in ["2-345", "project", "p_project", "PROJECTS"] {
        assert_eq!(
            client.get(&format!("/crm/v3/objects/{alias}/{id}?properties=title")).await.body["properties"]["title"],
            "Move"
        );
    }
    let path = format!("/crm/v4/objects/2-345/{id}/associations/default/contact/5501");
    assert_eq!(client.put(&path, json!({})).await.status, 200);
    let listed = client.get("/crm/v4/objects/contact/5501/associations/2-345").await;
    assert_eq!(listed.body["results"][0]["toObjectId"].to_string(), id);
}
