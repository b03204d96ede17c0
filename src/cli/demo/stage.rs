//! The stage: both servers, the listener and the worker, and what can be asked of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use crate::cli::output::Output;
use crate::cli::parts::{self, Ready};
use crate::cli::project;
use crate::cli::sandbox::{self, Servers};
use crate::cli::serve::{self, Service};
use crate::sandbox::faults::FaultSet;
use crate::sandbox::hubspot::Actor;
use crate::sandbox::seed::Seed;
use crate::source::Sources;
use crate::store::{SqliteStore, Store};

/// What the two CRMs hold at first.
const WORLD: &str = include_str!("../../../mappings/sandbox.yaml");
/// The address that HubSpot calls and signs, as it would be before a proxy.
const PUBLIC_URL: &str = "https://hooks.example.com/webhooks/hubspot";
/// A scenario takes a few seconds; this much means that something hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// Everything that runs.
pub(super) struct Stage {
    /// Both CRMs.
    pub(super) servers: Servers,
    /// The journal and the parked records.
    pub(super) store: Arc<SqliteStore>,
    service: Service,
}

/// One call of a CRM, as its server logged it.
pub(super) struct Call {
    /// `GET /path`
    pub(super) line: String,
    /// Whether it changes records.
    pub(super) writes: bool,
}

impl Stage {
    /// Starts everything.
    pub(super) async fn set(output: Output) -> Result<Self, String> {
        let seed = Seed::parse(WORLD, "sandbox.yaml").map_err(|error| error.to_string())?;
        let servers = sandbox::start(seed, FaultSet::default(), 0, 0, |mut config| {
            config.webhooks.signed_uri = Some(PUBLIC_URL.to_owned());
            // The demo says which events there are.
            config.webhooks.subscriptions.clear();
            config.webhooks.target_url = None;
            config
        })
        .await?;
        let pairs = [ready(&servers, output)?];
        let mut settings = serve::ingress_settings(&pairs)?;
        settings.bind = ([127, 0, 0, 1], 0).into();
        let store = Arc::new(SqliteStore::in_memory().await.map_err(|error| error.to_string())?);
        let service = Service::start(&pairs, settings, Arc::clone(&store)).await;
        let service = service.map_err(|unstarted| unstarted.message)?;
        let stage = Self { servers, store, service };
        stage.servers.hubspot.set_target(Some(&format!("http://{}/webhooks/hubspot", stage.address())));
        Ok(stage)
    }

    /// Stops everything.
    pub(super) async fn strike(self) {
        self.service.stop().await;
        self.store.close().await;
        self.servers.stop().await;
    }

    /// Where the listener listens.
    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.service.ingress.address()
    }

    /// A person makes a contact in HubSpot.
    pub(super) fn contact(&self, id: &str, properties: &[(&str, &str)]) -> Result<(), String> {
        let actor = Actor { change_source: "CRM_UI".to_owned(), source_id: None };
        let made = self.servers.hubspot.create("contact", Some(id), properties, &actor);
        made.map(drop)
    }

    /// HubSpot delivers this body, signed; the answer's status.
    pub(super) async fn deliver(&self, body: &Json) -> Result<u16, String> {
        self.servers.hubspot.deliver(body).await
    }

    /// Waits until nothing is left to do.
    pub(super) async fn idle(&self) -> Result<bool, String> {
        for line in &self.service.lines {
            if !line.worker.idle(PATIENCE).await.map_err(|error| error.to_string())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many events the journal has taken, as the listener counts them.
    pub(super) async fn pending(&self) -> Result<u64, String> {
        Ok(self.store.pending().await.map_err(|error| error.to_string())?.events)
    }

    /// Calls so far: HubSpot, Salesforce.
    pub(super) fn calls(&self) -> (u64, u64) {
        let salesforce = self.servers.salesforce.calls().len();
        (self.servers.hubspot.calls(), u64::try_from(salesforce).unwrap_or(u64::MAX))
    }

    /// Calls to HubSpot after the first so many.
    pub(super) fn hubspot_calls(&self, after: u64) -> Vec<Call> {
        let log = self.servers.hubspot.call_log();
        let new = usize::try_from(self.servers.hubspot.calls() - after).unwrap_or(usize::MAX).min(log.len());
        let new = log[log.len() - new..].iter();
        new.map(|call| Call { line: format!("{} {}", call.method, call.path), writes: false }).collect()
    }

    /// Calls to Salesforce after the first so many.
    pub(super) fn salesforce_calls(&self, after: u64) -> Vec<Call> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let calls = self.servers.salesforce.calls();
        let new = calls.iter().skip(after);
        new.map(|call| Call {
            line: format!("{} → {}", readable(&call.method, &call.path), call.status),
            writes: call.method == "PATCH" || (call.method == "POST" && call.path.contains("/sobjects")),
        })
        .collect()
    }

    /// Records by SOQL.
    pub(super) fn query(&self, soql: &str) -> Result<Vec<Json>, String> {
        self.servers.salesforce.query(soql).map_err(|error| error.to_string())
    }

    /// The Lead of the guide's contact: the fields of the guide's own JSON, in its order.
    pub(super) fn guide_lead(&self) -> Json {
        let fields = guide_lead();
        let soql = format!(
            "SELECT {} FROM Lead WHERE HubSpot_Contact_ID__c = '5501'",
            fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
        );
        let found = self.query(&soql).ok().and_then(|found| found.into_iter().next());
        let Some(Json::Object(found)) = found else { return Json::Null };
        let value = |name: &String| whole(found.get(name).cloned().unwrap_or_default());
        Json::Object(fields.keys().map(|name| (name.clone(), value(name))).collect())
    }
}

/// Salesforce writes a number without decimals as `87.0`; the guide, and everybody else, as `87`.
fn whole(value: Json) -> Json {
    match value.as_number().and_then(|number| number.as_str().strip_suffix(".0")) {
        Some(whole) => whole.parse().map_or(value.clone(), Json::Number),
        None => value,
    }
}

/// A call as a person reads it: a query as its SOQL, with the list of fields left out.
fn readable(method: &str, path: &str) -> String {
    let Some((path, query)) = path.split_once("?q=") else { return format!("{method} {path}") };
    let query = query.replace('+', " ");
    let soql = percent_encoding::percent_decode_str(&query).decode_utf8_lossy();
    let soql = soql.split(" ORDER BY ").next().unwrap_or_default();
    match soql.split_once(" FROM ") {
        Some((_, rest)) => format!("{method} {path}: SELECT … FROM {rest}"),
        None => format!("{method} {path}: {soql}"),
    }
}

/// The Lead that the implementation guide shows for its webhook, with a made-up address in place of the one that it hides.
pub(super) fn guide_lead() -> Map<String, Json> {
    let lead = json!({
        "FirstName": "Jane",
        "LastName": "Doe",
        "Email": "jane.doe@acme.example",
        "Company": "Acme Corp",
        "Title": "VP Engineering",
        "Phone": "+14155550100",
        "LeadSource": "Inbound - Organic Search",
        "Lead_Source_Detail__c": "hs_organic_search",
        "HubSpot_Contact_ID__c": "5501",
        "HubSpot_Lead_Score__c": 87,
        "Status": "MQL - Pending Review"
    });
    match lead {
        Json::Object(lead) => lead,
        _ => Map::new(),
    }
}

/// The shipped project with a configuration for these servers.
fn ready(servers: &Servers, output: Output) -> Result<Ready, String> {
    let project = project::shipped();
    let world = project.world(None)?;
    let Some(plan) = world.plan(&project.sources) else {
        output.findings(&project.sources, &project.findings);
        return Err("the shipped project has errors".to_owned());
    };
    let hubspot = servers.hubspot.config();
    let text = configuration(servers);
    let environment = |name: &str| match name {
        "HUBSPOT_TOKEN" => hubspot.tokens.first().cloned(),
        "HUBSPOT_CLIENT_SECRET" => Some(hubspot.app_secret.clone()),
        "SALESFORCE_CLIENT_ID" => Some(servers.app.0.clone()),
        "SALESFORCE_CLIENT_SECRET" => Some(servers.app.1.clone()),
        _ => None,
    };
    let version = parts::version(&project);
    let mut sources = Sources::new();
    let (config, mut findings) = crate::config::parse(&mut sources, "mapwright.yaml", &text);
    let config =
        config.and_then(|config| config.resolve(&environment).map_err(|more| findings.extend(more)).ok());
    let pair = config.as_ref().and_then(|config| config.pairs.values().next().cloned());
    let (Some(config), Some(pair), Some(schemas)) = (config, pair, world.schemas.clone()) else {
        output.findings(&sources, &findings);
        return Err("the demo's configuration has errors".to_owned());
    };
    let (plan, schemas, config) = (Arc::new(plan), Arc::new(schemas), Arc::new(config));
    let (sources, root) = (sources.into(), PathBuf::new());
    Ok(Ready { plan, schemas, sources, pair, config, keys: None, root, version })
}

/// A configuration for these servers.
fn configuration(servers: &Servers) -> String {
    let hubspot = servers.hubspot.config();
    format!(
        "language: 1\n\
         pairs:\n\
         \x20 demo:\n\
         \x20   hubspot:\n\
         \x20     portal: {portal}\n\
         \x20     base_url: {hubspot_url}\n\
         \x20     token: ${{HUBSPOT_TOKEN}}\n\
         \x20     app_id: {app}\n\
         \x20     webhook:\n\
         \x20       secrets: [\"${{HUBSPOT_CLIENT_SECRET}}\"]\n\
         \x20       public_url: {PUBLIC_URL}\n\
         \x20   salesforce:\n\
         \x20     login_url: {salesforce_url}\n\
         \x20     auth:\n\
         \x20       client_credentials:\n\
         \x20         client_id: ${{SALESFORCE_CLIENT_ID}}\n\
         \x20         client_secret: ${{SALESFORCE_CLIENT_SECRET}}\n",
        portal = hubspot.portal_id,
        app = hubspot.app_id,
        hubspot_url = servers.hubspot.base_url(),
        salesforce_url = servers.salesforce.base_url(),
    )
}
