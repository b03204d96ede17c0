//! The policies of a rule: at most one of each kind, and none that contradicts another.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, PolicyKind};
use crate::types::Type;

use super::assign::Into;
use super::mend;
use super::scope::Scope;
use super::typed::{RuleElse, WhenWritten};
use super::words;
use super::world::ItemKind;

/// What the policies of a rule say.
pub(super) struct Policies {
    pub(super) when: WhenWritten,
    pub(super) blank_clears: Option<Span>,
    pub(super) otherwise: Option<Spanned<RuleElse>>,
}

/// The kinds of which a rule has at most one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    When,
    Blank,
    Otherwise,
    TwoWay,
}

fn group(kind: &PolicyKind) -> Group {
    match kind {
        PolicyKind::OnCreate
        | PolicyKind::OnUpdate
        | PolicyKind::IfTargetIsBlank
        | PolicyKind::AdvanceOnly(_)
        | PolicyKind::Sticky(_) => Group::When,
        PolicyKind::OnBlankClear => Group::Blank,
        PolicyKind::Otherwise(_) => Group::Otherwise,
        PolicyKind::ConflictSide(_) | PolicyKind::ConflictLatest(_) | PolicyKind::FillsOnly(_) => {
            Group::TwoWay
        }
    }
}

impl<'a> Scope<'a> {
    /// Reads the policies of a rule.
    pub(super) fn policies(&self, rule: &ast::Rule, into: &Into<'_, 'a>) -> Policies {
        self.check_once(rule);
        let mut policies = Policies { when: WhenWritten::Always, blank_clears: None, otherwise: None };
        let mut when_span = None;
        for policy in &rule.policies {
            match (&policy.kind, group(&policy.kind)) {
                (kind, Group::When) if when_span.is_none() => {
                    when_span = Some(policy.span);
                    policies.when = self.when_written(kind, policy.span, into);
                }
                (PolicyKind::OnBlankClear, _) => policies.blank_clears = Some(policy.span),
                (PolicyKind::Otherwise(otherwise), _) if policies.otherwise.is_none() => {
                    let value = self.rule_else(otherwise, policy.span, into);
                    policies.otherwise = Some(Spanned::new(value, policy.span));
                }
                (_, Group::TwoWay) => {
                    let text = self.world.sources.slice(policy.span);
                    let message = format!("`{text}` belongs to a `sync`; a mapping writes in one direction");
                    self.report(
                        Diagnostic::error(Code::POLICY_CONFLICT, policy.span, message).help("remove it"),
                    );
                }
                _ => {}
            }
        }
        if let (Some(clear), Some(when)) = (policies.blank_clears, when_span) {
            self.check_clear(&policies.when, clear, when);
        }
        policies
    }

    fn check_once(&self, rule: &ast::Rule) {
        for (at, policy) in rule.policies.iter().enumerate() {
            let this = group(&policy.kind);
            let earlier = rule.policies[..at].iter().find(|earlier| group(&earlier.kind) == this);
            let Some(earlier) = earlier.filter(|_| this != Group::TwoWay) else { continue };
            let slice = |span| self.world.sources.slice(span);
            let (a, b) = (slice(earlier.span), slice(policy.span));
            let message = if earlier.kind == policy.kind {
                format!("`{b}` is written twice")
            } else {
                format!("`{a}` and `{b}` contradict each other")
            };
            let finding = Diagnostic::error(Code::POLICY_CONFLICT, policy.span, message);
            self.report(finding.and(earlier.span, "first here").help("keep one of them"));
        }
    }

    fn check_clear(&self, when: &WhenWritten, clear: Span, when_span: Span) {
        let why = match when {
            WhenWritten::OnCreate => "a new record has nothing to clear",
            WhenWritten::IfTargetIsBlank => "what is blank need not be cleared",
            WhenWritten::AdvanceOnly(_) => "clearing is no step forward",
            WhenWritten::Sticky(_) => "clearing would take back what stays",
            WhenWritten::Always | WhenWritten::OnUpdate => return,
        };
        let message = format!("`on blank clear` can never do anything here: {why}");
        let finding = Diagnostic::error(Code::POLICY_CONFLICT, clear, message);
        self.report(finding.and(when_span, "because of this").help("keep one of them"));
    }

    fn when_written(&self, kind: &PolicyKind, span: Span, into: &Into<'_, 'a>) -> WhenWritten {
        match kind {
            PolicyKind::OnCreate => WhenWritten::OnCreate,
            PolicyKind::OnUpdate => WhenWritten::OnUpdate,
            PolicyKind::IfTargetIsBlank => WhenWritten::IfTargetIsBlank,
            PolicyKind::Sticky(value) => {
                if into.typed.ty != Type::Boolean {
                    let is = words::kind_of(&into.typed.ty);
                    let message = format!(
                        "`once {value} stays {value}` is for true or false, and `{}` is {is}",
                        into.field.name
                    );
                    let finding =
                        Diagnostic::error(Code::TYPE_MISMATCH, span, message).and(into.field.span, is);
                    self.report(finding.help("remove it"));
                }
                WhenWritten::Sticky(*value)
            }
            PolicyKind::AdvanceOnly(order) => self.advance_only(order, into),
            _ => WhenWritten::Always,
        }
    }

    fn advance_only(&self, name: &ast::Name, into: &Into<'_, 'a>) -> WhenWritten {
        let Some((index, _, facts)) = self.world.orders.get_full(name.value.as_str()) else {
            let message = format!("there is no order `{}`", name.value);
            let help = self
                .world
                .guesses
                .did_you_mean(&name.value, self.world.orders.keys().copied())
                .unwrap_or_else(|| {
                    format!(
                        "write `order {} of {}.{} {{ … }}`",
                        name.value, into.object.name, into.field.name
                    )
                });
            let finding = Diagnostic::error(Code::UNKNOWN_ORDER, name.span, message).label("unknown order");
            let orders = self.world.orders.keys().copied();
            self.report(mend::rename(
                &self.world.guesses,
                finding.help(help),
                &name.value,
                name.span,
                orders,
            ));
            return WhenWritten::Always;
        };
        self.world.mark_used(ItemKind::Order, &name.value);
        let (object, field) = &facts.typed.of;
        if !facts.is_broken && (object, field) != (&into.object.name, &into.field.name) {
            let message = format!(
                "the order `{}` is of `{field}` of `{object}`, not of `{}`",
                name.value, into.field.name
            );
            let finding = Diagnostic::error(Code::PICKLIST_FIELD, name.span, message);
            let finding = finding.and(facts.typed.span, "the order is here");
            self.report(
                finding.help(format!("write an order of `{}.{}`", into.object.name, into.field.name)),
            );
        }
        WhenWritten::AdvanceOnly(index)
    }

    fn rule_else(&self, otherwise: &ast::Otherwise, span: Span, into: &Into<'_, 'a>) -> RuleElse {
        match otherwise {
            ast::Otherwise::Keep => RuleElse::Keep,
            ast::Otherwise::Park(reason) => RuleElse::Park(reason.clone()),
            ast::Otherwise::Wait => RuleElse::Wait,
            ast::Otherwise::Literal(literal) => RuleElse::Literal(self.check_literal(literal, span, into)),
        }
    }
}
