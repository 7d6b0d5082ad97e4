//! What the events of a recording carry, from its start to its transcript.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Completed, Failed};

/// Who made the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This box.
    Device,
    /// A client, by the original's API.
    Client,
}

/// What a track was recorded from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackSource {
    /// The room.
    #[default]
    Microphone,
    /// The far end: what a computer played in the call.
    System,
}

impl TrackSource {
    fn is_microphone(&self) -> bool {
        *self == Self::Microphone
    }
}

/// One track of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Track {
    /// Speaker label of the whole track; `null` when channels carry labels or nobody said.
    pub label: Option<String>,
    /// WAV file below the recordings' directory, or the recording's own folder when it ends in `/`.
    pub path: String,
    /// What it was recorded from. Absent: the microphone.
    #[serde(default, skip_serializing_if = "TrackSource::is_microphone")]
    pub source: TrackSource,
    /// Labels of its channels, in order; a channel without one is heard together with the others like it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channel_labels: Vec<String>,
}

/// How samples lie in the audio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamFormat {
    /// One sample, by ALSA's name: `S16_LE`, `S24_3LE`, `S24_LE`, `S32_LE` or `FLOAT_LE`.
    pub sample: String,
    /// Frames per second, Hz.
    pub rate_hz: u32,
    /// Samples per frame.
    pub channels: u16,
}

/// A recording began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingStarted {
    /// The recording.
    pub recording_id: String,
    /// What the meeting is called.
    pub title: String,
    /// Who takes part: names or e-mail addresses.
    pub attendees: Vec<String>,
    /// When it began, UTC.
    pub timestamp: Timestamp,
    /// Who makes the audio.
    pub origin: Origin,
    /// Its audio.
    pub tracks: Vec<Track>,
    /// Whatever else is known of the meeting.
    pub metadata: Map<String, Value>,
    /// What this box records; `null` for a client's.
    pub format: Option<StreamFormat>,
    /// Whether it was found after a power cut, as audio without an event. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

/// A recording was paused or goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingPosition {
    /// The recording.
    pub recording_id: String,
    /// Audio recorded so far, ms.
    pub at_ms: u64,
}

/// A recording's audio is complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingEnded {
    /// The recording.
    pub recording_id: String,
    /// What the meeting is called.
    pub title: String,
    /// Who took part: names or e-mail addresses.
    pub attendees: Vec<String>,
    /// When it ended, UTC.
    pub timestamp: Timestamp,
    /// Who made the audio.
    pub origin: Origin,
    /// Length of the audio, ms; pauses do not count. 0 for a client's.
    pub duration_ms: u64,
    /// Whether a crash or a power cut ended it.
    pub interrupted: bool,
    /// What was lost, and what to do; `null` when nothing was.
    pub problem: Option<String>,
    /// Its audio.
    pub tracks: Vec<Track>,
    /// Whatever else is known of the meeting.
    pub metadata: Map<String, Value>,
    /// When it began, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// What is known of a meeting was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingUpdated {
    /// The recording.
    pub recording_id: String,
    /// What the meeting is called now.
    pub title: String,
    /// Who took part, as known now.
    pub attendees: Vec<String>,
    /// Whatever else is known of the meeting now.
    pub metadata: Map<String, Value>,
    /// What speakers are called now, by the label they had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub speakers: BTreeMap<String, String>,
}

/// A recording and its files are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingDeleted {
    /// The recording.
    pub recording_id: String,
}

/// One word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Word {
    /// Start, ms from the start of the recording.
    pub start_ms: u64,
    /// End, ms from the start of the recording.
    pub end_ms: u64,
    /// The word without surrounding spaces, with its punctuation.
    pub text: String,
    /// How sure the model is, 0 to 1.
    pub confidence: f32,
}

/// One thing said by one speaker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// Start, ms from the start of the recording.
    pub start_ms: u64,
    /// End, ms from the start of the recording.
    pub end_ms: u64,
    /// The channel's label; `null` where it has none.
    pub speaker: Option<String>,
    /// The text without surrounding spaces.
    pub text: String,
    /// Its words.
    pub words: Vec<Word>,
    /// Mean confidence of the words, 0 to 1.
    pub confidence: f32,
}

/// Something was said just now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaptionPublished {
    /// The recording.
    pub recording_id: String,
    /// What was said.
    pub segment: Segment,
}

/// Captions were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptionSkipped {
    /// The recording.
    pub recording_id: String,
    /// Audio without captions, ms.
    pub skipped_ms: u64,
    /// Audio that waited for the transcriber, ms.
    pub waiting_ms: u64,
}

/// A whole recording, written down: what stands in its `transcript.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transcript {
    /// The language, ISO 639-1.
    pub language: String,
    /// Length of the audio, ms.
    pub duration_ms: u64,
    /// The model that wrote it.
    pub model: String,
    /// In order of start.
    pub segments: Vec<Segment>,
}

/// How a recording was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptionConfig {
    /// The model.
    pub model: String,
    /// The language, ISO 639-1.
    pub language: String,
}

/// A recording was written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptionCompleted {
    /// The recording.
    pub recording_id: String,
    /// Always `completed`.
    pub status: Completed,
    /// When it was written down, UTC.
    pub timestamp: Timestamp,
    /// The transcript's file, JSON.
    pub output_file: String,
    /// How many segments it has.
    pub segments: u64,
    /// Length of the audio, ms.
    pub duration_ms: u64,
    /// How it was written down.
    pub config: TranscriptionConfig,
    /// Whatever is known of the meeting beside title and attendees.
    pub metadata: Map<String, Value>,
    /// What the meeting is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Who took part: names or e-mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attendees: Vec<String>,
    /// When the meeting began, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// All files that were written, `output_file` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What could not be written down and why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A recording is to be written down with what audio there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptionWanted {
    /// The recording.
    pub recording_id: String,
}

/// A recording could not be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptionError {
    /// The recording.
    pub recording_id: String,
    /// Always `error`.
    pub status: Failed,
    /// When it failed, UTC.
    pub timestamp: Timestamp,
    /// Why, and what to do.
    pub error: String,
}
