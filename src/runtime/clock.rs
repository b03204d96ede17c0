//! The only place that reads a clock or draws a random number.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

/// Tells the time, waits, and spreads waits.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present.
    fn now(&self) -> DateTime<Utc>;

    /// Waits. Cancellation: may be dropped at any time.
    async fn sleep(&self, time: Duration);

    /// A number from 0 up to 1, so that those who failed together do not come back together.
    fn jitter(&self) -> f64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[expect(clippy::disallowed_methods, reason = "this is where randomness begins")]
    fn jitter(&self) -> f64 {
        rand::random()
    }
}

/// A clock that moves only when it is told to, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<DateTime<Utc>>,
    moved: Notify,
}

impl ManualClock {
    /// Makes a clock that stands at a time.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now), moved: Notify::new() }
    }

    /// Moves it on and ends the waits that are over.
    pub fn advance(&self, time: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += time;
        self.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, time: Duration) {
        let until = self.now() + time;
        loop {
            // Registered before the look at the time, so that a move between the two is not missed.
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.now() >= until {
                return;
            }
            moved.await;
        }
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}
