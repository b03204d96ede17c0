//! What a program needs to read: the fields in use, the look-ups of each rule, and what must be there early.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::expression::{Condition, Expr, children, condition_children};
use super::program::GuardElse;
use super::program::{
    Convert, Ids, Lookup, Mapping, Need, OneWay, OutcomeAction, Sought, TargetField, Test, TestOp, Trigger,
    TwoWay,
};
use crate::source::Side;
use crate::types::Type;

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
    let rule_needs = used_by_rules(mapping);
    let rule_related: Vec<BTreeSet<usize>> =
        rule_needs.iter().map(|used| related_of(mapping, &used.slots)).collect();

    let nested = mapping.lookups.iter().map(|lookup| {
        let mut used = Used::default();
        used.sought(mapping, &lookup.what);
        used
    });
    let nested: Vec<Used> = nested.collect();

    for (guard, (fields, lookups)) in mapping.guards.iter_mut().zip(guard_needs) {
        guard.fields = fields;
        guard.lookups = lookups;
    }
    for (lookup, used) in mapping.lookups.iter_mut().zip(nested) {
        lookup.needs = used.lookups.into_iter().collect();
        lookup.slots = used.slots.into_iter().collect();
    }
    let associations_need = fill_associations(mapping);
    let rules_need: BTreeSet<usize> =
        rule_related.iter().flatten().copied().chain(associations_need).collect();
    let converts = mapping.convert.iter_mut().flat_map(Convert::rules_mut);
    for ((rule, used), related) in mapping.rules.iter_mut().chain(converts).zip(rule_needs).zip(rule_related)
    {
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
    mapping.kept = kept(mapping);
}

/// The named values that are worth keeping: read by several places, and made of other named values.
fn kept(mapping: &Mapping) -> Vec<bool> {
    let mut reads = vec![0_usize; mapping.lets.len()];
    let mut composed = vec![false; mapping.lets.len()];
    for (index, value) in mapping.lets.iter().enumerate() {
        let mut count = |read: usize| {
            reads[read] += 1;
            composed[index] = true;
        };
        lets_of(value, &mut count);
    }
    // What reads a named value from outside the names does so as often as it stands there, which no chain doubles.
    reads.iter().zip(composed).map(|(reads, composed)| *reads > 1 && composed).collect()
}

fn lets_of(value: &Expr, found: &mut dyn FnMut(usize)) {
    match value {
        Expr::Let(index) => found(*index),
        _ => children(value, &mut |child| lets_of(child, found)),
    }
}

/// What each rule uses, and behind them each value of the conversion.
fn used_by_rules(mapping: &Mapping) -> Vec<Used> {
    let converts = mapping.convert.iter().flat_map(Convert::rules);
    let used = mapping.rules.iter().chain(converts).map(|rule| {
        let mut used = Used::default();
        used.expr(mapping, &rule.value);
        used
    });
    used.collect()
}

/// What associations and their rows need, which is read with what the rules need; gives the related records among it.
fn fill_associations(mapping: &mut Mapping) -> Vec<usize> {
    let needs = |used: Used| {
        let related: Vec<usize> = related_of(mapping, &used.slots).into_iter().collect();
        (used.lookups.into_iter().collect::<Vec<usize>>(), related)
    };
    let eaches = mapping.eaches.iter().map(|each| {
        let mut used = Used::default();
        used.tests(mapping, &each.tests);
        needs(used)
    });
    let eaches: Vec<_> = eaches.collect();
    let associates = mapping.associates.iter().map(|associate| {
        let mut used = Used::default();
        if let Ids::Value(value) = &associate.ids {
            used.expr(mapping, value);
        }
        needs(used)
    });
    let associates: Vec<_> = associates.collect();
    let all = eaches.iter().chain(&associates).flat_map(|(_, related)| related.iter().copied()).collect();
    for (each, (lookups, related)) in mapping.eaches.iter_mut().zip(eaches) {
        (each.lookups, each.related) = (lookups, related);
    }
    for (associate, (lookups, related)) in mapping.associates.iter_mut().zip(associates) {
        (associate.lookups, associate.related) = (lookups, related);
    }
    all
}

/// The fields that are read of the source record and of each related one.
fn fill_reads(mapping: &mut Mapping) {
    let slots: BTreeSet<usize> = (0..mapping.slots.len()).collect();
    mapping.reads = fields_of(mapping, None, &slots);
    for index in 0..mapping.related.len() {
        let reads = fields_of(mapping, Some(index), &slots);
        let related = &mut mapping.related[index];
        related.reads = reads;
        if let (Some(_), Some(field)) = (related.need, related.held_by()) {
            let field = field.to_owned();
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
    let by_name: HashMap<&str, usize> =
        mappings.iter().enumerate().map(|(index, mapping)| (mapping.name.as_str(), index)).collect();
    let next: Vec<BTreeSet<usize>> = mappings
        .iter()
        .map(|mapping| {
            hand_overs(mapping).iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect()
        })
        .collect();
    // Hand-overs have no circles (the checker proves it): each program comes behind those that it can hand over to.
    for index in ends_first(&next) {
        for other in &next[index] {
            for field in mappings[*other].reads.clone() {
                insert(&mut mappings[index].reads, field);
            }
        }
    }
}

/// All places of a graph, each behind those that it leads to. With a stack of its own: a chain can be as long as a project.
fn ends_first(next: &[BTreeSet<usize>]) -> Vec<usize> {
    let (mut order, mut seen) = (Vec::with_capacity(next.len()), vec![false; next.len()]);
    for start in 0..next.len() {
        let mut open = vec![(start, false)];
        while let Some((at, done)) = open.pop() {
            if done {
                order.push(at);
            } else if !std::mem::replace(&mut seen[at], true) {
                open.push((at, true));
                open.extend(next[at].iter().filter(|to| !seen[**to]).map(|to| (*to, false)));
            }
        }
    }
    order
}

/// Joins the legs of a sync: the record that one reads is the one that the other writes, so each read asks for what both
/// need. Without a `when` of its own the sync runs for every change of what it reads.
pub(super) fn join(a: &mut Mapping, b: &mut Mapping, triggered: bool) {
    for leg in [&mut *a, &mut *b] {
        if !triggered {
            leg.triggers = vec![Trigger::Created, Trigger::Changes(leg.reads.clone())];
        }
    }
    share_record(a, b);
    share_record(b, a);
}

/// What one leg reads of its source, the other reads of its target, and the other way round.
fn share_record(reader: &mut Mapping, writer: &mut Mapping) {
    for field in writer.target_fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>() {
        insert(&mut reader.reads, field);
    }
    for field in &reader.reads {
        if !writer.target_fields.iter().any(|known| known.name == *field) {
            let slot = reader.slots.iter().find(|slot| slot.of.is_none() && slot.field == *field);
            let ty = slot.map_or(Type::Text(None), |slot| slot.ty.clone());
            writer.target_fields.push(TargetField { name: field.clone(), ty });
        }
    }
}

/// The rules of a sync that write one side only, each behind those that write what it reads. In a circle, which only rules
/// that write once can be part of, the first one stands first.
pub(super) fn one_way(to_salesforce: &Mapping, to_hubspot: &Mapping, two_way: &[TwoWay]) -> Vec<OneWay> {
    let legs = [to_hubspot, to_salesforce];
    let both = |to: Side, index: usize| {
        two_way.iter().any(|rule| index == if to == Side::Hubspot { rule.back } else { rule.forth })
    };
    let rules =
        legs.iter().flat_map(|leg| (0..leg.rules.len()).map(|rule| OneWay { to: leg.target.side, rule }));
    let mut open: Vec<OneWay> = rules.filter(|rule| !both(rule.to, rule.rule)).collect();
    let leg = |rule: &OneWay| if rule.to == Side::Hubspot { to_hubspot } else { to_salesforce };
    let read = |rule: &OneWay| {
        let mut used = Used::default();
        used.expr(leg(rule), &leg(rule).rules[rule.rule].value);
        awaited_fields(leg(rule), &used.slots)
    };
    let mut reads: Vec<Vec<String>> = open.iter().map(read).collect();
    let mut order = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let written: HashSet<(Side, &str)> =
            open.iter().map(|rule| (rule.to, leg(rule).rules[rule.rule].field.as_str())).collect();
        let waits = |index: &usize| {
            let source = leg(&open[*index]).source.side;
            reads[*index].iter().any(|field| written.contains(&(source, field.as_str())))
        };
        let mut next: HashSet<usize> = (0..open.len()).filter(|index| !waits(index)).collect();
        if next.is_empty() {
            next.insert(0);
        }
        let at = |index: usize| next.contains(&index);
        order.extend((0..open.len()).filter(|index| at(*index)).map(|index| open[index]));
        open = (0..open.len()).filter(|index| !at(*index)).map(|index| open[index]).collect();
        reads = (0..reads.len())
            .filter(|index| !at(*index))
            .map(|index| std::mem::take(&mut reads[index]))
            .collect();
    }
    order
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
        if let Some(field) = mapping.related[index].held_by() {
            insert(&mut fields, field.to_owned());
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
        let Lookup { what, .. } = &mapping.lookups[index];
        if self.lookups.insert(index) {
            self.sought(mapping, what);
        }
    }

    fn sought(&mut self, mapping: &Mapping, what: &Sought) {
        match what {
            Sought::Field { tests, .. } | Sought::RecordType { tests, .. } => self.tests(mapping, tests),
            Sought::Linked { id, .. } => self.expr(mapping, id),
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

#[cfg(test)]
mod tests {
    use crate::plan::Need;
    use crate::plan::testing::{LEAD, Lead, plan};

    const OWNER: &str =
        "OwnerId <- lookup salesforce.User.Id where Email = owner.email otherwise keep on create";

    #[test]
    fn only_fields_in_use_are_read_and_the_id_is_not_asked_for() {
        let plan = Lead { fields: "Title <- jobtitle | truncate(128)", ..LEAD }.plan();
        assert_eq!(plan.mappings[0].reads, ["lastname", "jobtitle"]);
    }

    #[test]
    fn what_a_becomes_waits_for_and_what_names_the_owner_is_read() {
        let head = "when lifecyclestage becomes \"customer\"";
        let plan = Lead { head, fields: OWNER, ..LEAD }.plan();
        assert_eq!(plan.mappings[0].reads, ["lastname", "hubspot_owner_id", "lifecyclestage"]);
    }

    #[test]
    fn related_records_are_read_when_something_first_needs_them() {
        let need = |lead: Lead| {
            let plan = lead.plan();
            plan.mappings[0]
                .related
                .iter()
                .map(|related| (related.name.clone(), related.need))
                .collect::<Vec<_>>()
        };
        let late = Lead { fields: OWNER, ..LEAD };
        assert_eq!(need(late), [("owner".to_owned(), Some(Need::Rules))]);
        let guard = Lead { head: "only if owner.email is present otherwise wait", fields: OWNER, ..LEAD };
        assert_eq!(need(guard), [("owner".to_owned(), Some(Need::Guards))]);
        let ladder = Lead {
            head: "with employer = primary hubspot.company\n let site = employer.domain",
            rungs: "key HubSpot_Contact_ID__c = id\n or Website = site",
            outcomes: "on none create\n on many park\n on taken park\n on converted park\n on duplicate park\n on rejected park",
            ..LEAD
        };
        assert_eq!(need(ladder), [("employer".to_owned(), Some(Need::Ladder))]);
    }

    #[test]
    fn a_record_of_which_only_the_id_is_used_is_needed_all_the_same() {
        let plan = Lead {
            head: "with employer = primary hubspot.company",
            fields: "Title <- employer.id | truncate(128)",
            ..LEAD
        }
        .plan();
        let related = &plan.mappings[0].related[0];
        assert_eq!((related.need, related.reads.len()), (Some(Need::Rules), 0));
        assert_eq!(plan.mappings[0].rules[2].related, [0]);
    }

    #[test]
    fn a_guard_waits_for_the_fields_behind_its_names() {
        let head =
            "let mail = email | trim\n only if mail is present and owner.email is present otherwise wait";
        let plan = Lead { head, ..LEAD }.plan();
        assert_eq!(plan.mappings[0].guards[0].fields, ["email", "hubspot_owner_id"]);
    }

    #[test]
    fn look_ups_are_nested_early_and_late() {
        let plan = Lead {
            head: "let boss = lookup salesforce.User.Email where Username = email\n only if boss is present otherwise park",
            outcomes: "on none create\n on converted park\n on duplicate park\n on rejected park",
            fields: "OwnerId <- lookup salesforce.User.Id where Email = (lookup salesforce.User.Email where Username = phone) otherwise keep",
            ..LEAD
        }
        .plan();
        let mapping = &plan.mappings[0];
        let shape: Vec<_> =
            mapping.lookups.iter().map(|lookup| (lookup.early, lookup.needs.clone())).collect();
        assert_eq!(shape, [(true, vec![]), (false, vec![]), (false, vec![1])]);
        assert_eq!(mapping.guards[0].lookups, [0]);
        assert_eq!(mapping.rules.last().expect("a rule").lookups, [1, 2]);
    }

    #[test]
    fn a_hand_over_reads_nothing_again() {
        let lead = Lead {
            rungs: "key HubSpot_Contact_ID__c = id\n or salesforce.Contact where Email = email then known",
            outcomes: "on none create\n on many park\n on converted then known\n on duplicate park\n on rejected park",
            beside: "mapping known {\n from hubspot.contact\n to salesforce.Contact\n match { key HubSpot_Contact_ID__c = id }\n \
                     on none skip\n on taken park\n on rejected park\n fields { FirstName <- nickname } }",
            ..LEAD
        };
        assert_eq!(plan(&lead.text()).mappings[0].reads, ["email", "lastname", "nickname"]);
    }
}
