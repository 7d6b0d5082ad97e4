//! What stands in line in a subscription, and what others ask of it. Owns the types.

use std::sync::Arc;

use panotti_sdk::{Delivery, Event};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// What others ask of a running subscription.
#[derive(Debug)]
pub(super) enum Command {
    /// Deliver these again, after the batches up to `after`.
    Replay { id: Uuid, after: u64, events: Vec<Arc<Event>>, report: mpsc::UnboundedSender<Report> },
    /// Begin none of a replay's deliveries any more.
    StopReplay(Uuid),
    /// Forget a replay.
    EndReplay(Uuid),
    /// Remove a dead letter.
    DropDeadLetter { seq: u64, reply: oneshot::Sender<()> },
}

/// A replayed delivery is settled, and that is on disk.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) seq: u64,
    /// Whether it was handled.
    pub(super) well: bool,
}

/// What waits in line.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) event: Arc<Event>,
    pub(super) failed: u32,
    pub(super) replay: Option<Again>,
}

/// To which replay an item belongs. Dropped without a report, it was not settled.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) id: Uuid,
    pub(super) report: mpsc::UnboundedSender<Report>,
}

impl Item {
    pub(super) fn delivery(&self) -> Delivery {
        let mut event = Arc::clone(&self.event);
        let replay = self.replay.as_ref().map(|again| again.id);
        if let Some(id) = replay {
            let metadata = &mut Arc::make_mut(&mut event).context.metadata;
            metadata.insert("replay".into(), Value::String(id.to_string()));
        }
        Delivery { event, attempt: self.failed + 1, replay }
    }
}
