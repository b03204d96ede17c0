//! Counters in Prometheus' text format.
//!
//! The recorder belongs to this value and is not installed for the process, so that several servers in one process
//! (tests, the demo) count apart.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::source::{ObjectName, Side};

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

const COUNTERS: [(&str, &str); 8] = [
    ("mapwright_alerts_total", "Alerts by what became of them."),
    ("mapwright_webhooks_total", "Webhook requests by what became of them."),
    ("mapwright_events_total", "Events by whether they were new, known or ignored."),
    ("mapwright_records_total", "Mappings run on records by how they ended."),
    (
        "mapwright_fields_dropped_total",
        "Fields left out of a write because the CRM refused them, by mapping and field.",
    ),
    ("mapwright_crm_calls_total", "HTTP calls made to a CRM."),
    ("mapwright_feed_pages_total", "Pages of changes asked for, by whether they were read."),
    (
        "mapwright_feed_changes_total",
        "Changes read, by whether they were new, known, or new and last written by ourselves.",
    ),
];

const GAUGES: [(&str, &str); 5] = [
    ("mapwright_lanes_pending", "Records with work to be done."),
    ("mapwright_events_pending", "Events acknowledged and not yet dealt with."),
    ("mapwright_parked", "Records that wait for a person."),
    ("mapwright_feed_lag_seconds", "How far the changes read are behind the CRM's clock at the last page."),
    ("mapwright_feed_last_poll_seconds", "When an object's changes were last read, in seconds since 1970."),
];

/// The engine's counters.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for (name, help) in COUNTERS {
            recorder.describe_counter(name.into(), Some(Unit::Count), help.into());
        }
        for (name, help) in GAUGES {
            let unit = if name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
            recorder.describe_gauge(name.into(), Some(unit), help.into());
        }
        let handle = recorder.handle();
        Self { recorder, handle }
    }
}

impl Metrics {
    /// Counts a webhook request; of a pair, where it is known whose it is.
    pub fn webhook(&self, pair: Option<&str>, result: &'static str) {
        let mut labels: Vec<Label> = pair.into_iter().map(of).collect();
        labels.push(Label::from_static_parts("result", result));
        self.add("mapwright_webhooks_total", labels, 1);
    }

    /// Counts events of one kind.
    pub fn events(&self, pair: &str, result: &'static str, count: u64) {
        self.add("mapwright_events_total", vec![of(pair), Label::from_static_parts("result", result)], count);
    }

    /// Counts a mapping that ended on a record.
    pub fn record(&self, pair: &str, verdict: &'static str) {
        self.add("mapwright_records_total", vec![of(pair), Label::from_static_parts("verdict", verdict)], 1);
    }

    /// Counts a field that was left out of a write.
    pub fn dropped(&self, pair: &str, mapping: &str, field: &str) {
        let label = |name: &'static str, value: &str| Label::new(name, value.to_owned());
        let labels = vec![of(pair), label("mapping", mapping), label("field", field)];
        self.add("mapwright_fields_dropped_total", labels, 1);
    }

    /// Counts an alert; one may tell of several pairs.
    pub fn alert(&self, result: &'static str) {
        self.add("mapwright_alerts_total", vec![Label::from_static_parts("result", result)], 1);
    }

    /// Says how many calls a CRM of a pair has had so far.
    pub fn crm_calls(&self, pair: &str, side: Side, total: u64) {
        let key =
            Key::from_parts("mapwright_crm_calls_total", vec![of(pair), Label::new("crm", side.word())]);
        self.recorder.register_counter(&key, &METADATA).absolute(total);
    }

    /// Counts a page of changes.
    pub fn poll(&self, pair: &str, side: Side, result: &'static str) {
        self.add("mapwright_feed_pages_total", of_side(pair, side, result), 1);
    }

    /// Counts a change that was read.
    pub fn polled(&self, pair: &str, side: Side, result: &'static str) {
        self.add("mapwright_feed_changes_total", of_side(pair, side, result), 1);
    }

    /// Says when an object's changes were read, and how far behind.
    #[expect(clippy::cast_precision_loss, reason = "a gauge; seconds since 1970 stay far below 2^52")]
    pub fn feed(&self, pair: &str, object: &ObjectName, now: DateTime<Utc>, lag: Duration) {
        for (name, value) in [
            ("mapwright_feed_lag_seconds", lag.as_secs_f64()),
            ("mapwright_feed_last_poll_seconds", now.timestamp() as f64),
        ] {
            let labels = vec![
                of(pair),
                Label::new("crm", object.side.word()),
                Label::new("object", object.name.clone()),
            ];
            self.recorder.register_gauge(&Key::from_parts(name, labels), &METADATA).set(value);
        }
    }

    /// Says what is pending for a pair.
    #[expect(clippy::cast_precision_loss, reason = "a gauge; counts stay far below 2^52")]
    pub fn pending(&self, pair: &str, pending: &crate::store::Pending) {
        for (name, value) in [
            ("mapwright_lanes_pending", pending.lanes),
            ("mapwright_events_pending", pending.events),
            ("mapwright_parked", pending.parked),
        ] {
            let key = Key::from_parts(name, vec![of(pair)]);
            self.recorder.register_gauge(&key, &METADATA).set(value as f64);
        }
    }

    /// Everything in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn add(&self, name: &'static str, labels: Vec<Label>, count: u64) {
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA).increment(count);
    }
}

/// The label of a pair.
fn of(pair: &str) -> Label {
    Label::new("pair", pair.to_owned())
}

fn of_side(pair: &str, side: Side, result: &'static str) -> Vec<Label> {
    vec![of(pair), Label::new("crm", side.word()), Label::from_static_parts("result", result)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pending;

    #[test]
    fn counts_apart_and_renders() {
        let (one, two) = (Metrics::default(), Metrics::default());
        one.webhook(Some("main"), "accepted");
        one.webhook(Some("main"), "accepted");
        one.crm_calls("main", Side::Hubspot, 7);
        one.pending("main", &Pending { lanes: 3, ..Pending::default() });
        let text = one.render();
        assert!(text.contains("mapwright_webhooks_total{pair=\"main\",result=\"accepted\"} 2"), "{text}");
        assert!(text.contains("mapwright_crm_calls_total{pair=\"main\",crm=\"hubspot\"} 7"), "{text}");
        assert!(text.contains("mapwright_lanes_pending{pair=\"main\"} 3"), "{text}");
        assert!(!two.render().contains("accepted"));
    }
}
