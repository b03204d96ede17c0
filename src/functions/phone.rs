//! Phone numbers, by the metadata of Google's libphonenumber.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

use crate::types::{Borrowed, Failure, Type, Value, quoted};

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
    signature: "e164(text, country?) -> phone",
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

fn call<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
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
    let parsed = PHONE_NUMBER_UTIL.parse(&number, region).map_err(|_| invalid(written))?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&parsed) {
        return Err(invalid(written));
    }
    Ok(Value::text(PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164).into_owned()))
}

fn invalid(written: &str) -> Failure {
    Failure::new(format!("{} is not a valid phone number", quoted(written)))
}

/// The region of the phone metadata that a country is.
fn region(name: &str) -> Result<Region, Failure> {
    let country = country(name)?;
    let known = |region: &Region| PHONE_NUMBER_UTIL.get_country_code_for_region(*region).is_some();
    Region::from_code(country.alpha2)
        .ok()
        .filter(known)
        .ok_or_else(|| Failure::new(format!("{} has no phone numbers of its own", quoted(name))))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rlibphonenumber::PHONE_NUMBER_UTIL;
    use rust_iso3166::ALL;

    use super::{plain, region};
    use crate::functions::Problem;
    use crate::functions::tests::{call, check_typed, text};
    use crate::types::{Failure, Type, Typed, Value};

    fn e164(number: &str, country: &str) -> Result<Value, Failure> {
        call("e164", &[text(number), text(country)])
    }

    #[test]
    fn numbers_are_written_one_way() {
        for (number, country, written) in [
            ("(415) 555-0100", "US", "+14155550100"),
            ("415.555.0100 x12", "USA", "+14155550100"),
            ("1-415-555-0100 ext. 12", "United States", "+14155550100"),
            ("+14155550100", "", "+14155550100"),
            ("tel:+1-415-555-0100;ext=12", "", "+14155550100"),
            ("+1 415 555 0100", "Germany", "+14155550100"),
            ("\u{202A}+1 (415) 555\u{2011}0100\u{202C}", "", "+14155550100"),
            ("020 7946 0958", "UK", "+442079460958"),
            ("+44 (0)20 7946 0958", "", "+442079460958"),
            ("0044 20 7946 0958", "DE", "+442079460958"),
            ("06 6982 0000", "Italy", "+390669820000"),
            ("030 901820", "Germany", "+4930901820"),
            // What begins like a prefix or the country's own code is part of the number where the plan says so.
            ("47 12 34 56", "Norway", "+4747123456"),
            ("4932013156", "Germany", "+494932013156"),
            ("8 800 122 42 67", "Kazakhstan", "+78001224267"),
        ] {
            assert_eq!(e164(number, country), Ok(text(written)), "{number} {country}");
        }
    }

    #[test]
    fn what_is_no_number_fails() {
        for (number, country) in [
            ("555-0100", "US"),
            ("123", "US"),
            ("n/a", "US"),
            ("+999 1234567", ""),
            ("+", ""),
            ("++++", "US"),
            ("0000000000", "US"),
            // Longer or shorter than any number of the country that begins so.
            ("377793234", "Andorra"),
            ("+61 1802 123456", ""),
            ("0267477342", "Zimbabwe"),
            ("+1 415 555 01", ""),
            ("415 555 0100 or 415 555 0101", "US"),
            ("1-800-FLOWERS", "US"),
            ("٤١٥", "US"),
        ] {
            let failure = e164(number, country).unwrap_err();
            assert!(failure.message.contains(number), "{failure}");
        }
        assert!(e164(&"1".repeat(10_000), "US").is_err());
    }

    #[test]
    fn a_country_is_needed_only_without_a_plus() {
        assert_eq!(
            e164("415 555 0100", "").unwrap_err().message,
            "`415 555 0100` begins without `+`, and its country is not known"
        );
        assert_eq!(
            e164("415 555 0100", "Atlantis").unwrap_err().message,
            "`Atlantis` is not a country's English name or ISO code"
        );
        assert_eq!(e164("+14155550100", "Atlantis"), Ok(text("+14155550100")));
        assert!(e164("123456", "Antarctica").is_err());
        assert_eq!(call("e164", &[Value::Blank, text("US")]), Ok(Value::Blank));
        let problem =
            check_typed("e164", &Typed::maybe(Type::Phone(Some(40))), &[text("Atlantis")]).unwrap_err();
        assert!(matches!(problem, Problem::Meaning { argument: 1, .. }), "{problem:?}");
        let signature = check_typed("e164", &Typed::always(Type::Phone(Some(40))), &[Value::Blank]).unwrap();
        assert_eq!((signature.result, signature.can_fail), (Typed::always(Type::Phone(Some(16))), true));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn no_number_panics(number in r"(tel:)?[+＋]{0,2}[0-9 ()./x#;=-]{0,30}", country in 0..ALL.len(), some in any::<bool>()) {
            let country = if some { ALL[country].alpha2 } else { "" };
            if let Ok(Value::Text(written)) = e164(&number, country) {
                prop_assert!(written.len() <= 16 && written.starts_with('+'), "{written}");
                prop_assert!(written[1..].bytes().all(|byte| byte.is_ascii_digit()), "{written}");
            }
        }

        /// What reaches the library, without the mapping around it.
        #[test]
        fn the_library_takes_all_digits(number in r"\+?[0-9]{4,20}", country in 0..ALL.len()) {
            let number = plain(&number).unwrap();
            let _ = PHONE_NUMBER_UTIL
                .parse(&number, region(ALL[country].alpha2).ok())
                .map(|number| PHONE_NUMBER_UTIL.is_valid_number(&number));
        }
    }
}
