//! The lines of an input, many at a time and in bounded memory.

use std::io::Read;

/// A record of either CRM is far smaller; a longer line is no NDJSON.
pub(super) const MAX_LINE: usize = 4 * 1024 * 1024;

/// What is read at once: large enough that a call of the system costs nothing, small enough to stay in a cache.
const READ: usize = 64 * 1024;

/// Reads lines from an input.
pub(super) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// The part of the buffer that was read and not given yet.
    from: usize,
    to: usize,
    /// Whether the line at hand is too long, so that the rest of it is forgotten.
    skipping: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'l> {
    /// Whole lines with their ends; only the very last may be without.
    Lines(&'l [u8]),
    /// One line that is longer than [`MAX_LINE`].
    TooLong,
}

impl<R: Read> LineReader<R> {
    /// Reads from here.
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; READ], from: 0, to: 0, skipping: false }
    }

    /// All whole lines that one read gives, so that whoever writes a line and waits is answered; `None` at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Piece<'_>>> {
        loop {
            let unsearched = self.make_room();
            let read = match self.input.read(&mut self.buffer[self.to..]) {
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.to += read;
            if self.skipping {
                let end = memchr::memchr(b'\n', &self.buffer[..self.to]);
                self.skipping = end.is_none();
                self.from = end.map_or(self.to, |end| end + 1);
                if read == 0 {
                    return Ok(None);
                }
                if self.skipping || self.from == self.to {
                    continue;
                }
            }
            let from = self.from;
            let end = memchr::memrchr(b'\n', &self.buffer[unsearched.max(from)..self.to]);
            if let Some(end) = end {
                self.from = unsearched.max(from) + end + 1;
                return Ok(Some(Piece::Lines(&self.buffer[from..self.from])));
            }
            if read == 0 {
                self.from = self.to;
                return Ok((from < self.to).then_some(Piece::Lines(&self.buffer[from..self.to])));
            }
            if self.to - from > MAX_LINE {
                self.skipping = true;
                self.from = self.to;
                return Ok(Some(Piece::TooLong));
            }
        }
    }

    /// Moves what is left to the front, and grows where one line fills the buffer; how much was searched for its end.
    fn make_room(&mut self) -> usize {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        if self.to == self.buffer.len() {
            self.buffer.resize((self.to * 2).min(MAX_LINE + 1), 0);
        }
        self.to
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{LineReader, MAX_LINE, Piece};

    /// Gives at most so many bytes at once.
    struct Slow<'b>(&'b [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(buffer.len());
            self.0.read(&mut buffer[..length])
        }
    }

    /// The lengths of the lines, `None` for one that is too long.
    fn lengths(input: &[u8], at_once: usize) -> Vec<Option<usize>> {
        let mut reader = LineReader::new(Slow(input, at_once));
        let mut found = Vec::new();
        while let Some(piece) = reader.next().unwrap() {
            match piece {
                Piece::Lines(lines) => {
                    found.extend(lines.split_inclusive(|byte| *byte == b'\n').map(|line| Some(line.len())));
                }
                Piece::TooLong => found.push(None),
            }
        }
        found
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let input = b"ab\n\nlonger line\nlast";
        for at_once in [1, 2, 3, 7, 1000] {
            assert_eq!(lengths(input, at_once), [Some(3), Some(1), Some(12), Some(4)], "{at_once}");
        }
        assert_eq!(lengths(b"", 8), []);
        assert_eq!(lengths(b"\n", 8), [Some(1)]);
    }

    #[test]
    fn a_long_line_is_forgotten_and_the_next_is_found() {
        for at_once in [1000, 100_000, usize::MAX] {
            let mut input = vec![b'x'; MAX_LINE - 1];
            input.extend(b"\nnext\n");
            assert_eq!(lengths(&input, at_once), [Some(MAX_LINE), Some(5)], "{at_once}");
            let mut input = vec![b'x'; 3 * MAX_LINE];
            assert_eq!(lengths(&input, at_once), [None], "{at_once}");
            input.extend(b"\n\nnext");
            assert_eq!(lengths(&input, at_once), [None, Some(1), Some(4)], "{at_once}");
        }
    }

    #[test]
    fn a_long_line_takes_no_more_memory_than_the_limit() {
        let mut reader = LineReader::new(std::io::repeat(b'x').take(20 * MAX_LINE as u64));
        while reader.next().unwrap().is_some() {}
        assert!(reader.buffer.capacity() <= 2 * MAX_LINE, "{}", reader.buffer.capacity());
    }
}
