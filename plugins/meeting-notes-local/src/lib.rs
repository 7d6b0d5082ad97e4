//! Writes notes of a meeting on this box: by a model that Ollama runs, or by the box itself. Owns the choice
//! between the two and what is told of it; the notes themselves are `panotti-notes`' matter.

mod ollama;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use panotti_notes::{AskError, Meeting, Notes, Store, WriteError, Written, extract, given_up, render, write};
use panotti_sdk::{
    Configured, Context, Delivery, Descriptor, HandlerError, Health, Outbox, Permissions, Plugin,
    PluginError, Request, Response, Route, async_trait,
    names::{
        MEETING_NOTES_LOCAL_COMPLETED, MEETING_NOTES_LOCAL_ERROR, MEETING_NOTES_LOCAL_REQUESTED,
        RECORDING_DELETED,
    },
    payloads::{NotesWriter, TranscriptionCompleted},
    schemars::{self, JsonSchema},
    serde_json::{Map, json},
};
use serde::{Deserialize, Serialize};

use self::ollama::Ollama;

/// With `writer: auto`, the attempt at which a model that fails is given up for notes without one.
const LAST_ATTEMPT: u32 = 3;

/// What the host knows of this plugin.
pub const DESCRIPTOR: Descriptor = Descriptor {
    description: "Writes notes of a meeting on this box: by a language model, or by itself.",
    topics: &["transcription_local.completed", "recording.deleted", "meeting_notes_local.requested"],
    permissions: Permissions {
        publish: &["meeting_notes_local.*"],
        hosts: &["config:ollama_url"],
        directories: &["config:output_directory", "data"],
        ..Permissions::NONE
    },
    given_up: Some(|event, error| Some(given_up(event, error, MEETING_NOTES_LOCAL_ERROR))),
    routes: &[
        Route {
            method: "GET",
            path: "/notes/{recording_id}",
            role: "viewer",
            description: "The notes of a recording, Markdown.",
        },
        Route {
            method: "POST",
            path: "/notes/{recording_id}",
            role: "operator",
            description: "Writes the notes of a recording again: after a model was installed, for one.",
        },
    ],
    ..Descriptor::of::<MeetingNotesLocal>(
        "meeting_notes_local",
        env!("CARGO_PKG_VERSION"),
        include_str!("../plugin.yaml.example"),
    )
};

/// Who writes notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Writer {
    /// The model; the box by itself where there is none or it fails.
    #[default]
    Auto,
    /// The model alone; a failure is an error.
    Model,
    /// The box by itself; no model is asked.
    Extract,
}

/// Settings of the notes that are written on this box.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the notes go: a directory, absolute or below the box's data directory.
    #[schemars(length(min = 1))]
    pub output_directory: String,
    /// Where Ollama listens: `http://HOST:PORT`, or with `/api/generate` or `/api/chat` behind it for one way
    /// of asking; without, it is `/api/chat`.
    #[schemars(length(min = 1))]
    pub ollama_url: String,
    /// Which of its models writes.
    #[schemars(length(min = 1, max = 200))]
    pub model_name: String,
    /// How much the model reads and writes at once, tokens. Longer meetings are cut into parts. More takes more
    /// memory.
    #[schemars(range(min = 4096, max = 1_048_576))]
    pub num_ctx: u32,
    /// Longest wait for one answer of the model, s.
    #[schemars(range(min = 1, max = 86_400), extend("x-unit" = "s"))]
    pub timeout: u32,
    /// Who writes: `auto` is the model, or the box by itself where there is none or it fails; `model` is the
    /// model alone, and a failure is an error; `extract` is the box by itself.
    pub writer: Writer,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output_directory: "data/meeting_notes_local".into(),
            ollama_url: "http://localhost:11434/api/generate".into(),
            model_name: "llama3.1:8b".into(),
            num_ctx: 131_072,
            timeout: 900,
            writer: Writer::Auto,
        }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct MeetingNotesLocal {
    config: Config,
    context: Context,
    store: Store,
    ollama: Ollama,
    /// Why the model did not write the last notes, where one is to be expected.
    trouble: Mutex<Option<String>>,
}

impl Configured for MeetingNotesLocal {
    type Config = Config;

    fn new(config: Config, context: Context) -> Result<Self, PluginError> {
        let store = Store::new(context.clone(), &config.output_directory)?;
        let ollama = Ollama::new(&config, context.clone());
        let ollama = ollama.map_err(|reason| PluginError::config("ollama_url", reason))?;
        Ok(Self { config, context, store, ollama, trouble: Mutex::default() })
    }
}

#[async_trait]
impl Plugin for MeetingNotesLocal {
    async fn handle(&self, delivery: &Delivery) -> Result<Outbox, HandlerError> {
        if delivery.event.name == RECORDING_DELETED.into() {
            return self.store.delete(&delivery.payload()?).await;
        }
        let event: TranscriptionCompleted = delivery.payload()?;
        let meeting = self.store.read(delivery, &event).await?;
        let written = self.written(delivery.attempt, meeting).await?;
        self.store.keep(delivery, &event, MEETING_NOTES_LOCAL_COMPLETED, written).await
    }

    async fn health(&self) -> Health {
        self.trouble().clone().map_or(Health::Healthy, Health::Degraded)
    }

    async fn call(&self, request: Request) -> Response {
        match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["notes", id]) => self.store.answer(id).await,
            ("POST", ["notes", id]) => self.request(id).await,
            _ => Response::not_found(&format!("there is nothing at {}: ask for /notes/ID", request.path)),
        }
    }
}

impl MeetingNotesLocal {
    /// The notes of `meeting`, by whoever is to write them and can.
    async fn written(&self, attempt: u32, meeting: Meeting) -> Result<Written, HandlerError> {
        if self.config.writer == Writer::Extract || meeting.lines.is_empty() {
            return self.extracted(meeting, None, false).await;
        }
        let error = match write(&self.ollama, &meeting, self.ollama.budget()).await {
            Ok(notes) => {
                *self.trouble() = None;
                return Ok(self.by_model(&meeting, &notes));
            }
            Err(error) => error,
        };
        let absent = matches!(error, WriteError::Ask(AskError::Unreachable(_)));
        // A box without Ollama is well in `auto`.
        *self.trouble() = (!absent || self.config.writer == Writer::Model).then(|| error.to_string());
        let again = matches!(error, WriteError::Ask(AskError::Failed(_))) && attempt < LAST_ATTEMPT;
        if self.config.writer == Writer::Model || again {
            return Err(error.into());
        }
        let problem = if absent {
            let model = &self.config.model_name;
            format!(
                "{error}. For notes by a language model install Ollama and run `ollama pull {model}`; if none is wanted, set `writer: extract`"
            )
        } else {
            error.to_string()
        };
        self.extracted(meeting, Some(problem), !absent || attempt > 1).await
    }

    fn by_model(&self, meeting: &Meeting, notes: &Notes) -> Written {
        let model = &self.config.model_name;
        let place = match self.ollama.is_here() {
            true => "on this box; nothing left it".to_owned(),
            false => "on another machine: the transcript left this box".to_owned(),
        };
        let notice = format!(
            "Written by the language model {model} {place}. A model can be wrong: in doubt the transcript counts."
        );
        Written {
            text: render(meeting, notes, &notice),
            written_by: NotesWriter::LanguageModel,
            problem: None,
            left_the_box: !self.ollama.is_here(),
            config: self.told(),
        }
    }

    /// Notes without a model; `asked`: whether one may have read the transcript before.
    async fn extracted(
        &self,
        meeting: Meeting,
        problem: Option<String>,
        asked: bool,
    ) -> Result<Written, HandlerError> {
        let mut notice =
            "Written without a language model: these are sentences of the transcript, chosen by \
            their wording. Something may be missing."
                .to_owned();
        if !meeting.is_english() {
            notice += &format!(
                " The wording is looked for in English; the transcript is in `{}`.",
                meeting.language
            );
        }
        if let Some(problem) = &problem {
            notice += &format!(" No model wrote them because {problem}.");
        }
        let text = self.context.blocking(move || render(&meeting, &extract(&meeting), &notice)).await?;
        let left_the_box = asked && !self.ollama.is_here();
        Ok(Written { text, written_by: NotesWriter::Extract, problem, left_the_box, config: self.told() })
    }

    /// The settings that matter for notes.
    fn told(&self) -> Map<String, panotti_sdk::serde_json::Value> {
        let Config { model_name, num_ctx, writer, .. } = &self.config;
        let pairs =
            [("model_name", json!(model_name)), ("num_ctx", json!(num_ctx)), ("writer", json!(writer))];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    async fn request(&self, recording_id: &str) -> Response {
        let event = match self.store.request(recording_id, MEETING_NOTES_LOCAL_REQUESTED) {
            Ok(Some(event)) => event,
            Ok(None) => {
                return Response::not_found(&format!("no transcript of `{recording_id}` is known here"));
            }
            Err(error) => return Response::problem(500, &error.to_string()),
        };
        match self.context.publish(event).await {
            Ok(event) => {
                let told =
                    json!({ "recording_id": recording_id, "event_id": event.id, "status": "requested" });
                Response { status: 202, ..Response::json(&told) }
            }
            Err(error) => Response::problem(500, &error.to_string()),
        }
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
