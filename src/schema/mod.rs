//! What both CRMs say about their objects and fields, from the checked-in snapshots `schema/*.yaml`.
//!
//! One model serves both vendors; each vendor's type names are read in its own file. Every object, field and option
//! knows its place in the YAML, so that a diagnostic can point at the half of a disagreement that lives there.
//!
//! The format is explained at the head of each shipped snapshot (`mappings/schema/*.yaml`): a file names its CRM and API
//! version, then its objects, then their fields, most of them one line each; what a vendor's type implies is not repeated.

mod associations;
mod compare;
mod described;
mod hubspot;
mod load;
mod model;
mod owners;
#[cfg(test)]
mod pulls;
mod render;
mod salesforce;
#[cfg(test)]
mod tests;
mod update;

pub use associations::{LabelChange, Labels, LabelsChange};
pub use compare::{Change, Weight, What, compare};
pub use described::{DescribedField, DescribedObject, DescribedOption, DescribedRecordType};
pub use load::load;
pub use model::{Field, FieldType, Object, PicklistOption, RecordType, Schema, Schemas};
pub use owners::{DescribedOwner, Owner, OwnersChange, Who};
pub use update::{Section, Taken, update};
