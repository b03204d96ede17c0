//! What both sandbox servers share: the clock, the log of calls, injected faults, listening and stopping.

mod calls;
mod clock;
mod faults;
mod server;

pub use calls::{CallLog, CallRecord};
pub use clock::Clock;
pub use faults::{Fault, FaultMoment, Faults};
pub use server::{Running, listen};
