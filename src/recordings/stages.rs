//! What plugins make of a recording. Owns following their events and keeping what came of each stage with
//! the recording; leaves the stages themselves to the plugins, and the state machine to the parent.

use std::{fs, future::Future, io, path::Path, pin::Pin};

use jiff::Timestamp;
use panotti_sdk::{Delivery, Event, Filter, HandlerError, filter::Topic, names};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Error, Recordings, State};
use crate::{
    bus::{self, Answer, Bus, Effects, Handler, Running, Start, Subscription},
    error_chain::chain,
    speech::Transcript,
};

/// The plugin that writes recordings down where it is there.
pub const WRITER: &str = "audio_transcription_local";
/// The subscription's name.
const SUBSCRIPTION: &str = "recordings";
/// What the stages begin with whose output are notes.
const NOTES: &str = "meeting_notes";
/// Most characters that are kept of an error.
const MOST_CHARS: usize = 1000;

/// What came of one stage of the work on a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stage {
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why it failed, or what went less than well, and what to do.
    pub problem: Option<String>,
    /// Its main file.
    pub output: Option<String>,
    /// All files it made.
    pub files: Vec<String>,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Well.
    Completed,
    /// Not at all.
    Error,
}

impl Recordings {
    /// Follows what plugins make of recordings, from now on.
    ///
    /// # Errors
    /// The bus's.
    pub async fn follow(&self, bus: &Bus) -> Result<Running, bus::Error> {
        let topics = ["*.completed", "*.error"].into_iter().filter_map(|it| it.parse::<Topic>().ok());
        let topics = topics.chain([names::PLUGIN_STATE_CHANGED.into()]).collect();
        let filter = Filter { topics, ..Filter::default() };
        // From the beginning, so that on a new box nothing is missed that a plugin says before this runs.
        let start = Start::Beginning;
        let subscription = Subscription { start, ..Subscription::new(SUBSCRIPTION, filter) };
        bus.subscribe(subscription, Follower(self.clone())).await
    }

    /// The notes of a recording: what the plugin `by` wrote, or the newest; `None` when there are none.
    ///
    /// # Errors
    /// [`Error::Unknown`], and [`Error::File`] when the file cannot be read.
    pub fn notes(&self, id: &str, by: Option<&str>) -> Result<Option<String>, Error> {
        let recording = self.get(id)?;
        let mut written: Vec<_> = recording
            .stages
            .iter()
            .filter(|(name, it)| {
                let wanted = by.is_none_or(|by| by == name.as_str());
                // Of other stages no file is read for anybody.
                name.starts_with(NOTES) && wanted && it.outcome == Outcome::Completed
            })
            .collect();
        written.sort_by_key(|(_, it)| it.at);
        let Some(path) = written.last().and_then(|(_, it)| it.output.as_deref()) else { return Ok(None) };
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(super::error::at("read", Path::new(path))(error)),
        }
    }

    /// Keeps what came of a stage; what is about no recording of ours is passed over.
    fn stage_ended(&self, event: &Event) -> Result<(), Error> {
        let source = event.context.source_plugin.as_deref().unwrap_or_default();
        let Some(id) = event.payload.get("recording_id").and_then(Value::as_str) else { return Ok(()) };
        let (Some((name, word)), false) =
            (event.name.as_str().rsplit_once('.'), ["core", "api"].contains(&source))
        else {
            return Ok(());
        };
        let Some(recording) = self.0.store.find(id)? else { return Ok(()) };
        let stage = stage(event, name, word == "completed");
        let transcript = match (name, &stage.outcome, &stage.output) {
            ("transcription_local", Outcome::Completed, Some(path)) => {
                Some(read_transcript(Path::new(path))?)
            }
            _ => None,
        };
        let changed = self.0.store.change(&recording.id, |recording| {
            if let Some(transcript) = &transcript {
                // In here, so that a recording that is being deleted gets no file again.
                self.0.files.write_transcript(&recording.id, transcript)?;
                recording.duration_ms = recording.duration_ms.max(transcript.duration_ms);
            }
            match (name, recording.state) {
                // Also one that had failed: somebody replayed it.
                ("transcription_local", State::Transcribing | State::Failed) if transcript.is_some() => {
                    recording.enter(State::Done)?;
                }
                ("transcription_local", State::Transcribing) => recording.enter(State::Failed)?,
                _ => {}
            }
            if name == "transcription_local" {
                recording.error = match stage.outcome {
                    Outcome::Completed => recording.error.take().filter(|_| recording.interrupted),
                    Outcome::Error => stage.problem.clone(),
                };
            }
            recording.stages.insert(name.to_owned(), stage);
            Ok(Vec::new())
        });
        match changed {
            Err(Error::Unknown { .. }) => Ok(()),
            changed => changed.map(|_| ()),
        }
    }

    /// The plugin that writes recordings down is gone: the core does what it left.
    fn take_over(&self) -> Result<(), Error> {
        let mut last = None;
        loop {
            let page = self.0.store.list(last.as_ref(), 256)?;
            for recording in page.iter().filter(|it| it.state == State::Transcribing) {
                self.0.take_up(recording)?;
            }
            match page.into_iter().next_back() {
                Some(oldest) => last = Some(oldest),
                None => return Ok(()),
            }
        }
    }
}

/// Handles the events.
struct Follower(Recordings);

impl Handler for Follower {
    fn handle(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        let recordings = self.0.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || {
                let event = &delivery.event;
                if event.name.as_str() != names::PLUGIN_STATE_CHANGED.as_str() {
                    return recordings.stage_ended(event);
                }
                let text = |key: &str| event.payload.get(key).and_then(Value::as_str).unwrap_or_default();
                // While it stops it may still end what it does.
                let gone = text("plugin") == WRITER && ["disabled", "failed"].contains(&text("to"));
                if gone && !recordings.0.left_to_plugin() { recordings.take_over() } else { Ok(()) }
            });
            match done.await {
                Ok(Ok(())) => Ok(Effects::default()),
                Ok(Err(error)) => Err(HandlerError::retryable(error)),
                Err(error) => Err(HandlerError::retryable(error)),
            }
        })
    }

    /// A transcript that cannot be taken over leaves nobody waiting for it.
    fn given_up(&self, event: &Event, error: &str) -> Effects {
        let (recordings, error) = (self.0.clone(), error.to_owned());
        let id = event.payload.get("recording_id").and_then(Value::as_str).map(str::to_owned);
        if let (Some(id), true) = (id, event.name.as_str().starts_with("transcription_local.")) {
            tokio::task::spawn_blocking(move || {
                let failed = recordings.0.store.change(&id, |recording| {
                    recording.enter(State::Failed)?;
                    recording.error = Some(error);
                    Ok(Vec::new())
                });
                if let Err(error) = failed {
                    tracing::error!(recording = id, error = chain(&error), "It stays as it is.");
                }
            });
        }
        Effects::default()
    }
}

/// What an event says of its stage `name`: in the field that is called like it or like its beginning, else in
/// the payload itself. Never in what a client may have written, the metadata.
fn stage(event: &Event, name: &str, completed: bool) -> Stage {
    let payload = &event.payload;
    let of_stage = |(key, it): &(&String, &Value)| it.is_object() && name.starts_with(key.as_str());
    let inner = payload.as_object().and_then(|it| it.iter().find(of_stage));
    let result = inner.map_or(payload, |(_, it)| it);
    let text = |key: &str| result.get(key).and_then(Value::as_str).map(str::to_owned);
    let shortened = |it: String| it.chars().take(MOST_CHARS).collect();
    Stage {
        outcome: if completed { Outcome::Completed } else { Outcome::Error },
        at: event.context.timestamp,
        problem: text(if completed { "problem" } else { "error" }).map(shortened),
        output: ["output_file", "notes_path", "output_path"].into_iter().find_map(text),
        files: result.get("files").and_then(read).unwrap_or_default(),
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn read_transcript(path: &Path) -> Result<Transcript, Error> {
    let bytes = fs::read(path).map_err(super::error::at("read", path))?;
    serde_json::from_slice(&bytes)
        .map_err(|source| Error::Damaged { what: path.display().to_string(), source })
}
