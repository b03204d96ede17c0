//! How many inputs the property tests make up, and from what.

use proptest::prelude::*;

/// Tapes of at most this length.
pub(crate) fn tapes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=length)
}

/// As many cases as `PROPTEST_CASES` says, otherwise a few: the long runs are by hand.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}
