use serde_json::json;

use super::{Lab, code};

#[tokio::test]
async fn later_requests_refer_to_earlier_ones() {
    let lab = Lab::start().await;
    let root = "/services/data/v58.0";
    let body = json!({"compositeRequest": [
        {"method": "POST", "url": format!("{root}/sobjects/Account"), "referenceId": "acme", "body": {"Name": "Acme"}},
        {"method": "POST", "url": format!("{root}/sobjects/Contact"), "referenceId": "jane",
         "body": {"LastName": "Doe", "AccountId": "@{acme.id}"}},
        {"method": "GET", "url": format!("{root}/query?q=SELECT+Id,Account.Name+FROM+Contact+WHERE+Id='@{{jane.id}}'"),
         "referenceId": "found"},
        {"method": "PATCH", "url": format!("{root}/sobjects/Contact/@{{found.records[0].Id}}"), "referenceId": "change",
         "body": {"Title": "VP"}},
        {"method": "GET", "url": format!("{root}/sobjects/Contact/@{{nobody.id}}"), "referenceId": "broken"},
    ]});
    let (status, body) = lab.post("composite", body).await;
    assert_eq!(status, 200);
    let answers = &body["compositeResponse"];
    let statuses: Vec<_> = (0..5).map(|index| answers[index]["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 200, 204, 400], "{body}");
    assert_eq!(answers[2]["body"]["records"][0]["Account"]["Name"], "Acme");
    assert!(answers[0]["httpHeaders"]["Location"].as_str().unwrap().contains("/sobjects/Account/001"));
    assert!(answers[3]["body"].is_null());
    assert_eq!(answers[4]["body"][0]["errorCode"], "PROCESSING_HALTED");
}

#[tokio::test]
async fn all_or_none_halts_the_others() {
    let lab = Lab::start().await;
    let create = |reference: &str, body| json!({"method": "POST", "url": "/services/data/v58.0/sobjects/Account", "referenceId": reference, "body": body});
    let requests =
        json!([create("a", json!({"Name": "A"})), create("b", json!({})), create("c", json!({"Name": "C"}))]);
    let (status, body) =
        lab.post("composite/", json!({"allOrNone": true, "compositeRequest": requests})).await;
    assert_eq!(status, 200);
    let codes: Vec<_> = (0..3)
        .map(|index| body["compositeResponse"][index]["body"][0]["errorCode"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]);
    assert_eq!(lab.query("SELECT COUNT() FROM Account").await.1["totalSize"], 0);
    let many: Vec<_> = (0..26).map(|index| create(&format!("r{index}"), json!({"Name": "A"}))).collect();
    let reply = lab.post("composite", json!({"compositeRequest": many})).await;
    assert_eq!(code(&reply), (400, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn a_batch_runs_its_requests_apart() {
    let lab = Lab::start().await;
    let body = json!({"haltOnError": true, "batchRequests": [
        {"method": "POST", "url": "v58.0/sobjects/Account", "richInput": {"Name": "Acme"}},
        {"method": "GET", "url": "v58.0/sobjects/Account/001000000000009AAA"},
        {"method": "GET", "url": "v58.0/limits"},
    ]});
    let (status, body) = lab.post("composite/batch", body).await;
    assert_eq!((status, &body["hasErrors"]), (200, &json!(true)));
    let statuses: Vec<_> =
        (0..3).map(|index| body["results"][index]["statusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 404, 412]);
}

#[tokio::test]
async fn a_tree_is_created_whole_or_not_at_all() {
    let lab = Lab::start().await;
    let tree = |last: &str| {
        json!({"records": [{
            "attributes": {"type": "Account", "referenceId": "a"}, "Name": "Acme",
            "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": last}]},
        }]})
    };
    let (status, body) = lab.post("composite/tree/Account", tree("")).await;
    assert_eq!((status, &body["hasErrors"]), (400, &json!(true)));
    assert_eq!(body["results"][0]["referenceId"], "c");
    assert_eq!(body["results"][0]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let (status, body) = lab.post("composite/tree/Account", tree("Doe")).await;
    assert_eq!((status, &body["hasErrors"]), (201, &json!(false)));
    let names = lab.column("SELECT Account.Name FROM Contact", "Account").await;
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["Name"], "Acme");
}
