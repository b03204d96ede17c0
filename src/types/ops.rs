//! What the engine asks of a CRM and what comes back, as pure data: no HTTP and no vendor's quirk.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::source::{ObjectName, Side};

use super::Value;

/// A record as a CRM returned it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The object.
    pub object: ObjectName,
    /// The CRM's id; for Salesforce the 18-character form.
    pub id: String,
    /// Raw values by field name or relationship path (`Owner.Email`), as the CRM sent them: HubSpot sends text or null,
    /// Salesforce sends JSON values. A field that was not returned is absent.
    pub values: serde_json::Map<String, serde_json::Value>,
}

/// Reads records by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRequest {
    /// The object.
    pub object: ObjectName,
    /// Ids; the client splits them into the vendor's batch size.
    pub ids: Vec<String>,
    /// The fields in use, and no others.
    pub fields: Vec<String>,
}

/// Looks records up by value. All filters must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindRequest {
    /// The object.
    pub object: ObjectName,
    /// What must hold of a record.
    pub filters: Vec<Filter>,
    /// The fields among them that hold ids of the CRM's, while the value may be other text. No record has such a value; a
    /// client asks for none, since the CRM would refuse the whole look-up.
    #[serde(default)]
    pub ids: Vec<String>,
    /// The fields to return besides the id.
    pub fields: Vec<String>,
    /// At most so many records; the oldest first, then by id.
    pub limit: u32,
}

/// One test of a look-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// A field, or a path over relationships (`Owner.Email`).
    pub field: String,
    /// The test.
    pub op: FilterOp,
}

/// The tests of a look-up. Values are never blank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FilterOp {
    /// Equal.
    Eq(Value),
    /// Not equal (a blank field is not equal).
    Ne(Value),
    /// Less than.
    Lt(Value),
    /// At most.
    Le(Value),
    /// More than.
    Gt(Value),
    /// At least.
    Ge(Value),
    /// One of these.
    In(Vec<Value>),
    /// Not blank.
    Present,
    /// Blank.
    Blank,
}

/// Writes one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriteRequest {
    /// The object.
    pub object: ObjectName,
    /// Which record.
    pub target: WriteTarget,
    /// Fields and their new values; a blank clears.
    pub fields: Vec<(String, Value)>,
    /// Save in spite of a duplicate rule that allows it.
    pub allow_duplicates: bool,
    /// Salesforce, on create: `Some("TRUE")`, `Some("FALSE")` or an assignment rule's id.
    pub assignment_rule: Option<String>,
}

/// Which record a write is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteTarget {
    /// A new record.
    Create,
    /// The record with this id.
    Update {
        /// Its id.
        id: String,
    },
    /// The record with this unique external ID, or a new one.
    Upsert {
        /// The external-ID field (Salesforce) or unique property (HubSpot).
        key: String,
        /// Its value.
        value: String,
    },
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteAnswer {
    /// It took place.
    Written {
        /// The record's id.
        id: String,
        /// Whether it is new.
        created: bool,
    },
    /// A duplicate rule blocked it.
    Duplicate {
        /// The rule's name.
        rule: String,
        /// What the vendor said.
        message: String,
        /// The records that it names, perhaps of another object.
        matches: Vec<MatchedRecord>,
        /// Whether the rule lets a caller insist.
        allow_save: bool,
    },
    /// A unique value is already on another record.
    Taken {
        /// The field, where the vendor says so.
        field: Option<String>,
        /// The other record, where the vendor says so.
        existing: Option<String>,
        /// What the vendor said.
        message: String,
    },
    /// The record is a converted Lead.
    Converted {
        /// What the vendor said.
        message: String,
    },
    /// The record is gone.
    Gone {
        /// What the vendor said.
        message: String,
    },
    /// Validation refused it.
    Rejected {
        /// What was wrong, field by field where the vendor says so.
        errors: Vec<FieldError>,
    },
    /// It could not be decided: the call failed. [`CrmError::maybe_applied`] tells whether the write may have happened.
    Failed(CrmError),
}

/// A record that a duplicate rule named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRecord {
    /// The object.
    pub object: ObjectName,
    /// Its id.
    pub id: String,
}

/// One reason why a CRM refused a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The vendor's code (`STRING_TOO_LONG`, `INVALID_OPTION`).
    pub code: String,
    /// What the vendor said.
    pub message: String,
    /// The fields, where the vendor says so.
    pub fields: Vec<String>,
}

/// A call to a CRM that failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}{}: {message}", side.label(), self.said_by())]
pub struct CrmError {
    /// Which CRM.
    pub side: Side,
    /// What to do about it.
    pub kind: CrmErrorKind,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The vendor's code or category.
    pub code: Option<String>,
    /// The vendor's words.
    pub message: String,
    /// How long the vendor asks to wait.
    pub retry_after: Option<Duration>,
    /// Whether a write may have taken place although the call failed (a time-out after sending).
    pub maybe_applied: bool,
}

impl CrmError {
    /// The code behind the CRM's name, or that it answered at all: what never reached it is nobody's answer.
    fn said_by(&self) -> String {
        match (&self.code, self.status) {
            (Some(code), _) => format!(" {code}"),
            (None, Some(_)) => " answered".to_owned(),
            (None, None) => String::new(),
        }
    }

    /// Whether nobody was asked, because what proves who we are is missing, cannot be read, or is another account's.
    pub fn without_login(&self) -> bool {
        self.kind == CrmErrorKind::Unauthorised && self.status.is_none()
    }
}

/// What a failed call means for whoever made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CrmErrorKind {
    /// Try again with back-off: 429 of a short window, 5xx, 423, 477, a lock, a time-out, a reset connection.
    Retry,
    /// Wait for the window: the daily limit is used up.
    Window,
    /// Pause and alert: the token is refused although it was refreshed once.
    Unauthorised,
    /// Pause and alert: a scope or permission is missing.
    Forbidden,
    /// Pause and alert: the CRM does not offer the API version that is configured.
    Version,
    /// The request itself is wrong (400, 404, 422): trying again cannot help.
    Refused,
    /// The answer could not be understood.
    Garbled,
}

/// Asks which records of one object are associated with records of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssociatedRequest {
    /// The object whose records are known.
    pub from: ObjectName,
    /// Their ids.
    pub ids: Vec<String>,
    /// The object asked for.
    pub to: String,
    /// Which association.
    pub kind: AssociationKind,
}

/// Adds an association between two records of one CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssociateRequest {
    /// One record's object.
    pub from: ObjectName,
    /// Its id.
    pub from_id: String,
    /// The other record's object.
    pub to: String,
    /// Its id.
    pub to_id: String,
    /// Which association.
    pub kind: AssociationKind,
}

/// Which association between two objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AssociationKind {
    /// Any, without a label.
    Plain,
    /// The primary one.
    Primary,
    /// The one with this label.
    Labelled(String),
}

/// Asks which records are paired with these, by what mappings and syncs have settled so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRequest {
    /// The mapping or sync whose pairs are meant; `None` for those of all.
    pub by: Option<String>,
    /// The object whose records are known.
    pub of: ObjectName,
    /// Their ids.
    pub ids: Vec<String>,
    /// The object of the other CRM.
    pub to: ObjectName,
}

/// A pair that is not settled yet and that a record waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AwaitedPair {
    /// The object of the record that has no counterpart yet.
    pub of: ObjectName,
    /// Its id.
    pub id: String,
    /// The object of the other CRM in which its counterpart will be.
    pub to: ObjectName,
}

impl std::fmt::Display for AwaitedPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} of {} {}", self.to, self.of, self.id)
    }
}

/// A pair of records that a mapping or sync has settled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkedPair {
    /// The id that was asked for.
    pub id: String,
    /// The id of its counterpart.
    pub to: String,
    /// Whether the counterpart is known to be deleted.
    pub gone: bool,
    /// The record into which the counterpart was merged, where that is known; the counterpart is gone then.
    pub merged_into: Option<String>,
    /// The record of another object that the counterpart became: the Contact of a converted Lead. The counterpart is gone
    /// then.
    pub became: Option<String>,
    /// Whether the pair came over from a record that was merged into this one, and no run has settled it since.
    pub inherited: bool,
    /// A sync's values when both sides were last the same, by the Salesforce field, as Salesforce holds them.
    pub synced: BTreeMap<String, Value>,
}

/// What a run changes in what is remembered about the pairs of its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkChange {
    /// The mapping whose pair is meant.
    pub by: String,
    /// What becomes of the pair.
    pub fate: LinkFate,
}

/// What becomes of a pair of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkFate {
    /// It is forgotten.
    Forgotten,
    /// Its target record is known to be gone.
    TargetGone,
    /// It belongs to the source record with this id from now on, and its mapping runs for that one.
    Inherited {
        /// The record into which the present one was merged.
        by: String,
        /// The counterpart that that record had, where it is known to be gone.
        over: Option<String>,
    },
    /// Its target record became one of another object, at which it points from now on.
    Became {
        /// The former target record; a pair that points elsewhere stays as it is.
        from: String,
        /// The object of what it became.
        object: ObjectName,
        /// The id of what it became.
        id: String,
    },
    /// It points at the target record with this id from now on.
    PointsAt {
        /// The record into which the former one was merged.
        target: String,
    },
}

impl LinkFate {
    /// What becomes of the link, in words.
    pub fn told(&self) -> String {
        match self {
            LinkFate::Forgotten => "forgotten".to_owned(),
            LinkFate::TargetGone => "its target record is gone".to_owned(),
            LinkFate::Inherited { by, .. } => format!("inherited by {by}"),
            LinkFate::Became { from, object, id } => format!("{from} became {object} {id}"),
            LinkFate::PointsAt { target } => format!("points at {target}"),
        }
    }
}

/// Asks when fields of a record took their present values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedRequest {
    /// The object.
    pub object: ObjectName,
    /// The record's id.
    pub id: String,
    /// The fields.
    pub fields: Vec<String>,
}
