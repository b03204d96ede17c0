//! Plans from the language itself, for tests.

use crate::check::{Checked, Project, check};
use crate::schema::{Schemas, load};
use crate::source::Sources;
use crate::syntax;

use super::{Plan, compile};

/// The schemas of the language's test suite.
pub(crate) fn schemas(sources: &mut Sources) -> Schemas {
    let mut read = |name: &str, text: &str| {
        let (schema, findings) = load(sources, name, text);
        assert!(findings.is_empty(), "{findings:?}");
        schema.expect("a schema")
    };
    Schemas {
        hubspot: read("schema/hubspot.yaml", include_str!("../../tests/suite/schema/hubspot.yaml")),
        salesforce: read("schema/salesforce.yaml", include_str!("../../tests/suite/schema/salesforce.yaml")),
    }
}

/// The plan of a project of one file that the checker accepts.
pub(crate) fn plan(text: &str) -> Plan {
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let file = sources.add("test.map", text.to_owned());
    let (tree, mut findings) = syntax::parse(file, text);
    let (checked, more): (Option<Checked<Project>>, _) = check(&[tree], &schemas, &sources);
    findings.extend(more);
    let errors: Vec<_> = findings.iter().filter(|finding| finding.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{text}");
    compile(&checked.expect("a checked project"), &schemas, &sources)
}

/// The plan of one mapping from contacts to Leads. The statements stand between `to` and `match`; a part that is not
/// given has its usual form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lead {
    pub(crate) head: &'static str,
    pub(crate) rungs: &'static str,
    pub(crate) outcomes: &'static str,
    pub(crate) fields: &'static str,
    pub(crate) beside: &'static str,
}

/// The usual form.
pub(crate) const LEAD: Lead = Lead {
    head: "",
    rungs: "key HubSpot_Contact_ID__c = id",
    outcomes: "on none create\n on converted park\n on duplicate park\n on rejected park",
    fields: "",
    beside: "",
};

impl Lead {
    /// The project's text.
    pub(crate) fn text(self) -> String {
        let Lead { head, rungs, outcomes, fields, beside } = self;
        format!(
            "mapping lead {{\n from hubspot.contact\n to salesforce.Lead\n {head}\n match {{\n {rungs}\n }}\n {outcomes}\n \
             fields {{\n LastName <- first_present(lastname | trim, \"Unknown\")\n Company <- \"Acme\"\n {fields}\n }}\n}}\n{beside}\n"
        )
    }

    /// Its plan.
    pub(crate) fn plan(self) -> Plan {
        plan(&self.text())
    }
}
