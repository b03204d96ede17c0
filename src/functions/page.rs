//! The table as people read it: one function's page, and the whole reference.

use std::fmt::Write;

use super::{Function, all};

/// The first sentence of what a function does.
pub fn summary(function: &Function) -> &'static str {
    let doc = function.doc;
    let end = doc
        .match_indices(['.', ':', ';'])
        .map(|(at, _)| at)
        .find(|at| doc[at + 1..].starts_with([' ', '\n']));
    end.map_or(doc.trim_end_matches('.'), |end| &doc[..end])
}

/// The page of a function, for a terminal: its signature, what it does, what makes it fail, and its examples. Ends
/// without a line end.
pub fn page(function: &Function) -> String {
    let mut page = format!("{}\n\n{}\n\n", function.signature, function.doc);
    for fact in facts(function) {
        page.extend([fact.as_str(), "\n"]);
    }
    let width = function.examples.iter().map(|example| example.expression.chars().count()).max().unwrap_or(0);
    for example in function.examples {
        // Writing to a `String` cannot fail.
        let _ = write!(page, "\n  {:width$}  gives  {}", example.expression, example.result);
    }
    page
}

/// All pages as Markdown, by family: `docs/functions.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Functions\n\nThe value on the left of `|` is the first argument. A blank first argument gives a blank, unless \
         the page says otherwise. What fails needs an `otherwise` in the rule that uses it.\n\n\
         This page is rendered from the table that the checker and the engine read, and every example is run by the tests. \
         `mapwright functions NAME` prints one function, `mapwright functions --json` the table.\n",
    );
    let mut family = None;
    for function in all() {
        if family != Some(function.family) {
            family = Some(function.family);
            let title = function.family.title();
            let _ = write!(text, "\n## {}{}\n", title[..1].to_uppercase(), &title[1..]);
        }
        let _ = write!(text, "\n### `{}`\n\n`{}`\n\n{}\n", function.name, function.signature, function.doc);
        let facts: Vec<_> = facts(function).iter().map(|fact| format!("- {fact}")).collect();
        let _ = write!(text, "\n{}\n\n| example | gives |\n| --- | --- |\n", facts.join("\n"));
        for example in function.examples {
            let cell = |code: &str| code.replace('|', "\\|");
            let _ = writeln!(text, "| `{}` | `{}` |", cell(example.expression), cell(example.result));
        }
    }
    text
}

/// What is to be known of a function beside what it does, a sentence each.
fn facts(function: &Function) -> Vec<String> {
    let mut facts = vec![match function.failure {
        Some(failure) => format!("fails when {failure}"),
        None => "never fails".to_owned(),
    }];
    if function.takes_blank && !function.lazy {
        facts.push("is called with a blank too".to_owned());
    }
    if let Some(inverse) = function.inverse {
        facts.push(format!("is undone by `{inverse}`"));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::find;

    #[test]
    fn a_summary_is_the_first_sentence() {
        let of = |name: &str| summary(find(name).expect("a function"));
        assert_eq!(of("count"), "Counts the values of a list or a multi-select");
        assert_eq!(of("email"), summary(find("email").expect("a function")));
        for function in all() {
            assert!(!summary(function).is_empty() && !summary(function).ends_with('.'), "{}", function.name);
        }
    }

    #[test]
    fn a_page_says_what_fails_and_what_undoes() {
        let page = page(find("from_epoch_ms").expect("a function"));
        assert!(page.contains("fails when the number is not whole"), "{page}");
        assert!(page.contains("is undone by `to_epoch_ms`"), "{page}");
        assert!(page.contains("  0.5 | from_epoch_ms            gives  failure"), "{page}");
    }

    #[test]
    fn the_reference_names_every_function_once() {
        let reference = reference();
        for function in all() {
            assert_eq!(
                reference.matches(&format!("### `{}`\n", function.name)).count(),
                1,
                "{}",
                function.name
            );
        }
    }
}
