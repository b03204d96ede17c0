//! Phone numbers, by the metadata of Google's libphonenumber.

use phonenumber::country::Id;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, parse};

use crate::types::{Failure, Type, Value, quoted};

use super::arguments::{meaningless, text, wants_text};
use super::place::country;
use super::{Argument, BASE, Example, Family, Function, Problem, Signature};

/// Longest text that is looked at, in characters: a number with every habit of writing it is far shorter.
const LONGEST: usize = 64;
/// Fewest and most digits: emergency numbers are no contact's; 15 by E.164, and a trunk or exit prefix before them.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=20;

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "e164",
    family: Family::Phone,
    signature: "e164(text, text) -> phone",
    arity: (1, Some(2)),
    check,
    call: |values, _| call(values),
    failure: Some(
        "the text is not a valid phone number of that country, or begins without `+` and no country is given",
    ),
    idempotent: true,
    doc: "Writes a phone number in the international form `+14155550100`. The second argument is the country of numbers \
          that begin without `+`: an ISO code or an English name; while it is blank, only international numbers are read. An \
          extension is left out, since the form has no place for it.",
    examples: &[
        Example { expression: r#""(415) 555-0100" | e164("United States")"#, result: r#""+14155550100""# },
        Example { expression: r#""+44 (0)20 7946 0958 ext. 12" | e164"#, result: r#""+442079460958""# },
        Example { expression: r#""555-0100" | e164"#, result: "failure" },
    ],
    ..BASE
}];

fn check(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_text(arguments, 0)?;
    if arguments.len() > 1 {
        wants_text(arguments, 1)?;
        if let Some(Value::Text(name)) = arguments[1].literal
            && let Err(failure) = country(name)
        {
            return Err(meaningless(1, failure.message, Some("write an ISO code such as `US`")));
        }
    }
    // A plus sign and at most 15 digits.
    let mut signature = Signature::of(arguments, Type::Phone(Some(16)), true);
    signature.result.blank = arguments[0].typed.blank;
    Ok(signature)
}

fn call(values: &[Value]) -> Result<Value, Failure> {
    let written = text(values, 0)?;
    let number = plain(written).ok_or_else(|| invalid(written))?;
    let region = match values.get(1) {
        None | Some(Value::Blank) => None,
        // A number with `+` says its country itself, so an unknown one here does no harm.
        Some(_) if number.starts_with('+') => None,
        Some(_) => Some(region(text(values, 1)?)?),
    };
    if region.is_none() && !number.starts_with('+') {
        let message = format!("{} begins without `+`, and its country is not known", quoted(written));
        return Err(Failure::new(message));
    }
    let parsed = parse(region, &number).map_err(|_| invalid(written))?;
    if !parsed.is_valid() {
        return Err(invalid(written));
    }
    Ok(Value::text(parsed.format().mode(Mode::E164).to_string()))
}

fn invalid(written: &str) -> Failure {
    Failure::new(format!("{} is not a valid phone number", quoted(written)))
}

/// The region of the phone metadata that a country is.
fn region(name: &str) -> Result<Id, Failure> {
    let country = country(name)?;
    let known: Option<Id> = country.alpha2.parse().ok().filter(|_| DATABASE.by_id(country.alpha2).is_some());
    known.ok_or_else(|| Failure::new(format!("{} has no phone numbers of its own", quoted(name))))
}

/// The digits with a leading plus, without extension and punctuation; `None` where anything else stands in the text.
///
/// The library is given nothing but this, because it was not written for hostile input.
fn plain(written: &str) -> Option<String> {
    if written.chars().count() > LONGEST {
        return None;
    }
    let written = written.trim();
    let written = written.strip_prefix("tel:").unwrap_or(written);
    let mut number = String::with_capacity(written.len());
    for character in without_extension(written).chars() {
        match character {
            '0'..='9' => number.push(character),
            '+' | '＋' if number.is_empty() => number.push('+'),
            // The last line: marks of writing direction come along when numbers are copied from a phone.
            ' '
            | '\u{A0}'
            | '\u{202F}'
            | '\t'
            | '-'
            | '‐'
            | '‑'
            | '–'
            | '—'
            | '.'
            | '/'
            | '('
            | ')'
            | '['
            | ']'
            | '\u{200B}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'
            | '\u{FEFF}' => {}
            _ => return None,
        }
    }
    DIGITS.contains(&number.trim_start_matches('+').len()).then_some(number)
}

/// Cuts `ext. 12`, `x12`, `#12` or `;ext=12` from the end.
fn without_extension(written: &str) -> &str {
    let digits = written.trim_end_matches(|c: char| c.is_ascii_digit());
    if digits.len() == written.len() || written.len() - digits.len() > 8 {
        return written;
    }
    let before = digits.trim_end_matches([' ', '.', ':', '=']);
    let lower = before.to_ascii_lowercase();
    let mark = ["extension", "extn", "ext", "x", "#"].into_iter().find(|mark| lower.ends_with(mark));
    mark.map_or(written, |mark| before[..before.len() - mark.len()].trim_end_matches([' ', ',', ';']))
}
