//! `mapwright drift`

use std::collections::BTreeMap;
use std::path::Path;

use super::args::DriftArgs;
use super::live::{self, Snapshot, Wanted};
use super::output::Output;
use super::project::{self, Project};
use super::{Exit, check, parts};
use crate::diagnostic::Diagnostic;
use crate::drift::drift;
use crate::schema;
use crate::source::{FileId, Side, Sources};

pub(super) async fn run(given: Option<&Path>, options: &DriftArgs, output: Output) -> Exit {
    match compared(given, options, output).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn compared(given: Option<&Path>, options: &DriftArgs, output: Output) -> Result<Exit, Exit> {
    let root = parts::root(given, output)?;
    let wanted =
        Wanted { sides: &Side::ALL, pair: options.pair.as_deref(), objects: &[], all: false, missing: false };
    let live = live::take(&root, &wanted, output).await?;
    if let Some(missing) = live.snapshots.iter().find(|snapshot| snapshot.old.is_none()) {
        let name = &missing.name;
        output.error(&format!(
            "`{name}` is missing, so there is nothing to compare; `mapwright schema pull` takes it"
        ));
        return Err(Exit::Usage);
    }
    let (pair, snapshots) = (Some(live.pair.as_str()), &live.snapshots);

    let before = project::load(&root, pair);
    let edited: BTreeMap<String, String> =
        snapshots.iter().map(|snapshot| (snapshot.name.clone(), snapshot.new.clone())).collect();
    let mut after = project::load_edited(&root, pair, &edited);
    let broken = new_findings(&before, &after, snapshots);
    let mut found = Vec::new();
    let (mut cosmetic, mut owners) = (0, 0);
    let checked = before.worlds.first().and_then(|world| world.checked.as_ref());
    for snapshot in snapshots {
        let name = snapshot.name.as_str();
        let (now, _) = schema::load(&mut Sources::new(), name, &snapshot.new);
        // The checker's findings point into what the CRM says, those of the drift into the file that is checked in.
        set_apart(&mut after.sources, name);
        let old = snapshot.old.as_deref().unwrap_or_default();
        let (old, _) = schema::load(&mut after.sources, name, old);
        // INVARIANT: both were read before, without a finding.
        let (Some(old), Some(now)) = (old, now) else { continue };
        let drift = drift(&old, &now, checked);
        found.extend(drift.findings);
        cosmetic += drift.cosmetic;
        owners += drift.owners;
    }
    let (differences, lines) = (found.len(), broken.len());
    found.extend(broken);
    after.suppressed.clear();
    check::print(&after, options.format, &found, &root, output);
    note_small(cosmetic, owners, output);
    say(differences, lines, &before, output);
    Ok(if found.is_empty() { Exit::Fine } else { Exit::Findings })
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What differs and is no drift by itself.
fn note_small(cosmetic: usize, owners: usize, output: Output) {
    if cosmetic > 0 {
        let words = format!("{cosmetic} label{} or order{} of options", plural(cosmetic), plural(cosmetic));
        output.note(&format!("{words} differ as well, on which no mapping depends"));
    }
    if owners > 0 {
        let words = format!("{owners} owner{} came, left or changed", plural(owners));
        output.note(&format!("{words}, which is drift only where a mapping names one"));
    }
}

fn say(differences: usize, lines: usize, before: &Project, output: Output) {
    output.note(&match (differences, lines) {
        (0, 0) => "the CRMs are as the snapshots say".to_owned(),
        (0, lines) => format!("{lines} finding{} in the mappings that the snapshots do not give", plural(lines)),
        (differences, 0) => format!("{differences} difference{}; every mapping still checks", plural(differences)),
        (differences, lines) => format!(
            "{differences} difference{}, and {lines} finding{} in the mappings that the snapshots do not give",
            plural(differences),
            plural(lines)
        ),
    });
    if !before.is_checked() {
        output.note("the project has errors of its own: `mapwright check`");
    }
}

/// What the checker finds on the live schema and not on the snapshots.
///
/// Both runs read the same files in the same order, so a place in a `.map` file is the same in both.
fn new_findings(before: &Project, after: &Project, snapshots: &[Snapshot]) -> Vec<Diagnostic> {
    let is_known = |finding: &Diagnostic| {
        let same = |known: &Diagnostic| {
            let place = known.span() == finding.span()
                || snapshots
                    .iter()
                    .any(|snapshot| after.sources.file(finding.span().file).name() == snapshot.name);
            known.code == finding.code && known.message == finding.message && place
        };
        before.findings.iter().any(same)
    };
    after.findings.iter().filter(|finding| !is_known(finding)).cloned().collect()
}

/// Names the live form of a snapshot otherwise than the file.
fn set_apart(sources: &mut Sources, name: &str) {
    let live: Vec<FileId> =
        sources.iter().filter(|(_, file)| file.name() == name).map(|(id, _)| id).collect();
    for id in live {
        sources.rename(id, format!("{name} (live)"));
    }
}
