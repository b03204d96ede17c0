//! In a burst, records wait a little for one another, so that they share their calls.
//!
//! A change that comes alone is worked on almost at once. The more records have come shortly after one another, the
//! longer it is worth waiting for the next: a thousand contacts that a workflow changes within a minute then cost as
//! many calls as if they had changed at the same time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::Parts;

/// The wait for each record that is there, and the longest one.
const STEP: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(3);

/// How much longer to wait, when so many records are due of those that a batch takes, the last of them has come so long
/// ago, and the first was seen so long ago; `None` to begin.
fn wait(due: u32, limit: u32, quiet: Duration, waited: Duration, longest: Duration) -> Option<Duration> {
    if due == 0 || due >= limit {
        return None;
    }
    let patience = STEP.saturating_mul(due).min(PATIENCE);
    let left = patience.checked_sub(quiet)?.min(longest.checked_sub(waited)?);
    (!left.is_zero()).then_some(left)
}

/// Waits until a batch is worth beginning. Cancellation: nothing is held.
pub(super) async fn gather(
    parts: &Parts,
    limit: u32,
    wakes: &mut watch::Receiver<u64>,
    stop: &mut watch::Receiver<bool>,
) {
    let longest = parts.settings.gather;
    let begun = parts.clock.now();
    let (mut known, mut grown) = (0, begun);
    while !longest.is_zero() && !*stop.borrow() {
        wakes.mark_unchanged();
        let now = parts.clock.now();
        // A store that fails is reported where lanes are leased.
        let Ok(due) = parts.store.due(&parts.pair, now, limit).await else { return };
        if due > known {
            (known, grown) = (due, now);
        }
        let Some(wait) = wait(due, limit, since(grown, now), since(begun, now), longest) else { return };
        tokio::select! {
            _ = wakes.changed() => {}
            () = parts.clock.sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn since(then: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - then).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(30);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_record_alone_waits_a_moment_and_many_wait_longer() {
        assert_eq!(wait(0, 1_000, ms(0), ms(0), LONGEST), None, "there is nothing to wait for");
        assert_eq!(wait(1, 1_000, ms(0), ms(0), LONGEST), Some(ms(200)));
        assert_eq!(wait(1, 1_000, ms(200), ms(200), LONGEST), None);
        assert_eq!(wait(4, 1_000, ms(200), ms(300), LONGEST), Some(ms(600)));
        assert_eq!(wait(900, 1_000, ms(0), ms(0), LONGEST), Some(ms(3_000)));
    }

    #[test]
    fn a_full_batch_begins_and_none_waits_for_ever() {
        assert_eq!(wait(1_000, 1_000, ms(0), ms(0), LONGEST), None);
        assert_eq!(wait(1, 1, ms(0), ms(0), LONGEST), None, "a CRM that was paused is tried with one record");
        assert_eq!(wait(900, 1_000, ms(0), ms(29_500), LONGEST), Some(ms(500)));
        assert_eq!(wait(900, 1_000, ms(0), ms(30_000), LONGEST), None);
    }
}
