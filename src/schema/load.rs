//! Reads a snapshot file.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, did_you_mean, nearest};
use crate::source::{FileId, Side, Sources, Span, Spanned};
use crate::yaml::{Entry, Keys, Kind, Node, Problems, parse};

use super::{
    Field, FieldType, Object, PicklistOption, RecordType, Schema, associations, hubspot, owners, salesforce,
};

/// The largest snapshot that is read. A portal or org with many thousands of custom fields stays below a quarter of it.
const MAX_BYTES: usize = 16 << 20;

/// Reads a snapshot: the model of what could be read, and every mistake of the file.
///
/// An object or field with a mistake is left out, so a caller that gets an error among the findings should report them
/// rather than go on to check mappings against the rest. `None` is a file that names no CRM.
pub fn load(sources: &mut Sources, name: &str, text: &str) -> (Option<Schema>, Vec<Diagnostic>) {
    let file = sources.add(name, text);
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return (None, vec![Diagnostic::error(Code::FILE_TOO_LARGE, Span::new(file, 0, 0), message)]);
    }
    let (root, mut findings) = parse(file, text);
    let problems = Problems::default();
    let schema = root.and_then(|root| read_schema(&root, file, &problems));
    findings.extend(problems.into_findings());
    findings.sort_by_key(|finding| finding.span().start);
    (schema, findings)
}

fn read_schema(root: &Node, file: FileId, problems: &Problems) -> Option<Schema> {
    let mut keys = Keys::of(root, "a snapshot", Span::new(file, 0, 0), problems)?;
    let side = keys.need_text("crm").and_then(|crm| read_side(&crm, problems));
    let api_version = keys.need_text("api_version").map_or_else(String::new, |version| version.value);
    let objects = keys.need("objects").and_then(|entry| entry.value.entries("objects", problems));
    let owners = keys.entry(owners::SECTION);
    keys.finish();
    let side = side?;
    let owners = owners.map(|entry| owners::read(&entry.value, side, problems));
    let objects = objects.unwrap_or_default().iter();
    let objects = objects.filter_map(|entry| read_object(entry, side, problems));
    let objects = objects.map(|object| (object.name.clone(), object)).collect();
    Some(Schema { side, api_version, file, objects, owners })
}

fn read_side(crm: &Spanned<String>, problems: &Problems) -> Option<Side> {
    let side = Side::ALL.into_iter().find(|side| side.word() == crm.value);
    if side.is_none() {
        problems.bad_word(crm, "crm", &Side::ALL.map(Side::word));
    }
    side
}

fn read_object(entry: &Entry, side: Side, problems: &Problems) -> Option<Object> {
    let name = &entry.key.value;
    let mut keys = Keys::of(&entry.value, "an object", entry.key.span, problems)?;
    let mut text = |key| keys.text(key).map(|text| text.value);
    let api_name = text("api_name").unwrap_or_else(|| name.clone());
    let label = text("label").unwrap_or_else(|| name.clone());
    let (mut plural, mut type_id, mut timeline, mut key_prefix) = (None, None, None, None);
    match side {
        Side::Hubspot => (plural, type_id, timeline) = (text("plural"), text("type_id"), text("timeline")),
        Side::Salesforce => key_prefix = text("key_prefix"),
    }
    let convertible = side == Side::Salesforce && keys.flag("convertible").unwrap_or(false);
    let record_types = match side {
        Side::Hubspot => None,
        Side::Salesforce => keys.entry("record_types"),
    };
    let labels = if side == Side::Hubspot { keys.entry(associations::KEY) } else { None };
    let fields = keys.need("fields").and_then(|entry| entry.value.entries("fields", problems));
    keys.finish();
    let fields = fields.unwrap_or_default().iter();
    let mut fields: IndexMap<_, _> = fields
        .filter_map(|entry| read_field(entry, side, problems))
        .map(|field| (field.name.clone(), field))
        .collect();
    if timeline.is_some() {
        hubspot::make_event(&mut fields, entry.key.span, problems);
    }
    let record_types =
        record_types.map(|entry| read_record_types(&entry.value, &fields, problems)).unwrap_or_default();
    let (name, span) = (name.clone(), entry.key.span);
    Some(Object {
        name,
        api_name,
        label,
        plural,
        type_id,
        key_prefix,
        fields,
        record_types,
        associations: labels.map(|entry| associations::read(entry, problems)).unwrap_or_default(),
        convertible,
        timeline,
        span,
    })
}

/// What both vendors' readers say about a field.
#[expect(clippy::struct_excessive_bools, reason = "these are independent facts about a type")]
pub(super) struct Shape {
    pub(super) kind: FieldType,
    /// Whether the type alone says that the field is never blank and filled on create (an id, a Salesforce checkbox).
    pub(super) always_filled: bool,
    /// Whether the type alone says that nobody writes it (an id, a compound address).
    pub(super) read_only: bool,
    /// Whether records can be looked up by it.
    pub(super) searchable: bool,
    pub(super) external_options: bool,
    /// Whether the type alone says that it is an amount of money.
    pub(super) currency: bool,
    /// Whether the type alone says that it holds an owner.
    pub(super) owner: bool,
}

fn read_field(entry: &Entry, side: Side, problems: &Problems) -> Option<Field> {
    let mut keys = Keys::of(&entry.value, "a field", entry.key.span, problems)?;
    let label = keys.text("label").map_or_else(|| entry.key.value.clone(), |label| label.value);
    let options = keys.entry("options");
    let relationship = keys.text("relationship").map(|name| name.value);
    let primary_of = if side == Side::Hubspot { keys.text("primary_of") } else { None };
    let shape = match side {
        Side::Hubspot => hubspot::read_shape(&mut keys, &entry.key.value, options.is_some()),
        Side::Salesforce => salesforce::read_shape(&mut keys),
    };
    let mut flag = |key| keys.flag(key);
    let (required, defaulted) = (flag("required"), flag("defaulted_on_create"));
    let (read_only, create_only, update_only) = (flag("read_only"), flag("create_only"), flag("update_only"));
    let [unique, calculated, consent, currency] =
        ["unique", "calculated", "consent", "currency"].map(|key| flag(key).unwrap_or(false));
    let external_id = side == Side::Salesforce && flag("external_id").unwrap_or(false);
    let writes = [("read_only", read_only), ("create_only", create_only), ("update_only", update_only)];
    one_of(&writes, entry, problems);
    keys.finish();

    let shape = shape?;
    let is_picklist = matches!(shape.kind, FieldType::Picklist { .. } | FieldType::MultiPicklist { .. });
    if let Some(options) = options.filter(|_| !is_picklist) {
        let message = format!("`{}` has options, but its type is no picklist", entry.key.value);
        problems.report(Diagnostic::error(Code::YAML_BAD_VALUE, options.key.span, message));
    }
    let options = options.filter(|_| is_picklist).map(|entry| read_options(&entry.value, problems));
    let read_only = read_only.unwrap_or(shape.read_only || calculated);
    Some(Field {
        name: entry.key.value.clone(),
        label,
        kind: shape.kind,
        nillable: !required.unwrap_or(shape.always_filled),
        createable: !read_only && update_only != Some(true),
        updateable: !read_only && create_only != Some(true),
        defaulted_on_create: defaulted.unwrap_or(shape.always_filled),
        external_id,
        searchable: shape.searchable,
        unique,
        calculated,
        currency: currency || shape.currency,
        consent,
        options: options.unwrap_or_default(),
        external_options: shape.external_options,
        relationship,
        primary_of: primary_of.map(|object| object.value),
        owner: shape.owner,
        span: entry.key.span,
    })
}

/// Reports flags that exclude each other.
fn one_of(flags: &[(&str, Option<bool>)], entry: &Entry, problems: &Problems) {
    let set: Vec<&str> =
        flags.iter().filter(|(_, flag)| *flag == Some(true)).map(|(name, _)| *name).collect();
    if let [first, second, ..] = set[..] {
        let message = format!("`{first}` and `{second}` exclude each other");
        problems.report(Diagnostic::error(Code::YAML_BAD_VALUE, entry.key.span, message).label("has both"));
    }
}

fn read_options(node: &Node, problems: &Problems) -> Vec<PicklistOption> {
    let items = node.list("options", problems).unwrap_or_default();
    let mut options: IndexMap<String, PicklistOption> = IndexMap::new();
    for option in items.iter().filter_map(|item| read_option(item, problems)) {
        if let Some(first) = options.get(&option.value) {
            problems.report(
                Diagnostic::error(
                    Code::YAML_BAD_VALUE,
                    option.span,
                    format!("`{}` is listed twice", option.value),
                )
                .label("listed again")
                .and(first.span, "first listed here")
                .help("keep one of the two"),
            );
        } else {
            options.insert(option.value.clone(), option);
        }
    }
    options.into_values().collect()
}

/// An option: its value alone, or a mapping with a label and flags.
fn read_option(node: &Node, problems: &Problems) -> Option<PicklistOption> {
    if !matches!(node.kind, Kind::Map(_)) {
        let Spanned { value, span } = node.text("options", problems)?;
        return Some(PicklistOption { label: value.clone(), value, active: true, converted: false, span });
    }
    let mut keys = Keys::of(node, "an option", node.span, problems)?;
    let value = keys.need_text("value");
    let label = keys.text("label").map(|label| label.value);
    // Salesforce says `active: false`, HubSpot `hidden: true`.
    let active = keys.flag("active").unwrap_or(true) && !keys.flag("hidden").unwrap_or(false);
    let converted = keys.flag("converted").unwrap_or(false);
    keys.finish();
    let Spanned { value, span } = value?;
    Some(PicklistOption { label: label.unwrap_or_else(|| value.clone()), value, active, converted, span })
}

fn read_record_types(node: &Node, fields: &IndexMap<String, Field>, problems: &Problems) -> Vec<RecordType> {
    let items = node.list("record_types", problems).unwrap_or_default();
    items.iter().filter_map(|item| read_record_type(item, fields, problems)).collect()
}

fn read_record_type(
    node: &Node,
    fields: &IndexMap<String, Field>,
    problems: &Problems,
) -> Option<RecordType> {
    let mut keys = Keys::of(node, "a record type", node.span, problems)?;
    let name = keys.need_text("name");
    let developer_name = keys.need_text("developer_name");
    let active = keys.flag("active").unwrap_or(true);
    let default = keys.flag("default").unwrap_or(false);
    let restricted = keys.entry("picklists").and_then(|entry| entry.value.entries("picklists", problems));
    keys.finish();
    let mut picklists = IndexMap::new();
    for Entry { key, value } in restricted.unwrap_or_default() {
        let options = value.list(&key.value, problems).unwrap_or_default();
        let options = options.iter().filter_map(|option| option.text(&key.value, problems));
        let Some(field) = fields.get(&key.value) else {
            let known = fields.keys().map(String::as_str);
            problems.report(unknown(Code::UNKNOWN_FIELD, key, "the object has no field", known));
            continue;
        };
        let known = |option: &Spanned<String>| {
            let known = field.options.iter().any(|known| known.value == option.value);
            if !known {
                let known = field.options.iter().map(|known| known.value.as_str());
                problems.report(unknown(Code::OPTION_UNKNOWN, option, "the field has no option", known));
            }
            known
        };
        picklists.insert(key.value.clone(), options.filter(known).map(|option| option.value).collect());
    }
    let Spanned { value: name, span } = name?;
    Some(RecordType { name, developer_name: developer_name?.value, active, default, picklists, span })
}

fn unknown<'c>(
    code: Code,
    name: &Spanned<String>,
    what: &str,
    known: impl Iterator<Item = &'c str>,
) -> Diagnostic {
    let finding = Diagnostic::error(code, name.span, format!("{what} `{}`", name.value));
    match did_you_mean(&name.value, known) {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// Reads `type`; reports one that the vendor does not have.
pub(super) fn read_type(keys: &mut Keys<'_>, side: Side, types: &[&str]) -> Option<String> {
    let Spanned { value, span } = keys.need_text("type")?;
    if types.contains(&value.as_str()) {
        return Some(value);
    }
    let message = format!("{} has no field type `{value}`", side.label());
    let finding = Diagnostic::error(Code::SCHEMA_TYPE, span, message).label("unknown type");
    keys.problems().report(match nearest(&value, types.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")).fix(span, near),
        None => finding.help(format!("the types are {}", types.join(", "))),
    });
    None
}

/// Reads `precision` and `scale`, which must fit each other.
pub(super) fn read_precision(keys: &mut Keys<'_>) -> Option<(u32, u32)> {
    let precision = keys.need_number::<u32>("precision");
    let scale = keys.need_number::<u32>("scale");
    let (precision, scale) = (precision?, scale?);
    if scale > precision {
        let message = format!("{scale} digits after the point do not fit into {precision} digits");
        keys.problems().report(Diagnostic::error(Code::YAML_BAD_VALUE, keys.at(), message));
        return None;
    }
    Some((precision, scale))
}
