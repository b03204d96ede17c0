//! What a line looks like from its first words: the head of an item, the start of a statement, or a continuation.
//!
//! These decide where statements end, also in a file with mistakes, and look at no more than the line's first words.

use super::layout::BlockKind;
use super::words::RESERVED;

/// The words that begin a statement of a mapping or a sync.
pub(crate) const STATEMENTS: &[&str] = &[
    "from",
    "to",
    "between",
    "with",
    "let",
    "when",
    "only",
    "match",
    "convert",
    "on",
    "assignment",
    "record",
    "associate",
    "fields",
];

/// Words that stand between two values, so that what is before them is a value and no statement's first word.
const INFIX: &[&str] = &["and", "or", "not", "in", "is", "then", "else", "where", "of"];

/// The word at the start of a text; empty when there is none.
pub(crate) fn first_word(text: &str) -> &str {
    let end = text.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'));
    &text[..end.unwrap_or(text.len())]
}

/// The name at the start of a text, with its back-quotes; empty when there is none.
pub(crate) fn first_name(text: &str) -> &str {
    match text.strip_prefix('`') {
        Some(rest) => match rest.bytes().position(|byte| byte == b'`' || byte == b'\n') {
            Some(end) if rest.as_bytes()[end] == b'`' => &text[..end + 2],
            _ => "",
        },
        None => first_word(text),
    }
}

/// A name as it is written, with back-quotes where it needs them; `None` where it cannot be written at all.
pub(crate) fn spelled_name(name: &str) -> Option<String> {
    let is_bare = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && first_word(name) == name
        && !RESERVED.contains(&name);
    match name.contains(['`', '\n']) || name.is_empty() {
        true => None,
        false if is_bare => Some(name.to_owned()),
        false => Some(format!("`{name}`")),
    }
}

/// A fixed text as it is written, in double quotes.
pub(crate) fn spelled_text(text: &str) -> String {
    let mut spelled = String::from("\"");
    for character in text.chars() {
        match character {
            '\n' => spelled.push_str("\\n"),
            '"' | '\\' | '{' | '}' => spelled.extend(['\\', character]),
            other => spelled.push(other),
        }
    }
    spelled.push('"');
    spelled
}

/// Where the first `(` of a text is closed; brackets in texts do not count.
pub(crate) fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'(' => depth += 1,
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether an item begins at `pos`: its word and what must follow it. No statement of any block looks like that.
pub(crate) fn is_item_head(text: &str, pos: usize) -> bool {
    let word = first_word(&text[pos..]);
    if BlockKind::of_item(word).is_none() {
        return false;
    }
    let rest = skip_blanks(&text[pos + word.len()..]);
    if word == "test" {
        return rest.starts_with('"');
    }
    let name = first_name(rest);
    let after = skip_blanks(&rest[name.len()..]);
    !name.is_empty()
        && match word {
            "fields" => first_word(after) == "from",
            "order" => first_word(after) == "of",
            _ => after.starts_with('{'),
        }
}

/// Whether the line at `pos` goes on with the statement before it, which has no open bracket.
pub(crate) fn continues(kind: BlockKind, text: &str, pos: usize) -> bool {
    let line = &text[pos..];
    if line.starts_with('|') {
        return true;
    }
    let word = first_word(line);
    let rest = skip_blanks(&line[word.len()..]);
    match kind {
        BlockKind::File => line.starts_with('{'),
        BlockKind::Mapping | BlockKind::Sync => {
            matches!(word, "and" | "or" | "then" | "else" | "where" | "otherwise") || line.starts_with('{')
        }
        BlockKind::Match => matches!(word, "and" | "then" | "else" | "where"),
        BlockKind::Convert => {
            matches!(word, "and" | "or" | "then" | "else" | "where" | "otherwise")
        }
        BlockKind::Rules | BlockKind::SyncRules | BlockKind::Shared => match word {
            "and" | "or" | "then" | "else" | "where" => true,
            "otherwise" => !starts_arrow(rest),
            "on" => matches!(first_word(rest), "create" | "update" | "blank" | "conflict"),
            "if" => first_word(rest) == "target",
            "advance" => first_word(rest) == "only",
            "once" => matches!(first_word(rest), "true" | "false"),
            "hubspot" | "salesforce" => first_word(rest) == "fills",
            _ => false,
        },
        BlockKind::Order => word == "then",
        BlockKind::Picklist | BlockKind::Test | BlockKind::Unknown => false,
    }
}

/// Whether a statement of such a block must begin at `pos`, although a bracket before it is still open.
pub(crate) fn starts_statement(kind: BlockKind, text: &str, pos: usize) -> bool {
    let line = &text[pos..];
    let name = first_name(line);
    let rest = skip_blanks(&line[name.len()..]);
    let next = first_word(rest);
    let word_follows = rest.starts_with('"') || !next.is_empty() && !INFIX.contains(&next);
    match kind {
        BlockKind::File => BlockKind::of_item(name).is_some() && word_follows,
        BlockKind::Mapping | BlockKind::Sync => {
            STATEMENTS.contains(&name) && (word_follows || rest.starts_with('{')) && !starts_arrow(rest)
        }
        BlockKind::Match => name == "key" && word_follows,
        BlockKind::Convert => matches!(name, "account" | "opportunity" | "owner") && word_follows,
        BlockKind::Rules | BlockKind::Shared | BlockKind::SyncRules => {
            !name.is_empty() && starts_arrow(rest) || name == "use" && word_follows
        }
        BlockKind::Test => matches!(name, "mapping" | "sync" | "given" | "when" | "expect") && word_follows,
        BlockKind::Picklist | BlockKind::Order => true,
        BlockKind::Unknown => false,
    }
}

/// Whether an arrow begins here.
pub(crate) fn starts_arrow(text: &str) -> bool {
    text.starts_with("<-") || text.starts_with("->")
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}
