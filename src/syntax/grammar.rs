//! The generated parser, behind one function.

use pest::Parser as _;
use pest::error::{Error, ErrorVariant, InputLocation};
use pest::iterators::Pair;

/// The parser that pest makes of `grammar/mapping.pest`.
#[derive(pest_derive::Parser)]
#[grammar = "grammar/mapping.pest"]
struct MappingParser;

/// Why a statement could not be parsed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// At this byte of the statement one of these rules was expected.
    Expected(usize, Vec<Rule>),
    /// The parser's own limit was reached.
    TooDeep,
}

/// Parses the text of one statement by an entry rule.
pub(crate) fn read(rule: Rule, text: &str) -> Result<Pair<'_, Rule>, Failure> {
    match MappingParser::parse(rule, text) {
        Ok(mut pairs) => pairs.next().ok_or(Failure::TooDeep),
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: Error<Rule>) -> Failure {
    let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
    match error.variant {
        ErrorVariant::ParsingError { positives, .. } => Failure::Expected(at, positives),
        ErrorVariant::CustomError { .. } => Failure::TooDeep,
    }
}
