//! Writing values as text and JSON.

use std::borrow::Cow;
use std::io::Write as _;

use chrono::{Datelike, NaiveDate, SecondsFormat};

use super::Value;

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
        Value::Number(number) => number.normalize().to_string(),
        Value::Boolean(boolean) => return Cow::Borrowed(if *boolean { "true" } else { "false" }),
        Value::Date(date) => display_date(*date),
        Value::DateTime(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        Value::List(values) => values.iter().map(displayed).collect::<Vec<_>>().join(";"),
    })
}

/// The form `2024-09-30`; a year outside of those that have four digits is written as chrono does.
fn display_date(date: NaiveDate) -> String {
    let Ok(year @ 0..=9999) = u32::try_from(date.year()) else { return date.format("%Y-%m-%d").to_string() };
    let mut text = String::with_capacity(10);
    for (number, places) in [(year, 1000), (date.month(), 10), (date.day(), 10)] {
        if !text.is_empty() {
            text.push('-');
        }
        let mut place = places;
        while place > 0 {
            text.push(char::from_digit(number / place % 10, 10).unwrap_or('0'));
            place /= 10;
        }
    }
    text
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

/// Writes a value as the JSON text of what [`to_json`] makes of it, without making that first.
pub fn write_json<T: AsRef<str>>(value: &Value<T>, out: &mut Vec<u8>) {
    match value {
        Value::Blank => out.extend_from_slice(b"null"),
        Value::Text(text) => write_text(text.as_ref(), out),
        Value::Boolean(_) => out.extend_from_slice(displayed(value).as_bytes()),
        // INVARIANT: writing into memory does not fail.
        Value::Number(number) => drop(write!(out, "{}", number.normalize())),
        Value::Date(_) | Value::DateTime(_) => write_text(&displayed(value), out),
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
    // A branch for each byte would cost more than the copy; nearly every text needs no escape.
    let special = |byte: &u8| u8::from(*byte < 0x20) | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
    let (words, rest) = text.as_bytes().as_chunks::<16>();
    let words =
        words.iter().fold(0, |found, word| found | word.iter().fold(0, |found, byte| found | special(byte)));
    if rest.iter().fold(words, |found, byte| found | special(byte)) == 0 {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaped(text, out);
    }
    out.push(b'"');
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
        fn a_date_is_written_as_chrono_does(days in -900_000..3_700_000_i32) {
            let date = chrono::NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            prop_assert_eq!(super::display_date(date), date.format("%Y-%m-%d").to_string());
        }
    }
}
