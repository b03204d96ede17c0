//! What a CRM refuses in a test: the object can be written, its fields exist, and a duplicate rule compares like with like.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Side;
use crate::syntax::ast;

use super::typed::{Refusal, RefusalKind};
use super::world::World;

/// Checks a refusal; `None` when it names something that does not exist, which was reported.
pub(super) fn check<'a>(world: &'a World<'a>, refusal: &ast::Refusal) -> Option<Refusal> {
    let object = world.object(&refusal.object)?;
    let kind = match &refusal.kind {
        ast::RefusalKind::Rejects { field, message } => {
            let field = match field {
                Some(name) => Some(world.field(&object, name)?.name.clone()),
                None => None,
            };
            RefusalKind::Rejects { field, message: message.value.clone() }
        }
        ast::RefusalKind::Duplicates { field, of, allow_save } => {
            if object.name.side == Side::Hubspot {
                let finding = Diagnostic::error(
                    Code::OUTCOME_IMPOSSIBLE,
                    refusal.object.span,
                    "HubSpot has no duplicate rules",
                );
                let help =
                    "write `rejects FIELD \"message\"`, as HubSpot refuses a value that must be unique";
                world.report(finding.help(help));
                return None;
            }
            let compared = world.field(&object, field)?.name.clone();
            let of = match of {
                Some(of) => {
                    let other = world.object(of)?;
                    world.field(&other, field)?;
                    other.name
                }
                None => object.name.clone(),
            };
            RefusalKind::Duplicates { field: compared, of, allow_save: *allow_save }
        }
    };
    Some(Refusal { object: object.name, kind })
}
