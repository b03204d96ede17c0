//! Picklists: every option translated, every translation an option that new values may use.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Field, FieldType};
use crate::source::{ObjectName, Span, Spanned};
use crate::syntax::ast;
use crate::types::text_length;

use super::mend;
use super::options::{active, inactive_option, lists_options, options_span, unknown_option};
use super::typed::{Picklist, PicklistElse, PicklistLine};
use super::words;
use super::world::{Obj, World, is_closed, is_picklist};

/// A picklist and what is known about it.
pub(super) struct PicklistFacts<'a> {
    pub(super) typed: Picklist,
    /// The source field; `None` when it is unknown, which was reported.
    from: Option<(Obj<'a>, &'a Field)>,
    to: Option<(Obj<'a>, &'a Field)>,
    translated: HashSet<String>,
    /// What is said of an `otherwise` that no option of the snapshot reaches, unless something else does.
    unreached: Option<Diagnostic>,
    /// Whether something is translated that its lines need not cover, so that `otherwise` is reached.
    reached: Cell<bool>,
}

impl PicklistFacts<'_> {
    /// Remembers that a value is translated that its lines need not cover.
    pub(super) fn mark_reached(&self) {
        self.reached.set(true);
    }

    /// The picklist, when all uses are known.
    pub(super) fn finished(&self) -> Picklist {
        Picklist { unreached: self.unreached().is_some(), ..self.typed.clone() }
    }

    /// What is said of an `otherwise` that nothing reaches; to be asked when all uses are known.
    pub(super) fn unreached(&self) -> Option<&Diagnostic> {
        self.unreached.as_ref().filter(|_| !self.reached.get())
    }

    /// Whether one of its fields is unknown, so that nothing more can be said.
    pub(super) fn is_broken(&self) -> bool {
        self.from.is_none() || self.to.is_none()
    }

    /// Whether a translation is `nothing`.
    pub(super) fn gives_blank(&self) -> bool {
        self.typed.lines.iter().any(|line| line.to.is_none())
            || self.typed.otherwise == Some(PicklistElse::Nothing)
    }

    /// Every option that it can give.
    pub(super) fn targets(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.targets_in_place().filter(|option| seen.insert(*option)).map(str::to_owned).collect()
    }

    /// Every option that it can give, as often as it is written.
    pub(super) fn targets_in_place(&self) -> impl Iterator<Item = &str> {
        let otherwise = super::call::else_option(self.typed.otherwise.as_ref());
        self.typed.lines.iter().filter_map(|line| line.to.as_deref()).chain(otherwise)
    }

    /// Whether an option has a line.
    pub(super) fn translates(&self, option: &str) -> bool {
        self.translated.contains(option)
    }

    /// Whether an option can be one of the source field.
    pub(super) fn has_source_option(&self, option: &str) -> bool {
        self.translates(option)
            || self.from.as_ref().is_none_or(|(_, field)| {
                !is_closed(field) || field.options.iter().any(|known| known.value == option)
            })
    }

    /// The options of the source field.
    pub(super) fn source_options(&self) -> impl Iterator<Item = &str> {
        self.from.iter().flat_map(|(_, field)| field.options.iter().map(|option| option.value.as_str()))
    }

    /// Which options have no line, in words.
    pub(super) fn untranslated(&self) -> String {
        let missing: Vec<_> =
            self.source_options().filter(|option| !self.translates(option)).map(str::to_owned).collect();
        let closed = self.from.as_ref().is_some_and(|(_, field)| is_closed(field));
        if closed && !missing.is_empty() {
            return words::some(&missing);
        }
        "an option that it does not list".to_owned()
    }
}

/// Checks every picklist.
pub(super) fn check_all<'a>(
    world: &World<'a>,
    picklists: &[&'a ast::Picklist],
) -> IndexMap<&'a str, PicklistFacts<'a>> {
    picklists.iter().map(|picklist| (picklist.name.value.as_str(), check(world, picklist))).collect()
}

fn check<'a>(world: &World<'a>, picklist: &'a ast::Picklist) -> PicklistFacts<'a> {
    let from = end(world, picklist, "from", &picklist.from);
    let to = end(world, picklist, "to", &picklist.to);
    if let Some(second) = picklist.otherwise.get(1) {
        report_repeated(world, second.span, picklist.otherwise[0].span, "`otherwise`");
    }
    let lines = check_lines(world, picklist, from.as_ref(), to.as_ref());
    let otherwise = picklist.otherwise.first().map(|otherwise| {
        if let (Some(to), ast::PicklistElse::Option(option)) = (&to, &otherwise.to.value) {
            check_target(world, to, option, otherwise.to.span);
        }
        match &otherwise.to.value {
            ast::PicklistElse::Option(option) => PicklistElse::Option(option.clone()),
            ast::PicklistElse::Nothing => PicklistElse::Nothing,
            ast::PicklistElse::Park(reason) => PicklistElse::Park(reason.clone()),
        }
    });
    let translated: HashSet<_> = lines.iter().map(|line| line.from.clone()).collect();
    let answered = from.as_ref().zip(picklist.otherwise.first());
    let unreached =
        answered.and_then(|((_, field), otherwise)| unreached(field, otherwise.span, &translated));
    if let (Some((object, field)), []) = (&from, picklist.otherwise.as_slice()) {
        check_covered(world, picklist, object, field, &translated);
    }
    let named = |end: Option<&(Obj<'a>, &'a Field)>, written: &[ast::FieldRef]| match (end, written) {
        (Some((object, field)), _) => (object.name.clone(), field.name.clone()),
        (None, [written, ..]) => {
            (ObjectName::new(written.object.side, &written.object.name.value), written.field.value.clone())
        }
        (None, []) => (ObjectName::new(crate::source::Side::Hubspot, ""), String::new()),
    };
    let typed = Picklist {
        name: picklist.name.value.clone(),
        from: named(from.as_ref(), &picklist.from),
        to: named(to.as_ref(), &picklist.to),
        lines,
        otherwise,
        unreached: false,
        span: picklist.name.span,
    };
    PicklistFacts { typed, from, to, translated, unreached, reached: Cell::new(false) }
}

fn end<'a>(
    world: &World<'a>,
    picklist: &ast::Picklist,
    end: &str,
    written: &[ast::FieldRef],
) -> Option<(Obj<'a>, &'a Field)> {
    if let [first, second, ..] = written {
        report_repeated(world, second.span, first.span, &format!("`{end}`"));
    }
    if let Some(reference) = written.first() {
        return picklist_field(world, reference);
    }
    if !world.is_written(picklist.span, &[end]) {
        let example =
            if end == "from" { "hubspot.contact.hs_analytics_source" } else { "salesforce.Lead.LeadSource" };
        let message = format!("the picklist `{}` has no `{end}`", picklist.name.value);
        let finding = Diagnostic::error(Code::INCOMPLETE, picklist.name.span, message);
        world.report(finding.help(format!("write `{end} OBJECT.FIELD`, such as `{end} {example}`")));
    }
    None
}

/// A picklist field by reference; another field is reported.
pub(super) fn picklist_field<'a>(
    world: &World<'a>,
    reference: &ast::FieldRef,
) -> Option<(Obj<'a>, &'a Field)> {
    let object = world.object(&reference.object)?;
    let field = world.field(&object, &reference.field)?;
    if is_picklist(field) {
        return Some((object, field));
    }
    let message = format!("`{}` of `{}` is not a picklist", field.name, object.name);
    let finding = Diagnostic::error(Code::NOT_A_PICKLIST, reference.span, message);
    let finding = finding.and(field.span, "declared here");
    world.report(finding.help("name a field that has options"));
    None
}

fn check_lines(
    world: &World<'_>,
    picklist: &ast::Picklist,
    from: Option<&(Obj<'_>, &Field)>,
    to: Option<&(Obj<'_>, &Field)>,
) -> Vec<PicklistLine> {
    let mut first_lines = HashMap::new();
    let mut typed = Vec::with_capacity(picklist.lines.len());
    for line in &picklist.lines {
        let first = *first_lines.entry(line.from.value.as_str()).or_insert(line.from.span);
        if first != line.from.span {
            let message = format!("the option `{}` is translated twice", line.from.value);
            let finding =
                Diagnostic::error(Code::OPTION_TWICE, line.from.span, message).and(first, "first here");
            world.report(finding.help("remove one of the lines"));
            continue;
        }
        if line.from.value.is_empty() {
            report_blank(world, &line.from, &picklist.name.value);
        } else if let Some((object, field)) = from {
            check_source(world, object, field, &line.from);
        }
        if let (Some(to), Some(option)) = (to, &line.to.value) {
            check_target(world, to, option, line.to.span);
        }
        typed.push(PicklistLine {
            from: line.from.value.clone(),
            to: line.to.value.clone(),
            both: line.both,
            span: line.span,
        });
    }
    typed
}

fn report_blank(world: &World<'_>, option: &Spanned<String>, picklist: &str) {
    let message = "a blank stays blank and is never translated, so this line is never reached";
    let finding = Diagnostic::warning(Code::UNREACHABLE, option.span, message);
    world.report(
        finding.help(format!("remove it; for a blank write `first_present(VALUE | {picklist}, \"…\")`")),
    );
}

fn check_source(world: &World<'_>, object: &Obj<'_>, field: &Field, option: &Spanned<String>) {
    if is_closed(field) && !field.options.iter().any(|known| known.value == option.value) {
        world.report(unknown_option(world, object, field, &option.value, option.span));
    }
}

fn check_target(world: &World<'_>, to: &(Obj<'_>, &Field), option: &str, span: Span) {
    let (object, field) = to;
    if field.owner {
        super::owners::check_id(world, object, field, option, span);
    }
    match field.options.iter().find(|known| known.value == option) {
        Some(known) if known.active => {}
        Some(known) => world.report(inactive_option(object, field, known, span)),
        None if is_closed(field) || lists_options(field) => {
            world.report(unknown_option(world, object, field, option, span));
        }
        None => {
            let FieldType::Picklist { max, .. } = field.kind else { return };
            let length = text_length(option);
            if length > max as usize {
                let message = format!("the option has {length} characters, and `{}` holds {max}", field.name);
                let finding = Diagnostic::error(Code::LITERAL_TOO_LONG, span, message);
                world.report(finding.and(field.span, format!("holds {max} characters")));
            }
        }
    }
}

/// What is said of an `otherwise` where every option of the snapshot has a line. Only its author knows whether the CRM will
/// have more of them, so nothing takes it away.
fn unreached(field: &Field, otherwise: Span, translated: &HashSet<String>) -> Option<Diagnostic> {
    let all = is_closed(field) && field.options.iter().all(|option| translated.contains(&option.value));
    let message = format!(
        "every option of `{}` that the snapshot lists has a line, so `otherwise` is not reached",
        field.name
    );
    let help = "remove it: a record with an option that is added later is then parked; to keep it for such, write \
                `# allow W0002: REASON`";
    let finding = Diagnostic::warning(Code::UNREACHABLE, otherwise, message);
    all.then(|| finding.and(options_span(field), "the options are here").help(help))
}

fn check_covered(
    world: &World<'_>,
    picklist: &ast::Picklist,
    object: &Obj<'_>,
    field: &Field,
    translated: &HashSet<String>,
) {
    let missing: Vec<_> = active(field).filter(|option| !translated.contains(&option.value)).collect();
    let Some(first) = missing.first() else { return };
    let names: Vec<_> = missing.iter().map(|option| option.value.clone()).collect();
    let (noun, verb) = if names.len() == 1 { ("option", "has") } else { ("options", "have") };
    let message = format!(
        "the {noun} {} of `{}` of `{}` {verb} no translation",
        words::some(&names),
        field.name,
        object.name
    );
    let finding = Diagnostic::error(Code::OPTION_UNTRANSLATED, picklist.name.span, message);
    let finding = finding.and(first.span, "the first of them");
    let help =
        format!("write `\"{}\" -> \"…\"`, or `otherwise -> \"…\"` for all that have no line", first.value);
    let finding = finding.help(help);
    world.report(mend::add_stubs(finding, world.sources, picklist, &names));
}

fn report_repeated(world: &World<'_>, second: Span, first: Span, what: &str) {
    let finding = Diagnostic::error(Code::REPEATED, second, format!("{what} is written twice"));
    world.report(finding.and(first, "first here").help("keep one of them"));
}
