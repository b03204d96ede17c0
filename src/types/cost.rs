//! What a project asks of both CRMs, as kinds of calls.

use crate::source::Side;

/// One kind of work that a run has a CRM do, for each of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Records are read by id.
    Read,
    /// Records are looked up by a value.
    LookUp,
    /// HubSpot's owners are listed.
    Owners,
    /// Events of a timeline are read, one by one.
    ReadEvent,
    /// The associations of records are read.
    ReadAssociations,
    /// The kinds of association between two objects are read, once for a process.
    ReadLabels,
    /// Records are written.
    Write,
    /// Records are associated.
    Associate,
    /// Leads are converted.
    Convert,
    /// When fields took their values is read.
    ReadHistory,
}

/// A kind of work of one CRM.
pub type SideWork = (Side, Work);
