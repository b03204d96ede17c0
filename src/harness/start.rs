//! What starts the run of a test.

use std::sync::Arc;

use crate::check::typed::Test;
use crate::eval::Run;
use crate::plan::{Mapping, Plan};
use crate::source::Side;
use crate::types::Cause;

use super::world::World;

/// The run of a test: of the source record that it gives, or by the end of a record of a pair.
pub(super) fn start(plan: &Arc<Plan>, test: &Test, world: &World) -> Option<Run> {
    let mapping = plan.mapping(&test.mapping)?;
    if test.given.iter().any(|given| given.object == mapping.source) {
        return Run::start(Arc::clone(plan), &test.mapping, world.source()?);
    }
    let (source, cause) = cause(mapping, test)?;
    Some(Run::start(Arc::clone(plan), &test.mapping, &source)?.because(Some(cause)))
}

/// The record that runs and the end that causes it.
fn cause(mapping: &Mapping, test: &Test) -> Option<(String, Cause)> {
    test.ends.iter().find_map(|end| {
        if end.object == mapping.source {
            let cause = match &end.into {
                Some(into) => Cause::SourceMerged { into: into.clone() },
                None => Cause::SourceDeleted,
            };
            return Some((end.id.clone(), cause));
        }
        let paired = test.links.iter().find_map(|link| {
            let (near, far) = match mapping.source.side {
                Side::Hubspot => (&link.hubspot, &link.salesforce),
                Side::Salesforce => (&link.salesforce, &link.hubspot),
            };
            (near.0 == mapping.source && far.0 == end.object && far.1 == end.id).then(|| near.1.clone())
        })?;
        let target = end.id.clone();
        let cause = match &end.into {
            Some(into) => Cause::TargetMerged { target, into: into.clone() },
            None => Cause::TargetDeleted { target },
        };
        Some((paired, cause))
    })
}
