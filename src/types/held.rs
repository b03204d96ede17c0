//! What the fields of a CRM hold: the form that a value takes in them, and the values that none can hold.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use chrono::Datelike;

use crate::source::{ObjectName, Side};

use super::{Failure, Value, display, quoted};

/// The years of Salesforce's dates and instants (its SOQL reference: minimum and maximum dates).
const YEARS: RangeInclusive<i32> = 1700..=4000;

/// A value as the CRM will hold it in a field: Salesforce drops white space around a text, and what is left of white space
/// alone is blank; HubSpot keeps a contact's e-mail address in small letters. Without this such a value would differ from
/// what is there for ever, and be written again each time.
pub fn as_held(object: &ObjectName, field: &str, value: Value) -> Value {
    match (object.side, value) {
        (Side::Salesforce, Value::Text(text)) if text.trim().len() < text.len() => Value::text(text.trim()),
        (Side::Hubspot, Value::Text(text)) if object.name == "contact" && field == "email" => {
            Value::text(text.trim().to_lowercase())
        }
        (_, value) => value,
    }
}

/// Where a date or an instant lies that no field of the CRM holds, as seen from those that one does: before them or behind.
pub fn beyond_years(side: Side, value: &Value) -> Option<Ordering> {
    let year = match (side, value) {
        (Side::Salesforce, Value::Date(date)) => date.year(),
        (Side::Salesforce, Value::DateTime(instant)) => instant.year(),
        _ => return None,
    };
    match YEARS {
        years if year < *years.start() => Some(Ordering::Less),
        years if year > *years.end() => Some(Ordering::Greater),
        _ => None,
    }
}

/// The failure to write such a date or instant.
pub fn within_years(side: Side, value: Value) -> Result<Value, Failure> {
    if beyond_years(side, &value).is_none() {
        return Ok(value);
    }
    let (value, first, last) = (quoted(&display(&value)), YEARS.start(), YEARS.end());
    Err(Failure::new(format!("{value} is outside of the years of Salesforce's dates, {first} to {last}")))
}

/// Whether a text has the form of an id of Salesforce's: 15 letters and digits, or 18, of which the last three say which of
/// the others are capitals.
pub fn is_record_id(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match text.len() {
        15 => plain,
        18 => plain && says_capitals(&text.as_bytes()[..15], &text.as_bytes()[15..]),
        _ => false,
    }
}

/// Whether each suffix character is one that its block of five can have: it stands for five bits, and a set one for a letter.
fn says_capitals(base: &[u8], suffix: &[u8]) -> bool {
    base.chunks(5).zip(suffix).all(|(block, character)| {
        let bits = match character.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'0'..=b'5' => digit - b'0' + 26,
            _ => return false,
        };
        block.iter().enumerate().all(|(at, byte)| bits & (1 << at) == 0 || byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{as_held, beyond_years, is_record_id, within_years};
    use crate::source::{ObjectName, Side};
    use crate::types::{Value, parse_date, parse_instant};

    #[test]
    fn the_years_of_salesforce_end() {
        let date = |text: &str| Value::Date(parse_date(text).unwrap());
        let instant = |text: &str| Value::DateTime(parse_instant(text).unwrap());
        for fine in [date("1700-01-01"), date("4000-12-31"), instant("1700-01-01T00:00:00Z"), Value::Blank] {
            assert_eq!(within_years(Side::Salesforce, fine.clone()), Ok(fine));
        }
        for (early, late) in [
            (date("1699-12-31"), date("4001-01-01")),
            (instant("0001-01-01T00:00:00Z"), instant("9999-01-01T00:00:00Z")),
        ] {
            assert_eq!(beyond_years(Side::Salesforce, &early), Some(Ordering::Less));
            assert_eq!(beyond_years(Side::Salesforce, &late), Some(Ordering::Greater));
            assert_eq!(beyond_years(Side::Hubspot, &late), None);
        }
        let failure = within_years(Side::Salesforce, date("4001-01-01")).unwrap_err();
        assert_eq!(
            failure.message,
            "`4001-01-01` is outside of the years of Salesforce's dates, 1700 to 4000"
        );
    }

    #[test]
    fn a_value_is_as_its_field_holds_it() {
        let text = Value::text;
        let held = |side, object: &str, field, value: &str| {
            as_held(&ObjectName::new(side, object), field, Value::text(value))
        };
        assert_eq!(held(Side::Salesforce, "Lead", "Title", " a B\n"), text("a B"));
        assert_eq!(held(Side::Salesforce, "Lead", "Title", " \t"), Value::Blank);
        assert_eq!(held(Side::Salesforce, "Contact", "Email", "Jane@X.example"), text("Jane@X.example"));
        assert_eq!(held(Side::Hubspot, "contact", "firstname", " A "), text(" A "));
        assert_eq!(held(Side::Hubspot, "contact", "email", " Jane@X.example "), text("jane@x.example"));
        assert_eq!(held(Side::Hubspot, "company", "email", "Jane@X.example"), text("Jane@X.example"));
    }

    #[test]
    fn ids_have_fifteen_characters_or_eighteen() {
        for id in [
            "003000000000001",
            "003000000000001AAA",
            "003gL0000004RBs",
            "003gL0000004RBsYAM",
            "003gl0000004rbsyam",
        ] {
            assert!(is_record_id(id), "{id}");
        }
        for text in [
            "",
            "Rome",
            "001A",
            "003000000000001AA",
            "00300000000-001",
            "003000000000001AA9",
            "003000000000001BAA",
        ] {
            assert!(!is_record_id(text), "{text}");
        }
    }
}
