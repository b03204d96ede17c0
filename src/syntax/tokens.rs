//! Reads one token after the other and finds what is wrong wherever it stands.
//!
//! A token that no context allows (`&&`, a text in single quotes, an invisible character) is a finding here, with the
//! correction; the statement counts as broken then. Nesting and the length of operator chains are counted as well, so
//! that no later stage meets a tree that is too deep for it.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

use super::findings::Findings;
use super::habits;
use super::layout::BlockKind;
use super::shape;

/// Brackets, holes of templates, `if`, `lookup` and `not` inside one another. People write three or four levels; every stage
/// recurses over them, and this many are safe on the smallest stack that a thread gets.
pub(crate) const MAX_NESTING: usize = 64;

/// Operators and steps one after the other in one value. Each makes the tree one level deeper.
pub(crate) const MAX_CHAIN: usize = 128;

/// Reads tokens.
pub(crate) struct Tokens<'t> {
    /// The whole file.
    pub(crate) text: &'t str,
    /// The place of the next token.
    pub(crate) pos: usize,
    /// What was wrong.
    pub(crate) findings: Findings,
    /// A finding was given for the current statement.
    pub(crate) broken: bool,
    /// One for each open bracket or hole, and one for the statement.
    frames: Vec<Frame>,
    nesting: usize,
    chain: usize,
    too_deep: bool,
    /// The last token was the word `not`.
    after_not: bool,
}

/// What was counted since the last comma at one level of brackets.
#[derive(Default)]
struct Frame {
    nesting: usize,
    chain: usize,
}

/// Where in a text literal the reader is.
enum Inside {
    /// Between quotes; the opening one stands here.
    Text(usize),
    /// Between the braces of a hole; the opening one stands here.
    Hole(usize),
}

impl<'t> Tokens<'t> {
    /// Starts at the beginning of a file, after a byte order mark.
    pub(crate) fn new(file: FileId, text: &'t str) -> Self {
        Self {
            text,
            pos: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
            findings: Findings::new(file),
            broken: false,
            frames: vec![Frame::default()],
            nesting: 0,
            chain: 0,
            too_deep: false,
            after_not: false,
        }
    }

    /// The next byte.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    /// A range of the file.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.findings.file(), start, end)
    }

    /// Forgets what was counted for the last statement.
    pub(crate) fn begin_statement(&mut self) {
        self.broken = false;
        self.frames.clear();
        self.frames.push(Frame::default());
        (self.nesting, self.chain) = (0, 0);
        (self.too_deep, self.after_not) = (false, false);
    }

    /// Reads a comment: where its `#` stands, and its text without the white space at its end.
    pub(crate) fn comment(&mut self) -> (usize, &'t str) {
        let start = self.pos;
        let rest = &self.text[start..];
        let end = rest.find('\n').unwrap_or(rest.len());
        self.pos += end;
        (start, rest[1..end].trim_end())
    }

    /// Counts a bracket that opens at `pos`.
    pub(crate) fn enter(&mut self, pos: usize) {
        self.frames.push(Frame::default());
        self.nest(pos);
    }

    /// Counts a bracket that closes.
    pub(crate) fn leave(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.nesting = self.nesting.saturating_sub(frame.nesting);
            self.chain = self.chain.saturating_sub(frame.chain);
        }
    }

    /// Reports an opening bracket without its partner.
    pub(crate) fn unclosed(&mut self, bracket: u8, at: usize) {
        let (open, close) = match bracket {
            b'(' => ('(', ')'),
            b'[' => ('[', ']'),
            _ => ('{', '}'),
        };
        let code = if bracket == b'{' { Code::SYNTAX_BLOCK } else { Code::SYNTAX };
        let span = self.span(at, at + 1);
        self.report(
            Diagnostic::error(code, span, format!("this `{open}` has no `{close}`"))
                .help(format!("write `{close}` where it ends")),
        );
    }

    /// Reads one token that is no bracket.
    pub(crate) fn advance(&mut self, kind: BlockKind) {
        let Some(byte) = self.peek() else { return };
        let after_not = std::mem::take(&mut self.after_not);
        match byte {
            b'"' => self.text_literal(kind),
            b'`' => self.quoted_name(),
            b'\'' => self.single_quotes(),
            _ if byte.is_ascii_alphanumeric() || byte == b'_' => self.word(after_not),
            _ if byte.is_ascii() => self.symbol(byte, kind),
            _ => self.foreign(kind),
        }
    }

    fn word(&mut self, after_not: bool) {
        let start = self.pos;
        let word = shape::first_word(&self.text[start..]);
        self.pos += word.len();
        match word {
            "if" | "lookup" => self.nest(start),
            "not" => {
                if after_not {
                    self.nest(start);
                }
                self.after_not = true;
            }
            _ => {}
        }
    }

    fn quoted_name(&mut self) {
        let start = self.pos;
        let name = shape::first_name(&self.text[start..]);
        self.pos += name.len().max(1);
        if name.is_empty() {
            let span = self.span(start, start + 1);
            let finding = Diagnostic::error(Code::SYNTAX_STRING, span, "this back-quote has no partner");
            self.report(finding.help("write the name between two back-quotes, on one line"));
        }
    }

    fn symbol(&mut self, byte: u8, kind: BlockKind) {
        let start = self.pos;
        let rest = &self.text[start..];
        // The longest first. What is allowed nowhere is reported; what is, is only counted.
        for (symbol, instead) in WRONG_SYMBOLS {
            if rest.starts_with(symbol) {
                self.pos += symbol.len();
                self.wrong_symbol(start, symbol, instead, kind);
                return;
            }
        }
        let long = ["<->", "<-", "->", "<=", ">=", "!="].into_iter().find(|symbol| rest.starts_with(symbol));
        if let Some(symbol) = long {
            self.pos += symbol.len();
            return;
        }
        self.pos += 1;
        match byte {
            b'|' | b'+' | b'-' | b'*' | b'/' => self.count_operator(start),
            b',' => self.next_argument(),
            b'!' if self.text[..start].ends_with('{') => {
                let span = self.span(start, start + 1);
                let finding =
                    Diagnostic::error(Code::SYNTAX, span, "`{!…}` is Salesforce's way of naming a field");
                self.report(
                    finding.help("name the field as it is, or put `{field}` into a text in double quotes"),
                );
            }
            b'!' => {
                let span = self.span(start, start + 1);
                let finding = Diagnostic::error(Code::SYNTAX, span, "`!` is not an operator");
                self.report(finding.help("write `not`").fix(span, "not "));
            }
            _ if byte.is_ascii_control() => self.invisible(start, char::from(byte)),
            _ => {}
        }
    }

    fn wrong_symbol(&mut self, start: usize, symbol: &str, instead: &str, kind: BlockKind) {
        let span = self.span(start, start + symbol.len());
        let not_an = |what: &str| Diagnostic::error(Code::SYNTAX, span, format!("`{symbol}` is not {what}"));
        let write = |finding: Diagnostic, instead: &str| {
            finding.help(format!("write `{instead}`")).fix(span, instead)
        };
        let finding = match symbol {
            "//" | "/*" => {
                Diagnostic::error(Code::SYNTAX, span, format!("`{symbol}` does not begin a comment"))
                    .help("a comment begins with `#` and ends with the line")
            }
            ";" if self.frames.len() > 1 => write(not_an("a separator"), ","),
            ";" => Diagnostic::error(Code::SYNTAX, span, "`;` is not needed")
                .help("a statement ends with its line; delete the `;`")
                .fix(span, ""),
            "=>" | ":=" | "==" if habits::stands_for_arrow(self.text, start, symbol, kind) => {
                write(not_an("an arrow"), habits::arrow(kind))
            }
            "=>" => write(not_an("an arrow"), if kind == BlockKind::Picklist { "->" } else { "<-" }),
            "<-->" | "<=>" | "-->" => write(not_an("an arrow"), instead),
            "??" => not_an("an operator").help(habits::instead_of_double_question(self.text, start)),
            "?" => not_an("an operator").help(habits::instead_of_question(self.text, start)),
            "&" if habits::joins_texts(self.text, start, kind) => {
                not_an("an operator").help(habits::instead_of_ampersand(self.text, start))
            }
            _ => write(not_an("an operator"), instead),
        };
        // Once for each line: a second `?` belongs to the first, and a second `&&` is found when the first is mended.
        if !self.broken || !matches!(symbol, "?" | "??" | "&") {
            self.report(finding);
        }
        if matches!(symbol, "//" | "/*") {
            // The rest of the line is meant as a comment.
            let rest = &self.text[self.pos..];
            self.pos += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn single_quotes(&mut self) {
        let start = self.pos;
        let rest = &self.text[start + 1..];
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let finding = |span| Diagnostic::error(Code::SYNTAX, span, "a text stands in double quotes");
        let Some(end) = line.find('\'') else {
            self.pos += 1;
            let span = self.span(start, start + 1);
            return self.report(finding(span).help("write it between `\"` and `\"`"));
        };
        self.pos += end + 2;
        let (span, inner) = (self.span(start, self.pos), &line[..end]);
        if inner.contains(['"', '\\', '{', '}']) {
            return self.report(finding(span).help("write it between `\"` and `\"`"));
        }
        let text = format!("\"{inner}\"");
        self.report(finding(span).help(format!("write `{text}`")).fix(span, text));
    }

    /// Characters outside ASCII stand in texts, comments and back-quotes only.
    fn foreign(&mut self, kind: BlockKind) {
        let start = self.pos;
        let Some(character) = self.text[start..].chars().next() else { return };
        self.pos += character.len_utf8();
        let span = self.span(start, self.pos);
        let finding = match character {
            '“' | '”' | '„' | '«' | '»' | '‘' | '’' => self.smart_quote(start, character),
            '←' | '⇐' | '→' | '⇒' | '↔' | '⇔' | '≠' | '≤' | '≥' | '×' | '÷' => {
                let instead = match habits::ascii(character) {
                    "<-" | "->" if habits::stands_for_arrow(self.text, start, "", kind) => {
                        habits::arrow(kind)
                    }
                    instead => instead,
                };
                Diagnostic::error(Code::SYNTAX, span, format!("`{character}` is not written here"))
                    .help(format!("write `{instead}`"))
                    .fix(span, instead)
            }
            '\u{a0}' | '\u{202f}' | '\u{2007}' => {
                Diagnostic::error(Code::SYNTAX, span, "a non-breaking space stands here")
                    .help("write an ordinary space")
                    .fix(span, " ")
            }
            '–' | '—' | '−' => {
                Diagnostic::error(Code::SYNTAX, span, format!("`{character}` is a dash, not a minus"))
                    .help("write `-`")
                    .fix(span, "-")
            }
            _ if character.is_control() || is_invisible(character) => {
                return self.invisible(start, character);
            }
            _ if character.is_alphanumeric() => {
                let rest = &self.text[start..];
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                self.pos = start + end;
                let word = &rest[..end];
                Diagnostic::error(Code::SYNTAX, self.span(start, self.pos), format!("`{word}` is not a name"))
                    .help(
                        "a name holds the letters A to Z, digits and `_`; anything else goes in back-quotes",
                    )
            }
            _ => Diagnostic::error(Code::SYNTAX, span, format!("`{character}` means nothing here"))
                .help("it can stand in a text between double quotes or in a comment"),
        };
        self.report(finding);
    }

    /// A text between quotation marks of a word processor, on one line.
    fn smart_quote(&mut self, start: usize, character: char) -> Diagnostic {
        let rest = &self.text[self.pos..];
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let end = line.find(['“', '”', '«', '»', '‘', '’']);
        let inner = end.map(|end| &line[..end]).filter(|inner| !inner.contains(['"', '\\', '{', '}']));
        if let (Some(inner), Some(close)) = (inner, end.and_then(|end| line[end..].chars().next())) {
            self.pos += inner.len() + close.len_utf8();
        }
        let span = self.span(start, self.pos);
        let text = inner.map_or_else(|| "\"".to_owned(), |inner| format!("\"{inner}\""));
        Diagnostic::error(Code::SYNTAX, span, format!("`{character}` is not a quotation mark here"))
            .help(format!("write `{text}` with the straight quotation mark, which no word processor changes"))
            .fix(span, text)
    }

    /// One finding for all that stand side by side.
    fn invisible(&mut self, start: usize, character: char) {
        let hidden = |c: &char| is_invisible(*c) || c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        let rest = &self.text[start..];
        let others = rest.chars().skip(1).take_while(hidden);
        let length = character.len_utf8() + others.map(char::len_utf8).sum::<usize>();
        self.pos = start + length;
        let span = self.span(start, self.pos);
        let number = u32::from(character);
        let (message, help) = match rest[..length].chars().count() {
            1 => (format!("an invisible character, U+{number:04X}"), "delete it"),
            count => (format!("{count} invisible characters, the first is U+{number:04X}"), "delete them"),
        };
        self.report(Diagnostic::error(Code::SYNTAX, span, message).help(help).fix(span, ""));
    }

    /// Reads a text with its holes, which may hold texts again.
    fn text_literal(&mut self, kind: BlockKind) {
        let mut inside = vec![Inside::Text(self.pos)];
        self.pos += 1;
        while let Some(innermost) = inside.last() {
            let (start, in_text) = match innermost {
                Inside::Text(start) => (*start, true),
                Inside::Hole(start) => (*start, false),
            };
            match self.peek() {
                None | Some(b'\n') => return self.unclosed_text(&inside),
                Some(b'"') if in_text => {
                    self.pos += 1;
                    inside.pop();
                }
                Some(b'{') if in_text => {
                    inside.push(Inside::Hole(self.pos));
                    self.enter(self.pos);
                    self.pos += 1;
                }
                Some(_) if in_text => self.text_character(),
                Some(b'}') => {
                    self.pos += 1;
                    inside.pop();
                    self.leave();
                }
                Some(b'"') => {
                    inside.push(Inside::Text(self.pos));
                    self.pos += 1;
                }
                Some(b'#') => {
                    let span = self.span(start, self.pos + 1);
                    let finding = Diagnostic::error(Code::SYNTAX, span, "a comment cannot stand in a text");
                    self.report(
                        finding.help("write `\\{` if a brace is meant, and delete the `#` otherwise"),
                    );
                    self.pos += 1;
                }
                Some(b' ' | b'\t' | b'\r' | b'{') => self.pos += 1,
                Some(b'(' | b'[') => {
                    self.enter(self.pos);
                    self.pos += 1;
                }
                Some(b')' | b']') => {
                    self.leave();
                    self.pos += 1;
                }
                Some(_) => self.advance(kind),
            }
        }
    }

    fn text_character(&mut self) {
        let start = self.pos;
        let Some(character) = self.text[start..].chars().next() else { return };
        self.pos += character.len_utf8();
        match character {
            '\\' => {
                let escaped = self.text[self.pos..].chars().next();
                match escaped {
                    Some('"' | '\\' | 'n' | '{' | '}') => self.pos += 1,
                    Some(other) if other != '\n' && other != '\r' => {
                        self.pos += other.len_utf8();
                        let span = self.span(start, self.pos);
                        let message = format!("`\\{other}` is not an escape");
                        let finding = Diagnostic::error(Code::SYNTAX, span, message);
                        self.report(finding.help("the escapes are `\\\"`, `\\\\`, `\\n`, `\\{` and `\\}`"));
                    }
                    _ => {}
                }
            }
            '}' => {
                let span = self.span(start, start + 1);
                let finding = Diagnostic::error(Code::SYNTAX, span, "this `}` closes nothing");
                let before = &self.text[..start];
                let doubled = before.ends_with('}').then(|| before.rsplit_once("{{")).flatten();
                let name = doubled.map(|(_, name)| name.trim_end_matches('}').trim());
                self.report(match name.filter(|name| !name.is_empty() && !name.contains(['"', '\n', '{'])) {
                    Some(name) => finding
                        .help(format!("a value in a text has one brace on each side: write `{{{name}}}`")),
                    None => finding.help("a brace in a text is written `\\}`").fix(span, "\\}"),
                });
            }
            // A carriage return before the line end belongs to the line end.
            '\r' if matches!(self.peek(), None | Some(b'\n')) => {}
            '\t' => {}
            _ if character.is_control() => self.invisible(start, character),
            _ => {}
        }
    }

    fn unclosed_text(&mut self, inside: &[Inside]) {
        let Some(Inside::Text(first) | Inside::Hole(first)) = inside.first() else { return };
        let hole = inside.iter().find_map(|level| match level {
            Inside::Hole(at) => Some(*at),
            Inside::Text(_) => None,
        });
        let span = self.span(*first, *first + 1);
        let finding =
            Diagnostic::error(Code::SYNTAX_STRING, span, "this text is not closed before the line ends");
        let finding = match hole {
            Some(at) => finding
                .and(self.span(at, at + 1), "a value begins here")
                .help("close it with `}` and `\"`; a brace that is only text is written `\\{`"),
            None => finding.help("close it with `\"`; a line end in a text is written `\\n`"),
        };
        self.report(finding);
        for _ in inside.iter().filter(|level| matches!(level, Inside::Hole(_))) {
            self.leave();
        }
    }

    fn nest(&mut self, pos: usize) {
        self.nesting += 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.nesting += 1;
        }
        if self.nesting > MAX_NESTING && !self.too_deep {
            self.too_deep = true;
            let message = format!("nested more than {MAX_NESTING} levels deep");
            let span = self.span(pos, pos + 1);
            let finding = Diagnostic::error(Code::SYNTAX_DEPTH, span, message);
            self.report(
                finding.help("give the inner part a name with `let`, or translate values with a `picklist`"),
            );
        }
    }

    fn count_operator(&mut self, pos: usize) {
        self.chain += 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.chain += 1;
        }
        if self.chain > MAX_CHAIN && !self.too_deep {
            self.too_deep = true;
            let message = format!("more than {MAX_CHAIN} steps and operators in one value");
            let span = self.span(pos, pos + 1);
            let finding = Diagnostic::error(Code::SYNTAX_DEPTH, span, message);
            self.report(finding.help("give the first part a name with `let` and go on from there"));
        }
    }

    fn next_argument(&mut self) {
        let in_brackets = self.frames.len() > 1;
        let Some(frame) = self.frames.last_mut() else { return };
        // The bracket itself stays open.
        let bracket = usize::from(in_brackets);
        self.chain = self.chain.saturating_sub(frame.chain);
        self.nesting = self.nesting.saturating_sub(frame.nesting.saturating_sub(bracket));
        (frame.chain, frame.nesting) = (0, bracket);
    }

    fn report(&mut self, finding: Diagnostic) {
        self.broken = true;
        self.findings.push(finding);
    }
}

/// Symbols of other languages, and what is written here.
const WRONG_SYMBOLS: &[(&str, &str)] = &[
    ("<-->", "<->"),
    ("<=>", "<->"),
    ("-->", "->"),
    ("===", "="),
    ("!==", "!="),
    ("==", "="),
    ("=>", "<-"),
    (":=", "="),
    ("<>", "!="),
    ("&&", "and"),
    ("||", "or"),
    ("|>", "|"),
    ("??", ""),
    ("?", ""),
    ("//", "#"),
    ("/*", "#"),
    (";", ""),
    ("&", "and"),
];

/// Whether a character takes no place on the screen, or turns the direction of the text.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
