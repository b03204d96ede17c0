//! Mapping tests: a `test` item runs its mapping against an in-memory world made of the records that it gives.
//!
//! The run is the real one ([`crate::eval::Run`]); only the CRMs are replaced, by the records that are given and nothing
//! else. Pure: no I/O, no clock. What a test means:
//!
//! - **given**: the source record runs, as if its mapping had been triggered: `when` is not judged, `only if` is. Other
//!   records of the source's CRM are associated with it, by every label and as the primary one; where the mapping follows
//!   an id (`owner` by `hubspot_owner_id`), the source holds the id of the record given, unless the test says another.
//!   A record without an id gets one. Records of one object were created in the order in which they are given.
//! - **look-ups** compare text without regard to case, as SOQL does for ordinary text fields and HubSpot's search for
//!   strings.
//! - **`expect create`, `expect update`** compare the fields that they name, as the record holds them after the run.
//!   A record that was found and already holds everything counts as updated. `absent`: nothing was there and nothing is
//!   written; `kept`: something was there and is not written; `nothing`: blank afterwards.
//! - **`expect park "reason"`** compares the author's own words; what a failed step adds behind them does not count.
//! - **`given OBJECT "ID" deleted`, `given OBJECT "ID" merged into "ID"`**: where the test gives no source record, this
//!   event starts the run: for that record itself, or for the source record that a `given link` pairs with it. Where it
//!   gives one, that record runs in a world in which the other has ended. A linked record that is not given is gone.
//! - **`expect unlink`, `expect follow`**: nothing is written; the pair is forgotten, or goes over to the survivor.
//! - **`expect then MAPPING`**: it takes over; how that mapping ends may be expected beside it.
//!
//! What cannot be said yet: what a CRM refuses (a duplicate rule, a validation rule, a lost race for a key), a guard's or
//! a rule's `wait`, and two associated records of one object told apart by their labels. A run that waits meets no
//! expectation of an end.

mod compare;
mod report;
mod start;
#[cfg(test)]
mod tests;
mod world;

use std::sync::Arc;

use serde::Serialize;

use crate::check::typed::Test;
use crate::eval::Effect;
use crate::plan::Plan;
use crate::source::{Location, Sources};

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
    /// The expectation.
    pub at: Location,
}

/// Runs a test. The plan is that of the test's project, and the sources are its files.
pub fn run(plan: &Arc<Plan>, test: &Test, sources: &Sources) -> Outcome {
    let mut outcome = Outcome {
        name: test.name.clone(),
        mapping: test.mapping.clone(),
        at: sources.locate(test.span),
        differences: Vec::new(),
        path: Vec::new(),
    };
    let mut world = World::of(plan, test);
    let started = start::start(plan, test, &world);
    // INVARIANT: a checked test gives the source record of a mapping that its own project has.
    let Some(mut run) = started else {
        outcome.differences.push(Difference {
            field: None,
            expected: format!("a run of `{}`", test.mapping),
            found: "no such mapping, or no source record".to_owned(),
            why: None,
            rule: None,
            at: outcome.at.clone(),
        });
        return outcome;
    };
    let mut answer = None;
    let finished = loop {
        answer = match run.next(answer) {
            Effect::Finish(finished) => break finished,
            Effect::Read(request) => Some(world.read(&request)),
            Effect::Associated(request) => Some(world.associated(&request)),
            Effect::Find(requests) => Some(world.find(&requests)),
            Effect::Write(planned) => Some(world.write(&planned.request)),
            Effect::Links(request) => Some(world.links(&request)),
            Effect::Changed(request) => Some(world.changed(&request)),
            Effect::Survivor { object, id } => Some(world.survivor(&object, &id)),
            Effect::Associate { add, remove } => Some(world.associate(&add, &remove)),
        };
    };
    let mappings: Vec<&str> = run.mappings().collect();
    let end = compare::End { plan, world: &world, finished: &finished, mappings: &mappings };
    outcome.differences = compare::differences(&end, test, sources);
    outcome.path = finished.path;
    outcome
}
