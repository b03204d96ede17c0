//! The state of the organisation, and the seed that fills it.
//!
//! Everything sits behind one lock: a request holds it from its first read to its last write, so two upserts of
//! one external ID can never both create.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::auth::Sessions;
use super::bulk::Jobs;
use super::config::{SalesforceConfig, SandboxUser};
use super::derived;
use super::duplicates::DuplicateRule;
use super::http::Request;
use super::ids;
use super::query::Cursors;
use super::schema::{FieldFacts, FieldType, ObjectFacts, Schema};
use super::server::Call;
use super::store::{Record, Store};
use super::{clock, faults, records, validate};
use crate::sandbox::core::{Fault, Faults};

/// The number in the organisation's id, the same for every sandbox.
const ORGANIZATION_NUMBER: u64 = 1;

pub(super) struct Org {
    pub(super) config: SalesforceConfig,
    pub(super) base_url: String,
    pub(super) organization_id: String,
    pub(super) schema: Arc<Schema>,
    pub(super) store: Store,
    pub(super) sessions: Sessions,
    pub(super) rules: Vec<DuplicateRule>,
    /// Those of the settings, then those of the seed.
    pub(super) users: Vec<SandboxUser>,
    pub(super) faults: Faults,
    pub(super) cursors: Cursors,
    pub(super) jobs: Jobs,
    pub(super) calls: Vec<Call>,
    /// Calls by operation, with the server's name; none is forgotten until they are cleared.
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) api_requests: u64,
}

/// Who asks, and in which version of the API.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) user_id: String,
    pub(super) version: u32,
    pub(super) allow_save: bool,
    pub(super) include_record_details: bool,
    pub(super) batch_size: Option<usize>,
}

impl Caller {
    pub(super) fn new(user_id: String, version: u32) -> Self {
        Self { user_id, version, allow_save: false, include_record_details: false, batch_size: None }
    }

    /// The same caller with what a request's `Sforce-…` headers ask for.
    pub(super) fn with_headers(self, request: &Request) -> Self {
        let rule_header = "sforce-duplicate-rule-header";
        Self {
            allow_save: request.header_flag(rule_header, "allowSave"),
            include_record_details: request.header_flag(rule_header, "includeRecordDetails"),
            batch_size: request
                .header_option("sforce-query-options", "batchSize")
                .and_then(|size| size.parse().ok()),
            ..self
        }
    }

    /// The path under which this version's resources stand.
    pub(super) fn root(&self) -> String {
        format!("/services/data/v{}.0", self.version)
    }
}

impl Org {
    /// Builds the organisation that the settings and their seed describe.
    pub(super) fn new(config: SalesforceConfig, base_url: String) -> Result<Self, String> {
        let seed = config.seed.as_object().cloned().unwrap_or_default();
        let schema = extended_schema(&seed)?;
        let rules: Vec<DuplicateRule> = match seed.get("duplicate_rules") {
            None | Some(Value::Null) => Vec::new(),
            Some(rules) => serde_json::from_value(rules.clone())
                .map_err(|error| format!("`duplicate_rules`: {error}"))?,
        };
        let mut users = config.users.clone();
        if let Some(more) = seed.get("users").filter(|users| !users.is_null()) {
            let more: Vec<SandboxUser> =
                serde_json::from_value(more.clone()).map_err(|error| format!("`users`: {error}"))?;
            users.extend(more);
        }
        let mut org = Self {
            organization_id: ids::mint("00D", ORGANIZATION_NUMBER),
            store: Store::new(&schema),
            schema: Arc::new(schema),
            sessions: Sessions::default(),
            faults: Faults::default(),
            cursors: Cursors::default(),
            jobs: Jobs::default(),
            calls: Vec::new(),
            counts: BTreeMap::new(),
            api_requests: 0,
            rules: Vec::new(),
            users,
            base_url,
            config,
        };
        org.fill_standard_records()?;
        for rule in rules {
            org.add_rule(rule);
        }
        org.fill_seed_records(&seed)?;
        org.store.commit();
        for fault in org.config.faults.clone() {
            org.arm(fault);
        }
        Ok(org)
    }

    /// The present instant, to the second.
    pub(super) fn now(&self) -> DateTime<Utc> {
        clock::now(&self.config.clock)
    }

    /// Adds a duplicate rule, which shows as a record too.
    pub(super) fn add_rule(&mut self, rule: DuplicateRule) {
        let fields = json!({
            "DeveloperName": rule.name, "MasterLabel": rule.name, "SobjectType": rule.object, "IsActive": true,
        });
        // INVARIANT: the object and its fields are the sandbox's own.
        let _ = self.import("DuplicateRule", &into_map(fields));
        self.rules.push(rule);
    }

    /// Switches all duplicate rules off.
    pub(super) fn clear_rules(&mut self) {
        self.rules.clear();
        let ids: Vec<String> = self.store.records("DuplicateRule").map(|rule| rule.id.clone()).collect();
        for id in ids {
            let _ = self.change("DuplicateRule", &id, &into_map(json!({"IsActive": false})));
        }
    }

    /// Adds a fault and gives its name.
    pub(super) fn arm(&self, fault: Fault) -> String {
        self.faults.add(faults::in_spelling(&self.schema, fault))
    }

    /// The integration user's id.
    pub(super) fn default_user_id(&self) -> String {
        self.store.records("User").next().map_or_else(|| ids::mint("005", 0), |user| user.id.clone())
    }

    /// Puts a record in place as an administrator's import would: system fields may be given, types must be right.
    pub(super) fn import(&mut self, object: &str, fields: &Map<String, Value>) -> Result<String, String> {
        self.import_linked(object, fields, &HashMap::new())
    }

    /// Sets fields of a record as an administrator would in the database: nothing but types is judged.
    pub(super) fn change(
        &mut self,
        object: &str,
        id: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), String> {
        let user_id = self.default_user_id();
        self.change_as(&user_id, object, id, fields)
    }

    /// The same as this user.
    pub(super) fn change_as(
        &mut self,
        user_id: &str,
        object: &str,
        id: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), String> {
        let schema = Arc::clone(&self.schema);
        let facts = schema.object(object).ok_or_else(|| format!("there is no object `{object}`"))?;
        let mut record = ids::normalize(id)
            .and_then(|id| self.store.get(&facts.name, &id).cloned())
            .ok_or_else(|| format!("there is no {} `{id}`", facts.name))?;
        records::touch(facts, &mut record, user_id, self.now());
        for (name, value) in fields {
            let field = facts.field(name).ok_or_else(|| format!("`{}` has no field `{name}`", facts.name))?;
            let value = self.linked_value(field, value, &HashMap::new())?;
            record.set(&field.name, validate::read(field, &value, "").map_err(|error| error.message)?);
        }
        derived::refresh(facts, &self.store, &mut record);
        self.store.put(record);
        self.store.commit();
        Ok(())
    }

    /// Changes a field's facts, or adds a field, while clients are at work.
    pub(super) fn define_field(&mut self, object: &str, facts: &Value) -> Result<(), String> {
        Arc::make_mut(&mut self.schema).define_field(object, facts)?;
        self.store.reindex(&self.schema);
        Ok(())
    }

    /// Deletes a field; what records hold in it is out of reach from then on.
    pub(super) fn drop_field(&mut self, object: &str, field: &str) -> Result<(), String> {
        Arc::make_mut(&mut self.schema).drop_field(object, field)?;
        self.store.reindex(&self.schema);
        Ok(())
    }

    fn import_linked(
        &mut self,
        object: &str,
        fields: &Map<String, Value>,
        names: &HashMap<String, String>,
    ) -> Result<String, String> {
        let schema = Arc::clone(&self.schema);
        let facts = schema.object(object).ok_or_else(|| format!("there is no object `{object}`"))?;
        let id = match fields.get("Id").and_then(Value::as_str) {
            Some(given) => ids::normalize(given).ok_or_else(|| format!("`{given}` is no Salesforce id"))?,
            None => self.store.mint_id(facts),
        };
        let now = self.now();
        let user_id = if facts.name == "User" && self.store.records("User").next().is_none() {
            id.clone()
        } else {
            self.default_user_id()
        };
        let mut record = Record { id, object: facts.name.clone(), deleted: false, fields: HashMap::new() };
        derived::fill_defaults(facts, &mut record, &user_id, now);
        for (name, value) in fields {
            if name == "_ref" || name == "attributes" || name == "Id" {
                continue;
            }
            if name == "IsDeleted" {
                record.deleted = value.as_bool().unwrap_or(false);
                continue;
            }
            let field = facts.field(name).ok_or_else(|| format!("`{}` has no field `{name}`", facts.name))?;
            let value = self.linked_value(field, value, names)?;
            let value = validate::read(field, &value, "").map_err(|error| error.message)?;
            record.set(&field.name, value);
        }
        derived::refresh(facts, &self.store, &mut record);
        let id = record.id.clone();
        self.store.put(record);
        self.store.commit();
        Ok(id)
    }

    /// A reference may name another seeded record by its `_ref` (`"@acme"`); ids take their long form.
    fn linked_value(
        &self,
        field: &FieldFacts,
        value: &Value,
        names: &HashMap<String, String>,
    ) -> Result<Value, String> {
        let (FieldType::Reference, Some(text)) = (field.kind, value.as_str()) else {
            return Ok(value.clone());
        };
        if let Some(name) = text.strip_prefix('@') {
            return names
                .get(name)
                .map(|id| Value::String(id.clone()))
                .ok_or_else(|| format!("no earlier record has `_ref: {name}`"));
        }
        if text.contains('@') && field.reference_to.iter().any(|target| target == "User") {
            let found = self.store.find_by_key("User", "Username", value);
            return found
                .first()
                .map(|id| Value::String(id.clone()))
                .ok_or_else(|| format!("there is no user `{text}`"));
        }
        ids::normalize(text).map(Value::String).ok_or_else(|| format!("`{text}` is no Salesforce id"))
    }

    fn fill_standard_records(&mut self) -> Result<(), String> {
        for user in self.users.clone() {
            let alias: String = user.username.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
            let fields = json!({
                "Username": user.username, "Email": user.username, "FirstName": user.first_name,
                "LastName": user.last_name, "Alias": alias,
            });
            self.import("User", &into_map(fields))?;
        }
        let profile = self.import("Profile", &into_map(json!({"Name": "System Administrator"})))?;
        let users: Vec<String> = self.store.records("User").map(|user| user.id.clone()).collect();
        for user in users {
            self.change("User", &user, &into_map(json!({"ProfileId": profile})))?;
        }
        let organization = json!({
            "Id": self.organization_id, "Name": "Sandbox", "InstanceName": "SBX1", "IsSandbox": true,
            "OrganizationType": "Developer Edition",
        });
        self.import("Organization", &into_map(organization))?;
        let currency = json!({"IsoCode": "USD", "ConversionRate": 1, "DecimalPlaces": 2, "IsActive": true, "IsCorporate": true});
        self.import("CurrencyType", &into_map(currency))?;
        let schema = Arc::clone(&self.schema);
        for object in schema.objects() {
            for record_type in &object.record_types {
                let fields = json!({
                    "Id": record_type.id, "Name": record_type.name, "DeveloperName": record_type.developer_name,
                    "SobjectType": object.name, "IsActive": record_type.active,
                });
                self.import("RecordType", &into_map(fields))?;
            }
        }
        for (object, fields) in derived::status_records(&schema) {
            self.import(object, &into_map(fields))?;
        }
        Ok(())
    }

    fn fill_seed_records(&mut self, seed: &Map<String, Value>) -> Result<(), String> {
        let mut names = HashMap::new();
        for section in ["objects", "records"] {
            let Some(objects) = seed.get(section).and_then(Value::as_object) else { continue };
            for (object, content) in objects {
                let records = content.as_array().or_else(|| content.get("records").and_then(Value::as_array));
                for (index, record) in records.into_iter().flatten().enumerate() {
                    let place = format!("`{section}.{object}[{index}]`");
                    let fields = record.as_object().ok_or_else(|| format!("{place} is not a map"))?;
                    let id = self
                        .import_linked(object, fields, &names)
                        .map_err(|error| format!("{place}: {error}"))?;
                    if let Some(name) = fields.get("_ref").and_then(Value::as_str) {
                        names.insert(name.to_owned(), id);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The fields of a record in the shape of a read, restricted to these.
pub(super) fn show(caller: &Caller, record: &Record, fields: &[&FieldFacts]) -> Value {
    let mut shown = Map::new();
    shown.insert("attributes".into(), attributes(caller, &record.object, &record.id));
    for field in fields {
        shown.insert(field.name.clone(), field_value(record, field));
    }
    Value::Object(shown)
}

/// The `attributes` of a record in an answer.
pub(super) fn attributes(caller: &Caller, object: &str, id: &str) -> Value {
    json!({"type": object, "url": format!("{}/sobjects/{object}/{id}", caller.root())})
}

/// What a field of a record reads as, the compound and system ones too.
pub(super) fn field_value(record: &Record, field: &FieldFacts) -> Value {
    match field.name.as_str() {
        "Id" => record.id.clone().into(),
        "IsDeleted" => record.deleted.into(),
        _ if field.kind == FieldType::Address => derived::address(record, &field.name),
        name if field.kind == FieldType::Boolean => record.get(name).as_bool().unwrap_or(false).into(),
        name => record.get(name).clone(),
    }
}

/// All fields that a read without a selection answers with.
pub(super) fn all_fields(object: &ObjectFacts) -> Vec<&FieldFacts> {
    object.fields.iter().collect()
}

fn extended_schema(seed: &Map<String, Value>) -> Result<Schema, String> {
    let mut schema = Schema::built_in();
    for (name, content) in section(seed, "objects")? {
        if let Some(facts) = content.as_object() {
            schema.define_object(name, facts)?;
        }
    }
    for (object, fields) in section(seed, "fields")? {
        let list = fields.as_array().ok_or_else(|| format!("`fields.{object}` is not a list"))?;
        for field in list {
            schema.define_field(object, field)?;
        }
    }
    let mut number = 0;
    for (object, record_types) in section(seed, "record_types")? {
        let list = record_types.as_array().ok_or_else(|| format!("`record_types.{object}` is not a list"))?;
        for record_type in list {
            number += 1;
            schema.define_record_type(object, record_type, number)?;
        }
    }
    Ok(schema)
}

fn section<'a>(
    seed: &'a Map<String, Value>,
    name: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>, String> {
    match seed.get(name) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(map)) => Ok(Some(map.iter()).into_iter().flatten()),
        Some(_) => Err(format!("`{name}` is not a map by object")),
    }
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
