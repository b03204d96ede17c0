//! `mapwright fmt`: the canonical form.

use std::path::{Path, PathBuf};

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
    let text = project::read_map(path).map_err(|message| {
        output.error(&format!("`{name}`: {message}"));
        Exit::Usage
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
        let line = 1 + formatted.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
        Output::result(&format!("{name}:{line}: not in canonical form"));
        return Ok(true);
    }
    project::write_whole(path, &formatted).map_err(|error| {
        output.error(&format!("`{name}` cannot be written: {error}"));
        Exit::Usage
    })?;
    Output::result(name);
    Ok(true)
}
