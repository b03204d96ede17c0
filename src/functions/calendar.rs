//! Local times of a zone, and dates by pattern.

use chrono::{
    DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
};
use chrono::{SecondsFormat, Timelike, Utc};
use chrono_tz::Tz;

use crate::types::{parse_date, quoted, text_length};

/// Whether ISO 8601 writes the year with four digits.
pub(super) fn writable(date: NaiveDate) -> bool {
    (1..=9999).contains(&date.year())
}

/// What the clocks of a zone show at an instant.
pub(super) fn local(instant: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    let offset = zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    let time = instant.naive_utc().checked_add_offset(offset).unwrap_or(instant.naive_utc());
    if writable(time.date()) { time } else { instant.naive_utc() }
}

/// The instant at which the clocks of a zone show a time: the earlier one where they do twice; where they never do, as
/// much later as the clock jumped.
pub(super) fn instant_at(time: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let instant = match zone.from_local_datetime(&time) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            let offset = before_gap(time, zone);
            time.checked_sub_offset(offset).unwrap_or(time).and_utc()
        }
    };
    if writable(instant.date_naive()) { instant } else { time.and_utc() }
}

/// The offset that held before the gap in which a local time lies.
fn before_gap(time: NaiveDateTime, zone: Tz) -> chrono::FixedOffset {
    /// No gap is longer than the day that Samoa left out in 2011, and none ends between quarters of an hour by enough to
    /// matter: any time before the gap has the offset wanted.
    const QUARTERS: i32 = 100;
    (1..=QUARTERS)
        .filter_map(|quarters| time.checked_sub_signed(TimeDelta::minutes(15 * i64::from(quarters))))
        .find_map(|before| zone.offset_from_local_datetime(&before).latest())
        .map_or_else(|| Utc.fix(), |offset| offset.fix())
}

/// An instant in ISO form with the offset of a zone.
pub(super) fn with_offset(instant: DateTime<Utc>, zone: Tz) -> String {
    let offset = zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    let time = local(instant, zone);
    // At the edge of the calendar, where the zone's own day cannot be written.
    let offset = if time == instant.naive_utc() { Utc.fix() } else { offset };
    DateTime::<chrono::FixedOffset>::from_naive_utc_and_offset(instant.naive_utc(), offset)
        .to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// Reads a time of day: `09:00`, `17:30:00`.
pub(super) fn parse_time(text: &str) -> Option<NaiveTime> {
    let mut parts = text.split(':');
    let mut part = || {
        let part = parts.next()?;
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())?
    };
    let (hour, minute) = (part()?, part()?);
    let second = if text.len() > 5 { part()? } else { 0 };
    if parts.next().is_some() {
        return None;
    }
    NaiveTime::from_hms_opt(hour, minute, second)
}

/// Reads a date and time without an offset: `2024-09-30T12:00:00`, also with a space for the `T`.
pub(super) fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let date = parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?.strip_prefix(['T', ' '])?;
    let (time, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return None;
    }
    // To the millisecond, as every instant.
    let ms = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(date.and_time(parse_time(time)?.overflowing_add_signed(TimeDelta::milliseconds(ms)).0))
}

/// A pattern of `format_date`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Part),
}

/// What a run of letters writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    ShortYear,
    MonthName,
    ShortMonthName,
    Month { width: usize },
    Day { width: usize },
    Weekday,
    ShortWeekday,
    Hour { width: usize },
    HourTo12 { width: usize },
    HalfDay,
    Minute,
    Second,
}

/// Why a text is no pattern.
#[derive(Debug)]
pub(super) struct Wrong {
    /// What is wrong.
    pub(super) message: String,
    /// What to write instead.
    pub(super) help: Option<String>,
}

/// The letters of patterns, for messages.
const LETTERS: &str = "the letters are `yyyy` `yy` `MMMM` `MMM` `MM` `M` `dd` `d` `EEEE` `EEE` `HH` `H` `hh` `h` `a` `mm` `ss`; \
                       other letters stand in single quotes";

impl Pattern {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (piece, length) = if first == '\'' {
                quoted_piece(rest)?
            } else if first.is_ascii_alphabetic() {
                let run = rest.find(|c| c != first).unwrap_or(rest.len());
                (Piece::Part(part(&rest[..run])?), run)
            } else {
                (Piece::Text(first.to_string()), first.len_utf8())
            };
            pieces.push(piece);
            rest = &rest[length..];
        }
        Ok(Self { pieces })
    }

    /// Whether it writes a time of day.
    pub(super) fn has_time(&self) -> bool {
        let time = |part: &Part| {
            matches!(
                part,
                Part::Hour { .. } | Part::HourTo12 { .. } | Part::HalfDay | Part::Minute | Part::Second
            )
        };
        self.pieces.iter().any(|piece| matches!(piece, Piece::Part(part) if time(part)))
    }

    /// The longest text that it writes.
    pub(super) fn max(&self) -> u32 {
        let length = |piece: &Piece| match piece {
            Piece::Text(text) => text_length(text),
            Piece::Part(part) => match part {
                Part::Year => 4,
                // September, Wednesday
                Part::MonthName | Part::Weekday => 9,
                Part::ShortMonthName | Part::ShortWeekday => 3,
                _ => 2,
            },
        };
        self.pieces.iter().map(length).sum::<usize>().try_into().unwrap_or(u32::MAX)
    }

    /// Writes a time by the pattern.
    pub(super) fn write(&self, time: NaiveDateTime) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Part(part) => out.push_str(&write_part(*part, time)),
            }
        }
        out
    }
}

/// Text in single quotes at the beginning of a pattern, and how long it is there. Two quotes are one, inside and outside.
fn quoted_piece(rest: &str) -> Result<(Piece, usize), Wrong> {
    if rest.starts_with("''") {
        return Ok((Piece::Text("'".to_owned()), 2));
    }
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != '\'' {
            text.push(character);
        } else if characters.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else {
            return Ok((Piece::Text(text), at + 1));
        }
    }
    Err(Wrong { message: "a single quote is not closed".to_owned(), help: Some(LETTERS.to_owned()) })
}

fn part(run: &str) -> Result<Part, Wrong> {
    Ok(match run {
        "yyyy" => Part::Year,
        "yy" => Part::ShortYear,
        "MMMM" => Part::MonthName,
        "MMM" => Part::ShortMonthName,
        "MM" | "M" => Part::Month { width: run.len() },
        "dd" | "d" => Part::Day { width: run.len() },
        "EEEE" => Part::Weekday,
        "EEE" => Part::ShortWeekday,
        "HH" | "H" => Part::Hour { width: run.len() },
        "hh" | "h" => Part::HourTo12 { width: run.len() },
        "a" => Part::HalfDay,
        "mm" => Part::Minute,
        "ss" => Part::Second,
        "YYYY" | "YY" | "DD" | "D" | "SS" => {
            let help = format!("write `{}`", run.to_lowercase());
            return Err(Wrong {
                message: format!("{} means nothing in a date pattern", quoted(run)),
                help: Some(help),
            });
        }
        _ => {
            let message = format!("{} means nothing in a date pattern", quoted(run));
            return Err(Wrong { message, help: Some(LETTERS.to_owned()) });
        }
    })
}

fn write_part(part: Part, time: NaiveDateTime) -> String {
    match part {
        Part::Year => format!("{:04}", time.year()),
        Part::ShortYear => format!("{:02}", time.year().rem_euclid(100)),
        Part::MonthName => time.format("%B").to_string(),
        Part::ShortMonthName => time.format("%b").to_string(),
        Part::Month { width } => format!("{:0width$}", time.month()),
        Part::Day { width } => format!("{:0width$}", time.day()),
        Part::Weekday => time.format("%A").to_string(),
        Part::ShortWeekday => time.format("%a").to_string(),
        Part::Hour { width } => format!("{:0width$}", time.hour()),
        Part::HourTo12 { width } => format!("{:0width$}", time.hour12().1),
        Part::HalfDay => if time.hour12().0 { "PM" } else { "AM" }.to_owned(),
        Part::Minute => format!("{:02}", time.minute()),
        Part::Second => format!("{:02}", time.second()),
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::{Pattern, instant_at, local, parse_local, parse_time, with_offset};
    use crate::types::{Value, display, parse_instant};

    fn at(time: &str, zone: &str) -> String {
        let zone: Tz = zone.parse().unwrap();
        display(&Value::DateTime(instant_at(parse_local(time).unwrap(), zone)))
    }

    #[test]
    fn skipped_and_repeated_times_are_settled() {
        for (time, zone, instant) in [
            ("2024-03-10T01:59:59", "America/New_York", "2024-03-10T06:59:59Z"),
            // 02:30 does not exist; the clock jumped by an hour, to 03:30.
            ("2024-03-10T02:30:00", "America/New_York", "2024-03-10T07:30:00Z"),
            // 01:30 happens twice; the earlier one is in summer time.
            ("2024-11-03T01:30:00", "America/New_York", "2024-11-03T05:30:00Z"),
            // Lord Howe Island jumps by half an hour.
            ("2024-10-06T02:15:00", "Australia/Lord_Howe", "2024-10-05T15:45:00Z"),
            // Samoa left out a whole day.
            ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T22:00:00Z"),
            // Clocks jump at midnight here, so the day begins at 01:00.
            ("2018-11-04T00:00:00", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ] {
            assert_eq!(at(time, zone), instant, "{time} {zone}");
        }
    }

    #[test]
    fn the_edges_of_the_calendar_hold() {
        for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"] {
            for time in ["0001-01-01T00:00:00", "9999-12-31T23:59:59"] {
                assert_eq!(at(time, zone).len(), 20);
            }
            let zone: Tz = zone.parse().unwrap();
            for instant in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"] {
                let instant = parse_instant(instant).unwrap();
                assert_eq!(local(instant, zone).format("%Y").to_string().len(), 4);
                assert!(with_offset(instant, zone).len() <= 29);
            }
        }
    }

    #[test]
    fn times_of_day_have_two_forms() {
        assert!(parse_time("09:00").is_some() && parse_time("23:59:59").is_some());
        for bad in ["9:00", "24:00", "09:60", "09:00:0", "0900", "09:00:00:00", "09:00 ", "", "09:0٠"] {
            assert!(parse_time(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn patterns_write_every_part() {
        let time = parse_local("2024-03-05T15:07:09").unwrap();
        for (pattern, written) in [
            ("yyyy-MM-dd", "2024-03-05"),
            ("d.M.yy", "5.3.24"),
            ("EEEE, d MMMM yyyy", "Tuesday, 5 March 2024"),
            ("EEE d MMM", "Tue 5 Mar"),
            ("HH:mm:ss", "15:07:09"),
            ("h:mm a", "3:07 PM"),
            ("hh 'o''clock'", "03 o'clock"),
            ("yyyy'Q'", "2024Q"),
            ("''yy", "'24"),
            ("dd日", "05日"),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.write(time), written);
            assert!(parsed.max() as usize >= written.encode_utf16().count(), "{pattern}");
        }
        for bad in ["YYYY-MM-DD", "yyy", "Q", "'open", "MMMMM", "T", "ddd", "'a''"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Pattern::parse("YYYY").unwrap_err().help.unwrap(), "write `yyyy`");
    }
}
