//! The listener to which the browser is sent back: on this machine alone, for one path, for as long as a login takes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::page::Page;

/// Where the browser is sent back to.
pub(super) const PATH: &str = "/callback";

/// Browsers that come at the same time; more wait.
const WAITING: usize = 8;

/// A browser that came back, and waits for its page.
pub(super) struct Visit {
    /// The parameters of its address.
    pub(super) query: Vec<(String, String)>,
    /// Takes the page.
    pub(super) reply: oneshot::Sender<Page>,
}

impl Visit {
    /// The first value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Shows a page. The browser may be gone, and then nobody reads it.
    pub(super) fn show(self, page: Page) {
        let _ = self.reply.send(page);
    }
}

/// A listener that runs.
pub(super) struct Listener {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Who comes back.
    pub(super) visits: mpsc::Receiver<Visit>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens on 127.0.0.1; port 0 takes a free one.
    pub(super) async fn start(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        let address = listener.local_addr()?;
        let (sender, visits) = mpsc::channel(WAITING);
        let (stop, mut stopped) = watch::channel(false);
        let router = Router::new()
            .route(PATH, get(visit))
            .fallback(|| async {
                shown(StatusCode::NOT_FOUND, &Page::bad("Nothing is here", "This page is of no use."))
            })
            .with_state(Arc::new(sender));
        let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
            // An error means that the handle is gone, which stops the listener too.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        let task = tokio::spawn(async move {
            let _ = serve.await;
        });
        Ok(Self { address, visits, stop, task })
    }

    /// Stops after the pages under way are shown.
    pub(super) async fn stop(self) {
        // Whoever still waits for a page gets the one that says that the login is over.
        drop(self.visits);
        let _ = self.stop.send(true);
        // A browser keeps its connection open; a page takes no second to send.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), self.task).await;
    }
}

async fn visit(
    State(visits): State<Arc<mpsc::Sender<Visit>>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let (reply, page) = oneshot::channel();
    let over = || Page::bad("This login is over", "Start it again with `mapwright auth login`.");
    if visits.send(Visit { query, reply }).await.is_err() {
        return shown(StatusCode::GONE, &over());
    }
    match page.await {
        Ok(page) => shown(if page.good { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page),
        Err(_) => shown(StatusCode::GONE, &over()),
    }
}

fn shown(status: StatusCode, page: &Page) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // The address holds the code: it must not be told to anybody else.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, page.html()).into_response()
}
