//! Which mappings the pending events of a record start.

use std::collections::BTreeSet;

use crate::check::typed::WithKind;
use crate::types::{Cause, ChangeEvent, ChangeKind};

use super::program::{Each, Mapping, Plan, Related, Trigger};

/// A mapping that must run for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start<'p> {
    /// The mapping's name.
    pub mapping: &'p str,
    /// The events do not tell the value that a `becomes` waits for (a new record, a notice without a value): the run
    /// goes on only if the record as read holds it.
    pub if_became: bool,
    /// Another record that the mapping reads with this one may be another one now (an association, a row of a `with each`).
    /// The run goes on for a record that is paired already, whatever its values; for one that is not, only by `if_became`.
    pub if_paired: bool,
    /// The end of the record, where the events end its life and the mapping says what follows: it runs for that alone.
    pub cause: Option<Cause>,
}

impl Plan {
    /// The mappings that these pending events of one record start, in source order. All events of a record make one
    /// run for each mapping.
    pub fn triggered(&self, events: &[ChangeEvent]) -> Vec<Start<'_>> {
        self.mappings
            .iter()
            .filter_map(|mapping| {
                if let Some(cause) = mapping.ended(events) {
                    let mapping = &mapping.name;
                    return Some(Start { mapping, if_became: false, if_paired: false, cause: Some(cause) });
                }
                let firings = events.iter().filter_map(|event| starts(mapping, event));
                let firings: BTreeSet<Firing> = firings.collect();
                let strongest = *firings.last()?;
                Some(Start {
                    mapping: &mapping.name,
                    if_became: strongest == Firing::IfBecame,
                    if_paired: strongest != Firing::Surely && firings.contains(&Firing::IfPaired),
                    cause: None,
                })
            })
            .collect()
    }

    /// The mappings that must run for the source records paired with the record that these events are about, because it
    /// ended and they say what follows.
    pub fn relays(&self, events: &[ChangeEvent]) -> Vec<(&str, Cause)> {
        let relay = |mapping| {
            let mapping: &Mapping = mapping;
            Some((mapping.name.as_str(), mapping.target_ended(events)?))
        };
        // A sync hears of the end of either record as that of a source.
        self.mappings.iter().filter(|mapping| !mapping.is_leg).filter_map(relay).collect()
    }
}

impl Mapping {
    /// The triggers that fire by these events of one record, by index.
    pub fn fired(&self, events: &[ChangeEvent]) -> Vec<usize> {
        let fires = |trigger: &Trigger| {
            events
                .iter()
                .any(|event| event.object == self.source && self::fires(trigger, &event.kind).is_some())
        };
        let indexes = self.triggers.iter().enumerate().filter(|(_, trigger)| fires(trigger));
        indexes.map(|(index, _)| index).collect()
    }

    /// Whether it can be started because other records stand beside the source record than before. One that nothing starts
    /// (it is handed its records) is not started by that either.
    pub fn hears_of_associations(&self) -> bool {
        let reads = self.related.iter().any(|related| matches!(related.kind, WithKind::Association(_)));
        !self.triggers.is_empty()
            && (reads || self.eaches.iter().any(|each| each.object.side == self.source.side))
    }

    /// Whether an event says that other records stand beside the source record than before, of those that this mapping
    /// reads with it.
    fn reads_with(&self, event: &ChangeEvent) -> bool {
        let ChangeKind::AssociationChanged { other } = &event.kind else { return false };
        let named = |name: &String| other.as_ref().is_none_or(|other| other == name);
        let associated = |related: &Related| {
            matches!(related.kind, WithKind::Association(_)) && named(&related.object.name)
        };
        let rows = |each: &Each| each.object.side == self.source.side && named(&each.object.name);
        let reads = self.related.iter().any(associated) || self.eaches.iter().any(rows);
        event.object == self.source && self.hears_of_associations() && reads
    }
}

/// How sure it is that an event starts a mapping, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Firing {
    IfPaired,
    IfBecame,
    Surely,
}

fn starts(mapping: &Mapping, event: &ChangeEvent) -> Option<Firing> {
    if event.object != mapping.source {
        return None;
    }
    let fired = mapping.triggers.iter().filter_map(|trigger| fires(trigger, &event.kind)).max();
    fired.or_else(|| mapping.reads_with(event).then_some(Firing::IfPaired))
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

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::plan::testing::{LEAD, Lead};
    use crate::source::{ObjectName, Side};
    use crate::types::{Cause, ChangeEvent, ChangeKind};

    fn plan(head: &'static str) -> Plan {
        Lead { head, ..LEAD }.plan()
    }

    fn event(object: &str, kind: ChangeKind) -> ChangeEvent {
        ChangeEvent {
            object: ObjectName::new(Side::Hubspot, object),
            record: "1".to_owned(),
            kind,
            occurred_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    /// `None`: not started; else whether only if the record became so.
    fn starts(plan: &Plan, kinds: impl IntoIterator<Item = ChangeKind>) -> Option<bool> {
        let events: Vec<_> = kinds.into_iter().map(|kind| event("contact", kind)).collect();
        plan.triggered(&events).first().map(|start| start.if_became)
    }

    fn changed(field: &str, value: Option<&str>) -> ChangeKind {
        ChangeKind::FieldChanged { field: field.to_owned(), value: value.map(ToOwned::to_owned) }
    }

    #[test]
    fn created_and_restored() {
        let plan = plan("when created");
        assert_eq!(starts(&plan, [ChangeKind::Created]), Some(false));
        assert_eq!(starts(&plan, [ChangeKind::Restored]), Some(false));
        assert_eq!(starts(&plan, [ChangeKind::Deleted]), None);
        assert_eq!(starts(&plan, [changed("email", None)]), None);
        assert!(plan.triggered(&[event("company", ChangeKind::Created)]).is_empty());
    }

    #[test]
    fn changes_of_any_of_several_fields() {
        let plan = plan("when any of (email, phone) changes");
        assert_eq!(starts(&plan, [changed("phone", Some("1"))]), Some(false));
        assert_eq!(starts(&plan, [changed("company", None)]), None);
        assert_eq!(starts(&plan, [ChangeKind::Created]), None);
    }

    #[test]
    fn becomes_by_the_notice_or_by_the_record() {
        let plan = plan("when lifecyclestage becomes \"customer\"");
        assert_eq!(starts(&plan, [changed("lifecyclestage", Some("customer"))]), Some(false));
        assert_eq!(starts(&plan, [changed("lifecyclestage", Some("lead"))]), None);
        assert_eq!(starts(&plan, [changed("lifecyclestage", None)]), Some(true));
        assert_eq!(
            starts(&plan, [ChangeKind::Created]),
            Some(true),
            "also when it is created with that value"
        );
        assert_eq!(starts(&plan, [ChangeKind::Restored]), Some(true));
        let moved_on = [
            ChangeKind::Created,
            changed("lifecyclestage", Some("customer")),
            changed("lifecyclestage", Some("lead")),
        ];
        assert_eq!(starts(&plan, moved_on), Some(false), "the surest of all pending events counts");
    }

    #[test]
    fn an_association_of_the_right_object() {
        let plan = plan("when primary hubspot.company changes");
        let to = |other: Option<&str>| ChangeKind::AssociationChanged { other: other.map(ToOwned::to_owned) };
        assert_eq!(starts(&plan, [to(Some("company"))]), Some(false));
        assert_eq!(starts(&plan, [to(None)]), Some(false));
        assert_eq!(starts(&plan, [to(Some("deal"))]), None);
    }

    #[test]
    fn a_mapping_without_a_trigger_starts_by_nothing() {
        assert_eq!(starts(&plan(""), [ChangeKind::Created]), None);
    }

    #[test]
    fn what_is_read_with_a_record_starts_the_mapping_for_a_pair() {
        let plan = |head| Lead { head, fields: "Title <- employer.name | truncate(128)", ..LEAD }.plan();
        let firing = |plan: &Plan, kinds: &[ChangeKind]| {
            let events: Vec<_> = kinds.iter().map(|kind| event("contact", kind.clone())).collect();
            plan.triggered(&events).first().map(|start| (start.if_became, start.if_paired))
        };
        let to = |other: Option<&str>| ChangeKind::AssociationChanged { other: other.map(ToOwned::to_owned) };
        let known =
            plan("with employer = primary hubspot.company\n when lifecyclestage becomes \"customer\"");
        assert_eq!(firing(&known, &[to(Some("company"))]), Some((false, true)));
        assert_eq!(firing(&known, &[to(None)]), Some((false, true)));
        assert_eq!(firing(&known, &[to(Some("deal"))]), None);
        assert_eq!(firing(&known, &[to(Some("company")), ChangeKind::Created]), Some((true, true)));
        let sure = changed("lifecyclestage", Some("customer"));
        assert_eq!(firing(&known, &[to(Some("company")), sure]), Some((false, false)));
        let handed = plan("with employer = primary hubspot.company");
        assert_eq!(firing(&handed, &[to(Some("company"))]), None);
    }

    #[test]
    fn an_end_starts_what_says_what_follows_and_for_that_alone() {
        let plan = |more: &str| {
            let outcomes = format!("{}\n {more}", LEAD.outcomes);
            Lead { head: "when email changes", outcomes: Box::leak(outcomes.into_boxed_str()), ..LEAD }.plan()
        };
        let cause = |plan: &Plan, kinds: &[ChangeKind]| {
            let events: Vec<_> = kinds.iter().map(|kind| event("contact", kind.clone())).collect();
            plan.triggered(&events).into_iter().next().map(|start| start.cause)
        };
        let merged = ChangeKind::Merged { into: "2".to_owned() };
        let ends = plan("on source deleted skip");
        assert_eq!(
            cause(&ends, &[changed("email", None), ChangeKind::Deleted]),
            Some(Some(Cause::SourceDeleted))
        );
        assert_eq!(cause(&ends, &[ChangeKind::Deleted, ChangeKind::Restored]), None);
        assert_eq!(cause(&ends, std::slice::from_ref(&merged)), None, "it says nothing of merges");
        let into = Cause::SourceMerged { into: "2".to_owned() };
        let ends = plan("on source merged follow");
        assert_eq!(cause(&ends, &[merged, ChangeKind::Deleted]), Some(Some(into)), "a merge tells more");
        assert_eq!(cause(&plan(""), &[ChangeKind::Deleted]), None);
        assert_eq!(cause(&plan(""), &[changed("email", None), ChangeKind::Deleted]), Some(None), "as ever");
    }

    #[test]
    fn an_end_of_a_target_record_is_told_to_its_pairs() {
        let outcomes = "on none create\n on converted park\n on duplicate park\n on rejected park\n on target deleted park";
        let plan = Lead { outcomes, ..LEAD }.plan();
        let of_lead =
            |kind| ChangeEvent { object: ObjectName::new(Side::Salesforce, "Lead"), ..event("x", kind) };
        let told = plan.relays(&[of_lead(ChangeKind::Deleted)]);
        assert_eq!(told, [("lead", Cause::TargetDeleted { target: "1".to_owned() })]);
        assert!(plan.relays(&[of_lead(ChangeKind::Merged { into: "2".to_owned() })]).is_empty());
        assert!(plan.relays(&[event("contact", ChangeKind::Deleted)]).is_empty());
        assert!(plan.triggered(&[of_lead(ChangeKind::Deleted)]).is_empty());
    }
}
