//! What the mappings need of the two accounts.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{GuardElse, Mapping, OutcomeAction, Plan, Situation, Sought, TestOp, Trigger};
use crate::schema::Schema;
use crate::source::{ObjectName, Side};
use crate::syntax::ast::CompareOp;

/// The record's id where a mapping names it as a field; it never changes.
const ID: &str = "id";

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

/// The scopes of HubSpot's private apps that mappings need, each with the mappings.
pub(super) fn scopes(plan: &Plan, schema: &Schema) -> BTreeMap<String, BTreeSet<String>> {
    let mut needed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mapping in &plan.mappings {
        let mut add = |object: &ObjectName, access: &str| {
            if object.side == Side::Hubspot {
                let scope = scope(schema, &object.name, access);
                needed.entry(scope).or_default().insert(mapping.name.clone());
            }
        };
        add(&mapping.source, "read");
        add(&mapping.target, "read");
        add(&mapping.target, "write");
        for related in &mapping.related {
            add(&related.object, "read");
        }
        for lookup in &mapping.lookups {
            add(&lookup.object, "read");
            if let Sought::Linked { of, .. } = &lookup.what {
                for object in of {
                    add(object, "read");
                }
            }
        }
        for rung in &mapping.rungs {
            add(&rung.object, "read");
        }
        for associate in &mapping.associates {
            add(&associate.to, "read");
        }
    }
    needed
}

/// The scope of one object (HubSpot's page on scopes). What has no scope of its own belongs to the contacts.
fn scope(schema: &Schema, object: &str, access: &str) -> String {
    let facts = schema.objects.get(object);
    if facts.is_some_and(|facts| facts.timeline.is_some()) {
        return "timeline".to_owned();
    }
    let custom =
        facts.is_some_and(|facts| facts.type_id.as_deref().unwrap_or(&facts.api_name).starts_with("2-"));
    match object {
        "owner" => "crm.objects.owners.read".to_owned(),
        "ticket" => "tickets".to_owned(),
        "company" => format!("crm.objects.companies.{access}"),
        _ if custom => format!("crm.objects.custom.{access}"),
        "contact" | "deal" | "quote" | "line_item" | "lead" | "product" => {
            format!("crm.objects.{object}s.{access}").replace("products", "line_items")
        }
        _ => format!("crm.objects.contacts.{access}"),
    }
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
        for trigger in &mapping.triggers {
            match trigger {
                Trigger::Created => {}
                Trigger::Becomes(field, _) => add(source, "propertyChange", Some(field), by),
                Trigger::Changes(fields) => {
                    for field in fields.iter().filter(|field| *field != ID) {
                        add(source, "propertyChange", Some(field), by);
                    }
                }
                Trigger::AssociatedChanges(..) => add(source, "associationChange", None, by),
            }
            if matches!(trigger, Trigger::Created | Trigger::Becomes(..)) {
                add(source, "creation", None, by);
                add(source, "restore", None, by);
            }
        }
        // A record that waits is worked on when one of these changes.
        for guard in mapping.guards.iter().filter(|guard| matches!(guard.otherwise, GuardElse::Wait)) {
            for field in guard.fields.iter().filter(|field| *field != ID) {
                add(source, "propertyChange", Some(field), by);
            }
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
