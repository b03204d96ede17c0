//! Laws of parser, formatter, checker and readers on input that a machine makes up.
//!
//! `docs/testing.md` has the commands for a long run. Inputs grow from a *tape*, a row of random bytes that every choice
//! reads from: so proptest can shorten a failing file by shortening its tape, and a coverage-guided fuzzer
//! (`tests/fuzz-targets`) can search for files by searching for tapes.

#[path = "fuzz/cases.rs"]
mod cases;
#[path = "fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/files.rs"]
mod files;
#[path = "fuzz/growth.rs"]
mod growth;
#[path = "fuzz/hold.rs"]
mod hold;
#[path = "fuzz/laws.rs"]
mod laws;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/panics.rs"]
mod panics;
#[path = "fuzz/processor.rs"]
mod processor;
#[path = "fuzz/projects.rs"]
mod projects;
#[path = "fuzz/run.rs"]
mod run;
#[path = "fuzz/seeds.rs"]
mod seeds;
#[path = "fuzz/stages.rs"]
mod stages;
#[path = "fuzz/statements.rs"]
mod statements;
#[path = "fuzz/tape.rs"]
mod tape;
#[path = "fuzz/values.rs"]
mod values;
#[path = "fuzz/writer.rs"]
mod writer;

/// The root of the repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
