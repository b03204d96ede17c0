//! `/crm/v3/objects/{type}/batch/{read,create,update,upsert,archive}`.
//!
//! A call succeeds whole (200, 201), or in part (207), or not at all: a refused value or a conflict fails the batch
//! unless every input carries its own `objectWriteTraceId`.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::{ObjectType, instant};
use super::error::ApiError;
use super::objects::{Id, Input, Shape, body, identifying, insert, judge, prepare, to_associate, updated};
use super::request::{Call, Outcome, answer, no_content};
use super::store::{Portal, Values};
use super::validate::refused;

/// Inputs in one call at most (HubSpot's objects docs).
const MOST: usize = 100;

/// Inputs of a read that asks for histories (the same page).
const MOST_WITH_HISTORY: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default)]
    properties_with_history: Vec<String>,
    #[serde(default)]
    id_property: Option<String>,
    inputs: Vec<OnlyId>,
}

#[derive(Debug, Deserialize)]
struct OnlyId {
    id: Id,
}

#[derive(Debug, Deserialize)]
struct Inputs {
    inputs: Vec<Input>,
}

#[derive(Debug, Deserialize)]
struct Ids {
    inputs: Vec<OnlyId>,
}

/// Dispatches one of the batch calls.
pub(super) fn route(portal: &mut Portal, call: &Call, object: &ObjectType, what: &str) -> Outcome {
    match what {
        "read" => read(portal, call, object),
        "create" => create(portal, call, object),
        "update" => update(portal, call, object),
        "upsert" => upsert(portal, call, object),
        "archive" => archive(portal, call, object),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

fn read(portal: &Portal, call: &Call, object: &ObjectType) -> Outcome {
    let request: Read = call.json()?;
    within(request.inputs.len())?;
    if !request.properties_with_history.is_empty() && request.inputs.len() > MOST_WITH_HISTORY {
        return Err(ApiError::invalid(format!(
            "A read with property histories takes at most {MOST_WITH_HISTORY} inputs"
        )));
    }
    identifying(object, request.id_property.as_deref())?;
    let archived = call.query.flag("archived")?;
    let shape = Shape {
        properties: request.properties,
        history: request.properties_with_history,
        ..Shape::default()
    };
    let (mut results, mut missing) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for OnlyId { id } in request.inputs.into_iter().filter(|input| seen.insert(input.id.clone())) {
        let found = if archived {
            let table = portal.tables.get(&object.id);
            let stored = table.and_then(|table| table.records.get(&id.0.parse().ok()?));
            stored.filter(|record| record.archived_at.is_some())
        } else {
            portal.find(object, &id.0, request.id_property.as_deref())
        };
        match found {
            Some(record) => results.push(body(portal, object, record, &shape)),
            None => missing.push(id.0),
        }
    }
    finish(portal, 200, results, absent(object, &missing))
}

fn create(portal: &mut Portal, call: &Call, object: &ObjectType) -> Outcome {
    let inputs = inputs(call)?;
    let partial = traced(&inputs)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    let mut prepared = Vec::new();
    let mut taken = HashSet::new();
    if !partial {
        all_good(portal, object, &inputs)?;
    }
    for input in &inputs {
        let checked = prepare(portal, object, &input.properties, None).and_then(|values| {
            claim(object, &values, &mut taken)?;
            let links = to_associate(portal, object, input.associations.as_deref().unwrap_or_default())?;
            Ok((values, links))
        });
        match checked {
            Ok(ready) => prepared.push(ready),
            Err(error) if partial => errors.push(error.entry(input.object_write_trace_id.as_deref())),
            Err(error) => return Err(whole(error, object)),
        }
    }
    for (values, links) in prepared {
        let id = insert(portal, object, values, links)?;
        let shape = Shape { everything: true, ..Shape::default() };
        results.extend(portal.live(&object.id, id).map(|record| body(portal, object, record, &shape)));
    }
    finish(portal, 201, results, errors)
}

fn update(portal: &mut Portal, call: &Call, object: &ObjectType) -> Outcome {
    let inputs = inputs(call)?;
    unrepeated(&inputs)?;
    let partial = traced(&inputs)?;
    let (mut ready, mut missing, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken = HashSet::new();
    if !partial {
        all_good(portal, object, &inputs)?;
    }
    for input in &inputs {
        let key = required_id(input)?;
        identifying(object, input.id_property.as_deref())?;
        let found = portal.find(object, &key, input.id_property.as_deref());
        let id = found.map(|record| record.id);
        let checked = prepare(portal, object, &input.properties, found)
            .and_then(|values| claim(object, &values, &mut taken).map(|()| values));
        match (checked, id) {
            (Ok(values), Some(id)) => ready.push((id, values)),
            (_, None) => missing.push(key),
            (Err(error), _) if partial => errors.push(error.entry(input.object_write_trace_id.as_deref())),
            (Err(error), _) => return Err(whole(error, object)),
        }
    }
    let actor = portal.app_actor();
    let mut results = Vec::new();
    for (id, values) in ready {
        portal.update(object, id, &values, &actor);
        results.push(updated(portal, object, id, &values));
    }
    errors.extend(absent(object, &missing));
    finish(portal, 200, results, errors)
}

fn upsert(portal: &mut Portal, call: &Call, object: &ObjectType) -> Outcome {
    let inputs = inputs(call)?;
    unrepeated(&inputs)?;
    let partial = traced(&inputs)?;
    let (mut ready, mut errors) = (Vec::new(), Vec::new());
    let mut taken = HashSet::new();
    if !partial {
        all_good(portal, object, &inputs)?;
    }
    for input in &inputs {
        let checked = upsertable(portal, object, input);
        let checked = checked.and_then(|ready| claim(object, &ready.1, &mut taken).map(|()| ready));
        match checked {
            Ok(checked) => ready.push(checked),
            Err(error) if partial => errors.push(error.entry(input.object_write_trace_id.as_deref())),
            Err(error) => return Err(whole(error, object)),
        }
    }
    let actor = portal.app_actor();
    let mut results = Vec::new();
    for (existing, values) in ready {
        let (id, new) = match existing {
            Some(id) => {
                portal.update(object, id, &values, &actor);
                (id, false)
            }
            None => (portal.insert(object, None, values, &actor), true),
        };
        let shape = Shape { everything: true, ..Shape::default() };
        let mut shown = portal.live(&object.id, id).map(|record| body(portal, object, record, &shape));
        if let Some(shown) = &mut shown {
            shown["new"] = new.into();
        }
        results.extend(shown);
    }
    finish(portal, 200, results, errors)
}

type Upsert = (Option<u64>, Values);

fn upsertable(portal: &Portal, object: &ObjectType, input: &Input) -> Result<Upsert, ApiError> {
    let key = required_id(input)?;
    let id_property = input.id_property.as_deref();
    identifying(object, id_property)?;
    let found = portal.find(object, &key, id_property);
    let mut properties = input.properties.clone();
    match id_property {
        Some(name) if name != "hs_object_id" => {
            properties.entry(name.to_owned()).or_insert_with(|| key.clone().into());
        }
        _ if found.is_none() => {
            let error = ApiError::new(404, "OBJECT_NOT_FOUND", not_there(object));
            return Err(error.context("ids", &[key]));
        }
        _ => {}
    }
    let values = prepare(portal, object, &properties, found)?;
    Ok((found.map(|record| record.id), values))
}

fn archive(portal: &mut Portal, call: &Call, object: &ObjectType) -> Outcome {
    let request: Ids = call.json()?;
    within(request.inputs.len())?;
    let actor = portal.app_actor();
    for OnlyId { id } in request.inputs {
        let found = portal.find(object, &id.0, None).map(|record| record.id);
        if let Some(id) = found {
            portal.archive(object, id, &actor);
        }
    }
    no_content()
}

fn inputs(call: &Call) -> Result<Vec<Input>, ApiError> {
    let request: Inputs = call.json()?;
    within(request.inputs.len())?;
    Ok(request.inputs)
}

fn within(count: usize) -> Result<(), ApiError> {
    if count > MOST {
        return Err(ApiError::invalid(format!(
            "The number of inputs in the batch ({count}) exceeds the limit of {MOST}"
        )));
    }
    Ok(())
}

fn required_id(input: &Input) -> Result<String, ApiError> {
    let id = input.id.as_ref().map(|id| id.0.clone());
    id.ok_or_else(|| ApiError::invalid("Some required fields were not set: [id]"))
}

/// Refuses a batch for all the values in it that are wrong, in one error.
fn all_good(portal: &Portal, object: &ObjectType, inputs: &[Input]) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    for input in inputs {
        let key = input.id.as_ref().map_or("", |id| id.0.as_str());
        let existing = portal.find(object, key, input.id_property.as_deref());
        problems.extend(judge(portal, object, &input.properties, existing)?.1);
    }
    if problems.is_empty() { Ok(()) } else { Err(refused(&problems, portal.id)) }
}

/// Claims the unique values of one input, which no other input of the batch may have.
fn claim(
    object: &ObjectType,
    values: &Values,
    taken: &mut HashSet<(String, String)>,
) -> Result<(), ApiError> {
    let mut unique = values.iter().filter(|(name, value)| object.identifies(name) && !value.is_empty());
    if unique.all(|(name, value)| taken.insert((name.clone(), value.to_lowercase()))) {
        return Ok(());
    }
    Err(ApiError::new(409, "CONFLICT", format!("{} already exists", object.labels.0)))
}

/// An id that stands twice in one batch fails all of it.
fn unrepeated(inputs: &[Input]) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    let mut repeated: Vec<&str> = Vec::new();
    for id in inputs.iter().filter_map(|input| input.id.as_ref()) {
        if !seen.insert(id.0.to_lowercase()) && !repeated.contains(&id.0.as_str()) {
            repeated.push(&id.0);
        }
    }
    if repeated.is_empty() {
        return Ok(());
    }
    let listed = repeated.join(", ");
    let message = format!("Duplicate IDs found in batch input: [{listed}]. IDs must be unique");
    Err(ApiError::invalid(message).context("ids", &repeated))
}

/// Whether partial failure was asked for: every input has its own trace id.
fn traced(inputs: &[Input]) -> Result<bool, ApiError> {
    let traces: Vec<&str> =
        inputs.iter().filter_map(|input| input.object_write_trace_id.as_deref()).collect();
    let unique: HashSet<&&str> = traces.iter().collect();
    if unique.len() != traces.len() {
        return Err(ApiError::invalid("objectWriteTraceId must be unique for each input"));
    }
    Ok(!inputs.is_empty() && traces.len() == inputs.len())
}

/// The error of a batch that failed whole: a conflict does not tell the id there.
fn whole(error: ApiError, object: &ObjectType) -> ApiError {
    if error.status != 409 {
        return error;
    }
    ApiError::new(409, "CONFLICT", format!("{} already exists", object.labels.0))
}

fn not_there(object: &ObjectType) -> String {
    let kind = object.upper();
    format!("Could not get some {kind} objects, they may be deleted or not exist. Check that ids are valid.")
}

fn absent(object: &ObjectType, missing: &[String]) -> Vec<Value> {
    if missing.is_empty() {
        return Vec::new();
    }
    vec![ApiError::new(404, "OBJECT_NOT_FOUND", not_there(object)).context("ids", missing).entry(None)]
}

/// A batch answer: the given status, or 207 where there are errors.
#[expect(clippy::needless_pass_by_value, reason = "callers are done with the lists")]
pub(super) fn finish(portal: &Portal, status: u16, results: Vec<Value>, errors: Vec<Value>) -> Outcome {
    let now = instant(portal.clock.now());
    let mut body = json!({"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now});
    if errors.is_empty() {
        return answer(status, body);
    }
    body["numErrors"] = errors.len().into();
    body["errors"] = errors.into();
    answer(207, body)
}
