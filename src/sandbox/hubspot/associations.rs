//! Associations: v4 (`/crm/v4/objects/…/associations`, `/crm/v4/associations/…`), and v3 as far as clients still use it.

use std::sync::Arc;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Actor;
use super::batch::finish;
use super::catalog::ObjectType;
use super::error::ApiError;
use super::links::{DEFINED, Spec};
use super::objects::Id;
use super::request::{Call, Outcome, answer, no_content, ok};
use super::store::{Portal, Values};
use super::webhooks::Event;

#[derive(Debug, Deserialize)]
struct Inputs<T> {
    inputs: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct Ref {
    id: Id,
    #[serde(default)]
    after: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct Pair {
    from: Ref,
    to: Ref,
    #[serde(default)]
    types: Option<Vec<Spec>>,
    /// v3: the type's name or id.
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sources {
    from: Ref,
    to: Vec<Ref>,
}

/// A record and its type, as one end of an association.
type End<'a> = (&'a ObjectType, u64);

impl Portal {
    /// Associates two records and tells the webhooks; gives the types that are new, from the first record's side.
    pub(super) fn associate(
        &mut self,
        from: End<'_>,
        to: End<'_>,
        specs: &[Spec],
        actor: &Actor,
    ) -> Result<Vec<Spec>, ApiError> {
        for spec in specs {
            if self.links.link_type(&from.0.id, &to.0.id, spec).is_none() {
                let (id, kinds) = (spec.type_id, format!("{} to {}", from.0.upper(), to.0.upper()));
                return Err(ApiError::invalid(format!("Association type {id} does not exist for {kinds}")));
            }
        }
        let added = self.links.add((&from.0.id, from.1), (&to.0.id, to.1), specs);
        if !added.is_empty() {
            self.tell(from, to, false, actor);
            self.keep_primary(from, to, actor);
        }
        Ok(added)
    }

    /// Removes all association between two records.
    pub(super) fn dissociate(&mut self, from: End<'_>, to: End<'_>, actor: &Actor) {
        if self.links.remove((&from.0.id, from.1), (&to.0.id, to.1)) {
            self.tell(from, to, true, actor);
            self.keep_primary(from, to, actor);
        }
    }

    fn tell(&mut self, from: End<'_>, to: End<'_>, removed: bool, actor: &Actor) {
        let now = self.clock.now();
        for (from, to) in [(from, to), (to, from)] {
            let primary = self.links.primary_of((&from.0.id, from.1), &to.0.id) == Some(to.1);
            let event = Event::bare(from.0, "associationChange", now, actor)
                .field("associationType", format!("{}_TO_{}", from.0.upper(), to.0.upper()))
                .field("fromObjectId", from.1)
                .field("toObjectId", to.1)
                .field("associationRemoved", removed)
                .field("isPrimaryAssociation", primary);
            self.outbox.push(event);
        }
    }

    /// Keeps `associatedcompanyid` of a contact in step with its primary company.
    fn keep_primary(&mut self, from: End<'_>, to: End<'_>, actor: &Actor) {
        let contact = if from.0.name == "contact" { from } else { to };
        if contact.0.name != "contact" || !(from.0.name == "company" || to.0.name == "company") {
            return;
        }
        let primary = self.links.primary_of((&contact.0.id, contact.1), "0-2");
        let value = primary.map(|id| id.to_string()).unwrap_or_default();
        let values = Values::from([("associatedcompanyid".to_owned(), value)]);
        self.update_quietly(contact.0, contact.1, &values, actor);
    }

    /// Changes computed properties without touching the record's modified date, as an association change does.
    fn update_quietly(&mut self, object: &ObjectType, id: u64, values: &Values, actor: &Actor) {
        let record = |portal: &Self| portal.tables.get(&object.id)?.records.get(&id).cloned();
        let Some(before) = record(self) else { return };
        self.update(object, id, values, actor);
        let modified = before.get(&object.modified).map(str::to_owned);
        let after = self.tables.get_mut(&object.id).and_then(|table| table.records.get_mut(&id));
        if let Some(after) = after {
            after.updated_at = before.updated_at;
            after.properties.extend(modified.map(|modified| (object.modified.clone(), modified)));
        }
    }
}

/// `/crm/v4/objects/{type}/{id}/associations/…`
pub(super) fn v4_of_record(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [kind, id, "associations", rest @ ..] = rest else { return Err(ApiError::no_route(&call.path)) };
    let object = portal.catalog.resolve(kind)?;
    match rest {
        [to] => match call.method {
            Method::GET => list(portal, call, &object, id, to),
            _ => Err(ApiError::method()),
        },
        ["default", to, to_id] => match call.method {
            Method::PUT => {
                let to = portal.catalog.resolve(to)?;
                let ends = (end(portal, &object, id)?, end(portal, &to, to_id)?);
                let results = associate_default(portal, (&object, ends.0), (&to, ends.1))?;
                finish(portal, 200, results, Vec::new())
            }
            _ => Err(ApiError::method()),
        },
        [to, to_id] => {
            let to = portal.catalog.resolve(to)?;
            let (from_id, to_id) = (end(portal, &object, id)?, end(portal, &to, to_id)?);
            let actor = portal.app_actor();
            match call.method {
                Method::PUT => {
                    let specs: Vec<Spec> = call.json()?;
                    portal.associate((&object, from_id), (&to, to_id), &specs, &actor)?;
                    answer(201, between(portal, (&object, from_id), (&to, to_id)))
                }
                Method::DELETE => {
                    portal.dissociate((&object, from_id), (&to, to_id), &actor);
                    no_content()
                }
                _ => Err(ApiError::method()),
            }
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}

/// `/crm/v4/associations/{from}/{to}/…`
pub(super) fn v4(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [from, to, rest @ ..] = rest else { return Err(ApiError::no_route(&call.path)) };
    let (from, to) = (portal.catalog.resolve(from)?, portal.catalog.resolve(to)?);
    match (rest, &call.method) {
        (["batch", "read"], &Method::POST) => batch_read(portal, call, &from, &to),
        (["batch", "create"], &Method::POST) => batch_create(portal, call, &from, &to),
        (["batch", "associate", "default"], &Method::POST) => batch_default(portal, call, &from, &to),
        (["batch", "archive"], &Method::POST) => batch_archive(portal, call, &from, &to),
        (["batch", "labels", "archive"], &Method::POST) => labels_archive(portal, call, &from, &to),
        (["labels"], &Method::GET) => {
            let types = portal.links.types(&from.id, &to.id);
            let labels =
                types.into_iter().map(|known| label(&known.category, known.type_id, known.label.as_deref()));
            ok(json!({"results": labels.collect::<Vec<Value>>()}))
        }
        (["labels"], &Method::POST) => define(portal, call, &from, &to),
        (["labels", id], &Method::DELETE) => match id.parse().map(|id| portal.links.undefine(id)) {
            Ok(true) => no_content(),
            _ => Err(ApiError::not_found()),
        },
        (["batch" | "labels", ..], _) => Err(ApiError::method()),
        _ => Err(ApiError::no_route(&call.path)),
    }
}

/// `/crm/v3/associations/{from}/{to}/…`
pub(super) fn v3(portal: &mut Portal, call: &Call, rest: &[&str]) -> Outcome {
    let [from, to, rest @ ..] = rest else { return Err(ApiError::no_route(&call.path)) };
    let (from, to) = (portal.catalog.resolve(from)?, portal.catalog.resolve(to)?);
    match (rest, &call.method) {
        (["types"], &Method::GET) => {
            let types = portal.links.types(&from.id, &to.id).into_iter();
            let results: Vec<Value> =
                types.map(|known| json!({"id": known.type_id.to_string(), "name": known.name})).collect();
            ok(json!({"results": results}))
        }
        (["batch", "read"], &Method::POST) => {
            let request: Inputs<Ref> = call.json()?;
            let mut results = Vec::new();
            for Ref { id, .. } in request.inputs {
                let Some(record) = portal.find(&from, &id.0, None).map(|record| record.id) else { continue };
                let listed = v3_list(portal, &from, record, &to);
                if !listed.is_empty() {
                    results.push(json!({"from": {"id": id.0}, "to": listed}));
                }
            }
            finish(portal, 200, results, Vec::new())
        }
        (["batch", "create"], &Method::POST) => v3_create(portal, call, &from, &to),
        (["batch", "archive"], &Method::POST) => {
            let request: Inputs<Pair> = call.json()?;
            let actor = portal.app_actor();
            for pair in request.inputs {
                let ends = (end(portal, &from, &pair.from.id.0)?, end(portal, &to, &pair.to.id.0)?);
                portal.dissociate((&from, ends.0), (&to, ends.1), &actor);
            }
            no_content()
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}

/// `/crm/v3/objects/{type}/{id}/associations/…`
pub(super) fn v3_of_record(
    portal: &mut Portal,
    call: &Call,
    object: &ObjectType,
    id: &str,
    rest: &[&str],
) -> Outcome {
    let from_id = end(portal, object, id)?;
    match (rest, &call.method) {
        ([to], &Method::GET) => {
            let to = portal.catalog.resolve(to)?;
            ok(json!({"results": v3_list(portal, object, from_id, &to)}))
        }
        ([to, to_id, kind], &Method::PUT | &Method::DELETE) => {
            let to = portal.catalog.resolve(to)?;
            let to_id = end(portal, &to, to_id)?;
            let spec = v3_type(portal, object, &to, kind)?;
            let actor = portal.app_actor();
            if call.method == Method::DELETE {
                portal.dissociate((object, from_id), (&to, to_id), &actor);
                return no_content();
            }
            portal.associate((object, from_id), (&to, to_id), &[spec], &actor)?;
            let record = portal.live(&object.id, from_id).ok_or_else(ApiError::not_found)?;
            let shape = super::objects::Shape { associations: vec![Arc::clone(&to)], ..Default::default() };
            ok(super::objects::body(portal, object, record, &shape))
        }
        _ => Err(ApiError::method()),
    }
}

/// The `associations` of a v3 object: a list for each type that has any.
pub(super) fn v3_lists(
    portal: &Portal,
    object: &ObjectType,
    id: u64,
    to: &[Arc<ObjectType>],
) -> Map<String, Value> {
    let lists = to.iter().map(|to| (to.plural.clone(), v3_list(portal, object, id, to)));
    lists.filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name, json!({"results": list}))).collect()
}

fn v3_list(portal: &Portal, object: &ObjectType, id: u64, to: &ObjectType) -> Vec<Value> {
    let linked = portal.links.of(&object.id, id, &to.id);
    let entries = linked.flat_map(|(other, specs)| {
        let names = specs.iter().filter_map(|spec| portal.links.link_type(&object.id, &to.id, spec));
        names.map(move |known| json!({"id": other.to_string(), "type": known.name}))
    });
    entries.collect()
}

fn v3_type(portal: &Portal, from: &ObjectType, to: &ObjectType, kind: &str) -> Result<Spec, ApiError> {
    let types = portal.links.types(&from.id, &to.id);
    let known = types.into_iter().find(|known| known.name == kind || known.type_id.to_string() == kind);
    let known = known.ok_or_else(|| ApiError::invalid(format!("{kind} is not a valid association type")))?;
    Ok(Spec { category: known.category.clone(), type_id: known.type_id })
}

fn v3_create(portal: &mut Portal, call: &Call, from: &ObjectType, to: &ObjectType) -> Outcome {
    let request: Inputs<Pair> = call.json()?;
    let actor = portal.app_actor();
    let mut results = Vec::new();
    for pair in request.inputs {
        let kind = pair.kind.as_deref().unwrap_or_default();
        let spec = v3_type(portal, from, to, kind)?;
        let ends = (end(portal, from, &pair.from.id.0)?, end(portal, to, &pair.to.id.0)?);
        portal.associate((from, ends.0), (to, ends.1), &[spec], &actor)?;
        results.push(json!({"from": {"id": pair.from.id.0}, "to": {"id": pair.to.id.0}, "type": kind}));
    }
    finish(portal, 201, results, Vec::new())
}

fn end(portal: &Portal, object: &ObjectType, id: &str) -> Result<u64, ApiError> {
    let found = portal.find(object, id, None).map(|record| record.id);
    found.ok_or_else(|| {
        let message = format!("{} {id} does not exist", object.labels.0);
        ApiError::new(404, "OBJECT_NOT_FOUND", message).context("id", &[id])
    })
}

fn label(category: &str, type_id: u32, label: Option<&str>) -> Value {
    json!({"category": category, "typeId": type_id, "label": label})
}

/// The associated records of one record, from an id on; the second part is the id that the next page starts with.
fn linked(
    portal: &Portal,
    from: End<'_>,
    to: &ObjectType,
    after: u64,
    limit: usize,
    as_text: bool,
) -> (Vec<Value>, Option<u64>) {
    let mut all = portal.links.of(&from.0.id, from.1, &to.id).filter(|(id, _)| *id >= after);
    let mut page = Vec::new();
    for (id, specs) in all.by_ref().take(limit) {
        let types = specs.iter().map(|spec| {
            let known = portal.links.link_type(&from.0.id, &to.id, spec);
            label(&spec.category, spec.type_id, known.and_then(|known| known.label.as_deref()))
        });
        let id: Value = if as_text { id.to_string().into() } else { id.into() };
        page.push(json!({"toObjectId": id, "associationTypes": types.collect::<Vec<_>>()}));
    }
    (page, all.next().map(|(id, _)| id))
}

fn list(portal: &Portal, call: &Call, object: &ObjectType, id: &str, to: &str) -> Outcome {
    let to = portal.catalog.resolve(to)?;
    let id = end(portal, object, id)?;
    let limit = call.query.limit(500, 500)?;
    let after = call.query.one("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let (results, next) = linked(portal, (object, id), &to, after, limit, call.dated);
    let mut body = json!({"results": results});
    if let Some(next) = next {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    ok(body)
}

fn between(portal: &Portal, from: End<'_>, to: End<'_>) -> Value {
    let specs = portal.links.of(&from.0.id, from.1, &to.0.id).find(|(id, _)| *id == to.1);
    let specs = specs.map(|(_, specs)| specs).unwrap_or_default();
    let labels =
        specs.iter().filter_map(|spec| portal.links.link_type(&from.0.id, &to.0.id, spec)?.label.clone());
    json!({
        "fromObjectTypeId": from.0.id,
        "fromObjectId": from.1.to_string(),
        "toObjectTypeId": to.0.id,
        "toObjectId": to.1.to_string(),
        "labels": labels.collect::<Vec<String>>(),
    })
}

fn batch_read(portal: &Portal, call: &Call, from: &ObjectType, to: &ObjectType) -> Outcome {
    let request: Inputs<Ref> = call.json()?;
    within(request.inputs.len(), 1_000)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for Ref { id, after } in request.inputs {
        let record = portal.find(from, &id.0, None).map(|record| record.id);
        let after = after.and_then(|after| after.0.parse().ok()).unwrap_or(0);
        let (linked, next) =
            record.map(|id| linked(portal, (from, id), to, after, 500, call.dated)).unwrap_or_default();
        if linked.is_empty() {
            let message = format!("No {} is associated with {} {}.", to.name, from.name, id.0);
            let error = ApiError::new(404, "OBJECT_NOT_FOUND", message)
                .sub_category("crm.associations.NO_ASSOCIATIONS_FOUND")
                .context("fromObjectId", &[id.0])
                .context("fromObjectType", &[&from.name])
                .context("toObjectType", &[&to.name]);
            errors.push(error.entry(None));
            continue;
        }
        let mut result = json!({"from": {"id": id.0}, "to": linked});
        if let Some(next) = next {
            result["paging"] = json!({"next": {"after": next.to_string()}});
        }
        results.push(result);
    }
    finish(portal, 200, results, errors)
}

fn batch_create(portal: &mut Portal, call: &Call, from: &ObjectType, to: &ObjectType) -> Outcome {
    let request: Inputs<Pair> = call.json()?;
    within(request.inputs.len(), 2_000)?;
    let actor = portal.app_actor();
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for pair in request.inputs {
        let ends =
            end(portal, from, &pair.from.id.0).and_then(|id| Ok((id, end(portal, to, &pair.to.id.0)?)));
        let Some(types) = pair.types.filter(|types| !types.is_empty()) else {
            return Err(ApiError::invalid("Some required fields were not set: [types]"));
        };
        let done = ends.and_then(|(from_id, to_id)| {
            portal.associate((from, from_id), (to, to_id), &types, &actor)?;
            Ok(between(portal, (from, from_id), (to, to_id)))
        });
        match done {
            Ok(result) => results.push(result),
            Err(error) => {
                let error =
                    error.context("fromObjectId", &[pair.from.id.0]).context("toObjectId", &[pair.to.id.0]);
                errors.push(error.entry(None));
            }
        }
    }
    finish(portal, 201, results, errors)
}

fn batch_default(portal: &mut Portal, call: &Call, from: &ObjectType, to: &ObjectType) -> Outcome {
    let request: Inputs<Pair> = call.json()?;
    within(request.inputs.len(), 2_000)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for pair in request.inputs {
        let ends =
            end(portal, from, &pair.from.id.0).and_then(|id| Ok((id, end(portal, to, &pair.to.id.0)?)));
        match ends.and_then(|(from_id, to_id)| associate_default(portal, (from, from_id), (to, to_id))) {
            Ok(made) => results.extend(made),
            Err(error) => errors.push(error.entry(None)),
        }
    }
    finish(portal, 200, results, errors)
}

/// Associates without a label and gives both directions, as the default calls answer.
fn associate_default(portal: &mut Portal, from: End<'_>, to: End<'_>) -> Result<Vec<Value>, ApiError> {
    let Some(known) = portal.links.unlabelled(&from.0.id, &to.0.id).cloned() else {
        let kinds = format!("{} and {}", from.0.upper(), to.0.upper());
        return Err(ApiError::invalid(format!("No default association type exists between {kinds}")));
    };
    let actor = portal.app_actor();
    portal.associate(from, to, &[], &actor)?;
    let one = |from: u64, to: u64, type_id: u32| {
        json!({
            "from": {"id": from.to_string()},
            "to": {"id": to.to_string()},
            "associationSpec": {"associationCategory": DEFINED, "associationTypeId": type_id},
        })
    };
    Ok(vec![one(from.1, to.1, known.type_id), one(to.1, from.1, known.inverse)])
}

fn batch_archive(portal: &mut Portal, call: &Call, from: &ObjectType, to: &ObjectType) -> Outcome {
    let request: Inputs<Sources> = call.json()?;
    let actor = portal.app_actor();
    for source in request.inputs {
        for target in source.to {
            let ends = (portal.find(from, &source.from.id.0, None), portal.find(to, &target.id.0, None));
            if let (Some(a), Some(b)) = (ends.0.map(|record| record.id), ends.1.map(|record| record.id)) {
                portal.dissociate((from, a), (to, b), &actor);
            }
        }
    }
    no_content()
}

fn labels_archive(portal: &mut Portal, call: &Call, from: &ObjectType, to: &ObjectType) -> Outcome {
    let request: Inputs<Pair> = call.json()?;
    for pair in request.inputs {
        let ends = (end(portal, from, &pair.from.id.0)?, end(portal, to, &pair.to.id.0)?);
        let types = pair.types.unwrap_or_default();
        portal.links.remove_labels((&from.id, ends.0), (&to.id, ends.1), &types);
    }
    no_content()
}

fn define(portal: &mut Portal, call: &Call, from: &ObjectType, to: &ObjectType) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct NewLabel {
        label: String,
        name: String,
        #[serde(default)]
        inverse_label: Option<String>,
    }
    let new: NewLabel = call.json()?;
    let taken = portal.links.types(&from.id, &to.id).into_iter().any(|known| known.name == new.name);
    if taken {
        return Err(ApiError::new(
            409,
            "CONFLICT",
            format!("An association label named {} already exists", new.name),
        ));
    }
    let ids = portal.links.define(&from.id, &to.id, &new.name, &new.label, new.inverse_label.as_deref());
    let mut results = vec![label("USER_DEFINED", ids[0], Some(&new.label))];
    if ids[1] != ids[0] {
        let back = new.inverse_label.as_deref().unwrap_or(&new.label);
        results.push(label("USER_DEFINED", ids[1], Some(back)));
    }
    ok(json!({"results": results}))
}

/// `/_sandbox/labels/{from}/{to}/{label}`: an administrator defines a label of both directions, or removes it.
pub(super) fn change_label(
    portal: &mut Portal,
    call: &Call,
    (from, to): (&str, &str),
    label: &str,
) -> Outcome {
    let (from, to) = (portal.catalog.resolve(from)?, portal.catalog.resolve(to)?);
    let known =
        portal.links.types(&from.id, &to.id).into_iter().find(|known| known.label.as_deref() == Some(label));
    match (&call.method, known.map(|known| known.type_id)) {
        (&Method::PUT, None) => {
            let name = label.to_lowercase().replace(' ', "_");
            portal.links.define(&from.id, &to.id, &name, label, None);
            no_content()
        }
        (&Method::PUT, Some(_)) => no_content(),
        (&Method::DELETE, Some(id)) if portal.links.undefine(id) => no_content(),
        (&Method::DELETE, _) => Err(ApiError::not_found()),
        _ => Err(ApiError::method()),
    }
}

fn within(count: usize, most: usize) -> Result<(), ApiError> {
    if count > most {
        return Err(ApiError::invalid(format!(
            "The number of inputs in the batch ({count}) exceeds the limit of {most}"
        )));
    }
    Ok(())
}
