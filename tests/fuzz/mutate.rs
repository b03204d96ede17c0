//! Files of the corpus with pieces taken out, doubled, swapped, replaced, and spliced with other files.

use super::tape::Tape;

/// What nobody expects.
const STRAYS: &[&str] = &[
    "",
    "{",
    "}",
    "(",
    ")",
    "\"",
    "`",
    "#",
    "\n",
    "|",
    "<-",
    "<->",
    "->",
    "=",
    "if",
    "then",
    "where",
    "otherwise",
    "lookup",
    "nothing",
    "\0",
    "é",
    "🦀",
    "\u{feff}",
    "\r",
    "-",
    "99999999999999999999",
    ", ",
    ": ",
    "test \"t\" {",
    "mapping m {",
    "&anchor ",
    "- ",
];

/// A few changes, each at a token.
pub(crate) fn mutate(text: &str, other: &str, tape: &mut Tape<'_>) -> String {
    let mut tokens = tokens(text);
    let others = self::tokens(other);
    for _ in 0..=tape.below(4) {
        if tokens.is_empty() {
            break;
        }
        let at = tape.below(tokens.len());
        match tape.below(6) {
            0 => {
                tokens.remove(at);
            }
            1 => tokens.insert(at, tokens[at]),
            2 => {
                let with = tape.below(tokens.len());
                tokens.swap(at, with);
            }
            3 => tokens[at] = tape.pick(STRAYS),
            4 if !others.is_empty() => tokens[at] = others[tape.below(others.len())],
            _ => {
                let from = tape.below(others.len() + 1);
                tokens.truncate(at);
                tokens.extend(&others[from..]);
            }
        }
    }
    tokens.concat()
}

/// Words, and every other character alone.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut start) = (Vec::new(), 0);
    let mut in_word = false;
    for (at, character) in text.char_indices() {
        let word = character.is_alphanumeric() || character == '_';
        if at > start && !(word && in_word) {
            tokens.push(&text[start..at]);
            start = at;
        }
        in_word = word;
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}
