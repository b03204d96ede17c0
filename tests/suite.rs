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
//! A near miss says of which code it is one: `#~ good E0202` under a line holds while no finding of that code begins on the
//! line; above the first line of a section, while the section has none.
//!
//! A finding that nobody expected, an expectation that nobody met, a near miss that is reported, and a code with fewer
//! than two bad and two good cases are failures. The first report of each code is kept whole in `tests/suite/rendered`.
//! `MAPWRIGHT_UPDATE=1 cargo test --test suite` rewrites the expectations; read the difference before you commit it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mapwright::diagnostic::{CODES, Diagnostic, human};
use mapwright::source::Sources;

use frames::{FIELDS, Frame, MAPPING, WHOLE, check_file, suite};
use sections::{BESIDE, EXPECT, SECTION};

mod frames;
#[path = "frames/sections.rs"]
mod sections;

/// Begins a line that names the code of which the line above is a near miss.
const GOOD: &str = "#~ good ";

/// How many bad and how many good cases a code has at least.
const CASES: usize = 2;

/// The family of syntax, whose cases are in `src/syntax/tests`; here stands one of each.
const SYNTAX: &str = "E01";

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
    ("E1301", "a live CRM: src/drift/tests.rs"),
    ("E1302", "a live CRM: as above"),
    ("W1301", "a live CRM: as above"),
    ("W1302", "a live CRM: as above"),
];

/// Codes whose report is not kept: what it is about changes with every form that is built.
const NOT_RENDERED: &[&str] = &[];

/// What the cases of the suite show.
#[derive(Default)]
struct Tally {
    /// Every line that has a finding, by code.
    bad: BTreeMap<&'static str, BTreeSet<Place>>,
    /// Every line that is a near miss, by code.
    good: BTreeMap<String, BTreeSet<Place>>,
    /// The first report of each code.
    rendered: BTreeMap<&'static str, String>,
    /// Near misses that are reported, or of no code.
    wrong: Vec<String>,
    /// The file.
    file: String,
}

/// A file, a section, and a line of it.
type Place = (String, String, usize);

#[test]
fn every_section_gives_the_findings_that_it_expects() {
    let update = std::env::var_os("MAPWRIGHT_UPDATE").is_some();
    let mut failures = Vec::new();
    let mut tally = Tally::default();
    for path in map_files() {
        let text = fs::read_to_string(&path).expect("a suite file is readable");
        tally.file = path.display().to_string();
        let actual = run_file(&text, &mut tally);
        if actual == text {
            continue;
        }
        if update {
            fs::write(&path, &actual).expect("a suite file is writable");
        } else {
            failures.push(format!("{}\n{}", path.display(), difference(&text, &actual)));
        }
    }
    check_rendered(&tally.rendered, update, &mut failures);
    failures.append(&mut tally.wrong);
    assert!(failures.is_empty(), "{}\nMAPWRIGHT_UPDATE=1 rewrites expectations", failures.join("\n"));
}

#[test]
fn every_code_has_its_cases() {
    let tally = whole_suite();
    let mut complaints = Vec::new();
    for code in CODES.iter().map(|page| page.code.0) {
        let bad = tally.bad.get(code).map_or(0, BTreeSet::len);
        let good = tally.good.get(code).map_or(0, BTreeSet::len);
        let elsewhere = ELSEWHERE.iter().any(|(known, _)| *known == code);
        if elsewhere && bad > 0 {
            complaints.push(format!("{code} has cases: it is no exception"));
        }
        let wanted = if code.starts_with(SYNTAX) { (1, 0) } else { (CASES, CASES) };
        if !elsewhere && (bad < wanted.0 || good < wanted.1) {
            complaints.push(format!("{code} has {bad} bad and {good} good cases, of {wanted:?}"));
        }
    }
    let known = |code: &str| CODES.iter().any(|page| page.code.0 == code);
    let gone = ELSEWHERE.iter().filter(|(code, _)| !known(code));
    complaints.extend(gone.map(|(code, _)| format!("{code} is an exception and no code")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_wrong_expectation_is_a_difference() {
    let text = "#=== wrong (fields)\n    Titel <- nickname\n#~  ^^^^^ E0202 something else\n";
    let actual = run_file(text, &mut Tally::default());
    assert_ne!(actual, text);
    assert!(actual.contains("`salesforce.Lead` has no field `Titel`"), "{actual}");
}

#[test]
fn a_near_miss_that_is_reported_is_wrong() {
    let mut tally = Tally::default();
    let text = "#=== wrong (fields)\n#~ good E0202\n    Titel <- nickname\n#~ good E0202 E0301\n    Title <- nickname\n#~ good E0202\n";
    run_file(text, &mut tally);
    let wrong: Vec<_> = tally.wrong.iter().map(|wrong| wrong.split(": ").nth(1).expect("a place")).collect();
    assert_eq!(
        wrong,
        [
            "the section has the finding E0202 that line 0 says it has not",
            "the line 1 has the finding E0202 that it says it has not"
        ]
    );
    run_file("#=== wrong (fields)\n    Title <- nickname\n#~ good E9999\n", &mut tally);
    assert!(
        tally.wrong.last().is_some_and(|wrong| wrong.ends_with("there is no code E9999")),
        "{:?}",
        tally.wrong
    );
}

fn whole_suite() -> Tally {
    let mut tally = Tally::default();
    for path in map_files() {
        let text = fs::read_to_string(&path).expect("a suite file is readable");
        tally.file = path.display().to_string();
        run_file(&text, &mut tally);
    }
    tally
}

fn run_file(text: &str, tally: &mut Tally) -> String {
    let (head, sections) = split(text);
    let mut out = head;
    for (name, body) in sections {
        out.push_str(SECTION);
        out.push_str(&name);
        out.push('\n');
        out.push_str(&run_section(&name, &body, tally));
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

fn run_section(name: &str, body: &str, tally: &mut Tally) -> String {
    let frame = match name {
        name if name.ends_with("(fields)") => FIELDS,
        name if name.ends_with("(mapping)") => MAPPING,
        _ => WHOLE,
    };
    let (lines, goods) = marks(body);
    let (text, numbers) = framed(&frame, &lines);
    let (sources, findings) = check_file(text);
    for finding in &findings {
        let (line, _) = sources.file(finding.span().file).position(finding.span().start);
        let place = (tally.file.clone(), name.to_owned(), line);
        tally.bad.entry(finding.code.0).or_default().insert(place);
        if !NOT_RENDERED.contains(&finding.code.0) {
            tally
                .rendered
                .entry(finding.code.0)
                .or_insert_with(|| human(&sources, std::slice::from_ref(finding), false, 100));
        }
    }
    check_goods(name, &goods, &found(&sources, &numbers, &findings), tally);
    annotate(&sources, &lines, &goods, &numbers, &findings)
}

/// The lines of a section without its expectations, and its marks of near misses, each with the number of lines before it.
fn marks(body: &str) -> (Vec<&str>, Vec<(usize, &str)>) {
    let (mut lines, mut goods) = (Vec::new(), Vec::new());
    for line in body.lines() {
        if line.starts_with(GOOD) {
            goods.push((lines.len(), line));
        } else if !line.starts_with(EXPECT) {
            lines.push(line);
        }
    }
    (lines, goods)
}

/// The codes found, each with the number of its line in the section, from 1; 0 is the frame.
fn found(
    sources: &Sources,
    numbers: &[Option<usize>],
    findings: &[Diagnostic],
) -> Vec<(usize, &'static str)> {
    let line = |finding: &Diagnostic| {
        let (line, _) = sources.file(finding.span().file).position(finding.span().start);
        numbers.get(line - 1).copied().flatten().map_or(0, |number| number + 1)
    };
    findings.iter().map(|finding| (line(finding), finding.code.0)).collect()
}

fn check_goods(name: &str, goods: &[(usize, &str)], found: &[(usize, &str)], tally: &mut Tally) {
    for (line, mark) in goods {
        for code in mark[GOOD.len()..].split_whitespace() {
            let place = format!("{} {name:?}", tally.file);
            if !CODES.iter().any(|page| page.code.0 == code) {
                tally.wrong.push(format!("{place}: there is no code {code}"));
            } else if *line == 0 && found.iter().any(|(_, found)| *found == code) {
                tally
                    .wrong
                    .push(format!("{place}: the section has the finding {code} that line 0 says it has not"));
            } else if *line > 0 && found.contains(&(*line, code)) {
                tally
                    .wrong
                    .push(format!("{place}: the line {line} has the finding {code} that it says it has not"));
            }
            let place = (tally.file.clone(), name.to_owned(), *line);
            tally.good.entry(code.to_owned()).or_default().insert(place);
        }
    }
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
fn annotate(
    sources: &Sources,
    lines: &[&str],
    goods: &[(usize, &str)],
    numbers: &[Option<usize>],
    findings: &[Diagnostic],
) -> String {
    let mut notes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let above = goods.iter().filter(|(line, _)| *line == 0).map(|(_, mark)| *mark);
    for (line, mark) in goods.iter().filter(|(line, _)| *line > 0) {
        notes.entry(line - 1).or_default().push((*mark).to_owned());
    }
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
    above.chain(with_notes).chain(beside).flat_map(|line| [line, "\n"]).collect()
}

/// Compares the reports with the goldens, one for each code; a golden of a code without a report is one too many.
fn check_rendered(rendered: &BTreeMap<&'static str, String>, update: bool, failures: &mut Vec<String>) {
    let folder = suite().join("rendered");
    for (code, report) in rendered {
        let path = folder.join(format!("{code}.txt"));
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
    let of_no_report = |path: &PathBuf| {
        path.file_stem().is_none_or(|stem| !rendered.contains_key(stem.to_string_lossy().as_ref()))
    };
    for path in entries(&folder).into_iter().filter(of_no_report) {
        failures.push(format!("{}: no section gives this code", path.display()));
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
