//! Writing records in batches, so that no row fails its neighbours.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Map, Value as Json, json};

use crate::crm::http::Call;
use crate::crm::waves::waves;
use crate::types::{CrmError, CrmErrorKind, WriteAnswer, WriteRequest, WriteTarget};

use super::answers::{self, Problem};
use super::{HubspotClient, values};

/// Inputs in one batch (HubSpot's batch pages).
pub(super) const BATCH: usize = 100;

/// What rows must have in common to share a batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    object: String,
    verb: Verb,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Verb {
    Create,
    Update,
    Upsert(String),
}

impl HubspotClient {
    /// Writes records; one answer for each request, in order.
    pub(super) async fn write_records(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        let mut answers: Vec<Option<WriteAnswer>> = requests.iter().map(|_| None).collect();
        for (kind, indices) in waves(requests, BATCH, describe) {
            // Batches that are still to be sent; one that is refused whole is halved.
            let mut pending = vec![indices];
            while let Some(group) = pending.pop() {
                let single = group.len() == 1;
                if let ([index], Verb::Create | Verb::Update) = (&group[..], &kind.verb) {
                    answers[*index] = Some(self.write_single(&requests[*index]).await);
                    continue;
                }
                match self.write_batch(&kind, requests, &group).await {
                    Outcome::Rows(rows, again) => {
                        for (index, answer) in rows {
                            answers[index] = Some(answer);
                        }
                        pending.extend(again.into_iter().map(|index| vec![index]));
                    }
                    Outcome::Refused(answer) if single => answers[group[0]] = Some(answer),
                    Outcome::Refused(_) => {
                        let (left, right) = group.split_at(group.len() / 2);
                        pending.push(right.to_vec());
                        pending.push(left.to_vec());
                    }
                    Outcome::Failed(error) => {
                        for index in group {
                            answers[index] = Some(WriteAnswer::Failed(error.clone()));
                        }
                    }
                }
            }
        }
        // INVARIANT: every request is in exactly one group, and a group answers all its members.
        answers
            .into_iter()
            .map(|answer| {
                answer.unwrap_or_else(|| WriteAnswer::Failed(self.refused("the write was not sent")))
            })
            .collect()
    }

    /// Writes one record at its own address; there is none for an upsert.
    async fn write_single(&self, request: &WriteRequest) -> WriteAnswer {
        let (method, url) = match &request.target {
            WriteTarget::Update { id } => {
                (Method::PATCH, self.objects_address(&request.object.name, &[id.as_str()]))
            }
            _ => (Method::POST, self.objects_address(&request.object.name, &[])),
        };
        let call = Call::write(method, url, json!({"properties": properties(request)}));
        let answer = match self.send(&call).await {
            Ok(answer) => answer,
            Err(error) => return WriteAnswer::Failed(error),
        };
        let named = matches!(request.target, WriteTarget::Update { .. });
        if !answer.success() {
            return answers::single(&answer, named);
        }
        match answer.json().as_ref().and_then(|body| body.get("id")?.as_str()) {
            Some(id) => WriteAnswer::Written { id: id.to_owned(), created: !named },
            None => WriteAnswer::Failed(self.http.garbled(&answer, false)),
        }
    }

    async fn write_batch(&self, kind: &Kind, requests: &[WriteRequest], group: &[usize]) -> Outcome {
        let verb = match kind.verb {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Upsert(_) => "upsert",
        };
        let inputs: Vec<Json> = group.iter().map(|index| input(*index, &requests[*index])).collect();
        let url = self.objects_address(&kind.object, &["batch", verb]);
        let call = Call::write(Method::POST, url, json!({"inputs": inputs}));
        let answer = match self.send(&call).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Failed(error),
        };
        if !answer.success() {
            let one = answers::single(&answer, false);
            return match one {
                // A body that nobody understands is no statement about a row.
                WriteAnswer::Failed(error) if error.kind == CrmErrorKind::Garbled => Outcome::Failed(error),
                other => Outcome::Refused(other),
            };
        }
        match answer.json() {
            Some(body) if body.get("results").is_some_and(Json::is_array) => {
                self.sort_out(kind, requests, group, &body)
            }
            _ => Outcome::Failed(self.http.garbled(&answer, false)),
        }
    }

    /// Hands a batch's results and errors out to its rows.
    ///
    /// HubSpot promises no order. A result belongs to the row whose trace id, id or key it carries, or whose values it
    /// alone echoes. What cannot be told apart is not guessed: a wrong id would tie two strangers together.
    fn sort_out(&self, kind: &Kind, requests: &[WriteRequest], group: &[usize], body: &Json) -> Outcome {
        let mut rows = Vec::with_capacity(group.len());
        let mut open: Vec<usize> = group.to_vec();
        let mut nameless = 0_usize;
        for error in list(body, "errors").iter().filter_map(Problem::read) {
            let mut named = blamed(&error, requests, &open);
            if named.is_empty() && group.len() == 1 {
                named.clone_from(&open);
            }
            if named.is_empty() {
                nameless += 1;
            }
            for index in named {
                open.retain(|other| *other != index);
                rows.push((index, answers::row(&error)));
            }
        }
        let mut results = list(body, "results");
        for certain in [by_name, by_values] {
            results.retain(|result| match certain(result, kind, requests, &open) {
                Some(index) => {
                    open.retain(|other| *other != index);
                    rows.push((index, self.written(kind, result)));
                    false
                }
                None => true,
            });
        }
        match (&open[..], &results[..]) {
            ([index], [result]) if nameless == 0 => rows.push((*index, self.written(kind, result))),
            ([], _) => {}
            // Every result has its row, so these rows are the ones that failed: alone they will say why. One that was
            // alone has said all that it will.
            (_, []) if group.len() > 1 && (nameless > 0 || !matches!(kind.verb, Verb::Create)) => {
                return Outcome::Rows(rows, open);
            }
            _ => {
                let unclear = self.garbled("it does not say which record is which", false);
                rows.extend(open.iter().map(|index| (*index, WriteAnswer::Failed(unclear.clone()))));
            }
        }
        Outcome::Rows(rows, Vec::new())
    }

    fn written(&self, kind: &Kind, result: &Json) -> WriteAnswer {
        let created = match kind.verb {
            Verb::Create => true,
            Verb::Update => false,
            Verb::Upsert(_) => result.get("new").and_then(Json::as_bool).unwrap_or(false),
        };
        match result.get("id").and_then(Json::as_str) {
            Some(id) => WriteAnswer::Written { id: id.to_owned(), created },
            None => WriteAnswer::Failed(self.garbled("a written record has no `id`", false)),
        }
    }
}

/// What became of a batch.
enum Outcome {
    /// Answers for some rows, and the rows that go again by themselves.
    Rows(Vec<(usize, WriteAnswer)>, Vec<usize>),
    /// Nothing was written because of some row; the answer if there is only one.
    Refused(WriteAnswer),
    /// The call failed.
    Failed(CrmError),
}

fn describe(request: &WriteRequest) -> (Kind, Option<String>) {
    let object = request.object.name.clone();
    let (verb, record) = match &request.target {
        WriteTarget::Create => (Verb::Create, None),
        WriteTarget::Update { id } => (Verb::Update, Some(format!("{object} {id}"))),
        WriteTarget::Upsert { key, value } => {
            (Verb::Upsert(key.clone()), Some(format!("{object} {key} {}", value.to_lowercase())))
        }
    };
    (Kind { object, verb }, record)
}

fn properties(request: &WriteRequest) -> Map<String, Json> {
    let fields = request.fields.iter();
    fields.map(|(field, value)| (field.clone(), Json::String(values::to_text(value)))).collect()
}

fn input(index: usize, request: &WriteRequest) -> Json {
    // Without a trace id in each input, HubSpot fails a whole batch create for one row (its batch create page).
    let mut input = json!({"properties": properties(request), "objectWriteTraceId": index.to_string()});
    match &request.target {
        WriteTarget::Create => {}
        WriteTarget::Update { id } => input["id"] = Json::String(id.clone()),
        WriteTarget::Upsert { key, value } => {
            input["id"] = Json::String(value.clone());
            input["idProperty"] = Json::String(key.clone());
        }
    }
    input
}

fn list(body: &Json, name: &str) -> Vec<Json> {
    body.get(name).and_then(Json::as_array).cloned().unwrap_or_default()
}

/// The rows that an error is about: by trace id, or by the ids that it lists.
fn blamed(error: &Problem, requests: &[WriteRequest], open: &[usize]) -> Vec<usize> {
    let traced = error.context("objectWriteTraceId");
    let ids = error.context("ids").into_iter().chain(error.context("id")).collect::<Vec<_>>();
    let named = |index: &usize| {
        traced.contains(&index.to_string())
            || match &requests[*index].target {
                WriteTarget::Update { id } => ids.contains(id),
                WriteTarget::Upsert { value, .. } => ids.contains(value),
                WriteTarget::Create => false,
            }
    };
    open.iter().copied().filter(named).collect()
}

/// The row that a result names.
fn by_name(result: &Json, _: &Kind, requests: &[WriteRequest], open: &[usize]) -> Option<usize> {
    let text = |name: &str| result.get(name).and_then(Json::as_str);
    if let Some(trace) = text("objectWriteTraceId") {
        return open.iter().copied().find(|index| index.to_string() == trace);
    }
    let property = |name: &str| result.pointer("/properties")?.get(name)?.as_str();
    open.iter().copied().find(|index| match &requests[*index].target {
        WriteTarget::Update { id } => text("id") == Some(id),
        WriteTarget::Upsert { key, value } => {
            property(key).is_some_and(|v| v.to_lowercase() == value.to_lowercase())
        }
        WriteTarget::Create => false,
    })
}

/// The one row all of whose values a result echoes (HubSpot's answers hold what was sent); HubSpot puts e-mail addresses in lower case.
fn by_values(result: &Json, kind: &Kind, requests: &[WriteRequest], open: &[usize]) -> Option<usize> {
    if kind.verb != Verb::Create {
        return None;
    }
    let echoed: HashMap<&str, String> = result
        .get("properties")?
        .as_object()?
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.to_lowercase())))
        .collect();
    // A value that is not echoed proves nothing, and another row might have it by default.
    let fits = |index: &&usize| {
        let mut sent = requests[**index].fields.iter().filter(|(_, value)| !value.is_blank()).peekable();
        sent.peek().is_some()
            && sent.all(|(name, value)| {
                echoed.get(name.as_str()) == Some(&values::to_text(value).to_lowercase())
            })
    };
    let mut fitting = open.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(index), None) => Some(*index),
        _ => None,
    }
}
