//! Field rules of one-way and two-way mappings, with their policies.

use pest::iterators::Pair;

use crate::source::{Side, Span, Spanned};
use crate::syntax::ast::{
    FieldsEntry, Otherwise, Policy, PolicyKind, Rule as FieldRule, SyncRule, SyncRuleKind, Value, ValueKind,
};
use crate::syntax::grammar::Rule;
use crate::syntax::layout::{Block, BlockKind, Node};
use crate::syntax::shape;

use super::{Lower, names};

impl Lower<'_> {
    /// The lines of `fields` in a mapping.
    pub(super) fn rules(&mut self, block: &Block, entries: &mut Vec<FieldsEntry>) {
        for node in &block.nodes {
            let read = if self.check_block(node, false) {
                self.read(Rule::rule_line, node, BlockKind::Rules)
            } else {
                None
            };
            let Some(line) = read else {
                entries.extend(self.salvage(node).map(FieldsEntry::Rule));
                continue;
            };
            let doc = self.doc(node);
            let Some(statement) = line.into_inner().next() else { continue };
            entries.extend(match statement.as_rule() {
                Rule::use_ => self.use_(statement),
                _ => self.rule(statement, doc).map(FieldsEntry::Rule),
            });
        }
    }

    /// The lines of shared `fields`.
    pub(super) fn shared_rules(&mut self, block: &Block) -> Vec<FieldRule> {
        let mut rules = Vec::with_capacity(block.nodes.len());
        for node in &block.nodes {
            let read = if self.check_block(node, false) {
                self.read(Rule::shared_line, node, BlockKind::Shared)
            } else {
                None
            };
            let rule = match read.and_then(|line| line.into_inner().next()) {
                Some(statement) => {
                    let doc = self.doc(node);
                    self.rule(statement, doc)
                }
                None => self.salvage(node),
            };
            rules.extend(rule);
        }
        rules
    }

    /// The lines of `fields` in a sync.
    pub(super) fn sync_rules(&mut self, block: &Block, rules: &mut Vec<SyncRule>) {
        for node in &block.nodes {
            if !self.check_block(node, false) {
                continue;
            }
            let Some(line) = self.read(Rule::sync_rule_line, node, BlockKind::SyncRules) else { continue };
            let doc = self.doc(node);
            rules.extend(line.into_inner().next().and_then(|statement| self.sync_rule(statement, doc)));
        }
    }

    fn use_(&mut self, pair: Pair<'_, Rule>) -> Option<FieldsEntry> {
        let span = self.span(&pair);
        let name = pair.into_inner().find(|child| child.as_rule() == Rule::fields_name)?;
        Some(FieldsEntry::Use(self.name(&name), span))
    }

    fn rule(&mut self, pair: Pair<'_, Rule>, doc: Option<String>) -> Option<FieldRule> {
        let span = self.span(&pair);
        let (mut target, mut value, mut policies) = (None, None, Vec::new());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::field => target = Some(self.name(&child)),
                Rule::value => value = Some(self.value(child)),
                Rule::policy => policies.extend(self.policy(child)),
                _ => {}
            }
        }
        Some(FieldRule { doc, target: target?, value: value?, policies, via: None, span })
    }

    /// What is left of a rule that could not be read: its target, so that nobody calls the field forgotten.
    fn salvage(&self, node: &Node) -> Option<FieldRule> {
        let text = &self.text[node.head.clone()];
        let name = shape::first_name(text);
        let rest = text[name.len()..].trim_start();
        if name.is_empty() || !rest.starts_with(['<', '=', ':', '-']) {
            return None;
        }
        let span = self.node_span(node);
        // `VALUE -> FIELD` is turned round in the correction, and so is what it writes.
        let turned =
            rest.strip_prefix("->").map(str::trim_start).filter(|after| !shape::first_name(after).is_empty());
        let (name, at) = match turned {
            Some(after) => (shape::first_name(after), text.len() - after.len()),
            None => (name, 0),
        };
        let target = Span::new(span.file, node.head.start + at, node.head.start + at + name.len());
        let target = Spanned::new(name.trim_matches('`').to_owned(), target);
        let value = Value { kind: ValueKind::Error, span };
        Some(FieldRule { doc: self.doc(node), target, value, policies: Vec::new(), via: None, span })
    }

    fn sync_rule(&mut self, pair: Pair<'_, Rule>, doc: Option<String>) -> Option<SyncRule> {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let (mut fields, mut value) = (Vec::with_capacity(2), None);
        let (mut via, mut policies) = (Vec::new(), Vec::new());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::field => fields.push(self.name(&child)),
                Rule::value => value = Some(self.value(child)),
                Rule::via => {
                    let steps = child.into_inner().filter(|step| step.as_rule() == Rule::step);
                    via = steps.filter_map(|step| self.step(step)).collect();
                }
                Rule::sync_policy => {
                    policies.extend(child.into_inner().next().and_then(|policy| self.policy(policy)));
                }
                _ => {}
            }
        }
        let last = fields.pop()?;
        let kind = match rule {
            Rule::both_ways => SyncRuleKind::Both(fields.pop()?, last, via),
            Rule::to_hubspot => SyncRuleKind::ToHubspot(last, value?),
            _ => SyncRuleKind::ToSalesforce(value?, last),
        };
        Some(SyncRule { doc, kind, policies, span })
    }

    /// `policy`, `conflict` or `fills`.
    fn policy(&mut self, pair: Pair<'_, Rule>) -> Option<Policy> {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let words: Vec<_> = pair.into_inner().collect();
        let has = |rule| words.iter().any(|word| word.as_rule() == rule);
        let side =
            || words.iter().find(|word| word.as_rule() == Rule::side).map_or(Side::Hubspot, names::side);
        let kind = match (rule, words.first()?.as_rule()) {
            (Rule::conflict, _) if has(Rule::kw_latest) => PolicyKind::ConflictLatest(side()),
            (Rule::conflict, _) => PolicyKind::ConflictSide(side()),
            (Rule::fills, _) => PolicyKind::FillsOnly(side()),
            (_, Rule::kw_on) if has(Rule::kw_create) => PolicyKind::OnCreate,
            (_, Rule::kw_on) if has(Rule::kw_update) => PolicyKind::OnUpdate,
            (_, Rule::kw_on) => PolicyKind::OnBlankClear,
            (_, Rule::kw_if) => PolicyKind::IfTargetIsBlank,
            (_, Rule::kw_once) => PolicyKind::Sticky(has(Rule::kw_true)),
            (_, Rule::kw_advance) => {
                let order = words.iter().find(|word| word.as_rule() == Rule::order_name)?;
                PolicyKind::AdvanceOnly(self.name(order))
            }
            _ => PolicyKind::Otherwise(self.otherwise(words.last()?)),
        };
        Some(Policy { kind, span })
    }

    fn otherwise(&mut self, pair: &Pair<'_, Rule>) -> Otherwise {
        match pair.as_rule() {
            Rule::kw_keep => Otherwise::Keep,
            Rule::kw_wait => Otherwise::Wait,
            Rule::park => Otherwise::Park(self.park(pair)),
            _ => Otherwise::Literal(self.literal(pair)),
        }
    }
}
