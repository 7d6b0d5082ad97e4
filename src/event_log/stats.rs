//! How the log does. Owns counting commits and what can be asked about them; leaves showing it to others.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Error, EventLog, writer};
use crate::config::Durability;

/// Over how long the rate is taken, s.
const WINDOW: usize = 60;

/// How the log does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogStats {
    /// Batches that wait to be written.
    pub queue_depth: usize,
    /// Batches that may wait; publishers wait beyond that.
    pub queue_limit: usize,
    /// Events stored since this process opened the log.
    pub events: u64,
    /// Transactions since then.
    pub commits: u64,
    /// Events stored in the last minute, per second.
    pub events_per_second: f64,
    /// When the last transaction was on disk.
    pub last_commit: Option<Timestamp>,
    /// How long it took, from its first entry on, ms.
    pub last_commit_ms: Option<f64>,
    /// Bytes of the file that hold something.
    pub bytes_used: u64,
    /// Length of the file; what is more than used is free for what comes, or a hole that takes no room.
    pub bytes_file: u64,
    /// `seq` of the oldest event that is kept; that of the next event when there is none.
    pub first_seq: u64,
    /// `seq` of the newest event, 0 when there never was one.
    pub last_seq: u64,
    /// What an acknowledged event has survived.
    pub durability: Durability,
}

/// Written once per commit.
#[derive(Debug)]
pub(super) struct Counters {
    opened: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    events: u64,
    commits: u64,
    last: Option<(Timestamp, Duration)>,
    /// A second since opening and the events stored in it, by the second's place in the window.
    seconds: [(u64, u64); WINDOW],
}

impl Default for Counters {
    fn default() -> Self {
        let counts = Counts { events: 0, commits: 0, last: None, seconds: [(0, 0); WINDOW] };
        Self { opened: Instant::now(), counts: Mutex::new(counts) }
    }
}

impl Counters {
    /// `events` more are on disk, after `took`.
    pub(super) fn committed(&self, events: u64, took: Duration) {
        let second = self.opened.elapsed().as_secs();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.events += events;
        counts.commits += 1;
        counts.last = Some((Timestamp::now(), took));
        let place = &mut counts.seconds[second as usize % WINDOW];
        *place = (second, events + if place.0 == second { place.1 } else { 0 });
    }
}

impl EventLog {
    /// How the log does.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn stats(&self) -> Result<LogStats, Error> {
        let (queue_depth, queue_limit) = self
            .jobs()
            .map_or((0, writer::QUEUE), |jobs| (jobs.max_capacity() - jobs.capacity(), jobs.max_capacity()));
        let (bytes_used, first_seq, last_seq) = self.reading(|store, txn| {
            let failed = |source| store.read_error(source);
            let next = store.next_seq(txn).map_err(failed)?;
            let first = store.first_seq(txn).map_err(failed)?;
            Ok((store.bytes_used(txn).map_err(failed)?, first, next - 1))
        })?;
        let counters = &self.inner.counters;
        let age = counters.opened.elapsed();
        let counts = counters.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = counts.seconds.iter().filter(|(second, _)| second + WINDOW as u64 > age.as_secs());
        let window = age.as_secs_f64().clamp(1.0, WINDOW as f64);
        Ok(LogStats {
            queue_depth,
            queue_limit,
            events: counts.events,
            commits: counts.commits,
            events_per_second: recent.map(|(_, events)| events).sum::<u64>() as f64 / window,
            last_commit: counts.last.map(|(at, _)| at),
            last_commit_ms: counts.last.map(|(_, took)| took.as_secs_f64() * 1e3),
            bytes_used,
            bytes_file: self.inner.store.bytes_file().map_err(|e| self.inner.store.read_error(e))?,
            first_seq,
            last_seq,
            durability: self.inner.settings.durability,
        })
    }
}
