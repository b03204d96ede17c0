//! Renderers: for people (miette) and for programs (JSON).

use crate::source::Sources;

use super::Diagnostic;

/// The report that a person reads, with the source lines.
pub fn human(_sources: &Sources, _findings: &[Diagnostic], _colour: bool) -> String {
    todo!()
}

/// The findings as one JSON array.
pub fn json(_sources: &Sources, _findings: &[Diagnostic]) -> serde_json::Value {
    todo!()
}
