//! SOQL, as far as programs that synchronise records use it: parsed, checked against the schema, evaluated.

pub(super) mod check;
pub(super) mod dates;
pub(super) mod eval;
mod lex;
pub(super) mod parse;

use super::error::ApiError;

/// The longest query (Salesforce's SOQL reference: limits).
const MAX_LENGTH: usize = 100_000;

/// A query parsed, or why it cannot be.
pub(super) fn read(soql: &str) -> Result<parse::Query, ApiError> {
    if soql.chars().count() > MAX_LENGTH {
        return Err(ApiError::new(
            "QUERY_TOO_COMPLICATED",
            "Query is either selecting too many fields or the filter conditions are too complicated.",
        ));
    }
    let tokens = lex::tokens(soql)?;
    parse::query(soql, &tokens)
}

/// An error that shows its place: the query around it, a caret, row and column.
pub(super) fn located(code: &'static str, soql: &str, at: usize, message: &str) -> ApiError {
    const BEFORE: usize = 40;
    const BEHIND: usize = 40;
    let before = soql.get(..at).unwrap_or(soql);
    let row = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].chars().count() + 1;
    let line: Vec<char> = soql[line_start..].lines().next().unwrap_or("").chars().collect();
    let mut start = (column - 1).saturating_sub(BEFORE);
    // The excerpt begins at a word, as the real one does.
    while start > 0 && start < column - 1 && !matches!(line[start - 1], ' ' | ',' | '(') {
        start += 1;
    }
    let end = line.len().min(column - 1 + BEHIND);
    let excerpt: String = line[start.min(end)..end].iter().collect();
    let caret = " ".repeat(column - 1 - start);
    ApiError::new(code, format!("\n{excerpt}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{message}"))
}
