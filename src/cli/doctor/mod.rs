//! `mapwright doctor`: whether everything is in place for the mappings to run. It changes nothing in a CRM.

mod hubspot;
mod needs;
mod report;
mod salesforce;
mod store;

use std::path::Path;

use chrono::TimeDelta;

use super::args::DoctorArgs;
use super::output::Output;
use super::{Exit, parts};
use crate::config::Pair;
use crate::source::Side;
use report::Report;

/// A clock that is off by so much is worth a look: most machines are within a second.
const SKEW_NOTED: TimeDelta = TimeDelta::seconds(30);

/// Salesforce refuses an assertion that has expired, and ours are good for three minutes; HubSpot's signatures are good
/// for five.
const SKEW_TOO_MUCH: TimeDelta = TimeDelta::seconds(150);

pub(super) async fn run(given: Option<&Path>, options: &DoctorArgs, output: Output) -> Exit {
    match try_run(given, options, output).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn try_run(given: Option<&Path>, options: &DoctorArgs, output: Output) -> Result<Exit, Exit> {
    let ready = parts::ready(given, output)?;
    let mut report = Report::default();
    configuration(&ready, &mut report);
    let pairs: Vec<&Pair> = match &options.pair {
        Some(name) => vec![parts::pair(&ready.config, Some(name), output)?],
        None => ready.config.pairs.values().collect(),
    };
    for pair in &pairs {
        report.of(&pair.name);
        match parts::clients(&ready, pair) {
            Err(message) => {
                report.problem("clients", message, "mend `mapwright.yaml`");
            }
            Ok(clients) => {
                hubspot::check(&ready, pair, &clients.hubspot, &mut report).await;
                skew(Side::Hubspot, clients.hubspot.clock_skew(), &mut report);
                salesforce::check(&ready, pair, &clients.salesforce, &mut report).await;
                skew(Side::Salesforce, clients.salesforce.clock_skew(), &mut report);
            }
        }
    }
    store::check(&ready, &pairs, &mut report).await;
    if options.json {
        Output::result(&report.json().to_string());
    } else {
        report.tell();
    }
    Ok(report.exit())
}

fn configuration(ready: &parts::Ready, report: &mut Report) {
    let mappings = ready.plan.mappings.iter().filter(|mapping| !mapping.is_leg).count();
    let syncs = ready.plan.syncs.len();
    let commit = ready.version.revision.as_ref().map_or_else(
        || "no repository".to_owned(),
        |revision| format!("commit {}", revision.get(..12).unwrap_or(revision)),
    );
    report.ok(
        "configuration",
        format!(
            "the project checks: {mappings} mappings and {syncs} syncs ({commit}, files {})",
            ready.version.fingerprint()
        ),
    );
    match &ready.config.alerts {
        Some(_) => report.ok("alerts", "pauses and parked records are told".to_owned()),
        None => report.warning(
            "alerts",
            "nobody is told when a CRM is left alone or a record is parked".to_owned(),
            "add `alerts:` to `mapwright.yaml`",
        ),
    }
}

/// How far apart the clocks are, by the `Date` of the last answer.
fn skew(side: Side, skew: Option<TimeDelta>, report: &mut Report) {
    let Some(skew) = skew else { return };
    let (label, apart) = (side.label(), skew.abs());
    let direction = if skew < TimeDelta::zero() { "ahead of" } else { "behind" };
    let message = format!("this machine's clock is {} s {direction} {label}'s", apart.num_seconds());
    let check = match side {
        Side::Hubspot => "clock (HubSpot)",
        Side::Salesforce => "clock (Salesforce)",
    };
    let help = "set the clock by NTP: signatures and log-ins are refused, and polls read the wrong minutes";
    if apart >= SKEW_TOO_MUCH {
        report.problem(check, message, help);
    } else if apart >= SKEW_NOTED {
        report.warning(check, message, help);
    } else {
        report.ok(check, format!("within {} s of {label}'s", apart.num_seconds().max(1)));
    }
}
