//! Searching in text.
//!
//! Patterns are regular expressions without look-around and back-references, so matching takes time in proportion to
//! the text; the compiled size is bounded, so a pattern cannot use up memory either.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::types::{Borrowed, Failure, Type, Value, quoted};

use super::arguments::{
    any_blank, integer, meaningless, text, wanted, wants_literal_integer, wants_literal_text,
};
use super::arguments::{is_text, wants_text};
use super::{Argument, BASE, Example, Family, Function, Prepared, Problem, Signature};

/// Longest pattern, in bytes: what is longer belongs in several rules.
const PATTERN_LENGTH: usize = 1_000;
/// Compiled size in bytes; `\w{200}` needs more, any pattern for a name, a number or an address far less.
const PATTERN_SIZE: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "contains",
        signature: "contains(text, text) -> boolean",
        arity: (2, Some(2)),
        check: check_search_list,
        call: |values, _| search(values, |text, part| text.contains(part)),
        doc: "Whether text contains another; of a multi-select, whether that option is chosen. Capital and small letters \
              differ.",
        examples: &[
            Example { expression: r#""VP Engineering" | contains("Eng")"#, result: "true" },
            Example { expression: r#""VP Engineering" | contains("eng")"#, result: "false" },
        ],
        ..TEXT
    },
    Function {
        name: "starts_with",
        signature: "starts_with(text, text) -> boolean",
        arity: (2, Some(2)),
        check: check_search,
        call: |values, _| search(values, |text, part| text.starts_with(part)),
        doc: "Whether text begins with another. Capital and small letters differ.",
        examples: &[Example { expression: r#""+14155550100" | starts_with("+1")"#, result: "true" }],
        ..TEXT
    },
    Function {
        name: "ends_with",
        signature: "ends_with(text, text) -> boolean",
        arity: (2, Some(2)),
        check: check_search,
        call: |values, _| search(values, |text, part| text.ends_with(part)),
        doc: "Whether text ends with another. Capital and small letters differ.",
        examples: &[Example { expression: r#""jane@acme.test" | ends_with(".test")"#, result: "true" }],
        ..TEXT
    },
    Function {
        name: "matches",
        signature: "matches(text, pattern) -> boolean",
        arity: (2, Some(2)),
        check: check_matches,
        prepare: Some(prepare),
        call: call_matches,
        doc: "Whether a regular expression is found somewhere in the text; `^` and `$` tie it to beginning and end. The \
              pattern is a literal; braces in it are written `\\{` and `\\}`. Look-around and back-references do not exist.",
        examples: &[
            Example { expression: r#""DE123" | matches("^[A-Z]\{2\}[0-9]+$")"#, result: "true" },
            Example { expression: r#""123" | matches("^[A-Z]\{2\}[0-9]+$")"#, result: "false" },
        ],
        ..TEXT
    },
    Function {
        name: "capture",
        signature: "capture(text, pattern, group?) -> text",
        arity: (2, Some(3)),
        check: check_capture,
        prepare: Some(prepare),
        call: call_capture,
        doc: "Takes the part of the text that a group of a regular expression matches: the group of that number, else the \
              first group, else all that the pattern matches. Blank where the pattern is not found, the group took no \
              part, or the part is white space alone.",
        examples: &[
            Example { expression: r#""Order 5501, paid" | capture("Order ([0-9]+)")"#, result: r#""5501""# },
            Example { expression: r#""2024-09" | capture("([0-9]+)-([0-9]+)", 2)"#, result: r#""09""# },
            Example { expression: r#""none" | capture("[0-9]+")"#, result: "nothing" },
        ],
        ..TEXT
    },
];

const TEXT: Function = Function { family: Family::Text, ..BASE };

fn check_search(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_text(arguments, 0)?;
    wants_text(arguments, 1)?;
    Ok(Signature::of(arguments, Type::Boolean, false))
}

fn check_search_list(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    match &arguments[0].typed.ty {
        Type::MultiPicklist(_) => {}
        Type::List(items) if is_text(&items.ty) => {}
        Type::List(_) => return Err(wanted(0, "text or a list of texts", None)),
        _ => return check_search(arguments),
    }
    wants_text(arguments, 1)?;
    Ok(Signature::of(arguments, Type::Boolean, false))
}

fn search<'a>(values: &[Borrowed<'a>], found: fn(&str, &str) -> bool) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    match values.first() {
        Some(Value::List(items)) => {
            Ok(Value::Boolean(values.get(1).is_some_and(|item| items.contains(item))))
        }
        _ => Ok(Value::Boolean(found(text(values, 0)?, text(values, 1)?))),
    }
}

fn check_matches(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_text(arguments, 0)?;
    check_pattern(arguments)?;
    Ok(Signature::of(arguments, Type::Boolean, false))
}

fn check_capture(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let max = wants_text(arguments, 0)?;
    let groups = check_pattern(arguments)?;
    if arguments.len() > 2 {
        let group = wants_literal_integer(arguments, 2, (0, 99))?;
        if let Some(groups) = groups
            && usize::try_from(group).is_ok_and(|group| group > groups)
        {
            let message = format!("the pattern has {groups} groups, and this asks for number {group}");
            return Err(meaningless(
                2,
                message,
                Some("groups are the parts in round brackets, counted from 1"),
            ));
        }
    }
    Ok(Signature::of(arguments, Type::Text(max), false).or_blank())
}

/// Compiles the pattern in the second argument and gives the number of its groups.
fn check_pattern(arguments: &[Argument<'_>]) -> Result<Option<usize>, Problem> {
    let Some(pattern) = wants_literal_text(arguments, 1)? else { return Ok(None) };
    match compile(pattern) {
        Ok(regex) => Ok(Some(regex.captures_len() - 1)),
        Err(message) => {
            let help = "patterns are regular expressions without look-around and back-references; write `\\\\` for a `\\` in text";
            Err(meaningless(1, message, Some(help)))
        }
    }
}

/// Compiles a pattern, or says in one line why it is none.
fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_LENGTH {
        return Err(format!("the pattern is longer than {PATTERN_LENGTH} characters"));
    }
    let regex = RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).nest_limit(50).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => format!("the pattern {} grows too large", quoted(pattern)),
        error => {
            // The library draws the pattern with a caret; its last line says what is wrong.
            let words = error.to_string();
            let reason = words.lines().last().unwrap_or_default().trim_start_matches("error: ").trim();
            format!("{} is not a pattern: {reason}", quoted(pattern))
        }
    })
}

fn prepare(literals: &[Option<&Value>]) -> Prepared {
    match literals.get(1) {
        Some(Some(Value::Text(pattern))) => compile(pattern).map_or(Prepared::Nothing, Prepared::Regex),
        _ => Prepared::Nothing,
    }
}

fn pattern<'p>(values: &[Borrowed<'_>], prepared: &'p Prepared) -> Result<Cow<'p, Regex>, Failure> {
    match prepared {
        Prepared::Regex(regex) => Ok(Cow::Borrowed(regex)),
        _ => compile(text(values, 1)?).map(Cow::Owned).map_err(Failure::new),
    }
}

fn call_matches<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    Ok(Value::Boolean(pattern(values, prepared)?.is_match(text(values, 0)?)))
}

fn call_capture<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let regex = pattern(values, prepared)?;
    let group = match values.get(2) {
        Some(_) => usize::try_from(integer(values, 2)?).unwrap_or(usize::MAX),
        None => usize::from(regex.captures_len() > 1),
    };
    let found = regex.captures(text(values, 0)?);
    Ok(found
        .as_ref()
        .and_then(|found| found.get(group))
        .map_or(Value::Blank, |part| Value::visible(part.as_str().to_owned())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::functions::tests::{call, check_typed, number, text};
    use crate::functions::{Argument, Prepared, Problem, find};
    use crate::types::{Options, Type, Typed, Value};

    fn field() -> Typed {
        Typed::maybe(Type::Text(Some(40)))
    }

    #[test]
    fn parts_are_found() {
        let yes = Ok(Value::Boolean(true));
        assert_eq!(call("contains", &[text("a.b"), text(".")]), yes);
        assert_eq!(call("contains", &[Value::List(vec![text("a"), text("b")]), text("b")]), yes);
        assert_eq!(call("contains", &[Value::List(vec![text("ab")]), text("b")]), Ok(Value::Boolean(false)));
        assert_eq!(call("starts_with", &[text("+49 30"), text("+49")]), yes);
        assert_eq!(call("ends_with", &[text("+49 30"), text("30")]), yes);
        assert_eq!(call("contains", &[text("a"), Value::Blank]), Ok(Value::Blank));
        assert_eq!(call("matches", &[Value::Blank, text("a")]), Ok(Value::Blank));
        let set = Typed::maybe(Type::MultiPicklist(Options::Open(None)));
        assert_eq!(check_typed("contains", &set, &[text("b")]).unwrap().result, Typed::maybe(Type::Boolean));
        assert!(check_typed("starts_with", &set, &[text("b")]).is_err());
    }

    #[test]
    fn groups_are_captured() {
        for (pattern, group, result) in [
            ("([0-9]+)-([0-9]+)", None, text("2024")),
            ("([0-9]+)-([0-9]+)", Some("0"), text("2024-09")),
            ("([0-9]+)-([0-9]+)", Some("2"), text("09")),
            ("(x)?2024", None, Value::Blank),
            ("[a-z]+", None, Value::Blank),
            ("x*", None, Value::Blank),
        ] {
            let mut values = vec![text("2024-09"), text(pattern)];
            values.extend(group.map(number));
            assert_eq!(call("capture", &values), Ok(result), "{pattern} {group:?}");
        }
        let signature = check_typed("capture", &Typed::always(Type::Text(Some(40))), &[text("a")]).unwrap();
        assert_eq!((signature.result, signature.can_fail), (field(), false));
    }

    #[test]
    fn a_bad_pattern_is_found_by_the_check() {
        for pattern in ["(", "[a", "a{5000}{5000}", "(?=a)", "(a)\\1", &"(".repeat(500), &"a".repeat(2_000)] {
            let problem = check_typed("matches", &field(), &[text(pattern)]).unwrap_err();
            let Problem::Meaning { argument: 1, message, help: Some(_) } = problem else {
                panic!("{problem:?}")
            };
            assert!(!message.contains('\n') && message.len() < 250, "{message}");
            assert!(call("matches", &[text("a"), text(pattern)]).is_err());
        }
        let problem = check_typed("capture", &field(), &[text("(a)"), number("2")]).unwrap_err();
        assert!(matches!(problem, Problem::Meaning { argument: 2, .. }), "{problem:?}");
        let pattern = field();
        let arguments = [Argument { typed: &pattern, literal: None }; 2];
        assert_eq!((find("matches").unwrap().check)(&arguments), Err(Problem::Literal { argument: 1 }));
    }

    #[test]
    fn a_literal_pattern_is_compiled_once() {
        let prepare = find("matches").unwrap().prepare.unwrap();
        assert!(matches!(prepare(&[None, Some(&text("[a-z]+"))]), Prepared::Regex(_)));
        assert!(matches!(prepare(&[None, Some(&text("("))]), Prepared::Nothing));
        assert!(matches!(prepare(&[None, None]), Prepared::Nothing));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_pattern_panics(pattern in ".{0,60}", value in ".{1,60}", group in 0..5_i64) {
            let group = Value::Number(group.into());
            let _ = call("capture", &[text(&value), text(&pattern), group]);
            let _ = check_typed("matches", &field(), &[text(&pattern)]);
        }
    }
}
