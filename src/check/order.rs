//! Orders: every stage is an option, once.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::ObjectName;
use crate::syntax::ast;

use super::options::{inactive_option, unknown_option};
use super::picklist::picklist_field;
use super::record_type::{Possible, possible};
use super::scope::Scope;
use super::typed::{Order, Rule, WhenWritten};
use super::world::{World, is_closed};

/// An order and whether its field is known.
pub(super) struct OrderFacts {
    pub(super) typed: Order,
    pub(super) is_broken: bool,
}

/// Checks every order.
pub(super) fn check_all<'a>(world: &World<'a>, orders: &[&'a ast::Order]) -> IndexMap<&'a str, OrderFacts> {
    orders.iter().map(|order| (order.name.value.as_str(), check(world, order))).collect()
}

fn check(world: &World<'_>, order: &ast::Order) -> OrderFacts {
    let end = picklist_field(world, &order.of);
    let mut first_stages = HashMap::new();
    for stage in &order.stages {
        let first = *first_stages.entry(stage.value.as_str()).or_insert(stage.span);
        if first != stage.span {
            let message = format!("the stage `{}` stands twice", stage.value);
            let finding = Diagnostic::error(Code::OPTION_TWICE, stage.span, message).and(first, "first here");
            world.report(finding.help("a stage has one place in an order"));
        }
        let Some((object, field)) = &end else { continue };
        match field.options.iter().find(|known| known.value == stage.value) {
            Some(known) if known.active => {}
            Some(known) => world.report(inactive_option(object, field, known, stage.span)),
            None if is_closed(field) || !field.options.is_empty() => {
                world.report(unknown_option(world, object, field, &stage.value, stage.span));
            }
            None => {}
        }
    }
    let typed = Order {
        name: order.name.value.clone(),
        of: (
            ObjectName::new(order.of.object.side, &order.of.object.name.value),
            order.of.field.value.clone(),
        ),
        stages: order.stages.iter().map(|stage| stage.value.clone()).collect(),
        span: order.name.span,
    };
    OrderFacts { typed, is_broken: end.is_none() }
}

/// Warns of a literal that a rule writes along an order without that stage: from no stage is it an advance.
pub(super) fn check_rule(scope: &Scope<'_>, rule: &Rule) {
    let WhenWritten::AdvanceOnly(order) = rule.when else { return };
    let Some((_, facts)) = scope.world.orders.get_index(order) else { return };
    if facts.is_broken || facts.typed.of.1 != rule.target {
        return;
    }
    let mut written = Vec::new();
    possible(scope, &[], &rule.value, &mut written);
    let unlisted = |written: &&Possible| written.literal && !facts.typed.stages.contains(&written.option);
    for Possible { option, at, .. } in written.iter().filter(unlisted) {
        let message = format!(
            "`{option}` is no stage of `order {}`, so it is written only where nothing stands yet",
            facts.typed.name
        );
        let finding = Diagnostic::warning(Code::UNREACHABLE, *at, message).and(facts.typed.span, "the order");
        scope.report(finding.help(format!("add `{option}` to the order, or write `if target is blank`")));
    }
}
