//! The source tree as the tidiness tests see it: code with comments and texts blanked out, and what is test code.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A Rust file.
pub(crate) struct Source {
    /// Relative to the repository, with `/`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// The same length, with what stands in comments and between quotes replaced by blanks.
    pub(crate) code: String,
    test_file: bool,
    test_ranges: Vec<Range<usize>>,
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files below a folder, by path.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    let mut all: Vec<Source> = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source::new(relative(path)))
        .collect();
    let test_modules: BTreeSet<String> = all.iter().flat_map(Source::test_module_paths).collect();
    for source in &mut all {
        source.test_file = test_modules.iter().any(|module| {
            source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/"))
        });
    }
    all
}

/// Every text that is part of the product, by path.
pub(crate) fn tracked_texts() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    walk(root(), &mut paths);
    paths.iter().filter_map(|path| Some((relative(path), std::fs::read_to_string(path).ok()?))).collect()
}

fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap_or(path);
    inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What git does not keep either: builds, its own folder, a local project's store, what a fuzzer found.
        if path.is_dir()
            && !matches!(&*name, "target" | ".git" | ".mapwright" | "artifacts" | "corpus" | "coverage")
        {
            walk(&path, found);
        } else if path.is_file() && name != ".git" && name != "Cargo.lock" {
            found.push(path);
        }
    }
}

impl Source {
    fn new(path: String) -> Self {
        let text = read(&path);
        let code = mask(&text);
        let test_ranges = inline_test_modules(&code);
        Self { path, text, code, test_file: false, test_ranges }
    }

    /// The folder of `src` that this file is part of; none for `lib.rs` and `main.rs`.
    pub(crate) fn folder(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split_once('/').map(|(folder, _)| folder)
    }

    /// How many modules deep the file's module is; a folder's `mod.rs` directly below `src` is one.
    pub(crate) fn depth(&self) -> usize {
        let steps = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { steps.saturating_sub(1) } else { steps }
    }

    /// Whether only a test build sees this position.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.test_file || self.test_ranges.iter().any(|range| range.contains(&at))
    }

    /// The line of a position, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }

    /// `path:line`.
    pub(crate) fn at(&self, at: usize) -> String {
        format!("{}:{}", self.path, self.line(at))
    }

    /// Where a token stands as a word of its own.
    pub(crate) fn words<'a>(&'a self, token: &'a str) -> impl Iterator<Item = usize> + 'a {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        self.code
            .match_indices(token)
            .map(|(at, _)| at)
            .filter(move |at| !self.code[..*at].ends_with(inside))
            .filter(move |at| !token.ends_with(inside) || !self.code[at + token.len()..].starts_with(inside))
    }

    /// Functions with a body, from `fn` to the closing brace.
    pub(crate) fn functions(&self) -> Vec<(String, Range<usize>)> {
        let mut found = Vec::new();
        for at in self.words("fn ") {
            let rest = &self.code[at + 3..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(opening) = rest.find(['{', ';']).filter(|end| rest[*end..].starts_with('{')) else {
                continue;
            };
            if !name.is_empty() {
                found.push((name, at..closing(&self.code, at + 3 + opening)));
            }
        }
        found
    }

    /// Files and folders of modules that are declared for test builds only, without `.rs`.
    fn test_module_paths(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let folder = stem.strip_suffix("/mod").or(stem.strip_suffix("/lib")).unwrap_or(stem);
        test_modules(&self.code)
            .filter(|(_, rest)| rest.starts_with(';'))
            .map(|(name, _)| format!("{folder}/{name}"))
            .collect()
    }
}

/// Modules under `#[cfg(test)]`: name, and the code that follows it.
fn test_modules(code: &str) -> impl Iterator<Item = (&str, &str)> {
    code.split("#[cfg(test)]").skip(1).filter_map(|after| {
        let mut rest = after.trim_start();
        while rest.starts_with("#[") {
            rest = rest.split_once(']')?.1.trim_start();
        }
        for prefix in ["pub(crate) ", "pub(super) ", "pub "] {
            rest = rest.strip_prefix(prefix).unwrap_or(rest);
        }
        let rest = rest.strip_prefix("mod ")?;
        let end = rest.find([';', '{', ' '])?;
        Some((&rest[..end], rest[end..].trim_start()))
    })
}

/// Where everything in braces under `#[cfg(test)]` stands: modules, functions, implementations.
fn inline_test_modules(code: &str) -> Vec<Range<usize>> {
    code.match_indices("#[cfg(test)]")
        .filter_map(|(at, _)| {
            let end = at + code[at..].find(['{', ';'])?;
            code[end..].starts_with('{').then(|| at..closing(code, end))
        })
        .collect()
}

/// The position after the brace that closes the one at `opening`.
fn closing(code: &str, opening: usize) -> usize {
    let mut depth = 0usize;
    for (at, c) in code[opening..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return opening + at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Blanks out comments and what stands between quotes; every position and line stays where it was.
fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => blank(&mut out, at, line_end(bytes, at)),
            b'/' if bytes.get(at + 1) == Some(&b'*') => blank(&mut out, at, comment_end(bytes, at)),
            b'r' if !word_before(bytes, at) && raw_hashes(bytes, at).is_some() => {
                let hashes = raw_hashes(bytes, at).unwrap_or_default();
                let start = at + hashes + 2;
                let close = format!("\"{}", "#".repeat(hashes));
                let end = text[start..].find(&close).map_or(bytes.len(), |found| start + found);
                blank(&mut out, start, end) + close.len()
            }
            b'"' => {
                let end = string_end(bytes, at + 1);
                blank(&mut out, at + 1, end) + 1
            }
            b'\'' => match char_end(bytes, at) {
                Some(end) => blank(&mut out, at + 1, end) + 1,
                None => at + 1,
            },
            _ => at + 1,
        };
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("blanks are ASCII and replace whole characters")
}

fn blank(out: &mut [u8], from: usize, to: usize) -> usize {
    let to = to.min(out.len());
    for byte in &mut out[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
    to
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |found| from + found)
}

fn comment_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// The closing quote of a character; none where the quote begins a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        return bytes[at + 3..].iter().position(|byte| *byte == b'\'').map(|found| at + 3 + found);
    }
    // One character is at most four bytes.
    let end = (at + 2..(at + 6).min(bytes.len())).find(|end| bytes[*end] == b'\'')?;
    std::str::from_utf8(&bytes[at + 1..end]).ok().filter(|inner| inner.chars().count() == 1).map(|_| end)
}

fn word_before(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'b' || bytes[at - 1] == b'_')
}

/// How many `#` a raw text begins with; none where this is no raw text.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}
