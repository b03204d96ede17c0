//! Numbers. They are exact decimals of up to 28 digits; what is larger is a failure, never rounded in silence.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::types::{Borrowed, Failure, Type, Value, parse_number};

use super::arguments::{
    any_blank, integer, is_text, number, unexpected, wanted, wants_literal_integer, wants_number,
};
use super::general::wider;
use super::{Argument, BASE, Example, Family, Function, Problem, Signature};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "number",
        signature: "number(text) -> decimal",
        check: |arguments| check_parse(arguments, false),
        call: |values, _| parse(values.first()).map(Value::Number),
        failure: Some("the text is not a number, or has more than 28 digits"),
        idempotent: true,
        doc: "Reads text as a number: `1234.5`, `-3`, `1.5E3`. Signs for thousands and currencies are not read; take them \
              out with `replace`. A number passes as it is.",
        examples: &[
            Example { expression: r#""12.50" | number"#, result: "12.5" },
            Example { expression: r#""1,200" | replace(",", "") | number"#, result: "1200" },
            Example { expression: r#""n/a" | number"#, result: "failure" },
        ],
        ..NUMBER
    },
    Function {
        name: "integer",
        signature: "integer(text or number) -> integer",
        check: |arguments| check_parse(arguments, true),
        call: |values, _| call_integer(values),
        failure: Some("the value is not a whole number"),
        idempotent: true,
        doc: "Reads text as a whole number, or lets a number pass that is whole. It does not round: write `round` for that.",
        examples: &[
            Example { expression: r#""87" | integer"#, result: "87" },
            Example { expression: "87.0 | integer", result: "87" },
            Example { expression: "87.5 | integer", result: "failure" },
        ],
        ..NUMBER
    },
    Function {
        name: "round",
        signature: "round(number, digits?) -> number",
        arity: (1, Some(2)),
        check: check_round,
        call: |values, _| call_round(values),
        idempotent: true,
        doc: "Rounds to so many digits after the point, none when left out. A half goes away from zero, as in Salesforce's \
              formulas (Salesforce Help, ROUND: 1.5 gives 2, -1.5 gives -2).",
        examples: &[
            Example { expression: "2.5 | round", result: "3" },
            Example { expression: "225.49823 | round(2)", result: "225.5" },
            Example { expression: "round(0 - 1.5)", result: "-2" },
        ],
        ..NUMBER
    },
    Function {
        name: "abs",
        signature: "abs(number) -> number",
        check: |arguments| check_same(arguments),
        call: |values, _| Ok(Value::Number(number(values, 0)?.abs())),
        idempotent: true,
        doc: "The number without its sign.",
        examples: &[Example { expression: "abs(3 - 5)", result: "2" }],
        ..NUMBER
    },
    Function {
        name: "min",
        signature: "min(number, number, …) -> number",
        arity: (2, None),
        check: |arguments| check_same(arguments),
        call: |values, _| pick(values, Decimal::min),
        idempotent: true,
        doc: "The smallest of its numbers.",
        examples: &[Example { expression: "min(3, 1, 2)", result: "1" }],
        ..NUMBER
    },
    Function {
        name: "max",
        signature: "max(number, number, …) -> number",
        arity: (2, None),
        check: |arguments| check_same(arguments),
        call: |values, _| pick(values, Decimal::max),
        idempotent: true,
        doc: "The largest of its numbers.",
        examples: &[Example { expression: "120 | max(100)", result: "120" }],
        ..NUMBER
    },
];

const NUMBER: Function = Function { family: Family::Number, ..BASE };

fn check_parse(arguments: &[Argument<'_>], whole: bool) -> Result<Signature, Problem> {
    let ty = &arguments[0].typed.ty;
    let (result, can_fail) = match ty {
        Type::Decimal(size) if whole => {
            (Type::Integer(size.map(|(precision, scale)| precision.saturating_sub(scale))), true)
        }
        Type::Integer(_) | Type::Decimal(_) | Type::Nothing | Type::Error => (ty.clone(), false),
        ty if is_text(ty) && whole => (Type::Integer(None), true),
        ty if is_text(ty) => (Type::Decimal(None), true),
        Type::DateTime => {
            return Err(wanted(0, "text or a number", Some("write `| to_epoch_ms` for milliseconds")));
        }
        Type::Boolean => return Err(wanted(0, "text or a number", Some("write `if FIELD then 1 else 0`"))),
        _ => return Err(wanted(0, "text or a number", None)),
    };
    let literal = arguments[0].literal.and_then(|value| parse(Some(value)).ok());
    let fine = literal.is_some_and(|number| !whole || number.fract().is_zero());
    Ok(Signature::of(arguments, result, can_fail && !fine))
}

fn parse<T: AsRef<str>>(value: Option<&Value<T>>) -> Result<Decimal, Failure> {
    match value {
        Some(Value::Number(number)) => Ok(*number),
        Some(Value::Text(text)) => parse_number(text.as_ref()),
        other => Err(unexpected(other, "a number")),
    }
}

fn call_integer<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    let number = parse(values.first())?;
    if number.fract().is_zero() {
        return Ok(Value::Number(number.trunc()));
    }
    Err(unexpected(values.first(), "a whole number"))
}

fn check_round(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    /// More digits after the point than a CRM keeps: Salesforce's number fields have 18 digits.
    const DIGITS: u32 = 18;
    wants_number(arguments, 0)?;
    let digits = if arguments.len() > 1 { wants_literal_integer(arguments, 1, (0, DIGITS))? } else { 0 };
    let ty = match &arguments[0].typed.ty {
        // Rounding up can make one digit more: 9.9 becomes 10.
        Type::Decimal(Some((precision, scale))) if digits < *scale => {
            let whole = precision.saturating_sub(*scale).saturating_add(1);
            if digits == 0 {
                Type::Integer(Some(whole))
            } else {
                Type::Decimal(Some((whole + digits, digits)))
            }
        }
        Type::Decimal(None) if digits == 0 => Type::Integer(None),
        // Unknown before the point, so more than any field: the digits after it are what counts.
        Type::Decimal(None) => Type::Decimal(Some((UNBOUNDED + digits, digits))),
        ty => ty.clone(),
    };
    Ok(Signature::of(arguments, ty, false))
}

/// Digits before the point of a number without a known size: as many as an exact decimal has.
const UNBOUNDED: u32 = 29;

fn call_round<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let digits = if values.len() > 1 { integer(values, 1)? } else { 0 };
    let digits = u32::try_from(digits).map_err(|_| unexpected(values.get(1), "a number of digits"))?;
    let rounded = number(values, 0)?.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
    Ok(Value::Number(rounded))
}

fn check_same(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let mut ty = arguments[0].typed.ty.clone();
    for (at, argument) in arguments.iter().enumerate() {
        wants_number(arguments, at)?;
        ty = match (&ty, &argument.typed.ty) {
            (Type::Integer(a), Type::Integer(b)) => Type::Integer(a.zip(*b).map(|(a, b)| a.max(b))),
            (Type::Nothing, other) | (other, Type::Nothing) => other.clone(),
            (a, b) => Type::Decimal(wider(a, b)),
        };
    }
    Ok(Signature::of(arguments, ty, false))
}

fn pick<'a>(
    values: &[Borrowed<'a>],
    better: fn(Decimal, Decimal) -> Decimal,
) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let mut best = number(values, 0)?;
    for at in 1..values.len() {
        best = better(best, number(values, at)?);
    }
    Ok(Value::Number(best))
}

#[cfg(test)]
mod tests {
    use crate::functions::Problem;
    use crate::functions::tests::{call, check_literals, check_typed, number, text};
    use crate::types::{Type, Typed, Value};

    #[test]
    fn numbers_are_read_exactly() {
        for (written, read) in
            [("87", "87"), ("-12.50", "-12.50"), ("1.5E3", "1500"), ("0.1", "0.1"), ("1e-3", "0.001")]
        {
            assert_eq!(call("number", &[text(written)]), Ok(number(read)), "{written}");
        }
        for bad in [
            "",
            " 1",
            "1,000",
            "$5",
            "1_000",
            "NaN",
            "inf",
            "0x10",
            "1.",
            ".5",
            "+1",
            "1e",
            "1e400",
            "--1",
            &"9".repeat(40),
        ] {
            let result = call("number", &[text(bad)]);
            assert!(result.is_err() || bad.is_empty(), "{bad}: {result:?}");
        }
        assert_eq!(
            call("number", &[text("n/a")]).unwrap_err().message,
            "`n/a` is not a number such as `1234.5`"
        );
        assert_eq!(call("number", &[Value::Blank]), Ok(Value::Blank));
    }

    #[test]
    fn integers_are_whole() {
        assert_eq!(call("integer", &[text("87.0")]), Ok(number("87")));
        assert_eq!(call("integer", &[text("87.5")]).unwrap_err().message, "`87.5` is not a whole number");
        assert!(!check_typed("integer", &Typed::maybe(Type::Integer(Some(5))), &[]).unwrap().can_fail);
        let signature = check_typed("integer", &Typed::maybe(Type::Decimal(Some((18, 2)))), &[]).unwrap();
        assert_eq!((signature.result, signature.can_fail), (Typed::maybe(Type::Integer(Some(16))), true));
    }

    #[test]
    fn halves_go_away_from_zero() {
        for (from, digits, to) in [
            ("1.5", "0", "2"),
            ("-1.5", "0", "-2"),
            ("2.5", "0", "3"),
            ("1.2345", "0", "1"),
            ("225.49823", "2", "225.50"),
            ("0.125", "2", "0.13"),
            ("-0.125", "2", "-0.13"),
            ("7", "2", "7"),
        ] {
            assert_eq!(call("round", &[number(from), number(digits)]), Ok(number(to)), "{from}");
        }
        assert_eq!(call("round", &[number("1.5")]), Ok(number("2")));
    }

    #[test]
    fn rounding_changes_the_type() {
        let round = |ty, rest: &[Value]| check_typed("round", &Typed::maybe(ty), rest).unwrap().result.ty;
        assert_eq!(round(Type::Decimal(Some((18, 4))), &[]), Type::Integer(Some(15)));
        assert_eq!(round(Type::Decimal(Some((18, 4))), &[number("2")]), Type::Decimal(Some((17, 2))));
        assert_eq!(round(Type::Decimal(Some((18, 2))), &[number("2")]), Type::Decimal(Some((18, 2))));
        assert_eq!(round(Type::Decimal(None), &[]), Type::Integer(None));
        assert_eq!(round(Type::Integer(Some(5)), &[]), Type::Integer(Some(5)));
        let problem = check_typed("round", &Typed::maybe(Type::Text(None)), &[]).unwrap_err();
        assert!(matches!(problem, Problem::Type { argument: 0, help: Some(_), .. }), "{problem:?}");
    }

    #[test]
    fn the_smallest_and_largest_are_found() {
        let values = [number("3"), number("-1"), number("2.5")];
        assert_eq!(call("min", &values), Ok(number("-1")));
        assert_eq!(call("max", &values), Ok(number("3")));
        assert_eq!(call("max", &[number("3"), Value::Blank]), Ok(Value::Blank));
        assert_eq!(call("abs", &[number("-2.5")]), Ok(number("2.5")));
        assert!(check_literals("max", &[number("1"), text("2")]).is_err());
    }
}
