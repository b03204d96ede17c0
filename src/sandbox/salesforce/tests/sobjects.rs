use serde_json::{Value, json};

use super::{Lab, code, doe};

#[tokio::test]
async fn a_record_lives_and_dies() {
    let lab = Lab::start().await;
    let (status, body) = lab.post("sobjects/Lead/", doe()).await;
    assert_eq!(status, 201);
    assert_eq!((&body["success"], &body["errors"]), (&json!(true), &json!([])));
    let id = body["id"].as_str().unwrap();
    assert!(id.starts_with("00Q") && id.len() == 18);

    let (status, lead) = lab.get(&format!("sobjects/Lead/{id}")).await;
    assert_eq!(status, 200);
    assert_eq!(lead["attributes"]["url"], format!("/services/data/v58.0/sobjects/Lead/{id}"));
    assert_eq!(lead["Name"], "Jane Doe");
    assert_eq!(lead["Status"], "Open - Not Contacted");
    assert_eq!((&lead["IsConverted"], &lead["IsDeleted"]), (&json!(false), &json!(false)));
    assert_eq!(lead["OwnerId"], lead["CreatedById"]);
    assert!(lead["Address"].is_null());
    let created = lead["CreatedDate"].as_str().unwrap();
    assert!(created.ends_with(".000+0000") && created.len() == 28, "{created}");

    let change = json!({"Title": "  VP  ", "City": "Berlin", "FirstName": "", "HubSpot_Lead_Score__c": 87});
    assert_eq!(lab.patch(&format!("sobjects/Lead/{}", &id[..15]), change).await, (204, Value::Null));
    let (_, lead) =
        lab.get(&format!("sobjects/Lead/{id}?fields=Title,Name,Address,HubSpot_Lead_Score__c")).await;
    assert_eq!(lead.as_object().unwrap().len(), 6, "{lead}");
    assert_eq!((&lead["Title"], &lead["Name"]), (&json!("VP"), &json!("Doe")));
    assert_eq!(lead["Address"]["city"], "Berlin");
    assert_eq!(lead["HubSpot_Lead_Score__c"].to_string(), "87.0");

    assert_eq!(lab.delete(&format!("sobjects/Lead/{id}")).await, (204, Value::Null));
    for method in ["GET", "DELETE"] {
        let reply = lab.send(lab.request(method, &format!("sobjects/Lead/{id}"))).await;
        assert_eq!(code(&reply), (404, "ENTITY_IS_DELETED"));
    }
    let reply = lab.patch(&format!("sobjects/Lead/{id}"), json!({"Title": "x"})).await;
    assert_eq!(code(&reply), (404, "ENTITY_IS_DELETED"));
}

#[tokio::test]
async fn bad_bodies_are_refused_in_the_real_words() {
    let lab = Lab::start().await;
    let with = |key: &str, value: Value| {
        let mut lead = doe();
        lead[key] = value;
        lead
    };
    for (body, expected, message, fields) in [
        (
            json!({}),
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [LastName, Company]",
            json!(["LastName", "Company"]),
        ),
        (
            with("LastName", json!(" ")),
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [LastName]",
            json!(["LastName"]),
        ),
        (
            with("Nope__c", json!(1)),
            "INVALID_FIELD",
            "No such column 'Nope__c' on sobject of type Lead",
            Value::Null,
        ),
        (
            with("Status", json!("Nope")),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "bad value for restricted picklist field: Nope",
            json!(["Status"]),
        ),
        (
            with("Email", json!("jane")),
            "INVALID_EMAIL_ADDRESS",
            "Email: invalid email address: jane",
            json!(["Email"]),
        ),
        (with("Title", json!("x".repeat(129))), "STRING_TOO_LONG", "(max length=128)", json!(["Title"])),
        (
            with("Contract_Date__c", json!(1_727_654_400_000_i64)),
            "JSON_PARSER_ERROR",
            "Cannot deserialize instance of date from VALUE_NUMBER_INT value 1727654400000",
            Value::Null,
        ),
        (
            with("CreatedDate", json!("2024-01-01T00:00:00Z")),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "Unable to create/update fields: CreatedDate.",
            json!(["CreatedDate"]),
        ),
        (
            with("Id", json!("00Q000000000001")),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "cannot specify Id in an insert call",
            json!(["Id"]),
        ),
        (
            with("OwnerId", json!("abc")),
            "MALFORMED_ID",
            "Owner ID: id value of incorrect type: abc",
            json!(["OwnerId"]),
        ),
        (
            with("OwnerId", json!("00Q000000000001EAA")),
            "FIELD_INTEGRITY_EXCEPTION",
            "Owner ID: id value of incorrect type",
            json!(["OwnerId"]),
        ),
        (
            with("OwnerId", json!("005000000000001AAA")),
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            json!([]),
        ),
        (
            with("NumberOfEmployees", json!(1_234_567_890)),
            "NUMBER_OUTSIDE_VALID_RANGE",
            "value outside of valid range",
            json!(["NumberOfEmployees"]),
        ),
    ] {
        let reply = lab.post("sobjects/Lead", body).await;
        assert_eq!(code(&reply), (400, expected));
        let error = &reply.1[0];
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
        assert_eq!(error.get("fields").cloned().unwrap_or_default(), fields, "{error}");
    }
    let reply = lab
        .send(lab.request("POST", "sobjects/Lead").header("content-type", "application/json").body("{"))
        .await;
    assert_eq!(code(&reply), (400, "JSON_PARSER_ERROR"));
    let reply =
        lab.send(lab.request("POST", "sobjects/Lead").header("content-type", "application/json")).await;
    assert_eq!(code(&reply), (400, "JSON_PARSER_ERROR"));
    let reply = lab
        .send(lab.request("POST", "sobjects/Lead").body("LastName=Doe").header("content-type", "text/plain"))
        .await;
    assert_eq!(code(&reply), (415, "UNSUPPORTED_MEDIA_TYPE"));
    assert!(lab.server.query("SELECT Id FROM Lead").unwrap().is_empty());
}

#[tokio::test]
async fn paths_that_lead_nowhere_say_so() {
    let lab = Lab::start().await;
    for path in [
        "sobjects/Nope",
        "nope",
        "actions/standard/convertLead",
        "sobjects/Lead/00Q000000000001EAA",
        "/services/data/v12.0/limits",
        "/nope",
    ] {
        assert_eq!(code(&lab.get(path).await), (404, "NOT_FOUND"), "{path}");
    }
    let reply = lab.get("sobjects/Lead/23foo").await;
    assert_eq!(
        reply.1[0]["message"],
        "Provided external ID field does not exist or is not accessible: 23foo"
    );
    let reply = lab.send(lab.request("PUT", "sobjects/Lead/00Q000000000001EAA")).await;
    assert_eq!(code(&reply), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(code(&lab.delete("sobjects/Lead").await), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(code(&lab.post("limits", json!({})).await), (405, "METHOD_NOT_ALLOWED"));
}

#[tokio::test]
async fn an_upsert_creates_once_and_then_changes() {
    let lab = Lab::start().await;
    let path = "sobjects/Lead/HubSpot_Contact_ID__c/5501";
    let (status, body) = lab.patch(path, doe()).await;
    assert_eq!((status, &body["created"]), (201, &json!(true)));
    let id = body["id"].clone();
    let (status, body) = lab.patch(&format!("{path}/"), json!({"Title": "VP"})).await;
    assert_eq!((status, &body["created"], &body["id"]), (200, &json!(false), &id));
    let old = "/services/data/v45.0/sobjects/Lead/HubSpot_Contact_ID__c/5501";
    assert_eq!(lab.patch(old, json!({"Title": "CEO"})).await, (204, Value::Null));
    let (status, lead) = lab.get(&format!("{path}?fields=Title")).await;
    assert_eq!((status, &lead["Title"], &lead["Id"]), (200, &json!("CEO"), &id));

    for body in [json!({"Id": id, "Title": "x"}), json!({"HubSpot_Contact_ID__c": "5501"})] {
        assert_eq!(code(&lab.patch(path, body).await), (400, "INVALID_FIELD"));
    }
    let reply = lab.patch("sobjects/Lead/Nope__c/1", doe()).await;
    assert_eq!(code(&reply), (404, "NOT_FOUND"));
    assert_eq!(
        reply.1[0]["message"],
        "Provided external ID field does not exist or is not accessible: Nope__c"
    );
    assert_eq!(code(&lab.get("sobjects/Lead/HubSpot_Contact_ID__c/404").await), (404, "NOT_FOUND"));
    let reply = lab.patch("sobjects/Lead/HubSpot_Contact_ID__c/404?updateOnly=true", doe()).await;
    assert_eq!(code(&reply), (404, "NOT_FOUND"));
    assert_eq!(lab.delete(path).await.0, 204);
}

#[tokio::test]
async fn keys_are_decoded_and_unique() {
    let lab = Lab::start().await;
    let (status, _) = lab.patch("sobjects/Lead/HubSpot_Contact_ID__c/a%2Fb%20%C3%BC.json", doe()).await;
    assert_eq!(status, 201);
    let found = lab.column("SELECT HubSpot_Contact_ID__c FROM Lead", "HubSpot_Contact_ID__c").await;
    assert_eq!(found, [json!("a/b ü.json")]);
    let id = lab.create("Lead", json!({"LastName": "A", "Company": "B", "HubSpot_Contact_ID__c": "X"})).await;
    let reply = lab
        .post("sobjects/Lead", json!({"LastName": "A", "Company": "B", "HubSpot_Contact_ID__c": "x"}))
        .await;
    assert_eq!(code(&reply), (400, "DUPLICATE_VALUE"));
    let message = format!(
        "duplicate value found: HubSpot_Contact_ID__c duplicates value on record with id: {}",
        &id[..15]
    );
    assert_eq!(reply.1[0]["message"], message);
}

#[tokio::test]
async fn several_records_of_one_key_are_a_choice() {
    let lab = Lab::start().await;
    for last in ["A", "B"] {
        lab.create("Contact", json!({"LastName": last, "Email": "same@acme.test"})).await;
    }
    let (status, urls) = lab.get("sobjects/Contact/Email/same%40acme.test").await;
    assert_eq!(status, 300);
    assert_eq!(urls.as_array().unwrap().len(), 2);
    assert!(urls[0].as_str().unwrap().starts_with("/services/data/v58.0/sobjects/Contact/003"));
}

#[tokio::test]
async fn concurrent_upserts_create_one_record() {
    let lab = Lab::start().await;
    let path = "sobjects/Lead/HubSpot_Contact_ID__c/7";
    let tries = (0..20).map(|_| lab.patch(path, doe()));
    let replies = futures_util::future::join_all(tries).await;
    assert_eq!(replies.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|(status, _)| *status == 200).count(), 19);
    assert_eq!(lab.query("SELECT COUNT() FROM Lead").await.1["totalSize"], 1);
}

#[tokio::test]
async fn references_may_name_a_foreign_key() {
    let lab = Lab::start().await;
    let account = lab.create("Account", json!({"Name": "Acme", "HubSpot_Company_ID__c": "77"})).await;
    let body = json!({"LastName": "Doe", "Account": {"HubSpot_Company_ID__c": "77"}});
    let contact = lab.create("Contact", body).await;
    let (_, body) = lab.get(&format!("sobjects/Contact/{contact}/Account?fields=Name")).await;
    assert_eq!((&body["Id"], &body["Name"]), (&json!(account), &json!("Acme")));
    let (_, body) = lab.get(&format!("sobjects/Account/{account}/Contacts")).await;
    assert_eq!(body["totalSize"], 1);
    let reply = lab
        .post("sobjects/Contact", json!({"LastName": "Doe", "Account": {"HubSpot_Company_ID__c": "0"}}))
        .await;
    assert_eq!(code(&reply), (400, "INVALID_FIELD"));
    assert_eq!(lab.delete(&format!("sobjects/Account/{account}")).await.0, 204);
    assert_eq!(code(&lab.get(&format!("sobjects/Contact/{contact}")).await), (404, "ENTITY_IS_DELETED"));
}

#[tokio::test]
async fn changes_are_listed() {
    let lab = Lab::start().await;
    let kept = lab.create("Lead", doe()).await;
    let gone = lab.create("Lead", doe()).await;
    lab.delete(&format!("sobjects/Lead/{gone}")).await;
    let day = |offset: i64| {
        let instant = super::now() + chrono::Duration::days(offset);
        instant.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
    };
    let range = [("start", day(-1)), ("end", day(1))];
    let (status, body) = lab.send(lab.request("GET", "sobjects/Lead/updated/").query(&range)).await;
    assert_eq!((status, &body["ids"]), (200, &json!([kept])));
    assert!(body["latestDateCovered"].is_string());
    let (status, body) = lab.send(lab.request("GET", "sobjects/Lead/deleted/").query(&range)).await;
    assert_eq!((status, &body["deletedRecords"][0]["id"]), (200, &json!(gone)));
    let reply = lab.get("sobjects/Lead/updated?start=x&end=y").await;
    assert_eq!(code(&reply), (400, "INVALID_REPLICATION_DATE"));
}
