//! What sales does with an opportunity reaches HubSpot's deal.

use chrono::{DateTime, Duration, Offset, TimeZone, Utc};
use mapwright::store::Store;
use serde_json::{Value as Json, json};

use super::stage::{Stage, salesforce};

/// An Account with its company, and a Contact that HubSpot knows as contact 7001.
async fn known(stage: &Stage) -> (String, String) {
    let account =
        stage.made("Account", &json!({"Name": "Globex", "Website": "https://globex.example"})).await;
    let contact = json!({"LastName": "Vega", "Email": "nina@globex.example", "AccountId": account});
    let contact = stage.org.create("Contact", &contact).expect("a Contact");
    assert_eq!(stage.qualified("7001", "nina@globex.example").await, contact);
    (account, contact)
}

fn opportunity(account: &str, owner: &Json) -> Json {
    json!({
        "Name": "Globex - 100 seats", "StageName": "Prospecting", "Type": "New Customer", "Amount": 12500.5,
        "CurrencyIsoCode": "EUR", "CloseDate": "2026-03-31", "AccountId": account, "OwnerId": owner,
        "LeadSource": "Inbound - Paid Search",
    })
}

fn user(stage: &Stage, name: &str) -> Json {
    stage.row(&format!("SELECT Id FROM User WHERE Username = '{name}@sales.example'"))["Id"].clone()
}

#[tokio::test]
async fn an_opportunity_becomes_a_deal_and_is_won() {
    let stage = Stage::new().await;
    let (account, contact) = known(&stage).await;
    let campaign = stage.org.create("Campaign", &json!({"Name": "Spring webinar"})).expect("a campaign");
    let mut fields = opportunity(&account, &user(&stage, "robin"));
    fields["CampaignId"] = json!(campaign);
    let id = stage.org.create("Opportunity", &fields).expect("an opportunity");
    let role = json!({"OpportunityId": id, "ContactId": contact, "Role": "Decision Maker"});
    stage.org.create("OpportunityContactRole", &role).expect("a role");
    stage.settle().await;

    let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
    let expected = [
        ("dealname", "Globex - 100 seats"),
        ("pipeline", "default"),
        ("dealstage", "appointmentscheduled"),
        ("amount", "12500.5"),
        ("deal_currency_code", "EUR"),
        ("hubspot_owner_id", "11"),
        ("dealtype", "newbusiness"),
        ("salesforce_lead_source", "Inbound - Paid Search"),
        ("salesforce_campaign", "Spring webinar"),
        ("salesforce_opportunity_id", id.as_str()),
    ];
    for (name, value) in expected {
        assert_eq!(stage.property("deal", &deal, name), json!(value), "{name}");
    }
    let company = stage.counterpart(salesforce("Account"), &account).await.expect("a company");
    let companies = stage.associated(("deal", &deal), "company").await;
    assert_eq!(companies, [(company, vec!["Primary".to_owned()])]);
    assert_eq!(stage.associated(("deal", &deal), "contact").await, [("7001".to_owned(), vec![])]);

    let won = json!({"StageName": "Closed Won", "Won_Reason__c": "Price"});
    stage.edited("Opportunity", &id, &won).await;
    assert_eq!(stage.property("deal", &deal, "dealstage"), json!("closedwon"));
    assert_eq!(stage.property("deal", &deal, "closed_won_reason"), json!("Price"));
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn a_lost_renewal_says_why_in_its_own_pipeline() {
    let stage = Stage::new().await;
    let account = stage.made("Account", &json!({"Name": "Globex"})).await;
    let mut fields = opportunity(&account, &user(&stage, "robin"));
    fields["Type"] = json!("Existing Customer - Upgrade");
    let id = stage.made("Opportunity", &fields).await;
    let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
    assert_eq!(stage.property("deal", &deal, "pipeline"), json!("900001"));
    assert_eq!(stage.property("deal", &deal, "dealstage"), json!("900002"));
    let lost = json!({"StageName": "Closed Lost", "Lost_Reason__c": "No budget"});
    stage.edited("Opportunity", &id, &lost).await;
    assert_eq!(stage.property("deal", &deal, "dealstage"), json!("900005"));
    assert_eq!(stage.property("deal", &deal, "closed_lost_reason"), json!("No budget"));
    // It turns out to be new business after all, and is open again.
    let moved = json!({"Type": "New Customer", "StageName": "Qualification", "Lost_Reason__c": null});
    stage.edited("Opportunity", &id, &moved).await;
    assert_eq!(stage.property("deal", &deal, "pipeline"), json!("default"));
    assert_eq!(stage.property("deal", &deal, "dealstage"), json!("qualifiedtobuy"));
    let reason = stage.property("deal", &deal, "closed_lost_reason");
    assert!(reason.is_null() || reason == json!(""), "{reason}");
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn the_deal_of_an_owner_who_has_left_is_written_without_her_where_hubspot_refuses_her() {
    let stage = Stage::new().await;
    let account = stage.made("Account", &json!({"Name": "Globex"})).await;
    let id = stage.made("Opportunity", &opportunity(&account, &user(&stage, "lena"))).await;
    assert_eq!(stage.parked().await, []);
    let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
    assert_eq!(stage.property("deal", &deal, "dealstage"), json!("appointmentscheduled"));
    // She was found among the archived owners; this portal does not let them own anything new.
    let key = mapwright::store::RecordKey::new("main", salesforce("Opportunity"), &id);
    let history = stage.store.history(&key).await.expect("history");
    assert!(!history.iter().any(|entry| entry.field.field == "hubspot_owner_id"), "{history:#?}");
    stage.edited("Opportunity", &id, &json!({"OwnerId": user(&stage, "robin")})).await;
    assert_eq!(stage.property("deal", &deal, "hubspot_owner_id"), json!("11"));
    stage.end().await;
}

#[tokio::test]
async fn a_deal_that_comes_before_its_company_is_associated_once_that_is_there() {
    let stage = Stage::new().await;
    let account = json!({"Name": "Globex", "Website": "https://globex.example"});
    let account = stage.long_there("Account", account);
    let id = stage.made("Opportunity", &opportunity(&account, &user(&stage, "robin"))).await;
    let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
    assert_eq!(stage.associated(("deal", &deal), "company").await, []);
    stage.edited("Account", &account, &json!({"Phone": "555"})).await;
    let company = stage.counterpart(salesforce("Account"), &account).await.expect("a company");
    let companies = stage.associated(("deal", &deal), "company").await;
    assert_eq!(companies, [(company, vec!["Primary".to_owned()])]);
    stage.end().await;
}

#[tokio::test]
async fn the_close_date_is_the_same_day_wherever_people_live() {
    let stage = Stage::new().await;
    let account = stage.made("Account", &json!({"Name": "Globex"})).await;
    for day in ["2026-03-31", "2026-06-30", "2026-12-31"] {
        let mut fields = opportunity(&account, &user(&stage, "robin"));
        fields["CloseDate"] = json!(day);
        let id = stage.made("Opportunity", &fields).await;
        let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
        let held = stage.property("deal", &deal, "closedate");
        let instant: DateTime<Utc> = held.as_str().expect("a time").parse().expect("an instant");
        for zone in chrono_tz::TZ_VARIANTS {
            let local = zone.from_utc_datetime(&instant.naive_utc());
            // The clocks of the world are 26 hours apart, so no instant is one day on all of them: left out are the islands
            // east of the date line (Samoa's neighbours at -11 and less) and the Line Islands at +14.
            let offset = Duration::seconds(i64::from(local.offset().fix().local_minus_utc()));
            if offset >= Duration::hours(-10) && offset < Duration::hours(14) {
                assert_eq!(local.date_naive().to_string(), day, "{zone}");
            }
        }
    }
    for zone in [chrono_tz::America::Phoenix, chrono_tz::Pacific::Auckland, chrono_tz::Pacific::Honolulu] {
        let local = zone.with_ymd_and_hms(2026, 12, 31, 12, 0, 0).single().expect("a time");
        let hours = local.offset().fix().local_minus_utc() / 3600;
        assert!((-10..14).contains(&hours), "{zone} is among them");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_private_opportunity_makes_no_deal() {
    let stage = Stage::new().await;
    let account = stage.made("Account", &json!({"Name": "Globex"})).await;
    let mut fields = opportunity(&account, &user(&stage, "robin"));
    fields["IsPrivate"] = json!(true);
    let id = stage.made("Opportunity", &fields).await;
    assert_eq!(stage.counterpart(salesforce("Opportunity"), &id).await, None);
    assert_eq!(stage.portal.records("deal"), Vec::<Json>::new());
    stage.end().await;
}

/// A deal that belongs to exactly the people who have a role on its opportunity.
async fn exactly() -> Stage {
    let (line, exactly) =
        ("associate linked hubspot.contact of role", "associate exactly linked hubspot.contact of role");
    Stage::edited_project(line, exactly).await
}

/// An opportunity, and its deal.
async fn dealt(stage: &Stage, account: &str) -> (String, String) {
    let id = stage.made("Opportunity", &opportunity(account, &user(stage, "robin"))).await;
    let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
    (id, deal)
}

async fn people(stage: &Stage, deal: &str) -> Vec<String> {
    stage.associated(("deal", deal), "contact").await.into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn a_contact_role_that_goes_takes_its_contact_off_the_deal() {
    let stage = exactly().await;
    let (account, contact) = known(&stage).await;
    let ((one, deal), (other, other_deal)) = (dealt(&stage, &account).await, dealt(&stage, &account).await);
    let on_one = json!({"OpportunityId": one, "ContactId": contact, "Role": "Decision Maker"});
    let role = stage.made("OpportunityContactRole", &on_one).await;
    let who = async || (people(&stage, &deal).await, people(&stage, &other_deal).await);
    let nina = || vec!["7001".to_owned()];
    assert_eq!(who().await, (nina(), vec![]));
    // It goes to the other opportunity, and each deal follows.
    stage.edited("OpportunityContactRole", &role, &json!({"OpportunityId": other})).await;
    assert_eq!(who().await, (vec![], nina()));
    // It goes to the bin, and comes back.
    stage.org.delete("OpportunityContactRole", &role).expect("deleted");
    stage.settle().await;
    assert_eq!(who().await, (vec![], vec![]));
    stage.org.undelete("OpportunityContactRole", &role).expect("restored");
    stage.settle().await;
    assert_eq!(who().await, (vec![], nina()));
    // It is deleted for good, of which only a list tells that is asked for every quarter of an hour.
    stage.org.purge("OpportunityContactRole", &role).expect("purged");
    stage.settle().await;
    assert_eq!(who().await, (vec![], nina()));
    stage.org_later(Duration::minutes(20));
    stage.settle().await;
    assert_eq!(who().await, (vec![], vec![]));
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}

#[tokio::test]
async fn a_contact_role_that_comes_later_associates_its_contact() {
    let stage = Stage::new().await;
    let (account, contact) = known(&stage).await;
    let id = stage.made("Opportunity", &opportunity(&account, &user(&stage, "robin"))).await;
    let deal = stage.counterpart(salesforce("Opportunity"), &id).await.expect("a deal");
    assert_eq!(stage.associated(("deal", &deal), "contact").await, []);
    let role = json!({"OpportunityId": id, "ContactId": contact, "Role": "Decision Maker"});
    let role = stage.made("OpportunityContactRole", &role).await;
    let people = || stage.associated(("deal", &deal), "contact");
    assert_eq!(people().await, [("7001".to_owned(), vec![])]);
    // Somebody else takes the role.
    let other = json!({"LastName": "Ray", "Email": "ray@globex.example", "AccountId": account});
    let other = stage.org.create("Contact", &other).expect("a Contact");
    assert_eq!(stage.qualified("7002", "ray@globex.example").await, other);
    stage.edited("OpportunityContactRole", &role, &json!({"ContactId": other})).await;
    let ids: Vec<String> = people().await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["7001", "7002"]);
    assert_eq!(stage.parked().await, []);
    stage.end().await;
}
