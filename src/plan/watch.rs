//! Which objects must be watched where nobody tells of their changes, and which of their fields.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::ObjectName;
use crate::syntax::ast::CompareOp;

use super::expression::Expr;
use super::program::{Each, GuardElse, Mapping, Plan, Situation, TestOp, Trigger};

/// The record's id where a mapping names it as a field; it never changes.
const ID: &str = "id";

/// An object whose changes start something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The object.
    pub object: ObjectName,
    /// The fields whose changes start a mapping, or end its waiting.
    pub fields: BTreeSet<String>,
    /// The values that triggers wait for, by field.
    pub becomes: BTreeMap<String, BTreeSet<String>>,
    /// Whether only the ends of its records start anything.
    pub ends_only: bool,
    /// The mappings and syncs that it starts, by name.
    pub mappings: BTreeSet<String>,
    /// Whether a change of one of its records starts something for that record.
    pub starts: bool,
    /// The records to which its records belong, for which a change starts something too.
    pub parents: BTreeSet<Parent>,
}

/// Where the rows of a `with each` hold the record that they belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parent {
    /// The object of the record.
    pub object: ObjectName,
    /// The row's field that holds its id.
    pub field: String,
}

impl Plan {
    /// The objects whose changes start a mapping or a sync: their sources, the targets whose end they deal with, and the
    /// rows that they read with a source record.
    pub fn watched(&self) -> Vec<Watched> {
        let mut all: BTreeMap<ObjectName, Watched> = BTreeMap::new();
        let mut watch = |object: &ObjectName, mapping: &Mapping, ends_only: bool| {
            let watched = all.entry(object.clone()).or_insert_with(|| Watched::of(object));
            watched.starts = true;
            watched.ends_only &= ends_only;
            watched.mappings.insert(mapping.name.clone());
            if !ends_only {
                watched.triggers(mapping);
            }
        };
        for mapping in &self.mappings {
            let deals_with = |situation| mapping.outcomes.contains_key(&situation);
            let source_ends = deals_with(Situation::SourceDeleted) || deals_with(Situation::SourceMerged);
            let target_ends = deals_with(Situation::TargetDeleted) || deals_with(Situation::TargetMerged);
            if source_ends || !mapping.triggers.is_empty() {
                watch(&mapping.source, mapping, mapping.triggers.is_empty());
            }
            if target_ends {
                watch(&mapping.target, mapping, true);
            }
        }
        for mapping in &self.mappings {
            if let Some(watched) = all.get_mut(&mapping.source) {
                watched.awaited(mapping);
            }
        }
        for mapping in self.mappings.iter().filter(|mapping| !mapping.triggers.is_empty()) {
            for each in mapping.eaches.iter().filter(|each| each.object.side == mapping.source.side) {
                let Some(field) = mapping.belongs_by(each) else { continue };
                let watched = all.entry(each.object.clone()).or_insert_with(|| Watched::of(&each.object));
                watched.ends_only = false;
                watched.mappings.insert(mapping.name.clone());
                let tested = each.tests.iter().map(|test| &test.field).chain(&each.reads);
                watched.fields.extend(tested.filter(|field| *field != ID).cloned());
                watched.parents.insert(Parent { object: mapping.source.clone(), field });
            }
        }
        all.into_values().collect()
    }
}

impl Mapping {
    /// The field by which rows belong to the source record: the one that is compared with its id.
    fn belongs_by(&self, each: &Each) -> Option<String> {
        let is_own_id = |value: &Expr| match value {
            Expr::Slot(slot) => {
                let slot = &self.slots[*slot];
                slot.of.is_none() && slot.field.eq_ignore_ascii_case(ID)
            }
            _ => false,
        };
        let by = each.tests.iter().find(|test| match &test.op {
            TestOp::Compare(CompareOp::Eq, value) => is_own_id(value) && !test.field.contains('.'),
            _ => false,
        });
        by.map(|test| test.field.clone())
    }
}

impl Watched {
    fn of(object: &ObjectName) -> Self {
        Self {
            object: object.clone(),
            fields: BTreeSet::new(),
            becomes: BTreeMap::new(),
            ends_only: true,
            mappings: BTreeSet::new(),
            starts: false,
            parents: BTreeSet::new(),
        }
    }

    fn triggers(&mut self, mapping: &Mapping) {
        for trigger in &mapping.triggers {
            match trigger {
                Trigger::Changes(fields) => {
                    self.fields.extend(fields.iter().filter(|field| *field != ID).cloned());
                }
                Trigger::Becomes(field, values) => {
                    self.fields.insert(field.clone());
                    self.becomes.entry(field.clone()).or_default().extend(values.iter().cloned());
                }
                Trigger::Created | Trigger::AssociatedChanges(..) => {}
            }
        }
    }

    /// A mapping that waits runs again when one of these changes, also one that was handed the record.
    fn awaited(&mut self, mapping: &Mapping) {
        for guard in mapping.guards.iter().filter(|guard| matches!(guard.otherwise, GuardElse::Wait)) {
            self.fields.extend(guard.fields.iter().filter(|field| *field != ID).cloned());
            self.ends_only &= guard.fields.is_empty();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::testing::{LEAD, Lead};
    use crate::source::Side;

    use super::*;

    fn watched(lead: Lead) -> Vec<(String, Vec<String>, bool)> {
        let plain = |watched: Watched| {
            (watched.object.to_string(), watched.fields.into_iter().collect(), watched.ends_only)
        };
        lead.plan().watched().into_iter().map(plain).collect()
    }

    fn contact(fields: &[&str], ends_only: bool) -> (String, Vec<String>, bool) {
        let object = ObjectName::new(Side::Hubspot, "contact");
        (object.to_string(), fields.iter().map(|field| (*field).to_owned()).collect(), ends_only)
    }

    #[test]
    fn the_source_with_the_fields_of_its_triggers() {
        let head = "when any of (email, phone) changes\n when lifecyclestage becomes \"customer\"";
        assert_eq!(watched(Lead { head, ..LEAD }), [contact(&["email", "lifecyclestage", "phone"], false)]);
        let plan = Lead { head, ..LEAD }.plan();
        let becomes = &plan.watched()[0].becomes["lifecyclestage"];
        assert_eq!(becomes.iter().collect::<Vec<_>>(), ["customer"]);
        assert_eq!(watched(Lead { head: "when created", ..LEAD }), [contact(&[], false)]);
    }

    #[test]
    fn what_starts_nothing_is_not_watched() {
        assert!(watched(Lead { head: "", ..LEAD }).is_empty());
    }

    #[test]
    fn the_target_for_its_end_alone() {
        let outcomes = "on none create\n on converted park\n on duplicate park\n on rejected park\n on target deleted park";
        let found = watched(Lead { head: "when email changes", outcomes, ..LEAD });
        let lead = (ObjectName::new(Side::Salesforce, "Lead").to_string(), Vec::new(), true);
        assert_eq!(found, [contact(&["email"], false), lead]);
    }

    #[test]
    fn what_a_guard_waits_for() {
        let head = "when created\n only if email is present otherwise wait";
        assert_eq!(watched(Lead { head, ..LEAD }), [contact(&["email"], false)]);
    }
}
