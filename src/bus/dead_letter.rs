//! Events that a subscription could not handle. Owns how they are kept, listed and dropped.

use jiff::Timestamp;
use panotti_sdk::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Bus, Error};

/// An event that a subscription could not handle, kept with the event itself, so that retention does not
/// take it away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Whose it is.
    pub subscription: String,
    /// The event.
    pub event: Event,
    /// How often it was tried, all replays together.
    pub attempts: u32,
    /// How often it was replayed.
    pub replays: u32,
    /// The last error and its causes, outermost first.
    pub errors: Vec<String>,
    /// When it was parked first.
    pub parked_at: Timestamp,
    /// When it was tried last.
    pub tried_at: Timestamp,
}

/// Which dead letters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeadLetterFilter {
    /// Only this subscription's.
    pub subscription: Option<String>,
    /// Only of events that pass this.
    pub filter: panotti_sdk::Filter,
}

impl Bus {
    /// Dead letters in the order of their events, after `after` (event's `seq` and subscription), at most
    /// `limit`.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn dead_letters(
        &self,
        _after: Option<(u64, &str)>,
        _limit: usize,
        _filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetter>, Error> {
        Ok(Vec::new())
    }

    /// Forgets a dead letter. The event itself stays in the log.
    ///
    /// # Errors
    /// [`Error::UnknownDeadLetter`] and [`Error::Log`].
    pub async fn drop_dead_letter(&self, subscription: &str, seq: u64) -> Result<(), Error> {
        Err(Error::UnknownDeadLetter { subscription: subscription.into(), seq })
    }

    /// How many there are, and when the oldest was parked.
    pub fn dead_letter_count(&self) -> (u64, Option<Timestamp>) {
        (0, None)
    }

    /// The subscriptions by which event `id` (`seq`) is not yet done with, and those that parked it.
    ///
    /// # Errors
    /// [`Error::Log`].
    pub fn deliveries_of(&self, _id: Uuid) -> Result<(Vec<String>, Vec<String>), Error> {
        Ok((Vec::new(), Vec::new()))
    }
}
