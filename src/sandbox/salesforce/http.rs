//! Requests and answers, free of the server's own types, so that subrequests of a composite pass the same way.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::error::ApiError;

/// A request, from outside or inside of a composite one.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Decoded segments of the path; empty ones (a trailing slash) are left out.
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    /// By lower-case name.
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Request {
    /// Reads a target such as `/services/data/v58.0/query/?q=SELECT+Id+FROM+Lead`.
    pub(super) fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        // Clients behind proxies that know no PATCH send POST with `_HttpMethod=PATCH`.
        let method = query
            .iter()
            .find(|(name, _)| name == "_HttpMethod" && method.eq_ignore_ascii_case("POST"))
            .map_or(method, |(_, method)| method)
            .to_ascii_uppercase();
        Self { method, segments, query, ..Self::default() }
    }

    /// The first value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON. What comes by the side door need not say that it is.
    pub(super) fn json(&self) -> Result<Value, ApiError> {
        if let Some(kind) = self.header("content-type")
            && self.segments.first().is_none_or(|first| first != "_sandbox")
            && !kind.to_ascii_lowercase().contains("json")
        {
            let kind = kind.split(';').next().unwrap_or(kind);
            let message = format!("Content type {kind} not supported. Use application/json.");
            return Err(ApiError::new("UNSUPPORTED_MEDIA_TYPE", message));
        }
        if self.body.trim().is_empty() {
            let message = "The HTTP entity body is required, but this request has no entity body.";
            return Err(ApiError::new("JSON_PARSER_ERROR", message));
        }
        serde_json::from_str(&self.body).map_err(|error| {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or("Unexpected character").to_owned();
            let message = format!("{what} at [line:{}, column:{}]", error.line(), error.column());
            ApiError::new("JSON_PARSER_ERROR", message)
        })
    }

    /// Whether a `name=value; …` header holds `name=true`.
    pub(super) fn header_flag(&self, header: &str, name: &str) -> bool {
        self.header_option(header, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The value of `name` in a `name=value; …` header.
    pub(super) fn header_option(&self, header: &str, name: &str) -> Option<&str> {
        self.header(header)?
            .split([';', ','])
            .filter_map(|part| part.split_once('='))
            .find(|(known, _)| known.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(Cow<'static, str>, String)>,
    pub(super) body: Body,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Empty,
    Json(Value),
    Text(&'static str, String),
}

impl Answer {
    pub(super) fn json(status: u16, body: impl Into<Value>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body.into()) }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    pub(super) fn text(status: u16, kind: &'static str, text: String) -> Self {
        Self { status, headers: Vec::new(), body: Body::Text(kind, text) }
    }

    /// The array of errors that every failed request answers with.
    pub(super) fn errors(errors: &[ApiError]) -> Self {
        let status = errors.first().map_or(500, |error| error.status);
        Self::json(status, Value::Array(errors.iter().map(ApiError::to_rest).collect()))
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Whether the request did what it was asked to.
    pub(super) fn is_success(&self) -> bool {
        self.status < 300
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Self::errors(&[error])
    }
}

impl From<Vec<ApiError>> for Answer {
    fn from(errors: Vec<ApiError>) -> Self {
        Self::errors(&errors)
    }
}

/// The answer to a method that a resource does not know.
pub(super) fn method_not_allowed(method: &str, allowed: &str) -> Answer {
    let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
    Answer::from(ApiError::new("METHOD_NOT_ALLOWED", message)).with_header("allow", allowed.to_owned())
}

/// Folds a result whose error is an answer already.
pub(super) fn settle(result: Result<Answer, Answer>) -> Answer {
    result.unwrap_or_else(|answer| answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_taken_apart() {
        let request =
            Request::new("get", "/services/data/v58.0/sobjects/Lead/Ext__c/a%2Fb%20c/?fields=Id,Name&x=%2B1");
        assert_eq!(request.method, "GET");
        assert_eq!(request.segments[6], "a/b c");
        assert_eq!(request.parameter("fields"), Some("Id,Name"));
        assert_eq!(request.parameter("x"), Some("+1"));
        assert_eq!(Request::new("POST", "/x?_HttpMethod=PATCH").method, "PATCH");
    }

    #[test]
    fn broken_json_is_told_with_its_place() {
        let mut request = Request::new("POST", "/");
        request.body = "{\"a\": }".to_owned();
        let error = request.json().unwrap_err();
        assert_eq!((error.status, error.code.as_ref()), (400, "JSON_PARSER_ERROR"));
        assert!(error.message.ends_with("at [line:1, column:7]"), "{}", error.message);
        request.headers.insert("content-type".into(), "text/plain".into());
        assert_eq!(request.json().unwrap_err().status, 415);
    }
}
