//! Writing records.
//!
//! Requests for one object with the same options share a collections call. A row that stands alone goes to its own
//! address, and so does a row that a duplicate rule blocked without saying which records it found.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use url::Url;

use crate::crm::http::{Answer, Call};
use crate::crm::waves::waves;
use crate::types::{CrmError, CrmErrorKind, FieldError, WriteAnswer, WriteRequest, WriteTarget};

use super::soql::name;
use super::{SalesforceClient, answers, is_id, values};

/// Records in one collections call (Salesforce's "sObject Collections" page).
pub(super) const ROWS: usize = 200;

/// Everything but the characters that are never special in a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// What rows must have in common to share a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    object: String,
    verb: Verb,
    allow_duplicates: bool,
    assignment_rule: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Verb {
    Create,
    Update,
    Upsert(String),
}

impl SalesforceClient {
    /// Writes records; one answer for each request, in order.
    pub(super) async fn write_records(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        let mut answers: Vec<Option<WriteAnswer>> = requests.iter().map(|r| self.refuse(r)).collect();
        let sound: Vec<usize> = (0..requests.len()).filter(|i| answers[*i].is_none()).collect();
        for (kind, members) in waves(&sound, ROWS, |i| describe(&requests[*i])) {
            let indices: Vec<usize> = members.into_iter().map(|member| sound[member]).collect();
            self.write_group(&kind, requests, &indices, &mut answers).await;
        }
        // INVARIANT: every sound request is in exactly one group, and a group answers all its members.
        answers
            .into_iter()
            .map(|answer| {
                answer.unwrap_or_else(|| WriteAnswer::Failed(self.refused("the write was not sent")))
            })
            .map(|answer| self.in_project_names(answer))
            .collect()
    }

    /// A duplicate rule names objects by their API names; the project may know them under others.
    fn in_project_names(&self, mut answer: WriteAnswer) -> WriteAnswer {
        if let WriteAnswer::Duplicate { matches, .. } = &mut answer {
            for found in matches {
                if let Some((alias, _)) =
                    self.aliases.iter().find(|(_, api_name)| **api_name == found.object.name)
                {
                    found.object.name.clone_from(alias);
                }
            }
        }
        answer
    }

    /// What no call could carry is answered here, so that it does not fail its neighbours.
    fn refuse(&self, request: &WriteRequest) -> Option<WriteAnswer> {
        let reject = |code: &str, message: String, field: &str| {
            let fields = vec![field.to_owned()];
            Some(WriteAnswer::Rejected {
                errors: vec![FieldError { code: code.to_owned(), message, fields }],
            })
        };
        if let Some((field, _)) = request.fields.iter().find(|(field, _)| name(field, false).is_err()) {
            return reject("INVALID_FIELD", format!("`{field}` is not an API name"), field);
        }
        if name(self.api_name(&request.object.name), false).is_err() {
            return reject("INVALID_TYPE", format!("`{}` is not an API name", request.object.name), "");
        }
        match &request.target {
            WriteTarget::Update { id } if !is_id(id) => {
                Some(WriteAnswer::Gone { message: format!("`{id}` is not a Salesforce id") })
            }
            WriteTarget::Upsert { key, .. } if name(key, false).is_err() => {
                reject("INVALID_FIELD", format!("`{key}` is not an API name"), key)
            }
            WriteTarget::Upsert { key, value } if value.is_empty() => {
                reject("MISSING_ARGUMENT", format!("`{key}` is blank, so no record can be named by it"), key)
            }
            _ => None,
        }
    }

    async fn write_group(
        &self,
        kind: &Kind,
        requests: &[WriteRequest],
        indices: &[usize],
        answers: &mut [Option<WriteAnswer>],
    ) {
        // Groups that are still to be sent; a refused whole is halved until the row at fault stands alone.
        let mut pending = vec![indices.to_vec()];
        while let Some(group) = pending.pop() {
            if let [index] = group[..]
                && fits_address(&requests[index].target)
            {
                answers[index] = Some(self.write_single(kind, &requests[index]).await);
                continue;
            }
            match self.write_collection(kind, requests, &group).await {
                Ok(rows) => {
                    for (index, row) in group.into_iter().zip(rows) {
                        let detail = row.lacks_details && fits_address(&requests[index].target);
                        answers[index] = Some(if detail {
                            self.write_single(kind, &requests[index]).await
                        } else {
                            row.answer
                        });
                    }
                }
                Err(error) if error.kind == CrmErrorKind::Refused && group.len() > 1 => {
                    let (left, right) = group.split_at(group.len() / 2);
                    pending.push(right.to_vec());
                    pending.push(left.to_vec());
                }
                Err(error) => {
                    for index in group {
                        answers[index] = Some(WriteAnswer::Failed(error.clone()));
                    }
                }
            }
        }
    }

    /// Writes one record at its own address.
    async fn write_single(&self, kind: &Kind, request: &WriteRequest) -> WriteAnswer {
        let object = self.api_name(&kind.object);
        let key = match &kind.verb {
            Verb::Upsert(key) => Some(key.as_str()),
            Verb::Create | Verb::Update => None,
        };
        let body = Json::Object(fields(request, key));
        let sent = self
            .send(|instance| {
                let (method, url) = match &request.target {
                    WriteTarget::Create => (Method::POST, self.resource(instance, &["sobjects", object])),
                    WriteTarget::Update { id } => {
                        (Method::PATCH, self.resource(instance, &["sobjects", object, id]))
                    }
                    WriteTarget::Upsert { key, value } => {
                        let base = self.resource(instance, &["sobjects", object, key]);
                        (Method::PATCH, self.append(&base, value)?)
                    }
                };
                Ok(with_options(Call::write(method, url, body.clone()), kind))
            })
            .await;
        match sent {
            Err(error) => WriteAnswer::Failed(error),
            Ok(answer) if !answer.success() => match answers::single(&answer, &request.object) {
                // Only an update names a record that can be missing; otherwise it is the object.
                WriteAnswer::Gone { .. } if answer.status == 404 && kind.verb != Verb::Update => {
                    WriteAnswer::Failed(self.http.explain(&answer, false))
                }
                decided => decided,
            },
            Ok(answer) => self.written(request, &answer).await,
        }
    }

    /// Reads a single write's success: 201 or 200 with a body, or 204 without one.
    async fn written(&self, request: &WriteRequest, answer: &Answer) -> WriteAnswer {
        let body = answer.json().unwrap_or(Json::Null);
        let id = body.get("id").and_then(Json::as_str);
        let created = body.get("created").and_then(Json::as_bool).unwrap_or(answer.status == 201);
        match (&request.target, id) {
            (WriteTarget::Update { id }, _) => WriteAnswer::Written { id: id.clone(), created: false },
            (_, Some(id)) => WriteAnswer::Written { id: id.to_owned(), created },
            // Old versions say nothing about a record that an upsert updated: its id must be read.
            (WriteTarget::Upsert { key, value }, None) if answer.status == 204 => {
                match self.id_by_key(request, key, value).await {
                    Ok(id) => WriteAnswer::Written { id, created: false },
                    Err(error) => WriteAnswer::Failed(CrmError { maybe_applied: true, ..error }),
                }
            }
            _ => WriteAnswer::Failed(self.http.garbled(answer, false)),
        }
    }

    async fn id_by_key(&self, request: &WriteRequest, key: &str, value: &str) -> Result<String, CrmError> {
        let object = self.api_name(&request.object.name);
        let answer = self
            .send(|instance| {
                let mut url = self.append(&self.resource(instance, &["sobjects", object, key]), value)?;
                url.query_pairs_mut().append_pair("fields", "Id");
                Ok(Call::get(url))
            })
            .await?;
        let record = self.http.read(&answer, true)?;
        let id = record.get("Id").and_then(Json::as_str).map(str::to_owned);
        id.ok_or_else(|| self.http.garbled(&answer, true))
    }

    /// Appends a key's value to an address, fully percent-encoded: it may hold slashes and anything else.
    fn append(&self, base: &Url, value: &str) -> Result<Url, CrmError> {
        let text = format!("{base}/{}", utf8_percent_encode(value, SEGMENT));
        Url::parse(&text).map_err(|_| self.refused(format!("`{value}` cannot stand in an address")))
    }

    /// Writes several records of one kind; the rows' answers in order.
    async fn write_collection(
        &self,
        kind: &Kind,
        requests: &[WriteRequest],
        group: &[usize],
    ) -> Result<Vec<Row>, CrmError> {
        let object = self.api_name(&kind.object);
        let rows: Vec<Json> = group.iter().map(|index| collection_row(object, &requests[*index])).collect();
        let body = json!({"allOrNone": false, "records": rows});
        let answer = self
            .send(|instance| {
                let (method, url) = match &kind.verb {
                    Verb::Create => (Method::POST, self.resource(instance, &["composite", "sobjects"])),
                    Verb::Update => (Method::PATCH, self.resource(instance, &["composite", "sobjects"])),
                    Verb::Upsert(key) => {
                        (Method::PATCH, self.resource(instance, &["composite", "sobjects", object, key]))
                    }
                };
                Ok(with_options(Call::write(method, url, body.clone()), kind))
            })
            .await?;
        match self.http.read(&answer, false)? {
            Json::Array(results) if results.len() == group.len() => Ok(results
                .iter()
                .zip(group)
                .map(|(result, index)| self.read_row(result, kind, &requests[*index], &answer))
                .collect()),
            _ => Err(self.http.garbled(&answer, false)),
        }
    }

    fn read_row(&self, result: &Json, kind: &Kind, request: &WriteRequest, answer: &Answer) -> Row {
        let id = result.get("id").and_then(Json::as_str);
        if result.get("success").and_then(Json::as_bool) == Some(true) {
            let created = match kind.verb {
                Verb::Create => true,
                Verb::Update => false,
                Verb::Upsert(_) => result.get("created").and_then(Json::as_bool).unwrap_or(false),
            };
            let answer = match (id, &request.target) {
                (Some(id), _) => WriteAnswer::Written { id: id.to_owned(), created },
                (None, WriteTarget::Update { id }) => WriteAnswer::Written { id: id.clone(), created },
                (None, _) => WriteAnswer::Failed(self.http.garbled(answer, false)),
            };
            return Row { answer, lacks_details: false };
        }
        let problems = answers::problems(Some(result));
        let said = result.to_string();
        Row {
            answer: answers::row(answer.status, &problems, &request.object, &said),
            lacks_details: problems.iter().any(answers::Problem::lacks_details),
        }
    }
}

/// One row of a collections answer.
struct Row {
    answer: WriteAnswer,
    /// A duplicate rule blocked it, and only the record's own address tells what the rule found. Nothing was written, so
    /// asking there is safe.
    lacks_details: bool,
}

fn describe(request: &WriteRequest) -> (Kind, Option<String>) {
    let object = request.object.name.clone();
    let (verb, record) = match &request.target {
        WriteTarget::Create => (Verb::Create, None),
        WriteTarget::Update { id } => (Verb::Update, Some(format!("{object} {id}"))),
        WriteTarget::Upsert { key, value } => {
            // External IDs are compared without case unless the field says otherwise.
            (Verb::Upsert(key.clone()), Some(format!("{object} {key} {}", value.to_lowercase())))
        }
    };
    let assignment_rule = request.assignment_rule.clone();
    (Kind { object, verb, allow_duplicates: request.allow_duplicates, assignment_rule }, record)
}

/// Whether a record can be named in an address. An ending such as `.inc` is taken for a file and answered with 404,
/// and full stops alone would be a way up; both go to collections.
fn fits_address(target: &WriteTarget) -> bool {
    match target {
        WriteTarget::Upsert { value, .. } => !value.contains('.'),
        WriteTarget::Create | WriteTarget::Update { .. } => true,
    }
}

/// The fields as JSON, without the id and the key: neither may stand in the body of a single write.
fn fields(request: &WriteRequest, key: Option<&str>) -> Map<String, Json> {
    let named = |field: &str| {
        field.eq_ignore_ascii_case("Id") || key.is_some_and(|key| field.eq_ignore_ascii_case(key))
    };
    let kept = request.fields.iter().filter(|(field, _)| !named(field));
    kept.map(|(field, value)| (field.clone(), values::to_json(value))).collect()
}

fn collection_row(object: &str, request: &WriteRequest) -> Json {
    let mut row = Map::new();
    row.insert("attributes".to_owned(), json!({"type": object}));
    match &request.target {
        WriteTarget::Create => row.extend(fields(request, None)),
        WriteTarget::Update { id } => {
            row.insert("id".to_owned(), Json::String(id.clone()));
            row.extend(fields(request, None));
        }
        WriteTarget::Upsert { key, value } => {
            row.insert(key.clone(), Json::String(value.clone()));
            row.extend(fields(request, Some(key)));
        }
    }
    Json::Object(row)
}

fn with_options(mut call: Call, kind: &Kind) -> Call {
    if kind.allow_duplicates {
        call.headers.push(("Sforce-Duplicate-Rule-Header", "allowSave=true".to_owned()));
    }
    if let Some(rule) = &kind.assignment_rule {
        call.headers.push(("Sforce-Auto-Assign", rule.clone()));
    }
    call
}
