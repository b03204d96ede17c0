//! `with each` and `associate`: what the record written is associated with.
//!
//! Nothing here knows of a mapping as a whole, so that each direction of a `sync` is checked by the same functions.

use std::cell::Cell;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{ObjectName, Side, Span};
use crate::syntax::ast;
use crate::types::AssociationKind;

use super::associated;
use super::ladder::report_fallible;
use super::linked::Whose;
use super::scope::{EachEntry, Scope};
use super::typed::{Associate, Each, Expr, Ids, LinkElse, TestOp};
use super::words;
use super::world::Obj;

/// Adds the name of a `with each`; its tests are typed by [`check_eaches`], once all names are known.
pub(super) fn add_each(scope: &mut Scope<'_>, with: &ast::With, reference: &ast::ObjectRef) {
    let object = scope.world.object(reference);
    let foreign = match (&scope.source, &object) {
        (Some(source), Some(object)) if source.name.side != object.name.side => Some(source.name.side),
        _ => None,
    };
    if let Some(side) = foreign {
        let message = format!("`with each` finds rows of {}, from which the mapping reads", side.label());
        let finding = Diagnostic::error(Code::BAD_PATH, reference.span, message);
        scope.report(finding.help(format!("name an object of {}", side.label())));
    }
    let typed = Each {
        name: with.name.value.clone(),
        object: ObjectName::new(reference.side, &reference.name.value),
        tests: Vec::new(),
        span: with.span,
    };
    // What was reported is not also unused.
    let used = Cell::new(object.is_none() || foreign.is_some());
    scope.eaches.push(EachEntry { typed, object, used });
}

/// Types what the rows of each `with each` are found by.
pub(super) fn check_eaches(scope: &mut Scope<'_>, withs: &[ast::With]) {
    for with in withs {
        let ast::WithSource::Each(_, written) = &with.source else { continue };
        let Some(index) = scope.eaches.iter().position(|each| each.typed.span == with.span) else { continue };
        let tests = if let Some(object) = scope.eaches[index].object.clone() {
            let tests = scope.field_tests(&object, written);
            scope.check_search(&object, &tests, 0);
            tests
        } else {
            for test in written {
                scope.test_values(test);
            }
            Vec::new()
        };
        for test in tests.iter().filter(|test| words::test_can_fail(&test.op)) {
            if let Some(value) = failing(&test.op) {
                report_fallible(scope, value, "a `with each`");
            }
        }
        scope.eaches[index].typed.tests = tests;
    }
}

fn failing(op: &TestOp) -> Option<&Expr> {
    match op {
        TestOp::Compare(_, value) => Some(value),
        TestOp::In(values) => values.iter().find(|value| value.can_fail),
        TestOp::Presence(_) => None,
    }
}

/// Checks what a record of the target is associated with.
pub(super) fn check<'a>(
    scope: &mut Scope<'a>,
    target: Option<&Obj<'a>>,
    associates: &[ast::Associate],
) -> Vec<Associate> {
    check_once(scope, associates);
    associates.iter().filter_map(|associate| check_one(scope, target, associate)).collect()
}

/// The same association need not be asked for twice.
fn check_once(scope: &Scope<'_>, associates: &[ast::Associate]) {
    let what = |associate: &ast::Associate| {
        let object = ObjectName::new(associate.object.side, &associate.object.name.value);
        (kind(&associate.kind), object, associate.of.text())
    };
    for (at, associate) in associates.iter().enumerate() {
        let Some(earlier) = associates[..at].iter().find(|earlier| what(earlier) == what(associate)) else {
            continue;
        };
        let message = "this association is written above already";
        let finding = Diagnostic::warning(Code::UNREACHABLE, associate.span, message);
        scope.report(finding.and(earlier.span, "first here").help("keep one of them"));
    }
}

fn check_one<'a>(
    scope: &mut Scope<'a>,
    target: Option<&Obj<'a>>,
    associate: &ast::Associate,
) -> Option<Associate> {
    let whose = scope.whose(&associate.of, true);
    let otherwise = check_otherwise(scope, associate);
    if target.is_some_and(|target| target.name.side == Side::Salesforce) {
        report_side(scope, associate);
        return None;
    }
    if let Some(target) = target {
        let help = format!(
            "write `objectId <- linked {}.{} of {}`",
            associate.object.side,
            associate.object.name.value,
            associate.of.text()
        );
        let what = "it stands on the timeline of one record, which `objectId` names";
        scope.world.report_event(target, associate.span, what, &help);
    }
    let to = scope.world.object(&associate.object)?;
    scope.world.report_event(&to, associate.object.span, "records are not associated with one", "remove it");
    if let (ast::AssociateKind::Labelled(label), Some(target)) = (&associate.kind, target) {
        associated::check_label(scope.world, target, &to, label);
    }
    if let (ast::AssociateKind::Primary, Some(target)) = (&associate.kind, target) {
        associated::check_primary(scope.world, target, &to, associate.object.span);
    }
    let whose = whose?;
    let kind = kind(&associate.kind);
    check_ids(scope, &whose, &kind, associate);
    let otherwise = otherwise?;
    if !scope.goes_across(&to, &whose.of, associate.object.span) {
        return None;
    }
    let Whose { ids, of } = whose;
    Some(Associate {
        exactly: associate.exactly,
        kind,
        to: to.name,
        of,
        ids,
        otherwise,
        span: associate.span,
    })
}

/// The association that is written.
pub(super) fn kind(written: &ast::AssociateKind) -> AssociationKind {
    match written {
        ast::AssociateKind::Plain => AssociationKind::Plain,
        ast::AssociateKind::Primary => AssociationKind::Primary,
        ast::AssociateKind::Labelled(label) => AssociationKind::Labelled(label.value.clone()),
    }
}

fn report_side(scope: &Scope<'_>, associate: &ast::Associate) {
    let message = "associations are HubSpot's, and the mapping writes Salesforce";
    let finding = Diagnostic::error(Code::ASSOCIATION_SIDE, associate.span, message);
    let help = format!(
        "set a reference field, such as `AccountId <- linked salesforce.Account of {}`",
        associate.of.text()
    );
    scope.report(finding.help(help));
}

fn check_ids(scope: &Scope<'_>, whose: &Whose, kind: &AssociationKind, associate: &ast::Associate) {
    match &whose.ids {
        Ids::Value(value) if value.can_fail => report_fallible(scope, value, "`associate`"),
        Ids::Each { each, .. } if *kind == AssociationKind::Primary => {
            let name = &scope.eaches[*each].typed.name;
            let message =
                format!("a record has one primary association to an object, and `{name}` is many rows");
            let finding = Diagnostic::error(Code::EACH_PLACE, associate.of.span, message);
            let finding = finding.and(scope.eaches[*each].typed.span, "the rows");
            scope.report(finding.help("remove `primary`, or write a label"));
        }
        _ => {}
    }
}

/// What happens while there is no pair: it must be said, since records arrive in any order.
fn check_otherwise(scope: &Scope<'_>, associate: &ast::Associate) -> Option<LinkElse> {
    let Some(otherwise) = &associate.otherwise else {
        let message = format!(
            "the `{}.{}` may not be there yet, and `associate` does not say what happens then",
            associate.object.side, associate.object.name.value
        );
        let finding = Diagnostic::error(Code::PAIR_MISSING, associate.span, message);
        let at_end = Span { start: associate.span.end, ..associate.span };
        let help = "write `otherwise wait` (it is associated once it is there), `otherwise skip` or `otherwise park`";
        scope.report(finding.help(help).fix(at_end, "  otherwise wait"));
        return None;
    };
    match &otherwise.value {
        ast::GuardOtherwise::Wait => Some(LinkElse::Wait),
        ast::GuardOtherwise::Skip => Some(LinkElse::Skip),
        ast::GuardOtherwise::Park(reason) => Some(LinkElse::Park(reason.clone())),
        ast::GuardOtherwise::Then(_) => {
            let message = "a missing pair is not handed over: the record itself is already written";
            let finding = Diagnostic::error(Code::ACTION_INVALID, otherwise.span, message);
            scope.report(finding.help("write `otherwise wait`, `otherwise skip` or `otherwise park`"));
            None
        }
    }
}

impl Scope<'_> {
    /// Reports that the rows of a `with each` stand where one value is needed.
    pub(super) fn report_each_use(&self, index: usize, path: &ast::Path) {
        let each = &self.eaches[index];
        each.used.set(true);
        let name = &each.typed.name;
        let message =
            format!("`{name}` is many rows, and one value is needed here: of which row would it be?");
        let finding =
            Diagnostic::error(Code::EACH_PLACE, path.span, message).and(each.typed.span, "the rows");
        let help = format!(
            "only `associate linked OBJECT of {name}.FIELD` takes the rows one by one; for one value write \
             `lookup OBJECT.FIELD where …`"
        );
        self.report(finding.help(help));
    }
}
