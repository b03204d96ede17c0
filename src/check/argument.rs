//! The tests of a `where` that stands alone, as an argument of a command.

use crate::diagnostic::{Code, Diagnostic};
use crate::functions::Prepared;
use crate::schema::Schemas;
use crate::source::{ObjectName, Sources, Span};
use crate::syntax::{self, ast};
use crate::types::{Filter, FilterOp, Value};

use super::builtin;
use super::scope::Scope;
use super::typed::{CompareOp, Expr, ExprKind, FieldTest, Presence, TestOp};
use super::world::{Obj, World};

/// Reads and types tests of an object's fields, joined by `and`. `name` is what findings call the text; they are all about
/// places in it. Its values are written out: literals, and functions of literals.
pub fn filters(
    schemas: &Schemas,
    sources: &mut Sources,
    name: &str,
    object: &ObjectName,
    text: &str,
) -> Result<Vec<Filter>, Vec<Diagnostic>> {
    // One line: what stands on another one would be a statement of its own.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let head = format!("mapping argument {{\n  from {object}\n  with each row = {object} where ");
    let shown = sources.add(name, text.clone());
    let whole = format!("{head}{text}\n}}\n");
    let file = sources.add(name, whole.clone());
    let (skip, end) = (head.len(), text.len());
    let in_text = |finding: Diagnostic| {
        let place = |at: usize| at.saturating_sub(skip).min(end);
        let mut finding = Diagnostic { fix: None, ..finding };
        // What else it points at stands in a snapshot.
        for label in finding.labels.iter_mut().filter(|label| label.span.file == file) {
            let range = label.span.range();
            label.span = Span::new(shown, place(range.start), place(range.end));
        }
        finding
    };
    let (tree, findings) = syntax::parse(file, &whole);
    let errors: Vec<Diagnostic> = findings.into_iter().filter(Diagnostic::is_error).collect();
    let Some(tests) = tests(&tree).filter(|_| errors.is_empty()) else {
        let other =
            || Diagnostic::error(Code::SYNTAX, Span::new(file, skip, skip + end), "these are no tests");
        let errors = if errors.is_empty() { vec![other()] } else { errors };
        // What is said about files does not help here.
        return Err(errors.into_iter().map(|finding| in_text(finding.help(FORM))).collect());
    };
    let owner = builtin::owner(schemas);
    let world = World::new(schemas, sources, &owner);
    let mut scope = Scope::new(&world, None);
    let found = world.object_named(object.side, &object.name);
    let typed = found.map(|found| typed_tests(&mut scope, &found, tests)).unwrap_or_default();
    let mut filters = Vec::with_capacity(typed.len());
    for test in &typed {
        match filter(test) {
            Ok(filter) => filters.push(filter),
            Err(finding) => world.report(*finding),
        }
    }
    let errors: Vec<Diagnostic> = world.into_findings().into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() { Ok(filters) } else { Err(errors.into_iter().map(in_text).collect()) }
}

/// The tests as a search takes them.
fn typed_tests<'a>(scope: &mut Scope<'a>, object: &Obj<'a>, tests: &[ast::FieldTest]) -> Vec<FieldTest> {
    let typed = scope.field_tests(object, tests);
    // A walk goes on behind the last id, which is a test of its own.
    scope.check_search(object, &typed, 1);
    typed
}

/// What to write.
const FORM: &str =
    "write `FIELD = VALUE`, several joined by `and`; for one of several values `FIELD in [A, B]`";

/// The tests of the one statement, if that is all that there is.
fn tests(tree: &ast::File) -> Option<&[ast::FieldTest]> {
    let [ast::Item::Mapping(mapping)] = tree.items.as_slice() else { return None };
    let [with] = mapping.body.withs.as_slice() else { return None };
    let ast::WithSource::Each(_, tests) = &with.source else { return None };
    (!tests.is_empty() && tree.comments.is_empty()).then_some(tests)
}

fn filter(test: &FieldTest) -> Result<Filter, Box<Diagnostic>> {
    let op = match &test.op {
        TestOp::Compare(op, value) => {
            let value = constant(value)?;
            match op {
                CompareOp::Eq => FilterOp::Eq(value),
                CompareOp::Ne => FilterOp::Ne(value),
                CompareOp::Lt => FilterOp::Lt(value),
                CompareOp::Le => FilterOp::Le(value),
                CompareOp::Gt => FilterOp::Gt(value),
                CompareOp::Ge => FilterOp::Ge(value),
            }
        }
        TestOp::In(values) => FilterOp::In(values.iter().map(constant).collect::<Result<_, _>>()?),
        TestOp::Presence(Presence::Present) => FilterOp::Present,
        TestOp::Presence(Presence::Blank) => FilterOp::Blank,
    };
    Ok(Filter { field: test.field.clone(), op })
}

/// The value of an expression that reads no record.
fn constant(expr: &Expr) -> Result<Value, Box<Diagnostic>> {
    let finding = |message: String| Box::new(Diagnostic::error(Code::COMPARISON, expr.span, message));
    match &expr.kind {
        // A name stands for nothing here; the checker leaves a blank in its place.
        ExprKind::Literal(value) if !value.is_blank() => Ok(value.clone()),
        ExprKind::Call { function, args } => {
            let args = args.iter().map(constant).collect::<Result<Vec<_>, _>>()?;
            let mut borrowed: Vec<_> = args.iter().map(Value::borrowed).collect();
            match (function.call)(&mut borrowed, &Prepared::Nothing) {
                Ok(value) => Ok(value.into_owned()),
                Err(failure) => Err(finding(failure.message)),
            }
        }
        _ => {
            let finding = finding("the value is not written out".to_owned()).label("not a value");
            Err(Box::new(
                finding.help("there is no record to read it from: write text in quotes, a number, or `true`"),
            ))
        }
    }
}
