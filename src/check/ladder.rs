//! The match ladder: the key first, then the other rungs.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Field;
use crate::source::{Side, Span};
use crate::syntax::ast::{self, RungKind};
use crate::types::{Assign, Type, Typed, assignable, text_max};

use super::scope::Scope;
use super::typed::{CompareOp, Expr, FieldTest, Key, Rung, TestOp};
use super::words;
use super::world::{Obj, field_word};

/// A checked ladder.
#[derive(Default)]
pub(super) struct Ladder {
    pub(super) key: Option<Key>,
    pub(super) rungs: Vec<Rung>,
    /// Whether a key was written, also a broken one.
    pub(super) has_key: bool,
    /// Whether a rung below the key was written, also a broken one.
    pub(super) has_rungs: bool,
}

impl Ladder {
    /// Whether every rung looks for one id, so that it finds one record at most.
    pub(super) fn by_id(&self) -> bool {
        let is_id = |test: &FieldTest| {
            matches!(test.op, TestOp::Compare(CompareOp::Eq, _)) && matches!(test.field.as_str(), "Id" | "id")
        };
        !self.rungs.is_empty() && self.rungs.iter().all(|rung| rung.tests.iter().any(is_id))
    }

    /// Whether a rung below the key finds records that the mapping itself writes.
    pub(super) fn adopts(&self, target: &Obj<'_>) -> bool {
        self.rungs.iter().any(|rung| rung.object == target.name && rung.then.is_none())
    }
}

/// Checks the rungs of a mapping.
pub(super) fn check<'a>(scope: &mut Scope<'a>, target: Option<&Obj<'a>>, mapping: &ast::Mapping) -> Ladder {
    let mut ladder = Ladder::default();
    let mut key_span: Option<Span> = None;
    let rungs = mapping.body.matches.iter().flat_map(|block| &block.rungs);
    for (at, rung) in rungs.enumerate() {
        match &rung.kind {
            RungKind::Key { object, field, value } => {
                if let Some(object) = object {
                    let message = "a key names its object only in a `sync`";
                    let finding = Diagnostic::error(Code::RUNG_ORDER, object.span, message);
                    scope.report(finding.help(format!("write `key {} = …`", field.value)));
                }
                check_place(scope, rung.span, at, key_span);
                key_span.get_or_insert(rung.span);
                ladder.has_key = true;
                let key = check_key(scope, target, field, value, rung.span);
                ladder.key = ladder.key.or(key);
            }
            RungKind::Field { field, value, tests } => {
                ladder.has_rungs = true;
                ladder.rungs.extend(field_rung(scope, target, field, value, tests, rung.span));
            }
            RungKind::Object { object, tests, then } => {
                ladder.has_rungs = true;
                ladder.rungs.extend(object_rung(scope, target, object, tests, then.as_ref(), rung.span));
            }
        }
    }
    for rung in &ladder.rungs {
        check_fallible(scope, rung);
    }
    ladder
}

fn check_place(scope: &Scope<'_>, span: Span, at: usize, first: Option<Span>) {
    if let Some(first) = first {
        let finding = Diagnostic::error(Code::RUNG_ORDER, span, "a ladder has one key");
        scope.report(
            finding.and(first, "the first one").help("write the other as a rung: `or FIELD = VALUE`"),
        );
    } else if at > 0 {
        let finding = Diagnostic::error(Code::RUNG_ORDER, span, "the key is the first rung");
        scope.report(finding.help("move it to the top of `match`"));
    }
}

fn check_key<'a>(
    scope: &mut Scope<'a>,
    target: Option<&Obj<'a>>,
    name: &ast::Name,
    value: &ast::Value,
    span: Span,
) -> Option<Key> {
    let value = scope.value(value);
    let object = target?;
    if object.is_record_id(&name.value) {
        let message = format!("the id of a `{}` is given by HubSpot, so it cannot be a key", object.name);
        let finding = Diagnostic::error(Code::KEY_NOT_UNIQUE, name.span, message);
        scope.report(finding.help("write it as a rung: `id = …`"));
        return None;
    }
    let field = scope.world.field(object, name)?;
    let typed = scope.readable(object, field, name.span)?;
    let external = field.external_id || object.name.side == Side::Hubspot;
    if field.read_only() || field.calculated {
        let help = "a key is written too: let the integration's user write it and run `mapwright schema pull`, or look for \
                    it in a rung";
        super::fields::report_read_only(scope, object, field, name.span, help);
    } else if !can_be_key(object, field) {
        let lacks = match (external, field.unique) {
            (true, _) => "not unique",
            (false, true) => "no external ID",
            (false, false) => "neither unique nor an external ID",
        };
        let word = field_word(object.name.side);
        let message =
            format!("the {word} `{}` of `{}` is {lacks}, so it cannot be a key", field.name, object.name);
        let finding = Diagnostic::error(Code::KEY_NOT_UNIQUE, name.span, message).label(lacks);
        let finding = finding.and(field.span, lacks);
        scope.report(finding.help(format!(
            "write it as a rung, `or {} = …`, or mark the {word} as unique{} and say so in the snapshot",
            field.name,
            if object.name.side == Side::Salesforce { " external ID" } else { "" }
        )));
    }
    check_key_value(scope, &value, object, &typed, field.span);
    Some(Key { field: name.value.clone(), value, span })
}

fn check_key_value(scope: &Scope<'_>, value: &Expr, object: &Obj<'_>, typed: &Typed, field: Span) {
    if value.typed.ty == Type::Error {
        return;
    }
    let report = |message: String, help: &str| {
        let finding = Diagnostic::error(Code::KEY_VALUE, value.span, message);
        scope.report(finding.and(field, "the key").help(help));
    };
    if value.typed.blank {
        let why = scope.why_blank(value);
        report(
            format!("a key is never blank, and {why}"),
            "use `id`, or ask for it first: `only if … is present otherwise wait`",
        );
    }
    if let Some(white) = scope.white_space(value, object.name.side) {
        let message = "a key is never blank, and Salesforce drops white space";
        let finding = Diagnostic::error(Code::KEY_VALUE, white, message).label("white space alone");
        scope.report(finding.and(field, "the key").help("use a value of the record, such as `id`"));
    }
    if value.can_fail {
        let failing = scope.why_fails(value);
        let message = format!("a key never fails, and {} {}", failing.step, failing.why);
        report(message, "use a value without that step");
    }
    let from = match scope.resolved(&value.typed.ty) {
        ty @ Type::Picklist(_) => Type::Text(text_max(&ty)),
        ty => ty,
    };
    match assignable(&Typed { ty: from, blank: false }, typed) {
        Assign::TooLong { from, to } => {
            let can = from.map_or("be of any length".to_owned(), |from| {
                format!("have {} characters", words::count(from))
            });
            report(
                format!("the key can {can}, and the field holds {to}"),
                "use a shorter value; a key must not be cut",
            );
        }
        Assign::Ok | Assign::Options => {}
        _ => report(
            format!(
                "the key holds {}, and this is {}",
                words::kind_of(&typed.ty),
                words::kind_of(&value.typed.ty)
            ),
            "use a value of the field's type",
        ),
    }
}

fn field_rung<'a>(
    scope: &mut Scope<'a>,
    target: Option<&Obj<'a>>,
    field: &ast::Name,
    value: &ast::Value,
    tests: &[ast::FieldTest],
    span: Span,
) -> Option<Rung> {
    let Some(object) = target else {
        scope.value(value);
        return None;
    };
    let help = "write `key id = …`: an event is found by its id";
    scope.world.report_event(object, field.span, "HubSpot cannot search them", help);
    let first = scope.equality(object, field, value);
    let tests: Vec<_> = first.into_iter().chain(scope.field_tests(object, tests)).collect();
    scope.check_search(object, &tests, 0);
    Some(Rung { object: object.name.clone(), tests, then: None, span })
}

fn object_rung<'a>(
    scope: &mut Scope<'a>,
    target: Option<&Obj<'a>>,
    reference: &ast::ObjectRef,
    tests: &[ast::FieldTest],
    then: Option<&ast::Name>,
    span: Span,
) -> Option<Rung> {
    let Some(object) = scope.world.object(reference) else {
        for test in tests {
            scope.test_values(test);
        }
        return None;
    };
    let help = "write `key id = …`: an event is found by its id";
    scope.world.report_event(&object, reference.span, "HubSpot cannot search them", help);
    if let Some(target) = target {
        check_searched(scope, target, &object, reference, then);
    }
    if let Some(then) = then {
        super::handover::check_to(scope, then, Some((&object.name, reference.span)));
    }
    let tests = scope.field_tests(&object, tests);
    scope.check_search(&object, &tests, 0);
    Some(Rung { object: object.name, tests, then: then.map(|then| then.value.clone()), span })
}

fn check_searched(
    scope: &Scope<'_>,
    target: &Obj<'_>,
    object: &Obj<'_>,
    reference: &ast::ObjectRef,
    then: Option<&ast::Name>,
) {
    if object.name.side != target.name.side {
        let message = format!("a rung looks in {}, where the mapping writes", target.name.side.label());
        let finding = Diagnostic::error(Code::HAND_OVER, reference.span, message);
        scope.report(finding.help(format!("name an object of {}", target.name.side.label())));
    } else if object.name != target.name && then.is_none() {
        let message = format!(
            "the mapping writes `{}` and cannot write a `{}` that it finds",
            target.name, object.name
        );
        let finding = Diagnostic::error(Code::HAND_OVER, reference.span, message);
        scope.report(finding.help("hand the record over: `then MAPPING`"));
    }
}

fn check_fallible(scope: &Scope<'_>, rung: &Rung) {
    for test in &rung.tests {
        let value = match &test.op {
            TestOp::Compare(_, value) => Some(value),
            TestOp::In(values) => values.iter().find(|value| value.can_fail),
            TestOp::Presence(_) => None,
        };
        if let Some(value) = value.filter(|value| value.can_fail) {
            report_fallible(scope, value, "a rung");
        }
    }
}

/// What key to write: a field that a rung already looks for, where it could be one.
pub(super) fn key_help(scope: &Scope<'_>, target: Option<&Obj<'_>>, mapping: &ast::Mapping) -> String {
    if let Some(target) = target.filter(|_| scope.is_leg) {
        let id = if target.name.side == Side::Hubspot { "Id" } else { "id" };
        return format!(
            "write `key {}.FIELD = {id}` as the first rung, with a unique external ID",
            target.name
        );
    }
    let rungs = mapping.body.matches.iter().flat_map(|block| &block.rungs);
    let fit = |field: &ast::Name| {
        target.is_some_and(|object| object.field(&field.value).is_some_and(|field| can_be_key(object, field)))
    };
    let mut fields = rungs.filter_map(|rung| match &rung.kind {
        RungKind::Field { field, tests, .. } if tests.is_empty() && fit(field) => Some(&field.value),
        _ => None,
    });
    match fields.next() {
        Some(field) => {
            format!("write `key {field} = …` as the first rung: the field is unique, so that can be atomic")
        }
        None => "write `key FIELD = id` as the first rung, with a unique external ID".to_owned(),
    }
}

/// Whether an upsert by a field is atomic.
fn can_be_key(object: &Obj<'_>, field: &Field) -> bool {
    field.unique && (field.external_id || object.name.side == Side::Hubspot)
}

/// Reports a value that can fail where nothing says what happens then.
pub(super) fn report_fallible(scope: &Scope<'_>, value: &Expr, place: &str) {
    let failing = scope.why_fails(value);
    let message = format!("{} can fail, and {place} cannot say what happens then", failing.step);
    let finding = Diagnostic::error(Code::FALLIBLE_PLACE, failing.span, message).label(failing.why);
    let simpler = "use a value that cannot fail, such as the field itself with `trim` or `lowercase`";
    scope.report(finding.help(failing.cure.unwrap_or(simpler)));
}
