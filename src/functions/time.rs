//! Dates and instants.
//!
//! An instant has no calendar day of its own, so everything between the two kinds takes a time zone, by its name in the
//! IANA database and as a literal. Where a clock is set back, a local time that happens twice is the earlier one; where it
//! is set forward, a local time that is skipped is as much later as the clock jumped.
//!
//! Dates and instants lie in the years 1 to 9999. A conversion at the very edge stops there.

use chrono::{Days, NaiveDate, NaiveTime};

use crate::types::{Borrowed, Failure, Type, Value, epoch_ms, parse_date, parse_instant, quoted};

use super::arguments::{
    any_blank, integer, is_text, meaningless, number, prepare_zone, shown, text, unexpected, wanted,
    wants_literal_text, wants_number, wants_zone, whole, zone,
};
use super::calendar::{Pattern, instant_at, local, parse_local, parse_time, with_offset, writable};
use super::{Argument, BASE, Example, Family, Function, Prepared, Problem, Signature};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "date",
        signature: "date(text or datetime, zone?) -> date",
        arity: (1, Some(2)),
        check: check_date,
        call: call_date,
        failure: Some("the text is not a date such as `2024-09-30`"),
        idempotent: true,
        doc: "The calendar date. Of an instant it is the day in that time zone, which has to be named. Text is read as \
              `2024-09-30`, or with a time zone also as a full date and time with its offset.",
        examples: &[
            Example { expression: r#""2024-09-30" | date"#, result: "2024-09-30" },
            Example {
                expression: r#""2024-09-30T02:00:00Z" | datetime | date("America/Phoenix")"#,
                result: "2024-09-29",
            },
            Example { expression: r#""30.09.2024" | date"#, result: "failure" },
        ],
        ..TIME
    },
    Function {
        name: "datetime",
        signature: "datetime(text or date, time?, zone?) -> datetime",
        arity: (1, Some(3)),
        check: check_datetime,
        call: call_datetime,
        failure: Some("the text is not a date and time such as `2024-09-30T12:00:00Z`"),
        idempotent: true,
        doc: "The instant. A calendar date needs a time of day and a time zone. Text is read as `2024-09-30T12:00:00Z`, and \
              with a time zone also without an offset.",
        examples: &[
            Example {
                expression: r#""2024-09-30T12:00:00+02:00" | datetime"#,
                result: "2024-09-30T10:00:00Z",
            },
            Example {
                expression: r#""2024-09-30" | date | datetime("09:00", "America/Phoenix")"#,
                result: "2024-09-30T16:00:00Z",
            },
            Example { expression: r#""30.09.2024 12:00" | datetime"#, result: "failure" },
        ],
        ..TIME
    },
    Function {
        name: "from_epoch_ms",
        signature: "from_epoch_ms(number) -> datetime",
        prepare: None,
        check: check_from_epoch,
        call: |values, _| from_epoch(values),
        failure: Some("the number is not whole, or lies outside the years 1 to 9999"),
        inverse: Some("to_epoch_ms"),
        doc: "The instant of so many milliseconds since the beginning of 1970 in UTC.",
        examples: &[
            Example { expression: "1727654400000 | from_epoch_ms", result: "2024-09-30T00:00:00Z" },
            Example { expression: "0.5 | from_epoch_ms", result: "failure" },
        ],
        ..TIME
    },
    Function {
        name: "to_epoch_ms",
        signature: "to_epoch_ms(datetime) -> integer",
        prepare: None,
        check: check_to_epoch,
        call: |values, _| to_epoch(values),
        inverse: Some("from_epoch_ms"),
        doc: "The milliseconds from the beginning of 1970 in UTC to the instant.",
        examples: &[Example {
            expression: r#""2024-09-30T00:00:00Z" | datetime | to_epoch_ms"#,
            result: "1727654400000",
        }],
        ..TIME
    },
    Function {
        name: "in_zone",
        signature: "in_zone(datetime, zone) -> text",
        arity: (1, Some(2)),
        check: check_in_zone,
        call: call_in_zone,
        doc: "Writes an instant as the clocks of a time zone show it, with the offset from UTC.",
        examples: &[Example {
            expression: r#""2024-09-30T02:00:00Z" | datetime | in_zone("America/Phoenix")"#,
            result: r#""2024-09-29T19:00:00-07:00""#,
        }],
        ..TIME
    },
    Function {
        name: "start_of_day",
        signature: "start_of_day(date or datetime, zone) -> datetime",
        arity: (1, Some(2)),
        check: check_start_of_day,
        call: call_start_of_day,
        idempotent: true,
        doc: "The instant at which the day begins in a time zone: of a date that day, of an instant the day that it falls on \
              there.",
        examples: &[Example {
            expression: r#""2024-09-30T02:00:00Z" | datetime | start_of_day("America/Phoenix")"#,
            result: "2024-09-29T07:00:00Z",
        }],
        ..TIME
    },
    Function {
        name: "add_days",
        signature: "add_days(date or datetime, integer, zone?) -> date or datetime",
        arity: (2, Some(3)),
        check: check_add_days,
        call: call_add_days,
        failure: Some("the number of days is not whole, or the result lies outside the years 1 to 9999"),
        doc: "The date so many days later, or earlier for a negative number. An instant moves to the same time of day in a \
              time zone, which has to be named.",
        examples: &[
            Example { expression: r#""2024-02-28" | date | add_days(2)"#, result: "2024-03-01" },
            Example {
                expression: r#""2024-03-09T17:00:00Z" | datetime | add_days(1, "America/New_York")"#,
                result: "2024-03-10T16:00:00Z",
            },
            Example { expression: r#""9999-12-31" | date | add_days(1)"#, result: "failure" },
        ],
        ..TIME
    },
    Function {
        name: "format_date",
        signature: "format_date(date or datetime, pattern, zone?) -> text",
        arity: (2, Some(3)),
        check: check_format,
        call: call_format,
        doc: "Writes a date by a pattern; an instant needs a time zone. The pattern's letters are `yyyy` `yy` year, `MMMM` \
              `MMM` `MM` `M` month, `dd` `d` day, `EEEE` `EEE` weekday, `HH` `H` hour, `hh` `h` hour to 12, `a` AM or PM, `mm` \
              minute, `ss` second. Names are English. Other letters stand in single quotes.",
        examples: &[
            Example {
                expression: r#""2024-09-30" | date | format_date("d MMMM yyyy")"#,
                result: r#""30 September 2024""#,
            },
            Example {
                expression: r#""2024-09-30T02:00:00Z" | datetime | format_date("dd.MM.yyyy HH:mm", "Europe/Berlin")"#,
                result: r#""30.09.2024 04:00""#,
            },
        ],
        ..TIME
    },
];

const TIME: Function = Function { family: Family::Time, prepare: Some(prepare_zone), ..BASE };

/// Words for a value that is neither a date nor an instant.
const DATE_OR_INSTANT: &str = "a date or a date and time";

/// The zone that an instant needs at this place.
fn needs_zone(arguments: &[Argument<'_>], at: usize, call: &str) -> Result<(), Problem> {
    if at < arguments.len() {
        return wants_zone(arguments, at);
    }
    let help = format!(
        "an instant falls on different days in different places: write `| {call}` with your time zone"
    );
    Err(Problem::Zone { argument: at, help })
}

/// A calendar date has no zone, so none may be named.
fn no_zone(arguments: &[Argument<'_>], at: usize) -> Result<(), Problem> {
    if at < arguments.len() {
        return Err(meaningless(
            at,
            "a calendar date is the same in every time zone",
            Some("leave the time zone out"),
        ));
    }
    Ok(())
}

/// The problem of a value that is neither a date nor an instant.
fn no_date(ty: &Type, instant_only: bool) -> Problem {
    let wanted_type = if instant_only { "a date and time" } else { DATE_OR_INSTANT };
    match ty {
        ty if is_text(ty) && instant_only => {
            wanted(0, wanted_type, Some("write `| datetime` to read the text as a date and time"))
        }
        ty if is_text(ty) => wanted(0, wanted_type, Some("write `| date` or `| datetime` to read the text")),
        Type::Integer(_) | Type::Decimal(_) => wanted(
            0,
            wanted_type,
            Some("write `| from_epoch_ms` if the number counts milliseconds since 1970"),
        ),
        Type::Date => wanted(
            0,
            wanted_type,
            Some("write `| start_of_day(\"UTC\")`, or `datetime` with a time of day and a zone"),
        ),
        _ => wanted(0, wanted_type, None),
    }
}

fn check_date(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let can_fail = match &arguments[0].typed.ty {
        Type::Date => no_zone(arguments, 1).map(|()| false)?,
        Type::DateTime => needs_zone(arguments, 1, "date(\"America/Phoenix\")").map(|()| false)?,
        Type::Nothing | Type::Error => false,
        ty if is_text(ty) => {
            if arguments.len() > 1 {
                wants_zone(arguments, 1)?;
            }
            !matches!(arguments[0].literal, Some(Value::Text(text)) if parse_date(text).is_some())
        }
        ty => return Err(no_date(ty, false)),
    };
    Ok(Signature::of(arguments, Type::Date, can_fail))
}

fn call_date<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    match &values[0] {
        Value::Date(date) => Ok(Value::Date(*date)),
        Value::DateTime(instant) => Ok(Value::Date(local(*instant, zone(values, 1, prepared)?).date())),
        Value::Text(text) => match (parse_date(text), parse_instant(text)) {
            (Some(date), _) => Ok(Value::Date(date)),
            (None, Some(instant)) if values.len() > 1 => {
                Ok(Value::Date(local(instant, zone(values, 1, prepared)?).date()))
            }
            (None, Some(_)) => Err(Failure::new(format!(
                "{} is an instant, and which day it falls on depends on the time zone",
                quoted(text)
            ))),
            (None, None) => Err(Failure::new(format!("{} is not a date such as `2024-09-30`", quoted(text)))),
        },
        other => Err(unexpected(Some(other), "a date")),
    }
}

fn check_datetime(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let can_fail = match &arguments[0].typed.ty {
        Type::DateTime => no_zone_for_instant(arguments).map(|()| false)?,
        Type::Date => check_date_to_datetime(arguments).map(|()| false)?,
        Type::Nothing | Type::Error => false,
        ty if is_text(ty) => check_text_to_datetime(arguments)?,
        Type::Integer(_) | Type::Decimal(_) => return Err(no_date(&arguments[0].typed.ty, false)),
        _ => return Err(wanted(0, "text or a date", None)),
    };
    Ok(Signature::of(arguments, Type::DateTime, can_fail))
}

fn no_zone_for_instant(arguments: &[Argument<'_>]) -> Result<(), Problem> {
    if arguments.len() > 1 {
        return Err(meaningless(1, "this is an instant already", Some("leave `datetime` out")));
    }
    Ok(())
}

fn check_date_to_datetime(arguments: &[Argument<'_>]) -> Result<(), Problem> {
    if arguments.len() < 3 {
        let help = "a calendar date has no time of day: write `| datetime(\"09:00\", \"America/Phoenix\")` with a time and \
                    your time zone";
        return Err(Problem::Zone { argument: arguments.len(), help: help.to_owned() });
    }
    if let Some(time) = wants_literal_text(arguments, 1)?
        && parse_time(time).is_none()
    {
        let message = format!("{} is not a time of day", quoted(time));
        return Err(meaningless(1, message, Some("write it as `09:00` or `17:30:00`")));
    }
    wants_zone(arguments, 2)
}

/// Whether the text can be something else than an instant.
fn check_text_to_datetime(arguments: &[Argument<'_>]) -> Result<bool, Problem> {
    if arguments.len() > 2 {
        let help = "write `| date` before it to read the text as a date";
        return Err(meaningless(0, "a time of day goes with a date, and this is text", Some(help)));
    }
    if arguments.len() > 1 {
        wants_zone(arguments, 1)?;
    }
    Ok(!matches!(arguments[0].literal, Some(Value::Text(text)) if parse_instant(text).is_some()))
}

fn call_datetime<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    match &values[0] {
        Value::DateTime(instant) => Ok(Value::DateTime(*instant)),
        Value::Date(date) => {
            let time =
                parse_time(text(values, 1)?).ok_or_else(|| unexpected(values.get(1), "a time of day"))?;
            Ok(Value::DateTime(instant_at(date.and_time(time), zone(values, 2, prepared)?)))
        }
        Value::Text(text) => {
            if let Some(instant) = parse_instant(text) {
                return Ok(Value::DateTime(instant));
            }
            match parse_local(text) {
                Some(time) if values.len() > 1 => {
                    Ok(Value::DateTime(instant_at(time, zone(values, 1, prepared)?)))
                }
                Some(_) => {
                    Err(Failure::new(format!("{} has no offset from UTC and no time zone", quoted(text))))
                }
                None => Err(Failure::new(format!(
                    "{} is not a date and time such as `2024-09-30T12:00:00Z`",
                    quoted(text)
                ))),
            }
        }
        other => Err(unexpected(Some(other), "a date and time")),
    }
}

fn check_from_epoch(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_number(arguments, 0)?;
    let fine = arguments[0].literal.and_then(whole).and_then(epoch_ms).is_some();
    Ok(Signature::of(arguments, Type::DateTime, !fine))
}

fn from_epoch<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    number(values, 0)?;
    let instant = values.first().and_then(whole).and_then(epoch_ms);
    let message =
        || format!("{} milliseconds since 1970 is not an instant in the years 1 to 9999", shown(&values[0]));
    instant.map(Value::DateTime).ok_or_else(|| Failure::new(message()))
}

fn check_to_epoch(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    match &arguments[0].typed.ty {
        // 9999 ends 253,402,300,799,999 milliseconds after 1970.
        Type::DateTime | Type::Nothing | Type::Error => {
            Ok(Signature::of(arguments, Type::Integer(Some(15)), false))
        }
        ty => Err(no_date(ty, true)),
    }
}

fn to_epoch<'a>(values: &[Borrowed<'a>]) -> Result<Borrowed<'a>, Failure> {
    match values.first() {
        Some(Value::DateTime(instant)) => Ok(Value::Number(instant.timestamp_millis().into())),
        other => Err(unexpected(other, "a date and time")),
    }
}

fn check_in_zone(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    match &arguments[0].typed.ty {
        Type::DateTime => needs_zone(arguments, 1, "in_zone(\"America/Phoenix\")")?,
        Type::Nothing | Type::Error => {}
        ty => return Err(no_date(ty, true)),
    }
    // `2024-09-30T12:00:00.123+02:00`
    Ok(Signature::of(arguments, Type::Text(Some(29)), false))
}

fn call_in_zone<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    match &values[0] {
        Value::DateTime(instant) => Ok(Value::text(with_offset(*instant, zone(values, 1, prepared)?))),
        other => Err(unexpected(Some(other), "a date and time")),
    }
}

fn check_start_of_day(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    match &arguments[0].typed.ty {
        Type::Date | Type::DateTime => needs_zone(arguments, 1, "start_of_day(\"America/Phoenix\")")?,
        Type::Nothing | Type::Error => {}
        ty => return Err(no_date(ty, false)),
    }
    Ok(Signature::of(arguments, Type::DateTime, false))
}

fn call_start_of_day<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let zone = zone(values, 1, prepared)?;
    let day = match &values[0] {
        Value::Date(date) => *date,
        Value::DateTime(instant) => local(*instant, zone).date(),
        other => return Err(unexpected(Some(other), DATE_OR_INSTANT)),
    };
    Ok(Value::DateTime(instant_at(day.and_time(NaiveTime::MIN), zone)))
}

fn check_add_days(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_number(arguments, 1)?;
    let ty = match &arguments[0].typed.ty {
        Type::Date => no_zone(arguments, 2).map(|()| Type::Date)?,
        Type::DateTime => {
            needs_zone(arguments, 2, "add_days(N, \"America/Phoenix\")").map(|()| Type::DateTime)?
        }
        ty @ (Type::Nothing | Type::Error) => ty.clone(),
        ty => return Err(no_date(ty, false)),
    };
    Ok(Signature::of(arguments, ty, true))
}

fn call_add_days<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let days = integer(values, 1)?;
    let far =
        || Failure::new(format!("{days} days from {} lies outside the years 1 to 9999", shown(&values[0])));
    match &values[0] {
        Value::Date(date) => add(*date, days).map(Value::Date).ok_or_else(far),
        Value::DateTime(instant) => {
            let zone = zone(values, 2, prepared)?;
            let time = local(*instant, zone);
            let day = add(time.date(), days).ok_or_else(far)?;
            Ok(Value::DateTime(instant_at(day.and_time(time.time()), zone)))
        }
        other => Err(unexpected(Some(other), DATE_OR_INSTANT)),
    }
}

fn add(date: NaiveDate, days: i64) -> Option<NaiveDate> {
    let distance = Days::new(days.unsigned_abs());
    let moved = if days < 0 { date.checked_sub_days(distance) } else { date.checked_add_days(distance) };
    moved.filter(|date| writable(*date))
}

fn check_format(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let pattern = match wants_literal_text(arguments, 1)? {
        Some(text) => {
            Some(Pattern::parse(text).map_err(|wrong| meaningless(1, wrong.message, wrong.help.as_deref()))?)
        }
        None => None,
    };
    match &arguments[0].typed.ty {
        Type::Date => {
            no_zone(arguments, 2)?;
            if pattern.as_ref().is_some_and(Pattern::has_time) {
                let help = Some("leave the letters for hours, minutes and seconds out");
                return Err(meaningless(1, "a calendar date has no time of day", help));
            }
        }
        Type::DateTime => needs_zone(arguments, 2, "format_date(\"yyyy-MM-dd HH:mm\", \"America/Phoenix\")")?,
        Type::Nothing | Type::Error => {}
        ty => return Err(no_date(ty, false)),
    }
    Ok(Signature::of(arguments, Type::Text(pattern.map(|pattern| pattern.max())), false))
}

fn call_format<'a>(values: &mut [Borrowed<'a>], prepared: &Prepared) -> Result<Borrowed<'a>, Failure> {
    if any_blank(values) {
        return Ok(Value::Blank);
    }
    let pattern = Pattern::parse(text(values, 1)?).map_err(|wrong| Failure::new(wrong.message))?;
    let time = match &values[0] {
        Value::Date(date) => date.and_time(NaiveTime::MIN),
        Value::DateTime(instant) => local(*instant, zone(values, 2, prepared)?),
        other => return Err(unexpected(Some(other), DATE_OR_INSTANT)),
    };
    Ok(Value::text(pattern.write(time)))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{call, check_literals, check_typed, date, instant, number, text};
    use crate::functions::{Prepared, Problem, find};
    use crate::types::{Type, Typed, Value};

    fn check(name: &str, ty: Type, rest: &[Value]) -> Result<(Typed, bool), Problem> {
        check_typed(name, &Typed::maybe(ty), rest).map(|signature| (signature.result, signature.can_fail))
    }

    #[test]
    fn dates_come_from_text_and_instants() {
        assert_eq!(call("date", &[text("2024-09-30")]), Ok(date("2024-09-30")));
        let late = text("2024-09-30T23:30:00-07:00");
        assert_eq!(call("date", &[late.clone(), text("America/Phoenix")]), Ok(date("2024-09-30")));
        assert_eq!(call("date", &[late.clone(), text("Europe/Berlin")]), Ok(date("2024-10-01")));
        assert!(call("date", &[late]).unwrap_err().message.contains("depends on the time zone"));
        let close = instant("2024-10-01T05:00:00Z");
        assert_eq!(call("date", &[close, text("America/Phoenix")]), Ok(date("2024-09-30")));
        let failure = call("date", &[text("1727654400000")]).unwrap_err();
        assert_eq!(failure.message, "`1727654400000` is not a date such as `2024-09-30`");
        assert_eq!(call("date", &[Value::Blank]), Ok(Value::Blank));
    }

    #[test]
    fn an_instant_has_no_day_without_a_zone() {
        for (name, rest) in [
            ("date", vec![]),
            ("in_zone", vec![]),
            ("start_of_day", vec![]),
            ("add_days", vec![number("1")]),
            ("format_date", vec![text("yyyy")]),
        ] {
            let problem = check(name, Type::DateTime, &rest).unwrap_err();
            let Problem::Zone { argument, help } = problem else { panic!("{name}: {problem:?}") };
            assert_eq!(argument, rest.len() + 1);
            assert!(help.contains(name), "{help}");
        }
        assert!(matches!(
            check("datetime", Type::Date, &[text("09:00")]),
            Err(Problem::Zone { argument: 2, .. })
        ));
        assert_eq!(check("date", Type::DateTime, &[text("UTC")]), Ok((Typed::maybe(Type::Date), false)));
        assert_eq!(check("date", Type::Date, &[]), Ok((Typed::maybe(Type::Date), false)));
        assert_eq!(check("date", Type::Text(None), &[]), Ok((Typed::maybe(Type::Date), true)));
        assert!(!check_literals("date", &[text("2024-09-30")]).unwrap().can_fail);
    }

    #[test]
    fn zones_are_checked_by_name() {
        let problem = check("date", Type::DateTime, &[text("America/Phoenx")]).unwrap_err();
        let Problem::Meaning { argument: 1, message, help: Some(help) } = problem else {
            panic!("{problem:?}")
        };
        assert_eq!(message, "there is no time zone `America/Phoenx`");
        assert_eq!(help, "did you mean `America/Phoenix`?");
        assert!(matches!(
            check("date", Type::Date, &[text("UTC")]),
            Err(Problem::Meaning { argument: 1, .. })
        ));
        let prepare = find("date").unwrap().prepare.unwrap();
        assert!(matches!(prepare(&[None, Some(&text("UTC"))]), Prepared::Zone(_)));
    }

    #[test]
    fn instants_come_from_text_and_dates() {
        let nine = [date("2024-09-30"), text("09:00"), text("America/Phoenix")];
        assert_eq!(call("datetime", &nine), Ok(instant("2024-09-30T16:00:00Z")));
        let local = [text("2024-09-30 09:00:00"), text("Europe/Berlin")];
        assert_eq!(call("datetime", &local), Ok(instant("2024-09-30T07:00:00Z")));
        let local = [text("2024-09-30T09:00:00.25"), text("UTC")];
        assert_eq!(call("datetime", &local), Ok(instant("2024-09-30T09:00:00.250Z")));
        let failure = call("datetime", &[text("2024-09-30T09:00:00")]).unwrap_err();
        assert!(failure.message.contains("no time zone"));
        assert!(call("datetime", &[text("tomorrow")]).is_err());
        let problem = check("datetime", Type::Date, &[text("9am"), text("UTC")]).unwrap_err();
        assert!(matches!(problem, Problem::Meaning { argument: 1, .. }));
        let problem = check("datetime", Type::Integer(None), &[]).unwrap_err();
        assert!(matches!(problem, Problem::Type { argument: 0, help: Some(_), .. }));
    }

    #[test]
    fn epochs_go_both_ways() {
        let midnight = instant("2024-09-30T00:00:00Z");
        assert_eq!(call("from_epoch_ms", &[number("1727654400000")]), Ok(midnight.clone()));
        assert_eq!(call("from_epoch_ms", &[number("-1")]), Ok(instant("1969-12-31T23:59:59.999Z")));
        for bad in ["1.5", "253402300800000", "-62135596800001", "79228162514264337593543950335"] {
            assert!(call("from_epoch_ms", &[number(bad)]).is_err(), "{bad}");
        }
        assert_eq!(call("to_epoch_ms", &[midnight]), Ok(number("1727654400000")));
        assert!(matches!(check("to_epoch_ms", Type::Date, &[]), Err(Problem::Type { help: Some(_), .. })));
    }

    #[test]
    fn days_are_counted_on_the_calendar() {
        assert_eq!(call("add_days", &[date("2024-02-28"), number("2")]), Ok(date("2024-03-01")));
        assert_eq!(call("add_days", &[date("2024-03-01"), number("-1")]), Ok(date("2024-02-29")));
        for days in ["9223372036854775807", "-9223372036854775808", "4000000", "1.5"] {
            assert!(call("add_days", &[date("2024-01-01"), number(days)]).is_err(), "{days}");
        }
        // Over the change to summer time the same time of day is 23 hours later.
        let noon = [instant("2024-03-30T11:00:00Z"), number("1"), text("Europe/Berlin")];
        assert_eq!(call("add_days", &noon), Ok(instant("2024-03-31T10:00:00Z")));
    }

    #[test]
    fn a_day_begins_in_its_zone() {
        let begins = |value, zone| call("start_of_day", &[value, text(zone)]);
        assert_eq!(begins(date("2024-09-30"), "America/Phoenix"), Ok(instant("2024-09-30T07:00:00Z")));
        let evening = instant("2024-09-30T02:00:00Z");
        assert_eq!(begins(evening, "America/Phoenix"), Ok(instant("2024-09-29T07:00:00Z")));
        assert_eq!(begins(date("2018-11-04"), "America/Sao_Paulo"), Ok(instant("2018-11-04T03:00:00Z")));
    }

    #[test]
    fn formats_are_checked_and_have_a_length() {
        let pattern = [text("d MMMM yyyy")];
        let typed = Typed::maybe(Type::Text(Some(17)));
        assert_eq!(check("format_date", Type::Date, &pattern), Ok((typed, false)));
        for wrong in ["HH:mm", "DD"] {
            let problem = check("format_date", Type::Date, &[text(wrong)]).unwrap_err();
            assert!(matches!(problem, Problem::Meaning { argument: 1, .. }), "{problem:?}");
        }
        let shown = call("in_zone", &[instant("2024-06-30T12:00:00.5Z"), text("Asia/Kolkata")]);
        assert_eq!(shown, Ok(text("2024-06-30T17:30:00.500+05:30")));
    }
}
