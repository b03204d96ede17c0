//! One authority for each field: two mappings that run by themselves do not write one field of one object.

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::ObjectName;

use super::typed::{Mapping, Rule};
use super::world::World;

/// Reports fields with two authorities. A shared rule is one authority for all that use it, and a mapping that only
/// receives hand-overs speaks for the mapping that hands over.
pub(super) fn check(world: &World<'_>, mappings: &[Mapping]) {
    let mut first: HashMap<(&ObjectName, &str), (&Mapping, &Rule)> = HashMap::new();
    for mapping in mappings.iter().filter(|mapping| !mapping.triggers.is_empty()) {
        for rule in &mapping.rules {
            let (other, other_rule) =
                *first.entry((&mapping.target, &rule.target)).or_insert((mapping, rule));
            if other.name == mapping.name || other_rule.span == rule.span {
                continue;
            }
            let message = format!(
                "`{}` of `{}` is written by `{}` and by `{}`",
                rule.target, mapping.target, other.name, mapping.name
            );
            let finding = Diagnostic::error(Code::TWO_AUTHORITIES, rule.span, message);
            let finding = finding.and(other_rule.span, format!("`{}` writes it here", other.name));
            world.report(
                finding.help("put the rule into shared `fields` that both use, or let one mapping write it"),
            );
        }
    }
}
