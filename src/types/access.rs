//! What a project does in both CRMs, as the rights that it takes.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::ObjectName;

/// The rights that a project needs, by object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The objects that it reads or writes.
    pub objects: BTreeMap<ObjectName, ObjectAccess>,
}

/// The rights on one object. Every object named is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectAccess {
    /// Whether records are made.
    pub create: bool,
    /// Whether records are changed, or associated.
    pub edit: bool,
    /// Whether records are converted (Leads).
    pub convert: bool,
    /// Its fields by name; true where one is written too.
    pub fields: BTreeMap<String, bool>,
    /// The mappings and syncs that need it.
    pub mappings: BTreeSet<String>,
}

impl Access {
    /// The rights on an object, which a mapping needs.
    pub fn object(&mut self, object: &ObjectName, mapping: &str) -> &mut ObjectAccess {
        let known = self.objects.entry(object.clone()).or_default();
        known.mappings.insert(mapping.to_owned());
        known
    }
}

impl ObjectAccess {
    /// Adds fields that are read.
    pub fn reads<'f>(&mut self, fields: impl IntoIterator<Item = &'f str>) {
        for field in fields {
            self.fields.entry(field.to_owned()).or_default();
        }
    }

    /// Adds fields that are read and written.
    pub fn writes<'f>(&mut self, fields: impl IntoIterator<Item = &'f str>) {
        for field in fields {
            self.fields.insert(field.to_owned(), true);
        }
    }
}
