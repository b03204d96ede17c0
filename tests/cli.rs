//! The command line, through the real binary.

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/eval.rs"]
mod eval;
#[path = "cli/fmt.rs"]
mod fmt;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/world.rs"]
mod world;
