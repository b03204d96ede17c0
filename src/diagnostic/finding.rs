//! The diagnostic itself.

use crate::source::{Sources, Span};

use super::Code;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The project must not be deployed.
    Error,
    /// Probably not what the author meant.
    Warning,
}

/// A place that takes part in a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there; may be empty.
    pub text: String,
}

/// A mechanical correction: replace the span's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced; an empty span inserts.
    pub span: Span,
    /// The new text.
    pub replacement: String,
}

/// A warning that a comment keeps quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// The warning.
    pub finding: Diagnostic,
    /// Why, as the comment says.
    pub reason: String,
    /// The code in the comment.
    pub by: Span,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where: the first label is the primary one.
    pub labels: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
    /// The mechanical correction, if there is one.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// An error at a span.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message)
    }

    /// A warning at a span.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, message)
    }

    fn new(code: Code, severity: Severity, span: Span, message: impl Into<String>) -> Self {
        let labels = vec![Label { span, text: String::new() }];
        Self { code, severity, message: message.into(), labels, help: None, fix: None }
    }

    /// Says what is to be seen at the primary span.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        // INVARIANT: `new` puts the primary label first.
        self.labels[0].text = text.into();
        self
    }

    /// Adds the other half of a disagreement, in any file.
    #[must_use]
    pub fn and(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Offers a mechanical correction.
    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }

    /// The primary place.
    pub fn span(&self) -> Span {
        // INVARIANT: `new` puts the primary label first.
        self.labels[0].span
    }

    /// Whether it must stop a deployment.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The key that puts findings into source order: by file name, then place, then code.
    pub fn order<'s>(&self, sources: &'s Sources) -> (&'s str, u32, Code) {
        let span = self.span();
        (sources.file(span.file).name(), span.start, self.code)
    }
}
