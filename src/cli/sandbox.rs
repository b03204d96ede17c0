//! `mapwright sandbox`: both CRMs on this machine.

use std::path::Path;

use serde_json::json;

use super::Exit;
use super::args::SandboxArgs;
use super::output::Output;
use crate::runtime::shutdown_signal;
use crate::sandbox::faults::FaultSet;
use crate::sandbox::hubspot::{HubspotConfig, HubspotHandle, HubspotServer};
use crate::sandbox::salesforce::{SalesforceConfig, SalesforceHandle, SalesforceServer};
use crate::sandbox::seed::Seed;

pub(super) async fn run(options: &SandboxArgs, output: Output) -> Exit {
    let servers = match read(options) {
        Ok((seed, faults)) => {
            start(seed, faults, options.hubspot_port, options.salesforce_port, |config| config).await
        }
        Err(message) => Err(message),
    };
    let servers = match servers {
        Ok(servers) => servers,
        Err(message) => {
            output.error(&message);
            return Exit::Usage;
        }
    };
    announce(&servers, options.json, output);
    let signal = shutdown_signal().await;
    servers.stop().await;
    match signal {
        Ok(()) => Exit::Fine,
        Err(error) => {
            output.error(&format!("signals cannot be received, so it stops at once: {error}"));
            Exit::Usage
        }
    }
}

/// The seed and the faults that the files hold.
fn read(options: &SandboxArgs) -> Result<(Seed, FaultSet), String> {
    let seed = match &options.seed {
        None => Seed::default(),
        Some(path) => {
            let (text, name) = text_of(path)?;
            Seed::parse(&text, &name).map_err(|error| error.to_string())?
        }
    };
    let faults = match &options.faults {
        None => FaultSet::default(),
        Some(path) => {
            let (text, name) = text_of(path)?;
            FaultSet::parse(&text, &name, &seed).map_err(|error| error.to_string())?
        }
    };
    Ok((seed, faults))
}

fn text_of(path: &Path) -> Result<(String, String), String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    Ok((text, name))
}

/// Both servers, running.
pub(super) struct Servers {
    /// The portal.
    pub(super) hubspot: HubspotHandle,
    /// The org.
    pub(super) salesforce: SalesforceHandle,
    /// A connected app of the org: client id and secret.
    pub(super) app: (String, String),
}

impl Servers {
    /// Stops both.
    pub(super) async fn stop(self) {
        self.hubspot.shutdown().await;
        self.salesforce.shutdown().await;
    }
}

/// Starts both servers with a seed and faults; `adjust` has the last word about the portal.
pub(super) async fn start(
    seed: Seed,
    faults: FaultSet,
    hubspot_port: u16,
    salesforce_port: u16,
    adjust: impl FnOnce(HubspotConfig) -> HubspotConfig,
) -> Result<Servers, String> {
    let hubspot = HubspotConfig { port: hubspot_port, faults: faults.hubspot, ..HubspotConfig::default() };
    let hubspot = HubspotServer::start(adjust(hubspot.seeded(seed.hubspot)))
        .await
        .map_err(|error| error.to_string())?;
    let config = SalesforceConfig {
        port: salesforce_port,
        seed: seed.salesforce.to_value(),
        faults: faults.salesforce,
        ..SalesforceConfig::default()
    };
    let app = config.connected_apps.first().ok_or("the org has no connected app")?;
    let app = (app.client_id.clone(), app.client_secret.clone().unwrap_or_default());
    let salesforce = SalesforceServer::start(config).await.map_err(|error| error.to_string())?;
    Ok(Servers { hubspot, salesforce, app })
}

fn announce(servers: &Servers, as_json: bool, output: Output) {
    let hubspot = servers.hubspot.config();
    let token = hubspot.tokens.first().map_or("", String::as_str);
    let (client_id, client_secret) = &servers.app;
    if as_json {
        return Output::result(&facts(servers).to_string());
    }
    Output::result(&format!(
        "HubSpot     {hubspot_url}\n\
         Salesforce  {salesforce_url}\n\n\
         # For `pairs:` in mapwright.yaml, in place of what stands there; then `mapwright serve` receives the webhooks.\n\
         \x20 sandbox:\n\
         \x20   hubspot:\n\
         \x20     portal: {portal}\n\
         \x20     base_url: {hubspot_url}\n\
         \x20     token: {token}\n\
         \x20     app_id: {app}\n\
         \x20     webhook:\n\
         \x20       secrets: [{secret}]\n\
         \x20       public_url: http://127.0.0.1:8080/webhooks/hubspot\n\
         \x20   salesforce:\n\
         \x20     login_url: {salesforce_url}\n\
         \x20     auth:\n\
         \x20       client_credentials:\n\
         \x20         client_id: {client_id}\n\
         \x20         client_secret: {client_secret}\n\
         # To log in as people do, this stands in place of HubSpot's `token`, and of Salesforce's `auth`:\n\
         #     auth: {{ oauth: {{ client_id: {app_client}, client_secret: {secret} }} }}\n\
         #     auth: {{ oauth: {{ client_id: {client_id}, client_secret: {client_secret} }} }}",
        hubspot_url = servers.hubspot.base_url(),
        salesforce_url = servers.salesforce.base_url(),
        portal = hubspot.portal_id,
        app = hubspot.app_id,
        app_client = hubspot.client_id,
        secret = hubspot.app_secret,
    ));
    output.note("ctrl-c stops both; what they hold is forgotten");
}

/// What a program needs to know of them.
fn facts(servers: &Servers) -> serde_json::Value {
    let hubspot = servers.hubspot.config();
    let token = hubspot.tokens.first().map_or("", String::as_str);
    let (client_id, client_secret) = &servers.app;
    json!({
        "hubspot": {
            "base_url": servers.hubspot.base_url(),
            "portal": hubspot.portal_id,
            "token": token,
            "app_id": hubspot.app_id,
            "client_id": hubspot.client_id,
            "client_secret": hubspot.app_secret,
        },
        "salesforce": {
            "login_url": servers.salesforce.base_url(),
            "client_id": client_id,
            "client_secret": client_secret,
        },
    })
}
