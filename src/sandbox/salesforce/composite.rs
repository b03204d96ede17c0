//! `composite` and `composite/batch`: several requests in one, of which later ones may refer to earlier ones.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Body, Request, settle};
use super::org::{Caller, Org};
use super::route;

/// Subrequests in one request (Salesforce's REST guide: Composite, Composite Batch).
const MAX_SUBREQUESTS: usize = 25;
/// Of which so many may be queries or collections (the same guide, for `composite`).
const MAX_QUERIES: usize = 5;

/// Answers `POST composite`.
pub(super) fn run(org: &mut Org, caller: &Caller, request: &Request) -> Answer {
    if request.method == "GET" {
        let root = caller.root();
        return Answer::json(
            200,
            json!({
                "batch": format!("{root}/composite/batch"), "sobjects": format!("{root}/composite/sobjects"),
                "tree": format!("{root}/composite/tree"),
            }),
        );
    }
    settle(run_all(org, caller, request))
}

/// Answers `POST composite/batch`.
pub(super) fn batch(org: &mut Org, caller: &Caller, request: &Request) -> Answer {
    settle(run_batch(org, caller, request))
}

fn run_all(org: &mut Org, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let subrequests = subrequests(&body, "compositeRequest")?;
    limit_queries(&subrequests)?;
    let all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
    let mark = org.store.mark();
    let mut known: HashMap<String, Value> = HashMap::new();
    let mut answers: Vec<(String, Answer)> = Vec::new();
    for subrequest in &subrequests {
        let reference = subrequest.get("referenceId").and_then(Value::as_str).unwrap_or_default().to_owned();
        if reference.is_empty() {
            return Err(ApiError::new("JSON_PARSER_ERROR", "Missing required field: referenceId").into());
        }
        if answers.iter().any(|(other, _)| *other == reference) {
            let message = format!("Duplicate ReferenceId provided in Composite Request: {reference}");
            return Err(ApiError::new("INVALID_INPUT", message).into());
        }
        let answer = match resolved(subrequest, &known) {
            Ok(subrequest) => run_one(org, caller, request, &subrequest),
            Err(error) => Answer::from(error),
        };
        if let (true, Body::Json(value)) = (answer.is_success(), &answer.body) {
            known.insert(reference.clone(), value.clone());
        }
        let failed = !answer.is_success();
        answers.push((reference, answer));
        if failed && all_or_none {
            org.store.rollback(mark);
            halt(&mut answers, &subrequests);
            break;
        }
    }
    let responses: Vec<Value> = answers
        .into_iter()
        .map(|(reference, answer)| {
            let location = answer.headers.iter().find(|(name, _)| name == "location");
            let headers = location.map_or_else(|| json!({}), |(_, url)| json!({"Location": url}));
            json!({
                "body": answer_body(answer.body),
                "httpHeaders": headers,
                "httpStatusCode": answer.status,
                "referenceId": reference,
            })
        })
        .collect();
    Ok(Answer::json(200, json!({"compositeResponse": responses})))
}

fn limit_queries(subrequests: &[Map<String, Value>]) -> Result<(), ApiError> {
    let heavy = subrequests.iter().filter(|subrequest| is_heavy(subrequest)).count();
    if heavy <= MAX_QUERIES {
        return Ok(());
    }
    let message = format!(
        "Composite request contains {heavy} query or sObject Collections subrequests; the limit is {MAX_QUERIES}"
    );
    Err(ApiError::new("LIMIT_EXCEEDED", message))
}

fn is_heavy(subrequest: &Map<String, Value>) -> bool {
    let url = subrequest.get("url").and_then(Value::as_str).unwrap_or_default();
    let path = url.split('?').next().unwrap_or_default();
    ["/query", "/queryAll"].iter().any(|end| path.trim_end_matches('/').ends_with(end))
        || path.contains("/query/")
        || path.contains("/composite/sobjects")
}

/// Marks all but the failed subrequest as taken back, those that never ran too.
fn halt(answers: &mut Vec<(String, Answer)>, subrequests: &[Map<String, Value>]) {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    let halted = || Answer::from(ApiError::new("PROCESSING_HALTED", message));
    let done = answers.len();
    for (_, answer) in answers.iter_mut().take(done.saturating_sub(1)) {
        *answer = halted();
    }
    for subrequest in &subrequests[done..] {
        let reference = subrequest.get("referenceId").and_then(Value::as_str).unwrap_or_default();
        answers.push((reference.to_owned(), halted()));
    }
}

fn run_batch(org: &mut Org, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let subrequests = subrequests(&body, "batchRequests")?;
    let halt = body.get("haltOnError").and_then(Value::as_bool).unwrap_or(false);
    let mut failed = false;
    let mut results = Vec::new();
    for mut subrequest in subrequests {
        if failed && halt {
            let error = ApiError::new("BATCH_PROCESSING_HALTED", "Batch processing halted per request");
            results.push(json!({"statusCode": 412, "result": [error.to_rest()]}));
            continue;
        }
        if let Some(Value::String(url)) = subrequest.get_mut("url")
            && !url.starts_with("/services")
        {
            *url = format!("/services/data/{}", url.trim_start_matches('/'));
        }
        if let Some(body) = subrequest.shift_remove("richInput") {
            subrequest.insert("body".into(), body);
        }
        let answer = run_one(org, caller, request, &subrequest);
        failed |= !answer.is_success();
        results.push(json!({"statusCode": answer.status, "result": answer_body(answer.body)}));
    }
    Ok(Answer::json(200, json!({"hasErrors": failed, "results": results})))
}

fn subrequests(body: &Value, key: &str) -> Result<Vec<Map<String, Value>>, ApiError> {
    let list = body
        .get(key)
        .and_then(Value::as_array)
        .ok_or_else(|| ApiError::new("JSON_PARSER_ERROR", format!("Missing required field: {key}")))?;
    if list.len() > MAX_SUBREQUESTS {
        let message =
            format!("Maximum number of subrequests is {MAX_SUBREQUESTS}, but {} were given", list.len());
        return Err(ApiError::new("LIMIT_EXCEEDED", message));
    }
    Ok(list.iter().filter_map(|item| item.as_object().cloned()).collect())
}

fn run_one(org: &mut Org, caller: &Caller, outer: &Request, subrequest: &Map<String, Value>) -> Answer {
    let text = |key: &str| subrequest.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut request = Request::new(text("method"), text("url"));
    if let Some(body) = subrequest.get("body").filter(|body| !body.is_null()) {
        request.body = body.to_string();
    }
    request.headers.clone_from(&outer.headers);
    request.headers.insert("content-type".into(), "application/json".into());
    let headers = subrequest.get("httpHeaders").and_then(Value::as_object);
    for (name, value) in headers.into_iter().flatten() {
        request.headers.insert(name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned());
    }
    let Some((version, path)) = route::data_path(&request) else {
        return Answer::from(ApiError::no_resource());
    };
    let caller = Caller { version, ..caller.clone() }.with_headers(&request);
    let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["composite"] | ["composite", "batch" | "tree", ..] => {
            let message = "Composite requests cannot contain other composite requests";
            Answer::from(ApiError::new("INVALID_INPUT", message))
        }
        path => route::resource(org, &caller, &request, path),
    }
}

fn answer_body(body: Body) -> Value {
    match body {
        Body::Empty => Value::Null,
        Body::Json(value) => value,
        Body::Text(_, text) => text.into(),
    }
}

/// The subrequest with each `@{reference.path}` in its URL and body replaced.
fn resolved(
    subrequest: &Map<String, Value>,
    known: &HashMap<String, Value>,
) -> Result<Map<String, Value>, ApiError> {
    let mut resolved = subrequest.clone();
    for key in ["url", "body"] {
        if let Some(value) = resolved.get_mut(key) {
            resolve(value, known)?;
        }
    }
    Ok(resolved)
}

fn resolve(value: &mut Value, known: &HashMap<String, Value>) -> Result<(), ApiError> {
    match value {
        Value::String(text) if text.contains("@{") => {
            if let Some(path) = text.strip_prefix("@{").and_then(|rest| rest.strip_suffix('}'))
                && !path.contains('}')
            {
                *value = look_up(path, known)?;
                return Ok(());
            }
            let mut whole = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once("@{") {
                let (path, behind) = after.split_once('}').unwrap_or((after, ""));
                whole.push_str(before);
                match look_up(path, known)? {
                    Value::String(found) => whole.push_str(&found),
                    found => whole.push_str(&found.to_string()),
                }
                rest = behind;
            }
            whole.push_str(rest);
            *text = whole;
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| resolve(item, known)),
        Value::Object(map) => map.values_mut().try_for_each(|item| resolve(item, known)),
        _ => Ok(()),
    }
}

fn look_up(path: &str, known: &HashMap<String, Value>) -> Result<Value, ApiError> {
    let (reference, rest) = path.split_once(['.', '[']).unwrap_or((path, ""));
    let missing = || {
        let message = format!(
            "Invalid reference specified. No value for {path} found in {reference}. Provided reference: {path}"
        );
        ApiError::new("PROCESSING_HALTED", message)
    };
    let mut value = known.get(reference).ok_or_else(missing)?;
    let rest = if path.get(reference.len()..).is_some_and(|tail| tail.starts_with('[')) {
        format!("[{rest}")
    } else {
        rest.to_owned()
    };
    for part in rest.replace('[', ".").replace(']', "").split('.').filter(|part| !part.is_empty()) {
        let next = match part.parse::<usize>() {
            Ok(index) if value.is_array() => value.get(index),
            _ => value.get(part),
        };
        value = next.ok_or_else(missing)?;
    }
    Ok(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_in_texts_and_as_values() {
        let known = HashMap::from([
            ("lead".to_owned(), json!({"id": "00Q1"})),
            ("found".to_owned(), json!({"records": [{"Id": "0011", "Amount": 3}]})),
        ]);
        let mut value =
            json!({"a": "x/@{lead.id}/y", "b": "@{found.records[0].Amount}", "c": ["@{lead.id}"]});
        resolve(&mut value, &known).unwrap();
        assert_eq!(value, json!({"a": "x/00Q1/y", "b": 3, "c": ["00Q1"]}));
        let mut missing = json!("@{nobody.id}");
        assert_eq!(resolve(&mut missing, &known).unwrap_err().code, "PROCESSING_HALTED");
    }
}
