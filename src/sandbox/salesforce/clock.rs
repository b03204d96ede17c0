//! How this server tells, writes and reads time.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Utc};

use crate::sandbox::core::Clock;

/// The years that Salesforce keeps (its SOAP guide, on the formats of dates).
const YEARS: RangeInclusive<i32> = 1700..=4000;

/// The present instant, to the second: Salesforce keeps no milliseconds in its own date-times.
pub(super) fn now(clock: &Clock) -> DateTime<Utc> {
    clock.now().trunc_subsecs(0)
}

/// An instant as HTTP's `Date` header writes it.
pub(super) fn http_date(instant: DateTime<Utc>) -> String {
    instant.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// An instant as the REST API writes it (`2011-07-07T00:37:00.000+0000`).
pub(super) fn stamp(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// Reads an instant in any of the forms that the API accepts, in the years that Salesforce keeps.
pub(super) fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    read_instant(text).filter(|instant| YEARS.contains(&instant.year()))
}

fn read_instant(text: &str) -> Option<DateTime<Utc>> {
    for format in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z"] {
        if let Ok(instant) = DateTime::parse_from_str(text, format) {
            return Some(instant.to_utc());
        }
    }
    if let Some(local) = text.strip_suffix('Z').or_else(|| text.strip_suffix('z')) {
        for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
            if let Ok(instant) = chrono::NaiveDateTime::parse_from_str(local, format) {
                return Some(instant.and_utc());
            }
        }
    }
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|local| local.and_utc())
}

/// Reads a calendar date written `YYYY-MM-DD`, in the years that Salesforce keeps.
pub(super) fn parse_date(text: &str) -> Option<NaiveDate> {
    if text.len() != 10 {
        return None;
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    YEARS.contains(&date.year()).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_form_and_written_in_one() {
        for text in [
            "2011-07-07T00:37:00.000+0000",
            "2011-07-07T00:37:00Z",
            "2011-07-07T02:37:00+02:00",
            "2011-07-07T00:37:00",
            "2011-07-06T17:37:00.000-0700",
        ] {
            let instant = parse_instant(text).map(stamp);
            assert_eq!(instant.as_deref(), Some("2011-07-07T00:37:00.000+0000"), "{text}");
        }
        for text in ["2017-10-17 00:00:00", "9999-01-01T00:00:00Z", "2017-10-17", ""] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_is_ten_characters() {
        assert!(parse_date("2024-09-30").is_some());
        for text in ["2024-9-30", "1727654400000", "2024-02-30", "0001-01-01"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
