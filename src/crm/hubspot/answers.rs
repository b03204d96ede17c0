//! What HubSpot's answers mean, by the table in `crm/answers.rs`.
//!
//! HubSpot's error body is `{status, message, category, subCategory, errors: [{message, code, in, context}], context}`,
//! and every field is optional. Property errors can also be JSON inside `message`.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value as Json;

use crate::crm::answers::{Meaning, NOT_OFFERED, coded};
use crate::crm::http::{Answer, Vendor, by_status, error};
use crate::crm::limits::DAY;
use crate::crm::{Allowance, Limits};
use crate::source::Side;
use crate::types::{CrmError, FieldError, WriteAnswer};

/// HubSpot, as the transport sees it.
pub(super) static VENDOR: Vendor = Vendor { side: Side::Hubspot, explain, limits };

/// One error: a whole body, or an entry of a partial answer's `errors`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    category: String,
    sub_category: String,
    message: String,
    details: Vec<FieldError>,
    context: Json,
}

impl Problem {
    /// Reads an error; `None` where the JSON is no object.
    pub(super) fn read(json: &Json) -> Option<Self> {
        json.as_object()?;
        let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let message = text("message");
        let mut details: Vec<FieldError> = Vec::new();
        let listed = json.get("errors").and_then(Json::as_array).cloned().unwrap_or_default();
        for detail in listed.iter().chain(&inside(&message)).filter_map(detail) {
            // Whole batches repeat the same errors, and the message repeats the list.
            let same = |known: &FieldError| known.code == detail.code && known.fields == detail.fields;
            if !details.iter().any(same) {
                details.push(detail);
            }
        }
        let context = json.get("context").cloned().unwrap_or(Json::Null);
        Some(Self {
            category: text("category"),
            sub_category: text("subCategory"),
            message,
            details,
            context,
        })
    }

    /// HubSpot's words.
    pub(super) fn words(&self) -> &str {
        if self.message.is_empty() { &self.category } else { &self.message }
    }

    /// The texts under a name of the context.
    pub(super) fn context(&self, name: &str) -> Vec<String> {
        match self.context.get(name) {
            Some(Json::Array(values)) => values.iter().filter_map(scalar).collect(),
            Some(value) => scalar(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Whether it says that there are no associations, which is not an error.
    pub(super) fn is_no_associations(&self) -> bool {
        self.sub_category.ends_with("NO_ASSOCIATIONS_FOUND")
    }

    /// Whether it says that records do not exist.
    pub(super) fn is_not_found(&self) -> bool {
        coded(Side::Hubspot, &self.category, "") == Some(Meaning::Gone)
            || self.sub_category.ends_with("NOT_FOUND")
            || self.message.to_ascii_lowercase().contains("resource not found")
    }

    /// Whether it says that there is no such address; of a record that is gone it says something else.
    fn is_no_route(&self) -> bool {
        self.message.to_ascii_lowercase().contains("no route")
    }

    /// The record that already holds the value: from the context, or from the words.
    fn existing(&self) -> Option<String> {
        let named = self.context("existingId").into_iter().next();
        named.or_else(|| {
            let words = self.details.iter().map(|d| d.message.as_str()).chain([self.message.as_str()]);
            words.into_iter().find_map(existing_in)
        })
    }
}

/// "… Existing ID: 123", or "… 123 already has that value".
fn existing_in(words: &str) -> Option<String> {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let after = words.split_once("Existing ID:").map(|(_, rest)| digits(rest.trim_start()));
    let before = || {
        let (head, _) = words.split_once(" already has that value")?;
        head.rsplit(|c: char| !c.is_ascii_digit()).next().map(str::to_owned)
    };
    after.or_else(before).filter(|id| !id.is_empty())
}

/// The list of property errors inside a message: `Property values were not valid: [{…}]`.
fn inside(message: &str) -> Vec<Json> {
    let Some(start) = message.find("[{") else { return Vec::new() };
    let mut values = serde_json::Deserializer::from_str(&message[start..]).into_iter::<Vec<Json>>();
    values.next().and_then(Result::ok).unwrap_or_default()
}

/// A property error in either form: `{message, code, context: {propertyName: […]}}` or `{message, error, name}`.
fn detail(json: &Json) -> Option<FieldError> {
    let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let message = text("message").unwrap_or_default();
    let code = text("code").or_else(|| text("error")).unwrap_or_default();
    if code.is_empty() && message.is_empty() {
        return None;
    }
    let mut fields: Vec<String> = match json.pointer("/context/propertyName") {
        Some(Json::Array(names)) => names.iter().filter_map(scalar).collect(),
        Some(name) => scalar(name).into_iter().collect(),
        None => Vec::new(),
    };
    fields.extend(if fields.is_empty() { text("name").or_else(|| text("in")) } else { None });
    Some(FieldError { code, message, fields })
}

fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What an answer that is no success means for the call as a whole.
fn explain(answer: &Answer) -> CrmError {
    let body = answer.json();
    let problem = body.as_ref().and_then(Problem::read);
    let policy = body.as_ref().and_then(|b| b.get("policyName")).and_then(Json::as_str).unwrap_or_default();
    let (kind, maybe_applied) = match (coded(Side::Hubspot, policy, ""), by_status(Side::Hubspot, answer)) {
        // The ten-second window passes by itself, the day does not.
        (Some(meaning), _) => meaning.kind(),
        (None, Some(known)) => known,
        (None, None) if answer.status == 404 && problem.as_ref().is_none_or(Problem::is_no_route) => {
            NOT_OFFERED.meaning.kind()
        }
        (None, None) if problem.is_none() => Meaning::Unreadable.kind(),
        (None, None) => Meaning::Invalid.kind(),
    };
    let words = problem.as_ref().map(|p| p.message.clone()).filter(|words| !words.is_empty());
    let mut error = error(Side::Hubspot, kind, words.unwrap_or_else(|| answer.excerpt()));
    error.status = Some(answer.status);
    error.code = problem.map(|p| p.category).filter(|category| !category.is_empty());
    if error.code.is_none() && !policy.is_empty() {
        error.code = Some(policy.to_owned());
    }
    error.maybe_applied = maybe_applied;
    error
}

/// What an error of one written row means.
pub(super) fn row(problem: &Problem) -> WriteAnswer {
    let message = problem.message.clone();
    let details = || problem.details.iter();
    let meaning_of = |code: &str| coded(Side::Hubspot, code, "");
    let unique = details().find(|detail| meaning_of(&detail.code) == Some(Meaning::Taken));
    let meaning = meaning_of(&problem.category);
    if meaning == Some(Meaning::Taken) || unique.is_some() || problem.existing().is_some() {
        let field = unique.and_then(|detail| detail.fields.first().cloned());
        return WriteAnswer::Taken { field, existing: problem.existing(), message };
    }
    if problem.is_not_found() {
        return WriteAnswer::Gone { message };
    }
    if let Some(meaning @ (Meaning::Again | Meaning::Perhaps | Meaning::Window)) = meaning {
        let (kind, maybe_applied) = meaning.kind();
        let mut error = error(Side::Hubspot, kind, message);
        error.code = Some(problem.category.clone());
        error.maybe_applied = maybe_applied;
        return WriteAnswer::Failed(error);
    }
    let errors = if problem.details.is_empty() {
        vec![FieldError { code: problem.category.clone(), message, fields: Vec::new() }]
    } else {
        problem.details.clone()
    };
    WriteAnswer::Rejected { errors }
}

/// What a refused single write means; `named` tells whether it named a record that can be gone.
pub(super) fn single(answer: &Answer, named: bool) -> WriteAnswer {
    let problem = answer.json().as_ref().and_then(Problem::read);
    match (answer.status, problem) {
        (409, Some(problem)) => {
            WriteAnswer::Taken { field: None, existing: problem.existing(), message: problem.message }
        }
        (404, Some(problem)) if named && problem.is_not_found() => {
            WriteAnswer::Gone { message: problem.message }
        }
        (400 | 422, Some(problem)) => row(&problem),
        _ => WriteAnswer::Failed(explain(answer)),
    }
}

/// Reads the `X-HubSpot-RateLimit-*` headers. Searches send none, OAuth sends none for the day.
fn limits(headers: &HeaderMap, limits: &mut Limits) {
    let number = |name: &str| -> Option<u64> {
        headers.get(format!("X-HubSpot-RateLimit-{name}"))?.to_str().ok()?.trim().parse().ok()
    };
    if let (Some(max), Some(remaining)) = (number("Max"), number("Remaining")) {
        // HubSpot's usage guidelines: ten seconds where the header is missing.
        let window = Duration::from_millis(number("Interval-Milliseconds").unwrap_or(10_000));
        limits.window = Some(Allowance { max, remaining, window });
    }
    if let (Some(max), Some(remaining)) = (number("Daily"), number("Daily-Remaining")) {
        limits.daily = Some(Allowance { max, remaining, window: DAY });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::CrmErrorKind;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.to_owned().into() }
    }

    fn one(status: u16, body: &Json) -> WriteAnswer {
        single(&answer(status, &body.to_string()), true)
    }

    #[test]
    fn calls_are_classified() {
        let limit = |policy: &str| {
            json!({"errorType": "RATE_LIMIT", "policyName": policy, "message": "limit"}).to_string()
        };
        let kind = |status, body: &str| explain(&answer(status, body)).kind;
        assert_eq!(kind(429, &limit("DAILY")), CrmErrorKind::Window);
        assert_eq!(kind(429, &limit("TEN_SECONDLY_ROLLING")), CrmErrorKind::Retry);
        assert_eq!(kind(429, ""), CrmErrorKind::Retry);
        for status in [423, 477, 500, 502, 503, 504, 521, 524] {
            assert_eq!(kind(status, "<html>"), CrmErrorKind::Retry, "{status}");
        }
        assert_eq!(kind(401, "{}"), CrmErrorKind::Unauthorised);
        assert_eq!(
            kind(403, &json!({"category": "MISSING_SCOPES", "message": "m"}).to_string()),
            CrmErrorKind::Forbidden
        );
        for status in [400, 404, 409, 422] {
            assert_eq!(kind(status, "{}"), CrmErrorKind::Refused, "{status}");
        }
        assert_eq!(kind(404, "<html>nothing</html>"), CrmErrorKind::Version);
        assert_eq!(kind(418, "<html>nothing</html>"), CrmErrorKind::Garbled);
        assert!(!explain(&answer(423, "")).maybe_applied && explain(&answer(502, "")).maybe_applied);
        assert_eq!(explain(&answer(429, &limit("DAILY"))).code.as_deref(), Some("DAILY"));
    }

    #[test]
    fn a_conflict_names_the_record() {
        let body = json!({"status": "error", "message": "Contact already exists. Existing ID: 171591000198", "category": "CONFLICT"});
        assert!(
            matches!(one(409, &body), WriteAnswer::Taken { existing: Some(id), .. } if id == "171591000198")
        );
        let nameless = json!({"message": "Contact already exists", "category": "CONFLICT"});
        assert!(matches!(one(409, &nameless), WriteAnswer::Taken { existing: None, .. }));
        let entry = json!({"category": "CONFLICT", "message": "Contact already exists", "context": {"existingId": ["7"]}});
        assert!(
            matches!(row(&Problem::read(&entry).unwrap()), WriteAnswer::Taken { existing: Some(id), .. } if id == "7")
        );
    }

    #[test]
    fn a_unique_property_that_is_taken() {
        let message = r#"Property values were not valid: [{"isValid":false,"message":"Cannot set it on 12. 45 already has that value.","error":"CONFLICTING_UNIQUE_VALUE","name":"salesforce_id"}]"#;
        let WriteAnswer::Taken { field, existing, .. } =
            one(400, &json!({"message": message, "category": "VALIDATION_ERROR"}))
        else {
            panic!()
        };
        assert_eq!((field.as_deref(), existing.as_deref()), (Some("salesforce_id"), Some("45")));
    }

    #[test]
    fn property_errors_are_read_from_both_places_once() {
        let body = json!({
            "message": r#"Property values were not valid: [{"isValid":false,"message":"Property \"x\" does not exist","error":"PROPERTY_DOESNT_EXIST","name":"x"},{"isValid":false,"message":"z was not one of the allowed options","error":"INVALID_OPTION","name":"z"}] (2)"#,
            "errors": [
                {"message": "Property \"x\" does not exist", "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["x"]}},
                {"message": "Property \"x\" does not exist", "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["x"]}},
            ],
            "category": "VALIDATION_ERROR",
        });
        for status in [400, 422] {
            let WriteAnswer::Rejected { errors } = one(status, &body) else { panic!() };
            let found: Vec<_> = errors.iter().map(|e| (e.code.as_str(), e.fields[0].as_str())).collect();
            assert_eq!(found, [("PROPERTY_DOESNT_EXIST", "x"), ("INVALID_OPTION", "z")]);
        }
    }

    #[test]
    fn a_record_that_is_gone() {
        let body = json!({"status": "error", "message": "resource not found", "correlationId": "c"});
        assert!(matches!(one(404, &body), WriteAnswer::Gone { .. }));
        assert!(matches!(single(&answer(404, &body.to_string()), false), WriteAnswer::Failed(_)));
        assert!(matches!(
            one(404, &json!("no")),
            WriteAnswer::Failed(CrmError { kind: CrmErrorKind::Version, .. })
        ));
    }

    #[test]
    fn allowances_are_read() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("max", "190"),
            ("remaining", "188"),
            ("interval-milliseconds", "10000"),
            ("daily", "250000"),
            ("daily-remaining", "249000"),
        ] {
            let name: reqwest::header::HeaderName = format!("x-hubspot-ratelimit-{name}").parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let mut known = Limits::default();
        limits(&headers, &mut known);
        assert_eq!(known.window.map(|w| (w.used(), w.window)), Some((2, Duration::from_secs(10))));
        assert_eq!(known.daily.map(|d| d.remaining), Some(249_000));
    }
}
