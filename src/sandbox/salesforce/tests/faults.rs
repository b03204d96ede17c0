use serde_json::{Value, json};

use super::{Lab, Reply, code, doe};

async fn put(lab: &Lab, fault: Value) {
    let reply = lab.post("/_sandbox/faults", fault).await;
    assert_eq!(reply, (204, Value::Null));
}

async fn created(lab: &Lab, fault: Value) -> Reply {
    put(lab, fault).await;
    lab.post("sobjects/Lead", doe()).await
}

#[tokio::test]
async fn named_answers_have_salesforces_shape() {
    let lab = Lab::start().await;
    for (name, status, expected) in [
        ("session_expired", 401, "INVALID_SESSION_ID"),
        ("request_limit", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("api_disabled", 403, "API_DISABLED_FOR_ORG"),
        ("insufficient_access", 403, "INSUFFICIENT_ACCESS_OR_READONLY"),
        ("not_found", 404, "NOT_FOUND"),
        ("entity_is_deleted", 404, "ENTITY_IS_DELETED"),
        ("server_error", 500, "UNKNOWN_EXCEPTION"),
        ("server_unavailable", 503, "SERVER_UNAVAILABLE"),
        ("unable_to_lock_row", 400, "UNABLE_TO_LOCK_ROW"),
        ("duplicate_value", 400, "DUPLICATE_VALUE"),
        ("string_too_long", 400, "STRING_TOO_LONG"),
        ("restricted_picklist", 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("required_field_missing", 400, "REQUIRED_FIELD_MISSING"),
        ("invalid_field", 400, "INVALID_FIELD"),
        ("field_not_writable", 400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("validation_rule", 400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        ("converted_lead", 400, "CANNOT_UPDATE_CONVERTED_LEAD"),
    ] {
        assert_eq!(code(&created(&lab, json!({"answer": name})).await), (status, expected));
    }
    let own = json!({"answer": "error", "status": 409, "with": {"code": "ODD", "message": "m", "fields": ["Title"]}});
    let expected = json!([{"message": "m", "errorCode": "ODD", "fields": ["Title"]}]);
    assert_eq!(created(&lab, own).await, (409, expected));
    let locked = json!({"answer": "unable_to_lock_row", "status": 500});
    assert_eq!(created(&lab, locked).await.0, 500);
    assert!(lab.server.records("Lead").is_empty());
}

#[tokio::test]
async fn duplicates_come_in_all_their_forms() {
    let lab = Lab::start().await;
    let contact = lab.create("Contact", json!({"LastName": "Doe"})).await;
    let (lead, other) = (lab.create("Lead", doe()).await, lab.create("Lead", doe()).await);
    let gone =
        lab.server.create("Lead", &json!({"LastName": "Old", "Company": "A", "IsConverted": true})).unwrap();
    let found = |reply: &Reply, key: &str| {
        let result = &reply.1[0][key]["matchResults"][0];
        let records = result["matchRecords"].as_array().cloned().unwrap_or_default();
        let ids: Vec<Value> = records.iter().map(|found| found["record"]["Id"].clone()).collect();
        (result["entityType"].clone(), ids)
    };
    for (name, object, ids) in [
        ("duplicates_detected", "Lead", vec![lead.clone()]),
        ("duplicates_other_object", "Contact", vec![contact]),
        ("duplicates_converted_lead", "Lead", vec![gone]),
        ("duplicates_several", "Lead", vec![lead, other]),
    ] {
        let reply = created(&lab, json!({"answer": name})).await;
        assert_eq!(code(&reply), (400, "DUPLICATES_DETECTED"));
        assert_eq!(
            found(&reply, "duplicateResut"),
            (json!(object), ids.iter().map(|id| json!(id)).collect())
        );
        assert_eq!(reply.1[0]["duplicateResut"]["allowSave"], false);
    }
    let spelled = json!({"answer": "duplicates_detected", "status": 409, "with": {"spelling": "duplicateResult", "ids": ["00Q1"]}});
    let reply = created(&lab, spelled).await;
    assert_eq!((reply.0, found(&reply, "duplicateResult").1), (409, vec![json!("00Q1")]));
    put(&lab, json!({"answer": "duplicates_alert", "times": "always"})).await;
    let alert = lab.post("sobjects/Lead", doe()).await;
    assert_eq!((alert.0, &alert.1[0]["duplicateResut"]["allowSave"]), (400, &json!(true)));
    let insist =
        lab.request("POST", "sobjects/Lead").header("Sforce-Duplicate-Rule-Header", "allowSave=true");
    assert_eq!(lab.send(insist.json(&doe())).await.0, 201);
}

#[tokio::test]
async fn an_external_id_of_several_records_is_answered_with_their_addresses() {
    let lab = Lab::start().await;
    let (one, two) = (lab.create("Lead", doe()).await, lab.create("Lead", doe()).await);
    put(&lab, json!({"answer": "several_records", "operation": "salesforce.upsert"})).await;
    let (status, body) = lab.patch("sobjects/Lead/HubSpot_Contact_ID__c/7", doe()).await;
    let url = |id: &str| json!(format!("/services/data/v58.0/sobjects/Lead/{id}"));
    assert_eq!((status, body), (300, json!([url(&one), url(&two)])));
}

#[tokio::test]
async fn rows_fail_alone_in_a_collection() {
    let lab = Lab::start().await;
    put(&lab, json!([
        {"answer": "duplicates_other_object", "record": {"object": "Lead", "contains": "dup@"}, "times": "always"},
        {"answer": "unable_to_lock_row", "record": {"object": "Lead"}, "nth": 2},
    ]))
    .await;
    let lead = |email: &str| json!({"attributes": {"type": "Lead"}, "LastName": "L", "Company": "C", "Email": email});
    let records = json!({"records": [lead("a@x.test"), lead("b@x.test"), lead("dup@x.test")]});
    let (status, rows) = lab.post("composite/sobjects", records).await;
    assert_eq!((status, &rows[0]["success"]), (200, &json!(true)), "{rows}");
    assert_eq!(rows[1]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");
    assert_eq!(rows[2]["errors"][0]["statusCode"], "DUPLICATES_DETECTED");
    assert_eq!(rows[2]["errors"][0]["duplicateResult"]["matchResults"][0]["entityType"], "Contact");
    assert_eq!(lab.server.records("Lead").len(), 1);
}

#[tokio::test]
async fn the_line_breaks_before_or_after_the_write() {
    let lab = Lab::start().await;
    for (fault, written) in [
        (json!({"answer": "reset", "operation": "salesforce.create"}), 0),
        (json!({"answer": "reset", "operation": "salesforce.create", "moment": "after"}), 1),
    ] {
        put(&lab, fault).await;
        assert!(lab.request("POST", "sobjects/Lead").json(&doe()).send().await.is_err());
        assert_eq!(lab.server.records("Lead").len(), written);
    }
    put(&lab, json!({"answer": "truncated_body"})).await;
    let cut = lab.request("POST", "sobjects/Lead").json(&doe()).send().await.unwrap();
    assert_eq!(cut.status(), 201);
    assert!(cut.text().await.is_err());
    assert_eq!(created(&lab, json!({"answer": "not_json"})).await.0, 201);
    assert_eq!(lab.server.records("Lead").len(), 3);
}

#[tokio::test]
async fn calls_are_counted_and_a_soap_call_is_refused_in_soap() {
    let lab = Lab::start().await;
    lab.create("Lead", doe()).await;
    lab.query("SELECT Id FROM Lead").await;
    put(&lab, json!({"answer": "session_expired", "operation": "salesforce.soap_convert_lead"})).await;
    let body = "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><convertLead/></e:Body></e:Envelope>";
    let request = lab.request("POST", "/services/Soap/u/58.0").body(body).header("content-type", "text/xml");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(response.text().await.unwrap().contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"));
    let (_, calls) = lab.get("/_sandbox/calls").await;
    let expected = json!({"salesforce.create": 1, "salesforce.query": 1, "salesforce.soap_convert_lead": 1});
    assert_eq!((&calls["operations"], &calls["count"]), (&expected, &json!(3)));
    assert_eq!(
        (&calls["calls"][1]["object"], &calls["calls"][2]["fault"]),
        (&json!("Lead"), &json!("fault-1"))
    );
    assert_eq!(lab.get("/_sandbox/faults").await.1["faults"][0]["used"], 1);
    lab.server.clear_calls();
    assert!(lab.server.calls_by_operation().is_empty());
    for (fault, words) in [
        (json!({"answer": "locked"}), "there is no answer `locked`"),
        (json!({"object": "Led"}), "did you mean `Lead`?"),
        (json!({"answer": "hubspot.locked"}), "for hubspot, not for salesforce"),
    ] {
        let (status, body) = lab.post("/_sandbox/faults", fault).await;
        assert_eq!(status, 400);
        assert!(body["message"].as_str().unwrap_or_default().contains(words), "{body}");
    }
}
