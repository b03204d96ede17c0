//! `mapwright plan` and `mapwright run`: one record, here and now.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::args::RecordArgs;
use super::output::Output;
use super::{Exit, eval, parts};
use crate::eval::{
    Association, Conversion, ConversionEnd, FieldChange, Finished, Made, Park, PlannedWrite, Synced, Verdict,
};
use crate::plan::LinkElse;
use crate::runtime::{self, Clock, Crms, Memory, OnceError, Preview, SystemClock};
use crate::source::Side;
use crate::store::{CorrelationId, Origin, RecordKey, SqliteStore, StoreError};
use crate::types::{AssociationKind, AwaitedPair, CrmErrorKind, Value, WriteTarget, display, to_json};

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Show only.
    Preview,
    /// Do it.
    Write,
}

pub(super) async fn run(given: Option<&Path>, options: &RecordArgs, mode: Mode, output: Output) -> Exit {
    match try_run(given, options, mode, output).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn try_run(
    given: Option<&Path>,
    options: &RecordArgs,
    mode: Mode,
    output: Output,
) -> Result<Exit, Exit> {
    let ready = parts::ready(given, options.pair.as_deref(), output)?;
    if runtime::object(&ready.plan, &options.mapping, &options.record).is_none() {
        output.error(&eval::unknown_mapping(&ready.plan, &options.mapping));
        return Err(Exit::Usage);
    }
    let pair = &ready.pair;
    let tokens =
        if ready.keeps_tokens() { Some(Arc::new(parts::store(&ready, output).await?)) } else { None };
    let clients = parts::clients(&ready, tokens.as_ref()).map_err(|message| {
        output.error(&message);
        Exit::Usage
    })?;
    clients.admitted(output).await?;
    let failed = |error: OnceError| {
        output.error(&error.to_string());
        if let Some(key) = unreached(&error) {
            let pair = &pair.name;
            output.note(&format!("the address stands in `mapwright.yaml` under `pairs: {pair}: {key}`"));
        }
        Exit::Remote
    };
    let it = OneRecord { ready: &ready, options, pair: &pair.name, crms: &clients.crms() };
    match mode {
        Mode::Preview => it.preview(output).await?.map_err(failed),
        Mode::Write => it.write(output).await?.map_err(failed),
    }
}

/// One record, and what it takes to run it.
struct OneRecord<'r> {
    ready: &'r parts::Ready,
    options: &'r RecordArgs,
    pair: &'r str,
    crms: &'r Crms,
}

impl OneRecord<'_> {
    async fn preview(&self, output: Output) -> Result<Result<Exit, OnceError>, Exit> {
        // A project that never ran has no store, and a preview makes none.
        let known = parts::store_path(self.ready).exists();
        let store = if known { Some(parts::store(self.ready, output).await?) } else { None };
        let memory = store.as_ref().map(|store| Memory { store, pair: self.pair });
        let (plan, RecordArgs { mapping, record, json, .. }) = (Arc::clone(&self.ready.plan), self.options);
        Ok(runtime::preview(plan, mapping, record, self.crms, memory).await.map(|preview| match preview {
            Preview::WouldWrite(planned, finished) if *json => {
                let mut would = match planned.as_slice() {
                    [one] => json!({"would": "write", "write": planned_json(one)}),
                    all => {
                        json!({"would": "write", "writes": all.iter().map(planned_json).collect::<Vec<_>>()})
                    }
                };
                if !finished.associations.is_empty() {
                    would["associations"] = json!(finished.associations);
                }
                if let Some(conversion) = &finished.conversion {
                    would["conversion"] = json!(conversion.request);
                }
                Output::result(&would.to_string());
                Exit::Fine
            }
            Preview::WouldWrite(planned, finished) => {
                planned.iter().for_each(show_planned);
                show_conversion(&finished, Mode::Preview);
                show_associations(&finished.associations, Mode::Preview);
                Exit::Fine
            }
            Preview::WouldFinish(finished) => show(&finished, record, *json, Mode::Preview),
        }))
    }

    async fn write(&self, output: Output) -> Result<Result<Exit, OnceError>, Exit> {
        let store = parts::store(self.ready, output).await?;
        let memory = Memory { store: &store, pair: self.pair };
        Ok(self.write_with(memory, &store, output).await)
    }

    async fn write_with(
        &self,
        memory: Memory<'_>,
        store: &SqliteStore,
        output: Output,
    ) -> Result<Exit, OnceError> {
        let (plan, RecordArgs { mapping, record, json, .. }) = (Arc::clone(&self.ready.plan), self.options);
        let (key, origin) = self.origin(memory).await?;
        let clock: &dyn Clock = &SystemClock;
        let waits = || output.note("somebody works on this record; the run begins when that is done");
        let run = async {
            let by = (origin, clock);
            let finished = runtime::run_by_hand(plan, mapping, record, self.crms, memory, by).await?;
            self.keep(memory, &finished, origin, output).await?;
            Ok(finished)
        };
        let finished = runtime::alone(store, &key, origin, clock, waits, run).await?;
        Ok(show(&finished, record, *json, Mode::Write))
    }

    /// The record, and where what it writes comes from.
    async fn origin(&self, memory: Memory<'_>) -> Result<(RecordKey, Origin), OnceError> {
        let RecordArgs { mapping, record, .. } = self.options;
        let now = parts::now();
        let failed = |error: StoreError| OnceError::Store(error.to_string());
        let project =
            memory.store.remember_project(self.ready.version.as_ref().clone(), now).await.map_err(failed)?;
        let object = runtime::object(&self.ready.plan, mapping, record);
        let object = object.ok_or_else(|| OnceError::NoSuchMapping(mapping.clone()))?;
        let key = RecordKey::new(memory.pair, object, record);
        let origin =
            Origin { correlation: CorrelationId::of_request(&key, mapping, now), project: Some(project) };
        Ok((key, origin))
    }

    /// Keeps what a run came to, so that `why` and the next run know of it, and says where a parked record waits.
    async fn keep(
        &self,
        memory: Memory<'_>,
        finished: &Finished,
        origin: Origin,
        output: Output,
    ) -> Result<(), OnceError> {
        let RecordArgs { mapping, record, .. } = self.options;
        let Some(object) = runtime::object(&self.ready.plan, mapping, record) else { return Ok(()) };
        let by = (origin, parts::now());
        runtime::record_once(memory, object, record, mapping, finished.clone(), by).await?;
        if matches!(finished.verdict, Verdict::Parked(_)) {
            output.note("the record is parked; `mapwright parked list` shows it with those of `serve`");
        }
        Ok(())
    }
}

/// The key of the configuration that holds the address of a CRM that could not be reached.
fn unreached(error: &OnceError) -> Option<&'static str> {
    let OnceError::Crm(error) = error else { return None };
    let reached = error.status.is_some() || error.kind != CrmErrorKind::Retry;
    (!reached).then_some(match error.side {
        Side::Hubspot => "hubspot: base_url",
        Side::Salesforce => "salesforce: login_url",
    })
}

fn show_planned(planned: &PlannedWrite) {
    let object = &planned.request.object;
    let target = match &planned.request.target {
        WriteTarget::Create => format!("would create a {object}"),
        WriteTarget::Update { id } => format!("would update {object} {id}"),
        WriteTarget::Upsert { key, value } => format!("would create a {object} with {key} = {value}"),
    };
    Output::result(&format!("`{}` {target}:", planned.mapping));
    show_changes(&planned.changes);
}

/// The fields as a table: field, old → new or why it is kept, the rule's line.
pub(super) fn show_changes(changes: &[FieldChange]) {
    for line in table(changes) {
        Output::result(&line);
    }
}

/// The lines of the table of changes.
pub(super) fn table(changes: &[FieldChange]) -> Vec<String> {
    let width = changes.iter().map(|change| change.field.chars().count()).max().unwrap_or(0);
    let rows: Vec<(String, String, String)> = changes
        .iter()
        .map(|change| {
            let what = match (&change.old, &change.new, &change.kept) {
                (None, Some(new), _) => shown(new),
                (Some(old), Some(new), _) => format!("{} → {}", shown(old), shown(new)),
                (Some(old), None, Some(why)) => format!("{} (kept: {why})", shown(old)),
                (_, None, why) => format!("(kept: {})", why.as_deref().unwrap_or("nothing to write")),
            };
            (format!("{:width$}", change.field), what, change.at.to_string())
        })
        .collect();
    // Long values do not push the places of all the others out of sight.
    let column =
        rows.iter().map(|(_, what, _)| what.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    rows.into_iter().map(|(field, what, at)| format!("  {field}  {what:column$}  {at}")).collect()
}

fn planned_json(planned: &PlannedWrite) -> Json {
    let fields = &planned.request.fields;
    let fields: Map<String, Json> =
        fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect();
    let mut json = json!(planned);
    json["request"]["fields"] = fields.into();
    json["changes"] = planned.changes.iter().map(change_json).collect();
    json
}

fn finished_json(finished: &Finished) -> Json {
    let mut json = json!(finished);
    if let Verdict::Written { changes, .. } = &finished.verdict {
        json["verdict"]["Written"]["changes"] = changes.iter().map(change_json).collect();
    }
    if let Verdict::Unchanged { kept, .. } = &finished.verdict
        && !kept.is_empty()
    {
        json["verdict"]["Unchanged"]["kept"] = kept.iter().map(change_json).collect();
    }
    json
}

/// A change with plain values; `type` tells a date from a text that looks like one.
fn change_json(change: &FieldChange) -> Json {
    let mut json = json!(change);
    for (key, value) in [("old", &change.old), ("new", &change.new)] {
        json[key] = value.as_ref().map_or(Json::Null, to_json);
    }
    let ty = [&change.new, &change.old].into_iter().flatten().find_map(|value| match value {
        Value::Date(_) => Some("date"),
        Value::DateTime(_) => Some("datetime"),
        _ => None,
    });
    if let Some(ty) = ty {
        json["type"] = ty.into();
    }
    json
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Blank => "(blank)".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        other => display(other),
    }
}

fn show(finished: &Finished, record: &str, as_json: bool, mode: Mode) -> Exit {
    let exit = match &finished.verdict {
        Verdict::Parked(_) | Verdict::SourceGone => Exit::Findings,
        _ if finished.troubled().is_some() => Exit::Findings,
        _ => Exit::Fine,
    };
    if as_json {
        Output::result(&json!({"finished": finished_json(finished)}).to_string());
        return exit;
    }
    for step in &finished.path {
        Output::result(step);
    }
    let at =
        |at: &Option<crate::source::Location>| at.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
    let mapping = &finished.mapping;
    match &finished.verdict {
        Verdict::Written { object, id, created, changes } => {
            Output::result(&format!(
                "`{mapping}` {} {object} {id}:",
                if *created { "created" } else { "updated" }
            ));
            show_changes(changes);
        }
        Verdict::Unchanged { object, id, .. } => {
            Output::result(&format!("`{mapping}`: {object} {id} is already as it should be"));
        }
        Verdict::Synced(synced) => show_synced(mapping, synced),
        Verdict::Skipped { reason, at: place } => {
            Output::result(&format!("`{mapping}` skips it: {reason}{}", at(place)));
        }
        Verdict::Waiting { reason, fields, pairs, at: place } => {
            let awaited = awaited(fields, pairs);
            Output::result(&format!("`{mapping}` waits for {awaited}: {reason}{}", at(place)));
        }
        Verdict::Parked(park) => show_park(mapping, park),
        Verdict::Relinked { reason, at: place, .. } => {
            Output::result(&format!("`{mapping}` writes nothing: {reason}{}", at(place)));
        }
        Verdict::SourceGone => Output::result(&format!(
            "`{mapping}`: there is no source record with the id `{record}`; `--record` takes the id that the CRM shows"
        )),
    }
    show_conversion(finished, mode);
    show_associations(&finished.associations, mode);
    exit
}

/// What a waiting record waits for, in words.
fn awaited(fields: &[String], pairs: &[AwaitedPair]) -> String {
    let change = (!fields.is_empty()).then(|| format!("a change of {}", fields.join(", ")));
    let all: Vec<String> = change.into_iter().chain(pairs.iter().map(ToString::to_string)).collect();
    all.join(", or ")
}

/// What a sync did with a pair.
fn show_synced(mapping: &str, synced: &Synced) {
    if synced.writes.is_empty() {
        let (hubspot, salesforce) = (&synced.hubspot, &synced.salesforce);
        Output::result(&format!(
            "`{mapping}`: {} {} and {} {} are already the same",
            hubspot.0, hubspot.1, salesforce.0, salesforce.1
        ));
    }
    for write in &synced.writes {
        let done = if write.created { "created" } else { "updated" };
        Output::result(&format!("`{mapping}` {done} {} {}:", write.object, write.id));
        show_changes(&write.changes);
    }
}

/// What the Lead became or would become, or why it did not.
fn show_conversion(finished: &Finished, mode: Mode) {
    let Some(Conversion { request, end, at }) = finished.conversion.as_deref() else { return };
    let into = match end {
        ConversionEnd::Refused(park) => return show_park(&finished.mapping, park),
        ConversionEnd::Converted(into) => into,
    };
    let named = |object: &str, asked: bool, id: &str| match (mode, asked) {
        (_, true) => format!("{object} {id}"),
        (Mode::Preview, false) => format!("a new {object}"),
        (Mode::Write, false) => format!("new {object} {id}"),
    };
    let mut parts = vec![
        named("Account", request.account.is_some(), &into.account),
        named("Contact", false, &into.contact),
    ];
    match (&request.opportunity, &into.opportunity) {
        (Some(name), Some(id)) => parts.push(format!("{} {name:?}", named("Opportunity", false, id))),
        _ => parts.push("no Opportunity".to_owned()),
    }
    let owner = request.owner.as_ref().map_or_else(String::new, |owner| format!(", owned by {owner}"));
    let converted = if mode == Mode::Preview { "would be converted" } else { "converted" };
    let lead = if mode == Mode::Preview { "the Lead".to_owned() } else { format!("Lead {}", request.id) };
    let line = format!("{lead} {converted} to {:?}: {}{owner}", request.status, parts.join(", "));
    Output::result(&format!("  {line}  {at}"));
}

/// What became, or would become, of each association, a line each.
fn show_associations(associations: &[Association], mode: Mode) {
    for association in associations {
        let kind = match &association.kind {
            AssociationKind::Plain => String::new(),
            AssociationKind::Primary => "primary ".to_owned(),
            AssociationKind::Labelled(label) => format!("\"{label}\" "),
        };
        let other = association.id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
        let with = format!("{kind}{}{other}", association.to);
        let would = |done: &str, undone: &str| {
            if mode == Mode::Preview { format!("would {undone}") } else { done.to_owned() }
        };
        let line = match &association.made {
            Made::Added => format!("{} {with}", would("associated with", "associate with")),
            Made::Removed => format!("{} {with}", would("no longer associated with", "dissociate from")),
            Made::Kept => format!("already associated with {with}"),
            Made::Refused(said) => format!("not associated with {with}: {said}"),
            Made::Unpaired { pair, otherwise } => {
                let then = match otherwise {
                    LinkElse::Wait => "waits for it",
                    LinkElse::Skip => "skipped",
                    LinkElse::Park(_) => "parked",
                };
                format!("not associated with {with}: {pair} is not there yet ({then})")
            }
        };
        Output::result(&format!("  {line}  {}", association.at));
    }
}

/// Why a record is parked, a fact a line.
pub(super) fn show_park(mapping: &str, park: &Park) {
    Output::result(&format!("`{mapping}` parks it: {}", park.reason));
    let facts = [
        ("field", park.field.clone()),
        ("the CRM said", park.answer.clone()),
        ("line", park.at.as_ref().map(ToString::to_string)),
        ("what to do", park.help.clone()),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            Output::result(&format!("  {name}: {fact}"));
        }
    }
}
