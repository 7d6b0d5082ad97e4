//! Writes notes of a meeting by a service elsewhere: text leaves the box, and every trace of it says so. Owns the
//! settings and the choice of the service; the services are in `provider`, the notes are `panotti-notes`' matter.

mod provider;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use panotti_notes::{Store, Written, extract, given_up, render, write};
use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Health, Outbox, Permissions, Plugin,
    PluginError, SecretRef, Service, async_trait,
    names::{MEETING_NOTES_REMOTE_COMPLETED, MEETING_NOTES_REMOTE_ERROR, RECORDING_DELETED},
    payloads::{NotesWriter, TranscriptionCompleted},
    schemars::{self, JsonSchema},
    serde_json::{Map, Value, json},
};
use serde::{Deserialize, Serialize};

use self::provider::{BUDGET, Remote};

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

/// A service that writes notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// OpenAI, or a service with the same API.
    Openai,
    /// Anthropic.
    #[default]
    Anthropic,
    /// Google's Gemini.
    Google,
}

/// Settings of the notes that a service writes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the notes go: a directory of their own, absolute or below the box's data directory.
    #[schemars(length(min = 1))]
    pub output_directory: String,
    /// Which service gets the transcripts: `openai`, `anthropic` or `google`.
    pub provider: Provider,
    /// Longest wait for one answer of the service, s.
    #[schemars(range(min = 1, max = 3600), extend("x-unit" = "s"))]
    pub timeout: u32,
    /// Used with `provider: openai`.
    pub openai: Access,
    /// Used with `provider: anthropic`.
    pub anthropic: Access,
    /// Used with `provider: google`.
    pub google: Access,
}

/// The way into a service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The name of the secret that holds the key: `{ secret: NAME }`. The key itself never stands here.
    #[serde(default)]
    pub api_key: Option<SecretRef>,
    /// Which of its models writes.
    #[schemars(length(min = 1, max = 200))]
    pub model: String,
    /// Where the service is: the beginning of its URLs. `https`, or `http` on this machine.
    #[schemars(length(min = 1))]
    pub base_url: String,
}

impl Access {
    fn of(secret: &str, model: &str, base_url: &str) -> Self {
        let api_key = Some(SecretRef { secret: secret.to_owned() });
        Self { api_key, model: model.to_owned(), base_url: base_url.to_owned() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output_directory: "data/meeting_notes_remote".into(),
            provider: Provider::Anthropic,
            timeout: 600,
            openai: Access::of("OPENAI_API_KEY", "gpt-4o", "https://api.openai.com/v1"),
            anthropic: Access::of(
                "ANTHROPIC_API_KEY",
                "claude-3-5-sonnet-20241022",
                "https://api.anthropic.com/v1",
            ),
            google: Access::of(
                "GOOGLE_API_KEY",
                "gemini-1.5-flash",
                "https://generativelanguage.googleapis.com/v1beta",
            ),
        }
    }
}

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
            let notes = write(&model, &meeting, BUDGET).await.map_err(|error| {
                *self.trouble() = Some(error.to_string());
                error
            })?;
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
