//! `mapwright serve`: the listener, the worker and the feed in one process.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::ServeArgs;
use super::output::Output;
use super::{Exit, parts};
use crate::config::{Pair, ResolvedConfig};
use crate::ingress::{Ingress, IngressParts, IngressSettings, Portal};
use crate::runtime::{
    Feed, FeedParts, Handle, Health, Metrics, Parts, PollSettings, Pruner, Runtime, Settings, SystemClock,
    shutdown_signal,
};
use crate::store::{SqliteStore, Store};

pub(super) async fn run(given: Option<&Path>, options: &ServeArgs, output: Output) -> Exit {
    match try_run(given, options, output).await {
        Ok(()) => Exit::Fine,
        Err(exit) => exit,
    }
}

async fn try_run(given: Option<&Path>, options: &ServeArgs, output: Output) -> Result<(), Exit> {
    log_to_stderr(options.json);
    let ready = parts::ready(given, output)?;
    let pair = parts::pair(&ready.config, options.pair.as_deref(), output)?;
    let usage = |message: String| {
        output.error(&message);
        Exit::Usage
    };
    let mut settings = ingress_settings(&ready.config, pair).map_err(usage)?;
    if let Some(listen) = options.listen {
        if !listen.ip().is_loopback() && !ready.config.serve.allow_remote {
            return Err(usage(format!(
                "`{listen}` can be reached from outside; `serve: allow_remote: true` permits that"
            )));
        }
        settings.bind = listen;
    }
    let store = Arc::new(parts::store(&ready, output).await?);
    // Held until the end: two workers of one name would take each other's leases.
    let _claim = parts::claim(&ready, output)?;
    let service = Service::start(&ready, pair, settings, Arc::clone(&store)).await.map_err(|message| {
        output.error(&message);
        Exit::Remote
    })?;
    output.note(&format!("listening on http://{}/webhooks/hubspot", service.ingress.address()));
    let signal = shutdown_signal().await;
    output.note("stopping: the work in hand is finished first");
    service.stop().await;
    store.close().await;
    signal.map_err(|error| usage(format!("signals cannot be received, so it stops at once: {error}")))
}

/// A listener, a worker and a feed over one store.
pub(super) struct Service {
    /// The listener.
    pub(super) ingress: Ingress,
    /// The worker.
    pub(super) worker: Handle,
    /// The feed.
    pub(super) feed: Feed,
    /// What keeps the store small.
    pruner: Option<Pruner>,
}

impl Service {
    /// Starts all of them.
    pub(super) async fn start(
        ready: &parts::Ready,
        pair: &Pair,
        settings: IngressSettings,
        store: Arc<SqliteStore>,
    ) -> Result<Self, String> {
        let clients = parts::clients(ready, pair)?;
        let store: Arc<dyn Store> = store;
        let clock = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::default());
        let health = Arc::new(Health::default());
        let parts = Parts {
            pair: pair.name.clone(),
            plan: Arc::clone(&ready.plan),
            crms: clients.crms(),
            store: Arc::clone(&store),
            clock: clock.clone(),
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
            settings: Settings {
                lanes: ready.config.limits.records_at_a_time,
                gather: Duration::from_secs(ready.config.limits.gather_seconds),
                max_attempts: ready.config.limits.max_attempts,
                ..Settings::default()
            },
        };
        let worker = Runtime::start(parts.clone()).await.map_err(|error| error.to_string())?;
        let bind = settings.bind;
        let ingress = Ingress::start(IngressParts { store, clock, metrics, health, settings })
            .await
            .map_err(|error| format!("cannot listen on {bind}: {error}"))?;
        let keep = ready.config.keep;
        let pruner = keep.map(|keep| Pruner::start(Arc::clone(&parts.store), parts.clock.clone(), keep));
        let settings = poll_settings(&ready.config, pair);
        let feed = Feed::start(FeedParts { parts, sources: clients.sources(), settings });
        Ok(Self { ingress, worker, feed, pruner })
    }

    /// Stops listening and asking, then lets the worker finish.
    pub(super) async fn stop(self) {
        if let Err(error) = self.ingress.shutdown().await {
            tracing::warn!(%error, "the listener did not stop cleanly");
        }
        if let Some(pruner) = self.pruner {
            pruner.shutdown().await;
        }
        if !self.feed.shutdown().await {
            tracing::warn!("a page of changes was left unread; it is read at the next start");
        }
        if !self.worker.shutdown().await {
            tracing::warn!("work was left unfinished; it is taken up at the next start");
        }
    }
}

/// How often changes are asked for, for one pair.
fn poll_settings(config: &ResolvedConfig, pair: &Pair) -> PollSettings {
    PollSettings {
        salesforce: config.poll.every,
        hubspot: pair.hubspot.poll,
        mappings: config.poll.mappings.clone().into_iter().collect(),
        overlap: config.poll.overlap,
    }
}

/// How the listener listens for one pair.
pub(super) fn ingress_settings(config: &ResolvedConfig, pair: &Pair) -> Result<IngressSettings, String> {
    let Some(webhook) = &pair.hubspot.webhook else {
        return Err(format!("pair `{}` has no `hubspot: webhook:`, so nothing can be verified", pair.name));
    };
    let portal = Portal {
        pair: pair.name.clone(),
        portal_id: pair.hubspot.portal,
        app_id: pair.hubspot.app_id,
        secrets: webhook.secrets.clone(),
        require_v3: false,
        public_url: webhook.public_url.clone(),
    };
    let mut settings = IngressSettings::new(vec![portal]);
    settings.bind = config.serve.listen;
    settings.max_body = config.serve.max_body_bytes;
    settings.skew = Duration::from_secs(config.serve.clock_skew_seconds);
    Ok(settings)
}

/// Logs to standard error; `RUST_LOG` chooses what.
fn log_to_stderr(as_json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("mapwright=info,warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Only fails where a log is set up already, which then serves as well.
    let _ = if as_json { log.json().try_init() } else { log.try_init() };
}
