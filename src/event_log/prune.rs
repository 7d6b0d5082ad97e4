//! Removing the oldest events. Owns doing it in steps small enough that publishers hardly notice; leaves
//! when and how many to `upkeep`.

use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{Error, EventLog, PUT_TIMEOUT, wait, writer::Job};

/// Which events go: the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prune {
    /// Only events before this `seq`.
    pub before_seq: u64,
    /// Only until the log uses no more than this, bytes ([`LogStats::bytes_used`](super::LogStats)).
    pub down_to_bytes: Option<u64>,
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// How many events.
    pub events: u64,
    /// `seq` of the oldest event that is left; that of the next event when none is.
    pub first_seq: u64,
}

/// One transaction's part of it, at most 256 events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) before_seq: u64,
    /// It ends when this many bytes of envelopes went.
    pub(super) bytes: u64,
}

impl EventLog {
    /// Removes events with all that leads to them, at most 256 in a transaction; publishing goes on in
    /// between. Their `seq` are not used again. For ordinary threads.
    ///
    /// # Errors
    /// As [`Self::append`]; what was removed until then stays removed.
    pub fn prune(&self, ask: Prune) -> Result<Pruned, Error> {
        let mut events = 0;
        loop {
            let (first_seq, used) = self.reading(|store, txn| {
                let failed = |source| store.read_error(source);
                Ok((store.first_seq(txn).map_err(failed)?, store.bytes_used(txn).map_err(failed)?))
            })?;
            let bytes = ask.down_to_bytes.map_or(u64::MAX, |most| used.saturating_sub(most));
            if bytes == 0 || first_seq >= ask.before_seq {
                return Ok(Pruned { events, first_seq });
            }
            let step = self.step(Step { before_seq: ask.before_seq, bytes })?;
            events += step.events;
            if step.events == 0 {
                return Ok(Pruned { events, ..step });
            }
        }
    }

    fn step(&self, step: Step) -> Result<Pruned, Error> {
        let place = wait::block_on(self.jobs()?.reserve(), Some(Instant::now() + PUT_TIMEOUT));
        let place = place.ok_or(Error::Backpressure)?.map_err(|_| Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        place.send(Job::Prune { step, reply });
        wait::block_on(answer, None).and_then(Result::ok).unwrap_or(Err(Error::Closed))
    }

    /// `seq` of the first event that stays when all go that were accepted before `time`.
    ///
    /// What was accepted while the clock was wrong goes with what follows it: times later than `now` and
    /// those before there was a Panotti say nothing.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn first_seq_since(&self, time: Timestamp, now: Timestamp) -> Result<u64, Error> {
        self.reading(|store, txn| {
            store.first_seq_since(txn, time, now).map_err(|source| store.read_error(source))
        })
    }
}
