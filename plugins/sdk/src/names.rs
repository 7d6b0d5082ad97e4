//! The one table of events: name, what it means, what it carries, who publishes it. Constants and registry
//! are made from it; the payloads themselves are in [`crate::payloads`].

use crate::{EventType, payloads::*, schema::Schema};

/// Makes a constant and an entry of the registry for each line.
macro_rules! events {
    ($($owner:literal { $($(#[doc = $doc:literal])+ $constant:ident = $name:literal: $payload:ident,)+ })+) => {
        $($(
            $(#[doc = $doc])+
            pub const $constant: EventType<$payload> = EventType::new($name);
        )+)+

        /// All of them, in the order of the table.
        pub(crate) fn schemas() -> Vec<Schema> {
            vec![$($(Schema::of($constant, $owner, concat!($($doc),+).trim()),)+)+]
        }
    };
}

events! {
    "core" {
        /// A recording began: by this box or by a client.
        RECORDING_STARTED = "recording.started": RecordingStarted,
        /// Nothing is kept until it is resumed.
        RECORDING_PAUSED = "recording.paused": RecordingPosition,
        /// It goes on.
        RECORDING_RESUMED = "recording.resumed": RecordingPosition,
        /// Its audio is complete.
        RECORDING_ENDED = "recording.ended": RecordingEnded,
        /// Title, attendees or metadata were changed.
        RECORDING_UPDATED = "recording.updated": RecordingUpdated,
        /// Somebody wants it written down again; carries what its end does.
        TRANSCRIPTION_REQUESTED = "recording.transcription_requested": RecordingEnded,
        /// It and its files are gone.
        RECORDING_DELETED = "recording.deleted": RecordingDeleted,
        /// Something was said just now.
        CAPTION_PUBLISHED = "caption.published": CaptionPublished,
        /// Captions were left out because the box was behind; the final pass writes them down.
        CAPTION_SKIPPED = "caption.skipped": CaptionSkipped,
        /// A recording was written down.
        TRANSCRIPTION_COMPLETED = "transcription_local.completed": TranscriptionCompleted,
        /// A recording could not be written down.
        TRANSCRIPTION_ERROR = "transcription_local.error": TranscriptionError,
        /// The microphone runs.
        CAPTURE_OPENED = "capture.opened": CaptureOpened,
        /// The microphone is gone and is being looked for.
        CAPTURE_LOST = "capture.lost": CaptureLost,
        /// The device had more than its buffer holds.
        CAPTURE_OVERRUN = "capture.overrun": CaptureOverrun,
        /// The source has no more.
        CAPTURE_ENDED = "capture.ended": Nothing,
        /// The model is ready.
        MODEL_LOADED = "model.loaded": ModelLoaded,
        /// The model cannot be used.
        MODEL_FAILED = "model.failed": ModelFailed,
        /// A model was fetched and found whole.
        MODEL_FETCHED = "model.fetched": ModelFetched,
        /// A model could not be fetched.
        MODEL_FETCH_FAILED = "model.fetch_failed": ModelFailed,
        /// The service runs.
        SYSTEM_STARTED = "system.started": SystemStarted,
        /// The service stops.
        SYSTEM_STOPPED = "system.stopped": Nothing,
        /// An API key was made.
        KEY_CREATED = "key.created": KeyChanged,
        /// An API key was made worthless.
        KEY_REVOKED = "key.revoked": KeyChanged,
        /// A subscription could not handle an event and goes on without it.
        SUBSCRIPTION_DEAD_LETTERED = "subscription.dead_lettered": DeadLettered,
        /// Events are being delivered again.
        REPLAY_STARTED = "replay.started": ReplayProgress,
        /// All of them were delivered again.
        REPLAY_COMPLETED = "replay.completed": ReplayProgress,
        /// Somebody stopped it before the end.
        REPLAY_STOPPED = "replay.stopped": ReplayProgress,
        /// Events older than retention keeps were removed.
        RETENTION_PRUNED = "retention.pruned": RetentionPruned,
        /// Events were removed that some subscriptions had not handled, because the log was too large.
        RETENTION_FORCED = "retention.forced": RetentionForced,
        /// A copy of the log was made.
        BACKUP_COMPLETED = "backup.completed": BackupCompleted,
        /// A copy of the log could not be made.
        BACKUP_FAILED = "backup.failed": BackupFailed,
        /// A plugin went from one state to another.
        PLUGIN_STATE_CHANGED = "plugin.state_changed": PluginStateChanged,
        /// A plugin was configured anew.
        PLUGIN_CONFIG_CHANGED = "plugin.config_changed": PluginConfigChanged,
        /// A plugin was refused something that it has no permission for.
        PLUGIN_PERMISSION_DENIED = "plugin.permission_denied": PluginPermissionDenied,
    }
    "noise_reduction" {
        /// The room's track was cleaned of the far end.
        NOISE_REDUCTION_COMPLETED = "noise_reduction.completed": NoiseReductionCompleted,
        /// It could not be cleaned.
        NOISE_REDUCTION_ERROR = "noise_reduction.error": NoiseReductionError,
    }
    "audio_transcription_local" {
        /// A recording that waited for cleaned audio is to be written down without it.
        TRANSCRIPTION_WANTED = "audio_transcription_local.requested": TranscriptionWanted,
    }
    "meeting_notes_local" {
        /// Notes were written on this box.
        MEETING_NOTES_LOCAL_COMPLETED = "meeting_notes_local.completed": MeetingNotesCompleted,
        /// They could not be written.
        MEETING_NOTES_LOCAL_ERROR = "meeting_notes_local.error": MeetingNotesError,
        /// Somebody wants them written again, from this transcript.
        MEETING_NOTES_LOCAL_REQUESTED = "meeting_notes_local.requested": TranscriptionCompleted,
    }
    "meeting_notes_remote" {
        /// Notes were written by a service elsewhere.
        MEETING_NOTES_REMOTE_COMPLETED = "meeting_notes_remote.completed": MeetingNotesCompleted,
        /// They could not be written.
        MEETING_NOTES_REMOTE_ERROR = "meeting_notes_remote.error": MeetingNotesError,
    }
    "desktop_notifier" {
        /// People were told that notes are ready.
        DESKTOP_NOTIFICATION_COMPLETED = "desktop_notification.completed": NotificationCompleted,
        /// They could not be told.
        DESKTOP_NOTIFICATION_ERROR = "desktop_notification.error": NotificationError,
        /// There is a message for whoever has the page open.
        DESKTOP_NOTIFICATION_OFFERED = "desktop_notification.offered": NotificationOffered,
    }
    "cleanup_files" {
        /// Files that are no longer needed were removed.
        CLEANUP_FILES_COMPLETED = "cleanup_files.completed": CleanupCompleted,
        /// They could not be removed.
        CLEANUP_FILES_ERROR = "cleanup_files.error": CleanupError,
    }
    "directory_sync" {
        /// Files were copied elsewhere.
        DIRECTORY_SYNC_COMPLETED = "directory_sync.completed": SyncCompleted,
        /// They could not be copied; it is tried again.
        DIRECTORY_SYNC_ERROR = "directory_sync.error": SyncError,
    }
    "example" {
        /// The example plugin did its work.
        EXAMPLE_COMPLETED = "example.completed": ExampleCompleted,
        /// It could not.
        EXAMPLE_ERROR = "example.error": ExampleError,
    }
}
