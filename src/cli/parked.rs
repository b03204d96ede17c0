//! `mapwright parked`: what waits for a person.

use std::path::Path;

use serde_json::json;

use super::args::{ParkedAction, ParkedArgs};
use super::output::Output;
use super::why::event_words;
use super::{Exit, parts};
use crate::store::{
    CorrelationId, EventBrief, ParkState, ParkedId, ParkedRecord, ProjectVersion, Store, StoreError,
};

pub(super) async fn run(given: Option<&Path>, options: &ParkedArgs, output: Output) -> Exit {
    let (store, pairs) = match parts::store_alone(given, output).await {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    if let ParkedAction::List { pair: Some(pair), .. } = &options.action
        && !pairs.contains(pair)
    {
        output.error(&parts::no_such_pair(pair, &pairs));
        return Exit::Usage;
    }
    match act(&store, &options.action, output).await {
        Ok(exit) => exit,
        Err(error) => {
            output.error(&error.to_string());
            Exit::Remote
        }
    }
}

async fn act(store: &dyn Store, action: &ParkedAction, output: Output) -> Result<Exit, StoreError> {
    let none = |id: i64| {
        output.error(&not_parked(id));
        Exit::Usage
    };
    Ok(match action {
        ParkedAction::List { pair, json } => {
            let mut records = store.parked().await?;
            if let Some(pair) = pair {
                records.retain(|record| record.key.pair == *pair);
            }
            if *json {
                Output::result(&records.iter().map(as_json).collect::<serde_json::Value>().to_string());
            } else if records.is_empty() {
                output.note("nothing is parked");
            } else {
                for record in &records {
                    Output::result(&line(record));
                }
            }
            Exit::Fine
        }
        ParkedAction::Show { id, json } => match store.parked_record(ParkedId(*id)).await? {
            Some(record) => {
                show_one(store, &record, *json).await?;
                Exit::Fine
            }
            None => none(*id),
        },
        ParkedAction::Retry { id } => {
            if store.retry_parked(ParkedId(*id), parts::now()).await? {
                output.note(&format!("{id} is back in the queue; `mapwright serve` works it"));
                Exit::Fine
            } else {
                closed(store, *id, output).await?
            }
        }
        ParkedAction::Drop { id } => {
            if store.drop_parked(ParkedId(*id), parts::now()).await? {
                output.note(&format!("{id} is given up"));
                Exit::Fine
            } else {
                closed(store, *id, output).await?
            }
        }
    })
}

fn not_parked(id: i64) -> String {
    format!("no record is parked under number {id}; `mapwright parked list` shows those that are")
}

/// Says what became of a number that waits for nobody.
async fn closed(store: &dyn Store, id: i64, output: Output) -> Result<Exit, StoreError> {
    output.error(&match store.parked_record(ParkedId(id)).await? {
        Some(record) => format!("number {id} is not parked any more: it {}", state_told(record.state)),
        None => not_parked(id),
    });
    Ok(Exit::Usage)
}

fn line(record: &ParkedRecord) -> String {
    let at = record.reason.at.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
    format!("{}  {}  {}  {}{at}", record.id, record.key, record.mapping, record.reason.reason)
}

/// One record with its events and the version of the project that parked it.
async fn show_one(store: &dyn Store, record: &ParkedRecord, as_document: bool) -> Result<(), StoreError> {
    let version = match record.project {
        Some(id) => store.project(id).await?,
        None => None,
    };
    let events = events(store, record).await?;
    if as_document {
        let mut document = as_json(record);
        document["events"] = json!(events);
        document["project"] = json!(version);
        Output::result(&document.to_string());
    } else {
        show(record, version.as_ref(), &events);
    }
    Ok(())
}

/// The events that led to the parking, as far as the journal still holds them.
async fn events(store: &dyn Store, record: &ParkedRecord) -> Result<Vec<EventBrief>, StoreError> {
    let trail = store.trail(&record.key).await?;
    let mut heard: Vec<EventBrief> = trail.events.into_iter().map(|event| event.brief).collect();
    heard.retain(|event| record.events.contains(&event.id));
    heard.sort_by_key(|event| (event.occurred_at, event.id));
    Ok(heard)
}

fn show(record: &ParkedRecord, version: Option<&ProjectVersion>, events: &[EventBrief]) {
    let reason = &record.reason;
    let state = state_told(record.state);
    let facts = [
        ("record", Some(record.key.to_string())),
        ("mapping", Some(record.mapping.clone())),
        ("reason", Some(reason.reason.clone())),
        ("field", reason.field.clone()),
        ("the CRM said", reason.answer.clone()),
        ("line", reason.at.as_ref().map(ToString::to_string)),
        ("what to do", reason.help.clone()),
        ("since", Some(record.created_at.to_rfc3339())),
        ("state", Some(state.to_owned())),
        (
            "id in the log",
            (record.correlation != CorrelationId::NONE).then(|| record.correlation.to_string()),
        ),
        ("project", version.map(project_words)),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            Output::result(&format!("{name}: {fact}"));
        }
    }
    for event in events {
        Output::result(&format!("because of: {}", event_words(event)));
    }
}

fn project_words(version: &ProjectVersion) -> String {
    match &version.revision {
        Some(revision) => format!("commit {revision}, files {}", version.fingerprint),
        None => format!("files {}", version.fingerprint),
    }
}

/// What became of a parked record, in words.
pub(super) fn state_told(state: ParkState) -> &'static str {
    match state {
        ParkState::Open => "waits for a person",
        ParkState::Retried => "was sent round again",
        ParkState::Resolved => "was resolved by a later run",
        ParkState::Dropped => "was given up",
    }
}

/// `open`, `retried`, `resolved` or `dropped`.
fn state_word(state: ParkState) -> &'static str {
    match state {
        ParkState::Open => "open",
        ParkState::Retried => "retried",
        ParkState::Resolved => "resolved",
        ParkState::Dropped => "dropped",
    }
}

pub(super) fn as_json(record: &ParkedRecord) -> serde_json::Value {
    json!({
        "id": record.id.0,
        "pair": record.key.pair,
        "record": record.key.to_string(),
        "mapping": record.mapping,
        "reason": record.reason,
        "since": record.created_at.to_rfc3339(),
        "state": state_word(record.state),
        "correlation_id": record.correlation,
    })
}
