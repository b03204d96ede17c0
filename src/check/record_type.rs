//! `record type`: which one a new record has, and whether it allows the options that the rules write.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Field, RecordType};
use crate::source::{Side, Span};
use crate::syntax::ast;
use crate::types::{Options, Type, Value};

use super::ladder::report_fallible;
use super::options::active;
use super::scope::Scope;
use super::typed::{Expr, ExprKind, PicklistElse, Rule, RuleElse, WhenWritten};
use super::words;
use super::world::{Obj, is_closed};

/// The field of a record that names its record type.
pub(super) const FIELD: &str = "RecordTypeId";

/// Checks the record type of new records; gives the expression of its developer name.
pub(super) fn check<'a>(
    scope: &mut Scope<'a>,
    target: Option<&Obj<'a>>,
    options: &[ast::WriteOption],
    creates: Option<bool>,
) -> Option<Expr> {
    let mut written = options.iter().filter_map(|option| match option {
        ast::WriteOption::RecordType(value, span) => Some((value, *span)),
        ast::WriteOption::AssignmentRule(..) => None,
    });
    let (value, span) = written.next()?;
    for (_, again) in written {
        let finding = Diagnostic::error(Code::REPEATED, again, "`record type` is written twice");
        let help = "write one: `record type if … then \"A\" else \"B\"`";
        scope.report(finding.and(span, "first here").help(help));
    }
    let mut expr = scope.value(value);
    let target = target?;
    if target.name.side == Side::Hubspot {
        let message = "record types are Salesforce's, and the mapping writes HubSpot";
        scope.report(Diagnostic::error(Code::WRITE_OPTION, span, message).help("remove it"));
        return None;
    }
    if creates == Some(false) {
        let message = "a record type is given to a new record, and the mapping makes none";
        let finding = Diagnostic::warning(Code::UNREACHABLE, span, message);
        scope.report(finding.help("remove it, or write `on none create`"));
    }
    resolve(scope, target, &mut expr).then_some(expr)
}

/// Puts the developer name in place of each name written; `false` where something was reported.
fn resolve(scope: &Scope<'_>, target: &Obj<'_>, expr: &mut Expr) -> bool {
    match &mut expr.kind {
        ExprKind::If(condition, then, otherwise) => {
            if let Some(value) = words::failing_value(condition) {
                report_fallible(scope, value, "`record type`");
            }
            resolve(scope, target, then) & resolve(scope, target, otherwise)
        }
        ExprKind::Literal(Value::Text(name)) => match named(target, name) {
            Some(known) if known.active => {
                known.developer_name.clone_into(name);
                true
            }
            known => {
                report_unknown(scope, target, name, known, expr.span);
                false
            }
        },
        _ if expr.typed.ty == Type::Error => false,
        _ => {
            let message = "a record type is a text, or `if … then … else …` over texts";
            let finding = Diagnostic::error(Code::ARGUMENT_LITERAL, expr.span, message);
            let example = "write its name, so that its options can be checked: `if C then \"A\" else \"B\"`";
            scope.report(finding.help(example));
            false
        }
    }
}

/// A record type by its developer name or its label.
fn named<'o>(object: &Obj<'o>, name: &str) -> Option<&'o RecordType> {
    let types = &object.object.record_types;
    types
        .iter()
        .find(|known| known.developer_name == name)
        .or_else(|| types.iter().find(|known| known.name == name))
}

fn report_unknown(scope: &Scope<'_>, target: &Obj<'_>, name: &str, known: Option<&RecordType>, span: Span) {
    let types = &target.object.record_types;
    let usable: Vec<String> =
        types.iter().filter(|known| known.active).map(|known| known.developer_name.clone()).collect();
    if let Some(known) = known {
        let message = format!("the record type `{name}` of `{}` is not active", target.name);
        let finding = Diagnostic::error(Code::UNKNOWN_RECORD_TYPE, span, message);
        let finding = finding.and(known.span, "declared inactive here");
        scope.report(finding.help(format!("write an active one: {}", words::some(&usable))));
        return;
    }
    let file = scope.world.sources.file(scope.world.schemas.salesforce.file).name();
    if types.is_empty() {
        let message = format!("`{}` has no record types in `{file}`", target.name);
        let finding = Diagnostic::error(Code::UNKNOWN_RECORD_TYPE, span, message);
        let finding = finding.and(target.object.span, "the object is here");
        let help = "remove it, or add the record types to the snapshot";
        scope.report(finding.help(help));
        return;
    }
    let message = format!("`{}` has no record type `{name}`", target.name);
    let names = types.iter().flat_map(|known| [known.developer_name.as_str(), known.name.as_str()]);
    let help = scope
        .world
        .guesses
        .did_you_mean(name, names)
        .unwrap_or_else(|| format!("it has {}", words::some(&usable)));
    let finding = Diagnostic::error(Code::UNKNOWN_RECORD_TYPE, span, message).label("unknown record type");
    scope.report(finding.and(types[0].span, "its record types are here").help(help));
}

/// A record type that a new record can have, and the conditions under which it does, as they are written.
struct Chosen<'o> {
    record_type: &'o RecordType,
    when: Vec<(String, bool)>,
    /// Where it is chosen; `None` where it is the default.
    at: Option<Span>,
}

/// Reports options that a rule writes into a new record whose record type forbids them.
pub(super) fn check_rules(scope: &Scope<'_>, target: &Obj<'_>, record_type: Option<&Expr>, rules: &[Rule]) {
    if let (Some(record_type), Some(rule)) = (record_type, rules.iter().find(|rule| rule.target == FIELD)) {
        let message = format!("`{FIELD}` is written twice");
        let finding = Diagnostic::error(Code::TWO_RULES, rule.span, message).label("again here");
        scope.report(finding.and(record_type.span, "first here").help("keep one of them"));
    }
    let mut chosen = Vec::new();
    if let Some(expr) = record_type {
        choices(scope, target, expr, &mut Vec::new(), &mut chosen);
    } else if !rules.iter().any(|rule| rule.target == FIELD) {
        let default = target.object.record_types.iter().find(|known| known.default && known.active);
        chosen.extend(default.map(|record_type| Chosen { record_type, when: Vec::new(), at: None }));
    }
    for rule in rules.iter().filter(|rule| rule.when != WhenWritten::OnUpdate) {
        let Some(field) = target.field(&rule.target).filter(|field| is_closed(field)) else { continue };
        for chosen in &chosen {
            check_rule(scope, target, chosen, rule, field);
        }
    }
}

fn choices<'o>(
    scope: &Scope<'_>,
    target: &Obj<'o>,
    expr: &Expr,
    when: &mut Vec<(String, bool)>,
    found: &mut Vec<Chosen<'o>>,
) {
    match &expr.kind {
        ExprKind::If(condition, then, otherwise) => {
            for (branch, holds) in [(then, true), (otherwise, false)] {
                when.push((words_of(scope, condition.span), holds));
                choices(scope, target, branch, when, found);
                when.pop();
            }
        }
        ExprKind::Literal(Value::Text(name)) => {
            let known = named(target, name);
            let at = Some(expr.span);
            found.extend(known.map(|record_type| Chosen { record_type, when: when.clone(), at }));
        }
        _ => {}
    }
}

/// A condition as written, so that the same one elsewhere is known to be the same.
fn words_of(scope: &Scope<'_>, span: Span) -> String {
    scope.world.sources.slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check_rule(scope: &Scope<'_>, target: &Obj<'_>, chosen: &Chosen<'_>, rule: &Rule, field: &Field) {
    let Some(allowed) = chosen.record_type.picklists.get(&field.name) else { return };
    let mut written = Vec::new();
    possible(scope, &chosen.when, &rule.value, &mut written);
    if let Some(RuleElse::Literal(Value::Text(text))) = &rule.otherwise {
        written.push(Possible { option: text.clone(), at: rule.span, line: None, literal: true });
    }
    for Possible { option, at, line, .. } in written {
        // One that the field does not have at all is reported as such.
        let forbidden = active(field).any(|known| known.value == option) && !allowed.contains(&option);
        if !forbidden {
            continue;
        }
        let name = &chosen.record_type.developer_name;
        let which = if chosen.at.is_some() { "record type" } else { "default record type" };
        let message = format!(
            "the {which} `{name}` of `{}` does not allow the option `{option}` of `{}`",
            target.name, field.name
        );
        let mut finding =
            Diagnostic::error(Code::OPTION_RECORD_TYPE, at, message).label(format!("gives `{option}`"));
        if let Some(line) = line {
            finding = finding.and(line, format!("translates to `{option}`"));
        }
        if let Some(at) = chosen.at {
            finding = finding.and(at, "the new record's type");
        }
        let finding = finding.and(chosen.record_type.span, "the record type is here");
        scope.report(finding.help(format!("it allows {}", words::some(allowed))));
    }
}

/// An option that a value can be.
pub(super) struct Possible {
    pub(super) option: String,
    pub(super) at: Span,
    /// The picklist's line that gives it.
    line: Option<Span>,
    /// Whether the rule says so itself.
    pub(super) literal: bool,
}

/// The options that a value can be where these conditions hold or do not.
pub(super) fn possible(scope: &Scope<'_>, when: &[(String, bool)], value: &Expr, found: &mut Vec<Possible>) {
    let at = value.span;
    match &value.kind {
        ExprKind::If(condition, then, otherwise) => {
            let text = words_of(scope, condition.span);
            let known = when.iter().find(|(known, _)| *known == text).map(|(_, holds)| *holds);
            for (branch, holds) in [(then, true), (otherwise, false)] {
                if known.is_none_or(|known| known == holds) {
                    possible(scope, when, branch, found);
                }
            }
        }
        ExprKind::Literal(Value::Text(text)) => {
            found.extend(text.split(';').map(|option| Possible {
                option: option.to_owned(),
                at,
                line: None,
                literal: true,
            }));
        }
        ExprKind::Let(index) => possible(scope, when, &scope.lets[*index].typed.value, found),
        ExprKind::List(args) => possible_of(scope, when, args, found),
        ExprKind::Call { function, args } if matches!(function.name, "first_present" | "default") => {
            possible_of(scope, when, args, found);
        }
        ExprKind::Translate { picklist, back: false, .. } => translated(scope, *picklist, at, found),
        _ => match scope.resolved(&value.typed.ty) {
            Type::Picklist(Options::These(options)) | Type::MultiPicklist(Options::These(options)) => {
                found.extend(options.into_iter().map(|option| Possible {
                    option,
                    at,
                    line: None,
                    literal: false,
                }));
            }
            _ => {}
        },
    }
}

fn possible_of(scope: &Scope<'_>, when: &[(String, bool)], values: &[Expr], found: &mut Vec<Possible>) {
    for value in values {
        possible(scope, when, value, found);
    }
}

fn translated(scope: &Scope<'_>, picklist: usize, at: Span, found: &mut Vec<Possible>) {
    let Some((_, facts)) = scope.world.picklists.get_index(picklist) else { return };
    for line in &facts.typed.lines {
        let option = line.to.clone();
        found.extend(option.map(|option| Possible { option, at, line: Some(line.span), literal: false }));
    }
    if let Some(PicklistElse::Option(option)) = &facts.typed.otherwise {
        let (option, line) = (option.clone(), Some(facts.typed.span));
        found.push(Possible { option, at, line, literal: false });
    }
}
