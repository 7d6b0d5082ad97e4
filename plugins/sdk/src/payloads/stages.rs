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
stage!(directory_sync: "Copying files elsewhere", SyncCompleted(Sync), SyncError);
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
    /// How much quieter the stretches without speech are, dB; absent where nothing was cleaned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_db: Option<f32>,
    /// All files that were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What could not be cleaned and why, for people: the transcript is made from the original there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What notes were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotesInput {
    /// The transcript's file.
    pub transcript: String,
}

/// Who wrote notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotesWriter {
    /// A language model.
    LanguageModel,
    /// The box by itself, from sentences of the transcript.
    Extract,
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
    /// Who wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<NotesWriter>,
    /// Why it was not the language model, for people; absent where it was, or where none is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether text of the meeting left the box for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_the_box: bool,
    /// All files that were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// How people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationConfig {
    /// Whether the notes are opened at once.
    pub auto_open: bool,
}

/// One way of telling people, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationChannel {
    /// `desktop`, `page`, `webhook`, `email` or `ntfy`.
    pub channel: String,
    /// Whether it was really taken there.
    pub sent: bool,
    /// Why not, and what to do; absent where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Something went on.
    Info,
    /// Somebody should look.
    Warning,
    /// Something is broken.
    Error,
}

/// A message for whoever has the page open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationOffered {
    /// The same for every repetition of the message.
    pub key: String,
    /// One line.
    pub title: String,
    /// One sentence.
    pub message: String,
    /// How much it matters.
    pub urgency: Urgency,
    /// The recording it is about; `null` when it is about the box.
    pub recording_id: Option<String>,
}

/// Files of a recording were copied elsewhere, or files that belong to none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sync {
    /// Always `completed`.
    pub status: Completed,
    /// When, UTC.
    pub timestamp: Timestamp,
    /// From where.
    pub source: String,
    /// To where.
    pub destination: String,
    /// Files that were copied or brought up to date.
    pub copied: u64,
    /// Files that were removed there because they are gone here.
    pub removed: u64,
    /// Bytes that were copied.
    pub bytes: u64,
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
    /// Each way that was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<NotificationChannel>,
    /// Which ways did not take it, for people; absent where all did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
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
    /// Whether nothing was removed and `cleaned_files` are those that would have been.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Their size, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why they were removed where it was not the end of a meeting's work, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
