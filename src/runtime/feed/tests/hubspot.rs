//! HubSpot, where it is polled beside its webhooks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::crm::hubspot::{HubspotClient, HubspotConfig};
use crate::sandbox::core::ClockSetting;
use crate::sandbox::hubspot::{Actor, HubspotConfig as PortalConfig, HubspotHandle, HubspotServer};
use crate::source::Side;

use super::{Polled, said, watched};

const MINUTES: Duration = Duration::from_mins(10);

struct World {
    portal: HubspotHandle,
    feed: Polled,
}

impl World {
    async fn begun(object: &str, field: &str) -> Self {
        let portal = HubspotServer::start(PortalConfig::default()).await.expect("a sandbox");
        let config = HubspotConfig {
            base_url: Url::parse(&portal.base_url()).expect("a URL"),
            auth: crate::crm::hubspot::HubspotAuth::Token("pat-na1-sandbox".into()),
            path_version: "v3".to_owned(),
            objects: HashMap::new(),
        };
        let client = Arc::new(HubspotClient::new(config, super::options()).expect("a client"));
        let feed = Polled::new(client, watched(Side::Hubspot, object, &[field]), MINUTES).await;
        feed.poll().await;
        Self { portal, feed }
    }

    fn create(&self, object: &str, properties: &[(&str, &str)]) -> String {
        self.portal.create(object, None, properties, &Actor::person()).expect("a record")
    }
}

#[tokio::test]
async fn what_webhooks_did_not_bring() {
    let world = World::begun("contact", "email").await;
    let contact = world.create("contact", &[("email", "a@x.test")]);
    assert_eq!(world.feed.news().await, said(&[(&contact, &["created", "email changed"])]));
    assert!(world.feed.news().await.is_empty());
    world.portal.edit("contact", &contact, &[("email", "b@x.test")], &Actor::person()).expect("changed");
    assert_eq!(world.feed.news().await, said(&[(&contact, &["email changed"])]));
    world.portal.edit("contact", &contact, &[("city", "Tempe")], &Actor::person()).expect("changed");
    assert!(world.feed.news().await.is_empty());
}

#[tokio::test]
async fn merged_records_are_told() {
    let world = World::begun("company", "name").await;
    let (one, two) =
        (world.create("company", &[("name", "One")]), world.create("company", &[("name", "Two")]));
    world.feed.news().await;
    let survivor = world.portal.merge("company", &one, &two, &Actor::person()).expect("merged");
    let events = world.feed.news().await;
    let into = format!("merged into {survivor}");
    for gone in [&one, &two].into_iter().filter(|id| **id != survivor) {
        assert_eq!(events[gone], std::slice::from_ref(&into), "{events:?}");
    }
    assert!(world.feed.news().await.is_empty());
}

/// The search finds no archived record; their list is read once an hour.
#[tokio::test]
async fn archived_records_are_told_within_the_hour() {
    let world = World::begun("contact", "email").await;
    let (contact, other) = (world.create("contact", &[("email", "a@x.test")]), world.create("contact", &[]));
    world.feed.news().await;
    world.portal.archive("contact", &contact, &Actor::person()).expect("archived");
    assert!(world.feed.news().await.is_empty());
    world.portal.set_clock(ClockSetting { offset_seconds: Some(3_700), ..ClockSetting::default() });
    assert_eq!(world.feed.news().await, said(&[(&contact, &["deleted"])]));
    world.portal.archive("contact", &other, &Actor::person()).expect("archived");
    world.portal.set_clock(ClockSetting { offset_seconds: Some(7_400), ..ClockSetting::default() });
    assert_eq!(world.feed.news().await, said(&[(&other, &["deleted"])]));
    world.portal.set_clock(ClockSetting { offset_seconds: Some(11_100), ..ClockSetting::default() });
    assert!(world.feed.news().await.is_empty(), "the list is whole, and what was told is known");
}

/// More than a page, many of them at one instant; the rest is in `portal`, whose search is as quick as it must be.
#[tokio::test]
async fn more_than_a_page() {
    let world = World::begun("company", "name").await;
    let at = super::machine_now().timestamp_millis().to_string();
    for n in 0..900 {
        let name = n.to_string();
        let same = [("name", name.as_str()), ("hs_lastmodifieddate", at.as_str())];
        world.create("company", if n % 2 == 0 { &same[..] } else { &same[..1] });
    }
    world.feed.poll().await;
    assert_eq!(world.feed.events().await.len(), 900);
    assert!(world.feed.news().await.is_empty());
}
