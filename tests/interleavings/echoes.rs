//! What the echo of a write costs, and what it still starts.

use mapwright::source::Side;
use mapwright::store::Store;
use serde_json::{Value as Json, json};

use super::model::SYNC;
use super::world::{Who, World};

/// A second mapping that starts from the companies that the sync writes.
const FAXES: &str = r"
mapping faxes {
  from hubspot.company
  to   salesforce.Account
  when phone changes
  match { Name = name }
  on none      skip
  on many      park
  on rejected  park
  fields { Fax <- phone | truncate(40) }
}
";

async fn pair(world: &World) -> (String, String) {
    let account = json!({"Name": "Acme", "Phone": "555", "BillingCity": "Reno"});
    let account = world.org.create("Account", &account).expect("an Account");
    world.settle().await;
    let company = world.portal.records("company")[0]["id"].as_str().expect("an id").to_owned();
    world.written();
    (account, company)
}

/// The calls so far: HubSpot's, and Salesforce's but for the feed's own.
fn calls(world: &World) -> (Vec<String>, Vec<String>) {
    let hubspot = world.portal.call_log().into_iter().map(|call| call.operation).collect();
    let polls = |path: &str| path.contains("queryAll") || path.contains("/deleted/");
    let salesforce = world.org.calls().into_iter().filter(|call| !polls(&call.path));
    (hubspot, salesforce.map(|call| format!("{} {}", call.method, call.path)).collect())
}

#[tokio::test]
async fn an_echo_costs_no_call() {
    let world = World::new(&[("accounts.map", SYNC)], &["name", "phone", "city"]).await;
    let (account, company) = pair(&world).await;
    let run = |before: &(Vec<String>, Vec<String>)| {
        let (hubspot, salesforce) = calls(&world);
        (hubspot.len() - before.0.len(), salesforce.len() - before.1.len())
    };
    // One read of each and one write: what comes back from Salesforce's poll is known.
    let before = calls(&world);
    world.edit(Side::Hubspot, &company, "phone", "556", Who::Person);
    world.settle().await;
    assert_eq!(world.field(Side::Salesforce, &account, "Phone"), "556");
    assert_eq!(run(&before), (1, 2), "{:?}", calls(&world));
    // The other way round: what HubSpot's webhook tells is known.
    let before = calls(&world);
    world.edit(Side::Salesforce, &account, "BillingCity", "Tempe", Who::Person);
    world.settle().await;
    assert_eq!(world.field(Side::Hubspot, &company, "city"), "Tempe");
    assert_eq!(run(&before), (2, 1), "{:?}", calls(&world));
    world.end().await;
}

#[tokio::test]
async fn another_mapping_starts_by_what_a_sync_wrote() {
    let world = World::new(&[("accounts.map", SYNC), ("faxes.map", FAXES)], &["name", "phone", "city"]).await;
    let (account, company) = pair(&world).await;
    world.edit(Side::Salesforce, &account, "Phone", "557", Who::Person);
    world.settle().await;
    assert_eq!(world.field(Side::Hubspot, &company, "phone"), "557");
    let parked = world.store.parked().await.expect("parked");
    assert_eq!(
        world.field(Side::Salesforce, &account, "Fax"),
        "557",
        "{parked:?} {}",
        world.metrics.render()
    );
    let written = world.written();
    assert_eq!((written.get(&company), written.get(&account)), (Some(&1), Some(&1)), "{written:?}");
    world.end().await;
}

#[tokio::test]
async fn what_a_workflow_makes_of_our_write_goes_back() {
    let world = World::new(&[("accounts.map", SYNC)], &["name", "phone", "city"]).await;
    let (account, company) = pair(&world).await;
    // Salesforce's own automation puts a number in another form, in our name, before anybody polls.
    world.edit(Side::Hubspot, &company, "phone", "558", Who::Person);
    world.until(Side::Salesforce, &account, "Phone", "558").await;
    world.edit(Side::Salesforce, &account, "Phone", "+1 558", Who::OurToken);
    world.settle().await;
    assert_eq!(world.field(Side::Hubspot, &company, "phone"), "+1 558");
    let written = world.written();
    assert_eq!((written.get(&company), written.get(&account)), (Some(&1), Some(&1)), "{written:?}");
    world.end().await;
}

#[tokio::test]
async fn an_edit_that_comes_with_our_echo_is_worked_on() {
    let world = World::new(&[("accounts.map", SYNC)], &["name", "phone", "city"]).await;
    let (account, company) = pair(&world).await;
    // One row stands for our write and for a person's edit of another field, and names us.
    world.edit(Side::Hubspot, &company, "phone", "559", Who::Person);
    world.until(Side::Salesforce, &account, "Phone", "559").await;
    world.edit(Side::Salesforce, &account, "BillingCity", "Mesa", Who::OurToken);
    world.settle().await;
    assert_eq!(world.field(Side::Hubspot, &company, "city"), "Mesa");
    // Twice within one second of Salesforce's clock, and back: only what the run has seen in between tells.
    world.edit(Side::Salesforce, &account, "BillingCity", "Yuma", Who::Person);
    world.edit(Side::Hubspot, &company, "name", "Acme Inc", Who::Person);
    world.until(Side::Hubspot, &company, "city", "Yuma").await;
    world.edit(Side::Salesforce, &account, "BillingCity", "Mesa", Who::Person);
    world.settle().await;
    assert_eq!(world.field(Side::Hubspot, &company, "city"), "Mesa");
    let company: Json = world.portal.record("company", &company).expect("a company");
    assert_eq!(company["properties"]["name"], json!("Acme Inc"));
    world.end().await;
}
