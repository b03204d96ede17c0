//! The live schema beside the snapshot: what is different, as findings at the place in the snapshot.
//!
//! A finding says what a CRM takes or holds now. Which lines of the mappings break by it is the checker's to say, on the
//! live schema; here a finding only adds the picklists that could translate a new option.

#[cfg(test)]
mod tests;

use indexmap::IndexMap;

use crate::check::typed::Picklist;
use crate::check::{Checked, Project};
use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Schema, Weight, What, compare};
use crate::source::{Side, Span};

/// What is different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// What a mapping could depend on, in the order of the snapshot.
    pub findings: Vec<Diagnostic>,
    /// How many labels and orders of options differ, on which nothing in a mapping depends.
    pub cosmetic: usize,
    /// How many owners joined, left or changed. The lines that name one are the checker's to find.
    pub owners: usize,
}

/// Compares a snapshot with what its CRM says now. The places are those of the snapshot; `project` is what was checked
/// against it, where that is without an error.
pub fn drift(old: &Schema, now: &Schema, project: Option<&Checked<Project>>) -> Drift {
    let mut drift = Drift::default();
    let mut options: IndexMap<(String, String), (Option<Span>, Vec<String>)> = IndexMap::new();
    for change in compare(old, now) {
        // People come and go; what it means to a mapping that names one, the checker says.
        if matches!(change.what, What::Owners(_)) {
            drift.owners += 1;
            continue;
        }
        let weight = change.what.weight();
        if weight == Weight::Cosmetic {
            drift.cosmetic += 1;
            continue;
        }
        if let (What::OptionAdded(option), Some(field)) = (&change.what, &change.field) {
            let known = options.entry((change.object.clone(), field.clone())).or_default();
            known.0 = change.at;
            known.1.push(option.clone());
            continue;
        }
        let name = named(old, &change.object, change.field.as_deref());
        let at = change.at.unwrap_or_else(|| Span::new(old.file, 0, 0));
        let mut finding = finding(weight, at, format!("`{name}` {}", change.what));
        if weight == Weight::Removed {
            finding.help = Some(removed(&change.what, old.side, change.field.is_some()));
        }
        drift.findings.push(finding);
    }
    let picklists: Vec<&Picklist> =
        project.into_iter().flat_map(|project| project.picklists.values()).collect();
    for ((object, field), (at, options)) in options {
        let name = named(old, &object, Some(&field));
        let at = at.unwrap_or_else(|| Span::new(old.file, 0, 0));
        let words = options_in_words(&options.iter().map(String::as_str).collect::<Vec<_>>());
        let finding = finding(Weight::Added, at, format!("`{name}` {words}"));
        drift.findings.push(with_picklists(finding, &picklists, old, (&object, &field), &options));
    }
    drift.findings.sort_by_key(|finding| (finding.span().start, finding.code));
    drift
}

/// `has new options `a`, `b` and 7 more`
pub fn options_in_words(options: &[&str]) -> String {
    /// More are counted: a list of languages or countries is no line.
    const NAMED: usize = 4;
    let named: Vec<String> = options.iter().take(NAMED).map(|option| format!("`{option}`")).collect();
    let more = options.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let word = if options.len() == 1 { "a new option" } else { "new options" };
    format!("has {word} {}{more}", named.join(", "))
}

/// `salesforce.Lead.Status`
fn named(schema: &Schema, object: &str, field: Option<&str>) -> String {
    let field = field.map(|field| format!(".{field}")).unwrap_or_default();
    format!("{}.{object}{field}", schema.side.word())
}

/// What to do where something is not there any more: make it again, or let it be seen, or do without it.
fn removed(what: &What, side: Side, is_field: bool) -> String {
    let (label, kind) = (side.label(), if is_field { "field" } else { "object" });
    let again = match (what, side) {
        (What::Labels(_), _) => "define the label in HubSpot".to_owned(),
        (What::OptionRemoved(_), _) => format!("put the option back in {label}"),
        (What::RecordTypeRemoved(_), _) => {
            "give the integration's user the record type, or make it again in Salesforce".to_owned()
        }
        (_, Side::Salesforce) => format!("give the integration's user access to the {kind}"),
        (_, Side::Hubspot) if is_field => "make the property again in HubSpot".to_owned(),
        (_, Side::Hubspot) => "grant the app the object's `crm.schemas.….read` scope".to_owned(),
    };
    let it = match what {
        What::OptionRemoved(_) => "the option",
        _ => "it",
    };
    format!("{again}, or take {it} out of the mappings; then `mapwright schema pull`")
}

fn finding(weight: Weight, at: Span, message: String) -> Diagnostic {
    match weight {
        Weight::Removed => Diagnostic::error(Code::DRIFT_REMOVED, at, message).label("the snapshot has it"),
        Weight::Narrowed => Diagnostic::error(Code::DRIFT_NARROWED, at, message)
            .label("the snapshot says otherwise")
            .help("mend the mapping lines that are reported beside this, then `mapwright schema pull`"),
        Weight::Added => Diagnostic::warning(Code::DRIFT_ADDED, at, message)
            .label("not in the snapshot")
            .help("`mapwright schema pull` takes it into the snapshot, so that mappings can use it"),
        Weight::Other | Weight::Cosmetic => Diagnostic::warning(Code::DRIFT_CHANGED, at, message)
            .label("the snapshot says otherwise")
            .help("`mapwright schema pull` brings the snapshot up to date"),
    }
}

/// Names the picklists that lack a line for new options, and those that could lead to them.
fn with_picklists(
    mut finding: Diagnostic,
    picklists: &[&Picklist],
    schema: &Schema,
    (object, field): (&str, &str),
    options: &[String],
) -> Diagnostic {
    let is = |(of, name): &(crate::source::ObjectName, String)| {
        of.side == schema.side && of.name == object && name == field
    };
    for picklist in picklists {
        let lacks = |option: &&String| !picklist.lines.iter().any(|line| line.from == **option);
        if is(&picklist.from)
            && let Some(option) = options.iter().find(lacks)
        {
            finding = finding.and(picklist.span, "has no line for it");
            finding.help = Some(format!(
                "write `\"{option}\" -> \"…\"` into the picklist; `mapwright schema pull` takes the option into the snapshot"
            ));
        } else if is(&picklist.to) {
            finding = finding.and(picklist.span, "could lead to it");
        }
    }
    finding
}
