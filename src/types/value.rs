//! Values.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::source::Location;

/// A value at run time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Null or the empty text.
    Blank,
    /// Text that is not empty (also picklist options, ids, e-mail addresses, phone numbers).
    Text(String),
    /// An exact decimal number.
    Number(Decimal),
    /// True or false.
    Boolean(bool),
    /// A calendar date.
    Date(NaiveDate),
    /// An instant.
    DateTime(DateTime<Utc>),
    /// Several values; for a multi-select the set of its options.
    List(Vec<Value>),
}

impl Value {
    /// Text, or blank where it is empty.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Value::Blank } else { Value::Text(text) }
    }

    /// Whether it is blank.
    pub fn is_blank(&self) -> bool {
        matches!(self, Value::Blank)
    }
}

/// Why a step or a reading failed, in the author's words: lower case, no final full stop, the value in back-quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What did not work.
    pub message: String,
    /// What to do about it, where something particular helps.
    pub help: Option<String>,
    /// The line to mend, where it is not the rule itself (a picklist without a line for an option).
    pub at: Option<Location>,
}

impl Failure {
    /// A failure with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, at: None }
    }

    /// Names the line to mend and what to write there.
    #[must_use]
    pub fn mend(mut self, at: Location, help: impl Into<String>) -> Self {
        self.at = Some(at);
        self.help = Some(help.into());
        self
    }
}
