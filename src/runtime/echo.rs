//! Our own writes that come back as events, and how they are told from a person's edit.
//!
//! **Rule.** A sync's run leaves with its pair a digest of every field that it read or wrote, of both records. An event
//! made with our own token is an echo *for that sync* if the changed field is among them, and every field that the event
//! shows (a webhook shows one, a row of a poll all that are watched) is as the run left it. Then the record is as the sync
//! settled it, and the sync does not run. For every other mapping the event is one like any other.
//!
//! **In doubt** the sync runs: the run that settled the pair is not the last that looked at it, a value differs (somebody
//! edited the record, a workflow altered what we wrote, the CRM writes it in another way), the event is no change of a
//! field that the run knew.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::store::{LeasedEvent, LeasedLane, Met};
use crate::types::{ChangeEvent, ChangeKind};

/// The largest whole number that a double holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Tells whether a value is another one, and keeps no person's data: eight bytes of SHA-256, so that two values of one
/// field share it less often than a disk fails unnoticed. Blank is blank, and `100` is `100.0`.
pub(super) fn digest(value: Option<&Json>) -> String {
    let text = match value {
        None | Some(Json::Null) => return String::new(),
        Some(Json::String(text)) if text.is_empty() => return String::new(),
        Some(Json::Number(number)) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < EXACT => format!("{float:.0}"),
            _ => number.to_string(),
        },
        Some(value) => value.to_string(),
    };
    hex::encode(&Sha256::digest(text)[..8])
}

/// A lane's events without the echoes of a sync's run; `None` where there are none.
pub(super) fn without_echoes(lane: &LeasedLane, met: &Met) -> Option<Vec<ChangeEvent>> {
    let (echoes, others): (Vec<_>, Vec<_>) = lane.events.iter().partition(|event| is_echo(event, met));
    (!echoes.is_empty()).then(|| others.into_iter().map(|event| event.change.clone()).collect())
}

fn is_echo(event: &LeasedEvent, met: &Met) -> bool {
    let Some(state) = &event.own else { return false };
    let as_left = |field: &String, shown: &String| met.fields.get(field).is_none_or(|left| left == shown);
    if !state.iter().all(|(field, shown)| as_left(field, shown)) {
        return false;
    }
    match &event.change.kind {
        // The run has had the record in hand.
        ChangeKind::Created => true,
        ChangeKind::FieldChanged { field, value } => match (met.fields.get(field), value) {
            (Some(_), _) if state.contains_key(field) => true,
            (Some(left), Some(value)) => *left == digest(Some(&Json::String(value.clone()))),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::source::{ObjectName, Side};
    use crate::store::EventId;
    use crate::types::{Value, as_sent};

    fn met(fields: &[(&str, &str)]) -> Met {
        let fields = fields.iter().map(|(field, text)| ((*field).to_owned(), digest(Some(&json!(text)))));
        Met { mapping: "accounts".to_owned(), fields: fields.collect() }
    }

    fn event(own: Option<&[(&str, &str)]>, kind: ChangeKind) -> LeasedEvent {
        let (object, record) = (ObjectName::new(Side::Salesforce, "Account"), "001".to_owned());
        let change = ChangeEvent { object, record, kind, occurred_at: DateTime::UNIX_EPOCH };
        LeasedEvent { id: EventId(1), change, own: own.map(|fields| met(fields).fields) }
    }

    fn changed(field: &str, value: Option<&str>) -> ChangeKind {
        ChangeKind::FieldChanged { field: field.to_owned(), value: value.map(str::to_owned) }
    }

    #[test]
    fn only_what_is_as_the_run_left_it_is_an_echo() {
        let left = met(&[("Name", "Acme"), ("Phone", "555"), ("Fax", "")]);
        let echo = |own: Option<&[(&str, &str)]>, kind| is_echo(&event(own, kind), &left);
        // A webhook shows the changed field.
        assert!(echo(Some(&[]), changed("Name", Some("Acme"))));
        assert!(echo(Some(&[]), changed("Fax", Some(""))));
        assert!(!echo(None, changed("Name", Some("Acme"))), "a person's edit");
        assert!(!echo(Some(&[]), changed("Name", Some("ACME"))), "altered by a workflow");
        assert!(!echo(Some(&[]), changed("Name", None)), "the value is not told");
        assert!(!echo(Some(&[]), changed("City", Some("Tempe"))), "not read by the run");
        // A row of a poll shows all that is watched.
        let row = [("Name", "Acme"), ("Phone", "555"), ("City", "Tempe")];
        assert!(echo(Some(&row), changed("Name", None)));
        assert!(echo(Some(&row), ChangeKind::Created));
        let edited = [("Name", "Acme"), ("Phone", "556")];
        assert!(!echo(Some(&edited), changed("Name", None)), "somebody edited it before the poll");
        assert!(!echo(Some(&row), changed("City", None)));
        assert!(!echo(Some(&row), ChangeKind::AssociationChanged { other: None }));
        assert!(!echo(Some(&row), ChangeKind::Deleted));
    }

    #[test]
    fn a_written_value_is_digested_as_it_is_answered() {
        let same = |side, value: Value, answer: Json| {
            assert_eq!(digest(Some(&as_sent(side, &value))), digest(Some(&answer)), "{value:?}");
        };
        let number = |text: &str| Value::Number(text.parse().expect("a number"));
        for side in Side::ALL {
            same(side, Value::Blank, Json::Null);
            same(side, Value::text("Acme"), json!("Acme"));
            same(side, Value::List(vec![Value::text("a"), Value::text("b")]), json!("a;b"));
        }
        same(Side::Salesforce, number("100"), json!(100.0));
        same(Side::Salesforce, number("12.50"), json!(12.5));
        same(Side::Hubspot, number("100"), json!("100"));
        same(Side::Salesforce, Value::Boolean(true), json!(true));
        same(Side::Hubspot, Value::Boolean(true), json!("true"));
        let at = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        same(Side::Salesforce, Value::DateTime(at), json!("2023-11-14T22:13:20.000+0000"));
        assert_ne!(digest(Some(&json!("100"))), digest(Some(&json!("101"))));
        let read: BTreeMap<&str, String> = BTreeMap::from([("blank", digest(Some(&json!(""))))]);
        assert_eq!(read["blank"], digest(None));
    }
}
