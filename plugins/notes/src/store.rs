//! Files and state of the plugins that write notes. Owns reading the transcript, writing the notes' file, what
//! is remembered of a recording and removing all of it; leaves what stands in the notes to others.
//!
//! State: the recording's id itself is the key.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use panotti_sdk::{
    Context, ContextError, Delivery, Event, EventType, HandlerError, NewEvent, Outbox, PluginError, Response,
    files,
    jiff::Timestamp,
    payloads::{
        Completed, Failed, MeetingNotes, MeetingNotesCompleted, MeetingNotesError, NotesInput, NotesWriter,
        RecordingDeleted, StageError, Transcript, TranscriptionCompleted,
    },
    serde_json::{self, Map, Value},
    uuid::Uuid,
};
use serde::{Deserialize, Serialize};

use crate::Meeting;

/// What is remembered of a recording.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    /// What its notes are written from.
    event: TranscriptionCompleted,
    /// That event's id.
    event_id: Uuid,
    /// The meeting's.
    correlation_id: Uuid,
    /// All files that were written for it, the latest last.
    files: Vec<String>,
}

/// Notes that are ready to be kept.
#[derive(Debug, Clone)]
pub struct Written {
    /// The file's Markdown.
    pub text: String,
    /// Who wrote them.
    pub written_by: NotesWriter,
    /// Why it was not the model that is set.
    pub problem: Option<String>,
    /// Whether text of the meeting left the box.
    pub left_the_box: bool,
    /// The settings that matter for them, without secrets.
    pub config: Map<String, Value>,
}

/// What cannot be done with a file or a recording.
#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("`{0}` is no recording id: nothing is written for it")]
    Id(String),
    #[error("the transcript {0} is gone: have the recording written down again")]
    Gone(String),
    #[error("the transcript {path} cannot be read")]
    Read { path: String, source: std::io::Error },
    #[error("the transcript {path} is not understood: have the recording written down again")]
    Json { path: String, source: serde_json::Error },
    #[error("the notes {path} cannot be written: is the disk full?")]
    Write { path: String, source: std::io::Error },
    #[error("the notes {path} cannot be removed")]
    Remove { path: String, source: std::io::Error },
}

impl From<StoreError> for HandlerError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Id(_) | StoreError::Gone(_) | StoreError::Json { .. } => Self::permanent(error),
            StoreError::Read { .. } | StoreError::Write { .. } | StoreError::Remove { .. } => {
                Self::retryable(error)
            }
        }
    }
}

/// Files and state of one plugin.
#[derive(Debug, Clone)]
pub struct Store {
    context: Context,
    directory: PathBuf,
    /// A handler that is given up leaves its thread behind, which may still write while the next one does.
    writing: Arc<Mutex<()>>,
}

impl Store {
    /// Notes below the directory that the setting `output_directory` names.
    ///
    /// # Errors
    /// [`PluginError::Config`] when it names none.
    pub fn new(context: Context, output_directory: &str) -> Result<Self, PluginError> {
        let directory = context.resolve(output_directory);
        let directory = directory.map_err(|it| PluginError::config("output_directory", it.to_string()))?;
        Ok(Self { context, directory, writing: Arc::default() })
    }

    /// The meeting that an event tells of. From here on it is remembered, so that its notes can be asked for
    /// again even when writing them fails.
    ///
    /// # Errors
    /// Permanent for a bad id and a transcript that is gone or none, retryable when the disk fails.
    pub async fn read(
        &self,
        delivery: &Delivery,
        event: &TranscriptionCompleted,
    ) -> Result<Meeting, HandlerError> {
        if !files::valid_id(&event.recording_id) {
            let id = event.recording_id.chars().take(128).collect();
            return Err(StoreError::Id(id).into());
        }
        let path = self.context.resolve(&event.output_file)?;
        let transcript = self.context.blocking(move || transcript(&path)).await??;
        let mut kept = self.kept(&event.recording_id)?.unwrap_or_else(|| Kept::new(delivery, event));
        if kept.files.is_empty() || kept.event != *event {
            kept.event = event.clone();
            let outbox = Outbox::new().put_json(&event.recording_id, &kept)?;
            self.context.commit(outbox).await?;
        }
        Ok(Meeting::new(event, transcript))
    }

    /// Writes the notes' file, and answers the event that tells of it together with what is remembered.
    ///
    /// # Errors
    /// Retryable when the disk does not take it.
    pub async fn keep(
        &self,
        delivery: &Delivery,
        event: &TranscriptionCompleted,
        told: EventType<MeetingNotesCompleted>,
        written: Written,
    ) -> Result<Outbox, HandlerError> {
        let id = &event.recording_id;
        let path = self.path(id);
        let shown = path.to_string_lossy().into_owned();
        let (writing, text) = (self.writing.clone(), written.text);
        self.context
            .blocking(move || {
                let _alone = writing.lock().unwrap_or_else(PoisonError::into_inner);
                files::write(&path, text.as_bytes())
            })
            .await?
            .map_err(|source| StoreError::Write { path: shown.clone(), source })?;
        let mut kept = self.kept(id)?.unwrap_or_else(|| Kept::new(delivery, event));
        kept.files.retain(|it| *it != shown);
        kept.files.push(shown.clone());
        let notes = MeetingNotes {
            status: Completed::Completed,
            timestamp: Timestamp::now(),
            recording_id: id.clone(),
            notes_path: shown.clone(),
            input_paths: NotesInput { transcript: event.output_file.clone() },
            config: written.config,
            written_by: Some(written.written_by),
            problem: written.problem,
            left_the_box: written.left_the_box,
            files: vec![shown],
        };
        let payload =
            MeetingNotesCompleted { recording_id: id.clone(), meeting_notes: notes, metadata: titled(event) };
        Ok(Outbox::new().put_json(id, &kept)?.publish(NewEvent::of(told, &payload)))
    }

    /// Removes everything that was written for a recording, and what is remembered of it.
    ///
    /// # Errors
    /// Retryable when a file cannot be removed.
    pub async fn delete(&self, deleted: &RecordingDeleted) -> Result<Outbox, HandlerError> {
        let id = deleted.recording_id.clone();
        if !files::valid_id(&id) {
            return Ok(Outbox::new());
        }
        let mut paths: Vec<_> = self.kept(&id)?.map(|it| it.files).unwrap_or_default();
        // Of a write that was not committed nothing is remembered.
        paths.push(self.path(&id).to_string_lossy().into_owned());
        let writing = self.writing.clone();
        let removed = move || {
            let _alone = writing.lock().unwrap_or_else(PoisonError::into_inner);
            paths.into_iter().try_for_each(|path| match files::remove(Path::new(&path)) {
                Ok(_) => Ok(()),
                Err(source) => Err(StoreError::Remove { path, source }),
            })
        };
        self.context.blocking(removed).await??;
        Ok(Outbox::new().remove(&id))
    }

    /// The event `name` that asks for the notes of a recording once more: it belongs to the meeting and carries
    /// what its transcript's event did. `None` when nothing is known of the recording.
    ///
    /// # Errors
    /// See [`Context::state_json`].
    pub fn request(
        &self,
        recording_id: &str,
        name: EventType<TranscriptionCompleted>,
    ) -> Result<Option<NewEvent>, ContextError> {
        let Some(kept) = self.kept(recording_id)? else { return Ok(None) };
        let event = NewEvent::of(name, &kept.event);
        Ok(Some(event.correlated(kept.correlation_id).because_of(Some(kept.event_id))))
    }

    /// The notes of a recording, as an answer to a request.
    pub async fn answer(&self, recording_id: &str) -> Response {
        let file = match self.kept(recording_id) {
            Ok(kept) => kept.and_then(|it| it.files.into_iter().next_back()),
            Err(error) => return Response::problem(500, &error.to_string()),
        };
        let none = || Response::not_found(&format!("there are no notes of `{recording_id}`"));
        let Some(file) = file else { return none() };
        match self.context.blocking(move || fs::read(file)).await {
            Ok(Ok(body)) => {
                Response { status: 200, content_type: "text/markdown; charset=utf-8".into(), body }
            }
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => none(),
            Ok(Err(error)) => Response::problem(500, &format!("the notes cannot be read: {error}")),
            Err(error) => Response::problem(500, &error.to_string()),
        }
    }

    /// Ids have dots: text is appended, no ending is replaced.
    fn path(&self, recording_id: &str) -> PathBuf {
        self.directory.join(format!("{recording_id}_meeting_notes.md"))
    }

    fn kept(&self, recording_id: &str) -> Result<Option<Kept>, ContextError> {
        self.context.state_json(recording_id)
    }
}

impl Kept {
    fn new(delivery: &Delivery, event: &TranscriptionCompleted) -> Self {
        let correlation_id = delivery.event.context.correlation_id;
        Self { event: event.clone(), event_id: delivery.event.id, correlation_id, files: Vec::new() }
    }
}

fn transcript(path: &Path) -> Result<Transcript, StoreError> {
    let shown = || path.to_string_lossy().into_owned();
    let text = fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => StoreError::Gone(shown()),
        _ => StoreError::Read { path: shown(), source },
    })?;
    serde_json::from_slice(&text).map_err(|source| StoreError::Json { path: shown(), source })
}

/// What to publish when an event is given up.
pub fn given_up(event: &Event, error: &str, told: EventType<MeetingNotesError>) -> NewEvent {
    let recording_id = event.payload["recording_id"].as_str().unwrap_or_default().to_owned();
    let metadata = event.payload["metadata"].as_object().cloned().unwrap_or_default();
    let meeting_notes = StageError {
        status: Failed::Error,
        timestamp: Timestamp::now(),
        error: error.to_owned(),
        config: Map::new(),
    };
    NewEvent::of(told, &MeetingNotesError { recording_id, meeting_notes, metadata })
}

/// What is known of the meeting, with its title where a client gave none: who is told of notes looks there.
fn titled(event: &TranscriptionCompleted) -> Map<String, Value> {
    let mut metadata = event.metadata.clone();
    if !event.title.is_empty() {
        metadata.entry("eventTitle").or_insert_with(|| event.title.clone().into());
    }
    metadata
}
