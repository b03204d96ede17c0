//! Values as text and JSON. (Reading raw values follows.)

use chrono::SecondsFormat;

use super::Value;

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
