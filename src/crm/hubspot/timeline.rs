//! Events on the timeline of a record: what happened outside of HubSpot.
//!
//! They have an API of their own. The writer gives an event its id, its template and the template's tokens, and nobody
//! changes it afterwards (HubSpot's timeline events API, "Create events").

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use url::Url;

use crate::crm::http::Call;
use crate::types::{
    CrmError, CrmErrorKind, FieldError, FilterOp, FindRequest, ReadRequest, Record, WriteAnswer,
    WriteRequest, WriteTarget, display,
};

use super::{HubspotClient, answers, values};

/// Inputs in one batch.
pub(super) const BATCH: usize = 100;

/// The names of an event's own fields; every other one is a token of its template.
const ID: &str = "id";
const OWN: [&str; 2] = ["objectId", "timestamp"];

/// HTTP: there is no such event.
const NOT_FOUND: u16 = 404;

impl HubspotClient {
    /// The template of an object whose records are events.
    pub(super) fn template(&self, object: &str) -> Option<&str> {
        self.timelines.get(object).map(String::as_str)
    }

    fn events_address(&self, rest: &[&str]) -> Url {
        // They have this address in every version of the other APIs.
        let mut segments = vec!["integrators", "timeline", "v3", "events"];
        segments.extend_from_slice(rest);
        super::join(&self.base, &segments)
    }

    /// Reads events by id; one that does not exist is absent. There is no batch.
    pub(super) async fn read_events(
        &self,
        template: &str,
        request: &ReadRequest,
    ) -> Result<Vec<Record>, CrmError> {
        let mut records = Vec::with_capacity(request.ids.len());
        for id in request.ids.iter().filter(|id| !id.is_empty()) {
            let call = Call::get(self.events_address(&[template, id]));
            match self.json(&call).await {
                Ok(event) => {
                    let values = request.fields.iter().map(|field| (field.clone(), held(&event, field)));
                    let (object, id) = (request.object.clone(), id.clone());
                    records.push(Record { object, id, values: values.collect() });
                }
                Err(error) if error.status == Some(NOT_FOUND) && error.kind == CrmErrorKind::Refused => {}
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Looks an event up: by its id, since no search knows them.
    pub(super) async fn find_event(
        &self,
        template: &str,
        request: &FindRequest,
    ) -> Result<Vec<Record>, CrmError> {
        let [filter] = &request.filters[..] else {
            return Err(self.refused("an event is found by its id alone"));
        };
        let ids = match &filter.op {
            FilterOp::Eq(value) if filter.field == ID => vec![display(value)],
            FilterOp::In(values) if filter.field == ID => values.iter().map(display).collect(),
            _ => return Err(self.refused("an event is found by its id alone")),
        };
        let (object, fields) = (request.object.clone(), request.fields.clone());
        let mut found = self.read_events(template, &ReadRequest { object, ids, fields }).await?;
        found.truncate(request.limit as usize);
        Ok(found)
    }

    /// Makes events; one answer for each request, in order.
    pub(super) async fn write_events(&self, requests: &[&WriteRequest]) -> Vec<WriteAnswer> {
        let mut answers: Vec<Option<WriteAnswer>> = requests.iter().map(|_| None).collect();
        let all: Vec<usize> = (0..requests.len()).collect();
        for group in all.chunks(BATCH) {
            if let [index] = group {
                answers[*index] = Some(self.make_event(requests[*index]).await);
                continue;
            }
            let mut alone = Vec::new();
            match self.make_events(requests, group).await {
                Ok(made) => {
                    for index in group {
                        match event_id(requests[*index]).filter(|id| made.contains(*id)) {
                            Some(id) => answers[*index] = Some(written(id)),
                            None => alone.push(*index),
                        }
                    }
                }
                // One row at fault, or nobody knows which: each is sent by itself. An event that is there already is told
                // by its id, so none is made twice.
                Err(error) if error.kind == CrmErrorKind::Refused => alone.extend_from_slice(group),
                Err(error) => {
                    for index in group {
                        answers[*index] = Some(WriteAnswer::Failed(error.clone()));
                    }
                }
            }
            for index in alone {
                answers[index] = Some(self.make_event(requests[index]).await);
            }
        }
        // INVARIANT: every request is in exactly one group, and a group answers all its members.
        let unsent = || WriteAnswer::Failed(self.refused("the event was not sent"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unsent)).collect()
    }

    /// Makes several; the ids that HubSpot says were made.
    async fn make_events(
        &self,
        requests: &[&WriteRequest],
        group: &[usize],
    ) -> Result<HashSet<String>, CrmError> {
        let inputs: Vec<Json> = group.iter().map(|index| self.input(requests[*index])).collect();
        let call =
            Call::write(Method::POST, self.events_address(&["batch", "create"]), json!({"inputs": inputs}));
        let answer = self.send(&call).await?;
        if answer.success() && answer.body.is_empty() {
            // HubSpot's own clients expect no body here.
            let ids = group.iter().filter_map(|index| event_id(requests[*index]));
            return Ok(ids.map(str::to_owned).collect());
        }
        let body: Json = self.http.read(&answer, call.safe)?;
        let Some(results) = body.get("results").and_then(Json::as_array) else {
            return Err(self.garbled("it has no `results`", false));
        };
        let ids = results.iter().filter_map(|result| result.get(ID)?.as_str());
        Ok(ids.map(str::to_owned).collect())
    }

    async fn make_event(&self, request: &WriteRequest) -> WriteAnswer {
        let Some(id) = event_id(request) else {
            let message = "an event of a timeline cannot be changed".to_owned();
            return WriteAnswer::Rejected {
                errors: vec![FieldError { code: "IMMUTABLE".to_owned(), message, fields: Vec::new() }],
            };
        };
        let call = Call::write(Method::POST, self.events_address(&[]), self.input(request));
        match self.send(&call).await {
            Ok(answer) if answer.success() => written(id),
            Ok(answer) => answers::single(&answer, false),
            Err(error) => WriteAnswer::Failed(error),
        }
    }

    /// An event as HubSpot takes it: its own fields beside its tokens, all of them text.
    fn input(&self, request: &WriteRequest) -> Json {
        let mut event = Map::new();
        let mut tokens = Map::new();
        for (field, value) in request.fields.iter().filter(|(_, value)| !value.is_blank()) {
            let into = if OWN.contains(&field.as_str()) { &mut event } else { &mut tokens };
            into.insert(field.clone(), Json::String(values::to_text(value)));
        }
        let template = self.template(&request.object.name).unwrap_or_default();
        event.insert("eventTemplateId".to_owned(), Json::from(template));
        event.insert("tokens".to_owned(), Json::Object(tokens));
        if let Some(id) = event_id(request) {
            event.insert(ID.to_owned(), Json::from(id));
        }
        Json::Object(event)
    }
}

/// The id that an event is given: its key.
fn event_id(request: &WriteRequest) -> Option<&str> {
    match &request.target {
        WriteTarget::Upsert { value, .. } => Some(value),
        WriteTarget::Create | WriteTarget::Update { .. } => None,
    }
}

fn written(id: &str) -> WriteAnswer {
    WriteAnswer::Written { id: id.to_owned(), created: true }
}

/// What an event holds in a field.
fn held(event: &Json, field: &str) -> Json {
    let own = field == ID || OWN.contains(&field);
    let value = if own { event.get(field) } else { event.get("tokens").and_then(|tokens| tokens.get(field)) };
    value.cloned().unwrap_or(Json::Null)
}
