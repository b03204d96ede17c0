//! Types conditions, the tests of a `where`, and what a condition proves to be present.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast;
use crate::types::{Options, Type, Typed};

use super::scope::{Place, Scope};
use super::typed::{CompareOp, Condition, ConditionKind, Expr, ExprKind, FieldTest, Presence, TestOp};
use super::words::{self, Kind};
use super::world::{Obj, is_closed};

impl<'a> Scope<'a> {
    /// Types a condition. What an earlier part of an `and` proves holds in the later ones.
    pub(super) fn condition(&mut self, condition: &ast::Condition) -> Condition {
        let span = condition.span;
        let kind = match &condition.kind {
            ast::ConditionKind::Or(parts) => ConditionKind::Or(self.parts(parts, false)),
            ast::ConditionKind::And(parts) => ConditionKind::And(self.parts(parts, true)),
            ast::ConditionKind::Not(inner) => ConditionKind::Not(Box::new(self.condition(inner))),
            ast::ConditionKind::Compare(left, op, right) => {
                let (left, right) = (self.value(left), self.value(right));
                self.check_comparison(&left, op, &right, span);
                ConditionKind::Compare(left, op.value, right)
            }
            ast::ConditionKind::In { value, list, negated } => {
                let (value, list) = (self.value(value), self.value(list));
                self.check_in(&value, &list);
                let can_fail = value.can_fail || list.can_fail;
                let found = ConditionKind::In(value, list);
                if *negated {
                    ConditionKind::Not(Box::new(Condition { kind: found, can_fail, span }))
                } else {
                    found
                }
            }
            ast::ConditionKind::Presence(value, presence) => {
                ConditionKind::Presence(self.value(value), *presence)
            }
            ast::ConditionKind::Value(value) => ConditionKind::Value(self.truth(value)),
        };
        let can_fail = words::condition_can_fail(&kind);
        Condition { kind, can_fail, span }
    }

    fn parts(&mut self, parts: &[ast::Condition], holds: bool) -> Vec<Condition> {
        let known = self.known();
        let mut typed = Vec::with_capacity(parts.len());
        for part in parts {
            let part = self.condition(part);
            self.learn(self.proves(&part, holds));
            typed.push(part);
        }
        self.forget(known);
        typed
    }

    fn truth(&mut self, value: &ast::Value) -> Expr {
        let value = self.value(value);
        if !matches!(value.typed.ty, Type::Boolean | Type::Error) {
            let message =
                format!("a condition is true or false, and this is {}", words::kind_of(&value.typed.ty));
            let text = self.world.sources.slice(value.span);
            let finding = Diagnostic::error(Code::TYPE_MISMATCH, value.span, message);
            self.report(finding.help(format!("compare it: `{text} = …`, or ask `{text} is present`")));
        }
        value
    }

    fn check_comparison(&self, left: &Expr, op: &Spanned<CompareOp>, right: &Expr, span: Span) {
        if !self.can_compare(&left.typed.ty, left.span, op.value, right) {
            return;
        }
        if op.value == CompareOp::Ne && (left.typed.blank || right.typed.blank) {
            let side = if left.typed.blank { left } else { right };
            let text = self.world.sources.slice(side.span);
            let whole = self.world.sources.slice(span).trim_end();
            let message = format!("`!=` also holds when `{text}` is blank");
            let finding = Diagnostic::warning(Code::NOT_EQUAL_BLANK, span, message);
            let finding = finding.and(side.span, "can be blank");
            self.report(
                finding
                    .help(format!("write `{text} is present and {whole}`, or `{text} is blank or {whole}`")),
            );
        }
    }

    /// Whether two values can be compared; reported at the right one where not.
    pub(super) fn can_compare(&self, left: &Type, at: Span, op: CompareOp, right: &Expr) -> bool {
        let right_type = &right.typed.ty;
        let (a, b) = (Kind::of(left), Kind::of(right_type));
        let (Some(a), Some(b)) = (a, b) else {
            return self.not_with_nothing(left, at, right);
        };
        if a != b {
            let message =
                format!("{} and {} can never be equal", words::kind_of(left), words::kind_of(right_type));
            let finding =
                Diagnostic::error(Code::COMPARISON, right.span, message).label(words::kind_of(right_type));
            let finding = finding.and(at, words::kind_of(left));
            let finding = match words::compare_help(
                a,
                b,
                self.world.sources.slice(at),
                self.world.sources.slice(right.span),
            ) {
                Some(help) => finding.help(help),
                None => finding,
            };
            self.report(finding);
            return false;
        }
        let is_ordered = !matches!(op, CompareOp::Eq | CompareOp::Ne);
        if is_ordered && matches!(a, Kind::Boolean | Kind::List) {
            let message = format!("{} has no order", words::kind_of(left));
            self.report(Diagnostic::error(Code::COMPARISON, at, message).help("compare with `=`"));
            return false;
        }
        self.check_options(left, right)
    }

    fn not_with_nothing(&self, left: &Type, at: Span, right: &Expr) -> bool {
        if *left == Type::Error || right.typed.ty == Type::Error {
            return false;
        }
        let (nothing, other) =
            if right.typed.ty == Type::Nothing { (right.span, at) } else { (at, right.span) };
        let other = self.world.sources.slice(other);
        let message = "nothing is equal to a blank";
        let finding = Diagnostic::error(Code::COMPARISON, nothing, message).label("always blank");
        self.report(finding.help(format!("write `{other} is blank` or `{other} is present`")));
        false
    }

    /// Whether literal options are among those of the picklist field they are compared with.
    fn check_options(&self, field: &Type, value: &Expr) -> bool {
        match (field, &value.typed.ty) {
            (Type::Picklist(Options::Field(..)) | Type::MultiPicklist(Options::Field(..)), _) => {
                self.literal_options_exist(field, value)
            }
            _ => true,
        }
    }

    fn literal_options_exist(&self, field: &Type, value: &Expr) -> bool {
        let (Type::Picklist(Options::Field(object, name))
        | Type::MultiPicklist(Options::Field(object, name))) = field
        else {
            return true;
        };
        let (ExprKind::Literal(crate::types::Value::Text(text)), Some(object)) =
            (&value.kind, self.world.object_named(object.side, &object.name))
        else {
            return true;
        };
        self.option_exists(&object, name, text, value.span)
    }

    /// Whether a picklist field has an option; reported where it does not and takes no other.
    pub(super) fn option_exists(&self, object: &Obj<'a>, name: &str, option: &str, span: Span) -> bool {
        let Some(field) = object.field(name).filter(|field| is_closed(field)) else { return true };
        if field.options.iter().any(|known| known.value == option) {
            return true;
        }
        self.report(super::options::unknown_option(self.world, object, field, option, span));
        false
    }

    fn check_in(&self, value: &Expr, list: &Expr) {
        match (&list.kind, &list.typed.ty) {
            (ExprKind::List(items), _) => {
                for item in items {
                    self.can_compare(&value.typed.ty, value.span, CompareOp::Eq, item);
                }
            }
            (_, Type::MultiPicklist(_)) => {
                if Kind::of(&value.typed.ty).is_some_and(|kind| kind != Kind::Text) {
                    let message = format!(
                        "a set of options holds texts, and this is {}",
                        words::kind_of(&value.typed.ty)
                    );
                    self.report(Diagnostic::error(Code::COMPARISON, value.span, message));
                } else {
                    self.literal_options_exist(&list.typed.ty, value);
                }
            }
            (_, Type::List(element)) => {
                let kinds = (Kind::of(&value.typed.ty), Kind::of(&element.ty));
                if matches!(kinds, (Some(a), Some(b)) if a != b) {
                    let message = format!(
                        "the list holds values that are {}, and this is {}",
                        words::kind_of(&element.ty),
                        words::kind_of(&value.typed.ty)
                    );
                    self.report(
                        Diagnostic::error(Code::COMPARISON, value.span, message).and(list.span, "the list"),
                    );
                }
            }
            (_, Type::Error) => {}
            (_, ty) => {
                let message = format!("`in` looks in a list, and this is {}", words::kind_of(ty));
                let finding = Diagnostic::error(Code::COMPARISON, list.span, message);
                self.report(finding.help("write the values in brackets: `in [\"A\", \"B\"]`"));
            }
        }
    }

    /// Types the tests of a `where` over the fields of the searched object.
    pub(super) fn field_tests(&mut self, object: &Obj<'a>, tests: &[ast::FieldTest]) -> Vec<FieldTest> {
        tests.iter().filter_map(|test| self.field_test(object, test)).collect()
    }

    fn field_test(&mut self, object: &Obj<'a>, test: &ast::FieldTest) -> Option<FieldTest> {
        let resolved = self.searched(object, &test.field.parts);
        let at = test.field.span;
        let op = match &test.test {
            ast::TestOp::Compare(op, value) => {
                let value = self.value(value);
                if let Some(found) = &resolved {
                    self.check_test(found, at, op.value, &value);
                }
                TestOp::Compare(op.value, value)
            }
            ast::TestOp::In(values) => {
                let values: Vec<_> = values.iter().map(|value| self.value(value)).collect();
                if let Some(found) = &resolved {
                    for value in &values {
                        self.check_test(found, at, CompareOp::Eq, value);
                    }
                }
                TestOp::In(values)
            }
            ast::TestOp::Presence(presence) => TestOp::Presence(*presence),
        };
        let found = resolved?;
        Some(FieldTest { needs_id: found.needs_id(&op), field: found.name, op, span: test.span })
    }

    /// The test `FIELD = VALUE` of a rung.
    pub(super) fn equality(
        &mut self,
        object: &Obj<'a>,
        field: &ast::Name,
        value: &ast::Value,
    ) -> Option<FieldTest> {
        let resolved = self.searched(object, std::slice::from_ref(field));
        let value = self.value(value);
        let found = resolved?;
        if value.typed.ty == Type::Nothing {
            let message = "nothing is equal to a blank, so this rung finds no record";
            let finding = Diagnostic::error(Code::COMPARISON, value.span, message).label("always blank");
            self.report(finding.help("look by a value, or remove the rung"));
        } else {
            self.check_test(&found, field.span, CompareOp::Eq, &value);
        }
        let span = field.span.to(value.span);
        let op = TestOp::Compare(CompareOp::Eq, value);
        Some(FieldTest { needs_id: found.needs_id(&op), field: found.name, op, span })
    }

    /// Whether a field that is searched can be compared with a value. What is only text of options is asked for in a
    /// condition, and a CRM is not asked so.
    pub(super) fn can_look_by(&self, field: &Typed, at: Span, op: CompareOp, value: &Expr) -> bool {
        let mark = self.world.mark();
        let can = self.can_compare(&field.ty, at, op, value);
        let is_set = Kind::of(&field.ty) == Some(Kind::List);
        for mut finding in self.world.since(mark) {
            if is_set && finding.code == Code::COMPARISON {
                finding.help =
                    Some("look by another field: a search cannot ask for one of several options".to_owned());
            }
            self.report(finding);
        }
        can
    }

    /// Types the values of a test whose object is unknown, for their own findings.
    pub(super) fn test_values(&mut self, test: &ast::FieldTest) {
        match &test.test {
            ast::TestOp::Compare(_, value) => {
                self.value(value);
            }
            ast::TestOp::In(values) => {
                for value in values {
                    self.value(value);
                }
            }
            ast::TestOp::Presence(_) => {}
        }
    }

    /// What is present when a condition holds (or does not).
    pub(super) fn proves(&self, condition: &Condition, holds: bool) -> Vec<Place> {
        match &condition.kind {
            ConditionKind::And(parts) if holds => {
                parts.iter().flat_map(|part| self.proves(part, true)).collect()
            }
            ConditionKind::Or(parts) if !holds => {
                parts.iter().flat_map(|part| self.proves(part, false)).collect()
            }
            ConditionKind::Or(parts) => self.proved_by_all(parts),
            ConditionKind::Not(inner) => self.proves(inner, !holds),
            // A comparison with a blank is false, and `!=` is its opposite.
            ConditionKind::Compare(left, op, right) if (*op == CompareOp::Ne) != holds => {
                [left, right].into_iter().flat_map(|side| self.places(side)).collect()
            }
            ConditionKind::Presence(value, Presence::Present) if holds => self.places(value),
            ConditionKind::Presence(value, Presence::Blank) if !holds => self.places(value),
            ConditionKind::In(value, _) | ConditionKind::Value(value) if holds => self.places(value),
            _ => Vec::new(),
        }
    }

    fn proved_by_all(&self, parts: &[Condition]) -> Vec<Place> {
        let Some((first, others)) = parts.split_first() else { return Vec::new() };
        let mut common = self.proves(first, true);
        for other in others {
            let proved = self.proves(other, true);
            common.retain(|place| proved.contains(place));
        }
        common
    }

    /// The places that are present when a value is: itself, and what it is made of where a blank goes through.
    fn places(&self, value: &Expr) -> Vec<Place> {
        let mut places = Vec::new();
        let mut next = Some(value);
        while let Some(value) = next {
            next = match &value.kind {
                ExprKind::Field(field) => {
                    places.push(Place::Field(field.clone()));
                    None
                }
                ExprKind::Let(index) => {
                    places.push(Place::Let(*index));
                    Some(&self.lets[*index].typed.value)
                }
                ExprKind::Call { function, args } if !function.takes_blank => args.first(),
                ExprKind::Translate { value, .. } => Some(value),
                _ => None,
            };
        }
        places
    }
}
