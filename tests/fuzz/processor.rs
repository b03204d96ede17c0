//! Processor time, which other programs on the machine do not lengthen.

use std::fs;
use std::time::{Duration, Instant};

/// What a piece of work gives, and how long this thread's processor was at it. Linux says so; elsewhere it is the time on the
/// wall.
#[expect(clippy::disallowed_methods, reason = "a measurement")]
pub(crate) fn time<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let (start, wall) = (spent(), Instant::now());
    let result = what();
    let time = spent().zip(start).map_or_else(|| wall.elapsed(), |(end, start)| end.saturating_sub(start));
    (result, time)
}

/// What the kernel says of this thread, in nanoseconds (`Documentation/scheduler/sched-stats.rst`).
fn spent() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
