//! The function table (interface; the families follow).

use crate::types::{Failure, Typed, Value};

/// A function of the language.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// As shown to authors.
    pub signature: &'static str,
    /// Fewest and most arguments, counting the piped value.
    pub arity: (usize, Option<usize>),
    /// Whether it is called on a blank first argument.
    pub takes_blank: bool,
    /// Types the call.
    pub check: fn(&[Argument<'_>]) -> Result<Signature, Problem>,
    /// Computes the result.
    pub call: fn(&[Value]) -> Result<Value, Failure>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// An argument as the checker knows it.
pub struct Argument<'a> {
    /// Its type.
    pub typed: &'a Typed,
    /// Its value where it is a literal.
    pub literal: Option<&'a Value>,
}

/// What a call gives.
pub struct Signature {
    /// The result.
    pub result: Typed,
    /// Whether it can fail.
    pub can_fail: bool,
}

/// Why a call is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// An argument has the wrong type.
    Type {
        /// Which, from 0.
        argument: usize,
        /// What is wanted, in words.
        wanted: String,
        /// What to write instead.
        help: Option<String>,
    },
    /// An argument must be a literal.
    Literal {
        /// Which, from 0.
        argument: usize,
    },
    /// An argument has the right type and no meaning.
    Meaning {
        /// Which, from 0.
        argument: usize,
        /// Why.
        message: String,
        /// What to write instead.
        help: Option<String>,
    },
    /// A time zone is needed.
    Zone {
        /// What to write instead.
        help: String,
    },
}

/// The function of a name.
pub fn find(_name: &str) -> Option<&'static Function> {
    None
}

/// All functions.
pub fn all() -> impl Iterator<Item = &'static Function> {
    std::iter::empty()
}
