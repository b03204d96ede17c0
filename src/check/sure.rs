//! Whether a value comes about whatever a CRM hands over, and what is said of an `otherwise` behind a value that cannot
//! fail.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::types::{Type, text_max, within_limit};

use super::scope::Scope;
use super::typed::{Expr, ExprKind, TemplatePart};
use super::words;

impl Scope<'_> {
    /// Whether a value cannot fail, whatever the fields that it reads hold: text and options are taken as they come. A
    /// field of another type can hold what its type does not allow, and a translation meets an option that is newer than
    /// the snapshot.
    pub(super) fn surely_succeeds(&self, value: &Expr) -> bool {
        let all = |values: &[Expr]| values.iter().all(|value| self.surely_succeeds(value));
        !value.can_fail
            && match &value.kind {
                ExprKind::Literal(_) => true,
                ExprKind::Field(_) => {
                    words::is_text(&value.typed.ty) || matches!(value.typed.ty, Type::MultiPicklist(_))
                }
                ExprKind::Call { args, .. } => all(args) && self.is_within_limit(value),
                ExprKind::List(items) => all(items),
                ExprKind::Template(parts) => {
                    let mut holes = parts.iter().filter_map(|part| match part {
                        TemplatePart::Hole(hole) => Some(hole),
                        TemplatePart::Text(_) => None,
                    });
                    holes.all(|hole| self.surely_succeeds(hole)) && self.is_within_limit(value)
                }
                ExprKind::Let(_)
                | ExprKind::Translate { .. }
                | ExprKind::Arithmetic(..)
                | ExprKind::If(..)
                | ExprKind::Condition(_)
                | ExprKind::Lookup { .. }
                | ExprKind::Linked { .. } => false,
            }
    }

    /// Whether text that is made cannot grow beyond what any text may have.
    fn is_within_limit(&self, value: &Expr) -> bool {
        /// The most bytes of UTF-8 for one unit of UTF-16.
        const BYTES: usize = 3;
        let ty = self.resolved(&value.typed.ty);
        !words::is_text(&ty)
            || text_max(&ty).is_some_and(|max| within_limit((max as usize).saturating_mul(BYTES)).is_ok())
    }

    /// Warns about an `otherwise` that is not reached. It is taken away only where nothing that a CRM hands over can reach
    /// it; `sure` and `likely` say why it is not reached, and `remove` what to do.
    pub(super) fn report_unneeded(
        &self,
        value: &Expr,
        otherwise: Span,
        (sure, likely): (&str, &str),
        remove: &str,
    ) {
        let warning = |message: String| Diagnostic::warning(Code::OTHERWISE_UNNEEDED, otherwise, message);
        self.report(if self.surely_succeeds(value) {
            let message = format!("{sure}, so `otherwise` is never reached");
            warning(message).help(remove).fix(otherwise, "")
        } else {
            let message =
                format!("{likely} with values that the snapshot allows, so `otherwise` is not reached");
            warning(message).help(format!(
                "{remove}; to keep it for a value that the CRM should not hold, write `# allow W0003: REASON`"
            ))
        });
    }
}
