//! What a program needs to read: the fields in use, the look-ups of each rule, and what must be there early.

use std::collections::BTreeSet;

use super::expression::{Condition, Expr, children, condition_children};
use super::program::GuardElse;
use super::program::{Lookup, Mapping, Need, OutcomeAction, Test, TestOp, Trigger, WithKind};

/// What an expression uses, through named values and look-ups.
#[derive(Default)]
struct Used {
    slots: BTreeSet<usize>,
    lookups: BTreeSet<usize>,
    lets: BTreeSet<usize>,
}

/// Fills in what follows from the expressions of a program.
pub(super) fn fill(mapping: &mut Mapping) {
    let mut early = Used::default();
    let mut guard_needs = Vec::new();
    for guard in &mapping.guards {
        let mut used = Used::default();
        used.condition(mapping, &guard.condition);
        guard_needs.push((awaited_fields(mapping, &used.slots), used.lookups.into_iter().collect()));
        early.condition(mapping, &guard.condition);
    }
    let guards_need = related_of(mapping, &early.slots);
    if let Some(key) = &mapping.key {
        early.expr(mapping, &key.value);
    }
    for rung in &mapping.rungs {
        early.tests(mapping, &rung.tests);
    }
    let ladder_needs = related_of(mapping, &early.slots);
    let rule_needs: Vec<Used> = mapping
        .rules
        .iter()
        .map(|rule| {
            let mut used = Used::default();
            used.expr(mapping, &rule.value);
            used
        })
        .collect();
    let rule_related: Vec<BTreeSet<usize>> =
        rule_needs.iter().map(|used| related_of(mapping, &used.slots)).collect();

    let nested: Vec<Vec<usize>> = mapping
        .lookups
        .iter()
        .map(|lookup| {
            let mut used = Used::default();
            used.tests(mapping, &lookup.tests);
            used.lookups.into_iter().collect()
        })
        .collect();

    for (guard, (fields, lookups)) in mapping.guards.iter_mut().zip(guard_needs) {
        guard.fields = fields;
        guard.lookups = lookups;
    }
    for (lookup, needs) in mapping.lookups.iter_mut().zip(nested) {
        lookup.needs = needs;
    }
    let rules_need: BTreeSet<usize> = rule_related.iter().flatten().copied().collect();
    for ((rule, used), related) in mapping.rules.iter_mut().zip(rule_needs).zip(rule_related) {
        rule.lookups = used.lookups.into_iter().collect();
        rule.related = related.into_iter().collect();
    }
    for index in early.lookups {
        mapping.lookups[index].early = true;
    }
    for (index, related) in mapping.related.iter_mut().enumerate() {
        related.need =
            [(&guards_need, Need::Guards), (&ladder_needs, Need::Ladder), (&rules_need, Need::Rules)]
                .into_iter()
                .find_map(|(those, need)| those.contains(&index).then_some(need));
    }
    fill_reads(mapping);
}

/// The fields that are read of the source record and of each related one.
fn fill_reads(mapping: &mut Mapping) {
    let slots: BTreeSet<usize> = (0..mapping.slots.len()).collect();
    mapping.reads = fields_of(mapping, None, &slots);
    for index in 0..mapping.related.len() {
        let reads = fields_of(mapping, Some(index), &slots);
        let related = &mut mapping.related[index];
        related.reads = reads;
        if let (Some(_), WithKind::Reference { field }) = (related.need, &related.kind) {
            let field = field.clone();
            insert(&mut mapping.reads, field);
        }
    }
    // A `becomes` is judged on the record as read where the notice does not tell the value.
    let becoming = mapping.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Becomes(field, _) => Some(field.clone()),
        _ => None,
    });
    for field in becoming.collect::<Vec<_>>() {
        insert(&mut mapping.reads, field);
    }
}

/// Lets each program read what those need that it can hand over to, so that a hand-over reads nothing again.
pub(super) fn share_reads(mappings: &mut [Mapping]) {
    // Hand-overs have no circles (the checker proves it), so as many rounds as mappings reach every chain's end.
    for _ in 0..mappings.len() {
        let mut changed = false;
        for index in 0..mappings.len() {
            for name in hand_overs(&mappings[index]) {
                let Some(other) = mappings.iter().position(|mapping| mapping.name == name) else { continue };
                for field in mappings[other].reads.clone() {
                    changed |= insert(&mut mappings[index].reads, field);
                }
            }
        }
        if !changed {
            return;
        }
    }
}

/// The names of the mappings that one can hand over to.
pub(super) fn hand_overs(mapping: &Mapping) -> Vec<String> {
    let guards = mapping.guards.iter().filter_map(|guard| match &guard.otherwise {
        GuardElse::Then(name) => Some(name.clone()),
        _ => None,
    });
    let rungs = mapping.rungs.iter().filter_map(|rung| rung.then.clone());
    let outcomes = mapping.outcomes.values().filter_map(|outcome| match &outcome.action {
        OutcomeAction::Then(name) => Some(name.clone()),
        _ => None,
    });
    guards.chain(rungs).chain(outcomes).collect()
}

/// The source fields whose change can change what these slots hold: those read, and those that name a record read.
fn awaited_fields(mapping: &Mapping, slots: &BTreeSet<usize>) -> Vec<String> {
    let mut fields = fields_of(mapping, None, slots);
    for index in related_of(mapping, slots) {
        if let WithKind::Reference { field } = &mapping.related[index].kind {
            insert(&mut fields, field.clone());
        }
    }
    fields
}

/// The related records that these slots are of.
fn related_of(mapping: &Mapping, slots: &BTreeSet<usize>) -> BTreeSet<usize> {
    slots.iter().filter_map(|slot| mapping.slots[*slot].of).collect()
}

fn fields_of(mapping: &Mapping, of: Option<usize>, slots: &BTreeSet<usize>) -> Vec<String> {
    let mut fields = Vec::new();
    for slot in slots.iter().map(|index| &mapping.slots[*index]) {
        // Every read answers with the record's id.
        if slot.of == of && slot.field != "id" && slot.field != "Id" {
            insert(&mut fields, slot.field.clone());
        }
    }
    fields
}

fn insert(fields: &mut Vec<String>, field: String) -> bool {
    let new = !fields.contains(&field);
    if new {
        fields.push(field);
    }
    new
}

impl Used {
    fn expr(&mut self, mapping: &Mapping, expr: &Expr) {
        match expr {
            Expr::Slot(index) => {
                self.slots.insert(*index);
            }
            Expr::Let(index) if self.lets.insert(*index) => self.expr(mapping, &mapping.lets[*index]),
            Expr::Lookup(index) => self.lookup(mapping, *index),
            _ => children(expr, &mut |child| self.expr(mapping, child)),
        }
    }

    fn lookup(&mut self, mapping: &Mapping, index: usize) {
        let Lookup { tests, .. } = &mapping.lookups[index];
        if self.lookups.insert(index) {
            self.tests(mapping, tests);
        }
    }

    fn tests(&mut self, mapping: &Mapping, tests: &[Test]) {
        for test in tests {
            match &test.op {
                TestOp::Compare(_, value) => self.expr(mapping, value),
                TestOp::In(values) => values.iter().for_each(|value| self.expr(mapping, value)),
                TestOp::Presence(_) => {}
            }
        }
    }

    fn condition(&mut self, mapping: &Mapping, condition: &Condition) {
        condition_children(condition, &mut |child| self.expr(mapping, child));
    }
}
