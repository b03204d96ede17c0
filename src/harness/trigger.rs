//! What happened to the source record of a test, and the triggers that fire by it.

use chrono::DateTime;

use crate::check::typed::{Test, Trigger};
use crate::eval::{Answer, Finished, Point, Trace, Verdict};
use crate::plan::{Mapping, Plan};
use crate::source::Side;
use crate::types::{ChangeEvent, ChangeKind, LinkRequest, display};

use super::world::World;

/// Whether the mapping runs, and then whether only if the record became so. Without a `when` it runs.
pub(super) fn started(plan: &Plan, mapping: &Mapping, test: &Test, world: &World) -> Option<bool> {
    if test.whens.is_empty() {
        return Some(false);
    }
    let events = events(mapping, test, world);
    let starts = plan.triggered(&events);
    let start = starts.iter().find(|start| start.mapping == mapping.name)?;
    if !start.if_paired {
        return Some(start.if_became);
    }
    // Another record beside it concerns a record that is paired; one that is not runs only if it became so.
    let paired = is_paired(mapping, world);
    (paired || start.if_became).then_some(start.if_became && !paired)
}

/// Whether the test pairs its source record.
fn is_paired(mapping: &Mapping, world: &World) -> bool {
    let ids = world.source().map(str::to_owned).into_iter().collect();
    let (of, to) = (mapping.source.clone(), mapping.target.clone());
    matches!(world.links(&LinkRequest { by: None, of, ids, to }), Answer::Links(pairs) if !pairs.is_empty())
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
        trace.hit(&mapping.at, Point::Trigger(mapping.source.side, index));
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
