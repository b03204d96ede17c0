//! `permissions`: what the project needs, beside what both CRMs grant.

use serde_json::json;

use crate::stage::Stage;
use crate::world::World;

#[test]
fn everything_is_granted_on_the_sandbox() {
    let stage = Stage::shipped();
    let ran = stage.run(&["permissions"]).fine();
    for line in [
        "  granted  crm.objects.contacts.read   reads contact",
        "  granted  crm.objects.companies.write  writes company",
        "  granted  crm.objects.owners.read",
        "  granted  timeline",
        "  API Enabled, Convert Leads",
        "  Lead: read, create, edit",
        "  OpportunityContactRole",
    ] {
        let found = ran.out.lines().any(|known| squeezed(known).starts_with(&squeezed(line)));
        let absent = line.ends_with("OpportunityContactRole");
        assert_eq!(found, !absent, "{line}\n{}", ran.out);
    }
    let edits =
        ran.out.lines().skip_while(|line| *line != "  Lead: read, create, edit").nth(1).expect("fields");
    let edits: Vec<&str> =
        edits.trim().split_inclusive(' ').map(|word| word.trim_matches([',', ' '])).collect();
    assert!(edits.contains(&"Title") && edits.contains(&"HubSpot_Contact_ID__c"), "{edits:?}");
    for open in ["LastName", "Company", "Status", "OwnerId", "Id"] {
        assert!(!edits.contains(&open), "nobody can be kept from {open}: {edits:?}");
    }
}

#[test]
fn what_is_not_granted_is_named() {
    let stage = Stage::shipped();
    let scopes = ["crm.objects.contacts.read", "crm.schemas.contacts.read"];
    stage.portal("PUT", "scopes", &json!({"scopes": scopes})).fine();
    stage.org("PATCH", "schema/Lead/Title", &json!({"access": "read"})).fine();
    stage.org("DELETE", "schema/Lead/Phone", &json!(null)).fine();
    let ran = stage.run(&["permissions"]).exits(1);
    for line in [
        "  MISSING  crm.objects.owners.read",
        "  MISSING  Lead.Title: edit",
        "  MISSING  Lead.Phone: read and edit",
    ] {
        let found = ran.out.lines().any(|known| squeezed(known).starts_with(&squeezed(line)));
        assert!(found, "{line}\n{}", ran.out);
    }
    let xml = stage.run(&["permissions", "--salesforce-xml"]).fine().out;
    let title =
        "<editable>true</editable>\n        <field>Lead.Title</field>\n        <readable>true</readable>";
    assert!(xml.contains(title), "what is missing is what the set is for:\n{xml}");
}

#[test]
fn the_needs_are_shown_without_any_account() {
    let world = World::project();
    let ran = world.run(&["permissions"]).fine();
    assert!(ran.err.contains("no account is asked"), "{ran:?}");
    assert!(ran.out.contains("\n  crm.objects.contacts.read "), "{ran:?}");
    let xml = world.run(&["permissions", "--salesforce-xml"]).fine().out;
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PermissionSet xmlns="), "{xml}");
    assert!(xml.contains("<object>Lead</object>") && xml.contains("<name>ConvertLeads</name>"), "{xml}");
    // The Metadata API refuses a set that names a field which nobody can be kept from.
    for field in
        ["Lead.LastName", "Lead.Company", "Lead.OwnerId", "Lead.City", "Opportunity.StageName", "User."]
    {
        assert!(!xml.contains(&format!("<field>{field}")), "{field}\n{xml}");
    }
    assert!(
        xml.contains("<field>Lead.Address</field>"),
        "a part of an address is secured by the whole\n{xml}"
    );
}

fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
