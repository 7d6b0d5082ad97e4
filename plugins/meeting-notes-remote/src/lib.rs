//! Writes notes of a meeting by a service elsewhere: text leaves the box, and every trace of it says so. Owns the
//! settings and the choice of the service; the services are in `provider`, the notes are `panotti-notes`' matter.

mod provider;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use panotti_notes::{Store, Written, extract, given_up, render, write};
use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Health, Outbox, Permissions, Plugin,
    PluginError, Service, async_trait,
    names::{MEETING_NOTES_REMOTE_COMPLETED, MEETING_NOTES_REMOTE_ERROR, RECORDING_DELETED},
    payloads::{NotesWriter, TranscriptionCompleted},
    serde_json::{Map, Value, json},
};

use self::provider::{BUDGET, Remote};
pub use self::settings::{Anthropic, Config, Google, OpenAi, Provider};

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Writes notes of a meeting by a service elsewhere: the transcript leaves the box.",
    topics: &["transcription_local.completed", "recording.deleted"],
    permissions: Permissions {
        publish: &["meeting_notes_remote.*"],
        services: &[Service::Secrets],
        hosts: &["config:openai.base_url", "config:anthropic.base_url", "config:google.base_url"],
        directories: &["config:output_directory", "data"],
    },
    given_up: Some(|event, error| Some(given_up(event, error, MEETING_NOTES_REMOTE_ERROR))),
    ..Descriptor::of::<MeetingNotesRemote>(
        "meeting_notes_remote",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// The plugin.
#[derive(Debug)]
pub struct MeetingNotesRemote {
    config: Config,
    context: Context,
    store: Store,
    remote: Remote,
    /// Why the last notes could not be written.
    trouble: Mutex<Option<String>>,
}

impl Configured for MeetingNotesRemote {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        let store = Store::new(context.clone(), &config.output_directory)?;
        let remote = Remote::new(&config)?;
        Ok(Self { config, context, store, remote, trouble: Mutex::default() })
    }
}

#[async_trait]
impl Plugin for MeetingNotesRemote {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        if delivery.event.name == RECORDING_DELETED.into() {
            return self.store.delete(&delivery.payload()?).await;
        }
        let event: TranscriptionCompleted = delivery.payload()?;
        let meeting = self.store.read(delivery, &event).await?;
        let (text, written_by) = if meeting.lines.is_empty() {
            let notice = "Nothing was said: nothing was sent to anybody.";
            (render(&meeting, &extract(&meeting), notice), NotesWriter::Extract)
        } else {
            let model = self.remote.with_key(&self.context)?;
            let notes = write(&model, &meeting, BUDGET).await;
            let notes = notes.inspect_err(|error| *self.trouble() = Some(error.to_string()))?;
            *self.trouble() = None;
            (render(&meeting, &notes, &self.notice()), NotesWriter::LanguageModel)
        };
        let written = Written {
            text,
            written_by,
            problem: None,
            left_the_box: written_by == NotesWriter::LanguageModel,
            config: self.told(),
        };
        self.store.keep(delivery, &event, MEETING_NOTES_REMOTE_COMPLETED, written).await
    }

    async fn health(&self) -> Health {
        match self.remote.with_key(&self.context) {
            Err(error) => Health::Degraded(error.to_string()),
            Ok(_) => self.trouble().clone().map_or(Health::Healthy, Health::Degraded),
        }
    }
}

impl MeetingNotesRemote {
    fn notice(&self) -> String {
        format!(
            "The transcript of this meeting left the room: it was sent to {}, whose model {} wrote these notes. A \
             model can be wrong: in doubt the transcript counts.",
            self.remote.whom(),
            self.remote.model(),
        )
    }

    /// The settings that matter for notes; never a key, nor its name.
    fn told(&self) -> Map<String, Value> {
        let pairs = [("provider", json!(self.config.provider)), ("model", json!(self.remote.model()))];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
