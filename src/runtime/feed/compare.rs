//! What has changed about a record, by how it was when it was last read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use crate::crm::{Change, Found};
use crate::plan::Watched;
use crate::store::{Ended, Seen};
use crate::types::ChangeKind;

use super::super::echo::digest;

/// How a page is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'p> {
    /// What is watched.
    pub(super) watched: &'p Watched,
    /// Whether the page shows how things were before the feed began.
    pub(super) baseline: bool,
    /// A record made since then and not known is new.
    pub(super) new_since: DateTime<Utc>,
}

impl Reading<'_> {
    /// What happened to a record, and how it is now; the latter is `None` where it is known so already.
    ///
    /// A record that was never read is compared with nothing: each field that triggers read may have changed. That starts
    /// a run too many now and then, which changes nothing; to guess the other way would lose a change.
    pub(super) fn compare(&self, change: &Change, seen: Option<&Seen>) -> (Vec<ChangeKind>, Option<Seen>) {
        let before = seen.map(|seen| seen.parents.clone()).unwrap_or_default();
        let (mut kinds, fields, parents, ended) = match &change.what {
            Found::State { created_at, values } => {
                let fields = self.digests(values);
                let kinds = match seen {
                    Some(seen) => self.differences(seen, &fields, values),
                    None => self.first_sight(*created_at, values),
                };
                (kinds, fields, self.parents(values), None)
            }
            Found::Event(kind) => match ended(kind) {
                Some(end) => {
                    let known = seen.and_then(|seen| seen.ended.as_ref());
                    // The survivor of a merge tells more than that the record is gone.
                    let told = known == Some(&end) || (known.is_some() && end == Ended::Deleted);
                    let kinds = if told { Vec::new() } else { vec![kind.clone()] };
                    let end = if told { known.cloned() } else { Some(end) };
                    let parents = before.into_iter().chain(self.parents(&change.last)).collect();
                    (kinds, seen.map(|seen| seen.fields.clone()).unwrap_or_default(), parents, end)
                }
                // A source that tells what happened need not be compared with anything.
                None => return (vec![kind.clone()], None),
            },
        };
        if self.baseline {
            kinds.clear();
        }
        let revision = seen.map_or(0, |seen| seen.revision) + i64::from(!kinds.is_empty());
        let (record, at, met) = (change.record.clone(), change.at, Vec::new());
        let now = Seen { record, at, fields, parents, ended, revision, met };
        let as_it_is = |seen: &Seen| {
            (&seen.fields, &seen.parents, &seen.ended) == (&now.fields, &now.parents, &now.ended)
        };
        let same = seen.is_some_and(as_it_is);
        (kinds, (!same).then_some(now))
    }

    fn first_sight(&self, created_at: Option<DateTime<Utc>>, values: &Map<String, Json>) -> Vec<ChangeKind> {
        let is_new = created_at.is_some_and(|at| at >= self.new_since);
        let created = is_new.then_some(ChangeKind::Created);
        // A new record's fields were blank before.
        let fields = self.watched.fields.iter().filter(|field| !is_new || !is_blank(values.get(*field)));
        created.into_iter().chain(fields.map(|field| self.changed(field, values))).collect()
    }

    /// What is not as a sync's run left it, though no reading after another shows a change: a person changed a field and
    /// changed it back between two polls, and the run has seen what was in between. Each comes with the digest that the
    /// run left.
    pub(super) fn undone(&self, change: &Change, seen: Option<&Seen>) -> Vec<(ChangeKind, String)> {
        let (Found::State { values, .. }, Some(seen), false) = (&change.what, seen, self.baseline) else {
            return Vec::new();
        };
        let fields = self.digests(values);
        let known = |field: &&String| seen.fields.get(*field) == fields.get(*field);
        let undone = |field: &String| {
            let mut left = seen.met.iter().filter_map(|met| met.fields.get(field));
            let left = left.find(|left| fields.get(field) != Some(left))?.clone();
            Some((self.changed(field, values), left))
        };
        self.watched.fields.iter().filter(known).filter_map(undone).collect()
    }

    fn differences(
        &self,
        seen: &Seen,
        fields: &BTreeMap<String, String>,
        values: &Map<String, Json>,
    ) -> Vec<ChangeKind> {
        let restored = seen.ended.is_some().then_some(ChangeKind::Restored);
        let differs = |field: &&String| seen.fields.get(*field) != fields.get(*field);
        let changed = self.watched.fields.iter().filter(differs).map(|field| self.changed(field, values));
        restored.into_iter().chain(changed).collect()
    }

    fn changed(&self, field: &str, values: &Map<String, Json>) -> ChangeKind {
        ChangeKind::FieldChanged { field: field.to_owned(), value: self.told(field, values.get(field)) }
    }

    /// A value as a trigger compares it, and `None` where the CRM may write it in another way than the mapping: then the
    /// run itself looks at the record.
    fn told(&self, field: &str, value: Option<&Json>) -> Option<String> {
        match value {
            None | Some(Json::Null) => Some(String::new()),
            Some(Json::Bool(flag)) => Some(flag.to_string()),
            Some(Json::String(text)) => {
                let awaited = self.watched.becomes.get(field).is_some_and(|values| values.contains(text));
                // A number, a time or several options at once.
                let ambiguous =
                    text.contains(';') || text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                (awaited || !ambiguous).then(|| text.clone())
            }
            Some(_) => None,
        }
    }

    /// The records that a row belongs to, by the fields that hold their ids.
    pub(super) fn parents(&self, values: &Map<String, Json>) -> BTreeMap<String, String> {
        let id = |field: &String| {
            let id = values.get(field)?.as_str().filter(|id| !id.is_empty())?;
            Some((field.clone(), id.to_owned()))
        };
        self.watched.parents.iter().filter_map(|parent| id(&parent.field)).collect()
    }

    pub(super) fn digests(&self, values: &Map<String, Json>) -> BTreeMap<String, String> {
        self.watched.fields.iter().map(|field| (field.clone(), digest(values.get(field)))).collect()
    }
}

fn ended(kind: &ChangeKind) -> Option<Ended> {
    match kind {
        ChangeKind::Deleted => Some(Ended::Deleted),
        ChangeKind::Merged { into } => Some(Ended::Merged { into: into.clone() }),
        _ => None,
    }
}

fn is_blank(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => true,
        Some(Json::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}
