//! HubSpot's error bodies: `{status, message, correlationId, category, subCategory, errors, context}`.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) category: Option<Cow<'static, str>>,
    pub(super) message: String,
    pub(super) sub_category: Option<&'static str>,
    more: Box<More>,
}

/// The parts that few errors have.
#[derive(Debug, Clone, Default)]
struct More {
    errors: Vec<Value>,
    context: Map<String, Value>,
    extra: Map<String, Value>,
}

impl ApiError {
    pub(super) fn new(
        status: u16,
        category: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            category: Some(category.into()),
            message: message.into(),
            sub_category: None,
            more: Box::default(),
        }
    }

    /// An error without a category.
    pub(super) fn plain(status: u16, message: impl Into<String>) -> Self {
        Self { category: None, ..Self::new(status, "", message) }
    }

    /// 400 `VALIDATION_ERROR`.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// 404 for a record, property, owner or pipeline that is not there.
    pub(super) fn not_found() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "resource not found")
    }

    /// 404 for a path that no API has.
    pub(super) fn no_route(path: &str) -> Self {
        Self::plain(404, format!("No route matches {path}"))
    }

    /// 405 for a path that has no such method.
    pub(super) fn method() -> Self {
        Self::plain(405, "HTTP 405 Method Not Allowed")
    }

    pub(super) fn context(mut self, key: &str, values: &[impl AsRef<str>]) -> Self {
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        self.more.context.insert(key.to_owned(), json!(values));
        self
    }

    /// Leaves out what only the errors of a batch tell.
    pub(super) fn without_context(mut self) -> Self {
        self.more.context.clear();
        self
    }

    pub(super) fn sub_category(mut self, sub_category: &'static str) -> Self {
        self.sub_category = Some(sub_category);
        self
    }

    pub(super) fn errors(mut self, errors: Vec<Value>) -> Self {
        self.more.errors = errors;
        self
    }

    pub(super) fn extra(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.extra.insert(key.to_owned(), value.into());
        self
    }

    /// The whole body of a failed call.
    pub(super) fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("status".into(), "error".into());
        body.insert("message".into(), self.message.clone().into());
        body.insert("correlationId".into(), Uuid::new_v4().to_string().into());
        self.details(&mut body);
        Value::Object(body)
    }

    /// The entry of one input in the `errors` of a 207.
    pub(super) fn entry(&self, trace: Option<&str>) -> Value {
        let mut traced = self.clone();
        if let Some(trace) = trace {
            traced.more.context.insert("objectWriteTraceId".into(), json!([trace]));
        }
        let mut entry = Map::new();
        entry.insert("status".into(), "error".into());
        entry.insert("message".into(), self.message.clone().into());
        traced.details(&mut entry);
        Value::Object(entry)
    }

    fn details(&self, body: &mut Map<String, Value>) {
        if !self.more.context.is_empty() {
            body.insert("context".into(), Value::Object(self.more.context.clone()));
        }
        if !self.more.errors.is_empty() {
            body.insert("errors".into(), Value::Array(self.more.errors.clone()));
        }
        if let Some(category) = &self.category {
            body.insert("category".into(), category.clone().into());
        }
        if let Some(sub_category) = self.sub_category {
            body.insert("subCategory".into(), sub_category.into());
        }
        body.extend(self.more.extra.clone());
    }
}
