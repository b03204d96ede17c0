//! The HTTP server around the handlers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::store::StoreError;

use super::IngressParts;
use super::webhook::{any_pair, error_response, one_pair};

/// A listener that runs.
#[derive(Debug)]
pub struct Ingress {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Ingress {
    /// Binds the address and starts to listen.
    pub async fn start(parts: IngressParts) -> std::io::Result<Self> {
        let listener = TcpListener::bind(parts.settings.bind).await?;
        let address = listener.local_addr()?;
        let (stop, mut stopped) = watch::channel(false);
        let serve = axum::serve(listener, router(parts)).with_graceful_shutdown(async move {
            // An error means that the handle is gone, which stops the listener too.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        let task = tokio::spawn(async move { serve.await });
        tracing::info!(%address, "listening");
        Ok(Self { address, stop, task })
    }

    /// Where it listens; tells the port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops taking connections and lets the requests under way finish.
    pub async fn shutdown(self) -> std::io::Result<()> {
        let _ = self.stop.send(true);
        self.task.await.map_err(std::io::Error::other)?
    }
}

/// The routes, for a server of one's own.
pub fn router(parts: IngressParts) -> Router {
    let limit = parts.settings.max_body;
    let each = parts.settings.max_requests;
    let portals = &parts.settings.portals;
    let rooms: HashMap<_, _> =
        portals.iter().map(|portal| (portal.pair.clone(), Semaphore::new(each))).collect();
    let room = Arc::new(Semaphore::new(each.saturating_mul(rooms.len().max(1)).min(Semaphore::MAX_PERMITS)));
    let listener = Arc::new(Listener { parts, rooms });
    let gate = Gate { listener: Arc::clone(&listener), room };
    let webhooks = Router::new()
        .route("/webhooks/hubspot", post(any_pair))
        .route("/webhooks/hubspot/{pair}", post(one_pair))
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limit))
        .layer(middleware::from_fn_with_state(gate, guard));
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .merge(webhooks)
        .fallback(|| async { error_response(StatusCode::NOT_FOUND, "not_found", "there is nothing here") })
        .with_state(listener)
}

async fn wrong_method() -> Response {
    error_response(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "events are sent by POST")
}

/// What the handlers share.
pub(super) struct Listener {
    pub(super) parts: IngressParts,
    /// Room for the requests under way, by pair.
    pub(super) rooms: HashMap<String, Semaphore>,
}

#[derive(Clone)]
struct Gate {
    listener: Arc<Listener>,
    room: Arc<Semaphore>,
}

/// Bounds the requests under way and their time, and gives the framework's own refusals the shape of ours.
async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let parts = &gate.listener.parts;
    let metrics = &parts.metrics;
    let Ok(_place) = gate.room.try_acquire() else {
        metrics.webhook(None, "busy");
        return error_response(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many requests are under way");
    };
    let Ok(response) = tokio::time::timeout(parts.settings.timeout, next.run(request)).await else {
        metrics.webhook(None, "timeout");
        return error_response(StatusCode::SERVICE_UNAVAILABLE, "timeout", "the request took too long");
    };
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            metrics.webhook(None, "too_large");
            error_response(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            metrics.webhook(None, "wrong_method");
            response
        }
        _ => response,
    }
}

/// Whether work is taken and done: 503 when the store cannot be reached or a worker is dead. A CRM that is left alone,
/// or an object whose changes cannot be read, shows as `degraded` with 200, since a restart would not help.
async fn healthz(State(listener): State<Arc<Listener>>) -> Response {
    let parts = &listener.parts;
    let ping = tokio::time::timeout(parts.settings.timeout, parts.store.ping());
    let store = ping.await.unwrap_or_else(|_| Err(StoreError::Database("no answer in time".to_owned())));
    if let Err(error) = &store {
        tracing::error!(%error, "the store cannot be reached");
    }
    let workers = parts.health.workers();
    let dead = workers.values().any(|worker| !worker.alive || worker.feed_stopped);
    let paused = workers.values().any(|worker| !worker.paused.is_empty());
    let held_up = workers.values().flat_map(|worker| worker.feeds.values()).any(|feed| feed.error.is_some());
    let degraded = paused || held_up;
    let (code, status) = match (store.is_ok(), dead, degraded) {
        (false, _, _) | (_, true, _) => (StatusCode::SERVICE_UNAVAILABLE, "down"),
        (_, _, true) => (StatusCode::OK, "degraded"),
        _ => (StatusCode::OK, "ok"),
    };
    (code, axum::Json(json!({"status": status, "store": store.is_ok(), "workers": workers}))).into_response()
}

async fn metrics(State(listener): State<Arc<Listener>>) -> Response {
    let parts = &listener.parts;
    for portal in &parts.settings.portals {
        match parts.store.pending_of(&portal.pair).await {
            Ok(pending) => parts.metrics.pending(&portal.pair, &pending),
            Err(error) => tracing::error!(%error, pair = portal.pair, "what is pending cannot be counted"),
        }
    }
    let text = parts.metrics.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
