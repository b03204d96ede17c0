//! What findings say of types, of blanks and of failures, in the author's words.

use crate::types::{Options, Type};

use super::scope::Scope;
use super::typed::{Condition, ConditionKind, Expr, ExprKind, RecordUse, TemplatePart, TestOp, WithKind};
use crate::types::AssociationKind;

/// The kinds of value that can be compared with one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Boolean,
    Date,
    DateTime,
    List,
}

impl Kind {
    /// The kind of a type; `None` for nothing and for errors.
    pub(super) fn of(ty: &Type) -> Option<Self> {
        Some(match ty {
            Type::Integer(_) | Type::Decimal(_) => Kind::Number,
            Type::Boolean => Kind::Boolean,
            Type::Date => Kind::Date,
            Type::DateTime => Kind::DateTime,
            Type::MultiPicklist(_) | Type::List(_) => Kind::List,
            Type::Nothing | Type::Error => return None,
            _ => Kind::Text,
        })
    }
}

/// Whether a type is text, whatever the text means.
pub(super) fn is_text(ty: &Type) -> bool {
    Kind::of(ty) == Some(Kind::Text)
}

/// A type in a few words.
pub(super) fn kind_of(ty: &Type) -> String {
    match ty {
        Type::Email(_) => "an e-mail address".to_owned(),
        Type::Phone(_) => "a phone number".to_owned(),
        Type::Url(_) => "a web address".to_owned(),
        Type::Integer(_) => "a whole number".to_owned(),
        Type::Picklist(Options::Field(..)) => "an option".to_owned(),
        Type::MultiPicklist(_) => "a set of options".to_owned(),
        Type::Reference(objects) => match objects.as_slice() {
            [object] => format!("the id of a `{object}`"),
            _ => "the id of a record".to_owned(),
        },
        Type::Text(_) | Type::Picklist(_) => "text".to_owned(),
        ty => crate::functions::kind(ty).to_owned(),
    }
}

/// What to write where two kinds are compared.
pub(super) fn compare_help(left: Kind, right: Kind, left_text: &str, right_text: &str) -> Option<String> {
    Some(match (left, right) {
        (Kind::Text, Kind::Number | Kind::Boolean) if is_word(right_text) => {
            format!("write `\"{right_text}\"`")
        }
        (Kind::Boolean, Kind::Text) if matches!(right_text, "\"true\"" | "\"false\"") => {
            format!("write `{}`", right_text.trim_matches('"'))
        }
        (Kind::Boolean, Kind::Text) => "write `true` or `false`".to_owned(),
        (Kind::Number, Kind::Text) if is_quoted_number(right_text) => {
            format!("write `{}`", right_text.trim_matches('"'))
        }
        (Kind::Number, Kind::Text) => {
            "write the number without quotes, or `| number` to read text as a number".to_owned()
        }
        (Kind::Date, Kind::Text) if !is_quoted_date(right_text) => {
            "a day is written `\"2024-09-30\" | date`".to_owned()
        }
        (Kind::DateTime, Kind::Text) if is_quoted_date(right_text) => {
            format!(
                "compare the days, with your time zone: `({left_text} | date(\"America/Phoenix\"))` and `({right_text} | date)`"
            )
        }
        (Kind::Date, Kind::Text) => format!("write `{right_text} | date`"),
        (Kind::DateTime, Kind::Text) => format!("write `{right_text} | datetime`"),
        (Kind::DateTime, Kind::Date) | (Kind::Date, Kind::DateTime) => {
            "make the instant a day with your time zone: `| date(\"America/Phoenix\")`".to_owned()
        }
        (Kind::List, Kind::Text) => format!("write `{right_text} in {left_text}`"),
        _ => return None,
    })
}

fn is_quoted_number(text: &str) -> bool {
    text.starts_with('"') && text.trim_matches('"').parse::<rust_decimal::Decimal>().is_ok()
}

/// `"2024-09-30"`, as far as its form goes.
fn is_quoted_date(text: &str) -> bool {
    let bytes = text.trim_matches('"').as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// A number with its thousands apart: `65,536`.
pub(super) fn count(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many digits.
pub(super) fn digits(count: Option<u32>) -> String {
    match count {
        Some(1) => "1 digit".to_owned(),
        Some(count) => format!("{count} digits"),
        None => "any number of digits".to_owned(),
    }
}

/// The first few of some names, each in back-quotes.
pub(super) fn some(names: &[String]) -> String {
    /// More do not help to find the place.
    const SHOWN: usize = 5;
    let text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        let more = names.len() - SHOWN;
        return format!("{text} and {more} more");
    }
    text
}

/// Whether the values of a test can fail.
pub(super) fn test_can_fail(op: &TestOp) -> bool {
    match op {
        TestOp::Compare(_, value) => value.can_fail,
        TestOp::In(values) => values.iter().any(|value| value.can_fail),
        TestOp::Presence(_) => false,
    }
}

/// Whether judging a condition can fail.
pub(super) fn condition_can_fail(kind: &ConditionKind) -> bool {
    match kind {
        ConditionKind::Or(parts) | ConditionKind::And(parts) => parts.iter().any(|part| part.can_fail),
        ConditionKind::Not(inner) => inner.can_fail,
        ConditionKind::Compare(left, _, right) | ConditionKind::In(left, right) => {
            left.can_fail || right.can_fail
        }
        ConditionKind::Presence(value, _) | ConditionKind::Value(value) => value.can_fail,
    }
}

impl Scope<'_> {
    /// Which expression makes a value blank, said as a path: "`mail` can be blank, because `email` can".
    pub(super) fn why_blank(&self, value: &Expr) -> String {
        self.why_blank_within(value, true)
    }

    /// `follow` goes into a `let`, once: a chain of them can be as long as a file.
    fn why_blank_within(&self, value: &Expr, follow: bool) -> String {
        let text = |value: &Expr| self.world.sources.slice(value.span).to_owned();
        match &value.kind {
            ExprKind::Literal(_) => "it is always blank".to_owned(),
            ExprKind::Field(field) => match field.of {
                RecordUse::Source => format!("`{}` can be blank", field.field),
                RecordUse::With(index) => self.why_absent(index, &field.field),
            },
            ExprKind::Let(index) if follow => self.why_let_blank(*index),
            ExprKind::Let(index) => format!("`{}` can be blank", self.lets[*index].typed.name),
            ExprKind::Call { function, args } if function.takes_blank => {
                let causes: Vec<_> = args.iter().map(text).map(|arg| format!("`{arg}`")).collect();
                format!("{} can all be blank", causes.join(" and "))
            }
            ExprKind::Call { function, args } => match blank_arg(args) {
                Some(arg) => self.why_blank_within(arg, follow),
                None => format!("`{}` can give a blank", function.name),
            },
            ExprKind::Translate { picklist, value, .. } => {
                if value.typed.blank {
                    return self.why_blank_within(value, follow);
                }
                let name = self.world.picklists.get_index(*picklist).map_or("", |(name, _)| *name);
                format!("the picklist `{name}` translates an option to `nothing`")
            }
            ExprKind::Template(parts) => {
                let holes = parts.iter().filter_map(|part| match part {
                    TemplatePart::Hole(hole) if hole.typed.blank => Some(hole),
                    _ => None,
                });
                holes
                    .map(|hole| self.why_blank_within(hole, follow))
                    .next()
                    .unwrap_or_else(|| "a hole can be blank".to_owned())
            }
            ExprKind::Arithmetic(left, _, right) => {
                self.why_blank_within(if left.typed.blank { left } else { right }, follow)
            }
            ExprKind::If(_, then, otherwise) => {
                let (branch, word) = if then.typed.blank { (then, "then") } else { (otherwise, "else") };
                format!("after `{word}`, {}", self.why_blank_within(branch, follow))
            }
            ExprKind::Lookup { object, .. } => format!("perhaps no `{object}` matches"),
            ExprKind::Linked { to, .. } => format!("perhaps there is no `{to}` yet"),
            ExprKind::List(_) | ExprKind::Condition(_) => format!("`{}` can be blank", text(value)),
        }
    }

    /// One step into a `let`: what it reads may be the last of a long chain.
    fn why_let_blank(&self, index: usize) -> String {
        let entry = &self.lets[index].typed;
        let mut cause = &entry.value;
        while let Some(inner) = blank_part(cause) {
            cause = inner;
        }
        match &cause.kind {
            ExprKind::Let(inner) => {
                format!("`{}` can be blank: `{}` can be blank", entry.name, self.lets[*inner].typed.name)
            }
            _ => format!("`{}` can be blank: {}", entry.name, self.why_blank_within(cause, false)),
        }
    }

    fn why_absent(&self, with: usize, field: &str) -> String {
        let with = &self.withs[with].typed;
        let name = &with.name;
        match &with.kind {
            WithKind::Reference { field: property } => {
                format!("`{name}.{field}` is blank when `{property}` names nobody")
            }
            WithKind::Association(AssociationKind::Primary) => {
                format!("`{name}.{field}` is blank when there is no primary `{}`", with.object)
            }
            WithKind::Association(AssociationKind::Labelled(label)) => {
                format!(
                    "`{name}.{field}` is blank when there is no `{}` with the label \"{label}\"",
                    with.object
                )
            }
            WithKind::Association(AssociationKind::Plain) => {
                format!("`{name}.{field}` is blank when there is no `{}`", with.object)
            }
        }
    }

    fn why_let_fails(&self, mut index: usize) -> String {
        loop {
            let mut cause = &self.lets[index].typed.value;
            while let Some(inner) = failing_part(cause) {
                cause = inner;
            }
            match &cause.kind {
                ExprKind::Let(inner) => index = *inner,
                _ => return self.why_fails_within(cause, false).why,
            }
        }
    }

    /// The step of a value that can fail, and why.
    pub(super) fn why_fails(&self, value: &Expr) -> FailingStep {
        self.why_fails_within(value, true)
    }

    /// `follow` goes into a `let`, once, as for blanks.
    fn why_fails_within(&self, value: &Expr, follow: bool) -> FailingStep {
        let mut value = value;
        while let Some(inner) = failing_part(value) {
            value = inner;
        }
        let (step, why) = match &value.kind {
            ExprKind::Let(index) => {
                let why = if follow { self.why_let_fails(*index) } else { "can fail".to_owned() };
                (format!("`{}`", self.lets[*index].typed.name), why)
            }
            ExprKind::Call { function, .. } => {
                let why = function.failure.unwrap_or("a value does not convert");
                (format!("`{}`", function.name), format!("fails when {why}"))
            }
            ExprKind::Translate { picklist, .. } => match self.world.picklists.get_index(*picklist) {
                Some((name, facts)) => {
                    (format!("the picklist `{name}`"), format!("fails for {}", facts.untranslated()))
                }
                None => ("the picklist".to_owned(), "fails for an option without a line".to_owned()),
            },
            ExprKind::Lookup { object, .. } => {
                ("the look-up".to_owned(), format!("fails when several `{object}` match"))
            }
            ExprKind::Linked { to, .. } => {
                ("`linked`".to_owned(), format!("fails when the record is paired with several `{to}`"))
            }
            ExprKind::Arithmetic(..) => {
                ("the division".to_owned(), "fails when the divisor is zero".to_owned())
            }
            ExprKind::If(condition, ..) | ExprKind::Condition(condition) => match failing_value(condition) {
                Some(value) => return self.why_fails_within(value, follow),
                None => ("the condition".to_owned(), "fails when a value does not convert".to_owned()),
            },
            _ => ("this".to_owned(), "fails when a value does not convert".to_owned()),
        };
        let cure = match &value.kind {
            ExprKind::Translate { .. } => Some("end the picklist with `otherwise -> …`"),
            ExprKind::Lookup { .. } => Some("look up by a unique field"),
            _ => None,
        };
        FailingStep { span: value.span, step, why, cure }
    }
}

/// The part that makes a value blank, where a blank goes through.
fn blank_part(value: &Expr) -> Option<&Expr> {
    match &value.kind {
        ExprKind::Call { function, args } if !function.takes_blank => blank_arg(args),
        ExprKind::Translate { value, .. } => Some(&**value).filter(|value| value.typed.blank),
        _ => None,
    }
}

/// The argument that makes a call blank: not a literal behind the first, since `replace("-", "")` removes something.
fn blank_arg(args: &[Expr]) -> Option<&Expr> {
    let is_literal = |arg: &Expr| matches!(arg.kind, ExprKind::Literal(_));
    args.iter()
        .enumerate()
        .find(|(at, arg)| arg.typed.blank && (*at == 0 || !is_literal(arg)))
        .map(|(_, arg)| arg)
}

/// A step that can fail.
pub(super) struct FailingStep {
    pub(super) span: crate::source::Span,
    /// Its name: "`e164`".
    pub(super) step: String,
    /// When: "fails when …".
    pub(super) why: String,
    /// How to make it not fail.
    pub(super) cure: Option<&'static str>,
}

/// The part of a value that fails before the value itself can.
fn failing_part(value: &Expr) -> Option<&Expr> {
    let fails = |value: &&Expr| value.can_fail;
    match &value.kind {
        ExprKind::Call { args, .. } | ExprKind::List(args) => args.iter().find(fails),
        ExprKind::Translate { value, .. } => Some(&**value).filter(fails),
        ExprKind::Template(parts) => parts.iter().find_map(|part| match part {
            TemplatePart::Hole(hole) => Some(hole).filter(fails),
            TemplatePart::Text(_) => None,
        }),
        ExprKind::Arithmetic(left, _, right) => [&**left, &**right].into_iter().find(fails),
        ExprKind::If(_, then, otherwise) => [&**then, &**otherwise].into_iter().find(fails),
        ExprKind::Lookup { tests, .. } => tests.iter().find_map(|test| match &test.op {
            TestOp::Compare(_, value) => Some(value).filter(fails),
            TestOp::In(values) => values.iter().find(fails),
            TestOp::Presence(_) => None,
        }),
        ExprKind::Linked { id, .. } => Some(&**id).filter(fails),
        _ => None,
    }
}

/// The value of a condition that can fail.
pub(super) fn failing_value(condition: &Condition) -> Option<&Expr> {
    match &condition.kind {
        ConditionKind::Or(parts) | ConditionKind::And(parts) => parts.iter().find_map(failing_value),
        ConditionKind::Not(inner) => failing_value(inner),
        ConditionKind::Compare(left, _, right) | ConditionKind::In(left, right) => {
            [left, right].into_iter().find(|value| value.can_fail)
        }
        ConditionKind::Presence(value, _) | ConditionKind::Value(value) => {
            Some(value).filter(|value| value.can_fail)
        }
    }
}
