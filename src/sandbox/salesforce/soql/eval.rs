//! The evaluation of a checked query over the records.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::str::FromStr;

use chrono::Datelike;
use indexmap::IndexMap;
use serde_json::{Map, Number, Value, json};

use super::super::clock;
use super::super::org::{Caller, Org, attributes, field_value};
use super::super::schema::FieldType;
use super::super::store::Record;
use super::check::{Aggregate, Bound, Column, DatePart, Operand, Path, Plan, Sort, Test};
use super::parse::Operator;

/// The rows of a query, in the form of the API's answer, and how many there are.
pub(in super::super) fn run(
    org: &Org,
    caller: &Caller,
    plan: &Plan<'_>,
    deleted_too: bool,
) -> (usize, Vec<Value>) {
    let rows = matching(org, plan, deleted_too || plan.all_rows);
    if plan.counts_rows {
        let rows = window(rows, plan);
        return (rows.len(), Vec::new());
    }
    if plan.aggregates() {
        let rows = aggregate(org, plan, &rows);
        return (rows.len(), rows);
    }
    let rows = window(sorted(org, rows, &plan.order), plan);
    let shown: Vec<Value> = rows.iter().map(|record| show(org, caller, plan, record)).collect();
    (shown.len(), shown)
}

/// The values of a semi-join's only column.
pub(super) fn single_column(org: &Org, plan: &Plan<'_>) -> Vec<Value> {
    let Some(Column::Value { operand: Operand::Path(path), .. }) = plan.columns.first() else {
        return Vec::new();
    };
    window(matching(org, plan, false), plan).into_iter().map(|record| path_value(org, record, path)).collect()
}

fn matching<'o>(org: &'o Org, plan: &Plan<'_>, deleted_too: bool) -> Vec<&'o Record> {
    let wanted = |record: &&Record| {
        (deleted_too || !record.deleted)
            && plan.filter.as_ref().is_none_or(|test| holds(test, &|operand| row_value(org, record, operand)))
    };
    match plan.filter.as_ref().and_then(|test| candidates(org, plan, test, deleted_too)) {
        Some(found) => found.into_iter().filter(wanted).collect(),
        None => org.store.records(&plan.object.name).filter(wanted).collect(),
    }
}

/// The few records that a condition on an id or key field leaves; `None` where it leaves them all.
fn candidates<'o>(
    org: &'o Org,
    plan: &Plan<'_>,
    test: &Test<'_>,
    with_deleted: bool,
) -> Option<Vec<&'o Record>> {
    let (path, values): (_, Vec<&Bound>) = match test {
        Test::And(tests) => return tests.iter().find_map(|test| candidates(org, plan, test, with_deleted)),
        Test::Compare { left: Operand::Path(path), operator: Operator::Equal, right } => (path, vec![right]),
        Test::In { left: Operand::Path(path), negated: false, values } => (path, values.iter().collect()),
        _ => return None,
    };
    let object = &plan.object.name;
    if !path.steps.is_empty() || values.contains(&&Bound::Null) {
        return None;
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for value in values {
        let ids = match value {
            Bound::Id(id) if path.field.kind == FieldType::Id => vec![id.clone()],
            Bound::Text(wanted) if path.field.is_key() && !path.field.case_sensitive && !with_deleted => {
                org.store.find_by_key(object, &path.field.name, &wanted.as_str().into())
            }
            _ => return None,
        };
        for id in ids {
            if let (true, Some(record)) = (seen.insert(id.clone()), org.store.get(object, &id)) {
                found.push(record);
            }
        }
    }
    Some(found)
}

fn window<T>(rows: Vec<T>, plan: &Plan<'_>) -> Vec<T> {
    rows.into_iter().skip(plan.offset).take(plan.limit.unwrap_or(usize::MAX)).collect()
}

fn holds(test: &Test<'_>, value: &dyn Fn(&Operand<'_>) -> Value) -> bool {
    match test {
        Test::And(tests) => tests.iter().all(|test| holds(test, value)),
        Test::Or(tests) => tests.iter().any(|test| holds(test, value)),
        Test::Not(test) => !holds(test, value),
        Test::Compare { left, operator, right } => compare(&value(left), *operator, right),
        Test::In { left, negated, values } => {
            let left = value(left);
            values.iter().any(|right| compare(&left, Operator::Equal, right)) != *negated
        }
        Test::Includes { left, negated, sets } => {
            let left = value(left);
            let chosen: Vec<String> = left
                .as_str()
                .unwrap_or_default()
                .split(';')
                .map(|option| option.trim().to_lowercase())
                .collect();
            sets.iter().any(|set| set.iter().all(|option| chosen.contains(option))) != *negated
        }
    }
}

/// A null equals only null; it is unequal to everything else, and neither smaller nor greater.
fn compare(left: &Value, operator: Operator, right: &Bound) -> bool {
    if let Bound::Null = right {
        return match operator {
            Operator::Equal => left.is_null(),
            Operator::NotEqual => !left.is_null(),
            _ => false,
        };
    }
    if left.is_null() {
        // A box of a missing parent counts as unticked.
        return match right {
            Bound::Boolean(value) => (operator == Operator::Equal) != *value,
            _ => operator == Operator::NotEqual,
        };
    }
    if let Bound::Pattern(pattern) = right {
        return like(&left.as_str().unwrap_or_default().to_lowercase(), pattern);
    }
    if let Bound::Time(start, end) = right {
        return instant(left).is_some_and(|at| compare_time(at, operator, *start, *end));
    }
    let ordering = match right {
        Bound::Boolean(right) => left.as_bool().map(|left| left.cmp(right)),
        Bound::Number(right) => left.as_f64().and_then(|left| left.partial_cmp(right)),
        Bound::Text(right) => left.as_str().map(|left| left.to_lowercase().cmp(right)),
        Bound::Id(right) => left.as_str().map(|left| left.cmp(right)),
        Bound::Null | Bound::Pattern(_) | Bound::Time(..) => None,
    };
    match operator {
        Operator::Equal => ordering == Some(Ordering::Equal),
        Operator::NotEqual => ordering != Some(Ordering::Equal),
        Operator::Less => ordering == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => ordering == Some(Ordering::Greater),
        Operator::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Like => false,
    }
}

/// Compares with a stretch of time; an instant is a stretch that begins and ends at once.
fn compare_time(at: i64, operator: Operator, start: i64, end: i64) -> bool {
    let inside = if start == end { at == start } else { at >= start && at < end };
    match operator {
        Operator::Equal => inside,
        Operator::NotEqual => !inside,
        Operator::Less => at < start,
        Operator::LessOrEqual => at < start || inside,
        Operator::Greater => at >= start && !inside,
        Operator::GreaterOrEqual => at >= start,
        Operator::Like => false,
    }
}

fn instant(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    match clock::parse_date(text) {
        Some(date) => Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()),
        None => clock::parse_instant(text).map(|instant| instant.timestamp_millis()),
    }
}

/// `%` is any text, `_` any character; a backslash takes the next character as it stands.
fn like(text: &str, pattern: &str) -> bool {
    enum Part {
        Any,
        One,
        Exactly(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Exactly(chars.next().unwrap_or('\\')),
            c => Part::Exactly(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part, at));
                part += 1;
            }
            Some(Part::One) => {
                at += 1;
                part += 1;
            }
            Some(Part::Exactly(c)) if *c == text[at] => {
                at += 1;
                part += 1;
            }
            _ => {
                // Back to the last `%`, which then takes one character more.
                let Some((any, taken)) = retry else { return false };
                retry = Some((any, taken + 1));
                at = taken + 1;
                part = any + 1;
            }
        }
    }
    parts[part..].iter().all(|part| matches!(part, Part::Any))
}

fn row_value(org: &Org, record: &Record, operand: &Operand<'_>) -> Value {
    match operand {
        Operand::Path(path) => path_value(org, record, path),
        Operand::DatePart(part, path) => date_part(*part, &path_value(org, record, path)),
        Operand::Aggregate(..) => Value::Null,
    }
}

fn path_value(org: &Org, record: &Record, path: &Path<'_>) -> Value {
    if path.steps.is_empty() {
        return field_value(record, path.field);
    }
    let mut record = record;
    for step in &path.steps {
        match record.text(&step.name).and_then(|id| parent(org, id)) {
            Some(found) => record = found,
            None => return Value::Null,
        }
    }
    let object = org.schema.object(&record.object);
    object
        .and_then(|object| object.field(&path.field.name))
        .map_or(Value::Null, |field| field_value(record, field))
}

fn parent<'o>(org: &'o Org, id: &str) -> Option<&'o Record> {
    org.store.get(&org.schema.object_of_id(id)?.name, id)
}

fn date_part(part: DatePart, value: &Value) -> Value {
    let Some(text) = value.as_str() else { return Value::Null };
    let date =
        clock::parse_date(text).or_else(|| clock::parse_instant(text).map(|instant| instant.date_naive()));
    let Some(date) = date else { return Value::Null };
    match part {
        DatePart::Year => date.year().into(),
        DatePart::Quarter => (date.month0() / 3 + 1).into(),
        DatePart::Month => date.month().into(),
        DatePart::Day => date.format("%Y-%m-%d").to_string().into(),
    }
}

/// What values are sorted by: case does not count except in ids, and an option stands where the picklist has it.
#[derive(Debug, PartialEq, PartialOrd)]
enum Rank {
    Number(f64),
    Text(String),
}

fn rank(operand: &Operand<'_>, value: &Value) -> Option<Rank> {
    match value {
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        Value::Bool(value) => Some(Rank::Number(f64::from(u8::from(*value)))),
        Value::Number(number) => number.as_f64().map(Rank::Number),
        // Ids are compared byte by byte, so that paging by `Id > …` meets each row once.
        Value::String(text) if operand.kind().is_id() => Some(Rank::Text(text.clone())),
        Value::String(text) => {
            if let Operand::Path(path) = operand
                && path.field.kind == FieldType::Picklist
                && let Some(place) = path.field.values.iter().position(|option| option.value == *text)
            {
                return Some(Rank::Text(format!("{place:06}")));
            }
            Some(Rank::Text(text.to_lowercase()))
        }
    }
}

fn sorted<'o>(org: &'o Org, rows: Vec<&'o Record>, order: &[Sort<'_>]) -> Vec<&'o Record> {
    if order.is_empty() {
        return rows;
    }
    let mut keyed: Vec<(Vec<Option<Rank>>, &Record)> = rows
        .into_iter()
        .map(|record| {
            let key = order.iter().map(|sort| rank(&sort.by, &row_value(org, record, &sort.by))).collect();
            (key, record)
        })
        .collect();
    keyed.sort_by(|(left, _), (right, _)| compare_keys(left, right, order));
    keyed.into_iter().map(|(_, record)| record).collect()
}

fn compare_keys(left: &[Option<Rank>], right: &[Option<Rank>], order: &[Sort<'_>]) -> Ordering {
    for ((left, right), sort) in left.iter().zip(right).zip(order) {
        let nulls = if sort.nulls_last { Ordering::Greater } else { Ordering::Less };
        let ordering = match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => nulls,
            (Some(_), None) => nulls.reverse(),
            (Some(left), Some(right)) => {
                let ordering = left.partial_cmp(right).unwrap_or(Ordering::Equal);
                if sort.descending { ordering.reverse() } else { ordering }
            }
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

fn show(org: &Org, caller: &Caller, plan: &Plan<'_>, record: &Record) -> Value {
    let mut shown = Map::new();
    shown.insert("attributes".into(), attributes(caller, &record.object, &record.id));
    for column in &plan.columns {
        match column {
            Column::Value { operand: Operand::Path(path), .. } if !path.steps.is_empty() => {
                show_related(org, caller, &mut shown, record, path);
            }
            Column::Value { operand, name } => {
                shown.insert(name.clone(), row_value(org, record, operand));
            }
            Column::Children { name, link, plan } => {
                let rows: Vec<&Record> = matching(org, plan, false)
                    .into_iter()
                    .filter(|child| child.text(&link.name) == Some(&record.id))
                    .collect();
                let rows = window(sorted(org, rows, &plan.order), plan);
                let records: Vec<Value> = rows.iter().map(|child| show(org, caller, plan, child)).collect();
                let children = if records.is_empty() {
                    Value::Null
                } else {
                    json!({"totalSize": records.len(), "done": true, "records": records})
                };
                shown.insert(name.clone(), children);
            }
        }
    }
    Value::Object(shown)
}

/// Puts a parent's field into nested objects, each with its attributes; a missing parent is null.
fn show_related(
    org: &Org,
    caller: &Caller,
    shown: &mut Map<String, Value>,
    record: &Record,
    path: &Path<'_>,
) {
    let mut target = shown;
    let mut record = record;
    for step in &path.steps {
        let name = step.relationship_name.clone().unwrap_or_else(|| step.name.clone());
        let Some(found) = record.text(&step.name).and_then(|id| parent(org, id)) else {
            target.entry(name).or_insert(Value::Null);
            return;
        };
        record = found;
        let nested = target
            .entry(name)
            .or_insert_with(|| json!({"attributes": attributes(caller, &found.object, &found.id)}));
        let Value::Object(map) = nested else { return };
        target = map;
    }
    let value = org
        .schema
        .object(&record.object)
        .and_then(|object| object.field(&path.field.name))
        .map_or(Value::Null, |field| field_value(record, field));
    target.insert(path.field.name.clone(), value);
}

fn aggregate(org: &Org, plan: &Plan<'_>, rows: &[&Record]) -> Vec<Value> {
    let mut groups: IndexMap<String, Vec<&Record>> = IndexMap::new();
    if plan.group.is_empty() {
        groups.insert(String::new(), rows.to_vec());
    }
    for row in rows.iter().filter(|_| !plan.group.is_empty()) {
        let key: Vec<Value> = plan.group.iter().map(|operand| row_value(org, row, operand)).collect();
        groups.entry(Value::Array(key).to_string().to_lowercase()).or_default().push(row);
    }
    let value = |rows: &[&Record], operand: &Operand<'_>| match operand {
        Operand::Aggregate(aggregate, path) => aggregate_value(org, rows, *aggregate, path.as_ref()),
        operand => rows.first().map_or(Value::Null, |row| row_value(org, row, operand)),
    };
    let mut kept: Vec<&Vec<&Record>> = groups
        .values()
        .filter(|rows| plan.having.as_ref().is_none_or(|test| holds(test, &|operand| value(rows, operand))))
        .collect();
    kept.sort_by(|left, right| {
        let key = |rows: &[&Record]| -> Vec<Option<Rank>> {
            plan.order.iter().map(|sort| rank(&sort.by, &value(rows, &sort.by))).collect()
        };
        compare_keys(&key(left), &key(right), &plan.order)
    });
    let shown = kept
        .into_iter()
        .map(|rows| {
            let mut shown = Map::new();
            shown.insert("attributes".into(), json!({"type": "AggregateResult"}));
            for column in &plan.columns {
                if let Column::Value { operand, name } = column {
                    shown.insert(name.clone(), value(rows, operand));
                }
            }
            Value::Object(shown)
        })
        .collect();
    window(shown, plan)
}

fn aggregate_value(org: &Org, rows: &[&Record], aggregate: Aggregate, path: Option<&Path<'_>>) -> Value {
    let Some(path) = path else { return rows.len().into() };
    let values: Vec<Value> =
        rows.iter().map(|row| path_value(org, row, path)).filter(|value| !value.is_null()).collect();
    let numbers = || values.iter().filter_map(Value::as_f64);
    let operand = Operand::Path(path.clone());
    let by_rank = |left: &&Value, right: &&Value| {
        rank(&operand, left).partial_cmp(&rank(&operand, right)).unwrap_or(Ordering::Equal)
    };
    match aggregate {
        Aggregate::Count => values.len().into(),
        Aggregate::CountDistinct => {
            let distinct: HashSet<String> =
                values.iter().map(|value| value.to_string().to_lowercase()).collect();
            distinct.len().into()
        }
        Aggregate::Sum | Aggregate::Average if values.is_empty() => Value::Null,
        Aggregate::Sum => float(numbers().sum()),
        #[expect(clippy::cast_precision_loss, reason = "a table in memory has no 2^52 rows")]
        Aggregate::Average => float(numbers().sum::<f64>() / values.len() as f64),
        Aggregate::Min => values.iter().min_by(by_rank).cloned().unwrap_or(Value::Null),
        Aggregate::Max => values.iter().max_by(by_rank).cloned().unwrap_or(Value::Null),
    }
}

fn float(number: f64) -> Value {
    Number::from_str(&format!("{number:?}")).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_its_wildcards() {
        for (text, pattern, expected) in [
            ("jane@acme.test", "%@acme.test", true),
            ("jane@acme.test", "jane_acme.test", true),
            ("jane@acme.test", "acme", false),
            ("100%", r"100\%", true),
            ("100x", r"100\%", false),
            ("a_b", r"a\_b", true),
            ("axb", r"a\_b", false),
            ("aaab", "%a%b", true),
            ("", "%", true),
            ("abc", "abc%", true),
            ("ab", "abc%", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }

    #[test]
    fn a_null_is_only_equal_to_null() {
        let text = Bound::Text("x".to_owned());
        assert!(compare(&Value::Null, Operator::NotEqual, &text));
        assert!(!compare(&Value::Null, Operator::Equal, &text));
        assert!(!compare(&Value::Null, Operator::Less, &Bound::Number(3.0)));
        assert!(compare(&json!("X"), Operator::Equal, &text));
        assert!(compare(&Value::Null, Operator::Equal, &Bound::Boolean(false)));
    }
}
