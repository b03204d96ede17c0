//! `mapwright auth`: logins, what is kept of them, and the keys that seal it.

mod check;
mod keeper;
mod listener;
mod login;
mod page;
mod status;

use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::args::{AuthAction, AuthArgs};
use super::output::Output;
use super::{Exit, parts};
use crate::config::{HubspotAuth, Pair, SalesforceAuth};
use crate::crm::hubspot::HubspotLogin;
use crate::crm::login::{Authorization, LoggedIn, Verifier};
use crate::crm::salesforce::SalesforceLogin;
use crate::source::Side;
use crate::store::{AccountKey, Accounts, Keys, Purpose, SqliteStore};
use crate::types::CrmError;

pub(super) use keeper::keeper;
pub(super) use status::{Login, login};

pub(super) async fn run(given: Option<&Path>, options: &AuthArgs, output: Output) -> Exit {
    let done = match &options.action {
        AuthAction::Login(options) => login::run(given, options, output).await,
        AuthAction::Status(options) => status::run(given, options, output).await,
        AuthAction::Logout { crm, pair } => logout(given, (*crm).into(), pair.as_deref(), output).await,
        AuthAction::Key => {
            Output::result(Keys::fresh(parts::entropy).expose_secret());
            Ok(Exit::Fine)
        }
    };
    match done {
        Ok(exit) | Err(exit) => exit,
    }
}

/// A configured pair, its store and its keys, whatever its mappings are like.
struct Place {
    configured: parts::Configured,
    store: Arc<SqliteStore>,
    keys: Option<Arc<Keys>>,
}

impl Place {
    async fn open(given: Option<&Path>, pair: Option<&str>, output: Output) -> Result<Self, Exit> {
        let configured = parts::configured(given, pair, output)?;
        let keys = configured.keys(output)?;
        let store = Arc::new(configured.store(output).await?);
        Ok(Self { configured, store, keys })
    }

    fn pair(&self) -> &Pair {
        &self.configured.pair
    }

    fn key(&self, side: Side) -> AccountKey {
        AccountKey { pair: self.pair().name.clone(), side, purpose: Purpose::Login, seed: String::new() }
    }
}

/// What logs people in at either vendor.
enum Client {
    Hubspot(HubspotLogin),
    Salesforce(SalesforceLogin),
}

impl Client {
    /// The client of a pair, and the scopes that it asks for; says in words what is missing.
    fn of(configured: &parts::Configured, side: Side) -> Result<(Self, Vec<String>), String> {
        let (pair, http) = (&configured.pair, configured.http());
        let other = |now: &str| {
            format!(
                "pair `{}` proves to {} who it is by {now}; to log in, write `auth: {{ oauth: {{ client_id: …, \
                 client_secret: … }} }}` there",
                pair.name,
                side.label()
            )
        };
        match side {
            Side::Hubspot => match pair.hubspot.auth.clone() {
                HubspotAuth::Token(_) => Err(other("`token`")),
                HubspotAuth::OAuth { client_id, client_secret, scopes } => {
                    let (base, page) = (pair.hubspot.base_url.clone(), pair.hubspot.login_url.clone());
                    let app = (client_id, client_secret);
                    let login = HubspotLogin::new(base, page, &pair.hubspot.api_path, app, http);
                    Ok((Client::Hubspot(login.map_err(|error| error.to_string())?), scopes))
                }
            },
            Side::Salesforce => match pair.salesforce.auth.clone() {
                SalesforceAuth::OAuth { client_id, client_secret, scopes } => {
                    let login = pair.salesforce.login_url.clone();
                    let login = SalesforceLogin::new(login, client_id, client_secret, http);
                    Ok((Client::Salesforce(login.map_err(|error| error.to_string())?), scopes))
                }
                SalesforceAuth::ClientCredentials { .. } => Err(other("`client_credentials`")),
                SalesforceAuth::JwtBearer { .. } => Err(other("`jwt_bearer`")),
                SalesforceAuth::RefreshToken { .. } => Err(other("a configured `refresh_token`")),
            },
        }
    }

    fn authorize(&self, request: &Authorization) -> Url {
        match self {
            Client::Hubspot(login) => login.authorize(request),
            Client::Salesforce(login) => login.authorize(request),
        }
    }

    async fn redeem(
        &self,
        code: &SecretString,
        verifier: &Verifier,
        uri: &str,
    ) -> Result<LoggedIn, CrmError> {
        match self {
            Client::Hubspot(login) => login.redeem(code, verifier, uri).await,
            Client::Salesforce(login) => login.redeem(code, verifier, uri).await,
        }
    }

    async fn revoke(&self, token: &SecretString) -> Result<(), CrmError> {
        match self {
            Client::Hubspot(login) => login.revoke(token).await,
            Client::Salesforce(login) => login.revoke(token).await,
        }
    }
}

/// Forgets a login here and at the vendor.
async fn logout(given: Option<&Path>, side: Side, pair: Option<&str>, output: Output) -> Result<Exit, Exit> {
    let place = Place::open(given, pair, output).await?;
    let (key, name) = (place.key(side), place.pair().name.clone());
    let failed = |error: crate::store::StoreError| {
        output.error(&error.to_string());
        Exit::Remote
    };
    let Some(account) = place.store.account(&key).await.map_err(failed)? else {
        output.note(&format!("nobody has logged in to {} for pair `{name}`", side.label()));
        return Ok(Exit::Fine);
    };
    let keys = place.keys.as_ref().ok_or_else(|| no_keys(output))?;
    let token = keys.open(&key, &account.sealed).map_err(|error| {
        output.error(&format!("the login of pair `{name}` with {}: {error}", side.label()));
        Exit::Usage
    })?;
    if let Ok((client, _)) = Client::of(&place.configured, side)
        && let Err(error) = client.revoke(&token).await
    {
        output.note(&format!("{} was not told: {error}; it is forgotten here all the same", side.label()));
    }
    place.store.log_out(&key).await.map_err(failed)?;
    output.note(&format!("the login of pair `{name}` with {} is forgotten", side.label()));
    Ok(Exit::Fine)
}

fn no_keys(output: Output) -> Exit {
    output.error(
        "tokens are kept sealed, and there is no key: set one (`export MAPWRIGHT_KEY=$(mapwright auth key)`) and write \
         `keys: [\"${MAPWRIGHT_KEY}\"]` under `store:` in `mapwright.yaml`",
    );
    Exit::Usage
}
