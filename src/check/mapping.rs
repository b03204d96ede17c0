//! A mapping as a whole: its ends, its names, its guards, and then its ladder, outcomes and rules.

use std::cell::Cell;
use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span};
use crate::syntax::ast;
use crate::types::AssociationKind;

use super::fields::Target;
use super::ladder::{Ladder, report_fallible};
use super::scope::{LetEntry, Scope, WithEntry};
use super::typed::{AssignmentRule, Guard, GuardElse, Let, Mapping, With, WithKind};
use super::words;
use super::world::{Obj, World, field_word};
use super::{associate, fields, handover, ladder, outcomes, reach, record_type};

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
    let outcomes = outcomes::check(&scope, target.as_ref(), mapping, &ladder);
    let creates = outcomes::creates(mapping);
    let assignment_rule = check_options(&scope, target.as_ref(), &mapping.body.options);
    let record_type = record_type::check(&mut scope, target.as_ref(), &mapping.body.options, creates);
    associate::check_eaches(&mut scope, &mapping.body.withs);
    let associates = associate::check(&mut scope, target.as_ref(), &mapping.body.associates);
    if mapping.fields_span.is_none() && !world.is_written(mapping.span, &["fields"]) {
        report_incomplete(world, mapping, "fields", "write `fields { TARGET <- VALUE }`");
    }
    let into = Target { object: target.clone(), creates };
    let rules = fields::check(&mut scope, &into, mapping, ladder.key.as_ref());
    if creates && let Some(target) = &target {
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
        return world.object(reference);
    }
    let example = if end == "from" { "hubspot.contact" } else { "salesforce.Lead" };
    if !world.is_written(mapping.span, &[end]) {
        report_incomplete(world, mapping, end, &format!("write `{end} OBJECT`, such as `{end} {example}`"));
    }
    None
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
        let typed = Let { name: line.name.value.clone(), value };
        scope.add_let(LetEntry { typed, span: line.name.span, used: Cell::new(false) });
    }
}

/// Types the `let`s again with what the guards prove, so that what is made of a present field is present too.
fn refine_lets(scope: &mut Scope<'_>, lets: &[ast::Let]) {
    let mark = scope.world.mark();
    let lines: HashMap<_, _> = lets.iter().map(|line| (line.name.span, line)).collect();
    for entry in scope.take_lets() {
        let line = lines.get(&entry.span);
        let value = line.map(|line| scope.value(&line.value)).unwrap_or(entry.typed.value);
        let typed = Let { name: entry.typed.name, value };
        scope.add_let(LetEntry { typed, ..entry });
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
    if let Some(source) = &scope.source
        && let Some(field) = source.field(&name.value)
    {
        let kind = field_word(source.name.side);
        let message = format!("the `{word}` name `{}` is also a {kind} of `{}`", name.value, source.name);
        let finding = Diagnostic::error(Code::SHADOWED_NAME, name.span, message);
        scope.report(finding.and(field.span, format!("the {kind} is here")).help("give it another name"));
    }
    true
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
    let ladder = ladder::check(scope, target, mapping);
    reach::check_rungs(scope, target, mapping);
    if outcomes::creates(mapping) && !ladder.has_key && !mapping.body.matches.is_empty() {
        let at = mapping.body.matches[0].span;
        let message = "records are looked up and then created, which is not atomic without a key: a create that is sent \
                       again can make a duplicate";
        let finding = Diagnostic::warning(Code::NO_KEY, Span { end: at.start + 5, ..at }, message);
        scope.report(finding.help(ladder::key_help(target, mapping)));
    }
    ladder
}

fn check_options(
    scope: &Scope<'_>,
    target: Option<&Obj<'_>>,
    options: &[ast::WriteOption],
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
                if target.is_some_and(|target| target.name.side == Side::Hubspot) {
                    let message = "assignment rules are Salesforce's, and the mapping writes HubSpot";
                    let finding = Diagnostic::error(Code::WRITE_OPTION, *span, message);
                    scope.report(finding.help("remove it, or write the owner: `hubspot_owner_id <- …`"));
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
    for entry in scope.lets.iter().filter(|entry| !entry.used.get()) {
        let message = format!("nothing reads `{}`", entry.typed.name);
        scope.report(Diagnostic::warning(Code::UNUSED, entry.span, message).help("remove it"));
    }
}
