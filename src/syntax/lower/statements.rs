//! The statements of `mapping` and `sync`, and the rungs of `match`.

use pest::iterators::Pair;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{
    Action, AssignmentRule, Associate, AssociateKind, Body, Guard, GuardOtherwise, Let, Match, Name,
    ObjectRef, Outcome, Path, Rung, RungKind, Situation, Trigger, TriggerKind, With, WithSource, WriteOption,
};
use crate::syntax::grammar::Rule;
use crate::syntax::layout::{Block, BlockKind};

use super::{Lower, names};

impl Lower<'_> {
    /// Adds a statement that mappings and syncs share to the body.
    pub(super) fn body_statement(&mut self, pair: Pair<'_, Rule>, body: &mut Body) {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::with => body.withs.extend(self.with(pair)),
            Rule::with_each => body.withs.extend(self.with_each(pair)),
            Rule::let_ => body.lets.extend(self.let_(pair)),
            Rule::when => body.whens.extend(self.trigger(pair).map(|kind| Trigger { kind, span })),
            Rule::only_if => body.guards.extend(self.guard(pair)),
            Rule::outcome => body.outcomes.extend(self.outcome(pair)),
            Rule::assignment_rule => {
                body.options.push(WriteOption::AssignmentRule(self.assignment_rule(pair), span));
            }
            Rule::record_type => {
                let value = pair.into_inner().find(|child| child.as_rule() == Rule::value);
                body.options.extend(value.map(|value| WriteOption::RecordType(self.value(value), span)));
            }
            Rule::associate => body.associates.extend(self.associate(pair)),
            _ => {}
        }
    }

    fn with(&mut self, pair: Pair<'_, Rule>) -> Option<With> {
        let span = self.span(&pair);
        let (mut name, mut source) = (None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::local => name = Some(self.name(&child)),
                Rule::association => source = self.association(child),
                _ => {}
            }
        }
        let source = match source? {
            (None, object) => WithSource::Primary(object),
            (Some(label), object) => WithSource::Labelled(label, object),
        };
        Some(With { name: name?, source, span })
    }

    /// An association: its label, unless it is the primary one, and the object.
    fn association(&mut self, pair: Pair<'_, Rule>) -> Option<(Option<Spanned<String>>, ObjectRef)> {
        let (mut label, mut object) = (None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::text => label = Some(self.text(&child)),
                Rule::object => object = Some(self.object(&child)),
                _ => {}
            }
        }
        Some((label, object?))
    }

    fn with_each(&mut self, pair: Pair<'_, Rule>) -> Option<With> {
        let span = self.span(&pair);
        let (mut name, mut object, mut tests) = (None, None, Vec::new());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::local => name = Some(self.name(&child)),
                Rule::object => object = Some(self.object(&child)),
                Rule::field_tests => tests = self.field_tests(child),
                _ => {}
            }
        }
        Some(With { name: name?, source: WithSource::Each(object?, tests), span })
    }

    fn let_(&mut self, pair: Pair<'_, Rule>) -> Option<Let> {
        let span = self.span(&pair);
        let (mut name, mut value) = (None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::local => name = Some(self.name(&child)),
                Rule::value => value = Some(self.value(child)),
                _ => {}
            }
        }
        Some(Let { name: name?, value: value?, span })
    }

    pub(super) fn trigger(&mut self, pair: Pair<'_, Rule>) -> Option<TriggerKind> {
        let trigger = pair.into_inner().find(|child| child.as_rule() != Rule::kw_when)?;
        let rule = trigger.as_rule();
        let (mut paths, mut values, mut association) = (Vec::new(), Vec::new(), None);
        for child in trigger.into_inner() {
            match child.as_rule() {
                Rule::path => paths.push(self.path(&child)),
                Rule::literal => values.push(Spanned::new(self.literal(&child), self.span(&child))),
                Rule::literal_list => {
                    for literal in child.into_inner().filter(|child| child.as_rule() == Rule::literal) {
                        values.push(Spanned::new(self.literal(&literal), self.span(&literal)));
                    }
                }
                Rule::association => association = self.association(child),
                _ => {}
            }
        }
        match (rule, association) {
            (Rule::created, _) => Some(TriggerKind::Created),
            (_, Some((None, object))) => Some(TriggerKind::PrimaryChanges(object)),
            (_, Some((Some(label), object))) => Some(TriggerKind::LabelledChanges(label, object)),
            (Rule::becomes, None) => Some(TriggerKind::Becomes(paths.pop()?, values)),
            _ => Some(TriggerKind::Changes(paths)),
        }
    }

    fn guard(&mut self, pair: Pair<'_, Rule>) -> Option<Guard> {
        let span = self.span(&pair);
        let (mut condition, mut otherwise) = (None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::condition => condition = Some(self.condition(child)),
                Rule::guard_otherwise => otherwise = self.guard_otherwise(child),
                _ => {}
            }
        }
        Some(Guard { condition: condition?, otherwise, span })
    }

    fn guard_otherwise(&mut self, pair: Pair<'_, Rule>) -> Option<Spanned<GuardOtherwise>> {
        let span = self.span(&pair);
        let action = pair.into_inner().find(|child| child.as_rule() != Rule::kw_otherwise)?;
        let action = match action.as_rule() {
            Rule::kw_wait => GuardOtherwise::Wait,
            Rule::park => GuardOtherwise::Park(self.park(&action)),
            Rule::hand_over => GuardOtherwise::Then(self.hand_over(action)?),
            _ => GuardOtherwise::Skip,
        };
        Some(Spanned::new(action, span))
    }

    /// The reason of a `park`.
    pub(super) fn park(&self, pair: &Pair<'_, Rule>) -> Option<String> {
        let text = pair.clone().into_inner().find(|child| child.as_rule() == Rule::text)?;
        Some(self.text(&text).value)
    }

    /// The mapping of a `then`.
    pub(super) fn hand_over(&self, pair: Pair<'_, Rule>) -> Option<Name> {
        let name = pair.into_inner().find(|child| child.as_rule() == Rule::mapping_name)?;
        Some(self.name(&name))
    }

    fn outcome(&mut self, pair: Pair<'_, Rule>) -> Option<Outcome> {
        let span = self.span(&pair);
        let (mut situation, mut side, mut action) = (None, None, None);
        for child in pair.into_inner() {
            let span = self.span(&child);
            match child.as_rule() {
                Rule::side => side = Some(Spanned::new(names::side(&child), span)),
                Rule::situation => situation = Some(Spanned::new(self::situation(child)?, span)),
                Rule::action => action = Some(Spanned::new(self.action(child)?, span)),
                _ => {}
            }
        }
        Some(Outcome { situation: situation?, side, action: action?, span })
    }

    fn action(&mut self, pair: Pair<'_, Rule>) -> Option<Action> {
        let first = pair.into_inner().next()?;
        Some(match first.as_rule() {
            Rule::hand_over => Action::Then(self.hand_over(first)?),
            Rule::park => Action::Park(self.park(&first)),
            Rule::kw_create => Action::Create,
            Rule::kw_newest => Action::Newest,
            Rule::kw_oldest => Action::Oldest,
            Rule::kw_adopt => Action::Adopt,
            Rule::kw_allow => Action::Allow,
            Rule::kw_follow => Action::Follow,
            Rule::kw_unlink => Action::Unlink,
            Rule::kw_drop => Action::DropField,
            _ => Action::Skip,
        })
    }

    fn assignment_rule(&mut self, pair: Pair<'_, Rule>) -> AssignmentRule {
        let mut rule = AssignmentRule::Off;
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::kw_on => rule = AssignmentRule::On,
                Rule::text => rule = AssignmentRule::Id(self.text(&child).value),
                _ => {}
            }
        }
        rule
    }

    fn associate(&mut self, pair: Pair<'_, Rule>) -> Option<Associate> {
        let span = self.span(&pair);
        let (mut exactly, mut kind) = (false, AssociateKind::Plain);
        let (mut object, mut of, mut otherwise) = (None, None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::kw_exactly => exactly = true,
                Rule::kw_primary => kind = AssociateKind::Primary,
                Rule::text => kind = AssociateKind::Labelled(self.text(&child)),
                Rule::linked => (object, of) = self.linked(child),
                Rule::guard_otherwise => otherwise = self.guard_otherwise(child),
                _ => {}
            }
        }
        Some(Associate { exactly, kind, object: object?, of: of?, otherwise, span })
    }

    /// `linked OBJECT of NAME`
    pub(super) fn linked(&self, pair: Pair<'_, Rule>) -> (Option<ObjectRef>, Option<Path>) {
        let (mut object, mut of) = (None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::object => object = Some(self.object(&child)),
                Rule::path => of = Some(self.path(&child)),
                _ => {}
            }
        }
        (object, of)
    }

    /// The rungs of a `match` whose word stands at `start`.
    pub(super) fn ladder(&mut self, start: usize, block: &Block) -> Match {
        let mut rungs = Vec::with_capacity(block.nodes.len());
        for (index, node) in block.nodes.iter().enumerate() {
            if !self.check_block(node, false) {
                continue;
            }
            let Some(line) = self.read(Rule::rung_line, node, BlockKind::Match) else { continue };
            let span = self.span(&line);
            let (mut has_or, mut kind) = (false, None);
            for child in line.into_inner() {
                match child.as_rule() {
                    Rule::kw_or => has_or = true,
                    Rule::EOI => {}
                    _ => kind = self.rung(child),
                }
            }
            self.check_or(index == 0, has_or, span);
            rungs.extend(kind.map(|kind| Rung { kind, span }));
        }
        Match { rungs, span: Span::new(self.findings.file(), start, block.end) }
    }

    fn check_or(&mut self, first: bool, has_or: bool, span: Span) {
        let start = Span { end: span.start, ..span };
        if first && has_or {
            let or = Span { end: span.start + 2, ..span };
            let finding = Diagnostic::error(Code::SYNTAX, or, "the first rung begins without `or`");
            self.findings.push(finding.help("delete the `or`"));
        } else if !first && !has_or {
            let finding = Diagnostic::error(Code::SYNTAX, start, "expected `or`");
            self.findings.push(finding.help("every rung but the first begins with `or`").fix(start, "or "));
        }
    }

    fn rung(&mut self, pair: Pair<'_, Rule>) -> Option<RungKind> {
        let rule = pair.as_rule();
        let (mut object, mut field, mut value, mut tests, mut then) = (None, None, None, Vec::new(), None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::object => object = Some(self.object(&child)),
                Rule::object_field => {
                    let reference = self.field_ref(&child);
                    object = Some(reference.object);
                    field = Some(reference.field);
                }
                Rule::field => field = Some(self.name(&child)),
                Rule::value | Rule::pipe => value = Some(self.value(child)),
                Rule::field_tests => tests = self.field_tests(child),
                Rule::hand_over => then = self.hand_over(child),
                _ => {}
            }
        }
        Some(match rule {
            Rule::key_rung => RungKind::Key { object, field: field?, value: value? },
            Rule::object_rung => RungKind::Object { object: object?, tests, then },
            _ => RungKind::Field { field: field?, value: value?, tests },
        })
    }
}

fn situation(pair: Pair<'_, Rule>) -> Option<Situation> {
    let words: Vec<_> = pair.into_inner().collect();
    let has = |rule| words.iter().any(|word| word.as_rule() == rule);
    Some(match words.first()?.as_rule() {
        Rule::kw_many => Situation::Many,
        Rule::kw_taken => Situation::Taken,
        Rule::kw_converted => Situation::Converted,
        Rule::kw_duplicate => Situation::Duplicate,
        Rule::kw_rejected => Situation::Rejected,
        Rule::kw_source if has(Rule::kw_deleted) => Situation::SourceDeleted,
        Rule::kw_source => Situation::SourceMerged,
        Rule::kw_target if has(Rule::kw_deleted) => Situation::TargetDeleted,
        Rule::kw_target => Situation::TargetMerged,
        Rule::kw_deleted => Situation::Deleted,
        Rule::kw_merged => Situation::Merged,
        _ => Situation::None,
    })
}
