use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Client, Got, error, http};

/// Puts a fault for the next request, whatever it is.
async fn put(client: &Client, fault: Value) {
    let put = client.post("/_sandbox/faults", fault).await;
    assert_eq!(put.status, 204, "{}", put.body);
}

async fn answered(client: &Client, fault: Value) -> Got {
    put(client, fault).await;
    client.get("/crm/v3/objects/contacts").await
}

#[tokio::test]
async fn named_answers_have_hubspots_shape() {
    let client = Client::new().await;
    for (name, status, category) in [
        ("expired_token", 401, "EXPIRED_AUTHENTICATION"),
        ("rotated_token", 401, "INVALID_AUTHENTICATION"),
        ("limit_reached", 403, "FORBIDDEN"),
        ("not_found", 404, "OBJECT_NOT_FOUND"),
        ("contact_exists", 409, "CONFLICT"),
        ("invalid_option", 400, "VALIDATION_ERROR"),
        ("locked", 423, "LOCKED"),
        ("server_error", 500, "INTERNAL_ERROR"),
        ("bad_gateway", 502, "INTERNAL_ERROR"),
        ("unavailable", 503, "INTERNAL_ERROR"),
        ("gateway_timeout", 504, "INTERNAL_ERROR"),
    ] {
        let got = answered(&client, json!({"answer": name})).await;
        let (found, shown, _) = error(&got);
        assert_eq!((found, shown), (status, category), "{name}");
    }
    for (name, policy) in [
        ("ten_secondly_limit", "TEN_SECONDLY_ROLLING"),
        ("daily_limit", "DAILY"),
        ("search_limit", "SECONDLY"),
    ] {
        let got = answered(&client, json!({"answer": format!("hubspot.{name}")})).await;
        assert_eq!((got.status, &got.body["policyName"]), (429, &json!(policy)));
        assert_eq!(got.body["errorType"], "RATE_LIMIT");
    }
    let limited = answered(&client, json!({"answer": "daily_limit"})).await;
    assert_eq!(limited.headers["x-hubspot-ratelimit-daily-remaining"], "0");
    for (name, status) in
        [("origin_down", 521), ("origin_timeout", 522), ("origin_unreachable", 523), ("origin_slow", 524)]
    {
        let got = answered(&client, json!({"answer": name})).await;
        assert_eq!((got.status, &got.body), (status, &Value::Null));
        assert!(got.headers["content-type"].to_str().is_ok_and(|media| media.starts_with("text/plain")));
    }
    let moving = answered(&client, json!({"answer": "migrating", "with": {"retry_after": 3}})).await;
    assert_eq!((moving.status, moving.headers["retry-after"].to_str().ok()), (477, Some("3")));
    let scopes = json!({"answer": "missing_scopes", "with": {"scopes": ["timeline"]}});
    let refused = answered(&client, scopes).await;
    assert_eq!(error(&refused).1, "MISSING_SCOPES");
    assert_eq!(refused.body["errors"][0]["context"]["requiredGranularScopes"], json!(["timeline"]));
}

#[tokio::test]
async fn property_errors_stand_in_errors_in_the_message_or_in_both() {
    let client = Client::new().await;
    let with = json!({"property": "plan", "value": "gold"});
    let both = answered(&client, json!({"answer": "invalid_option", "with": with})).await;
    assert_eq!(both.body["errors"][0]["code"], "INVALID_OPTION");
    let listed = |got: &Got| -> Value {
        let message = got.body["message"].as_str().unwrap_or_default();
        let (_, listed) = message.split_once(": ").unwrap_or_default();
        serde_json::from_str(listed).unwrap_or_default()
    };
    assert_eq!(
        (&listed(&both)[0]["name"], &listed(&both)[0]["propertyValue"]),
        (&json!("plan"), &json!("gold"))
    );
    let only = json!({"answer": "property_doesnt_exist", "with": {"property": "x", "in_errors": false}});
    let only = answered(&client, only).await;
    assert_eq!(
        (&only.body["errors"], &listed(&only)[0]["error"]),
        (&Value::Null, &json!("PROPERTY_DOESNT_EXIST"))
    );
    let apart = answered(&client, json!({"answer": "invalid_date", "with": {"in_message": false}})).await;
    assert_eq!((&listed(&apart), &apart.body["errors"][0]["code"]), (&Value::Null, &json!("INVALID_DATE")));
}

#[tokio::test]
async fn an_existing_contact_is_told_with_its_id_only_to_a_single_create() {
    let client = Client::new().await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    put(&client, json!({"answer": "contact_exists", "operation": "hubspot.*create", "times": "always"}))
        .await;
    let one =
        client.post("/crm/v3/objects/contacts", json!({"properties": {"email": "a@acme.example"}})).await;
    assert_eq!(error(&one).2, format!("Contact already exists. Existing ID: {id}"));
    let inputs = json!({"inputs": [{"properties": {"email": "b@acme.example"}}]});
    let many = client.post("/crm/v3/objects/contacts/batch/create", inputs).await;
    assert_eq!(error(&many), (409, "CONFLICT", "Contact already exists"));
}

#[tokio::test]
async fn single_inputs_of_a_batch_fail_and_the_others_are_written() {
    let client = Client::new().await;
    let fault = json!({"answer": "partial", "record": {"object": "contacts", "contains": "b@acme"},
        "with": {"message": "no", "category": "VALIDATION_ERROR"}, "times": "always", "name": "bad-row"});
    put(&client, fault).await;
    let input =
        |trace: &str, email: &str| json!({"objectWriteTraceId": trace, "properties": {"email": email}});
    let inputs = json!({"inputs": [input("1", "a@acme.example"), input("2", "b@acme.example")]});
    let part = client.post("/crm/v3/objects/contacts/batch/create", inputs).await;
    assert_eq!((part.status, &part.body["numErrors"]), (207, &json!(1)), "{}", part.body);
    assert_eq!(part.body["results"][0]["properties"]["email"], "a@acme.example");
    assert_eq!(part.body["errors"][0]["context"]["objectWriteTraceId"], json!(["2"]));
    let untraced = json!({"inputs": [{"properties": {"email": "c@acme.example"}}, {"properties": {"email": "b@acme.example"}}]});
    assert_eq!(error(&client.post("/crm/v3/objects/contacts/batch/create", untraced).await).0, 400);
    let one = json!({"properties": {"email": "b@acme.example"}});
    assert_eq!(error(&client.post("/crm/v3/objects/contacts", one).await), (400, "VALIDATION_ERROR", "no"));
    assert_eq!(client.server.records("contact").len(), 1);
    let usage = client.get("/_sandbox/faults").await;
    assert_eq!(
        (&usage.body["faults"][0]["used"], &usage.body["faults"][0]["name"]),
        (&json!(3), &json!("bad-row"))
    );
    assert_eq!(client.delete("/_sandbox/faults/bad-row").await.status, 204);
    assert_eq!(client.delete("/_sandbox/faults/bad-row").await.status, 404);
}

#[tokio::test]
async fn the_line_breaks_before_or_after_the_write() {
    let client = Client::new().await;
    let create = |email: &str| {
        let body = json!({"properties": {"email": email}});
        let url = format!("{}/crm/v3/objects/contacts", client.server.base_url());
        let request = http().post(url).bearer_auth("pat-na1-sandbox").json(&body);
        request.timeout(Duration::from_millis(300)).send()
    };
    for (fault, written) in [
        (json!({"answer": "reset"}), 0),
        (json!({"answer": "reset", "moment": "after"}), 1),
        (json!({"answer": "timeout", "delay_ms": 5_000}), 1),
        (json!({"answer": "timeout", "delay_ms": 5_000, "moment": "after"}), 2),
    ] {
        put(&client, fault.clone()).await;
        let broken = create(&format!("{written}-{}@acme.example", fault["moment"] == "after")).await;
        let broken = broken.expect_err("no answer");
        assert_eq!(broken.is_timeout(), fault["answer"] == "timeout", "{fault}: {broken}");
        assert_eq!(client.server.records("contact").len(), written, "{fault}");
        assert_eq!(client.server.call_log().last().map(|call| call.status), Some(0));
    }
    assert!(create("last@acme.example").await.is_ok_and(|answer| answer.status() == 201));
}

#[tokio::test]
async fn answers_are_spoiled() {
    let client = Client::new().await;
    client.create("contacts", json!({"email": "a@acme.example"})).await;
    let url = format!("{}/crm/v3/objects/contacts", client.server.base_url());
    let plain = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let plain = plain.expect("a client");
    let ask = || async {
        let request = plain.get(&url).bearer_auth("pat-na1-sandbox").timeout(Duration::from_millis(500));
        request.send().await.expect("a head")
    };
    put(&client, json!({"answer": "truncated_body"})).await;
    let cut = ask().await;
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err(), "the body ends too early");
    put(&client, json!({"answer": "slow_body", "delay_ms": 5_000})).await;
    assert!(ask().await.bytes().await.expect_err("too slow").is_timeout());
    put(&client, json!({"answer": "slow_body", "delay_ms": 50})).await;
    assert!(ask().await.json::<Value>().await.expect("JSON")["results"].is_array());
    put(&client, json!({"answer": "late", "delay_ms": 20})).await;
    assert!(ask().await.json::<Value>().await.is_ok());
    put(&client, json!({"answer": "empty_body"})).await;
    assert!(ask().await.bytes().await.expect("a body").is_empty());
    put(&client, json!({"answer": "wrong_content_type"})).await;
    assert!(ask().await.headers()["content-type"].to_str().is_ok_and(|media| media.starts_with("text/html")));
    put(&client, json!({"answer": "not_json"})).await;
    let page = ask().await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.expect("text").starts_with("<!DOCTYPE html>"));
    put(&client, json!({"answer": "maintenance_page"})).await;
    assert_eq!(ask().await.status(), 503);
    put(&client, json!({"answer": "redirect_other_host", "with": {"location": "https://evil.example/"}}))
        .await;
    let moved = ask().await;
    assert_eq!(
        (moved.status().as_u16(), moved.headers()["location"].to_str().ok()),
        (302, Some("https://evil.example/"))
    );
    put(&client, json!({"answer": "redirect_http", "status": 308})).await;
    let moved = ask().await;
    assert_eq!(
        (moved.status().as_u16(), moved.headers()["location"].to_str().ok()),
        (308, Some(url.as_str()))
    );
}

#[tokio::test]
async fn calls_are_counted_by_operation_and_faults_are_listed_and_checked() {
    let client = Client::new().await;
    put(
        &client,
        json!([{"operation": "hubspot.search", "nth": 2, "status": 500}, {"object": "0-2", "status": 502}]),
    )
    .await;
    for status in [200, 500, 200] {
        assert_eq!(client.post("/crm/v3/objects/contacts/search", json!({})).await.status, status);
    }
    assert_eq!(client.get("/crm/v3/objects/companies").await.status, 502);
    let calls = client.get("/_sandbox/calls").await.body;
    assert_eq!(calls["operations"], json!({"hubspot.list": 1, "hubspot.search": 3}));
    assert_eq!(
        (&calls["calls"][1]["fault"], &calls["calls"][1]["object"]),
        (&json!("fault-1"), &json!("contact"))
    );
    assert_eq!(client.delete("/_sandbox/calls").await.status, 204);
    assert!(client.server.calls_by_operation().is_empty());
    assert!(client.server.faults().iter().all(|fault| fault.spent));
    for (fault, words) in [
        (json!({"answer": "no_such"}), "there is no answer `no_such`"),
        (json!({"side": "salesforce", "status": 500}), "for salesforce, not for hubspot"),
        (json!({"operation": "batch_read"}), "`hubspot.batch_read`"),
        (json!({"answer": "reset", "record": {}}), "strikes whole requests"),
        (json!({"answer": "locked", "with": {"x": 1}}), "takes no `x`"),
    ] {
        let refused = client.post("/_sandbox/faults", fault).await;
        assert!(error(&refused).2.contains(words), "{}", refused.body);
    }
    assert_eq!(client.send(Method::PUT, "/_sandbox/faults", None).await.status, 405);
    assert_eq!(client.post("/_sandbox/reset", json!({})).await.status, 204);
    assert!(client.server.faults().is_empty());
}

#[tokio::test]
async fn the_side_door_sets_and_stops_the_clock() {
    let client = Client::new().await;
    let set = client.put("/_sandbox/clock", json!({"now": "2026-03-01T12:00:00Z", "frozen": true})).await;
    assert_eq!((set.status, &set.body["now"]), (200, &json!("2026-03-01T12:00:00.000Z")));
    let created =
        client.post("/crm/v3/objects/contacts", json!({"properties": {"email": "a@acme.example"}})).await;
    assert!(created.body["createdAt"].as_str().is_some_and(|at| at.starts_with("2026-03-01T12:00:00")));
    assert_eq!(client.put("/_sandbox/clock", json!({"when": 1})).await.status, 400);
    assert_eq!(client.delete("/_sandbox/clock").await.status, 200);
}
