use serde_json::{Value, json};

use super::{Lab, code, doe};

fn rule(action: &str) -> Value {
    json!({
        "name": "Leads_DR", "object": "Lead", "action": action,
        "matches": [{"object": "Contact", "rule": "Contact_MR", "fields": ["Email"]}],
    })
}

#[tokio::test]
async fn a_blocking_rule_names_the_record_it_found() {
    let lab = Lab::seeded(json!({"duplicate_rules": [rule("block")]})).await;
    let contact = lab.create("Contact", json!({"LastName": "Doe", "Email": "JANE@acme.test"})).await;
    let reply = lab.post("sobjects/Lead", doe()).await;
    assert_eq!(code(&reply), (400, "DUPLICATES_DETECTED"));
    let found = &reply.1[0]["duplicateResut"];
    assert_eq!((&found["allowSave"], &found["duplicateRule"]), (&json!(false), &json!("Leads_DR")));
    let matched = &found["matchResults"][0];
    assert_eq!((&matched["entityType"], &matched["size"]), (&json!("Contact"), &json!(1)));
    assert_eq!(matched["matchRecords"][0]["record"]["Id"], json!(contact));
    let allow = lab.request("POST", "sobjects/Lead").header("Sforce-Duplicate-Rule-Header", "allowSave=true");
    assert_eq!(lab.send(allow.json(&doe())).await.0, 400);

    let mut record = doe();
    record["attributes"] = json!({"type": "Lead"});
    let (status, results) = lab.post("composite/sobjects", json!({"records": [record]})).await;
    assert_eq!(status, 200);
    let error = &results[0]["errors"][0];
    assert_eq!(error["statusCode"], "DUPLICATES_DETECTED");
    assert_eq!(
        error["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]["Id"],
        json!(contact)
    );
}

#[tokio::test]
async fn an_alerting_rule_gives_way_to_the_header_and_a_unique_key_does_not() {
    let lab = Lab::start().await;
    lab.server.add_duplicate_rule(serde_json::from_value(rule("alert")).unwrap());
    lab.create("Contact", json!({"LastName": "Doe", "Email": "jane@acme.test"})).await;
    let reply = lab.post("sobjects/Lead", doe()).await;
    assert_eq!(
        (code(&reply), &reply.1[0]["duplicateResut"]["allowSave"]),
        ((400, "DUPLICATES_DETECTED"), &json!(true))
    );
    let mut keyed = doe();
    keyed["HubSpot_Contact_ID__c"] = json!("1");
    let allowed = || {
        lab.request("POST", "sobjects/Lead")
            .header("Sforce-Duplicate-Rule-Header", "allowSave=true")
            .json(&keyed)
    };
    assert_eq!(lab.send(allowed()).await.0, 201);
    assert_eq!(code(&lab.send(allowed()).await), (400, "DUPLICATE_VALUE"));
}

#[tokio::test]
async fn an_update_is_matched_only_when_it_touches_the_fields() {
    let lab = Lab::start().await;
    let id = lab.create("Lead", doe()).await;
    lab.create("Contact", json!({"LastName": "Doe", "Email": "jane@acme.test"})).await;
    lab.create("Contact", json!({"LastName": "Roe", "Email": "roe@acme.test"})).await;
    lab.server.add_duplicate_rule(serde_json::from_value(rule("block")).unwrap());
    assert_eq!(lab.patch(&format!("sobjects/Lead/{id}"), json!({"Title": "VP"})).await.0, 204);
    let reply = lab.patch(&format!("sobjects/Lead/{id}"), json!({"Email": "roe@acme.test"})).await;
    assert_eq!(code(&reply), (400, "DUPLICATES_DETECTED"));
}

#[tokio::test]
async fn faults_answer_before_or_after_the_work() {
    let lab = Lab::start().await;
    let faults = json!([
        {"method": "POST", "path": "/sobjects/Lead", "status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": "down"}]},
        {"method": "POST", "path": "/sobjects/Lead", "status": 500, "moment": "after",
         "headers": {"Retry-After": "1"}},
    ]);
    assert_eq!(lab.post("/_sandbox/faults", faults).await.0, 204);
    assert_eq!(code(&lab.post("sobjects/Lead", doe()).await), (503, "SERVER_UNAVAILABLE"));
    assert_eq!(lab.query("SELECT COUNT() FROM Lead").await.1["totalSize"], 0);
    assert_eq!(lab.post("sobjects/Lead", doe()).await, (500, Value::Null));
    assert_eq!(lab.query("SELECT COUNT() FROM Lead").await.1["totalSize"], 1);
    assert_eq!(lab.post("sobjects/Lead", doe()).await.0, 201);
}

#[tokio::test]
async fn the_sandbox_resources_show_and_reset() {
    let lab = Lab::start().await;
    let (_, body) = lab
        .post("/_sandbox/records/Lead", json!({"LastName": "Doe", "Company": "A", "IsConverted": true}))
        .await;
    let id = body["id"].as_str().unwrap().to_owned();
    let reply = lab.patch(&format!("sobjects/Lead/{id}"), json!({"Title": "VP"})).await;
    assert_eq!(code(&reply), (400, "CANNOT_UPDATE_CONVERTED_LEAD"));
    assert_eq!(lab.get(&format!("/_sandbox/records/Lead/{id}")).await.1["LastName"], "Doe");
    let calls = lab.server.calls();
    assert_eq!((calls.len(), calls[0].method.as_str(), calls[0].status), (1, "PATCH", 400));
    assert_eq!(lab.post("/_sandbox/reset", json!({})).await.0, 204);
    assert_eq!(lab.query("SELECT COUNT() FROM Lead").await.1["totalSize"], 0);
    assert_eq!(lab.post("/_sandbox/records/Lead", json!({"Nope": 1})).await.0, 400);
}

#[tokio::test]
async fn the_handle_plays_the_people_of_the_organisation() {
    let lab = Lab::start().await;
    let id = lab.server.create("Lead", &doe()).unwrap();
    lab.server.change("Lead", &id, &json!({"Title": "CEO"})).unwrap();
    assert!(lab.server.change("Lead", &id, &json!({"Nope": 1})).is_err());
    let converted = lab.server.convert_lead(&id).unwrap();
    assert_eq!(lab.server.get("Contact", &converted.contact).unwrap()["Title"], "CEO");
    assert!(converted.opportunity.is_some());
    assert!(lab.server.convert_lead(&id).is_err());
    assert_eq!(lab.server.records("Account").len(), 1);
    assert_eq!(lab.server.query("SELECT Profile.Name FROM User").unwrap().len(), 1);
    lab.server.shutdown().await;
}

#[tokio::test]
async fn a_merge_leaves_the_lost_record_with_its_master_in_the_bin() {
    let lab = Lab::start().await;
    let new = |name: &str| lab.server.create("Contact", &json!({"LastName": name})).unwrap();
    let (kept, lost) = (new("Doe"), new("Roe"));
    let case = lab.server.create("Case", &json!({"ContactId": lost})).ok();
    let merge = json!({"master": kept, "lost": lost});
    assert_eq!(lab.post("/_sandbox/merge/Contact", merge.clone()).await.0, 204);
    assert_eq!(lab.query("SELECT COUNT() FROM Contact").await.1["totalSize"], 1);
    let soql = [("q", "SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = true")];
    let (_, body) = lab.send(lab.request("GET", "queryAll/").query(&soql)).await;
    assert_eq!(
        (&body["records"][0]["Id"], &body["records"][0]["MasterRecordId"]),
        (&json!(lost), &json!(kept))
    );
    if let Some(case) = case {
        assert_eq!(lab.server.get("Case", &case).unwrap()["ContactId"], json!(kept));
    }
    assert_eq!(lab.post("/_sandbox/merge/Contact", merge).await.0, 400, "it is gone");
    assert!(lab.server.merge("Contact", &kept, &kept).is_err());
    assert!(lab.server.merge("User", &kept, &lost).is_err());
    lab.server.delete("Contact", &kept).unwrap();
    assert_eq!(lab.query("SELECT COUNT() FROM Contact").await.1["totalSize"], 0);
}
