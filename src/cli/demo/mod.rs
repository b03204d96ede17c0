//! `mapwright demo`: the hand-off of a qualified contact on the sandbox, step by step.
//!
//! Nothing is staged: both CRMs are the sandbox's servers, reached over HTTP; the listener, the journal, the worker and
//! the clients are those of `mapwright serve`, with the shipped project. What the story tells is read from the servers'
//! logs and records afterwards, and each scenario is judged by what the CRMs then hold.

mod scenarios;
mod stage;

use serde_json::{Value as Json, json};

use super::Exit;
use super::output::Output;
use scenarios::Scenario;
use stage::Stage;

pub(super) async fn run(as_json: bool, output: Output) -> Exit {
    match play(as_json, output).await {
        Ok(true) => Exit::Fine,
        Ok(false) => Exit::Findings,
        Err(message) => {
            output.error(&message);
            Exit::Remote
        }
    }
}

async fn play(as_json: bool, output: Output) -> Result<bool, String> {
    let stage = Stage::set(output).await?;
    if !as_json {
        tell_beginning(&stage);
    }
    let mut played: Vec<Scenario> = Vec::new();
    for scenario in scenarios::ALL {
        let before = stage.calls();
        let mut scenario = scenario(&stage).await?;
        let after = stage.calls();
        scenario.calls = (after.0 - before.0, after.1 - before.1);
        if !as_json {
            tell(&scenario);
        }
        played.push(scenario);
    }
    let lead = stage.guide_lead();
    let (hubspot, salesforce) = stage.calls();
    let ok = played.iter().all(Scenario::ok);
    stage.strike().await;
    if as_json {
        let scenarios: Vec<Json> = played.iter().map(Scenario::as_json).collect();
        let document = json!({
            "scenarios": scenarios,
            "lead": lead,
            "calls": {"hubspot": hubspot, "salesforce": salesforce},
        });
        Output::result(&document.to_string());
    } else {
        let good = played.iter().filter(|scenario| scenario.ok()).count();
        Output::result(&format!(
            "{good} of {} scenarios went as they should, with {hubspot} calls to HubSpot and {salesforce} to Salesforce.",
            played.len()
        ));
    }
    Ok(ok)
}

fn tell_beginning(stage: &Stage) {
    Output::result(
        "Mapwright carries a qualified contact from HubSpot to Salesforce. No account is needed: both CRMs run on this",
    );
    Output::result("machine, and the mapping is the one that `mapwright init` writes out (mql_to_lead.map).");
    Output::result("");
    Output::result(&format!("  HubSpot     {}", stage.servers.hubspot.base_url()));
    Output::result(&format!("  Salesforce  {}", stage.servers.salesforce.base_url()));
    Output::result(&format!("  listener    http://{}/webhooks/hubspot", stage.address()));
    Output::result("");
}

fn tell(scenario: &Scenario) {
    Output::result(&format!("{} {}", if scenario.ok() { "✓" } else { "✗" }, scenario.name));
    for (step, text) in &scenario.steps {
        for (index, line) in text.lines().enumerate() {
            let step = if index == 0 { step } else { "" };
            Output::result(&format!("    {step:<10} {line}"));
        }
    }
    for check in scenario.checks.iter().filter(|check| !check.ok) {
        Output::result(&format!("    ✗ {}", check.what));
    }
    Output::result("");
}
