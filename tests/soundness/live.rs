//! Plays what a project does against both sandboxes over HTTP, and judges how it ended.

use std::collections::HashMap;
use std::sync::Arc;

use mapwright::crm::http::HttpOptions;
use mapwright::crm::hubspot::{HubspotClient, HubspotConfig};
use mapwright::eval::{Finished, Made, Verdict};
use mapwright::plan::Plan;
use mapwright::runtime::{Crms, Memory, record_once, run_once};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::sandbox::seed::Seed;
use mapwright::source::{ObjectName, Side};
use mapwright::store::{Origin, SqliteStore};
use serde_json::{Map, Value as Json};

use super::projects::Shape;
use super::world::{HUBSPOT, SALESFORCE, World};

/// Somebody changes the record of a side (or makes it, where neither is there yet); then the project may run for it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) side: Side,
    pub(super) values: Map<String, Json>,
    pub(super) runs: bool,
}

/// Both sandboxes, a client for each, and what is remembered of pairs.
pub(super) struct Live {
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    crms: Crms,
    store: SqliteStore,
}

/// What a script came to.
#[derive(Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) runs: usize,
    pub(super) written: usize,
    /// Parked because the author's picklist says so.
    pub(super) parked: usize,
    /// Syncs that wrote again when they looked at what they had written.
    pub(super) echoes: usize,
}

impl Live {
    pub(super) async fn start(world: &World) -> Self {
        let seed = Seed::parse(&world.hubspot.to_string(), "seed.yaml").expect("a seed").hubspot;
        let limits =
            portal::Limits { ten_secondly: 1_000_000, daily: 10_000_000, search_secondly: 1_000_000 };
        let config = portal::HubspotConfig { seed, limits, ..Default::default() };
        let portal = portal::HubspotServer::start(config).await.expect("a portal");
        let config = org::SalesforceConfig {
            seed: world.salesforce.clone(),
            daily_api_requests: 10_000_000,
            ..Default::default()
        };
        let org = org::SalesforceServer::start(config).await.expect("an org");
        let hubspot = HubspotConfig {
            base_url: portal.base_url().parse().expect("a URL"),
            auth: mapwright::crm::hubspot::HubspotAuth::Token(portal.config().tokens[0].clone().into()),
            path_version: "v3".to_owned(),
            objects: HashMap::new(),
        };
        let http = HttpOptions { allow_private: true, ..HttpOptions::new(super::now, || 0.5) };
        let crms = Crms {
            hubspot: Arc::new(HubspotClient::new(hubspot, http).expect("a client")),
            salesforce: Arc::new(super::client(&org)),
        };
        let store = SqliteStore::in_memory().await.expect("a store");
        Self { portal, org, crms, store }
    }

    pub(super) async fn end(self) {
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }

    /// Plays a script; the error is why an accepted project did not do what it says. `parks` tells whether the author
    /// wants a record parked for this field.
    pub(super) async fn play(
        &self,
        plan: &Arc<Plan>,
        shape: Shape,
        script: &[Step],
        pair: &str,
        parks: &dyn Fn(&str) -> bool,
    ) -> Result<Tally, String> {
        let mut ids: HashMap<Side, String> = HashMap::new();
        let mut tally = Tally::default();
        for step in script {
            if !self.apply(step, &mut ids)? || !step.runs {
                continue;
            }
            let settled = self.run(plan, shape, step.side, pair, &mut ids, &mut tally, parks).await?;
            if let (true, Shape::Sync) = (settled, shape) {
                self.settles(plan, step.side, pair, &mut ids, &mut tally, parks).await?;
            }
        }
        Ok(tally)
    }

    /// What a sync wrote comes back as a change of the other side: then it may write what that CRM made of the values, and
    /// comes to rest.
    async fn settles(
        &self,
        plan: &Arc<Plan>,
        side: Side,
        pair: &str,
        ids: &mut HashMap<Side, String>,
        tally: &mut Tally,
        parks: &dyn Fn(&str) -> bool,
    ) -> Result<(), String> {
        let mut last = String::new();
        // One field may go through several rules, and takes a round for each.
        for round in 0..6 {
            let side = if round % 2 == 0 { other(side) } else { side };
            let before = tally.written;
            let (_, said) = self.ran(plan, Shape::Sync, side, pair, ids, tally, parks).await?;
            if tally.written == before {
                return Ok(());
            }
            tally.echoes += usize::from(round == 0);
            last = said;
        }
        Err(format!("the sync does not settle; once more it wrote {last}"))
    }

    /// Makes or changes a record; `false` where there is none to change.
    fn apply(&self, step: &Step, ids: &mut HashMap<Side, String>) -> Result<bool, String> {
        let known = ids.get(&step.side).cloned();
        if known.is_none() && !ids.is_empty() {
            return Ok(false);
        }
        let id = match step.side {
            Side::Hubspot => {
                let text = |(name, value): (&String, &Json)| {
                    (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                };
                let values: Vec<(String, String)> = step.values.iter().map(text).collect();
                let values: Vec<(&str, &str)> =
                    values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let person = portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None };
                match &known {
                    Some(id) => self.portal.edit(HUBSPOT, id, &values, &person).map(|_| id.clone()),
                    None => self.portal.create(HUBSPOT, None, &values, &person),
                }
                .map_err(|error| format!("the generator makes records that HubSpot cannot hold: {error}"))?
            }
            Side::Salesforce => {
                let values = Json::Object(step.values.clone());
                match &known {
                    Some(id) => self.org.change(SALESFORCE, id, &values).map(|()| id.clone()),
                    None => self.org.create(SALESFORCE, &values),
                }
                .map_err(|error| {
                    format!("the generator makes records that Salesforce cannot hold: {error:?}")
                })?
            }
        };
        ids.insert(step.side, id);
        Ok(true)
    }

    /// Runs once; whether the record came to rest.
    #[expect(clippy::too_many_arguments, reason = "a test's driver hands on what it was given")]
    async fn run(
        &self,
        plan: &Arc<Plan>,
        shape: Shape,
        side: Side,
        pair: &str,
        ids: &mut HashMap<Side, String>,
        tally: &mut Tally,
        parks: &dyn Fn(&str) -> bool,
    ) -> Result<bool, String> {
        self.ran(plan, shape, side, pair, ids, tally, parks).await.map(|(settled, _)| settled)
    }

    /// Runs once; whether the record came to rest, and what was written.
    #[expect(clippy::too_many_arguments, reason = "a test's driver hands on what it was given")]
    async fn ran(
        &self,
        plan: &Arc<Plan>,
        shape: Shape,
        side: Side,
        pair: &str,
        ids: &mut HashMap<Side, String>,
        tally: &mut Tally,
        parks: &dyn Fn(&str) -> bool,
    ) -> Result<(bool, String), String> {
        let object = ObjectName::new(side, if side == Side::Hubspot { HUBSPOT } else { SALESFORCE });
        let Some(record) = ids.get(&side).cloned() else { return Ok((false, String::new())) };
        let memory = Memory { store: &self.store, pair };
        let ended = match shape {
            Shape::Sync => run_once(plan.clone(), "it", &record, &self.crms, Some(memory)).await,
            Shape::There | Shape::Back => {
                run_once(plan.clone(), "it", &record, &self.crms, Some(memory)).await
            }
        };
        let finished = ended.map_err(|error| format!("the call failed: {error}"))?;
        tally.runs += 1;
        let settled = judge(&finished, ids, tally, parks)?;
        let said = written(&finished);
        let kept =
            record_once(memory, object, &record, "it", finished, (Origin::default(), super::now())).await;
        kept.map_err(|error| error.to_string())?;
        Ok((settled, said))
    }
}

fn other(side: Side) -> Side {
    if side == Side::Hubspot { Side::Salesforce } else { Side::Hubspot }
}

fn written(finished: &Finished) -> String {
    let Verdict::Synced(synced) = &finished.verdict else { return String::new() };
    let changes = synced.writes.iter().flat_map(|write| &write.changes).filter(|change| change.new.is_some());
    let changes = changes.map(|change| format!("{}: {:?} to {:?}", change.field, change.old, change.new));
    changes.collect::<Vec<_>>().join("; ")
}

fn judge(
    finished: &Finished,
    ids: &mut HashMap<Side, String>,
    tally: &mut Tally,
    parks: &dyn Fn(&str) -> bool,
) -> Result<bool, String> {
    let refused = finished.associations.iter().find_map(|association| match &association.made {
        Made::Refused(said) => Some(said.clone()),
        _ => None,
    });
    if let Some(said) = refused {
        return Err(format!("an association was refused: {said}"));
    }
    match &finished.verdict {
        Verdict::Written { object, id, .. } => {
            ids.insert(object.side, id.clone());
            tally.written += 1;
        }
        Verdict::Unchanged { object, id, .. } => {
            ids.insert(object.side, id.clone());
        }
        Verdict::Synced(synced) => {
            for (object, id) in [&synced.hubspot, &synced.salesforce] {
                ids.insert(object.side, id.clone());
            }
            tally.written += synced.writes.len();
        }
        // Documented: a number beyond 28 digits parks and needs no `otherwise`.
        Verdict::Parked(park) if park.reason.contains("more digits than a number") => return Ok(false),
        Verdict::Parked(park) if park.answer.is_none() && park.field.as_deref().is_some_and(parks) => {
            tally.parked += 1;
            return Ok(false);
        }
        verdict => return Err(format!("{verdict:?}")),
    }
    Ok(true)
}
