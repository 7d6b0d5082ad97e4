//! Removing old events. Owns which may go, and telling of it; leaves how to the log.
//!
//! An event goes when it is older than `events.retention_days`, or while the log uses more than
//! `events.retention_mib`, but not before every subscription is done with it. Beyond
//! `events.hard_limit_mib` the oldest go all the same, and `retention.forced` says whose they were.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use panotti_sdk::{
    EventType, NewEvent, names,
    payloads::{self, Payload},
};

use super::Error;
use crate::{
    bus::Bus,
    config,
    event_log::{Batch, CAPACITY, EventLog, Prune},
};

/// Part of a limit that is left when it was exceeded, in percent: so that not every event removes another.
const LEFT_PERCENT: u64 = 95;
/// Part of the log's address space that it may use, in percent: a transaction in progress needs some.
const USABLE_PERCENT: u64 = 75;
/// `retention.pruned` is published no more often than this.
const TELL_EVERY: Duration = Duration::from_secs(60 * 60);
/// Events removed between two looks at whether to stop.
const SLICE: u64 = 4096;

/// What is kept, and what went.
#[derive(Debug)]
pub(super) struct Retention {
    log: EventLog,
    bus: Bus,
    age: SignedDuration,
    /// Bytes; what subscriptions have not seen is kept beyond it.
    limit: u64,
    /// Bytes.
    hard_limit: u64,
    /// Events removed and not told of.
    untold: u64,
    told: Option<Instant>,
}

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) now: Timestamp,
    /// Without this, no event is judged by its age.
    pub(super) is_synchronised: bool,
}

impl Retention {
    pub(super) fn new(events: &config::Events, log: EventLog, bus: Bus) -> Self {
        let usable = CAPACITY / 100 * USABLE_PERCENT;
        let bytes = |mib: u64| (mib << 20).min(usable);
        Self {
            log,
            bus,
            age: SignedDuration::from_hours(24 * i64::from(events.retention_days)),
            limit: bytes(events.retention_mib),
            hard_limit: bytes(events.hard_limit_mib),
            untold: 0,
            told: None,
        }
    }

    /// Removes what may go, until `stopping`.
    pub(super) fn run(&mut self, clock: Clock, stopping: &dyn Fn() -> bool) -> Result<(), Error> {
        // Without a subscription, nobody waits for anything.
        let seen = self.bus.low_watermark()?.map_or(u64::MAX, |seq| seq.saturating_add(1));
        if clock.is_synchronised
            && let Ok(since) = clock.now.checked_sub(self.age)
        {
            let young = self.log.first_seq_since(since, clock.now)?;
            self.untold += self.remove(young.min(seen), None, stopping)?;
        }
        if self.log.stats()?.bytes_used > self.limit {
            self.untold += self.remove(seen, Some(left(self.limit)), stopping)?;
        }
        if self.log.stats()?.bytes_used > self.hard_limit {
            self.force(stopping)?;
        }
        self.tell()
    }

    /// Removes the oldest events before `before_seq`; how many went.
    fn remove(
        &self,
        before_seq: u64,
        down_to_bytes: Option<u64>,
        stopping: &dyn Fn() -> bool,
    ) -> Result<u64, Error> {
        let (mut events, mut first) = (0, self.log.stats()?.first_seq);
        while first < before_seq && !stopping() {
            let slice = before_seq.min(first + SLICE);
            let pruned = self.log.prune(Prune { before_seq: slice, down_to_bytes })?;
            (events, first) = (events + pruned.events, pruned.first_seq);
            if first < slice {
                break;
            }
        }
        Ok(events)
    }

    /// Removes the oldest events, seen or not, and says whose they were.
    fn force(&mut self, stopping: &dyn Fn() -> bool) -> Result<(), Error> {
        let from = self.log.stats()?.first_seq;
        let subscriptions = self.bus.subscriptions()?;
        let events = self.remove(u64::MAX, Some(left(self.hard_limit)), stopping)?;
        let last = self.log.stats()?.first_seq - 1;
        let missed: Vec<_> =
            subscriptions.into_iter().filter(|it| it.cursor < last).map(|it| it.name).collect();
        // What is stored of a subscription may lag behind what it has seen.
        if missed.is_empty() {
            self.untold += events;
            return Ok(());
        }
        tracing::warn!(
            events,
            last_seq = last,
            subscriptions = missed.join(", "),
            "The event log is beyond events.hard_limit_mib: events were removed that nobody has handled."
        );
        let payload =
            payloads::RetentionForced { first_seq: from, last_seq: last, events, subscriptions: missed };
        self.publish(names::RETENTION_FORCED, &payload)
    }

    /// Says what went in order, now and then.
    fn tell(&mut self) -> Result<(), Error> {
        if self.untold == 0 || self.told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return Ok(());
        }
        let first_seq = self.log.stats()?.first_seq;
        tracing::debug!(events = self.untold, first_seq, "Old events were removed.");
        self.publish(names::RETENTION_PRUNED, &payloads::RetentionPruned { events: self.untold, first_seq })?;
        (self.untold, self.told) = (0, Some(Instant::now()));
        Ok(())
    }

    fn publish<P: Payload>(&self, name: EventType<P>, payload: &P) -> Result<(), Error> {
        let event = NewEvent::of(name, payload).from_source("core");
        self.log.append_blocking(Batch { events: vec![event], ..Batch::default() })?;
        Ok(())
    }
}

fn left(limit: u64) -> u64 {
    limit / 100 * LEFT_PERCENT
}
