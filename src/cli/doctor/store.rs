//! The store, the queue, and the `serve` that works it.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use url::Url;

use super::super::output::Output;
use super::super::parts::{self, Ready};
use super::hubspot::{is_oauth, list};
use super::report::Report;
use super::{disk, needs};
use crate::config::Pair;
use crate::crm::http::{HttpOptions, Outbound};
use crate::store::{Condition, SqliteStore, Store, StoreError};

/// Work that waits longer than this is held up: a burst is done within minutes.
const LONG: TimeDelta = TimeDelta::minutes(10);

/// A healthy `serve` says how it is in a few kilobytes.
const HEALTH_BYTES: usize = 1 << 20;

/// The project's store, if there is one.
pub(super) type Opened = Option<Result<Arc<SqliteStore>, StoreError>>;

/// Opens the store. It makes none, except where a configured refresh token may be replaced by the next call, and would be
/// lost.
pub(super) async fn open(pairs: &[Ready], first: &Ready) -> Opened {
    let path = parts::store_path(first);
    if path.exists() {
        return Some(SqliteStore::open(&path).await.map(Arc::new));
    }
    if pairs.iter().any(Ready::replaces_token) {
        return parts::store(first, Output::new(false)).await.ok().map(|store| Ok(Arc::new(store)));
    }
    None
}

pub(super) async fn check(pairs: &[Ready], first: &Ready, opened: Opened, report: &mut Report) {
    let path = parts::store_path(first);
    let health = serving(first, report).await;
    disk::check(&path, report);
    let Some(opened) = opened else {
        report.of_all();
        not_there(&path, report);
        for ready in pairs {
            report.of(&ready.pair.name);
            webhooks(ready, &Condition::default(), report);
        }
        return;
    };
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            report.of_all();
            let help = "look at the path, its rights, and the free space there";
            report.store_failed(format!("it cannot be opened: {error}"), help);
            return;
        }
    };
    for ready in pairs {
        let pair = &ready.pair;
        report.of(&pair.name);
        match store.condition(&pair.name).await {
            Ok(condition) => {
                webhooks(ready, &condition, report);
                queue(&condition, report);
                watermarks(ready, &condition, report);
                if let Some(health) = &health {
                    paused(&health["workers"][&pair.name], report);
                }
            }
            Err(error) => report.store_failed(format!("it cannot be read: {error}"), "see the message"),
        }
    }
    report.of_all();
    file(&store, &path, &first.pair, report).await;
    store.close().await;
}

/// A store that nothing has made so far.
fn not_there(path: &Path, report: &mut Report) {
    let shown = path.display();
    match disk::unmakeable(path) {
        None => {
            report.ok("store", format!("`{shown}` is not there yet; the first `serve` or `run` makes it"));
        }
        Some(why) => report.problem(
            "store",
            format!("`{shown}` is not there and cannot be made: {why}"),
            "look at `store: sqlite:` and at the rights of the folder",
        ),
    }
}

/// The store's file.
async fn file(store: &SqliteStore, path: &Path, pair: &Pair, report: &mut Report) {
    let condition = store.condition(&pair.name).await.unwrap_or_default();
    match store.ping().await {
        Ok(()) => report.ok(
            "store",
            format!(
                "`{}` can be written; schema {}, {} KiB",
                path.display(),
                condition.version,
                condition.bytes.div_ceil(1024)
            ),
        ),
        Err(error) => {
            report.store_failed(format!("it cannot be written: {error}"), "look at rights and free space");
        }
    }
}

/// Whether `serve` runs, by its own word; what it says.
async fn serving(ready: &Ready, report: &mut Report) -> Option<Json> {
    report.of_all();
    let mut listen = ready.config.serve.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let url = Url::parse(&format!("http://{listen}/healthz")).ok()?;
    let http = ready.http();
    let http =
        HttpOptions { allow_private: true, request_timeout: std::time::Duration::from_secs(3), ..http };
    let answer = match Outbound::new(&url, http) {
        Ok(outbound) => outbound.get(&url, HEALTH_BYTES).await,
        Err(error) => Err(error.to_string()),
    };
    let health: Option<Json> = answer.ok().and_then(|(_, body)| serde_json::from_slice(&body).ok());
    match health.as_ref().map(|health| health["status"].as_str().unwrap_or("?").to_owned()) {
        None => report.warning(
            "serve",
            format!(
                "nothing answers at http://{listen}/healthz, so no event is taken and no record worked on"
            ),
            "start `mapwright serve`; if it listens elsewhere, this is no fault",
        ),
        Some(status) if status == "ok" => report.ok("serve", format!("runs at http://{listen}")),
        Some(status) => report.problem(
            "serve",
            format!("runs at http://{listen} and says `{status}`"),
            "the lines of each pair and the log say why",
        ),
    }
    health
}

/// The CRMs that `serve` leaves alone, and why.
fn paused(worker: &Json, report: &mut Report) {
    for (crm, pause) in worker["paused"].as_object().into_iter().flatten() {
        let text = |key: &str| pause[key].as_str().unwrap_or("?").to_owned();
        report.problem(
            "pauses",
            format!("{crm} is left alone until {}: {}", text("until"), text("reason")),
            text("help"),
        );
    }
    for (object, feed) in worker["feeds"].as_object().into_iter().flatten() {
        if let Some(error) = feed["error"].as_str() {
            report.problem(
                "polls",
                format!("the changes of {object} cannot be read: {error}"),
                "the log says what the CRM answered",
            );
        }
    }
}

fn queue(condition: &Condition, report: &mut Report) {
    let (retrying, error) = &condition.retrying;
    let age = condition.oldest.map(|oldest| parts::now() - oldest);
    let oldest = age.map_or_else(String::new, |age| format!("; the oldest waits for {}", words(age)));
    let message = format!("{} records have work{oldest}", condition.lanes);
    if age.is_some_and(|age| age > LONG) {
        report.warning("queue", message, "see whether `serve` runs and which CRM it leaves alone");
    } else {
        report.ok("queue", message);
    }
    if *retrying > 0 {
        let error = error.as_deref().unwrap_or("?");
        report.warning(
            "retries",
            format!("{retrying} records are tried again after a failure, the latest: {error}"),
            "nothing yet: what fails in itself is parked after `limits: max_attempts`; a pause uses no attempt up",
        );
    }
    let parked: u64 = condition.parked.iter().map(|(_, count)| count).sum();
    if parked == 0 {
        return report.ok("parked", "no record waits for a person".to_owned());
    }
    let by: Vec<String> =
        condition.parked.iter().map(|(mapping, count)| format!("{count} of `{mapping}`")).collect();
    report.warning(
        "parked",
        format!("{parked} records wait for a person: {}", by.join(", ")),
        "`mapwright parked list`",
    );
}

/// How far changes have been read. An object that is read every so often is late after ten times as long.
fn watermarks(ready: &Ready, condition: &Condition, report: &mut Report) {
    let poll = &ready.pair.poll;
    let Some(every) = poll.every else { return };
    let late = poll.overlap + every * 10;
    let late = TimeDelta::from_std(late).unwrap_or(LONG);
    for (object, read_to) in &condition.watermarks {
        let age = parts::now() - *read_to;
        let message = format!("the changes of {object} are read to {} ({} ago)", time(*read_to), words(age));
        if age > late {
            report.warning(
                "polls",
                message,
                "see whether `serve` runs; Salesforce remembers deletions for 15 days",
            );
        } else {
            report.ok("polls", message);
        }
    }
}

/// What HubSpot must send. A private app's subscriptions cannot be read with its token, so what has come is the only
/// witness; what has not come may merely not have happened.
fn webhooks(ready: &Ready, condition: &Condition, report: &mut Report) {
    let pair = &ready.pair;
    let needed = needs::subscriptions(&ready.plan);
    if needed.is_empty() {
        return;
    }
    let heard = |kind: &str, property: Option<&str>| {
        let (_, what) = kind.split_once('.').unwrap_or_default();
        let same = |known: &crate::store::Heard| {
            (known.kind == kind || known.kind == format!("object.{what}"))
                && known.property.as_deref() == property
        };
        condition.heard.iter().filter(|known| same(known)).map(|known| known.at).max()
    };
    if pair.hubspot.webhook.is_none() {
        let help = "add `hubspot: webhook:`, or let HubSpot be asked: `hubspot: poll: 5m`";
        if pair.hubspot.poll.is_none() {
            report.problem("webhooks", "HubSpot can tell of no change: no webhook, no poll".to_owned(), help);
        }
        return;
    }
    let mut open = Vec::new();
    for ((kind, property), mappings) in &needed {
        let name = property.as_ref().map_or_else(|| kind.clone(), |property| format!("{kind} {property}"));
        match heard(kind, property.as_deref()) {
            Some(at) => report.ok("webhooks", format!("{name}: last came {}", time(at))),
            None => open.push(format!("{name}  (for {})", list(mappings))),
        }
    }
    if !open.is_empty() {
        let (token, app) = if is_oauth(ready) {
            ("the token of an installation", "developer account > the app > Webhooks")
        } else {
            ("a private app's token", "private app > Webhooks")
        };
        let message = format!(
            "{} of {} kinds of events have not come yet; whether they are subscribed cannot be read with {token}",
            open.len(),
            needed.len()
        );
        let target = pair.hubspot.webhook.as_ref().map_or("", |webhook| webhook.public_url.as_str());
        let help = format!(
            "see in HubSpot ({app}, target {target}) that each of these is subscribed:\n{}",
            open.join("\n")
        );
        report.warning("webhooks", message, help);
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time as people say it.
fn words(time: TimeDelta) -> String {
    match time.num_seconds().max(0) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
