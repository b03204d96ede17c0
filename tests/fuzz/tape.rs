//! Random bytes that choices are read from.

/// Choices, one byte each. After the last byte every choice is the first, which is always the simplest.
pub(crate) struct Tape<'b> {
    bytes: std::slice::Iter<'b, u8>,
}

impl<'b> Tape<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    /// Whether all choices are made.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == 0
    }

    /// A number below this one, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let byte = usize::from(self.bytes.next().copied().unwrap_or(0));
        if end <= 256 {
            return byte % end;
        }
        let (high, low) = (self.bytes.next().copied().unwrap_or(0), self.bytes.next().copied().unwrap_or(0));
        ((byte << 16) | (usize::from(high) << 8) | usize::from(low)) % end
    }

    /// Happens once in so many times; never at the end of the tape.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
