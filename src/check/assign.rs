//! Whether a value goes into a field: its type, its length, its digits, its options.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Field, FieldType};
use crate::source::{Side, Span};
use crate::syntax::ast;
use crate::types::{Assign, Type, Typed, Value, assignable, text_length, text_max};

use super::builtin::OWNER_PROPERTY;
use super::call::DAY_AND_INSTANT;
use super::mend;
use super::scope::Scope;
use super::typed::{Expr, ExprKind};
use super::words;
use super::world::{Obj, is_picklist};

/// More digits than an exact decimal number has are as good as any number of them.
const MAX_DIGITS: u32 = 28;

/// A field that is written.
pub(super) struct Into<'w, 'a> {
    pub(super) object: &'w Obj<'a>,
    pub(super) field: &'a Field,
    pub(super) typed: &'w Typed,
}

impl<'a> Scope<'a> {
    /// Reports where a value does not go into a field, and says whether it goes. The question of blank is for the rule.
    pub(super) fn check_assign(&self, value: &Expr, into: &Into<'_, 'a>) -> bool {
        let before = self.world.errors();
        self.check_fit(value, into);
        self.world.errors() == before
    }

    fn check_fit(&self, value: &Expr, into: &Into<'_, 'a>) {
        let is_text_field = !matches!(into.typed.ty, Type::Picklist(_) | Type::MultiPicklist(_));
        let from = match self.resolved(&value.typed.ty) {
            // An option is text wherever no options are asked for.
            ty @ Type::Picklist(_) if is_text_field => Type::Text(text_max(&ty)),
            ty => ty,
        };
        let typed = Typed { ty: from, blank: value.typed.blank };
        self.check_owner_value(value, into.object, into.field);
        if self.check_form(value, into) {
            return;
        }
        match assignable(&typed, into.typed) {
            Assign::Ok => {}
            Assign::Options => self.check_into_options(value, into.object, into.field),
            Assign::TooLong { from, to } => self.report_too_long(value, from, to, into.object, into.field),
            Assign::NumberTooWide { from, to } => self.report_too_wide(value, from, to, into),
            Assign::Fraction { from, to } => self.report_fraction(value, from, to, into),
            Assign::NeedsZone { help } => {
                let message = format!(
                    "{} goes into `{}`, which is {}, without a time zone",
                    words::kind_of(&typed.ty),
                    into.field.name,
                    words::kind_of(&into.typed.ty)
                );
                let finding = Diagnostic::error(Code::ZONE_MISSING, value.span, message);
                let help = if self.via.is_some() { DAY_AND_INSTANT.to_owned() } else { help };
                self.report(finding.and(into.field.span, "declared here").help(help));
            }
            Assign::Mismatch { help } => {
                let (is, wanted) = (words::kind_of(&value.typed.ty), words::kind_of(&into.typed.ty));
                let message = format!(
                    "`{}` of `{}` holds {wanted}, and this is {is}",
                    into.field.name, into.object.name
                );
                let finding = Diagnostic::error(Code::TYPE_MISMATCH, value.span, message).label(is);
                let finding = finding.and(into.field.span, format!("holds {wanted}"));
                self.report(finding.help(self.mismatch_help(value, into, help)));
            }
        }
    }

    /// What to write where a value is not of the field's type.
    fn mismatch_help(&self, value: &Expr, into: &Into<'_, 'a>, help: Option<String>) -> String {
        if self.via.is_some() {
            return "a `<->` is of two fields of one type; write a rule with `->` or `<-` for each direction"
                .to_owned();
        }
        let is_id = matches!(value.typed.ty, Type::Reference(_));
        match &into.field.primary_of {
            Some(object) if is_id => {
                let text = self.world.sources.slice(value.span).trim();
                return format!(
                    "a primary association sets it: write `associate primary linked hubspot.{object} of {text}` above `fields`"
                );
            }
            _ => {}
        }
        if into.object.name.side == Side::Hubspot && into.field.name == OWNER_PROPERTY {
            return "an owner of HubSpot is found by the address: `lookup hubspot.owner.id where email = Owner.Email`"
                .to_owned();
        }
        help.unwrap_or_else(|| format!("write {}, or a field that holds it", words::kind_of(&into.typed.ty)))
    }

    /// Reports text that can be too long, with the step that cures it.
    pub(super) fn report_too_long(
        &self,
        value: &Expr,
        from: Option<u32>,
        to: u32,
        object: &Obj<'_>,
        field: &Field,
    ) {
        let holds = format!("holds {} characters", words::count(to));
        let name = format!("`{}` of `{}`", field.name, object.name);
        if let ExprKind::Literal(Value::Text(text)) = &value.kind {
            let length = text_length(text);
            let message = format!("the text has {length} characters, and {name} {holds}");
            let finding = Diagnostic::error(Code::LITERAL_TOO_LONG, value.span, message);
            self.report(finding.and(field.span, holds).help("shorten it"));
            return;
        }
        let can = match from {
            Some(from) => format!("can have {} characters", words::count(from)),
            None => "can be of any length".to_owned(),
        };
        let message = format!("the value {can}, and {name} {holds}");
        let finding =
            Diagnostic::error(Code::TOO_LONG, value.span, message).label(can).and(field.span, holds);
        let side = object.name.side;
        let fitting = || self.with_step(value, side, &format!("fits({to})"));
        if is_picklist(field) {
            let help = format!(
                "translate it with a picklist, or write {} and `otherwise park`: a cut option is no option",
                fitting()
            );
            self.report(finding.help(help));
        } else if let Some(what) = uncuttable(&value.typed.ty, field) {
            let help = format!("{what} must not be cut: write {} and `otherwise park`", fitting());
            self.report(finding.help(help));
        } else if let Some(cut) = self.cut(value, to) {
            let finding = finding.help(cut.help);
            let may = mend::may_be_cut(value, field);
            self.report(if may { finding.fix(cut.span, cut.text) } else { finding });
        } else {
            let help = "these steps cannot be undone behind a `truncate`: write the rule with `->` or `<-`";
            self.report(finding.help(help));
        }
    }

    fn report_too_wide(&self, value: &Expr, from: Option<u32>, to: u32, into: &Into<'_, 'a>) {
        let has = if matches!(value.kind, ExprKind::Literal(_)) { "has" } else { "can have" };
        let can =
            format!("{has} {} before the point", words::digits(from.filter(|from| *from <= MAX_DIGITS)));
        let message =
            format!("the number {can}, and `{}` of `{}` keeps {to}", into.field.name, into.object.name);
        let finding = Diagnostic::error(Code::NUMBER_TOO_WIDE, value.span, message).label(can);
        let finding = finding.and(into.field.span, format!("keeps {to} digits before the point"));
        if matches!(value.kind, ExprKind::Literal(_)) {
            self.report(finding.help("write a number that the field can hold"));
            return;
        }
        let most = "9".repeat(to as usize);
        let help = format!(
            "bound it, {}, or say in the schema snapshot how many digits the property has (`precision`)",
            self.with_step(value, into.object.name.side, &format!("max(-{most}) | min({most})"))
        );
        self.report(finding.help(help));
    }

    fn report_fraction(&self, value: &Expr, from: Option<u32>, to: u32, into: &Into<'_, 'a>) {
        let has = if matches!(value.kind, ExprKind::Literal(_)) { "has" } else { "can have" };
        let can = format!("{has} {} after the point", words::digits(from));
        let keeps =
            format!("keeps {} (scale {to})", if to == 0 { "none".to_owned() } else { to.to_string() });
        let message =
            format!("the number {can}, and `{}` of `{}` {keeps}", into.field.name, into.object.name);
        let finding = Diagnostic::error(Code::NUMBER_TOO_WIDE, value.span, message).label(can);
        let finding = finding.and(into.field.span, keeps);
        self.report(if matches!(value.kind, ExprKind::Literal(_)) {
            finding.help("write a number that the field can hold")
        } else {
            let step = self.with_step(value, into.object.name.side, &format!("round({to})"));
            finding.help(format!("write {step}"))
        });
    }

    /// Whether a literal behind `otherwise` goes into a field; its value. No step can follow it there.
    pub(super) fn check_literal(&self, literal: &ast::Literal, span: Span, into: &Into<'_, 'a>) -> Value {
        let value = super::expr::literal_expr(literal, span);
        if value.typed.ty != Type::Nothing {
            let mark = self.world.mark();
            self.check_assign(&value, into);
            for mut finding in self.world.since(mark) {
                if matches!(finding.code, Code::TYPE_MISMATCH | Code::ZONE_MISSING) {
                    finding.help = Some(literal_help(&value, into));
                }
                self.report(finding);
            }
        }
        match value.kind {
            ExprKind::Literal(value) => value,
            _ => Value::Blank,
        }
    }
}

/// What may stand behind `otherwise` in place of a literal of the wrong type.
fn literal_help(value: &Expr, into: &Into<'_, '_>) -> String {
    let others = "`otherwise keep`, `otherwise nothing` or `otherwise park`";
    match (&value.kind, &into.typed.ty) {
        (ExprKind::Literal(number @ Value::Number(_)), Type::Text(_)) => {
            format!("write `otherwise \"{}\"`, {others}", crate::types::display(number))
        }
        (_, Type::Boolean) => format!("write `otherwise true`, `otherwise false`, {others}"),
        (_, Type::Integer(_) | Type::Decimal(_)) => format!("write a number, {others}"),
        _ => format!("write {others}"),
    }
}

/// What means something else, or nothing, when its end is cut off.
fn uncuttable(ty: &Type, field: &Field) -> Option<&'static str> {
    match (ty, &field.kind) {
        (Type::Email(_), _) | (_, FieldType::Email { .. }) => Some("an e-mail address"),
        (Type::Url(_), _) | (_, FieldType::Url { .. }) => Some("a web address"),
        (Type::Phone(_), _) | (_, FieldType::Phone { .. }) => Some("a phone number"),
        (Type::Reference(_), _) | (_, FieldType::Reference { .. }) => Some("an id"),
        _ if field.external_id || field.unique => Some("what tells records apart"),
        _ => None,
    }
}
