//! The answer for people.

use std::collections::BTreeSet;

use super::super::output::Output;
use super::super::parked::state_told;
use super::super::record::shown;
use super::known::{Known, begun, event, time};
use crate::store::{HistoryEntry, Intent, IntentTarget, OpenIntent, ParkedRecord, RunEntry};
use crate::types::Value;

/// Older writes of a field that are told; `--json` has all of them.
const EARLIER: usize = 10;
/// Runs that are told of a record.
const RUNS: usize = 15;

fn say(line: impl AsRef<str>) {
    Output::result(line.as_ref());
}

/// All that is known of a record.
pub(super) fn record(known: &Known) {
    let record = &known.record;
    say(format!("{} {} (pair `{}`)", record.object, record.record, record.pair));
    for link in &known.trail.links {
        let other = if link.source == *record { &link.target } else { &link.source };
        let gone: Vec<String> = [(link.source_gone, &link.source), (link.tombstone, &link.target)]
            .into_iter()
            .filter(|(gone, _)| *gone)
            .map(|(_, key)| format!(", {} {} is gone", key.object, key.record))
            .collect();
        say(format!(
            "  paired with {} {} by `{}`{}",
            other.object,
            other.record,
            link.mapping,
            gone.concat()
        ));
    }
    if known.trail.pending {
        say("  has work that is not done yet");
    }
    for (mapping, reason) in &known.trail.waiting {
        say(format!("  `{mapping}` waits: {reason}"));
    }
    fields(known);
    intents(known);
    kept(known);
    for parked in &known.trail.parked {
        say(parked_line(parked));
    }
    runs(known);
    if let (true, Some(newest)) = (known.trail.runs.is_empty(), known.trail.events.first()) {
        say(format!("Heard of it last: {}", event(&newest.brief)));
    }
    say("The store knows what Mapwright wrote; the CRM may hold what others wrote since.");
}

/// The last write of each field of the record.
fn fields(known: &Known) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let latest: Vec<&HistoryEntry> =
        known.writes().filter(|entry| told.insert(entry.field.field.as_str())).collect();
    if latest.is_empty() {
        return;
    }
    say("Its fields, as last written:");
    let width = latest.iter().map(|entry| entry.field.field.chars().count()).max().unwrap_or(0);
    for entry in latest {
        let field = &entry.field;
        let value = change(field.old.as_ref(), &field.new);
        let foreign = known.foreign(&field.field);
        let since =
            if foreign.iter().any(|change| change.since) { "  (changed since by somebody else)" } else { "" };
        say(format!(
            "  {:width$}  {value}  {} `{}`  {}{since}",
            field.field,
            field.at,
            entry.mapping,
            time(entry.at)
        ));
    }
}

/// What was about to be written and is not known to have been.
fn intents(known: &Known) {
    for OpenIntent { intent, .. } in &known.trail.intents {
        say(format!("Perhaps written: {}", about_to(known, intent)));
        for field in &intent.fields {
            let value = change(field.old.as_ref(), &field.new);
            say(format!("  {}  {value}  {}", field.field, field.at));
        }
    }
}

/// An open intent in words.
fn about_to(known: &Known, intent: &Intent) -> String {
    let what = match &intent.target {
        IntentTarget::Record(id) => format!("update {} {id}", intent.object),
        IntentTarget::Keyed(_) | IntentTarget::New => format!("make a {}", intent.object),
    };
    let source = if intent.source == known.record {
        String::new()
    } else {
        format!(" from {} {}", intent.source.object, intent.source.record)
    };
    format!(
        "on {} `{}` was about to {what}{source}, and whether it was done is not known; the next run of the mapping finds out, id {}",
        time(intent.at),
        intent.ended_by,
        intent.correlation
    )
}

fn change(old: Option<&Value>, new: &Value) -> String {
    match old {
        None => shown(new),
        Some(old) => format!("{} → {}", shown(old), shown(new)),
    }
}

fn kept(known: &Known) {
    if known.trail.kept.is_empty() {
        return;
    }
    say("Left as they were:");
    for kept in &known.trail.kept {
        let value = kept.value.as_ref().map_or_else(String::new, |value| format!(" {}", shown(value)));
        let (file, line) = &kept.place;
        say(format!(
            "  {}{value}: {}  {file}:{line} `{}`  {}",
            kept.field,
            kept.why,
            kept.mapping,
            time(kept.at)
        ));
    }
}

fn parked_line(parked: &ParkedRecord) -> String {
    let state = state_told(parked.state);
    let at = parked.reason.at.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
    format!(
        "Parked as number {} by `{}` on {}: {}{at}; it {state}",
        parked.id,
        parked.mapping,
        time(parked.created_at),
        parked.reason.reason
    )
}

fn runs(known: &Known) {
    if known.trail.runs.is_empty() {
        return;
    }
    say("What happened, the newest first:");
    for run in known.trail.runs.iter().take(RUNS) {
        say(format!("  {}  {}  id {}", time(run.at), outcome(known, run), run.correlation));
        for line in begun(&run.begun) {
            say(format!("    because of {line}"));
        }
    }
    if known.trail.runs.len() > RUNS {
        say(format!("  … and {} more; `--json` has them", known.trail.runs.len() - RUNS));
    }
}

/// What a run came to, seen from the record that is asked about.
fn outcome(known: &Known, run: &RunEntry) -> String {
    let reason = run.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let place = run.place.as_ref().map_or_else(String::new, |(file, line)| format!(" ({file}:{line})"));
    let other = if run.source == known.record { run.target.as_ref() } else { Some(&run.source) };
    let other = other.map_or_else(String::new, |other| {
        let word = if run.source == known.record { "" } else { "from " };
        format!(" {word}{} {}", other.object, other.record)
    });
    format!("{} by `{}`{other}{reason}{place}", run.result, run.mapping)
}

/// Where the value of one field comes from.
pub(super) fn field(known: &Known, field: &str) {
    let record = &known.record;
    let writes: Vec<&HistoryEntry> = known.writes_of(field).collect();
    let Some((last, earlier)) = writes.split_first() else { return unwritten(known, field) };
    say(format!("{} {} {field} = {}", record.object, record.record, shown(&last.field.new)));
    for change in known.foreign(field).iter().filter(|change| change.since) {
        say(format!("  changed since, by somebody else: {}: {}", time(change.at), change.what));
    }
    perhaps(known, field);
    written(known, last);
    for kept in known.kept_of(field).filter(|kept| kept.at >= last.at) {
        let (file, line) = &kept.place;
        say(format!(
            "  left as it is by `{}` on {}: {} ({file}:{line})",
            kept.mapping,
            time(kept.at),
            kept.why
        ));
    }
    let before: Vec<_> = known.foreign(field).into_iter().filter(|change| !change.since).collect();
    if !earlier.is_empty() || !before.is_empty() {
        say("Before that:");
    }
    for change in &before {
        say(format!("  {}  {}", time(change.at), change.what));
    }
    for entry in earlier.iter().take(EARLIER) {
        let value = change(entry.field.old.as_ref(), &entry.field.new);
        let id = known.run(entry.run).map_or_else(String::new, |run| format!("  id {}", run.correlation));
        say(format!("  {}  {value}  {} `{}`{id}", time(entry.at), entry.field.at, entry.mapping));
    }
    if earlier.len() > EARLIER {
        say(format!("  … and {} more; `--json` has them", earlier.len() - EARLIER));
    }
    say("The store knows what Mapwright wrote; the CRM may hold what others wrote since.");
}

/// Whether something more was about to be written to a field.
fn perhaps(known: &Known, field: &str) {
    for OpenIntent { intent, .. } in &known.trail.intents {
        let written = intent.fields.iter().filter(|written| written.field == field);
        for written in written.filter(|_| intent.target == IntentTarget::Record(known.record.record.clone()))
        {
            say(format!("  perhaps {} ({}): {}", shown(&written.new), written.at, about_to(known, intent)));
        }
    }
}

/// The facts of one write, a line each.
fn written(known: &Known, entry: &HistoryEntry) {
    let at = &entry.field.at;
    let run = known.run(entry.run);
    let id = run.map_or_else(String::new, |run| format!(", id {}", run.correlation));
    let how = if entry.created { "with the new record" } else { "by an update" };
    say(format!("  written  {} {how}{id}", time(entry.at)));
    match &entry.field.old {
        Some(old) => say(format!("  before   {}", shown(old))),
        None if entry.created => say("  before   (the record is new)"),
        None => say("  before   (not read)"),
    }
    say(format!("  source   {} {}", entry.source.object, entry.source.record));
    let line = known.line(entry.run, &at.file, at.line);
    let text = line.then.as_ref().or(line.now.as_ref()).cloned().unwrap_or_default();
    say(format!("  rule     `{}`, {at}: {text}", entry.mapping));
    match (&line.then, &line.now) {
        (Some(then), Some(now)) if then != now => say(format!("           that line reads now: {now}")),
        (Some(_), None) => say("           that line is not there any more"),
        (None, Some(_)) => say("           (as it reads now; the store does not remember how it read then)"),
        _ => {}
    }
    if let Some(version) = known.version(entry.run) {
        let commit = match &version.revision {
            Some(revision) => format!("commit {revision}, "),
            None => "no repository, ".to_owned(),
        };
        say(format!(
            "  project  {commit}files {}, in use since {}",
            version.fingerprint,
            time(version.since)
        ));
    }
    if let Some(run) = run {
        for line in begun(&run.begun) {
            say(format!("  because  {line}"));
        }
    } else if !entry.events.is_empty() {
        let events: Vec<String> = entry.events.iter().map(ToString::to_string).collect();
        say(format!("  because  of the events {}", events.join(", ")));
    }
}

/// A field that was never written: why, and by what it could be.
fn unwritten(known: &Known, field: &str) {
    let record = &known.record;
    say(format!(
        "{} {} {field}: never written by Mapwright, as far as the store knows",
        record.object, record.record
    ));
    perhaps(known, field);
    for kept in known.kept_of(field) {
        let value = kept.value.as_ref().map_or_else(String::new, |value| format!(" {}", shown(value)));
        let (file, line) = &kept.place;
        say(format!(
            "  `{}` met{value} on {} and left it: {} ({file}:{line})",
            kept.mapping,
            time(kept.at),
            kept.why
        ));
    }
    let rules = known.rules_for(field);
    for (mapping, at) in &rules {
        let line = known.line(None, &at.file, at.line).now.unwrap_or_default();
        say(format!("  `{mapping}` could write it, {at}: {line}"));
    }
    if rules.is_empty() {
        say(format!("  no rule writes `{field}` of {}", record.object));
        for (mapping, at) in known.writers() {
            say(format!(
                "  `{mapping}` ({at}) writes this object: a rule `{field} <- …` there would write it"
            ));
        }
        let readers = known.readers(field);
        if !readers.is_empty() {
            say(format!("  it is read by `{}`", readers.join("`, `")));
        }
    }
    if known.is_nothing() {
        say("  the store knows nothing of the record at all");
    }
    say("  a value that it has was written by somebody else: the CRM's own field history tells by whom");
}
