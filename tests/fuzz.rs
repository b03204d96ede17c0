//! Laws of parser, formatter, checker and readers on input that a machine makes up.
//!
//! `docs/testing.md` has the commands for a long run. Inputs grow from a *tape*, a row of random bytes that every choice
//! reads from: so proptest can shorten a failing file by shortening its tape.

#[path = "fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/files.rs"]
mod files;
#[path = "fuzz/growth.rs"]
mod growth;
#[path = "fuzz/laws.rs"]
mod laws;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/panics.rs"]
mod panics;
#[path = "fuzz/statements.rs"]
mod statements;
#[path = "fuzz/tape.rs"]
mod tape;
#[path = "fuzz/values.rs"]
mod values;
#[path = "fuzz/writer.rs"]
mod writer;
