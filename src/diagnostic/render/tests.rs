//! Tests of all renderers.

use super::super::{Code, Diagnostic};
use super::{github, human, json, sarif};
use crate::source::{Sources, Span};

const MAPPING: &str = "fields {\n  FirstName <- firstname\n  Title <- jobtitel\n}\n";
const SCHEMA: &str = "objects:\n  contact:\n    fields:\n      jobtitle: { type: string }\n";

fn project() -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let mapping = sources.add("lead.map", MAPPING);
    let schema = sources.add("schema/hubspot.yaml", SCHEMA);
    let at = |file, text: &str, word: &str| {
        let start = text.find(word).unwrap();
        Span::new(file, start, start + word.len())
    };
    let wrong = at(mapping, MAPPING, "jobtitel");
    let error = Diagnostic::error(Code::UNKNOWN_FIELD, wrong, "`contact` has no property `jobtitel`")
        .label("unknown property")
        .and(at(schema, SCHEMA, "contact"), "its properties are listed here")
        .help("did you mean `jobtitle`?")
        .fix(wrong, "jobtitle");
    let warning =
        Diagnostic::warning(Code::UNUSED, at(mapping, MAPPING, "fields"), "nobody uses these, 100%");
    (sources, vec![error, warning])
}

#[test]
fn a_person_sees_both_files_and_the_help_last() {
    let (sources, findings) = project();
    insta::assert_snapshot!(human(&sources, &findings, false, 80), @r"
    E0202

      × `contact` has no property `jobtitel`
       ╭─[lead.map:3:12]
     2 │   FirstName <- firstname
     3 │   Title <- jobtitel
       ·            ────┬───
       ·                ╰── unknown property
     4 │ }
       ╰────
       ╭─[schema/hubspot.yaml:2:3]
     1 │ objects:
     2 │   contact:
       ·   ───┬───
       ·      ╰── its properties are listed here
     3 │     fields:
       ╰────
      help: did you mean `jobtitle`?

    W0001

      ⚠ nobody uses these, 100%
       ╭─[lead.map:1:1]
     1 │ fields {
       · ──────
     2 │   FirstName <- firstname
       ╰────
    ");
}

#[test]
fn colour_is_only_written_when_wanted() {
    let (sources, findings) = project();
    assert!(!human(&sources, &findings, false, 80).contains('\u{1b}'));
    assert!(human(&sources, &findings, true, 80).contains('\u{1b}'));
}

#[test]
fn programs_get_places_and_fixes() {
    let (sources, findings) = project();
    let json = json(&sources, &findings);
    assert_eq!(json[0]["code"], "E0202");
    assert_eq!(json[0]["severity"], "error");
    let place = |file: &str, line: usize, column: usize, end: usize, key: &str, text: &str| {
        serde_json::json!({
            "file": file, "line": line, "column": column, "end_line": line, "end_column": end, key: text
        })
    };
    assert_eq!(json[0]["labels"][0], place("lead.map", 3, 12, 20, "text", "unknown property"));
    assert_eq!(json[0]["labels"][1]["file"], "schema/hubspot.yaml");
    assert_eq!(json[0]["fix"], place("lead.map", 3, 12, 20, "replacement", "jobtitle"));
    assert_eq!(json[1]["help"], serde_json::Value::Null);
    assert_eq!(json[1]["severity"], "warning");
}

#[test]
fn github_gets_one_escaped_line_for_each_finding() {
    let (sources, findings) = project();
    let text = github(&sources, &findings);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "::error file=lead.map,line=3,endLine=3,col=12,endColumn=20,title=E0202::`contact` has no property \
         `jobtitel`%0Aunknown property%0Aschema/hubspot.yaml:2: its properties are listed here%0Ahelp: did you mean \
         `jobtitle`?"
    );
    assert_eq!(
        lines[1],
        "::warning file=lead.map,line=1,endLine=1,col=1,endColumn=7,title=W0001::nobody uses these, 100%25"
    );
    let mut sources = Sources::new();
    let file = sources.add("a,b:c.map", "one\ntwo\n");
    let finding = Diagnostic::error(Code::SYNTAX, Span::new(file, 0, 7), "no\r\nend");
    assert_eq!(
        github(&sources, &[finding]),
        "::error file=a%2Cb%3Ac.map,line=1,endLine=2,title=E0101::no%0D%0Aend\n"
    );
}

#[test]
fn sarif_has_rules_regions_related_places_and_fixes() {
    let (sources, findings) = project();
    let log = sarif(&sources, &findings, &[]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), super::super::CODES.len());
    let result = &run["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(rules[index]["id"], result["ruleId"]);
    let region = serde_json::json!({ "startLine": 3, "startColumn": 12, "endLine": 3, "endColumn": 20 });
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!((&physical["region"], &physical["artifactLocation"]["uri"]), (&region, &"lead.map".into()));
    assert_eq!(result["relatedLocations"][0]["message"]["text"], "its properties are listed here");
    let change = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!((&change["deletedRegion"], &change["insertedContent"]["text"]), (&region, &"jobtitle".into()));
    assert_eq!(run["results"][1]["level"], "warning");
    assert_eq!(rules.last().unwrap()["defaultConfiguration"]["level"], "warning");
    assert!(rules[index]["help"]["markdown"].as_str().unwrap().starts_with("# E0202: "));
    assert!(rules[index]["help"]["text"].as_str().unwrap().starts_with("E0202: "));
    let helped = rules.iter().filter(|rule| rule.get("help").is_some()).count();
    assert_eq!(helped, 2, "only the pages of the codes found");
    assert!(run["results"][1].get("fixes").is_none());
}

/// Renders a finding with every span that a text allows (and some that it does not), by every renderer.
fn every_span(text: &str) {
    let mut sources = Sources::new();
    let file = sources.add("some file.map", text);
    let other = sources.add("other.yaml", "");
    for start in 0..=text.len() + 1 {
        for end in start..=text.len() + 2 {
            let finding = Diagnostic::error(Code::SYNTAX, Span::new(file, start, end), "message")
                .label("label")
                .and(Span::new(other, 0, 0), "the empty file")
                .and(Span::new(file, text.len(), text.len()), "the end");
            let findings = [finding];
            let report = human(&sources, &findings, false, 80);
            assert!(
                report.contains("label") && report.contains("the end"),
                "{start}..{end} of {text:?}:\n{report}"
            );
            assert!(report.contains("the empty file"), "{start}..{end} of {text:?}:\n{report}");
            json(&sources, &findings);
            github(&sources, &findings);
            sarif(&sources, &findings, &[]);
        }
    }
}

#[test]
fn no_span_is_too_odd() {
    for text in [
        "",
        "\n",
        "a",
        "a\n",
        "a\r\nb\r\n",
        "a\rb",
        "\tä€😀\tx\n",
        "日本語\n\n",
        "\u{feff}a: b",
        "\u{1b}[31mred",
    ] {
        every_span(text);
    }
}

#[test]
fn a_caret_stands_under_its_character() {
    let mut sources = Sources::new();
    let file = sources.add("wide.map", "日本 = x\n");
    let at = "日本 = ".len();
    let finding = Diagnostic::error(Code::SYNTAX, Span::new(file, at, at + 1), "message").label("here");
    let report = human(&sources, &[finding], false, 80);
    assert!(report.contains("wide.map:1:6"), "{report}");
    let lines: Vec<&str> = report.lines().collect();
    let source = lines.iter().position(|line| line.contains("日本")).unwrap();
    // The two wide characters take two columns each, but are one character each in the string.
    let column = |line: &str, mark: char| line.chars().position(|c| c == mark).unwrap();
    assert_eq!(column(lines[source], 'x') + 2, column(lines[source + 1], '┬'), "{report}");
}

#[test]
fn a_file_cannot_steer_the_terminal() {
    let mut sources = Sources::new();
    let file = sources.add("evil.map", "a\u{1b}[2J\u{202e}b\u{9b}c\r");
    let finding = Diagnostic::error(Code::SYNTAX, Span::new(file, 0, 1), "bad \u{1b}[2J name").label("\u{7}");
    let report = human(&sources, &[finding], false, 80);
    assert!(!report.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}', '\r']), "{report:?}");
}

/// Two labels far apart on one line would show all that stands between them, for each finding.
#[test]
fn what_stands_between_two_labels_is_cut() {
    let mut sources = Sources::new();
    let id = sources.add("lead.map", format!("first {} second\n", "x ".repeat(30_000)));
    let second = Span::new(id, 60_007, 60_013);
    let finding = Diagnostic::error(Code::REPEATED, second, "twice").and(Span::new(id, 0, 5), "first here");
    let report = human(&sources, &[finding], false, 100);
    assert!(report.contains("first here") && report.contains("second"), "{report}");
    assert!(report.len() < 10_000, "{} bytes", report.len());
}

#[test]
fn long_lines_and_long_spans_are_cut() {
    let mut sources = Sources::new();
    let long = format!("{}x{}", "ä".repeat(100_000), "b".repeat(100_000));
    let lines = "line\n".repeat(1000);
    let (long_file, lines_file) =
        (sources.add("long.map", long.as_str()), sources.add("lines.map", lines.as_str()));
    let spans = [(long_file, 200_000, 200_001), (long_file, 0, long.len()), (lines_file, 0, lines.len())];
    for (file, start, end) in spans {
        let finding = Diagnostic::error(Code::SYNTAX, Span::new(file, start, end), "message").label("here");
        let report = human(&sources, &[finding], false, 80);
        assert!(report.len() < 6000 && report.contains("here"), "{}", report.len());
    }
}

#[test]
fn nothing_is_rendered_as_nothing() {
    let sources = Sources::new();
    assert_eq!(human(&sources, &[], false, 80), "");
    assert_eq!(github(&sources, &[]), "");
    assert_eq!(json(&sources, &[]), serde_json::json!([]));
}
