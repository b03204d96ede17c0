//! What the benchmarks share: made-up contacts and projects, and the way from files to a plan.

pub(crate) mod contacts;
pub(crate) mod project;

use mapwright::check::{Checked, Project, check};
use mapwright::plan::{Mapping, Plan, compile};
use mapwright::schema::{Schemas, load};
use mapwright::source::Sources;
use mapwright::syntax::{self, ast};
use mapwright::types::Raw;
use serde_json::Value as Json;

/// A project that was read and parsed.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// All files.
    pub(crate) sources: Sources,
    /// Both snapshots.
    pub(crate) schemas: Schemas,
    /// The trees of the `.map` files.
    pub(crate) trees: Vec<ast::File>,
}

impl Parsed {
    /// Reads and parses files, by name.
    pub(crate) fn new(files: &[(String, String)]) -> Self {
        let mut sources = Sources::new();
        let (mut hubspot, mut salesforce, mut trees) = (None, None, Vec::new());
        for (name, text) in files {
            match name.as_str() {
                "schema/hubspot.yaml" => hubspot = load(&mut sources, name, text).0,
                "schema/salesforce.yaml" => salesforce = load(&mut sources, name, text).0,
                "mapwright.yaml" => {}
                _ => {
                    let file = sources.add(name.clone(), text.clone());
                    trees.push(syntax::parse(file, text).0);
                }
            }
        }
        let schemas = Schemas {
            hubspot: hubspot.expect("the snapshot can be read"),
            salesforce: salesforce.expect("the snapshot can be read"),
        };
        Self { sources, schemas, trees }
    }

    /// Checks it; it has no errors.
    pub(crate) fn check(&self) -> Checked<Project> {
        let (checked, findings) = check(&self.trees, &self.schemas, &self.sources);
        checked.unwrap_or_else(|| panic!("{findings:#?}"))
    }

    /// Checks and compiles it.
    pub(crate) fn plan(&self) -> Plan {
        compile(&self.check(), &self.schemas, &self.sources)
    }
}

/// The records of some lines.
pub(crate) fn records(lines: &[u8]) -> Vec<Json> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

/// What the interpreter is given when the record was read before.
pub(crate) fn slots<'r>(mapping: &Mapping, record: &'r Json) -> Vec<Raw<'r>> {
    let field = |name: &str| if name == "id" { record.get("id") } else { record["properties"].get(name) };
    mapping.slots.iter().map(|slot| Raw::from(field(&slot.field))).collect()
}
