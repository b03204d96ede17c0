//! Whether a CRM accepts how a pair proves who it is, whose the token is, and what it may do.

use serde_json::{Value as Json, json};

use crate::config::Pair;
use crate::crm::hubspot::HubspotClient;
use crate::crm::salesforce::SalesforceClient;
use crate::types::{CrmError, CrmErrorKind};

/// What a CRM said of a token.
pub(super) enum Said {
    /// It works.
    Accepted(Owner),
    /// It does not, or it is of another account.
    Refused(String),
    /// Nothing that would settle it: the CRM cannot be reached, is busy, or its limit is used up.
    Unknown(String),
}

/// Whose a token is.
#[derive(Default)]
pub(super) struct Owner {
    account: String,
    user: Option<String>,
    /// What it may do, where the CRM says so.
    scopes: Option<Vec<String>>,
}

/// Asks HubSpot.
pub(super) async fn hubspot(pair: &Pair, client: &HubspotClient) -> Said {
    let info = match client.token_info().await {
        Ok(info) => info,
        Err(error) => return failed(&error),
    };
    let portal = pair.hubspot.portal;
    match info.hub {
        Some(hub) if hub != portal => {
            Said::Refused(format!("the token is of portal {hub}, and `portal:` says {portal}"))
        }
        _ => Said::Accepted(Owner {
            account: format!("portal {portal}"),
            user: info.user,
            scopes: Some(info.scopes),
        }),
    }
}

/// Asks Salesforce.
pub(super) async fn salesforce(client: &SalesforceClient) -> Said {
    let user = match client.user_info().await {
        Ok(user) => user,
        Err(error) => return failed(&error),
    };
    let scopes = client.granted_scopes().await.ok().flatten();
    let text = |key: &str| user[key].as_str().map(str::to_owned);
    let account = text("organization_id").map_or_else(String::new, |org| format!("org {org}"));
    Said::Accepted(Owner { account, user: text("preferred_username"), scopes })
}

fn failed(error: &CrmError) -> Said {
    match error.kind {
        // HubSpot answers about a token that it does not know as about any other thing that is not there.
        CrmErrorKind::Unauthorised | CrmErrorKind::Forbidden | CrmErrorKind::Refused => {
            Said::Refused(error.to_string())
        }
        CrmErrorKind::Version | CrmErrorKind::Retry | CrmErrorKind::Window | CrmErrorKind::Garbled => {
            Said::Unknown(error.to_string())
        }
    }
}

impl Said {
    /// `accepted: portal 4556789 as jane@acme.example, scopes crm.objects.contacts.read …`
    pub(super) fn words(&self) -> String {
        match self {
            Said::Refused(why) => format!("REFUSED: {why}"),
            Said::Unknown(why) => format!("not known: {why}"),
            Said::Accepted(Owner { account, user, scopes }) => {
                let user = user.as_ref().map_or_else(String::new, |user| format!(" as {user}"));
                let scopes = match scopes {
                    Some(scopes) => format!(", scopes {}", scopes.join(" ")),
                    None => String::new(),
                };
                format!("accepted: {account}{user}{scopes}")
            }
        }
    }

    pub(super) fn json(&self) -> Json {
        match self {
            Said::Refused(why) => json!({"accepted": false, "message": why}),
            Said::Unknown(why) => json!({"accepted": null, "message": why}),
            Said::Accepted(Owner { account, user, scopes }) => {
                json!({"accepted": true, "account": account, "user": user, "scopes": scopes})
            }
        }
    }
}
