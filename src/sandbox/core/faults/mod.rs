//! Faults that a test or a script injects: what a real CRM answers on a bad day, before or after the work was done.
//!
//! - [`spec`]: how a fault is written.
//! - [`engine`]: which fault strikes which request, and how often each was used.
//! - [`wire`]: the faults of the line itself: resets, time-outs, bodies cut short.

mod engine;
mod spec;
mod wire;

pub use engine::{FaultUse, Faults};
pub use spec::{Fault, FaultMoment, RecordFault, Side, Times};

pub(in crate::sandbox) use engine::{Strike, Target};
pub(in crate::sandbox) use spec::Parameters;
pub(in crate::sandbox) use wire::{Reply, Spoiler, stem, unknown};
