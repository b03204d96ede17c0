//! Functions of values of every type.

use std::collections::HashSet;

use crate::types::{Borrowed, Options, Type, Typed, Value, displayed, text_max};

use super::arguments::{is_text, wanted};
use super::{Argument, BASE, Example, Function, Problem, Signature};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "first_present",
        signature: "first_present(value, value, …) -> value",
        arity: (1, None),
        takes_blank: true,
        lazy: true,
        check: check_first_present,
        call: |values, _| Ok(first_present(values)),
        idempotent: true,
        doc: "Gives the first of its values that is not blank, and a blank when all are.",
        examples: &[
            Example { expression: r#"first_present(nothing, "Acme", "Unknown")"#, result: r#""Acme""# },
            Example { expression: r#"first_present("" , nothing)"#, result: "nothing" },
        ],
        ..BASE
    },
    Function {
        name: "default",
        signature: "default(value, value) -> value",
        arity: (2, Some(2)),
        takes_blank: true,
        lazy: true,
        check: check_first_present,
        call: |values, _| Ok(first_present(values)),
        idempotent: true,
        doc: "Gives its argument in place of a blank: `first_present` as a step.",
        examples: &[
            Example { expression: r#""  " | trim | default("Unknown")"#, result: r#""Unknown""# },
            Example { expression: r#""Doe" | default("Unknown")"#, result: r#""Doe""# },
        ],
        ..BASE
    },
    Function {
        name: "text",
        signature: "text(value) -> text",
        check: check_text,
        call: |values, _| Ok(values.first_mut().map_or(Value::Blank, as_text)),
        idempotent: true,
        doc: "Writes any single value as text: a number without zeros at its end, `true` or `false`, a date as \
              `2024-09-30`, a date and time in UTC as `2024-09-30T12:00:00Z`. For several values use `join`.",
        examples: &[
            Example { expression: "87.50 | text", result: r#""87.5""# },
            Example { expression: "true | text", result: r#""true""# },
        ],
        ..BASE
    },
];

fn first_present<'a>(values: &[Borrowed<'a>]) -> Borrowed<'a> {
    values.iter().find(|value| !value.is_blank()).cloned().unwrap_or(Value::Blank)
}

fn check_first_present(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let mut ty = Type::Nothing;
    for (at, argument) in arguments.iter().enumerate() {
        let next = &argument.typed.ty;
        ty = unify(&ty, next).ok_or_else(|| {
            let wanted_type = format!("{}, as the values before it", kind(&ty));
            wanted(at, &wanted_type, is_text(&ty).then_some("write `| text` to make it text"))
        })?;
        // A later value is reached only while those before it are blank.
        if !argument.typed.blank && ty != Type::Error {
            break;
        }
    }
    // The values after one that is never blank still have to go together with it.
    for (at, argument) in arguments.iter().enumerate() {
        if unify(&ty, &argument.typed.ty).is_none() {
            return Err(wanted(at, &format!("{}, as the values before it", kind(&ty)), None));
        }
    }
    let blank = arguments.iter().all(|argument| argument.typed.blank);
    let mut signature = Signature::of(arguments, ty, false);
    signature.result.blank = blank;
    Ok(signature)
}

/// The type of a value that is one of many: [`unify`] over all of them, without their options anew for each.
#[derive(Debug)]
pub(crate) struct Union {
    ty: Type,
    /// The options so far, where there are any.
    options: HashSet<String>,
}

impl Union {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { ty: Type::Nothing, options: HashSet::new() }
    }

    /// Adds a type; `false`, and nothing is changed, where it does not go together with the others.
    pub(crate) fn add(&mut self, next: &Type) -> bool {
        match (&mut self.ty, next) {
            (Type::Picklist(Options::These(all)), Type::Picklist(Options::These(more))) => {
                all.extend(more.iter().filter(|option| self.options.insert((*option).clone())).cloned());
                true
            }
            (ty, next) => {
                let Some(united) = unify(ty, next) else { return false };
                if let Type::Picklist(Options::These(options)) = &united {
                    self.options = options.iter().cloned().collect();
                }
                self.ty = united;
                true
            }
        }
    }

    /// The type of all.
    pub(crate) fn into_type(self) -> Type {
        self.ty
    }
}

/// The type of a value that is one or the other.
pub(crate) fn unify(a: &Type, b: &Type) -> Option<Type> {
    Some(match (a, b) {
        (Type::Error, _) | (_, Type::Error) => Type::Error,
        (Type::Nothing, ty) | (ty, Type::Nothing) => ty.clone(),
        (a, b) if a == b => a.clone(),
        (Type::Email(a), Type::Email(b)) => Type::Email(longer(*a, *b)),
        (Type::Phone(a), Type::Phone(b)) => Type::Phone(longer(*a, *b)),
        (Type::Url(a), Type::Url(b)) => Type::Url(longer(*a, *b)),
        (Type::Picklist(Options::These(a)), Type::Picklist(Options::These(b))) => {
            let known: HashSet<&String> = a.iter().collect();
            let more = b.iter().filter(|option| !known.contains(option));
            Type::Picklist(Options::These(a.iter().chain(more).cloned().collect()))
        }
        (Type::Reference(a), Type::Reference(b)) => {
            let more = b.iter().filter(|object| !a.contains(object));
            Type::Reference(a.iter().chain(more).cloned().collect())
        }
        (Type::Integer(a), Type::Integer(b)) => Type::Integer(longer(*a, *b)),
        (Type::Integer(_) | Type::Decimal(_), Type::Integer(_) | Type::Decimal(_)) => {
            Type::Decimal(wider(a, b))
        }
        (Type::List(a), Type::List(b)) => {
            Type::List(Box::new(Typed { ty: unify(&a.ty, &b.ty)?, blank: a.blank || b.blank }))
        }
        (a, b) if is_text(a) && is_text(b) => Type::Text(longer(text_max(a), text_max(b))),
        _ => return None,
    })
}

fn longer(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    a.zip(b).map(|(a, b)| a.max(b))
}

/// Digits in all and after the point that hold both numbers.
pub(super) fn wider(a: &Type, b: &Type) -> Option<(u32, u32)> {
    let size = |ty: &Type| match ty {
        Type::Integer(digits) => digits.map(|digits| (digits, 0)),
        Type::Decimal(size) => *size,
        _ => None,
    };
    let ((ap, a_scale), (bp, b_scale)) = size(a).zip(size(b))?;
    let scale = a_scale.max(b_scale);
    let whole = ap.saturating_sub(a_scale).max(bp.saturating_sub(b_scale));
    Some((whole.saturating_add(scale), scale))
}

/// A type in a few words.
pub(crate) fn kind(ty: &Type) -> &'static str {
    match ty {
        Type::Integer(_) | Type::Decimal(_) => "a number",
        Type::Boolean => "true or false",
        Type::Date => "a date",
        Type::DateTime => "a date and time",
        Type::List(_) | Type::MultiPicklist(_) => "a list",
        Type::Nothing => "nothing",
        _ => "text",
    }
}

fn as_text<'a>(value: &mut Borrowed<'a>) -> Borrowed<'a> {
    match std::mem::replace(value, Value::Blank) {
        Value::Text(text) => Value::Text(text),
        other => Value::text(displayed(&other).into_owned()),
    }
}

fn check_text(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    match &arguments[0].typed.ty {
        Type::List(_) | Type::MultiPicklist(_) => {
            Err(wanted(0, "a single value", Some("write `| join(\", \")` to make text of a list")))
        }
        ty => Ok(Signature::of(arguments, Type::Text(text_max(ty)), false)),
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{call, date, instant, number, text};
    use crate::functions::{Argument, Problem, Signature, find};
    use crate::source::{ObjectName, Side};
    use crate::types::{Options, Type, Typed, Value};

    fn check(types: &[Typed]) -> Result<Signature, Problem> {
        let arguments: Vec<_> = types.iter().map(|typed| Argument { typed, literal: None }).collect();
        (find("first_present").unwrap().check)(&arguments)
    }

    #[test]
    fn the_first_present_value_counts() {
        assert_eq!(call("first_present", &[Value::Blank, text(" "), text("b")]), Ok(text(" ")));
        assert_eq!(call("first_present", &[Value::Blank]), Ok(Value::Blank));
        assert_eq!(call("default", &[Value::Blank, Value::Boolean(false)]), Ok(Value::Boolean(false)));
        assert_eq!(call("default", &[number("0"), number("1")]), Ok(number("0")));
    }

    #[test]
    fn types_are_united() {
        let text = |max| Typed::maybe(Type::Text(max));
        let result = |types: &[Typed]| check(types).unwrap().result;
        assert_eq!(result(&[text(Some(20)), text(Some(80))]), text(Some(80)));
        assert_eq!(result(&[text(Some(20)), text(None)]), text(None));
        assert_eq!(
            result(&[text(Some(20)), Typed::always(Type::Text(Some(7)))]),
            Typed::always(Type::Text(Some(20)))
        );
        assert_eq!(result(&[Typed::maybe(Type::Email(Some(80))), text(Some(20))]), text(Some(80)));
        assert_eq!(
            result(&[Typed::maybe(Type::Nothing), Typed::maybe(Type::Date)]),
            Typed::maybe(Type::Date)
        );
        assert_eq!(
            result(&[Typed::maybe(Type::Integer(Some(5))), Typed::maybe(Type::Decimal(Some((6, 2))))]),
            Typed::maybe(Type::Decimal(Some((7, 2))))
        );
        let object = |name: &str| ObjectName::new(Side::Salesforce, name);
        assert_eq!(
            result(&[
                Typed::maybe(Type::Reference(vec![object("User")])),
                Typed::always(Type::Reference(vec![object("Group")]))
            ]),
            Typed::always(Type::Reference(vec![object("User"), object("Group")]))
        );
        let picklist = |options: &[&str]| {
            Typed::maybe(Type::Picklist(Options::These(options.iter().map(ToString::to_string).collect())))
        };
        assert_eq!(result(&[picklist(&["a", "b"]), picklist(&["b", "c"])]), picklist(&["a", "b", "c"]));
    }

    #[test]
    fn kinds_do_not_mix() {
        let problem = check(&[Typed::maybe(Type::Text(None)), Typed::always(Type::Date)]).unwrap_err();
        assert!(matches!(problem, Problem::Type { argument: 1, .. }), "{problem:?}");
        let problem = check(&[Typed::always(Type::Date), Typed::always(Type::DateTime)]).unwrap_err();
        assert!(matches!(problem, Problem::Type { argument: 1, .. }), "{problem:?}");
    }

    #[test]
    fn every_single_value_has_a_text() {
        for (value, written) in [
            (number("-0.50"), "-0.5"),
            (number("100"), "100"),
            (Value::Boolean(true), "true"),
            (date("2024-09-30"), "2024-09-30"),
            (instant("2024-09-30T12:00:00.5+02:00"), "2024-09-30T10:00:00.500Z"),
        ] {
            assert_eq!(call("text", &[value]), Ok(text(written)));
        }
        assert_eq!(call("text", &[Value::Blank]), Ok(Value::Blank));
    }
}
