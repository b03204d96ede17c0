//! What stands around an example that shows only what it is about, and the small schemas that examples are checked with.

use std::fs;
use std::path::{Path, PathBuf};

use mapwright::check::{check, suppress};
use mapwright::diagnostic::{Diagnostic, human};
use mapwright::schema::{Schema, Schemas, load};
use mapwright::source::Sources;
use mapwright::syntax;

/// What stands around an example that is not a whole file.
pub(crate) struct Frame {
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
}

/// Around nothing.
pub(crate) const WHOLE: Frame = Frame { before: "", after: "" };

/// Around field rules.
pub(crate) const FIELDS: Frame = Frame {
    before: r#"mapping frame {
  from hubspot.contact
  to   salesforce.Lead
  with employer = primary hubspot.company
  let  mail = email | trim | lowercase
  when primary hubspot.company changes
  only if mail is present and employer.name is present
  match { key HubSpot_Contact_ID__c = id }
  on none       create
  on converted  park
  on duplicate  park
  on rejected   park
  fields {
    LastName <- "Doe"
    Company  <- "Acme"
"#,
    after: "  }\n}\n",
};

/// Around the statements of a mapping.
pub(crate) const MAPPING: Frame = Frame {
    before: "mapping frame {\n  from hubspot.contact\n  to   salesforce.Lead\n",
    after: "  fields { Title <- nickname }\n}\n",
};

/// Checks a project of one file against the suite's schemas: its sources, and the findings in order.
pub(crate) fn check_file(text: String) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let schemas =
        Schemas { hubspot: schema(&mut sources, "hubspot"), salesforce: schema(&mut sources, "salesforce") };
    let file = sources.add("case.map", text);
    let (tree, mut findings) = syntax::parse(file, sources.file(file).text());
    let trees = [tree];
    findings.extend(check(&trees, &schemas, &sources).1);
    let (mut findings, _) = suppress(&trees, &sources, findings);
    findings.sort_by(|a, b| a.order(&sources).cmp(&b.order(&sources)));
    (sources, findings)
}

fn schema(sources: &mut Sources, name: &str) -> Schema {
    let path = suite().join("schema").join(format!("{name}.yaml"));
    let text = fs::read_to_string(path).expect("a schema of the suite is readable");
    let (schema, findings) = load(sources, &format!("schema/{name}.yaml"), &text);
    assert!(findings.is_empty(), "{}", human(sources, &findings, false, 100));
    schema.expect("a schema of the suite names its CRM")
}

/// The folder of the suite.
pub(crate) fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite")
}
