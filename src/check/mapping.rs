//! A mapping as a whole: its ends, its names, its guards, and then its ladder, outcomes and rules.

use std::cell::Cell;
use std::collections::HashMap;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span};
use crate::syntax::ast;
use crate::types::{AssociationKind, Value};

use super::depth::{self, DEEPEST};
use super::fields::Target;
use super::ladder::{Ladder, report_fallible};
use super::scope::{LetEntry, Scope, WithEntry};
use super::typed::{
    AssignmentRule, Expr, ExprKind, Guard, GuardElse, Let, Mapping, Outcome, Situation, With, WithKind,
};
use super::words;
use super::world::{Obj, World, field_word};
use super::{associate, associated, convert, fields, handover, ladder, outcomes, reach, record_type};

/// Checks every mapping. One whose source or target is unknown is left out: its finding keeps the project from passing.
pub(super) fn check_all(world: &World<'_>) -> Vec<Mapping> {
    let open = world.mappings.values().take_while(|_| !world.is_full());
    open.filter_map(|mapping| check(world, mapping, false)).collect()
}

/// Checks one leg of a sync.
pub(super) fn check_leg<'a>(world: &'a World<'a>, leg: &'a ast::Mapping) -> Option<Mapping> {
    check(world, leg, true)
}

fn check<'a>(world: &'a World<'a>, mapping: &'a ast::Mapping, is_leg: bool) -> Option<Mapping> {
    let source = end(world, mapping, "from", &mapping.from);
    let target = end(world, mapping, "to", &mapping.to);
    check_sides(world, mapping, source.as_ref(), target.as_ref());
    let mut scope = Scope::new(world, source.clone());
    (scope.is_leg, scope.item) = (is_leg, Some(mapping.span));
    add_withs(&mut scope, &mapping.body.withs);
    add_lets(&mut scope, &mapping.body.lets);
    let guards = check_guards(&mut scope, &mapping.body.guards);
    refine_lets(&mut scope, &mapping.body.lets);
    let triggers = scope.triggers(&mapping.body.whens);
    let ladder = check_ladder(&mut scope, target.as_ref(), mapping);
    let outcomes = check_outcomes(&scope, target.as_ref(), mapping, &ladder);
    let creates = outcomes::creates(mapping);
    let assignment_rule = check_options(&scope, target.as_ref(), &mapping.body.options, creates);
    let record_type = record_type::check(&mut scope, target.as_ref(), &mapping.body.options, creates);
    associate::check_eaches(&mut scope, &mapping.body.withs);
    let associates = associate::check(&mut scope, target.as_ref(), &mapping.body.associates);
    let convert = if is_leg { None } else { convert::check(&mut scope, target.as_ref(), mapping) };
    check_fields_are_there(world, mapping);
    let into = Target { object: target.clone(), creates };
    let rules = fields::check(&mut scope, &into, mapping, ladder.key.as_ref());
    if let (Some(true), Some(target)) = (creates, &target) {
        record_type::check_rules(&scope, target, record_type.as_ref(), &rules);
    }
    report_unused(&scope, mapping);
    Some(Mapping {
        name: mapping.name.value.clone(),
        doc: mapping.doc.clone(),
        source: source?.name,
        target: target?.name,
        withs: scope.withs.into_iter().map(|entry| entry.typed).collect(),
        lets: scope.lets.into_iter().map(|entry| entry.typed).collect(),
        triggers,
        trigger_spans: mapping.body.whens.iter().map(|when| when.span).collect(),
        guards,
        key: ladder.key,
        rungs: ladder.rungs,
        outcomes,
        eaches: scope.eaches.into_iter().map(|entry| entry.typed).collect(),
        associates,
        assignment_rule,
        convert,
        record_type,
        rules,
        span: mapping.name.span,
    })
}

fn end<'a>(
    world: &World<'a>,
    mapping: &ast::Mapping,
    end: &str,
    written: &[ast::ObjectRef],
) -> Option<Obj<'a>> {
    if let [first, second, ..] = written {
        let finding = Diagnostic::error(Code::REPEATED, second.span, format!("`{end}` is written twice"));
        world.report(finding.and(first.span, "first here").help("a mapping has one source and one target"));
    }
    if let Some(reference) = written.first() {
        let object = world.object(reference);
        if let Some(object) = object.as_ref().filter(|_| end == "from") {
            let help = "read the record that it is about; the event itself is only written";
            world.report_event(object, reference.span, "nothing tells when there is one", help);
        }
        return object;
    }
    let example = if end == "from" { "hubspot.contact" } else { "salesforce.Lead" };
    if !world.is_written(mapping.span, &[end]) {
        report_incomplete(world, mapping, end, &format!("write `{end} OBJECT`, such as `{end} {example}`"));
    }
    None
}

/// A mapping says what it writes, unless it only converts.
fn check_fields_are_there(world: &World<'_>, mapping: &ast::Mapping) {
    let needed = mapping.body.converts.is_empty();
    if needed && mapping.fields_span.is_none() && !world.is_written(mapping.span, &["fields"]) {
        report_incomplete(world, mapping, "fields", "write `fields { TARGET <- VALUE }`");
    }
}

fn report_incomplete(world: &World<'_>, mapping: &ast::Mapping, missing: &str, help: &str) {
    let message = format!("the mapping `{}` has no `{missing}`", mapping.name.value);
    world.report(Diagnostic::error(Code::INCOMPLETE, mapping.name.span, message).help(help));
}

fn check_sides(
    world: &World<'_>,
    mapping: &ast::Mapping,
    source: Option<&Obj<'_>>,
    target: Option<&Obj<'_>>,
) {
    let (Some(source), Some(target), Some(to)) = (source, target, mapping.to.first()) else { return };
    if source.name.side == target.name.side {
        let side = source.name.side;
        let message = format!(
            "a mapping carries records from one CRM to the other, and this one reads and writes {}",
            side.label()
        );
        let finding = Diagnostic::error(Code::ONE_CRM, to.span, message);
        let finding = finding.and(mapping.from[0].span, format!("reads {}", side.label()));
        world.report(finding.help(match side {
            Side::Hubspot => "name an object of Salesforce; within HubSpot, a workflow does this",
            Side::Salesforce => "name an object of HubSpot; within Salesforce, a flow does this",
        }));
    }
}

fn add_withs(scope: &mut Scope<'_>, withs: &[ast::With]) {
    for with in withs {
        let (object, kind) = match &with.source {
            ast::WithSource::Primary(object) => (object, AssociationKind::Primary),
            ast::WithSource::Labelled(label, object) => {
                (object, AssociationKind::Labelled(label.value.clone()))
            }
            ast::WithSource::Each(object, _) => {
                if is_new_name(scope, &with.name, "with each") {
                    associate::add_each(scope, with, object);
                }
                continue;
            }
        };
        let found = scope.associated_object(object);
        if let (ast::WithSource::Labelled(label, _), Some(found), Some(source)) =
            (&with.source, &found, &scope.source)
        {
            associated::check_label(scope.world, source, found, label);
        }
        if let (ast::WithSource::Primary(_), Some(found), Some(source)) =
            (&with.source, &found, &scope.source)
        {
            associated::check_primary(scope.world, source, found, object.span);
        }
        if let Some(found) = &found {
            let help = "read the record on whose timeline it stands";
            scope.world.report_event(found, object.span, "records are not associated with one", help);
        }
        if !is_new_name(scope, &with.name, "with") {
            continue;
        }
        let is_primary = kind == AssociationKind::Primary;
        let source = scope.source.as_ref().filter(|_| is_primary);
        let mut fields = source.into_iter().flat_map(|source| source.object.fields.values());
        let held_by = fields.find(|field| field.primary_of.as_ref() == Some(&object.name.value));
        let typed = With {
            held_by: held_by.map(|field| field.name.clone()),
            name: with.name.value.clone(),
            object: crate::source::ObjectName::new(object.side, &object.name.value),
            kind: WithKind::Association(kind),
            span: with.span,
        };
        // What was reported is not also unused.
        let reported = found.is_none();
        scope.withs.push(WithEntry { typed, object: found, used: Cell::new(reported) });
    }
}

fn add_lets(scope: &mut Scope<'_>, lets: &[ast::Let]) {
    scope.let_lines =
        lets.iter().map(|line| (line.name.value.clone(), line.name.span)).collect::<HashMap<_, _>>();
    for line in lets {
        let value = scope.value(&line.value);
        if !is_new_name(scope, &line.name, "let") {
            continue;
        }
        let (value, levels) = cut(scope, value);
        if levels.is_none() {
            report_too_deep(scope, &line.name);
        }
        let levels = levels.unwrap_or(1);
        let typed = Let { name: line.name.value.clone(), value };
        scope.add_let(LetEntry { typed, levels, span: line.name.span, used: Cell::new(false) });
    }
}

/// A value and its levels; where it is too deep, a blank in its place and none, so that nobody follows it any further.
fn cut(scope: &Scope<'_>, value: Expr) -> (Expr, Option<usize>) {
    match depth::levels(&value, &scope.lets) {
        levels @ 0..=DEEPEST => (value, Some(levels)),
        _ => (Expr { kind: ExprKind::Literal(Value::Blank), ..value }, None),
    }
}

fn report_too_deep(scope: &Scope<'_>, name: &ast::Name) {
    let message = format!(
        "`{}` is nested more than {DEEPEST} levels deep, with the values that it reads and those that they read",
        name.value
    );
    scope.report(
        Diagnostic::error(Code::SYNTAX_DEPTH, name.span, message)
            .label("too deep")
            .help("make it of the record's fields, or of fewer named values"),
    );
}

/// Types the `let`s again with what the guards prove, so that what is made of a present field is present too.
fn refine_lets(scope: &mut Scope<'_>, lets: &[ast::Let]) {
    let mark = scope.world.mark();
    let lines: HashMap<_, _> = lets.iter().map(|line| (line.name.span, line)).collect();
    for entry in scope.take_lets() {
        let line = lines.get(&entry.span);
        let value = line.map(|line| scope.value(&line.value)).unwrap_or(entry.typed.value);
        let (value, levels) = cut(scope, value);
        let levels = levels.unwrap_or(1);
        let typed = Let { name: entry.typed.name, value };
        scope.add_let(LetEntry { typed, levels, ..entry });
    }
    scope.world.since(mark);
}

fn is_new_name(scope: &Scope<'_>, name: &ast::Name, word: &str) -> bool {
    let with = scope.withs.iter().find(|with| with.typed.name == name.value).map(|with| with.typed.span);
    let each = scope.eaches.iter().find(|each| each.typed.name == name.value).map(|each| each.typed.span);
    let entry = scope.let_named(&name.value).map(|index| scope.lets[index].span);
    if let Some(first) = with.or(each).or(entry) {
        let message = format!("the name `{}` is given twice", name.value);
        let finding = Diagnostic::error(Code::DUPLICATE_NAME, name.span, message).and(first, "first here");
        scope.report(finding.help("give one of them another name"));
        return false;
    }
    report_hidden(scope, name, word);
    true
}

/// Reports a name that the source gives already: to a field, to the record's id, or to its owner.
fn report_hidden(scope: &Scope<'_>, name: &ast::Name, word: &str) {
    let Some(source) = &scope.source else { return };
    let field = source.field(&name.value);
    let hidden = match field {
        Some(_) => format!("a {} of `{}`", field_word(source.name.side), source.name),
        None if source.is_record_id(&name.value) => format!("the id of a `{}`", source.name),
        None if Scope::is_owner(source, &name.value) => format!("the owner of a `{}`", source.name),
        None => return,
    };
    let message = format!("the `{word}` name `{}` is also {hidden}", name.value);
    let mut finding = Diagnostic::error(Code::SHADOWED_NAME, name.span, message);
    if let Some(field) = field {
        finding = finding.and(field.span, format!("the {} is here", field_word(source.name.side)));
    }
    scope.report(finding.help("give it another name"));
}

fn check_guards(scope: &mut Scope<'_>, guards: &[ast::Guard]) -> Vec<Guard> {
    let mut typed = Vec::with_capacity(guards.len());
    for guard in guards {
        let condition = scope.condition(&guard.condition);
        if let Some(value) = words::failing_value(&condition) {
            report_fallible(scope, value, "a guard");
        }
        let otherwise = match guard.otherwise.as_ref().map(|otherwise| &otherwise.value) {
            None | Some(ast::GuardOtherwise::Skip) => GuardElse::Skip,
            Some(ast::GuardOtherwise::Wait) => GuardElse::Wait,
            Some(ast::GuardOtherwise::Park(reason)) => GuardElse::Park(reason.clone()),
            Some(ast::GuardOtherwise::Then(name)) => {
                handover::check_to(scope, name, None);
                GuardElse::Then(name.value.clone())
            }
        };
        scope.check_guard_reached(&condition, guard.otherwise.as_ref().map(|otherwise| otherwise.span));
        // What passes a guard has what it asks for, in all that follows.
        scope.learn(scope.proves(&condition, true));
        typed.push(Guard { condition, otherwise, span: guard.span });
    }
    typed
}

fn check_ladder<'a>(scope: &mut Scope<'a>, target: Option<&Obj<'a>>, mapping: &ast::Mapping) -> Ladder {
    if let [first, second, ..] = mapping.body.matches.as_slice() {
        let finding = Diagnostic::error(Code::REPEATED, second.span, "`match` is written twice");
        scope.report(finding.and(first.span, "first here").help("write all rungs in one block"));
    }
    if mapping.body.matches.is_empty() && !scope.is_leg && !scope.world.is_written(mapping.span, &["match"]) {
        let help = "write `match { key FIELD = id }`: it says which record of the target is meant";
        report_incomplete(scope.world, mapping, "match", help);
    }
    report_empty(scope, mapping);
    let ladder = ladder::check(scope, target, mapping);
    reach::check_rungs(scope, target, mapping);
    if outcomes::creates(mapping) == Some(true) && !ladder.has_key && !mapping.body.matches.is_empty() {
        let at = mapping.body.matches[0].span;
        let message = "records are looked up and then created, which is not atomic without a key: a create that is sent \
                       again can make a duplicate";
        let finding = Diagnostic::warning(Code::NO_KEY, Span { end: at.start + 5, ..at }, message);
        scope.report(finding.help(ladder::key_help(scope, target, mapping)));
    }
    ladder
}

/// Checks the outcomes. What a rung could find that cannot be read is not known, so none is called impossible for it.
fn check_outcomes<'a>(
    scope: &Scope<'a>,
    target: Option<&Obj<'a>>,
    mapping: &ast::Mapping,
    ladder: &Ladder,
) -> IndexMap<Situation, Outcome> {
    let mark = scope.world.mark();
    let outcomes = outcomes::check(scope, target, mapping, ladder);
    let is_unread = has_unread_rung(scope.world, mapping);
    for finding in scope.world.since(mark) {
        if finding.code != Code::OUTCOME_IMPOSSIBLE || !is_unread {
            scope.report(finding);
        }
    }
    outcomes
}

/// Whether a ladder holds a line that could not be read.
fn has_unread_rung(world: &World<'_>, mapping: &ast::Mapping) -> bool {
    mapping.body.matches.iter().any(|block| {
        let text = world.sources.slice(block.span);
        let Some(open) = text.find('{') else { return false };
        let mut rungs: Vec<_> = block.rungs.iter().map(|rung| rung.span.range()).collect();
        rungs.sort_unstable_by_key(|range| range.start);
        let (mut at, mut between) = (open + 1, String::new());
        for range in rungs {
            let place = |at: usize| at.saturating_sub(block.span.range().start).min(text.len());
            between += text.get(at..place(range.start)).unwrap_or_default();
            at = at.max(place(range.end));
        }
        between += text.get(at..).unwrap_or_default();
        between.lines().any(|line| {
            let line = line.split('#').next().unwrap_or_default().trim().trim_end_matches('}').trim();
            !line.is_empty() && line != "or"
        })
    })
}

/// A block without a rung finds nothing, ever.
fn report_empty(scope: &Scope<'_>, mapping: &ast::Mapping) {
    let broken = || ["key", "or"].iter().any(|word| scope.world.is_written(mapping.span, &[word]));
    for block in &mapping.body.matches {
        let text = scope.world.sources.slice(block.span);
        let is_empty = text.split_once('{').is_none_or(|(_, rest)| {
            rest.lines().all(|line| {
                let line = line.trim().trim_end_matches('}').trim();
                line.is_empty() || line.starts_with('#')
            })
        });
        if block.rungs.is_empty() && is_empty && !broken() {
            let message = "`match` has no rung, so no record is ever found";
            let finding = Diagnostic::error(Code::INCOMPLETE, block.span, message);
            let key = if scope.is_leg { "key hubspot.OBJECT.FIELD = Id" } else { "key FIELD = id" };
            scope.report(
                finding.help(format!("write `{key}`, with a unique external ID, or `FIELD = VALUE`")),
            );
        }
    }
}

/// The objects for whose records Salesforce runs assignment rules (REST guide: assignment rule header).
const ASSIGNED: [&str; 3] = ["Account", "Case", "Lead"];

fn check_options(
    scope: &Scope<'_>,
    target: Option<&Obj<'_>>,
    options: &[ast::WriteOption],
    creates: Option<bool>,
) -> Option<AssignmentRule> {
    let mut rule = None;
    for option in options {
        match option {
            ast::WriteOption::RecordType(..) => {}
            ast::WriteOption::AssignmentRule(_, span) if rule.is_some() => {
                let finding = Diagnostic::error(Code::REPEATED, *span, "`assignment rule` is written twice");
                scope.report(finding.help("keep one of them"));
            }
            ast::WriteOption::AssignmentRule(written, span) => {
                let object = target.map(|target| &target.name);
                if object.is_some_and(|object| object.side == Side::Hubspot) {
                    let message = "assignment rules are Salesforce's, and the mapping writes HubSpot";
                    let finding = Diagnostic::error(Code::WRITE_OPTION, *span, message);
                    scope.report(finding.help("remove it, or write the owner: `hubspot_owner_id <- …`"));
                } else if let Some(object) = object.filter(|object| !ASSIGNED.contains(&object.name.as_str()))
                {
                    let message = format!("Salesforce has no assignment rules for a `{object}`");
                    let finding = Diagnostic::error(Code::WRITE_OPTION, *span, message);
                    scope.report(finding.help("remove it, or write the owner: `OwnerId <- …`"));
                } else if creates == Some(false) {
                    let message = "an assignment rule is for a new record, and the mapping makes none";
                    let finding = Diagnostic::warning(Code::UNREACHABLE, *span, message);
                    scope.report(finding.help("remove it, or write `on none create`").fix(*span, ""));
                }
                if let AssignmentRule::Id(id) = written
                    && !(matches!(id.len(), 15 | 18) && id.starts_with("01Q"))
                {
                    let message = format!("`{id}` is not the id of an assignment rule");
                    let finding = Diagnostic::error(Code::WRITE_OPTION, *span, message);
                    let help = "write its id, 15 or 18 characters that begin with `01Q`, or `on` for the active rule";
                    scope.report(finding.help(help));
                }
                rule = Some(written.clone());
            }
        }
    }
    rule
}

fn report_unused(scope: &Scope<'_>, mapping: &ast::Mapping) {
    for entry in scope.withs.iter().filter(|entry| !entry.used.get()) {
        let watched = mapping.body.whens.iter().any(|when| match &when.kind {
            ast::TriggerKind::PrimaryChanges(object) | ast::TriggerKind::LabelledChanges(_, object) => {
                object.name.value == entry.typed.object.name
            }
            _ => false,
        });
        let name = &entry.typed.name;
        let finding = Diagnostic::warning(Code::UNUSED, entry.typed.span, format!("nothing reads `{name}`"));
        let help = if watched { "remove it; the trigger does not need it" } else { "remove it" };
        scope.report(finding.help(help));
    }
    for entry in scope.eaches.iter().filter(|entry| !entry.used.get()) {
        let message = format!("nothing reads `{}`", entry.typed.name);
        let finding = Diagnostic::warning(Code::UNUSED, entry.typed.span, message);
        let help = format!("write `associate linked OBJECT of {}.FIELD`, or remove it", entry.typed.name);
        scope.report(finding.help(help));
    }
    let early = scope.read_early.borrow();
    let unread = |entry: &&LetEntry| !entry.used.get() && !early.contains(&entry.typed.name);
    for entry in scope.lets.iter().filter(unread) {
        let message = format!("nothing reads `{}`", entry.typed.name);
        scope.report(Diagnostic::warning(Code::UNUSED, entry.span, message).help("remove it"));
    }
}
