//! Mapping tests: a `test` item runs its mapping against an in-memory world made of the records that it gives.
//!
//! The run is the real one ([`crate::eval::Run`]); only the CRMs are replaced, by the records that are given and nothing
//! else. Pure: no I/O, no clock. What a test means:
//!
//! - **given**: the source record runs. Other records of the source's CRM are associated with it, by every label and as
//!   the primary one, unless they are given as `primary` or with a label; where the mapping follows an id (`owner` by
//!   `hubspot_owner_id`), the source holds the id of the record given, unless the test says another. A record without an
//!   id gets one. Records of one object were created in the order in which they are given.
//! - **when**: what happened to the source record; then its triggers are judged. HubSpot's notice of a change tells the
//!   value that the record holds, Salesforce's none. Without a `when`, the mapping runs as if it had been triggered.
//! - **look-ups** compare text without regard to case, as SOQL does for ordinary text fields and HubSpot's search for
//!   strings.
//! - **`given OBJECT rejects …`, `blocks duplicates by …`, `warns of duplicates by …`**: the writes that its CRM refuses.
//! - **`expect create`, `expect update`** compare the fields that they name, as the record holds them after the run.
//!   A record that was found and already holds everything counts as updated. `absent`: nothing was there and nothing is
//!   written; `kept`: something was there and is not written; `nothing`: blank afterwards.
//! - **`expect nothing`**: the record was found, and nothing is written.
//! - **`expect park "reason"`** compares the author's own words; what a failed step adds behind them does not count.
//! - **`given OBJECT "ID" deleted`, `given OBJECT "ID" merged into "ID"`**: where the test gives no source record, this
//!   event starts the run: for that record itself, or for the source record that a `given link` pairs with it. Where it
//!   gives one, that record runs in a world in which the other has ended. A linked record that is not given is gone.
//! - **`expect unlink`, `expect follow`**: nothing is written; the pair is forgotten, or goes over to the survivor.
//! - **`expect converted { … }`** stands beside the end: the Lead written is converted, with these. A conversion that no
//!   test expects is a difference, for it cannot be undone; one that is refused is a park.
//! - **`expect then MAPPING`**: it takes over; how that mapping ends may be expected beside it.
//!
//! [`coverage`] tells what the tests of a project did not exercise, from the trace that the runs leave.
//!
//! What cannot be said: a lost race (another run that writes between the look-up and the write).

mod compare;
mod coverage;
mod report;
mod start;
#[cfg(test)]
mod tests;
mod trigger;
mod world;

use std::sync::Arc;

use serde::Serialize;

use crate::check::typed::Test;
use crate::eval::{Answer, Effect, Finished, Run, SyncRun, Trace};
use crate::plan::{Mapping, Plan};
use crate::source::{Location, Sources};

pub use coverage::{Coverage, Kind, Missed, coverage};
pub use report::report;

use world::World;

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The test's name.
    pub name: String,
    /// The mapping that ran.
    pub mapping: String,
    /// Where the test stands.
    pub at: Location,
    /// Where the run was not as expected; none when the test passed.
    pub differences: Vec<Difference>,
    /// The mappings gone through, each with why it handed over.
    pub path: Vec<String>,
}

impl Outcome {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Something that was not as expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The field; `None` where the end of the run itself differs.
    pub field: Option<String>,
    /// What the test expects, in words.
    pub expected: String,
    /// What the run came to, in words.
    pub found: String,
    /// Why, where there is more to say.
    pub why: Option<String>,
    /// The rule, guard or outcome that made it so.
    pub rule: Option<Location>,
    /// That line, as written.
    pub source: Option<String>,
    /// The expectation.
    pub at: Location,
}

/// Runs a test. The plan is that of the test's project, and the sources are its files; what is exercised on the way is
/// recorded in the trace, where there is one.
pub fn run(plan: &Arc<Plan>, test: &Test, sources: &Sources, trace: Option<&Arc<Trace>>) -> Outcome {
    let mut outcome = Outcome {
        name: test.name.clone(),
        mapping: test.mapping.clone(),
        at: sources.locate(test.span),
        differences: Vec::new(),
        path: Vec::new(),
    };
    let mut world = World::of(plan, test);
    let found = subject(plan, test).and_then(|mapping| Some((mapping, start::of(mapping, test, &world)?)));
    let Some((mapping, (source, cause))) = found else {
        // INVARIANT: a checked test gives the source record of a mapping that its own project has, or how it ended.
        outcome.differences.push(Difference {
            field: None,
            expected: format!("a run of `{}`", test.mapping),
            found: "no such mapping, or no source record".to_owned(),
            why: None,
            rule: None,
            source: None,
            at: outcome.at.clone(),
        });
        return outcome;
    };
    let started = if cause.is_some() { Some(false) } else { trigger::started(plan, mapping, test, &world) };
    let object = mapping.source.clone();
    let (finished, mappings) = match started {
        Some(if_became) if mapping.is_leg => {
            let run = SyncRun::start(Arc::clone(plan), &mapping.name, &object, &source);
            let run = run.map(|run| run.if_became(if_became).because(cause).traced(trace.cloned()));
            let finished = run.map(|mut run| go(|answer| run.next(answer), &mut world));
            (finished, vec![mapping.name.clone()])
        }
        Some(if_became) => {
            let run = Run::start(Arc::clone(plan), &mapping.name, &source);
            let run = run.map(|run| run.if_became(if_became).because(cause).traced(trace.cloned()));
            run.map_or((None, Vec::new()), |mut run| {
                let finished = go(|answer| run.next(answer), &mut world);
                (Some(finished), run.mappings().map(str::to_owned).collect())
            })
        }
        None => (None, Vec::new()),
    };
    // A run that only then sees that the record did not become so was not triggered.
    let finished =
        finished.filter(|finished| started != Some(true) || !trigger::is_refused(mapping, finished));
    if let (Some(trace), true) = (trace, finished.is_some()) {
        trigger::record(mapping, test, &world, trace);
    }
    let end =
        compare::End { plan, world: &world, finished: finished.as_ref(), mapping: &test.mapping, mappings };
    outcome.differences = compare::differences(&end, test, sources);
    for difference in &mut outcome.differences {
        difference.source = difference.rule.as_ref().and_then(|rule| source_line(sources, rule));
    }
    outcome.path = finished.map(|finished| finished.path).unwrap_or_default();
    outcome
}

/// The mapping that a test runs; of a sync, the leg that reads the record given first.
fn subject<'p>(plan: &'p Plan, test: &Test) -> Option<&'p Mapping> {
    let Some(sync) = plan.sync(&test.mapping) else { return plan.mapping(&test.mapping) };
    let legs = [sync.to_salesforce, sync.to_hubspot].map(|index| &plan.mappings[index]);
    let given = test.given.iter().find_map(|given| legs.iter().find(|leg| leg.source == given.object));
    given.or_else(|| legs.iter().find(|leg| start::cause(leg, test).is_some())).copied()
}

/// Runs to the end.
fn go(mut next: impl FnMut(Option<Answer>) -> Effect, world: &mut World) -> Finished {
    let mut answer = None;
    loop {
        answer = match next(answer) {
            Effect::Finish(finished) => return finished,
            Effect::Read(request) => Some(world.read(&request)),
            Effect::Associated(request) => Some(world.associated(&request)),
            Effect::Find(requests) => Some(world.find(&requests)),
            Effect::Write(planned) => Some(world.write(&planned.request)),
            Effect::Convert(planned) => Some(world.convert(&planned.request)),
            Effect::Links(request) => Some(world.links(&request)),
            Effect::Changed(request) => Some(world.changed(&request)),
            Effect::Survivor { object, id } => Some(world.survivor(&object, &id)),
            Effect::Associate { add, remove } => Some(world.associate(&add, &remove)),
        };
    }
}

/// A line as written, with single blanks.
fn source_line(sources: &Sources, at: &Location) -> Option<String> {
    let (_, file) = sources.iter().find(|(_, file)| file.name() == at.file)?;
    let words: Vec<&str> = file.line_text(at.line).split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}
