//! Associations, which HubSpot keeps in an API of its own (v4) whose reads and writes are batches.

use std::collections::HashMap;
use std::sync::PoisonError;

use serde_json::{Value as Json, json};
use url::Url;

use crate::crm::http::{Body, Call};
use crate::types::{AssociateRequest, AssociatedRequest, AssociationKind, CrmError, CrmErrorKind};

use super::HubspotClient;
use super::answers::Problem;

/// Inputs in one call that reads, and in one that writes, which would take 2,000 (HubSpot's associations v4 page).
pub(super) const READS: usize = 1_000;
pub(super) const BATCH: usize = 100;

/// HubSpot's own label of the primary association.
const PRIMARY: &str = "Primary";

/// HTTP: the record does not exist.
const NOT_FOUND: u16 = 404;

/// What is done to an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Remove,
}

/// One association type between two objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    category: String,
    type_id: u64,
    text: Option<String>,
}

impl Label {
    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            category: json.get("category")?.as_str()?.to_owned(),
            type_id: json.get("typeId")?.as_u64()?,
            text: json.get("label").and_then(Json::as_str).map(str::to_owned),
        })
    }

    fn is(&self, kind: &AssociationKind) -> bool {
        let labelled =
            |text: &str| self.text.as_deref().is_some_and(|label| label.eq_ignore_ascii_case(text));
        match kind {
            AssociationKind::Plain => true,
            AssociationKind::Primary => self.category == "HUBSPOT_DEFINED" && labelled(PRIMARY),
            AssociationKind::Labelled(text) => labelled(text),
        }
    }
}

impl HubspotClient {
    /// The ids associated with each id; an id without any is absent.
    pub(super) async fn read_associations(
        &self,
        request: &AssociatedRequest,
    ) -> Result<HashMap<String, Vec<String>>, CrmError> {
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        let mut ids: Vec<&String> = request.ids.iter().collect();
        ids.sort_unstable();
        ids.dedup();
        // One record's associations can need several pages, each asked for with the record's own `after`.
        let mut inputs: Vec<Json> = ids.iter().map(|id| json!({"id": id})).collect();
        while !inputs.is_empty() {
            let batch: Vec<Json> = inputs.drain(..inputs.len().min(READS)).collect();
            let url = self.pair_address(&request.from.name, &request.to, &["batch", "read"]);
            let answer = self.json(&Call::ask(url, json!({"inputs": batch}))).await?;
            self.refuse_errors(&answer)?;
            let Some(results) = answer.get("results").and_then(Json::as_array) else {
                return Err(self.garbled("it has no `results`", true));
            };
            for result in results {
                let Some(from) = result.pointer("/from/id").and_then(id_text) else { continue };
                let to = matching(result, &request.kind);
                if !to.is_empty() {
                    found.entry(from.clone()).or_default().extend(to);
                }
                if let Some(after) = result.pointer("/paging/next/after") {
                    inputs.push(json!({"id": from, "after": after}));
                }
            }
        }
        Ok(found)
    }

    fn refuse_errors(&self, answer: &Json) -> Result<(), CrmError> {
        let errors = answer.get("errors").and_then(Json::as_array).cloned().unwrap_or_default();
        let problems = errors.iter().filter_map(Problem::read);
        // A record that is gone has no associations either.
        match problems.into_iter().find(|p| !p.is_no_associations() && !p.is_not_found()) {
            None => Ok(()),
            Some(problem) => Err(self.refused(problem.words())),
        }
    }

    /// Adds associations, or removes them; one answer for each request, in order. Adding one twice changes nothing, and
    /// neither does removing one that is not there.
    pub(super) async fn change_associations(
        &self,
        requests: &[AssociateRequest],
        change: Change,
    ) -> Vec<Result<(), CrmError>> {
        let mut answers: Vec<Result<(), CrmError>> = requests.iter().map(|_| Ok(())).collect();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            let fits = |group: &&mut Vec<usize>| {
                let first: &AssociateRequest = &requests[group[0]];
                group.len() < BATCH
                    && first.from == request.from
                    && first.to == request.to
                    && first.kind == request.kind
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        // A group with an error is halved until the pair at fault stands alone.
        while let Some(group) = groups.pop() {
            let done = match change {
                Change::Add => self.associate_group(requests, &group).await,
                Change::Remove => self.dissociate_group(requests, &group).await,
            };
            let Err(error) = done else { continue };
            if group.len() > 1 && error.kind == CrmErrorKind::Refused {
                let (left, right) = group.split_at(group.len() / 2);
                groups.extend([left.to_vec(), right.to_vec()]);
            } else if change == Change::Remove && error.status == Some(NOT_FOUND) {
                // A record that is gone is associated with nothing.
            } else {
                for index in group {
                    answers[index] = Err(error.clone());
                }
            }
        }
        answers
    }

    async fn associate_group(&self, requests: &[AssociateRequest], group: &[usize]) -> Result<(), CrmError> {
        let first = &requests[group[0]];
        let (path, types): (&[&str], Option<Json>) = match &first.kind {
            AssociationKind::Plain => (&["batch", "associate", "default"], None),
            kind => (&["batch", "create"], Some(self.types(first, kind).await?)),
        };
        let inputs = pairs(requests, group, types.as_ref());
        self.post_pairs(first, path, inputs).await
    }

    /// HubSpot's "Associations v4": `batch/archive` removes all association between two records and takes several records
    /// for one; `batch/labels/archive` removes a label, and the records stay associated. Both answer 204 without a body.
    async fn dissociate_group(&self, requests: &[AssociateRequest], group: &[usize]) -> Result<(), CrmError> {
        let first = &requests[group[0]];
        let (path, inputs): (&[&str], Vec<Json>) = match &first.kind {
            AssociationKind::Plain => {
                let mut by_record: Vec<(&str, Vec<Json>)> = Vec::new();
                for request in group.iter().map(|index| &requests[*index]) {
                    let to = json!({"id": request.to_id});
                    match by_record.iter_mut().find(|(from, _)| *from == request.from_id) {
                        Some((_, others)) => others.push(to),
                        None => by_record.push((&request.from_id, vec![to])),
                    }
                }
                let input = |(from, to): (&str, Vec<Json>)| json!({"from": {"id": from}, "to": to});
                (&["batch", "archive"], by_record.into_iter().map(input).collect())
            }
            kind => {
                let types = self.types(first, kind).await?;
                (&["batch", "labels", "archive"], pairs(requests, group, Some(&types)))
            }
        };
        self.post_pairs(first, path, inputs).await
    }

    /// Posts inputs about pairs of two objects. An answer may be without a body; one with errors is a refusal.
    async fn post_pairs(
        &self,
        objects: &AssociateRequest,
        path: &[&str],
        inputs: Vec<Json>,
    ) -> Result<(), CrmError> {
        let url = self.pair_address(&objects.from.name, &objects.to, path);
        let mut call = Call::get(url);
        call.method = reqwest::Method::POST;
        call.body = Body::Json(json!({"inputs": inputs}));
        let answer = self.send(&call).await?;
        if !answer.success() {
            return Err(self.http.explain(&answer, call.safe));
        }
        let body = answer.json().unwrap_or_default();
        let errors = body.get("errors").and_then(Json::as_array).cloned().unwrap_or_default();
        match errors.iter().find_map(Problem::read) {
            None => Ok(()),
            Some(problem) => Err(self.refused(problem.words())),
        }
    }

    /// The `types` of an input, for a label.
    async fn types(&self, objects: &AssociateRequest, kind: &AssociationKind) -> Result<Json, CrmError> {
        let label = self.label(&objects.from.name, &objects.to, kind).await?;
        Ok(json!([{"associationCategory": label.category, "associationTypeId": label.type_id}]))
    }

    /// The association type of a label, from HubSpot's list of them.
    async fn label(&self, from: &str, to: &str, kind: &AssociationKind) -> Result<Label, CrmError> {
        let pair = (self.path_name(from).to_owned(), self.path_name(to).to_owned());
        let known = self.labels.lock().unwrap_or_else(PoisonError::into_inner).get(&pair).cloned();
        let labels = if let Some(labels) = known {
            labels
        } else {
            let answer = self.json(&Call::get(self.pair_address(from, to, &["labels"]))).await?;
            let results = answer.get("results").and_then(Json::as_array).cloned().unwrap_or_default();
            let labels: Vec<Label> = results.iter().filter_map(Label::read).collect();
            self.labels.lock().unwrap_or_else(PoisonError::into_inner).insert(pair, labels.clone());
            labels
        };
        labels.into_iter().find(|label| label.is(kind)).ok_or_else(|| {
            let name = match kind {
                AssociationKind::Labelled(text) => text,
                AssociationKind::Plain | AssociationKind::Primary => PRIMARY,
            };
            self.refused(format!("there is no association labelled `{name}` from `{from}` to `{to}`"))
        })
    }

    fn pair_address(&self, from: &str, to: &str, rest: &[&str]) -> Url {
        let mut segments = vec![self.path_name(from), self.path_name(to)];
        segments.extend_from_slice(rest);
        self.address("associations", "v4", &segments)
    }
}

/// One input for each pair of a group, with the association's types where it has a label.
fn pairs(requests: &[AssociateRequest], group: &[usize], types: Option<&Json>) -> Vec<Json> {
    let input = |index: &usize| {
        let request = &requests[*index];
        let mut input = json!({"from": {"id": request.from_id}, "to": {"id": request.to_id}});
        if let Some(types) = types {
            input["types"] = types.clone();
        }
        input
    };
    group.iter().map(input).collect()
}

/// The ids of one result whose association types include the one asked for.
fn matching(result: &Json, kind: &AssociationKind) -> Vec<String> {
    let to = result.get("to").and_then(Json::as_array).cloned().unwrap_or_default();
    to.iter()
        .filter(|target| {
            let types = target.get("associationTypes").and_then(Json::as_array).cloned().unwrap_or_default();
            *kind == AssociationKind::Plain
                || types.iter().filter_map(Label::read).any(|label| label.is(kind))
        })
        .filter_map(|target| target.get("toObjectId").and_then(id_text))
        .collect()
}

/// Ids here are text on one side and numbers on the other.
fn id_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
