//! How often changes are asked for.

use std::time::Duration;

use indexmap::IndexMap;

use crate::yaml::{Entry, Kind};

use super::model::Poll;
use super::reading::Reading;

/// A change of Salesforce waits half a minute on average; an object costs 1,440 calls a day.
const EVERY: Duration = Duration::from_mins(1);

/// As long as a transaction of Salesforce may take (Apex governor limits): what it wrote at its beginning is seen at its
/// end.
const OVERLAP: Duration = Duration::from_mins(10);

/// Salesforce remembers deletions for 15 days; an interval or overlap beyond a day is a slip of the pen.
const LONGEST: Duration = Duration::from_hours(24);

/// How long what is dealt with is kept, where the file does not say: a quarter of a year, in which a question about a value
/// mostly comes.
pub(super) const KEEP: Duration = Duration::from_hours(90 * 24);

/// HubSpot sends a notice again for a day, and polls read back for up to a day: what is forgotten before would pass for new.
const SHORTEST_KEPT: u64 = 2;

/// What stands for "not at all".
const OFF: &str = "off";

impl Default for Poll {
    fn default() -> Self {
        Self { every: Some(EVERY), overlap: OVERLAP, mappings: IndexMap::new() }
    }
}

impl Reading<'_> {
    /// How often changes are asked for; what is left out is as in `defaults`.
    pub(super) fn poll(&self, entry: Option<&Entry>, defaults: Poll) -> Option<Poll> {
        let Some(entry) = entry else { return Some(defaults) };
        let mut keys = self.keys(entry, "`poll`")?;
        let every = keys.entry("every").map_or(Some(defaults.every), |entry| self.interval(entry));
        let overlap = keys.entry("overlap").map_or(Some(defaults.overlap), |entry| self.time(entry));
        let mappings = keys.entry("mappings").map(|entry| entry.value.entries("mappings", &self.problems));
        keys.finish();
        let mappings = match mappings {
            None => Some(defaults.mappings),
            Some(entries) => entries.map(|entries| self.intervals(entries)),
        };
        Some(Poll { every: every?, overlap: overlap?, mappings: mappings? })
    }

    fn intervals(&self, entries: &[Entry]) -> IndexMap<String, Duration> {
        let interval = |entry: &Entry| Some((entry.key.value.clone(), self.at_least_a_second(entry)?));
        entries.iter().filter_map(interval).collect()
    }

    /// How often something is done: a time, or `off`.
    #[expect(clippy::option_option, reason = "the outer is whether it could be read, the inner its value")]
    pub(super) fn interval(&self, entry: &Entry) -> Option<Option<Duration>> {
        if matches!(&entry.value.kind, Kind::Scalar { text, .. } if text == OFF) {
            return Some(None);
        }
        self.at_least_a_second(entry).map(Some)
    }

    /// For how long the store keeps what is dealt with: a number of days, or `off`.
    #[expect(clippy::option_option, reason = "the outer is whether it could be read, the inner its value")]
    pub(super) fn keep(&self, store: &Entry) -> Option<Option<Duration>> {
        let Kind::Map(entries) = &store.value.kind else { return Some(Some(KEEP)) };
        let Some(entry) = entries.iter().find(|entry| entry.key.value == "keep") else {
            return Some(Some(KEEP));
        };
        if matches!(&entry.value.kind, Kind::Scalar { text, .. } if text == OFF) {
            return Some(None);
        }
        let text = match &entry.value.kind {
            Kind::Scalar { text, .. } if text.bytes().all(|b| b.is_ascii_digit()) => text.clone(),
            _ => self.text(entry)?,
        };
        let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()).map(u64::from);
        match days {
            Some(days) if days >= SHORTEST_KEPT => Some(Some(Duration::from_hours(24 * days))),
            Some(_) => {
                let message = "a notice that comes again would pass for new".to_owned();
                self.bad(entry.value.span, message, "write at least `2d`");
                None
            }
            None => {
                let message = format!("`{text}` is no number of days");
                self.bad(
                    entry.value.span,
                    message,
                    "write a number of days (`90d`), or `off` to keep everything",
                );
                None
            }
        }
    }

    pub(super) fn at_least_a_second(&self, entry: &Entry) -> Option<Duration> {
        let time = self.time(entry)?;
        if time.is_zero() {
            let message = format!("`{}` would never rest", entry.key.value);
            self.bad(entry.value.span, message, "write at least `1s`");
            return None;
        }
        Some(time)
    }

    /// A time as a person writes it: `30s`, `5m`, `2h`.
    fn time(&self, entry: &Entry) -> Option<Duration> {
        let text = match &entry.value.kind {
            // A bare number is no text to YAML; what is missing is its unit.
            Kind::Scalar { text, .. } if text.bytes().all(|b| b.is_ascii_digit()) => text.clone(),
            _ => self.text(entry)?,
        };
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds = match &text[number.len()..] {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            _ => None,
        };
        let number = number.parse().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()));
        let time = number.zip(seconds).and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
        match time.map(Duration::from_secs) {
            Some(time) if time <= LONGEST => Some(time),
            Some(_) => {
                let message = format!("`{}` is longer than a day", entry.key.value);
                self.bad(entry.value.span, message, "write at most `24h`");
                None
            }
            None => {
                let message = format!("`{text}` is no length of time");
                self.bad(entry.value.span, message, "write a number and its unit: `30s`, `5m`, `2h`");
                None
            }
        }
    }
}
