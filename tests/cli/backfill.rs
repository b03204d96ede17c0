//! `backfill`: what is wrong with a call is said before anything is reached.

use crate::world::World;

/// A project with all its secrets, whose CRMs nobody can reach.
fn ran(args: &[&str]) -> crate::world::Ran {
    let world = World::project();
    let mut command = world.command(args);
    for name in ["HUBSPOT_TOKEN", "HUBSPOT_CLIENT_SECRET", "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"]
    {
        command.env(name, "secret");
    }
    world.finish(command, &[])
}

#[test]
fn the_mapping_and_the_side_must_be_known() {
    let said = ran(&["backfill", "mql_to_leed"]).exits(2).err;
    assert!(said.contains("there is no mapping `mql_to_leed`; did you mean `mql_to_lead`?"), "{said}");
    let said = ran(&["backfill", "account_company"]).exits(2).err;
    assert!(said.contains("`account_company` is a sync: say whose records are loaded"), "{said}");
    let said = ran(&["backfill", "mql_to_lead", "--from", "salesforce"]).exits(2).err;
    assert!(said.contains("is a mapping from `hubspot.contact`, so its records are HubSpot's"), "{said}");
    for clash in [["--resume", "--restart"], ["--resume", "--dry-run"], ["--restart", "--dry-run"]] {
        ran(&["backfill", "mql_to_lead", clash[0], clash[1]]).exits(2);
    }
    ran(&["backfill", "mql_to_lead", "--limit", "0"]).exits(2);
}

#[test]
fn a_condition_is_checked_against_the_snapshot_and_points_into_the_argument() {
    for (text, said) in [
        ("lifecyclestag = \"lead\"", "lifecyclestage"),
        ("lifecyclestage = \"nonsense\"", "nonsense"),
        ("createdate > 5", "createdate > 5"),
        ("email = firstname", "the value is not written out"),
        ("email is prezent", "--where:1"),
        ("email is present # and more", "these are no tests"),
        ("email is present }", "--where:1"),
        ("", "--where"),
        ("email is present\n  when created", "--where:1"),
    ] {
        let err = ran(&["backfill", "mql_to_lead", "--where", text]).exits(2).err;
        assert!(err.contains(said), "{text}: {err}");
        assert!(err.contains("--where"), "{text}: {err}");
        assert!(!err.contains("mapping argument"), "only the argument is shown: {err}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_once() {
    let err = ran(&["backfill", "mql_to_lead", "--refused", "no/such/folder/rows.csv"]).exits(2).err;
    assert!(err.contains("`no/such/folder/rows.csv` cannot be written"), "{err}");
}
