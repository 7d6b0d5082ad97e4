//! The names of the core's own events. Owns the list; what each one carries is said where it is published.

use crate::EventName;

/// A recording began: by this box or by a client.
pub const RECORDING_STARTED: EventName = EventName::from_static("recording.started");
/// Nothing is kept until it is resumed.
pub const RECORDING_PAUSED: EventName = EventName::from_static("recording.paused");
/// It goes on.
pub const RECORDING_RESUMED: EventName = EventName::from_static("recording.resumed");
/// Its audio is complete.
pub const RECORDING_ENDED: EventName = EventName::from_static("recording.ended");
/// Title, attendees or metadata were changed.
pub const RECORDING_UPDATED: EventName = EventName::from_static("recording.updated");
/// It and its files are gone.
pub const RECORDING_DELETED: EventName = EventName::from_static("recording.deleted");
/// Something was said just now.
pub const CAPTION_PUBLISHED: EventName = EventName::from_static("caption.published");
/// Captions were left out because the box was behind; the final pass writes them down.
pub const CAPTION_SKIPPED: EventName = EventName::from_static("caption.skipped");
/// A recording was written down.
pub const TRANSCRIPTION_COMPLETED: EventName = EventName::from_static("transcription_local.completed");
/// A recording could not be written down.
pub const TRANSCRIPTION_ERROR: EventName = EventName::from_static("transcription_local.error");
/// The microphone runs.
pub const CAPTURE_OPENED: EventName = EventName::from_static("capture.opened");
/// The microphone is gone and is being looked for.
pub const CAPTURE_LOST: EventName = EventName::from_static("capture.lost");
/// The device had more than its buffer holds.
pub const CAPTURE_OVERRUN: EventName = EventName::from_static("capture.overrun");
/// The source has no more.
pub const CAPTURE_ENDED: EventName = EventName::from_static("capture.ended");
/// The model is ready.
pub const MODEL_LOADED: EventName = EventName::from_static("model.loaded");
/// The model cannot be used.
pub const MODEL_FAILED: EventName = EventName::from_static("model.failed");
/// The service runs.
pub const SYSTEM_STARTED: EventName = EventName::from_static("system.started");
/// The service stops.
pub const SYSTEM_STOPPED: EventName = EventName::from_static("system.stopped");
/// A subscription gave an event up; it can be replayed.
pub const SUBSCRIPTION_DEAD_LETTERED: EventName = EventName::from_static("subscription.dead_lettered");
/// Events are delivered again.
pub const REPLAY_STARTED: EventName = EventName::from_static("replay.started");
/// All of them were.
pub const REPLAY_COMPLETED: EventName = EventName::from_static("replay.completed");
/// Somebody ended it before.
pub const REPLAY_STOPPED: EventName = EventName::from_static("replay.stopped");
