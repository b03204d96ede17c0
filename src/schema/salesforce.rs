//! Salesforce's field types, by the names of `describe`.

use crate::source::{Side, Spanned};
use crate::yaml::Keys;

use super::FieldType;
use super::load::{Shape, read_precision, read_type};

/// The type names of `describe`.
const TYPES: &[&str] = &[
    "string",
    "textarea",
    "encryptedstring",
    "picklist",
    "multipicklist",
    "combobox",
    "double",
    "currency",
    "percent",
    "int",
    "boolean",
    "date",
    "datetime",
    "time",
    "email",
    "phone",
    "url",
    "reference",
    "id",
    "address",
    "location",
    "base64",
    "anyType",
];

/// The objects whose records own others: users, and the groups that are queues.
const OWNERS: &[&str] = &["User", "Group"];

/// The length of a picklist value where the snapshot does not say; Salesforce's own limit.
const PICKLIST_LENGTH: u32 = 255;
/// Salesforce's fixed lengths of its e-mail, phone and URL types.
const EMAIL_LENGTH: u32 = 80;
const PHONE_LENGTH: u32 = 40;
const URL_LENGTH: u32 = 255;
/// The longest text area that a query can filter by; a longer one is a long text area (Salesforce's field types).
const TEXT_AREA: u32 = 255;
/// `int` holds eight digits unless the snapshot says otherwise.
const INT_DIGITS: u32 = 8;

/// Reads the keys that say what a field holds; `None` where that was reported.
pub(super) fn read_shape(keys: &mut Keys<'_>) -> Option<Shape> {
    let name = read_type(keys, Side::Salesforce, TYPES);
    let external_options = keys.flag("external_options").unwrap_or(false);
    let name = name.or_else(|| {
        // Known as keys all the same: one wrong type should not make the others look unknown.
        keys.know(&["length", "precision", "scale", "digits", "restricted", "references"]);
        None
    })?;
    let kind = read_kind(keys, &name)?;
    let always_filled = matches!(kind, FieldType::Id | FieldType::Boolean);
    let read_only = matches!(kind, FieldType::Id | FieldType::Other(_));
    let currency = name == "currency";
    let owner =
        matches!(&kind, FieldType::Reference { to } if to.iter().any(|to| OWNERS.contains(&to.as_str())));
    let searchable = !matches!(kind, FieldType::Text { max } if name == "textarea" && max > TEXT_AREA);
    Some(Shape { kind, always_filled, read_only, searchable, external_options, currency, owner })
}

fn read_kind(keys: &mut Keys<'_>, name: &str) -> Option<FieldType> {
    Some(match name {
        "string" | "textarea" | "encryptedstring" => FieldType::Text { max: keys.need_number("length")? },
        "picklist" => {
            let restricted = keys.flag("restricted").unwrap_or(false);
            FieldType::Picklist { restricted, max: length(keys, PICKLIST_LENGTH) }
        }
        "multipicklist" => FieldType::MultiPicklist { restricted: keys.flag("restricted").unwrap_or(false) },
        // A text field with suggestions.
        "combobox" => FieldType::Picklist { restricted: false, max: length(keys, PICKLIST_LENGTH) },
        "double" | "currency" | "percent" => {
            let (precision, scale) = read_precision(keys)?;
            FieldType::Decimal { precision, scale }
        }
        "int" => FieldType::Integer { digits: keys.number("digits").unwrap_or(INT_DIGITS) },
        "boolean" => FieldType::Boolean,
        "date" => FieldType::Date,
        "datetime" => FieldType::DateTime,
        "time" => FieldType::Time,
        "email" => FieldType::Email { max: length(keys, EMAIL_LENGTH) },
        "phone" => FieldType::Phone { max: length(keys, PHONE_LENGTH) },
        "url" => FieldType::Url { max: length(keys, URL_LENGTH) },
        "reference" => {
            keys.need("references")?;
            let to = keys.texts("references")?;
            FieldType::Reference { to: to.into_iter().map(|Spanned { value, .. }| value).collect() }
        }
        "id" => FieldType::Id,
        other => FieldType::Other(other.to_owned()),
    })
}

fn length(keys: &mut Keys<'_>, default: u32) -> u32 {
    keys.number("length").unwrap_or(default)
}
