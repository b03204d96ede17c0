//! Evaluates compiled expressions.

use rust_decimal::Decimal;

use crate::plan::{Call, Condition, Expr, Mapping, Part, Picklist, PicklistElse, Plan};
use crate::syntax::ast::{ArithmeticOp, CompareOp, Presence};
use crate::types::{self, Failure, Raw, Value};

/// What the expressions of one mapping see of one record.
#[derive(Debug)]
pub struct Frame<'f> {
    /// The plan, for picklists.
    pub plan: &'f Plan,
    /// The mapping.
    pub mapping: &'f Mapping,
    /// The raw values, by slot.
    pub slots: &'f [Raw<'f>],
    /// The look-ups made so far; one that was not made is blank.
    pub lookups: &'f [Option<Result<Value, Failure>>],
}

impl Frame<'_> {
    /// The value of an expression.
    pub fn value(&self, expr: &Expr) -> Result<Value, Failure> {
        match expr {
            Expr::Literal(value) => Ok(value.clone()),
            Expr::Slot(index) => self.slot(*index),
            Expr::Let(index) => self.value(&self.mapping.lets[*index]),
            Expr::Lookup(index) => self.lookups.get(*index).cloned().flatten().unwrap_or(Ok(Value::Blank)),
            Expr::Call(call) => self.call(call),
            Expr::Translate { picklist, back, value, .. } => {
                translate(&self.plan.picklists[*picklist], *back, &self.value(value)?)
            }
            Expr::Template(parts) => self.template(parts),
            Expr::Arithmetic(left, op, right) => arithmetic(&self.value(left)?, *op, &self.value(right)?),
            Expr::If(condition, then, otherwise) => {
                self.value(if self.holds(condition)? { then } else { otherwise })
            }
            Expr::List(items) => {
                Ok(Value::List(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?))
            }
            Expr::Condition(condition) => self.holds(condition).map(Value::Boolean),
        }
    }

    /// Whether a condition holds. A comparison with a blank does not; `!=` is exactly `not =`.
    pub fn holds(&self, condition: &Condition) -> Result<bool, Failure> {
        match condition {
            Condition::Or(all) => {
                for one in all {
                    if self.holds(one)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::And(all) => {
                for one in all {
                    if !self.holds(one)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Not(one) => Ok(!self.holds(one)?),
            Condition::Compare(left, op, right) => Ok(compare(&self.value(left)?, *op, &self.value(right)?)),
            Condition::In(value, list) => Ok(member(&self.value(value)?, &self.value(list)?)),
            Condition::Presence(value, presence) => {
                Ok(self.value(value)?.is_blank() == (*presence == Presence::Blank))
            }
            Condition::Value(value) => Ok(self.value(value)? == Value::Boolean(true)),
        }
    }

    fn slot(&self, index: usize) -> Result<Value, Failure> {
        let slot = &self.mapping.slots[index];
        types::read(&self.slots[index], &slot.ty).map_err(|failure| Failure {
            message: format!("`{}` cannot be read: {}", slot.field, failure.message),
            ..failure
        })
    }

    fn call(&self, call: &Call) -> Result<Value, Failure> {
        if call.function.lazy {
            for arg in &call.args {
                let value = self.value(arg)?;
                if !value.is_blank() {
                    return Ok(value);
                }
            }
            return Ok(Value::Blank);
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            let value = self.value(arg)?;
            if args.is_empty() && value.is_blank() && !call.function.takes_blank {
                return Ok(Value::Blank);
            }
            args.push(value);
        }
        (call.function.call)(&args, &call.prepared)
    }

    fn template(&self, parts: &[Part]) -> Result<Value, Failure> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Hole(value) => match self.value(value)? {
                    Value::Blank => return Ok(Value::Blank),
                    value => text.push_str(&types::display(&value)),
                },
            }
        }
        Ok(Value::text(text))
    }
}

fn compare(left: &Value, op: CompareOp, right: &Value) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let blank = left.is_blank() || right.is_blank();
    let order = || if blank { None } else { types::order(left, right) };
    match op {
        CompareOp::Eq => !blank && types::same(left, right),
        CompareOp::Ne => blank || !types::same(left, right),
        CompareOp::Lt => order() == Some(Less),
        CompareOp::Le => matches!(order(), Some(Less | Equal)),
        CompareOp::Gt => order() == Some(Greater),
        CompareOp::Ge => matches!(order(), Some(Greater | Equal)),
    }
}

fn member(value: &Value, list: &Value) -> bool {
    match (value, list) {
        (Value::Blank, _) => false,
        (value, Value::List(items)) => items.iter().any(|item| types::same(value, item)),
        (value, one) => !one.is_blank() && types::same(value, one),
    }
}

/// Exact; blank when a side is blank; an overflow or a division by zero is a failure.
fn arithmetic(left: &Value, op: ArithmeticOp, right: &Value) -> Result<Value, Failure> {
    let (left, right) = match (left, right) {
        (Value::Blank, _) | (_, Value::Blank) => return Ok(Value::Blank),
        (Value::Number(left), Value::Number(right)) => (*left, *right),
        _ => return Err(Failure::new("arithmetic needs numbers on both sides")),
    };
    let (word, result) = match op {
        ArithmeticOp::Add => ("+", left.checked_add(right)),
        ArithmeticOp::Sub => ("-", left.checked_sub(right)),
        ArithmeticOp::Mul => ("*", left.checked_mul(right)),
        ArithmeticOp::Div if right == Decimal::ZERO => {
            return Err(Failure::new(format!("`{left} / 0`: nothing can be divided by zero")));
        }
        ArithmeticOp::Div => ("/", left.checked_div(right)),
    };
    result.map(Value::Number).ok_or_else(|| {
        Failure::new(format!("`{left} {word} {right}` has more digits than a number can have"))
    })
}

fn translate(picklist: &Picklist, back: bool, value: &Value) -> Result<Value, Failure> {
    match value {
        Value::Blank => Ok(Value::Blank),
        Value::List(options) => {
            let mut translated: Vec<Value> = Vec::with_capacity(options.len());
            for option in options {
                let option = translate(picklist, back, option)?;
                if !option.is_blank() && !translated.contains(&option) {
                    translated.push(option);
                }
            }
            Ok(if translated.is_empty() { Value::Blank } else { Value::List(translated) })
        }
        option => translate_one(picklist, back, &types::display(option)),
    }
}

fn translate_one(picklist: &Picklist, back: bool, option: &str) -> Result<Value, Failure> {
    let known = if back {
        picklist.back.get(option).map(|option| Some(option.as_str()))
    } else {
        picklist.forth.get(option).map(|option| option.as_deref())
    };
    let arrow = if back { "<->" } else { "->" };
    let missing = |message: String| {
        Failure::new(message).mend(
            picklist.at.clone(),
            format!("add the line `\"{option}\" {arrow} \"…\"` to `picklist {}`", picklist.name),
        )
    };
    if let Some(known) = known {
        return Ok(known.map_or(Value::Blank, Value::text));
    }
    let untranslated = format!("{} has no translation in `{}`", types::quoted(option), picklist.name);
    match &picklist.otherwise {
        Some(PicklistElse::Option(option)) if !back => Ok(Value::text(option.as_str())),
        Some(PicklistElse::Nothing) if !back => Ok(Value::Blank),
        Some(PicklistElse::Park(Some(reason))) if !back => Err(missing(format!("{reason}: {untranslated}"))),
        _ => Err(missing(untranslated)),
    }
}
