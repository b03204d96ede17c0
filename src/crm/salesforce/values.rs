//! Values as Salesforce's JSON, and records out of it.

use chrono::SecondsFormat;
use serde_json::{Map, Value as Json};

use crate::source::ObjectName;
use crate::types::{Record, Value};

/// A value as the REST API takes it. Numbers keep every digit.
pub(super) fn to_json(value: &Value) -> Json {
    match value {
        Value::Blank => Json::Null,
        Value::Text(text) => Json::String(text.clone()),
        Value::Number(number) => {
            number.to_string().parse().map_or_else(|_| Json::String(number.to_string()), Json::Number)
        }
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Date(date) => Json::String(date.format("%Y-%m-%d").to_string()),
        Value::DateTime(instant) => Json::String(instant.to_rfc3339_opts(SecondsFormat::Millis, true)),
        Value::List(_) => Json::String(options(value)),
    }
}

/// A set of options as Salesforce writes it: `a;b`.
pub(super) fn options(value: &Value) -> String {
    match value {
        Value::List(values) => values.iter().map(options).collect::<Vec<_>>().join(";"),
        Value::Text(text) => text.clone(),
        other => match to_json(other) {
            Json::String(text) => text,
            Json::Null => String::new(),
            json => json.to_string(),
        },
    }
}

/// A row of a query as a record: of the row only `fields`, paths flattened under their dotted names.
///
/// `None` when the row has no id.
pub(super) fn record(object: &ObjectName, row: &Json, fields: &[String]) -> Option<Record> {
    let id = member(row, "Id")?.as_str()?.to_owned();
    Some(Record { object: object.clone(), id, values: of(row, fields) })
}

/// Of a row only `fields`, paths flattened under their dotted names.
pub(super) fn of(row: &Json, fields: &[String]) -> Map<String, Json> {
    fields.iter().filter_map(|field| Some((field.clone(), at_path(row, field)?))).collect()
}

/// The value at a path; null where a record on the way is not there.
fn at_path(row: &Json, path: &str) -> Option<Json> {
    let mut at = row;
    for part in path.split('.') {
        if at.is_null() {
            return Some(Json::Null);
        }
        at = member(at, part)?;
    }
    Some(at.clone())
}

/// Salesforce takes API names in any case and answers in its own.
fn member<'a>(row: &'a Json, name: &str) -> Option<&'a Json> {
    let map = row.as_object()?;
    map.get(name)
        .or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeZone, Utc};
    use serde_json::json;

    use crate::source::Side;

    use super::*;

    #[test]
    fn values_become_typed_json() {
        let number = |text: &str| Value::Number(text.parse().unwrap());
        assert_eq!(to_json(&number("12345678901234567890.10")).to_string(), "12345678901234567890.10");
        assert_eq!(to_json(&number("-87")).to_string(), "-87");
        assert_eq!(to_json(&Value::Blank), Json::Null);
        assert_eq!(to_json(&Value::Boolean(true)), json!(true));
        assert_eq!(to_json(&Value::Date(NaiveDate::from_ymd_opt(2024, 9, 30).unwrap())), json!("2024-09-30"));
        let instant = Utc.with_ymd_and_hms(2024, 9, 30, 8, 0, 1).unwrap();
        assert_eq!(to_json(&Value::DateTime(instant)), json!("2024-09-30T08:00:01.000Z"));
        assert_eq!(to_json(&Value::List(vec![Value::text("a"), Value::text("b")])), json!("a;b"));
    }

    #[test]
    fn paths_are_flattened() {
        let row = json!({
            "attributes": {"type": "Lead"}, "Id": "00Q000000000001AAA", "Email": "a@x.test", "Score__c": 87.50,
            "Owner": {"attributes": {"type": "User"}, "Email": "rep@x.test"}, "Campaign": null,
        });
        let fields = ["email", "Owner.Email", "Campaign.Name", "Score__c", "Missing"].map(str::to_owned);
        let record = record(&ObjectName::new(Side::Salesforce, "Lead"), &row, &fields).unwrap();
        assert_eq!(record.id, "00Q000000000001AAA");
        assert_eq!(
            Json::Object(record.values),
            json!({"email": "a@x.test", "Owner.Email": "rep@x.test", "Campaign.Name": null, "Score__c": row["Score__c"]})
        );
    }
}
