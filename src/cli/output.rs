//! What goes to the terminal, and how.

use std::io::{IsTerminal, Write};

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;

/// Standard output for results, standard error for everything else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    quiet: bool,
    colour: bool,
}

impl Output {
    /// Colour only on a terminal, and not where `NO_COLOR` asks for none.
    pub(super) fn new(quiet: bool) -> Self {
        let colour = std::io::stderr().is_terminal() && super::parts::env("NO_COLOR").is_none();
        Self { quiet, colour }
    }

    /// Whether nothing but results and errors is wanted.
    pub(super) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// A line of results. A closed pipe (`| head`) is no error: the reader has what it wanted.
    pub(super) fn result(line: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    /// A result that has its own line ends.
    pub(super) fn result_as_it_is(text: &str) {
        let _ = write!(std::io::stdout().lock(), "{text}");
    }

    /// Whether results may have colours.
    pub(super) fn coloured_result() -> bool {
        std::io::stdout().is_terminal() && super::parts::env("NO_COLOR").is_none()
    }

    /// A line for the person watching.
    pub(super) fn note(self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    /// What went wrong.
    pub(super) fn error(self, message: &str) {
        self.complaint("error", message);
    }

    /// What went wrong, by another word than `error`.
    pub(super) fn complaint(self, word: &str, message: &str) {
        let word = if self.colour { format!("\u{1b}[31;1m{word}\u{1b}[0m") } else { word.to_owned() };
        let _ = writeln!(std::io::stderr().lock(), "{word}: {message}");
    }

    /// Findings, for people: the first so many, since nobody reads on after them.
    pub(super) fn findings(self, sources: &Sources, findings: &[Diagnostic]) {
        /// More than a day's work.
        const SHOWN: usize = 100;
        let shown = &findings[..findings.len().min(SHOWN)];
        let report = crate::diagnostic::human(sources, shown, self.colour, width());
        let _ = write!(std::io::stderr().lock(), "{report}");
        if findings.len() > SHOWN {
            let more = findings.len() - SHOWN;
            self.note(&format!("… and {more} more; `mapwright check --format json` gives all of them"));
        }
    }

    /// `3 errors and 1 warning`
    pub(super) fn summary(findings: &[Diagnostic]) -> String {
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let warnings = findings.len() - errors;
        let count =
            |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
        match (errors, warnings) {
            (0, 0) => "no findings".to_owned(),
            (errors, 0) => count(errors, "error"),
            (0, warnings) => count(warnings, "warning"),
            (errors, warnings) => format!("{} and {}", count(errors, "error"), count(warnings, "warning")),
        }
    }
}

/// The terminal's width, or what fits a pull request's comment.
fn width() -> usize {
    /// Wide enough for a rule with its policies, narrow enough for a code review.
    const DEFAULT: usize = 110;
    super::parts::env("COLUMNS")
        .and_then(|columns| columns.parse().ok())
        .filter(|width| *width >= 40)
        .unwrap_or(DEFAULT)
}
