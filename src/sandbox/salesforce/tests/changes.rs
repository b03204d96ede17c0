use serde_json::{Value, json};

use super::super::SalesforceConfig;
use super::{Lab, code, doe};

const REP: &str = "rep@acme.test";

async fn lab() -> Lab {
    let seed = json!({"users": [{"username": REP, "first_name": "Rita", "last_name": "Rep"}]});
    Lab::with(SalesforceConfig { seed, query_page_size: 40, ..SalesforceConfig::default() }).await
}

async fn clock(lab: &Lab, setting: Value) {
    let (status, body) = lab.send(lab.request("PUT", "/_sandbox/clock").json(&setting)).await;
    assert_eq!(status, 200, "{body}");
}

/// Ids that a keyset poll by `(SystemModstamp, Id)` meets, page by page.
async fn polled(lab: &Lab, object: &str, page: usize) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let (mut at, mut last) = ("2020-01-01T00:00:00.000+0000".to_owned(), "000000000000000".to_owned());
    loop {
        let literal = at.replace("+0000", "Z");
        let soql = format!(
            "SELECT Id, SystemModstamp, IsDeleted FROM {object} WHERE (SystemModstamp > {literal} OR \
             (SystemModstamp = {literal} AND Id > '{last}')) ORDER BY SystemModstamp, Id LIMIT {page}"
        );
        let (status, body) = lab.send(lab.request("GET", "queryAll/").query(&[("q", &soql)])).await;
        assert_eq!(status, 200, "{body}");
        let rows = body["records"].as_array().cloned().unwrap_or_default();
        let Some(end) = rows.last() else { return seen };
        at = end["SystemModstamp"].as_str().unwrap().to_owned();
        last = end["Id"].as_str().unwrap().to_owned();
        seen.extend(rows.iter().map(|row| row["Id"].as_str().unwrap().to_owned()));
    }
}

#[tokio::test]
async fn many_rows_at_one_instant_are_each_met_once() {
    let lab = lab().await;
    clock(&lab, json!({"now": "2026-03-01T12:00:00.750Z", "frozen": true})).await;
    let mut made = Vec::new();
    for _ in 0..90 {
        made.push(lab.server.create("Lead", &doe()).unwrap());
    }
    let stamps = lab.column("SELECT SystemModstamp FROM Lead LIMIT 1", "SystemModstamp").await;
    assert_eq!(stamps, ["2026-03-01T12:00:00.000+0000"], "whole seconds");
    let mut met = polled(&lab, "Lead", 7).await;
    assert_eq!(met.len(), 90);
    met.sort();
    made.sort();
    assert_eq!(met, made);
    let (_, first) = lab.query("SELECT Id FROM Lead ORDER BY SystemModstamp, Id").await;
    assert_eq!((&first["totalSize"], first["records"].as_array().unwrap().len()), (&json!(90), 40));
    assert!(first["nextRecordsUrl"].is_string());
}

#[tokio::test]
async fn the_organisations_clock_can_differ_from_ours() {
    let lab = lab().await;
    clock(&lab, json!({"now": "2026-03-01T12:00:00Z", "frozen": true})).await;
    let response = lab.request("GET", "limits").send().await.unwrap();
    assert_eq!(response.headers()["date"], "Sun, 01 Mar 2026 12:00:00 GMT");
    clock(&lab, json!({"offset_seconds": -90})).await;
    let (_, body) = lab.get("/_sandbox/clock").await;
    let told: chrono::DateTime<chrono::Utc> = body["now"].as_str().unwrap().parse().unwrap();
    let behind = (super::now() - told).num_seconds();
    assert!((85..=95).contains(&behind), "{behind}");
    assert_eq!(lab.delete("/_sandbox/clock").await.0, 200);
}

#[tokio::test]
async fn deletions_are_told_within_their_bounds() {
    let lab = lab().await;
    clock(&lab, json!({"now": "2026-03-01T12:00:30Z", "frozen": true})).await;
    let gone = lab.create("Lead", doe()).await;
    assert_eq!(lab.delete(&format!("sobjects/Lead/{gone}")).await.0, 204);
    let ask = |what: &'static str, start: &'static str, end: &'static str| {
        let range = [("start", start), ("end", end)];
        lab.send(lab.request("GET", &format!("sobjects/Lead/{what}/")).query(&range))
    };
    let (_, body) = ask("deleted", "2026-03-01T11:00:00Z", "2026-03-01T12:01:00Z").await;
    assert_eq!(body["deletedRecords"], json!([{"id": gone, "deletedDate": "2026-03-01T12:00:30.000+0000"}]));
    assert_eq!(body["earliestDateAvailable"], "2026-02-14T12:00:30.000+0000");
    let (_, body) = ask("deleted", "2026-03-01T11:00:00Z", "2026-03-01T12:00:59Z").await;
    assert_eq!(body["deletedRecords"], json!([]), "seconds are ignored");
    for (what, start, end) in [
        ("deleted", "2026-03-01T12:00:00Z", "2026-03-01T12:00:50Z"),
        ("updated", "2026-03-01T12:00:00Z", "2026-03-01T11:00:00Z"),
        ("updated", "2026-01-01T12:00:00Z", "2026-03-01T11:00:00Z"),
        ("deleted", "2026-01-01T12:00:00Z", "2026-03-01T11:00:00Z"),
    ] {
        assert_eq!(code(&ask(what, start, end).await), (400, "INVALID_REPLICATION_DATE"), "{what} {start}");
    }
    clock(&lab, json!({"now": "2026-03-17T12:00:00Z", "frozen": true})).await;
    let (status, body) = ask("deleted", "2026-02-20T00:00:00Z", "2026-03-17T12:00:00Z").await;
    assert_eq!((status, &body["deletedRecords"]), (200, &json!([])), "fifteen days are over");
}

#[tokio::test]
async fn people_change_delete_and_take_back() {
    let lab = lab().await;
    let account = lab.create("Account", json!({"Name": "Acme"})).await;
    let contact = lab.create("Contact", json!({"LastName": "Doe", "AccountId": account})).await;
    let rep =
        lab.server.query(&format!("SELECT Id FROM User WHERE Username = '{REP}'")).unwrap()[0]["Id"].clone();
    let path = format!("/_sandbox/records/Contact/{contact}");
    let (status, body) = lab.patch(&format!("{path}?user={REP}"), json!({"Title": "CFO"})).await;
    assert_eq!((status, &body["Title"], &body["LastModifiedById"]), (200, &json!("CFO"), &rep));
    assert_eq!(lab.patch(&format!("{path}?user=nobody"), json!({})).await.0, 400);
    lab.server.change_as(REP, "Contact", &contact, &json!({"Title": "CEO"})).unwrap();
    assert!(lab.server.change_as("nobody", "Contact", &contact, &json!({})).is_err());
    assert_eq!(lab.delete(&format!("/_sandbox/records/Account/{account}?user={REP}")).await.0, 204);
    assert_eq!(lab.query("SELECT COUNT() FROM Contact").await.1["totalSize"], 0, "it went with its account");
    let undelete = format!("/_sandbox/records/Account/{account}/undelete");
    assert_eq!(lab.post(&undelete, json!({})).await.0, 204);
    assert_eq!(lab.column("SELECT Title FROM Contact", "Title").await, ["CEO"]);
    assert_eq!(code(&lab.post(&undelete, json!({})).await), (400, "UNDELETE_FAILED"));
    assert!(lab.server.undelete("Contact", &contact).is_err());
}

#[tokio::test]
async fn a_merge_touches_what_it_changes() {
    let lab = lab().await;
    clock(&lab, json!({"now": "2026-03-01T12:00:00Z", "frozen": true})).await;
    let (kept, lost) = (
        lab.create("Account", json!({"Name": "A"})).await,
        lab.create("Account", json!({"Name": "B"})).await,
    );
    let contact = lab.create("Contact", json!({"LastName": "Doe", "AccountId": lost})).await;
    clock(&lab, json!({"now": "2026-03-02T12:00:00Z", "frozen": true})).await;
    let merged =
        lab.post(&format!("/_sandbox/merge/Account?user={REP}"), json!({"master": kept, "lost": lost})).await;
    assert_eq!(merged.0, 204);
    let second = "2026-03-02T12:00:00.000+0000";
    let (kept, lost) = (lab.server.get("Account", &kept).unwrap(), lab.server.get("Account", &lost).unwrap());
    assert_eq!((&kept["SystemModstamp"], &lost["MasterRecordId"]), (&json!(second), &kept["Id"]));
    let contact = lab.server.get("Contact", &contact).unwrap();
    assert_eq!((&contact["AccountId"], &contact["SystemModstamp"]), (&kept["Id"], &json!(second)));
    assert_eq!(contact["LastModifiedDate"], "2026-03-01T12:00:00.000+0000");
    let undelete = format!("/_sandbox/records/Account/{}/undelete", lost["Id"].as_str().unwrap());
    assert_eq!(lab.post(&undelete, json!({})).await.0, 204);
    assert_eq!(
        lab.server.get("Account", lost["Id"].as_str().unwrap()).unwrap()["MasterRecordId"],
        Value::Null
    );
}

#[tokio::test]
async fn a_rep_converts_over_the_side_door() {
    let lab = lab().await;
    let account = lab.create("Account", json!({"Name": "Acme"})).await;
    let lead = lab.create("Lead", doe()).await;
    let path = format!("/_sandbox/records/Lead/{lead}/convert?user={REP}");
    let form = json!({"accountId": account, "doNotCreateOpportunity": true});
    let (status, body) = lab.post(&path, form).await;
    assert_eq!((status, &body["accountId"], &body["opportunityId"]), (200, &json!(account), &Value::Null));
    let lead = lab.server.get("Lead", &lead).unwrap();
    assert_eq!((&lead["IsConverted"], &lead["ConvertedContactId"]), (&json!(true), &body["contactId"]));
    assert_eq!(code(&lab.post(&path, json!({})).await), (400, "CANNOT_UPDATE_CONVERTED_LEAD"));
}

#[tokio::test]
async fn the_schema_changes_under_a_client() {
    let lab = lab().await;
    let schema = |field: &str| format!("/_sandbox/schema/Lead/{field}");
    assert_eq!(lab.patch(&schema("Title"), json!({"length": 3})).await.0, 200);
    assert_eq!(
        lab.patch(&schema("LeadSource"), json!({"restricted": true, "deactivate": ["Web"]})).await.0,
        200
    );
    assert_eq!(lab.patch(&schema("NumberOfEmployees"), json!({"type": "string", "length": 10})).await.0, 200);
    assert_eq!(
        lab.patch(&schema("Region__c"), json!({"type": "string", "externalId": true, "unique": true}))
            .await
            .0,
        200
    );
    let with = |field: &str, value: Value| {
        let mut lead = doe();
        lead[field] = value;
        lead
    };
    for (field, value, expected) in [
        ("Title", json!("Chief"), "STRING_TOO_LONG"),
        ("LeadSource", json!("Web"), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
    ] {
        assert_eq!(code(&lab.post("sobjects/Lead", with(field, value)).await), (400, expected));
    }
    assert_eq!(lab.post("sobjects/Lead", with("NumberOfEmployees", json!("many"))).await.0, 201);
    assert_eq!(lab.patch("sobjects/Lead/Region__c/EMEA", doe()).await.0, 201);
    assert_eq!(lab.patch(&schema("Phone"), json!({"required": true})).await.0, 200);
    assert_eq!(code(&lab.post("sobjects/Lead", doe()).await), (400, "REQUIRED_FIELD_MISSING"));
    assert_eq!(lab.delete(&schema("Phone")).await.0, 204);
    assert_eq!(code(&lab.post("sobjects/Lead", with("Phone", json!("1"))).await), (400, "INVALID_FIELD"));
    assert_eq!(code(&lab.query("SELECT Phone FROM Lead").await), (400, "INVALID_FIELD"));
    let (_, described) = lab.get("sobjects/Lead/describe").await;
    let names: Vec<&Value> =
        described["fields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert!(names.contains(&&json!("Region__c")) && !names.contains(&&json!("Phone")));
    assert_eq!(lab.delete(&schema("Id")).await.0, 400);
    assert_eq!(lab.delete(&schema("Phone")).await.0, 400);
    assert_eq!(lab.post("/_sandbox/reset", json!({})).await.0, 204);
    assert_eq!(lab.query("SELECT Phone FROM Lead").await.0, 200);
}

#[tokio::test]
async fn activities_are_created_and_polled() {
    let lab = lab().await;
    let lead = lab.create("Lead", doe()).await;
    let task = json!({"WhoId": lead, "Subject": "Call", "ActivityDate": "2026-03-04", "Status": "Completed", "Description": "Talked"});
    lab.create("Task", task).await;
    let event = json!({"WhoId": lead, "Subject": "Demo", "StartDateTime": "2026-03-04T10:00:00Z", "DurationInMinutes": 30});
    let event = lab.create("Event", event).await;
    let event = lab.server.get("Event", &event).unwrap();
    assert_eq!(
        (&event["EndDateTime"], &event["ActivityDate"]),
        (&json!("2026-03-04T10:30:00.000+0000"), &json!("2026-03-04"))
    );
    assert_eq!((polled(&lab, "Task", 5).await.len(), polled(&lab, "Event", 5).await.len()), (1, 1));
    let soql = format!("SELECT Subject, IsClosed, Who.Name FROM Task WHERE WhoId = '{lead}'");
    let (_, body) = lab.query(&soql).await;
    assert_eq!(
        (&body["records"][0]["IsClosed"], &body["records"][0]["Who"]["Name"]),
        (&json!(true), &json!("Jane Doe")),
        "{body}"
    );
    assert_eq!(lab.get("sobjects/Event/describe").await.1["keyPrefix"], "00U");
}
