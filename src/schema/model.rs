//! The object and field model.

use indexmap::IndexMap;

use crate::source::{FileId, Side, Span};

use super::{Labels, Owner};

/// Both snapshots of a project.
#[derive(Debug, Clone)]
pub struct Schemas {
    /// `schema/hubspot.yaml`
    pub hubspot: Schema,
    /// `schema/salesforce.yaml`
    pub salesforce: Schema,
}

impl Schemas {
    /// The snapshot of one CRM.
    pub fn side(&self, side: Side) -> &Schema {
        match side {
            Side::Hubspot => &self.hubspot,
            Side::Salesforce => &self.salesforce,
        }
    }
}

/// The snapshot of one CRM.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Which CRM.
    pub side: Side,
    /// The vendor's API version that it was taken with, as in its URLs (`v3`, `58.0`).
    pub api_version: String,
    /// The snapshot file.
    pub file: FileId,
    /// Objects by name or alias, in file order.
    pub objects: IndexMap<String, Object>,
    /// Who can own records, in file order; `None` where the snapshot does not say, and then nothing is judged by it.
    pub owners: Option<Vec<Owner>>,
}

/// An object (`contact`, `Lead`).
#[derive(Debug, Clone)]
pub struct Object {
    /// The name used in `.map` files.
    pub name: String,
    /// The vendor's name, where the name above is an alias (`2-345`); else the same.
    pub api_name: String,
    /// What people call it.
    pub label: String,
    /// HubSpot: the plural in URLs (`contacts`).
    pub plural: Option<String>,
    /// HubSpot: the `objectTypeId` (`0-1`).
    pub type_id: Option<String>,
    /// Salesforce: the first three characters of its ids (`00Q`).
    pub key_prefix: Option<String>,
    /// Fields by API name, in file order.
    pub fields: IndexMap<String, Field>,
    /// Record types, in file order; empty where the object has none.
    pub record_types: Vec<RecordType>,
    /// HubSpot: the labels of its associations, by the object to which they lead. Of other objects nothing is known.
    pub associations: IndexMap<String, Labels>,
    /// Salesforce: whether a lead conversion can end its life (only Lead).
    pub convertible: bool,
    /// HubSpot: the id of the event template, where records are events of a timeline. They are made, and never changed,
    /// searched or associated.
    pub timeline: Option<String>,
    /// The object's name in the snapshot.
    pub span: Span,
}

impl Object {
    /// A field by its exact API name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }
}

/// A field (Salesforce) or property (HubSpot).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the vendor's independent flags")]
pub struct Field {
    /// The API name.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// What it holds.
    pub kind: FieldType,
    /// Whether it may be blank.
    pub nillable: bool,
    /// Whether a create may set it.
    pub createable: bool,
    /// Whether an update may set it.
    pub updateable: bool,
    /// Whether the CRM fills it when a create leaves it out.
    pub defaulted_on_create: bool,
    /// Whether it is an external ID (Salesforce).
    pub external_id: bool,
    /// Whether records can be looked up by it.
    pub searchable: bool,
    /// Whether no two records share a value.
    pub unique: bool,
    /// Whether it is a formula or computed property.
    pub calculated: bool,
    /// Whether it is an amount of money, which means nothing without its currency.
    pub currency: bool,
    /// Whether it records a person's consent (an opt-out); these must not go back by accident.
    pub consent: bool,
    /// The options of a picklist, in order; empty for other kinds and where the list is elsewhere.
    pub options: Vec<PicklistOption>,
    /// HubSpot: the option list lives elsewhere (owners, pipelines), so any text may be an option.
    pub external_options: bool,
    /// The relationship's name for `Owner.Email` paths (`Owner`), where the field is a reference.
    pub relationship: Option<String>,
    /// HubSpot: the object whose primary associated record's id stands here (`associatedcompanyid`).
    pub primary_of: Option<String>,
    /// Whether it holds the id of an owner: one of HubSpot's owners, a user or a queue of Salesforce.
    pub owner: bool,
    /// The field's name in the snapshot.
    pub span: Span,
}

impl Field {
    /// Whether a create fails without a value.
    pub fn required_on_create(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }

    /// Whether nobody can write it.
    pub fn read_only(&self) -> bool {
        !self.createable && !self.updateable
    }
}

/// What a field holds. Lengths are in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// Text up to a length.
    Text {
        /// Longest value.
        max: u32,
    },
    /// A whole number of up to so many digits.
    Integer {
        /// Digits.
        digits: u32,
    },
    /// A decimal number.
    Decimal {
        /// Digits in all.
        precision: u32,
        /// Digits after the point.
        scale: u32,
    },
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// An instant.
    DateTime,
    /// A time of day.
    Time,
    /// One option of a list.
    Picklist {
        /// Whether values that are not in the list are refused.
        restricted: bool,
        /// Longest value.
        max: u32,
    },
    /// A set of options of a list.
    MultiPicklist {
        /// Whether values that are not in the list are refused.
        restricted: bool,
    },
    /// An e-mail address up to a length.
    Email {
        /// Longest value.
        max: u32,
    },
    /// A phone number as text up to a length.
    Phone {
        /// Longest value.
        max: u32,
    },
    /// A web address up to a length.
    Url {
        /// Longest value.
        max: u32,
    },
    /// The id of a record of one of these objects.
    Reference {
        /// The objects.
        to: Vec<String>,
    },
    /// The record's own id.
    Id,
    /// Something that a mapping cannot read or write (a compound address, a file); the vendor's name for it.
    Other(String),
}

/// An option of a picklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicklistOption {
    /// The value stored and sent.
    pub value: String,
    /// What people see.
    pub label: String,
    /// Whether a new value may use it.
    pub active: bool,
    /// Salesforce: whether it is a status of converted Leads (`IsConverted` of `LeadStatus`).
    pub converted: bool,
    /// Its place in the snapshot.
    pub span: Span,
}

/// A record type of an object.
#[derive(Debug, Clone)]
pub struct RecordType {
    /// What people see.
    pub name: String,
    /// The API name.
    pub developer_name: String,
    /// Whether new records may use it.
    pub active: bool,
    /// Whether the integration's user gets it where a create names none.
    pub default: bool,
    /// The options that it allows, for the picklist fields that it restricts.
    pub picklists: IndexMap<String, Vec<String>>,
    /// Its place in the snapshot.
    pub span: Span,
}
