//! The laws of the formatter, for one file.

use mapwright::diagnostic::Diagnostic;
use mapwright::format::format;
use mapwright::source::FileId;
use mapwright::syntax::parse;

/// The tree without its places, by a way of its own: the formatter compares trees as well, and may be wrong there.
fn tree(text: &str) -> (String, Vec<Diagnostic>) {
    let (file, findings) = parse(FileId(0), text);
    (placeless(&format!("{:?}", file.items)), findings)
}

/// Takes out every `0:12..15`.
fn placeless(written: &str) -> String {
    let mut pieces = written.split("0:");
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if !piece[..piece.len() - rest.len()].contains("..") {
            kept.push_str("0:");
            kept.push_str(&piece[..piece.len() - rest.len()]);
        }
        kept.push_str(rest);
    }
    kept
}

/// All that is not white space and no brace, in order: a comment that stayed among its statements changes nothing here. A
/// brace may change places with the comment beside it, which stays on its line.
fn substance(text: &str) -> String {
    text.trim_start_matches('\u{feff}').chars().filter(|c| !c.is_whitespace() && !"{}".contains(*c)).collect()
}

/// The laws for one file; whether they applied.
pub(crate) fn hold(text: &str) -> bool {
    let (before, findings) = tree(text);
    if !findings.is_empty() {
        let refused = format(text).expect_err("a file with mistakes is not formatted");
        assert_eq!(refused.len(), findings.len(), "{text}");
        return false;
    }
    let once = format(text).unwrap_or_else(|findings| panic!("{text}\n{findings:#?}"));
    let (after, findings) = tree(&once);
    assert_eq!(findings, [], "{text}\n{once}");
    assert_eq!(before, after, "the tree changed\n{text}\n{once}");
    assert_eq!(substance(text), substance(&once), "a comment moved\n{text}\n{once}");
    let twice = format(&once).unwrap_or_else(|findings| panic!("{once}\n{findings:#?}"));
    assert_eq!(once, twice, "formatting twice\n{text}");
    assert!(!once.contains("\n\n\n") && !once.starts_with('\n'), "{once:?}");
    // A carriage return alone ends no line: one within a comment is part of it.
    let alone = text.replace("\r\n", "\n").contains('\r');
    assert!(alone || !once.contains('\r'), "{once:?}");
    assert!(once.lines().all(|line| line == line.trim_end()), "blanks at the end of a line: {once:?}");
    assert!(once.is_empty() || once.ends_with('\n') && !once.ends_with("\n\n"), "{once:?}");
    true
}
