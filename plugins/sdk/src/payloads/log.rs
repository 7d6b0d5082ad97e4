//! What the events about events carry: dead letters, replays, retention, copies of the log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A subscription could not handle an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLettered {
    /// Whose dead letter it is.
    pub subscription: String,
    /// The event.
    pub event_id: Uuid,
    /// Its name.
    pub event_name: String,
    /// Its place in the log.
    pub seq: u64,
    /// The last error.
    pub error: String,
}

/// How far a replay is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayProgress {
    /// The replay.
    pub replay_id: Uuid,
    /// Whether only dead letters are delivered again.
    pub dead_letters: bool,
    /// The only subscription that they are delivered to; `null` for all that want them.
    pub subscription: Option<String>,
    /// Deliveries that went well so far.
    pub delivered: u64,
    /// Deliveries that ended as dead letters so far.
    pub failed: u64,
    /// No event above this place in the log belongs to it.
    pub until: u64,
}

/// Old events were removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetentionPruned {
    /// How many.
    pub events: u64,
    /// Place of the oldest event that is left.
    pub first_seq: u64,
}

/// Events were removed that a subscription had not handled, because the log was too large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetentionForced {
    /// Place of the first of them.
    pub first_seq: u64,
    /// Place of the last of them.
    pub last_seq: u64,
    /// How many.
    pub events: u64,
    /// The subscriptions that had not handled them.
    pub subscriptions: Vec<String>,
}

/// A copy of the log was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupCompleted {
    /// The copy's name.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// Place of the newest event in it.
    pub last_seq: u64,
    /// How long it took, ms.
    pub duration_ms: u64,
}

/// A copy of the log could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupFailed {
    /// Why, and what to do.
    pub error: String,
}
