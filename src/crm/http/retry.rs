//! How often and how long a call waits before it is made again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The back-off inside one call; the queue owns every longer wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all; 1 never repeats.
    pub max_attempts: u32,
    /// The first wait; each further one is twice as long.
    pub base_delay: Duration,
    /// No wait is longer. When the vendor asks for more, the call fails at once and tells how long.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts; a wait that the vendor asks for may be as long as HubSpot's ten-second window.
    fn default() -> Self {
        Self { max_attempts: 3, base_delay: Duration::from_millis(500), max_delay: Duration::from_secs(11) }
    }
}

impl RetryPolicy {
    /// The wait after failed attempt `attempt` (from 1), or `None` when no further one is due.
    ///
    /// `jitter` is from 0 to 1 and spreads callers over the upper half of the wait, so that those who failed together
    /// do not come back together. The vendor's own wish is a lower bound.
    pub(super) fn wait(self, attempt: u32, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        if attempt >= self.max_attempts || asked.is_some_and(|asked| asked > self.max_delay) {
            return None;
        }
        let doubled = self.base_delay.saturating_mul(1_u32 << (attempt - 1).min(16)).min(self.max_delay);
        let spread = doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        Some(spread.max(asked.unwrap_or_default()))
    }
}

/// What `Retry-After` asks for: seconds, or a date that is measured against the answer's own `Date` (the vendor's
/// clock), and against `now` where it has none.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = http_date(text)?;
    let from = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?)).unwrap_or(now);
    Some((until - from).to_std().unwrap_or_default())
}

/// A time as HTTP's headers write it.
pub(super) fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn waits_double_and_stop() {
        let policy = RetryPolicy {
            max_attempts: 4,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(3),
        };
        assert_eq!(policy.wait(1, None, 1.0), Some(Duration::from_secs(1)));
        assert_eq!(policy.wait(1, None, 0.0), Some(Duration::from_millis(500)));
        assert_eq!(policy.wait(2, None, 1.0), Some(Duration::from_secs(2)));
        assert_eq!(policy.wait(3, None, 1.0), Some(Duration::from_secs(3)), "capped");
        assert_eq!(policy.wait(4, None, 1.0), None, "the last attempt");
    }

    #[test]
    fn the_vendor_may_ask_for_longer_but_not_for_too_long() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait(1, Some(Duration::from_secs(7)), 0.5), Some(Duration::from_secs(7)));
        assert_eq!(policy.wait(1, Some(Duration::from_mins(1)), 0.5), None);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = http_date("Sun, 06 Nov 1994 08:49:00 GMT").unwrap();
        assert_eq!(retry_after(&headers(&[("retry-after", "3")]), now), Some(Duration::from_secs(3)));
        let date = headers(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(retry_after(&date, now), Some(Duration::from_secs(37)));
        let both = headers(&[
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("date", "Sun, 06 Nov 1994 08:49:30 GMT"),
        ]);
        assert_eq!(retry_after(&both, now), Some(Duration::from_secs(7)), "the vendor's clock counts");
        let past = headers(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]);
        assert_eq!(retry_after(&past, now), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")]), now), None);
        assert_eq!(retry_after(&headers(&[("retry-after", "-1")]), now), None);
    }
}
