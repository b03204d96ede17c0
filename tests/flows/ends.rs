//! Deletions, merges, restores and privacy deletions on either side, as the shipped mappings say.

use mapwright::sandbox::hubspot::Actor;
use mapwright::store::Store;
use serde_json::{Value as Json, json};

use super::stage::{Stage, hubspot, salesforce};

fn leads(stage: &Stage) -> Vec<Json> {
    stage.org.query("SELECT Id, HubSpot_Contact_ID__c FROM Lead WHERE IsDeleted = false").expect("SOQL")
}

/// HubSpot's records that are not archived.
fn live(stage: &Stage, kind: &str) -> usize {
    stage.portal.records(kind).iter().filter(|record| record["archived"] != json!(true)).count()
}

#[tokio::test]
async fn a_contact_that_is_deleted_leaves_its_lead_and_finds_it_when_it_is_restored() {
    let stage = Stage::new().await;
    let lead = stage.qualified("6001", "kim@acme.example").await;
    stage.portal.archive("contact", "6001", &Actor::person()).expect("archived");
    stage.settle().await;
    assert_eq!((leads(&stage).len(), stage.parked().await), (1, vec![]));
    stage.portal.restore("contact", "6001", &Actor::person()).expect("restored");
    stage.settle().await;
    assert_eq!(leads(&stage).len(), 1, "no second one");
    assert_eq!(stage.counterpart(hubspot("contact"), "6001").await, Some(lead));
    stage.end().await;
}

#[tokio::test]
async fn a_lead_that_sales_threw_away_is_not_made_again_until_it_is_restored() {
    let stage = Stage::new().await;
    let lead = stage.qualified("6001", "kim@acme.example").await;
    stage.org.delete("Lead", &lead).expect("deleted");
    stage.settle().await;
    stage.store.request(&key("contact", "6001"), "mql_to_lead", super::stage::now()).await.expect("asked");
    stage.settle().await;
    assert_eq!((leads(&stage).len(), stage.parked().await), (0, vec![]));
    // Marketing goes on: there is no Lead to convert, and that is for a person.
    stage.portal.associate(("contact", "6001"), ("company", "9001"), &Actor::person()).expect("associated");
    let accepted = [("lifecyclestage", "salesqualifiedlead")];
    stage.portal.edit("contact", "6001", &accepted, &Actor::workflow()).expect("edited");
    stage.settle().await;
    let parked = stage.parked().await;
    assert_eq!((leads(&stage).len(), parked.len()), (0, 1), "{parked:?}");
    assert_eq!(parked[0].1, "there is no Lead to convert");
    // Sales takes it out of the bin: it is the contact's Lead again.
    stage.org.undelete("Lead", &lead).expect("restored");
    stage.settle().await;
    stage.store.request(&key("contact", "6001"), "mql_to_lead", super::stage::now()).await.expect("asked");
    stage.settle().await;
    let rows = leads(&stage);
    assert_eq!((rows.len(), &rows[0]["Id"]), (1, &json!(lead)), "{rows:?}");
    assert_eq!(stage.counterpart(hubspot("contact"), "6001").await, Some(lead));
    stage.end().await;
}

fn key(object: &str, id: &str) -> mapwright::store::RecordKey {
    mapwright::store::RecordKey::new("main", hubspot(object), id)
}

#[tokio::test]
async fn a_merged_contact_gives_its_lead_to_the_survivor() {
    let stage = Stage::new().await;
    let lead = stage.qualified("6001", "kim@acme.example").await;
    let other = [("email", "kim.lee@acme.example"), ("lastname", "Lee")];
    stage.portal.create("contact", Some("6002"), &other, &Actor::person()).expect("a contact");
    stage.settle().await;
    let survivor = stage.portal.merge("contact", "6001", "6002", &Actor::person()).expect("merged");
    stage.settle().await;
    assert_eq!(leads(&stage)[0]["HubSpot_Contact_ID__c"], json!(survivor));
    assert_eq!(stage.counterpart(hubspot("contact"), &survivor).await, Some(lead));
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn a_merged_lead_is_followed() {
    let stage = Stage::new().await;
    let lost = stage.qualified("6001", "kim@acme.example").await;
    let kept = json!({"LastName": "Kept", "Company": "Acme", "Email": "kept@acme.example"});
    let kept = stage.org.create("Lead", &kept).expect("a Lead");
    stage.org.merge("Lead", &kept, &lost).expect("merged");
    stage.settle().await;
    assert_eq!(stage.counterpart(hubspot("contact"), "6001").await.as_deref(), Some(kept.as_str()));
    stage.store.request(&key("contact", "6001"), "mql_to_lead", super::stage::now()).await.expect("asked");
    stage.settle().await;
    let row = stage.row(&format!("SELECT Email, HubSpot_Contact_ID__c FROM Lead WHERE Id = '{kept}'"));
    assert_eq!((&row["Email"], &row["HubSpot_Contact_ID__c"]), (&json!("kim@acme.example"), &json!("6001")));
    stage.end().await;
}

#[tokio::test]
async fn a_person_who_asks_to_be_forgotten_is_erased_from_the_store() {
    let stage = Stage::new().await;
    stage.qualified("6001", "kim@acme.example").await;
    assert!(!stage.store.history(&key("contact", "6001")).await.expect("history").is_empty());
    stage.erase("6001").await;
    stage.settle().await;
    assert_eq!(stage.counterpart(hubspot("contact"), "6001").await, None);
    assert!(stage.store.history(&key("contact", "6001")).await.expect("history").is_empty());
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

async fn deal(stage: &Stage) -> (String, String) {
    let account = stage.made("Account", &json!({"Name": "Globex"})).await;
    let fields = json!({
        "Name": "Globex", "StageName": "Prospecting", "CloseDate": "2026-03-31", "AccountId": account,
    });
    let id = stage.made("Opportunity", &fields).await;
    let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
    (id, deal)
}

#[tokio::test]
async fn a_deleted_opportunity_leaves_its_deal_to_a_person_and_goes_on_when_it_is_restored() {
    let stage = Stage::new().await;
    let (id, made) = deal(&stage).await;
    stage.org.delete("Opportunity", &id).expect("deleted");
    stage.settle().await;
    let parked = stage.parked().await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert!(parked[0].1.contains("deleted in Salesforce"), "{parked:?}");
    assert_eq!(live(&stage, "deal"), 1);
    stage.org.undelete("Opportunity", &id).expect("restored");
    stage.settle().await;
    stage.edited("Opportunity", &id, &json!({"StageName": "Closed Won"})).await;
    assert_eq!(stage.property("deal", &made, "dealstage"), json!("closedwon"));
    assert_eq!(live(&stage, "deal"), 1);
    stage.end().await;
}

#[tokio::test]
async fn a_deal_that_marketing_deletes_is_not_made_again_and_one_that_is_merged_is_followed() {
    let stage = Stage::new().await;
    let (id, gone) = deal(&stage).await;
    stage.portal.archive("deal", &gone, &Actor::person()).expect("archived");
    stage.settle().await;
    stage.edited("Opportunity", &id, &json!({"StageName": "Closed Won"})).await;
    assert_eq!((live(&stage, "deal"), stage.parked().await), (0, vec![]));

    let (id, lost) = deal(&stage).await;
    let other = [("dealname", "By hand"), ("pipeline", "default"), ("dealstage", "contractsent")];
    let other = stage.portal.create("deal", Some("8001"), &other, &Actor::person()).expect("a deal");
    let survivor = stage.portal.merge("deal", "8001", &lost, &Actor::person()).expect("merged");
    stage.settle().await;
    stage.edited("Opportunity", &id, &json!({"StageName": "Closed Won"})).await;
    assert_eq!(stage.property("deal", &survivor, "dealstage"), json!("closedwon"), "{other:?}");
    assert_eq!((live(&stage, "deal"), stage.parked().await), (1, vec![]));
    stage.end().await;
}

#[tokio::test]
async fn an_account_and_a_company_that_end() {
    let stage = Stage::new().await;
    let account = stage.made("Account", &json!({"Name": "Globex"})).await;
    let company = stage.counterpart(salesforce("Account"), &account).await.expect("a company");
    // Merged in Salesforce: the company belongs to the survivor.
    let kept = stage.org.create("Account", &json!({"Name": "Globex Inc"})).expect("an Account");
    stage.org.merge("Account", &kept, &account).expect("merged");
    stage.settle().await;
    assert_eq!(stage.parked().await, []);
    assert_eq!(stage.counterpart(hubspot("company"), &company).await.as_deref(), Some(kept.as_str()));
    assert_eq!(stage.property("company", &company, "salesforce_account_id"), json!(kept));
    // Deleted in Salesforce: for a person.
    stage.org.delete("Account", &kept).expect("deleted");
    stage.settle().await;
    let parked = stage.parked().await;
    assert!(parked.len() == 1 && parked[0].1.contains("the Account was deleted"), "{parked:?}");

    // Deleted in HubSpot: the Account stays, and makes no second company.
    let account = stage.made("Account", &json!({"Name": "Initech"})).await;
    let company = stage.counterpart(salesforce("Account"), &account).await.expect("a company");
    stage.portal.archive("company", &company, &Actor::person()).expect("archived");
    stage.settle().await;
    let companies = live(&stage, "company");
    stage.edited("Account", &account, &json!({"Name": "Initech Inc"})).await;
    assert_eq!((live(&stage, "company"), stage.parked().await.len()), (companies, 1));

    // Merged in HubSpot: the survivor has the Account.
    let account = stage.made("Account", &json!({"Name": "Hooli", "Website": "hooli.example"})).await;
    let lost = stage.counterpart(salesforce("Account"), &account).await.expect("a company");
    let survivor = stage.portal.merge("company", "9001", &lost, &Actor::person()).expect("merged");
    stage.settle().await;
    assert_eq!(stage.counterpart(salesforce("Account"), &account).await.as_deref(), Some(survivor.as_str()));
    stage.edited("Account", &account, &json!({"Name": "Hooli Inc"})).await;
    assert_eq!(stage.property("company", &survivor, "name"), json!("Hooli Inc"));
    stage.end().await;
}
