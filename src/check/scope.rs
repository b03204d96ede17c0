//! What the names of a mapping's expressions mean: its source's fields, its `with` and `let` names, and what is known to
//! be present.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Field, FieldType};
use crate::source::{ObjectName, Side, Span};
use crate::syntax::ast;
use crate::types::{Type, Typed};

use super::builtin::{OWNER_NAME, OWNER_PROPERTY};
use super::mend;
use super::typed::{Each, Expr, ExprKind, FieldUse, Let, RecordUse, With, WithKind};
use super::world::{Obj, World, field_word};

/// The longest id of a HubSpot record: a whole number of 64 bits and its sign.
pub(super) const HUBSPOT_ID: u32 = 20;

/// How many relationships one path follows (Salesforce's SOQL limits: five levels from child to parent). HubSpot has none.
const LEVELS: usize = 5;

/// Values that are words.
const VALUES: [&str; 3] = ["nothing", "true", "false"];

/// Something that can be known to be present.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Field(FieldUse),
    Let(usize),
}

/// A field that a name or a path leads to.
pub(super) struct Found<'a> {
    /// The object that has it.
    pub(super) object: Obj<'a>,
    /// The field; `None` for the id that every record of HubSpot's has.
    pub(super) field: Option<&'a Field>,
    pub(super) typed: Typed,
    /// The name or path as one text.
    pub(super) name: String,
}

/// A `with` and its object.
pub(super) struct WithEntry<'a> {
    pub(super) typed: With,
    pub(super) object: Option<Obj<'a>>,
    pub(super) used: Cell<bool>,
}

/// A `with each` and its object.
pub(super) struct EachEntry<'a> {
    pub(super) typed: Each,
    pub(super) object: Option<Obj<'a>>,
    pub(super) used: Cell<bool>,
}

/// A `let` and whether something reads it.
pub(super) struct LetEntry {
    pub(super) typed: Let,
    /// How deep its value is, with those that it reads.
    pub(super) levels: usize,
    pub(super) span: Span,
    pub(super) used: Cell<bool>,
}

/// The names that expressions of one mapping see.
pub(super) struct Scope<'a> {
    pub(super) world: &'a World<'a>,
    /// The source; `None` when it is unknown, which was reported.
    pub(super) source: Option<Obj<'a>>,
    pub(super) withs: Vec<WithEntry<'a>>,
    pub(super) eaches: Vec<EachEntry<'a>>,
    pub(super) lets: Vec<LetEntry>,
    /// The `let`s so far by name.
    let_index: HashMap<String, usize>,
    /// The names of all `let`s, for those that are read above their line.
    pub(super) let_lines: HashMap<String, Span>,
    /// Shared rules see the source's fields and its owner only.
    pub(super) shared: bool,
    /// Whether this is a leg of a sync, where a picklist turns to the side that is written.
    pub(super) is_leg: bool,
    /// While one direction of a `<->` is checked: where its `via` stands.
    pub(super) via: Option<Span>,
    /// The `let`s that were read above their line, which was reported.
    pub(super) read_early: RefCell<HashSet<String>>,
    /// The item, in which a `let` or a `with` may stand that could not be read.
    pub(super) item: Option<Span>,
    /// The names that its `let`s and `with`s give, the ones that could not be read included.
    written: OnceCell<HashSet<&'a str>>,
    present: RefCell<Known>,
}

/// What is known to be present: in the order of learning, and how often each was learned.
#[derive(Default)]
struct Known {
    places: Vec<Place>,
    counts: HashMap<Place, usize>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(world: &'a World<'a>, source: Option<Obj<'a>>) -> Self {
        let (withs, eaches, lets) = (Vec::new(), Vec::new(), Vec::new());
        let present = RefCell::default();
        Self {
            world,
            source,
            withs,
            eaches,
            lets,
            let_index: HashMap::new(),
            let_lines: HashMap::new(),
            shared: false,
            is_leg: false,
            via: None,
            read_early: RefCell::default(),
            item: None,
            written: OnceCell::new(),
            present,
        }
    }

    /// The index of the `let` of a name, if it stands above.
    pub(super) fn let_named(&self, name: &str) -> Option<usize> {
        self.let_index.get(name).copied()
    }

    /// The index of the `with` of a name; shared rules see none.
    pub(super) fn with_named(&self, name: &str) -> Option<usize> {
        self.withs.iter().position(|with| with.typed.name == name).filter(|_| !self.shared)
    }

    /// The index of the `with each` of a name; shared rules see none.
    pub(super) fn each_named(&self, name: &str) -> Option<usize> {
        self.eaches.iter().position(|each| each.typed.name == name).filter(|_| !self.shared)
    }

    /// Adds a `let`.
    pub(super) fn add_let(&mut self, entry: LetEntry) {
        self.let_index.insert(entry.typed.name.clone(), self.lets.len());
        self.lets.push(entry);
    }

    /// Takes all `let`s out, so that they can be typed again from the first on.
    pub(super) fn take_lets(&mut self) -> Vec<LetEntry> {
        self.let_index.clear();
        std::mem::take(&mut self.lets)
    }

    /// Adds a finding.
    pub(super) fn report(&self, finding: Diagnostic) {
        self.world.report(finding);
    }

    /// What is known to be present, as a mark for [`Self::forget`].
    pub(super) fn known(&self) -> usize {
        self.present.borrow().places.len()
    }

    /// Learns that places are present.
    pub(super) fn learn(&self, places: impl IntoIterator<Item = Place>) {
        let mut known = self.present.borrow_mut();
        for place in places {
            *known.counts.entry(place.clone()).or_default() += 1;
            known.places.push(place);
        }
    }

    /// Forgets what was learned since a mark.
    pub(super) fn forget(&self, mark: usize) {
        let mut known = self.present.borrow_mut();
        for place in known.places.split_off(mark) {
            if let Some(count) = known.counts.get_mut(&place) {
                *count -= 1;
            }
        }
    }

    /// The fields that shared rules can read and that are known to be present, sorted; the owner stands at this place among
    /// the records.
    pub(super) fn present_fields(&self, owner: Option<usize>) -> Vec<String> {
        let known = self.present.borrow();
        let places = known.counts.iter().filter(|(_, count)| **count > 0);
        let mut fields: Vec<String> = places
            .filter_map(|(place, _)| match place {
                Place::Field(FieldUse { of: RecordUse::Source, field }) => Some(field.clone()),
                Place::Field(FieldUse { of: RecordUse::With(index), field }) if owner == Some(*index) => {
                    Some(format!("{OWNER_NAME}.{field}"))
                }
                _ => None,
            })
            .collect();
        fields.sort_unstable();
        fields
    }

    fn is_present(&self, place: &Place) -> bool {
        self.present.borrow().counts.get(place).is_some_and(|count| *count > 0)
    }

    /// A name or path in an expression.
    pub(super) fn path(&mut self, path: &ast::Path) -> Expr {
        let [first, rest @ ..] = path.parts.as_slice() else { return error(path.span) };
        if !self.shared {
            if let Some(index) = self.let_named(&first.value) {
                return self.let_use(index, path, rest);
            }
            if let Some(index) = self.with_named(&first.value) {
                return self.with_use(index, path, rest);
            }
            if let Some(index) = self.each_named(&first.value) {
                self.report_each_use(index, path);
                return error(path.span);
            }
        }
        let Some(source) = self.source.clone() else { return error(path.span) };
        if !rest.is_empty() && Self::is_owner(&source, &first.value) {
            let index = self.owner_with(first.span);
            return self.with_use(index, path, rest);
        }
        self.field_path(&source, RecordUse::Source, path, &path.parts, false)
    }

    fn let_use(&self, index: usize, path: &ast::Path, rest: &[ast::Name]) -> Expr {
        let entry = &self.lets[index];
        entry.used.set(true);
        if !rest.is_empty() {
            let message = format!("`{}` is a value and has no fields", entry.typed.name);
            let finding = Diagnostic::error(Code::BAD_PATH, path.span, message);
            self.report(finding.and(entry.span, "defined here").help("a `with` names a record with fields"));
            return error(path.span);
        }
        let value = &entry.typed.value;
        let mut typed = value.typed.clone();
        typed.blank &= !self.is_present(&Place::Let(index));
        Expr { kind: ExprKind::Let(index), typed, can_fail: value.can_fail, span: path.span }
    }

    fn with_use(&mut self, index: usize, path: &ast::Path, rest: &[ast::Name]) -> Expr {
        let entry = &self.withs[index];
        entry.used.set(true);
        let Some(object) = entry.object.clone() else { return error(path.span) };
        if rest.is_empty() {
            let name = &entry.typed.name;
            let message = format!("`{name}` is a record of `{}`, not a value", object.name);
            let finding = Diagnostic::error(Code::BAD_PATH, path.span, message).label("a record");
            self.report(finding.help(format!("name one of its fields: `{name}.FIELD`")));
            return error(path.span);
        }
        self.field_path(&object, RecordUse::With(index), path, rest, true)
    }

    pub(super) fn is_owner(source: &Obj<'_>, name: &str) -> bool {
        name == OWNER_NAME
            && source.name.side == Side::Hubspot
            && source.field(OWNER_PROPERTY).is_some()
            && source.field(OWNER_NAME).is_none()
    }

    /// The implicit `with` of a HubSpot record's owner.
    pub(super) fn owner_with(&mut self, span: Span) -> usize {
        let existing = self.withs.iter().position(|with| with.typed.name == OWNER_NAME);
        existing.unwrap_or_else(|| {
            let object = self.world.object_named(Side::Hubspot, OWNER_NAME);
            let typed = With {
                name: OWNER_NAME.to_owned(),
                object: ObjectName::new(Side::Hubspot, OWNER_NAME),
                kind: WithKind::Reference { field: OWNER_PROPERTY.to_owned() },
                held_by: None,
                span,
            };
            self.withs.push(WithEntry { typed, object, used: Cell::new(true) });
            self.withs.len() - 1
        })
    }

    fn field_path(
        &self,
        object: &Obj<'a>,
        of: RecordUse,
        path: &ast::Path,
        parts: &[ast::Name],
        may_be_absent: bool,
    ) -> Expr {
        let Some((typed, field)) = self.resolve(object, parts) else { return error(path.span) };
        let field = FieldUse { of, field };
        let mut typed = typed;
        typed.blank |= may_be_absent;
        typed.blank &= !self.is_present(&Place::Field(field.clone()));
        Expr { kind: ExprKind::Field(field), typed, can_fail: false, span: path.span }
    }

    /// The type of a field, or of a path over relationships, and its name as one text.
    pub(super) fn resolve(&self, object: &Obj<'a>, parts: &[ast::Name]) -> Option<(Typed, String)> {
        self.found(object, parts).map(|found| (found.typed, found.name))
    }

    /// A field, or the one at the end of a path over relationships.
    pub(super) fn found(&self, object: &Obj<'a>, parts: &[ast::Name]) -> Option<Found<'a>> {
        let (last, through) = parts.split_last()?;
        if let Some(sixth) = through.get(LEVELS) {
            self.report_levels(sixth.span.to(last.span), through.len());
            return None;
        }
        let mut object = object.clone();
        let mut blank = false;
        for part in through {
            let (next, can_be_blank) = self.follow(&object, part, &last.value)?;
            object = next;
            blank |= can_be_blank;
        }
        let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        if object.is_record_id(&last.value) {
            let typed = Typed { ty: Type::Text(Some(HUBSPOT_ID)), blank };
            return Some(Found { object, field: None, typed, name });
        }
        let Some(field) = object.field(&last.value) else {
            self.report_unknown(&object, last);
            return None;
        };
        let mut typed = self.readable(&object, field, last.span)?;
        typed.blank |= blank;
        Some(Found { object, field: Some(field), typed, name })
    }

    fn report_levels(&self, span: Span, levels: usize) {
        let message = format!("a path follows at most {LEVELS} relationships, and this one follows {levels}");
        let finding = Diagnostic::error(Code::BAD_PATH, span, message).label("too far");
        self.report(
            finding.help("read a field of a nearer record, such as a formula field that holds the value"),
        );
    }

    /// The object that a relationship leads to, and whether there may be no record.
    fn follow(&self, object: &Obj<'a>, part: &ast::Name, next: &str) -> Option<(Obj<'a>, bool)> {
        let related = |field: &&Field| field.relationship.as_deref() == Some(part.value.as_str());
        let Some(field) = object.object.fields.values().find(related) else {
            self.report_no_relationship(object, part, next);
            return None;
        };
        let FieldType::Reference { to } = &field.kind else { return None };
        let candidates: Vec<_> =
            to.iter().filter_map(|name| self.world.object_named(object.name.side, name)).collect();
        let found =
            candidates.iter().find(|candidate| candidate.field(next).is_some()).or(candidates.first());
        if found.is_none() {
            let message =
                format!("`{}` leads to `{}`, which the snapshot does not have", part.value, to.join("`, `"));
            let finding = Diagnostic::error(Code::BAD_PATH, part.span, message);
            self.report(
                finding.and(field.span, "the relationship is here").help("add that object to the snapshot"),
            );
        }
        found.map(|found| (found.clone(), field.nillable))
    }

    fn report_no_relationship(&self, object: &Obj<'_>, part: &ast::Name, next: &str) {
        let name = &part.value;
        if self.is_written(name) {
            return;
        }
        let relationships: Vec<_> =
            object.object.fields.values().filter_map(|field| field.relationship.as_deref()).collect();
        let mut finding = if let Some(field) = object.field(name) {
            let message = format!("`{name}` of `{}` is a value and has no fields", object.name);
            let finding = Diagnostic::error(Code::BAD_PATH, part.span, message);
            let finding = finding.and(field.span, "the field is here");
            match &field.relationship {
                Some(relationship) => {
                    finding.help(format!("write `{relationship}` for the record that it names"))
                }
                None => finding,
            }
        } else {
            let message = format!("`{name}` is no `with` name and no relationship of `{}`", object.name);
            Diagnostic::error(Code::BAD_PATH, part.span, message).label("leads nowhere")
        };
        if finding.help.is_none() {
            let withs = self.withs.iter().map(|with| with.typed.name.as_str());
            let known: Vec<_> = withs.chain(relationships).collect();
            let help =
                self.world.guesses.did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match object
                    .name
                    .side
                {
                    _ if object.field(name).is_some() && object.field(next).is_some() => {
                        format!("write `\"{{{name}}} {{{next}}}\"` to join the two, or one of them")
                    }
                    _ if object.field(name).is_some() => format!("write `{name}` alone"),
                    Side::Hubspot => {
                        format!("name the associated record: `with {name} = primary hubspot.company`")
                    }
                    Side::Salesforce => {
                        "write the relationship's name, such as `Owner` in `Owner.Email`".to_owned()
                    }
                });
            finding = mend::rename(&self.world.guesses, finding.help(help), name, part.span, known);
        }
        self.report(finding);
    }

    fn report_unknown(&self, object: &Obj<'a>, name: &ast::Name) {
        let is_source = self.source.as_ref().is_some_and(|source| source.name == object.name);
        if let Some(line) = self.let_lines.get(&name.value).filter(|_| is_source && !self.shared) {
            let message = format!("`{}` is read above the line that defines it", name.value);
            let finding =
                Diagnostic::error(Code::UNKNOWN_FIELD, name.span, message).and(*line, "defined here");
            self.report(finding.help("move its `let` up"));
            self.read_early.borrow_mut().insert(name.value.clone());
            return;
        }
        if is_source && self.is_written(&name.value) {
            return;
        }
        let mut more: Vec<&str> = Vec::new();
        if !self.shared && is_source {
            more.extend(self.lets.iter().map(|entry| entry.typed.name.as_str()));
            more.extend(self.withs.iter().map(|with| with.typed.name.as_str()));
        }
        let meant = self
            .world
            .guesses
            .unambiguous(&name.value, object.field_names().chain(more.iter().copied()).chain(VALUES));
        match meant.filter(|meant| is_source && VALUES.contains(meant)) {
            Some(value) => self.report_misspelt_value(object, name, value),
            None => self.world.report_unknown_field(object, &name.value, name.span, &more),
        }
    }

    /// A name that is a slip of the pen for a value that is a word.
    fn report_misspelt_value(&self, object: &Obj<'a>, name: &ast::Name, value: &str) {
        let word = field_word(object.name.side);
        let message = format!("`{}` has no {word} `{}`", object.name, name.value);
        let finding = Diagnostic::error(Code::UNKNOWN_FIELD, name.span, message);
        let finding = finding.label(format!("unknown {word}")).help(format!("did you mean `{value}`?"));
        self.report(finding.fix(name.span, value));
    }

    /// Whether a `let` or a `with` of the item gives this name. What it means is unknown only where that statement could
    /// not be read, and then the parser has already said what is wrong with it.
    fn is_written(&self, name: &str) -> bool {
        let Some(item) = self.item.filter(|_| !self.shared) else { return false };
        let written = self.written.get_or_init(|| {
            let lines = self.world.sources.slice(item).lines();
            lines.filter_map(name_given).collect()
        });
        written.contains(name)
    }

    /// The type of a field that a mapping can read; another kind is reported.
    pub(super) fn readable(&self, object: &Obj<'a>, field: &Field, span: Span) -> Option<Typed> {
        let typed = Type::of(field, &object.name);
        if typed.is_none() {
            let kind = match &field.kind {
                FieldType::Time => "a time of day".to_owned(),
                FieldType::Other(kind) => format!("of type `{kind}`"),
                _ => "of another kind".to_owned(),
            };
            let word = field_word(object.name.side);
            let message = format!("the {word} `{}` is {kind}, which a mapping cannot use", field.name);
            let finding =
                Diagnostic::error(Code::TYPE_MISMATCH, span, message).and(field.span, "declared here");
            self.report(finding.help("use the single fields that it is made of"));
        }
        typed
    }
}

/// The name that a line gives, where it begins a `let` or a `with`.
fn name_given(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let first = words.next().filter(|word| matches!(*word, "let" | "with"))?;
    let name = words.next()?;
    let name = if first == "with" && name == "each" { words.next()? } else { name };
    Some(name.trim_matches('`'))
}

/// The value of what was already reported.
pub(super) fn error(span: Span) -> Expr {
    let nothing = crate::types::Value::Blank;
    Expr { kind: ExprKind::Literal(nothing), typed: Typed::error(), can_fail: false, span }
}
