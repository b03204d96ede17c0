//! Both sandboxes, and clients that reach them over HTTP.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mapwright::check::check;
use mapwright::crm::Changes;
use mapwright::crm::http::HttpOptions;
use mapwright::crm::hubspot::{HubspotClient, HubspotConfig};
use mapwright::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use mapwright::plan::{Plan, compile};
use mapwright::runtime::{Clock, Crms, Health, Metrics, Parts, Settings, SystemClock};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::sandbox::seed::Seed;
use mapwright::schema::{Schemas, load};
use mapwright::source::Sources;
use mapwright::store::Store;
use mapwright::syntax;

/// What a portal needs before Accounts can be written to it: a unique property for their ids.
const PORTAL: &str =
    "hubspot: { properties: { company: { salesforce_account_id: { type: string/text, flags: [unique] } } } }";

pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// What a worker over these is made of.
pub(crate) fn parts(plan: Arc<Plan>, crms: Crms, store: Arc<dyn Store>, settings: Settings) -> Parts {
    Parts {
        pair: "main".to_owned(),
        plan,
        crms,
        store,
        clock: Arc::new(SystemClock),
        metrics: Arc::new(Metrics::default()),
        health: Arc::new(Health::default()),
        settings,
    }
}

/// Compiles files against the shipped snapshots.
pub(crate) fn plan_of(files: &[(&str, &str)]) -> Arc<Plan> {
    let mut sources = Sources::new();
    let mut read = |name: &str, text: &str| load(&mut sources, name, text).0.expect("a schema");
    let schemas = Schemas {
        hubspot: read("schema/hubspot.yaml", include_str!("../../mappings/schema/hubspot.yaml")),
        salesforce: read("schema/salesforce.yaml", include_str!("../../mappings/schema/salesforce.yaml")),
    };
    let trees: Vec<_> = files
        .iter()
        .map(|(name, text)| syntax::parse(sources.add(*name, (*text).to_owned()), text).0)
        .collect();
    let (project, findings) = check(&trees, &schemas, &sources);
    Arc::new(compile(&project.unwrap_or_else(|| panic!("{findings:#?}")), &schemas, &sources))
}

/// Starts both, with these webhooks, and connects to them; last, where Salesforce's changes come from.
pub(crate) async fn start(
    webhooks: portal::WebhookConfig,
    http: HttpOptions,
) -> (portal::HubspotHandle, org::SalesforceHandle, Crms, Arc<dyn Changes>) {
    let seed = Seed::parse(PORTAL, "seed").expect("a seed");
    let portal = portal::HubspotConfig { webhooks, ..Default::default() }.seeded(seed.hubspot);
    let portal = portal::HubspotServer::start(portal).await.expect("a portal");
    let org = org::SalesforceServer::start(org::SalesforceConfig::default()).await.expect("an org");
    let (hubspot, salesforce) = clients(&portal, &org, http);
    let changes: Arc<dyn Changes> = salesforce.clone();
    (portal, org, Crms { hubspot, salesforce }, changes)
}

/// Clients of both, whose org is the usual one.
pub(crate) fn clients(
    portal: &portal::HubspotHandle,
    org: &org::SalesforceHandle,
    http: HttpOptions,
) -> (Arc<HubspotClient>, Arc<SalesforceClient>) {
    let app = org::SalesforceConfig::default().connected_apps[0].clone();
    let hubspot = HubspotConfig {
        base_url: portal.base_url().parse().expect("a URL"),
        auth: mapwright::crm::hubspot::HubspotAuth::Token(portal.config().tokens[0].clone().into()),
        path_version: "v3".to_owned(),
        objects: HashMap::new(),
    };
    let salesforce = SalesforceConfig {
        login_url: org.base_url().parse().expect("a URL"),
        api_version: "58.0".to_owned(),
        auth: SalesforceAuth::ClientCredentials {
            client_id: app.client_id,
            client_secret: app.client_secret.expect("a secret").into(),
        },
        aliases: HashMap::new(),
    };
    let salesforce = Arc::new(SalesforceClient::new(salesforce, http).expect("a client"));
    let hubspot = Arc::new(HubspotClient::new(hubspot, http).expect("a client"));
    (hubspot, salesforce)
}
