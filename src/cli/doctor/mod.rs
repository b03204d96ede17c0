//! `mapwright doctor`: whether everything is in place for the mappings to run. It changes nothing in a CRM.

mod disk;
mod fields;
mod hubspot;
mod login;
mod needs;
mod report;
mod salesforce;
mod store;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;

use super::args::DoctorArgs;
use super::output::Output;
use super::{Exit, live, parts, project};
use crate::plan::Plan;
use crate::source::Side;
use crate::store::SqliteStore;
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
    let mut report = Report::default();
    let pairs = pairs(given, options, &mut report, output)?;
    let first = pairs.first().ok_or_else(|| {
        output.error("the configuration names no pair");
        Exit::Usage
    })?;
    configuration(&pairs, first, &mut report);
    let opened = store::open(&pairs, first).await;
    let accounts = login::accounts(&opened).await;
    for ready in &pairs {
        report.of(&ready.pair.name);
        let logins = login::check(ready, &accounts, &mut report);
        // Without a store nobody has logged in, and no token is kept that could be lost with one in memory.
        let tokens = match &opened {
            Some(Ok(store)) => Ok(Arc::clone(store)),
            _ => SqliteStore::in_memory().await.map(Arc::new),
        };
        let clients =
            tokens.map_err(|error| error.to_string()).and_then(|tokens| parts::clients(ready, Some(&tokens)));
        match clients {
            Err(message) => report.problem("clients", message, "mend `mapwright.yaml`"),
            Ok(clients) => crms(ready, &clients, &logins, &mut report).await,
        }
    }
    store::check(&pairs, first, opened, &mut report).await;
    if options.json {
        Output::result(&report.json().to_string());
    } else {
        report.tell();
    }
    Ok(report.exit())
}

/// The pairs. Where mappings have errors that is reported, and what needs no plan is looked at all the same.
fn pairs(
    given: Option<&Path>,
    options: &DoctorArgs,
    report: &mut Report,
    output: Output,
) -> Result<Vec<parts::Ready>, Exit> {
    let pair = options.pair.as_deref();
    let project = project::load(&parts::root(given, output)?, None);
    if project.is_checked() {
        return parts::ready_of(&project, pair, output);
    }
    if parts::only_config(&project) {
        return parts::ready_all(given, pair, output);
    }
    let errors: Vec<_> = project.findings.iter().filter(|finding| finding.is_error()).collect();
    let first = errors.first().map_or_else(String::new, |finding| {
        let file = project.sources.file(finding.span().file);
        let (line, _) = file.position(finding.span().start);
        format!(", the first in {}:{line}: {}", file.name(), finding.message)
    });
    report.without_plan(
        format!(
            "the project has {}{first}; what the mappings need is not looked at",
            counted(errors.len(), "error")
        ),
        "`mapwright check` shows all of them",
    );
    // INVARIANT: a snapshot of nothing is one that can be read.
    let nothing = live::nothing().ok_or(Exit::Usage)?;
    let configured = parts::configured_all(given, pair, output)?;
    configured.iter().map(|one| one.without_plan(nothing.clone(), output)).collect()
}

/// Looks at both CRMs of a pair, as far as there is a login.
async fn crms(ready: &parts::Ready, clients: &parts::Clients, logins: &[Side], report: &mut Report) {
    if logins.contains(&Side::Hubspot) {
        hubspot::check(ready, &clients.hubspot, report).await;
        skew(Side::Hubspot, clients.hubspot.clock_skew(), report);
    }
    if logins.contains(&Side::Salesforce) {
        salesforce::check(ready, &clients.salesforce, report).await;
        skew(Side::Salesforce, clients.salesforce.clock_skew(), report);
    }
}

fn configuration(pairs: &[parts::Ready], ready: &parts::Ready, report: &mut Report) {
    let of = |what: fn(&Plan) -> Vec<&str>| {
        pairs.iter().flat_map(|ready| what(&ready.plan)).collect::<BTreeSet<&str>>().len()
    };
    let mappings = of(|plan| {
        let own = plan.mappings.iter().filter(|mapping| !mapping.is_leg);
        own.map(|mapping| mapping.name.as_str()).collect()
    });
    let syncs = of(|plan| plan.syncs.iter().map(|sync| sync.name.as_str()).collect());
    let commit = ready.version.revision.as_ref().map_or_else(
        || "no repository".to_owned(),
        |revision| format!("commit {}", revision.get(..12).unwrap_or(revision)),
    );
    if report.has_plan() {
        report.ok(
            "configuration",
            format!(
                "the project checks: {} and {} ({commit}, files {})",
                counted(mappings, "mapping"),
                counted(syncs, "sync"),
                ready.version.fingerprint()
            ),
        );
    }
    match &ready.config.alerts {
        Some(_) => report.ok("alerts", "pauses and parked records are told".to_owned()),
        None => report.warning(
            "alerts",
            "nobody is told when a CRM is left alone or a record is parked".to_owned(),
            "add `alerts:` to `mapwright.yaml`",
        ),
    }
}

/// `1 sync`, `2 syncs`
fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
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
