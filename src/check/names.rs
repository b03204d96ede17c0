//! Collects the items of all files by name and refuses two of one name.

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::functions;
use crate::source::Span;
use crate::syntax::ast::{self, Item};

use super::outcomes;
use super::world::World;

/// The items that are checked in a later pass.
#[derive(Default)]
pub(super) struct Index<'a> {
    pub(super) picklists: Vec<&'a ast::Picklist>,
    pub(super) orders: Vec<&'a ast::Order>,
    pub(super) tests: Vec<&'a ast::Test>,
}

/// Puts every item into the world. Of two with one name the first one stays; the second is reported.
pub(super) fn index<'a>(world: &mut World<'a>, files: &'a [ast::File]) -> Index<'a> {
    let mut index = Index::default();
    let mut names = HashMap::new();
    for file in files {
        if file.items.is_empty() {
            report_empty(world, file);
        }
        for item in &file.items {
            add(world, &mut index, &mut names, item);
        }
    }
    index
}

type Names<'a> = HashMap<(&'static str, &'a str), Span>;

fn add<'a>(world: &mut World<'a>, index: &mut Index<'a>, names: &mut Names<'a>, item: &'a Item) {
    match item {
        Item::Mapping(mapping) => {
            if is_new(world, names, "mapping", &mapping.name) {
                world.mappings.insert(&mapping.name.value, mapping);
                world.given.extend(outcomes::hands_over(mapping));
            }
        }
        Item::Sync(sync) => {
            if is_new(world, names, "mapping", &sync.name) {
                world.syncs.insert(&sync.name.value, sync);
            }
        }
        Item::Fields(fields) => {
            if is_new(world, names, "fields", &fields.name) {
                world.fields.insert(&fields.name.value, fields);
            }
        }
        Item::Picklist(picklist) => {
            if is_new(world, names, "picklist", &picklist.name) {
                report_function(world, &picklist.name);
                index.picklists.push(picklist);
            }
        }
        Item::Order(order) => {
            if is_new(world, names, "order", &order.name) {
                index.orders.push(order);
            }
        }
        Item::Test(test) => {
            if is_new(world, names, "test", &test.name) {
                index.tests.push(test);
            }
        }
    }
}

fn is_new<'a>(world: &World<'a>, names: &mut Names<'a>, kind: &'static str, name: &'a ast::Name) -> bool {
    let first = *names.entry((kind, &name.value)).or_insert(name.span);
    if first == name.span {
        return true;
    }
    let what = if kind == "fields" { "shared fields are" } else { kind };
    let message = match kind {
        "fields" => format!("{what} called `{}` twice", name.value),
        _ => format!("two {what}s are called `{}`", name.value),
    };
    let finding = Diagnostic::error(Code::DUPLICATE_NAME, name.span, message).label("the second");
    world.report(finding.and(first, "the first").help("give one of them another name"));
    false
}

fn report_function(world: &World<'_>, name: &ast::Name) {
    if functions::find(&name.value).is_some() {
        let message = format!("the picklist `{0}` has the name of the function `{0}`", name.value);
        let help = "after `|` nobody could tell which is meant; give the picklist another name";
        world.report(Diagnostic::error(Code::DUPLICATE_NAME, name.span, message).help(help));
    }
}

fn report_empty(world: &World<'_>, file: &ast::File) {
    let text = world.sources.file(file.file).text();
    // A file whose items are all broken has its own findings.
    let is_empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if is_empty {
        let finding =
            Diagnostic::warning(Code::EMPTY_FILE, Span::new(file.file, 0, 0), "the file has no item");
        world.report(finding.help("write a `mapping`, or remove the file"));
    }
}
