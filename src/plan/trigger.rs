//! Which mappings the pending events of a record start.

use crate::types::{ChangeEvent, ChangeKind};

use super::program::{Mapping, Plan, Trigger};

/// A mapping that must run for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start<'p> {
    /// The mapping's name.
    pub mapping: &'p str,
    /// The events do not tell the value that a `becomes` waits for (a new record, a notice without a value): the run
    /// goes on only if the record as read holds it.
    pub if_became: bool,
}

impl Plan {
    /// The mappings that these pending events of one record start, in source order. All events of a record make one
    /// run for each mapping.
    pub fn triggered(&self, events: &[ChangeEvent]) -> Vec<Start<'_>> {
        self.mappings
            .iter()
            .filter_map(|mapping| {
                let firing = events.iter().filter_map(|event| starts(mapping, event)).max()?;
                Some(Start { mapping: &mapping.name, if_became: firing == Firing::IfBecame })
            })
            .collect()
    }
}

/// How sure it is that an event starts a mapping, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Firing {
    IfBecame,
    Surely,
}

fn starts(mapping: &Mapping, event: &ChangeEvent) -> Option<Firing> {
    if event.object != mapping.source {
        return None;
    }
    mapping.triggers.iter().filter_map(|trigger| fires(trigger, &event.kind)).max()
}

fn fires(trigger: &Trigger, kind: &ChangeKind) -> Option<Firing> {
    let surely = |fires: bool| fires.then_some(Firing::Surely);
    match (trigger, kind) {
        (Trigger::Created, ChangeKind::Created | ChangeKind::Restored) => Some(Firing::Surely),
        (Trigger::Changes(fields), ChangeKind::FieldChanged { field, .. }) => surely(fields.contains(field)),
        (Trigger::Becomes(wanted, values), ChangeKind::FieldChanged { field, value }) if wanted == field => {
            match value {
                Some(value) => surely(values.contains(value)),
                None => Some(Firing::IfBecame),
            }
        }
        (Trigger::Becomes(..), ChangeKind::Created | ChangeKind::Restored) => Some(Firing::IfBecame),
        (Trigger::AssociatedChanges(_, object), ChangeKind::AssociationChanged { other }) => {
            surely(other.as_ref().is_none_or(|other| *other == object.name))
        }
        _ => None,
    }
}
