//! The feed: asks CRMs for changes that they do not tell of, and puts them into the journal.
//!
//! **Page.** One page of one object at a time: read from the stored position, compared with how its records were when
//! they were last read, and committed as one transaction (events, records, new position). The worker does the rest, as
//! with events that came by webhook.
//!
//! **Delivery.** At least once. A crash between reading and committing reads the page again; a crash afterwards goes on
//! behind it. The position never passes a change that is not in the journal.
//!
//! **Own writes** come back as changes. They are told with what the row shows, and the worker knows an echo by that: between
//! our write and the poll a person may have edited the record, and one time stamp stands for both.
//!
//! **Failure.** A failed call has the policy that it has in the worker: back off, or leave the CRM alone until its window
//! opens or its credentials work again. A refusal (a field that is gone, an object that may not be read) holds up its own
//! object alone, is shown by `/healthz`, and is tried again.
//!
//! **Shutdown.** Between two pages; a page under way is dropped after a bounded time, and nothing is lost.

mod compare;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::alert::{Notice, redacted};
use crate::crm::{Change, Changes, ChangesPage, ChangesRequest, Found, Position};
use crate::plan::{Parent, Watched};
use crate::source::{ObjectName, Side};
use crate::store::{Advance, Incoming, NewEvent, Seen, StoreError, Watermark};
use crate::types::{ChangeEvent, ChangeKind, CrmError, CrmErrorKind};

use super::policy::{self, Policy};
use super::{Parts, Pause, pauses};
use compare::Reading;

pub use settings::PollSettings;
use settings::Watch;

/// Rows of one page: what Salesforce gives in one answer; HubSpot gives fewer.
const PAGE: u32 = 2_000;

/// How long to leave the store alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How long a shutdown waits for the page under way.
const DRAIN: Duration = Duration::from_secs(10);

/// What a feed is made of.
#[derive(Clone)]
pub struct FeedParts {
    /// The pair, its plan, store, clock and boards, as its worker has them.
    pub parts: Parts,
    /// Where changes come from.
    pub sources: Vec<Arc<dyn Changes>>,
    /// How often they are asked for.
    pub settings: PollSettings,
}

impl std::fmt::Debug for FeedParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedParts")
            .field("parts", &self.parts)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A running feed.
#[derive(Debug)]
pub struct Feed {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Starts to watch what the plan wants watched; with nothing to watch, it ends at once.
    pub fn start(parts: FeedParts) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(run(parts, stopped)) }
    }

    /// Lets the page under way finish; answers whether it did in time.
    ///
    /// Cancellation: dropping the future leaves the feed stopping by itself.
    pub async fn shutdown(mut self) -> bool {
        let _ = self.stop.send(true);
        let ended = tokio::time::timeout(DRAIN, &mut self.task).await.is_ok();
        if !ended {
            self.task.abort();
        }
        ended
    }
}

/// An object that is watched, and when its next page is due.
struct Turn {
    watch: Watch,
    source: Arc<dyn Changes>,
    due: DateTime<Utc>,
    /// Failures since the last page that was read.
    attempts: u32,
}

async fn run(parts: FeedParts, mut stop: watch::Receiver<bool>) {
    let now = parts.parts.clock.now();
    let find = |watch: Watch| {
        let source = parts.sources.iter().find(|source| source.side() == watch.watched.object.side)?;
        Some(Turn { watch, source: Arc::clone(source), due: now, attempts: 0 })
    };
    let mut turns: Vec<Turn> =
        parts.settings.watches(&parts.parts.plan).into_iter().filter_map(find).collect();
    if turns.is_empty() {
        return;
    }
    let _alive = Alive::report(&parts.parts);
    let mut board = parts.parts.health.watch();
    // The pause of one CRM must not hold up the other.
    let due = |turn: &Turn| turn.due.max(paused(&parts.parts, turn.source.side()));
    while !*stop.borrow() {
        board.mark_unchanged();
        // INVARIANT: there is a turn, and turns are never taken away.
        let Some(turn) = next(&mut turns, due) else { return };
        let now = parts.parts.clock.now();
        match (due(turn) - now).to_std() {
            Ok(wait) if !wait.is_zero() => {
                let held_up = paused(&parts.parts, turn.source.side()) > now;
                tokio::select! {
                    () = parts.parts.clock.sleep(wait) => {}
                    // A pause may be cut short.
                    _ = board.changed(), if held_up => {}
                    // An error means that the handle is gone, and nobody will stop the feed: it works on.
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            }
            _ => take(&parts, turn).await,
        }
    }
}

/// The turn that is due first. After a pause all of its CRM's are, and the one goes first that has waited the longest.
fn next(turns: &mut [Turn], due: impl Fn(&Turn) -> DateTime<Utc>) -> Option<&mut Turn> {
    turns.iter_mut().min_by_key(|turn| (due(turn), turn.due))
}

/// Until when a CRM is left alone.
fn paused(parts: &Parts, side: Side) -> DateTime<Utc> {
    let workers = parts.health.workers();
    let pause = workers.get(&parts.pair).and_then(|worker| worker.paused.get(&side));
    pause.map_or(DateTime::UNIX_EPOCH, |pause| pause.until)
}

/// Says on the health board that the feed runs, for as long as it does.
struct Alive<'a>(&'a Parts);

impl<'a> Alive<'a> {
    fn report(parts: &'a Parts) -> Self {
        parts.health.report(&parts.pair, |health| health.feed_stopped = false);
        Self(parts)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.health.report(&self.0.pair, |health| health.feed_stopped = true);
    }
}

/// Why a page was not read.
#[derive(Debug)]
enum Trouble {
    /// A call failed.
    Crm(CrmError),
    /// The store failed.
    Store(StoreError),
}

impl From<CrmError> for Trouble {
    fn from(error: CrmError) -> Self {
        Trouble::Crm(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Store(error)
    }
}

/// Reads an object's next page and says when the one after it is due.
async fn take(parts: &FeedParts, turn: &mut Turn) {
    let Parts { pair, clock, metrics, .. } = &parts.parts;
    let side = turn.source.side();
    let result = page(parts, &turn.watch, turn.source.as_ref()).await;
    metrics.crm_calls(pair, side, parts.parts.crms.get(side).calls());
    let (wait, error) = match result {
        Ok(done) => {
            turn.attempts = 0;
            metrics.poll(pair, side, "read");
            note_success(&parts.parts, &turn.watch, &done);
            let every = turn.watch.every.mul_f64(1.0 - clock.jitter().clamp(0.0, 1.0) / 10.0);
            (if done.more { done.pause } else { every.max(done.pause) }, None)
        }
        Err(Trouble::Store(error)) => {
            tracing::error!(%error, object = %turn.watch.watched.object, "a page of changes could not be kept");
            metrics.poll(pair, side, "failed");
            parts.parts.settings.alerts.raise(Notice::StoreFailed { error: error.to_string() });
            (STORE_PAUSE, Some("the store failed".to_owned()))
        }
        Err(Trouble::Crm(error)) => {
            metrics.poll(pair, side, "failed");
            let wait = after_failure(&parts.parts, turn, &error);
            (wait, Some(summary(&error)))
        }
    };
    let (now, object) = (clock.now(), turn.watch.watched.object.to_string());
    turn.due = now + wait;
    parts.parts.health.report(&parts.parts.pair, |health| {
        let feed = health.feeds.entry(object).or_default();
        if error.is_none() {
            feed.last_poll = Some(now);
        }
        feed.error = error;
    });
}

/// What a page came to.
struct Done {
    more: bool,
    pause: Duration,
    read_to: DateTime<Utc>,
    /// By the CRM's clock.
    now: DateTime<Utc>,
}

/// Reads one page and commits what it holds.
async fn page(parts: &FeedParts, watch: &Watch, source: &dyn Changes) -> Result<Done, Trouble> {
    let Parts { pair, store, clock, .. } = &parts.parts;
    let object = &watch.watched.object;
    let from = store.watermark(pair, object).await?.map(|mark| mark.position);
    let request = ChangesRequest {
        object: object.clone(),
        fields: watch.watched.fields.iter().cloned().collect(),
        ends_only: watch.watched.ends_only,
        since: from.clone().map(Position),
        limit: PAGE,
        overlap: parts.settings.overlap,
    };
    let page = source.changes(&request).await?;
    if from.is_none() {
        tracing::info!(
            pair, %object, at = %page.now,
            "the feed begins now, by the CRM's clock; what changed before is for a backfill"
        );
    }
    let mut ids: Vec<String> = page.changes.iter().map(|change| change.record.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let known = if ids.is_empty() { Vec::new() } else { store.seen(pair, object, &ids).await? };
    let (events, seen) = judge(parts, watch, &page, known);
    let advance = Advance {
        pair: pair.clone(),
        object: object.clone(),
        from,
        to: Watermark { position: page.next.0, read_to: page.read_to },
        events,
        seen,
    };
    let count = advance.events.len();
    let told: Vec<String> = advance.events.iter().map(|event| event.incoming.told()).collect();
    let appended = store.advance(advance, clock.now()).await?;
    for (event, told) in appended.iter().flatten().zip(&told).filter(|(event, _)| event.new) {
        tracing::info!(correlation_id = %event.correlation, pair, event = event.id.0, told, "a change was found");
    }
    match appended {
        Some(_) if count > 0 => {
            tracing::info!(pair, %object, events = count, read_to = %page.read_to, "changes were read");
        }
        Some(_) => {}
        // Somebody else reads this object too; what they read is in the journal.
        None => tracing::warn!(pair, %object, "another feed moved the watermark; this page is read again"),
    }
    let more = page.more || appended.is_none();
    Ok(Done { more, pause: page.pause, read_to: page.read_to, now: page.now })
}

/// The events that a page stands for, and its records as they are now.
fn judge(
    parts: &FeedParts,
    watch: &Watch,
    page: &ChangesPage,
    known: Vec<Seen>,
) -> (Vec<NewEvent>, Vec<Seen>) {
    let reading = Reading { watched: &watch.watched, baseline: page.baseline, new_since: page.new_since };
    let mut seen: HashMap<String, Seen> = known.into_iter().map(|seen| (seen.record.clone(), seen)).collect();
    let mut renewed: Vec<String> = Vec::new();
    let mut events = Vec::new();
    let side = watch.watched.object.side;
    for change in &page.changes {
        let known = seen.get(&change.record);
        let (kinds, now) = reading.compare(change, known);
        let undone = reading.undone(change, known);
        let result = match (kinds.is_empty() && undone.is_empty(), change.own) {
            (true, _) => "known",
            (false, true) => "own",
            (false, false) => "new",
        };
        parts.parts.metrics.polled(&parts.parts.pair, side, result);
        let revision = now.as_ref().or(known).map_or(0, |seen| seen.revision);
        let own = own_state(&reading, change);
        if !kinds.is_empty() || !undone.is_empty() {
            events.extend(for_parents(&parts.parts, &reading, change, known, revision));
        }
        if !watch.watched.starts {
            note(&mut seen, &mut renewed, now);
            continue;
        }
        let kinds = kinds.into_iter().enumerate().map(|(nth, kind)| (kind, json!(nth)));
        let undone = undone.into_iter().map(|(kind, left)| (json!([kind.told(), left]), kind));
        for (kind, which) in kinds.chain(undone.map(|(which, kind)| (kind, which))) {
            let change = ChangeEvent {
                object: watch.watched.object.clone(),
                record: change.record.clone(),
                kind,
                occurred_at: change.at,
            };
            events.push(event(&parts.parts, change, own.as_ref(), (revision, which)));
        }
        note(&mut seen, &mut renewed, now);
    }
    renewed.sort_unstable();
    renewed.dedup();
    let renewed = renewed.into_iter().filter_map(|record| seen.remove(&record)).collect();
    (events, renewed)
}

/// Remembers a record as it is now.
fn note(seen: &mut HashMap<String, Seen>, renewed: &mut Vec<String>, now: Option<Seen>) {
    if let Some(now) = now {
        renewed.push(now.record.clone());
        seen.insert(now.record.clone(), now);
    }
}

/// What a change of a row means to the records that it belongs to, and to those that it belonged to when it was last read:
/// of a row that was purged nothing else is known.
fn for_parents(
    parts: &Parts,
    reading: &Reading<'_>,
    change: &Change,
    known: Option<&Seen>,
    revision: i64,
) -> Vec<NewEvent> {
    let now = reading.parents(match &change.what {
        Found::State { values, .. } => values,
        Found::Event(_) => &change.last,
    });
    let Watched { object: ObjectName { name: row, .. }, parents, .. } = reading.watched;
    let event_for = |(parent, record): (&Parent, &String)| {
        let kind = ChangeKind::AssociationChanged { other: Some(row.clone()) };
        let (object, record) = (parent.object.clone(), record.clone());
        let of = ChangeEvent { object, record, kind, occurred_at: change.at };
        event(parts, of, None, (revision, json!([row, change.record])))
    };
    let of = |parent| {
        let Parent { field, .. }: &Parent = parent;
        let before = known.and_then(|known| known.parents.get(field));
        let both: BTreeSet<&String> = now.get(field).into_iter().chain(before).collect();
        both.into_iter().map(move |record| (parent, record))
    };
    parents.iter().flat_map(of).map(event_for).collect()
}

/// Of a row that we were the last to write: digests of what it shows.
fn own_state(reading: &Reading<'_>, change: &Change) -> Option<BTreeMap<String, String>> {
    match &change.what {
        Found::State { values, .. } if change.own => Some(reading.digests(values)),
        _ => None,
    }
}

/// An event of the journal. Its key names the change, not the value: a record can change twice within the second that a
/// time stamp stands for, and back to the same value.
fn event(
    parts: &Parts,
    change: ChangeEvent,
    own: Option<&BTreeMap<String, String>>,
    (revision, which): (i64, Json),
) -> NewEvent {
    let ChangeEvent { object, record, occurred_at, kind } = &change;
    let at = occurred_at.timestamp_micros();
    let facts = json!(["poll", object.side.word(), object.name, record, at, revision, which]);
    let raw = json!({
        "source": "poll", "object": object.name, "id": record, "at": occurred_at, "what": kind.told(),
    });
    NewEvent {
        pair: parts.pair.clone(),
        dedupe: hex::encode(Sha256::digest(facts.to_string())),
        raw: raw.to_string(),
        received_at: parts.clock.now(),
        incoming: match own {
            Some(state) => Incoming::Own { change, state: state.clone() },
            None => Incoming::Change(change),
        },
    }
}

fn note_success(parts: &Parts, watch: &Watch, done: &Done) {
    let object = &watch.watched.object;
    let lag = (done.now - done.read_to).to_std().unwrap_or_default();
    parts.metrics.feed(&parts.pair, object, parts.clock.now(), lag);
    let now = parts.clock.now();
    parts.health.report(&parts.pair, |health| {
        health.feeds.entry(object.to_string()).or_default().read_to = Some(done.read_to);
    });
    // Whoever may read may not therefore write.
    let tells = |pause: &Pause| pause.until <= now && pause.reason != policy::FORBIDDEN;
    pauses::end(parts, |side, pause| side == object.side && tells(pause));
}

/// How long to wait after a failed call. A pause goes on the board, where the worker sees it too; but what may not be read
/// holds up its own object alone.
fn after_failure(parts: &Parts, turn: &mut Turn, error: &CrmError) -> Duration {
    let Parts { clock, settings, .. } = parts;
    let (object, side): (&ObjectName, _) = (&turn.watch.watched.object, turn.source.side());
    let attempts = turn.attempts;
    turn.attempts = attempts.saturating_add(1);
    // A feed is never given up, so its failures are never the last.
    let wait = match policy::decide(error, 0, clock.jitter(), settings) {
        Policy::Pause { time, help, .. } if error.kind == CrmErrorKind::Forbidden => {
            if attempts == 0 {
                let (pair, object, code) = (parts.pair.clone(), object.to_string(), error.code.clone());
                settings.alerts.raise(Notice::UnreadChanges { pair, crm: side, object, help, code });
            }
            time
        }
        Policy::Retry { .. } => {
            policy::backoff(attempts, clock.jitter(), settings).max(error.retry_after.unwrap_or_default())
        }
        Policy::Pause { time, reason, help } => {
            let until = clock.now() + time;
            pauses::begin(parts, side, Pause { until, reason, help }, error.code.as_deref());
            // The pause itself holds it up, for as long as it lasts.
            return Duration::ZERO;
        }
        Policy::Park => settings.max_backoff,
    };
    tracing::error!(
        pair = parts.pair, %object, code = error.code, status = error.status,
        error = redacted(&error.message), ?wait,
        "changes cannot be read"
    );
    wait
}

/// What an outsider may know: the rest is in the log.
fn summary(error: &CrmError) -> String {
    if error.without_login() {
        return "no login".to_owned();
    }
    let code = error.code.as_deref();
    let status = error.status.map(|status| status.to_string());
    code.map(str::to_owned).or(status).unwrap_or_else(|| "no answer".to_owned())
}
