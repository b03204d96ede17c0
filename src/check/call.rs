//! Function calls, and picklists as steps.

use crate::diagnostic::{Code, Diagnostic};
use crate::functions::{self, Argument, Function, Problem};
use crate::source::Span;
use crate::syntax::ast;
use crate::types::{Options, Type, Typed, Value};

use super::bounds;
use super::mend;
use super::picklist::PicklistFacts;
use super::scope::{Scope, error};
use super::typed::{Expr, ExprKind, PicklistElse, TemplatePart};
use super::words;
use super::world::ItemKind;

/// What to write where a `<->` is of a day and an instant: no step makes one of the other both ways.
pub(super) const DAY_AND_INSTANT: &str =
    "a date and a date and time cannot be two-way; write a rule with `->` or `<-` for each direction";

impl Scope<'_> {
    /// `INPUT | STEP`
    pub(super) fn step(&mut self, input: Expr, step: &ast::Step, span: Span) -> Expr {
        let args: Vec<_> = step.args.iter().flatten().map(|arg| self.value(arg)).collect();
        if self.world.picklists.contains_key(step.name.value.as_str()) {
            if step.args.is_some() {
                let name = &step.name.value;
                let message = format!("the picklist `{name}` takes no arguments");
                let finding = Diagnostic::error(Code::ARGUMENT_COUNT, step.span, message);
                self.report(finding.help(format!("write `| {name}`")).fix(step.span, name));
            }
            return self.translate(input, &step.name, span);
        }
        let args = std::iter::once(input).chain(args).collect();
        self.call(&step.name, args, span)
    }

    /// `NAME(ARGS)`
    pub(super) fn call(&self, name: &ast::Name, args: Vec<Expr>, span: Span) -> Expr {
        let Some(function) = functions::find(&name.value) else {
            if self.world.picklists.contains_key(name.value.as_str()) {
                self.world.mark_used(ItemKind::Picklist, &name.value);
                let message = format!("the picklist `{}` is a step, not a function", name.value);
                let finding = Diagnostic::error(Code::UNKNOWN_STEP, name.span, message);
                self.report(finding.help(format!("write `VALUE | {}`", name.value)));
            } else {
                self.world.report_unknown_step(name);
            }
            return error(span);
        };
        if !self.counts(function, args.len(), name) {
            return error(span);
        }
        let types: Vec<Typed> = args
            .iter()
            .map(|arg| Typed { ty: self.resolved(&arg.typed.ty), blank: arg.typed.blank })
            .collect();
        let arguments: Vec<_> = types
            .iter()
            .zip(&args)
            .map(|(typed, arg)| Argument { typed, literal: literal_of(arg) })
            .collect();
        match (function.check)(&arguments) {
            Ok(signature) => {
                let can_fail = signature.can_fail || args.iter().any(|arg| arg.can_fail);
                self.check_reached(function, &args);
                let kind = ExprKind::Call { function, args };
                let mut call = Expr { kind, typed: signature.result, can_fail, span };
                call.typed.ty = bounds::narrowed(&call);
                call
            }
            Err(problem) => {
                self.report_problem(function, &problem, &args, name);
                error(span)
            }
        }
    }

    /// Warns about a value of `first_present` behind one that is never blank. A shared rule is left alone: what one
    /// mapping's guard makes present may be blank in another.
    fn check_reached(&self, function: &Function, args: &[Expr]) {
        if self.shared || !matches!(function.name, "first_present" | "default") {
            return;
        }
        let present = args.iter().position(|arg| !arg.typed.blank && arg.typed.ty != Type::Error);
        let Some((first, unreached)) = present.and_then(|at| Some((args.get(at)?, args.get(at + 1)?))) else {
            return;
        };
        let message = "the value before it is never blank, so this one is never used";
        let finding = Diagnostic::warning(Code::UNREACHABLE, unreached.span, message).label("never used");
        self.report(finding.and(first.span, "never blank").help("remove it"));
    }

    fn counts(&self, function: &Function, count: usize, name: &ast::Name) -> bool {
        let (least, most) = function.arity;
        if count >= least && most.is_none_or(|most| count <= most) {
            return true;
        }
        let wanted = match most {
            Some(most) if most == least => least.to_string(),
            Some(most) => format!("{least} to {most}"),
            None => format!("{least} or more"),
        };
        let noun = if wanted == "1" { "argument" } else { "arguments" };
        let message =
            format!("`{}` takes {wanted} {noun}, the piped value included, and gets {count}", function.name);
        let finding = Diagnostic::error(Code::ARGUMENT_COUNT, name.span, message);
        self.report(finding.help(format!("write it as `{}`", function.signature)));
        false
    }

    fn report_problem(&self, function: &Function, problem: &Problem, args: &[Expr], name: &ast::Name) {
        let at = |argument: usize| args.get(argument).map_or(name.span, |arg| arg.span);
        let signature = || format!("it is written `{}`", function.signature);
        let (finding, help) = match problem {
            Problem::Type { argument, wanted, help } => {
                let is = args.get(*argument).map_or_else(String::new, |arg| {
                    format!(", and this is {}", words::kind_of(&arg.typed.ty))
                });
                let message = format!("`{}` takes {wanted} here{is}", function.name);
                let finding = Diagnostic::error(Code::TYPE_MISMATCH, at(*argument), message);
                (finding, help.clone().unwrap_or_else(signature))
            }
            Problem::Literal { argument } => {
                let message = format!("`{}` takes a literal here, so that it can be checked", function.name);
                let counted = args.get(*argument).and_then(|arg| self.counted(arg));
                let help = counted.map(|text| format!("a brace in a text begins a value; one that is only text is written `\\{{`: write `{text}`"));
                let finding = Diagnostic::error(Code::ARGUMENT_LITERAL, at(*argument), message);
                (finding, help.unwrap_or_else(signature))
            }
            Problem::Meaning { argument, message, help } => {
                let finding = Diagnostic::error(Code::ARGUMENT_VALUE, at(*argument), message.clone());
                (finding, help.clone().unwrap_or_else(signature))
            }
            Problem::Zone { help, .. } => {
                let message = format!("`{}` needs a time zone to know the day", function.name);
                (Diagnostic::error(Code::ZONE_MISSING, name.span, message), help.clone())
            }
        };
        let is_of_days = matches!(function.name, "date" | "datetime" | "start_of_day");
        self.report(finding.help(if self.via.is_some() && is_of_days {
            DAY_AND_INSTANT.to_owned()
        } else {
            help
        }));
    }

    /// A pattern whose counts, as in `[A-Z]{2}`, were read as values; as it is meant.
    fn counted(&self, arg: &Expr) -> Option<String> {
        let ExprKind::Template(parts) = &arg.kind else { return None };
        let is_count = |hole: &Expr| matches!(hole.kind, ExprKind::Literal(Value::Number(_)));
        let all = parts.iter().all(|part| match part {
            TemplatePart::Hole(hole) => is_count(hole),
            TemplatePart::Text(_) => true,
        });
        let text = self.world.sources.slice(arg.span).trim();
        all.then(|| text.replace('{', "\\{").replace('}', "\\}").replace("\\\\", "\\"))
    }

    /// `INPUT | PICKLIST`
    fn translate(&self, input: Expr, name: &ast::Name, span: Span) -> Expr {
        self.world.mark_used(ItemKind::Picklist, &name.value);
        let Some((index, _, facts)) = self.world.picklists.get_full(name.value.as_str()) else {
            return error(span);
        };
        if facts.is_broken() || input.typed.ty == Type::Error {
            return error(span);
        }
        let turns = self.is_leg && self.source.as_ref().is_some_and(|s| s.name.side == facts.typed.to.0.side);
        if turns {
            return self.translate_back(input, index, facts, span);
        }
        if !self.takes(facts, &input) {
            return error(span);
        }
        let covered = self.is_covered(facts, &input);
        if !is_own(facts, &input) {
            facts.mark_reached();
        }
        let blank = input.typed.blank || facts.gives_blank();
        let can_fail = input.can_fail || !covered;
        let typed = Typed { ty: Type::Picklist(Options::These(facts.targets())), blank };
        let kind = ExprKind::Translate { picklist: index, back: false, value: Box::new(input) };
        Expr { kind, typed, can_fail, span }
    }

    /// `INPUT | PICKLIST` against the arrow, in a sync.
    fn translate_back(&self, input: Expr, index: usize, facts: &PicklistFacts<'_>, span: Span) -> Expr {
        let typed = &facts.typed;
        let (object, field) = &typed.to;
        let is_other = match &input.typed.ty {
            Type::Picklist(Options::Field(of, name)) => of != object || name != field,
            ty => !words::is_text(ty) && *ty != Type::Nothing,
        };
        if is_other {
            let message =
                format!("the picklist `{}` goes back from `{field}` of `{object}` only", typed.name);
            let finding = Diagnostic::error(Code::PICKLIST_FIELD, input.span, message);
            self.report(
                finding.and(typed.span, "the picklist is here").help("write a picklist for this field"),
            );
            return error(span);
        }
        let comes_back =
            |option: &String| typed.lines.iter().any(|line| line.both && line.to.as_ref() == Some(option));
        let parks = matches!(typed.otherwise, Some(PicklistElse::Park(_)));
        let comes_back = match self.resolved(&input.typed.ty) {
            Type::Picklist(Options::These(options)) => options.iter().all(comes_back),
            _ => false,
        };
        if parks && !comes_back {
            facts.mark_reached();
        }
        let covered = parks || comes_back;
        let options = typed.lines.iter().filter(|line| line.both).map(|line| line.from.clone()).collect();
        let can_fail = input.can_fail || !covered;
        let ty = Typed { ty: Type::Picklist(Options::These(options)), blank: input.typed.blank };
        let kind = ExprKind::Translate { picklist: index, back: true, value: Box::new(input) };
        Expr { kind, typed: ty, can_fail, span }
    }

    /// Whether a picklist can translate a value: a single text, and not the option of a field with other options.
    fn takes(&self, facts: &PicklistFacts<'_>, input: &Expr) -> bool {
        let name = &facts.typed.name;
        let ty = &input.typed.ty;
        if !words::is_text(ty) && *ty != Type::Nothing {
            let message =
                format!("the picklist `{name}` translates one option, and this is {}", words::kind_of(ty));
            let finding = Diagnostic::error(Code::TYPE_MISMATCH, input.span, message);
            let finding = finding.and(facts.typed.span, "the picklist is here");
            self.report(finding.help(self.one_option(input)));
            return false;
        }
        let foreign: Vec<String> = match self.resolved(ty) {
            Type::Picklist(Options::These(options)) => {
                options.into_iter().filter(|option| !facts.has_source_option(option)).collect()
            }
            _ => Vec::new(),
        };
        let (object, field) = &facts.typed.from;
        if let (ExprKind::Literal(Value::Text(text)), false) = (&input.kind, foreign.is_empty()) {
            let message = format!("`{field}` of `{object}` has no option `{text}`");
            let mut finding = Diagnostic::error(Code::OPTION_UNKNOWN, input.span, message);
            if let Some(help) = self.world.guesses.did_you_mean(text, facts.source_options()) {
                finding = mend::reword(
                    &self.world.guesses,
                    finding.help(help),
                    text,
                    input.span,
                    facts.source_options(),
                );
            }
            self.report(finding.and(facts.typed.span, "the picklist is here"));
            return false;
        }
        if foreign.is_empty() || facts.typed.otherwise.is_some() && !is_other_field(facts, ty) {
            return true;
        }
        let message =
            format!("the picklist `{name}` translates `{field}` of `{object}`, whose options are others");
        let missing = words::some(&foreign);
        let finding =
            Diagnostic::error(Code::PICKLIST_FIELD, input.span, message).label(format!("can be {missing}"));
        let finding = finding.and(facts.typed.span, "the picklist is here");
        self.report(finding.help("write a picklist for this field"));
        false
    }

    /// What to write instead of a picklist behind what is not one option.
    fn one_option(&self, input: &Expr) -> String {
        match &input.typed.ty {
            Type::MultiPicklist(_) => {
                let text = self.world.sources.slice(input.span).trim();
                format!("ask for each option: `if \"A\" in {text} then \"B\" else …`")
            }
            Type::List(_) => "translate one of its values: `| first | …`".to_owned(),
            Type::Boolean => "write `if CONDITION then \"A\" else \"B\"`".to_owned(),
            _ => "a picklist translates the options of the field after its `from`".to_owned(),
        }
    }

    /// Whether every value that can come has a translation.
    fn is_covered(&self, facts: &PicklistFacts<'_>, input: &Expr) -> bool {
        if facts.typed.otherwise.is_some() {
            return true;
        }
        match self.resolved(&input.typed.ty) {
            Type::Picklist(Options::These(options)) => options.iter().all(|option| facts.translates(option)),
            Type::Nothing => true,
            _ => false,
        }
    }
}

/// Whether a value is one of the options of the picklist's own field, those that have a line.
fn is_own(facts: &PicklistFacts<'_>, input: &Expr) -> bool {
    match &input.typed.ty {
        Type::Picklist(Options::These(options)) => options.iter().all(|option| facts.translates(option)),
        Type::Nothing => true,
        ty => matches!(ty, Type::Picklist(Options::Field(..))) && !is_other_field(facts, ty),
    }
}

fn is_other_field(facts: &PicklistFacts<'_>, ty: &Type) -> bool {
    let (from, name) = &facts.typed.from;
    matches!(ty, Type::Picklist(Options::Field(object, field)) if object != from || field != name)
}

/// The value of a literal argument.
pub(super) fn literal_of(arg: &Expr) -> Option<&Value> {
    match &arg.kind {
        ExprKind::Literal(value) if arg.typed.ty != Type::Error => Some(value),
        _ => None,
    }
}

/// What another option becomes, as an option.
pub(super) fn else_option(otherwise: Option<&PicklistElse>) -> Option<&str> {
    match otherwise {
        Some(PicklistElse::Option(option)) => Some(option),
        _ => None,
    }
}
