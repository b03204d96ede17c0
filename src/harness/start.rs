//! What starts the run of a test.

use crate::check::typed::Test;
use crate::plan::Mapping;
use crate::source::Side;
use crate::types::Cause;

use super::world::World;

/// The record that runs: the source record that a test gives, or one whose pair has ended, with the cause.
pub(super) fn of(mapping: &Mapping, test: &Test, world: &World) -> Option<(String, Option<Cause>)> {
    if test.given.iter().any(|given| given.object == mapping.source) {
        return Some((world.source()?.to_owned(), None));
    }
    let (source, cause) = cause(mapping, test)?;
    Some((source, Some(cause)))
}

/// The record that runs and the end that causes it.
pub(super) fn cause(mapping: &Mapping, test: &Test) -> Option<(String, Cause)> {
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
