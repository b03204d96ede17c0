//! Options of picklists: which a value can be, and whether a field has them.

use std::collections::HashSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Field, FieldType, PicklistOption};
use crate::source::{Side, Span};
use crate::types::{Options, Type, Value, text_max};

use super::mend;
use super::scope::Scope;
use super::typed::{Expr, ExprKind};
use super::words;
use super::world::{Obj, World, is_closed};

/// The finding of an option that a field does not have.
pub(super) fn unknown_option(
    world: &World<'_>,
    object: &Obj<'_>,
    field: &Field,
    option: &str,
    span: Span,
) -> Diagnostic {
    let message = format!("`{}` of `{}` has no option `{option}`", field.name, object.name);
    let finding = Diagnostic::error(Code::OPTION_UNKNOWN, span, message).label("unknown option");
    let by_label = field.options.iter().find(|known| known.label.eq_ignore_ascii_case(option));
    let help = match by_label {
        Some(known) => Some(format!("that is its label; write its value `\"{}\"`", known.value)),
        None => world.guesses.did_you_mean(option, active(field).map(|known| known.value.as_str())),
    };
    let help = help.unwrap_or_else(|| {
        let options: Vec<_> = active(field).map(|known| known.value.clone()).collect();
        format!("it has {}", words::some(&options))
    });
    let finding = finding.and(options_span(field), "its options are here").help(help);
    match by_label {
        Some(known) if known.active => mend::replace_text(finding, option, span, &known.value),
        _ => mend::reword(
            &world.guesses,
            finding,
            option,
            span,
            active(field).map(|known| known.value.as_str()),
        ),
    }
}

/// The finding of an option that a field has and that new values may not use.
pub(super) fn inactive_option(
    object: &Obj<'_>,
    field: &Field,
    option: &PicklistOption,
    span: Span,
) -> Diagnostic {
    let message =
        format!("the option `{}` of `{}` of `{}` is not active", option.value, field.name, object.name);
    let finding =
        Diagnostic::error(Code::OPTION_INACTIVE, span, message).and(option.span, "declared inactive here");
    let options: Vec<_> = active(field).map(|known| known.value.clone()).collect();
    finding.help(format!("write an active one: {}", words::some(&options)))
}

/// Characters that a Salesforce multi-select holds in all, as its describe says (`length: 4099`).
const MULTI_SELECT_LENGTH: u32 = 4_099;

/// Whether the snapshot says which options the field has.
pub(super) fn lists_options(field: &Field) -> bool {
    !field.external_options && !field.options.is_empty()
}

/// The options that new values may use.
pub(super) fn active(field: &Field) -> impl Iterator<Item = &PicklistOption> {
    field.options.iter().filter(|option| option.active)
}

/// Where the options of a field stand, from the first to the last.
pub(super) fn options_span(field: &Field) -> Span {
    match (field.options.first(), field.options.last()) {
        (Some(first), Some(_)) => first.span,
        _ => field.span,
    }
}

impl<'a> Scope<'a> {
    /// Whether what a value can be are active options of the picklist field that it goes into; reported where not.
    pub(super) fn check_into_options(&self, value: &Expr, object: &Obj<'a>, field: &Field) {
        if !is_closed(field) {
            // A literal that the field does not list is wrong whatever its length.
            let literal = matches!(value.kind, ExprKind::Literal(_)) && lists_options(field);
            if !literal {
                self.check_open_length(value, object, field);
            }
            self.check_listed(value, object, field);
            return;
        }
        for leaf in self.leaves(value) {
            if self.world.is_full() {
                return;
            }
            self.check_leaf(leaf, object, field);
        }
    }

    fn check_open_length(&self, value: &Expr, object: &Obj<'a>, field: &Field) {
        let from = self.resolved(&value.typed.ty);
        let max = match field.kind {
            FieldType::Picklist { max, .. } => max,
            // A set is as long as its options; a text that is taken for one can be of any length.
            FieldType::MultiPicklist { .. }
                if object.name.side == Side::Salesforce
                    && !matches!(from, Type::MultiPicklist(_) | Type::List(_)) =>
            {
                MULTI_SELECT_LENGTH
            }
            _ => return,
        };
        let from = text_max(&from);
        if from.is_none_or(|from| from > max) {
            self.report_too_long(value, from, max, object, field);
        }
    }

    /// An unrestricted picklist takes any text, but a literal that it does not list is a slip of the pen, or an option
    /// that somebody forgot to make: no report and no automation that goes by the list would find the record.
    fn check_listed(&self, value: &Expr, object: &Obj<'a>, field: &Field) {
        if !lists_options(field) {
            return;
        }
        for leaf in self.leaves(value) {
            if self.world.is_full() {
                return;
            }
            match (&leaf.kind, &leaf.typed.ty) {
                (ExprKind::Literal(Value::Text(text)), _) => {
                    self.check_option(text, leaf.span, object, field);
                }
                (ExprKind::Translate { .. }, _) => {}
                (_, ty @ (Type::Picklist(Options::Field(..)) | Type::MultiPicklist(Options::Field(..)))) => {
                    self.check_copied_listed(ty, leaf.span, object, field);
                }
                _ => {}
            }
        }
    }

    /// The values that an expression chooses among. Each `let` is followed once, however often it is read.
    pub(super) fn leaves<'e>(&'e self, value: &'e Expr) -> Vec<&'e Expr> {
        let (mut leaves, mut open, mut followed) = (Vec::new(), vec![value], HashSet::new());
        while let Some(value) = open.pop() {
            match &value.kind {
                ExprKind::If(_, then, otherwise) => open.extend([&**otherwise, &**then]),
                ExprKind::Call { function, args } if matches!(function.name, "first_present" | "default") => {
                    open.extend(args.iter().rev());
                }
                ExprKind::List(items) => open.extend(items.iter().rev()),
                ExprKind::Let(index) if followed.insert(*index) => open.push(&self.lets[*index].typed.value),
                ExprKind::Let(_) => {}
                _ => leaves.push(value),
            }
        }
        leaves
    }

    fn check_leaf(&self, leaf: &Expr, object: &Obj<'a>, field: &Field) {
        match (&leaf.kind, &leaf.typed.ty) {
            (_, Type::Error | Type::Nothing) => {}
            (ExprKind::Literal(Value::Text(text)), _) => self.check_option(text, leaf.span, object, field),
            (ExprKind::Translate { picklist, .. }, Type::Picklist(Options::These(options))) => {
                self.check_translated(*picklist, options, leaf.span, object, field);
            }
            (_, Type::Picklist(Options::These(options))) => {
                self.check_unmapped(options, leaf.span, object, field);
            }
            (_, ty @ (Type::Picklist(Options::Field(..)) | Type::MultiPicklist(Options::Field(..)))) => {
                self.check_copied(ty, leaf.span, object, field);
            }
            _ => self.report_any_text(leaf.span, object, field),
        }
    }

    /// A literal option.
    pub(super) fn check_option(&self, option: &str, span: Span, object: &Obj<'a>, field: &Field) {
        match field.options.iter().find(|known| known.value == option) {
            Some(known) if known.active => {}
            Some(known) => self.report(inactive_option(object, field, known, span)),
            None => self.report(unknown_option(self.world, object, field, option, span)),
        }
    }

    fn check_translated(
        &self,
        picklist: usize,
        options: &[String],
        span: Span,
        object: &Obj<'a>,
        field: &Field,
    ) {
        let Some((name, facts)) = self.world.picklists.get_index(picklist) else { return };
        let (to_object, to_field) = &facts.typed.to;
        if *to_object == object.name && *to_field == field.name {
            return;
        }
        let missing = missing(options, field);
        if missing.is_empty() {
            return;
        }
        let message = format!(
            "the picklist `{name}` translates to `{to_field}` of `{to_object}`; `{}` of `{}` does not have {}",
            field.name,
            object.name,
            words::some(&missing)
        );
        let finding = Diagnostic::error(Code::PICKLIST_FIELD, span, message)
            .and(facts.typed.span, "the picklist is here");
        let finding = finding.and(options_span(field), "the field's options are here");
        self.report(finding.help("write a picklist to this field"));
    }

    fn check_copied(&self, ty: &Type, span: Span, object: &Obj<'a>, field: &Field) {
        let (Type::Picklist(Options::Field(from, name)) | Type::MultiPicklist(Options::Field(from, name))) =
            ty
        else {
            return;
        };
        let source = self.world.object_named(from.side, &from.name);
        match source.as_ref().and_then(|source| source.field(name)) {
            Some(source) if is_closed(source) => {
                let options: Vec<_> = active(source).map(|option| option.value.clone()).collect();
                self.check_unmapped(&options, span, object, field);
            }
            _ => self.report_any_text(span, object, field),
        }
    }

    /// Options copied into an unrestricted picklist that does not list them; free text may go in.
    fn check_copied_listed(&self, ty: &Type, span: Span, object: &Obj<'a>, field: &Field) {
        let (Type::Picklist(Options::Field(from, name)) | Type::MultiPicklist(Options::Field(from, name))) =
            ty
        else {
            return;
        };
        let source = self.world.object_named(from.side, &from.name);
        if let Some(source) =
            source.as_ref().and_then(|source| source.field(name)).filter(|field| is_closed(field))
        {
            let options: Vec<_> = active(source).map(|option| option.value.clone()).collect();
            self.check_unmapped(&options, span, object, field);
        }
    }

    fn check_unmapped(&self, options: &[String], span: Span, object: &Obj<'a>, field: &Field) {
        let missing = missing(options, field);
        if missing.is_empty() {
            return;
        }
        let message = format!(
            "`{}` of `{}` does not have the option{} {}",
            field.name,
            object.name,
            if missing.len() == 1 { "" } else { "s" },
            words::some(&missing)
        );
        let finding =
            Diagnostic::error(Code::OPTION_UNMAPPED, span, message).label("goes in without a translation");
        let finding = finding.and(options_span(field), "the field's options are here");
        self.report(finding.help("translate the options with a picklist: `| PICKLIST`"));
    }

    fn report_any_text(&self, span: Span, object: &Obj<'a>, field: &Field) {
        let message =
            format!("`{}` of `{}` takes only its options, and this can be any text", field.name, object.name);
        let finding = Diagnostic::error(Code::OPTION_UNMAPPED, span, message);
        let finding = finding.and(options_span(field), "the field's options are here");
        self.report(finding.help("translate it with a picklist: `| PICKLIST`"));
    }
}

fn missing(options: &[String], field: &Field) -> Vec<String> {
    let known: HashSet<_> = active(field).map(|option| option.value.as_str()).collect();
    options.iter().filter(|option| !known.contains(option.as_str())).cloned().collect()
}
