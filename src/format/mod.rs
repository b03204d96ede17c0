//! The canonical form of a `.map` file.
//!
//! Gentle: what stands on a line of its own stays there, and a comment stays where its author put it; only blanks,
//! indentation and columns change. The result is parsed again and compared with the original: a file whose meaning
//! would change, or that would lose a comment, is refused instead of written.

mod align;
mod pieces;
mod render;
mod same;
#[cfg(test)]
mod tests;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax;

/// Formats a file, or gives the findings that must be corrected first. The spans are of `FileId(0)`.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let id = FileId(0);
    let (file, findings) = syntax::parse(id, text);
    if !findings.is_empty() {
        return Err(findings);
    }
    let formatted = render::render(text, &file);
    let (again, findings) = syntax::parse(id, &formatted);
    if findings.is_empty() && same::same(&file, &again) {
        return Ok(formatted);
    }
    let span = Span::new(id, 0, 0);
    let finding =
        Diagnostic::error(Code::SYNTAX, span, "this file cannot be formatted without changing what it says");
    Err(vec![finding.help("nothing was written; please report this file as a mistake of the formatter")])
}
