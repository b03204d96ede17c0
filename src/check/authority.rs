//! One authority for each field: two mappings that run by themselves do not write one field of one object.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::ObjectName;

use super::typed::{Mapping, Rule, Sync, WhenWritten};
use super::world::World;

/// A field that two mappings write: the later rule and the earlier one.
type Clash<'m> = (&'m Rule, &'m Rule);

/// Reports fields with two authorities, once for each pair of mappings. A shared rule is one authority for all that use
/// it, and a mapping that only receives hand-overs speaks for the mapping that hands over. What is written `on create`
/// only is the first value, which the other mapping then has in its hands; two such rules would be two first values.
pub(super) fn check(world: &World<'_>, mappings: &[Mapping], syncs: &[Sync]) {
    let mut first: HashMap<(&ObjectName, &str, bool), (&Mapping, &Rule)> = HashMap::new();
    let mut clashes: IndexMap<(&str, &str), (&Mapping, Vec<Clash<'_>>)> = IndexMap::new();
    let legs = syncs.iter().flat_map(|sync| [&sync.to_salesforce, &sync.to_hubspot]);
    // An event of a timeline is made once, and each source has its own.
    let is_event = |mapping: &Mapping| {
        let object = world.object_named(mapping.target.side, &mapping.target.name);
        object.is_some_and(|object| object.object.timeline.is_some())
    };
    let apart = |mapping: &&Mapping| !mapping.triggers.is_empty() && !is_event(mapping);
    for mapping in mappings.iter().filter(apart).chain(legs) {
        for rule in &mapping.rules {
            let on_create = rule.when == WhenWritten::OnCreate;
            let (other, other_rule) =
                *first.entry((&mapping.target, &rule.target, on_create)).or_insert((mapping, rule));
            if other.name == mapping.name || other_rule.span == rule.span {
                continue;
            }
            let (_, fields) =
                clashes.entry((&other.name, &mapping.name)).or_insert_with(|| (mapping, Vec::new()));
            fields.push((rule, other_rule));
        }
    }
    for ((other, name), (mapping, fields)) in clashes {
        report(world, mapping, name, other, &fields);
    }
}

fn report(world: &World<'_>, mapping: &Mapping, name: &str, other: &str, fields: &[Clash<'_>]) {
    let Some(((rule, other_rule), more)) = fields.split_first() else { return };
    let also: Vec<String> = more.iter().map(|(rule, _)| format!("`{}`", rule.target)).collect();
    let also = if also.is_empty() {
        String::new()
    } else {
        format!(", and so {} {}", if also.len() == 1 { "is" } else { "are" }, also.join(", "))
    };
    let message =
        format!("`{}` of `{}` is written by `{other}` and by `{name}`{also}", rule.target, mapping.target);
    let finding = Diagnostic::error(Code::TWO_AUTHORITIES, rule.span, message)
        .and(other_rule.span, format!("`{other}` writes it here"));
    let help = if more.is_empty() {
        "put the rule into shared `fields` that both use, or let one mapping write it"
    } else {
        "put the rules into shared `fields` that both use, or let one mapping write them"
    };
    world.report(finding.help(help));
}
