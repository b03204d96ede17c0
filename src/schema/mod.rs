//! What both CRMs say about their objects and fields, from the checked-in snapshots `schema/*.yaml`.
//!
//! One model serves both vendors; each vendor's type names are read in its own file. Every object, field and option
//! knows its place in the YAML, so that a diagnostic can point at the half of a disagreement that lives there.

mod hubspot;
mod load;
mod model;
mod salesforce;
#[cfg(test)]
mod tests;

pub use load::load;
pub use model::{Field, FieldType, Object, PicklistOption, RecordType, Schema, Schemas};
