use serde_json::{Value, json};

use super::{Client, error};
use crate::sandbox::hubspot::HubspotConfig;

const SEARCH: &str = "/crm/v3/objects/contacts/search";

async fn people() -> Client {
    let client = Client::new().await;
    for (email, city, score) in [
        ("anna@acme.example", "Rome", "5"),
        ("bert@acme.example", "Oslo", "40"),
        ("carl@other.example", "", "100"),
    ] {
        client
            .create("contacts", json!({"email": email, "city": city, "hubscore": score, "lastname": "Smith"}))
            .await;
    }
    client
}

async fn found(client: &Client, filters: Value) -> Vec<String> {
    let body = json!({"filterGroups": [{"filters": filters}], "sorts": ["email"], "properties": ["email"]});
    let answer = client.post(SEARCH, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let results = answer.body["results"].as_array().expect("results");
    assert_eq!(answer.body["total"], json!(results.len()));
    let first = |one: &Value| one["properties"]["email"].as_str().unwrap_or_default()[..1].to_owned();
    results.iter().map(first).collect()
}

#[tokio::test]
async fn every_operator_filters() {
    let client = people().await;
    let cases = [
        (json!({"propertyName": "email", "operator": "EQ", "value": "ANNA@acme.example"}), "a"),
        (json!({"propertyName": "city", "operator": "NEQ", "value": "Rome"}), "bc"),
        (json!({"propertyName": "hubscore", "operator": "LT", "value": "40"}), "a"),
        (json!({"propertyName": "hubscore", "operator": "LTE", "value": 40}), "ab"),
        (json!({"propertyName": "hubscore", "operator": "GT", "value": "5"}), "bc"),
        (json!({"propertyName": "hubscore", "operator": "GTE", "value": "100"}), "c"),
        (json!({"propertyName": "hubscore", "operator": "BETWEEN", "value": "5", "highValue": "40"}), "ab"),
        (json!({"propertyName": "city", "operator": "IN", "values": ["rome", "oslo"]}), "ab"),
        (json!({"propertyName": "city", "operator": "IN", "values": ["Rome"]}), ""),
        (json!({"propertyName": "city", "operator": "NOT_IN", "values": ["rome"]}), "b"),
        (json!({"propertyName": "city", "operator": "HAS_PROPERTY"}), "ab"),
        (json!({"propertyName": "city", "operator": "NOT_HAS_PROPERTY"}), "c"),
        (json!({"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "*@acme.example"}), "ab"),
        (json!({"propertyName": "email", "operator": "NOT_CONTAINS_TOKEN", "value": "*@acme.example"}), "c"),
        (json!({"propertyName": "createdate", "operator": "GTE", "value": "1700000000000"}), "abc"),
        (json!({"propertyName": "lifecyclestage", "operator": "IN", "values": ["lead"]}), "abc"),
    ];
    for (filter, wanted) in cases {
        assert_eq!(found(&client, json!([filter])).await.concat(), wanted, "{filter}");
    }
}

#[tokio::test]
async fn groups_are_or_and_filters_are_and() {
    let client = people().await;
    let both = json!([
        {"propertyName": "lastname", "operator": "EQ", "value": "smith"},
        {"propertyName": "hubscore", "operator": "GT", "value": "50"},
    ]);
    assert_eq!(found(&client, both.clone()).await, ["c"]);
    let rome = json!([{"propertyName": "city", "operator": "EQ", "value": "Rome"}]);
    let body = json!({"filterGroups": [{"filters": both}, {"filters": rome}]});
    assert_eq!(client.post(SEARCH, body).await.body["total"], 2);
    assert_eq!(client.post(SEARCH, json!({"query": "acme smith"})).await.body["total"], 2);
    assert_eq!(client.post(SEARCH, json!({})).await.body["total"], 3);
}

#[tokio::test]
async fn results_are_sorted_and_paged() {
    let client = people().await;
    let sorts = json!([{"propertyName": "hubscore", "direction": "DESCENDING"}]);
    let body = json!({"filterGroups": [], "sorts": sorts, "properties": ["hubscore"], "limit": 2});
    let first = client.post(SEARCH, body).await.body;
    assert_eq!((&first["total"], &first["paging"]["next"]["after"]), (&json!(3), &json!("2")));
    assert_eq!(first["results"][0]["properties"]["hubscore"], "100");
    let body = json!({"sorts": sorts, "properties": ["hubscore"], "limit": 2, "after": "2"});
    let last = client.post(SEARCH, body).await.body;
    assert_eq!(last["results"][0]["properties"]["hubscore"], "5");
    assert!(last.get("paging").is_none());
}

#[tokio::test]
async fn what_a_search_cannot_do_is_a_400() {
    let client = people().await;
    let filter = |filter: Value| json!({"filterGroups": [{"filters": [filter]}]});
    let group = json!({"filters": [{"propertyName": "city", "operator": "HAS_PROPERTY"}]});
    let cases = [
        json!({"limit": 201}),
        json!({"limit": 200, "after": "9900"}),
        json!({"limit": 200, "after": "18446744073709551615"}),
        json!({"after": "-1"}),
        filter(json!({"propertyName": "nope", "operator": "EQ", "value": "x"})),
        filter(json!({"propertyName": "city", "operator": "LIKE", "value": "x"})),
        filter(json!({"propertyName": "city", "operator": "EQ"})),
        filter(json!({"propertyName": "city", "operator": "IN", "value": "x"})),
        filter(json!({"propertyName": "hubscore", "operator": "BETWEEN", "value": "1"})),
        json!({"filterGroups": vec![group; 6]}),
        json!({"filterGroups": {"filters": []}}),
        json!({"sorts": ["nope"]}),
    ];
    for body in cases {
        let refused = client.post(SEARCH, body.clone()).await;
        assert_eq!(error(&refused).0, 400, "{body}");
    }
}

#[tokio::test]
async fn changes_are_polled_in_the_order_of_their_time() {
    let client = Client::new().await;
    let at = async |when: &str| {
        client.put("/_sandbox/clock", json!({"now": when, "frozen": true})).await;
    };
    let mut ids = Vec::new();
    for (minute, email) in [(3, "c@acme.example"), (1, "a@acme.example"), (2, "b@acme.example")] {
        at(&format!("2026-03-01T12:0{minute}:00Z")).await;
        ids.push(client.create("contacts", json!({"email": email})).await);
    }
    at("2026-03-01T12:09:00Z").await;
    client
        .patch(&format!("/crm/v3/objects/contacts/{}", ids[1]), json!({"properties": {"city": "Rome"}}))
        .await;
    let since =
        json!([{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "2026-03-01T12:02:00Z"}]);
    let body = json!({"filterGroups": [{"filters": since}], "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]});
    let found = client.post(SEARCH, body).await.body;
    let order: Vec<&str> =
        found["results"].as_array().expect("results").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(order, [&ids[2], &ids[0], &ids[1]]);
    let company = client.create("companies", json!({"name": "Acme"})).await;
    let sorts = json!({"sorts": ["-hs_lastmodifieddate"]});
    let found = client.post("/crm/v3/objects/companies/search", sorts).await.body;
    assert_eq!(found["results"][0]["id"], json!(company));
}

#[tokio::test]
async fn a_lag_hides_new_records_from_searches_alone() {
    let search_lag = chrono::TimeDelta::hours(1);
    let client = Client::with(HubspotConfig { search_lag, ..HubspotConfig::default() }).await;
    let id = client.create("contacts", json!({"email": "a@acme.example"})).await;
    assert_eq!(client.post(SEARCH, json!({})).await.body["total"], 0);
    assert_eq!(client.get(&format!("/crm/v3/objects/contacts/{id}")).await.status, 200);
}

#[tokio::test]
async fn associations_can_be_searched() {
    let client = people().await;
    let company = client.create("companies", json!({"name": "Acme"})).await;
    let contact = client.server.records("contacts")[1]["id"].as_str().expect("text").to_owned();
    client
        .put(
            &format!("/crm/v4/objects/contacts/{contact}/associations/default/companies/{company}"),
            json!([]),
        )
        .await;
    let filter = json!([{"propertyName": "associations.company", "operator": "EQ", "value": company}]);
    assert_eq!(found(&client, filter).await, ["b"]);
}
