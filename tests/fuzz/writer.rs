//! Writes tokens with odd white space, line ends and comments wherever the language allows them.

use super::tape::Tape;

/// Where the tokens stand, which decides where a line may end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Outside brackets: only where a continuation begins.
    Line,
    /// Inside brackets: anywhere.
    Brackets,
    /// In a hole of a template: nowhere.
    Hole,
}

/// A file that grows.
pub(crate) struct Writer<'b> {
    pub(crate) tape: Tape<'b>,
    out: String,
    place: Place,
    /// Nothing but the bare minimum of white space.
    plain: bool,
    soft: bool,
    stay: bool,
}

const COMMENTS: &[&str] = &[
    "# a comment",
    "#",
    "#tight",
    "#  two blanks",
    "#!not a word",
    "# <- | \" { ( [ `",
    "# ünï 🦀 日本",
    "## twice",
    "#\ttab",
    "# mapping m {",
];

impl<'b> Writer<'b> {
    pub(crate) fn new(mut tape: Tape<'b>) -> Self {
        let plain = !tape.once_in(2);
        let mark = if tape.once_in(16) { "\u{feff}" } else { "" };
        Self { tape, out: mark.to_owned(), place: Place::Line, plain, soft: false, stay: false }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// The place before, to be given back to [`Writer::leave`].
    pub(crate) fn enter(&mut self, place: Place) -> Place {
        let before = self.place;
        if before != Place::Hole {
            self.place = place;
        }
        before
    }

    pub(crate) fn leave(&mut self, before: Place) {
        self.place = before;
    }

    /// The line may end before the next token.
    pub(crate) fn soft(&mut self) {
        self.soft = true;
    }

    /// The line may not end before the next token.
    pub(crate) fn stay(&mut self) {
        self.stay = true;
    }

    /// Words and symbols, one after the other.
    pub(crate) fn tokens(&mut self, texts: &[&str]) {
        for text in texts {
            self.token(text);
        }
    }

    pub(crate) fn token(&mut self, text: &str) {
        let may_end = self.place == Place::Brackets || self.place == Place::Line && self.soft;
        self.soft = false;
        if may_end && !std::mem::take(&mut self.stay) && self.tape.once_in(if self.plain { 24 } else { 6 }) {
            self.line_end();
        } else {
            self.blank(text);
        }
        self.out.push_str(text);
    }

    /// A piece of a text literal: nothing stands before it.
    pub(crate) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// White space that two tokens need, and some that they do not.
    fn blank(&mut self, next: &str) {
        let Some(last) = self.out.chars().next_back() else { return };
        if last == '\n' {
            return;
        }
        let wordy = |c: char| c.is_alphanumeric() || c == '_';
        let first = next.chars().next().unwrap_or(' ');
        // `a < -1` without its blank is an arrow.
        let needed = wordy(last) && wordy(first) || last == '<' && first == '-';
        if self.plain {
            self.out.push(' ');
            return;
        }
        let gap = self.tape.pick(&[" ", "", "  ", "\t", " \t  "]);
        self.out.push_str(if needed && gap.is_empty() { " " } else { gap });
    }

    /// Ends the line, perhaps with comments and empty lines.
    pub(crate) fn line_end(&mut self) {
        if self.tape.once_in(6) {
            self.comment();
        }
        self.newline();
        while self.tape.once_in(5) {
            match self.tape.below(3) {
                0 => self.newline(),
                1 => {
                    self.comment();
                    self.newline();
                }
                _ => {
                    self.newline();
                    self.newline();
                    self.comment();
                    self.newline();
                }
            }
        }
        let indent = if self.plain { "  " } else { self.tape.pick(&["", "  ", "\t", "       "]) };
        self.out.push_str(indent);
    }

    /// Perhaps ends the line.
    pub(crate) fn maybe_line_end(&mut self) {
        if self.plain || self.tape.once_in(2) {
            self.line_end();
        }
    }

    fn comment(&mut self) {
        let before = self.tape.pick(&[" ", "", "\t"]);
        let comment = self.tape.pick(COMMENTS);
        let after = self.tape.pick(&["", "  ", "\t"]);
        for piece in [before, comment, after] {
            self.out.push_str(piece);
        }
    }

    fn newline(&mut self) {
        let end = self.tape.pick(&["\n", "\n", "\r\n", "  \n"]);
        self.out.push_str(end);
    }
}
