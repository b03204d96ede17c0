//! `mapwright cost`

use std::path::Path;

use serde_json::{Value as Json, json};

use super::args::CostArgs;
use super::output::Output;
use super::project::Project;
use super::{Exit, parts};
use crate::crm::{calls_of, limits_in_words, once};
use crate::plan::{Cost, costs};
use crate::source::{ObjectName, Side};
use crate::types::SideWork;

/// So many records at once: one alone, a batch, and what a worker takes together.
const TOGETHER: [usize; 3] = [1, 100, 1_000];

pub(super) async fn run(given: Option<&Path>, options: &CostArgs, output: Output) -> Exit {
    match shown(given, options, output).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn shown(given: Option<&Path>, options: &CostArgs, output: Output) -> Result<Exit, Exit> {
    let project = parts::checked(given, output)?;
    let world = parts::world(&project, options.pair.as_deref(), output)?;
    let plan = world.plan(&project.sources).ok_or(Exit::Findings)?;
    let schemas = world.schemas.as_ref().ok_or(Exit::Findings)?;
    let is_event = |object: &ObjectName| {
        schemas.side(object.side).objects.get(&object.name).is_some_and(|known| known.timeline.is_some())
    };
    let costs = costs(&plan, &is_event);
    let daily = daily(&project, options, output).await?;
    let too_many = too_many(&costs, options.events_per_day, daily);
    if options.json {
        Output::result(&document(&costs, options.events_per_day, daily).to_string());
    } else {
        table(&costs, options.events_per_day);
        limits(daily, options.events_per_day, &costs, output);
    }
    Ok(if too_many { Exit::Findings } else { Exit::Fine })
}

/// The calls of a mapping to one CRM, in a process that has run for a while.
fn steady(work: &[SideWork], side: Side, records: usize) -> usize {
    let work: Vec<SideWork> = work.iter().filter(|(_, work)| !once(*work)).copied().collect();
    calls_of(&work, side, records)
}

fn table(costs: &[Cost], events: Option<u32>) {
    let width = costs.iter().map(|cost| cost.name.chars().count()).max().unwrap_or(0).max("mapping".len());
    let mut head = format!("{:width$}", "mapping");
    for records in TOGETHER {
        let title = if records == 1 { "one record".to_owned() } else { format!("{records} together") };
        head = format!("{head}  {title:>22}");
    }
    if let Some(events) = events {
        head = format!("{head}  {:>22}", format!("{events} a day, alone"));
    }
    Output::result(&head);
    for cost in costs {
        let cell = |[hubspot, salesforce]: [usize; 2]| {
            format!("{:>22}", format!("{hubspot} HubSpot, {salesforce} Sf"))
        };
        let mut line = format!("{:width$}", cost.name);
        for records in TOGETHER {
            line = format!("{line}  {}", cell(Side::ALL.map(|side| steady(&cost.work, side, records))));
        }
        if let Some(events) = events {
            line = format!("{line}  {}", cell(Side::ALL.map(|side| a_day(cost, side, events))));
        }
        Output::result(&line);
    }
    Output::result(
        "At most: every look-up made, every rung climbed, and a write that differs. Tokens are not counted.",
    );
}

/// The calls of so many events a day, each of which comes alone.
fn a_day(cost: &Cost, side: Side, events: u32) -> usize {
    steady(&cost.work, side, 1).saturating_mul(events as usize)
}

fn too_many(costs: &[Cost], events: Option<u32>, daily: [Option<u64>; 2]) -> bool {
    let Some(events) = events else { return false };
    Side::ALL.into_iter().zip(daily).any(|(side, max)| {
        let all = costs.iter().map(|cost| a_day(cost, side, events)).fold(0_usize, usize::saturating_add);
        max.is_some_and(|max| u64::try_from(all).unwrap_or(u64::MAX) > max)
    })
}

fn limits(daily: [Option<u64>; 2], events: Option<u32>, costs: &[Cost], output: Output) {
    for (side, max) in Side::ALL.into_iter().zip(daily) {
        let label = side.label();
        match max {
            Some(max) => Output::result(&format!("{label} allows this account {max} calls a day.")),
            None => Output::result(&format!("{label} allows {}.", limits_in_words(side))),
        }
        if let (Some(events), Some(max)) = (events, max) {
            let all = costs.iter().map(|cost| a_day(cost, side, events)).fold(0_usize, usize::saturating_add);
            if u64::try_from(all).unwrap_or(u64::MAX) > max {
                let message = format!(
                    "{all} calls a day to {label} would be more than its {max}, if none came together"
                );
                output.complaint("warning", &message);
            }
        }
    }
}

fn document(costs: &[Cost], events: Option<u32>, daily: [Option<u64>; 2]) -> Json {
    let of = |[hubspot, salesforce]: [usize; 2]| json!({"hubspot": hubspot, "salesforce": salesforce});
    let rows = costs.iter().map(|cost| {
        let calls = TOGETHER.map(|records| {
            let mut row = of(Side::ALL.map(|side| steady(&cost.work, side, records)));
            row["records"] = records.into();
            row
        });
        let a_day = events.map(|events| of(Side::ALL.map(|side| a_day(cost, side, events))));
        json!({"mapping": cost.name, "calls": calls, "a_day": a_day})
    });
    let [hubspot, salesforce] = daily;
    json!({"mappings": rows.collect::<Vec<_>>(), "daily": {"hubspot": hubspot, "salesforce": salesforce}})
}

/// How many calls a day each account may make, where the configuration names accounts that tell it.
async fn daily(project: &Project, options: &CostArgs, output: Output) -> Result<[Option<u64>; 2], Exit> {
    let clients = parts::clients_if_configured(project, options.pair.as_deref(), output).await?;
    let Some(clients) = clients else { return Ok([None; 2]) };
    let failed = |error: crate::types::CrmError| {
        output.error(&format!("the limits of {} are not known: {error}", error.side.label()));
        Exit::Remote
    };
    // Every answer of HubSpot tells its limits; this is the smallest.
    clients.hubspot().pipelines("deal").await.map_err(failed)?;
    let org = clients.salesforce().org_limits().await.map_err(failed)?;
    let hubspot = clients.hubspot().limits().daily.map(|allowance| allowance.max);
    Ok([hubspot, org.pointer("/DailyApiRequests/Max").and_then(Json::as_u64)])
}
