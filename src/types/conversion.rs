//! The conversion of a record into others: a Lead that becomes an Account, a Contact and perhaps an Opportunity.

use serde::{Deserialize, Serialize};

use crate::source::ObjectName;

use super::{CrmError, FieldError};

/// Converts a Lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvertRequest {
    /// The Lead's object.
    pub object: ObjectName,
    /// The Lead's id.
    pub id: String,
    /// The status that it takes.
    pub status: String,
    /// The Account that it goes to; without it, one is made.
    pub account: Option<String>,
    /// The name of its Opportunity; without it, none is made.
    pub opportunity: Option<String>,
    /// Who owns what is made; without it, the Lead's owner.
    pub owner: Option<String>,
}

/// The records that a Lead became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvertedInto {
    /// The Account.
    pub account: String,
    /// The Contact.
    pub contact: String,
    /// The Opportunity, where one was made.
    pub opportunity: Option<String>,
}

/// What became of a conversion.
#[derive(Debug, Clone, PartialEq)]
pub enum ConvertAnswer {
    /// It took place.
    Converted(ConvertedInto),
    /// Somebody else has converted the Lead.
    Already {
        /// What the CRM said.
        message: String,
    },
    /// The Lead is not there any more.
    Gone {
        /// What the CRM said.
        message: String,
    },
    /// The CRM refuses it for good.
    Rejected {
        /// Each error.
        errors: Vec<FieldError>,
    },
    /// The call failed.
    Failed(CrmError),
}
