//! Whether the steps of a two-way rule settle: a value that goes over and comes back is the value that it was.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::diagnostic::{Code, Diagnostic};
use crate::functions::{self, Function, Prepared};
use crate::source::Span;
use crate::types::{Type, Value, text_length, text_max};

use super::words::{self, Kind};
use super::world::World;

/// A step as both directions take it.
#[derive(Clone)]
pub(super) struct Op {
    forth: &'static Function,
    back: &'static Function,
    args: Vec<Value>,
    span: Span,
    /// The number of characters at which text is cut or refused, where it is tried with fewer.
    length: Option<u32>,
}

/// Where text is cut at more characters than this, it is tried with so many: no name, address or number that a step makes
/// is longer.
const LONG: u32 = 300;

impl Op {
    /// A step that its inverse undoes, or that leaves alone what it has made.
    pub(super) fn new(function: &'static Function, mut args: Vec<Value>, span: Span) -> Self {
        let mut length = None;
        if let ("truncate" | "fits", Some(Value::Number(number))) = (function.name, args.first_mut())
            && *number > Decimal::from(LONG)
        {
            length = u32::try_from(*number).ok();
            *number = Decimal::from(LONG);
        }
        let back = function.inverse.and_then(functions::find).unwrap_or(function);
        Self { forth: function, back, args, span, length }
    }
}

/// What a step makes of a value.
fn apply(function: &Function, value: &Value, args: &[Value]) -> Option<Value> {
    if value.is_blank() && !function.takes_blank {
        return Some(Value::Blank);
    }
    let mut args: Vec<_> = std::iter::once(value).chain(args).map(Value::borrowed).collect();
    (function.call)(&mut args, &Prepared::Nothing).ok().map(Value::into_owned)
}

/// Normalisers one after the other must settle: what goes over and comes back is what it was. Tried on values that differ
/// in all that normalisers touch; the first that does not settle is the counterexample.
pub(super) fn check(world: &World<'_>, ends: [&Type; 2], chain: &[Op]) {
    let [first, .., last] = chain else { return };
    let samples = samples(ends, chain);
    let Some((sample, once, twice)) = samples.iter().find_map(|sample| unsettled(chain, sample)) else {
        return;
    };
    let then = match twice {
        Some(twice) => format!("that becomes {}", shown(&twice)),
        None => "they fail on that".to_owned(),
    };
    let is_long = matches!(sample, Value::Text(text) if text.chars().count() >= LONG as usize);
    let message = match chain.iter().filter_map(|op| op.length).min().filter(|_| is_long) {
        None => format!("these steps do not settle: {} becomes {}, and {then}", shown(sample), shown(&once)),
        Some(length) => format!(
            "these steps do not settle on a text of more than {} characters: what they make of it, they change again",
            words::count(length)
        ),
    };
    let finding = Diagnostic::error(Code::NOT_INVERTIBLE, first.span.to(last.span), message);
    world.report(finding.help(help(world, chain, &samples)));
}

/// What to write instead: the same steps in an order that settles, or one that fails where a step would cut.
fn help(world: &World<'_>, chain: &[Op], samples: &[Value]) -> String {
    let settles = |chain: &[Op]| samples.iter().all(|sample| unsettled(chain, sample).is_none());
    let written =
        |op: &Op, name: &str| world.sources.slice(op.span).trim_end().replacen(op.forth.name, name, 1);
    let turned: Vec<Op> = chain.iter().rev().cloned().collect();
    if settles(&turned) {
        let steps: Vec<_> = turned.iter().map(|op| written(op, op.forth.name)).collect();
        return format!("write them the other way round: `{}`", steps.join(" | "));
    }
    let uncut: Vec<Op> = chain.iter().map(uncut).collect();
    if settles(&uncut) {
        let both = chain.iter().zip(&uncut);
        let steps: Vec<_> = both.map(|(op, uncut)| written(op, uncut.forth.name)).collect();
        return format!("do not cut what they made: write `{}`, and `otherwise park`", steps.join(" | "));
    }
    "write the rule with `->` or `<-`, so that one side decides".to_owned()
}

/// A value as it is written; of a long one its ends, for what does not settle is at one of them.
fn shown(value: &Value) -> String {
    const WHOLE: usize = 40;
    const ENDS: usize = 10;
    let text = crate::types::display(value);
    let count = text.chars().count();
    if count <= WHOLE {
        return format!("`{text}`");
    }
    let (head, tail): (String, String) =
        (text.chars().take(ENDS).collect(), text.chars().skip(count - ENDS).collect());
    format!("`{head}…{tail}` ({count} characters)")
}

/// A step that fails where this one would cut.
fn uncut(op: &Op) -> Op {
    match functions::find("fits").filter(|_| op.forth.name == "truncate") {
        Some(fits) => Op { forth: fits, back: fits, ..op.clone() },
        None => op.clone(),
    }
}

/// What a value becomes on its way over, and what that becomes on its way back and over again, where it is another value
/// or none: then the next run would find a difference that nobody made, or fail.
fn unsettled<'v>(chain: &[Op], value: &'v Value) -> Option<(&'v Value, Value, Option<Value>)> {
    let over = |value: Value| chain.iter().try_fold(value, |value, op| apply(op.forth, &value, &op.args));
    let back =
        |value: Value| chain.iter().rev().try_fold(value, |value, op| apply(op.back, &value, &op.args));
    let once = over(value.clone())?;
    let twice = back(once.clone()).and_then(over);
    (twice.as_ref() != Some(&once)).then_some((value, once, twice))
}

/// At most so many calls try a chain; a chain as long as a file would take for ever.
const MAX_CALLS: usize = 20_000;

/// Values of the type of HubSpot's property that may not settle. A text that neither field can hold does not come.
fn samples([hubspot, salesforce]: [&Type; 2], chain: &[Op]) -> Vec<Value> {
    let mut samples = match Kind::of(hubspot) {
        Some(Kind::Text) => {
            let mut texts: Vec<Value> = SAMPLES.iter().map(|text| Value::text(*text)).collect();
            for length in lengths(chain) {
                texts.extend(around(length).into_iter().map(Value::text));
            }
            let longest = text_max(hubspot).zip(text_max(salesforce)).map(|(one, other)| one.max(other));
            texts.retain(|text| match (text, longest) {
                (Value::Text(text), Some(longest)) => text_length(text) <= longest as usize,
                _ => true,
            });
            texts
        }
        Some(Kind::Number) => numbers(hubspot, chain),
        Some(Kind::DateTime) => instants().map(Value::DateTime).collect(),
        Some(Kind::Date) => instants().map(|at| Value::Date(at.date_naive())).collect(),
        Some(Kind::Boolean | Kind::List) | None => Vec::new(),
    };
    samples.truncate((MAX_CALLS / chain.len().max(1)).max(SAMPLES.len()));
    samples
}

/// The literal numbers of a chain; a few of them say where its steps change what they do.
fn literals(chain: &[Op]) -> Vec<Decimal> {
    const MOST: usize = 8;
    let args = chain.iter().flat_map(|op| &op.args);
    let mut numbers: Vec<Decimal> = args
        .filter_map(|arg| match arg {
            Value::Number(number) => Some(*number),
            _ => None,
        })
        .take(MOST)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The lengths at which text is cut or refused.
fn lengths(chain: &[Op]) -> Vec<usize> {
    literals(chain).into_iter().filter_map(|number| usize::try_from(number).ok()).collect()
}

/// Texts that end, or are cut, at a length: at a blank, within an address, at a point.
fn around(length: usize) -> Vec<String> {
    let of = |head: &str, length: usize, tail: &str| {
        format!("{head}{}{tail}", "x".repeat(length.saturating_sub(head.len())))
    };
    vec![
        of("", length.saturating_sub(1), " y"),
        of("", length.saturating_sub(1), "-y"),
        of("", length + 1, ""),
        of(" ", length, ""),
        of("https://example.com/", length.saturating_sub(1), "/y"),
        of("example.com/", length, ""),
        format!("a@{}com", "x.".repeat(length / 2)),
        format!("ab@{}com", "x.".repeat(length / 2)),
        format!("+1 (415) 555-0100{}", "0".repeat(length)),
    ]
}

/// Numbers about the literals of a chain, and about those at which rounding turns.
fn numbers(hubspot: &Type, chain: &[Op]) -> Vec<Value> {
    const TENTHS: [i64; 9] = [-10, -5, -3, -2, 0, 2, 3, 5, 10];
    const OTHERS: [(i64, u32); 7] =
        [(0, 0), (-7, 0), (15, 1), (2_345, 3), (-25, 1), (9_999_995, 2), (1_000_000, 0)];
    let is_whole = matches!(hubspot, Type::Integer(_));
    let about = literals(chain);
    let about = std::iter::once(Decimal::ZERO).chain(about).flat_map(|number| {
        TENTHS.into_iter().filter_map(move |tenth| number.checked_add(Decimal::new(tenth, 1)))
    });
    let others = OTHERS.into_iter().map(|(number, scale)| Decimal::new(number, scale));
    let all = about.chain(others).filter(|number| !is_whole || number.fract().is_zero());
    all.map(|number| Value::Number(number.normalize())).collect()
}

fn instants() -> impl Iterator<Item = DateTime<Utc>> {
    INSTANTS.iter().filter_map(|seconds| DateTime::from_timestamp(*seconds, 0))
}

/// A noon in June, an evening in December and a midnight in March, in seconds since 1970.
const INSTANTS: [i64; 3] = [1_718_452_800, 1_735_685_999, 1_711_843_200];

/// Values that differ in what normalisers touch: blanks at both ends and within, case, length, digits, addresses.
const SAMPLES: &[&str] = &[
    "United States",
    "DE",
    " a b c d e f g h ",
    "A  b",
    "ab cd",
    "abcdefgh ijkl",
    "a ",
    " a",
    "ab ",
    "abc d",
    "abcd e",
    "abcde f",
    "abcdefghi j",
    "ÄÖ ß ẞ ŉ",
    "İI ıi",
    "e\u{301} e",
    "https://www.Example.com/a?b#c",
    "WWW.EXAMPLE.CO.UK",
    "example.com/Straße?q=Ä",
    "Jane.Doe@Mail.Example.com ",
    "+1 (555) 010-9999",
    "0049 30 1234567",
    "12.50",
    "-7",
    "1e3",
    "a-b_c.d",
    "🙂🙂🙂 🙂",
    "\u{a0}x\u{a0}",
    "x\ty\nz",
    "The Quick BROWN fox",
    "o'neil-mc donald",
    "longer than forty characters, with a blank near its end ",
    "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 x",
];
