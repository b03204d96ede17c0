//! The rights that a plan takes in both CRMs: what its programs read, look up, write, associate and convert.

use super::program::{Ids, Lookup, Mapping, OutcomeAction, Plan, Situation, Sought, Test, Trigger, WithKind};
use crate::schema::{FieldType, Schemas};
use crate::source::{ObjectName, Side};
use crate::types::Access;

/// What an integration's user must be allowed to do. `schemas` are those that the plan was made with: they tell where a
/// path over relationships leads.
pub fn access(plan: &Plan, schemas: &Schemas) -> Access {
    let mut access = Access::default();
    for mapping in &plan.mappings {
        source(mapping, schemas, &mut access);
        look_ups(mapping, schemas, &mut access);
        target(mapping, &mut access);
        associations(mapping, &mut access);
        conversion(mapping, &mut access);
    }
    access
}

fn source(mapping: &Mapping, schemas: &Schemas, access: &mut Access) {
    let name = &mapping.name;
    let object = access.object(&mapping.source, name);
    object.reads(mapping.reads.iter().map(String::as_str));
    for trigger in &mapping.triggers {
        match trigger {
            Trigger::Changes(fields) => object.reads(fields.iter().map(String::as_str)),
            Trigger::Becomes(field, _) => object.reads([field.as_str()]),
            Trigger::Created | Trigger::AssociatedChanges(..) => {}
        }
    }
    for related in &mapping.related {
        if let WithKind::Reference { field } = &related.kind {
            access.object(&mapping.source, name).reads([field.as_str()]);
        }
        access.object(&related.object, name).reads(related.reads.iter().map(String::as_str));
    }
    for each in &mapping.eaches {
        access.object(&each.object, name).reads(each.reads.iter().map(String::as_str));
        tests(&each.object, &each.tests, schemas, (name, access));
    }
}

fn look_ups(mapping: &Mapping, schemas: &Schemas, access: &mut Access) {
    let name = &mapping.name;
    for Lookup { object, what, .. } in &mapping.lookups {
        match what {
            Sought::Field { tests: sought, field, .. } => {
                path(object, field, schemas, (name, access));
                tests(object, sought, schemas, (name, access));
            }
            Sought::RecordType { tests: sought, .. } => tests(object, sought, schemas, (name, access)),
            // Pairs are remembered here.
            Sought::Linked { .. } => {}
        }
    }
    for rung in &mapping.rungs {
        access.object(&rung.object, name);
        tests(&rung.object, &rung.tests, schemas, (name, access));
    }
}

fn tests(object: &ObjectName, tests: &[Test], schemas: &Schemas, (name, access): (&str, &mut Access)) {
    for test in tests {
        path(object, &test.field, schemas, (name, access));
    }
}

/// Reads a field, or a path over relationships with the reference fields on its way.
fn path(object: &ObjectName, field: &str, schemas: &Schemas, (name, access): (&str, &mut Access)) {
    let Some((relationship, rest)) = field.split_once('.') else {
        access.object(object, name).reads([field]);
        return;
    };
    let known = schemas.side(object.side).objects.get(&object.name);
    let leads = |field: &&crate::schema::Field| field.relationship.as_deref() == Some(relationship);
    let Some(reference) = known.and_then(|known| known.fields.values().find(leads)) else { return };
    access.object(object, name).reads([reference.name.as_str()]);
    let FieldType::Reference { to } = &reference.kind else { return };
    for next in to.iter().filter(|next| schemas.side(object.side).objects.contains_key(*next)) {
        path(&ObjectName::new(object.side, next.clone()), rest, schemas, (name, access));
    }
}

fn target(mapping: &Mapping, access: &mut Access) {
    let makes = mapping
        .outcome(Situation::None)
        .is_some_and(|outcome| matches!(outcome.action, OutcomeAction::Create));
    let object = access.object(&mapping.target, &mapping.name);
    object.create |= makes;
    object.edit = true;
    object.reads(mapping.target_fields.iter().map(|field| field.name.as_str()));
    object.writes(mapping.rules.iter().map(|rule| rule.field.as_str()));
    object.writes(mapping.key.iter().map(|key| key.field.as_str()));
}

/// An association is a change of the record that is written; the other one is found by its id.
fn associations(mapping: &Mapping, access: &mut Access) {
    for associate in &mapping.associates {
        access.object(&ObjectName::new(mapping.target.side, associate.to.name.clone()), &mapping.name);
        if let Ids::Each { each, field } = &associate.ids {
            access.object(&mapping.eaches[*each].object, &mapping.name).reads([field.as_str()]);
        }
    }
}

/// A conversion makes a Contact always, an Account where the file names none, and an Opportunity where it does.
fn conversion(mapping: &Mapping, access: &mut Access) {
    let Some(convert) = &mapping.convert else { return };
    access.object(&mapping.target, &mapping.name).convert = true;
    let mut makes = |object: &str| {
        let object = access.object(&ObjectName::new(Side::Salesforce, object), &mapping.name);
        (object.create, object.edit) = (true, true);
    };
    makes("Contact");
    makes("Account");
    if convert.opportunity.is_some() {
        makes("Opportunity");
    }
}
