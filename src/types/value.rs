//! Values.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::source::Location;

/// A value at run time. Its text is its own, or, in a [`Borrowed`], that of the record or the plan it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value<T = String> {
    /// Null or the empty text.
    Blank,
    /// Text that is not empty (also picklist options, ids, e-mail addresses, phone numbers).
    Text(T),
    /// An exact decimal number.
    Number(Decimal),
    /// True or false.
    Boolean(bool),
    /// A calendar date.
    Date(NaiveDate),
    /// An instant.
    DateTime(DateTime<Utc>),
    /// Several values; for a multi-select the set of its options.
    List(Vec<Value<T>>),
}

/// A value whose text may be that of the record or the plan it comes from: what expressions and functions work with, so
/// that text which only passes through is never copied.
pub type Borrowed<'a> = Value<Cow<'a, str>>;

impl<T: AsRef<str>> Value<T> {
    /// Text, or blank where it is empty or white space alone: what is left of a text that holds something.
    pub fn visible(text: impl Into<T>) -> Self {
        let text = text.into();
        if text.as_ref().trim().is_empty() { Value::Blank } else { Value::Text(text) }
    }

    /// Text, or blank where it is empty.
    pub fn text(text: impl Into<T>) -> Self {
        let text = text.into();
        if text.as_ref().is_empty() { Value::Blank } else { Value::Text(text) }
    }

    /// The same value, borrowing this one's text.
    pub fn borrowed(&self) -> Borrowed<'_> {
        match self {
            Value::Blank => Value::Blank,
            Value::Text(text) => Value::Text(Cow::Borrowed(text.as_ref())),
            Value::Number(number) => Value::Number(*number),
            Value::Boolean(boolean) => Value::Boolean(*boolean),
            Value::Date(date) => Value::Date(*date),
            Value::DateTime(instant) => Value::DateTime(*instant),
            Value::List(values) => Value::List(values.iter().map(Value::borrowed).collect()),
        }
    }
}

impl<T> Value<T> {
    /// Whether it is blank.
    pub fn is_blank(&self) -> bool {
        matches!(self, Value::Blank)
    }
}

impl Borrowed<'_> {
    /// The same value with text of its own.
    pub fn into_owned(self) -> Value {
        match self {
            Value::Blank => Value::Blank,
            Value::Text(text) => Value::Text(text.into_owned()),
            Value::Number(number) => Value::Number(number),
            Value::Boolean(boolean) => Value::Boolean(boolean),
            Value::Date(date) => Value::Date(date),
            Value::DateTime(instant) => Value::DateTime(instant),
            Value::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
        }
    }
}

/// More bytes than the longest text of a CRM has by far (Salesforce's have 131,072 characters).
const MAX_TEXT: usize = 1024 * 1024;

/// Whether a text of this many bytes may be made; a failure where not. One that is put together of itself again and again
/// would otherwise fill the memory.
pub(crate) fn within_limit(length: usize) -> Result<(), Failure> {
    if length > MAX_TEXT {
        return Err(Failure::new(format!("a text of more than {MAX_TEXT} bytes is none that a field holds")));
    }
    Ok(())
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
