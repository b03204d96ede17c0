//! Findings as annotations of a pull request.

use std::fmt::Write as _;

use crate::source::Sources;

use super::super::Diagnostic;
use super::Region;

/// The findings as GitHub workflow commands, one a line, which a job that prints them turns into annotations.
///
/// An annotation has one place, so further labels and the help follow in its message. (GitHub's docs on workflow
/// commands: `::error file=…,line=…,endLine=…,col=…,endColumn=…,title=…::message`.)
pub fn github(sources: &Sources, findings: &[Diagnostic]) -> String {
    let mut out = String::new();
    for finding in findings {
        let region = Region::of(sources, finding.span());
        let severity = finding.severity.word();
        let (file, title) = (property(region.file), property(finding.code.0));
        // Writing into a `String` cannot fail.
        let _ = write!(out, "::{severity} file={file},line={},endLine={}", region.line, region.end_line);
        // The checks API refuses columns on an annotation of several lines.
        if region.line == region.end_line {
            let _ = write!(out, ",col={},endColumn={}", region.column, region.end_column);
        }
        let _ = writeln!(out, ",title={title}::{}", data(&message(sources, finding)));
    }
    out.extend(cap_note(findings));
    out
}

/// Says that GitHub leaves annotations out, where it does: it shows so many errors and so many warnings of a step (GitHub:
/// actions/toolkit, docs/problem-matchers.md, "Limitations").
fn cap_note(findings: &[Diagnostic]) -> Option<String> {
    const SHOWN: usize = 10;
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    (errors.max(warnings) > SHOWN).then(|| {
        format!(
            "::notice title=mapwright::GitHub shows the first {SHOWN} errors and the first {SHOWN} warnings of a step as \
             annotations; these are {errors} and {warnings}, and the log has all of them\n"
        )
    })
}

fn message(sources: &Sources, finding: &Diagnostic) -> String {
    let mut text = finding.message.clone();
    for (index, label) in finding.labels.iter().enumerate() {
        if label.text.is_empty() {
            continue;
        }
        let _ = match index {
            0 => write!(text, "\n{}", label.text),
            _ => write!(text, "\n{}: {}", sources.locate(label.span), label.text),
        };
    }
    if let Some(help) = &finding.help {
        let _ = write!(text, "\nhelp: {help}");
    }
    text
}

/// Escapes a message: a line end would end the command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property, in which `:` and `,` are syntax too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
