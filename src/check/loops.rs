//! Loops of mappings that trigger one another.
//!
//! An edge leads from a rule that can write a field again and again to a mapping that a change of that field starts. A rule
//! that writes once (`if target is blank`, `once true stays true`, `advance only`) ends every loop, and one that writes
//! `on create` only starts what a new record starts.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::ObjectName;
use crate::types::{Value, display};

use super::typed::{Action, Expr, ExprKind, Mapping, Rule, Situation, Sync, Trigger, WhenWritten};
use super::world::{World, field_word};

/// More loops do not help: who mends these finds the others.
const REPORTED: usize = 100;

/// A write that starts another mapping.
#[derive(Clone, Copy)]
struct Edge<'m> {
    /// Its place among all mappings.
    from: usize,
    mapping: &'m Mapping,
    /// The rule that writes; `None` where the new record itself starts the other mapping.
    rule: Option<&'m Rule>,
    to: usize,
    started: &'m Mapping,
}

/// Reports the loops, each once, at the rule that closes it: for every write that is part of one, a shortest.
pub(super) fn check(world: &World<'_>, mappings: &[Mapping], syncs: &[Sync]) {
    let legs = syncs.iter().flat_map(|sync| [&sync.to_salesforce, &sync.to_hubspot]);
    let all: Vec<&Mapping> = mappings.iter().chain(legs).collect();
    let edges = edges(world, &all);
    let mut reported: HashSet<Vec<usize>> = HashSet::new();
    for start in 0..all.len() {
        let found = search(start, &edges);
        let closing = edges.iter().flatten().filter(|edge| edge.to == start);
        for path in closing.filter_map(|edge| path(start, edge, &found)) {
            let mut members: Vec<usize> = path.iter().map(|edge| edge.from).collect();
            members.sort_unstable();
            if reported.insert(members) {
                report(world, &path);
            }
            if reported.len() >= REPORTED {
                return;
            }
        }
    }
}

/// Breadth first from a mapping: by which edge each other one is reached, where it is.
fn search<'e, 'm>(start: usize, edges: &'e [Vec<Edge<'m>>]) -> Vec<Option<&'e Edge<'m>>> {
    let mut found: Vec<Option<&Edge<'_>>> = vec![None; edges.len()];
    let mut open = VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for edge in &edges[at] {
            if edge.to != start && found[edge.to].is_none() {
                found[edge.to] = Some(edge);
                open.push_back(edge.to);
            }
        }
    }
    found
}

/// The way from a mapping to the edge that leads back to it, if there is one.
fn path<'m>(start: usize, closing: &Edge<'m>, found: &[Option<&Edge<'m>>]) -> Option<Vec<Edge<'m>>> {
    let mut path = vec![*closing];
    let mut at = closing.from;
    while at != start {
        let edge = found[at]?;
        path.push(*edge);
        at = edge.from;
    }
    path.reverse();
    Some(path)
}

/// What the writes of each mapping start: one edge for each mapping that is started, by the first rule that leads there.
fn edges<'m>(world: &World<'_>, all: &[&'m Mapping]) -> Vec<Vec<Edge<'m>>> {
    let mut by_source: HashMap<&ObjectName, Vec<usize>> = HashMap::new();
    for (index, mapping) in all.iter().enumerate() {
        by_source.entry(&mapping.source).or_default().push(index);
    }
    let waited_for: Vec<Vec<HashSet<&str>>> = all.iter().map(|mapping| waited_for(mapping)).collect();
    let of = |from: usize| {
        let mapping = all[from];
        let writer = Writer::of(mapping);
        let started = by_source.get(&mapping.target).into_iter().flatten().copied();
        let edge = |to: usize| {
            let started = all[to];
            let rule = writer.first(world, &started.triggers, &waited_for[to]);
            let by_birth =
                writer.creates && started.triggers.iter().any(|trigger| matches!(trigger, Trigger::Created));
            (rule.is_some() || by_birth).then_some(Edge { from, mapping, rule, to, started })
        };
        started.filter(|to| all[*to].name != mapping.name).filter_map(edge).collect()
    };
    (0..all.len()).map(of).collect()
}

/// For each trigger, the values that it waits for.
fn waited_for(mapping: &Mapping) -> Vec<HashSet<&str>> {
    mapping.triggers.iter().map(values_of).collect()
}

fn values_of(trigger: &Trigger) -> HashSet<&str> {
    match trigger {
        Trigger::Becomes(_, values) => values.iter().map(String::as_str).collect(),
        Trigger::Changes(_) | Trigger::Created | Trigger::AssociatedChanges(..) => HashSet::new(),
    }
}

/// A mapping and its rules by the field that they write.
struct Writer<'m> {
    mapping: &'m Mapping,
    creates: bool,
    rules: HashMap<&'m str, Vec<usize>>,
}

impl<'m> Writer<'m> {
    fn of(mapping: &'m Mapping) -> Self {
        let outcome = mapping.outcomes.get(&Situation::None);
        let creates = outcome.is_some_and(|outcome| outcome.action == Action::Create);
        let mut rules: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, rule) in mapping.rules.iter().enumerate() {
            rules.entry(&rule.target).or_default().push(index);
        }
        Self { mapping, creates, rules }
    }

    /// The first rule that gives what one of these triggers waits for.
    fn first(
        &self,
        world: &World<'_>,
        triggers: &[Trigger],
        waited_for: &[HashSet<&str>],
    ) -> Option<&'m Rule> {
        let first = triggers.iter().zip(waited_for).filter_map(|(trigger, values)| match trigger {
            Trigger::Changes(fields) => {
                fields.iter().filter_map(|field| self.first_of(field, is_again)).min()
            }
            Trigger::Becomes(field, _) => self.first_of(field, |rule| {
                let on_create = self.creates && rule.when == WhenWritten::OnCreate;
                (is_again(rule) || on_create) && can_give(world, &rule.value, values)
            }),
            Trigger::Created | Trigger::AssociatedChanges(..) => None,
        });
        first.min().map(|index| &self.mapping.rules[index])
    }

    fn first_of(&self, field: &str, starts: impl Fn(&Rule) -> bool) -> Option<usize> {
        self.rules.get(field)?.iter().copied().find(|index| starts(&self.mapping.rules[*index]))
    }
}

/// Whether a rule can write again and again.
pub(super) fn is_again(rule: &Rule) -> bool {
    matches!(rule.when, WhenWritten::Always | WhenWritten::OnUpdate)
}

/// Whether an expression can give one of these values.
fn can_give(world: &World<'_>, value: &Expr, wanted: &HashSet<&str>) -> bool {
    match &value.kind {
        ExprKind::Literal(Value::Blank) => false,
        ExprKind::Literal(value) => wanted.contains(display(value).as_str()),
        ExprKind::Translate { picklist, back: false, .. } => {
            let facts = world.picklists.get_index(*picklist).map(|(_, facts)| facts);
            facts.is_none_or(|facts| facts.targets_in_place().any(|target| wanted.contains(target)))
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
        path.iter().map(|edge| edge.mapping.name.as_str()).chain([last.started.name.as_str()]).collect();
    let message = format!("these mappings trigger one another for ever: {}", names.join(" → "));
    let closing = last.rule.map_or(last.mapping.span, |rule| rule.span);
    let mut finding = Diagnostic::error(Code::TRIGGER_LOOP, closing, message).label("starts the first again");
    for edge in &path[..path.len() - 1] {
        let span = edge.rule.map_or(edge.mapping.span, |rule| rule.span);
        finding = finding.and(span, format!("starts `{}`", edge.started.name));
    }
    let steps: Vec<String> = path.iter().map(step).collect();
    let help = format!(
        "take a {} for which `{}` runs: {}, and round it goes. Write one `sync` for the two, or let a rule write once: \
         `on create` or `if target is blank`",
        first.mapping.source,
        first.mapping.name,
        steps.join("; ")
    );
    world.report(finding.help(help));
}

fn step(edge: &Edge<'_>) -> String {
    let Edge { mapping, rule, started, .. } = edge;
    match rule {
        Some(rule) => {
            let word = field_word(mapping.target.side);
            format!(
                "`{}` writes the {word} `{}` of its {}, which starts `{}`",
                mapping.name, rule.target, mapping.target, started.name
            )
        }
        None => format!("`{}` makes a {}, which starts `{}`", mapping.name, mapping.target, started.name),
    }
}
