//! The sandbox's clock: whatever the caller hands in, the system's by default; the side door can set, shift and stop it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Tells the time, in whole milliseconds as both vendors do. Clones are one clock.
#[derive(Clone)]
pub struct Clock {
    base: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    hand: Arc<Mutex<Hand>>,
}

/// What the side door did to a clock.
#[derive(Debug, Clone, Copy, Default)]
struct Hand {
    offset: TimeDelta,
    frozen: Option<DateTime<Utc>>,
}

/// What the side door is told to do with a clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockSetting {
    /// The present instant from now on; the clock runs on from there unless it is frozen.
    pub now: Option<DateTime<Utc>>,
    /// How far the clock is ahead of the machine's, in seconds; behind where it is negative.
    pub offset_seconds: Option<i64>,
    /// Whether it stands still.
    pub frozen: bool,
}

impl Clock {
    /// The system's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox is a server of its own, and this is its clock"
    )]
    pub fn system() -> Self {
        Self::new(Utc::now)
    }

    /// A clock that a test controls.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { base: Arc::new(now), hand: Arc::default() }
    }

    /// The present instant.
    pub fn now(&self) -> DateTime<Utc> {
        let hand = *self.hand();
        let running = || (self.base)().checked_add_signed(hand.offset).unwrap_or(DateTime::<Utc>::MAX_UTC);
        hand.frozen.unwrap_or_else(running).trunc_subsecs(3)
    }

    /// The present instant as HTTP's `Date` header writes it.
    pub fn http_date(&self) -> String {
        self.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Sets, shifts or stops it; a setting that says nothing lets it run with the machine's again.
    pub fn set(&self, setting: ClockSetting) {
        let base = (self.base)();
        let seconds = setting.offset_seconds.and_then(TimeDelta::try_seconds).unwrap_or_default();
        let offset = setting.now.map_or(seconds, |now| now - base);
        let frozen = setting.frozen.then(|| base.checked_add_signed(offset).unwrap_or(base));
        *self.hand() = Hand { offset, frozen };
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_shifted_set_and_stopped() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let start = at("2026-01-01T00:00:00Z");
        let seconds = Arc::new(Mutex::new(0));
        let ticking = Arc::clone(&seconds);
        let clock = Clock::new(move || start + TimeDelta::seconds(*ticking.lock().expect("no panic")));
        let same = clock.clone();
        clock.set(ClockSetting { offset_seconds: Some(-90), ..ClockSetting::default() });
        assert_eq!(same.now(), at("2025-12-31T23:58:30Z"));
        let noon = at("2026-06-01T12:00:00Z");
        clock.set(ClockSetting { now: Some(noon), ..ClockSetting::default() });
        *seconds.lock().expect("no panic") = 5;
        assert_eq!(clock.now(), noon + TimeDelta::seconds(5));
        clock.set(ClockSetting { now: Some(noon), frozen: true, ..ClockSetting::default() });
        *seconds.lock().expect("no panic") = 9;
        assert_eq!(clock.now(), noon);
        clock.set(ClockSetting::default());
        assert_eq!(same.now(), start + TimeDelta::seconds(9));
    }
}
