//! From text to a tree of nodes with their places.

use std::cell::Cell;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span, Spanned};

/// How deeply lists and mappings may be nested. The deepest shipped file uses 8 levels; the bound keeps every later
/// walk over the tree shallow.
const MAX_DEPTH: usize = 64;

/// A value in the file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its first to its last character; for a block, from its first key or dash to the end of its last value.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A scalar; `plain` is one without quotes, which can be more than text.
    Scalar {
        /// Its text, with quotes and escapes undone.
        text: String,
        /// Whether it stands without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, without the entries that were reported (a key that is no scalar, a second entry of one key).
    Map(Vec<Entry>),
    /// Something that was already reported.
    Broken,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: Spanned<String>,
    /// The value.
    pub(crate) value: Node,
}

/// Reads a file that holds one YAML document; reports what cannot be read. `None` is a file without a usable
/// tree; an empty file is an empty scalar.
pub(crate) fn parse(file: FileId, text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    let mut builder = Builder::new(file, text);
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok((event, span)) => (event, builder.places.span(span)),
            Err(error) => {
                builder.syntax_error(&error);
                return (None, builder.findings);
            }
        };
        if !builder.take(event, span) {
            return (None, builder.findings);
        }
    }
    let empty = Node { span: Span::new(file, 0, 0), kind: Kind::Scalar { text: String::new(), plain: true } };
    (Some(builder.root.unwrap_or(empty)), builder.findings)
}

/// A list or mapping that is still open.
struct Open {
    start: Span,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Span>, key: Option<Key> },
}

/// The key whose value comes next.
enum Key {
    Good(Spanned<String>),
    Reported,
}

/// Builds the tree without recursion, so that hostile nesting cannot exhaust the stack.
struct Builder<'t> {
    places: Places<'t>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    findings: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    fn new(file: FileId, text: &'t str) -> Self {
        let places = Places::new(file, text);
        Self { places, open: Vec::new(), root: None, documents: 0, findings: Vec::new() }
    }

    /// Takes one event; `false` ends the reading.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(_) => return self.document(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), span);
                let plain = style == ScalarStyle::Plain;
                self.finished(Node { span, kind: Kind::Scalar { text: text.into_owned(), plain } });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), span);
                return self.begin(span, OpenKind::List(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), span);
                let kind = OpenKind::Map { entries: Vec::new(), seen: HashMap::new(), key: None };
                return self.begin(span, kind);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(_) => {
                self.findings.push(
                    Diagnostic::error(Code::YAML_BAD_VALUE, span, "aliases are not read in this file")
                        .label("stands for a value elsewhere")
                        .help("write the value out"),
                );
                self.finished(Node { span, kind: Kind::Broken });
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        true
    }

    fn document(&mut self, span: Span) -> bool {
        self.documents += 1;
        if self.documents > 1 {
            self.findings.push(
                Diagnostic::error(Code::YAML_SYNTAX, span, "the file holds a second YAML document")
                    .label("begins here")
                    .help("keep one document in a file"),
            );
        }
        self.documents == 1
    }

    fn refuse_extras(&mut self, anchor: usize, tagged: bool, span: Span) {
        for (refused, what) in [(anchor > 0, "anchors (`&name`)"), (tagged, "tags (`!name`)")] {
            if refused {
                let message = format!("{what} are not read in this file");
                self.findings.push(
                    Diagnostic::error(Code::YAML_BAD_VALUE, span, message).help("write the plain value"),
                );
            }
        }
    }

    fn begin(&mut self, start: Span, kind: OpenKind) -> bool {
        if self.open.len() == MAX_DEPTH {
            let message = format!("nested more deeply than {MAX_DEPTH} levels");
            self.findings
                .push(Diagnostic::error(Code::YAML_SYNTAX, start, message).label("one level too many"));
            return false;
        }
        self.open.push(Open { start, kind });
        true
    }

    fn end(&mut self, end: Span) {
        let Some(Open { start, kind }) = self.open.pop() else { return };
        let (kind, last) = match kind {
            OpenKind::List(items) => {
                let last = items.last().map(|item| item.span);
                (Kind::List(items), last)
            }
            OpenKind::Map { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span);
                (Kind::Map(entries), last)
            }
        };
        // A block ends where the next token begins, maybe lines later; its last value says where it really ends.
        let span =
            if end.start == end.end { last.map_or(start, |last| start.to(last)) } else { start.to(end) };
        self.finished(Node { span, kind });
    }

    /// Puts a finished node where it belongs.
    fn finished(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map { entries, seen, key } => match key.take() {
                Some(Key::Good(key)) => entries.push(Entry { key, value: node }),
                Some(Key::Reported) => {}
                None => *key = Some(accept_key(node, seen, &mut self.findings)),
            },
        }
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let at = self.places.offset(*error.marker());
        let end = self.places.text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        let span = Span::new(self.places.file, at, end);
        let message = format!("this is not valid YAML: {}", error.info());
        self.findings.push(
            Diagnostic::error(Code::YAML_SYNTAX, span, message).label("the reading stopped here").help(
                "look at the indentation and for quotes and brackets that are not closed, here or just above",
            ),
        );
    }
}

fn accept_key(node: Node, seen: &mut HashMap<String, Span>, findings: &mut Vec<Diagnostic>) -> Key {
    let Kind::Scalar { text, .. } = node.kind else {
        if !matches!(node.kind, Kind::Broken) {
            findings.push(Diagnostic::error(Code::YAML_BAD_VALUE, node.span, "a key must be plain text"));
        }
        return Key::Reported;
    };
    if let Some(first) = seen.get(&text) {
        findings.push(
            Diagnostic::error(Code::YAML_BAD_VALUE, node.span, format!("`{text}` is written twice"))
                .label("written again")
                .and(*first, "first written here")
                .help("keep one of the two"),
        );
        return Key::Reported;
    }
    seen.insert(text.clone(), node.span);
    Key::Good(Spanned::new(text, node.span))
}

/// Turns the parser's lines and columns into bytes. Its running index is not used: it counts some bytes as characters,
/// while columns start afresh on every line.
struct Places<'t> {
    file: FileId,
    text: &'t str,
    /// The first byte of each line; YAML ends a line at LF, CRLF or CR.
    lines: Vec<usize>,
    last: Cell<Last>,
}

/// The place that was asked for last.
#[derive(Clone, Copy, Default)]
struct Last {
    line: usize,
    column: usize,
    at: usize,
}

impl<'t> Places<'t> {
    fn new(file: FileId, text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends =
            |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let starts = (0..bytes.len()).filter(|at| ends(*at)).map(|at| at + 1);
        // The parser counts no column for a byte order mark.
        let first = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let lines = std::iter::once(first).chain(starts).collect();
        Self { file, text, lines, last: Cell::new(Last { at: first, ..Last::default() }) }
    }

    /// The byte of a marker. Markers come nearly in order, so the walk starts from the last one where that is on the
    /// same line: a file may be one line of many megabytes.
    fn offset(&self, marker: Marker) -> usize {
        let line = marker.line().saturating_sub(1);
        let Some(start) = self.lines.get(line).copied() else { return self.text.len() };
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        let (mut column, mut at) = match self.last.get() {
            Last { line: last, column, at } if last == line => (column, at),
            _ => (0, start),
        };
        let width = |c: Option<char>| c.map_or(0, char::len_utf8);
        while column < marker.col() && at < end {
            at += width(self.text[at..end].chars().next());
            column += 1;
        }
        while column > marker.col() && at > start {
            at -= width(self.text[start..at].chars().next_back());
            column -= 1;
        }
        self.last.set(Last { line, column, at });
        at
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.offset(span.start);
        let end = self.offset(span.end).max(start);
        // A block scalar's end lies after its last line end.
        let kept = self.text[start..end].trim_end_matches(['\n', '\r', ' ']).len();
        Span::new(self.file, start, start + kept)
    }
}
