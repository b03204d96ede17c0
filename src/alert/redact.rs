//! Leaves people's data out of words.

/// So many digits in a row may be a telephone number.
const DIGITS: usize = 7;

/// The words without what may be a person's: quoted values, what looks like an e-mail address, long numbers. Names in
/// back-quotes are the author's and stay.
pub fn redacted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\u{201c}']) {
        let (before, quoted) = rest.split_at(at);
        kept.push_str(&words(before));
        kept.push_str("[…]");
        rest = after_quote(quoted);
    }
    kept.push_str(&words(rest));
    kept
}

/// What follows a quoted value; nothing where it is not closed.
fn after_quote(quoted: &str) -> &str {
    let mut escaped = false;
    for (at, c) in quoted.char_indices().skip(1) {
        match c {
            '\\' if !escaped => escaped = true,
            '"' | '\u{201d}' if !escaped => return &quoted[at + c.len_utf8()..],
            _ => escaped = false,
        }
    }
    ""
}

fn words(text: &str) -> String {
    let word = |word: &str| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let letters = word.chars().filter(|c| c.is_alphabetic()).count();
        let number = digits >= DIGITS && letters == 0;
        if word.contains('@') || number { "[…]".to_owned() } else { word.to_owned() }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out_and_names_stay() {
        for (text, expected) in [
            (
                "the option \"AI_REFERRALS\" of `source` has no translation",
                "the option […] of `source` has no translation",
            ),
            ("\"a \\\" b\" is too long", "[…] is too long"),
            ("an open \"quote", "an open […]"),
            ("jane@acme.example is taken", "[…] is taken"),
            ("call +49-170-1234567 now", "call […] now"),
            ("Salesforce refused `Email`", "Salesforce refused `Email`"),
            ("more than one open Lead has this e-mail", "more than one open Lead has this e-mail"),
            ("Lead 00Q5e00000abcde is gone", "Lead 00Q5e00000abcde is gone"),
            ("", ""),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}
