//! What the store remembers about pairs of records.

use crate::eval::Answer;
use crate::store::{Store, StoreError};
use crate::types::LinkRequest;

/// The links of one pair of portal and org.
#[derive(Clone, Copy)]
pub struct Memory<'m> {
    /// Where they are kept.
    pub store: &'m dyn Store,
    /// The pair, as the configuration names it.
    pub pair: &'m str,
}

impl Memory<'_> {
    /// The counterparts of records.
    pub(super) async fn links(&self, request: &LinkRequest) -> Result<Answer, StoreError> {
        self.store.counterparts(self.pair, request).await.map(Answer::Links)
    }
}

impl std::fmt::Debug for Memory<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("pair", &self.pair).finish_non_exhaustive()
    }
}
