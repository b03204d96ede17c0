//! The tokens of SOQL.

use super::super::error::ApiError;
use super::located;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Byte offset in the query.
    pub(super) at: usize,
    /// The text as written.
    pub(super) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name or keyword; names may be dotted.
    Word,
    /// A quoted text; the escapes of `%`, `_` and backslashes are left for LIKE, see [`plain`].
    Text(String),
    Number,
    Date,
    DateTime,
    /// An operator or punctuation.
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 11] = ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", ",", ":"];

/// Splits a query into tokens, with an end token behind the last.
pub(super) fn tokens(soql: &str) -> Result<Vec<Token>, ApiError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = soql[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = token(soql, at, first)?;
        tokens.push(Token { kind, at, text: soql[at..at + length].to_owned() });
        at += length;
    }
    tokens.push(Token { kind: Kind::End, at: soql.len(), text: "<EOF>".to_owned() });
    Ok(tokens)
}

fn token(soql: &str, at: usize, first: char) -> Result<(Kind, usize), ApiError> {
    let rest = &soql[at..];
    if first == '\'' {
        return text(soql, at);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length =
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        return Ok((Kind::Word, length));
    }
    let signed =
        matches!(first, '-' | '+' | '.') && rest[1..].starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if first.is_ascii_digit() || signed {
        return number(soql, at);
    }
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Kind::Sign(sign), sign.len()));
    }
    Err(located(
        "MALFORMED_QUERY",
        soql,
        at,
        &format!("line 1:{at} no viable alternative at character '{first}'"),
    ))
}

/// A number, a date or a date-time: all begin with a digit or a sign.
fn number(soql: &str, at: usize) -> Result<(Kind, usize), ApiError> {
    let rest = &soql[at..];
    let length = rest
        .char_indices()
        .skip(1)
        .find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | ':')))
        .map_or(rest.len(), |(index, _)| index);
    let text = &rest[..length];
    let kind = if super::super::clock::parse_date(text).is_some() {
        Kind::Date
    } else if text.contains('T') && super::super::clock::parse_instant(text).is_some() && has_zone(text) {
        Kind::DateTime
    } else if text.parse::<f64>().is_ok_and(f64::is_finite) {
        Kind::Number
    } else {
        let message = format!("line 1:{at} no viable alternative at input '{text}'");
        return Err(located("MALFORMED_QUERY", soql, at, &message));
    };
    Ok((kind, length))
}

fn has_zone(text: &str) -> bool {
    text.ends_with(['Z', 'z']) || text.get(11..).is_some_and(|time| time.contains(['+', '-']))
}

/// A quoted text. `\_` and `\%` keep their backslash: only LIKE gives them a meaning.
fn text(soql: &str, at: usize) -> Result<(Kind, usize), ApiError> {
    let mut value = String::new();
    let mut chars = soql[at + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        match c {
            '\'' => return Ok((Kind::Text(value), offset + 2)),
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                match escaped {
                    Some('n' | 'N') => value.push('\n'),
                    Some('r' | 'R') => value.push('\r'),
                    Some('t' | 'T') => value.push('\t'),
                    Some('b' | 'B') => value.push('\u{8}'),
                    Some('f' | 'F') => value.push('\u{c}'),
                    Some(quote @ ('\'' | '"' | '\\')) => {
                        // A backslash stays doubled for LIKE, so that it does not escape what follows it.
                        value.push(quote);
                        if quote == '\\' {
                            value.push('\\');
                        }
                    }
                    Some(wild @ ('%' | '_')) => value.extend(['\\', wild]),
                    _ => {
                        let message = "Invalid string literal. Illegal character sequence in string literal.";
                        return Err(located("MALFORMED_QUERY", soql, at, message));
                    }
                }
            }
            c => value.push(c),
        }
    }
    Err(located("MALFORMED_QUERY", soql, at, "line 1: mismatched character '<EOF>' expecting '''"))
}

/// A text as `=` compares it: the escapes that were kept for LIKE resolved.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            plain.extend(chars.next());
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(soql: &str) -> Vec<Kind> {
        tokens(soql).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn every_kind_is_told_apart() {
        assert_eq!(kinds("Owner.Email"), [Kind::Word, Kind::End]);
        assert_eq!(kinds("a>=-5.5"), [Kind::Word, Kind::Sign(">="), Kind::Number, Kind::End]);
        assert_eq!(kinds("2024-09-30"), [Kind::Date, Kind::End]);
        for text in ["2024-09-30T00:00:00Z", "2024-09-30T00:00:00.000+0000", "2024-09-30T00:00:00-07:00"] {
            assert_eq!(kinds(text), [Kind::DateTime, Kind::End], "{text}");
        }
        assert_eq!(kinds("LAST_N_DAYS:30"), [Kind::Word, Kind::Sign(":"), Kind::Number, Kind::End]);
    }

    #[test]
    fn escapes_are_resolved_once() {
        let Kind::Text(text) = &kinds(r"'O\'Brien \\ \n 100\%'")[0] else { panic!("no text") };
        assert_eq!(plain(text), "O'Brien \\ \n 100%");
    }

    #[test]
    fn broken_literals_are_malformed() {
        for soql in ["'open", r"'bad \x'", "2024-13-45", "#", "2024-09-30T00:00:00"] {
            assert_eq!(tokens(soql).unwrap_err().code, "MALFORMED_QUERY", "{soql}");
        }
    }
}
