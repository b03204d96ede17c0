//! Triggers: what makes a mapping run.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::FieldType;
use crate::source::{Side, Span, Spanned};
use crate::syntax::ast::{self, TriggerKind};
use crate::syntax::shape;
use crate::types::{AssociationKind, Type, Value, display};

use super::associated;
use super::builtin::{OWNER_NAME, OWNER_PROPERTY};
use super::expr::literal_value;
use super::scope::Scope;
use super::typed::{Trigger, WithKind};
use super::words::{self, Kind};
use super::world::Obj;

impl Trigger {
    /// The statement as a test writes it, which names no side, from the way in which a sync writes it.
    pub fn in_test(&self, written: &str) -> String {
        let spelled = |field: &String| shape::spelled_name(field).unwrap_or_else(|| field.clone());
        match self {
            Trigger::Created | Trigger::AssociatedChanges(..) => written.to_owned(),
            Trigger::Changes(fields) => match fields.as_slice() {
                [field] => format!("when {} changes", spelled(field)),
                fields => {
                    let fields: Vec<_> = fields.iter().map(spelled).collect();
                    format!("when any of ({}) changes", fields.join(", "))
                }
            },
            Trigger::Becomes(field, _) => {
                let behind = written.find(field.as_str()).map_or(0, |at| at + field.len());
                let values = written[behind..].find("becomes").map_or("", |at| &written[behind + at..]);
                format!("when {} {values}", spelled(field))
            }
        }
    }
}

impl<'a> Scope<'a> {
    /// Checks the triggers of a mapping.
    pub(super) fn triggers(&self, whens: &[ast::Trigger]) -> Vec<Trigger> {
        let mut triggers = Vec::new();
        for when in whens {
            let trigger = match &when.kind {
                TriggerKind::Created => Some(Trigger::Created),
                TriggerKind::Changes(paths) => {
                    let fields: Vec<_> = paths.iter().filter_map(|path| self.trigger_field(path)).collect();
                    Some(Trigger::Changes(fields.into_iter().map(|(field, _)| field).collect()))
                }
                TriggerKind::Becomes(path, values) => self.becomes(path, values),
                TriggerKind::PrimaryChanges(object) => self.associated(object, AssociationKind::Primary),
                TriggerKind::LabelledChanges(label, object) => {
                    let trigger = self.associated(object, AssociationKind::Labelled(label.value.clone()));
                    if let (Some(source), Some(Trigger::AssociatedChanges(_, to))) = (&self.source, &trigger)
                        && let Some(to) = self.world.object_named(to.side, &to.name)
                    {
                        associated::check_label(self.world, source, &to, label);
                    }
                    trigger
                }
            };
            triggers.extend(trigger);
        }
        triggers
    }

    fn trigger_field(&self, path: &ast::Path) -> Option<(String, Type)> {
        let source = self.source.as_ref()?;
        let first = path.parts.first()?;
        let with = self.with_named(&first.value);
        let (Some(name), None) = (path.parts.first().filter(|_| path.parts.len() == 1), with) else {
            let message = "a trigger watches a field of the source itself";
            let finding = Diagnostic::error(Code::BAD_PATH, path.span, message);
            self.report(finding.help(self.trigger_instead(source, first, with)));
            return None;
        };
        if let Some(index) = self.let_named(&name.value) {
            let entry = &self.lets[index];
            let message = format!("`{}` is a `let`, and a trigger watches a field", name.value);
            let finding =
                Diagnostic::error(Code::BAD_PATH, name.span, message).and(entry.span, "defined here");
            self.report(finding.help("name the field that it is made of"));
            return None;
        }
        let is_id = source.field(&name.value).is_some_and(|field| field.kind == FieldType::Id);
        if is_id || source.is_record_id(&name.value) {
            let message = format!("the id of a `{}` never changes", source.name);
            let finding = Diagnostic::error(Code::BAD_PATH, name.span, message).label("always the same");
            self.report(finding.help("write `when created` for a new record"));
            return None;
        }
        let (typed, field) = self.resolve(source, std::slice::from_ref(name))?;
        Some((field, typed.ty))
    }

    /// What to write for a trigger that watches another record.
    fn trigger_instead(&self, source: &Obj<'_>, first: &ast::Name, with: Option<usize>) -> String {
        let kind = with.map(|with| (&self.withs[with].typed.kind, &self.withs[with].typed.object));
        match kind {
            _ if source.name.side == Side::Salesforce => {
                let id = format!("{}Id", first.value);
                let field = if source.field(&id).is_some() { id } else { "FIELD".to_owned() };
                format!(
                    "Salesforce tells of a record's own fields: write `when {field} changes`, or `when created`"
                )
            }
            Some((WithKind::Association(AssociationKind::Labelled(label)), object)) => {
                format!("write `when {} {object} changes`", shape::spelled_text(label))
            }
            Some((WithKind::Association(_), object)) => format!("write `when primary {object} changes`"),
            _ if first.value == OWNER_NAME => {
                format!("write `when {OWNER_PROPERTY} changes` for another owner")
            }
            _ => "write `when primary hubspot.company changes` for an associated record".to_owned(),
        }
    }

    fn becomes(&self, path: &ast::Path, values: &[Spanned<ast::Literal>]) -> Option<Trigger> {
        let (field, ty) = self.trigger_field(path)?;
        let source = self.source.as_ref()?;
        let values =
            values.iter().filter_map(|value| self.becomes_value(source, &field, &ty, value, path.span));
        let values: Vec<_> = values.collect();
        Some(Trigger::Becomes(field, values))
    }

    fn becomes_value(
        &self,
        source: &Obj<'a>,
        field: &str,
        ty: &Type,
        literal: &Spanned<ast::Literal>,
        at: Span,
    ) -> Option<String> {
        let (value, typed) = literal_value(&literal.value);
        if value == Value::Blank {
            let message = "nothing becomes a blank: a blank is not equal to anything";
            let finding = Diagnostic::error(Code::COMPARISON, literal.span, message);
            self.report(finding.help(format!("write `when {field} changes` and `only if {field} is blank`")));
            return None;
        }
        let (wanted, is) = (Kind::of(ty)?, Kind::of(&typed.ty)?);
        let is_option = wanted == Kind::List && is == Kind::Text;
        if wanted != is && !is_option {
            let message = format!(
                "`{field}` is {}, and can never become {}",
                words::kind_of(ty),
                words::kind_of(&typed.ty)
            );
            let finding =
                Diagnostic::error(Code::COMPARISON, literal.span, message).and(at, words::kind_of(ty));
            let text = self.world.sources.slice(literal.span);
            self.report(match words::compare_help(wanted, is, field, text) {
                Some(help) if matches!(wanted, Kind::Text | Kind::Boolean | Kind::Number) => {
                    finding.help(help)
                }
                _ => finding.help(format!("write `when {field} changes` and compare in `only if`")),
            });
            return None;
        }
        if let Value::Text(text) = &value {
            self.option_exists(source, field, text, literal.span);
        }
        Some(display(&value))
    }

    fn associated(&self, reference: &ast::ObjectRef, kind: AssociationKind) -> Option<Trigger> {
        let object = self.associated_object(reference)?;
        Some(Trigger::AssociatedChanges(kind, object.name))
    }

    /// The object of an association of the source.
    pub(super) fn associated_object(&self, reference: &ast::ObjectRef) -> Option<Obj<'a>> {
        let object = self.world.object(reference)?;
        let source = self.source.as_ref()?;
        if source.name.side == Side::Salesforce {
            let message = "associations are HubSpot's, and the source is a record of Salesforce";
            let finding = Diagnostic::error(Code::ASSOCIATION_SIDE, reference.span, message);
            self.report(finding.help("follow a relationship instead, such as `Account.Name`"));
            return None;
        }
        if object.name.side != source.name.side {
            let message = format!("a `{}` is associated with records of HubSpot only", source.name);
            let finding = Diagnostic::error(Code::BAD_PATH, reference.span, message);
            self.report(finding.help("look the record up: `lookup salesforce.Account.Name where …`"));
            return None;
        }
        Some(object)
    }
}
