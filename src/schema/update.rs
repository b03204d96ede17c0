//! Brings a snapshot up to date with what its CRM says, and leaves the rest of the file as a person wrote it.
//!
//! An entry whose meaning stays keeps its text, its place and its comments, so that a pull without a change is no
//! difference. An entry that changes is written in the canonical form, with what a person added to it (a `format`, a
//! `max_length`, `consent`); new ones stand behind the others of their object, by name. What was written is read again
//! and compared with what was meant; a file in a form that cannot be edited so (all on one line, say) is written anew.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use indexmap::IndexMap;

use crate::source::{Side, Sources};
use crate::yaml::{Entry, Kind, Node, parse};

use super::described::{DescribedField, DescribedObject};
use super::render::{FieldText, Kept, head, keepable, record_types, scalar};
use super::{DescribedOwner, Field, FieldType, Object, Owner, Schema, associations, load, owners};

/// The indentation of objects, of their keys, and of fields in the canonical form.
const OBJECT: usize = 2;
const KEY: usize = 4;
const FIELD: usize = 6;

/// What a file that is written for the first time begins with.
const HUBSPOT_HEAD: &str = "\
# What HubSpot says about its objects and properties: `mapwright schema pull` takes it. Checked in, so that a mapping is
# checked without a token and a changed property is a changed line in a review. HubSpot does not say everything: `format`,
# `max_length`, `precision`, `scale` and `consent` that you write into a property's entry stay there.
";
const SALESFORCE_HEAD: &str = "\
# What Salesforce says about its objects and fields: `mapwright schema pull` takes it. Checked in, so that a mapping is
# checked without a login and a changed field is a changed line in a review.
";

/// What a CRM said, for one snapshot.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Which CRM.
    pub side: Side,
    /// The API version that was asked; a snapshot that is there keeps its own.
    pub api_version: String,
    /// The objects as described, by the names of the project.
    pub objects: Vec<DescribedObject>,
    /// Objects of the snapshot that the CRM does not have any more, or does not show.
    pub gone: Vec<String>,
    /// Who can own records.
    pub owners: Section<Vec<DescribedOwner>>,
}

/// What a CRM said for a part of a snapshot that need not be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Section<T> {
    /// Nobody asked: it stays as it is.
    #[default]
    AsItIs,
    /// It is not to be in the snapshot.
    LeftOut,
    /// It is this.
    Taken(T),
}

/// The text of a snapshot after what the CRM says; `old` is the present one, which must be without an error.
///
/// The error tells what of the CRM's answer a snapshot cannot hold.
pub fn update(old: Option<&str>, taken: &Taken) -> Result<String, String> {
    let known = old.map(Known::read).transpose()?;
    let mut taken = taken.clone();
    for object in &mut taken.objects {
        let old = known.as_ref().and_then(|known| known.schema.objects.get(&object.name));
        object.associations = associations::merged(old, &object.associations);
    }
    let taken = &taken;
    let canonical = canonical(known.as_ref(), taken);
    let wanted = read(&canonical)?;
    let Some(known) = known else { return Ok(canonical) };
    let edited = known.edited(taken, &wanted);
    match read(&edited) {
        Ok(schema) if same_schema(&schema, &wanted) => Ok(edited),
        _ => Ok(canonical),
    }
}

fn read(text: &str) -> Result<Schema, String> {
    let mut sources = Sources::new();
    let (schema, findings) = load(&mut sources, "snapshot", text);
    match (schema, findings.first()) {
        (Some(schema), None) => Ok(schema),
        (_, Some(finding)) => {
            let at = sources.slice(finding.span());
            Err(format!("the snapshot cannot hold what the CRM says: {} (at `{at}`)", finding.message))
        }
        (None, None) => Err("the snapshot cannot hold what the CRM says".to_owned()),
    }
}

/// Whether two snapshots say the same, wherever it stands.
fn same_schema(a: &Schema, b: &Schema) -> bool {
    let fields = |a: &Object, b: &Object| {
        a.fields.len() == b.fields.len()
            && a.fields
                .values()
                .all(|field| b.field(&field.name).is_some_and(|other| same_field(field, other)))
    };
    a.side == b.side
        && same_owners(a.owners.as_deref(), b.owners.as_deref())
        && a.objects.len() == b.objects.len()
        && a.objects.values().all(|object| {
            b.objects.get(&object.name).is_some_and(|other| same_head(object, other) && fields(object, other))
        })
}

fn same_owners(a: Option<&[Owner]>, b: Option<&[Owner]>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    a.len() == b.len() && a.iter().all(|owner| b.iter().any(|other| owner.is == other.is))
}

/// Whether two fields are the same, wherever they stand.
pub(super) fn same_field(a: &Field, b: &Field) -> bool {
    let placeless = |field: &Field| {
        let mut field = field.clone();
        field.span = a.span;
        if let FieldType::Reference { to } = &mut field.kind {
            to.sort();
        }
        for option in &mut field.options {
            option.span = a.span;
        }
        field
    };
    placeless(a) == placeless(b)
}

fn same_head(a: &Object, b: &Object) -> bool {
    let facts = |object: &Object| {
        let Object { api_name, label, plural, type_id, key_prefix, convertible, timeline, .. } =
            object.clone();
        (api_name, label, plural, type_id, key_prefix, convertible, timeline)
    };
    facts(a) == facts(b) && same_record_types(a, b) && associations::same(&a.associations, &b.associations)
}

fn same_record_types(a: &Object, b: &Object) -> bool {
    a.record_types.len() == b.record_types.len()
        && a.record_types.iter().zip(&b.record_types).all(|(a, b)| {
            (&a.name, &a.developer_name, a.active, a.default, &a.picklists)
                == (&b.name, &b.developer_name, b.active, b.default, &b.picklists)
        })
}

/// A snapshot that is there.
struct Known<'t> {
    text: &'t str,
    schema: Schema,
    /// The entries of `objects`.
    objects: Vec<Entry>,
    /// The section of owners.
    owners: Option<Entry>,
}

impl<'t> Known<'t> {
    fn read(text: &'t str) -> Result<Self, String> {
        let schema = read(text)?;
        let (root, _) = parse(schema.file, text);
        let objects =
            root.as_ref().and_then(|root| entry(root, "objects")).map(|entry| entries(&entry.value));
        let objects = objects.unwrap_or_default().to_vec();
        let owners = root.as_ref().and_then(|root| entry(root, owners::SECTION)).cloned();
        Ok(Self { text, schema, objects, owners })
    }

    fn object(&self, name: &str) -> Option<&Entry> {
        self.objects.iter().find(|entry| entry.key.value == name)
    }

    /// What a person wrote into the entries of an object's fields, as it stands there.
    fn kept(&self, side: Side, object: &DescribedObject) -> HashMap<&str, Kept> {
        let fields = self.object(&object.name).and_then(|known| entry(&known.value, "fields"));
        let kinds: HashMap<&str, &str> =
            object.fields.iter().map(|field| (field.name.as_str(), field.kind.as_str())).collect();
        let fields = fields.into_iter().flat_map(|fields| entries(&fields.value));
        let kept = fields.filter_map(|field| {
            let keys = keepable(side, kinds.get(field.key.value.as_str())?);
            let texts = keys.iter().filter_map(|key| {
                let span = entry(&field.value, key)?.value.span;
                Some((*key, self.text.get(span.range())?.to_owned()))
            });
            Some((field.key.value.as_str(), texts.collect()))
        });
        kept.collect()
    }

    /// The column at which a place stands, in characters.
    fn column(&self, at: u32) -> usize {
        let before = &self.text[..at as usize];
        before.len() - before.rfind('\n').map_or(0, |end| end + 1)
    }

    /// Where a value ends: of one in brackets the reader gives a place behind the comment that follows it.
    fn end(&self, node: &Node) -> usize {
        let range = node.span.range();
        let text = &self.text[range.clone()];
        if !text.starts_with(['{', '[']) {
            return range.end;
        }
        let (mut depth, mut quote, mut escaped, mut comment) = (0_usize, None, false, false);
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            match (quote, c) {
                _ if comment => comment = c != '\n',
                (Some(_), _) if escaped => escaped = false,
                (Some('"'), '\\') => escaped = true,
                (Some(open), _) if open == c => quote = None,
                (None, '"' | '\'') if " ,[{:".contains(before) => quote = Some(c),
                (None, '#') if before.is_whitespace() => comment = true,
                (None, '{' | '[') => depth += 1,
                (None, '}' | ']') if depth == 1 => return range.start + at + 1,
                (None, '}' | ']') => depth -= 1,
                _ => {}
            }
            before = c;
        }
        range.end
    }

    /// The whole lines of an entry.
    fn lines(&self, entry: &Entry) -> Range<usize> {
        self.lines_of(entry.key.span.start, entry.value.span.end.max(entry.key.span.end))
    }

    /// The whole lines from one place to another.
    fn lines_of(&self, start: u32, end: u32) -> Range<usize> {
        let (start, end) = (start as usize - self.column(start), end as usize);
        start..self.text[end..].find('\n').map_or(self.text.len(), |next| end + next + 1)
    }

    fn edited(&self, taken: &Taken, wanted: &Schema) -> String {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let mut new_objects: Vec<&DescribedObject> = Vec::new();
        for object in &taken.objects {
            let name = &object.name;
            match (self.object(name), self.schema.objects.get(name), wanted.objects.get(name)) {
                (Some(entry), Some(old), Some(new)) => {
                    self.edit_object(taken.side, entry, object, (old, new), &mut edits);
                }
                _ => new_objects.push(object),
            }
        }
        // Behind the edits of the last object, whose new fields go to the same place.
        new_objects.sort_by(|a, b| a.name.cmp(&b.name));
        let end = self.objects.last().map_or(self.text.len(), |last| self.lines(last).end);
        let none = HashMap::new();
        edits
            .extend(new_objects.iter().map(|object| (end..end, object_text(taken.side, object, &none, &[]))));
        let gone = taken.gone.iter().filter_map(|name| self.object(name));
        edits.extend(gone.map(|entry| (self.lines(entry), String::new())));
        self.edit_owners(taken, &mut edits);
        apply(self.text, edits)
    }

    fn edit_owners(&self, taken: &Taken, edits: &mut Vec<(Range<usize>, String)>) {
        let owners = match (&taken.owners, &self.owners) {
            (Section::AsItIs, _) | (Section::LeftOut, None) => return,
            (Section::LeftOut, Some(section)) => return edits.push((self.lines(section), String::new())),
            (Section::Taken(owners), _) => owners,
        };
        let (side, whole) = (taken.side, || owners::section(taken.side, owners));
        let end = self.text.len();
        let Some(section) = &self.owners else { return edits.push((end..end, whole())) };
        let known = self.schema.owners.as_deref().unwrap_or_default();
        let items = match &section.value.kind {
            Kind::List(items) if !items.is_empty() && !owners.is_empty() => items,
            _ if known.is_empty() && owners.is_empty() => return,
            _ => return edits.push((self.lines(section), whole())),
        };
        // What was read without a finding has an owner for each item, in the same order.
        for (owner, item) in known.iter().zip(items) {
            match owners.iter().find(|now| now.has_id(side, &owner.is.id)) {
                Some(now) if *now == owner.is => {}
                Some(now) => edits.push((item.span.start as usize..self.end(item), now.text(side))),
                None => edits.push((self.lines_of(item.span.start, item.span.end), String::new())),
            }
        }
        let mut new: Vec<&DescribedOwner> = owners.iter().collect();
        new.retain(|now| !known.iter().any(|owner| now.has_id(side, &owner.is.id)));
        new.sort_by(|a, b| owners::by_id(side, &a.id, &b.id));
        let column = self.column(items[0].span.start).saturating_sub(2);
        for owner in new {
            let before = known
                .iter()
                .zip(items)
                .rfind(|(known, _)| owners::by_id(side, &known.is.id, &owner.id).is_lt());
            let at = match before {
                Some((_, item)) => self.lines_of(item.span.start, item.span.end).end,
                None => self.lines_of(items[0].span.start, items[0].span.end).start,
            };
            edits.push((at..at, format!("{:column$}- {}\n", "", owner.text(side))));
        }
    }

    fn edit_object(
        &self,
        side: Side,
        known: &Entry,
        object: &DescribedObject,
        (old, new): (&Object, &Object),
        edits: &mut Vec<(Range<usize>, String)>,
    ) {
        let Some(fields) = entry(&known.value, "fields") else { return };
        if !same_head(old, new) {
            self.edit_head(known, fields, object, (old, new), edits);
        }
        let kept = self.kept(side, object);
        let described: IndexMap<&str, &DescribedField> =
            object.fields.iter().map(|field| (field.name.as_str(), field)).collect();
        let all = entries(&fields.value);
        for field in all {
            let name = field.key.value.as_str();
            match (described.get(name), old.field(name), new.field(name)) {
                (Some(_), Some(old), Some(new)) if same_field(old, new) => {}
                (Some(described), ..) => {
                    let none = Kept::new();
                    let text = FieldText::of(side, described, kept.get(name).unwrap_or(&none));
                    let start = field.key.span.start;
                    let range = start as usize..self.end(&field.value);
                    edits.push((range, text.text(self.column(start))));
                }
                (None, ..) => edits.push((self.lines(field), String::new())),
            }
        }
        let Some(last) = all.last() else { return };
        let column = self.column(last.key.span.start);
        let mut added: Vec<&DescribedField> =
            object.fields.iter().filter(|field| old.field(&field.name).is_none()).collect();
        added.sort_by(|a, b| a.name.cmp(&b.name));
        let end = self.lines(last).end;
        let text = added.into_iter().fold(String::new(), |mut text, field| {
            let field = FieldText::of(side, field, &Kept::new()).text(column);
            let _ = writeln!(text, "{:column$}{field}", "");
            text
        });
        if !text.is_empty() {
            edits.push((end..end, text));
        }
    }

    /// Writes the keys of an object that changed, each on a line of its own before its fields.
    fn edit_head(
        &self,
        known: &Entry,
        fields: &Entry,
        object: &DescribedObject,
        (old, new): (&Object, &Object),
        edits: &mut Vec<(Range<usize>, String)>,
    ) {
        let column = self.column(fields.key.span.start);
        let before = self.lines(fields).start;
        for (key, value) in head(object) {
            match (entry(&known.value, key), value) {
                (Some(entry), Some(value)) => {
                    let (range, now) = (entry.value.span.range(), &self.text[entry.value.span.range()]);
                    // Quotes are a matter of taste.
                    if now.trim_matches(['"', '\'']) != value.trim_matches('"') {
                        edits.push((range, value));
                    }
                }
                (Some(entry), None) => edits.push((self.lines(entry), String::new())),
                (None, Some(value)) => {
                    edits.push((before..before, format!("{:column$}{key}: {value}\n", "")));
                }
                _ => {}
            }
        }
        self.edit_labels(known, object, (old, new), (before, column), edits);
        if same_record_types(old, new) {
            return;
        }
        let text = record_types(&object.record_types, column + 2);
        let text = if text.is_empty() { text } else { format!("{:column$}record_types:\n{text}", "") };
        match entry(&known.value, "record_types") {
            Some(entry) => edits.push((self.lines(entry), text)),
            None => edits.push((before..before, text)),
        }
    }

    /// Writes the pairs of objects whose labels changed, and those that are new, each on a line of its own.
    fn edit_labels(
        &self,
        known: &Entry,
        object: &DescribedObject,
        (old, new): (&Object, &Object),
        (before, column): (usize, usize),
        edits: &mut Vec<(Range<usize>, String)>,
    ) {
        if associations::same(&old.associations, &new.associations) {
            return;
        }
        let Some(section) = entry(&known.value, associations::KEY) else {
            return edits.push((before..before, associations::section(&object.associations, column)));
        };
        let pairs = entries(&section.value);
        let is_flow = self.text[section.value.span.range()].starts_with('{');
        let Some(last) = pairs.last().filter(|_| !is_flow) else {
            return edits.push((self.lines(section), associations::section(&object.associations, column)));
        };
        let indent = self.column(last.key.span.start);
        let mut added: Vec<&(String, Vec<String>)> = object.associations.iter().collect();
        added.retain(|(to, _)| !old.associations.contains_key(to));
        added.sort();
        for (to, labels) in &object.associations {
            let pair = pairs.iter().find(|pair| pair.key.value == *to);
            let is_same = associations::same_pair(old.associations.get(to), new.associations.get(to));
            if let Some(pair) = pair.filter(|_| !is_same) {
                let at = self.column(pair.value.span.start);
                let range = pair.value.span.start as usize..self.end(&pair.value);
                edits.push((range, associations::list(labels, at)));
            }
        }
        let end = self.lines(last).end;
        let text: String =
            added.into_iter().map(|(to, labels)| associations::line(to, labels, indent)).collect();
        if !text.is_empty() {
            edits.push((end..end, text));
        }
    }
}

/// Makes the edits, which do not overlap.
fn apply(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut edited, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in edits {
        let start = range.start.max(at);
        edited.push_str(&text[at..start]);
        if range.is_empty() && !edited.is_empty() && !edited.ends_with('\n') && new.ends_with('\n') {
            edited.push('\n');
        }
        edited.push_str(&new);
        at = range.end.max(start);
    }
    edited.push_str(&text[at..]);
    edited
}

/// The whole file in the canonical form; objects that are not described stay as they are.
fn canonical(known: Option<&Known<'_>>, taken: &Taken) -> String {
    let version = known.map_or(taken.api_version.as_str(), |known| known.schema.api_version.as_str());
    let own = match taken.side {
        Side::Hubspot => HUBSPOT_HEAD,
        Side::Salesforce => SALESFORCE_HEAD,
    };
    let mut text = known.and_then(|known| comments(known.text)).unwrap_or(own).to_owned();
    let _ = write!(text, "crm: {}\napi_version: {}\nobjects:", taken.side.word(), scalar(version));
    let described = |name: &str| taken.objects.iter().find(|object| object.name == name);
    let mut bodies = String::new();
    for entry in known.into_iter().flat_map(|known| &known.objects) {
        let (Some(known), name) = (known, entry.key.value.as_str()) else { continue };
        if let Some(object) = described(name) {
            let order: Vec<&str> = known
                .schema
                .objects
                .get(name)
                .map(|old| old.fields.keys().map(String::as_str).collect())
                .unwrap_or_default();
            bodies.push_str(&object_text(taken.side, object, &known.kept(taken.side, object), &order));
        } else if !taken.gone.iter().any(|gone| gone == name) {
            bodies.push_str(known.text[known.lines(entry)].trim_end());
            bodies.push('\n');
        }
    }
    let mut new: Vec<&DescribedObject> = taken.objects.iter().collect();
    new.retain(|object| known.is_none_or(|known| known.object(&object.name).is_none()));
    new.sort_by(|a, b| a.name.cmp(&b.name));
    for object in new {
        bodies.push_str(&object_text(taken.side, object, &HashMap::new(), &[]));
    }
    text.push_str(if bodies.is_empty() { " {}\n" } else { "\n" });
    text.push_str(&bodies);
    match (&taken.owners, known.and_then(|known| known.schema.owners.as_ref())) {
        (Section::Taken(owners), _) => text.push_str(&owners::section(taken.side, owners)),
        (Section::AsItIs, Some(owners)) => {
            let owners: Vec<DescribedOwner> = owners.iter().map(|owner| owner.is.clone()).collect();
            text.push_str(&owners::section(taken.side, &owners));
        }
        (Section::AsItIs | Section::LeftOut, _) => {}
    }
    text
}

/// The comments and blank lines at the head of a file; `None` where there are none.
fn comments(text: &str) -> Option<&str> {
    let head = text.split_inclusive('\n').take_while(|line| line.trim().is_empty() || line.starts_with('#'));
    let length = head.map(str::len).sum();
    (length > 0).then(|| &text[..length])
}

/// An object in the canonical form: the fields in this order, then the others by name.
fn object_text(side: Side, object: &DescribedObject, kept: &HashMap<&str, Kept>, order: &[&str]) -> String {
    let mut text = format!("{:OBJECT$}{}:\n", "", scalar(&object.name));
    for (key, value) in head(object) {
        if let Some(value) = value {
            let _ = writeln!(text, "{:KEY$}{key}: {value}", "");
        }
    }
    let types = record_types(&object.record_types, KEY + 2);
    if !types.is_empty() {
        let _ = write!(text, "{:KEY$}record_types:\n{types}", "");
    }
    text.push_str(&associations::section(&object.associations, KEY));
    let mut fields: Vec<&DescribedField> = object.fields.iter().collect();
    let place: HashMap<&str, usize> = order.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    fields.sort_by_key(|field| (place.get(field.name.as_str()).copied().unwrap_or(usize::MAX), &field.name));
    let _ = writeln!(text, "{:KEY$}fields:{}", "", if fields.is_empty() { " {}" } else { "" });
    let none = Kept::new();
    for field in fields {
        let field = FieldText::of(side, field, kept.get(field.name.as_str()).unwrap_or(&none)).text(FIELD);
        let _ = writeln!(text, "{:FIELD$}{field}", "");
    }
    text
}

fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        Kind::Map(entries) => entries,
        _ => &[],
    }
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    entries(node).iter().find(|entry| entry.key.value == key)
}
