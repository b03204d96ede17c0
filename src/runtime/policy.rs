//! What a failed call means for the record and for its CRM.

use std::borrow::Cow;
use std::time::Duration;

use crate::types::{CrmError, CrmErrorKind};

use super::Settings;

/// Why a CRM is left alone that refuses our credentials.
pub(super) const UNAUTHORISED: &str = "unauthorised";

/// Why a CRM is left alone that lacks a permission.
pub(super) const FORBIDDEN: &str = "forbidden";

/// What to do about a failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Policy {
    /// Try the record again after a while; it counts as an attempt.
    Retry {
        /// After how long.
        after: Duration,
    },
    /// Leave the CRM alone for a while; no record is to blame.
    Pause {
        /// For how long.
        time: Duration,
        /// Why, as `/healthz` says it.
        reason: &'static str,
        /// What to do about it.
        help: Cow<'static, str>,
    },
    /// A person must look at the record.
    Park,
}

/// Decides about a failed call of a record with so many failed attempts behind it.
pub(super) fn decide(error: &CrmError, attempts: u32, jitter: f64, settings: &Settings) -> Policy {
    match error.kind {
        // An answer that is not understood is mostly a proxy's or a maintenance page, which passes.
        CrmErrorKind::Retry | CrmErrorKind::Garbled if attempts + 1 >= settings.max_attempts => Policy::Park,
        CrmErrorKind::Retry | CrmErrorKind::Garbled => Policy::Retry {
            after: backoff(attempts, jitter, settings).max(error.retry_after.unwrap_or_default()),
        },
        CrmErrorKind::Window => Policy::Pause {
            time: error.retry_after.unwrap_or(settings.window),
            reason: "limit",
            help: "the CRM's limit is used up; work goes on when its window opens".into(),
        },
        CrmErrorKind::Unauthorised => Policy::Pause {
            time: settings.credentials,
            reason: UNAUTHORISED,
            help: if error.without_login() {
                // Our own words: nobody has logged in, the key is another one, the token is another account's.
                error.message.clone().into()
            } else {
                "the CRM refuses the token; renew it in the configuration, or by `mapwright auth login`".into()
            },
        },
        CrmErrorKind::Forbidden => Policy::Pause {
            time: settings.credentials,
            reason: FORBIDDEN,
            help: "a scope or permission is missing; grant it in the CRM".into(),
        },
        CrmErrorKind::Version => Policy::Pause {
            time: settings.credentials,
            reason: "version",
            help: "the CRM does not offer the API version; correct `api_version:` or `api_path:` in the configuration, \
                   and start again"
                .into(),
        },
        CrmErrorKind::Refused => Policy::Park,
    }
}

/// The pause before the next attempt: doubled for each failed one, and a random half of it taken away.
pub(super) fn backoff(attempts: u32, jitter: f64, settings: &Settings) -> Duration {
    let doubled = settings.first_backoff.saturating_mul(2_u32.saturating_pow(attempts.min(30)));
    doubled.min(settings.max_backoff).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Side;

    fn error(kind: CrmErrorKind) -> CrmError {
        CrmError {
            side: Side::Salesforce,
            kind,
            status: None,
            code: None,
            message: "no".to_owned(),
            retry_after: None,
            maybe_applied: false,
        }
    }

    #[test]
    fn backs_off_up_to_a_bound() {
        let settings = Settings::default();
        let waits: Vec<u64> = (0..12).map(|n| backoff(n, 0.0, &settings).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(backoff(3, 1.0, &settings), Duration::from_secs(4));
        assert_eq!(backoff(u32::MAX, 0.0, &settings), settings.max_backoff);
    }

    #[test]
    fn the_vendor_may_ask_for_longer() {
        let mut asked = error(CrmErrorKind::Retry);
        asked.retry_after = Some(Duration::from_secs(90));
        let policy = decide(&asked, 0, 0.0, &Settings::default());
        assert_eq!(policy, Policy::Retry { after: Duration::from_secs(90) });
    }

    #[test]
    fn attempts_are_bounded_and_then_a_person_looks() {
        let settings = Settings { max_attempts: 3, ..Settings::default() };
        assert!(matches!(decide(&error(CrmErrorKind::Retry), 1, 0.0, &settings), Policy::Retry { .. }));
        assert_eq!(decide(&error(CrmErrorKind::Retry), 2, 0.0, &settings), Policy::Park);
        assert!(matches!(decide(&error(CrmErrorKind::Garbled), 1, 0.0, &settings), Policy::Retry { .. }));
        assert_eq!(decide(&error(CrmErrorKind::Garbled), 2, 0.0, &settings), Policy::Park);
    }

    #[test]
    fn a_missing_login_is_told_in_its_own_words() {
        let mut missing = error(CrmErrorKind::Unauthorised);
        missing.message = "nobody has logged in".to_owned();
        let help = |error: &CrmError| match decide(error, 0, 0.0, &Settings::default()) {
            Policy::Pause { reason: UNAUTHORISED, help, .. } => help.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(help(&missing), "nobody has logged in");
        missing.status = Some(401);
        assert!(help(&missing).contains("refuses the token"), "what the CRM says is for the log");
    }

    #[test]
    fn credentials_and_limits_blame_no_record() {
        let kinds = [
            CrmErrorKind::Window,
            CrmErrorKind::Unauthorised,
            CrmErrorKind::Forbidden,
            CrmErrorKind::Version,
        ];
        for kind in kinds {
            assert!(
                matches!(decide(&error(kind), 99, 0.0, &Settings::default()), Policy::Pause { .. }),
                "{kind:?}"
            );
        }
        assert_eq!(decide(&error(CrmErrorKind::Refused), 0, 0.0, &Settings::default()), Policy::Park);
    }
}
