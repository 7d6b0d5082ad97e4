//! Answers in one piece. Owns OpenAI's JSON forms; the other forms of a transcript are the SDK's.

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Format;
use crate::{
    config::language_name,
    speech::{self, Header, Transcript, TranscriptFormat},
};

/// The text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transcription {
    /// All that is said.
    text: String,
    /// What was heard.
    usage: Usage,
}

/// The text with times.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VerboseTranscription {
    /// Always `transcribe`.
    task: &'static str,
    /// The language's English name.
    #[schema(example = "english")]
    language: String,
    /// Length of the audio, s.
    duration: f64,
    /// All that is said.
    text: String,
    /// Missing where only words were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<Segment>>,
    /// Only where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<Word>>,
    /// What was heard.
    usage: Usage,
}

/// Something said without a pause.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Segment {
    /// Counted from 0.
    id: usize,
    /// Its start, hundredths of a second: the box hears from one pause to the next, not 30 s at a time.
    seek: u64,
    /// s
    start: f64,
    /// s
    end: f64,
    /// With a space before it, as Whisper writes: joined, segments are the text.
    text: String,
    /// Always empty.
    tokens: Vec<u32>,
    /// Always 0: sampling begins there, and rises only where that fails.
    temperature: f64,
    /// Mean logarithm of the words' probabilities.
    avg_logprob: f64,
    /// Always 1: text that repeats itself is heard again before it is answered.
    compression_ratio: f64,
    /// Always 0: where there is no speech there is no segment.
    no_speech_prob: f64,
}

/// A word.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Word {
    /// The word.
    word: String,
    /// s
    start: f64,
    /// s
    end: f64,
    /// 0 to 1; OpenAI has none.
    probability: f64,
}

/// What was heard.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    /// Always `duration`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Length of the audio, s.
    seconds: f64,
}

/// The answer in the form that was asked for.
pub(super) fn whole(transcript: &Transcript, format: Format) -> Response {
    let text = match format {
        Format::Json => {
            let (text, usage) = (transcript.text(), Usage::of(transcript));
            return Json(Transcription { text, usage }).into_response();
        }
        Format::VerboseJson { words, segments } => {
            return Json(VerboseTranscription::of(transcript, words, segments)).into_response();
        }
        Format::Text => TranscriptFormat::Txt,
        Format::Srt => TranscriptFormat::Srt,
        Format::Vtt => TranscriptFormat::Vtt,
    };
    let body = transcript.render(text, &Header::default());
    ([(header::CONTENT_TYPE, text.media_type())], body).into_response()
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

impl Usage {
    fn of(transcript: &Transcript) -> Self {
        Self { kind: "duration", seconds: seconds(transcript.duration_ms) }
    }
}

impl VerboseTranscription {
    fn of(transcript: &Transcript, words: bool, segments: bool) -> Self {
        let all = || transcript.segments.iter();
        let language = &transcript.language;
        Self {
            task: "transcribe",
            language: language_name(language).map_or_else(|| language.clone(), Into::into),
            duration: seconds(transcript.duration_ms),
            text: transcript.text(),
            segments: segments.then(|| all().enumerate().map(|(id, it)| Segment::of(id, it)).collect()),
            words: words.then(|| all().flat_map(|it| &it.words).map(Word::of).collect()),
            usage: Usage::of(transcript),
        }
    }
}

impl Segment {
    fn of(id: usize, segment: &speech::Segment) -> Self {
        let probabilities: Vec<f32> = segment.words.iter().map(|it| it.confidence).collect();
        let probabilities = if probabilities.is_empty() { vec![segment.confidence] } else { probabilities };
        // What is written as 0 was merely small, and JSON has no infinity.
        let logarithms = probabilities.iter().map(|it| f64::from(*it).clamp(1e-6, 1.0).ln());
        Self {
            id,
            seek: segment.start_ms / 10,
            start: seconds(segment.start_ms),
            end: seconds(segment.end_ms),
            text: format!(" {}", segment.text),
            tokens: Vec::new(),
            temperature: 0.0,
            avg_logprob: logarithms.sum::<f64>() / probabilities.len() as f64,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
        }
    }
}

impl Word {
    fn of(word: &speech::Word) -> Self {
        Self {
            word: word.text.clone(),
            start: seconds(word.start_ms),
            end: seconds(word.end_ms),
            probability: word.confidence.into(),
        }
    }
}
