//! The plan: a flat, serialisable program for each mapping, built only from a [`Checked`] project.
//!
//! Names are resolved into slots here, once: a source record is an array of raw values by slot, an expression names
//! slots, and nothing is looked up by name while records flow. Only fields that some expression uses are read. Every
//! rule, guard and outcome carries its [`Location`], so that each written value can name the line that produced it.
//!
//! [`Checked`]: crate::check::Checked
//! [`Location`]: crate::source::Location

mod access;
mod associate;
mod branches;
mod compile;
mod cost;
mod expression;
mod needs;
mod program;
#[cfg(test)]
pub(crate) mod testing;
mod trigger;
mod watch;

pub use access::access;
pub use compile::compile;
pub use cost::{Cost, costs};
pub use expression::{Call, Condition, Expr, Part};
pub(crate) use program::CONVERTED_CONTACT;
pub use program::{
    AccountElse, Associate, Conflict, Convert, Each, Guard, GuardElse, Ids, Key, LinkElse, Lookup, Mapping,
    Need, OneWay, Order, Outcome, OutcomeAction, Picklist, PicklistElse, Plan, Related, Rule, RuleElse, Rung,
    Situation, Slot, Sought, Sync, TargetField, Test, TestOp, Trigger, TwoWay, WhenWritten, WithKind,
};
pub use trigger::Start;
pub use watch::{Parent, Watched};
