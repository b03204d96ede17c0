//! Duplicate rules: which records they find, and the finding as the API reports it.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::org::Caller;
use super::schema::Schema;
use super::store::{Record, Store};

/// A duplicate rule of one object.
///
/// ```yaml
/// - name: Leads_DR
///   object: Lead
///   action: block            # or `alert`: saved when the allow-save header is sent
///   matches:
///     - {object: Contact, rule: Contact_MR, fields: [Email]}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateRule {
    /// The rule's name (`Leads_DR`).
    pub name: String,
    /// The object whose writes it watches.
    pub object: String,
    /// What it does with a write that has a match.
    #[serde(default)]
    pub action: DuplicateAction,
    /// The text for the person who writes.
    #[serde(default = "default_message", alias = "errorMessage")]
    pub message: String,
    /// What it compares with; one match is enough.
    #[serde(alias = "match")]
    pub matches: Vec<DuplicateMatch>,
}

/// What a duplicate rule does with a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuplicateAction {
    /// The write is refused.
    #[default]
    Block,
    /// The write is refused unless `Sforce-Duplicate-Rule-Header: allowSave=true` is sent.
    #[serde(alias = "allow", alias = "allow-with-alert")]
    Alert,
}

/// A matching rule: records of an object that agree in all of some fields.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateMatch {
    /// The object that is searched.
    pub object: String,
    /// The matching rule's name.
    #[serde(default = "default_matching_rule")]
    pub rule: String,
    /// The fields that must agree, and be filled.
    pub fields: MatchFields,
}

/// Fields of a matching rule: the same names on both objects, or pairs of (written, searched).
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum MatchFields {
    /// The same names on both objects.
    Same(Vec<String>),
    /// The written object's field to the searched object's field.
    Pairs(IndexMap<String, String>),
}

impl MatchFields {
    fn pairs(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Same(names) => names.iter().map(|name| (name.as_str(), name.as_str())).collect(),
            Self::Pairs(pairs) => pairs.iter().map(|(left, right)| (left.as_str(), right.as_str())).collect(),
        }
    }
}

fn default_message() -> String {
    "You're creating a duplicate record. We recommend you use an existing record instead.".to_owned()
}

fn default_matching_rule() -> String {
    "Standard_Matching_Rule".to_owned()
}

/// Checks a record about to be written against the rules; `before` is its former state on an update.
pub(super) fn check(
    rules: &[DuplicateRule],
    schema: &Schema,
    store: &Store,
    caller: &Caller,
    record: &Record,
    before: Option<&Record>,
) -> Result<(), ApiError> {
    for rule in rules.iter().filter(|rule| rule.object.eq_ignore_ascii_case(&record.object)) {
        if rule.action == DuplicateAction::Alert && caller.allow_save {
            continue;
        }
        for matching in &rule.matches {
            let found = find(matching, schema, store, record, before);
            if !found.is_empty() {
                return Err(finding(rule, matching, &found, caller));
            }
        }
    }
    Ok(())
}

fn find<'a>(
    matching: &DuplicateMatch,
    schema: &Schema,
    store: &'a Store,
    record: &Record,
    before: Option<&Record>,
) -> Vec<&'a Record> {
    let (Some(own), Some(other)) = (schema.object(&record.object), schema.object(&matching.object)) else {
        return Vec::new();
    };
    let mut wanted = Vec::new();
    for (left, right) in matching.fields.pairs() {
        let (Some(left), Some(right)) = (own.field(left), other.field(right)) else { return Vec::new() };
        let value = record.get(&left.name);
        if value.is_null() {
            return Vec::new();
        }
        wanted.push((left.name.as_str(), right.name.as_str(), fold(value)));
    }
    // An update is matched only when it touches what the rule compares.
    if before.is_some_and(|before| wanted.iter().all(|(left, _, value)| fold(before.get(left)) == *value)) {
        return Vec::new();
    }
    store
        .records(&other.name)
        .filter(|candidate| !candidate.deleted && candidate.id != record.id)
        // A converted Lead is out of the reach of matching rules; its Contact is what can be found.
        .filter(|candidate| candidate.get("IsConverted") != &Value::Bool(true))
        .filter(|candidate| wanted.iter().all(|(_, right, value)| fold(candidate.get(right)) == *value))
        .collect()
}

fn fold(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_lowercase)
}

fn finding(rule: &DuplicateRule, matching: &DuplicateMatch, found: &[&Record], caller: &Caller) -> ApiError {
    let records: Vec<Value> = found
        .iter()
        .map(|record| {
            let mut shown = Map::new();
            let url = format!("{}/sobjects/{}/{}", caller.root(), record.object, record.id);
            shown.insert("attributes".into(), json!({"type": record.object, "url": url}));
            shown.insert("Id".into(), record.id.clone().into());
            if caller.include_record_details {
                let mut fields: Vec<_> = record.fields.iter().collect();
                fields.sort_by_key(|(name, _)| name.as_str());
                shown.extend(fields.into_iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            json!({
                "additionalInformation": [],
                "fieldDiffs": [],
                "matchConfidence": 100,
                "record": shown,
            })
        })
        .collect();
    let result = json!({
        "allowSave": rule.action == DuplicateAction::Alert,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": rule.object,
        "errorMessage": rule.message,
        "matchResults": [{
            "entityType": matching.object,
            "errors": [],
            "matchEngine": "ExactMatchEngine",
            "matchRecords": records,
            "rule": matching.rule,
            "size": found.len(),
            "success": true,
        }],
    });
    let mut error = ApiError::on_fields("DUPLICATES_DETECTED", rule.message.clone(), &[]);
    error.duplicate = Some(Box::new(result));
    error
}
