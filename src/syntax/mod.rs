//! From text to tree: the private pest parser, the [`ast`], lowering, recovery and comments.
//!
//! Parsing never fails as a whole: [`parse`] returns the tree of what could be read and the findings about the rest.
//! A broken item hides nothing in the others. pest's types never leave this folder.

pub mod ast;
