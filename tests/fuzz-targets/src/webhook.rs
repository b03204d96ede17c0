//! The listener: a signed body, and headers as anybody may send them.

use std::cell::RefCell;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{DateTime, Utc};
use mapwright::ingress::{IngressParts, IngressSettings, Portal, router, sign_v3};
use mapwright::runtime::{Health, ManualClock};
use mapwright::store::SqliteStore;
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

const SECRET: &str = "a secret of the fuzzer";
const PUBLIC: &str = "https://hooks.example.com/in";

struct Listener {
    runtime: Runtime,
    router: Router,
    now: DateTime<Utc>,
    served: u32,
}

/// A store of its own in memory, begun anew before it has grown.
const REQUESTS: u32 = 10_000;

impl Listener {
    fn new() -> Self {
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let portal = Portal {
            pair: "main".to_owned(),
            portal_id: 1,
            public_url: PUBLIC.parse().expect("a URL"),
            app_id: Some(77),
            secrets: vec![SECRET.into()],
            require_v3: false,
        };
        let router = runtime.block_on(async {
            router(IngressParts {
                store: Arc::new(SqliteStore::in_memory().await.expect("a store")),
                clock: Arc::new(ManualClock::at(now)),
                metrics: Arc::default(),
                health: Arc::new(Health::default()),
                settings: IngressSettings::new(vec![portal]),
            })
        });
        Self { runtime, router, now, served: 0 }
    }
}

thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// A body that the portal signed. A first byte above 127 sends the rest of its line as the signature instead.
pub fn webhook(data: &[u8]) {
    let (signature, body) = match data.first() {
        Some(mark) if *mark > 127 => {
            let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
            (Some(String::from_utf8_lossy(&data[1..end]).into_owned()), &data[(end + 1).min(data.len())..])
        }
        _ => (None, data),
    };
    LISTENER.with_borrow_mut(|listener| {
        if listener.as_ref().is_none_or(|listener| listener.served >= REQUESTS) {
            *listener = Some(Listener::new());
        }
        let listener = listener.as_mut().expect("it was just made");
        listener.served += 1;
        let stamp = listener.now.timestamp_millis();
        let signed = SecretString::from(SECRET);
        let signature = signature.unwrap_or_else(|| sign_v3(&signed, "POST", PUBLIC, body, stamp));
        let request = Request::post("/webhooks/hubspot")
            .header("X-HubSpot-Signature-v3", signature)
            .header("X-HubSpot-Request-Timestamp", stamp.to_string())
            .header("Content-Type", "application/json")
            .body(Body::from(body.to_vec()));
        // A signature that is no header is refused before it reaches anybody.
        let Ok(request) = request else { return };
        let answer = listener.runtime.block_on(async {
            let answer = listener.router.call(request).await.expect("a router always answers");
            let status = answer.status().as_u16();
            (status, to_bytes(answer.into_body(), 1 << 20).await.expect("a body"))
        });
        assert!(matches!(answer.0, 200 | 400 | 401 | 404 | 413), "{answer:?}");
        serde_json::from_slice::<serde_json::Value>(&answer.1).expect("every answer is JSON");
    });
}
