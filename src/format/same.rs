//! Whether two trees say the same: equal but for their places, with all comments.

use crate::syntax::ast::File;

/// Compares two files.
pub(super) fn same(before: &File, after: &File) -> bool {
    comments(before) == comments(after) && placeless(before) == placeless(after)
}

/// The text of all comments, without the white space that the formatter may change.
fn comments(file: &File) -> String {
    let kept = |character: &char| !character.is_whitespace() && *character != '#';
    file.comments.iter().flat_map(|comment| comment.value.chars().filter(kept)).collect()
}

/// The tree as text, with every span taken out. Texts of the author are in quotes there and stay as they are.
fn placeless(file: &File) -> String {
    let tree = format!("{:?}", file.items);
    let mut kept = String::with_capacity(tree.len());
    let mut characters = tree.chars().peekable();
    let (mut quoted, mut escaped) = (false, false);
    while let Some(character) = characters.next() {
        if quoted {
            kept.push(character);
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
        } else if character.is_ascii_digit() && kept.ends_with([' ', '(']) {
            // A number is a `Decimal` or begins a span: `0:12..15`.
            let mut word = String::from(character);
            while let Some(next) =
                characters.next_if(|next| next.is_ascii_digit() || matches!(next, ':' | '.'))
            {
                word.push(next);
            }
            if !word.contains(':') {
                kept.push_str(&word);
            }
        } else {
            quoted = character == '"';
            kept.push(character);
        }
    }
    kept
}
