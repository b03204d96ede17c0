//! A request as the handlers see it, and the answers that they give.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;

/// What a handler gives.
pub(super) type Outcome = Result<Answer, ApiError>;

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

/// 200 with a body.
pub(super) fn ok(body: Value) -> Outcome {
    answer(200, body)
}

/// A body with a status.
#[expect(clippy::unnecessary_wraps, reason = "handlers return it as their outcome")]
pub(super) fn answer(status: u16, body: Value) -> Outcome {
    Ok(Answer { status, body: Some(body) })
}

/// 204.
#[expect(clippy::unnecessary_wraps, reason = "handlers return it as their outcome")]
pub(super) fn no_content() -> Outcome {
    Ok(Answer { status: 204, body: None })
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    /// The path's segments, decoded, without empty ones; a path by date is rewritten to its numbered form.
    pub(super) segments: Vec<String>,
    /// Whether the path was one by date (`/crm/objects/2026-03/…`).
    pub(super) dated: bool,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn new(method: Method, path: &str, query: &str, headers: HeaderMap, body: Bytes) -> Self {
        let raw = path.split('/').filter(|segment| !segment.is_empty());
        let segments: Vec<String> =
            raw.map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned()).collect();
        let (segments, dated) = numbered(segments);
        Self { method, path: path.to_owned(), segments, dated, query: Query::parse(query), headers, body }
    }

    /// The body as JSON of a shape.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Err(ApiError::invalid("Request body is required but was empty"));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let text = error.to_string();
            let cause = text.split(" at line ").next().unwrap_or_default().to_owned();
            if let Some(field) = cause.strip_prefix("missing field ") {
                let field = field.trim_matches('`');
                return ApiError::invalid(format!("Some required fields were not set: [{field}]"));
            }
            let place = format!("line {}, column {}", error.line(), error.column());
            ApiError::invalid(format!("Invalid input JSON on {place}: {cause}"))
        })
    }

    /// The fields of a form body.
    pub(super) fn form(&self) -> Query {
        Query::parse(&String::from_utf8_lossy(&self.body))
    }
}

/// Rewrites `/crm/objects/2026-03/…` to `/crm/v3/objects/…` and the like; HubSpot's APIs by date keep the shapes.
fn numbered(mut segments: Vec<String>) -> (Vec<String>, bool) {
    let dated = |segment: &String| {
        let version = segment.strip_suffix("-beta").unwrap_or(segment);
        let parts = version.split_once('-');
        parts.is_some_and(|(year, month)| {
            year.len() == 4 && month.len() == 2 && all_digits(year) && all_digits(month)
        })
    };
    let area = segments.first().map(String::as_str);
    let at = match area {
        Some("crm") => 2,
        Some("webhooks" | "oauth" | "account-info") => 1,
        _ => return (segments, false),
    };
    if !segments.get(at).is_some_and(dated) {
        return (segments, false);
    }
    if at == 1 {
        segments[1] = if segments[0] == "oauth" { "v1" } else { "v3" }.into();
        return (segments, true);
    }
    let api = segments[1].clone();
    let of_pair = segments.get(5).is_some_and(|segment| segment == "associations");
    let version = if api == "associations" || (api == "objects" && of_pair) { "v4" } else { "v3" };
    segments[1] = version.into();
    segments[2] = api;
    (segments, true)
}

pub(super) fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Query or form parameters, decoded.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// A parameter's value; an empty one counts as absent.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, value)| key == name && !value.is_empty());
        values.next().map(|(_, value)| value.as_str())
    }

    /// A list, repeated or joined by commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let bracketed = format!("{name}[]");
        let given = self.0.iter().filter(|(key, _)| key == name || *key == bracketed);
        let parts = given.flat_map(|(_, value)| value.split(',')).map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A boolean in any case; false where it is absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.one(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(ApiError::invalid(format!("{text} is not a valid value for {name}"))),
        }
    }

    /// A page size between 1 and a most.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        let Some(text) = self.one("limit") else { return Ok(default) };
        match text.parse::<usize>() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            Ok(_) => Err(ApiError::invalid(format!("limit must be between 1 and {most}, but was {text}"))),
            Err(_) => Err(ApiError::invalid(format!("{text} is not a valid value for limit"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        Call::new(Method::GET, path, "", HeaderMap::new(), Bytes::new()).segments
    }

    #[test]
    fn paths_by_date_become_numbered_ones() {
        assert_eq!(segments("/crm/objects/2026-03/contacts/7/"), ["crm", "v3", "objects", "contacts", "7"]);
        let pair = segments("/crm/objects/2026-03/contacts/7/associations/companies");
        assert_eq!(pair, ["crm", "v4", "objects", "contacts", "7", "associations", "companies"]);
        assert_eq!(
            segments("/crm/associations/2026-03/0-1/0-2/batch/read")[..3],
            ["crm", "v4", "associations"]
        );
        assert_eq!(segments("/oauth/2026-03/token"), ["oauth", "v1", "token"]);
        assert_eq!(segments("/webhooks/2026-09-beta/1/settings"), ["webhooks", "v3", "1", "settings"]);
        assert_eq!(segments("/crm/v3/objects/contacts"), ["crm", "v3", "objects", "contacts"]);
    }

    #[test]
    fn ids_in_paths_are_decoded_and_lists_come_in_both_forms() {
        assert_eq!(segments("/crm/v3/objects/contacts/a%40b.example")[4], "a@b.example");
        let query = Query::parse("properties=a&properties=b,c&archived=True&limit=");
        assert_eq!(query.list("properties"), ["a", "b", "c"]);
        assert!(query.flag("archived").expect("a boolean"));
        assert_eq!(query.limit(10, 100).expect("the default"), 10);
    }
}
