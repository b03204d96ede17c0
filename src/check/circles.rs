//! Rules of a sync that go in a circle: what one writes the next reads, and what the last writes the first reads.
//!
//! Such rules never come to rest: each run reads what the one before wrote. A rule that writes once (`on create`, `if target
//! is blank`, `once true stays true`, `advance only along`) ends a circle, and a `<->` has none: it reads what it alone writes.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span};

use super::loops::is_again;
use super::typed::{
    Condition, ConditionKind, Expr, ExprKind, Mapping, RecordUse, Rule, Sync, TemplatePart, TestOp, WithKind,
};
use super::world::{World, field_word};

/// Once a circle of a sync is reported, no more steps than this go into finding others: who mends it finds them.
const STEPS: usize = 1_000_000;

/// Reports the circles of every sync, each once, at the rule that closes it.
pub(super) fn check(world: &World<'_>, syncs: &[Sync]) {
    for sync in syncs {
        let rules = Rules::of(sync);
        let mut reported: HashSet<Vec<usize>> = HashSet::new();
        let mut steps = 0;
        for start in rules.between_circles() {
            if steps > STEPS && !reported.is_empty() {
                break;
            }
            let Some(circle) = rules.circle(start, &mut steps) else { continue };
            let mut members = circle.clone();
            members.sort_unstable();
            if reported.insert(members) {
                report(world, sync, &circle.iter().map(|index| &rules.all[*index]).collect::<Vec<_>>());
            }
        }
    }
}

/// A rule of one direction that can write again and again.
struct Again<'s> {
    rule: &'s Rule,
    /// The side that it writes.
    to: Side,
}

/// Those rules of a sync, and for each the rules that read what it writes.
struct Rules<'s> {
    all: Vec<Again<'s>>,
    next: Vec<Vec<usize>>,
}

impl<'s> Rules<'s> {
    fn of(sync: &'s Sync) -> Self {
        let mut all = Vec::new();
        let mut readers: HashMap<(Side, &str), Vec<usize>> = HashMap::new();
        for leg in [&sync.to_salesforce, &sync.to_hubspot] {
            // A `<->` stands in both legs, also one that is not in order.
            let opposite = match leg.target.side {
                Side::Salesforce => &sync.to_hubspot,
                Side::Hubspot => &sync.to_salesforce,
            };
            let both: HashSet<Span> = opposite.rules.iter().map(|rule| rule.span).collect();
            for rule in leg.rules.iter().filter(|rule| !both.contains(&rule.span) && is_again(rule)) {
                for field in read_by(leg, &rule.value) {
                    readers.entry((leg.source.side, field)).or_default().push(all.len());
                }
                all.push(Again { rule, to: leg.target.side });
            }
        }
        let next = |rule: &Again<'_>| {
            readers.get(&(rule.to, rule.rule.target.as_str())).cloned().unwrap_or_default()
        };
        let next = all.iter().map(next).collect();
        Self { all, next }
    }

    /// The rules that are part of a circle, or on the way from one to another. There are none where there is no circle.
    fn between_circles(&self) -> Vec<usize> {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.all.len()];
        for (index, next) in self.next.iter().enumerate() {
            for next in next {
                before[*next].push(index);
            }
        }
        let mut left = vec![true; self.all.len()];
        for (ways, back) in [(&self.next, &before), (&before, &self.next)] {
            let open = |left: &[bool], index: usize| ways[index].iter().filter(|way| left[**way]).count();
            let mut open: Vec<usize> = (0..self.all.len()).map(|index| open(&left, index)).collect();
            let mut ends: Vec<usize> = (0..self.all.len()).filter(|at| left[*at] && open[*at] == 0).collect();
            while let Some(end) = ends.pop() {
                left[end] = false;
                for way in back[end].iter().copied().filter(|way| left[*way]) {
                    open[way] -= 1;
                    if open[way] == 0 {
                        ends.push(way);
                    }
                }
            }
        }
        (0..self.all.len()).filter(|index| left[*index]).collect()
    }

    /// A shortest way from a rule back to it, the rule itself first.
    fn circle(&self, start: usize, steps: &mut usize) -> Option<Vec<usize>> {
        let mut from: Vec<Option<usize>> = vec![None; self.all.len()];
        let mut open = VecDeque::from([start]);
        while let Some(at) = open.pop_front() {
            *steps += self.next[at].len();
            if self.next[at].contains(&start) {
                let mut circle = vec![at];
                let mut at = at;
                while let Some(before) = from[at].filter(|_| at != start) {
                    circle.push(before);
                    at = before;
                }
                circle.reverse();
                return Some(circle);
            }
            for next in &self.next[at] {
                if *next != start && from[*next].is_none() {
                    from[*next] = Some(at);
                    open.push_back(*next);
                }
            }
        }
        None
    }
}

/// The source fields that a value reads, itself or to find a related record.
fn read_by<'m>(leg: &'m Mapping, value: &'m Expr) -> HashSet<&'m str> {
    let mut read = Read { leg, fields: HashSet::new(), lets: HashSet::new() };
    read.value(value);
    read.fields
}

struct Read<'m> {
    leg: &'m Mapping,
    fields: HashSet<&'m str>,
    lets: HashSet<usize>,
}

impl<'m> Read<'m> {
    fn value(&mut self, value: &'m Expr) {
        match &value.kind {
            ExprKind::Literal(_) => {}
            ExprKind::Field(used) => match used.of {
                RecordUse::Source => {
                    self.fields.insert(&used.field);
                }
                RecordUse::With(index) => {
                    if let Some(WithKind::Reference { field }) =
                        self.leg.withs.get(index).map(|with| &with.kind)
                    {
                        self.fields.insert(field);
                    }
                }
            },
            ExprKind::Let(index) => {
                if let Some(named) = self.leg.lets.get(*index).filter(|_| self.lets.insert(*index)) {
                    self.value(&named.value);
                }
            }
            ExprKind::Call { args, .. } | ExprKind::List(args) => self.values(args),
            ExprKind::Translate { value, .. } | ExprKind::Linked { id: value, .. } => self.value(value),
            ExprKind::Template(parts) => {
                for part in parts {
                    if let TemplatePart::Hole(value) = part {
                        self.value(value);
                    }
                }
            }
            ExprKind::Arithmetic(left, _, right) => {
                self.value(left);
                self.value(right);
            }
            ExprKind::If(condition, yes, no) => {
                self.condition(condition);
                self.value(yes);
                self.value(no);
            }
            ExprKind::Condition(condition) => self.condition(condition),
            ExprKind::Lookup { tests, .. } => {
                for test in tests {
                    match &test.op {
                        TestOp::Compare(_, value) => self.value(value),
                        TestOp::In(values) => self.values(values),
                        TestOp::Presence(_) => {}
                    }
                }
            }
        }
    }

    fn values(&mut self, values: &'m [Expr]) {
        for value in values {
            self.value(value);
        }
    }

    fn condition(&mut self, condition: &'m Condition) {
        match &condition.kind {
            ConditionKind::Or(all) | ConditionKind::And(all) => {
                for one in all {
                    self.condition(one);
                }
            }
            ConditionKind::Not(inner) => self.condition(inner),
            ConditionKind::Compare(left, _, right) | ConditionKind::In(left, right) => {
                self.value(left);
                self.value(right);
            }
            ConditionKind::Presence(value, _) | ConditionKind::Value(value) => self.value(value),
        }
    }
}

fn report(world: &World<'_>, sync: &Sync, circle: &[&Again<'_>]) {
    let Some((closing, before)) = circle.split_last() else { return };
    let (start, fields) = (&closing.rule.target, circle.iter().map(|again| again.rule.target.as_str()));
    let path: Vec<&str> = [start.as_str()].into_iter().chain(fields).collect();
    let message =
        format!("these rules of `{}` go in a circle and never come to rest: {}", sync.name, path.join(" → "));
    let label = format!("writes `{start}` anew");
    let mut finding = Diagnostic::error(Code::RULE_CIRCLE, closing.rule.span, message).label(label);
    for again in before {
        let label =
            format!("writes the {} `{}`, which is read again", field_word(again.to), again.rule.target);
        finding = finding.and(again.rule.span, label);
    }
    let help = match before {
        [other] => {
            let (hubspot, salesforce) = match closing.to {
                Side::Hubspot => (closing, other),
                Side::Salesforce => (other, closing),
            };
            format!(
                "if both fields are to hold the same, write one rule: `{} <-> {} on conflict salesforce`. Otherwise let \
                 one of the two write once: `on create` or `if target is blank`",
                hubspot.rule.target, salesforce.rule.target
            )
        }
        _ => "let one of them write once, `on create` or `if target is blank`, or let it read another field"
            .to_owned(),
    };
    world.report(finding.help(help));
}
