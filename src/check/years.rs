//! Dates and instants that are written out and that no field of the CRM holds.

use crate::diagnostic::{Code, Diagnostic};
use crate::functions::Prepared;
use crate::source::Side;
use crate::types::{Value, within_years};

use super::scope::Scope;
use super::typed::{Expr, ExprKind};

impl Scope<'_> {
    /// Reports them where a value goes to this CRM, or is compared with what it holds.
    pub(super) fn check_years(&self, value: &Expr, to: Side) {
        for leaf in self.leaves(value) {
            let Some(constant) = constant(leaf) else { continue };
            if let Err(failure) = within_years(to, constant) {
                let finding = Diagnostic::error(Code::ARGUMENT_VALUE, leaf.span, failure.message);
                self.report(finding.label("no such date").help("write a date of those years"));
            }
        }
    }
}

/// The value of an expression that reads nothing.
fn constant(value: &Expr) -> Option<Value> {
    match &value.kind {
        ExprKind::Literal(value) => Some(value.clone()),
        ExprKind::Call { function, args } => {
            let args: Vec<Value> = args.iter().map(constant).collect::<Option<_>>()?;
            if args.first().is_none_or(Value::is_blank) {
                return None;
            }
            let mut borrowed: Vec<_> = args.iter().map(Value::borrowed).collect();
            let value = (function.call)(&mut borrowed, &Prepared::Nothing).ok()?;
            Some(value.into_owned())
        }
        _ => None,
    }
}
