//! Names, paths, references and fixed texts.

use pest::iterators::Pair;

use crate::source::{Side, Spanned};
use crate::syntax::ast::{FieldRef, Name, ObjectRef, Path};
use crate::syntax::grammar::Rule;

use super::Lower;

impl Lower<'_> {
    /// A name without its back-quotes.
    pub(super) fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        let text = pair.as_str();
        let bare = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(text);
        Spanned::new(bare.to_owned(), self.span(pair))
    }

    pub(super) fn path(&self, pair: &Pair<'_, Rule>) -> Path {
        let parts = pair.clone().into_inner().map(|part| self.name(&part)).collect();
        Path { parts, span: self.span(pair) }
    }

    pub(super) fn object(&self, pair: &Pair<'_, Rule>) -> ObjectRef {
        let mut side = Side::Hubspot;
        let mut name = None;
        for child in pair.clone().into_inner() {
            match child.as_rule() {
                Rule::side => side = self::side(&child),
                _ => name = Some(self.name(&child)),
            }
        }
        let span = self.span(pair);
        ObjectRef { side, name: name.unwrap_or_else(|| Spanned::new(String::new(), span)), span }
    }

    pub(super) fn field_ref(&self, pair: &Pair<'_, Rule>) -> FieldRef {
        let mut side = Side::Hubspot;
        let mut names = Vec::with_capacity(2);
        for child in pair.clone().into_inner() {
            match child.as_rule() {
                Rule::side => side = self::side(&child),
                _ => names.push(self.name(&child)),
            }
        }
        let span = self.span(pair);
        // INVARIANT: the grammar gives `object_field` two parts; an empty name would only be an unknown one.
        let field = names.pop().unwrap_or_else(|| Spanned::new(String::new(), span));
        let name = names.pop().unwrap_or_else(|| Spanned::new(String::new(), span));
        let object_span = crate::source::Span { end: name.span.end, ..span };
        FieldRef { object: ObjectRef { side, name, span: object_span }, field, span }
    }

    /// A text without holes.
    pub(super) fn text(&self, pair: &Pair<'_, Rule>) -> Spanned<String> {
        Spanned::new(unescape(pair), self.span(pair))
    }
}

/// The CRM that a word names.
pub(super) fn side(pair: &Pair<'_, Rule>) -> Side {
    if pair.as_str() == Side::Salesforce.word() { Side::Salesforce } else { Side::Hubspot }
}

/// Adds a piece of a text literal to what was read of it.
pub(super) fn push_piece(text: &mut String, piece: &Pair<'_, Rule>) {
    match piece.as_rule() {
        Rule::escape => text.push_str(match piece.as_str() {
            "\\n" => "\n",
            escaped => &escaped[1..],
        }),
        _ => text.push_str(piece.as_str()),
    }
}

fn unescape(pair: &Pair<'_, Rule>) -> String {
    let mut text = String::with_capacity(pair.as_str().len());
    for piece in pair.clone().into_inner() {
        push_piece(&mut text, &piece);
    }
    text
}
