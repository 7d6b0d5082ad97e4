//! What can go wrong with the bus.

use crate::event_log;

/// What went wrong with the bus.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log said no.
    #[error("the event log does not take it")]
    Log(#[from] event_log::Error),
    /// The name cannot be a subscription's.
    #[error("`{0}` is no name for a subscription: use 1 to 64 of a-z, 0-9, _ and -")]
    Name(String),
    /// A second handler for the same subscription.
    #[error("the subscription `{0}` is running already")]
    Running(String),
    /// No such subscription.
    #[error("there is no subscription `{0}`")]
    UnknownSubscription(String),
    /// No such named filter.
    #[error("there is no filter `{0}`: make it with `POST /events/filter`")]
    UnknownFilter(String),
    /// No such dead letter.
    #[error("there is no dead letter of event {seq} for `{subscription}`")]
    UnknownDeadLetter {
        /// The subscription.
        subscription: String,
        /// The event's `seq`.
        seq: u64,
    },
    /// No such replay.
    #[error("there is no replay `{0}`")]
    UnknownReplay(uuid::Uuid),
    /// The replay cannot be done.
    #[error("{0}")]
    Replay(String),
    /// What is stored about a subscription, dead letter or replay is not what was stored.
    #[error("what is stored about {what} is damaged: restore a backup")]
    Damaged {
        /// What it is.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// The row `key` of a `kind` of things is not what was stored.
    pub(super) fn damaged(
        kind: &str,
        key: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged { what: format!("the {kind} `{key}`"), source: source.into() }
    }
}
