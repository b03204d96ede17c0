//! `mapwright permissions`

use std::collections::BTreeMap;
use std::path::Path;

use super::args::PermissionsArgs;
use super::output::Output;
use super::{Exit, live, parts};
use crate::crm::hubspot::scopes::{OWNERS, covered, scopes};
use crate::crm::salesforce::permission_set::{Lack, Permissions, permission_set, permissions};
use crate::plan::access;

pub(super) async fn run(given: Option<&Path>, options: &PermissionsArgs, output: Output) -> Exit {
    match needed(given, options, output).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn needed(given: Option<&Path>, options: &PermissionsArgs, output: Output) -> Result<Exit, Exit> {
    let project = parts::checked(given, output)?;
    let world = parts::world(&project, options.pair.as_deref(), output)?;
    let plan = world.plan(&project.sources).ok_or(Exit::Findings)?;
    let schemas = world.schemas.as_ref().ok_or(Exit::Findings)?;
    let access = access(&plan, schemas);
    let mut permissions = permissions(&access, &schemas.salesforce);
    let clients = parts::clients_if_configured(&project, options.pair.as_deref(), output).await?;

    let mut missing = Vec::new();
    if let Some(clients) = &clients {
        missing = clients.salesforce().ungranted(&mut permissions).await.map_err(|error| {
            output.error(&format!("what Salesforce grants is not known: {error}"));
            Exit::Remote
        })?;
    }
    if options.salesforce_xml {
        Output::result_as_it_is(&permission_set(&permissions));
        return Ok(Exit::Fine);
    }
    let granted = match &clients {
        None => None,
        Some(clients) => {
            let info = clients.hubspot().token_info().await.map_err(|error| {
                output.error(&format!("what HubSpot grants is not known: {error}"));
                Exit::Remote
            })?;
            Some(info.scopes)
        }
    };
    let mut scopes = scopes(&access, &schemas.hubspot);
    if live::owners(&parts::root(given, output)?) {
        pulls_owners(&mut scopes);
    }
    let lacks = missing.len() + show_hubspot(&scopes, granted.as_deref());
    show_salesforce(&permissions, &missing);
    match (&clients, lacks) {
        (None, _) => {}
        (Some(_), 0) => output.note("everything is granted"),
        (Some(_), lacks) if missing.is_empty() => {
            output.note(&format!("{lacks} missing; grant the scopes to HubSpot's app"));
        }
        (Some(_), lacks) => {
            output.note(&format!(
                "{lacks} missing; `mapwright permissions --salesforce-xml` prints a permission set"
            ));
        }
    }
    Ok(if lacks == 0 { Exit::Fine } else { Exit::Findings })
}

/// Adds what `schema pull` needs of the owners.
fn pulls_owners(scopes: &mut BTreeMap<String, String>) {
    let reason = scopes.entry(OWNERS.to_owned()).or_default();
    if !reason.is_empty() {
        reason.push_str(", ");
    }
    reason.push_str("`schema pull` of the owners");
}

/// Shows the scopes, and counts those that are not granted.
fn show_hubspot(scopes: &BTreeMap<String, String>, granted: Option<&[String]>) -> usize {
    Output::result("HubSpot: the scopes of the app");
    let width = scopes.keys().map(String::len).max().unwrap_or(0);
    let mut lacks = 0;
    for (scope, why) in scopes {
        let state = match granted.map(|granted| covered(scope, |scope| granted.iter().any(|it| it == scope)))
        {
            None => "",
            Some(true) => "granted  ",
            Some(false) => {
                lacks += 1;
                "MISSING  "
            }
        };
        Output::result(&format!("  {state}{scope:width$}  {why}"));
    }
    lacks
}

fn show_salesforce(permissions: &Permissions, missing: &[Lack]) {
    Output::result("Salesforce: the permissions of the integration's user");
    let mut rights = vec!["API Enabled"];
    rights.extend(permissions.convert.then_some("Convert Leads"));
    Output::result(&format!("  {}", rights.join(", ")));
    for (object, needed) in &permissions.objects {
        let mut words = vec!["read"];
        words.extend(needed.create.then_some("create"));
        words.extend(needed.edit.then_some("edit"));
        Output::result(&format!("  {object}: {}", words.join(", ")));
        for (edit, word) in [(false, "read"), (true, "edit")] {
            let fields: Vec<&str> =
                needed.fields.iter().filter(|(_, is)| **is == edit).map(|(name, _)| name.as_str()).collect();
            if !fields.is_empty() {
                Output::result(&format!("    {word} {}", fields.join(", ")));
            }
        }
    }
    for right in missing {
        Output::result(&format!("  MISSING  {right}"));
    }
}
