//! The values that tests give and expect: a literal as its field would hold it.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Field;
use crate::source::Span;
use crate::syntax::ast::Literal;
use crate::types::{
    Assign, Options, Raw, Type, Typed, Value, assignable, display, read, text_length, text_max,
};

use super::expr::{literal_expr, literal_value};
use super::options::{inactive_option, unknown_option};
use super::scope::Scope;
use super::words;
use super::world::{Obj, World, is_closed};

/// What a field of a given record holds; `None` when it cannot hold that, which was reported. An option that is no longer
/// active may be there.
pub(super) fn given<'a>(
    world: &'a World<'a>,
    object: &Obj<'a>,
    field: &'a Field,
    literal: &Literal,
    span: Span,
) -> Option<Value> {
    value(&Entry { world, object, field, span, active: false }, literal)
}

/// What a field of an expected record holds. A new record (`creates`) can only have options that are active.
pub(super) fn expected<'a>(
    world: &'a World<'a>,
    object: &Obj<'a>,
    field: &'a Field,
    literal: &Literal,
    span: Span,
    creates: bool,
) -> Option<Value> {
    value(&Entry { world, object, field, span, active: creates }, literal)
}

/// A record's id: text, or a number as HubSpot's webhooks send it.
pub(super) fn id(world: &World<'_>, literal: &Literal, span: Span) -> Option<String> {
    match literal_value(literal).0 {
        Value::Text(id) => Some(id),
        number @ Value::Number(_) => Some(display(&number)),
        _ => {
            let finding = Diagnostic::error(Code::TYPE_MISMATCH, span, "an id is a text");
            world.report(finding.help("write it in quotes, or leave it out: the record gets one"));
            None
        }
    }
}

/// A field of a record in a test.
struct Entry<'e, 'a> {
    world: &'a World<'a>,
    object: &'e Obj<'a>,
    field: &'a Field,
    span: Span,
    /// Whether an option must be active.
    active: bool,
}

fn value(entry: &Entry<'_, '_>, literal: &Literal) -> Option<Value> {
    let Some(typed) = Type::of(entry.field, &entry.object.name) else {
        let message = format!(
            "`{}` of `{}` is of a kind that a mapping can neither read nor write",
            entry.field.name, entry.object.name
        );
        let finding = Diagnostic::error(Code::TYPE_MISMATCH, entry.span, message);
        entry.world.report(finding.and(entry.field.span, "declared here").help("leave it out"));
        return None;
    };
    match (literal_value(literal).0, &typed.ty) {
        (Value::Blank, _) => Some(Value::Blank),
        (Value::Text(text), Type::Picklist(_)) => entry.check_option(&text).then_some(Value::Text(text)),
        (Value::Text(text), Type::MultiPicklist(_)) => {
            let value = read(&Raw::Text(text.into()), &typed.ty).ok()?;
            let Value::List(options) = &value else { return Some(value) };
            let known = options.iter().filter(|option| entry.check_option(&display(option))).count();
            (known == options.len()).then_some(value)
        }
        (Value::Text(text), Type::Reference(_)) => Some(Value::Text(text)),
        // HubSpot sends everything as text, and milliseconds where a day or an instant is meant.
        (value @ (Value::Text(_) | Value::Number(_)), Type::Date | Type::DateTime)
        | (value @ Value::Text(_), Type::Integer(_) | Type::Decimal(_) | Type::Boolean) => {
            entry.read(&display(&value), &typed.ty)
        }
        (Value::Text(text), ty) => entry.check_length(&text, ty, literal).then_some(Value::Text(text)),
        (value @ Value::Number(_), Type::Integer(_) | Type::Decimal(_)) => {
            entry.check_size(literal, &typed).then_some(value)
        }
        (value @ Value::Boolean(_), Type::Boolean) => Some(value),
        (value, ty) => {
            entry.report_mismatch(&value, ty);
            None
        }
    }
}

impl Entry<'_, '_> {
    /// Whether the field can hold an option: one that the snapshot lists, where the CRM refuses all others.
    fn check_option(&self, option: &str) -> bool {
        if !is_closed(self.field) {
            return true;
        }
        let finding = match self.field.options.iter().find(|known| known.value == option) {
            None => unknown_option(self.world, self.object, self.field, option, self.span),
            Some(known) if self.active && !known.active => {
                inactive_option(self.object, self.field, known, self.span)
            }
            Some(_) => return true,
        };
        self.world.report(finding);
        false
    }

    fn read(&self, text: &str, ty: &Type) -> Option<Value> {
        let failure = match read(&Raw::Text(text.into()), ty) {
            Ok(value) => return Some(value),
            Err(failure) => failure,
        };
        let finding = Diagnostic::error(Code::TYPE_MISMATCH, self.span, failure.message);
        let wanted = words::kind_of(ty);
        let help = match ty {
            Type::Boolean => "write `true` or `false`".to_owned(),
            Type::Date => "write a day, such as `\"2024-09-30\"`".to_owned(),
            Type::DateTime => "write an instant, such as `\"2024-09-30T12:00:00Z\"`".to_owned(),
            _ => format!("write {wanted}"),
        };
        self.world.report(finding.and(self.field.span, format!("holds {wanted}")).help(help));
        None
    }

    /// Whether the field can hold a text of this length. Whether it is an address is not asked: records hold all sorts of
    /// things, and what a mapping makes of them is what tests are for.
    fn check_length(&self, text: &str, ty: &Type, literal: &Literal) -> bool {
        let length = u32::try_from(text_length(text)).unwrap_or(u32::MAX);
        match text_max(ty) {
            Some(max) if length > max => {
                let value = literal_expr(literal, self.span);
                let scope = Scope::new(self.world, None);
                scope.report_too_long(&value, Some(length), max, self.object, self.field);
                false
            }
            _ => true,
        }
    }

    fn check_size(&self, literal: &Literal, typed: &Typed) -> bool {
        let (_, from) = literal_value(literal);
        let name = format!("`{}` of `{}`", self.field.name, self.object.name);
        let message = match assignable(&from, typed) {
            Assign::Ok => return true,
            Assign::Fraction { from, to } => {
                let keeps = if to == 0 { "none".to_owned() } else { to.to_string() };
                let has = words::digits(from);
                format!("the number has {has} after the point, and {name} keeps {keeps} (scale {to})")
            }
            Assign::NumberTooWide { from, to } => {
                format!("the number has {} before the point, and {name} keeps {to}", words::digits(from))
            }
            _ => format!("{name} does not keep all digits of this number"),
        };
        let finding = Diagnostic::error(Code::NUMBER_TOO_WIDE, self.span, message);
        let finding = finding.and(self.field.span, "declared here");
        self.world.report(finding.help("write a number that the field can hold"));
        false
    }

    fn report_mismatch(&self, value: &Value, ty: &Type) {
        let is = match value {
            Value::Number(_) => words::kind_of(&Type::Decimal(None)),
            _ => words::kind_of(&Type::Boolean),
        };
        let wanted = words::kind_of(ty);
        let message =
            format!("`{}` of `{}` holds {wanted}, and this is {is}", self.field.name, self.object.name);
        let finding = Diagnostic::error(Code::TYPE_MISMATCH, self.span, message).label(is);
        let finding = finding.and(self.field.span, format!("holds {wanted}"));
        let texty =
            assignable(&Typed::always(Type::Picklist(Options::Open(None))), &Typed::always(ty.clone()));
        let help = match ty {
            Type::Boolean => "write `true` or `false`".to_owned(),
            _ if matches!(texty, Assign::Mismatch { .. }) => format!("write {wanted}"),
            _ => format!("write it in quotes: `\"{}\"`", display(value)),
        };
        self.world.report(finding.help(help));
    }
}
