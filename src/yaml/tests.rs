//! Tests of places, bounds and typed reading.

use std::time::{Duration, Instant};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Sources, Span};

use super::{Entry, Keys, Kind, Node, Problems, parse};

fn read(text: &str) -> (Sources, Option<Node>, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let file = sources.add("file.yaml", text);
    let (node, findings) = parse(file, text);
    (sources, node, findings)
}

fn entries(node: &Node) -> &[Entry] {
    let Kind::Map(entries) = &node.kind else { panic!("{node:?}") };
    entries
}

/// Every scalar of a tree with the source text of its place.
fn places(sources: &Sources, node: &Node, out: &mut Vec<(String, String)>) {
    match &node.kind {
        Kind::Scalar { text, .. } => out.push((text.clone(), sources.slice(node.span).to_owned())),
        Kind::List(items) => items.iter().for_each(|item| places(sources, item, out)),
        Kind::Map(entries) => {
            for entry in entries {
                out.push((entry.key.value.clone(), sources.slice(entry.key.span).to_owned()));
                places(sources, &entry.value, out);
            }
        }
        Kind::Broken => {}
    }
}

fn assert_places(text: &str, expected: &[(&str, &str)]) {
    let (sources, node, findings) = read(text);
    assert_eq!(findings, [], "{text:?}");
    let mut found = Vec::new();
    places(&sources, &node.unwrap(), &mut found);
    let found: Vec<(&str, &str)> =
        found.iter().map(|(value, place)| (value.as_str(), place.as_str())).collect();
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn every_key_and_value_knows_its_place() {
    assert_places(
        "a: { b: c, d: [e, 'f'] }\n",
        &[("a", "a"), ("b", "b"), ("c", "c"), ("d", "d"), ("e", "e"), ("f", "'f'")],
    );
    assert_places("\"a b\": \"c\\td\"\n", &[("a b", "\"a b\""), ("c\td", "\"c\\td\"")]);
    assert_places("a:\n  - b\n  - c: d\n", &[("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]);
    assert_places(
        "a: |\n  one\n  two\nb: c\n",
        &[("a", "a"), ("one\ntwo\n", "one\n  two"), ("b", "b"), ("c", "c")],
    );
}

#[test]
fn places_survive_line_ends_and_wide_characters() {
    let cells: &[(&str, &str)] = &[("日本", "日本"), ("b", "b"), ("ü", "ü"), ("c", "c")];
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("# 😀 wide — comment{end}日本:{end}  b: ü # é{end}  # ß{end}  c:{end}");
        let (sources, node, findings) = read(&text);
        assert_eq!(findings, [], "{text:?}");
        let mut found = Vec::new();
        places(&sources, &node.unwrap(), &mut found);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(value, place)| (value.as_str(), place.as_str())).collect();
        assert_eq!(found[..4], *cells, "{text:?}");
    }
    assert_places("\u{feff}a: b\n", &[("a", "a"), ("b", "b")]);
}

#[test]
fn a_mapping_covers_its_first_key_to_its_last_value() {
    let (sources, node, _) = read("# before\na:\n  b: c\n  d: e\n\n\nf: g\n");
    let node = node.unwrap();
    assert_eq!(sources.slice(node.span), "a:\n  b: c\n  d: e\n\n\nf: g");
    assert_eq!(sources.slice(entries(&node)[0].value.span), "b: c\n  d: e");
    let (sources, node, _) = read("a: { b: c }\n");
    assert_eq!(sources.slice(entries(&node.unwrap())[0].value.span), "{ b: c }");
}

/// The code and place of every finding.
fn findings(text: &str) -> Vec<(Code, String)> {
    let (sources, _, findings) = read(text);
    findings.iter().map(|finding| (finding.code, sources.slice(finding.span()).to_owned())).collect()
}

#[test]
fn what_is_refused_is_reported_and_hides_nothing() {
    let bad = |text: &str| (Code::YAML_BAD_VALUE, text.to_owned());
    assert_eq!(findings("a: 1\na: 2\nb: 3\nb: 4\n"), [bad("a"), bad("b")]);
    let (_, node, found) = read("a: 1\na: 2\nb: 3\n");
    assert_eq!(entries(&node.unwrap()).len(), 2);
    assert_eq!(found[0].labels[1].span, Span::new(FileId(0), 0, 1));
    assert_eq!(findings("a: &x b\nc: *x\n"), [bad("&x b"), bad("*x")]);
    assert_eq!(findings("a: !secret b\n").len(), 1);
    assert_eq!(findings("? [a]\n: b\nc: d\n"), [bad("[a]")]);
    assert_eq!(findings("a: b\n---\nc: d\n"), [(Code::YAML_SYNTAX, "---".to_owned())]);
}

#[test]
fn broken_yaml_is_one_finding_where_the_reading_stopped() {
    for text in ["a: [b\n", "a: \"b\n", "a: b: c\n", "a: {b: c\n", "- a\nb: c\n", "a: *x\n", "%", "\u{0}"] {
        let (_, node, findings) = read(text);
        assert!(node.is_none(), "{text:?}");
        assert_eq!(findings.len(), 1, "{text:?}");
        assert_eq!(findings[0].code, Code::YAML_SYNTAX, "{text:?}");
        assert!(findings[0].span().range().end <= text.len(), "{text:?}");
    }
}

#[test]
fn an_empty_file_is_nothing() {
    for text in ["", "\n", "# only a comment\n", "---\n"] {
        let (_, node, findings) = read(text);
        assert_eq!(findings, [], "{text:?}");
        let node = node.unwrap();
        assert!(
            matches!(&node.kind, Kind::Scalar { text, plain: true } if text.is_empty() || text == "~"),
            "{node:?}"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own time limit")]
fn hostile_nesting_ends_soon() {
    let started = Instant::now();
    let bomb: String = (0..60).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        format!("{text}a{}: &a{} [*a{level}, *a{level}, *a{level}]\n", level + 1, level + 1)
    });
    let hostile = [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "[\n".repeat(100_000),
        (0..2_000).fold(String::new(), |text, level| text + &" ".repeat(level) + "a:\n"),
    ];
    for text in hostile {
        let (_, node, findings) = read(&text);
        assert!(node.is_none());
        assert_eq!(findings.last().unwrap().code, Code::YAML_SYNTAX);
    }
    let (_, node, findings) = read(&bomb);
    assert!(node.is_some() && findings.len() > 100);
    let line = format!("[{}]", "{ a: b, ü: [c] }, ".repeat(50_000));
    let (_, node, findings) = read(&line);
    assert!(node.is_some() && findings.is_empty());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn typed_reading_reports_every_mistake() {
    let text = "name: 5\nage: old\nok: yes\ntags: [a, 1, b]\nnaem: x\nzzz: y\n";
    let (sources, node, _) = read(text);
    let (node, problems) = (node.unwrap(), Problems::default());
    let mut keys = Keys::of(&node, "a person", Span::new(FileId(0), 0, 0), &problems).unwrap();
    assert_eq!(keys.text("name"), None);
    assert_eq!(keys.number::<u32>("age"), None);
    assert_eq!(keys.flag("ok"), None);
    let tags: Vec<String> = keys.texts("tags").unwrap().into_iter().map(|tag| tag.value).collect();
    assert_eq!(tags, ["a", "b"]);
    assert_eq!(keys.need_text("address"), None);
    keys.finish();
    let findings = problems.into_findings();
    let found: Vec<_> =
        findings.iter().map(|finding| (finding.code, sources.slice(finding.span()))).collect();
    let bad = Code::YAML_BAD_VALUE;
    let expected = [
        (bad, "5"),
        (bad, "old"),
        (bad, "yes"),
        (bad, "1"),
        (Code::YAML_MISSING_KEY, ""),
        (Code::YAML_UNKNOWN_KEY, "naem"),
        (Code::YAML_UNKNOWN_KEY, "zzz"),
    ];
    assert_eq!(found, expected);
    assert_eq!(findings[0].message, "`name` must be text, but this is a number");
    assert_eq!(findings[0].fix.as_ref().unwrap().replacement, "\"5\"");
    assert_eq!(findings[1].message, "`age` must be a whole number, but this is text");
    assert_eq!(findings[5].help.as_deref(), Some("did you mean `name`?"));
    assert_eq!(findings[6].help.as_deref(), Some("the keys are `name`, `age`, `ok`, `tags` and `address`"));
}

#[test]
fn scalars_mean_what_yaml_says() {
    let problems = Problems::default();
    let (_, node, _) = read("[a, '5', \"true\", 001, 1.0.0, 00Q, nothing, ../x, 1-5]\n");
    let Kind::List(items) = node.unwrap().kind else { panic!() };
    for item in &items {
        assert!(item.text("x", &problems).is_some(), "{item:?}");
    }
    let (_, node, _) = read("[5, -1.5, true, null, ~, .inf, [], {}]\n");
    let Kind::List(items) = node.unwrap().kind else { panic!() };
    for item in &items {
        assert!(item.text("x", &problems).is_none(), "{item:?}");
    }
    assert_eq!(problems.into_findings().len(), items.len());
}
