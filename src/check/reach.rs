//! What can never be reached: a guard that is already decided, a branch of an `if`, a rung below one that looks for the
//! same.

use std::collections::HashSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span};
use crate::syntax::ast::{self, RungKind};
use crate::types::{Type, Value};

use super::scope::Scope;
use super::typed::{Condition, ConditionKind, ExprKind, Presence};
use super::world::Obj;

impl Scope<'_> {
    /// Warns about a guard that always or never holds.
    pub(super) fn check_guard_reached(&self, condition: &Condition, otherwise: Option<Span>) {
        let Some(holds) = verdict(condition) else { return };
        let (message, help) = match (holds, otherwise) {
            (true, Some(_)) => (
                "this guard always holds, so its `otherwise` is never reached",
                "remove the guard, or ask for something that can be missing",
            ),
            (true, None) => (
                "this guard always holds, so it keeps nothing out",
                "remove it, or ask for something that can be missing",
            ),
            (false, _) => (
                "this guard never holds, so nothing behind it is ever reached",
                "ask the opposite, or remove the mapping",
            ),
        };
        let finding = Diagnostic::warning(Code::UNREACHABLE, condition.span, message);
        let finding = match otherwise.filter(|_| holds) {
            Some(otherwise) => finding.and(otherwise, "never reached"),
            None => finding,
        };
        self.report(finding.help(help));
    }

    /// Warns about the branch of an `if` that is never taken. A shared rule is left alone: what one mapping's guard makes
    /// present may be blank in another.
    pub(super) fn check_branch_reached(&self, condition: &Condition, then: Span, otherwise: Span) {
        let Some(holds) = verdict(condition).filter(|_| !self.shared) else { return };
        let (word, unreached) = if holds { ("always", otherwise) } else { ("never", then) };
        let message = format!("the condition {word} holds, so this value is never used");
        let finding = Diagnostic::warning(Code::UNREACHABLE, unreached, message).label("never used");
        self.report(finding.and(condition.span, format!("{word} holds")).help("write the other value alone"));
    }
}

/// Whether a condition is decided whatever the record holds.
fn verdict(condition: &Condition) -> Option<bool> {
    match &condition.kind {
        ConditionKind::And(parts) => all(parts, true),
        ConditionKind::Or(parts) => all(parts, false),
        ConditionKind::Not(inner) => verdict(inner).map(|holds| !holds),
        ConditionKind::Presence(value, presence) => match value.typed.ty {
            Type::Error => None,
            Type::Nothing => Some(*presence == Presence::Blank),
            _ if value.typed.blank => None,
            _ => Some(*presence == Presence::Present),
        },
        ConditionKind::Value(value) => match &value.kind {
            ExprKind::Literal(Value::Boolean(holds)) => Some(*holds),
            _ => None,
        },
        ConditionKind::Compare(..) | ConditionKind::In(..) => None,
    }
}

/// The verdict of parts of which all must be `holds`, or one that is not decides.
fn all(parts: &[Condition], holds: bool) -> Option<bool> {
    let verdicts: Vec<_> = parts.iter().map(verdict).collect();
    if verdicts.contains(&Some(!holds)) {
        return Some(!holds);
    }
    verdicts.iter().all(|verdict| *verdict == Some(holds)).then_some(holds)
}

/// Where a rung looks and what it asks, as it is written.
struct Search {
    object: (Side, String),
    asks: HashSet<String>,
    span: Span,
}

/// Warns about rungs that ask at least what a rung above them asks: where that one found nothing, they find nothing.
pub(super) fn check_rungs(scope: &Scope<'_>, target: Option<&Obj<'_>>, mapping: &ast::Mapping) {
    let rungs = mapping.body.matches.iter().flat_map(|block| &block.rungs);
    let searches: Vec<_> = rungs.filter_map(|rung| search(scope, target, rung)).collect();
    for (at, rung) in searches.iter().enumerate() {
        let above = searches[..at]
            .iter()
            .find(|above| above.object == rung.object && above.asks.is_subset(&rung.asks));
        let Some(above) = above else { continue };
        let message = "this rung is never reached with a record to find: one above it looks for the same";
        let finding = Diagnostic::warning(Code::UNREACHABLE, rung.span, message).label("finds nothing more");
        let finding = finding.and(above.span, "looks first, and finds it");
        scope.report(finding.help("remove it, or put the rung that asks for more above the other"));
    }
}

fn search(scope: &Scope<'_>, target: Option<&Obj<'_>>, rung: &ast::Rung) -> Option<Search> {
    let equal = |field: &ast::Name, value: &ast::Value| {
        normal(&format!("{} = {}", field.value, scope.world.sources.slice(value.span)))
    };
    let tests = |tests: &[ast::FieldTest]| -> HashSet<String> {
        tests.iter().map(|test| normal(scope.world.sources.slice(test.span))).collect()
    };
    let of_target = || target.map(|target| (target.name.side, target.name.name.clone()));
    let (object, asks) = match &rung.kind {
        RungKind::Key { field, value, .. } => (of_target()?, HashSet::from([equal(field, value)])),
        RungKind::Field { field, value, tests: more } => {
            let mut asks = tests(more);
            asks.insert(equal(field, value));
            (of_target()?, asks)
        }
        RungKind::Object { object, tests: asked, .. } => {
            ((object.side, object.name.value.clone()), tests(asked))
        }
    };
    Some(Search { object, asks, span: rung.span }).filter(|search| !search.asks.is_empty())
}

/// Source text with single blanks and without back-quotes.
fn normal(text: &str) -> String {
    text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}
