//! What was said, as data. Owns segments, words and their times; its written forms are in `formats`.

use panotti_sdk::payloads;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Word {
    /// Start, ms from the start of the recording.
    pub start_ms: u64,
    /// End, ms.
    pub end_ms: u64,
    /// The word without surrounding spaces, with its punctuation.
    pub text: String,
    /// How sure the model is, 0 to 1.
    pub confidence: f32,
}

/// One thing said by one speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    /// Start, ms from the start of the recording.
    pub start_ms: u64,
    /// End, ms.
    pub end_ms: u64,
    /// The channel's label, where it has one.
    pub speaker: Option<String>,
    /// The text without surrounding spaces.
    pub text: String,
    /// Its words.
    pub words: Vec<Word>,
    /// Mean word confidence, 0 to 1.
    pub confidence: f32,
}

impl From<&Segment> for payloads::Segment {
    fn from(it: &Segment) -> Self {
        let word = |it: &Word| payloads::Word {
            start_ms: it.start_ms,
            end_ms: it.end_ms,
            text: it.text.clone(),
            confidence: it.confidence,
        };
        Self {
            start_ms: it.start_ms,
            end_ms: it.end_ms,
            speaker: it.speaker.clone(),
            text: it.text.clone(),
            words: it.words.iter().map(word).collect(),
            confidence: it.confidence,
        }
    }
}

/// A whole recording, written down.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transcript {
    /// ISO 639-1.
    pub language: String,
    /// Length of the audio, ms.
    pub duration_ms: u64,
    /// The model that wrote it.
    pub model: String,
    /// In order of start.
    pub segments: Vec<Segment>,
}

/// A written form of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TranscriptFormat {
    /// Plain text, a line a segment.
    Txt,
    /// Markdown in the original's form.
    Md,
    /// JSON in the form of whisper's `verbose_json`.
    Json,
    /// SubRip.
    Srt,
    /// WebVTT.
    Vtt,
}
