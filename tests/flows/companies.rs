//! Accounts and companies are kept the same, whoever makes or changes one.

use mapwright::sandbox::hubspot::Actor;
use serde_json::json;

use super::stage::{Stage, hubspot, salesforce};

/// A tool that fills in what it knows of companies: another app than ours.
fn enrichment() -> Actor {
    Actor::app(777)
}

/// The changes that HubSpot and Salesforce were asked for so far.
fn writes(stage: &Stage) -> usize {
    let portal = stage.portal.call_log();
    let batches = portal.iter().filter(|call| {
        call.method != "GET"
            && call.path.contains("/objects/")
            && !call.path.ends_with("/batch/read")
            && !call.path.ends_with("/search")
            && !call.path.contains("/associations/")
    });
    let org = stage.org.calls();
    batches.count() + org.iter().filter(|call| matches!(call.method.as_str(), "PATCH")).count()
}

#[tokio::test]
async fn an_account_makes_its_company_and_both_follow_each_other() {
    let stage = Stage::new().await;
    let account = json!({
        "Name": "Globex", "Website": "https://www.Globex.example/en", "Phone": "+1 415 555 0199",
        "NumberOfEmployees": 80, "Industry": "Banking", "BillingCity": "Reno",
    });
    let account = stage.made("Account", &account).await;
    let company = stage.counterpart(salesforce("Account"), &account).await.expect("a company");
    for (name, value) in [
        ("name", "Globex"),
        ("domain", "globex.example"),
        ("phone", "+1 415 555 0199"),
        ("numberofemployees", "80"),
        ("industry", "BANKING"),
        ("city", "Reno"),
        ("salesforce_account_id", account.as_str()),
    ] {
        assert_eq!(stage.property("company", &company, name), json!(value), "{name}");
    }

    // An enrichment tool in HubSpot, then a rep in Salesforce: one write each, and no echo.
    let before = writes(&stage);
    let known = [("numberofemployees", "95"), ("city", "Phoenix")];
    stage.portal.edit("company", &company, &known, &enrichment()).expect("edited");
    stage.settle().await;
    let row = stage
        .row(&format!("SELECT NumberOfEmployees, BillingCity, Website FROM Account WHERE Id = '{account}'"));
    assert_eq!((&row["NumberOfEmployees"], &row["BillingCity"]), (&json!(95), &json!("Phoenix")));
    assert_eq!(row["Website"], json!("https://www.Globex.example/en"), "only its domain counts");
    assert_eq!(writes(&stage) - before, 1);
    stage.edited("Account", &account, &json!({"Name": "Globex Inc"})).await;
    assert_eq!(stage.property("company", &company, "name"), json!("Globex Inc"));
    assert_eq!(writes(&stage) - before, 2);
    // What a run wrote itself is told by both sides, and comes to nothing.
    stage.settle().await;
    assert_eq!(writes(&stage) - before, 2);
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn an_account_adopts_the_company_that_a_form_has_made() {
    let stage = Stage::new().await;
    let account =
        stage.made("Account", &json!({"Name": "Acme Corp", "Website": "http://acme.example"})).await;
    assert_eq!(stage.counterpart(salesforce("Account"), &account).await.as_deref(), Some("9001"));
    assert_eq!(stage.property("company", "9001", "salesforce_account_id"), json!(account));
    assert_eq!(stage.portal.records("company").len(), 1);
    stage.end().await;
}

#[tokio::test]
async fn a_company_gets_its_account_when_sales_begins_to_work_on_it() {
    let stage = Stage::new().await;
    stage.portal.edit("company", "9001", &[("phone", "+1 415 555 0100")], &enrichment()).expect("edited");
    stage.settle().await;
    assert!(stage.org.records("Account").is_empty(), "not every company is one that sales works on");
    let opportunity = [("lifecyclestage", "opportunity")];
    stage.portal.edit("company", "9001", &opportunity, &Actor::workflow()).expect("edited");
    stage.settle().await;
    let row = stage.row("SELECT Id, Name, Website, Phone, HubSpot_Company_ID__c FROM Account");
    let account = row["Id"].as_str().expect("an id").to_owned();
    assert_eq!(
        (&row["Name"], &row["Website"], &row["HubSpot_Company_ID__c"]),
        (&json!("Acme Corp"), &json!("acme.example"), &json!("9001"))
    );
    // The next poll finds the new Account, and from then on the two are a pair of the sync.
    assert_eq!(stage.property("company", "9001", "salesforce_account_id"), json!(account));
    stage.edited("Account", &account, &json!({"Phone": "+1 415 555 0111"})).await;
    assert_eq!(stage.property("company", "9001", "phone"), json!("+1 415 555 0111"));
    // It becomes a customer: there is an Account already.
    stage
        .portal
        .edit("company", "9001", &[("lifecyclestage", "customer")], &Actor::workflow())
        .expect("edited");
    stage.settle().await;
    assert_eq!(stage.org.records("Account").len(), 1);
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn a_parent_account_is_the_parent_company_whichever_comes_first() {
    let stage = Stage::new().await;
    let parent = stage.long_there("Account", json!({"Name": "Globex Holding"}));
    let child = stage.made("Account", &json!({"Name": "Globex", "ParentId": parent})).await;
    let company = stage.counterpart(salesforce("Account"), &child).await.expect("a company");
    assert_eq!(stage.associated(("company", &company), "company").await, []);
    stage.edited("Account", &parent, &json!({"Phone": "555"})).await;
    let holding = stage.counterpart(salesforce("Account"), &parent).await.expect("a company");
    let associated = stage.associated(("company", &company), "company").await;
    assert_eq!(associated, [(holding, vec!["Parent Company".to_owned()])]);

    // Sold to somebody else.
    let other = stage.made("Account", &json!({"Name": "Initech Holding"})).await;
    let initech = stage.counterpart(salesforce("Account"), &other).await.expect("a company");
    stage.edited("Account", &child, &json!({"ParentId": other})).await;
    // The former one stays associated, as nothing in particular.
    let mut associated = stage.associated(("company", &company), "company").await;
    associated.retain(|(_, labels)| !labels.is_empty());
    assert_eq!(associated, [(initech, vec!["Parent Company".to_owned()])]);
    assert_eq!(stage.counterpart(hubspot("company"), &company).await, Some(child));
    stage.end().await;
}
