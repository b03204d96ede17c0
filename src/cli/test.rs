//! `mapwright test`

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::args::TestArgs;
use super::output::Output;
use super::{Exit, parts};
use crate::check::typed::Test;
use crate::eval::Trace;
use crate::harness::{self, Coverage, Outcome};
use crate::source::Sources;

pub(super) fn run(given: Option<&Path>, options: &TestArgs, output: Output) -> Exit {
    let project = match parts::checked(given, output) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    // INVARIANT: `checked` answers only with a project without an error, which has a plan.
    let (Some(plan), Some(checked)) = (project.plan(), project.checked.as_ref()) else {
        return Exit::Findings;
    };
    let tests: Vec<&Test> = checked
        .tests
        .iter()
        .filter(|test| is_wanted(test, options.filter.as_deref(), &project.sources))
        .collect();
    if let (Some(filter), []) = (&options.filter, tests.as_slice()) {
        let count = checked.tests.len();
        let held = if count == 1 { "one test".to_owned() } else { format!("{count} tests") };
        output.error(&format!(
            "no test is about a mapping `{filter}`, stands in a file of that name or has it in its own name; the project has {held}"
        ));
        return Exit::Usage;
    }
    let plan = Arc::new(plan);
    let wants_coverage = options.coverage || options.coverage_min.is_some();
    let trace = wants_coverage.then(|| Arc::new(Trace::default()));
    let run = |test: &&Test| harness::run(&plan, test, &project.sources, trace.as_ref());
    let outcomes: Vec<Outcome> = tests.iter().map(run).collect();
    let covered = |trace| harness::coverage(checked, &plan, &project.sources, trace);
    let coverage = trace.as_deref().map(covered);
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    show(&outcomes, failed, coverage.as_ref(), options.json);
    let too_low =
        coverage.as_ref().zip(options.coverage_min).filter(|(coverage, min)| coverage.percent < *min);
    if let Some((coverage, min)) = too_low {
        output.error(&format!("the coverage is {:.1} %, and at least {min} % are wanted", coverage.percent));
    }
    if failed == 0 && too_low.is_none() { Exit::Fine } else { Exit::Findings }
}

/// Prints what became of the tests.
fn show(outcomes: &[Outcome], failed: usize, coverage: Option<&Coverage>, as_json: bool) {
    let passed = outcomes.len() - failed;
    if as_json {
        let tests: Vec<Json> = outcomes.iter().map(self::as_json).collect();
        let mut json = json!({"passed": passed, "failed": failed, "tests": tests});
        if let Some(coverage) = coverage {
            json["coverage"] = json!(coverage);
        }
        Output::result(&json.to_string());
        return;
    }
    for outcome in outcomes.iter().filter(|outcome| !outcome.passed()) {
        Output::result(&harness::report(outcome));
    }
    if let Some(coverage) = coverage {
        Output::result(&coverage_report(coverage));
    }
    Output::result(&summary(passed, failed));
}

/// The numbers by kind, and what was not exercised, a line each.
fn coverage_report(coverage: &Coverage) -> String {
    let width = coverage.kinds.keys().map(|kind| kind.title().len()).max().unwrap_or(0);
    let mut lines =
        vec![format!("coverage: {:.1} % ({} of {})", coverage.percent, coverage.exercised, coverage.total)];
    for (kind, count) in &coverage.kinds {
        lines.push(format!("  {:width$}  {} of {}", kind.title(), count.exercised, count.total));
    }
    if !coverage.missed.is_empty() {
        lines.push("no test exercises:".to_owned());
    }
    for missed in &coverage.missed {
        lines.push(format!("  {}: {}; give {}", missed.at, missed.what, missed.add));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn is_wanted(test: &Test, filter: Option<&str>, sources: &Sources) -> bool {
    let file = sources.file(test.span.file).name();
    filter.is_none_or(|filter| {
        test.mapping == filter
            || file == filter.strip_prefix("./").unwrap_or(filter)
            || test.name.to_lowercase().contains(&filter.to_lowercase())
    })
}

fn as_json(outcome: &Outcome) -> Json {
    let mut json = json!(outcome);
    json["passed"] = json!(outcome.passed());
    json
}

/// `5 tests passed, 1 failed`
fn summary(passed: usize, failed: usize) -> String {
    let tests = |count: usize| format!("{count} test{}", if count == 1 { "" } else { "s" });
    match (passed, failed) {
        (0, 0) => "the project has no tests".to_owned(),
        (passed, 0) => format!("{} passed", tests(passed)),
        (0, failed) => format!("{} failed", tests(failed)),
        (passed, failed) => format!("{} passed, {failed} failed", tests(passed)),
    }
}
