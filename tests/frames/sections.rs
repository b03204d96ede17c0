//! How the files of the suite are divided.

/// Begins a section of the suite.
pub(crate) const SECTION: &str = "#=== ";

/// Separates the part of a section that stands in its frame from items beside the frame.
pub(crate) const BESIDE: &str = "#--- ";

/// Begins a line of an expectation.
pub(crate) const EXPECT: &str = "#~";
