//! The objects and fields of the organisation: built in from compact facts, extended by the seed.
//!
//! A field's facts are those that the validation, SOQL and describe need; everything else in a describe answer
//! follows from them. The seed writes the same shape under `fields:`:
//!
//! ```yaml
//! fields:
//!   Lead:
//!     - {name: Region__c, type: picklist, restricted: true, values: [EMEA, AMER]}   # a new field
//!     - {name: Phone, required: true}                                              # changes a field
//!     - {name: LeadSource, addValues: [Webinar]}                                   # more options
//! ```

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ids;

const BUILT_IN: [&str; 18] = [
    include_str!("schema/account.yaml"),
    include_str!("schema/contact.yaml"),
    include_str!("schema/lead.yaml"),
    include_str!("schema/opportunity.yaml"),
    include_str!("schema/opportunity_contact_role.yaml"),
    include_str!("schema/user.yaml"),
    include_str!("schema/profile.yaml"),
    include_str!("schema/group.yaml"),
    include_str!("schema/organization.yaml"),
    include_str!("schema/record_type.yaml"),
    include_str!("schema/task.yaml"),
    include_str!("schema/event.yaml"),
    include_str!("schema/campaign.yaml"),
    include_str!("schema/campaign_member.yaml"),
    include_str!("schema/currency_type.yaml"),
    include_str!("schema/duplicate_rule.yaml"),
    include_str!("schema/lead_status.yaml"),
    include_str!("schema/opportunity_stage.yaml"),
];

/// All objects, by lower-case name.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    objects: IndexMap<String, ObjectFacts>,
}

/// One object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ObjectFacts {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) label_plural: String,
    #[serde(default)]
    pub(super) key_prefix: Option<String>,
    #[serde(default)]
    pub(super) fields: Vec<FieldFacts>,
    #[serde(default)]
    pub(super) record_types: Vec<RecordTypeFacts>,
    #[serde(skip)]
    by_name: HashMap<String, usize>,
}

/// One field.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are Salesforce's independent flags")]
pub(super) struct FieldFacts {
    pub(super) name: String,
    #[serde(default)]
    pub(super) label: String,
    #[serde(rename = "type")]
    pub(super) kind: FieldType,
    #[serde(default)]
    pub(super) length: u32,
    #[serde(default)]
    pub(super) precision: u32,
    #[serde(default)]
    pub(super) scale: u32,
    #[serde(default)]
    pub(super) digits: u32,
    #[serde(default)]
    pub(super) access: Access,
    #[serde(default = "yes")]
    pub(super) nillable: bool,
    #[serde(default, alias = "defaultedOnCreate")]
    pub(super) defaulted: bool,
    #[serde(default)]
    pub(super) default: Option<Value>,
    #[serde(default, alias = "external_id")]
    pub(super) external_id: bool,
    #[serde(default)]
    pub(super) unique: bool,
    #[serde(default)]
    pub(super) id_lookup: bool,
    #[serde(default)]
    pub(super) name_field: bool,
    #[serde(default)]
    pub(super) calculated: bool,
    #[serde(default)]
    pub(super) case_sensitive: bool,
    #[serde(default)]
    pub(super) cascade: bool,
    #[serde(default)]
    pub(super) restricted: bool,
    #[serde(default)]
    pub(super) values: Vec<PicklistValue>,
    #[serde(default)]
    pub(super) compound: Option<String>,
    #[serde(default)]
    pub(super) reference_to: Vec<String>,
    #[serde(default)]
    pub(super) relationship_name: Option<String>,
    #[serde(default)]
    pub(super) children: Option<String>,
}

fn yes() -> bool {
    true
}

/// Salesforce's names of field types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FieldType {
    Id,
    Reference,
    String,
    Textarea,
    Picklist,
    Multipicklist,
    Combobox,
    Email,
    Phone,
    Url,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    Datetime,
    Address,
}

impl FieldType {
    /// The name as describe and error messages write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Reference => "reference",
            Self::String => "string",
            Self::Textarea => "textarea",
            Self::Picklist => "picklist",
            Self::Multipicklist => "multipicklist",
            Self::Combobox => "combobox",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::Address => "address",
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Currency | Self::Percent)
    }

    pub(super) fn is_id(self) -> bool {
        matches!(self, Self::Id | Self::Reference)
    }
}

/// Who may write a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Access {
    #[default]
    Write,
    Create,
    Update,
    Read,
}

impl FieldFacts {
    pub(super) fn createable(&self) -> bool {
        matches!(self.access, Access::Write | Access::Create) && !self.calculated
    }

    pub(super) fn updateable(&self) -> bool {
        matches!(self.access, Access::Write | Access::Update) && !self.calculated
    }

    /// Whether the path `sobjects/X/FIELD/value` and references by foreign key may use it.
    pub(super) fn is_key(&self) -> bool {
        self.external_id || self.id_lookup
    }

    pub(super) fn is_custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Whether SOQL may filter by it: long text areas and compound addresses are out.
    pub(super) fn filterable(&self) -> bool {
        !(self.kind == FieldType::Textarea && self.length > 255)
    }

    /// The value that a create gives where the body has none.
    pub(super) fn default_value(&self) -> Option<Value> {
        self.default.clone().or_else(|| (self.kind == FieldType::Boolean).then_some(Value::Bool(false)))
    }
}

/// One option of a picklist; a plain text in the facts is an active option that is its own label.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "OptionFacts")]
pub(super) struct PicklistValue {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) active: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OptionFacts {
    Plain(String),
    Full {
        value: String,
        label: Option<String>,
        #[serde(default = "yes")]
        active: bool,
    },
}

impl From<OptionFacts> for PicklistValue {
    fn from(facts: OptionFacts) -> Self {
        match facts {
            OptionFacts::Plain(value) => Self { label: value.clone(), value, active: true },
            OptionFacts::Full { value, label, active } => {
                Self { label: label.unwrap_or_else(|| value.clone()), value, active }
            }
        }
    }
}

/// A record type and the options that it allows, for the picklists that it restricts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RecordTypeFacts {
    pub(super) name: String,
    #[serde(default, alias = "developer_name")]
    pub(super) developer_name: String,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) picklists: IndexMap<String, Vec<String>>,
}

impl ObjectFacts {
    /// A field by name, whatever its case.
    pub(super) fn field(&self, name: &str) -> Option<&FieldFacts> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|index| &self.fields[*index])
    }

    /// The reference field behind a relationship name (`Owner`, `Parent__r`), whatever its case.
    pub(super) fn relationship(&self, name: &str) -> Option<&FieldFacts> {
        self.fields.iter().find(|field| {
            field
                .relationship_name
                .as_deref()
                .is_some_and(|relationship| relationship.eq_ignore_ascii_case(name))
        })
    }

    pub(super) fn is_custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Whether records carry `IsDeleted`, so that they go to the recycle bin and can be asked for by `queryAll`.
    pub(super) fn has_recycle_bin(&self) -> bool {
        self.field("IsDeleted").is_some()
    }

    fn reindex(&mut self) {
        for field in &mut self.fields {
            if field.label.is_empty() {
                field.label = field.name.trim_end_matches("__c").replace('_', " ");
            }
            if field.kind == FieldType::Reference
                && field.relationship_name.is_none()
                && let Some(stem) = field.name.strip_suffix("__c")
            {
                field.relationship_name = Some(format!("{stem}__r"));
            }
            if field.length == 0 {
                field.length = default_length(field.kind);
            }
            if field.precision == 0 && field.kind.is_number() && field.kind != FieldType::Int {
                field.precision = 18;
            }
        }
        self.by_name = self
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| (field.name.to_ascii_lowercase(), index))
            .collect();
    }
}

fn default_length(kind: FieldType) -> u32 {
    match kind {
        FieldType::String
        | FieldType::Picklist
        | FieldType::Combobox
        | FieldType::Url
        | FieldType::Textarea => 255,
        FieldType::Multipicklist => 4099,
        FieldType::Email => 80,
        FieldType::Phone => 40,
        FieldType::Id | FieldType::Reference => 18,
        _ => 0,
    }
}

impl Schema {
    /// The built-in objects.
    pub(super) fn built_in() -> Self {
        let mut objects = IndexMap::new();
        for facts in BUILT_IN {
            // INVARIANT: the facts are embedded, and `tests::the_built_in_facts_are_read` reads all of them.
            let mut object: ObjectFacts =
                serde_yaml::from_str(facts).expect("embedded facts are well formed");
            object.reindex();
            objects.insert(object.name.to_ascii_lowercase(), object);
        }
        Self { objects }
    }

    /// An object by name, whatever its case.
    pub(super) fn object(&self, name: &str) -> Option<&ObjectFacts> {
        self.objects.get(&name.to_ascii_lowercase())
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &ObjectFacts> {
        self.objects.values()
    }

    /// The object whose records have ids with this prefix.
    pub(super) fn object_of_id(&self, id: &str) -> Option<&ObjectFacts> {
        let prefix = id.get(..3)?;
        self.objects.values().find(|object| object.key_prefix.as_deref() == Some(prefix))
    }

    /// Fields elsewhere that refer to this object under a child relationship, with their objects.
    pub(super) fn children_of<'a>(
        &'a self,
        object: &'a ObjectFacts,
    ) -> impl Iterator<Item = (&'a ObjectFacts, &'a FieldFacts)> {
        self.objects.values().flat_map(move |child| {
            child
                .fields
                .iter()
                .filter(|field| field.reference_to.iter().any(|target| target == &object.name))
                .map(move |field| (child, field))
        })
    }

    /// Adds or extends an object from the seed's facts (`label`, `labelPlural`, `keyPrefix`).
    pub(super) fn define_object(&mut self, name: &str, facts: &Map<String, Value>) -> Result<(), String> {
        if self.object(name).is_some() {
            return Ok(());
        }
        let mut whole = Map::new();
        let label = name.trim_end_matches("__c").replace('_', " ");
        whole.insert("name".into(), name.into());
        whole.insert("label".into(), label.clone().into());
        whole.insert("labelPlural".into(), format!("{label}s").into());
        whole.extend(
            facts.iter().filter(|(key, _)| *key != "records").map(|(key, v)| (key.clone(), v.clone())),
        );
        let mut object: ObjectFacts = serde_json::from_value(Value::Object(whole))
            .map_err(|error| format!("object `{name}`: {error}"))?;
        if object.key_prefix.is_none() {
            let custom = self.objects.values().filter(|known| known.is_custom()).count();
            object.key_prefix = Some(format!("a{custom:02}"));
        }
        let own = std::mem::take(&mut object.fields);
        object.fields = system_fields();
        object.fields.extend(own);
        object.reindex();
        self.objects.insert(name.to_ascii_lowercase(), object);
        Ok(())
    }

    /// Adds a field, or changes the given facts of one that exists.
    pub(super) fn define_field(&mut self, object: &str, facts: &Value) -> Result<(), String> {
        let Some(target) = self.objects.get_mut(&object.to_ascii_lowercase()) else {
            return Err(format!("there is no object `{object}`; define it under `objects` first"));
        };
        let Some(given) = facts.as_object() else {
            return Err(format!("a field of `{object}` is a map of facts, not {facts}"));
        };
        let Some(name) = given.get("name").and_then(Value::as_str) else {
            return Err(format!("a field of `{object}` has no `name`"));
        };
        let present = target.field(name).cloned();
        let mut whole = match &present {
            Some(field) => serde_json::to_value(field).map_err(|error| error.to_string())?,
            None => json!({}),
        };
        let map = whole.as_object_mut().ok_or_else(|| "a field is a map".to_owned())?;
        overlay(map, given);
        let field: FieldFacts =
            serde_json::from_value(whole).map_err(|error| format!("field `{object}.{name}`: {error}"))?;
        match target.fields.iter_mut().find(|known| known.name.eq_ignore_ascii_case(name)) {
            Some(known) => *known = field,
            None => target.fields.push(field),
        }
        target.reindex();
        Ok(())
    }

    /// Takes a field away; system fields stay.
    pub(super) fn drop_field(&mut self, object: &str, field: &str) -> Result<(), String> {
        let Some(target) = self.objects.get_mut(&object.to_ascii_lowercase()) else {
            return Err(format!("there is no object `{object}`"));
        };
        let at = target.fields.iter().position(|known| known.name.eq_ignore_ascii_case(field));
        let at = at.ok_or_else(|| format!("`{object}` has no field `{field}`"))?;
        if matches!(target.fields[at].name.as_str(), "Id" | "IsDeleted" | "SystemModstamp") {
            return Err(format!("`{field}` is a system field; no organisation can delete it"));
        }
        target.fields.remove(at);
        target.reindex();
        Ok(())
    }

    /// Adds a record type; the object gets its `RecordTypeId` with the first one.
    pub(super) fn define_record_type(
        &mut self,
        object: &str,
        facts: &Value,
        number: u64,
    ) -> Result<(), String> {
        let mut record_type: RecordTypeFacts = serde_json::from_value(facts.clone())
            .map_err(|error| format!("a record type of `{object}`: {error}"))?;
        if record_type.developer_name.is_empty() {
            record_type.developer_name = record_type.name.replace(' ', "_");
        }
        record_type.id = match ids::normalize(&record_type.id) {
            Some(id) => id,
            None => ids::mint("012", number),
        };
        if self.object(object).is_some_and(|known| known.field("RecordTypeId").is_none()) {
            self.define_field(
                object,
                &json!({
                    "name": "RecordTypeId", "label": "Record Type ID", "type": "reference",
                    "referenceTo": ["RecordType"], "relationshipName": "RecordType",
                }),
            )?;
        }
        match self.objects.get_mut(&object.to_ascii_lowercase()) {
            Some(target) => target.record_types.push(record_type),
            None => return Err(format!("there is no object `{object}`")),
        }
        Ok(())
    }
}

/// Lays the given facts over the present ones; `required`, `addValues` and `deactivate` are short for several facts.
fn overlay(map: &mut Map<String, Value>, given: &Map<String, Value>) {
    for (key, value) in given {
        match key.as_str() {
            "required" => {
                let required = value.as_bool().unwrap_or(false);
                map.insert("nillable".into(), Value::Bool(!required));
                if required {
                    map.insert("defaulted".into(), Value::Bool(false));
                    map.remove("default");
                }
            }
            "addValues" | "add_values" => {
                let mut values = map.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
                values.extend(value.as_array().cloned().unwrap_or_default());
                map.insert("values".into(), Value::Array(values));
            }
            "deactivate" => {
                let gone: Vec<&str> =
                    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                for option in map.get_mut("values").and_then(Value::as_array_mut).into_iter().flatten() {
                    if option["value"].as_str().is_some_and(|value| gone.contains(&value)) {
                        option["active"] = Value::Bool(false);
                    }
                }
            }
            "default" => {
                map.insert("default".into(), value.clone());
                map.insert("defaulted".into(), Value::Bool(true));
            }
            _ => {
                map.insert(key.clone(), value.clone());
            }
        }
    }
}

fn system_fields() -> Vec<FieldFacts> {
    let facts = json!([
        {"name": "Id", "label": "Record ID", "type": "id", "access": "read", "nillable": false, "defaulted": true,
         "idLookup": true},
        {"name": "OwnerId", "label": "Owner ID", "type": "reference", "nillable": false, "defaulted": true,
         "referenceTo": ["Group", "User"], "relationshipName": "Owner"},
        {"name": "IsDeleted", "label": "Deleted", "type": "boolean", "access": "read", "nillable": false,
         "defaulted": true, "default": false},
        {"name": "Name", "type": "string", "length": 80, "idLookup": true, "nameField": true},
        {"name": "CreatedDate", "label": "Created Date", "type": "datetime", "access": "read", "nillable": false,
         "defaulted": true},
        {"name": "CreatedById", "label": "Created By ID", "type": "reference", "access": "read", "nillable": false,
         "defaulted": true, "referenceTo": ["User"], "relationshipName": "CreatedBy"},
        {"name": "LastModifiedDate", "label": "Last Modified Date", "type": "datetime", "access": "read",
         "nillable": false, "defaulted": true},
        {"name": "LastModifiedById", "label": "Last Modified By ID", "type": "reference", "access": "read",
         "nillable": false, "defaulted": true, "referenceTo": ["User"], "relationshipName": "LastModifiedBy"},
        {"name": "SystemModstamp", "label": "System Modstamp", "type": "datetime", "access": "read",
         "nillable": false, "defaulted": true},
    ]);
    // INVARIANT: the facts above are literal, and `tests::a_new_object_gets_the_system_fields` reads them.
    serde_json::from_value(facts).expect("literal facts are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_facts_are_read() {
        let schema = Schema::built_in();
        assert_eq!(schema.objects().count(), BUILT_IN.len());
        let lead = schema.object("lead").unwrap();
        assert_eq!(lead.field("TITLE").unwrap().length, 128);
        assert!(lead.field("HubSpot_Contact_ID__c").unwrap().unique);
        assert!(lead.field("Status").unwrap().restricted);
        assert_eq!(schema.object_of_id("00QgL0000000001").unwrap().name, "Lead");
        let account = schema.object("Account").unwrap();
        let children: Vec<_> =
            schema.children_of(account).filter_map(|(_, field)| field.children.as_deref()).collect();
        assert!(children.contains(&"Contacts") && children.contains(&"Opportunities"));
    }

    #[test]
    fn a_new_object_gets_the_system_fields() {
        let mut schema = Schema::built_in();
        schema.define_object("Invoice__c", &Map::new()).unwrap();
        schema
            .define_field(
                "Invoice__c",
                &json!({"name": "Lead__c", "type": "reference", "referenceTo": ["Lead"]}),
            )
            .unwrap();
        let invoice = schema.object("Invoice__c").unwrap();
        assert!(invoice.field("CreatedDate").is_some());
        assert_eq!(invoice.relationship("lead__r").unwrap().name, "Lead__c");
    }

    #[test]
    fn a_field_is_changed_in_place() {
        let mut schema = Schema::built_in();
        schema.define_field("Lead", &json!({"name": "Phone", "required": true})).unwrap();
        schema.define_field("Lead", &json!({"name": "LeadSource", "addValues": ["Webinar"]})).unwrap();
        let lead = schema.object("Lead").unwrap();
        assert!(!lead.field("Phone").unwrap().nillable);
        assert!(lead.field("LeadSource").unwrap().values.iter().any(|option| option.value == "Webinar"));
        assert!(schema.define_field("Lead", &json!({"name": "X__c", "type": "text"})).is_err());
        assert!(schema.define_field("Nope", &json!({"name": "X__c", "type": "string"})).is_err());
    }
}
