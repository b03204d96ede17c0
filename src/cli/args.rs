//! The arguments.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::help;
use crate::source::Side;

/// Carries records between HubSpot and Salesforce as checked-in `.map` files say.
#[derive(Debug, Parser)]
#[command(name = "mapwright", version, max_term_width = 110, after_help = help::ALL)]
pub(super) struct Args {
    /// The project's folder; without it, the nearest folder above that holds a `mapwright.yaml`.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) project: Option<PathBuf>,
    /// Say nothing but results and errors.
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a project that checks and runs against the sandbox as it stands
    #[command(after_help = help::INIT)]
    Init {
        /// Where; the current folder without it.
        dir: Option<PathBuf>,
    },
    /// Prove the mappings against both schema snapshots
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),
    /// Bring the mappings into their canonical form
    #[command(after_help = help::FMT)]
    Fmt(FmtArgs),
    /// Run the tests of the mappings, against the records that they give
    #[command(after_help = help::TEST)]
    Test(TestArgs),
    /// Turn source records (NDJSON) into target field values (NDJSON), without any CRM
    #[command(after_help = help::EVAL)]
    Eval(EvalArgs),
    /// Show what a run would write for one record, field by field, old and new; writes nothing
    #[command(after_help = help::PLAN)]
    Plan(RecordArgs),
    /// Run a mapping for one record
    #[command(after_help = help::RUN)]
    Run(RecordArgs),
    /// Load a whole object through a mapping; goes on where it was if it is interrupted
    #[command(after_help = help::BACKFILL)]
    Backfill(BackfillArgs),
    /// Receive webhooks and carry records
    #[command(after_help = help::SERVE)]
    Serve(ServeArgs),
    /// Tell which event, rule and commit gave a record its values, by the store alone
    #[command(after_help = help::WHY)]
    Why(WhyArgs),
    /// Look whether everything is in place: tokens, scopes, keys, webhooks, clocks, store; changes nothing
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Take the snapshots of both CRMs' objects and fields
    #[command(after_help = help::SCHEMA)]
    Schema(SchemaArgs),
    /// Compare the snapshots with the live CRMs, and name the mapping lines that break
    #[command(after_help = help::DRIFT)]
    Drift(DriftArgs),
    /// The scopes and permissions that the project needs, beside those that are granted
    #[command(after_help = help::PERMISSIONS)]
    Permissions(PermissionsArgs),
    /// The API calls that each mapping makes, beside what both CRMs allow
    #[command(after_help = help::COST)]
    Cost(CostArgs),
    /// Log in to HubSpot or Salesforce, and look after what is kept of it
    #[command(after_help = help::AUTH)]
    Auth(AuthArgs),
    /// Show what waits for a person, and decide about it
    #[command(after_help = help::PARKED)]
    Parked(ParkedArgs),
    /// Serve both CRMs on this machine, for trying and testing
    #[command(after_help = help::SANDBOX)]
    Sandbox(SandboxArgs),
    /// The hand-off of a qualified contact on the sandbox, step by step; needs no account
    #[command(after_help = help::DEMO)]
    Demo {
        /// Print one JSON document instead of the story.
        #[arg(long)]
        json: bool,
    },
    /// The page of a diagnostic's code
    #[command(after_help = help::EXPLAIN)]
    Explain {
        /// The code, as a report prints it (`E0202`).
        code: String,
    },
    /// The functions of the language, with examples
    #[command(after_help = help::FUNCTIONS)]
    Functions {
        /// One function.
        name: Option<String>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `check`.
#[derive(Debug, ClapArgs)]
pub(super) struct CheckArgs {
    /// Report findings of these files only; all are read all the same.
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Check the mappings of this pair only; without it, those of each pair, against its own snapshots.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Write the mechanical corrections into the files, and report what remains.
    #[arg(long)]
    pub(super) fix: bool,
    /// Let a warning fail the check.
    #[arg(long)]
    pub(super) deny_warnings: bool,
}

/// Arguments of `fmt`.
#[derive(Debug, ClapArgs)]
pub(super) struct FmtArgs {
    /// These `.map` files, or all of the project without any; `-` is standard input, formatted to standard output.
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Change nothing; show what would be changed, as a unified diff.
    #[arg(long)]
    pub(super) check: bool,
}

/// Arguments of `test`.
#[derive(Debug, ClapArgs)]
pub(super) struct TestArgs {
    /// Run only the tests of this mapping or of this file, and those whose name holds this text.
    pub(super) filter: Option<String>,
    /// Run the tests of this pair only; without it, those of each pair, with its own snapshots.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// Tell which rules, policies, picklist lines, outcomes, rungs, guards, triggers and branches no test exercises.
    #[arg(long)]
    pub(super) coverage: bool,
    /// The same, and fail below this percentage.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(super) coverage_min: Option<f64>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// A percentage from 0 to 100.
fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('%').parse().map_err(|_| "a number from 0 to 100".to_owned())?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("a number from 0 to 100".to_owned()) }
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people, with the source lines.
    Human,
    /// One JSON array.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// GitHub annotations.
    Github,
}

/// Arguments of `eval`.
#[derive(Debug, ClapArgs)]
pub(super) struct EvalArgs {
    /// The mapping, or a sync with `--from`.
    pub(super) mapping: String,
    /// For a sync: whose records are given. The fields of the other side's record come out.
    #[arg(long, value_name = "CRM")]
    pub(super) from: Option<Crm>,
    /// Source records, one JSON object a line, as the CRM answers them; `-` or nothing is standard input.
    pub(super) file: Option<PathBuf>,
    /// Which pair's mappings; may be left out where all pairs have the same.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// Stop at the first line that cannot be mapped.
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Evaluate in so many threads; the output is the same.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) threads: NonZeroUsize,
    /// Add the file and line of the rule that gave each field.
    #[arg(long)]
    pub(super) provenance: bool,
}

/// One of the two CRMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Crm {
    /// HubSpot
    Hubspot,
    /// Salesforce
    Salesforce,
}

impl From<Crm> for Side {
    fn from(crm: Crm) -> Self {
        match crm {
            Crm::Hubspot => Side::Hubspot,
            Crm::Salesforce => Side::Salesforce,
        }
    }
}

/// Arguments of `plan` and `run`.
#[derive(Debug, ClapArgs)]
pub(super) struct RecordArgs {
    /// The mapping.
    pub(super) mapping: String,
    /// The source record's id.
    #[arg(long, value_name = "ID")]
    pub(super) record: String,
    /// Which pair of portal and org; may be left out where there is one.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// How Salesforce is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Api {
    /// As it pays.
    Auto,
    /// In jobs, wherever a write can be a row of one.
    Bulk,
    /// By collections.
    Rest,
}

/// Arguments of `backfill`.
#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each of them is a flag that stands for itself")]
pub(super) struct BackfillArgs {
    /// The mapping, or a sync with `--from`.
    pub(super) mapping: String,
    /// For a sync: whose records are loaded.
    #[arg(long, value_name = "CRM")]
    pub(super) from: Option<Crm>,
    /// Only records of which this holds, in the words of a mapping's `where`; the CRM compares.
    #[arg(long = "where", value_name = "FIELD = VALUE and …")]
    pub(super) condition: Option<String>,
    /// Stop after so many records.
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<std::num::NonZeroU64>,
    /// Write nothing; count what would be done, show what would be parked, and estimate the calls.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Go on with an earlier backfill or fail; without it, one that is not finished is gone on with, else a new one begins.
    #[arg(long, conflicts_with_all = ["restart", "dry_run"])]
    pub(super) resume: bool,
    /// Forget an earlier backfill that is not finished, and begin anew.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) restart: bool,
    /// How Salesforce is written to: in jobs of the Bulk API, by collections, or as it pays (`limits: bulk_from_rows`).
    #[arg(long, value_enum, value_name = "API", default_value_t = Api::Auto)]
    pub(super) api: Api,
    /// Write the records that a person must look at to this file, as CSV.
    #[arg(long, value_name = "FILE.csv")]
    pub(super) refused: Option<PathBuf>,
    /// Which pair of portal and org; may be left out where there is one.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `serve`.
#[derive(Debug, ClapArgs)]
pub(super) struct ServeArgs {
    /// The address to listen on, instead of the configured one; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<std::net::SocketAddr>,
    /// Serve this pair only; without it, all of them.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// How the log is written; without it, as text to a terminal and as JSON lines elsewhere.
    #[arg(long, value_name = "FORM", conflicts_with = "json")]
    pub(super) log: Option<LogForm>,
    /// The same as `--log json`.
    #[arg(long)]
    pub(super) json: bool,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogForm {
    /// One JSON object a line
    Json,
    /// Lines for people
    Text,
}

/// Arguments of `why`.
#[derive(Debug, ClapArgs)]
pub(super) struct WhyArgs {
    /// The record's object, as mappings name it (`Lead`, `salesforce.Lead`).
    pub(super) object: String,
    /// The record's id, as the CRM shows it.
    pub(super) id: String,
    /// One field of it.
    pub(super) field: Option<String>,
    /// Which CRM, where both have an object of this name.
    #[arg(long, value_name = "CRM")]
    pub(super) side: Option<Crm>,
    /// Which pair of portal and org; may be left out where one knows the record.
    #[arg(long)]
    pub(super) pair: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, ClapArgs)]
pub(super) struct DoctorArgs {
    /// Only this pair of portal and org; all of them without it.
    #[arg(long)]
    pub(super) pair: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `schema`.
#[derive(Debug, ClapArgs)]
pub(super) struct SchemaArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub(super) action: SchemaAction,
}

/// What to do with snapshots.
#[derive(Debug, Subcommand)]
pub(super) enum SchemaAction {
    /// Bring them up to date with what the CRMs say
    #[command(after_help = help::SCHEMA)]
    Pull(PullArgs),
}

/// Arguments of `schema pull`.
#[derive(Debug, ClapArgs)]
pub(super) struct PullArgs {
    /// Only this CRM's; both without it.
    #[arg(value_name = "CRM")]
    pub(super) crm: Option<Crm>,
    /// Which pair of portal and org; may be left out where there is one.
    #[arg(long)]
    pub(super) pair: Option<String>,
    /// An object to add (`hubspot.ticket`, `salesforce.Case`); those that the snapshot has or a mapping names come anyway.
    #[arg(long, value_name = "CRM.NAME")]
    pub(super) object: Vec<String>,
    /// All objects that a mapping could be about.
    #[arg(long)]
    pub(super) all: bool,
}

/// Arguments of `drift`.
#[derive(Debug, ClapArgs)]
pub(super) struct DriftArgs {
    /// Which pair of portal and org; may be left out where there is one.
    #[arg(long)]
    pub(super) pair: Option<String>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

/// Arguments of `permissions`.
#[derive(Debug, ClapArgs)]
pub(super) struct PermissionsArgs {
    /// Print a permission set for Salesforce's Metadata API.
    #[arg(long)]
    pub(super) salesforce_xml: bool,
    /// Which pair of portal and org; may be left out where there is one.
    #[arg(long)]
    pub(super) pair: Option<String>,
}

/// Arguments of `cost`.
#[derive(Debug, ClapArgs)]
pub(super) struct CostArgs {
    /// Add what so many events a day come to, for each mapping.
    #[arg(long, value_name = "N")]
    pub(super) events_per_day: Option<u32>,
    /// Which pair of portal and org; may be left out where there is one.
    #[arg(long)]
    pub(super) pair: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `parked`.
#[derive(Debug, ClapArgs)]
pub(super) struct ParkedArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub(super) action: ParkedAction,
}

/// What to do with parked records.
#[derive(Debug, Subcommand)]
pub(super) enum ParkedAction {
    /// All of them, a line each
    List {
        /// Those of this pair only.
        #[arg(long, value_name = "NAME")]
        pair: Option<String>,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// One, with its events
    Show {
        /// Its number, as `list` prints it.
        id: i64,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Put one back into the queue
    Retry {
        /// Its number, as `list` prints it.
        id: i64,
    },
    /// Give one up
    Drop {
        /// Its number, as `list` prints it.
        id: i64,
    },
}

/// Arguments of `auth`.
#[derive(Debug, ClapArgs)]
pub(super) struct AuthArgs {
    /// What to do.
    #[command(subcommand)]
    pub(super) action: AuthAction,
}

/// What to do about logins.
#[derive(Debug, Subcommand)]
pub(super) enum AuthAction {
    /// Log in with the browser, and keep the refresh token, sealed, in the store
    Login(LoginArgs),
    /// How each pair proves who it is, and whether that can be used
    Status(StatusArgs),
    /// Forget a login, here and at the vendor
    Logout {
        /// Of which CRM.
        #[arg(value_name = "CRM")]
        crm: Crm,
        /// Which pair of portal and org; may be left out where there is one.
        #[arg(long, value_name = "NAME")]
        pair: Option<String>,
    },
    /// Print a fresh key, to seal tokens with
    Key,
}

/// Arguments of `auth status`.
#[derive(Debug, ClapArgs)]
pub(super) struct StatusArgs {
    /// This pair only.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// Ask each CRM whether it accepts the token, whose it is, and what it may do.
    #[arg(long)]
    pub(super) check: bool,
    /// Print one JSON array.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `auth login`.
#[derive(Debug, ClapArgs)]
pub(super) struct LoginArgs {
    /// To which CRM.
    #[arg(value_name = "CRM")]
    pub(super) crm: Crm,
    /// Which pair of portal and org; may be left out where there is one.
    #[arg(long, value_name = "NAME")]
    pub(super) pair: Option<String>,
    /// The port on this machine to which the browser comes back; the app must allow `http://localhost:PORT/callback`. 0
    /// takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8723)]
    pub(super) port: u16,
    /// Only print the address; do not open a browser.
    #[arg(long)]
    pub(super) no_browser: bool,
    /// How long to wait for the browser.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(super) timeout: u64,
}

/// Arguments of `sandbox`.
#[derive(Debug, ClapArgs)]
pub(super) struct SandboxArgs {
    /// HubSpot's port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(super) hubspot_port: u16,
    /// Salesforce's port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(super) salesforce_port: u16,
    /// Records and schema to load, in YAML.
    #[arg(long, value_name = "FILE")]
    pub(super) seed: Option<PathBuf>,
    /// What goes wrong, in YAML or JSON: answers to give in place of the real ones (docs/sandbox.md).
    #[arg(long, value_name = "FILE")]
    pub(super) faults: Option<PathBuf>,
    /// Print the addresses and keys as one JSON line.
    #[arg(long)]
    pub(super) json: bool,
}
