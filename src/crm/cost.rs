//! How many calls a kind of work is, for so many records together.

use crate::source::Side;
use crate::types::{SideWork, Work};

use super::{hubspot, salesforce};

/// The calls that work for so many records takes, when all go well and each value is asked for once.
pub fn calls((side, work): SideWork, records: usize) -> usize {
    match (records, side) {
        (0, _) => 0,
        (_, Side::Hubspot) => hubspot::calls(work, records),
        (_, Side::Salesforce) => salesforce::calls(work, records),
    }
}

/// The calls of several kinds of work to one CRM.
pub fn calls_of(work: &[SideWork], side: Side, records: usize) -> usize {
    work.iter().filter(|(of, _)| *of == side).map(|work| calls(*work, records)).sum()
}

/// What a vendor allows, in words, where no account tells it.
pub fn limits_in_words(side: Side) -> &'static str {
    match side {
        Side::Hubspot => hubspot::LIMITS,
        Side::Salesforce => salesforce::LIMITS,
    }
}

/// Whether a kind of work is done once for a process, not for each batch.
pub fn once(work: Work) -> bool {
    work == Work::ReadLabels
}
