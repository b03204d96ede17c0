//! How many calls a kind of work is.

use super::{associations, records, timeline, write};
use crate::types::Work;

/// What HubSpot allows (its "API usage guidelines").
pub(crate) const LIMITS: &str =
    "100, 190 or 250 calls in ten seconds for a private app, by subscription; 5 searches a second";

/// The calls for so many records together.
pub(crate) fn calls(work: Work, records: usize) -> usize {
    match work {
        Work::Read => records.div_ceil(records::BATCH),
        Work::LookUp => records.div_ceil(records::SEARCH_VALUES),
        // Those that are there and, where one is not among them, those that left.
        Work::Owners => 2,
        // There is no batch of these.
        Work::ReadEvent | Work::ReadHistory => records,
        Work::ReadAssociations => records.div_ceil(associations::READS),
        Work::ReadLabels => 1,
        Work::Write => records.div_ceil(write::BATCH).max(records.div_ceil(timeline::BATCH)),
        Work::Associate => records.div_ceil(associations::BATCH),
        // Only Salesforce converts.
        Work::Convert => 0,
    }
}
