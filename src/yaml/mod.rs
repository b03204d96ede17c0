//! YAML whose every key and value knows its place, and typed reading that reports all mistakes of a file.
//!
//! `saphyr-parser` gives the structure with places, which `serde_yaml` cannot; what a plain scalar means (text, a
//! number, a truth value, nothing) is asked of `serde_yaml`, so that all YAML of a project follows one reading.
//! A file is bounded before anything is built from it: by size in the caller, by depth here, and by refusing anchors
//! and aliases, so that no small file can become a large one.

mod parse;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use parse::{Entry, Kind, Node, parse};
pub(crate) use read::{Keys, Problems};
