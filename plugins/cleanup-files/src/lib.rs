//! Removes files that are no longer needed, and the oldest audio when the disk gets short. Owns the plugin:
//! what it hears goes into manifests, and a worker beside the handlers removes.

mod config;
mod guard;
mod manifest;
mod removal;
mod state;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use panotti_sdk::{
    Configured, Context, ContextError, Delivery, Descriptor, Event, HandlerError, Health, NewEvent, Outbox,
    Permissions, Plugin, PluginError, Request, Response, Route, Service, async_trait, names,
    payloads::PluginStateChanged,
    serde_json::{Value, json},
};
use tokio::task::JoinHandle;

pub use config::Config;
use manifest::Manifest;
use removal::Removal;
use state::Due;
use worker::Worker;

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Removes files that are no longer needed, and the oldest audio when the disk gets short.",
    topics: &[
        "recording.ended",
        "recording.transcription_requested",
        "recording.deleted",
        "noise_reduction.completed",
        "noise_reduction.error",
        "transcription_local.completed",
        "transcription_local.error",
        "meeting_notes_local.completed",
        "meeting_notes_local.error",
        "meeting_notes_remote.completed",
        "meeting_notes_remote.error",
        "desktop_notification.completed",
        "desktop_notification.error",
        "plugin.state_changed",
    ],
    permissions: Permissions {
        publish: &["cleanup_files.*"],
        services: &[Service::Recordings],
        directories: &["config:include_dirs"],
        ..Permissions::NONE
    },
    given_up: Some(given_up),
    routes: &[Route {
        method: "GET",
        path: "/plan",
        role: "viewer",
        description: "Which files go next, when, and which when the disk gets short.",
    }],
    ..Descriptor::of::<CleanupFiles>(
        "cleanup_files",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// Longest wait for the worker when the plugin stops: what it is at goes on after the next start.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Most recordings that the plan shows of those that go when the disk gets short.
const MOST_PLANNED: usize = 100;

/// The plugin.
#[derive(Debug)]
pub struct CleanupFiles {
    worker: Arc<Worker>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Configured for CleanupFiles {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        for (key, dirs) in [("include_dirs", &config.include_dirs), ("exclude_dirs", &config.exclude_dirs)] {
            for dir in dirs {
                context.resolve(dir).map_err(|error| PluginError::config(key, error.to_string()))?;
            }
        }
        Ok(Self { worker: Arc::new(Worker::new(config, context)), task: Mutex::default() })
    }
}

#[async_trait]
impl Plugin for CleanupFiles {
    async fn start(&self) -> Result<(), PluginError> {
        let task = tokio::spawn(self.worker.clone().run());
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(())
    }

    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        let (context, event) = (&self.worker.context, &delivery.event);
        if event.name.as_str() == names::PLUGIN_STATE_CHANGED.as_str() {
            let it: PluginStateChanged = delivery.payload()?;
            if Manifest::waits_for(&it.plugin) && !context.expects(&it.plugin) {
                self.worker.judge_all().await?;
            }
            return Ok(Outbox::new());
        }
        let id = Manifest::id(delivery)?;
        if !Manifest::believes(event) {
            return Ok(Outbox::new());
        }
        let key = state::meeting(&id);
        let _learning = self.worker.learning.lock().await;
        let mut manifest: Manifest = context.state_json(&key)?.unwrap_or_default();
        if manifest.cause == event.id && delivery.replay.is_none() {
            // It was kept, and then not noted that it was.
            return Ok(Outbox::new());
        }
        let mut outbox = Outbox::new();
        if let Some(due) = manifest.due.take() {
            outbox = outbox.remove(&due);
        }
        if event.name.as_str() == names::RECORDING_DELETED.as_str() {
            // Whoever wrote its files removes them; there is nothing left to be cleaned later.
            context.commit(outbox.remove(&key)).await?;
            return Ok(Outbox::new());
        }
        manifest.learn(context, delivery)?;
        self.worker.keep(manifest, outbox).await?;
        Ok(Outbox::new())
    }

    async fn health(&self) -> Health {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            return Health::Degraded(
                "nothing is removed any more: its worker ended; restart the plugin".into(),
            );
        }
        self.worker.problem().map_or(Health::Healthy, Health::Degraded)
    }

    async fn call(&self, request: Request) -> Response {
        match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["plan"]) => match self.plan().await {
                Ok(plan) => Response::json(&plan),
                Err(error) => Response::problem(500, &removal::in_words(&error)),
            },
            _ => Response::not_found(&format!("there is nothing at {}: ask for /plan", request.path)),
        }
    }

    async fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // One that takes longer is not waited for: its removal is noted.
            tokio::time::timeout(END_WITHIN, task).await.ok();
        }
    }
}

impl CleanupFiles {
    async fn plan(&self) -> Result<Value, ContextError> {
        let Worker { context, config, .. } = &*self.worker;
        let mut due = Vec::new();
        for (key, Due { recording_id, at }) in state::rows::<Due>(context, state::DUE)? {
            let manifest: Option<Manifest> = context.state_json(&state::meeting(&recording_id))?;
            if let Some(manifest) = manifest.filter(|it| it.due.as_ref() == Some(&key)) {
                let mut row = shown(&recording_id, &self.worker.at_the_end(manifest).await?);
                row["at"] = json!(at);
                due.push(row);
            }
        }
        let oldest = self.worker.done_with_audio(None).await?;
        let when_short = oldest.iter().take(MOST_PLANNED).map(|(manifest, removal)| {
            let mut row = shown(&manifest.recording_id, removal);
            row["ended_at"] = json!(manifest.ended_at);
            row
        });
        Ok(json!({
            "dry_run": config.dry_run,
            "due": due,
            "when_short": when_short.collect::<Vec<_>>(),
            "free_bytes": self.worker.free().await?,
            "min_free_mib": config.min_free_mib,
        }))
    }
}

fn shown(recording_id: &str, removal: &Removal) -> Value {
    json!({ "recording_id": recording_id, "files": removal.files, "bytes": removal.bytes() })
}

/// What an event says could not be kept.
fn given_up(event: &Event, error: &str) -> Option<NewEvent> {
    let recording_id = event.payload["recording_id"].as_str().unwrap_or_default();
    let metadata = event.payload["metadata"].as_object().cloned().unwrap_or_default();
    Some(removal::failed(recording_id, error.to_owned(), metadata))
}
