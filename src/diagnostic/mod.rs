//! Findings about the author's files: facts first, words in one place, several renderers.
//!
//! A [`Diagnostic`] names a stable [`Code`], a message, the exact spans (also in the schema snapshot where that is the
//! other half of the disagreement), what to write instead and, where it is mechanical, a [`Fix`].
//!
//! Messages: lower case, no final full stop, back-quotes around the author's text, no names of Rust types or grammar
//! rules; what to do instead goes in the help.

mod codes;
mod edit;
mod finding;
mod page;
mod render;
mod suggest;

pub use codes::{CODES, Code, CodePage, code_page};
pub use edit::{Edit, edit};
pub use finding::{Diagnostic, Fix, Label, Severity, Suppressed};
pub use render::{github, human, json, sarif};
pub use suggest::{Guesses, did_you_mean, nearest, unambiguous};
