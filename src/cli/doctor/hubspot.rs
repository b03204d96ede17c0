//! What is looked at in HubSpot.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::super::parts::Ready;
use super::report::Report;
use super::{fields, login, needs};
use crate::config::{HubspotAuth, Pair};
use crate::crm::hubspot::scopes::covered;
use crate::crm::hubspot::{HubspotClient, TokenInfo};
use crate::source::Side;
use crate::types::CrmErrorKind;

/// Properties by which HubSpot itself tells records apart, though it does not call them unique in every account (its
/// page on properties of contacts: "Email" is the primary unique identifier).
const OWN_KEYS: [(&str, &str); 2] = [("contact", "email"), ("*", "hs_object_id")];

pub(super) async fn check(ready: &Ready, client: &HubspotClient, report: &mut Report) {
    let granted = match client.token_info().await {
        Ok(info) => token(&ready.pair, info, report),
        Err(error) if is_oauth(ready) && error.kind == CrmErrorKind::Unauthorised => {
            let message = format!("HubSpot lets nobody in: {error}");
            report.problem("HubSpot token", message, login::again(ready, Side::Hubspot));
            None
        }
        Err(error) if matches!(error.kind, CrmErrorKind::Refused) => {
            report.problem(
                "HubSpot token",
                format!("HubSpot does not know the token: {error}"),
                "set the private app's present token (Settings > Integrations > Private Apps > Auth)",
            );
            None
        }
        Err(error) => {
            report.failed("HubSpot token", "the token cannot be looked at", &error);
            None
        }
    };
    // Without a token that works, everything else would only say so again.
    let Some(granted) = granted else { return };
    if !report.has_plan() {
        return;
    }
    scopes(ready, &granted, report);
    let asked = keys(ready, client, report).await;
    fields::hubspot(ready, client, asked, report).await;
}

/// The properties of the objects that HubSpot was asked about; `None` where it did not tell them, which is said already.
pub(super) type Asked = BTreeMap<String, Option<Vec<Json>>>;

/// Whether an OAuth app's tokens are used, in place of a private app's.
pub(super) fn is_oauth(ready: &Ready) -> bool {
    matches!(ready.pair.hubspot.auth, HubspotAuth::OAuth { .. })
}

/// Whose token it is; the scopes that it has, where it is the pair's.
fn token(pair: &Pair, info: TokenInfo, report: &mut Report) -> Option<BTreeSet<String>> {
    let TokenInfo { hub, app, user, scopes } = info;
    match hub {
        Some(hub) if hub != pair.hubspot.portal => {
            report.problem(
                "HubSpot token",
                format!("the token is of portal {hub}, and `portal:` says {}", pair.hubspot.portal),
                "take the token of that portal, or correct `portal:`",
            );
            return None;
        }
        _ => {
            let user = user.map_or_else(String::new, |user| format!(" as {user}"));
            report.ok("HubSpot token", format!("works for portal {}{user}", pair.hubspot.portal));
        }
    }
    match (pair.hubspot.app_id, app) {
        (None, Some(app)) => report.warning(
            "HubSpot app",
            "`app_id:` is not set, so our own writes come back as events and are worked on once more"
                .to_owned(),
            format!("write `app_id: {app}` under `hubspot:`"),
        ),
        (Some(known), Some(app)) if known != app => report.warning(
            "HubSpot app",
            format!("`app_id:` says {known}, and the token is of app {app}"),
            format!(
                "write `app_id: {app}` under `hubspot:`; else our own writes are not recognised, and each costs a run more"
            ),
        ),
        _ => {}
    }
    Some(scopes.into_iter().collect())
}

fn scopes(ready: &Ready, granted: &BTreeSet<String>, report: &mut Report) {
    let needed = needs::scopes(&ready.plan, &ready.schemas);
    let help = if is_oauth(ready) {
        format!(
            "add it to the app and to `scopes:`, and log in again: {}",
            login::again(ready, Side::Hubspot)
        )
    } else {
        "grant it to the private app (Scopes), and commit the change there; the token stays the same"
            .to_owned()
    };
    let mut missing = false;
    for (scope, mappings) in
        needed.iter().filter(|(scope, _)| !covered(scope, |scope| granted.contains(scope)))
    {
        missing = true;
        report.problem(
            "HubSpot scopes",
            format!("`{scope}` is missing, which {} needs", list(mappings)),
            help.as_str(),
        );
    }
    if !missing {
        report.ok("HubSpot scopes", format!("all {} that the mappings need", needed.len()));
    }
}

/// Whether the properties by which records are found or written are unique; what was asked for that.
async fn keys(ready: &Ready, client: &HubspotClient, report: &mut Report) -> Asked {
    let mut asked = Asked::new();
    let keys = needs::keys(&ready.plan, Side::Hubspot);
    let objects: BTreeSet<&str> = keys.iter().map(|key| key.object.name.as_str()).collect();
    for object in objects {
        let of_object = keys.iter().filter(|key| key.object.name == object);
        if ready.schemas.hubspot.objects.get(object).is_some_and(|facts| facts.timeline.is_some()) {
            // The id of an event is unique by nature.
            continue;
        }
        let properties = match client.properties(object).await {
            Ok(properties) => properties,
            Err(error) => {
                report.failed("HubSpot keys", &format!("the properties of {object} cannot be read"), &error);
                asked.insert(object.to_owned(), None);
                continue;
            }
        };
        for key in of_object {
            look_at(key, &properties, report);
        }
        asked.insert(object.to_owned(), Some(properties));
    }
    asked
}

/// Whether one property is what mappings take it for.
fn look_at(key: &needs::KeyField, properties: &[Json], report: &mut Report) {
    let object = &key.object.name;
    let own = OWN_KEYS.iter().any(|(of, field)| (*of == "*" || *of == object) && *field == key.field);
    let found = properties.iter().find(|property| property["name"] == key.field.as_str());
    let narrows = |found: &&Json| matches!(found["type"].as_str(), Some("bool" | "enumeration"));
    if !key.upserts && found.as_ref().is_some_and(narrows) {
        // It narrows a search down; nobody takes it for a key.
        return;
    }
    let unique = own || found.is_some_and(|property| property["hasUniqueValue"] == true);
    let (name, by) = (format!("`{}` of {object}", key.field), list(&key.by));
    match (found.is_some() || own, unique, key.upserts) {
        (false, ..) => report.problem(
            "HubSpot keys",
            format!("{name} does not exist in the portal; {by} matches by it"),
            "make the property, or bring the snapshot up to date and mend the mapping",
        ),
        (true, true, _) => report.ok("HubSpot keys", format!("{name} is unique")),
        (true, false, true) => report.problem(
            "HubSpot keys",
            format!("{name} is not unique, and {by} writes by it: one record could become two"),
            "make a property with unique values (hasUniqueValue can be chosen only when it is made)",
        ),
        (true, false, false) => report.warning(
            "HubSpot keys",
            format!("{name} is not unique; where several records have a value, `on many` of {by} decides"),
            "nothing, if that is meant",
        ),
    }
}

/// Names for a sentence.
pub(super) fn list(names: &BTreeSet<String>) -> String {
    let quoted = |name: &String| if name.starts_with('`') { name.clone() } else { format!("`{name}`") };
    names.iter().map(quoted).collect::<Vec<_>>().join(", ")
}
