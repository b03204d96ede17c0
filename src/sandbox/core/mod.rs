//! What both sandbox servers share: the clock, the log of calls, injected faults, listening and stopping.

mod calls;
mod clock;
mod faults;
mod pkce;
mod server;

pub use calls::{CallLog, CallRecord};
pub use clock::{Clock, ClockSetting};
pub use faults::{Fault, FaultMoment, FaultUse, Faults, RecordFault, Side, Times};
pub use server::{Running, listen};

/// The answers of the line that a fault can name on either side.
pub const LINE_ANSWERS: &[&str] = &[
    "reset",
    "timeout",
    "late",
    "truncated_body",
    "slow_body",
    "wrong_content_type",
    "empty_body",
    "not_json",
    "maintenance_page",
    "redirect_http",
    "redirect_other_host",
];

pub(in crate::sandbox) use faults::{Parameters, Reply, Spoiler, Strike, Target, stem, unknown};
pub(in crate::sandbox) use pkce::proves;
pub(in crate::sandbox) use server::Line;
