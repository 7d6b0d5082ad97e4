//! What the events of the original's plugins carry: the recording, and what the stage did under the
//! original's key. The transcript's events are the core's, in `recording`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Completed, Failed};

/// A stage that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageError {
    /// Always `error`.
    pub status: Failed,
    /// When it failed, UTC.
    pub timestamp: Timestamp,
    /// Why, and what to do.
    pub error: String,
    /// The plugin's settings that matter for it.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// Writes the two payloads of a stage: recording, what the stage did, what is known of the meeting.
macro_rules! stage {
    ($key:ident: $what:literal, $completed:ident($result:ident), $error:ident) => {
        #[doc = concat!($what, " went well.")]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct $completed {
            /// The recording.
            pub recording_id: String,
            /// What was done.
            pub $key: $result,
            /// Whatever is known of the meeting.
            #[serde(default)]
            pub metadata: Map<String, Value>,
        }

        #[doc = concat!($what, " failed.")]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct $error {
            /// The recording.
            pub recording_id: String,
            /// What went wrong.
            pub $key: StageError,
            /// Whatever is known of the meeting.
            #[serde(default)]
            pub metadata: Map<String, Value>,
        }
    };
}

stage!(noise_reduction: "Cleaning the audio", NoiseReductionCompleted(NoiseReduction), NoiseReductionError);
stage!(meeting_notes: "Writing notes", MeetingNotesCompleted(MeetingNotes), MeetingNotesError);
stage!(desktop_notification: "Telling people", NotificationCompleted(Notification), NotificationError);
stage!(cleanup_files: "Removing files", CleanupCompleted(Cleanup), CleanupError);
stage!(example: "The example", ExampleCompleted(ExampleResult), ExampleError);

/// How the far end was taken out of the room's microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoiseReductionMethod {
    /// By the spectrum.
    FrequencyDomain,
    /// By subtracting the aligned signal.
    TimeDomain,
}

/// Audio was cleaned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoiseReduction {
    /// Always `completed`.
    pub status: Completed,
    /// When it was done, UTC.
    pub timestamp: Timestamp,
    /// The recording.
    pub recording_id: String,
    /// The cleaned WAV file; `null` when there was nothing to clean.
    pub output_path: Option<String>,
    /// The far end's WAV file; `null` when there is none.
    pub system_audio_path: Option<String>,
    /// The room's WAV file; `null` when there is none.
    pub microphone_audio_path: Option<String>,
    /// How; `null` when there was nothing to clean.
    pub method: Option<NoiseReductionMethod>,
    /// The plugin's settings that matter for it.
    pub config: Map<String, Value>,
}

/// What notes were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotesInput {
    /// The transcript's file.
    pub transcript: String,
}

/// Notes were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeetingNotes {
    /// Always `completed`.
    pub status: Completed,
    /// When they were written, UTC.
    pub timestamp: Timestamp,
    /// The recording.
    pub recording_id: String,
    /// The notes' file, Markdown.
    pub notes_path: String,
    /// What they were made from.
    pub input_paths: NotesInput,
    /// The plugin's settings that matter for it, never a key.
    pub config: Map<String, Value>,
}

/// How people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationConfig {
    /// Whether the notes are opened at once.
    pub auto_open: bool,
}

/// People were told that notes are ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// Always `completed`.
    pub status: Completed,
    /// When they were told, UTC.
    pub timestamp: Timestamp,
    /// The recording.
    pub recording_id: String,
    /// The notes' file.
    pub notes_path: String,
    /// Whether a notification was really shown.
    pub notification_sent: bool,
    /// How people are told.
    pub config: NotificationConfig,
}

/// Which files are removed, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CleanupConfig {
    /// Directories whose files are removed.
    pub include_dirs: Vec<String>,
    /// Directories below them whose files stay.
    pub exclude_dirs: Vec<String>,
    /// How long it waited first, s.
    pub cleanup_delay: u64,
}

/// Files of a recording were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cleanup {
    /// Always `completed`.
    pub status: Completed,
    /// When they were removed, UTC.
    pub timestamp: Timestamp,
    /// The recording.
    pub recording_id: String,
    /// The files.
    pub cleaned_files: Vec<String>,
    /// Which files are removed, and when.
    pub config: CleanupConfig,
}

/// The example did its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExampleResult {
    /// Always `completed`.
    pub status: Completed,
    /// When, UTC.
    pub timestamp: Timestamp,
    /// The recording.
    pub recording_id: String,
}
