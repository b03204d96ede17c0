//! Compiled expressions: slots instead of names, functions resolved, patterns compiled.

use serde::{Deserialize, Serialize};

use crate::syntax::ast::{ArithmeticOp, CompareOp, Presence};

use crate::functions::{self, Function, Prepared};
use crate::source::Location;
use crate::types::Value;

/// A compiled expression.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Expr {
    /// A literal.
    Literal(Value),
    /// The slot with this index.
    Slot(usize),
    /// The named value with this index.
    Let(usize),
    /// The result of the look-up with this index.
    Lookup(usize),
    /// A function call.
    Call(Call),
    /// A translation.
    Translate {
        /// The picklist's index.
        picklist: usize,
        /// Against the arrow.
        back: bool,
        /// The option.
        value: Box<Expr>,
        /// Where it is used.
        at: Location,
    },
    /// Text with holes.
    Template(Vec<Part>),
    /// Exact decimal arithmetic.
    Arithmetic(Box<Expr>, ArithmeticOp, Box<Expr>),
    /// `if C then A else B`, and where it stands.
    If(Box<Condition>, Box<Expr>, Box<Expr>, Location),
    /// A list.
    List(Vec<Expr>),
    /// A condition as a boolean.
    Condition(Box<Condition>),
}

/// A piece of a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Part {
    /// Text.
    Text(String),
    /// A value.
    Hole(Expr),
}

/// A function call with what could be prepared.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "CallForm", into = "CallForm")]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// All arguments, the piped one first.
    pub args: Vec<Expr>,
    /// What its literal arguments allowed to do ahead.
    pub prepared: Prepared,
}

/// A call as it is stored: the function by name.
#[derive(Serialize, Deserialize)]
struct CallForm {
    function: String,
    args: Vec<Expr>,
}

impl Call {
    /// Resolves what can be resolved ahead.
    pub fn new(function: &'static Function, args: Vec<Expr>) -> Self {
        let prepared = function.prepare.map_or(Prepared::Nothing, |prepare| {
            let literals: Vec<Option<&Value>> = args
                .iter()
                .map(|arg| match arg {
                    Expr::Literal(value) => Some(value),
                    _ => None,
                })
                .collect();
            prepare(&literals)
        });
        Self { function, args, prepared }
    }
}

impl From<Call> for CallForm {
    fn from(call: Call) -> Self {
        Self { function: call.function.name.to_owned(), args: call.args }
    }
}

impl TryFrom<CallForm> for Call {
    type Error = String;

    fn try_from(form: CallForm) -> Result<Self, String> {
        let function = functions::find(&form.function)
            .ok_or_else(|| format!("this version has no function `{}`", form.function))?;
        Ok(Call::new(function, form.args))
    }
}

/// A compiled condition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Condition {
    /// Any holds.
    Or(Vec<Condition>),
    /// All hold.
    And(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison.
    Compare(Expr, CompareOp, Expr),
    /// A member of a list or set.
    In(Expr, Expr),
    /// Present or blank.
    Presence(Expr, Presence),
    /// A boolean.
    Value(Expr),
}

/// Visits every expression directly below one.
pub(super) fn children<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    match expr {
        Expr::Literal(_) | Expr::Slot(_) | Expr::Let(_) | Expr::Lookup(_) => {}
        Expr::Call(call) => call.args.iter().for_each(visit),
        Expr::Translate { value, .. } => visit(value),
        Expr::Template(parts) => parts.iter().for_each(|part| {
            if let Part::Hole(value) = part {
                visit(value);
            }
        }),
        Expr::Arithmetic(left, _, right) => {
            visit(left);
            visit(right);
        }
        Expr::If(condition, then, otherwise, _) => {
            condition_children(condition, visit);
            visit(then);
            visit(otherwise);
        }
        Expr::List(items) => items.iter().for_each(visit),
        Expr::Condition(condition) => condition_children(condition, visit),
    }
}

/// Visits every expression directly below a condition.
pub(super) fn condition_children<'e>(condition: &'e Condition, visit: &mut dyn FnMut(&'e Expr)) {
    match condition {
        Condition::Or(all) | Condition::And(all) => {
            for one in all {
                condition_children(one, visit);
            }
        }
        Condition::Not(one) => condition_children(one, visit),
        Condition::Compare(left, _, right) | Condition::In(left, right) => {
            visit(left);
            visit(right);
        }
        Condition::Presence(value, _) | Condition::Value(value) => visit(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::find;

    #[test]
    fn patterns_are_compiled_ahead_and_again_after_reading() {
        let args = vec![Expr::Slot(0), Expr::Literal(Value::text("^a+$"))];
        let call = Call::new(find("matches").expect("a function"), args);
        assert!(!matches!(call.prepared, Prepared::Nothing));
        let text = serde_json::to_string(&call).expect("JSON");
        assert!(!text.contains("prepared"), "{text}");
        let again: Call = serde_json::from_str(&text).expect("a call");
        assert_eq!(format!("{:?}", again.prepared), format!("{:?}", call.prepared));
    }

    fn slots(expr: &Expr, seen: &mut Vec<usize>) {
        if let Expr::Slot(index) = expr {
            seen.push(*index);
        }
        children(expr, &mut |child| slots(child, seen));
    }

    #[test]
    fn every_part_of_an_expression_is_visited() {
        let condition = Condition::And(vec![
            Condition::Not(Box::new(Condition::Value(Expr::Slot(0)))),
            Condition::Or(vec![Condition::In(Expr::Slot(1), Expr::List(vec![Expr::Slot(2)]))]),
        ]);
        let expr = Expr::If(
            Box::new(condition),
            Box::new(Expr::Template(vec![Part::Text("a".to_owned()), Part::Hole(Expr::Slot(3))])),
            Box::new(Expr::Arithmetic(Box::new(Expr::Slot(4)), ArithmeticOp::Add, Box::new(Expr::Slot(5)))),
            Location { file: "a.map".to_owned(), line: 1, column: 1 },
        );
        let mut seen = Vec::new();
        slots(&expr, &mut seen);
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    }
}
