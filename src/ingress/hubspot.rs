//! HubSpot's webhook bodies, as events.
//!
//! HubSpot sends an array of up to a hundred events; one bare object is taken too, as some tools send it. The type
//! stands in `subscriptionType` (in HubSpot's table of fields: `eventType`). Ids come as numbers or as text.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::source::{ObjectName, Side};
use crate::store::{Incoming, NewEvent};
use crate::types::{ChangeEvent, ChangeKind};

use super::Portal;

/// The standard objects' type ids (HubSpot's docs, "CRM object type IDs"), for subscriptions named `object.*`.
const TYPE_IDS: [(&str, &str); 8] = [
    ("0-1", "contact"),
    ("0-2", "company"),
    ("0-3", "deal"),
    ("0-5", "ticket"),
    ("0-7", "product"),
    ("0-8", "line_item"),
    ("0-14", "quote"),
    ("0-136", "lead"),
];

/// Why a body holds no events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is not JSON, or nested beyond what JSON readers take.
    NotJson,
    /// It is JSON and no event.
    NotAnEvent {
        /// Which element, from 0.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// It is an array of nothing.
    Empty,
    /// An event of a portal that may not send here.
    UnknownPortal,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::NotJson => f.write_str("the body is not JSON"),
            BodyError::NotAnEvent { index, problem } => {
                write!(f, "element {index} is not an event: {problem}")
            }
            BodyError::Empty => f.write_str("the body holds no event"),
            BodyError::UnknownPortal => f.write_str("the portal is not configured"),
        }
    }
}

/// One event as it is sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notice {
    portal_id: Option<Id>,
    #[serde(alias = "eventType")]
    subscription_type: Option<String>,
    occurred_at: Option<Id>,
    object_id: Option<Id>,
    object_type_id: Option<String>,
    property_name: Option<String>,
    property_value: Option<serde_json::Value>,
    change_source: Option<String>,
    source_id: Option<Id>,
    primary_object_id: Option<Id>,
    #[serde(default)]
    merged_object_ids: Vec<Id>,
    new_object_id: Option<Id>,
    from_object_id: Option<Id>,
    to_object_id: Option<Id>,
    association_type: Option<String>,
    association_removed: Option<bool>,
}

/// A number, or a number as text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => Ok(Id(number.to_string())),
            serde_json::Value::String(text) if !text.is_empty() => Ok(Id(text)),
            _ => Err(serde::de::Error::custom("an id is a number or text")),
        }
    }
}

/// Reads a body that one of these portals signed.
pub(super) fn read(body: &[u8], portals: &[&Portal], now: DateTime<Utc>) -> Result<Vec<NewEvent>, BodyError> {
    let elements = elements(body)?;
    let mut events = Vec::with_capacity(elements.len());
    for (index, raw) in elements.iter().enumerate() {
        let notice: Notice = serde_json::from_str(raw.get())
            .map_err(|error| BodyError::NotAnEvent { index, problem: shape_problem(&error) })?;
        let problem = |text: &str| BodyError::NotAnEvent { index, problem: text.to_owned() };
        let id = notice.portal_id.as_ref().ok_or_else(|| problem("it has no `portalId`"))?;
        let portal = portals.iter().find(|portal| portal.portal_id.to_string() == id.0);
        let portal = portal.ok_or(BodyError::UnknownPortal)?;
        notice.events(portal, raw.get(), now, &mut events).map_err(problem)?;
    }
    Ok(events)
}

fn elements(body: &[u8]) -> Result<Vec<Box<RawValue>>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|_| BodyError::NotJson)?;
    let raw: Box<RawValue> = serde_json::from_str(text).map_err(|_| BodyError::NotJson)?;
    match raw.get().trim_start().as_bytes().first() {
        Some(b'[') => {
            let elements: Vec<Box<RawValue>> =
                serde_json::from_str(raw.get()).map_err(|_| BodyError::NotJson)?;
            if elements.is_empty() { Err(BodyError::Empty) } else { Ok(elements) }
        }
        _ => Ok(vec![raw]),
    }
}

/// What an outsider may know: not the value, which serde would quote.
fn shape_problem(error: &serde_json::Error) -> String {
    if error.is_data() { "a field has the wrong type".to_owned() } else { "it cannot be read".to_owned() }
}

impl Notice {
    /// Adds the events that this notice stands for: one, or one for each record that was merged away.
    fn events(
        &self,
        portal: &Portal,
        raw: &str,
        now: DateTime<Utc>,
        into: &mut Vec<NewEvent>,
    ) -> Result<(), &'static str> {
        let kind = self.subscription_type.as_deref().ok_or("it has no `subscriptionType`")?;
        let occurred_at = self.occurred_at()?;
        let new = |dedupe: String, incoming: Incoming| NewEvent {
            pair: portal.pair.clone(),
            dedupe,
            raw: raw.to_owned(),
            received_at: now,
            incoming,
        };
        let Some(changes) = self.changes(kind, occurred_at)? else {
            let reason = "a subscription type that nothing is done about".to_owned();
            into.push(new(self.dedupe(kind, "", occurred_at), Incoming::Ignored { reason, change: None }));
            return Ok(());
        };
        for change in changes {
            let dedupe = self.dedupe(kind, &change.record, occurred_at);
            let incoming = if self.is_own_write(portal) && can_be_ours(&change.kind) {
                Incoming::Own { change, state: BTreeMap::new() }
            } else {
                Incoming::Change(change)
            };
            into.push(new(dedupe, incoming));
        }
        Ok(())
    }

    fn occurred_at(&self) -> Result<DateTime<Utc>, &'static str> {
        let millis = self.occurred_at.as_ref().ok_or("it has no `occurredAt`")?;
        let millis: i64 = millis.0.parse().map_err(|_| "`occurredAt` is no time in milliseconds")?;
        DateTime::from_timestamp_millis(millis).ok_or("`occurredAt` is no time in milliseconds")
    }

    /// The changes, or `None` where the type is unknown.
    fn changes(
        &self,
        kind: &str,
        occurred_at: DateTime<Utc>,
    ) -> Result<Option<Vec<ChangeEvent>>, &'static str> {
        let Some((word, what)) = kind.split_once('.') else { return Ok(None) };
        let event = |record: &Id, kind: ChangeKind| ChangeEvent {
            object: ObjectName::new(Side::Hubspot, self.object(word)),
            record: record.0.clone(),
            kind,
            occurred_at,
        };
        let record = || self.object_id.as_ref().ok_or("it has no `objectId`");
        let kind = match what {
            "creation" => ChangeKind::Created,
            "deletion" => ChangeKind::Deleted,
            "restore" => ChangeKind::Restored,
            "privacyDeletion" => ChangeKind::PrivacyDeletion,
            "propertyChange" => ChangeKind::FieldChanged {
                field: self.property_name.clone().ok_or("it has no `propertyName`")?,
                value: self.property_value.as_ref().and_then(text),
            },
            "associationChange" => {
                let from = self
                    .from_object_id
                    .as_ref()
                    .or(self.object_id.as_ref())
                    .ok_or("it has no `fromObjectId`")?;
                let other = self.association_type.as_deref().and_then(associated_object);
                return Ok(Some(vec![event(from, ChangeKind::AssociationChanged { other })]));
            }
            "merge" => return self.merged(event).map(Some),
            _ => return Ok(None),
        };
        Ok(Some(vec![event(record()?, kind)]))
    }

    /// A merge may give the survivor a new id; then the record that was primary is gone as well.
    fn merged(
        &self,
        event: impl Fn(&Id, ChangeKind) -> ChangeEvent,
    ) -> Result<Vec<ChangeEvent>, &'static str> {
        let primary = self.primary_object_id.as_ref().or(self.object_id.as_ref());
        let primary = primary.ok_or("it has no `primaryObjectId`")?;
        let survivor = self.new_object_id.as_ref().unwrap_or(primary);
        let gone = self.merged_object_ids.iter().chain([primary]).filter(|id| *id != survivor);
        let mut changes: Vec<_> =
            gone.map(|id| event(id, ChangeKind::Merged { into: survivor.0.clone() })).collect();
        changes.dedup_by(|one, two| one.record == two.record);
        if changes.is_empty() { Err("it merges no record") } else { Ok(changes) }
    }

    fn object(&self, word: &str) -> String {
        if word != "object" {
            return word.to_owned();
        }
        let id = self.object_type_id.as_deref().unwrap_or(word);
        TYPE_IDS.iter().find(|(known, _)| *known == id).map_or(id, |(_, name)| name).to_owned()
    }

    /// HubSpot marks a write of an app so (captured: `changeSource: "INTEGRATION"`, `sourceId` the app's id as text).
    fn is_own_write(&self, portal: &Portal) -> bool {
        let source = self.source_id.as_ref().map(|id| id.0.as_str());
        self.change_source.as_deref() == Some("INTEGRATION")
            && portal.app_id.is_some_and(|app| source == Some(app.to_string().as_str()))
    }

    /// Equal for redeliveries of one event. HubSpot's `eventId` is not unique, so what happened is the key; a hash of
    /// it, so that a personal value does not stand in an index.
    fn dedupe(&self, kind: &str, record: &str, occurred_at: DateTime<Utc>) -> String {
        let id = |id: &Option<Id>| id.as_ref().map(|id| id.0.clone());
        let facts = serde_json::json!([
            id(&self.portal_id),
            kind,
            self.object_type_id,
            record,
            id(&self.object_id),
            self.property_name,
            self.property_value,
            occurred_at.timestamp_millis(),
            id(&self.from_object_id),
            id(&self.to_object_id),
            self.association_type,
            self.association_removed,
            id(&self.new_object_id),
        ]);
        hex::encode(Sha256::digest(facts.to_string()))
    }
}

/// Whether the engine makes such a change. It ends no record's life, so somebody else did, perhaps with the same token.
fn can_be_ours(kind: &ChangeKind) -> bool {
    matches!(
        kind,
        ChangeKind::Created | ChangeKind::FieldChanged { .. } | ChangeKind::AssociationChanged { .. }
    )
}

/// The other object of an association: HubSpot's docs show types such as `CONTACT_TO_COMPANY`.
fn associated_object(association_type: &str) -> Option<String> {
    let (_, to) = association_type.split_once("_TO_")?;
    let to = to.to_ascii_lowercase();
    TYPE_IDS.iter().any(|(_, name)| *name == to).then_some(to)
}

/// A property's value as text: HubSpot sends text, tools send what they like.
fn text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portal() -> Portal {
        let (secrets, public_url) = (Vec::new(), "https://a.example".parse().expect("a URL"));
        Portal {
            pair: "main".to_owned(),
            portal_id: 1,
            public_url,
            app_id: Some(50_780_459),
            secrets,
            require_v3: true,
        }
    }

    fn events(body: &str) -> Vec<NewEvent> {
        read(body.as_bytes(), &[&portal()], DateTime::UNIX_EPOCH).expect("events")
    }

    fn change(body: &str) -> ChangeEvent {
        match events(body).remove(0).incoming {
            Incoming::Change(change) => change,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_kind_of_notice() {
        let notice = |kind: &str, rest: &str| {
            format!(
                r#"{{"portalId": "1", "occurredAt": "1700000000000", "subscriptionType": "{kind}"{rest}}}"#
            )
        };
        let merged = r#", "primaryObjectId": 7, "mergedObjectIds": [8], "newObjectId": 9"#;
        for (body, object, record, kind) in [
            (notice("contact.creation", r#", "objectId": 5"#), "contact", "5", ChangeKind::Created),
            (notice("deal.deletion", r#", "objectId": "5""#), "deal", "5", ChangeKind::Deleted),
            (notice("company.restore", r#", "objectId": 5"#), "company", "5", ChangeKind::Restored),
            (
                notice("contact.privacyDeletion", r#", "objectId": 5"#),
                "contact",
                "5",
                ChangeKind::PrivacyDeletion,
            ),
            (
                notice(
                    "object.propertyChange",
                    r#", "objectId": 5, "objectTypeId": "0-1", "propertyName": "email""#,
                ),
                "contact",
                "5",
                ChangeKind::FieldChanged { field: "email".to_owned(), value: None },
            ),
            (
                notice("object.creation", r#", "objectId": 5, "objectTypeId": "2-123456""#),
                "2-123456",
                "5",
                ChangeKind::Created,
            ),
            (
                notice(
                    "contact.associationChange",
                    r#", "fromObjectId": 5, "toObjectId": 6, "associationType": "CONTACT_TO_COMPANY""#,
                ),
                "contact",
                "5",
                ChangeKind::AssociationChanged { other: Some("company".to_owned()) },
            ),
            (notice("contact.merge", merged), "contact", "8", ChangeKind::Merged { into: "9".to_owned() }),
        ] {
            let change = change(&body);
            assert_eq!((change.object.name.as_str(), change.record.as_str()), (object, record), "{body}");
            assert_eq!(change.kind, kind, "{body}");
        }
        let all = events(&notice("contact.merge", merged));
        assert_eq!(all.len(), 2, "a new id means that the primary is gone as well");
        assert_ne!(all[0].dedupe, all[1].dedupe);
    }

    #[test]
    fn the_type_may_stand_in_event_type() {
        let body = r#"[{"portalId": 1, "occurredAt": 1, "eventType": "contact.creation", "objectId": 5}]"#;
        assert_eq!(change(body).kind, ChangeKind::Created);
    }

    /// HubSpot tells both records of an association, each under its own subscription, and of one that is taken away too.
    #[test]
    fn both_ends_of_an_association_are_told_when_it_goes() {
        let notice = |object: &str, from: u32, to: u32, kind: &str| {
            format!(
                r#"{{"portalId": 1, "occurredAt": 1, "subscriptionType": "{object}.associationChange",
                    "fromObjectId": {from}, "toObjectId": {to}, "associationType": "{kind}",
                    "associationRemoved": true, "isPrimaryAssociation": false}}"#
            )
        };
        for (body, object, record, other) in [
            (notice("contact", 5, 6, "CONTACT_TO_COMPANY"), "contact", "5", "company"),
            (notice("company", 6, 5, "COMPANY_TO_CONTACT"), "company", "6", "contact"),
        ] {
            let change = change(&body);
            assert_eq!((change.object.name.as_str(), change.record.as_str()), (object, record));
            assert_eq!(change.kind, ChangeKind::AssociationChanged { other: Some(other.to_owned()) });
            let added = body.replace("\"associationRemoved\": true", "\"associationRemoved\": false");
            assert_ne!(events(&body)[0].dedupe, events(&added)[0].dedupe, "each is told");
        }
    }

    /// As captured from a portal.
    #[test]
    fn an_own_write_is_recognised() {
        let body = r#"{"eventId": 4101286121, "subscriptionId": 7562680, "portalId": 1, "appId": 50780459,
            "occurredAt": 1787843156000, "subscriptionType": "contact.propertyChange", "attemptNumber": 1,
            "objectId": 541935488729, "propertyName": "email", "propertyValue": "a@example.com",
            "changeSource": "INTEGRATION", "sourceId": "50780459"}"#;
        let own = |body: &str| matches!(events(body)[0].incoming, Incoming::Own { .. });
        assert!(own(body));
        assert!(!own(&body.replace("\"50780459\"", "\"1\"")));
        assert!(!own(&body.replace("INTEGRATION", "CRM_UI")));
        // The engine ends no record: whoever did so with its token is somebody else.
        for end in ["contact.deletion", "contact.restore", "contact.privacyDeletion"] {
            assert!(!own(&body.replace("contact.propertyChange", end)), "{end}");
        }
    }

    #[test]
    fn a_redelivery_has_the_same_key_and_nothing_else_has() {
        let body = r#"{"eventId": 1, "portalId": 1, "occurredAt": 1700000000000, "attemptNumber": 0, "objectId": 5,
            "subscriptionType": "contact.propertyChange", "propertyName": "city", "propertyValue": "Tempe"}"#;
        let key = |body: &str| events(body).remove(0).dedupe;
        for same in [("\"attemptNumber\": 0", "\"attemptNumber\": 3"), ("\"eventId\": 1", "\"eventId\": 2")] {
            assert_eq!(key(body), key(&body.replace(same.0, same.1)), "{same:?}");
        }
        for other in
            [("Tempe", "Mesa"), ("1700000000000", "1700000000001"), ("\"objectId\": 5", "\"objectId\": 6")]
        {
            assert_ne!(key(body), key(&body.replace(other.0, other.1)), "{other:?}");
        }
        assert!(!key(body).contains("Tempe"));
    }
}
