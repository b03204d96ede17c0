//! `composite/tree/X`: records with their children, all created or none.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Request, method_not_allowed, settle};
use super::org::{Caller, Org};
use super::records;
use super::schema::ObjectFacts;

/// Records in one request (Salesforce's REST guide: sObject Tree).
const MAX_RECORDS: usize = 200;

struct Run<'a> {
    caller: &'a Caller,
    raw: &'a str,
    created: Vec<Value>,
    failed: Vec<Value>,
    count: usize,
}

/// Answers `POST composite/tree/X`.
pub(super) fn create(org: &mut Org, caller: &Caller, request: &Request, object: &str) -> Answer {
    if request.method != "POST" {
        return method_not_allowed(&request.method, "POST");
    }
    settle(create_all(org, caller, request, object))
}

fn create_all(org: &mut Org, caller: &Caller, request: &Request, object: &str) -> Result<Answer, Answer> {
    let schema = Arc::clone(&org.schema);
    let facts = schema.object(object).ok_or_else(ApiError::no_resource)?;
    let body = request.json()?;
    let records = body.get("records").and_then(Value::as_array).cloned().unwrap_or_default();
    let mark = org.store.mark();
    let mut run = Run { caller, raw: &request.body, created: Vec::new(), failed: Vec::new(), count: 0 };
    for record in &records {
        run.one(org, facts, record, None);
    }
    if run.count > MAX_RECORDS {
        let message =
            format!("record limit reached. cannot submit more than {MAX_RECORDS} records into this call");
        run.failed.push(json!({"errors": [ApiError::on_fields("INVALID_INPUT", message, &[]).to_result()]}));
    }
    if run.failed.is_empty() {
        return Ok(Answer::json(201, json!({"hasErrors": false, "results": run.created})));
    }
    org.store.rollback(mark);
    Ok(Answer::json(400, json!({"hasErrors": true, "results": run.failed})))
}

impl Run<'_> {
    fn one(&mut self, org: &mut Org, facts: &ObjectFacts, record: &Value, parent: Option<(&str, &str)>) {
        self.count += 1;
        let schema = Arc::clone(&org.schema);
        let reference = record.pointer("/attributes/referenceId").cloned().unwrap_or(Value::Null);
        let mut fields = Map::new();
        let mut children = Vec::new();
        for (name, value) in record.as_object().into_iter().flatten() {
            let nested = value.get("records").and_then(Value::as_array);
            let child = nested.and_then(|records| {
                schema
                    .children_of(facts)
                    .find(|(_, field)| {
                        field.children.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name))
                    })
                    .map(|(object, field)| (object, field, records))
            });
            match child {
                Some(child) => children.push(child),
                None => {
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
        if let Some((field, id)) = parent {
            fields.insert(field.to_owned(), id.into());
        }
        match records::create(org, self.caller, &facts.name, &fields, self.raw) {
            Ok(id) => {
                self.created.push(json!({"referenceId": reference, "id": id}));
                for (object, field, records) in children {
                    for record in records {
                        self.one(org, object, record, Some((&field.name, &id)));
                    }
                }
            }
            Err(errors) => {
                let errors: Vec<Value> = errors.iter().map(ApiError::to_result).collect();
                self.failed.push(json!({"referenceId": reference, "errors": errors}));
            }
        }
    }
}
