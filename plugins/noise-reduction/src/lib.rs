//! Cleans the audio of noise and of the far end before it is written down. Owns the plugin: which tracks a
//! recording has, what is told of the result, and which files are its own; leaves the sound to [`clean()`].

mod audio;
mod clean;
mod config;
mod denoise;
mod far_end;
mod high_pass;
mod level;
mod recording;
mod stages;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, Event, HandlerError, NewEvent, Outbox, Permissions, Plugin,
    PluginError, Service, async_trait, files,
    jiff::Timestamp,
    names::{NOISE_REDUCTION_COMPLETED, NOISE_REDUCTION_ERROR, RECORDING_DELETED},
    payloads::{
        Completed, Failed, NoiseReduction as Done, NoiseReductionCompleted, NoiseReductionError,
        RecordingDeleted, RecordingEnded, StageError,
    },
    serde_json::{self, Map, Value},
};

use self::recording::{Error, Outcome, Recording};
pub use self::{
    audio::{ResampleError, WavError},
    clean::{CleanError, Cleaned, Task, clean},
    config::Config,
};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Cleans the audio of noise and of the far end before it is written down.",
    topics: &["recording.ended", "recording.transcription_requested", "recording.deleted"],
    permissions: Permissions {
        publish: &["noise_reduction.*"],
        services: &[Service::Recordings],
        directories: &["config:output_directory"],
        ..Permissions::NONE
    },
    given_up: Some(given_up),
    ..Descriptor::of::<NoiseReduction>(
        "noise_reduction",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// The plugin.
#[derive(Debug)]
pub struct NoiseReduction {
    config: Config,
    context: Context,
    folder: PathBuf,
    /// One lock for each recording that is worked on: work that nobody waits for any more ends a moment
    /// later, and must not meet its successor at the same file.
    busy: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl Configured for NoiseReduction {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        let folder = context
            .resolve(&config.output_directory)
            .map_err(|error| PluginError::config("output_directory", error.to_string()))?;
        Ok(Self { config, context, folder, busy: Mutex::default() })
    }
}

#[async_trait]
impl Plugin for NoiseReduction {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        if delivery.event.name.as_str() == RECORDING_DELETED.as_str() {
            self.forget(delivery.payload()?).await
        } else {
            self.clean(delivery.payload()?).await
        }
    }
}

impl NoiseReduction {
    async fn clean(&self, ended: RecordingEnded) -> Result<Outbox, HandlerError> {
        let id = checked(ended.recording_id)?;
        let output = clean::output(&self.folder, &id);
        let recording = Recording {
            folder: self.context.recordings()?,
            tracks: ended.tracks,
            output: output.clone(),
            config: self.config.clone(),
        };
        let stop = StopOnDrop::default();
        let (lock, stopped) = (self.lock_of(&id), stop.0.clone());
        let work = move || {
            let _alone = lock.lock().unwrap_or_else(PoisonError::into_inner);
            recording.clean(&stopped)
        };
        let outcome = self.context.blocking(work).await?.map_err(|error| match error {
            Error::NoAudio(_) => HandlerError::permanent(error),
            Error::Clean(_) => HandlerError::retryable(error),
        })?;
        let mut mine: Vec<String> = self.context.state_json(&id)?.unwrap_or_default();
        let path = output.display().to_string();
        if outcome.cleaned.is_some() && !mine.contains(&path) {
            mine.push(path.clone());
        }
        let done = self.completed(id.clone(), outcome, path);
        let told = NoiseReductionCompleted {
            recording_id: id.clone(),
            noise_reduction: done,
            metadata: ended.metadata,
        };
        Ok(Outbox::new().put_json(&id, &mine)?.publish(NewEvent::of(NOISE_REDUCTION_COMPLETED, &told)))
    }

    fn completed(&self, recording_id: String, outcome: Outcome, output: String) -> Done {
        let shown = |path: PathBuf| path.display().to_string();
        let output_path = outcome.cleaned.is_some().then_some(output);
        Done {
            status: Completed::Completed,
            timestamp: Timestamp::now(),
            recording_id,
            files: output_path.iter().cloned().collect(),
            output_path,
            system_audio_path: outcome.system.map(shown),
            microphone_audio_path: outcome.microphone.map(shown),
            method: outcome.cleaned.as_ref().and_then(|it| it.method),
            config: settings(&self.config),
            gain_db: outcome.cleaned.and_then(|it| it.gain_db),
            problem: (!outcome.problems.is_empty()).then(|| outcome.problems.join("; ")),
        }
    }

    /// Removes what was made for a recording that is gone.
    async fn forget(&self, deleted: RecordingDeleted) -> Result<Outbox, HandlerError> {
        let id = checked(deleted.recording_id)?;
        let mut mine: Vec<PathBuf> = self.context.state_json(&id)?.unwrap_or_default();
        // Written and never committed, or cut off by a power cut while it was written.
        let now = clean::output(&self.folder, &id);
        mine.push(now.with_file_name(format!(".{id}_microphone_cleaned.wav.part")));
        mine.push(now);
        let lock = self.lock_of(&id);
        let work = move || {
            let _alone = lock.lock().unwrap_or_else(PoisonError::into_inner);
            mine.iter().try_for_each(|path| match files::remove(path) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("cannot remove `{}`: {error}", path.display())),
            })
        };
        self.context.blocking(work).await?.map_err(HandlerError::retryable)?;
        Ok(Outbox::new().remove(&id))
    }

    fn lock_of(&self, id: &str) -> Arc<Mutex<()>> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.retain(|_, it| Arc::strong_count(it) > 1);
        busy.entry(id.to_owned()).or_default().clone()
    }
}

/// Tells the work that nobody waits for it any more.
#[derive(Debug, Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An id that may name files.
fn checked(id: String) -> Result<String, HandlerError> {
    if files::valid_id(&id) {
        return Ok(id);
    }
    Err(HandlerError::permanent(format!(
        "the recording's id {id:?} cannot name a file: it needs 1 to 128 letters, digits, `.`, `_` and `-`"
    )))
}

fn settings(config: &Config) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(settings)) => settings,
        // A struct of plain values is an object.
        _ => Map::new(),
    }
}

/// What is told when a recording could not be cleaned, whichever way the last attempt failed.
fn given_up(event: &Event, error: &str) -> Option<NewEvent> {
    if event.name.as_str() == RECORDING_DELETED.as_str() {
        return None;
    }
    let of = |key: &str| event.payload.get(key);
    let told = NoiseReductionError {
        recording_id: of("recording_id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        noise_reduction: StageError {
            status: Failed::Error,
            timestamp: Timestamp::now(),
            error: error.to_owned(),
            config: Map::new(),
        },
        metadata: of("metadata").and_then(Value::as_object).cloned().unwrap_or_default(),
    };
    Some(NewEvent::of(NOISE_REDUCTION_ERROR, &told))
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
