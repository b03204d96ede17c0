//! SOQL from typed parts, and from nothing else.
//!
//! There is no way to put text into a query but as a name that was checked or a literal that was escaped.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::types::{Filter, FilterOp, Value};

/// SOQL's longest statement in characters (Salesforce's "SOQL and SOSL Limits").
const MAX_STATEMENT: usize = 100_000;
/// The longest string in a WHERE clause in characters (the same page).
const MAX_TEXT: usize = 4_000;
/// A query travels in the URL, which Salesforce caps at 16,384 bytes with the host; some room is left.
const MAX_ENCODED: usize = 15_000;

/// When a record was last committed, by a person or by an automation (Salesforce's object reference: system fields).
pub(super) const COMMITTED: &str = "SystemModstamp";

/// Why a query cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SoqlError {
    /// Not a name of an object or a field.
    #[error("`{0}` is not an API name")]
    Name(String),
    /// A text above the limit.
    #[error("a text of {0} characters cannot be looked up: the limit is {MAX_TEXT}")]
    Text(usize),
    /// A value that a query cannot hold in this place.
    #[error("{0} cannot be looked up")]
    Value(&'static str),
    /// The whole is too long; fewer values in one query may help.
    #[error("the query is too long")]
    Length,
}

/// A SELECT being built.
#[derive(Debug, Clone)]
pub(super) struct SelectBuilder {
    object: String,
    fields: Vec<String>,
    conditions: Vec<String>,
    order: Vec<&'static str>,
    limit: Option<u32>,
}

impl SelectBuilder {
    /// Selects from an object; `Id` always comes first.
    pub(super) fn from(object: &str) -> Result<Self, SoqlError> {
        let object = name(object, false)?.to_owned();
        let order = vec!["CreatedDate", "Id"];
        Ok(Self { object, fields: vec!["Id".to_owned()], conditions: Vec::new(), order, limit: None })
    }

    /// Selects a field or a path; once, however often it is named.
    pub(super) fn field(mut self, field: &str) -> Result<Self, SoqlError> {
        let field = name(field, true)?;
        if !self.fields.iter().any(|known| known.eq_ignore_ascii_case(field)) {
            self.fields.push(field.to_owned());
        }
        Ok(self)
    }

    /// Demands that a test holds.
    pub(super) fn filter(mut self, filter: &Filter) -> Result<Self, SoqlError> {
        self.conditions.push(condition(filter)?);
        Ok(self)
    }

    /// Orders by the last commit, then by id, and starts at an instant, or behind a row of one.
    ///
    /// Many rows can share an instant: without the id, a page that ends among them would lose the others.
    pub(super) fn committed_since(
        mut self,
        from: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<Self, SoqlError> {
        self.order = vec![COMMITTED, "Id"];
        let instant = literal(&Value::DateTime(from))?;
        // First the plain bound, which an index can serve.
        self.conditions.push(format!("{COMMITTED} >= {instant}"));
        if let Some(id) = after {
            self.conditions.push(format!("({COMMITTED} > {instant} OR Id > {})", quoted(id)?));
        }
        Ok(self)
    }

    /// Orders by id, and starts behind one.
    pub(super) fn by_id(mut self, after: Option<&str>) -> Result<Self, SoqlError> {
        self.order = vec!["Id"];
        if let Some(id) = after {
            self.conditions.push(format!("Id > {}", quoted(id)?));
        }
        Ok(self)
    }

    /// The statement that asks only how many rows there are.
    pub(super) fn count(self) -> Result<String, SoqlError> {
        let mut soql = format!("SELECT COUNT() FROM {}", self.object);
        if !self.conditions.is_empty() {
            soql.push_str(" WHERE ");
            soql.push_str(&self.conditions.join(" AND "));
        }
        fitting(soql)
    }

    /// Returns at most so many rows.
    pub(super) fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// The statement; by default the oldest record first, then by id, so that the same question has the same answer.
    pub(super) fn build(self) -> Result<String, SoqlError> {
        let mut soql = format!("SELECT {} FROM {}", self.fields.join(", "), self.object);
        if !self.conditions.is_empty() {
            soql.push_str(" WHERE ");
            soql.push_str(&self.conditions.join(" AND "));
        }
        soql.push_str(" ORDER BY ");
        soql.push_str(&self.order.join(", "));
        if let Some(rows) = self.limit {
            soql.push_str(" LIMIT ");
            soql.push_str(&rows.to_string());
        }
        fitting(soql)
    }
}

/// A statement that fits Salesforce's limits.
fn fitting(soql: String) -> Result<String, SoqlError> {
    let encoded: usize = url::form_urlencoded::byte_serialize(soql.as_bytes()).map(str::len).sum();
    if soql.chars().count() > MAX_STATEMENT || encoded > MAX_ENCODED {
        return Err(SoqlError::Length);
    }
    Ok(soql)
}

fn condition(filter: &Filter) -> Result<String, SoqlError> {
    let field = name(&filter.field, true)?;
    let compare = |operator: &str, value: &Value| Ok(format!("{field} {operator} {}", literal(value)?));
    match &filter.op {
        FilterOp::Eq(value) => compare("=", value),
        FilterOp::Ne(value) => compare("!=", value),
        FilterOp::Lt(value) => compare("<", value),
        FilterOp::Le(value) => compare("<=", value),
        FilterOp::Gt(value) => compare(">", value),
        FilterOp::Ge(value) => compare(">=", value),
        FilterOp::In(values) if values.is_empty() => Err(SoqlError::Value("an empty list")),
        FilterOp::In(values) => {
            let values = values.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
            Ok(format!("{field} IN ({})", values.join(", ")))
        }
        FilterOp::Present => Ok(format!("{field} != NULL")),
        FilterOp::Blank => Ok(format!("{field} = NULL")),
    }
}

/// A value as a literal: text quoted, everything else bare.
pub(super) fn literal(value: &Value) -> Result<String, SoqlError> {
    match value {
        Value::Blank => Err(SoqlError::Value("a blank")),
        Value::Text(text) => quoted(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Boolean(true) => Ok("TRUE".to_owned()),
        Value::Boolean(false) => Ok("FALSE".to_owned()),
        Value::Date(date) => Ok(date.format("%Y-%m-%d").to_string()),
        Value::DateTime(instant) => Ok(instant.to_rfc3339_opts(SecondsFormat::Millis, true)),
        Value::List(_) => quoted(&super::values::options(value)),
    }
}

fn quoted(text: &str) -> Result<String, SoqlError> {
    let length = text.encode_utf16().count();
    if length > MAX_TEXT {
        return Err(SoqlError::Text(length));
    }
    Ok(format!("'{}'", escape(text)))
}

/// Escapes a text for a string literal (Salesforce's "Quoted String Escape Sequences").
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Checks an API name; a path has several, joined by full stops.
pub(super) fn name(text: &str, path: bool) -> Result<&str, SoqlError> {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let fine = if path { text.split('.').all(word) } else { word(text) };
    if fine { Ok(text) } else { Err(SoqlError::Name(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeZone};
    use proptest::prelude::*;

    use super::*;

    fn eq(field: &str, value: Value) -> Filter {
        Filter { field: field.into(), op: FilterOp::Eq(value) }
    }

    fn where_of(filter: &Filter) -> String {
        condition(filter).unwrap()
    }

    #[test]
    fn a_whole_statement() {
        let soql = SelectBuilder::from("Lead")
            .and_then(|s| {
                s.field("Email")?
                    .field("Owner.Email")?
                    .field("email")?
                    .filter(&eq("Email", Value::text("a@x.test")))
            })
            .and_then(|s| s.filter(&eq("IsConverted", Value::Boolean(false)))?.limit(2).build())
            .unwrap();
        assert_eq!(
            soql,
            "SELECT Id, Email, Owner.Email FROM Lead WHERE Email = 'a@x.test' AND IsConverted = FALSE \
             ORDER BY CreatedDate, Id LIMIT 2"
        );
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(where_of(&eq("Name", Value::text("O'Hara \\ \"x\""))), r#"Name = 'O\'Hara \\ \"x\"'"#);
        assert_eq!(where_of(&eq("Name", Value::text("a\n\r\t\u{8}\u{c}b"))), r"Name = 'a\n\r\t\b\fb'");
        assert_eq!(where_of(&eq("Name", Value::text("' OR Name != '"))), r"Name = '\' OR Name != \''");
        assert_eq!(where_of(&eq("Name", Value::text("😀 ß"))), "Name = '😀 ß'");
    }

    #[test]
    fn other_values_are_bare() {
        assert_eq!(where_of(&eq("Amount", Value::Number("12.50".parse().unwrap()))), "Amount = 12.50");
        let date = NaiveDate::from_ymd_opt(2024, 9, 30).unwrap();
        assert_eq!(where_of(&eq("D__c", Value::Date(date))), "D__c = 2024-09-30");
        let instant = Utc.with_ymd_and_hms(2024, 9, 30, 8, 0, 1).unwrap();
        let filter = Filter { field: "SystemModstamp".into(), op: FilterOp::Ge(Value::DateTime(instant)) };
        assert_eq!(where_of(&filter), "SystemModstamp >= 2024-09-30T08:00:01.000Z");
        let list = vec![Value::text("a"), Value::text("b'")];
        assert_eq!(where_of(&Filter { field: "F".into(), op: FilterOp::In(list) }), r"F IN ('a', 'b\'')");
        assert_eq!(where_of(&Filter { field: "F".into(), op: FilterOp::Present }), "F != NULL");
        assert_eq!(where_of(&Filter { field: "F".into(), op: FilterOp::Blank }), "F = NULL");
    }

    #[test]
    fn names_are_checked() {
        for bad in ["", "Na me", "1st", "Owner.", ".Email", "a..b", "Name'", "Näme", "Id FROM User--"] {
            assert_eq!(name(bad, true), Err(SoqlError::Name(bad.to_owned())));
            assert!(SelectBuilder::from(bad).is_err(), "{bad}");
        }
        assert!(name("Owner.Email", true).is_ok());
        assert!(SelectBuilder::from("Owner.Email").is_err());
        assert!(SelectBuilder::from("HubSpot_Thing__c").is_ok());
    }

    #[test]
    fn limits_are_errors() {
        assert!(condition(&eq("F", Value::text("x".repeat(4_000)))).is_ok());
        assert_eq!(condition(&eq("F", Value::text("x".repeat(4_001)))), Err(SoqlError::Text(4_001)));
        assert_eq!(condition(&eq("F", Value::Blank)), Err(SoqlError::Value("a blank")));
        assert!(condition(&Filter { field: "F".into(), op: FilterOp::In(vec![]) }).is_err());
        let many = (0..1_000).map(|i| Value::text(format!("someone{i}@example.test"))).collect();
        let filter = Filter { field: "Email".into(), op: FilterOp::In(many) };
        assert_eq!(
            SelectBuilder::from("Lead").and_then(|s| s.filter(&filter)?.build()),
            Err(SoqlError::Length)
        );
    }

    /// Reads one string literal the way the reference describes; `None` unless it is exactly one.
    fn lex(literal: &str) -> Option<String> {
        let mut characters = literal.strip_prefix('\'')?.chars();
        let mut text = String::new();
        loop {
            match characters.next()? {
                '\'' => return characters.next().is_none().then_some(text),
                '\\' => text.push(match characters.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    c @ ('\\' | '\'' | '"') => c,
                    _ => return None,
                }),
                '\n' | '\r' => return None,
                other => text.push(other),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_literal_lexes_back_to_its_text(text in "(?s).{1,60}") {
            let lexed = lex(&literal(&Value::Text(text.clone())).unwrap());
            prop_assert_eq!(lexed, Some(text));
        }

        #[test]
        fn quotes_and_backslashes_in_any_order(text in "['\\\\\"a\n]{1,20}") {
            let lexed = lex(&literal(&Value::Text(text.clone())).unwrap());
            prop_assert_eq!(lexed, Some(text));
        }
    }
}
