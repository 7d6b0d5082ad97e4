//! What somebody subscribes to, and how it is delivered.

use std::{num::NonZeroUsize, time::Duration};

use panotti_sdk::Filter;

/// A durable subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Its durable name: 1 to 64 of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Which events it wants.
    pub filter: Filter,
    /// The named filter that they have to pass too, as it is when the subscription begins to run.
    pub named_filter: Option<String>,
    /// Where it begins when it has never run.
    pub start: Start,
    /// Most deliveries at once.
    pub max_concurrent_tasks: NonZeroUsize,
    /// A delivery that takes longer has failed.
    pub timeout: Duration,
    /// What happens to one that failed.
    pub retry: RetryPolicy,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// With what happens from now on.
    #[default]
    Now,
    /// With the oldest event that the log still has.
    Beginning,
}

/// When a delivery that failed is tried again: after `base` × 2ⁿ, at most `max`, of which a random half
/// is taken away ("equal jitter").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub retries: u32,
    /// Wait before the first of them.
    pub base: Duration,
    /// Longest wait.
    pub max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 3, base: Duration::from_secs(1), max: Duration::from_secs(60) }
    }
}

/// No policy makes anybody wait longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl RetryPolicy {
    /// Longest wait.
    pub(super) fn longest(&self) -> Duration {
        self.max.min(LONGEST)
    }

    /// The wait after `failed` attempts (1 or more); `random` is any number.
    pub(super) fn delay(&self, failed: u32, random: u64) -> Duration {
        let doubled = self.base.saturating_mul(1 << failed.saturating_sub(1).min(30)).min(self.longest());
        let half = doubled / 2;
        // 53 bits are what fits a float exactly.
        half + half.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

impl Subscription {
    /// Whether `name` may be a subscription's.
    pub(super) fn is_name(name: &str) -> bool {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        (1..=64).contains(&name.len()) && name.bytes().all(allowed)
    }

    /// A subscription with the defaults: from now on, 4 at once, 30 s each, 3 retries.
    pub fn new(name: &str, filter: Filter) -> Self {
        Self {
            name: name.to_owned(),
            filter,
            named_filter: None,
            start: Start::Now,
            max_concurrent_tasks: const { NonZeroUsize::new(4).unwrap() },
            timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
        }
    }
}
