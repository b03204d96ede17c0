//! Text.

use std::borrow::Cow;

use crate::types::{Borrowed, Failure, Type, Value, quoted, text_length, within_limit};

use super::arguments::{
    any_blank, integer, meaningless, part, take, text, wants_literal_integer, wants_text,
};
use super::{Argument, BASE, Example, Family, Function, Problem, Signature};

/// The longest text that a `.map` file may ask for: Salesforce's long text areas end at 131,072 characters.
const LONGEST: u32 = 131_072;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "trim",
        signature: "trim(text) -> text",
        check: check_trim,
        call: |values, _| Ok(Value::text(part(take(values, 0)?, trim))),
        idempotent: true,
        doc: "Removes white space at both ends. Text that is only white space becomes blank.",
        examples: &[
            Example { expression: r#""  Jane " | trim"#, result: r#""Jane""# },
            Example { expression: r#""   " | trim"#, result: "nothing" },
        ],
        ..TEXT
    },
    Function {
        name: "lowercase",
        signature: "lowercase(text) -> text",
        check: check_same_length,
        call: |values, _| Ok(Value::text(lowercase(take(values, 0)?))),
        idempotent: true,
        doc: "Makes all letters small. The text never gets longer: the Turkish `İ` becomes a plain `i`.",
        examples: &[Example { expression: r#""Jane@Acme.test" | lowercase"#, result: r#""jane@acme.test""# }],
        ..TEXT
    },
    Function {
        name: "uppercase",
        signature: "uppercase(text) -> text",
        check: check_same_length,
        call: |values, _| Ok(Value::text(text(values, 0)?.chars().map(capital).collect::<String>())),
        idempotent: true,
        doc: "Makes all letters capital. The text never gets longer: a letter whose capital is several letters, such as \
              `ß`, stays as it is.",
        examples: &[Example { expression: r#""acme ltd" | uppercase"#, result: r#""ACME LTD""# }],
        ..TEXT
    },
    Function {
        name: "title_case",
        signature: "title_case(text) -> text",
        check: check_same_length,
        call: |values, _| Ok(Value::text(title_case(text(values, 0)?))),
        idempotent: true,
        doc: "Begins each word with a capital and makes its other letters small. A hyphen begins a new word, and so does \
              an apostrophe after a single letter (`O'Neil`, but `Don't`).",
        examples: &[Example {
            expression: r#""ANNE-MARIE o'neil" | title_case"#,
            result: r#""Anne-Marie O'Neil""#,
        }],
        ..TEXT
    },
    Function {
        name: "truncate",
        signature: "truncate(text, integer) -> text",
        arity: (2, Some(2)),
        check: check_truncate,
        call: |values, _| call_truncate(values),
        idempotent: true,
        doc: "Cuts text to at most so many characters, counted as Apex and JavaScript count them (an emoji is two). It \
              never cuts inside a character or between a letter and its accent. It removes nothing else, unless white \
              space alone would be left: then it takes the text behind that. For values that mean nothing when cut, \
              such as e-mail addresses, use `fits`.",
        examples: &[
            Example { expression: r#""VP Engineering" | truncate(6)"#, result: r#""VP Eng""# },
            Example { expression: r#""VP" | truncate(6)"#, result: r#""VP""# },
        ],
        ..TEXT
    },
    Function {
        name: "fits",
        signature: "fits(text, integer) -> text",
        arity: (2, Some(2)),
        check: check_fits,
        call: |values, _| call_fits(values),
        failure: Some("the text is longer than so many characters"),
        idempotent: true,
        doc: "Lets text pass that is no longer than so many characters, and fails for longer text. For values that must \
              not be cut, such as e-mail addresses.",
        examples: &[
            Example { expression: r#""jane@acme.test" | fits(80)"#, result: r#""jane@acme.test""# },
            Example { expression: r#""jane@acme.test" | fits(8)"#, result: "failure" },
        ],
        ..TEXT
    },
    Function {
        name: "replace",
        signature: "replace(text, text, text) -> text",
        arity: (3, Some(3)),
        check: check_replace,
        call: |values, _| call_replace(values),
        doc: "Replaces each occurrence of the first text by the second, from left to right. Capital and small letters \
              differ. A blank second text removes; where the first is blank, nothing is replaced. What is white space \
              alone then is blank.",
        examples: &[
            Example { expression: r#""a-b-c" | replace("-", "/")"#, result: r#""a/b/c""# },
            Example { expression: r#""(415) 555" | replace("(", "")"#, result: r#""415) 555""# },
        ],
        ..TEXT
    },
    Function {
        name: "digits",
        signature: "digits(text) -> text",
        check: |arguments| check_same_length(arguments).map(Signature::or_blank),
        call: |values, _| Ok(Value::text(digits(take(values, 0)?))),
        idempotent: true,
        doc: "Keeps only the digits 0 to 9. Text without digits becomes blank.",
        examples: &[Example { expression: r#""(415) 555-0100" | digits"#, result: r#""4155550100""# }],
        ..TEXT
    },
];

const TEXT: Function = Function { family: Family::Text, ..BASE };

fn check_same_length(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let max = wants_text(arguments, 0)?;
    Ok(Signature::of(arguments, Type::Text(max), false))
}

fn check_trim(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let signature = check_same_length(arguments)?;
    match arguments[0].literal {
        Some(Value::Text(text)) if !text.trim().is_empty() => Ok(signature),
        _ => Ok(signature.or_blank()),
    }
}

fn trim(text: &str) -> &str {
    // Nearly every text begins and ends with a letter or digit already.
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

fn lowercase(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.is_ascii() {
        return Cow::Owned(small(&text));
    }
    if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return text;
    }
    let mut text = text.into_owned();
    text.make_ascii_lowercase();
    Cow::Owned(text)
}

fn digits(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text;
    }
    let mut digits = String::with_capacity(text.len());
    for byte in text.bytes().filter(u8::is_ascii_digit) {
        digits.push(char::from(byte));
    }
    Cow::Owned(digits)
}

fn small(text: &str) -> String {
    // The only letter whose small form is longer.
    if text.contains('İ') { text.replace('İ', "i").to_lowercase() } else { text.to_lowercase() }
}

/// The capital of a letter, where that is one letter.
fn capital(letter: char) -> char {
    let mut capitals = letter.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital,
        _ => letter,
    }
}

fn title_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for character in text.chars() {
        let apostrophe = matches!(character, '\'' | '’');
        if character.is_alphanumeric() || continues(character) || apostrophe && word.chars().count() > 1 {
            word.push(character);
        } else {
            push_word(&mut out, &word);
            word.clear();
            out.push(character);
        }
    }
    push_word(&mut out, &word);
    out
}

fn push_word(out: &mut String, word: &str) {
    let mut letters = word.chars();
    if let Some(first) = letters.next() {
        out.push(capital(first));
        out.push_str(&small(letters.as_str()));
    }
}

fn check_truncate(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let max = wants_text(arguments, 0)?;
    let to = wants_literal_integer(arguments, 1, (1, LONGEST))?;
    let signature = Signature::of(arguments, Type::Text(Some(max.map_or(to, |max| max.min(to)))), false);
    // One place cannot hold an emoji, which takes two.
    Ok(if to == 1 && max != Some(1) { signature.or_blank() } else { signature })
}

fn call_truncate<'a>(values: &mut [Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let max = usize::try_from(integer(values, 1)?).unwrap_or(0);
    Ok(Value::text(part(take(values, 0)?, |text| {
        let cut = truncate(text, max);
        // White space alone would be no value any more, where the text is one.
        match text.trim_start() {
            rest if !rest.is_empty() && cut.trim().is_empty() => truncate(rest, max),
            _ => cut,
        }
    })))
}

/// The longest beginning of at most so many UTF-16 code units that does not end inside what people see as a character.
fn truncate(text: &str, max: usize) -> &str {
    // No text has more units than bytes.
    if text.len() <= max {
        return text;
    }
    // Nothing joins in what is all ASCII, up to the first letter that is cut off.
    if text.as_bytes()[..=max].is_ascii() {
        return &text[..max];
    }
    if text_length(text) <= max {
        return text;
    }
    let (mut units, mut whole, mut hard) = (0, 0, 0);
    let mut before = None;
    for (at, character) in text.char_indices() {
        if before.is_none_or(|before| !joins(before, character)) {
            whole = at;
        }
        hard = at;
        if units + character.len_utf16() > max {
            break;
        }
        units += character.len_utf16();
        before = Some(character);
    }
    // A single visible character that is longer than the limit is cut all the same.
    &text[..if whole == 0 { hard } else { whole }]
}

/// Whether a cut between two characters would tear an accent, a joined emoji or a flag apart.
fn joins(before: char, after: char) -> bool {
    let flag = |c: char| ('\u{1F1E6}'..='\u{1F1FF}').contains(&c);
    continues(after) || before == '\u{200D}' || flag(before) && flag(after)
}

/// Marks that belong to the character before them: combining accents, joiners, variation selectors, skin tones.
fn continues(character: char) -> bool {
    matches!(character,
        '\u{0300}'..='\u{036F}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05BD}' | '\u{064B}'..='\u{065F}'
        | '\u{093C}' | '\u{093E}'..='\u{094D}' | '\u{0E31}' | '\u{0E34}'..='\u{0E3A}' | '\u{0E47}'..='\u{0E4E}'
        | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{200D}' | '\u{20D0}'..='\u{20FF}'
        | '\u{3099}' | '\u{309A}' | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}' | '\u{1F3FB}'..='\u{1F3FF}')
}

fn check_fits(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let max = wants_text(arguments, 0)?;
    let to = wants_literal_integer(arguments, 1, (1, LONGEST))?;
    let can_fail = max.is_none_or(|max| max > to);
    let to = max.map_or(to, |max| max.min(to));
    let ty = match arguments[0].typed.ty {
        Type::Email(_) => Type::Email(Some(to)),
        Type::Phone(_) => Type::Phone(Some(to)),
        Type::Url(_) => Type::Url(Some(to)),
        _ => Type::Text(Some(to)),
    };
    Ok(Signature::of(arguments, ty, can_fail))
}

fn call_fits<'a>(values: &mut [Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let (text, max) = (take(values, 0)?, integer(values, 1)?);
    let fits = |length: usize| i64::try_from(length).is_ok_and(|length| length <= max);
    // No text has more units than bytes.
    if fits(text.len()) || fits(text_length(&text)) {
        return Ok(Value::text(text));
    }
    let length = text_length(&text);
    Err(Failure::new(format!("{} has {length} characters, and at most {max} fit", quoted(&text))))
}

fn check_replace(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let max = wants_text(arguments, 0)?;
    wants_text(arguments, 1)?;
    let with = wants_text(arguments, 2)?;
    let find = match arguments[1].literal {
        Some(Value::Text(find)) => text_length(find),
        Some(_) => return Err(meaningless(1, "the text to be replaced is empty", None)),
        None => 1,
    };
    let find = u32::try_from(find).unwrap_or(u32::MAX);
    let grown = max.zip(with).map(|(max, with)| {
        if with <= find { max } else { (max / find).saturating_mul(with).saturating_add(max % find) }
    });
    // Removing can leave nothing, or white space alone, which is blank.
    let visible = matches!(arguments[2].literal, Some(Value::Text(with)) if !with.trim().is_empty());
    let blank = arguments[0].typed.blank || !visible;
    let mut signature = Signature::of(arguments, Type::Text(grown), false);
    signature.result.blank = blank;
    Ok(signature)
}

fn call_replace<'a>(values: &mut [Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    let found = take(values, 0)?;
    let with = match values.get(2) {
        Some(Value::Blank) => "",
        _ => text(values, 2)?,
    };
    if let Some(Value::Blank) = values.get(1) {
        return Ok(Value::text(found));
    }
    let wanted = text(values, 1)?;
    // Counted beforehand only where the text can grow beyond the limit at all.
    if within_limit(found.len().saturating_mul(with.len())).is_err() {
        within_limit(found.matches(wanted).count().saturating_mul(with.len()))?;
    }
    let replaced = found.replace(wanted, with);
    Ok(if with.trim().is_empty() { Value::visible(replaced) } else { Value::text(replaced) })
}

#[cfg(test)]
mod tests {
    use super::{capital, lowercase, truncate};
    use crate::functions::Problem;
    use crate::functions::tests::{call, check_literals, check_typed, number, text};
    use crate::types::{Options, Type, Typed, Value, text_length};

    fn of(name: &str, value: &str) -> Value {
        call(name, &[text(value)]).unwrap()
    }

    #[test]
    fn no_text_grows_beyond_its_limit() {
        let (many, long) = (text(&"a".repeat(2_000)), text(&"b".repeat(1_000)));
        let failure = call("replace", &[many.clone(), text("a"), long.clone()]).unwrap_err();
        assert!(failure.message.contains("more than 1048576 bytes"), "{failure:?}");
        assert!(call("replace", &[many, text("aa"), long.clone()]).is_ok());
        let list = Value::List(vec![long; 2_000]);
        assert!(call("join", &[list, text(", ")]).is_err());
    }

    #[test]
    fn blanks_stay_blank() {
        for name in ["trim", "lowercase", "uppercase", "title_case", "digits"] {
            assert_eq!(call(name, &[Value::Blank]), Ok(Value::Blank), "{name}");
        }
        assert_eq!(call("truncate", &[Value::Blank, number("3")]), Ok(Value::Blank));
        assert_eq!(call("fits", &[Value::Blank, number("3")]), Ok(Value::Blank));
    }

    #[test]
    fn no_letter_gets_longer() {
        for letter in '\0'..=char::MAX {
            let one = letter.to_string();
            for changed in [lowercase(one.as_str().into()).into_owned(), capital(letter).to_string()] {
                assert_eq!(text_length(&changed), text_length(&one), "{letter:?} becomes {changed:?}");
            }
        }
        assert_eq!(of("lowercase", "İSTANBUL ΟΔΟΣ"), text("istanbul οδος"));
        assert_eq!(of("uppercase", "straße"), text("STRAßE"));
    }

    #[test]
    fn names_get_capitals() {
        for (name, titled) in [
            ("JANE DOE", "Jane Doe"),
            ("jean-luc o'neil", "Jean-Luc O'Neil"),
            ("don't stop", "Don't Stop"),
            ("l’oréal", "L’Oréal"),
            ("3com  ltd.", "3com  Ltd."),
            ("e\u{301}mile", "E\u{301}mile"),
        ] {
            assert_eq!(of("title_case", name), text(titled));
        }
    }

    #[test]
    fn truncation_counts_utf16_and_cuts_between_characters() {
        for (long, max, short) in [
            ("VP Engineering", 2, "VP"),
            ("VP", 2, "VP"),
            ("VP x", 3, "VP "),
            ("añb", 2, "añ"),
            ("ab😀", 3, "ab"),
            ("ab😀", 4, "ab😀"),
            ("abe\u{301}", 3, "ab"),
            ("e\u{301}", 1, "e"),
            ("a👩\u{200D}👧b", 5, "a"),
            ("🇩🇪🇫🇷", 4, "🇩🇪"),
            ("😀", 1, ""),
            ("ab", 0, ""),
        ] {
            assert_eq!(truncate(long, max), short, "{long:?} to {max}");
        }
        assert_eq!(call("truncate", &[text("😀"), number("1")]), Ok(Value::Blank));
    }

    #[test]
    fn what_is_left_of_a_text_is_no_white_space_alone() {
        assert_eq!(call("truncate", &[text("   VP x"), number("2")]), Ok(text("VP")));
        assert_eq!(call("truncate", &[text(" VP x"), number("2")]), Ok(text(" V")));
        assert_eq!(call("truncate", &[text("   "), number("2")]), Ok(text("  ")));
        assert_eq!(call("replace", &[text("- -"), text("-"), Value::Blank]), Ok(Value::Blank));
        assert_eq!(call("replace", &[text("--"), text("-"), text(" ")]), Ok(Value::Blank));
        assert_eq!(call("replace", &[text("a-b"), text("-"), text(" ")]), Ok(text("a b")));
        assert_eq!(call("capture", &[text("a  b"), text("a( +)b")]), Ok(Value::Blank));
        let blank = |with: &str| {
            let arguments = [text("-"), text(with)];
            check_typed("replace", &Typed::always(Type::Text(Some(9))), &arguments).unwrap().result.blank
        };
        assert!(blank(" ") && !blank("_"));
    }

    #[test]
    fn the_length_of_a_truncation_is_known() {
        let to = |ty, n: &str| check_typed("truncate", &Typed::maybe(ty), &[number(n)]).unwrap().result;
        assert_eq!(to(Type::Text(None), "128"), Typed::maybe(Type::Text(Some(128))));
        assert_eq!(to(Type::Text(Some(80)), "128"), Typed::maybe(Type::Text(Some(80))));
        let options = Type::Picklist(Options::These(vec!["New".to_owned(), "Working".to_owned()]));
        assert_eq!(to(options, "128"), Typed::maybe(Type::Text(Some(7))));
    }

    #[test]
    fn a_length_is_a_sensible_literal() {
        let typed = Typed::always(Type::Text(None));
        for wrong in [number("0"), number("-1"), number("1.5"), number("1000000")] {
            let problem = check_typed("truncate", &typed, &[wrong]).unwrap_err();
            assert!(matches!(problem, Problem::Meaning { argument: 1, .. }), "{problem:?}");
        }
        let field = Typed::maybe(Type::Integer(Some(3)));
        let arguments = [
            crate::functions::Argument { typed: &typed, literal: None },
            crate::functions::Argument { typed: &field, literal: None },
        ];
        let check = crate::functions::find("truncate").unwrap().check;
        assert_eq!(check(&arguments), Err(Problem::Literal { argument: 1 }));
        let problem = check_typed("truncate", &Typed::always(Type::Date), &[number("3")]).unwrap_err();
        assert!(matches!(problem, Problem::Type { argument: 0, .. }), "{problem:?}");
    }

    #[test]
    fn what_does_not_fit_fails() {
        assert_eq!(call("fits", &[text("abc"), number("3")]), Ok(text("abc")));
        let failure = call("fits", &[text("a😀b"), number("3")]).unwrap_err();
        assert_eq!(failure.message, "`a😀b` has 4 characters, and at most 3 fit");
        let signature = check_typed("fits", &Typed::maybe(Type::Email(Some(80))), &[number("80")]).unwrap();
        assert_eq!((signature.result, signature.can_fail), (Typed::maybe(Type::Email(Some(80))), false));
        assert!(check_typed("fits", &Typed::maybe(Type::Email(Some(80))), &[number("79")]).unwrap().can_fail);
    }

    #[test]
    fn replacing_counts_its_growth() {
        let length = |max, find, with| {
            check_typed("replace", &Typed::always(Type::Text(max)), &[text(find), text(with)]).unwrap().result
        };
        assert_eq!(length(Some(10), "&", " and "), Typed::always(Type::Text(Some(50))));
        assert_eq!(length(Some(10), "abc", "wxyz"), Typed::always(Type::Text(Some(13))));
        assert_eq!(length(Some(10), "abc", "x"), Typed::always(Type::Text(Some(10))));
        assert_eq!(length(None, "a", "bb"), Typed::always(Type::Text(None)));
        assert_eq!(length(Some(10), "-", ""), Typed::maybe(Type::Text(Some(10))));
        assert_eq!(call("replace", &[text("--"), text("-"), Value::Blank]), Ok(Value::Blank));
        assert_eq!(call("replace", &[text("a-b"), Value::Blank, text("x")]), Ok(text("a-b")));
        let problem = check_literals("replace", &[text("a"), Value::Blank, text("b")]).unwrap_err();
        assert!(matches!(problem, Problem::Meaning { argument: 1, .. }), "{problem:?}");
    }
}
