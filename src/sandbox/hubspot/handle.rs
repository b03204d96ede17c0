//! Starting the server, and the handle that Rust callers get.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::catalog::ObjectType;
use super::deliver::{Courier, Delivery, WebhookMode, run};
use super::http::{Shared, router};
use super::objects::{Shape, body};
use super::store::Portal;
use super::{Actor, HubspotConfig};
use crate::sandbox::core::{CallRecord, ClockSetting, Fault, FaultUse, Running, listen};
use crate::sandbox::seed::SeedError;

/// The HubSpot server.
#[derive(Debug)]
pub struct HubspotServer;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port could not be bound.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port.
        port: u16,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The client that delivers webhooks could not be built.
    #[error("cannot build the webhook client")]
    Client(#[from] reqwest::Error),
    /// The seed could not be loaded.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

impl HubspotServer {
    /// Starts a server; it stops when the handle is shut down or dropped.
    pub async fn start(mut config: HubspotConfig) -> Result<HubspotHandle, StartError> {
        let port = config.port;
        let (listener, address) = listen(port).await.map_err(|source| StartError::Listen { port, source })?;
        config.port = address.port();
        let portal = fresh(&config)?;
        let courier = Arc::new(Courier::new(&config.webhooks, &config.app_secret, config.clock.clone())?);
        let (queue, receiver) = mpsc::unbounded_channel();
        let delivering = tokio::spawn(run(Arc::clone(&courier), receiver));
        let shared = Arc::new(Shared::new(config, portal, courier, queue));
        let running = Running::spawn(listener, router(Arc::clone(&shared)));
        Ok(HubspotHandle { address, shared, running: Some(running), delivering })
    }
}

/// A portal as the configuration describes it.
pub(super) fn fresh(config: &HubspotConfig) -> Result<Portal, SeedError> {
    let mut portal = Portal::new(config);
    portal.load(&config.seed)?;
    Ok(portal)
}

/// A running server.
#[derive(Debug)]
pub struct HubspotHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: Option<Running>,
    delivering: JoinHandle<()>,
}

impl HubspotHandle {
    /// `http://127.0.0.1:PORT`, to use in place of `https://api.hubapi.com`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The set-up that it was started with; the port is the one that it listens on.
    pub fn config(&self) -> &HubspotConfig {
        &self.shared.config
    }

    /// How many API calls it answered; `/_sandbox/…` does not count.
    pub fn calls(&self) -> u64 {
        self.shared.calls.count()
    }

    /// The latest API calls, oldest first.
    pub fn call_log(&self) -> Vec<CallRecord> {
        self.shared.calls.latest()
    }

    /// Creates a record and gives its id; read-only properties may be set and the id chosen.
    pub fn create(
        &self,
        kind: &str,
        id: Option<&str>,
        properties: &[(&str, &str)],
        actor: &Actor,
    ) -> Result<String, String> {
        let properties = owned(properties);
        self.shared.with(|portal| {
            let object = kind_of(portal, kind)?;
            portal.create_as(&object, id, &properties, actor).map(|id| id.to_string())
        })
    }

    /// Changes a record's properties; gives the names of those that have a new value.
    pub fn edit(
        &self,
        kind: &str,
        id: &str,
        properties: &[(&str, &str)],
        actor: &Actor,
    ) -> Result<Vec<String>, String> {
        let properties = owned(properties);
        self.shared.with(|portal| {
            let (object, id) = record_of(portal, kind, id)?;
            portal.edit_as(&object, id, &properties, actor)
        })
    }

    /// A record as the API shows it, with every property that holds something; none where there is no such record.
    pub fn record(&self, kind: &str, id: &str) -> Option<Value> {
        self.shared.with(|portal| show(portal, kind, id))
    }

    /// All records of a type that are not archived, in order of id.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        self.shared.with(|portal| {
            let Ok(object) = portal.catalog.resolve(kind) else { return Vec::new() };
            let records = portal.tables.get(&object.id).into_iter().flat_map(|table| table.records.values());
            let live = records.filter(|record| record.archived_at.is_none());
            let shape = Shape { everything: true, ..Shape::default() };
            live.map(|record| body(portal, &object, record, &shape)).collect()
        })
    }

    /// Archives a record.
    pub fn archive(&self, kind: &str, id: &str, actor: &Actor) -> Result<(), String> {
        self.shared.with(|portal| {
            let (object, id) = record_of(portal, kind, id)?;
            portal.archive(&object, id, actor);
            Ok(())
        })
    }

    /// Merges the second record into the first and gives the id of what remains.
    pub fn merge(&self, kind: &str, primary: &str, other: &str, actor: &Actor) -> Result<String, String> {
        self.shared.with(|portal| {
            let (object, primary) = record_of(portal, kind, primary)?;
            let (_, other) = record_of(portal, kind, other)?;
            let survivor = portal.merge(&object, primary, other, actor);
            survivor.map(|id| id.to_string()).ok_or_else(|| "the records cannot be merged".to_owned())
        })
    }

    /// Associates two records without a label.
    pub fn associate(&self, from: (&str, &str), to: (&str, &str), actor: &Actor) -> Result<(), String> {
        self.shared.with(|portal| {
            let (object, id) = record_of(portal, from.0, from.1)?;
            let (other, other_id) = record_of(portal, to.0, to.1)?;
            portal.associate((&object, id), (&other, other_id), &[], actor).map_err(|error| error.message)?;
            Ok(())
        })
    }

    /// Sends a payload to the webhook target as it stands, signed; gives the status of the answer.
    ///
    /// Nothing is retried. Fails where there is no target or no answer.
    pub async fn deliver(&self, payload: &Value) -> Result<u16, String> {
        let target = self.shared.with(|portal| portal.webhooks.target_url.clone());
        let target = target.ok_or_else(|| "there is no webhook target".to_owned())?;
        self.shared.courier.post(&target, payload, 0).await
    }

    /// Sets where webhooks go, and the URI that is signed stays the target's unless configured.
    pub fn set_target(&self, url: Option<&str>) {
        self.shared.with(|portal| portal.webhooks.target_url = url.map(str::to_owned));
    }

    /// The deliveries so far, each attempt on its own, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.courier.log()
    }

    /// Waits until no event is left to deliver or to retry.
    pub async fn settled(&self) {
        self.shared.courier.settled().await;
    }

    /// Replaces the private app's token; the old one is dead at once.
    pub fn rotate_token(&self, token: &str) {
        self.shared.with(|portal| portal.tokens.rotate(token));
    }

    /// How many API calls of each operation it answered (`hubspot.batch_read`).
    pub fn calls_by_operation(&self) -> BTreeMap<String, u64> {
        self.shared.calls.by_operation()
    }

    /// Forgets the API calls and counts from nothing again.
    pub fn clear_calls(&self) {
        self.shared.calls.clear();
    }

    /// Adds a fault and gives its name.
    pub fn inject(&self, fault: Fault) -> String {
        self.shared.arm(fault)
    }

    /// The faults, with how often each was used.
    pub fn faults(&self) -> Vec<FaultUse> {
        self.shared.faults.list()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Lets webhooks be delivered, held back or lost, as in an outage.
    pub fn set_webhook_mode(&self, mode: WebhookMode) {
        self.shared.set_webhook_mode(mode);
    }

    /// The timeline events of a record, or all, in the order of their creation.
    pub fn timeline_events(&self, record: Option<&str>) -> Vec<Value> {
        self.shared.with(|portal| portal.timeline.events(record))
    }

    /// Takes a record out of the recycle bin.
    pub fn restore(&self, kind: &str, id: &str, actor: &Actor) -> Result<(), String> {
        self.shared.with(|portal| {
            let object = kind_of(portal, kind)?;
            let restored = id.parse().is_ok_and(|id| portal.restore(&object, id, actor));
            if restored { Ok(()) } else { Err(format!("no archived {} `{id}`", object.name)) }
        })
    }

    /// Erases a record for good, as a person's right under the GDPR asks.
    pub fn erase(&self, kind: &str, id: &str, actor: &Actor) -> Result<(), String> {
        self.shared.with(|portal| {
            let (object, id) = record_of(portal, kind, id)?;
            portal.purge(&object, id, actor);
            Ok(())
        })
    }

    /// Sets, shifts or stops the portal's clock.
    pub fn set_clock(&self, setting: ClockSetting) {
        self.shared.config.clock.set(setting);
    }

    /// Stops: answers under way are finished, webhooks that wait are dropped.
    pub async fn shutdown(mut self) {
        self.delivering.abort();
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }
}

impl Drop for HubspotHandle {
    fn drop(&mut self) {
        self.delivering.abort();
    }
}

/// A record with everything that it holds.
pub(super) fn show(portal: &Portal, kind: &str, id: &str) -> Option<Value> {
    let object = portal.catalog.resolve(kind).ok()?;
    let record = portal.find(&object, id, None)?;
    Some(body(portal, &object, record, &Shape { everything: true, ..Shape::default() }))
}

pub(super) fn kind_of(portal: &Portal, kind: &str) -> Result<Arc<ObjectType>, String> {
    portal.catalog.resolve(kind).map_err(|error| error.message)
}

pub(super) fn record_of(portal: &Portal, kind: &str, id: &str) -> Result<(Arc<ObjectType>, u64), String> {
    let object = kind_of(portal, kind)?;
    let found = portal.find(&object, id, None).map(|record| record.id);
    let id = found.ok_or_else(|| format!("there is no {} `{id}`", object.name))?;
    Ok((object, id))
}

fn owned(properties: &[(&str, &str)]) -> IndexMap<String, Value> {
    properties.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}
