//! The life of a recording. Owns its states, its record in the log's tables and its files; leaves audio
//! to `audio`, words to `speech`, and the work between them to `pipeline`, which it commands and which
//! reports back.
//!
//! ```text
//!            start                 stop                closed               written down
//!  (nothing) ─────▶ recording ─────────────▶ stopping ────────▶ transcribing ───────────▶ done
//!                    │     ▲                   │                  ▲    │
//!              pause ▼     │ resume            │                  │    ▼
//!                    paused ── stop ──▶ stopping│            retry │  failed
//!                                               └──── error ──────┴────▶ failed
//! ```
//! A crash leaves `recording`, `paused`, `stopping` or `transcribing` behind; the next start closes the
//! audio, marks the recording `interrupted` and goes on from `transcribing`.

mod record;

pub use record::{NewRecording, Origin, Patch, Recording, State, Track};

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    audio::StreamFormat,
    event_log::EventLog,
    speech::{Segment, Transcript},
};

/// What the pipeline is asked to do.
#[derive(Debug)]
pub enum Command {
    /// Open files in `dir` and begin.
    Start {
        /// The recording.
        id: String,
        /// Where its audio goes; exists.
        dir: PathBuf,
        /// Says what is recorded, or why nothing is.
        reply: oneshot::Sender<Result<StreamFormat, String>>,
    },
    /// Keep nothing until resumed.
    Pause {
        /// Audio recorded so far, ms.
        reply: oneshot::Sender<Result<u64, String>>,
    },
    /// Go on.
    Resume {
        /// Audio recorded so far, ms.
        reply: oneshot::Sender<Result<u64, String>>,
    },
    /// Close the files, then transcribe.
    Stop {
        /// Audio recorded, ms.
        reply: oneshot::Sender<Result<u64, String>>,
    },
    /// Transcribe what is closed already: after a crash, an import, a retry.
    Transcribe {
        /// The recording.
        id: String,
    },
    /// It is gone: stop working on it.
    Forget {
        /// The recording.
        id: String,
    },
}

/// All recordings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recordings {}

/// What went wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such recording.
    #[error("there is no recording `{id}`")]
    Unknown {
        /// As asked for.
        id: String,
    },
    /// An id or title or patch is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// Not possible in the present state.
    #[error("{0}")]
    Conflict(String),
    /// The device or the disk does not let us.
    #[error("{0}")]
    Unavailable(String),
}

impl Recordings {
    /// Opens the store and takes up what a crash left. Commands for the pipeline arrive at the receiver.
    pub fn open(log: EventLog, dir: PathBuf) -> Result<(Self, mpsc::UnboundedReceiver<Command>), Error> {
        let _ = (log, dir);
        unimplemented!()
    }

    /// Begins a recording; returns when audio is being kept. One at a time.
    pub async fn start(&self, new: NewRecording) -> Result<Recording, Error> {
        let _ = new;
        unimplemented!()
    }

    /// Keeps nothing until resumed.
    pub async fn pause(&self, id: &str) -> Result<Recording, Error> {
        let _ = id;
        unimplemented!()
    }

    /// Goes on.
    pub async fn resume(&self, id: &str) -> Result<Recording, Error> {
        let _ = id;
        unimplemented!()
    }

    /// Ends it; the transcript follows.
    pub async fn stop(&self, id: &str) -> Result<Recording, Error> {
        let _ = id;
        unimplemented!()
    }

    /// Writes it down again.
    pub async fn transcribe_again(&self, id: &str) -> Result<Recording, Error> {
        let _ = id;
        unimplemented!()
    }

    /// Changes title, attendees or metadata.
    pub async fn update(&self, id: &str, patch: Patch) -> Result<Recording, Error> {
        let _ = (id, patch);
        unimplemented!()
    }

    /// Removes it and its files for good.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let _ = id;
        unimplemented!()
    }

    /// One recording.
    pub fn get(&self, id: &str) -> Result<Recording, Error> {
        let _ = id;
        unimplemented!()
    }

    /// Newest first, those with an id below `before`, at most `limit`.
    pub fn list(&self, before: Option<&str>, limit: usize) -> Result<Vec<Recording>, Error> {
        let _ = (before, limit);
        unimplemented!()
    }

    /// The recording that runs (recording, paused or stopping).
    pub fn active(&self) -> Option<Recording> {
        unimplemented!()
    }

    /// The WAV files of each track, in order.
    pub fn audio_files(&self, recording: &Recording) -> Result<Vec<Vec<PathBuf>>, Error> {
        let _ = recording;
        unimplemented!()
    }

    /// What was written down; `None` when nothing is yet. While it runs: the captions so far.
    pub fn transcript(&self, id: &str) -> Result<Option<Transcript>, Error> {
        let _ = id;
        unimplemented!()
    }

    /// The original's `POST /api/recording-started`: a client records by itself. `event_id` of the event.
    pub async fn client_started(&self, started: ClientStarted) -> Result<Uuid, Error> {
        let _ = started;
        unimplemented!()
    }

    /// The original's `POST /api/recording-ended`. Returns its event id, `<id>_ended_<timestamp>`.
    /// A repeat of the same end returns the first one's id and does nothing.
    pub async fn client_ended(&self, ended: ClientEnded) -> Result<String, Error> {
        let _ = ended;
        unimplemented!()
    }

    /// A caption of the running recording.
    pub fn caption(&self, id: &str, segment: Segment) -> Result<(), Error> {
        let _ = (id, segment);
        unimplemented!()
    }
}

/// A client says that it has begun to record.
#[derive(Debug, Clone, Default)]
pub struct ClientStarted {
    /// The client's id.
    pub recording_id: String,
    /// When, as the client says; checked.
    pub timestamp: Option<jiff::Timestamp>,
    /// The far end's track.
    pub system_audio_path: Option<String>,
    /// The room's track.
    pub microphone_audio_path: Option<String>,
    /// Whatever it knows of the meeting.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// A client says that its recording is complete.
#[derive(Debug, Clone, Default)]
pub struct ClientEnded {
    /// The client's id.
    pub recording_id: String,
    /// When, as the client wrote it (part of the event id) …
    pub timestamp_text: Option<String>,
    /// … and understood.
    pub timestamp: Option<jiff::Timestamp>,
    /// The far end's track.
    pub system_audio_path: Option<String>,
    /// The room's track.
    pub microphone_audio_path: Option<String>,
    /// Whatever it knows of the meeting.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}
