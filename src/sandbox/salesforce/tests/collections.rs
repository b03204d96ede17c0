use serde_json::{Value, json};

use super::{Lab, code};

fn lead(last: &str) -> Value {
    json!({"attributes": {"type": "Lead"}, "LastName": last, "Company": "Acme"})
}

fn errors(result: &Value) -> &str {
    result["errors"][0]["statusCode"].as_str().unwrap_or("no error")
}

#[tokio::test]
async fn each_record_has_its_own_result() {
    let lab = Lab::start().await;
    let bad = json!({"attributes": {"type": "Lead"}, "Company": "Acme"});
    let (status, results) =
        lab.post("composite/sobjects", json!({"records": [lead("A"), bad, lead("B")]})).await;
    assert_eq!(status, 200);
    assert_eq!(results[0]["success"], true);
    assert_eq!(
        results[1],
        json!({"success": false, "errors": [{
            "statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]",
            "fields": ["LastName"],
        }]})
    );
    assert_eq!(lab.query("SELECT COUNT() FROM Lead").await.1["totalSize"], 2);

    let change = json!([
        {"attributes": {"type": "Lead"}, "id": results[0]["id"], "Title": "VP"},
        {"attributes": {"type": "Lead"}, "id": "00Q000000000001EAA", "Title": "VP"},
        {"attributes": {"type": "Lead"}, "id": results[2]["id"], "Nope": "VP"},
        {"attributes": {"type": "Lead"}, "Title": "VP"},
    ]);
    let (_, results) = lab.patch("composite/sobjects/", json!({"records": change})).await;
    let codes: Vec<&str> = results.as_array().unwrap().iter().map(errors).collect();
    assert_eq!(codes, ["no error", "INVALID_CROSS_REFERENCE_KEY", "INVALID_FIELD", "MISSING_ARGUMENT"]);
}

#[tokio::test]
async fn all_or_none_takes_all_back() {
    let lab = Lab::start().await;
    let bad = json!({"attributes": {"type": "Lead"}, "Company": "Acme"});
    let body = json!({"allOrNone": true, "records": [lead("A"), bad]});
    let (status, results) = lab.post("composite/sobjects", body).await;
    assert_eq!(status, 200);
    assert_eq!(errors(&results[0]), "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(errors(&results[1]), "REQUIRED_FIELD_MISSING");
    assert_eq!(lab.query("SELECT COUNT() FROM Lead").await.1["totalSize"], 0);
}

#[tokio::test]
async fn an_upsert_of_many_tells_new_from_old() {
    let lab = Lab::start().await;
    let keyed = |key: &str| {
        let mut lead = lead(key);
        lead["HubSpot_Contact_ID__c"] = json!(key);
        lead
    };
    let path = "composite/sobjects/Lead/HubSpot_Contact_ID__c";
    let (_, results) = lab.patch(path, json!({"records": [keyed("1"), keyed("2.inc")]})).await;
    assert_eq!((&results[0]["created"], &results[1]["created"]), (&json!(true), &json!(true)));
    let records = json!([keyed("1"), keyed("3"), keyed("4"), keyed("4"), lead("no key")]);
    let (_, results) = lab.patch(path, json!({"records": records})).await;
    assert_eq!((&results[0]["created"], &results[1]["created"]), (&json!(false), &json!(true)));
    assert_eq!((errors(&results[2]), errors(&results[3])), ("DUPLICATE_VALUE", "DUPLICATE_VALUE"));
    assert_eq!(errors(&results[4]), "MISSING_ARGUMENT");
    let reply = lab.patch("composite/sobjects/Lead/Nope", json!({"records": []})).await;
    assert_eq!(code(&reply), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn reads_and_deletes_go_by_ids() {
    let lab = Lab::start().await;
    let id = lab.create("Lead", json!({"LastName": "A", "Company": "B"})).await;
    let body = json!({"ids": [id, "00Q000000000001EAA"], "fields": ["LastName"]});
    let (status, records) = lab.post("composite/sobjects/Lead", body).await;
    assert_eq!((status, &records[0]["LastName"], &records[1]), (200, &json!("A"), &Value::Null));
    let (status, results) = lab
        .delete(&format!("composite/sobjects?ids={id},00Q000000000001EAA,001RM000003oLrB000&allOrNone=false"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(results[0], json!({"id": id, "success": true, "errors": []}));
    assert_eq!(errors(&results[1]), "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(errors(&results[2]), "MALFORMED_ID");
}

#[tokio::test]
async fn the_size_is_limited() {
    let lab = Lab::start().await;
    let records: Vec<Value> = (0..201).map(|index| lead(&index.to_string())).collect();
    let reply = lab.post("composite/sobjects", json!({"records": records})).await;
    assert_eq!(code(&reply), (400, "EXCEEDED_ID_LIMIT"));
    assert_eq!(code(&lab.post("composite/sobjects", json!({})).await), (400, "MISSING_ARGUMENT"));
}

#[tokio::test]
async fn a_row_lock_fails_its_row_alone() {
    let lab = Lab::start().await;
    let fault = json!({"record": {"object": "Lead", "contains": "Roe"}});
    lab.server.add_fault(serde_json::from_value(fault).unwrap());
    let body = json!({"records": [lead("Doe"), lead("Roe")]});
    let (_, results) = lab.post("composite/sobjects", body.clone()).await;
    assert_eq!((errors(&results[0]), errors(&results[1])), ("no error", "UNABLE_TO_LOCK_ROW"));
    let (_, results) = lab.post("composite/sobjects", body).await;
    assert_eq!(errors(&results[1]), "no error");
}
