//! Types values.

use rust_decimal::Decimal;

use crate::diagnostic::{Code, Diagnostic};
use crate::functions::{Union, unify};
use crate::schema::FieldType;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, ArithmeticOp, ValueKind};
use crate::types::{Options, Type, Typed, Value, text_max};

use super::scope::{Scope, error};
use super::typed::{CompareOp, Expr, ExprKind, TemplatePart, TestOp};
use super::words;
use super::world::Obj;

/// The most digits of an exact decimal number.
const MAX_DIGITS: u32 = 28;

impl Scope<'_> {
    /// Types a value.
    pub(super) fn value(&mut self, value: &ast::Value) -> Expr {
        let span = value.span;
        match &value.kind {
            ValueKind::Literal(literal) => literal_expr(literal, span),
            ValueKind::Template(parts) => self.template(parts, span),
            ValueKind::Path(path) => self.path(path),
            ValueKind::Call(call) => {
                let args = call.args.iter().map(|arg| self.value(arg)).collect();
                self.call(&call.name, args, span)
            }
            ValueKind::Pipe(input, step) => {
                let input = self.value(input);
                self.step(input, step, span)
            }
            ValueKind::Arithmetic(left, op, right) => self.arithmetic(left, op, right, span),
            ValueKind::If(condition, then, otherwise) => self.choice(condition, then, otherwise, span),
            ValueKind::List(items) => self.list(items, span),
            ValueKind::Lookup(field, tests) => self.lookup(field, tests, span),
            ValueKind::Linked(object, of) => self.linked(object, of, span),
            ValueKind::Condition(condition) => {
                let condition = self.condition(condition);
                let can_fail = condition.can_fail;
                let typed = Typed::always(Type::Boolean);
                Expr { kind: ExprKind::Condition(Box::new(condition)), typed, can_fail, span }
            }
            ValueKind::Error => error(span),
        }
    }

    fn template(&mut self, parts: &[ast::TemplatePart], span: Span) -> Expr {
        let mut typed_parts = Vec::with_capacity(parts.len());
        let (mut length, mut blank, mut can_fail, mut is_error) = (Some(0_u32), false, false, false);
        for part in parts {
            let max = match part {
                ast::TemplatePart::Text(text) => {
                    typed_parts.push(TemplatePart::Text(text.clone()));
                    Some(text_len(text))
                }
                ast::TemplatePart::Hole(hole) => {
                    let hole = self.value(hole);
                    if matches!(hole.typed.ty, Type::List(_) | Type::MultiPicklist(_)) {
                        let message = "several values stand in a text";
                        let finding = Diagnostic::error(Code::TYPE_MISMATCH, hole.span, message);
                        self.report(finding.help("write `| join(\", \")` to make one text of them"));
                        is_error = true;
                    }
                    is_error |= hole.typed.ty == Type::Error;
                    blank |= hole.typed.blank;
                    can_fail |= hole.can_fail;
                    let max = text_max(&self.resolved(&hole.typed.ty));
                    typed_parts.push(TemplatePart::Hole(hole));
                    max
                }
            };
            length = length.zip(max).map(|(length, max)| length.saturating_add(max));
        }
        let ty = if is_error { Type::Error } else { Type::Text(length) };
        Expr { kind: ExprKind::Template(typed_parts), typed: Typed { ty, blank }, can_fail, span }
    }

    fn arithmetic(
        &mut self,
        left: &ast::Value,
        op: &Spanned<ArithmeticOp>,
        right: &ast::Value,
        span: Span,
    ) -> Expr {
        if op.value == ArithmeticOp::Add
            && let Some(error) = self.joined_texts(left, right, span)
        {
            return error;
        }
        let (left, right) = (self.value(left), self.value(right));
        let numbers = self.wants_number(&left, op) & self.wants_number(&right, op);
        let is_zero = matches!(&right.kind, ExprKind::Literal(Value::Number(number)) if number.is_zero());
        if op.value == ArithmeticOp::Div && is_zero {
            let message = "a division by zero always fails";
            let finding = Diagnostic::error(Code::ARGUMENT_VALUE, right.span, message);
            self.report(finding.help("divide by another number, or by a field, with `otherwise`"));
        }
        let by_literal = matches!(right.kind, ExprKind::Literal(_));
        let divides = op.value == ArithmeticOp::Div && !by_literal;
        let can_fail = left.can_fail || right.can_fail || divides;
        let blank = left.typed.blank || right.typed.blank;
        // What always fails was reported; what comes of it is not judged again.
        let always_fails = op.value == ArithmeticOp::Div && is_zero;
        let is_error =
            !numbers || always_fails || left.typed.ty == Type::Error || right.typed.ty == Type::Error;
        let ty = if is_error { Type::Error } else { result_type(&left.typed.ty, op.value, &right.typed.ty) };
        let kind = ExprKind::Arithmetic(Box::new(left), op.value, Box::new(right));
        Expr { kind, typed: Typed { ty, blank }, can_fail, span }
    }

    /// `firstname + " " + lastname`: a sum with a literal text in it, or of texts alone, was meant to join them.
    fn joined_texts(&mut self, left: &ast::Value, right: &ast::Value, span: Span) -> Option<Expr> {
        let mut parts = vec![right];
        let mut first = left;
        while let ValueKind::Arithmetic(left, op, right) = &first.kind {
            if op.value != ArithmeticOp::Add {
                break;
            }
            parts.push(right.as_ref());
            first = left.as_ref();
        }
        parts.push(first);
        parts.reverse();
        let is_text = |part: &&ast::Value| {
            matches!(part.kind, ValueKind::Literal(ast::Literal::Text(_)) | ValueKind::Template(_))
        };
        let has_text = parts.iter().any(is_text);
        // Only names are typed to find that out: what is typed twice at every level would take for ever.
        if !has_text && !parts.iter().all(|part| matches!(part.kind, ValueKind::Path(_))) {
            return None;
        }
        let mark = self.world.mark();
        let typed: Vec<_> = parts.iter().map(|part| self.value(part)).collect();
        if !has_text && !typed.iter().all(|part| words::is_text(&part.typed.ty)) {
            self.world.since(mark);
            return None;
        }
        let template: String = parts
            .iter()
            .map(|part| {
                let text = self.world.sources.slice(part.span).trim();
                match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).filter(|_| is_text(part))
                {
                    Some(inner) => inner.to_owned(),
                    None => format!("{{{text}}}"),
                }
            })
            .collect();
        let finding =
            Diagnostic::error(Code::TYPE_MISMATCH, span, "`+` computes with numbers, and this joins texts");
        self.report(finding.help(format!("write `\"{template}\"`")));
        Some(error(span))
    }

    fn wants_number(&self, side: &Expr, op: &Spanned<ArithmeticOp>) -> bool {
        let ty = &side.typed.ty;
        let fits = matches!(ty, Type::Integer(_) | Type::Decimal(_) | Type::Nothing | Type::Error);
        if !fits {
            let sign = self.world.sources.slice(op.span);
            let message = format!("`{sign}` computes with numbers, and this is {}", words::kind_of(ty));
            let mut finding = Diagnostic::error(Code::TYPE_MISMATCH, side.span, message);
            if words::is_text(ty) {
                finding = finding.help(
                    "write `(VALUE | number)` to read text as a number, or `\"{A} {B}\"` to join texts",
                );
            }
            self.report(finding);
        }
        fits
    }

    fn choice(
        &mut self,
        condition: &ast::Condition,
        then: &ast::Value,
        otherwise: &ast::Value,
        span: Span,
    ) -> Expr {
        let condition = self.condition(condition);
        self.check_branch_reached(&condition, then.span, otherwise.span);
        let known = self.known();
        self.learn(self.proves(&condition, true));
        let then = self.value(then);
        self.forget(known);
        self.learn(self.proves(&condition, false));
        let otherwise = self.value(otherwise);
        self.forget(known);
        let ty = self.one_of(&then, &otherwise);
        let typed = Typed { ty, blank: then.typed.blank || otherwise.typed.blank };
        let can_fail = condition.can_fail || then.can_fail || otherwise.can_fail;
        let kind = ExprKind::If(Box::new(condition), Box::new(then), Box::new(otherwise));
        Expr { kind, typed, can_fail, span }
    }

    /// The type of a value that is one or the other; reported at the second where they do not go together.
    fn one_of(&self, first: &Expr, second: &Expr) -> Type {
        let (a, b) = (self.resolved(&first.typed.ty), self.resolved(&second.typed.ty));
        unify(&a, &b).unwrap_or_else(|| {
            let (first_kind, second_kind) = (words::kind_of(&a), words::kind_of(&b));
            let message = format!("this is {second_kind}, and the value before it is {first_kind}");
            let finding = Diagnostic::error(Code::TYPE_MISMATCH, second.span, message);
            let finding = finding.and(first.span, first_kind.clone());
            self.report(finding.help(format!("make both {first_kind}")));
            Type::Error
        })
    }

    fn list(&mut self, items: &[ast::Value], span: Span) -> Expr {
        let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
        let mut union = Union::new();
        for (at, item) in items.iter().enumerate() {
            if !union.add(&self.resolved(&item.typed.ty)) {
                union = Union::new();
                union.add(&self.one_of(&items[at.saturating_sub(1)], item));
            }
        }
        let ty = union.into_type();
        let can_fail = items.iter().any(|item| item.can_fail);
        let element = Typed { blank: items.iter().any(|item| item.typed.blank), ty };
        let blank = items.is_empty();
        let typed = Typed { ty: Type::List(Box::new(element)), blank };
        Expr { kind: ExprKind::List(items), typed, can_fail, span }
    }

    fn lookup(&mut self, field: &ast::FieldRef, tests: &[ast::FieldTest], span: Span) -> Expr {
        let Some(object) = self.world.object(&field.object) else {
            for test in tests {
                self.test_values(test);
            }
            return error(span);
        };
        let help = "look up the record on whose timeline it stands";
        self.world.report_event(&object, field.object.span, "HubSpot cannot search them", help);
        let resolved = self.resolve(&object, std::slice::from_ref(&field.field));
        let tests = self.field_tests(&object, tests);
        self.check_search(&object, &tests, 0);
        self.check_owner_look_up(&object, &tests);
        let Some((typed, name)) = resolved else { return error(span) };
        // One record at most has a value of a unique field.
        let is_single = tests.iter().any(|test| {
            matches!(test.op, TestOp::Compare(CompareOp::Eq, _)) && is_unique(&object, &test.field)
        });
        let can_fail = !is_single || tests.iter().any(|test| words::test_can_fail(&test.op));
        let kind = ExprKind::Lookup { object: object.name, field: name, tests };
        Expr { kind, typed: Typed::maybe(typed.ty), can_fail, span }
    }

    /// A type whose options are known one by one, as functions want it: a picklist of the schema becomes its options, or
    /// open text where the CRM accepts others.
    pub(super) fn resolved(&self, ty: &Type) -> Type {
        let options = |object: &crate::source::ObjectName, field: &str| {
            let object = self.world.object_named(object.side, &object.name)?;
            let field = object.field(field)?;
            let max = match field.kind {
                FieldType::Picklist { max, .. } => Some(max),
                _ => None,
            };
            Some(if super::world::is_closed(field) {
                Options::These(field.options.iter().map(|option| option.value.clone()).collect())
            } else {
                Options::Open(max)
            })
        };
        match ty {
            Type::Picklist(Options::Field(object, field)) => {
                Type::Picklist(options(object, field).unwrap_or(Options::Open(None)))
            }
            Type::MultiPicklist(Options::Field(object, field)) => {
                Type::MultiPicklist(options(object, field).unwrap_or(Options::Open(None)))
            }
            ty => ty.clone(),
        }
    }
}

/// Whether at most one record has a value of this field.
pub(super) fn is_unique(object: &Obj<'_>, field: &str) -> bool {
    object.is_record_id(field)
        || object.field(field).is_some_and(|field| field.unique || field.kind == FieldType::Id)
}

/// A literal with its type. A text is typed as the one option that it is, so that its spelling can be compared with a
/// picklist's and its length is known.
pub(super) fn literal_expr(literal: &ast::Literal, span: Span) -> Expr {
    let (value, typed) = literal_value(literal);
    Expr { kind: ExprKind::Literal(value), typed, can_fail: false, span }
}

/// A literal's value and type.
pub(super) fn literal_value(literal: &ast::Literal) -> (Value, Typed) {
    match literal {
        ast::Literal::Text(text) if text.is_empty() => (Value::Blank, Typed::maybe(Type::Nothing)),
        ast::Literal::Text(text) => {
            let ty = Type::Picklist(Options::These(vec![text.clone()]));
            (Value::Text(text.clone()), Typed::always(ty))
        }
        ast::Literal::Number(number) => (Value::Number(*number), Typed::always(number_type(*number))),
        ast::Literal::Boolean(boolean) => (Value::Boolean(*boolean), Typed::always(Type::Boolean)),
        ast::Literal::Nothing => (Value::Blank, Typed::maybe(Type::Nothing)),
    }
}

fn number_type(number: Decimal) -> Type {
    let number = number.normalize();
    let scale = number.scale();
    let digits = number.mantissa().unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
    if scale == 0 { Type::Integer(Some(digits)) } else { Type::Decimal(Some((digits.max(scale), scale))) }
}

/// The digits of a sum, difference, product or quotient; unknown where there can be more than are kept.
fn result_type(left: &Type, op: ArithmeticOp, right: &Type) -> Type {
    let size = |ty: &Type| match ty {
        Type::Integer(digits) => digits.map(|digits| (digits, 0)),
        Type::Decimal(size) => *size,
        _ => Some((1, 0)),
    };
    let whole_numbers = !matches!(left, Type::Decimal(_)) && !matches!(right, Type::Decimal(_));
    let sizes = size(left).zip(size(right));
    let result = sizes.and_then(|((lp, ls), (rp, rs))| match op {
        ArithmeticOp::Add | ArithmeticOp::Sub => {
            let whole = lp.saturating_sub(ls).max(rp.saturating_sub(rs)).saturating_add(1);
            let scale = ls.max(rs);
            Some((whole.saturating_add(scale), scale))
        }
        ArithmeticOp::Mul => Some((lp.saturating_add(rp), ls.saturating_add(rs))),
        ArithmeticOp::Div => None,
    });
    let kept = result.filter(|(digits, _)| *digits <= MAX_DIGITS);
    if whole_numbers && op != ArithmeticOp::Div {
        return Type::Integer(kept.map(|(digits, _)| digits));
    }
    Type::Decimal(kept)
}

fn text_len(text: &str) -> u32 {
    u32::try_from(crate::types::text_length(text)).unwrap_or(u32::MAX)
}
