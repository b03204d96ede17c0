//! Three pairs over one store, each with a portal and an org of its own: one is well, the token of another is refused, and
//! the third hangs under a flood of events.

mod sandboxes;

use std::sync::Arc;
use std::time::Duration;

use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::plan::Plan;
use mapwright::runtime::{Handle, Health, Metrics, Parts, Runtime, Settings};
use mapwright::sandbox::core::{Fault, Times};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::source::{ObjectName, Side};
use mapwright::store::{Incoming, NewEvent, SqliteStore, Store};
use mapwright::types::{ChangeEvent, ChangeKind};

use sandboxes::{now, plan_of};

const PATIENCE: Duration = Duration::from_mins(1);
const CONTACTS: u64 = 300;
const FLOOD: u64 = 5_000;

fn plan() -> Arc<Plan> {
    plan_of(&[
        ("mql_to_lead.map", include_str!("../mappings/mql_to_lead.map")),
        ("contact_from_mql.map", include_str!("../mappings/contact_from_mql.map")),
        ("company_to_account.map", include_str!("../mappings/company_to_account.map")),
        ("picklists.map", include_str!("../mappings/picklists.map")),
    ])
}

/// One pair, with its sandboxes and its worker.
struct Line {
    name: &'static str,
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    worker: Handle,
    health: Arc<Health>,
}

/// What the pairs share.
struct Shared {
    _folder: tempfile::TempDir,
    plan: Arc<Plan>,
    store: Arc<SqliteStore>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

impl Shared {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("store.db")).await.expect("a store");
        let (metrics, health) = (Arc::new(Metrics::default()), Arc::new(Health::default()));
        Self { _folder: folder, plan: plan(), store: Arc::new(store), metrics, health }
    }

    /// Starts a pair; `spoil` has its sandbox before the worker has it.
    async fn line(&self, name: &'static str, spoil: impl FnOnce(&portal::HubspotHandle)) -> Line {
        let retry = RetryPolicy { base_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        let http = HttpOptions { allow_private: true, retry, ..HttpOptions::new(now, || 0.5) };
        let (portal, org, crms, _) = sandboxes::start(portal::WebhookConfig::default(), http).await;
        for id in 1..=CONTACTS {
            let (id, email) = (id.to_string(), format!("p{id}@acme.example"));
            let properties = [
                ("email", email.as_str()),
                ("lastname", "Doe"),
                ("lifecyclestage", "marketingqualifiedlead"),
            ];
            portal.create("contact", Some(&id), &properties, &portal::Actor::person()).expect("a contact");
        }
        spoil(&portal);
        let settings = Settings {
            credentials: Duration::from_millis(200),
            drain: Duration::from_millis(100),
            ..Settings::default()
        };
        let store: Arc<dyn Store> = self.store.clone();
        let parts = Parts {
            pair: name.to_owned(),
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            ..sandboxes::parts(Arc::clone(&self.plan), crms, store, settings)
        };
        let worker = Runtime::start(parts).await.expect("a worker");
        Line { name, portal, org, worker, health: Arc::clone(&self.health) }
    }

    /// Contacts of a pair become marketing qualified.
    async fn became(&self, pair: &str, contacts: u64) {
        let event = |id: u64| NewEvent {
            pair: pair.to_owned(),
            dedupe: id.to_string(),
            raw: "{}".to_owned(),
            received_at: now(),
            incoming: Incoming::Change(ChangeEvent {
                object: ObjectName::new(Side::Hubspot, "contact"),
                record: id.to_string(),
                kind: ChangeKind::FieldChanged {
                    field: "lifecyclestage".to_owned(),
                    value: Some("marketingqualifiedlead".to_owned()),
                },
                occurred_at: now(),
            }),
        };
        self.store.append((1..=contacts).map(event).collect()).await.expect("append");
    }

    async fn lanes(&self, pair: &str) -> u64 {
        self.store.pending_of(pair).await.expect("pending").lanes
    }
}

impl Line {
    async fn idle(&self) {
        assert!(self.worker.idle(PATIENCE).await.expect("the store"), "`{}` is not done", self.name);
    }

    fn leads(&self) -> usize {
        self.org.query("SELECT Id FROM Lead").expect("SOQL").len()
    }

    fn is_paused(&self) -> bool {
        self.health.workers().get(self.name).is_some_and(|worker| !worker.paused.is_empty())
    }

    /// Waits until something is so, by looking again after every report of a worker.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("in time");
    }

    async fn end(self) {
        self.worker.shutdown().await;
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }
}

/// Silence until the test is over.
fn hang(portal: &portal::HubspotHandle) {
    portal.inject(Fault {
        answer: Some("timeout".to_owned()),
        times: Some(Times::Always),
        delay_ms: Some(600_000),
        ..Fault::default()
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_pair_does_not_slow_another() {
    let shared = Shared::new().await;
    let hanging = shared.line("hanging", hang).await;
    let refused = shared.line("refused", |portal| portal.rotate_token("another")).await;
    // Both have taken up work and stand still before the healthy pair begins.
    shared.became("hanging", FLOOD).await;
    shared.became("refused", CONTACTS).await;
    hanging.until(|line| line.portal.calls() > 0).await;
    refused.until(Line::is_paused).await;

    let healthy = shared.line("healthy", |_| ()).await;
    shared.became("healthy", CONTACTS).await;
    healthy.idle().await;
    assert_eq!(healthy.leads() as u64, CONTACTS);
    // As many calls as it costs alone: three reads; the session, three look-ups and two writes.
    assert_eq!((healthy.portal.calls(), healthy.org.calls().len()), (3, 6));
    assert!(!healthy.is_paused());

    // Meanwhile nothing of the others was done or lost.
    assert_eq!((shared.lanes("hanging").await, hanging.leads(), hanging.org.calls().len()), (FLOOD, 0, 0));
    assert_eq!((shared.lanes("refused").await, refused.leads()), (CONTACTS, 0));
    let text = shared.metrics.render();
    assert!(
        text.contains(&format!("mapwright_records_total{{pair=\"healthy\",verdict=\"created\"}} {CONTACTS}")),
        "{text}"
    );
    assert!(!text.contains("pair=\"hanging\",verdict"), "{text}");

    // The token works again: the pair goes on by itself, beside the one that still hangs.
    let token = refused.portal.config().tokens[0].clone();
    refused.portal.rotate_token(&token);
    refused.idle().await;
    assert_eq!((refused.leads() as u64, refused.is_paused()), (CONTACTS, false));
    assert_eq!(shared.lanes("hanging").await, FLOOD);
    for line in [healthy, refused, hanging] {
        line.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_record_of_two_pairs_is_two_records() {
    let shared = Shared::new().await;
    let (one, two) = (shared.line("one", |_| ()).await, shared.line("two", |_| ()).await);
    shared.became("one", 2).await;
    shared.became("two", 1).await;
    one.idle().await;
    two.idle().await;
    assert_eq!((one.leads(), two.leads()), (2, 1));
    for line in [one, two] {
        line.end().await;
    }
}
