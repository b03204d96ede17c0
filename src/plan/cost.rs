//! The work that a run of each mapping can be for both CRMs, at most: everything that its rules read, every look-up, every
//! rung, one write, the conversion and the associations.

use super::program::{Conflict, Lookup, Mapping, Plan, Related, Sought, WithKind};
use crate::source::{ObjectName, Side};
use crate::types::{AssociationKind, SideWork, Work};

/// The object under which the language knows HubSpot's owners.
const OWNER: &str = "owner";

/// The work of one mapping or sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Its name.
    pub name: String,
    /// What it asks for, in the order in which it does.
    pub work: Vec<SideWork>,
}

/// The work of every mapping and sync, in source order. `is_event` tells the objects whose records are events of a timeline.
pub fn costs(plan: &Plan, is_event: &dyn Fn(&ObjectName) -> bool) -> Vec<Cost> {
    let mappings = plan.mappings.iter().filter(|mapping| !mapping.is_leg);
    let alone = mappings.map(|mapping| {
        let mut work = read_side(mapping);
        work.extend(match_side(mapping, is_event));
        work.extend(write_side(mapping));
        Cost { name: mapping.name.clone(), work }
    });
    let syncs = plan.syncs.iter().map(|sync| {
        let legs = [&plan.mappings[sync.to_salesforce], &plan.mappings[sync.to_hubspot]];
        let mut work = Vec::new();
        for leg in legs {
            work.extend(read_side(leg));
        }
        // The run starts at one side and finds the other; which it is, is not known here.
        work.extend(
            legs.map(|leg| match_side(leg, is_event)).into_iter().max_by_key(Vec::len).unwrap_or_default(),
        );
        if sync.two_way.iter().any(|rule| matches!(rule.conflict, Conflict::Latest(_))) {
            work.extend(Side::ALL.map(|side| (side, Work::ReadHistory)));
        }
        for leg in legs {
            work.extend(write_side(leg));
        }
        Cost { name: sync.name.clone(), work }
    });
    alone.chain(syncs).collect()
}

/// The record itself, the records around it, and the look-ups that rules and guards need.
fn read_side(mapping: &Mapping) -> Vec<SideWork> {
    let side = mapping.source.side;
    let mut work = vec![(side, Work::Read)];
    for related in mapping.related.iter().filter(|related| related.need.is_some()) {
        work.extend(related_work(related));
    }
    for Lookup { object, what, .. } in &mapping.lookups {
        let made = match what {
            Sought::Linked { .. } => continue,
            Sought::Field { .. } | Sought::RecordType { .. } if is_owner(object) => Work::Owners,
            Sought::Field { .. } | Sought::RecordType { .. } => Work::LookUp,
        };
        work.push((object.side, made));
    }
    work.extend(mapping.eaches.iter().map(|each| (each.object.side, Work::LookUp)));
    work
}

fn related_work(related: &Related) -> Vec<SideWork> {
    let side = related.object.side;
    if is_owner(&related.object) {
        return vec![(side, Work::Owners)];
    }
    let associated = matches!(related.kind, WithKind::Association(_)) && related.held_by.is_none();
    let associations = associated.then_some((side, Work::ReadAssociations));
    associations.into_iter().chain([(side, Work::Read)]).collect()
}

fn is_owner(object: &ObjectName) -> bool {
    object.side == Side::Hubspot && object.name == OWNER
}

/// The ladder, from its top to its last rung.
fn match_side(mapping: &Mapping, is_event: &dyn Fn(&ObjectName) -> bool) -> Vec<SideWork> {
    let target = &mapping.target;
    let find = if is_event(target) { Work::ReadEvent } else { Work::LookUp };
    let mut work: Vec<SideWork> = mapping.key.iter().map(|_| (target.side, find)).collect();
    if mapping.asks_for_its_pair() {
        // The record that the pair names; it is found in place of the rungs below, or is gone.
        work.push((target.side, Work::Read));
    }
    work.extend(mapping.rungs.iter().map(|rung| (rung.object.side, Work::LookUp)));
    work
}

fn write_side(mapping: &Mapping) -> Vec<SideWork> {
    let side = mapping.target.side;
    let mut work = vec![(side, Work::Write)];
    work.extend(mapping.convert.iter().map(|_| (side, Work::Convert)));
    for associate in &mapping.associates {
        let labelled = associate.kind != AssociationKind::Plain;
        work.extend(labelled.then_some((side, Work::ReadLabels)));
        work.extend([(side, Work::ReadAssociations), (side, Work::Associate)]);
        work.extend(associate.exactly.then_some((side, Work::Associate)));
    }
    work
}
