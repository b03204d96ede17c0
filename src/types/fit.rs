//! How long text can be, and whether a value of one type goes into another.

use super::{Options, Type, Typed};

/// The length of a text in UTF-16 code units, as Apex's `String.length()` and JavaScript count it.
///
/// Neither vendor says how a field's limit counts characters outside the basic plane (most emoji). Counting each as
/// two never lets a text through that is too long, whichever way they count.
pub fn text_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The longest text that a value of this type is when written as text; `None` is unknown.
///
/// A picklist whose options stand only in the schema ([`Options::Field`]) is unknown here: whoever has the schema
/// resolves it first.
pub fn text_max(ty: &Type) -> Option<u32> {
    match ty {
        Type::Text(max) | Type::Email(max) | Type::Phone(max) | Type::Url(max) => *max,
        Type::Picklist(options) => match options {
            Options::These(options) => options
                .iter()
                .map(|option| u32::try_from(text_length(option)).unwrap_or(u32::MAX))
                .max()
                .or(Some(0)),
            Options::Open(max) => *max,
            Options::Field(..) => None,
        },
        Type::Reference(objects) => reference_max(objects),
        // A sign; a point and a zero before it.
        Type::Integer(digits) => digits.map(|digits| digits.saturating_add(1)),
        Type::Decimal(size) => size.map(|(precision, _)| precision.saturating_add(3)),
        Type::Boolean => Some(5),
        Type::Date => Some(10),
        // `2024-09-30T12:00:00.123Z`
        Type::DateTime => Some(24),
        Type::Nothing => Some(0),
        Type::MultiPicklist(_) | Type::List(_) | Type::Error => None,
    }
}

/// Salesforce ids have 18 characters; HubSpot's are whole numbers of 64 bits, so at most 19 digits.
fn reference_max(objects: &[crate::source::ObjectName]) -> Option<u32> {
    let max = |object: &crate::source::ObjectName| match object.side {
        crate::source::Side::Salesforce => 18,
        crate::source::Side::Hubspot => 19,
    };
    objects.iter().map(max).max()
}

/// Whether a value goes into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assign {
    /// It goes.
    Ok,
    /// The text can be longer than the field.
    TooLong {
        /// The longest text; `None` is without a known limit.
        from: Option<u32>,
        /// The field's length.
        to: u32,
    },
    /// The number can have more digits than the field.
    NumberTooWide {
        /// Digits before the point that the value can have; `None` is unknown.
        from: Option<u32>,
        /// Digits before the point that the field has.
        to: u32,
    },
    /// The number can have digits after the point, and the field keeps fewer.
    Fraction {
        /// Digits after the point that the value can have; `None` is unknown.
        from: Option<u32>,
        /// Digits after the point that the field has.
        to: u32,
    },
    /// Options go into options: whether each one exists is the checker's to compare, for it has the schema.
    Options,
    /// An instant goes into a calendar date or back: a time zone is needed.
    NeedsZone {
        /// What to write.
        help: String,
    },
    /// The types do not fit.
    Mismatch {
        /// What to write instead, where there is something.
        help: Option<String>,
    },
}

/// Whether a value of type `from` goes into a field of type `to`. The question of blank is the caller's.
pub fn assignable(from: &Typed, to: &Typed) -> Assign {
    fits(&from.ty, &to.ty)
}

fn fits(from: &Type, to: &Type) -> Assign {
    match (from, to) {
        (Type::Error | Type::Nothing, _) | (_, Type::Error) => Assign::Ok,
        (Type::Boolean, Type::Boolean) | (Type::Date, Type::Date) | (Type::DateTime, Type::DateTime) => {
            Assign::Ok
        }
        (Type::Picklist(_), Type::Picklist(_)) | (Type::MultiPicklist(_), Type::MultiPicklist(_)) => {
            Assign::Options
        }
        (Type::Picklist(_), Type::MultiPicklist(_)) => Assign::Options,
        (from, Type::Picklist(_) | Type::MultiPicklist(_)) if is_plain_text(from) => Assign::Options,
        (Type::List(items), Type::MultiPicklist(_)) if is_texty(&items.ty) => Assign::Options,
        (Type::List(from), Type::List(to)) => fits(&from.ty, &to.ty),
        (Type::Reference(from), Type::Reference(to)) => references(from, to),
        (from, Type::Reference(_)) if is_plain_text(from) => Assign::Ok,
        (from, Type::Text(max) | Type::Email(max) | Type::Phone(max) | Type::Url(max)) => {
            into_text(from, *max)
        }
        (from, Type::Integer(digits)) => into_number(from, *digits, Some(0)),
        (from, Type::Decimal(size)) => into_number(
            from,
            size.map(|(precision, scale)| precision.saturating_sub(scale)),
            size.map(|(_, scale)| scale),
        ),
        (Type::DateTime, Type::Date) => {
            Assign::NeedsZone { help: "write `| date(\"America/Phoenix\")` with your time zone".to_owned() }
        }
        (Type::Date, Type::DateTime) => Assign::NeedsZone {
            help: "write `| datetime(\"09:00\", \"America/Phoenix\")` with a time and your time zone"
                .to_owned(),
        },
        (from, Type::Date) if is_texty(from) => mismatch("write `| date` to read the text as a date"),
        (from, Type::DateTime) if is_texty(from) => {
            mismatch("write `| datetime` to read the text as a date and time")
        }
        (Type::Integer(_) | Type::Decimal(_), Type::DateTime) => {
            mismatch("write `| from_epoch_ms` if the number counts milliseconds since 1970")
        }
        (Type::Integer(_) | Type::Decimal(_), Type::Date) => {
            mismatch("write `| from_epoch_ms | date(\"UTC\")` if the number counts milliseconds since 1970")
        }
        (from, Type::Boolean) if is_texty(from) => {
            mismatch("write a condition in brackets: `(FIELD = \"yes\")`")
        }
        (Type::Boolean, Type::Picklist(_)) => {
            mismatch("write `if FIELD then \"Yes\" else \"No\"` with the options")
        }
        _ => Assign::Mismatch { help: None },
    }
}

fn into_text(from: &Type, to: Option<u32>) -> Assign {
    match from {
        from if is_texty(from) => match (text_max(from), to) {
            (_, None) => Assign::Ok,
            (Some(from), Some(to)) if from <= to => Assign::Ok,
            (from, Some(to)) => Assign::TooLong { from, to },
        },
        Type::List(_) | Type::MultiPicklist(_) => mismatch("write `| join(\", \")` to make it text"),
        Type::DateTime => {
            mismatch("write `| format_date(\"yyyy-MM-dd HH:mm\", \"America/Phoenix\")` to make it text")
        }
        Type::Date => mismatch("write `| format_date(\"yyyy-MM-dd\")` to make it text"),
        _ => mismatch("write `| text` to make it text"),
    }
}

fn into_number(from: &Type, whole: Option<u32>, scale: Option<u32>) -> Assign {
    let (from_whole, from_scale) = match from {
        Type::Integer(digits) => (*digits, Some(0)),
        Type::Decimal(size) => (size.map(|(p, s)| p.saturating_sub(s)), size.map(|(_, s)| s)),
        from if is_texty(from) => return mismatch("write `| number` to read the text as a number"),
        Type::Boolean => return mismatch("write `if FIELD then 1 else 0`"),
        Type::DateTime => return mismatch("write `| to_epoch_ms` for milliseconds since 1970"),
        _ => return Assign::Mismatch { help: None },
    };
    if let Some(to) = scale
        && from_scale.is_none_or(|from| from > to)
    {
        return Assign::Fraction { from: from_scale, to };
    }
    if let Some(to) = whole
        && from_whole.is_none_or(|from| from > to)
    {
        return Assign::NumberTooWide { from: from_whole, to };
    }
    Assign::Ok
}

/// An id fits when the field takes every object that it can be of; a list without objects is unknown.
fn references(from: &[crate::source::ObjectName], to: &[crate::source::ObjectName]) -> Assign {
    if from.is_empty() || to.is_empty() || from.iter().any(|object| to.contains(object)) {
        return Assign::Ok;
    }
    let help = match (from, to) {
        ([from, ..], [to, ..]) if from.side != to.side => {
            format!("write `linked {to} of NAME` for the record that is paired with it")
        }
        _ => format!(
            "the field takes the id of {}",
            to.iter().map(|to| format!("`{to}`")).collect::<Vec<_>>().join(" or ")
        ),
    };
    Assign::Mismatch { help: Some(help) }
}

fn mismatch(help: &str) -> Assign {
    Assign::Mismatch { help: Some(help.to_owned()) }
}

/// Text that people typed, so that it may be an option or an id.
fn is_plain_text(ty: &Type) -> bool {
    matches!(ty, Type::Text(_) | Type::Email(_) | Type::Phone(_) | Type::Url(_))
}

fn is_texty(ty: &Type) -> bool {
    is_plain_text(ty) || matches!(ty, Type::Picklist(_) | Type::Reference(_))
}
