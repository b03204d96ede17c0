//! The command line: arguments, exit codes, one file per subcommand.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 fine, 1 findings, 2 usage or
//! configuration, 3 a CRM or the store failed.

mod args;
mod auth;
mod backfill;
mod check;
mod cost;
mod demo;
mod doctor;
mod drift;
mod eval;
mod explain;
mod fix;
mod fmt;
mod help;
mod init;
mod lines;
mod live;
mod output;
mod parked;
mod parts;
mod permissions;
mod project;
mod record;
mod revision;
mod sandbox;
mod schema;
mod serve;
mod test;
mod why;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Fine.
    Fine,
    /// Findings: errors in a mapping, records that were refused, a difference.
    Findings,
    /// Usage or configuration.
    Usage,
    /// A CRM or the store failed.
    Remote,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Remote => 3,
        })
    }
}

/// Runs the command line and gives its exit code.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let output = output::Output::new(args.quiet);
    dispatch(&args, output).into()
}

fn dispatch(args: &Args, output: output::Output) -> Exit {
    let project = args.project.as_deref();
    match &args.command {
        Command::Init { dir } => init::run(dir.as_deref(), output),
        Command::Check(options) => check::run(project, options, output),
        Command::Fmt(options) => fmt::run(project, options, output),
        Command::Test(options) => test::run(project, options, output),
        Command::Eval(options) => eval::run(project, options, output),
        Command::Explain { code } => explain::explain(code, output),
        Command::Functions { name, json } => explain::functions(name.as_deref(), *json, output),
        Command::Completions { shell } => explain::completions(*shell),
        Command::Plan(options) => {
            parts::block_on(record::run(project, options, record::Mode::Preview, output))
        }
        Command::Run(options) => parts::block_on(record::run(project, options, record::Mode::Write, output)),
        Command::Backfill(options) => parts::block_on(backfill::run(project, options, output)),
        Command::Serve(options) => parts::block_on(serve::run(project, options, output)),
        Command::Schema(options) => parts::block_on(schema::run(project, options, output)),
        Command::Drift(options) => parts::block_on(drift::run(project, options, output)),
        Command::Permissions(options) => parts::block_on(permissions::run(project, options, output)),
        Command::Cost(options) => parts::block_on(cost::run(project, options, output)),
        Command::Auth(options) => parts::block_on(auth::run(project, options, output)),
        Command::Parked(options) => parts::block_on(parked::run(project, options, output)),
        Command::Why(options) => parts::block_on(why::run(project, options, output)),
        Command::Doctor(options) => parts::block_on(doctor::run(project, options, output)),
        Command::Sandbox(options) => parts::block_on(sandbox::run(options, output)),
        Command::Demo { json } => parts::block_on(demo::run(*json, output)),
    }
}
