//! A `sync` as two mappings, its *legs*: one from HubSpot to Salesforce and one back.
//!
//! What a sync says is said of two records. Each leg is checked, compiled and interpreted as the mapping that it is, so
//! that a field, a type, a ladder or an outcome means the same in both; only what happens to a `<->` is the sync's own.

use std::collections::HashSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::functions;
use crate::schema::Schemas;
use crate::source::{Side, Span, Spanned};
use crate::syntax::ast::{
    self, CompareOp, FieldTest, FieldsEntry, Path, PolicyKind, RungKind, Situation, Step, SyncRuleKind,
    TestOp, TriggerKind, Value, ValueKind,
};

use super::sides::{SidedLet, Sides, is_name, side_of, without_side};
use super::typed::Sync;
use super::world::World;
use super::{convert, mapping, outcomes, two_way};

/// A sync and the mappings that it is made of.
pub(super) struct Legs<'a> {
    pub(super) sync: &'a ast::Sync,
    /// Both mappings, by the side that they write; none where the two objects are not known.
    pub(super) mappings: Option<[ast::Mapping; 2]>,
    /// What stands in both of them: two-way rules, and the names of `let`s that read no record.
    shared: Vec<Span>,
    findings: Vec<Diagnostic>,
}

/// Takes every sync of the files apart. What is wrong with its form is reported by [`check_all`].
pub(super) fn take_apart<'a>(files: &'a [ast::File], schemas: &'a Schemas) -> Vec<Legs<'a>> {
    let items = files.iter().flat_map(|file| &file.items);
    items
        .filter_map(|item| match item {
            ast::Item::Sync(sync) => {
                Some(Apart { sync, schemas, lets: Vec::new(), findings: Vec::new() }.legs())
            }
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
    let (first, first_unsaid) = (world.since(mark), world.take_unsaid());
    let salesforce = mapping::check_leg(world, to_salesforce);
    let (second, second_unsaid) = (world.since(mark), world.take_unsaid());
    report_both(world, legs, &first, second);
    outcomes::report_unsaid(world, legs.sync, &[(to_hubspot, first_unsaid), (to_salesforce, second_unsaid)]);
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

/// What both legs share is out of place only where it is in both: an outcome that names no side and can happen on neither,
/// an `otherwise` that no direction of a `<->` needs, a `let` that no rule reads.
fn report_both(world: &World<'_>, legs: &Legs<'_>, first: &[Diagnostic], second: Vec<Diagnostic>) {
    let is_shared = |finding: &Diagnostic| match finding.code {
        Code::OUTCOME_IMPOSSIBLE => true,
        Code::UNREACHABLE | Code::OTHERWISE_UNNEEDED | Code::UNUSED => {
            legs.shared.iter().any(|span| span.contains(finding.span()))
        }
        _ => false,
    };
    let is_same = |a: &Diagnostic, b: &Diagnostic| (a.code, a.span()) == (b.code, b.span());
    // What is out of place in both is said once, though each leg has a reason of its own: the one that takes nothing away,
    // where they differ.
    let of_both = |finding: &Diagnostic| {
        let other = second.iter().find(|other| is_same(finding, other))?;
        Some(if other.fix.is_none() { other.clone() } else { finding.clone() })
    };
    let kept = first
        .iter()
        .filter_map(|finding| if is_shared(finding) { of_both(finding) } else { Some(finding.clone()) });
    let kept: Vec<_> = kept.collect();
    let second_kept = second.into_iter().filter(|finding| !is_shared(finding));
    for finding in kept.into_iter().chain(second_kept) {
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
}

struct Apart<'a> {
    sync: &'a ast::Sync,
    schemas: &'a Schemas,
    lets: Vec<SidedLet>,
    findings: Vec<Diagnostic>,
}

impl<'a> Apart<'a> {
    fn legs(mut self) -> Legs<'a> {
        let ends = self.ends();
        if ends.is_some() {
            self.read_lets();
        }
        let legs =
            ends.map(|(hubspot, salesforce)| [self.leg(salesforce, hubspot), self.leg(hubspot, salesforce)]);
        if legs.is_some() {
            self.report_hand_overs();
        }
        let two_way = self.sync.fields.iter().filter(|rule| matches!(rule.kind, SyncRuleKind::Both(..)));
        let of_none = self.lets.iter().filter(|line| line.side.is_none());
        let shared = two_way.map(|rule| rule.span).chain(of_none.map(|line| line.line.name.span)).collect();
        Legs { sync: self.sync, mappings: legs, shared, findings: dedupe(self.findings) }
    }

    /// Finds out which record each `let` reads.
    fn read_lets(&mut self) {
        for (at, line) in self.sync.body.lets.iter().enumerate() {
            let mut line = line.clone();
            let mut found = Sides::new(&self.sync.body.withs, &self.lets);
            found.value(&mut line.value);
            let Sides { read: sides, bare, .. } = found;
            let mut broken = !bare.is_empty();
            for path in bare {
                let below = self.sync.body.lets[at..].iter().find(|other| is_name(&path, &other.name.value));
                match below {
                    Some(other) => {
                        let message =
                            format!("`{}` is read above the line that defines it", other.name.value);
                        let finding = Diagnostic::error(Code::UNKNOWN_FIELD, path.span, message);
                        let finding = finding.and(other.name.span, "defined here");
                        self.findings.push(finding.help("move its `let` up"));
                    }
                    None => self.report_no_side(&path),
                }
            }
            if sides.contains(&Side::Hubspot) && sides.contains(&Side::Salesforce) {
                let message = "a `let` of a sync reads one record, and this reads both";
                self.report(Code::BAD_PATH, line.span, message, "write a `let` for each side");
                broken = true;
            }
            if let Some(first) = self.lets.iter().find(|first| first.line.name.value == line.name.value) {
                let message = format!("the name `{}` is given twice", line.name.value);
                let finding = Diagnostic::error(Code::DUPLICATE_NAME, line.name.span, message);
                let finding = finding.and(first.line.name.span, "first here");
                self.findings.push(finding.help("give one of them another name"));
                continue;
            }
            if broken {
                line.value.kind = ValueKind::Error;
            }
            let side = if broken { None } else { sides.first().copied() };
            self.lets.push(SidedLet { line, side });
        }
    }

    fn report_no_side(&mut self, path: &Path) {
        let name = path.text();
        if self.is_let(path) {
            let message = format!("`{name}` is a `let`, and a trigger watches a field");
            self.report(Code::BAD_PATH, path.span, message, "name the field that it is made of");
            return;
        }
        let message = format!("`{name}` does not say on which side of the sync it stands");
        let first = path.parts.first().map_or("", |part| part.value.as_str());
        let written = self.on_either_side(first, |side, _| format!("`{side}.{name}`"));
        self.report(Code::BAD_PATH, path.span, message, format!("write {written}"));
    }

    /// What to write for a field that names no side: for the side whose object has it, or for both.
    fn on_either_side(&self, field: &str, write: impl Fn(Side, &ast::ObjectRef) -> String) -> String {
        let Some((left, right)) = self.sync.between.first() else { return String::new() };
        let ends = [(Side::Hubspot, left), (Side::Salesforce, right)];
        let has = |side: Side, object: &ast::ObjectRef| {
            let object = self.schemas.side(side).objects.get(&object.name.value);
            object
                .is_some_and(|object| object.field(field).is_some() || side == Side::Hubspot && field == "id")
        };
        let known: Vec<_> = ends.iter().filter(|(side, object)| has(*side, object)).collect();
        let all = if known.is_empty() { ends.iter().collect() } else { known };
        all.into_iter().map(|(side, object)| write(*side, object)).collect::<Vec<_>>().join(" or ")
    }

    /// A value of a rule or a rung that reads one side, where a name of the other side is reported.
    fn of_side(&mut self, value: &Value, from: Side) -> Value {
        let mut relative = value.clone();
        let mut found = Sides::new(&self.sync.body.withs, &self.lets);
        found.value(&mut relative);
        let Sides { named, by_let, .. } = found;
        let foreign: Vec<_> = by_let.into_iter().filter(|(_, side)| *side != from).collect();
        if named.is_empty() && foreign.is_empty() {
            return relative;
        }
        for (path, side) in named {
            let message =
                format!("`{}` names a side, and here every name is {}'s", path.text(), from.label());
            let own = without_side(&path).text();
            let help = if side == from { format!("write `{own}`") } else { other_direction(from) };
            self.report(Code::BAD_PATH, path.span, message, help);
        }
        for (path, side) in foreign {
            let message = format!(
                "`{}` reads the record of {}, and here every name is {}'s",
                path.text(),
                side.label(),
                from.label()
            );
            self.report(Code::BAD_PATH, path.span, message, other_direction(from));
        }
        Value { kind: ValueKind::Error, span: value.span }
    }

    fn tests_of_side(&mut self, tests: &[FieldTest], from: Side) -> Vec<FieldTest> {
        let mut tests = tests.to_vec();
        for test in &mut tests {
            match &mut test.test {
                TestOp::Compare(_, value) => *value = self.of_side(value, from),
                TestOp::In(values) => values.iter_mut().for_each(|value| *value = self.of_side(value, from)),
                TestOp::Presence(_) => {}
            }
        }
        tests
    }

    fn is_let(&self, path: &Path) -> bool {
        self.lets.iter().any(|line| is_name(path, &line.line.name.value))
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
            lets: self.lets_of(from.side),
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

    fn lets_of(&self, from: Side) -> Vec<ast::Let> {
        let own = self.lets.iter().filter(|line| line.side.is_none_or(|side| side == from));
        own.map(|line| line.line.clone()).collect()
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

    fn outcomes(&mut self, to: Side) -> Vec<ast::Outcome> {
        let mut outcomes = Vec::new();
        for outcome in &self.sync.body.outcomes {
            let side = outcome.side.as_ref().map(|side| side.value);
            // What happens to a record of one side happens to the target of one leg and to the source of the other.
            let of_target = side.is_none_or(|side| side == to);
            let of_source = side.is_none_or(|side| side != to);
            if let Some(own) = own_word(outcome.situation.value) {
                let word = own.rsplit(' ').next().unwrap_or(own);
                let written = format!("write `on {word} in hubspot` or `on {word} in salesforce`");
                let message =
                    format!("a sync has no `source` and no `target`, so `on {own}` is about neither");
                self.report(Code::OUTCOME_IMPOSSIBLE, outcome.situation.span, message, written);
                continue;
            }
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
        self.report_no_side(path);
        None
    }

    /// The guards of one side, with their paths relative to its record.
    fn guards(&mut self, from: Side) -> Vec<ast::Guard> {
        let mut own = Vec::new();
        for guard in &self.sync.body.guards {
            let mut guard = guard.clone();
            let mut found = Sides::new(&self.sync.body.withs, &self.lets);
            found.condition(&mut guard.condition);
            let Sides { read: sides, bare, .. } = found;
            for path in bare {
                self.report_no_side(&path);
            }
            match (sides.contains(&Side::Hubspot), sides.contains(&Side::Salesforce)) {
                (true, true) => {
                    let message = "a guard of a sync asks for one record, and this asks for both";
                    self.report(Code::BAD_PATH, guard.span, message, "write a guard for each side");
                }
                _ if sides.contains(&from) => own.push(guard),
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
                self.report_key_let(value);
                Some(RungKind::Key { object: None, field: field.clone(), value: value.clone() })
            }
            RungKind::Key { object: Some(_), field, value } => {
                let ValueKind::Path(path) = &value.kind else {
                    // A `let` is reported by the leg that writes the key.
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
                let written = self.on_either_side(&field.value, |side, object| {
                    format!("`{side}.{}.{}`", object.name.value, field.value)
                });
                self.report(Code::RUNG_ORDER, field.span, message, format!("write {written}"));
                None
            }
            RungKind::Object { object, tests, then } if object.side == to.side => Some(RungKind::Object {
                object: object.clone(),
                tests: self.tests_of_side(tests, from.side),
                then: then.clone(),
            }),
            RungKind::Object { tests, .. } => {
                let turned: Option<Vec<FieldTest>> = tests.iter().map(|test| self.turned(test)).collect();
                Some(RungKind::Object { object: to.clone(), tests: turned?, then: None })
            }
        }
    }

    fn rules(&mut self, to: Side) -> Vec<FieldsEntry> {
        let mut rules = Vec::new();
        let from = to.other();
        for rule in &self.sync.fields {
            let (target, value) = match (&rule.kind, to) {
                (SyncRuleKind::Both(hubspot, salesforce, steps), Side::Salesforce) => {
                    (salesforce, piped(name_value(hubspot), steps.iter().cloned(), rule.span))
                }
                (SyncRuleKind::Both(hubspot, salesforce, steps), Side::Hubspot) => {
                    (hubspot, piped(name_value(salesforce), steps.iter().rev().map(undone), rule.span))
                }
                (SyncRuleKind::ToHubspot(target, value), Side::Hubspot)
                | (SyncRuleKind::ToSalesforce(value, target), Side::Salesforce) => {
                    (target, self.of_side(value, from))
                }
                _ => continue,
            };
            let via = match &rule.kind {
                SyncRuleKind::Both(_, salesforce, _) => {
                    Some(Span { start: salesforce.span.end, ..salesforce.span })
                }
                _ => None,
            };
            let is_own = |kind: &PolicyKind| {
                let conflict = matches!(
                    kind,
                    PolicyKind::ConflictSide(_) | PolicyKind::ConflictLatest(_) | PolicyKind::FillsOnly(_)
                );
                conflict || via.is_some() && *kind == PolicyKind::OnBlankClear
            };
            let policies = rule.policies.iter().filter(|policy| !is_own(&policy.kind)).cloned().collect();
            rules.push(FieldsEntry::Rule(ast::Rule {
                doc: rule.doc.clone(),
                target: target.clone(),
                value,
                policies,
                via,
                span: rule.span,
            }));
        }
        rules
    }

    /// `A = B` of two plain fields, seen from the other record.
    fn turned(&self, test: &FieldTest) -> Option<FieldTest> {
        let TestOp::Compare(op, value) = &test.test else { return None };
        match (&value.kind, op.value) {
            (ValueKind::Path(path), CompareOp::Eq) if !self.is_let(path) && side_of(path).is_none() => {
                let field = Value { kind: ValueKind::Path(test.field.clone()), span: test.field.span };
                Some(equals(path.clone(), field, test.span))
            }
            _ => None,
        }
    }

    /// The key is followed in both directions, and no `let` is a field that could be searched by.
    fn report_key_let(&mut self, value: &Value) {
        if let ValueKind::Path(path) = &value.kind
            && self.is_let(path)
        {
            let message = "the key of a sync is followed in both directions, so it is a plain field";
            self.report(Code::KEY_VALUE, value.span, message, "write the field itself");
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

/// The outcomes that only a mapping has.
fn own_word(situation: Situation) -> Option<&'static str> {
    match situation {
        Situation::SourceDeleted => Some("source deleted"),
        Situation::SourceMerged => Some("source merged"),
        Situation::TargetDeleted => Some("target deleted"),
        Situation::TargetMerged => Some("target merged"),
        _ => None,
    }
}

/// What to do where a value of one side is wanted and one of the other was written.
fn other_direction(from: Side) -> String {
    let arrow = match from {
        Side::Hubspot => "<-",
        Side::Salesforce => "->",
    };
    format!("in a rule: write it with `{arrow}`, which reads {}", from.other().label())
}

/// The two legs find the same faults in what they share.
fn dedupe(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    findings.retain(|finding| seen.insert((finding.code, finding.span(), finding.message.clone())));
    findings
}

fn name_value(name: &ast::Name) -> Value {
    let path = Path { parts: vec![name.clone()], span: name.span };
    Value { kind: ValueKind::Path(path), span: name.span }
}

fn equals(field: Path, value: Value, span: Span) -> FieldTest {
    FieldTest { field, test: TestOp::Compare(Spanned::new(CompareOp::Eq, span), value), span }
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
