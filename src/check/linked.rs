//! `linked OBJECT of NAME`: whose counterpart is asked for, and in which object it is.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{ObjectName, Side, Span};
use crate::syntax::ast;
use crate::types::{Type, Typed};

use super::outcomes::CONTACT;
use super::scope::{HUBSPOT_ID, Scope, error};
use super::typed::{Expr, ExprKind, FieldUse, Ids, RecordUse};
use super::words;
use super::world::Obj;

/// The records whose counterparts are asked for.
pub(super) struct Whose {
    /// Their ids.
    pub(super) ids: Ids,
    /// Their objects: one, unless a reference field takes several.
    pub(super) of: Vec<ObjectName>,
}

impl Scope<'_> {
    /// Types `linked OBJECT of NAME` as a value: the counterpart's id.
    pub(super) fn linked(&mut self, object: &ast::ObjectRef, of: &ast::Path, span: Span) -> Expr {
        let to = self.world.object(object);
        let whose = self.whose(of, false);
        let (Some(to), Some(Whose { ids: Ids::Value(id), of })) = (to, whose) else { return error(span) };
        if !self.goes_across(&to, &of, object.span) {
            return error(span);
        }
        let ty = match to.name.side {
            Side::Hubspot => Type::Text(Some(HUBSPOT_ID)),
            Side::Salesforce => Type::Reference(vec![to.name.clone()]),
        };
        // Two mappings can pair one record with two of the other CRM.
        let kind = ExprKind::Linked { to: to.name, of, id: Box::new(id) };
        Expr { kind, typed: Typed::maybe(ty), can_fail: true, span }
    }

    /// The record that a path names: a `with`, a row of an `each` where those may stand, or a field that holds an id.
    pub(super) fn whose(&mut self, path: &ast::Path, each_may_stand: bool) -> Option<Whose> {
        let [first, rest @ ..] = path.parts.as_slice() else { return None };
        if each_may_stand && let Some(each) = self.each_named(&first.value) {
            return self.of_rows(each, path, rest);
        }
        if rest.is_empty()
            && let Some(with) = self.with_named(&first.value)
        {
            return self.of_with(with, path.span);
        }
        if rest.is_empty() && self.source.as_ref().is_some_and(|source| Self::is_owner(source, &first.value))
        {
            let owner = self.owner_with(first.span);
            return self.of_with(owner, path.span);
        }
        let id = self.path(path);
        let of = match &id.typed.ty {
            Type::Error => return None,
            Type::Reference(of) if !of.is_empty() => of.clone(),
            _ => {
                let Some(of) = self.is_own_id(&id) else {
                    self.report_no_record(path, &id.typed.ty);
                    return None;
                };
                vec![of]
            }
        };
        Some(Whose { ids: Ids::Value(id), of })
    }

    fn of_rows(&self, each: usize, path: &ast::Path, rest: &[ast::Name]) -> Option<Whose> {
        let entry = &self.eaches[each];
        entry.used.set(true);
        let object = entry.object.clone()?;
        if rest.is_empty() {
            let field = id_field(object.name.side).to_owned();
            return Some(Whose { ids: Ids::Each { each, field }, of: vec![object.name] });
        }
        let (typed, field) = self.resolve(&object, rest)?;
        let of = match typed.ty {
            Type::Reference(of) if !of.is_empty() => of,
            _ if field == "id" && object.is_record_id("id") => vec![object.name],
            ty => {
                self.report_no_record(path, &ty);
                return None;
            }
        };
        Some(Whose { ids: Ids::Each { each, field }, of })
    }

    /// A `with` record stands for its id.
    fn of_with(&mut self, index: usize, span: Span) -> Option<Whose> {
        let entry = &self.withs[index];
        entry.used.set(true);
        let object = entry.object.clone()?;
        let (ty, field) = match object.name.side {
            Side::Hubspot => (Type::Text(Some(HUBSPOT_ID)), "id"),
            Side::Salesforce => (Type::Reference(vec![object.name.clone()]), "Id"),
        };
        let kind = ExprKind::Field(FieldUse { of: RecordUse::With(index), field: field.to_owned() });
        let id = Expr { kind, typed: Typed::maybe(ty), can_fail: false, span };
        Some(Whose { ids: Ids::Value(id), of: vec![object.name] })
    }

    /// The object whose record a value is the id of, where HubSpot's type of it does not say so.
    fn is_own_id(&self, value: &Expr) -> Option<ObjectName> {
        let ExprKind::Field(field) = &value.kind else { return None };
        let object = match field.of {
            RecordUse::Source => self.source.as_ref()?,
            RecordUse::With(index) => self.withs[index].object.as_ref()?,
        };
        (field.field == "id" && object.is_record_id("id")).then(|| object.name.clone())
    }

    /// Whether a pair leads from these objects to the other CRM; reported where not.
    pub(super) fn goes_across(&self, to: &Obj<'_>, of: &[ObjectName], at: Span) -> bool {
        let Some(near) = of.iter().find(|of| of.side == to.name.side) else {
            self.warn_never_paired(to, of, at);
            return true;
        };
        let side = near.side.label();
        let message = format!(
            "`linked` leads to the other CRM, and `{}` is of {side}, as the record itself is",
            to.name
        );
        let finding = Diagnostic::error(Code::LINKED_RECORD, at, message);
        let other = match near.side {
            Side::Hubspot => Side::Salesforce,
            Side::Salesforce => Side::Hubspot,
        };
        self.report(finding.help(format!("name an object of {}", other.label())));
        false
    }

    fn warn_never_paired(&self, to: &Obj<'_>, of: &[ObjectName], at: Span) {
        let pairs = |a: &ast::ObjectRef, b: &ast::ObjectRef| {
            let is = |reference: &ast::ObjectRef, name: &ObjectName| {
                let written = ObjectName::new(reference.side, &reference.name.value);
                written == *name || self.goes_on_as(&written, name)
            };
            let both = |of| is(a, of) && is(b, &to.name) || is(b, of) && is(a, &to.name);
            of.iter().any(both)
        };
        let mut mappings = self.world.mappings.values();
        let by_mapping = mappings
            .any(|mapping| mapping.from.iter().any(|from| mapping.to.iter().any(|to| pairs(from, to))));
        let by_sync =
            self.world.syncs.values().any(|sync| sync.between.iter().any(|(left, right)| pairs(left, right)));
        if by_mapping || by_sync {
            return;
        }
        let of = of.iter().map(|of| format!("`{of}`")).collect::<Vec<_>>().join(" or ");
        let message =
            format!("no mapping and no sync pairs {of} with `{}`, so no pair is ever found", to.name);
        let finding = Diagnostic::warning(Code::UNREACHABLE, at, message);
        self.report(finding.help("write the mapping that pairs them, or remove this"));
    }

    /// Whether a conversion makes records of one object into those of the other, with their pairs: a Lead into a Contact.
    fn goes_on_as(&self, one: &ObjectName, other: &ObjectName) -> bool {
        let from = self.world.object_named(one.side, &one.name);
        from.is_some_and(|from| from.object.convertible)
            && *other == ObjectName::new(Side::Salesforce, CONTACT)
    }

    fn report_no_record(&self, path: &ast::Path, ty: &Type) {
        let message = format!("`{}` is {}, not a record or the id of one", path.text(), words::kind_of(ty));
        let finding = Diagnostic::error(Code::LINKED_RECORD, path.span, message).label("whose counterpart?");
        let help = match self.source.as_ref().map(|source| source.name.side) {
            Some(Side::Hubspot) => "name a `with` record: `with employer = primary hubspot.company`",
            _ => "name a reference field, such as `AccountId`",
        };
        self.report(finding.help(help));
    }
}

/// The field that holds a record's id.
pub(super) fn id_field(side: Side) -> &'static str {
    match side {
        Side::Hubspot => "id",
        Side::Salesforce => "Id",
    }
}
