//! `mapwright fmt`: the canonical form.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::Code;

use super::args::FmtArgs;
use super::output::Output;
use super::{Exit, project};

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
        match one(&path, &name, options.check, output) {
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
    let root = given.map(|_| project::find(given)).transpose()?;
    // From the current folder as any shell means it, else from the project's.
    let found = |path: &PathBuf| match &root {
        Some(root) if !path.exists() => root.join(path),
        _ => path.clone(),
    };
    Ok(named.iter().map(|path| (found(path), path.display().to_string())).collect())
}

/// Formats one file; whether that changes it.
fn one(path: &Path, name: &str, check: bool, output: Output) -> Result<bool, Exit> {
    let text = project::read_map(path, name).map_err(|unread| {
        let (sources, findings) = *unread;
        output.findings(&sources, &findings);
        let missing = findings.iter().any(|finding| finding.code == Code::FILE_UNREADABLE);
        if missing { Exit::Usage } else { Exit::Findings }
    })?;
    let formatted = crate::format::format(&text).map_err(|findings| {
        let mut sources = crate::source::Sources::new();
        sources.add(name, text.as_str());
        output.findings(&sources, &findings);
        Exit::Findings
    })?;
    if formatted == text {
        return Ok(false);
    }
    if check {
        Output::result(difference(name, &text, &formatted, Output::coloured_result()).trim_end());
        return Ok(true);
    }
    project::write_whole(path, &formatted).map_err(|error| {
        output.error(&format!("`{name}` cannot be written: {error}"));
        Exit::Usage
    })?;
    Output::result(name);
    Ok(true)
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
