//! Rate limits: a rolling window of ten seconds, a day's budget, and a second's searches.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::Limits;
use super::auth::Grant;
use super::error::ApiError;

/// Counts the calls of the account.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: Limits,
    calls: VecDeque<DateTime<Utc>>,
    searches: VecDeque<DateTime<Utc>>,
    day: i64,
    today: u32,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, calls: VecDeque::new(), searches: VecDeque::new(), day: 0, today: 0 }
    }

    /// The limits, to be changed.
    pub(super) fn limits(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Counts a call, or refuses it.
    pub(super) fn count(&mut self, search: bool, now: DateTime<Utc>) -> Result<(), ApiError> {
        let day = now.timestamp().div_euclid(86_400);
        if day != self.day {
            (self.day, self.today) = (day, 0);
        }
        if self.today >= self.limits.daily {
            return Err(refused("DAILY", "You have reached your daily limit."));
        }
        if search {
            forget(&mut self.searches, now - TimeDelta::seconds(1));
            if self.searches.len() >= self.limits.search_secondly as usize {
                return Err(refused("SECONDLY", "You have reached your secondly limit."));
            }
            self.searches.push_back(now);
        }
        forget(&mut self.calls, now - TimeDelta::seconds(10));
        if self.calls.len() >= self.limits.ten_secondly as usize {
            return Err(refused("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit."));
        }
        self.calls.push_back(now);
        self.today += 1;
        Ok(())
    }

    /// The headers of an answer: OAuth leaves the day out, searches have none.
    pub(super) fn headers(&self, grant: &Grant, search: bool) -> Vec<(&'static str, String)> {
        if search {
            return Vec::new();
        }
        let used = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        let mut headers = vec![
            ("X-HubSpot-RateLimit-Max", self.limits.ten_secondly.to_string()),
            ("X-HubSpot-RateLimit-Remaining", self.limits.ten_secondly.saturating_sub(used).to_string()),
            ("X-HubSpot-RateLimit-Interval-Milliseconds", "10000".to_owned()),
        ];
        if !matches!(grant, Grant::OAuth(_)) {
            let left = self.limits.daily.saturating_sub(self.today);
            headers.push(("X-HubSpot-RateLimit-Daily", self.limits.daily.to_string()));
            headers.push(("X-HubSpot-RateLimit-Daily-Remaining", left.to_string()));
        }
        headers
    }
}

fn forget(calls: &mut VecDeque<DateTime<Utc>>, before: DateTime<Utc>) {
    while calls.front().is_some_and(|at| *at <= before) {
        calls.pop_front();
    }
}

/// 429 of a policy.
pub(super) fn refused(policy: &str, message: &str) -> ApiError {
    ApiError::new(429, "RATE_LIMITS", message).extra("errorType", "RATE_LIMIT").extra("policyName", policy)
}
