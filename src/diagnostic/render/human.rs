//! The report that a person reads.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use crate::source::{FileId, SourceFile, Sources, Span};

use super::super::{Diagnostic, Severity};

/// Below this width reports would be all line breaks.
const MIN_WIDTH: usize = 40;
/// A label over more lines than this shows only its first.
const MAX_LINES: usize = 6;
/// How many bytes of a line are shown on either side of a label, so that a minified file does not flood the terminal.
const MAX_SIDE: usize = 240;
/// Labels further apart than this many bytes do not share a snippet: on a line as long as a file it would be the whole file.
const MAX_SHARED: usize = 8 * MAX_SIDE;

/// The report that a person reads: each finding with its code, message, source lines and help.
///
/// Labels in several files become one snippet for each file, the primary label's file first. Control and
/// text-direction characters of the author's files are replaced, so that no file can steer the terminal.
pub fn human(sources: &Sources, findings: &[Diagnostic], colour: bool, width: usize) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width.max(MIN_WIDTH))
        .with_links(false)
        .without_syntax_highlighting();
    let mut texts = Texts { sources, shown: HashMap::new() };
    let mut out = String::new();
    for finding in findings {
        for label in &finding.labels {
            texts.prepare(label.span.file);
        }
        let start = out.len();
        if handler.render_report(&mut out, &Report::new(finding, &texts)).is_err() {
            out.truncate(start);
            let place = sources.locate(finding.span());
            // Writing into a `String` cannot fail.
            let _ = writeln!(out, "{} {place}: {}", finding.code, clean(&finding.message));
        }
        out.push('\n');
    }
    out
}

/// The texts of the files, as shown.
struct Texts<'s> {
    sources: &'s Sources,
    shown: HashMap<FileId, String>,
}

impl Texts<'_> {
    /// Prepares a file once: harmless characters of the same length, and one more line end, so that a label at the end
    /// of the file stands on a line.
    fn prepare(&mut self, file: FileId) {
        let text = || clean(self.sources.file(file).text()) + "\n";
        self.shown.entry(file).or_insert_with(text);
    }

    fn text(&self, file: FileId) -> &str {
        self.shown.get(&file).map_or("", String::as_str)
    }
}

/// Replaces each control or text-direction character by one of the same length, so that no offset moves.
fn clean(text: &str) -> String {
    let mut characters = text.chars().peekable();
    let mut clean = String::with_capacity(text.len() + 1);
    while let Some(character) = characters.next() {
        clean.push(match character {
            '\n' | '\t' => character,
            '\r' if characters.peek() == Some(&'\n') => character,
            '\0'..='\u{1f}' | '\u{7f}' => '?',
            '\u{80}'..='\u{9f}' => '\u{b7}',
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                '\u{fffd}'
            }
            other => other,
        });
    }
    clean
}

/// A file in the one row of bytes that miette sees: the primary label's file first, then the others.
#[derive(Debug, Clone, Copy)]
struct Part<'t> {
    file: FileId,
    source: &'t SourceFile,
    text: &'t str,
    base: usize,
}

/// One finding as miette wants it.
#[derive(Debug)]
struct Report<'t> {
    finding: &'t Diagnostic,
    message: String,
    parts: Vec<Part<'t>>,
}

impl<'t> Report<'t> {
    fn new(finding: &'t Diagnostic, texts: &'t Texts<'_>) -> Self {
        let mut parts: Vec<Part<'t>> = Vec::new();
        for label in &finding.labels {
            let file = label.span.file;
            if parts.iter().any(|part| part.file == file) {
                continue;
            }
            let base = parts.last().map_or(0, |last| last.base + last.text.len() + 1);
            parts.push(Part { file, source: texts.sources.file(file), text: texts.text(file), base });
        }
        Self { finding, message: clean(&finding.message), parts }
    }

    /// A span in miette's row of bytes, within its file and on few lines.
    fn place(&self, span: Span) -> Option<SourceSpan> {
        let part = self.parts.iter().find(|part| part.file == span.file)?;
        // The last byte is the line end that `prepare` added: a place at the end of the file is before it.
        let last = part.text.len().saturating_sub(1);
        let start = floor_boundary(part.text, last.min(span.start as usize));
        let mut end = floor_boundary(part.text, last.min(span.end as usize)).max(start);
        let covered = &part.text[start..end];
        if covered.lines().count() > MAX_LINES {
            end = start + covered.find(['\n', '\r']).unwrap_or(covered.len());
        }
        end = floor_boundary(part.text, end.min(start + 2 * MAX_SIDE)).max(start);
        Some(SourceSpan::new((part.base + start).into(), end - start))
    }
}

/// The last character boundary at or before an offset.
fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.finding.help.as_deref().map(clean);
        let fix = || self.finding.fix.as_ref().map(|fix| format!("write `{}`", clean(&fix.replacement)));
        help.or_else(fix).map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.finding.labels.iter().enumerate().filter_map(|(index, label)| {
            let text = (!label.text.is_empty()).then(|| clean(&label.text));
            let place = self.place(label.span)?;
            Some(match index {
                0 => LabeledSpan::new_primary_with_span(text, place),
                _ => LabeledSpan::new_with_span(text, place),
            })
        })))
    }
}

/// miette's own reading scans a file from its start and knows one file only.
impl SourceCode for Report<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let within =
            |part: &&Part<'_>| part.base <= span.offset() && span.offset() <= part.base + part.text.len();
        let part = self.parts.iter().find(within).ok_or(MietteError::OutOfBounds)?;
        let (start, end) = (span.offset() - part.base, span.offset() + span.len() - part.base);
        // A span over two files, or over much: miette asks whether two labels can share a snippet.
        let covered = part.text.get(start..end).filter(|covered| covered.len() <= MAX_SHARED);
        let covered = covered.ok_or(MietteError::OutOfBounds)?;
        let from = if before == 0 { start } else { line_start(part.text, start, before) };
        let from = floor_boundary(part.text, from.max(start.saturating_sub(MAX_SIDE)));
        let to = if after == 0 && covered.is_empty() { end } else { line_end(part.text, end, after) };
        // The line that `prepare` added after the last line end is shown only to a label on it.
        let last = part.text.len() - 1;
        let added = end < last && part.text[..last].ends_with('\n');
        let to = floor_boundary(part.text, to.min(end + MAX_SIDE).min(last + usize::from(!added))).max(end);
        let (line, column) = part.source.position(u32::try_from(from).unwrap_or(u32::MAX));
        let data = &part.text[from..to];
        let lines = data.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let place = SourceSpan::new((part.base + from).into(), data.len());
        let (name, line, column) = (part.source.name().to_owned(), line - 1, column - 1);
        Ok(Box::new(MietteSpanContents::new_named(name, data.as_bytes(), place, line, column, lines)))
    }
}

/// The start of the line `before` lines above an offset.
fn line_start(text: &str, offset: usize, before: usize) -> usize {
    text[..offset].rmatch_indices('\n').nth(before).map_or(0, |(at, _)| at + 1)
}

/// One past the end of the line `after` lines below an offset.
fn line_end(text: &str, offset: usize, after: usize) -> usize {
    text[offset..].match_indices('\n').nth(after).map_or(text.len(), |(at, _)| offset + at + 1)
}
