//! The listener over real HTTP on a port of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{Client, Method, StatusCode};
use secrecy::SecretString;
use tokio::sync::watch;

use crate::runtime::{Health, ManualClock};
use crate::source::{ObjectName, Side};
use crate::store::{
    Advance, Appended, Condition, HistoryEntry, Intent, IntentId, Lane, LeaseRequest, LeasedLane, Link,
    MappingResult, NewEvent, OpenIntent, Origin, ParkedId, ParkedRecord, Pending, Project, ProjectId,
    ProjectVersion, RecordKey, Seen, Settled, Settlement, SqliteStore, Store, StoreError, Trail, Watermark,
};
use crate::types::{ChangeKind, LinkRequest, LinkedPair};

use super::{Ingress, IngressParts, IngressSettings, Portal, sign_v3};

const SECRET: &str = "8d3c1f0e-5a52-4c1f-9e0c-2f1b7a64d001";
const PUBLIC: &str = "https://hooks.example.com/in";
const PATH: &str = "/webhooks/hubspot";

/// The implementation guide's event, as one bare object.
const GUIDE: &str = r#"{"eventId": 100034, "subscriptionId": 882341, "portalId": 4556789, "occurredAt": 1700123456789,
  "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": 5501, "propertyName": "lifecyclestage",
  "propertyValue": "marketingqualifiedlead", "changeSource": "WORKFLOWS"}"#;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_123_460_000).expect("a time")
}

fn portal(pair: &str, portal_id: u64, secret: &str) -> Portal {
    Portal {
        pair: pair.to_owned(),
        portal_id,
        public_url: PUBLIC.parse().expect("a URL"),
        app_id: Some(77),
        secrets: vec![secret.into()],
        require_v3: false,
    }
}

fn settings() -> IngressSettings {
    let portals = vec![portal("main", 4_556_789, SECRET), portal("second", 99, "another secret")];
    let mut settings = IngressSettings::new(portals);
    settings.bind = ([127, 0, 0, 1], 0).into();
    settings
}

struct Server {
    store: Arc<dyn Store>,
    ingress: Ingress,
    client: Client,
}

impl Server {
    async fn start() -> Self {
        Self::with(Arc::new(SqliteStore::in_memory().await.expect("a store")), settings()).await
    }

    async fn with(store: Arc<dyn Store>, settings: IngressSettings) -> Self {
        let parts = IngressParts {
            store: Arc::clone(&store),
            clock: Arc::new(ManualClock::at(now())),
            metrics: Arc::default(),
            health: Arc::new(Health::default()),
            settings,
        };
        let ingress = Ingress::start(parts).await.expect("a listener");
        Self { store, ingress, client: Client::builder().no_proxy().build().expect("a client") }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ingress.address())
    }

    /// Sends a body that HubSpot signed.
    async fn post(&self, path: &str, body: impl Into<String>) -> (StatusCode, String) {
        self.send(Method::POST, path, body.into(), SECRET).await
    }

    async fn send(&self, method: Method, path: &str, body: String, secret: &str) -> (StatusCode, String) {
        let stamp = now().timestamp_millis();
        let uri = path.split_once('?').map_or(PUBLIC.to_owned(), |(_, query)| format!("{PUBLIC}?{query}"));
        let signature = sign_v3(&SecretString::from(secret), method.as_str(), &uri, body.as_bytes(), stamp);
        let request = self
            .client
            .request(method, self.url(path))
            .header("X-HubSpot-Signature-v3", signature)
            .header("X-HubSpot-Request-Timestamp", stamp.to_string())
            .header("Content-Type", "application/json")
            .body(body);
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(self.url(path)).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    }

    async fn pending(&self) -> Pending {
        self.store.pending().await.expect("pending")
    }

    async fn counts(&self, line: &str) {
        let (_, text) = self.get("/metrics").await;
        assert!(text.lines().any(|have| have == line), "no `{line}` in\n{text}");
    }

    async fn lease(&self, pair: &str) -> Vec<LeasedLane> {
        let (pair, worker) = (pair.to_owned(), "w".to_owned());
        let request = LeaseRequest {
            pair,
            worker,
            limit: 100,
            now: now(),
            ttl: Duration::from_mins(1),
            project: None,
            erasures: false,
        };
        self.store.lease(request).await.expect("lease")
    }
}

fn kind(body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).expect("a JSON answer");
    json["kind"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_guides_event_is_journaled() {
    let server = Server::start().await;
    let (status, body) = server.post(PATH, GUIDE).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let lane = server.lease("main").await.remove(0);
    assert_eq!(lane.lane.key, RecordKey::new("main", ObjectName::new(Side::Hubspot, "contact"), "5501"));
    let value = Some("marketingqualifiedlead".to_owned());
    assert_eq!(
        lane.events[0].change.kind,
        ChangeKind::FieldChanged { field: "lifecyclestage".to_owned(), value }
    );
    assert_eq!(lane.events[0].change.occurred_at.timestamp_millis(), 1_700_123_456_789);
    server.counts("mapwright_webhooks_total{pair=\"main\",result=\"accepted\"} 1").await;
    server.counts("mapwright_events_total{pair=\"main\",result=\"new\"} 1").await;
    server.counts("mapwright_lanes_pending{pair=\"main\"} 1").await;
}

#[tokio::test]
async fn two_deliveries_at_once_are_one_event() {
    let server = Server::start().await;
    let again = GUIDE.replace("\"attemptNumber\": 0", "\"attemptNumber\": 1");
    let both =
        futures_util::future::join(server.post(PATH, GUIDE), server.post(PATH, format!("[{again}]"))).await;
    assert_eq!((both.0.0, both.1.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(server.pending().await.events, 1);
    server.counts("mapwright_events_total{pair=\"main\",result=\"known\"} 1").await;
}

#[tokio::test]
async fn a_path_names_a_pair() {
    let server = Server::start().await;
    assert_eq!(server.post("/webhooks/hubspot/main?x=%2F", GUIDE).await.0, StatusCode::OK);
    let (status, body) = server.post("/webhooks/hubspot/nobody", GUIDE).await;
    assert_eq!((status, kind(&body).as_str()), (StatusCode::NOT_FOUND, "unknown_pair"));
    // Signed by the other pair's app, or for the other pair's portal.
    assert_eq!(server.post("/webhooks/hubspot/second", GUIDE).await.0, StatusCode::UNAUTHORIZED);
    let foreign = server.send(Method::POST, PATH, GUIDE.to_owned(), "another secret").await;
    assert_eq!((foreign.0, kind(&foreign.1).as_str()), (StatusCode::NOT_FOUND, "unknown_portal"));
    assert_eq!(server.pending().await.events, 1);
    server.counts("mapwright_webhooks_total{result=\"unknown_portal\"} 1").await;
}

#[tokio::test]
async fn a_bad_signature_is_refused_before_the_body_is_read() {
    let server = Server::start().await;
    for body in [GUIDE, "not even JSON"] {
        let (status, answer) = server.send(Method::POST, PATH, body.to_owned(), "guessed").await;
        assert_eq!((status, kind(&answer).as_str()), (StatusCode::UNAUTHORIZED, "bad_signature"));
    }
    let unsigned = server.client.post(server.url(PATH)).body(GUIDE).send().await.expect("an answer");
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.pending().await.events, 0);
    server.counts("mapwright_webhooks_total{result=\"bad_signature\"} 3").await;
}

#[tokio::test]
async fn the_host_header_has_no_say() {
    let server = Server::start().await;
    let stamp = now().timestamp_millis();
    let uri = format!("https://evil.example{PATH}");
    let signature = sign_v3(&SecretString::from(SECRET), "POST", &uri, GUIDE.as_bytes(), stamp);
    let request = server.client.post(server.url(PATH)).header("Host", "evil.example").body(GUIDE);
    let signed = request
        .header("X-HubSpot-Signature-v3", signature)
        .header("X-HubSpot-Request-Timestamp", stamp.to_string());
    assert_eq!(signed.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_no_event_is_400_and_leaves_nothing() {
    let server = Server::start().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_value = GUIDE.replace("\"marketingqualifiedlead\"", &deep);
    let good_and_bad = format!("[{GUIDE}, 7]");
    let bodies = [
        "",
        "not JSON",
        "[]",
        "{}",
        "7",
        "null",
        "[1, 2]",
        "[[]]",
        "[{\"portalId\": 4556789}]",
        "{\"portalId\": 4556789, \"subscriptionType\": \"contact.creation\", \"occurredAt\": 1}",
        "{\"portalId\": 4556789, \"subscriptionType\": \"contact.creation\", \"objectId\": 1}",
        "{\"portalId\": 4556789, \"subscriptionType\": 5, \"objectId\": 1, \"occurredAt\": 1}",
        "{\"portalId\": 4556789, \"subscriptionType\": \"contact.creation\", \"objectId\": {}, \"occurredAt\": 1}",
        "{\"portalId\": 4556789, \"subscriptionType\": \"contact.creation\", \"objectId\": 1, \"occurredAt\": \"noon\"}",
        "{\"portalId\": 4556789, \"subscriptionType\": \"contact.creation\", \"objectId\": 1, \"occurredAt\": 1e300}",
        "[{\"portalId\": 4556789}] trailing",
        &good_and_bad,
        &deep,
        &deep_value,
    ];
    for body in bodies {
        let (status, answer) = server.post(PATH, body).await;
        let shown: String = body.chars().take(90).collect();
        assert_eq!((status, kind(&answer).as_str()), (StatusCode::BAD_REQUEST, "not_an_event"), "{shown}");
    }
    assert_eq!(server.pending().await, Pending::default());
    server.counts(&format!("mapwright_webhooks_total{{result=\"not_an_event\"}} {}", bodies.len())).await;
}

#[tokio::test]
async fn an_oversized_body_is_413() {
    let server = Server::start().await;
    let (status, answer) = server.post(PATH, " ".repeat(4 * 1024 * 1024 + 1)).await;
    assert_eq!((status, kind(&answer).as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    server.counts("mapwright_webhooks_total{result=\"too_large\"} 1").await;
}

#[tokio::test]
async fn ten_thousand_events_in_one_body_are_taken() {
    let mut settings = settings();
    // The time limit is for production builds; this one may be slow.
    settings.timeout = Duration::from_mins(1);
    let server = Server::with(Arc::new(SqliteStore::in_memory().await.expect("a store")), settings).await;
    let event = |n: usize| GUIDE.replace("5501", &n.to_string());
    let body = format!("[{}]", (0..10_000).map(event).collect::<Vec<_>>().join(","));
    assert!(body.len() < 4 * 1024 * 1024, "{}", body.len());
    let (status, answer) = server.post(PATH, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(server.pending().await.lanes, 10_000);
}

#[tokio::test]
async fn the_wrong_method_is_405() {
    let server = Server::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let (status, answer) = server.send(method, PATH, String::new(), SECRET).await;
        assert_eq!((status, kind(&answer).as_str()), (StatusCode::METHOD_NOT_ALLOWED, "wrong_method"));
    }
    server.counts("mapwright_webhooks_total{result=\"wrong_method\"} 3").await;
    assert_eq!(server.get("/nowhere").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_own_write_is_work_that_is_marked_and_an_unknown_type_is_ignored() {
    let server = Server::start().await;
    let own = GUIDE.replace("\"WORKFLOWS\"", "\"INTEGRATION\", \"sourceId\": \"77\"");
    let other_app =
        GUIDE.replace("\"WORKFLOWS\"", "\"INTEGRATION\", \"sourceId\": \"78\"").replace("5501", "5502");
    let unknown = GUIDE.replace("contact.propertyChange", "conversation.newMessage");
    let (status, _) = server.post(PATH, format!("[{own},{other_app},{unknown}]")).await;
    assert_eq!(status, StatusCode::OK);
    let lanes = server.lease("main").await;
    let found = lanes.iter().map(|lane| (lane.lane.key.record.as_str(), lane.events[0].own.is_some()));
    assert_eq!(found.collect::<Vec<_>>(), [("5501", true), ("5502", false)]);
    server.counts("mapwright_events_total{pair=\"main\",result=\"ignored\"} 1").await;
}

#[tokio::test]
async fn too_many_requests_are_turned_away() {
    let mut settings = settings();
    settings.max_requests = 0;
    let server = Server::with(Arc::new(SqliteStore::in_memory().await.expect("a store")), settings).await;
    let (status, answer) = server.post(PATH, GUIDE).await;
    assert_eq!((status, kind(&answer).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_shows_in_health() {
    let healthy = Server::start().await;
    assert_eq!(healthy.get("/healthz").await.0, StatusCode::OK);

    let server = Server::with(Arc::new(BrokenStore { hangs: false }), settings()).await;
    let (status, answer) = server.post(PATH, GUIDE).await;
    assert_eq!((status, kind(&answer).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "store_failed"));
    assert!(!answer.contains("disk"), "an outsider is not told what broke: {answer}");
    let (status, body) = server.get("/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("\"down\""), "{body}");
}

#[tokio::test]
async fn a_store_that_hangs_is_503_in_time() {
    let mut settings = settings();
    settings.timeout = Duration::from_millis(50);
    let server = Server::with(Arc::new(BrokenStore { hangs: true }), settings).await;
    let (status, answer) = server.post(PATH, GUIDE).await;
    assert_eq!((status, kind(&answer).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "timeout"));
}

#[tokio::test]
async fn shutdown_ends_the_listener() {
    let server = Server::start().await;
    let url = server.url("/healthz");
    drop(server.client);
    server.ingress.shutdown().await.expect("a clean end");
    assert!(Client::builder().no_proxy().build().expect("a client").get(url).send().await.is_err());
}

/// A store that cannot keep anything.
struct BrokenStore {
    hangs: bool,
}

impl BrokenStore {
    async fn fail<T>(&self) -> Result<T, StoreError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(StoreError::Database("disk full".to_owned()))
    }
}

#[async_trait]
impl Store for BrokenStore {
    async fn append(&self, _: Vec<NewEvent>) -> Result<Vec<Appended>, StoreError> {
        self.fail().await
    }
    async fn watermark(&self, _: &str, _: &ObjectName) -> Result<Option<Watermark>, StoreError> {
        self.fail().await
    }
    async fn seen(&self, _: &str, _: &ObjectName, _: &[String]) -> Result<Vec<Seen>, StoreError> {
        self.fail().await
    }
    async fn advance(&self, _: Advance, _: DateTime<Utc>) -> Result<Option<Vec<Appended>>, StoreError> {
        self.fail().await
    }
    async fn request(&self, _: &RecordKey, _: &str, _: DateTime<Utc>) -> Result<(), StoreError> {
        self.fail().await
    }
    async fn due(&self, _: &str, _: DateTime<Utc>, _: u32) -> Result<u32, StoreError> {
        self.fail().await
    }
    async fn lease(&self, _: LeaseRequest) -> Result<Vec<LeasedLane>, StoreError> {
        self.fail().await
    }
    async fn renew(&self, _: &[Lane], _: DateTime<Utc>) -> Result<Vec<bool>, StoreError> {
        self.fail().await
    }
    async fn settle(&self, _: &Lane, _: Settlement, _: DateTime<Utc>) -> Result<Settled, StoreError> {
        self.fail().await
    }
    async fn hasten(&self, _: &[Lane], _: DateTime<Utc>) -> Result<(), StoreError> {
        self.fail().await
    }
    async fn intend(&self, _: Vec<Intent>) -> Result<Vec<IntentId>, StoreError> {
        self.fail().await
    }
    async fn intents(&self, _: &RecordKey) -> Result<Vec<OpenIntent>, StoreError> {
        self.fail().await
    }
    async fn record(
        &self,
        _: &RecordKey,
        _: Vec<MappingResult>,
        _: Origin,
        _: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.fail().await
    }
    async fn remember_project(&self, _: Project, _: DateTime<Utc>) -> Result<ProjectId, StoreError> {
        self.fail().await
    }
    async fn project(&self, _: ProjectId) -> Result<Option<ProjectVersion>, StoreError> {
        self.fail().await
    }
    async fn project_line(&self, _: ProjectId, _: &str, _: usize) -> Result<Option<String>, StoreError> {
        self.fail().await
    }
    async fn trail(&self, _: &RecordKey) -> Result<Trail, StoreError> {
        self.fail().await
    }
    async fn known_as(&self, _: &str) -> Result<Vec<RecordKey>, StoreError> {
        self.fail().await
    }
    async fn condition(&self, _: &str) -> Result<Condition, StoreError> {
        self.fail().await
    }
    async fn release(&self, _: &str, _: DateTime<Utc>) -> Result<u64, StoreError> {
        self.fail().await
    }
    async fn pending(&self) -> Result<Pending, StoreError> {
        self.fail().await
    }
    async fn pending_of(&self, _: &str) -> Result<Pending, StoreError> {
        self.fail().await
    }
    async fn parked(&self) -> Result<Vec<ParkedRecord>, StoreError> {
        self.fail().await
    }
    async fn parked_record(&self, _: ParkedId) -> Result<Option<ParkedRecord>, StoreError> {
        self.fail().await
    }
    async fn retry_parked(&self, _: ParkedId, _: DateTime<Utc>) -> Result<bool, StoreError> {
        self.fail().await
    }
    async fn drop_parked(&self, _: ParkedId, _: DateTime<Utc>) -> Result<bool, StoreError> {
        self.fail().await
    }
    async fn history(&self, _: &RecordKey) -> Result<Vec<HistoryEntry>, StoreError> {
        self.fail().await
    }
    async fn links(&self, _: &RecordKey) -> Result<Vec<Link>, StoreError> {
        self.fail().await
    }
    async fn counterparts(&self, _: &str, _: &LinkRequest) -> Result<Vec<LinkedPair>, StoreError> {
        self.fail().await
    }
    async fn set_tombstone(&self, _: &RecordKey, _: bool, _: DateTime<Utc>) -> Result<u64, StoreError> {
        self.fail().await
    }
    async fn prune(&self, _: DateTime<Utc>, _: u32) -> Result<u64, StoreError> {
        self.fail().await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.fail().await
    }
    fn wakes(&self, _: &str) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
}
