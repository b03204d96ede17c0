//! Reading what the CRMs send into typed values, and writing values as text and JSON.
//!
//! What does not parse is a [`Failure`] that names the value and the form that was expected; it is never a blank. Null,
//! a field that is not there and the empty text are blank; white space is not.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, SubsecRound, Utc};
use rust_decimal::Decimal;

use crate::schema::{Field, FieldType};
use crate::source::ObjectName;

use super::{Failure, Options, Type, Typed, Value};

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

fn read_boolean(boolean: bool, ty: &Type) -> Result<Value, Failure> {
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
fn read_options(text: &str) -> Value {
    let mut options: Vec<Value> = Vec::new();
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
    let digits = bytes.iter().enumerate().all(|(at, byte)| at == 4 || at == 7 || byte.is_ascii_digit());
    if !shape || !digits {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| YEARS.contains(&date.year()))
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

/// A calendar date stays that date in every zone: HubSpot sends `2024-09-30`, or the milliseconds of midnight UTC.
fn read_date(text: &str) -> Result<NaiveDate, Failure> {
    if let Some(date) = parse_date(text) {
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

/// A value as text, for previews, messages and the function `text`: numbers without trailing zeros, dates and instants
/// in their ISO form (UTC), lists joined by `;`, blank as the empty text.
pub fn display(value: &Value) -> String {
    match value {
        Value::Blank => String::new(),
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.normalize().to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Date(date) => date.format("%Y-%m-%d").to_string(),
        Value::DateTime(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        Value::List(values) => values.iter().map(display).collect::<Vec<_>>().join(";"),
    }
}

/// A value as JSON: numbers exact and without trailing zeros, dates and instants as ISO text, lists as arrays, blank as
/// null.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Blank => serde_json::Value::Null,
        Value::Text(text) => serde_json::Value::String(text.clone()),
        Value::Boolean(boolean) => serde_json::Value::Bool(*boolean),
        Value::Number(_) => {
            let text = display(value);
            text.parse().map_or(serde_json::Value::String(text), serde_json::Value::Number)
        }
        Value::Date(_) | Value::DateTime(_) => serde_json::Value::String(display(value)),
        Value::List(values) => values.iter().map(to_json).collect(),
    }
}
