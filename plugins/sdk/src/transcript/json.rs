//! JSON in the form of whisper's `verbose_json`. Owns what of it is given: all that is known, and nothing that
//! is not.

use serde_json::{Value, json};

use super::{Header, Segment, Transcript, Word, pretty};

impl Transcript {
    /// The fields of OpenAI's `verbose_json` (API reference, "The transcription object (Verbose JSON)"), times
    /// in s, with what we know beyond it: speakers, words by segment, title, metadata. `seek` is the start in
    /// Whisper's frames of 10 ms, since every utterance is decoded by itself. `avg_logprob` is the mean over
    /// the words, of which only the probability is kept. `tokens` is empty, and `temperature`,
    /// `compression_ratio` and `no_speech_prob` are `null`: they are not kept.
    pub(super) fn json(&self, header: &Header) -> String {
        let segments: Vec<Value> = self.segments.iter().enumerate().map(|(id, it)| segment(id, it)).collect();
        let words: Vec<Value> = self.segments.iter().flat_map(words).collect();
        let mut out = pretty(&json!({
            "task": "transcribe", "language": self.language, "duration": seconds(self.duration_ms),
            "text": self.text(), "segments": segments, "words": words, "model": self.model,
            "title": header.title, "metadata": header.metadata,
        }));
        out.push('\n');
        out
    }
}

fn segment(id: usize, it: &Segment) -> Value {
    json!({
        "id": id, "seek": it.start_ms / 10, "start": seconds(it.start_ms), "end": seconds(it.end_ms),
        "text": it.text, "tokens": [], "temperature": null, "avg_logprob": mean_logprob(it),
        "compression_ratio": null, "no_speech_prob": null,
        "speaker": it.speaker, "confidence": it.confidence, "words": words(it),
    })
}

fn words(segment: &Segment) -> Vec<Value> {
    let word = |it: &Word| {
        json!({
            "word": it.text, "start": seconds(it.start_ms), "end": seconds(it.end_ms),
            "probability": it.confidence,
        })
    };
    segment.words.iter().map(word).collect()
}

/// `None` where no word has a probability.
fn mean_logprob(segment: &Segment) -> Option<f32> {
    let known: Vec<f32> = segment.words.iter().map(|it| it.confidence).filter(|it| *it > 0.0).collect();
    (!known.is_empty()).then(|| known.iter().map(|it| it.ln()).sum::<f32>() / known.len() as f32)
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
