//! Walks over a JSON text without building anything.
//!
//! It accepts exactly the texts that `serde_json` accepts: what is skipped is proved as well as what is read. Where it
//! answers [`Bad`], `serde_json` says why.

use std::borrow::Cow;

use crate::types::Raw;

/// The text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad;

/// As deep as `serde_json` goes.
const DEPTH: u32 = 127;

/// A place in a JSON text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// What is allowed next in an object or array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another member.
    Member,
    /// Nothing: it has ended.
    End,
}

impl<'a> Scanner<'a> {
    /// At the start of a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no white space, without taking it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes this byte after white space.
    pub(super) fn take(&mut self, byte: u8) -> Result<(), Bad> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Bad)
    }

    /// Goes from a member to the next: `first` right after the bracket, `close` what ends it.
    pub(super) fn next(&mut self, first: bool, close: u8) -> Result<Next, Bad> {
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(Next::End)
            }
            _ if first => Ok(Next::Member),
            Some(b',') => {
                self.at += 1;
                // No bracket may follow a comma.
                if self.peek() == Some(close) { Err(Bad) } else { Ok(Next::Member) }
            }
            _ => Err(Bad),
        }
    }

    /// Only white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Bad> {
        if self.peek().is_none() { Ok(()) } else { Err(Bad) }
    }

    /// Takes exactly these bytes, quotes included, if they come next: the key of a member that was seen before.
    pub(super) fn take_key(&mut self, quoted: &[u8]) -> bool {
        self.peek();
        let follows = self.text.as_bytes()[self.at..].starts_with(quoted);
        if follows {
            self.at += quoted.len();
        }
        follows
    }

    /// Takes a text: what stands between the quotes, and whether it holds escapes.
    pub(super) fn string(&mut self) -> Result<(&'a str, bool), Bad> {
        self.take(b'"')?;
        let start = self.at;
        let escaped = self.skip_text()?;
        Ok((&self.text[start..self.at - 1], escaped))
    }

    /// Takes a value; objects and arrays are proved and not kept.
    pub(super) fn value(&mut self, depth: u32) -> Result<Raw<'a>, Bad> {
        match self.peek().ok_or(Bad)? {
            b'"' => {
                let (text, escaped) = self.string()?;
                Ok(Raw::Text(if escaped { Cow::Owned(unescape(text)?) } else { Cow::Borrowed(text) }))
            }
            b'n' => self.word("null").map(|()| Raw::Null),
            b't' => self.word("true").map(|()| Raw::Boolean(true)),
            b'f' => self.word("false").map(|()| Raw::Boolean(false)),
            b'-' | b'0'..=b'9' => {
                let start = self.at;
                self.number()?;
                Ok(Raw::Number(&self.text[start..self.at]))
            }
            b'{' | b'[' => self.skip(depth).map(|()| Raw::Other),
            _ => Err(Bad),
        }
    }

    /// Takes a value and keeps nothing of it. `depth` is how many brackets are open around it.
    pub(super) fn skip(&mut self, depth: u32) -> Result<(), Bad> {
        match self.peek().ok_or(Bad)? {
            b'"' => {
                self.at += 1;
                self.skip_text().map(drop)
            }
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' | b'[' => self.nested(depth),
            _ => Err(Bad),
        }
    }

    /// Proves an object or array. The depth is bounded, so that this may call itself.
    fn nested(&mut self, depth: u32) -> Result<(), Bad> {
        if depth >= DEPTH {
            return Err(Bad);
        }
        let object = self.peek() == Some(b'{');
        self.at += 1;
        let close = if object { b'}' } else { b']' };
        let mut first = true;
        while self.next(first, close)? == Next::Member {
            first = false;
            if object {
                self.string()?;
                self.take(b':')?;
            }
            self.skip(depth + 1)?;
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Bad> {
        let follows = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        if follows { Ok(()) } else { Err(Bad) }
    }

    fn number(&mut self) -> Result<(), Bad> {
        let bytes = self.text.as_bytes();
        self.at += usize::from(bytes.get(self.at) == Some(&b'-'));
        let leading_zero = bytes.get(self.at) == Some(&b'0');
        if self.digits()? > 1 && leading_zero {
            return Err(Bad);
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit; how many.
    fn digits(&mut self) -> Result<usize, Bad> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(Bad) } else { Ok(count) }
    }

    /// Goes behind the closing quote of a text whose opening one was taken; whether it holds escapes.
    fn skip_text(&mut self) -> Result<bool, Bad> {
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            while let Some(word) = bytes.get(self.at..self.at + 8) {
                let special = special(word);
                if special != 0 {
                    self.at += special.trailing_zeros() as usize / 8;
                    break;
                }
                self.at += 8;
            }
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += escape(&bytes[self.at..])?;
                }
                Some(0x20..) => self.at += 1,
                _ => return Err(Bad),
            }
        }
    }
}

/// Of eight bytes, those that end a plain text: quote, backslash and control characters. The lowest bit that is set is
/// at such a byte; those above it may not be.
fn special(word: &[u8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = word.try_into().map_or(0, u64::from_le_bytes);
    let (quote, backslash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGH;
    below(quote, 1) | below(backslash, 1) | below(word, 0x20)
}

/// The length of the escape at the start, a pair of surrogates being one.
fn escape(bytes: &[u8]) -> Result<usize, Bad> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match hex(bytes).ok_or(Bad)? {
            0xD800..=0xDBFF => match hex(&bytes[6..]) {
                Some(0xDC00..=0xDFFF) => Ok(12),
                _ => Err(Bad),
            },
            0xDC00..=0xDFFF => Err(Bad),
            _ => Ok(6),
        },
        _ => Err(Bad),
    }
}

/// The code unit of an escape `\u….`
fn hex(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// What a text with escapes means.
pub(super) fn unescape(text: &str) -> Result<String, Bad> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = escape(rest.as_bytes())?;
        out.push(match rest.as_bytes()[1] {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = hex(rest.as_bytes()).ok_or(Bad)?;
                let low = hex(&rest.as_bytes()[6..]).filter(|_| length == 12);
                let code = low.map_or(unit, |low| 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
                char::from_u32(code).ok_or(Bad)?
            }
            other => char::from(other),
        });
        rest = &rest[length..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::{Scanner, unescape};
    use crate::types::Raw;

    /// Whether both sides agree that this is JSON, and what it is where it is a single value.
    fn agree(text: &str) -> Result<(), TestCaseError> {
        let theirs = serde_json::from_str::<Json>(text);
        let mut scanner = Scanner::new(text);
        let skipped = scanner.skip(0).and_then(|()| scanner.end());
        prop_assert_eq!(theirs.is_ok(), skipped.is_ok(), "{}: {:?}", text, theirs);
        let mut scanner = Scanner::new(text);
        let ours = scanner.value(0).and_then(|value| scanner.end().map(|()| value));
        // serde_json puts a sign into exponents and makes their letter small; the digits that were sent are these.
        let plain = |raw: &Raw<'_>| match raw {
            Raw::Number(number) => number.to_lowercase().replace("e+", "e"),
            other => format!("{other:?}"),
        };
        let theirs = theirs.as_ref().ok().map(|json| plain(&Raw::from(json)));
        let ours = ours.as_ref().map(plain);
        prop_assert_eq!(ours.ok(), theirs, "{}", text);
        Ok(())
    }

    #[test]
    fn both_ends_of_every_rule() {
        for text in [
            "",
            " ",
            "0",
            "-0",
            "-",
            "01",
            "1.",
            "1.5",
            ".5",
            "1e5",
            "1E+05",
            "1e",
            "1e+",
            "+1",
            "--1",
            "1 2",
            "nul",
            "null",
            "nullx",
            "true",
            "tru",
            "false",
            "\"\"",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\\"\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u00e9\"",
            "\"\\uD83D\\uDE00\"",
            "\"\\uD83D\"",
            "\"\\uD83Dx\"",
            "\"\\uDE00\"",
            "\"\\uD83D\\u0041\"",
            "\"\\uD83D\\uD83D\"",
            "\"\t\"",
            "\"\u{7f}\u{80}漢👩\"",
            "[]",
            "[,]",
            "[1,]",
            "[1 2]",
            "[1,2]",
            "[",
            "]",
            "{}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 , \"b\":[{}]}",
            "{a:1}",
            "{1:1}",
            "\u{feff}1",
            "\u{a0}1",
            "\"12345678\\n\"",
            "\"1234567\\u0000\"",
            "\"1234567\u{1}\"",
            "123456789012345678901234567890.5e-400",
        ] {
            agree(text).unwrap();
        }
    }

    #[test]
    fn as_deep_as_serde_and_no_deeper() {
        for depth in [1, 126, 127, 128, 129, 5000] {
            agree(&("[".repeat(depth) + &"]".repeat(depth))).unwrap();
            agree(&("{\"a\":".repeat(depth) + "1" + &"}".repeat(depth))).unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text(text in "(?s)[\\[\\]{}\",:\\\\/u0-9a-fDdEe+.\\- ntrulsx\\x00-\\x20]{0,24}") {
            agree(&text)?;
        }

        #[test]
        fn any_string(text in "(?s)\"([^\"\\\\]{0,12}(\\\\[\"\\\\/bfnrtux]|\\\\u[0-9a-fDdC]{4}){0,3}){0,3}\"") {
            agree(&text)?;
        }

        #[test]
        fn what_serde_writes_is_read_back(text in "(?s).{0,40}") {
            let written = serde_json::to_string(&text).unwrap();
            agree(&written)?;
            prop_assert_eq!(unescape(&written[1..written.len() - 1]), Ok(text));
        }
    }
}
