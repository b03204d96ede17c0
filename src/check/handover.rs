//! Hand-overs: the mapping exists, goes on from the same source with the record found, and none leads round in a circle.

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{ObjectName, Span};
use crate::syntax::ast;

use super::scope::Scope;
use super::typed::{Action, GuardElse, Mapping};
use super::world::World;

/// Checks that a mapping can take over; `found` is the object of the record that goes along, and where it is named.
pub(super) fn check_to(scope: &Scope<'_>, name: &ast::Name, found: Option<(&ObjectName, Span)>) {
    let Some(mapping) = scope.world.mapping(name) else { return };
    if let (Some(source), Some(from)) = (&scope.source, mapping.from.first())
        && (source.name.side, &source.name.name) != (from.side, &from.name.value)
    {
        let message = format!(
            "`{}` reads `{}.{}`, and this mapping reads `{}`",
            name.value, from.side, from.name.value, source.name
        );
        let finding = Diagnostic::error(Code::HAND_OVER, name.span, message).and(from.span, "it reads this");
        scope.report(finding.help("hand over to a mapping with the same `from`"));
    }
    if let (Some((found, at)), Some(to)) = (found, mapping.to.first())
        && (found.side, &found.name) != (to.side, &to.name.value)
    {
        let message = format!(
            "`{}` writes `{}.{}`, and the record found is a `{found}`",
            name.value, to.side, to.name.value
        );
        let finding = Diagnostic::error(Code::HAND_OVER, name.span, message).and(to.span, "it writes this");
        let finding = finding.and(at, format!("finds a `{found}`"));
        scope.report(finding.help(format!("hand over to a mapping with `to {found}`")));
    }
}

/// The mappings that a mapping hands over to, and the lines that say so.
pub(super) fn edges(mapping: &Mapping) -> impl Iterator<Item = (&str, Span)> {
    let guards = mapping.guards.iter().filter_map(|guard| match &guard.otherwise {
        GuardElse::Then(name) => Some((name.as_str(), guard.span)),
        _ => None,
    });
    let rungs = mapping.rungs.iter().filter_map(|rung| rung.then.as_deref().map(|name| (name, rung.span)));
    let outcomes = mapping.outcomes.values().filter_map(|outcome| match &outcome.action {
        Action::Then(name) => Some((name.as_str(), outcome.span)),
        _ => None,
    });
    guards.chain(rungs).chain(outcomes)
}

/// How far the search for circles has come with a mapping.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    OnPath,
    Done,
}

/// Reports every circle of hand-overs once, at the line that closes it.
pub(super) fn check_loops(world: &World<'_>, mappings: &[Mapping]) {
    let by_name: HashMap<_, _> = mappings.iter().map(|mapping| (mapping.name.as_str(), mapping)).collect();
    let mut marks = HashMap::new();
    for mapping in mappings {
        search(world, &by_name, &mut marks, mapping);
    }
}

/// Searches with a stack of its own: a chain of hand-overs can be as long as a project.
fn search<'m>(
    world: &World<'_>,
    by_name: &HashMap<&'m str, &'m Mapping>,
    marks: &mut HashMap<&'m str, Mark>,
    start: &'m Mapping,
) {
    if marks.contains_key(start.name.as_str()) {
        return;
    }
    marks.insert(&start.name, Mark::OnPath);
    let mut path = vec![(start, edges(start).collect::<Vec<_>>().into_iter())];
    while let Some((mapping, next)) = path.last_mut() {
        let mapping = *mapping;
        let Some((name, span)) = next.next() else {
            marks.insert(&mapping.name, Mark::Done);
            path.pop();
            continue;
        };
        let Some(to) = by_name.get(name).copied() else { continue };
        match marks.get(name) {
            None => {
                marks.insert(&to.name, Mark::OnPath);
                path.push((to, edges(to).collect::<Vec<_>>().into_iter()));
            }
            Some(Mark::OnPath) => {
                let names: Vec<_> = path.iter().map(|(mapping, _)| mapping.name.as_str()).collect();
                report_loop(world, &names, to, span);
            }
            Some(Mark::Done) => {}
        }
    }
}

fn report_loop(world: &World<'_>, path: &[&str], to: &Mapping, span: Span) {
    let start = path.iter().position(|name| *name == to.name).unwrap_or(0);
    let circle: Vec<_> = path[start..].iter().copied().chain([to.name.as_str()]).collect();
    let message = format!("hand-overs lead in a circle: {}", circle.join(" → "));
    let finding = Diagnostic::error(Code::HAND_OVER_LOOP, span, message).label("closes the circle");
    world.report(
        finding.and(to.span, "back to this mapping").help("let one of them `park` or `skip` instead"),
    );
}
