//! `mapwright fmt`: the canonical form.
//!
//! A file keeps its line ends, so that a checkout with CRLF has the canonical form too; where they are mixed, they become
//! LF. A byte order mark goes.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic};

use super::args::FmtArgs;
use super::output::Output;
use super::{Exit, project};

/// The file that is standard input.
const STDIN: &str = "-";

pub(super) fn run(given: Option<&Path>, options: &FmtArgs, output: Output) -> Exit {
    let files = match files(given, &options.files) {
        Ok(files) => files,
        Err(message) => {
            output.error(&message);
            return Exit::Usage;
        }
    };
    let mut exit = Exit::Fine;
    let mut changed = 0;
    for (path, name) in files {
        let done = if path == Path::new(STDIN) {
            standard_input(options.check, output)
        } else {
            one(&path, &name, options.check, output)
        };
        match done {
            Ok(false) => {}
            Ok(true) => changed += 1,
            Err(worse) => exit = worse,
        }
    }
    let word = if options.check { "would be changed" } else { "changed" };
    output.note(&format!("{changed} file{} {word}", if changed == 1 { "" } else { "s" }));
    if options.check && changed > 0 && exit == Exit::Fine { Exit::Findings } else { exit }
}

/// The files asked for, or all `.map` files of the project: path and name to show.
fn files(given: Option<&Path>, named: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, String> {
    if named.is_empty() {
        let root = project::find(given)?;
        let found = project::map_files(&root);
        return Ok(found.into_iter().map(|name| (root.join(&name), name)).collect());
    }
    let other = |path: &&PathBuf| !is_map(path) && path.as_path() != Path::new(STDIN);
    if let Some(other) = named.iter().find(other) {
        let shown = other.display();
        return Err(format!("`{shown}` is no `.map` file; name files, or none for all of the project"));
    }
    let root = given.map(|_| project::find(given)).transpose()?;
    // From the current folder as any shell means it, else from the project's.
    let found = |path: &PathBuf| match &root {
        Some(root) if !path.exists() && path != Path::new(STDIN) => root.join(path),
        _ => path.clone(),
    };
    Ok(named.iter().map(|path| (found(path), path.display().to_string())).collect())
}

fn is_map(path: &Path) -> bool {
    path.to_string_lossy().strip_suffix(".map").is_some()
}

/// Formats what stands on standard input, for an editor: the result goes to standard output, changed or not.
fn standard_input(check: bool, output: Output) -> Result<bool, Exit> {
    let mut bytes = Vec::new();
    let limit = project::MAX_MAP_BYTES as u64 + 1;
    let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
    let text = read.map_err(|error| error.to_string()).and_then(|size| {
        if size > project::MAX_MAP_BYTES {
            return Err(format!("it has more than {} bytes", project::MAX_MAP_BYTES));
        }
        String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))
    });
    let text = text.map_err(|message| {
        output.error(&format!("standard input cannot be read: {message}"));
        Exit::Findings
    })?;
    let formatted = formatted(STDIN, &text, output)?;
    if !check {
        Output::result_as_it_is(&formatted);
        return Ok(formatted != text);
    }
    if formatted != text {
        show_difference(STDIN, &text, &formatted);
    }
    Ok(formatted != text)
}

/// The canonical form of a text, with the line ends that it has; what cannot be read is reported.
fn formatted(name: &str, text: &str, output: Output) -> Result<String, Exit> {
    let report = |findings: Vec<Diagnostic>| {
        let mut sources = crate::source::Sources::new();
        sources.add(name, text);
        output.findings(&sources, &findings);
        Exit::Findings
    };
    let formatted = crate::format::format(text).map_err(report)?;
    let is_windows = text.contains("\r\n") && !text.replace("\r\n", "").contains('\n');
    Ok(if is_windows { formatted.replace('\n', "\r\n") } else { formatted })
}

/// Formats one file; whether that changes it.
fn one(path: &Path, name: &str, check: bool, output: Output) -> Result<bool, Exit> {
    let text = project::read_map(path, name).map_err(|unread| {
        let (sources, findings) = *unread;
        output.findings(&sources, &findings);
        let missing = findings.iter().any(|finding| finding.code == Code::FILE_UNREADABLE);
        if missing { Exit::Usage } else { Exit::Findings }
    })?;
    let formatted = formatted(name, &text, output)?;
    if formatted == text {
        return Ok(false);
    }
    if check {
        show_difference(name, &text, &formatted);
        return Ok(true);
    }
    project::write_whole(path, &formatted).map_err(|error| {
        output.error(&format!("`{name}` cannot be written: {error}"));
        Exit::Usage
    })?;
    Output::result(name);
    Ok(true)
}

fn show_difference(name: &str, before: &str, after: &str) {
    Output::result_as_it_is(&difference(name, before, after, Output::coloured_result()));
}

/// What would change, as a unified diff that `patch -p0` takes.
fn difference(name: &str, before: &str, after: &str, colour: bool) -> String {
    /// Two large files without a line in common take long to compare exactly; after this it is done roughly.
    const PATIENCE: Duration = Duration::from_secs(2);
    let lines = similar::TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let plain = lines.unified_diff().header(name, name).to_string();
    if !colour {
        return plain;
    }
    let paint = |line: &str| match line.as_bytes().first() {
        Some(b'-') => format!("\u{1b}[31m{line}\u{1b}[0m\n"),
        Some(b'+') => format!("\u{1b}[32m{line}\u{1b}[0m\n"),
        Some(b'@') => format!("\u{1b}[36m{line}\u{1b}[0m\n"),
        _ => format!("{line}\n"),
    };
    plain.lines().map(paint).collect()
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_names_the_file_and_has_colours_when_asked() {
        let plain = difference("a.map", "a\nb\n", "a\nc\n", false);
        assert_eq!(plain, "--- a.map\n+++ a.map\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        let coloured = difference("a.map", "a\nb\n", "a\nc\n", true);
        assert!(coloured.contains("\u{1b}[31m-b\u{1b}[0m\n\u{1b}[32m+c\u{1b}[0m\n"), "{coloured:?}");
    }
}
