//! The functions of the language, in one table that checker, interpreter, documentation and completion read.
//!
//! Every function is pure and total: no clock, no I/O, no randomness; whatever it is given it returns a value or a
//! [`Failure`], and never panics. One file holds one family.
//!
//! What the interpreter and the checker may rely on:
//!
//! - The piped value is the first argument. A blank first argument gives a blank without a call, unless
//!   [`Function::takes_blank`] says otherwise. A blank argument further on also gives a blank, unless the function's
//!   documentation says otherwise; the function itself sees to that.
//! - [`Function::check`] answers for the arguments' types; when it answers `can_fail: false`, a call with values of
//!   those types does not fail. The checker hands over picklists with their options resolved ([`Options::These`] or
//!   [`Options::Open`]), because this module knows no schema and a length without options is unknown.
//! - An argument of [`Type::Error`] goes with everything and makes the result [`Type::Error`].
//! - Arguments borrow their text from the record and the plan where they can. A function that gives back text as it came,
//!   or a part of it, takes the argument ([`arguments::take`]) and so copies nothing.
//! - Lengths of texts are counted as [`text_length`](crate::types::text_length) does.
//!
//! [`Options::These`]: crate::types::Options::These
//! [`Options::Open`]: crate::types::Options::Open

use chrono_tz::Tz;
use regex::Regex;

use crate::types::{Borrowed, Failure, Type, Typed, Value};

mod arguments;
mod calendar;
mod general;
mod list;
mod number;
mod page;
mod pattern;
mod phone;
mod place;
mod text;
mod time;
mod web;

pub(crate) use general::{Union, kind, unify};
pub use page::{page, reference, summary};

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Where the documentation lists it.
    pub family: Family,
    /// Its arguments as authors read them, optional ones with a question mark: `round(number, digits?) -> number`.
    pub signature: &'static str,
    /// Fewest and most arguments, the piped value included; `None` is any number.
    pub arity: (usize, Option<usize>),
    /// Whether it is called with a blank first argument; else that gives a blank without a call.
    pub takes_blank: bool,
    /// Whether it gives its first argument that is not blank, so that those after it are not evaluated and cannot fail.
    pub lazy: bool,
    /// What it makes of arguments of these types. The checker has counted the arguments.
    pub check: Check,
    /// Does once what literal arguments allow (a compiled pattern). Takes the literal arguments by place, the piped
    /// value included; where it cannot prepare anything it answers [`Prepared::Nothing`].
    pub prepare: Option<Prepare>,
    /// Does the work. What was prepared only saves time: with [`Prepared::Nothing`] the result is the same.
    pub call: Call,
    /// When it can fail, in a sentence.
    pub failure: Option<&'static str>,
    /// The function that undoes it, for two-way rules.
    pub inverse: Option<&'static str>,
    /// Whether applying it twice is applying it once.
    pub idempotent: bool,
    /// What it does.
    pub doc: &'static str,
    /// Examples, run by the tests.
    pub examples: &'static [Example],
}

/// Types of arguments to the type of the result.
pub type Check = fn(&[Argument<'_>]) -> Result<Signature, Problem>;

/// Literal arguments, by place, to what can be done ahead of the calls.
pub type Prepare = fn(&[Option<&Value>]) -> Prepared;

/// Arguments to the result. They may be taken: nobody looks at them after the call.
pub type Call = for<'a> fn(&mut [Borrowed<'a>], &Prepared) -> Result<Borrowed<'a>, Failure>;

/// The families of functions, in the order of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Values of every type.
    General,
    /// Text.
    Text,
    /// Lists and multi-selects.
    List,
    /// Domains, web and e-mail addresses.
    Web,
    /// Phone numbers.
    Phone,
    /// Countries.
    Place,
    /// Numbers.
    Number,
    /// Dates and instants.
    Time,
}

impl Family {
    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Family::General => "any value",
            Family::Text => "text",
            Family::List => "list and multi-select",
            Family::Web => "web and e-mail",
            Family::Phone => "phone",
            Family::Place => "place",
            Family::Number => "number",
            Family::Time => "date and time",
        }
    }
}

/// An example: an expression of the language and the literal (or text form) that it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The expression.
    pub expression: &'static str,
    /// What it gives: a literal, a date or instant in its ISO form, a list in brackets, or `failure`.
    pub result: &'static str,
}

/// An argument as the checker sees it.
#[derive(Debug, Clone, Copy)]
pub struct Argument<'a> {
    /// Its type.
    pub typed: &'a Typed,
    /// Its value, where it is a literal.
    pub literal: Option<&'a Value>,
}

/// What a call gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The type of the result; blank also where a blank argument makes it so.
    pub result: Typed,
    /// Whether the call can fail.
    pub can_fail: bool,
}

/// Why a function does not take these arguments. `argument` counts from 0, the piped value included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The argument has the wrong type.
    Type {
        /// Which.
        argument: usize,
        /// What it should be: "text", "a date".
        wanted: String,
        /// What to write instead.
        help: Option<String>,
    },
    /// The argument must be a literal.
    Literal {
        /// Which.
        argument: usize,
    },
    /// The argument has the right type, but its value means nothing: a pattern that is none, an unknown zone.
    Meaning {
        /// Which.
        argument: usize,
        /// What is wrong.
        message: String,
        /// What to write instead.
        help: Option<String>,
    },
    /// An instant became a calendar day, or the reverse, without a time zone. The argument may not be there yet.
    Zone {
        /// Where the zone belongs.
        argument: usize,
        /// What to write.
        help: String,
    },
}

/// What was done ahead of the calls.
#[derive(Debug, Clone, Default)]
pub enum Prepared {
    /// Nothing.
    #[default]
    Nothing,
    /// A compiled pattern.
    Regex(Regex),
    /// A time zone.
    Zone(Tz),
}

/// The function of this name.
pub fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// Every function, by family.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().copied().flatten()
}

/// What most functions share. The names are filled in by each.
const BASE: Function = Function {
    name: "",
    family: Family::General,
    signature: "",
    arity: (1, Some(1)),
    takes_blank: false,
    lazy: false,
    check: |arguments| Ok(Signature::of(arguments, Type::Nothing, false)),
    prepare: None,
    call: |_, _| Ok(Value::Blank),
    failure: None,
    inverse: None,
    idempotent: false,
    doc: "",
    examples: &[],
};

const FAMILIES: &[&[Function]] = &[
    general::FUNCTIONS,
    text::FUNCTIONS,
    pattern::FUNCTIONS,
    list::FUNCTIONS,
    web::FUNCTIONS,
    phone::FUNCTIONS,
    place::FUNCTIONS,
    number::FUNCTIONS,
    time::FUNCTIONS,
];

impl Signature {
    /// A result that is blank where an argument is, and unknown where one is.
    fn of(arguments: &[Argument<'_>], ty: Type, can_fail: bool) -> Self {
        let blank = arguments.iter().any(|argument| argument.typed.blank);
        let unknown = arguments.iter().any(|argument| argument.typed.ty == Type::Error);
        let ty = if unknown { Type::Error } else { ty };
        Self { result: Typed { ty, blank }, can_fail }
    }

    /// The same, but perhaps blank.
    fn or_blank(mut self) -> Self {
        self.result.blank = true;
        self
    }
}

#[cfg(test)]
mod tests;
