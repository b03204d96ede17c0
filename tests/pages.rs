//! The pages of the codes, `docs/diagnostics`: their form, their index, and every example of theirs.
//!
//! An example marked `map,fails` or `yaml,fails` gives exactly the page's code; one marked `map` or `yaml` gives no finding.
//! The lines of a `map` example that are indented stand in a frame, as in `tests/suite`; what follows without indent stands
//! beside it. A `yaml` example names its file in a comment; one of a drift holds two snapshots, the checked-in one and, behind
//! a line `# live`, what the CRM says.
//!
//! `MAPWRIGHT_UPDATE=1 cargo test --test pages` rewrites the index.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mapwright::diagnostic::{CODES, CodePage, Diagnostic, human};
use mapwright::source::Sources;
use mapwright::{config, drift, schema};

use frames::{FIELDS, Frame, MAPPING, WHOLE, check_file};

mod frames;

/// Codes whose page has no example, each with the reason.
const WITHOUT: &[(&str, &str)] = &[
    ("E0001", "a file that is not there has no text"),
    ("E0002", "a page is UTF-8 itself"),
    ("E0003", "it would be a page of a mebibyte"),
    ("E0009", "as for E0001"),
];

/// The families of the index, by the letters and digits that their codes begin with.
const FAMILIES: &[(&str, &str)] = &[
    ("E00", "Files, configuration and snapshots"),
    ("E01", "Syntax"),
    ("E02", "Names"),
    ("E03", "Writing and required fields"),
    ("E04", "Types"),
    ("E05", "Length"),
    ("E06", "Picklists and owners"),
    ("E07", "Matching"),
    ("E08", "Failures"),
    ("E09", "Two-way rules"),
    ("E10", "Between mappings"),
    ("E11", "Associations and pairs"),
    ("E12", "Converting Leads"),
    ("E13", "The live CRMs beside the snapshots"),
    ("W00", "Warnings"),
    ("W13", "Warnings about the live CRMs"),
];

/// The one heading of a page.
const HEADING: &str = "## What to write instead";

/// A terminal wraps longer lines, and pages are printed as they stand.
const WIDTH: usize = 100;

/// A page that is longer is not read. Two whole mappings and a few sentences fit.
const LINES: std::ops::RangeInclusive<usize> = 10..=60;

/// A variable that no example may find set.
const UNSET: &str = "FOLDER_THAT_IS_NOT_SET";

#[test]
fn index_files_and_registry_agree() {
    let codes: BTreeSet<_> = CODES.iter().map(|page| format!("{}.md", page.code)).collect();
    let files: BTreeSet<_> = fs::read_dir(folder())
        .expect("the pages have a folder")
        .map(|entry| entry.expect("an entry is readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(codes, files, "registry and pages");

    let path = folder().join("README.md");
    let text = fs::read_to_string(&path).expect("the index is readable");
    let introduction = text.find("\n## ").map_or(text.as_str(), |end| &text[..end]);
    let wanted = format!("{}\n{}", introduction.trim_end(), index());
    if std::env::var_os("MAPWRIGHT_UPDATE").is_some() {
        fs::write(&path, wanted).expect("the index is writable");
    } else {
        assert_eq!(text, wanted, "MAPWRIGHT_UPDATE=1 cargo test --test pages rewrites the index");
    }
}

/// The index behind its introduction.
fn index() -> String {
    let mut text = String::new();
    for (prefix, title) in FAMILIES {
        let pages = CODES.iter().filter(|page| page.code.0.starts_with(prefix));
        let rows = pages.map(|page| format!("| [{0}]({0}.md) | {1} |\n", page.code, page.title));
        text.extend(["\n## ", title, "\n\n| code | what is wrong |\n| --- | --- |\n"]);
        text.extend(rows);
    }
    text
}

#[test]
fn every_code_has_a_family() {
    for page in CODES {
        let families = FAMILIES.iter().filter(|(prefix, _)| page.code.0.starts_with(prefix)).count();
        assert_eq!(families, 1, "{}", page.code);
    }
}

#[test]
fn every_page_has_the_form() {
    let mut complaints = Vec::new();
    for page in CODES {
        let mut complain = |what: String| complaints.push(format!("{}: {what}", page.code));
        let title = format!("# {}: {}", page.code, page.title);
        if page.page.lines().next() != Some(&title) {
            complain(format!("the first line is not `{title}`"));
        }
        if page.page.lines().filter(|line| line.starts_with("## ")).ne([HEADING]) {
            complain(format!("the one heading is `{HEADING}`"));
        }
        let count = page.page.lines().count();
        if !LINES.contains(&count) {
            complain(format!("it has {count} lines, not {LINES:?}"));
        }
        let marks: Vec<_> = blocks(page.page).into_iter().map(|block| block.mark).collect();
        let without = WITHOUT.iter().any(|(code, _)| *code == page.code.0);
        let fits = match marks.as_slice() {
            [] => without,
            ["map,fails", "map"] | ["yaml,fails", "yaml"] => !without,
            _ => false,
        };
        if !fits {
            complain(format!("its examples are {marks:?}: one that fails, then the same one mended"));
        }
        for line in prose(page.page).filter(|line| line.chars().count() > WIDTH) {
            complain(format!("a line is longer than {WIDTH}: {line}"));
        }
        if page.terminal().contains("```") || page.terminal().contains("\n#") {
            complain("mark-up is left for the terminal".to_owned());
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_example_is_what_its_page_says() {
    let mut failures = Vec::new();
    let mut checked = 0;
    for page in CODES {
        for block in blocks(page.page) {
            let (sources, findings) = if block.mark.starts_with("yaml") {
                check_yaml(&block.text)
            } else {
                check_file(framed(&block.text))
            };
            let mut codes: Vec<_> = findings.iter().map(|finding| finding.code.0).collect();
            codes.dedup();
            let wanted = if block.mark.ends_with("fails") { vec![page.code.0] } else { Vec::new() };
            if codes != wanted {
                let report = human(&sources, &findings, false, WIDTH);
                failures.push(format!("{}: `{}` gives {codes:?}\n{report}", page.code, block.mark));
            }
            checked += 1;
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(checked > CODES.len(), "only {checked} examples were found");
}

#[test]
fn exceptions_are_codes() {
    let is_code = |code: &str| CODES.iter().any(|page: &CodePage| page.code.0 == code);
    assert!(WITHOUT.iter().all(|(code, _)| is_code(code)));
}

/// A fenced example.
struct Block<'p> {
    mark: &'p str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(mark), None) => open = Some(Block { mark, text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed:\n{page}");
    blocks
}

/// The lines outside of examples.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    page.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// An example in its frame: field rules, statements of a mapping, or a whole file.
fn framed(example: &str) -> String {
    let first = example.lines().find(|line| !line.trim_start().starts_with('#')).unwrap_or_default();
    let Frame { before, after } = match (first.starts_with(' '), first.contains("<-"), first.contains("use "))
    {
        (false, _, _) => WHOLE,
        (true, false, false) => MAPPING,
        (true, _, _) => FIELDS,
    };
    if before.is_empty() {
        return example.to_owned();
    }
    let lines: Vec<_> = example.split_inclusive('\n').collect();
    let beside = lines.iter().position(|line| !line.starts_with(' ')).unwrap_or(lines.len());
    let (inside, beside) = lines.split_at(beside);
    [before, &inside.concat(), after, &beside.concat()].concat()
}

/// The findings of a snapshot, or of `mapwright.yaml` with every variable set but one.
fn check_yaml(text: &str) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("the file is named");
    if let Some((old, live)) = text.split_once("# live\n") {
        let mut read = |name: &str, text: &str| schema::load(&mut sources, name, text);
        let ((old, mut findings), (live, more)) = (read(name, old), read("live", live));
        findings.extend(more);
        let drift = old.zip(live).map(|(old, live)| drift::drift(&old, &live, None));
        findings.extend(drift.into_iter().flat_map(|drift| drift.findings));
        return (sources, findings);
    }
    if name != "mapwright.yaml" {
        let (_, findings) = schema::load(&mut sources, name, text);
        return (sources, findings);
    }
    let (config, mut findings) = config::parse(&mut sources, name, text);
    if let Some(config) = config.filter(|_| findings.is_empty()) {
        let resolved = config.resolve(&|name| (name != UNSET).then(|| "value".to_owned()));
        findings.extend(resolved.err().unwrap_or_default());
    }
    (sources, findings)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics")
}
