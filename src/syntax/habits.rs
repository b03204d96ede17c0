//! Words and symbols of other languages, and what is written here instead.
//!
//! Authors come from HubSpot's workflows, Salesforce's formulas, SQL and JavaScript. What is allowed nowhere is found by
//! the tokens; what is wrong only in its place, where the parser stopped; functions that have another name, in the tree.

use super::layout::BlockKind;
use super::shape;
use super::translate;

/// Formulas of Salesforce and what says the same here; some begin a condition. None of them is a function's name here.
const FORMULAS: &[(&str, &str)] = &[
    ("ISBLANK", "VALUE is blank"),
    ("ISNULL", "VALUE is blank"),
    ("ISPICKVAL", "FIELD = \"option\""),
    ("IF", "if CONDITION then VALUE else VALUE"),
    ("CASE", "if CONDITION then VALUE else VALUE"),
    ("AND", "A and B"),
    ("OR", "A or B"),
    ("NOT", "not CONDITION"),
    ("BLANKVALUE", "first_present(A, B)"),
    ("NULLVALUE", "first_present(A, B)"),
    ("COALESCE", "first_present(A, B)"),
    ("coalesce", "first_present(A, B)"),
    ("ifnull", "first_present(A, B)"),
    ("nvl", "first_present(A, B)"),
    ("TEXT", "\"{field}\""),
    ("VALUE", "field | number"),
    ("CONCAT", "\"{a} {b}\""),
    ("CONCATENATE", "\"{a} {b}\""),
    ("concat", "\"{a} {b}\""),
    ("concatenate", "\"{a} {b}\""),
    ("LOWER", "field | lowercase"),
    ("UPPER", "field | uppercase"),
    ("TRIM", "field | trim"),
    ("LEFT", "field | truncate(10)"),
    ("SUBSTITUTE", "field | replace(\"a\", \"b\")"),
    ("CONTAINS", "field | matches(\"text\")"),
];

/// What is written instead of a function of another language.
pub(super) fn instead_of_function(name: &str) -> Option<&'static str> {
    FORMULAS.iter().find(|(foreign, _)| *foreign == name).map(|(_, instead)| *instead)
}

/// The names of [`instead_of_function`].
#[cfg(test)]
pub(super) fn foreign_functions() -> impl Iterator<Item = &'static str> {
    FORMULAS.iter().map(|(name, _)| *name)
}

/// The arrow of a block's statements; `=` and `:` where they have none.
pub(super) fn arrow(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Rules | BlockKind::Shared => "<-",
        BlockKind::SyncRules => "<->",
        BlockKind::Picklist => "->",
        BlockKind::Test => ":",
        _ => "=",
    }
}

/// Whether a symbol stands where the arrow of its statement belongs: after the first name or text of its line.
pub(super) fn stands_for_arrow(text: &str, at: usize, symbol: &str, kind: BlockKind) -> bool {
    let before = line_before(text, at).trim();
    let first = shape::first_name(before).len();
    let alone = first > 0 && first == before.len()
        || before.len() > 1 && before.starts_with('"') && before.ends_with('"');
    alone && arrow(kind) != "=" || symbol == ":=" && arrow(kind) == "=" && alone
}

/// Whether an `&` was meant to join two texts: it stands in a rule, and no condition is near.
pub(super) fn joins_texts(text: &str, at: usize, kind: BlockKind) -> bool {
    let before = line_before(text, at);
    let value = matches!(kind, BlockKind::Rules | BlockKind::Shared | BlockKind::SyncRules)
        || before.trim_start().starts_with("let ");
    value && !before.contains(" if ")
}

/// The value of a rule or a `let` in whose line a symbol stands, without the policies behind it.
fn value_around(text: &str, at: usize) -> &str {
    let before = line_before(text, at);
    let start = at - before.len();
    let line = &text[start..text.floor_char_boundary(at + NEAR)];
    let line = &line[..line.find('\n').unwrap_or(line.len())];
    let value = match (line.find("<-"), line.find('=')) {
        (Some(arrow), _) if arrow < before.len() => &line[arrow + 2..],
        (_, Some(equals)) if line.trim_start().starts_with("let ") && equals < before.len() => {
            &line[equals + 1..]
        }
        _ => line,
    };
    let policies = [
        " on create",
        " on update",
        " on blank clear",
        " if target ",
        " otherwise ",
        " once ",
        " advance ",
        " #",
    ];
    let end = policies.iter().filter_map(|policy| value.find(policy)).min().unwrap_or(value.len());
    value[..end].trim()
}

/// `a ? b : c` as a choice.
pub(super) fn instead_of_question(text: &str, at: usize) -> String {
    match translate::question(value_around(text, at)) {
        Some(choice) => format!("write `{choice}`"),
        None => "write `if CONDITION then VALUE else VALUE`".to_owned(),
    }
}

/// `a & b` as a template.
pub(super) fn instead_of_ampersand(text: &str, at: usize) -> String {
    if let Some(template) = translate::joined(value_around(text, at), '&') {
        return format!("a text with values in it joins them: write `{template}`");
    }
    match (operand_before(text, at), operand_after(text, at + 1)) {
        (Some(left), Some(right)) => {
            format!("a text with values in it joins them: write `\"{{{left}}}{{{right}}}\"`")
        }
        _ => "a text with values in it joins them: write `\"{a} {b}\"`".to_owned(),
    }
}

/// `a ?? b` as a call.
pub(super) fn instead_of_double_question(text: &str, at: usize) -> String {
    match (operand_before(text, at), operand_after(text, at + 2)) {
        (Some(left), Some(right)) => format!("write `first_present({left}, {right})`"),
        _ => "write `first_present(A, B)`".to_owned(),
    }
}

/// How a symbol outside ASCII is written.
pub(super) fn ascii(symbol: char) -> &'static str {
    match symbol {
        '←' | '⇐' => "<-",
        '→' | '⇒' => "->",
        '↔' | '⇔' => "<->",
        '≠' => "!=",
        '≤' => "<=",
        '≥' => ">=",
        '×' => "*",
        _ => "/",
    }
}

/// Bytes of a line that are looked at, before a symbol and after it: a line of symbols alone would otherwise be read once
/// for each of them.
const NEAR: usize = 500;

fn line_before(text: &str, at: usize) -> &str {
    let before = &text[text.floor_char_boundary(at.saturating_sub(NEAR))..at];
    &before[before.rfind('\n').map_or(0, |end| end + 1)..]
}

/// The field that ends directly before a symbol, if nothing but a field stands there.
fn operand_before(text: &str, at: usize) -> Option<&str> {
    let before = line_before(text, at).trim_end();
    let start = before
        .rfind(|c: char| !is_path(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let (rest, operand) = before.split_at(start);
    (!operand.is_empty() && rest.trim_end().ends_with(['-', '=', '(', ','])).then_some(operand)
}

/// The field directly after a symbol, if nothing but a policy follows it.
fn operand_after(text: &str, at: usize) -> Option<&str> {
    let after = text[at..].trim_start_matches([' ', '\t']);
    let end = after.find(|c: char| !is_path(c)).unwrap_or(after.len());
    let (operand, rest) = after.split_at(end);
    let rest = rest.trim_start_matches([' ', '\t', '\r']);
    (!operand.is_empty() && (rest.is_empty() || rest.starts_with(['\n', ')', ',', '#']))).then_some(operand)
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}
