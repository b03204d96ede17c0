//! The command line, through the real binary.

#[path = "cli/backfill.rs"]
mod backfill;
#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/corrections.rs"]
mod corrections;
#[path = "cli/eval.rs"]
mod eval;
#[path = "cli/fix.rs"]
mod fix;
#[path = "cli/fmt.rs"]
mod fmt;
#[path = "cli/formats.rs"]
mod formats;
mod frames;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/pairs.rs"]
mod pairs;
#[path = "cli/schema.rs"]
mod schema;
#[path = "frames/sections.rs"]
mod sections;
#[path = "cli/why.rs"]
mod why;
#[path = "cli/world.rs"]
mod world;
