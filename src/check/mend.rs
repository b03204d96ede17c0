//! Mechanical corrections: attached only where there is one way to mend a mistake and it cannot lose a value.

use crate::diagnostic::{Diagnostic, Guesses};
use crate::functions::Argument;
use crate::schema::{Field, FieldType};
use crate::source::{Side, Sources, Span};
use crate::syntax::{ast, shape};
use crate::types::{Type, Typed, text_max};

use super::call;
use super::scope::Scope;
use super::typed::{Expr, ExprKind};
use super::words;

/// Puts the name that is meant in place of a misspelt one, where only one can be meant.
pub(super) fn rename<'c>(
    guesses: &Guesses,
    finding: Diagnostic,
    written: &str,
    span: Span,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Diagnostic {
    match guesses.unambiguous(written, candidates).and_then(shape::spelled_name) {
        Some(name) => finding.fix(span, name),
        None => finding,
    }
}

/// Puts the option that is meant in place of a misspelt one, where only one can be meant.
pub(super) fn reword<'c>(
    guesses: &Guesses,
    finding: Diagnostic,
    written: &str,
    span: Span,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Diagnostic {
    match guesses.unambiguous(written, candidates) {
        Some(option) => replace_text(finding, written, span, option),
        None => finding,
    }
}

/// Puts another text in place of a literal one, where the span holds nothing but that literal.
pub(super) fn replace_text(finding: Diagnostic, written: &str, span: Span, text: &str) -> Diagnostic {
    if span.range().len() == shape::spelled_text(written).len() {
        finding.fix(span, shape::spelled_text(text))
    } else {
        finding
    }
}

/// Whether text that goes into a field may be cut: half an address, a number or an option is another one, and two ids
/// that begin alike would become one.
pub(super) fn may_be_cut(value: &Expr, field: &Field) -> bool {
    let is_id = matches!(&value.kind, ExprKind::Field(field) if field.field == "id");
    matches!(field.kind, FieldType::Text { .. })
        && !(field.unique || field.external_id || is_id)
        && matches!(value.typed.ty, Type::Text(_) | Type::Picklist(_))
}

/// How text is cut.
pub(super) struct Cut {
    /// The place, which holds what goes.
    pub(super) span: Span,
    /// What comes.
    pub(super) text: String,
    /// What to write, in words.
    pub(super) help: String,
}

/// The number of a `truncate`.
fn length_of(step: &Expr) -> Option<Span> {
    let ExprKind::Call { function, args } = &step.kind else { return None };
    match (function.name, args.as_slice()) {
        ("truncate", [_, length]) if matches!(length.kind, ExprKind::Literal(_)) => Some(length.span),
        _ => None,
    }
}

impl Scope<'_> {
    /// How a step more is written behind a value: a `<->` without any has no `via` yet.
    pub(super) fn step_more(&self, value: &Expr) -> &'static str {
        if self.via.is_some() && matches!(value.kind, ExprKind::Field(_)) { "via" } else { "|" }
    }

    /// How a value is written with a step more, which is the last one. Behind an `if` or a look-up, a step belongs to what
    /// stands there last. On the way back of a `<->` the steps are taken from the last to the first.
    pub(super) fn with_step(&self, value: &Expr, side: Side, step: &str) -> String {
        if self.is_way_back(value, side) {
            return format!("`via {step} | …` (in front: the way back takes the last step first)");
        }
        match &value.kind {
            ExprKind::If(..) if !self.is_bracketed(value) => {
                format!("`| {step}` behind each branch, or `(if …) | {step}`")
            }
            ExprKind::Lookup { .. } if !self.is_bracketed(value) => format!("`(lookup …) | {step}`"),
            _ => format!("`{} {step}`", self.step_more(value)),
        }
    }

    fn is_bracketed(&self, value: &Expr) -> bool {
        self.world.sources.slice(value.span).starts_with('(')
    }

    /// Whether a value is made by the steps of a `<->` on their way back to HubSpot.
    fn is_way_back(&self, value: &Expr, side: Side) -> bool {
        self.via.is_some() && side == Side::Hubspot && !matches!(value.kind, ExprKind::Field(_))
    }

    /// The value of one direction of a `<->` as a rule in that direction writes it.
    pub(super) fn steps_text(&self, value: &Expr) -> String {
        match &value.kind {
            ExprKind::Call { args, .. } if !args.is_empty() => {
                format!("{} | {}", self.steps_text(&args[0]), self.world.sources.slice(value.span).trim())
            }
            ExprKind::Translate { value: inner, .. } => {
                format!("{} | {}", self.steps_text(inner), self.world.sources.slice(value.span).trim())
            }
            _ => self.world.sources.slice(value.span).trim().to_owned(),
        }
    }

    /// Where a value is cut to so many characters: a `truncate` that is there becomes shorter, or one is added. In a `<->`
    /// it stands first, so that the steps behind it clean what was cut. `None` where no cut could be undone.
    pub(super) fn cut(&self, value: &Expr, to: u32) -> Option<Cut> {
        let slice = |span: Span| self.world.sources.slice(self.written(span));
        if let Some(via) = self.via {
            return self.cut_via(via, value, to);
        }
        if let Some(length) = self.truncated(value, to) {
            return Some(self.shorten(length, to));
        }
        let help = format!("write {}", self.with_step(value, Side::Salesforce, &format!("truncate({to})")));
        let (span, text) = (self.written(value.span), slice(value.span));
        // Behind the last word of these a step would belong to that word.
        let binds_looser = matches!(value.kind, ExprKind::If(..) | ExprKind::Lookup { .. });
        if binds_looser && !text.starts_with('(') {
            return Some(Cut { span, text: format!("({text}) | truncate({to})"), help });
        }
        Some(Cut { span: Span { start: span.end, ..span }, text: format!(" | truncate({to})"), help })
    }

    /// A cut in front of the steps of a `<->`, all of which leave text as short as it is.
    fn cut_via(&self, via: Span, value: &Expr, to: u32) -> Option<Cut> {
        let (mut steps, mut at) = (Vec::new(), value);
        while let ExprKind::Call { args, .. } = &at.kind {
            steps.push(at);
            at = args.first()?;
        }
        if !matches!(at.kind, ExprKind::Field(_)) {
            return None;
        }
        // The steps back go through those forth from the last one on.
        if self.source.as_ref().is_some_and(|source| source.name.side == Side::Hubspot) {
            steps.reverse();
        }
        let Some(first) = steps.first() else {
            let text = format!(" via truncate({to})");
            return Some(Cut { span: via, text, help: format!("write `via truncate({to})`") });
        };
        let length = length_of(first);
        let cleaning = if length.is_some() { &steps[1..] } else { &steps[..] };
        if !cleaning.iter().all(|step| self.stays_short(step, to)) {
            return None;
        }
        if let Some(length) = length {
            return Some(self.shorten(length, to));
        }
        let written = |step: &&Expr| self.world.sources.slice(self.written(step.span)).to_owned();
        let behind = steps.iter().map(written).collect::<Vec<_>>().join(" | ");
        let help = format!("write `via truncate({to}) | {behind}`: what cuts comes first, then what cleans");
        let span = Span { end: first.span.start, ..first.span };
        Some(Cut { span, text: format!("truncate({to}) | "), help })
    }

    fn shorten(&self, length: Span, to: u32) -> Cut {
        let span = self.written(length);
        let help =
            format!("write `truncate({to})` in place of `truncate({})`", self.world.sources.slice(span));
        Cut { span, text: to.to_string(), help }
    }

    /// The number of the `truncate` that a value goes through, where no step behind it makes text longer than so many
    /// characters again.
    fn truncated(&self, value: &Expr, to: u32) -> Option<Span> {
        let mut at = value;
        loop {
            if let Some(length) = length_of(at) {
                return Some(length);
            }
            match &at.kind {
                ExprKind::Call { args, .. } if self.stays_short(at, to) => at = args.first()?,
                _ => return None,
            }
        }
    }

    /// Whether a step gives at most so many characters when it gets no more.
    fn stays_short(&self, step: &Expr, to: u32) -> bool {
        let ExprKind::Call { function, args } = &step.kind else { return false };
        let mut types: Vec<Typed> = args
            .iter()
            .map(|arg| Typed { ty: self.resolved(&arg.typed.ty), blank: arg.typed.blank })
            .collect();
        let Some(first) = types.first_mut() else { return false };
        first.ty = Type::Text(Some(to));
        let arguments: Vec<_> = types
            .iter()
            .zip(args)
            .map(|(typed, arg)| Argument { typed, literal: call::literal_of(arg) })
            .collect();
        let result = (function.check)(&arguments).ok().map(|signature| signature.result.ty);
        result.is_some_and(|ty| words::is_text(&ty) && text_max(&ty).is_some_and(|max| max <= to))
    }

    /// A place without the blanks and comments behind it, which belong to no value.
    fn written(&self, span: Span) -> Span {
        let mut end = span.end;
        loop {
            let text = self.world.sources.slice(Span { end, ..span });
            end -= u32::try_from(text.len() - text.trim_end().len()).unwrap_or(0);
            match self.world.comments.get(&(span.file, end)) {
                Some(start) if *start > span.start => end = *start,
                _ => return Span { end, ..span },
            }
        }
    }

    /// Adds a policy behind a rule. A rule that several targets share is left to its author: what one of them needs would
    /// bind the others too.
    pub(super) fn add_policy(&self, finding: Diagnostic, rule: &ast::Rule, policy: &str) -> Diagnostic {
        if self.shared {
            return finding;
        }
        finding.fix(Span { start: rule.span.end, ..rule.span }, format!("  {policy}"))
    }
}

/// Lines that translate what has no translation: an `otherwise` that parks, so that no record gets a value that nobody
/// chose, and above it each missing line as a comment, to be filled in.
pub(super) fn add_stubs(
    finding: Diagnostic,
    sources: &Sources,
    picklist: &ast::Picklist,
    missing: &[String],
) -> Diagnostic {
    let ends = picklist.from.iter().chain(&picklist.to).map(|reference| reference.span);
    let ends = ends.chain(picklist.lines.iter().map(|line| line.span));
    let Some(last) = ends.max_by_key(|span| span.end) else { return finding };
    let todo = "# TODO: translate these; until then a record with one of them is parked".to_owned();
    let stubs = missing.iter().map(|option| format!("#   {} -> \"…\"", shape::spelled_text(option)));
    let park = "otherwise -> park \"not translated yet\"".to_owned();
    let lines: Vec<String> = std::iter::once(todo).chain(stubs).chain(Some(park)).collect();
    add_lines(finding, sources, last, &lines)
}

/// Adds lines below the one on which a statement ends, indented like it; a comment behind the statement stays with it.
pub(super) fn add_lines(finding: Diagnostic, sources: &Sources, below: Span, lines: &[String]) -> Diagnostic {
    let text = sources.file(below.file).text();
    let range = below.range();
    let line = text[..range.start].rfind('\n').map_or(0, |end| end + 1);
    let indent = Some(&text[line..range.start]).filter(|before| before.trim().is_empty()).unwrap_or("  ");
    let rest = text[range.end..].split(['\r', '\n']).next().unwrap_or_default();
    let at = if rest.trim_start().starts_with('#') { range.end + rest.trim_end().len() } else { range.end };
    let added: String = lines.iter().flat_map(|line| ["\n", indent, line.as_str()]).collect();
    finding.fix(Span::new(below.file, at, at), added)
}
