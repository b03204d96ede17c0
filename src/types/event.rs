//! A change of a record, as both vendors' notices are understood.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::source::ObjectName;

/// One change of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// The object.
    pub object: ObjectName,
    /// The record's id in its CRM.
    pub record: String,
    /// What happened.
    pub kind: ChangeKind,
    /// When, by the CRM's clock.
    pub occurred_at: DateTime<Utc>,
}

/// Why a mapping runs for a record, where the reason is the end of one of the two records of a pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cause {
    /// The source record was deleted.
    SourceDeleted,
    /// The source record was merged into another one.
    SourceMerged {
        /// The surviving record.
        into: String,
    },
    /// The target record was deleted.
    TargetDeleted {
        /// Its id.
        target: String,
    },
    /// The target record was merged into another one.
    TargetMerged {
        /// Its id.
        target: String,
        /// The surviving record.
        into: String,
    },
    /// The target record became one of another object: a Lead was converted.
    TargetConverted {
        /// Its id.
        target: String,
        /// The Contact, where the notice tells.
        into: Option<String>,
    },
}

impl Cause {
    /// The cause in words: `the record 00Q… was deleted`.
    pub fn told(&self) -> String {
        match self {
            Cause::SourceDeleted => "the source record was deleted".to_owned(),
            Cause::SourceMerged { into } => format!("the source record was merged into {into}"),
            Cause::TargetDeleted { target } => format!("the target record {target} was deleted"),
            Cause::TargetMerged { target, into } => {
                format!("the target record {target} was merged into {into}")
            }
            Cause::TargetConverted { target, into } => {
                let into = into.as_ref().map_or_else(String::new, |into| format!(" into {into}"));
                format!("the target record {target} was converted{into}")
            }
        }
    }

    /// How the life of a record ended, by its events in order; `None` where it has come back since, or never ended.
    pub fn of_source(events: &[ChangeEvent]) -> Option<Cause> {
        last_end(events).map(|end| match end {
            ChangeKind::Merged { into } => Cause::SourceMerged { into: into.clone() },
            _ => Cause::SourceDeleted,
        })
    }

    /// The same, for the records that are paired with it.
    pub fn of_target(events: &[ChangeEvent]) -> Option<Cause> {
        let target = events.last()?.record.clone();
        match last_end(events) {
            Some(ChangeKind::Merged { into }) => Some(Cause::TargetMerged { target, into: into.clone() }),
            Some(_) => Some(Cause::TargetDeleted { target }),
            None => events.iter().rev().find_map(|event| match &event.kind {
                ChangeKind::Converted { into } => {
                    Some(Cause::TargetConverted { target: target.clone(), into: Some(into.clone()) })
                }
                _ => None,
            }),
        }
    }
}

/// A merge tells more than the deletion that may come with it.
fn last_end(events: &[ChangeEvent]) -> Option<&ChangeKind> {
    let alive = |event: &ChangeEvent| matches!(event.kind, ChangeKind::Created | ChangeKind::Restored);
    let since = events.iter().rposition(alive).map_or(0, |place| place + 1);
    let kinds = || events[since..].iter().rev().map(|event| &event.kind);
    kinds()
        .find(|kind| matches!(kind, ChangeKind::Merged { .. }))
        .or_else(|| kinds().find(|kind| matches!(kind, ChangeKind::Deleted)))
}

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// A field changed.
    FieldChanged {
        /// Which.
        field: String,
        /// Its new value as sent, where the notice tells.
        value: Option<String>,
    },
    /// It was associated with another record, or no longer is.
    AssociationChanged {
        /// The other object, where the notice tells.
        other: Option<String>,
    },
    /// It was deleted (HubSpot: archived).
    Deleted,
    /// It came back.
    Restored,
    /// It was merged into another record.
    Merged {
        /// The surviving record.
        into: String,
    },
    /// It became a record of another object, which is where its life goes on: a Lead was converted.
    Converted {
        /// The Contact.
        into: String,
    },
    /// A person asked to be forgotten.
    PrivacyDeletion,
}

impl ChangeKind {
    /// What happened in words, without the value, which may be a person's.
    pub fn told(&self) -> String {
        match self {
            ChangeKind::Created => "created".to_owned(),
            ChangeKind::FieldChanged { field, .. } => format!("{field} changed"),
            ChangeKind::AssociationChanged { .. } => "association changed".to_owned(),
            ChangeKind::Deleted => "deleted".to_owned(),
            ChangeKind::Restored => "restored".to_owned(),
            ChangeKind::Merged { into } => format!("merged into {into}"),
            ChangeKind::Converted { into } => format!("converted into {into}"),
            ChangeKind::PrivacyDeletion => "forgotten".to_owned(),
        }
    }
}
