//! Groups notices, so that a thousand parked records are a few alerts. Pure: the time comes in as an argument.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{Notice, redacted};

/// Notices of one kind that follow the first within so long go together.
const WINDOW: TimeDelta = TimeDelta::minutes(1);

/// Records that an alert names; `parked list` names all.
const NAMED: usize = 10;

/// The version of the shape of alerts; it grows when a field changes its meaning.
const VERSION: u32 = 1;

/// What is delivered, as JSON. Fields that do not apply are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Alert {
    /// The version of this shape.
    pub version: u32,
    /// `pause_began`, `pause_ended`, `changes_unread`, `parked` or `store_failed`.
    pub kind: &'static str,
    /// When it happened; of several, the first.
    pub at: String,
    /// All of it in one sentence; chat services show a field of this name.
    pub text: String,
    /// The pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// The CRM that is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crm: Option<&'static str>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The object whose changes are not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// The file and line that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The field to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The CRM's codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the CRM said; only where the configuration permits it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// How many there were.
    pub count: u64,
    /// The first of the records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<AlertRecord>,
}

/// A record that an alert names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertRecord {
    /// Its object and id.
    pub record: String,
    /// The id that the log carries.
    pub correlation_id: String,
}

/// What was told and what is gathered.
#[derive(Debug)]
pub(super) struct Groups {
    personal_data: bool,
    groups: BTreeMap<String, Group>,
}

#[derive(Debug)]
struct Group {
    /// Until when more of its kind are gathered.
    until: DateTime<Utc>,
    gathered: Option<Alert>,
}

impl Groups {
    pub(super) fn new(personal_data: bool) -> Self {
        Self { personal_data, groups: BTreeMap::new() }
    }

    /// Takes a notice; the alert to deliver at once, if it is the first of its kind for a while.
    pub(super) fn add(&mut self, notice: Notice, now: DateTime<Utc>) -> Option<Alert> {
        let (key, alert) = alert(notice, now, self.personal_data);
        let Some(group) = self.groups.get_mut(&key) else {
            self.groups.insert(key, Group { until: now + WINDOW, gathered: None });
            return Some(alert);
        };
        match &mut group.gathered {
            None => group.gathered = Some(alert),
            Some(gathered) => {
                gathered.count += alert.count;
                let room = NAMED.saturating_sub(gathered.records.len());
                gathered.records.extend(alert.records.into_iter().take(room));
            }
        }
        None
    }

    /// What was gathered until now.
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Vec<Alert> {
        let mut due = Vec::new();
        self.groups.retain(|_, group| {
            if group.until > now {
                return true;
            }
            // Another minute begins only where there was more to tell.
            group.until = now + WINDOW;
            let gathered = group.gathered.take();
            let more = gathered.is_some();
            due.extend(gathered);
            more
        });
        due.into_iter().map(Alert::worded).collect()
    }

    /// Everything that is gathered, as the process ends.
    pub(super) fn rest(&mut self) -> Vec<Alert> {
        let groups = std::mem::take(&mut self.groups);
        groups.into_values().filter_map(|group| group.gathered).map(Alert::worded).collect()
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.groups.values().map(|group| group.until).min()
    }
}

impl Alert {
    /// The sentence with the number of records.
    fn worded(self) -> Self {
        let text = self.sentence();
        Self { text, ..self }
    }

    fn sentence(&self) -> String {
        let or = |text: &Option<String>| text.clone().unwrap_or_default();
        let (pair, reason) = (or(&self.pair), or(&self.reason));
        let line = self.line.as_ref().map_or_else(String::new, |line| format!(" ({line})"));
        let crm = self.crm.unwrap_or_default();
        match self.kind {
            "pause_began" => format!("{pair}: {crm} is left alone until {}: {reason}", or(&self.until)),
            "pause_ended" => format!("{pair}: {crm} is worked with again"),
            "changes_unread" => {
                format!("{pair}: the changes of {} cannot be read: {reason}", or(&self.object))
            }
            "parked" => {
                let records = if self.count == 1 { "record is" } else { "records are" };
                let mapping = or(&self.mapping);
                format!("{pair}: {} {records} parked by `{mapping}`: {reason}{line}", self.count)
            }
            _ => format!("the store cannot be written: {reason}"),
        }
    }
}

/// A notice as an alert, with the key of its kind.
fn alert(notice: Notice, now: DateTime<Utc>, personal_data: bool) -> (String, Alert) {
    let common = Alert { version: VERSION, at: now.to_rfc3339(), count: 1, ..Alert::default() };
    let (key, alert) = match notice {
        Notice::PauseBegan { pair, crm, reason, help, until, code } => (
            // Each pause is told: it began when work had gone on in between.
            format!("{pair} {crm} {reason} began {}", now.timestamp_micros()),
            Alert {
                kind: "pause_began",
                pair: Some(pair),
                crm: Some(crm.word()),
                until: Some(until.to_rfc3339()),
                reason: Some(reason.to_owned()),
                code,
                help: Some(help.into_owned()),
                ..common
            },
        ),
        Notice::PauseEnded { pair, crm, reason } => (
            format!("{pair} {crm} {reason} ended {}", now.timestamp_micros()),
            Alert {
                kind: "pause_ended",
                pair: Some(pair),
                crm: Some(crm.word()),
                reason: Some(reason.to_owned()),
                ..common
            },
        ),
        Notice::UnreadChanges { pair, crm, object, help, code } => (
            format!("{pair} {object} unread"),
            Alert {
                kind: "changes_unread",
                pair: Some(pair),
                crm: Some(crm.word()),
                object: Some(object),
                reason: Some("forbidden".to_owned()),
                code,
                help: Some(help.into_owned()),
                ..common
            },
        ),
        parked @ Notice::Parked { .. } => parked_alert(parked, common, personal_data),
        Notice::StoreFailed { error } => {
            let (reason, help) = (Some(error), Some("mapwright doctor".to_owned()));
            ("store".to_owned(), Alert { kind: "store_failed", reason, help, ..common })
        }
    };
    (key, alert.worded())
}

/// A parked record as an alert, without values unless they are permitted.
fn parked_alert(notice: Notice, common: Alert, personal_data: bool) -> (String, Alert) {
    let Notice::Parked { pair, mapping, record, correlation, reason, field, answer, code, line, help } =
        notice
    else {
        // INVARIANT: the only caller hands in a parked record.
        return (String::new(), common);
    };
    let plain = redacted(&reason);
    let shown = |text: String| if personal_data { text } else { redacted(&text) };
    let key = format!("{pair} {mapping} {plain} {}", line.as_deref().unwrap_or_default());
    let alert = Alert {
        kind: "parked",
        pair: Some(pair),
        mapping: Some(mapping),
        line,
        field,
        reason: Some(if personal_data { reason } else { plain }),
        code,
        answer: answer.filter(|_| personal_data),
        help: Some(help.map_or_else(|| "mapwright parked list".to_owned(), shown)),
        records: vec![AlertRecord { record, correlation_id: correlation }],
        ..common
    };
    (key, alert)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Side;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
    }

    fn parked(record: &str, reason: &str) -> Notice {
        Notice::Parked {
            pair: "main".to_owned(),
            mapping: "mql_to_lead".to_owned(),
            record: format!("hubspot.contact {record}"),
            correlation: "00ff".to_owned(),
            reason: reason.to_owned(),
            field: None,
            answer: Some("a person's words".to_owned()),
            code: None,
            line: Some("mql_to_lead.map:22".to_owned()),
            help: None,
        }
    }

    #[test]
    fn the_first_goes_at_once_and_the_others_together() {
        let mut groups = Groups::new(false);
        let first = groups.add(parked("0", "\"A\" has no translation"), at(0)).expect("at once");
        assert_eq!(first.count, 1);
        assert_eq!(
            first.text,
            "main: 1 record is parked by `mql_to_lead`: […] has no translation (mql_to_lead.map:22)"
        );
        for n in 1..30 {
            let notice = parked(&n.to_string(), &format!("\"{n}\" has no translation"));
            assert_eq!(groups.add(notice, at(n)), None, "one reason, whatever the value");
        }
        assert!(groups.add(parked("9", "no e-mail"), at(5)).is_some(), "another reason");
        assert!(groups.due(at(59)).is_empty());
        let later = groups.due(at(65));
        assert_eq!(later.len(), 1);
        assert_eq!((later[0].count, later[0].records.len()), (29, NAMED));
        assert!(later[0].text.contains("29 records are parked"), "{}", later[0].text);
        assert_eq!(later[0].at, at(1).to_rfc3339());
        // A second minute without any ends the group, so that the next goes at once again.
        assert!(groups.due(at(200)).is_empty());
        assert_eq!(groups.next(), None);
        assert!(groups.add(parked("1", "no e-mail"), at(201)).is_some());
    }

    #[test]
    fn answers_need_a_permission() {
        let with = |personal_data| {
            Groups::new(personal_data).add(parked("1", "\"A\" is too long"), at(0)).expect("at once")
        };
        assert_eq!((with(false).answer, with(false).reason.as_deref()), (None, Some("[…] is too long")));
        assert_eq!(with(true).answer.as_deref(), Some("a person's words"));
        assert_eq!(with(true).reason.as_deref(), Some("\"A\" is too long"));
    }

    #[test]
    fn what_is_gathered_is_told_at_the_end() {
        let mut groups = Groups::new(false);
        let failed = || Notice::StoreFailed { error: "disk full".to_owned() };
        assert!(groups.add(failed(), at(0)).is_some());
        assert_eq!(groups.add(failed(), at(1)), None);
        assert_eq!(groups.rest().len(), 1);
        assert!(groups.rest().is_empty());
    }

    #[test]
    fn every_pause_is_told() {
        let mut groups = Groups::new(false);
        for n in 0..3 {
            let ended = Notice::PauseEnded { pair: "main".to_owned(), crm: Side::Hubspot, reason: "limit" };
            assert!(groups.add(ended, at(n)).is_some());
        }
    }
}
