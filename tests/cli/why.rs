//! `why` and `doctor` where there is nothing to tell yet.

use crate::world::World;

#[test]
fn what_the_store_does_not_know_is_said_with_what_may_help() {
    let world = World::project();
    let ran = world.run(&["why", "Lead", "00Q000000000001AAA"]).exits(1);
    for fact in [
        "the store knows nothing of salesforce.Lead 00Q000000000001AAA (pair `main`)",
        "salesforce.Lead is written by",
        "`mql_to_lead` (mql_to_lead.map:",
        "the CRM's own field history tells by whom",
    ] {
        assert!(ran.err.contains(fact), "{fact}: {}", ran.err);
    }
    assert_eq!(ran.out, "");
    let ran = world.run(&["why", "contact", "999"]).exits(1);
    let fact = "hubspot.contact is the source of `contact_from_mql` (";
    assert!(ran.err.contains(fact) || ran.err.contains("and is the source of"), "{}", ran.err);
    assert!(ran.err.contains("none of them met this record"), "{}", ran.err);
    let ran = world.run(&["why", "Lead", "00Q000000000001AAA", "--json"]).exits(1);
    assert_eq!(
        (&ran.json()["writes"], &ran.json()["runs"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
}

#[test]
fn an_object_field_or_pair_that_is_not_there() {
    let world = World::project();
    for (args, facts) in [
        (&["why", "Leed", "1"][..], &["there is no object `Leed`", "did you mean `salesforce.Lead`?"][..]),
        (
            &["why", "Lead", "1", "LastNam"],
            &["salesforce.Lead has no field `LastNam`", "did you mean `LastName`?"],
        ),
        (&["why", "Lead", "1", "--pair", "mian"], &["there is no pair `mian`; there is `main`"]),
        (
            &["why", "Lead", "1", "--side", "hubspot"],
            &["HubSpot has no object `Lead`; `salesforce.Lead` is Salesforce's"],
        ),
        (&["why", "contacts", "1"], &["there is no object `contacts`; did you mean `hubspot.contact`?"]),
        (&["why", "Lead"], &["<ID>"]),
        (&["why", "Lead", "1", "--side", "sugar"], &["possible values: hubspot, salesforce"]),
    ] {
        let ran = world.run(args).exits(2);
        for fact in facts {
            assert!(ran.err.contains(fact), "{args:?}: {fact}: {}", ran.err);
        }
    }
    World::empty().run(&["why", "Lead", "1"]).exits(2);
}

#[test]
fn a_field_that_no_rule_writes_names_the_mappings_that_could() {
    let world = World::project();
    let ran = world.run(&["why", "Lead", "00Q000000000001AAA", "Fax"]).exits(1);
    assert!(ran.out.contains("no rule writes `Fax` of salesforce.Lead"), "{}", ran.out);
}

#[test]
fn a_field_that_a_rule_could_write_names_the_rule() {
    let world = World::project();
    let ran = world.run(&["why", "Lead", "00Q000000000001AAA", "LastName"]).exits(1);
    assert!(ran.out.contains("never written by Mapwright"), "{}", ran.out);
    assert!(ran.out.contains("`mql_to_lead` could write it, mql_to_lead.map:"), "{}", ran.out);
    // A source field: no rule writes it, and the mappings that read it are named.
    let ran = world.run(&["why", "contact", "5501", "lastname"]).exits(1);
    assert!(ran.out.contains("it is read by `"), "{}", ran.out);
}

#[test]
fn it_works_while_the_mappings_have_errors() {
    let world = World::project();
    world.write("broken.map", "mapping broken {\n");
    let ran = world.run(&["why", "Lead", "00Q000000000001AAA"]).exits(1);
    assert!(ran.err.contains("the store knows nothing of"), "{}", ran.err);
    world.write("mapwright.yaml", "language: 1\nstore:\n  sqlite: broken.map\npairs: {}\n");
    let ran = world.run(&["why", "Lead", "00Q000000000001AAA"]).exits(3);
    assert!(ran.err.contains("is not a SQLite database"), "{}", ran.err);
}

#[test]
fn a_doctor_needs_the_secrets() {
    let world = World::project();
    let ran = world.run(&["doctor"]).exits(2);
    assert!(ran.err.contains("HUBSPOT_TOKEN"), "{}", ran.err);
}
