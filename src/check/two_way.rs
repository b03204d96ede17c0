//! Two-way rules: each can be undone, and each says who decides when both sides have changed.
//!
//! A `<->` holds two values for one fact. The engine compares them as Salesforce would hold them: HubSpot's value through
//! the steps, and Salesforce's through the steps back and forth again. What must be true of the steps, so that a value
//! which goes over and comes back is the value that it was, is proved here; the option or the value that breaks it is named.

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::functions::{self, Function};
use crate::source::{Side, Span};
use crate::syntax::ast::{self, PolicyKind, Step, SyncRuleKind, ValueKind};
use crate::types::{Type, Value};

use super::settle::{self, Op};
use super::typed::{Conflict, Expr, ExprKind, Mapping, PicklistElse, TwoWay};
use super::world::{ItemKind, World};

/// Checks the two-way rules of a sync, and the policies of all its rules.
pub(super) fn check(
    world: &World<'_>,
    sync: &ast::Sync,
    to_salesforce: &Mapping,
    to_hubspot: &Mapping,
) -> Vec<TwoWay> {
    let mut rules = Vec::new();
    for rule in &sync.fields {
        let SyncRuleKind::Both(hubspot, salesforce, steps) = &rule.kind else {
            report_one_way(world, rule);
            continue;
        };
        let conflict = conflict(world, rule);
        check_policies(world, rule);
        check_steps(world, ends(world, sync, (hubspot, salesforce)), steps);
        let at = |mapping: &Mapping, target: &str| {
            mapping.rules.iter().position(|typed| typed.span == rule.span && typed.target == target)
        };
        let found = (at(to_salesforce, &salesforce.value), at(to_hubspot, &hubspot.value), conflict);
        if let (Some(forth), Some(back), Some(conflict)) = found {
            let round = substituted(&to_salesforce.rules[forth].value, &to_hubspot.rules[back].value);
            rules.push(TwoWay { forth, back, round, conflict, span: rule.span });
        }
    }
    rules
}

/// The types of the two fields of a rule, HubSpot's first; an unknown one was reported.
fn ends(
    world: &World<'_>,
    sync: &ast::Sync,
    (hubspot, salesforce): (&ast::Name, &ast::Name),
) -> Option<[Type; 2]> {
    let (first, second) = sync.between.first()?;
    let of = |side: Side, object: &ast::ObjectRef, name: &ast::Name| {
        let object = world.object_named(side, &object.name.value)?;
        Type::of(object.field(&name.value)?, &object.name).map(|typed| typed.ty)
    };
    Some([of(Side::Hubspot, first, hubspot)?, of(Side::Salesforce, second, salesforce)?])
}

fn report_one_way(world: &World<'_>, rule: &ast::SyncRule) {
    for policy in &rule.policies {
        if is_conflict(&policy.kind) {
            let text = world.sources.slice(policy.span);
            let message = format!("`{text}` belongs to a `<->`; this rule writes in one direction");
            let finding = Diagnostic::error(Code::POLICY_CONFLICT, policy.span, message);
            world.report(finding.help("remove it, or write the rule with `<->`").fix(policy.span, ""));
        }
    }
}

fn is_conflict(kind: &PolicyKind) -> bool {
    matches!(kind, PolicyKind::ConflictSide(_) | PolicyKind::ConflictLatest(_) | PolicyKind::FillsOnly(_))
}

fn conflict(world: &World<'_>, rule: &ast::SyncRule) -> Option<Conflict> {
    let written: Vec<_> = rule.policies.iter().filter(|policy| is_conflict(&policy.kind)).collect();
    if let [first, second, ..] = written.as_slice() {
        let slice = |span: Span| world.sources.slice(span).to_owned();
        let message = format!("`{}` and `{}` contradict each other", slice(first.span), slice(second.span));
        let finding = Diagnostic::error(Code::POLICY_CONFLICT, second.span, message);
        world.report(finding.and(first.span, "first here").help("keep one of them"));
    }
    match written.first().map(|policy| &policy.kind) {
        Some(PolicyKind::ConflictSide(side)) => Some(Conflict::Side(*side)),
        Some(PolicyKind::ConflictLatest(side)) => Some(Conflict::Latest(*side)),
        Some(PolicyKind::FillsOnly(side)) => Some(Conflict::FillsOnly(*side)),
        _ => {
            let message = "the rule does not say who decides when both sides have changed";
            let finding = Diagnostic::error(Code::CONFLICT_POLICY, rule.span, message);
            let help = "add `on conflict salesforce`, `on conflict hubspot`, `on conflict latest otherwise salesforce`, \
                        or `hubspot fills only`";
            let end = Span { start: rule.span.end, ..rule.span };
            world.report(finding.help(help).fix(end, "  on conflict salesforce"));
            None
        }
    }
}

fn check_policies(world: &World<'_>, rule: &ast::SyncRule) {
    for policy in &rule.policies {
        let (message, help) = match &policy.kind {
            PolicyKind::OnBlankClear => {
                ("a `<->` clears the other side anyway when a value is removed", "remove it")
            }
            PolicyKind::Otherwise(ast::Otherwise::Literal(_)) => (
                "a value that stands in for a failure would come back as if somebody had written it",
                "write `otherwise keep`, `otherwise park` or `otherwise wait`",
            ),
            PolicyKind::AdvanceOnly(_) => (
                "an `order` lists the options of one field, and a `<->` writes two",
                "write the rule with `->` or `<-`",
            ),
            PolicyKind::OnCreate | PolicyKind::OnUpdate | PolicyKind::IfTargetIsBlank => (
                "a `<->` keeps two fields the same, always; this policy would let them differ",
                "remove it, or write the rule with `->` or `<-`",
            ),
            _ => continue,
        };
        let code = match &policy.kind {
            PolicyKind::Otherwise(_) => Code::NOT_INVERTIBLE,
            _ => Code::POLICY_CONFLICT,
        };
        world.report(Diagnostic::error(code, policy.span, message).help(help));
    }
}

fn check_steps(world: &World<'_>, ends: Option<[Type; 2]>, steps: &[Step]) {
    let mut chain: Vec<Op> = Vec::new();
    let mut is_whole = true;
    for step in steps {
        if let Some((_, _, facts)) = world.picklists.get_full(step.name.value.as_str()) {
            world.mark_used(ItemKind::Picklist, &step.name.value);
            check_picklist(world, step, &facts.typed);
            chain.clear();
            continue;
        }
        let Some(function) = functions::find(&step.name.value) else { continue };
        let args: Option<Vec<Value>> = step.args.iter().flatten().map(literal).collect();
        let Some(args) = args else {
            let message =
                format!("`{}` takes a value that may change, so it cannot be undone", function.name);
            let finding = Diagnostic::error(Code::NOT_INVERTIBLE, step.span, message);
            world.report(finding.help("write a literal, or write the rule with `->` or `<-`"));
            is_whole = false;
            continue;
        };
        if function.inverse.is_none() && !function.idempotent {
            let message = format!("`{}` cannot be undone: {}", function.name, why_not(function));
            let finding = Diagnostic::error(Code::NOT_INVERTIBLE, step.span, message);
            world.report(finding.help("write the rule with `->` or `<-`, so that one side decides"));
            is_whole = false;
            continue;
        }
        chain.push(Op::new(function, args, step.span));
    }
    if let Some([hubspot, salesforce]) = ends.filter(|_| is_whole) {
        settle::check(world, [&hubspot, &salesforce], &chain);
    }
}

fn why_not(function: &Function) -> String {
    format!("from what `{}` gives, nobody can tell what it was given", function.signature)
}

/// A picklist can be undone where each option has one line, and that line goes both ways.
fn check_picklist(world: &World<'_>, step: &Step, picklist: &super::typed::Picklist) {
    let name = &picklist.name;
    let report = |at: Span, said: &str, message: String, help: &str| {
        let finding = Diagnostic::error(Code::NOT_INVERTIBLE, step.span, message).and(at, said);
        world.report(finding.help(help));
    };
    let ends = (picklist.from.0.side, picklist.to.0.side);
    if ends.0 == ends.1 {
        let message = format!("the picklist `{name}` stays within {}", ends.0.label());
        report(picklist.span, "it is here", message, "write a picklist between the two fields of the rule");
    }
    let mut back: HashMap<&str, (&str, Span)> = HashMap::new();
    for line in &picklist.lines {
        let from = &line.from;
        match (&line.to, line.both) {
            (None, _) => {
                let message = format!(
                    "`{name}` cannot be undone: `{from}` becomes nothing, and nothing comes back as nothing"
                );
                report(
                    line.span,
                    "this option is lost",
                    message,
                    "remove the line and write `otherwise -> park`",
                );
            }
            (Some(to), false) => {
                let message = format!(
                    "`{name}` cannot be undone: `{from}` becomes `{to}`, and the line does not say that `{to}` comes back"
                );
                report(
                    line.span,
                    "one direction only",
                    message,
                    "write it with `<->`, or remove it and write `otherwise -> park`",
                );
            }
            (Some(to), true) => {
                let Some((other, span)) = back.insert(to, (from, line.span)) else { continue };
                let message = format!(
                    "`{name}` cannot be undone: `{other}` and `{from}` both become `{to}`, so one of them comes back as the other"
                );
                let finding = Diagnostic::error(Code::NOT_INVERTIBLE, step.span, message);
                let finding = finding.and(span, "the first").and(line.span, "the second");
                world.report(finding.help("give each option one of its own"));
            }
        }
    }
    check_otherwise(picklist, &report);
}

/// What stands for every option without a line comes back as one option.
fn check_otherwise(picklist: &super::typed::Picklist, report: &dyn Fn(Span, &str, String, &str)) {
    let name = &picklist.name;
    let target = |to: &str| format!("`{name}` cannot be undone: every option without a line becomes {to}");
    let help = "write `otherwise -> park`, or a line for each option";
    match &picklist.otherwise {
        Some(PicklistElse::Option(option)) => {
            report(picklist.span, "its `otherwise` is here", target(&format!("`{option}`")), help);
        }
        Some(PicklistElse::Nothing) => {
            report(picklist.span, "its `otherwise` is here", target("nothing"), help);
        }
        Some(PicklistElse::Park(_)) | None => {}
    }
}

fn literal(value: &ast::Value) -> Option<Value> {
    match &value.kind {
        ValueKind::Literal(literal) => Some(super::expr::literal_value(literal).0),
        _ => None,
    }
}

/// The steps forth over what comes back: Salesforce's value as it would be if HubSpot held it.
fn substituted(forth: &Expr, back: &Expr) -> Expr {
    let kind = match &forth.kind {
        ExprKind::Field(_) => return back.clone(),
        ExprKind::Call { function, args } => {
            let mut args = args.clone();
            if let Some(first) = args.first_mut() {
                *first = substituted(first, back);
            }
            ExprKind::Call { function, args }
        }
        ExprKind::Translate { picklist, back: turned, value } => ExprKind::Translate {
            picklist: *picklist,
            back: *turned,
            value: Box::new(substituted(value, back)),
        },
        other => other.clone(),
    };
    Expr { kind, ..forth.clone() }
}
