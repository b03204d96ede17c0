//! Which objects must be watched where nobody tells of their changes, and which of their fields.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::ObjectName;

use super::program::{GuardElse, Mapping, Plan, Situation, Trigger};

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
}

impl Plan {
    /// The objects whose changes start a mapping or a sync: their sources, and the targets whose end they deal with.
    pub fn watched(&self) -> Vec<Watched> {
        let mut all: BTreeMap<ObjectName, Watched> = BTreeMap::new();
        let mut watch = |object: &ObjectName, mapping: &Mapping, ends_only: bool| {
            let watched = all.entry(object.clone()).or_insert_with(|| Watched {
                object: object.clone(),
                fields: BTreeSet::new(),
                becomes: BTreeMap::new(),
                ends_only: true,
                mappings: BTreeSet::new(),
            });
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
        all.into_values().collect()
    }
}

impl Watched {
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
