//! Labels of associations: which pairs of objects a project is about, and whether the snapshot has a label.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span, Spanned};
use crate::syntax::ast::{self, TriggerKind, WithSource};

use super::mend;
use super::words;
use super::world::{Obj, World};

/// The pairs of HubSpot's objects that the mappings of these files associate, or of which they read an association: from which
/// object, and to which.
pub fn associated<'f>(files: impl IntoIterator<Item = &'f ast::File>) -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    for item in files.into_iter().flat_map(|file| &file.items) {
        match item {
            ast::Item::Mapping(mapping) => {
                of_body(&mapping.body, mapping.from.first(), mapping.to.first(), &mut pairs);
            }
            ast::Item::Sync(sync) => {
                if let Some((one, other)) = sync.between.first() {
                    let hubspot = [one, other].into_iter().find(|object| object.side == Side::Hubspot);
                    of_body(&sync.body, hubspot, hubspot, &mut pairs);
                }
            }
            _ => {}
        }
    }
    pairs
}

fn of_body(
    body: &ast::Body,
    source: Option<&ast::ObjectRef>,
    target: Option<&ast::ObjectRef>,
    pairs: &mut BTreeSet<(String, String)>,
) {
    let mut add = |from: Option<&ast::ObjectRef>, to: &ast::ObjectRef| {
        if let Some(from) = from.filter(|from| from.side == Side::Hubspot && to.side == Side::Hubspot) {
            pairs.insert((from.name.value.clone(), to.name.value.clone()));
        }
    };
    for with in &body.withs {
        if let WithSource::Primary(object) | WithSource::Labelled(_, object) = &with.source {
            add(source, object);
        }
    }
    for when in &body.whens {
        if let TriggerKind::PrimaryChanges(object) | TriggerKind::LabelledChanges(_, object) = &when.kind {
            add(source, object);
        }
    }
    for associate in &body.associates {
        add(target, &associate.object);
    }
}

/// HubSpot's objects of which it is known with which others they have a primary association (HubSpot's guide to
/// associations, its list of association types).
const WITH_KNOWN_PRIMARIES: [&str; 4] = ["contact", "company", "deal", "ticket"];

/// Whether HubSpot has a primary association from one object to another; `None` where it is not known.
fn has_primary(from: &Obj<'_>, to: &Obj<'_>) -> Option<bool> {
    let names = [from.name.name.as_str(), to.name.name.as_str()];
    if names[0] == names[1] {
        return Some(false);
    }
    if names.iter().all(|name| WITH_KNOWN_PRIMARIES.contains(name)) {
        return Some(names.contains(&COMPANY));
    }
    from.object.associations.get(names[1]).map(|known| known.has(PRIMARY))
}

const COMPANY: &str = "company";

/// HubSpot's own label of the primary association.
const PRIMARY: &str = "Primary";

/// Reports a primary association between objects that have none.
pub(super) fn check_primary(world: &World<'_>, from: &Obj<'_>, to: &Obj<'_>, span: Span) {
    if from.name.side != Side::Hubspot
        || to.name.side != Side::Hubspot
        || has_primary(from, to) != Some(false)
    {
        return;
    }
    let message = format!("HubSpot has no primary association of a `{}` with a `{}`", from.name, to.name);
    let finding = Diagnostic::error(Code::LABEL_UNKNOWN, span, message).label("none is primary");
    world
        .report(finding.help(
            "write a label in quotes; a contact, a deal and a ticket have a primary `hubspot.company`",
        ));
}

/// Reports a label that the associations from one object to another do not have, where the snapshot lists those.
pub(super) fn check_label(world: &World<'_>, from: &Obj<'_>, to: &Obj<'_>, label: &Spanned<String>) {
    let Some(known) = from.object.associations.get(&to.name.name) else { return };
    if known.has(&label.value) {
        return;
    }
    let message =
        format!("a `{}` has no association with a `{}` labelled `{}`", from.name, to.name, label.value);
    let finding = Diagnostic::error(Code::LABEL_UNKNOWN, label.span, message).label("unknown label");
    let texts = || known.texts.iter().map(|text| text.value.as_str());
    let help = world.guesses.did_you_mean(&label.value, texts()).unwrap_or_else(|| {
        let all: Vec<String> = texts().map(str::to_owned).collect();
        if all.is_empty() {
            return "there is none; `mapwright schema pull` takes new ones into the snapshot".to_owned();
        }
        format!(
            "the labels are {}; `mapwright schema pull` takes new ones into the snapshot",
            words::some(&all)
        )
    });
    let finding = finding.and(known.span, "its labels are here").help(help);
    world.report(mend::reword(&world.guesses, finding, &label.value, label.span, texts()));
}
