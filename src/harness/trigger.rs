//! What happened to the source record of a test, and the triggers that fire by it.

use chrono::DateTime;

use crate::check::typed::{Test, Trigger};
use crate::eval::{Finished, Point, Trace, Verdict};
use crate::plan::{Mapping, Plan};
use crate::source::Side;
use crate::types::{ChangeEvent, ChangeKind, display};

use super::world::World;

/// Whether the mapping runs, and then whether only if the record became so. Without a `when` it runs.
pub(super) fn started(plan: &Plan, mapping: &Mapping, test: &Test, world: &World) -> Option<bool> {
    if test.whens.is_empty() {
        return Some(false);
    }
    let events = events(mapping, test, world);
    plan.triggered(&events).iter().find(|start| start.mapping == mapping.name).map(|start| start.if_became)
}

/// Whether a run ended because the record did not become what a trigger waits for.
pub(super) fn is_refused(mapping: &Mapping, finished: &Finished) -> bool {
    matches!(&finished.verdict, Verdict::Skipped { at: Some(at), .. } if *at == mapping.at)
}

/// Records the triggers that fired.
pub(super) fn record(mapping: &Mapping, test: &Test, world: &World, trace: &Trace) {
    if test.whens.is_empty() {
        return;
    }
    for index in mapping.fired(&events(mapping, test, world)) {
        trace.hit(&mapping.at, Point::Trigger(index));
    }
}

fn events(mapping: &Mapping, test: &Test, world: &World) -> Vec<ChangeEvent> {
    let kinds = test.whens.iter().flat_map(|when| kinds(when, mapping.source.side, world));
    let event = |kind| ChangeEvent {
        object: mapping.source.clone(),
        record: world.source().unwrap_or_default().to_owned(),
        kind,
        // No trigger asks when.
        occurred_at: DateTime::UNIX_EPOCH,
    };
    kinds.map(event).collect()
}

fn kinds(when: &Trigger, side: Side, world: &World) -> Vec<ChangeKind> {
    match when {
        Trigger::Created => vec![ChangeKind::Created],
        Trigger::Changes(fields) => fields
            .iter()
            .map(|field| {
                let held = world.source_record().and_then(|record| record.value(field));
                let told = held.map_or_else(String::new, |value| display(&value));
                let value = (side == Side::Hubspot).then_some(told);
                ChangeKind::FieldChanged { field: field.clone(), value }
            })
            .collect(),
        Trigger::Becomes(field, values) => values
            .iter()
            .map(|value| ChangeKind::FieldChanged { field: field.clone(), value: Some(value.clone()) })
            .collect(),
        Trigger::AssociatedChanges(_, object) => {
            vec![ChangeKind::AssociationChanged { other: Some(object.name.clone()) }]
        }
    }
}
