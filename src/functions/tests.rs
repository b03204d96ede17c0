//! Tests of the whole table; each family's own cases stand in its file.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Argument, Function, Prepared, Problem, Signature, all, find};
use crate::types::{
    Borrowed, Failure, Options, Type, Typed, Value, display, parse_date, parse_instant, text_length, text_max,
};

/// Calls a function as the interpreter does, with literals prepared.
pub(super) fn call(name: &str, values: &[Value]) -> Result<Value, Failure> {
    let function = find(name).unwrap_or_else(|| panic!("no function {name}"));
    if !function.takes_blank && values[0].is_blank() {
        return Ok(Value::Blank);
    }
    let literals: Vec<_> = values.iter().enumerate().map(|(at, value)| (at > 0).then_some(value)).collect();
    let prepared = function.prepare.map_or(Prepared::Nothing, |prepare| prepare(&literals));
    let result = (function.call)(&mut borrowed(values), &prepared).map(Value::into_owned);
    for (prepared, why) in [(&Prepared::Nothing, "preparing"), (&prepared, "owning the text")] {
        let again = (function.call)(&mut owning(values), prepared).map(Value::into_owned);
        assert_eq!(result, again, "{name}: {why} changes the result");
    }
    result
}

fn borrowed(values: &[Value]) -> Vec<Borrowed<'_>> {
    values.iter().map(Value::borrowed).collect()
}

/// The same arguments with text of their own, as steps before this one may have made it.
fn owning(values: &[Value]) -> Vec<Borrowed<'static>> {
    let own = |value: &Value| match value {
        Value::Text(text) => Value::Text(Cow::Owned(text.clone())),
        Value::List(values) => Value::List(owning(values)),
        Value::Blank => Value::Blank,
        Value::Number(number) => Value::Number(*number),
        Value::Boolean(boolean) => Value::Boolean(*boolean),
        Value::Date(date) => Value::Date(*date),
        Value::DateTime(instant) => Value::DateTime(*instant),
    };
    values.iter().map(own).collect()
}

/// Checks a function with literals as arguments.
pub(super) fn check_literals(name: &str, values: &[Value]) -> Result<Signature, Problem> {
    let typed: Vec<_> = values.iter().map(type_of).collect();
    let arguments: Vec<_> =
        typed.iter().zip(values).map(|(typed, value)| Argument { typed, literal: Some(value) }).collect();
    (find(name).unwrap_or_else(|| panic!("no function {name}")).check)(&arguments)
}

/// Checks a function with a value of this type as its first argument, and literals as the others.
pub(super) fn check_typed(name: &str, first: &Typed, rest: &[Value]) -> Result<Signature, Problem> {
    let typed: Vec<_> = rest.iter().map(type_of).collect();
    let rest = typed.iter().zip(rest).map(|(typed, value)| Argument { typed, literal: Some(value) });
    let arguments: Vec<_> = std::iter::once(Argument { typed: first, literal: None }).chain(rest).collect();
    (find(name).unwrap_or_else(|| panic!("no function {name}")).check)(&arguments)
}

pub(super) fn text(text: &str) -> Value {
    Value::text(text)
}

pub(super) fn number(number: &str) -> Value {
    Value::Number(number.parse().unwrap())
}

pub(super) fn date(text: &str) -> Value {
    Value::Date(parse_date(text).unwrap())
}

pub(super) fn instant(text: &str) -> Value {
    Value::DateTime(parse_instant(text).unwrap())
}

/// The type of a literal, as tightly as the checker knows it.
fn type_of(value: &Value) -> Typed {
    Typed::always(match value {
        Value::Blank => return Typed::maybe(Type::Nothing),
        Value::Text(text) => Type::Text(Some(length(text))),
        Value::Number(number) if number.is_integer() => Type::Integer(Some(29)),
        Value::Number(number) => Type::Decimal(Some((58, number.scale()))),
        Value::Boolean(_) => Type::Boolean,
        Value::Date(_) => Type::Date,
        Value::DateTime(_) => Type::DateTime,
        Value::List(_) => Type::List(Box::new(Typed::always(Type::Text(None)))),
    })
}

fn length(text: &str) -> u32 {
    u32::try_from(text_length(text)).unwrap()
}

/// Whether a value is one of a type: the promise that a signature makes.
fn conforms(value: &Value, typed: &Typed) -> bool {
    match (value, &typed.ty) {
        (_, Type::Error)
        | (Value::Boolean(_), Type::Boolean)
        | (Value::Date(_), Type::Date)
        | (Value::DateTime(_), Type::DateTime)
        | (Value::List(_), Type::MultiPicklist(_)) => true,
        (Value::Blank, _) => typed.blank,
        (Value::Text(text), ty) => {
            let textual = !matches!(
                ty,
                Type::Integer(_) | Type::Decimal(_) | Type::Date | Type::DateTime | Type::Nothing
            );
            textual && text_max(ty).is_none_or(|max| length(text) <= max)
        }
        (Value::Number(number), Type::Integer(digits)) => {
            number.is_integer() && digits.is_none_or(|digits| whole_digits(*number) <= digits)
        }
        (Value::Number(number), Type::Decimal(size)) => size.is_none_or(|(precision, scale)| {
            number.normalize().scale() <= scale && whole_digits(*number) <= precision - scale
        }),
        (Value::List(items), Type::List(ty)) => items.iter().all(|item| conforms(item, ty)),
        _ => false,
    }
}

fn whole_digits(number: Decimal) -> u32 {
    let whole = number.trunc().abs().normalize();
    if whole.is_zero() { 0 } else { u32::try_from(whole.to_string().len()).unwrap() }
}

#[test]
fn the_table_is_consistent() {
    let reserved = [
        "and", "or", "not", "in", "is", "if", "then", "else", "where", "lookup", "linked", "true", "false",
        "nothing",
    ];
    let mut names = BTreeSet::new();
    for Function { name, signature, arity, doc, examples, failure, .. } in all() {
        assert!(names.insert(name), "{name} twice");
        assert!(!reserved.contains(name), "{name} is reserved");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()), "{name}");
        assert!(signature.starts_with(&format!("{name}(")) && signature.contains(" -> "), "{signature}");
        assert!(arity.0 >= 1 && arity.1.is_none_or(|most| most >= arity.0), "{name}");
        assert!(doc.ends_with('.') && !doc.contains("  "), "{name}: {doc}");
        assert!(!examples.is_empty(), "{name} has no example");
        let fails = examples.iter().any(|example| example.result == "failure");
        assert!(failure.is_some() || !fails, "{name}: an example fails, but `failure` is not filled in");
    }
    for name in all().filter_map(|function| function.inverse) {
        assert!(find(name).is_some(), "no inverse {name}");
    }
    for name in [
        "trim",
        "lowercase",
        "uppercase",
        "title_case",
        "truncate",
        "replace",
        "matches",
        "capture",
        "split",
        "join",
        "digits",
        "domain_of",
        "registrable_domain",
        "normalize_url",
        "e164",
        "country_code",
        "country_name",
        "number",
        "integer",
        "round",
        "abs",
        "min",
        "max",
        "date",
        "datetime",
        "from_epoch_ms",
        "to_epoch_ms",
        "in_zone",
        "start_of_day",
        "add_days",
        "format_date",
        "first_present",
        "default",
        "fits",
        "text",
        "email",
        "contains",
        "starts_with",
        "first",
        "last",
        "count",
    ] {
        assert!(names.contains(&name), "{name} is missing");
    }
}

#[test]
fn unknown_types_go_with_everything() {
    let unknown = Typed::error();
    for function in all() {
        let arguments =
            vec![Argument { typed: &unknown, literal: None }; function.arity.1.unwrap_or(function.arity.0)];
        let signature = (function.check)(&arguments);
        let signature = signature.unwrap_or_else(|problem| panic!("{}: {problem:?}", function.name));
        assert_eq!(signature.result.ty, Type::Error, "{}", function.name);
    }
}

#[test]
fn every_example_gives_what_it_says() {
    for function in all() {
        for example in function.examples {
            assert_eq!(evaluate(example.expression), example.result, "{}", example.expression);
        }
        let fails = function.examples.iter().any(|example| example.result == "failure");
        assert_eq!(fails, function.failure.is_some(), "{}: what can fail shows it", function.name);
        let uses = |example: &super::Example| example.expression.contains(function.name);
        assert!(function.examples.iter().all(uses), "{}: an example of something else", function.name);
    }
}

/// An expression as the language itself takes it: parsed, checked, compiled, evaluated.
fn evaluate(expression: &str) -> String {
    let text = crate::plan::testing::LEAD.text();
    let text = text.replacen("match {", &format!("let example = {expression}\n match {{"), 1);
    let plan = crate::plan::testing::plan(&text);
    let mapping = &plan.mappings[0];
    let slots = vec![crate::types::Raw::Missing; mapping.slots.len()];
    let frame = crate::eval::Frame {
        plan: &plan,
        mapping,
        slots: &slots,
        lookups: &[],
        trace: None,
        kept: crate::eval::Kept::default(),
    };
    frame.value(&mapping.lets[0]).map_or_else(|_| "failure".to_owned(), |value| literal_form(&value))
}

/// As the examples write results.
fn literal_form(value: &Value) -> String {
    match value {
        Value::Blank => "nothing".to_owned(),
        Value::Text(text) => format!("\"{text}\""),
        Value::List(items) => format!("[{}]", items.iter().map(literal_form).collect::<Vec<_>>().join(", ")),
        value => display(value),
    }
}

/// Text of every kind that a CRM may hold, and much that it should not.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ".{0,40}",
        2 => "[ -~]{0,80}",
        2 => r"[+0-9() ./-]{1,24}( ?(x|ext\.?) ?[0-9]{1,5})?",
        1 => r"[a-z.]{1,8}@[a-zäß.-]{1,12}\.[a-z]{2,3}",
        1 => r"(https?://)?[A-Za-z0-9.-]{1,20}(:[0-9]{1,6})?(/[ -~]{0,12})?",
        1 => r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
        1 => r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,10})?",
        1 => prop::sample::select(vec![
            "İstanbul", "ΟΔΟΣ", "straße", "ŉ", "é", "e\u{301}", "👩\u{200D}👩\u{200D}👧", "🇩🇪🇫🇷", "\u{0}", "\u{202E}",
            "US", "UK", "Germany", "UTC", "America/New_York", "(?:a{1000}){1000}", "((((", "[a-z]+", "yyyy", "'", "''",
            "2024-03-10T02:30:00", "2011-12-30", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
        ]).prop_map(str::to_owned),
    ]
}

fn any_date() -> impl Strategy<Value = NaiveDate> {
    prop_oneof![
        Just(NaiveDate::from_ymd_opt(1, 1, 1).unwrap()),
        Just(NaiveDate::from_ymd_opt(9999, 12, 31).unwrap()),
        (1..=3_652_059_i32).prop_map(|days| NaiveDate::from_num_days_from_ce_opt(days).unwrap()),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Blank),
        5 => any_text().prop_map(Value::text),
        1 => (any::<i64>(), 0..28_u32).prop_map(|(n, scale)| Value::Number(Decimal::new(n, scale))),
        2 => (-3..200_i64).prop_map(|n| Value::Number(n.into())),
        1 => Just(Value::Number(Decimal::MAX)),
        1 => Just(Value::Number(Decimal::new(1, 28))),
        1 => any::<bool>().prop_map(Value::Boolean),
        2 => any_date().prop_map(Value::Date),
        2 => (-62_135_596_800_000..=253_402_300_799_999_i64)
            .prop_map(|ms| Value::DateTime(DateTime::from_timestamp_millis(ms).unwrap())),
    ];
    prop_oneof![
        8 => leaf,
        1 => prop::collection::vec(any_text().prop_filter("not blank", |text| !text.is_empty()).prop_map(Value::Text), 1..4)
            .prop_map(Value::List),
    ]
}

/// A wider type that the value is also of, as a field's would be.
fn field_type(value: &Value, blank: bool) -> Typed {
    let ty = match value {
        Value::Text(text) if text_length(text).is_multiple_of(3) => Type::Text(None),
        Value::Text(text) if text_length(text) % 3 == 1 => {
            Type::Picklist(Options::Open(Some(length(text) + 3)))
        }
        Value::Number(_) => Type::Decimal(None),
        value => type_of(value).ty,
    };
    Typed { ty, blank: blank || value.is_blank() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    /// The whole contract: whatever the arguments, nothing panics; what the check allows does not fail unless it said so,
    /// and the result is of the type that it named. Also for arguments that the check refuses, a call does not panic.
    #[test]
    fn calls_keep_what_checks_promise(
        values in prop::collection::vec(any_value(), 1..5),
        fields in prop::collection::vec(any::<bool>(), 4),
        blanks in prop::collection::vec(any::<bool>(), 4),
    ) {
        for function in all() {
            let values = &values[..values.len().min(function.arity.1.unwrap_or(usize::MAX))];
            let called = call(function.name, values);
            if values.len() < function.arity.0 {
                continue;
            }
            let typed: Vec<_> = values.iter().zip(&fields).zip(&blanks)
                .map(|((value, field), blank)| if *field { field_type(value, *blank) } else { type_of(value) })
                .collect();
            let arguments: Vec<_> = typed.iter().zip(values).zip(&fields)
                .map(|((typed, value), field)| Argument { typed, literal: (!field).then_some(value) })
                .collect();
            let Ok(signature) = (function.check)(&arguments) else { continue };
            match called {
                Ok(value) => prop_assert!(
                    conforms(&value, &signature.result),
                    "{}{values:?} gives {value:?}, which is not {signature:?}", function.name
                ),
                Err(failure) => prop_assert!(
                    signature.can_fail && function.failure.is_some(),
                    "{}{values:?} fails although it cannot: {failure}", function.name
                ),
            }
        }
    }

    /// What says of itself that twice is once is so, and an inverse undoes.
    #[test]
    fn laws_hold(value in any_value(), zone in prop::sample::select(vec!["UTC", "America/Phoenix", "Pacific/Apia"])) {
        for function in all() {
            let rest: &[Value] = match function.name {
                "truncate" | "fits" => &[number("7")],
                "date" | "start_of_day" if matches!(value, Value::DateTime(_)) => &[text(zone)],
                _ if function.arity.0 == 1 => &[],
                _ => continue,
            };
            let apply = |value: &Value| {
                let mut values = vec![value.clone()];
                if !matches!((function.name, value), ("date", Value::Date(_))) {
                    values.extend_from_slice(rest);
                }
                call(function.name, &values)
            };
            let Ok(once) = apply(&value) else { continue };
            if function.idempotent {
                prop_assert_eq!(&apply(&once), &Ok(once.clone()), "{} of {:?}", function.name, value);
            }
            if let Some(inverse) = function.inverse {
                prop_assert!(crate::types::same(&call(inverse, &[once]).unwrap(), &value) || value.is_blank());
            }
        }
    }
}
