//! What the checker hands on. What it reports is in `tests/suite`.

use crate::schema::{Schema, Schemas, load};
use crate::source::{ObjectName, Side, Sources};
use crate::syntax;
use crate::types::{AssociationKind, Options, Type, Value};

use super::typed::{
    Action, ExprKind, Mapping, RecordUse, RuleElse, Situation, TestOp, Trigger, WhenWritten, WithKind,
};
use super::{Checked, Project, check};
use crate::diagnostic::Diagnostic;

const MAPPING: &str = r#"
mapping mql_to_lead {
  from hubspot.contact
  to   salesforce.Lead
  with employer = primary hubspot.company
  let  mail = email | trim | lowercase
  when lifecyclestage becomes "marketingqualifiedlead"
  when seats becomes 5
  when primary hubspot.company changes
  only if mail is present otherwise wait
  match {
    key HubSpot_Contact_ID__c = id
    or  Email = mail where IsConverted = false
    or  salesforce.Contact where Email = mail then contact_from_mql
  }
  on none       create
  on many       park "several"
  on taken      park
  on converted  then contact_from_mql
  on duplicate  adopt
  on rejected   park
  fields {
    use person
    Company     <- first_present(employer.name, "Unknown")
    Email       <- mail | fits(80)           otherwise park "too long"
    Phone       <- phone | e164              otherwise "unknown"
    LeadSource  <- source | sources
    Status      <- "New"                     advance only along funnel
    Description <- owner.firstName | truncate(100)  on create
    HasOptedOutOfEmail <- opted_out          once true stays true
  }
}
"#;

const OTHERS: &str = r#"
mapping contact_from_mql {
  from hubspot.contact
  to   salesforce.Contact
  match { key HubSpot_Contact_ID__c = id }
  on none      skip
  on taken     park
  on rejected  park
  fields { use person }
}
fields person from hubspot.contact {
  LastName <- first_present(lastname, "Unknown")
}
picklist sources {
  from hubspot.contact.source
  to   salesforce.Lead.LeadSource
  "SEARCH"  -> "Inbound"
  "OFFLINE" -> nothing
  otherwise -> "Other"
}
order funnel of salesforce.Lead.Status {
  "New" then "Working"
}
"#;

fn schemas(sources: &mut Sources) -> Schemas {
    let mut read = |name: &str, text: &str| -> Schema {
        let (schema, findings) = load(sources, name, text);
        assert!(findings.is_empty(), "{findings:?}");
        schema.expect("the schema names its CRM")
    };
    Schemas {
        hubspot: read("hubspot.yaml", include_str!("../../tests/suite/schema/hubspot.yaml")),
        salesforce: read("salesforce.yaml", include_str!("../../tests/suite/schema/salesforce.yaml")),
    }
}

fn run(files: &[(&str, &str)]) -> (Option<Checked<Project>>, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let trees: Vec<_> = files
        .iter()
        .map(|(name, text)| {
            let file = sources.add(*name, *text);
            let (tree, findings) = syntax::parse(file, text);
            assert!(findings.is_empty(), "{findings:?}");
            tree
        })
        .collect();
    let (project, findings) = check(&trees, &schemas, &sources);
    (project, findings, sources)
}

fn checked() -> Checked<Project> {
    let (project, findings, _) = run(&[("a.map", MAPPING), ("b.map", OTHERS)]);
    assert!(findings.is_empty(), "{findings:?}");
    project.expect("no finding is an error")
}

fn rule<'m>(mapping: &'m Mapping, target: &str) -> &'m super::typed::Rule {
    mapping.rules.iter().find(|rule| rule.target == target).expect("the rule is there")
}

#[test]
fn names_are_resolved() {
    let project = checked();
    assert_eq!(project.mappings.keys().collect::<Vec<_>>(), ["mql_to_lead", "contact_from_mql"]);
    let mapping = &project.mappings["mql_to_lead"];
    assert_eq!(mapping.source, ObjectName::new(Side::Hubspot, "contact"));
    assert_eq!(mapping.target, ObjectName::new(Side::Salesforce, "Lead"));
    let ExprKind::Call { args, .. } = &rule(mapping, "Company").value.kind else { panic!("a call") };
    let ExprKind::Field(field) = &args[0].kind else { panic!("a field") };
    assert_eq!((field.of, field.field.as_str()), (RecordUse::With(0), "name"));
    let ExprKind::Call { args, .. } = &rule(mapping, "Email").value.kind else { panic!("a call") };
    assert!(matches!(args[0].kind, ExprKind::Let(0)));
    assert!(!args[0].typed.blank, "the guard says that it is present");
}

#[test]
fn the_owner_is_an_implicit_with() {
    let project = checked();
    let withs = &project.mappings["mql_to_lead"].withs;
    assert_eq!(withs.len(), 2);
    assert_eq!(withs[0].kind, WithKind::Association(AssociationKind::Primary));
    assert_eq!(withs[1].name, "owner");
    assert_eq!(withs[1].object, ObjectName::new(Side::Hubspot, "owner"));
    assert_eq!(withs[1].kind, WithKind::Reference { field: "hubspot_owner_id".to_owned() });
}

#[test]
fn triggers_hold_values_as_the_source_stores_them() {
    let project = checked();
    let triggers = &project.mappings["mql_to_lead"].triggers;
    assert!(
        matches!(&triggers[0], Trigger::Becomes(field, values) if field == "lifecyclestage" && values == &["marketingqualifiedlead"])
    );
    assert!(matches!(&triggers[1], Trigger::Becomes(field, values) if field == "seats" && values == &["5"]));
    assert!(
        matches!(&triggers[2], Trigger::AssociatedChanges(AssociationKind::Primary, object) if object.name == "company")
    );
}

#[test]
fn the_ladder_is_complete() {
    let project = checked();
    let mapping = &project.mappings["mql_to_lead"];
    let key = mapping.key.as_ref().expect("a key");
    assert_eq!(key.field, "HubSpot_Contact_ID__c");
    assert!(!key.value.typed.blank && !key.value.can_fail);
    assert_eq!(mapping.rungs.len(), 2);
    assert_eq!(mapping.rungs[0].tests.len(), 2);
    assert!(
        matches!(&mapping.rungs[0].tests[0].op, TestOp::Compare(_, value) if matches!(value.kind, ExprKind::Let(0)))
    );
    assert_eq!(mapping.rungs[1].then.as_deref(), Some("contact_from_mql"));
    assert_eq!(mapping.outcomes[&Situation::None].action, Action::Create);
    assert_eq!(mapping.outcomes[&Situation::Many].action, Action::Park(Some("several".to_owned())));
    assert_eq!(mapping.outcomes[&Situation::Converted].action, Action::Then("contact_from_mql".to_owned()));
}

#[test]
fn rules_carry_their_policies_and_shared_ones_are_spliced_in() {
    let project = checked();
    let mapping = &project.mappings["mql_to_lead"];
    assert_eq!(mapping.rules[0].target, "LastName");
    assert_eq!(mapping.rules[0].span, project.mappings["contact_from_mql"].rules[0].span);
    assert_eq!(rule(mapping, "Email").otherwise, Some(RuleElse::Park(Some("too long".to_owned()))));
    assert_eq!(rule(mapping, "Phone").otherwise, Some(RuleElse::Literal(Value::Text("unknown".to_owned()))));
    assert_eq!(rule(mapping, "Status").when, WhenWritten::AdvanceOnly(0));
    assert_eq!(rule(mapping, "Description").when, WhenWritten::OnCreate);
    assert_eq!(rule(mapping, "HasOptedOutOfEmail").when, WhenWritten::Sticky(true));
    assert_eq!(rule(mapping, "Phone").target_type.ty, Type::Phone(Some(40)));
}

#[test]
fn a_translation_gives_its_options() {
    let project = checked();
    let value = &rule(&project.mappings["mql_to_lead"], "LeadSource").value;
    assert!(matches!(value.kind, ExprKind::Translate { picklist: 0, back: false, .. }));
    assert!(!value.can_fail);
    let options = vec!["Inbound".to_owned(), "Other".to_owned()];
    assert_eq!(value.typed.ty, Type::Picklist(Options::These(options)));
    assert_eq!(project.picklists["sources"].lines[1].to, None);
    assert_eq!(project.orders["funnel"].stages, ["New", "Working"]);
}

#[test]
fn findings_are_in_source_order_and_keep_the_project_back() {
    let broken = MAPPING.replace("opted_out ", "opted_aut ").replace("Phone ", "Fone ");
    let (project, findings, sources) =
        run(&[("b.map", &broken), ("a.map", &OTHERS.replace("\"Inbound\"", "\"Inbond\""))]);
    assert!(project.is_none());
    let places: Vec<_> = findings.iter().map(|finding| sources.locate(finding.span()).to_string()).collect();
    assert_eq!(places, ["a.map:17", "b.map:26", "b.map:30"]);
}

#[test]
fn warnings_do_not_keep_the_project_back() {
    let others = format!("{OTHERS}\norder second of salesforce.Lead.Status {{ \"New\" then \"Working\" }}\n");
    let (project, findings, _) = run(&[("a.map", MAPPING), ("b.map", &others)]);
    assert!(project.is_some());
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[test]
fn fixes_make_the_finding_go_away() {
    let text = MAPPING
        .replace("opted_out          once true stays true", "opted_out")
        .replace("firstName | truncate(100)", "firstName")
        .replace("owner.firstName  on create", "nickname | default(jobtitle)")
        .replace("  on rejected   park\n", "")
        .replace("on many       park \"several\"\n", "");
    let text = text.replace("    Status ", "    Title  <- jobtitle\n    Status ");
    let (_, findings, _) = run(&[("a.map", &text), ("b.map", OTHERS)]);
    let mut fixes: Vec<_> = findings.iter().filter_map(|finding| finding.fix.clone()).collect();
    assert_eq!(fixes.len(), 4, "{findings:?}");
    fixes.sort_by_key(|fix| std::cmp::Reverse(fix.span.start));
    let mut corrected = text.clone();
    for fix in &fixes {
        corrected.replace_range(fix.span.range(), &fix.replacement);
    }
    let (project, findings, _) = run(&[("a.map", &corrected), ("b.map", OTHERS)]);
    assert!(findings.is_empty(), "{findings:?}\n{corrected}");
    assert!(project.is_some());
}
