//! Literals of white space alone, which Salesforce drops. What is read of a record is never so: that is blank already.

use crate::source::{Side, Span};
use crate::types::Value;

use super::scope::Scope;
use super::typed::{Expr, ExprKind};

/// Functions that leave white space alone as it is.
const PASSING: &[&str] = &["fits", "lowercase", "text", "title_case", "truncate", "uppercase"];

impl Scope<'_> {
    /// Where a value that goes to this CRM can be white space alone.
    pub(super) fn white_space(&self, value: &Expr, to: Side) -> Option<Span> {
        self.leaves(value).into_iter().find_map(|leaf| match &leaf.kind {
            ExprKind::Literal(literal) if !literal.is_blank() && drops(to, literal) => Some(leaf.span),
            ExprKind::Call { function, args } if PASSING.contains(&function.name) => {
                args.first().and_then(|arg| self.white_space(arg, to))
            }
            _ => None,
        })
    }
}

/// Whether nothing is left of a literal in a field of this CRM.
pub(super) fn drops(to: Side, literal: &Value) -> bool {
    match literal {
        Value::Blank => true,
        Value::Text(text) => to == Side::Salesforce && text.trim().is_empty(),
        _ => false,
    }
}
