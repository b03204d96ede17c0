//! `search` and `parameterizedSearch`: records that hold all words of a term, in outline.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::http::{Answer, Request, method_not_allowed, settle};
use super::org::{Caller, Org, attributes, field_value};
use super::query;
use super::schema::{FieldType, ObjectFacts};
use super::store::Record;

/// Records that one search answers at most (Salesforce's SOSL reference: limits).
const MAX_RECORDS: usize = 2_000;

/// Objects that are searched when none are named.
const SEARCHED: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];

/// An object to search, and what is shown of what is found.
struct Target {
    object: String,
    /// Fields and clauses as SOQL has them (`Id, Name WHERE Name != null LIMIT 5`).
    shown: Option<String>,
}

/// Answers `search?q=FIND {…} RETURNING …`.
pub(super) fn sosl(org: &Org, caller: &Caller, request: &Request) -> Answer {
    if request.method != "GET" {
        return method_not_allowed(&request.method, "GET,HEAD");
    }
    settle(
        parse(request.parameter("q").unwrap_or_default())
            .and_then(|(term, targets)| find(org, caller, &term, &targets))
            .map_err(Answer::from),
    )
}

/// Answers `parameterizedSearch`, by GET parameters or by a JSON body.
pub(super) fn parameterized(org: &Org, caller: &Caller, request: &Request) -> Answer {
    settle(find_by_parameters(org, caller, request).map_err(Answer::from))
}

fn find_by_parameters(org: &Org, caller: &Caller, request: &Request) -> Result<Answer, ApiError> {
    let (term, targets): (String, Vec<Target>) = if request.method == "POST" {
        let body = request.json()?;
        let common = names(body.get("fields"));
        let objects = body.get("sobjects").and_then(Value::as_array).cloned().unwrap_or_default();
        let targets = objects
            .iter()
            .map(|object| Target {
                object: object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
                shown: names(object.get("fields")).or_else(|| common.clone()),
            })
            .collect();
        (body.get("q").and_then(Value::as_str).unwrap_or_default().to_owned(), targets)
    } else {
        let targets = request
            .query
            .iter()
            .filter(|(name, _)| name == "sobject")
            .map(|(_, object)| Target {
                shown: request
                    .parameter(&format!("{object}.fields"))
                    .or_else(|| request.parameter("fields"))
                    .map(str::to_owned),
                object: object.clone(),
            })
            .collect();
        (request.parameter("q").unwrap_or_default().to_owned(), targets)
    };
    find(org, caller, &term, &targets)
}

fn names(list: Option<&Value>) -> Option<String> {
    let names: Vec<&str> = list?.as_array()?.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn parse(sosl: &str) -> Result<(String, Vec<Target>), ApiError> {
    let malformed = |message: &str| ApiError::new("MALFORMED_SEARCH", message);
    let no_term = || malformed("No search term found. The search term must be enclosed in braces.");
    let rest = sosl.trim();
    let begins = rest.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("FIND"));
    let rest = if begins { rest[4..].trim_start() } else { return Err(no_term()) };
    let (term, rest) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).ok_or_else(no_term)?;
    let upper = rest.to_ascii_uppercase();
    let Some(at) = upper.find("RETURNING") else { return Ok((unescape(term), Vec::new())) };
    let mut targets = Vec::new();
    for part in split_outside(&rest[at + "RETURNING".len()..]) {
        let (object, shown) = match part.split_once('(') {
            Some((object, shown)) => (
                object,
                Some(
                    shown
                        .trim_end()
                        .strip_suffix(')')
                        .ok_or_else(|| malformed("unexpected token: '<EOF>'"))?,
                ),
            ),
            None => (part.split_whitespace().next().unwrap_or_default(), None),
        };
        targets.push(Target { object: object.trim().to_owned(), shown: shown.map(str::to_owned) });
    }
    Ok((unescape(term), targets))
}

/// Splits at commas that stand outside of parentheses.
fn split_outside(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn unescape(term: &str) -> String {
    term.replace('\\', "")
}

fn find(org: &Org, caller: &Caller, term: &str, targets: &[Target]) -> Result<Answer, ApiError> {
    let words: Vec<String> = term
        .split_whitespace()
        .map(|word| word.trim_matches(|c| matches!(c, '"' | '*')).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    if words.concat().chars().count() < 2 {
        return Err(ApiError::new("MALFORMED_SEARCH", "search term must be longer than one character"));
    }
    let everywhere: Vec<Target> =
        SEARCHED.iter().map(|object| Target { object: (*object).to_owned(), shown: None }).collect();
    let targets = if targets.is_empty() { &everywhere } else { targets };
    let mut found = Vec::new();
    for target in targets {
        let object = org.schema.object(&target.object).ok_or_else(|| {
            ApiError::new("INVALID_TYPE", format!("sObject type '{}' is not supported.", target.object))
        })?;
        let hits: Vec<&Record> = org
            .store
            .records(&object.name)
            .filter(|record| !record.deleted && matches(object, record, &words))
            .collect();
        found.extend(shown(org, caller, object, target, &hits)?);
    }
    found.truncate(MAX_RECORDS);
    Ok(Answer::json(200, json!({"searchRecords": found})))
}

fn matches(object: &ObjectFacts, record: &Record, words: &[String]) -> bool {
    let searched = object.fields.iter().filter(|field| {
        !field.kind.is_id()
            && !matches!(field.kind, FieldType::Date | FieldType::Datetime | FieldType::Boolean)
    });
    let text: String = searched
        .filter_map(|field| field_value(record, field).as_str().map(|value| value.to_lowercase() + "\n"))
        .collect();
    words.iter().all(|word| text.contains(word))
}

fn shown(
    org: &Org,
    caller: &Caller,
    object: &ObjectFacts,
    target: &Target,
    hits: &[&Record],
) -> Result<Vec<Value>, ApiError> {
    let Some(fields) = &target.shown else {
        return Ok(hits
            .iter()
            .map(|record| {
                let mut shown = Map::new();
                shown.insert("attributes".into(), attributes(caller, &object.name, &record.id));
                shown.insert("Id".into(), record.id.clone().into());
                Value::Object(shown)
            })
            .collect());
    };
    // What follows the fields is SOQL, so the query answers it, and the hits pick from its rows.
    let upper = fields.to_ascii_uppercase();
    let clauses =
        [" WHERE ", " ORDER BY ", " LIMIT ", " OFFSET "].iter().filter_map(|clause| upper.find(clause)).min();
    let (names, clauses) = fields.split_at(clauses.unwrap_or(fields.len()));
    let soql = format!("SELECT {names} FROM {} {clauses}", object.name);
    let rows = query::run(org, caller, &soql, false)?.records;
    let urls: Vec<Value> = hits.iter().map(|record| attributes(caller, &object.name, &record.id)).collect();
    Ok(rows.into_iter().filter(|row| urls.contains(&row["attributes"])).collect())
}
