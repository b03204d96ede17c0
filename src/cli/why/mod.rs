//! `mapwright why`: where a record's values come from, by the store alone.

mod find;
mod json;
mod known;
mod tell;

use std::path::Path;

use super::args::WhyArgs;
use super::output::Output;
use super::{Exit, parts, project};
use crate::store::{Store, StoreError};
use known::Known;
pub(super) use known::event as event_words;

pub(super) async fn run(given: Option<&Path>, options: &WhyArgs, output: Output) -> Exit {
    let root = match project::find(given) {
        Ok(root) => root,
        Err(message) => {
            output.error(&message);
            return Exit::Usage;
        }
    };
    // The mappings may have errors by now: what they wrote is in the store all the same.
    let project = project::load(&root, None);
    let store = match parts::store_alone(given, output).await {
        Ok((store, _)) => store,
        Err(exit) => return exit,
    };
    match answer(&store, &project, options, output).await {
        Ok(exit) => exit,
        Err(error) => {
            output.error(&error.to_string());
            Exit::Remote
        }
    }
}

/// The mappings and snapshots of a pair; of the only one, where the pair is not configured any more.
fn world<'p>(project: &'p project::Project, pair: &str) -> Option<&'p project::World> {
    project.world(Some(pair)).or_else(|_| project.world(None)).ok()
}

async fn answer(
    store: &dyn Store,
    project: &project::Project,
    options: &WhyArgs,
    output: Output,
) -> Result<Exit, StoreError> {
    let record = match find::record(store, project, options).await? {
        Ok(record) => record,
        Err(message) => {
            output.error(&message);
            return Ok(Exit::Usage);
        }
    };
    let field = match &options.field {
        None => None,
        Some(name) => match find::field(project, &record, name) {
            Ok(field) => Some(field),
            Err(message) => {
                output.error(&message);
                return Ok(Exit::Usage);
            }
        },
    };
    let known = Known::gather(store, project, record).await?;
    if options.json {
        Output::result(&json::document(&known, field.as_deref()).to_string());
    }
    let told = match &field {
        None if known.is_nothing() => {
            find::nothing(store, &known, output).await?;
            false
        }
        None => {
            if !options.json {
                tell::record(&known);
            }
            true
        }
        Some(field) => {
            let written = known.writes_of(field).next().is_some();
            if !options.json {
                tell::field(&known, field);
            }
            written
        }
    };
    Ok(if told { Exit::Fine } else { Exit::Findings })
}
