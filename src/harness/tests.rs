mod ends;
mod held;
mod sync;

use std::sync::Arc;

use super::{Kind, Missed, Outcome, coverage, report, run};
use crate::check::check;
use crate::eval::Trace;
use crate::plan::testing::{LEAD, Lead, schemas};
use crate::plan::{Plan, compile};
use crate::source::Sources;
use crate::syntax;

/// A mapping with a ladder, a hand-over, an owner, a company and every policy that reads before it writes.
const FULL: Lead = Lead {
    head: "with employer = primary hubspot.company\n let mail = email | trim | lowercase\n when created\n \
           only if mail is present otherwise wait\n only if lifecyclestage != \"lead\"\n \
           only if nickname != \"spam\" otherwise park \"looks like spam\"",
    rungs: "key HubSpot_Contact_ID__c = id\n or Email = mail where IsConverted = false\n \
            or salesforce.Contact where Email = mail then known",
    outcomes: "on none create\n on many park \"several\"\n on taken park\n on converted then known\n on duplicate park\n on rejected park",
    fields: "Email <- mail | fits(80) otherwise park \"no short address\"\n \
             Title <- employer.name | truncate(128) if target is blank\n \
             Phone <- phone | e164 otherwise keep\n \
             LeadSource <- source | sources\n \
             Score__c <- hubscore\n \
             Contract_Date__c <- contract_date\n \
             HasOptedOutOfEmail <- opted_out once true stays true\n \
             OwnerId <- lookup salesforce.User.Id where Email = owner.email otherwise keep on create\n \
             Status <- \"New\" on create\n \
             Description <- jobtitle | truncate(100) on blank clear",
    beside: "mapping known {\n from hubspot.contact\n to salesforce.Contact\n match {\n key HubSpot_Contact_ID__c = id\n or Email = email\n }\n \
             on none skip\n on many park\n on taken park\n on rejected park\n fields { FirstName <- firstname | truncate(40) } }\n\
             picklist sources { from hubspot.contact.source\n to salesforce.Lead.LeadSource\n \
             \"SEARCH\" -> \"Inbound\"\n \"SOCIAL\" -> nothing\n otherwise -> \"Other\" }",
};

/// Runs the tests of a project of this mapping and these tests.
fn outcomes(mapping: Lead, tests: &str) -> Vec<Outcome> {
    let text = format!("{}{tests}", mapping.text());
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let file = sources.add("m.map", text.clone());
    let (tree, mut findings) = syntax::parse(file, &text);
    let (checked, more) = check(&[tree], &schemas, &sources);
    findings.extend(more.into_iter().filter(crate::diagnostic::Diagnostic::is_error));
    assert!(findings.is_empty(), "{findings:#?}\n{text}");
    let checked = checked.expect("a checked project");
    let plan: Arc<Plan> = Arc::new(compile(&checked, &schemas, &sources));
    checked.tests.iter().map(|test| run(&plan, test, &sources, None)).collect()
}

/// Runs one test of the full mapping.
fn one(body: &str) -> Outcome {
    let mut outcomes = outcomes(FULL, &format!("test \"t\" {{\n mapping lead\n {body}\n}}\n"));
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

#[track_caller]
fn passes(body: &str) {
    let outcome = one(body);
    assert!(outcome.passed(), "{}", report(&outcome));
}

/// The fields that differ, with what was expected and found.
#[track_caller]
fn differs(body: &str) -> Vec<(String, String, String)> {
    let outcome = one(body);
    assert!(!outcome.passed(), "it passed: {body}");
    let fields = outcome.differences.into_iter();
    fields.map(|one| (one.field.unwrap_or_default(), one.expected, one.found)).collect()
}

#[track_caller]
fn differs_once(body: &str) -> (String, String, String) {
    let mut all = differs(body);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn three(field: &str, expected: &str, found: &str) -> (String, String, String) {
    (field.to_owned(), expected.to_owned(), found.to_owned())
}

const CONTACT: &str = "given hubspot.contact { id: \"5501\", email: \"Jane@Acme.example\" }";

#[test]
fn a_new_record_holds_what_was_written() {
    passes(
        "given hubspot.contact { id: \"5501\", lastname: \"Doe\", email: \"Jane@Acme.example\", hubscore: 87.5,
           contract_date: \"2024-09-30\", opted_out: true, source: \"SEARCH\", phone: \"+1 415 555 0100\" }
         given hubspot.company { name: \"Acme\" }
         expect create salesforce.Lead { LastName: \"Doe\", Email: \"jane@acme.example\", Score__c: 87.5,
           Contract_Date__c: \"2024-09-30\", HasOptedOutOfEmail: true, LeadSource: \"Inbound\", Title: \"Acme\",
           Phone: \"+14155550100\", HubSpot_Contact_ID__c: \"5501\", Description: absent, Rating: nothing }",
    );
}

#[test]
fn hubspots_milliseconds_are_a_date() {
    passes(
        "given hubspot.contact { email: \"a@b.example\", contract_date: 1727654400000 }
         expect create salesforce.Lead { Contract_Date__c: \"2024-09-30\" }",
    );
}

#[test]
fn a_value_that_is_not_the_expected_one_is_a_difference() {
    let found = differs(
        "given hubspot.contact { id: \"5501\", email: \"a@b.example\", hubscore: 87, source: \"SOCIAL\", phone: \"none\" }
         expect create salesforce.Lead { LastName: \"Doe\", Score__c: 88, Status: absent, LeadSource: \"Inbound\", Phone: \"+1\" }",
    );
    assert_eq!(
        found,
        [
            three("LastName", "\"Doe\"", "\"Unknown\""),
            three("Score__c", "88", "87"),
            three("Status", "absent", "\"New\""),
            three("LeadSource", "\"Inbound\"", "nothing"),
            three("Phone", "\"+1\"", "nothing"),
        ]
    );
}

#[test]
fn the_report_names_the_rule_and_why_it_wrote_nothing() {
    let outcome = one(
        "given hubspot.contact { id: \"5501\", email: \"a@b.example\", opted_out: false }
         given hubspot.company { name: \"Acme\" }
         given salesforce.Lead { HubSpot_Contact_ID__c: \"5501\", Title: \"VP\", HasOptedOutOfEmail: true, Company: \"Acme\" }
         expect update salesforce.Lead { Title: \"Acme\", HasOptedOutOfEmail: false, Status: \"New\", LeadSource: \"Other\",
           Rating: \"Hot\", LastName: kept, Company: kept }",
    );
    let line = |text: &str| FULL.text().lines().position(|line| line.contains(text)).expect("the rule") + 1;
    let expected = format!(
        "failed: t (m.map:{test})
  field               expected  found             rule
  Title               \"Acme\"    \"VP\" (was there)  m.map:{title} (the target is not blank)
    Title <- employer.name | truncate(128) if target is blank
  HasOptedOutOfEmail  false     true (was there)  m.map:{consent} (once true stays true)
    HasOptedOutOfEmail <- opted_out once true stays true
  Status              \"New\"     nothing           m.map:{status} (written on create only)
    Status <- \"New\" on create
  LeadSource          \"Other\"   nothing           m.map:{source} (its value is blank)
    LeadSource <- source | sources
  Rating              \"Hot\"     nothing           no rule of `lead` writes it
  LastName            kept      \"Unknown\"         m.map:{name}
    LastName <- first_present(lastname | trim, \"Unknown\")
",
        test = FULL.text().lines().count() + 1,
        title = line("Title <-"),
        consent = line("HasOptedOutOfEmail <-"),
        status = line("Status <-"),
        source = line("LeadSource <-"),
        name = line("LastName <-"),
    );
    assert_eq!(report(&outcome), expected);
}

#[test]
fn an_update_compares_the_record_afterwards() {
    let lead = "given salesforce.Lead { Id: \"00Q1\", HubSpot_Contact_ID__c: \"5501\", Status: \"Working\", Email: \"old@acme.example\", Description: \"VP\" }";
    passes(&format!(
        "{CONTACT}\n {lead}\n expect update salesforce.Lead {{ Id: \"00Q1\", Status: kept, Email: \"jane@acme.example\", Description: nothing, Phone: absent, LastName: \"Unknown\" }}"
    ));
    passes(&format!("{CONTACT}\n {lead}\n expect update salesforce.Lead {{ Status: \"Working\" }}"));
    let wrong = |field: &str| {
        differs_once(&format!("{CONTACT}\n {lead}\n expect update salesforce.Lead {{ {field} }}"))
    };
    assert_eq!(wrong("Status: absent"), three("Status", "absent", "\"Working\" (was there)"));
    assert_eq!(wrong("Email: kept"), three("Email", "\"old@acme.example\" (kept)", "\"jane@acme.example\""));
    assert_eq!(wrong("Phone: kept"), three("Phone", "kept", "nothing"));
    assert_eq!(wrong("Description: kept"), three("Description", "\"VP\" (kept)", "nothing (cleared)"));
    assert_eq!(wrong("Status: nothing"), three("Status", "nothing", "\"Working\" (was there)"));
    assert_eq!(wrong("Id: \"00Q2\""), three("Id", "\"00Q2\"", "\"00Q1\" (was there)"));
}

#[test]
fn what_is_already_so_counts_as_updated() {
    let body = "given hubspot.contact { id: \"5501\", email: \"a@b.example\" }
         given salesforce.Lead { HubSpot_Contact_ID__c: \"5501\", Email: \"a@b.example\", LastName: \"Unknown\", Company: \"Acme\" }";
    passes(&format!("{body}\n expect update salesforce.Lead {{ LastName: kept, Phone: absent }}"));
    let differences =
        one(&format!("{body}\n expect update salesforce.Lead {{ LastName: \"Doe\" }}")).differences;
    assert_eq!(differences[0].why.as_deref(), Some("everything was already so"));
    assert!(differences[0].rule.is_some());
    let (_, expected, found) = differs_once(&format!("{body}\n expect create salesforce.Lead {{ }}"));
    assert_eq!(expected, "a new salesforce.Lead");
    assert_eq!(found, "`lead` found salesforce.Lead Lead-1, which is already as it should be");
}

#[test]
fn look_ups_ignore_case_and_know_checkboxes() {
    // `IsConverted` is not given, and an unticked checkbox is `false`.
    passes(&format!(
        "{CONTACT}\n given salesforce.Lead {{ Email: \"JANE@ACME.EXAMPLE\" }}\n expect update salesforce.Lead {{ HubSpot_Contact_ID__c: \"5501\" }}"
    ));
    passes(&format!(
        "{CONTACT}\n given salesforce.Lead {{ Email: \"jane@acme.example\", IsConverted: true }}\n expect create salesforce.Lead {{ }}"
    ));
}

#[test]
fn an_owner_belongs_to_the_source_record() {
    let user = "given salesforce.User { Id: \"005A\", Email: \"rep@sales.example\" }";
    let owned = "expect create salesforce.Lead { OwnerId: \"005A\" }";
    passes(&format!("{CONTACT}\n given hubspot.owner {{ email: \"rep@sales.example\" }}\n {user}\n {owned}"));
    let contact = "given hubspot.contact { email: \"a@b.example\", hubspot_owner_id: \"11\" }";
    passes(&format!("{contact}\n given hubspot.owner {{ email: \"rep@sales.example\" }}\n {user}\n {owned}"));
    passes(&format!(
        "{contact}\n given hubspot.owner {{ id: \"12\", email: \"other@sales.example\" }}\n \
         given hubspot.owner {{ id: \"11\", email: \"rep@sales.example\" }}\n {user}\n {owned}"
    ));
    passes(&format!(
        "{contact}\n given hubspot.owner {{ id: \"12\", email: \"rep@sales.example\" }}\n {user}\n \
         expect create salesforce.Lead {{ OwnerId: absent }}"
    ));
}

#[test]
fn paths_go_over_relationships() {
    let mapping = Lead {
        rungs: "key HubSpot_Contact_ID__c = id\n or Email = email where Owner.Email = \"rep@sales.example\"",
        outcomes: "on none skip\n on many park\n on taken park\n on converted park\n on rejected park",
        ..LEAD
    };
    let test = |name: &str, owner: &str, expect: &str| {
        format!(
            "test \"{name}\" {{\n mapping lead\n given hubspot.contact {{ email: \"a@b.example\" }}\n \
             given salesforce.User {{ Id: \"005A\", Email: \"rep@sales.example\" }}\n \
             given salesforce.Lead {{ Email: \"a@b.example\", OwnerId: \"{owner}\" }}\n expect {expect}\n}}\n"
        )
    };
    let tests = test("mine", "005A", "update salesforce.Lead { }") + &test("another's", "005B", "skip");
    for outcome in outcomes(mapping, &tests) {
        assert!(outcome.passed(), "{}", report(&outcome));
    }
}

#[test]
fn hand_overs_can_be_expected_with_and_without_their_end() {
    let contact = "given salesforce.Contact { Id: \"003A\", Email: \"jane@acme.example\" }";
    passes(&format!("{CONTACT}\n {contact}\n expect then known"));
    passes(&format!(
        "{CONTACT}\n {contact}\n expect then known\n expect update salesforce.Contact {{ Id: \"003A\", HubSpot_Contact_ID__c: \"5501\" }}"
    ));
    let lead = "given salesforce.Lead { HubSpot_Contact_ID__c: \"5501\", IsConverted: true }";
    passes(&format!("{CONTACT}\n {lead}\n expect then known\n expect skip"));
    let (field, expected, found) = differs_once(&format!("{CONTACT}\n expect then known"));
    assert_eq!(
        (field.as_str(), expected.as_str(), found.as_str()),
        ("", "`known` takes over", "`lead` created a new salesforce.Lead")
    );
    let outcome =
        one(&format!("{CONTACT}\n {contact}\n expect create salesforce.Lead {{ LastName: \"Doe\" }}"));
    assert_eq!(outcome.differences.len(), 1, "fields of another record are not compared: {outcome:?}");
    assert!(report(&outcome).contains("on the way: `lead`: a Contact matches"), "{}", report(&outcome));
}

#[test]
fn skips_and_parks_are_told_apart() {
    let lead = "given hubspot.contact { email: \"a@b.example\", lifecyclestage: \"lead\" }";
    passes(&format!("{lead}\n expect skip"));
    let (_, expected, found) = differs_once(&format!("{lead}\n expect park"));
    assert_eq!(expected, "the record is parked");
    assert_eq!(found, "`lead` skips the record: `only if lifecyclestage != \"lead\"` does not hold");
    let spam = "given hubspot.contact { email: \"a@b.example\", nickname: \"spam\" }";
    passes(&format!("{spam}\n expect park"));
    passes(&format!("{spam}\n expect park \"looks like spam\""));
    let (_, expected, found) = differs_once(&format!("{spam}\n expect park \"looks\""));
    assert_eq!(expected, "the record is parked: looks");
    assert_eq!(found, "`lead` parks the record: looks like spam");
    assert_eq!(differs_once(&format!("{spam}\n expect skip")).1, "the record is skipped");
}

#[test]
fn a_failed_rule_parks_with_the_authors_words() {
    let long = "a".repeat(90);
    passes(&format!(
        "given hubspot.contact {{ email: \"{long}@b.example\" }}\n expect park \"no short address\""
    ));
    let outcome = one(&format!(
        "given hubspot.contact {{ email: \"{long}@b.example\" }}\n expect create salesforce.Lead {{ }}"
    ));
    let difference = &outcome.differences[0];
    assert!(
        difference.found.starts_with("`lead` parks the record for `Email`: no short address: "),
        "{outcome:?}"
    );
    assert!(difference.rule.is_some());
}

#[test]
fn several_records_park_in_the_order_in_which_they_are_given() {
    let leads = "given salesforce.Lead { Email: \"jane@acme.example\" }\n given salesforce.Lead { Email: \"jane@acme.example\" }";
    passes(&format!("{CONTACT}\n {leads}\n expect park \"several\""));
    let outcome = one(&format!("{CONTACT}\n {leads}\n expect skip"));
    assert!(outcome.differences[0].why.as_deref().is_some_and(|why| why.ends_with("Lead-1, Lead-2")));
    let newest = Lead {
        outcomes: "on none skip\n on many newest\n on taken park\n on converted park\n on rejected park",
        rungs: "key HubSpot_Contact_ID__c = id\n or Email = email",
        ..LEAD
    };
    let test = "test \"t\" { mapping lead\n given salesforce.Lead { Id: \"B\", Email: \"a@b.example\" }\n \
                given salesforce.Lead { Id: \"A\", Email: \"a@b.example\" }\n given hubspot.contact { email: \"a@b.example\" }\n \
                expect update salesforce.Lead { Id: \"A\" }\n}\n";
    let outcome = outcomes(newest, &test.replace("{ mapping", "{\n mapping")).remove(0);
    assert!(outcome.passed(), "{}", report(&outcome));
}

#[test]
fn a_run_that_waits_meets_no_end() {
    let (_, _, found) = differs_once("given hubspot.contact { lastname: \"Doe\" }\n expect skip");
    assert_eq!(found, "`lead` waits for a change of email: `only if mail is present` does not hold");
}

#[test]
fn outcomes_are_data() {
    let json = serde_json::to_value(one(&format!(
        "{CONTACT}\n expect create salesforce.Lead {{ LastName: \"Doe\" }}"
    )))
    .expect("serialisable");
    assert_eq!(json["differences"][0]["field"], "LastName");
    assert_eq!(json["differences"][0]["rule"]["file"], "m.map");
    assert_eq!(json["path"], serde_json::json!([]));
}

#[test]
fn what_triggers_a_mapping_is_judged_where_a_test_says_what_happened() {
    passes(&format!("{CONTACT}\n when created\n expect create salesforce.Lead {{ Status: \"New\" }}"));
    passes(&format!(
        "{CONTACT}\n when email changes\n when primary hubspot.company changes\n expect not triggered"
    ));
    // For a record that is paired, another company beside it is another value to write.
    passes(&format!(
        "{CONTACT}\n given salesforce.Lead {{ Id: \"A\", HubSpot_Contact_ID__c: \"5501\", LastName: \"Doe\" }}\n \
         given link hubspot.contact \"5501\" = salesforce.Lead \"A\"\n when primary hubspot.company changes\n \
         expect update salesforce.Lead {{ Email: \"jane@acme.example\" }}"
    ));
    let (_, expected, found) = differs_once(&format!("{CONTACT}\n when email changes\n expect skip"));
    assert_eq!(
        (expected.as_str(), found.as_str()),
        ("the record is skipped", "what happened does not trigger `lead`")
    );
    let (_, expected, _) = differs_once(&format!("{CONTACT}\n when created\n expect not triggered"));
    assert_eq!(expected, "`lead` is not triggered");
    let becomes = Lead { head: "when lifecyclestage becomes \"marketingqualifiedlead\"", ..LEAD };
    let test = |body: &str| {
        let outcome = outcomes(becomes, &format!("test \"t\" {{\n mapping lead\n {body}\n}}\n")).remove(0);
        assert!(outcome.passed(), "{}", report(&outcome));
    };
    let record = |stage: &str| format!("given hubspot.contact {{ lifecyclestage: \"{stage}\" }}");
    let created = "expect create salesforce.Lead {}";
    test(&format!("{}\n when lifecyclestage becomes \"marketingqualifiedlead\"\n {created}", record("lead")));
    test(&format!("{}\n when lifecyclestage becomes \"lead\"\n expect not triggered", record("lead")));
    test(&format!("{}\n when lifecyclestage changes\n {created}", record("marketingqualifiedlead")));
    test(&format!("{}\n when created\n {created}", record("marketingqualifiedlead")));
    test(&format!("{}\n when created\n expect not triggered", record("lead")));
}

#[test]
fn a_run_that_waits_or_changes_nothing_is_expected_as_that() {
    passes("given hubspot.contact { lastname: \"Doe\" }\n expect wait");
    let lead = "given salesforce.Lead { HubSpot_Contact_ID__c: \"5501\", Email: \"jane@acme.example\", LastName: \"Unknown\", Company: \"Acme\", Status: \"Working\" }";
    passes(&format!("{CONTACT}\n {lead}\n expect nothing"));
    let changed = lead.replace("LastName: \"Unknown\"", "LastName: \"Doe\"");
    let (_, expected, found) = differs_once(&format!("{CONTACT}\n {changed}\n expect nothing"));
    assert_eq!(
        (expected.as_str(), found.as_str()),
        ("a record that is already as it should be", "`lead` updated a salesforce.Lead")
    );
    let (_, expected, _) = differs_once(&format!("{CONTACT}\n {lead}\n expect wait"));
    assert_eq!(expected, "the record waits");
}

#[test]
fn what_salesforce_refuses_is_given() {
    let rejects = |what: &str| format!("{CONTACT}\n given salesforce.Lead rejects {what}");
    passes(&format!("{}\n expect park \"Salesforce refused `Status`\"", rejects("Status \"no\"")));
    passes(&format!("{}\n expect park \"Salesforce refused the write\"", rejects("\"no\"")));
    passes(&format!("{}\n expect create salesforce.Lead {{ Phone: absent }}", rejects("Phone \"no\"")));
    let dropping = Lead {
        outcomes: "on none create\n on converted park\n on duplicate allow\n on rejected drop field",
        fields: "Title <- jobtitle | truncate(128)\n Phone <- phone | truncate(40)",
        ..LEAD
    };
    let record = "given hubspot.contact { id: \"1\", jobtitle: \"VP\", phone: \"12\" }";
    let ends = |given: &str, expect: &str| {
        let text = format!("test \"t\" {{\n mapping lead\n {record}\n {given}\n {expect}\n}}\n");
        let outcome = outcomes(dropping, &text).remove(0);
        assert!(outcome.passed(), "{}", report(&outcome));
    };
    ends(
        "given salesforce.Lead rejects Title \"no\"",
        "expect create salesforce.Lead { Title: absent, Phone: \"12\" }",
    );
    ends(
        "given salesforce.Lead { Phone: \"12\" }\n given salesforce.Lead warns of duplicates by Phone",
        "expect create salesforce.Lead { Phone: \"12\" }",
    );
    ends(
        "given salesforce.Lead { Phone: \"12\" }\n given salesforce.Lead blocks duplicates by Phone",
        "expect park",
    );
    ends(
        "given salesforce.Lead { Phone: \"13\" }\n given salesforce.Lead blocks duplicates by Phone",
        "expect create salesforce.Lead { Phone: \"12\" }",
    );
}

#[test]
fn associated_records_are_told_apart_by_their_labels() {
    let labelled = Lead {
        head: "with employer = primary hubspot.company\n with payer = \"Decision maker\" hubspot.company",
        fields: "Title <- employer.name | truncate(128)\n Description <- payer.name | truncate(100)",
        ..LEAD
    };
    let ends = |companies: &str, expect: &str| {
        let text = format!(
            "test \"t\" {{\n mapping lead\n given hubspot.contact {{ id: \"1\" }}\n {companies}\n expect create salesforce.Lead {{ {expect} }}\n}}\n"
        );
        let outcome = outcomes(labelled, &text).remove(0);
        assert!(outcome.passed(), "{}", report(&outcome));
    };
    ends(
        "given \"Decision maker\" hubspot.company { name: \"Payer\" }\n given primary hubspot.company { name: \"Acme\" }",
        "Title: \"Acme\", Description: \"Payer\"",
    );
    ends("given hubspot.company { name: \"Acme\" }", "Title: \"Acme\", Description: \"Acme\"");
    ends("given primary hubspot.company { name: \"Acme\" }", "Title: \"Acme\", Description: absent");
}

/// What a test of the full mapping leaves unexercised, by what did not take place.
fn missed(mapping: Lead, body: &str) -> Vec<String> {
    let text = format!("{}test \"t\" {{\n mapping lead\n {body}\n}}\n", mapping.text());
    left_out(&text).into_iter().map(|missed| missed.what).collect()
}

/// What the tests of a file leave unexercised.
fn left_out(text: &str) -> Vec<Missed> {
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let file = sources.add("m.map", text);
    let (tree, _) = syntax::parse(file, text);
    let checked = check(&[tree], &schemas, &sources).0.expect("a checked project");
    let plan = Arc::new(compile(&checked, &schemas, &sources));
    let trace = Arc::new(Trace::default());
    for test in &checked.tests {
        let outcome = run(&plan, test, &sources, Some(&trace));
        assert!(outcome.passed(), "{}", report(&outcome));
    }
    let coverage = coverage(&checked, &plan, &sources, &trace);
    assert_eq!(coverage.total - coverage.exercised, coverage.missed.len());
    let kinds: usize = coverage.kinds.values().map(|count| count.total).sum();
    assert_eq!(kinds, coverage.total);
    coverage.missed
}

/// One rule of the small mapping, on a Lead that is there and holds this.
fn missed_of(rule: &'static str, contact: &str, lead: &str) -> Vec<String> {
    let beside = if rule.contains("funnel") {
        "order funnel of salesforce.Lead.Status { \"New\" then \"Working\" then \"Qualified\" }\n"
    } else {
        ""
    };
    let body = format!(
        "given hubspot.contact {{ id: \"1\", {contact} }}\n given salesforce.Lead {{ HubSpot_Contact_ID__c: \"1\", LastName: \"Doe\", {lead} }}\n \
         expect update salesforce.Lead {{}}"
    );
    let mut missed = missed(Lead { fields: rule, beside, ..LEAD }, &body);
    missed.retain(|what| !what.starts_with("`on ") || what.contains("never"));
    missed
}

#[test]
fn a_policy_is_exercised_when_it_lets_write_and_when_it_keeps() {
    let written = |policy: &str, field: &str| format!("`{policy}` never lets `{field}` be written");
    let kept = |policy: &str, field: &str| format!("`{policy}` never keeps `{field}`");
    let title = "Title <- jobtitle | truncate(128) if target is blank";
    assert_eq!(missed_of(title, "jobtitle: \"VP\"", ""), [kept("if target is blank", "Title")]);
    assert_eq!(
        missed_of(title, "jobtitle: \"VP\"", "Title: \"CTO\""),
        ["`Title` gets no value".to_owned(), written("if target is blank", "Title")]
    );
    let consent = "HasOptedOutOfEmail <- opted_out once true stays true";
    assert_eq!(
        missed_of(consent, "opted_out: true", ""),
        [kept("once true stays true", "HasOptedOutOfEmail")]
    );
    let stage = "Status <- \"Working\" advance only along funnel";
    assert_eq!(missed_of(stage, "", "Status: \"New\""), [kept("advance only", "Status")]);
    assert_eq!(missed_of(stage, "", "Status: \"Qualified\""), [written("advance only", "Status")]);
    let clears = "Description <- jobtitle | truncate(100) on blank clear";
    assert_eq!(missed_of(clears, "", "Description: \"x\""), ["`Description` gets no value"]);
    assert_eq!(missed_of(clears, "jobtitle: \"VP\"", ""), ["`on blank clear` never clears `Description`"]);
    let fails = "Phone <- phone | e164 otherwise keep";
    assert_eq!(missed_of(fails, "phone: \"none\"", ""), ["`Phone` gets no value"]);
    assert_eq!(
        missed_of(fails, "phone: \"+1 415 555 0100\"", ""),
        ["`otherwise keep` of `Phone` is not reached"]
    );
    let choice = "Title <- if hubscore > 50 then \"hot\" else \"cold\"";
    assert_eq!(missed_of(choice, "hubscore: 51", ""), ["the condition of this `if` never fails to hold"]);
    assert_eq!(missed_of(choice, "hubscore: 5", ""), ["the condition of this `if` never holds"]);
}

#[test]
fn what_no_test_reaches_is_listed() {
    let all = missed(FULL, &format!("{CONTACT}\n expect create salesforce.Lead {{}}"));
    for what in [
        "`when created` does not fire",
        "`only if mail is present` refuses no record",
        "the key `HubSpot_Contact_ID__c` finds no record",
        "the rung finds no salesforce.Contact",
        "`on many park \"several\"` is not reached",
        "`on create` never keeps `OwnerId`",
        "`FirstName` gets no value",
        "`\"SEARCH\" -> \"Inbound\"` is not reached",
        "`otherwise -> \"Other\"` of `sources` is not reached: no other option",
    ] {
        assert!(all.iter().any(|missed| missed == what), "{what}: {all:#?}");
    }
    for what in ["`only if mail is present` lets no record through", "`on none create` is not reached"] {
        assert!(!all.iter().any(|missed| missed == what), "{what}: {all:#?}");
    }
}

/// An `otherwise` that is kept for options to come cannot be exercised, so it is not asked for.
#[test]
fn what_no_test_can_reach_is_not_listed() {
    let beside = |lines: &'static str| Lead { beside: lines, ..FULL };
    let all = beside(
        "mapping known {\n from hubspot.contact\n to salesforce.Contact\n match {\n key HubSpot_Contact_ID__c = id\n or Email = email\n }\n \
         on none skip\n on many park\n on taken park\n on rejected park\n fields { FirstName <- firstname | truncate(40) } }\n\
         picklist sources { from hubspot.contact.source\n to salesforce.Lead.LeadSource\n \
         \"SEARCH\" -> \"Inbound\"\n \"SOCIAL\" -> nothing\n \"OFFLINE\" -> \"Web\"\n otherwise -> \"Other\" }",
    );
    let listed = missed(all, &format!("{CONTACT}\n expect create salesforce.Lead {{}}"));
    assert!(listed.iter().any(|missed| missed == "`\"OFFLINE\" -> \"Web\"` is not reached"), "{listed:#?}");
    assert!(!listed.iter().any(|missed| missed.contains("of `sources`")), "{listed:#?}");
}

/// A sync with every form of trigger; the tests fire these.
fn triggers_left_out(fired: &[(&str, &str)]) -> Vec<Missed> {
    let records = [
        "given hubspot.company { id: \"7\", name: \"A\", salesforce_account_id: \"001\", phone: \"5\", type: \"OTHER\" }",
        "given salesforce.Account { Id: \"001\", Name: \"A\", Phone: \"5\" }",
    ];
    let tests = fired.iter().enumerate().map(|(at, (side, when))| {
        let [hubspot, salesforce] = records;
        let given = if *side == "hubspot" { [hubspot, salesforce] } else { [salesforce, hubspot] };
        format!("test \"{at}\" {{\n sync s\n {when}\n {}\n expect nothing\n}}\n", given.join("\n "))
    });
    let text = format!(
        "sync s {{\n between hubspot.company and salesforce.Account\n when hubspot.phone changes\n \
         when salesforce.Phone changes\n when any of (hubspot.name, hubspot.domain, salesforce.Name) changes\n \
         when hubspot.type becomes [\"PARTNER\", \"OTHER\"]\n when created\n \
         match {{ key hubspot.company.salesforce_account_id = Id }}\n on none skip\n on rejected park\n \
         fields {{ phone <-> Phone via truncate(40) | trim on conflict hubspot }}\n}}\n{}",
        tests.collect::<String>()
    );
    let mut missed = left_out(&text);
    missed.retain(|missed| missed.kind == Kind::Trigger);
    missed
}

#[test]
fn a_trigger_of_a_sync_fires_on_its_own_side() {
    let missed = triggers_left_out(&[
        ("salesforce", "when Phone changes"),
        ("hubspot", "when name changes"),
        ("salesforce", "when created"),
    ]);
    let what: Vec<_> = missed.iter().map(|missed| missed.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "`when hubspot.phone changes` does not fire for a hubspot.company",
            "`when any of (hubspot.name, hubspot.domain, salesforce.Name) changes` does not fire for a salesforce.Account",
            "`when hubspot.type becomes [\"PARTNER\", \"OTHER\"]` does not fire for a hubspot.company",
            "`when created` does not fire for a hubspot.company",
        ]
    );
}

#[test]
fn what_is_to_be_given_for_a_trigger_of_a_sync_fires_it() {
    let missed = triggers_left_out(&[]);
    assert_eq!(missed.len(), 7, "{missed:#?}");
    let advice = missed.iter().map(|missed| {
        let (when, rest) = missed.add[1..].split_once('`').expect("a statement");
        let side = if rest.contains("that gives a hubspot.company first") { "hubspot" } else { "salesforce" };
        (side, when)
    });
    let advice: Vec<_> = advice.collect();
    assert!(advice.contains(&("hubspot", "when any of (name, domain) changes")), "{advice:?}");
    assert_eq!(triggers_left_out(&advice), [], "{advice:?}");
}

/// Runs the tests of a project of Opportunities with roles and Accounts.
fn deals(tests: &str) -> Vec<Outcome> {
    let text = format!(
        "mapping opportunity {{\n from salesforce.Opportunity\n to hubspot.deal\n \
         with each role = salesforce.OpportunityContactRole where OpportunityId = Id\n when created\n \
         match {{ key salesforce_opportunity_id = Id }}\n on none create\n on rejected park\n \
         associate primary linked hubspot.company of AccountId otherwise wait\n \
         associate \"Buyer\" linked hubspot.contact of role.ContactId otherwise skip\n fields {{ dealname <- Name }}\n}}\n\
         mapping account {{\n from salesforce.Account\n to hubspot.company\n when created\n match {{ name = Name }}\n \
         on none create\n on many park\n on rejected park\n fields {{ name <- Name }}\n}}\n\
         mapping contact {{\n from hubspot.contact\n to salesforce.Opportunity\n with employer = primary hubspot.company\n \
         when created\n match {{ key HubSpot_Deal_ID__c = id }}\n on none create\n on duplicate park\n on rejected park\n \
         record type \"Existing Business\"\n fields {{\n Name <- first_present(company, \"Deal\") | truncate(120)\n \
         AccountId <- linked salesforce.Account of employer otherwise wait\n }}\n}}\n{tests}"
    );
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let file = sources.add("m.map", text.clone());
    let (tree, mut findings) = syntax::parse(file, &text);
    let (checked, more) = check(&[tree], &schemas, &sources);
    findings.extend(more.into_iter().filter(crate::diagnostic::Diagnostic::is_error));
    assert!(findings.is_empty(), "{findings:#?}\n{text}");
    let checked = checked.expect("a checked project");
    let plan: Arc<Plan> = Arc::new(compile(&checked, &schemas, &sources));
    checked.tests.iter().map(|test| run(&plan, test, &sources, None)).collect()
}

const GIVEN: &str = "mapping opportunity\n given salesforce.Opportunity { Id: \"006\", Name: \"Big\", AccountId: \"001\" }\n \
                     given salesforce.OpportunityContactRole { OpportunityId: \"006\", ContactId: \"003\" }\n \
                     given link salesforce.Account \"001\" = hubspot.company \"77\"\n";

#[test]
fn associations_are_expected_beside_the_end() {
    let tests = format!(
        "test \"a\" {{\n {GIVEN} given link hubspot.contact \"88\" = salesforce.Contact \"003\"\n \
         expect create hubspot.deal {{ dealname: \"Big\" }}\n expect associated primary hubspot.company \"77\"\n \
         expect associated hubspot.company \"77\"\n expect associated \"Buyer\" hubspot.contact \"88\"\n}}\n"
    );
    let outcome = deals(&tests).remove(0);
    assert!(outcome.passed(), "{}", report(&outcome));
}

#[test]
fn an_association_that_is_not_made_is_a_difference_with_its_line() {
    let tests = format!(
        "test \"a\" {{\n {GIVEN} expect associated \"Buyer\" hubspot.company \"77\"\n \
         expect associated hubspot.company \"78\"\n expect associated hubspot.contact \"88\"\n}}\n"
    );
    let outcome = deals(&tests).remove(0);
    let told: Vec<_> = outcome
        .differences
        .iter()
        .map(|one| (one.expected.as_str(), one.found.as_str(), one.why.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            ("an association with \"Buyer\" hubspot.company 77", "none with a \"Buyer\" hubspot.company", ""),
            ("an association with hubspot.company 78", "one with hubspot.company 77", ""),
            (
                "an association with hubspot.contact 88",
                "none with a hubspot.contact",
                "the hubspot.contact of salesforce.Contact 003 is not there: `given link` pairs two records"
            ),
        ]
    );
    assert!(outcome.differences[2].rule.is_some());
}

#[test]
fn a_linked_value_and_a_record_type_are_expected_like_any_field() {
    let given = "mapping contact\n given hubspot.contact { id: \"5\", company: \"Acme\" }\n given hubspot.company { id: \"9\" }\n";
    let tests = format!(
        "test \"a\" {{\n {given} given link hubspot.company \"9\" = salesforce.Account \"001\"\n \
         expect create salesforce.Opportunity {{ AccountId: \"001\", RecordTypeId: \"Existing_Business\" }}\n}}\n\
         test \"b\" {{\n {given} expect create salesforce.Opportunity {{ Name: \"Acme\" }}\n}}\n"
    );
    let outcomes = deals(&tests);
    assert!(outcomes[0].passed(), "{}", report(&outcomes[0]));
    let found = &outcomes[1].differences[0].found;
    assert!(
        found.contains("waits for") && found.contains("the salesforce.Account of hubspot.company 9"),
        "{found}"
    );
}
