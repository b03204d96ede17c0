//! The portal's object types and properties: the standard schema from `schema.yaml`, and what was added to it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;

const STANDARD: &str = include_str!("schema.yaml");

/// All object types by `objectTypeId`.
#[derive(Debug, Clone)]
pub(super) struct Catalog {
    objects: IndexMap<String, Arc<ObjectType>>,
}

/// An object type.
#[derive(Debug, Clone)]
pub(super) struct ObjectType {
    pub(super) id: String,
    /// `contact`
    pub(super) name: String,
    /// `contacts`
    pub(super) plural: String,
    /// `Contact`, `Contacts`
    pub(super) labels: (String, String),
    /// The property that keeps the time of the last change.
    pub(super) modified: String,
    /// The property that people know a record by.
    pub(super) display: String,
    /// The properties that are answered when none is asked for.
    pub(super) defaults: Vec<String>,
    /// The properties that a search's `query` looks at.
    pub(super) searchable: Vec<String>,
    pub(super) groups: IndexMap<String, Group>,
    pub(super) properties: IndexMap<String, Property>,
}

/// A property group.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) display_order: i64,
    pub(super) archived: bool,
}

/// A property.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "these are the vendor's independent flags")]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) description: String,
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) field_type: String,
    pub(super) options: Vec<PropertyOption>,
    pub(super) calculated: bool,
    pub(super) external: bool,
    pub(super) unique: bool,
    pub(super) hidden: bool,
    pub(super) hubspot_defined: bool,
    pub(super) read_only: bool,
    pub(super) display_order: i64,
    pub(super) form_field: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) archived_at: Option<DateTime<Utc>>,
}

/// An option of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PropertyOption {
    pub(super) label: String,
    pub(super) value: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) display_order: i64,
    #[serde(default)]
    pub(super) hidden: bool,
}

/// A property as the schema file and seeds write it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PropertySpec {
    /// `type/fieldType`; the field type may be left out.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) label: Option<String>,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) group: Option<String>,
    #[serde(default)]
    pub(crate) flags: Vec<Flag>,
    #[serde(default)]
    pub(crate) options: Vec<OptionSpec>,
}

/// What is special about a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Flag {
    ReadOnly,
    Calculated,
    Unique,
    External,
    Hidden,
    Custom,
}

/// An option: its value, or value and label.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OptionSpec {
    Value(String),
    Labelled((String, String)),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    objects: IndexMap<String, ObjectSpec>,
}

/// An object type as the schema file and seeds write it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectSpec {
    pub(crate) id: String,
    pub(crate) plural: String,
    pub(crate) labels: (String, String),
    pub(crate) modified: String,
    pub(crate) display: String,
    pub(crate) defaults: Vec<String>,
    #[serde(default)]
    pub(crate) searchable: Vec<String>,
    pub(crate) groups: IndexMap<String, String>,
    pub(crate) properties: IndexMap<String, PropertySpec>,
}

/// A custom object type as a seed writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomSpec {
    /// `2-345`
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) plural: Option<String>,
    #[serde(default)]
    pub(crate) labels: Option<(String, String)>,
    /// The property that people know a record by; the first one where it is left out.
    #[serde(default)]
    pub(crate) display: Option<String>,
    pub(crate) properties: IndexMap<String, PropertySpec>,
}

impl Catalog {
    /// The standard schema.
    pub(super) fn standard() -> Self {
        // INVARIANT: the file is part of the program and the tests of this module parse it.
        let file: File = serde_yaml::from_str(STANDARD).expect("the built-in schema is valid");
        let objects = file.objects.into_iter().map(|(name, spec)| {
            let object = ObjectType::from_spec(name, spec);
            (object.id.clone(), Arc::new(object))
        });
        Self { objects: objects.collect() }
    }

    /// Adds an object type of the portal's own.
    pub(super) fn add_custom(
        &mut self,
        name: &str,
        spec: &CustomSpec,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        let number = spec.id.strip_prefix("2-").filter(|number| super::request::all_digits(number));
        if number.is_none() || self.objects.contains_key(&spec.id) || self.resolve(name).is_ok() {
            return Err(format!(
                "`{}` is no new id of a custom object: these are `2-` and a number",
                spec.id
            ));
        }
        let Some(first) = spec.properties.keys().next() else {
            return Err("a custom object needs a property".to_owned());
        };
        let display = spec.display.clone().unwrap_or_else(|| first.clone());
        let plural = spec.plural.clone().unwrap_or_else(|| format!("{name}s"));
        let object = ObjectSpec {
            id: spec.id.clone(),
            labels: spec.labels.clone().unwrap_or_else(|| (name.to_owned(), plural.clone())),
            plural,
            modified: "hs_lastmodifieddate".to_owned(),
            display: display.clone(),
            defaults: ["hs_createdate", "hs_lastmodifieddate", "hs_object_id"].map(str::to_owned).to_vec(),
            searchable: vec![display, "hs_object_id".to_owned()],
            groups: [(format!("{name}_information"), format!("{name} information"))].into(),
            properties: IndexMap::new(),
        };
        let mut object = ObjectType::from_spec(name.to_owned(), object);
        // INVARIANT: the standard schema has companies, whose own properties every type has.
        let company = self.by_id("0-2").cloned().ok_or("the standard schema has no companies")?;
        for own in
            ["hs_object_id", "hs_createdate", "hs_lastmodifieddate", "hs_object_source", "hubspot_owner_id"]
        {
            object
                .properties
                .extend(company.property(own).map(|property| (own.to_owned(), property.clone())));
        }
        for (name, property) in &spec.properties {
            object.add(name.clone(), property.clone(), now);
        }
        self.objects.insert(spec.id.clone(), Arc::new(object));
        Ok(())
    }

    /// An object type by any name that a path may carry: singular, plural, id, in any case.
    pub(super) fn resolve(&self, name: &str) -> Result<Arc<ObjectType>, ApiError> {
        let lower = name.to_ascii_lowercase();
        let short = lower.strip_prefix("p_").unwrap_or(&lower);
        let known = |object: &&Arc<ObjectType>| {
            let custom = object.id.starts_with("2-") && object.name == short;
            custom || [&object.id, &object.name, &object.plural].into_iter().any(|known| *known == lower)
        };
        let found = self.objects.values().find(known).cloned();
        found.ok_or_else(|| ApiError::invalid(format!("Unable to infer object type from: {name}")))
    }

    /// An object type by its id.
    pub(super) fn by_id(&self, id: &str) -> Option<&Arc<ObjectType>> {
        self.objects.get(id)
    }

    /// All object types.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Arc<ObjectType>> {
        self.objects.values()
    }

    /// An object type, to be changed.
    pub(super) fn edit(&mut self, id: &str) -> Option<&mut ObjectType> {
        self.objects.get_mut(id).map(Arc::make_mut)
    }
}

impl ObjectType {
    fn from_spec(name: String, spec: ObjectSpec) -> Self {
        let groups = spec.groups.into_iter().enumerate().map(|(at, (name, label))| {
            let group = Group { name: name.clone(), label, display_order: order(at), archived: false };
            (name, group)
        });
        let mut object = Self {
            id: spec.id,
            name,
            plural: spec.plural,
            labels: spec.labels,
            modified: spec.modified,
            display: spec.display,
            defaults: spec.defaults,
            searchable: spec.searchable,
            groups: groups.collect(),
            properties: IndexMap::new(),
        };
        for (name, property) in spec.properties {
            object.add(name, property, DateTime::UNIX_EPOCH);
        }
        object
    }

    /// Adds or replaces a property.
    pub(super) fn add(&mut self, name: String, spec: PropertySpec, now: DateTime<Utc>) {
        let group = spec.group.or_else(|| self.groups.keys().next().cloned()).unwrap_or_default();
        let (kind, field_type) = match spec.kind.split_once('/') {
            Some((kind, field_type)) => (kind.to_owned(), field_type.to_owned()),
            None => (spec.kind.clone(), default_field_type(&spec.kind).to_owned()),
        };
        let has = |flag| spec.flags.contains(&flag);
        let options = spec.options.into_iter().enumerate().map(|(at, option)| {
            let (value, label) = match option {
                OptionSpec::Value(value) => (value.clone(), value),
                OptionSpec::Labelled(pair) => pair,
            };
            PropertyOption { label, value, description: None, display_order: order(at), hidden: false }
        });
        let property = Property {
            label: spec.label.unwrap_or_else(|| name.clone()),
            description: spec.description,
            group,
            kind,
            field_type,
            options: options.collect(),
            calculated: has(Flag::Calculated),
            external: has(Flag::External),
            unique: has(Flag::Unique),
            hidden: has(Flag::Hidden),
            hubspot_defined: !has(Flag::Custom),
            read_only: has(Flag::ReadOnly) || has(Flag::Calculated),
            display_order: -1,
            form_field: !has(Flag::ReadOnly),
            created_at: now,
            updated_at: now,
            archived_at: None,
            name: name.clone(),
        };
        self.properties.insert(name, property);
    }

    /// A property that is not archived.
    pub(super) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.get(name).filter(|property| property.archived_at.is_none())
    }

    /// Whether a property identifies a record: the contact's e-mail address or a unique property.
    pub(super) fn identifies(&self, name: &str) -> bool {
        (self.id == "0-1" && name == "email") || self.property(name).is_some_and(|property| property.unique)
    }

    /// `CONTACT`
    pub(super) fn upper(&self) -> String {
        self.name.to_ascii_uppercase()
    }
}

fn order(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

fn default_field_type(kind: &str) -> &'static str {
    match kind {
        "number" => "number",
        "bool" => "booleancheckbox",
        "enumeration" => "select",
        "date" | "datetime" => "date",
        "phone_number" => "phonenumber",
        _ => "text",
    }
}

impl Property {
    /// As `/crm/v3/properties` answers.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "updatedAt": instant(self.updated_at),
            "createdAt": instant(self.created_at),
            "name": self.name,
            "label": self.label,
            "type": self.kind,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": self.options,
            "displayOrder": self.display_order,
            "calculated": self.calculated,
            "externalOptions": self.external,
            "archived": self.archived_at.is_some(),
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "hubspotDefined": self.hubspot_defined,
            "modificationMetadata": {
                "archivable": !self.hubspot_defined,
                "readOnlyDefinition": self.hubspot_defined,
                "readOnlyValue": self.read_only,
            },
            "formField": self.form_field,
            "dataSensitivity": "non_sensitive",
        });
        let referenced = match self.name.as_str() {
            "hubspot_owner_id" => Some("OWNER"),
            "associatedcompanyid" => Some("COMPANY"),
            _ => None,
        };
        if let Some(referenced) = referenced {
            body["referencedObjectType"] = referenced.into();
        }
        if let Some(at) = self.archived_at {
            body["archivedAt"] = instant(at).into();
        }
        body
    }
}

/// An instant as HubSpot writes it: ISO 8601 with milliseconds and `Z`.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_schema_parses_and_is_found_by_every_alias() {
        let catalog = Catalog::standard();
        for alias in ["contact", "contacts", "CONTACT", "Contacts", "0-1"] {
            assert_eq!(catalog.resolve(alias).expect(alias).id, "0-1");
        }
        assert_eq!(catalog.resolve("line_items").expect("line items").id, "0-8");
        let error = catalog.resolve("contract").expect_err("no such type");
        assert_eq!(
            (error.status, error.message.as_str()),
            (400, "Unable to infer object type from: contract")
        );
    }

    #[test]
    fn every_standard_property_is_of_a_known_type() {
        for object in Catalog::standard().objects() {
            for name in object.defaults.iter().chain([&object.modified, &object.display]) {
                assert!(object.property(name).is_some(), "{} has no `{name}`", object.name);
            }
            for property in object.properties.values() {
                let known = ["string", "number", "bool", "enumeration", "date", "datetime", "phone_number"];
                assert!(known.contains(&property.kind.as_str()), "{}.{}", object.name, property.name);
            }
        }
    }
}
