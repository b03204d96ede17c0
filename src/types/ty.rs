//! Types.

use serde::{Deserialize, Serialize};

/// What a value can be, without the question of blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Type {
    /// Text of at most so many characters; `None` is without a known limit.
    Text(Option<u32>),
    /// An e-mail address.
    Email(Option<u32>),
    /// A phone number as people wrote it.
    Phone(Option<u32>),
    /// A web address.
    Url(Option<u32>),
    /// A whole number of at most so many digits.
    Integer(Option<u32>),
    /// A decimal number: digits in all, digits after the point.
    Decimal(Option<(u32, u32)>),
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// An instant.
    DateTime,
    /// One of these options.
    Picklist(Options),
    /// A set of these options.
    MultiPicklist(Options),
    /// The id of a record of one of these objects (`salesforce.User`).
    Reference(Vec<crate::source::ObjectName>),
    /// A list of values of one type.
    List(Box<Typed>),
    /// Nothing but blank.
    Nothing,
    /// Unknown because of an error that was already reported; goes with everything.
    Error,
}

/// The options a picklist value can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Options {
    /// Those of a field: object and field name.
    Field(crate::source::ObjectName, String),
    /// Exactly these.
    These(Vec<String>),
    /// Any text of at most so many characters (an unrestricted or external list).
    Open(Option<u32>),
}

/// A type with the question of blank and of failure answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// What it can be.
    pub ty: Type,
    /// Whether it can be blank.
    pub blank: bool,
}

impl Typed {
    /// A type that can be blank.
    pub fn maybe(ty: Type) -> Self {
        Self { ty, blank: true }
    }

    /// A type that is never blank.
    pub fn always(ty: Type) -> Self {
        Self { ty, blank: false }
    }

    /// The type of what was already reported.
    pub fn error() -> Self {
        Self::always(Type::Error)
    }
}
