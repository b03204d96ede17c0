//! Proves a project against both snapshots: resolves every name, then types every expression.
//!
//! [`check`] takes the trees and the schemas and gives all findings of all files at once, in source order, and, when
//! none of them is an error, the [`Checked`] project from which alone a plan can be built. Pure.

pub mod typed;

pub use typed::{Checked, Project};
