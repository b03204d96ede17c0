//! Every file and example of the repository that is written in the language.

use std::fs;
use std::path::{Path, PathBuf};

/// A text and where it comes from.
pub(crate) struct Sample {
    pub(crate) at: String,
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(super::ROOT)
}

/// The shipped mappings.
pub(crate) fn mappings() -> Vec<Sample> {
    map_files("mappings")
}

/// The sections of the suite, with its expectations as comments; some are mere fragments.
pub(crate) fn suite() -> Vec<Sample> {
    let mut sections = Vec::new();
    for file in map_files("tests/suite") {
        for (index, section) in file.text.split("#=== ").enumerate().skip(1) {
            let (name, body) = section.split_once('\n').unwrap_or((section, ""));
            let text = match name {
                name if name.ends_with("(fields)") => in_mapping(&format!("fields {{\n{body}}}")),
                name if name.ends_with("(mapping)") => in_mapping(body),
                _ => body.to_owned(),
            };
            sections.push(Sample { at: format!("{} section {index}", file.at), text });
        }
    }
    sections
}

fn in_mapping(body: &str) -> String {
    format!("mapping frame {{\n{body}\n}}\n")
}

/// The pages with examples.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = below(&root().join("docs"), "md");
    pages.push(root().join("README.md"));
    pages
}

/// The examples of a page: from which byte to which, and their mark.
pub(crate) fn blocks(page: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let (mut blocks, mut open, mut at) = (Vec::new(), None, 0);
    for line in page.split_inclusive('\n') {
        let end = at + line.len();
        match (line.strip_prefix("```"), open) {
            (Some(mark), None) => open = Some((end, mark.trim())),
            (Some(_), Some((start, mark))) => {
                if mark.starts_with("map") {
                    blocks.push((start..at, mark));
                }
                open = None;
            }
            (None, _) => {}
        }
        at = end;
    }
    blocks
}

/// All examples of all pages.
pub(crate) fn examples() -> Vec<Sample> {
    let mut examples = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page is readable");
        for (range, _) in blocks(&text) {
            let line = 1 + text[..range.start].matches('\n').count();
            examples.push(Sample { at: format!("{}:{line}", page.display()), text: text[range].to_owned() });
        }
    }
    examples
}

/// Everything.
pub(crate) fn all() -> Vec<Sample> {
    [mappings(), suite(), examples()].into_iter().flatten().collect()
}

fn map_files(folder: &str) -> Vec<Sample> {
    let files = below(&root().join(folder), "map");
    assert!(!files.is_empty(), "{folder} has no mappings");
    let read = |path: PathBuf| Sample {
        text: fs::read_to_string(&path).expect("a mapping is readable"),
        at: path.display().to_string(),
    };
    files.into_iter().map(read).collect()
}

/// The files below a folder that end so, by path.
fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            found.extend(below(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
