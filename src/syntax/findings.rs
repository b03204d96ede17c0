//! The findings of one file, of which there is a limit.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// More findings than a person reads in one go; a megabyte of garbage must not become a million reports.
const LIMIT: usize = 200;

/// Findings in the order in which they are made.
#[derive(Debug)]
pub(crate) struct Findings {
    file: FileId,
    list: Vec<Diagnostic>,
    /// Where the first finding beyond the limit stands.
    beyond: Option<Span>,
}

impl Findings {
    /// Starts with none.
    pub(crate) fn new(file: FileId) -> Self {
        Self { file, list: Vec::new(), beyond: None }
    }

    /// The file that the findings are about.
    pub(crate) fn file(&self) -> FileId {
        self.file
    }

    /// How many findings there are, for [`Self::forget`].
    pub(crate) fn mark(&self) -> usize {
        self.list.len()
    }

    /// Takes back the findings since a mark.
    pub(crate) fn forget(&mut self, mark: usize) {
        self.list.truncate(mark);
    }

    /// Keeps a finding, up to the limit.
    pub(crate) fn push(&mut self, finding: Diagnostic) {
        if self.list.len() < LIMIT {
            self.list.push(finding);
        } else if self.beyond.is_none() {
            self.beyond = Some(finding.span());
        }
    }

    /// The findings in source order.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut list = self.list;
        list.sort_by_key(|finding| (finding.span().start, finding.span().end));
        if let Some(span) = self.beyond {
            // Brackets without a partner are found late, so that one beyond the limit may stand before one within it.
            let kept_last = list.last().map_or(span, Diagnostic::span);
            let span = if kept_last.start > span.start { kept_last } else { span };
            let message = format!("more than {LIMIT} mistakes in this file");
            list.push(
                Diagnostic::error(Code::SYNTAX, span, message)
                    .help("correct these first; the rest shows then"),
            );
        }
        list
    }
}
