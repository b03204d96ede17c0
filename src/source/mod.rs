//! Source files, spans and line numbers; and the names of the two CRMs, which everything shares.
//!
//! A [`Span`] is a byte range of one file; every node of every tree carries one, so that each diagnostic and each
//! written value can name its file and line. Files are held whole in memory and never change after loading.

mod files;
mod side;

pub use files::{FileId, Location, SourceFile, Sources, Span, Spanned};
pub use side::{ObjectName, Side};
