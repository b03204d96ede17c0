//! Loads of whole objects over both sandboxes with the shipped mappings: what they cost, and that nothing is done twice
//! wherever they are cut off.

mod sandboxes;

use std::sync::Arc;
use std::time::Duration;

use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::runtime::{Backfill, BulkWrites, Crms, Load, Progress, Settings};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::store::{SqliteStore, Store};

use sandboxes::{now, plan_of};

struct World {
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    store: Arc<SqliteStore>,
    backfill: Backfill,
}

impl World {
    /// So many qualified contacts; rows go in jobs from a number on.
    async fn new(contacts: usize, bulk_from: Option<usize>) -> Self {
        let files = [
            ("mql_to_lead.map", include_str!("../mappings/mql_to_lead.map")),
            ("contact_from_mql.map", include_str!("../mappings/contact_from_mql.map")),
            ("company_to_account.map", include_str!("../mappings/company_to_account.map")),
            ("picklists.map", include_str!("../mappings/picklists.map")),
        ];
        let plan = plan_of(&files);
        let retry = RetryPolicy { base_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        let http = HttpOptions { allow_private: true, retry, ..HttpOptions::new(now, || 0.5) };
        let (portal, org, ..) = sandboxes::start(portal::WebhookConfig::default(), http).await;
        let (hubspot, salesforce) = sandboxes::clients(&portal, &org, http);
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let mut load = Load::of(&plan, "mql_to_lead", None).expect("a load");
        load.chunk = if bulk_from.is_some() { 10_000 } else { 1_000 };
        let settings = Settings { write_rows: load.chunk, ..Settings::default() };
        let crms = Crms { hubspot: hubspot.clone(), salesforce: salesforce.clone() };
        let backfill = Backfill {
            parts: sandboxes::parts(plan, crms, store.clone(), settings),
            loads: store.clone(),
            walk: hubspot,
            load,
            bulk: bulk_from.map(|from_rows| BulkWrites { bulk: salesforce, from_rows }),
        };
        let world = Self { portal, org, store, backfill };
        let actor = portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None };
        for id in 1_000..1_000 + contacts {
            let (email, name) = (format!("n{id}@acme.example"), format!("N{id}"));
            let properties = [
                ("email", email.as_str()),
                ("lastname", name.as_str()),
                ("lifecyclestage", "marketingqualifiedlead"),
            ];
            world.portal.create("contact", Some(&id.to_string()), &properties, &actor).expect("a contact");
        }
        world.portal.clear_calls();
        world.org.clear_calls();
        world
    }

    /// Where an earlier load stopped, or the beginning.
    async fn progress(&self) -> Progress {
        match self.backfill.unfinished().await.expect("the store") {
            Some(progress) => progress,
            None => self.backfill.begin().await.expect("the store"),
        }
    }

    /// Loads from where it was to the end.
    async fn load(&self) -> Progress {
        let mut progress = self.progress().await;
        self.backfill.run(&mut progress, &|_| {}).await.expect("the end");
        progress
    }

    fn leads(&self) -> usize {
        let leads = self.org.query("SELECT HubSpot_Contact_ID__c FROM Lead").expect("SOQL");
        let mut keys: Vec<String> =
            leads.iter().map(|lead| lead["HubSpot_Contact_ID__c"].to_string()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), leads.len(), "no contact has two Leads");
        keys.len()
    }

    fn portal_calls(&self, operation: &str) -> u64 {
        self.portal.calls_by_operation().get(operation).copied().unwrap_or_default()
    }

    fn org_calls(&self, operation: &str) -> u64 {
        self.org.calls_by_operation().get(operation).copied().unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_records_cost_a_page_for_each_hundred_and_one_job() {
    let world = World::new(5_000, Some(2_000)).await;
    let progress = world.load().await;
    assert_eq!((progress.counts.records, progress.counts.created), (5_000, 5_000), "{progress:?}");
    assert_eq!(world.leads(), 5_000);
    let portal = world.portal.calls_by_operation();
    assert_eq!(world.portal_calls("hubspot.list"), 50, "{portal:?}");
    assert_eq!(portal.values().sum::<u64>(), 50, "{portal:?}");
    let org = world.org.calls_by_operation();
    for (operation, times) in [
        ("bulk_create", 1),
        ("bulk_upload", 1),
        ("bulk_close", 1),
        ("bulk_read", 3),
        ("bulk_results", 2),
        ("collections_upsert", 0),
    ] {
        assert_eq!(world.org_calls(&format!("salesforce.{operation}")), times, "{operation}: {org:?}");
    }
    // Three rungs, five queries of some hundred texts in each call.
    assert!(org.values().sum::<u64>() <= 30, "{org:?}");
    assert_eq!(world.store.pending().await.expect("the store").lanes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_jobs_they_cost_a_collection_for_each_two_hundred_and_the_second_load_none() {
    let world = World::new(3_000, None).await;
    assert_eq!(world.load().await.counts.created, 3_000);
    assert_eq!((world.leads(), world.org_calls("salesforce.collections_upsert")), (3_000, 15));
    world.org.clear_calls();
    let again = world.load().await;
    assert_eq!((again.counts.records, again.counts.unchanged), (3_000, 3_000), "{again:?}");
    assert_eq!(world.org_calls("salesforce.collections_upsert"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_is_cut_off_each_record_is_loaded_and_counted_once() {
    for bulk_from in [None, Some(1)] {
        let mut world = World::new(700, bulk_from).await;
        world.backfill.load.chunk = 300;
        let mut cuts = 0_u64;
        let last = loop {
            let mut progress = world.progress().await;
            // Longer each time, so that it comes to an end, and at another place.
            let time = Duration::from_millis(20 + cuts * 37);
            match tokio::time::timeout(time, world.backfill.run(&mut progress, &|_| {})).await {
                Ok(ended) => {
                    ended.expect("the end");
                    break progress;
                }
                Err(_) => cuts += 1,
            }
            assert!(cuts < 300, "it never comes to an end: {progress:?}");
        };
        assert!(cuts > 0, "it was cut off at least once");
        assert_eq!((world.leads(), last.counts.records), (700, 700), "{bulk_from:?}: {last:?}");
        assert_eq!(last.counts.created + last.counts.unchanged + last.counts.updated, 700, "{last:?}");
        assert_eq!(world.store.parked().await.expect("the store").len(), 0);
        let written = world.org_calls("salesforce.bulk_close");
        println!("{bulk_from:?}: cut off {cuts} times, {written} jobs, {:?}", last.counts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_the_calls_that_the_writes_take() {
    let world = World::new(900, None).await;
    let found = world.backfill.dry_run(10, &|_| {}).await.expect("the end");
    assert_eq!((found.counts.created, found.calls.salesforce_writes), (900, 5), "{found:?}");
    assert_eq!(world.leads(), 0);
    world.org.clear_calls();
    world.load().await;
    assert_eq!(world.org_calls("salesforce.collections_upsert"), found.calls.salesforce_writes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_as_a_whole_leaves_its_rows_to_collections() {
    let world = World::new(250, Some(1)).await;
    // The upload is answered, and nothing of it is there.
    let fault = serde_json::json!({"operation": "salesforce.bulk_upload", "status": 201});
    world.org.add_fault(serde_json::from_value(fault).expect("a fault"));
    let progress = world.load().await;
    assert_eq!((world.leads(), progress.counts.created), (250, 250), "{progress:?}");
    assert_eq!(world.org_calls("salesforce.collections_upsert"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_locked_are_named_and_hold_up_no_others() {
    let world = World::new(60, None).await;
    for contact in ["1007", "1033"] {
        let fault = serde_json::json!({"answer": "salesforce.unable_to_lock_row", "times": "always",
                                       "record": {"object": "Lead", "contains": format!("n{contact}@acme.example")}});
        world.org.add_fault(serde_json::from_value(fault).expect("a fault"));
    }
    let mut progress = world.progress().await;
    let stop = world.backfill.run(&mut progress, &|_| {}).await.expect_err("it is held up");
    let told = stop.to_string();
    assert!(
        told.starts_with(
            "these records are held up: hubspot.contact 1007, 1033: Salesforce UNABLE_TO_LOCK_ROW"
        ),
        "{told}"
    );
    assert_eq!((progress.counts.created, world.leads()), (58, 58), "{progress:?}");
    assert_eq!(world.store.parked().await.expect("the store"), []);
    // The lock is gone: the rest is done, and nothing twice.
    world.org.clear_faults();
    let progress = world.load().await;
    assert_eq!((progress.counts.records, progress.counts.created), (60, 60), "{progress:?}");
    assert_eq!(world.leads(), 60);
}
