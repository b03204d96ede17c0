//! HubSpot's property types, by the names of `GET /crm/v3/properties/{object}`.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span};
use crate::yaml::{Keys, Problems};

use super::load::{Shape, read_precision, read_type};
use super::{Field, FieldType};

/// The values of `type`.
const TYPES: &[&str] = &[
    "string",
    "number",
    "bool",
    "enumeration",
    "date",
    "datetime",
    "phone_number",
    "json",
    "object_coordinates",
];

/// What a text property means where HubSpot's type says only `string`.
const FORMATS: &[&str] = &["email", "phone", "url"];

/// The longest text that HubSpot keeps in a property.
const TEXT_LENGTH: u32 = 65_536;

/// The property in which every record of HubSpot's that has one names its owner; others say `owner: true`.
pub(super) const OWNER: &str = "hubspot_owner_id";

/// HubSpot declares no digits for a number; where the snapshot does not either, this is the widest exact decimal that
/// the engine computes with, so that a narrower target asks for `round`.
const NUMBER_DIGITS: (u32, u32) = (28, 10);

/// Reads the keys that say what a property holds; `None` where that was reported.
pub(super) fn read_shape(keys: &mut Keys<'_>, property: &str, has_options: bool) -> Option<Shape> {
    let name = read_type(keys, Side::Hubspot, TYPES);
    let field_type = keys.text("field_type").map(|text| text.value);
    let external = keys.flag("external_options");
    let owner = keys.flag("owner");
    let name = name.or_else(|| {
        // Known as keys all the same: one wrong type should not make the others look unknown.
        keys.know(&["format", "max_length", "precision", "scale"]);
        None
    })?;
    // An enumeration without options has them elsewhere, or only HubSpot makes them up.
    let external_options = external.unwrap_or(name == "enumeration" && !has_options);
    let kind = read_kind(keys, &name, field_type.as_deref(), external_options)?;
    let external_options =
        external_options && matches!(kind, FieldType::Picklist { .. } | FieldType::MultiPicklist { .. });
    let read_only = matches!(kind, FieldType::Other(_));
    let owner = owner.unwrap_or(property == OWNER && external_options);
    Some(Shape {
        kind,
        always_filled: false,
        read_only,
        searchable: true,
        external_options,
        currency: false,
        owner,
    })
}

fn read_kind(keys: &mut Keys<'_>, name: &str, field_type: Option<&str>, external: bool) -> Option<FieldType> {
    Some(match (name, field_type) {
        ("string", _) => return read_text(keys, field_type),
        ("phone_number", _) => FieldType::Phone { max: max_length(keys) },
        ("number", _) => read_number(keys)?,
        // A single checkbox is an enumeration of `true` and `false`.
        ("bool", _) | ("enumeration", Some("booleancheckbox")) => FieldType::Boolean,
        ("enumeration", Some("checkbox")) => FieldType::MultiPicklist { restricted: !external },
        ("enumeration", _) => FieldType::Picklist { restricted: !external, max: TEXT_LENGTH },
        ("date", _) => FieldType::Date,
        ("datetime", _) => FieldType::DateTime,
        _ => FieldType::Other(name.to_owned()),
    })
}

fn read_text(keys: &mut Keys<'_>, field_type: Option<&str>) -> Option<FieldType> {
    let max = max_length(keys);
    let Some(format) = keys.text("format") else {
        let phone = field_type == Some("phonenumber");
        return Some(if phone { FieldType::Phone { max } } else { FieldType::Text { max } });
    };
    match format.value.as_str() {
        "email" => Some(FieldType::Email { max }),
        "phone" => Some(FieldType::Phone { max }),
        "url" => Some(FieldType::Url { max }),
        _ => {
            keys.problems().bad_word(&format, "format", FORMATS);
            None
        }
    }
}

/// A number: whole where the snapshot says that nothing stands after the point.
fn read_number(keys: &mut Keys<'_>) -> Option<FieldType> {
    let declared = keys.has("precision") || keys.has("scale");
    let (precision, scale) = if declared { read_precision(keys)? } else { NUMBER_DIGITS };
    Some(if scale == 0 {
        FieldType::Integer { digits: precision }
    } else {
        FieldType::Decimal { precision, scale }
    })
}

fn max_length(keys: &mut Keys<'_>) -> u32 {
    keys.number("max_length").unwrap_or(TEXT_LENGTH)
}

/// Adds what every event of a timeline has beside its template's tokens, and lets nothing of it be changed (HubSpot's
/// timeline events API: the id that the writer gives, the record on whose timeline it stands, and when it happened).
pub(super) fn make_event(fields: &mut IndexMap<String, Field>, object: Span, problems: &Problems) {
    for field in fields.values_mut() {
        field.updateable = false;
    }
    let own = [
        ("id", FieldType::Text { max: TEXT_LENGTH }, true),
        ("objectId", FieldType::Text { max: 20 }, true),
        ("timestamp", FieldType::DateTime, false),
    ];
    for (name, kind, required) in own {
        if let Some(token) = fields.get(name) {
            let message = format!("every event has its `{name}`, so no token of its template has that name");
            let finding = Diagnostic::error(Code::YAML_BAD_VALUE, token.span, message);
            problems.report(finding.help("remove the line"));
        }
        let field = Field {
            name: name.to_owned(),
            label: name.to_owned(),
            kind,
            nillable: !required,
            createable: true,
            updateable: false,
            defaulted_on_create: false,
            external_id: false,
            searchable: true,
            unique: name == "id",
            calculated: false,
            currency: false,
            consent: false,
            options: Vec::new(),
            external_options: false,
            relationship: None,
            primary_of: None,
            owner: false,
            span: object,
        };
        fields.insert(name.to_owned(), field);
    }
}
