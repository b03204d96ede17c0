//! What a load came to, for people and for programs.

use serde_json::{Value as Json, json};

use super::super::output::Output;
use crate::runtime::{Counts, DryRun, Load, Progress, RefusedRow, Stop};

/// A load that ended or stopped.
pub(super) struct Report<'r> {
    pub(super) load: &'r Load,
    pub(super) progress: &'r Progress,
    pub(super) rows: &'r [RefusedRow],
}

impl Report<'_> {
    /// Prints the summary.
    pub(super) fn print(&self, as_json: bool, stop: Option<&Stop>, output: Output) {
        let counts = &self.progress.counts;
        if as_json {
            let mut document = head(self.load, counts);
            document["dry_run"] = false.into();
            document["finished"] = (stop.is_none() && self.progress.finished()).into();
            document["refused"] = self.rows.iter().map(row).collect();
            if let Some(stop) = stop {
                document["error"] = stop.to_string().into();
                if let Stop::Crm { again: Some(again), .. } = stop {
                    document["again"] = again.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into();
                }
            }
            Output::result(&document.to_string());
            return;
        }
        let verb = if self.progress.finished() { "loaded" } else { "so far" };
        Output::result(&format!("`{}` {verb}: {}", self.load.mapping, words(counts, false)));
        if counts.parked > 0 {
            output.note("`mapwright parked list` shows what is parked, with the line to mend");
        }
    }
}

/// Prints what a load would do.
pub(super) fn print_dry_run(load: &Load, found: &DryRun, examples: usize, as_json: bool) {
    let calls = &found.calls;
    if as_json {
        let mut document = head(load, &found.counts);
        document["dry_run"] = true.into();
        document["refused"] = found.refused.iter().take(examples).map(row).collect();
        document["calls"] = json!({
            "hubspot": {"made": calls.hubspot, "writes": calls.hubspot_writes},
            "salesforce": {"made": calls.salesforce, "writes": calls.salesforce_writes},
        });
        Output::result(&document.to_string());
        return;
    }
    Output::result(&format!("`{}` would load: {}", load.mapping, words(&found.counts, true)));
    for row in found.refused.iter().take(examples) {
        let at = row.line.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
        let field = row.field.as_ref().map_or_else(String::new, |field| format!("{field}: "));
        Output::result(&format!("  {} {}: {field}{}{at}", load.object, row.record, row.reason));
    }
    Output::result(&format!(
        "calls: {} to HubSpot and {} to Salesforce to read; {} and {} more to write",
        calls.hubspot, calls.salesforce, calls.hubspot_writes, calls.salesforce_writes
    ));
}

fn head(load: &Load, counts: &Counts) -> Json {
    json!({"mapping": load.mapping, "object": load.object.to_string(), "counts": counts})
}

fn row(row: &RefusedRow) -> Json {
    let place = |at: &crate::source::Location| json!({"file": at.file, "line": at.line, "column": at.column});
    json!({
        "record": row.record, "field": row.field, "value": row.value, "code": row.code, "answer": row.answer,
        "reason": row.reason, "line": row.line.as_ref().map(place), "help": row.help,
    })
}

/// `3 records: 2 created, 1 parked`
fn words(counts: &Counts, would: bool) -> String {
    let (created, updated) = if would { ("to create", "to update") } else { ("created", "updated") };
    let all = [
        (counts.created, created),
        (counts.updated, updated),
        (counts.unchanged, "unchanged"),
        (counts.skipped, "skipped"),
        (counts.waiting, "waiting"),
        (counts.parked, if would { "to park" } else { "parked" }),
    ];
    let known: Vec<String> =
        all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let records = if counts.records == 1 { "record" } else { "records" };
    if known.is_empty() {
        format!("{} {records}", counts.records)
    } else {
        format!("{} {records}: {}", counts.records, known.join(", "))
    }
}
