//! Corrections as edits of a text.

use std::ops::Range;

use super::Fix;

/// A piece of a text and what comes in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go.
    pub range: Range<usize>,
    /// What comes.
    pub text: String,
}

impl Edit {
    /// The edit that a correction is in the text of its file.
    ///
    /// What is inserted ends its lines like the file does. Words that are removed take the blanks before them along and,
    /// where nothing else stands there, their line.
    pub fn of(text: &str, fix: &Fix) -> Self {
        let range = fix.span.start as usize..fix.span.end as usize;
        if fix.replacement.is_empty() {
            let words = text.get(range.clone()).is_some_and(|gone| gone.contains(char::is_alphanumeric));
            let range = if words { with_its_blanks(text, range) } else { range };
            return Self { range, text: String::new() };
        }
        let ends = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { range, text: fix.replacement.replace('\n', ends) }
    }
}

/// The text after these edits, which stand in its order and do not overlap; one that does is left out.
pub fn edit(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        let Some(before) = text.get(done..edit.range.start) else { continue };
        if text.get(edit.range.clone()).is_none() {
            continue;
        }
        out.extend([before, &edit.text]);
        done = edit.range.end;
    }
    out.push_str(&text[done..]);
    out
}

fn with_its_blanks(text: &str, range: Range<usize>) -> Range<usize> {
    let (Some(before), Some(after)) = (text.get(..range.start), text.get(range.end..)) else { return range };
    let start = before.trim_end_matches([' ', '\t']).len();
    let blanks = after.len() - after.trim_start_matches([' ', '\t', '\r']).len();
    let rest = &after[blanks..];
    let at_line_start = before[..start].is_empty() || before[..start].ends_with('\n');
    match rest.strip_prefix('\n') {
        Some(_) if at_line_start => start..range.end + blanks + 1,
        None if rest.is_empty() => start..text.len(),
        // Something follows on the line: it takes the place of what goes.
        None if at_line_start => range.start..range.end + blanks,
        _ => start..range.end,
    }
}

#[cfg(test)]
mod tests {
    use super::{Edit, edit};
    use crate::diagnostic::Fix;
    use crate::source::{FileId, Span};

    fn removed(text: &str, what: &str) -> String {
        let start = text.find(what).expect("it stands there");
        let span = Span::new(FileId(0), start, start + what.len());
        edit(text, &[Edit::of(text, &Fix { span, replacement: String::new() })])
    }

    #[test]
    fn what_is_removed_leaves_no_gap() {
        assert_eq!(removed("  A <- b  otherwise keep\n  C\n", "otherwise keep"), "  A <- b\n  C\n");
        assert_eq!(removed("  on many park\n  C\n", "on many park"), "  C\n");
        assert_eq!(removed("  on many park\r\n  C\r\n", "on many park"), "  C\r\n");
        assert_eq!(
            removed("  A <- b  otherwise keep  on create\n", "otherwise keep"),
            "  A <- b  on create\n"
        );
        assert_eq!(removed("  on many park  # why\n", "on many park"), "  # why\n");
        assert_eq!(removed("a b", "b"), "a");
        assert_eq!(removed("\"a \u{200b} b\"", "\u{200b}"), "\"a  b\"", "the author's blanks stay");
    }

    #[test]
    fn inserted_lines_end_as_the_file_does() {
        let fix = Fix { span: Span::new(FileId(0), 1, 1), replacement: "\n  b".to_owned() };
        assert_eq!(edit("a\r\nc\r\n", &[Edit::of("a\r\nc\r\n", &fix)]), "a\r\n  b\r\nc\r\n");
        assert_eq!(edit("a", &[Edit::of("a", &fix)]), "a\n  b");
    }

    #[test]
    fn an_overlapping_edit_is_left_out() {
        let at = |start: usize, end: usize, text: &str| Edit { range: start..end, text: text.to_owned() };
        assert_eq!(edit("abcdef", &[at(1, 3, "X"), at(2, 4, "Y"), at(4, 4, "Z")]), "aXdZef");
        assert_eq!(edit("ä", &[at(1, 2, "X")]), "ä", "half a character is none");
    }
}
