//! Field rules: what is written, whether it may be, and whether every required field gets a value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Field;
use crate::source::{ObjectName, Side, Span};
use crate::syntax::ast::{self, FieldsEntry};
use crate::syntax::shape;
use crate::types::Type;

use super::assign::Into;
use super::builtin::OWNER_NAME;
use super::mend;
use super::order;
use super::policies::Policies;
use super::scope::Scope;
use super::typed::{Expr, ExprKind, Key, Rule, RuleElse, WhenWritten};
use super::world::{ItemKind, Obj, World, field_word};

/// Where rules write.
pub(super) struct Target<'a> {
    /// The object; `None` when it is unknown, which was reported.
    pub(super) object: Option<Obj<'a>>,
    /// Whether the mapping can make a record; `None` while `on none` is unsaid, so that nothing is concluded from it.
    pub(super) creates: Option<bool>,
}

impl Target<'_> {
    /// Whether the mapping is known to make records.
    fn surely_creates(&self) -> bool {
        self.creates == Some(true)
    }
}

/// Checks the values of shared rules by themselves, so that a mistake in one is reported once and also when nothing uses
/// it. What a target makes of them is checked at each use.
pub(super) fn check_shared(world: &World<'_>) {
    for shared in world.fields.values() {
        let source = world.object(&shared.from);
        let mut scope = Scope::new(world, source);
        scope.shared = true;
        for rule in &shared.rules {
            scope.value(&rule.value);
        }
        let owner = scope.withs.iter().find(|with| with.typed.name == OWNER_NAME);
        world.shared.owners.borrow_mut().insert(shared.name.span, owner.map(|with| with.typed.span));
    }
}

/// Checks the rules of a mapping, shared ones where they are used.
pub(super) fn check<'a>(
    scope: &mut Scope<'a>,
    target: &Target<'a>,
    mapping: &ast::Mapping,
    key: Option<&Key>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut written = IndexMap::new();
    if let Some(key) = key {
        written.insert(key.field.clone(), key.span);
    }
    let mut used = HashMap::new();
    for entry in &mapping.fields {
        if scope.world.is_full() {
            return rules;
        }
        match entry {
            FieldsEntry::Rule(rule) => {
                is_first(scope, &mut written, rule, None);
                rules.extend(check_rule(scope, target, rule, false));
            }
            FieldsEntry::Use(name, span) => match used.entry(name.value.as_str()) {
                Entry::Occupied(first) => report_used_twice(scope, name, *span, *first.get()),
                Entry::Vacant(first) => {
                    first.insert(*span);
                    use_shared(scope, target, &mut written, &mut rules, name, *span);
                }
            },
        }
    }
    if let (Some(object), true) = (&target.object, target.surely_creates()) {
        check_required(scope, object, mapping, key, &rules, &written);
    }
    if let Some(object) = &target.object {
        super::currency::check(scope, object, &rules);
    }
    rules
}

fn report_used_twice(scope: &Scope<'_>, name: &ast::Name, span: Span, first: Span) {
    let message = format!("`use {}` is written twice", name.value);
    let finding = Diagnostic::error(Code::REPEATED, span, message).and(first, "first here");
    scope.report(finding.help("keep one of them"));
}

fn use_shared<'a>(
    scope: &mut Scope<'a>,
    target: &Target<'a>,
    written: &mut IndexMap<String, Span>,
    rules: &mut Vec<Rule>,
    name: &ast::Name,
    span: Span,
) {
    let world = scope.world;
    let Some(shared) = world.fields.get(name.value.as_str()).copied() else {
        let message = format!("there are no shared fields `{}`", name.value);
        let help =
            world.guesses.did_you_mean(&name.value, world.fields.keys().copied()).unwrap_or_else(|| {
                format!("write `fields {} from OBJECT {{ … }}` in any `.map` file", name.value)
            });
        let finding =
            Diagnostic::error(Code::UNKNOWN_FIELDS, name.span, message).label("unknown shared fields");
        let known = world.fields.keys().copied();
        world.report(mend::rename(&world.guesses, finding.help(help), &name.value, name.span, known));
        return;
    };
    world.mark_used(ItemKind::Fields, &name.value);
    if let Some(source) = &scope.source
        && (source.name.side, &source.name.name) != (shared.from.side, &shared.from.name.value)
    {
        let from = format!("{}.{}", shared.from.side, shared.from.name.value);
        let message = format!(
            "the shared fields `{}` read `{from}`, and this mapping reads `{}`",
            name.value, source.name
        );
        let finding = Diagnostic::error(Code::TYPE_MISMATCH, name.span, message);
        world.report(
            finding.and(shared.from.span, "they read this").help("use shared fields of the same source"),
        );
        return;
    }
    let used_here = || {
        let target = target.object.as_ref();
        target.map_or("used here".to_owned(), |object| format!("used here for `{}`", object.name))
    };
    let typed = typed_rules(scope, target, shared, span, &used_here);
    for (rule, typed) in shared.rules.iter().zip(typed.iter()) {
        let mark = world.mark();
        if is_first(scope, written, rule, Some(span)) {
            rules.extend(typed.clone());
        }
        for finding in world.since(mark) {
            world.report(finding.and(span, used_here()));
        }
    }
}

/// All that the rules of a shared block come to depends on: which block, where it is used, and what is known there.
#[derive(PartialEq, Eq, Hash)]
struct Use {
    block: Span,
    /// Whether the source is known; it is the one that the block names then.
    is_source_known: bool,
    target: Option<ObjectName>,
    creates: Option<bool>,
    /// The fields of the source, and of its owner, that are known to be present.
    present: Vec<String>,
    /// The place of the owner among the mapping's records, where a rule reads it.
    owner: Option<usize>,
}

/// The typed rules of each use that was met, in the order of the block; one with an error is missing.
#[derive(Default)]
pub(super) struct SharedRules {
    uses: RefCell<HashMap<Use, Rc<[Option<Rule>]>>>,
    /// Where each block reads its source's owner, if it does.
    owners: RefCell<HashMap<Span, Option<Span>>>,
}

/// The rules of a shared block for a target. They are typed, and their findings reported, once for all uses that are alike:
/// the number of rules times the number of uses could be the square of a file's length.
fn typed_rules<'a>(
    scope: &mut Scope<'a>,
    target: &Target<'a>,
    shared: &'a ast::SharedFields,
    span: Span,
    used_here: &dyn Fn() -> String,
) -> Rc<[Option<Rule>]> {
    let world = scope.world;
    let reads_owner = world.shared.owners.borrow().get(&shared.name.span).copied().flatten();
    let owner = reads_owner.map(|span| scope.owner_with(span));
    let key = Use {
        block: shared.name.span,
        is_source_known: scope.source.is_some(),
        target: target.object.as_ref().map(|object| object.name.clone()),
        creates: target.creates,
        present: scope.present_fields(owner),
        owner,
    };
    if let Some(typed) = world.shared.uses.borrow().get(&key) {
        return Rc::clone(typed);
    }
    scope.shared = true;
    let typed = shared.rules.iter().map(|rule| {
        let mark = world.mark();
        let typed = check_rule(scope, target, rule, true);
        for finding in world.since(mark) {
            world.report(finding.and(span, used_here()));
        }
        typed
    });
    let typed: Rc<[Option<Rule>]> = typed.collect();
    scope.shared = false;
    world.shared.uses.borrow_mut().insert(key, Rc::clone(&typed));
    typed
}

/// Whether a rule is the first of its target; a second one is reported.
fn is_first(
    scope: &Scope<'_>,
    written: &mut IndexMap<String, Span>,
    rule: &ast::Rule,
    used: Option<Span>,
) -> bool {
    let at = used.unwrap_or(rule.target.span);
    if let Some(first) = written.get(&rule.target.value) {
        let message = format!("`{}` is written twice", rule.target.value);
        let finding = Diagnostic::error(Code::TWO_RULES, rule.target.span, message).label("again here");
        let help = if scope.world.sources.slice(*first).trim_start_matches("or ").starts_with("key") {
            "remove the rule: the key is written by itself"
        } else {
            "keep one of the rules, or join them: `first_present(A, B)`"
        };
        scope.report(finding.and(*first, "first here").help(help));
        return false;
    }
    written.insert(rule.target.value.clone(), at);
    true
}

fn check_rule<'a>(
    scope: &mut Scope<'a>,
    target: &Target<'a>,
    rule: &ast::Rule,
    shared: bool,
) -> Option<Rule> {
    let field = target
        .object
        .as_ref()
        .and_then(|object| target_field(scope, object, rule).map(|field| (object, field)));
    scope.via = rule.via;
    let value = scope.value(&rule.value);
    let checked = check_value(scope, target, rule, shared, value, field);
    scope.via = None;
    checked
}

fn check_value<'a>(
    scope: &Scope<'a>,
    target: &Target<'a>,
    rule: &ast::Rule,
    shared: bool,
    value: Expr,
    field: Option<(&Obj<'a>, &'a Field)>,
) -> Option<Rule> {
    let (object, field) = field?;
    let typed = Type::of(field, &object.name);
    if field.read_only() || field.calculated || typed.is_none() {
        let help = format!("remove the rule, or write another {}", field_word(object.name.side));
        report_read_only(scope, object, field, rule.target.span, &help);
        return None;
    }
    let typed = typed?;
    let into = Into { object, field, typed: &typed };
    let policies = scope.policies(rule, &into);
    // What is left of a rule that could not be read has lost its policies.
    let is_read = !matches!(rule.value.kind, ast::ValueKind::Error) || !rule.policies.is_empty();
    if is_read {
        check_writable(scope, &into, target, rule, &policies);
        check_consent(scope, &into, rule, &policies);
    }
    let fits = scope.check_assign(&value, &into);
    scope.check_years(&value, object.name.side);
    check_blank(scope, &into, target, &value, &policies);
    check_failure(scope, &into, target, rule, (&value, fits), &policies);
    if policies.when == WhenWritten::OnCreate && target.creates == Some(false) && !shared {
        let message = "the mapping makes no record, so this rule never writes";
        let finding = Diagnostic::warning(Code::UNREACHABLE, rule.span, message);
        scope.report(finding.help("remove the rule or its `on create`, or write `on none create`"));
    }
    let typed = Rule {
        target: rule.target.value.clone(),
        target_type: typed.clone(),
        value,
        when: policies.when,
        blank_clears: policies.blank_clears.is_some(),
        otherwise: policies.otherwise.map(|otherwise| otherwise.value),
        doc: rule.doc.clone(),
        span: rule.span,
    };
    order::check_rule(scope, &typed);
    Some(typed)
}

fn target_field<'a>(scope: &Scope<'a>, object: &Obj<'a>, rule: &ast::Rule) -> Option<&'a Field> {
    if object.is_record_id(&rule.target.value) {
        let message = format!("the id of a `{}` is given by HubSpot and cannot be written", object.name);
        let help = "remove the rule; which record is meant is said in `match`";
        scope.report(Diagnostic::error(Code::READ_ONLY, rule.target.span, message).help(help));
        return None;
    }
    scope.world.field(object, &rule.target)
}

/// Reports a field that nobody can write, where something writes it.
pub(super) fn report_read_only(scope: &Scope<'_>, object: &Obj<'_>, field: &Field, at: Span, help: &str) {
    let why = match (&field.kind, field.calculated) {
        (_, true) => "is computed",
        (crate::schema::FieldType::Id, _) => "is the record's id",
        (crate::schema::FieldType::Other(_) | crate::schema::FieldType::Time, _) => {
            "is of a kind that no mapping writes,"
        }
        _ => "is read-only",
    };
    let message = format!("`{}` of `{}` {why} and cannot be written", field.name, object.name);
    let finding = Diagnostic::error(Code::READ_ONLY, at, message).and(field.span, why);
    scope.report(finding.help(help));
}

fn check_writable(
    scope: &Scope<'_>,
    into: &Into<'_, '_>,
    target: &Target<'_>,
    rule: &ast::Rule,
    policies: &Policies,
) {
    let (object, field) = (into.object, into.field);
    let can_add = policies.when == WhenWritten::Always;
    if !field.updateable && policies.when != WhenWritten::OnCreate {
        let message = format!(
            "`{}` of `{}` can be set when a record is created and not changed later",
            field.name, object.name
        );
        let finding = Diagnostic::error(Code::NOT_UPDATEABLE, rule.target.span, message);
        let finding = finding.and(field.span, "not updateable").help("add `on create`");
        scope.report(if can_add { scope.add_policy(finding, rule, "on create") } else { finding });
    }
    if !field.createable && target.surely_creates() && policies.when != WhenWritten::OnUpdate {
        let message = format!(
            "`{}` of `{}` can be changed and not set when a record is created",
            field.name, object.name
        );
        let finding = Diagnostic::error(Code::NOT_CREATEABLE, rule.target.span, message);
        let finding = finding.and(field.span, "not createable").help("add `on update`");
        scope.report(if can_add { scope.add_policy(finding, rule, "on update") } else { finding });
    }
}

/// Whether the record waits for what would be blank: a counterpart that is not there yet.
fn is_waited_for(value: &Expr, policies: &Policies) -> bool {
    let waits = policies.otherwise.as_ref().is_some_and(|otherwise| otherwise.value == RuleElse::Wait);
    waits && matches!(&value.kind, ExprKind::Linked { id, .. } if !id.typed.blank)
}

fn check_blank(
    scope: &Scope<'_>,
    into: &Into<'_, '_>,
    target: &Target<'_>,
    value: &Expr,
    policies: &Policies,
) {
    let (object, field) = (into.object, into.field);
    if field.nillable || value.typed.ty == Type::Error {
        return;
    }
    let required = format!("`{}` of `{}` is required", field.name, object.name);
    if let Some(clear) = policies.blank_clears.filter(|_| value.typed.blank) {
        let finding =
            Diagnostic::error(Code::REQUIRED_BLANK, clear, format!("{required} and cannot be cleared"));
        scope.report(finding.and(field.span, "required here").help("remove `on blank clear`"));
        return;
    }
    let on_create =
        target.surely_creates() && field.required_on_create() && policies.when != WhenWritten::OnUpdate;
    if let Some(white) = scope.white_space(value, object.name.side).filter(|_| on_create) {
        report_white(scope, &required, white, field.span);
        return;
    }
    if !on_create || !value.typed.blank || is_waited_for(value, policies) {
        return;
    }
    let why = scope.why_blank(value);
    let finding = Diagnostic::error(Code::REQUIRED_BLANK, value.span, format!("{required}, and {why}"));
    let finding = finding.label("can be blank").and(field.span, "required here");
    // A default that the field would take; there is none for a date or a number that would not be a lie.
    let option = super::options::active(field).next().map(|option| format!("{:?}", option.value));
    let default = match &into.typed.ty {
        Type::Boolean => Some("false".to_owned()),
        Type::Text(_) => Some("\"Unknown\"".to_owned()),
        Type::Picklist(_) => option,
        _ => None,
    };
    let Some(default) = default else {
        scope.report(finding.help("ask for it: `only if … is present otherwise wait`"));
        return;
    };
    let help = default_help(scope, into, value, &default);
    scope.report(finding.help(help));
}

fn report_white(scope: &Scope<'_>, required: &str, white: Span, field: Span) {
    let message = format!("{required}, and Salesforce drops white space");
    let finding = Diagnostic::error(Code::REQUIRED_BLANK, white, message).label("white space alone");
    scope.report(
        finding.and(field, "required here").help("write a text that can be seen, such as `\"Unknown\"`"),
    );
}

/// How a default for a blank is written; a `<->` has none, so it becomes a rule in one direction.
fn default_help(scope: &Scope<'_>, into: &Into<'_, '_>, value: &Expr, default: &str) -> String {
    if scope.via.is_none() {
        let with_default = with_default(scope.world.sources.slice(value.span), default);
        return format!("give a value for a blank: `{with_default}`, or ask for it: `only if … is present`");
    }
    let with_default = with_default(&scope.steps_text(value), default);
    let rule = match into.object.name.side {
        Side::Hubspot => format!("{} <- {with_default}", into.field.name),
        Side::Salesforce => format!("{with_default} -> {}", into.field.name),
    };
    format!("a `<->` has no value for a blank: write `{rule}`, in one direction")
}

/// A value with another one for a blank, as it is written. The default goes into a `first_present(…)` that is there,
/// unless a step behind it could make a blank again.
fn with_default(text: &str, default: &str) -> String {
    let steps = |rest: &str| {
        rest.trim().is_empty()
            || rest.trim().strip_prefix('|').is_some_and(|steps| {
                steps.split('|').all(|step| {
                    let step = step.trim();
                    ["truncate(", "fits(", "lowercase", "uppercase"].iter().any(|word| step.starts_with(word))
                })
            })
    };
    if text.starts_with("first_present(")
        && let Some(close) = shape::closing(text)
        && steps(&text[close + 1..])
    {
        // A literal blank stands in for nothing.
        let values = text[..close]
            .strip_suffix("\"\"")
            .map_or(&text[..close], |rest| rest.trim_end_matches([',', ' ']));
        return format!("{values}, {default}{}", &text[close..]);
    }
    format!("first_present({text}, {default})")
}

fn check_consent(scope: &Scope<'_>, into: &Into<'_, '_>, rule: &ast::Rule, policies: &Policies) {
    let goes_forward = matches!(
        policies.when,
        WhenWritten::Sticky(true) | WhenWritten::OnCreate | WhenWritten::IfTargetIsBlank
    );
    if !into.field.consent || goes_forward {
        return;
    }
    let message =
        format!("`{}` records that a person opted out, and this rule could take that back", into.field.name);
    let finding = Diagnostic::error(Code::CONSENT_BACK, rule.target.span, message);
    let finding = finding.and(into.field.span, "a consent field").help("add `once true stays true`");
    scope.report(match policies.when {
        WhenWritten::Always => scope.add_policy(finding, rule, "once true stays true"),
        _ => finding,
    });
}

/// A value that does not fit its field is about to be mended, perhaps by a step that can fail: what is said of an
/// `otherwise` waits for that.
fn check_failure(
    scope: &Scope<'_>,
    into: &Into<'_, '_>,
    target: &Target<'_>,
    rule: &ast::Rule,
    (value, fits): (&Expr, bool),
    policies: &Policies,
) {
    if !fits && !value.can_fail {
        return;
    }
    match &policies.otherwise {
        None if value.can_fail => {
            let failing = scope.why_fails(value);
            let message = format!("{} can fail, and the rule does not say what happens then", failing.step);
            let finding =
                Diagnostic::error(Code::OTHERWISE_MISSING, failing.span, message).label(failing.why);
            let policies = match scope.via {
                Some(_) => "add `otherwise keep`, `otherwise park` or `otherwise wait`",
                None => "add `otherwise keep`, `otherwise nothing`, `otherwise \"…\"` or `otherwise park`",
            };
            let help =
                failing.cure.map_or_else(|| policies.to_owned(), |cure| format!("{cure}, or {policies}"));
            scope.report(finding.and(rule.target.span, "in this rule").help(help));
        }
        Some(otherwise) if scope.never_fails(value, into) => {
            let why = ("nothing in this rule can fail", "nothing in this rule fails");
            let remove = "remove it; for a blank write `first_present(VALUE, …)`";
            scope.report_unneeded(value, otherwise.span, why, remove);
        }
        Some(otherwise) => {
            let gives_nothing = match &otherwise.value {
                RuleElse::Keep => true,
                RuleElse::Literal(value) => super::white::drops(into.object.name.side, value),
                RuleElse::Park(_) | RuleElse::Wait => false,
            };
            let needs = target.surely_creates()
                && into.field.required_on_create()
                && policies.when != WhenWritten::OnUpdate;
            if gives_nothing && needs {
                let message = format!(
                    "`{}` of `{}` is required, and a failure leaves a new record without it",
                    into.field.name, into.object.name
                );
                let finding = Diagnostic::error(Code::REQUIRED_BLANK, otherwise.span, message);
                scope.report(
                    finding
                        .and(into.field.span, "required here")
                        .help("write `otherwise park` or `otherwise \"…\"`"),
                );
            }
        }
        None => {}
    }
}

fn check_required(
    scope: &Scope<'_>,
    object: &Obj<'_>,
    mapping: &ast::Mapping,
    key: Option<&Key>,
    rules: &[Rule],
    written: &IndexMap<String, Span>,
) {
    let at = mapping.fields_span.unwrap_or(mapping.name.span);
    for field in object.object.fields.values().filter(|field| field.required_on_create()) {
        if key.is_some_and(|key| key.field == field.name) {
            continue;
        }
        let mut own = rules.iter().filter(|rule| rule.target == field.name);
        let only_updates =
            own.clone().all(|rule| rule.when == WhenWritten::OnUpdate).then(|| own.next()).flatten();
        // A rule that is written and broken has its own finding.
        if only_updates.is_none()
            && (written.contains_key(&field.name)
                || scope.world.is_written(mapping.span, &[&field.name, "<-"]))
        {
            continue;
        }
        let message = format!(
            "`{}` requires `{}`, and no rule writes it when a record is created",
            object.name, field.name
        );
        let mut finding =
            Diagnostic::error(Code::REQUIRED_MISSING, at, message).and(field.span, "required here");
        if let Some(rule) = only_updates {
            finding = finding.and(rule.span, "this rule writes on update only");
        }
        let rule = match object.name.side {
            Side::Salesforce if scope.is_leg => format!("… -> {}", field.name),
            _ => format!("{} <- …", field.name),
        };
        scope.report(finding.help(format!("write `{rule}` in `fields`")));
    }
}
