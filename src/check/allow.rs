//! Comments that keep a warning quiet: `# allow W0004: reason`, above a statement or at the end of a line.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Suppressed, code_page};
use crate::source::{SourceFile, Sources, Span};
use crate::syntax::layout::{Node, layout};
use crate::syntax::{allow, ast};

/// Takes out the warnings that a comment allows, and adds what is wrong with those comments.
///
/// A comment directly above a statement speaks of that statement (of a block, of the line that opens it), one behind
/// something on its line of that line, and one in a file without items of the file. An error is never allowed, nor is
/// anything without a reason. Whether a comment allows nothing can be said only once there is no error: a mistake may hide
/// the warning.
pub fn suppress(
    files: &[ast::File],
    sources: &Sources,
    mut findings: Vec<Diagnostic>,
) -> (Vec<Diagnostic>, Vec<Suppressed>) {
    let mut mistakes = Vec::new();
    let mut allowances = Vec::new();
    for file in files {
        read_file(file, sources, &mut allowances, &mut mistakes);
    }
    let mut suppressed = Vec::new();
    if !allowances.is_empty() {
        findings.retain(|finding| match allowances.iter_mut().find(|allowance| allowance.covers(finding)) {
            Some(allowance) => {
                allowance.used = true;
                suppressed.push(allowance.suppressed(finding));
                false
            }
            None => true,
        });
    }
    if !mistakes.iter().chain(&findings).any(Diagnostic::is_error) {
        mistakes.extend(allowances.iter().filter(|allowance| !allowance.used).map(Allowance::unused));
    }
    findings.extend(mistakes);
    findings.sort_by(|a, b| a.order(sources).cmp(&b.order(sources)));
    (findings, suppressed)
}

/// One code of one comment.
struct Allowance {
    code: Code,
    reason: String,
    /// What it speaks of; nothing where no statement follows.
    covered: Option<Range<usize>>,
    /// The code in the comment.
    span: Span,
    used: bool,
}

impl Allowance {
    fn covers(&self, finding: &Diagnostic) -> bool {
        let (span, at) = (finding.span(), finding.span().range());
        finding.code == self.code
            && !finding.is_error()
            && span.file == self.span.file
            && self
                .covered
                .as_ref()
                .is_some_and(|covered| at.start < covered.end.max(1) && covered.start <= at.end)
    }

    fn suppressed(&self, finding: &Diagnostic) -> Suppressed {
        Suppressed { finding: finding.clone(), reason: self.reason.clone(), by: self.span }
    }

    fn unused(&self) -> Diagnostic {
        let code = self.code;
        let message = match self.covered {
            Some(_) => format!("nothing here gives `{code}`, so this comment suppresses nothing"),
            None => "no statement follows this comment, so it suppresses nothing".to_owned(),
        };
        let help = match self.covered {
            Some(_) => "remove it",
            None => "put it directly above the statement, without a blank line, or at the end of its line",
        };
        Diagnostic::warning(Code::SUPPRESSES_NOTHING, self.span, message).help(help)
    }
}

fn read_file(
    file: &ast::File,
    sources: &Sources,
    allowances: &mut Vec<Allowance>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let read = |(index, comment): (usize, &'_ _)| -> Option<(usize, Span, String)> {
        let comment: &crate::source::Spanned<String> = comment;
        allow::read(&comment.value).is_some().then(|| (index, comment.span, comment.value.clone()))
    };
    let comments: Vec<_> = file.comments.iter().enumerate().filter_map(read).collect();
    if comments.is_empty() {
        return;
    }
    let source = sources.file(file.file);
    let statements = statements(file, source.text());
    for (index, span, text) in comments {
        let Some(allow) = allow::read(&text) else { continue };
        // The text begins behind the `#`.
        let code_span = |at: usize, code: &str| {
            let start = span.range().start + 1 + at;
            Span::new(span.file, start, start + code.len())
        };
        if allow.reason.is_empty() {
            mistakes.push(no_reason(span, &allow));
            continue;
        }
        let covered = covered(index, span, source, &statements, file.items.is_empty());
        for (at, written) in allow.codes {
            match code_page(written) {
                None => mistakes.push(unknown(code_span(at, written), written)),
                Some(page) if !page.code.0.starts_with('W') => {
                    mistakes.push(not_a_warning(code_span(at, written), page.code));
                }
                Some(page) => allowances.push(Allowance {
                    code: page.code,
                    reason: allow.reason.to_owned(),
                    covered: covered.clone(),
                    span: code_span(at, written),
                    used: false,
                }),
            }
        }
    }
}

/// For each statement the comments directly above it, and what stands on its lines.
fn statements(file: &ast::File, text: &str) -> Vec<(Range<usize>, Range<usize>)> {
    let layout = layout(file.file, text);
    let mut statements = Vec::new();
    let mut open: Vec<&Node> = layout.nodes.iter().collect();
    while let Some(node) = open.pop() {
        let first_line = text[node.head.start..].find('\n').map_or(text.len(), |end| node.head.start + end);
        statements.push((node.doc.clone(), node.head.start..node.head.end.max(first_line)));
        open.extend(node.block.iter().flat_map(|block| &block.nodes));
    }
    statements
}

fn covered(
    index: usize,
    span: Span,
    source: &SourceFile,
    statements: &[(Range<usize>, Range<usize>)],
    is_empty: bool,
) -> Option<Range<usize>> {
    let start = span.range().start;
    let line_start = source.text()[..start].rfind('\n').map_or(0, |end| end + 1);
    if !source.text()[line_start..start].trim().is_empty() {
        return Some(line_start..start);
    }
    let above = statements.iter().find(|(doc, _)| doc.contains(&index));
    above.map(|(_, statement)| statement.clone()).or(is_empty.then_some(0..0))
}

fn no_reason(span: Span, allow: &allow::Allow<'_>) -> Diagnostic {
    let (at, code) = allow.codes[allow.codes.len() - 1];
    let codes: Vec<&str> = allow.codes.iter().map(|(_, code)| *code).collect();
    let codes = codes.join(", ");
    if !allow.rest.is_empty() {
        let message = format!("the reason for allowing `{codes}` stands behind a colon");
        let finding = Diagnostic::error(Code::SUPPRESSION_REASON, span, message);
        // The text begins behind the `#`.
        let colon = span.range().start + 1 + at + code.len();
        let finding = finding.help(format!("write `# allow {codes}: {}`", allow.rest));
        return finding.fix(Span::new(span.file, colon, colon), ":");
    }
    let message = format!("the comment allows `{codes}` and does not say why");
    let finding = Diagnostic::error(Code::SUPPRESSION_REASON, span, message);
    finding.help(format!("write `# allow {codes}: REASON`"))
}

fn unknown(span: Span, written: &str) -> Diagnostic {
    let message = format!("there is no code `{written}`");
    let finding = Diagnostic::error(Code::SUPPRESSION_CODE, span, message);
    finding.help("write the code that the report shows, such as `W0004`")
}

fn not_a_warning(span: Span, code: Code) -> Diagnostic {
    let message = format!("`{code}` is an error, and an error cannot be allowed");
    let finding = Diagnostic::error(Code::SUPPRESSION_ERROR, span, message);
    finding.help("mend it; only warnings, whose codes begin with `W`, can be allowed")
}
