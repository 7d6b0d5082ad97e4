//! Writes recordings down, track by track and merged. Owns when that is done and with which audio; leaves
//! hearing to the host's transcriber, what is written to [`output`] and fillers to [`cleaner`].

mod cleaner;
mod output;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use panotti_sdk::{
    AudioTrack, Configured, Context, ContextError, Delivery, Descriptor, Event, Filter, HandlerError,
    NewEvent, Outbox, Permissions, Plugin, PluginError, Service, async_trait, files,
    jiff::Timestamp,
    names,
    payloads::{
        Failed, NoiseReductionCompleted, NoiseReductionError, PluginStateChanged, RecordingDeleted,
        RecordingEnded, Track, TrackSource, TranscriptionError, TranscriptionWanted,
    },
    schemars::{self, JsonSchema},
    uuid::Uuid,
};
use serde::{Deserialize, Serialize};

use output::Written;

/// The plugin whose audio is waited for.
const CLEANER: &str = "noise_reduction";
/// In the state: a recording that waits for cleaned audio.
const WAITING: &str = "waiting/";
/// In the state: the files of a recording.
const FILES: &str = "files/";

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Writes recordings down, track by track and merged.",
    topics: &[
        "recording.ended",
        "recording.transcription_requested",
        "recording.deleted",
        "audio_transcription_local.requested",
        "noise_reduction.*",
        "plugin.state_changed",
    ],
    permissions: Permissions {
        publish: &["transcription_local.*", "audio_transcription_local.*"],
        services: &[Service::Events, Service::Recordings, Service::Transcriber],
        directories: &["config:output_directory"],
        ..Permissions::NONE
    },
    given_up: Some(given_up),
    ..Descriptor::of::<AudioTranscriptionLocal>(
        "audio_transcription_local",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// Its settings.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the transcripts are written: absolute, or below the data directory, for which `data/` stands.
    #[schemars(length(min = 1, max = 4096))]
    pub output_directory: String,
    /// Whether fillers (um, uh, "you know,") and stumbles ("we we") are left out.
    pub clean_up_transcript: bool,
    /// Whether the cleaned audio is used where the plugin `noise_reduction` runs.
    pub use_cleaned_audio: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output_directory: "data/transcripts_local".into(),
            clean_up_transcript: true,
            use_cleaned_audio: true,
        }
    }
}

/// A recording that is to be written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Job {
    correlation_id: Uuid,
    /// Of the event that asks for it.
    seq: u64,
    ended: RecordingEnded,
}

/// The plugin.
#[derive(Debug)]
pub struct AudioTranscriptionLocal {
    config: Config,
    context: Context,
}

impl Configured for AudioTranscriptionLocal {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        context
            .resolve(&config.output_directory)
            .map_err(|error| PluginError::config("output_directory", error.to_string()))?;
        Ok(Self { config, context })
    }
}

#[async_trait]
impl Plugin for AudioTranscriptionLocal {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let name = delivery.event.name.as_str();
        if name == names::RECORDING_DELETED.as_str() {
            return self.forget(&delivery.payload::<RecordingDeleted>()?.recording_id).await;
        }
        if name == names::PLUGIN_STATE_CHANGED.as_str() {
            let changed: PluginStateChanged = delivery.payload()?;
            let gone = changed.plugin == CLEANER && ["disabled", "failed"].contains(&changed.to.as_str());
            return if gone && !self.waits() { self.go_on() } else { nothing() };
        }
        if name == names::TRANSCRIPTION_WANTED.as_str() {
            return self.cleaned(&delivery.payload::<TranscriptionWanted>()?.recording_id, None).await;
        }
        if name == names::NOISE_REDUCTION_COMPLETED.as_str() {
            let cleaned: NoiseReductionCompleted = delivery.payload()?;
            let path = cleaned.noise_reduction.output_path.map(PathBuf::from);
            return self.cleaned(&cleaned.recording_id, path).await;
        }
        if name == names::NOISE_REDUCTION_ERROR.as_str() {
            let failed: NoiseReductionError = delivery.payload()?;
            return self.cleaned(&failed.recording_id, None).await;
        }
        let ended: RecordingEnded = delivery.payload()?;
        if !files::valid_id(&ended.recording_id) {
            return Err(HandlerError::permanent("the recording's id cannot name files: tell its client"));
        }
        // A replay means it, whatever was written down before, and nobody cleans the audio again for it.
        let again = delivery.replay.is_some();
        let seq = if again { u64::MAX } else { delivery.event.seq };
        let job = Job { correlation_id: delivery.event.context.correlation_id, seq, ended };
        if self.is_written_down(&job)? {
            return nothing();
        }
        if self.waits() && !again {
            return Ok(Outbox::new().put_json(&waiting(&job.ended.recording_id), &job)?);
        }
        self.write_down(&job, None).await
    }
}

fn nothing() -> Result<Outbox, HandlerError> {
    Ok(Outbox::new())
}

fn waiting(id: &str) -> String {
    format!("{WAITING}{id}")
}

impl AudioTranscriptionLocal {
    /// Whether cleaned audio is to be waited for.
    fn waits(&self) -> bool {
        self.config.use_cleaned_audio && self.context.expects(CLEANER)
    }

    /// Whether the core has written the recording down since, because this plugin was away.
    fn is_written_down(&self, job: &Job) -> Result<bool, ContextError> {
        let written = Filter::topic(names::TRANSCRIPTION_COMPLETED.into()).correlated(job.correlation_id);
        Ok(!self.context.events(job.seq, 1, &written)?.is_empty())
    }

    /// The audio of a recording was cleaned, or could not be.
    async fn cleaned(&self, id: &str, path: Option<PathBuf>) -> Result<Outbox, HandlerError> {
        match files::valid_id(id).then(|| self.context.state_json::<Job>(&waiting(id))).transpose()? {
            Some(Some(job)) if self.is_written_down(&job)? => Ok(Outbox::new().remove(&waiting(id))),
            Some(Some(job)) => self.write_down(&job, path).await,
            // It was written down without.
            _ => nothing(),
        }
    }

    /// Cleaned audio will not come any more. What waits for it is asked to go on by an event each, so that
    /// each keeps its place in its meeting, and one that takes long or fails keeps no other from it.
    fn go_on(&self) -> Result<Outbox, HandlerError> {
        let (mut all, mut last) = (Outbox::new(), None);
        loop {
            let keys = self.context.state_keys(WAITING, last.as_deref())?;
            for key in &keys {
                let Some(job) = self.context.state_json::<Job>(key)? else { continue };
                let wanted = TranscriptionWanted { recording_id: job.ended.recording_id };
                let event = NewEvent::of(names::TRANSCRIPTION_WANTED, &wanted);
                all = all.publish(event.correlated(job.correlation_id));
            }
            match keys.into_iter().next_back() {
                Some(key) => last = Some(key),
                None => return Ok(all),
            }
        }
    }

    /// Writes a recording down, with the cleaned microphone at `cleaned` where there is one.
    async fn write_down(&self, job: &Job, cleaned: Option<PathBuf>) -> Result<Outbox, HandlerError> {
        let id = &job.ended.recording_id;
        let (mut written, mut problems) = (Vec::new(), Vec::new());
        let mut cleaned = cleaned;
        let mut unlabelled = 0;
        for track in &job.ended.tracks {
            // What is cleaned is the first microphone.
            let cleaned = if track.source == TrackSource::Microphone { cleaned.take() } else { None };
            unlabelled += u32::from(given_label(track).is_none());
            // The voices of each would be numbered from 1, and those of two tracks taken for the same.
            let speaker = if unlabelled < 2 { given_label(track) } else { Some(label(track)) };
            match self.track(id, track, speaker, cleaned).await {
                Ok(one) => written.push(one),
                // The recording has no transcript then, and nobody waits for one.
                Err(ContextError::Deleted | ContextError::NoModel) => {
                    return Ok(Outbox::new().remove(&waiting(id)));
                }
                Err(error) if !error.is_permanent() => return Err(error.into()),
                Err(error) => problems.push((label(track), error.to_string())),
            }
        }
        let same = problems.iter().all(|(_, error)| *error == problems[0].1);
        if let (true, true, Some((_, error))) = (written.is_empty(), same, problems.first()) {
            return Err(HandlerError::permanent(error.as_str()));
        }
        let problems: Vec<_> =
            problems.into_iter().map(|(label, error)| format!("{label}: {error}")).collect();
        let problem = Some(problems.join("; ")).filter(|it| !it.is_empty());
        if written.is_empty() {
            let none = || "the recording names no audio: tell its client".to_owned();
            return Err(HandlerError::permanent(problem.unwrap_or_else(none)));
        }
        // The core may have been quicker, where this was switched off meanwhile.
        if self.is_written_down(job)? {
            return Ok(Outbox::new().remove(&waiting(id)));
        }
        let folder = self.context.resolve(&self.config.output_directory)?;
        let (ended, tidy) = (job.ended.clone(), self.config.clean_up_transcript);
        let done = self
            .context
            .blocking(move || output::write(&folder, &ended, written, tidy, problem))
            .await?
            .map_err(HandlerError::retryable)?;
        // Those of an earlier time too: other settings or fewer tracks make other files.
        let key = format!("{FILES}{id}");
        let mut files: Vec<String> = self.context.state_json(&key)?.unwrap_or_default();
        files.retain(|it| !done.files.contains(it));
        files.extend(done.files.iter().cloned());
        let event = NewEvent::of(names::TRANSCRIPTION_COMPLETED, &done).correlated(job.correlation_id);
        Ok(Outbox::new().put_json(&key, &files)?.remove(&waiting(id)).publish(event))
    }

    async fn track(
        &self,
        id: &str,
        track: &Track,
        speaker: Option<String>,
        cleaned: Option<PathBuf>,
    ) -> Result<Written, ContextError> {
        let recordings = self.context.recordings()?;
        let original = || {
            files::audio_of(&recordings, track).map_err(|error| ContextError::Service {
                service: "recordings' folder",
                reason: format!("`{}` cannot be read: {error}", track.path),
            })
        };
        let files = match &cleaned {
            Some(path) => vec![path.clone()],
            None => original()?,
        };
        let audio = |files| AudioTrack {
            files,
            label: speaker.clone(),
            channel_labels: track.channel_labels.clone(),
        };
        let heard = self.context.transcribe(id, vec![audio(files)]).await;
        let transcript = match heard {
            // What was cleaned may be gone already; the original is better than nothing.
            Err(ContextError::Service { .. }) if cleaned.is_some() => {
                self.context.transcribe(id, vec![audio(original()?)]).await?
            }
            heard => heard?,
        };
        Ok(Written { source: track.source, label: label(track), transcript })
    }

    /// Removes what was written for a recording.
    async fn forget(&self, id: &str) -> Result<Outbox, HandlerError> {
        if !files::valid_id(id) {
            return nothing();
        }
        let key = format!("{FILES}{id}");
        let mut written: Vec<PathBuf> = self.context.state_json(&key)?.unwrap_or_default();
        // Also what a power cut kept from being noted.
        written.extend(output::paths(&self.context.resolve(&self.config.output_directory)?, id));
        self.context
            .blocking(move || written.iter().try_for_each(|it| files::remove(it).map(|_| ())))
            .await?
            .map_err(HandlerError::retryable)?;
        Ok(Outbox::new().remove(&key).remove(&waiting(id)))
    }
}

/// What a track is called.
fn label(track: &Track) -> String {
    let usual = match track.source {
        TrackSource::Microphone => "Microphone",
        TrackSource::System => "System",
    };
    given_label(track).unwrap_or_else(|| usual.to_owned())
}

/// What its client calls it.
fn given_label(track: &Track) -> Option<String> {
    track.label.as_deref().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned)
}

fn failed(id: &str, error: &str, timestamp: Timestamp) -> NewEvent {
    let payload = TranscriptionError {
        recording_id: id.to_owned(),
        status: Failed::Error,
        timestamp,
        error: error.to_owned(),
    };
    NewEvent::of(names::TRANSCRIPTION_ERROR, &payload)
}

/// Of the events that lead to a transcript; the others leave nobody waiting.
fn given_up(event: &Event, error: &str) -> Option<NewEvent> {
    let wants =
        ["recording.ended", "recording.transcription_requested", "audio_transcription_local.requested"];
    let leads = wants.contains(&event.name.as_str()) || event.name.as_str().starts_with("noise_reduction.");
    let id = event.payload.get("recording_id")?.as_str()?;
    leads.then(|| failed(id, error, event.context.timestamp))
}
