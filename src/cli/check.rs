//! `mapwright check`

use std::path::{Path, PathBuf};

use crate::diagnostic::{self, Diagnostic};

use super::args::{CheckArgs, Format};
use super::output::Output;
use super::{Exit, project};

pub(super) fn run(given: Option<&Path>, options: &CheckArgs, output: Output) -> Exit {
    let root = match project::find(given) {
        Ok(root) => root,
        Err(message) => {
            output.error(&message);
            return Exit::Usage;
        }
    };
    let project = project::load(&root);
    let findings = match only(&project, &root, given.is_some(), &options.files) {
        Ok(findings) => findings,
        Err(message) => {
            output.error(&message);
            return Exit::Usage;
        }
    };
    match options.format {
        Format::Human => output.findings(&project.sources, &findings),
        Format::Json => Output::result(&diagnostic::json(&project.sources, &findings).to_string()),
        Format::Sarif => Output::result(&diagnostic::sarif(&project.sources, &findings).to_string()),
        Format::Github => Output::result(diagnostic::github(&project.sources, &findings).trim_end()),
    }
    let mappings = project.checked.as_ref().map(|checked| checked.mappings.len());
    match mappings {
        Some(count) => output.note(&format!(
            "{count} mapping{} checked: {}",
            if count == 1 { "" } else { "s" },
            Output::summary(&findings)
        )),
        None => output.note(&Output::summary(&findings)),
    }
    let fails = |finding: &Diagnostic| finding.is_error() || options.deny_warnings;
    if findings.iter().any(fails) { Exit::Findings } else { Exit::Fine }
}

/// The findings of the files asked for; of all when none is named. `explicit` tells whether the command names the project.
fn only(
    project: &project::Project,
    root: &Path,
    explicit: bool,
    files: &[PathBuf],
) -> Result<Vec<Diagnostic>, String> {
    if files.is_empty() {
        return Ok(project.findings.clone());
    }
    let root = root.canonicalize().map_err(|error| format!("`{}`: {error}", root.display()))?;
    let mut names = Vec::new();
    for file in files {
        // From the current folder as any shell means it, else from the folder that `--project` names.
        let elsewhere =
            |error| if explicit { root.join(file).canonicalize().map_err(|_| error) } else { Err(error) };
        let path = file.canonicalize().or_else(elsewhere);
        let path = path.map_err(|error| format!("`{}`: {error}", file.display()))?;
        let name = path
            .strip_prefix(&root)
            .map_err(|_| format!("`{}` is not a file of the project", file.display()))?;
        let name =
            name.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        if !project.sources.iter().any(|(_, known)| known.name() == name) {
            return Err(format!("`{}` is not a file of the project", file.display()));
        }
        names.push(name);
    }
    let wanted = |finding: &&Diagnostic| {
        names.iter().any(|name| name == project.sources.file(finding.span().file).name())
    };
    Ok(project.findings.iter().filter(wanted).cloned().collect())
}
