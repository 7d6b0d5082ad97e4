//! What events carry: a struct for every payload of the core and of the original's plugins. Owns their JSON
//! form, which is a promise to whoever reads the log; which event carries which is in [`crate::names`].
//!
//! A field may be added; none is renamed or removed. Readers pass over fields that they do not know.

mod log;
mod plugin;
mod recording;
mod stages;
mod system;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use self::{
    log::{BackupCompleted, BackupFailed, DeadLettered, ReplayProgress, RetentionForced, RetentionPruned},
    plugin::{PluginConfigChanged, PluginPermissionDenied, PluginStateChanged},
    recording::{
        CaptionPublished, CaptionSkipped, Origin, RecordingDeleted, RecordingEnded, RecordingPosition,
        RecordingStarted, RecordingUpdated, Segment, StreamFormat, Track, TrackSource, Transcript,
        TranscriptionCompleted, TranscriptionConfig, TranscriptionError, TranscriptionWanted, Word,
    },
    stages::{
        Cleanup, CleanupCompleted, CleanupConfig, CleanupError, ExampleCompleted, ExampleError,
        ExampleResult, MeetingNotes, MeetingNotesCompleted, MeetingNotesError, NoiseReduction,
        NoiseReductionCompleted, NoiseReductionError, NoiseReductionMethod, NotesInput, NotesWriter,
        Notification, NotificationChannel, NotificationCompleted, NotificationConfig, NotificationError,
        NotificationOffered, StageError, Sync, SyncCompleted, SyncError, Urgency,
    },
    system::{
        CaptureLost, CaptureOpened, CaptureOverrun, KeyChanged, ModelFailed, ModelFetched, ModelLoaded,
        Nothing, SystemStarted,
    },
};

/// What an event can carry: a struct that is a JSON object. Nothing has to be written for it.
pub trait Payload: Serialize + DeserializeOwned + JsonSchema {}

impl<T: Serialize + DeserializeOwned + JsonSchema> Payload for T {}

/// The word of a stage that went well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Completed {
    /// It went well.
    #[default]
    #[serde(rename = "completed")]
    Completed,
}

/// The word of a stage that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Failed {
    /// It failed.
    #[default]
    #[serde(rename = "error")]
    Error,
}
