//! What Salesforce's answers mean, by the table in `crm/answers.rs`.
//!
//! Error bodies are `[{message, errorCode, fields}]`; rows of a collections call say `statusCode` instead; the token
//! endpoint says `{error, error_description}`. Codes are decisive, statuses only where there is no code: a lock, for
//! one, comes with different statuses.

use reqwest::header::HeaderMap;
use serde_json::Value as Json;

use crate::crm::answers::{Meaning, coded};
use crate::crm::http::{Answer, Vendor, by_status, error};
use crate::crm::limits::DAY;
use crate::crm::{Allowance, Limits};
use crate::source::{ObjectName, Side};
use crate::types::{ConvertAnswer, CrmError, CrmErrorKind, FieldError, MatchedRecord, WriteAnswer};

use super::soap;

/// Salesforce, as the transport sees it.
pub(super) static VENDOR: Vendor = Vendor { side: Side::Salesforce, explain, limits };

/// One error of a body.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) code: String,
    message: String,
    fields: Vec<String>,
    /// The details of a duplicate rule, where the body has them.
    duplicate: Option<Json>,
}

impl Problem {
    fn read(json: &Json) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        let code = text("errorCode").or_else(|| text("statusCode")).or_else(|| text("error"))?;
        let message = text("message").or_else(|| text("error_description")).unwrap_or_default();
        let fields = json.get("fields").and_then(Json::as_array).map_or_else(Vec::new, |fields| {
            fields.iter().filter_map(Json::as_str).map(str::to_owned).collect()
        });
        let fields: Vec<String> = if fields.is_empty() { required(&code, &message) } else { fields };
        // The key is misspelt in real answers; the guide has it right.
        let duplicate = ["duplicateResut", "duplicateResult"].iter().find_map(|key| json.get(key)).cloned();
        Some(Self { code, message, fields, duplicate })
    }

    fn of_fault(fault: &soap::Fault) -> Self {
        Self { code: fault.code.clone(), message: fault.message.clone(), fields: Vec::new(), duplicate: None }
    }

    /// Whether it says that nothing is at this address: a record that is gone, or a version that is not offered.
    pub(super) fn is_nowhere(&self) -> bool {
        self.code == "NOT_FOUND" && self.meaning() == Some(Meaning::Gone)
    }

    fn meaning(&self) -> Option<Meaning> {
        coded(Side::Salesforce, &self.code, &self.message)
    }

    /// Whether a duplicate rule is named without the records that it found, as in rows of a collections call.
    pub(super) fn lacks_details(&self) -> bool {
        self.code == "DUPLICATES_DETECTED" && self.duplicate.is_none()
    }
}

/// The fields that "Required fields are missing: [A, B]" names, where no list does.
fn required(code: &str, message: &str) -> Vec<String> {
    let listed = message.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    let names = listed.filter(|_| code == "REQUIRED_FIELD_MISSING").map_or("", |(names, _)| names);
    names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// The errors of a body; empty where it is not one of the known forms.
pub(super) fn problems(body: Option<&Json>) -> Vec<Problem> {
    match body {
        Some(Json::Array(list)) => list.iter().filter_map(Problem::read).collect(),
        Some(object @ Json::Object(_)) => match object.get("errors").and_then(Json::as_array) {
            Some(errors) if !errors.is_empty() => errors.iter().filter_map(Problem::read).collect(),
            // The guide's form of a duplicate: the result at the top, with or without a code.
            _ if object.get("duplicateResult").is_some() || object.get("duplicateResut").is_some() => {
                let mut problem = object.clone();
                if problem.get("errorCode").is_none() {
                    problem["errorCode"] = "DUPLICATES_DETECTED".into();
                }
                Problem::read(&problem).into_iter().collect()
            }
            _ => Problem::read(object).into_iter().collect(),
        },
        _ => Vec::new(),
    }
}

/// What an answer that is no success means for the call as a whole.
fn explain(answer: &Answer) -> CrmError {
    let body = answer.json();
    let fault = if body.is_none() { soap::fault(&answer.body) } else { None };
    let problems = match &fault {
        Some(fault) => vec![Problem::of_fault(fault)],
        None => problems(body.as_ref()),
    };
    let (kind, maybe_applied) = whole(answer, &problems, body.is_some(), fault.is_some());
    let mut error = error(Side::Salesforce, kind, words(answer, &problems));
    error.status = Some(answer.status);
    error.code = problems.first().map(|problem| problem.code.clone());
    error.maybe_applied = maybe_applied;
    error
}

fn whole(answer: &Answer, problems: &[Problem], json: bool, fault: bool) -> (CrmErrorKind, bool) {
    let coded = problems.iter().find_map(Problem::meaning);
    // A refusal of one value among others is no word about the whole, and a status may say more; but one that forbids
    // speaks of the record that the code is about.
    if let Some(meaning) = coded.filter(|meaning| *meaning != Meaning::Invalid || answer.status == 403) {
        return meaning.kind();
    }
    if fault {
        // Every fault comes with status 500, and before anything is done.
        return Meaning::Invalid.kind();
    }
    match by_status(Side::Salesforce, answer) {
        Some(known) => known,
        None if json => Meaning::Invalid.kind(),
        None => Meaning::Unreadable.kind(),
    }
}

fn words(answer: &Answer, problems: &[Problem]) -> String {
    if answer.status == 300 {
        return "several records have this external ID, so its field is not unique".to_owned();
    }
    let said: Vec<_> =
        problems.iter().map(|problem| problem.message.as_str()).filter(|m| !m.is_empty()).collect();
    if said.is_empty() { answer.excerpt() } else { said.join("; ") }
}

/// What the refusal of one written row means.
pub(super) fn row(status: u16, problems: &[Problem], object: &ObjectName, said: &str) -> WriteAnswer {
    for problem in problems {
        let message = problem.message.clone();
        let Some(meaning) = problem.meaning() else { continue };
        match meaning {
            Meaning::Duplicate => return duplicate(problem, object),
            Meaning::Taken => return taken(problem),
            Meaning::Converted => return WriteAnswer::Converted { message },
            Meaning::Gone => return WriteAnswer::Gone { message },
            Meaning::Again | Meaning::Perhaps | Meaning::Window | Meaning::Token | Meaning::Version => {
                let (kind, maybe_applied) = meaning.kind();
                return failed(kind, status, problem, maybe_applied);
            }
            // A permission that one row among others lacks is that row's matter (sharing, field-level security).
            Meaning::Permission
            | Meaning::Several
            | Meaning::Invalid
            | Meaning::Unreadable
            | Meaning::Elsewhere => {}
        }
    }
    let mut errors: Vec<_> = problems
        .iter()
        .map(|p| FieldError { code: p.code.clone(), message: p.message.clone(), fields: p.fields.clone() })
        .collect();
    if errors.is_empty() {
        errors.push(FieldError { code: status.to_string(), message: said.to_owned(), fields: Vec::new() });
    }
    WriteAnswer::Rejected { errors }
}

/// What the refusal of one Lead's conversion means.
pub(super) fn conversion(errors: Vec<FieldError>) -> ConvertAnswer {
    for FieldError { code, message, fields } in &errors {
        let problem =
            Problem { code: code.clone(), message: message.clone(), fields: fields.clone(), duplicate: None };
        let message = message.clone();
        let Some(meaning) = problem.meaning() else { continue };
        match meaning {
            Meaning::Converted => return ConvertAnswer::Already { message },
            // A bad reference is said of the account and the owner as well, so only this one is of the Lead.
            Meaning::Gone if code == "ENTITY_IS_DELETED" => return ConvertAnswer::Gone { message },
            Meaning::Again | Meaning::Perhaps | Meaning::Window | Meaning::Token | Meaning::Version => {
                let (kind, maybe_applied) = meaning.kind();
                if let WriteAnswer::Failed(error) = failed(kind, 200, &problem, maybe_applied) {
                    return ConvertAnswer::Failed(error);
                }
            }
            _ => {}
        }
    }
    ConvertAnswer::Rejected { errors }
}

/// What a refused single write means. An answer that no table knows fails as a call.
pub(super) fn single(answer: &Answer, object: &ObjectName) -> WriteAnswer {
    let body = answer.json();
    let problems = problems(body.as_ref());
    if problems.is_empty() && answer.status != 300 {
        return WriteAnswer::Failed(explain(answer));
    }
    row(answer.status, &problems, object, &words(answer, &problems))
}

fn failed(kind: CrmErrorKind, status: u16, problem: &Problem, maybe_applied: bool) -> WriteAnswer {
    let mut error = error(Side::Salesforce, kind, problem.message.clone());
    error.status = Some(status);
    error.code = Some(problem.code.clone());
    error.maybe_applied = maybe_applied;
    WriteAnswer::Failed(error)
}

fn duplicate(problem: &Problem, object: &ObjectName) -> WriteAnswer {
    let details = problem.duplicate.as_ref();
    let text = |name: &str| details.and_then(|d| d.get(name)).and_then(Json::as_str);
    let list = |json: Option<&Json>, name: &str| -> Vec<Json> {
        json.and_then(|j| j.get(name)).and_then(Json::as_array).cloned().unwrap_or_default()
    };
    let mut matches: Vec<MatchedRecord> = Vec::new();
    for result in list(details, "matchResults") {
        for found in list(Some(&result), "matchRecords") {
            let Some(id) = found.pointer("/record/Id").and_then(Json::as_str) else { continue };
            let kind = found.pointer("/record/attributes/type").or_else(|| result.get("entityType"));
            let name = kind.and_then(Json::as_str).unwrap_or(&object.name);
            let record = MatchedRecord { object: ObjectName::new(Side::Salesforce, name), id: id.to_owned() };
            if !matches.contains(&record) {
                matches.push(record);
            }
        }
    }
    WriteAnswer::Duplicate {
        rule: text("duplicateRule").unwrap_or_default().to_owned(),
        message: [problem.message.as_str(), text("errorMessage").unwrap_or_default()]
            .into_iter()
            .find(|words| !words.is_empty())
            .unwrap_or_default()
            .to_owned(),
        matches,
        allow_save: details.and_then(|d| d.get("allowSave")).and_then(Json::as_bool).unwrap_or(false),
    }
}

/// Reads "duplicate value found: FIELD duplicates value on record with id: ID".
fn taken(problem: &Problem) -> WriteAnswer {
    let message = problem.message.as_str();
    let after = |mark: &str| message.split_once(mark).map(|(_, rest)| rest.trim_start());
    let word = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let existing = after("record with id:").map(word).filter(|id| super::is_id(id));
    let named =
        after("duplicate value found:").map(word).filter(|name| !name.is_empty() && name != "unknown");
    WriteAnswer::Taken {
        field: named.or_else(|| problem.fields.first().cloned()),
        existing,
        message: message.to_owned(),
    }
}

/// Reads `Sforce-Limit-Info: api-usage=18/15000`, perhaps followed by the share of one app.
fn limits(headers: &HeaderMap, limits: &mut Limits) {
    let info = headers.get("Sforce-Limit-Info").and_then(|value| value.to_str().ok()).unwrap_or_default();
    for part in info.split([';', ',']) {
        let Some((used, max)) =
            part.trim().strip_prefix("api-usage=").and_then(|usage| usage.split_once('/'))
        else {
            continue;
        };
        if let (Ok(used), Ok(max)) = (used.trim().parse::<u64>(), max.trim().parse::<u64>()) {
            limits.daily = Some(Allowance { max, remaining: max.saturating_sub(used), window: DAY });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.to_owned().into() }
    }

    fn kind(status: u16, body: &Json) -> CrmErrorKind {
        explain(&answer(status, &body.to_string())).kind
    }

    fn one(status: u16, body: &Json) -> WriteAnswer {
        single(&answer(status, &body.to_string()), &ObjectName::new(Side::Salesforce, "Lead"))
    }

    #[test]
    fn calls_are_classified() {
        let code = |code: &str| json!([{"message": "m", "errorCode": code}]);
        assert_eq!(kind(401, &code("INVALID_SESSION_ID")), CrmErrorKind::Unauthorised);
        assert_eq!(kind(403, &code("REQUEST_LIMIT_EXCEEDED")), CrmErrorKind::Window);
        let concurrent = json!([{"message": "ConcurrentPerOrgLongTxn Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
        assert_eq!(kind(403, &concurrent), CrmErrorKind::Retry);
        assert_eq!(kind(403, &code("API_DISABLED_FOR_ORG")), CrmErrorKind::Forbidden);
        assert_eq!(kind(403, &code("INSUFFICIENT_ACCESS_OR_READONLY")), CrmErrorKind::Refused);
        assert_eq!(kind(403, &code("SOMETHING_ELSE")), CrmErrorKind::Forbidden);
        assert_eq!(kind(400, &code("UNABLE_TO_LOCK_ROW")), CrmErrorKind::Retry);
        assert_eq!(kind(500, &code("UNABLE_TO_LOCK_ROW")), CrmErrorKind::Retry);
        assert_eq!(kind(503, &code("SERVER_UNAVAILABLE")), CrmErrorKind::Retry);
        assert_eq!(kind(400, &code("INVALID_FIELD")), CrmErrorKind::Refused);
        assert_eq!(kind(404, &code("NOT_FOUND")), CrmErrorKind::Refused);
        assert_eq!(kind(422, &code("STRING_TOO_LONG")), CrmErrorKind::Refused);
        assert_eq!(explain(&answer(502, "<html>bad gateway</html>")).kind, CrmErrorKind::Retry);
        assert_eq!(explain(&answer(404, "<html>nowhere</html>")).kind, CrmErrorKind::Garbled);
    }

    #[test]
    fn the_required_fields_are_read_from_the_words() {
        let body = json!([{"message": "Required fields are missing: [Region__c, Tier__c]",
                           "errorCode": "REQUIRED_FIELD_MISSING", "fields": []}]);
        assert_eq!(problems(Some(&body))[0].fields, ["Region__c", "Tier__c"]);
        let body = json!([{"message": "Required fields are missing", "errorCode": "REQUIRED_FIELD_MISSING"}]);
        assert_eq!(problems(Some(&body))[0].fields, [""; 0]);
        let body = json!([{"message": "no [x]", "errorCode": "STRING_TOO_LONG", "fields": []}]);
        assert_eq!(problems(Some(&body))[0].fields, [""; 0]);
    }

    #[test]
    fn whether_a_write_may_have_been_applied() {
        let lock =
            json!([{"message": "unable to obtain exclusive access", "errorCode": "UNABLE_TO_LOCK_ROW"}]);
        assert!(!explain(&answer(500, &lock.to_string())).maybe_applied);
        assert!(explain(&answer(500, "")).maybe_applied);
        assert!(explain(&answer(503, "")).maybe_applied);
        assert!(!explain(&answer(429, "")).maybe_applied);
    }

    #[test]
    fn the_vendors_words_are_kept() {
        let body = json!({"error": "invalid_grant", "error_description": "expired access/refresh token"});
        let error = explain(&answer(400, &body.to_string()));
        assert_eq!(
            (error.code.as_deref(), error.message.as_str()),
            (Some("invalid_grant"), "expired access/refresh token")
        );
        let long = format!("<p>{}", "x".repeat(500));
        assert_eq!(explain(&answer(404, &long)).message.chars().count(), 200);
    }

    #[test]
    fn a_duplicate_rule_names_records_of_any_object() {
        for (status, key) in [(400, "duplicateResut"), (400, "duplicateResult"), (409, "duplicateResult")] {
            let mut error =
                json!({"errorCode": "DUPLICATES_DETECTED", "message": "You are about to make a duplicate."});
            error[key] = json!({
                "allowSave": true, "duplicateRule": "Leads_DR", "duplicateRuleEntityType": "Lead",
                "matchResults": [{"entityType": "Contact", "matchRecords": [
                    {"record": {"attributes": {"type": "Contact"}, "Id": "0031i000013x2TEAAY"}},
                    {"record": {"attributes": {"type": "Contact"}, "Id": "0031i000013x2TEAAY"}},
                ]}],
            });
            let WriteAnswer::Duplicate { rule, matches, allow_save, message } = one(status, &json!([error]))
            else {
                panic!("{status} {key}")
            };
            assert_eq!(
                (rule.as_str(), allow_save, message.as_str()),
                ("Leads_DR", true, "You are about to make a duplicate.")
            );
            let contact = ObjectName::new(Side::Salesforce, "Contact");
            assert_eq!(matches, [MatchedRecord { object: contact, id: "0031i000013x2TEAAY".into() }]);
        }
    }

    #[test]
    fn the_guides_form_of_a_duplicate_is_understood() {
        let body = json!({"duplicateResult": {"allowSave": false, "duplicateRule": "R", "errorMessage": "exists", "matchResults": []}});
        let expected = WriteAnswer::Duplicate {
            rule: "R".into(),
            message: "exists".into(),
            matches: vec![],
            allow_save: false,
        };
        assert_eq!(one(409, &body), expected);
    }

    #[test]
    fn a_taken_value_names_field_and_record() {
        let message = "duplicate value found: HubSpot_Contact_ID__c duplicates value on record with id: 00Qak00000696HFEAY";
        let body = json!([{"message": message, "errorCode": "DUPLICATE_VALUE", "fields": []}]);
        let expected = WriteAnswer::Taken {
            field: Some("HubSpot_Contact_ID__c".into()),
            existing: Some("00Qak00000696HFEAY".into()),
            message: message.into(),
        };
        assert_eq!(one(400, &body), expected);
        let vague = json!([{"message": "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
            "errorCode": "DUPLICATE_VALUE", "fields": []}]);
        assert!(matches!(one(400, &vague), WriteAnswer::Taken { field: None, existing: None, .. }));
    }

    #[test]
    fn rows_are_classified() {
        let code = |status, code: &str, message: &str| {
            one(status, &json!([{"message": message, "errorCode": code, "fields": ["F"]}]))
        };
        assert!(matches!(code(400, "CANNOT_UPDATE_CONVERTED_LEAD", "m"), WriteAnswer::Converted { .. }));
        assert!(matches!(code(404, "ENTITY_IS_DELETED", "entity is deleted"), WriteAnswer::Gone { .. }));
        assert!(matches!(
            code(404, "NOT_FOUND", "The requested resource does not exist"),
            WriteAnswer::Gone { .. }
        ));
        let field =
            code(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: Namez");
        assert!(matches!(field, WriteAnswer::Rejected { .. }), "{field:?}");
        assert!(matches!(
            code(400, "UNABLE_TO_LOCK_ROW", "m"),
            WriteAnswer::Failed(CrmError { kind: CrmErrorKind::Retry, maybe_applied: false, .. })
        ));
        let long = code(422, "STRING_TOO_LONG", "First Name: data value too large");
        let expected = FieldError {
            code: "STRING_TOO_LONG".into(),
            message: "First Name: data value too large".into(),
            fields: vec!["F".into()],
        };
        assert_eq!(long, WriteAnswer::Rejected { errors: vec![expected] });
    }

    #[test]
    fn several_records_with_one_external_id_are_rejected() {
        let WriteAnswer::Rejected { errors } =
            one(300, &json!(["/services/data/v58.0/sobjects/Lead/a", "/b"]))
        else {
            panic!()
        };
        assert_eq!(errors[0].code, "300");
    }

    #[test]
    fn usage_is_read() {
        let mut known = Limits::default();
        let mut headers = HeaderMap::new();
        headers.insert(
            "Sforce-Limit-Info",
            "api-usage=18/15000; per-app-api-usage=17/250(appName=x)".parse().unwrap(),
        );
        limits(&headers, &mut known);
        assert_eq!(known.daily.map(|d| (d.used(), d.max)), Some((18, 15_000)));
        limits(&HeaderMap::new(), &mut known);
        assert!(known.daily.is_some(), "an answer that says nothing changes nothing");
    }
}
