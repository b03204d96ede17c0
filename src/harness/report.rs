//! A failed test, for people.

use std::fmt::Write;

use super::{Difference, Outcome};

/// A longer value does not push what stands behind it out of sight.
const MAX_COLUMN: usize = 40;

/// The report of a test that failed: how the run ended otherwise, and the fields that differ as a table. Ends with a line
/// end.
pub fn report(outcome: &Outcome) -> String {
    let mut text = format!("failed: {} ({})\n", outcome.name, outcome.at);
    // Writing to a `String` cannot fail.
    for difference in outcome.differences.iter().filter(|difference| difference.field.is_none()) {
        let _ = writeln!(text, "  expected  {} ({})", difference.expected, difference.at);
        let _ = writeln!(text, "  found     {}{}", difference.found, place(difference));
        if let Some(source) = &difference.source {
            let _ = writeln!(text, "            {source}");
        }
        for line in difference.why.iter().flat_map(|why| why.lines()) {
            let _ = writeln!(text, "            {line}");
        }
    }
    table(&mut text, &outcome.differences);
    for step in &outcome.path {
        let _ = writeln!(text, "  on the way: {step}");
    }
    text
}

fn place(difference: &Difference) -> String {
    difference.rule.as_ref().map_or_else(String::new, |rule| format!(" ({rule})"))
}

fn table(text: &mut String, differences: &[Difference]) {
    let rows: Vec<_> = differences
        .iter()
        .filter_map(|difference| {
            let rule = match (&difference.rule, &difference.why) {
                (Some(rule), Some(why)) => format!("{rule} ({why})"),
                (Some(rule), None) => rule.to_string(),
                (None, why) => why.clone().unwrap_or_default(),
            };
            let field = difference.field.clone()?;
            let cells = [field, difference.expected.clone(), difference.found.clone(), rule];
            Some((cells, difference.source.as_deref()))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let head = ["field", "expected", "found", "rule"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once((head, None)).chain(rows).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|(row, _)| row[column].chars().count());
        widths.filter(|width| *width <= MAX_COLUMN).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    for ([field, expected, found, rule], source) in &rows {
        let line =
            format!("  {field:0$}  {expected:1$}  {found:2$}  {rule}", widths[0], widths[1], widths[2]);
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(source) = source {
            let _ = writeln!(text, "    {source}");
        }
    }
}
