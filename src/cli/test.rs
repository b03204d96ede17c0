//! `mapwright test`

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::args::TestArgs;
use super::output::Output;
use super::project::World;
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
    let usage = |message: String| {
        output.error(&message);
        Exit::Usage
    };
    let wants_coverage = options.coverage || options.coverage_min.is_some();
    let worlds: Vec<&World> = match options.pair.as_deref() {
        // What a test exercises is told for one set of mappings.
        pair if pair.is_some() || wants_coverage => match parts::world(&project, pair, output) {
            Ok(world) => vec![world],
            Err(exit) => return exit,
        },
        _ => project.worlds.iter().collect(),
    };
    let count: usize =
        worlds.iter().filter_map(|world| world.checked.as_ref()).map(|checked| checked.tests.len()).sum();
    let mut ran = Ran { outcomes: Vec::new(), coverage: None };
    for world in &worlds {
        let one = of_world(world, &project.sources, options, wants_coverage, worlds.len() > 1);
        ran.outcomes.extend(one.outcomes);
        ran.coverage = one.coverage;
    }
    if let (Some(filter), []) = (&options.filter, ran.outcomes.as_slice()) {
        let held = if count == 1 { "one test".to_owned() } else { format!("{count} tests") };
        return usage(format!(
            "no test is about a mapping `{filter}`, stands in a file of that name or has it in its own name; the project has {held}"
        ));
    }
    let failed = ran.outcomes.iter().filter(|(_, outcome)| !outcome.passed()).count();
    show(&ran, failed, options.json);
    let too_low =
        ran.coverage.as_ref().zip(options.coverage_min).filter(|(coverage, min)| coverage.percent < *min);
    if let Some((coverage, min)) = too_low {
        output.error(&format!("the coverage is {:.1} %, and at least {min} % are wanted", coverage.percent));
    }
    if failed == 0 && too_low.is_none() { Exit::Fine } else { Exit::Findings }
}

/// What became of tests, each with the pairs for which it was run where there are several.
struct Ran {
    outcomes: Vec<(Option<String>, Outcome)>,
    coverage: Option<Coverage>,
}

fn of_world(world: &World, sources: &Sources, options: &TestArgs, covers: bool, several: bool) -> Ran {
    // INVARIANT: `checked` answers only with a project without an error, where every world has a plan.
    let (Some(plan), Some(checked)) = (world.plan(sources), world.checked.as_ref()) else {
        return Ran { outcomes: Vec::new(), coverage: None };
    };
    let wanted = |test: &&Test| is_wanted(test, options.filter.as_deref(), sources);
    let plan = Arc::new(plan);
    let trace = covers.then(|| Arc::new(Trace::default()));
    let pairs = several.then(|| world.pairs.join(", "));
    let run = |test: &Test| (pairs.clone(), harness::run(&plan, test, sources, trace.as_ref()));
    let outcomes = checked.tests.iter().filter(wanted).map(run).collect();
    let coverage = trace.as_deref().map(|trace| harness::coverage(checked, &plan, sources, trace));
    Ran { outcomes, coverage }
}

/// Prints what became of the tests.
fn show(ran: &Ran, failed: usize, as_json: bool) {
    let passed = ran.outcomes.len() - failed;
    let coverage = ran.coverage.as_ref();
    if as_json {
        let tests: Vec<Json> = ran.outcomes.iter().map(self::as_json).collect();
        let mut json = json!({"passed": passed, "failed": failed, "tests": tests});
        if let Some(coverage) = coverage {
            json["coverage"] = json!(coverage);
        }
        Output::result(&json.to_string());
        return;
    }
    for (pairs, outcome) in ran.outcomes.iter().filter(|(_, outcome)| !outcome.passed()) {
        if let Some(pairs) = pairs {
            Output::result(&format!("for {pairs}:"));
        }
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

fn as_json((pairs, outcome): &(Option<String>, Outcome)) -> Json {
    let mut json = json!(outcome);
    if let Some(pairs) = pairs {
        json["pairs"] = json!(pairs);
    }
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
