//! A recording as data. Owns its fields and states; the rules for changing them are in the parent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a recording is in its life; the drawing is in the parent module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Audio is being kept.
    Recording,
    /// Nothing is kept until it is resumed.
    Paused,
    /// Files are being closed.
    Stopping,
    /// The final pass runs or waits.
    Transcribing,
    /// Everything is there.
    Done,
    /// `error` says why; what there is, is kept.
    Failed,
}

/// Who made the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This box.
    Device,
    /// A client, by the original's API.
    Client,
}

/// One track of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Track {
    /// Speaker label of the whole track; `None` when channels carry labels or nobody said.
    pub label: Option<String>,
    /// WAV file below `recordings_dir`, or the recording's own folder when it ends in `/`.
    pub path: String,
}

/// One meeting's recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// `YYYYMMDDHHMMSS_XXXXXXXX` (UTC and 8 hex digits), or what a client chose.
    pub id: String,
    /// Where it is in its life.
    pub state: State,
    /// What the meeting is called.
    pub title: String,
    /// Who takes part.
    pub attendees: Vec<String>,
    /// Whatever else is known.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// The same in all events of this meeting.
    pub correlation_id: Uuid,
    /// Who made the audio.
    pub origin: Origin,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Length of the audio, ms; pauses do not count.
    pub duration_ms: u64,
    /// A crash or power cut ended it.
    pub interrupted: bool,
    /// Why it failed, or what was lost, and what to do.
    pub error: Option<String>,
    /// Labels of its channels.
    pub labels: Vec<String>,
    /// Its audio.
    pub tracks: Vec<Track>,
}

/// What a new recording is given.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewRecording {
    /// At most 300 characters; the date when empty.
    pub title: String,
    /// Names or e-mail addresses, at most 200.
    pub attendees: Vec<String>,
    /// Whatever else is known, at most 64 KiB.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// What may be changed afterwards; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Patch {
    /// New title.
    pub title: Option<String>,
    /// New attendees.
    pub attendees: Option<Vec<String>>,
    /// Keys to set; `null` removes one.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}
