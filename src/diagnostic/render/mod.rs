//! Renderers: for people (miette), for programs (JSON), for pull requests (GitHub) and for code scanning (SARIF).
//!
//! All of them show findings in the order given and never panic, whatever a span covers: the end of a file, an empty
//! file, half a line end, wide characters. Columns count characters from 1.

mod github;
mod human;
mod json;
mod sarif;
#[cfg(test)]
mod tests;

pub use github::github;
pub use human::human;
pub use json::json;
pub use sarif::sarif;

use crate::source::{Sources, Span};

use super::Severity;

impl Severity {
    /// The word for programs.
    fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A span as lines and columns, both from 1; the end column is one past the last character.
struct Region<'s> {
    file: &'s str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl<'s> Region<'s> {
    fn of(sources: &'s Sources, span: Span) -> Self {
        let file = sources.file(span.file);
        let (line, column) = file.position(span.start);
        let (end_line, end_column) = file.position(span.end.max(span.start));
        Self { file: file.name(), line, column, end_line, end_column }
    }
}
