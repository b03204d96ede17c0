//! Proves a project against both snapshots: resolves every name, then types every expression.
//!
//! [`check`] takes the trees and the schemas and gives all findings of all files at once, in source order, and, when
//! none of them is an error, the [`Checked`] project from which alone a plan can be built. Pure.
//!
//! What it holds to:
//!
//! - An error is reported where it is made and once: a value that was already reported has [`Type::Error`], which goes
//!   with everything.
//! - Whatever can be blank is known to be: a guard `NAME is present` makes `NAME` present in the whole mapping, a
//!   condition of an `if` in its branch.
//! - What can fail is known to fail: functions that say so, a translation without a line for every option, a look-up
//!   that several records can match, a division unless by a literal. Sums, differences and products fail only beyond
//!   28 digits, text that is put together only beyond 1 MiB, and reading a HubSpot property only when HubSpot holds what
//!   its own type forbids; all park the record at run time and ask for no `otherwise`.
//! - The work is in proportion to the files, whatever they hold: shared rules are typed once for all uses that are alike,
//!   suggestions and errors have an end.
//!
//! [`Type::Error`]: crate::types::Type::Error

mod allow;
mod argument;
mod assign;
mod associate;
mod associated;
mod authority;
mod bounds;
mod builtin;
mod call;
mod circles;
mod condition;
mod convert;
mod currency;
mod depth;
mod expr;
mod fields;
mod form;
mod handover;
mod ladder;
mod linked;
mod loops;
mod mapping;
mod mend;
mod names;
mod options;
mod order;
mod outcomes;
mod owners;
mod picklist;
mod policies;
mod reach;
mod record_type;
mod scope;
mod search;
mod settle;
mod sides;
mod sure;
mod sync;
mod test_items;
mod test_refusals;
mod test_values;
mod trigger;
mod two_way;
pub mod typed;
mod unused;
mod white;
mod words;
mod world;
mod years;

use std::collections::HashSet;

use crate::diagnostic::Diagnostic;
use crate::schema::Schemas;
use crate::source::Sources;
use crate::syntax::ast;

pub use allow::suppress;
pub use argument::filters;
pub use associated::associated;
pub use typed::{Checked, Project};

use world::World;

/// Checks all files of a project together.
///
/// The findings are in source order; the project is there only when none of them is an error.
pub fn check(
    files: &[ast::File],
    schemas: &Schemas,
    sources: &Sources,
) -> (Option<Checked<Project>>, Vec<Diagnostic>) {
    let owner = builtin::owner(schemas);
    let legs = sync::take_apart(files, schemas);
    let mut world = World::new(schemas, sources, &owner);
    let comments = files.iter().flat_map(|file| &file.comments);
    world.comments =
        comments.map(|comment| ((comment.span.file, comment.span.end), comment.span.start)).collect();
    let index = names::index(&mut world, files);
    world.picklists = picklist::check_all(&world, &index.picklists);
    world.orders = order::check_all(&world, &index.orders);
    fields::check_shared(&world);
    let mappings = mapping::check_all(&world);
    if world.is_full() {
        return (None, in_order(ended(world.into_findings()), sources));
    }
    let syncs = sync::check_all(&world, &legs);
    let tests = test_items::check_all(&world, &index.tests, &mappings, &syncs);
    handover::check_loops(&world, &mappings);
    authority::check(&world, &mappings, &syncs);
    loops::check(&world, &mappings, &syncs);
    circles::check(&world, &syncs);
    unused::check(&world, &index);

    let project = Project {
        picklists: world
            .picklists
            .iter()
            .map(|(name, facts)| ((*name).to_owned(), facts.finished()))
            .collect(),
        orders: world.orders.iter().map(|(name, facts)| ((*name).to_owned(), facts.typed.clone())).collect(),
        tests,
        syncs: syncs.into_iter().map(|sync| (sync.name.clone(), sync)).collect(),
        mappings: mappings.into_iter().map(|mapping| (mapping.name.clone(), mapping)).collect(),
    };
    let findings = in_order(world.into_findings(), sources);
    let proved = !findings.iter().any(Diagnostic::is_error);
    (proved.then_some(Checked(project)), findings)
}

/// Says that nothing more was looked for, at the last finding.
fn ended(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if let Some(last) = findings.iter().rfind(|finding| finding.is_error()) {
        let message = "there are so many mistakes that no more were looked for";
        let finding = Diagnostic::error(last.code, last.span(), message);
        findings.push(finding.help("correct these first; the rest shows then"));
    }
    findings
}

/// Puts findings into source order, each once: a shared rule is checked for every mapping that uses it.
fn in_order(mut findings: Vec<Diagnostic>, sources: &Sources) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    findings.retain(|finding| seen.insert((finding.code, finding.span(), finding.message.clone())));
    findings.sort_by(|a, b| a.order(sources).cmp(&b.order(sources)));
    findings
}

#[cfg(test)]
mod tests;
