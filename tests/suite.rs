//! The language's test suite: readable source files with the expected findings written under the lines they are about.
//!
//! `tests/suite/<construct>/*.map` hold sections, each begun by `#=== name` and checked as a project of one file against
//! the small schemas in `tests/suite/schema`. A section named `… (fields)` or `… (mapping)` is put into a frame, so that
//! it shows only what it is about. An expectation is a line under the line it is about: carets under the primary span, the
//! code, the message; then what to write instead.
//!
//! ```text
//!   Titel <- jobtitle
//! #~^^^^^ E0202 `salesforce.Lead` has no field `Titel`
//! #~  help: did you mean `Title`?
//! ```
//!
//! A finding that nobody expected, an expectation that nobody met and a code without a case are failures.
//! `MAPWRIGHT_UPDATE=1 cargo test --test suite` rewrites the expectations; read the difference before you commit it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mapwright::check::{check, suppress};
use mapwright::diagnostic::{CODES, Diagnostic, human};
use mapwright::schema::{Schema, Schemas, load};
use mapwright::source::Sources;
use mapwright::syntax;

/// Begins a section.
const SECTION: &str = "#=== ";

/// Separates the part of a section that stands in its frame from items beside the frame.
const BESIDE: &str = "#--- ";

/// Begins a line of an expectation.
const EXPECT: &str = "#~";

/// Codes that no `.map` file gives rise to, each with where it is tested instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("E0001", "files: the loader of a project reads them, not the checker"),
    ("E0002", "files: as above"),
    ("E0003", "files: as above"),
    ("E0004", "YAML: src/yaml"),
    ("E0005", "YAML: src/yaml"),
    ("E0006", "YAML: src/yaml"),
    ("E0007", "YAML: src/yaml"),
    ("E0008", "configuration: src/config"),
    ("E0009", "configuration: a missing snapshot is found before the checker starts"),
    ("E0010", "YAML: src/schema"),
    ("E0011", "configuration: src/config"),
    ("E0012", "configuration: src/config"),
    ("E0901", "two-way rules: this version does not execute a `sync` and says so with E0109"),
    ("E0902", "two-way rules: as above"),
    ("W0007", "no snapshot says yet which field holds a currency"),
];

/// Codes whose whole report is kept as a golden, because people meet them most.
const RENDERED: &[&str] = &[
    "E0101", "E0202", "E0203", "E0301", "E0304", "E0305", "E0308", "E0401", "E0501", "E0601", "E0602",
    "E0701", "E0702", "E0801", "E1002", "W0003",
];

#[test]
fn every_section_gives_the_findings_that_it_expects() {
    let update = std::env::var_os("MAPWRIGHT_UPDATE").is_some();
    let mut failures = Vec::new();
    let mut seen = BTreeSet::new();
    let mut rendered = BTreeMap::new();
    for path in map_files() {
        let text = fs::read_to_string(&path).expect("a suite file is readable");
        let actual = run_file(&text, &mut seen, &mut rendered);
        if actual == text {
            continue;
        }
        if update {
            fs::write(&path, &actual).expect("a suite file is writable");
        } else {
            failures.push(format!("{}\n{}", path.display(), difference(&text, &actual)));
        }
    }
    check_rendered(&rendered, update, &mut failures);
    assert!(failures.is_empty(), "{}\nMAPWRIGHT_UPDATE=1 rewrites expectations", failures.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let (mut seen, mut rendered) = (BTreeSet::new(), BTreeMap::new());
    for path in map_files() {
        let text = fs::read_to_string(&path).expect("a suite file is readable");
        run_file(&text, &mut seen, &mut rendered);
    }
    let codes: BTreeSet<_> = CODES.iter().map(|page| page.code.0).collect();
    let elsewhere: BTreeSet<_> = ELSEWHERE.iter().map(|(code, _)| *code).collect();
    let missing: Vec<_> =
        codes.iter().filter(|code| !seen.contains(**code) && !elsewhere.contains(**code)).collect();
    assert!(missing.is_empty(), "codes without a case: {missing:?}");
    let needless: Vec<_> =
        elsewhere.iter().filter(|code| seen.contains(**code) || !codes.contains(*code)).collect();
    assert!(needless.is_empty(), "exceptions that are none: {needless:?}");
}

#[test]
fn a_wrong_expectation_is_a_difference() {
    let text = "#=== wrong (fields)\n    Titel <- nickname\n#~  ^^^^^ E0202 something else\n";
    let actual = run_file(text, &mut BTreeSet::new(), &mut BTreeMap::new());
    assert_ne!(actual, text);
    assert!(actual.contains("`salesforce.Lead` has no field `Titel`"), "{actual}");
}

/// What stands around a section that is not a whole file.
struct Frame {
    before: &'static str,
    after: &'static str,
}

const WHOLE: Frame = Frame { before: "", after: "" };

const FIELDS: Frame = Frame {
    before: r#"mapping frame {
  from hubspot.contact
  to   salesforce.Lead
  with employer = primary hubspot.company
  let  mail = email | trim | lowercase
  when primary hubspot.company changes
  only if mail is present and employer.name is present
  match { key HubSpot_Contact_ID__c = id }
  on none       create
  on converted  park
  on duplicate  park
  on rejected   park
  fields {
    LastName <- "Doe"
    Company  <- "Acme"
"#,
    after: "  }\n}\n",
};

const MAPPING: Frame = Frame {
    before: "mapping frame {\n  from hubspot.contact\n  to   salesforce.Lead\n",
    after: "  fields { Title <- nickname }\n}\n",
};

fn run_file(
    text: &str,
    seen: &mut BTreeSet<&'static str>,
    rendered: &mut BTreeMap<&'static str, String>,
) -> String {
    let (head, sections) = split(text);
    let mut out = head;
    for (name, body) in sections {
        out.push_str(SECTION);
        out.push_str(&name);
        out.push('\n');
        out.push_str(&run_section(&name, &body, seen, rendered));
    }
    out
}

/// The text before the first section, and the sections by name.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    let mut head = String::new();
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(SECTION) {
            sections.push((name.to_owned(), String::new()));
            continue;
        }
        let into = sections.last_mut().map_or(&mut head, |(_, body)| body);
        into.push_str(line);
        into.push('\n');
    }
    (head, sections)
}

fn run_section(
    name: &str,
    body: &str,
    seen: &mut BTreeSet<&'static str>,
    rendered: &mut BTreeMap<&'static str, String>,
) -> String {
    let frame = match name {
        name if name.ends_with("(fields)") => FIELDS,
        name if name.ends_with("(mapping)") => MAPPING,
        _ => WHOLE,
    };
    let lines: Vec<_> = body.lines().filter(|line| !line.starts_with(EXPECT)).collect();
    let (text, numbers) = framed(&frame, &lines);
    let mut sources = Sources::new();
    let schemas =
        Schemas { hubspot: schema(&mut sources, "hubspot"), salesforce: schema(&mut sources, "salesforce") };
    let file = sources.add("case.map", text);
    let (tree, mut findings) = syntax::parse(file, sources.file(file).text());
    let trees = [tree];
    findings.extend(check(&trees, &schemas, &sources).1);
    let (findings, _) = suppress(&trees, &sources, findings);
    for finding in &findings {
        seen.insert(finding.code.0);
        if RENDERED.contains(&finding.code.0) {
            rendered
                .entry(finding.code.0)
                .or_insert_with(|| human(&sources, std::slice::from_ref(finding), false, 100));
        }
    }
    annotate(&sources, &lines, &numbers, &findings)
}

/// A section in its frame, and for each line of the whole the line of the section that it is.
fn framed(frame: &Frame, lines: &[&str]) -> (String, Vec<Option<usize>>) {
    let beside = lines.iter().position(|line| line.starts_with(BESIDE)).unwrap_or(lines.len());
    let before = frame.before.lines().map(|line| (line, None));
    let after = frame.after.lines().map(|line| (line, None));
    let inside = lines.iter().enumerate().take(beside).map(|(index, line)| (*line, Some(index)));
    let outside = lines.iter().enumerate().skip(beside + 1).map(|(index, line)| (*line, Some(index)));
    let all: Vec<_> = before.chain(inside).chain(after).chain(outside).collect();
    let text = all.iter().flat_map(|(line, _)| [*line, "\n"]).collect();
    (text, all.into_iter().map(|(_, number)| number).collect())
}

/// The source with each finding under its line.
fn annotate(sources: &Sources, lines: &[&str], numbers: &[Option<usize>], findings: &[Diagnostic]) -> String {
    let mut notes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for finding in findings {
        let span = finding.span();
        let (line, column) = sources.file(span.file).position(span.start);
        let (end_line, end_column) = sources.file(span.file).position(span.end);
        let number = numbers.get(line - 1).copied().flatten();
        let note = notes.entry(number.unwrap_or(lines.len())).or_default();
        let place = number.map_or_else(
            || " frame".to_owned(),
            |number| {
                let width = if end_line == line {
                    end_column.saturating_sub(column).max(1)
                } else {
                    lines[number].chars().count() + 1 - column
                };
                // Carets need room behind their own mark; a span that begins before is told by its columns.
                match column.checked_sub(1 + EXPECT.len()) {
                    Some(indent) => format!("{}{}", " ".repeat(indent), "^".repeat(width)),
                    None => format!(" at {column}-{}", column + width - 1),
                }
            },
        );
        note.push(format!("{EXPECT}{place} {} {}", finding.code, finding.message));
        let help = finding.help.iter().flat_map(|help| help.lines());
        note.extend(help.map(|help| format!("{EXPECT}   help: {help}")));
    }
    let with_notes = lines.iter().enumerate().flat_map(|(index, line)| {
        let own = notes.get(&index).into_iter().flatten().map(String::as_str);
        std::iter::once(*line).chain(own)
    });
    let beside = notes.get(&lines.len()).into_iter().flatten().map(String::as_str);
    with_notes.chain(beside).flat_map(|line| [line, "\n"]).collect()
}

fn schema(sources: &mut Sources, name: &str) -> Schema {
    let path = suite().join("schema").join(format!("{name}.yaml"));
    let text = fs::read_to_string(path).expect("a schema of the suite is readable");
    let (schema, findings) = load(sources, &format!("schema/{name}.yaml"), &text);
    assert!(findings.is_empty(), "{}", human(sources, &findings, false, 100));
    schema.expect("a schema of the suite names its CRM")
}

fn check_rendered(rendered: &BTreeMap<&'static str, String>, update: bool, failures: &mut Vec<String>) {
    for code in RENDERED {
        let path = suite().join("rendered").join(format!("{code}.txt"));
        let Some(report) = rendered.get(code) else {
            failures.push(format!("no section gives {code}, whose report is kept"));
            continue;
        };
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if *report == expected {
            continue;
        }
        if update {
            fs::write(&path, report).expect("a golden is writable");
        } else {
            failures.push(format!("{}\n{}", path.display(), difference(&expected, report)));
        }
    }
}

fn difference(expected: &str, actual: &str) -> String {
    similar::TextDiff::from_lines(expected, actual).unified_diff().context_radius(2).to_string()
}

fn map_files() -> Vec<PathBuf> {
    let mut files: Vec<_> = folders(&suite())
        .iter()
        .flat_map(|folder| entries(folder))
        .filter(|path| path.extension().is_some_and(|extension| extension == "map"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "the suite has files");
    files
}

fn folders(path: &Path) -> Vec<PathBuf> {
    entries(path).into_iter().filter(|path| path.is_dir()).collect()
}

fn entries(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).expect("the suite's folders are readable");
    entries.map(|entry| entry.expect("an entry is readable").path()).collect()
}

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite")
}
