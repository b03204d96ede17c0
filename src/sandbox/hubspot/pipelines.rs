//! `/crm/v3/pipelines/{type}`: pipelines and their stages, of deals and tickets.

use axum::http::Method;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::instant;
use super::error::ApiError;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::Portal;

/// Ids of new pipelines and stages; HubSpot's are numbers.
const FIRST_ID: u64 = 900_001;

/// A pipeline.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) display_order: i64,
    pub(super) stages: Vec<Stage>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) archived: bool,
}

/// A stage of a pipeline.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) display_order: i64,
    pub(super) metadata: IndexMap<String, String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPipeline {
    label: String,
    #[serde(default)]
    display_order: i64,
    #[serde(default)]
    stages: Vec<NewStage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewStage {
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    display_order: Option<i64>,
    #[serde(default)]
    metadata: IndexMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchPipeline {
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    display_order: Option<i64>,
    #[serde(default)]
    archived: Option<bool>,
}

impl Pipeline {
    pub(super) fn stage_ids(&self) -> Vec<String> {
        self.stages.iter().map(|stage| stage.id.clone()).collect()
    }

    fn body(&self) -> Value {
        json!({
            "label": self.label,
            "displayOrder": self.display_order,
            "id": self.id,
            "stages": self.stages.iter().map(Stage::body).collect::<Vec<_>>(),
            "createdAt": instant(self.created_at),
            "updatedAt": instant(self.updated_at),
            "archived": self.archived,
        })
    }
}

impl Stage {
    /// A stage as a seed or the standard pipelines give it.
    pub(super) fn new(id: &str, label: &str, order: i64, metadata: IndexMap<String, String>) -> Self {
        let (created_at, updated_at) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        Self { id: id.into(), label: label.into(), display_order: order, metadata, created_at, updated_at }
    }

    fn body(&self) -> Value {
        json!({
            "label": self.label,
            "displayOrder": self.display_order,
            "metadata": self.metadata,
            "id": self.id,
            "createdAt": instant(self.created_at),
            "updatedAt": instant(self.updated_at),
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "archived": false,
        })
    }
}

/// The pipelines of a new portal.
pub(super) fn standard_pipelines() -> IndexMap<String, Vec<Pipeline>> {
    let deal = [
        ("appointmentscheduled", "Appointment Scheduled", "0.2"),
        ("qualifiedtobuy", "Qualified To Buy", "0.4"),
        ("presentationscheduled", "Presentation Scheduled", "0.6"),
        ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
        ("contractsent", "Contract Sent", "0.9"),
        ("closedwon", "Closed Won", "1.0"),
        ("closedlost", "Closed Lost", "0.0"),
    ];
    let deal = deal.iter().zip(0..).map(|((id, label, probability), order)| {
        let closed = id.starts_with("closed").to_string();
        let metadata =
            [("isClosed".to_owned(), closed), ("probability".to_owned(), (*probability).to_owned())];
        Stage::new(id, label, order, metadata.into())
    });
    let ticket = [
        ("1", "New", "OPEN"),
        ("2", "Waiting on contact", "OPEN"),
        ("3", "Waiting on us", "OPEN"),
        ("4", "Closed", "CLOSED"),
    ];
    let ticket = ticket.iter().zip(0..).map(|((id, label, state), order)| {
        let closed = (*state == "CLOSED").to_string();
        let metadata = [("isClosed".to_owned(), closed), ("ticketState".to_owned(), (*state).to_owned())];
        Stage::new(id, label, order, metadata.into())
    });
    let pipeline = |id: &str, label: &str, stages: Vec<Stage>| Pipeline {
        id: id.to_owned(),
        label: label.to_owned(),
        display_order: 0,
        stages,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        archived: false,
    };
    [
        ("0-3".to_owned(), vec![pipeline("default", "Sales Pipeline", deal.collect())]),
        ("0-5".to_owned(), vec![pipeline("0", "Support Pipeline", ticket.collect())]),
    ]
    .into()
}

/// `/crm/v3/pipelines/{type}/…`
pub(super) fn route(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [kind, rest @ ..] = rest else { return Err(ApiError::no_route(&call.path)) };
    let object = portal.catalog.resolve(kind)?;
    let now = portal.clock.now();
    let fresh = fresh_id(portal);
    let pipelines = portal.pipelines.entry(object.id.clone()).or_default();
    match (rest, &call.method) {
        ([], &Method::GET) => {
            let live = pipelines.iter().filter(|pipeline| !pipeline.archived);
            ok(json!({"results": live.map(Pipeline::body).collect::<Vec<_>>()}))
        }
        ([], &Method::POST) => {
            let new: NewPipeline = call.json()?;
            pipelines.push(made(fresh.to_string(), new, fresh + 1, now)?);
            answer(201, pipelines[pipelines.len() - 1].body())
        }
        ([id, "stages", rest @ ..], _) => stages(at(pipelines, id)?, call, rest, fresh, now),
        ([id], &Method::GET) => ok(at(pipelines, id)?.body()),
        ([id], &Method::PATCH) => {
            let patch: PatchPipeline = call.json()?;
            let pipeline = at(pipelines, id)?;
            pipeline.label = patch.label.unwrap_or_else(|| pipeline.label.clone());
            pipeline.display_order = patch.display_order.unwrap_or(pipeline.display_order);
            pipeline.archived = patch.archived.unwrap_or(pipeline.archived);
            pipeline.updated_at = now;
            ok(pipeline.body())
        }
        ([id], &Method::PUT) => {
            let new: NewPipeline = call.json()?;
            let pipeline = at(pipelines, id)?;
            *pipeline = made((*id).to_owned(), new, fresh, now)?;
            ok(pipeline.body())
        }
        ([id], &Method::DELETE) => {
            at(pipelines, id)?;
            pipelines.retain(|pipeline| pipeline.id != *id);
            no_content()
        }
        _ => Err(ApiError::method()),
    }
}

fn stages(pipeline: &mut Pipeline, call: &Call, rest: &[&str], fresh: u64, now: DateTime<Utc>) -> Outcome {
    let find = |pipeline: &Pipeline, id: &str| {
        pipeline.stages.iter().position(|stage| stage.id == id).ok_or_else(ApiError::not_found)
    };
    match (rest, &call.method) {
        ([], &Method::GET) => {
            ok(json!({"results": pipeline.stages.iter().map(Stage::body).collect::<Vec<_>>()}))
        }
        ([], &Method::POST) => {
            let stage = made_stage(&fresh.to_string(), call.json()?, now)?;
            let body = stage.body();
            pipeline.stages.push(stage);
            answer(201, body)
        }
        ([id], &Method::GET) => ok(pipeline.stages[find(pipeline, id)?].body()),
        ([id], &Method::PATCH) => {
            let patch: NewStage = call.json()?;
            let place = find(pipeline, id)?;
            let stage = &mut pipeline.stages[place];
            stage.label = patch.label.unwrap_or_else(|| stage.label.clone());
            stage.display_order = patch.display_order.unwrap_or(stage.display_order);
            stage.metadata.extend(patch.metadata);
            stage.updated_at = now;
            ok(stage.body())
        }
        ([id], &Method::PUT) => {
            let place = find(pipeline, id)?;
            pipeline.stages[place] = made_stage(id, call.json()?, now)?;
            ok(pipeline.stages[place].body())
        }
        ([id], &Method::DELETE) => {
            let place = find(pipeline, id)?;
            pipeline.stages.remove(place);
            no_content()
        }
        _ => Err(ApiError::method()),
    }
}

fn at<'a>(pipelines: &'a mut [Pipeline], id: &str) -> Result<&'a mut Pipeline, ApiError> {
    pipelines.iter_mut().find(|pipeline| pipeline.id == id).ok_or_else(ApiError::not_found)
}

fn made(id: String, new: NewPipeline, first_stage: u64, now: DateTime<Utc>) -> Result<Pipeline, ApiError> {
    let stages =
        new.stages.into_iter().zip(first_stage..).map(|(stage, id)| made_stage(&id.to_string(), stage, now));
    Ok(Pipeline {
        id,
        label: new.label,
        display_order: new.display_order,
        stages: stages.collect::<Result<_, _>>()?,
        created_at: now,
        updated_at: now,
        archived: false,
    })
}

fn made_stage(id: &str, new: NewStage, now: DateTime<Utc>) -> Result<Stage, ApiError> {
    let label = new.label.ok_or_else(|| ApiError::invalid("Some required fields were not set: [label]"))?;
    let stage = Stage::new(id, &label, new.display_order.unwrap_or(-1), new.metadata);
    Ok(Stage { created_at: now, updated_at: now, ..stage })
}

fn fresh_id(portal: &Portal) -> u64 {
    let pipelines = portal.pipelines.values().flatten();
    let ids =
        pipelines.flat_map(|pipeline| pipeline.stages.iter().map(|stage| &stage.id).chain([&pipeline.id]));
    let highest = ids.filter_map(|id| id.parse::<u64>().ok()).max().unwrap_or(0);
    FIRST_ID.max(highest.saturating_add(1))
}
