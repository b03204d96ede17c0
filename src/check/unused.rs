//! Items that nothing uses, and the `otherwise` of a picklist that no use reaches.

use crate::diagnostic::{Code, Diagnostic};

use super::names::Index;
use super::picklist::PicklistFacts;
use super::world::{ItemKind, World};

/// Warns about items that nothing uses, and about an `otherwise` that is not reached.
pub(super) fn check(world: &World<'_>, index: &Index<'_>) {
    for finding in world.picklists.values().filter_map(PicklistFacts::unreached) {
        world.report(finding.clone());
    }
    let fields = world.fields.values().map(|item| (ItemKind::Fields, "the shared fields", &item.name));
    let picklists = index.picklists.iter().map(|item| (ItemKind::Picklist, "the picklist", &item.name));
    let orders = index.orders.iter().map(|item| (ItemKind::Order, "the order", &item.name));
    for (kind, what, name) in fields.chain(picklists).chain(orders) {
        if !world.is_used(kind, &name.value) {
            let message = format!("nothing uses {what} `{}`", name.value);
            world.report(Diagnostic::warning(Code::UNUSED, name.span, message).help("use it, or remove it"));
        }
    }
    for (name, mapping) in &world.mappings {
        let has_trigger = !mapping.body.whens.is_empty() || world.is_written(mapping.span, &["when"]);
        if !has_trigger && !world.is_used(ItemKind::Mapping, name) {
            let message = format!(
                "`{name}` has no `when` and no mapping hands over to it, so only `mapwright run` runs it"
            );
            let finding = Diagnostic::warning(Code::UNUSED, mapping.name.span, message);
            world.report(finding.help(
                "write when it runs: `when created`, `when FIELD changes`, `when FIELD becomes VALUE`",
            ));
        }
    }
}
