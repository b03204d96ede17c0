//! Writing values as text and JSON.

use std::borrow::Cow;
use std::io::Write as _;

use chrono::{Datelike, NaiveDate, SecondsFormat};
use rust_decimal::Decimal;

use super::Value;
use crate::source::Side;

/// A value as text, for previews, messages and the function `text`: numbers without trailing zeros, dates and instants
/// in their ISO form (UTC), lists joined by `;`, blank as the empty text.
pub fn display(value: &Value) -> String {
    displayed(value).into_owned()
}

/// A value as [`display`] writes it; the text of a text is not copied.
pub fn displayed<T: AsRef<str>>(value: &Value<T>) -> Cow<'_, str> {
    Cow::Owned(match value {
        Value::Blank => return Cow::Borrowed(""),
        Value::Text(text) => return Cow::Borrowed(text.as_ref()),
        Value::Number(number) => number_text(*number)
            .map_or_else(|| number.normalize().to_string(), |text| text.as_str().to_owned()),
        Value::Boolean(boolean) => return Cow::Borrowed(if *boolean { "true" } else { "false" }),
        Value::Date(date) => display_date(*date),
        Value::DateTime(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        Value::List(values) => values.iter().map(displayed).collect::<Vec<_>>().join(";"),
    })
}

fn display_date(date: NaiveDate) -> String {
    date_text(date).map_or_else(|| date.format("%Y-%m-%d").to_string(), |text| text.as_str().to_owned())
}

/// A short text of ASCII without an allocation, filled from its end.
struct Short {
    bytes: [u8; Short::LENGTH],
    start: usize,
}

impl Short {
    /// A sign, a zero, a point and the 28 digits that a decimal can have after it, and one more before it.
    const LENGTH: usize = 32;

    fn new() -> Self {
        Self { bytes: [0; Self::LENGTH], start: Self::LENGTH }
    }

    /// Puts a byte before the others.
    fn push(&mut self, byte: u8) {
        // INVARIANT: nobody writes more than `LENGTH` bytes; see there.
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    /// Puts the last digit of a number before the others, and gives the number without it.
    fn push_digit(&mut self, number: u64) -> u64 {
        const DIGITS: &[u8; 10] = b"0123456789";
        self.push(DIGITS[usize::try_from(number % 10).unwrap_or(0)]);
        number / 10
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn as_str(&self) -> &str {
        // INVARIANT: all of it is ASCII.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// A number without zeros at the end of its fraction; `None` where it has more digits than 64 bits hold.
fn number_text(number: Decimal) -> Option<Short> {
    let mut digits = u64::try_from(number.mantissa().unsigned_abs()).ok()?;
    let mut scale = if digits == 0 { 0 } else { number.scale() };
    while scale > 0 && digits.is_multiple_of(10) {
        (digits, scale) = (digits / 10, scale - 1);
    }
    let negative = number.is_sign_negative() && digits > 0;
    let mut text = Short::new();
    if scale > 0 {
        for _ in 0..scale {
            digits = text.push_digit(digits);
        }
        text.push(b'.');
    }
    digits = text.push_digit(digits);
    while digits > 0 {
        digits = text.push_digit(digits);
    }
    if negative {
        text.push(b'-');
    }
    Some(text)
}

/// The form `2024-09-30`; `None` for a year that four digits do not write.
fn date_text(date: NaiveDate) -> Option<Short> {
    let year @ 0..=9999 = u64::try_from(date.year()).ok()? else { return None };
    let mut text = Short::new();
    for (number, places) in [(u64::from(date.day()), 2), (u64::from(date.month()), 2), (year, 4)] {
        if text.start < Short::LENGTH {
            text.push(b'-');
        }
        let mut rest = number;
        for _ in 0..places {
            rest = text.push_digit(rest);
        }
    }
    Some(text)
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

/// A value as its CRM sends it: HubSpot as text or null, Salesforce as a JSON value; both a multi-select as `a;b`.
pub fn as_sent(side: Side, value: &Value) -> serde_json::Value {
    match (side, value) {
        (_, Value::Blank) => serde_json::Value::Null,
        (Side::Salesforce, Value::Boolean(_) | Value::Number(_)) => to_json(value),
        (Side::Salesforce, Value::DateTime(at)) => {
            serde_json::Value::String(at.to_rfc3339_opts(SecondsFormat::Millis, true).replace('Z', "+0000"))
        }
        _ => serde_json::Value::String(display(value)),
    }
}

/// Writes a value as the JSON text of what [`to_json`] makes of it, without making that first.
pub fn write_json<T: AsRef<str>>(value: &Value<T>, out: &mut Vec<u8>) {
    match value {
        Value::Blank => out.extend_from_slice(b"null"),
        Value::Text(text) => write_text(text.as_ref(), out),
        Value::Boolean(_) => out.extend_from_slice(displayed(value).as_bytes()),
        Value::Number(number) => match number_text(*number) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            // INVARIANT: writing into memory does not fail.
            None => drop(write!(out, "{}", number.normalize())),
        },
        Value::Date(date) => match date_text(*date) {
            Some(mut text) => {
                text.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            None => write_text(&displayed(value), out),
        },
        Value::DateTime(_) => write_text(&displayed(value), out),
        Value::List(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(value, out);
            }
            out.push(b']');
        }
    }
}

/// Writes a text as JSON.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    if has_escapes(text.as_bytes()) {
        write_escaped(text, out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

/// Whether a byte cannot stand in JSON's text as it is. Nearly no text has one, and looking at eight at a time costs less
/// than the copy.
fn has_escapes(text: &[u8]) -> bool {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    /// Sets the highest bit of a byte that is less than `bound` (and of none where there is none).
    fn below(word: u64, bound: u8) -> u64 {
        word.wrapping_sub(EACH * u64::from(bound)) & !word
    }
    fn special(word: [u8; 8]) -> u64 {
        let word = u64::from_le_bytes(word);
        let same = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
        below(word, 0x20) | same(b'"') | same(b'\\')
    }
    match text.last_chunk() {
        // The last eight overlap the ones before them where the length is no multiple.
        Some(last) => {
            let words = text.as_chunks().0.iter();
            words.fold(special(*last), |found, word| found | special(*word)) & HIGHEST != 0
        }
        None => text.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')),
    }
}

fn write_escaped(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in text.bytes() {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x20.. => {
                out.push(byte);
                continue;
            }
            _ => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{to_json, write_json};
    use crate::types::{Value, epoch_ms};

    fn values() -> impl Strategy<Value = Value> {
        let single = prop_oneof![
            Just(Value::Blank),
            "(?s).{0,40}".prop_map(Value::text),
            "[\\x00-\\x7f]{0,20}".prop_map(Value::text),
            (any::<i64>(), 0..28_u32)
                .prop_map(|(digits, scale)| Value::Number(rust_decimal::Decimal::new(digits, scale))),
            any::<bool>().prop_map(Value::Boolean),
            (-70_000_000_000_000..260_000_000_000_000_i64)
                .prop_filter_map("a year of four digits", |ms| epoch_ms(ms).map(Value::DateTime)),
            (-900_000..3_500_000_i32).prop_filter_map("a date", |days| {
                chrono::NaiveDate::from_num_days_from_ce_opt(days).map(Value::Date)
            }),
        ];
        single.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::List))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_what_serde_would_write(value in values()) {
            let mut written = Vec::new();
            write_json(&value, &mut written);
            prop_assert_eq!(String::from_utf8(written).unwrap(), to_json(&value).to_string());
            written = Vec::new();
            write_json(&value.borrowed(), &mut written);
            prop_assert_eq!(String::from_utf8(written).unwrap(), to_json(&value).to_string());
        }

        #[test]
        fn a_number_is_written_as_rust_decimal_does(digits in any::<i128>(), shift in 0..127_u32, scale in 0..=28_u32) {
            // As likely short as long.
            let digits = digits >> shift;
            if let Ok(number) = rust_decimal::Decimal::try_from_i128_with_scale(digits, scale) {
                let mut written = Vec::new();
                write_json(&Value::<String>::Number(number), &mut written);
                let wanted = number.normalize().to_string();
                prop_assert_eq!(super::display(&Value::Number(number)), wanted.clone());
                prop_assert_eq!(String::from_utf8(written).unwrap(), wanted);
            }
        }

        #[test]
        fn a_date_is_written_as_chrono_does(days in -900_000..3_700_000_i32) {
            let date = chrono::NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            prop_assert_eq!(super::display_date(date), date.format("%Y-%m-%d").to_string());
        }
    }
}
