//! Delivering again what was delivered before. Owns choosing, pacing, progress and stopping; the
//! deliveries themselves run in the subscriptions, where they stand in line with the others.

use std::time::Duration;

use jiff::Timestamp;
use panotti_sdk::Filter;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Bus, Error};
use crate::event_log::{EventLog, Table};

/// What to deliver again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// Which events (time, name, correlation id, source, condition), oldest first.
    pub filter: Filter,
    /// Only dead letters; each goes to its own subscription.
    pub dead_letters: bool,
    /// Only to this subscription (a plugin's name); to all that want them when `None`.
    pub subscription: Option<String>,
    /// Events of one batch; the specification's is 100.
    pub batch_size: usize,
    /// Pause between batches; the specification's is 1 s.
    pub interval: Duration,
}

impl Default for ReplayRequest {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            dead_letters: false,
            subscription: None,
            batch_size: 100,
            interval: Duration::from_secs(1),
        }
    }
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// It goes on.
    Running,
    /// Everything was delivered.
    Completed,
    /// Somebody stopped it.
    Stopped,
}

/// A replay and its progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// UUIDv7.
    pub id: Uuid,
    /// What was asked for.
    pub request: ReplayRequest,
    /// How far it is.
    pub state: ReplayState,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Events up to this `seq` are done with.
    pub cursor: u64,
    /// No event above this `seq` belongs to it: what is published later is delivered anyway.
    pub until: u64,
    /// Deliveries that went well.
    pub delivered: u64,
    /// Deliveries that ended as dead letters.
    pub failed: u64,
}

/// The first byte of a row; JSON follows. A new form gets a new version.
const VERSION: u8 = 1;

fn decode(key: &str, row: &[u8]) -> Result<Replay, Error> {
    match row.split_first() {
        Some((&VERSION, json)) => {
            serde_json::from_slice(json).map_err(|source| Error::damaged("replay", key, source))
        }
        _ => Err(Error::damaged("replay", key, "its version is not known")),
    }
}

/// The stored replay called `id`.
pub(super) fn find(log: &EventLog, id: Uuid) -> Result<Option<Replay>, Error> {
    let key = id.to_string();
    log.get(Table::Replays, &key)?.map(|row| decode(&key, &row)).transpose()
}

impl Bus {
    /// Begins a replay. It goes on after a restart.
    ///
    /// # Errors
    /// [`Error::UnknownSubscription`], [`Error::Replay`] when the request makes no sense, [`Error::Log`].
    pub async fn replay(&self, _request: ReplayRequest) -> Result<Replay, Error> {
        Err(Error::Replay("not yet".into()))
    }

    /// Stops a replay after the deliveries that are running.
    ///
    /// # Errors
    /// [`Error::UnknownReplay`] and [`Error::Log`].
    pub async fn stop_replay(&self, id: Uuid) -> Result<Replay, Error> {
        Err(Error::UnknownReplay(id))
    }

    /// The replay called `id`.
    ///
    /// # Errors
    /// [`Error::UnknownReplay`] and [`Error::Log`].
    pub fn get_replay(&self, id: Uuid) -> Result<Replay, Error> {
        Err(Error::UnknownReplay(id))
    }

    /// All replays that are remembered, newest first: those that run and the last 100.
    ///
    /// # Errors
    /// [`Error::Log`].
    pub fn replays(&self) -> Result<Vec<Replay>, Error> {
        Ok(Vec::new())
    }
}
