//! Text to lists and back.

use crate::types::{Borrowed, Failure, Type, Typed, Value, displayed, within_limit};

use super::arguments::{any_blank, meaningless, text, unexpected, wanted, wants_text};
use super::{Argument, BASE, Example, Family, Function, Problem, Signature};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "split",
        signature: "split(text, text) -> list of text",
        arity: (2, Some(2)),
        check: check_split,
        call: |values, _| call_split(values),
        doc: "Cuts text into a list at each occurrence of the second text. White space around the parts goes, and empty \
              parts are left out; text without any part gives a blank.",
        examples: &[
            Example { expression: r#""a; b;;c" | split(";")"#, result: r#"["a", "b", "c"]"# },
            Example { expression: r#"";" | split(";")"#, result: "nothing" },
        ],
        ..TEXT
    },
    Function {
        name: "join",
        signature: "join(list, text) -> text",
        arity: (2, Some(2)),
        check: check_join,
        call: |values, _| call_join(values),
        doc: "Makes one text of a list or a multi-select, with the second text between its values. A blank second text \
              puts nothing between them.",
        examples: &[
            Example { expression: r#""a;b" | split(";") | join(", ")"#, result: r#""a, b""# },
            Example {
                expression: r#"["Price", "Support"] | join(" and ")"#,
                result: r#""Price and Support""#,
            },
        ],
        ..TEXT
    },
    Function {
        name: "first",
        signature: "first(list) -> value",
        check: check_item,
        call: |values, _| call_item(values, false),
        doc: "Gives the first value of a list; of a multi-select, the first in the order in which the CRM sends them.",
        examples: &[
            Example { expression: r#""a;b" | split(";") | first"#, result: r#""a""# },
            Example { expression: "nothing | first", result: "nothing" },
        ],
        ..LIST
    },
    Function {
        name: "last",
        signature: "last(list) -> value",
        check: check_item,
        call: |values, _| call_item(values, true),
        doc: "Gives the last value of a list or a multi-select.",
        examples: &[Example { expression: r#""a;b" | split(";") | last"#, result: r#""b""# }],
        ..LIST
    },
    Function {
        name: "count",
        signature: "count(list) -> integer",
        takes_blank: true,
        check: check_count,
        call: |values, _| call_count(values),
        doc: "Counts the values of a list or a multi-select; a blank has none.",
        examples: &[
            Example { expression: r#"["Price", "Support"] | count"#, result: "2" },
            Example { expression: "nothing | count", result: "0" },
        ],
        ..LIST
    },
];

const TEXT: Function = Function { family: Family::Text, ..BASE };

const LIST: Function = Function { family: Family::List, ..BASE };

/// Wants a list and gives the type of its values.
fn wants_list(arguments: &[Argument<'_>]) -> Result<Type, Problem> {
    match &arguments[0].typed.ty {
        Type::List(items) => Ok(items.ty.clone()),
        Type::MultiPicklist(options) => Ok(Type::Picklist(options.clone())),
        ty @ (Type::Nothing | Type::Error) => Ok(ty.clone()),
        _ => Err(wanted(0, "a list", Some("write `| split(\";\")` to make a list of text"))),
    }
}

fn check_item(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let item = wants_list(arguments)?;
    Ok(Signature::of(arguments, item, false).or_blank())
}

fn call_item<'a>(values: &[Borrowed<'a>], last: bool) -> Result<Borrowed<'a>, Failure> {
    match values.first() {
        Some(Value::List(items)) => {
            let item = if last { items.last() } else { items.first() };
            Ok(item.cloned().unwrap_or(Value::Blank))
        }
        other => Err(unexpected(other, "a list")),
    }
}

/// A list can hold no more values than memory; ten digits are more than enough.
const COUNT_DIGITS: u32 = 10;

fn check_count(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_list(arguments)?;
    let mut signature = Signature::of(arguments, Type::Integer(Some(COUNT_DIGITS)), false);
    signature.result.blank = false;
    Ok(signature)
}

fn call_count<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    match values.first() {
        Some(Value::List(items)) => {
            Ok(Value::Number(items.iter().filter(|item| !item.is_blank()).count().into()))
        }
        Some(Value::Blank) => Ok(Value::Number(0.into())),
        other => Err(unexpected(other, "a list")),
    }
}

fn check_split(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let max = wants_text(arguments, 0)?;
    wants_text(arguments, 1)?;
    if arguments[1].literal.is_some_and(Value::is_blank) {
        return Err(meaningless(1, "the separator is empty", None));
    }
    let items = Typed::always(Type::Text(max));
    Ok(Signature::of(arguments, Type::List(Box::new(items)), false).or_blank())
}

fn call_split<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let parts = text(values, 0)?.split(text(values, 1)?).map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<_> = parts.map(|part| Value::text(part.to_owned())).collect();
    Ok(if parts.is_empty() { Value::Blank } else { Value::List(parts) })
}

fn check_join(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    match &arguments[0].typed.ty {
        Type::List(_) | Type::MultiPicklist(_) | Type::Nothing | Type::Error => {}
        _ => {
            return Err(wanted(
                0,
                "a list",
                Some("write a template for several values: `\"{city}, {state}\"`"),
            ));
        }
    }
    wants_text(arguments, 1)?;
    let mut signature = Signature::of(arguments, Type::Text(None), false);
    signature.result.blank = arguments[0].typed.blank;
    Ok(signature)
}

fn call_join<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    let Some(Value::List(items)) = values.first() else {
        return Err(super::arguments::unexpected(values.first(), "a list"));
    };
    let between = match values.get(1) {
        Some(Value::Blank) => "",
        _ => text(values, 1)?,
    };
    let items: Vec<_> = items.iter().filter(|item| !item.is_blank()).map(displayed).collect();
    within_limit(items.iter().map(|item| item.len() + between.len()).sum())?;
    Ok(Value::text(items.join(between)))
}

#[cfg(test)]
mod tests {
    use crate::functions::Problem;
    use crate::functions::tests::{call, check_typed, text};
    use crate::types::{Options, Type, Typed, Value};

    #[test]
    fn lists_are_split_and_joined() {
        let list = Value::List(vec![text("a"), text("b c")]);
        assert_eq!(call("split", &[text(" a ,b c,, "), text(",")]), Ok(list.clone()));
        assert_eq!(call("split", &[text("abc"), text(",")]), Ok(Value::List(vec![text("abc")])));
        assert_eq!(call("split", &[Value::Blank, text(",")]), Ok(Value::Blank));
        assert_eq!(call("join", &[list.clone(), text("; ")]), Ok(text("a; b c")));
        assert_eq!(call("join", &[list, Value::Blank]), Ok(text("ab c")));
        assert_eq!(call("join", &[Value::Blank, text(",")]), Ok(Value::Blank));
    }

    #[test]
    fn values_of_a_list_are_picked_and_counted() {
        let list = Value::List(vec![text("a"), text("b"), text("a")]);
        assert_eq!(call("first", std::slice::from_ref(&list)), Ok(text("a")));
        assert_eq!(call("last", &[Value::List(vec![text("a"), text("b")])]), Ok(text("b")));
        assert_eq!(call("count", &[list]), Ok(Value::Number(3.into())));
        assert_eq!(call("count", &[Value::Blank]), Ok(Value::Number(0.into())));
        assert_eq!(call("first", &[Value::List(Vec::new())]), Ok(Value::Blank));
        assert!(call("count", &[text("a")]).is_err());
        let options = Options::These(vec!["a".to_owned(), "b".to_owned()]);
        let set = Typed::always(Type::MultiPicklist(options.clone()));
        assert_eq!(check_typed("first", &set, &[]).unwrap().result, Typed::maybe(Type::Picklist(options)));
        assert_eq!(
            check_typed("count", &Typed::maybe(set.ty), &[]).unwrap().result,
            Typed::always(Type::Integer(Some(10)))
        );
        let problem = check_typed("count", &Typed::maybe(Type::Text(None)), &[]).unwrap_err();
        assert!(matches!(problem, Problem::Type { argument: 0, .. }), "{problem:?}");
    }

    #[test]
    fn types_of_lists_are_checked() {
        let set = Typed::maybe(Type::MultiPicklist(Options::Open(None)));
        assert_eq!(check_typed("join", &set, &[text(",")]).unwrap().result, Typed::maybe(Type::Text(None)));
        let problem = check_typed("join", &Typed::maybe(Type::Text(None)), &[text(",")]).unwrap_err();
        assert!(matches!(problem, Problem::Type { argument: 0, .. }), "{problem:?}");
        let problem = check_typed("split", &Typed::maybe(Type::Text(None)), &[Value::Blank]).unwrap_err();
        assert!(matches!(problem, Problem::Meaning { argument: 1, .. }), "{problem:?}");
        let split = check_typed("split", &Typed::always(Type::Text(Some(9))), &[text(",")]).unwrap().result;
        assert_eq!(split, Typed::maybe(Type::List(Box::new(Typed::always(Type::Text(Some(9)))))));
    }
}
