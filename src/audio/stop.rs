//! How a source's thread is told to end. Owns the flag and sleeping that it ends; leaves joining to the
//! handle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Set once. Whoever sets it unparks the thread, so that `sleep` ends at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the thread to end.
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the thread is to end.
    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps until `deadline` or until asked to end; whether it was asked.
    pub(crate) fn sleep_until(&self, deadline: Instant) -> bool {
        while !self.requested() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left);
        }
        true
    }

    /// Sleeps for `duration` or until asked to end; whether it was asked.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        self.sleep_until(Instant::now() + duration)
    }
}
