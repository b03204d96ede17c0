//! The tree of a `test` item.

use crate::source::{Span, Spanned};

use super::{AssociateKind, Literal, Name, ObjectRef, Trigger};

/// `test "…" { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The comment block directly above.
    pub doc: Option<String>,
    /// What it shows.
    pub name: Spanned<String>,
    /// `mapping NAME` or `sync NAME`
    pub subjects: Vec<Name>,
    /// `given OBJECT { … }`
    pub given: Vec<Given>,
    /// `given link …`
    pub links: Vec<GivenLink>,
    /// `given associated …`
    pub associations: Vec<GivenAssociation>,
    /// What a CRM does with writes: `given OBJECT rejects …`, `given OBJECT blocks duplicates …`
    pub refusals: Vec<Refusal>,
    /// `when …`: what happened to the source record.
    pub whens: Vec<Trigger>,
    /// `given OBJECT "ID" deleted`, `given OBJECT "ID" merged into "ID"`
    pub ends: Vec<GivenEnd>,
    /// `expect …`
    pub expect: Vec<Expect>,
    /// The whole item.
    pub span: Span,
}

/// `given link OBJECT "ID" = OBJECT "ID" { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct GivenLink {
    /// The two objects and ids, as written.
    pub ends: [(ObjectRef, Spanned<String>); 2],
    /// The values that both sides held when they were last the same.
    pub entries: Vec<Entry>,
    /// The statement.
    pub span: Span,
}

/// `given associated ["Label"] OBJECT "ID"`: what the record given above is associated with already.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenAssociation {
    /// Which kind of association.
    pub kind: AssociateKind,
    /// The object of the other record.
    pub object: ObjectRef,
    /// Its id.
    pub id: Spanned<String>,
    /// The statement.
    pub span: Span,
}

/// `given OBJECT "ID" deleted` or `given OBJECT "ID" merged into "ID"`
#[derive(Debug, Clone, PartialEq)]
pub struct GivenEnd {
    /// The object.
    pub object: ObjectRef,
    /// The id of the record that is gone.
    pub id: Spanned<String>,
    /// The record into which it was merged.
    pub into: Option<Spanned<String>>,
    /// The statement.
    pub span: Span,
}

/// `given OBJECT [at "TIME"] { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// How the record is associated with the source record, where only in this way.
    pub association: Option<Spanned<AssociationMark>>,
    /// The object.
    pub object: ObjectRef,
    /// When its fields took their values.
    pub at: Option<Spanned<String>>,
    /// Its values.
    pub entries: Vec<Entry>,
    /// The statement.
    pub span: Span,
}

/// The association that a given record stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssociationMark {
    /// `primary`
    Primary,
    /// The one with this label.
    Labelled(String),
}

/// What a CRM refuses to write in a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The object that is written.
    pub object: ObjectRef,
    /// What it does.
    pub kind: RefusalKind,
    /// The statement.
    pub span: Span,
}

/// The ways in which a CRM refuses a write.
#[derive(Debug, Clone, PartialEq)]
pub enum RefusalKind {
    /// `rejects [FIELD] "message"`
    Rejects {
        /// The field that is refused whenever it is written; without it, every write.
        field: Option<Name>,
        /// What the CRM says.
        message: Spanned<String>,
    },
    /// `blocks duplicates by FIELD [of OBJECT]`, `warns of duplicates by …`
    Duplicates {
        /// The field that two records may not share.
        field: Name,
        /// The object of the record that is there; the one that is written without it.
        of: Option<ObjectRef>,
        /// Whether a caller may insist.
        allow_save: bool,
    },
}

/// `expect …`
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// What.
    pub kind: ExpectKind,
    /// The statement.
    pub span: Span,
}

/// What a test expects.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectKind {
    /// A new record with these values.
    Create(ObjectRef, Vec<Entry>),
    /// A changed record with these values.
    Update(ObjectRef, Vec<Entry>),
    /// Nothing, by a guard or an outcome.
    Skip,
    /// Kept for a person.
    Park(Option<String>),
    /// The pair is forgotten.
    Unlink,
    /// The pair goes over to the surviving record.
    Follow,
    /// Handed to another mapping.
    Then(Name),
    /// Looked at again when a field changes.
    Wait,
    /// Everything is already as the mapping says.
    Nothing,
    /// What happened makes the mapping not run.
    NotTriggered,
    /// The record written is associated with this one: `associated ["Label"] OBJECT "ID"`.
    Associated(AssociateKind, ObjectRef, Spanned<String>),
    /// The Lead written is converted with these: `converted { … }`.
    Converted(Vec<Entry>),
    /// It is not, or no longer: `not associated ["Label"] OBJECT "ID"`.
    NotAssociated(AssociateKind, ObjectRef, Spanned<String>),
}

/// `NAME: VALUE` in a test's record.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The field.
    pub name: Name,
    /// Its value.
    pub value: Spanned<EntryValue>,
}

/// The value of a test's field.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryValue {
    /// A literal.
    Literal(Literal),
    /// Not written.
    Absent,
    /// Left as it was.
    Kept,
}
