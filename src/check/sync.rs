//! A `sync` as two mappings, its *legs*: one from HubSpot to Salesforce and one back.
//!
//! What a sync says is said of two records. Each leg is checked, compiled and interpreted as the mapping that it is, so
//! that a field, a type, a ladder or an outcome means the same in both; only what happens to a `<->` is the sync's own.

use std::collections::HashSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::functions;
use crate::source::{Side, Span, Spanned};
use crate::syntax::ast::{
    self, CompareOp, Condition, ConditionKind, FieldTest, FieldsEntry, Path, PolicyKind, RungKind, Situation,
    Step, SyncRuleKind, TestOp, TriggerKind, Value, ValueKind,
};

use super::typed::Sync;
use super::world::World;
use super::{convert, mapping, two_way};

/// A sync and the mappings that it is made of.
pub(super) struct Legs<'a> {
    pub(super) sync: &'a ast::Sync,
    /// Both mappings, by the side that they write; none where the two objects are not known.
    pub(super) mappings: Option<[ast::Mapping; 2]>,
    findings: Vec<Diagnostic>,
}

/// Takes every sync of the files apart. What is wrong with its form is reported by [`check_all`].
pub(super) fn take_apart(files: &[ast::File]) -> Vec<Legs<'_>> {
    let items = files.iter().flat_map(|file| &file.items);
    items
        .filter_map(|item| match item {
            ast::Item::Sync(sync) => Some(Apart { sync, findings: Vec::new() }.legs()),
            _ => None,
        })
        .collect()
}

/// Checks every sync: both legs, and then that its two-way rules can be undone.
pub(super) fn check_all<'a>(world: &'a World<'a>, syncs: &'a [Legs<'a>]) -> Vec<Sync> {
    syncs.iter().filter_map(|legs| check(world, legs)).collect()
}

fn check<'a>(world: &'a World<'a>, legs: &'a Legs<'a>) -> Option<Sync> {
    for finding in &legs.findings {
        world.report(finding.clone());
    }
    let [to_hubspot, to_salesforce] = legs.mappings.as_ref()?;
    check_complete(world, legs.sync);
    convert::refuse(world, &legs.sync.body.converts);
    let mark = world.mark();
    let hubspot = mapping::check_leg(world, to_hubspot);
    let first = world.since(mark);
    let salesforce = mapping::check_leg(world, to_salesforce);
    let second = world.since(mark);
    report_both(world, &first, second);
    let (to_hubspot, to_salesforce) = (hubspot?, salesforce?);
    let rules = two_way::check(world, legs.sync, &to_salesforce, &to_hubspot);
    Some(Sync {
        name: legs.sync.name.value.clone(),
        doc: legs.sync.doc.clone(),
        to_salesforce,
        to_hubspot,
        two_way: rules,
        triggered: !legs.sync.body.whens.is_empty(),
        span: legs.sync.name.span,
    })
}

/// An outcome that names no side is for both; it is out of place only where it can happen on neither.
fn report_both(world: &World<'_>, first: &[Diagnostic], second: Vec<Diagnostic>) {
    let one_sided = |finding: &Diagnostic, others: &[Diagnostic]| {
        let either = matches!(finding.code, Code::OUTCOME_IMPOSSIBLE);
        either && !others.iter().any(|other| other.code == finding.code && other.span() == finding.span())
    };
    let first_kept: Vec<_> = first.iter().filter(|finding| !one_sided(finding, &second)).cloned().collect();
    // One that can happen on neither is said once, though each leg has a reason of its own.
    let said = |finding: &Diagnostic| {
        finding.code == Code::OUTCOME_IMPOSSIBLE && first.iter().any(|other| other.span() == finding.span())
    };
    let second_kept = second.into_iter().filter(|finding| !one_sided(finding, first) && !said(finding));
    for finding in first_kept.into_iter().chain(second_kept) {
        world.report(finding);
    }
}

fn check_complete(world: &World<'_>, sync: &ast::Sync) {
    let missing = [
        ("match", sync.body.matches.is_empty(), "write `match { key hubspot.OBJECT.FIELD = Id }`"),
        ("fields", sync.fields.is_empty(), "write `fields { PROPERTY <-> FIELD on conflict … }`"),
    ];
    for (block, missing, help) in missing {
        if missing && !world.is_written(sync.span, &[block]) {
            let message = format!("the sync `{}` has no `{block}`", sync.name.value);
            world.report(Diagnostic::error(Code::INCOMPLETE, sync.name.span, message).help(help));
        }
    }
    for side in Side::ALL {
        let says = |outcome: &&ast::Outcome| {
            outcome.situation.value == Situation::None
                && outcome.side.as_ref().is_none_or(|written| written.value == side)
        };
        if sync.body.outcomes.iter().any(|outcome| says(&outcome)) {
            continue;
        }
        let message =
            format!("`{}` does not say what happens when no record is found in {side}", sync.name.value);
        let finding = Diagnostic::error(Code::OUTCOME_MISSING, sync.name.span, message);
        world.report(finding.help(format!("write `on none in {side} create`, `skip` or `park`")));
    }
}

struct Apart<'a> {
    sync: &'a ast::Sync,
    findings: Vec<Diagnostic>,
}

impl<'a> Apart<'a> {
    fn legs(mut self) -> Legs<'a> {
        let legs = self
            .ends()
            .map(|(hubspot, salesforce)| [self.leg(salesforce, hubspot), self.leg(hubspot, salesforce)]);
        if legs.is_some() {
            self.report_lets();
            self.report_hand_overs();
        }
        Legs { sync: self.sync, mappings: legs, findings: dedupe(self.findings) }
    }

    fn report(&mut self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Diagnostic::error(code, span, message).help(help));
    }

    /// HubSpot's object and Salesforce's.
    fn ends(&mut self) -> Option<(&'a ast::ObjectRef, &'a ast::ObjectRef)> {
        if let Some((second, _)) = self.sync.between.get(1) {
            self.report(Code::REPEATED, second.span, "`between` is written twice", "keep one of them");
        }
        let Some((left, right)) = self.sync.between.first() else {
            let message = format!("the sync `{}` has no `between`", self.sync.name.value);
            let help = "write `between hubspot.OBJECT and salesforce.OBJECT`";
            self.report(Code::INCOMPLETE, self.sync.name.span, message, help);
            return None;
        };
        if (left.side, right.side) == (Side::Hubspot, Side::Salesforce) {
            return Some((left, right));
        }
        let help = match (left.side, right.side) {
            (Side::Salesforce, Side::Hubspot) => format!(
                "write `between hubspot.{} and salesforce.{}`: HubSpot always stands on the left",
                right.name.value, left.name.value
            ),
            _ => "write `between hubspot.OBJECT and salesforce.OBJECT`".to_owned(),
        };
        let message = "a sync stands between an object of HubSpot, on the left, and one of Salesforce";
        self.report(Code::BAD_PATH, left.span.to(right.span), message, help);
        None
    }

    /// The mapping from one end to the other.
    fn leg(&mut self, from: &ast::ObjectRef, to: &ast::ObjectRef) -> ast::Mapping {
        let body = ast::Body {
            withs: self.withs(from.side),
            lets: Vec::new(),
            whens: self.triggers(from.side),
            guards: self.guards(from.side),
            matches: self.ladder(from, to),
            outcomes: self.outcomes(to.side),
            options: if to.side == Side::Salesforce { self.sync.body.options.clone() } else { Vec::new() },
            associates: self.associates(to.side),
            converts: Vec::new(),
        };
        ast::Mapping {
            doc: self.sync.doc.clone(),
            name: self.sync.name.clone(),
            from: vec![from.clone()],
            to: vec![to.clone()],
            body,
            fields: self.rules(to.side),
            fields_span: Some(self.sync.name.span),
            span: self.sync.span,
        }
    }

    fn withs(&self, from: Side) -> Vec<ast::With> {
        let of = |with: &&ast::With| {
            let (ast::WithSource::Primary(object)
            | ast::WithSource::Labelled(_, object)
            | ast::WithSource::Each(object, _)) = &with.source;
            object.side == from
        };
        self.sync.body.withs.iter().filter(of).cloned().collect()
    }

    fn associates(&self, to: Side) -> Vec<ast::Associate> {
        self.sync.body.associates.iter().filter(|associate| associate.object.side == to).cloned().collect()
    }

    fn outcomes(&self, to: Side) -> Vec<ast::Outcome> {
        let mut outcomes = Vec::new();
        for outcome in &self.sync.body.outcomes {
            let side = outcome.side.as_ref().map(|side| side.value);
            // What happens to a record of one side happens to the target of one leg and to the source of the other.
            let of_target = side.is_none_or(|side| side == to);
            let of_source = side.is_none_or(|side| side != to);
            let situations: &[(Situation, bool)] = match outcome.situation.value {
                Situation::Deleted => {
                    &[(Situation::TargetDeleted, of_target), (Situation::SourceDeleted, of_source)]
                }
                Situation::Merged => {
                    &[(Situation::TargetMerged, of_target), (Situation::SourceMerged, of_source)]
                }
                other => &[(other, of_target)],
            };
            for (situation, _) in situations.iter().filter(|(_, applies)| *applies) {
                let situation = Spanned::new(*situation, outcome.situation.span);
                outcomes.push(ast::Outcome { situation, ..outcome.clone() });
            }
        }
        outcomes
    }

    /// The triggers of one side. Without any in the file, [`Sync::triggered`] is off and the plan watches what is mapped.
    fn triggers(&mut self, from: Side) -> Vec<ast::Trigger> {
        let mut triggers = Vec::new();
        for when in &self.sync.body.whens {
            let kind = match &when.kind {
                TriggerKind::Created => Some(TriggerKind::Created),
                TriggerKind::Changes(paths) => {
                    let own: Vec<Path> = paths.iter().filter_map(|path| self.own(path, from)).collect();
                    (!own.is_empty()).then_some(TriggerKind::Changes(own))
                }
                TriggerKind::Becomes(path, values) => {
                    self.own(path, from).map(|path| TriggerKind::Becomes(path, values.clone()))
                }
                TriggerKind::PrimaryChanges(object) | TriggerKind::LabelledChanges(_, object) => {
                    (object.side == from).then(|| when.kind.clone())
                }
            };
            triggers.extend(kind.map(|kind| ast::Trigger { kind, span: when.span }));
        }
        triggers
    }

    /// A path of one side without its side; one that names no side is reported.
    fn own(&mut self, path: &Path, from: Side) -> Option<Path> {
        if let Some(side) = side_of(path) {
            return (side == from).then(|| without_side(path));
        }
        let name = path.text();
        let message = format!("`{name}` does not say on which side of the sync it stands");
        let help = format!("write `hubspot.{name}` or `salesforce.{name}`");
        self.report(Code::BAD_PATH, path.span, message, help);
        None
    }

    /// The guards of one side, with their paths relative to its record.
    fn guards(&mut self, from: Side) -> Vec<ast::Guard> {
        let mut own = Vec::new();
        for guard in &self.sync.body.guards {
            let mut guard = guard.clone();
            let mut found = Paths { withs: &self.sync.body.withs, sides: Vec::new(), bare: Vec::new() };
            found.condition(&mut guard.condition);
            for path in found.bare {
                self.own(&path, from);
            }
            match (found.sides.contains(&Side::Hubspot), found.sides.contains(&Side::Salesforce)) {
                (true, true) => {
                    let message = "a guard of a sync asks for one record, and this asks for both";
                    self.report(Code::BAD_PATH, guard.span, message, "write a guard for each side");
                }
                _ if found.sides.contains(&from) => own.push(guard),
                _ => {}
            }
        }
        own
    }

    fn ladder(&mut self, from: &ast::ObjectRef, to: &ast::ObjectRef) -> Vec<ast::Match> {
        let mut matches = Vec::new();
        for block in &self.sync.body.matches {
            let rungs = block.rungs.iter().filter_map(|rung| {
                Some(ast::Rung { kind: self.rung(&rung.kind, from, to)?, span: rung.span })
            });
            matches.push(ast::Match { rungs: rungs.collect(), span: block.span });
        }
        matches
    }

    /// A rung as the leg to one side climbs it: as written where it looks on that side, turned round where it looks on the
    /// other and compares plain fields, and left out where that cannot be searched by.
    fn rung(&mut self, kind: &RungKind, from: &ast::ObjectRef, to: &ast::ObjectRef) -> Option<RungKind> {
        match kind {
            RungKind::Key { object: Some(object), field, value } if object.side == to.side => {
                Some(RungKind::Key { object: None, field: field.clone(), value: value.clone() })
            }
            RungKind::Key { object: Some(_), field, value } => {
                let ValueKind::Path(path) = &value.kind else {
                    let message = "the key of a sync is followed in both directions, so it is a plain field";
                    self.report(
                        Code::KEY_VALUE,
                        value.span,
                        message,
                        format!("write `{} = Id`", field.value),
                    );
                    return None;
                };
                let test = equals(path.clone(), name_value(field), value.span);
                Some(RungKind::Object { object: to.clone(), tests: vec![test], then: None })
            }
            RungKind::Key { object: None, field, .. } | RungKind::Field { field, .. } => {
                let message = format!("`{}` does not say in which object it stands", field.value);
                let help = format!(
                    "write `hubspot.{hub}.{0}` or `salesforce.{sf}.{0}`",
                    field.value,
                    hub = if from.side == Side::Hubspot { &from.name.value } else { &to.name.value },
                    sf = if from.side == Side::Salesforce { &from.name.value } else { &to.name.value },
                );
                self.report(Code::RUNG_ORDER, field.span, message, help);
                None
            }
            RungKind::Object { object, .. } if object.side == to.side => Some(kind.clone()),
            RungKind::Object { tests, .. } => {
                let turned: Option<Vec<FieldTest>> = tests.iter().map(turned).collect();
                Some(RungKind::Object { object: to.clone(), tests: turned?, then: None })
            }
        }
    }

    fn rules(&mut self, to: Side) -> Vec<FieldsEntry> {
        let mut rules = Vec::new();
        for rule in &self.sync.fields {
            let (target, value) = match (&rule.kind, to) {
                (SyncRuleKind::Both(hubspot, salesforce, steps), Side::Salesforce) => {
                    (salesforce, piped(name_value(hubspot), steps.iter().cloned(), rule.span))
                }
                (SyncRuleKind::Both(hubspot, salesforce, steps), Side::Hubspot) => {
                    (hubspot, piped(name_value(salesforce), steps.iter().rev().map(undone), rule.span))
                }
                (SyncRuleKind::ToHubspot(target, value), Side::Hubspot)
                | (SyncRuleKind::ToSalesforce(value, target), Side::Salesforce) => (target, value.clone()),
                _ => continue,
            };
            let both = matches!(rule.kind, SyncRuleKind::Both(..));
            let is_own = |kind: &PolicyKind| {
                let conflict = matches!(
                    kind,
                    PolicyKind::ConflictSide(_) | PolicyKind::ConflictLatest(_) | PolicyKind::FillsOnly(_)
                );
                conflict || both && *kind == PolicyKind::OnBlankClear
            };
            let policies = rule.policies.iter().filter(|policy| !is_own(&policy.kind)).cloned().collect();
            rules.push(FieldsEntry::Rule(ast::Rule {
                doc: rule.doc.clone(),
                target: target.clone(),
                value,
                policies,
                span: rule.span,
            }));
        }
        rules
    }

    fn report_lets(&mut self) {
        for line in &self.sync.body.lets {
            let message = "a `let` of a sync would not say whose fields it reads";
            self.report(Code::BAD_PATH, line.span, message, "write its steps in the rules that use it");
        }
    }

    fn report_hand_overs(&mut self) {
        let rungs = self.sync.body.matches.iter().flat_map(|block| &block.rungs);
        let rungs = rungs.filter_map(|rung| match &rung.kind {
            RungKind::Object { then: Some(name), .. } => Some(name.span),
            _ => None,
        });
        let outcomes = self.sync.body.outcomes.iter().filter_map(|outcome| match &outcome.action.value {
            ast::Action::Then(name) => Some(name.span),
            _ => None,
        });
        let guards =
            self.sync.body.guards.iter().filter_map(|guard| match &guard.otherwise.as_ref()?.value {
                ast::GuardOtherwise::Then(name) => Some(name.span),
                _ => None,
            });
        for span in rungs.chain(outcomes).chain(guards).collect::<Vec<_>>() {
            let message = "a sync hands nothing over: its two records stay a pair";
            self.report(Code::HAND_OVER, span, message, "write `skip` or `park`");
        }
    }
}

/// The two legs find the same faults in what they share.
fn dedupe(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    findings.retain(|finding| seen.insert((finding.code, finding.span(), finding.message.clone())));
    findings
}

fn side_of(path: &Path) -> Option<Side> {
    let [first, _, ..] = path.parts.as_slice() else { return None };
    Side::ALL.into_iter().find(|side| side.word() == first.value)
}

fn without_side(path: &Path) -> Path {
    let parts = path.parts[1..].to_vec();
    let span = parts.first().map_or(path.span, |first| first.span.to(path.span));
    Path { parts, span }
}

fn name_value(name: &ast::Name) -> Value {
    let path = Path { parts: vec![name.clone()], span: name.span };
    Value { kind: ValueKind::Path(path), span: name.span }
}

fn equals(field: Path, value: Value, span: Span) -> FieldTest {
    FieldTest { field, test: TestOp::Compare(Spanned::new(CompareOp::Eq, span), value), span }
}

/// `A = B` of two plain fields, seen from the other record.
fn turned(test: &FieldTest) -> Option<FieldTest> {
    let TestOp::Compare(op, value) = &test.test else { return None };
    match (&value.kind, op.value) {
        (ValueKind::Path(path), CompareOp::Eq) => {
            let field = Value { kind: ValueKind::Path(test.field.clone()), span: test.field.span };
            Some(equals(path.clone(), field, test.span))
        }
        _ => None,
    }
}

fn piped(value: Value, steps: impl Iterator<Item = Step>, rule: Span) -> Value {
    steps.fold(value, |value, step| {
        let span = Span { start: step.span.start.min(rule.end), ..step.span };
        Value { kind: ValueKind::Pipe(Box::new(value), step), span }
    })
}

/// The step that goes back. A picklist turns by itself; an idempotent function is its own way back, since values are
/// compared after it; what has no way back is reported with the rule.
fn undone(step: &Step) -> Step {
    match functions::find(&step.name.value).and_then(|function| function.inverse) {
        Some(inverse) => Step {
            name: Spanned::new(inverse.to_owned(), step.name.span),
            args: step.args.clone(),
            span: step.span,
        },
        None => step.clone(),
    }
}

/// The paths of a condition: makes those of a side relative, and collects the sides and those that name none.
struct Paths<'w> {
    withs: &'w [ast::With],
    sides: Vec<Side>,
    bare: Vec<Path>,
}

impl Paths<'_> {
    fn path(&mut self, path: &mut Path) {
        let with = path.parts.first().and_then(|first| {
            self.withs.iter().find(|with| path.parts.len() > 1 && with.name.value == first.value)
        });
        if let Some(side) = side_of(path) {
            self.sides.push(side);
            *path = without_side(path);
        } else if let Some(with) = with {
            let (ast::WithSource::Primary(object)
            | ast::WithSource::Labelled(_, object)
            | ast::WithSource::Each(object, _)) = &with.source;
            self.sides.push(object.side);
        } else {
            self.bare.push(path.clone());
        }
    }

    fn condition(&mut self, condition: &mut Condition) {
        match &mut condition.kind {
            ConditionKind::Or(all) | ConditionKind::And(all) => {
                for one in all {
                    self.condition(one);
                }
            }
            ConditionKind::Not(one) => self.condition(one),
            ConditionKind::Compare(left, _, right) => {
                self.value(left);
                self.value(right);
            }
            ConditionKind::In { value, list, .. } => {
                self.value(value);
                self.value(list);
            }
            ConditionKind::Presence(value, _) | ConditionKind::Value(value) => self.value(value),
        }
    }

    fn value(&mut self, value: &mut Value) {
        match &mut value.kind {
            ValueKind::Path(path) | ValueKind::Linked(_, path) => self.path(path),
            ValueKind::Template(parts) => {
                for part in parts {
                    if let ast::TemplatePart::Hole(hole) = part {
                        self.value(hole);
                    }
                }
            }
            ValueKind::Call(call) => call.args.iter_mut().for_each(|arg| self.value(arg)),
            ValueKind::Pipe(input, step) => {
                self.value(input);
                step.args.iter_mut().flatten().for_each(|arg| self.value(arg));
            }
            ValueKind::Arithmetic(left, _, right) => {
                self.value(left);
                self.value(right);
            }
            ValueKind::If(condition, then, otherwise) => {
                self.condition(condition);
                self.value(then);
                self.value(otherwise);
            }
            ValueKind::List(items) => items.iter_mut().for_each(|item| self.value(item)),
            ValueKind::Lookup(_, tests) => {
                for test in tests {
                    match &mut test.test {
                        TestOp::Compare(_, value) => self.value(value),
                        TestOp::In(values) => values.iter_mut().for_each(|value| self.value(value)),
                        TestOp::Presence(_) => {}
                    }
                }
            }
            ValueKind::Condition(condition) => self.condition(condition),
            ValueKind::Literal(_) | ValueKind::Error => {}
        }
    }
}
