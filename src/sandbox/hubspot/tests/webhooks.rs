use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Client, error};
use crate::sandbox::hubspot::{Actor, HubspotConfig, Subscription, WebhookConfig, WebhookMode};

/// A listener that answers with the given statuses, then 200, and keeps what it got.
#[derive(Clone, Default)]
struct Listener {
    statuses: Arc<Mutex<Vec<u16>>>,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

async fn receive(State(listener): State<Listener>, headers: HeaderMap, body: String) -> StatusCode {
    listener.got.lock().expect("the lock").push((headers, body));
    let next = listener.statuses.lock().expect("the lock").pop().unwrap_or(200);
    StatusCode::from_u16(next).expect("a status")
}

impl Listener {
    async fn start(statuses: &[u16]) -> (Self, String) {
        let listener = Self::default();
        *listener.statuses.lock().expect("the lock") = statuses.iter().rev().copied().collect();
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", socket.local_addr().expect("an address"));
        let router = Router::new().route("/hook", post(receive)).with_state(listener.clone());
        tokio::spawn(async move { axum::serve(socket, router).await });
        (listener, url)
    }

    fn batches(&self) -> Vec<Vec<Value>> {
        let got = self.got.lock().expect("the lock");
        got.iter().map(|(_, body)| serde_json::from_str(body).expect("an array")).collect()
    }

    fn events(&self) -> Vec<Value> {
        self.batches().concat()
    }
}

async fn subscribed(url: &str, subscriptions: Vec<Subscription>) -> Client {
    let webhooks = WebhookConfig {
        target_url: Some(url.to_owned()),
        subscriptions,
        retries: vec![Duration::from_millis(5); 3],
        batch_window: Duration::from_millis(10),
        ..WebhookConfig::default()
    };
    Client::with(HubspotConfig { webhooks, ..HubspotConfig::default() }).await
}

#[tokio::test]
async fn an_api_write_is_told_as_the_apps_own_and_signed() {
    let (listener, url) = Listener::start(&[]).await;
    let what =
        vec![Subscription::to("contact.creation"), Subscription::to_property("contact", "contract_date")];
    let client = subscribed(&url, what).await;
    let id =
        client.create("contacts", json!({"email": "a@acme.example", "contract_date": "2024-09-30"})).await;
    client.server.settled().await;
    let events = listener.events();
    assert_eq!(events.len(), 2);
    let (creation, change) = (&events[0], &events[1]);
    assert_eq!(creation["subscriptionType"], "contact.creation");
    assert_eq!(creation["objectId"].to_string(), id);
    assert_eq!((&creation["portalId"], &creation["appId"]), (&json!(4_556_789), &json!(1_234_567)));
    assert_eq!(
        (&creation["changeSource"], &creation["sourceId"]),
        (&json!("INTEGRATION"), &json!("1234567"))
    );
    assert_eq!((&creation["attemptNumber"], &creation["changeFlag"]), (&json!(0), &json!("CREATED")));
    assert_eq!(
        (&change["propertyName"], &change["propertyValue"]),
        (&json!("contract_date"), &json!("1727654400000"))
    );

    let got = listener.got.lock().expect("the lock");
    let (headers, body) = &got[0];
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let secret = "sandbox-client-secret";
    assert_eq!(header("x-hubspot-signature"), hex::encode(Sha256::digest(format!("{secret}{body}"))));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("POST{url}{body}{}", header("x-hubspot-request-timestamp")).as_bytes());
    let wanted = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header("x-hubspot-signature-v3"), wanted);
}

#[tokio::test]
async fn a_persons_change_is_told_only_where_it_is_subscribed_and_new() {
    let (listener, url) = Listener::start(&[]).await;
    let client = subscribed(&url, vec![Subscription::to_property("contact", "lifecyclestage")]).await;
    let server = &client.server;
    let stage = [("lifecyclestage", "marketingqualifiedlead"), ("city", "Rome")];
    server
        .create("contact", Some("5501"), &[("email", "a@acme.example")], &Actor::person())
        .expect("created");
    server.edit("contact", "5501", &stage, &Actor::workflow()).expect("edited");
    server.edit("contact", "5501", &stage, &Actor::person()).expect("edited");
    server.settled().await;
    let events = listener.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!((&events[0]["propertyValue"], &events[0]["sourceId"]), (&json!("lead"), &json!("userId:1")));
    let change = &events[1];
    assert_eq!(change["propertyValue"], "marketingqualifiedlead");
    assert_eq!(change["changeSource"], "WORKFLOWS");
}

#[tokio::test]
async fn failed_deliveries_are_tried_again_and_then_given_up() {
    let (listener, url) = Listener::start(&[500, 404]).await;
    let client = subscribed(&url, vec![Subscription::to("company.creation")]).await;
    client.create("companies", json!({"name": "Acme"})).await;
    client.server.settled().await;
    let attempts: Vec<Value> = listener.events().iter().map(|event| event["attemptNumber"].clone()).collect();
    assert_eq!(attempts, [json!(0), json!(1), json!(2)]);
    let log = client.server.deliveries();
    assert_eq!(
        log.iter().map(|delivery| delivery.status).collect::<Vec<_>>(),
        [Some(500), Some(404), Some(200)]
    );

    client.server.set_target(Some("http://127.0.0.1:9/nobody"));
    client.create("companies", json!({"name": "Globex"})).await;
    client.server.settled().await;
    let log = client.get("/_sandbox/deliveries").await;
    let last = &log.body["deliveries"][6];
    assert_eq!((&last["attempt"], &last["status"]), (&json!(3), &json!(null)));
    assert!(last["error"].is_string());
}

#[tokio::test]
async fn many_events_travel_in_batches_of_a_hundred() {
    let (listener, url) = Listener::start(&[]).await;
    let client = subscribed(
        &url,
        vec![Subscription::to("contact.creation"), Subscription::to_property("contact", "city")],
    );
    let client = client.await;
    let inputs: Vec<Value> = (0..80)
        .map(|at| json!({"properties": {"email": format!("p{at}@acme.example"), "city": "Rome"}}))
        .collect();
    client.post("/crm/v3/objects/contacts/batch/create", json!({"inputs": inputs})).await;
    client.server.settled().await;
    let batches = listener.batches();
    assert!(batches.iter().all(|batch| batch.len() <= 100));
    assert_eq!(batches.concat().len(), 160);
    let ids: std::collections::HashSet<String> =
        listener.events().iter().map(|event| event["eventId"].to_string()).collect();
    assert_eq!(ids.len(), 160);
}

#[tokio::test]
async fn at_most_ten_deliveries_are_in_flight() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, peak) = (Arc::clone(&now), Arc::clone(&most));
    let slow = move || async move {
        peak.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        count.fetch_sub(1, Ordering::SeqCst);
    };
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", socket.local_addr().expect("an address"));
    let router = Router::new().route("/hook", post(slow));
    tokio::spawn(async move { axum::serve(socket, router).await });
    let client = subscribed(&url, Vec::new()).await;
    let payload = json!([]);
    let all = (0..25).map(|_| client.server.deliver(&payload));
    let answers = futures_util::future::join_all(all).await;
    assert!(answers.iter().all(|answer| *answer == Ok(200)));
    assert!((2..=10).contains(&most.load(Ordering::SeqCst)));
}

#[tokio::test]
async fn merges_deletions_and_associations_have_their_own_events() {
    let (listener, url) = Listener::start(&[]).await;
    let types = ["merge", "deletion", "restore", "associationChange", "privacyDeletion"];
    let mut what: Vec<Subscription> =
        types.iter().map(|one| Subscription::to(&format!("contact.{one}"))).collect();
    what.push(Subscription { object_type_id: Some("0-2".to_owned()), ..Subscription::to("object.deletion") });
    let client = subscribed(&url, what).await;
    let a = client.create("contacts", json!({"email": "a@acme.example"})).await;
    let b = client.create("contacts", json!({"email": "b@acme.example", "city": "Rome"})).await;
    let company = client.create("companies", json!({"name": "Acme"})).await;
    client
        .put(&format!("/crm/v4/objects/contact/{a}/associations/default/company/{company}"), json!({}))
        .await;
    let merged = client.server.merge("contact", &a, &b, &Actor::person()).expect("merged");
    client.delete(&format!("/crm/v3/objects/contacts/{merged}")).await;
    client.post(&format!("/_sandbox/records/contact/{merged}/restore"), json!({})).await;
    client.post("/crm/v3/objects/contacts/gdpr-delete", json!({"objectId": merged})).await;
    client.delete(&format!("/crm/v3/objects/companies/{company}")).await;
    client.server.settled().await;
    let events = listener.events();
    let of = |kind: &str| events.iter().find(|event| event["subscriptionType"] == kind).expect(kind);
    let association = of("contact.associationChange");
    assert_eq!(
        (&association["associationType"], &association["associationRemoved"]),
        (&json!("CONTACT_TO_COMPANY"), &json!(false))
    );
    assert_eq!(
        (association["fromObjectId"].to_string(), association["toObjectId"].to_string()),
        (a.clone(), company)
    );
    assert_eq!(association["isPrimaryAssociation"], true);
    let merge = of("contact.merge");
    assert_eq!((merge["primaryObjectId"].to_string(), merge["newObjectId"].to_string()), (a, merged.clone()));
    assert_eq!((merge["mergedObjectIds"][0].to_string(), &merge["numberOfPropertiesMoved"]), (b, &json!(1)));
    assert_eq!(of("contact.deletion")["objectId"].to_string(), merged);
    assert_eq!(of("contact.restore")["changeSource"], "CRM_UI");
    assert_eq!(of("contact.privacyDeletion")["objectId"].to_string(), merged);
    assert_eq!(of("object.deletion")["objectTypeId"], "0-2");
}

#[tokio::test]
async fn settings_and_subscriptions_are_managed_over_the_api() {
    let (listener, url) = Listener::start(&[]).await;
    let client = Client::new().await;
    let base = "/webhooks/v3/1234567";
    assert_eq!(error(&client.get(&format!("{base}/settings")).await).0, 404);
    let settings = |url: &str| json!({"targetUrl": url, "throttling": {"maxConcurrentRequests": 10, "period": "SECONDLY"}});
    assert_eq!(
        error(&client.put(&format!("{base}/settings"), settings("http://example.com/x")).await).0,
        400
    );
    let set = client.put(&format!("{base}/settings"), settings(&url)).await;
    assert_eq!((set.status, &set.body["targetUrl"]), (200, &json!(url)));
    let new = json!({"eventType": "contact.propertyChange", "propertyName": "city", "active": true});
    let made = client.post(&format!("{base}/subscriptions"), new.clone()).await;
    assert_eq!(made.status, 201);
    assert_eq!(error(&client.post(&format!("{base}/subscriptions"), new).await).0, 409);
    for wrong in ["contact.nothing", "contract.creation", "contact.propertyChange", "object.creation"] {
        let refused = client.post(&format!("{base}/subscriptions"), json!({"eventType": wrong})).await;
        assert_eq!(error(&refused).0, 400, "{wrong}");
    }
    let one = format!("{base}/subscriptions/{}", made.body["id"].as_str().expect("text"));
    client.create("contacts", json!({"city": "Rome"})).await;
    assert_eq!(client.patch(&one, json!({"active": false})).await.body["active"], false);
    client.create("contacts", json!({"city": "Oslo"})).await;
    client.server.settled().await;
    assert_eq!(listener.events().len(), 1);
    assert_eq!(
        client.get(&format!("{base}/subscriptions")).await.body["results"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(client.delete(&one).await.status, 204);
    assert_eq!(error(&client.get(&one).await).0, 404);
    assert_eq!(client.get("/webhooks/v3/1234567/settings?hapikey=sandbox-developer-key").await.status, 200);
    assert_eq!(error(&client.get("/webhooks/v3/7/settings").await).0, 404);
}

#[tokio::test]
async fn an_outage_holds_webhooks_back_or_loses_them() {
    let (listener, url) = Listener::start(&[]).await;
    let client = subscribed(&url, vec![Subscription::to("contact.creation")]).await;
    let mode = async |mode: &str| client.put("/_sandbox/webhooks", json!({"mode": mode})).await;
    assert_eq!(mode("hold").await.body, json!({"mode": "hold", "held": 0, "lost": 0}));
    let held = client.create("contacts", json!({"email": "a@acme.example"})).await;
    client.server.settled().await;
    assert_eq!(client.get("/_sandbox/webhooks").await.body["held"], 1);
    assert!(listener.events().is_empty());
    assert_eq!(mode("deliver").await.body["held"], 0);
    client.server.settled().await;
    assert_eq!(listener.events()[0]["objectId"].to_string(), held);
    mode("drop").await;
    client.create("contacts", json!({"email": "b@acme.example"})).await;
    assert_eq!(client.get("/_sandbox/webhooks").await.body["lost"], 1);
    client.server.set_webhook_mode(WebhookMode::Deliver);
    client.create("contacts", json!({"email": "c@acme.example"})).await;
    client.server.settled().await;
    assert_eq!(listener.events().len(), 2, "what was lost does not come back");
    assert_eq!(mode("sometimes").await.status, 400);
}

#[tokio::test]
async fn retries_keep_to_the_pauses_that_the_side_door_sets() {
    let (listener, url) = Listener::start(&[500; 11]).await;
    let client = subscribed(&url, vec![Subscription::to("contact.creation")]).await;
    let pauses = json!({"retriesMs": vec![1; 10]});
    assert_eq!(client.put("/_sandbox/webhooks", pauses).await.status, 200);
    client.create("contacts", json!({"email": "a@acme.example"})).await;
    client.server.settled().await;
    let attempts: Vec<Value> = listener.events().iter().map(|event| event["attemptNumber"].clone()).collect();
    assert_eq!(attempts, (0..=10).map(Value::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_payload_can_be_sent_as_it_stands() {
    let (listener, url) = Listener::start(&[401]).await;
    let client = Client::new().await;
    let payload = json!({"eventId": 100_034, "subscriptionType": "contact.propertyChange", "objectId": 5501});
    assert!(client.server.deliver(&payload).await.is_err());
    client.server.set_target(Some(&url));
    assert_eq!(client.server.deliver(&payload).await, Ok(401));
    let sent = client.post("/_sandbox/deliver", json!({"payload": payload, "targetUrl": url})).await;
    assert_eq!((sent.status, &sent.body["status"]), (200, &json!(200)));
    let got = listener.got.lock().expect("the lock");
    assert_eq!(got[1].1, payload.to_string());
}
