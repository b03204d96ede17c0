//! What the store and the project know of a record, put together.

use std::collections::HashMap;

use super::super::project::Project;
use crate::plan::Plan;
use crate::source::Location;
use crate::store::{
    Begun, EventBrief, HeardEvent, HistoryEntry, KeptEntry, ProjectId, ProjectVersion, RecordKey, RunEntry,
    Store, StoreError, Trail,
};
use crate::types::{ChangeKind, Value, display};

/// Everything about one record.
pub(super) struct Known {
    /// The record.
    pub(super) record: RecordKey,
    /// What the store has of it.
    pub(super) trail: Trail,
    /// The versions of the project that are named in it.
    versions: HashMap<i64, ProjectVersion>,
    /// Lines of rules as they were, by version, file and line.
    lines: HashMap<(i64, String, usize), String>,
    /// Lines of rules as they are now, by file and line.
    files: HashMap<String, String>,
    /// The mappings as they are now, if they have no error.
    pub(super) plan: Option<Plan>,
}

/// A rule's line.
pub(super) struct Line {
    /// Its text as it was, if the store remembers it.
    pub(super) then: Option<String>,
    /// Its text as it is now, if there is such a line.
    pub(super) now: Option<String>,
}

/// A change that Mapwright did not make.
pub(super) struct Foreign {
    /// When, as far as that is known.
    pub(super) at: chrono::DateTime<chrono::Utc>,
    /// What is known of it.
    pub(super) what: String,
    /// Whether it came after the last write.
    pub(super) since: bool,
}

impl Known {
    pub(super) async fn gather(
        store: &dyn Store,
        project: &Project,
        record: RecordKey,
    ) -> Result<Self, StoreError> {
        let trail = store.trail(&record).await?;
        let plan = super::world(project, &record.pair).and_then(|world| world.plan(&project.sources));
        let files = project.sources.iter().map(|(_, file)| (file.name().to_owned(), file.text().to_owned()));
        let mut known = Self {
            record,
            trail,
            versions: HashMap::new(),
            lines: HashMap::new(),
            files: files.collect(),
            plan,
        };
        let ids: Vec<ProjectId> = known.trail.runs.iter().filter_map(|run| run.project).collect();
        for id in ids {
            if let (false, Some(version)) = (known.versions.contains_key(&id.0), store.project(id).await?) {
                known.versions.insert(id.0, version);
            }
        }
        let mut wanted: Vec<(i64, String, usize)> = Vec::new();
        for entry in &known.trail.history {
            let at = (&entry.field.at.file, entry.field.at.line);
            wanted.extend(known.project_of(entry.run).map(|id| (id.0, at.0.clone(), at.1)));
        }
        for kept in &known.trail.kept {
            wanted.extend(known.project_of(kept.run).map(|id| (id.0, kept.place.0.clone(), kept.place.1)));
        }
        wanted.sort();
        wanted.dedup();
        for (id, file, line) in wanted {
            if let Some(text) = store.project_line(ProjectId(id), &file, line).await? {
                known.lines.insert((id, file, line), text.trim().to_owned());
            }
        }
        Ok(known)
    }

    /// Whether the store has nothing at all of the record.
    pub(super) fn is_nothing(&self) -> bool {
        let Trail { history, runs, kept, parked, waiting, links, events, pending, intents } = &self.trail;
        let empty = history.is_empty() && runs.is_empty() && kept.is_empty() && parked.is_empty();
        let empty = empty && waiting.is_empty() && links.is_empty() && intents.is_empty();
        empty && events.is_empty() && !pending
    }

    /// The writes to this record, the newest first.
    pub(super) fn writes(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.trail.history.iter().filter(|entry| entry.target == self.record)
    }

    /// The writes of one field of this record, the newest first.
    pub(super) fn writes_of(&self, field: &str) -> impl Iterator<Item = &HistoryEntry> {
        self.writes().filter(move |entry| entry.field.field == field)
    }

    /// Why a field was left as it is, the newest first.
    pub(super) fn kept_of(&self, field: &str) -> impl Iterator<Item = &KeptEntry> {
        self.trail.kept.iter().filter(move |kept| kept.field == field)
    }

    /// The run that a write was part of.
    pub(super) fn run(&self, id: Option<i64>) -> Option<&RunEntry> {
        self.trail.runs.iter().find(|run| Some(run.id) == id)
    }

    fn project_of(&self, run: Option<i64>) -> Option<ProjectId> {
        self.run(run)?.project
    }

    /// The version of the project that made a run.
    pub(super) fn version(&self, run: Option<i64>) -> Option<&ProjectVersion> {
        self.versions.get(&self.project_of(run)?.0)
    }

    /// The text of a rule's line, then and now.
    pub(super) fn line(&self, run: Option<i64>, file: &str, line: usize) -> Line {
        let then = self.project_of(run).and_then(|id| self.lines.get(&(id.0, file.to_owned(), line)));
        let now = self.files.get(file).and_then(|text| text.lines().nth(line.checked_sub(1)?));
        Line { then: then.cloned(), now: now.map(|text| text.trim().to_owned()) }
    }

    /// The rules that write a field of this object now.
    pub(super) fn rules_for(&self, field: &str) -> Vec<(String, Location)> {
        let mappings = self.plan.iter().flat_map(|plan| &plan.mappings);
        let of_target = mappings.filter(|mapping| mapping.target == self.record.object);
        of_target
            .flat_map(|mapping| {
                let key = mapping.key.iter().filter(|key| key.field == field).map(|key| key.at.clone());
                let rules =
                    mapping.rules.iter().filter(|rule| rule.field == field).map(|rule| rule.at.clone());
                key.chain(rules).map(|at| (mapping.name.clone(), at))
            })
            .collect()
    }

    /// The mappings that write this object, whatever the field.
    pub(super) fn writers(&self) -> Vec<(String, Location)> {
        let mappings = self.plan.iter().flat_map(|plan| &plan.mappings);
        let of_target = mappings.filter(|mapping| mapping.target == self.record.object);
        of_target.map(|mapping| (mapping.name.clone(), mapping.at.clone())).collect()
    }

    /// The mappings that read a field of this object.
    pub(super) fn readers(&self, field: &str) -> Vec<String> {
        let mappings = self.plan.iter().flat_map(|plan| &plan.mappings);
        let reads = |name: &String| name == field;
        let of_source = mappings.filter(|mapping| mapping.source == self.record.object);
        of_source
            .filter(|mapping| mapping.reads.iter().any(reads))
            .map(|mapping| mapping.name.clone())
            .collect()
    }

    /// Changes of a field that somebody else made, the newest first, as far as they show in the store: a write that met
    /// another value than the one before left, an event, a value that a rule met and left.
    pub(super) fn foreign(&self, field: &str) -> Vec<Foreign> {
        let writes: Vec<&HistoryEntry> = self.writes_of(field).collect();
        let mut found = Vec::new();
        for pair in writes.windows(2) {
            let (newer, older) = (pair[0], pair[1]);
            if let Some(met) = &newer.field.old
                && display(met) != display(&older.field.new)
            {
                found.push(Foreign {
                    at: newer.at,
                    what: format!(
                        "somebody else changed it from {} to {} before this",
                        super::super::record::shown(&older.field.new),
                        super::super::record::shown(met)
                    ),
                    since: false,
                });
            }
        }
        if let Some(last) = writes.first() {
            found.extend(self.kept_of(field).filter_map(|kept| left_another(kept, last)));
            found.extend(self.trail.events.iter().filter_map(|event| heard_another(event, field, last)));
        }
        found.sort_by_key(|change| std::cmp::Reverse(change.at));
        found
    }
}

/// A value that a rule met after the last write, and that is another one.
fn left_another(kept: &KeptEntry, last: &HistoryEntry) -> Option<Foreign> {
    let value = kept.value.as_ref().filter(|_| kept.at > last.at)?;
    (display(value) != display(&last.field.new)).then(|| Foreign {
        at: kept.at,
        what: format!(
            "`{}` met {} and left it: {} ({}:{})",
            kept.mapping,
            super::super::record::shown(value),
            kept.why,
            kept.place.0,
            kept.place.1
        ),
        since: true,
    })
}

/// An event that tells of another value after the last write. Where it tells no value it may be the write itself.
fn heard_another(event: &HeardEvent, field: &str, last: &HistoryEntry) -> Option<Foreign> {
    let ChangeKind::FieldChanged { field: changed, value } = &event.change.kind else { return None };
    if changed != field || event.state == "ignored" || event.change.occurred_at <= last.at {
        return None;
    }
    let value = value.as_ref()?;
    (*value != display(&last.field.new)).then(|| Foreign {
        at: event.change.occurred_at,
        what: format!(
            "event {} told of {}",
            event.brief.id,
            super::super::record::shown(&Value::text(value))
        ),
        since: true,
    })
}

/// What made a run, a line each.
pub(super) fn begun(begun: &Begun) -> Vec<String> {
    match begun {
        Begun::Events(events) => events.iter().map(event).collect(),
        Begun::Causes(causes) => {
            causes.iter().map(|cause| format!("the end of its pair: {}", cause.told())).collect()
        }
        Begun::Backfill { mapping } => vec![format!("`mapwright backfill {mapping}`")],
        Begun::Request => vec!["asked for by name: a retry, or a pair that it waited for".to_owned()],
        Begun::Command => vec!["`mapwright run`, by hand".to_owned()],
    }
}

/// An event in words.
pub(in crate::cli) fn event(event: &EventBrief) -> String {
    let field = event.field.as_ref().map_or_else(String::new, |field| format!(" {field}"));
    let how = if event.polled { "found by a poll" } else { "webhook" };
    format!(
        "event {}: {}{field}, happened {}, arrived {} ({how})",
        event.id,
        event.kind,
        time(event.occurred_at),
        time(event.received_at)
    )
}

/// A time as people read it.
pub(super) fn time(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
