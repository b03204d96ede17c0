//! A search as HubSpot makes it, over more records than it gives, and while they change.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};
use url::Url;

use crate::crm::hubspot::{HubspotClient, HubspotConfig};
use crate::source::Side;

use super::{Polled, machine_now, options, watched};

/// Companies: the date of the last change in milliseconds, by id.
type Rows = Arc<Mutex<BTreeMap<u64, i64>>>;

async fn answer(State(rows): State<Rows>, uri: Uri, body: String) -> Response {
    let rows = rows.lock().unwrap();
    let answer = if uri.path().ends_with("/search") {
        search(&rows, &serde_json::from_str(&body).expect("a search"))
    } else {
        json!({"results": []})
    };
    let date = machine_now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    ([("date", date), ("content-type", "application/json".to_owned())], answer.to_string()).into_response()
}

fn search(rows: &BTreeMap<u64, i64>, request: &Json) -> Json {
    assert!(request.get("after").is_none(), "10,000 results would be all");
    let filters = request["filterGroups"][0]["filters"].as_array().expect("filters");
    let fits = |id: u64, at: i64| {
        filters.iter().all(|filter| {
            let value: i64 = filter["value"].as_str().expect("a value").parse().expect("a number");
            let held = match filter["propertyName"].as_str().expect("a name") {
                "hs_lastmodifieddate" => at,
                "hs_object_id" => i64::try_from(id).expect("small"),
                other => panic!("{other}"),
            };
            match filter["operator"].as_str().expect("an operator") {
                "GTE" => held >= value,
                "GT" => held > value,
                "LTE" => held <= value,
                "EQ" => held == value,
                other => panic!("{other}"),
            }
        })
    };
    let mut found: Vec<(u64, i64)> =
        rows.iter().map(|(id, at)| (*id, *at)).filter(|(id, at)| fits(*id, *at)).collect();
    match request["sorts"][0]["propertyName"].as_str().expect("a sort") {
        "hs_object_id" => found.sort_unstable(),
        // Those that share an instant come in no order.
        _ => found.sort_unstable_by_key(|(id, at)| (*at, id.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
    }
    let limit = usize::try_from(request["limit"].as_u64().expect("a limit")).expect("small");
    let results = found.iter().take(limit).map(|(id, at)| {
        let at = chrono::DateTime::from_timestamp_millis(*at).expect("a time").to_rfc3339();
        json!({"id": id.to_string(), "createdAt": at, "properties": {"name": id.to_string(), "hs_lastmodifieddate": at}})
    });
    json!({"total": found.len(), "results": results.collect::<Vec<_>>()})
}

async fn begun() -> (Rows, Polled) {
    let rows: Rows = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url =
        Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    let app = Router::new().fallback(answer).with_state(Arc::clone(&rows));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = HubspotConfig {
        base_url,
        auth: crate::crm::hubspot::HubspotAuth::Token("t".into()),
        path_version: "v3".to_owned(),
        objects: HashMap::new(),
    };
    let client = Arc::new(HubspotClient::new(config, options()).expect("a client"));
    let watched = watched(Side::Hubspot, "company", &["name"]);
    let feed = Polled::new(client, watched, Duration::from_mins(10)).await;
    feed.poll().await;
    (rows, feed)
}

#[tokio::test]
async fn twelve_thousand_results_and_three_thousand_at_one_instant() {
    let (rows, feed) = begun().await;
    let start = machine_now().timestamp_millis() - 30_000;
    for n in 0..12_000_u64 {
        let at = if n % 4 == 0 { start } else { start + i64::try_from(n / 10).expect("small") };
        rows.lock().unwrap().insert(n + 1, at);
    }
    let pages = feed.poll().await;
    assert!((60..=100).contains(&pages), "{pages}");
    assert_eq!(feed.lanes().await, 12_000);
}

/// A page that is turned skips a record when one before it moves away; a search that begins anew does not.
#[tokio::test]
async fn records_that_change_while_they_are_read() {
    let (rows, feed) = begun().await;
    let start = machine_now().timestamp_millis() - 30_000;
    for n in 1..=1_000 {
        rows.lock().unwrap().insert(n, start + i64::try_from(n).expect("small"));
    }
    let mut changed = 0_u64;
    let mut pages = 0;
    while feed.page().await.expect("a page").more {
        pages += 1;
        assert!(pages < 100, "it reads for ever");
        for _ in 0..20 {
            changed += 7;
            rows.lock().unwrap().insert(changed % 1_000 + 1, machine_now().timestamp_millis());
        }
    }
    let mut seen = feed.events().await;
    seen.extend(feed.news().await);
    assert_eq!(seen.len(), 1_000);
}
