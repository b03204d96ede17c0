//! From text to tree: the private pest parser, the [`ast`], lowering, recovery and comments.
//!
//! Parsing never fails as a whole: [`parse`] returns the tree of what could be read and the findings about the rest.
//! A broken item hides nothing in the others, and a broken statement nothing in its item. pest's types never leave this
//! folder.

pub(crate) mod allow;
pub mod ast;

mod advice;
mod advice_events;
mod explain;
mod findings;
mod grammar;
mod habits;
pub(crate) mod layout;
mod lower;
pub(crate) mod shape;
mod tokens;
mod translate;
mod words;

use crate::diagnostic::Diagnostic;
use crate::source::FileId;

/// Reads a file: the tree of all that could be read, and findings about the rest in source order.
pub fn parse(file: FileId, text: &str) -> (ast::File, Vec<Diagnostic>) {
    let layout = layout::layout(file, text);
    let (items, findings) = lower::items(text, &layout.nodes, &layout.comments, layout.findings);
    (ast::File { file, items, comments: layout.comments }, findings.into_sorted())
}

#[cfg(test)]
mod tests;
