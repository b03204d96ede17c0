//! The tokens of a statement, and the blanks between them.

use std::ops::Range;

use crate::syntax::shape::{first_name, first_word};

/// The words that begin the lines of a `convert`.
const LINES: [&str; 3] = ["account", "opportunity", "owner"];

/// A token or a comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'t> {
    /// Its text; of a comment, without `#`.
    pub(super) text: &'t str,
    /// Where it begins in the file.
    pub(super) start: usize,
    /// Whether it is the first on its line.
    pub(super) first: bool,
    /// Whether it is a comment.
    pub(super) comment: bool,
}

/// Splits a statement, which parses.
pub(super) fn pieces(text: &str, range: Range<usize>) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let (mut at, mut first) = (range.start, false);
    while at < range.end {
        let rest = &text[at..range.end];
        match rest.as_bytes()[0] {
            b'\n' => {
                first = true;
                at += 1;
            }
            b' ' | b'\t' | b'\r' => at += 1,
            b'#' => {
                let line = &rest[1..rest.find('\n').unwrap_or(rest.len())];
                pieces.push(Piece { text: line.trim_end(), start: at, first, comment: true });
                first = false;
                at += 1 + line.len();
            }
            _ => {
                let mut before = pieces.iter().rev().filter(|piece| !piece.comment);
                let unary = before.next().is_none_or(|last| {
                    // The value of such a line stands behind its word.
                    let first_word = before.next().is_none() && LINES.contains(&last.text);
                    first_word || is_unary_after(last.text)
                });
                let length = token(rest, unary);
                pieces.push(Piece { text: &rest[..length], start: at, first, comment: false });
                first = false;
                at += length;
            }
        }
    }
    pieces
}

/// The length of the token at the start of a text.
fn token(text: &str, unary: bool) -> usize {
    if text.starts_with('"') {
        return text_literal(text);
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(unary && text.starts_with('-'));
    let whole = digits(&text[sign..]);
    if whole > 0 {
        let end = sign + whole;
        let fraction = text[end..].strip_prefix('.').map_or(0, digits);
        return if fraction > 0 { end + 1 + fraction } else { end };
    }
    let mut length = first_name(text).len();
    while length > 0 && text[length..].starts_with('.') {
        match first_name(&text[length + 1..]).len() {
            0 => break,
            part => length += 1 + part,
        }
    }
    if length > 0 {
        return length;
    }
    let symbol = ["<->", "<-", "->", "<=", ">=", "!="].into_iter().find(|symbol| text.starts_with(symbol));
    symbol.map_or_else(|| text.chars().next().map_or(1, char::len_utf8), str::len)
}

/// The length of a text literal with its holes, which may hold texts again.
fn text_literal(text: &str) -> usize {
    // True inside quotes, false inside a hole.
    let mut levels = vec![true];
    let (mut escaped, mut quoted_name) = (false, false);
    for (at, byte) in text.bytes().enumerate().skip(1) {
        let Some(in_text) = levels.last().copied() else { return at };
        match byte {
            _ if escaped => escaped = false,
            b'`' if !in_text => quoted_name = !quoted_name,
            _ if quoted_name => {}
            b'\\' if in_text => escaped = true,
            b'"' if in_text => {
                levels.pop();
            }
            b'{' if in_text => levels.push(false),
            b'}' if !in_text => {
                levels.pop();
            }
            b'"' => levels.push(true),
            _ => {}
        }
    }
    text.len()
}

/// Whether a `-` after this token is the sign of a number.
fn is_unary_after(before: &str) -> bool {
    const WORDS: &[&str] = &["then", "else", "and", "or", "not", "in", "if", "otherwise", "becomes", "type"];
    let word = first_word(before);
    if word.is_empty() { !before.starts_with([')', ']', '"', '`']) } else { WORDS.contains(&before) }
}

/// Whether a blank stands between two tokens of one line.
pub(super) fn blank_between(before: &str, after: &str) -> bool {
    match (before, after) {
        ("(" | "[", _) | (_, ")" | "]" | "," | ":") | ("{", "}") => false,
        (_, "(") => !is_called(before),
        _ => true,
    }
}

/// Whether `(` after this token holds arguments.
fn is_called(before: &str) -> bool {
    const NOT_CALLED: &[&str] = &[
        "and",
        "or",
        "not",
        "in",
        "if",
        "then",
        "else",
        "of",
        "type",
        "where",
        "is",
        "lookup",
        "linked",
        "account",
        "opportunity",
        "owner",
    ];
    !first_name(before).is_empty() && !NOT_CALLED.contains(&before)
}
