//! How often which object is asked for its changes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::{Plan, Watched};
use crate::source::Side;

/// How often changes are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollSettings {
    /// Salesforce's objects, where no mapping says otherwise; `None` does not ask.
    pub salesforce: Option<Duration>,
    /// HubSpot's objects; `None` does not ask, since webhooks tell.
    pub hubspot: Option<Duration>,
    /// Salesforce's objects by the mappings and syncs that they start; the shortest time counts.
    pub mappings: BTreeMap<String, Duration>,
    /// How far a poll reads back behind what it has read.
    pub overlap: Duration,
}

/// An object and how often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) watched: Watched,
    pub(super) every: Duration,
}

impl PollSettings {
    /// The objects to watch for a plan.
    pub(super) fn watches(&self, plan: &Plan) -> Vec<Watch> {
        let watch = |watched: Watched| {
            let every = match watched.object.side {
                Side::Hubspot => self.hubspot,
                Side::Salesforce => {
                    let own = watched.mappings.iter().map(|name| self.mappings.get(name).copied());
                    own.filter_map(|own| own.or(self.salesforce)).min()
                }
            };
            Some(Watch { watched, every: every? })
        };
        plan.watched().into_iter().filter_map(watch).collect()
    }
}
