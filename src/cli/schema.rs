//! `mapwright schema pull`

use std::path::Path;

use indexmap::IndexMap;

use super::args::{PullArgs, SchemaAction, SchemaArgs};
use super::live::{self, Snapshot, Wanted};
use super::output::Output;
use super::{Exit, parts, project};
use crate::drift::options_in_words;
use crate::schema::{Change, Weight, What};
use crate::source::Side;

pub(super) async fn run(given: Option<&Path>, options: &SchemaArgs, output: Output) -> Exit {
    let SchemaAction::Pull(options) = &options.action;
    match pull(given, options, output).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn pull(given: Option<&Path>, options: &PullArgs, output: Output) -> Result<Exit, Exit> {
    let root = parts::root(given, output)?;
    let sides = match options.crm {
        None => Side::ALL.to_vec(),
        Some(crm) => vec![crm.into()],
    };
    let wanted = Wanted {
        sides: &sides,
        pair: options.pair.as_deref(),
        objects: &options.object,
        all: options.all,
        missing: true,
    };
    // Both are asked before either is written: a failure leaves the project as it was.
    let live = live::take(&root, &wanted, output).await?;
    for snapshot in &live.snapshots {
        if snapshot.old.as_ref() != Some(&snapshot.new) {
            project::write_whole(&root.join(&snapshot.name), &snapshot.new).map_err(|error| {
                output.error(&format!("`{}` cannot be written: {error}", snapshot.name));
                Exit::Usage
            })?;
        }
        show(snapshot);
    }
    output.note("`mapwright check` says what this means for the mappings");
    Ok(Exit::Fine)
}

/// What is different, a line each; of an object that is new or gone, one line.
fn show(snapshot: &Snapshot) {
    let name = &snapshot.name;
    if snapshot.changes.is_empty() {
        Output::result(&format!("{name}: no change"));
        return;
    }
    let count = |of: &dyn Fn(Weight) -> bool| {
        snapshot.changes.iter().filter(|change| of(change.what.weight())).count()
    };
    let added = count(&|weight| weight == Weight::Added);
    let removed = count(&|weight| weight == Weight::Removed);
    let changed = snapshot.changes.len() - added - removed;
    Output::result(&format!("{name}: {added} added, {changed} changed, {removed} removed"));
    let rows = rows(&snapshot.changes);
    let width = rows.iter().map(|(_, name, _)| name.chars().count()).max().unwrap_or(0);
    for (sign, name, what) in rows {
        Output::result(&format!("  {sign} {name:width$}  {what}"));
    }
}

/// Sign, name and what is different: a line for each change, but one for all new options of a field, and one for all the
/// labels of an object.
fn rows(changes: &[Change]) -> Vec<(char, String, String)> {
    let mut rows: Vec<(char, String, String)> = Vec::new();
    let mut labels: IndexMap<&str, usize> = IndexMap::new();
    let mut options: IndexMap<String, Vec<&str>> = IndexMap::new();
    for change in changes {
        let name = match &change.field {
            Some(field) => format!("{}.{field}", change.object),
            None => change.object.clone(),
        };
        match &change.what {
            What::Relabelled { .. } | What::Rearranged => *labels.entry(&change.object).or_default() += 1,
            What::OptionAdded(option) => options.entry(name).or_default().push(option),
            what => rows.push((sign(what.weight()), name, what.to_string())),
        }
    }
    rows.extend(options.into_iter().map(|(name, options)| ('+', name, options_in_words(&options))));
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    rows.extend(labels.into_iter().map(|(object, count)| {
        (
            '~',
            object.to_owned(),
            format!("shows {count} label{} or list{} in another way", plural(count), plural(count)),
        )
    }));
    rows
}

fn sign(weight: Weight) -> char {
    match weight {
        Weight::Added => '+',
        Weight::Removed => '-',
        _ => '~',
    }
}
