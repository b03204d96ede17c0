//! Input that no author would write: nothing panics; `tests/fuzz/growth.rs` counts the steps.

use proptest::prelude::*;

use crate::source::FileId;
use crate::syntax::parse;

use super::{names, shown};

/// A file with a bit of everything, to be mutated.
const SEED: &str = r#"# Marketing hands over.
mapping lead {
  from hubspot.contact
  to salesforce.Lead
  with each role = salesforce.Role where Id in ["a", "b"] and Name is present
  let mail = email | trim | default("x {a | f("\}")} y")
  when any of (a, b) changes
  only if (a = 1 or not b) and c not in [1, 2] otherwise park "no"
  match {
    key K__c = id
    or Email = mail where A = false
  }
  on none create
  fields {
    use person
    A <- (a + b) * 2 | round(2) on create otherwise keep
    B <- if a is blank then "x" else lookup salesforce.User.Id where Email = b
  }
}
sync s {
  between hubspot.company and salesforce.Account
  fields { name <-> Name via p | q on conflict latest otherwise salesforce }
}
picklist p {
  from hubspot.contact.a
  to salesforce.Lead.B
  "A" <-> "B"
  otherwise -> nothing
}
test "t" {
  mapping lead
  given hubspot.contact { id: "1", `x y`: nothing }
}
"#;

fn in_rule(value: &str) -> String {
    format!("mapping m {{\n fields {{\n  A <- {value}\n }}\n}}\n")
}

#[test]
fn deep_parentheses_are_one_finding() {
    for depth in [65, 1_000, 100_000] {
        let text = in_rule(&format!("{}1{}", "(".repeat(depth), ")".repeat(depth)));
        let findings = shown(&text);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("3:72 E0104 nested more than 64 levels deep"), "{findings:?}");
    }
    assert_eq!(shown(&in_rule(&"(".repeat(100_000))).len(), 200 + 1);
}

#[test]
fn the_deepest_that_is_allowed_parses() {
    let depth = 64;
    for text in [
        format!("{}1{}", "(".repeat(depth), ")".repeat(depth)),
        format!("{}1{}", "f(".repeat(depth), ")".repeat(depth)),
        format!("{}1{}", "[".repeat(depth), "]".repeat(depth)),
        format!("{}1{}", "\"{".repeat(depth), "}\"".repeat(depth)),
        format!("{}1{}", "if a then ".repeat(depth), " else 2".repeat(depth)),
        format!("{}1{}", "if (not a) then 1 else ".repeat(32), ""),
        format!("({}a)", "not ".repeat(depth)),
        format!("{}1{}", "(not 2 + ".repeat(depth), " = 3)".repeat(depth)),
        format!("{}1{}", "f(if (a) then b else ".repeat(21), ")".repeat(21)),
        format!("a{}", " | f".repeat(128)),
        format!("a{}", " - 1".repeat(128)),
    ] {
        assert_eq!(shown(&in_rule(&text)), Vec::<String>::new());
    }
}

#[test]
fn other_nesting_and_chains_have_a_limit() {
    for text in [
        format!("{}1{}", "f(".repeat(20_000), ")".repeat(20_000)),
        format!("{}1{}", "\"{".repeat(20_000), "}\"".repeat(20_000)),
        format!("{}1", "if a then ".repeat(20_000)),
        format!("{}1", "if a then b else ".repeat(20_000)),
        format!("({}a)", "not ".repeat(20_000)),
        "lookup salesforce.User.Id where Email = ".repeat(20_000),
        format!("a{}", " | f".repeat(10_000)),
        format!("a{}", " * 1".repeat(10_000)),
    ] {
        let findings = shown(&in_rule(&text));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains("E0104"), "{findings:?}");
    }
}

#[test]
fn long_but_flat_is_allowed() {
    let arguments = vec!["if a then b else c - 1 | f"; 5_000].join(", ");
    assert_eq!(shown(&in_rule(&format!("first_present({arguments})"))), Vec::<String>::new());
    let conditions = vec!["not a is blank"; 5_000].join(" and ");
    let guard = format!("mapping m {{\n  only if {conditions} or b\n}}\n");
    assert_eq!(shown(&guard), Vec::<String>::new());
}

#[test]
fn a_megabyte_of_garbage_is_answered() {
    for piece in [
        "}",
        "{",
        "{ }",
        "a {",
        "a { ",
        "(",
        "\"",
        "`",
        "#",
        "\n",
        "x\n",
        "}\n",
        "a <- b\n",
        "'",
        "\\",
        "\"{",
        "é",
        "\0",
        "mapping m {\n",
        "test \"\n",
    ] {
        let text = piece.repeat((1 << 20) / piece.len() / 4);
        assert!(shown(&text).len() <= 201, "{piece:?}");
    }
    check(&format!("mapping m {{\n fields {{\n A <- {}{} }}\n}}\n", "(".repeat(10), "é ".repeat(200)));
    let broken =
        format!("mapping m {{\n fields {{\n{} }}\n}}\n", "  A <- (b | c(d, \"e\" f\n".repeat(20_000));
    let findings = shown(&broken);
    assert_eq!(findings.len(), 201);
    assert!(findings[200].contains("more than 200 mistakes in this file"), "{}", findings[200]);
}

#[test]
fn line_ends_tabs_and_marks_do_not_matter() {
    let plain = super::tree(SEED);
    let crlf = super::tree(&SEED.replace('\n', "\r\n"));
    assert_eq!(names(&plain), names(&crlf));
    assert_eq!(plain.comments.len(), crlf.comments.len());
    assert_eq!(plain.comments[0].value, crlf.comments[0].value);
    let tabs = super::tree(&SEED.replace("  ", "\t"));
    assert_eq!(names(&plain), names(&tabs));
    let marked = super::tree(&format!("\u{feff}{SEED}"));
    assert_eq!(names(&plain), names(&marked));
    let no_end = super::tree(SEED.trim_end());
    assert_eq!(names(&plain), names(&no_end));
    for empty in ["", "\n", "\u{feff}", "# only a comment", "  \r\n\t"] {
        assert_eq!(super::tree(empty).items, []);
    }
}

#[test]
fn any_character_can_stand_in_a_text_or_a_comment() {
    let text = "# naïve 🦀\npicklist `größe` {\n  from hubspot.contact.`à b`\n  to salesforce.Lead.B\n  \"🦀 é\" -> \"日本\"\n}\n";
    assert_eq!(names(&super::tree(text)), ["größe"]);
    assert_eq!(
        shown("mapping m {\n  let a = \"x\0y\"\n  let b\u{0} = 1\n  let c = \u{200b}1\n}"),
        [
            "2:13 E0101 an invisible character, U+0000 | delete it",
            "3:8 E0101 an invisible character, U+0000 | delete it",
            "4:11 E0101 an invisible character, U+200B | delete it",
        ]
    );
}

fn alphabet() -> impl Strategy<Value = String> {
    let words = [
        "mapping",
        "sync",
        "fields",
        "picklist",
        "order",
        "test",
        "m",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "\n",
        " ",
        "<-",
        "->",
        "<->",
        "=",
        "|",
        ",",
        "if",
        "then",
        "else",
        "not",
        "and",
        "or",
        "match",
        "key",
        "on",
        "create",
        "#",
        "`",
        "\\",
        "'",
        "1",
        "hubspot.contact",
        "salesforce.Lead.Id",
        "where",
        "lookup",
        "é",
        "\r\n",
        "from",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..80).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn random_text_never_panics(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn random_words_never_panic(text in alphabet()) {
        check(&text);
    }

    #[test]
    fn mutations_never_panic(at in 0..SEED.len(), length in 0..40_usize, new in "[ -~\n]{0,6}") {
        let end = (at + length).min(SEED.len());
        check(&format!("{}{new}{}", &SEED[..at], &SEED[end..]));
    }
}

/// Spans lie inside the text, at characters, and findings are in order.
fn check(text: &str) {
    let (file, findings) = parse(FileId(0), text);
    let inside = |range: std::ops::Range<usize>| text.get(range).is_some();
    for finding in &findings {
        assert!(finding.labels.iter().all(|label| inside(label.span.range())), "{text:?} {finding:?}");
        assert!(!finding.message.is_empty() && !finding.message.ends_with('.'));
    }
    assert!(findings.windows(2).all(|pair| pair[0].span().start <= pair[1].span().start));
    assert!(file.comments.iter().all(|comment| inside(comment.span.range())));
}
