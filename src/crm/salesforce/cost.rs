//! How many calls a kind of work is.

use super::{convert, records, write};
use crate::types::Work;

/// What Salesforce allows (its "API Request Limits and Allocations"); an organisation tells its own number.
pub(crate) const LIMITS: &str =
    "calls of a rolling day by edition and licences; `limits` of the organisation tells how many";

/// What a text that is looked up takes in the address of its query: an e-mail address of thirty characters or so.
const BYTES: usize = 44;

/// The calls for so many records together.
pub(crate) fn calls(work: Work, records: usize) -> usize {
    match work {
        Work::Read => records.div_ceil(records::IDS).div_ceil(records::QUERIES),
        Work::LookUp => {
            let texts = records::TEXTS.min(records::TEXT_BYTES / BYTES);
            records.div_ceil(texts).div_ceil(records::QUERIES)
        }
        Work::ReadHistory => records,
        Work::Write => records.div_ceil(write::ROWS),
        Work::Convert => records.div_ceil(convert::LEADS),
        // These are HubSpot's.
        Work::Owners | Work::ReadEvent | Work::ReadAssociations | Work::ReadLabels | Work::Associate => 0,
    }
}
