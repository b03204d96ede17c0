//! How long text can be, and whether a value of one type goes into another.

use super::{Options, Type, Typed};
use crate::source::Side;

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

/// Salesforce ids have 18 characters. HubSpot's are numbers that its webhooks send as JSON, so at most the 16 digits that
/// JSON's usual readers hold exactly.
fn reference_max(objects: &[crate::source::ObjectName]) -> Option<u32> {
    let max = |object: &crate::source::ObjectName| match object.side {
        crate::source::Side::Salesforce => 18,
        crate::source::Side::Hubspot => 16,
    };
    objects.iter().map(max).max()
}

/// Whether text may be an e-mail address: something at a domain with a point, without a blank. Every CRM wants at least
/// that; one that wants more refuses the rest itself. White space at the ends is no part of it.
pub fn may_be_email(text: &str) -> bool {
    let text = text.trim();
    text.rsplit_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && host.split('.').all(|label| !label.is_empty())
    }) && !text.contains(char::is_whitespace)
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

/// What to write where several options go into a field that holds one.
const ONE_OPTION: &str = "a picklist holds one option: write it without brackets, or `| first`";

fn fits(from: &Type, to: &Type) -> Assign {
    match (from, to) {
        (Type::Error | Type::Nothing, _)
        | (_, Type::Error)
        | (Type::Boolean, Type::Boolean)
        | (Type::Date, Type::Date)
        | (Type::DateTime, Type::DateTime) => Assign::Ok,
        // Text may hold the id of a record, but none that is longer than an id.
        (from @ Type::Text(_), Type::Reference(objects)) => into_text(from, reference_max(objects)),
        (Type::Picklist(_), Type::Picklist(_) | Type::MultiPicklist(_))
        | (Type::MultiPicklist(_), Type::MultiPicklist(_)) => Assign::Options,
        (from, Type::Picklist(_) | Type::MultiPicklist(_)) if is_plain_text(from) => Assign::Options,
        (Type::List(items), Type::MultiPicklist(_)) if is_texty(&items.ty) => Assign::Options,
        (Type::List(from), Type::List(to)) => fits(&from.ty, &to.ty),
        (Type::Reference(from), Type::Reference(to)) => references(from, to),
        (from, Type::Reference(_)) if is_texty(from) => {
            mismatch("write `lookup OBJECT.Id where FIELD = VALUE` to find the record's id")
        }
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
        (Type::List(_) | Type::MultiPicklist(_), Type::Picklist(_)) => mismatch(ONE_OPTION),
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
        Type::Reference(objects) if objects.iter().any(|object| object.side == Side::Salesforce) => {
            return mismatch(
                "an id of Salesforce is never a number: `linked hubspot.OBJECT of FIELD` is that of the record's counterpart",
            );
        }
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

#[cfg(test)]
mod tests {
    use super::{Assign, assignable, may_be_email, text_length, text_max};
    use crate::source::{ObjectName, Side};
    use crate::types::{Options, Type, Typed};

    fn assign(from: Type, to: Type) -> Assign {
        assignable(&Typed::maybe(from), &Typed::maybe(to))
    }

    fn reference(side: Side, name: &str) -> Type {
        Type::Reference(vec![ObjectName::new(side, name)])
    }

    #[test]
    fn lengths_count_utf16() {
        assert_eq!([text_length("abc"), text_length("añ"), text_length("😀"), text_length("")], [3, 2, 2, 0]);
    }

    #[test]
    fn the_longest_text_of_a_type() {
        let options = Options::These(vec!["New".to_owned(), "Working".to_owned()]);
        assert_eq!(text_max(&Type::Picklist(options)), Some(7));
        assert_eq!(text_max(&Type::Decimal(Some((3, 3)))), Some(6));
        assert_eq!(text_max(&Type::DateTime), Some(24));
        assert_eq!(text_max(&reference(Side::Salesforce, "Lead")), Some(18));
        assert_eq!(text_max(&Type::Text(None)), None);
    }

    #[test]
    fn an_address_is_something_at_a_domain() {
        for text in ["jane@acme.example", " jane@acme.example ", "a\"@\"b@c.d", "jörg@müller.example"] {
            assert!(may_be_email(text), "{text}");
        }
        for text in [
            "",
            "Unknown",
            "jane",
            "jane@acme",
            "jane@acme.",
            "@acme.example",
            "jane at acme.example",
            "a@.b",
        ] {
            assert!(!may_be_email(text), "{text}");
        }
    }

    #[test]
    fn text_has_to_fit() {
        assert_eq!(assign(Type::Text(Some(40)), Type::Text(Some(40))), Assign::Ok);
        assert_eq!(
            assign(Type::Text(Some(41)), Type::Text(Some(40))),
            Assign::TooLong { from: Some(41), to: 40 }
        );
        assert_eq!(assign(Type::Text(None), Type::Email(Some(80))), Assign::TooLong { from: None, to: 80 });
        assert_eq!(assign(Type::Text(None), Type::Text(None)), Assign::Ok);
        // The guide's external ID of 18 characters holds a HubSpot id.
        assert_eq!(assign(reference(Side::Hubspot, "contact"), Type::Text(Some(18))), Assign::Ok);
        for from in [
            Type::Integer(Some(3)),
            Type::Boolean,
            Type::Date,
            Type::DateTime,
            Type::MultiPicklist(Options::Open(None)),
        ] {
            assert!(
                matches!(assign(from.clone(), Type::Text(None)), Assign::Mismatch { help: Some(_) }),
                "{from:?}"
            );
        }
    }

    #[test]
    fn numbers_have_to_fit() {
        let decimal = |p, s| Type::Decimal(Some((p, s)));
        assert_eq!(assign(Type::Integer(Some(8)), decimal(18, 2)), Assign::Ok);
        assert_eq!(
            assign(Type::Integer(Some(18)), decimal(18, 2)),
            Assign::NumberTooWide { from: Some(18), to: 16 }
        );
        assert_eq!(assign(decimal(18, 2), decimal(18, 0)), Assign::Fraction { from: Some(2), to: 0 });
        assert_eq!(
            assign(decimal(18, 2), Type::Integer(Some(18))),
            Assign::Fraction { from: Some(2), to: 0 }
        );
        assert_eq!(assign(Type::Decimal(None), decimal(18, 2)), Assign::Fraction { from: None, to: 2 });
        assert_eq!(assign(decimal(18, 2), Type::Decimal(None)), Assign::Ok);
        assert!(matches!(assign(Type::Text(None), decimal(3, 0)), Assign::Mismatch { help: Some(_) }));
    }

    #[test]
    fn days_and_instants_need_a_zone() {
        assert!(matches!(assign(Type::DateTime, Type::Date), Assign::NeedsZone { .. }));
        assert!(matches!(assign(Type::Date, Type::DateTime), Assign::NeedsZone { .. }));
        assert_eq!(assign(Type::Date, Type::Date), Assign::Ok);
        assert!(matches!(assign(Type::Text(None), Type::Date), Assign::Mismatch { help: Some(_) }));
        assert!(matches!(assign(Type::Integer(None), Type::DateTime), Assign::Mismatch { help: Some(_) }));
    }

    #[test]
    fn options_are_left_to_the_checker() {
        let list = || Type::Picklist(Options::Open(None));
        assert_eq!(assign(list(), list()), Assign::Options);
        assert_eq!(assign(Type::Text(Some(3)), list()), Assign::Options);
        assert_eq!(assign(list(), Type::MultiPicklist(Options::Open(None))), Assign::Options);
        assert!(matches!(assign(Type::MultiPicklist(Options::Open(None)), list()), Assign::Mismatch { .. }));
        assert!(matches!(assign(Type::Boolean, list()), Assign::Mismatch { help: Some(_) }));
    }

    #[test]
    fn ids_go_where_their_object_is_taken() {
        let user = || reference(Side::Salesforce, "User");
        let either = Type::Reference(vec![
            ObjectName::new(Side::Salesforce, "Group"),
            ObjectName::new(Side::Salesforce, "User"),
        ]);
        assert_eq!(assign(user(), either), Assign::Ok);
        let Assign::Mismatch { help: Some(help) } =
            assign(reference(Side::Hubspot, "company"), reference(Side::Salesforce, "Account"))
        else {
            panic!("a HubSpot id is no Salesforce id")
        };
        assert!(help.contains("linked salesforce.Account of"), "{help}");
        assert!(matches!(
            assign(user(), reference(Side::Salesforce, "Account")),
            Assign::Mismatch { help: Some(_) }
        ));
    }

    #[test]
    fn what_is_already_wrong_goes_everywhere() {
        assert_eq!(assign(Type::Error, Type::Date), Assign::Ok);
        assert_eq!(assign(Type::Date, Type::Error), Assign::Ok);
        assert_eq!(assign(Type::Nothing, Type::Boolean), Assign::Ok);
    }
}
