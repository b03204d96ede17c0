//! Reading what the CRMs send into typed values.
//!
//! What does not parse is a [`Failure`] that names the value and the form that was expected; it is never a blank. Null,
//! a field that is not there and the empty text are blank; white space is not.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Utc};
use rust_decimal::Decimal;

use crate::schema::{Field, FieldType};
use crate::source::ObjectName;

use super::{Borrowed, Failure, Options, Type, Typed, Value};

/// A value as a CRM sent it. HubSpot sends text or null; Salesforce sends JSON values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw<'a> {
    /// The field is not there.
    Missing,
    /// Null.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// A number, with the digits that were sent.
    Number(&'a str),
    /// True or false.
    Boolean(bool),
    /// An object or an array.
    Other,
}

impl<'a> From<&'a serde_json::Value> for Raw<'a> {
    fn from(json: &'a serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Raw::Null,
            serde_json::Value::Bool(boolean) => Raw::Boolean(*boolean),
            serde_json::Value::Number(number) => Raw::Number(number.as_str()),
            serde_json::Value::String(text) => Raw::Text(Cow::Borrowed(text)),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => Raw::Other,
        }
    }
}

impl<'a> From<Option<&'a serde_json::Value>> for Raw<'a> {
    fn from(json: Option<&'a serde_json::Value>) -> Self {
        json.map_or(Raw::Missing, Raw::from)
    }
}

impl Type {
    /// The type of a field of an object; `None` for what a mapping can neither read nor write (a compound address, a
    /// file, a time of day).
    ///
    /// A picklist names its field, restricted or not, so that whoever has the schema can compare options; a list that
    /// is kept elsewhere (owners, pipelines) or has no options is open.
    pub fn of(field: &Field, object: &ObjectName) -> Option<Typed> {
        let options = |max: Option<u32>| {
            if field.external_options || field.options.is_empty() {
                Options::Open(max)
            } else {
                Options::Field(object.clone(), field.name.clone())
            }
        };
        let ty = match &field.kind {
            FieldType::Text { max } => Type::Text(Some(*max)),
            FieldType::Integer { digits } => Type::Integer(Some(*digits)),
            FieldType::Decimal { precision, scale } => Type::Decimal(Some((*precision, *scale))),
            FieldType::Boolean => Type::Boolean,
            FieldType::Date => Type::Date,
            FieldType::DateTime => Type::DateTime,
            FieldType::Picklist { max, .. } => Type::Picklist(options(Some(*max))),
            FieldType::MultiPicklist { .. } => Type::MultiPicklist(options(None)),
            FieldType::Email { max } => Type::Email(Some(*max)),
            FieldType::Phone { max } => Type::Phone(Some(*max)),
            FieldType::Url { max } => Type::Url(Some(*max)),
            FieldType::Reference { to } => {
                Type::Reference(to.iter().map(|name| ObjectName::new(object.side, name)).collect())
            }
            FieldType::Id => return Some(Typed::always(Type::Reference(vec![object.clone()]))),
            FieldType::Time | FieldType::Other(_) => return None,
        };
        Some(Typed { ty, blank: field.nillable })
    }
}

/// Reads a raw value of a field of this type.
pub fn read(raw: &Raw<'_>, ty: &Type) -> Result<Value, Failure> {
    read_borrowed(raw, ty).map(Value::into_owned)
}

/// Reads a raw value of a field of this type without copying its text.
#[inline]
pub fn read_borrowed<'r>(raw: &'r Raw<'_>, ty: &Type) -> Result<Borrowed<'r>, Failure> {
    match (raw, ty) {
        (Raw::Missing | Raw::Null, _) => Ok(Value::Blank),
        // Most fields, and nothing to be done.
        (
            Raw::Text(text),
            Type::Text(_)
            | Type::Email(_)
            | Type::Phone(_)
            | Type::Url(_)
            | Type::Picklist(_)
            | Type::Reference(_),
        ) => Ok(read_text(text.as_ref())),
        _ => read_converted(raw, ty),
    }
}

/// A text as a field holds it. White space alone is blank: Salesforce drops it, so it must not pass for a value on the way there.
#[inline]
fn read_text(text: &str) -> Borrowed<'_> {
    // Nearly every text begins with a letter or a digit.
    let begins = text.as_bytes().first().is_some_and(u8::is_ascii_graphic);
    if begins || !text.trim().is_empty() { Value::Text(Cow::Borrowed(text)) } else { Value::Blank }
}

fn read_converted<'r>(raw: &'r Raw<'_>, ty: &Type) -> Result<Borrowed<'r>, Failure> {
    let text = match raw {
        Raw::Missing | Raw::Null => return Ok(Value::Blank),
        Raw::Boolean(boolean) => return read_boolean(*boolean, ty),
        Raw::Other => return Err(Failure::new("an object or a list came where one value was expected")),
        Raw::Number(number) => number,
        Raw::Text(text) => text.as_ref(),
    };
    if text.is_empty() {
        return Ok(Value::Blank);
    }
    match ty {
        Type::Integer(_) => whole_number(text).map(Value::Number),
        Type::Decimal(_) => parse_number(text).map(Value::Number),
        Type::Boolean => match text {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(unreadable(text, "`true` or `false`")),
        },
        Type::Date => read_date(text).map(Value::Date),
        Type::DateTime => read_instant(text).map(Value::DateTime),
        Type::MultiPicklist(_) | Type::List(_) => Ok(read_options(text)),
        Type::Nothing => Ok(Value::Blank),
        Type::Error if matches!(raw, Raw::Number(_)) => parse_number(text).map(Value::Number),
        _ => Ok(Value::text(text)),
    }
}

fn read_boolean<'r>(boolean: bool, ty: &Type) -> Result<Borrowed<'r>, Failure> {
    match ty {
        Type::Boolean | Type::Error => Ok(Value::Boolean(boolean)),
        Type::Nothing => Ok(Value::Blank),
        Type::Integer(_) | Type::Decimal(_) => Err(unreadable(&boolean.to_string(), "a number")),
        Type::Date => Err(unreadable(&boolean.to_string(), "a date")),
        Type::DateTime => Err(unreadable(&boolean.to_string(), "a date and time")),
        Type::MultiPicklist(_) | Type::List(_) => Ok(Value::List(vec![Value::text(boolean.to_string())])),
        _ => Ok(Value::text(boolean.to_string())),
    }
}

/// Both vendors send a multi-select as `a;b`; HubSpot's can begin with the `;` that appends.
fn read_options(text: &str) -> Borrowed<'_> {
    let mut options: Vec<Borrowed<'_>> = Vec::new();
    for option in text.split(';').filter(|option| !option.is_empty()) {
        let option = Value::text(option);
        if !options.contains(&option) {
            options.push(option);
        }
    }
    if options.is_empty() { Value::Blank } else { Value::List(options) }
}

fn whole_number(text: &str) -> Result<Decimal, Failure> {
    let number = parse_number(text)?;
    if number.fract().is_zero() { Ok(number.trunc()) } else { Err(unreadable(text, "a whole number")) }
}

/// Reads a number: `87`, `-12.50`, `1.0E7` (HubSpot sends large ones so). At most 28 digits, and never rounded.
pub fn parse_number(text: &str) -> Result<Decimal, Failure> {
    if let Some(number) = short_digits(text.as_bytes()) {
        return Ok(Decimal::from(number));
    }
    if let Some(number) = short_fraction(text) {
        return Ok(number);
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let plain = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !digits(whole) || !digits(fraction) || !digits(exponent_digits) {
        return Err(unreadable(text, "a number such as `1234.5`"));
    }
    let mantissa = Decimal::from_str_exact(mantissa).ok();
    let exponent = exponent.parse::<i32>().ok();
    let number =
        mantissa.zip(exponent).and_then(|(mantissa, exponent)| shift(mantissa.normalize(), exponent));
    number.ok_or_else(|| unreadable(text, "a number of at most 28 digits"))
}

/// The number of these digits, where there are some and few enough for 64 bits, whatever they are.
fn short_digits(text: &[u8]) -> Option<i64> {
    const SHORT: usize = 18;
    let mut number = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // What is too long wraps around and is refused below.
        number = i64::wrapping_add(i64::wrapping_mul(number, 10), i64::from(digit));
    }
    (1..=SHORT).contains(&text.len()).then_some(number)
}

/// A short number with a fraction and nothing else: `12.50`.
fn short_fraction(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.')?;
    let (fraction, zeros) = (fraction.trim_end_matches('0'), fraction.ends_with('0'));
    let number = short_digits(whole.as_bytes())?;
    if fraction.is_empty() {
        return zeros.then(|| Decimal::from(number));
    }
    let (places, fraction) = (u32::try_from(fraction.len()).ok()?, short_digits(fraction.as_bytes())?);
    let digits = number.checked_mul(10_i64.checked_pow(places)?)?.checked_add(fraction)?;
    Decimal::try_new(digits, places).ok()
}

/// A number times a power of ten, where the result is exact.
fn shift(mantissa: Decimal, exponent: i32) -> Option<Decimal> {
    let scale = i32::try_from(mantissa.scale()).ok()?.checked_sub(exponent)?;
    if mantissa.is_zero() {
        return Some(Decimal::ZERO);
    }
    let mut number = mantissa;
    if let Ok(scale) = u32::try_from(scale) {
        number.set_scale(scale).ok()?;
        return Some(number);
    }
    number.set_scale(0).ok()?;
    let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
    number.checked_mul(Decimal::try_from_i128_with_scale(factor, 0).ok()?)
}

/// The first and last year of dates and instants: those that ISO 8601 writes with four digits.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// Reads `2024-09-30`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
    if !shape || !bytes.iter().enumerate().all(|(at, byte)| at == 4 || at == 7 || byte.is_ascii_digit()) {
        return None;
    }
    let number = |part: &[u8]| part.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    let year = i32::try_from(number(&bytes[..4])).ok().filter(|year| YEARS.contains(year))?;
    NaiveDate::from_ymd_opt(year, number(&bytes[5..7]), number(&bytes[8..]))
}

/// Reads `2024-09-30T12:00:00Z`, with or without fractions of a second and with an offset from UTC in any ISO form
/// (Salesforce writes `+0000`). Kept to the millisecond, the finest that both CRMs have.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    // The longest form has nine digits of fraction and an offset with a colon.
    if text.len() > 35 || text.as_bytes().get(10) != Some(&b'T') || parse_date(text.get(..10)?).is_none() {
        return None;
    }
    let instant = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z")
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z"))
        .ok()?
        .to_utc();
    within_years(instant.trunc_subsecs(3))
}

/// The instant of so many milliseconds since 1970, in the years that can be written.
pub fn epoch_ms(ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms).and_then(within_years)
}

fn within_years(instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Some(instant).filter(|instant| YEARS.contains(&instant.year()))
}

/// A text of digits as milliseconds since 1970.
fn parse_epoch_ms(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole { text.parse().ok().and_then(epoch_ms) } else { None }
}

/// The date whose midnight in UTC these digits are, in milliseconds: most dates of HubSpot.
fn midnight(text: &str) -> Option<NaiveDate> {
    const DAY: i64 = 86_400_000;
    let ms = short_digits(text.as_bytes()).filter(|ms| ms % DAY == 0)?;
    let date = NaiveDate::from_epoch_days(i32::try_from(ms / DAY).ok()?)?;
    Some(date).filter(|date| YEARS.contains(&date.year()))
}

/// A calendar date stays that date in every zone: HubSpot sends `2024-09-30`, or the milliseconds of midnight UTC.
fn read_date(text: &str) -> Result<NaiveDate, Failure> {
    if let Some(date) = parse_date(text).or_else(|| midnight(text)) {
        return Ok(date);
    }
    let instant = parse_epoch_ms(text).or_else(|| parse_instant(text));
    let Some(instant) = instant else {
        return Err(unreadable(text, "a date: `2024-09-30`, or milliseconds at midnight UTC"));
    };
    if instant.time() != chrono::NaiveTime::MIN {
        return Err(unreadable(text, "a date: it is not midnight UTC but a time of day"));
    }
    Ok(instant.date_naive())
}

fn read_instant(text: &str) -> Result<DateTime<Utc>, Failure> {
    parse_instant(text).or_else(|| parse_epoch_ms(text)).ok_or_else(|| {
        unreadable(text, "a date and time: `2024-09-30T12:00:00Z`, or milliseconds since 1970")
    })
}

fn unreadable(text: &str, wanted: &str) -> Failure {
    Failure::new(format!("{} is not {wanted}", quoted(text)))
}

/// A text in a message: in back-quotes, and cut where it is long.
pub fn quoted(text: &str) -> String {
    /// Enough to find the value again, and a message stays a line or two.
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Raw, parse_date, parse_instant, parse_number, read};
    use crate::schema::{Field, FieldType, PicklistOption};
    use crate::source::{FileId, ObjectName, Side, Span};
    use crate::types::{Failure, Options, Type, Typed, Value, display, to_json};

    fn of(json: &serde_json::Value, ty: &Type) -> Result<Value, Failure> {
        read(&Raw::from(json), ty)
    }

    fn number(text: &str) -> Value {
        Value::Number(text.parse().unwrap())
    }

    fn date(text: &str) -> Value {
        Value::Date(parse_date(text).unwrap())
    }

    fn instant(text: &str) -> Value {
        Value::DateTime(parse_instant(text).unwrap())
    }

    fn types() -> Vec<Type> {
        vec![
            Type::Text(Some(40)),
            Type::Email(None),
            Type::Phone(None),
            Type::Url(None),
            Type::Integer(Some(18)),
            Type::Decimal(Some((18, 2))),
            Type::Boolean,
            Type::Date,
            Type::DateTime,
            Type::Picklist(Options::Open(None)),
            Type::MultiPicklist(Options::Open(None)),
            Type::Reference(Vec::new()),
            Type::Nothing,
            Type::Error,
        ]
    }

    fn field(kind: FieldType, options: &[&str]) -> Field {
        let span = Span::new(FileId(0), 0, 0);
        let option = |value: &&str| PicklistOption {
            converted: false,
            value: (*value).to_owned(),
            label: (*value).to_owned(),
            active: true,
            span,
        };
        Field {
            name: "F".to_owned(),
            label: "F".to_owned(),
            kind,
            nillable: true,
            createable: true,
            updateable: true,
            defaulted_on_create: false,
            external_id: false,
            searchable: true,
            unique: false,
            calculated: false,
            currency: false,
            consent: false,
            options: options.iter().map(option).collect(),
            external_options: false,
            owner: false,
            relationship: None,
            primary_of: None,
            span,
        }
    }

    #[test]
    fn fields_have_types() {
        let lead = ObjectName::new(Side::Salesforce, "Lead");
        let of = |field: &Field| Type::of(field, &lead);
        let user = ObjectName::new(Side::Salesforce, "User");
        let reference = field(FieldType::Reference { to: vec!["User".to_owned()] }, &[]);
        assert_eq!(of(&reference), Some(Typed::maybe(Type::Reference(vec![user]))));
        assert_eq!(of(&field(FieldType::Id, &[])), Some(Typed::always(Type::Reference(vec![lead.clone()]))));
        assert_eq!(of(&field(FieldType::Other("address".to_owned()), &[])), None);
        assert_eq!(of(&field(FieldType::Time, &[])), None);
        let required = Field { nillable: false, ..field(FieldType::Text { max: 80 }, &[]) };
        assert_eq!(of(&required), Some(Typed::always(Type::Text(Some(80)))));

        let picklist = |restricted| field(FieldType::Picklist { restricted, max: 255 }, &["New"]);
        let own = Type::Picklist(Options::Field(lead.clone(), "F".to_owned()));
        assert_eq!(of(&picklist(true)), Some(Typed::maybe(own.clone())));
        assert_eq!(of(&picklist(false)), Some(Typed::maybe(own)));
        let elsewhere = Field { external_options: true, ..picklist(true) };
        assert_eq!(of(&elsewhere), Some(Typed::maybe(Type::Picklist(Options::Open(Some(255))))));
    }

    #[test]
    fn nothing_and_the_empty_text_and_white_space_alone_are_blank() {
        for ty in types() {
            assert_eq!(read(&Raw::from(None), &ty), Ok(Value::Blank));
            assert_eq!(of(&json!(null), &ty), Ok(Value::Blank));
            assert_eq!(of(&json!(""), &ty), Ok(Value::Blank));
            assert!(of(&json!({"a": 1}), &ty).is_err());
        }
        for white in [" ", " \t\n", "\u{a0}"] {
            assert_eq!(of(&json!(white), &Type::Text(None)), Ok(Value::Blank), "{white:?}");
        }
        assert_eq!(of(&json!(" a "), &Type::Text(None)), Ok(Value::text(" a ")));
        assert!(of(&json!(" "), &Type::Integer(None)).is_err());
    }

    #[test]
    fn hubspots_text_is_read_by_type() {
        assert_eq!(of(&json!("87"), &Type::Integer(None)), Ok(number("87")));
        assert_eq!(of(&json!("1.0E7"), &Type::Integer(None)), Ok(number("10000000")));
        assert_eq!(of(&json!("12.50"), &Type::Decimal(None)), Ok(number("12.50")));
        assert_eq!(of(&json!("true"), &Type::Boolean), Ok(Value::Boolean(true)));
        assert_eq!(of(&json!("false"), &Type::Boolean), Ok(Value::Boolean(false)));
        assert_eq!(of(&json!("5501"), &Type::Reference(Vec::new())), Ok(Value::text("5501")));
        assert_eq!(of(&json!("2024-09-30T12:00:00Z"), &Type::DateTime), Ok(instant("2024-09-30T12:00:00Z")));
        assert_eq!(of(&json!("1700123456789"), &Type::DateTime), Ok(instant("2023-11-16T08:30:56.789Z")));
    }

    #[test]
    fn a_midnight_in_utc_is_that_date_everywhere() {
        for raw in [
            json!("2024-09-30"),
            json!("1727654400000"),
            json!(1_727_654_400_000_i64),
            json!("2024-09-30T00:00:00Z"),
        ] {
            assert_eq!(of(&raw, &Type::Date), Ok(date("2024-09-30")), "{raw}");
        }
        assert_eq!(of(&json!("-86400000"), &Type::Date), Ok(date("1969-12-31")));
        let failure = of(&json!("1727654400001"), &Type::Date).unwrap_err();
        assert_eq!(
            failure.message,
            "`1727654400001` is not a date: it is not midnight UTC but a time of day"
        );
    }

    #[test]
    fn salesforces_json_is_read_by_type() {
        assert_eq!(of(&json!(87), &Type::Integer(None)), Ok(number("87")));
        assert_eq!(of(&json!(87.0), &Type::Integer(None)), Ok(number("87")));
        assert_eq!(of(&json!(12.5), &Type::Decimal(None)), Ok(number("12.5")));
        let exact: serde_json::Value = "12345678901234567890.12345678".parse().unwrap();
        assert_eq!(of(&exact, &Type::Decimal(None)), Ok(number("12345678901234567890.12345678")));
        assert_eq!(of(&json!(true), &Type::Boolean), Ok(Value::Boolean(true)));
        assert_eq!(
            of(&json!("2011-07-07T00:37:00.000+0000"), &Type::DateTime),
            Ok(instant("2011-07-07T00:37:00Z"))
        );
        assert_eq!(of(&json!("2010-01-01"), &Type::Date), Ok(date("2010-01-01")));
        let set = Type::MultiPicklist(Options::Open(None));
        let four_six = Value::List(vec![Value::text("four"), Value::text("six")]);
        for raw in ["four;six", ";four;six", "four;;six;four"] {
            assert_eq!(of(&json!(raw), &set), Ok(four_six.clone()));
        }
        assert_eq!(of(&json!(";"), &set), Ok(Value::Blank));
        assert_eq!(of(&json!(5501), &Type::Text(None)), Ok(Value::text("5501")));
    }

    #[test]
    fn what_does_not_parse_is_a_failure_with_the_value() {
        for (raw, ty, message) in [
            ("n/a", Type::Integer(None), "`n/a` is not a number such as `1234.5`"),
            ("87.5", Type::Integer(None), "`87.5` is not a whole number"),
            ("yes", Type::Boolean, "`yes` is not `true` or `false`"),
            (
                "30.09.2024",
                Type::Date,
                "`30.09.2024` is not a date: `2024-09-30`, or milliseconds at midnight UTC",
            ),
            (
                "2024-02-30",
                Type::Date,
                "`2024-02-30` is not a date: `2024-09-30`, or milliseconds at midnight UTC",
            ),
            (
                "2024-09-30",
                Type::DateTime,
                "`2024-09-30` is not a date and time: `2024-09-30T12:00:00Z`, or milliseconds since 1970",
            ),
        ] {
            assert_eq!(of(&json!(raw), &ty).unwrap_err().message, message);
        }
        assert_eq!(of(&json!(true), &Type::Date).unwrap_err().message, "`true` is not a date");
        let long = of(&json!("x".repeat(10_000)), &Type::Date).unwrap_err().message;
        assert!(long.len() < 250, "{long}");
    }

    #[test]
    fn instants_are_read_in_every_iso_form() {
        let expected = parse_instant("2024-09-30T12:00:00Z");
        assert!(expected.is_some());
        for form in [
            "2024-09-30T12:00Z",
            "2024-09-30T12:00:00.000+0000",
            "2024-09-30T14:00:00+02:00",
            "2024-09-30T05:00:00-0700",
        ] {
            assert_eq!(parse_instant(form), expected, "{form}");
        }
        assert_eq!(parse_instant("2024-09-30T12:00:00.123456Z"), parse_instant("2024-09-30T12:00:00.123Z"));
        for bad in [
            "2024-09-30T12:00:00",
            "2024-09-30 12:00:00Z",
            "+2024-09-30T12:00:00Z",
            "0000-12-31T23:00:00-0200",
            "24-9-30T1:00Z",
        ] {
            assert_eq!(parse_instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_keep_every_digit_or_fail() {
        for (text, read) in [
            ("0e999", "0"),
            ("1e28", "10000000000000000000000000000"),
            ("120e-1", "12"),
            ("1.5e-27", "0.0000000000000000000000000015"),
        ] {
            assert_eq!(parse_number(text), Ok(read.parse().unwrap()), "{text}");
        }
        for bad in [
            "1e29",
            "1e-29",
            "0.00000000000000000000000000001",
            "79228162514264337593543950336",
            "1e99999999999",
        ] {
            assert!(parse_number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_written_as_json() {
        assert_eq!(to_json(&number("87.50")).to_string(), "87.5");
        assert_eq!(to_json(&number("-0.00")).to_string(), "0");
        assert_eq!(
            to_json(&number("12345678901234567890.12345678")).to_string(),
            "12345678901234567890.12345678"
        );
        assert_eq!(to_json(&Value::Blank), json!(null));
        assert_eq!(to_json(&date("2024-09-30")), json!("2024-09-30"));
        assert_eq!(to_json(&instant("2024-09-30T12:00:00Z")), json!("2024-09-30T12:00:00Z"));
        assert_eq!(to_json(&Value::List(vec![Value::text("a"), number("1")])), json!(["a", 1]));
        assert_eq!(display(&Value::List(vec![Value::text("a"), Value::text("b")])), "a;b");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_raw_value_panics(text in prop_oneof![".{0,40}", r"-?[0-9.eE+-]{1,40}", r"[0-9TZ:+. -]{1,36}"]) {
            for ty in types() {
                if let Ok(value) = read(&Raw::Text(text.as_str().into()), &ty) {
                    let _ = to_json(&value);
                    prop_assert!(!text.is_empty() || value.is_blank());
                }
            }
        }

        #[test]
        fn digits_alone_are_read_as_numbers_are(text in "[0-9]{1,20}") {
            let exact = rust_decimal::Decimal::from_str_exact(&text).unwrap();
            let read = parse_number(&text).unwrap();
            prop_assert_eq!((read, read.scale()), (exact, 0));
            // The same with a point goes the long way.
            prop_assert_eq!(parse_number(&format!("{text}.0")).unwrap(), exact);
        }

        /// What is short is read by a quicker way, which an exponent keeps it from.
        #[test]
        fn a_short_number_is_read_as_any_other(text in "-?[0-9]{0,20}(\\.[0-9]{0,20}0{0,3})?") {
            prop_assert_eq!(parse_number(&text).ok(), parse_number(&format!("{text}e0")).ok(), "{}", text);
            let scale = |text: &str| parse_number(text).map(|number| number.scale()).ok();
            prop_assert_eq!(scale(&text), scale(&format!("{text}e0")), "{}", text);
        }

        #[test]
        fn what_is_written_is_read_back(digits in any::<i64>(), scale in 0..28_u32, ms in -62_135_596_800_000..253_402_300_800_000_i64) {
            let number = Value::Number(rust_decimal::Decimal::new(digits, scale));
            let instant = Value::DateTime(super::epoch_ms(ms).unwrap());
            prop_assert_eq!(of(&to_json(&number), &Type::Decimal(None)).unwrap(), number.clone());
            prop_assert_eq!(of(&json!(display(&number)), &Type::Decimal(None)).unwrap(), number);
            prop_assert_eq!(of(&to_json(&instant), &Type::DateTime).unwrap(), instant);
        }
    }
}
