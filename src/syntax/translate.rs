//! What an author wrote in another language, in this one: formulas, joined texts, the question mark.
//!
//! Each takes the author's own text, so that what it gives can be put into the file as it is. Where the text is not
//! understood, there is no translation, and the finding shows the form instead.

use super::shape;

/// Inside one another; people write three or four.
const MAX_DEPTH: usize = 8;

/// A call of a spreadsheet's function, such as `IF(ISBLANK(a), "x", a)`, from its name on.
pub(super) fn call(text: &str) -> Option<String> {
    value_at(text, 0)
}

/// Texts and values joined by a sign, as a template: `firstname & " " & lastname`.
pub(super) fn joined(text: &str, sign: char) -> Option<String> {
    let parts = split(text, sign)?;
    (parts.len() > 1).then(|| template(&parts, 0)).flatten()
}

/// `condition ? a : b`
pub(super) fn question(text: &str) -> Option<String> {
    let (condition, rest) = text.split_once('?')?;
    let branches = split(rest, ':')?;
    let [then, otherwise] = branches.as_slice() else { return None };
    let [condition, then, otherwise] = [condition, then, otherwise].map(str::trim);
    let clean = |part: &str| !part.is_empty() && !part.contains(['?', '\n']);
    [condition, then, otherwise]
        .into_iter()
        .all(clean)
        .then(|| format!("if {} then {then} else {otherwise}", operators(condition)))
}

/// A value as it is written here; what is no formula stays.
fn value_at(text: &str, depth: usize) -> Option<String> {
    let text = text.trim();
    let name = shape::first_word(text);
    let rest = text[name.len()..].trim_start();
    if depth > MAX_DEPTH || text.is_empty() || text.contains('\n') {
        return None;
    }
    if text == "\"\"" {
        return Some("nothing".to_owned());
    }
    if name.is_empty() || !rest.starts_with('(') {
        return joined_at(text, depth).or_else(|| Some(text.to_owned()));
    }
    let close = shape::closing(rest)?;
    if !rest[close + 1..].trim().is_empty() {
        return joined_at(text, depth);
    }
    let args = split(&rest[1..close], ',')?;
    formula(name, &args, depth).or_else(|| (depth > 0 && !is_formula(name)).then(|| text.to_owned()))
}

fn joined_at(text: &str, depth: usize) -> Option<String> {
    let parts = split(text, '&').filter(|parts| parts.len() > 1)?;
    template(&parts, depth)
}

fn is_formula(name: &str) -> bool {
    name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn formula(name: &str, args: &[&str], depth: usize) -> Option<String> {
    let value = |text: &str| value_at(text, depth + 1);
    let condition = |text: &str| condition_at(text, depth + 1);
    let step = |name: &str| Some(format!("{} | {name}", operand(&value(args[0])?)));
    let upper = name.to_ascii_uppercase();
    match (upper.as_str(), args) {
        ("IF", [test, then]) => Some(format!("if {} then {} else nothing", condition(test)?, value(then)?)),
        ("IF", [test, then, otherwise]) => {
            Some(format!("if {} then {} else {}", condition(test)?, value(then)?, value(otherwise)?))
        }
        ("CASE", [of, cases @ ..]) if cases.len() >= 3 && cases.len() % 2 == 1 => {
            let of = value(of)?;
            let pairs = cases.chunks_exact(2);
            let last = value(pairs.remainder().first()?)?;
            pairs.rev().try_fold(last, |rest, pair| {
                Some(format!("if {of} = {} then {} else {rest}", value(pair[0])?, value(pair[1])?))
            })
        }
        ("BLANKVALUE" | "NULLVALUE" | "COALESCE" | "IFNULL" | "NVL", [_, _, ..]) => {
            let values: Option<Vec<_>> = args.iter().map(|arg| value(arg)).collect();
            Some(format!("first_present({})", values?.join(", ")))
        }
        ("CONCAT" | "CONCATENATE", [_, _, ..]) => template(args, depth + 1),
        ("TEXT", [only]) => template(&[only], depth + 1),
        ("VALUE", [_]) => step("number"),
        ("LOWER", [_]) => step("lowercase"),
        ("UPPER", [_]) => step("uppercase"),
        ("TRIM", [_]) => step("trim"),
        ("LEFT", [_, length]) => step(&format!("truncate({length})")),
        ("SUBSTITUTE", [_, old, new]) => step(&format!("replace({old}, {new})")),
        ("ISBLANK" | "ISNULL" | "ISPICKVAL" | "AND" | "OR" | "NOT" | "CONTAINS" | "BEGINS", _) => {
            condition_at(&format!("{name}({})", args.join(", ")), depth + 1)
        }
        _ => None,
    }
}

/// What stands on the left of a step.
fn operand(text: &str) -> String {
    if text.starts_with("if ") { format!("({text})") } else { text.to_owned() }
}

fn condition_at(text: &str, depth: usize) -> Option<String> {
    let text = text.trim();
    let name = shape::first_word(text);
    let rest = text[name.len()..].trim_start();
    let close = if rest.starts_with('(') { shape::closing(rest) } else { None };
    let whole = close.filter(|close| rest[close + 1..].trim().is_empty());
    if depth > MAX_DEPTH || text.is_empty() || text.contains('\n') {
        return None;
    }
    let Some(close) = whole.filter(|_| !name.is_empty()) else {
        // A comparison of formulas would be half a translation.
        let has_formula = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| is_formula(word) && text.contains(&format!("{word}(")));
        return (!has_formula).then(|| operators(text));
    };
    let args = split(&rest[1..close], ',')?;
    let joined = |word: &str| {
        let parts: Option<Vec<_>> =
            args.iter().map(|arg| condition_at(arg, depth + 1).map(|part| grouped(&part))).collect();
        Some(parts?.join(&format!(" {word} ")))
    };
    match (name.to_ascii_uppercase().as_str(), args.as_slice()) {
        ("ISBLANK" | "ISNULL", [value]) => {
            Some(format!("{} is blank", operand(&value_at(value, depth + 1)?)))
        }
        ("ISPICKVAL", [field, option]) => Some(format!("{field} = {option}")),
        ("CONTAINS", [text, part]) => Some(format!("({text} | contains({part}))")),
        ("BEGINS", [text, part]) => Some(format!("({text} | starts_with({part}))")),
        ("NOT", [one]) => {
            let one = condition_at(one, depth + 1)?;
            match one.strip_suffix(" is blank") {
                Some(value) if !value.contains(' ') => Some(format!("{value} is present")),
                _ => Some(format!("not {}", grouped(&one))),
            }
        }
        ("AND", [_, _, ..]) => joined("and"),
        ("OR", [_, _, ..]) => joined("or"),
        _ if is_formula(name) => None,
        _ => Some(text.to_owned()),
    }
}

fn grouped(condition: &str) -> String {
    let compound = condition.contains(" and ") || condition.contains(" or ");
    if compound { format!("({condition})") } else { condition.to_owned() }
}

/// The signs of a comparison as they are written here.
fn operators(condition: &str) -> String {
    condition.replace("==", "=").replace("<>", "!=").replace("&&", "and").replace("||", "or")
}

/// One text of several: fixed ones as they are, values in braces.
fn template(parts: &[&str], depth: usize) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        let part = part.trim();
        let fixed = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
        match fixed {
            Some(fixed) if !fixed.contains('"') => text.push_str(fixed),
            Some(_) => return None,
            None => text.extend(["{", value_at(part, depth + 1)?.as_str(), "}"]),
        }
    }
    Some(format!("\"{text}\""))
}

/// Parts at a sign, outside brackets and texts; `None` where a part is missing.
fn split(text: &str, sign: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth, mut in_text, mut escaped) = (Vec::new(), 0, 0_usize, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            character if character == sign && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    (!in_text && depth == 0 && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::{call, joined, question};

    #[test]
    fn formulas_keep_what_their_author_wrote() {
        let cases = [
            (r#"IF(jobtitle = "x", "a", "b")"#, r#"if jobtitle = "x" then "a" else "b""#),
            (
                r#"IF(ISBLANK(jobtitle), "none", jobtitle)"#,
                r#"if jobtitle is blank then "none" else jobtitle"#,
            ),
            (r#"if(a == 1, "b, c", d)"#, r#"if a = 1 then "b, c" else d"#),
            (
                r#"IF(AND(NOT(ISBLANK(a)), OR(b > 1, c = "(")), UPPER(a), "")"#,
                r#"if a is present and (b > 1 or c = "(") then a | uppercase else nothing"#,
            ),
            (r#"CASE(s, "a", 1, "b", 2, 3)"#, r#"if s = "a" then 1 else if s = "b" then 2 else 3"#),
            (r#"CONCATENATE(firstname, " ", UPPER(lastname))"#, r#""{firstname} {lastname | uppercase}""#),
            ("TRIM(IF(a = 1, b, c))", "(if a = 1 then b else c) | trim"),
            ("BLANKVALUE(a, b)", "first_present(a, b)"),
            (r#"SUBSTITUTE(a, "x", "y")"#, r#"a | replace("x", "y")"#),
            (r#"IF(ISPICKVAL(s, "New"), a & "-" & b, c)"#, r#"if s = "New" then "{a}-{b}" else c"#),
        ];
        for (foreign, own) in cases {
            assert_eq!(call(foreign).as_deref(), Some(own), "{foreign}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_translated() {
        for foreign in
            ["IF(a, b", "IF(a,, b)", "VLOOKUP(a, b)", "IF(LEN(a) > 3, b, c)", "CASE(a, b)", "IF(a\n, b, c)"]
        {
            assert_eq!(call(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn texts_are_joined_in_a_template() {
        assert_eq!(
            joined(r#"firstname & " " & lastname"#, '&').as_deref(),
            Some(r#""{firstname} {lastname}""#)
        );
        assert_eq!(joined("a & b | trim", '&').as_deref(), Some(r#""{a}{b | trim}""#));
        assert_eq!(joined("a &", '&'), None);
    }

    #[test]
    fn a_question_mark_is_a_choice() {
        assert_eq!(
            question(r#"city == "Rome" ? "a" : b"#).as_deref(),
            Some(r#"if city = "Rome" then "a" else b"#)
        );
        assert_eq!(question("a ? b"), None);
    }
}
