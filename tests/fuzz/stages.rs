//! What each stage takes of the processor for one input.

use std::sync::Arc;
use std::time::Duration;

use mapwright::diagnostic::{github, human, json, sarif};
use mapwright::eval::Trace;
use mapwright::{check, format, harness, plan, syntax};

use super::processor::time;
use super::run::SCHEMAS;

/// The stages by name, each with its time; those that an error rules out are left out.
pub(crate) fn stages(text: &str) -> Vec<(&'static str, Duration)> {
    let (sources, schemas) = &*SCHEMAS;
    let mut sources = sources.clone();
    let id = sources.add("fuzz.map", text);
    let mut times = Vec::new();
    let mut take = |name, time| times.push((name, time));
    let ((tree, syntax), spent) = time(|| syntax::parse(id, text));
    take("parse", spent);
    take("format", time(|| format::format(text).is_ok()).1);
    let trees = [tree];
    let ((project, findings), spent) = time(|| check::check(&trees, schemas, &sources));
    take("check", spent);
    let all = syntax.into_iter().chain(findings).collect();
    let ((findings, suppressed), spent) = time(|| check::suppress(&trees, &sources, all));
    take("allow", spent);
    take("human", time(|| human(&sources, &findings, true, 100).len()).1);
    take("json", time(|| json(&sources, &findings).to_string().len()).1);
    take("sarif", time(|| sarif(&sources, &findings, &suppressed).to_string().len()).1);
    take("github", time(|| github(&sources, &findings).len()).1);
    let Some(project) = project else { return times };
    let (plan, spent) = time(|| Arc::new(plan::compile(&project, schemas, &sources)));
    take("compile", spent);
    let trace = Arc::new(Trace::default());
    let run = || {
        let outcomes = project.tests.iter().map(|test| harness::run(&plan, test, &sources, Some(&trace)));
        outcomes.map(|outcome| harness::report(&outcome).len()).sum::<usize>()
    };
    take("tests", time(run).1);
    take("coverage", time(|| harness::coverage(&project, &plan, &sources, &trace).missed.len()).1);
    times
}
