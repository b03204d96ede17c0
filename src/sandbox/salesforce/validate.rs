//! The judgement of single values: what the JSON reader accepts, and what the data layer then refuses.
//!
//! This shares nothing with the checker of mappings: it stands for the real organisation, so it must be able
//! to disagree.

use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Number, Value};

use super::clock;
use super::error::ApiError;
use super::ids;
use super::schema::{FieldFacts, FieldType};

/// Reads a JSON value into the form that is stored; a blank text becomes null.
///
/// `raw` is the request's body, for the line and column in the message.
pub(super) fn read(field: &FieldFacts, value: &Value, raw: &str) -> Result<Value, ApiError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if value.is_object() || value.is_array() {
        return Err(cannot_read(field, value, raw));
    }
    match field.kind {
        FieldType::Boolean => read_boolean(value).ok_or_else(|| cannot_read(field, value, raw)),
        FieldType::Date => read_date(field, value, raw),
        FieldType::Datetime => read_datetime(field, value, raw),
        kind if kind.is_number() => read_number(field, value, raw),
        FieldType::Id | FieldType::Reference => {
            read_text(value).ok_or_else(|| cannot_read(field, value, raw))
        }
        _ => read_text(value).ok_or_else(|| cannot_read(field, value, raw)),
    }
}

/// Checks a value that has been read; null passes.
pub(super) fn check(field: &FieldFacts, value: &Value, allowed: Option<&[String]>) -> Result<(), ApiError> {
    match value {
        Value::String(text) => check_text(field, text, allowed),
        Value::Number(number) => check_number(field, number),
        _ => Ok(()),
    }
}

fn read_text(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    Some(if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) })
}

fn read_boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Some(Value::Bool(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Some(Value::Bool(false)),
        _ => None,
    }
}

fn read_date(field: &FieldFacts, value: &Value, raw: &str) -> Result<Value, ApiError> {
    let text = value.as_str().ok_or_else(|| cannot_read(field, value, raw))?.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let date = clock::parse_date(text).or_else(|| {
        text.contains('T').then(|| clock::parse_instant(text)).flatten().map(|at| at.date_naive())
    });
    date.map(|date| date.format("%Y-%m-%d").to_string().into()).ok_or_else(|| cannot_read(field, value, raw))
}

fn read_datetime(field: &FieldFacts, value: &Value, raw: &str) -> Result<Value, ApiError> {
    let text = value.as_str().ok_or_else(|| cannot_read(field, value, raw))?.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let instant = clock::parse_instant(text).or_else(|| {
        clock::parse_date(text).and_then(|date| date.and_hms_opt(0, 0, 0)).map(|at| at.and_utc())
    });
    instant.map(|at| clock::stamp(at).into()).ok_or_else(|| cannot_read(field, value, raw))
}

fn read_number(field: &FieldFacts, value: &Value, raw: &str) -> Result<Value, ApiError> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.trim().is_empty() => return Ok(Value::Null),
        Value::String(text) => text.trim().to_owned(),
        _ => return Err(cannot_read(field, value, raw)),
    };
    let parsed = Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text));
    let Ok(amount) = parsed else {
        // Digits beyond what any field holds are a number all the same: out of range, not unreadable.
        return match text.parse::<f64>().ok().filter(|amount| amount.is_finite()) {
            Some(_) => Err(out_of_range(field, &text)),
            None => Err(cannot_read(field, value, raw)),
        };
    };
    if field.kind == FieldType::Int && !amount.fract().is_zero() {
        return Err(cannot_read(field, value, raw));
    }
    Ok(number_value(field, amount))
}

/// The JSON form of an amount: whole for `int`, else rounded to the field's scale and always with a point.
pub(super) fn number_value(field: &FieldFacts, amount: Decimal) -> Value {
    let rounded =
        amount.round_dp_with_strategy(field.scale, RoundingStrategy::MidpointAwayFromZero).normalize();
    let mut text = rounded.to_string();
    if field.kind != FieldType::Int && !text.contains('.') {
        text.push_str(".0");
    }
    Number::from_str(&text).map_or(Value::Null, Value::Number)
}

fn check_text(field: &FieldFacts, text: &str, allowed: Option<&[String]>) -> Result<(), ApiError> {
    let name = field.name.as_str();
    match field.kind {
        FieldType::Picklist | FieldType::Multipicklist => check_options(field, text, allowed)?,
        FieldType::Email if !is_email(text) => {
            let message = format!("{}: invalid email address: {text}", field.label);
            return Err(ApiError::on_fields("INVALID_EMAIL_ADDRESS", message, &[name]));
        }
        FieldType::Reference if ids::normalize(text).is_none() => {
            let message = format!("{}: id value of incorrect type: {text}", field.label);
            return Err(ApiError::on_fields("MALFORMED_ID", message, &[name]));
        }
        FieldType::Reference | FieldType::Date | FieldType::Datetime => return Ok(()),
        _ => {}
    }
    if field.length > 0 && text.chars().count() > field.length as usize {
        let message = format!("{}: data value too large: {text} (max length={})", field.label, field.length);
        return Err(ApiError::on_fields("STRING_TOO_LONG", message, &[name]));
    }
    Ok(())
}

/// A restricted picklist takes only its active options, and of those only what the record type allows.
fn check_options(field: &FieldFacts, text: &str, allowed: Option<&[String]>) -> Result<(), ApiError> {
    if !field.restricted {
        return Ok(());
    }
    let chosen: Vec<&str> =
        if field.kind == FieldType::Multipicklist { text.split(';').collect() } else { vec![text] };
    for value in chosen {
        let known = field.values.iter().any(|option| option.active && option.value == value);
        let permitted = allowed.is_none_or(|allowed| allowed.iter().any(|option| option == value));
        if !known || !permitted {
            return Err(ApiError::on_fields(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                format!("{}: bad value for restricted picklist field: {value}", field.label),
                &[&field.name],
            ));
        }
    }
    Ok(())
}

fn check_number(field: &FieldFacts, number: &Number) -> Result<(), ApiError> {
    let text = number.to_string();
    let digits = match field.kind {
        FieldType::Int => field.digits,
        _ => field.precision.saturating_sub(field.scale),
    };
    let whole = text.trim_start_matches('-').split('.').next().unwrap_or("").trim_start_matches('0').len();
    if digits > 0 && whole > digits as usize {
        return Err(out_of_range(field, &text));
    }
    Ok(())
}

fn out_of_range(field: &FieldFacts, text: &str) -> ApiError {
    let message = format!("{}: value outside of valid range on numeric field: {text}", field.label);
    ApiError::on_fields("NUMBER_OUTSIDE_VALID_RANGE", message, &[&field.name])
}

/// Salesforce's rule in outline: one `@`, a local part of mail characters, a domain of at least two labels.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*/=?^_+-`{|}~.".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let domain_ok = labels.len() >= 2
        && labels.iter().all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    local_ok && domain_ok
}

fn cannot_read(field: &FieldFacts, value: &Value, raw: &str) -> ApiError {
    let (token, shown) = match value {
        Value::Object(_) => ("START_OBJECT", "{".to_owned()),
        Value::Array(_) => ("START_ARRAY", "[".to_owned()),
        Value::String(text) => ("VALUE_STRING", text.clone()),
        Value::Bool(true) => ("VALUE_TRUE", "true".to_owned()),
        Value::Bool(false) => ("VALUE_FALSE", "false".to_owned()),
        Value::Null => ("VALUE_NULL", "null".to_owned()),
        Value::Number(number) => {
            let text = number.to_string();
            let token =
                if text.contains(['.', 'e', 'E']) { "VALUE_NUMBER_FLOAT" } else { "VALUE_NUMBER_INT" };
            (token, text)
        }
    };
    let kind = match field.kind {
        kind if kind.is_number()
            || matches!(kind, FieldType::Boolean | FieldType::Date | FieldType::Datetime) =>
        {
            kind.name()
        }
        FieldType::Id | FieldType::Reference => "reference",
        kind => kind.name(),
    };
    let (line, column) = position(raw, &field.name);
    let message = format!(
        "Cannot deserialize instance of {kind} from {token} value {shown} or request may be missing a required \
         field at [line:{line}, column:{column}]"
    );
    ApiError::new("JSON_PARSER_ERROR", message)
}

/// Line and column just behind a key in the body; where the key cannot be found, the beginning.
fn position(raw: &str, key: &str) -> (usize, usize) {
    let quoted = format!("\"{}\"", key.to_lowercase());
    let Some(at) = raw.to_lowercase().find(&quoted) else { return (1, 1) };
    let before = raw.get(..at + quoted.len()).unwrap_or(raw);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 2;
    (line, column)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::Schema;
    use super::*;

    fn lead(field: &str) -> FieldFacts {
        Schema::built_in().object("Lead").unwrap().field(field).unwrap().clone()
    }

    #[test]
    fn text_is_trimmed_and_blank_is_null() {
        assert_eq!(read(&lead("Title"), &json!("  VP \n"), "").unwrap(), json!("VP"));
        assert_eq!(read(&lead("Title"), &json!("   "), "").unwrap(), Value::Null);
        assert_eq!(read(&lead("Title"), &json!(3), "").unwrap_err().code, "JSON_PARSER_ERROR");
    }

    #[test]
    fn milliseconds_are_no_date() {
        let raw = "{\"LastName\": \"Doe\",\n \"Contract_Date__c\": 1727654400000}";
        let error = read(&lead("Contract_Date__c"), &json!(1_727_654_400_000_i64), raw).unwrap_err();
        assert_eq!(error.code, "JSON_PARSER_ERROR");
        assert!(error.message.starts_with(
            "Cannot deserialize instance of date from VALUE_NUMBER_INT value 1727654400000 or request may be"
        ));
        assert!(error.message.ends_with("[line:2, column:21]"), "{}", error.message);
        assert!(read(&lead("Contract_Date__c"), &json!("1727654400000"), raw).is_err());
        assert_eq!(read(&lead("Contract_Date__c"), &json!("2024-09-30"), raw).unwrap(), json!("2024-09-30"));
    }

    #[test]
    fn numbers_are_rounded_to_the_scale_and_bounded() {
        let score = lead("HubSpot_Lead_Score__c");
        assert_eq!(read(&score, &json!(87), "").unwrap().to_string(), "87.0");
        assert_eq!(read(&score, &json!("87.5"), "").unwrap().to_string(), "88.0");
        let wide = read(&score, &json!(1e18), "").unwrap();
        assert_eq!(check(&score, &wide, None).unwrap_err().code, "NUMBER_OUTSIDE_VALID_RANGE");
        assert_eq!(read(&score, &json!(1e40), "").unwrap_err().code, "NUMBER_OUTSIDE_VALID_RANGE");
        assert_eq!(read(&score, &json!("high"), "").unwrap_err().code, "JSON_PARSER_ERROR");
        assert_eq!(read(&lead("NumberOfEmployees"), &json!(12), "").unwrap().to_string(), "12");
    }

    #[test]
    fn lengths_options_and_addresses_are_checked() {
        let long = "x".repeat(129);
        let error = check(&lead("Title"), &json!(long), None).unwrap_err();
        assert_eq!(error.message, format!("Title: data value too large: {long} (max length=128)"));
        assert_eq!(error.fields, Some(vec!["Title".to_owned()]));
        let error = check(&lead("Status"), &json!("Nope"), None).unwrap_err();
        assert_eq!(error.code, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
        assert!(error.message.ends_with("bad value for restricted picklist field: Nope"));
        assert!(check(&lead("Industry"), &json!("Anything"), None).is_ok());
        for bad in
            ["jane", "jane@", "@acme.test", "jane@acme", "a b@acme.test", "jane@@acme.test", "j..d@acme.test"]
        {
            assert_eq!(
                check(&lead("Email"), &json!(bad), None).unwrap_err().code,
                "INVALID_EMAIL_ADDRESS",
                "{bad}"
            );
        }
        assert!(check(&lead("Email"), &json!("o'brien+x@acme.test"), None).is_ok());
    }

    #[test]
    fn a_record_type_narrows_the_options() {
        let allowed = ["Working - Contacted".to_owned()];
        assert!(check(&lead("Status"), &json!("Working - Contacted"), Some(&allowed)).is_ok());
        assert!(check(&lead("Status"), &json!("MQL - Pending Review"), Some(&allowed)).is_err());
    }
}
