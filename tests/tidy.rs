//! Holds what reviewers would otherwise have to remember: who may import whom, what stays pure, sizes, panics,
//! dependencies and their reasons. Every message names the place and what to do about it.
//!
//! The table of imports is the one in `docs/architecture.md`, so that the document cannot drift from the code.

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use tree::{Source, read, root, sources, tracked_texts};

/// Files are cut along a seam before they are longer.
const FILE_LINES: usize = 900;
/// A median above this says that new files are not being cut.
const MEDIAN_LINES: usize = 300;
/// A longer function stands in [`LONG_FUNCTIONS`] with its own bound and its reason.
const FUNCTION_LINES: usize = 50;

/// Functions above [`FUNCTION_LINES`]: file, name, lines at most, and why it reads better whole.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[
    ("src/check/fields.rs", "check_failure", 55, "one finding for each way in which a rule can fail"),
    (
        "src/check/fields.rs",
        "use_shared",
        55,
        "one use from its name to its rules, with a finding for each way to miss",
    ),
    ("src/harness/mod.rs", "run", 60, "one test from its world to its differences, for a mapping or a sync"),
    ("src/plan/needs.rs", "fill", 65, "passes over one mapping that must see each other's results"),
    (
        "src/sandbox/hubspot/admin.rs",
        "records",
        65,
        "one branch for each thing that a script may do to a record",
    ),
    ("src/sandbox/salesforce/describe.rs", "describe_field", 65, "one document, member for member"),
    ("src/syntax/words.rs", "words", 230, "a table: one line for each rule of the grammar"),
    ("src/types/fit.rs", "fits", 55, "a table: one line for each pair of types"),
];

/// Same record, same result, on every machine: what the pure half must not touch.
const IMPURE: &[&str] = &[
    "tokio::",
    "reqwest::",
    "axum::",
    "sqlx::",
    "async_trait",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::",
    "Utc::now",
    "Local::now",
    "rand::",
    "tracing::",
];

/// The folders of the pure half.
const PURE: &[&str] = &[
    "source",
    "diagnostic",
    "yaml",
    "config",
    "schema",
    "syntax",
    "format",
    "types",
    "functions",
    "check",
    "plan",
    "eval",
];

/// What a folder may import, and which names only, as the table of `docs/architecture.md` says.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Fails with all complaints at once.
fn no_complaints(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The names in back-quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Reads the rows of the form ``| `folder/` | role | `a`, `b` (`Only`, `These`) |``.
fn allowed_imports() -> Imports {
    let text = read("docs/architecture.md");
    let mut table = Imports::new();
    for line in text.lines().filter(|line| line.starts_with("| `src/")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [folder, _, imports] = cells[..] else {
            panic!("docs/architecture.md: a row needs three cells: {line}")
        };
        let folder =
            quoted(folder).next().unwrap_or_default().trim_start_matches("src/").trim_end_matches('/');
        let mut row = BTreeMap::new();
        let mut rest = imports;
        while let Some(name) = quoted(rest).next() {
            rest = rest.splitn(3, '`').nth(2).unwrap_or_default().trim_start();
            let mut only = BTreeSet::new();
            if let Some((list, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
                only = quoted(list).map(str::to_owned).collect();
                rest = after;
            }
            row.insert(name.to_owned(), only);
        }
        table.insert(folder.to_owned(), row);
    }
    assert!(!table.is_empty(), "docs/architecture.md: the table of folders is gone");
    table
}

/// Paths that start at the crate's root: position, folder, and the next name where one is written.
fn crate_paths(code: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let path = &code[at + "crate::".len()..];
        if let Some(group) = path.strip_prefix('{') {
            let group = &group[..group.find('}').unwrap_or(group.len())];
            paths.extend(group.split(',').map(|one| (at, word(one.trim()), Vec::new())));
        } else {
            let folder = word(path);
            let names = path[folder.len()..].strip_prefix("::").map(names_after).unwrap_or_default();
            paths.push((at, folder, names));
        }
    }
    paths.retain(|(_, folder, _)| !folder.is_empty());
    paths
}

/// `Name…` or `{A, b::C, …}`: the first names.
fn names_after(path: &str) -> Vec<&str> {
    match path.strip_prefix('{') {
        Some(group) => group[..group.find('}').unwrap_or(group.len())]
            .split(',')
            .map(|one| word(one.trim()))
            .filter(|name| !name.is_empty())
            .collect(),
        None => vec![word(path)],
    }
}

/// The identifier at the start.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn imports_run_downward() {
    let table = allowed_imports();
    let mut complaints = Vec::new();
    for source in sources("src") {
        let Some(folder) = source.folder() else { continue };
        let Some(row) = table.get(folder) else {
            complaints.push(format!("{}:1: give `src/{folder}/` a row in docs/architecture.md", source.path));
            continue;
        };
        for (at, wanted, names) in crate_paths(&source.code) {
            let test = source.is_test(at);
            let fine = wanted == folder || folder == "cli" || (test && wanted != "cli");
            if fine {
                continue;
            }
            match row.get(wanted) {
                None => complaints.push(format!(
                    "{}: `{folder}` may not import `{wanted}`: move what is needed down, or hand it in",
                    source.at(at)
                )),
                Some(only) => complaints.extend(
                    names.iter().filter(|name| !only.is_empty() && !only.contains(**name)).map(|name| {
                        format!(
                            "{}: of `{wanted}`, `{folder}` may use {only:?} only, not `{name}`",
                            source.at(at)
                        )
                    }),
                ),
            }
        }
    }
    no_complaints(&complaints);
}

#[test]
fn the_table_of_imports_has_no_circle_and_no_dead_row() {
    let table = allowed_imports();
    let mut complaints = Vec::new();
    let mut left: BTreeSet<&String> = table.keys().collect();
    while let Some(next) =
        left.iter().find(|folder| table[**folder].keys().all(|one| !left.contains(one))).copied()
    {
        left.remove(next);
    }
    if !left.is_empty() {
        complaints.push(format!("docs/architecture.md: these import one another in a circle: {left:?}"));
    }
    let folders: BTreeSet<String> =
        sources("src").iter().filter_map(|source| source.folder().map(str::to_owned)).collect();
    for folder in table.keys().filter(|folder| !folders.contains(*folder)) {
        complaints.push(format!("docs/architecture.md: `src/{folder}/` does not exist; remove its row"));
    }
    for (folder, row) in &table {
        for wanted in row.keys().filter(|wanted| !folders.contains(*wanted) || *wanted == "cli") {
            complaints
                .push(format!("docs/architecture.md: `{folder}` cannot import `{wanted}`; correct its row"));
        }
    }
    no_complaints(&complaints);
}

#[test]
fn no_module_reaches_over_its_own_top() {
    let mut complaints = Vec::new();
    for source in sources("src") {
        let depth = source.depth();
        for (at, _) in source.code.match_indices("super::") {
            if source.code[..at].ends_with("super::") || source.is_test(at) {
                continue;
            }
            let hops = source.code[at..].split("super::").take_while(|between| between.is_empty()).count();
            if hops >= depth {
                complaints
                    .push(format!("{}: write `crate::…`, so that the import can be seen", source.at(at)));
            }
        }
    }
    no_complaints(&complaints);
}

#[test]
fn the_pure_half_is_pure() {
    let mut complaints = Vec::new();
    for source in sources("src") {
        if !source.folder().is_some_and(|folder| PURE.contains(&folder)) {
            continue;
        }
        for token in IMPURE {
            for at in source.words(token).filter(|at| !source.is_test(*at)) {
                complaints.push(format!(
                    "{}: `{token}` in a pure module: let the caller read it and hand the value in",
                    source.at(at)
                ));
            }
        }
    }
    no_complaints(&complaints);
}

#[test]
fn the_parser_library_stays_in_the_parser() {
    let mut complaints = Vec::new();
    for source in sources("src") {
        if source.folder() == Some("syntax") {
            // The tree has a `Rule` of its own, and must not know the parser's.
            let words: &[&str] = if source.path.ends_with("/ast.rs") {
                &["pest::", "grammar::"]
            } else {
                &["pest::", "grammar::", "Rule", "Pair<", "Pairs<"]
            };
            for line in ["pub fn", "pub struct", "pub enum", "pub type"] {
                for at in source.words(line) {
                    let declared = source.code[at..].split(['{', ';']).next().unwrap_or_default();
                    if words.iter().any(|word| declared.contains(word)) {
                        complaints
                            .push(format!("{}: pest shows through; lower it to the tree", source.at(at)));
                    }
                }
            }
            continue;
        }
        for token in ["pest::", "pest_derive::"] {
            for at in source.words(token) {
                complaints.push(format!("{}: only `syntax` knows pest; use its tree", source.at(at)));
            }
        }
    }
    no_complaints(&complaints);
}

#[test]
fn files_stay_small() {
    let all = sources("src");
    let mut sizes: Vec<usize> = all.iter().map(|source| source.text.lines().count()).collect();
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    println!("{} files, median {median} lines, largest {:?}", sizes.len(), sizes.last());
    let mut complaints: Vec<String> = all
        .iter()
        .filter(|source| source.text.lines().count() > FILE_LINES)
        .map(|source| {
            format!(
                "{}:{FILE_LINES}: cut this file along a seam; {FILE_LINES} lines is the limit",
                source.path
            )
        })
        .collect();
    if median > MEDIAN_LINES {
        complaints.push(format!(
            "src: the median file has {median} lines, above {MEDIAN_LINES}; cut the larger ones"
        ));
    }
    no_complaints(&complaints);
}

#[test]
fn long_functions_have_a_reason() {
    let mut complaints = Vec::new();
    let mut met = BTreeSet::new();
    for source in sources("src") {
        for (name, body) in source.functions().into_iter().filter(|(_, body)| !source.is_test(body.start)) {
            let lines = source.line(body.end) - source.line(body.start) + 1;
            let excused =
                LONG_FUNCTIONS.iter().find(|(path, long, ..)| *path == source.path && *long == name);
            let bound = excused.map_or(FUNCTION_LINES, |(_, _, bound, _)| *bound);
            if lines > FUNCTION_LINES && excused.is_some() {
                met.insert((source.path.clone(), name.clone()));
            }
            if lines > bound {
                complaints.push(format!(
                    "{}: `{name}` has {lines} lines, {bound} are allowed: cut it, or give its reason in LONG_FUNCTIONS \
                     of tests/tidy.rs",
                    source.at(body.start)
                ));
            }
        }
    }
    for (path, name, ..) in LONG_FUNCTIONS {
        if !met.contains(&((*path).to_owned(), (*name).to_owned())) {
            complaints.push(format!(
                "{path}:1: `{name}` is short now; remove it from LONG_FUNCTIONS of tests/tidy.rs"
            ));
        }
    }
    no_complaints(&complaints);
}

#[test]
fn nothing_is_unfinished_or_silenced() {
    let mut complaints = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        for (token, cure) in [
            ("todo!", "write it"),
            ("unimplemented!", "write it"),
            ("dbg!", "remove it"),
            ("#[allow", "use #[expect(…, reason = \"…\")]"),
            ("#![allow", "use #![expect(…, reason = \"…\")]"),
        ] {
            let found: Vec<usize> = source.code.match_indices(token).map(|(at, _)| at).collect();
            complaints.extend(found.iter().map(|at| format!("{}: `{token}`: {cure}", source.at(*at))));
        }
    }
    no_complaints(&complaints);
}

#[test]
fn panics_state_their_invariant() {
    let mut complaints = Vec::new();
    for source in sources("src") {
        let lines: Vec<&str> = source.text.lines().collect();
        for token in [".unwrap()", ".expect(\"", "panic!(", "unreachable!("] {
            // A string's quotes stay in the masked code, its text does not.
            for (at, _) in source.code.match_indices(token) {
                let line = source.line(at);
                let near: Range<usize> = line.saturating_sub(4)..line;
                if !source.is_test(at) && !lines[near].iter().any(|line| line.contains("INVARIANT")) {
                    complaints.push(format!(
                        "{}: `{token}` can end the program: return an error, or say in `// INVARIANT: …` above why it \
                         cannot fail",
                        source.at(at)
                    ));
                }
            }
        }
    }
    no_complaints(&complaints);
}

/// Crates of `Cargo.toml`, with their lines.
fn declared_dependencies() -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut inside = false;
    for (index, line) in read("Cargo.toml").lines().enumerate() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && let Some((name, _)) = line.split_once('=') {
            found.insert(name.trim().to_owned(), index + 1);
        }
    }
    found
}

#[test]
fn every_dependency_is_used_and_has_its_reason() {
    let declared = declared_dependencies();
    let text = read("docs/dependencies.md");
    let documented: BTreeMap<&str, usize> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| `"))
        .filter_map(|(index, line)| quoted(line).next().map(|name| (name, index + 1)))
        .collect();
    let code: Vec<Source> =
        sources("src").into_iter().chain(sources("tests")).chain(sources("benches")).collect();
    let mut complaints = Vec::new();
    for (name, line) in &declared {
        if !documented.contains_key(name.as_str()) {
            complaints.push(format!("Cargo.toml:{line}: give `{name}` its row in docs/dependencies.md"));
        }
        let ident = name.replace('-', "_");
        let used = code.iter().any(|source| {
            source.words(&ident).any(|at| source.code[at + ident.len()..].starts_with([':', ';', '!', ' ']))
        });
        if !used {
            complaints.push(format!("Cargo.toml:{line}: nothing uses `{name}`; remove it"));
        }
    }
    for (name, line) in documented.iter().filter(|(name, _)| !declared.contains_key(**name)) {
        complaints
            .push(format!("docs/dependencies.md:{line}: `{name}` is not in Cargo.toml; remove its row"));
    }
    no_complaints(&complaints);
}

#[test]
fn codes_are_unique_and_in_order() {
    let path = "src/diagnostic/codes.rs";
    let mut complaints = Vec::new();
    let mut last = String::new();
    let mut count = 0;
    for (index, line) in read(path).lines().enumerate() {
        let Some((_, code)) = line.split_once(" = \"") else { continue };
        let code = &code[..code.find('"').unwrap_or(code.len())];
        let well_formed = code.len() == 5
            && code.starts_with(['E', 'W'])
            && code[1..].bytes().all(|byte| byte.is_ascii_digit());
        if !well_formed {
            complaints.push(format!("{path}:{}: `{code}` is not a letter and four digits", index + 1));
        } else if code <= last.as_str() {
            complaints.push(format!(
                "{path}:{}: `{code}` stands after `{last}`; use the next free number",
                index + 1
            ));
        }
        code.clone_into(&mut last);
        count += 1;
    }
    assert!(count > 50, "{path}: the codes were not found");
    no_complaints(&complaints);
}

/// What stands at the top; hidden names belong to tools.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "clippy.toml",
    "deny.toml",
    "docs",
    "grammar",
    "mappings",
    "rustfmt.toml",
    "src",
    "target",
    "tests",
];

#[test]
fn nothing_else_stands_at_the_top() {
    let entries = std::fs::read_dir(root()).expect("the repository is readable");
    let names =
        entries.map(|entry| entry.expect("an entry is readable").file_name().to_string_lossy().into_owned());
    let complaints: Vec<String> = names
        .filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()))
        .map(|name| format!("{name}: it has no place at the top: move it below one of the folders"))
        .collect();
    no_complaints(&complaints);
}

/// proptest would keep what it found in a folder of its own at the top; a case that is worth keeping is a test.
#[test]
fn no_property_test_leaves_files() {
    let mut complaints = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        for token in ["proptest! {", "TestRunner::new("] {
            for (at, _) in source.code.match_indices(token) {
                let around = source.code[..at].rmatch_indices('\n').nth(3).map_or(0, |(start, _)| start);
                let near: String = source.code[around..].lines().take(8).collect();
                if !near.contains("failure_persistence: None") && !near.contains("proptest_config(config())")
                {
                    complaints.push(format!(
                        "{}: give it a configuration with `failure_persistence: None`",
                        source.at(at)
                    ));
                }
            }
        }
    }
    no_complaints(&complaints);
}

#[test]
fn the_tree_names_no_machine() {
    // Taken apart, so that this file does not find itself.
    let folders = ["home", "root", "Users", "work", "tmp/bash"].map(|name| format!("/{name}/"));
    let mut complaints = Vec::new();
    for (path, text) in tracked_texts() {
        for (index, line) in text.lines().enumerate() {
            for folder in folders.iter().filter(|folder| names_folder(line, folder)) {
                let mut complaint = String::new();
                let _ = write!(complaint, "{path}:{}: `{folder}…` is a path of one machine", index + 1);
                complaints.push(complaint + "; make it relative");
            }
        }
    }
    no_complaints(&complaints);
}

/// Whether a path that starts with `folder` stands in the line, rather than a longer path or an address.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-~$}>*".contains(before))
    })
}

#[test]
fn there_is_a_tree_to_look_at() {
    assert!(sources("src").len() > 100, "{} holds no sources", root().display());
}
