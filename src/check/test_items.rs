//! `test` items, as far as names go: the mapping, the objects and their fields.

use crate::syntax::ast::{self, ExpectKind};

use super::world::World;

/// Resolves the names of every test.
pub(super) fn check_all(world: &World<'_>, tests: &[&ast::Test]) {
    for test in tests {
        for subject in &test.subjects {
            let known = world.mappings.contains_key(subject.value.as_str())
                || world.syncs.contains_key(subject.value.as_str());
            if !known {
                world.mapping(subject);
            }
        }
        for given in &test.given {
            check_record(world, &given.object, &given.entries);
        }
        for expect in &test.expect {
            match &expect.kind {
                ExpectKind::Create(object, entries) | ExpectKind::Update(object, entries) => {
                    check_record(world, object, entries);
                }
                ExpectKind::Then(name) if !world.mappings.contains_key(name.value.as_str()) => {
                    world.mapping(name);
                }
                ExpectKind::Skip | ExpectKind::Park(_) | ExpectKind::Then(_) => {}
            }
        }
    }
}

fn check_record(world: &World<'_>, object: &ast::ObjectRef, entries: &[ast::Entry]) {
    let Some(object) = world.object(object) else { return };
    for entry in entries {
        if !object.is_record_id(&entry.name.value) {
            world.field(&object, &entry.name);
        }
    }
}
