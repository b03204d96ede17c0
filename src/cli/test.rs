//! `mapwright test`

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::args::TestArgs;
use super::output::Output;
use super::{Exit, parts};
use crate::check::typed::Test;
use crate::harness::{self, Outcome};

pub(super) fn run(given: Option<&Path>, options: &TestArgs, output: Output) -> Exit {
    let project = match parts::checked(given, output) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    // INVARIANT: `checked` answers only with a project without an error, which has a plan.
    let (Some(plan), Some(checked)) = (project.plan(), project.checked.as_ref()) else {
        return Exit::Findings;
    };
    let tests: Vec<&Test> =
        checked.tests.iter().filter(|test| is_wanted(test, options.filter.as_deref())).collect();
    if let (Some(filter), []) = (&options.filter, tests.as_slice()) {
        let count = checked.tests.len();
        let held = if count == 1 { "one test".to_owned() } else { format!("{count} tests") };
        output.error(&format!(
            "no test is about a mapping `{filter}` or has it in its name; the project has {held}"
        ));
        return Exit::Usage;
    }
    let plan = Arc::new(plan);
    let outcomes: Vec<Outcome> =
        tests.iter().map(|test| harness::run(&plan, test, &project.sources)).collect();
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let passed = outcomes.len() - failed;
    if options.json {
        let tests: Vec<Json> = outcomes.iter().map(as_json).collect();
        Output::result(&json!({"passed": passed, "failed": failed, "tests": tests}).to_string());
    } else {
        for outcome in outcomes.iter().filter(|outcome| !outcome.passed()) {
            Output::result(&harness::report(outcome));
        }
        Output::result(&summary(passed, failed));
    }
    if failed == 0 { Exit::Fine } else { Exit::Findings }
}

fn is_wanted(test: &Test, filter: Option<&str>) -> bool {
    filter.is_none_or(|filter| {
        test.mapping == filter || test.name.to_lowercase().contains(&filter.to_lowercase())
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
