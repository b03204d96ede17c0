//! `mapwright parked`: what waits for a person.

use std::path::Path;

use serde_json::json;

use super::args::{ParkedAction, ParkedArgs};
use super::output::Output;
use super::{Exit, parts};
use crate::store::{ParkState, ParkedId, ParkedRecord, Store, StoreError};

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
        output.error(&format!(
            "no record is parked under number {id}; `mapwright parked list` shows those that are"
        ));
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
        ParkedAction::Show { id } => match store.parked_record(ParkedId(*id)).await? {
            Some(record) => {
                show(&record);
                Exit::Fine
            }
            None => none(*id),
        },
        ParkedAction::Retry { id } => {
            if store.retry_parked(ParkedId(*id), parts::now()).await? {
                output.note(&format!("{id} is back in the queue; `mapwright serve` works it"));
                Exit::Fine
            } else {
                none(*id)
            }
        }
        ParkedAction::Drop { id } => {
            if store.drop_parked(ParkedId(*id), parts::now()).await? {
                output.note(&format!("{id} is given up"));
                Exit::Fine
            } else {
                none(*id)
            }
        }
    })
}

fn line(record: &ParkedRecord) -> String {
    let at = record.reason.at.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
    format!("{}  {}  {}  {}{at}", record.id, record.key, record.mapping, record.reason.reason)
}

fn show(record: &ParkedRecord) {
    let reason = &record.reason;
    let state = match record.state {
        ParkState::Open => "waits for a person",
        _ => "was decided",
    };
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
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            Output::result(&format!("{name}: {fact}"));
        }
    }
}

fn as_json(record: &ParkedRecord) -> serde_json::Value {
    json!({
        "id": record.id.0,
        "pair": record.key.pair,
        "record": record.key.to_string(),
        "mapping": record.mapping,
        "reason": record.reason,
        "since": record.created_at.to_rfc3339(),
    })
}
