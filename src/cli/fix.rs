//! `mapwright check --fix`: writes the mechanical corrections that findings offer.
//!
//! Only `.map` files are changed: a snapshot says what the CRM has, and a mistake in it is mended there. Corrections are
//! made in rounds, since one may uncover the next: what is wrong by syntax first, then names, then values, and what takes
//! something away only when every file can be read and every name is known. A line that cannot be read holds up the names
//! of its own item only, since a `let` may be on it. Nothing is written before the last round.

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::{Code, Diagnostic, Edit, edit};
use crate::format;
use crate::source::Span;

use super::project::{self, Project};

/// More rounds than mistakes can lie above one another; reached only if two corrections undo each other.
const MAX_ROUNDS: usize = 20;

/// What a correction may not bring about: two of what there is one of.
const COLLISIONS: &[Code] = &[Code::TWO_RULES, Code::OPTION_TWICE, Code::REPEATED, Code::DUPLICATE_NAME];

/// What a comment that allows too much gives: it hides nothing of its file.
const SUPPRESSIONS: &[Code] = &[Code::SUPPRESSION_REASON, Code::SUPPRESSION_CODE, Code::SUPPRESSION_ERROR];

/// A correction that was made.
pub(super) struct Fixed {
    /// The file.
    pub(super) file: String,
    /// The line in the file as written, from 1.
    pub(super) line: usize,
    /// What was wrong.
    pub(super) code: Code,
    /// What was wrong, in words.
    pub(super) message: String,
    /// Where it stands in the text of the last round.
    at: usize,
}

/// What came of it.
pub(super) struct Outcome {
    /// The project as it is now.
    pub(super) project: Project,
    /// What was mended, by file and line.
    pub(super) fixed: Vec<Fixed>,
}

/// Which project is mended, and for which pair; for all without one.
#[derive(Debug, Clone, Copy)]
struct Place<'p> {
    root: &'p Path,
    pair: Option<&'p str>,
}

/// Mends what can be mended in these files, in all when none is named, and writes them.
pub(super) fn run(
    root: &Path,
    pair: Option<&str>,
    project: Project,
    only: &[String],
) -> Result<Outcome, String> {
    let before: BTreeMap<String, String> =
        project.sources.iter().map(|(_, file)| (file.name().to_owned(), file.text().to_owned())).collect();
    let (mut texts, mut fixed) = rounds(Place { root, pair }, project, only);
    for (name, text) in &mut texts {
        let mended = restore_form(&before[name], text);
        for fix in fixed.iter_mut().filter(|fix| fix.file == *name) {
            fix.line = line_after(text, &mended, fix.at);
        }
        *text = mended;
    }
    for (name, text) in &texts {
        project::write_whole(&root.join(name), text)
            .map_err(|error| format!("`{name}` cannot be written: {error}"))?;
    }
    fixed.sort_by(|a, b| (&a.file, a.line, a.code).cmp(&(&b.file, b.line, b.code)));
    Ok(Outcome { project: project::load(root, pair), fixed })
}

/// Corrects until nothing more can be; the changed texts by name, and what was done.
fn rounds(place: Place<'_>, mut project: Project, only: &[String]) -> (BTreeMap<String, String>, Vec<Fixed>) {
    let (mut texts, mut fixed) = (BTreeMap::new(), Vec::new());
    for _ in 0..MAX_ROUNDS {
        let chosen = choose(&project, only);
        if chosen.is_empty() {
            break;
        }
        let kept = without_collisions(place, &project, &texts, &chosen);
        if kept.is_empty() {
            break;
        }
        let (next, after) = try_out(place, &project, &texts, &kept);
        record(&project, &kept, &mut fixed);
        (texts, project) = (next, after);
    }
    (texts, fixed)
}

/// The findings whose corrections make nothing worse. Halved until the ones that collide stand alone, so that they do not
/// hold up the others.
fn without_collisions<'f>(
    place: Place<'_>,
    project: &Project,
    texts: &BTreeMap<String, String>,
    chosen: &'f [Diagnostic],
) -> Vec<&'f Diagnostic> {
    let mut kept: Vec<&Diagnostic> = Vec::new();
    let mut open = vec![chosen];
    while let Some(part) = open.pop() {
        let all: Vec<&Diagnostic> = kept.iter().copied().chain(part).collect();
        if !is_worse(&try_out(place, project, texts, &all).1, project) {
            kept = all;
        } else if part.len() > 1 {
            let (first, second) = part.split_at(part.len() / 2);
            open.extend([second, first]);
        }
    }
    kept
}

/// The findings whose corrections go together in one round, in source order.
fn choose(project: &Project, only: &[String]) -> Vec<Diagnostic> {
    let name = |span: Span| project.sources.file(span.file).name();
    let unreadable = |finding: &Diagnostic| {
        let loads = finding.code.0.starts_with("E00") && !SUPPRESSIONS.contains(&finding.code);
        loads || is_syntax(finding.code)
    };
    let hides = |finding: &Diagnostic| unreadable(finding) || finding.code.0.starts_with("E02");
    let all_known = !project.findings.iter().any(hides);
    let lost: Vec<Span> =
        project.findings.iter().filter(|finding| unreadable(finding)).map(Diagnostic::span).collect();
    let allowed = |finding: &&Diagnostic| {
        let Some(fix) = &finding.fix else { return false };
        let file = name(fix.span);
        let is_map = file.strip_suffix(".map").is_some() && fix.span.file == finding.span().file;
        let readable = || {
            let here = |other: &Diagnostic| other.span().file == finding.span().file;
            !project.findings.iter().any(|other| unreadable(other) && here(other))
        };
        let in_turn = unreadable(finding)
            || is_certain(project, &lost, finding)
                .unwrap_or_else(|| readable() && (all_known || !fix.replacement.is_empty()));
        is_map && in_turn && (only.is_empty() || only.iter().any(|wanted| wanted == file))
    };
    let mut offered: Vec<&Diagnostic> = project.findings.iter().filter(allowed).collect();
    // Of two corrections of one place the shorter goes first: of two lengths to cut to, it is the one that suits both.
    let place = |finding: &Diagnostic| {
        finding.fix.as_ref().map(|fix| (fix.span.file, fix.span.start, fix.span.end, fix.replacement.len()))
    };
    offered.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| replacement(a).cmp(replacement(b))));
    let mut chosen: Vec<Diagnostic> = Vec::new();
    for finding in offered {
        let touches = |last: &Diagnostic| match (&last.fix, &finding.fix) {
            (Some(a), Some(b)) => a.span.file == b.span.file && b.span.start <= a.span.end,
            _ => false,
        };
        if !chosen.last().is_some_and(touches) {
            chosen.push(finding.clone());
        }
    }
    chosen
}

/// Whether a misspelt name can mean nothing that stands in what could not be read: objects and options are in the
/// snapshots, an item is known by its head, and every other name by its own item. `None` where no name is misspelt.
fn is_certain(project: &Project, lost: &[Span], finding: &Diagnostic) -> Option<bool> {
    let within = |span: Span, item: &Span| {
        item.file == span.file && item.start <= span.start && span.start <= item.end
    };
    Some(match finding.code {
        Code::UNKNOWN_OBJECT | Code::OPTION_UNKNOWN => true,
        Code::UNKNOWN_STEP | Code::UNKNOWN_MAPPING | Code::UNKNOWN_FIELDS | Code::UNKNOWN_ORDER => {
            lost.iter().all(|span| project.items.iter().any(|item| within(*span, item)))
        }
        Code::UNKNOWN_FIELD | Code::BAD_PATH => {
            let item = project.items.iter().find(|item| within(finding.span(), item));
            item.is_some_and(|item| !lost.iter().any(|span| within(*span, item)))
        }
        _ => return None,
    })
}

fn replacement(finding: &Diagnostic) -> &str {
    finding.fix.as_ref().map_or("", |fix| &fix.replacement)
}

/// Whether a finding says that a statement could not be read, so that nobody knows what it would have said.
fn is_syntax(code: Code) -> bool {
    let syntax = [
        Code::SYNTAX,
        Code::SYNTAX_STRING,
        Code::SYNTAX_BLOCK,
        Code::SYNTAX_DEPTH,
        Code::SYNTAX_RESERVED,
        Code::SYNTAX_ITEM,
    ];
    syntax.contains(&code)
}

/// The texts with these corrections, and the project as it would then be.
fn try_out(
    place: Place<'_>,
    project: &Project,
    texts: &BTreeMap<String, String>,
    findings: &[&Diagnostic],
) -> (BTreeMap<String, String>, Project) {
    let mut next = texts.clone();
    for (name, edits) in by_file(project, findings) {
        let file = project.sources.iter().find(|(_, file)| file.name() == name);
        if let Some((_, file)) = file {
            next.insert(name, edit(file.text(), &edits));
        }
    }
    let after = project::load_edited(place.root, place.pair, &next);
    (next, after)
}

/// The edits of each file, in the order of the text.
fn by_file(project: &Project, findings: &[&Diagnostic]) -> BTreeMap<String, Vec<Edit>> {
    let mut edits: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        let file = project.sources.file(fix.span.file);
        edits.entry(file.name().to_owned()).or_default().push(Edit::of(file.text(), fix));
    }
    edits
}

/// Whether a round brought about what no correction may: a file that cannot be read any more, or something twice.
fn is_worse(after: &Project, before: &Project) -> bool {
    let count = |project: &Project, counts: &dyn Fn(Code) -> bool| {
        project.findings.iter().filter(|finding| counts(finding.code)).count()
    };
    let collides = |code: Code| COLLISIONS.contains(&code);
    count(after, &is_syntax) > count(before, &is_syntax) || count(after, &collides) > count(before, &collides)
}

/// Notes what was mended, and moves the places of what was mended before.
fn record(project: &Project, findings: &[&Diagnostic], fixed: &mut Vec<Fixed>) {
    for (name, edits) in by_file(project, findings) {
        let moved = |at: usize| {
            let before = || edits.iter().filter(|edit| edit.range.end <= at);
            let (gone, come): (usize, usize) =
                (before().map(|edit| edit.range.len()).sum(), before().map(|edit| edit.text.len()).sum());
            (at + come).saturating_sub(gone)
        };
        for fix in fixed.iter_mut().filter(|fix| fix.file == name) {
            fix.at = moved(fix.at);
        }
        let mut shift: isize = 0;
        let mine = findings.iter().filter(|finding| {
            finding.fix.as_ref().is_some_and(|fix| project.sources.file(fix.span.file).name() == name)
        });
        for (finding, edit) in mine.zip(&edits) {
            // An inserted line begins behind the line end that it brings along.
            let lead = edit.text.len() - edit.text.trim_start_matches(['\r', '\n']).len();
            let at = edit.range.start.saturating_add_signed(shift) + lead;
            shift += edit.text.len().cast_signed() - edit.range.len().cast_signed();
            let (file, message) = (name.clone(), finding.message.clone());
            fixed.push(Fixed { file, line: 0, code: finding.code, message, at });
        }
    }
}

/// Formats a mended text where its author's was in canonical form, and leaves the rest as it is. Line ends stay.
fn restore_form(before: &str, after: &str) -> String {
    let bare = |text: &str| text.replace("\r\n", "\n");
    let (unix, windows) = (bare(before), before.contains("\r\n"));
    let (mark, body) = match unix.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", unix.as_str()),
    };
    if windows && before.replace("\r\n", "").contains('\n') || format::format(body).as_deref() != Ok(body) {
        return after.to_owned();
    }
    let after_bare = bare(after);
    match format::format(after_bare.strip_prefix(mark).unwrap_or(&after_bare)) {
        Ok(text) if windows => format!("{mark}{}", text.replace('\n', "\r\n")),
        Ok(text) => format!("{mark}{text}"),
        Err(_) => after.to_owned(),
    }
}

/// The line of a place once the text is formatted, which moves no line but blank ones.
fn line_after(text: &str, formatted: &str, at: usize) -> usize {
    let is_filled = |line: &&str| !line.trim().is_empty();
    let line = text.get(..at).unwrap_or(text).matches('\n').count();
    let ordinal = text.lines().take(line + 1).filter(is_filled).count();
    let mut filled = formatted.lines().enumerate().filter(|(_, line)| is_filled(line));
    filled.nth(ordinal.saturating_sub(1)).map_or(line + 1, |(line, _)| line + 1)
}
