use serde_json::{Value, json};

use super::{Client, error};

async fn pair() -> (Client, String, String) {
    let client = Client::new().await;
    let contact = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let company = client.create("companies", json!({"name": "Acme"})).await;
    (client, contact, company)
}

fn types(body: &Value) -> Vec<u64> {
    let listed = body["results"][0]["associationTypes"].as_array();
    listed.into_iter().flatten().filter_map(|known| known["typeId"].as_u64()).collect()
}

#[tokio::test]
async fn the_default_association_makes_the_first_company_primary() {
    let (client, contact, company) = pair().await;
    let before = client.server.record("contact", &contact).expect("a contact");
    let path = format!("/crm/v4/objects/contact/{contact}/associations/default/company/{company}");
    let made = client.put(&path, json!({})).await;
    assert_eq!((made.status, &made.body["status"]), (200, &json!("COMPLETE")));
    let spec = |at: usize| made.body["results"][at]["associationSpec"]["associationTypeId"].clone();
    assert_eq!((spec(0), spec(1)), (json!(279), json!(280)));
    let listed = client.get(&format!("/crm/v4/objects/contact/{contact}/associations/company")).await;
    assert_eq!(listed.status, 200);
    assert_eq!(listed.body["results"][0]["toObjectId"].to_string(), company);
    assert_eq!(types(&listed.body), [1, 279]);
    assert_eq!(listed.body["results"][0]["associationTypes"][0]["label"], "Primary");
    let dated = client.get(&format!("/crm/objects/2026-03/contact/{contact}/associations/company")).await;
    assert_eq!(dated.body["results"][0]["toObjectId"], json!(company));
    let after = client.server.record("contact", &contact).expect("a contact");
    assert_eq!(after["properties"]["associatedcompanyid"], json!(company));
    assert_eq!(after["updatedAt"], before["updatedAt"]);
    let read = client.get(&format!("/crm/v3/objects/contacts/{contact}?associations=companies")).await;
    let wanted = json!([
        {"id": company, "type": "contact_to_company"}, {"id": company, "type": "contact_to_company_unlabeled"},
    ]);
    assert_eq!(read.body["associations"]["companies"]["results"], wanted);
}

#[tokio::test]
async fn labels_are_set_and_all_association_removed() {
    let (client, contact, company) = pair().await;
    let label = json!({"label": "Advisor", "name": "advisor"});
    let label = client.post("/crm/v4/associations/contacts/companies/labels", label).await;
    let type_id = label.body["results"][0]["typeId"].clone();
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/companies/{company}");
    let body = json!([{"associationCategory": "USER_DEFINED", "associationTypeId": type_id}]);
    let made = client.put(&path, body).await;
    assert_eq!((made.status, &made.body["labels"]), (201, &json!(["Primary", "Advisor"])));
    assert_eq!(made.body["fromObjectTypeId"], "0-1");
    let wrong = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]);
    assert_eq!(error(&client.put(&path, wrong).await).0, 400);
    let labels = client.get("/crm/v4/associations/contacts/companies/labels").await;
    assert_eq!(labels.body["results"].as_array().map(Vec::len), Some(3));
    let archive = json!({"inputs": [{"from": {"id": contact}, "to": {"id": company}, "types": [
        {"associationCategory": "USER_DEFINED", "associationTypeId": type_id},
    ]}]});
    let archived = client.post("/crm/v4/associations/contacts/companies/batch/labels/archive", archive).await;
    assert_eq!(archived.status, 204);
    let list = format!("/crm/v4/objects/contacts/{contact}/associations/companies");
    assert_eq!(types(&client.get(&list).await.body), [1, 279]);
    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.get(&list).await.body["results"], json!([]));
    assert_eq!(error(&client.get("/crm/v4/objects/contacts/404/associations/companies").await).0, 404);
}

#[tokio::test]
async fn a_batch_read_of_nothing_is_a_207() {
    let (client, contact, company) = pair().await;
    let other = client.create("contacts", json!({"email": "b@acme.example"})).await;
    let base = "/crm/v4/associations/contacts/companies/batch";
    let spec = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]);
    let inputs = json!([
        {"from": {"id": contact}, "to": {"id": company}, "types": spec},
        {"from": {"id": contact}, "to": {"id": "404"}, "types": spec},
    ]);
    let made = client.post(&format!("{base}/create"), json!({"inputs": inputs})).await;
    assert_eq!((made.status, &made.body["numErrors"]), (207, &json!(1)));
    let read =
        client.post(&format!("{base}/read"), json!({"inputs": [{"id": contact}, {"id": other}]})).await;
    assert_eq!((read.status, &read.body["numErrors"]), (207, &json!(1)));
    assert_eq!(read.body["results"][0]["from"]["id"], json!(contact));
    assert_eq!(read.body["results"][0]["to"][0]["toObjectId"].to_string(), company);
    let none = &read.body["errors"][0];
    assert_eq!(none["subCategory"], "crm.associations.NO_ASSOCIATIONS_FOUND");
    assert_eq!(none["message"], format!("No company is associated with contact {other}."));
    assert_eq!(none["context"]["fromObjectId"], json!([other]));
    let archive = json!({"inputs": [{"from": {"id": contact}, "to": [{"id": company}]}]});
    assert_eq!(client.post(&format!("{base}/archive"), archive).await.status, 204);
    let again = json!({"inputs": [{"from": {"id": other}, "to": {"id": company}}]});
    assert_eq!(client.post(&format!("{base}/associate/default"), again).await.status, 200);
    assert_eq!(client.post(&format!("{base}/read"), json!({"inputs": [{"id": other}]})).await.status, 200);
}

#[tokio::test]
async fn a_create_can_associate_and_an_archive_dissociates() {
    let (client, contact, _) = pair().await;
    let deal = json!({
        "properties": {"dealname": "Big"},
        "associations": [{"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}],
    });
    let made = client.post("/crm/v3/objects/deals", deal).await;
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_str().expect("text");
    let listed = client.get(&format!("/crm/v3/objects/contacts/{contact}?associations=deals")).await;
    let wanted = json!({"deals": {"results": [{"id": id, "type": "contact_to_deal"}]}});
    assert_eq!(listed.body["associations"], wanted);
    client.delete(&format!("/crm/v3/objects/deals/{id}")).await;
    let listed = client.get(&format!("/crm/v3/objects/contacts/{contact}?associations=deals")).await;
    assert!(listed.body.get("associations").is_none());
    let nobody = json!({
        "properties": {"dealname": "Lost"},
        "associations": [{"to": {"id": "404"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}],
    });
    assert_eq!(error(&client.post("/crm/v3/objects/deals", nobody).await).0, 404);
    assert!(client.server.records("deals").is_empty());
}

#[tokio::test]
async fn version_3_still_works() {
    let (client, contact, company) = pair().await;
    let input =
        json!({"inputs": [{"from": {"id": contact}, "to": {"id": company}, "type": "contact_to_company"}]});
    let base = "/crm/v3/associations/contacts/companies/batch";
    assert_eq!(client.post(&format!("{base}/create"), input.clone()).await.status, 201);
    let read = client.post(&format!("{base}/read"), json!({"inputs": [{"id": contact}]})).await;
    assert_eq!(read.body["results"][0]["to"][0], json!({"id": company, "type": "contact_to_company"}));
    assert_eq!(client.post(&format!("{base}/archive"), input).await.status, 204);
}
