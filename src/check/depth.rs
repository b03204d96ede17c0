//! How deep values are once the named ones are followed: every level costs whoever evaluates them a part of its stack.

use super::scope::LetEntry;
use super::typed::{Condition, ConditionKind, Expr, ExprKind, TemplatePart, TestOp};

/// Levels that a value may have, with those of the `let`s that it reads. One expression alone has far fewer, by the
/// parser's own bounds.
pub(super) const DEEPEST: usize = 500;

/// The levels of a value that may read these named ones.
pub(super) fn levels(value: &Expr, lets: &[LetEntry]) -> usize {
    let all = |values: &mut dyn Iterator<Item = &Expr>| values.map(|value| levels(value, lets)).max();
    let below = match &value.kind {
        ExprKind::Literal(_) | ExprKind::Field(_) => None,
        ExprKind::Let(index) => lets.get(*index).map(|entry| entry.levels),
        ExprKind::Call { args, .. } | ExprKind::List(args) => all(&mut args.iter()),
        ExprKind::Translate { value, .. } | ExprKind::Linked { id: value, .. } => Some(levels(value, lets)),
        ExprKind::Template(parts) => all(&mut parts.iter().filter_map(|part| match part {
            TemplatePart::Hole(value) => Some(value),
            TemplatePart::Text(_) => None,
        })),
        ExprKind::Arithmetic(left, _, right) => all(&mut [left.as_ref(), right.as_ref()].into_iter()),
        ExprKind::If(condition, yes, no) => {
            all(&mut [yes.as_ref(), no.as_ref()].into_iter()).max(Some(of_condition(condition, lets)))
        }
        ExprKind::Condition(condition) => Some(of_condition(condition, lets)),
        ExprKind::Lookup { tests, .. } => all(&mut tests.iter().flat_map(|test| match &test.op {
            TestOp::Compare(_, value) => std::slice::from_ref(value),
            TestOp::In(values) => values.as_slice(),
            TestOp::Presence(_) => &[],
        })),
    };
    below.unwrap_or_default() + 1
}

fn of_condition(condition: &Condition, lets: &[LetEntry]) -> usize {
    let below = match &condition.kind {
        ConditionKind::Or(all) | ConditionKind::And(all) => {
            all.iter().map(|one| of_condition(one, lets)).max()
        }
        ConditionKind::Not(inner) => Some(of_condition(inner, lets)),
        ConditionKind::Compare(left, _, right) | ConditionKind::In(left, right) => {
            Some(levels(left, lets).max(levels(right, lets)))
        }
        ConditionKind::Presence(value, _) | ConditionKind::Value(value) => Some(levels(value, lets)),
    };
    below.unwrap_or_default() + 1
}
