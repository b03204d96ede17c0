//! How far a load is: one line that is drawn again on a terminal, a line from time to time elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::output::Output;
use super::super::parts;
use crate::runtime::Progress;

/// How often the line is drawn again, and how often a log gets a line.
const REDRAW: TimeDelta = TimeDelta::milliseconds(100);
const LINE: TimeDelta = TimeDelta::seconds(10);

/// Characters of the bar itself.
const WIDTH: u64 = 24;

/// A bar.
pub(super) struct Bar {
    total: Option<u64>,
    terminal: bool,
    output: Output,
    last: Mutex<DateTime<Utc>>,
}

impl Bar {
    /// A bar for so many records, where that is known.
    pub(super) fn new(total: Option<u64>, output: Output) -> Self {
        let terminal = std::io::stderr().is_terminal() && !output.is_quiet();
        Self { total, terminal, output, last: Mutex::new(parts::now()) }
    }

    /// Shows how far it is, where enough time has passed.
    pub(super) fn show(&self, progress: &Progress) {
        let now = parts::now();
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if now - *last < if self.terminal { REDRAW } else { LINE } {
                return;
            }
            *last = now;
        }
        let line = line(self.total, progress);
        if self.terminal {
            // To the beginning of the line, and what is left of the last one is erased.
            let _ = write!(std::io::stderr().lock(), "\r{line}\u{1b}[K");
        } else {
            self.output.note(&line);
        }
    }

    /// Leaves an empty line to whatever comes next.
    pub(super) fn end(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn line(total: Option<u64>, progress: &Progress) -> String {
    let counts = &progress.counts;
    let parked = if counts.parked > 0 { format!(", {} parked", counts.parked) } else { String::new() };
    match total.filter(|total| *total > 0) {
        None => format!("{} records{parked}", counts.records),
        Some(total) => {
            // Records may have come since they were counted.
            let done = counts.records.min(total);
            let filled = done * WIDTH / total;
            let bar: String = (0..WIDTH).map(|place| if place < filled { '#' } else { '.' }).collect();
            format!("[{bar}] {:>3} %  {} of {total} records{parked}", done * 100 / total, counts.records)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Counts;

    fn at(records: u64, parked: u64) -> Progress {
        Progress { counts: Counts { records, parked, ..Counts::default() }, ..Progress::default() }
    }

    #[test]
    fn the_line_says_how_far_it_is() {
        assert_eq!(line(Some(200), &at(50, 0)), "[######..................]  25 %  50 of 200 records");
        assert_eq!(
            line(Some(200), &at(201, 2)),
            "[########################] 100 %  201 of 200 records, 2 parked"
        );
        assert_eq!(line(None, &at(7, 0)), "7 records");
        assert_eq!(line(Some(0), &at(0, 0)), "0 records");
    }
}
