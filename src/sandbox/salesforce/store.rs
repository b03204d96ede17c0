//! The records, with look-up by keys and an undo log for all-or-none requests.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::ids;
use super::schema::{ObjectFacts, Schema};

/// One record; a field that is null is absent.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) deleted: bool,
    /// By the field's name as the schema spells it.
    pub(super) fields: HashMap<String, Value>,
}

impl Record {
    /// A stored value; null where there is none.
    pub(super) fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }

    /// A stored text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// Sets a value; null removes it.
    pub(super) fn set(&mut self, field: &str, value: Value) {
        if value.is_null() {
            self.fields.remove(field);
        } else {
            self.fields.insert(field.to_owned(), value);
        }
    }
}

/// What is left of a record that was deleted for good.
#[derive(Debug, Clone)]
pub(super) struct Purged {
    pub(super) object: String,
    pub(super) id: String,
    pub(super) at: String,
}

/// All records, by object and in the order of their creation.
#[derive(Debug, Default)]
pub(super) struct Store {
    tables: HashMap<String, IndexMap<String, Record>>,
    /// Live records by `(object, key field, folded value)`.
    keys: HashMap<(String, String, String), Vec<String>>,
    key_fields: HashMap<String, Vec<(String, bool)>>,
    undo: Vec<(String, String, Option<Record>)>,
    minted: u64,
    purged: Vec<Purged>,
}

impl Store {
    pub(super) fn new(schema: &Schema) -> Self {
        Self { key_fields: key_fields(schema), ..Self::default() }
    }

    /// Finds the keys anew, for a schema that has changed.
    pub(super) fn reindex(&mut self, schema: &Schema) {
        self.key_fields = key_fields(schema);
        self.keys.clear();
        let tables = std::mem::take(&mut self.tables);
        for record in tables.into_values().flat_map(IndexMap::into_values) {
            self.place(record);
        }
    }

    /// A new id for a record of this object.
    pub(super) fn mint_id(&mut self, object: &ObjectFacts) -> String {
        loop {
            self.minted += 1;
            let id = ids::mint(object.key_prefix.as_deref().unwrap_or("000"), self.minted);
            if self.get(&object.name, &id).is_none() {
                return id;
            }
        }
    }

    /// A record, deleted or not.
    pub(super) fn get(&self, object: &str, id: &str) -> Option<&Record> {
        self.tables.get(object)?.get(id)
    }

    /// A record that is not deleted.
    pub(super) fn live(&self, object: &str, id: &str) -> Option<&Record> {
        self.get(object, id).filter(|record| !record.deleted)
    }

    /// All records of an object, deleted ones too.
    pub(super) fn records(&self, object: &str) -> impl Iterator<Item = &Record> {
        self.tables.get(object).into_iter().flat_map(IndexMap::values)
    }

    /// Takes a record out of its table for good; only that it was there is remembered.
    pub(super) fn purge(&mut self, object: &str, id: &str, at: String) {
        self.unindex(object, id);
        if self.tables.get_mut(object).and_then(|table| table.shift_remove(id)).is_some() {
            self.purged.push(Purged { object: object.to_owned(), id: id.to_owned(), at });
        }
    }

    /// The records of an object that were deleted for good.
    pub(super) fn purged(&self, object: &str) -> impl Iterator<Item = &Purged> {
        self.purged.iter().filter(move |purged| purged.object == object)
    }

    /// The live records with this value in a key field.
    pub(super) fn find_by_key(&self, object: &str, field: &str, value: &Value) -> Vec<String> {
        let sensitive = self
            .key_fields
            .get(object)
            .is_some_and(|fields| fields.iter().any(|(name, sensitive)| name == field && *sensitive));
        let Some(folded) = fold(value, sensitive) else { return Vec::new() };
        self.keys.get(&(object.to_owned(), field.to_owned(), folded)).cloned().unwrap_or_default()
    }

    /// Puts a record in its table, in place of an older version of it.
    pub(super) fn put(&mut self, record: Record) {
        let object = record.object.clone();
        let id = record.id.clone();
        let previous = self.get(&object, &id).cloned();
        self.undo.push((object, id, previous));
        self.place(record);
    }

    /// Where an all-or-none request begins.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back everything since the mark.
    pub(super) fn rollback(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let Some((object, id, previous)) = self.undo.pop() else { break };
            if let Some(record) = previous {
                self.place(record);
            } else {
                self.unindex(&object, &id);
                if let Some(table) = self.tables.get_mut(&object) {
                    table.shift_remove(&id);
                }
            }
        }
    }

    /// Forgets how to undo; called when a request is over.
    pub(super) fn commit(&mut self) {
        self.undo.clear();
    }

    fn place(&mut self, record: Record) {
        self.unindex(&record.object, &record.id);
        if !record.deleted {
            for (field, sensitive) in self.key_fields.get(&record.object).into_iter().flatten() {
                if let Some(folded) = fold(record.get(field), *sensitive) {
                    let key = (record.object.clone(), field.clone(), folded);
                    self.keys.entry(key).or_default().push(record.id.clone());
                }
            }
        }
        self.tables.entry(record.object.clone()).or_default().insert(record.id.clone(), record);
    }

    fn unindex(&mut self, object: &str, id: &str) {
        let Some(record) = self.tables.get(object).and_then(|table| table.get(id)) else { return };
        for (field, sensitive) in self.key_fields.get(object).into_iter().flatten() {
            if let Some(folded) = fold(record.get(field), *sensitive) {
                let key = (object.to_owned(), field.clone(), folded);
                if let Some(found) = self.keys.get_mut(&key) {
                    found.retain(|known| known != id);
                }
            }
        }
    }
}

/// The fields of each object by which records are looked up, and whether case counts in them.
fn key_fields(schema: &Schema) -> HashMap<String, Vec<(String, bool)>> {
    let keys = |object: &ObjectFacts| {
        let fields =
            object.fields.iter().filter(|field| field.name != "Id" && (field.is_key() || field.unique));
        fields.map(|field| (field.name.clone(), field.case_sensitive)).collect()
    };
    schema.objects().map(|object| (object.name.clone(), keys(object))).collect()
}

/// The form in which key values are compared: without case, unless the field minds it; numbers by their amount.
fn fold(value: &Value, case_sensitive: bool) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if case_sensitive => Some(text.clone()),
        Value::String(text) => Some(text.to_lowercase()),
        Value::Number(number) => number.as_f64().map(|amount| amount.to_string()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(id: &str, key: &str) -> Record {
        let fields = HashMap::from([("HubSpot_Contact_ID__c".to_owned(), json!(key))]);
        Record { id: id.to_owned(), object: "Lead".to_owned(), deleted: false, fields }
    }

    #[test]
    fn a_rollback_restores_records_and_keys() {
        let mut store = Store::new(&Schema::built_in());
        store.put(record("1", "A"));
        store.commit();
        let mark = store.mark();
        store.put(record("1", "b"));
        store.put(record("2", "c"));
        assert_eq!(store.find_by_key("Lead", "HubSpot_Contact_ID__c", &json!("C")), ["2"]);
        store.rollback(mark);
        assert_eq!(store.find_by_key("Lead", "HubSpot_Contact_ID__c", &json!("a")), ["1"]);
        assert!(store.find_by_key("Lead", "HubSpot_Contact_ID__c", &json!("c")).is_empty());
        assert!(store.get("Lead", "2").is_none());
    }
}
