//! Keeps copies of notes and transcripts in other folders. Owns the plugin: whose files are whose, and a
//! worker for each pair of folders.

mod config;
mod copy;
mod mirror;
mod state;
mod target;
#[cfg(test)]
mod tests;
mod tree;
mod watch;
mod worker;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use panotti_sdk::{
    Configured, Context, ContextError, Delivery, Descriptor, Event, HandlerError, Health, NewEvent, Outbox,
    Permissions, Plugin, PluginError, Service, async_trait, files, names,
    payloads::{MeetingNotesCompleted, NoiseReductionCompleted, RecordingDeleted, TranscriptionCompleted},
};
use tokio::task::JoinHandle;

pub use config::{Config, Pair};
use state::{Owned, Owner};
use worker::Worker;

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Keeps copies of notes and transcripts in other folders.",
    topics: &[
        "noise_reduction.completed",
        "transcription_local.completed",
        "meeting_notes_local.completed",
        "meeting_notes_remote.completed",
        "recording.deleted",
    ],
    permissions: Permissions {
        publish: &["directory_sync.*"],
        services: &[Service::Recordings],
        directories: &["config:pairs"],
        ..Permissions::NONE
    },
    given_up: Some(given_up),
    ..Descriptor::of::<DirectorySync>(
        "directory_sync",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// Longest wait for the workers when the plugin stops; a share may hang.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The plugin.
#[derive(Debug)]
pub struct DirectorySync {
    context: Context,
    workers: Vec<Arc<Worker>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Configured for DirectorySync {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        let routes = config::routes(&config, &context)?;
        let workers = routes.into_iter().map(|it| Arc::new(Worker::new(it, &config, context.clone())));
        Ok(Self { workers: workers.collect(), context, tasks: Mutex::default() })
    }
}

#[async_trait]
impl Plugin for DirectorySync {
    async fn start(&self) -> Result<(), PluginError> {
        let tasks = self.workers.iter().map(|it| tokio::spawn(it.clone().run()));
        *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks.collect();
        Ok(())
    }

    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        if delivery.event.name.as_str() == names::RECORDING_DELETED.as_str() {
            let RecordingDeleted { recording_id } = delivery.payload()?;
            return self.deleted(delivery, &recording_id);
        }
        let (recording_id, written) = written(delivery)?;
        if !files::valid_id(&recording_id) {
            return Err(HandlerError::permanent(format!("`{recording_id}` is no id of a recording")));
        }
        let Some(within) = self.writes_into(&delivery.event, &recording_id)? else {
            return Ok(Outbox::new());
        };
        let key = state::files(&recording_id);
        let owner = Owner { recording_id, correlation_id: delivery.event.context.correlation_id };
        let known = self.context.state_json::<Owned>(&key)?.map(|it| it.paths);
        let mut owned = Owned { owner, paths: known.unwrap_or_default() };
        // Only what is copied matters; a path that cannot be used is not.
        let paths = written.iter().filter_map(|it| self.context.resolve(it).ok());
        let paths = paths.filter(|it| it.starts_with(&within));
        owned.paths.extend(paths.filter(|it| self.workers.iter().any(|w| it.starts_with(&w.route.source))));
        if owned.paths.is_empty() {
            return Ok(Outbox::new());
        }
        let mut outbox = Outbox::new().put_json(&key, &owned)?;
        for path in &owned.paths {
            outbox = outbox.put_json(&state::file(path), &owned.owner)?;
        }
        Ok(outbox)
    }

    async fn health(&self) -> Health {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.iter().any(JoinHandle::is_finished) {
            return Health::Degraded("some files are not copied any more: restart the plugin".into());
        }
        let problems: Vec<String> = self.workers.iter().filter_map(|it| it.problem()).collect();
        if problems.is_empty() { Health::Healthy } else { Health::Degraded(problems.join("; ")) }
    }

    async fn stop(&self) {
        self.workers.iter().for_each(|it| it.stop());
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = async {
            for task in tasks {
                task.await.ok();
            }
        };
        // One on a share that hangs is not waited for: a part file is all it can leave.
        tokio::time::timeout(END_WITHIN, ended).await.ok();
    }
}

impl DirectorySync {
    /// Below which folder files may lie that an event calls a recording's own; `None` when it is not told by
    /// the plugin of its stage. An administrator may publish any event, and could name any file.
    fn writes_into(&self, event: &Event, recording_id: &str) -> Result<Option<PathBuf>, ContextError> {
        let anywhere = || Some(PathBuf::new());
        let source = event.context.source_plugin.as_deref().unwrap_or_default();
        match (event.name.as_str().split('.').next().unwrap_or_default(), source) {
            ("transcription_local", "audio_transcription_local") => Ok(anywhere()),
            // The core writes there alone; of a client's recordings it speaks as `api`.
            ("transcription_local", "core" | "api") => {
                Ok(Some(self.context.recordings()?.join(recording_id)))
            }
            (stage, source) => Ok(anywhere().filter(|_| stage == source)),
        }
    }

    /// A recording is deleted: its copies go too, wherever they are, as soon as that can be reached.
    fn deleted(&self, delivery: &Delivery, recording_id: &str) -> Result<Outbox, HandlerError> {
        if !files::valid_id(recording_id) {
            return Err(HandlerError::permanent(format!("`{recording_id}` is no id of a recording")));
        }
        let key = state::files(recording_id);
        let mut owned = self.context.state_json::<Owned>(&key)?.unwrap_or_else(|| {
            let correlation_id = delivery.event.context.correlation_id;
            Owned { owner: Owner { recording_id: recording_id.to_owned(), correlation_id }, paths: [].into() }
        });
        let mut outbox =
            owned.paths.iter().fold(Outbox::new().remove(&key), |it, path| it.remove(&state::file(path)));
        // With all below it: nobody names what the core writes.
        owned.paths.insert(self.context.recordings()?.join(recording_id));
        for worker in &self.workers {
            let below = owned.paths.iter().filter_map(|it| it.strip_prefix(&worker.route.source).ok());
            let paths = below.map(Path::to_owned).collect();
            let gone = Owned { owner: owned.owner.clone(), paths };
            if !gone.paths.is_empty() {
                outbox = outbox.put_json(&state::gone(&worker.route.id, recording_id), &gone)?;
            }
        }
        Ok(outbox)
    }
}

/// The recording that an event is about, and the files that were written for it.
fn written(delivery: &Delivery) -> Result<(String, Vec<String>), HandlerError> {
    let name = delivery.event.name.as_str();
    if name == names::NOISE_REDUCTION_COMPLETED.as_str() {
        let it = delivery.payload::<NoiseReductionCompleted>()?;
        let files = it.noise_reduction.files.into_iter().chain(it.noise_reduction.output_path);
        return Ok((it.recording_id, files.collect()));
    }
    if name == names::TRANSCRIPTION_COMPLETED.as_str() {
        let it = delivery.payload::<TranscriptionCompleted>()?;
        return Ok((it.recording_id, it.files.into_iter().chain([it.output_file]).collect()));
    }
    let it = delivery.payload::<MeetingNotesCompleted>()?;
    Ok((it.recording_id, it.meeting_notes.files.into_iter().chain([it.meeting_notes.notes_path]).collect()))
}

/// What an event says could not be kept.
fn given_up(event: &Event, error: &str) -> Option<NewEvent> {
    let recording_id = event.payload["recording_id"].as_str().unwrap_or_default();
    Some(worker::failed(recording_id, error.to_owned(), Default::default()))
}
