//! What went wrong on the box, for people. Owns which events are alerts and what they say; leaves whether one
//! is told again to `lib`.

use panotti_sdk::{
    Delivery, Event, HandlerError, names,
    payloads::{
        BackupFailed, CaptureLost, CleanupError, DeadLettered, ModelFailed, NoiseReductionError,
        PluginStateChanged, RetentionForced, SyncError, TranscriptionError, Urgency,
    },
};

/// Plugins that tell of what they could not do by an `.error` of their own: their dead letters say the same
/// once more. The notifier is among them, so that what it cannot send is nothing it sends.
const SPEAK_FOR_THEMSELVES: [&str; 7] = [
    "noise_reduction",
    "audio_transcription_local",
    "meeting_notes_local",
    "meeting_notes_remote",
    "desktop_notifier",
    "cleanup_files",
    "directory_sync",
];

/// What people are told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    /// What the same alert is about: a recording, a plugin.
    pub(crate) subject: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) urgency: Urgency,
    pub(crate) recording_id: Option<String>,
}

impl Alert {
    /// What `event` is for people; `None` when it is nothing for them.
    ///
    /// # Errors
    /// [`HandlerError::Permanent`] when it carries something else than its name says.
    pub(crate) fn of(delivery: &Delivery) -> Result<Option<Self>, HandlerError> {
        let name = delivery.event.name.as_str();
        let is = |event: &str| name == event;
        if is(names::TRANSCRIPTION_ERROR.as_str()) {
            let it: TranscriptionError = delivery.payload()?;
            return Ok(Some(Self::stage("A recording could not be written down", it.recording_id, it.error)));
        }
        if is(names::NOISE_REDUCTION_ERROR.as_str()) {
            let it: NoiseReductionError = delivery.payload()?;
            let (title, error) = ("A recording could not be cleaned of noise", it.noise_reduction.error);
            return Ok(Some(Self::stage(title, it.recording_id, error)));
        }
        if is(names::CLEANUP_FILES_ERROR.as_str()) {
            let it: CleanupError = delivery.payload()?;
            return Ok(Some(Self::stage(
                "Files could not be removed",
                it.recording_id,
                it.cleanup_files.error,
            )));
        }
        if is(names::DIRECTORY_SYNC_ERROR.as_str()) {
            let it: SyncError = delivery.payload()?;
            return Ok(Some(Self::stage(
                "Files could not be copied",
                it.recording_id,
                it.directory_sync.error,
            )));
        }
        if is(names::SUBSCRIPTION_DEAD_LETTERED.as_str()) {
            return Ok(Self::dead_letter(&delivery.payload()?));
        }
        if is(names::PLUGIN_STATE_CHANGED.as_str()) {
            return Ok(Self::plugin(delivery.payload()?));
        }
        if is(names::CAPTURE_LOST.as_str()) {
            let it: CaptureLost = delivery.payload()?;
            return Ok(Some(Self::of_box("The microphone is gone", it.reason)));
        }
        if is(names::MODEL_FAILED.as_str()) {
            let it: ModelFailed = delivery.payload()?;
            // Who chose it was told; captions go on.
            if it.in_use.is_some() {
                return Ok(None);
            }
            return Ok(Some(Self::of_box(
                "The speech model cannot be used",
                format!("{}: {}", it.model, it.reason),
            )));
        }
        if is(names::BACKUP_FAILED.as_str()) {
            let it: BackupFailed = delivery.payload()?;
            return Ok(Some(Self::of_box("No backup could be made", it.error)));
        }
        if is(names::RETENTION_FORCED.as_str()) {
            let it: RetentionForced = delivery.payload()?;
            let (events, to) = (it.events, it.subscriptions.join(", "));
            let text =
                format!("The event log was too large: {events} events were removed before {to} had them.");
            return Ok(Some(Self::of_box("Events were removed unhandled", text)));
        }
        Ok(None)
    }

    fn of_box(title: &str, text: String) -> Self {
        let (subject, title) = (String::new(), title.to_owned());
        Self { subject, title, text, urgency: Urgency::Error, recording_id: None }
    }

    fn stage(title: &str, recording_id: String, text: String) -> Self {
        let recording = (!recording_id.is_empty()).then(|| recording_id.clone());
        Self { subject: recording_id, recording_id: recording, ..Self::of_box(title, text) }
    }

    fn dead_letter(it: &DeadLettered) -> Option<Self> {
        let text = format!("`{}` could not handle `{}`: {}", it.subscription, it.event_name, it.error);
        let alert = Self { subject: it.subscription.clone(), ..Self::of_box("An event was given up", text) };
        (!SPEAK_FOR_THEMSELVES.contains(&it.subscription.as_str())).then_some(alert)
    }

    fn plugin(it: PluginStateChanged) -> Option<Self> {
        let title = format!("The plugin {} does not run", it.plugin);
        let alert = Self { subject: it.plugin.clone(), ..Self::of_box(&title, it.reason) };
        (it.to == "failed" && it.plugin != "desktop_notifier").then_some(alert)
    }
}

/// The recording an event is about, where it is about one.
pub(crate) fn recording_of(event: &Event) -> String {
    event.payload["recording_id"].as_str().unwrap_or_default().to_owned()
}
