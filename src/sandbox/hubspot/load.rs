//! Fills a portal from a seed, and makes the changes that a person makes.

use indexmap::IndexMap;
use serde_json::Value;

use super::Actor;
use super::catalog::{ObjectType, instant};
use super::owners::Owner;
use super::pipelines::{Pipeline, Stage};
use super::store::{Portal, Record, Values};
use super::validate::{check_kind, parse_instant};
use crate::sandbox::seed::{HubspotSeed, LabelSeed, OwnerSeed, PipelineSeed, RecordSeed, SeedError};

/// The largest id that a JSON number carries exactly.
const LARGEST_ID: u64 = (1 << 53) - 1;

impl Portal {
    /// Loads a seed; nobody is told by webhook.
    pub(super) fn load(&mut self, seed: &HubspotSeed) -> Result<(), SeedError> {
        let at = |place: String| move |message: String| SeedError { place, message };
        let now = self.clock.now();
        for (name, spec) in &seed.schemas {
            self.catalog.add_custom(name, spec, now).map_err(at(format!("hubspot.schemas.{name}")))?;
            for other in ["0-1", "0-2", "0-3", "0-5"] {
                self.links.connect(&spec.id, name, other);
            }
        }
        for (kind, properties) in &seed.properties {
            let object = self.kind(kind).map_err(at(format!("hubspot.properties.{kind}")))?;
            self.edit_object(&object.id, |object| {
                for (name, spec) in properties {
                    object.add(name.clone(), spec.clone(), now);
                    if let Some(property) = object.properties.get_mut(name) {
                        property.hubspot_defined = false;
                    }
                }
            });
        }
        self.owners.extend(seed.owners.iter().zip(1..).map(|(owner, user)| seeded_owner(owner, user, now)));
        for (kind, pipelines) in &seed.pipelines {
            let object = self.kind(kind).map_err(at(format!("hubspot.pipelines.{kind}")))?;
            let pipelines =
                pipelines.iter().zip(0..).map(|(pipeline, order)| seeded_pipeline(pipeline, order, now));
            self.pipelines.insert(object.id.clone(), pipelines.collect());
        }
        self.define_labels(seed)?;
        let mut made = Vec::new();
        for (kind, records) in &seed.objects {
            let object = self.kind(kind).map_err(at(format!("hubspot.objects.{kind}")))?;
            for (index, record) in records.iter().enumerate() {
                let place = format!("hubspot.objects.{kind}[{index}]");
                let id = self.seeded(&object, record).map_err(at(place.clone()))?;
                made.push((object.clone(), id, record, place));
            }
        }
        for (object, id, record, place) in made {
            for (kind, ids) in &record.associations {
                let fail = at(format!("{place}.associations.{kind}"));
                self.link_all(&object, id, kind, ids).map_err(fail)?;
            }
        }
        self.outbox.clear();
        Ok(())
    }

    fn define_labels(&mut self, seed: &HubspotSeed) -> Result<(), SeedError> {
        let at = |place: String| move |message: String| SeedError { place, message };
        for (from, others) in &seed.labels {
            let from = self.kind(from).map_err(at(format!("hubspot.labels.{from}")))?;
            for (to, labels) in others {
                let to = self.kind(to).map_err(at(format!("hubspot.labels.{}.{to}", from.name)))?;
                for label in labels {
                    let (label, back) = match label {
                        LabelSeed::One(label) => (label, None),
                        LabelSeed::Two { label, inverse } => (label, Some(inverse.as_str())),
                    };
                    let name = label.to_lowercase().replace(' ', "_");
                    self.links.define(&from.id, &to.id, &name, label, back);
                }
            }
        }
        Ok(())
    }

    fn seeded(&mut self, object: &ObjectType, record: &RecordSeed) -> Result<u64, String> {
        let id = record.id.as_ref().map(text).transpose()?;
        let actor = Actor::person();
        self.create_as(object, id.as_deref(), &record.properties, &actor)
    }

    fn link_all(&mut self, object: &ObjectType, id: u64, kind: &str, ids: &[Value]) -> Result<(), String> {
        let to = self.kind(kind)?;
        for other in ids {
            let other = text(other)?;
            let found = self.find(&to, &other, None).map(|record| record.id);
            let to_id = found.ok_or_else(|| format!("there is no {} `{other}`", to.name))?;
            let actor = Actor::person();
            self.associate((object, id), (&to, to_id), &[], &actor).map_err(|error| error.message)?;
        }
        Ok(())
    }

    fn kind(&self, name: &str) -> Result<std::sync::Arc<ObjectType>, String> {
        self.catalog.resolve(name).map_err(|_| format!("HubSpot has no object type `{name}`"))
    }

    /// Creates a record with a chosen id and any property, also read-only ones.
    pub(super) fn create_as(
        &mut self,
        object: &ObjectType,
        id: Option<&str>,
        properties: &IndexMap<String, Value>,
        actor: &Actor,
    ) -> Result<u64, String> {
        let id = id.map(|text| {
            let number = text.parse::<u64>().ok().filter(|id| (1..=LARGEST_ID).contains(id));
            number.ok_or_else(|| format!("`{text}` is no id: HubSpot's ids are numbers up to {LARGEST_ID}"))
        });
        let id = id.transpose()?;
        let stored = |id| self.tables.get(&object.id).is_some_and(|table| table.records.contains_key(&id));
        if let Some(taken) = id.filter(|id| stored(*id)) {
            return Err(format!("there already is a {} `{taken}`", object.name));
        }
        let values = self.any_values(object, properties, None)?;
        let id = self.insert(object, id, values, actor);
        self.backdate(object, id, properties);
        Ok(id)
    }

    /// Changes a record's properties, also read-only ones; gives those that changed.
    pub(super) fn edit_as(
        &mut self,
        object: &ObjectType,
        id: u64,
        properties: &IndexMap<String, Value>,
        actor: &Actor,
    ) -> Result<Vec<String>, String> {
        let values = self.any_values(object, properties, self.live(&object.id, id))?;
        Ok(self.update(object, id, &values, actor))
    }

    fn any_values(
        &self,
        object: &ObjectType,
        properties: &IndexMap<String, Value>,
        existing: Option<&Record>,
    ) -> Result<Values, String> {
        let mut values = Values::new();
        for (name, value) in properties {
            let raw = text(value).map_err(|error| format!("`{name}`: {error}"))?;
            let Some(property) = object.property(name) else {
                return Err(format!("{} has no property `{name}`", object.name));
            };
            let current = existing.and_then(|record| record.get(name));
            let checked =
                self.with_outside(object, |outside| check_kind(object, property, &raw, current, outside));
            let checked = checked.map_err(|(_, message)| format!("`{name}`: {message}"))?;
            let holder = self
                .holder(object, name, &checked)
                .filter(|_| object.identifies(name) && !checked.is_empty());
            if let Some(holder) = holder.filter(|holder| Some(*holder) != existing.map(|record| record.id)) {
                return Err(format!("`{name}`: {holder} already has the value `{checked}`"));
            }
            values.insert(name.clone(), checked);
        }
        Ok(values)
    }

    /// A seeded create or modified date is the record's own.
    fn backdate(&mut self, object: &ObjectType, id: u64, given: &IndexMap<String, Value>) {
        let Some(record) = self.tables.get_mut(&object.id).and_then(|table| table.records.get_mut(&id))
        else {
            return;
        };
        let held = |name: &str| record.get(name).and_then(parse_instant);
        record.created_at = held("createdate").unwrap_or(record.created_at);
        let modified = given.get(&object.modified).and_then(Value::as_str).and_then(parse_instant);
        if let Some(at) = modified {
            record.updated_at = at;
            record.properties.insert(object.modified.clone(), instant(at));
        }
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err("a text, number or boolean was expected".to_owned()),
    }
}

fn seeded_owner(owner: &OwnerSeed, user: u64, now: chrono::DateTime<chrono::Utc>) -> Owner {
    Owner {
        id: owner.id.clone(),
        user_id: owner.user_id.unwrap_or(user),
        email: owner.email.clone(),
        first_name: owner.first_name.clone(),
        last_name: owner.last_name.clone(),
        archived: owner.archived,
        created_at: now,
    }
}

fn seeded_pipeline(pipeline: &PipelineSeed, order: i64, now: chrono::DateTime<chrono::Utc>) -> Pipeline {
    let stages = pipeline.stages.iter().zip(0..).map(|(stage, order)| {
        let closed = stage.closed.to_string();
        let metadata =
            [("isClosed".to_owned(), closed), ("probability".to_owned(), stage.probability.clone())];
        Stage::new(&stage.id, &stage.label, order, metadata.into())
    });
    Pipeline {
        id: pipeline.id.clone(),
        label: pipeline.label.clone(),
        display_order: order,
        stages: stages.collect(),
        created_at: now,
        updated_at: now,
        archived: false,
    }
}
