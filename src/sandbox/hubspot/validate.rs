//! What a property accepts, and HubSpot's words for what it does not.

use chrono::{DateTime, NaiveDate, NaiveTime, Timelike, Utc};
use serde_json::{Value, json};

use super::catalog::{ObjectType, Property, instant};
use super::error::ApiError;

/// The longest text that a property holds, in characters.
const LONGEST: usize = 65_536;

/// The option lists that live outside the properties.
#[derive(Debug)]
pub(super) struct Outside<'a> {
    pub(super) owners: &'a [String],
    /// Pipeline ids and their stage ids, of this object type.
    pub(super) pipelines: &'a [(String, Vec<String>)],
}

/// A value that a property refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) name: String,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) value: Option<String>,
}

/// The stored form of a value, or the code and message of why it is refused.
pub(super) type Checked = Result<String, (&'static str, String)>;

/// Checks a value and gives the form that is stored; the empty text clears.
pub(super) fn check(
    object: &ObjectType,
    name: &str,
    raw: &str,
    current: Option<&str>,
    outside: &Outside<'_>,
) -> Result<String, Problem> {
    let problem =
        |code, message| Problem { name: name.to_owned(), code, message, value: Some(raw.to_owned()) };
    let Some(property) = object.property(name) else {
        let message = format!("Property \"{name}\" does not exist");
        return Err(Problem { value: None, ..problem("PROPERTY_DOESNT_EXIST", message) });
    };
    if property.read_only {
        let message = format!("\"{name}\" is a read only property; its value cannot be set.");
        return Err(problem("READ_ONLY_VALUE", message));
    }
    check_kind(object, property, raw, current, outside).map_err(|(code, message)| problem(code, message))
}

/// Checks a value against the property's type alone, whoever may write it.
pub(super) fn check_kind(
    object: &ObjectType,
    property: &Property,
    raw: &str,
    current: Option<&str>,
    outside: &Outside<'_>,
) -> Checked {
    if raw.is_empty() {
        return Ok(String::new());
    }
    match property.kind.as_str() {
        "number" => number(raw),
        "bool" => boolean(raw),
        "date" => date(raw),
        "datetime" => datetime(raw),
        "enumeration" => enumeration(property, raw, current, outside),
        _ if object.name == "contact" && property.name == "email" => email(raw),
        _ => text(raw),
    }
}

/// 400 for a whole request whose property values were refused.
pub(super) fn refused(problems: &[Problem], portal: u64) -> ApiError {
    let listed: Vec<Value> = problems.iter().map(|problem| listed(problem, portal)).collect();
    let errors = problems.iter().map(|problem| {
        json!({
            "message": problem.message,
            "code": problem.code,
            "context": {"propertyName": [problem.name]},
        })
    });
    let errors = errors.collect();
    ApiError::invalid(format!("Property values were not valid: {}", Value::Array(listed))).errors(errors)
}

fn listed(problem: &Problem, portal: u64) -> Value {
    let mut entry = json!({
        "isValid": false,
        "message": problem.message,
        "error": problem.code,
        "name": problem.name,
    });
    if let Some(value) = &problem.value {
        entry["localizedErrorMessage"] = problem.message.clone().into();
        entry["propertyValue"] = value.clone().into();
        entry["portalId"] = portal.into();
    }
    entry
}

fn text(raw: &str) -> Checked {
    if raw.chars().count() > LONGEST {
        return Err(("VALUE_TOO_LONG", format!("The value must be no longer than {LONGEST} characters")));
    }
    Ok(raw.to_owned())
}

/// HubSpot refuses exponents, commas and more than one point.
fn number(raw: &str) -> Checked {
    let digits = raw.trim().strip_prefix('-').unwrap_or(raw.trim());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all(whole) || !all(fraction) {
        return Err(("INVALID_INTEGER", format!("{raw} was not a valid number.")));
    }
    Ok(raw.trim().to_owned())
}

fn boolean(raw: &str) -> Checked {
    match raw.to_ascii_lowercase().as_str() {
        value @ ("true" | "false") => Ok(value.to_owned()),
        _ => Err(("INVALID_OPTION", format!("{raw} was not one of the allowed options: [true, false]"))),
    }
}

/// A date is `YYYY-MM-DD`, or milliseconds or an instant at exactly midnight UTC.
fn date(raw: &str) -> Checked {
    if let Ok(date) = NaiveDate::parse_from_str(raw, "%Y-%m-%d") {
        return Ok(date.format("%Y-%m-%d").to_string());
    }
    let Some(at) = parse_instant(raw) else {
        return Err(("INVALID_DATE", format!("{raw} was not a valid long.")));
    };
    if at.time() != NaiveTime::MIN {
        let time = at.time();
        let shown =
            format!("{}:{}:{}.{}", time.hour(), time.minute(), time.second(), at.timestamp_subsec_millis());
        return Err(("INVALID_DATE", format!("{raw} is at {shown} UTC, not midnight!")));
    }
    Ok(at.format("%Y-%m-%d").to_string())
}

/// A datetime is ISO 8601 or milliseconds; a bare date is its midnight UTC.
fn datetime(raw: &str) -> Checked {
    match parse_instant(raw) {
        Some(at) => Ok(instant(at)),
        None => Err(("INVALID_DATE", format!("{raw} was not a valid long."))),
    }
}

/// Reads milliseconds, ISO 8601 or a bare date.
pub(super) fn parse_instant(raw: &str) -> Option<DateTime<Utc>> {
    if let Ok(millis) = raw.parse::<i64>() {
        return DateTime::from_timestamp_millis(millis);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(raw) {
        return Some(at.to_utc());
    }
    if let Ok(at) = DateTime::parse_from_str(raw, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(at.to_utc());
    }
    let date = NaiveDate::parse_from_str(raw, "%Y-%m-%d").ok()?;
    Some(date.and_time(NaiveTime::MIN).and_utc())
}

fn email(raw: &str) -> Checked {
    let address = raw.trim().to_lowercase();
    let fits = address.split_once('@').is_some_and(|(local, domain)| {
        let labels: Vec<&str> = domain.split('.').collect();
        let label = |label: &&str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"()<>[]:;@\\,\"".contains(c);
        !local.is_empty()
            && local.chars().count() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(plain)
            && labels.len() > 1
            && labels.iter().all(label)
            && labels.last().is_some_and(|top| top.chars().count() > 1)
    });
    if fits { Ok(address) } else { Err(("INVALID_EMAIL", format!("Email address {raw} is invalid"))) }
}

fn enumeration(property: &Property, raw: &str, current: Option<&str>, outside: &Outside<'_>) -> Checked {
    if property.field_type == "checkbox" {
        return several(property, raw, current, outside);
    }
    let raw = if property.field_type == "booleancheckbox" { &raw.to_ascii_lowercase() } else { raw };
    option(property, raw, outside)?;
    Ok(raw.to_owned())
}

/// `a;b` replaces the set, a leading `;` adds to it.
fn several(property: &Property, raw: &str, current: Option<&str>, outside: &Outside<'_>) -> Checked {
    let mut values: Vec<&str> = match raw.strip_prefix(';') {
        Some(_) => current.unwrap_or_default().split(';').filter(|value| !value.is_empty()).collect(),
        None => Vec::new(),
    };
    for value in raw.split(';').filter(|value| !value.is_empty()) {
        option(property, value, outside)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(values.join(";"))
}

fn option(property: &Property, value: &str, outside: &Outside<'_>) -> Result<(), (&'static str, String)> {
    let pipelines = || outside.pipelines.iter().map(|(id, _)| id.as_str());
    let stages = || outside.pipelines.iter().flat_map(|(_, stages)| stages).map(String::as_str);
    let not_among = |allowed: Vec<&str>| {
        let message = format!("{value} was not one of the allowed options: [{}]", allowed.join(", "));
        Err(("INVALID_OPTION", message))
    };
    match property.name.as_str() {
        "hubspot_owner_id" => {
            let known = outside.owners.iter().any(|owner| owner == value);
            let wrong = || ("INVALID_OWNER_ID", format!("{value} was not a valid owner id."));
            if known { Ok(()) } else { Err(wrong()) }
        }
        "pipeline" | "hs_pipeline" if !outside.pipelines.is_empty() => {
            if pipelines().any(|id| id == value) {
                Ok(())
            } else {
                not_among(pipelines().collect())
            }
        }
        "dealstage" | "hs_pipeline_stage" => {
            if stages().any(|id| id == value) {
                Ok(())
            } else {
                not_among(stages().collect())
            }
        }
        _ if property.external => Ok(()),
        _ if property.options.iter().any(|option| option.value == value) => Ok(()),
        _ => {
            let shown = property.options.iter().map(|option| {
                let (label, order, hidden) = (&option.label, option.display_order, option.hidden);
                let value = &option.value;
                format!(
                    "label: {label:?}\nvalue: {value:?}\ndisplay_order: {order}\nhidden: {hidden}\nread_only: false\n"
                )
            });
            let shown: Vec<String> = shown.collect();
            let message = format!("{value} was not one of the allowed options: [{}]", shown.join(", "));
            Err(("INVALID_OPTION", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::*;

    const OUTSIDE: Outside<'static> = Outside { owners: &[], pipelines: &[] };

    fn contact(name: &str, raw: &str) -> Result<String, &'static str> {
        let object = Catalog::standard().resolve("contact").expect("contacts");
        check(&object, name, raw, Some("END_USER"), &OUTSIDE).map_err(|problem| problem.code)
    }

    #[test]
    fn values_are_stored_in_their_canonical_form() {
        let cases = [
            ("email", " Jane@Acme.Example ", "jane@acme.example"),
            ("contract_date", "1727654400000", "2024-09-30"),
            ("contract_date", "2024-09-30", "2024-09-30"),
            ("closedate", "1700123456789", "2023-11-16T08:30:56.789Z"),
            ("closedate", "2023-11-16T09:30:56.789+01:00", "2023-11-16T08:30:56.789Z"),
            ("hubscore", "-12.5", "-12.5"),
            ("hs_buying_role", "CHAMPION;LEGAL_AND_COMPLIANCE", "CHAMPION;LEGAL_AND_COMPLIANCE"),
            ("hs_buying_role", ";CHAMPION", "END_USER;CHAMPION"),
            ("hs_lead_status", "OPEN_DEAL", "OPEN_DEAL"),
            ("firstname", "", ""),
        ];
        for (name, raw, stored) in cases {
            assert_eq!(contact(name, raw).as_deref(), Ok(stored), "{name} {raw}");
        }
    }

    #[test]
    fn each_type_refuses_what_it_cannot_hold() {
        let long = "x".repeat(LONGEST + 1);
        let cases = [
            ("frist_name", "x", "PROPERTY_DOESNT_EXIST"),
            ("hs_object_id", "1", "READ_ONLY_VALUE"),
            ("email", "jane", "INVALID_EMAIL"),
            ("email", "jane@acme", "INVALID_EMAIL"),
            ("email", "a\"b\\c@acme.example", "INVALID_EMAIL"),
            ("contract_date", "1700123456789", "INVALID_DATE"),
            ("contract_date", "30/09/2024", "INVALID_DATE"),
            ("closedate", "yesterday", "INVALID_DATE"),
            ("hubscore", "1.4210854715202004e-14", "INVALID_INTEGER"),
            ("hubscore", "5,333", "INVALID_INTEGER"),
            ("hubscore", ".", "INVALID_INTEGER"),
            ("hs_lead_status", "Open deal", "INVALID_OPTION"),
            ("hs_buying_role", "CHAMPION;NOBODY", "INVALID_OPTION"),
            ("hubspot_owner_id", "7", "INVALID_OWNER_ID"),
            ("firstname", &long, "VALUE_TOO_LONG"),
        ];
        for (name, raw, code) in cases {
            assert_eq!(contact(name, raw), Err(code), "{name} {raw:.40}");
        }
    }

    #[test]
    fn the_error_body_lists_the_problems_twice() {
        let object = Catalog::standard().resolve("contact").expect("contacts");
        let problem = check(&object, "first000name", "x", None, &OUTSIDE).expect_err("no such property");
        let body = refused(&[problem], 1).body();
        let listed = "Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"first000name\\\" \
                      does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"first000name\"}]";
        assert_eq!(body["message"], listed);
        assert_eq!(body["category"], "VALIDATION_ERROR");
        assert_eq!(body["errors"][0]["code"], "PROPERTY_DOESNT_EXIST");
        assert_eq!(body["errors"][0]["context"]["propertyName"][0], "first000name");
    }
}
