//! What the functions share: what an argument has to be when checking, and reading it when calling.

use std::borrow::Cow;

use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::diagnostic::nearest;
use crate::types::{Borrowed, Failure, Type, Value, displayed, quoted, text_max};

use super::{Argument, Prepared, Problem};

/// Wants text and gives its longest length; `None` is unknown.
pub(super) fn wants_text(arguments: &[Argument<'_>], at: usize) -> Result<Option<u32>, Problem> {
    let ty = &arguments[at].typed.ty;
    match ty {
        Type::Nothing => Ok(Some(0)),
        Type::Error => Ok(None),
        _ if is_text(ty) => Ok(text_max(ty)),
        Type::List(_) | Type::MultiPicklist(_) => {
            Err(wanted(at, "text", Some("write `| join(\", \")` to make it text")))
        }
        _ => Err(wanted(at, "text", Some("write `| text` to make it text"))),
    }
}

/// Wants a number.
pub(super) fn wants_number(arguments: &[Argument<'_>], at: usize) -> Result<(), Problem> {
    match &arguments[at].typed.ty {
        Type::Integer(_) | Type::Decimal(_) | Type::Nothing | Type::Error => Ok(()),
        ty if is_text(ty) => {
            Err(wanted(at, "a number", Some("write `| number` to read the text as a number")))
        }
        _ => Err(wanted(at, "a number", None)),
    }
}

/// Whether a type is text, whatever the text means.
pub(super) fn is_text(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Text(_)
            | Type::Email(_)
            | Type::Phone(_)
            | Type::Url(_)
            | Type::Picklist(_)
            | Type::Reference(_)
    )
}

/// The problem of a wrong type.
pub(super) fn wanted(argument: usize, wanted: &str, help: Option<&str>) -> Problem {
    Problem::Type { argument, wanted: wanted.to_owned(), help: help.map(str::to_owned) }
}

/// The problem of a literal that means nothing here.
pub(super) fn meaningless(argument: usize, message: impl Into<String>, help: Option<&str>) -> Problem {
    Problem::Meaning { argument, message: message.into(), help: help.map(str::to_owned) }
}

/// Wants a literal whole number between two bounds.
pub(super) fn wants_literal_integer(
    arguments: &[Argument<'_>],
    at: usize,
    bounds: (u32, u32),
) -> Result<u32, Problem> {
    wants_number(arguments, at)?;
    if arguments[at].typed.ty == Type::Error {
        return Ok(bounds.1);
    }
    let value = arguments[at].literal.ok_or(Problem::Literal { argument: at })?;
    whole(value)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|n| (bounds.0..=bounds.1).contains(n))
        .ok_or_else(|| {
            let message =
                format!("`{}` is not a whole number from {} to {}", displayed(value), bounds.0, bounds.1);
            meaningless(at, message, None)
        })
}

/// Wants literal text that is not empty; `None` where an error was already reported.
pub(super) fn wants_literal_text<'a>(
    arguments: &[Argument<'a>],
    at: usize,
) -> Result<Option<&'a str>, Problem> {
    wants_text(arguments, at)?;
    match arguments[at].literal {
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(meaningless(at, "the text is empty", None)),
        None if arguments[at].typed.ty == Type::Error => Ok(None),
        None => Err(Problem::Literal { argument: at }),
    }
}

/// Wants a time zone by name, as a literal.
pub(super) fn wants_zone(arguments: &[Argument<'_>], at: usize) -> Result<(), Problem> {
    let Some(name) = wants_literal_text(arguments, at)? else { return Ok(()) };
    if name.parse::<Tz>().is_ok() {
        return Ok(());
    }
    let near = nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
    let help = near.map_or_else(
        || {
            "write a name of the IANA time zone database, such as `America/Phoenix` or `Europe/Berlin`"
                .to_owned()
        },
        |near| format!("did you mean `{near}`?"),
    );
    Err(Problem::Meaning {
        argument: at,
        message: format!("there is no time zone `{name}`"),
        help: Some(help),
    })
}

/// The value as a whole number, if it is one.
pub(super) fn whole<T>(value: &Value<T>) -> Option<i64> {
    match value {
        // Decimal's own conversion would look for a fraction first.
        Value::Number(number) if number.scale() == 0 => i64::try_from(number.mantissa()).ok(),
        Value::Number(number) if number.fract().is_zero() => number.to_i64(),
        _ => None,
    }
}

/// The argument's text.
pub(super) fn text<T: AsRef<str>>(values: &[Value<T>], at: usize) -> Result<&str, Failure> {
    match values.get(at) {
        Some(Value::Text(text)) => Ok(text.as_ref()),
        other => Err(unexpected(other, "text")),
    }
}

/// The argument's text, taken out of the arguments, so that a part of it need not be copied.
pub(super) fn take<'a>(values: &mut [Borrowed<'a>], at: usize) -> Result<Cow<'a, str>, Failure> {
    match values.get_mut(at) {
        Some(Value::Text(text)) => Ok(std::mem::take(text)),
        other => Err(unexpected(other.map(|value| &*value), "text")),
    }
}

/// The part of a text that was taken; copied only where the text is no longer the record's or the plan's.
pub(super) fn part(text: Cow<'_, str>, cut: impl Fn(&str) -> &str) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text)),
        Cow::Owned(text) => {
            let part = cut(&text);
            if part.len() == text.len() { Cow::Owned(text) } else { Cow::Owned(part.to_owned()) }
        }
    }
}

/// The argument's number.
pub(super) fn number<T: AsRef<str>>(values: &[Value<T>], at: usize) -> Result<Decimal, Failure> {
    match values.get(at) {
        Some(Value::Number(number)) => Ok(*number),
        other => Err(unexpected(other, "a number")),
    }
}

/// The argument's whole number.
pub(super) fn integer<T: AsRef<str>>(values: &[Value<T>], at: usize) -> Result<i64, Failure> {
    values.get(at).and_then(whole).ok_or_else(|| unexpected(values.get(at), "a whole number"))
}

/// The time zone that was prepared, or that the argument names.
pub(super) fn zone<T: AsRef<str>>(
    values: &[Value<T>],
    at: usize,
    prepared: &Prepared,
) -> Result<Tz, Failure> {
    if let Prepared::Zone(zone) = prepared {
        return Ok(*zone);
    }
    let name = text(values, at)?;
    name.parse().map_err(|_| Failure::new(format!("there is no time zone `{name}`")))
}

/// Prepares the time zone that stands in the last argument.
pub(super) fn prepare_zone(literals: &[Option<&Value>]) -> Prepared {
    match literals.last() {
        Some(Some(Value::Text(name))) => name.parse().map_or(Prepared::Nothing, Prepared::Zone),
        _ => Prepared::Nothing,
    }
}

/// Whether an argument is blank, or there is none at all.
pub(super) fn any_blank<T: AsRef<str>>(values: &[Value<T>]) -> bool {
    values.is_empty() || values.iter().any(Value::is_blank)
}

/// The failure of a value that the checker should not have let through.
pub(super) fn unexpected<T: AsRef<str>>(value: Option<&Value<T>>, wanted: &str) -> Failure {
    let value = value.map_or_else(|| "nothing".to_owned(), shown);
    Failure::new(format!("{value} is not {wanted}"))
}

/// A value in a message: in back-quotes, and cut where it is long.
pub(super) fn shown<T: AsRef<str>>(value: &Value<T>) -> String {
    match value {
        Value::Blank => "blank".to_owned(),
        value => quoted(&displayed(value)),
    }
}
