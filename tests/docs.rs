//! Every example of the documentation is a test case.
//!
//! A block that begins with ```` ```map ```` stands alone in a copy of the shipped project and must have no error. A block
//! marked `map,fails` must have exactly the error codes that its first comment names (`# E0202`). The tests of a block must
//! pass; in one marked `map,red` at least one fails. A block marked `map,fragment` is a piece of a file and is left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fragments prove nothing, so there are few of them.
const FRAGMENTS_AT_MOST: usize = 8;

/// A fenced block.
struct Block {
    /// `path:line` of its fence.
    at: String,
    kind: Kind,
    text: String,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Passes,
    /// Checks, and one of its tests fails.
    Red,
    Fails,
    Fragment,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages: `docs/*.md` and, once there is one, `README.md`.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .expect("docs is a folder")
        .map(|entry| entry.expect("an entry is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.extend(Some(root().join("README.md")).filter(|path| path.exists()));
    pages.sort();
    pages
}

/// The `map` blocks of a page; a mark that is not known is a mistake.
fn blocks(page: &Path) -> Vec<Block> {
    let name = page.strip_prefix(root()).unwrap_or(page).display().to_string();
    let text = fs::read_to_string(page).expect("a page is readable");
    let mut found: Vec<Block> = Vec::new();
    let mut inside = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(mark), None) => {
                let at = format!("{name}:{}", index + 1);
                let kind = match mark.trim() {
                    "map" => Some(Kind::Passes),
                    "map,red" => Some(Kind::Red),
                    "map,fails" => Some(Kind::Fails),
                    "map,fragment" => Some(Kind::Fragment),
                    other => {
                        assert!(!other.starts_with("map"), "{at}: the mark `{other}` is not known");
                        None
                    }
                };
                inside = Some(kind.is_some());
                found.extend(kind.map(|kind| Block { at, kind, text: String::new() }));
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) => {
                let block = found.last_mut().expect("a block is open");
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, _) => {}
        }
    }
    assert!(inside.is_none(), "{name}: a fence is not closed");
    found
}

/// A copy of the shipped project without its mappings.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let shipped = root().join("mappings");
    fs::create_dir(folder.path().join("schema")).expect("a folder can be made");
    for file in ["mapwright.yaml", "schema/hubspot.yaml", "schema/salesforce.yaml"] {
        fs::copy(shipped.join(file), folder.path().join(file)).expect("a shipped file can be copied");
    }
    add_record_types(&folder.path().join("schema/salesforce.yaml"));
    folder
}

/// Standard Salesforce has no record types; the example of them says which it is about.
fn add_record_types(snapshot: &Path) {
    let text = fs::read_to_string(snapshot).expect("a snapshot is readable");
    let head = "  Opportunity:\n    label: Opportunity\n";
    let types = "    record_types:\n      - { name: New Business, developer_name: New_Business, default: true }\n      \
                 - { name: Renewal, developer_name: Renewal }\n";
    let id = "      Id: { label: Opportunity ID, type: id }\n";
    let field = "      RecordTypeId: { label: Record Type ID, type: reference, references: [RecordType] }\n";
    assert!(text.contains(head) && text.contains(id), "the shipped snapshot has opportunities");
    let text = text.replacen(head, &format!("{head}{types}"), 1).replacen(id, &format!("{id}{field}"), 1);
    fs::write(snapshot, text).expect("a snapshot can be written");
}

/// Whether the tests of the example that was checked last pass, and the report.
fn tests(folder: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mapwright"))
        .arg("--project")
        .arg(folder)
        .arg("test")
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    let report = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), report)
}

/// The codes of the errors that the command reports, each once, and the report itself.
fn check(folder: &Path, text: &str) -> (Vec<String>, String) {
    fs::write(folder.join("example.map"), text).expect("an example can be written");
    let run = |format: &str| {
        Command::new(env!("CARGO_BIN_EXE_mapwright"))
            .arg("--project")
            .arg(folder)
            .args(["check", "--format", format])
            .env("NO_COLOR", "1")
            .output()
            .expect("the binary runs")
    };
    let output = run("json");
    let findings: Vec<serde_json::Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no JSON: {error}: {output:?}"));
    let errors = findings.iter().filter(|finding| finding["severity"] == "error");
    let mut codes: Vec<String> =
        errors.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect();
    codes.sort();
    codes.dedup();
    let status = output.status.code();
    assert_eq!(
        status,
        Some(i32::from(!codes.is_empty())),
        "the exit code and the findings disagree: {output:?}"
    );
    let human = run("human");
    (codes, String::from_utf8_lossy(&[human.stdout, human.stderr].concat()).into_owned())
}

#[test]
fn every_example_is_what_the_page_says() {
    let project = project();
    let mut failures = Vec::new();
    let mut checked = 0;
    for block in pages().iter().flat_map(|page| blocks(page)).filter(|block| block.kind != Kind::Fragment) {
        let wanted: Vec<String> = match block.kind {
            Kind::Fails => {
                let first = block.text.lines().next().unwrap_or_default();
                first.trim_start_matches('#').split_whitespace().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        assert!(block.kind != Kind::Fails || !wanted.is_empty(), "{}: name the code: `# E0202`", block.at);
        let (codes, report) = check(project.path(), &block.text);
        if codes != wanted {
            failures.push(format!("{}: expected {wanted:?}, found {codes:?}\n{report}", block.at));
        }
        if wanted.is_empty() && codes.is_empty() && block.text.contains("\ntest \"") {
            let (green, report) = tests(project.path());
            if green != (block.kind == Kind::Passes) {
                failures.push(format!("{}: its tests are not as the page says\n{report}", block.at));
            }
        }
        checked += 1;
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(checked > 10, "only {checked} examples were found");
}

#[test]
fn fragments_stay_few() {
    let fragments: Vec<String> = pages()
        .iter()
        .flat_map(|page| blocks(page))
        .filter(|block| block.kind == Kind::Fragment)
        .map(|block| block.at)
        .collect();
    assert!(fragments.len() <= FRAGMENTS_AT_MOST, "make some of these whole: {fragments:#?}");
}

#[test]
fn the_reference_names_every_function_and_only_codes_that_exist() {
    let text = fs::read_to_string(root().join("docs/language.md")).expect("the reference is readable");
    for function in mapwright::functions::all() {
        let name = format!("`{}`", function.name);
        assert!(text.contains(&name), "docs/language.md: {name} is missing");
    }
    for code in quoted_codes(&text) {
        assert!(
            mapwright::diagnostic::code_page(&code).is_some(),
            "docs/language.md: there is no code {code}"
        );
    }
}

#[test]
fn the_page_of_functions_is_rendered_from_the_table() {
    let path = root().join("docs/functions.md");
    let wanted = mapwright::functions::reference();
    if std::env::var_os("MAPWRIGHT_UPDATE").is_some() {
        fs::write(&path, &wanted).expect("the page is writable");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/functions.md is stale: MAPWRIGHT_UPDATE=1 cargo test --test docs rewrites it"
    );
}

/// Everything that looks like a code.
fn quoted_codes(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 5 && word.starts_with(['E', 'W']))
        .filter(|word| word[1..].bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// A line of the page such as `mapwright test  # 5 tests passed` says what the command prints.
#[test]
fn the_counts_of_the_first_steps_are_those_of_the_shipped_project() {
    let page = fs::read_to_string(root().join("docs/language.md")).expect("the page is readable");
    for command in ["check", "test"] {
        let lines = page.lines().filter_map(|line| line.strip_prefix("mapwright ")?.split_once("# "));
        let said: Vec<_> = lines.filter(|(call, _)| call.trim() == command).map(|(_, said)| said).collect();
        let output = Command::new(env!("CARGO_BIN_EXE_mapwright"))
            .arg("--project")
            .arg(root().join("mappings"))
            .arg(command)
            .env("NO_COLOR", "1")
            .output()
            .expect("the binary runs");
        let report = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(said, [report.trim()], "{command}");
    }
}
