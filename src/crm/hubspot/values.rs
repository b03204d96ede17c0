//! Values as HubSpot's text.

use chrono::SecondsFormat;

use crate::types::Value;

/// A value as HubSpot takes it in a property: everything is text, and the empty text clears.
pub(super) fn to_text(value: &Value) -> String {
    match value {
        Value::Blank => String::new(),
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Date(date) => date.format("%Y-%m-%d").to_string(),
        Value::DateTime(instant) => instant.to_rfc3339_opts(SecondsFormat::Millis, true),
        // A leading `;` would append to the set, so blanks are left out.
        Value::List(values) => {
            values.iter().map(to_text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(";")
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeZone, Utc};

    use super::*;

    #[test]
    fn everything_is_text() {
        assert_eq!(to_text(&Value::Blank), "");
        assert_eq!(to_text(&Value::Number("1250.50".parse().unwrap())), "1250.50");
        assert_eq!(to_text(&Value::Boolean(true)), "true");
        assert_eq!(to_text(&Value::Date(NaiveDate::from_ymd_opt(2024, 9, 30).unwrap())), "2024-09-30");
        let instant = Utc.with_ymd_and_hms(2024, 9, 30, 8, 0, 1).unwrap();
        assert_eq!(to_text(&Value::DateTime(instant)), "2024-09-30T08:00:01.000Z");
        assert_eq!(to_text(&Value::List(vec![Value::Blank, Value::text("a"), Value::text("b")])), "a;b");
    }
}
