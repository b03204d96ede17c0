//! `mapwright check`

use std::path::{Path, PathBuf};

use crate::diagnostic::{self, Diagnostic};
use crate::source::Sources;

use super::args::{CheckArgs, Format};
use super::output::Output;
use super::project::{self, Project};
use super::{Exit, fix};

pub(super) fn run(given: Option<&Path>, options: &CheckArgs, output: Output) -> Exit {
    match checked(given, options, output) {
        Ok(exit) => exit,
        Err(message) => {
            output.error(&message);
            Exit::Usage
        }
    }
}

fn checked(given: Option<&Path>, options: &CheckArgs, output: Output) -> Result<Exit, String> {
    let root = project::find(given)?;
    let pair = options.pair.as_deref();
    let mut project = project::load(&root, pair);
    if pair.is_some() && project.config.is_some() {
        project.world(pair)?;
    }
    let names = names(&project, &root, given.is_some(), &options.files)?;
    let mut fixed = Vec::new();
    if options.fix {
        let outcome = fix::run(&root, pair, project, &names)?;
        (project, fixed) = (outcome.project, outcome.fixed);
    }
    for fix in &fixed {
        let line = format!("fixed {}:{}: {} {}", fix.file, fix.line, fix.code, fix.message);
        match options.format {
            Format::Human => Output::result(&line),
            _ => output.note(&line),
        }
    }
    let of = |finding: &Diagnostic| concerns(&project.sources, &names, finding);
    let findings: Vec<_> = project.findings.iter().filter(|finding| of(finding)).cloned().collect();
    project.suppressed.retain(|suppressed| of(&suppressed.finding));
    print(&project, options.format, &findings, &root, output);
    let mut summary = Output::summary(&findings);
    if project.is_checked() {
        summary = format!("{}: {summary}", counted(&project));
    }
    if let Some(first) = project.unused.first().filter(|_| pair.is_none()) {
        let others = match project.unused.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        output.note(&format!("no pair takes `{first}`{others}, so nothing but the syntax was checked there"));
    }
    if options.fix {
        summary = format!("{} fixed; {summary}", fixed.len());
        // A line that cannot be read may say what a name beside it means.
        let waiting = findings.iter().filter(|finding| finding.fix.is_some()).count();
        if waiting > 0 && findings.iter().any(|finding| finding.code.0.starts_with("E01")) {
            summary = format!("{summary}; {waiting} more can be fixed once every line can be read");
        }
    }
    output.note(&summary);
    let fails = |finding: &Diagnostic| finding.is_error() || options.deny_warnings;
    Ok(if findings.iter().any(fails) { Exit::Findings } else { Exit::Fine })
}

/// Whether a finding is about one of these files, or of all where none is named. Two files can be at odds: then it is a
/// finding of both, wherever it begins.
fn concerns(sources: &Sources, names: &[String], finding: &Diagnostic) -> bool {
    let mut files = finding.labels.iter().map(|label| sources.file(label.span.file).name());
    names.is_empty() || files.any(|file| names.iter().any(|name| name == file))
}

/// `3 mappings checked`
fn counted(project: &Project) -> String {
    let checked = project.worlds.iter().filter_map(|world| world.checked.as_ref());
    let count: usize = checked.map(|checked| checked.mappings.len() + checked.syncs.len()).sum();
    let mappings = format!("{count} mapping{} checked", if count == 1 { "" } else { "s" });
    match project.worlds.len() {
        0 | 1 => mappings,
        _ => format!(
            "{mappings} for {} pairs",
            project.worlds.iter().map(|world| world.pairs.len()).sum::<usize>()
        ),
    }
}

pub(super) fn print(project: &Project, format: Format, findings: &[Diagnostic], root: &Path, output: Output) {
    let sources = &project.sources;
    match format {
        Format::Human => output.findings(sources, findings),
        Format::Json => Output::result(&diagnostic::json(sources, findings).to_string()),
        Format::Sarif => {
            let log = diagnostic::sarif(&sources.within(&folder(root)), findings, &project.suppressed);
            Output::result(&log.to_string());
        }
        Format::Github => {
            Output::result_as_it_is(&diagnostic::github(&sources.within(&folder(root)), findings));
        }
    }
}

/// Where the project lies in the repository that GitHub checked out: annotations and alerts name files from there.
fn folder(root: &Path) -> String {
    let within = || {
        let workspace = PathBuf::from(super::parts::env("GITHUB_WORKSPACE")?).canonicalize().ok()?;
        let root = root.canonicalize().ok()?;
        root.strip_prefix(workspace).ok().map(project::shown)
    };
    within().unwrap_or_default()
}

/// The names of the files asked for; none when no file is named, which asks for all.
fn names(project: &Project, root: &Path, explicit: bool, files: &[PathBuf]) -> Result<Vec<String>, String> {
    let root = root.canonicalize().map_err(|error| format!("`{}`: {error}", root.display()))?;
    let mut names = Vec::new();
    for file in files {
        // From the current folder as any shell means it, else from the folder that `--project` names.
        let elsewhere =
            |error| if explicit { root.join(file).canonicalize().map_err(|_| error) } else { Err(error) };
        let path = file.canonicalize().or_else(elsewhere);
        let path = path.map_err(|error| format!("`{}`: {error}", file.display()))?;
        let name = path.strip_prefix(&root).map(project::shown);
        let known = |name: &String| project.sources.iter().any(|(_, file)| file.name() == name);
        names.push(
            name.ok()
                .filter(known)
                .ok_or_else(|| format!("`{}` is not a file of the project", file.display()))?,
        );
    }
    Ok(names)
}
