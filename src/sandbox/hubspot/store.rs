//! The portal: records with their history, and every change to them.
//!
//! All changes go through [`Portal`], whoever makes them: it keeps the computed properties and the unique values right and
//! leaves the events for the webhooks in its outbox.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::auth::Tokens;
use super::catalog::{Catalog, ObjectType, instant};
use super::links::Links;
use super::owners::Owner;
use super::pipelines::{Pipeline, standard_pipelines};
use super::timeline::Timeline;
use super::validate::{Outside, parse_instant};
use super::webhooks::{Event, WebhookApp};
use super::{Actor, HubspotConfig};
use crate::sandbox::core::Clock;

/// New records get ids from here on, so that seeded ids stay free.
const FIRST_ID: u64 = 100_001;

/// Values to set, in order; the empty text clears.
pub(super) type Values = IndexMap<String, String>;

/// Everything that one HubSpot account holds.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) id: u64,
    pub(super) app: u64,
    /// Where the server listens, for links in answers.
    pub(super) base_url: String,
    pub(super) clock: Clock,
    pub(super) merge_mints_id: bool,
    pub(super) search_lag: TimeDelta,
    pub(super) catalog: Catalog,
    pub(super) tables: HashMap<String, Table>,
    pub(super) links: Links,
    pub(super) owners: Vec<Owner>,
    pub(super) pipelines: IndexMap<String, Vec<Pipeline>>,
    pub(super) tokens: Tokens,
    pub(super) webhooks: WebhookApp,
    pub(super) timeline: Timeline,
    /// What the app's tokens may do.
    pub(super) scopes: Vec<String>,
    pub(super) outbox: Vec<Event>,
    next_id: u64,
}

/// The records of one type.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) records: BTreeMap<u64, Record>,
    /// Ids that a merge retired, and the record that they became.
    merged: HashMap<u64, u64>,
    /// Unique properties: value (lower case) to record.
    unique: HashMap<String, HashMap<String, u64>>,
}

/// A record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: u64,
    /// Properties that hold something.
    pub(super) properties: BTreeMap<String, String>,
    /// All values that each property had, newest first.
    pub(super) history: BTreeMap<String, Vec<Version>>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) archived_at: Option<DateTime<Utc>>,
}

/// One value in a property's history.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) value: String,
    pub(super) at: DateTime<Utc>,
    pub(super) actor: Actor,
}

impl Table {
    /// Whether an id is or was in use.
    fn knows(&self, id: u64) -> bool {
        self.records.contains_key(&id) || self.merged.contains_key(&id)
    }
}

impl Record {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}

impl Version {
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "value": self.value,
            "timestamp": instant(self.at),
            "sourceType": self.actor.change_source,
        });
        if let Some(source) = &self.actor.source_id {
            body["sourceId"] = source.clone().into();
        }
        body
    }
}

impl Portal {
    /// An empty portal with the standard schema.
    pub(super) fn new(config: &HubspotConfig) -> Self {
        Self {
            id: config.portal_id,
            app: config.app_id,
            base_url: format!("http://127.0.0.1:{}", config.port),
            clock: config.clock.clone(),
            merge_mints_id: config.merge_mints_id,
            search_lag: config.search_lag,
            catalog: Catalog::standard(),
            tables: HashMap::new(),
            links: Links::default(),
            owners: Vec::new(),
            pipelines: standard_pipelines(),
            tokens: Tokens::new(config),
            webhooks: WebhookApp::new(config),
            timeline: Timeline::default(),
            scopes: config.scopes.clone(),
            outbox: Vec::new(),
            next_id: FIRST_ID,
        }
    }

    /// A record that is not archived, by id; an id that a merge retired finds the surviving record.
    pub(super) fn live(&self, kind: &str, id: u64) -> Option<&Record> {
        let table = self.tables.get(kind)?;
        let mut id = id;
        while let Some(survivor) = table.merged.get(&id) {
            id = *survivor;
        }
        table.records.get(&id).filter(|record| record.archived_at.is_none())
    }

    /// A record that is not archived, by id or by the value of a unique property.
    pub(super) fn find(&self, object: &ObjectType, key: &str, id_property: Option<&str>) -> Option<&Record> {
        match id_property {
            None | Some("hs_object_id") => self.live(&object.id, key.trim().parse().ok()?),
            Some(name) => self.live(&object.id, self.holder(object, name, key)?),
        }
    }

    /// The record that holds a value of a unique property.
    pub(super) fn holder(&self, object: &ObjectType, name: &str, value: &str) -> Option<u64> {
        let unique = self.tables.get(&object.id)?.unique.get(name)?;
        unique.get(&value.trim().to_lowercase()).copied()
    }

    /// The lists that values are checked against and that live outside the properties.
    pub(super) fn with_outside<T>(&self, object: &ObjectType, check: impl FnOnce(&Outside<'_>) -> T) -> T {
        let owners: Vec<String> =
            self.owners.iter().filter(|o| !o.archived).map(|owner| owner.id.clone()).collect();
        let pipelines = self.pipelines.get(&object.id).map(Vec::as_slice).unwrap_or_default();
        let pipelines = pipelines.iter().filter(|pipeline| !pipeline.archived);
        let pipelines = pipelines.map(|pipeline| (pipeline.id.clone(), pipeline.stage_ids()));
        let pipelines: Vec<_> = pipelines.collect();
        check(&Outside { owners: &owners, pipelines: &pipelines })
    }

    /// Creates a record from checked values and gives its id.
    pub(super) fn insert(
        &mut self,
        object: &ObjectType,
        id: Option<u64>,
        values: Values,
        actor: &Actor,
    ) -> u64 {
        let now = self.clock.now();
        let id = id.unwrap_or_else(|| self.fresh_id());
        let record = Record {
            id,
            properties: BTreeMap::new(),
            history: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            archived_at: None,
        };
        self.tables.entry(object.id.clone()).or_default().records.insert(id, record);
        self.outbox.push(Event::record(object, "creation", id, now, actor).flag("CREATED"));
        let values = completed(object, id, values, actor, now);
        self.set(object, id, &values, actor, now);
        id
    }

    /// Changes a record and gives the names of the properties that have a new value.
    pub(super) fn update(
        &mut self,
        object: &ObjectType,
        id: u64,
        values: &Values,
        actor: &Actor,
    ) -> Vec<String> {
        let now = self.clock.now();
        self.set(object, id, values, actor, now)
    }

    /// Archives a record; its associations go with it.
    pub(super) fn archive(&mut self, object: &ObjectType, id: u64, actor: &Actor) -> bool {
        let now = self.clock.now();
        let Some(table) = self.tables.get_mut(&object.id) else { return false };
        let Some(record) = table.records.get_mut(&id).filter(|record| record.archived_at.is_none()) else {
            return false;
        };
        record.archived_at = Some(now);
        for values in table.unique.values_mut() {
            values.retain(|_, holder| *holder != id);
        }
        self.links.remove_record(&object.id, id);
        self.outbox.push(Event::record(object, "deletion", id, now, actor).flag("DELETED"));
        true
    }

    /// Takes a record out of the recycle bin.
    pub(super) fn restore(&mut self, object: &ObjectType, id: u64, actor: &Actor) -> bool {
        let now = self.clock.now();
        let Some(table) = self.tables.get_mut(&object.id) else { return false };
        let Some(record) = table.records.get_mut(&id).filter(|record| record.archived_at.is_some()) else {
            return false;
        };
        record.archived_at = None;
        for (name, value) in &record.properties {
            if object.identifies(name) {
                table.unique.entry(name.clone()).or_default().entry(value.to_lowercase()).or_insert(id);
            }
        }
        self.outbox.push(Event::record(object, "restore", id, now, actor).flag("RESTORED"));
        true
    }

    /// Erases a record for good (a person's right under the GDPR).
    pub(super) fn purge(&mut self, object: &ObjectType, id: u64, actor: &Actor) {
        self.archive(object, id, actor);
        if let Some(table) = self.tables.get_mut(&object.id) {
            table.records.remove(&id);
        }
        let now = self.clock.now();
        self.outbox.push(Event::record(object, "privacyDeletion", id, now, actor).flag("DELETED"));
    }

    /// Merges the second record into the first and gives the id of what remains, which may be a new one.
    pub(super) fn merge(
        &mut self,
        object: &ObjectType,
        primary: u64,
        other: u64,
        actor: &Actor,
    ) -> Option<u64> {
        let (kept, gone) = (self.live(&object.id, primary)?.clone(), self.live(&object.id, other)?.clone());
        let (primary, other) = (kept.id, gone.id);
        if primary == other {
            return None;
        }
        let moved: Values = gone
            .properties
            .iter()
            .filter(|(name, _)| !kept.properties.contains_key(*name))
            .filter(|(name, _)| object.property(name).is_some_and(|property| !property.read_only))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut values = moved.clone();
        if let Some(second) =
            gone.get("email").filter(|_| kept.get("email").is_some() && object.name == "contact")
        {
            let all = kept.get("hs_additional_emails").into_iter().chain([second]).collect::<Vec<_>>();
            values.insert("hs_additional_emails".into(), all.join(";"));
        }
        let now = self.clock.now();
        let survivor = if self.merge_mints_id { self.fresh_id() } else { primary };
        self.retire(object, [primary, other], survivor);
        let table = self.tables.entry(object.id.clone()).or_default();
        table.records.insert(survivor, Record { id: survivor, ..kept });
        values.insert("hs_object_id".into(), survivor.to_string());
        values.insert("hs_merged_object_ids".into(), format!("{primary};{other}"));
        self.set(object, survivor, &values, actor, now);
        let event = Event::record(object, "merge", survivor, now, actor)
            .field("primaryObjectId", primary)
            .field("mergedObjectIds", json!([other]))
            .field("newObjectId", survivor)
            .field("numberOfPropertiesMoved", moved.len());
        self.outbox.push(event.flag("MERGED"));
        Some(survivor)
    }

    /// Replaces merged records by the one that remains, in associations and unique values too.
    fn retire(&mut self, object: &ObjectType, merged: [u64; 2], survivor: u64) {
        let table = self.tables.entry(object.id.clone()).or_default();
        for retired in merged.into_iter().filter(|id| *id != survivor) {
            table.records.remove(&retired);
            table.merged.insert(retired, survivor);
            self.links.rename(&object.id, retired, survivor);
        }
        for (name, values) in &mut table.unique {
            // A contact keeps the other's e-mail address as a secondary one, by which it is still found.
            values.retain(|_, holder| *holder != merged[1] || name == "email");
            values
                .values_mut()
                .filter(|holder| merged.contains(holder))
                .for_each(|holder| *holder = survivor);
        }
    }

    fn fresh_id(&mut self) -> u64 {
        while self.tables.values().any(|table| table.knows(self.next_id)) {
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }

    fn set(
        &mut self,
        object: &ObjectType,
        id: u64,
        values: &Values,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Vec<String> {
        let derived = self.derived(object, id, values, now);
        let Some(table) = self.tables.get_mut(&object.id) else { return Vec::new() };
        let Some(record) = table.records.get_mut(&id) else { return Vec::new() };
        let mut changed = Vec::new();
        for (name, value) in values.iter().chain(&derived) {
            let before = record.properties.get(name).cloned().unwrap_or_default();
            if before == *value || (name == "lifecyclestage" && goes_back(object, &before, value, actor)) {
                continue;
            }
            if object.identifies(name) {
                let holders = table.unique.entry(name.clone()).or_default();
                holders.remove(&before.to_lowercase());
                if !value.is_empty() {
                    holders.insert(value.to_lowercase(), id);
                }
            }
            if value.is_empty() {
                record.properties.remove(name);
            } else {
                record.properties.insert(name.clone(), value.clone());
            }
            let version = Version { value: value.clone(), at: now, actor: actor.clone() };
            record.history.entry(name.clone()).or_default().insert(0, version);
            let shown = event_value(object, name, value);
            self.outbox.push(Event::property(object, id, name, &shown, now, actor));
            changed.push(name.clone());
        }
        if !changed.is_empty() {
            record.updated_at = now;
            record.properties.insert(object.modified.clone(), instant(now));
        }
        changed
    }

    /// The computed properties that follow from new values.
    fn derived(&self, object: &ObjectType, id: u64, values: &Values, now: DateTime<Utc>) -> Values {
        let mut derived = Values::new();
        let record = self.tables.get(&object.id).and_then(|table| table.records.get(&id));
        let value = |name: &str| -> String {
            let stored = || record.and_then(|record| record.get(name)).map(str::to_owned);
            values.get(name).cloned().or_else(stored).unwrap_or_default()
        };
        if object.name == "contact" {
            let full = format!("{} {}", value("firstname"), value("lastname")).trim().to_owned();
            let email = value("email");
            let domain = email.split_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default();
            derived.insert("hs_full_name_or_email".into(), if full.is_empty() { email } else { full });
            derived.insert("hs_email_domain".into(), domain);
            if let Some(stage) = values.get("lifecyclestage").filter(|stage| !stage.is_empty()) {
                let entered = format!("hs_lifecyclestage_{stage}_date");
                let first = record.is_none_or(|record| record.get(&entered).is_none());
                if first && object.properties.contains_key(&entered) {
                    derived.insert(entered, instant(now));
                }
            }
        }
        if object.name == "deal" && values.contains_key("dealstage") {
            let stage = value("dealstage");
            let pipelines = self.pipelines.get(&object.id).map(Vec::as_slice).unwrap_or_default();
            let stage =
                pipelines.iter().flat_map(|pipeline| &pipeline.stages).find(|known| known.id == stage);
            let probability =
                stage.and_then(|stage| stage.metadata.get("probability")).cloned().unwrap_or_default();
            let closed =
                stage.is_some_and(|stage| stage.metadata.get("isClosed").is_some_and(|is| is == "true"));
            let won = closed && probability.parse::<f64>().is_ok_and(|probability| probability > 0.99);
            derived.insert("hs_is_closed".into(), closed.to_string());
            derived.insert("hs_is_closed_won".into(), won.to_string());
            derived.insert("hs_is_closed_lost".into(), (closed && !won).to_string());
            derived.insert("hs_deal_stage_probability".into(), probability);
        }
        derived
    }

    /// Adds a property to an object type.
    pub(super) fn edit_object(
        &mut self,
        id: &str,
        edit: impl FnOnce(&mut ObjectType),
    ) -> Option<Arc<ObjectType>> {
        edit(self.catalog.edit(id)?);
        self.catalog.by_id(id).cloned()
    }
}

/// The values of a new record, with those that HubSpot fills in.
fn completed(object: &ObjectType, id: u64, values: Values, actor: &Actor, now: DateTime<Utc>) -> Values {
    let created = instant(now);
    let mut all = Values::new();
    let mut put = |name: &str, value: &str| {
        if object.properties.contains_key(name) {
            all.insert(name.to_owned(), value.to_owned());
        }
    };
    put("hs_object_id", &id.to_string());
    put("createdate", &created);
    put("hs_createdate", &created);
    put("hs_object_source", &actor.change_source);
    put("hs_object_source_label", &actor.change_source);
    put("hs_object_source_id", actor.source_id.as_deref().unwrap_or_default());
    match object.name.as_str() {
        "contact" => {
            put("hs_is_contact", "true");
            put("hs_is_unworked", "true");
            put("hs_all_contact_vids", &id.to_string());
            put("hs_pipeline", "contacts-lifecycle-pipeline");
            put("lifecyclestage", "lead");
        }
        "company" => put("hs_pipeline", "companies-lifecycle-pipeline"),
        "deal" => put("pipeline", "default"),
        "ticket" => put("hs_pipeline", "0"),
        _ => {}
    }
    all.extend(values);
    if object.name == "company" && !all.contains_key("website") {
        let domain = all.get("domain").cloned();
        all.extend(domain.map(|domain| ("website".to_owned(), domain)));
    }
    all
}

/// HubSpot's lifecycle moves forward only, unless a person moves it or it is cleared first; a step back through the API is
/// ignored without an error.
fn goes_back(object: &ObjectType, before: &str, after: &str, actor: &Actor) -> bool {
    let Some(property) = object.property("lifecyclestage") else { return false };
    let rank = |stage: &str| property.options.iter().position(|option| option.value == stage);
    match (rank(before), rank(after)) {
        (Some(before), Some(after)) => after < before && !actor.is_person(),
        _ => false,
    }
}

/// A value as webhooks carry it: dates and instants are milliseconds there.
fn event_value(object: &ObjectType, name: &str, value: &str) -> String {
    let kind = object.property(name).map(|property| property.kind.as_str());
    match (kind, parse_instant(value)) {
        (Some("date" | "datetime"), Some(at)) => at.timestamp_millis().to_string(),
        _ => value.to_owned(),
    }
}
