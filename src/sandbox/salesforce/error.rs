//! Errors in Salesforce's own words, and the two shapes in which they are answered.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// One error of the REST API.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError {
    /// The HTTP status when this error is the whole answer.
    pub(super) status: u16,
    /// `errorCode` or `statusCode`.
    pub(super) code: Cow<'static, str>,
    /// `message`.
    pub(super) message: String,
    /// `fields`; left out of a whole answer where it is `None`.
    pub(super) fields: Option<Vec<String>>,
    /// The finding of a duplicate rule.
    pub(super) duplicate: Option<Box<Value>>,
}

impl ApiError {
    /// An error without `fields`, with the status that belongs to its code.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: status_of(code),
            code: code.into(),
            message: message.into(),
            fields: None,
            duplicate: None,
        }
    }

    /// An error of the data layer about these fields (possibly none: `fields` is then an empty list).
    pub(super) fn on_fields(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Self { fields: Some(fields), ..Self::new(code, message) }
    }

    /// The answer for a path that leads nowhere.
    pub(super) fn no_resource() -> Self {
        Self::new("NOT_FOUND", "The requested resource does not exist")
    }

    /// The same error under another HTTP status.
    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The element of a whole answer: `{message, errorCode, fields}`.
    ///
    /// A duplicate finding stands under `duplicateResut`: the real API misspells the key.
    pub(super) fn to_rest(&self) -> Value {
        let mut error = Map::new();
        if let Some(found) = &self.duplicate {
            error.insert("duplicateResut".into(), Value::clone(found));
        }
        error.insert("message".into(), self.message.clone().into());
        error.insert("errorCode".into(), self.code.clone().into());
        if let (Some(fields), None) = (&self.fields, &self.duplicate) {
            error.insert("fields".into(), fields.clone().into());
        }
        Value::Object(error)
    }

    /// The element of a collection's result: `{statusCode, message, fields}`.
    pub(super) fn to_result(&self) -> Value {
        let mut error = json!({
            "statusCode": self.code,
            "message": self.message,
            "fields": self.fields.clone().unwrap_or_default(),
        });
        if let (Some(found), Some(map)) = (&self.duplicate, error.as_object_mut()) {
            map.insert("duplicateResult".into(), Value::clone(found));
        }
        error
    }
}

fn status_of(code: &str) -> u16 {
    match code {
        "INVALID_SESSION_ID" | "INVALID_AUTH_HEADER" => 401,
        "REQUEST_LIMIT_EXCEEDED" | "API_DISABLED_FOR_ORG" | "INSUFFICIENT_ACCESS" => 403,
        "NOT_FOUND" | "ENTITY_IS_DELETED" => 404,
        "METHOD_NOT_ALLOWED" => 405,
        "UNSUPPORTED_MEDIA_TYPE" => 415,
        "UNKNOWN_EXCEPTION" => 500,
        _ => 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_carry_the_code_under_their_own_key() {
        let error = ApiError::on_fields("STRING_TOO_LONG", "too long", &["Title"]);
        assert_eq!(
            error.to_rest(),
            json!({"message": "too long", "errorCode": "STRING_TOO_LONG", "fields": ["Title"]})
        );
        assert_eq!(
            error.to_result(),
            json!({"statusCode": "STRING_TOO_LONG", "message": "too long", "fields": ["Title"]})
        );
        assert_eq!(ApiError::no_resource().status, 404);
        assert!(ApiError::no_resource().to_rest().get("fields").is_none());
    }
}
