//! Values, conditions and the tests of a `where`.

use pest::iterators::Pair;
use rust_decimal::Decimal;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{
    ArithmeticOp, Call, CompareOp, Condition, ConditionKind, FieldTest, Literal, Presence, Step,
    TemplatePart, TestOp, Value, ValueKind,
};
use crate::syntax::grammar::Rule;
use crate::syntax::{habits, translate};

use super::{Lower, names};

impl Lower<'_> {
    /// Any rule of the grammar that gives a value.
    pub(super) fn value(&mut self, pair: Pair<'_, Rule>) -> Value {
        let pair = innermost(pair, &[Rule::value, Rule::pipe, Rule::sum, Rule::product]);
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            // These hold one of the others.
            Rule::value => return self.only_child(pair, span),
            Rule::sum | Rule::product => return self.arithmetic(pair, span),
            Rule::pipe => return self.pipe(pair),
            Rule::group => return self.group(pair, span),
            Rule::if_value => self.if_value(pair),
            Rule::list => ValueKind::List(self.values(pair)),
            Rule::lookup => self.lookup(pair),
            Rule::linked => {
                let (object, of) = self.linked(pair);
                match (object, of) {
                    (Some(object), Some(of)) => ValueKind::Linked(object, of),
                    _ => ValueKind::Error,
                }
            }
            Rule::template => self.template(pair),
            Rule::call => self.call(pair),
            Rule::path => self.path_value(&pair),
            _ => ValueKind::Literal(self.literal(&pair)),
        };
        Value { kind, span }
    }

    fn only_child(&mut self, pair: Pair<'_, Rule>, span: Span) -> Value {
        match pair.into_inner().next() {
            Some(child) => self.value(child),
            None => Value { kind: ValueKind::Error, span },
        }
    }

    fn values(&mut self, pair: Pair<'_, Rule>) -> Vec<Value> {
        let children = pair.into_inner().filter(|child| child.as_rule() == Rule::value);
        children.map(|child| self.value(child)).collect()
    }

    /// `A op B op C`, from the left.
    fn arithmetic(&mut self, pair: Pair<'_, Rule>, span: Span) -> Value {
        if is_date(pair.as_str()) {
            let finding =
                Diagnostic::error(Code::SYNTAX, span, "this is a sum of numbers, and looks like a date");
            self.findings.push(finding.help(format!("write `\"{}\" | date`", pair.as_str())));
            return Value { kind: ValueKind::Error, span };
        }
        let mut left: Option<Value> = None;
        let mut operator = None;
        for child in pair.into_inner() {
            if matches!(child.as_rule(), Rule::add_op | Rule::multiply_op) {
                let op = match child.as_str() {
                    "+" => ArithmeticOp::Add,
                    "-" => ArithmeticOp::Sub,
                    "*" => ArithmeticOp::Mul,
                    _ => ArithmeticOp::Div,
                };
                operator = Some(Spanned::new(op, self.span(&child)));
                continue;
            }
            let right = self.value(child);
            left = Some(match (left, operator.take()) {
                (Some(left), Some(operator)) => {
                    let span = left.span.to(right.span);
                    Value { kind: ValueKind::Arithmetic(Box::new(left), operator, Box::new(right)), span }
                }
                _ => right,
            });
        }
        left.unwrap_or(Value { kind: ValueKind::Error, span })
    }

    fn pipe(&mut self, pair: Pair<'_, Rule>) -> Value {
        let span = self.span(&pair);
        let mut piped = Value { kind: ValueKind::Error, span };
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::bar => {}
                Rule::step => {
                    if let Some(step) = self.step(child) {
                        let span = piped.span.to(step.span);
                        piped = Value { kind: ValueKind::Pipe(Box::new(piped), step), span };
                    }
                }
                _ => piped = self.value(child),
            }
        }
        piped
    }

    /// `name` or `name(args)`.
    pub(super) fn step(&mut self, pair: Pair<'_, Rule>) -> Option<Step> {
        let span = self.span(&pair);
        let (mut name, mut args) = (None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::args => args = Some(self.values(child)),
                _ => name = Some(self.name(&child)),
            }
        }
        Some(Step { name: name?, args, span })
    }

    fn call(&mut self, pair: Pair<'_, Rule>) -> ValueKind {
        let (mut name, mut args) = (None, Vec::new());
        let (text, mark) = (pair.as_str(), self.findings.mark());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::args => args = self.values(child),
                _ => name = Some(self.name(&child)),
            }
        }
        let Some(name) = name else { return ValueKind::Error };
        if let Some(pattern) = habits::instead_of_function(&name.value) {
            let instead = match translate::call(text) {
                // What is wrong inside is mended with it.
                Some(own) => {
                    self.findings.forget(mark);
                    own
                }
                None => pattern.to_owned(),
            };
            let finding =
                Diagnostic::error(Code::SYNTAX, name.span, format!("`{}` is no function here", name.value));
            self.findings.push(finding.help(format!("write `{instead}`")));
            return ValueKind::Error;
        }
        ValueKind::Call(Call { name, args })
    }

    fn path_value(&mut self, pair: &Pair<'_, Rule>) -> ValueKind {
        if matches!(pair.as_str(), "null" | "NULL" | "Null" | "nil" | "undefined") {
            let span = self.span(pair);
            let finding = Diagnostic::error(Code::SYNTAX, span, format!("there is no `{}`", pair.as_str()));
            let help = "write `nothing` for no value, and ask `is blank` or `is present` in a condition";
            self.findings.push(finding.help(help));
            return ValueKind::Error;
        }
        ValueKind::Path(self.path(pair))
    }

    /// `( CONDITION )`: when it is nothing but a value, that value with the parentheses in its span.
    fn group(&mut self, pair: Pair<'_, Rule>, span: Span) -> Value {
        let Some(inner) = pair.into_inner().find(|child| child.as_rule() == Rule::condition) else {
            return Value { kind: ValueKind::Error, span };
        };
        let condition = self.condition(inner);
        match condition.kind {
            ConditionKind::Value(value) => Value { span, ..value },
            _ => Value { kind: ValueKind::Condition(Box::new(condition)), span },
        }
    }

    fn if_value(&mut self, pair: Pair<'_, Rule>) -> ValueKind {
        let mut condition = None;
        let mut values = Vec::with_capacity(2);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::condition => condition = Some(self.condition(child)),
                Rule::value => values.push(self.value(child)),
                _ => {}
            }
        }
        match (condition, values.pop(), values.pop()) {
            (Some(condition), Some(otherwise), Some(then)) => {
                ValueKind::If(Box::new(condition), Box::new(then), Box::new(otherwise))
            }
            _ => ValueKind::Error,
        }
    }

    fn lookup(&mut self, pair: Pair<'_, Rule>) -> ValueKind {
        let (mut field, mut tests) = (None, Vec::new());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::object_field => field = Some(self.field_ref(&child)),
                Rule::field_tests => tests = self.field_tests(child),
                _ => {}
            }
        }
        field.map_or(ValueKind::Error, |field| ValueKind::Lookup(field, tests))
    }

    fn template(&mut self, pair: Pair<'_, Rule>) -> ValueKind {
        let (mut parts, mut text) = (Vec::new(), String::new());
        for child in pair.into_inner() {
            if child.as_rule() == Rule::hole {
                if !text.is_empty() {
                    parts.push(TemplatePart::Text(std::mem::take(&mut text)));
                }
                let span = self.span(&child);
                parts.push(TemplatePart::Hole(self.only_child(child, span)));
            } else {
                names::push_piece(&mut text, &child);
            }
        }
        if parts.is_empty() {
            return ValueKind::Literal(Literal::Text(text));
        }
        if !text.is_empty() {
            parts.push(TemplatePart::Text(text));
        }
        ValueKind::Template(parts)
    }

    /// `literal`, or one of the rules in it.
    pub(super) fn literal(&mut self, pair: &Pair<'_, Rule>) -> Literal {
        match pair.as_rule() {
            Rule::literal => match pair.clone().into_inner().next() {
                Some(child) => self.literal(&child),
                None => Literal::Nothing,
            },
            Rule::text => Literal::Text(self.text(pair).value),
            Rule::boolean => Literal::Boolean(pair.as_str() == "true"),
            Rule::number => Literal::Number(self.number(pair)),
            _ => Literal::Nothing,
        }
    }

    fn number(&mut self, pair: &Pair<'_, Rule>) -> Decimal {
        Decimal::from_str_exact(pair.as_str()).unwrap_or_else(|_| {
            let finding = Diagnostic::error(
                Code::SYNTAX,
                self.span(pair),
                "this number has more digits than can be kept",
            );
            self.findings
                .push(finding.help("a number has at most 28 digits; write a text if it is an identifier"));
            Decimal::ZERO
        })
    }

    /// A condition at any of its levels.
    pub(super) fn condition(&mut self, pair: Pair<'_, Rule>) -> Condition {
        let pair = innermost(pair, &[Rule::condition, Rule::conjunction, Rule::negation]);
        let span = self.span(&pair);
        let rule = pair.as_rule();
        if rule == Rule::comparison {
            return self.comparison(pair, span);
        }
        let (mut parts, mut nots) = (Vec::new(), Vec::new());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::kw_not => nots.push(self.span(&child)),
                Rule::conjunction | Rule::negation | Rule::comparison => parts.push(self.condition(child)),
                _ => {}
            }
        }
        if parts.len() > 1 {
            let kind =
                if rule == Rule::condition { ConditionKind::Or(parts) } else { ConditionKind::And(parts) };
            return Condition { kind, span };
        }
        let Some(mut condition) = parts.pop() else {
            let value = Value { kind: ValueKind::Error, span };
            return Condition { kind: ConditionKind::Value(value), span };
        };
        for not in nots.into_iter().rev() {
            let span = not.to(condition.span);
            condition = Condition { kind: ConditionKind::Not(Box::new(condition)), span };
        }
        condition
    }

    fn comparison(&mut self, pair: Pair<'_, Rule>, span: Span) -> Condition {
        let mut values = Vec::with_capacity(2);
        let (mut operator, mut presence, mut negated) = (None, None, false);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::compare_op => operator = Some(self.compare_op(&child)),
                Rule::presence => presence = Some(self::presence(&child)),
                Rule::not_in => negated = true,
                Rule::kw_in => {}
                _ => values.push(self.value(child)),
            }
        }
        let kind = match (values.pop(), values.pop(), operator, presence) {
            (Some(right), Some(left), Some(operator), _) => ConditionKind::Compare(left, operator, right),
            (Some(list), Some(value), None, _) => ConditionKind::In { value, list, negated },
            (Some(value), None, _, Some(presence)) => ConditionKind::Presence(value, presence),
            (Some(Value { kind: ValueKind::Condition(inner), .. }), None, None, None) => {
                return Condition { span, ..*inner };
            }
            (Some(value), ..) => ConditionKind::Value(value),
            (None, ..) => ConditionKind::Value(Value { kind: ValueKind::Error, span }),
        };
        Condition { kind, span }
    }

    pub(super) fn compare_op(&self, pair: &Pair<'_, Rule>) -> Spanned<CompareOp> {
        let operator = match pair.as_str() {
            "=" => CompareOp::Eq,
            "!=" => CompareOp::Ne,
            "<" => CompareOp::Lt,
            "<=" => CompareOp::Le,
            ">" => CompareOp::Gt,
            _ => CompareOp::Ge,
        };
        Spanned::new(operator, self.span(pair))
    }

    pub(super) fn field_tests(&mut self, pair: Pair<'_, Rule>) -> Vec<FieldTest> {
        let tests = pair.into_inner().filter(|child| child.as_rule() == Rule::field_test);
        tests.filter_map(|test| self.field_test(test)).collect()
    }

    fn field_test(&mut self, pair: Pair<'_, Rule>) -> Option<FieldTest> {
        let span = self.span(&pair);
        let (mut field, mut operator, mut test) = (None, None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::path => field = Some(self.path(&child)),
                Rule::presence => test = Some(TestOp::Presence(self::presence(&child))),
                Rule::compare_op => operator = Some(self.compare_op(&child)),
                Rule::list => test = Some(TestOp::In(self.values(child))),
                Rule::pipe => {
                    let value = self.value(child);
                    test = operator.take().map(|operator| TestOp::Compare(operator, value));
                }
                _ => {}
            }
        }
        Some(FieldTest { field: field?, test: test?, span })
    }
}

/// Steps through rules that hold nothing but one other: most values use few of the grammar's levels. It keeps the
/// recursion, and with it the stack, small.
fn innermost<'p>(mut pair: Pair<'p, Rule>, levels: &[Rule]) -> Pair<'p, Rule> {
    while levels.contains(&pair.as_rule()) {
        let mut children = pair.clone().into_inner();
        match (children.next(), children.next()) {
            (Some(only), None) => pair = only,
            _ => break,
        }
    }
    pair
}

/// `2024-01-31`, which would be 1992.
fn is_date(text: &str) -> bool {
    let digit = |(index, byte): (usize, u8)| {
        if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
    };
    text.len() == 10 && text.bytes().enumerate().all(digit)
}

fn presence(pair: &Pair<'_, Rule>) -> Presence {
    let blank = pair.clone().into_inner().any(|child| child.as_rule() == Rule::kw_blank);
    if blank { Presence::Blank } else { Presence::Present }
}
