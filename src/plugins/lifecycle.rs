//! The states of a plugin's life and how they follow each other. Owns the rule; pure.
//!
//! ```text
//! discovered ─▶ configured ─▶ starting ─▶ running ⇄ degraded
//!      │             │            │           │        │
//!      │             │            ▼           ▼        ▼
//!      └──▶ failed ◀─┴─────────(failed)     stopping ─▶ stopped
//!      └──▶ disabled
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where in its life a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is in the binary.
    Discovered,
    /// Its settings fit.
    Configured,
    /// It gets ready.
    Starting,
    /// It gets events.
    Running,
    /// It gets events and does a part of its work.
    Degraded,
    /// It gets no new events and puts its things in order.
    Stopping,
    /// It does not run; it may be started.
    Stopped,
    /// It cannot run.
    Failed,
    /// It is not to run.
    Disabled,
}

/// A step from one state to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// From where.
    pub from: State,
    /// To where.
    pub to: State,
    /// Why, for a person.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}
