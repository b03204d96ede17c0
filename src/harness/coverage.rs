//! What the tests of a project do not exercise.
//!
//! Counted are the places that decide something: triggers, guards (both ways), rungs, outcomes, rules, their policies
//! (written because of it, and kept because of it), the lines of picklists, and both branches of each `if`. A shared rule
//! counts once, whichever mapping exercises it. A trigger of a sync that records of both CRMs can fire counts once for each.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::check::typed::{PicklistElse, Project};
use crate::eval::{Point, Trace};
use crate::plan::{
    AccountElse, Conflict, Mapping, OutcomeAction, Plan, Rule, RuleElse, Situation, Sync, TwoWay, WhenWritten,
};
use crate::source::{Location, Side, Sources};

/// How much of a project its tests exercise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// Per cent, rounded down to a tenth: 100 means everything.
    pub percent: f64,
    /// What was exercised.
    pub exercised: usize,
    /// What there is.
    pub total: usize,
    /// The same by kind.
    pub kinds: BTreeMap<Kind, Count>,
    /// What was not exercised, by file and line.
    pub missed: Vec<Missed>,
}

/// How many of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Exercised.
    pub exercised: usize,
    /// In all.
    pub total: usize,
}

/// Something that no test exercised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Its kind.
    pub kind: Kind,
    /// Its place.
    pub at: Location,
    /// What did not take place.
    pub what: String,
    /// What a test has to give.
    pub add: String,
}

/// The kinds of what tests exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `when …`
    Trigger,
    /// `only if …`, both ways
    Guard,
    /// The key and the rungs below it
    Rung,
    /// `on …`
    Outcome,
    /// A rule gives a value
    Rule,
    /// A policy of a rule
    Policy,
    /// A line of a picklist, and its `otherwise`
    PicklistLine,
    /// A branch of an `if`
    Branch,
}

impl Kind {
    /// Its name, of several.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Trigger => "triggers",
            Kind::Guard => "guards",
            Kind::Rung => "rungs",
            Kind::Outcome => "outcomes",
            Kind::Rule => "rules",
            Kind::Policy => "policies",
            Kind::PicklistLine => "picklist lines",
            Kind::Branch => "branches",
        }
    }
}

/// Something that a test can exercise.
struct Spot {
    key: (Location, Point),
    missed: Missed,
}

/// What the trace of the tests of a project left out.
pub fn coverage(project: &Project, plan: &Plan, sources: &Sources, trace: &Trace) -> Coverage {
    let mut spots = Spots { project, plan, sources, all: Vec::new() };
    spots.gather();
    let mut seen = HashSet::new();
    let mut coverage =
        Coverage { percent: 100.0, exercised: 0, total: 0, kinds: BTreeMap::new(), missed: Vec::new() };
    for spot in spots.all.into_iter().filter(|spot| seen.insert(spot.key.clone())) {
        let count = coverage.kinds.entry(spot.missed.kind).or_default();
        count.total += 1;
        coverage.total += 1;
        if trace.holds(&spot.key.0, &spot.key.1) {
            count.exercised += 1;
            coverage.exercised += 1;
        } else {
            coverage.missed.push(spot.missed);
        }
    }
    coverage.missed.sort_by(|a, b| order(a).cmp(&order(b)));
    let tenths = (coverage.exercised * 1000).checked_div(coverage.total).unwrap_or(1000);
    coverage.percent = f64::from(u32::try_from(tenths).unwrap_or(1000)) / 10.0;
    coverage
}

fn order(missed: &Missed) -> (&str, usize, usize, Kind) {
    (&missed.at.file, missed.at.line, missed.at.column, missed.kind)
}

struct Spots<'s> {
    project: &'s Project,
    plan: &'s Plan,
    sources: &'s Sources,
    all: Vec<Spot>,
}

impl Spots<'_> {
    fn gather(&mut self) {
        for mapping in &self.plan.mappings {
            self.triggers(mapping);
            self.guards(mapping);
            self.ladder(mapping);
            let sync = if mapping.is_leg { self.plan.sync(&mapping.name) } else { None };
            for (index, rule) in mapping.rules.iter().enumerate() {
                match sync.and_then(|sync| two_way(self.plan, sync, mapping, index)) {
                    Some(two_way) => self.two_way(mapping, rule, two_way.conflict),
                    None => self.rule(mapping, rule),
                }
            }
            self.conversion(mapping);
            for at in mapping.branches() {
                self.branch(at, Point::Then, "holds");
                self.branch(at, Point::Else, "does not hold");
            }
        }
        self.picklists();
    }

    fn add(&mut self, kind: Kind, at: &Location, point: Point, what: String, add: impl Into<String>) {
        let missed = Missed { kind, at: at.clone(), what, add: add.into() };
        self.all.push(Spot { key: (at.clone(), point), missed });
    }

    fn triggers(&mut self, mapping: &Mapping) {
        let syncs = self.project.syncs.values().flat_map(|sync| [&sync.to_salesforce, &sync.to_hubspot]);
        let of = |typed: &&crate::check::typed::Mapping| {
            typed.name == mapping.name && typed.source == mapping.source
        };
        let Some(typed) = self.project.mappings.values().chain(syncs).find(of) else { return };
        for (index, (span, trigger)) in typed.trigger_spans.iter().zip(&typed.triggers).enumerate() {
            let written = words(self.sources.slice(*span));
            let (what, add) = if mapping.is_leg {
                let (source, in_test) = (&mapping.source, trigger.in_test(&written));
                let add = format!("`{in_test}` in a test of `{}` that gives a {source} first", mapping.name);
                (format!("`{written}` does not fire for a {source}"), add)
            } else {
                let add = format!("`{written}` in a test of `{}`", mapping.name);
                (format!("`{written}` does not fire"), add)
            };
            let missed = Missed { kind: Kind::Trigger, at: self.sources.locate(*span), what, add };
            let point = Point::Trigger(mapping.source.side, index);
            self.all.push(Spot { key: (mapping.at.clone(), point), missed });
        }
    }

    fn guards(&mut self, mapping: &Mapping) {
        for guard in &mapping.guards {
            let written = format!("`only if {}`", guard.text);
            let what = format!("{written} lets no record through");
            self.add(Kind::Guard, &guard.at, Point::Passed, what, "a record for which it holds");
            let what = format!("{written} refuses no record");
            self.add(Kind::Guard, &guard.at, Point::Refused, what, "a record for which it does not hold");
        }
    }

    fn ladder(&mut self, mapping: &Mapping) {
        if let Some(key) = &mapping.key {
            let what = format!("the key `{}` finds no record", key.field);
            let add = format!("a {} that holds it", mapping.target);
            self.add(Kind::Rung, &key.at, Point::Found, what, add);
        }
        for rung in &mapping.rungs {
            let what = format!("the rung finds no {}", rung.object);
            let add = format!("a {} that the rungs above do not find", rung.object);
            self.add(Kind::Rung, &rung.at, Point::Found, what, add);
        }
        for (situation, outcome) in &mapping.outcomes {
            // What a sync says without a side can happen on one side alone; that side's leg counts it.
            let cannot = match situation {
                Situation::Taken => mapping.key.is_none(),
                Situation::Converted => !mapping.convertible,
                Situation::Duplicate => mapping.target.side == Side::Hubspot,
                _ => false,
            };
            if mapping.is_leg && cannot {
                continue;
            }
            let what = format!("`{}` is not reached", words(without_comment(self.line(&outcome.at))));
            self.add(Kind::Outcome, &outcome.at, Point::Outcome, what, arises(*situation, mapping));
        }
    }

    fn rule(&mut self, mapping: &Mapping, rule: &Rule) {
        let field = &rule.field;
        let what = format!("`{field}` gets no value");
        self.add(
            Kind::Rule,
            &rule.at,
            Point::Value,
            what,
            "a record whose value is not blank and does not fail",
        );
        for (point, policy, add) in policy(mapping, rule) {
            let what = match point {
                Point::Kept => format!("`{policy}` never keeps `{field}`"),
                Point::Cleared => format!("`{policy}` never clears `{field}`"),
                _ => format!("`{policy}` never lets `{field}` be written"),
            };
            self.add(Kind::Policy, &rule.at, point, what, add);
        }
        let otherwise = rule.otherwise.as_ref().map(|otherwise| match otherwise {
            RuleElse::Keep => "otherwise keep",
            RuleElse::Park(_) => "otherwise park",
            RuleElse::Wait => "otherwise wait",
            RuleElse::Literal(_) => "otherwise …",
        });
        if let Some(otherwise) = otherwise {
            let what = format!("`{otherwise}` of `{field}` is not reached");
            self.add(Kind::Policy, &rule.at, Point::Otherwise, what, "a record whose value fails");
        }
    }

    fn conversion(&mut self, mapping: &Mapping) {
        let Some(convert) = &mapping.convert else { return };
        let what = format!("the Lead is never converted to `{}`", convert.status);
        self.add(
            Kind::Rule,
            &convert.at,
            Point::Converted,
            what,
            format!("a {} to be found", mapping.target),
        );
        convert.rules().for_each(|rule| self.rule(mapping, rule));
        let Some((rule, Some(otherwise))) = &convert.account else { return };
        let otherwise = match otherwise {
            AccountElse::Create => "otherwise create",
            AccountElse::Wait => "otherwise wait",
            AccountElse::Park(_) => "otherwise park",
        };
        let what = format!("`{otherwise}` of `account` is not reached");
        self.add(Kind::Policy, &rule.at, Point::Otherwise, what, "a record that has no account");
    }

    /// One direction of a `<->`, and the decision between both.
    fn two_way(&mut self, mapping: &Mapping, rule: &Rule, conflict: Conflict) {
        let side = mapping.target.side;
        let what = format!("`{}` of {} is never written", rule.field, side.label());
        let add = match conflict {
            Conflict::FillsOnly(filler) if filler != side => {
                format!("a blank `{}` and a value on the other side", rule.field)
            }
            _ => "another value on the other side".to_owned(),
        };
        self.add(Kind::Rule, &rule.at, Point::To(side), what, add);
        let policy = match conflict {
            Conflict::Side(side) => format!("on conflict {side}"),
            Conflict::Latest(side) => format!("on conflict latest otherwise {side}"),
            Conflict::FillsOnly(_) => return,
        };
        let what = format!("`{policy}` never decides");
        let add = "`given link` with an older value, and two records that both differ from it";
        self.add(Kind::Policy, &rule.at, Point::Conflict, what, add);
    }

    fn branch(&mut self, at: &Location, point: Point, holds: &str) {
        let what = format!("the condition of this `if` never {}", holds.replace("does not", "fails to"));
        self.add(Kind::Branch, at, point, what, format!("a record for which it {holds}"));
    }

    fn picklists(&mut self) {
        for picklist in self.project.picklists.values() {
            let at = self.sources.locate(picklist.span);
            let mut add = |span, point, what| {
                let add = format!("a record whose {} holds it", picklist.from.1);
                let missed = Missed { kind: Kind::PicklistLine, at: self.sources.locate(span), what, add };
                self.all.push(Spot { key: (at.clone(), point), missed });
            };
            for line in &picklist.lines {
                let to = line.to.as_ref().map_or_else(|| "nothing".to_owned(), |to| format!("\"{to}\""));
                let arrow = if line.both { "<->" } else { "->" };
                let what = format!("`\"{}\" {arrow} {to}` is not reached", line.from);
                add(line.span, Point::Line(line.from.clone()), what);
            }
            // A test cannot give an option that the snapshot does not know.
            if let Some(otherwise) = picklist.otherwise.as_ref().filter(|_| !picklist.unreached) {
                let to = match otherwise {
                    PicklistElse::Option(option) => format!("\"{option}\""),
                    PicklistElse::Nothing => "nothing".to_owned(),
                    PicklistElse::Park(_) => "park".to_owned(),
                };
                let what =
                    format!("`otherwise -> {to}` of `{}` is not reached: no other option", picklist.name);
                add(picklist.span, Point::Untranslated, what);
            }
        }
    }

    fn line(&self, at: &Location) -> &str {
        let file = self.sources.iter().find(|(_, file)| file.name() == at.file);
        file.map_or("", |(_, file)| file.line_text(at.line))
    }
}

/// The two-way rule that a rule of a leg is one direction of.
fn two_way<'p>(plan: &Plan, sync: &'p Sync, leg: &Mapping, index: usize) -> Option<&'p TwoWay> {
    let forth = plan.mappings[sync.to_salesforce].source == leg.source;
    sync.two_way.iter().find(|rule| index == if forth { rule.forth } else { rule.back })
}

/// The sides of the policy that says when a rule writes, as written, with what a test has to give. A side that cannot
/// take place is left out.
fn policy(mapping: &Mapping, rule: &Rule) -> Vec<(Point, &'static str, &'static str)> {
    let creates = mapping.outcomes.iter().any(|(situation, outcome)| {
        matches!(situation, Situation::None) && outcome.action == OutcomeAction::Create
    });
    let mut sides = match rule.when {
        WhenWritten::Always => Vec::new(),
        WhenWritten::OnCreate => vec![
            (Point::Written, "on create", "a record that is not there yet"),
            (Point::Kept, "on create", "a record that is already there"),
        ],
        WhenWritten::OnUpdate => vec![
            (Point::Written, "on update", "a record that is already there, with another value"),
            (Point::Kept, "on update", "a record that is not there yet"),
        ],
        WhenWritten::IfTargetIsBlank => vec![
            (Point::Written, "if target is blank", "a record that is there and holds nothing in this field"),
            (Point::Kept, "if target is blank", "a record that is there and holds something in this field"),
        ],
        WhenWritten::AdvanceOnly(_) => vec![
            (Point::Written, "advance only", "a record that is there at an earlier stage"),
            (Point::Kept, "advance only", "a record that is there at a later stage"),
        ],
        WhenWritten::Sticky(stays) => {
            let policy = if stays { "once true stays true" } else { "once false stays false" };
            vec![
                (Point::Written, policy, "a record that is there and changes to this value"),
                (Point::Kept, policy, "a record that is there and already has this value"),
            ]
        }
    };
    sides.retain(|(point, policy, _)| {
        creates || !matches!((point, *policy), (Point::Written, "on create") | (Point::Kept, "on update"))
    });
    if rule.blank_clears {
        sides.push((Point::Cleared, "on blank clear", "a record that is there, and a value that is blank"));
    }
    sides
}

/// What makes a situation arise in a test.
fn arises(situation: Situation, mapping: &Mapping) -> String {
    let target = &mapping.target;
    match situation {
        Situation::None => format!("a test that gives no {target} to be found"),
        Situation::Many => format!("several {target} records that one rung finds"),
        Situation::Taken => format!("a {target} that a rung finds and whose key is another's"),
        Situation::Converted => format!("a {target} with `IsConverted: true`"),
        Situation::Duplicate => {
            format!("`given {target} blocks duplicates by FIELD`, and a record with the same value")
        }
        Situation::Rejected => format!("`given {target} rejects FIELD \"message\"`"),
        Situation::SourceDeleted | Situation::TargetDeleted | Situation::Deleted => {
            let end = if situation == Situation::SourceDeleted { &mapping.source } else { target };
            format!("`given link` and `given {end} \"ID\" deleted`")
        }
        Situation::SourceMerged | Situation::TargetMerged | Situation::Merged => {
            let end = if situation == Situation::SourceMerged { &mapping.source } else { target };
            format!("`given link` and `given {end} \"ID\" merged into \"ID\"`")
        }
    }
}

/// A line up to its comment; a `#` in a text is none.
fn without_comment(line: &str) -> &str {
    let mut in_text = false;
    let comment = line.char_indices().find(|(_, character)| {
        in_text ^= *character == '"';
        *character == '#' && !in_text
    });
    &line[..comment.map_or(line.len(), |(at, _)| at)]
}

/// With single blanks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
