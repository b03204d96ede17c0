//! What the terminal showed beside what the page says that it shows.

const ANY: char = '…';

/// Whether the lines are as they are told to be.
pub(super) fn is_as_told(told: &[String], shown: &str) -> bool {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    lines(told, &shown)
}

fn lines(told: &[String], shown: &[&str]) -> bool {
    match told.split_first() {
        None => shown.is_empty(),
        Some((first, rest)) if first.trim() == ANY.to_string() => {
            (0..=shown.len()).any(|skipped| lines(rest, &shown[skipped..]))
        }
        Some((first, rest)) => shown
            .split_first()
            .is_some_and(|(line, others)| words(first.trim_end(), line) && lines(rest, others)),
    }
}

/// One line; each piece between two `…` is taken where it first stands, the last one at the end.
fn words(told: &str, shown: &str) -> bool {
    let mut pieces = told.split(ANY);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = shown.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

/// Both, for the person who has to mend one of them.
pub(super) fn beside(told: &[String], shown: &str) -> String {
    let indent = |text: &str| {
        let lines: Vec<&str> = text.lines().flat_map(|line| ["    ", line, "\n"]).collect();
        lines.concat()
    };
    format!("  the page says\n{}  the terminal shows\n{}", indent(&told.join("\n")), indent(shown))
}

#[test]
fn wildcards_stand_for_what_varies_and_nothing_else() {
    let told = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, shown, same) in [
        ("a\nb", "a\nb\n", true),
        ("a", "a\nb", false),
        ("a\nb", "a", false),
        ("", "", true),
        ("", "a", false),
        ("a\n…", "a", true),
        ("a\n…\nd", "a\nb\nc\nd", true),
        ("a\n…\nd", "a\nb\nc", false),
        ("id …, done", "id 17, done", true),
        ("id …, done", "id 17, failed", false),
        ("id …", "no id 17", false),
        ("…/x/…/y", "a/x/b/x/c/y", true),
        ("…/x/…/y", "a/x/b/y/z", false),
    ] {
        assert_eq!(is_as_told(&told(expected), shown), same, "{expected:?} {shown:?}");
    }
}
