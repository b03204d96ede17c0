//! `mapwright serve`: one listener, and for each pair a worker and a feed, in one process.
//!
//! Pairs share the listener, the store and its file, the clock and the boards. Each has clients, a plan, a worker, a feed
//! and pauses of its own, so that one that is refused, slow or flooded holds up no other.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::args::{LogForm, ServeArgs};
use super::output::Output;
use super::{Exit, parts};
use crate::alert::{Alerts, Deliveries};
use crate::config::Pair;
use crate::ingress::{Ingress, IngressParts, IngressSettings, Portal};
use crate::runtime::{
    Feed, FeedParts, Handle, Health, Metrics, Parts, PollSettings, Pruner, Runtime, Settings, SystemClock,
    shutdown_signal,
};
use crate::store::{ProjectId, SqliteStore, Store};

pub(super) async fn run(given: Option<&Path>, options: &ServeArgs, output: Output) -> Exit {
    match try_run(given, options, output).await {
        Ok(()) => Exit::Fine,
        Err(exit) => exit,
    }
}

async fn try_run(given: Option<&Path>, options: &ServeArgs, output: Output) -> Result<(), Exit> {
    let form = options.log.unwrap_or(if options.json { LogForm::Json } else { LogForm::fitting() });
    log_to_stderr(form);
    let pairs = parts::ready_all(given, options.pair.as_deref(), output)?;
    let usage = |message: String| {
        output.error(&message);
        Exit::Usage
    };
    let first = pairs.first().ok_or_else(|| usage("the configuration names no pair".to_owned()))?;
    let mut settings = ingress_settings(&pairs).map_err(usage)?;
    if let Some(listen) = options.listen {
        if !listen.ip().is_loopback() && !first.config.serve.allow_remote {
            return Err(usage(format!(
                "`{listen}` can be reached from outside; `serve: allow_remote: true` permits that"
            )));
        }
        settings.bind = listen;
    }
    let store = Arc::new(parts::store(first, output).await?);
    // Held until the end: two workers of one name would take each other's leases.
    let _claim = parts::claim(first, output)?;
    let service = Service::start(&pairs, settings, Arc::clone(&store)).await.map_err(|unstarted| {
        output.error(&unstarted.message);
        unstarted.exit
    })?;
    // A log of JSON lines holds nothing else.
    let say = |line: &str| match form {
        LogForm::Json => tracing::info!("{line}"),
        LogForm::Text => output.note(line),
    };
    say(&format!("listening on http://{}/webhooks/hubspot", service.ingress.address()));
    let signal = shutdown_signal().await;
    say("stopping: the work in hand is finished first");
    service.stop().await;
    store.close().await;
    signal.map_err(|error| usage(format!("signals cannot be received, so it stops at once: {error}")))
}

/// Why nothing is served.
#[derive(Debug)]
pub(super) struct Unstarted {
    /// How the command ends.
    exit: Exit,
    /// The reason.
    pub(super) message: String,
}

impl Unstarted {
    /// The configuration is to blame.
    fn by_setting(message: String) -> Self {
        Self { exit: Exit::Usage, message }
    }
}

impl From<String> for Unstarted {
    fn from(message: String) -> Self {
        Self { exit: Exit::Remote, message }
    }
}

/// How long the start waits to hear whose the tokens are. What is not known then is asked before anything else is.
const TOKENS_KNOWN: Duration = Duration::from_secs(3);

/// How long the end waits for alerts on their way.
const ALERTS_DRAIN: Duration = Duration::from_secs(5);

/// A listener, and what carries the records of each pair, over one store.
pub(super) struct Service {
    /// The listener.
    pub(super) ingress: Ingress,
    /// The pairs, in the order of the file.
    pub(super) lines: Vec<Line>,
    /// What keeps the store small.
    pruner: Option<Pruner>,
    /// What tells people, where the configuration names any.
    deliveries: Option<Deliveries>,
}

/// What carries the records of one pair.
pub(super) struct Line {
    /// The worker.
    pub(super) worker: Handle,
    /// Whoever asks for changes.
    pub(super) feed: Feed,
}

impl Service {
    /// Starts all of them.
    pub(super) async fn start(
        pairs: &[parts::Ready],
        settings: IngressSettings,
        store: Arc<SqliteStore>,
    ) -> Result<Self, Unstarted> {
        let clients = clients(pairs, &store).await?;
        let store: Arc<dyn Store> = store;
        let clock = Arc::new(SystemClock);
        let (metrics, health) = (Arc::new(Metrics::default()), Arc::new(Health::default()));
        let kept = Arc::clone(&store);
        // The configuration and the files are the same for all pairs.
        let (project, alerts, deliveries) = match pairs.first() {
            None => (None, Alerts::default(), None),
            Some(first) => {
                let version = first.version.as_ref().clone();
                let project = store.remember_project(version, parts::now()).await;
                let (alerts, deliveries) = parts::alerts(first, &metrics).map_err(Unstarted::by_setting)?;
                (Some(project.map_err(|error| error.to_string())?), alerts, deliveries)
            }
        };
        let settings = IngressSettings { alerts: alerts.clone(), ..settings };
        let shared = Shared { store, clock, metrics, health, project, alerts };
        let mut lines = Vec::with_capacity(pairs.len());
        for (ready, clients) in pairs.iter().zip(&clients) {
            lines.push(shared.line(ready, clients).await?);
        }
        let bind = settings.bind;
        let Shared { store, clock, metrics, health, .. } = shared;
        let ingress = Ingress::start(IngressParts { store, clock, metrics, health, settings })
            .await
            .map_err(|error| format!("cannot listen on {bind}: {error}"))?;
        let keep = pairs.first().and_then(|ready| ready.config.keep);
        let pruner = keep.map(|keep| Pruner::start(kept, Arc::new(SystemClock), keep));
        Ok(Self { ingress, lines, pruner, deliveries })
    }

    /// Stops listening and asking, then lets the workers finish, all at the same time.
    pub(super) async fn stop(self) {
        if let Err(error) = self.ingress.shutdown().await {
            tracing::warn!(%error, "the listener did not stop cleanly");
        }
        if let Some(pruner) = self.pruner {
            pruner.shutdown().await;
        }
        join_all(self.lines.into_iter().map(Line::stop)).await;
        if let Some(deliveries) = self.deliveries
            && !deliveries.shutdown(ALERTS_DRAIN).await
        {
            tracing::warn!("alerts were left undelivered");
        }
    }
}

impl Line {
    async fn stop(self) {
        if !self.feed.shutdown().await {
            tracing::warn!("a page of changes was left unread; it is read at the next start");
        }
        if !self.worker.shutdown().await {
            tracing::warn!("work was left unfinished; it is taken up at the next start");
        }
    }
}

/// What all pairs have in common.
struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<SystemClock>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    /// The version of the project that they work with.
    project: Option<ProjectId>,
    /// Who is told: one queue, so that what is alike is told once.
    alerts: Alerts,
}

impl Shared {
    /// Starts the worker and the feed of a pair.
    async fn line(&self, ready: &parts::Ready, clients: &parts::Clients) -> Result<Line, String> {
        let limits = &ready.pair.limits;
        let parts = Parts {
            pair: ready.pair.name.clone(),
            plan: Arc::clone(&ready.plan),
            crms: clients.crms(),
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            settings: Settings {
                lanes: limits.records_at_a_time,
                gather: Duration::from_secs(limits.gather_seconds),
                max_attempts: limits.max_attempts,
                project: self.project,
                alerts: self.alerts.clone(),
                ..Settings::default()
            },
        };
        let worker = Runtime::start(parts.clone()).await.map_err(|error| error.to_string())?;
        let settings = poll_settings(&ready.pair);
        let feed = Feed::start(FeedParts { parts, sources: clients.sources(), settings });
        Ok(Line { worker, feed })
    }
}

/// The clients of all pairs. A token of another portal ends the start, where that is known in time.
async fn clients(
    pairs: &[parts::Ready],
    tokens: &Arc<SqliteStore>,
) -> Result<Vec<parts::Clients>, Unstarted> {
    let of = |ready: &parts::Ready, error: &str| {
        Unstarted::by_setting(format!("pair `{}`: {error}", ready.pair.name))
    };
    let mut all = Vec::with_capacity(pairs.len());
    for ready in pairs {
        all.push(parts::clients(ready, Some(tokens)).map_err(|error| of(ready, &error))?);
    }
    let asked = pairs.iter().zip(&all).map(|(ready, clients)| async move {
        let known = tokio::time::timeout(TOKENS_KNOWN, clients.hubspot().of_another_portal()).await;
        known.ok().flatten().map(|error| (ready, error))
    });
    match join_all(asked).await.into_iter().flatten().next() {
        Some((ready, error)) => Err(of(ready, &error.to_string())),
        None => Ok(all),
    }
}

/// How often changes are asked for, for one pair.
fn poll_settings(pair: &Pair) -> PollSettings {
    PollSettings {
        salesforce: pair.poll.every,
        hubspot: pair.hubspot.poll,
        mappings: pair.poll.mappings.clone().into_iter().collect(),
        overlap: pair.poll.overlap,
    }
}

/// How the listener listens for these pairs.
pub(super) fn ingress_settings(pairs: &[parts::Ready]) -> Result<IngressSettings, String> {
    let portals = pairs.iter().map(|ready| portal(&ready.pair)).collect::<Result<_, _>>()?;
    let mut settings = IngressSettings::new(portals);
    if let Some(first) = pairs.first() {
        let serve = &first.config.serve;
        settings.bind = serve.listen;
        settings.max_body = serve.max_body_bytes;
        settings.skew = Duration::from_secs(serve.clock_skew_seconds);
    }
    Ok(settings)
}

fn portal(pair: &Pair) -> Result<Portal, String> {
    let Some(webhook) = &pair.hubspot.webhook else {
        return Err(format!("pair `{}` has no `hubspot: webhook:`, so nothing can be verified", pair.name));
    };
    Ok(Portal {
        pair: pair.name.clone(),
        portal_id: pair.hubspot.portal,
        app_id: pair.hubspot.app_id,
        secrets: webhook.secrets.clone(),
        require_v3: false,
        public_url: webhook.public_url.clone(),
    })
}

impl LogForm {
    /// Text for a person at a terminal, JSON for whatever collects it elsewhere.
    fn fitting() -> Self {
        if std::io::stderr().is_terminal() { LogForm::Text } else { LogForm::Json }
    }
}

/// Logs to standard error; `RUST_LOG` chooses what.
fn log_to_stderr(form: LogForm) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("mapwright=info,warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && parts::env("NO_COLOR").is_none());
    // Only fails where a log is set up already, which then serves as well.
    let _ = match form {
        LogForm::Json => {
            log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        LogForm::Text => log.try_init(),
    };
    // The words of a panic may quote a person's data; its place does not.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a fault of the engine");
    }));
}
