//! What a CRM can search by: fields that it filters by, values that they can hold, and how many tests it takes.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span};
use crate::syntax::ast;
use crate::types::{Type, Value, is_record_id, quoted};

use super::scope::{Found, Scope};
use super::typed::{CompareOp, Expr, ExprKind, FieldTest, TestOp};
use super::world::Obj;

/// How much one search of HubSpot's takes (HubSpot's search page): groups of which one must hold, tests in one group and in
/// all, values in one list.
const GROUPS: usize = 5;
const IN_GROUP: usize = 6;
const IN_ALL: usize = 18;
const IN_LIST: usize = 100;

impl Found<'_> {
    /// Whether the field holds ids of Salesforce's.
    fn holds_id(&self) -> bool {
        self.object.name.side == Side::Salesforce && matches!(self.typed.ty, Type::Reference(_))
    }

    /// Whether the field holds ids of Salesforce's and is compared with text that may be none.
    pub(super) fn needs_id(&self, op: &TestOp) -> bool {
        let may_be_none = |value: &Expr| !matches!(value.typed.ty, Type::Reference(_));
        let may_be_none = match op {
            TestOp::Compare(_, value) => may_be_none(value),
            TestOp::In(values) => values.iter().any(may_be_none),
            TestOp::Presence(_) => false,
        };
        may_be_none && self.holds_id()
    }
}

impl<'a> Scope<'a> {
    /// A field by which records are searched, or the one at the end of a path; reported where the CRM cannot.
    pub(super) fn searched(&self, object: &Obj<'a>, parts: &[ast::Name]) -> Option<Found<'a>> {
        let found = self.found(object, parts)?;
        if let (Some(field), Some(last)) = (found.field.filter(|field| !field.searchable), parts.last()) {
            let message = format!(
                "Salesforce cannot search by `{}` of `{}`: it is a long text area",
                field.name, found.object.name
            );
            let finding =
                Diagnostic::error(Code::UNSEARCHABLE, last.span, message).label("no field to search by");
            self.report(finding.and(field.span, "more than 255 characters").help("test another field"));
        }
        Some(found)
    }

    /// Checks a test of a field with a value.
    pub(super) fn check_test(&self, found: &Found<'_>, at: Span, op: CompareOp, value: &Expr) {
        if !self.can_look_by(&found.typed, at, op, value) {
            return;
        }
        self.check_years(value, found.object.name.side);
        if !found.holds_id() {
            return;
        }
        for leaf in self.leaves(value) {
            let ExprKind::Literal(Value::Text(text)) = &leaf.kind else { continue };
            if !is_record_id(text) {
                let message = format!(
                    "`{}` of `{}` holds an id, and {} is none",
                    found.name,
                    found.object.name,
                    quoted(text)
                );
                let finding = Diagnostic::error(Code::COMPARISON, leaf.span, message).label("no id");
                let help = "an id has 15 or 18 letters and digits; to find a record by another value, test the field that holds it";
                self.report(finding.help(help));
            }
        }
    }

    /// Reports tests that are more than one search takes, with those that the engine adds.
    pub(super) fn check_search(&self, object: &Obj<'_>, tests: &[FieldTest], added: usize) {
        let (Side::Hubspot, Some(first), Some(last)) = (object.name.side, tests.first(), tests.last()) else {
            return;
        };
        for test in tests {
            self.check_list(object, test);
        }
        let not_equal =
            tests.iter().filter(|test| matches!(test.op, TestOp::Compare(CompareOp::Ne, _))).count();
        // HubSpot asks for a blank apart from another value, so that a test with `!=` doubles the groups.
        let groups = u32::try_from(not_equal).ok().and_then(|times| 2_usize.checked_pow(times));
        let groups = groups.filter(|groups| *groups <= GROUPS);
        let most = groups.map_or(0, |groups| IN_GROUP.min(IN_ALL / groups) - added);
        let (found, message) = match groups {
            None => (not_equal, "a search of HubSpot's takes two tests with `!=`".to_owned()),
            Some(1 | 2) => (tests.len(), format!("a search of HubSpot's takes {most} tests")),
            Some(_) => {
                (tests.len(), format!("a search of HubSpot's takes {most} tests where two are with `!=`"))
            }
        };
        if groups.is_some() && tests.len() <= most {
            return;
        }
        let span = first.span.to(last.span);
        let finding =
            Diagnostic::error(Code::UNSEARCHABLE, span, format!("{message}, and this one has {found}"));
        self.report(finding.label("too many tests").help(if groups.is_some() {
            "leave out what the others imply, or compare the rest in an `if` or a guard"
        } else {
            "write what the field is instead: `FIELD in [\"A\", \"B\"]`"
        }));
    }

    /// Reports a list of values that is longer than a search takes.
    fn check_list(&self, object: &Obj<'_>, test: &FieldTest) {
        let TestOp::In(values) = &test.op else { return };
        if object.name.side == Side::Hubspot && values.len() > IN_LIST {
            let found = values.len();
            let message =
                format!("a search of HubSpot's takes {IN_LIST} values in a list, and this one has {found}");
            let finding = Diagnostic::error(Code::UNSEARCHABLE, test.span, message).label("too many values");
            self.report(finding.help("name fewer"));
        }
    }
}
