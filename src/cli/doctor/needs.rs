//! What the mappings need of the two accounts.

use std::collections::{BTreeMap, BTreeSet};

use crate::crm::hubspot;
use crate::plan::{GuardElse, Mapping, OutcomeAction, Plan, Situation, TestOp, Trigger, access};
use crate::schema::Schemas;
use crate::source::{ObjectName, Side};
use crate::syntax::ast::CompareOp;
use crate::types::Access;

/// The record's id where a mapping names it as a field; it never changes.
const ID: &str = "id";

/// The scopes that `schema pull` and `drift` need, and no mapping.
const OF_TOOLS: &str = "crm.schemas.";

/// A field by which mappings find records.
pub(super) struct KeyField {
    /// The object.
    pub(super) object: ObjectName,
    /// The field.
    pub(super) field: String,
    /// Whether records are written by it, not only found.
    pub(super) upserts: bool,
    /// The mappings, each with its line.
    pub(super) by: BTreeSet<String>,
}

/// The scopes that mappings need in HubSpot, each with the mappings; those of tools (`crm.schemas.…`) left out.
pub(super) fn scopes(plan: &Plan, schemas: &Schemas) -> BTreeMap<String, BTreeSet<String>> {
    let mut needed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (object, rights) in access(plan, schemas).objects {
        let by = rights.mappings.clone();
        let one = Access { objects: BTreeMap::from([(object, rights)]) };
        let scopes = hubspot::scopes::scopes(&one, &schemas.hubspot).into_keys();
        for scope in scopes.filter(|scope| !scope.starts_with(OF_TOOLS)) {
            needed.entry(scope).or_default().extend(by.iter().cloned());
        }
    }
    needed
}

/// The fields by which mappings find or write records of one CRM.
pub(super) fn keys(plan: &Plan, side: Side) -> Vec<KeyField> {
    let mut keys: BTreeMap<(ObjectName, String), KeyField> = BTreeMap::new();
    let mut add = |object: &ObjectName, field: &str, upserts: bool, by: String| {
        if object.side != side || field.contains('.') || field.eq_ignore_ascii_case("id") {
            return;
        }
        let key = keys.entry((object.clone(), field.to_owned())).or_insert_with(|| KeyField {
            object: object.clone(),
            field: field.to_owned(),
            upserts: false,
            by: BTreeSet::new(),
        });
        key.upserts |= upserts;
        key.by.insert(by);
    };
    for mapping in &plan.mappings {
        if let Some(key) = &mapping.key {
            add(&mapping.target, &key.field, true, format!("`{}` ({})", mapping.name, key.at));
        }
        for rung in &mapping.rungs {
            for test in &rung.tests {
                if matches!(test.op, TestOp::Compare(CompareOp::Eq, _)) {
                    add(&rung.object, &test.field, false, format!("`{}` ({})", mapping.name, rung.at));
                }
            }
        }
    }
    keys.into_values().collect()
}

/// The objects of Salesforce that mappings make records of, each with the mappings.
pub(super) fn made(plan: &Plan) -> BTreeMap<String, BTreeSet<String>> {
    let mut made: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mapping in plan.mappings.iter().filter(|mapping| mapping.target.side == Side::Salesforce) {
        let creates = |mapping: &Mapping| {
            mapping.outcome(Situation::None).is_some_and(|outcome| outcome.action == OutcomeAction::Create)
        };
        if creates(mapping) {
            made.entry(mapping.target.name.clone()).or_default().insert(mapping.name.clone());
        }
        if mapping.convert.is_some() {
            for object in ["Account", "Contact", "Opportunity"] {
                made.entry(object.to_owned()).or_default().insert(mapping.name.clone());
            }
        }
    }
    made
}

/// The fields of its source whose changes a mapping acts on.
fn heard(mapping: &Mapping) -> impl Iterator<Item = &String> {
    let triggers = mapping.triggers.iter().flat_map(|trigger| match trigger {
        Trigger::Becomes(field, _) => std::slice::from_ref(field),
        Trigger::Changes(fields) => fields.as_slice(),
        Trigger::Created | Trigger::AssociatedChanges(..) => &[],
    });
    // A record that waits is worked on when one of these changes.
    let waits = mapping.guards.iter().filter(|guard| matches!(guard.otherwise, GuardElse::Wait));
    triggers.chain(waits.flat_map(|guard| &guard.fields)).filter(|field| *field != ID)
}

/// What HubSpot must send: the kind of event, and the property where it is about one, each with the mappings.
pub(super) fn subscriptions(plan: &Plan) -> BTreeMap<(String, Option<String>), BTreeSet<String>> {
    let mut needed: BTreeMap<(String, Option<String>), BTreeSet<String>> = BTreeMap::new();
    let mut add = |object: &ObjectName, what: &str, property: Option<&str>, by: &str| {
        if object.side == Side::Hubspot {
            let key = (format!("{}.{what}", object.name), property.map(str::to_owned));
            needed.entry(key).or_default().insert(by.to_owned());
        }
    };
    for mapping in &plan.mappings {
        let (source, target, by) = (&mapping.source, &mapping.target, mapping.name.as_str());
        for field in heard(mapping) {
            add(source, "propertyChange", Some(field), by);
        }
        for trigger in &mapping.triggers {
            match trigger {
                Trigger::Created | Trigger::Becomes(..) => {
                    add(source, "creation", None, by);
                    add(source, "restore", None, by);
                }
                Trigger::Changes(_) => {}
                Trigger::AssociatedChanges(..) => add(source, "associationChange", None, by),
            }
        }
        if mapping.hears_of_associations() {
            add(source, "associationChange", None, by);
        }
        for (situation, object, what) in [
            (Situation::SourceDeleted, source, "deletion"),
            (Situation::SourceMerged, source, "merge"),
            (Situation::TargetDeleted, target, "deletion"),
            (Situation::TargetMerged, target, "merge"),
        ] {
            if mapping.outcomes.contains_key(&situation) {
                add(object, what, None, by);
            }
        }
        // A person may ask to be forgotten whatever the mappings say.
        if source.name == "contact" {
            add(source, "privacyDeletion", None, by);
        }
    }
    needed
}
