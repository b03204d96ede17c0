//! The answer for programs; docs/cli.md tells its shape.

use serde_json::{Value as Json, json};

use super::known::Known;
use crate::store::{Begun, FieldWritten, HistoryEntry, Intent, IntentTarget, KeptEntry, RecordKey, RunEntry};
use crate::types::{Value, to_json};

/// All that is known, of one field or of the whole record.
pub(super) fn document(known: &Known, field: Option<&str>) -> Json {
    let about = |name: &str| field.is_none_or(|field| field == name);
    let trail = &known.trail;
    let writes: Vec<Json> =
        known.writes().filter(|entry| about(&entry.field.field)).map(|entry| write(known, entry)).collect();
    let kept: Vec<Json> =
        trail.kept.iter().filter(|kept| about(&kept.field)).map(|one| self::kept(known, one)).collect();
    let parked: Vec<Json> = trail.parked.iter().map(super::super::parked::as_json).collect();
    let mut document = json!({
        "record": key(&known.record),
        "field": field,
        "writes": writes,
        "kept": kept,
        "parked": parked,
        "waiting": trail.waiting.iter().map(|(mapping, reason)| json!({"mapping": mapping, "reason": reason})).collect::<Json>(),
        "pending": trail.pending,
        "perhaps_written": trail.intents.iter().filter_map(|open| perhaps(&open.intent, field)).collect::<Json>(),
        "pairs": trail.links.iter().map(|link| json!({
            "mapping": link.mapping, "source": key(&link.source), "target": key(&link.target),
            "gone": link.tombstone || link.source_gone,
        })).collect::<Json>(),
        "runs": trail.runs.iter().map(|run| self::run(known, run)).collect::<Json>(),
    });
    if let Some(field) = field {
        let changes = known.foreign(field).into_iter().map(|change| {
            json!({"at": change.at.to_rfc3339(), "what": change.what, "after_the_last_write": change.since})
        });
        document["changed_by_others"] = changes.collect();
        let rules = known.rules_for(field).into_iter();
        document["rules"] = rules
            .map(|(mapping, at)| json!({"mapping": mapping, "file": at.file, "line": at.line}))
            .collect();
    }
    document
}

fn key(key: &RecordKey) -> Json {
    json!({"pair": key.pair, "object": key.object.to_string(), "id": key.record})
}

fn value(value: Option<&Value>) -> Json {
    value.map_or(Json::Null, to_json)
}

fn write(known: &Known, entry: &HistoryEntry) -> Json {
    let at = &entry.field.at;
    let line = known.line(entry.run, &at.file, at.line);
    let run = known.run(entry.run);
    json!({
        "field": entry.field.field,
        "old": value(entry.field.old.as_ref()),
        "new": value(Some(&entry.field.new)),
        "at": entry.at.to_rfc3339(),
        "created": entry.created,
        "mapping": entry.mapping,
        "source": key(&entry.source),
        "rule": {"file": at.file, "line": at.line, "text": line.then, "text_now": line.now},
        "project": known.version(entry.run),
        "correlation_id": run.map(|run| run.correlation),
        "because": run.map(|run| because(&run.begun)),
    })
}

/// A write of which no answer is known, as far as it is about a field.
fn perhaps(intent: &Intent, field: Option<&str>) -> Option<Json> {
    let about = |written: &&FieldWritten| field.is_none_or(|field| field == written.field);
    let fields: Vec<Json> = intent
        .fields
        .iter()
        .filter(about)
        .map(|FieldWritten { field, old, new, at }| {
            let rule = json!({"file": at.file, "line": at.line});
            json!({"field": field, "old": value(old.as_ref()), "new": value(Some(new)), "rule": rule})
        })
        .collect();
    let id = match &intent.target {
        IntentTarget::Record(id) => Some(id),
        IntentTarget::Keyed(_) | IntentTarget::New => None,
    };
    (!fields.is_empty()).then(|| {
        json!({
            "at": intent.at.to_rfc3339(),
            "mapping": intent.ended_by,
            "source": key(&intent.source),
            "target": {"object": intent.object.to_string(), "id": id},
            "fields": fields,
            "correlation_id": intent.correlation,
        })
    })
}

fn kept(known: &Known, kept: &KeptEntry) -> Json {
    let (file, number) = &kept.place;
    let line = known.line(kept.run, file, *number);
    json!({
        "field": kept.field,
        "value": value(kept.value.as_ref()),
        "at": kept.at.to_rfc3339(),
        "why": kept.why,
        "mapping": kept.mapping,
        "source": key(&kept.source),
        "rule": {"file": file, "line": number, "text": line.then, "text_now": line.now},
    })
}

fn run(known: &Known, run: &RunEntry) -> Json {
    let place = run.place.as_ref().map(|(file, line)| json!({"file": file, "line": line}));
    json!({
        "at": run.at.to_rfc3339(),
        "mapping": run.mapping,
        "result": run.result,
        "reason": run.reason,
        "rule": place,
        "source": key(&run.source),
        "target": run.target.as_ref().map(key),
        "correlation_id": run.correlation,
        "project": known.version(Some(run.id)),
        "because": because(&run.begun),
    })
}

/// `events`, `causes`, `request`, `backfill` or `command`.
fn because(begun: &Begun) -> Json {
    match begun {
        Begun::Events(events) => json!({"kind": "events", "events": events}),
        Begun::Causes(causes) => json!({"kind": "causes", "causes": causes}),
        Begun::Request => json!({"kind": "request"}),
        Begun::Backfill { mapping } => json!({"kind": "backfill", "mapping": mapping}),
        Begun::Command => json!({"kind": "command"}),
    }
}
