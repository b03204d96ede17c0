//! A sync, shown by tests in the language itself.

use std::sync::Arc;

use crate::check::check;
use crate::eval::Trace;
use crate::harness::{coverage, report, run};
use crate::plan::compile;
use crate::plan::testing::schemas;
use crate::source::Sources;
use crate::syntax;

const ACCOUNTS: &str = include_str!("accounts.map");

#[test]
fn the_tests_of_a_sync_pass_and_exercise_all_of_it() {
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let file = sources.add("accounts.map", ACCOUNTS.to_owned());
    let (tree, mut findings) = syntax::parse(file, ACCOUNTS);
    let (checked, more) = check(&[tree], &schemas, &sources);
    findings.extend(more);
    assert!(findings.is_empty(), "{}", crate::diagnostic::human(&sources, &findings, false, 100));
    let checked = checked.expect("a checked project");
    let plan = Arc::new(compile(&checked, &schemas, &sources));
    let trace = Arc::new(Trace::default());
    let outcomes: Vec<_> =
        checked.tests.iter().map(|test| run(&plan, test, &sources, Some(&trace))).collect();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed()).map(report).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let missed = coverage(&checked, &plan, &sources, &trace).missed;
    let missed: Vec<_> = missed.into_iter().map(|missed| format!("{}: {}", missed.at, missed.what)).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
