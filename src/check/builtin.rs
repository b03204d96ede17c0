//! What the CRMs have and no snapshot lists.

use indexmap::IndexMap;

use crate::schema::{Field, FieldType, Object, Schemas};
use crate::source::Span;

/// The property that holds the id of a HubSpot record's owner.
pub(super) const OWNER_PROPERTY: &str = "hubspot_owner_id";

/// The name under which a HubSpot record's owner is read without a `with`.
pub(super) const OWNER_NAME: &str = "owner";

/// The fields of HubSpot's owners, from its owners API (`GET /crm/v3/owners`), which has no property list.
const OWNER_FIELDS: &[&str] = &["id", "email", "firstName", "lastName", "userId"];

/// HubSpot's owner, for snapshots that do not have it.
pub(super) fn owner(schemas: &Schemas) -> Object {
    let span = Span::new(schemas.hubspot.file, 0, 0);
    let fields: IndexMap<_, _> =
        OWNER_FIELDS.iter().map(|name| ((*name).to_owned(), owner_field(name, span))).collect();
    Object {
        name: OWNER_NAME.to_owned(),
        api_name: OWNER_NAME.to_owned(),
        label: "Owner".to_owned(),
        plural: Some("owners".to_owned()),
        type_id: None,
        key_prefix: None,
        fields,
        record_types: Vec::new(),
        associations: IndexMap::new(),
        convertible: false,
        timeline: None,
        span,
    }
}

fn owner_field(name: &str, span: Span) -> Field {
    // Ids are whole numbers of 64 bits; the others are as long as any HubSpot text.
    let kind = match name {
        "id" | "userId" => FieldType::Text { max: 20 },
        "email" => FieldType::Email { max: 65_536 },
        _ => FieldType::Text { max: 65_536 },
    };
    Field {
        name: name.to_owned(),
        label: name.to_owned(),
        kind,
        nillable: true,
        createable: false,
        updateable: false,
        defaulted_on_create: false,
        external_id: false,
        searchable: true,
        unique: false,
        calculated: false,
        currency: false,
        consent: false,
        options: Vec::new(),
        external_options: false,
        relationship: None,
        primary_of: None,
        owner: false,
        span,
    }
}
