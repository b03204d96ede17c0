//! What every part of the checker shares: the items by name, the schemas, the findings and what was used.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Guesses};
use crate::functions;
use crate::schema::{Field, FieldType, Object, Schemas};
use crate::source::{FileId, ObjectName, Side, Sources, Span};
use crate::syntax::ast;

use super::fields::SharedRules;
use super::mend;
use super::order::OrderFacts;
use super::picklist::PicklistFacts;

/// After so many errors, repeated ones counted, nothing more is looked for.
const MAX_ERRORS: usize = 5_000;

/// An object and the name that the files give it.
#[derive(Debug, Clone)]
pub(super) struct Obj<'a> {
    pub(super) name: ObjectName,
    pub(super) object: &'a Object,
}

impl<'a> Obj<'a> {
    /// A field by its API name.
    pub(super) fn field(&self, name: &str) -> Option<&'a Field> {
        self.object.field(name)
    }

    /// Whether a name is the id that every HubSpot record has without a property of that name.
    pub(super) fn is_record_id(&self, name: &str) -> bool {
        self.name.side == Side::Hubspot && name == "id" && self.object.field("id").is_none()
    }

    /// The names of its fields.
    pub(super) fn field_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.object.fields.keys().map(String::as_str)
    }
}

/// The kinds of item whose use is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ItemKind {
    Fields,
    Picklist,
    Order,
    Mapping,
}

/// The items by name, the schemas, and the findings so far.
pub(super) struct World<'a> {
    pub(super) schemas: &'a Schemas,
    pub(super) sources: &'a Sources,
    pub(super) mappings: IndexMap<&'a str, &'a ast::Mapping>,
    /// The mappings that another hands records to which it found, by name.
    pub(super) given: HashSet<&'a str>,
    pub(super) syncs: IndexMap<&'a str, &'a ast::Sync>,
    pub(super) fields: IndexMap<&'a str, &'a ast::SharedFields>,
    pub(super) picklists: IndexMap<&'a str, PicklistFacts<'a>>,
    pub(super) orders: IndexMap<&'a str, OrderFacts>,
    owner: &'a Object,
    /// Suggestions for names that nobody knows.
    pub(super) guesses: Guesses,
    /// What the uses of shared rules come to.
    pub(super) shared: SharedRules,
    findings: RefCell<Vec<Diagnostic>>,
    errors: Cell<usize>,
    used: RefCell<HashSet<(ItemKind, String)>>,
    /// The outcomes that a leg does not say; its sync asks for those of both legs at once.
    unsaid: RefCell<Vec<ast::Situation>>,
    /// Where the comment begins that ends at a place.
    pub(super) comments: HashMap<(FileId, u32), u32>,
}

impl<'a> World<'a> {
    /// Reports that an event of a timeline stands where it would have to be read, searched or associated.
    pub(super) fn report_event(&self, object: &Obj<'_>, at: Span, what: &str, help: &str) {
        if object.object.timeline.is_some() {
            let message = format!("`{}` is an event of a timeline, and {what}", object.name);
            let finding = Diagnostic::error(Code::TIMELINE_EVENT, at, message);
            self.report(finding.and(object.object.span, "its event template is here").help(help));
        }
    }

    pub(super) fn new(schemas: &'a Schemas, sources: &'a Sources, owner: &'a Object) -> Self {
        Self {
            schemas,
            sources,
            mappings: IndexMap::new(),
            given: HashSet::new(),
            syncs: IndexMap::new(),
            fields: IndexMap::new(),
            picklists: IndexMap::new(),
            orders: IndexMap::new(),
            owner,
            guesses: Guesses::default(),
            shared: SharedRules::default(),
            findings: RefCell::default(),
            errors: Cell::new(0),
            used: RefCell::default(),
            unsaid: RefCell::default(),
            comments: HashMap::new(),
        }
    }

    /// Adds a finding.
    pub(super) fn report(&self, finding: Diagnostic) {
        self.errors.set(self.errors.get() + usize::from(finding.is_error()));
        self.findings.borrow_mut().push(finding);
    }

    /// Whether there are so many errors that more would only cost time: a project has a few mistakes, or one that
    /// repeats without end. What is not looked at any more could pass for proved, which the errors prevent.
    pub(super) fn is_full(&self) -> bool {
        self.errors.get() >= MAX_ERRORS
    }

    /// How many errors there are.
    pub(super) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// How many findings there are.
    pub(super) fn mark(&self) -> usize {
        self.findings.borrow().len()
    }

    /// Takes back the findings since a mark.
    pub(super) fn since(&self, mark: usize) -> Vec<Diagnostic> {
        let back = self.findings.borrow_mut().split_off(mark);
        self.errors.set(self.errors.get() - back.iter().filter(|finding| finding.is_error()).count());
        back
    }

    /// Gives up the findings.
    pub(super) fn into_findings(self) -> Vec<Diagnostic> {
        self.findings.into_inner()
    }

    /// Remembers the outcomes that a leg of a sync does not say.
    pub(super) fn leave_unsaid(&self, situations: Vec<ast::Situation>) {
        *self.unsaid.borrow_mut() = situations;
    }

    /// Gives up the outcomes that the last leg did not say.
    pub(super) fn take_unsaid(&self) -> Vec<ast::Situation> {
        self.unsaid.take()
    }

    /// Remembers that something uses an item.
    pub(super) fn mark_used(&self, kind: ItemKind, name: &str) {
        self.used.borrow_mut().insert((kind, name.to_owned()));
    }

    /// Whether something uses an item.
    pub(super) fn is_used(&self, kind: ItemKind, name: &str) -> bool {
        self.used.borrow().contains(&(kind, name.to_owned()))
    }

    /// The object of a reference; an unknown one is reported.
    pub(super) fn object(&self, reference: &ast::ObjectRef) -> Option<Obj<'a>> {
        let found = self.object_named(reference.side, &reference.name.value);
        if found.is_none() {
            self.report_unknown_object(reference);
        }
        found
    }

    /// The object of a name, if the snapshot has it.
    pub(super) fn object_named(&self, side: Side, name: &str) -> Option<Obj<'a>> {
        let in_snapshot = self.schemas.side(side).objects.get(name);
        let owner = (side == Side::Hubspot && name == "owner").then_some(self.owner);
        let object = in_snapshot.or(owner)?;
        Some(Obj { name: ObjectName::new(side, name), object })
    }

    fn report_unknown_object(&self, reference: &ast::ObjectRef) {
        let (side, name) = (reference.side, &reference.name);
        let schema = self.schemas.side(side);
        let file = self.sources.file(schema.file).name();
        let message = format!("{} has no object `{}` in `{file}`", side.label(), name.value);
        let help = self
            .guesses
            .did_you_mean(&name.value, schema.objects.keys().map(String::as_str))
            .unwrap_or_else(|| format!("if the CRM has it, add the object to `{file}`"));
        let finding = Diagnostic::error(Code::UNKNOWN_OBJECT, name.span, message).label("unknown object");
        let known = schema.objects.keys().map(String::as_str);
        self.report(mend::rename(&self.guesses, finding.help(help), &name.value, name.span, known));
    }

    /// A field of an object by name; an unknown one is reported.
    pub(super) fn field(&self, object: &Obj<'a>, name: &ast::Name) -> Option<&'a Field> {
        let found = object.field(&name.value);
        if found.is_none() {
            self.report_unknown_field(object, &name.value, name.span, &[]);
        }
        found
    }

    /// Reports that an object has no such field; `more` are other names that would have been understood there.
    pub(super) fn report_unknown_field(&self, object: &Obj<'a>, name: &str, span: Span, more: &[&str]) {
        let message = format!("`{}` has no {} `{name}`", object.name, field_word(object.name.side));
        let candidates = || object.field_names().chain(more.iter().copied());
        let help = foreign_literal(name)
            .or_else(|| self.guesses.did_you_mean(name, candidates()))
            .unwrap_or_else(|| {
                if std::ptr::eq(object.object, self.owner) {
                    let known: Vec<_> = object.field_names().map(|name| format!("`{name}`")).collect();
                    return format!("an owner has {}", known.join(", "));
                }
                let file = self.sources.file(self.schemas.side(object.name.side).file).name();
                format!("if it is new in the CRM, `mapwright schema pull` adds it to `{file}`")
            });
        let finding = Diagnostic::error(Code::UNKNOWN_FIELD, span, message);
        let unknown = format!("unknown {}", field_word(object.name.side));
        let finding = finding.label(unknown).and(object.object.span, "its fields are here").help(help);
        self.report(match name {
            "TRUE" | "True" | "FALSE" | "False" => finding.fix(span, name.to_lowercase()),
            _ => mend::rename(&self.guesses, finding, name, span, candidates()),
        });
    }

    /// A mapping by name; an unknown one is reported.
    pub(super) fn mapping(&self, name: &ast::Name) -> Option<&'a ast::Mapping> {
        if let Some(mapping) = self.mappings.get(name.value.as_str()) {
            self.mark_used(ItemKind::Mapping, &name.value);
            return Some(mapping);
        }
        let message = format!("there is no mapping `{}`", name.value);
        let mut finding =
            Diagnostic::error(Code::UNKNOWN_MAPPING, name.span, message).label("unknown mapping");
        if let Some(sync) = self.syncs.get(name.value.as_str()) {
            finding = finding.and(sync.name.span, "this is a `sync`").help("name a `mapping`");
        } else if let Some(help) = self.guesses.did_you_mean(&name.value, self.mappings.keys().copied()) {
            finding = mend::rename(
                &self.guesses,
                finding.help(help),
                &name.value,
                name.span,
                self.mappings.keys().copied(),
            );
        } else {
            finding = finding.help(format!("write `mapping {} {{ … }}` in any `.map` file", name.value));
        }
        self.report(finding);
        None
    }

    /// Reports a step that is neither function nor picklist.
    pub(super) fn report_unknown_step(&self, name: &ast::Name) {
        let message = format!("there is no function or picklist `{}`", name.value);
        let names = || functions::all().map(|function| function.name).chain(self.picklists.keys().copied());
        let help =
            self.guesses.did_you_mean(&name.value, names()).unwrap_or_else(|| match name.value.as_str() {
                "now" | "today" | "NOW" | "TODAY" => {
                    "a mapping reads no clock: use a date of the record, such as its last change".to_owned()
                }
                _ => "`mapwright functions` lists them".to_owned(),
            });
        let finding = Diagnostic::error(Code::UNKNOWN_STEP, name.span, message).label("unknown step");
        self.report(mend::rename(&self.guesses, finding.help(help), &name.value, name.span, names()));
    }

    /// Whether a statement with these first words stands in an item: if it does and the tree lacks it, the parser has
    /// already said what is wrong with it, and nothing more is to be said.
    pub(super) fn is_written(&self, item: Span, words: &[&str]) -> bool {
        self.sources.slice(item).lines().any(|line| {
            let mut written = line.split_whitespace();
            words.iter().all(|word| written.next().is_some_and(|first| first.trim_matches('`') == *word))
        })
    }
}

/// What is written instead of a literal of another language.
fn foreign_literal(name: &str) -> Option<String> {
    match name {
        "TRUE" | "True" => Some("write `true`".to_owned()),
        "FALSE" | "False" => Some("write `false`".to_owned()),
        _ => None,
    }
}

/// What a CRM calls a field.
pub(super) fn field_word(side: Side) -> &'static str {
    match side {
        Side::Hubspot => "property",
        Side::Salesforce => "field",
    }
}

/// Whether the CRM keeps a picklist field to its listed options.
pub(super) fn is_closed(field: &Field) -> bool {
    let restricted = match field.kind {
        FieldType::Picklist { restricted, .. } | FieldType::MultiPicklist { restricted } => restricted,
        _ => false,
    };
    restricted && !field.external_options && !field.options.is_empty()
}

/// Whether a field is a picklist, of one or of several options.
pub(super) fn is_picklist(field: &Field) -> bool {
    matches!(field.kind, FieldType::Picklist { .. } | FieldType::MultiPicklist { .. })
}
