//! What a vendor's answers say about the calls that are left.
//!
//! The headers differ by vendor and are read in each vendor's folder; this is the snapshot that a caller looks at.

use std::time::Duration;

/// The allowances as the latest answers told them; `None` where the vendor did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The short window (HubSpot: ten seconds).
    pub window: Option<Allowance>,
    /// The day (HubSpot: until midnight of the portal; Salesforce: a rolling day).
    pub daily: Option<Allowance>,
}

/// How many calls a window allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Calls allowed in all.
    pub max: u64,
    /// Calls left.
    pub remaining: u64,
    /// How long the window is.
    pub window: Duration,
}

impl Allowance {
    /// Calls already made.
    pub fn used(&self) -> u64 {
        self.max.saturating_sub(self.remaining)
    }
}

/// A day.
pub(super) const DAY: Duration = Duration::from_hours(24);
