//! Whether a value goes into a field: its type, its length, its digits, its options.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Field, FieldType};
use crate::source::Span;
use crate::syntax::ast;
use crate::types::{Assign, Options, Type, Typed, Value, assignable, text_length, text_max};

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
        self.check_form(value, into);
        self.check_owner_value(value, into.object, into.field);
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
                self.report(match help {
                    _ if self.via.is_some() => {
                        finding.help("a `<->` is of two fields of one type; write a rule with `->` or `<-` for each direction")
                    }
                    Some(help) => finding.help(help),
                    None => finding,
                });
            }
        }
    }

    /// Reports what is certainly no address and no id, whatever its length: a literal, an option, a cut address.
    fn check_form(&self, value: &Expr, into: &Into<'_, 'a>) {
        let (wanted, has_form): (_, fn(&str) -> bool) = match into.typed.ty {
            Type::Email(_) => ("an e-mail address", looks_like_email),
            Type::Reference(_) => ("the id of a record", looks_like_id),
            _ => return,
        };
        for leaf in self.leaves(value) {
            let is = match (&leaf.kind, &leaf.typed.ty) {
                (ExprKind::Literal(Value::Text(text)), _) if !has_form(text) => format!("`{text}` is not"),
                (ExprKind::Literal(_), _) => continue,
                (_, Type::Picklist(Options::Field(..) | Options::These(_))) => "an option is not".to_owned(),
                (ExprKind::Call { function, .. }, _)
                    if function.name == "truncate" && matches!(into.typed.ty, Type::Email(_)) =>
                {
                    "text that was cut is not".to_owned()
                }
                _ => continue,
            };
            let message = format!("`{}` of `{}` holds {wanted}, and {is}", into.field.name, into.object.name);
            let finding = Diagnostic::error(Code::TYPE_MISMATCH, leaf.span, message);
            let help = match into.typed.ty {
                Type::Email(_) => {
                    "write an address; one that is too long needs `fits` and `otherwise`, not `truncate`"
                }
                _ => "write `lookup OBJECT.Id where FIELD = VALUE` to find the record's id",
            };
            self.report(finding.and(into.field.span, format!("holds {wanted}")).help(help));
        }
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
        let more = self.step_more(value);
        if is_picklist(field) {
            let help = format!(
                "translate it with a picklist, or write `{more} fits({to})` and `otherwise park`: a cut option is no option"
            );
            self.report(finding.help(help));
        } else if let Some(what) = uncuttable(&value.typed.ty, field) {
            let help = format!("{what} must not be cut: write `{more} fits({to})` and `otherwise park`");
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
            "bound it, `{} max(-{most}) | min({most})`, or say in the schema snapshot how many digits the property has \
             (`precision`)",
            self.step_more(value)
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
        self.report(match value.kind {
            ExprKind::Literal(_) => finding.help("write a number that the field can hold"),
            _ => finding.help(format!("write `{} round({to})`", self.step_more(value))),
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

/// Something at something, without a blank; every CRM wants at least that.
fn looks_like_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
        && !text.contains(char::is_whitespace)
}

/// Salesforce ids have 15 or 18 letters and digits, HubSpot's are numbers.
fn looks_like_id(text: &str) -> bool {
    let salesforce = matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    salesforce || !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
