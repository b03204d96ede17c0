//! Findings for programs.

use serde_json::{Value, json};

use crate::source::Sources;

use super::super::{Diagnostic, Fix, Label};
use super::Region;

/// The findings as one JSON array.
///
/// An element is `{code, severity, file, line, column, message, labels, help, fix}`, its place that of the first label; a label is `{file, line, column, end_line, end_column,
/// text}`, the primary one first; a fix is the same place with a `replacement`. `help` and `fix` are null where there is
/// none.
pub fn json(sources: &Sources, findings: &[Diagnostic]) -> Value {
    findings.iter().map(|finding| element(sources, finding)).collect()
}

fn element(sources: &Sources, finding: &Diagnostic) -> Value {
    let labels: Vec<Value> = finding.labels.iter().map(|label| labelled(sources, label)).collect();
    let at = Region::of(sources, finding.span());
    json!({
        "code": finding.code.0,
        "severity": finding.severity.word(),
        "file": at.file,
        "line": at.line,
        "column": at.column,
        "message": finding.message,
        "labels": labels,
        "help": finding.help,
        "fix": finding.fix.as_ref().map(|fix| correction(sources, fix)),
    })
}

fn labelled(sources: &Sources, label: &Label) -> Value {
    let mut place = place(&Region::of(sources, label.span));
    place["text"] = Value::from(label.text.as_str());
    place
}

fn correction(sources: &Sources, fix: &Fix) -> Value {
    let mut place = place(&Region::of(sources, fix.span));
    place["replacement"] = Value::from(fix.replacement.as_str());
    place
}

fn place(region: &Region<'_>) -> Value {
    json!({
        "file": region.file,
        "line": region.line,
        "column": region.column,
        "end_line": region.end_line,
        "end_column": region.end_column,
    })
}
