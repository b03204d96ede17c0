//! `/crm/v3/objects/{type}/search`: filter groups, free text, sorting, paging.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::{ObjectType, Property};
use super::error::ApiError;
use super::objects::{Id, Shape, body};
use super::request::{Call, Outcome, ok};
use super::store::{Portal, Record};
use super::validate::parse_instant;

/// A page at most (HubSpot's search docs).
const PAGE: usize = 200;
/// Results that paging reaches (HubSpot's search docs).
const REACH: usize = 10_000;
/// Filter groups, filters in a group, filters in all (HubSpot's search docs).
const GROUPS: (usize, usize, usize) = (5, 6, 18);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    #[serde(default)]
    filter_groups: Option<Vec<FilterGroup>>,
    #[serde(default)]
    filters: Option<Vec<Filter>>,
    #[serde(default)]
    sorts: Option<Vec<Sort>>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    properties: Option<Vec<String>>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    after: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct FilterGroup {
    #[serde(default)]
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    property_name: String,
    operator: Operator,
    #[serde(default)]
    value: Option<Id>,
    #[serde(default)]
    values: Option<Vec<Id>>,
    #[serde(default)]
    high_value: Option<Id>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
    ContainsToken,
    NotContainsToken,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sort {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Spec {
        property_name: String,
        #[serde(default)]
        direction: Option<String>,
    },
}

/// Answers a search.
pub(super) fn search(portal: &Portal, call: &Call, object: &ObjectType) -> Outcome {
    let request: Search = call.json()?;
    let mut groups = request.filter_groups.unwrap_or_default();
    if let Some(filters) = request.filters {
        groups.push(FilterGroup { filters });
    }
    check(object, &groups)?;
    let limit = request.limit.unwrap_or(10);
    if limit > PAGE {
        return Err(ApiError::invalid(format!("limit must be no greater than {PAGE}, but was {limit}")));
    }
    let after: usize = match request.after.filter(|after| !after.0.is_empty()) {
        Some(after) => after.0.parse().map_err(|_| ApiError::invalid("after must be a number"))?,
        None => 0,
    };
    if after.saturating_add(limit) > REACH {
        return Err(ApiError::invalid(format!("Paging beyond {REACH} results is not supported by search")));
    }
    let records = portal.tables.get(&object.id).map(|table| &table.records);
    let indexed = portal.clock.now() - portal.search_lag;
    let live = records
        .into_iter()
        .flat_map(|records| records.values())
        .filter(|record| record.archived_at.is_none() && record.created_at <= indexed);
    let words = words(request.query.as_deref().unwrap_or_default());
    let fits = |record: &&Record| {
        (groups.is_empty() || groups.iter().any(|group| in_group(portal, object, record, group)))
            && mentions(object, record, &words)
    };
    let mut found: Vec<&Record> = live.filter(fits).collect();
    sort(object, &mut found, request.sorts.as_deref().unwrap_or_default())?;
    let shape = Shape { properties: request.properties.unwrap_or_default(), ..Shape::default() };
    let page = found.iter().skip(after).take(limit).map(|record| body(portal, object, record, &shape));
    let results: Vec<Value> = page.collect();
    let next = after + results.len();
    let mut answer = json!({"total": found.len(), "results": results});
    if limit > 0 && next < found.len() {
        answer["paging"] = json!({"next": {"after": next.to_string()}});
    }
    ok(answer)
}

fn check(object: &ObjectType, groups: &[FilterGroup]) -> Result<(), ApiError> {
    let (most_groups, most_filters, most) = GROUPS;
    let all: Vec<&Filter> = groups.iter().flat_map(|group| &group.filters).collect();
    if groups.len() > most_groups {
        return Err(ApiError::invalid(format!(
            "Too many filter groups: {}, the limit is {most_groups}",
            groups.len()
        )));
    }
    if groups.iter().any(|group| group.filters.len() > most_filters) || all.len() > most {
        let message =
            format!("Too many filters: up to {most_filters} in a group and {most} in all are allowed");
        return Err(ApiError::invalid(message));
    }
    for filter in all {
        filter.check()?;
        let name = &filter.property_name;
        if !name.starts_with("associations.") && object.property(name).is_none() {
            let kind = object.upper();
            let message =
                format!("There was a problem with the request. Property {name} does not exist on {kind}");
            return Err(ApiError::invalid(message).context("propertyName", &[name]));
        }
    }
    Ok(())
}

impl Filter {
    fn check(&self) -> Result<(), ApiError> {
        let missing = |what: &str| {
            let cause = "Cannot construct instance of `Filter`, problem: operator";
            let operator = self.operator.name();
            let message =
                format!("Invalid input JSON on line 1, column 1: {cause} {operator} requires {what}");
            Err(ApiError::invalid(message))
        };
        match self.operator {
            Operator::In | Operator::NotIn if self.values.as_ref().is_none_or(Vec::is_empty) => {
                missing("values")
            }
            Operator::HasProperty | Operator::NotHasProperty | Operator::In | Operator::NotIn => Ok(()),
            _ if self.value.is_none() => missing("a value"),
            Operator::Between if self.high_value.is_none() => missing("a highValue"),
            _ => Ok(()),
        }
    }

    fn fits(&self, property: Option<&Property>, held: Option<&str>) -> bool {
        let value = self.value.as_ref().map_or("", |value| value.0.as_str());
        let against = |value: &str| held.map(|held| compare(property, held, value));
        let listed =
            || self.values.iter().flatten().any(|value| within(property, held.unwrap_or_default(), &value.0));
        let is = |wanted: &[Ordering]| against(value).is_some_and(|order| wanted.contains(&order));
        match self.operator {
            Operator::Eq => is(&[Ordering::Equal]),
            // Records without the property are found as well.
            Operator::Neq => !is(&[Ordering::Equal]),
            Operator::Lt => is(&[Ordering::Less]),
            Operator::Lte => is(&[Ordering::Less, Ordering::Equal]),
            Operator::Gt => is(&[Ordering::Greater]),
            Operator::Gte => is(&[Ordering::Greater, Ordering::Equal]),
            Operator::Between => {
                let high = self.high_value.as_ref().map_or("", |high| high.0.as_str());
                is(&[Ordering::Greater, Ordering::Equal])
                    && against(high).is_some_and(|order| order != Ordering::Greater)
            }
            Operator::In => held.is_some() && listed(),
            Operator::NotIn => held.is_some() && !listed(),
            Operator::HasProperty => held.is_some(),
            Operator::NotHasProperty => held.is_none(),
            Operator::ContainsToken => held.is_some_and(|held| contains(held, value)),
            Operator::NotContainsToken => !held.is_some_and(|held| contains(held, value)),
        }
    }
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Operator::Eq => "EQ",
            Operator::Neq => "NEQ",
            Operator::Lt => "LT",
            Operator::Lte => "LTE",
            Operator::Gt => "GT",
            Operator::Gte => "GTE",
            Operator::Between => "BETWEEN",
            Operator::In => "IN",
            Operator::NotIn => "NOT_IN",
            Operator::HasProperty => "HAS_PROPERTY",
            Operator::NotHasProperty => "NOT_HAS_PROPERTY",
            Operator::ContainsToken => "CONTAINS_TOKEN",
            Operator::NotContainsToken => "NOT_CONTAINS_TOKEN",
        }
    }
}

fn in_group(portal: &Portal, object: &ObjectType, record: &Record, group: &FilterGroup) -> bool {
    group.filters.iter().all(|filter| match filter.property_name.strip_prefix("associations.") {
        Some(to) => associated(portal, object, record, to, filter),
        None => filter.fits(object.property(&filter.property_name), record.get(&filter.property_name)),
    })
}

fn associated(portal: &Portal, object: &ObjectType, record: &Record, to: &str, filter: &Filter) -> bool {
    let Ok(to) = portal.catalog.resolve(to) else { return false };
    let ids: Vec<String> =
        portal.links.of(&object.id, record.id, &to.id).map(|(id, _)| id.to_string()).collect();
    let wanted = filter.value.iter().chain(filter.values.iter().flatten());
    let found = wanted.into_iter().any(|id| ids.contains(&id.0));
    match filter.operator {
        Operator::Eq | Operator::In => found,
        Operator::Neq | Operator::NotIn => !found,
        Operator::HasProperty => !ids.is_empty(),
        Operator::NotHasProperty => ids.is_empty(),
        _ => false,
    }
}

/// Compares by the property's type; text without regard to case.
fn compare(property: Option<&Property>, held: &str, value: &str) -> Ordering {
    let number = |text: &str| text.parse::<f64>().ok();
    let ordered = match property.map(|property| property.kind.as_str()) {
        Some("number") => number(held).zip(number(value)).and_then(|(held, value)| held.partial_cmp(&value)),
        Some("date" | "datetime") => {
            parse_instant(held).zip(parse_instant(value)).map(|(held, value)| held.cmp(&value))
        }
        _ => None,
    };
    ordered.unwrap_or_else(|| held.to_lowercase().cmp(&value.to_lowercase()))
}

/// `IN` compares text with its lower-case form, so that an upper-case value never matches (HubSpot's search docs).
fn within(property: Option<&Property>, held: &str, value: &str) -> bool {
    match property.map(|property| property.kind.as_str()) {
        Some("string" | "phone_number") => held.to_lowercase() == value,
        Some("enumeration") => held.split(';').any(|held| held == value),
        _ => compare(property, held, value) == Ordering::Equal,
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// Whether a text holds a token; `*` stands for any characters.
fn contains(held: &str, token: &str) -> bool {
    let (held, token) = (held.to_lowercase(), token.to_lowercase());
    let parts = |text: &str| -> Vec<String> {
        let split = text.split(|c: char| !c.is_alphanumeric() && c != '*');
        split.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    if matches(&held, &token) {
        return true;
    }
    let (held, wanted) = (parts(&held), parts(&token));
    !wanted.is_empty()
        && held.windows(wanted.len()).any(|run| run.iter().zip(&wanted).all(|(h, w)| matches(h, w)))
}

/// Whether a text is what a pattern with stars says; each piece is taken where it first stands, so this is linear.
fn matches(text: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        let Some((_, after)) = text.split_once(piece) else { return false };
        text = after;
    }
    text.ends_with(tail)
}

fn mentions(object: &ObjectType, record: &Record, words: &[String]) -> bool {
    let texts: Vec<String> =
        object.searchable.iter().filter_map(|name| record.get(name)).map(str::to_lowercase).collect();
    words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
}

fn sort(object: &ObjectType, found: &mut [&Record], sorts: &[Sort]) -> Result<(), ApiError> {
    let Some(first) = sorts.first() else { return Ok(()) };
    if sorts.len() > 1 {
        return Err(ApiError::invalid("Only one sort is allowed"));
    }
    let (name, descending) = match first {
        Sort::Text(text) => match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        },
        Sort::Spec { property_name, direction } => {
            let descending = direction.as_deref().is_some_and(|direction| direction.starts_with("DESC"));
            (property_name.as_str(), descending)
        }
    };
    let Some(property) = object.property(name) else {
        return Err(ApiError::invalid(format!(
            "There was a problem with the request. Property {name} does not exist"
        )));
    };
    found.sort_by(|a, b| {
        let order = match (a.get(name), b.get(name)) {
            (Some(a), Some(b)) => compare(Some(property), a, b),
            (None, None) => Ordering::Equal,
            // Records without the property come last in either direction.
            (a, _) => return if a.is_some() { Ordering::Less } else { Ordering::Greater },
        };
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_stars_stand_for_anything() {
        assert!(contains("jane.doe@acme.example", "*@acme.example"));
        assert!(contains("Acme Corp", "acme"));
        assert!(contains("Acme Corp", "corp"));
        assert!(contains("Acme Corp", "ac*"));
        assert!(contains("one two three", "o*t*w*e") && !contains("one two three", "o*x*e"));
        assert!(!contains("Acme Corp", "cor"));
        assert!(!contains("Acme Corp", "acme inc"));
        assert!(contains("jane@acme.example", "acme.example"));
    }
}
