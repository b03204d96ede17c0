//! Values that a CRM holds in another form than they were written.

use super::{LEAD, Lead, outcomes};
use crate::harness::report;

/// Contacts of Salesforce go to HubSpot.
const CON: &str = "mapping con {\n from salesforce.Contact\n to hubspot.contact\n when created\n match { nickname = HubSpot_Contact_ID__c }\n \
    on none skip\n on many park\n on rejected park\n fields { email <- Email } }\n";

/// They are kept the same.
const PEOPLE: &str = "sync people {\n between hubspot.contact and salesforce.Contact\n match { key salesforce.Contact.HubSpot_Contact_ID__c = id }\n \
    on none skip\n on rejected park\n fields {\n email <-> Email via fits(80) on conflict salesforce otherwise keep\n \
    firstname <-> FirstName via truncate(40) on conflict salesforce\n } }\n";

/// Runs a test of a mapping.
#[track_caller]
fn passes(mapping: &str, body: &str) {
    let beside = format!("{mapping}test \"t\" {{\n {body}\n}}\n");
    let mapping = Lead { beside: Box::leak(beside.into_boxed_str()), ..LEAD };
    for outcome in outcomes(mapping, "") {
        assert!(outcome.passed(), "{}", report(&outcome));
    }
}

#[test]
fn capital_letters_in_an_address_are_no_change_in_hubspot() {
    passes(
        CON,
        "mapping con\n given salesforce.Contact { HubSpot_Contact_ID__c: \"1\", Email: \"Jane@X.example\" }\n \
         given hubspot.contact { nickname: \"1\", email: \"jane@x.example\" }\n expect nothing",
    );
    passes(
        CON,
        "mapping con\n given salesforce.Contact { HubSpot_Contact_ID__c: \"1\", Email: \"Jane@X.example\" }\n \
         given hubspot.contact { nickname: \"1\", email: \"joe@x.example\" }\n \
         expect update hubspot.contact { email: \"jane@x.example\" }",
    );
}

#[test]
fn a_sync_takes_what_a_crm_holds_in_another_form_for_no_edit() {
    // What was agreed on is what the first run wrote; HubSpot has made small letters of it since.
    passes(
        PEOPLE,
        "sync people\n given hubspot.contact { id: \"1\", email: \"jane@x.example\" }\n \
         given salesforce.Contact { Id: \"003\", HubSpot_Contact_ID__c: \"1\", Email: \"Jane@X.example\" }\n \
         given link hubspot.contact \"1\" = salesforce.Contact \"003\" { Email: \"Jane@X.example\" }\n expect nothing",
    );
    passes(
        PEOPLE,
        "sync people\n given hubspot.contact { id: \"1\", email: \"jane@x.example\" }\n \
         given salesforce.Contact { Id: \"003\", HubSpot_Contact_ID__c: \"1\", Email: \"Joe@X.example\" }\n \
         given link hubspot.contact \"1\" = salesforce.Contact \"003\" { Email: \"Jane@X.example\" }\n \
         expect update hubspot.contact { email: \"joe@x.example\" }",
    );
    // Salesforce has dropped the white space that HubSpot holds.
    passes(
        PEOPLE,
        "sync people\n given hubspot.contact { id: \"1\", firstname: \" Jane \" }\n \
         given salesforce.Contact { Id: \"003\", HubSpot_Contact_ID__c: \"1\", FirstName: \"Jane\" }\n expect nothing",
    );
}

/// A mapping whose key is a value that people type.
const CODES: &str = "mapping codes {\n from hubspot.contact\n to salesforce.Lead\n when created\n \
    only if customer_code is present otherwise skip\n match { key HubSpot_Contact_ID__c = customer_code }\n \
    on none create\n on converted skip\n on duplicate park\n on rejected park\n \
    fields {\n LastName <- first_present(lastname, \"Unknown\") | truncate(80)\n Company <- \"Acme\"\n } }\n";

#[test]
fn a_key_is_what_salesforce_holds_of_it() {
    passes(
        CODES,
        "mapping codes\n given hubspot.contact { customer_code: \" ab \", lastname: \"Doe\" }\n \
         given salesforce.Lead { HubSpot_Contact_ID__c: \"ab\", LastName: \"Doe\", Company: \"Acme\" }\n expect nothing",
    );
    passes(CODES, "mapping codes\n given hubspot.contact { customer_code: \"  \" }\n expect skip");
}

#[test]
fn white_space_alone_fills_no_required_field() {
    passes(
        CODES,
        "mapping codes\n given hubspot.contact { customer_code: \"ab\", lastname: \"   \" }\n \
         expect create salesforce.Lead { HubSpot_Contact_ID__c: \"ab\", LastName: \"Unknown\" }",
    );
}
