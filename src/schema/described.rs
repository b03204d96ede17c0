//! What a CRM says about an object right now, in the words of its own API, before it becomes part of a snapshot.

/// An object as a CRM describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribedObject {
    /// The name that `.map` files use: the vendor's, or the project's alias for it.
    pub name: String,
    /// The vendor's name.
    pub api_name: String,
    /// What people call it.
    pub label: String,
    /// HubSpot: the plural in URLs (`contacts`).
    pub plural: Option<String>,
    /// HubSpot: the `objectTypeId` (`0-1`).
    pub type_id: Option<String>,
    /// Salesforce: the first three characters of its ids.
    pub key_prefix: Option<String>,
    /// Salesforce: whether a lead conversion can end its life.
    pub convertible: bool,
    /// Its fields, in the vendor's order.
    pub fields: Vec<DescribedField>,
    /// Its record types, in the vendor's order.
    pub record_types: Vec<DescribedRecordType>,
    /// HubSpot: the labels of its associations with the objects that were asked about.
    pub associations: Vec<(String, Vec<String>)>,
}

/// A field as a CRM describes it. What does not apply to the type is left at its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the vendor's independent flags")]
pub struct DescribedField {
    /// The API name.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// The vendor's name of the type.
    pub kind: String,
    /// HubSpot: how people edit it (`checkbox`), where that says more than the type.
    pub field_type: Option<String>,
    /// What is in a text, where only the field's own meaning says so (`email`, `url`).
    pub format: Option<String>,
    /// The longest value in characters.
    pub length: Option<u32>,
    /// Digits of an `int`.
    pub digits: Option<u32>,
    /// Digits in all, and after the point.
    pub precision: Option<(u32, u32)>,
    /// Whether it is never blank.
    pub required: bool,
    /// Whether the CRM fills it when a create leaves it out.
    pub defaulted_on_create: bool,
    /// Whether a create may set it.
    pub createable: bool,
    /// Whether an update may set it.
    pub updateable: bool,
    /// Whether it is computed.
    pub calculated: bool,
    /// Whether it is an external ID.
    pub external_id: bool,
    /// Whether no two records share a value.
    pub unique: bool,
    /// Whether it is money, where the type does not say so.
    pub currency: bool,
    /// Whether it records a person's consent.
    pub consent: bool,
    /// Whether values that are not in the list are refused, where the type does not say so.
    pub restricted: bool,
    /// Whether the options live elsewhere although some are listed.
    pub external_options: bool,
    /// The objects whose ids it holds.
    pub references: Vec<String>,
    /// The relationship's name in paths.
    pub relationship: Option<String>,
    /// HubSpot: the object whose primary associated record's id stands here.
    pub primary_of: Option<String>,
    /// HubSpot: whether it holds the id of an owner.
    pub owner: bool,
    /// The options, in the vendor's order.
    pub options: Vec<DescribedOption>,
}

/// An option of a picklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedOption {
    /// The value stored and sent.
    pub value: String,
    /// What people see.
    pub label: String,
    /// Whether a new value may use it.
    pub active: bool,
    /// Whether it is a status of converted Leads.
    pub converted: bool,
}

/// A record type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribedRecordType {
    /// What people see.
    pub name: String,
    /// The API name.
    pub developer_name: String,
    /// Whether new records may use it.
    pub active: bool,
    /// Whether the integration's user gets it where a create names none.
    pub default: bool,
    /// The options that it allows, for the picklists that it restricts.
    pub picklists: Vec<(String, Vec<String>)>,
}
