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

mod client;
mod error;
mod files;
mod life;
mod record;
mod recovery;
mod reports;
mod stages;
mod store;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use panotti_sdk::{names, payloads};
use tokio::sync::{mpsc, oneshot};

pub use client::{ClientEnded, ClientStarted};
pub use error::Error;
pub use record::{NewRecording, Origin, Patch, Recording, State, Track, TrackSource};
pub use stages::{Outcome, Stage, WRITER};

use crate::{audio::StreamFormat, event_log::EventLog, speech::Transcript};
use files::Files;
use store::{Cause, Store};

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
    /// Close the files.
    Stop {
        /// Audio recorded, ms.
        reply: oneshot::Sender<Result<u64, String>>,
    },
    /// Write down what is closed: at the end, after a crash, for a client, again.
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

/// Whether a plugin, and not the core, writes recordings down; asked whenever one is complete.
pub type LeftToPlugin = Box<dyn Fn() -> bool + Send + Sync>;

/// All recordings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recordings(Arc<Inner>);

struct Inner {
    store: Store,
    files: Files,
    labels: Vec<String>,
    left_to_plugin: LeftToPlugin,
    commands: mpsc::UnboundedSender<Command>,
    /// The recording this box makes now. Locked for the whole of a start, a pause, a resume or a stop, so
    /// that these never overlap.
    active: Mutex<Option<String>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("files", &self.files)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl Recordings {
    /// Opens the store and takes up what a crash left. `labels` name the channels of new recordings. What
    /// is `left_to_plugin` is done by whoever handles the events; the core does the rest. Commands for the
    /// pipeline arrive at the receiver, first those for what a crash left.
    pub fn open(
        log: EventLog,
        dir: &Path,
        labels: Vec<String>,
        left_to_plugin: LeftToPlugin,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Command>), Error> {
        let (commands, receiver) = mpsc::unbounded_channel();
        let files = Files::open(dir)?;
        let inner = Inner {
            store: Store::new(log),
            files,
            labels,
            left_to_plugin,
            commands,
            active: Mutex::default(),
        };
        inner.recover()?;
        Ok((Self(Arc::new(inner)), receiver))
    }

    /// Begins a recording; returns when audio is being kept. One at a time.
    pub async fn start(&self, new: NewRecording) -> Result<Recording, Error> {
        self.run(move |it| it.start(new)).await
    }

    /// Keeps nothing until resumed.
    pub async fn pause(&self, id: &str) -> Result<Recording, Error> {
        let id = id.to_owned();
        self.run(move |it| {
            it.switch(&id, State::Paused, names::RECORDING_PAUSED, |reply| Command::Pause { reply })
        })
        .await
    }

    /// Goes on.
    pub async fn resume(&self, id: &str) -> Result<Recording, Error> {
        let id = id.to_owned();
        self.run(move |it| {
            it.switch(&id, State::Recording, names::RECORDING_RESUMED, |reply| Command::Resume { reply })
        })
        .await
    }

    /// Ends it; the transcript follows.
    pub async fn stop(&self, id: &str) -> Result<Recording, Error> {
        let id = id.to_owned();
        self.run(move |it| it.stop(&id, false)).await
    }

    /// Writes a recording down again, for instance after a model was installed.
    pub async fn transcribe_again(&self, id: &str) -> Result<Recording, Error> {
        let id = id.to_owned();
        self.run(move |it| {
            let recording = it.store.change(&id, |recording| {
                recording.enter(State::Transcribing)?;
                recording.error = None;
                it.hand_over(recording);
                let told = it.as_ended(recording);
                Ok(vec![it.store.event(names::TRANSCRIPTION_REQUESTED, recording, &told, Cause::End)?])
            })?;
            it.write_down(&recording);
            Ok(recording)
        })
        .await
    }

    /// Changes title, attendees, metadata or the names of speakers.
    pub async fn update(&self, id: &str, patch: Patch) -> Result<Recording, Error> {
        let id = id.to_owned();
        self.run(move |it| {
            it.store.change(&id, |recording| {
                patch.apply(recording)?;
                let told = payloads::RecordingUpdated {
                    recording_id: recording.id.clone(),
                    speakers: recording.speakers.clone(),
                    title: recording.title.clone(),
                    attendees: recording.attendees.clone(),
                    metadata: recording.metadata.clone(),
                };
                Ok(vec![it.store.event(names::RECORDING_UPDATED, recording, &told, Cause::Start)?])
            })
        })
        .await
    }

    /// Removes a recording and its files for good. A client's own files, outside of its folder, stay.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.run(move |it| it.delete(&id)).await
    }

    /// One recording.
    pub fn get(&self, id: &str) -> Result<Recording, Error> {
        self.0.store.get(id)
    }

    /// Newest first, those that began before the recording `before`, at most `limit`.
    pub fn list(&self, before: Option<&str>, limit: usize) -> Result<Vec<Recording>, Error> {
        let before = before.map(|id| self.0.store.get(id)).transpose()?;
        self.0.store.list(before.as_ref(), limit)
    }

    /// The recording this box makes now.
    pub fn active(&self) -> Result<Option<Recording>, Error> {
        let id = self.0.active.lock().unwrap_or_else(PoisonError::into_inner).clone();
        id.map(|id| self.0.store.get(&id)).transpose()
    }

    /// The WAV files of each track, in order.
    pub fn audio_files(&self, recording: &Recording) -> Result<Vec<Vec<PathBuf>>, Error> {
        self.0.files.audio(recording)
    }

    /// What was written down; the captions so far while the final pass has not ended; `None` when there is
    /// neither.
    pub fn transcript(&self, id: &str) -> Result<Option<Transcript>, Error> {
        let recording = self.0.store.get(id)?;
        let written = match self.0.files.read_transcript(id)? {
            None => self.0.captions(&recording)?,
            found => found,
        };
        Ok(written.map(|mut transcript| {
            for label in transcript.segments.iter_mut().filter_map(|it| it.speaker.as_mut()) {
                recording.speaker(label).to_owned().clone_into(label);
            }
            transcript
        }))
    }

    /// Runs `work`, which may wait for disk and pipeline, to its end even when the caller goes away.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || work(&inner)).await.unwrap_or(Err(Error::Stopping))
    }
}
