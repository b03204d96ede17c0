//! The interpreter: a plan and records in, effects out. Pure: no I/O, no clock, no randomness.
//!
//! A [`Run`] carries one record through one mapping (and those it hands over to). It never performs anything: it says
//! what it needs as an [`Effect`], is told the [`Answer`], and goes on. So a preview, a test and production run the
//! same code, and a driver may advance many runs side by side and perform effects of one kind in one call.
//!
//! The order within a run: the source record, what the guards need of related records and look-ups, the guards, what the
//! ladder needs of them, the ladder, what the rules that apply need of them, the rules, the write, the conversion
//! of a Lead or the associations. Policies that read before they write use the record as the ladder found it, just before the write.

mod associate;
mod convert;
mod effect;
mod ends;
mod expression;
#[cfg(test)]
mod hostile;
mod ladder;
mod lookups;
mod offline;
mod outcome;
mod rules;
mod run;
mod sync;
#[cfg(test)]
mod testing;
mod trace;

pub use convert::would_become;
pub use effect::{
    Answer, Association, Conversion, ConversionEnd, Dropped, Effect, FieldChange, Finished, Made, Park,
    PlannedConversion, PlannedWrite, Synced, SyncedWrite, Verdict,
};
pub use expression::{Frame, Kept};
pub use offline::{Line, Lines, Offline, fields};
pub use rules::ALREADY_SO;
pub use run::Run;
pub use sync::SyncRun;
pub use trace::{Point, Trace};
