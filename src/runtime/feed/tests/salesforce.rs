//! Salesforce, which tells of nothing by itself.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value as Json, json};
use url::Url;

use crate::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use crate::sandbox::core::ClockSetting;
use crate::sandbox::salesforce::{SalesforceConfig as OrgConfig, SalesforceHandle, SalesforceServer};
use crate::source::Side;
use crate::store::Store;

use super::{Polled, machine_now, options, said, watched};

const MINUTES: Duration = Duration::from_mins(10);

/// An org, and a feed of its Leads.
struct World {
    org: SalesforceHandle,
    feed: Polled,
}

pub(super) fn client(org: &SalesforceHandle) -> Arc<SalesforceClient> {
    let config = SalesforceConfig {
        login_url: Url::parse(org.base_url()).expect("a URL"),
        api_version: "58.0".to_owned(),
        auth: SalesforceAuth::ClientCredentials {
            client_id: "sandbox-client".to_owned(),
            client_secret: "sandbox-secret".into(),
        },
        aliases: std::collections::HashMap::new(),
    };
    Arc::new(SalesforceClient::new(config, options()).expect("a client"))
}

impl World {
    async fn new() -> Self {
        Self::with(OrgConfig::default(), MINUTES).await
    }

    async fn with(config: OrgConfig, overlap: Duration) -> Self {
        let org = SalesforceServer::start(config).await.expect("a sandbox");
        let watched = watched(Side::Salesforce, "Lead", &["Email", "Status"]);
        let feed = Polled::new(client(&org), watched, overlap).await;
        Self { org, feed }
    }

    /// A feed that has begun.
    async fn begun() -> Self {
        let world = Self::new().await;
        world.feed.poll().await;
        world
    }

    fn lead(&self, more: &Json) -> String {
        let mut lead = json!({"LastName": "Doe", "Company": "Acme", "Status": "Open - Not Contacted"});
        lead.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        self.org.create("Lead", &lead).expect("a Lead")
    }

    fn clock(&self, offset: i64) {
        self.org.set_clock(ClockSetting { offset_seconds: Some(offset), ..ClockSetting::default() });
    }

    fn change(&self, id: &str, fields: &Json) {
        self.org.change("Lead", id, fields).expect("changed");
    }
}

fn ago(seconds: i64) -> DateTime<Utc> {
    machine_now() - TimeDelta::seconds(seconds)
}

/// A Lead as it was made some time ago.
fn made(seconds: i64) -> Json {
    json!({"CreatedDate": ago(seconds).to_rfc3339(), "SystemModstamp": ago(seconds).to_rfc3339()})
}

#[tokio::test]
async fn a_feed_begins_now() {
    let world = World::new().await;
    let (old, recent) = (world.lead(&made(86_400)), world.lead(&made(30)));
    assert!(world.feed.news().await.is_empty(), "what was there before is for a backfill");
    world.change(&old, &json!({"Email": "a@x.test"}));
    world.change(&recent, &json!({"Email": "b@x.test"}));
    let new = world.lead(&json!({"Email": "c@x.test", "Status": null}));
    let expected = said(&[
        // Nobody knows how it was before.
        (&old, &["Email changed", "Status changed"]),
        (&recent, &["Email changed"]),
        (&new, &["created", "Email changed"]),
    ]);
    assert_eq!(world.feed.news().await, expected);
    assert!(world.feed.news().await.is_empty(), "the overlap is read again, and nothing in it is new");
}

#[tokio::test]
async fn only_what_triggers_read_is_compared() {
    let world = World::begun().await;
    let lead = world.lead(&json!({}));
    world.feed.news().await;
    world.change(&lead, &json!({"City": "Tempe"}));
    assert!(world.feed.news().await.is_empty());
    world.change(&lead, &json!({"Status": "Working - Contacted"}));
    world.change(&lead, &json!({"City": "Mesa"}));
    assert_eq!(world.feed.news().await, said(&[(&lead, &["Status changed"])]));
}

#[tokio::test]
async fn two_changes_within_one_time_stamp_are_two() {
    let world = World::begun().await;
    let (lead, at) = (world.lead(&json!({})), machine_now().to_rfc3339());
    world.feed.news().await;
    for value in ["a@x.test", "b@x.test", "a@x.test", "b@x.test"] {
        world.change(&lead, &json!({"Email": value, "SystemModstamp": at}));
        assert_eq!(world.feed.news().await, said(&[(&lead, &["Email changed"])]), "{value}");
    }
}

#[tokio::test]
async fn deleted_merged_and_restored() {
    let world = World::begun().await;
    let names = ["deleted", "merged", "master", "both"];
    let [deleted, merged, master, both] = names.map(|name| world.lead(&json!({"LastName": name})));
    world.feed.news().await;
    world.org.delete("Lead", &deleted).expect("deleted");
    world.org.merge("Lead", &master, &merged).expect("merged");
    world.org.delete("Lead", &both).expect("deleted");
    let into = format!("merged into {master}");
    let expected = said(&[(&deleted, &["deleted"]), (&merged, &[&into]), (&both, &["deleted"])]);
    assert_eq!(world.feed.news().await, expected);
    assert!(world.feed.news().await.is_empty(), "a record ends once");
    world.org.undelete("Lead", &both).expect("restored");
    world.change(&both, &json!({"Email": "new@x.test"}));
    assert_eq!(world.feed.news().await, said(&[(&both, &["restored", "Email changed"])]));
    world.org.delete("Lead", &both).expect("deleted again");
    assert_eq!(world.feed.news().await, said(&[(&both, &["deleted"])]));
}

#[tokio::test]
async fn what_is_purged_at_once_is_found_within_a_quarter_of_an_hour() {
    let world = World::begun().await;
    let lead = world.lead(&json!({}));
    world.feed.news().await;
    world.org.purge("Lead", &lead).expect("purged");
    assert!(world.feed.news().await.is_empty(), "the recycle bin does not have it");
    world.clock(1_200);
    assert_eq!(world.feed.news().await, said(&[(&lead, &["deleted"])]));
    world.clock(2_400);
    assert!(world.feed.news().await.is_empty(), "a record ends once");
}

#[tokio::test]
async fn a_target_is_watched_for_its_end_alone() {
    let mut world = World::begun().await;
    world.feed.watch.watched.fields.clear();
    world.feed.watch.watched.ends_only = true;
    let (lead, other) = (world.lead(&json!({})), world.lead(&json!({})));
    world.org.clear_calls();
    assert!(world.feed.news().await.is_empty());
    world.org.delete("Lead", &lead).expect("deleted");
    assert_eq!(world.feed.news().await, said(&[(&lead, &["deleted"])]));
    assert!(world.org.calls().iter().all(|call| call.path.contains("IsDeleted+%3D+TRUE")));
    world.change(&other, &json!({"Email": "a@x.test"}));
    assert!(world.feed.news().await.is_empty());
}

/// More rows than a page share an instant, and none is missed and none read for ever; also where the server's pages are
/// smaller than ours.
#[tokio::test]
async fn five_thousand_rows_at_one_instant() {
    let world = World::with(OrgConfig { query_page_size: 700, ..OrgConfig::default() }, MINUTES).await;
    world.feed.poll().await;
    let at = ago(5).to_rfc3339();
    let same = json!({"SystemModstamp": at, "CreatedDate": at});
    for _ in 0..5_000 {
        world.lead(&same);
    }
    assert_eq!(world.feed.poll().await, 3, "two full pages and the rest");
    let pending = world.feed.store.pending().await.expect("the store");
    assert_eq!((pending.lanes, pending.events), (5_000, 10_000), "created, with a status");
    assert_eq!(world.feed.poll().await, 3, "the overlap is read again");
    assert_eq!(world.feed.store.pending().await.expect("the store"), pending);
}

#[tokio::test]
async fn pages_end_anywhere() {
    for count in [1_999, 2_000, 2_001] {
        let world = World::begun().await;
        for n in 0..count {
            // Several at each of some instants.
            world.lead(&made(500 - n % 7));
        }
        world.feed.poll().await;
        assert_eq!(world.feed.lanes().await, u64::try_from(count).expect("small"));
    }
}

#[tokio::test]
async fn what_commits_late_is_seen_within_the_overlap() {
    let world = World::begun().await;
    // In the sweeps before, they were not to be seen.
    let late = world.lead(&made(300));
    let changed = world.lead(&json!({}));
    world.feed.news().await;
    world.change(&changed, &json!({"Email": "a@x.test", "SystemModstamp": ago(500).to_rfc3339()}));
    let later = world.lead(&made(590));
    assert_eq!(
        world.feed.news().await,
        said(&[(&changed, &["Email changed"]), (&later, &["created", "Status changed"])])
    );
    assert!(!world.feed.news().await.contains_key(&late), "it was told in the first of these polls");
}

#[tokio::test]
async fn a_transaction_under_way_when_the_feed_began() {
    let world = World::begun().await;
    let late = world.lead(&made(120));
    assert_eq!(world.feed.news().await, said(&[(&late, &["created", "Status changed"])]));
}

#[tokio::test]
async fn a_crash_between_reading_and_committing_reads_again() {
    let world = World::begun().await;
    let lead = world.lead(&json!({}));
    // The source has answered; the process dies before anything is kept.
    let request = crate::crm::ChangesRequest {
        object: world.feed.watch.watched.object.clone(),
        fields: vec!["Email".to_owned()],
        ends_only: false,
        since: None,
        limit: 2_000,
        overlap: MINUTES,
    };
    world.feed.parts.sources[0].changes(&request).await.expect("a page");
    assert_eq!(world.feed.news().await, said(&[(&lead, &["created", "Status changed"])]));
}

#[tokio::test]
async fn our_own_write_is_counted_and_not_dropped() {
    let world = World::begun().await;
    let lead = world.lead(&json!({}));
    assert_eq!(world.feed.news().await.len(), 1, "the sandbox makes records as the integration user");
    let text = world.feed.parts.parts.metrics.render();
    assert!(
        text.contains(r#"mapwright_feed_changes_total{pair="main",crm="salesforce",result="own"} 1"#),
        "{text}"
    );
    let user = json!({"Username": "rep@x.test", "LastName": "Rep"});
    let person = world.org.create("User", &user).expect("a person");
    world.change(&lead, &json!({"Email": "a@x.test", "LastModifiedById": person}));
    world.feed.news().await;
    let text = world.feed.parts.parts.metrics.render();
    assert!(
        text.contains(r#"mapwright_feed_changes_total{pair="main",crm="salesforce",result="new"} 1"#),
        "{text}"
    );
}

/// The org's clock is minutes ahead of our machine or behind, and the feed's own is years behind.
#[tokio::test]
async fn by_the_clock_of_the_org_alone() {
    for offset in [-420, 420] {
        let world = World::new().await;
        world.clock(offset);
        world.feed.poll().await;
        let lead = world.lead(&json!({}));
        assert_eq!(world.feed.news().await, said(&[(&lead, &["created", "Status changed"])]));
        // Later than the overlap, and time to ask for what was purged.
        world.clock(offset + 1_200);
        assert!(world.feed.news().await.is_empty());
        let asked = |world: &World| {
            world
                .org
                .calls()
                .iter()
                .filter(|call| call.path.contains("/deleted/") && call.status == 200)
                .count()
        };
        assert_eq!(asked(&world), 1, "{:?}", world.org.calls());
        world.org.delete("Lead", &lead).expect("deleted");
        assert_eq!(world.feed.news().await, said(&[(&lead, &["deleted"])]));
        assert_eq!(asked(&world), 1, "the recycle bin tells");
    }
}

#[tokio::test]
async fn a_field_that_is_gone_is_an_error_of_this_object() {
    let mut world = World::new().await;
    world.feed.watch.watched.fields.insert("Gone__c".to_owned());
    let Err(super::Trouble::Crm(error)) = world.feed.page().await else { panic!("it is refused") };
    assert_eq!(error.code.as_deref(), Some("INVALID_FIELD"));
}
