//! Findings for code scanning.

use std::collections::HashSet;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::source::{Sources, Span};

use super::super::{CODES, Code, CodePage, Diagnostic, Fix, Severity, Suppressed};
use super::Region;

/// What a path may not hold literally in a URI reference.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b':');

/// The findings as a SARIF 2.1.0 log with one run; its rules are all codes, used or not. What a comment keeps quiet is a
/// result with a suppression, so that a dashboard can count it.
pub fn sarif(sources: &Sources, findings: &[Diagnostic], suppressed: &[Suppressed]) -> Value {
    let used: HashSet<Code> = findings.iter().map(|finding| finding.code).collect();
    let rules: Vec<Value> = CODES.iter().map(|page| rule(page, used.contains(&page.code))).collect();
    let active = findings.iter().map(|finding| result(sources, finding));
    let quiet = suppressed.iter().map(|suppressed| {
        let mut result = result(sources, &suppressed.finding);
        result["suppressions"] = json!([{
            "kind": "inSource",
            "status": "accepted",
            "justification": suppressed.reason,
            "location": { "physicalLocation": physical(sources, suppressed.by) },
        }]);
        result
    });
    let results: Vec<Value> = active.chain(quiet).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "mapwright", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            // Findings of another run of the same commit are replaced, not added (GitHub: "SARIF support").
            "automationDetails": { "id": "mapwright/" },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A rule; its whole page only where the log has a finding of it, so that the log of a small project stays small.
fn rule(page: &CodePage, used: bool) -> Value {
    let level = if page.code.0.starts_with('W') { Severity::Warning } else { Severity::Error };
    let mut rule = json!({
        "id": page.code.0,
        "shortDescription": { "text": page.title },
        "fullDescription": { "text": page.summary() },
        "defaultConfiguration": { "level": level.word() },
    });
    if used {
        rule["help"] = json!({ "text": page.terminal(), "markdown": page.page });
    }
    rule
}

fn result(sources: &Sources, finding: &Diagnostic) -> Value {
    let (primary, others) =
        finding.labels.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
    let mut text = finding.message.clone();
    if let Some(help) = &finding.help {
        text = format!("{text}\nhelp: {help}");
    }
    let related = others.iter().enumerate().map(|(index, label)| {
        json!({
            "id": index + 1,
            "physicalLocation": physical(sources, label.span),
            "message": { "text": label.text },
        })
    });
    let mut result = json!({
        "ruleId": finding.code.0,
        "level": finding.severity.word(),
        "message": { "text": text },
        "locations": primary.map(|label| json!({ "physicalLocation": physical(sources, label.span) })).as_slice(),
        "relatedLocations": related.collect::<Vec<_>>(),
    });
    if let Some(index) = CODES.iter().position(|page| page.code == finding.code) {
        result["ruleIndex"] = Value::from(index);
    }
    if let Some(fix) = &finding.fix {
        result["fixes"] = json!([correction(sources, fix)]);
    }
    result
}

fn correction(sources: &Sources, fix: &Fix) -> Value {
    let description = match (fix.span.start == fix.span.end, fix.replacement.is_empty()) {
        (true, _) => format!("insert `{}`", fix.replacement),
        (false, true) => format!("remove `{}`", sources.slice(fix.span)),
        (false, false) => format!("write `{}`", fix.replacement),
    };
    json!({
        "description": { "text": description },
        "artifactChanges": [{
            "artifactLocation": artifact(sources, fix.span),
            "replacements": [{
                "deletedRegion": region(&Region::of(sources, fix.span)),
                "insertedContent": { "text": fix.replacement },
            }],
        }],
    })
}

fn physical(sources: &Sources, span: Span) -> Value {
    json!({ "artifactLocation": artifact(sources, span), "region": region(&Region::of(sources, span)) })
}

fn artifact(sources: &Sources, span: Span) -> Value {
    json!({ "uri": utf8_percent_encode(sources.file(span.file).name(), PATH).to_string() })
}

fn region(region: &Region<'_>) -> Value {
    json!({
        "startLine": region.line,
        "startColumn": region.column,
        "endLine": region.end_line,
        "endColumn": region.end_column,
    })
}
