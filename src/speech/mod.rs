//! What is said. Owns finding speech, cutting it into utterances, writing it down and the forms of a
//! transcript; leaves sound to `audio` and when to listen to `pipeline`.
//!
//! All audio in here is 16 kHz mono `f32`, full scale ±1.

mod transcript;

pub use transcript::{Segment, Transcript, TranscriptFormat, Word};

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
    /// Greedy, encoder context fitted to the utterance: somebody waits for the caption.
    Live,
    /// Beam search, full context: the text that stays.
    Final,
}

/// Writes speech down.
pub trait Transcriber: Send {
    /// What `utterance` says; times are ms from where listening began. An empty list when nothing is said.
    fn transcribe(&mut self, utterance: &Utterance, effort: Effort) -> Result<Vec<Segment>, TranscribeError>;

    /// The model's name, for transcripts and status.
    fn name(&self) -> String;

    /// What computes: `cpu`, `cuda`, `vulkan`.
    fn accelerator(&self) -> String {
        "cpu".into()
    }
}

/// An utterance could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("cannot transcribe {samples} samples: {reason}")]
pub struct TranscribeError {
    /// Length of the utterance, samples.
    pub samples: usize,
    /// What the engine said.
    pub reason: String,
}
