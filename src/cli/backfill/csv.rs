//! The refused rows as CSV (RFC 4180).

use std::io::{self, BufWriter, Write};

use crate::runtime::RefusedRow;

/// The columns.
const COLUMNS: [&str; 8] = ["record", "field", "value", "code", "answer", "reason", "line", "help"];

/// Writes all rows, and reports the first failure.
pub(super) fn write(file: impl Write, rows: &[RefusedRow]) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    line(&mut out, COLUMNS)?;
    for row in rows {
        let place = row.line.as_ref().map(ToString::to_string).unwrap_or_default();
        let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let cells = [
            row.record.clone(),
            text(&row.field),
            text(&row.value),
            text(&row.code),
            text(&row.answer),
            row.reason.clone(),
            place,
            text(&row.help),
        ];
        line(&mut out, cells.each_ref().map(String::as_str))?;
    }
    out.flush()
}

fn line(out: &mut impl Write, cells: [&str; 8]) -> io::Result<()> {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    write!(out, "{}\r\n", cells.join(","))
}

/// A cell that no spreadsheet takes for a formula: one that begins like that gets an apostrophe before it, which shows it
/// as text (OWASP's page "CSV Injection").
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if formula || text.contains([',', '"', '\n', '\r', '\'', ';']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula_runs() {
        assert_eq!(cell("plain text"), "plain text");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"no\"\nnow"), "\"say \"\"no\"\"\nnow\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(cell(formula), format!("\"'{formula}\""));
        }
        assert_eq!(cell(" =1"), "\" =1\"", "blanks stay, within quotes");
    }

    #[test]
    fn every_row_has_all_columns() {
        let row = RefusedRow {
            record: "7".to_owned(),
            field: None,
            reason: "too long".to_owned(),
            line: None,
            answer: Some("=cmd|'/c calc'!A0".to_owned()),
            help: None,
            value: Some("+49 30, \"home\"".to_owned()),
            code: Some("TOO_LONG".to_owned()),
        };
        let mut out = Vec::new();
        write(&mut out, &[row]).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(
            text,
            "record,field,value,code,answer,reason,line,help\r\n\
             7,,\"'+49 30, \"\"home\"\"\",TOO_LONG,\"'=cmd|'/c calc'!A0\",too long,,\r\n"
        );
    }
}
