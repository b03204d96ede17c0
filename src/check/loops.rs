//! Loops of mappings that trigger one another.
//!
//! An edge leads from a rule that can write a field again and again to a mapping that a change of that field starts. A rule
//! that writes once (`if target is blank`, `once true stays true`, `advance only`) ends every loop, and one that writes
//! `on create` only starts what a new record starts.

use std::collections::HashSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::types::{Value, display};

use super::typed::{Action, Expr, ExprKind, Mapping, Rule, Situation, Sync, Trigger, WhenWritten};
use super::world::{World, field_word};

/// A write that starts another mapping.
#[derive(Clone, Copy)]
struct Edge<'m> {
    from: &'m Mapping,
    /// The rule that writes; `None` where the new record itself starts the other mapping.
    rule: Option<&'m Rule>,
    to: &'m Mapping,
}

/// Reports every loop once, at the rule that closes it.
pub(super) fn check(world: &World<'_>, mappings: &[Mapping], syncs: &[Sync]) {
    let legs = syncs.iter().flat_map(|sync| [&sync.to_salesforce, &sync.to_hubspot]);
    let all: Vec<&Mapping> = mappings.iter().chain(legs).collect();
    let edges: Vec<Edge<'_>> = all.iter().flat_map(|from| edges(world, from, &all)).collect();
    let mut reported: HashSet<Vec<&str>> = HashSet::new();
    for start in &all {
        let mut path: Vec<Edge<'_>> = Vec::new();
        search(world, start, start, &edges, &mut path, &mut HashSet::new(), &mut reported);
    }
}

/// Depth first from a mapping back to itself; each mapping is entered once, so this ends.
fn search<'m>(
    world: &World<'_>,
    start: &'m Mapping,
    at: &'m Mapping,
    edges: &[Edge<'m>],
    path: &mut Vec<Edge<'m>>,
    seen: &mut HashSet<*const Mapping>,
    reported: &mut HashSet<Vec<&'m str>>,
) {
    for edge in edges.iter().filter(|edge| std::ptr::eq(edge.from, at)) {
        path.push(*edge);
        if std::ptr::eq(edge.to, start) {
            let mut names: Vec<&str> = path.iter().map(|edge| edge.from.name.as_str()).collect();
            names.sort_unstable();
            if reported.insert(names) {
                report(world, path);
            }
        } else if seen.insert(std::ptr::from_ref(edge.to)) {
            search(world, start, edge.to, edges, path, seen, reported);
        }
        path.pop();
    }
}

/// What a mapping's writes start: one edge for each mapping, by the first rule that leads there.
fn edges<'m>(world: &World<'_>, from: &'m Mapping, all: &[&'m Mapping]) -> Vec<Edge<'m>> {
    let creates = from.outcomes.get(&Situation::None).is_some_and(|outcome| outcome.action == Action::Create);
    let started = all.iter().filter(|to| to.source == from.target && to.name != from.name);
    started
        .filter_map(|to| {
            let rule = from.rules.iter().find(|rule| starts(world, rule, creates, &to.triggers));
            let by_birth = creates && to.triggers.iter().any(|trigger| matches!(trigger, Trigger::Created));
            (rule.is_some() || by_birth).then_some(Edge { from, rule, to })
        })
        .collect()
}

fn starts(world: &World<'_>, rule: &Rule, creates: bool, triggers: &[Trigger]) -> bool {
    let again = matches!(rule.when, WhenWritten::Always | WhenWritten::OnUpdate);
    let on_create = creates && rule.when == WhenWritten::OnCreate;
    triggers.iter().any(|trigger| match trigger {
        Trigger::Changes(fields) => again && fields.contains(&rule.target),
        Trigger::Becomes(field, values) => {
            (again || on_create) && *field == rule.target && can_give(world, &rule.value, values)
        }
        Trigger::Created | Trigger::AssociatedChanges(..) => false,
    })
}

/// Whether an expression can give one of these values.
fn can_give(world: &World<'_>, value: &Expr, wanted: &[String]) -> bool {
    match &value.kind {
        ExprKind::Literal(Value::Blank) => false,
        ExprKind::Literal(value) => wanted.contains(&display(value)),
        ExprKind::Translate { picklist, back: false, .. } => {
            let facts = world.picklists.get_index(*picklist).map(|(_, facts)| facts.targets());
            facts.is_none_or(|targets| targets.iter().any(|target| wanted.contains(target)))
        }
        ExprKind::If(_, then, otherwise) => {
            can_give(world, then, wanted) || can_give(world, otherwise, wanted)
        }
        _ => true,
    }
}

fn report(world: &World<'_>, path: &[Edge<'_>]) {
    let (Some(first), Some(last)) = (path.first(), path.last()) else { return };
    let names: Vec<_> =
        path.iter().map(|edge| edge.from.name.as_str()).chain([last.to.name.as_str()]).collect();
    let message = format!("these mappings trigger one another for ever: {}", names.join(" → "));
    let closing = last.rule.map_or(last.from.span, |rule| rule.span);
    let mut finding = Diagnostic::error(Code::TRIGGER_LOOP, closing, message).label("starts the first again");
    for edge in &path[..path.len() - 1] {
        let span = edge.rule.map_or(edge.from.span, |rule| rule.span);
        finding = finding.and(span, format!("starts `{}`", edge.to.name));
    }
    let steps: Vec<String> = path.iter().map(step).collect();
    let help = format!(
        "take a {} for which `{}` runs: {}, and round it goes. Write one `sync` for the two, or let a rule write once: \
         `on create` or `if target is blank`",
        first.from.source,
        first.from.name,
        steps.join("; ")
    );
    world.report(finding.help(help));
}

fn step(edge: &Edge<'_>) -> String {
    let Edge { from, rule, to } = edge;
    match rule {
        Some(rule) => {
            let word = field_word(from.target.side);
            format!(
                "`{}` writes the {word} `{}` of its {}, which starts `{}`",
                from.name, rule.target, from.target, to.name
            )
        }
        None => format!("`{}` makes a {}, which starts `{}`", from.name, from.target, to.name),
    }
}
