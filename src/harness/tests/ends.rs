//! Deletions and merges of paired records, as tests say them.

use super::*;

const BASE: &str = "on none create\n on many park\n on taken park\n on converted park\n on duplicate park\n on rejected park\n ";
const RUNGS: &str = "key HubSpot_Contact_ID__c = id\n or Email = email";
const PAIR: &str = "given link hubspot.contact \"1\" = salesforce.Lead \"L1\"\n ";

/// Runs one test of a mapping with these outcomes more.
fn judged(outcomes: &str, body: &str) -> Outcome {
    judged_by(RUNGS, outcomes, body)
}

fn judged_by(rungs: &'static str, outcomes: &str, body: &str) -> Outcome {
    let base = if rungs.contains("key") { BASE.to_owned() } else { BASE.replace("on taken park\n ", "") };
    let outcomes: &'static str = Box::leak(format!("{base}{outcomes}").into_boxed_str());
    let mapping = Lead { rungs, outcomes, fields: "Email <- email | fits(80) otherwise park", ..LEAD };
    let mut found = super::outcomes(mapping, &format!("test \"t\" {{\n mapping lead\n {body}\n}}\n"));
    found.remove(0)
}

#[track_caller]
fn holds(outcomes: &str, body: &str) {
    let outcome = judged(outcomes, body);
    assert!(outcome.passed(), "{}", report(&outcome));
}

#[test]
fn a_deleted_source_record() {
    let gone =
        format!("{PAIR}given salesforce.Lead {{ Id: \"L1\" }}\n given hubspot.contact \"1\" deleted\n ");
    holds("on source deleted skip", &format!("{gone} expect skip"));
    holds("on source deleted park", &format!("{gone} expect park \"hubspot.contact 1 was deleted\""));
    holds("on source deleted park \"a person\"", &format!("{gone} expect park \"a person\""));
    holds("on source deleted unlink", &format!("{gone} expect unlink"));
    holds("on source deleted park", "given hubspot.contact \"1\" deleted\n expect skip");
    let both = format!("{PAIR}given hubspot.contact \"1\" deleted\n expect skip");
    holds("on source deleted park", &both);
}

#[test]
fn a_difference_says_what_happened() {
    let outcome = judged(
        "on source deleted unlink",
        &format!(
            "{PAIR}given salesforce.Lead {{ Id: \"L1\" }}\n given hubspot.contact \"1\" deleted\n expect follow"
        ),
    );
    let difference = &outcome.differences[0];
    assert_eq!(difference.expected, "the pair follows the merge");
    assert_eq!(
        difference.found,
        "`lead` writes nothing: hubspot.contact 1 was deleted; the pair with salesforce.Lead L1 is forgotten"
    );
    assert!(difference.rule.is_some());
}

#[test]
fn a_deleted_target_record() {
    let told = format!("{PAIR}given salesforce.Lead \"L1\" deleted\n ");
    holds("on target deleted skip", &format!("{told} expect skip"));
    holds("on target deleted park", &format!("{told} expect park \"salesforce.Lead L1 was deleted\""));
    holds("on target deleted unlink", &format!("{told} expect unlink"));
}

#[test]
fn a_target_record_that_a_run_finds_gone() {
    let found = format!("{PAIR}given hubspot.contact {{ id: \"1\", email: \"a@b.example\" }}\n ");
    holds("on target deleted skip", &format!("{found} expect skip"));
    holds("on target deleted park", &format!("{found} expect park \"salesforce.Lead L1 is gone\""));
    holds(
        "on target deleted unlink",
        &format!("{found} expect create salesforce.Lead {{ Email: \"a@b.example\" }}"),
    );
    holds("on source deleted skip", &format!("{found} expect create salesforce.Lead {{ }}"));
    let again = "given salesforce.Lead { Id: \"L2\", HubSpot_Contact_ID__c: \"1\" }\n expect update salesforce.Lead { Id: \"L2\" }";
    holds("on target deleted skip", &format!("{found}{again}"));
}

#[test]
fn a_merged_target_record() {
    let told = format!("{PAIR}given salesforce.Lead \"L1\" merged into \"L2\"\n ");
    holds("on target merged follow", &format!("{told} expect follow"));
    holds("on target merged park", &format!("{told} expect park \"salesforce.Lead L1 was merged into L2\""));
    let found = format!(
        "{told} given hubspot.contact {{ id: \"1\", email: \"a@b.example\" }}\n \
         given salesforce.Lead {{ Id: \"L2\", LastName: \"Roe\" }}\n "
    );
    let updated =
        "expect update salesforce.Lead { Id: \"L2\", Email: \"a@b.example\", HubSpot_Contact_ID__c: \"1\" }";
    holds("on target merged follow", &format!("{found}{updated}"));
    holds("on target merged park", &format!("{found} expect park"));
    let theirs = found.replace("LastName: \"Roe\"", "HubSpot_Contact_ID__c: \"9\"");
    holds("on target merged follow", &format!("{theirs} expect park"));
}

#[test]
fn a_merged_source_record() {
    let told = "given link hubspot.contact \"2\" = salesforce.Lead \"L2\"\n \
                given salesforce.Lead { Id: \"L2\", HubSpot_Contact_ID__c: \"2\" }\n \
                given hubspot.contact \"2\" merged into \"1\"\n ";
    holds("on source merged follow", &format!("{told} expect follow"));
    holds("on source merged park", &format!("{told} expect park \"hubspot.contact 2 was merged into 1\""));
    // The survivor takes over the record and stamps its key on it.
    let survivor = "given hubspot.contact { id: \"1\", email: \"a@b.example\" }\n \
                    expect update salesforce.Lead { Id: \"L2\", HubSpot_Contact_ID__c: \"1\", Email: \"a@b.example\" }";
    holds("on source merged follow", &format!("{told}{survivor}"));
    // Both have one: a person decides, unless one of them is gone.
    let both = format!("{told}{PAIR}");
    let said = "expect park \"hubspot.contact 2 was merged into 1, and both have a Lead: L2 and L1\"";
    holds("on source merged follow", &format!("{both} given salesforce.Lead {{ Id: \"L1\" }}\n {said}"));
    holds("on source merged follow", &format!("{both} expect follow"));
    let keyed = "given salesforce.Lead { Id: \"L1\", HubSpot_Contact_ID__c: \"1\" }\n \
                 given hubspot.contact { id: \"1\" }\n ";
    let said = "expect park \"another contact was merged into 1, and both have a Lead: L1 and L2\"";
    holds("on source merged follow", &format!("{told}{keyed}{said}"));
}

#[test]
fn without_a_key_the_pair_is_the_first_rung() {
    let body = format!(
        "{PAIR}given hubspot.contact {{ id: \"1\", email: \"new@b.example\" }}\n \
         given salesforce.Lead {{ Id: \"L1\", Email: \"old@b.example\" }}\n \
         expect update salesforce.Lead {{ Id: \"L1\", Email: \"new@b.example\" }}"
    );
    let outcome = judged_by("Email = email", "", &body);
    assert!(outcome.passed(), "{}", report(&outcome));
}

#[test]
fn a_test_without_source_record_and_without_end_is_incomplete() {
    let text = format!(
        "{}test \"t\" {{\n mapping lead\n given link hubspot.contact \"1\" = salesforce.Lead \"L1\"\n expect skip\n}}\n",
        LEAD.text()
    );
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let file = sources.add("m.map", text.clone());
    let (tree, _) = syntax::parse(file, &text);
    let (checked, findings) = check(&[tree], &schemas, &sources);
    assert!(checked.is_none());
    assert!(
        findings.iter().any(|finding| finding.message.contains("gives no `hubspot.contact`")),
        "{findings:?}"
    );
}
