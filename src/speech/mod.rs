//! What is said. Owns finding speech, cutting it into utterances and writing it down; leaves the
//! forms of a transcript to the SDK, sound to `audio` and when to listen to `pipeline`.
//!
//! All audio in here is 16 kHz mono `f32`, full scale ±1.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use crate::config;

mod agreement;
mod desk;
mod error;
mod hints;
mod lane;
mod listener;
pub mod model;
#[cfg(feature = "whisper")]
mod music;
mod offline;
mod scripted;
mod segmenter;
mod speakers;
pub mod vad;
mod wer;
pub mod whisper;

pub use agreement::Agreement;
pub use desk::{Desk, DeskError, Order, Request, Requests, Switch, desk};
pub use error::Error;
pub use hints::{Hints, meeting_prompt};
pub use lane::Lane;
pub use listener::Listener;
pub use offline::{Progress, TrackInput, Written, transcribe_tracks};
pub use panotti_sdk::transcript::{Header, Segment, Transcript, TranscriptFormat, Word};
pub use scripted::ScriptedTranscriber;
pub use segmenter::Segmenter;
pub use speakers::{Speakers, keep_names};
pub use wer::word_error_rate;

/// Sample rate of everything in this module, Hz (Whisper's own).
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// A stretch of speech, ready to be written down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Utterance {
    /// Place of the first sample, counted from where listening began.
    pub start_sample: u64,
    /// 16 kHz mono.
    pub samples: Vec<f32>,
}

impl Utterance {
    /// Start in ms from where listening began.
    pub fn start_ms(&self) -> u64 {
        self.start_sample * 1000 / u64::from(SAMPLE_RATE_HZ)
    }
}

/// How careful one transcription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Greedy and once, of speech that goes on: shown for a second, then replaced.
    Partial,
    /// Greedy, encoder context fitted to the utterance, heard again where a word is doubtful: somebody waits
    /// for the caption.
    Live,
    /// Beam search, more of the encoder's context: the text that stays.
    Final,
}

/// How one utterance is to be written down.
#[derive(Debug, Clone)]
pub struct How {
    /// How careful.
    pub effort: Effort,
    /// What is known of it.
    pub hints: Arc<Hints>,
    /// Set by another thread when nobody wants it any more.
    pub abandon: Arc<AtomicBool>,
}

impl How {
    /// With `effort`, knowing nothing, to its end.
    pub fn of(effort: Effort) -> Self {
        Self { effort, hints: Arc::default(), abandon: Arc::default() }
    }
}

/// Writes speech down.
pub trait Transcriber: Send {
    /// What `utterance` says; times are ms from where listening began. An empty list when nothing is said.
    fn transcribe(&mut self, utterance: &Utterance, how: &How) -> Result<Vec<Segment>, TranscribeError>;

    /// The model's name, for transcripts and status.
    fn name(&self) -> String;

    /// The language it writes, ISO 639-1, or `auto` where the model decides.
    fn language(&self) -> String {
        "en".into()
    }

    /// The languages it can write, ISO 639-1 where that has a code.
    fn languages(&self) -> Vec<String> {
        vec![self.language()]
    }

    /// Forgets all that it heard, so that the same audio gives the same text again, whatever came before.
    fn renew(&mut self) {}

    /// The language of the last utterance and its probability, where the model had to find it out.
    fn heard_language(&self) -> Option<(&str, f32)> {
        None
    }

    /// What computes: `cpu`, `cuda`, `vulkan`.
    fn accelerator(&self) -> String {
        "cpu".into()
    }
}

/// The transcriber that is chosen: by the command line, `panotti model use` or `config`.
pub fn load(config: &config::Transcription, models_dir: &Path) -> Result<Box<dyn Transcriber>, Error> {
    match model::chosen(config, models_dir) {
        Some(choice) => load_model(&choice, config, models_dir),
        None => Err(Error::NoModel { models_dir: models_dir.into() }),
    }
}

/// The transcriber with one model. Its file is checked from end to end before it is loaded.
pub fn load_model(
    choice: &model::Choice,
    config: &config::Transcription,
    models_dir: &Path,
) -> Result<Box<dyn Transcriber>, Error> {
    model::check_whisper(&choice.path, models_dir, choice.sha256.as_deref())?;
    whisper::load(&choice.path, config)
}

/// An utterance could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum TranscribeError {
    /// The engine failed.
    #[error("cannot transcribe {samples} samples: {reason}")]
    Engine {
        /// Length of the utterance, samples.
        samples: usize,
        /// What it said.
        reason: String,
    },
    /// The language asked for is none of the model's.
    #[error("the model does not know the language {language:?}: give an ISO 639-1 code such as en or de")]
    Language {
        /// As it was given.
        language: String,
    },
    /// Nobody wants it any more.
    #[error("nobody waits for this utterance any more")]
    Abandoned,
}
