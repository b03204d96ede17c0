//! What is looked at in Salesforce.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::super::parts::Ready;
use super::hubspot::list;
use super::report::Report;
use super::{fields, login, needs};
use crate::config::{Pair, SalesforceAuth};
use crate::crm::salesforce::SalesforceClient;
use crate::source::Side;
use crate::types::CrmErrorKind;

/// Below this share of the day's calls a burst may use up the rest.
const FEW_CALLS: u64 = 10;

pub(super) async fn check(ready: &Ready, client: &SalesforceClient, report: &mut Report) {
    match client.user_info().await {
        Ok(user) => {
            let text = |key: &str| user[key].as_str().unwrap_or("?").to_owned();
            let (name, org) = (text("preferred_username"), text("organization_id"));
            report.ok("Salesforce token", format!("works as {name} in org {org}"));
        }
        Err(error) if error.kind == CrmErrorKind::Unauthorised => {
            report.problem(
                "Salesforce token",
                format!("Salesforce lets nobody in: {error}"),
                match ready.pair.salesforce.auth {
                    SalesforceAuth::OAuth { .. } => login::again(ready, Side::Salesforce),
                    _ => "look at `salesforce: auth:`, at the connected app, and at the integration user"
                        .to_owned(),
                },
            );
            return;
        }
        Err(error) => {
            report.failed("Salesforce token", "the integration user cannot be looked at", &error);
            return;
        }
    }
    // Of a version that is not offered everything else would be untrue.
    if !version(&ready.pair, client, report).await {
        return;
    }
    limits(client, report).await;
    if !report.has_plan() {
        return;
    }
    keys(ready, client, report).await;
    fields::salesforce(ready, client, report).await;
    duplicate_rules(ready, client, report).await;
}

async fn limits(client: &SalesforceClient, report: &mut Report) {
    let Ok(limits) = client.org_limits().await else { return };
    let daily = &limits["DailyApiRequests"];
    let (Some(max), Some(left)) = (daily["Max"].as_u64(), daily["Remaining"].as_u64()) else { return };
    let message = format!("{left} of {max} calls of 24 hours are left");
    if left * 100 < max * FEW_CALLS {
        report.warning("Salesforce limits", message, "see what else calls the API, or buy more calls");
    } else {
        report.ok("Salesforce limits", message);
    }
}

/// Whether the version is offered, as far as that is known.
async fn version(pair: &Pair, client: &SalesforceClient, report: &mut Report) -> bool {
    let Ok(versions) = client.versions().await else { return true };
    let wanted = pair.salesforce.api_version.trim_start_matches('v');
    if versions.iter().any(|version| version == wanted) {
        return true;
    }
    let range = versions.first().zip(versions.last());
    let range = range.map_or_else(String::new, |(first, last)| format!(" (it offers {first} to {last})"));
    report.problem(
        "Salesforce API",
        format!("the org does not offer version {wanted}{range}"),
        "set `api_version:` to one that it offers",
    );
    false
}

/// Whether the fields by which records are found or written are external IDs and unique.
async fn keys(ready: &Ready, client: &SalesforceClient, report: &mut Report) {
    let keys = needs::keys(&ready.plan, Side::Salesforce);
    let objects: BTreeSet<&str> = keys.iter().map(|key| key.object.name.as_str()).collect();
    for object in objects {
        let described = match client.describe(object).await {
            Ok(described) => described,
            Err(error) => {
                report.failed("Salesforce keys", &format!("{object} cannot be described"), &error);
                continue;
            }
        };
        let fields = described["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
        for key in keys.iter().filter(|key| key.object.name == object) {
            look_at(key, fields, report);
        }
    }
}

/// Whether one field is what mappings take it for.
fn look_at(key: &needs::KeyField, fields: &[Json], report: &mut Report) {
    let object = &key.object.name;
    let field = fields.iter().find(|field| field["name"] == key.field.as_str());
    let (name, by) = (format!("`{object}.{}`", key.field), list(&key.by));
    let is = |flag: &str| field.is_some_and(|field| field[flag] == true);
    if !key.upserts
        && field.is_some_and(|field| matches!(field["type"].as_str(), Some("boolean" | "picklist")))
    {
        // It narrows a search down; nobody takes it for a key.
        return;
    }
    match (field.is_some(), is("externalId"), is("unique"), key.upserts) {
        (false, ..) => report.problem(
            "Salesforce keys",
            format!("{name} does not exist, or the integration user may not see it; {by} matches by it"),
            "make the field or grant it (field-level security)",
        ),
        (true, true, true, _) => {
            report.ok("Salesforce keys", format!("{name} is an external ID and unique"));
        }
        (true, external, _, true) => report.problem(
            "Salesforce keys",
            format!(
                "{name} is {}, and {by} writes by it: two writes at the same time make two records",
                if external { "an external ID but not unique" } else { "no external ID" }
            ),
            "tick \"External ID\" and \"Unique\" at the field",
        ),
        (true, _, true, false) => report.ok("Salesforce keys", format!("{name} is unique")),
        (true, _, false, false) => report.warning(
            "Salesforce keys",
            format!("{name} is not unique; where several records have a value, `on many` of {by} decides"),
            "nothing, if that is meant",
        ),
    }
}

/// Which duplicate rules watch the records that mappings make.
async fn duplicate_rules(ready: &Ready, client: &SalesforceClient, report: &mut Report) {
    let made = needs::made(&ready.plan);
    if made.is_empty() {
        return;
    }
    let rules = match client.duplicate_rules().await {
        Ok(rules) => rules,
        Err(error) if matches!(error.kind, CrmErrorKind::Refused | CrmErrorKind::Forbidden) => {
            report.warning(
                "duplicate rules",
                format!("they cannot be read: {error}"),
                "let the integration user view setup, or look at them yourself (Setup > Duplicate Rules)",
            );
            return;
        }
        Err(error) => return report.failed("duplicate rules", "they cannot be read", &error),
    };
    let active: Vec<&Json> = rules.iter().filter(|rule| rule["IsActive"] == true).collect();
    let mut any = false;
    for (object, mappings) in &made {
        for rule in active.iter().filter(|rule| rule["SobjectType"] == object.as_str()) {
            any = true;
            let name = rule["MasterLabel"].as_str().or(rule["DeveloperName"].as_str()).unwrap_or("?");
            report.warning(
                "duplicate rules",
                format!("`{name}` watches {object}, which {} makes", list(mappings)),
                "`on duplicate` of these mappings decides; one that parks asks a person each time",
            );
        }
    }
    if !any {
        report.ok("duplicate rules", "none is active for what the mappings make".to_owned());
    }
}
