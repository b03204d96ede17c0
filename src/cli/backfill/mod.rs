//! `mapwright backfill`: loads a whole object through a mapping.

mod bar;
mod csv;
mod report;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{Api, BackfillArgs};
use super::output::Output;
use super::{Exit, eval, parts};
use crate::check;
use crate::config::Limits;
use crate::runtime::{
    Backfill, BulkWrites, Health, Load, LoadError, Metrics, Parts, Progress, Settings, Stop, SystemClock,
    shutdown_signal,
};
use crate::source::{Side, Sources};
use crate::store::{Claim, SqliteStore, Store as _, StoreError};
use crate::types::Filter;

use bar::Bar;
use report::Report;

/// Records of a dry run that are shown of those that a person would have to look at.
const EXAMPLES: usize = 10;

/// Records of one chunk where they may go in jobs: so many that jobs are worth their calls, and few enough for memory.
const JOB_RECORDS: usize = 10_000;

pub(super) async fn run(given: Option<&Path>, options: &BackfillArgs, output: Output) -> Exit {
    match try_run(given, options, output).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn try_run(given: Option<&Path>, options: &BackfillArgs, output: Output) -> Result<Exit, Exit> {
    let ready = parts::ready(given, options.pair.as_deref(), output)?;
    let load = load(&ready, options, output)?;
    let refused = options.refused.as_deref().map(|path| opened(path, output)).transpose()?;
    let path = parts::store_path(&ready);
    let store = if options.dry_run && !path.exists() && !ready.keeps_tokens() {
        // A project that never ran has no store, and a dry run makes none.
        SqliteStore::in_memory().await.map_err(|error| failed(&error, output))?
    } else {
        parts::store(&ready, output).await?
    };
    let store = Arc::new(store);
    let project = if options.dry_run {
        None
    } else {
        let version = ready.version.as_ref().clone();
        let known = store.remember_project(version, parts::now()).await;
        Some(known.map_err(|error| failed(&error, output))?)
    };
    let _claim = if options.dry_run { None } else { Some(claim(path, output)?) };
    let clients = parts::clients(&ready, Some(&store)).map_err(|message| {
        output.error(&message);
        Exit::Usage
    })?;
    clients.admitted(output).await?;
    let walk = clients.walk(load.object.side);
    let from_rows = bulk_from(&ready.pair.limits, options.api);
    let bulk = from_rows.map(|from_rows| BulkWrites { bulk: clients.bulk(), from_rows });
    let backfill = Backfill {
        parts: Parts {
            pair: ready.pair.name.clone(),
            plan: Arc::clone(&ready.plan),
            crms: clients.crms(),
            store: store.clone(),
            clock: Arc::new(SystemClock),
            metrics: Arc::new(Metrics::default()),
            health: Arc::new(Health::default()),
            settings: Settings { project, ..settings(&ready.pair.limits, load.chunk) },
        },
        loads: store.clone(),
        walk,
        load,
        bulk,
    };
    let it = Backfilling { backfill: &backfill, options, output };
    let exit = it.run(refused).await;
    store.close().await;
    Ok(exit)
}

fn settings(limits: &Limits, chunk: usize) -> Settings {
    Settings {
        lanes: limits.records_at_a_time,
        max_attempts: limits.max_attempts,
        write_rows: chunk,
        ..Settings::default()
    }
}

/// From how many rows on Salesforce gets jobs; `None` for never.
fn bulk_from(limits: &Limits, api: Api) -> Option<usize> {
    match api {
        Api::Auto => Some(usize::try_from(limits.bulk_from_rows).unwrap_or(usize::MAX)),
        Api::Bulk => Some(1),
        Api::Rest => None,
    }
}

/// What is loaded, or what is wrong with the call.
fn load(ready: &parts::Ready, options: &BackfillArgs, output: Output) -> Result<Load, Exit> {
    let from = options.from.map(Side::from);
    let mut load = Load::of(&ready.plan, &options.mapping, from).map_err(|error| {
        output.error(&match error {
            LoadError::NoSuchMapping(name) => eval::unknown_mapping(&ready.plan, &name),
            other => other.to_string(),
        });
        Exit::Usage
    })?;
    load.filters = filters(ready, &load, options, output)?;
    load.limit = options.limit.map(std::num::NonZeroU64::get);
    load.options = asked_for(options);
    let at_a_time = usize::try_from(ready.pair.limits.records_at_a_time).unwrap_or(1_000).max(1);
    let to_salesforce = load.object.side == Side::Hubspot;
    let jobs = to_salesforce && options.api != Api::Rest;
    load.chunk = if jobs { at_a_time.max(JOB_RECORDS) } else { at_a_time };
    Ok(load)
}

fn filters(
    ready: &parts::Ready,
    load: &Load,
    options: &BackfillArgs,
    output: Output,
) -> Result<Vec<Filter>, Exit> {
    let Some(text) = &options.condition else { return Ok(Vec::new()) };
    // The snapshots point into their files, which stand before the argument.
    let mut sources: Sources = ready.sources.as_ref().clone();
    check::filters(&ready.schemas, &mut sources, "--where", &load.object, text).map_err(|findings| {
        output.findings(&sources, &findings);
        Exit::Usage
    })
}

/// The options that say what is loaded, as a person writes them.
fn asked_for(options: &BackfillArgs) -> String {
    let mut asked = vec![options.mapping.clone()];
    asked.extend(options.from.map(|from| format!("--from {}", Side::from(from).word())));
    asked.extend(options.condition.as_ref().map(|text| format!("--where '{}'", text.replace('\'', r"'\''"))));
    asked.extend(options.limit.map(|limit| format!("--limit {limit}")));
    asked.join(" ")
}

/// A file for the refused rows, opened at once: nobody wants to hear after hours that it cannot be. What is in it stays until
/// there are rows to write.
fn opened(path: &Path, output: Output) -> Result<(PathBuf, File), Exit> {
    let file = private(path).map_err(|error| {
        output.error(&format!("`{}` cannot be written: {error}", path.display()));
        Exit::Usage
    })?;
    Ok((path.to_owned(), file))
}

/// A file that its owner alone can read, since the rows hold people's values; one that is there already becomes such a file.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        if file.metadata()?.is_file() {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// Makes this the only backfill of the store; a `serve` may run beside it.
fn claim(mut store: PathBuf, output: Output) -> Result<Claim, Exit> {
    let mut name = store.file_name().unwrap_or_default().to_os_string();
    name.push(".backfill");
    store.set_file_name(name);
    Claim::of(&store).map_err(|error| {
        output.error(&match error {
            StoreError::InUse { .. } => {
                "another `mapwright backfill` is at work on this store; wait for its end, or stop it"
                    .to_owned()
            }
            other => other.to_string(),
        });
        Exit::Usage
    })
}

fn failed(error: &StoreError, output: Output) -> Exit {
    output.error(&error.to_string());
    Exit::Remote
}

/// A load, and whom to tell.
struct Backfilling<'b> {
    backfill: &'b Backfill,
    options: &'b BackfillArgs,
    output: Output,
}

impl Backfilling<'_> {
    async fn run(&self, refused: Option<(PathBuf, File)>) -> Exit {
        if self.options.dry_run {
            return self.dry_run(refused).await;
        }
        let mut progress = match self.progress().await {
            Ok(progress) => progress,
            Err(exit) => return exit,
        };
        let bar = self.bar(progress.taken).await;
        let watch = |now: &Progress| bar.show(now);
        let ended = tokio::select! {
            ended = self.backfill.run(&mut progress, &watch) => Some(ended),
            signal = shutdown_signal() => {
                if let Err(error) = signal {
                    self.output.note(&format!("signals cannot be received, so it stops at once: {error}"));
                }
                None
            }
        };
        bar.end();
        if ended.is_none()
            && let Err(error) = self.backfill.let_go().await
        {
            self.output.error(&error.to_string());
        }
        let rows = match self.backfill.refused().await {
            Ok(rows) => rows,
            Err(error) => return self.stopped(&error),
        };
        let report = Report { load: &self.backfill.load, progress: &progress, rows: &rows };
        let stop = match ended {
            Some(Ok(())) => None,
            Some(Err(stop)) => Some(stop),
            None => return self.interrupted(&report),
        };
        let written = refused.map_or(Ok(()), |(path, file)| self.write_refused(&path, &file, &rows));
        report.print(self.options.json, stop.as_ref(), self.output);
        match (stop, written) {
            (Some(stop), _) => self.stopped(&stop),
            (None, Err(exit)) => exit,
            (None, Ok(())) if progress.counts.parked > 0 => Exit::Findings,
            (None, Ok(())) => Exit::Fine,
        }
    }

    /// Where to begin: at the beginning, or where an earlier load stopped.
    async fn progress(&self) -> Result<Progress, Exit> {
        let usage = |message: String| {
            self.output.error(&message);
            Exit::Usage
        };
        let kept = if self.options.restart { None } else { Some(self.backfill.unfinished().await) };
        let kept = kept.transpose().map_err(|error| self.stopped(&error))?.flatten();
        let asked = &self.backfill.load.options;
        match kept {
            Some(kept) if kept.options != *asked => Err(usage(format!(
                "an earlier backfill is not finished: `mapwright backfill {}`; go on with it, or begin anew with `--restart`",
                kept.options
            ))),
            Some(kept) => {
                let done = kept.counts.records;
                self.output.note(&format!(
                    "going on where an earlier backfill stopped, with {done} records done; `--restart` begins anew"
                ));
                Ok(kept)
            }
            None if self.options.resume => Err(usage(format!(
                "there is nothing to go on with: no unfinished `mapwright backfill {asked}`"
            ))),
            None => self.backfill.begin().await.map_err(|error| self.stopped(&error)),
        }
    }

    async fn dry_run(&self, refused: Option<(PathBuf, File)>) -> Exit {
        let bar = self.bar(0).await;
        // Whoever wants the file wants all of them.
        let examples = if refused.is_some() { usize::MAX } else { EXAMPLES };
        let watch = |now: &Progress| bar.show(now);
        let found = self.backfill.dry_run(examples, &watch).await;
        bar.end();
        let found = match found {
            Ok(found) => found,
            Err(stop) => return self.stopped(&stop),
        };
        report::print_dry_run(&self.backfill.load, &found, EXAMPLES, self.options.json);
        let written = refused.map_or(Ok(()), |(path, file)| self.write_refused(&path, &file, &found.refused));
        match written {
            Err(exit) => exit,
            Ok(()) if found.counts.parked > 0 => Exit::Findings,
            Ok(()) => Exit::Fine,
        }
    }

    /// How many records there are is worth one call, and nothing more: a bar without an end will do too.
    async fn bar(&self, done: u64) -> Bar {
        let load = &self.backfill.load;
        let total = self.backfill.walk.count(&load.object, &load.filters).await.ok();
        let total = match (total, load.limit) {
            (Some(total), Some(limit)) => Some(total.min(limit)),
            (total, limit) => total.or(limit),
        };
        Bar::new(total.map(|total| total.max(done)), self.output)
    }

    fn write_refused(
        &self,
        path: &Path,
        file: &File,
        rows: &[crate::runtime::RefusedRow],
    ) -> Result<(), Exit> {
        // A pipe has no length.
        let emptied = file.metadata().and_then(|of| if of.is_file() { file.set_len(0) } else { Ok(()) });
        emptied.and_then(|()| csv::write(file, rows)).map_err(|error| {
            self.output.error(&format!("`{}` cannot be written: {error}", path.display()));
            Exit::Remote
        })
    }

    fn interrupted(&self, report: &Report<'_>) -> Exit {
        report.print(self.options.json, None, self.output);
        self.output.note("stopped; the same command goes on from here");
        Exit::Remote
    }

    fn stopped(&self, stop: &Stop) -> Exit {
        self.output.error(&stop.to_string());
        if !self.options.dry_run {
            if let Stop::HeldUp { .. } = stop {
                self.output.note(
                    "they were tried three times: see what holds them (a job, an automation, somebody's bulk change), and go \
                     on when it is done; all others of those that were read are done",
                );
            }
            let when = match stop {
                Stop::Crm { again: Some(again), .. } => {
                    format!(" after {}", again.format("%Y-%m-%d %H:%M UTC"))
                }
                _ => String::new(),
            };
            self.output.note(&format!("what is done is kept; the same command goes on from here{when}"));
        }
        Exit::Remote
    }
}
