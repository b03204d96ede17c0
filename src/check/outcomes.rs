//! Outcomes: every one that can happen is written, with an action that fits.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{ObjectName, Side, Span};
use crate::syntax::ast;

use super::ladder::Ladder;
use super::mend;
use super::scope::Scope;
use super::typed::{Action, Outcome, Situation};
use super::world::{Obj, World};

/// Where a converted Lead goes on.
pub(super) const CONTACT: &str = "Contact";

/// The objects of Salesforce whose records can be merged (SOAP guide: `merge()`).
const MERGED: [&str; 4] = ["Account", "Case", "Contact", "Lead"];

/// Checks the outcomes of a mapping.
pub(super) fn check(
    scope: &Scope<'_>,
    target: Option<&Obj<'_>>,
    mapping: &ast::Mapping,
    ladder: &Ladder,
) -> IndexMap<Situation, Outcome> {
    let mut outcomes: IndexMap<Situation, Outcome> = IndexMap::new();
    let creates = creates(mapping);
    let possible = target.map(|target| possible(target, ladder, creates, is_given(scope, mapping)));
    for outcome in &mapping.body.outcomes {
        let situation = outcome.situation.value;
        if let Some(first) = outcomes.get(&situation) {
            let message = format!("`on {}` is written twice", words(situation));
            let finding = Diagnostic::error(Code::REPEATED, outcome.span, message);
            scope.report(finding.and(first.span, "first here").help("keep one of them"));
            continue;
        }
        if let Some(possible) = &possible {
            check_possible(scope, target, outcome, (possible, creates), ladder);
        }
        let action = check_action(scope, target, outcome);
        outcomes.insert(situation, Outcome { action, span: outcome.span });
    }
    if let Some(possible) = &possible {
        check_missing(scope, mapping, &outcomes, possible);
    }
    outcomes
}

/// Whether a mapping can make a record; `None` while `on none` does not say so.
pub(super) fn creates(mapping: &ast::Mapping) -> Option<bool> {
    let outcomes = mapping.body.outcomes.iter().filter(|outcome| outcome.situation.value == Situation::None);
    let said = outcomes.filter_map(|outcome| match outcome.action.value {
        ast::Action::Create => Some(true),
        ast::Action::Skip | ast::Action::Park(_) => Some(false),
        // What was meant by an action that does not fit is not known.
        _ => None,
    });
    said.max()
}

/// Whether a mapping is given records that its own key did not find: the one that a duplicate rule names, or the one that
/// another mapping hands over.
fn is_given(scope: &Scope<'_>, mapping: &ast::Mapping) -> bool {
    let name = &mapping.name.value;
    let adopts = mapping.body.outcomes.iter().any(|outcome| {
        outcome.situation.value == Situation::Duplicate && outcome.action.value == ast::Action::Adopt
    });
    adopts || scope.world.given.contains(name.as_str())
}

/// The mappings that this one hands records to which it found, by name.
pub(super) fn hands_over(mapping: &ast::Mapping) -> impl Iterator<Item = &str> {
    let outcomes = mapping.body.outcomes.iter().filter_map(|outcome| match &outcome.action.value {
        ast::Action::Then(then) => Some(then.value.as_str()),
        _ => None,
    });
    let rungs = mapping.body.matches.iter().flat_map(|ladder| &ladder.rungs);
    outcomes.chain(rungs.filter_map(|rung| match &rung.kind {
        ast::RungKind::Object { then: Some(then), .. } => Some(then.value.as_str()),
        _ => None,
    }))
}

/// The outcomes that can happen and must be written.
fn possible(target: &Obj<'_>, ladder: &Ladder, creates: Option<bool>, is_given: bool) -> Vec<Situation> {
    let adopts = is_given || ladder.adopts(target);
    let can = [
        (Situation::None, true),
        (Situation::Many, ladder.has_rungs && !ladder.by_id()),
        (Situation::Taken, ladder.has_key && adopts),
        (Situation::Converted, target.object.convertible),
        (Situation::Duplicate, creates == Some(true) && target.name.side == Side::Salesforce),
        (Situation::Rejected, true),
    ];
    can.into_iter().filter(|(_, can)| *can).map(|(situation, _)| situation).collect()
}

fn check_possible(
    scope: &Scope<'_>,
    target: Option<&Obj<'_>>,
    outcome: &ast::Outcome,
    (possible, creates): (&[Situation], Option<bool>),
    ladder: &Ladder,
) {
    let name = target.map_or_else(String::new, |target| target.name.to_string());
    let source = scope.source.as_ref().map(|source| &source.name);
    let cannot = |situation: Situation| !possible.contains(&situation);
    let why = match outcome.situation.value {
        Situation::Deleted | Situation::Merged => "a mapping names its ends `source` and `target`".to_owned(),
        _ if outcome.side.is_some() && !scope.is_leg => {
            "an outcome names its side only in a `sync`".to_owned()
        }
        Situation::Many if cannot(Situation::Many) => "what is unique never finds several records".to_owned(),
        Situation::Taken if !ladder.has_key => "without a key no record can hold another's".to_owned(),
        Situation::Taken if cannot(Situation::Taken) => format!("no rung but the key looks for a `{name}`"),
        Situation::Converted if cannot(Situation::Converted) => {
            format!("a `{name}` is never converted; only a Lead is")
        }
        Situation::Duplicate if cannot(Situation::Duplicate) => match target.map(|target| target.name.side) {
            Some(Side::Hubspot) => "HubSpot has no duplicate rules".to_owned(),
            _ if creates.is_none() => return,
            _ => "the mapping makes no record, so no duplicate rule blocks one".to_owned(),
        },
        Situation::SourceMerged => match source.map(unmerged) {
            Some(Some(why)) => why,
            _ => return,
        },
        Situation::TargetMerged => match target.map(|target| unmerged(&target.name)) {
            Some(Some(why)) => why,
            _ => return,
        },
        _ => return,
    };
    let message = format!("`on {}` cannot happen: {why}", words(outcome.situation.value));
    let finding = Diagnostic::error(Code::OUTCOME_IMPOSSIBLE, outcome.situation.span, message);
    scope.report(match outcome.situation.value {
        situation if outcome.side.is_some() => finding.help(format!("write `on {}`", words(situation))),
        Situation::Deleted => finding.help("write `on source deleted` or `on target deleted`"),
        Situation::Merged => finding.help("write `on source merged` or `on target merged`"),
        _ => finding
            .help(format!("remove it; what can happen here: {}", listed(possible)))
            .fix(outcome.span, ""),
    });
}

/// Why records of an object are never merged.
fn unmerged(object: &ObjectName) -> Option<String> {
    let cannot = object.side == Side::Salesforce && !MERGED.contains(&object.name.as_str());
    cannot.then(|| format!("Salesforce merges only accounts, cases, contacts and leads, not a `{object}`"))
}

fn check_action(scope: &Scope<'_>, target: Option<&Obj<'_>>, outcome: &ast::Outcome) -> Action {
    let situation = outcome.situation.value;
    let action = match &outcome.action.value {
        ast::Action::Create => Action::Create,
        ast::Action::Skip => Action::Skip,
        ast::Action::Park(reason) => Action::Park(reason.clone()),
        ast::Action::Newest => Action::Newest,
        ast::Action::Oldest => Action::Oldest,
        ast::Action::Adopt => Action::Adopt,
        ast::Action::Allow => Action::Allow,
        ast::Action::Follow => Action::Follow,
        ast::Action::Unlink => Action::Unlink,
        ast::Action::DropField => Action::DropField,
        ast::Action::Then(name) => Action::Then(name.value.clone()),
    };
    let fitting = fitting(situation);
    if !fitting.contains(&action_word(&action)) {
        let message = format!("`{}` does not fit `on {}`", action_word(&action), words(situation));
        let finding = Diagnostic::error(Code::ACTION_INVALID, outcome.action.span, message);
        scope.report(finding.help(choices(situation, fitting)));
    } else if let (ast::Action::Then(name), Some(target)) = (&outcome.action.value, target) {
        let contact = ObjectName::new(target.name.side, CONTACT);
        super::handover::check_to(scope, name, Some((&contact, outcome.situation.span)));
    }
    action
}

/// The actions that a situation allows, as they are written.
fn fitting(situation: Situation) -> &'static [&'static str] {
    match situation {
        Situation::None => &["create", "skip", "park"],
        Situation::Many => &["park", "newest", "oldest"],
        Situation::Taken => &["park", "skip", "adopt"],
        Situation::Converted => &["then", "skip", "park"],
        Situation::Duplicate => &["adopt", "allow", "park"],
        Situation::Rejected => &["park", "drop field"],
        Situation::SourceMerged | Situation::TargetMerged | Situation::Merged => &["follow", "park"],
        Situation::SourceDeleted | Situation::TargetDeleted | Situation::Deleted => {
            &["skip", "park", "unlink"]
        }
    }
}

/// The actions to choose from, each with what it does.
fn choices(situation: Situation, fitting: &[&str]) -> String {
    let written = |word: &str| if word == "then" { "then MAPPING".to_owned() } else { word.to_owned() };
    let width = fitting.iter().map(|word| written(word).len()).max().unwrap_or(0);
    let lines = fitting.iter().map(|word| {
        let action = written(word);
        format!("\n  on {} {action:<width$}  # {}", words(situation), effect(situation, word))
    });
    format!("write one of these:{}", lines.collect::<String>())
}

/// What an action does in a situation.
fn effect(situation: Situation, action: &str) -> &'static str {
    match (action, situation) {
        ("create", _) => "make a record",
        ("skip", _) => "leave it alone, and record that",
        ("newest", _) => "the record that was created last",
        ("oldest", _) => "the record that was created first",
        ("adopt", Situation::Taken) => "write this record's key over the other one",
        ("adopt", _) => "write to the record that the duplicate rule names",
        ("allow", _) => "save in spite of the duplicate rule",
        ("follow", _) => "go on with the record that is left",
        ("unlink", _) => "forget that the two belong together",
        ("drop field", _) => "leave out the refused field, and write the rest",
        ("then", _) => "hand over, with the Contact that the Lead became",
        _ => "keep it for a person to decide",
    }
}

/// Situations as they are written.
fn listed(situations: &[Situation]) -> String {
    situations.iter().map(|situation| format!("`on {}`", words(*situation))).collect::<Vec<_>>().join(", ")
}

fn action_word(action: &Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Skip => "skip",
        Action::Park(_) => "park",
        Action::Newest => "newest",
        Action::Oldest => "oldest",
        Action::Adopt => "adopt",
        Action::Allow => "allow",
        Action::Follow => "follow",
        Action::Unlink => "unlink",
        Action::DropField => "drop field",
        Action::Then(_) => "then",
    }
}

/// A situation as it is written after `on`.
fn words(situation: Situation) -> &'static str {
    match situation {
        Situation::None => "none",
        Situation::Many => "many",
        Situation::Taken => "taken",
        Situation::Converted => "converted",
        Situation::Duplicate => "duplicate",
        Situation::Rejected => "rejected",
        Situation::SourceDeleted => "source deleted",
        Situation::SourceMerged => "source merged",
        Situation::TargetDeleted => "target deleted",
        Situation::TargetMerged => "target merged",
        Situation::Deleted => "deleted",
        Situation::Merged => "merged",
    }
}

/// When each outcome that must be written applies.
fn meaning(situation: Situation) -> &'static str {
    match situation {
        Situation::None => "no record is found",
        Situation::Many => "several records are found",
        Situation::Taken => "the record found holds another record's key",
        Situation::Converted => "the Lead found is converted",
        Situation::Duplicate => "a duplicate rule blocks the write",
        _ => "the write is refused",
    }
}

fn check_missing(
    scope: &Scope<'_>,
    mapping: &ast::Mapping,
    written: &IndexMap<Situation, Outcome>,
    possible: &[Situation],
) {
    let missing: Vec<_> =
        possible.iter().copied().filter(|situation| !written.contains_key(situation)).collect();
    if scope.is_leg {
        scope.world.leave_unsaid(missing);
        return;
    }
    let missing = missing
        .into_iter()
        // A line that is written and broken has its own finding.
        .filter(|situation| !scope.world.is_written(mapping.span, &["on", words(*situation)]))
        .map(|situation| {
            let makes = situation == Situation::None && speaks_of_new(mapping);
            Missing { on: words(situation).to_owned(), situation, makes }
        })
        .collect::<Vec<_>>();
    report_missing(scope.world, &mapping.name, &mapping.body, &missing);
}

/// An outcome that is not written.
struct Missing {
    /// As it is written behind `on`.
    on: String,
    situation: Situation,
    /// Whether it is `on none`, and other lines speak of the records that it would make.
    makes: bool,
}

/// Whether a mapping says something of records that it makes, whatever its `on none` says.
fn speaks_of_new(mapping: &ast::Mapping) -> bool {
    let body = &mapping.body;
    let on_create = |policy: &ast::Policy| policy.kind == ast::PolicyKind::OnCreate;
    !body.options.is_empty()
        || body.outcomes.iter().any(|outcome| outcome.situation.value == Situation::Duplicate)
        || mapping.fields.iter().any(|entry| match entry {
            ast::FieldsEntry::Rule(rule) => rule.policies.iter().any(on_create),
            ast::FieldsEntry::Use(..) => false,
        })
}

/// Asks for the outcomes that the legs of a sync do not say: without a side where both legs need them, and always by side
/// for `none`, which says what a sync makes.
pub(super) fn report_unsaid(world: &World<'_>, sync: &ast::Sync, unsaid: &[(&ast::Mapping, Vec<Situation>)]) {
    let order = [
        Situation::None,
        Situation::Many,
        Situation::Taken,
        Situation::Converted,
        Situation::Duplicate,
        Situation::Rejected,
    ];
    let mut missing = Vec::new();
    for situation in order {
        let legs: Vec<_> =
            unsaid.iter().filter(|(_, all)| all.contains(&situation)).map(|(leg, _)| *leg).collect();
        let said = sync.body.outcomes.iter().any(|outcome| outcome.situation.value == situation);
        let on = words(situation);
        // A line that is written and broken has its own finding.
        if legs.is_empty() || !said && world.is_written(sync.span, &["on", on]) {
            continue;
        }
        if said || situation == Situation::None {
            missing.extend(legs.into_iter().map(|leg| {
                let side = leg.to.first().map_or("", |target| target.side.word());
                let makes = situation == Situation::None && speaks_of_new(leg);
                Missing { on: format!("{on} in {side}"), situation, makes }
            }));
        } else {
            missing.push(Missing { on: on.to_owned(), situation, makes: false });
        }
    }
    report_missing(world, &sync.name, &sync.body, &missing);
}

fn report_missing(world: &World<'_>, name: &ast::Name, body: &ast::Body, missing: &[Missing]) {
    if missing.is_empty() {
        return;
    }
    let list: Vec<_> = missing.iter().map(|one| format!("`on {}`", one.on)).collect();
    let message = format!("`{}` does not say what happens: {} missing", name.value, join(&list));
    // As wide as the longest situation of a mapping.
    let width = missing.iter().map(|one| one.on.len()).max().unwrap_or(0).max(10);
    // What to write for a situation: the choice that loses nothing, unless other lines say that records are made.
    let line = |one: &Missing| {
        let action = if one.makes { "create" } else { "park" };
        format!("on {:<width$} {action}", one.on)
    };
    let lines: Vec<_> = missing.iter().map(line).collect();
    let explained = lines.iter().zip(missing);
    let explained = explained.map(|(line, one)| format!("\n  {line}  # when {}", meaning(one.situation)));
    let help = format!("write, with the action that you want:{}", explained.collect::<String>());
    let finding = Diagnostic::error(Code::OUTCOME_MISSING, name.span, message).help(help);
    // Whether records are made is for the author to say: the other choice would make those lines wrong.
    let is_open = missing.iter().any(|one| one.makes);
    world.report(match insertion(body).filter(|_| !is_open) {
        Some(below) => mend::add_lines(finding, world.sources, below, &lines),
        None => finding,
    });
}

fn join(list: &[String]) -> String {
    match list {
        [one] => format!("{one} is"),
        many => format!("{} are", many.join(", ")),
    }
}

/// The last outcome, or the ladder: missing ones go below it.
fn insertion(body: &ast::Body) -> Option<Span> {
    let outcome = body.outcomes.iter().map(|outcome| outcome.span).max_by_key(|span| span.end);
    let ladder = body.matches.last().map(|block| block.span);
    outcome.or(ladder)
}
