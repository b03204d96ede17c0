//! `${NAME}` references.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::yaml::{Node, Problems};

/// How the environment is asked. `None` is a variable that is not set.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Literal(&'t str),
    Reference(&'t str),
    /// A `${` that is no reference.
    Broken(&'t str),
}

/// Whether a text has a reference.
pub(super) fn has_reference(text: &str) -> bool {
    pieces(text).iter().any(|piece| matches!(piece, Piece::Reference(_)))
}

/// Splits a text into literals and references; `$${` is a literal `${`.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(escaped) = before.strip_suffix('$') {
            pieces.push(Piece::Literal(escaped));
            pieces.push(Piece::Literal("${"));
            rest = after;
            continue;
        }
        pieces.push(Piece::Literal(before));
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        let good = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        match tail.strip_prefix('}') {
            Some(tail) if good => {
                pieces.push(Piece::Reference(name));
                rest = tail;
            }
            _ => {
                let end = after.find('}').map_or(after.len(), |close| close + 1);
                pieces.push(Piece::Broken(&rest[at..at + 2 + end]));
                rest = &after[end..];
            }
        }
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// Replaces the references of a text. `None` where something was reported, or where there is a reference and no
/// environment yet.
pub(super) fn expand(
    text: &str,
    node: &Node,
    source: &str,
    environment: Option<Environment<'_>>,
    problems: &Problems,
) -> Option<String> {
    let mut places = Places { source, file: node.span.file, rest: node.span.range(), whole: node.span };
    let mut expanded = Some(String::with_capacity(text.len()));
    let mut add = |more: Option<&str>| match (more, &mut expanded) {
        (Some(more), Some(text)) => text.push_str(more),
        _ => expanded = None,
    };
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => add(Some(literal)),
            Piece::Broken(broken) => {
                let span = places.find(broken);
                problems.report(
                    Diagnostic::error(Code::YAML_BAD_VALUE, span, format!("`{broken}` is no reference to a variable"))
                        .label("cannot be read")
                        .help("write `${NAME}` with letters, digits and `_`, or `$${` for the characters themselves"),
                );
                add(None);
            }
            Piece::Reference(name) => {
                let span = places.find(&format!("${{{name}}}"));
                let value = environment.map(|environment| environment(name));
                if let Some(finding) = value.as_ref().and_then(|value| missing(name, value.as_deref(), span))
                {
                    problems.report(finding);
                }
                add(value.flatten().as_deref());
            }
        }
    }
    expanded
}

fn missing(name: &str, value: Option<&str>, span: Span) -> Option<Diagnostic> {
    let (message, label) = match value {
        None => (format!("the environment variable `{name}` is not set"), "needed here"),
        Some("") => (format!("the environment variable `{name}` is empty"), "needed here"),
        Some(_) => return None,
    };
    let help = format!("set it before the command: `export {name}=…`");
    Some(Diagnostic::error(Code::ENV_MISSING, span, message).label(label).help(help))
}

/// Finds references in the source text of a scalar, one after the other.
struct Places<'s> {
    source: &'s str,
    file: FileId,
    rest: Range<usize>,
    whole: Span,
}

impl Places<'_> {
    /// The next place of a piece; the whole scalar where quoting or folding hides it.
    fn find(&mut self, piece: &str) -> Span {
        let Some(at) = self.source.get(self.rest.clone()).and_then(|rest| rest.find(piece)) else {
            return self.whole;
        };
        let start = self.rest.start + at;
        self.rest.start = start + piece.len();
        Span::new(self.file, start, self.rest.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_splits_into_literals_and_references() {
        use Piece::{Broken, Literal, Reference};
        assert_eq!(pieces("plain $5"), [Literal("plain $5")]);
        assert_eq!(pieces("a${B}c"), [Literal("a"), Reference("B"), Literal("c")]);
        assert_eq!(
            pieces("${A}${B_1}"),
            [Literal(""), Reference("A"), Literal(""), Reference("B_1"), Literal("")]
        );
        assert_eq!(pieces("$${A}"), [Literal(""), Literal("${"), Literal("A}")]);
        for broken in ["${}", "${1A}", "${A:-b}", "${A", "${ä}"] {
            assert_eq!(pieces(broken), [Literal(""), Broken(broken), Literal("")], "{broken}");
        }
    }
}
