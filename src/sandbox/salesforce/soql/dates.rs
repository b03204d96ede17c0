//! Date literals: names of stretches of time around the present day. Weeks begin on Sunday; the time zone is UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};

const PLAIN: [&str; 25] = [
    "YESTERDAY",
    "TODAY",
    "TOMORROW",
    "LAST_WEEK",
    "THIS_WEEK",
    "NEXT_WEEK",
    "LAST_MONTH",
    "THIS_MONTH",
    "NEXT_MONTH",
    "LAST_90_DAYS",
    "NEXT_90_DAYS",
    "THIS_QUARTER",
    "LAST_QUARTER",
    "NEXT_QUARTER",
    "THIS_YEAR",
    "LAST_YEAR",
    "NEXT_YEAR",
    "THIS_FISCAL_QUARTER",
    "LAST_FISCAL_QUARTER",
    "NEXT_FISCAL_QUARTER",
    "THIS_FISCAL_YEAR",
    "LAST_FISCAL_YEAR",
    "NEXT_FISCAL_YEAR",
    "LAST_30_DAYS",
    "NEXT_30_DAYS",
];

const NUMBERED: [&str; 15] = [
    "LAST_N_DAYS",
    "NEXT_N_DAYS",
    "N_DAYS_AGO",
    "LAST_N_WEEKS",
    "NEXT_N_WEEKS",
    "N_WEEKS_AGO",
    "LAST_N_MONTHS",
    "NEXT_N_MONTHS",
    "N_MONTHS_AGO",
    "LAST_N_QUARTERS",
    "NEXT_N_QUARTERS",
    "N_QUARTERS_AGO",
    "LAST_N_YEARS",
    "NEXT_N_YEARS",
    "N_YEARS_AGO",
];

/// Far more units than the years 1700 to 4000 have days.
const MAX_COUNT: i64 = 1_000_000;

pub(super) fn is_literal(name: &str) -> bool {
    PLAIN.contains(&name) || NUMBERED.contains(&name)
}

pub(super) fn needs_number(name: &str) -> bool {
    NUMBERED.contains(&name)
}

/// The first day of the stretch and the first day behind it.
pub(super) fn range(name: &str, number: Option<i64>, now: DateTime<Utc>) -> Option<(NaiveDate, NaiveDate)> {
    let today = now.date_naive();
    let count = number.unwrap_or(0);
    if !(0..=MAX_COUNT).contains(&count) {
        return None;
    }
    let name = name.replace("FISCAL_", "");
    // `LAST_90_DAYS` reaches through today; `LAST_N_DAYS:n` as well.
    match name.as_str() {
        "YESTERDAY" => unit_range("DAY", today, -1, 1),
        "TODAY" => unit_range("DAY", today, 0, 1),
        "TOMORROW" => unit_range("DAY", today, 1, 1),
        "LAST_90_DAYS" => unit_range("DAY", today, -90, 91),
        "NEXT_90_DAYS" => unit_range("DAY", today, 1, 90),
        "LAST_30_DAYS" => unit_range("DAY", today, -30, 31),
        "NEXT_30_DAYS" => unit_range("DAY", today, 1, 30),
        "LAST_N_DAYS" => unit_range("DAY", today, -count, count + 1),
        name => {
            if let Some(unit) = name.strip_prefix("LAST_N_").and_then(|unit| unit.strip_suffix('S')) {
                unit_range(unit, today, -count, count)
            } else if let Some(unit) = name.strip_prefix("NEXT_N_").and_then(|unit| unit.strip_suffix('S')) {
                unit_range(unit, today, 1, count)
            } else if let Some(unit) = name.strip_prefix("N_").and_then(|unit| unit.strip_suffix("S_AGO")) {
                unit_range(unit, today, -count, 1)
            } else if let Some(unit) = name.strip_prefix("LAST_") {
                unit_range(unit, today, -1, 1)
            } else if let Some(unit) = name.strip_prefix("THIS_") {
                unit_range(unit, today, 0, 1)
            } else {
                unit_range(name.strip_prefix("NEXT_")?, today, 1, 1)
            }
        }
    }
}

/// `count` units from the one that lies `offset` units away from the present one.
fn unit_range(unit: &str, today: NaiveDate, offset: i64, count: i64) -> Option<(NaiveDate, NaiveDate)> {
    let start = match unit {
        "DAY" => today,
        "WEEK" => today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_sunday())))?,
        "MONTH" => today.with_day(1)?,
        "QUARTER" => NaiveDate::from_ymd_opt(today.year(), (today.month0() / 3) * 3 + 1, 1)?,
        "YEAR" => NaiveDate::from_ymd_opt(today.year(), 1, 1)?,
        _ => return None,
    };
    Some((shift(unit, start, offset)?, shift(unit, start, offset.checked_add(count)?)?))
}

fn shift(unit: &str, from: NaiveDate, by: i64) -> Option<NaiveDate> {
    let days = |factor: u64| {
        let days = Days::new(by.unsigned_abs().checked_mul(factor)?);
        if by < 0 { from.checked_sub_days(days) } else { from.checked_add_days(days) }
    };
    let months = |factor: u32| {
        let months = Months::new(u32::try_from(by.unsigned_abs()).ok()?.checked_mul(factor)?);
        if by < 0 { from.checked_sub_months(months) } else { from.checked_add_months(months) }
    };
    match unit {
        "DAY" => days(1),
        "WEEK" => days(7),
        "MONTH" => months(1),
        "QUARTER" => months(3),
        _ => months(12),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn stretches_begin_and_end_where_the_reference_says() {
        // A Wednesday.
        let now = Utc.with_ymd_and_hms(2024, 5, 15, 13, 0, 0).unwrap();
        for (name, number, from, to) in [
            ("TODAY", None, "2024-05-15", "2024-05-16"),
            ("YESTERDAY", None, "2024-05-14", "2024-05-15"),
            ("THIS_WEEK", None, "2024-05-12", "2024-05-19"),
            ("LAST_WEEK", None, "2024-05-05", "2024-05-12"),
            ("LAST_MONTH", None, "2024-04-01", "2024-05-01"),
            ("NEXT_QUARTER", None, "2024-07-01", "2024-10-01"),
            ("THIS_FISCAL_YEAR", None, "2024-01-01", "2025-01-01"),
            ("LAST_N_DAYS", Some(3), "2024-05-12", "2024-05-16"),
            ("NEXT_N_DAYS", Some(3), "2024-05-16", "2024-05-19"),
            ("N_DAYS_AGO", Some(3), "2024-05-12", "2024-05-13"),
            ("LAST_N_MONTHS", Some(2), "2024-03-01", "2024-05-01"),
            ("N_YEARS_AGO", Some(1), "2023-01-01", "2024-01-01"),
        ] {
            let (start, end) = range(name, number, now).unwrap();
            assert_eq!((start.to_string().as_str(), end.to_string().as_str()), (from, to), "{name}");
            assert_eq!(needs_number(name), number.is_some());
        }
        for number in [-1, i64::MIN, i64::MAX] {
            assert_eq!(range("LAST_N_YEARS", Some(number), now), None);
        }
    }
}
