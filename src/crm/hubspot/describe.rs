//! What HubSpot says about its objects: properties, the pipelines behind stage properties, and the portal's own objects.

use std::collections::HashSet;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::crm::describe::Describe;
use crate::crm::http::Call;
use crate::schema::{DescribedField, DescribedObject, DescribedOption, DescribedOwner, Who};
use crate::source::Side;
use crate::types::CrmError;

use super::HubspotClient;

/// HubSpot's own objects: name, plural, `objectTypeId`, label (HubSpot's "Understanding the CRM": object type ids).
const STANDARD: &[(&str, &str, &str, &str)] = &[
    ("contact", "contacts", "0-1", "Contact"),
    ("company", "companies", "0-2", "Company"),
    ("deal", "deals", "0-3", "Deal"),
    ("ticket", "tickets", "0-5", "Ticket"),
    ("product", "products", "0-7", "Product"),
    ("line_item", "line_items", "0-8", "Line item"),
    ("quote", "quotes", "0-14", "Quote"),
    ("task", "tasks", "0-27", "Task"),
    ("note", "notes", "0-46", "Note"),
    ("meeting", "meetings", "0-47", "Meeting"),
    ("call", "calls", "0-48", "Call"),
    ("email", "emails", "0-49", "Email"),
    ("lead", "leads", "0-136", "Lead"),
];

/// Those that every portal has and a mapping is usually about.
const USUAL: usize = 6;

/// The properties whose options are the pipelines of an object, and those whose options are their stages.
const PIPELINES: &[&str] = &["pipeline", "hs_pipeline"];
const STAGES: &[&str] = &["dealstage", "hs_pipeline_stage"];

/// Where the id of the primary company stands (HubSpot fills them from the primary association).
const PRIMARY_COMPANY: &[&str] = &["associatedcompanyid", "hs_primary_associated_company"];

/// The property in which a contact says no to all e-mail, which the portal cannot write.
const CONSENT: &[&str] = &["hs_email_optout"];

/// HTTP: no such object; HubSpot says 400 where it cannot even tell what is meant.
const NO_OBJECT: &[u16] = &[400, 404];

#[async_trait]
impl Describe for HubspotClient {
    fn side(&self) -> Side {
        Side::Hubspot
    }

    fn api_version(&self) -> &str {
        &self.version
    }

    async fn object_names(&self) -> Result<Vec<String>, CrmError> {
        let own = self.own_objects().await?;
        let own = own.iter().filter_map(|schema| text(schema, "name"));
        Ok(STANDARD[..USUAL].iter().map(|(name, ..)| (*name).to_owned()).chain(own).collect())
    }

    async fn describe_object(&self, api_name: &str) -> Result<Option<DescribedObject>, CrmError> {
        let standard =
            STANDARD.iter().find(|(name, plural, id, _)| [*name, *plural, *id].contains(&api_name));
        let mut required = HashSet::new();
        let mut object = match standard {
            Some((name, plural, id, label)) => DescribedObject {
                name: (*name).to_owned(),
                api_name: (*name).to_owned(),
                label: (*label).to_owned(),
                plural: Some((*plural).to_owned()),
                type_id: Some((*id).to_owned()),
                ..DescribedObject::default()
            },
            None => match self.own_objects().await?.iter().find(|schema| is_called(schema, api_name)) {
                Some(schema) => {
                    let names =
                        schema.get("requiredProperties").and_then(Json::as_array).into_iter().flatten();
                    required = names.filter_map(Json::as_str).map(str::to_owned).collect();
                    own_object(schema)
                }
                None => return Ok(None),
            },
        };
        let address = object.plural.as_ref().or(object.type_id.as_ref()).unwrap_or(&object.api_name).clone();
        let url = self.address("properties", &self.version, &[&address]);
        let properties = match self.results(&Call::get(url)).await {
            Err(error) if error.status.is_some_and(|status| NO_OBJECT.contains(&status)) => return Ok(None),
            other => other?,
        };
        object.fields = properties.iter().filter_map(field).collect();
        for field in &mut object.fields {
            field.required = required.contains(&field.name);
        }
        self.fill_stages(&mut object, &address).await?;
        Ok(Some(object))
    }

    async fn association_labels(
        &self,
        from: &DescribedObject,
        to: &DescribedObject,
    ) -> Result<Option<Vec<String>>, CrmError> {
        let name = |object: &DescribedObject| {
            object.type_id.as_ref().or(object.plural.as_ref()).unwrap_or(&object.api_name).clone()
        };
        let url = self.address("associations", "v4", &[&name(from), &name(to), "labels"]);
        let types = match self.results(&Call::get(url)).await {
            Err(error) if error.status.is_some_and(|status| NO_OBJECT.contains(&status)) => return Ok(None),
            other => other?,
        };
        // An association without a label is a type of its own.
        let mut labels: Vec<String> = types.iter().filter_map(|kind| text(kind, "label")).collect();
        labels.retain(|label| !label.is_empty());
        labels.sort_unstable();
        labels.dedup();
        Ok(Some(labels))
    }

    async fn owners(&self) -> Result<Vec<DescribedOwner>, CrmError> {
        let mut owners: Vec<DescribedOwner> = Vec::new();
        for archived in [false, true] {
            for owner in self.all_owners(archived).await? {
                let id = text(&owner, "id").ok_or_else(|| self.garbled("an owner has no `id`", true))?;
                // Who is back can be in both lists.
                if !owners.iter().any(|known| known.id == id) {
                    let email = text(&owner, "email").filter(|email| !email.is_empty());
                    let who = Who::Person { email, username: None };
                    owners.push(DescribedOwner { id, who, active: !archived });
                }
            }
        }
        Ok(owners)
    }
}

impl HubspotClient {
    /// The objects that the portal defined itself.
    async fn own_objects(&self) -> Result<Vec<Json>, CrmError> {
        self.results(&Call::get(self.address("schemas", &self.version, &[]))).await
    }

    /// Lists the pipelines and stages as the options that they are: the properties themselves list none.
    async fn fill_stages(&self, object: &mut DescribedObject, address: &str) -> Result<(), CrmError> {
        let staged = |field: &DescribedField| STAGES.contains(&field.name.as_str());
        if !object.fields.iter().any(staged) {
            return Ok(());
        }
        let url = self.address("pipelines", &self.version, &[address]);
        let mut pipelines = self.results(&Call::get(url)).await?;
        pipelines.retain(|pipeline| !flag(pipeline, "archived"));
        pipelines.sort_by_key(display_order);
        for field in &mut object.fields {
            let name = field.name.as_str();
            let listed = match (PIPELINES.contains(&name), STAGES.contains(&name)) {
                (true, _) => pipelines.iter().filter_map(|pipeline| entry(pipeline, None)).collect(),
                (_, true) => stages(&pipelines),
                _ => continue,
            };
            if !listed.is_empty() {
                field.options = unique(listed);
                field.external_options = false;
            }
        }
        Ok(())
    }
}

/// The stages of all pipelines; beyond the first, each with its pipeline's label.
fn stages(pipelines: &[Json]) -> Vec<DescribedOption> {
    let mut all = Vec::new();
    for (index, pipeline) in pipelines.iter().enumerate() {
        let label = text(pipeline, "label").filter(|_| index > 0);
        let mut stages: Vec<&Json> =
            pipeline.get("stages").and_then(Json::as_array).into_iter().flatten().collect();
        stages.retain(|stage| !flag(stage, "archived"));
        stages.sort_by_key(|stage| display_order(stage));
        all.extend(stages.into_iter().filter_map(|stage| entry(stage, label.as_deref())));
    }
    all
}

/// A pipeline or stage as an option.
fn entry(json: &Json, pipeline: Option<&str>) -> Option<DescribedOption> {
    let value = text(json, "id")?;
    let label = text(json, "label").unwrap_or_else(|| value.clone());
    let label = pipeline.map_or_else(|| label.clone(), |pipeline| format!("{pipeline}: {label}"));
    Some(DescribedOption { value, label, active: true, converted: false })
}

fn display_order(json: &Json) -> i64 {
    json.get("displayOrder").and_then(Json::as_i64).unwrap_or(i64::MAX)
}

/// Whether a schema of the portal's own is meant: by its id, its name, or the name with the portal's prefix.
fn is_called(schema: &Json, name: &str) -> bool {
    ["objectTypeId", "name", "fullyQualifiedName"]
        .iter()
        .any(|key| text(schema, key).is_some_and(|known| known == name))
}

fn own_object(schema: &Json) -> DescribedObject {
    let id = text(schema, "objectTypeId").unwrap_or_default();
    let name = text(schema, "name").unwrap_or_else(|| id.clone());
    let label = schema.pointer("/labels/singular").and_then(Json::as_str).map(str::to_owned);
    DescribedObject {
        label: label.unwrap_or_else(|| name.clone()),
        api_name: id.clone(),
        type_id: Some(id),
        name,
        ..DescribedObject::default()
    }
}

fn field(facts: &Json) -> Option<DescribedField> {
    let name = text(facts, "name")?;
    let given = text(facts, "type")?;
    let kind = kind(&given);
    let field_type = text(facts, "fieldType").unwrap_or_default();
    let is_list = kind == "enumeration" && field_type != "booleancheckbox";
    let calculated = flag(facts, "calculated");
    let read_only =
        facts.pointer("/modificationMetadata/readOnlyValue").and_then(Json::as_bool).unwrap_or(false);
    let options = if is_list { options(facts) } else { Vec::new() };
    let leads_to = |to: &str| text(facts, "referencedObjectType").is_some_and(|object| object == to);
    let primary = PRIMARY_COMPANY.contains(&name.as_str()) && leads_to("COMPANY");
    Some(DescribedField {
        label: text(facts, "label").unwrap_or_else(|| name.clone()),
        format: (name == "email" && kind == "string").then(|| "email".to_owned()),
        createable: !read_only && !calculated,
        updateable: !read_only && !calculated,
        calculated,
        unique: flag(facts, "hasUniqueValue"),
        currency: flag(facts, "showCurrencySymbol") && kind == "number",
        consent: CONSENT.contains(&name.as_str()),
        external_options: is_list && flag(facts, "externalOptions"),
        primary_of: primary.then(|| "company".to_owned()),
        owner: is_list && leads_to("OWNER"),
        field_type: tells(kind, &field_type).then_some(field_type),
        kind: kind.to_owned(),
        options,
        name,
        ..DescribedField::default()
    })
}

/// The type as a snapshot writes it. What is none of its types is something that a mapping cannot read or write.
fn kind(given: &str) -> &str {
    match given {
        "string" | "number" | "bool" | "enumeration" | "date" | "datetime" | "phone_number"
        | "object_coordinates" => given,
        _ => "json",
    }
}

/// Whether the way in which people edit a property says more than its type.
fn tells(kind: &str, field_type: &str) -> bool {
    !matches!(
        (kind, field_type),
        (_, "")
            | ("string" | "object_coordinates" | "json", "text")
            | ("number", "number")
            | ("bool", "booleancheckbox")
            | ("date" | "datetime", "date")
            | ("phone_number", "phonenumber")
    )
}

fn options(facts: &Json) -> Vec<DescribedOption> {
    let listed = facts.get("options").and_then(Json::as_array).into_iter().flatten();
    let options = listed.filter_map(|option| {
        let value = text(option, "value")?;
        let label = text(option, "label").unwrap_or_else(|| value.clone());
        Some(DescribedOption { value, label, active: !flag(option, "hidden"), converted: false })
    });
    unique(options.collect())
}

/// The first option of each value.
fn unique(options: Vec<DescribedOption>) -> Vec<DescribedOption> {
    let mut seen = HashSet::new();
    options.into_iter().filter(|option| seen.insert(option.value.clone())).collect()
}

fn text(json: &Json, key: &str) -> Option<String> {
    json.get(key)?.as_str().map(str::to_owned)
}

fn flag(json: &Json, key: &str) -> bool {
    json.get(key).and_then(Json::as_bool).unwrap_or(false)
}
