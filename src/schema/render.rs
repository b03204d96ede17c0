//! The canonical text of a snapshot's parts: one line where it fits, else a line for each key.

use std::fmt::Write as _;

use crate::source::Side;

use super::described::{DescribedField, DescribedObject, DescribedOption, DescribedRecordType};
use super::hubspot::OWNER;

/// A longer line is not read in a review.
const WIDTH: usize = 120;
/// From so many plain options on, they stand side by side: industries and time zones fill a screen otherwise.
const SIDE_BY_SIDE: usize = 9;
/// Salesforce's `int` has eight digits; another number is written.
const INT_DIGITS: u32 = 8;

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// As it is written: a number, a flag, a text that is already quoted where it must be.
    Raw(String),
    Texts(Vec<String>),
    Options(Vec<DescribedOption>),
}

/// The keys of a field, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldText {
    side: Side,
    name: String,
    items: Vec<(&'static str, Item)>,
}

/// What a person wrote into a field's entry that no CRM says, as it stands there; a pull keeps it.
pub(super) type Kept = Vec<(&'static str, String)>;

/// The keys that a person may add to what a CRM says, by side and type.
pub(super) fn keepable(side: Side, kind: &str) -> &'static [&'static str] {
    match (side, kind) {
        (Side::Hubspot, "string") => &["format", "max_length", "consent", "primary_of", "required"],
        (Side::Hubspot, "phone_number") => &["max_length", "required"],
        (Side::Hubspot, "number") => &["precision", "scale", "currency", "consent", "primary_of", "required"],
        (Side::Hubspot, "enumeration") => &["consent", "owner", "required"],
        (Side::Hubspot, _) => &["consent", "required"],
        (Side::Salesforce, "double") => &["currency", "consent"],
        (Side::Salesforce, _) => &["consent"],
    }
}

impl FieldText {
    /// The text of a field: what the CRM says, and what a person added.
    pub(super) fn of(side: Side, field: &DescribedField, kept: &Kept) -> Self {
        let mut items: Vec<(&'static str, Item)> = Vec::new();
        let mut raw = |key: &'static str, value: Option<String>| {
            if key == "relationship" && field.kind == "reference" {
                items.push(("references", Item::Texts(field.references.clone())));
            }
            let kept = kept.iter().find(|(known, _)| *known == key).map(|(_, text)| text.clone());
            items.extend(value.or(kept).map(|value| (key, Item::Raw(value))));
        };
        let text = |value: &Option<String>| value.as_deref().map(scalar);
        let flag = |set: bool| set.then(|| "true".to_owned());
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        raw("label", Some(scalar(&field.label)).filter(|_| field.label != field.name));
        raw("type", Some(scalar(&field.kind)));
        raw("field_type", text(&field.field_type));
        raw("format", text(&field.format));
        raw(if side == Side::Hubspot { "max_length" } else { "length" }, number(field.length));
        raw("digits", number(field.digits.filter(|digits| *digits != INT_DIGITS)));
        raw("precision", number(field.precision.map(|(precision, _)| precision)));
        raw("scale", number(field.precision.map(|(_, scale)| scale)));
        raw("relationship", text(&field.relationship));
        raw("restricted", flag(field.restricted));
        raw("external_id", flag(field.external_id));
        raw("unique", flag(field.unique));
        raw("required", flag(field.required));
        raw("defaulted_on_create", flag(field.defaulted_on_create));
        let writes = (field.createable, field.updateable);
        raw("calculated", flag(field.calculated));
        raw(
            "read_only",
            flag(writes == (false, false) && !field.calculated && !implies_read_only(side, field)),
        );
        raw("create_only", flag(writes == (true, false)));
        raw("update_only", flag(writes == (false, true)));
        raw("currency", flag(field.currency));
        raw("consent", flag(field.consent));
        raw("primary_of", text(&field.primary_of));
        raw("owner", flag(field.owner && field.name != OWNER));
        let implied = side == Side::Hubspot && field.options.is_empty();
        raw("external_options", flag(field.external_options && !implied));
        if !field.options.is_empty() {
            items.push(("options", Item::Options(field.options.clone())));
        }
        Self { side, name: field.name.clone(), items }
    }

    /// The entry as it stands behind an indentation, without a line end.
    pub(super) fn text(&self, indent: usize) -> String {
        let name = scalar(&self.name);
        let parts: Vec<String> =
            self.items.iter().map(|(key, item)| format!("{key}: {}", flow(self.side, item))).collect();
        let line = format!("{name}: {{ {} }}", parts.join(", "));
        let nested = self
            .items
            .iter()
            .any(|(_, item)| matches!(item, Item::Options(all) if !all.iter().all(is_plain)));
        if !nested && indent + line.chars().count() <= WIDTH {
            return line;
        }
        let pad = " ".repeat(indent + 2);
        let mut text = format!("{name}:");
        for (key, item) in &self.items {
            let _ = match item {
                Item::Options(options) => {
                    write!(text, "\n{pad}{key}:{}", block_options(self.side, options, indent + 4))
                }
                other => write!(text, "\n{pad}{key}: {}", flow(self.side, other)),
            };
        }
        text
    }
}

/// Whether the type alone says that nobody writes it.
fn implies_read_only(side: Side, field: &DescribedField) -> bool {
    match side {
        Side::Hubspot => matches!(field.kind.as_str(), "json" | "object_coordinates"),
        Side::Salesforce => {
            matches!(field.kind.as_str(), "id" | "address" | "location" | "base64" | "anyType")
        }
    }
}

fn flow(side: Side, item: &Item) -> String {
    match item {
        Item::Raw(text) => text.clone(),
        Item::Texts(texts) => {
            format!("[{}]", texts.iter().map(|text| scalar(text)).collect::<Vec<_>>().join(", "))
        }
        Item::Options(options) => {
            format!("[{}]", options.iter().map(|known| option(side, known)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether an option is its value alone.
fn is_plain(option: &DescribedOption) -> bool {
    option.label == option.value && option.active && !option.converted
}

fn option(side: Side, option: &DescribedOption) -> String {
    if is_plain(option) {
        return scalar(&option.value);
    }
    let mut text = format!("{{ value: {}", scalar(&option.value));
    if option.label != option.value {
        let _ = write!(text, ", label: {}", scalar(&option.label));
    }
    if !option.active {
        text.push_str(match side {
            Side::Hubspot => ", hidden: true",
            Side::Salesforce => ", active: false",
        });
    }
    if option.converted {
        text.push_str(", converted: true");
    }
    text.push_str(" }");
    text
}

fn block_options(side: Side, options: &[DescribedOption], indent: usize) -> String {
    let pad = " ".repeat(indent);
    if options.len() >= SIDE_BY_SIDE && options.iter().all(is_plain) {
        return format!(
            "\n{pad}{}",
            wrapped(&options.iter().map(|known| option(side, known)).collect::<Vec<_>>(), indent)
        );
    }
    options.iter().fold(String::new(), |mut text, known| {
        let _ = write!(text, "\n{pad}- {}", option(side, known));
        text
    })
}

/// A list in brackets, broken where the line would be too long.
pub(super) fn wrapped(texts: &[String], indent: usize) -> String {
    let (mut text, mut column) = ("[".to_owned(), indent + 1);
    for (index, next) in texts.iter().enumerate() {
        let width = next.chars().count() + 1;
        if index > 0 && column + width + 1 > WIDTH {
            let _ = write!(text, ",\n{}", " ".repeat(indent + 1));
            column = indent + 1;
        } else if index > 0 {
            text.push_str(", ");
            column += 2;
        }
        text.push_str(next);
        column += width - 1;
    }
    text.push(']');
    text
}

/// The keys of an object before its fields, as they are written: `label: Contact`.
pub(super) fn head(object: &DescribedObject) -> Vec<(&'static str, Option<String>)> {
    let text = |value: &Option<String>| value.as_deref().map(scalar);
    vec![
        ("api_name", (object.api_name != object.name).then(|| scalar(&object.api_name))),
        ("label", Some(scalar(&object.label))),
        ("plural", text(&object.plural)),
        ("type_id", text(&object.type_id)),
        ("key_prefix", text(&object.key_prefix)),
        ("convertible", object.convertible.then(|| "true".to_owned())),
    ]
}

/// The record types as a list, each line behind an indentation; empty where there are none.
pub(super) fn record_types(types: &[DescribedRecordType], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut text = String::new();
    for known in types {
        let mut parts = vec![
            format!("name: {}", scalar(&known.name)),
            format!("developer_name: {}", scalar(&known.developer_name)),
        ];
        parts.extend((!known.active).then(|| "active: false".to_owned()));
        parts.extend(known.default.then(|| "default: true".to_owned()));
        if known.picklists.is_empty() {
            let _ = writeln!(text, "{pad}- {{ {} }}", parts.join(", "));
            continue;
        }
        let _ = writeln!(text, "{pad}- {}", parts.join(&format!("\n{pad}  ")));
        let _ = writeln!(text, "{pad}  picklists:");
        for (field, options) in &known.picklists {
            let options: Vec<String> = options.iter().map(|option| scalar(option)).collect();
            let _ =
                writeln!(text, "{pad}    {}:\n{pad}      {}", scalar(field), wrapped(&options, indent + 6));
        }
    }
    text
}

/// Text as a YAML scalar: bare where no reader could take it for anything else, in a list or mapping in brackets too.
pub(super) fn scalar(text: &str) -> String {
    /// Words that some reader of YAML takes for a truth or for nothing.
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "null", "nan", "y", "n"];
    let bare = |c: char| c.is_ascii_alphanumeric() || "_ .@/&'()+-%$".contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if starts && !word && text.chars().all(bare) && !text.ends_with(' ') {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
