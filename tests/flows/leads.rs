//! A qualified contact becomes a Lead, with its owner and its company looked up.

use mapwright::sandbox::hubspot::{Actor, Subscription};
use serde_json::json;

use super::stage::Stage;

async fn hand_over(lifecycle: Subscription) {
    let stage = Stage::told_by(lifecycle).await;
    let properties = [
        ("email", "Kim@Acme.example"),
        ("firstname", "Kim"),
        ("lastname", "Lee"),
        ("lifecyclestage", "lead"),
        ("hubspot_owner_id", "11"),
        ("hs_analytics_source", "PAID_SEARCH"),
    ];
    stage.portal.create("contact", Some("6001"), &properties, &Actor::person()).expect("a contact");
    stage.portal.associate(("contact", "6001"), ("company", "9001"), &Actor::person()).expect("associated");
    stage.settle().await;
    assert_eq!(stage.org.records("Lead"), Vec::<serde_json::Value>::new(), "it is merely a lead");

    let qualified = [("lifecyclestage", "marketingqualifiedlead")];
    stage.portal.edit("contact", "6001", &qualified, &Actor::workflow()).expect("edited");
    stage.settle().await;
    let robin = stage.row("SELECT Id FROM User WHERE Username = 'robin@sales.example'");
    let lead = stage.row(
        "SELECT FirstName, LastName, Email, Company, OwnerId, LeadSource, Status, HubSpot_Contact_ID__c FROM Lead",
    );
    let expected = json!({
        "FirstName": "Kim", "LastName": "Lee", "Email": "kim@acme.example", "Company": "Acme Corp",
        "OwnerId": robin["Id"], "LeadSource": "Inbound - Paid Search", "Status": "MQL - Pending Review",
        "HubSpot_Contact_ID__c": "6001",
    });
    for (field, value) in expected.as_object().expect("fields") {
        assert_eq!(lead[field], *value, "{field}");
    }
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn a_qualified_contact_is_told_by_contact_property_change() {
    hand_over(Subscription::to_property("contact", "lifecyclestage")).await;
}

#[tokio::test]
async fn a_qualified_contact_is_told_by_object_property_change() {
    let lifecycle = Subscription {
        property: Some("lifecyclestage".to_owned()),
        object_type_id: Some("0-1".to_owned()),
        ..Subscription::to("object.propertyChange")
    };
    hand_over(lifecycle).await;
}

#[tokio::test]
async fn an_employer_that_is_known_later_reaches_the_lead() {
    let stage = Stage::new().await;
    let lead = stage.qualified("6001", "kim@acme.example").await;
    let company = || stage.row(&format!("SELECT Company FROM Lead WHERE Id = '{lead}'"))["Company"].clone();
    assert_eq!(company(), json!("acme.example"));
    stage.portal.associate(("contact", "6001"), ("company", "9001"), &Actor::person()).expect("associated");
    stage.settle().await;
    assert_eq!(company(), json!("Acme Corp"));
    // Of a contact that was never handed over, it is nobody's business yet.
    let other = [("email", "pat@acme.example"), ("lastname", "Poe")];
    stage.portal.create("contact", Some("6002"), &other, &Actor::person()).expect("a contact");
    stage.portal.associate(("contact", "6002"), ("company", "9001"), &Actor::person()).expect("associated");
    stage.settle().await;
    assert_eq!(stage.org.records("Lead").len(), 1);
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}
