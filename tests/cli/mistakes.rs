//! The mistakes that authors make most, each with the report as it is printed.

use crate::world::World;

/// The report of a project in which one text was replaced by another.
#[track_caller]
fn report(file: &str, from: &str, to: &str) -> String {
    let world = World::project();
    world.replace(file, from, to);
    world.run(&["check"]).exits(1).err
}

const MQL: &str = "mql_to_lead.map";

#[test]
fn a_misspelt_property() {
    insta::assert_snapshot!(report(MQL, "Title     <- jobtitle", "Title     <- jobtitel"), @r#"
    E0202

      × `hubspot.contact` has no property `jobtitel`
        ╭─[mql_to_lead.map:58:16]
     57 │   LastName  <- first_present(lastname | trim, "Unknown") | truncate(80)
     58 │   Title     <- jobtitel | trim | truncate(128)
        ·                ────┬───
        ·                    ╰── unknown property
     59 │   Phone     <- phone | e164(country)  otherwise keep
        ╰────
        ╭─[schema/hubspot.yaml:14:3]
     13 │ objects:
     14 │   contact:
        ·   ───┬───
        ·      ╰── its fields are here
     15 │     label: Contact
        ╰────
      help: did you mean `jobtitle`?

    1 error
    "#);
}

#[test]
fn a_misspelt_field() {
    insta::assert_snapshot!(report(MQL, "City                  <-", "Citty <-"), @r#"
    E0202

      × `salesforce.Lead` has no field `Citty`
        ╭─[mql_to_lead.map:33:5]
     32 │     Company               <- first_present(employer.name | trim, company | trim, mail | domain_of, "Unknown") | truncate(255)
     33 │     Citty <- city | trim | truncate(40)
        ·     ──┬──
        ·       ╰── unknown field
     34 │     State                 <- state | trim | truncate(80)
        ╰────
        ╭─[schema/salesforce.yaml:14:3]
     13 │ objects:
     14 │   Lead:
        ·   ──┬─
        ·     ╰── its fields are here
     15 │     label: Lead
        ╰────
      help: did you mean `City`?

    1 error
    "#);
}

#[test]
fn a_misspelt_step() {
    insta::assert_snapshot!(report(MQL, "email | trim | lowercase", "email | trim | lowercse"), @r#"
    E0203

      × there is no function or picklist `lowercse`
        ╭─[mql_to_lead.map:11:34]
     10 │   with employer = primary hubspot.company
     11 │   let  mail     = email | trim | lowercse
        ·                                  ────┬───
        ·                                      ╰── unknown step
     12 │ 
        ╰────
      help: did you mean `lowercase`?

    1 error
    "#);
}

#[test]
fn a_misspelt_mapping() {
    insta::assert_snapshot!(report(MQL, "on converted  then contact_from_mql", "on converted  then contact_from_mq"), @r#"
    E0204

      × there is no mapping `contact_from_mq`
        ╭─[mql_to_lead.map:24:22]
     23 │   on taken      park "that Lead belongs to another HubSpot contact"
     24 │   on converted  then contact_from_mq
        ·                      ───────┬───────
        ·                             ╰── unknown mapping
     25 │   on duplicate  adopt
        ╰────
      help: did you mean `contact_from_mql`?

    1 error
    "#);
}

#[test]
fn a_text_that_does_not_fit() {
    insta::assert_snapshot!(report(MQL, "city | trim | truncate(40)", "city | trim"), @r#"
    E0501

      × the value can have 65,536 characters, and `City` of `salesforce.Lead` holds 40 characters
        ╭─[mql_to_lead.map:33:30]
     32 │     Company               <- first_present(employer.name | trim, company | trim, mail | domain_of, "Unknown") | truncate(255)
     33 │     City                  <- city | trim
        ·                              ─────┬─────
        ·                                   ╰── can have 65,536 characters
     34 │     State                 <- state | trim | truncate(80)
        ╰────
        ╭─[schema/salesforce.yaml:34:7]
     33 │       Street: { label: Street, type: textarea, length: 255 }
     34 │       City: { label: City, type: string, length: 40 }
        ·       ──┬─
        ·         ╰── holds 40 characters
     35 │       State: { label: State/Province, type: string, length: 80 }
        ╰────
      help: write `| truncate(40)`

    1 error
    "#);
}

#[test]
fn a_required_field_that_nothing_writes() {
    let world = World::project();
    let rule = world.read(MQL).lines().find(|line| line.contains("Company ")).expect("a rule").to_owned();
    world.replace(MQL, &format!("{rule}\n"), "");
    insta::assert_snapshot!(world.run(&["check"]).exits(1).err, @r#"
    W0001

      ⚠ nothing reads `employer`
        ╭─[mql_to_lead.map:10:3]
      9 │ 
     10 │   with employer = primary hubspot.company
        ·   ───────────────────────────────────────
     11 │   let  mail     = email | trim | lowercase
        ╰────
      help: remove it

    E0304

      × `salesforce.Lead` requires `Company`, and no rule writes it when a record is created
        ╭─[mql_to_lead.map:28:3]
     27 │ 
     28 │   fields {
        ·   ──────
     29 │     use person
        ╰────
        ╭─[schema/salesforce.yaml:32:7]
     31 │       Title: { label: Title, type: string, length: 128 }
     32 │       Company: { label: Company, type: string, length: 255, required: true }
        ·       ───┬───
        ·          ╰── required here
     33 │       Street: { label: Street, type: textarea, length: 255 }
        ╰────
      help: write `Company <- …` in `fields`

    1 error and 1 warning
    "#);
}

#[test]
fn a_text_into_a_number() {
    insta::assert_snapshot!(report(MQL, "HubSpot_Lead_Score__c <- hubscore", "HubSpot_Lead_Score__c <- jobtitle"), @r#"
    E0401

      × `HubSpot_Lead_Score__c` of `salesforce.Lead` holds a number, and this is text
        ╭─[mql_to_lead.map:38:30]
     37 │     Lead_Source_Detail__c <- hs_analytics_source_data_1 | truncate(255)
     38 │     HubSpot_Lead_Score__c <- jobtitle
        ·                              ────┬───
        ·                                  ╰── text
     39 │     Contract_Date__c      <- contract_date
        ╰────
         ╭─[schema/salesforce.yaml:177:7]
     176 │       HubSpot_Contact_ID__c: { label: HubSpot Contact ID, type: string, length: 20, external_id: true, unique: true }
     177 │       HubSpot_Lead_Score__c: { label: HubSpot Lead Score, type: double, precision: 18, scale: 0 }
         ·       ──────────┬──────────
         ·                 ╰── holds a number
     178 │       Lead_Source_Detail__c: { label: Lead Source Detail, type: string, length: 255 }
         ╰────
      help: write `| number` to read the text as a number

    1 error
    "#);
}

#[test]
fn a_read_only_field() {
    insta::assert_snapshot!(report(MQL, "Contract_Date__c      <- contract_date", "CreatedDate <- createdate"), @r#"
    E0301

      × `CreatedDate` of `salesforce.Lead` is read-only and cannot be written
        ╭─[mql_to_lead.map:39:5]
     38 │     HubSpot_Lead_Score__c <- hubscore
     39 │     CreatedDate <- createdate
        ·     ───────────
     40 │     HasOptedOutOfEmail    <- hs_email_optout         once true stays true
        ╰────
         ╭─[schema/salesforce.yaml:129:7]
     128 │       IsUnreadByOwner: { label: Unread By Owner, type: boolean }
     129 │       CreatedDate: { label: Created Date, type: datetime, required: true, defaulted_on_create: true, read_only: true }
         ·       ─────┬─────
         ·            ╰── is read-only
     130 │       CreatedById:
         ╰────
      help: remove the rule, or write another field

    1 error
    "#);
}

#[test]
fn an_option_without_a_translation() {
    let report = report("picklists.map", "  \"PAID_SOCIAL\"     -> \"Inbound - Paid Social\"\n", "");
    assert!(report.contains("has no translation"), "{report}");
    insta::assert_snapshot!(report.split("E0601").nth(1).unwrap_or_default().trim(), @r#"
    × the option `PAID_SOCIAL` of `hs_analytics_source` of `hubspot.contact` has no translation
       ╭─[picklists.map:2:10]
     1 │ # Where a contact came from, in the words of sales.
     2 │ picklist lead_source {
       ·          ───────────
     3 │   from hubspot.contact.hs_analytics_source
       ╰────
        ╭─[schema/hubspot.yaml:86:22]
     85 │           - { value: OFFLINE, label: Offline Sources }
     86 │           - { value: PAID_SOCIAL, label: Paid Social }
        ·                      ─────┬─────
        ·                           ╰── the first of them
     87 │       hs_analytics_source_data_1: { label: Original Source Drill-Down 1, type: string, read_only: true }
        ╰────
      help: write `"PAID_SOCIAL" -> "…"`, or `otherwise -> "…"` for all that have no line

    3 errors
    "#);
}

#[test]
fn a_translation_that_is_no_option() {
    let report = report("picklists.map", "\"Healthcare\"", "\"Health care\"");
    assert!(report.contains("did you mean `Healthcare`?"), "{report}");
}

#[test]
fn a_stage_that_does_not_exist() {
    insta::assert_snapshot!(report(MQL, "becomes \"marketingqualifiedlead\"", "becomes \"marketingqualifiedled\""), @r#"
    E0602

      × `lifecyclestage` of `hubspot.contact` has no option `marketingqualifiedled`
        ╭─[mql_to_lead.map:13:31]
     12 │ 
     13 │   when lifecyclestage becomes "marketingqualifiedled"
        ·                               ───────────┬───────────
        ·                                          ╰── unknown option
     14 │   only if mail is present otherwise wait
        ╰────
         ╭─[schema/hubspot.yaml:495:22]
     494 │         options:
     495 │           - { value: subscriber, label: Subscriber }
         ·                      ─────┬────
         ·                           ╰── its options are here
     496 │           - { value: lead, label: Lead }
         ╰────
      help: did you mean `marketingqualifiedlead`?

    1 error
    "#);
}

#[test]
fn an_outcome_that_is_not_written() {
    insta::assert_snapshot!(report(MQL, "  on many       park \"more than one open Lead has this e-mail\"\n", ""), @r#"
    E0702

      × `mql_to_lead` does not say what happens: `on many` is missing
       ╭─[mql_to_lead.map:6:9]
     5 │ # is found, sales gets a new Lead.
     6 │ mapping mql_to_lead {
       ·         ───────────
     7 │   from hubspot.contact
       ╰────
      help: write, with the action that you want:
              on many       park  # when several records are found

    1 error
    "#);
}

#[test]
fn a_step_that_can_fail() {
    insta::assert_snapshot!(report("company_to_account.map", "on create otherwise keep", "on create"), @r#"
    E0801

      × `e164` can fail, and the rule does not say what happens then
        ╭─[company_to_account.map:23:26]
     22 │     Website           <- domain | trim | lowercase | truncate(255)              on create
     23 │     Phone             <- phone | e164(country)                                  on create
        ·     ──┬──                ──────────┬──────────
        ·       │                            ╰── fails when the text is not a valid phone number of that country, or begins without `+` and no country is given
        ·       ╰── in this rule
     24 │     Industry          <- industry | industry                                    on create
        ╰────
      help: add `otherwise keep`, `otherwise nothing`, `otherwise "…"` or `otherwise park`

    1 error
    "#);
}

#[test]
fn a_key_that_is_no_external_id() {
    let report = report(MQL, "key HubSpot_Contact_ID__c = id", "key Fax = id");
    insta::assert_snapshot!(report, @r#"
    E0701

      × the field `Fax` of `salesforce.Lead` is neither unique nor an external ID, so it cannot be a key
        ╭─[mql_to_lead.map:17:9]
     16 │   match {
     17 │     key Fax = id
        ·         ─┬─
        ·          ╰── neither unique nor an external ID
     18 │     or  Email = mail where IsConverted = false
        ╰────
        ╭─[schema/salesforce.yaml:50:7]
     49 │       MobilePhone: { label: Mobile Phone, type: phone, length: 40 }
     50 │       Fax: { label: Fax, type: phone, length: 40 }
        ·       ─┬─
        ·        ╰── neither unique nor an external ID
     51 │       Email: { label: Email, type: email, length: 80 }
        ╰────
      help: write it as a rung, `or Fax = …`, or mark the field as unique external ID and say so in the snapshot

    1 error
    "#);
}

#[test]
fn a_brace_that_is_missing() {
    insta::assert_snapshot!(report(MQL, "mapping mql_to_lead {", "mapping mql_to_lead"), @r#"
    E0103

      × expected `{`
       ╭─[mql_to_lead.map:6:20]
     5 │ # is found, sales gets a new Lead.
     6 │ mapping mql_to_lead
       ·                    ▲
     7 │   from hubspot.contact
       ╰────
      help: write `mapping mql_to_lead {` and close it with `}`

    1 error
    "#);
}

#[test]
fn a_broken_item_hides_nothing_in_the_others() {
    let world = World::project();
    world.replace(MQL, "City                  <- city", "City                  < city");
    world.replace(MQL, "Title     <- jobtitle", "Title     <- jobtitel");
    world.replace("company_to_account.map", "Website           <- domain", "Website           <- domian");
    let findings = world.run(&["check", "--format", "json"]).exits(1).json();
    let lines: Vec<_> = findings
        .as_array()
        .expect("an array")
        .iter()
        .map(|finding| finding["labels"][0]["line"].clone())
        .collect();
    assert_eq!(lines, [22, 33, 58], "{findings:#}");
}

#[test]
fn a_salesforce_status_that_does_not_exist() {
    let world = World::project();
    world.replace(MQL, "\"MQL - Pending Review\"", "\"MQL - Pending Revue\"");
    let ran = world.run(&["check", "--deny-warnings"]).exits(1);
    assert!(ran.err.contains("MQL - Pending Review"), "the nearest option: {}", ran.err);
}
