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
    /// A person asked to be forgotten.
    PrivacyDeletion,
}
