//! What is certainly no address and no id, whatever its length and whatever steps it passes: a literal, an option, a cut
//! address, the name of a record.

use std::collections::HashSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::functions::{Function, Prepared};
use crate::source::{ObjectName, Side};
use crate::types::{Options, Type, Value, display, may_be_email};

use super::assign::Into;
use super::scope::Scope;
use super::typed::{Expr, ExprKind};

/// A literal is followed through so many steps; with more of them nobody would see what it becomes.
const STEPS: usize = 8;

/// No address and no id is longer than this many bytes.
const LONGEST: usize = 1_000;

/// The name of a record in Salesforce.
const NAME: &str = "Name";

/// Steps that leave text what it is: an option stays an option, and a name stays a name.
const KEEPING: [&str; 6] = ["fits", "truncate", "trim", "lowercase", "uppercase", "title_case"];

/// A value that another one is made of, and the steps that it passes, the last one first.
struct Leaf<'e> {
    value: &'e Expr,
    steps: Vec<(&'static Function, &'e [Expr])>,
}

impl Leaf<'_> {
    /// What a literal becomes; `None` where that is not a text, or not known.
    fn text(&self) -> Option<String> {
        let ExprKind::Literal(literal @ Value::Text(_)) = &self.value.kind else { return None };
        let made = self.steps.iter().rev().try_fold(literal.clone(), |value, (function, args)| {
            let args = args.iter().map(|arg| match &arg.kind {
                ExprKind::Literal(value) => Some(value.borrowed()),
                _ => None,
            });
            let mut all = vec![value.borrowed()];
            all.extend(args.collect::<Option<Vec<_>>>()?);
            let made = (function.call)(&mut all, &Prepared::Nothing).ok().map(Value::into_owned)?;
            (!matches!(&made, Value::Text(text) if text.len() > LONGEST)).then_some(made)
        })?;
        matches!(made, Value::Text(_)).then(|| display(&made))
    }

    fn is_kept(&self) -> bool {
        self.steps.iter().all(|(function, _)| KEEPING.contains(&function.name))
    }

    fn passes(&self, step: &str) -> bool {
        self.steps.iter().any(|(function, _)| function.name == step)
    }
}

impl<'a> Scope<'a> {
    /// Reports what is certainly no address and no id; whether all else that could be said of the value is void by it.
    pub(super) fn check_form(&self, value: &Expr, into: &Into<'_, 'a>) -> bool {
        let wanted = match into.typed.ty {
            Type::Email(_) => "an e-mail address",
            Type::Reference(_) => "the id of a record",
            _ => return false,
        };
        let mut is_void = false;
        for leaf in self.formed(value) {
            if let Some((message, is_name)) = not_of_form(&leaf, into) {
                is_void |= is_name;
                self.report_form(&leaf, into, wanted, &message);
            }
        }
        is_void
    }

    /// Whether an `otherwise` would never be reached.
    pub(super) fn never_fails(&self, value: &Expr, into: &Into<'_, '_>) -> bool {
        !value.can_fail && value.typed.ty != Type::Error && !self.may_be_no_address(value, into)
    }

    /// Whether text of which nothing is known goes into an e-mail field: when the record comes it may be no address, and
    /// then an `otherwise` decides.
    fn may_be_no_address(&self, value: &Expr, into: &Into<'_, '_>) -> bool {
        let is_known = |leaf: &Leaf<'_>| {
            matches!(leaf.value.kind, ExprKind::Literal(_))
                || matches!(leaf.value.typed.ty, Type::Email(_)) && leaf.is_kept()
        };
        self.via.is_none()
            && matches!(into.typed.ty, Type::Email(_))
            && !self.formed(value).iter().all(is_known)
    }

    fn report_form(&self, leaf: &Leaf<'_>, into: &Into<'_, 'a>, wanted: &str, is: &str) {
        let message = format!("`{}` of `{}` holds {wanted}, and {is}", into.field.name, into.object.name);
        let finding = Diagnostic::error(Code::TYPE_MISMATCH, leaf.value.span, message);
        let help = match (&into.typed.ty, &leaf.value.kind) {
            (Type::Email(_), _) => {
                "write an address; one that is too long needs `fits` and `otherwise`, not `truncate`"
                    .to_owned()
            }
            (_, ExprKind::Lookup { object, .. }) => format!("write `lookup {object}.Id where …`"),
            _ => "write `lookup OBJECT.Id where FIELD = VALUE` to find the record's id".to_owned(),
        };
        self.report(finding.and(into.field.span, format!("holds {wanted}")).help(help));
    }

    /// The values that an expression chooses among, seen through the steps that they pass.
    fn formed<'e>(&'e self, value: &'e Expr) -> Vec<Leaf<'e>> {
        let mut followed = HashSet::new();
        let (mut leaves, mut open) = (Vec::new(), vec![Leaf { value, steps: Vec::new() }]);
        while let Some(Leaf { value, mut steps }) = open.pop() {
            let among = |values: &[&'e Expr], open: &mut Vec<Leaf<'e>>| {
                open.extend(values.iter().map(|value| Leaf { value, steps: steps.clone() }));
            };
            match &value.kind {
                ExprKind::If(_, then, otherwise) => among(&[otherwise, then], &mut open),
                ExprKind::Call { function, args } if matches!(function.name, "first_present" | "default") => {
                    let args: Vec<_> = args.iter().rev().collect();
                    among(&args, &mut open);
                }
                ExprKind::Call { function, args } if steps.len() < STEPS && function.prepare.is_none() => {
                    if let [first, rest @ ..] = args.as_slice() {
                        steps.push((*function, rest));
                        open.push(Leaf { value: first, steps });
                    }
                }
                ExprKind::Let(index) => {
                    if followed.insert(*index) {
                        open.push(Leaf { value: &self.lets[*index].typed.value, steps });
                    }
                }
                _ => leaves.push(Leaf { value, steps }),
            }
        }
        leaves
    }
}

/// Why a value is certainly not what a field holds, and whether that voids what could be said of its length.
fn not_of_form(leaf: &Leaf<'_>, into: &Into<'_, '_>) -> Option<(String, bool)> {
    let is_email = matches!(into.typed.ty, Type::Email(_));
    if is_email && leaf.passes("truncate") {
        return Some(("text that was cut is not".to_owned(), false));
    }
    if let Some(text) = leaf.text() {
        let fits = match &into.typed.ty {
            Type::Reference(objects) => may_be_id(&text, objects.first().unwrap_or(&into.object.name).side),
            _ => may_be_email(&text),
        };
        return (!fits).then(|| (format!("`{text}` is not"), false));
    }
    match (&leaf.value.kind, &leaf.value.typed.ty) {
        (ExprKind::Literal(_), _) => None,
        (_, Type::Picklist(Options::Field(..) | Options::These(_))) if leaf.is_kept() => {
            Some(("an option is not".to_owned(), false))
        }
        (ExprKind::Lookup { object, field, .. }, Type::Text(max)) if !is_email && leaf.is_kept() => {
            let is_one = matches!(&into.typed.ty, Type::Reference(objects) if is_among(object, objects));
            let is_name = field == NAME || leaf.steps.is_empty() && max.is_none_or(|max| max > SALESFORCE_ID);
            (is_one && is_name).then(|| (format!("the `{field}` of a `{object}` is not"), true))
        }
        _ => None,
    }
}

fn is_among(object: &ObjectName, objects: &[ObjectName]) -> bool {
    object.side == Side::Salesforce && objects.contains(object)
}

/// The characters of an id of Salesforce.
const SALESFORCE_ID: u32 = 18;

/// Salesforce ids have 15 or 18 letters and digits, HubSpot's are numbers.
fn may_be_id(text: &str, side: Side) -> bool {
    match side {
        Side::Salesforce => {
            matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
        Side::Hubspot => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
