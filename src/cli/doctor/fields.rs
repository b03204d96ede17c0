//! Whether the accounts show the fields that mappings read, and take those that they write. A token that works and an object
//! that is granted do not say so: Salesforce has field-level security, and HubSpot properties that only it writes.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::super::parts::Ready;
use super::hubspot::{Asked, list};
use super::report::Report;
use crate::crm::hubspot::HubspotClient;
use crate::crm::salesforce::SalesforceClient;
use crate::crm::salesforce::permission_set::{Lack, permissions, security_of};
use crate::plan::{Each, Mapping, Plan, access};
use crate::source::{ObjectName, Side};

/// The record's id where a mapping names it as a field.
const ID: &str = "id";

/// What `describe` shows the integration's user, beside what the mappings need.
pub(super) async fn salesforce(ready: &Ready, client: &SalesforceClient, report: &mut Report) {
    const CHECK: &str = "Salesforce fields";
    let schema = &ready.schemas.salesforce;
    let mut needed = permissions(&access(&ready.plan, &ready.schemas), schema);
    let lacks = match client.ungranted(&mut needed).await {
        Ok(lacks) => lacks,
        Err(error) => return report.failed(CHECK, "what the integration's user may do is not known", &error),
    };
    for lack in &lacks {
        let Lack { object: api_name, field, right } = lack;
        let known = schema.objects.values().find(|object| object.api_name == *api_name);
        let name = ObjectName::new(Side::Salesforce, known.map_or(api_name.as_str(), |known| &known.name));
        let by = match field {
            None => of_object(&ready.plan, &name),
            // The rights on an address are those on its parts.
            Some(field) => of_field(&ready.plan, &name, |used| {
                used == field || known.and_then(|known| security_of(known, used)) == Some(field.as_str())
            }),
        };
        let (message, help) = match field {
            None => (
                format!("the integration's user may not {right} {api_name}, which {} needs", list(&by)),
                "grant it in a permission set (`mapwright permissions --salesforce-xml` prints one)",
            ),
            Some(field) => (
                format!(
                    "the integration's user may not {right} `{api_name}.{field}`, which {} needs",
                    list(&by)
                ),
                "grant it (field-level security; `mapwright permissions --salesforce-xml` prints a permission set), or make \
                 the field if it is gone",
            ),
        };
        report.problem(CHECK, message, help);
    }
    if lacks.is_empty() {
        let count: usize = needed.objects.values().map(|object| object.fields.len()).sum();
        report.ok(CHECK, format!("all {count} that can be withheld are granted as the mappings need them"));
    }
}

/// The properties that the token is shown.
pub(super) async fn hubspot(ready: &Ready, client: &HubspotClient, mut asked: Asked, report: &mut Report) {
    const CHECK: &str = "HubSpot fields";
    let (mut count, mut bad) = (0, false);
    for (name, rights) in access(&ready.plan, &ready.schemas).objects {
        let known = ready.schemas.hubspot.objects.get(&name.name);
        // Owners have no properties, and the events of a timeline are the app's own.
        let Some(known) = known.filter(|known| name.side == Side::Hubspot && known.timeline.is_none()) else {
            continue;
        };
        let fields: Vec<(&String, &bool)> = rights.fields.iter().filter(|(field, _)| *field != ID).collect();
        if fields.is_empty() || known.name == "owner" {
            continue;
        }
        let known = match asked.remove(&name.name) {
            Some(known) => known,
            None => match client.properties(&name.name).await {
                Ok(properties) => Some(properties),
                Err(error) => {
                    report.failed(CHECK, &format!("the properties of {} cannot be read", name.name), &error);
                    None
                }
            },
        };
        let Some(properties) = known else {
            bad = true;
            continue;
        };
        for (field, written) in fields {
            count += 1;
            let Some((what, help)) = withheld(&properties, field, *written) else { continue };
            let by = list(&of_field(&ready.plan, &name, |used| used == field));
            bad = true;
            report.problem(CHECK, format!("`{field}` of {} {what}; {by} needs it", name.name), help);
        }
    }
    if !bad {
        report.ok(
            CHECK,
            format!("all {count} that the mappings use are there, and can be written where they are"),
        );
    }
}

/// Why a property cannot be read, or not be written where it is; and what to do.
fn withheld(properties: &[Json], field: &str, written: bool) -> Option<(&'static str, &'static str)> {
    let found = properties.iter().find(|property| property["name"] == field);
    let read_only = |found: &Json| found["modificationMetadata"]["readOnlyValue"] == true;
    match found {
        None => Some((
            "is not there, or the token is not shown it",
            "make the property or grant its scope, or mend the mapping",
        )),
        Some(found) if written && read_only(found) => {
            Some(("is written by HubSpot alone", "take the rule out: HubSpot refuses what it writes"))
        }
        Some(_) => None,
    }
}

/// The mappings that make or change records of an object, each with its line.
fn of_object(plan: &Plan, object: &ObjectName) -> BTreeSet<String> {
    let of = plan.mappings.iter().filter(|mapping| mapping.target == *object || mapping.source == *object);
    let by: BTreeSet<String> = of.map(|mapping| format!("`{}` ({})", mapping.name, mapping.at)).collect();
    if by.is_empty() { access_of(plan, object) } else { by }
}

/// The rules that write a field and the mappings that read it, each with its line.
fn of_field(plan: &Plan, object: &ObjectName, is: impl Fn(&String) -> bool) -> BTreeSet<String> {
    let mut by = BTreeSet::new();
    for mapping in &plan.mappings {
        let (mut places, written) = (Vec::new(), mapping.target == *object);
        places.extend(mapping.key.iter().filter(|key| written && is(&key.field)).map(|key| &key.at));
        places.extend(mapping.rules.iter().filter(|rule| written && is(&rule.field)).map(|rule| &rule.at));
        let rungs = mapping.rungs.iter().filter(|rung| rung.object == *object);
        let rows = mapping.eaches.iter().filter(|each| each.object == *object);
        let in_use =
            |each: &&Each| each.reads.iter().any(&is) || each.tests.iter().any(|test| is(&test.field));
        places.extend(rows.filter(in_use).map(|each| &each.at));
        places
            .extend(rungs.filter(|rung| rung.tests.iter().any(|test| is(&test.field))).map(|rung| &rung.at));
        let mut related = mapping.related.iter().filter(|related| related.object == *object);
        if mapping.source == *object && mapping.reads.iter().any(&is)
            || related.any(|related| related.reads.iter().any(&is))
        {
            places.push(&mapping.at);
        }
        by.extend(places.into_iter().map(|at| format!("`{}` ({at})", mapping.name)));
    }
    if by.is_empty() {
        // A look-up reads it on its way to something else.
        by = access_of(plan, object);
    }
    by
}

/// The mappings that have to do with an object at all.
fn access_of(plan: &Plan, object: &ObjectName) -> BTreeSet<String> {
    let looks = |mapping: &&Mapping| {
        mapping.lookups.iter().any(|lookup| lookup.object == *object)
            || mapping.rungs.iter().any(|rung| rung.object == *object)
            || mapping.related.iter().any(|related| related.object == *object)
            || mapping.eaches.iter().any(|each| each.object == *object)
            || mapping.associates.iter().any(|associate| associate.to == *object)
    };
    plan.mappings.iter().filter(looks).map(|mapping| format!("`{}` ({})", mapping.name, mapping.at)).collect()
}
