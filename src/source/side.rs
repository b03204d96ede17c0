//! The two CRMs, as every other module names them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which CRM. HubSpot always stands on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// HubSpot.
    Hubspot,
    /// Salesforce.
    Salesforce,
}

impl Side {
    /// Both, left first.
    pub const ALL: [Side; 2] = [Side::Hubspot, Side::Salesforce];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Hubspot => Side::Salesforce,
            Side::Salesforce => Side::Hubspot,
        }
    }

    /// As written in a `.map` file.
    pub fn word(self) -> &'static str {
        match self {
            Side::Hubspot => "hubspot",
            Side::Salesforce => "salesforce",
        }
    }

    /// As a person writes it.
    pub fn label(self) -> &'static str {
        match self {
            Side::Hubspot => "HubSpot",
            Side::Salesforce => "Salesforce",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An object of one CRM, by API name or alias.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectName {
    /// Which CRM.
    pub side: Side,
    /// The object's name in the snapshot.
    pub name: String,
}

impl ObjectName {
    /// Names an object.
    pub fn new(side: Side, name: impl Into<String>) -> Self {
        Self { side, name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.side, self.name)
    }
}
