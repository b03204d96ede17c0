//! Rows that are read with another record: whose they are, and whose they were.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value as Json, json};

use crate::plan::{Parent, Watched};
use crate::sandbox::core::ClockSetting;
use crate::sandbox::salesforce::{SalesforceConfig, SalesforceHandle, SalesforceServer};
use crate::source::{ObjectName, Side};

use super::salesforce::client;
use super::{Polled, machine_now, watched};

const ROLE: &str = "OpportunityContactRole";

/// An org with two Opportunities, and a feed of their contact roles.
struct World {
    org: SalesforceHandle,
    feed: Polled,
    one: String,
    other: String,
}

impl World {
    async fn begun() -> Self {
        let org = SalesforceServer::start(SalesforceConfig::default()).await.expect("a sandbox");
        let parent = Parent {
            object: ObjectName::new(Side::Salesforce, "Opportunity"),
            field: "OpportunityId".to_owned(),
        };
        let watched = Watched {
            starts: false,
            parents: BTreeSet::from([parent]),
            ..watched(Side::Salesforce, ROLE, &["ContactId", "OpportunityId"])
        };
        let feed = Polled::new(client(&org), watched, Duration::from_mins(10)).await;
        let [one, other] = ["one", "other"].map(|name| {
            let opportunity = json!({"Name": name, "StageName": "Prospecting", "CloseDate": "2026-03-31"});
            org.create("Opportunity", &opportunity).expect("an Opportunity")
        });
        feed.poll().await;
        Self { org, feed, one, other }
    }

    fn role(&self, more: &Json) -> String {
        let contact = self.org.create("Contact", &json!({"LastName": "Doe"})).expect("a Contact");
        let mut role = json!({"OpportunityId": self.one, "ContactId": contact});
        role.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        self.org.create(ROLE, &role).expect("a role")
    }

    /// A role that the feed has read.
    async fn known(&self) -> String {
        let role = self.role(&json!({}));
        assert_eq!(self.started().await, [self.one.as_str()]);
        role
    }

    fn change(&self, role: &str, fields: &Json) {
        self.org.change(ROLE, role, fields).expect("changed");
    }

    fn later(&self, seconds: i64) {
        self.org.set_clock(ClockSetting { offset_seconds: Some(seconds), ..ClockSetting::default() });
    }

    /// Polls, and tells for which records something starts.
    async fn started(&self) -> Vec<String> {
        let news: BTreeMap<String, Vec<String>> = self.feed.news().await;
        let told = news.values().flatten().all(|what| what == "association changed");
        assert!(told && news.values().all(|events| events.len() == 1), "{news:?}");
        news.into_keys().collect()
    }

    fn both(&self) -> Vec<String> {
        let mut both = vec![self.one.clone(), self.other.clone()];
        both.sort();
        both
    }
}

#[tokio::test]
async fn a_row_that_goes_to_another_record_starts_both() {
    let world = World::begun().await;
    let role = world.known().await;
    world.change(&role, &json!({"OpportunityId": world.other}));
    assert_eq!(world.started().await, world.both());
    let contact = world.org.create("Contact", &json!({"LastName": "Ray"})).expect("a Contact");
    world.change(&role, &json!({"ContactId": contact}));
    assert_eq!(
        world.started().await,
        [world.other.as_str()],
        "the former one has nothing to do with it any more"
    );
    world.change(&role, &json!({"OpportunityId": world.one}));
    assert_eq!(world.started().await, world.both());
    assert!(world.started().await.is_empty());
}

#[tokio::test]
async fn a_row_that_goes_to_the_bin_and_back_starts_its_record() {
    let world = World::begun().await;
    let role = world.known().await;
    world.org.delete(ROLE, &role).expect("deleted");
    assert_eq!(world.started().await, [world.one.as_str()]);
    assert!(world.started().await.is_empty(), "it ends once");
    world.org.undelete(ROLE, &role).expect("restored");
    assert_eq!(world.started().await, [world.one.as_str()]);
    // It is moved and deleted between two polls.
    world.change(&role, &json!({"OpportunityId": world.other}));
    world.org.delete(ROLE, &role).expect("deleted");
    assert_eq!(world.started().await, world.both());
}

#[tokio::test]
async fn a_row_that_is_purged_starts_the_record_that_it_belonged_to() {
    let world = World::begun().await;
    let role = world.known().await;
    world.change(&role, &json!({"OpportunityId": world.other}));
    world.started().await;
    world.org.purge(ROLE, &role).expect("purged");
    assert!(world.started().await.is_empty(), "the recycle bin does not have it");
    world.later(1_200);
    assert_eq!(world.started().await, [world.other.as_str()]);
    world.later(2_400);
    assert!(world.started().await.is_empty(), "it ends once");
}

#[tokio::test]
async fn a_row_that_was_in_the_bin_is_not_told_of_again_when_it_is_purged() {
    let world = World::begun().await;
    let role = world.known().await;
    world.org.delete(ROLE, &role).expect("deleted");
    assert_eq!(world.started().await, [world.one.as_str()]);
    world.org.purge(ROLE, &role).expect("purged");
    world.later(1_200);
    assert!(world.started().await.is_empty());
}

/// Whose a row was that nobody has read is not known; that it went to the bin says it.
#[tokio::test]
async fn of_a_row_from_before_the_feed_only_what_it_shows_is_known() {
    let world = World::begun().await;
    let long_ago = (machine_now() - TimeDelta::days(1)).to_rfc3339();
    let old = json!({"CreatedDate": long_ago, "SystemModstamp": long_ago});
    let (binned, moved) = (world.role(&old), world.role(&old));
    assert!(world.started().await.is_empty());
    world.org.delete(ROLE, &binned).expect("deleted");
    assert_eq!(world.started().await, [world.one.as_str()]);
    world.change(&moved, &json!({"OpportunityId": world.other}));
    assert_eq!(world.started().await, [world.other.as_str()]);
}
