//! The real webhook listener, for a sandbox's portal.

use std::sync::Arc;

use mapwright::ingress::{Ingress, IngressParts, IngressSettings, Portal};
use mapwright::runtime::{Health, Metrics, SystemClock};
use mapwright::store::SqliteStore;

/// The address that is signed; the sandbox delivers to the listener itself, as a proxy would.
pub(crate) const PUBLIC: &str = "https://hooks.example.com/hubspot/main";

/// Listens for the webhooks of a portal, named by its id, its app's id and the app's secret.
pub(crate) async fn listener(
    (portal_id, app_id, secret): (u64, u64, String),
    store: &Arc<SqliteStore>,
    clock: &Arc<SystemClock>,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
) -> Ingress {
    let portal = Portal {
        pair: "main".to_owned(),
        portal_id,
        public_url: PUBLIC.parse().expect("a URL"),
        app_id: Some(app_id),
        secrets: vec![secret.into()],
        require_v3: true,
    };
    let mut settings = IngressSettings::new(vec![portal]);
    settings.bind = ([127, 0, 0, 1], 0).into();
    let parts = IngressParts {
        store: store.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        settings,
    };
    Ingress::start(parts).await.expect("a listener")
}
